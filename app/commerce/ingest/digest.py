"""The digest that settles which of two states stands when both are of the same second."""

import hashlib
from typing import Any

import orjson


def state_digest(state: Any) -> bytes:
    """Return the digest of a change: equal states have equal digests, on every machine."""
    body = orjson.dumps(state, default=lambda value: value.hex() if isinstance(value, bytes) else str(value))
    return hashlib.sha256(body).digest()
