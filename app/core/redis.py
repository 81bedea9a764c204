"""Redis: queues and ready answers. Only what can be rebuilt.

Every use must survive its absence. ``Breaker`` keeps a dead Redis from costing each request a time-out.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app
from redis import Redis
from redis.exceptions import RedisError

T = TypeVar("T")

_TIMEOUT_S = 0.25
_REST_S = 1.0


class Breaker:
    """Remembers for a second that Redis did not answer."""

    def __init__(self, rest_s: float = _REST_S) -> None:
        self._rest_s = rest_s
        self._closed_until = 0.0
        self._lock = threading.Lock()

    def call(self, work: Callable[[], T], otherwise: T) -> T:
        """Return ``work()``, or ``otherwise`` where Redis is down or was a moment ago."""
        if time.monotonic() < self._closed_until:
            return otherwise
        try:
            return work()
        except (RedisError, OSError):
            with self._lock:
                self._closed_until = time.monotonic() + self._rest_s
            return otherwise


def init_redis(app: Flask, url: str) -> None:
    """Bind the application to the Redis at ``url``. No connection is opened yet."""
    app.extensions["pannier_redis"] = Redis.from_url(
        url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, health_check_interval=30
    )
    app.extensions["pannier_redis_breaker"] = Breaker()
    # RQ blocks on its sockets while it waits for work, and pickles: it needs a client of its own.
    app.extensions["pannier_queue_redis"] = Redis.from_url(url, socket_connect_timeout=2)


def redis_client() -> Redis:
    """Return the application's client for ready answers: short time-outs, bytes in and out."""
    client: Redis = current_app.extensions["pannier_redis"]
    return client


def queue_redis() -> Redis:
    """Return the application's client for queues."""
    client: Redis = current_app.extensions["pannier_queue_redis"]
    return client


def breaker() -> Breaker:
    """Return the application's breaker."""
    result: Breaker = current_app.extensions["pannier_redis_breaker"]
    return result
