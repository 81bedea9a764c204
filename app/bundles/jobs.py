"""RQ entry points of offers, and what the gauges show. Everything here may come twice."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog
from sqlalchemy import func, or_, select

from app.bundles import looking, making
from app.bundles import roll_out as rolling
from app.bundles.keeping import ROLL_OUT
from app.bundles.models import Offer
from app.bundles.states import OPEN, State
from app.commerce.store import Store
from app.core import metrics
from app.core.db import db, now
from app.core.queues import LEARNING, PLATFORMS, enqueue, take_hint

log = structlog.get_logger()

CHECK: Final = "app.bundles.jobs.check"
PROPOSE: Final = "app.bundles.jobs.propose"
# A thousand offers are told to a platform in many small calls.
_TIMEOUT_S: Final = 1_800


def roll_out(store_id: int) -> None:
    """Make the store's platform equal to what is wanted."""
    take_hint(ROLL_OUT, store_id)
    rolling.roll_out(store_id)


def check(store_id: int) -> None:
    """Ask what the store's platform still grants, and tell it everything anew."""
    rolling.roll_out(store_id, check=True)


def propose(store_id: int) -> None:
    """Propose what is worth it by what is bought together now."""
    store = db.session.get(Store, store_id)
    if store is not None and store.uninstalled_at is None:
        making.make_proposals(store)


def look_everywhere() -> None:
    """Look whether the offers of every store still hold, and enqueue a roll-out where its platform is behind."""
    _everywhere(_look)


def check_everywhere() -> None:
    """Enqueue a check of every store whose platform grants something."""
    granted = select(Offer.store_id).where(Offer.platform.is_not(None)).distinct().order_by(Offer.store_id)
    for store_id in db.session.scalars(granted).all():
        enqueue(PLATFORMS, CHECK, store_id, timeout_s=_TIMEOUT_S)


def propose_everywhere() -> None:
    """Enqueue a look for new proposals of every store."""
    query = select(Store.id).where(Store.uninstalled_at.is_(None)).order_by(Store.id)
    for store_id in db.session.scalars(query).all():
        enqueue(LEARNING, PROPOSE, store_id)


def measure() -> None:
    """Set the gauges: offers by state, and those that the platform does not treat as it should, by reason."""
    rows = db.session.execute(select(Offer.state, func.count()).group_by(Offer.state)).all()
    found = dict.fromkeys((state.value for state in State), 0) | {state: count for state, count in rows}
    for state, count in found.items():
        metrics.OFFERS.labels(state).set(count)
    metrics.OFFERS_FAILING.clear()
    failing = (
        select(func.coalesce(Offer.reason_code, "live"), func.count())
        .where(Offer.attempts > 0)
        .group_by(Offer.reason_code)
    )
    for code, count in db.session.execute(failing):
        metrics.OFFERS_FAILING.labels(code).set(count)


def _look(store_id: int) -> None:
    at = now()
    looking.look(store_id, at)
    store = db.session.get_one(Store, store_id)
    if rolling.behind(store, at):
        enqueue(PLATFORMS, ROLL_OUT, store_id, timeout_s=_TIMEOUT_S)
    db.session.rollback()


def _everywhere(step: Callable[[int], None]) -> None:
    for store_id in _stores():
        try:
            step(store_id)
        except Exception:
            # One store does not keep the others waiting.
            db.session.rollback()
            log.exception("offers_not_looked_at", store_id=store_id)


def _stores() -> Sequence[int]:
    """Return the stores that have an offer which is not over, or which their platform still grants."""
    query = select(Offer.store_id).where(or_(Offer.state.in_(OPEN), Offer.platform.is_not(None)))
    return db.session.scalars(query.distinct().order_by(Offer.store_id)).all()
