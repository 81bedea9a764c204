"""Telling again what stored events prove and count: links between identifiers, and the activity of their days."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection

from app.core.db import db
from app.events import activity, links
from app.events.properties import LINKS
from app.privacy.consent import recorded

_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did.

    Attributes:
        events: how many were read.
        links: how many links were not there.
        days: how many days were counted anew.
    """

    events: int
    links: int
    days: int


def replay(
    store_id: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    name: str | None = None,
    kept_from: date,
) -> Replayed:
    """Tell again what the matching events of a store prove and count. Commits; done twice it changes nothing.

    Args:
        store_id: the store.
        since: received at or after.
        until: received before.
        name: of the event.
        kept_from: the first day of which all events are kept; earlier days keep their counts.
    """
    events = new = 0
    days: set[date] = set()
    for rows in _chunks(store_id, since, until, name):
        connection = db.session.connection()
        # A withdrawal waits: its removal of links is not undone behind its back.
        recorded(connection, store_id, [row.subject for row in rows], hold=True)
        for received_at, pairs in _proven(connection, store_id, rows):
            new += links.link(connection, store_id, pairs, received_at)
        days.update(row.day for row in rows if row.day >= kept_from)
        events += len(rows)
        db.session.commit()
    activity.recompute(db.session.connection(), store_id, days)
    db.session.commit()
    return Replayed(events, new, len(days))


def _chunks(
    store_id: int, since: datetime | None, until: datetime | None, name: str | None
) -> Iterator[list[Any]]:
    """Yield the matching events in the order of their key."""
    after: tuple[datetime | None, int] = (None, 0)
    while True:
        rows = list(
            db.session.connection().exec_driver_sql(
                """
                SELECT received_at, id, subject, (occurred_at AT TIME ZONE 'UTC')::date AS day
                FROM event WHERE store_id = %(store)s
                    AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
                    AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
                    AND (%(name)s::text IS NULL OR name = %(name)s)
                    AND (%(at)s::timestamptz IS NULL OR (received_at, id) > (%(at)s, %(id)s))
                ORDER BY received_at, id LIMIT %(limit)s
                """,
                {
                    "store": store_id,
                    "since": since,
                    "until": until,
                    "name": name,
                    "at": after[0],
                    "id": after[1],
                    "limit": _AT_ONCE,
                },
            )
        )
        if not rows:
            return
        after = (rows[-1].received_at, rows[-1].id)
        yield rows


def _proven(
    connection: Connection, store_id: int, rows: list[Any]
) -> Iterator[tuple[datetime, list[tuple[str, str, str]]]]:
    """Yield what those of the events prove that are still there, now that nobody can remove them."""
    found = connection.exec_driver_sql(
        "SELECT received_at, properties -> %(links)s FROM event WHERE store_id = %(store)s"
        " AND received_at BETWEEN %(first)s AND %(last)s AND id = ANY(%(ids)s) AND properties ? %(links)s"
        " ORDER BY received_at, id",
        {
            "links": LINKS,
            "store": store_id,
            "first": rows[0].received_at,
            "last": rows[-1].received_at,
            "ids": [row.id for row in rows],
        },
    )
    for received_at, pairs in found.all():
        yield received_at, [tuple(pair) for pair in pairs]
