"""The stand-in as a web server: every shop under ``/<its myshopify domain>``.

    GET  /<shop>/admin/oauth/authorize            the page that asks the merchant; Install posts to it
    POST /<shop>/admin/oauth/access_token         tokens
    GET  /<shop>/admin/apps/<handle>              the embedded admin: loads the app with a session token
    POST /<shop>/admin/apps/<handle>/install      Shopify-managed installation
    POST /<shop>/admin/apps/<handle>/uninstall    the merchant removes the app
    GET  /<shop>/admin/apps/<handle>/id_token     what App Bridge would give a script
    POST /<shop>/admin/api/<version>/graphql.json the Admin API
    GET  /bulk/<key>.jsonl                        files of bulk operations

Unlike the real admin it does not put the app into a frame but goes to its page, which a local browser may show.
"""

import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlencode

from flask import Flask, Response, abort, current_app, redirect, render_template_string, request
from flask.typing import ResponseReturnValue

from demo.loopback import LoopbackServer
from demo.peers.shopify import schema
from demo.peers.shopify.admin_api import answer, throttled
from demo.peers.shopify.bulk import BulkOperation
from demo.peers.shopify.faults import Fault, Place
from demo.peers.shopify.oauth import Codes, Refused, access_token, host, session_token, signed_query
from demo.peers.shopify.run import AppFacts
from demo.peers.shopify.state import Shop, ShopifyState

DEFAULT_SCOPES: Final = (
    "read_all_orders",
    "read_customers",
    "read_customer_merge",
    "read_inventory",
    "read_orders",
    "read_products",
    "write_app_proxy",
    "write_discounts",
    "write_products",
)
_VERSION: Final = re.compile(r"\d{4}-\d{2}|unstable")
_BAD_KEY: Final = "[API] Invalid API key or access token (unrecognized login or wrong password)"
_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Install {{ app.name }}</title>
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 4rem auto; padding: 0 1rem">
<p>{{ shop.name }} ({{ shop.domain }})</p>
<h1>Install {{ app.name }}</h1>
<p>This app will be able to:</p>
<ul>{% for scope in scopes %}<li><code>{{ scope }}</code></li>{% endfor %}</ul>
<form method="post" action="{{ action }}">
{% for name, value in hidden.items() %}<input type="hidden" name="{{ name }}" value="{{ value }}">{% endfor %}
<button type="submit" style="font: inherit; padding: .5rem 1.5rem">Install</button>
</form>
</body></html>
"""


@dataclass
class Peer:
    """What the server's views share."""

    state: ShopifyState
    app: AppFacts
    codes: Codes


def create_peer(
    state: ShopifyState,
    client_id: str,
    client_secret: str,
    *,
    app_url: str = "",
    redirect_urls: Iterable[str] = (),
    scopes: Iterable[str] = DEFAULT_SCOPES,
    handle: str = "pannier",
) -> Flask:
    """Return the stand-in as a Flask application.

    Args:
        state: the shops.
        client_id: of the one app that is known.
        client_secret: of it.
        app_url: where the embedded app's page is, such as ``http://127.0.0.1:8000/install/shopify``.
        redirect_urls: where the authorization code may be sent to; matched as a whole.
        scopes: what Shopify-managed installation grants.
        handle: names the app in the admin's addresses.
    """
    flask = Flask(__name__)
    facts = AppFacts(
        client_id,
        client_secret,
        tuple(scopes),
        handle=handle,
        url=app_url,
        redirect_urls=tuple(redirect_urls),
    )
    flask.extensions["shopify_peer"] = Peer(state, facts, Codes())
    rules: dict[str, tuple[Callable[..., ResponseReturnValue], list[str]]] = {
        "/<shop>/admin/oauth/authorize": (_authorize, ["GET", "POST"]),
        "/<shop>/admin/oauth/access_token": (_access_token, ["POST"]),
        f"/<shop>/admin/apps/{handle}": (_embedded, ["GET"]),
        f"/<shop>/admin/apps/{handle}/install": (_managed_install, ["POST"]),
        f"/<shop>/admin/apps/{handle}/uninstall": (_uninstall, ["POST"]),
        f"/<shop>/admin/apps/{handle}/id_token": (_id_token, ["GET"]),
        "/<shop>/admin/api/<version>/graphql.json": (_graphql, ["POST"]),
        "/bulk/<key>.jsonl": (_bulk_file, ["GET"]),
    }
    for rule, (view, methods) in rules.items():
        flask.add_url_rule(rule, view.__name__, view, methods=methods)
    return flask


