"""Bad days of a host: what stands between a client and WordPress, and what it does, when it is told to."""

import threading
from dataclasses import dataclass, field
from typing import Literal, get_args

from flask import Response

Outage = Literal["html", "503", "redirect", "timeout", "throttle"]
LONGEST_HOLD_S = 120.0

_PAGES = {
    "html": "<p>There has been a critical error on this website.</p>",
    "503": "Briefly unavailable for scheduled maintenance. Check back in a minute.",
    "redirect": "<h1>Moved Permanently</h1>",
    "timeout": "<h1>504 Gateway Time-out</h1>",
    "throttle": "<h1>Too Many Requests</h1>",
}
_STATUSES = {"html": 200, "503": 503, "redirect": 301, "timeout": 504, "throttle": 429}


@dataclass(slots=True)
class _Switch:
    outage: Outage
    times: int
    path_prefix: str
    method: str | None
    location: str
    retry_after_s: int


@dataclass
class Outages:
    """Which requests meet which outage. Safe to use from several threads."""

    _switches: list[_Switch] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _released: threading.Event = field(default_factory=threading.Event)

    def plan(
        self,
        outage: Outage,
        *,
        times: int = 1,
        path_prefix: str = "/",
        method: str | None = None,
        location: str = "https://moved.invalid/",
        retry_after_s: int = 1,
    ) -> None:
        """Have the next ``times`` requests to ``path_prefix`` fail.

        Args:
            outage: ``html`` (a page with status 200), ``503`` (maintenance), ``redirect`` (301), ``timeout``
                (no answer until the server ends or 120 s have passed, then 504) or ``throttle`` (429).
            times: how many requests; others are answered as ever.
            path_prefix: how their paths begin.
            method: only requests with this method, None for all.
            location: where ``redirect`` points.
            retry_after_s: what ``throttle`` asks for.

        Raises:
            ValueError: if there is no such outage.
        """
        if outage not in get_args(Outage):
            raise ValueError(f"no such outage: {outage!r}")
        with self._lock:
            self._switches.append(_Switch(outage, times, path_prefix, method, location, retry_after_s))

    def clear(self) -> None:
        """Forget what was planned."""
        with self._lock:
            self._switches.clear()

    def release(self) -> None:
        """Let go of the requests that are being held, and hold none any more."""
        self._released.set()

    def meet(self, method: str, path: str) -> Response | None:
        """Return what a request meets instead of WordPress, None if it gets through."""
        switch = self._take(method, path)
        if switch is None:
            return None
        if switch.outage == "timeout":
            self._released.wait(LONGEST_HOLD_S)
        page = f"<!DOCTYPE html>\n<html><body>{_PAGES[switch.outage]}</body></html>\n"
        response = Response(page, _STATUSES[switch.outage], mimetype="text/html")
        if switch.outage == "redirect":
            response.headers["Location"] = switch.location
        if switch.outage == "throttle":
            response.headers["Retry-After"] = str(switch.retry_after_s)
        if switch.outage == "503":
            response.headers["Retry-After"] = "600"
        return response

    def _take(self, method: str, path: str) -> _Switch | None:
        with self._lock:
            for switch in self._switches:
                if path.startswith(switch.path_prefix) and switch.method in (None, method):
                    switch.times -= 1
                    if switch.times <= 0:
                        self._switches.remove(switch)
                    return switch
        return None
