"""What the tests of the ties to the platforms stand on."""

from collections.abc import Callable

import pytest
from flask import Flask

from app.commerce.store import Store
from app.connections import jobs
from tests.connections.scripted import ScriptedSource
from tests.factories import connected


@pytest.fixture
def store(app: Flask) -> Store:
    """A connected store."""
    return connected()


@pytest.fixture
def add_connected(app: Flask) -> Callable[..., Store]:
    """Add further stores that are connected."""
    return connected


@pytest.fixture
def source() -> ScriptedSource:
    """A platform that holds nothing yet."""
    return ScriptedSource()


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> dict[int, ScriptedSource]:
    """The platforms of stores by id, as the jobs ask them; one without may not be asked."""
    found: dict[int, ScriptedSource] = {}

    def source_for(store: Store) -> ScriptedSource:
        assert store.id in found, "a store was asked that must be left alone"
        return found[store.id]

    monkeypatch.setattr(jobs, "source_for", source_for)
    return found
