"""What tests of privacy stand on."""

import pytest
from flask import Flask

from app.commerce.store import Store
from tests.factories import new_store


@pytest.fixture
def store(app: Flask) -> Store:
    """A store of its own."""
    return new_store()
