"""What the clock does for experiments, and reports that are too large for a request."""

from datetime import timedelta
from typing import Final

from flask import current_app
from sqlalchemy import exists, select

from app.commerce.store import Store
from app.core import partitions
from app.core.config import Settings
from app.core.db import db, now
from app.core.queues import LEARNING, enqueue
from app.events.models import Event
from app.experiments import exposures

MAKE_REPORT: Final = "app.experiments.jobs.make_report"
# An event may be ahead of its decision, which is written a moment later, or when PostgreSQL is back.
_AGAIN: Final = timedelta(minutes=15)
# What a clock that stood still has missed.
_MISSED: Final = timedelta(days=3)
_TIMEOUT_S: Final = 1800


def collect_exposures() -> int:
    """Write the exposures of the last minutes, of every store; return how many are new."""
    return _collect(_AGAIN)


def tidy_exposures() -> int:
    """Write the exposures that were missed, and remove those that are older than events are kept."""
    found = _collect(_MISSED)
    settings: Settings = current_app.extensions["pannier_settings"]
    before = now() - timedelta(days=settings.event_retention_days)
    partitions.delete_before("experiment_exposure", "first_at", f"'{before.isoformat()}'")
    return found


def _collect(reach: timedelta) -> int:
    until = now()
    stores = db.session.scalars(
        select(Store.id)
        .where(exists().where(Event.store_id == Store.id, Event.received_at >= until - reach))
        .order_by(Store.id)
    ).all()
    found = 0
    for store_id in stores:
        found += exposures.collect(db.session.connection(), store_id, until - reach, until)
        db.session.commit()
    return found


def make_report(store_id: int, key: str) -> None:
    """Make a report for whoever asks next."""
    from app.experiments import reporting

    reporting.make_and_hold(store_id, key)


def make_report_soon(store_id: int, key: str) -> bool:
    """Have a report made; return whether somebody will."""
    return enqueue(LEARNING, MAKE_REPORT, store_id, key, timeout_s=_TIMEOUT_S)
