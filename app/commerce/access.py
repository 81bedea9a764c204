"""Who is calling: a store, by its publishable or its secret key.

Publishable keys stand in the pages of the shop and open only what every shopper may see; a browser may
use one from the store's own origins only. Secret keys belong on servers.
"""

import functools
from collections.abc import Callable
from typing import Any, Final

from flask import Response, current_app, g, request

from app.commerce.store import AccessCache, StoreAccess
from app.core.api import ApiBlueprint
from app.core.errors import Forbidden, Unauthorized
from app.core.limits import KEYS, count_failure

_KEY_LENGTH = 100
# RFC 9110, 11.6.1: a 401 names how to identify oneself.
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="pannier"'}
# How a storefront call may identify its store, and what else it may be answered, in OpenAPI's words.
STOREFRONT_DOC: Final[dict[str, Any]] = {
    "security": [{"publishableKey": []}, {"publishableKeyInQuery": []}, {"secretKey": []}],
    "responses": {403: "FORBIDDEN"},
}


# The same of the calls of the Segment spec, whose senders have a way of their own.
SENDER_DOC: Final[dict[str, Any]] = {
    "security": [*STOREFRONT_DOC["security"], {"writeKey": []}],
    "responses": STOREFRONT_DOC["responses"],
}

SERVER_DOC: Final[dict[str, Any]] = {"security": [{"secretKey": []}]}
# The ``responses`` of calls that name something which may not be there, or not allow it.
NOT_FOUND: Final = {404: "NOT_FOUND"}
CONFLICT: Final = {409: "CONFLICT"}
NOT_FOUND_OR_CONFLICT: Final = {**NOT_FOUND, **CONFLICT}


def server_blueprint(name: str, import_name: str, url_prefix: str, description: str) -> ApiBlueprint:
    """Return a blueprint for the merchant's own servers.

    Strangers are refused before their parameters are looked at, the store stands in ``g.access``, and no cache keeps
    an answer. Describe each view with ``@blueprint.doc(**SERVER_DOC)``.
    """
    blueprint = ApiBlueprint(name, import_name, url_prefix=url_prefix, description=description)

    @blueprint.before_request
    def _authenticate() -> None:
        g.access = server_access()

    @blueprint.after_request
    def _not_stored(response: Response) -> Response:
        response.headers["Cache-Control"] = "private, no-store"
        return response

    return blueprint


def for_storefront(view: Callable[..., Response]) -> Callable[..., Response]:
    """Refuse strangers before their parameters are looked at; leave the store in ``g.access``."""

    @functools.wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Response:
        g.access = storefront_access()
        return view(*args, **kwargs)

    return checked


def storefront_access() -> StoreAccess:
    """Return the store of this storefront request.

    Takes the publishable key as ``X-Pannier-Key`` or as the query parameter ``key``, or a secret key as bearer token.
    A secret key in any other place is refused: addresses stand in logs.

    Raises:
        Unauthorized: without a valid key.
        TooManyRequests: likewise, from an address that tries too often.
        Forbidden: from a page of an origin that is not the store's.
    """
    key = request.headers.get("X-Pannier-Key") or request.args.get("key")
    if key is None and "Authorization" in request.headers:
        access = server_access()
    else:
        found = _access(key)
        if found is None or found.kind != "publishable":
            count_failure(KEYS)
            raise Unauthorized(
                "No valid key was given. Send the store's publishable key as X-Pannier-Key.",
                headers=_CHALLENGE,
            )
        access = found
    return _on_its_pages(access)


def sender_access(in_body: Callable[[], Any]) -> StoreAccess:
    """Return the store of a call of the Segment spec.

    Takes a key as ``storefront_access`` does, and as the spec's senders give their write key: as user name of HTTP
    Basic authentication, without a password, or as ``writeKey`` in the query or in the body, there the publishable one
    only. ``in_body`` returns the body's and is not called where a key was given before it.

    Raises:
        Unauthorized: without a valid key.
        TooManyRequests: likewise, from an address that tries too often.
        Forbidden: from a page of an origin that is not the store's.
    """
    if request.headers.get("X-Pannier-Key") or request.args.get("key"):
        return storefront_access()
    given = request.authorization
    if given is not None and given.type != "basic":
        return storefront_access()
    key = given.username if given is not None else request.args.get("writeKey") or in_body()
    found = _access(key) if isinstance(key, str) and key.isascii() else None
    if found is None or (given is None and found.kind != "publishable"):
        count_failure(KEYS)
        raise Unauthorized(
            "No valid key was given. Send the store's key as the write key.", headers=_CHALLENGE
        )
    return _on_its_pages(found)


def _on_its_pages(access: StoreAccess) -> StoreAccess:
    """Return ``access`` unless a page of another origin asks."""
    origin = request.headers.get("Origin")
    if origin is not None:
        if origin not in access.origins:
            raise Forbidden("This key may not be used on pages of this origin. Add the origin to the store.")
        g.allowed_origin = origin
    return access


def server_access() -> StoreAccess:
    """Return the store of this server-side request (``Authorization: Bearer sk_…``).

    Raises:
        Unauthorized: without a valid secret key.
        TooManyRequests: likewise, from an address that tries too often.
    """
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    access = _access(key) if scheme.lower() == "bearer" else None
    if access is None or access.kind != "secret":
        count_failure(KEYS)
        raise Unauthorized(
            "No valid key was given. Send the store's secret key as a bearer token.", headers=_CHALLENGE
        )
    return access


def allow_origin(response: Response) -> Response:
    """Let the page that asked read the answer, once ``storefront_access`` has let its origin in."""
    origin = g.get("allowed_origin")
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
    response.vary.add("Origin")
    return response


def _access(key: str | None) -> StoreAccess | None:
    if not key or len(key) > _KEY_LENGTH:
        return None
    cache: AccessCache = current_app.extensions["pannier_access"]
    return cache.get(key)
