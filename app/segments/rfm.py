"""Recency, frequency and monetary value, and their scores from 1 to 5.

**Measures.** Recency is whole days since the last order, frequency the number of orders, monetary their revenue net of
refunds, all of the orders within a stated window before a stated moment. The three are scored independently of each
other, five bins each (IBM calls that independent binning:
https://www.ibm.com/docs/en/spss-statistics/30.0.0?topic=analysis-rfm-binning).

**Scores and ties.** Equal values get equal scores, always: a score is a function of the value and of four cut points.
Of the ``n`` customers who bought, let ``below`` be how many have a worse value than a customer, and ``tied`` how many
have the same, oneself included. Without ties both rules are quintiles. With them:

- frequency and monetary: ``1 + floor(5 below / n)``, so that all take the lowest place of their tie (as SQL's
  ``rank()``). Nobody counts as frequent for the one order that most others have, too: where 60 % of customers ordered
  once, they all have 1, and who came back has 4 or 5.
- recency: ``ceil(5 (below + tied) / n)``, so that all take the highest. Nobody counts as lost for having bought on the
  same day as many others.

SQL's ``ntile``, the usual way, gives equal customers different scores, by whatever order the rows have.

**Lifetime value.** What a customer is expected to spend within the next year, if buying goes on as it did: expected
orders times the value of an order. Expected orders are the mean of a gamma-distributed rate given what was seen (the
conditional expectation of the NBD model: Ehrenberg, "The pattern of consumer purchases", Applied Statistics 8, 1959;
Schmittlein, Morrison and Colombo, Management Science 33, 1987), with shape 1 and the store's own mean rate: ``365 (1 +
repeat orders) / (days per repeat order of the store + days since the customer's first order)``. The value of an order
is the customer's mean, with one order of the store's mean added. It knows no margin and no end of the relation.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.segments.facts import Integers, Orders

Floats = npt.NDArray[np.float64]

WINDOW_DAYS: Final = 730
DAY_S: Final = 86_400
BEST: Final = 5
# Who is above nine in ten customers is high in something.
_HIGH: Final = (9, 10)
_YEAR_DAYS: Final = 365


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured of ``n`` people. Where ``orders`` is 0, everything else is 0 and means nothing.

    Attributes:
        recency_days: int64[n], whole days since the last order.
        orders: int64[n].
        revenue: int64[n], minor units of the store's currency, net of refunds.
        discounted: int64[n], orders with a discounted line.
        first_days: int64[n], whole days since the first order of the window.
    """

    recency_days: Integers
    orders: Integers
    revenue: Integers
    discounted: Integers
    first_days: Integers

    @property
    def bought(self) -> npt.NDArray[np.bool_]:
        """Who bought within the window: bool[n]."""
        return self.orders > 0

    def of(self, chosen: npt.NDArray[Any]) -> "Measures":
        """Return the measures of some people, by mask or places."""
        return Measures(
            self.recency_days[chosen],
            self.orders[chosen],
            self.revenue[chosen],
            self.discounted[chosen],
            self.first_days[chosen],
        )


