"""Where merchants come to connect a shop, and where the platforms answer.

Nothing here trusts what it is given: a state is good for one answer, a session token or a signature for a minute, and
keys only after the store itself has answered to them.
"""

import math
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import structlog
from flask import (
    Blueprint,
    Response,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
)

from app.commerce.store import SHOPIFY, WOOCOMMERCE, Store, StoreError, default_origins, normalise_domain
from app.connections import installs
from app.connections.jobs import start_backfill
from app.connections.models import InstallState
from app.connections.status import connection_status
from app.core.api import json_response, read_body
from app.core.config import Settings
from app.core.db import db, now
from app.core.errors import BadRequest, Unauthorized, Unavailable
from app.core.limits import INSTALLS, SIGNATURES, count_failure
from app.events import tokens
from app.platforms.sources import credentials_of, shopify_app, source_for
from connectors.base import PayloadError
from connectors.errors import PlatformError, Throttled, Unreachable
from connectors.shopify import oauth, scopes
from connectors.shopify.proxy import proxied
from connectors.shopify.session_token import InvalidSessionToken, SessionToken, verify
from connectors.source import StoreFacts
from connectors.woocommerce.install import GrantedKeys, authorize_url, read_callback
from connectors.woocommerce.probe import Probe, probe

log = structlog.get_logger()
_T = TypeVar("_T")
blueprint = Blueprint("install", __name__, url_prefix="/install", template_folder="templates")

_HOME_SCRIPT: Final = Path(__file__).parent / "templates" / "home.js"
_ADDRESS: Final = re.compile(r"[!#-;=?-\[\]_a-z~%]{1,2000}")
_APP_NAME: Final = "Pannier"
_CALLBACK_BYTES: Final = 10_000
_STATE_COOKIE: Final = "pannier_install"
_STATE_COOKIE_S: Final = 600
_STATE_COOKIE_PATH: Final = "/install/shopify/callback"
_NOTHING: Final = "default-src 'none'; base-uri 'none'; style-src 'unsafe-inline'"
_SHOPIFY_SCRIPTS: Final = "connect-src 'self'; script-src 'self' https://cdn.shopify.com"
_REOPEN: Final = "The session with Shopify has ended; open the app again."
# A shop's server may be as slow as it likes, and anybody may name one: at most so many requests of a process wait
# for shops at a time. WooCommerce itself gives a callback a minute.
_PROVING: Final = threading.BoundedSemaphore(2)
_PROBE_TIMEOUT_S: Final = 15.0
_PROBE_DEADLINE_S: Final = 25.0


@blueprint.after_request
def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers.setdefault("Content-Security-Policy", f"{_NOTHING}; frame-ancestors 'none'")
    return response


def _settings() -> Settings:
    settings: Settings = current_app.extensions["pannier_settings"]
    return settings


# --- WooCommerce ----------------------------------------------------------------------------------------


@blueprint.get("/woocommerce")
def woocommerce() -> Any:
    """Send a merchant to the own shop's page that hands out keys; without an address, ask for it."""
    store_url = request.args.get("store_url", "").strip()
    if not store_url:
        return render_template("install_woocommerce.html", problem=None, store_url="")
    try:
        domain = _shop_address(store_url)
        return_url = _own_page(domain, request.args.get("return_url"))
    except (StoreError, BadRequest) as error:
        problem = error.detail if isinstance(error, BadRequest) else str(error)
        page = render_template("install_woocommerce.html", problem=problem, store_url=store_url)
        return make_response(page, 400)
    count_failure(INSTALLS)
    state = installs.new_state(WOOCOMMERCE, domain, return_url)
    public = _settings().public_url
    return redirect(
        authorize_url(
            domain,
            _APP_NAME,
            state,
            f"{public}/install/woocommerce/return",
            f"{public}/install/woocommerce/callback",
        )
    )


