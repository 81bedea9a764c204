"""What the bodies of Shopify's webhooks mean in the shared commerce model.

Every public function takes a redacted body and what is known about its delivery, and raises PayloadError
where the body does not have the shape that the topic promises. Prices are in the shop's currency
(``shop_money``), whatever the shopper paid in.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from app.commerce.changes import (
    CartChange,
    CartLineState,
    Change,
    Channel,
    CustomerChange,
    CustomerDeletion,
    CustomerMerge,
    CustomerRef,
    InventoryChange,
    OrderAdjustment,
    OrderChange,
    OrderDeletion,
    OrderLineState,
    OrderStatus,
    PrivacyRequest,
    PrivacyRequestKind,
    ProductChange,
    ProductDeletion,
    ProductStatus,
    StoreUninstalled,
    VariantChange,
    VariantState,
)
from connectors.base import DeliveryContext, PayloadError, Translation, chosen, minor, web_address
from connectors.fields import read
from connectors.shopify import schemas

_PRODUCT_STATUS: Final = {
    "active": ProductStatus.ACTIVE,
    "unlisted": ProductStatus.ACTIVE,  # on sale to whoever has the link, but never to be recommended
    "draft": ProductStatus.DRAFT,
    "archived": ProductStatus.ARCHIVED,
}
# A sale whatever the money does: a bank transfer or cash on delivery stays pending for days.
_NO_SALE: Final = {
    "refunded": OrderStatus.REFUNDED,
    "voided": OrderStatus.CANCELLED,
    "expired": OrderStatus.FAILED,
}
_CHANNELS: Final = {
    "web": Channel.ONLINE,
    "pos": Channel.POS,
    "shopify_draft_order": Channel.STAFF,
}
_MERGED: Final = "completed"
_TAGS_LIMIT: Final = 250
# A product message has at most this many variants in full; a full list may be cut off.
_VARIANTS_LISTED: Final = 100
# What only a whole order, cart or product has. A body with one of them under another topic is a forgery:
# the topic stands in a header that nobody signs.
_WHOLE_RESOURCE: Final = ("line_items", "variants", "order_edit", "refund_line_items")


def order(body: Any, _context: DeliveryContext) -> Translation:
    """Return the state of an order: orders/create, updated, cancelled, paid, fulfilled."""
    data = read(schemas.ORDER, body)
    currency = data["currency"]
    return _meaning(
        OrderChange(
            platform_id=_own_id(data),
            updated_at=data["updated_at"],
            placed_at=data.get("processed_at") or data["created_at"],
            status=_order_status(data),
            channel=_channel(data),
            test=bool(data.get("test")),
            currency=currency,
            total=minor(data["total_price_set"], currency),
            lines=tuple(_order_lines(data, currency)),
            customer=_buyer(data),
            customer_known=not data.get("guest_unnamed"),
            cart_token_hash=data.get("cart_token_hash"),
            adjustment_ids=tuple(f"refund:{_own_id(refund)}" for refund in data.get("refunds") or ()),
        )
    )


def refund(body: Any, _context: DeliveryContext) -> Translation:
    """Return the pieces that a refund takes out of an order; none where only money went back."""
    data = read(schemas.REFUND, body)
    pieces = (
        (_own_id(line["line_item"]) if line.get("line_item") else line["line_item_id"], -line["quantity"])
        for line in data["refund_line_items"]
    )
    return _meaning(
        OrderAdjustment(
            order_platform_id=data["order_id"],
            adjustment_id=f"refund:{_own_id(data)}",
            happened_at=data.get("processed_at") or data["created_at"],
            lines=_summed(pieces),
        )
    )


def order_edit(body: Any, _context: DeliveryContext) -> Translation:
    """Return the pieces that the merchant put into or took out of an order's existing lines.

    Lines that the edit added are unknown until the order's own message describes them.
    """
    data = read(schemas.ORDER_EDITED, body)["order_edit"]
    deltas = data["line_items"]
    added = ((line["id"], line["delta"]) for line in deltas["additions"])
    removed = ((line["id"], -line["delta"]) for line in deltas["removals"])
    return _meaning(
        OrderAdjustment(
            order_platform_id=data["order_id"],
            adjustment_id=f"edit:{data['id']}",
            happened_at=data.get("committed_at") or data["created_at"],
            lines=_summed((*added, *removed)),
        )
    )


def order_deletion(body: Any, context: DeliveryContext) -> Translation:
    """Return that an order is gone."""
    return _meaning(OrderDeletion(_deleted_id(body), context.happened_at))


def product(body: Any, context: DeliveryContext) -> Translation:
    """Return the state of a product with its variants.

    Only the first 100 variants are in the body. Where there are more, each is a change of its own, so
    that the absent ones do not count as deleted.
    """
    data = read(schemas.PRODUCT, body)
    platform_id = _own_id(data)
    status = _PRODUCT_STATUS.get(data["status"].lower(), ProductStatus.DRAFT)
    images = {image["id"]: image.get("src") for image in data.get("images") or ()}
    variants = tuple(_variant(variant, images, context.currency) for variant in data["variants"])
    cheapest = min(variants, key=lambda variant: variant.price, default=None)
    listed_whole = len(data.get("variant_gids") or ()) <= len(variants)
    state = ProductChange(
        platform_id=platform_id,
        updated_at=data["updated_at"],
        title=data["title"],
        status=status,
        visible=data.get("published_at") is not None and data["status"].lower() != "unlisted",
        currency=context.currency,
        price=cheapest.price if cheapest else None,
        url=f"/products/{quote(data['handle'], safe='')}" if data.get("handle") else None,
        image_url=web_address((data.get("image") or {}).get("src")) or _first_address(images.values()),
        category=(data.get("category") or {}).get("full_name") or data.get("product_type") or None,
        vendor=data.get("vendor") or None,
        tags=_tags(data.get("tags") or ""),
        gift_card=_is_gift_card(data),
        compare_at_price=cheapest.compare_at_price if cheapest else None,
        variants=variants if listed_whole else None,
        variant_ids=_all_variants(data, variants),
        cross_sell_ids=chosen(data.get("complementary_products"), platform_id),
        upsell_ids=chosen(data.get("related_products"), platform_id),
    )
    return _meaning(state, *(() if listed_whole else (_alone(variant, state) for variant in variants)))


def _all_variants(data: dict[str, Any], variants: Sequence[VariantState]) -> tuple[str, ...] | None:
    """Return the ids of all variants of a product, None where the body may name only some.

    ``variant_gids`` names all, ``variants`` the first 100: https://shopify.dev/docs/api/webhooks/latest.
    """
    stated = {variant["admin_graphql_api_id"] for variant in data.get("variant_gids") or ()}
    listed = {variant.platform_id for variant in variants}
    if not stated:
        return tuple(sorted(listed)) if len(listed) < _VARIANTS_LISTED else None
    return tuple(sorted(stated)) if listed <= stated and "" not in stated else None


def product_deletion(body: Any, context: DeliveryContext) -> Translation:
    """Return that a product is gone."""
    return _meaning(ProductDeletion(_deleted_id(body), context.happened_at))


def inventory_level(body: Any, _context: DeliveryContext) -> Translation:
    """Return how many pieces a location has to sell; nothing where the shop does not count them there."""
    data = read(schemas.INVENTORY_LEVEL, body)
    if data["available"] is None:
        return Translation(set_aside="stock_not_counted")
    return _meaning(
        InventoryChange(
            inventory_item_id=data["inventory_item_id"],
            location_id=data["location_id"],
            available=data["available"],
            updated_at=data["updated_at"],
        )
    )


def cart(body: Any, context: DeliveryContext) -> Translation:
    """Return the state of a cart of the online store."""
    data = read(schemas.CART, body)
    lines = tuple(
        CartLineState(
            product_platform_id=line["product_id"],
            variant_platform_id=line.get("variant_id"),
            quantity=line["quantity"],
            price=minor(line["price_set"], context.currency),
        )
        for line in data["line_items"]
        if line.get("product_id") and line["quantity"]
    )
    return _meaning(CartChange(data["cart_token_hash"], data["updated_at"], context.currency, lines))


def customer(body: Any, context: DeliveryContext) -> Translation:
    """Return that a customer exists or changed."""
    _refuse_whole_resource(body)
    data = read(schemas.CUSTOMER, body)
    who = CustomerRef(_own_id(data), data.get("identity_hash"))
    return _meaning(CustomerChange(who, data.get("updated_at") or context.happened_at))


def customer_deletion(body: Any, context: DeliveryContext) -> Translation:
    """Return that a customer is gone."""
    return _meaning(CustomerDeletion(_deleted_id(body), context.happened_at))


def customer_merge(body: Any, context: DeliveryContext) -> Translation:
    """Return that two customers are one; nothing where Shopify is still at it, or failed.

    Shopify says how it went in ``status``, with the words of ``CustomerMergeRequestStatus``.
    """
    data = read(schemas.CUSTOMER_MERGE, body)
    kept, merged = (data[f"admin_graphql_api_customer_{which}_id"] for which in ("kept", "deleted"))
    if not kept or not merged or kept == merged:
        raise PayloadError("admin_graphql_api_customer_kept_id: Not two customers.")
    if data["status"].lower() != _MERGED:
        return Translation(set_aside="merge_not_completed")
    return _meaning(CustomerMerge(kept, merged, context.happened_at))


def uninstalled(body: Any, context: DeliveryContext) -> Translation:
    """Return that the merchant removed the app."""
    read(schemas.SHOP, body)
    return _meaning(StoreUninstalled(context.happened_at))


def data_request(body: Any, context: DeliveryContext) -> Translation:
    """Return a customer's request to see the data held about them."""
    data = read(schemas.DATA_REQUEST, body)
    return _meaning(
        PrivacyRequest(
            kind=PrivacyRequestKind.DATA_REQUEST,
            request_id=f"data_request:{data['data_request']['id']}",
            requested_at=context.happened_at,
            customer=_person_concerned(data["customer"]),
            orders=tuple(data.get("orders_requested") or ()),
        )
    )


