"""The RQ queues, and how work gets onto them.

A queued job is a hint that rows wait in PostgreSQL, never the only record of work: what a lost
Redis forgets, the clock's sweep finds again. So enqueuing may fail quietly, and hints for one store are
merged.
"""

import threading
import time
from typing import Any, Final

import structlog
from flask import Flask
from rq import Queue

from app.core.redis import breaker, queue_redis, redis_client

log = structlog.get_logger()

DELIVERIES: Final = "deliveries"  # drains of the inbox
LEARNING: Final = "learning"  # rebuilds, publishing
UPKEEP: Final = "upkeep"  # retention, sweeps
PLATFORMS: Final = "platforms"  # backfills and reconciliation: long, and slow by nature
# What should never wait behind an hour of backfill, so workers of its own may take it.
SHORT: Final = (DELIVERIES, LEARNING, UPKEEP)
ALL: Final = (*SHORT, PLATFORMS)

_HINT_MS: Final = 500
_GATHER_S: Final = 0.05


def enqueue(queue: str, function: str, *ids: Any, timeout_s: int = 600) -> bool:
    """Put ``function`` (dotted path) with plain ids onto ``queue``; return whether Redis took it.

    Results are not kept, failures for a day.
    """

    def put() -> bool:
        Queue(queue, connection=queue_redis()).enqueue_call(
            function, args=ids, timeout=timeout_s, result_ttl=0, failure_ttl=86_400
        )
        return True

    taken = breaker().call(put, otherwise=False)
    if not taken:
        log.warning("enqueue_failed", queue=queue, function=function)
    return taken


def hint(queue: str, function: str, store_id: int) -> None:
    """Enqueue ``function(store_id)`` unless a hint of the last half second still waits."""
    key = hint_key(function, store_id)
    first = breaker().call(lambda: bool(redis_client().set(key, 1, nx=True, px=_HINT_MS)), otherwise=False)
    if first:
        enqueue(queue, function, store_id)


def take_hint(function: str, store_id: int) -> None:
    """Let new hints through: called by the job before it looks for work."""
    breaker().call(lambda: redis_client().delete(hint_key(function, store_id)), otherwise=None)


def hint_key(function: str, store_id: int) -> str:
    """Return the key that merges hints."""
    return f"pannier:{store_id}:hint:{function}"


class HintSender:
    """Sends hints from a thread of its own, gathered over a few milliseconds.

    A burst of deliveries then costs Redis a handful of calls, and the request that was answered waits for
    none of them.
    """

    def __init__(self, app: Flask, queue: str, function: str) -> None:
        self._app = app
        self._queue = queue
        self._function = function
        self._stores: set[int] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self.idle = threading.Event()  # nothing is marked that is not sent
        self.idle.set()
        self._thread: threading.Thread | None = None

    def mark(self, store_id: int) -> None:
        """Have a hint sent for ``store_id`` soon."""
        with self._lock:
            self._stores.add(store_id)
            self.idle.clear()
            if self._thread is None or not self._thread.is_alive():  # a fork has no threads
                self._thread = threading.Thread(target=self._run, name="hints", daemon=True)
                self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            time.sleep(_GATHER_S)
            self._wake.clear()
            with self._lock:
                stores, self._stores = self._stores, set()
            with self._app.app_context():
                for store_id in stores:
                    hint(self._queue, self._function, store_id)
            with self._lock:
                if not self._stores:
                    self.idle.set()
