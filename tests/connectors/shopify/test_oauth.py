"""Tokens of a shop: asked for over HTTP from a peer on the loopback, kept by many workers at once."""

import hmac
import json
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from app.commerce.store import StoreError
from connectors.errors import NotFound, PlatformError, ReconnectNeeded, Rejected, Throttled, Unreachable
from connectors.shopify import oauth
from connectors.shopify.oauth import App, Grant, StaleSessionToken, TokenKeeper

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SHOP = "pannier-test.myshopify.com"
SECRET = "shpss_0123456789abcdef0123456789abcdef"
REFRESH_TOKEN = "shprt_of-the-first-grant"
SESSION_TOKEN = "the.session.token"
GRANTED = {
    "access_token": "shpat_new",
    "scope": "read_orders,write_app_proxy",
    "expires_in": 3600,
    "refresh_token": "shprt_new",
    "refresh_token_expires_in": 7_776_000,
}
NEW = Grant(
    "shpat_new",
    frozenset({"read_orders", "write_app_proxy"}),
    NOW + timedelta(hours=1),
    "shprt_new",
    NOW + timedelta(days=90),
)
OLD = Grant("shpat_old", NEW.scopes, NOW + timedelta(minutes=30), REFRESH_TOKEN, NOW + timedelta(days=60))


# --- the callback ---------------------------------------------------------------------------------------

DOCUMENTED = (
    "code=0907a61c0c8d55e99db179b68161bc00&shop=some-shop.myshopify.com&state=0.6784241404160823"
    "&timestamp=1337178173&hmac=700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c328fc4bf"
)
SENT = datetime.fromtimestamp(1337178173, UTC)
CALLBACK = [
    ("code", "0907a61c0c8d55e99db179b68161bc00"),
    ("host", "YWRtaW4uc2hvcGlmeS5jb20vc3RvcmUvc29tZS1zaG9w"),
    ("shop", "some-shop.myshopify.com"),
    ("state", "0.67"),
    ("timestamp", "1337178173"),
]


def signed(pairs: list[tuple[str, str]], message: str | None = None, secret: bytes = b"hush") -> str:
    """Return a query signed over ``message``, by default over its pairs as they are."""
    text = "&".join(sorted(f"{name}={value}" for name, value in pairs)) if message is None else message
    return urlencode([*pairs, ("hmac", hmac.digest(secret, text.encode(), "sha256").hex())])


@pytest.mark.parametrize(
    "parameters",
    [DOCUMENTED, DOCUMENTED.encode(), {n: [v] for n, v in (p.split("=") for p in DOCUMENTED.split("&"))}],
    ids=["text", "bytes", "values"],
)
def test_documented_callback_is_genuine(parameters):
    assert oauth.callback_is_genuine(parameters, [b"hush"], SENT) is True
    assert oauth.callback_is_genuine(parameters, [b"new", b"hush"], SENT) is True
    assert oauth.callback_is_genuine(parameters, [b"new"], SENT) is False
    assert oauth.callback_is_genuine(parameters, [], SENT) is False


def test_first_call_without_a_code_is_genuine_too():
    assert oauth.callback_is_genuine(signed(CALLBACK[1:3] + CALLBACK[4:]), [b"hush"], SENT) is True


def test_list_is_signed_as_ruby_writes_it():
    pairs = [*CALLBACK, ("ids[]", "1"), ("ids[]", "2")]
    usual = "&".join(f"{name}={value}" for name, value in CALLBACK)
    message = usual.replace("&shop=", '&ids=["1", "2"]&shop=')

    assert oauth.callback_is_genuine(signed(pairs, message), [b"hush"], SENT) is True
    assert oauth.callback_is_genuine(signed(pairs[:-1], message), [b"hush"], SENT) is False


