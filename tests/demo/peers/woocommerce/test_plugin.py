"""The plugin's routes and WooCommerce's batches in the stand-in, asked by the plain client."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from woocommerce import API

from demo.peers.woocommerce import Site, WooState, serve
from tests.connectors.woocommerce.shop import product, variation

SPACE = "wc-pannier/v1"
KEY = {"id": "k1", "secret": "c2VjcmV0", "not_after": 4_000_000_000}


@pytest.fixture
def state() -> WooState:
    store = WooState(Site(currency="EUR"))
    store.add_product({**product(12), "sale_price": ""})
    store.add_product({**product(21), "type": "variable"}, [{**variation(22, 21), "sale_price": ""}])
    return store


@pytest.fixture
def ask(state: WooState) -> Iterator[Any]:
    """Return a function that asks: namespace, method, path, body."""
    with serve(state) as url:
        key = state.create_key()

        def asked(space: str, method: str, path: str, body: Any = None) -> requests.Response:
            api = API(url, key.consumer_key, key.consumer_secret, version=space)
            given = () if method in ("get", "delete") else (body,)
            answer: requests.Response = getattr(api, method)(path, *given)
            return answer

        yield asked


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_without_the_plugin_there_are_no_such_routes(state: WooState, ask: Any) -> None:
    assert code(ask(SPACE, "get", "status")) == (404, "rest_no_route")
    assert SPACE not in requests.get(f"{state.site.url}/wp-json/", timeout=5).json()["namespaces"]

    state.install_plugin()

    assert ask(SPACE, "get", "status").json() == {
        "version": "1.1.0",
        "configuration": None,
        "keys": [],
        "currency": "EUR",
        "coupons_enabled": True,
    }
    assert SPACE in requests.get(f"{state.site.url}/wp-json/", timeout=5).json()["namespaces"]


def test_a_stranger_is_told_nothing(state: WooState, ask: Any) -> None:
    del ask
    state.install_plugin()

    answer = requests.get(f"{state.site.url}/wp-json/{SPACE}/status", timeout=5)

    assert code(answer) == (401, "rest_forbidden")


@pytest.mark.parametrize(
    "keys",
    [None, {}, ["k1"], [{"id": "k1"}], [{**KEY, "not_after": "soon"}]],
    ids=["none", "an object", "names", "fields missing", "no time"],
)
def test_keys_that_are_none_are_refused(state: WooState, ask: Any, keys: Any) -> None:
    plugin = state.install_plugin()
    assert ask(SPACE, "put", "keys", {"keys": [KEY]}).json() == {"keys": ["k1"]}

    assert code(ask(SPACE, "put", "keys", {"keys": keys})) == (400, "pannier_wrong_body")
    assert plugin.status()["keys"] == ["k1"]


@pytest.mark.parametrize(
    ("path", "body", "price"),
    [
        ("products/12", {"regular_price": "7.50"}, ("7.50", "", "7.50", False)),
        ("products/12", {"regular_price": "7.50", "sale_price": "5.00"}, ("7.50", "5.00", "5.00", True)),
        ("products/12", {"sale_price": "9.00"}, ("5.00", "9.00", "5.00", False)),
        ("products/22", {"regular_price": "6"}, ("6", "", "6", False)),
        ("products/21/variations/22", {"regular_price": "6.25"}, ("6.25", "", "6.25", False)),
    ],
    ids=["regular", "sale", "sale that is none", "variation as product", "variation"],
)
def test_a_price_follows_from_its_parts(
    state: WooState, ask: Any, path: str, body: dict[str, str], price: tuple[Any, ...]
) -> None:
    hook = state.hooks.create(
        topic="product.updated", delivery_url="http://127.0.0.1:9/", secret="s", name="p"
    )
    state.hooks.pinged(hook, 200)

    answer = ask("wc/v3", "put", path, body).json()

    assert tuple(answer[name] for name in ("regular_price", "sale_price", "price", "on_sale")) == price
    assert [pending.resource_id for pending in state.hooks.take_pending()] == [int(path.rpartition("/")[2])]


def test_a_batch_does_what_it_can_and_says_what_it_cannot(state: WooState, ask: Any) -> None:
    body = {"update": [{"id": 12, "regular_price": "8.00"}, {"id": 99, "regular_price": "8.00"}]}

    first, second = ask("wc/v3", "post", "products/batch", body).json()["update"]

    assert (first["id"], first["price"]) == (12, "8.00")
    assert (second["id"], second["error"]["code"]) == (99, "woocommerce_rest_product_invalid_id")
    other = ask("wc/v3", "post", "products/12/variations/batch", {"update": [{"id": 22}]}).json()["update"][0]
    assert other["error"]["code"] == "woocommerce_rest_product_variation_invalid_id"
    many = {"update": [{"id": 12}] * 101}
    assert code(ask("wc/v3", "post", "products/batch", many)) == (
        413,
        "woocommerce_rest_request_entity_too_large",
    )
    assert state.find("product", 99) is None


def test_a_coupons_end_is_in_the_sites_time_unless_it_has_a_zone(state: WooState, ask: Any) -> None:
    state.site.timezone = "Europe/Berlin"
    bodies = [
        {"code": "zoned", "date_expires": "2026-12-01T12:00:00Z"},
        {"code": "local", "date_expires": "2026-12-01T12:00:00"},
    ]

    made = ask("wc/v3", "post", "coupons/batch", {"create": bodies}).json()["create"]

    assert [coupon["date_expires_gmt"] for coupon in made] == ["2026-12-01T12:00:00", "2026-12-01T11:00:00"]
    again = ask("wc/v3", "post", "coupons/batch", {"create": bodies, "delete": [made[0]["id"]]}).json()
    assert [entry["error"]["code"] for entry in again["create"]] == [
        "woocommerce_rest_coupon_code_already_exists"
    ] * 2
    assert [coupon["id"] for coupon in ask("wc/v3", "get", "coupons").json()] == [made[1]["id"]]
