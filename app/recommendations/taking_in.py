"""Taking changes in, with everything that follows from them: the one way for deliveries and for files."""

from collections.abc import Iterable

from sqlalchemy import Connection

from app.commerce import ingest
from app.commerce.changes import CommerceChange
from app.commerce.ingest.applied import Applied
from app.core.db import db, now
from app.events import links
from app.pricing import ledger
from app.privacy import suppression
from app.recommendations import cache, described, learning
from app.segments import refreshing as segments


def take_in(connection: Connection, store_id: int, changes: Iterable[CommerceChange]) -> Applied:
    """Write changes of one store and learn from them, inside the caller's transaction.

    What names somebody who was erased is left out. Call ``announce`` when it is committed.
    """
    found = list(changes)
    if found:
        # Before the list of the erased is read: an erasure takes the same lock.
        ingest.lock_commerce(connection, store_id)
    applied = ingest.apply(connection, store_id, suppression.without(connection, store_id, found))
    ledger.note_shop_prices(connection, store_id, applied.products, now())
    learning.learn(connection, store_id, applied.baskets)
    links.link_merged(connection, store_id, applied.merges)
    return applied


def announce(store_id: int, applied: Applied) -> None:
    """Let the storefront and the segments know, once the changes are committed. Ends the session's transaction."""
    cache.replace_cards(db.session.connection(), store_id, applied.products)
    db.session.rollback()
    described.mark(store_id, applied.described)
    segments.follow(store_id, applied.customers)
