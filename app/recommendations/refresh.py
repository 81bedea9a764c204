"""Working out, now and then, every ready list that is not kept up order by order.

Orders and visits are read once. Each kind is published in a transaction of its own: one that fails leaves its old lists
in service and the others alone. No name and no identity is read: a customer is a number here, and so is a visitor.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog
from flask import current_app
from rq.timeouts import BaseTimeoutException
from sqlalchemy import Connection

from app.core.config import Settings
from app.core.db import db, now, try_lock_store
from app.events.activity import Visits, visits_of_people
from app.recommendations import cache, purchases, repeats, trending
from app.recommendations.best_sellers import publish_category_best_sellers
from app.recommendations.cache import Candidate
from app.recommendations.counts import day_number, gates_of
from app.recommendations.publishing import forget_lists, replace_lists, store_lists
from app.recommendations.purchases import History
from app.recommendations.ready_lists import REPEATS, SAME_SHOPPERS, TRENDING, VIEWED_TOGETHER, WHOLE_STORE

if TYPE_CHECKING:  # Numba is imported in jobs only
    from app.recommendations.ranking import Gates, Ranked

log = structlog.get_logger()

# The room of the lock that keeps a store's refreshes apart.
REFRESH_LOCK: Final = 7
LIST_LENGTH: Final = 50
# How far back visits are read: what people look for changes faster than what they buy.
_VISITS_REACH: Final = timedelta(days=90)
# Ten visits say as much as one customer who bought both.
_VISIT_WEIGHT: Final = 0.1
# Lists that go to PostgreSQL and Redis at a time.
_BATCH: Final = 2_000

Lists = dict[str, list[Candidate]]


class RefreshFailed(Exception):
    """Some kinds of lists could not be worked out; the log says why. The others were."""


def refresh(store_id: int, on_progress: Callable[[str], None] | None = None) -> None:
    """Work out all of a store's lists of these kinds anew; nothing if somebody else is at it.

    ``on_progress`` is called with the name of each kind before its turn.

    Raises:
        RefreshFailed: after everything else was done, if a kind failed.
    """
    failed = []
    with try_lock_store(store_id, REFRESH_LOCK) as mine:
        if not mine:
            return
        for kind, publish in _kinds(store_id):
            if on_progress is not None:
                on_progress(kind)
            if not _published(store_id, kind, publish):
                failed.append(kind)
    if failed:
        raise RefreshFailed(", ".join(failed))
    log.info("lists_refreshed", store_id=store_id)


def refresh_trending(store_id: int) -> None:
    """Work out anew what trends in a store."""
    publish_trending(db.session.connection(), store_id)
    db.session.commit()


Publish = Callable[[Connection, int], object]


def _kinds(store_id: int) -> Iterator[tuple[str, Publish]]:
    """Yield what is published, by name. The orders are let go before the kinds that read their own."""
    from app.recommendations import cold_start, sets  # they need what only jobs have

    yield TRENDING, publish_trending
    yield "category_best_sellers", publish_category_best_sellers
    yield from _kinds_of_customers(store_id)
    yield "sets", sets.refresh
    yield "cold_start", cold_start.refresh


def _kinds_of_customers(store_id: int) -> Iterator[tuple[str, Publish]]:
    history = purchases.of_store(db.session.connection(), store_id)
    visited = _visits(db.session.connection(), store_id)
    db.session.rollback()
    yield SAME_SHOPPERS, lambda connection, store: publish_same_shoppers(connection, store, history, visited)
    yield VIEWED_TOGETHER, lambda connection, store: publish_viewed_together(connection, store, visited)
    yield REPEATS, lambda connection, store: publish_repeats(connection, store, history)


def _published(store_id: int, kind: str, publish: Publish) -> bool:
    try:
        publish(db.session.connection(), store_id)
        db.session.commit()
    except BaseTimeoutException:
        raise  # the worker's time is up, for all kinds
    except Exception:
        db.session.rollback()
        log.exception("refresh_failed", store_id=store_id, kind=kind)
        return False
    return True


# --- trending -------------------------------------------------------------------------------------------


def publish_trending(connection: Connection, store_id: int) -> None:
    """Publish what trends today, reading the orders of the windows alone. The caller commits."""
    today = day_number(now())
    history = purchases.of_store(connection, store_id, today - trending.REACH_DAYS + 1)
    start = trending.long_window_start(history.days, today)
    older = _bought_before(connection, store_id, _possible(history, today), start)
    found = trending.trending(history, today, older, limit=LIST_LENGTH)
    names = _platform_ids(connection, store_id, (trend.product for trend in found))
    items = [
        {
            "id": names[trend.product],
            "orders": trend.orders,
            "before": round(trend.before, 1),
            "growth": round(trend.growth, 2),
            "score": float(f"{trend.score:.6g}"),
        }
        for trend in found
    ]
    replace_lists(connection, store_id, TRENDING, {WHOLE_STORE: items})


def _possible(history: History, today: int) -> list[int]:
    """Return the products with enough recent orders to trend in any window."""
    recent = history.by_line(today - history.days < trending.WINDOWS[-1].short)
    products, orders = np.unique(history.products[recent], return_counts=True)
    return [int(product) for product in products[orders >= trending.MIN_ORDERS]]


def _bought_before(connection: Connection, store_id: int, products: list[int], day: int) -> set[int]:
    """Return which of these products a sale holds that was placed before a UTC day."""
    rows = connection.exec_driver_sql(
        """
        SELECT p.id FROM unnest(%(ids)s::bigint[]) AS p(id) CROSS JOIN LATERAL (
            SELECT FROM order_line l JOIN orders o ON o.id = l.order_id
            WHERE l.store_id = %(store)s AND l.product_id = p.id AND o.placed_at < %(before)s
                AND p.id = ANY(o.basket)
            LIMIT 1) older
        """,
        {"store": store_id, "ids": products, "before": purchases.day_start(day)},
    )
    return {row[0] for row in rows}


# --- same shoppers --------------------------------------------------------------------------------------


def publish_same_shoppers(connection: Connection, store_id: int, history: History, visited: Visits) -> None:
    """Publish what is bought by the same customers in different orders. The caller commits.

    What was looked at together moves the scores, and decides neither what is shown nor what is said of it.
    """
    gates = gates_of(store_id)
    names = _platform_ids(connection, store_id)
    _replace(connection, store_id, SAME_SHOPPERS, _same_shopper_lists(history, visited, gates, names))


def _same_shopper_lists(
    history: History, visited: Visits, gates: "Gates", names: dict[int, str]
) -> Iterator[Lists]:
    from app.recommendations.same_shoppers import returning_customers, same_shoppers, sessions

    also = [(sessions(visited.indptr, visited.products), _VISIT_WEIGHT)]
    for ranked in same_shoppers(returning_customers(history), gates, LIST_LENGTH, also):
        yield from _batches(_lists_of(ranked, names, "customers"))


# --- viewed together ------------------------------------------------------------------------------------


def publish_viewed_together(connection: Connection, store_id: int, visited: Visits) -> None:
    """Publish what the same people look at. The caller commits."""
    gates = gates_of(store_id)
    gates = replace(gates, min_orders=max(gates.min_orders, _settings().least_people))
    names = _platform_ids(connection, store_id)
    _replace(connection, store_id, VIEWED_TOGETHER, _viewed_lists(visited, gates, names))


def _viewed_lists(visited: Visits, gates: "Gates", names: dict[int, str]) -> Iterator[Lists]:
    from app.recommendations.same_shoppers import same_shoppers, sessions, viewers

    people = viewers(*visited)
    also = [(sessions(visited.indptr, visited.products), 1.0)]
    for ranked in same_shoppers(people, gates, LIST_LENGTH, also):
        yield from _batches(_lists_of(ranked, names, "people"))


def _visits(connection: Connection, store_id: int) -> Visits:
    """Return the visits of the last months, as far as events are kept."""
    return visits_of_people(connection, store_id, now() - _VISITS_REACH)


def _settings() -> Settings:
    found: Settings = current_app.extensions["pannier_settings"]
    return found


def _lists_of(ranked: "Ranked", names: dict[int, str], counted: str) -> Iterator[tuple[str, list[Candidate]]]:
    """Yield lists; ``counted`` is the name under which the evidence tells how many people there are."""
    for row, product in enumerate(ranked.products.tolist()):
        span = slice(ranked.indptr[row], ranked.indptr[row + 1])
        items = [
            {
                "id": names[other],
                counted: people,
                "lift": round(lift, 2),
                "llr": round(llr, 1),
                "score": float(f"{score:.6g}"),
            }
            for other, people, lift, llr, score in zip(
                ranked.others[span].tolist(),
                ranked.orders[span].tolist(),
                ranked.lift[span].tolist(),
                ranked.llr[span].tolist(),
                ranked.score[span].tolist(),
                strict=True,
            )
        ]
        if items:
            yield names[product], items


# --- repeats --------------------------------------------------------------------------------------------


def publish_repeats(connection: Connection, store_id: int, history: History) -> None:
    """Publish how each product is bought again, and as the whole store's how all of them are. The caller commits."""
    names, categories = _platform_ids(connection, store_id), _categories(connection, store_id)
    found = repeats.repeats(history, day_number(now()), categories)
    by_name = [(names[product], repeat) for product, repeat in found.products.items()]
    if found.store is not None:
        by_name.append((WHOLE_STORE, found.store))
    lists = ((name, [_repeat_item(repeat)]) for name, repeat in by_name)
    _replace(connection, store_id, REPEATS, _batches(lists))


