"""The WooCommerce stand-in, asked by the real client and held against recordings of a real store."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
import pytest
import requests
from woocommerce import API

from connectors.woocommerce.signature import read_headers, verify
from demo.peers.woocommerce import Deliverer, Key, Site, WooState, fill, serve
from demo.shops import Shop
from tests.demo.sink import Sink, listening

RECORDED = Path(__file__).parents[2] / "payloads" / "woocommerce"
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
SECRET = "whsecForTheTests"
BEANS, FILTERS, SHIRT, SHIRT_M = 12, 13, 21, 22
ORDER = 24
VARIATION_FIELDS = frozenset(
    [
        *("id", "type", "date_created", "date_created_gmt", "date_modified", "date_modified_gmt"),
        *("description", "permalink", "sku", "global_unique_id", "price", "regular_price", "sale_price"),
        *("date_on_sale_from", "date_on_sale_from_gmt", "date_on_sale_to", "date_on_sale_to_gmt"),
        *("on_sale", "status", "purchasable", "virtual", "downloadable", "downloads", "download_limit"),
        *("download_expiry", "tax_status", "tax_class", "manage_stock", "stock_quantity", "stock_status"),
        *("backorders", "backorders_allowed", "backordered", "low_stock_amount", "weight", "dimensions"),
        *("shipping_class", "shipping_class_id", "image", "attributes", "menu_order", "meta_data"),
        *("name", "parent_id"),
    ]
)
REFUND_FIELDS = frozenset(
    [
        *("id", "parent_id", "date_created", "date_created_gmt", "amount", "reason", "refunded_by"),
        *(
            "refunded_payment",
            "meta_data",
            "line_items",
            "shipping_lines",
            "tax_lines",
            "fee_lines",
            "_links",
        ),
    ]
)
WEBHOOK_FIELDS = frozenset(
    [
        *("id", "name", "status", "topic", "resource", "event", "hooks", "delivery_url", "date_created"),
        *("date_created_gmt", "date_modified", "date_modified_gmt", "_links"),
    ]
)


def recorded(number: str) -> dict[str, Any]:
    raw = next(RECORDED.glob(f"{number}-*.raw")).read_bytes()
    body: dict[str, Any] = orjson.loads(raw.partition(b"\r\n\r\n")[2])
    return body


def variation() -> dict[str, Any]:
    body = {name: value for name, value in recorded("0020").items() if name in VARIATION_FIELDS}
    return {**body, "name": "M", "image": None}


@pytest.fixture
def state() -> WooState:
    """A store with two simple products, one with a variation, and an order of all three."""
    store = WooState(Site(currency="EUR", clock=lambda: NOW))
    store.add_product(recorded("0018"))
    store.add_product(recorded("0019"))
    shirt = {**recorded("0019"), "id": SHIRT, "name": "Barista T-Shirt", "type": "variable"}
    store.add_product({**shirt, "manage_stock": False, "stock_quantity": None}, [variation()])
    store.add_order(recorded("0016"))
    return store


@pytest.fixture
def peer(state: WooState) -> Iterator[str]:
    with serve(state) as url:
        yield url


@pytest.fixture
def key(state: WooState) -> Key:
    return state.create_key()


@pytest.fixture
def api(peer: str, key: Key) -> API:
    return client(peer, key)


def client(url: str, key: Key, **changes: Any) -> API:
    # The client's clock is the machine's, the store's is NOW.
    secrets = {"consumer_key": key.consumer_key, "consumer_secret": key.consumer_secret, **changes}
    return API(url, **secrets)


@pytest.fixture(autouse=True)
def same_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client signs at ``NOW``."""
    monkeypatch.setattr("woocommerce.api.time", NOW.timestamp)


def many_orders(state: WooState, count: int) -> None:
    for place in range(count):
        moment = (NOW - timedelta(hours=count - place)).replace(tzinfo=None).isoformat()
        dates = {"date_created_gmt": moment, "date_modified_gmt": moment}
        state.add_order({**recorded("0016"), "id": 1000 + place, "line_items": [], **dates})


def ids(answer: requests.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()]


