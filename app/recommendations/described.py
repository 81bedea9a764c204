"""Products that the shop describes otherwise than it did, until their ready lists follow.

Redis gathers them: each time, the words of the whole catalogue are weighed, so a backfill must cost a few refreshes
and not one for each batch. What Redis forgets waits for the night's refresh.
"""

from collections.abc import Collection, Iterable
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.commerce.store import Store
from app.core.db import db, try_lock_store
from app.core.queues import LEARNING, enqueue
from app.core.redis import breaker, redis_client
from app.recommendations.refresh import REFRESH_LOCK

JOB: Final = "app.recommendations.jobs.refresh_described"
# Above so many, everything is worked out anew: the lists of all that are like them would be most of the store's.
MANY: Final = 500
# A store's jobs come this far apart; the clock has what is marked in between.
_APART_S: Final = 10


def mark(store_id: int, platform_ids: Iterable[str]) -> None:
    """Remember products whose lists have to follow."""
    if ids := sorted(platform_ids):
        breaker().call(lambda: redis_client().sadd(_waiting(store_id), *ids), otherwise=0)


def hint(store_id: int) -> None:
    """Enqueue the refresh of a store's marked products, unless one was enqueued a moment ago."""
    if breaker().call(lambda: _is_first(store_id), otherwise=False):
        enqueue(LEARNING, JOB, store_id)


def _is_first(store_id: int) -> bool:
    client = redis_client()
    return bool(client.exists(*_both(store_id))) and bool(
        client.set(f"pannier:{store_id}:hint:{JOB}", 1, nx=True, ex=_APART_S)
    )


def hint_everywhere() -> None:
    """Enqueue the refresh for every installed store with marked products."""
    stores = db.session.scalars(
        select(Store.id).where(Store.uninstalled_at.is_(None)).order_by(Store.id)
    ).all()
    db.session.rollback()
    for store_id in stores:
        hint(store_id)


def refresh(store_id: int) -> None:
    """Publish what changed with a store's marked products; nothing while another refresh of the store is at it.

    What dies on the way, or finds no database, is tried again. What fails is not, before the night.
    """
    with try_lock_store(store_id, REFRESH_LOCK) as mine:
        nothing: frozenset[str] = frozenset()
        ids = breaker().call(lambda: _take(store_id), otherwise=nothing) if mine else nothing
        if not ids:
            return
        try:
            _publish(store_id, ids)
        except OperationalError:
            raise
        except Exception:
            _forget(store_id)
            raise
        _forget(store_id)


def _publish(store_id: int, ids: Collection[str]) -> None:
    from app.recommendations import cold_start  # it needs what only jobs have

    if len(ids) > MANY:
        cold_start.refresh(db.session.connection(), store_id)
    else:
        cold_start.refresh_products(db.session.connection(), store_id, ids)
    db.session.commit()


def _take(store_id: int) -> frozenset[str]:
    """Return what is marked, and what an earlier run had taken and did not finish."""
    waiting, taken = _both(store_id)
    with redis_client().pipeline() as pipeline:
        pipeline.sunionstore(taken, [waiting, taken])
        pipeline.delete(waiting)
        pipeline.smembers(taken)
        found = pipeline.execute()[-1]
    return frozenset(platform_id.decode() for platform_id in found)


def _forget(store_id: int) -> None:
    breaker().call(lambda: redis_client().delete(_both(store_id)[1]), otherwise=0)


def _both(store_id: int) -> tuple[str, str]:
    """Return the keys of what is marked and of what a refresh has taken."""
    return _waiting(store_id), f"pannier:{store_id}:describing"


def _waiting(store_id: int) -> str:
    return f"pannier:{store_id}:described"
