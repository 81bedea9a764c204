"""Publishing anew what orders have changed: the lists of the products that they touched."""

import math
import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog
from sqlalchemy import Connection

from app.core.db import db, lock_store
from app.recommendations import cache, cooccurrence, holding, row_lists
from app.recommendations.counts import PUBLISHING_LOCK, compact, gates_of, read_head
from app.recommendations.pair_lists import LIST_LENGTH, as_lists, publish_best_sellers
from app.recommendations.publishing import store_lists
from app.recommendations.ready_lists import CART_ROWS, PAIRS

if TYPE_CHECKING:  # Numba is imported in jobs only
    from app.recommendations.cart_rows import ItemWeights

log = structlog.get_logger()

_PUBLISH_BATCH: Final = 400
# Publishing gives its worker back after this long.
_TURN_S: Final = 2.0


def publish_stale(store_id: int) -> int:
    """Publish the lists of all products whose counts changed since; return how many.

    Only products that an order touched are published anew. The others' ratios drift with the number of
    orders until the next rebuild, by less than a change of one order makes. A product stays stale where Redis did
    not take its list: the list that Redis still holds would outlive this one. A store that is held publishes what
    the kept model says of them.
    """
    return _publish(store_id, 0, math.inf)[0]


def publish_turn(store_id: int, after: int = 0) -> int | None:
    """Publish as :func:`publish_stale` does, for a turn of a few seconds, products with ids beyond ``after``.

    Returns where to go on, or None where nothing stale is left beyond. A store that sells its whole catalogue in one
    burst has a minute's work here; its worker is wanted elsewhere.
    """
    return _publish(store_id, after, time.monotonic() + _TURN_S)[1]


def _publish(store_id: int, after: int, until: float) -> tuple[int, int | None]:
    """Publish stale products beyond ``after`` until the monotonic clock says ``until``, at least one batch."""
    totals: _Totals | None = None
    published, last = 0, after
    rest: int | None = None
    while rest is None:
        connection = db.session.connection()
        # One at a time, and not while a rebuild replaces what is read here.
        lock_store(connection, store_id, PUBLISHING_LOCK)
        stale = _take_stale(connection, store_id, last)
        if not stale:
            db.session.rollback()
            break
        if holding.held_reason(connection, store_id) is not None:
            _publish_kept(connection, store_id, stale)
        else:
            if totals is None:
                publish_best_sellers(connection, store_id)
            if totals is None or totals.state != _state(connection, store_id):
                totals = _Totals(connection, store_id)
            _publish_products(connection, store_id, stale, totals)
        db.session.commit()
        published, last = published + len(stale), stale[-1]
        if len(stale) == _PUBLISH_BATCH and time.monotonic() >= until:
            rest = last
    if published:
        log.info("lists_published", store_id=store_id, products=published)
    return published, rest


def _take_stale(connection: Connection, store_id: int, after: int) -> list[int]:
    rows = connection.exec_driver_sql(
        "SELECT product_id FROM product_count WHERE store_id = %(store)s AND stale AND product_id > %(after)s"
        f" ORDER BY product_id LIMIT {_PUBLISH_BATCH} FOR UPDATE SKIP LOCKED",
        {"store": store_id, "after": after},
    )
    return [row[0] for row in rows]


def _state(connection: Connection, store_id: int) -> tuple[int, datetime]:
    """Return what changes with everything that is learned."""
    head = read_head(connection, store_id)
    return head.version, head.learned_at


# One product of the totals, as PostgreSQL's int8send writes it.
_TOTAL: Final = np.dtype([("product", ">i8"), ("orders", ">i8"), ("weight", ">i8"), ("popularity", ">i8")])


class _Totals:
    """The counts of all of a store's products, read as one block of bytes: rows of a driver cost far more."""

    def __init__(self, connection: Connection, store_id: int) -> None:
        from app.recommendations import cart_rows, ranking  # Numba: in jobs only

        self.state = _state(connection, store_id)
        packed = connection.exec_driver_sql(
            "SELECT string_agg(int8send(product_id) || int8send(orders) || int8send(weight) || int8send(popularity),"
            " ''::bytea ORDER BY product_id) FROM product_count WHERE store_id = %(store)s",
            {"store": store_id},
        ).scalar_one()
        counts = np.frombuffer(packed or b"", _TOTAL)
        self.products = ranking.ProductTotals(
            counts["product"].astype(np.int64),
            counts["orders"].astype(np.int64),
            counts["weight"].astype(np.int64),
        )
        self.orders = int(read_head(connection, store_id).orders)
        self.popularity = cart_rows.popularity(
            self.products, counts["popularity"].astype(np.int64), self.orders
        )
        self.gates = gates_of(store_id)


