"""Counting a store's orders anew, and publishing every list that follows from them."""

import io
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog
from sqlalchemy import Connection

from app.commerce.changes import SALES
from app.commerce.ingest import BASKET_SQL, lock_commerce
from app.core.db import db, lock_store
from app.recommendations import cache
from app.recommendations.cooccurrence import Parameters
from app.recommendations.counts import (
    DAY_ZERO,
    PUBLISHING_LOCK,
    append_segments,
    copy_rows,
    driver_cursor,
    fresh_parameters,
    gates_of,
    read_head,
    write_head,
)
from app.recommendations.pair_lists import LIST_LENGTH, as_lists, publish_best_sellers
from app.recommendations.publishing import forget_lists, store_lists
from app.recommendations.ready_lists import PAIRS

if TYPE_CHECKING:  # Numba is imported in jobs only
    from app.recommendations.ranking import Baskets

log = structlog.get_logger()

# Weights are fixed point with 16 fractional bits and grow with the days since the epoch. A rebuild moves the
# epoch long before the exponent reaches its limit of 16 half-lives.
_EPOCH_HALF_LIVES: Final = 8


def rebuild(store_id: int, on_progress: Callable[[int, int], None] | None = None) -> int:
    """Count a store's orders anew from their lines and publish every list; return the number of orders.

    Intake goes on meanwhile; applying and publishing wait. Readers of PostgreSQL see the old lists until the new
    ones are committed; Redis gets each as it is made.
    ``on_progress`` is called with (products done, products in all).
    """
    from app.recommendations import ranking  # Numba: in jobs only

    connection = db.session.connection()
    lock_commerce(connection, store_id)
    lock_store(connection, store_id, PUBLISHING_LOCK)
    parameters = _rebuild_parameters(connection, store_id)
    _refresh_stored_baskets(connection, store_id)
    baskets = read_baskets(connection, store_id)
    built = ranking.rebuild(parameters, baskets, gates_of(store_id), LIST_LENGTH)
    platform_ids = _platform_ids(connection, store_id)
    unlisted = _forget(connection, store_id)
    write_head(connection, store_id, parameters, orders=built.orders)
    copy_rows(
        connection,
        "product_count (store_id, product_id, orders, weight, popularity, stale)",
        ["int8", "int8", "int8", "int8", "int8", "bool"],
        zip(
            itertools.repeat(store_id),
            built.products.tolist(),
            built.product_orders.tolist(),
            built.product_weights.tolist(),
            built.product_popularity.tolist(),
            itertools.repeat(False),
            strict=False,
        ),
    )
    done, taken = 0, True
    for block in built.blocks():
        append_segments(connection, store_id, block.neighbours)
        lists = as_lists(block.ranked, platform_ids)
        taken &= store_lists(connection, store_id, PAIRS, lists)
        unlisted -= lists.keys()
        done += len(block.neighbours.products)
        if on_progress:
            on_progress(done, len(built.products))
    taken &= cache.put_lists(store_id, PAIRS, {subject: [] for subject in unlisted})
    publish_best_sellers(connection, store_id)
    if not taken:  # what Redis still holds is old: let it be published again
        connection.exec_driver_sql(
            "UPDATE product_count SET stale = true WHERE store_id = %(store)s", {"store": store_id}
        )
    db.session.commit()
    log.info("model_rebuilt", store_id=store_id, orders=built.orders, products=len(built.products))
    return built.orders


def _rebuild_parameters(connection: Connection, store_id: int) -> Parameters:
    """Return the weighting of a rebuild: the present one, unless settings changed or its epoch is far away."""
    fresh = fresh_parameters(store_id)
    row = read_head(connection, store_id)
    if row is None:
        return fresh
    kept = Parameters((row.epoch - DAY_ZERO).days, row.half_life_days, row.basket_cap)
    age = fresh.epoch_day - kept.epoch_day
    changed = (kept.half_life_days, kept.basket_cap) != (fresh.half_life_days, fresh.basket_cap)
    return fresh if changed or age > _EPOCH_HALF_LIVES * kept.half_life_days else kept


def _refresh_stored_baskets(connection: Connection, store_id: int) -> None:
    """Derive every order's basket from its lines again."""
    connection.exec_driver_sql(
        f"""
        UPDATE orders o SET basket = fresh.basket
        FROM (SELECT o.id, {BASKET_SQL} AS basket FROM orders o WHERE o.store_id = %(store)s) fresh
        WHERE o.id = fresh.id AND o.basket IS DISTINCT FROM fresh.basket
        """,
        {"store": store_id, "sales": [int(s) for s in SALES]},
    )


# One row of PostgreSQL's binary COPY format: a count of fields, then each field's length and value.
# https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
_LINE: Final = np.dtype(
    [
        ("fields", ">i2"),
        ("n0", ">i4"), ("order", ">i8"),
        ("n1", ">i4"), ("day", ">i4"),
        ("n2", ">i4"), ("product", ">i8"),
    ]
)  # fmt: skip
_COPY_HEADER: Final = 19
_COPY_TRAILER: Final = 2


def read_baskets(connection: Connection, store_id: int) -> "Baskets":
    """Return all baskets of a store, read as one block of binary rows."""
    from app.recommendations.ranking import Baskets

    received = io.BytesIO()
    with (
        driver_cursor(connection) as cursor,
        cursor.copy(
            "COPY (SELECT o.id, (o.placed_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01', unnest(o.basket)"
            " FROM orders o WHERE o.store_id = %s ORDER BY o.id) TO STDOUT (FORMAT BINARY)",
            (store_id,),
        ) as copy,
    ):
        for data in copy:
            received.write(data)
    body = received.getbuffer()[_COPY_HEADER:-_COPY_TRAILER]
    lines = np.frombuffer(body, _LINE)
    orders = lines["order"].astype(np.int64)
    starts = np.flatnonzero(np.concatenate(([True], orders[1:] != orders[:-1]))) if len(orders) else orders
    return Baskets(
        indptr=np.append(starts, len(orders)).astype(np.int64),
        products=lines["product"].astype(np.int64),
        days=lines["day"][starts].astype(np.int64),
    )


def _forget(connection: Connection, store_id: int) -> set[str]:
    """Delete a store's counts and lists; return the subjects that had a list of things bought together."""
    for table in ("neighbour_segment", "product_count"):
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE store_id = %(store)s", {"store": store_id})
    return forget_lists(connection, store_id, PAIRS)


def _platform_ids(connection: Connection, store_id: int) -> dict[int, str]:
    rows = connection.exec_driver_sql(
        "SELECT id, platform_id FROM product WHERE store_id = %(store)s", {"store": store_id}
    )
    return {id_: platform_id for id_, platform_id in rows}