def problem(answer: requests.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert body["data"]["status"] == answer.status_code
    return answer.status_code, body["code"], body["message"]


def subscribe(state: WooState, url: str, *topics: str) -> None:
    for topic in topics:
        webhook = state.hooks.create(topic=topic, delivery_url=url, secret=SECRET, name=topic)
        state.hooks.pinged(webhook, 200)


EVERYTHING = (
    *("order.created", "order.updated", "order.deleted", "order.restored"),
    *("product.created", "product.updated", "product.deleted", "product.restored"),
    *("coupon.created", "coupon.updated", "coupon.deleted"),
    *("customer.created", "customer.updated", "customer.deleted"),
)


# -- shapes --


@pytest.mark.parametrize(
    ("path", "recording"),
    [
        pytest.param(f"orders/{ORDER}", "0016", id="order"),
        pytest.param(f"products/{BEANS}", "0018", id="product"),
        pytest.param(f"products/{SHIRT_M}", "0020", id="variation_asked_as_product"),
    ],
)
def test_resource_has_the_fields_and_values_of_the_recording(
    api: API, peer: str, path: str, recording: str
) -> None:
    body = api.get(path).json()
    expected = recorded(recording)
    assert set(body) == set(expected)
    body.pop("related_ids", None)
    expected.pop("related_ids", None)
    links, expected_links = body.pop("_links"), expected.pop("_links")
    assert body == expected
    moved = orjson.dumps(expected_links).decode().replace("http://127.0.0.1:8081", peer)
    assert links == orjson.loads(moved)


def test_related_products_are_sampled_anew(api: API) -> None:
    samples = {tuple(api.get(f"products/{BEANS}").json()["related_ids"]) for _ in range(8)}
    assert len(samples) > 1
    assert {tuple(sorted(sample)) for sample in samples} == {(13, 14, 17, 18, 19)}


def test_variations_are_listed_under_their_product_only(api: API) -> None:
    listed = api.get(f"products/{SHIRT}/variations").json()
    assert [set(item) for item in listed] == [{*VARIATION_FIELDS, "_links"}]
    assert sorted(ids(api.get("products"))) == [BEANS, FILTERS, SHIRT]
    assert problem(api.get(f"products/{BEANS}/variations/{SHIRT_M}"))[0] == 404


def test_json_is_written_as_php_writes_it(api: API) -> None:
    raw = api.get(f"orders/{ORDER}").content
    assert b'"currency_symbol":"\\u20ac"' in raw
    assert b"http:\\/\\/" in raw


def test_index_tells_name_and_zone_to_everybody(peer: str, state: WooState) -> None:
    body = requests.get(f"{peer}/wp-json/", timeout=5).json()
    assert (body["name"], body["url"], body["timezone_string"]) == ("Teacup Lane", peer, "Europe/Berlin")
    assert body["gmt_offset"] == 1
    assert "wc/v3" in body["namespaces"]
    state.site.timezone = "+05:30"
    body = requests.get(f"{peer}/wp-json/", timeout=5).json()
    assert (body["timezone_string"], body["gmt_offset"]) == ("", 5.5)


def test_system_status_and_settings_tell_versions_and_currency(api: API, state: WooState) -> None:
    body = api.get("system_status").json()
    assert (body["environment"]["version"], body["environment"]["wp_version"]) == ("10.5.0", "6.9.1")
    assert (body["settings"]["HPOS_enabled"], body["settings"]["currency"]) == (True, "EUR")
    assert api.get("settings/general/woocommerce_currency").json()["value"] == "EUR"
    assert {"woocommerce_currency"} <= {item["id"] for item in api.get("settings/general").json()}
    state.site.hpos = False
    assert api.get("system_status").json()["settings"]["order_datastore"] == "WC_Order_Data_Store_CPT"


# -- authentication --


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


# -- collections --


def test_pages_hold_every_order_once_with_the_totals(api: API, state: WooState) -> None:
    many_orders(state, 24)
    walk = {"orderby": "id", "order": "asc", "per_page": 10}
    pages = [api.get("orders", params={**walk, "page": page}) for page in (1, 2, 3)]
    assert [identifier for page in pages for identifier in ids(page)] == [ORDER, *range(1000, 1024)]
    assert [(page.headers["X-WP-Total"], page.headers["X-WP-TotalPages"]) for page in pages] == [
        ("25", "3")
    ] * 3
    relations = [re.findall(r'rel="(\w+)"', page.headers["Link"]) for page in pages]
    assert relations == [["next"], ["prev", "next"], ["prev"]]
    # The link repeats what was asked, the used signature included.
    assert "oauth_signature=" in pages[0].headers["Link"]


def test_past_the_end_orders_forget_their_total_and_products_do_not(api: API) -> None:
    orders = api.get("orders", params={"page": 9})
    products = api.get("products", params={"page": 9})
    assert (ids(orders), orders.headers["X-WP-Total"]) == ([], "0")
    assert (ids(products), products.headers["X-WP-Total"]) == ([], "3")


def test_newest_first_is_the_default_and_offset_replaces_the_page(api: API, state: WooState) -> None:
    many_orders(state, 5)
    assert ids(api.get("orders", params={"per_page": 2})) == [1004, 1003]
    assert ids(api.get("orders", params={"per_page": 2, "offset": 1, "page": 3})) == [1003, 1002]


@pytest.mark.parametrize(
    ("params", "name", "message"),
    [
        pytest.param(
            {"per_page": 101},
            "per_page",
            "per_page must be between 1 (inclusive) and 100 (inclusive)",
            id="size",
        ),
        pytest.param({"page": 0}, "page", "page must be greater than or equal to 1", id="page"),
        pytest.param({"orderby": "total"}, "orderby", None, id="orderby"),
        pytest.param({"status": "processing,packed"}, "status", None, id="custom_status"),
        pytest.param({"modified_after": "yesterday"}, "modified_after", "Invalid date.", id="date"),
        pytest.param({"include": "12,x"}, "include", "include[1] is not of type integer.", id="include"),
    ],
)
def test_unacceptable_argument_fails_the_whole_query(
    api: API, params: dict[str, Any], name: str, message: str | None
) -> None:
    answer = api.get("orders", params=params)
    assert problem(answer) == (400, "rest_invalid_param", f"Invalid parameter(s): {name}")
    said = answer.json()["data"]["params"][name]
    assert said == message if message else said.startswith(name)


def test_any_status_includes_drafts_but_not_the_trash(api: API, state: WooState) -> None:
    many_orders(state, 3)
    state.changed_order(1000, status="checkout-draft")
    state.changed_order(1001, status="completed")
    state.trash_order(1002)
    assert ids(api.get("orders", params={"orderby": "id", "order": "asc"})) == [ORDER, 1000, 1001]
    assert ids(api.get("orders", params={"status": "trash"})) == [1002]
    assert sorted(ids(api.get("orders", params={"status": "completed,processing"}))) == [ORDER, 1001]
    assert api.get("orders/1002").json()["status"] == "trash"


def test_product_status_is_one_or_a_list_by_another_name(api: API, state: WooState) -> None:
    state.changed_product(FILTERS, status="draft")
    state.trash_product(SHIRT)
    assert sorted(ids(api.get("products"))) == [BEANS, FILTERS]
    assert ids(api.get("products", params={"status": "draft"})) == [FILTERS]
    assert sorted(ids(api.get("products", params={"include_status": "draft,trash"}))) == [FILTERS, SHIRT]
    assert api.get("products", params={"status": "draft,publish"}).status_code == 400


def test_include_keeps_its_order_and_exclude_leaves_out(api: API) -> None:
    wanted = {"include": f"{FILTERS},{BEANS}", "orderby": "include"}
    assert ids(api.get("products", params=wanted)) == [FILTERS, BEANS]
    assert sorted(ids(api.get("products", params={"exclude": str(BEANS)}))) == [FILTERS, SHIRT]


def test_fields_reach_into_objects_but_not_into_lists(api: API) -> None:
    asked = {"_fields": "id,billing.country,line_items.product_id"}
    assert api.get("orders", params=asked).json() == [
        {"id": ORDER, "billing": {"country": "DE"}, "line_items": []}
    ]
    assert api.get(f"orders/{ORDER}", params={"_fields": "id,status"}).json() == {
        "id": ORDER,
        "status": "processing",
    }


# The order was changed at 11:30:00 UTC, which is 12:30:00 in Berlin.
@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param({"modified_after": "2026-11-22T11:29:59", "dates_are_gmt": "true"}, True, id="gmt"),
        pytest.param({"modified_after": "2026-11-22T11:30:00", "dates_are_gmt": "true"}, False, id="strict"),
        pytest.param({"modified_after": "2026-11-22T11:29:59Z"}, True, id="zone"),
        pytest.param({"modified_after": "2026-11-22T11:30:00Z"}, False, id="zone_strict"),
        pytest.param({"modified_after": "2026-11-22T12:29:59"}, True, id="local"),
        pytest.param({"modified_after": "2026-11-22T12:30:00"}, False, id="local_strict"),
        # Zone and flag together shift by the offset of the site: the last hour's changes are missed.
        pytest.param({"modified_after": "2026-11-22T11:29:59Z", "dates_are_gmt": "true"}, False, id="trap"),
        pytest.param({"modified_after": "2026-11-22T10:29:59Z", "dates_are_gmt": "true"}, True, id="shifted"),
        pytest.param({"modified_before": "2026-11-22T11:30:01", "dates_are_gmt": "true"}, True, id="before"),
        pytest.param(
            {"modified_before": "2026-11-22T11:30:00", "dates_are_gmt": "true"}, False, id="not_before"
        ),
    ],
)
def test_date_filters_are_strict_and_know_time_zones(
    api: API, state: WooState, given: dict[str, str], found: bool
) -> None:
    state.changed_order(ORDER, date_modified_gmt="2026-11-22T11:30:00")
    assert ids(api.get("orders", params=given)) == ([ORDER] if found else [])
    assert api.get(f"orders/{ORDER}").json()["date_modified"] == "2026-11-22T12:30:00"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("products/999", "woocommerce_rest_product_invalid_id", id="product"),
        pytest.param("orders/999", "woocommerce_rest_shop_order_invalid_id", id="order"),
        pytest.param("customers/999", "woocommerce_rest_invalid_id", id="customer"),
        pytest.param("webhooks/999", "woocommerce_rest_shop_webhook_invalid_id", id="webhook"),
        pytest.param("nothing", "rest_no_route", id="route"),
        pytest.param("/products", "rest_no_route", id="leading_slash"),
    ],
)
def test_what_is_not_there_is_404(api: API, path: str, code: str) -> None:
    assert problem(api.get(path))[:2] == (404, code)


