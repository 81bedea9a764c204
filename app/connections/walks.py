"""Walking through what a platform has, page by page.

Every page goes into the inbox in the transaction that moves the cursor: a walk that dies goes on where it was, and
a page that comes twice is recognised there.
"""

import time
from collections.abc import Callable, Container, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert

from app.commerce.catalog import Product
from app.commerce.changes import ProductStatus
from app.commerce.order import Order, OrderTombstone
from app.commerce.store import Store
from app.connections.installs import sentences
from app.connections.models import CHANGES, DONE, FAILED, HISTORY, LISTING, RUNNING, Walk
from app.core.db import db, now
from app.core.queues import DELIVERIES, hint
from app.privacy import suppression
from app.privacy.subjects import ORDER, digest
from connectors.errors import CursorLost, PlatformError, ReconnectNeeded, Rejected
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
_REFUSALS: Final = 3

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
            given_up = walk.restarts >= _RESTARTS
            # Whoever takes it up later begins again, too: the place that was lost does not come back.
            walk.cursor, walk.done = None, 0
            if not given_up:
                walk.restarts += 1
                walk.notes = sentences(walk.notes, [str(error)])
            db.session.commit()
            if given_up:
                raise
            log.warning("walk_begins_again", store_id=store.id, kind=walk.kind, resource=walk.resource)
            continue
        _keep(store, walk, page.items)
        walk.cursor = dict(page.cursor) if page.cursor is not None else None
        walk.total = page.total if page.total is not None else walk.total
        walk.notes = sentences(walk.notes, page.notes)
        db.session.commit()
        if page.items:
            hint(DELIVERIES, DRAIN, store.id)
        progress(walk)
        if page.cursor is None:
            return
        if page.wait_s:
            sleep(min(page.wait_s, _LONGEST_WAIT_S))


def _page(source: Source, walk: Walk) -> Page:
    resource, kind, since, cursor = _resource(walk), walk.kind, walk.since, walk.cursor
    db.session.rollback()  # no transaction stands open for as long as the platform takes
    if kind == HISTORY:
        return source.history(resource, cursor)
    assert kind == CHANGES
    assert since is not None
    return source.changes(resource, since, cursor)


def _resource(walk: Walk) -> Resource:
    return "products" if walk.resource == "products" else "orders"


def _keep(store: Store, walk: Walk, items: Iterable[Fetched]) -> None:
    """Write what was fetched to the inbox, and count resources: a product's variants are none of their own."""
    items = tuple(items)
    keep_polled(db.session.connection(), store, items)
    walk.done += sum(1 for item in items if not item.body.get("parent_id") or walk.resource == "orders")


def _compare(store: Store, source: Source, walk: Walk, progress: Progress) -> None:
    """Fetch what differs from what is stored: changes and deletions that no event told of.

    It is short enough to begin anew after a crash, so it keeps no cursor.
    """
    resource = _resource(walk)
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
    if resource == "orders":
        listed = _without_erased(store.id, listed)
    stored = {id_: moment for id_, moment in db.session.execute(present(store.id, resource)) if moment}
    differing = [id_ for id_, item in listed.items() if _is_news(item, stored.get(id_))]
    news = len(differing)
    differing += [id_ for id_ in stored if id_ not in listed]
    if len(differing) > _DIFFERENCES:
        walk.notes = [
            f"{len(differing)} {resource} differ, and {_DIFFERENCES} of them were fetched; "
            "`pannier backfill --anew` is the quicker way to the rest."
        ]
    walk.platform_count, walk.stored_count = len(listed), len(stored)
    differing = differing[:_DIFFERENCES]
    for group in (differing[:news], differing[news:]):
        for start in range(0, len(group), _BATCH):
            db.session.commit()  # no transaction stands open for as long as the platform takes
            refused = _refetch(store, source, resource, group[start : start + _BATCH], stored)
            walk.notes = list(dict.fromkeys((*walk.notes, *refused)))
            if len(refused) >= _REFUSALS:
                # It does not tell what is gone from what we may not see, such as orders older than our permission.
                break


def _without_erased(store_id: int, listed: dict[str, Listed]) -> dict[str, Listed]:
    """Return the orders without those of people who were erased: they are not missing, and not fetched again."""
    connection = db.session.connection()
    if not suppression.has_list(connection, store_id):
        return listed
    digests = {id_: digest(store_id, ORDER, id_) for id_ in listed}
    erased = suppression.suppressed(connection, store_id, digests.values())
    return {id_: item for id_, item in listed.items() if digests[id_] not in erased}


def _refetch(
    store: Store, source: Source, resource: Resource, ids: Iterable[str], stored: Container[str]
) -> list[str]:
    """Take in what the platform now has under ``ids``: their states, and that what was ``stored`` is gone.

    Return why it refused to say so of some; those stay as they are, and after a few no more is asked.
    """
    asked_at = now()
    found: dict[str, Fetched | None] = {}
    refused: list[str] = []
    for id_ in ids:
        try:
            found[id_] = source.one(resource, id_)
        except Rejected as error:
            refused.append(str(error))
            if len(refused) >= _REFUSALS:
                break
    gone = [source.gone(resource, id_) for id_, item in found.items() if item is None and id_ in stored]
    there = {id_: item for id_, item in found.items() if item is not None}
    connection = db.session.connection()
    buried = _buried(store.id, resource, there)
    keep_polled(connection, store, [item for id_, item in there.items() if id_ not in buried])
    keep_polled(connection, store, [*gone, *(there[id_] for id_ in buried)], asked_at=asked_at)
    db.session.commit()
    hint(DELIVERIES, DRAIN, store.id)
    return refused


def _buried(store_id: int, resource: Resource, ids: Iterable[str]) -> set[str]:
    """Return which of ``ids`` are stored as deleted."""
    wanted = list(ids)
    if resource == "orders":
        query = select(OrderTombstone.platform_id).where(
            OrderTombstone.store_id == store_id, OrderTombstone.platform_id.in_(wanted)
        )
    else:
        query = select(Product.platform_id).where(
            Product.store_id == store_id,
            Product.deleted_at.is_not(None),
            Product.platform_id.in_(wanted),
        )
    return set(db.session.scalars(query))


def _is_news(item: Listed, stored_at: datetime | None) -> bool:
    return stored_at is None or item.changed_at - stored_at >= timedelta(seconds=1)


def present(store_id: int, resource: Resource) -> Select[str, datetime | None]:
    """Return the query of stored resources that the platform should have: id, and its time of their state."""
    if resource == "orders":
        return select(Order.platform_id, Order.source_updated_at).where(
            Order.store_id == store_id, Order.deleted_at.is_(None)
        )
    # One that only an order has named was never listed.
    return select(Product.platform_id, Product.source_updated_at).where(
        Product.store_id == store_id,
        Product.status != ProductStatus.UNKNOWN,
        Product.source_updated_at.is_not(None),
        (Product.deleted_at.is_(None)) | (Product.deleted_at < Product.source_updated_at),
    )


def note_problem(store_id: int, connected_at: datetime | None, error: ReconnectNeeded) -> None:
    """Keep why a store's platform does not let us in, so that nobody asks it again until it is connected anew.

    What failed was the connection of ``connected_at``: one that was made since is not blamed.
    """
    noted = db.session.connection().execute(
        update(Store)
        .where(Store.id == store_id, Store.connected_at == connected_at, Store.connection_problem.is_(None))
        .values(connection_problem=str(error), connection_problem_at=now())
    )
    db.session.commit()
    if noted.rowcount:
        log.warning("reconnect_needed", store_id=store_id)
