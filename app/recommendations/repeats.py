"""How often products are bought again: the rhythm of consumables, and the rest that durable goods deserve.

Everybody who bought lately has not had the time to buy again; they are counted as *censored* and not as people who
never came back. Products of which little is known borrow from their category, and that from the store. Pure
calculation on NumPy alone, so that a request may ask ``due`` and ``rests``. docs/strategies-data.md has the formulas.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.recommendations.purchases import NOBODY, History, Integers

Floats = npt.NDArray[np.float64]

# Nothing is said of a product that fewer customers bought: neither would it be sure, nor would they be anonymous.
MIN_CUSTOMERS: Final = 5
# Buying again later than this is no rhythm.
HORIZON_DAYS: Final = 365
# A product that fewer of its buyers buy again is a durable one, and rests for a year.
DURABLE_SHARE: Final = 0.1
# The half interquartile range of a normal distribution, in standard deviations.
_HALF_IQR: Final = 0.6745
# How much the customer's own repeats weigh against everybody's, in purchases.
_OTHERS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Repeat:
    """How a product is bought again.

    Attributes:
        days: between two purchases; half of those who buy again within a year have done so by then.
        spread: half the distance between the quartiles of those days.
        customers: who bought it.
        share: of its buyers who buy it again within a year, 0 to 1.
    """

    days: float
    spread: float
    customers: int
    share: float

    @classmethod
    def of(cls, candidate: Mapping[str, Any]) -> "Repeat":
        """Return what a ready list of the kind ``repeats`` says."""
        return cls(
            float(candidate["days"]),
            float(candidate["spread"]),
            int(candidate["customers"]),
            float(candidate["share"]),
        )


def due(last_bought_days_ago: float, count: int, repeat: Repeat) -> float:
    """Return how due a product is for somebody who bought it, 0 to 1.

    A bell around the typical interval, twice as wide behind it as before it (who is late may still come), times the
    probability that this customer buys it again: the share of all its buyers, corrected by the customer's own
    ``count`` purchases.

    Raises:
        ValueError: if ``count`` is below one.
    """
    if count < 1:
        raise ValueError(f"who never bought it has nothing to buy again: {count}")
    again = (_OTHERS * repeat.share + count - 1) / (_OTHERS + count - 1)
    width = max(repeat.spread / _HALF_IQR, repeat.days / 4, 1.0)
    late = last_bought_days_ago - repeat.days
    distance = late / (2 * width if late > 0 else width)
    return again * math.exp(-0.5 * distance * distance)


def rests(last_bought_days_ago: float, repeat: Repeat) -> bool:
    """Return whether a product is not to be shown to somebody who bought it so many days ago."""
    return repeat.share < DURABLE_SHARE and last_bought_days_ago < HORIZON_DAYS


@dataclass(frozen=True, slots=True)
class Repeats:
    """The repeats of a store's products by internal id, and of all its products as one (None: too few)."""

    products: dict[int, Repeat]
    store: Repeat | None


def repeats(history: History, today: int, categories: Mapping[int, str]) -> Repeats:
    """Return how each product with enough customers is bought again.

    Args:
        history: all of a store's orders; those that name nobody say nothing.
        today: UTC day number at which the observation ends; later orders are left out.
        categories: the category of each product that has one, by internal id.
    """
    intervals = _intervals(history, today)
    whole = _curve(intervals, slice(0, len(intervals.days)))
    if whole.customers < MIN_CUSTOMERS or whole.quartiles is None:
        return Repeats({}, None)
    curves = {
        product: curve
        for product, rows in _spans(intervals.products)
        if (curve := _curve(intervals, rows)).customers >= MIN_CUSTOMERS
    }
    strength = _strength(list(curves.values()), whole)
    store = _Prior.of(whole)
    priors = {
        category: store.with_evidence(curve, strength)
        for category, curve in _by_category(intervals, categories).items()
    }
    return Repeats(
        {
            product: priors.get(categories.get(product, ""), store)
            .with_evidence(curve, strength)
            .repeat(curve.customers)
            for product, curve in curves.items()
        },
        store.repeat(whole.customers),
    )


