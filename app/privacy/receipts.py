"""What an erasure or an export leaves behind: numbers, times and a signature, and nothing that names anybody."""

import hmac
from collections.abc import Mapping
from typing import Any, Final

import orjson

from app.core.crypto import vault

_SIGNATURE: Final = "signature"


def sign(store_id: int, receipt: Mapping[str, Any]) -> dict[str, Any]:
    """Return a receipt with its signature: HMAC-SHA256 of its canonical JSON under a key derived for the store."""
    unsigned = {name: value for name, value in receipt.items() if name != _SIGNATURE}
    return {**unsigned, _SIGNATURE: _signature(store_id, unsigned)}


def is_genuine(store_id: int, receipt: Any) -> bool:
    """Return whether a receipt was signed here for this store and nothing of it was changed."""
    if not isinstance(receipt, dict) or not isinstance(receipt.get(_SIGNATURE), str):
        return False
    unsigned = {name: value for name, value in receipt.items() if name != _SIGNATURE}
    try:
        expected = _signature(store_id, unsigned)
    except TypeError:  # a number that is too large, and others that no receipt has
        return False
    return hmac.compare_digest(expected.encode(), receipt[_SIGNATURE].encode())


def _signature(store_id: int, unsigned: Mapping[str, Any]) -> str:
    key = hmac.digest(vault().store_key(store_id), b"receipt", "sha256")
    return hmac.digest(key, orjson.dumps(unsigned, option=orjson.OPT_SORT_KEYS), "sha256").hex()
