"""``GET /v1/connection``: whose state it shows, and in which shape."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.commerce import ingest
from app.commerce.store import NewKeys, Store
from app.connections.models import DONE, FAILED, HISTORY, LISTING, RUNNING, Subscriptions, Walk
from app.core.db import db, now
from tests.factories import order_change, product_change

MOMENT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
SHOWN = "2026-11-22T08:30:00+00:00"
Keys = dict[str, tuple[Store, NewKeys]]


def show(client: FlaskClient, key: str) -> Any:
    answer = client.get("/v1/connection", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"
    return answer.json


def walk(store: Store, kind: str, resource: str, **values: Any) -> None:
    known = {"state": RUNNING, "done": 0, "notes": [], "started_at": MOMENT, **values}
    db.session.add(Walk(store_id=store.id, kind=kind, resource=resource, **known))


def test_store_that_only_delivers_webhooks_has_little_to_say(client, keys: Keys):
    store, own = keys["mine"]
    store.installed_at = MOMENT
    db.session.commit()

    assert show(client, own.secret) == {
        "store": "mine.myshopify.com",
        "platform": "shopify",
        "state": "webhooks_only",
        "problem": None,
        "connected_at": None,
        "installed_at": SHOWN,
        "uninstalled_at": None,
        "stored": {"products": 0, "orders": 0},
        "walks": [],
        "gaps": [],
        "webhooks": None,
    }


def test_progress_gaps_and_webhooks_are_told(client, keys: Keys):
    # given a store in the middle of everything
    store, own = keys["mine"]
    store.connected_at = store.installed_at = MOMENT
    changes = [product_change("p1"), order_change("o1", "p1"), order_change("o2", "p1")]
    ingest.apply(db.session.connection(), store.id, changes)
    walk(store, HISTORY, "products", state=DONE, done=1, total=1, finished_at=MOMENT, notes=["A note."])
    walk(store, HISTORY, "orders", state=FAILED, done=2, total=9, problem="The shop is away.")
    walk(
        store, LISTING, "orders", state=DONE, done=3, platform_count=3, stored_count=2, finished_at=MOMENT,
    )  # fmt: skip
    walk(store, LISTING, "products")
    db.session.add(
        Subscriptions(
            store_id=store.id,
            active=["orders/create"],
            mended=["created orders/create"],
            problems=["One is off."],
            checked_at=MOMENT,
        )
    )
    db.session.commit()

    found = show(client, own.secret)

    # then
    assert (found["state"], found["connected_at"]) == ("connected", SHOWN)
    assert found["stored"] == {"products": 1, "orders": 2}
    assert [(each["kind"], each["resource"], each["state"]) for each in found["walks"]] == [
        ("backfill", "products", "done"),
        ("backfill", "orders", "failed"),
        ("listing", "products", "running"),
        ("listing", "orders", "done"),
    ]
    assert found["walks"][0] == {
        "kind": "backfill",
        "resource": "products",
        "state": "done",
        "done": 1,
        "total": 1,
        "problem": None,
        "notes": ["A note."],
        "started_at": SHOWN,
        "finished_at": SHOWN,
    }
    assert found["walks"][1]["problem"] == "The shop is away."
    assert found["gaps"] == [{"resource": "orders", "platform": 3, "stored": 2, "checked_at": SHOWN}]
    assert found["webhooks"] == {
        "active": ["orders/create"],
        "mended": ["created orders/create"],
        "problems": ["One is off."],
        "checked_at": SHOWN,
    }


def test_dead_key_is_told_with_its_reason(client, keys: Keys):
    store, own = keys["mine"]
    store.connected_at, store.connection_problem = now(), "The token is dead."
    db.session.commit()

    found = show(client, own.secret)

    assert (found["state"], found["problem"]) == ("reconnect_needed", "The token is dead.")


def test_key_of_another_store_shows_nothing_of_this_one(client, keys: Keys):
    store, _ = keys["mine"]
    store.connected_at, store.connection_problem = now(), "The token is dead."
    ingest.apply(db.session.connection(), store.id, [product_change("p1"), order_change("o1", "p1")])
    walk(store, HISTORY, "products")
    db.session.add(Subscriptions(store_id=store.id, active=["a"], mended=[], problems=[], checked_at=MOMENT))
    db.session.commit()

    found = show(client, keys["other"][1].secret)

    assert (found["store"], found["state"], found["problem"]) == (
        "other.myshopify.com",
        "webhooks_only",
        None,
    )
    assert (found["stored"], found["walks"], found["webhooks"]) == ({"products": 0, "orders": 0}, [], None)


def test_nothing_that_opens_a_platform_is_shown(client, keys: Keys):
    store, own = keys["mine"]
    store.connected_at = now()
    store.credentials = {"access_token": "shpat_secret", "scopes": [], "refresh_token": "shprt_secret"}
    db.session.commit()

    found = client.get("/v1/connection", headers={"Authorization": f"Bearer {own.secret}"})

    assert [text for text in ("shpat", "shprt", "token", "credentials") if text in found.text] == []


@pytest.mark.parametrize("kind", ["none", "publishable", "publishable header", "garbage", "uninstalled"])
def test_without_the_own_secret_key_nothing_is_shown(client, keys: Keys, kind):
    store, own = keys["mine"]
    if kind == "uninstalled":
        store.uninstalled_at = now()
        db.session.commit()
    headers = {
        "none": {},
        "publishable": {"Authorization": f"Bearer {own.publishable}"},
        "publishable header": {"X-Pannier-Key": own.publishable},
        "garbage": {"Authorization": "Bearer sk_nobody"},
        "uninstalled": {"Authorization": f"Bearer {own.secret}"},
    }[kind]

    answer = client.get(f"/v1/connection?store={store.id}", headers=headers)

    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert store.domain not in answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"
