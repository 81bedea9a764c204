"""Webhook intake and the drain: accepted deliveries per second, durable in PostgreSQL; orders per second.

The baseline is a bare Flask route with the same HMAC over the same bodies, on the same server in the same run.
"""

import itertools
import statistics
import time
import uuid
from collections.abc import Callable, Iterator

from sqlalchemy import func, select, text

from app.core.db import db
from benchmarks import load, servers
from benchmarks.report import Result
from benchmarks.world import World
from demo.messages import Delivery
from webhooks.jobs import drain_batch
from webhooks.models import PENDING, WebhookDelivery

_SECONDS = 4.0
_ROUNDS = 3
_BODY_BYTES = 8_800
# Enough that a group of waiting requests shares a commit.
_THREADS = 16


def run(world: World) -> Iterator[Result]:
    """Measure intake, then the drain of what real orders leave in the inbox."""
    # Orders of a usual size: the demo's gift shop sells eighteen lines at a time, most shops three.
    orders = sorted(
        world.mailbag.only(["orders/create"])[:2000], key=lambda order: abs(len(order.body) - _BODY_BYTES)
    )[:500]
    bare: list[load.Load] = []
    ours: list[load.Load] = []
    with (
        servers.serve("benchmarks.bare:create_web", world.environment, threads=_THREADS) as bare_port,
        servers.serve("app.web:create_web", world.environment, threads=_THREADS) as port,
    ):
        for _ in range(_ROUNDS):
            bare.append(load.run(bare_port, _requests("/hmac", orders), seconds=_SECONDS))
            ours.append(load.run(port, _requests("/webhooks/shopify", orders), seconds=_SECONDS))
    baseline = statistics.median(r.per_second for r in bare)
    accepted = statistics.median(r.per_second for r in ours)
    yield Result(
        name="intake, durable", value=accepted, unit="deliveries/s", baseline_name="bare Flask route with HMAC",
        baseline=baseline, ratio=accepted / baseline, bar=0.3,
    )  # fmt: skip
    yield Result(
        name="intake p99", value=statistics.median(r.p99_ms for r in ours), unit="ms",
        baseline_name="bare Flask route with HMAC", baseline=statistics.median(r.p99_ms for r in bare),
    )  # fmt: skip
    kept = _kept()
    sent = sum(r.answers for r in ours)
    if kept < sent:
        raise RuntimeError(f"{sent} deliveries were answered 200 and only {kept} are in the inbox")
    db.session.execute(text("TRUNCATE webhook_delivery"))
    db.session.commit()
    yield drain(world)


def _requests(path: str, orders: list[Delivery]) -> Callable[[int], bytes]:
    """Return requests that cycle through real orders, each with a webhook id of its own."""
    parts = []
    for order in orders:
        headers = {**order.headers, "X-Shopify-Webhook-Id": "@"}
        headers.pop("Content-Type", None)
        before, _, after = load.post(path, order.body, headers).partition(b"@")
        parts.append((before, after))
    run_id = uuid.uuid4().hex
    numbers = itertools.count()

    def request(n: int) -> bytes:
        before, after = parts[n % len(parts)]
        return before + f"{run_id}-{next(numbers)}".encode() + after

    return request


def _kept() -> int:
    count = db.session.scalar(select(func.count()).select_from(WebhookDelivery)) or 0
    db.session.rollback()
    return count


def drain(world: World) -> Result:
    """Deliver a shop's whole catalogue, then time the drain of all its orders, learning included."""
    client = world.app.test_client()
    orders = world.mailbag.only(["orders/create"])
    for delivery in world.mailbag.only(["products/create"]):
        client.post("/webhooks/shopify", data=delivery.body, headers=delivery.headers)
    while drain_batch(world.store_id, 200):
        pass
    for delivery in orders:
        client.post("/webhooks/shopify", data=delivery.body, headers=delivery.headers)
    started = time.perf_counter()
    while drain_batch(world.store_id, 200):
        pass
    took = time.perf_counter() - started
    left = db.session.scalar(
        select(func.count()).select_from(WebhookDelivery).where(WebhookDelivery.status == PENDING)
    )
    if left:
        raise RuntimeError(f"{left} deliveries are still pending")
    return Result(
        name=f"drain of {len(orders):,} orders", value=len(orders) / took, unit="orders/s",
        baseline_name="asked", baseline=300.0, ratio=len(orders) / took / 300.0, bar=1.0,
    )  # fmt: skip
