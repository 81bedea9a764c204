"""What the clock does for the log of decisions: weeks, and their end."""

from datetime import timedelta
from typing import Final

from flask import current_app

from app.core import partitions
from app.core.config import Settings
from app.core.db import now
from app.core.partitions import Weekly

WEEKS: Final = Weekly("decision", "day", of_dates=True)
# As far back as the report goes.
_TALLIES: Final = timedelta(days=400)


def make_weeks() -> int:
    """Make the tables of this week and of those ahead; return how many were missing."""
    return partitions.make_missing(WEEKS, now().date())


def forget_old_decisions() -> int:
    """Drop the weeks whose time is over, and old tallies.

    Returns how many weeks were dropped. A week that is in use just now is dropped the next time.
    """
    settings: Settings = current_app.extensions["pannier_settings"]
    today = now().date()
    dropped = partitions.drop_over(WEEKS, today - timedelta(days=settings.decision_retention_days))
    partitions.delete_before("decision_tally", "day", f"'{(today - _TALLIES).isoformat()}'")
    return dropped