# --- intervals ------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Intervals:
    """Times between purchases of the same product by the same customer, sorted by product.

    A customer's intervals of a product weigh one together. Who bought it once contributes the time since, censored.
    The unfinished interval of somebody who bought it again is left out: it is long because it is the last one
    (Wang and Chang, JASA 94, 1999, whose estimator this is).

    Attributes:
        products: int64[m].
        days: int64[m].
        ended: bool[m], whether a purchase ended it; else it is censored.
        weights: float64[m].
    """

    products: Integers
    days: Integers
    ended: npt.NDArray[np.bool_]
    weights: Floats

    def select(self, chosen: npt.NDArray[np.bool_]) -> "_Intervals":
        """Return some of them."""
        return _Intervals(self.products[chosen], self.days[chosen], self.ended[chosen], self.weights[chosen])


def _intervals(history: History, today: int) -> _Intervals:
    told = history.by_line((history.customers != NOBODY) & (history.days <= today))
    products = history.products[told]
    customers = history.by_line(history.customers)[told]
    days = history.by_line(history.days)[told]
    order = np.lexsort((days, customers, products))
    products, customers, days = products[order], customers[order], days[order]
    if not len(days):
        return _Intervals(products, days, np.zeros(0, np.bool_), np.zeros(0))
    same = (products[1:] == products[:-1]) & (customers[1:] == customers[:-1])
    # Two orders of one day are one purchase.
    kept = np.concatenate(([True], ~(same & (days[1:] == days[:-1]))))
    products, customers, days = products[kept], customers[kept], days[kept]
    same = (products[1:] == products[:-1]) & (customers[1:] == customers[:-1])
    begins = np.flatnonzero(np.concatenate(([True], ~same)))
    purchases = np.diff(np.append(begins, len(days)))
    per_row = np.repeat(purchases, purchases)
    ended = np.concatenate(([False], same))
    once = per_row == 1
    length = np.where(ended, np.diff(days, prepend=days[:1]), today - days)
    found = _Intervals(products, length, ended, 1.0 / np.maximum(per_row - 1, 1))
    return found.select(ended | once)


def _spans(products: Integers) -> list[tuple[int, slice]]:
    """Return each product of a sorted array with its rows."""
    found, starts = np.unique(products, return_index=True)
    ends = np.append(starts[1:], len(products))
    return [
        (product, slice(start, end))
        for product, start, end in zip(found.tolist(), starts.tolist(), ends.tolist(), strict=True)
    ]


def _by_category(intervals: _Intervals, categories: Mapping[int, str]) -> dict[str, "_Curve"]:
    products, place = np.unique(intervals.products, return_inverse=True)
    names = sorted({categories[p] for p in products.tolist() if p in categories})
    numbers = {name: number for number, name in enumerate(names)}
    codes = np.array([numbers.get(categories.get(p, ""), -1) for p in products.tolist()], np.int64)
    of_row = codes[place] if len(codes) else place
    order = np.argsort(of_row, kind="stable")
    chosen = _Intervals(
        of_row[order], intervals.days[order], intervals.ended[order], intervals.weights[order]
    )
    return {names[code]: _curve(chosen, rows) for code, rows in _spans(chosen.products) if code >= 0}


# --- curves ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Curve:
    """What the Kaplan-Meier curve of some intervals says at the horizon.

    ``quartiles`` are those of the days of who buys again, None if nobody does. ``known`` is how many customers the
    share rests on: who bought again, and who had as long for it as the curve reaches. ``again`` bought again.
    """

    share: float
    quartiles: tuple[float, float, float] | None
    customers: int
    known: float
    again: float


def _curve(intervals: _Intervals, rows: slice) -> _Curve:
    days, ended, weights = intervals.days[rows], intervals.ended[rows], intervals.weights[rows]
    ended = ended & (days <= HORIZON_DAYS)
    days = np.minimum(days, HORIZON_DAYS)
    customers = round(float(weights.sum()))
    times, again_by = kaplan_meier(days, ended, weights)
    share = float(again_by[-1]) if len(again_by) else 0.0
    again = float(weights[ended].sum())
    if share <= 0:
        return _Curve(0.0, None, customers, float(weights[days >= HORIZON_DAYS].sum()), again)
    low, middle, high = (
        float(times[np.searchsorted(again_by, part * share - 1e-12)]) for part in (0.25, 0.5, 0.75)
    )
    reached = float(weights[~ended & (days >= middle)].sum())
    return _Curve(share, (low, middle, high), customers, again + reached, again)


