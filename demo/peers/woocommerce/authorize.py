"""``/wc-auth/v1/…``: the page on which the merchant lets an application in, and what follows.

Rules: WooCommerce 10.5.0, includes/class-wc-auth.php. Approving is a link with a nonce, as there; the merchant
counts as signed in.
"""

import secrets
from datetime import UTC
from typing import cast
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from flask import Blueprint, Response, current_app, redirect, request
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from demo.peers.woocommerce.deliveries import post
from demo.peers.woocommerce.keys import Permissions
from demo.peers.woocommerce.state import WooState
from demo.woocommerce_format import encode

REQUIRED = ("app_name", "user_id", "return_url", "callback_url", "scope")
CALLBACK_TIMEOUT_S = 60.0
_MANAGED = ("coupons", "customers", "orders and sales reports", "products")
_CREATED = ("webhooks", "coupons", "customers", "orders", "products")
_SCOPES: dict[str, tuple[str, list[str]]] = {
    "read": ("Read", [f"View {what}" for what in _MANAGED]),
    "write": ("Write", [f"Create {what}" for what in _CREATED]),
    "read_write": ("Read/Write", ["Create webhooks", *(f"View and manage {what}" for what in _MANAGED)]),
}
_PAGE = Markup(
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
    '<body class="wc-auth"><h1>{title}</h1>{content}</body></html>\n'
)
_FORM = Markup(
    "<p>This will give {app} <strong>{scope}</strong> access which will allow it to:</p>"
    '<ul class="wc-auth-permissions">{permissions}</ul>'
    '<p class="wc-auth-actions">'
    '<a href="{approve}" class="button button-primary wc-auth-approve">Approve</a> '
    '<a href="{deny}" class="button wc-auth-deny">Deny</a></p>'
)

blueprint = Blueprint("woocommerce_authorize", __name__)


class _Denied(Exception):
    """The flow ends with a page; the message says why, without a full stop."""


def _state() -> WooState:
    return cast(WooState, current_app.extensions["woocommerce_peer"])


@blueprint.get("/wc-auth/v1/authorize")
@blueprint.get("/wc-auth/v1/authorize/")
def authorize() -> BaseResponse:
    """Show the page with its two buttons."""
    try:
        asked = _validated()
    except _Denied as reason:
        return _error(reason)
    nonces: set[str] = _nonces()
    nonce = secrets.token_hex(5)
    nonces.add(nonce)
    label, permissions = _SCOPES[asked["scope"]]
    approve = f"{_state().site.home}wc-auth/v1/access_granted/?{urlencode({**asked, 'wc_auth_nonce': nonce})}"
    content = _FORM.format(
        app=asked["app_name"],
        scope=label,
        permissions=Markup("").join(Markup("<li>{}</li>").format(text) for text in permissions),
        approve=approve,
        deny=_returning(asked, success=0),
    )
    title = f"{asked['app_name']} would like to connect to your store"
    return Response(_PAGE.format(title=title, content=content), mimetype="text/html")


@blueprint.get("/wc-auth/v1/access_granted")
@blueprint.get("/wc-auth/v1/access_granted/")
def grant() -> BaseResponse:
    """Make a key, post it to the application's callback, and send the merchant back."""
    try:
        asked = _validated()
        nonce = request.args.get("wc_auth_nonce", "")
        if nonce not in _nonces():
            raise _Denied("Invalid nonce verification")
        _hand_over(asked)
    except _Denied as reason:
        return _error(reason)
    return redirect(_returning(asked, success=1), 302)


def _hand_over(asked: dict[str, str]) -> None:
    """Create the key and post it; the key goes again unless the answer is exactly 200."""
    state = _state()
    made = state.site.now().astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    name = f"{asked['app_name'][:170]} - API ({made})"
    key = state.create_key(cast(Permissions, asked["scope"]), name=name)
    body = encode(
        {
            "key_id": key.id,
            "user_id": asked["user_id"],
            "consumer_key": key.consumer_key,
            "consumer_secret": key.consumer_secret,
            "key_permissions": key.permissions,
        }
    )
    headers = {
        "Content-Type": "application/json;charset=UTF-8",
        "User-Agent": f"WordPress/{state.site.wordpress}; {state.site.url}",
    }
    status = post(asked["callback_url"], body, headers, timeout_s=CALLBACK_TIMEOUT_S, follow=True)
    if status != 200:
        state.keys.delete(key.id)
        raise _Denied(
            "An error occurred in the request and at the time were unable to send the consumer data"
        )


def _validated() -> dict[str, str]:
    asked = {}
    for name in REQUIRED:
        if not request.args.get(name):
            raise _Denied(f"Missing parameter {name}")
        asked[name] = request.args[name]
    if asked["scope"] not in _SCOPES:
        raise _Denied(f"Invalid scope {asked['scope']}")
    for name in ("return_url", "callback_url"):
        # PHP decodes the address once more than the query needs.
        address = unquote(asked[name])
        address = address if "://" in address else f"https://{address}"
        if not urlsplit(address).hostname:
            raise _Denied(f"The {address} is not a valid URL")
        asked[name] = address
    if not asked["callback_url"].lower().startswith("https://") and not _state().site.allow_http_callback:
        raise _Denied("The callback_url needs to be over SSL")
    return asked


def _returning(asked: dict[str, str], *, success: int) -> str:
    parts = urlsplit(asked["return_url"])
    answer = {"success": str(success), "user_id": asked["user_id"]}
    query = {**dict(parse_qsl(parts.query, keep_blank_values=True)), **answer}
    return urlunsplit(parts._replace(query=urlencode(query)))


def _nonces() -> set[str]:
    return cast(set[str], current_app.extensions.setdefault("woocommerce_peer_nonces", set()))


def _error(reason: _Denied) -> BaseResponse:
    content = Markup("<p>Error: {}.</p>").format(str(reason))
    return Response(_PAGE.format(title="Access denied", content=content), 401, mimetype="text/html")
