"""Values that a process holds for some seconds, because every answer needs them and they hardly ever change.

Whoever changes such a value forgets it in its own process; the others follow when its time is over.
"""

import random
import time
import weakref
from collections.abc import Callable, Hashable
from typing import Any, Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

TTL_S: Final = 5.0
# By how much a value's time may be shorter: a process would read all of it anew at once while everybody waits.
_SPREAD: Final = 0.25

_everything: "weakref.WeakSet[Held[Any, Any]]" = weakref.WeakSet()


class Held(Generic[K, V]):
    """Values by key, each for ``ttl_s`` seconds or a little less, and ``most`` of them: guessed keys fill no memory."""

    def __init__(self, ttl_s: float = TTL_S, most: int = 1_000) -> None:
        """Hold nothing yet."""
        self.ttl_s = ttl_s
        self._most = most
        # Until when, what, and whether that is a time of grace.
        self._found: dict[K, tuple[float, V, bool]] = {}
        _everything.add(self)

    def get(self, key: K, read: Callable[[V | None], V]) -> V:
        """Return the value of ``key``.

        Where none is held, or its time is over, ``read`` is called with the one that was held, or None.
        """
        hit = self._found.get(key)
        if hit is not None and hit[0] > time.monotonic():
            return hit[1]
        value = read(None if hit is None else hit[1])
        self.hold(key, value)
        return value

    def find(self, key: K) -> V | None:
        """Return the value of ``key`` if one is held whose time is not over."""
        hit = self._found.get(key)
        return hit[1] if hit is not None and hit[0] > time.monotonic() else None

    def find_or_renew(self, key: K, grace_s: float) -> V | None:
        """Return the value of ``key`` while its time lasts; then None for one caller, who is to hold a new one.

        The others are given the old one meanwhile, for ``grace_s`` more seconds: nobody waits for what somebody makes.
        Where no new one is held by then, because it cannot be made or takes longer, all are told None. So a value is at
        most ``ttl_s`` and twice the grace old.
        """
        hit = self._found.get(key)
        if hit is None:
            return None
        until, value, in_grace = hit
        moment = time.monotonic()
        if until > moment:
            return value
        if not in_grace and until + grace_s > moment:
            self._found[key] = (moment + grace_s, value, True)
        return None

    def hold(self, key: K, value: V) -> None:
        """Hold ``value`` from now on."""
        if len(self._found) >= self._most:
            self._found.clear()
        self._found[key] = (time.monotonic() + shortened(self.ttl_s, _SPREAD), value, False)

    def forget(self, key: K) -> None:
        """Forget the value of ``key``."""
        self._found.pop(key, None)

    def forget_all(self) -> None:
        """Forget every value."""
        self._found.clear()

    def __len__(self) -> int:
        """How many values are held, those whose time is over among them."""
        return len(self._found)


def shortened(ttl_s: float, spread: float) -> float:
    """Return seconds to live, fewer by up to this share at random: what began together is not to end together."""
    return ttl_s * (1 - random.uniform(0, spread))  # noqa: S311 - no secret


def forget_everything() -> None:
    """Forget every value that anything in this process holds."""
    for held in list(_everything):
        held.forget_all()
