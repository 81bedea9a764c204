"""The doors of installation, seen from outside: good use, and everything a stranger may try."""

import functools
import hmac
import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.commerce.store import Store, StoreKey, add_store, publishable_key
from app.connections import routes
from app.connections.models import InstallState
from app.core.config import Settings
from app.core.db import db, now
from app.core.limits import FailureLimiter
from app.events import tokens
from app.factory import create_app
from connectors.errors import Rejected, Throttled, Unreachable
from connectors.shopify import oauth, scopes
from connectors.source import StoreFacts
from connectors.woocommerce.probe import Probe, probe
from demo.peers.woocommerce import WooState, serve

PUBLIC = "https://pannier.example"
CLIENT_ID = "3f1c8a9e5b7d4260a1c3e5f708192a3b"
SECRET = "shpss_" + "0123456789abcdef" * 4
SHOP = "pannier-test.myshopify.com"
SITE = "https://shop.example"
KEY, KEY_SECRET = "ck_" + "a1" * 20, "cs_" + "b2" * 20
MARKUP = "<script>alert(1)</script>"


def stop(app: Flask) -> None:
    app.extensions["pannier_intake"].inbox.close()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="module")
def public_app(settings: Settings) -> Iterator[Flask]:
    """The application at an address of the internet, with a secret as long as Shopify's."""
    app = create_app(
        replace(
            settings,
            public_url=PUBLIC,
            shopify_api_key=CLIENT_ID,
            shopify_api_secret=SECRET,
            shopify_old_api_secret=None,
        )
    )
    yield app
    stop(app)


@pytest.fixture
def client(app: Flask, public_app: Flask) -> FlaskClient:
    public_app.extensions["pannier_failures"] = FailureLimiter(0)
    return public_app.test_client()


@pytest.fixture(autouse=True)
def begun(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The stores whose backfill was begun."""
    found: list[int] = []
    monkeypatch.setattr(routes, "start_backfill", found.append)
    return found


def stores() -> list[Store]:
    db.session.rollback()
    return list(db.session.scalars(select(Store).order_by(Store.id)))


def states() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(InstallState)) or 0


def refusal(answer: TestResponse, status: int) -> str:
    """Return the sentence of a problem."""
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    return str(answer.json["detail"])


# --- WooCommerce: the beginning -------------------------------------------------------------------------


def begin(client: FlaskClient, store_url: str = SITE, **more: str) -> str:
    """Begin an installation and return its state."""
    answer = client.get("/install/woocommerce", query_string={"store_url": store_url, **more})
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.location).query)["user_id"][0]


def test_without_an_address_the_page_asks_for_it(client):
    answer = client.get("/install/woocommerce")

    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert '<input id="store_url" name="store_url"' in answer.text
    assert 'role="alert"' not in answer.text
    assert states() == 0


@pytest.mark.parametrize(
    "path", ["/install/woocommerce", "/install/woocommerce?store_url=x:", "/install/woocommerce/return"]
)
def test_pages_are_neither_kept_nor_framed(client, path):
    headers = client.get(path).headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; base-uri 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    )


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("shop.example", SITE),
        (" https://SHOP.example:443/ ", SITE),
        ("https://shop.example:8443/tea/", f"{SITE}:8443/tea"),
        ("https://shop.example/a/../tea", f"{SITE}/tea"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_merchant_is_sent_to_the_own_shop(client, typed, kept):
    answer = client.get("/install/woocommerce", query_string={"store_url": typed})

    page, _, query = answer.location.partition("?")
    asked = {name: value for name, (value,) in parse_qs(query).items()}
    state = asked.pop("user_id")
    assert (answer.status_code, page) == (302, f"{kept}/wc-auth/v1/authorize")
    assert asked == {
        "app_name": "Pannier",
        "scope": "read_write",
        "return_url": f"{PUBLIC}/install/woocommerce/return",
        "callback_url": f"{PUBLIC}/install/woocommerce/callback",
    }
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", state)
    row = db.session.scalars(select(InstallState)).one()
    assert (row.domain, row.digest, row.used_at) == (kept, sha256(state.encode()).digest(), None)


@pytest.mark.parametrize(
    "address",
    [
        "http://shop.example",
        "https://user:word@shop.example",
        "https://shop.example@evil.example",
        "https://shop.example?x=1",
        "https://shop.example#x",
        "javascript:alert(1)",
        "javascript://shop.example/%0aalert(1)",
        "data:text/html,x",
        "//shop.example",
        "https://",
        "https://[::1",
        "https://shop.example:99999",
        "https://shop.example/\x00",
        "https://sh op.example",
        "https://shop.example/a b",
        "https://shop.exam\nple",
        "https://shop.example\\@evil.example",
        f"https://shop.example/{'a' * 400}",
        MARKUP,
    ],
    ids=repr,
)
def test_bad_address_is_asked_for_again(client, address):
    answer = client.get("/install/woocommerce", query_string={"store_url": address})

    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert 'role="alert"' in answer.text
    assert MARKUP not in answer.text
    assert states() == 0


@pytest.mark.parametrize(
    "page",
    [
        "https://evil.example/",
        "//evil.example",
        "/wp-admin/",
        "https://shop.example.evil/",
        "https://shop.example@evil.example/",
        "https://shop.example\\@evil.example/",
        "https:\\\\shop.example/",
        "https:///shop.example/",
        "https://shop.example:444/",
        "http://shop.example/",
        "javascript:alert(1)",
        "javascript://shop.example/%0aalert(1)",
        "https://[evil",
        " https://shop.example/",
        "https://shop.exam\nple/",
        "https://shop.example/\r\nSet-Cookie: a=b",
        "https://shop.example/\\evil.example",
        "https://shop.example/\x00",
        f"https://shop.example/{'a' * 2000}",
    ],
    ids=repr,
)
def test_nobody_is_sent_back_to_another_site(client, page):
    answer = client.get("/install/woocommerce", query_string={"store_url": SITE, "return_url": page})

    assert answer.status_code == 400
    assert "return_url must be a page of the shop itself." in answer.text
    assert states() == 0


# --- WooCommerce: the keys ------------------------------------------------------------------------------


def call_back(client: FlaskClient, state: str, **changes: Any) -> TestResponse:
    """Post keys as a shop's server does."""
    body = {
        "key_id": 1,
        "user_id": state,
        "consumer_key": KEY,
        "consumer_secret": KEY_SECRET,
        "key_permissions": "read_write",
        **changes,
    }
    return client.post("/install/woocommerce/callback", json=body)


Asked = list[tuple[str, str, str]]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asked]:
    """Have every shop answer so to its keys; the list says what was asked."""

    def set_up(**found: Any) -> Asked:
        asked: Asked = []

        def scripted(domain: str, key: str, secret: str, **_: Any) -> Probe:
            asked.append((domain, key, secret))
            return Probe(domain, **{"name": "Tea", "currency": "EUR", "timezone": "Europe/Berlin", **found})

        monkeypatch.setattr(routes, "probe", scripted)
        return asked

    return set_up