# -- refunds and deleted products --


def test_partial_refund_has_negative_lines_and_full_refund_has_none(api: API, state: WooState) -> None:
    partial = state.refund_order(ORDER, {1: 1}, reason="damaged")
    full = state.refund_order(ORDER)
    newest, oldest = api.get("refunds", params={"modified_after": "2026-11-22T12:59:59"}).json()
    assert (newest["id"], newest["line_items"], newest["amount"]) == (full, [], "50.71")
    assert set(oldest) == REFUND_FIELDS
    assert (oldest["id"], oldest["parent_id"], oldest["amount"]) == (partial, ORDER, "19.91")
    [line] = oldest["line_items"]
    assert (line["product_id"], line["quantity"], line["total"], line["total_tax"]) == (
        12,
        -1,
        "-16.73",
        "-3.18",
    )
    assert [(meta["key"], meta["value"]) for meta in line["meta_data"]] == [("_refunded_item_id", "1")]
    assert "parent_id" not in api.get(f"orders/{ORDER}/refunds").json()[0]
    order = api.get(f"orders/{ORDER}").json()
    assert order["status"] == "refunded"
    assert order["refunds"] == [
        {"id": full, "reason": "", "total": "-50.71"},
        {"id": partial, "reason": "damaged", "total": "-19.91"},
    ]
    assert [line["quantity"] for line in order["line_items"]] == [2, 1, 1]


