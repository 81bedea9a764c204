"""RQ entry points of quotes: telling keys to checkouts, and forgetting. Everything here may come twice."""

import structlog
from sqlalchemy import exists, or_, select

from app.commerce.store import Store
from app.core.db import db, now
from app.core.queues import UPKEEP, enqueue
from app.platforms.sources import discounts_for
from app.pricing import quoting
from app.pricing.models import QuoteSecret
from app.pricing.quote_keys import PUBLISH, forget_old_roots, last_told, note_problem, note_told, window_keys
from app.pricing.quotes import KEYS_AHEAD, window_at
from connectors.errors import PlatformError, ReconnectNeeded, Rejected

log = structlog.get_logger()


def publish_keys_everywhere() -> None:
    """Enqueue the telling of keys for every store whose checkout lacks the newest, or is to forget those it has."""
    has_secret = exists().where(QuoteSecret.store_id == Store.id)
    stores = db.session.execute(
        select(Store.id, Store.settings).where(
            Store.uninstalled_at.is_(None),
            Store.connection_problem.is_(None),
            Store.connected_at.is_not(None),
            or_(has_secret, Store.settings.has_key("price_quotes")),
        )
    ).all()
    db.session.rollback()
    newest = window_at(now()) + KEYS_AHEAD
    for store_id, settings in stores:
        wanted = newest if settings.get("price_quotes") else None
        if last_told(store_id) != wanted:
            enqueue(UPKEEP, PUBLISH, store_id)


def publish_keys(store_id: int) -> None:
    """Tell a store's checkout which keys count now; none where the merchant has switched quotes off.

    What fails is tried again a minute later: until a checkout has a key, no quote is signed under it.
    """
    store = db.session.get(Store, store_id)
    if store is None or store.uninstalled_at is not None:
        db.session.rollback()
        return
    keys = window_keys(store_id, now()) if store.setting("price_quotes") else []
    try:
        discounts = discounts_for(store)
        db.session.commit()  # no transaction is open while the platform is asked
        discounts.publish_keys(keys)
    except PlatformError as error:
        db.session.rollback()
        # The merchant has to do something about a refusal; what was not reached is tried again.
        note_problem(store_id, str(error) if isinstance(error, Rejected | ReconnectNeeded) else None)
        log.warning("quote_keys_not_published", store_id=store_id, error=type(error).__name__)
        return
    note_problem(store_id, None)
    note_told(store_id, window_at(keys[-1].not_after) - 1 if keys else None)


def forget_old_quotes() -> None:
    """Delete quotes whose time is long over, and root secrets that sign nothing any more."""
    quoting.forget_old(now())
    forget_old_roots(now())
    db.session.commit()
