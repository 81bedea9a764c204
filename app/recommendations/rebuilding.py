"""Counting a store's orders anew, and publishing every list that follows from them."""

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import structlog
from sqlalchemy import Connection

from app.commerce.changes import SALES
from app.commerce.ingest import BASKET_SQL, lock_commerce
from app.core.db import db, lock_store
from app.recommendations import cache, gate, holding, row_lists
from app.recommendations.blends import stored_ranking
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
from app.recommendations.publishing import forget_lists, write_lists
from app.recommendations.ready_lists import CART_ROWS, PAIRS

if TYPE_CHECKING:  # Numba is imported in jobs only
    from app.recommendations.cart_rows import ItemWeights
    from app.recommendations.challenger import Challenger
    from app.recommendations.indexing import Baskets
    from app.recommendations.ranking import Counted, Gates

log = structlog.get_logger()

# Weights are fixed point with 16 fractional bits and grow with the days since the epoch. A rebuild moves the
# epoch long before the exponent reaches its limit of 16 half-lives.
_EPOCH_HALF_LIVES: Final = 8
# Lists that are handed to Redis at a time.
_PAGE: Final = 500


class Engine(Protocol):
    """What counts a store's orders and ranks its pairs: this process, or a cluster."""

    def __call__(
        self, connection: Connection, store_id: int, parameters: Parameters, gates: "Gates", limit: int
    ) -> "Counted":
        """Count all baskets of a store, and keep ``limit`` others of each product.

        ``connection`` is inside the rebuild's transaction: it alone sees the baskets that the rebuild has just
        derived anew (``orders.basket``). Whatever the engine, equal baskets must give equal results, blocks in
        the order of ids.
        """
        ...


def count_here(
    connection: Connection, store_id: int, parameters: Parameters, gates: "Gates", limit: int
) -> "Counted":
    """Count in this process: the engine unless another is asked for."""
    from app.recommendations import ranking  # Numba: in jobs only

    return ranking.rebuild(parameters, read_baskets(connection, store_id), gates, limit)


def rebuild(
    store_id: int,
    on_progress: Callable[[int, int], None] | None = None,
    engine: Engine = count_here,
    *,
    force: bool = False,
) -> int:
    """Count a store's orders anew from their lines and publish every list; return the number of orders.

    Intake goes on meanwhile; applying and publishing wait. Readers see the old lists until the new ones are
    committed. Then Redis is given the new ones; should that not come to an end, their products are stale and the
    next publication makes up for it.

    Lists that answer worse than those before are not published (see :mod:`app.recommendations.gate`), unless
    ``force`` says so: the counts stand, the kept model's lists answer.
    ``on_progress`` is called with (products done, products in all).
    """
    connection = db.session.connection()
    lock_commerce(connection, store_id)
    lock_store(connection, store_id, PUBLISHING_LOCK)
    parameters = _rebuild_parameters(connection, store_id)
    _refresh_stored_baskets(connection, store_id)
    built = engine(connection, store_id, parameters, gates_of(store_id), LIST_LENGTH)
    test = gate.prepare(connection, store_id, parameters, built.orders)
    challenger, unlisted = _replace_counts(connection, store_id, parameters, built, test, on_progress)
    unlisted = gate.decide(connection, store_id, test, challenger, unlisted, force=force)
    transaction = connection.exec_driver_sql("SELECT pg_current_xact_id()::xid::text").scalar_one()
    db.session.commit()
    log.info("model_rebuilt", store_id=store_id, orders=built.orders, products=len(built.products))
    _hand_to_redis(store_id, transaction, unlisted)
    return built.orders


def _replace_counts(
    connection: Connection,
    store_id: int,
    parameters: Parameters,
    built: "Counted",
    test: gate.Test,
    on_progress: Callable[[int, int], None] | None,
) -> "tuple[Challenger | None, set[str]]":
    """Write counts and lists in place of a store's old ones.

    Returns the model without the orders of the test, if there is one, and the subjects that have no list any more.
    """
    from app.recommendations import cart_rows, ranking  # Numba: in jobs only

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
            itertools.repeat(True),  # until Redis has their lists
            strict=False,
        ),
    )
    done = 0
    popular = cart_rows.popularity_of(built)
    item, challenger = _challenged(store_id, built, test, platform_ids)
    for block in built.blocks():
        append_segments(connection, store_id, block.neighbours)
        lists = as_lists(block.ranked, platform_ids)
        write_lists(connection, store_id, PAIRS, lists)
        best = ranking.rank(
            block.neighbours, built.orders, built.totals(), cart_rows.UNGATED, cart_rows.LENGTH
        )
        carts = cart_rows.assemble(block.neighbours, best, item, popular)
        rows = row_lists.as_lists(carts, block.ranked, platform_ids)
        write_lists(connection, store_id, CART_ROWS, rows)
        if challenger is not None:
            challenger.take(block.neighbours)
        unlisted -= rows.keys()
        done += len(block.neighbours.products)
        if on_progress:
            on_progress(done, len(built.products))
    return challenger, unlisted


def _challenged(
    store_id: int, built: "Counted", test: gate.Test, platform_ids: dict[int, str]
) -> "tuple[ItemWeights, Challenger | None]":
    """Return the item model, and where anything is worth asking the model that lacks the orders of the test."""
    from app.recommendations import cart_rows  # Numba: in jobs only
    from app.recommendations.challenger import challenge

    ridge = (stored_ranking(store_id) or {}).get("ridge")
    if not test.worth_asking:
        item = cart_rows.learn_item_model(built, ridge) if ridge else cart_rows.no_item_model()
        return item, None
    subjects = test.subjects
    wanted = np.array([id_ for id_, name in platform_ids.items() if name in subjects], np.int64)
    item = tested = cart_rows.no_item_model()
    if ridge:
        orders = cart_rows.Removed([order.basket for order in test.asked], test.weights())
        item, tested = cart_rows.learn_item_models(built, ridge, orders, wanted)
    return item, challenge(built, test.removed(), wanted, tested, platform_ids)