def test_proven_keys_connect_the_shop(client, shop, begun):
    asked = shop(query_auth=True)
    state = begin(client)

    answer = call_back(client, state)

    (store,) = stores()
    assert (answer.status_code, answer.data) == (200, b"")
    assert asked == [(SITE, KEY, KEY_SECRET)]
    assert (store.platform, store.domain, store.name) == ("woocommerce", SITE, "Tea")
    assert (store.currency, store.timezone, store.origins) == ("EUR", "Europe/Berlin", [SITE])
    assert store.connected_at is not None
    assert {name: store.credentials[name] for name in ("consumer_key", "consumer_secret", "query_auth")} == {
        "consumer_key": KEY,
        "consumer_secret": KEY_SECRET,
        "query_auth": True,
    }
    assert begun == [store.id]


def test_keys_are_proven_against_a_shop_that_answers(client, begun, make_app):
    app = make_app(public_url=PUBLIC, allow_loopback_stores=True)
    loopback = app.test_client()
    woo = WooState()
    with serve(woo) as url:
        key = woo.keys.create()
        bad = call_back(loopback, begin(loopback, url))
        good = call_back(
            loopback,
            begin(loopback, url),
            consumer_key=key.consumer_key,
            consumer_secret=key.consumer_secret,
        )

    assert "Read/Write permission" in refusal(bad, 400)
    assert good.status_code == 200
    assert [store.domain for store in stores()] == [url]
    assert begun == [stores()[0].id]


def test_keys_that_open_nothing_are_refused_and_the_merchant_is_told(client, shop, begun):
    shop(problems=("The keys are wrong.", f"{MARKUP} is old."), notes=("A note.",))
    state = begin(client)

    answer = call_back(client, state)

    assert refusal(answer, 400) == f"The keys are wrong. {MARKUP} is old."
    assert (stores(), begun) == ([], [])
    page = client.get("/install/woocommerce/return", query_string={"user_id": state, "success": "1"})
    assert page.status_code == 200
    assert f"{SITE} is not connected yet" in page.text
    assert "<li>The keys are wrong.</li>" in page.text
    assert "<li>A note.</li>" in page.text
    assert MARKUP not in page.text
    assert KEY not in page.text + answer.text
    assert KEY_SECRET not in page.text + answer.text


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"currency": None}, "The shop does not say which currency it sells in."),
        ({"currency": "euro"}, "'euro' is no ISO 4217 currency code."),
        ({"timezone": "Mars/Base"}, "'Mars/Base' is no IANA time zone such as Europe/Berlin."),
    ],
    ids=["no currency", "bad currency", "bad time zone"],
)
def test_shop_with_impossible_facts_is_refused(client, shop, begun, found, said):
    shop(**found)

    answer = call_back(client, begin(client))

    assert refusal(answer, 400) == said
    assert (stores(), begun) == ([], [])


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "fd00:ec2::254", "::ffff:10.0.0.5", "100.64.0.1"],
)
def test_name_that_leads_into_a_private_network_gets_no_keys(client, monkeypatch, address):
    monkeypatch.setattr(routes, "probe", functools.partial(probe, resolver=lambda *_: [address]))

    said = refusal(call_back(client, begin(client)), 400)

    assert said == "The host shop.example leads to an address that is not on the public internet."
    assert stores() == []


