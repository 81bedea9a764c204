"""How long each class of personal data is kept, and ending it. ``docs/privacy.md`` has the table."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, delete, select

from app.commerce.cart import Cart
from app.core.config import Settings
from app.core.db import Model, db, now
from app.privacy import export
from app.privacy.models import ConsentChoice, ConsentState, PrivacyRequestRecord

# Rows that one transaction deletes.
_BATCH: Final = 5_000


def end(settings: Settings) -> dict[str, int]:
    """Delete what has been kept for its time, batch by batch; return how many rows of what."""
    at = now()
    consent_before = at - timedelta(days=settings.consent_retention_days)
    found = {
        "carts": _delete(
            Cart,
            select(Cart.id).where(Cart.source_updated_at < at - timedelta(days=settings.cart_retention_days)),
        ),
        "consent_choices": _delete(ConsentChoice, _old_choices(consent_before)),
        "consent_states": _states(consent_before),
        "privacy_requests": _delete(
            PrivacyRequestRecord,
            select(PrivacyRequestRecord.id).where(
                PrivacyRequestRecord.completed_at < at - timedelta(days=settings.receipt_retention_days)
            ),
        ),
        "privacy_exports": export.forget_expired(db.session.connection()),
    }
    db.session.commit()
    return found


def _old_choices(before: datetime) -> Select[Any]:
    return select(ConsentChoice.id).where(ConsentChoice.recorded_at < before)


def _states(before: datetime) -> int:
    """Delete states that are too old to count: whoever said yes so long ago is asked again."""
    removed = db.session.connection().execute(delete(ConsentState).where(ConsentState.chosen_at < before))
    db.session.commit()
    return removed.rowcount


def _delete(table: type[Model], old: Select[Any]) -> int:
    key: Any = table.__table__.c.id
    total = 0
    while True:
        removed = db.session.connection().execute(delete(table).where(key.in_(old.limit(_BATCH)))).rowcount
        db.session.commit()
        total += removed
        if removed < _BATCH:
            return total
