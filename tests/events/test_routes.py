"""The door over HTTP: who may send, in what form, and what is answered."""

import base64
import re
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.commerce.store import NewKeys, Store
from app.events import spec
from app.events.routes import ShortAddresses
from tests.events.sending import YES, kept, message, send, statuses

ORIGIN = "https://events.example"


def basic(key: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}"}


def post(client: FlaskClient, path: str, body: Any, headers: dict[str, str] | None = None) -> TestResponse:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return client.post(path, data=raw, headers=headers, content_type="text/plain")


def test_an_accepted_event_is_a_row(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    sent = message(messageId="m-1", properties={"product_id": 11, "price": 9.5, "email": "ann@example.com"})

    response = send(client, send_keys, sent)

    assert response.get_json() == {
        "success": True,
        "accepted": 1,
        "rejected": 0,
        "results": [{"index": 0, "message_id": "m-1", "status": "accepted"}],
    }
    (row,) = kept(store)
    assert (row.type, row.name, row.products) == ("track", "Product Viewed", ["11"])
    assert row.properties == {"product_id": 11, "price": 9.5}
    assert (row.source, row.purposes, len(row.subject)) == ("browser", 7, 16)
    assert row.occurred_at == row.received_at


def test_each_event_of_a_batch_has_its_own_answer(
    client: FlaskClient, store: Store, send_keys: NewKeys
) -> None:
    twice = message()
    batch = [
        twice,
        "no object",
        message(event="\x00<script>"),
        message(event="<script>alert(1)</script>"),
        message(context=None),
        message(properties={"a": "x" * 40_000}),
        message(properties={f"p{n}": 1 for n in range(10_000)}),
        message(properties={"p": [1] * 3000}),
        message(timestamp="2999-01-01T00:00:00Z"),
        message(timestamp="yesterday"),
        message(anonymousId="undefined"),
        message(kind="teleport"),
        twice,
        None,
    ]

    response = send(client, send_keys, *batch)

    assert statuses(response) == [
        "accepted", "not_an_object", "bad_name", "accepted", "no_consent", "too_large", "too_large",
        "too_many_properties", "in_the_future", "bad_timestamp", "junk_id", "unknown_type", "duplicate",
        "not_an_object",
    ]  # fmt: skip
    assert (response.get_json()["accepted"], response.get_json()["rejected"]) == (3, 11)
    for result in response.get_json()["results"]:
        if result["status"] == "rejected":
            assert result["detail"] == spec.REASONS[result["reason"]]
    assert [row.name for row in kept(store)] == ["Product Viewed", "<script>alert(1)</script>"]


@pytest.mark.parametrize("kind", spec.TYPES)
def test_every_type_has_an_address(client: FlaskClient, store: Store, send_keys: NewKeys, kind: str) -> None:
    extra = {"group": {"groupId": "g"}, "alias": {"previousId": "older"}}.get(kind, {})
    sent = message(kind, writeKey=send_keys.publishable, **extra)
    del sent["type"]

    for path in (f"/v1/{kind}", f"/v1/{kind[0]}"):
        assert post(client, path, sent).status_code == 200

    assert [row.type for row in kept(store)] == [kind]


def test_the_short_addresses_are_those_of_analytics_js() -> None:
    letters = {f"/v1/{k[0]}": f"/v1/{k}" for k in (*spec.TYPES, "batch")}

    assert letters | {"/beacon/v1/batch": "/v1/batch"} == ShortAddresses.LONG


def test_rudderstacks_beacon_names_its_key_in_the_address(
    client: FlaskClient, store: Store, send_keys: NewKeys
) -> None:
    body = {"batch": [message(userId="")], "sentAt": "2026-11-22T12:00:00Z"}

    taken = post(client, f"/beacon/v1/batch?writeKey={send_keys.publishable}", body)
    secret = post(client, f"/beacon/v1/batch?writeKey={send_keys.secret}", body)

    assert statuses(taken) == ["accepted"]
    assert secret.status_code == 401


@pytest.mark.parametrize("place", ["basic", "body", "query", "header"])
def test_a_publishable_key_may_come_as_senders_give_it(
    client: FlaskClient, store: Store, send_keys: NewKeys, place: str
) -> None:
    key = send_keys.publishable
    headers = {"basic": basic(key), "header": {"X-Pannier-Key": key}}.get(place, {})
    body = {"batch": [message()], **({"writeKey": key} if place == "body" else {})}

    response = post(client, "/v1/b" + (f"?key={key}" if place == "query" else ""), body, headers)

    assert statuses(response) == ["accepted"]
    assert kept(store)[0].source == "browser"


def test_a_servers_write_key_is_the_secret_one(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    response = post(client, "/v1/batch", {"batch": [message(userId="77")]}, basic(send_keys.secret))

    assert statuses(response) == ["accepted"]
    assert kept(store)[0].source == "server"


def test_a_secret_key_is_not_taken_from_a_body(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    response = post(client, "/v1/track", message(writeKey=send_keys.secret))

    assert response.status_code == 401
    assert kept(store) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"\xff\xfe", 400), (b'{"event": "\xc3("}', 400), (b"[]", 422), (b'{"batch": {}}', 422)],
    ids=["cut off", "no UTF-8", "broken UTF-8", "a list", "a batch that is no list"],
)
def test_a_body_that_cannot_be_read_is_a_problem(
    client: FlaskClient, store: Store, send_keys: NewKeys, body: bytes, status: int
) -> None:
    response = post(client, "/v1/batch", body, basic(send_keys.publishable))

    assert (response.status_code, response.content_type) == (status, "application/problem+json")
    assert post(client, "/v1/batch", body).status_code == 401


