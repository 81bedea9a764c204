"""A rebuild that is killed leaves the old answers in service, and the next one succeeds."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from app.commerce.store import Store, add_store
from app.core.db import db
from app.recommendations import learning
from tests.factories import order_change
from tests.recommendations.histories import OPEN_GATES, learn, published, stale
from tests.recommendations.shops import forget_cached, state

PROJECT = Path(__file__).parents[2]
PRODUCTS = tuple(f"p{number}" for number in range(1, 6))


@contextmanager
def rebuilding(store_id: int, environment: dict[str, str], place: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a rebuild up to ``place``; its process has ended when the block is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.recommendations.interrupted", str(store_id), place],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def kill_at(store_id: int, environment: dict[str, str], place: str) -> None:
    """Have another process rebuild, and kill it when it has come to ``place``."""
    with rebuilding(store_id, environment, place) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == place
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=30) == -signal.SIGKILL


@pytest.fixture
def shop(app: Flask) -> tuple[Store, str]:
    """A store whose answers are published, with newer orders that a rebuild would take in; and its key."""
    store, keys = add_store("shopify", "killed.myshopify.com", settings=OPEN_GATES)
    db.session.commit()
    learn(store.id, [[state(product) for product in PRODUCTS]])
    learn(store.id, [[order_change(f"o{n}", "p1", "p2") for n in range(3)]])
    learning.publish_stale(store.id)
    learn(store.id, [[order_change(f"x{n}", "p1", "p3") for n in range(9)]])
    return store, keys.publishable


def answers(app: Flask, key: str) -> dict[str, Any]:
    """Return what is recommended beside each product, over HTTP."""
    found = {}
    for product in PRODUCTS:
        response = app.test_client().get(
            "/v1/recommendations",
            query_string={"slot": "product", "product_id": product},
            headers={"X-Pannier-Key": key},
        )
        assert response.status_code == 200, response.text
        found[product] = response.get_json()["recommendations"]
    return found


@pytest.mark.timeout(120)
def test_a_rebuild_killed_while_it_writes_leaves_the_old_answers(
    app: Flask, shop: tuple[Store, str], environment: dict[str, str]
) -> None:
    store, key = shop
    before, lists, waiting = answers(app, key), published(store.id), stale(store.id)
    assert [item["product_id"] for item in before["p1"]][:1] == ["p2"]
    db.session.rollback()

    kill_at(store.id, environment, "writing")

    assert answers(app, key) == before
    forget_cached(app)
    assert answers(app, key) == before
    assert (published(store.id), stale(store.id)) == (lists, waiting)
    db.session.rollback()
    assert learning.rebuild(store.id) == 12
    forget_cached(app)
    assert [item["product_id"] for item in answers(app, key)["p1"]][:1] == ["p3"]
    assert stale(store.id) == []


@pytest.mark.timeout(120)
def test_a_rebuild_killed_before_redis_has_its_lists_is_made_up_for(
    app: Flask, shop: tuple[Store, str], environment: dict[str, str], redis: Redis
) -> None:
    store, key = shop
    before = answers(app, key)
    db.session.rollback()

    kill_at(store.id, environment, "committed")

    app.extensions["pannier_ready_bytes"].held.forget_all()
    assert answers(app, key)["p1"] == before["p1"]  # Redis holds it; that p3 had nothing is soon forgotten
    assert stale(store.id) == ["p1", "p2", "p3"]
    db.session.rollback()
    assert learning.publish_stale(store.id) == 3
    app.extensions["pannier_ready_bytes"].held.forget_all()
    assert [item["product_id"] for item in answers(app, key)["p1"]][:1] == ["p3"]
    assert stale(store.id) == []
    lists = published(store.id)
    db.session.rollback()
    learning.rebuild(store.id)
    assert published(store.id) == lists
