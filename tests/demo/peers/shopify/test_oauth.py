"""How the app is installed at the stand-in, and what becomes of its tokens."""

import base64
import hashlib
import hmac
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from demo.peers.shopify.oauth import ID_TOKEN, OFFLINE_TOKEN, TOKEN_EXCHANGE, session_token
from demo.peers.shopify.tokens import InvalidGrant, Tokens
from tests.demo.peers.shopify.platform import CALLBACK, CLIENT, OTHER, PAGE, SECRET, START, Clock, Platform


def test_the_code_grant_ends_in_a_signed_callback_and_a_pair(platform: Platform, clock: Clock) -> None:
    address = f"/{OTHER}/admin/oauth/authorize"
    asked = {
        "client_id": CLIENT,
        "scope": "read_products,read_orders",
        "redirect_uri": CALLBACK,
        "state": "n-1",
    }

    page = platform.client.get(address, query_string=asked)
    answered = platform.client.post(address, data=asked)

    assert "Install</button>" in page.text
    assert answered.location.startswith(f"{CALLBACK}?")
    said = {name: values[0] for name, values in parse_qs(urlsplit(answered.location).query).items()}
    signature = said.pop("hmac")
    message = "&".join(f"{name}={said[name]}" for name in sorted(said))
    assert signature == hmac.new(SECRET.encode(), message.encode(), hashlib.sha256).hexdigest()
    assert set(said) == {"code", "host", "shop", "state", "timestamp"}
    assert (said["shop"], said["state"]) == (OTHER, "n-1")
    assert base64.b64decode(said["host"] + "==") == b"admin.shopify.com/store/bunting"
    request = {"client_id": CLIENT, "client_secret": SECRET, "code": said["code"], "expiring": 1}
    elsewhere = platform.grant(code=said["code"], expiring=1)
    assert (elsewhere.status_code, elsewhere.get_json()["error"]) == (400, "invalid_request")
    # A code is spent by the first who comes with it, even to the wrong shop.
    assert platform.client.post(f"/{OTHER}/admin/oauth/access_token", json=request).status_code == 400
    again = platform.client.get(address, query_string=asked)
    code = parse_qs(urlsplit(again.location).query)["code"][0]
    pair = platform.client.post(
        f"/{OTHER}/admin/oauth/access_token", json={**request, "code": code}
    ).get_json()
    assert pair["scope"] == "read_orders,read_products"
    assert (pair["expires_in"], pair["refresh_token_expires_in"]) == (3600, 7_776_000)
    assert platform.post("{ shop { id } }", shop=OTHER, token=pair["access_token"]).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [{"client_id": "x"}, {"redirect_uri": "https://evil.example/install"}],
    ids=["client", "redirect"],
)
def test_consent_is_not_asked_for_strangers(platform: Platform, wrong: dict[str, str]) -> None:
    asked = {"client_id": CLIENT, "scope": "", "redirect_uri": CALLBACK, "state": "n", **wrong}

    said = platform.client.post(f"/{OTHER}/admin/oauth/authorize", data=asked)

    assert (said.status_code, said.location) == (400, None)
    shop = platform.state.find(OTHER)
    assert shop is not None
    assert not shop.installed


def test_the_embedded_admin_installs_and_loads_the_app_with_an_id_token(platform: Platform) -> None:
    address = f"/{OTHER}/admin/apps/pannier"

    assert "Install</button>" in platform.client.get(address).text
    assert platform.client.post(f"{address}/install").location == address
    opened = platform.client.get(address)

    assert opened.location.startswith(f"{PAGE}?")
    token = parse_qs(urlsplit(opened.location).query)["id_token"][0]
    claims = jwt.decode(
        token,
        SECRET,
        algorithms=["HS256"],
        audience=CLIENT,
        options={"verify_exp": False, "verify_nbf": False},
    )
    assert (claims["dest"], claims["iss"]) == (f"https://{OTHER}", f"https://{OTHER}/admin")
    assert claims["exp"] - claims["iat"] == 60


EXCHANGE = {
    "grant_type": TOKEN_EXCHANGE,
    "subject_token_type": ID_TOKEN,
    "requested_token_type": OFFLINE_TOKEN,
    "expiring": "1",
}


def test_an_id_token_is_exchanged_for_a_pair(platform: Platform) -> None:
    app = platform.client.application.extensions["shopify_peer"].app

    pair = platform.grant(**EXCHANGE, subject_token=session_token(platform.shop, app)).get_json()

    assert platform.post("{ shop { id } }", token=pair["access_token"]).status_code == 200
    assert platform.post("{ shop { id } }", token=platform.token).status_code == 401


@pytest.mark.parametrize(
    ("claims", "request_", "error"),
    [
        ({"dest": f"https://{OTHER}"}, {}, "invalid_subject_token"),
        ({"aud": "another"}, {}, "invalid_subject_token"),
        ({"exp": int(START.timestamp())}, {}, "invalid_subject_token"),
        ({}, {"subject_token": "x.y.z"}, "invalid_subject_token"),
        ({}, {"expiring": None}, "invalid_request"),
        ({}, {"client_id": "x"}, "application_cannot_be_found"),
        ({}, {"client_secret": "x"}, "invalid_client"),
        ({}, {"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_wrong_exchange_is_refused(
    platform: Platform, claims: dict[str, Any], request_: dict[str, Any], error: str
) -> None:
    app = platform.client.application.extensions["shopify_peer"].app
    token = session_token(platform.shop, app, **claims)

    said = platform.grant(**{**EXCHANGE, "subject_token": token, **request_})

    assert said.status_code in (400, 401)
    assert said.get_json()["error"] == error
    assert platform.post("{ shop { id } }").status_code == 200


def test_a_refresh_replaces_the_pair_over_http(platform: Platform) -> None:
    first = platform.shop.tokens.active
    assert first is not None

    pair = platform.grant(grant_type="refresh_token", refresh_token=first.refresh_token).get_json()
    unknown = platform.grant(grant_type="refresh_token", refresh_token="shprt_0")

    assert platform.post("{ shop { id } }", token=pair["access_token"]).status_code == 200
    assert platform.post("{ shop { id } }", token=first.access_token).status_code == 401
    assert (unknown.status_code, unknown.get_json()["error"]) == (400, "invalid_grant")


def test_a_used_refresh_token_works_until_its_replacement_is_used() -> None:
    tokens = Tokens()
    first = tokens.issue(START)

    lost = tokens.refresh(first.refresh_token, START)
    second = tokens.refresh(first.refresh_token, START)
    third = tokens.refresh(second.refresh_token, START)

    assert [tokens.accepts(pair.access_token, START) for pair in (first, lost, second, third)] == [
        False,
        False,
        False,
        True,
    ]
    for spent in (first, lost):
        with pytest.raises(InvalidGrant):
            tokens.refresh(spent.refresh_token, START)


@pytest.mark.parametrize(("days", "good"), [(29, True), (30, False)])
def test_a_used_refresh_token_is_retried_for_thirty_days(days: int, good: bool) -> None:
    tokens = Tokens()
    first = tokens.issue(START)
    tokens.refresh(first.refresh_token, START)
    later = START + timedelta(days=days)

    if good:
        assert tokens.accepts(tokens.refresh(first.refresh_token, later).access_token, later)
    else:
        with pytest.raises(InvalidGrant):
            tokens.refresh(first.refresh_token, later)


def test_a_shop_that_was_idle_for_ninety_days_loses_the_chain() -> None:
    tokens = Tokens()
    pair = tokens.issue(START)

    with pytest.raises(InvalidGrant):
        tokens.refresh(pair.refresh_token, START + timedelta(days=90))
