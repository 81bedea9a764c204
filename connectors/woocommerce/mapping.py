"""What the bodies of WooCommerce's webhooks mean in the shared commerce model.

Every public function takes a redacted body and what is known about its delivery, and raises PayloadError
where the body does not have the shape that the topic promises. A body shows the resource as it was when
WooCommerce sent the message, not when the event happened: "created" and "updated" mean the same.
"""

import hashlib
import html
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from app.commerce.changes import (
    CartChange,
    CartLineState,
    Change,
    Channel,
    CustomerChange,
    CustomerDeletion,
    CustomerRef,
    OrderChange,
    OrderDeletion,
    OrderLineState,
    OrderStatus,
    PrivacyRequest,
    PrivacyRequestKind,
    ProductChange,
    ProductDeletion,
    ProductStatus,
    VariantChange,
    VariantState,
)
from connectors.base import DeliveryContext, PayloadError, Translation, chosen, minor, web_address
from connectors.fields import read
from connectors.woocommerce import schemas

_ORDER_STATUS: Final = {
    "pending": OrderStatus.PENDING,
    # Waits for a bank transfer: the goods are reserved, the shopper has decided.
    "on-hold": OrderStatus.PLACED,
    "processing": OrderStatus.PLACED,
    "completed": OrderStatus.COMPLETED,
    "cancelled": OrderStatus.CANCELLED,
    "refunded": OrderStatus.REFUNDED,
    "failed": OrderStatus.FAILED,
}
# Where an order was a draft while the shopper filled in the page.
_BLOCK_CHECKOUT: Final = "store-api"
_CHANNELS: Final = {
    "checkout": Channel.ONLINE,
    "store-api": Channel.ONLINE,
    "admin": Channel.STAFF,
}
_POS_WORDS: Final = frozenset({"pos", "openpos"})
# Nothing that one click could put into the cart: sold elsewhere, or a page of other products.
_NOT_FOR_THE_CART: Final = frozenset({"external", "grouped"})
_TAGS_LIMIT: Final = 250
# Between two seconds: WooCommerce's own times have whole ones.
_A_LITTLE: Final = timedelta(microseconds=1)


def order(body: Any, context: DeliveryContext, *, revives: bool = False) -> Translation:
    """Return the state of an order; ``revives`` where it was taken back out of the bin."""
    data = read(schemas.ORDER, body)
    status = data["status"]
    if status == "auto-draft":
        return Translation(set_aside="checkout_draft")
    updated_at = _updated_at(data, context)
    if status == "checkout-draft":
        return _meaning(_checkout(data, updated_at))
    if status == "trash":
        return _meaning(OrderDeletion(data["id"], updated_at))
    currency = data["currency"]
    refunds = data.get("refunds") or []
    returned = _returned(refunds)
    change = OrderChange(
        platform_id=data["id"],
        # Of the same state without and with the refunds' lines, the one that has them is to stand.
        updated_at=updated_at + _A_LITTLE if _has_lines(refunds) else updated_at,
        placed_at=data.get("date_created_gmt") or updated_at,
        status=_order_status(data),
        channel=_channel(data.get("created_via") or ""),
        test=False,
        currency=currency,
        total=minor(data["total"] or Decimal(), currency),
        lines=tuple(
            _order_line(line, data["prices_include_tax"], currency, returned[line["id"]])
            for line in data["line_items"]
        ),
        customer=_buyer(data),
        cart_token_hash=_cart_token(data),
        adjustment_ids=tuple(f"refund:{refund['id']}" for refund in refunds),
        revives=revives,
    )
    if data.get("erased"):
        return _meaning(change, _erasure(data["id"], updated_at))
    return _meaning(change)


def restored_order(body: Any, context: DeliveryContext) -> Translation:
    """Return the state of an order that was taken back out of the bin."""
    return order(body, context, revives=True)


def order_deletion(body: Any, context: DeliveryContext) -> Translation:
    """Return that an order was put into the bin."""
    return _meaning(OrderDeletion(_deleted_id(body), context.happened_at))


def product(body: Any, context: DeliveryContext, *, revives: bool = False) -> Translation:
    """Return the state of a product or, as variations come under the same topics, of a variant."""
    data = read(schemas.PRODUCT, body)
    if data["type"] == "variation":
        return _meaning(_variant_change(data, context))
    if data["status"] == "trash":
        return _meaning(ProductDeletion(data["id"], _updated_at(data, context)))
    return _meaning(_product_change(data, context, revives))


def restored_product(body: Any, context: DeliveryContext) -> Translation:
    """Return the state of a product that was taken back out of the bin."""
    return product(body, context, revives=True)


def product_deletion(body: Any, context: DeliveryContext) -> Translation:
    """Return that a product was put into the bin.

    WooCommerce sends this for any page, post or coupon in the bin, with that one's id. WordPress numbers
    them all in one row, so the id is then no product's and nothing happens.
    """
    return _meaning(ProductDeletion(_deleted_id(body), context.happened_at))


