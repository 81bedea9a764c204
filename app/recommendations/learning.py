"""Learning what is bought together, order by order. Publishing and rebuilding are named here too.

``learn`` runs inside the transaction that changes the orders, so counts and orders cannot drift apart.
``publish_stale`` turns counts into ready lists afterwards. ``rebuild`` counts everything anew from the order
lines; all sums are integers, so it ends in the same numbers (see docs/learning.md).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from sqlalchemy import Connection

from app.commerce.ingest import BasketChange
from app.core.db import execute_rows
from app.recommendations import cooccurrence
from app.recommendations.cooccurrence import Contribution
from app.recommendations.counts import append_segments, day_number, settled_parameters
from app.recommendations.pair_lists import LIST_LENGTH, as_lists
from app.recommendations.rebuilding import rebuild
from app.recommendations.stale import publish_stale, publish_turn

__all__ = ["LIST_LENGTH", "as_lists", "day_number", "learn", "publish_stale", "publish_turn", "rebuild"]


def learn(connection: Connection, store_id: int, baskets: Sequence[BasketChange]) -> None:
    """Take basket changes of a store into its counts, inside the caller's transaction."""
    contributions = list(_contributions(baskets))
    if not contributions:
        return
    parameters = settled_parameters(connection, store_id)
    increment = cooccurrence.increment(parameters, contributions)
    amounts = zip(
        increment.product_orders.tolist(),
        increment.product_weights.tolist(),
        increment.product_popularity.tolist(),
        strict=True,
    )
    counted = dict(zip(increment.products.tolist(), amounts, strict=True))
    # A product whose companions changed may have kept its own counts: {a, b} became {a, c}.
    touched = np.union1d(increment.products, increment.neighbours.products).tolist()
    execute_rows(
        connection,
        """
        INSERT INTO product_count AS c (store_id, product_id, orders, weight, popularity, stale)
        SELECT %(store)s, r.product_id, r.orders, r.weight, r.popularity, true
        FROM json_to_recordset(%(rows)s::json) AS r(product_id bigint, orders bigint, weight bigint,
            popularity bigint)
        ON CONFLICT (store_id, product_id) DO UPDATE SET orders = c.orders + excluded.orders,
            weight = c.weight + excluded.weight, popularity = c.popularity + excluded.popularity, stale = true
        """,
        [
            {"product_id": product, "orders": orders, "weight": weight, "popularity": popularity}
            for product in touched
            for orders, weight, popularity in [counted.get(product, (0, 0, 0))]
        ],
        store=store_id,
    )
    append_segments(connection, store_id, increment.neighbours)
    connection.exec_driver_sql(
        "UPDATE learned_model SET orders = orders + %(orders)s, learned_at = now() WHERE store_id = %(store)s",
        {"orders": increment.orders, "store": store_id},
    )


def _contributions(baskets: Sequence[BasketChange]) -> Iterator[Contribution]:
    for change in baskets:
        if len(change.old_basket):
            yield Contribution(change.old_basket, day_number(change.old_placed_at), -1)
        if len(change.new_basket):
            yield Contribution(change.new_basket, day_number(change.new_placed_at), 1)
