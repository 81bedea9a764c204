"""Offers in answers: which may be told, whose products come forward, and which products carry one.

An offer is told where the answer shows what it still lacks: with the page's product and the cart all its components are
there. Components of which several pieces are needed, or other variants than the shown ones, are not told of.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from app.bundles.live import LiveOffers
from app.commerce.offers import Component, Terms
from app.core.db import db, now
from app.core.held import Held
from app.experiments.assignment import Assignment, Running
from app.pricing import ledger, usual_price
from app.recommendations.cache import Card

# The setting of an arm that names an offer.
OFFER: Final = "offer"
# How many offers are looked at until one can be shown whole.
MOST_TRIED: Final = 5

# By store and offer. What is a usual price changes by the day.
_usual: Held[tuple[int, str], bool] = Held(ttl_s=60.0, most=50_000)


def told(live: LiveOffers, on: Iterable[Running], arms: Sequence[Assignment]) -> LiveOffers:
    """Return the offers that a visitor is told: an offer that an experiment tries, in its arm only."""
    if not live.offers:
        return live
    tried = {arm.settings[OFFER] for each in on for arm in each.arms if OFFER in arm.settings}
    own = {arm.settings[OFFER] for arm in arms if OFFER in arm.settings}
    return live.without(tried - own)


def to_bring_forward(live: LiveOffers, around: Collection[str], limit: int) -> tuple[tuple[str, ...], ...]:
    """Return what the offers on these products still lack, the most valuable offer first.

    Args:
        live: the offers that may be told.
        around: the page's product and those in the cart.
        limit: how many products are shown: an offer that lacks more is left out.
    """
    if not live.offers or not around:
        return ()
    lacking = (
        tuple(c.product_id for c in terms.components if c.product_id not in around)
        for terms in live.of(around)
        if _simple(terms)
    )
    return tuple(products for products in lacking if 0 < len(products) <= limit)[:MOST_TRIED]


def carried(live: LiveOffers, around: Collection[str], shown: Sequence[Card]) -> dict[str, Terms]:
    """Return the offer that each shown product carries: the most valuable that the page, cart and list complete.

    Of the page's product the shopper chooses the variant, of one in the cart it is not known: where an offer wants a
    certain one of these, nothing is promised.
    """
    if not live.offers or not shown:
        return {}
    variants = {card.product_id: card.variant_id for card in shown}
    found: dict[str, Terms] = {}
    for terms in live.of(list(variants)):
        if not _simple(terms) or not all(_stands(c, around, variants) for c in terms.components):
            continue
        for component in terms.components:
            if component.product_id not in around:
                found.setdefault(component.product_id, terms)
    return found


def to_json(store_id: int, terms: Terms, codes: Mapping[str, str]) -> dict[str, Any]:
    """Return an offer as an answer tells it."""
    products = [component.product_id for component in terms.components]
    return {
        "id": terms.key,
        "title": terms.title,
        "products": products,
        "discounted": list(terms.discounted),
        "discount": {"kind": terms.discount.kind.value, "value": terms.discount.value},
        "currency": terms.currency,
        "code": codes.get(terms.key),
        "was_proven": _usual.get((store_id, terms.key), lambda _: _is_usual(store_id, products)),
    }


def _simple(terms: Terms) -> bool:
    """Whether one piece of each product is enough: the box puts one piece into the cart."""
    return all(component.quantity == 1 for component in terms.components)


def _stands(component: Component, around: Collection[str], variants: Mapping[str, str | None]) -> bool:
    """Return whether a component is there: as the shown variant, or as whatever variant the shopper takes."""
    if component.product_id in around:
        return component.variant_ids is None
    shown = variants.get(component.product_id, "")
    return shown != "" and (component.variant_ids is None or shown in component.variant_ids)


def _is_usual(store_id: int, products: Sequence[str]) -> bool:
    """Return whether the ledger proves, of every product, that what each variant costs now may stand as "was"."""
    at = now()
    found = ledger.periods_of(
        db.session.connection(), store_id, products, since=at - usual_price.reach()
    ).values()
    current = [(periods, p) for periods in found for p in periods if p.until_at is None]
    return {p.product_id for _, p in current} == set(products) and all(
        usual_price.usual_before(periods, p.price - 1, p.currency, at) == p.price for periods, p in current
    )
