"""The weeks of events: their tables are made ahead, and dropped whole when their time is over.

Dropping a table costs the same whatever is in it, and leaves nothing behind to be cleaned up. What finds no table of
its week lies in ``event_default`` until that is made.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

AHEAD: Final = 4
_WEEK: Final = timedelta(days=7)
_NAME: Final = re.compile(r"event_(\d{8})")
# Making and dropping a week waits for events that are being written, and events wait for it: not for long.
_PATIENCE: Final = "5s"


def week_of(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def name_of(monday: date) -> str:
    """Return the name of a week's table."""
    return f"event_{monday:%Y%m%d}"


def weeks(connection: Connection) -> list[date]:
    """Return the Mondays of the weeks that have a table, the oldest first."""
    names = connection.exec_driver_sql(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'event'::regclass"
    ).scalars()
    found = (_NAME.fullmatch(name) for name in names)
    return sorted(
        datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC).date() for match in found if match
    )


def missing_weeks(connection: Connection, today: date) -> list[date]:
    """Return the weeks that need a table: this one, those ahead, and those of rows that lie in ``event_default``."""
    wanted = {week_of(today) + n * _WEEK for n in range(AHEAD + 1)}
    stray = connection.exec_driver_sql(
        "SELECT DISTINCT (date_trunc('week', received_at AT TIME ZONE 'UTC'))::date FROM event_default"
    )
    return sorted((wanted | set(stray.scalars())) - set(weeks(connection)))


def make(connection: Connection, monday: date) -> int:
    """Make the table of a week inside the caller's transaction; return how many rows moved from ``event_default``."""
    name, begin, end = name_of(monday), _midnight(monday), _midnight(monday + _WEEK)
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
    # Nothing may arrive for the week between the move and the moment when the table is there.
    connection.exec_driver_sql("LOCK TABLE event_default IN ACCESS EXCLUSIVE MODE")
    connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE event INCLUDING ALL)")
    moved = connection.exec_driver_sql(
        "WITH moved AS (DELETE FROM event_default"
        f" WHERE received_at >= '{begin}' AND received_at < '{end}' RETURNING *) INSERT INTO {name} SELECT * FROM moved"
    )
    connection.exec_driver_sql(
        f"ALTER TABLE event ATTACH PARTITION {name} FOR VALUES FROM ('{begin}') TO ('{end}')"
    )
    return moved.rowcount


def over(connection: Connection, before: date) -> Iterator[date]:
    """Yield the weeks of which every day lies before ``before``."""
    return (monday for monday in weeks(connection) if monday + _WEEK <= before)


def drop(connection: Connection, monday: date) -> None:
    """Drop the table of a week inside the caller's transaction, with all that is in it."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
    connection.exec_driver_sql(f"DROP TABLE {name_of(monday)}")


def _midnight(day: date) -> str:
    return f"{day.isoformat()} 00:00:00+00"
