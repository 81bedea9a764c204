"""RQ entry points of prices, and what the gauges show. Everything here may come twice."""

from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy import func, select

from app.commerce.store import Store
from app.core import metrics
from app.core.db import db, now
from app.core.queues import LEARNING, PLATFORMS, enqueue, hint, take_hint
from app.pricing import changes, looking, writing
from app.pricing.models import PriceChange, PriceRule
from app.pricing.rules import AUTOMATIC

log = structlog.get_logger()

PROPOSE: Final = "app.pricing.jobs.propose"
PROPOSE_AUTOMATIC: Final = "app.pricing.jobs.propose_automatic"
WRITE: Final = "app.pricing.jobs.write"
# Thousands of prices are told to a platform in many calls.
_TIMEOUT_S: Final = 1_800


def propose(store_id: int) -> None:
    """Look at the products of all of a store's rules."""
    take_hint(PROPOSE, store_id)
    _look(store_id, automatic_only=False)


def propose_automatic(store_id: int) -> None:
    """Look at the products of a store's automatic rules."""
    _look(store_id, automatic_only=True)


def write(store_id: int) -> None:
    """Write what is approved in a store."""
    take_hint(WRITE, store_id)
    writing.write_due(store_id)


def propose_everywhere() -> None:
    """Enqueue a look for every store that has an active rule."""
    for store_id in _stores_with_rules():
        enqueue(LEARNING, PROPOSE, store_id)


def propose_automatic_everywhere() -> None:
    """Enqueue a look for every store that has an active automatic rule."""
    for store_id in _stores_with_rules(AUTOMATIC):
        enqueue(LEARNING, PROPOSE_AUTOMATIC, store_id)


def write_everywhere() -> None:
    """Enqueue writing for every store of which something is approved, or not known to have arrived."""
    due = select(PriceChange.store_id).where(PriceChange.state.in_((changes.APPROVED, changes.WRITING)))
    for store_id in db.session.scalars(due.distinct().order_by(PriceChange.store_id)).all():
        enqueue(PLATFORMS, WRITE, store_id, timeout_s=_TIMEOUT_S)


def expire_everywhere() -> None:
    """Let proposals expire that nobody decided on."""
    waiting = select(PriceChange.store_id).where(PriceChange.state.in_(changes.WAITING))
    for store_id in db.session.scalars(waiting.distinct().order_by(PriceChange.store_id)).all():
        count = changes.expire(store_id, now())
        db.session.commit()
        if count:
            log.info("price_proposals_expired", store_id=store_id, count=count)


def measure() -> None:
    """Set the gauge of price changes that are open, by state."""
    rows = db.session.execute(
        select(PriceChange.state, func.count())
        .where(PriceChange.state.in_(changes.OPEN))
        .group_by(PriceChange.state)
    ).all()
    found = dict.fromkeys(changes.OPEN, 0) | {state: count for state, count in rows}
    for state, count in found.items():
        metrics.PRICE_CHANGES.labels(state).set(count)


def _look(store_id: int, *, automatic_only: bool) -> None:
    store = db.session.get(Store, store_id)
    if store is None or store.uninstalled_at is not None:
        return
    if looking.look(store, now(), automatic_only=automatic_only).made:
        hint(PLATFORMS, WRITE, store_id)


def _stores_with_rules(mode: str | None = None) -> Sequence[int]:
    query = (
        select(PriceRule.store_id)
        .join(Store, Store.id == PriceRule.store_id)
        .where(PriceRule.active, Store.uninstalled_at.is_(None))
    )
    if mode is not None:
        query = query.where(PriceRule.mode == mode)
    return db.session.scalars(query.distinct().order_by(PriceRule.store_id)).all()
