"""RQ entry points of learning: ids in, nothing out."""

from typing import Final

from sqlalchemy import select

from app.commerce.store import Store
from app.core.db import db
from app.core.queues import LEARNING, enqueue
from app.recommendations import learning
from app.recommendations.models import LearnedModel, ProductCount

REBUILD: Final = "app.recommendations.jobs.rebuild"
PUBLISH: Final = "app.recommendations.jobs.publish"
_REBUILD_TIMEOUT_S: Final = 3600


def rebuild(store_id: int) -> None:
    """Count a store's orders anew and publish every list."""
    learning.rebuild(store_id)


def publish(store_id: int, after: int = 0) -> None:
    """Publish what a store's orders changed, in turns that give the worker back: of products beyond ``after``."""
    rest = learning.publish_turn(store_id, after)
    if rest is not None:
        enqueue(LEARNING, PUBLISH, store_id, rest)


def rebuild_everywhere() -> None:
    """Enqueue a rebuild for every store that has learned something."""
    stores = db.session.scalars(
        select(LearnedModel.store_id)
        .join(Store, Store.id == LearnedModel.store_id)
        .where(Store.uninstalled_at.is_(None))
    ).all()
    db.session.rollback()
    for store_id in stores:
        enqueue(LEARNING, REBUILD, store_id, timeout_s=_REBUILD_TIMEOUT_S)


def publish_everywhere() -> None:
    """Enqueue publishing for every store with counts that are newer than their lists."""
    stores = db.session.scalars(select(ProductCount.store_id).where(ProductCount.stale).distinct()).all()
    db.session.rollback()
    for store_id in stores:
        enqueue(LEARNING, PUBLISH, store_id)