def test_old_orders_forget_a_deleted_product(api: API, state: WooState) -> None:
    state.delete_product(BEANS)
    first, second, _ = api.get(f"orders/{ORDER}").json()["line_items"]
    assert (first["product_id"], first["sku"], first["name"]) == (0, None, "Espresso Beans 1kg")
    assert second["product_id"] == FILTERS
    assert api.get(f"products/{BEANS}").status_code == 404


# -- webhooks --


def test_webhook_is_pinged_without_signature_when_it_is_made(api: API, sink: Sink) -> None:
    made = api.post(
        "webhooks", {"topic": "order.updated", "delivery_url": sink.url, "secret": SECRET, "name": "ours"}
    )
    assert made.status_code == 201
    assert set(made.json()) == WEBHOOK_FIELDS
    assert (made.json()["status"], made.json()["hooks"][0]) == ("active", "woocommerce_update_order")
    [ping] = sink.received
    assert ping.raw == b"webhook_id=1"
    assert ping.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert ping.headers["User-Agent"] == "WooCommerce/10.5.0 Hookshot (WordPress/6.9.1)"
    assert not [name for name in ping.headers if name.startswith("X-WC-")]
    assert read_headers(ping.headers) is None
    assert api.get("webhooks/1").json() == made.json()
    assert api.get("webhooks").json() == [made.json()]


def test_creation_succeeds_though_nobody_listens(api: API, state: WooState) -> None:
    with listening() as gone:
        address = gone.url
    made = api.post("webhooks", {"topic": "order.updated", "delivery_url": address, "secret": SECRET})
    assert made.status_code == 201
    assert state.hooks.all()[0].pending_delivery


def test_ping_is_repeated_after_each_delivery_until_exactly_200(
    api: API, state: WooState, sink: Sink
) -> None:
    sink.statuses = [204, 200, 204, 200, 200]
    api.post("webhooks", {"topic": "order.updated", "delivery_url": sink.url, "secret": SECRET})
    for _ in range(3):
        state.changed_order(ORDER)
        Deliverer(state).deliver()
    assert sink.topics() == ["ping", "order.updated", "ping", "order.updated", "ping", "order.updated"]


def test_new_address_is_pinged_and_other_changes_are_not(api: API, sink: Sink) -> None:
    api.post("webhooks", {"topic": "order.updated", "delivery_url": f"{sink.url}&a", "secret": SECRET})
    api.put("webhooks/1", {"name": "renamed", "status": "paused"})
    assert len(sink.received) == 1
    changed = api.put("webhooks/1", {"delivery_url": f"{sink.url}&b"}).json()
    assert (changed["name"], changed["status"]) == ("renamed", "paused")
    assert [request.path[-1] for request in sink.received] == ["a", "b"]


