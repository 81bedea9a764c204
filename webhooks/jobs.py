"""Draining the inbox, sweeping what was left behind, replaying, and retention.

A queued drain is only a hint: pending rows are the truth. One drain per store works at a time; it takes
batches until nothing is pending, each batch in one transaction with everything that follows from it.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import structlog
from flask import current_app
from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.exc import DataError, IntegrityError

from app.commerce import ingest
from app.commerce.changes import Change, CommerceChange, PrivacyRequest
from app.commerce.store import Store
from app.core import metrics
from app.core.config import Settings
from app.core.db import db, execute_rows, now, try_lock_store
from app.core.queues import DELIVERIES, LEARNING, UPKEEP, enqueue, take_hint
from app.privacy import requests as privacy_requests
from app.privacy import suppression
from app.privacy.jobs import CARRY_OUT
from app.recommendations import described, learning
from app.recommendations.jobs import PUBLISH
from app.recommendations.models import ProductCount
from app.recommendations.taking_in import announce, take_in
from connectors.base import DeliveryContext, PayloadError, Translation
from connectors.registry import connector_for
from webhooks.models import FOREIGN_SOURCE, PENDING, PROCESSED, QUARANTINED, SET_ASIDE, WebhookDelivery
from webhooks.personal import named_in

log = structlog.get_logger()

DRAIN: Final = "webhooks.jobs.drain"
_DRAIN_LOCK: Final = 2
# A drain gives its worker back after this long, so that one busy store cannot starve the others.
_TURN_S: Final = 2.0
# Pending for longer than this means that a hint was lost.
_LEFT_BEHIND: Final = timedelta(seconds=5)
_RETENTION_BATCH: Final = 5_000
# What can come of a delivery's own content. Nothing else (a database that is down, read-only or behind the code,
# a missing secret key, a worker out of time) may empty the inbox into quarantine.
_POISON: Final = (
    DataError,
    IntegrityError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def drain(store_id: int) -> None:
    """Process the pending deliveries of one store; forget those of a store that was erased."""
    take_hint(DRAIN, store_id)
    if db.session.get(Store, store_id) is None:
        _forget_strays(store_id)
        return
    db.session.rollback()
    batch_size = _settings().drain_batch
    deadline = time.monotonic() + _TURN_S
    waiting = _pending(store_id)
    # Where nothing was drained another worker is at it and looks again after it let go of the lock, or somebody else
    # holds the rows and the sweep comes back to them.
    while waiting and _drain_under_lock(store_id, batch_size, deadline):
        waiting = _pending(store_id)
        if waiting and time.monotonic() > deadline:
            enqueue(DELIVERIES, DRAIN, store_id)
            return


def _forget_strays(store_id: int) -> None:
    """Delete what arrived while its store was being erased: nobody will ever read it."""
    result = db.session.connection().execute(
        delete(WebhookDelivery).where(WebhookDelivery.store_id == store_id)
    )
    db.session.commit()
    log.info("stray_deliveries_forgotten", store_id=store_id, deliveries=result.rowcount)


def _drain_under_lock(store_id: int, batch_size: int, deadline: float) -> int:
    """Drain until nothing is pending or the turn is over; return how many deliveries were processed."""
    drained = 0
    with try_lock_store(store_id, _DRAIN_LOCK) as mine:
        if mine:
            while done := drain_batch(store_id, batch_size):
                drained += done
                # Less than a batch was all there was: what has come since waits until this is published.
                if done < batch_size or time.monotonic() > deadline:
                    break
            _publish(store_id)
            described.hint(store_id)
    return drained


def _publish(store_id: int) -> None:
    """Publish what was learned; what takes longer than a turn waits behind the other stores' deliveries."""
    rest = learning.publish_turn(store_id)
    if rest is not None:
        enqueue(LEARNING, PUBLISH, store_id, rest)


def drain_batch(store_id: int, limit: int) -> int:
    """Process up to ``limit`` pending deliveries in one transaction; return how many there were.

    A delivery that makes the batch fail is found by processing the batch one by one, and goes to quarantine.
    """
    try:
        return _process(store_id, limit)
    except _POISON as error:
        db.session.rollback()
        log.warning("batch_failed_trying_singly", store_id=store_id, error=type(error).__name__)
        return sum(_process_or_quarantine(store_id) for _ in range(limit))
    except Exception:
        db.session.rollback()
        raise


