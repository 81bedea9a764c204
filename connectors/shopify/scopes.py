"""What the app asks a merchant to allow: the least that the work needs, and what each permission is for.

``widgets/shopify/shopify.app.toml`` declares the same scopes to Shopify.
https://shopify.dev/docs/api/usage/access-scopes lists them all.
"""

from collections.abc import Iterable
from typing import Final

# What is required, with the reason a merchant is given.
REQUIRED: Final[dict[str, str]] = {
    "read_products": "to know what can be recommended, at which price",
    "read_inventory": "to recommend nothing that is sold out",
    "read_orders": "to learn from orders, refunds and carts what is bought together",
    "read_customers": "to forget a customer who is deleted, and to know one again who comes back",
    "read_customer_merge": "to know a customer again whom the shop merged with another",
    "write_app_proxy": "to answer under the shop's own address",
}

# What a merchant may allow besides, with what it serves. Each includes the permission to read the same.
OPTIONAL: Final[dict[str, str]] = {
    "write_discounts": "to give the discounts of offers at the checkout",
    "write_products": "to write prices, and to tell the checkout which offers belong to a product",
}
# What offers need, and what prices need.
FOR_OFFERS: Final = ("write_discounts", "write_products")
FOR_PRICES: Final = ("write_products",)

# Shopify grants it to an app on request only, and a merchant may lack it.
ALL_ORDERS: Final = "read_all_orders"

# How far back orders are readable without ALL_ORDERS.
RECENT_ORDERS_DAYS: Final = 60


def parse(scopes: str) -> frozenset[str]:
    """Return the scopes of a list with commas, as tokens and settings carry it."""
    return frozenset(scope.strip() for scope in scopes.split(",") if scope.strip())


def effective(granted: Iterable[str]) -> frozenset[str]:
    """Return ``granted`` with what is implied: who may write may read, and Shopify does not list it again."""
    named = frozenset(granted)
    readable = {f"read_{scope.removeprefix('write_')}" for scope in named if scope.startswith("write_")}
    return named | readable


def missing(granted: Iterable[str]) -> tuple[str, ...]:
    """Return the required scopes that ``granted`` does not cover, in the order of ``REQUIRED``."""
    allowed = effective(granted)
    return tuple(scope for scope in REQUIRED if scope not in allowed)


def to_grant(granted: Iterable[str], needed: Iterable[str]) -> str | None:
    """Return the sentence that asks the merchant for those of ``needed`` that ``granted`` lacks; None if none is."""
    allowed = effective(granted)
    lacking = [scope for scope in needed if scope not in allowed]
    if not lacking:
        return None
    asked = " and ".join(f"{scope} ({OPTIONAL[scope]})" for scope in lacking)
    return f"Pannier may not do this in the shop yet: open Pannier in Shopify's admin and grant {asked}."


def notes(granted: Iterable[str]) -> tuple[str, ...]:
    """Return what the merchant should know about ``granted``, a sentence each; none if all is well."""
    allowed = effective(granted)
    found = [f"The permission {scope} is missing; it serves {REQUIRED[scope]}." for scope in missing(allowed)]
    if ALL_ORDERS not in allowed:
        found.append(
            f"Only the orders of the last {RECENT_ORDERS_DAYS} days are readable, "
            f"since the permission {ALL_ORDERS} is missing: recommendations begin with those."
        )
    return tuple(found)