def test_delimiters_in_values_cannot_move_from_one_parameter_to_another():
    # given what Shopify signed for one parameter with an ampersand in it
    genuine = signed(
        [*CALLBACK, ("x", "1&y=2%")], "&".join(f"{n}={v}" for n, v in CALLBACK) + "&x=1%26y=2%25"
    )
    signature = genuine.rpartition("hmac=")[2]

    # then the same text as two parameters is not what was signed
    assert oauth.callback_is_genuine(genuine, [b"hush"], SENT) is True
    split = urlencode([*CALLBACK, ("x", "1"), ("y", "2%"), ("hmac", signature)])
    assert oauth.callback_is_genuine(split, [b"hush"], SENT) is False


@pytest.mark.parametrize("name", ["code", "shop", "state", "timestamp", "host"])
def test_parameter_that_comes_twice_is_refused_although_signed(name):
    double = [*CALLBACK, (name, dict(CALLBACK)[name])]

    assert oauth.callback_is_genuine(signed(CALLBACK), [b"hush"], SENT) is True
    for message in (None, "&".join(f"{n}={v}" for n, v in CALLBACK)):
        assert oauth.callback_is_genuine(signed(double, message), [b"hush"], SENT) is False


def test_second_signature_is_refused():
    assert oauth.callback_is_genuine(f"{DOCUMENTED}&hmac={'0' * 64}", [b"hush"], SENT) is False


@pytest.mark.parametrize(("off_s", "genuine"), [(-91, False), (-90, True), (90, True), (91, False)], ids=str)
def test_callback_may_be_ninety_seconds_off(off_s, genuine):
    moment = SENT + timedelta(seconds=off_s)

    assert oauth.callback_is_genuine(DOCUMENTED, [b"hush"], moment) is genuine


@pytest.mark.parametrize(
    "change",
    [
        {"shop": "evil.example"},
        {"shop": "some-shop.myshopify.com.evil.example"},
        {"shop": "some-shop.myshopify.com\n"},
        {"shop": None},
        {"timestamp": None},
        {"timestamp": "soon"},
    ],
    ids=repr,
)
def test_signed_nonsense_is_refused(change):
    pairs = [(n, v) for n, v in (dict(CALLBACK) | change).items() if v is not None]

    assert oauth.callback_is_genuine(signed(pairs), [b"hush"], SENT) is False


def test_empty_secret_signs_nothing():
    assert oauth.callback_is_genuine(signed(CALLBACK, secret=b""), [b""], SENT) is False


@given(st.one_of(st.text(), st.binary(), st.dictionaries(st.text(), st.lists(st.text()))))
def test_no_callback_raises_and_none_is_believed(parameters):
    assert oauth.callback_is_genuine(parameters, [b"hush"], SENT) is False


def test_authorize_address_carries_everything_escaped():
    address = oauth.authorize_url(
        oauth.ADDRESS,
        SHOP,
        "abc",
        ["read_orders", "read_products"],
        "https://pannier.example/cb?x=1",
        "a&b",
    )

    assert address == (
        "https://pannier-test.myshopify.com/admin/oauth/authorize?client_id=abc"
        "&scope=read_orders%2Cread_products&redirect_uri=https%3A%2F%2Fpannier.example%2Fcb%3Fx%3D1&state=a%26b"
    )


def test_address_of_a_foreign_host_is_never_built():
    with pytest.raises(StoreError):
        oauth.authorize_url(oauth.ADDRESS, "evil.example/x", "abc", [], "https://pannier.example", "s")


# --- the token endpoint ---------------------------------------------------------------------------------


