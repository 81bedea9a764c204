"""What the tests of the commerce room stand on."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from app.commerce import ingest
from app.commerce.changes import CommerceChange
from app.commerce.ingest import Applied
from app.commerce.store import Store
from app.core.db import db
from tests.commerce.tables import dump
from tests.factories import new_store

Apply = Callable[..., Applied]
Tables = Callable[[], dict[str, list[dict[str, Any]]]]


@pytest.fixture
def store(shared_app: Flask) -> Iterator[Store]:
    """A store of this test alone: cheaper than emptying the database before each."""
    with shared_app.app_context():
        yield new_store()


@pytest.fixture
def apply(store: Store) -> Apply:
    """Apply changes to the store in one transaction."""

    def run(*changes: CommerceChange) -> Applied:
        applied = ingest.apply(db.session.connection(), store.id, changes)
        db.session.commit()
        return applied

    return run


@pytest.fixture
def tables(store: Store) -> Tables:
    """Read all rows of the store."""
    return lambda: dump(db.session.connection(), store.id)
