"""From the merchant's word to the basket, on both platforms: what an answer promises is what the cart gets."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from app.bundles.roll_out import roll_out
from app.commerce.offers import Discount, DiscountKind, discount_on
from app.commerce.store import Store, rotate_keys
from app.connections import jobs
from app.core.db import db
from app.core.held import forget_everything
from demo.catalogue import Product
from demo.courier import Courier, ShopifyCourier, WooCommerceCourier
from demo.peers.shopify.state import ShopifyState
from demo.peers.woocommerce import serve as serve_woocommerce
from demo.shops import Shop, load_shop
from demo.storefront import create_storefront
from demo.till import Till
from tests.end_to_end.connections import (
    SECRET,
    beside_shopify,
    install_shopify,
    install_woocommerce,
    served,
    settle,
    without_waiting,
)

CART = "/wp-json/wc/store/v1/cart"
DISCOUNT = Discount(DiscountKind.PERCENT, 1500)
# As many as the shop has on its shelves here: a small shop is quick to fetch.
_PRODUCTS = 20


@dataclass
class Market:
    """A shop in which Pannier is installed, its storefront, and the keys that its merchant holds."""

    pannier: str
    store_id: int
    till: Till
    browser: FlaskClient
    publishable: str
    secret: str
    cut_off: Callable[[], None]

    @property
    def products(self) -> list[Product]:
        """Four products that can be bought, each once in a cart."""
        found = [x.product for x in self.till.shelves.all()[:_PRODUCTS] if x.on_show and x.stock > 3]
        return found[:4]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the merchant's side of the API."""
        headers = {"Authorization": f"Bearer {self.secret}"}
        response = requests.request(method, f"{self.pannier}{path}", json=body, headers=headers, timeout=30)
        assert response.ok, response.text
        return response.json()

    def offer(self, *products: Product, discounted: tuple[Product, ...] = (), **changes: Any) -> str:
        """Make and approve an offer; return its key. It is rolled out."""
        body: dict[str, Any] = {
            "title": "Goes together",
            "components": [{"product_id": self.till.identifier(product)} for product in products],
            "discount": {"kind": "percent", "value": DISCOUNT.value},
            "approve": True,
            "beyond_limits": True,
            **changes,
        }
        if discounted:
            body["discounted"] = [self.till.identifier(product) for product in discounted]
        key: str = self.call("POST", "/v1/offers", body)["key"]
        self.roll_out()
        return key

    def roll_out(self) -> None:
        """Do what the worker does."""
        db.session.rollback()
        roll_out(self.store_id)
        forget_everything()

    def told(self, page: Product) -> dict[str, str]:
        """Return which product carries which offer on a product's page."""
        found = requests.get(
            f"{self.pannier}/v1/recommendations",
            params={"slot": "product", "product_id": self.till.identifier(page), "limit": "4"},
            headers={"X-Pannier-Key": self.publishable},
            timeout=30,
        )
        assert found.ok, found.text
        return {r["product_id"]: r["offer"]["id"] for r in found.json()["recommendations"] if r["offer"]}

    def put_in(self, product: Product) -> None:
        """Put a piece into the cart, as the widget does."""
        item = {"id": int(self.till.variant_identifier(product)), "quantity": 1}
        if isinstance(self.till.courier, ShopifyCourier):
            added = self.browser.post("/cart/add.js", json={"items": [item]})
        else:
            nonce = self.browser.get(CART).headers["Nonce"]
            added = self.browser.post(f"{CART}/add-item", json=item, headers={"Nonce": nonce})
        assert added.status_code in (200, 201), added.text

    def discount(self) -> int:
        """Return what is taken off the cart, in minor units, tax included."""
        if isinstance(self.till.courier, ShopifyCourier):
            return int(self.browser.get("/cart.js").json["total_discount"])
        totals = self.browser.get(CART).json["totals"]
        return int(totals["total_discount"]) + int(totals["total_discount_tax"])


@pytest.fixture(params=["shopify", "woocommerce"])
def market(
    request: pytest.FixtureRequest,
    app: Flask,
    make_app: Callable[..., Flask],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Market]:
    without_waiting(monkeypatch)
    # Nobody has a page from before open, so that an offer's end need not wait.
    monkeypatch.setattr("app.bundles.keeping.TOLD_FOR", timedelta())
    shop = load_shop(request.param)
    with ExitStack() as stack:
        open_ = _shopify if request.param == "shopify" else _woocommerce
        ours, pannier, courier, install, cut_off = open_(shop, stack, app, make_app)
        storefront = create_storefront(
            shop, pannier_url=pannier, courier=courier, publishable_key="pk", state=None
        )
        storefront.testing = True
        till: Till = storefront.extensions["till"]
        courier.tell((), till.shelves.all()[:_PRODUCTS])
        store = install()
        jobs.backfill(store.id)
        settle(store.id)
        keys = rotate_keys(store)
        db.session.commit()
        forget_everything()
        stack.callback(till.close)
        stack.enter_context(ours.app_context())
        yield Market(
            pannier, store.id, till, storefront.test_client(), keys.publishable, keys.secret, cut_off
        )


Opened = tuple[Flask, str, Courier, Callable[[], Store], Callable[[], None]]


def _shopify(shop: Shop, stack: ExitStack, app: Flask, make_app: Callable[..., Flask]) -> Opened:
    state = ShopifyState()
    ours, pannier, peer = stack.enter_context(beside_shopify(state, make_app))
    courier = ShopifyCourier(shop, state, webhook_url=f"{pannier}/webhooks/shopify", client_secret=SECRET)
    return (
        ours,
        pannier,
        courier,
        lambda: install_shopify(pannier, peer.url, courier.peer),
        lambda: state.faults.add("unavailable", times=1000),
    )


def _woocommerce(shop: Shop, stack: ExitStack, app: Flask, make_app: Callable[..., Flask]) -> Opened:
    courier = WooCommerceCourier(shop)
    stack.enter_context(serve_woocommerce(courier.store))
    pannier = stack.enter_context(served(app))
    return (
        app,
        pannier,
        courier,
        lambda: install_woocommerce(pannier, courier.store),
        lambda: courier.store.outages.plan("503", times=1000, path_prefix="/wp-json/"),
    )


def test_an_offer_from_the_merchants_word_to_the_basket_and_its_end(market: Market) -> None:
    a, b, c, other = market.products
    key = market.offer(a, b, c)

    assert market.call("GET", f"/v1/offers/{key}")["state"] == "live"
    identify = market.till.identifier
    assert market.told(a) == {identify(b): key, identify(c): key}
    for product in (a, b, other):
        market.put_in(product)
    assert market.discount() == 0, "one is missing"
    market.put_in(c)
    assert market.discount() == discount_on(a.price + b.price + c.price, DISCOUNT)

    market.call("POST", f"/v1/offers/{key}/end", {})
    market.roll_out()
    assert market.told(a) == {}
    assert market.discount() == 0

    # One product alone may cost less beside another.
    a, b, *_ = market.products[::-1]
    key = market.offer(a, b, discounted=(b,))

    assert market.told(a) == {market.till.identifier(b): key}
    assert market.discount() == discount_on(b.price, DISCOUNT)

    market.cut_off()
    key = market.offer(market.products[0], market.products[2])
    found = market.call("GET", f"/v1/offers/{key}")
    assert (found["state"], found["reason_code"]) == ("not_live", "unreachable")
    assert found["reason"]
    assert market.told(market.products[0]) == {}