def test_name_that_changes_after_the_first_look_gets_no_keys(client, monkeypatch):
    # given a name server that says something public first: nothing may be connected by then
    answers = iter([["93.184.216.34", "10.0.0.5"], ["10.0.0.5"], ["10.0.0.5"], ["10.0.0.5"]])
    monkeypatch.setattr(routes, "probe", functools.partial(probe, resolver=lambda *_: next(answers)))

    for _ in range(2):
        said = refusal(call_back(client, begin(client)), 400)
        assert said == "The host shop.example leads to an address that is not on the public internet."

    assert stores() == []


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1",
        "https://2130706433",
        "https://0x7f.1",
        "https://127.1",
        "https://[::1]",
        "https://[::ffff:7f00:1]",
        "https://169.254.169.254/latest",
        "https://localhost",
        "https://shop.example:22",
        "https://shop.example:6379",
    ],
)
def test_address_that_is_no_shops_gets_no_keys(client, monkeypatch, address):
    local = functools.partial(probe, resolver=lambda *_: ["127.0.0.1"])
    monkeypatch.setattr(routes, "probe", local)

    refusal(call_back(client, begin(client, address)), 400)

    assert stores() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"[" * 5000,
        json.dumps({"user_id": "x"}).encode(),
        urlencode({"user_id": "x", "consumer_key": KEY}).encode(),
        b"\xff\xfe",
    ],
    ids=["empty", "half", "list", "null", "deep", "little", "form", "no text"],
)
def test_callback_of_another_shape_is_refused(client, shop, body):
    asked = shop()

    answer = client.post("/install/woocommerce/callback", data=body)

    refusal(answer, 400)
    assert asked == []


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": None},
        {"user_id": ["a"]},
        {"user_id": "é"},
        {"user_id": "a" * 201},
        {"consumer_key": "ck_x"},
        {"consumer_key": f"{KEY}\n"},
        {"consumer_secret": f"cs_{MARKUP}"},
        {"key_permissions": "read"},
        {"key_id": {}},
    ],
    ids=repr,
)
def test_callback_with_bad_fields_leaves_the_state_as_it_was(client, shop, changes):
    asked = shop()
    state = begin(client)

    answer = call_back(client, state, **changes)

    said = refusal(answer, 400)
    assert (KEY in said, KEY_SECRET in said, asked) == (False, False, [])
    assert call_back(client, state).status_code == 200


def test_oversized_callback_is_refused(client, shop):
    asked = shop()

    answer = call_back(client, begin(client), more="a" * 10_000)

    refusal(answer, 413)
    assert asked == []


def test_state_is_good_once(client, shop):
    asked = shop()
    state = begin(client)
    assert call_back(client, state).status_code == 200

    again = call_back(client, state, consumer_key="ck_" + "f" * 40)

    refusal(again, 401)
    assert len(asked) == 1
    assert stores()[0].credentials["consumer_key"] == KEY


def test_state_of_keys_that_failed_is_spent(client, shop):
    shop(problems=("No.",))
    state = begin(client)
    call_back(client, state)
    asked = shop()

    refusal(call_back(client, state), 401)

    assert asked == []


def age(seconds: float) -> None:
    """Let time pass for every installation under way."""
    for row in db.session.scalars(select(InstallState)):
        row.expires_at -= timedelta(seconds=seconds)
    db.session.commit()


def shopify_state(client: FlaskClient) -> str:
    answer = client.get(f"/install/shopify?{signed()}")
    return parse_qs(urlsplit(answer.location).query)["state"][0]


@pytest.mark.parametrize("kind", ["forged", "late", "Shopify's", "digest"])
def test_state_that_is_not_under_way_is_refused(client, shop, kind):
    asked = shop()
    state = shopify_state(client) if kind == "Shopify's" else begin(client)
    if kind == "forged":
        state = state[:-1] + ("A" if state[-1] != "A" else "B")
    elif kind == "late":
        age(1801)
    elif kind == "digest":
        state = sha256(state.encode()).hexdigest()

    refusal(call_back(client, state), 401)

    assert (asked, stores()) == ([], [])


def test_of_two_callbacks_at_once_one_is_taken(client, public_app, shop, monkeypatch):
    shop()
    answered, together = routes.probe, threading.Barrier(2, timeout=10)
    pending = routes.installs.pending_state

    def both_look_first(*given: Any) -> Any:
        found = pending(*given)
        assert found is not None
        together.wait()
        return found

    monkeypatch.setattr(routes.installs, "pending_state", both_look_first)
    state = begin(client)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: call_back(public_app.test_client(), state).status_code, range(2)))

    assert sorted(answers) == [200, 401]
    assert (len(stores()), answered is routes.probe) == (1, True)


