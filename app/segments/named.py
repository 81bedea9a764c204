"""The segments that every store has: eleven that split the customers, and three that cut across them.

The eleven are boxes of the 125 cells that scores of 1 to 5 for recency, frequency and monetary value make. Their names
and rough places are common ones, whose usual tables overlap and leave cells out (such as
https://docs.churned.io/churned-docs/dashboard-and-features/rfv-model-segment-best-practices/rfm-model). Here every
cell is in exactly one segment: whoever bought within the window is in one of the eleven and in no other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from app.segments.facts import Integers, Truths
from app.segments.rfm import BEST, Cuts, Measures, Scores, lifetime_value, score

CHAMPIONS: Final = "champions"
LOYAL: Final = "loyal"
POTENTIAL_LOYALISTS: Final = "potential_loyalists"
NEW: Final = "new"
PROMISING: Final = "promising"
NEEDS_ATTENTION: Final = "needs_attention"
ABOUT_TO_SLEEP: Final = "about_to_sleep"
AT_RISK: Final = "at_risk"
CANNOT_LOSE: Final = "cannot_lose"
HIBERNATING: Final = "hibernating"
LOST: Final = "lost"

HIGH_SPENDER: Final = "high_spender"
DISCOUNT_SEEKER: Final = "discount_seeker"
HIGH_LIFETIME_VALUE: Final = "high_lifetime_value"

# Who ordered once with a discount has not sought any.
_LEAST_DISCOUNTED_ORDERS: Final = 2
_LEAST_DISCOUNTED_PERCENT: Final = 60

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """Scores from and to, both included."""

    recency: Range
    frequency: Range
    monetary: Range

    def cells(self) -> Iterator[tuple[int, int, int]]:
        """Yield every cell of the box."""
        for r in range(self.recency[0], self.recency[1] + 1):
            for f in range(self.frequency[0], self.frequency[1] + 1):
                for m in range(self.monetary[0], self.monetary[1] + 1):
                    yield r, f, m

    def __str__(self) -> str:
        parts = (("R", self.recency), ("F", self.frequency), ("M", self.monetary))
        return " ".join(f"{name} {low}" + (f"–{high}" if high > low else "") for name, (low, high) in parts)


@dataclass(frozen=True, slots=True)
class Named:
    """A segment of every store.

    Attributes:
        key: what it is called in the contract.
        name: what it is called for people.
        meaning: who is in it, in one sentence.
        boxes: the cells that make it up; none for those that cut across.
    """

    key: str
    name: str
    meaning: str
    boxes: tuple[Box, ...] = ()

    @property
    def exclusive(self) -> bool:
        """Whether it is one of those of which a customer can be in only one."""
        return bool(self.boxes)


_ALL: Final = (1, BEST)

EXCLUSIVE: Final = (
    Named(
        CHAMPIONS, "Champions", "Bought lately, often, and for much.",
        (Box((4, 5), (4, 5), (4, 5)),),
    ),
    Named(
        LOYAL, "Loyal", "Buy often, for less than champions or not as lately.",
        (Box((4, 5), (4, 5), (1, 3)), Box((3, 3), (4, 5), _ALL)),
    ),
    Named(
        POTENTIAL_LOYALISTS, "Potential loyalists", "Bought lately and now and again, or lately once and for much.",
        (Box((4, 5), (2, 3), _ALL), Box((4, 4), (1, 1), (4, 5))),
    ),
    Named(
        NEW, "New", "Bought very lately, and as seldom as the least frequent fifth.",
        (Box((5, 5), (1, 1), _ALL),),
    ),
    Named(
        PROMISING, "Promising", "Bought lately, seldom and not for much.",
        (Box((4, 4), (1, 1), (1, 3)),),
    ),
    Named(
        NEEDS_ATTENTION, "Needs attention", "Are about average, and could go either way.",
        (Box((3, 3), (2, 3), _ALL), Box((3, 3), (1, 1), (3, 5))),
    ),
    Named(
        ABOUT_TO_SLEEP, "About to sleep", "Bought seldom, and some time ago.",
        (Box((3, 3), (1, 1), (1, 2)), Box((2, 2), (1, 2), (3, 5))),
    ),
    Named(
        AT_RISK, "At risk", "Used to buy often, and have not for long.",
        (Box((2, 2), (3, 5), _ALL), Box((1, 1), (3, 3), _ALL), Box((1, 1), (4, 5), (1, 3))),
    ),
    Named(
        CANNOT_LOSE, "Cannot lose", "Bought often and for much, and longest ago of all.",
        (Box((1, 1), (4, 5), (4, 5)),),
    ),
    Named(
        HIBERNATING, "Hibernating", "Bought seldom and long ago, though some of them for much.",
        (Box((2, 2), (1, 2), (1, 2)), Box((1, 1), (1, 2), (3, 5))),
    ),
    Named(
        LOST, "Lost", "Bought seldom, for little, and longest ago of all.",
        (Box((1, 1), (1, 2), (1, 2)),),
    ),
)  # fmt: skip

ACROSS: Final = (
    Named(HIGH_SPENDER, "High spender", "Spent more than nine in ten customers."),
    Named(
        DISCOUNT_SEEKER,
        "Discount seeker",
        f"Ordered with a discount at least {_LEAST_DISCOUNTED_ORDERS} times, in at least"
        f" {_LEAST_DISCOUNTED_PERCENT} % of the orders, and more often than the store's customers on the whole.",
    ),
    Named(
        HIGH_LIFETIME_VALUE,
        "High lifetime value",
        "Expected to spend more within a year than nine in ten customers, and not of the fifth who bought longest ago.",
    ),
)
NAMED: Final = {segment.key: segment for segment in (*EXCLUSIVE, *ACROSS)}


def _table() -> npt.NDArray[np.int64]:
    """Return the place in ``EXCLUSIVE`` of each cell's segment, int64[5, 5, 5]."""
    table = np.full((BEST, BEST, BEST), -1, np.int64)
    for place, segment in enumerate(EXCLUSIVE):
        for box in segment.boxes:
            for r, f, m in box.cells():
                table[r - 1, f - 1, m - 1] = place
    return table


_PLACES: Final = _table()


def exclusive(scores: Scores) -> Integers:
    """Return the place in ``EXCLUSIVE`` of each one's segment, int64[n]; -1 for who did not buy."""
    found: Integers = _PLACES[scores.recency - 1, scores.frequency - 1, scores.monetary - 1]
    return np.where(scores.recency > 0, found, -1)


def box_of(recency: int, frequency: int, monetary: int) -> Box:
    """Return the box that a cell is in."""
    cell = (recency, frequency, monetary)
    return next(box for segment in EXCLUSIVE for box in segment.boxes if cell in set(box.cells()))


def across(measures: Measures, cuts: Cuts) -> dict[str, Truths]:
    """Return who is in each of the segments that cut across, bool[n] by key."""
    bought = measures.bought
    # Integers throughout, so that no rounding decides.
    share = 100 * measures.discounted >= _LEAST_DISCOUNTED_PERCENT * measures.orders
    above_store = measures.discounted * cuts.total_orders > cuts.total_discounted * measures.orders
    seeks = (measures.discounted >= _LEAST_DISCOUNTED_ORDERS) & share & above_store
    value = lifetime_value(measures, cuts)
    stays = score(measures, cuts).recency > 1
    return {
        HIGH_SPENDER: bought & (measures.revenue > cuts.high_revenue),
        DISCOUNT_SEEKER: bought & seeks,
        HIGH_LIFETIME_VALUE: bought & stays & (value > cuts.high_value),
    }