def _repeat_item(repeat: repeats.Repeat) -> Candidate:
    return {
        "days": repeat.days,
        "spread": repeat.spread,
        "customers": repeat.customers,
        "share": repeat.share,
    }


# --- reading, writing -----------------------------------------------------------------------------------


def _platform_ids(
    connection: Connection, store_id: int, products: Iterable[int] | None = None
) -> dict[int, str]:
    """Return the platform's ids of a store's products, or of some of them."""
    wanted = None if products is None else list(products)
    rows = connection.exec_driver_sql(
        "SELECT id, platform_id FROM product WHERE store_id = %(store)s"
        " AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s::bigint[]))",
        {"store": store_id, "ids": wanted},
    )
    return {id_: platform_id for id_, platform_id in rows}


def _categories(connection: Connection, store_id: int) -> dict[int, str]:
    rows = connection.exec_driver_sql(
        "SELECT id, category FROM product WHERE store_id = %(store)s AND category <> ''", {"store": store_id}
    )
    return {id_: category for id_, category in rows}


def _batches(lists: Iterable[tuple[str, list[Candidate]]]) -> Iterator[Lists]:
    batch: Lists = {}
    for subject, items in lists:
        batch[subject] = items
        if len(batch) == _BATCH:
            yield batch
            batch = {}
    if batch:
        yield batch


def _replace(connection: Connection, store_id: int, kind: str, batches: Iterable[Lists]) -> None:
    """Make these lists all that a store has of a kind, a batch at a time in one transaction."""
    gone = forget_lists(connection, store_id, kind)
    for lists in batches:
        store_lists(connection, store_id, kind, lists)
        gone -= lists.keys()
    cache.put_lists(store_id, kind, {subject: [] for subject in gone})
