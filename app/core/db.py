"""PostgreSQL: the truth.

Tables derive from ``Model``. Requests and jobs use ``db.session``; bulk writes use array parameters on
``db.session.connection()``. One dialect everywhere: PostgreSQL.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Flask, current_app, g
from sqlalchemy import (
    BigInteger,
    Connection,
    CursorResult,
    DateTime,
    Engine,
    LargeBinary,
    MetaData,
    Text,
    create_engine,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Session

# Deterministic constraint names, so that migrations can address them.
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Model(DeclarativeBase):
    """The base of every table."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own protocol
        int: BigInteger,
        bytes: LargeBinary,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        list[int]: ARRAY(BigInteger),
    }


class Database:
    """The application's engine, and one session for each application context."""

    @property
    def engine(self) -> Engine:
        """The current application's engine."""
        engine: Engine = current_app.extensions["pannier_engine"]
        return engine

    @property
    def session(self) -> Session:
        """The current context's session; it is closed, and what was not committed undone, with the context."""
        session: Session | None = g.get("pannier_session")
        if session is None:
            session = g.pannier_session = Session(self.engine)
        return session


db = Database()


def init_db(app: Flask, url: str) -> None:
    """Bind the application to the database at ``url``. No connection is opened yet.

    ``hide_parameters`` keeps values out of error texts and so out of the logs. A connection that PostgreSQL
    closed while it lay in the pool is replaced before use.
    """
    app.extensions["pannier_engine"] = create_engine(
        url,
        pool_pre_ping=True,
        pool_size=8,
        max_overflow=8,
        pool_timeout=5,
        hide_parameters=True,
        connect_args={"connect_timeout": 3, "options": "-c timezone=UTC -c lock_timeout=30s"},
    )
    app.teardown_appcontext(_close_session)


def _close_session(_error: BaseException | None) -> None:
    session: Session | None = g.pop("pannier_session", None)
    if session is not None:
        session.close()


def now() -> datetime:
    """Return the current time, UTC."""
    return datetime.now(UTC)


def lock_store(connection: Connection, store_id: int, room: int) -> None:
    """Wait for the store's lock of ``room``; it is held until the transaction ends."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:room, :store)"), {"room": room, "store": store_id % 2**31}
    )


@contextmanager
def try_lock_store(store_id: int, room: int) -> Iterator[bool]:
    """Say whether this process has the store's lock of ``room``; nobody else has it until the block is left.

    The lock belongs to a connection of its own, so that it ends with the process, however that ends.
    """
    key = {"room": room, "store": store_id % 2**31}
    with db.engine.connect() as guard:
        mine = bool(guard.scalar(text("SELECT pg_try_advisory_lock(:room, :store)"), key))
        guard.commit()
        try:
            yield mine
        finally:
            if mine:
                guard.execute(text("SELECT pg_advisory_unlock(:room, :store)"), key)
                guard.commit()


def execute_rows(
    connection: Connection, sql: str, rows: Sequence[dict[str, Any]], **parameters: Any
) -> CursorResult[*tuple[Any, ...]]:
    """Run one statement over many rows at once.

    ``sql`` reads them from ``json_to_recordset(%(rows)s::json)``: one parameter of JSON costs a tenth of
    thousands of bound values. ``bytes`` arrive as hexadecimal text (``decode(x, 'hex')``), times as RFC 3339.
    """
    body = orjson.dumps(rows, default=_json_default).decode()
    return connection.exec_driver_sql(sql, {"rows": body, **parameters})


def _json_default(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"cannot write {type(value).__name__}")