def _publish_products(connection: Connection, store_id: int, products: list[int], totals: _Totals) -> None:
    from app.recommendations import cart_rows, ranking

    rows = connection.exec_driver_sql(
        "SELECT id, product_id, packed FROM neighbour_segment WHERE store_id = %(store)s"
        " AND product_id = ANY(%(ids)s::bigint[]) ORDER BY product_id",
        {"store": store_id, "ids": products},
    ).all()
    neighbours = cooccurrence.unpack((row.product_id, row.packed) for row in rows)
    compact(connection, store_id, [(row.id, row.product_id) for row in rows], neighbours)
    ranked = ranking.rank(neighbours, totals.orders, totals.products, totals.gates, LIST_LENGTH)
    best = ranking.rank(neighbours, totals.orders, totals.products, cart_rows.UNGATED, cart_rows.LENGTH)
    item = _published_item_weights(connection, store_id, products)
    carts = cart_rows.assemble(neighbours, best, item, totals.popularity)
    named = np.unique(np.concatenate([ranked.others, carts.others, np.array(products, np.int64)])).tolist()
    platform_ids = _platform_ids(connection, store_id, named)
    none: dict[str, list[cache.Candidate]] = {platform_ids[p]: [] for p in products}
    taken = store_lists(connection, store_id, PAIRS, none | as_lists(ranked, platform_ids))
    taken &= store_lists(
        connection, store_id, CART_ROWS, none | row_lists.as_lists(carts, ranked, platform_ids)
    )
    if not taken:
        return
    _mark_published(connection, store_id, products)
    connection.exec_driver_sql(
        "DELETE FROM product_count WHERE store_id = %(store)s AND product_id = ANY(%(ids)s::bigint[])"
        " AND orders = 0 AND weight = 0",
        {"store": store_id, "ids": products},
    )


def _publish_kept(connection: Connection, store_id: int, products: list[int]) -> None:
    """Give Redis the lists that PostgreSQL keeps of these products, whatever was counted since."""
    subjects = list(_platform_ids(connection, store_id, products).values())
    lists = ((kind, cache.load_lists(connection, store_id, kind, subjects)) for kind in (PAIRS, CART_ROWS))
    if all(cache.put_lists(store_id, kind, found) for kind, found in lists):
        _mark_published(connection, store_id, products)


def _mark_published(connection: Connection, store_id: int, products: list[int]) -> None:
    connection.exec_driver_sql(
        "UPDATE product_count SET stale = false WHERE store_id = %(store)s"
        " AND product_id = ANY(%(ids)s::bigint[])",
        {"store": store_id, "ids": products},
    )


def _published_item_weights(connection: Connection, store_id: int, products: list[int]) -> "ItemWeights":
    """Return what the last rebuild's item model says of these products: their published rows keep it."""
    from app.recommendations import cart_rows

    ids = {platform_id: id_ for id_, platform_id in _platform_ids(connection, store_id, products).items()}
    lists = cache.load_lists(connection, store_id, CART_ROWS, list(ids))
    named = row_lists.named_by_item_model(lists)
    if not named:
        return cart_rows.no_item_model()
    rows = connection.exec_driver_sql(
        "SELECT platform_id, id FROM product WHERE store_id = %(store)s AND platform_id = ANY(%(ids)s::text[])",
        {"store": store_id, "ids": list(named - ids.keys())},
    ).all()
    return row_lists.item_weights_of(lists, ids | {platform_id: id_ for platform_id, id_ in rows})


def _platform_ids(connection: Connection, store_id: int, products: list[int]) -> dict[int, str]:
    rows = connection.exec_driver_sql(
        "SELECT id, platform_id FROM product WHERE store_id = %(store)s AND id = ANY(%(ids)s::bigint[])",
        {"store": store_id, "ids": products},
    ).all()
    return {id_: platform_id for id_, platform_id in rows}
