"""Query strings that Shopify signed: what the OAuth callback and the app proxy have in common.

Both sign the decoded parameters with hex HMAC-SHA256 under the app's client secret and state the time. They
differ in how the parameters are joined, which ``oauth`` and ``proxy`` each know for themselves.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qsl

from app.commerce.store import SHOPIFY, StoreError, normalise_domain

# How far Shopify's clock and ours may be apart; Shopify's own libraries allow as much.
TOLERANCE_S: Final = 90

_MAX_LENGTH: Final = 8192
_MAX_FIELDS: Final = 100
_DIGITS: Final = re.compile(r"[0-9]{1,12}")
_HEX: Final = re.compile(r"[0-9a-f]{64}")

Parameters = Mapping[str, Sequence[str]]


def read_query(query: bytes | str) -> dict[str, list[str]] | None:
    """Return the decoded values of every parameter in order, or None where the query is unreasonably large.

    Bytes that are no UTF-8 survive as surrogates, so that a signature over them can still be computed.
    """
    if len(query) > _MAX_LENGTH:
        return None
    text = query.decode("utf-8", "surrogateescape") if isinstance(query, bytes) else query
    found: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=_MAX_FIELDS)
    except ValueError:
        return None
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def only(parameters: Parameters, name: str) -> str | None:
    """Return the value of a parameter that is there exactly once, else None."""
    values = parameters.get(name, ())
    return values[0] if len(values) == 1 else None


def signed_by(message: str, signature: str, secrets: Sequence[bytes]) -> bool:
    """Return whether ``signature`` is the hex HMAC-SHA256 of ``message`` under one of ``secrets``.

    Compared in constant time, and every secret is tried, so that the time does not tell which one fits. An
    empty secret never matches.
    """
    if not _HEX.fullmatch(signature):
        return False
    try:
        raw = message.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    given = bytes.fromhex(signature)
    matches = [hmac.compare_digest(hmac.digest(key, raw, sha256), given) for key in secrets if key]
    return any(matches)


def recent(timestamp: str | None, now: datetime) -> datetime | None:
    """Return the UTC time that seconds since 1970 stand for, or None where it is not about ``now``."""
    if timestamp is None or not _DIGITS.fullmatch(timestamp):
        return None
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:
        return None
    return datetime.fromtimestamp(int(timestamp), UTC)


def is_shop(domain: str) -> bool:
    """Return whether ``domain`` is a shop's own, written as stores are kept: ``example.myshopify.com``."""
    try:
        return normalise_domain(SHOPIFY, domain) == domain
    except StoreError:
        return False