def _shop_address(store_url: str) -> str:
    """Return the shop's address in its stored form.

    Raises:
        StoreError: if it is none.
        BadRequest: if it is not https.
    """
    domain = installs.woocommerce_domain(store_url)
    if not domain.startswith("https://") and not _settings().allow_loopback_stores:
        raise BadRequest("The shop must be reachable by https: keys would travel in the open otherwise.")
    return domain


def _own_page(domain: str, return_url: str | None) -> str | None:
    """Return ``return_url`` if it lies in the shop itself: nobody is sent anywhere else.

    Raises:
        BadRequest: if it does not.
    """
    if not return_url:
        return None
    try:
        parts = urlsplit(return_url)
    except ValueError:
        parts = urlsplit("")
    # Browsers and Python read some characters differently; no proper address holds them.
    proper = _ADDRESS.fullmatch(return_url)
    if not proper or f"{parts.scheme}://{parts.netloc}" != default_origins(WOOCOMMERCE, domain)[0]:
        raise BadRequest("return_url must be a page of the shop itself.")
    return return_url


def _with_key(return_url: str, key: str) -> str:
    """Return the shop's own page with the publishable key in its query."""
    parts = urlsplit(return_url)
    query = "&".join(filter(None, (parts.query, urlencode({"pannier_key": key}))))
    return parts._replace(query=query).geturl()


@blueprint.post("/woocommerce/callback")
def woocommerce_callback() -> Response:
    """Take the keys that a shop's server posts. Anything but 200 makes WooCommerce delete them again."""
    try:
        granted = read_callback(read_body(_CALLBACK_BYTES))
    except PayloadError as error:
        count_failure(SIGNATURES)
        raise BadRequest(str(error)) from error
    state = installs.pending_state(WOOCOMMERCE, granted.state)
    if state is None:
        count_failure(SIGNATURES)
        raise Unauthorized("This connection was not begun here, or it took too long. Begin again.")
    if not _PROVING.acquire(blocking=False):
        raise Unavailable("Other shops are being connected just now. Begin again in a minute.")
    try:
        if not installs.use_up(state):
            raise Unauthorized("This connection has been made already.")
        problems = connect_woocommerce(state.domain, granted, state)
    finally:
        _PROVING.release()
    if problems:
        raise BadRequest(" ".join(problems))
    return Response(status=200)


def connect_woocommerce(domain: str, keys: GrantedKeys, state: InstallState | None = None) -> Sequence[str]:
    """Prove ``keys`` by calls to the shop and connect it; return the problems that stand against it.

    Also for keys that a merchant pasted by hand.
    """
    found = probe(
        domain,
        keys.consumer_key,
        keys.consumer_secret,
        allow_loopback=_settings().allow_loopback_stores,
        timeout_s=_PROBE_TIMEOUT_S,
        deadline_s=_PROBE_DEADLINE_S,
    )
    store = None
    problems = list(found.problems)
    if not problems and found.currency is None:
        problems.append("The shop does not say which currency it sells in.")
    if not problems:
        credentials = {
            "consumer_key": keys.consumer_key,
            "consumer_secret": keys.consumer_secret,
            "query_auth": found.query_auth,
        }
        try:
            store, _ = installs.connect_store(WOOCOMMERCE, domain, credentials, _facts(found, domain))
        except StoreError as error:
            problems.append(str(error))
    if state is not None:
        state.outcome = installs.sentences(problems, found.notes)
        state.store_id = store.id if store else None
    db.session.commit()
    if store is not None:
        log.info("store_connected", store_id=store.id, platform=WOOCOMMERCE)
        start_backfill(store.id)
    return problems


def _facts(found: Probe, domain: str) -> StoreFacts:
    return StoreFacts(
        name=found.name or domain,
        currency=found.currency or "",
        timezone=found.timezone or "UTC",
        origins=tuple(default_origins(WOOCOMMERCE, domain)),
    )


