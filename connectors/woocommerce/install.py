"""The merchant's consent on WooCommerce: wc-auth, version 1.

The merchant is sent to a page of the store. On approval the store's server posts a new key to the callback, without a
signature and without its own address, and deletes the key again unless the answer is exactly 200. Then it sends the
merchant to the return address, with ``success=1``; after a refusal with ``success=0``.

So what arrives at the callback proves nothing. Its ``user_id`` must be a state that was made for one store and used
once, and the key must open that store before it is kept.
"""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

import orjson
from marshmallow import fields, validate

from connectors.base import PayloadError
from connectors.fields import Body, Identifier, read

# Webhooks cannot be made with less.
SCOPE: Final = "read_write"

_BODY_LIMIT: Final = 10_000


def _shaped(pattern: str, reason: str) -> fields.String:
    """Return a required text that matches ``pattern`` from end to end."""
    return fields.String(required=True, validate=validate.Regexp(rf"(?:{pattern})\Z", error=reason))


class _Callback(Body):
    key_id = Identifier(required=True)
    user_id = _shaped(r"[A-Za-z0-9_.~-]{1,200}", "Not a state.")
    consumer_key = _shaped(r"ck_[0-9a-f]{40}", "Not a consumer key.")
    consumer_secret = _shaped(r"cs_[0-9a-f]{40}", "Not a consumer secret.")
    key_permissions = _shaped(SCOPE, f"Not {SCOPE}.")


_CALLBACK: Final = _Callback()


@dataclass(frozen=True, slots=True)
class GrantedKeys:
    """A key of a store's REST interface, as wc-auth hands it over. Key and secret stay out of ``repr``."""

    key_id: str
    state: str
    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    permissions: str


def authorize_url(store_url: str, app_name: str, state: str, return_url: str, callback_url: str) -> str:
    """Return the address of the store's page on which the merchant approves.

    Args:
        store_url: the store's address, with a path if it lives in one.
        app_name: what the page calls us.
        state: what comes back as ``user_id``: letters, digits and ``_.~-``.
        return_url: where the merchant's browser goes afterwards.
        callback_url: where the store's server posts the key; a store takes none but https.
    """
    query = {
        "app_name": app_name,
        "scope": SCOPE,
        "user_id": state,
        "return_url": return_url,
        "callback_url": callback_url,
    }
    return f"{store_url.rstrip('/')}/wc-auth/v1/authorize?{urlencode(query)}"


def read_callback(raw: bytes) -> GrantedKeys:
    """Return the key in the body that a store's server posted.

    Raises:
        PayloadError: naming the fields that are missing or of a wrong shape, never their values.
    """
    if len(raw) > _BODY_LIMIT:
        raise PayloadError("body: Too long.")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise PayloadError("body: Not JSON.") from None
    data = read(_CALLBACK, body)
    return GrantedKeys(
        key_id=data["key_id"],
        state=data["user_id"],
        consumer_key=data["consumer_key"],
        consumer_secret=data["consumer_secret"],
        permissions=data["key_permissions"],
    )
