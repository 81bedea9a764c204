"""Failures on order: what a platform and the way to it do on a bad day."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Literal

Fault = Literal[
    "html",
    "unavailable",
    "redirect",
    "throttled",
    "too_many_requests",
    "unauthorized",
    "hang",
    "lost",
]
"""``html``: a page with status 200. ``unavailable``: 503. ``redirect``: 302 to another host. ``throttled``: no
points left, said with status 200. ``too_many_requests``: 429 with Retry-After. ``unauthorized``: 401.
``hang``: no answer for ``hang_s`` seconds, then a closed connection. ``lost``: the request is carried out, then
the connection closed (of a download: half of it is sent).
"""
Place = Literal["graphql", "token", "download"]


@dataclass(slots=True)
class _Plan:
    fault: Fault
    place: Place
    shop: str | None
    left: int


class Faults:
    """The failures still to come, in their order."""

    def __init__(self, hang_s: float = 30.0) -> None:
        self.hang_s = hang_s
        self._lock = threading.Lock()
        self._plans: deque[_Plan] = deque()
        self._over = threading.Event()

    def add(self, fault: Fault, *, at: Place = "graphql", shop: str | None = None, times: int = 1) -> None:
        """Have the next ``times`` requests to ``at`` (of ``shop``, or of any) fail."""
        with self._lock:
            self._plans.append(_Plan(fault, at, shop, times))

    def take(self, place: Place, shop: str | None) -> Fault | None:
        """Return the failure of the present request, if one is due."""
        with self._lock:
            for plan in self._plans:
                if plan.place == place and plan.shop in (None, shop):
                    plan.left -= 1
                    if plan.left == 0:
                        self._plans.remove(plan)
                    return plan.fault
        return None

    def hang(self) -> None:
        """Wait for ``hang_s`` seconds or the end of the server."""
        self._over.wait(self.hang_s)

    def end(self) -> None:
        """Let everything that hangs go."""
        over, self._over = self._over, threading.Event()
        over.set()
