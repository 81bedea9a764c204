"""A brake on calls that fail: guessed keys, wrong signatures, empty pings.

Calls that succeed are never counted and never refused, but for the beginning of an installation, which anybody may
make. A correctly signed webhook is taken whatever its address did before. So the brake does not protect from load; it
keeps guessing and probing from being free. Addresses stand in this process's memory alone, for the ten seconds of a
window or until the next failure. Each process counts for itself. Behind a proxy all callers may share its address;
then raise the limit or put it at 0.
"""

import math
import threading
import time
from collections.abc import Callable
from typing import Final

from flask import Flask, current_app, request

from app.core.errors import TooManyRequests

KEYS: Final = "keys"  # calls without a valid key
SIGNATURES: Final = "signatures"  # webhooks that nobody known has signed
PINGS: Final = "pings"  # unsigned pings to an address that exists
INSTALLS: Final = "installs"  # begun, and nothing proven yet: each leaves a row

_WINDOW_S: Final = 10
# A flood from more addresses than this is not worth more memory.
_ADDRESSES: Final = 50_000


class FailureLimiter:
    """Counts failed calls by address and kind in windows of ten seconds."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow ``per_minute`` failures of a kind from one address; 0 counts nothing."""
        self._allowed = math.ceil(per_minute * _WINDOW_S / 60)
        self._clock = clock
        self._window = 0
        self._counts: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def count(self, kind: str, address: str) -> None:
        """Count one failed call of ``address``.

        Raises:
            TooManyRequests: if there were too many in this window.
        """
        if not self._allowed:
            return
        now = self._clock()
        window = int(now // _WINDOW_S)
        with self._lock:
            if window != self._window or len(self._counts) >= _ADDRESSES:
                self._window, self._counts = window, {}
            count = self._counts[kind, address] = self._counts.get((kind, address), 0) + 1
        if count > self._allowed:
            left_s = math.ceil((window + 1) * _WINDOW_S - now)
            raise TooManyRequests(
                "Too many calls from this address have failed. Calls that are in order still work.",
                retry_after_seconds=max(1, left_s),
            )


def init_limits(app: Flask, failures_per_minute: int) -> None:
    """Give the application its brake."""
    app.extensions["pannier_failures"] = FailureLimiter(failures_per_minute)


def count_failure(kind: str) -> None:
    """Count a failure of the present request's address.

    Raises:
        TooManyRequests: instead of the caller's own refusal, if there were too many.
    """
    limiter: FailureLimiter = current_app.extensions["pannier_failures"]
    limiter.count(kind, request.remote_addr or "")
