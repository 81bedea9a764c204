"""The migrations: they end where the models are, and the way back loses no delivery."""

import re
from collections.abc import Iterator

import orjson
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask
from sqlalchemy import Connection

from app.core.db import Model, db
from app.core.migrations import _config
from app.core.packing import pack, unpack
from tests.factories import incoming, keep, new_store


@pytest.fixture
def connection(app: Flask) -> Iterator[Connection]:
    """A connection whose work, tables included, is undone after the test."""
    with db.engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
        yield connection
        connection.rollback()


def store_of_its_own() -> int:
    """Add a store and return its id; no transaction stays open, for migrations wait for all readers."""
    store_id = new_store().id
    db.session.rollback()
    return store_id


def go_to(connection: Connection, revision: str) -> None:
    """Bring the schema down or up to ``revision``."""
    config = _config()
    config.attributes["connection"] = connection
    (command.upgrade if revision == "head" else command.downgrade)(config, revision)


def bodies(connection: Connection) -> list[str | bytes]:
    """Return the column ``body`` of all deliveries, in the order of arrival."""
    return list(connection.exec_driver_sql("SELECT body FROM webhook_delivery ORDER BY id").scalars())


def is_no_partition(_thing: object, name: str | None, kind: str, *_: object) -> bool:
    """Leave out the partitions of ``event``: their number changes with the weeks."""
    return kind != "table" or re.fullmatch(r"(event|decision)_(default|\d{8})", str(name)) is None


def test_the_migrations_make_the_tables_of_the_models(connection: Connection) -> None:
    opts = {"compare_type": True, "include_object": is_no_partition}
    context = MigrationContext.configure(connection, opts=opts)

    assert compare_metadata(context, Model.metadata) == []


def test_bodies_survive_the_way_back_and_forth(connection: Connection) -> None:
    store_id, texts = store_of_its_own(), ['{"id":1,"note":"häßlich"}', '{"id":2}']
    for number, text in enumerate(texts):
        keep(incoming(store_id, body=orjson.loads(text), key=str(number)))
    keep(incoming(10**12, body={}, key="of a store that is gone"))
    assert bodies(connection) == [pack(text.encode()) for text in [*texts, "{}"]]

    go_to(connection, "0003")
    assert bodies(connection) == texts
    connection.exec_driver_sql("DELETE FROM store")
    assert bodies(connection) == []


def test_bodies_of_before_are_read_after_the_migration(connection: Connection) -> None:
    keep(incoming(store_of_its_own(), body={"note": "häßlich"}, key="one"))

    go_to(connection, "0003")
    go_to(connection, "head")

    (body,) = bodies(connection)
    assert isinstance(body, bytes)
    assert body.decode() == unpack(body).decode() == '{"note":"häßlich"}'
