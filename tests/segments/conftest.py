"""What the tests of segments in the database stand on."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from app.commerce import ingest
from app.commerce.changes import CommerceChange
from app.commerce.store import Store
from app.core.db import db
from tests.factories import new_store

Apply = Callable[..., None]


@pytest.fixture
def store(shared_app: Flask) -> Iterator[Store]:
    """A store of this test alone: cheaper than emptying the database before each."""
    with shared_app.app_context():
        yield new_store()
        db.session.rollback()


@pytest.fixture
def apply(store: Store) -> Apply:
    """Write changes of the store."""

    def run(*changes: CommerceChange) -> None:
        ingest.apply(db.session.connection(), store.id, changes)
        db.session.commit()

    return run
