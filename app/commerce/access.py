"""Who is calling: a store, by its publishable or its secret key.

Publishable keys stand in the pages of the shop and open only what every shopper may see; a browser may
use one from the store's own origins only. Secret keys belong on servers.
"""

from flask import Response, current_app, request

from app.commerce.store import AccessCache, StoreAccess
from app.core.errors import Forbidden, Unauthorized

_KEY_LENGTH = 100


def storefront_access() -> StoreAccess:
    """Return the store of this storefront request.

    Takes ``X-Pannier-Key``, the query parameter ``key``, or a secret key as bearer token.

    Raises:
        Unauthorized: without a valid key.
        Forbidden: from a page of an origin that is not the store's.
    """
    key = request.headers.get("X-Pannier-Key") or request.args.get("key")
    if key is None and "Authorization" in request.headers:
        return server_access()
    access = _access(key)
    if access is None:
        raise Unauthorized("No valid key was given. Send the store's publishable key as X-Pannier-Key.")
    origin = request.headers.get("Origin")
    if origin is not None and origin not in access.origins:
        raise Forbidden("This key may not be used on pages of this origin. Add the origin to the store.")
    return access


def server_access() -> StoreAccess:
    """Return the store of this server-side request (``Authorization: Bearer sk_…``).

    Raises:
        Unauthorized: without a valid secret key.
    """
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    access = _access(key) if scheme.lower() == "bearer" else None
    if access is None or access.kind != "secret":
        raise Unauthorized("No valid key was given. Send the store's secret key as a bearer token.")
    return access


def allow_origin(response: Response) -> Response:
    """Let the page that asked read the answer. ``storefront_access`` has checked its origin."""
    origin = request.headers.get("Origin")
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
    response.vary.add("Origin")
    return response


def _access(key: str | None) -> StoreAccess | None:
    if not key or len(key) > _KEY_LENGTH:
        return None
    cache: AccessCache = current_app.extensions["pannier_access"]
    return cache.get(key)
