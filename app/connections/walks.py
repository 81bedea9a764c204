"""Walking through what a platform has, page by page.

Every page goes into the inbox in the transaction that moves the cursor: a walk that dies goes on where it was, and
a page that comes twice is recognised there.
"""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert

from app.commerce.catalog import Product
from app.commerce.changes import ProductStatus
from app.commerce.order import Order
from app.commerce.store import Store
from app.connections.models import CHANGES, DONE, FAILED, HISTORY, LISTING, RUNNING, Walk
from app.core.db import db, now
from app.core.queues import DELIVERIES, hint
from connectors.errors import CursorLost, PlatformError, ReconnectNeeded
from connectors.source import Fetched, Listed, Page, Resource, Source
from webhooks.jobs import DRAIN
from webhooks.polled import keep_polled

log = structlog.get_logger()

# Changes are asked for from a little before the last time: long transactions, clocks that differ.
OVERLAP: Final = timedelta(minutes=15)
_RESTARTS: Final = 3
_LONGEST_WAIT_S: Final = 10.0
# A listing that finds more differences than this is a case for another backfill.
_DIFFERENCES: Final = 2_000
_BATCH: Final = 100

Progress = Callable[[Walk], None]


def begin(store_id: int, kind: str, resource: Resource, since: datetime | None = None) -> Walk:
    """Return a new walk of this kind, in place of the last one."""
    values: dict[str, Any] = {
        "state": RUNNING, "cursor": None, "since": since, "done": 0, "total": None, "restarts": 0,
        "problem": None, "notes": [], "started_at": now(), "finished_at": None,
    }  # fmt: skip
    db.session.execute(
        insert(Walk)
        .values(store_id=store_id, kind=kind, resource=resource, **values)
        .on_conflict_do_update(index_elements=["store_id", "kind", "resource"], set_=values)
    )
    db.session.commit()
    db.session.expire_all()
    return db.session.get_one(Walk, (store_id, kind, resource))


def unfinished(store_id: int, kind: str, resource: Resource) -> Walk | None:
    """Return the walk of this kind that has not ended well, if there is one."""
    walk = db.session.get(Walk, (store_id, kind, resource))
    return walk if walk and walk.state != DONE else None


def go_on(
    store: Store,
    source: Source,
    walk: Walk,
    *,
    progress: Progress = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Walk to the end.

    Raises:
        PlatformError: if the platform does not let us; the walk keeps its place and says why.
    """
    walk.state, walk.problem = RUNNING, None
    db.session.commit()
    try:
        if walk.kind == LISTING:
            _compare(store, source, walk, progress)
        else:
            _fetch_all(store, source, walk, progress, sleep)
    except PlatformError as error:
        db.session.rollback()
        walk.state, walk.problem = FAILED, str(error)
        db.session.commit()
        progress(walk)
        raise
    walk.state, walk.finished_at = DONE, now()
    db.session.commit()
    progress(walk)


def _fetch_all(
    store: Store, source: Source, walk: Walk, progress: Progress, sleep: Callable[[float], None]
) -> None:
    while True:
        try:
            page = _page(source, walk)
        except CursorLost as error:
            if walk.restarts >= _RESTARTS:
                raise
            log.warning("walk_begins_again", store_id=store.id, kind=walk.kind, resource=walk.resource)
            walk.cursor, walk.done, walk.restarts = None, 0, walk.restarts + 1
            walk.notes = [*walk.notes, str(error)]
            db.session.commit()
            continue
        _keep(store, walk, page.items)
        walk.cursor = dict(page.cursor) if page.cursor is not None else None
        walk.total = page.total if page.total is not None else walk.total
        walk.notes = list(dict.fromkeys((*walk.notes, *page.notes)))
        db.session.commit()
        if page.items:
            hint(DELIVERIES, DRAIN, store.id)
        progress(walk)
        if page.cursor is None:
            return
        if page.wait_s:
            sleep(min(page.wait_s, _LONGEST_WAIT_S))


def _page(source: Source, walk: Walk) -> Page:
    resource: Resource = "products" if walk.resource == "products" else "orders"
    if walk.kind == HISTORY:
        return source.history(resource, walk.cursor)
    assert walk.kind == CHANGES
    assert walk.since is not None
    return source.changes(resource, walk.since, walk.cursor)


def _keep(store: Store, walk: Walk, items: Iterable[Fetched]) -> None:
    """Write what was fetched to the inbox, and count resources: a product's variants are none of their own."""
    items = tuple(items)
    keep_polled(db.session.connection(), store, items)
    walk.done += sum(1 for item in items if not item.body.get("parent_id") or walk.resource == "orders")


def _compare(store: Store, source: Source, walk: Walk, progress: Progress) -> None:
    """Fetch what differs from what is stored: changes and deletions that no event told of.

    It is short enough to begin anew after a crash, so it keeps no cursor.
    """
    resource: Resource = "products" if walk.resource == "products" else "orders"
    walk.done, walk.total = 0, source.count(resource)
    listed: dict[str, Listed] = {}
    cursor = None
    while True:
        page = source.listing(resource, cursor)
        listed.update((item.id, item) for item in page.items)
        walk.done = len(listed)
        db.session.commit()
        progress(walk)
        cursor = page.cursor
        if cursor is None:
            break
    stored = _stored(store.id, resource)
    differing = [id_ for id_ in stored if id_ not in listed]
    differing += [id_ for id_, item in listed.items() if _is_news(item, stored.get(id_))]
    if len(differing) > _DIFFERENCES:
        walk.notes = [
            f"{len(differing)} {resource} differ, and {_DIFFERENCES} of them were fetched; "
            "`pannier backfill --anew` is the quicker way to the rest."
        ]
    for start in range(0, min(len(differing), _DIFFERENCES), _BATCH):
        batch = differing[start : start + _BATCH]
        keep_polled(
            db.session.connection(),
            store,
            [source.one(resource, id_) or source.gone(resource, id_) for id_ in batch],
        )
        db.session.commit()
        hint(DELIVERIES, DRAIN, store.id)
    walk.platform_count, walk.stored_count = len(listed), len(stored)


def _is_news(item: Listed, stored_at: datetime | None) -> bool:
    return stored_at is None or item.changed_at - stored_at >= timedelta(seconds=1)


def _stored(store_id: int, resource: Resource) -> dict[str, datetime]:
    """Return the stored resources that the platform should have, with the platform's time of their state."""
    query: Select[str, Any]
    if resource == "orders":
        query = select(Order.platform_id, Order.source_updated_at).where(
            Order.store_id == store_id, Order.deleted_at.is_(None)
        )
    else:
        # One that only an order has named was never listed.
        query = select(Product.platform_id, Product.source_updated_at).where(
            Product.store_id == store_id,
            Product.status != ProductStatus.UNKNOWN,
            Product.source_updated_at.is_not(None),
            (Product.deleted_at.is_(None)) | (Product.deleted_at < Product.source_updated_at),
        )
    return {platform_id: moment for platform_id, moment in db.session.execute(query) if moment}


def note_problem(store: Store, error: ReconnectNeeded) -> None:
    """Keep why a store's platform does not let us in, so that nobody asks it again until it is connected anew."""
    store.connection_problem = str(error)
    store.connection_problem_at = now()
    db.session.commit()
    log.warning("reconnect_needed", store_id=store.id)
