"""What tests of privacy stand on."""

import io
import sys

import pytest
import structlog
from flask import Flask

from app.commerce.store import Store
from tests.factories import new_store


@pytest.fixture
def store(app: Flask) -> Store:
    """A store of its own."""
    return new_store()


@pytest.fixture
def everything_logged(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What any module writes into the log during this test, at every level."""
    written = io.StringIO()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(written),
        processors=structlog.get_config()["processors"],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("app", "webhooks", "connectors") and hasattr(module, "log"):
            monkeypatch.setattr(module, "log", logger)
    return written
