"""Shopify's headers and signature."""

import base64
import hmac
from datetime import UTC, datetime

import pytest

from connectors import base
from connectors.base import DeliveryHeaders
from connectors.shopify.signature import read_headers, verify

RAW = '{"id":1,"title":"Kaffee \\u20ac, süß"}'.encode()
HEADERS = {
    "X-Shopify-Topic": "orders/create",
    "X-Shopify-Hmac-Sha256": "o9c5q2XDczmPPj4OjcSPfq+tHRVZvdQoi7KeDFiYAlg=",
    "X-Shopify-Shop-Domain": "pannier-test.myshopify.com",
    "X-Shopify-API-Version": "2026-10",
    "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
    "X-Shopify-Event-Id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
    "X-Shopify-Triggered-At": "2026-11-22T06:59:58.877041743Z",
}


def signed(raw: bytes, secret: bytes) -> dict[str, str]:
    return {"X-Shopify-Hmac-Sha256": base64.b64encode(hmac.digest(secret, raw, "sha256")).decode()}


def test_known_signature_matches():
    # given a signature computed by openssl: printf '{}' | openssl dgst -sha256 -hmac hush -binary | base64
    headers = {"X-Shopify-Hmac-Sha256": "UFwgrGBPZilFtmKh8TqcovA78LGYb1BdWu9I4Q2oyRg="}

    assert verify(b"{}", headers, [b"hush"]) is True
    assert verify(b"{} ", headers, [b"hush"]) is False


@pytest.mark.parametrize("name", ["x-shopify-hmac-sha256", "X-SHOPIFY-HMAC-SHA256"])
def test_header_name_is_read_in_any_case(name):
    signature = signed(RAW, b"hush")["X-Shopify-Hmac-Sha256"]

    assert verify(RAW, {name: signature}, [b"hush"]) is True


@pytest.mark.parametrize(
    ("secrets", "matches"),
    [
        ([b"hush"], True),
        ([b"new", b"hush"], True),
        ([b"hush", b"old"], True),
        ([b"new", b"old"], False),
        ([], False),
        ([b""], False),
    ],
    ids=["current", "previous", "current-of-two", "neither", "no-secret", "empty-secret"],
)
def test_any_configured_secret_matches(secrets, matches):
    assert verify(RAW, signed(RAW, b"hush"), secrets) is matches


def test_empty_secret_signs_nothing():
    assert verify(RAW, signed(RAW, b""), [b""]) is False


def test_every_secret_is_tried(monkeypatch):
    # given
    tried = []
    digest = hmac.digest
    monkeypatch.setattr(base.hmac, "digest", lambda key, *rest: tried.append(key) or digest(key, *rest))

    # when the first of three fits
    assert verify(RAW, signed(RAW, b"hush"), [b"hush", b"old", b"older"]) is True

    # then the others were computed too
    assert tried[-3:] == [b"hush", b"old", b"older"]


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "ÄÖÜ",
        "not base64!",
        "AAAA",
        "\ud800",
        "o9c5q2XDczmPPj4OjcSPfq+tHRVZvdQoi7KeDFiYAlg",
        "o9c5q2XDczmPPj4OjcSPfq-tHRVZvdQoi7KeDFiYAlg=",
        "A" * 10_000,
        "\x00",
    ],
    ids=["empty", "umlauts", "no-base64", "short", "surrogate", "unpadded", "url-safe", "huge", "nul"],
)
def test_malformed_signature_is_refused_without_an_exception(signature):
    assert verify(RAW, {"X-Shopify-Hmac-Sha256": signature}, [b"hush"]) is False


def test_missing_signature_and_empty_body_are_refused():
    assert verify(RAW, {}, [b"hush"]) is False
    assert verify(b"", signed(b"", b"hush"), [b"hush"]) is False


def test_all_headers_are_read():
    assert read_headers(HEADERS) == DeliveryHeaders(
        topic="orders/create",
        source="pannier-test.myshopify.com",
        delivery_id="b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        event_id="98880550-7158-44d4-b7cd-2c97c8a091b5",
        triggered_at=datetime(2026, 11, 22, 6, 59, 58, 877041, tzinfo=UTC),
        api_version="2026-10",
        webhook_id="b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
    )


def test_headers_are_read_in_lower_case_as_http2_sends_them():
    assert read_headers({name.lower(): value for name, value in HEADERS.items()}) == read_headers(HEADERS)


@pytest.mark.parametrize("name", list(HEADERS)[:5])
def test_delivery_without_a_required_header_is_none(name):
    assert read_headers({key: value for key, value in HEADERS.items() if key != name}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Shopify-Event-Id", "two words"),
        ("X-Shopify-Event-Id", "x" * 101),
        ("X-Shopify-Triggered-At", "yesterday"),
        ("X-Shopify-Triggered-At", "2026-11-22T06:59:58"),
        ("X-Shopify-Triggered-At", "0001-01-01T00:00:00+23:59"),
    ],
)
def test_unreadable_optional_header_counts_as_absent(name, value):
    # when
    headers = read_headers(HEADERS | {name: value})

    # then
    without = read_headers({key: old for key, old in HEADERS.items() if key != name})
    assert headers is not None
    assert headers == without


@pytest.mark.parametrize(
    "domain",
    [
        "evil.example",
        "myshopify.com",
        ".myshopify.com",
        "-shop.myshopify.com",
        "a.b.myshopify.com",
        "shop.myshopify.com.evil.example",
        "shop.myshopify.com\n",
        "shop.myshopify.com/",
        "\u212aelvin.myshopify.com",
        f"{'a' * 600}.myshopify.com",
        "",
    ],
)
def test_shop_domain_outside_myshopify_is_none(domain):
    assert read_headers(HEADERS | {"X-Shopify-Shop-Domain": domain}) is None


def test_shop_domain_is_lower_case():
    headers = read_headers(HEADERS | {"X-Shopify-Shop-Domain": "Pannier-Test.MyShopify.com"})

    assert headers is not None
    assert headers.source == "pannier-test.myshopify.com"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Shopify-Topic", "orders"),
        ("X-Shopify-Topic", "orders/create\r\nx: y"),
        ("X-Shopify-Topic", "Orders/Create"),
        ("X-Shopify-Topic", "orders/" + "x" * 51),
        ("X-Shopify-Webhook-Id", "x" * 101),
        ("X-Shopify-Webhook-Id", "a\x7fb"),
        ("X-Shopify-API-Version", "2026-10; drop"),
    ],
)
def test_required_header_of_another_shape_is_none(name, value):
    assert read_headers(HEADERS | {name: value}) is None
