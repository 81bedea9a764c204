"""Whether an offer holds now, by what the shop has, and why not. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.bundles.limits import Limits
from app.bundles.wares import WHOLE, Ware
from app.commerce.offers import Component, Terms

EXPIRED: Final = "expired"
PRODUCT_GONE: Final = "product_gone"
BROKEN: Final = "bundle_broken"
OUT_OF_STOCK: Final = "out_of_stock"
PRICE_CHANGED: Final = "price_changed"
# What passes by itself when the shop changes, as against what the merchant has to say something to.
PASSING: Final = frozenset({PRODUCT_GONE, BROKEN, OUT_OF_STOCK, PRICE_CHANGED})

Prices = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an offer does not hold: a word, and a sentence for the merchant."""

    code: str
    sentence: str


def obstacle(
    terms: Terms, prices: Prices, wares: Mapping[str, Ware], limits: Limits, at: datetime
) -> Obstacle | None:
    """Return why an offer does not hold; None: it does. Of several reasons the one that lasts longest.

    Args:
        terms: what it promises. One that has not started yet holds.
        prices: of its components when it was made or last approved, by product and variant, in minor units.
        wares: what the shop has.
        limits: of which the tolerance for prices counts here.
        at: when.
    """
    if terms.ends_at is not None and terms.ends_at <= at:
        return Obstacle(EXPIRED, "Its time is over.")
    return (
        _gone(terms, wares)
        or _broken(terms, wares)
        or _out_of_stock(terms, wares)
        or _price_changed(terms, prices, wares, limits)
    )


def _gone(terms: Terms, wares: Mapping[str, Ware]) -> Obstacle | None:
    for component in terms.components:
        ware = wares.get(component.product_id)
        if ware is None or not ware.sold:
            name = repr(ware.title) if ware and ware.title else f"Product {component.product_id}"
            return Obstacle(PRODUCT_GONE, f"{name} is not sold in the shop now.")
    return None


def _broken(terms: Terms, wares: Mapping[str, Ware]) -> Obstacle | None:
    for component in terms.components:
        ware = wares[component.product_id]
        if not ware.counting(component):
            return Obstacle(BROKEN, f"{ware.title!r} no longer has a variant that counts for this offer.")
        if ware.currency not in (None, terms.currency):
            return Obstacle(BROKEN, f"{ware.title!r} is no longer priced in {terms.currency}.")
    return None


def _out_of_stock(terms: Terms, wares: Mapping[str, Ware]) -> Obstacle | None:
    for component in terms.components:
        ware = wares[component.product_id]
        stock = ware.stock(component)
        if stock is not None and stock < component.quantity:
            return Obstacle(OUT_OF_STOCK, f"{ware.title!r} is out of stock.")
    return None


def _price_changed(
    terms: Terms, prices: Prices, wares: Mapping[str, Ware], limits: Limits
) -> Obstacle | None:
    for component in terms.components:
        ware = wares[component.product_id]
        if _moved(component, prices.get(component.product_id, {}), ware, limits.price_tolerance):
            return Obstacle(
                PRICE_CHANGED,
                f"The price of {ware.title!r} has changed since the offer was approved: approve it anew.",
            )
    return None


def _moved(component: Component, before: Mapping[str, Any], ware: Ware, tolerance: int) -> bool:
    """Return whether a variant's price is another one. Variants that are new or gone say nothing."""
    return any(
        abs(kind.price - before[kind.variant_id]) * WHOLE > tolerance * before[kind.variant_id]
        for kind in ware.counting(component)
        if kind.variant_id in before
    )
