"""Customer tokens: how a browser proves which customer of the shop is logged in at it.

Whatever a page says of itself is a claim; a token was signed where the shop's own log-in is known. There are two
issuers, of tokens that look alike (JSON Web Tokens, HS256, good for 15 minutes):

- Pannier itself, where Shopify's app proxy has named the customer who is logged in,
- the shop's WordPress, whose plugin knows the secret of the shop's webhooks as Pannier does.

Each signs under a key of its own that serves nothing else, made for one store: a token of another shop, or a signed
webhook, proves nothing here.
"""

import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import jwt
from sqlalchemy import select

from app.commerce.store import Store
from app.core.crypto import vault
from app.core.db import db

LIFETIME: Final = timedelta(minutes=15)
# How far the shop's clock and ours may be apart.
LEEWAY: Final = timedelta(seconds=60)
AUDIENCE: Final = "pannier/identity"
OURS: Final = "pannier"
SHOPS: Final = "shop"

_ALGORITHM: Final = "HS256"
_MAX_LENGTH: Final = 1024
_CUSTOMER: Final = re.compile(r"[!-~]{1,64}")
# Times are compared here, with the caller's clock and no longer than our lifetime; PyJWT knows only the system's.
_OPTIONS: Final[Any] = {
    "require": ["exp", "iat", "iss", "aud", "sub"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


def make(store_id: int, customer_id: str, now: datetime) -> str:
    """Return a token for the customer with this platform id, good for ``LIFETIME`` from ``now`` (aware).

    Raises:
        ValueError: if it cannot be a platform's id: printable ASCII, at most 64 characters.
    """
    if not _CUSTOMER.fullmatch(customer_id):
        raise ValueError("no id of a customer")
    issued = int(now.timestamp())
    claims = {
        "iss": OURS,
        "aud": AUDIENCE,
        "sub": customer_id,
        "iat": issued,
        "exp": issued + int(LIFETIME.total_seconds()),
    }
    return jwt.encode(claims, _our_key(store_id), algorithm=_ALGORITHM)


def read(store_id: int, token: str, now: datetime) -> str | None:
    """Return the platform id of the customer whom ``token`` names, None where it proves nothing at ``now`` (aware).

    Reads the store where the shop claims to have signed it.
    """
    if len(token) > _MAX_LENGTH or not token.isascii():
        return None
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except jwt.InvalidTokenError:
        return None
    if issuer == OURS:
        keys: Sequence[bytes] = (_our_key(store_id),)
    elif issuer == SHOPS:
        keys = _shop_keys(store_id)
    else:
        return None
    for key in keys:
        customer = _customer(token, key, issuer, now)
        if customer is not None:
            return customer
    return None


def shop_key(secret: bytes, webhook_token: str) -> bytes:
    """Return the key under which a shop's plugin signs tokens, 32 bytes.

    Of the webhooks' secret and the part of their address that no other store has.
    """
    return hmac.digest(secret, f"{AUDIENCE}/1:{webhook_token}".encode(), "sha256")


def _our_key(store_id: int) -> bytes:
    return hmac.digest(vault().store_key(store_id), f"{AUDIENCE}/1".encode(), "sha256")


def _shop_keys(store_id: int) -> tuple[bytes, ...]:
    store = db.session.scalar(select(Store).where(Store.id == store_id, Store.uninstalled_at.is_(None)))
    if store is None or store.webhook_token is None:
        return ()
    return tuple(shop_key(secret, store.webhook_token) for secret in store.webhook_secrets)


def _customer(token: str, key: bytes, issuer: str, now: datetime) -> str | None:
    """Return whom a token names that ``key`` signed and that is good at ``now``."""
    try:
        claims = jwt.decode(
            token, key, algorithms=[_ALGORITHM], audience=AUDIENCE, issuer=issuer, options=_OPTIONS
        )
    except jwt.InvalidTokenError:
        return None
    issued, expires, customer = claims["iat"], claims["exp"], claims["sub"]
    if type(issued) is not int or type(expires) is not int or type(customer) is not str:
        return None
    moment, leeway = now.timestamp(), LEEWAY.total_seconds()
    fresh = issued - leeway <= moment < expires + (leeway if issuer == SHOPS else 0)
    if not fresh or expires - issued > LIFETIME.total_seconds() or not _CUSTOMER.fullmatch(customer):
        return None
    return customer