@dataclass(frozen=True, slots=True)
class Served:
    """A stand-in that is being served. ``url`` is without trailing slash."""

    url: str
    flask: Flask

    @property
    def template(self) -> str:
        """The address of any shop, with ``{shop}`` for its domain."""
        return f"{self.url}/{{shop}}"

    @property
    def app(self) -> AppFacts:
        """The app as the stand-in knows it."""
        return cast(Peer, self.flask.extensions["shopify_peer"]).app


@contextmanager
def serve(
    state: ShopifyState, client_id: str, client_secret: str, *, port: int = 0, **said: Any
) -> Iterator[Served]:
    """Serve ``create_peer(state, client_id, client_secret, **said)`` on 127.0.0.1; port 0 takes a free one.

    Raises:
        OSError: if the port is taken.
    """
    flask = create_peer(state, client_id, client_secret, **said)
    server = LoopbackServer(flask, port, "shopify-peer")
    server.start()
    try:
        yield Served(server.url, flask)
    finally:
        state.faults.end()
        server.shutdown()


def _peer() -> Peer:
    return cast(Peer, current_app.extensions["shopify_peer"])


def _shop(domain: str) -> Shop:
    found = _peer().state.find(domain)
    if found is None:
        abort(404)
    return found


# -- failures --


def _fail(fault: Fault | None, shop: Shop | None) -> ResponseReturnValue | None:
    """Return what the present request gets in place of an answer, None if it gets one."""
    if fault == "hang":
        _peer().state.faults.hang()
        _hang_up()
        return "", 503
    if fault == "throttled" and shop is not None:
        return throttled(shop)
    answers: dict[str, ResponseReturnValue] = {
        "html": ("<!doctype html><title>Oops</title><h1>Something went wrong</h1>", 200),
        "unavailable": ({"errors": "Service Unavailable"}, 503),
        "redirect": ("", 302, {"Location": "http://127.0.0.1:9/elsewhere"}),
        "too_many_requests": (
            {"errors": "Exceeded the number of calls per second allowed."},
            429,
            {"Retry-After": "2.0"},
        ),
        "unauthorized": ({"errors": _BAD_KEY}, 401),
    }
    return answers.get(fault or "")


def _fault(place: Place, shop: str | None) -> Fault | None:
    return _peer().state.faults.take(place, shop)


def _hang_up() -> None:
    connection = request.environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)


def _broken_off(content: bytes, connection: socket.socket | None) -> Iterator[bytes]:
    yield content
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)


# -- sign-in --


def _ask(shop: Shop, scopes: Iterable[str], action: str, hidden: dict[str, str]) -> str:
    return render_template_string(
        _PAGE, app=_peer().app, shop=shop, scopes=sorted(scopes), action=action, hidden=hidden
    )


def _authorize(shop: str) -> ResponseReturnValue:
    found, app = _shop(shop), _peer().app
    given = request.values
    names = ("client_id", "scope", "redirect_uri", "state")
    asked = {name: given.get(name, "") for name in names}
    if asked["client_id"] != app.client_id:
        return "Oauth error application_cannot_be_found: No app has this client id.", 400
    if asked["redirect_uri"] not in app.redirect_urls:
        return "Oauth error invalid_request: The redirect_uri is not whitelisted", 400
    scopes = {scope.strip() for scope in asked["scope"].split(",") if scope.strip()} or set(app.scopes)
    if request.method == "GET" and not (found.installed and scopes <= found.scopes):
        return _ask(found, scopes, "", asked)
    found.install(scopes | found.scopes)
    query = signed_query(found, app, {"code": _peer().codes.issue(found), "state": asked["state"]})
    return redirect(f"{asked['redirect_uri']}?{query}")


