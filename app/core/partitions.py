"""The weeks of a table: their tables are made ahead, and dropped whole when their time is over.

Dropping a table costs the same whatever is in it, and leaves nothing behind to be cleaned up. What finds no table of
its week lies in ``<table>_default`` until that is made.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from app.core.db import db

log = structlog.get_logger()

AHEAD: Final = 4
_WEEK: Final = timedelta(days=7)
# Making and dropping a week waits for rows that are being written, and they wait for it: not for long.
_PATIENCE: Final = "5s"
_DELETED_AT_ONCE: Final = 20_000


@dataclass(frozen=True, slots=True)
class Weekly:
    """A table that is partitioned by week (UTC).

    Attributes:
        table: its name; the table ``<table>_default`` takes what has no week yet.
        column: what it is partitioned by.
        of_dates: whether that is a ``date``; a ``timestamptz`` otherwise.
    """

    table: str
    column: str
    of_dates: bool = False

    @property
    def default(self) -> str:
        """The table of what has no week yet."""
        return f"{self.table}_default"

    @property
    def day(self) -> str:
        """SQL for the day of a row, UTC."""
        return self.column if self.of_dates else f"({self.column} AT TIME ZONE 'UTC')::date"

    def bound(self, day: date) -> str:
        """Return SQL for the first moment of a day."""
        return f"'{day.isoformat()}'" if self.of_dates else f"'{day.isoformat()} 00:00:00+00'"


def week_of(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def name_of(weekly: Weekly, monday: date) -> str:
    """Return the name of a week's table."""
    return f"{weekly.table}_{monday:%Y%m%d}"


def weeks(connection: Connection, weekly: Weekly) -> list[date]:
    """Return the Mondays of the weeks that have a table, the oldest first."""
    names = connection.exec_driver_sql(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = %(table)s::regclass",
        {"table": weekly.table},
    ).scalars()
    found = (re.fullmatch(rf"{weekly.table}_(\d{{8}})", name) for name in names)
    return sorted(
        datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC).date() for match in found if match
    )


def missing_weeks(connection: Connection, weekly: Weekly, today: date) -> list[date]:
    """Return the weeks that need a table: this one, those ahead, and those of rows that lie in the default."""
    wanted = {week_of(today) + n * _WEEK for n in range(AHEAD + 1)}
    stray = connection.exec_driver_sql(f"SELECT DISTINCT {weekly.day} FROM {weekly.default}").scalars()
    return sorted((wanted | set(map(week_of, stray))) - set(weeks(connection, weekly)))


def make(connection: Connection, weekly: Weekly, monday: date) -> int:
    """Make the table of a week inside the caller's transaction; return how many rows moved from the default."""
    name, begin, end = name_of(weekly, monday), weekly.bound(monday), weekly.bound(monday + _WEEK)
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
    # Nothing may arrive for the week between the move and the moment when the table is there.
    connection.exec_driver_sql(f"LOCK TABLE {weekly.default} IN ACCESS EXCLUSIVE MODE")
    connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE {weekly.table} INCLUDING ALL)")
    moved = connection.exec_driver_sql(
        f"WITH moved AS (DELETE FROM {weekly.default} WHERE {weekly.column} >= {begin} AND {weekly.column} < {end}"
        f" RETURNING *) INSERT INTO {name} SELECT * FROM moved"
    )
    connection.exec_driver_sql(
        f"ALTER TABLE {weekly.table} ATTACH PARTITION {name} FOR VALUES FROM ({begin}) TO ({end})"
    )
    return moved.rowcount


def over(connection: Connection, weekly: Weekly, before: date) -> Iterator[date]:
    """Yield the weeks of which every day lies before ``before``."""
    return (monday for monday in weeks(connection, weekly) if monday + _WEEK <= before)


def drop(connection: Connection, weekly: Weekly, monday: date) -> None:
    """Drop the table of a week inside the caller's transaction, with all that is in it."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
    connection.exec_driver_sql(f"DROP TABLE {name_of(weekly, monday)}")


def make_missing(weekly: Weekly, today: date) -> int:
    """Make the tables of this week and of those ahead, each in a transaction; return how many were missing."""
    missing = missing_weeks(db.session.connection(), weekly, today)
    db.session.commit()
    for monday in missing:
        moved = make(db.session.connection(), weekly, monday)
        db.session.commit()
        log.info("week_made", table=weekly.table, week=monday.isoformat(), moved=moved)
    return len(missing)


def drop_over(weekly: Weekly, before: date) -> int:
    """Drop the weeks of which every day lies before ``before``, and delete older rows of the default.

    Returns how many weeks were dropped. A week that is in use just now is dropped the next time.
    """
    dropped = 0
    for monday in list(over(db.session.connection(), weekly, before)):
        db.session.commit()
        try:
            drop(db.session.connection(), weekly, monday)
            db.session.commit()
        except OperationalError as error:
            db.session.rollback()
            log.warning(
                "week_kept", table=weekly.table, week=monday.isoformat(), error=type(error.orig).__name__
            )
            continue
        dropped += 1
        log.info("week_dropped", table=weekly.table, week=monday.isoformat())
    delete_before(weekly.default, weekly.column, weekly.bound(before))
    return dropped


def delete_before(table: str, column: str, moment: str) -> None:
    """Delete rows of a table, some at once: nobody waits for a long transaction. ``moment`` is SQL."""
    while True:
        deleted = db.session.connection().exec_driver_sql(
            f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("
            f"SELECT ctid FROM {table} WHERE {column} < {moment} LIMIT {_DELETED_AT_ONCE}))"
        )
        db.session.commit()
        if deleted.rowcount < _DELETED_AT_ONCE:
            return
