"""What a WooCommerce shop says: webhook bodies and headers as WooCommerce 10.5 sends them.

Bodies hold what its REST API answers for the resource; the JSON is written as PHP writes it (escaped slashes,
ASCII only), and the delivery id is as unreliable as the original: one per webhook and second.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from html import escape
from typing import Any

from demo.catalogue import CATEGORIES, Listing, Product
from demo.companions import Companions
from demo.messages import Delivery, Message, signature
from demo.money import decimal
from demo.orders import CartNews, Line, Order
from demo.people import USER_AGENT, person

VERSION = "10.5.0"
SHOP_TIME = timezone(timedelta(hours=1))  # a fixed offset, so that local and GMT fields differ
SYMBOLS = {"GBP": ("£", "&pound;"), "EUR": ("€", "&euro;")}
WEBHOOK_IDS = {
    "order.created": 1,
    "order.updated": 2,
    "order.deleted": 3,
    "order.restored": 4,
    "product.created": 5,
    "product.updated": 6,
    "product.deleted": 7,
    "product.restored": 8,
    "customer.created": 9,
    "customer.updated": 10,
    "customer.deleted": 11,
}
FIRST_PRODUCT_ID = 101
FIRST_CATEGORY_ID = 16
FIRST_CUSTOMER_ID = 2
FIRST_ORDER_ID = 20_000  # posts of all types share one sequence of ids
_REFUND_OFFSET = 40_000_000
_LINES_PER_ORDER = 100
_NONE_CHOSEN = Companions(goes_with=(), better=())
_VAT = 20  # per cent; prices include it


def product_id(product: Product) -> int:
    """Return the product's id: a small integer."""
    return FIRST_PRODUCT_ID + product.number


def product_number(identifier: int) -> int:
    """Return the product's number for an id; it may be out of range."""
    return identifier - FIRST_PRODUCT_ID


