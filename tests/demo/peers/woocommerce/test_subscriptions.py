"""Webhooks of the stand-in: made, pinged, changed and deleted."""

import pytest
from woocommerce import API

from connectors.woocommerce.signature import read_headers
from demo.peers.woocommerce import Deliverer, WooState
from tests.demo.peers.woocommerce.store import ORDER, SECRET, ids, problem, subscribe
from tests.demo.sink import Sink, listening

WEBHOOK_FIELDS = frozenset(
    [
        *("id", "name", "status", "topic", "resource", "event", "hooks", "delivery_url", "date_created"),
        *("date_created_gmt", "date_modified", "date_modified_gmt", "_links"),
    ]
)


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
