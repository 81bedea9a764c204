"""The metafields of a shop: values that apps keep with its resources."""

import hashlib
import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

APP_ID: Final = 1
"""Of the one app that is known; its reserved namespaces carry it."""
_FIRST_ID: Final = 31_000_000_000_001


def resolved(namespace: str) -> str:
    """Return a namespace with the app's own id for ``$app``, as Shopify keeps it."""
    head, colon, rest = namespace.partition(":")
    return namespace if head != "$app" else f"app--{APP_ID}" + (f"--{rest}" if colon else "")


@dataclass
class Metafields:
    """Metafields by owner (a global id), namespace and key. All methods may be called from any thread."""

    _fields: dict[tuple[str, str, str], Mapping[str, Any]] = field(default_factory=dict)
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(_FIRST_ID))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, owner: str, namespace: str, key: str, kind: str, value: str, now: datetime) -> None:
        """Set a metafield. ``value`` is its text; that of a JSON type or a list is JSON."""
        place = owner, resolved(namespace), key
        json = kind == "json" or kind.startswith("list.")
        with self._lock:
            before = self._fields.get(place)
            self._fields[place] = {
                "id": before["id"] if before else next(self._ids),
                "namespace": place[1],
                "key": key,
                "type": kind,
                "value": value,
                "json_value": orjson.loads(value) if json else value,
                "compare_digest": hashlib.sha256(value.encode()).hexdigest(),
                "size_in_bytes": len(value.encode()),
                "created_at": before["created_at"] if before else now,
                "updated_at": now,
            }

    def get(self, owner: str, namespace: str, key: str) -> Mapping[str, Any] | None:
        """Return a metafield, None where there is none."""
        return self._fields.get((owner, resolved(namespace), key))

    def delete(self, owner: str, namespace: str, key: str) -> bool:
        """Delete a metafield, and tell whether there was one."""
        with self._lock:
            return self._fields.pop((owner, resolved(namespace), key), None) is not None

    def forget(self, owner: str) -> None:
        """Delete all metafields of a resource that is gone."""
        with self._lock:
            for place in [place for place in self._fields if place[0] == owner]:
                del self._fields[place]