def test_webhook_is_deleted_by_force_only(api: API, state: WooState, sink: Sink) -> None:
    subscribe(state, sink.url, "order.updated")
    assert problem(api.delete("webhooks/1"))[:2] == (501, "woocommerce_rest_trash_not_supported")
    assert api.delete("webhooks/1", params={"force": True}).status_code == 200
    assert state.hooks.all() == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param({"delivery_url": "https://a.example/"}, "rest_missing_callback_param", id="no_topic"),
        pytest.param(
            {"topic": "cart.updated", "delivery_url": "https://a.example/"},
            "woocommerce_rest_shop_webhook_invalid_topic",
            id="topic",
        ),
        pytest.param(
            {"topic": "order.updated", "delivery_url": "ftp://a.example/"},
            "woocommerce_rest_shop_webhook_invalid_delivery_url",
            id="address",
        ),
        pytest.param(
            {"topic": "order.updated", "delivery_url": "https://a.example/", "status": "asleep"},
            "rest_invalid_param",
            id="status",
        ),
    ],
)
def test_impossible_webhook_is_refused(api: API, state: WooState, body: dict[str, str], code: str) -> None:
    assert problem(api.post("webhooks", body))[:2] == (400, code)
    assert state.hooks.all() == []


def test_webhooks_are_listed_by_status(api: API, state: WooState, sink: Sink) -> None:
    subscribe(state, sink.url, "order.created", "order.updated", "order.deleted")
    state.hooks.update(2, status="disabled")
    assert ids(api.get("webhooks", params={"status": "disabled"})) == [2]
    assert ids(api.get("webhooks", params={"orderby": "id", "order": "asc", "per_page": 2})) == [1, 2]


# -- deliveries --


def test_delivery_is_signed_and_says_where_it_comes_from(state: WooState, peer: str, sink: Sink) -> None:
    subscribe(state, sink.url, "order.updated", "product.updated")
    state.changed_order(ORDER, customer_note="à bientôt")
    state.changed_order(ORDER)
    state.changed_product(BEANS)
    state.changed_product(FILTERS)
    assert [sent.status for sent in Deliverer(state).deliver()] == [200, 200, 200]
    order, beans, filters = sink.received
    assert verify(order.raw, order.headers, [SECRET.encode()])
    said = read_headers(order.headers)
    assert said is not None
    assert (said.topic, said.source, said.webhook_id) == ("order.updated", f"{peer}/", "1")
    assert order.headers["X-WC-Webhook-Resource"] == "order"
    assert order.headers["X-WC-Webhook-Event"] == "updated"
    assert b'"customer_note":"\\u00e0 bient\\u00f4t"' in order.raw
    assert set(order.body) == set(recorded("0016"))
    # One id for all deliveries of a webhook within a second.
    delivery_ids = [request.headers["X-WC-Webhook-Delivery-ID"] for request in (order, beans, filters)]
    assert delivery_ids[0] != delivery_ids[1] == delivery_ids[2]


def happened(state: WooState, act: Callable[[WooState], object]) -> list[tuple[str, int]]:
    with listening() as sink:
        subscribe(state, sink.url, *EVERYTHING)
        act(state)
        return [(sent.topic, sent.resource_id) for sent in Deliverer(state).deliver()]


def block_checkout(state: WooState) -> None:
    state.place_order({**recorded("0047"), "id": 30})


def trash_and_set_status(state: WooState) -> None:
    state.trash_order(ORDER)
    state.changed_order(ORDER, status="processing")


def trash_and_restore_product(state: WooState) -> None:
    state.trash_product(BEANS)
    state.restore_product(BEANS)


CUSTOMER = {"id": 2, "email": "bea@shop.example", "role": "customer"}


@pytest.mark.parametrize(
    ("act", "told"),
    [
        pytest.param(
            lambda s: s.place_order({**recorded("0016"), "id": 30}),
            [
                *(("order.created", 30), ("order.updated", 30)),
                *(("product.updated", BEANS), ("product.updated", FILTERS), ("product.updated", SHIRT_M)),
            ],
            id="order_placed",
        ),
        pytest.param(
            block_checkout,
            [
                *(("order.updated", 30), ("order.created", 30)),
                *(("product.updated", BEANS), ("product.updated", FILTERS)),
            ],
            id="order_placed_in_block_checkout",
        ),
        pytest.param(
            lambda s: s.open_checkout(recorded("0047")), [("order.updated", 30)], id="checkout_opened"
        ),
        pytest.param(lambda s: s.trash_order(ORDER), [("order.deleted", ORDER)], id="order_trashed"),
        pytest.param(trash_and_set_status, [("order.deleted", ORDER)], id="order_out_of_trash_by_status"),
        pytest.param(lambda s: s.delete_order(ORDER), [], id="order_deleted"),
        pytest.param(
            lambda s: (s.trash_order(ORDER), s.restore_order(ORDER)),
            [("order.deleted", ORDER), ("order.restored", ORDER)],
            id="order_restored",
        ),
        pytest.param(
            lambda s: s.refund_order(ORDER, {1: 1}, restock=True),
            [("order.updated", ORDER), ("product.updated", BEANS)],
            id="partial_refund_restocked",
        ),
        pytest.param(lambda s: s.refund_order(ORDER), [("order.updated", ORDER)], id="full_refund"),
        pytest.param(
            lambda s: s.trash_product(BEANS),
            [("coupon.deleted", BEANS), ("product.deleted", BEANS)],
            id="product_trashed",
        ),
        pytest.param(
            trash_and_restore_product,
            [("coupon.deleted", BEANS), ("product.deleted", BEANS), ("product.restored", BEANS)],
            id="product_restored",
        ),
        pytest.param(
            lambda s: s.trash_post(999),
            [("coupon.deleted", 999), ("product.deleted", 999)],
            id="page_trashed",
        ),
        pytest.param(lambda s: s.delete_product(BEANS), [], id="product_deleted"),
        pytest.param(lambda s: s.delete_variation(SHIRT_M), [], id="variation_deleted"),
        pytest.param(
            lambda s: s.changed_product(SHIRT_M, stock_quantity=1), [("product.updated", 22)], id="variation"
        ),
        pytest.param(
            lambda s: (s.register_customer(CUSTOMER), s.delete_customer(2)),
            [("customer.created", 2), ("customer.updated", 2), ("customer.deleted", 2)],
            id="customer",
        ),
    ],
)
def test_webhooks_tell_what_woocommerce_tells(
    state: WooState, act: Callable[[WooState], object], told: list[tuple[str, int]]
) -> None:
    assert happened(state, act) == told


