"""What the tests of prices stand on."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app.commerce.store import Store
from app.core.db import db
from app.pricing import undo, writing
from tests.factories import new_store
from tests.pricing.scripted_prices import ScriptedPrices


@pytest.fixture
def store(shared_app: Flask) -> Iterator[Store]:
    """A store of this test alone, inside the application's context."""
    with shared_app.app_context():
        yield new_store()
        db.session.rollback()


@pytest.fixture
def prices(monkeypatch: pytest.MonkeyPatch) -> ScriptedPrices:
    """The shop's list prices, which answer as a test says."""
    scripted = ScriptedPrices()
    for module in (writing, undo):
        monkeypatch.setattr(module, "prices_for", lambda _store: scripted)
    return scripted
