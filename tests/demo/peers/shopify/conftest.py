"""What these tests stand on."""

from datetime import timedelta

import pytest

from demo.orders import Refund
from demo.peers.shopify.app import DEFAULT_SCOPES, create_peer
from demo.peers.shopify.state import ShopifyState
from tests.demo.peers.shopify.platform import (
    BAG,
    CALLBACK,
    CLIENT,
    DOMAIN,
    MUG,
    OTHER,
    PAGE,
    SECRET,
    START,
    TIN,
    Clock,
    Platform,
    order_body,
    product_body,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def platform(clock: Clock) -> Platform:
    state = ShopifyState(now=clock)
    state.shop(OTHER)
    shop = state.shop(DOMAIN, name="Hearth & Bunting", url="https://hearth.example")
    shop.install(DEFAULT_SCOPES)
    app = create_peer(state, CLIENT, SECRET, app_url=PAGE, redirect_urls=[CALLBACK])
    return Platform(state, shop, app.test_client(), shop.tokens.issue(clock()).access_token)


@pytest.fixture
def stocked(platform: Platform) -> Platform:
    """The stand-in with three products and three orders: of last week, partly refunded, and of long ago."""
    for product in (MUG, BAG, TIN):
        platform.shop.add_product(product_body(product))
    refund = Refund(START - timedelta(days=1), ((0, 1),))
    platform.shop.add_order(order_body(1001))
    platform.shop.add_order(order_body(1002, 3, refunds=(refund,)))
    platform.shop.add_order(order_body(1003, 100))
    return platform