def test_restoring_gives_back_the_status(api: API, state: WooState) -> None:
    state.changed_order(ORDER, status="completed")
    state.trash_order(ORDER)
    state.restore_order(ORDER)
    assert api.get(f"orders/{ORDER}").json()["status"] == "completed"


def test_stock_goes_down_with_an_order_and_up_with_a_restocked_refund(api: API, state: WooState) -> None:
    state.changed_product(BEANS, stock_quantity=2)
    state.place_order({**recorded("0047"), "id": 30})
    sold_out = api.get(f"products/{BEANS}").json()
    assert (sold_out["stock_quantity"], sold_out["stock_status"]) == (0, "outofstock")
    state.refund_order(30, {13: 1}, restock=True)
    back = api.get(f"products/{BEANS}").json()
    assert (back["stock_quantity"], back["stock_status"]) == (1, "instock")


def test_body_is_built_when_it_is_sent(state: WooState, sink: Sink) -> None:
    subscribe(state, sink.url, "order.created", "order.updated")
    state.place_order({**recorded("0016"), "id": 30, "status": "pending"}, take_stock=False)
    state.changed_order(30, status="processing")
    state.changed_order(30, status="completed")
    Deliverer(state).deliver()
    assert [(item.topic, item.body["status"]) for item in sink.received] == [
        ("order.created", "completed"),
        ("order.updated", "completed"),
    ]


@pytest.mark.parametrize(
    ("spoil", "recording"),
    [
        pytest.param(lambda s: s.delete_order(ORDER), "0036", id="order_gone"),
        pytest.param(lambda s: s.delete_user(), "0091", id="owner_gone"),
    ],
)
def test_body_may_be_a_signed_error(
    state: WooState, sink: Sink, spoil: Callable[[WooState], object], recording: str
) -> None:
    subscribe(state, sink.url, "order.updated")
    state.changed_order(ORDER)
    spoil(state)
    Deliverer(state).deliver()
    [item] = sink.received
    assert item.body == recorded(recording)
    assert verify(item.raw, item.headers, [SECRET.encode()])


def test_seventh_failure_in_a_row_disables_and_activating_does_not_forgive(
    api: API, state: WooState, sink: Sink
) -> None:
    subscribe(state, sink.url, "order.updated")
    seen = []
    sink.statuses = [500] * 8
    for _ in range(7):
        state.changed_order(ORDER)
        Deliverer(state).deliver()
        seen.append(state.hooks.all()[0].status)
    assert seen == ["active"] * 6 + ["disabled"]
    state.changed_order(ORDER)
    assert Deliverer(state).deliver() == []
    api.put("webhooks/1", {"status": "active"})
    state.changed_order(ORDER)
    Deliverer(state).deliver()
    assert (state.hooks.all()[0].status, len(sink.received)) == ("disabled", 8)


@pytest.mark.parametrize(
    ("status", "failures"),
    [
        pytest.param(204, 0, id="no_content"),
        pytest.param(302, 0, id="redirect_counts_as_delivered"),
        pytest.param(307, 1, id="temporary_redirect"),
        pytest.param(404, 1, id="not_found"),
    ],
)
def test_success_ends_at_302_and_nothing_is_tried_again(
    state: WooState, sink: Sink, status: int, failures: int
) -> None:
    subscribe(state, sink.url, "order.updated")
    sink.statuses = [status]
    state.changed_order(ORDER)
    assert [sent.status for sent in Deliverer(state).deliver()] == [status]
    assert Deliverer(state).deliver() == []
    assert (state.hooks.all()[0].failure_count, len(sink.received)) == (failures, 1)


