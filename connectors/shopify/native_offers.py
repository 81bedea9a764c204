"""Offers as discounts of Shopify's own: "buy X, get Y for less", applied automatically. Pure.

Such a discount keeps an offer's whole promise only where no other offer needs the same product: Shopify reckons
each by itself, the store's discount function all of them together (docs/adr/0035).
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from app.commerce.checkout import compact
from app.commerce.offers import WHOLE, Component, DiscountKind, Terms
from connectors.shopify.discount_documents import TAG

# https://help.shopify.com/en/manual/discounts/automatic-discounts: at most 25 are active, those of apps included.
MOST_AUTOMATIC: Final = 25
TITLE_LENGTH: Final = 255
SEVERAL_PRICES: Final = (
    "Variants of the discounted product differ in price: Shopify chooses which one of several it discounts."
)
# Offers combine with each other on different lines; one line gets one product discount.
COMBINES: Final = {"productDiscounts": True, "orderDiscounts": True, "shippingDiscounts": True}
_KEY_TAG: Final = f"{TAG}-offer-"
_ITEMS_TAG: Final = f"{TAG}-items-"


def fits(terms: Terms) -> bool:
    """Tell whether "buy X, get Y" can say these terms: an add-on of two single pieces with a percentage."""
    return (
        len(terms.components) == 2
        and all(component.quantity == 1 for component in terms.components)
        and len(terms.discounted) == 1
        and terms.discount.kind is DiscountKind.PERCENT
    )


def alone(offers: Iterable[Terms]) -> frozenset[str]:
    """Return the keys of the offers that share no product with another one."""
    every = list(offers)
    counted = Counter(component.product_id for terms in every for component in terms.components)
    return frozenset(
        terms.key for terms in every if all(counted[part.product_id] == 1 for part in terms.components)
    )


def apart(offers: Sequence[Terms]) -> frozenset[str]:
    """Return the keys of the offers that share no product with one further up that was chosen as well."""
    used: set[str] = set()
    chosen: set[str] = set()
    for terms in offers:
        products = {component.product_id for component in terms.components}
        if used.isdisjoint(products):
            used |= products
            chosen.add(terms.key)
    return frozenset(chosen)


def input_of(terms: Terms, *, items: bool = True) -> dict[str, Any]:
    """Return the ``DiscountAutomaticBxgyInput`` that says ``terms``, which fit.

    ``items`` False leaves the products out, which stay what they are: an update only ever adds products.
    """
    got = next(part for part in terms.components if part.product_id in terms.discounted)
    bought = next(part for part in terms.components if part is not got)
    effect = {"percentage": terms.discount.value / WHOLE}
    buys: dict[str, Any] = {"value": {"quantity": "1"}}
    gets: dict[str, Any] = {"value": {"discountOnQuantity": {"quantity": "1", "effect": effect}}}
    if items:
        buys["items"], gets["items"] = _items(bought), _items(got)
    return {
        "title": terms.title[:TITLE_LENGTH],
        "startsAt": terms.starts_at.isoformat(),
        "endsAt": terms.ends_at.isoformat() if terms.ends_at else None,
        "usesPerOrderLimit": "1",
        "combinesWith": COMBINES,
        "customerBuys": buys,
        "customerGets": gets,
        "tags": [TAG, f"{_KEY_TAG}{terms.key}", items_tag(terms)],
    }


def items_tag(terms: Terms) -> str:
    """Return the tag that changes when the products of an offer do."""
    parts = [[part.product_id, part.variant_ids] for part in terms.components]
    told = compact([parts, list(terms.discounted)])
    return f"{_ITEMS_TAG}{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def key_of(tags: Iterable[str]) -> str | None:
    """Return the key of the offer that a discount with these tags grants, None if it is none of ours."""
    return next((tag.removeprefix(_KEY_TAG) for tag in tags if tag.startswith(_KEY_TAG)), None)


def _items(component: Component) -> dict[str, Any]:
    if component.variant_ids is None:
        return {"products": {"productsToAdd": [f"gid://shopify/Product/{component.product_id}"]}}
    variants = [f"gid://shopify/ProductVariant/{variant}" for variant in component.variant_ids]
    return {"products": {"productVariantsToAdd": variants}}
