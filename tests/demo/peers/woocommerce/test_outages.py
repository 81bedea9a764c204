"""Bad days of the stand-in."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from woocommerce import API

from demo.peers.woocommerce import Key, WooState, serve
from tests.demo.peers.woocommerce.store import ORDER, client, recorded, subscribe
from tests.demo.sink import Sink


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
