"""From what is known of a product to proposals of new prices. Pure.

All variants of a product move by the same share, which its signals ask for; each one within guards of its own. A
proposal says in a sentence why, and keeps what it follows from.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from app.core.money import to_major
from app.pricing import guards as bounds
from app.pricing import signals
from app.pricing.guards import WHOLE, Guards, bounded
from app.pricing.rules import (
    AUTOMATIC,
    DEVIATIONS,
    HIGH_DAYS,
    LOW_DAYS,
    RATIO,
    Rule,
    Traits,
    Weighing,
    hundredths,
)
from app.pricing.signals import PricePoint, Signal

# Why a variant keeps its price; beside these the guard that kept it.
NOTHING_WANTED: Final = "nothing_wanted"
OTHER_CURRENCY: Final = "other_currency"
REDUCED: Final = "reduced"
NOT_SOLD: Final = "not_sold"
NO_PRICE: Final = "no_price"
REASONS: Final = (*bounds.NAMES, NOTHING_WANTED, OTHER_CURRENCY, REDUCED, NOT_SOLD, NO_PRICE)

_GUARD_WORDS: Final = {
    bounds.FLOOR: "the floor",
    bounds.CEILING: "the ceiling",
    bounds.MARGIN: "the least margin",
    bounds.STEP: "the largest step",
    bounds.ENDING: "the endings",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A variant of a product, as far as its price is concerned.

    Attributes:
        variant_id: the platform's; of a product without variants the product's own.
        price: what it costs now, in minor units.
        compare_at_price: what the shop compares that to.
        base: what the merchant set last as its price.
        cost: what a piece costs the merchant; None: unknown.
        stock: pieces that can be sold; None: as many as anybody wants.
        buyable: whether it can be bought now.
        changed: when its price changed before.
    """

    variant_id: str
    price: int
    compare_at_price: int | None = None
    base: int = 0
    cost: int | None = None
    stock: int | None = None
    buyable: bool = True
    changed: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Goods:
    """A product and what is known of its demand.

    Attributes:
        traits: what rules choose it by.
        currency: of its prices.
        kinds: its variants.
        tax: what its prices contain by its orders; hundredths of a percent of the price without it.
        pieces: sold by day, without gaps, up to yesterday.
        first_weekday: of the first of those days, Monday is 0.
        views: of the product, in the days that conversions are counted over.
        bought: pieces sold online in those days.
        points: its own earlier prices, with what they sold.
        competitors: fresh prices of it elsewhere.
    """

    traits: Traits
    currency: str
    kinds: tuple[Kind, ...]
    tax: int = 0
    pieces: Sequence[float] = ()
    first_weekday: int = 0
    views: int = 0
    bought: int = 0
    points: tuple[PricePoint, ...] = ()
    competitors: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Shop:
    """What is known of the whole store: views and pieces sold online, in the days of conversions."""

    views: int = 0
    bought: int = 0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new price for a variant. ``needs_approval`` says in a sentence why it is not written by itself."""

    product_id: str
    variant_id: str
    currency: str
    old_price: int
    new_price: int
    old_compare_at_price: int | None
    new_compare_at_price: int | None
    reason: str
    signals: dict[str, Any]
    needs_approval: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What came out of looking at a product: proposals, and why the other variants keep their price."""

    proposals: tuple[Proposal, ...] = ()
    kept: dict[str, str] = field(default_factory=dict)


def propose(rule: Rule, goods: Goods, shop: Shop, at: datetime) -> Look:
    """Return the new prices that a rule wants for a product's variants.

    The hours in which the rule is awake are the caller's to keep.
    """
    if goods.currency != rule.currency:
        return Look((), {kind.variant_id: OTHER_CURRENCY for kind in goods.kinds})
    found = measure(rule, goods, shop)
    change = sum(weighing.of(signal) for weighing, signal in found)
    proposals, kept = [], {}
    for kind in goods.kinds:
        made = _proposed(rule, goods, kind, found, change, at)
        if isinstance(made, Proposal):
            proposals.append(made)
        else:
            kept[kind.variant_id] = made
    return Look(tuple(proposals), kept)


def measure(rule: Rule, goods: Goods, shop: Shop) -> list[tuple[Weighing, Signal]]:
    """Return the signals that a rule listens to, as far as they are known of a product."""
    tax = goods.tax if rule.guards.tax is None else rule.guards.tax
    found = ((weighing, _signal(weighing, goods, shop, tax)) for weighing in rule.weighings)
    return [(weighing, signal) for weighing, signal in found if signal is not None]


def within(rule: Rule, goods: Goods, kind: Kind, price: int, at: datetime) -> tuple[str, ...]:
    """Return which guards a price that was proposed before would break now; none: it still holds."""
    guards = rule.guards.of(goods.traits.product_id, kind.base, goods.tax)
    found = bounded(kind.price, price, guards, kind.cost, kind.changed, goods.currency, at)
    return () if found.price == price else found.binding or (bounds.LEAST_STEP,)


def moved(price: int, change: int) -> int:
    """Return a price moved by hundredths of a percent; rounded towards where it was."""
    step = price * abs(change) // WHOLE
    return price + step if change > 0 else price - step


