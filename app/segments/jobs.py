"""RQ entry points of segments: ids in, nothing out."""

from typing import Final

from sqlalchemy import exists, select

from app.commerce.order import Order
from app.commerce.store import Store
from app.core.db import db
from app.core.queues import LEARNING, enqueue
from app.segments import refreshing
from app.segments.models import SegmentRun

REFRESH: Final = "app.segments.jobs.refresh"
_TIMEOUT_S: Final = 3600


def refresh(store_id: int) -> None:
    """Compute all segments of a store anew."""
    refreshing.refresh(store_id)


def refresh_soon(store_id: int) -> None:
    """Have all segments of a store computed anew, such as after one of them was defined otherwise."""
    enqueue(LEARNING, REFRESH, store_id, timeout_s=_TIMEOUT_S)


def refresh_everywhere() -> None:
    """Enqueue a refresh for every installed store that has orders of somebody."""
    _enqueue_for(only_new=False)


def refresh_new() -> None:
    """Enqueue the first refresh of every such store that has had none."""
    _enqueue_for(only_new=True)


def _enqueue_for(*, only_new: bool) -> None:
    stores = (
        select(Store.id)
        .where(
            Store.uninstalled_at.is_(None),
            exists().where(Order.store_id == Store.id, Order.customer_id.is_not(None)),
        )
        .order_by(Store.id)
    )
    if only_new:
        stores = stores.where(~exists().where(SegmentRun.store_id == Store.id))
    found = db.session.scalars(stores).all()
    db.session.rollback()
    for store_id in found:
        refresh_soon(store_id)
