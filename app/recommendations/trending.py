"""What is bought more often now than before: a short window of days against the long one before it.

Only the share of orders counts: in a busy week everything sells more, and nothing trends. A product trends when
chance explains its orders badly even though a whole catalogue was looked at. Pure calculation; SciPy is imported in
jobs only. docs/strategies-data.md has the formulas.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from app.recommendations.purchases import History, Integers

Floats = npt.NDArray[np.float64]

# Fewer orders than this are never a trend.
MIN_ORDERS: Final = 5
# The share of false ones among the products that are said to trend.
FALSE_DISCOVERIES: Final = 0.05
# The bound of growth holds with this probability.
CONFIDENCE: Final = 0.95
# A long window of at least this many orders is enough to compare with.
_ENOUGH_ORDERS: Final = 400
# Weights have 16 fractional bits.
_ONE: Final = 2**16


class Windows(NamedTuple):
    """How many days each window has. The short one ends today; the long one is what comes before it."""

    short: int
    long: int


# Tried in this order; the last one is taken where the store has too few orders for any.
WINDOWS: Final = (Windows(7, 56), Windows(14, 112), Windows(28, 182))
# No order before this many days ago matters.
REACH_DAYS: Final = sum(WINDOWS[-1])


@dataclass(frozen=True, slots=True)
class Trend:
    """A product that trends.

    Attributes:
        product: internal id.
        orders: in the short window.
        before: how many the time before lets expect in the short window.
        growth: at least so many times as often as expected (one-sided 95 % bound).
        recency: how much more its orders lie towards today than the store's do; 1 means as much.
        p_value: how often chance alone gets that far.
    """

    product: int
    orders: int
    before: float
    growth: float
    recency: float
    p_value: float

    @property
    def score(self) -> float:
        """What trends are sorted by."""
        return self.growth * self.recency


def windows_for(days: Integers, today: int) -> Windows:
    """Return the shortest windows whose long one holds enough orders to compare with.

    Args:
        days: int64[n], the UTC days of a store's orders.
        today: UTC day number.
    """
    for windows in WINDOWS[:-1]:
        age = today - days
        in_long = (age >= windows.short) & (age < sum(windows))
        if np.count_nonzero(in_long) >= _ENOUGH_ORDERS:
            return windows
    return WINDOWS[-1]


def trending(
    history: History,
    today: int,
    older: Collection[int] = (),
    *,
    windows: Windows | None = None,
    limit: int = 50,
) -> list[Trend]:
    """Return what trends, strongest first; nothing where nothing is significant.

    Args:
        history: a store's orders of at least the last ``REACH_DAYS`` days; others do no harm.
        today: UTC day number; the last day of the short window.
        older: products that were already bought before the long window began, so that days of it without an
            order mean something. Others count as on sale since their first order in the windows.
        windows: chosen by the store's number of orders, unless given.
        limit: how many to return at most.
    """
    windows = windows or windows_for(history.days, today)
    counts = _count(history, today, windows, older)
    if counts is None:
        return []
    tested = _test(counts)
    chosen = np.flatnonzero(tested.significant & (counts.short >= MIN_ORDERS) & (tested.growth > 1))
    recency = _recency(counts)
    found = [
        Trend(
            product=int(counts.products[i]),
            orders=int(counts.short[i]),
            before=float(tested.expected[i]),
            growth=float(tested.growth[i]),
            recency=float(recency[i]),
            p_value=float(tested.p_values[i]),
        )
        for i in chosen
    ]
    found.sort(key=lambda trend: (-trend.score, -trend.orders, trend.product))
    return found[:limit]


def long_window_start(days: Integers, today: int) -> int:
    """Return the first UTC day of the long window that is chosen for orders of these days."""
    return today - sum(windows_for(days, today)) + 1


@dataclass(slots=True, eq=False)
class _Counts:
    """Orders by product (arrays of length p) and of the whole store.

    ``fresh`` tells the products without enough of a past; ``exposure`` is the number of the store's orders in the
    long window since a product is on sale, ``decayed`` the sum of its short window's orders by age, in fixed point.
    """

    products: Integers
    short: Integers
    long: Integers
    decayed: Floats
    exposure: Integers
    fresh: npt.NDArray[np.bool_]
    store_short: int
    store_decayed: float


def _count(history: History, today: int, windows: Windows, older: Collection[int]) -> _Counts | None:
    """Return the counts of both windows, or None where one of them is empty."""
    age = today - history.days
    in_short = (age >= 0) & (age < windows.short)
    in_long = (age >= windows.short) & (age < sum(windows))
    if not in_short.any() or not in_long.any():
        return None
    # An order of today weighs one, one at the short window's middle half; in fixed point, so that sums are exact.
    weight = np.where(in_short, np.rint(_ONE * np.exp2(-2.0 * age / windows.short)), 0.0)
    within = history.by_line(in_short | in_long)
    products, place = np.unique(history.products[within], return_inverse=True)
    line_age = history.by_line(age)[within]
    is_short = line_age < windows.short
    first_age = np.zeros(len(products), np.int64)
    np.maximum.at(first_age, place, line_age)
    known = np.isin(products, np.fromiter(older, np.int64, len(older)))
    since = np.where(known, sum(windows) - 1, first_age)
    orders_since = np.cumsum(np.bincount(age[in_long] - windows.short, minlength=windows.long))
    return _Counts(
        products=products,
        short=np.bincount(place[is_short], minlength=len(products)),
        long=np.bincount(place[~is_short], minlength=len(products)),
        decayed=np.bincount(place, history.by_line(weight)[within], len(products)).astype(np.float64),
        exposure=np.where(since < windows.short, 0, orders_since[np.maximum(since - windows.short, 0)]),
        fresh=since < 2 * windows.short - 1,
        store_short=int(np.count_nonzero(in_short)),
        store_decayed=float(weight.sum()),
    )


@dataclass(slots=True, eq=False)
class _Tested:
    """float64[p] each, and bool[p]."""

    expected: Floats
    growth: Floats
    p_values: Floats
    significant: npt.NDArray[np.bool_]


def _test(counts: _Counts) -> _Tested:
    """Test each product against its own past; one without a past against the store's typical product.

    Given all orders of a product in both windows, those of the short one are binomial if nothing changed
    (Przyborowski and Wilenski, Biometrika 31, 1940). The bound of the ratio is Clopper and Pearson's
    (Biometrika 26, 1934), carried over to odds. Against a typical product the count is Poisson, its bound Garwood's
    (Biometrika 28, 1936). Many products are tested at once: Benjamini and Hochberg (JRSS B 57, 1995).
    """
    from scipy import stats as scipy_stats

    stats: Any = scipy_stats  # its distributions are made at run time
    short, both = counts.short, counts.short + counts.long
    exposure = np.maximum(counts.exposure, 1)
    chance = counts.store_short / (counts.store_short + exposure)
    settled = ~counts.fresh
    expected = np.where(settled, counts.long * counts.store_short / exposure, _typical(counts))
    p_values = np.where(
        settled, stats.binom.sf(short - 1, both, chance), stats.poisson.sf(short - 1, expected)
    )
    # Products that were not bought lately have a bound of 0; the distributions want shapes above it.
    share = stats.beta.ppf(1 - CONFIDENCE, np.maximum(short, 1), counts.long + 1)
    odds = share / (1 - share) * exposure / counts.store_short
    rate = stats.gamma.ppf(1 - CONFIDENCE, np.maximum(short, 1))
    fresh_growth = np.divide(rate, expected, out=np.zeros(len(rate)), where=expected > 0)
    growth = np.where(short > 0, np.where(settled, odds, fresh_growth), 0.0)
    adjusted = stats.false_discovery_control(np.clip(p_values, 0, 1), method="bh")
    return _Tested(expected, growth, p_values, adjusted <= FALSE_DISCOVERIES)


def _typical(counts: _Counts) -> float:
    """Return the mean number of orders, in the short window, of products with a past that were bought in it."""
    sold = counts.short[(counts.short > 0) & ~counts.fresh]
    return float(sold.mean()) if len(sold) else float(counts.store_short)


def _recency(counts: _Counts) -> Floats:
    """Return the mean weight of a product's recent orders over that of the store's, drawn towards 1."""
    typical = counts.store_decayed / counts.store_short
    recency: Floats = (counts.decayed / typical + MIN_ORDERS) / (counts.short + MIN_ORDERS)
    return recency
