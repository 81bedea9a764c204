"""What the store's orders say of products that are bought together: the ground that a proposal stands on.

The counts belong to the room that learns, which stands above this one: it leaves in the application how to ask it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import current_app
from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Evidence:
    """How often products stand in one order.

    Attributes:
        products: two to four platform ids; the first is the anchor, which is bought by itself too.
        orders: orders that hold all of them, weighted as they were learned.
        anchor_orders: orders that hold the first.
        lift: how many times as often together as chance would have it.
        llr: Dunning's log-likelihood ratio of the pair, of a set that of its weakest part.
        days: over how many days these orders were counted.
    """

    products: tuple[str, ...]
    orders: int
    anchor_orders: int
    lift: float
    llr: float
    days: float

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, as an offer keeps it."""
        return {
            "products": list(self.products),
            "orders": self.orders,
            "anchor_orders": self.anchor_orders,
            "lift": self.lift,
            "llr": self.llr,
            "days": self.days,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Evidence":
        """Return what ``to_json`` made into JSON."""
        return cls(**{**body, "products": tuple(body["products"])})


# (connection, store id) -> what was learned, the strongest first.
Gather = Callable[[Connection, int], list[Evidence]]


def gather(connection: Connection, store_id: int) -> list[Evidence]:
    """Return what the store's orders say; nothing where this process knows nobody who learns."""
    function: Gather | None = current_app.extensions.get("pannier_evidence")
    return [] if function is None else function(connection, store_id)
