"""The stand-in over the network."""

from urllib.parse import urlsplit

import pytest
import requests

from demo.peers.shopify.app import DEFAULT_SCOPES, serve
from demo.peers.shopify.state import ShopifyState
from tests.demo.peers.shopify.platform import CLIENT, DOMAIN, OFFICIAL_PRODUCTS, SECRET, Clock, Platform


def test_the_answer_of_a_refresh_can_get_lost_and_the_token_be_retried(clock: Clock) -> None:
    state = ShopifyState(now=clock, token_life_s=60)
    shop = state.shop(DOMAIN)
    shop.install(DEFAULT_SCOPES)
    first = shop.tokens.issue(clock())
    state.faults.add("lost", at="token")
    with serve(state, CLIENT, SECRET) as served:
        address = f"{served.template.format(shop=DOMAIN)}/admin/oauth/access_token"
        request = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "grant_type": "refresh_token",
            "refresh_token": first.refresh_token,
        }
        with pytest.raises(requests.ConnectionError):
            requests.post(address, json=request, timeout=5)
        issued = shop.tokens.issued
        said = requests.post(address, json=request, timeout=5)

    assert issued == 2
    assert (said.status_code, said.json()["expires_in"]) == (200, 60)
    assert shop.tokens.accepts(said.json()["access_token"], clock())


def test_a_download_can_break_off_and_a_request_hang(stocked: Platform) -> None:
    found, _ = stocked.export(OFFICIAL_PRODUCTS)
    stocked.state.faults.add("lost", at="download")
    stocked.state.faults.add("hang")
    stocked.state.faults.hang_s = 0.01
    with serve(stocked.state, CLIENT, SECRET) as served:
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            requests.get(f"{served.url}{urlsplit(found['url']).path}", timeout=5)
        with pytest.raises(requests.ConnectionError):
            requests.post(
                f"{served.template.format(shop=DOMAIN)}/admin/api/2026-10/graphql.json", json={}, timeout=5
            )
