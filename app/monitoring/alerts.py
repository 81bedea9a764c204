"""Alerts: raised once, told once, cleared when it is over.

At most one alert of a store and a source is open, so whoever finds the same trouble again every few minutes may raise
it every time. An alert keeps the worst level that it had while it was open: trouble that comes and goes between warn
and error is told twice at most. Telling the merchant is the work of :mod:`app.monitoring.sending`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Row, case, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from app.core.db import now
from app.core.paging import newest_first
from app.monitoring.models import Alert

WARN: Final = "warn"
ERROR: Final = "error"
# For how long one that is over can still be listed.
RETENTION: Final = timedelta(days=180)


def raise_alert(connection: Connection, store_id: int, source: str, level: str, message: str) -> bool:
    """Raise an alert, or keep the one that is open; return whether that is news to the merchant.

    A second call while it is open changes the message, and the level only from warn to error. Nothing is committed.

    Args:
        connection: whose transaction this belongs to.
        store_id: the store.
        source: what it is about, such as ``orders`` or ``slot:cart``: one alert of each is open.
        level: ``warn`` or ``error``.
        message: in a sentence, with what to do. Name times rather than ages: every change is written.

    Raises:
        ValueError: if ``level`` is neither.
    """
    if level not in (WARN, ERROR):
        raise ValueError(f"{level!r} is no level of an alert.")
    moment = now()
    statement = insert(Alert).values(
        store_id=store_id,
        source=source,
        level=level,
        message=message,
        raised_at=moment,
        next_attempt_at=moment,
    )
    new = statement.excluded
    worse = (new.level == ERROR) & (Alert.level == WARN)
    statement = statement.on_conflict_do_update(
        index_elements=[Alert.store_id, Alert.source],
        index_where=Alert.cleared_at.is_(None),
        set_={
            "level": new.level,
            "message": new.message,
            "attempts": case((worse, 0), else_=Alert.attempts),
            "next_attempt_at": case((worse, moment), else_=Alert.next_attempt_at),
        },
        where=worse | ((new.level == Alert.level) & (new.message != Alert.message)),
    )
    told_again = connection.execute(statement.returning(Alert.next_attempt_at)).scalar()
    return told_again == moment


def clear_alert(connection: Connection, store_id: int, source: str) -> bool:
    """End the open alert of ``source``; return whether there was one. Nothing is committed.

    The merchant is told that it is over only if they were told that it began.
    """
    moment = now()
    result = connection.execute(
        update(Alert)
        .where(Alert.store_id == store_id, Alert.source == source, Alert.cleared_at.is_(None))
        .values(
            cleared_at=moment,
            attempts=0,
            next_attempt_at=case((Alert.told_at.is_not(None), moment), else_=None),
        )
    )
    return bool(result.rowcount)


def page(
    connection: Connection, store_id: int, *, only_open: bool, before: int | None, limit: int
) -> Sequence[Row[int, str, str, str, datetime, datetime | None, datetime | None]]:
    """Return alerts, newest first: id, source, level, message, when raised, cleared, and last told.

    ``before`` is the id of the last one of the page before.
    """
    query = select(
        Alert.id,
        Alert.source,
        Alert.level,
        Alert.message,
        Alert.raised_at,
        Alert.cleared_at,
        Alert.told_at,
    ).where(Alert.store_id == store_id)
    if only_open:
        query = query.where(Alert.cleared_at.is_(None))
    return connection.execute(newest_first(query, Alert.id, limit, before)).all()


def forget_old(connection: Connection) -> int:
    """Delete alerts that have been over for longer than ``RETENTION``; return how many. Nothing is committed."""
    old = delete(Alert).where(Alert.cleared_at < now() - RETENTION)
    return connection.execute(old).rowcount
