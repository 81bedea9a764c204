"""The keys that the merchant hands out, and the numbers that may be used once."""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Permissions = Literal["read", "write", "read_write"]
WINDOW_S = 15 * 60


@dataclass(frozen=True, slots=True)
class Key:
    """A key as its owner holds it. A real store keeps of ``consumer_key`` only a digest."""

    id: int
    user_id: int
    description: str
    permissions: Permissions
    consumer_key: str
    consumer_secret: str = field(repr=False)

    def allows(self, method: str) -> bool:
        """Whether the key's permissions cover a request's method."""
        wanted = "read" if method in ("GET", "HEAD") else "write"
        return method == "OPTIONS" or self.permissions in (wanted, "read_write")

    def has_secret(self, secret: str) -> bool:
        """Whether ``secret`` is the key's, in constant time."""
        return hmac.compare_digest(self.consumer_secret.encode(), secret.encode())


class KeyRing:
    """All keys of a store. Safe to use from several threads."""

    def __init__(self) -> None:
        """Begin without keys."""
        self._lock = threading.Lock()
        self._keys: dict[int, Key] = {}
        self._nonces: dict[int, dict[str, int]] = {}
        self._last = 0

    def create(self, permissions: Permissions = "read_write", *, user_id: int = 1, name: str = "") -> Key:
        """Return a new key of a user."""
        with self._lock:
            self._last += 1
            key = Key(
                self._last, user_id, name, permissions, f"ck_{_random_digest()}", f"cs_{_random_digest()}"
            )
            self._keys[key.id] = key
            return key

    def delete(self, key_id: int) -> None:
        """Delete a key; nothing happens if there is none."""
        with self._lock:
            self._keys.pop(key_id, None)
            self._nonces.pop(key_id, None)

    def find(self, consumer_key: str) -> Key | None:
        """Return the key that calls itself ``consumer_key``."""
        with self._lock:
            return next((key for key in self._keys.values() if key.consumer_key == consumer_key), None)

    def all(self) -> list[Key]:
        """Return the keys, oldest first."""
        with self._lock:
            return list(self._keys.values())

    def restore(self, keys: Iterable[Key]) -> None:
        """Have ``keys`` in place of all others, as after a restart."""
        with self._lock:
            self._keys = {key.id: key for key in keys}
            self._last = max(self._keys, default=0)

    @staticmethod
    def random_secret() -> str:
        """Return the secret of a webhook that was made without one: 50 characters that nobody can read."""
        return secrets.token_hex(25)

    def use_nonce(self, key: Key, nonce: str, timestamp: int, now: int) -> bool:
        """Remember ``nonce`` and return whether it was new within the last 15 minutes.

        WooCommerce keeps one nonce per key and second; all are kept here, which refuses a little more.
        """
        with self._lock:
            used = self._nonces.setdefault(key.id, {})
            if nonce in used:
                return False
            used[nonce] = timestamp
            for old in [old for old, at in used.items() if at < now - WINDOW_S]:
                del used[old]
            return True


def _random_digest() -> str:
    return hashlib.sha1(secrets.token_bytes(20), usedforsecurity=False).hexdigest()