def test_slow_shops_hold_up_no_more_than_two_requests(client, public_app, shop, monkeypatch):
    shop()
    answered, go_on, waiting = routes.probe, threading.Event(), threading.Semaphore(0)

    def slow(*given: Any, **more: Any) -> Probe:
        waiting.release()
        assert go_on.wait(10)
        return answered(*given, **more)

    monkeypatch.setattr(routes, "probe", slow)
    begun_states = [begin(client, f"https://shop-{number}.example") for number in range(3)]
    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(call_back, public_app.test_client(), state) for state in begun_states[:2]]
        try:
            assert all(waiting.acquire(timeout=10) for _ in held)
            third = call_back(client, begun_states[2])
        finally:
            go_on.set()

    assert refusal(third, 503) == "Other shops are being connected just now. Begin again in a minute."
    assert [each.result().status_code for each in held] == [200, 200]
    # the third was not used up, and room was made again
    assert call_back(client, begun_states[2]).status_code == 200


def test_shop_that_comes_back_keeps_its_keys_and_what_it_was(client, shop):
    shop()
    call_back(client, begin(client))
    store = stores()[0]
    key, token, secret = publishable_key(store.id), store.webhook_token, store.credentials["webhook_secret"]
    store.uninstalled_at, store.connection_problem = now(), "Gone."
    db.session.commit()

    call_back(client, begin(client), consumer_key="ck_" + "c" * 40)

    (store,) = stores()
    assert (store.uninstalled_at, store.connection_problem) == (None, None)
    assert (publishable_key(store.id), store.webhook_token) == (key, token)
    assert store.credentials["webhook_secret"] == secret
    assert store.credentials["consumer_key"] == "ck_" + "c" * 40


# --- WooCommerce: the way back --------------------------------------------------------------------------


def come_back(client: FlaskClient, state: str, success: str = "1") -> TestResponse:
    return client.get("/install/woocommerce/return", query_string={"user_id": state, "success": success})


def test_connected_merchant_sees_the_publishable_key_alone(client, shop):
    shop(notes=("WooCommerce is old.",))
    state = begin(client)
    call_back(client, state)

    page = come_back(client, state)

    (store,) = stores()
    assert page.status_code == 200
    assert f"<code>{publishable_key(store.id)}</code>" in page.text
    assert "<li>WooCommerce is old.</li>" in page.text
    hidden = [KEY, KEY_SECRET, store.credentials["webhook_secret"], store.webhook_token, "sk_"]
    assert [text for text in hidden if text in page.text] == []
    secret_keys = db.session.scalars(select(StoreKey.shown).where(StoreKey.kind == "secret")).all()
    assert [shown for shown in secret_keys if shown in page.text] == []


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (f"{SITE}/wp-admin/admin.php?page=pannier", f"{SITE}/wp-admin/admin.php?page=pannier&pannier_key="),
        (f"{SITE}/wp-admin/", f"{SITE}/wp-admin/?pannier_key="),
        (f"{SITE}/a?b=%0D%0A#here", f"{SITE}/a?b=%0D%0A&pannier_key="),
    ],
)
def test_plugin_gets_the_key_on_its_own_page(client, shop, own, expected):
    shop()
    state = begin(client, return_url=own)
    call_back(client, state)

    answer = come_back(client, state)

    fragment = own.partition("#")[1] + own.partition("#")[2]
    assert answer.status_code == 302
    assert answer.location == expected + str(publishable_key(stores()[0].id)) + fragment


@pytest.mark.parametrize(
    ("success", "said"),
    [("0", "Nothing was connected"), ("1", "The shop has not handed over its keys.")],
    ids=["refused", "not arrived"],
)
def test_merchant_without_connection_is_told_and_stays(client, success, said):
    state = begin(client, return_url=f"{SITE}/wp-admin/")

    page = come_back(client, state, success)

    assert (page.status_code, page.location) == (200, None)
    assert said in page.text
    assert 'href="/install/woocommerce?store_url=https%3A//shop.example"' in page.text
    assert "pk_" not in page.text


@pytest.mark.parametrize("kind", ["none", "forged", "late", "Shopify's", "markup"])
def test_way_back_of_nobody_shows_nothing(client, shop, kind):
    shop()
    state = shopify_state(client) if kind == "Shopify's" else begin(client)
    call_back(client, state)
    if kind == "late":
        age(1801)
    state = {"none": "", "forged": "A" * 43, "markup": MARKUP}.get(kind, state)

    page = come_back(client, state)

    assert (page.status_code, page.mimetype) == (400, "text/html")
    assert "This page has expired" in page.text
    assert [text for text in (SITE, "pk_", MARKUP) if text in page.text] == []


def test_markup_in_an_address_is_only_text(client):
    state = begin(client, f"{SITE}/{MARKUP}'\"")

    page = come_back(client, state)

    assert page.status_code == 200
    assert "<script" not in page.text
    assert "%3Cscript%3E" in page.text


# --- Shopify: who is let in -----------------------------------------------------------------------------


