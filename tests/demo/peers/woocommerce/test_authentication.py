"""Who may ask the stand-in: OAuth 1.0a, Basic and keys in the query."""

from datetime import timedelta
from typing import Any

import pytest
import requests
from woocommerce import API

from demo.peers.woocommerce import Key, Site, WooState, serve
from tests.demo.peers.woocommerce.store import BEANS, FILTERS, NOW, client, ids, problem


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"include": [BEANS, FILTERS]}, id="list"),
        pytest.param({"slug": "a%20b"}, id="looks_encoded"),
        pytest.param({"slug": ""}, id="empty"),
    ],
)
def test_what_the_client_signs_wrongly_is_refused(api: API, params: dict[str, Any]) -> None:
    assert problem(api.get("products", params=params)) == (
        401,
        "woocommerce_rest_authentication_error",
        "Invalid signature - provided signature does not match.",
    )


def test_signed_values_may_hold_spaces_commas_and_accents(api: API) -> None:
    answer = api.get("products", params={"slug": "crème brûlée, 1+1 & more", "status": "publish"})
    assert ids(answer) == []


def test_signed_post_and_put_are_accepted(api: API) -> None:
    answer = api.put(f"products/{BEANS}", {"cross_sell_ids": [FILTERS]})
    assert (answer.status_code, answer.json()["cross_sell_ids"]) == (200, [FILTERS])


def test_nonce_is_accepted_once(api: API) -> None:
    address = api.get("products").url
    assert problem(requests.get(address, timeout=5)) == (
        401,
        "woocommerce_rest_authentication_error",
        "Invalid nonce - nonce has already been used.",
    )


@pytest.mark.parametrize(
    ("minutes", "status"),
    [
        pytest.param(15, 200, id="late"),
        pytest.param(-15, 200, id="early"),
        pytest.param(15.1, 401, id="too_late"),
        pytest.param(-15.1, 401, id="too_early"),
    ],
)
def test_clocks_may_differ_by_a_quarter_of_an_hour(
    api: API, state: WooState, minutes: float, status: int
) -> None:
    state.site.clock = lambda: NOW + timedelta(minutes=minutes)
    answer = api.get("products")
    assert answer.status_code == status
    if status == 401:
        assert answer.json()["message"] == "Invalid timestamp."


def test_wrong_or_unknown_keys_are_refused_over_http(peer: str, key: Key) -> None:
    wrong = client(peer, key, consumer_secret="cs_wrong").get("products")
    assert problem(wrong)[2] == "Invalid signature - provided signature does not match."
    unknown = client(peer, key, consumer_key="ck_unknown").get("products")
    assert problem(unknown)[2] == "Consumer key is invalid."
    lacking = requests.get(f"{peer}/wp-json/wc/v3/products?oauth_nonce=1&oauth_timestamp=1", timeout=5)
    assert problem(lacking) == (
        401,
        "woocommerce_rest_authentication_missing_parameter",
        "Missing OAuth parameters oauth_consumer_key, oauth_signature, oauth_signature_method",
    )


@pytest.mark.parametrize(
    ("permissions", "reads", "writes"),
    [
        pytest.param("read", 200, 401, id="read"),
        pytest.param("write", 401, 200, id="write"),
        pytest.param("read_write", 200, 200, id="read_write"),
    ],
)
def test_permissions_decide_by_method(
    peer: str, state: WooState, permissions: Any, reads: int, writes: int
) -> None:
    api = client(peer, state.create_key(permissions))
    assert api.get(f"products/{BEANS}").status_code == reads
    answer = api.put(f"products/{BEANS}", {"name": "Beans"})
    assert answer.status_code == writes
    if writes == 401:
        assert answer.json()["message"] == "The API key provided does not have write permissions."


def test_basic_over_http_is_a_stranger(peer: str, key: Key) -> None:
    answer = requests.get(
        f"{peer}/wp-json/wc/v3/products", auth=(key.consumer_key, key.consumer_secret), timeout=5
    )
    assert problem(answer) == (401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")


def test_keys_of_a_deleted_user_are_dead(api: API, state: WooState) -> None:
    state.delete_user()
    assert api.get("products").status_code == 401


def test_behind_tls_basic_and_query_are_accepted(peer: str, state: WooState, key: Key) -> None:
    state.site.behind_tls = True
    address = f"{peer}/wp-json/wc/v3/products/{BEANS}"
    pair = (key.consumer_key, key.consumer_secret)
    query = {"consumer_key": pair[0], "consumer_secret": pair[1]}
    assert requests.get(address, auth=pair, timeout=5).status_code == 200
    assert requests.get(address, params=query, timeout=5).status_code == 200
    wrong = requests.get(address, auth=(pair[0], "cs_wrong"), timeout=5)
    assert problem(wrong)[2] == "Consumer secret is invalid."
    assert wrong.headers["WWW-Authenticate"].startswith("Basic realm=")
    # An unknown key and none at all get the same answer.
    unknown = requests.get(address, auth=("ck_unknown", pair[1]), timeout=5)
    assert problem(unknown) == problem(requests.get(address, timeout=5))
    assert problem(unknown)[1:] == ("woocommerce_rest_cannot_view", "Sorry, you cannot view this resource.")


def test_host_that_strips_the_header_leaves_the_query(peer: str, state: WooState, key: Key) -> None:
    state.site.behind_tls = state.site.strips_authorization = True
    address = f"{peer}/wp-json/wc/v3/products"
    pair = (key.consumer_key, key.consumer_secret)
    query = {"consumer_key": pair[0], "consumer_secret": pair[1]}
    assert requests.get(address, auth=pair, timeout=5).status_code == 401
    assert requests.get(address, params=query, timeout=5).status_code == 200


def test_of_a_repeated_name_the_last_value_stays(peer: str, state: WooState, key: Key) -> None:
    state.site.behind_tls = True
    pair = (key.consumer_key, key.consumer_secret)
    address = f"{peer}/wp-json/wc/v3/products"
    assert ids(requests.get(f"{address}?include=12&include=13", auth=pair, timeout=5)) == [FILTERS]
    assert sorted(ids(requests.get(f"{address}?include[]=12&include[]=13", auth=pair, timeout=5))) == [12, 13]


def test_two_stores_do_not_know_each_others_keys(key: Key, peer: str) -> None:
    other = WooState(Site(clock=lambda: NOW))
    with serve(other) as url:
        assert client(url, key).get("products").status_code == 401
        assert ids(client(url, other.create_key()).get("products")) == []
    assert client(peer, key).get("products").status_code == 200
