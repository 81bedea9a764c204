"""Where the platforms deliver: who is let in, what is kept, what they are told."""

import base64
import hashlib
import hmac
import io
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app.commerce.store import Store
from app.core import metrics
from app.core.db import db, now
from app.core.group_commit import Waiting
from tests.conftest import (
    SECRET_KEY,
    SHOPIFY_DOMAIN,
    SHOPIFY_OLD_SECRET,
    SHOPIFY_SECRET,
    WOO_SECRET,
    WOO_SITE,
)
from tests.factories import incoming
from webhooks.inbox import Inbox
from webhooks.models import WebhookDelivery

# Personal fields of an order; none of them may be stored or logged.
PERSONAL = ("ann@example.com", "Ann", "Lovelace", "12 Elm Street", "+15550100", "192.0.2.77")
ORDER = {
    "id": 4501,
    "admin_graphql_api_id": "gid://shopify/Order/4501",
    "email": "ann@example.com",
    "phone": "+15550100",
    "browser_ip": "192.0.2.77",
    "customer": {"id": 9, "first_name": "Ann", "last_name": "Lovelace", "email": "ann@example.com"},
    "shipping_address": {"first_name": "Ann", "address1": "12 Elm Street"},
    "line_items": [{"id": 1, "product_id": 2, "quantity": 1}],
}
BODY = json.dumps(ORDER).encode()


def sign(body: bytes, secret: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def shopify_headers(
    body: bytes = BODY, *, secret: str = SHOPIFY_SECRET, key: str = "w-1", **other: str
) -> dict[str, str]:
    return {
        "X-Shopify-Topic": "orders/create",
        "X-Shopify-Shop-Domain": SHOPIFY_DOMAIN,
        "X-Shopify-API-Version": "2026-07",
        "X-Shopify-Webhook-Id": key,
        "X-Shopify-Event-Id": "e-1",
        "X-Shopify-Triggered-At": "2026-11-01T10:00:00.123456789Z",
        "X-Shopify-Hmac-Sha256": sign(body, secret),
        "Content-Type": "application/json",
        **other,
    }


def woo_headers(body: bytes, *, secret: str = WOO_SECRET, **other: str) -> dict[str, str]:
    return {
        "X-WC-Webhook-Topic": "order.created",
        "X-WC-Webhook-Source": f"{WOO_SITE}/",
        "X-WC-Webhook-ID": "7",
        "X-WC-Webhook-Delivery-ID": "d-1",
        "X-WC-Webhook-Signature": sign(body, secret),
        "Content-Type": "application/json",
        **other,
    }


def post(client: FlaskClient, body: bytes = BODY, headers: dict[str, str] | None = None) -> TestResponse:
    return client.post(
        "/webhooks/shopify", data=body, headers=shopify_headers(body) if headers is None else headers
    )


def deliveries() -> list[WebhookDelivery]:
    db.session.rollback()
    return list(db.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))


def outcomes(platform: str, outcome: str) -> float:
    return metrics.WEBHOOKS.labels(platform, outcome)._value.get()


# --- Shopify: let in ------------------------------------------------------------------------------------


def test_a_signed_delivery_is_kept_before_it_is_answered(client: FlaskClient, shopify: Store) -> None:
    before = outcomes("shopify", "accepted")

    response = post(client)

    assert (response.status_code, response.data) == (200, b"")
    (kept,) = deliveries()
    assert (kept.store_id, kept.topic, kept.dedupe_key) == (shopify.id, "orders/create", "w-1")
    assert (kept.event_id, kept.api_version) == ("e-1", "2026-07")
    assert kept.triggered_at == datetime(2026, 11, 1, 10, 0, 0, 123456, UTC)
    assert (kept.status, kept.reason, kept.processed_at) == ("pending", None, None)
    assert kept.body_sha256 == hashlib.sha256(BODY).digest()
    assert abs((now() - kept.received_at).total_seconds()) < 60
    assert outcomes("shopify", "accepted") == before + 1


def test_what_is_kept_names_nobody(client: FlaskClient, shopify: Store) -> None:
    post(client)

    (kept,) = deliveries()
    assert [word for word in PERSONAL if word in kept.body] == []
    body = json.loads(kept.body)
    assert body["line_items"] == [{"id": 1, "product_id": 2, "quantity": 1}]
    assert len(body["identity_hash"]) == 64


