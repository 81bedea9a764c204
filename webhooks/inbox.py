"""The inbox's writing side: durable before the answer.

Deliveries that arrive at the same moment in one process share a transaction: the first request to reach
the door writes for everybody who stands behind it, and everybody returns once the commit is durable. One
commit then serves many requests, and a lone request waits for nobody.
"""

import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from flask import current_app
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.db import db
from webhooks.models import PENDING, QUARANTINED

_INSERT: LiteralString = """
INSERT INTO webhook_delivery (store_id, topic, dedupe_key, event_id, api_version, triggered_at, received_at,
    body, body_sha256, status, reason)
VALUES {rows} ON CONFLICT (store_id, dedupe_key) DO NOTHING
"""
_ROW: LiteralString = "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
# Enough for every thread of a process; each size is a prepared statement of its own.
_LARGEST_GROUP = 32


@dataclass(frozen=True, slots=True)
class Incoming:
    """A verified, redacted delivery. ``quarantine`` names a reason to keep it out of the drain."""

    store_id: int
    topic: str
    dedupe_key: str
    event_id: str | None
    api_version: str | None
    triggered_at: datetime | None
    received_at: datetime
    body: str
    raw: bytes
    quarantine: str | None = None

    def row(self) -> tuple[Any, ...]:
        """Return the column values of ``_INSERT``."""
        return (
            self.store_id,
            self.topic,
            self.dedupe_key,
            self.event_id,
            self.api_version,
            self.triggered_at,
            self.received_at,
            self.body,
            hashlib.sha256(self.raw).digest(),
            QUARANTINED if self.quarantine else PENDING,
            self.quarantine,
        )


class _Waiting:
    __slots__ = ("done", "error", "row")

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.row = row
        self.done = False
        # Not written until proven otherwise: whatever ends the writing thread, nobody is told that all is well.
        self.error: Exception | None = RuntimeError("The delivery was not written.")


class GroupCommit:
    """Writes rows of concurrent threads in shared statements, each committed by itself.

    One connection of its own, in autocommit: a group costs one round trip. When the connection turns out to be
    dead the group is written again on a new one, which the dedupe keys make harmless.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: psycopg.Connection[Any] | None = None
        self._queue: list[_Waiting] = []
        self._queue_lock = threading.Lock()
        self._door = threading.Lock()

    def write(self, row: tuple[Any, ...]) -> None:
        """Return once ``row`` is committed.

        Raises:
            sqlalchemy.exc.OperationalError: if the database is away.
            psycopg.Error: if it refuses the row.
        """
        mine = _Waiting(row)
        with self._queue_lock:
            self._queue.append(mine)
        with self._door:
            while not mine.done:
                with self._queue_lock:
                    batch, self._queue = self._queue[:_LARGEST_GROUP], self._queue[_LARGEST_GROUP:]
                self._commit(batch)
        if mine.error is not None:
            raise mine.error

    def _commit(self, batch: list[_Waiting]) -> None:
        try:
            # Sorted, so that two processes that lock the same keys do so in the same order.
            self._execute(sorted((w.row for w in batch), key=lambda row: (row[0], row[2])))
            for waiting in batch:
                waiting.error = None
        except (OperationalError, PoolTimeout) as error:  # the database is away, for each of them
            for waiting in batch:
                waiting.error = error
        except Exception as error:
            for waiting in batch:
                waiting.error = error if len(batch) == 1 else self._alone(waiting)
        finally:
            for waiting in batch:
                waiting.done = True

    def _alone(self, waiting: _Waiting) -> Exception | None:
        """Write one row of a failed batch by itself: a neighbour's fault must not refuse it."""
        try:
            self._execute([waiting.row])
        except Exception as error:
            return error
        return None

    def _execute(self, rows: list[tuple[Any, ...]]) -> None:
        sql = _INSERT.format(rows=", ".join([_ROW] * len(rows)))
        values = tuple(value for row in rows for value in row)
        reused = self._connection is not None
        try:
            self._run(sql, values)
        except OperationalError:
            if not reused:
                raise
            self._run(sql, values)

    def _run(self, sql: LiteralString, values: tuple[Any, ...]) -> None:
        """Execute on the group's connection; a connection that saw an error is not used again.

        The driver is called directly: SQLAlchemy's execution would cost as much again as the statement.
        """
        connection, self._connection = self._connection, None
        try:
            connection = connection or self._connect()
            connection.execute(sql, values, prepare=True)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
                raise OperationalError("INSERT INTO webhook_delivery", None, error) from error
            raise
        self._connection = connection

    def _connect(self) -> psycopg.Connection[Any]:
        pooled = self._engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()  # the group's own from now on: it must not wait for the requests' connections
        assert isinstance(connection, psycopg.Connection)
        connection.autocommit = True
        return connection


def keep(incoming: Incoming) -> None:
    """Write a delivery durably; one with the same dedupe key is not kept twice.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: if the database does not take it.
    """
    group: GroupCommit = current_app.extensions.setdefault("pannier_inbox", GroupCommit(db.engine))
    group.write(incoming.row())