@dataclass
class Peer:
    """Shopify's token endpoint: answers in turn (the last one for good), and remembers what it was asked."""

    address: str
    answers: list[tuple[int, Any, dict[str, str]]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def say(self, status: int, body: Any = None, **headers: str) -> None:
        self.answers.append((status, body, headers))

    def app(self) -> App:
        return App("client-id", SECRET, f"{self.address}/{{shop}}")


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A peer on the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.paths.append(self.path)
            made.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body, headers = made.answers.pop(0) if len(made.answers) > 1 else made.answers[0]
            if status == 0:  # the answer gets lost
                self.close_connection = True
                return
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Peer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def test_code_is_exchanged_for_a_grant_that_expires(peer):
    peer.say(200, GRANTED)

    assert oauth.exchange_code(peer.app(), SHOP, "the-code", NOW) == NEW
    assert peer.paths == [f"/{SHOP}/admin/oauth/access_token"]
    assert peer.asked == [
        {"client_id": "client-id", "client_secret": SECRET, "code": "the-code", "expiring": 1}
    ]


def test_session_token_is_exchanged_for_an_offline_grant_that_expires(peer):
    peer.say(200, GRANTED)

    assert oauth.exchange_session_token(peer.app(), SHOP, SESSION_TOKEN, NOW) == NEW
    assert peer.asked == [
        {
            "client_id": "client-id",
            "client_secret": SECRET,
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": SESSION_TOKEN,
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "requested_token_type": "urn:shopify:params:oauth:token-type:offline-access-token",
            "expiring": "1",
        }
    ]


def test_refresh_token_is_exchanged_for_the_next_pair(peer):
    peer.say(200, GRANTED)

    assert oauth.refresh(peer.app(), SHOP, OLD, NOW) == NEW
    assert peer.asked == [
        {
            "client_id": "client-id",
            "client_secret": SECRET,
            "grant_type": "refresh_token",
            "refresh_token": REFRESH_TOKEN,
        }
    ]


@pytest.mark.parametrize(
    "grant",
    [replace(OLD, refresh_expires_at=NOW), replace(OLD, refresh_token=None)],
    ids=["ended", "none"],
)
def test_chain_that_has_ended_is_not_asked_for(peer, grant):
    with pytest.raises(ReconnectNeeded):
        oauth.refresh(peer.app(), SHOP, grant, NOW)

    assert peer.asked == []


def test_token_of_a_custom_app_never_expires(peer):
    peer.say(200, {"access_token": "shpat_custom", "scope": "read_orders"})

    grant = oauth.exchange_code(peer.app(), SHOP, "the-code", NOW)

    assert grant == Grant("shpat_custom", frozenset({"read_orders"}))
    assert oauth.needs_renewal(grant, NOW + timedelta(days=3650)) is False


@pytest.mark.parametrize(
    ("status", "body", "error", "sentence"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": REFRESH_TOKEN},
            ReconnectNeeded,
            "Shopify no longer accepts the shop's permission: open the app there once more.",
        ),
        (
            400,
            {"error": "invalid_subject_token"},
            StaleSessionToken,
            "The session token is too old: the page has to fetch a new one.",
        ),
        (
            400,
            {"error": "invalid_request", "error_description": f"code was used: {SECRET}"},
            Rejected,
            "Shopify refuses the app an access token (status 400, invalid_request).",
        ),
        (
            401,
            {"error": SECRET},
            Rejected,
            "Shopify refuses the app an access token (status 401).",
        ),
        (404, b"<html>", NotFound, "Shopify knows no such shop."),
        (402, b"", Unreachable, "The shop is closed or frozen at present."),
        (423, b"", Unreachable, "The shop is closed or frozen at present."),
        (500, b"", Unreachable, "Shopify gave no usable answer for an access token (status 500)."),
        (
            503,
            {"error": "invalid_grant"},
            Unreachable,
            "Shopify gave no usable answer for an access token (status 503).",
        ),
        (302, b"", Unreachable, "Shopify gave no usable answer for an access token (status 302)."),
        (201, GRANTED, Unreachable, "Shopify gave no usable answer for an access token (status 201)."),
    ],
)
def test_refusals_have_their_meaning(peer, status, body, error, sentence):
    # given
    peer.say(status, body, Location=f"{peer.address}/elsewhere")

    # when
    with pytest.raises(PlatformError) as caught:
        oauth.refresh(peer.app(), SHOP, OLD, NOW)

    # then it is that very error, asked for once
    assert (type(caught.value), str(caught.value)) == (error, sentence)
    assert len(peer.asked) == 1


