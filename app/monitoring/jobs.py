"""RQ entry points of monitoring, and what the gauges show. Everything here may come twice."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson
import structlog
from sqlalchemy import func, select

from app.commerce.store import Store
from app.core import metrics
from app.core.db import db, now
from app.core.queues import LEARNING, UPKEEP, enqueue
from app.core.redis import breaker, redis_client
from app.monitoring import alerts, counting, drift, freshness, reading, sending
from app.monitoring.freshness import Finding
from app.monitoring.models import Alert

log = structlog.get_logger()

TELL: Final = "app.monitoring.jobs.tell_store"
LOOK_FOR_DRIFT: Final = "app.monitoring.jobs.look_for_drift"
_TROUBLE: Final = (freshness.WARN, freshness.ERROR)
# What the last round over all stores found, for the gauges of every web process. Gone when three rounds are missed.
_SUMMARY_KEY: Final = "pannier:freshness"
_SUMMARY_TTL_S: Final = 900


def watch() -> None:
    """Judge the freshness of every store; raise alerts, and end those that are over.

    A store that cannot be judged is left out and does not keep the others waiting.
    """
    stores = _present_stores()
    still_open = _open_alerts()
    levels: Counter[tuple[str, str]] = Counter()
    ages: dict[str, int] = {}
    for store_id in stores:
        try:
            findings = _watch_store(store_id, still_open.get(store_id, frozenset()))
        except Exception:
            db.session.rollback()
            log.exception("freshness_not_judged", store_id=store_id)
            continue
        for finding in findings:
            levels[finding.source, finding.level] += 1
            if finding.age_seconds is not None:
                ages[finding.source] = max(ages.get(finding.source, 0), finding.age_seconds)
    _keep_summary(levels, ages)
    tell()


def tell() -> None:
    """Enqueue a round of messages for every store of which something is to be told."""
    for store_id in sending.stores_to_tell():
        enqueue(UPKEEP, TELL, store_id)


def tell_store(store_id: int) -> None:
    """Send what a store is to be told now."""
    sending.tell(store_id)


def look_for_drift_everywhere() -> None:
    """Enqueue a look at how far each store has moved away from what its model learned."""
    for store_id in _present_stores():
        enqueue(LEARNING, LOOK_FOR_DRIFT, store_id)


def look_for_drift(store_id: int) -> None:
    """Raise an alert for everything of a store that has drifted, and end those that are over."""
    connection = db.session.connection()
    for measure in drift.judge(counting.count(connection, store_id, now())):
        source = f"drift:{measure.measure}"
        if measure.level not in _TROUBLE:
            alerts.clear_alert(connection, store_id, source)
        elif alerts.raise_alert(connection, store_id, source, measure.level, measure.message):
            log.info("alert_raised", store_id=store_id, source=source, level=measure.level)
    db.session.commit()


def forget_old_alerts() -> None:
    """Delete alerts that have long been over."""
    alerts.forget_old(db.session.connection())
    db.session.commit()


def findings_of(store_id: int, moment: datetime) -> list[Finding]:
    """Return how fresh a store is; nothing for one that is not there."""
    read = reading.read(db.session.connection(), store_id, moment)
    return [] if read is None else freshness.judge(read, moment)


def measure() -> None:
    """Set the gauges of freshness to what the last round found, and those of alerts to what the database says now."""
    _measure_alerts()
    for gauge in (metrics.FRESHNESS, metrics.FRESHNESS_STORES):
        gauge.clear()
    kept = breaker().call(lambda: redis_client().get(_SUMMARY_KEY), otherwise=None)
    if not isinstance(kept, bytes):
        return
    summary: dict[str, Any] = orjson.loads(kept)
    for source, age in summary["ages"].items():
        metrics.FRESHNESS.labels(source).set(age)
    for source, counts in summary["levels"].items():
        for level in freshness.LEVELS:
            metrics.FRESHNESS_STORES.labels(source, level).set(counts.get(level, 0))


def _watch_store(store_id: int, still_open: frozenset[str]) -> list[Finding]:
    findings = findings_of(store_id, now())
    connection = db.session.connection()
    trouble = {finding.source for finding in findings if finding.level in _TROUBLE}
    for finding in findings:
        if finding.level in _TROUBLE and alerts.raise_alert(
            connection, store_id, finding.source, finding.level, finding.message
        ):
            log.info("alert_raised", store_id=store_id, source=finding.source, level=finding.level)
    for source in still_open - trouble:
        if alerts.clear_alert(connection, store_id, source):
            log.info("alert_cleared", store_id=store_id, source=source)
    db.session.commit()
    return findings


def _present_stores() -> Sequence[int]:
    return db.session.scalars(select(Store.id).where(Store.uninstalled_at.is_(None)).order_by(Store.id)).all()


def _open_alerts() -> dict[int, frozenset[str]]:
    """Return the sources of freshness of which an alert is open, by store."""
    rows = db.session.execute(
        select(Alert.store_id, func.array_agg(Alert.source))
        .where(Alert.cleared_at.is_(None), Alert.source.in_(freshness.SOURCES))
        .group_by(Alert.store_id)
    )
    return {store_id: frozenset(sources) for store_id, sources in rows}


def _keep_summary(levels: Counter[tuple[str, str]], ages: dict[str, int]) -> None:
    by_source: dict[str, dict[str, int]] = {}
    for (source, level), count in levels.items():
        by_source.setdefault(source, {})[level] = count
    body = orjson.dumps({"levels": by_source, "ages": ages})
    breaker().call(lambda: redis_client().set(_SUMMARY_KEY, body, ex=_SUMMARY_TTL_S), otherwise=None)


def _measure_alerts() -> None:
    kind = func.split_part(Alert.source, ":", 1)  # a slot's name is no label
    rows = db.session.execute(
        select(kind, Alert.level, func.count()).where(Alert.cleared_at.is_(None)).group_by(kind, Alert.level)
    ).all()
    metrics.ALERTS.clear()
    for source, level, count in rows:
        metrics.ALERTS.labels(source, level).set(count)