def compared(price: int, compare_at_price: int | None) -> int | None:
    """Return what a new price is compared to: what stood there, as long as it is more. Nothing is ever added.

    A "was" that Pannier invented would claim a reduction that no ledger proves.
    """
    return compare_at_price if compare_at_price is not None and compare_at_price > price else None


def lacks_bound(rule: Rule, product_id: str, cost: int | None) -> str | None:
    """Return in a sentence why a price may not be written without a person; None where it may."""
    if cost is None and rule.guards.explicit_floor(product_id) is None:
        return "It waits for approval, since its cost is unknown and no floor is set."
    return None


def _proposed(
    rule: Rule,
    goods: Goods,
    kind: Kind,
    found: Sequence[tuple[Weighing, Signal]],
    change: int,
    at: datetime,
) -> Proposal | str:
    """Return a variant's new price, or why it keeps the one that it has."""
    if not kind.buyable:
        return NOT_SOLD
    if kind.price <= 0:
        return NO_PRICE
    if not rule.reduced and kind.compare_at_price is not None and kind.compare_at_price > kind.price:
        return REDUCED
    product_id = goods.traits.product_id
    guards = rule.guards.of(product_id, kind.base, goods.tax)
    wanted = moved(kind.price, change)
    result = bounded(kind.price, wanted, guards, kind.cost, kind.changed, goods.currency, at)
    if result.price is None:
        return result.binding[-1] if result.binding else NOTHING_WANTED
    lacking = lacks_bound(rule, product_id, kind.cost) if rule.mode == AUTOMATIC else None
    reason = _reason(kind.price, result.price, wanted, found, result.binding)
    return Proposal(
        product_id,
        kind.variant_id,
        goods.currency,
        kind.price,
        result.price,
        kind.compare_at_price,
        compared(result.price, kind.compare_at_price),
        f"{reason} {lacking}" if lacking else reason,
        {
            "signals": [_told(weighing, signal) for weighing, signal in found],
            "wanted": wanted,
            "binding": list(result.binding),
            "guards": _guards_told(guards, goods.currency),
            "cost": kind.cost,
            "base": kind.base,
        },
        lacking,
    )


def _signal(weighing: Weighing, goods: Goods, shop: Shop, tax: int) -> Signal | None:
    options = weighing.options
    sold = [kind for kind in goods.kinds if kind.buyable and kind.price > 0]
    if not sold:
        return None
    first = min(sold, key=lambda kind: (kind.price, kind.variant_id))
    if weighing.signal == signals.STOCK_COVER:
        counted = [kind.stock for kind in sold if kind.stock is not None]
        if len(counted) < len(sold):
            return None
        low, high = options.get("low_days", LOW_DAYS), options.get("high_days", HIGH_DAYS)
        return signals.stock_cover(sum(counted), goods.pieces[-signals.LEAST_DAYS :], low, high)
    if weighing.signal == signals.DEMAND:
        deviations = options.get("deviations", DEVIATIONS)
        return signals.demand_against_forecast(goods.pieces, goods.first_weekday, deviations)
    if weighing.signal == signals.CONVERSION:
        ratio = options.get("ratio", RATIO)
        return signals.conversion(goods.views, goods.bought, shop.views, shop.bought, ratio)
    if weighing.signal == signals.PRICE_RESPONSE:
        return signals.price_response(goods.points, first.price, first.cost, tax)
    position = hundredths(options.get("position_percent", 0))
    return signals.competitor(first.price, goods.competitors, options.get("to", signals.MEDIAN), position)


def _reason(
    old: int, new: int, wanted: int, found: Sequence[tuple[Weighing, Signal]], binding: Sequence[str]
) -> str:
    """Return in words why a price moves."""
    up = new > old
    share = f"{abs(new - old) / old * 100:.1f} % {'higher' if up else 'lower'}"
    pressing = sorted(
        ((weighing.of(signal), signal) for weighing, signal in found), key=lambda each: -abs(each[0])
    )
    why = "; ".join(signal.sentence for moves, signal in pressing if moves and (moves > 0) == up)
    bound = " and ".join(_GUARD_WORDS[name] for name in binding if name in _GUARD_WORDS)
    if (wanted - old) * (new - old) <= 0 or not why:
        return f"{share}, to come back within {bound or 'the guards'}."
    return f"{share}: {why}." + (f" Bound by {bound}." if bound else "")


def _told(weighing: Weighing, signal: Signal) -> dict[str, Any]:
    return {**asdict(signal), "moves_percent": weighing.of(signal) / 100}


def _guards_told(guards: Guards, currency: str) -> dict[str, Any]:
    """Return guards as a person reads them."""
    return {
        "floor": None if guards.floor is None else to_major(guards.floor, currency),
        "ceiling": None if guards.ceiling is None else to_major(guards.ceiling, currency),
        "least_margin_percent": guards.margin / 100,
        "tax_percent": guards.tax / 100,
        "largest_step_percent": guards.step / 100,
        "cooling_hours": guards.cooling.total_seconds() / 3_600,
        "endings": list(guards.endings),
    }
