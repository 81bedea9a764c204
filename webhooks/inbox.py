"""The inbox's writing side: durable before the answer.

Deliveries that arrive at the same moment in one process share a transaction: the first request writes for
everybody who came while the one before it was writing, and everybody returns once the commit is durable. One
commit then serves many requests, and a lone request waits for nobody.
"""

import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from webhooks.models import PENDING, QUARANTINED
from webhooks.packing import pack

_INSERT: Final = """
INSERT INTO webhook_delivery (store_id, topic, dedupe_key, event_id, api_version, triggered_at, received_at,
    body, body_sha256, status, reason)
VALUES {rows} ON CONFLICT (store_id, dedupe_key) DO NOTHING
"""
# What the columns are, as PostgreSQL numbers its types: int8, text, timestamptz, bytea.
_TYPES: Final = (20, 25, 25, 25, 25, 1184, 1184, 17, 17, 25, 25)
# Texts and digests go as they are, with their length: a text that holds NUL is then refused and not cut.
_FORMATS: Final = tuple(Format.BINARY if oid in (17, 25) else Format.TEXT for oid in _TYPES)
_COLUMNS: Final = len(_TYPES)
# Enough for every thread of a process; each size is a prepared statement of its own.
_LARGEST_GROUP: Final = 32

# The columns of one delivery as they go over the wire.
Row = tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A verified delivery: ``raw`` as it came, ``body`` the redacted JSON.

    ``quarantine`` names a reason to keep it out of the drain.
    """

    store_id: int
    topic: str
    dedupe_key: str
    event_id: str | None
    api_version: str | None
    triggered_at: datetime | None
    received_at: datetime
    body: bytes
    raw: bytes
    quarantine: str | None = None

    def row(self) -> Row:
        """Return the column values of ``_INSERT``."""
        return (
            b"%d" % self.store_id,
            self.topic.encode(),
            self.dedupe_key.encode(),
            _encoded(self.event_id),
            _encoded(self.api_version),
            _encoded(self.triggered_at.isoformat() if self.triggered_at else None),
            self.received_at.isoformat().encode(),
            pack(self.body),
            hashlib.sha256(self.raw).digest(),
            (QUARANTINED if self.quarantine else PENDING).encode(),
            _encoded(self.quarantine),
        )


def _encoded(value: str | None) -> bytes | None:
    return None if value is None else value.encode()


class _Waiting:
    """A row on its way, and the request's thread that waits for it."""

    __slots__ = ("done", "error", "row", "woken")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.done = False
        # Not written until proven otherwise: whatever ends the writing thread, nobody is told that all is well.
        self.error: Exception | None = RuntimeError("The delivery was not written.")
        # Released by the writing thread: the row is written, or it is this thread's turn to write.
        self.woken = threading.Lock()
        self.woken.acquire()


class _Connection:
    """A connection in autocommit, apart from those of the requests: they must not wait for each other.

    libpq is called directly and waits without Python's lock: a driver's way of binding values and of waiting
    would cost several times as much as the statement.
    """

    def __init__(self, engine: Engine) -> None:
        pooled = engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        assert isinstance(connection, psycopg.Connection)
        connection.autocommit = True
        self._driver = connection
        self._prepared: set[int] = set()

    def insert(self, rows: list[Row]) -> None:
        """Insert and commit ``rows``; those whose dedupe key is taken are passed over.

        Raises:
            psycopg.Error: if the connection is dead or a row is refused; nothing is written then.
        """
        name = b"inbox_%d" % len(rows)
        libpq = self._driver.pgconn
        if len(rows) not in self._prepared:
            places = iter(range(1, len(rows) * _COLUMNS + 1))
            marks = ", ".join(f"({', '.join(f'${next(places)}' for _ in _TYPES)})" for _ in rows)
            self._check(libpq.prepare(name, _INSERT.format(rows=marks).encode(), _TYPES * len(rows)))
            self._prepared.add(len(rows))
        values: list[Any] = [value for row in rows for value in row]  # None is NULL; the stub forgets it
        self._check(libpq.exec_prepared(name, values, _FORMATS * len(rows)))

    def _check(self, result: PGresult) -> None:
        if result.status == ExecStatus.COMMAND_OK:
            return
        if self._driver.pgconn.status == ConnStatus.BAD:
            raise psycopg.OperationalError("the connection to the database is lost")
        raise psycopg.errors.error_from_result(result)

    def close(self) -> None:
        """End the connection."""
        self._driver.close()


class GroupCommit:
    """Writes rows of concurrent threads in shared statements, each committed by itself.

    One thread at a time writes: for itself and for all who queued up before it began. Then it wakes those it
    wrote for and hands the turn to the first who came since. Nobody who is served waits for the next commit.

    One connection of its own, in autocommit: a group costs one round trip. When the connection turns out to be
    dead the group is written again on a new one, which the dedupe keys make harmless.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: _Connection | None = None
        self._queue: list[_Waiting] = []
        self._writing = False
        self._lock = threading.Lock()  # of the queue and of whose turn it is

    def write(self, row: Row) -> None:
        """Return once ``row`` is committed.

        Raises:
            sqlalchemy.exc.OperationalError: if the database is away.
            psycopg.Error: if it refuses the row.
        """
        mine = _Waiting(row)
        with self._lock:
            self._queue.append(mine)
            my_turn = not self._writing
            self._writing = True
        if not my_turn:
            mine.woken.acquire()
        if not mine.done:
            self._write_for_all()
        if mine.error is not None:
            raise mine.error

    def _write_for_all(self) -> None:
        """Write what is queued, this thread's own row first, and pass the turn on."""
        with self._lock:
            batch, self._queue = self._queue[:_LARGEST_GROUP], self._queue[_LARGEST_GROUP:]
        try:
            self._commit(batch)
        finally:
            with self._lock:
                following = self._queue[:1]
                self._writing = bool(following)
            for waiting in (*following, *batch[1:]):
                waiting.woken.release()

    def close(self) -> None:
        """End the connection; the next row opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

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

    def _execute(self, rows: list[Row]) -> None:
        reused = self._connection is not None
        try:
            self._run(rows)
        except OperationalError:
            if not reused:
                raise
            self._run(rows)

    def _run(self, rows: list[Row]) -> None:
        """Execute on the group's connection; a connection that saw an error is not used again."""
        connection, self._connection = self._connection, None
        try:
            connection = connection or _Connection(self._engine)
            connection.insert(rows)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
                raise OperationalError("INSERT INTO webhook_delivery", None, error) from error
            raise
        self._connection = connection
