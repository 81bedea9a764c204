"""The brake on calls that fail, and that it touches no others."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.commerce.store import Store
from app.core.errors import TooManyRequests
from app.core.limits import KEYS, PINGS, SIGNATURES, FailureLimiter
from tests.conftest import SHOPIFY_DOMAIN, SHOPIFY_SECRET


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(limiter: FailureLimiter, times: int, kind: str = KEYS, address: str = "192.0.2.1") -> None:
    for _ in range(times):
        limiter.count(kind, address)


def test_so_many_failures_pass_in_ten_seconds_and_no_more(clock: Clock) -> None:
    limiter = FailureLimiter(600, clock)
    fail(limiter, 100)

    with pytest.raises(TooManyRequests):
        fail(limiter, 1)


@pytest.mark.parametrize(("passed", "left"), [(0.0, "10"), (0.2, "10"), (3.5, "7"), (9.9, "1")])
def test_retry_after_is_what_is_left_of_the_window(clock: Clock, passed: float, left: str) -> None:
    limiter = FailureLimiter(6, clock)
    clock.now += passed
    fail(limiter, 1)

    with pytest.raises(TooManyRequests) as refused:
        fail(limiter, 1)

    assert refused.value.headers == {"Retry-After": left}


def test_after_that_time_it_goes_on(clock: Clock) -> None:
    limiter = FailureLimiter(6, clock)
    fail(limiter, 1)
    with pytest.raises(TooManyRequests):
        fail(limiter, 1)

    clock.now += 10

    fail(limiter, 1)


def test_addresses_and_kinds_are_counted_apart(clock: Clock) -> None:
    limiter = FailureLimiter(6, clock)
    fail(limiter, 1)

    fail(limiter, 1, address="192.0.2.2")
    fail(limiter, 1, kind=SIGNATURES)
    fail(limiter, 1, kind=PINGS)


def test_addresses_are_forgotten_with_their_window(clock: Clock) -> None:
    limiter = FailureLimiter(6, clock)
    fail(limiter, 1)
    clock.now += 10

    fail(limiter, 1, address="192.0.2.2")

    assert limiter._counts == {(KEYS, "192.0.2.2"): 1}


def test_a_flood_of_addresses_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.limits._ADDRESSES", 3)
    limiter = FailureLimiter(60, clock)

    for number in range(10):
        fail(limiter, 1, address=f"192.0.2.{number}")

    assert len(limiter._counts) <= 3


def test_zero_switches_it_off(clock: Clock) -> None:
    limiter = FailureLimiter(0, clock)

    fail(limiter, 1000)

    assert limiter._counts == {}


# --- on the routes --------------------------------------------------------------------------------------


@pytest.fixture
def strict(app: Flask, make_app: Callable[..., Flask], clock: Clock) -> FlaskClient:
    """An application that lets one failure of a kind pass, with its clock stopped."""
    strict = make_app(failures_per_minute=6)
    strict.extensions["pannier_failures"] = FailureLimiter(6, clock)
    return strict.test_client()


def signed(body: bytes) -> dict[str, str]:
    digest = hmac.digest(SHOPIFY_SECRET.encode(), body, hashlib.sha256)
    return {
        "X-Shopify-Topic": "orders/create",
        "X-Shopify-Shop-Domain": SHOPIFY_DOMAIN,
        "X-Shopify-API-Version": "2026-07",
        "X-Shopify-Webhook-Id": hashlib.sha256(body).hexdigest(),
        "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
    }


def test_guessed_keys_are_braked_and_good_ones_are_not(strict: FlaskClient, keys: dict[str, Any]) -> None:
    address = "/v1/recommendations?slot=home"

    answers = [strict.get(address, headers={"X-Pannier-Key": f"pk_guess{n}"}) for n in range(3)]
    good = strict.get(address, headers={"X-Pannier-Key": keys["mine"][1].publishable})

    assert [a.status_code for a in answers] == [401, 429, 429]
    assert 1 <= int(answers[1].headers["Retry-After"]) <= 10
    assert answers[1].get_json() == {
        "type": "/docs/problems#too-many-requests",
        "title": "Too many requests",
        "status": 429,
        "detail": "Too many calls from this address have failed. Calls that are in order still work.",
    }
    assert good.status_code == 200


def test_guessed_secret_keys_are_braked(strict: FlaskClient) -> None:
    calls = [
        strict.get("/v1/webhooks/deliveries", headers={"Authorization": "Bearer sk_guess"}) for _ in range(2)
    ]

    assert [call.status_code for call in calls] == [401, 429]


def test_wrong_signatures_are_braked_and_right_ones_are_not(strict: FlaskClient, shopify: Store) -> None:
    forged = [strict.post("/webhooks/shopify", data=b"{}") for _ in range(3)]
    right = [
        strict.post("/webhooks/shopify", data=body, headers=signed(body))
        for body in (b'{"id": %d}' % number for number in range(5))
    ]

    assert [answer.status_code for answer in forged] == [401, 429, 429]
    assert [answer.status_code for answer in right] == [200] * 5


def test_unknown_webhook_addresses_are_braked(strict: FlaskClient) -> None:
    answers = [strict.post(f"/webhooks/woocommerce/guess{n}", data=b"webhook_id=1") for n in range(2)]

    assert [answer.status_code for answer in answers] == [404, 429]


def test_pings_are_braked_apart_from_signatures(strict: FlaskClient, woocommerce: Store) -> None:
    address = f"/webhooks/woocommerce/{woocommerce.webhook_token}"

    pings = [strict.post(address, data=b"webhook_id=1") for _ in range(2)]
    forged = strict.post(address, data=b"{}")

    assert [ping.status_code for ping in pings] == [200, 429]
    assert forged.status_code == 401
