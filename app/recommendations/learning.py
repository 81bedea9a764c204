"""Learning what is bought together: order by order, and rebuilt whole.

``learn`` runs inside the transaction that changes the orders, so counts and orders cannot drift apart.
``publish_stale`` turns counts into ready lists afterwards. ``rebuild`` counts everything anew from the order
lines; all sums are integers, so it ends in the same numbers (see docs/learning.md).
"""

import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psycopg
import structlog
from sqlalchemy import Connection

from app.commerce.changes import SALES
from app.commerce.ingest import BASKET_SQL, BasketChange, lock_commerce
from app.commerce.store import Store
from app.core.db import db, execute_rows, lock_store, now
from app.recommendations import cache, cooccurrence
from app.recommendations.cooccurrence import Contribution, Neighbours, Parameters
from app.recommendations.publishing import forget_lists, store_lists
from app.recommendations.ready_lists import BEST_SELLERS, PAIRS, WHOLE_STORE

if TYPE_CHECKING:  # Numba is imported in jobs only
    from app.recommendations.ranking import Baskets, Gates, Ranked

log = structlog.get_logger()

LIST_LENGTH: Final = 50
_BEST_SELLERS: Final = 100
_PUBLISH_BATCH: Final = 400
# Compact a product's counts when they lie in more than this many segments.
_SEGMENTS: Final = 16
# Weights are fixed point with 16 fractional bits and grow with the days since the epoch. A rebuild moves the
# epoch long before the exponent reaches its limit of 16 half-lives.
_EPOCH_HALF_LIVES: Final = 8
_DAY_ZERO: Final = date(1970, 1, 1)
_PUBLISHING_LOCK: Final = 3


def learn(connection: Connection, store_id: int, baskets: Sequence[BasketChange]) -> None:
    """Take basket changes of a store into its counts, inside the caller's transaction."""
    contributions = list(_contributions(baskets))
    if not contributions:
        return
    parameters = _parameters(connection, store_id)
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
    _append_segments(connection, store_id, increment.neighbours)
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


def day_number(at: datetime) -> int:
    """Return the UTC day of ``at``, counted from 1970-01-01."""
    return (at.astimezone(UTC).date() - _DAY_ZERO).days


def _append_segments(connection: Connection, store_id: int, neighbours: Neighbours) -> None:
    segments = cooccurrence.pack(neighbours)
    _copy(
        connection,
        "neighbour_segment (store_id, product_id, packed)",
        ["int8", "int8", "bytea"],
        ((store_id, product, packed) for product, packed in segments),
    )


def _parameters(connection: Connection, store_id: int) -> Parameters:
    """Return how the store's counts are weighted, settling it with the first order."""
    row = _head(connection, store_id)
    if row is None:
        fresh = _fresh_parameters(store_id)
        _write_head(connection, store_id, fresh, orders=0)
        return fresh
    return Parameters((row.epoch - _DAY_ZERO).days, row.half_life_days, row.basket_cap)


def _head(connection: Connection, store_id: int) -> Any:
    return connection.exec_driver_sql(
        "SELECT epoch, half_life_days, basket_cap, orders, version, learned_at FROM learned_model"
        " WHERE store_id = %(store)s",
        {"store": store_id},
    ).first()


def _gates(store_id: int) -> "Gates":
    """Return what the store lets be shown."""
    from app.recommendations.ranking import Gates

    store = db.session.get_one(Store, store_id)
    return Gates(int(store.setting("min_orders")), store.setting("min_lift"), store.setting("min_llr"))


def _fresh_parameters(store_id: int) -> Parameters:
    store = db.session.get_one(Store, store_id)
    return Parameters(
        epoch_day=day_number(now()),
        half_life_days=store.setting("half_life_days"),
        basket_cap=int(store.setting("basket_cap")),
    )


def _write_head(connection: Connection, store_id: int, parameters: Parameters, *, orders: int) -> None:
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
            "epoch": _DAY_ZERO + timedelta(days=parameters.epoch_day),
            "half_life": parameters.half_life_days,
            "cap": parameters.basket_cap,
            "orders": orders,
        },
    )


# --- publishing -----------------------------------------------------------------------------------------