def encode(body: dict[str, Any]) -> bytes:
    r"""Return ``body`` as PHP writes JSON: ``\/`` for a slash, ``\u20ac`` for a euro sign."""
    return json.dumps(body, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode()


def net(gross: int) -> int:
    """Return what is left of a price in pence when the tax in it is taken out."""
    return round(gross * 100 / (100 + _VAT))


class WooCommerceShop:
    """Builds and signs the messages of one shop. Holds no state: the same input gives the same bytes."""

    def __init__(
        self, *, base_url: str, currency: str, secret: str, companions: Mapping[int, Companions] | None = None
    ) -> None:
        """Speak for one shop.

        Args:
            base_url: where it can be reached, without trailing slash.
            currency: ISO 4217, one of ``SYMBOLS``.
            secret: the secret of all its webhooks.
            companions: what the merchant chose to show beside products, by their numbers.
        """
        self._base_url = base_url
        self._companions = companions or {}
        self._currency = currency
        self._secret = secret

    def sign(self, message: Message) -> Delivery:
        """Return ``message`` as the request that WooCommerce sends (but on a connection that may be kept)."""
        raw = encode(message.build())
        webhook_id = WEBHOOK_IDS[message.topic]
        resource, event = message.topic.split(".")
        second = int(message.at.timestamp())
        delivery_id = hashlib.md5(
            f"{self._base_url}{webhook_id}{second}".encode(), usedforsecurity=False
        ).hexdigest()
        headers = {
            "User-Agent": f"WooCommerce/{VERSION} Hookshot (WordPress/6.9.1)",
            "Accept": "*/*",
            "Content-Type": "application/json",
            "X-WC-Webhook-Source": f"{self._base_url}/",
            "X-WC-Webhook-Topic": message.topic,
            "X-WC-Webhook-Resource": resource,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-Signature": signature(raw, self._secret),
            "X-WC-Webhook-ID": str(webhook_id),
            "X-WC-Webhook-Delivery-ID": delivery_id,
        }
        return Delivery(headers, raw, message.topic)

    def ping(self, topic: str) -> Delivery:
        """Return the unsigned request that WooCommerce makes when a webhook for ``topic`` is created."""
        headers = {
            "User-Agent": f"WooCommerce/{VERSION} Hookshot (WordPress/6.9.1)",
            "Accept": "*/*",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return Delivery(headers, f"webhook_id={WEBHOOK_IDS[topic]}".encode(), "ping")

    # -- what happens in the shop --

    def product_added(self, listing: Listing) -> list[Message]:
        """Return what is sent when a product enters the catalogue."""
        return [self._product_message("product.created", listing)]

    def listing_changed(self, listing: Listing) -> list[Message]:
        """Return what is sent when stock, status or visibility of a product changes."""
        return [self._product_message("product.updated", listing)]

    def customer_added(self, customer: int, at: datetime) -> list[Message]:
        """Return what is sent when somebody registers."""
        return [Message("customer.created", at, f"customer-{customer}", lambda: self._customer(customer, at))]

    def order_placed(self, order: Order, listings: Sequence[Listing] = ()) -> list[Message]:
        """Return what is sent when an order is placed, ``listings`` being the products that it took stock of.

        The block checkout reports the update before the creation, both with the same body.
        """
        topics = (
            ("order.updated", "order.created")
            if by_block_checkout(order)
            else ("order.created", "order.updated")
        )
        orders = [self._order_message(topic, order, order.placed_at) for topic in topics]
        return orders + [self._product_message("product.updated", listing) for listing in listings]

    def order_history(self, order: Order, now: datetime) -> Iterator[Message]:
        """Yield what was sent about ``order`` until ``now``, in the order of the events.

        Orders of the block checkout are reported step by step, some from the opened checkout on. Of the
        others comes one message, late and already with the later state: that is how a quiet shop's task queue
        sends them. Stock reports, one for each line of each order, are left out to spare time.
        """
        finished = order.fulfilled_at if order.fulfilled_at and order.fulfilled_at <= now else None
        if by_block_checkout(order):
            if order.number % 12 == 0:
                opened = order.placed_at - timedelta(minutes=2)
                yield Message(
                    "order.updated", opened, f"order-{order.number}", lambda: self._order(order, opened)
                )
            yield from self.order_placed(order)
            if finished:
                yield self._order_message("order.updated", order, finished)
        else:
            yield self._order_message("order.created", order, finished or order.placed_at)
        for refund in order.refunds:
            if refund.at <= now:
                yield self._order_message("order.updated", order, max(refund.at, finished or refund.at))

    def cart_changed(self, _cart: CartNews, /) -> list[Message]:
        """Return nothing: WooCommerce has no cart topic."""
        return []

    # -- messages --

    def _product_message(self, topic: str, listing: Listing) -> Message:
        resource = f"product-{listing.product.number}"
        return Message(topic, listing.updated_at, resource, lambda: self._product(listing))

    def _order_message(self, topic: str, order: Order, at: datetime) -> Message:
        return Message(topic, at, f"order-{order.number}", lambda: self._order(order, at))

    # -- bodies --

    def picture_url(self, product: Product) -> str:
        """Return the address of a product's picture."""
        return f"{self._base_url}/wp-content/uploads/{product.handle}.svg"

    def permalink(self, product: Product) -> str:
        """Return the address of a product's page."""
        return f"{self._base_url}/product/{product.handle}/"

    def _product(self, listing: Listing) -> dict[str, Any]:
        product = listing.product
        identifier = product_id(product)
        was = product.compare_at_price
        chosen = self._companions.get(product.number, _NONE_CHOSEN)
        status = {"active": "publish", "draft": "draft", "archived": "private"}[listing.status]
        return {
            "id": identifier,
            "name": escape(product.name, quote=False),
            "slug": product.handle,
            "permalink": self.permalink(product),
            "date_created": _local(listing.added_at),
            "date_created_gmt": _gmt(listing.added_at),
            "date_modified": _local(listing.updated_at),
            "date_modified_gmt": _gmt(listing.updated_at),
            "type": "simple",
            "status": status,
            "featured": False,
            "catalog_visibility": "visible" if listing.visible else "hidden",
            "description": "",
            "short_description": "",
            "sku": product.code,
            "price": decimal(product.price),
            "regular_price": decimal(was or product.price),
            "sale_price": decimal(product.price) if was else "",
            "date_on_sale_from": None,
            "date_on_sale_from_gmt": None,
            "date_on_sale_to": None,
            "date_on_sale_to_gmt": None,
            "on_sale": was is not None,
            "purchasable": True,
            "total_sales": 0,
            "virtual": False,
            "downloadable": False,
            "downloads": [],
            "download_limit": -1,
            "download_expiry": -1,
            "external_url": "",
            "button_text": "",
            "tax_status": "taxable",
            "tax_class": "",
            "manage_stock": True,
            "stock_quantity": listing.stock,
            "backorders": "no",
            "backorders_allowed": False,
            "backordered": False,
            "low_stock_amount": None,
            "sold_individually": False,
            "weight": "",
            "dimensions": {"length": "", "width": "", "height": ""},
            "shipping_required": True,
            "shipping_taxable": True,
            "shipping_class": "",
            "shipping_class_id": 0,
            "reviews_allowed": True,
            "average_rating": "0.00",
            "rating_count": 0,
            "upsell_ids": [FIRST_PRODUCT_ID + number for number in chosen.better],
            "cross_sell_ids": [FIRST_PRODUCT_ID + number for number in chosen.goes_with],
            "parent_id": 0,
            "purchase_note": "",
            "categories": [_category(product)],
            "brands": [],
            "tags": [_term(tag) for tag in product.tags],
            "images": [self._image(product, listing.added_at)],
            "attributes": [],
            "default_attributes": [],
            "variations": [],
            "grouped_products": [],
            "menu_order": 0,
            "price_html": self._price_html(product),
            "related_ids": [identifier + step for step in (3, 1, 7, 4, 2)],
            "meta_data": [],
            "stock_status": "instock" if listing.stock > 0 else "outofstock",
            "has_options": False,
            "post_password": "",
            "global_unique_id": "",
            "_links": self._links("products", identifier),
        }

    def _image(self, product: Product, created_at: datetime) -> dict[str, Any]:
        return {
            "id": 50_000 + product.number,
            "date_created": _local(created_at),
            "date_created_gmt": _gmt(created_at),
            "date_modified": _local(created_at),
            "date_modified_gmt": _gmt(created_at),
            "src": self.picture_url(product),
            "name": product.handle,
            "alt": "",
        }

    def _price_html(self, product: Product) -> str:
        symbol = SYMBOLS[self._currency][1]

        def amount(pence: int) -> str:
            return (
                '<span class="woocommerce-Price-amount amount"><bdi>'
                f'<span class="woocommerce-Price-currencySymbol">'
                f"{symbol}</span>{decimal(pence)}</bdi></span>"
            )

        was = product.compare_at_price
        if was is None:
            return amount(product.price)
        return f'<del aria-hidden="true">{amount(was)}</del> <ins>{amount(product.price)}</ins>'

    def _customer(self, customer: int, at: datetime) -> dict[str, Any]:
        who = person(f"customer-{customer}")
        identifier = FIRST_CUSTOMER_ID + customer
        avatar = hashlib.sha256(who.email.encode()).hexdigest()
        address = self._address(f"customer-{customer}")
        return {
            "id": identifier,
            "date_created": _local(at),
            "date_created_gmt": _gmt(at),
            "date_modified": _local(at),
            "date_modified_gmt": _gmt(at),
            "email": who.email,
            "first_name": who.first_name,
            "last_name": who.last_name,
            "role": "customer",
            "username": who.email.partition("@")[0],
            "billing": {**address, "email": who.email, "phone": who.phone},
            "shipping": {**address, "phone": who.phone},
            "is_paying_customer": False,
            "avatar_url": f"https://secure.gravatar.com/avatar/{avatar}?s=96&d=mm&r=g",
            "meta_data": [],
            "_links": self._links("customers", identifier),
        }

    def _address(self, key: str) -> dict[str, Any]:
        who = person(key)
        return {
            "first_name": who.first_name,
            "last_name": who.last_name,
            "company": "",
            "address_1": who.street,
            "address_2": "",
            "city": who.city,
            "state": "",
            "postcode": who.postcode,
            "country": "GB",
        }

    def _order(self, order: Order, at: datetime) -> dict[str, Any]:
        draft = at < order.placed_at
        who = person(order.person_key)
        identifier = order_id(order.number)
        modified = at if draft else order.changed_at(at)
        created = at if draft else order.placed_at
        paid_at = None if draft else order.placed_at
        done = order.fulfilled_at if order.fulfilled_at and order.fulfilled_at <= at else None
        shipping_net = net(order.shipping)
        paid = [line.total - order.discount_of(place) for place, line in enumerate(order.lines)]
        cart_tax = sum(total - net(total) for total in paid)
        discount_net = sum(net(line.total) for line in order.lines) - sum(map(net, paid))
        key = f"wc_order_{hashlib.sha256(f'{self._base_url}{order.number}'.encode()).hexdigest()[:13]}"
        address = self._address(order.person_key)
        return {
            "id": identifier,
            "parent_id": 0,
            "status": _status(order, at),
            "currency": self._currency,
            "version": VERSION,
            "prices_include_tax": True,
            "date_created": _local(created),
            "date_modified": _local(modified),
            "discount_total": decimal(discount_net),
            "discount_tax": decimal(order.discount - discount_net),
            "shipping_total": decimal(shipping_net),
            "shipping_tax": decimal(order.shipping - shipping_net),
            "cart_tax": decimal(cart_tax),
            "total": decimal(order.to_pay),
            "total_tax": decimal(cart_tax + order.shipping - shipping_net),
            "customer_id": 0 if order.customer is None else FIRST_CUSTOMER_ID + order.customer,
            "order_key": key,
            "billing": {**address, "email": who.email, "phone": who.phone},
            "shipping": {**address, "phone": who.phone},
            "payment_method": "cod",
            "payment_method_title": "Cash on delivery",
            "transaction_id": "",
            "customer_ip_address": who.ip,
            "customer_user_agent": USER_AGENT,
            "created_via": "store-api" if by_block_checkout(order) else "checkout",
            "customer_note": "",
            "date_completed": _local(done) if done else None,
            "date_paid": _local(paid_at) if paid_at else None,
            "cart_hash": hashlib.md5(f"{key}".encode(), usedforsecurity=False).hexdigest(),
            "number": str(identifier),
            "meta_data": [],
            "line_items": [self._line(order, place, line) for place, line in enumerate(order.lines)],
            "tax_lines": [self._tax(order, cart_tax)],
            "shipping_lines": [self._shipping(order)],
            "fee_lines": [],
            "coupon_lines": [self._coupon(order, place) for place in range(len(order.coupons))],
            "refunds": [
                {
                    "id": _REFUND_OFFSET + order.number * _LINES_PER_ORDER + place,
                    "reason": "Goods returned",
                    "total": decimal(-order.refund_total(refund)),
                }
                for place, refund in enumerate(order.refunds_until(at))
                if order.cancelled_at is None
            ],
            "payment_url": f"{self._base_url}/checkout/order-pay/{identifier}/?pay_for_order=true&key={key}",
            "is_editable": False,
            "needs_payment": draft,
            "needs_processing": True,
            "date_created_gmt": _gmt(created),
            "date_modified_gmt": _gmt(modified),
            "date_completed_gmt": _gmt(done) if done else None,
            "date_paid_gmt": _gmt(paid_at) if paid_at else None,
            "currency_symbol": SYMBOLS[self._currency][0],
            "_links": self._links("orders", identifier),
        }

    def _line(self, order: Order, place: int, line: Line) -> dict[str, Any]:
        product = line.product
        whole = net(line.total)
        subtotal, subtotal_tax = decimal(whole), decimal(line.total - whole)
        left = line.total - order.discount_of(place)
        total, tax = decimal(net(left)), decimal(left - net(left))
        line_id = order.number * _LINES_PER_ORDER + place
        return {
            "id": line_id,
            "name": escape(product.name, quote=False),
            "product_id": product_id(product),
            "variation_id": 0,
            "quantity": line.quantity,
            "tax_class": "",
            "subtotal": subtotal,
            "subtotal_tax": subtotal_tax,
            "total": total,
            "total_tax": tax,
            "taxes": [{"id": 1, "total": tax, "subtotal": subtotal_tax}],
            "meta_data": [
                {
                    "id": line_id * 10,
                    "key": "_reduced_stock",
                    "value": str(line.quantity),
                    "display_key": "_reduced_stock",
                    "display_value": str(line.quantity),
                },
                *(
                    {
                        "id": line_id * 10 + extra,
                        "key": name,
                        "value": value,
                        "display_key": name,
                        "display_value": value,
                    }
                    for extra, (name, value) in enumerate(line.properties, start=1)
                ),
            ],
            "sku": product.code,
            "global_unique_id": "",
            "price": round(left / (1 + _VAT / 100) / line.quantity / 100, 6),
            "image": {"id": str(50_000 + product.number), "src": self.picture_url(product)},
            "parent_name": None,
        }

    def _coupon(self, order: Order, place: int) -> dict[str, Any]:
        coupon = order.coupons[place]
        before = [
            line.total - sum(other.amounts[at] for other in order.coupons[:place])
            for at, line in enumerate(order.lines)
        ]
        taken = sum(net(left) - net(left - off) for left, off in zip(before, coupon.amounts, strict=True))
        line_id = order.number * _LINES_PER_ORDER + 92 + place
        info = json.dumps([0, coupon.code, coupon.kind, coupon.nominal], separators=(",", ":"))
        return {
            "id": line_id,
            "code": coupon.code,
            "discount": decimal(taken),
            "discount_tax": decimal(sum(coupon.amounts) - taken),
            "meta_data": [
                {
                    "id": line_id * 10,
                    "key": "coupon_info",
                    "value": info,
                    "display_key": "coupon_info",
                    "display_value": info,
                }
            ],
            "discount_type": coupon.kind,
            "nominal_amount": coupon.nominal,
            "free_shipping": False,
        }

    def _tax(self, order: Order, cart_tax: int) -> dict[str, Any]:
        return {
            "id": order.number * _LINES_PER_ORDER + 90,
            "rate_code": "GB-VAT-1",
            "rate_id": 1,
            "label": "VAT",
            "compound": False,
            "tax_total": decimal(cart_tax),
            "shipping_tax_total": decimal(order.shipping - net(order.shipping)),
            "rate_percent": _VAT,
            "meta_data": [],
        }

    def _shipping(self, order: Order) -> dict[str, Any]:
        tax = decimal(order.shipping - net(order.shipping))
        return {
            "id": order.number * _LINES_PER_ORDER + 91,
            "method_title": "Flat rate",
            "method_id": "flat_rate",
            "instance_id": "1",
            "total": decimal(net(order.shipping)),
            "total_tax": tax,
            "taxes": [{"id": 1, "total": tax, "subtotal": ""}],
            "tax_status": "taxable",
            "meta_data": [],
        }

    def _links(self, collection: str, identifier: int) -> dict[str, Any]:
        root = f"{self._base_url}/wp-json/wc/v3/{collection}"
        allow = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return {
            "self": [{"href": f"{root}/{identifier}", "targetHints": {"allow": allow}}],
            "collection": [{"href": root}],
        }


def line_key(line: Line) -> str:
    """Return the key that names a cart line of a simple product: the digest of its id."""
    return hashlib.md5(str(product_id(line.product)).encode(), usedforsecurity=False).hexdigest()


def order_id(number: int) -> int:
    """Return the id of the order with this number in the shop's books."""
    return FIRST_ORDER_ID + number


def by_block_checkout(order: Order) -> bool:
    """Whether the order came through WooCommerce's block checkout, as one order in three does here."""
    return order.number % 3 == 0


def _status(order: Order, at: datetime) -> str:
    if at < order.placed_at:
        return "checkout-draft"
    if order.cancelled_at is not None and order.cancelled_at <= at:
        return "cancelled"
    if order.refunds and not any(order.quantities_left(at)):
        return "refunded"
    if order.fulfilled_at is not None and order.fulfilled_at <= at:
        return "completed"
    return "processing"


def _category(product: Product) -> dict[str, Any]:
    term = _term(product.category)
    return {**term, "id": FIRST_CATEGORY_ID + CATEGORIES.index(product.category)}


def _term(name: str) -> dict[str, Any]:
    slug = "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
    identifier = 1000 + int(hashlib.md5(slug.encode(), usedforsecurity=False).hexdigest()[:4], 16)
    return {"id": identifier, "name": escape(name, quote=False), "slug": slug}


def _local(at: datetime) -> str:
    return at.astimezone(SHOP_TIME).replace(tzinfo=None).isoformat(timespec="seconds")


def _gmt(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
