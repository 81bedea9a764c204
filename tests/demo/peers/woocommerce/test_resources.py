"""Resources of the stand-in, held against recordings of a real store."""

import orjson
import pytest
import requests
from woocommerce import API

from demo.peers.woocommerce import WooState
from tests.demo.peers.woocommerce.store import (
    BEANS,
    FILTERS,
    ORDER,
    SHIRT,
    SHIRT_M,
    VARIATION_FIELDS,
    ids,
    problem,
    recorded,
)


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
