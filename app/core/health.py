"""Is it alive, is it ready, what does it count: for operators and their machines."""

import structlog
from flask import Blueprint, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.core.api import json_response
from app.core.db import db
from app.core.migrations import is_current
from app.core.redis import redis_client

log = structlog.get_logger()
blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Say that the process answers."""
    return json_response({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Say whether database, Redis and migrations are there: 200, or 503 naming what is missing.

    Redis may be down and shoppers are still answered: then the status is ``degraded``, and 200.
    """
    checks = {"database": "ok", "migrations": "ok", "redis": "ok"}
    try:
        if not is_current(db.engine):
            checks["migrations"] = "behind: run `pannier migrate`"
    except SQLAlchemyError:
        checks["database"] = checks["migrations"] = "unreachable"
    try:
        redis_client().ping()
    except (RedisError, OSError):
        checks["redis"] = "unreachable"
    serving = checks["database"] == "ok" and checks["migrations"] == "ok"
    status = "ok" if set(checks.values()) == {"ok"} else "degraded" if serving else "unavailable"
    return json_response({"status": status, "checks": checks}, 200 if serving else 503)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Return this process's counters, and the gauges as they stand now, in Prometheus' text format."""
    try:
        for measure in current_app.extensions.get("pannier_measures", ()):
            measure()
    except SQLAlchemyError:
        log.warning("gauges_not_measured")  # the counters still are
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)