def signed(secret: str = SECRET, **changes: Any) -> str:
    """Return a query that Shopify signed; a parameter that is None is left out."""
    given = {"shop": SHOP, "timestamp": str(int(now().timestamp())), "host": "YWRtaW4", **changes}
    given = {name: str(value) for name, value in given.items() if value is not None}
    message = "&".join(f"{name}={value}" for name, value in sorted(given.items()))
    return urlencode({**given, "hmac": hmac.new(secret.encode(), message.encode(), sha256).hexdigest()})


def session_token(secret: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    """Return a session token; a claim that is None is left out."""
    moment = int(now().timestamp())
    claims = {
        "iss": f"https://{SHOP}/admin", "dest": f"https://{SHOP}", "aud": CLIENT_ID, "sub": "42",
        "exp": moment + 55, "nbf": moment - 5, "iat": moment - 5, "jti": "j", "sid": "s", **changes,
    }  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.PyJWS().encode(json.dumps(claims).encode(), secret or "-", algorithm=algorithm)


def unsigned_token() -> str:
    _, claims, _ = session_token().split(".")
    head = jwt.utils.base64url_encode(b'{"alg":"none","typ":"JWT"}').decode()
    return f"{head}.{claims}."


class Facts:
    """A shop that says who it is."""

    def facts(self) -> StoreFacts:
        return StoreFacts("Mine", "GBP", "Europe/London", (f"https://{SHOP}", "https://shop.example"))


Exchanges = list[tuple[str, str]]


@pytest.fixture
def shopify_grants(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Exchanges]:
    """Have Shopify give a grant, or raise, for every code and session token; the list says for which."""

    def set_up(granted: frozenset[str] | Exception = frozenset(scopes.REQUIRED)) -> Exchanges:
        asked: Exchanges = []

        def exchange(_app: oauth.App, shop: str, given: str, _now: Any) -> oauth.Grant:
            asked.append((shop, given))
            if isinstance(granted, Exception):
                raise granted
            return oauth.Grant("shpat_secret", granted)

        monkeypatch.setattr(oauth, "exchange_code", exchange)
        monkeypatch.setattr(oauth, "exchange_session_token", exchange)
        monkeypatch.setattr(routes, "source_for", lambda _store: Facts())
        return asked

    return set_up


FORGED = {
    "another key": lambda: session_token("shpss_ffffffffffffffffffffffffffffffff"),
    "another app": lambda: session_token(aud="f" * 32),
    "no app": lambda: session_token(aud=""),
    "no shop": lambda: session_token(dest="https://evil.example", iss="https://evil.example/admin"),
    "two shops": lambda: session_token(dest="https://other.myshopify.com"),
    "expired": lambda: session_token(exp=int(now().timestamp()) - 60),
    "no end": lambda: session_token(exp=None),
    "unsigned": unsigned_token,
    "another algorithm": lambda: session_token(algorithm="HS384"),
    "garbage": lambda: "a.b.c",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_forged_session_shows_and_connects_nothing(client, shopify_grants, begun, forge):
    asked = shopify_grants()
    token = forge()

    page = client.get("/install/shopify", query_string={"id_token": token, "shop": SHOP})
    call = client.post("/install/shopify/session", headers={"Authorization": f"Bearer {token}"})

    assert (page.status_code, page.mimetype) == (401, "text/html")
    assert refusal(call, 401) == "The session with Shopify has ended; open the app again."
    assert call.headers["X-Shopify-Retry-Invalid-Session-Request"] == "1"
    assert (asked, stores(), begun) == ([], [], [])
    assert token not in page.text


def test_page_with_an_old_session_knows_nothing_and_may_be_framed_by_the_admin(client, shopify_grants):
    shopify_grants()
    client.get("/install/shopify", query_string={"id_token": session_token()})

    page = client.get("/install/shopify", query_string={"id_token": FORGED["expired"](), "shop": MARKUP})

    assert [text for text in (SHOP, "pk_", MARKUP) if text in page.text] == []
    assert f'data-api-key="{CLIENT_ID}"' in page.text
    assert page.headers["Content-Security-Policy"].endswith(
        "frame-ancestors https://*.myshopify.com https://admin.shopify.com"
    )


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Basic eDp5"}],
    ids=str,
)
def test_call_without_a_session_is_refused(client, headers):
    answer = client.post("/install/shopify/session", headers=headers)

    refusal(answer, 401)
    assert answer.headers["X-Shopify-Retry-Invalid-Session-Request"] == "1"


def test_session_connects_the_shop_once(client, shopify_grants, begun):
    asked = shopify_grants()
    token = session_token()

    first = client.get("/install/shopify", query_string={"id_token": token})
    second = client.post("/install/shopify/session", headers={"Authorization": f"bearer {token}"})

    (store,) = stores()
    assert (first.status_code, second.status_code) == (200, 200)
    assert asked == [(SHOP, token)]
    assert begun == [store.id]
    assert (store.domain, store.name, store.currency) == (SHOP, "Mine", "GBP")
    assert store.origins == [f"https://{SHOP}", "https://shop.example"]
    assert store.credentials["access_token"] == "shpat_secret"
    assert str(publishable_key(store.id)) in first.text
    assert "shpat_secret" not in first.text + second.text
    assert (second.json["store"], second.json["state"], second.json["walks"]) == (SHOP, "connected", [])
    assert second.headers["Cache-Control"] == "no-store"


def test_home_names_what_the_merchant_may_allow_besides(client, shopify_grants):
    shopify_grants()

    page = client.get("/install/shopify", query_string={"id_token": session_token()})

    assert '<section id="permissions" hidden data-scopes="write_discounts,write_products">' in page.text
    assert "<code>write_discounts</code> to give the discounts of offers at the checkout</li>" in page.text


def test_home_may_be_framed_by_its_own_shop_alone(client, shopify_grants):
    shopify_grants()

    page = client.get("/install/shopify", query_string={"id_token": session_token()})

    assert page.headers["Content-Security-Policy"] == (
        "default-src 'none'; base-uri 'none'; style-src 'unsafe-inline'; connect-src 'self'; "
        "script-src 'self' https://cdn.shopify.com; "
        f"frame-ancestors https://{SHOP} https://admin.shopify.com"
    )
    assert page.headers["Cache-Control"] == "no-store"


def test_session_of_another_shop_never_shows_this_one(client, shopify_grants):
    shopify_grants()
    client.get("/install/shopify", query_string={"id_token": session_token()})
    mine = str(publishable_key(stores()[0].id))
    stranger = session_token(dest="https://other.myshopify.com", iss="https://other.myshopify.com/admin")

    # whatever else the address says
    page = client.get("/install/shopify", query_string={"id_token": stranger, "shop": SHOP})
    call = client.post(
        f"/install/shopify/session?shop={SHOP}", headers={"Authorization": f"Bearer {stranger}"}
    )

    assert (page.status_code, mine in page.text, SHOP in page.text) == (200, False, False)
    assert call.json["store"] == "other.myshopify.com"
    assert f"https://{SHOP}" not in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        (oauth.StaleSessionToken("Old."), 401, ("X-Shopify-Retry-Invalid-Session-Request", "1")),
        (Throttled("Wait.", 7.2), 503, ("Retry-After", "8")),
        (Unreachable("Away."), 503, ("Retry-After", "5")),
        (Rejected("No."), 400, ("Cache-Control", "no-store")),
    ],
    ids=["stale", "throttled", "away", "refused"],
)
def test_refused_exchange_is_told(client, shopify_grants, begun, error, status, header):
    shopify_grants(error)

    answer = client.post("/install/shopify/session", headers={"Authorization": f"Bearer {session_token()}"})

    refusal(answer, status)
    assert answer.headers[header[0]] == header[1]
    assert (stores(), begun) == ([], [])


