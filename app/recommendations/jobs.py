"""RQ entry points of learning: ids in, nothing out."""

import time
from typing import Any, Final

from sqlalchemy import select

from app.commerce.store import Store
from app.core.db import db
from app.core.queues import LEARNING, enqueue
from app.core.redis import breaker, redis_client
from app.recommendations import described, learning, tuning_jobs
from app.recommendations import refresh as refreshing
from app.recommendations.models import LearnedModel, ProductCount

REBUILD: Final = "app.recommendations.jobs.rebuild"
PUBLISH: Final = "app.recommendations.jobs.publish"
TUNE: Final = "app.recommendations.jobs.tune"
REFRESH: Final = "app.recommendations.jobs.refresh"
REFRESH_TRENDING: Final = "app.recommendations.jobs.refresh_trending"
REBUILD_TIMEOUT_S: Final = 3600
# A store that has grown so much since its last refresh is refreshed at once, or after an hour.
_GROWN_MUCH: Final = 1.5
_GROWN: Final = 1.1
_HOUR_S: Final = 3600
# Longer than from one night to the next.
_REMEMBERED_S: Final = 2 * 86_400


def rebuild(store_id: int) -> None:
    """Count a store's orders anew and publish every list."""
    learning.rebuild(store_id)


def tune(store_id: int) -> None:
    """Tune how a store's scores are blended, and rebuild its rows accordingly."""
    tuning_jobs.tune(store_id)
    enqueue(LEARNING, REBUILD, store_id, timeout_s=REBUILD_TIMEOUT_S)


def tune_everywhere() -> None:
    """Enqueue tuning for every store that has grown much since its last one, or was tuned a week ago."""
    for store_id, orders in _learned_orders().items():
        if tuning_jobs.due(store_id, orders):
            enqueue(LEARNING, TUNE, store_id, timeout_s=REBUILD_TIMEOUT_S)
    db.session.rollback()


def publish(store_id: int, after: int = 0) -> None:
    """Publish what a store's orders changed, in turns that give the worker back: of products beyond ``after``."""
    rest = learning.publish_turn(store_id, after)
    if rest is not None:
        enqueue(LEARNING, PUBLISH, store_id, rest)


def refresh(store_id: int) -> None:
    """Work out anew what is not kept up order by order."""
    refreshing.refresh(store_id)


def refresh_trending(store_id: int) -> None:
    """Work out anew what trends."""
    refreshing.refresh_trending(store_id)


def refresh_described(store_id: int) -> None:
    """Work out anew what the shop's own words decide, for products that it describes otherwise now."""
    described.refresh(store_id)


def refresh_described_everywhere() -> None:
    """Enqueue that for every store with such products."""
    described.hint_everywhere()


def rebuild_everywhere() -> None:
    """Enqueue a rebuild for every store that has learned something."""
    for store_id in _learned_orders():
        enqueue(LEARNING, REBUILD, store_id, timeout_s=REBUILD_TIMEOUT_S)


def refresh_everywhere() -> None:
    """Enqueue a refresh for every store that has learned something."""
    for store_id, orders in _learned_orders().items():
        _enqueue_refresh(store_id, orders)


def refresh_trending_everywhere() -> None:
    """Enqueue trending for every store that has learned something."""
    for store_id in _learned_orders():
        enqueue(LEARNING, REFRESH_TRENDING, store_id)


def refresh_grown() -> None:
    """Enqueue a refresh for every store that is new, or has grown since its last one.

    By half: at once, so that lists appear while a new store's past comes in. By a tenth: an hour after the last one
    at the earliest. Redis remembers the last one; having lost that, it costs one refresh of each store.
    """
    orders_of = {store_id: orders for store_id, orders in _learned_orders().items() if orders}
    keys = [_refreshed_key(store_id) for store_id in orders_of]
    nothing: list[Any] = []
    marks = breaker().call(lambda: list(redis_client().mget(keys)) if keys else nothing, otherwise=nothing)
    for (store_id, orders), mark in zip(orders_of.items(), marks, strict=False):
        if _has_grown(orders, mark):
            _enqueue_refresh(store_id, orders)


def _has_grown(orders: int, mark: bytes | None) -> bool:
    if mark is None:
        return True
    then, at = map(int, mark.split(b":"))
    return orders >= _GROWN_MUCH * then or (orders >= _GROWN * then and time.time() - at >= _HOUR_S)


def _enqueue_refresh(store_id: int, orders: int) -> None:
    if enqueue(LEARNING, REFRESH, store_id, timeout_s=REBUILD_TIMEOUT_S):
        mark = f"{orders}:{int(time.time())}"
        breaker().call(
            lambda: redis_client().set(_refreshed_key(store_id), mark, ex=_REMEMBERED_S), otherwise=None
        )


def _refreshed_key(store_id: int) -> str:
    return f"pannier:{store_id}:refreshed"


def _learned_orders() -> dict[int, int]:
    """Return how many orders each installed store has learned."""
    rows = db.session.execute(
        select(LearnedModel.store_id, LearnedModel.orders)
        .join(Store, Store.id == LearnedModel.store_id)
        .where(Store.uninstalled_at.is_(None))
        .order_by(LearnedModel.store_id)
    ).all()
    db.session.rollback()
    return {row.store_id: row.orders for row in rows}


def publish_everywhere() -> None:
    """Enqueue publishing for every store with counts that are newer than their lists."""
    stores = db.session.scalars(select(ProductCount.store_id).where(ProductCount.stale).distinct()).all()
    db.session.rollback()
    for store_id in stores:
        enqueue(LEARNING, PUBLISH, store_id)
