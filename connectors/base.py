"""What every platform's connector can do.

A connector package holds pure translation: it verifies, redacts and maps messages, and touches no
database. ``registry.connector_for(platform)`` returns one. The functions at the end are what all
platforms do the same way.
"""

import base64
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from itertools import islice
from typing import Any, Final, Protocol

from app.commerce.changes import Change
from app.core.money import to_minor

# Turns a personal identifier (a normalised e-mail address) into its keyed hash, in hex.
Pseudonym = Callable[[str], str]


class PayloadError(ValueError):
    """A body that cannot be understood: wrong types, missing fields. The message goes to quarantine.

    The text names fields and reasons, never values: it is stored and shown to operators.
    """


@dataclass(frozen=True, slots=True)
class DeliveryHeaders:
    """What the headers of a delivery say, checked for shape and cut to length."""

    topic: str
    source: str | None = None  # the shop's domain or address, as the sender states it
    delivery_id: str | None = None
    event_id: str | None = None
    triggered_at: datetime | None = None
    api_version: str | None = None
    webhook_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """What a connector needs to know beside the body to translate it."""

    topic: str
    currency: str
    triggered_at: datetime | None
    received_at: datetime

    @property
    def happened_at(self) -> datetime:
        """The platform's time of the event where the delivery states it, else the time of receipt."""
        return self.triggered_at or self.received_at


@dataclass(frozen=True, slots=True)
class Translation:
    """What a delivery means: changes, or the reason why it knowingly means none.

    ``set_aside`` is a short snake_case word such as ``unknown_topic``, ``checkout_draft`` or ``resource_gone``.
    """

    changes: tuple[Change, ...] = ()
    set_aside: str | None = None


class Connector(Protocol):
    """One platform."""

    platform: str

    def read_headers(self, headers: Mapping[str, str]) -> DeliveryHeaders | None:
        """Return what the headers say, or None where they are not this platform's delivery headers."""
        ...

    def verify(self, raw: bytes, headers: Mapping[str, str], secrets: Sequence[bytes]) -> bool:
        """Return whether ``raw`` was signed with one of ``secrets`` (current first), in constant time."""
        ...

    def redact(self, body: Any, pseudonym: Pseudonym) -> Any:
        """Return ``body`` without personal fields.

        Names, e-mail and postal addresses, phone numbers, IP addresses, user agents, notes, free-text
        properties, tokens and signed links are dropped; an e-mail address leaves its keyed hash under
        ``identity_hash`` in the object where it stood, unless an equal or nearer one is there.
        """
        ...

    def dedupe_key(self, headers: DeliveryHeaders, body: Any, raw: bytes) -> str:
        """Return the key under which two deliveries of one store are the same delivery."""
        ...

    def translate(self, body: Any, context: DeliveryContext) -> Translation:
        """Return what a redacted ``body`` means.

        Raises:
            PayloadError: if the body does not have the shape that its topic promises.
        """
        ...


_HEADER_LIMIT: Final = 500
_REASONS_LIMIT: Final = 5
# More products than anybody looks at beside one.
_CHOSEN_LIMIT: Final = 50


class CleanHeaders(dict[str, str]):
    """Headers by lower-case name, without those that no platform sends."""


def clean_headers(headers: Mapping[str, str]) -> CleanHeaders:
    """Return ``headers`` by lower-case name, without those that no platform sends; clean ones as they are.

    A value that is too long, not ASCII or holds control characters counts as absent, so that nothing
    else has to expect it.
    """
    if isinstance(headers, CleanHeaders):
        return headers
    return CleanHeaders(
        (name.lower(), value.strip(" "))
        for name, value in headers.items()
        if len(value) <= _HEADER_LIMIT and value.isascii() and value.isprintable()
    )


def matching(pattern: re.Pattern[str], value: str | None) -> str | None:
    """Return ``value`` if the whole of it matches, else None."""
    return value if value and pattern.fullmatch(value) else None


def signature_matches(raw: bytes, signature: str, secrets: Sequence[bytes]) -> bool:
    """Return whether ``signature`` is the base64 HMAC-SHA256 of ``raw`` under one of ``secrets``.

    Compared on decoded bytes in constant time; every secret is tried, so that the time does not tell
    which one fits. An empty body, an empty secret and a signature of another shape never match.
    """
    try:
        given = base64.b64decode(signature, validate=True)
    except ValueError:
        return False
    if not raw or len(given) != sha256().digest_size:
        return False
    matches = [hmac.compare_digest(hmac.digest(secret, raw, "sha256"), given) for secret in secrets if secret]
    return any(matches)


def minor(amount: Decimal, currency: str) -> int:
    """Return ``amount`` in minor units.

    Raises:
        PayloadError: if it is too large.
    """
    try:
        return to_minor(amount, currency)
    except ValueError:
        raise PayloadError("body: An amount of money is out of range.") from None


def web_address(address: str | None) -> str | None:
    """Return ``address`` if a browser may be sent there, else None."""
    return address if address and address.startswith(("https://", "http://")) else None


def chosen(ids: Iterable[str] | None, own_id: str) -> tuple[str, ...] | None:
    """Return the products that a merchant chose to show beside one, None where the body says nothing of them.

    A platform lets a product be chosen for itself and twice; ``""`` stands for what could not be read.
    """
    if ids is None:
        return None
    return tuple(dict.fromkeys(id_ for id_ in ids if id_ not in ("", own_id)))[:_CHOSEN_LIMIT]


def explain(messages: Any) -> str:
    """Return marshmallow's nested error messages as one line, each with the path of its field.

    One is ``line_items.3.quantity: Not a whole number.`` and five are enough to see what is wrong. The
    line is as free of values as the messages are.
    """
    reasons = islice(_reasons(messages, ""), _REASONS_LIMIT)
    return "; ".join(f"{path or 'body'}: {reason}" for path, reason in reasons)


def _reasons(messages: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path of each field in error with its reason."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            at = path if key == "_schema" else f"{path}.{key}" if path else str(key)
            yield from _reasons(inner, at)
    elif isinstance(messages, list):
        for inner in messages:
            yield from _reasons(inner, path)
    else:
        yield path, str(messages)
