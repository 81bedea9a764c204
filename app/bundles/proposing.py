"""Offers worth making, by what is bought together: within limits, the most profitable first. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.bundles.evidence import Evidence
from app.bundles.limits import (
    DATES,
    EXCLUDED,
    NOT_SOLD,
    STOCK,
    Limits,
    breaches,
    excluded,
    in_percent,
    short_of_stock,
)
from app.bundles.profit import Gain, Profit, expect
from app.bundles.wares import WHOLE, Kind, Ware
from app.commerce.offers import (
    FEWEST_COMPONENTS,
    MOST_COMPONENTS,
    Component,
    Discount,
    DiscountKind,
    Terms,
    discount_on,
)

# Discounts that are tried, up to the largest that may be: steps that a shopper reads at a glance.
STEP: Final = 500
# Why products that are bought together make no proposal, beside what limits say.
TAKEN: Final = "taken"
NO_PROFIT: Final = "no_profit"
NO_PRICE: Final = "no_price"
_LONGEST_TITLE: Final = 100

Products = frozenset[str]


@dataclass(frozen=True, slots=True)
class Proposal:
    """An offer that is worth making. ``terms.key`` is empty: it has not been kept yet."""

    terms: Terms
    evidence: Evidence
    profit: Profit


@dataclass(frozen=True, slots=True)
class Proposals:
    """What follows from the evidence: proposals, the most profitable first, and why others are none."""

    found: tuple[Proposal, ...]
    left_out: Mapping[str, int]


def propose(
    evidence: Iterable[Evidence],
    wares: Mapping[str, Ware],
    limits: Limits,
    *,
    currency: str,
    at: datetime,
    taken: Collection[Products] = frozenset(),
    most: int | None = None,
) -> Proposals:
    """Return the offers that are worth making.

    Args:
        evidence: what is bought together.
        wares: what the shop has of these products.
        limits: no proposal breaks any of them.
        currency: ISO 4217, of the store.
        at: from when the offers would hold.
        taken: sets of products that have an offer, or had one that the merchant did not want.
        most: so many at most.
    """
    gathered = list(evidence)
    ends_at = limits.end_of(at)
    if (limits.starts_at and at < limits.starts_at) or (ends_at and ends_at <= at):
        return Proposals((), {DATES: len(gathered)} if gathered else {})
    left_out: Counter[str] = Counter()
    best: dict[Products, Proposal] = {}
    for each in gathered:
        products = frozenset(each.products)
        problem = _unfit(each, wares, limits, taken)
        found = problem or _best_of(each, wares, limits, currency, at, ends_at)
        if isinstance(found, str):
            left_out[found] += 1
        elif products not in best or found.profit.expected > best[products].profit.expected:
            best[products] = found
    ranked = sorted(best.values(), key=lambda p: (-p.profit.expected, p.evidence.products))
    return Proposals(tuple(ranked[:most]), dict(left_out))


def title_of(terms: Terms, wares: Mapping[str, Ware]) -> str:
    """Return what shoppers read beside the discount, unless the merchant writes something better."""
    names = {c.product_id: _short(wares[c.product_id].title, len(terms.components)) for c in terms.components}
    cheaper = " + ".join(name for product, name in names.items() if product in terms.discounted)
    beside = " + ".join(name for product, name in names.items() if product not in terms.discounted)
    return f"{cheaper}: −{in_percent(terms.discount.value)}" + (f" (+ {beside})" if beside else "")


def _unfit(
    evidence: Evidence, wares: Mapping[str, Ware], limits: Limits, taken: Collection[Products]
) -> str | None:
    """Return why products make no proposal at any discount; None: they may."""
    if frozenset(evidence.products) in taken:
        return TAKEN
    if not FEWEST_COMPONENTS <= len(set(evidence.products)) <= MOST_COMPONENTS:
        return NOT_SOLD
    found = [wares.get(product) for product in evidence.products]
    sold = [ware for ware in found if ware is not None and ware.sold and ware.kinds]
    if len(sold) < len(evidence.products):
        return NOT_SOLD
    if any(excluded(ware, limits) for ware in sold):
        return EXCLUDED
    if any(kind.price <= 0 for ware in sold for kind in ware.kinds):
        return NO_PRICE
    return None


def _best_of(
    evidence: Evidence,
    wares: Mapping[str, Ware],
    limits: Limits,
    currency: str,
    at: datetime,
    ends_at: datetime | None,
) -> Proposal | str:
    """Return the most profitable offer on these products, or why there is none.

    Of equally profitable ones an add-on goes before a bundle, and a smaller percentage before a larger one.
    """
    components = tuple(Component(product) for product in evidence.products)
    reasons: list[str] = []
    best: Proposal | None = None
    for discounted in _choices(evidence.products):
        for share in _shares(limits):
            discount = Discount(DiscountKind.PERCENT, share)
            terms = Terms("", "", components, discounted, discount, currency, at, ends_at)
            broken = breaches(terms, wares, limits)
            if broken:
                reasons.append(broken[0].code)
                continue
            if short_of_stock(terms, wares, limits):
                return STOCK
            profit = expect(evidence, _gain(terms, wares, limits), limits.elasticity)
            if profit.expected > 0 and (best is None or profit.expected > best.profit.expected):
                best = Proposal(_titled(terms, wares), evidence, profit)
    return best or (reasons[0] if reasons else NO_PROFIT)


def _choices(products: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return on which products a discount may be: of a pair the second alone, else on all."""
    return [products[1:], products] if len(products) == FEWEST_COMPONENTS else [products]


def _shares(limits: Limits) -> list[int]:
    """Return the percentages to try, smallest first."""
    steps = list(range(STEP, limits.maximum_discount + 1, STEP))
    return steps or ([limits.maximum_discount] if limits.maximum_discount > 0 else [])


def _gain(terms: Terms, wares: Mapping[str, Ware], limits: Limits) -> Gain:
    """Return what a take changes, at the mean price and cost of the variants that count."""
    others = terms.components[1:]  # the first is bought anyway
    prices = {c.product_id: _mean([k.price for k in _kinds(c, wares)]) * c.quantity for c in terms.components}
    costs = {c.product_id: _mean([k.cost or 0 for k in _kinds(c, wares)]) * c.quantity for c in others}
    price = sum(prices[c.product_id] for c in others)
    discount = discount_on(sum(prices[product] for product in terms.discounted), terms.discount)
    return Gain(
        price,
        _without_tax(price, limits) - sum(costs.values()),
        discount,
        _without_tax(discount, limits),
    )


def _kinds(component: Component, wares: Mapping[str, Ware]) -> tuple[Kind, ...]:
    return wares[component.product_id].counting(component)


def _without_tax(amount: int, limits: Limits) -> int:
    return amount * WHOLE // (WHOLE + limits.included_tax)


def _mean(amounts: list[int]) -> int:
    return sum(amounts) // len(amounts)


def _titled(terms: Terms, wares: Mapping[str, Ware]) -> Terms:
    return Terms(
        terms.key,
        title_of(terms, wares),
        terms.components,
        terms.discounted,
        terms.discount,
        terms.currency,
        terms.starts_at,
        terms.ends_at,
    )


def _short(title: str, names: int) -> str:
    """Return a title as long as one of so many may be, in a title of an offer."""
    title = " ".join(title.split())
    longest = (_LONGEST_TITLE - len(": −12.34 % (+ )") - 3 * (names - 1)) // names
    return title if len(title) <= longest else title[: longest - 1].rstrip() + "…"