def test_page_whose_session_shopify_finds_old_opens_itself_again(client, shopify_grants):
    shopify_grants(oauth.StaleSessionToken("Old."))

    page = client.get("/install/shopify", query_string={"id_token": session_token()})

    assert (page.status_code, 'id="reopen"' in page.text) == (401, True)


def test_grant_that_lacks_scopes_connects_nothing(client, shopify_grants, begun):
    shopify_grants(frozenset(scopes.REQUIRED) - {"read_orders"})

    answer = client.post("/install/shopify/session", headers={"Authorization": f"Bearer {session_token()}"})

    assert refusal(answer, 400) == "The shop did not grant read_orders; install Pannier again."
    assert (stores(), begun) == ([], [])


@pytest.mark.parametrize(
    "change",
    [
        {"uninstalled_at": now()},
        {"connection_problem": "The token is dead."},
        {"connected_at": None},
        {"credentials": {"access_token": "old", "scopes": ["read_products"]}},
    ],
    ids=["uninstalled", "dead", "disconnected", "scopes"],
)
def test_opening_the_app_mends_a_connection(client, shopify_grants, begun, change):
    asked = shopify_grants()
    client.get("/install/shopify", query_string={"id_token": session_token()})
    (store,) = stores()
    key = publishable_key(store.id)
    for name, value in change.items():
        setattr(store, name, value)
    db.session.commit()

    client.get("/install/shopify", query_string={"id_token": session_token()})

    (store,) = stores()
    assert (len(asked), begun) == (2, [store.id] * 2)
    assert (store.uninstalled_at, store.connection_problem) == (None, None)
    assert (store.credentials["access_token"], publishable_key(store.id)) == ("shpat_secret", key)


def test_two_who_open_a_new_app_at_once_share_one_token(client, public_app, shopify_grants, monkeypatch):
    asked = shopify_grants()
    exchange, entered, both = oauth.exchange_session_token, threading.Event(), threading.Event()

    def slow(*given: Any) -> oauth.Grant:
        entered.set()
        both.wait(0.5)  # the other one has time to come as far as it can
        return exchange(*given)

    monkeypatch.setattr(oauth, "exchange_session_token", slow)

    def opened(first: bool) -> int:
        if not first:
            assert entered.wait(10)
        return (
            public_app.test_client()
            .get("/install/shopify", query_string={"id_token": session_token()})
            .status_code
        )

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(opened, [True, False])) == [200, 200]

    assert len(asked) == 1