def test_deliveries_are_lost_doubled_and_shuffled_by_the_seed(state: WooState, sink: Sink) -> None:
    subscribe(state, sink.url, "order.updated")
    many_orders(state, 60)

    def send(seed: int) -> tuple[list[int], Deliverer]:
        for place in range(60):
            state.changed_order(1000 + place)
        deliverer = Deliverer(state, drop=0.1, duplicate=0.1, shuffle=True, seed=seed)
        return [sent.resource_id for sent in deliverer.deliver()], deliverer

    first, deliverer = send(7)
    assert deliverer.dropped > 0
    assert deliverer.duplicated > 0
    assert len(first) == 60 - deliverer.dropped + deliverer.duplicated
    assert len(set(first)) == 60 - deliverer.dropped
    assert first != sorted(first)
    assert send(7)[0] == first
    assert send(8)[0] != first


def test_deliverer_sends_in_the_background_until_it_is_stopped(state: WooState, sink: Sink) -> None:
    subscribe(state, sink.url, "order.updated")
    deliverer = Deliverer(state)
    deliverer.start()
    try:
        state.changed_order(ORDER)
        assert sink.wait_for(1)[0].body["id"] == ORDER
    finally:
        deliverer.stop()
    state.changed_order(ORDER)
    assert (state.hooks.pending(), len(sink.received)) == (1, 1)


# -- coupons --


def test_coupon_is_made_changed_trashed_and_deleted(api: API, state: WooState) -> None:
    made = api.post("coupons", {"code": "FBT-Pair", "discount_type": "percent", "amount": "10.00"})
    assert made.status_code == 201
    assert set(made.json()) == set(recorded("0029"))
    number = made.json()["id"]
    assert made.json()["code"] == "fbt-pair"
    assert (
        problem(api.post("coupons", {"code": "fbt-pair"}))[1] == "woocommerce_rest_coupon_code_already_exists"
    )
    assert api.put(f"coupons/{number}", {"amount": "5.00"}).json()["amount"] == "5.00"
    assert ids(api.get("coupons", params={"code": "fbt-pair"})) == [number]
    assert api.delete(f"coupons/{number}").json()["status"] == "trash"
    assert problem(api.delete(f"coupons/{number}"))[:2] == (410, "woocommerce_rest_already_trashed")
    assert api.delete(f"coupons/{number}", params={"force": True}).status_code == 200
    assert api.get(f"coupons/{number}").status_code == 404


# -- wc-auth --


def authorization(sink: Sink, **changes: str) -> dict[str, str]:
    return {
        "app_name": "Pannier",
        "scope": "read_write",
        "user_id": "state-abc123",
        "return_url": "https://pannier.example/back?step=2",
        "callback_url": sink.url,
        **changes,
    }


def open_page(peer: str, asked: dict[str, str]) -> requests.Response:
    return requests.get(f"{peer}/wc-auth/v1/authorize?{urlencode(asked)}", timeout=5)


def button(page: requests.Response, label: str) -> str:
    match = re.search(rf'href="([^"]+)"[^>]*>{label}<', page.text)
    assert match is not None, page.text
    return unescape(match[1])


def test_approval_posts_a_working_key_and_sends_the_merchant_back(
    peer: str, state: WooState, sink: Sink
) -> None:
    state.site.allow_http_callback = True
    page = open_page(peer, authorization(sink))
    assert (page.status_code, "View and manage products" in page.text) == (200, True)
    back = requests.get(button(page, "Approve"), allow_redirects=False, timeout=5)
    assert back.status_code == 302
    assert back.headers["Location"].startswith("https://pannier.example/back?")
    assert parse_qs(urlsplit(back.headers["Location"]).query) == {
        "step": ["2"],
        "success": ["1"],
        "user_id": ["state-abc123"],
    }
    [call] = sink.received
    assert call.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert call.headers["User-Agent"] == f"WordPress/6.9.1; {peer}"
    [key] = state.keys.all()
    assert call.body == {
        "key_id": key.id,
        "user_id": "state-abc123",
        "consumer_key": key.consumer_key,
        "consumer_secret": key.consumer_secret,
        "key_permissions": "read_write",
    }
    assert re.fullmatch(r"Pannier - API \(2026-11-22 12:00:00\)", key.description)
    assert client(peer, key).get("products").status_code == 200


@pytest.mark.parametrize("status", [204, 500, 401])
def test_key_is_deleted_unless_the_callback_answers_200(
    peer: str, state: WooState, sink: Sink, status: int
) -> None:
    state.site.allow_http_callback = True
    sink.statuses = [status]
    back = requests.get(
        button(open_page(peer, authorization(sink)), "Approve"), allow_redirects=False, timeout=5
    )
    assert (back.status_code, "unable to send the consumer data" in back.text) == (401, True)
    assert (state.keys.all(), len(sink.received)) == ([], 1)


