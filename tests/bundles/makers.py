"""Builders of offers and of what a shop has: every argument has a default, so that a test names what it is about."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.bundles.evidence import Evidence
from app.bundles.wares import Kind, Ware
from app.commerce.offers import Component, Discount, DiscountKind, Terms

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def kind(
    variant_id: str = "v",
    price: int = 1000,
    cost: int | None = 400,
    stock: int | None = 50,
    buyable: bool = True,
) -> Kind:
    """Return a variant."""
    return Kind(variant_id, price, cost, stock, buyable)


def ware(product_id: str = "a", *kinds: Kind, **changes: Any) -> Ware:
    """Return a product; without ``kinds`` it has one."""
    fields: dict[str, Any] = {
        "title": f"Title {product_id}",
        "category": None,
        "tags": frozenset(),
        "sold": True,
        "available": True,
        "currency": "EUR",
    }
    return Ware(product_id, kinds=kinds or (kind(f"{product_id}-v"),), **{**fields, **changes})


def wares(*each: Ware) -> dict[str, Ware]:
    """Return products by id."""
    return {one.product_id: one for one in each}


def terms(
    *products: str,
    discounted: Sequence[str] | None = None,
    percent: int | None = 1000,
    amount: int | None = None,
    **changes: Any,
) -> Terms:
    """Return an offer on products ``a`` and ``b`` unless others are named; on all unless ``discounted`` says which."""
    named = products or ("a", "b")
    discount = (
        Discount(DiscountKind.PERCENT, percent or 0)
        if amount is None
        else Discount(DiscountKind.AMOUNT, amount)
    )
    fields: dict[str, Any] = {
        "key": "o_test",
        "title": "Together",
        "components": tuple(Component(product) for product in named),
        "discounted": tuple(discounted or named),
        "discount": discount,
        "currency": "EUR",
        "starts_at": NOON,
        "ends_at": None,
    }
    return Terms(**{**fields, **changes})


def evidence(
    *products: str, orders: int = 30, anchor_orders: int = 100, days: float = 30, lift: float = 3.0
) -> Evidence:
    """Return that products stand in one order so often."""
    return Evidence(products or ("a", "b"), orders, anchor_orders, lift, 40.0, days)