@pytest.mark.parametrize(
    ("said", "waited"),
    [("7", 7.0), ("0.5", 0.5), ("0", 2.0), ("-3", 2.0), ("nan", 2.0), ("soon", 2.0), ("1e9", 3600.0)],
)
def test_patience_is_what_shopify_asks_for_within_reason(peer, said, waited):
    peer.say(429, b"", Retry_After=said)

    with pytest.raises(Throttled) as caught:
        oauth.refresh(peer.app(), SHOP, OLD, NOW)

    assert caught.value.retry_after_s == waited


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>busy</html>",
        b"\xff\xfe",
        b"[" * 60_000,
        [],
        {},
        GRANTED | {"access_token": ""},
        GRANTED | {"access_token": 7},
        GRANTED | {"access_token": "two words"},
        GRANTED | {"access_token": "split\r\nX-Header: 1"},
        GRANTED | {"scope": ["read_orders"]},
        GRANTED | {"refresh_token": None},
        GRANTED | {"expires_in": "3600"},
        GRANTED | {"expires_in": True},
        GRANTED | {"expires_in": -1},
        GRANTED | {"expires_in": 1e300},
        GRANTED | {"expires_in": 1 << 80},
        GRANTED | {"padding": "x" * 70_000},
    ],
    ids=lambda body: str(body)[:30],
)
def test_unusable_answer_is_no_answer(peer, body):
    peer.say(200, body)

    with pytest.raises(Unreachable, match=r"^Shopify gave no usable answer for an access token\.$"):
        oauth.refresh(peer.app(), SHOP, OLD, NOW)


def test_lost_answer_tells_nothing_of_what_was_sent(peer):
    peer.say(0)

    with pytest.raises(Unreachable) as caught:
        oauth.refresh(peer.app(), SHOP, OLD, NOW)

    told = "".join(traceback.format_exception(caught.value))
    assert str(caught.value) == "Shopify could not be reached for an access token."
    assert SECRET not in told
    assert REFRESH_TOKEN not in told


@pytest.mark.parametrize(
    "failure",
    [
        requests.ConnectionError,
        requests.ReadTimeout,
        requests.exceptions.SSLError,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
        requests.exceptions.InvalidURL,
    ],
)
def test_no_error_of_the_library_comes_through(monkeypatch, failure):
    # given an error whose text holds what was sent
    def post(*args: Any, **options: Any) -> Any:
        raise failure(f"while sending {options['json']}")

    monkeypatch.setattr(requests, "post", post)

    # when
    with pytest.raises(Unreachable) as caught:
        oauth.exchange_session_token(App("client-id", SECRET), SHOP, SESSION_TOKEN, NOW)

    # then
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in told
    assert SESSION_TOKEN not in told


def test_request_has_a_timeout_and_follows_no_redirect(monkeypatch):
    options: dict[str, Any] = {}

    def post(url: str, **given: Any) -> Any:
        options.update(given, url=url)
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "post", post)
    with pytest.raises(Unreachable):
        oauth.exchange_code(App("client-id", SECRET), SHOP, "the-code", NOW)

    assert options["url"] == f"https://{SHOP}/admin/oauth/access_token"
    assert options["timeout"] == (5, 15)
    assert options["allow_redirects"] is False


def test_secrets_go_to_no_other_host(peer):
    with pytest.raises(StoreError):
        oauth.exchange_code(peer.app(), "evil.example", "the-code", NOW)

    assert peer.asked == []


@pytest.mark.parametrize("holder", [NEW, App("client-id", SECRET)], ids=["grant", "app"])
def test_printing_shows_no_secret(holder):
    for secret in ("shpat_", "shprt_", "shpss_"):
        assert secret not in f"{holder} {holder!r}"


@pytest.mark.parametrize(
    ("left", "needed"),
    [(timedelta(minutes=5, seconds=1), False), (timedelta(minutes=5), True), (-timedelta(days=1), True)],
    ids=str,
)
def test_token_is_renewed_five_minutes_early(left, needed):
    assert oauth.needs_renewal(replace(NEW, expires_at=NOW + left), NOW) is needed


# --- the keeper -----------------------------------------------------------------------------------------