# --- Shopify: the code grant ----------------------------------------------------------------------------


def go_to_shopify(client: FlaskClient, **changes: Any) -> str:
    """Make the first call of an installation, and return its state."""
    answer = client.get(f"/install/shopify?{signed(**changes)}", base_url=PUBLIC)
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.location).query)["state"][0]


def come_from_shopify(
    client: FlaskClient, given: str | None, secret: str = SECRET, **changes: Any
) -> TestResponse:
    query = signed(secret, **{"code": "c0de", "state": given, **changes})
    return client.get(f"/install/shopify/callback?{query}", base_url=PUBLIC)


def test_signed_first_call_begins_the_code_grant(client):
    answer = client.get(f"/install/shopify?{signed()}", base_url=PUBLIC)

    page, _, query = answer.location.partition("?")
    asked = {name: value for name, (value,) in parse_qs(query).items()}
    state = asked.pop("state")
    assert (answer.status_code, page) == (302, f"https://{SHOP}/admin/oauth/authorize")
    assert asked == {
        "client_id": CLIENT_ID,
        "scope": ",".join(scopes.REQUIRED),
        "redirect_uri": f"{PUBLIC}/install/shopify/callback",
    }
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"pannier_install={state}; ")
    assert set(cookie.split("; ")[1:]) >= {
        "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=600", "Path=/install/shopify/callback",
    }  # fmt: skip


@pytest.mark.parametrize(
    "query",
    [
        lambda: "",
        lambda: f"shop={SHOP}",
        lambda: signed("shpss_ffffffffffffffffffffffffffffffff"),
        lambda: signed(timestamp=int(now().timestamp()) - 100),
        lambda: signed(shop="evil.example"),
        lambda: signed(shop=None),
        lambda: signed() + f"&shop={SHOP}",
        lambda: signed() + "&more=1",
        lambda: signed().replace(SHOP, "other.myshopify.com"),
    ],
    ids=["nothing", "unsigned", "another key", "old", "no shop", "without shop", "twice", "more", "changed"],
)
def test_first_call_that_shopify_did_not_sign_begins_nothing(client, query):
    answer = client.get(f"/install/shopify?{query()}", base_url=PUBLIC)

    assert refusal(answer, 401) == "Open Pannier from the Apps page of the Shopify admin."
    assert (states(), "Set-Cookie" in answer.headers) == (0, False)


def test_code_connects_the_shop_and_the_cookie_goes(client, shopify_grants, begun):
    asked = shopify_grants()
    state = go_to_shopify(client)

    page = come_from_shopify(client, state)

    (store,) = stores()
    assert page.status_code == 200
    assert str(publishable_key(store.id)) in page.text
    assert (asked, begun) == ([(SHOP, "c0de")], [store.id])
    assert "pannier_install=;" in page.headers["Set-Cookie"]


def forge_callback(client: FlaskClient, state: str, kind: str) -> TestResponse:
    if kind == "no cookie":
        return come_from_shopify(client.application.test_client(), state)
    if kind == "other browser":
        other = client.application.test_client()
        go_to_shopify(other)
        return come_from_shopify(other, state)
    if kind == "used":
        come_from_shopify(client, state)
        client.set_cookie(
            "pannier_install", state, domain="pannier.example", path="/install/shopify/callback"
        )
    if kind == "late":
        age(1801)
    if kind == "other platform":
        state = begin(client)
        client.set_cookie(
            "pannier_install", state, domain="pannier.example", path="/install/shopify/callback"
        )
    given = {"no state": None, "empty state": ""}.get(kind, state)
    changes: dict[str, Any] = {
        "other shop": {"shop": "other.myshopify.com"},
        "old": {"timestamp": int(now().timestamp()) - 100},
    }.get(kind, {})
    secret = "shpss_ffffffffffffffffffffffffffffffff" if kind == "another key" else SECRET
    return come_from_shopify(client, given, secret, **changes)


@pytest.mark.parametrize(
    "kind",
    [
        "another key", "old", "no cookie", "other browser", "used", "late", "other platform", "other shop",
        "no state", "empty state",
    ],
)  # fmt: skip
def test_forged_callback_connects_nothing(client, shopify_grants, begun, kind):
    asked = shopify_grants()
    state = go_to_shopify(client)

    answer = forge_callback(client, state, kind)

    refusal(answer, 401)
    made = 1 if kind == "used" else 0
    assert (len(asked), len(stores()), len(begun)) == (made, made, made)


def test_code_that_shopify_refuses_is_told(client, shopify_grants, begun):
    shopify_grants(Rejected("Shopify refuses the app an access token (status 400)."))
    state = go_to_shopify(client)

    answer = come_from_shopify(client, state)

    assert refusal(answer, 400) == "Shopify refuses the app an access token (status 400)."
    assert (stores(), begun) == ([], [])


def test_code_grant_that_lacks_scopes_connects_nothing(client, shopify_grants):
    shopify_grants(frozenset())
    state = go_to_shopify(client)

    assert refusal(come_from_shopify(client, state), 400).startswith(
        "The shop did not grant read_customer_merge, read_customers, "
    )
    assert stores() == []