def _access_token(shop: str) -> ResponseReturnValue:
    found, peer = _shop(shop), _peer()
    fault = _fault("token", shop)
    failed = _fail(fault, found)
    if failed is not None:
        return failed
    given = request.get_json() if request.is_json else request.form
    try:
        said = access_token(found, peer.app, peer.codes, given)
    except Refused as no:
        return {"error": no.code, "error_description": no.description}, no.status
    if fault == "lost":
        _hang_up()
    return said


def _embedded(shop: str) -> ResponseReturnValue:
    found, app = _shop(shop), _peer().app
    if not found.installed or not found.scopes >= set(app.scopes):
        return _ask(found, app.scopes, f"{request.path}/install", {})
    query = signed_query(
        found,
        app,
        {
            "embedded": "1",
            "id_token": session_token(found, app),
            "locale": "en",
            "session": found.domain,
        },
    )
    return redirect(f"{app.url}?{query}")


def _managed_install(shop: str) -> ResponseReturnValue:
    _shop(shop).install(_peer().app.scopes)
    return redirect(request.path.removesuffix("/install"), 303)


def _uninstall(shop: str) -> ResponseReturnValue:
    found = _shop(shop)
    if found.installed:
        found.uninstall()
    return redirect(request.path.removesuffix("/uninstall"), 303)


def _id_token(shop: str) -> ResponseReturnValue:
    found = _shop(shop)
    if not found.installed:
        abort(404)
    return {"id_token": session_token(found, _peer().app), "host": host(found)}


# -- the API --


def _graphql(shop: str, version: str) -> ResponseReturnValue:
    found, peer = _shop(shop), _peer()
    if not _VERSION.fullmatch(version):
        abort(404)
    fault = _fault("graphql", shop)
    failed = _fail(fault, found)
    if failed is not None:
        return failed
    if not found.tokens.accepts(request.headers.get("X-Shopify-Access-Token", ""), found.now()):
        return {"errors": _BAD_KEY}, 401
    asked = request.get_json(silent=True)
    if not isinstance(asked, dict):
        return {"errors": {"query": "Required parameter missing or invalid"}}, 400
    said = answer(found, peer.app, asked, request.host_url.rstrip("/"))
    if fault == "lost":
        _hang_up()
    # Every other version falls forward to the one that is here.
    return said, 200, {"X-Shopify-API-Version": schema.VERSION}


def _bulk_file(key: str) -> ResponseReturnValue:
    shop, operation = _operation(key)
    fault = _fault("download", shop.domain)
    failed = _fail(fault, shop)
    if failed is not None:
        return failed
    if operation.expired(shop.now()):
        return Response(
            "<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code>"
            "<Message>The provided token has expired.</Message></Error>",
            status=400,
            mimetype="application/xml",
        )
    name = urlencode({"filename": f"bulk-{operation.number}.jsonl"})
    headers = {"Content-Type": "application/jsonl", "Content-Disposition": f"attachment; {name}"}
    if fault == "lost":
        headers["Content-Length"] = str(len(operation.content))
        half = operation.content[: len(operation.content) // 2]
        return Response(_broken_off(half, request.environ.get("werkzeug.socket")), headers=headers)
    return Response(operation.content, headers=headers)


def _operation(key: str) -> tuple[Shop, BulkOperation]:
    found = (
        (shop, operation)
        for shop in _peer().state.shops()
        for operation in list(shop.bulk_operations.values())
        if operation.key == key and operation.content
    )
    return next(found, None) or abort(404)
