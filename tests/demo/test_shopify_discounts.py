"""From an offer that is published to the order that brings its discount back, in the Shopify-like shop."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.commerce.changes import OrderChange
from app.commerce.offers import Component, Discount, DiscountKind, Piece, Terms, reckon
from connectors.base import DeliveryContext
from connectors.prices import PriceWrite
from connectors.shopify.client import ShopifyClient
from connectors.shopify.connector import SHOPIFY
from connectors.shopify.discounts import ShopifyDiscounts
from connectors.shopify.prices import ShopifyPrices
from demo.catalogue import Product
from demo.courier import ShopifyCourier
from demo.peers.shopify.app import DEFAULT_SCOPES, serve
from demo.peers.shopify.state import ShopifyState
from demo.shops import Shop
from demo.storefront import create_storefront
from tests.connectors.shopify.peer import Tokens
from tests.demo.front import SECRET, Front
from tests.demo.sink import Sink


@dataclass
class Trade:
    """A storefront with Pannier's connector behind it."""

    front: Front
    discounts: ShopifyDiscounts
    prices: ShopifyPrices

    def put_in(self, product: Product, quantity: int = 1) -> Any:
        body = {"id": int(self.front.till.variant_identifier(product)), "quantity": quantity}
        assert self.front.client.post("/cart/add.js", json=body).status_code == 200
        return self.cart()

    def cart(self) -> Any:
        return self.front.client.get("/cart.js").json

    def terms(self, key: str, *products: Product, discounted: tuple[Product, ...] = ()) -> Terms:
        """Return an offer of 12.5 % on all products, or on those of ``discounted``."""
        ids = tuple(self.front.till.identifier(product) for product in products)
        on = tuple(self.front.till.identifier(product) for product in discounted) or ids
        began = datetime.now(UTC) - timedelta(hours=1)
        discount = Discount(DiscountKind.PERCENT, 1250)
        return Terms(key, f"Set {key}", tuple(map(Component, ids)), on, discount, "GBP", began)


@pytest.fixture
def trade(shopify: Shop, sink: Sink) -> Iterator[Trade]:
    state = ShopifyState()
    courier = ShopifyCourier(shopify, state, webhook_url=sink.url, client_secret=SECRET)
    courier.peer.install(DEFAULT_SCOPES)
    app = create_storefront(
        shopify, pannier_url="http://127.0.0.1:8000", courier=courier, publishable_key="pk_test", state=None
    )
    app.testing = True
    front = Front(app, app.test_client(), sink)
    courier.tell((), [front.till.shelves[product.number] for product in front.listed(5)])
    token = courier.peer.tokens.issue(datetime.now(UTC)).access_token
    with serve(state, "client-id", "client-secret") as served:
        client = ShopifyClient(courier.peer.domain, Tokens(token), address=served.template)
        yield Trade(front, ShopifyDiscounts(client, "GBP", "Europe/London"), ShopifyPrices(client, "GBP"))
    front.till.close()


@pytest.mark.parametrize("native", [True, False], ids=["by Shopify's own discount", "by the function"])
def test_a_cart_with_all_components_gets_exactly_what_is_promised(trade: Trade, native: bool) -> None:
    a, b = trade.front.listed(2)
    terms = trade.terms("ab", a, b, discounted=(b,) if native else ())
    published = trade.discounts.publish([terms], {})
    assert [offer.mechanism for offer in published.live] == ["native" if native else "function"]

    one = trade.put_in(a)
    both = trade.put_in(b)

    identify = trade.front.till.identifier
    (grant,) = reckon(
        [Piece("a", identify(a), None, 1, a.price), Piece("b", identify(b), None, 1, b.price)], [terms]
    )
    assert (one["total_discount"], one["total_price"]) == (0, a.price)
    assert (both["total_discount"], both["total_price"]) == (grant.amount, a.price + b.price - grant.amount)
    expected = {line: amount for line, _, amount in grant.lines}
    assert [item["total_discount"] for item in both["items"]] == [expected.get("a", 0), expected["b"]]
    assert {each["title"] for item in both["items"] for each in item["discounts"]} == {"Set ab"}
    page = trade.front.client.get("/cart").text
    assert "Set ab" in page
    assert f"£{both['total_price'] / 100:.2f}" in page or both["total_price"] < 5000


def test_an_offer_that_ended_is_gone(trade: Trade) -> None:
    a, b = trade.front.listed(2)
    published = trade.discounts.publish([trade.terms("ab", a, b)], {})
    trade.put_in(a)
    assert trade.put_in(b)["total_discount"] > 0

    trade.discounts.publish([], {offer.key: offer for offer in published.live})

    assert trade.cart()["total_discount"] == 0


def test_the_order_brings_the_discount_back(trade: Trade) -> None:
    a, b = trade.front.listed(2)
    trade.discounts.publish([trade.terms("ab", a, b)], {})
    trade.put_in(a)
    cart = trade.put_in(b)

    assert trade.front.client.post("/checkout").status_code == 302

    courier = trade.front.till.courier
    assert isinstance(courier, ShopifyCourier)
    (placed,) = trade.front.till.orders.values()
    (message, *_) = courier.voice.order_placed(placed.order, [])
    at = datetime.now(UTC)
    (change,) = SHOPIFY.translate(message.build(), DeliveryContext("orders/create", "GBP", at, at)).changes
    assert isinstance(change, OrderChange)
    assert [line.discount for line in change.lines] == [item["total_discount"] for item in cart["items"]]
    assert sum(line.discount for line in change.lines) > 0
    assert change.total == placed.order.to_pay


def test_page_and_cart_ask_the_price_that_was_written(trade: Trade) -> None:
    (product,) = trade.front.listed(1)
    till = trade.front.till
    trade.put_in(product)
    write = PriceWrite(
        till.identifier(product), till.variant_identifier(product), product.price + 100, product.price + 300,
        product.price, "GBP",
    )  # fmt: skip

    (outcome,) = trade.prices.write([write])

    assert outcome.problem is None
    now = till.shelves[product.number].product
    assert (now.price, now.compare_at_price) == (product.price + 100, product.price + 300)
    assert trade.cart()["total_price"] == product.price + 100
