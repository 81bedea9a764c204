"""``kill -9`` of everything while orders arrive: nothing that was accepted is lost, nothing counted twice."""

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.commerce.order import Order
from app.core.db import db
from app.recommendations import cooccurrence, learning
from demo.delivery import send
from demo.shops import deliveries
from tests.end_to_end.house import SECRET, House, open_house
from webhooks.models import WebhookDelivery

ORDERS = 250
KILLS = 8


def counts(store_id: int) -> tuple[object, object, object]:
    """Return a store's counts, summed over segments."""
    connection = db.session.connection()
    head = connection.exec_driver_sql(
        f"SELECT orders FROM learned_model WHERE store_id = {store_id}"
    ).scalar_one()
    products = connection.exec_driver_sql(
        "SELECT product_id, orders, weight, popularity FROM product_count"
        f" WHERE store_id = {store_id} AND orders > 0 ORDER BY 1"
    ).all()
    rows = connection.exec_driver_sql(
        f"SELECT product_id, packed FROM neighbour_segment WHERE store_id = {store_id}"
    ).all()
    summed = cooccurrence.unpack((row.product_id, row.packed) for row in rows)
    pairs = [
        array.tolist()
        for array in (summed.products, summed.indptr, summed.others, summed.orders, summed.weights)
    ]
    db.session.rollback()
    return head, products, pairs


def redis_pid(directory: Path) -> int:
    """Return the process id of the embedded Redis of ``directory``."""
    for entry in Path("/proc").iterdir():
        try:
            program = (entry / "cmdline").read_bytes().split(b" ")[0].split(b"\0")[0]
            if program.endswith(b"redis-server") and (entry / "cwd").readlink().is_relative_to(directory):
                return int(entry.name)
        except OSError:
            continue
    raise AssertionError("no Redis of this test is running")


def children(pid: int) -> list[int]:
    """Return the child processes of ``pid``."""
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Vandal(threading.Thread):
    """Kills web processes, workers, their horses and Redis with SIGKILL, at random, a few times over."""

    def __init__(self, house: House) -> None:
        super().__init__(daemon=True)
        self._house = house
        self._random = random.Random(11)
        self._enough = threading.Event()
        self.killed: list[str] = []

    def run(self) -> None:
        while len(self.killed) < KILLS and not self._enough.wait(self._random.uniform(0.4, 1.2)):
            running = self._house.processes.pids()
            target = self._random.choice(["web", "web-child", "worker-1", "worker-2", "horse", "redis"])
            try:
                if target == "redis":
                    os.kill(redis_pid(self._house.directory), signal.SIGKILL)
                elif target == "web-child":
                    os.kill(self._random.choice(children(running["web"])), signal.SIGKILL)
                elif target == "horse":
                    horses = [c for n in ("worker-1", "worker-2") for c in children(running[n])]
                    os.kill(self._random.choice(horses), signal.SIGKILL)
                else:
                    os.kill(running[target], signal.SIGKILL)
            except (KeyError, OSError, IndexError, AssertionError):
                continue  # it is just dead already
            self.killed.append(target)

    def stop(self) -> None:
        self._enough.set()
        self.join()


@pytest.mark.timeout(600)
def test_killing_everything_loses_nothing(tmp_path: Path) -> None:
    with open_house(tmp_path, ("shopify",), ORDERS, processes=2) as house:
        connected = house.shops["shopify"]
        mailbag = deliveries(connected.shop, secret=SECRET)
        vandal = Vandal(house)
        vandal.start()
        accepted = send(mailbag, connected.webhook_url, attempts=40)
        time.sleep(3)
        vandal.stop()
        house.settle(300)

        assert accepted.accepted == accepted.sent == len(mailbag)
        assert len(vandal.killed) >= KILLS / 2
        with house.app.app_context():
            kept = db.session.scalar(select(func.count()).select_from(WebhookDelivery))
            orders = db.session.scalar(select(func.count()).select_from(Order))
            assert kept == len({d.headers["X-Shopify-Webhook-Id"] for d in mailbag})
            assert orders == ORDERS
            drained = counts(connected.store_id)
            learning.rebuild(connected.store_id)
            assert counts(connected.store_id) == drained
