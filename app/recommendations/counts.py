"""A store's counts in PostgreSQL: how they are weighted, and the segments that hold its pairs."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psycopg
from sqlalchemy import Connection

from app.commerce.store import Store
from app.core.db import db, now
from app.recommendations import cooccurrence
from app.recommendations.cooccurrence import Neighbours, Parameters

if TYPE_CHECKING:  # Numba is imported in jobs only
    from app.recommendations.ranking import Gates

# The room of the lock that publishing and rebuilding share.
PUBLISHING_LOCK: Final = 3
# Compact a product's counts when they lie in more than this many segments.
_SEGMENTS: Final = 16
DAY_ZERO: Final = date(1970, 1, 1)


def day_number(at: datetime) -> int:
    """Return the UTC day of ``at``, counted from 1970-01-01."""
    return (at.astimezone(UTC).date() - DAY_ZERO).days


def settled_parameters(connection: Connection, store_id: int) -> Parameters:
    """Return how the store's counts are weighted, settling it with the first order."""
    row = read_head(connection, store_id)
    if row is None:
        fresh = fresh_parameters(store_id)
        write_head(connection, store_id, fresh, orders=0)
        return fresh
    return Parameters((row.epoch - DAY_ZERO).days, row.half_life_days, row.basket_cap)


def read_head(connection: Connection, store_id: int) -> Any:
    """Return the store's row of ``learned_model``; None if it has learned nothing."""
    return connection.exec_driver_sql(
        "SELECT epoch, half_life_days, basket_cap, orders, version, learned_at FROM learned_model"
        " WHERE store_id = %(store)s",
        {"store": store_id},
    ).first()


def gates_of(store_id: int) -> "Gates":
    """Return what the store lets be shown."""
    from app.recommendations.ranking import Gates

    store = db.session.get_one(Store, store_id)
    return Gates(int(store.setting("min_orders")), store.setting("min_lift"), store.setting("min_llr"))


def fresh_parameters(store_id: int) -> Parameters:
    """Return how the store's settings would have orders weighted from today on."""
    store = db.session.get_one(Store, store_id)
    return Parameters(
        epoch_day=day_number(now()),
        half_life_days=store.setting("half_life_days"),
        basket_cap=int(store.setting("basket_cap")),
    )


def write_head(connection: Connection, store_id: int, parameters: Parameters, *, orders: int) -> None:
    """Write how a store's counts are weighted, and that they hold so many orders, as a new version."""
    connection.exec_driver_sql(
        """
        INSERT INTO learned_model AS m (store_id, epoch, half_life_days, basket_cap, orders, version)
        VALUES (%(store)s, %(epoch)s, %(half_life)s, %(cap)s, %(orders)s, 1)
        ON CONFLICT (store_id) DO UPDATE SET epoch = excluded.epoch, half_life_days = excluded.half_life_days,
            basket_cap = excluded.basket_cap, orders = excluded.orders, version = m.version + 1,
            rebuilt_at = now(), learned_at = now()
        """,
        {
            "store": store_id,
            "epoch": DAY_ZERO + timedelta(days=parameters.epoch_day),
            "half_life": parameters.half_life_days,
            "cap": parameters.basket_cap,
            "orders": orders,
        },
    )


def append_segments(connection: Connection, store_id: int, neighbours: Neighbours) -> None:
    """Add pair counts to those of a store, one segment for each product."""
    segments = cooccurrence.pack(neighbours)
    copy_rows(
        connection,
        "neighbour_segment (store_id, product_id, packed)",
        ["int8", "int8", "bytea"],
        ((store_id, product, packed) for product, packed in segments),
    )


def compact(
    connection: Connection, store_id: int, segments: Sequence[tuple[int, int]], neighbours: Neighbours
) -> None:
    """Replace the segments of products that have many by their sum.

    ``segments`` are (segment id, product id) sorted by product. A product is compacted only by the transaction that
    deleted all of the segments which it summed, so two at once cannot count one twice.
    """
    by_product: dict[int, list[int]] = {}
    for segment_id, product_id in segments:
        by_product.setdefault(product_id, []).append(segment_id)
    many = {p: ids for p, ids in by_product.items() if len(ids) > _SEGMENTS}
    if not many:
        return
    connection.exec_driver_sql(
        "DELETE FROM neighbour_segment WHERE id = ANY(%(ids)s::bigint[])",
        {"ids": [segment for ids in many.values() for segment in ids]},
    )
    append_segments(connection, store_id, neighbours.select(np.array(sorted(many), np.int64)))


def copy_rows(connection: Connection, target: str, types: list[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Write rows to ``target``, a table and its columns, whose types are the driver's names."""
    with (
        driver_cursor(connection) as cursor,
        cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def driver_cursor(connection: Connection) -> "psycopg.Cursor[Any]":
    """Return a cursor of the driver, for COPY, inside the connection's transaction."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    return raw.cursor()
