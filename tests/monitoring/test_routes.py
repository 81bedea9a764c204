"""Freshness and alerts over HTTP: what is mine, in the words of the contract, and nothing of another store."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.commerce.store import add_store
from app.core.db import db
from app.monitoring import alerts
from tests.connectors.scripted_server import Says, ScriptedServer


@pytest.fixture
def keys(loopback_app: Any, app: Any) -> dict[str, dict[str, str]]:
    """The headers of two stores."""
    found = {}
    for name in ("mine", "other"):
        store, new = add_store("shopify", f"{name}.myshopify.com")
        found[name] = {"Authorization": f"Bearer {new.secret}"}
        alerts.raise_alert(db.session.connection(), store.id, "orders", "warn", f"Late at {name}.")
        alerts.raise_alert(db.session.connection(), store.id, "carts", "error", f"Lost at {name}.")
        alerts.clear_alert(db.session.connection(), store.id, "orders")
    db.session.commit()
    return found


def test_a_new_store_is_told_what_it_waits_for(client: FlaskClient, keys: dict[str, Any]) -> None:
    answer = client.get("/v1/freshness", headers=keys["mine"])

    body = answer.get_json()
    assert (answer.status_code, body["level"]) == (200, "ok")
    assert body["sources"][0] == {
        "source": "orders",
        "level": "waiting",
        "message": "Waiting for the first order.",
        "newest_at": None,
        "age_seconds": None,
        "warn_after_seconds": None,
        "error_after_seconds": None,
    }
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_alerts_are_listed_newest_first_page_by_page(client: FlaskClient, keys: dict[str, Any]) -> None:
    first = client.get("/v1/alerts", query_string={"limit": 1}, headers=keys["mine"]).get_json()
    second = client.get(
        "/v1/alerts", query_string={"limit": 1, "cursor": first["next_cursor"]}, headers=keys["mine"]
    ).get_json()

    assert [a["message"] for a in (*first["alerts"], *second["alerts"])] == ["Lost at mine.", "Late at mine."]
    assert second["next_cursor"] is None
    assert [a["cleared_at"] is None for a in (*first["alerts"], *second["alerts"])] == [True, False]
    still_open = client.get("/v1/alerts", query_string={"state": "open"}, headers=keys["mine"]).get_json()
    assert [a["source"] for a in still_open["alerts"]] == ["carts"]


def test_a_secret_is_shown_once(client: FlaskClient, keys: dict[str, Any], receiver: ScriptedServer) -> None:
    def put(**fields: Any) -> dict[str, Any]:
        answer = client.put(
            "/v1/alerts/endpoint", json={"url": f"{receiver.url}/a", **fields}, headers=keys["mine"]
        )
        assert answer.status_code == 200
        body: dict[str, Any] = answer.get_json()
        return body

    made, same, renewed = put(), put(), put(new_secret=True)
    shown = client.get("/v1/alerts/endpoint", headers=keys["mine"]).get_json()

    assert made["secret"].startswith("whsec_")
    assert same["secret"] is None
    assert renewed["secret"] not in (None, made["secret"])
    assert shown == {
        "url": f"{receiver.url}/a", "created_at": made["created_at"], "disabled_at": None, "problem": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "url",
    ["http://merchant.example/", "https://10.0.0.1/", "https://127.0.0.1:8443/", "https://[::1]/", "https://no.invalid/",
     "https://u:p@127.0.0.1/", "https:///"],
    ids=["http", "private", "loopback", "loopback 6", "no such host", "with password", "no host"],
)  # fmt: skip
def test_an_address_that_is_never_asked_is_refused(
    client: FlaskClient, keys: dict[str, Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors.outbound import Outbound

    strict = Outbound(resolver=lambda host, _port: [] if host.endswith(".invalid") else [host])
    monkeypatch.setattr("app.monitoring.endpoint.line", lambda: strict)

    answer = client.put("/v1/alerts/endpoint", json={"url": url}, headers=keys["mine"])

    assert answer.status_code == 422
    assert [p["name"] for p in answer.get_json()["invalid_params"]] == ["url"]
    assert client.get("/v1/alerts/endpoint", headers=keys["mine"]).status_code == 404


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, {"delivered": True, "status": 200, "problem": None}),
        (500, {"delivered": False, "status": 500, "problem": "The receiver answered 500; it must answer 200 to 299."}),
    ],
    ids=["arrives", "fails"],
)  # fmt: skip
def test_a_test_says_what_came_of_it(
    client: FlaskClient, keys: dict[str, Any], receiver: ScriptedServer, status: int, expected: dict[str, Any]
) -> None:
    receiver.says(Says(status=status))
    client.put("/v1/alerts/endpoint", json={"url": receiver.url}, headers=keys["mine"])

    assert client.post("/v1/alerts/test", headers=keys["mine"]).get_json() == expected


def test_the_key_of_another_store_gets_nothing_of_mine(
    client: FlaskClient, keys: dict[str, Any], receiver: ScriptedServer
) -> None:
    client.put("/v1/alerts/endpoint", json={"url": receiver.url}, headers=keys["mine"])
    other = keys["other"]

    assert client.get("/v1/alerts/endpoint", headers=other).status_code == 404
    assert client.post("/v1/alerts/test", headers=other).status_code == 404
    assert client.delete("/v1/alerts/endpoint", headers=other).status_code == 404
    assert {a["message"] for a in client.get("/v1/alerts", headers=other).get_json()["alerts"]} == {
        "Lost at other.",
        "Late at other.",
    }
    assert receiver.seen == []
    gone = client.delete("/v1/alerts/endpoint", headers=keys["mine"])
    assert gone.get_json() == {"deleted": receiver.url}
    assert client.get("/v1/alerts/endpoint", headers=keys["mine"]).status_code == 404
