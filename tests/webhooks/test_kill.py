"""A drain that is killed at any moment loses nothing and counts nothing twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from flask import Flask
from sqlalchemy import func, select

from app.commerce.store import Store
from app.core.db import db
from app.recommendations import learning
from tests.commerce.tables import dump
from tests.factories import incoming, keep, new_store, shopify_order
from tests.recommendations.histories import OPEN_GATES, learned, published, stale
from webhooks import jobs
from webhooks.models import PENDING, WebhookDelivery

PROJECT = Path(__file__).parents[2]
DELIVERIES = 240
KILLS = 6


@pytest.fixture
def store(app: Flask) -> Store:
    """A store with a few hundred deliveries: orders of six products, edited, cancelled and repeated."""
    made = new_store(**OPEN_GATES)
    chance = random.Random(7)
    for number in range(DELIVERIES):
        products = chance.sample(range(1, 7), chance.randint(1, 4))
        order = shopify_order(1 + number % 100, *products, seconds=number)
        if chance.random() < 0.2:
            order["cancelled_at"] = order["updated_at"]
        keep(incoming(made.id, "orders/updated", order))
    return made


@contextmanager
def draining(store_id: int, environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Run the draining process; it and its children have ended when the block is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.webhooks.draining", str(store_id), "5"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def told(process: "subprocess.Popen[str]", *orders: str) -> str:
    """Tell the process what to do; return its next line."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("".join(f"{order}\n" for order in orders))
    process.stdin.flush()
    return process.stdout.readline().strip()


def pending(store_id: int) -> int:
    """Return how many deliveries wait."""
    query = select(func.count()).where(
        WebhookDelivery.store_id == store_id, WebhookDelivery.status == PENDING
    )
    found = db.session.scalar(query) or 0
    db.session.rollback()
    return found


def interrupt(process: "subprocess.Popen[str]", store_id: int, after: int, pause_s: float) -> bool:
    """Have a child drain, kill it some time after it has processed so many; return whether it was still at it."""
    goal = max(0, pending(store_id) - after)
    assert process.stdin is not None
    process.stdin.write("drain\n")
    process.stdin.flush()
    # A child that finds the store still held by its dead predecessor's connection leaves at once.
    for _ in range(400):
        if pending(store_id) <= goal:
            break
        time.sleep(0.005)
    time.sleep(pause_s)
    return told(process, "kill") == str(-signal.SIGKILL)


def test_a_drain_killed_at_random_moments_loses_nothing(store: Store, environment: dict[str, str]) -> None:
    store_id, chance = store.id, random.Random()
    db.session.rollback()

    with draining(store_id, environment) as process:
        assert told(process) == "ready"
        kills = 0
        for _ in range(4 * KILLS):
            kills += interrupt(process, store_id, chance.randint(1, 20), chance.uniform(0, 0.02))
            if kills == KILLS:
                break
        left = pending(store_id)
        while pending(store_id):
            assert told(process, "drain", "wait") == "0"
        learning.publish_stale(store_id)

    assert kills == KILLS
    assert left > 0
    assert jobs.status_counts(store_id) == [
        {
            "store_id": store_id,
            "topic": "orders/updated",
            "status": "processed",
            "reason": None,
            "deliveries": DELIVERIES,
        }
    ]
    assert stale(store_id) == []
    kept, lists = learned(store_id), published(store_id)
    learning.rebuild(store_id)
    assert learned(store_id) == kept
    assert dump(db.session.connection(), store_id)["orders"] == _orders_once(store_id)
    assert lists.keys() == published(store_id).keys()


def _orders_once(store_id: int) -> list[dict[str, object]]:
    """Return the orders of a store that got the same deliveries without interruption."""
    other = new_store(**OPEN_GATES)
    rows = db.session.scalars(select(WebhookDelivery).where(WebhookDelivery.store_id == store_id))
    for row in rows.all():
        keep(incoming(other.id, row.topic, orjson.loads(row.body)))
    jobs.drain(other.id)
    return dump(db.session.connection(), other.id)["orders"]
