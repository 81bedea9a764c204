"""What the tests of monitoring stand on."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from app.commerce.store import Store
from app.core.db import db
from app.core.redis import Breaker
from tests.connectors.scripted_server import Says, ScriptedServer, scripted_server
from tests.factories import new_store


@pytest.fixture
def receiver() -> Iterator[ScriptedServer]:
    """A merchant's endpoint, which takes everything until a test says otherwise."""
    with scripted_server() as running:
        running.says(Says(status=204))
        yield running


@pytest.fixture(scope="module")
def loopback_app(shared_app: Flask) -> Iterator[Flask]:
    """The application of the tests, allowed to reach this machine."""
    before = shared_app.extensions["pannier_settings"]
    shared_app.extensions["pannier_settings"] = replace(before, allow_loopback_stores=True)
    yield shared_app
    shared_app.extensions["pannier_settings"] = before


@pytest.fixture
def store(loopback_app: Flask) -> Iterator[Store]:
    """A store of this test alone, inside the application's context."""
    with loopback_app.app_context():
        loopback_app.extensions["pannier_redis_breaker"] = Breaker()
        yield new_store()
        db.session.rollback()
