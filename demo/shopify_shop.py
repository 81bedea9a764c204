"""What a Shopify shop says: webhook bodies and headers in Shopify's own format (API version 2026-10).

Bodies follow the JSON Schemas of Shopify's samples. Ids exceed 2^53 and are odd, so that a reader who takes
them for floating point numbers is found out. The JSON is written as Shopify's Rails writes it.
"""

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from html import escape
from typing import Any

import orjson

from demo.catalogue import Listing, Product
from demo.messages import Delivery, Message, signature
from demo.money import decimal
from demo.orders import CartNews, Line, Order, OrderCoupon, Refund
from demo.people import USER_AGENT, person
from demo.pictures import SIZE

API_VERSION = "2026-10"
APP_ID = 580111
LOCATION_ID = 73_000_000_001
STAFF_ID = 548_380_009
# A fixed offset: no time zone data needed, and every reader has to convert.
SHOP_TIME = timezone(timedelta(hours=1))

_BASE = {
    "Product": 9_101_000_000_000_001,
    "ProductVariant": 9_102_000_000_000_001,
    "InventoryItem": 9_103_000_000_000_001,
    "ProductImage": 9_104_000_000_000_001,
    "Customer": 9_105_000_000_000_001,
    "Address": 9_106_000_000_000_001,
    "Order": 9_107_000_000_000_001,
    "LineItem": 9_108_000_000_000_001,
    "Refund": 9_109_000_000_000_001,
    "RefundLineItem": 9_110_000_000_000_001,
    "OrderTransaction": 9_111_000_000_000_001,
    "ShippingLine": 9_112_000_000_000_001,
    "ProductOption": 9_113_000_000_000_001,
    "MediaImage": 9_114_000_000_000_001,
}
_LINES_PER_ORDER = 1000
_LINES_PER_REFUND = 60  # no sample order holds more products
_GUESTS = 10_000_000  # customer records of guests are numbered from here, by their order


def platform_id(kind: str, number: int) -> int:
    """Return the id of the ``number``-th resource of ``kind``, such as ``Product``: odd and above 2^53."""
    return _BASE[kind] + 2 * number


def gid(kind: str, number: int) -> str:
    """Return the same id as a GraphQL global id."""
    return f"gid://shopify/{kind}/{platform_id(kind, number)}"


def product_number(variant_id: int) -> int | None:
    """Return which product a variant id belongs to, or None if it can be no variant's."""
    number, odd = divmod(variant_id - _BASE["ProductVariant"], 2)
    return number if number >= 0 and not odd else None


def encode(body: dict[str, Any]) -> bytes:
    """Return ``body`` as Rails writes JSON: UTF-8, no spaces, with ``&``, ``<`` and ``>`` escaped."""
    raw = orjson.dumps(body)
    return raw.replace(b"&", b"\\u0026").replace(b"<", b"\\u003c").replace(b">", b"\\u003e")