class Shop:
    """A shop's grant behind a lock, as a database row keeps it, and Shopify's rules for refreshing it.

    What is saved counts only when the lock is left without an error. A refresh ends the former access token;
    the former refresh token works until the new pair is used.
    """

    def __init__(self, grant: Grant = OLD) -> None:
        self.stored = grant
        self.refreshed_with: list[str | None] = []
        self.trouble: list[Callable[[], None]] = []  # each befalls one refresh, after Shopify has done it
        self.issued = [grant]
        self._lock = threading.Lock()
        self._saved: Grant | None = None
        self._used = True

    @contextmanager
    def locked(self) -> Iterator[Grant]:
        with self._lock:
            self._saved = None
            yield self.stored
            self.stored = self._saved or self.stored

    def save(self, grant: Grant) -> None:
        assert self._lock.locked()
        self._saved = grant

    def refresh(self, grant: Grant) -> Grant:
        assert self._lock.locked()
        self.refreshed_with.append(grant.refresh_token)
        current = self.issued[-1]
        retried = not self._used and grant.refresh_token == self.issued[-2].refresh_token
        if grant.refresh_token != current.refresh_token and not retried:
            raise ReconnectNeeded("invalid_grant")
        number = len(self.issued)
        self.issued.append(replace(NEW, access_token=f"shpat_{number}", refresh_token=f"shprt_{number}"))
        if retried:
            self.issued[-2] = grant
        self._used = False
        if self.trouble:
            self.trouble.pop(0)()
        return self.issued[-1]

    def accepts(self, token: str) -> bool:
        """Answer a request to the Admin API."""
        fits = token == self.issued[-1].access_token
        self._used = self._used or fits
        return fits

    def keeper(self, now: datetime = NOW) -> TokenKeeper:
        return TokenKeeper(lambda: self.stored, self.locked, self.save, self.refresh, lambda: now)


def lost() -> None:
    raise Unreachable("The answer got lost.")


def throttled() -> None:
    raise Throttled("Patience.", 7)


SOON = NOW + timedelta(minutes=26)  # OLD has four minutes left
ENDED = NOW + timedelta(minutes=31)


def test_young_token_is_handed_out_without_a_lock():
    shop = Shop()

    assert shop.keeper().token() == "shpat_old"
    assert shop.refreshed_with == []


def test_old_token_is_renewed_before_its_end_and_stored():
    shop = Shop()

    assert shop.keeper(SOON).token() == "shpat_1"
    assert shop.stored == shop.issued[1]
    assert shop.keeper(SOON).token() == "shpat_1"
    assert shop.refreshed_with == [REFRESH_TOKEN]


def test_refused_token_is_renewed_once():
    shop = Shop()

    assert shop.keeper().renew("shpat_old") == "shpat_1"
    assert shop.keeper().renew("shpat_old") == "shpat_1"
    assert shop.refreshed_with == [REFRESH_TOKEN]


@pytest.mark.parametrize(
    "ask",
    [lambda shop: shop.keeper(SOON).token(), lambda shop: shop.keeper().renew("shpat_old")],
    ids=["early", "refused"],
)
def test_workers_that_refresh_at_once_make_one_call(ask):
    # given eight workers who begin together, all with the old token
    shop = Shop()
    arrived = threading.Barrier(8)

    def work(_: int) -> str:
        arrived.wait(10)
        return ask(shop)

    # when
    with ThreadPoolExecutor(8) as workers:
        tokens = list(workers.map(work, range(8)))

    # then
    assert tokens == ["shpat_1"] * 8
    assert shop.refreshed_with == [REFRESH_TOKEN]
    assert shop.accepts(tokens[0])


def test_second_worker_waits_for_the_first_and_takes_its_token():
    # given a worker in the middle of a refresh, and another at the lock
    shop = Shop()
    in_refresh, may_end = threading.Event(), threading.Event()

    def linger() -> None:
        in_refresh.set()
        assert may_end.wait(10)

    shop.trouble = [linger]

    # when
    with ThreadPoolExecutor(2) as workers:
        first = workers.submit(shop.keeper().renew, "shpat_old")
        assert in_refresh.wait(10)
        second = workers.submit(shop.keeper().renew, "shpat_old")
        may_end.set()
        tokens = [first.result(10), second.result(10)]

    # then
    assert tokens == ["shpat_1", "shpat_1"]
    assert len(shop.refreshed_with) == 1


