"""What the tests of imports stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.factories import new_store
from tests.imports.till import Till


@pytest.fixture
def till(shared_app: Flask, tmp_path: Path) -> Iterator[Till]:
    """A shop of this test alone: cheaper than emptying the database before each."""
    with shared_app.app_context():
        yield Till(new_store(), tmp_path)