class ShopifyShop:
    """Builds and signs the messages of one shop. Holds no state: the same input gives the same bytes."""

    def __init__(self, *, domain: str, base_url: str, currency: str, vendor: str, secret: str) -> None:
        """Speak for one shop.

        Args:
            domain: the shop's myshopify.com name.
            base_url: where its storefront (and so its pictures) can be reached, without trailing slash.
            currency: ISO 4217.
            vendor: the brand named in its products.
            secret: the client secret of the receiving app.
        """
        self.domain = domain
        self._base_url = base_url
        self._currency = currency
        self._vendor = vendor
        self._secret = secret

    def sign(self, message: Message) -> Delivery:
        """Return ``message`` as the request that Shopify sends."""
        raw = encode(message.build())
        moment = message.at.astimezone(UTC).isoformat()
        event = f"{self.domain}/{message.resource}/{moment}"
        headers = {
            "User-Agent": "Shopify-Captain-Hook",
            "Accept": "*/*",
            "Content-Type": "application/json",
            "X-Shopify-Topic": message.topic,
            "X-Shopify-Hmac-Sha256": signature(raw, self._secret),
            "X-Shopify-Shop-Domain": self.domain,
            "X-Shopify-API-Version": API_VERSION,
            "X-Shopify-Webhook-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{message.topic}/{event}")),
            "X-Shopify-Event-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, event)),
            "X-Shopify-Triggered-At": f"{message.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z",
        }
        return Delivery(headers, raw, message.topic)

    # -- what happens in the shop --

    def product_added(self, listing: Listing) -> list[Message]:
        """Return what is sent when a product enters the catalogue."""
        return [self._product_message("products/create", listing)]

    def listing_changed(self, listing: Listing) -> list[Message]:
        """Return what is sent when stock, status or visibility of a product changes."""
        return [
            self._inventory_message(listing),
            self._product_message("products/update", listing),
        ]

    def customer_added(self, customer: int, at: datetime) -> list[Message]:
        """Return what is sent when somebody becomes a customer."""
        key = f"customer-{customer}"
        return [Message("customers/create", at, key, lambda: self._customer_resource(key, customer, at))]

    def order_placed(self, order: Order, listings: Sequence[Listing] = ()) -> list[Message]:
        """Return what is sent when an order is placed; ``listings`` are the products it took stock of."""
        messages = [self._order_message("orders/create", order, order.placed_at)]
        for listing in listings:
            messages.append(self._inventory_message(listing))
            if listing.stock == 0:
                messages.append(self._product_message("products/update", listing))
        return messages

    def order_history(self, order: Order, now: datetime) -> Iterator[Message]:
        """Yield all that was sent about ``order`` until ``now``, in the order of the events.

        One order in four is reported once more when it leaves the house; the others are not, to spare time.
        """
        yield from self.order_placed(order)
        if order.fulfilled_at and order.fulfilled_at <= now and order.number % 4 == 1:
            yield self._order_message("orders/updated", order, order.fulfilled_at)
        for place, refund in enumerate(order.refunds):
            if refund.at <= now:
                yield self._refund_message(order, place)
                if order.cancelled_at is not None:
                    yield self._order_message("orders/cancelled", order, order.cancelled_at)
                yield self._order_message("orders/updated", order, refund.at)

    def order_at(self, order: Order, at: datetime) -> dict[str, Any]:
        """Return an order as it stood at a moment, in the shape of a webhook's body."""
        return self._order(order, at)

    def cart_changed(self, cart: CartNews, /) -> list[Message]:
        """Return what is sent when a shopper's cart changes."""
        topic = "carts/create" if cart.is_new else "carts/update"
        return [Message(topic, cart.at, f"cart-{cart.token}", lambda: self._cart(cart))]

    # -- messages --

    def _product_message(self, topic: str, listing: Listing) -> Message:
        resource = f"product-{listing.product.number}"
        return Message(topic, listing.updated_at, resource, lambda: self._product(listing))

    def _inventory_message(self, listing: Listing) -> Message:
        resource = f"inventory-{listing.product.number}"
        return Message(
            "inventory_levels/update", listing.updated_at, resource, lambda: self._inventory(listing)
        )

    def _order_message(self, topic: str, order: Order, at: datetime) -> Message:
        return Message(topic, at, f"order-{order.number}", lambda: self._order(order, at))

    def _refund_message(self, order: Order, place: int) -> Message:
        at = order.refunds[place].at
        return Message(
            "refunds/create", at, f"refund-{order.number}-{place}", lambda: self._refund(order, place)
        )

    # -- bodies --

    def _product(self, listing: Listing) -> dict[str, Any]:
        product = listing.product
        created, updated = stamp(listing.added_at), stamp(listing.updated_at)
        shown = listing.on_show
        image = self._image(product, created)
        variant_id = platform_id("ProductVariant", product.number)
        return {
            "admin_graphql_api_id": gid("Product", product.number),
            "body_html": f"<p>{escape(product.name)}.</p>",
            "created_at": created,
            "handle": product.handle,
            "id": platform_id("Product", product.number),
            "product_type": product.category,
            "published_at": created if shown else None,
            "template_suffix": None,
            "title": product.name,
            "updated_at": updated,
            "vendor": self._vendor,
            "status": listing.status,
            "published_scope": "web",
            "tags": ", ".join(product.tags),
            "variants": [self._variant(listing, created)],
            "options": [
                {
                    "name": "Title",
                    "id": platform_id("ProductOption", product.number),
                    "product_id": platform_id("Product", product.number),
                    "position": 1,
                    "values": ["Default Title"],
                }
            ],
            "images": [image],
            "image": image,
            "media": [self._media(product, created)],
            "variant_gids": [
                {"admin_graphql_api_id": f"gid://shopify/ProductVariant/{variant_id}", "updated_at": updated}
            ],
            "has_variants_that_requires_components": False,
            "category": None,
        }

    def _variant(self, listing: Listing, created: str) -> dict[str, Any]:
        product = listing.product
        was = product.compare_at_price
        return {
            "admin_graphql_api_id": gid("ProductVariant", product.number),
            "barcode": None,
            "compare_at_price": decimal(was) if was else None,
            "created_at": created,
            "id": platform_id("ProductVariant", product.number),
            "inventory_policy": "deny",
            "position": 1,
            "price": decimal(product.price),
            "product_id": platform_id("Product", product.number),
            "sku": product.code,
            "taxable": True,
            "title": "Default Title",
            "updated_at": stamp(listing.updated_at),
            "option1": "Default Title",
            "option2": None,
            "option3": None,
            "image_id": None,
            "inventory_item_id": platform_id("InventoryItem", product.number),
            "inventory_quantity": listing.stock,
            "old_inventory_quantity": listing.stock,
        }

    def _image(self, product: Product, created: str) -> dict[str, Any]:
        return {
            "id": platform_id("ProductImage", product.number),
            "alt": None,
            "position": 1,
            "product_id": platform_id("Product", product.number),
            "created_at": created,
            "updated_at": created,
            "admin_graphql_api_id": gid("ProductImage", product.number),
            "width": SIZE,
            "height": SIZE,
            "src": self.picture_url(product),
            "variant_ids": [],
        }

    def _media(self, product: Product, created: str) -> dict[str, Any]:
        return {
            "id": platform_id("MediaImage", product.number),
            "product_id": platform_id("Product", product.number),
            "position": 1,
            "created_at": created,
            "updated_at": created,
            "alt": "",
            "status": "READY",
            "media_content_type": "IMAGE",
            "preview_image": {
                "width": SIZE,
                "height": SIZE,
                "src": self.picture_url(product),
                "status": "READY",
            },
            "variant_ids": [],
            "admin_graphql_api_id": gid("MediaImage", product.number),
        }

    def picture_url(self, product: Product) -> str:
        """Return the address of a product's picture."""
        return f"{self._base_url}/cdn/shop/files/{product.handle}.svg"

    def _inventory(self, listing: Listing) -> dict[str, Any]:
        item = platform_id("InventoryItem", listing.product.number)
        return {
            "inventory_item_id": item,
            "location_id": LOCATION_ID,
            "available": listing.stock,
            "updated_at": stamp(listing.updated_at),
            "admin_graphql_api_id": f"gid://shopify/InventoryLevel/{LOCATION_ID}?inventory_item_id={item}",
        }

    def _customer(self, key: str, number: int, at: datetime) -> dict[str, Any]:
        who = person(key)
        return {
            "id": platform_id("Customer", number),
            "created_at": stamp(at),
            "updated_at": stamp(at),
            "first_name": who.first_name,
            "last_name": who.last_name,
            "state": "disabled",
            "note": None,
            "verified_email": True,
            "multipass_identifier": None,
            "tax_exempt": False,
            "email": who.email,
            "phone": who.phone,
            "currency": self._currency,
            "tax_exemptions": [],
            "admin_graphql_api_id": gid("Customer", number),
            "default_address": {
                "id": platform_id("Address", number),
                "customer_id": platform_id("Customer", number),
                "company": None,
                **self._address(key),
                "country_name": "United Kingdom",
                "default": True,
            },
        }

    def _customer_resource(self, key: str, number: int, at: datetime) -> dict[str, Any]:
        return {**self._customer(key, number, at), "note": "", "addresses": []}

    def _address(self, key: str) -> dict[str, Any]:
        who = person(key)
        return {
            "first_name": who.first_name,
            "last_name": who.last_name,
            "name": who.name,
            "address1": who.street,
            "address2": None,
            "phone": who.phone,
            "city": who.city,
            "zip": who.postcode,
            "province": "England",
            "province_code": "ENG",
            "country": "United Kingdom",
            "country_code": "GB",
        }

    def _order(self, order: Order, at: datetime) -> dict[str, Any]:
        who = person(order.person_key)
        till = order.at_till
        refunds = order.refunds_until(at)
        refunded = sum(order.refund_total(refund) for refund in refunds)
        cancelled = order.cancelled_at is not None and order.cancelled_at <= at
        current = order.total - order.discount - refunded
        # A full refund returns the goods; the delivery is paid back only by a cancellation.
        current_shipping = 0 if cancelled else order.shipping
        customer = order.customer if order.customer is not None else _GUESTS + order.number
        address = {**self._address(order.person_key), "company": None, "latitude": None, "longitude": None}
        token = hashlib.sha256(f"{self.domain}/{order.number}".encode()).hexdigest()[:32]
        return {
            "id": platform_id("Order", order.number),
            "admin_graphql_api_id": gid("Order", order.number),
            "app_id": APP_ID,
            "browser_ip": None if till else who.ip,
            "buyer_accepts_marketing": False,
            "cancel_reason": "customer" if cancelled else None,
            "cancelled_at": stamp(order.cancelled_at) if cancelled and order.cancelled_at else None,
            "cart_token": None if till else f"c{token[1:]}",
            "checkout_token": token,
            "client_details": None if till else _client(who.ip),
            "closed_at": None,
            "confirmation_number": token[:9].upper(),
            "confirmed": True,
            "contact_email": who.email,
            "created_at": stamp(order.placed_at),
            "currency": self._currency,
            "current_shipping_price_set": self._set(current_shipping),
            "current_subtotal_price": decimal(current),
            "current_subtotal_price_set": self._set(current),
            "current_total_additional_fees_set": None,
            "current_total_discounts": decimal(order.discount),
            "current_total_discounts_set": self._set(order.discount),
            "current_total_duties_set": None,
            "current_total_price": decimal(current + current_shipping),
            "current_total_price_set": self._set(current + current_shipping),
            "current_total_tax": "0.00",
            "current_total_tax_set": self._set(0),
            "customer_locale": "en-GB",
            "device_id": "1" if till else None,
            "discount_codes": [],
            "duties_included": False,
            "email": who.email,
            "estimated_taxes": False,
            "financial_status": _financial_status(refunded, order.total - order.discount),
            "fulfillment_status": "fulfilled" if order.fulfilled_at and order.fulfilled_at <= at else None,
            "landing_site": None if till else "/",
            "landing_site_ref": None,
            "location_id": LOCATION_ID if till else None,
            "merchant_business_entity_id": "MTU0ODM4MDAwOQ",
            "merchant_of_record_app_id": None,
            "name": f"#{order.number}",
            "note": None,
            "note_attributes": [],
            "number": order.number - 1000,
            "order_number": order.number,
            "order_status_url": f"https://{self.domain}/548380009/orders/{token}/authenticate?key={token[::-1]}",
            "original_total_additional_fees_set": None,
            "original_total_duties_set": None,
            "payment_gateway_names": ["bogus"],
            "phone": who.phone,
            "po_number": None,
            "presentment_currency": self._currency,
            "processed_at": stamp(order.placed_at),
            "reference": None,
            "referring_site": None if till else "",
            "source_identifier": None,
            "source_name": "pos" if till else "web",
            "source_url": None,
            "subtotal_price": decimal(order.total - order.discount),
            "subtotal_price_set": self._set(order.total - order.discount),
            "tags": "",
            "tax_exempt": False,
            "tax_lines": [],
            "taxes_included": True,
            "test": False,
            "token": token,
            "total_cash_rounding_payment_adjustment_set": self._set(0),
            "total_cash_rounding_refund_adjustment_set": self._set(0),
            "total_discounts": decimal(order.discount),
            "total_discounts_set": self._set(order.discount),
            "total_line_items_price": decimal(order.total),
            "total_line_items_price_set": self._set(order.total),
            "total_outstanding": "0.00",
            "total_price": decimal(order.to_pay),
            "total_price_set": self._set(order.to_pay),
            "total_shipping_price_set": self._set(order.shipping),
            "total_tax": "0.00",
            "total_tax_set": self._set(0),
            "total_tip_received": "0.00",
            "total_weight": 0,
            "updated_at": stamp(order.changed_at(at)),
            "user_id": STAFF_ID if till else None,
            "billing_address": address,
            "customer": self._customer(order.person_key, customer, order.placed_at),
            "discount_applications": [_application(coupon) for coupon in order.coupons],
            "fulfillments": [],
            "line_items": self._lines(order, at),
            "line_item_groups": [],
            "payment_terms": None,
            "refunds": [self._refund(order, place) for place, _ in enumerate(refunds)],
            "returns": [],
            "shipping_address": address,
            "shipping_lines": [self._shipping(order)],
        }

    def _lines(self, order: Order, at: datetime) -> list[dict[str, Any]]:
        shipped = order.fulfilled_at is not None and order.fulfilled_at <= at
        return [
            {
                "id": _line_id("LineItem", order, place),
                "admin_graphql_api_id": f"gid://shopify/LineItem/{_line_id('LineItem', order, place)}",
                "attributed_staffs": [],
                "current_quantity": left,
                "fulfillable_quantity": 0 if shipped else left,
                "fulfillment_service": "manual",
                "fulfillment_status": "fulfilled" if shipped else None,
                **self._line(line),
                "discount_allocations": [
                    {
                        "amount": decimal(coupon.amounts[place]),
                        "amount_set": self._set(coupon.amounts[place]),
                        "discount_application_index": index,
                    }
                    for index, coupon in enumerate(order.coupons)
                    if coupon.amounts[place]
                ],
                "sales_line_item_group_id": None,
            }
            for place, (line, left) in enumerate(zip(order.lines, order.quantities_left(at), strict=True))
        ]

    def _line(self, line: Line) -> dict[str, Any]:
        product = line.product
        return {
            "gift_card": False,
            "grams": 0,
            "name": product.name,
            "price": decimal(product.price),
            "price_set": self._set(product.price),
            "product_exists": True,
            "product_id": platform_id("Product", product.number),
            "properties": [{"name": name, "value": value} for name, value in line.properties],
            "quantity": line.quantity,
            "requires_shipping": True,
            "sku": product.code,
            "taxable": True,
            "title": product.name,
            "total_discount": "0.00",
            "total_discount_set": self._set(0),
            "variant_id": platform_id("ProductVariant", product.number),
            "variant_inventory_management": "shopify",
            "variant_title": None,
            "vendor": self._vendor,
            "tax_lines": [],
            "duties": [],
            "discount_allocations": [],
        }

    def _shipping(self, order: Order) -> dict[str, Any]:
        price = decimal(order.shipping)
        return {
            "id": platform_id("ShippingLine", order.number),
            "carrier_identifier": None,
            "code": "Standard",
            "current_discounted_price_set": self._set(order.shipping),
            "discounted_price": price,
            "discounted_price_set": self._set(order.shipping),
            "is_removed": False,
            "phone": None,
            "price": price,
            "price_set": self._set(order.shipping),
            "requested_fulfillment_service_id": None,
            "source": "shopify",
            "title": "Standard delivery",
            "tax_lines": [],
            "discount_allocations": [],
        }

    def _refund(self, order: Order, place: int) -> dict[str, Any]:
        refund = order.refunds[place]
        number = order.number * _LINES_PER_ORDER + place
        moment = stamp(refund.at)
        cancelled = order.cancelled_at is not None
        return {
            "id": platform_id("Refund", number),
            "order_id": platform_id("Order", order.number),
            "created_at": moment,
            "note": "Order cancelled" if cancelled else "Goods returned",
            "user_id": STAFF_ID,
            "processed_at": moment,
            "duties": [],
            "total_duties_set": self._set(0),
            "return": None,
            "refund_shipping_lines": [],
            "restock": True,
            "admin_graphql_api_id": gid("Refund", number),
            "order_adjustments": [],
            "refund_line_items": [
                self._refund_line(
                    order, refund, place * _LINES_PER_REFUND + index, *pieces, cancelled=cancelled
                )
                for index, pieces in enumerate(refund.pieces)
            ],
            "transactions": [self._refund_payment(order, refund, number)],
        }

    def _refund_line(
        self, order: Order, refund: Refund, index: int, place: int, quantity: int, *, cancelled: bool
    ) -> dict[str, Any]:
        line = order.lines[place]
        line_id = _line_id("LineItem", order, place)
        subtotal = line.product.price * quantity
        shipped = order.fulfilled_at is not None and order.fulfilled_at <= refund.at
        return {
            "id": _line_id("RefundLineItem", order, index),
            "quantity": quantity,
            "line_item_id": line_id,
            "location_id": LOCATION_ID,
            "restock_type": "cancel" if cancelled else "return",
            "subtotal": subtotal / 100,
            "total_tax": 0.0,
            "subtotal_set": self._set(subtotal),
            "total_tax_set": self._set(0),
            "line_item": {
                "id": line_id,
                **self._line(line),
                "fulfillment_service": "manual",
                "fulfillable_quantity": 0,
                "fulfillment_status": "fulfilled" if shipped else None,
                "admin_graphql_api_id": f"gid://shopify/LineItem/{line_id}",
            },
        }

    def _refund_payment(self, order: Order, refund: Refund, number: int) -> dict[str, Any]:
        moment = stamp(refund.at)
        return {
            "id": platform_id("OrderTransaction", number),
            "order_id": platform_id("Order", order.number),
            "kind": "refund",
            "gateway": "bogus",
            "status": "success",
            "message": "Bogus Gateway: Forced success",
            "created_at": moment,
            "test": False,
            "authorization": None,
            "location_id": None,
            "user_id": STAFF_ID,
            "parent_id": None,
            "processed_at": moment,
            "device_id": None,
            "error_code": None,
            "source_name": "1830279",
            "receipt": {},
            "amount": decimal(order.refund_total(refund)),
            "currency": self._currency,
            "payment_id": f"#{order.number}.{number % _LINES_PER_ORDER + 2}",
            "total_unsettled_set": {
                side: {"amount": "0.0", "currency": self._currency}
                for side in ("presentment_money", "shop_money")
            },
            "manual_payment_gateway": False,
            "amount_rounding": None,
            "admin_graphql_api_id": gid("OrderTransaction", number),
        }

    def _cart(self, cart: CartNews) -> dict[str, Any]:
        return {
            "id": cart.token,
            "token": cart.token,
            "line_items": [self._cart_line(line) for line in cart.lines],
            "note": None,
            "updated_at": _cart_stamp(cart.at),
            "created_at": _cart_stamp(cart.created_at),
        }

    def _cart_line(self, line: Line) -> dict[str, Any]:
        product = line.product
        variant_id = platform_id("ProductVariant", product.number)
        price, total = decimal(product.price), decimal(line.total)
        return {
            "id": variant_id,
            "properties": dict(line.properties) or None,
            "quantity": line.quantity,
            "variant_id": variant_id,
            "key": line_key(line),
            "discounted_price": price,
            "discounts": [],
            "gift_card": False,
            "grams": 0,
            "line_price": total,
            "original_line_price": total,
            "original_price": price,
            "price": price,
            "product_id": platform_id("Product", product.number),
            "sku": product.code,
            "taxable": True,
            "title": product.name,
            "total_discount": "0.00",
            "vendor": self._vendor,
            "discounted_price_set": self._set(product.price),
            "line_price_set": self._set(line.total),
            "original_line_price_set": self._set(line.total),
            "price_set": self._set(product.price),
            "total_discount_set": self._set(0),
            "parent_relationship": None,
        }

    def _set(self, pence: int) -> dict[str, Any]:
        money = {"amount": decimal(pence), "currency_code": self._currency}
        return {"shop_money": money, "presentment_money": money}


