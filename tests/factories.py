"""Builders of changes and deliveries: every argument has a default, so that a test names what it is about."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from app.commerce.changes import (
    CartChange,
    CartLineState,
    Channel,
    CustomerChange,
    CustomerDeletion,
    CustomerRef,
    InventoryChange,
    OrderAdjustment,
    OrderChange,
    OrderDeletion,
    OrderLineState,
    OrderStatus,
    ProductChange,
    ProductDeletion,
    ProductStatus,
    VariantChange,
    VariantState,
)
from app.commerce.store import Store, add_store
from app.core.db import db, now
from webhooks.inbox import Incoming
from webhooks.intake import current_intake

BEGIN = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY = 86_400


def at(seconds: float) -> datetime:
    """Return the time so many seconds after the beginning of every test's story."""
    return BEGIN + timedelta(seconds=seconds)


def digest(name: str) -> bytes:
    """Return 32 bytes that stand for ``name``."""
    return hashlib.sha256(name.encode()).digest()


_stores = iter(range(1, 10**9))


def new_store(**settings: float) -> Store:
    """Add and commit a store that no other test or example touches."""
    store, _ = add_store("shopify", f"fresh-{next(_stores)}.myshopify.com", settings=settings)
    db.session.commit()
    return store


def line(
    product: str | None,
    quantity: int = 1,
    *,
    left: int | None = None,
    line_id: str | None = None,
    variant: str | None = None,
    price: int = 1000,
    gift_card: bool = False,
) -> OrderLineState:
    """Return a line of an order; ``left`` is its current quantity."""
    return OrderLineState(
        platform_id=line_id or f"line-{product}",
        product_platform_id=product,
        variant_platform_id=variant,
        quantity=quantity,
        current_quantity=quantity if left is None else left,
        price=price,
        gift_card=gift_card,
    )


def order_change(
    platform_id: str = "order",
    *lines: str | OrderLineState,
    seconds: float = 0,
    placed: float = 0,
    status: OrderStatus = OrderStatus.PLACED,
    channel: Channel = Channel.ONLINE,
    test: bool = False,
    total: int = 2500,
    customer: CustomerRef | None = None,
    cart: str | None = None,
    adjustments: Sequence[str] = (),
    revives: bool = False,
) -> OrderChange:
    """Return the state of an order; a line given as a string is one piece of that product."""
    return OrderChange(
        platform_id=platform_id,
        updated_at=at(seconds),
        placed_at=at(placed),
        status=status,
        channel=channel,
        test=test,
        currency="USD",
        total=total,
        lines=tuple(line(each) if isinstance(each, str) else each for each in lines),
        customer=customer,
        cart_token_hash=digest(cart) if cart else None,
        adjustment_ids=tuple(adjustments),
        revives=revives,
    )


def refund(order: str = "order", number: int = 1, seconds: float = 10, **pieces: int) -> OrderAdjustment:
    """Return a refund that takes ``pieces`` of products out of an order (``p1=1``)."""
    return adjustment(order, f"refund:{number}", seconds, **{name: -count for name, count in pieces.items()})


def adjustment(order: str, adjustment_id: str, seconds: float, **changes: int) -> OrderAdjustment:
    """Return an edit or a refund by the products of the lines that it changes."""
    return OrderAdjustment(
        order_platform_id=order,
        adjustment_id=adjustment_id,
        happened_at=at(seconds),
        lines=tuple((f"line-{product}", change) for product, change in changes.items()),
    )


def order_deletion(platform_id: str = "order", seconds: float = 10) -> OrderDeletion:
    """Return that an order was deleted."""
    return OrderDeletion(platform_id, at(seconds))


def variant_state(
    platform_id: str = "v1",
    *,
    title: str = "One size",
    price: int = 1000,
    stock: int | None = 5,
    sells_when_out: bool = False,
    item: str | None = None,
    position: int = 1,
) -> VariantState:
    """Return the state of a variant."""
    return VariantState(
        platform_id=platform_id,
        title=title,
        price=price,
        stock=stock,
        sells_when_out=sells_when_out,
        inventory_item_id=item,
        position=position,
    )