def customer(body: Any, context: DeliveryContext) -> Translation:
    """Return that a customer exists or changed; staff and other users are set aside."""
    data = read(schemas.CUSTOMER, body)
    if data["role"] != "customer":
        return Translation(set_aside="not_a_customer")
    who = CustomerRef(data["id"], data.get("identity_hash"))
    return _meaning(CustomerChange(who, _updated_at(data, context)))


def customer_deletion(body: Any, context: DeliveryContext) -> Translation:
    """Return that a customer is gone."""
    return _meaning(CustomerDeletion(_deleted_id(body), context.happened_at))


def _meaning(*changes: Change) -> Translation:
    """Return ``changes`` as the meaning of a delivery."""
    return Translation(changes)


def _price(amount: Decimal | None, currency: str) -> int | None:
    """Return a price in minor units, None for none."""
    return None if amount is None else minor(amount, currency)


def _updated_at(data: dict[str, Any], context: DeliveryContext) -> datetime:
    """Return the shop's own time of this state; a resource that was never saved has none."""
    moment: datetime | None = data.get("date_modified_gmt") or data.get("date_created_gmt")
    return moment or context.happened_at


def _deleted_id(body: Any) -> str:
    """Return the id of what was deleted.

    The body of a deletion is an id and nothing else. That it is so keeps anybody from deleting an order
    by sending its own signed body again under another topic.
    """
    deleted_id: str = read(schemas.DELETED, body)["id"]
    if len(body) > 1:
        raise PayloadError("body: More than the id of what was deleted.")
    return deleted_id


def _order_status(data: dict[str, Any]) -> OrderStatus:
    """Return the stage of an order. Of a status that a plug-in invented, only payment tells anything."""
    known = _ORDER_STATUS.get(data["status"])
    return known or (OrderStatus.PLACED if data.get("date_paid_gmt") else OrderStatus.PENDING)


def _channel(created_via: str) -> Channel:
    """Return where an order was placed. Tills send theirs over REST and name themselves, or do not."""
    if not _POS_WORDS.isdisjoint(re.split(r"[^a-z]+", created_via.lower())):
        return Channel.POS
    return _CHANNELS.get(created_via, Channel.OTHER)


def _has_lines(refunds: list[dict[str, Any]]) -> bool:
    """Return whether there are refunds and the lines of all are known. A webhook never has them."""
    return bool(refunds) and all(refund.get("line_items") is not None for refund in refunds)


def _returned(refunds: list[dict[str, Any]]) -> Counter[str]:
    """Return how many pieces refunds took off each line, by the line's id."""
    pieces: Counter[str] = Counter()
    for refund in refunds:
        for line in refund.get("line_items") or ():
            pieces[line["refunded_item_id"]] += line["quantity"]
    return pieces


def _checkout(data: dict[str, Any], updated_at: datetime) -> CartChange:
    """Return the cart of a checkout page that was opened: the block checkout keeps it as an order of its own.

    The order that may follow has the same id, so that the two are known to belong together.
    """
    currency = data["currency"]
    return CartChange(
        data.get("cart_token_hash") or _checkout_token(data["id"]),
        updated_at,
        currency,
        tuple(
            CartLineState(
                line["product_id"],
                line.get("variation_id"),
                line["quantity"],
                _order_line(line, data["prices_include_tax"], currency, 0).price,
            )
            for line in data["line_items"]
            if line.get("product_id") and line["quantity"] and not line.get("in_bundle")
        ),
    )


def _cart_token(data: dict[str, Any]) -> bytes | None:
    """Return which cart became this order: the one that the browser reported, else the block checkout's draft."""
    reported: bytes | None = data.get("cart_token_hash")
    if reported is None and data.get("created_via") == _BLOCK_CHECKOUT:
        return _checkout_token(data["id"])
    return reported


def _checkout_token(order_id: str) -> bytes:
    return hashlib.sha256(f"checkout:{order_id}".encode()).digest()


def _order_line(line: dict[str, Any], with_tax: bool, currency: str, returned: int) -> OrderLineState:
    """Return one line of an order, at prices as the shop shows them, after ``returned`` pieces came back.

    A part of a bundle is bought together with the rest because it is sold together: it counts for no
    product.
    """
    before, after = line["subtotal"] or Decimal(), line["total"] or Decimal()
    if with_tax:
        before += line.get("subtotal_tax") or Decimal()
        after += line.get("total_tax") or Decimal()
    quantity = line["quantity"]
    counts = not line.get("in_bundle")
    return OrderLineState(
        platform_id=line["id"],
        product_platform_id=line.get("product_id") if counts else None,
        variant_platform_id=line.get("variation_id") if counts else None,
        quantity=quantity,
        current_quantity=max(0, quantity - returned),
        price=minor(before / max(quantity, 1), currency),
        discount=max(0, minor(before - after, currency)),
        tax_included=max(0, minor(line.get("total_tax") or Decimal(), currency)) if with_tax else 0,
    )