def line_key(line: Line) -> str:
    """Return the key that names a cart line: its variant and a digest of its properties."""
    variant_id = platform_id("ProductVariant", line.product.number)
    return f"{variant_id}:{hashlib.md5(repr(line.properties).encode(), usedforsecurity=False).hexdigest()}"


def stamp(at: datetime) -> str:
    """Return a moment in the shop's own time, with its offset: ``2026-11-22T10:19:00+01:00``."""
    return at.astimezone(SHOP_TIME).isoformat(timespec="seconds")


def _cart_stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _line_id(kind: str, order: Order, place: int) -> int:
    return platform_id(kind, order.number * _LINES_PER_ORDER + place)


def _application(coupon: OrderCoupon) -> dict[str, Any]:
    """Return an automatic discount as an order names it."""
    return {
        "target_type": "line_item",
        "type": "automatic",
        "value": decimal(sum(coupon.amounts)),
        "value_type": "fixed_amount",
        "allocation_method": "across",
        "target_selection": "entitled",
        "title": coupon.code,
        "description": coupon.code,
    }


def _financial_status(refunded: int, total: int) -> str:
    if refunded == 0:
        return "paid"
    return "refunded" if refunded >= total else "partially_refunded"


def _client(ip: str) -> dict[str, Any]:
    return {
        "accept_language": "en-GB",
        "browser_height": None,
        "browser_ip": ip,
        "browser_width": None,
        "session_hash": None,
        "user_agent": USER_AGENT,
    }
