"""RQ entry points of the ties to the platforms: ids in, nothing out.

A store whose key died is left alone until it is connected anew. Everything here may come twice: one process at a
time works for a store, the other finds the work done.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.commerce.store import Store
from app.connections import installs, walks
from app.connections.models import CHANGES, FAILED, HISTORY, LISTING, InstallState, Subscriptions, Walk
from app.core.db import db, now, try_lock_store
from app.core.queues import PLATFORMS, enqueue
from app.platforms.sources import source_for
from app.privacy.erasure import erase_redacted_stores
from connectors.errors import PlatformError, ReconnectNeeded, Rejected
from connectors.source import RESOURCES, Resource, Source

log = structlog.get_logger()

BACKFILL: Final = "app.connections.jobs.backfill"
RECONCILE: Final = "app.connections.jobs.reconcile"
COMPARE: Final = "app.connections.jobs.compare"
_CONNECTION_LOCK: Final = 5
# What ``installs.is_connected`` says of a store, as conditions of a query.
_CONNECTED: Final = (
    Store.uninstalled_at.is_(None), Store.connection_problem.is_(None), Store.connected_at.is_not(None),
)  # fmt: skip
_BACKFILL_TIMEOUT_S: Final = 6 * 3600
_RECONCILE_TIMEOUT_S: Final = 1800


def backfill(store_id: int) -> None:
    """Fetch a store's past, from where the last attempt stopped, and look after its webhooks."""
    _work(store_id, _watch, _fetch_history)


def reconcile(store_id: int) -> None:
    """Fetch what changed since the last time, and look after the store's webhooks."""
    _work(store_id, _watch, _fetch_changes)
    _resume_backfill(store_id)


def compare(store_id: int) -> None:
    """Compare all ids and states with what is stored, and fetch what differs."""
    _work(store_id, _compare)
    _resume_backfill(store_id)


def catch_up(
    store: Store, source: Source, *, thorough: bool = False, progress: walks.Progress = lambda _: None
) -> None:
    """Fetch what changed since the last time; ``thorough`` also compares everything.

    Raises:
        PlatformError: if the platform does not let us.
    """
    _fetch_changes(store, source, progress)
    if thorough:
        _compare(store, source, progress)


def fetch_history(
    store: Store, source: Source, *, anew: bool = False, progress: walks.Progress = lambda _: None
) -> None:
    """Fetch a store's past, from where the last attempt stopped or, with ``anew``, from the beginning.

    Raises:
        PlatformError: if the platform does not let us.
    """
    if anew:
        for resource in RESOURCES:
            walks.begin(store.id, HISTORY, resource)
    _fetch_history(store, source, progress)


def alone(store_id: int) -> AbstractContextManager[bool]:
    """Say whether this process may work for the store: one at a time."""
    return try_lock_store(store_id, _CONNECTION_LOCK)


def _work(store_id: int, *steps: Callable[[Store, Source], None]) -> None:
    with alone(store_id) as mine:
        store = db.session.get(Store, store_id) if mine else None
        if store is None or not installs.is_connected(store):
            db.session.rollback()
            return
        connected_at = store.connected_at
        try:
            source = source_for(store)
            for step in steps:
                _try(step, store, source)
        except ReconnectNeeded as error:
            db.session.rollback()
            walks.note_problem(store_id, connected_at, error)
        except PlatformError as error:
            # The walk has kept its place and the reason; the clock comes again.
            db.session.rollback()
            log.warning("platform_unavailable", store_id=store_id, error=type(error).__name__)


def _resume_backfill(store_id: int) -> None:
    """Enqueue the backfill that may have come and gone while the store was worked for; not one that failed."""
    rows = db.session.scalars(select(Walk).where(Walk.store_id == store_id, Walk.kind == HISTORY)).all()
    failed = any(row.state == FAILED for row in rows)
    finished = sum(row.finished_at is not None for row in rows) == len(RESOURCES)
    connected = db.session.scalar(select(Store.id).where(Store.id == store_id, *_CONNECTED))
    db.session.rollback()
    if connected is not None and not (failed or finished):
        start_backfill(store_id)


def _try(step: Callable[[Store, Source], None], store: Store, source: Source) -> None:
    """Do ``step``; one that the platform refuses for good must not keep the others from being done.

    Raises:
        PlatformError: if the platform does not answer or lets nobody in.
    """
    try:
        step(store, source)
    except Rejected as error:
        db.session.rollback()
        log.warning("platform_refused", store_id=store.id, error=type(error).__name__)


def _fetch_history(store: Store, source: Source, progress: walks.Progress = lambda _: None) -> None:
    for resource in RESOURCES:
        walk = db.session.get(Walk, (store.id, HISTORY, resource)) or walks.begin(store.id, HISTORY, resource)
        if walk.finished_at is None:
            walks.go_on(store, source, walk, progress=progress)


def _fetch_changes(store: Store, source: Source, progress: walks.Progress = lambda _: None) -> None:
    for resource in RESOURCES:
        walk = walks.unfinished(store.id, CHANGES, resource)
        if walk is None:
            walk = _next_changes(store, resource)
        walks.go_on(store, source, walk, progress=progress)