def product_change(
    platform_id: str = "p1",
    *variants: VariantState,
    seconds: float = 0,
    title: str = "Mug",
    status: ProductStatus = ProductStatus.ACTIVE,
    visible: bool = True,
    price: int | None = 1000,
    tags: Sequence[str] = (),
    gift_card: bool = False,
    available: bool | None = None,
    lists_variants: bool = True,
    variant_ids: Sequence[str] | None = None,
    revives: bool = False,
    cross_sells: Sequence[str] | None = None,
    upsells: Sequence[str] | None = None,
) -> ProductChange:
    """Return the state of a product; without ``lists_variants`` it says at most which they are (``variant_ids``)."""
    names = [v.platform_id for v in variants] if lists_variants else variant_ids
    return ProductChange(
        platform_id=platform_id,
        updated_at=at(seconds),
        title=title,
        status=status,
        visible=visible,
        currency="USD",
        price=price,
        tags=tuple(tags),
        gift_card=gift_card,
        available=available,
        variants=variants if lists_variants else None,
        variant_ids=tuple(sorted(names)) if names is not None else None,
        revives=revives,
        cross_sell_ids=None if cross_sells is None else tuple(cross_sells),
        upsell_ids=None if upsells is None else tuple(upsells),
    )


def variant_change(
    product: str = "p1", variant: VariantState | None = None, *, seconds: float = 0, available: bool = True
) -> VariantChange:
    """Return the state of a variant that arrived on its own."""
    return VariantChange(product, at(seconds), "USD", variant or variant_state(), available)


def product_deletion(platform_id: str = "p1", seconds: float = 10) -> ProductDeletion:
    """Return that a product was deleted."""
    return ProductDeletion(platform_id, at(seconds))


def inventory_change(
    item: str = "i1", available: int = 5, *, location: str = "here", seconds: float = 10
) -> InventoryChange:
    """Return the level of an inventory item at a location."""
    return InventoryChange(item, location, available, at(seconds))


def customer_ref(platform_id: str | None = "c1", email: str | None = "ann@example.com") -> CustomerRef:
    """Return somebody who buys."""
    return CustomerRef(platform_id, digest(email) if email else None)


def customer_change(
    platform_id: str = "c1", email: str | None = "ann@example.com", seconds: float = 0
) -> CustomerChange:
    """Return that a customer exists."""
    return CustomerChange(customer_ref(platform_id, email), at(seconds))


def customer_deletion(platform_id: str = "c1", seconds: float = 10) -> CustomerDeletion:
    """Return that a customer was deleted."""
    return CustomerDeletion(platform_id, at(seconds))


def cart_change(token: str = "cart", *products: str, seconds: float = 0, quantity: int = 1) -> CartChange:
    """Return the state of a cart."""
    lines = tuple(CartLineState(product, None, quantity, 1000) for product in products)
    return CartChange(digest(token), at(seconds), "USD", lines)


# --- deliveries -----------------------------------------------------------------------------------------


def shopify_order(
    number: int, *products: int, seconds: float = 0, status: str = "paid", **fields: Any
) -> dict[str, Any]:
    """Return the body of a Shopify order as the inbox holds it: without personal fields."""
    money = {"shop_money": {"amount": "10.00", "currency_code": "USD"}}
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Order/{number}",
        "created_at": at(0).isoformat(),
        "updated_at": at(seconds).isoformat(),
        "processed_at": at(0).isoformat(),
        "financial_status": status,
        "source_name": "web",
        "test": False,
        "currency": "USD",
        "total_price_set": money,
        "line_items": [
            {"id": number * 1000 + place, "product_id": product, "quantity": 1, "price_set": money}
            for place, product in enumerate(products)
        ],
        "refunds": [],
        **fields,
    }


def shopify_product(number: int, *, title: str = "Mug", seconds: float = 0, stock: int = 5) -> dict[str, Any]:
    """Return the body of a Shopify product with one variant."""
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Product/{number}",
        "title": title,
        "handle": f"product-{number}",
        "status": "active",
        "published_at": at(0).isoformat(),
        "updated_at": at(seconds).isoformat(),
        "variants": [{"id": number * 10, "price": "10.00", "inventory_quantity": stock, "position": 1}],
    }


def keep(delivery: Incoming) -> None:
    """Write a delivery to the current application's inbox."""
    current_intake().inbox.write(delivery.row())


def incoming(
    store_id: int,
    topic: str = "orders/create",
    body: Any = None,
    *,
    key: str | None = None,
    received: datetime | None = None,
    quarantine: str | None = None,
) -> Incoming:
    """Return a delivery as the route hands it to the inbox."""
    raw = orjson.dumps(shopify_order(1, 1, 2) if body is None else body)
    return Incoming(
        store_id=store_id,
        topic=topic,
        dedupe_key=key or hashlib.sha256(topic.encode() + raw).hexdigest(),
        event_id=None,
        api_version="2026-07",
        triggered_at=None,
        received_at=received or at(0),
        body=raw,
        raw=raw,
        quarantine=quarantine,
    )


def connected(**changes: Any) -> Store:
    """Add a store that is connected, with some columns changed."""
    store = new_store()
    store.connected_at = now()
    for name, value in changes.items():
        setattr(store, name, value)
    db.session.commit()
    return store