def _buyer(data: dict[str, Any]) -> CustomerRef | None:
    """Return who placed an order, None where nothing is known or may be known any more."""
    customer_id, identity = data.get("customer_id"), data.get("identity_hash")
    if data.get("erased") or not (customer_id or identity):
        return None
    return CustomerRef(customer_id, identity)


def _erasure(order_id: str, erased_at: datetime) -> PrivacyRequest:
    """Return that the shop erased the buyer of an order, and we have to."""
    return PrivacyRequest(
        kind=PrivacyRequestKind.REDACT_CUSTOMER,
        request_id=f"erased_order:{order_id}",
        requested_at=erased_at,
        orders=(order_id,),
    )


def _product_change(data: dict[str, Any], context: DeliveryContext, revives: bool) -> ProductChange:
    """Return the state of a product. Its variations arrive on their own."""
    variable = bool(data.get("variations")) or data["type"].startswith("variable")
    price, compare_at_price = _prices(data, context.currency)
    return ProductChange(
        platform_id=data["id"],
        updated_at=_updated_at(data, context),
        title=html.unescape(data["name"]),
        status=ProductStatus.ACTIVE if data["status"] == "publish" else ProductStatus.DRAFT,
        visible=data.get("catalog_visibility") != "hidden" and not data.get("password_protected"),
        currency=context.currency,
        price=price,
        url=web_address(data.get("permalink")),
        image_url=_first_image(data),
        category=_first_name(
            term for term in data.get("categories") or () if term.get("slug") != "uncategorized"
        ),
        vendor=_first_name(data.get("brands") or ()),
        tags=tuple(html.unescape(tag["name"]) for tag in data.get("tags") or ())[:_TAGS_LIMIT],
        available=_in_stock(data) and data["type"] not in _NOT_FOR_THE_CART,
        compare_at_price=compare_at_price,
        variants=None if variable else (),
        variant_ids=_all_variations(data) if variable else (),
        revives=revives,
        cross_sell_ids=chosen(data.get("cross_sell_ids"), data["id"]),
        upsell_ids=chosen(data.get("upsell_ids"), data["id"]),
        cost=_cost(data, context.currency),
    )


def _all_variations(data: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the ids of all variations, None where the body does not name them.

    A variation that was deleted sends no message of its own: its product's next state lacks it.
    """
    variations = data.get("variations")
    return None if variations is None else tuple(sorted(set(variations)))


def _variant_change(data: dict[str, Any], context: DeliveryContext) -> VariantChange:
    """Return the state of one variation. Switched off by the merchant, it has the status "private"."""
    product_id = data.get("parent_id")
    if not product_id:
        raise PayloadError("parent_id: Missing from a variation.")
    price, compare_at_price = _prices(data, context.currency)
    options = [html.unescape(attribute.get("option") or "") for attribute in data.get("attributes") or ()]
    return VariantChange(
        product_platform_id=product_id,
        updated_at=_updated_at(data, context),
        currency=context.currency,
        variant=VariantState(
            platform_id=data["id"],
            title=" / ".join(filter(None, options)) or html.unescape(data["name"]),
            price=price or 0,
            compare_at_price=compare_at_price,
            sku=data.get("sku") or None,
            stock=data.get("stock_quantity") if data["manage_stock"] else None,
            sells_when_out=bool(data.get("backorders_allowed")),
            position=data.get("menu_order") or 0,
            image_url=_first_image(data),
            cost=_cost(data, context.currency),
        ),
        available=_in_stock(data) and data["status"] == "publish" and price is not None,
    )


def _in_stock(data: dict[str, Any]) -> bool:
    """Return whether the shop sells it now, on back-order too."""
    return bool(data["purchasable"]) and data["stock_status"] in ("instock", "onbackorder")


def _prices(data: dict[str, Any], currency: str) -> tuple[int | None, int | None]:
    """Return the price, and the higher one that it is compared with during a sale."""
    price, regular = _price(data["price"], currency), _price(data.get("regular_price"), currency)
    on_sale = data.get("on_sale") and price is not None and regular is not None and regular > price
    return price, regular if on_sale else None


def _cost(data: dict[str, Any], currency: str) -> int | None:
    """Return what a piece costs the merchant, None where the shop does not keep it: 0 is what nobody entered."""
    value = (data.get("cost_of_goods_sold") or {}).get("total_value")
    return _price(value, currency) if value else None


def _first_name(terms: Iterable[dict[str, Any]]) -> str | None:
    """Return the name of the first category or brand. WordPress stores names with HTML entities."""
    return next((html.unescape(term["name"]) for term in terms if term["name"]), None)


def _first_image(data: dict[str, Any]) -> str | None:
    """Return the address of the main picture."""
    return next((src for image in data.get("images") or () if (src := web_address(image.get("src")))), None)