def test_the_previous_secret_still_signs(client: FlaskClient, shopify: Store) -> None:
    response = post(client, headers=shopify_headers(secret=SHOPIFY_OLD_SECRET))

    assert response.status_code == 200
    assert len(deliveries()) == 1


def test_the_same_webhook_id_is_kept_once(client: FlaskClient, shopify: Store) -> None:
    other = b'{"id": 2}'

    answers = [post(client), post(client), post(client, other, shopify_headers(other, key="w-1"))]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    (kept,) = deliveries()
    assert kept.body_sha256 == hashlib.sha256(BODY).digest()


def test_another_webhook_id_is_another_delivery(client: FlaskClient, shopify: Store) -> None:
    post(client)
    post(client, headers=shopify_headers(key="w-2"))

    assert [kept.dedupe_key for kept in deliveries()] == ["w-1", "w-2"]


def test_one_webhook_id_in_two_shops_is_two_deliveries(client: FlaskClient, keys: dict[str, Any]) -> None:
    for name in ("mine", "other"):
        post(client, headers=shopify_headers(**{"X-Shopify-Shop-Domain": f"{name}.myshopify.com"}))

    assert sorted(kept.store_id for kept in deliveries()) == sorted(keys[n][0].id for n in keys)


@pytest.mark.parametrize("topic", ["weather/changed", "customers/redact", "app/uninstalled"])
def test_every_topic_is_kept(client: FlaskClient, shopify: Store, topic: str) -> None:
    assert post(client, headers=shopify_headers(**{"X-Shopify-Topic": topic})).status_code == 200

    assert [kept.topic for kept in deliveries()] == [topic]


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"null", b"7", b"[" * 300 + b"]" * 300])
def test_any_json_is_kept_for_the_drain_to_judge(client: FlaskClient, shopify: Store, body: bytes) -> None:
    assert post(client, body).status_code == 200
    assert len(deliveries()) == 1


def test_an_uninstalled_shop_still_delivers_what_the_law_asks(client: FlaskClient, shopify: Store) -> None:
    shopify.uninstalled_at = now()
    db.session.commit()

    assert post(client, headers=shopify_headers(**{"X-Shopify-Topic": "shop/redact"})).status_code == 200
    assert [kept.topic for kept in deliveries()] == ["shop/redact"]


def test_a_shop_that_is_not_here_is_200_and_nothing_is_kept(client: FlaskClient, shopify: Store) -> None:
    before = outcomes("shopify", "unknown_store")

    response = post(client, headers=shopify_headers(**{"X-Shopify-Shop-Domain": "nobody.myshopify.com"}))

    assert (response.status_code, response.data) == (200, b"")
    assert deliveries() == []
    assert outcomes("shopify", "unknown_store") == before + 1


def test_many_at_once_are_all_kept(app: Flask, shopify: Store) -> None:
    statuses: list[int] = []

    def send(number: int) -> None:
        for step in range(10):
            body = b'{"id": %d}' % (number * 10 + step)
            headers = shopify_headers(body, key=f"w-{number}-{step}")
            statuses.append(post(app.test_client(), body, headers).status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 80
    assert len({kept.dedupe_key for kept in deliveries()}) == 80


# --- Shopify: kept out ----------------------------------------------------------------------------------

REFUSED = {
    "type": "/docs/problems#unauthorized",
    "title": "Unauthorized",
    "status": 401,
    "detail": "The signature does not fit.",
}


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in shopify_headers().items() if key != name}


