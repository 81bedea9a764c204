"""A web process that is killed under load loses no event that it has answered for."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import orjson
from sqlalchemy import select

from app.commerce.store import NewKeys, Store
from app.core.db import db
from app.core.embedded.processes import free_port
from app.events.models import EventReceipt
from app.privacy.subjects import digest
from tests.events.sending import kept, message

PROJECT = Path(__file__).parents[2]
ENOUGH = 400


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Serve on a port of its own; nothing of it is left when the block is left."""
    port = free_port()
    process = subprocess.Popen(
        [
            sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "app.web:create_web", "--host",
            "127.0.0.1", "--port", str(port), "--workers", "1", "--blocking-threads", "4", "--no-access-log",
            "--log-level", "critical",
        ],
        cwd=PROJECT,
        start_new_session=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    try:
        yield port, process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def load(port: int, key: str, accepted: list[str], stop: threading.Event) -> None:
    """Send batches until told to stop or the server is gone; note what it answered for."""
    deadline = time.monotonic() + 60
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        while not stop.is_set() and time.monotonic() < deadline:
            body = orjson.dumps({"batch": [message() for _ in range(5)]})
            try:
                connection.request("POST", "/v1/batch", body, {"X-Pannier-Key": key})
                answer = orjson.loads(connection.getresponse().read())
            except ConnectionRefusedError:
                connection.close()
                if accepted:
                    return
                time.sleep(0.05)  # not yet up
                continue
            except (OSError, http.client.HTTPException, orjson.JSONDecodeError):
                return  # cut off before the answer: nothing was promised
            accepted += [
                result["message_id"] for result in answer["results"] if result["status"] == "accepted"
            ]


def test_what_was_accepted_is_there_after_kill_9(
    store: Store, send_keys: NewKeys, environment: dict[str, str]
) -> None:
    accepted: list[str] = []
    stop = threading.Event()
    with serving(environment) as (port, process):
        senders = [
            threading.Thread(target=load, args=(port, send_keys.publishable, accepted, stop))
            for _ in range(4)
        ]
        for sender in senders:
            sender.start()
        for _ in range(1200):
            if len(accepted) >= ENOUGH:
                break
            time.sleep(0.05)
        under_load = sum(sender.is_alive() for sender in senders)
        os.killpg(process.pid, signal.SIGKILL)
        stop.set()
        for sender in senders:
            sender.join(timeout=30)

    assert len(accepted) >= ENOUGH
    assert under_load == len(senders)
    events = {row.message for row in kept(store)}
    receipts = set(db.session.scalars(select(EventReceipt.message).where(EventReceipt.store_id == store.id)))
    assert {digest(store.id, "message", sent) for sent in accepted} <= events
    assert events == receipts