def measure(people: int, orders: Orders, as_of: int, window_days: int = WINDOW_DAYS) -> Measures:
    """Measure ``people`` by their orders of the ``window_days`` before ``as_of`` (seconds since 1970).

    Orders that are stamped later than ``as_of`` count as of that moment.
    """
    within = orders.at > as_of - window_days * DAY_S
    who = orders.person[within]
    days = np.maximum(0, (as_of - orders.at[within]) // DAY_S)
    recency = np.full(people, np.iinfo(np.int64).max)
    first = np.zeros(people, np.int64)
    np.minimum.at(recency, who, days)
    np.maximum.at(first, who, days)
    revenue = np.zeros(people, np.int64)
    np.add.at(revenue, who, orders.revenue[within])
    count = np.bincount(who, minlength=people).astype(np.int64)
    return Measures(
        recency_days=np.where(count > 0, recency, 0),
        orders=count,
        revenue=revenue,
        discounted=np.bincount(who[orders.discounted[within]], minlength=people).astype(np.int64),
        first_days=first,
    )


def joined(parts: list[Measures]) -> Measures:
    """Return the measures of several groups of people as one."""
    nothing = np.zeros(0, np.int64)
    return Measures(
        *(
            np.concatenate([nothing, *(getattr(part, name) for part in parts)])
            for name in ("recency_days", "orders", "revenue", "discounted", "first_days")
        )
    )


@dataclass(frozen=True, slots=True)
class Cuts:
    """What scores of a store are made with: a customer can be scored anew without looking at the others.

    Attributes:
        window_days: days before the moment of measuring.
        people: how many customers bought.
        recency_days: of four, how many days at most for the scores 2, 3, 4 and 5.
        orders: of four, more than how many orders for the scores 2, 3, 4 and 5.
        revenue: of four, more than how much revenue for the scores 2, 3, 4 and 5.
        high_revenue: more than how much only a tenth of the customers spent.
        total_orders: orders of all.
        total_discounted: those of them with a discount.
        total_revenue: revenue of all.
        total_days: days since their first orders, of all.
        high_value: more than how much lifetime value only a tenth of the customers have.
    """

    window_days: int
    people: int
    recency_days: tuple[int, ...]
    orders: tuple[int, ...]
    revenue: tuple[int, ...]
    high_revenue: int
    total_orders: int
    total_discounted: int
    total_revenue: int
    total_days: int
    high_value: int

    def as_json(self) -> dict[str, Any]:
        """Return the values for storage."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Cuts":
        """Return what ``as_json`` gave."""
        values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in stored.items()}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of ``n`` people, int64[n] each: 1 to 5, and 0 for who did not buy."""

    recency: Integers
    frequency: Integers
    monetary: Integers


def cut(measures: Measures, window_days: int = WINDOW_DAYS) -> Cuts:
    """Return the cut points of all people of a store, of whom those who did not buy are left out."""
    buyers = measures.of(measures.bought)
    people = len(buyers.orders)
    cuts = Cuts(
        window_days=window_days,
        people=people,
        recency_days=_at_most(buyers.recency_days),
        orders=_more_than(buyers.orders),
        revenue=_more_than(buyers.revenue),
        high_revenue=_high(buyers.revenue),
        total_orders=int(buyers.orders.sum()),
        total_discounted=int(buyers.discounted.sum()),
        total_revenue=int(buyers.revenue.sum()),
        total_days=int(buyers.first_days.sum()),
        high_value=0,
    )
    return replace(cuts, high_value=_high(lifetime_value(buyers, cuts)))


def score(measures: Measures, cuts: Cuts) -> Scores:
    """Return scores by a store's cut points."""
    bought = measures.bought
    return Scores(
        recency=bought * (1 + _reached(-measures.recency_days, [-c for c in cuts.recency_days], "right")),
        frequency=bought * (1 + _reached(measures.orders, list(cuts.orders), "left")),
        monetary=bought * (1 + _reached(measures.revenue, list(cuts.revenue), "left")),
    )


def lifetime_value(measures: Measures, cuts: Cuts) -> Integers:
    """Return the expected revenue of the next year, int64[n] in minor units; 0 where nothing can be expected.

    That is so for who did not buy, and for everybody as long as nobody of the store has bought twice.
    """
    repeats = cuts.total_orders - cuts.people
    if repeats <= 0:
        return np.zeros(len(measures.orders), np.int64)
    days_per_repeat = max(cuts.total_days, 1) / repeats
    # (1 + repeat orders) is the number of orders.
    orders_of_year = _YEAR_DAYS * measures.orders / (days_per_repeat + measures.first_days)
    mean_order: Floats = (measures.revenue + cuts.total_revenue / cuts.total_orders) / (measures.orders + 1)
    return np.rint(np.where(measures.bought, orders_of_year * mean_order, 0)).astype(np.int64)


def _places() -> list[tuple[int, int]]:
    return [(k, BEST) for k in range(1, BEST)]


def _more_than(values: Integers) -> tuple[int, ...]:
    """Return the values that must be exceeded for the scores 2 to 5: the lowest place of a tie counts."""
    return tuple(_exceeded(np.sort(values), share) for share in _places())


def _high(values: Integers) -> int:
    return _exceeded(np.sort(values), _HIGH)


def _exceeded(sorted_values: Integers, share: tuple[int, int]) -> int:
    """Return what must be exceeded to have ``share`` (a fraction) of all values below one's own."""
    if not len(sorted_values):
        return 0
    needed = -(-share[0] * len(sorted_values) // share[1])  # rounded up
    return int(sorted_values[needed - 1])


def _at_most(days: Integers) -> tuple[int, ...]:
    """Return the days that must not be exceeded for the scores 2 to 5: the highest place of a tie counts."""
    if not len(days):
        return (0,) * (BEST - 1)
    oldest_first = -np.sort(-days)
    return tuple(int(oldest_first[k * len(days) // of]) for k, of in _places())


def _reached(values: Integers, cuts: list[int], side: Any) -> Integers:
    """Return how many cut points (rising) are below each value; with ``right``, at most each value."""
    return np.searchsorted(np.array(cuts, np.int64), values, side=side).astype(np.int64)