# --- Shopify: the shop's own pages ----------------------------------------------------------------------


def proxy_query(secret: str = SECRET, **changes: Any) -> str:
    given = {
        "shop": SHOP, "path_prefix": "/apps/pannier", "timestamp": str(int(now().timestamp())),
        "logged_in_customer_id": "", **changes,
    }  # fmt: skip
    message = "".join(sorted(f"{name}={value}" for name, value in given.items()))
    return urlencode({**given, "signature": hmac.new(secret.encode(), message.encode(), sha256).hexdigest()})


@pytest.fixture
def proxied_store(app: Flask) -> Store:
    store, _ = add_store("shopify", SHOP)
    db.session.commit()
    return store


def test_page_of_the_shop_learns_its_key(client, proxied_store):
    answer = client.get(f"/install/shopify/proxy?{proxy_query()}")

    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json == {"key": publishable_key(proxied_store.id), "address": PUBLIC}
    assert answer.headers["Cache-Control"] == "no-store"


def test_customer_who_is_logged_in_gets_a_token(client, proxied_store):
    answer = client.get(
        f"/install/shopify/proxy?{proxy_query(logged_in_customer_id='7012345678901', of='ab' * 32)}"
    )

    assert answer.status_code == 200
    assert set(answer.json) == {"key", "address", "customer_token"}
    assert tokens.read(proxied_store.id, answer.json["customer_token"], now()) == "7012345678901"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "query",
    [
        lambda: "",
        lambda: proxy_query("shpss_ffffffffffffffffffffffffffffffff"),
        lambda: proxy_query("x").replace("signature=", "signature=&x="),
        lambda: proxy_query(timestamp=int(now().timestamp()) - 100),
        lambda: proxy_query() + f"&shop={SHOP}",
        lambda: proxy_query() + "&more=1",
        lambda: proxy_query(shop="other.myshopify.com"),
        lambda: proxy_query(shop="evil.example"),
        lambda: proxy_query().replace("logged_in_customer_id=", "logged_in_customer_id=7"),
    ],
    ids=["nothing", "another key", "empty", "old", "twice", "more", "unknown shop", "no shop", "who"],
)
def test_forged_proxy_call_learns_nothing(client, proxied_store, query):
    answer = client.get(f"/install/shopify/proxy?{query()}")

    assert refusal(answer, 401) == "This call does not come from the shop."


def test_page_of_an_uninstalled_shop_learns_nothing(client, proxied_store):
    proxied_store.uninstalled_at = now()
    db.session.commit()

    refusal(client.get(f"/install/shopify/proxy?{proxy_query()}"), 401)


@pytest.mark.parametrize("known", [None, CLIENT_ID], ids=["no key", "key"])
@pytest.mark.parametrize("secret", [None, ""], ids=["unset", "empty"])
def test_without_a_secret_nothing_is_signed(app, make_app, proxied_store, known, secret):
    unset = make_app(shopify_api_key=known, shopify_api_secret=secret, shopify_old_api_secret=secret)
    client = unset.test_client()
    zero = jwt.utils.base64url_encode(hmac.new(b"", b"", sha256).digest()).decode()
    head, claims, _ = session_token(aud=known or "").split(".")
    empty = hmac.new(b"", f"{head}.{claims}".encode(), sha256).digest()
    tokens = [
        f"{head}.{claims}.{jwt.utils.base64url_encode(empty).decode()}",
        f"{head}.{claims}.{zero}",
        unsigned_token(),
    ]

    statuses = [
        client.get(f"/install/shopify?{signed('')}").status_code,
        client.get(f"/install/shopify/callback?{signed('', code='c', state='s')}").status_code,
        client.get(f"/install/shopify/proxy?{proxy_query('')}").status_code,
        *(client.get(f"/install/shopify?id_token={token}").status_code for token in tokens),
    ]

    assert set(statuses) == {401}
    assert states() == 0


# --- the brake, and the script --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.post("/install/woocommerce/callback", data=b"{"),
        lambda client: call_back(client, "A" * 43),
        lambda client: client.get("/install/shopify"),
        lambda client: client.get("/install/shopify?id_token=a.b.c"),
        lambda client: client.post("/install/shopify/session"),
        lambda client: client.get("/install/shopify/callback"),
        lambda client: client.get("/install/shopify/proxy"),
        lambda client: client.get("/install/woocommerce", query_string={"store_url": SITE}),
    ],
    ids=["shape", "state", "first call", "page", "session", "callback", "proxy", "beginning"],
)
def test_trying_is_not_free(client, public_app, call):
    public_app.extensions["pannier_failures"] = FailureLimiter(12, clock=lambda: 5.0)  # two in ten seconds

    answers = [call(client).status_code for _ in range(4)]

    assert 429 not in answers[:2]
    assert answers[2:] == [429, 429]
    assert states() <= 2


def test_script_of_the_home_is_served_as_one(client):
    answer = client.get("/install/home.js")

    assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
    assert "/install/shopify/session" in answer.text
    answer.close()
