"""The orders that a model is tested on: which they are, what is asked about them, what they added to the counts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection

from app.recommendations.cooccurrence import Contribution
from app.recommendations.counts import DAY_ZERO
from app.recommendations.promotion import Question

# Orders that are asked about at most, and the share of all orders that they may be.
MOST_ORDERS: Final = 500
SHARE: Final = 0.1
# Products of an order that are known, at most.
_MOST_KNOWN: Final = 10


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order: its internal id, the UTC day on which it was placed, and the internal ids of its products."""

    id: int
    day: int
    basket: Sequence[int]

    def taken_back(self) -> Contribution:
        """Return what takes the order out of the counts."""
        return Contribution(self.basket, self.day, -1)


def newest(
    connection: Connection, store_id: int, basket_cap: int, most: int, after: int = 0
) -> list[PlacedOrder]:
    """Return a store's newest orders of at least two products that are learned, newest first.

    Args:
        connection: inside the transaction whose orders are meant.
        store_id: the store.
        basket_cap: larger orders are not learned.
        most: how many.
        after: only of orders with a higher internal id: those that came in later, whenever they were placed.
    """
    rows = connection.exec_driver_sql(
        f"SELECT {_COLUMNS} FROM orders o WHERE o.store_id = %(store)s AND o.id > %(after)s"
        " AND cardinality(o.basket) BETWEEN 2 AND %(cap)s ORDER BY o.placed_at DESC, o.id DESC LIMIT %(most)s",
        {"store": store_id, "after": after, "cap": basket_cap, "most": most},
    )
    return [_order(row) for row in rows]


def by_ids(connection: Connection, store_id: int, ids: Iterable[int]) -> list[PlacedOrder]:
    """Return orders as they stand now; those that are none any more are left out."""
    rows = connection.exec_driver_sql(
        f"SELECT {_COLUMNS} FROM orders o WHERE o.store_id = %(store)s AND o.id = ANY(%(ids)s::bigint[])"
        " AND cardinality(o.basket) > 0",
        {"store": store_id, "ids": list(ids)},
    )
    return [_order(row) for row in rows]


_COLUMNS: Final = "o.id, (o.placed_at AT TIME ZONE 'UTC')::date, o.basket"


def _order(row: Any) -> PlacedOrder:
    id_, placed, basket = row
    day: date = placed
    return PlacedOrder(id_, (day - DAY_ZERO).days, basket)


def ask_about(connection: Connection, orders: Sequence[PlacedOrder]) -> tuple[Question, ...]:
    """Return a question about each order: one product is hidden, of the others some are known.

    Which, is drawn from the order's id: whoever asks about an order asks the same.
    """
    named = {product for order in orders for product in order.basket}
    rows = connection.exec_driver_sql(
        "SELECT id, platform_id FROM product WHERE id = ANY(%(ids)s::bigint[])", {"ids": list(named)}
    )
    platform_ids = {id_: platform_id for id_, platform_id in rows}
    return tuple(
        _question(order.id, [platform_ids[id_] for id_ in order.basket if id_ in platform_ids])
        for order in orders
    )


def _question(order_id: int, products: list[str]) -> Question:
    hidden, *known = np.random.default_rng(order_id).permutation(len(products)).tolist()
    return Question(order_id, tuple(products[place] for place in known[:_MOST_KNOWN]), products[hidden])


def last_order(connection: Connection, store_id: int) -> int:
    """Return the highest internal id of a store's orders; 0 if there is none."""
    found: int = connection.exec_driver_sql(
        "SELECT COALESCE(max(id), 0) FROM orders WHERE store_id = %(store)s", {"store": store_id}
    ).scalar_one()
    return found
