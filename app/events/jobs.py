"""What the clock does for events: weeks, retention, activity."""

from datetime import UTC, datetime, time, timedelta
from typing import Final

from flask import current_app
from sqlalchemy import select

from app.commerce.store import Store
from app.core import partitions
from app.core.config import Settings
from app.core.db import db, now
from app.core.partitions import Weekly
from app.events import activity, links

WEEKS: Final = Weekly("event", "received_at")
# For how long a message that is sent again is known: a day more than is promised.
_RECEIPTS: Final = timedelta(days=8)
# As far back as the report goes.
_TALLIES: Final = timedelta(days=400)
# Events of a clock that stood still for so long are still counted.
_COUNTED_AGAIN: Final = timedelta(hours=26)
_DELETED_AT_ONCE: Final = 20_000


def make_weeks() -> int:
    """Make the tables of this week and of those ahead; return how many were missing."""
    return partitions.make_missing(WEEKS, now().date())


def forget_old_events() -> int:
    """Drop the weeks whose time is over, old receipts and tallies, and counts too small to outlive their events.

    Identity links go with the last event of their visitor.

    Returns how many weeks were dropped. A week that is in use just now is dropped the next time.
    """
    before = (now() - timedelta(days=settings().event_retention_days)).date()
    dropped = partitions.drop_over(WEEKS, before)
    partitions.delete_before("event_receipt", "received_at", f"'{(now() - _RECEIPTS).isoformat()}'")
    partitions.delete_before("event_tally", "day", f"'{(now() - _TALLIES).date().isoformat()}'")
    _forget_silent_visitors(datetime.combine(before, time(), UTC))
    activity.drop_small_cells(db.session.connection(), before, settings().least_people)
    db.session.commit()
    return dropped


def _forget_silent_visitors(before: datetime) -> None:
    while True:
        removed = links.forget_silent(db.session.connection(), before, _DELETED_AT_ONCE)
        db.session.commit()
        if removed < _DELETED_AT_ONCE:
            return


def count_activity() -> int:
    """Count the days of new events anew, of every store; return how many stores had some."""
    kept_from = (now() - timedelta(days=settings().event_retention_days - 1)).date()
    stores = db.session.scalars(select(Store.id).order_by(Store.id)).all()
    counted = 0
    for store_id in stores:
        connection = db.session.connection()
        days = activity.touched_days(connection, store_id, now() - _COUNTED_AGAIN, kept_from)
        activity.recompute(connection, store_id, days)
        db.session.commit()
        counted += bool(days)
    return counted


def settings() -> Settings:
    """Return the application's settings."""
    found: Settings = current_app.extensions["pannier_settings"]
    return found