def publish_stale(store_id: int) -> int:
    """Publish the lists of all products whose counts changed since; return how many.

    Only products that an order touched are published anew. The others' ratios drift with the number of
    orders until the next rebuild, by less than a change of one order makes. A product stays stale where Redis did
    not take its list: the list that Redis still holds would outlive this one.
    """
    totals: _Totals | None = None
    published, last = 0, 0
    while True:
        connection = db.session.connection()
        # One at a time, and not while a rebuild replaces what is read here.
        lock_store(connection, store_id, _PUBLISHING_LOCK)
        stale = _take_stale(connection, store_id, last)
        if not stale:
            db.session.rollback()
            break
        if totals is None:
            _publish_best_sellers(connection, store_id)
        if totals is None or totals.state != _state(connection, store_id):
            totals = _Totals(connection, store_id)
        _publish_products(connection, store_id, stale, totals)
        db.session.commit()
        published, last = published + len(stale), stale[-1]
    if published:
        log.info("lists_published", store_id=store_id, products=published)
    return published


def _take_stale(connection: Connection, store_id: int, after: int) -> list[int]:
    rows = connection.exec_driver_sql(
        "SELECT product_id FROM product_count WHERE store_id = %(store)s AND stale AND product_id > %(after)s"
        f" ORDER BY product_id LIMIT {_PUBLISH_BATCH} FOR UPDATE SKIP LOCKED",
        {"store": store_id, "after": after},
    )
    return [row[0] for row in rows]


def _state(connection: Connection, store_id: int) -> tuple[int, datetime]:
    """Return what changes with everything that is learned."""
    head = _head(connection, store_id)
    return head.version, head.learned_at


class _Totals:
    """The counts of all of a store's products, and their platform ids."""

    def __init__(self, connection: Connection, store_id: int) -> None:
        from app.recommendations import ranking  # Numba: in jobs only

        self.state = _state(connection, store_id)
        rows = connection.exec_driver_sql(
            "SELECT c.product_id, c.orders, c.weight, p.platform_id FROM product_count c"
            " JOIN product p ON p.id = c.product_id WHERE c.store_id = %(store)s ORDER BY c.product_id",
            {"store": store_id},
        ).all()
        self.products = ranking.ProductTotals(
            np.array([r[0] for r in rows], np.int64),
            np.array([r[1] for r in rows], np.int64),
            np.array([r[2] for r in rows], np.int64),
        )
        self.platform_ids: dict[int, str] = {r[0]: r[3] for r in rows}
        self.orders = int(_head(connection, store_id).orders)
        self.gates = _gates(store_id)


def _publish_products(connection: Connection, store_id: int, products: list[int], totals: _Totals) -> None:
    from app.recommendations import ranking

    rows = connection.exec_driver_sql(
        "SELECT id, product_id, packed FROM neighbour_segment WHERE store_id = %(store)s"
        " AND product_id = ANY(%(ids)s::bigint[]) ORDER BY product_id",
        {"store": store_id, "ids": products},
    ).all()
    neighbours = cooccurrence.unpack((row.product_id, row.packed) for row in rows)
    _compact(connection, store_id, [(row.id, row.product_id) for row in rows], neighbours)
    ranked = ranking.rank(neighbours, totals.orders, totals.products, totals.gates, LIST_LENGTH)
    lists: dict[str, list[cache.Candidate]] = {totals.platform_ids[p]: [] for p in products}
    lists |= as_lists(ranked, totals.platform_ids)
    if not store_lists(connection, store_id, PAIRS, lists):
        return
    connection.exec_driver_sql(
        "UPDATE product_count SET stale = false WHERE store_id = %(store)s"
        " AND product_id = ANY(%(ids)s::bigint[])",
        {"store": store_id, "ids": products},
    )
    connection.exec_driver_sql(
        "DELETE FROM product_count WHERE store_id = %(store)s AND product_id = ANY(%(ids)s::bigint[])"
        " AND orders = 0 AND weight = 0",
        {"store": store_id, "ids": products},
    )