def customer_redaction(body: Any, context: DeliveryContext) -> Translation:
    """Return the order to erase a customer."""
    data = read(schemas.CUSTOMER_REDACT, body)
    who = _person_concerned(data["customer"])
    orders = tuple(data["orders_to_redact"] or ())
    identity = who.identity_hash.hex() if who.identity_hash else ""
    return _meaning(
        PrivacyRequest(
            kind=PrivacyRequestKind.REDACT_CUSTOMER,
            request_id=_request_id(
                context, data["shop_id"], who.platform_id or "", identity, *sorted(orders)
            ),
            requested_at=context.happened_at,
            customer=who,
            orders=orders,
        )
    )


def store_redaction(body: Any, context: DeliveryContext) -> Translation:
    """Return the order to erase a whole store."""
    data = read(schemas.SHOP_REDACT, body)
    if "customer" in body:
        raise PayloadError("customer: Not in a request about the whole shop.")
    return _meaning(
        PrivacyRequest(
            kind=PrivacyRequestKind.REDACT_STORE,
            request_id=_request_id(context, data["shop_id"]),
            requested_at=context.happened_at,
        )
    )


def _meaning(*changes: Change) -> Translation:
    """Return ``changes`` as the meaning of a delivery."""
    return Translation(changes)


def _own_id(data: dict[str, Any]) -> str:
    """Return an object's id, from its global id where it has one."""
    return data.get("admin_graphql_api_id") or str(data["id"])