def test_denial_leads_back_without_a_key(peer: str, state: WooState, sink: Sink) -> None:
    state.site.allow_http_callback = True
    deny = button(open_page(peer, authorization(sink)), "Deny")
    assert parse_qs(urlsplit(deny).query)["success"] == ["0"]
    assert (state.keys.all(), sink.received) == ([], [])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"app_name": ""}, "Missing parameter app_name.", id="no_name"),
        pytest.param({"user_id": ""}, "Missing parameter user_id.", id="no_state"),
        pytest.param({"return_url": ""}, "Missing parameter return_url.", id="no_return"),
        pytest.param({"callback_url": ""}, "Missing parameter callback_url.", id="no_callback"),
        pytest.param({"scope": ""}, "Missing parameter scope.", id="no_scope"),
        pytest.param({"scope": "all"}, "Invalid scope all.", id="scope"),
        pytest.param({}, "The callback_url needs to be over SSL.", id="plain_callback"),
    ],
)
def test_wrong_request_for_access_is_an_error_page(
    peer: str, sink: Sink, changes: dict[str, str], reason: str
) -> None:
    page = open_page(peer, authorization(sink, **changes))
    assert (page.status_code, f"Error: {reason}" in page.text) == (401, True)


def test_approval_cannot_be_forged(peer: str, state: WooState, sink: Sink) -> None:
    state.site.allow_http_callback = True
    query = urlencode({**authorization(sink), "wc_auth_nonce": "0123456789"})
    answer = requests.get(f"{peer}/wc-auth/v1/access_granted/?{query}", timeout=5)
    assert (answer.status_code, state.keys.all(), sink.received) == (401, [], [])


# -- outages --


@pytest.mark.parametrize(
    ("outage", "status", "header"),
    [
        pytest.param("html", 200, ("Content-Type", "text/html; charset=utf-8"), id="html"),
        pytest.param("503", 503, ("Retry-After", "600"), id="maintenance"),
        pytest.param("redirect", 301, ("Location", "https://moved.invalid/"), id="redirect"),
        pytest.param("throttle", 429, ("Retry-After", "1"), id="throttle"),
    ],
)
def test_outage_strikes_as_often_as_planned_and_where(
    api: API, state: WooState, outage: Any, status: int, header: tuple[str, str]
) -> None:
    state.fault(outage, times=2, path_prefix="/wp-json/wc/v3/orders")
    assert api.get("products").status_code == 200
    struck = [api.get("orders", allow_redirects=False) for _ in range(3)]
    assert [answer.status_code for answer in struck] == [status, status, 200]
    assert struck[0].headers[header[0]] == header[1]
    assert struck[0].text.startswith("<!DOCTYPE html>")


def test_held_request_times_out_at_the_client_and_ends_with_the_server(state: WooState, key: Key) -> None:
    state.fault("timeout")
    with serve(state) as url, pytest.raises(requests.ReadTimeout):
        client(url, key, timeout=0.2).get("products")


def test_unknown_outage_is_refused(state: WooState) -> None:
    with pytest.raises(ValueError, match="no such outage: 'flood'"):
        state.fault("flood")  # type: ignore[arg-type]


def test_plain_permalinks_have_no_rest_address(peer: str, state: WooState) -> None:
    state.site.pretty_permalinks = False
    answer = requests.get(f"{peer}/wp-json/", timeout=5)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_threads_lose_nothing_between_them(peer: str, state: WooState, sink: Sink) -> None:
    subscribe(state, sink.url, "order.created")
    bare = {**recorded("0016"), "line_items": []}

    def trade(_: int) -> list[int]:
        mine = [state.next_id() for _ in range(10)]
        for identifier in mine:
            state.place_order({**bare, "id": identifier})
        assert client(peer, state.create_key()).get("orders").status_code == 200
        return mine

    with ThreadPoolExecutor(4) as pool:
        made = [identifier for part in pool.map(trade, range(4)) for identifier in part]
    assert len(set(made)) == 40
    assert {row.id for row in state.records("order")} == {ORDER, *made}
    assert sorted(pending.resource_id for pending in state.hooks.take_pending()) == sorted(made)


# -- the demo's shop --


def test_demo_shop_fills_the_store(woocommerce: Shop) -> None:
    state = WooState(Site(clock=lambda: NOW))
    fill(state, woocommerce)
    assert len(state.records("product")) == len(woocommerce.products)
    assert len(state.records("order")) == len(woocommerce.orders)
    listed = {entry["id"] for order in state.truth("order") for entry in order["refunds"]}
    assert {row.id for row in state.records("refund")} == listed
    returned = next(order for order in woocommerce.orders if order.refunds and not order.cancelled_at)
    [row] = [row for row in state.records("refund") if row.parent_id == 20_000 + returned.number][:1]
    assert [-line["quantity"] for line in row.body["line_items"]] == [
        count for _, count in returned.refunds[0].pieces
    ]
    order = next(state.truth("order"))
    assert set(order) == set(recorded("0016"))
    assert set(next(state.truth("product"))) == set(recorded("0018"))