def _process(store_id: int, limit: int) -> int:
    store = db.session.get(Store, store_id)
    deliveries = _take(store_id, limit) if store else []
    if store is None or not deliveries:
        db.session.rollback()
        return 0
    _apply(store, deliveries)
    return len(deliveries)


def _process_or_quarantine(store_id: int) -> int:
    store = db.session.get(Store, store_id)
    deliveries = _take(store_id, 1) if store else []
    if store is None or not deliveries:
        db.session.rollback()
        return 0
    ids = [delivery.id for delivery in deliveries]
    try:
        _apply(store, deliveries)
    except _POISON as error:
        db.session.rollback()
        reason = f"apply_failed: {type(error).__name__}"
        _close(db.session.connection(), [(id_, QUARANTINED, reason) for id_ in ids])
        db.session.commit()
        log.error("delivery_quarantined", store_id=store_id, ids=ids, reason=reason)
    return len(ids)


def _apply(store: Store, deliveries: Sequence[WebhookDelivery]) -> None:
    """Process deliveries with everything that follows from them, and commit."""
    store_id = store.id
    connector = connector_for(store.platform)
    outcomes: list[tuple[int, str, str | None]] = []
    changes: list[CommerceChange] = []
    requests: list[PrivacyRequest] = []
    meanings: list[tuple[WebhookDelivery, Any, tuple[Change, ...]]] = []
    for delivery in deliveries:
        body = orjson.loads(delivery.body)
        try:
            translation = connector.translate(
                body,
                DeliveryContext(delivery.topic, store.currency, delivery.triggered_at, delivery.received_at),
            )
        except PayloadError as error:
            outcomes.append((delivery.id, QUARANTINED, f"payload: {error}"[:500]))
            meanings.append((delivery, body, ()))
            continue
        outcomes.append(_outcome(delivery.id, translation))
        meanings.append((delivery, body, translation.changes))
        for change in translation.changes:
            if isinstance(change, PrivacyRequest):
                requests.append(change)
            else:
                changes.append(change)
    connection = db.session.connection()
    applied = take_in(connection, store_id, changes)
    privacy_requests.record(store_id, requests)
    erased = _of_the_erased(connection, store_id, meanings)
    outcomes = [outcome for outcome in outcomes if outcome[0] not in erased]
    _close(connection, outcomes)
    db.session.commit()
    announce(store_id, applied)
    if requests:
        enqueue(UPKEEP, CARRY_OUT)
    for _, status, reason in outcomes:
        if status == QUARANTINED:
            log.warning("delivery_quarantined", store_id=store_id, reason=reason)


def _of_the_erased(
    connection: Connection, store_id: int, meanings: Sequence[tuple[WebhookDelivery, Any, tuple[Change, ...]]]
) -> set[int]:
    """Delete the deliveries that name somebody who was erased, and return their ids.

    What arrives late, or is replayed, must not be kept for them either. An erasure that began meanwhile is waited for.
    """
    ingest.lock_commerce(connection, store_id)
    if not suppression.has_list(connection, store_id):
        return set()
    named = [named_in(delivery.topic, body, changes) for delivery, body, changes in meanings]
    ids = {meanings[place][0].id for place in suppression.naming(connection, store_id, named)}
    connection.execute(delete(WebhookDelivery).where(WebhookDelivery.id.in_(ids)))
    return ids


def _outcome(delivery_id: int, translation: Translation) -> tuple[int, str, str | None]:
    if translation.set_aside and not translation.changes:
        return delivery_id, SET_ASIDE, translation.set_aside
    return delivery_id, PROCESSED, translation.set_aside