@blueprint.get("/woocommerce/return")
def woocommerce_return() -> Any:
    """Show the merchant what came of it, or go back to the shop's own page with the publishable key."""
    state = installs.finished_state(WOOCOMMERCE, request.args.get("user_id", ""))
    if state is None:
        page = render_template("install_result.html", domain=None, store=None, sentences=[], denied=False)
        return make_response(page, 400)
    store = db.session.get(Store, state.store_id) if state.store_id else None
    if store is not None and state.return_url:
        return redirect(_with_key(state.return_url, installs.key_for_pages(store)))
    return render_template(
        "install_result.html",
        domain=state.domain,
        store=store,
        key=installs.key_for_pages(store) if store else None,
        sentences=state.outcome,
        denied=request.args.get("success") == "0",
    )


# --- Shopify --------------------------------------------------------------------------------------------


@blueprint.get("/shopify")
def shopify() -> Any:
    """The app's home within Shopify's admin; where Shopify sent no session, the code grant begins."""
    token = request.args.get("id_token")
    if token:
        return _embedded_home(token)
    settings = _settings()
    if not oauth.callback_is_genuine(request.query_string, settings.shopify_secrets, now()):
        count_failure(SIGNATURES)
        raise Unauthorized("Open Pannier from the Apps page of the Shopify admin.")
    shop = normalise_domain(SHOPIFY, request.args["shop"])
    state = installs.new_state(SHOPIFY, shop, None)
    answer = redirect(
        oauth.authorize_url(
            settings.shopify_address,
            shop,
            settings.shopify_api_key or "",
            scopes.REQUIRED,
            f"{settings.public_url}/install/shopify/callback",
            state,
        )
    )
    answer.set_cookie(
        _STATE_COOKIE,
        state,
        max_age=_STATE_COOKIE_S,
        httponly=True,
        secure=settings.public_url.startswith("https://"),
        samesite="Lax",
        path=_STATE_COOKIE_PATH,
    )
    return answer


@blueprint.get("/shopify/callback")
def shopify_callback() -> Any:
    """Take the code of the authorization-code grant."""
    settings = _settings()
    if not oauth.callback_is_genuine(request.query_string, settings.shopify_secrets, now()):
        count_failure(SIGNATURES)
        raise Unauthorized("This answer does not come from Shopify.")
    given = request.args.get("state", "")
    state = installs.pending_state(SHOPIFY, given)
    if (
        state is None
        or request.cookies.get(_STATE_COOKIE) != given
        or state.domain != request.args.get("shop", "").lower()
        or not installs.use_up(state)
    ):
        count_failure(SIGNATURES)
        raise Unauthorized("This connection was not begun in this browser, or it took too long. Begin again.")
    grant = _asked(
        lambda: oauth.exchange_code(shopify_app(), state.domain, request.args.get("code", ""), now())
    )
    store = connect_shopify(state.domain, grant)
    state.store_id = store.id
    db.session.commit()
    page = _home(store)
    page.delete_cookie(_STATE_COOKIE, path=_STATE_COOKIE_PATH)
    return page


@blueprint.get("/shopify/proxy")
def shopify_proxy() -> Response:
    """Tell a shop's own page, by way of Shopify's app proxy, which key and address its widget uses.

    Shopify signs who is logged in, so this is also where a browser gets a token that says so.
    """
    settings = _settings()
    call = proxied(request.query_string, settings.shopify_secrets, now())
    store = installs.known_store(SHOPIFY, call.shop) if call else None
    if call is None or store is None or store.uninstalled_at is not None:
        count_failure(SIGNATURES)
        raise Unauthorized("This call does not come from the shop.")
    answer = {"key": installs.key_for_pages(store), "address": settings.public_url}
    if call.logged_in_customer_id is not None:
        answer["customer_token"] = tokens.make(store.id, call.logged_in_customer_id, now())
    return json_response(answer)


@blueprint.get("/home.js")
def home_script() -> Response:
    """The script of the app's home page."""
    return Response(_HOME_SCRIPT.read_bytes(), mimetype="text/javascript")


