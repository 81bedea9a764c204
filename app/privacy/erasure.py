"""Erasing a person, and erasing a whole store."""

from typing import Final

import structlog
from sqlalchemy import Connection, MetaData, delete, select, update

from app.commerce import ingest
from app.commerce.changes import PrivacyRequestKind
from app.commerce.store import Store
from app.core.db import db, now
from app.core.redis import breaker, redis_client
from app.privacy import consent, suppression
from app.privacy.models import PrivacyRequestRecord
from app.privacy.persons import Named, find
from app.privacy.rooms import Person, rooms
from app.privacy.subjects import ORDER, digest, subject_of

log = structlog.get_logger()

_KEYS_AT_ONCE: Final = 1000
_OPEN: Final = (
    PrivacyRequestRecord.kind == PrivacyRequestKind.REDACT_STORE,
    PrivacyRequestRecord.completed_at.is_(None),
)


def erase_person(
    connection: Connection, store_id: int, named: Named
) -> tuple[Person, dict[str, dict[str, int]]]:
    """Remove everything that any room keeps of a person, inside the caller's transaction, and keep it out for good.

    Returns who it was, and what was removed: numbers by room and kind, without those that are zero. Let the rooms
    ``forget`` when it is committed.
    """
    # Nobody applies changes, or stores events by leave of a consent, until this is committed.
    ingest.lock_commerce(connection, store_id)
    consent.hold_off(connection, store_id)
    person = find(connection, store_id, named)
    listed = [(node.partition(":")[0], subject_of(store_id, node)) for node in person.nodes]
    listed += [(ORDER, digest(store_id, ORDER, order)) for order in person.order_ids]
    suppression.suppress(connection, store_id, listed)
    removed: dict[str, dict[str, int]] = {}
    for room in rooms():
        found = {what: number for what, number in room.erase(connection, person).items() if number}
        if found:
            removed[room.name] = found
    return person, removed


def erase_redacted_stores() -> int:
    """Erase every store that is uninstalled and whose platform asked for it; return how many.

    Shopify asks 48 hours after an uninstallation (``shop/redact``). A store that was installed again since keeps its
    data; the request is then done without anything to do.
    https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
    """
    asked = db.session.scalars(select(PrivacyRequestRecord.store_id).where(*_OPEN).distinct()).all()
    db.session.rollback()
    return sum(_settle(store_id) for store_id in asked)


def _settle(store_id: int) -> bool:
    """Erase the store unless it is installed, and say so. Nobody can install it again meanwhile."""
    store = db.session.scalar(
        select(Store).where(Store.id == store_id).with_for_update().execution_options(populate_existing=True)
    )
    if store is not None and store.uninstalled_at is not None:
        erase_store(store_id)
        return True
    db.session.execute(
        update(PrivacyRequestRecord)
        .where(PrivacyRequestRecord.store_id == store_id, *_OPEN)
        .values(completed_at=now())
    )
    db.session.commit()
    return False


def erase_store(store_id: int) -> None:
    """Delete every row and every cached answer of a store, and the store."""
    connection = db.session.connection()
    # As the database knows them: a process imports the modules of the tables that it works with, not of all.
    tables = MetaData()
    tables.reflect(connection)
    for table in reversed(tables.sorted_tables):
        if "store_id" in table.columns:
            connection.execute(delete(table).where(table.c.store_id == store_id))
    connection.execute(delete(Store).where(Store.id == store_id))
    db.session.commit()
    breaker().call(lambda: _forget_answers(store_id), otherwise=None)
    log.info("store_erased", store_id=store_id)


def _forget_answers(store_id: int) -> None:
    """Delete what Redis holds of the store. What a lost Redis keeps expires by itself."""
    client = redis_client()
    names: list[bytes] = []
    for name in client.scan_iter(f"pannier:{store_id}:*", count=_KEYS_AT_ONCE):
        names.append(name)
        if len(names) == _KEYS_AT_ONCE:
            client.unlink(*names)
            names.clear()
    if names:
        client.unlink(*names)