def test_lost_answer_is_asked_for_again_with_the_same_refresh_token():
    shop = Shop()
    shop.trouble = [lost]

    token = shop.keeper().renew("shpat_old")

    assert shop.refreshed_with == [REFRESH_TOKEN, REFRESH_TOKEN]
    assert token == shop.stored.access_token
    assert shop.accepts(token)


def test_next_worker_goes_on_where_every_answer_got_lost():
    # given that both answers to one worker get lost
    shop = Shop()
    shop.trouble = [lost, lost]
    with pytest.raises(Unreachable):
        shop.keeper().renew("shpat_old")
    assert shop.stored == OLD

    # when another tries
    token = shop.keeper().renew("shpat_old")

    # then the same refresh token still works
    assert shop.refreshed_with == [REFRESH_TOKEN] * 3
    assert shop.accepts(token)


def test_refresh_that_was_not_stored_is_not_used():
    # given a database that fails to commit once
    shop = Shop()
    whole = shop.locked

    @contextmanager
    def failing() -> Iterator[Grant]:
        with whole() as grant:
            yield grant
            raise OSError("no commit")

    keeper = TokenKeeper(lambda: shop.stored, failing, shop.save, shop.refresh, lambda: NOW)
    with pytest.raises(OSError, match="no commit"):
        keeper.renew("shpat_old")

    # when
    token = shop.keeper().renew("shpat_old")

    # then
    assert shop.stored.access_token == token
    assert shop.accepts(token)


def test_throttled_refresh_is_not_repeated_at_once():
    shop = Shop()
    shop.trouble = [throttled]

    with pytest.raises(Throttled):
        shop.keeper().renew("shpat_old")

    assert len(shop.refreshed_with) == 1


@pytest.mark.parametrize("trouble", [[throttled], [lost, lost]], ids=["throttled", "lost"])
def test_token_with_minutes_left_serves_while_the_endpoint_does_not(trouble):
    shop = Shop()
    shop.trouble = list(trouble)

    assert shop.keeper(SOON).token() == "shpat_old"
    assert shop.stored == OLD


def test_token_that_has_ended_does_not_serve():
    shop = Shop()
    shop.trouble = [lost, lost]

    with pytest.raises(Unreachable):
        shop.keeper(ENDED).token()


@pytest.mark.parametrize("now", [SOON, ENDED], ids=["early", "ended"])
def test_dead_chain_needs_the_merchant_and_is_asked_once(now):
    shop = Shop()
    shop.issued = [replace(OLD, refresh_token="shprt_of-somebody-else")]

    with pytest.raises(ReconnectNeeded):
        shop.keeper(now).token()

    assert len(shop.refreshed_with) == 1
    assert shop.stored == OLD


def test_grant_that_the_merchant_renewed_meanwhile_is_taken():
    # given a worker whose token ended because the merchant opened the app
    shop = Shop()
    shop.stored = replace(NEW, access_token="shpat_of-the-merchant")

    assert shop.keeper().renew("shpat_old") == "shpat_of-the-merchant"
    assert shop.refreshed_with == []


def test_keeper_over_http_survives_a_lost_answer(peer):
    # given
    peer.say(0)
    peer.say(200, GRANTED)
    shop = Shop()
    keeper = TokenKeeper(
        lambda: shop.stored,
        shop.locked,
        shop.save,
        lambda grant: oauth.refresh(peer.app(), SHOP, grant, NOW),
        lambda: NOW,
    )

    # then
    assert keeper.renew("shpat_old") == "shpat_new"
    assert shop.stored == NEW
    assert [asked["refresh_token"] for asked in peer.asked] == [REFRESH_TOKEN, REFRESH_TOKEN]
