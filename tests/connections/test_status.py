"""How a connection stands, as data."""

from typing import Any

import pytest

from app.commerce import ingest
from app.commerce.store import Store
from app.connections import walks
from app.connections.models import CHANGES, HISTORY, LISTING, Subscriptions
from app.connections.status import connection_status, state_of
from app.core.db import db
from connectors.errors import Unreachable
from tests.connections.scripted import ScriptedSource
from tests.factories import (
    at,
    order_change,
    order_deletion,
    product_change,
    product_deletion,
    shopify_product,
)


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({"connected_at": None}, "webhooks_only"),
        ({}, "connected"),
        ({"connection_problem": "Dead."}, "reconnect_needed"),
        ({"connection_problem": "Dead.", "connected_at": None}, "reconnect_needed"),
        ({"connection_problem": "Dead.", "uninstalled_at": at(0)}, "uninstalled"),
    ],
    ids=["webhooks only", "connected", "problem", "problem of webhooks", "left"],
)
def test_one_word_says_how_it_stands(store: Store, columns: dict[str, Any], state: str) -> None:
    for name, value in columns.items():
        setattr(store, name, value)

    assert state_of(store) == connection_status(store)["state"] == state


def test_a_store_that_was_just_added(store: Store) -> None:
    assert connection_status(store) == {
        "store": store.domain,
        "platform": "shopify",
        "state": "connected",
        "problem": None,
        "connected_at": store.connected_at,
        "installed_at": store.installed_at,
        "uninstalled_at": None,
        "stored": {"products": 0, "orders": 0},
        "walks": [],
        "gaps": [],
        "webhooks": None,
    }


def test_walks_are_told_by_kind_with_products_first(store: Store, source: ScriptedSource) -> None:
    source.put("products", *(shopify_product(number) for number in range(1, 4)))
    for resource in ("orders", "products"):
        walks.go_on(store, source, walks.begin(store.id, HISTORY, resource))
    source.notes = ("Old orders are missing.",)
    source.script["changes"] = [None, Unreachable("No answer.")]
    with pytest.raises(Unreachable):
        walks.go_on(store, source, walks.begin(store.id, CHANGES, "products", since=at(-1)))

    told = connection_status(store)["walks"]

    assert [(walk["kind"], walk["resource"], walk["state"], walk["done"]) for walk in told] == [
        ("changes", "products", "failed", 2), ("backfill", "products", "done", 3), ("backfill", "orders", "done", 0),
    ]  # fmt: skip
    assert (told[0]["problem"], told[0]["notes"]) == ("No answer.", ["Old orders are missing."])
    assert told[0]["finished_at"] is None
    assert told[1]["finished_at"] > told[1]["started_at"]


def test_gaps_are_those_of_ended_comparisons(store: Store, source: ScriptedSource) -> None:
    source.put("products", shopify_product(1), shopify_product(2))
    walks.go_on(store, source, walks.begin(store.id, LISTING, "products"))
    walk = walks.begin(store.id, LISTING, "orders")

    status = connection_status(store)

    (gap,) = status["gaps"]
    assert (gap["resource"], gap["platform"], gap["stored"]) == ("products", 2, 0)
    assert gap["checked_at"] == next(w for w in status["walks"] if w["resource"] == "products")["finished_at"]
    assert walk.finished_at is None


def test_what_is_deleted_or_only_named_is_not_counted_as_stored(store: Store) -> None:
    ingest.apply(
        db.session.connection(),
        store.id,
        [
            product_change("p1"),
            product_change("p2"),
            product_deletion("p2"),
            product_deletion("p3"),
            order_change("o1", "p1", "p4"),
            order_change("o2", "p1"),
            order_deletion("o2"),
        ],
    )
    db.session.commit()

    assert connection_status(store)["stored"] == {"products": 1, "orders": 1}


def test_the_last_look_at_the_webhooks_is_told(store: Store) -> None:
    db.session.add(
        Subscriptions(store_id=store.id, active=["a"], mended=["created a"], problems=["b"], checked_at=at(1))
    )
    db.session.commit()

    assert connection_status(store)["webhooks"] == {
        "active": ["a"], "mended": ["created a"], "problems": ["b"], "checked_at": at(1),
    }  # fmt: skip
