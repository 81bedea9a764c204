"""How an app comes into a shop: the merchant's consent, and tokens for what Shopify signed.

Source: shopify.dev, authorization code grant, token exchange, session tokens and offline access tokens.
"""

import base64
import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode

import jwt

from demo.peers.shopify.run import AppFacts
from demo.peers.shopify.state import Shop
from demo.peers.shopify.tokens import REFRESH_LIFE_S, InvalidGrant, Pair

TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105
ID_TOKEN: Final = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105
OFFLINE_TOKEN: Final = "urn:shopify:params:oauth:token-type:offline-access-token"  # noqa: S105
SESSION_LIFE: Final = timedelta(minutes=1)
CODE_LIFE: Final = timedelta(minutes=10)
_STAFF: Final = "548380009"


class Refused(Exception):
    """The token endpoint says no: an OAuth error code and an HTTP status."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status


@dataclass(slots=True)
class _Code:
    shop: str
    made_at: datetime


@dataclass
class Codes:
    """The authorization codes that were handed out and not used yet."""

    _codes: dict[str, _Code] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def issue(self, shop: Shop) -> str:
        """Return a new code for ``shop``."""
        code = secrets.token_hex(16)
        with self._lock:
            self._codes[code] = _Code(shop.domain, shop.now())
        return code

    def redeem(self, code: str, shop: Shop) -> bool:
        """Use ``code`` up, and tell whether it was good for ``shop``."""
        with self._lock:
            found = self._codes.pop(code, None)
        return found is not None and found.shop == shop.domain and shop.now() < found.made_at + CODE_LIFE


# -- what Shopify signs --


def host(shop: Shop) -> str:
    """Return the ``host`` parameter: where the shop's admin is, in base64 without padding."""
    address = f"admin.shopify.com/store/{shop.domain.partition('.')[0]}"
    return base64.b64encode(address.encode()).decode().rstrip("=")


def signed_query(shop: Shop, app: AppFacts, parameters: Mapping[str, str]) -> str:
    """Return a query string with shop, host, timestamp, ``parameters``, and the hex HMAC over all of them."""
    known = {
        **parameters,
        "shop": shop.domain,
        "host": host(shop),
        "timestamp": str(int(shop.now().timestamp())),
    }
    message = "&".join(f"{key}={known[key]}" for key in sorted(known))
    digest = hmac.new(app.client_secret.encode(), message.encode(), sha256).hexdigest()
    return urlencode({**known, "hmac": digest})


def session_token(shop: Shop, app: AppFacts, **claims: Any) -> str:
    """Return what App Bridge gives a page of the embedded app: a JWT that lives for a minute.

    Args:
        shop: where the merchant is.
        app: whose page it is; its secret signs.
        claims: in place of the proper ones.
    """
    now = int(shop.now().timestamp())
    proper = {
        "iss": f"https://{shop.domain}/admin",
        "dest": f"https://{shop.domain}",
        "aud": app.client_id,
        "sub": _STAFF,
        "exp": now + int(SESSION_LIFE.total_seconds()),
        "nbf": now,
        "iat": now,
        "jti": secrets.token_hex(16),
        "sid": secrets.token_hex(32),
    }
    return jwt.encode({**proper, **claims}, app.client_secret, algorithm="HS256")


# -- the token endpoint --


def access_token(shop: Shop, app: AppFacts, codes: Codes, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``POST /admin/oauth/access_token`` answers to ``request``.

    Raises:
        Refused: with the error code that Shopify gives.
    """
    if request.get("client_id") != app.client_id:
        raise Refused("application_cannot_be_found", "No app has this client id.")
    if not hmac.compare_digest(str(request.get("client_secret")), app.client_secret):
        raise Refused("invalid_client", "The client secret is wrong.", 401)
    grant = request.get("grant_type")
    if grant == "refresh_token":
        return _granted(shop, _refreshed(shop, str(request.get("refresh_token"))))
    if str(request.get("expiring")) != "1":
        raise Refused("invalid_request", "Public apps get expiring tokens only: say expiring=1.")
    if grant == TOKEN_EXCHANGE:
        _check_exchange(shop, app, request)
    elif grant in (None, "authorization_code"):
        if not codes.redeem(str(request.get("code")), shop):
            raise Refused("invalid_request", "The authorization code was not found or was already used.")
    else:
        raise Refused("unsupported_grant_type", "This grant type is not known.")
    return _granted(shop, shop.tokens.issue(shop.now()))


def _refreshed(shop: Shop, token: str) -> Pair:
    try:
        return shop.tokens.refresh(token, shop.now())
    except InvalidGrant as spent:
        raise Refused("invalid_grant", "This refresh token is unknown, spent or too old.") from spent


def _granted(shop: Shop, pair: Pair) -> dict[str, Any]:
    return {
        "access_token": pair.access_token,
        "scope": ",".join(sorted(shop.scopes)),
        "expires_in": int((pair.expires_at - shop.now()).total_seconds()),
        "refresh_token": pair.refresh_token,
        "refresh_token_expires_in": REFRESH_LIFE_S,
    }


def _check_exchange(shop: Shop, app: AppFacts, request: Mapping[str, Any]) -> None:
    if request.get("subject_token_type") != ID_TOKEN:
        raise Refused("invalid_request", "The subject token has to be an id token.")
    if request.get("requested_token_type") != OFFLINE_TOKEN:
        raise Refused("invalid_request", "Only offline access tokens are given out here.")
    try:
        claims = jwt.decode(
            str(request.get("subject_token")),
            app.client_secret,
            algorithms=["HS256"],
            audience=app.client_id,
            # The clock of this shop decides, not the computer's.
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "require": ["exp", "dest"],
            },
        )
    except jwt.InvalidTokenError as wrong:
        raise Refused("invalid_subject_token", "The id token is not one of ours.") from wrong
    expired = shop.now().timestamp() >= claims["exp"]
    if expired or claims["dest"] != f"https://{shop.domain}" or not shop.installed:
        raise Refused("invalid_subject_token", "The id token has expired or is another shop's.")