@pytest.mark.parametrize(
    "headers",
    [
        shopify_headers(secret="guess"),
        shopify_headers(secret=""),
        shopify_headers(**{"X-Shopify-Hmac-Sha256": ""}),
        shopify_headers(**{"X-Shopify-Hmac-Sha256": "ümläut"}),
        shopify_headers(**{"X-Shopify-Hmac-Sha256": "not base64!"}),
        shopify_headers(**{"X-Shopify-Hmac-Sha256": base64.b64encode(b"short").decode()}),
        shopify_headers(
            **{"X-Shopify-Hmac-Sha256": hmac.digest(SHOPIFY_SECRET.encode(), BODY, "sha256").hex()}
        ),
        shopify_headers(b"another body"),
        shopify_headers(**{"X-Shopify-Topic": "Orders Create"}),
        shopify_headers(**{"X-Shopify-Shop-Domain": "evil.example"}),
        shopify_headers(**{"X-Shopify-Webhook-Id": "w" * 600}),
        *(without(name) for name in shopify_headers() if name.startswith("X-") and "Event" not in name
          and "Triggered" not in name),
        {},
    ],
    ids=["guessed", "empty secret", "empty", "umlauts", "no base64", "short", "hex", "tampered", "topic", "domain",
         "long id", "no topic", "no domain", "no version", "no id", "no hmac", "nothing"],
)  # fmt: skip
def test_what_is_not_signed_is_401_without_a_reason(
    client: FlaskClient, shopify: Store, logged: io.StringIO, headers: dict[str, str]
) -> None:
    response = post(client, headers=headers)

    assert response.status_code == 401
    assert response.content_type == "application/problem+json"
    assert response.get_json() == REFUSED
    assert deliveries() == []
    assert logged.getvalue() == ""


def test_without_a_secret_of_ours_nothing_is_signed(shopify: Store, make_app: Callable[..., Flask]) -> None:
    client = make_app(shopify_api_secret=None, shopify_old_api_secret=None).test_client()

    assert post(client, headers=shopify_headers(secret="")).get_json() == REFUSED
    assert deliveries() == []


def test_an_empty_body_is_401(client: FlaskClient, shopify: Store) -> None:
    assert post(client, b"").get_json() == REFUSED


@pytest.mark.parametrize("body", [b"{", b"id=1", b"\xff", b'{"a": NaN}', b"[" * 5000])
def test_signed_and_no_json_is_400(client: FlaskClient, shopify: Store, body: bytes) -> None:
    response = post(client, body)

    assert response.status_code == 400
    assert response.get_json()["detail"] == "The body is not JSON."
    assert deliveries() == []


@pytest.mark.parametrize("size", [5_000_001, 10_000_000])
def test_a_body_over_five_megabytes_is_413(client: FlaskClient, shopify: Store, size: int) -> None:
    body = b'"' + b"x" * (size - 2) + b'"'

    response = post(client, body)

    assert response.status_code == 413
    assert response.get_json() == {
        "type": "/docs/problems#too-large",
        "title": "Too large",
        "status": 413,
        "detail": "The body is larger than 5000000 bytes.",
    }
    assert deliveries() == []