def _next_changes(store: Store, resource: Resource) -> Walk:
    """Return a new walk that begins a little before the last one did, or before the backfill."""
    last = db.session.get(Walk, (store.id, CHANGES, resource))
    history = db.session.get(Walk, (store.id, HISTORY, resource))
    begun = last.started_at if last else history.started_at if history else store.installed_at
    return walks.begin(store.id, CHANGES, resource, since=begun - walks.OVERLAP)


def _compare(store: Store, source: Source, progress: walks.Progress = lambda _: None) -> None:
    for resource in RESOURCES:
        walks.go_on(store, source, walks.begin(store.id, LISTING, resource), progress=progress)


def _watch(store: Store, source: Source) -> None:
    """Have the store's webhooks put right, and keep what was found, or why nothing was.

    Raises:
        PlatformError: if the platform does not let us.
    """
    try:
        installs.keep_facts(store, source.facts())
        db.session.commit()
        report = source.ensure_subscriptions()
    except PlatformError as error:
        db.session.rollback()
        _keep_findings(store.id, active=[], mended=[], problems=[str(error)])
        raise
    mended = [
        *(f"created {topic}" for topic in report.created),
        *(f"reactivated {topic}" for topic in report.reactivated),
        *(f"removed a double of {topic}" for topic in report.removed),
    ]
    _keep_findings(store.id, active=list(report.active), mended=mended, problems=list(report.problems))
    if mended:
        log.info("webhooks_mended", store_id=store.id, count=len(mended))


def _keep_findings(store_id: int, *, active: list[str], mended: list[str], problems: list[str]) -> None:
    """Keep what a look at the webhooks found. What was mended stays until something is again."""
    found = {"active": active, "problems": problems, "checked_at": now()}
    statement = insert(Subscriptions).values(store_id=store_id, mended=mended, **found)
    changed = {**found, "mended": mended} if mended else found
    db.session.execute(statement.on_conflict_do_update(index_elements=["store_id"], set_=changed))
    db.session.commit()


def _everywhere(function: str, timeout_s: int) -> None:
    stores = db.session.scalars(select(Store.id).where(*_CONNECTED).order_by(Store.id)).all()
    db.session.rollback()
    for store_id in stores:
        enqueue(PLATFORMS, function, store_id, timeout_s=timeout_s)


def start_backfill(store_id: int) -> None:
    """Enqueue the backfill of a store that was just connected."""
    enqueue(PLATFORMS, BACKFILL, store_id, timeout_s=_BACKFILL_TIMEOUT_S)


def reconcile_everywhere() -> None:
    """Enqueue for every connected store: its backfill where it has not ended, and what changed."""
    finished = (
        select(func.count())
        .where(Walk.store_id == Store.id, Walk.kind == HISTORY, Walk.finished_at.is_not(None))
        .scalar_subquery()
    )
    open_backfills = db.session.scalars(
        select(Store.id).where(*_CONNECTED, finished < len(RESOURCES)).order_by(Store.id)
    ).all()
    db.session.rollback()
    for store_id in open_backfills:
        start_backfill(store_id)
    _everywhere(RECONCILE, _RECONCILE_TIMEOUT_S)


def compare_everywhere() -> None:
    """Enqueue the comparison of every connected store."""
    _everywhere(COMPARE, _BACKFILL_TIMEOUT_S)


def leave() -> None:
    """Forget the tokens of stores that were uninstalled, and erase the stores whose platform asks for it."""
    has_left = (Store.uninstalled_at.is_not(None), Store.connected_at.is_not(None))
    for store_id in db.session.scalars(select(Store.id).where(*has_left).order_by(Store.id)).all():
        # Looked at once more under a lock: whoever installs it again just now keeps the new tokens.
        store = db.session.scalar(
            select(Store)
            .where(Store.id == store_id, *has_left)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        if store is not None:
            installs.disconnect(store)
    db.session.rollback()
    erase_redacted_stores()


def forget_install_states() -> None:
    """Delete the states of installations that nobody finished."""
    db.session.execute(delete(InstallState).where(InstallState.expires_at < now()))
    db.session.commit()


def settle_carts() -> int:
    """Say of every cart whether it was bought or abandoned; return how many changed.

    Bought: an order carries its token. Abandoned: nothing has happened to it for a day.
    """
    result = db.session.connection().exec_driver_sql(
        """
        UPDATE cart c SET outcome = s.outcome
        FROM (
            SELECT c.id, CASE
                WHEN EXISTS (SELECT FROM orders o WHERE o.store_id = c.store_id
                             AND o.cart_token_hash = c.token_hash) THEN 'bought'
                WHEN c.source_updated_at < now() - interval '24 hours' THEN 'abandoned'
                END AS outcome
            FROM cart c WHERE c.outcome IS DISTINCT FROM 'bought'
        ) s
        WHERE s.id = c.id AND c.outcome IS DISTINCT FROM s.outcome
        """
    )
    db.session.commit()
    return result.rowcount
