"""The page of the stand-in that asks the merchant."""

import re
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from demo.peers.woocommerce import WooState
from tests.demo.peers.woocommerce.store import client
from tests.demo.sink import Sink


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
