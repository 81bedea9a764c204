"""Session tokens: how the embedded app's pages prove who opened them.

App Bridge hands out a JSON Web Token that is signed with the app's client secret and lives for a minute.
https://shopify.dev/docs/apps/build/authentication-authorization/session-tokens lists the claims. Shopify's
own Python package accepts a token without ``exp`` and knows one secret only, so the rules stand here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import jwt

from connectors.shopify.query import is_shop

# App Bridge's clock may run ahead: its tokens begin a few seconds in the future.
LEEWAY_S: Final = 10

_ALGORITHM: Final = "HS256"
_MAX_LENGTH: Final = 4096
# Times are compared here, with the caller's clock; PyJWT knows only the system's.
_OPTIONS: Final[Any] = {
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_iss": False,
    "verify_jti": False,
    "verify_nbf": False,
    "verify_sub": False,
}


class InvalidSessionToken(Exception):
    """The token proves nothing. The text says why, without any part of the token."""


@dataclass(frozen=True, slots=True)
class SessionToken:
    """What a verified token says.

    Attributes:
        shop: domain of the shop in whose admin the app was opened.
        user_id: number of the member of staff who opened it.
        jti: the token's own id.
        expires_at: UTC.
    """

    shop: str
    user_id: str
    jti: str
    expires_at: datetime


def verify(token: str, client_id: str, secrets: Sequence[bytes], now: datetime) -> SessionToken:
    """Return what ``token`` says, once it is proven that Shopify issued it for this app.

    Args:
        token: the bearer token or the ``id_token`` parameter, as it came.
        client_id: the app's; the token must be meant for it.
        secrets: the app's client secrets, the current one first; the old one counts during a rotation.
        now: an aware time.

    Raises:
        InvalidSessionToken: if it is not.
    """
    claims = _claims(token, secrets)
    if _text(claims, "aud") != client_id:
        raise InvalidSessionToken("The token is meant for another app.")
    expires_at = _check_times(claims, now)
    return SessionToken(_shop(claims), _text(claims, "sub"), _text(claims, "jti"), expires_at)


def _claims(token: str, secrets: Sequence[bytes]) -> Mapping[str, Any]:
    """Return the claims of a token that one of ``secrets`` signed."""
    if len(token) > _MAX_LENGTH or not token.isascii():
        raise InvalidSessionToken("The token has no usable form.")
    for secret in filter(None, secrets):
        try:
            return jwt.decode(token, secret, algorithms=[_ALGORITHM], options=_OPTIONS)
        except jwt.InvalidSignatureError:
            continue
        except jwt.InvalidTokenError:
            raise InvalidSessionToken("The token has no usable form.") from None
    raise InvalidSessionToken("The token's signature is not Shopify's.")


def _check_times(claims: Mapping[str, Any], now: datetime) -> datetime:
    """Return when the token expires; raise if it is not valid at ``now``, give or take the leeway."""
    moment = now.timestamp()
    expires, begins, issued = (_seconds(claims, name) for name in ("exp", "nbf", "iat"))
    if expires <= moment - LEEWAY_S:
        raise InvalidSessionToken("The token has expired.")
    if max(begins, issued) > moment + LEEWAY_S:
        raise InvalidSessionToken("The token is not valid yet.")
    return datetime.fromtimestamp(expires, UTC)


def _shop(claims: Mapping[str, Any]) -> str:
    """Return the shop that the token is about; raise unless issuer and destination agree on a real one."""
    destination, issuer = _text(claims, "dest"), _text(claims, "iss")
    shop = destination.removeprefix("https://")
    if destination != f"https://{shop}" or not is_shop(shop):
        raise InvalidSessionToken("The token's destination is no shop.")
    try:
        issued_by = urlsplit(issuer)
    except ValueError:
        raise InvalidSessionToken("The token's issuer is no address.") from None
    if (issued_by.scheme, issued_by.netloc) != ("https", shop):
        raise InvalidSessionToken("The token's issuer is not the shop it is meant for.")
    return shop


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidSessionToken(f"The token's {name} is missing or no text.")
    return value


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 33:
        raise InvalidSessionToken(f"The token's {name} is missing or no time.")
    return value