def test_a_body_over_the_limit_that_hides_its_length_is_413(client: FlaskClient, shopify: Store) -> None:
    response = client.post(
        "/webhooks/shopify",
        input_stream=io.BytesIO(b"x" * 5_000_001),
        headers=shopify_headers(),
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert response.status_code == 413


def test_a_body_larger_than_other_routes_take_is_kept(client: FlaskClient, shopify: Store) -> None:
    body = json.dumps({"id": 1, "title": "x" * 1_000_000}).encode()

    assert post(client, body).status_code == 200
    assert len(deliveries()) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_platforms_post(client: FlaskClient, method: str) -> None:
    response = client.open("/webhooks/shopify", method=method)

    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


# --- WooCommerce ----------------------------------------------------------------------------------------


@pytest.fixture
def address(woocommerce: Store) -> str:
    return f"/webhooks/woocommerce/{woocommerce.webhook_token}"


WOO_ORDER = json.dumps({"id": 55, "status": "processing", "billing": {"email": PERSONAL[0]}}).encode()


def test_a_signed_woocommerce_delivery_is_kept(client: FlaskClient, woocommerce: Store, address: str) -> None:
    response = client.post(address, data=WOO_ORDER, headers=woo_headers(WOO_ORDER))

    assert (response.status_code, response.data) == (200, b"")
    (kept,) = deliveries()
    assert (kept.store_id, kept.topic, kept.status) == (woocommerce.id, "order.created", "pending")
    assert [word for word in PERSONAL if word in kept.body] == []


@pytest.mark.parametrize("body", [b"webhook_id=1", b"webhook_id=123456"])
def test_the_ping_gets_exactly_200(client: FlaskClient, address: str, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    response = client.post(address, data=body, headers=headers)

    assert (response.status_code, response.data) == (200, b"")
    assert deliveries() == []


@pytest.mark.parametrize(
    "body", [b"", b"webhook_id=", b"webhook_id=1&x=1", b"webhook_id=-1", b"webhook_id=" + b"1" * 20, b"id=1"]
)
def test_what_only_looks_like_a_ping_is_401(client: FlaskClient, address: str, body: bytes) -> None:
    assert client.post(address, data=body).get_json() == REFUSED


def test_one_delivery_id_for_two_orders_is_two_deliveries(client: FlaskClient, address: str) -> None:
    for number in (1, 2):
        body = json.dumps({"id": number, "status": "processing"}).encode()
        assert client.post(address, data=body, headers=woo_headers(body)).status_code == 200

    assert len(deliveries()) == 2


def test_the_same_order_twice_is_one_delivery(client: FlaskClient, address: str) -> None:
    for delivery in ("d-1", "d-2"):
        headers = woo_headers(WOO_ORDER, **{"X-WC-Webhook-Delivery-ID": delivery})
        assert client.post(address, data=WOO_ORDER, headers=headers).status_code == 200

    assert len(deliveries()) == 1


@pytest.mark.parametrize("token", ["wrong", "a%00b", "%ff", "x" * 500, "%2e%2e", "ü"])
def test_a_wrong_address_is_404(client: FlaskClient, woocommerce: Store, token: str) -> None:
    response = client.post(f"/webhooks/woocommerce/{token}", data=WOO_ORDER, headers=woo_headers(WOO_ORDER))

    assert response.status_code == 404
    assert response.get_json()["detail"] == "There is no such webhook address."
    assert deliveries() == []


@pytest.mark.parametrize(
    "headers",
    [
        woo_headers(WOO_ORDER, secret="guess"),
        woo_headers(WOO_ORDER, secret=SHOPIFY_SECRET),
        woo_headers(b"another body"),
        {k: v for k, v in woo_headers(WOO_ORDER).items() if "Signature" not in k},
        {k: v for k, v in woo_headers(WOO_ORDER).items() if "Topic" not in k},
    ],
    ids=["guessed", "of the app", "tampered", "no signature", "no topic"],
)
def test_a_wrong_woocommerce_signature_is_401(
    client: FlaskClient, address: str, headers: dict[str, str]
) -> None:
    assert client.post(address, data=WOO_ORDER, headers=headers).get_json() == REFUSED
    assert deliveries() == []


def test_the_previous_secret_of_a_store_still_signs(
    client: FlaskClient, woocommerce: Store, address: str
) -> None:
    woocommerce.credentials = {"webhook_secret": "new", "webhook_secret_previous": WOO_SECRET}
    db.session.commit()

    assert client.post(address, data=WOO_ORDER, headers=woo_headers(WOO_ORDER)).status_code == 200


@pytest.mark.parametrize("source", [WOO_SITE, f"{WOO_SITE}/", WOO_SITE.upper().replace("HTTP", "http")])
def test_the_source_may_be_written_differently(client: FlaskClient, address: str, source: str) -> None:
    client.post(address, data=WOO_ORDER, headers=woo_headers(WOO_ORDER, **{"X-WC-Webhook-Source": source}))

    assert [kept.status for kept in deliveries()] == ["pending"]


def test_a_cloned_shop_goes_to_quarantine_and_stands_for_nothing_of_the_shop(
    client: FlaskClient, woocommerce: Store, address: str, logged: io.StringIO
) -> None:
    clone = woo_headers(WOO_ORDER, **{"X-WC-Webhook-Source": "https://staging.example/"})

    answers = [
        client.post(address, data=WOO_ORDER, headers=headers)
        for headers in (clone, clone, woo_headers(WOO_ORDER))
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [(kept.status, kept.reason) for kept in deliveries()] == [
        ("quarantined", "foreign_source"),
        ("pending", None),
    ]
    events = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [(e["event"], e["store_id"]) for e in events] == [
        ("webhook_from_foreign_source", woocommerce.id)
    ] * 2


# --- what is down ---------------------------------------------------------------------------------------


def test_without_redis_deliveries_are_accepted(
    shopify: Store, make_app: Callable[..., Flask], dead_redis: str
) -> None:
    response = post(make_app(redis_url=dead_redis).test_client())

    assert response.status_code == 200
    assert [kept.status for kept in deliveries()] == ["pending"]


def test_without_postgresql_it_is_503_so_that_the_platform_tries_again(
    make_app: Callable[..., Flask], dead_database: str
) -> None:
    client = make_app(database_url=dead_database).test_client()

    for response in (post(client), client.post("/webhooks/woocommerce/token", data=b"webhook_id=1")):
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"
        assert response.get_json()["title"] == "Unavailable"


def cut_all_connections() -> None:
    with db.engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_a_connection_that_was_cut_is_replaced_and_the_delivery_kept(
    app: Flask, client: FlaskClient, shopify: Store
) -> None:
    assert post(client).status_code == 200
    cut_all_connections()

    assert post(client, headers=shopify_headers(key="w-2")).status_code == 200

    assert [kept.dedupe_key for kept in deliveries()] == ["w-1", "w-2"]


def test_when_postgresql_goes_away_it_is_503_and_afterwards_kept_again(
    client: FlaskClient, shopify: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert post(client).status_code == 200
    cut_all_connections()

    def refuse(*_: Any) -> Any:
        raise OperationalError("connect", {}, ConnectionRefusedError())

    with monkeypatch.context() as down:
        down.setattr(type(db.engine), "raw_connection", refuse)
        answers = [post(client, headers=shopify_headers(key="w-2")) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert post(client, headers=shopify_headers(key="w-2")).status_code == 200
    assert [kept.dedupe_key for kept in deliveries()] == ["w-1", "w-2"]


def test_a_delivery_the_database_refuses_does_not_refuse_its_neighbours(app: Flask, shopify: Store) -> None:
    """Two deliveries share a statement; one of them has a number that no column takes."""
    group = Inbox(db.engine)
    good, bad = (Waiting[Any, Any](incoming(store_id, key="k").row()) for store_id in (shopify.id, 10**19))

    group._commit([good, bad])

    assert (good.done, good.error) == (True, None)
    assert bad.done
    assert isinstance(bad.error, psycopg.errors.NumericValueOutOfRange)
    assert len(deliveries()) == 1


def test_a_writer_that_is_torn_away_tells_nobody_that_all_is_well(
    app: Flask, shopify: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Inbox(db.engine)

    def torn(*_: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(group, "_execute", torn)
    waiting = Waiting[Any, Any](incoming(shopify.id).row())

    with pytest.raises(SystemExit):
        group._commit([waiting])

    assert waiting.done
    assert str(waiting.error) == "It was not written."


# --- logs -----------------------------------------------------------------------------------------------


def test_the_log_holds_no_secret_and_nobody(
    client: FlaskClient,
    shopify: Store,
    woocommerce: Store,
    address: str,
    logged: io.StringIO,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(0)
    clone = woo_headers(WOO_ORDER, **{"X-WC-Webhook-Source": "https://staging.example/"})
    post(client)
    post(client, headers=shopify_headers(secret="guess"))
    client.post(address, data=WOO_ORDER, headers=clone)

    def fail(*_: Any) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(client.application.extensions["pannier_intake"].inbox, "write", fail)
    assert post(client).status_code == 500
    assert client.post(address, data=WOO_ORDER, headers=woo_headers(WOO_ORDER)).status_code == 500

    written = logged.getvalue() + caplog.text + "".join(capfd.readouterr())
    assert "unhandled_error" in written
    assert "/webhooks/woocommerce/<token>" in written
    secrets = [
        SHOPIFY_SECRET + '"', SHOPIFY_OLD_SECRET, WOO_SECRET, SECRET_KEY, str(woocommerce.webhook_token),
        sign(BODY, SHOPIFY_SECRET), sign(WOO_ORDER, WOO_SECRET), *PERSONAL,
    ]  # fmt: skip
    assert [secret for secret in secrets if secret in written] == []
