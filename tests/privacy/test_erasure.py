"""Erasing a whole store: nothing of it stays, nothing of another goes."""

import threading
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import Table, func, insert, select, text
from sqlalchemy.dialects.postgresql import JSONB

from app.commerce.changes import PrivacyRequestKind
from app.commerce.store import Store
from app.core.crypto import Encrypted
from app.core.db import Model, db, now
from app.core.queues import hint_key
from app.privacy import erasure
from app.privacy.models import PrivacyRequestRecord
from tests.factories import at, new_store

_tokens = iter(range(10**9))


def fill(store_id: int) -> None:
    """Put a row of the store into every table that has none of it yet, whatever tables there are."""
    connection = db.session.connection()
    for table in Model.metadata.sorted_tables:
        if "store_id" not in table.columns or rows(table, store_id):
            continue
        values: dict[str, Any] = {}
        for column in table.columns:
            if column.name == "store_id":
                values[column.name] = store_id
            elif column.foreign_keys:
                parent = next(iter(column.foreign_keys)).column
                values[column.name] = connection.scalar(
                    select(parent).where(parent.table.c.store_id == store_id).limit(1)
                )
            elif column.server_default is None and not _counts_itself(column):
                values[column.name] = _something(column)
        connection.execute(insert(table).values(values))
    db.session.commit()


def _counts_itself(column: Any) -> bool:
    return column is column.table.autoincrement_column


def _something(column: Any) -> Any:
    if isinstance(column.type, JSONB | Encrypted):
        return {}
    kind = column.type.python_type
    if kind is str:
        return f"x{next(_tokens):09}"
    if kind is bytes:
        return str(next(_tokens)).encode()
    return {int: 1, bool: False, float: 1.0, list: [], date: at(0).date()}.get(kind, at(0))


def rows(table: Table, store_id: int) -> int:
    """Return how many rows of the store a table has."""
    found = db.session.scalar(select(func.count()).select_from(table).where(table.c.store_id == store_id))
    return int(found or 0)


def counts(store_id: int) -> dict[str, int]:
    """Return how many rows of the store each table has."""
    found = {t.name: rows(t, store_id) for t in Model.metadata.sorted_tables if "store_id" in t.columns}
    own = db.session.scalar(select(func.count()).where(Store.id == store_id))
    return {**found, "store": int(own or 0)}


def ask(store: Store, kind: PrivacyRequestKind = PrivacyRequestKind.REDACT_STORE) -> PrivacyRequestRecord:
    """Store a request that a store be erased."""
    request = PrivacyRequestRecord(
        store_id=store.id, request_id=f"r{next(_tokens)}", kind=kind.value, orders=[], requested_at=at(0),
        due_at=at(0) + timedelta(days=30),
    )  # fmt: skip
    db.session.add(request)
    db.session.commit()
    return request


@pytest.fixture
def store(app: Flask) -> Store:
    """A store with a row in every table."""
    store = new_store()
    fill(store.id)
    return store


def test_every_table_but_the_stores_own_belongs_to_a_store(app: Flask) -> None:
    assert [t.name for t in Model.metadata.sorted_tables if "store_id" not in t.columns] == ["store"]


def test_an_erased_store_leaves_no_row_and_another_keeps_all(store: Store) -> None:
    other = new_store()
    fill(other.id)
    store_id, before = store.id, counts(other.id)
    assert 0 not in counts(store_id).values()

    erasure.erase_store(store_id)

    assert set(counts(store_id).values()) == {0}
    assert counts(other.id) == before


def test_an_erased_store_leaves_no_key_in_redis_and_another_keeps_its_own(
    store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "_KEYS_AT_ONCE", 3)
    mine = [f"pannier:{store.id}:card:{number}" for number in range(7)] + [hint_key("x", store.id)]
    others = [f"pannier:{store.id}0:card:1", f"pannier:{store.id + 1}:card:1", "LIMITS:x", "rq:queue:x"]
    redis.mset(dict.fromkeys([*mine, *others], 1))

    erasure.erase_store(store.id)

    assert sorted(redis.keys()) == sorted(name.encode() for name in others)


def test_a_store_can_be_erased_without_redis(store: Store, redis_down: None) -> None:
    store_id = store.id

    erasure.erase_store(store_id)

    assert set(counts(store_id).values()) == {0}


def test_a_table_that_this_process_has_not_imported_is_emptied_too(store: Store) -> None:
    store_id, other = store.id, new_store()
    with db.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE elsewhere (store_id bigint REFERENCES store (id))")
        connection.exec_driver_sql(f"INSERT INTO elsewhere VALUES ({store_id}), ({other.id})")
    try:
        erasure.erase_store(store_id)
        left = db.session.scalars(text("SELECT store_id FROM elsewhere")).all()
    finally:
        db.session.rollback()
        with db.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE elsewhere")

    assert left == [other.id]


def test_a_store_that_is_not_there_is_erased_already(app: Flask) -> None:
    erasure.erase_store(4711)


def test_a_store_that_left_and_is_to_be_redacted_is_erased(store: Store) -> None:
    store.uninstalled_at = at(0)
    ask(store)
    ask(store)
    store_id, other = store.id, new_store()

    assert erasure.erase_redacted_stores() == 1
    assert set(counts(store_id).values()) == {0}
    assert counts(other.id)["store"] == 1
    assert erasure.erase_redacted_stores() == 0


def test_a_store_that_was_installed_again_is_kept_and_the_request_is_done(store: Store) -> None:
    request = ask(store)
    before, started = counts(store.id), now()

    assert erasure.erase_redacted_stores() == 0

    assert counts(store.id) == before
    db.session.refresh(request)
    assert request.completed_at is not None
    assert request.completed_at >= started
    # Done is done: a later uninstallation brings a request of its own.
    store.uninstalled_at = now()
    db.session.commit()
    assert erasure.erase_redacted_stores() == 0


@pytest.mark.parametrize(
    "kind", [k for k in PrivacyRequestKind if k is not PrivacyRequestKind.REDACT_STORE], ids=lambda k: k.value
)
def test_other_requests_erase_no_store(store: Store, kind: PrivacyRequestKind) -> None:
    store.uninstalled_at = at(0)
    request = ask(store, kind)

    assert erasure.erase_redacted_stores() == 0

    db.session.refresh(request)
    assert request.completed_at is None
    assert counts(store.id)["store"] == 1


def test_a_store_that_left_without_a_request_is_kept(store: Store) -> None:
    store.uninstalled_at = at(0)
    db.session.commit()

    assert erasure.erase_redacted_stores() == 0
    assert counts(store.id)["store"] == 1


def test_a_store_that_is_installed_again_meanwhile_is_kept(store: Store, app: Flask) -> None:
    store.uninstalled_at = at(0)
    ask(store)
    store_id = store.id
    erased: list[int] = []

    def erase() -> None:
        with app.app_context():
            erased.append(erasure.erase_redacted_stores())

    # An installation is under way and holds the store's row; the erasure has to wait for what becomes of it.
    with db.engine.begin() as installing:
        installing.execute(text("UPDATE store SET uninstalled_at = NULL WHERE id = :id"), {"id": store_id})
        eraser = threading.Thread(target=erase)
        eraser.start()
        while not db.session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert eraser.is_alive()
            db.session.rollback()
        db.session.rollback()
    eraser.join(30)

    assert erased == [0]
    assert counts(store_id)["store"] == 1