def kaplan_meier(
    days: Integers, ended: npt.NDArray[np.bool_], weights: Floats
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return at which days intervals end, and the share that has ended by then.

    The product-limit estimator (Kaplan and Meier, JASA 53, 1958) with weights. What only fewer than
    ``MIN_CUSTOMERS`` could still show is left out: there a single one would decide the rest of the curve.

    Args:
        days: int64[m], lengths.
        ended: bool[m]; the others are censored.
        weights: float64[m].

    Returns:
        int64[t], ascending, and float64[t].
    """
    times, place = np.unique(days, return_inverse=True)
    leaving = np.bincount(place, weights, len(times))
    ending = np.bincount(place, weights * ended, len(times))
    at_risk = np.cumsum(leaving[::-1])[::-1]
    shown = (ending > 0) & (at_risk >= MIN_CUSTOMERS - 1e-9)
    remaining = np.cumprod(1 - np.minimum(ending[shown] / at_risk[shown], 1))
    return times[shown], 1 - remaining


# --- borrowing ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Strength:
    """How many customers' worth a prior is, for the share and for the days."""

    share: float
    days: float


def _strength(curves: list[_Curve], whole: _Curve) -> _Strength:
    """Return what makes the products' differences as large as they truly are (method of moments).

    The more the products differ beyond what chance explains, the less one says about another.
    """
    assert whole.quartiles is not None
    known = np.array([c.known for c in curves])
    shares = np.array([c.share for c in curves])
    between = _between(shares, known, whole.share * (1 - whole.share))
    low, _, high = whole.quartiles
    # The variance of one log interval, and by the factor pi / 2 of a median of many.
    noise = math.pi / 2 * (math.log((high + 1) / (low + 1)) / (2 * _HALF_IQR)) ** 2
    rhythmic = [c for c in curves if c.quartiles is not None and c.again > 0]
    logs = np.array([math.log(c.quartiles[1] + 1) for c in rhythmic if c.quartiles])
    between_logs = _between(logs, np.array([c.again for c in rhythmic]), noise)
    return _Strength(
        share=float(np.clip(whole.share * (1 - whole.share) / between - 1, 2, 200)),
        days=float(np.clip(noise / between_logs, 2, 200)),
    )


def _between(values: Floats, sizes: Floats, noise: float) -> float:
    """Return the variance of values beyond that of means of ``sizes`` draws whose variance is ``noise``."""
    total = float(sizes.sum())
    if total <= 0:
        return 1e-6
    mean = float((values * sizes).sum()) / total
    variance = float((sizes * (values - mean) ** 2).sum()) / total
    return max(variance - noise * np.count_nonzero(sizes) / total, 1e-6)


@dataclass(frozen=True, slots=True)
class _Prior:
    """What is believed of a product before its own customers are asked."""

    share: float
    days: float
    spread: float

    @classmethod
    def of(cls, whole: _Curve) -> "_Prior":
        """Return what the whole store says."""
        assert whole.quartiles is not None
        low, middle, high = whole.quartiles
        return cls(whole.share, max(middle, 1.0), max((high - low) / 2, 0.5))

    def with_evidence(self, curve: _Curve, strength: _Strength) -> "_Prior":
        """Return the belief after asking: the mean of both, by what each is worth; for days, of logarithms."""
        share = (curve.share * curve.known + self.share * strength.share) / (curve.known + strength.share)
        if curve.quartiles is None:
            return _Prior(share, self.days, self.spread)
        low, middle, high = curve.quartiles
        own = curve.again / (curve.again + strength.days)
        days = _mix(max(middle, 1.0), self.days, own)
        relative = _mix(max((high - low) / 2, 0.5) / max(middle, 1.0), self.spread / self.days, own)
        return _Prior(share, days, days * relative)

    def repeat(self, customers: int) -> Repeat:
        """Return it as what is published."""
        return Repeat(round(self.days, 1), round(self.spread, 1), customers, round(self.share, 4))


def _mix(own: float, other: float, weight: float) -> float:
    return math.exp(weight * math.log(own) + (1 - weight) * math.log(other))