@blueprint.post("/shopify/session")
def shopify_session() -> Response:
    """Say how the shop of a session token stands; connect it first where that is needed."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    session = _session(token if scheme.lower() == "bearer" else "")
    store = _connected(session, token)
    return json_response(connection_status(store))


def _embedded_home(token: str) -> Any:
    """Show the home; where the token is too old, a page that knows nothing and has App Bridge fetch a new one."""
    try:
        session = _session(token)
        return _home(_connected(session, token))
    except Unauthorized as error:
        page = make_response(
            render_template("shopify_reopen.html", api_key=_settings().shopify_api_key or ""), error.status
        )
        page.headers["Content-Security-Policy"] = (
            f"{_NOTHING}; {_SHOPIFY_SCRIPTS}; frame-ancestors https://*.myshopify.com https://admin.shopify.com"
        )
        return page


def _session(token: str) -> SessionToken:
    """Return the checked session token.

    Raises:
        Unauthorized: if it is none; the header has App Bridge fetch a fresh one and try again.
    """
    settings = _settings()
    try:
        return verify(token, settings.shopify_api_key or "", settings.shopify_secrets, now())
    except InvalidSessionToken as error:
        count_failure(SIGNATURES)
        raise _stale() from error


def _stale() -> Unauthorized:
    return Unauthorized(_REOPEN, headers={"X-Shopify-Retry-Invalid-Session-Request": "1"})


def _connected(session: SessionToken, token: str) -> Store:
    """Return the store of a session, connected: by token exchange where no working token is kept.

    A shop's tokens end with the next exchange, so of two staff who open a new app at once, one exchanges.
    """
    store = _working_store(session.shop)
    if store is None:
        installs.wait_for_turn(SHOPIFY, session.shop)
        db.session.expire_all()
        store = _working_store(session.shop)
    if store is not None:
        return store
    grant = _asked(lambda: oauth.exchange_session_token(shopify_app(), session.shop, token, now()))
    return connect_shopify(session.shop, grant)


def _working_store(shop: str) -> Store | None:
    """Return the store if it is connected with every scope that is needed."""
    store = installs.known_store(SHOPIFY, shop)
    if store is None or not installs.is_connected(store):
        return None
    return None if scopes.missing(frozenset(store.credentials.get("scopes", ()))) else store


def connect_shopify(shop: str, grant: oauth.Grant) -> Store:
    """Store a grant that Shopify gave for ``shop``, ask the shop for its facts, and begin the backfill."""
    lacking = scopes.missing(grant.scopes)
    if lacking:
        raise BadRequest(f"The shop did not grant {', '.join(sorted(lacking))}; install Pannier again.")
    store = installs.keep_grant(shop, credentials_of(grant))
    facts = _asked(source_for(store).facts)
    installs.keep_facts(store, facts)
    db.session.commit()
    log.info("store_connected", store_id=store.id, platform=SHOPIFY)
    start_backfill(store.id)
    return store


def _asked(ask: Callable[[], _T]) -> _T:
    """Return what a platform answers.

    Raises:
        Unauthorized: if the browser has to fetch a new session token.
        Unavailable: if there was no usable answer.
        BadRequest: if the platform refuses.
    """
    try:
        return ask()
    except oauth.StaleSessionToken as error:
        db.session.rollback()
        raise _stale() from error
    except Throttled as error:
        db.session.rollback()
        raise Unavailable(str(error), retry_after_seconds=math.ceil(error.retry_after_s)) from error
    except Unreachable as error:
        db.session.rollback()
        raise Unavailable(str(error)) from error
    except PlatformError as error:
        db.session.rollback()
        raise BadRequest(str(error)) from error


def _home(store: Store) -> Response:
    page = make_response(
        render_template(
            "shopify_home.html",
            status=connection_status(store),
            key=installs.key_for_pages(store),
            api_key=_settings().shopify_api_key or "",
            optional=scopes.OPTIONAL,
        )
    )
    page.headers["Content-Security-Policy"] = (
        f"{_NOTHING}; {_SHOPIFY_SCRIPTS}; frame-ancestors https://{store.domain} https://admin.shopify.com"
    )
    return page