def test_too_much_at_once_is_a_problem(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    assert send(client, send_keys, *[message() for _ in range(501)]).status_code == 413
    assert (
        send(client, send_keys, *[message(properties={"p": "x" * 30_000}) for _ in range(20)]).status_code
        == 413
    )
    assert kept(store) == []


def test_pages_of_the_store_may_send_and_read_and_others_may_not(
    client: FlaskClient, store: Store, send_keys: NewKeys
) -> None:
    mine = send(client, send_keys, message(), Origin=ORIGIN)
    other = send(client, send_keys, message(), Origin="https://evil.example")

    assert (mine.status_code, mine.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    assert other.status_code == 403
    assert len(kept(store)) == 1


def test_the_preflight_allows_what_analytics_js_and_rudderstack_send(
    client: FlaskClient, store: Store
) -> None:
    response = client.options("/v1/t", headers={"Origin": ORIGIN})

    allowed = re.split(", ", response.headers["Access-Control-Allow-Headers"])
    assert {"AnonymousId", "Authorization", "Content-Type", "X-Retry-Count"} <= set(allowed)


def test_the_context_of_a_batch_holds_for_all_of_it(
    client: FlaskClient, store: Store, send_keys: NewKeys
) -> None:
    body = {
        "batch": [message(context=None), message(context={"consent": {"analytics": False}})],
        "context": {"consent": YES},
    }

    response = post(client, "/v1/batch", body, basic(send_keys.publishable))

    assert statuses(response) == ["accepted", "no_consent"]


def test_another_stores_products_stay_text_in_the_senders_own_store(
    client: FlaskClient, store: Store, send_keys: NewKeys, keys: dict[str, Any]
) -> None:
    other, other_keys = keys["other"]
    sent = message(properties={"product_id": "9001"})

    assert statuses(send(client, send_keys, sent)) == ["accepted"]
    assert statuses(send(client, other_keys, sent)) == ["accepted"]

    (mine,), (theirs,) = kept(store), kept(other)
    assert mine.products == theirs.products == ["9001"]
    assert mine.subject != theirs.subject
    assert mine.message != theirs.message
