"""What the tests of serving stand on."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from tests.recommendations.shops import Shop


@pytest.fixture
def shop(shared_app: Flask) -> Iterator[Shop]:
    """A shop of this test alone: cheaper than emptying the database before each."""
    with shared_app.app_context():
        yield Shop(shared_app.test_client())


@pytest.fixture
def ready_shop(shop: Shop, make_app: Callable[..., Flask]) -> Shop:
    """The same shop, asked through an application that holds ready bytes for a minute of test time."""
    shop.client = make_app(ready_bytes_ms=15_000).test_client()
    return shop