def _deleted_id(body: Any) -> str:
    """Return the id of what was deleted."""
    _refuse_whole_resource(body)
    return _own_id(read(schemas.DELETED, body))


def _refuse_whole_resource(body: Any) -> None:
    """Refuse the body of another topic, which would pass where hardly more than an id is read."""
    for name in _WHOLE_RESOURCE:
        if isinstance(body, dict) and name in body:
            raise PayloadError(f"{name}: Not in a body of this topic.")


def _order_status(data: dict[str, Any]) -> OrderStatus:
    """Return the stage of an order. What ended it outweighs what was done before."""
    if data.get("cancelled_at"):
        return OrderStatus.CANCELLED
    no_sale = _NO_SALE.get(data.get("financial_status") or "")
    if no_sale:
        return no_sale
    return OrderStatus.COMPLETED if data.get("fulfillment_status") == "fulfilled" else OrderStatus.PLACED


def _channel(data: dict[str, Any]) -> Channel:
    """Return where an order was placed.

    Sales channels of other apps put their number into ``source_name``; a cart's token tells that it
    was a cart of the online store after all.
    """
    known = _CHANNELS.get(data.get("source_name") or "")
    if known:
        return known
    return Channel.ONLINE if data.get("cart_token_hash") else Channel.OTHER


def _order_lines(data: dict[str, Any], currency: str) -> Iterator[OrderLineState]:
    """Yield the lines of an order, with every bundle as one product.

    The parts of a bundle are bought together because they are sold together: to learn from it would
    be to learn the merchant's own offer. The first part stands for the bundle, the others for no
    product.
    """
    bundles = {group["id"]: group for group in data.get("line_item_groups") or ()}
    seen: set[str] = set()
    for line in data["line_items"]:
        product_id, variant_id = line.get("product_id"), line.get("variant_id")
        bundle_id = line.get("sales_line_item_group_id")
        if bundle_id:
            bundle = bundles.get(bundle_id) or {}
            if bundle_id in seen:
                product_id = variant_id = None
            elif bundle.get("product_id"):
                product_id, variant_id = bundle["product_id"], bundle.get("variant_id")
            seen.add(bundle_id)
        state = _order_line(line, product_id, variant_id, currency)
        taxes = line.get("tax_lines") if data.get("taxes_included") else None
        yield replace(state, tax_included=minor(taxes, currency)) if taxes else state


