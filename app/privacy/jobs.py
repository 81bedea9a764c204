"""RQ entry points of privacy, and what the gauges show. Everything here may come twice."""

from typing import Final

import structlog
from flask import current_app

from app.core import metrics
from app.core.config import Settings
from app.privacy import requests, retention

log = structlog.get_logger()

CARRY_OUT: Final = "app.privacy.jobs.carry_out_requests"


def carry_out_requests() -> int:
    """Carry out every open request of people; return how many were completed.

    One that fails does not keep the others waiting: it is tried again the next time that the clock comes round.
    """
    return sum(requests.carry_out(request) for request in requests.open_requests())


def end_retention() -> None:
    """Delete what has been kept for its time."""
    settings: Settings = current_app.extensions["pannier_settings"]
    for kind, number in retention.end(settings).items():
        if number:
            log.info("retention_ended", kind=kind, rows=number)


def measure() -> None:
    """Set the gauges of open requests to what the database says now."""
    count, late = requests.open_counts()
    metrics.PRIVACY_REQUESTS.set(count)
    metrics.PRIVACY_OVERDUE.set(late)