def _hand_to_redis(store_id: int, transaction: str, unlisted: set[str]) -> None:
    """Put a rebuild's lists into Redis, page by page, and mark their products as published.

    ``transaction`` wrote the counts. A product whose row another has written since was touched by an order or
    published by somebody else, and is not ours to mark.
    """
    if holding.held_reason(db.session.connection(), store_id) is not None:
        holding.hand_out(store_id, unlisted)
        return
    publish_best_sellers(db.session.connection(), store_id)
    db.session.commit()
    gone: dict[str, list[cache.Candidate]] = {subject: [] for subject in unlisted}
    if not all(cache.put_lists(store_id, kind, gone) for kind in (PAIRS, CART_ROWS)):
        return
    last = 0
    while True:
        connection = db.session.connection()
        lock_store(connection, store_id, PUBLISHING_LOCK)  # no list may overtake a newer one
        rows = connection.exec_driver_sql(
            "SELECT c.product_id, p.platform_id FROM product_count c JOIN product p ON p.id = c.product_id"
            " WHERE c.store_id = %(store)s AND c.product_id > %(last)s AND c.xmin = %(transaction)s::text::xid"
            f" ORDER BY c.product_id LIMIT {_PAGE}",
            {"store": store_id, "last": last, "transaction": transaction},
        ).all()
        subjects = [row.platform_id for row in rows]
        if not rows or not all(
            cache.put_lists(store_id, kind, cache.load_lists(connection, store_id, kind, subjects))
            for kind in (PAIRS, CART_ROWS)
        ):
            db.session.rollback()
            return
        last = rows[-1].product_id
        connection.exec_driver_sql(
            "UPDATE product_count SET stale = false WHERE store_id = %(store)s AND xmin = %(transaction)s::text::xid"
            " AND product_id = ANY(%(ids)s::bigint[])",
            {"store": store_id, "ids": [row.product_id for row in rows], "transaction": transaction},
        )
        db.session.commit()


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


# PostgreSQL's binary COPY format sends one message per row, the header before the first one.
# https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS,
# https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
# A row of (int4, bigint[]): a count of fields (2 bytes), the day's length and value (4 + 4), the array's length
# (4) and head (dimensions, flags, type, size, lower bound: 20); then each element's length (4) and value (8).
_COPY_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
_COPY_HEADER: Final = 19
_COPY_TRAILER: Final = b"\xff\xff"
_DAY: Final = slice(6, 10)
_ELEMENTS: Final = 34
_ELEMENT: Final = np.dtype([("length", ">i4"), ("value", ">i8")])
_ROWS: Final = 20_000


def read_baskets(connection: Connection, store_id: int) -> "Baskets":
    """Return all baskets of a store's orders that hold anything, in the order of the orders' ids.

    Rows are taken over in batches as they arrive, so that memory stays close to the arrays returned: 8 bytes
    per line and 16 per order.
    """
    from app.recommendations.indexing import Baskets

    sizes, products, days = ([np.zeros(length, np.int64)] for length in (1, 0, 0))
    for batch in basket_batches(connection, store_id):
        sizes.append(np.diff(batch.indptr))
        products.append(batch.products)
        days.append(batch.days)
    return Baskets(np.cumsum(np.concatenate(sizes)), np.concatenate(products), np.concatenate(days))


def basket_batches(connection: Connection, store_id: int) -> Iterator["Baskets"]:
    """Yield the baskets of :func:`read_baskets`, some thousands of orders at a time."""
    from app.recommendations.indexing import Baskets

    for batch in _basket_rows(connection, store_id):
        sizes = [(len(row) - _ELEMENTS) // _ELEMENT.itemsize for row in batch]
        elements = np.frombuffer(b"".join([row[_ELEMENTS:] for row in batch]), _ELEMENT)
        yield Baskets(
            indptr=np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))),
            products=elements["value"].astype(np.int64),
            days=np.frombuffer(b"".join([row[_DAY] for row in batch]), ">i4").astype(np.int64),
        )


def _basket_rows(connection: Connection, store_id: int) -> Iterator[list[bytes]]:
    """Yield batches of rows (day, basket) in binary form."""
    batch: list[bytes] = []
    with (
        driver_cursor(connection) as cursor,
        cursor.copy(
            "COPY (SELECT (o.placed_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01', o.basket FROM orders o"
            " WHERE o.store_id = %s AND cardinality(o.basket) > 0 ORDER BY o.id) TO STDOUT (FORMAT BINARY)",
            (store_id,),
        ) as copy,
    ):
        for message in copy:
            row = bytes(message)
            if row.startswith(_COPY_SIGNATURE):
                row = row[_COPY_HEADER:]
            if row in (b"", _COPY_TRAILER):
                continue
            batch.append(row)
            if len(batch) == _ROWS:
                yield batch
                batch = []
    if batch:
        yield batch


def _forget(connection: Connection, store_id: int) -> set[str]:
    """Delete a store's counts and lists; return the subjects that had a list or a row."""
    for table in ("neighbour_segment", "product_count"):
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE store_id = %(store)s", {"store": store_id})
    return forget_lists(connection, store_id, PAIRS) | forget_lists(connection, store_id, CART_ROWS)


def _platform_ids(connection: Connection, store_id: int) -> dict[int, str]:
    rows = connection.exec_driver_sql(
        "SELECT id, platform_id FROM product WHERE store_id = %(store)s", {"store": store_id}
    )
    return {id_: platform_id for id_, platform_id in rows}
