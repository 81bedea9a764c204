"""The inbox's writing side: durable before the answer.

Deliveries that arrive at the same moment in one process share a transaction (see ``app.core.group_commit``).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult
from sqlalchemy import Engine

from app.core.group_commit import GroupCommit
from app.core.packing import pack
from webhooks.models import PENDING, QUARANTINED

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

    def write(self, rows: list[Row]) -> Sequence[None]:
        """Insert and commit ``rows``; those whose dedupe key is taken are passed over.

        Raises:
            psycopg.Error: if the connection is dead or a row is refused; nothing is written then.
        """
        name = b"inbox_%d" % len(rows)  # each size is a prepared statement of its own
        libpq = self._driver.pgconn
        if len(rows) not in self._prepared:
            places = iter(range(1, len(rows) * _COLUMNS + 1))
            marks = ", ".join(f"({', '.join(f'${next(places)}' for _ in _TYPES)})" for _ in rows)
            self._check(libpq.prepare(name, _INSERT.format(rows=marks).encode(), _TYPES * len(rows)))
            self._prepared.add(len(rows))
        values: list[Any] = [value for row in rows for value in row]  # None is NULL; the stub forgets it
        self._check(libpq.exec_prepared(name, values, _FORMATS * len(rows)))
        return [None] * len(rows)

    def _check(self, result: PGresult) -> None:
        if result.status == ExecStatus.COMMAND_OK:
            return
        if self._driver.pgconn.status == ConnStatus.BAD:
            raise psycopg.OperationalError("the connection to the database is lost")
        raise psycopg.errors.error_from_result(result)

    def close(self) -> None:
        """End the connection."""
        self._driver.close()


class Inbox(GroupCommit[Row, None]):
    """Writes deliveries of concurrent requests in shared statements. The dedupe keys make a repetition harmless."""

    def __init__(self, engine: Engine) -> None:
        """Write to ``engine`` on a connection in autocommit: a group costs one round trip."""
        super().__init__(lambda: _Connection(engine), order=lambda row: (row[0], row[2]))