def _order_line(
    line: dict[str, Any], product_id: str | None, variant_id: str | None, currency: str
) -> OrderLineState:
    """Return one line of an order as a sale of ``product_id``."""
    quantity = line["quantity"]
    current = line.get("current_quantity")
    return OrderLineState(
        platform_id=_own_id(line),
        product_platform_id=product_id,
        variant_platform_id=variant_id,
        quantity=quantity,
        current_quantity=quantity if current is None else current,
        price=minor(line["price_set"], currency),
        discount=minor(_discount(line), currency),
        gift_card=bool(line.get("gift_card")),
    )


def _discount(line: dict[str, Any]) -> Decimal:
    """Return what all discounts take off a line.

    The allocations hold the line's share of discounts on the whole order too; ``total_discount`` does not.
    """
    return line.get("discount_allocations") or line.get("total_discount_set") or Decimal()


def _buyer(data: dict[str, Any]) -> CustomerRef | None:
    """Return who placed an order, None where nothing is known."""
    account = data.get("customer")
    identity = data.get("identity_hash")
    if account:
        return CustomerRef(_own_id(account), account.get("identity_hash") or identity)
    return CustomerRef(None, identity) if identity else None


def _person_concerned(data: dict[str, Any]) -> CustomerRef:
    """Return whom a compliance request is about; some customer records hold only the e-mail address."""
    return CustomerRef(data.get("id"), data.get("identity_hash"))


def _summed(pieces: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Return the pieces per line, where a line may be named twice; lines without a change are left out."""
    total: Counter[str] = Counter()
    for line_id, change in pieces:
        total[line_id] += change
    return tuple((line_id, change) for line_id, change in total.items() if change)


def _variant(data: dict[str, Any], images: dict[str, str | None], currency: str) -> VariantState:
    """Return the state of one variant.

    Its stock is believed unless the message says that the shop does not count it. Recent versions leave
    that out: then a variant which is not counted looks sold out, and is rather withheld than
    recommended while nobody can buy it.
    """
    counted = "inventory_management" not in data or bool(data["inventory_management"])
    price = minor(data["price"], currency)
    before, cost = data.get("compare_at_price"), data.get("unit_cost")
    compare_at = minor(before, currency) if before is not None else None
    return VariantState(
        platform_id=_own_id(data),
        title=data.get("title") or "",
        price=price,
        compare_at_price=compare_at if compare_at is not None and compare_at > price else None,
        sku=data.get("sku") or None,
        stock=data.get("inventory_quantity") if counted else None,
        sells_when_out=data.get("inventory_policy") == "continue",
        inventory_item_id=data.get("inventory_item_id"),
        position=data.get("position") or 0,
        image_url=web_address(images.get(data.get("image_id") or "")),
        cost=minor(cost, currency) if cost is not None else None,
    )


def _alone(variant: VariantState, of: ProductChange) -> VariantChange:
    """Return one variant as a change of its own."""
    available = variant.stock is None or variant.stock > 0 or variant.sells_when_out
    return VariantChange(of.platform_id, of.updated_at, of.currency, variant, available)


def _is_gift_card(data: dict[str, Any]) -> bool:
    """Return whether a product is a gift card: by Shopify's taxonomy, or by who fulfils it."""
    category = (data.get("category") or {}).get("full_name") or ""
    by_taxonomy = category.partition(" > ")[0] == "Gift Cards"
    return by_taxonomy or any(v.get("fulfillment_service") == "gift_card" for v in data["variants"])


def _tags(text: str) -> tuple[str, ...]:
    """Return the tags out of ``a, b``."""
    return tuple(tag for tag in map(str.strip, text.split(",")) if tag)[:_TAGS_LIMIT]


def _first_address(addresses: Iterable[str | None]) -> str | None:
    """Return the first web address among ``addresses``."""
    return next((address for address in addresses if web_address(address)), None)


def _request_id(context: DeliveryContext, *identity: str) -> str:
    """Return the id of a privacy request that has none of its own.

    The day belongs to it: a retry is the same request, but who asks again next year, or a store that is
    installed and removed a second time, must not be taken for one.
    """
    day = context.happened_at.astimezone(UTC).date().isoformat()
    return sha256("\n".join((context.topic, day, *identity)).encode()).hexdigest()
