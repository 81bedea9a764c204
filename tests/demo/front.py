"""A storefront for one test, talking to a sink."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from demo.catalogue import Listing, Product
from demo.courier import Courier, ShopifyCourier, WooCommerceCourier
from demo.peers.shopify.state import ShopifyState
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


def courier_to(sink: Sink, shop: Shop, journal: Path | None = None) -> Courier:
    """Return the courier of an empty shop in which Pannier is installed, at the address of ``sink``."""
    if shop.platform == "woocommerce":
        woocommerce = WooCommerceCourier(shop, journal=journal)
        for topic in ("order.created", "order.updated", "product.updated"):
            hook = woocommerce.store.hooks.create(
                topic=topic, delivery_url=sink.url, secret=SECRET, name=topic
            )
            woocommerce.store.hooks.pinged(hook, 200)
        return woocommerce
    shopify = ShopifyCourier(
        shop, ShopifyState(), webhook_url=sink.url, client_secret=SECRET, journal=journal
    )
    shopify.peer.install(["read_orders"])
    return shopify


@contextmanager
def opened(shop: Shop, sink: Sink, state: Path | None = None) -> Iterator[Front]:
    courier = courier_to(sink, shop)
    courier.start()
    app = create_storefront(
        shop,
        pannier_url="http://127.0.0.1:8000",
        courier=courier,
        publishable_key="pk_test",
        state=state,
    )
    app.testing = True
    try:
        yield Front(app, app.test_client(), sink)
    finally:
        courier.close()