def _take(store_id: int, limit: int) -> Sequence[WebhookDelivery]:
    """Lock and return the oldest pending deliveries of a store."""
    return db.session.scalars(
        select(WebhookDelivery)
        .where(WebhookDelivery.store_id == store_id, WebhookDelivery.status == PENDING)
        .order_by(WebhookDelivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()


def _close(connection: Connection, outcomes: Sequence[tuple[int, str, str | None]]) -> None:
    execute_rows(
        connection,
        """
        UPDATE webhook_delivery d SET status = r.status, reason = r.reason, processed_at = now()
        FROM json_to_recordset(%(rows)s::json) AS r(id bigint, status text, reason text) WHERE d.id = r.id
        """,
        [{"id": id_, "status": status, "reason": reason} for id_, status, reason in outcomes],
    )


def _pending(store_id: int) -> bool:
    found = db.session.scalar(
        select(WebhookDelivery.id)
        .where(WebhookDelivery.store_id == store_id, WebhookDelivery.status == PENDING)
        .limit(1)
    )
    db.session.rollback()
    return found is not None


def sweep() -> int:
    """Enqueue a drain for every store with deliveries whose hint was lost; return how many there are."""
    stores = db.session.scalars(
        select(WebhookDelivery.store_id)
        .where(WebhookDelivery.status == PENDING, WebhookDelivery.received_at < now() - _LEFT_BEHIND)
        .distinct()
    ).all()
    db.session.rollback()
    for store_id in stores:
        enqueue(DELIVERIES, DRAIN, store_id)
    return len(stores)


def replay(
    store_id: int,
    *,
    status: str | None = None,
    topic: str | None = None,
    reason: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    ids: Sequence[int] | None = None,
) -> int:
    """Set the matching deliveries of a store back to pending and hint at them; return how many.

    Applying a delivery again changes nothing that newer news changed since. ``reason`` matches a beginning.
    """
    conditions: list[Any] = [
        WebhookDelivery.store_id == store_id,
        WebhookDelivery.status != PENDING,
        # What a cloned site sent is another shop's business, whatever the filter says.
        func.coalesce(WebhookDelivery.reason, "") != FOREIGN_SOURCE,
    ]
    if status:
        conditions.append(WebhookDelivery.status == status)
    if topic:
        conditions.append(WebhookDelivery.topic == topic)
    if reason:
        conditions.append(WebhookDelivery.reason.startswith(reason, autoescape=True))
    if since:
        conditions.append(WebhookDelivery.received_at >= since)
    if until:
        conditions.append(WebhookDelivery.received_at < until)
    if ids is not None:
        conditions.append(WebhookDelivery.id.in_(ids))
    result = db.session.connection().execute(
        update(WebhookDelivery).where(*conditions).values(status=PENDING, reason=None, processed_at=None)
    )
    db.session.commit()
    count = result.rowcount
    if count:
        enqueue(DELIVERIES, DRAIN, store_id)
    return count


def status_counts(store_id: int | None = None) -> list[dict[str, Any]]:
    """Return how many deliveries stand where: ``{store_id, topic, status, reason, deliveries}``."""
    reason = func.split_part(func.coalesce(WebhookDelivery.reason, ""), ":", 1).label("reason")
    query = (
        select(
            WebhookDelivery.store_id,
            WebhookDelivery.topic,
            WebhookDelivery.status,
            reason,
            func.count().label("deliveries"),
        )
        .group_by(WebhookDelivery.store_id, WebhookDelivery.topic, WebhookDelivery.status, reason)
        .order_by(WebhookDelivery.store_id, WebhookDelivery.topic, WebhookDelivery.status, reason)
    )
    if store_id is not None:
        query = query.where(WebhookDelivery.store_id == store_id)
    return [{**row, "reason": row["reason"] or None} for row in db.session.execute(query).mappings()]


def measure() -> None:
    """Set the gauges of the inbox and of publishing to what the database says now."""
    count, oldest = db.session.execute(
        select(func.count(), func.min(WebhookDelivery.received_at)).where(WebhookDelivery.status == PENDING)
    ).one()
    metrics.PENDING.set(count)
    metrics.OLDEST_PENDING.set((now() - oldest).total_seconds() if oldest else 0)
    metrics.STALE.set(
        db.session.scalar(select(func.count()).select_from(ProductCount).where(ProductCount.stale)) or 0
    )


def forget_old_deliveries() -> int:
    """Delete deliveries whose retention has ended; return how many. Pending ones stay."""
    before = now() - timedelta(days=_settings().delivery_retention_days)
    total = 0
    while True:
        old = (
            select(WebhookDelivery.id)
            .where(WebhookDelivery.received_at < before, WebhookDelivery.status != PENDING)
            .limit(_RETENTION_BATCH)
        )
        result = db.session.connection().execute(delete(WebhookDelivery).where(WebhookDelivery.id.in_(old)))
        db.session.commit()
        total += result.rowcount
        if result.rowcount < _RETENTION_BATCH:
            return total


def _settings() -> Settings:
    settings: Settings = current_app.extensions["pannier_settings"]
    return settings
