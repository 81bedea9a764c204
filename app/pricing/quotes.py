"""Signed prices: what a quote says, and when a checkout may believe it. Pure.

A quote is ``pq1.<key>.<variant>.<amount>.<currency>.<customer>.<nonce>.<expires>.<signature>``. Time is cut into
windows of five minutes; every window has a key of its own, derived from the store's root secret. A quote is signed
under the key of the window in which it expires, and expires when that window ends: a checkout that is told which keys
still count needs no clock of its own. ``read`` is the reference: the discount function of Shopify and the plugin of
WooCommerce come to the same words, which the cases in ``tests/payloads/quotes.json`` hold them to.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from connectors.discounts import QuoteKey

WINDOW: Final = timedelta(minutes=5)
LONGEST: Final = timedelta(minutes=15)
# Keys that a checkout accepts: of the current window and of as many after it. One more than quotes can reach, so that
# a checkout has each key a window before the first quote under it.
KEYS_AHEAD: Final = 3
_WINDOW_S: Final = int(WINDOW.total_seconds())
_KEY_BYTES: Final = 16
_SIGNATURE_BYTES: Final = 16
_CUSTOMER_LENGTH: Final = 12
_GUEST: Final = "-"
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_TOKEN: Final = re.compile(
    r"(?P<signed>pq1"
    r"\.(?P<key>[1-9a-z][0-9a-z]{0,7})"
    r"\.(?P<variant>[A-Za-z0-9_-]{1,40})"
    r"\.(?P<amount>[1-9][0-9]{0,14})"
    r"\.(?P<currency>[A-Z]{3})"
    r"\.(?P<customer>-|[A-Za-z0-9_-]{12})"
    r"\.(?P<nonce>[A-Za-z0-9_-]{12})"
    r"\.(?P<expires>[1-9][0-9]{0,11}))"
    r"\.(?P<signature>[A-Za-z0-9_-]{22})"
)
_VARIANT: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
# What an amount can be: fifteen digits, so that every language reads it exactly.
LARGEST_PRICE: Final = 10**15 - 1


class Refusal(StrEnum):
    """Why a quote does not count: the list price is what is paid. In the order in which they are looked for."""

    MALFORMED = "malformed"  # no quote at all
    UNKNOWN_KEY = "unknown_key"  # signed under a key that the checkout does not know (any more)
    EXPIRED = "expired"
    FORGED = "forged"  # altered, or signed by somebody else, such as another store
    OTHER_VARIANT = "other_variant"
    OTHER_CURRENCY = "other_currency"
    OTHER_CUSTOMER = "other_customer"


@dataclass(frozen=True, slots=True)
class Quote:
    """A price that counts: ``price`` of one piece in minor units, until ``expires_at`` (exclusive).

    ``customer`` is the customer's mark under the quote's key (see ``customer_mark``), None for a guest; a guest's
    quote counts for anybody. ``nonce`` is the quote's id.
    """

    variant_id: str
    price: int
    currency: str
    customer: str | None
    nonce: str
    expires_at: datetime


def window_at(at: datetime) -> int:
    """Return the number of the window that ``at`` lies in."""
    return int(at.timestamp()) // _WINDOW_S


def window_end(window: int) -> datetime:
    """Return when a window is over (exclusive)."""
    return datetime.fromtimestamp((window + 1) * _WINDOW_S, UTC)


def window_for(at: datetime, lasting: timedelta) -> int:
    """Return the window in which a quote of ``at`` expires.

    It holds at least for ``lasting``, up to the end of that window, but never longer than ``LONGEST``.
    """
    last = window_at(at + LONGEST) - 1
    wanted = -int(-(at + lasting).timestamp() // _WINDOW_S) - 1
    return max(window_at(at), min(wanted, last))


def key_id(window: int) -> str:
    """Return the public id of a window's key: its number in base 36."""
    digits = ""
    while window:
        window, place = divmod(window, 36)
        digits = _DIGITS[place] + digits
    return digits or "0"


def window_key(root: bytes, window: int) -> QuoteKey:
    """Return a window's key, derived from the root secret."""
    name = key_id(window)
    secret = hmac.digest(root, f"quote/{name}".encode(), "sha256")[:_KEY_BYTES]
    return QuoteKey(name, secret, window_end(window))


def customer_mark(key: QuoteKey, customer_id: str | None) -> str:
    """Return how a quote names a customer of the platform: a keyed hash, or ``-`` for a guest.

    It is made under the quote's own key: two quotes of different windows do not tell that they are one person's.
    """
    if customer_id is None:
        return _GUEST
    return _base64(hmac.digest(key.secret, f"customer/{customer_id}".encode(), "sha256"))[:_CUSTOMER_LENGTH]


def issue(
    key: QuoteKey, variant_id: str, price: int, currency: str, customer_id: str | None, nonce: str
) -> str:
    """Return the quote that ``price`` minor units are the price of a variant until the key's window ends.

    ``nonce`` is 12 characters of base64url that no other quote of the store has.

    Raises:
        ValueError: if a quote cannot say this.
    """
    mark = customer_mark(key, customer_id)
    expires = int(key.not_after.timestamp())
    signed = f"pq1.{key.id}.{variant_id}.{price}.{currency}.{mark}.{nonce}.{expires}"
    token = f"{signed}.{_signature(key, signed)}"
    if not _TOKEN.fullmatch(token):
        raise ValueError("A quote cannot name this variant, price or currency.")
    return token


def read(
    token: str,
    keys: Iterable[QuoteKey],
    at: datetime,
    *,
    variant_id: str,
    currency: str,
    customer_id: str | None,
) -> Quote | Refusal:
    """Return what a quote says to a cart line of ``variant_id`` in ``currency``, or why it does not count.

    Args:
        token: as it came with the cart; anything at all.
        keys: those that the checkout knows.
        at: now.
        variant_id: of the line.
        currency: of the cart.
        customer_id: the platform's id of who is buying; None where the checkout does not know.
    """
    match = _TOKEN.fullmatch(token)
    if not match or int(match["expires"]) != (int(match["key"], 36) + 1) * _WINDOW_S:
        return Refusal.MALFORMED
    key = next((key for key in keys if key.id == match["key"]), None)
    if key is None:
        return Refusal.UNKNOWN_KEY
    expires_at = datetime.fromtimestamp(int(match["expires"]), UTC)
    if at >= min(expires_at, key.not_after):
        return Refusal.EXPIRED
    if not hmac.compare_digest(_signature(key, match["signed"]), match["signature"]):
        return Refusal.FORGED
    if match["variant"] != variant_id:
        return Refusal.OTHER_VARIANT
    if match["currency"] != currency:
        return Refusal.OTHER_CURRENCY
    customer = None if match["customer"] == _GUEST else match["customer"]
    if customer is not None and customer != customer_mark(key, customer_id):
        return Refusal.OTHER_CUSTOMER
    return Quote(variant_id, int(match["amount"]), currency, customer, match["nonce"], expires_at)


def saving(quote: Quote, list_price: int, quantity: int) -> int:
    """Return what a quote takes off a whole cart line, in minor units: it never makes one dearer.

    What plugin and function do at checkout is held to this.
    """
    return max(list_price - quote.price, 0) * quantity


def _signature(key: QuoteKey, signed: str) -> str:
    return _base64(hmac.digest(key.secret, signed.encode(), "sha256")[:_SIGNATURE_BYTES])


def _base64(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
