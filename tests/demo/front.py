"""A storefront for one test, talking to a sink."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from demo.catalogue import Listing, Product
from demo.shops import Shop
from demo.storefront import create_storefront
from demo.till import Till
from tests.demo.sink import Sink

SECRET = "front-secret"


@dataclass(frozen=True)
class Front:
    """The storefront under test with a shopper's browser."""

    app: Flask
    client: FlaskClient
    sink: Sink

    @property
    def till(self) -> Till:
        return self.app.extensions["till"]

    def listed(
        self, count: int = 1, *, fit: Callable[[Listing], bool] = lambda x: x.stock > 30
    ) -> list[Product]:
        """Return the best selling products on show whose listing fits."""
        found = [x.product for x in self.till.shelves.all() if x.on_show and fit(x)]
        return sorted(found, key=lambda product: product.rank)[:count]


@contextmanager
def opened(shop: Shop, sink: Sink, state: Path | None = None) -> Iterator[Front]:
    app = create_storefront(
        shop,
        pannier_url="http://127.0.0.1:8000",
        publishable_key="pk_test",
        webhook_url=sink.url,
        secret=SECRET,
        state=state,
    )
    app.testing = True
    try:
        yield Front(app, app.test_client(), sink)
    finally:
        app.extensions["till"].courier.close()