def as_lists(ranked: "Ranked", platform_ids: dict[int, str]) -> dict[str, list[cache.Candidate]]:
    """Return ranked neighbours as the lists that are published, by the platform's ids."""
    lists: dict[str, list[cache.Candidate]] = {}
    for row, product in enumerate(ranked.products.tolist()):
        span = slice(ranked.indptr[row], ranked.indptr[row + 1])
        lists[platform_ids[product]] = [
            {
                "id": platform_ids[other],
                "orders": orders,
                "confidence": round(confidence, 4),
                "lift": round(lift, 2),
                "llr": round(llr, 1),
                "score": float(f"{score:.6g}"),
            }
            for other, orders, confidence, lift, llr, score in zip(
                ranked.others[span].tolist(),
                ranked.orders[span].tolist(),
                ranked.confidence[span].tolist(),
                ranked.lift[span].tolist(),
                ranked.llr[span].tolist(),
                ranked.score[span].tolist(),
                strict=True,
            )
        ]
    return lists


def _compact(
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
    _append_segments(connection, store_id, neighbours.select(np.array(sorted(many), np.int64)))


def _publish_best_sellers(connection: Connection, store_id: int) -> None:
    rows = connection.exec_driver_sql(
        "SELECT p.platform_id, c.orders FROM product_count c JOIN product p ON p.id = c.product_id"
        " WHERE c.store_id = %(store)s AND c.orders > 0 ORDER BY c.popularity DESC, c.product_id"
        f" LIMIT {_BEST_SELLERS}",
        {"store": store_id},
    )
    items = [{"id": platform_id, "orders": orders} for platform_id, orders in rows]
    store_lists(connection, store_id, BEST_SELLERS, {WHOLE_STORE: items})


# --- rebuild --------------------------------------------------------------------------------------------


def rebuild(store_id: int, on_progress: Callable[[int, int], None] | None = None) -> int:
    """Count a store's orders anew from their lines and publish every list; return the number of orders.

    Intake goes on meanwhile; applying and publishing wait. Readers of PostgreSQL see the old lists until the new
    ones are committed; Redis gets each as it is made.
    ``on_progress`` is called with (products done, products in all).
    """
    from app.recommendations import ranking  # Numba: in jobs only

    connection = db.session.connection()
    lock_commerce(connection, store_id)
    lock_store(connection, store_id, _PUBLISHING_LOCK)
    parameters = _rebuild_parameters(connection, store_id)
    _refresh_stored_baskets(connection, store_id)
    baskets = _read_baskets(connection, store_id)
    built = ranking.rebuild(parameters, baskets, _gates(store_id), LIST_LENGTH)
    platform_ids = _platform_ids(connection, store_id)
    unlisted = _forget(connection, store_id)
    _write_head(connection, store_id, parameters, orders=built.orders)
    _copy(
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
        _append_segments(connection, store_id, block.neighbours)
        lists = as_lists(block.ranked, platform_ids)
        taken &= store_lists(connection, store_id, PAIRS, lists)
        unlisted -= lists.keys()
        done += len(block.neighbours.products)
        if on_progress:
            on_progress(done, len(built.products))
    taken &= cache.put_lists(store_id, PAIRS, {subject: [] for subject in unlisted})
    _publish_best_sellers(connection, store_id)
    if not taken:  # what Redis still holds is old: let it be published again
        connection.exec_driver_sql(
            "UPDATE product_count SET stale = true WHERE store_id = %(store)s", {"store": store_id}
        )
    db.session.commit()
    log.info("model_rebuilt", store_id=store_id, orders=built.orders, products=len(built.products))
    return built.orders


def _rebuild_parameters(connection: Connection, store_id: int) -> Parameters:
    """Return the weighting of a rebuild: the present one, unless settings changed or its epoch is far away."""
    fresh = _fresh_parameters(store_id)
    row = _head(connection, store_id)
    if row is None:
        return fresh
    kept = Parameters((row.epoch - _DAY_ZERO).days, row.half_life_days, row.basket_cap)
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


def _read_baskets(connection: Connection, store_id: int) -> "Baskets":
    """Return all baskets of a store, read as one block of binary rows."""
    from app.recommendations.ranking import Baskets

    received = io.BytesIO()
    with (
        _cursor(connection) as cursor,
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


def _copy(connection: Connection, target: str, types: list[str], rows: Iterable[tuple[Any, ...]]) -> None:
    with _cursor(connection) as cursor, cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def _cursor(connection: Connection) -> "psycopg.Cursor[Any]":
    """Return a cursor of the driver, for COPY, inside the connection's transaction."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    return raw.cursor()
