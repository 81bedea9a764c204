"""WooCommerce's REST API as a real server on loopback plays it: signatures, patience, errors, hidden keys."""

import base64
import gc
import hmac
import logging
import traceback
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote, unquote

import pytest

from connectors.errors import NotFound, PlatformError, ReconnectNeeded, Rejected, Throttled, Unreachable
from connectors.outbound import BadCertificate, TooLarge, TooSlow
from connectors.woocommerce.client import (
    Blocked,
    WooCommerceClient,
    modified_after,
    moved_to,
    store_address,
)
from tests.connectors.scripted_server import Says, scripted_server, shop_certificate

KEY, SECRET = "ck_" + "0123abcd" * 5, "cs_" + "4567cdef" * 5
PAGE = Says(b"<!DOCTYPE html><p>Just a moment...", headers={"Content-Type": "text/html"})


@pytest.fixture
def server():
    with scripted_server() as running:
        yield running


@pytest.fixture(scope="session")
def shop_tls(tmp_path_factory):
    return shop_certificate(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def shop(shop_tls):
    """Return the same server over TLS, as shop.example."""
    with scripted_server(shop_tls[0]) as running:
        running.url = f"https://shop.example:{running.port}"
        yield running


@pytest.fixture
def slept():
    return []


@pytest.fixture
def client(server, slept):
    """Return a client over http, whose waits are written down and take no time."""
    return WooCommerceClient(server.url, KEY, SECRET, allow_loopback=True, sleep=slept.append)


@pytest.fixture
def over_tls(shop, shop_tls, slept):
    """Return a maker of clients over https."""

    def make(**options):
        return WooCommerceClient(
            shop.url,
            KEY,
            SECRET,
            allow_loopback=True,
            resolver=lambda _host, _port: ["127.0.0.1"],
            sleep=slept.append,
            ca_file=shop_tls[1],
            **options,
        )

    return make


def error(code, status, **data):
    """Return an error of WordPress."""
    body = {"code": code, "message": "In the words of the store.", "data": {"status": status} | data}
    return Says(body, status)


def oauth_signature(method, url, query):
    """Sign as WooCommerce's server does: RFC 5849, with its names and values encoded twice."""

    def encoded(text):
        return quote(unquote(text), "").replace("%", "%25")

    pairs = sorted((name, value) for name, value in query.items() if name != "oauth_signature")
    joined = "%26".join(f"{encoded(name)}%3D{encoded(value)}" for name, value in pairs)
    base = f"{method}&{quote(url, '')}&{joined}"
    return base64.b64encode(hmac.digest(f"{SECRET}&".encode(), base.encode(), "sha256")).decode()


def test_https_carries_basic(shop, over_tls):
    shop.says(Says([{"id": 1}], headers={"X-WP-Total": "27", "Link": "<https://x>", "Set-Cookie": "a=b"}))

    answer = over_tls().get("/orders", {"per_page": 100})

    seen = shop.seen[0]
    assert (answer.body, answer.total) == ([{"id": 1}], 27)
    assert (answer.headers["x-wp-total"], "link" in answer.headers, "Set-Cookie" in answer.headers) == (
        "27",
        False,
        False,
    )
    assert (seen.method, seen.path, seen.query) == ("GET", "/wp-json/wc/v3/orders", {"per_page": "100"})
    assert seen.headers["Authorization"] == "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
    assert seen.headers["User-Agent"] == "Pannier"


def test_query_auth_carries_the_keys_and_leaves_the_callers_params_alone(shop, over_tls):
    params = {"page": 2}

    over_tls(query_auth=True).get("orders", params)

    assert shop.seen[0].query == {"page": "2", "consumer_key": KEY, "consumer_secret": SECRET}
    assert "Authorization" not in shop.seen[0].headers
    assert params == {"page": 2}


@pytest.mark.parametrize(
    "params",
    [
        None,
        {"include": [12, 13], "status": ("completed", "on-hold"), "force": True},
        {"modified_after": "2026-11-22T06:00:00", "search": "blue shirt & tie", "none": None},
    ],
)
def test_http_carries_a_signature_that_woocommerce_computes_too(server, client, params):
    client.get("orders", params)

    seen = server.seen[0]
    query = seen.query
    assert query["oauth_signature_method"] == "HMAC-SHA256"
    assert query["oauth_consumer_key"] == KEY
    assert query["oauth_signature"] == oauth_signature("GET", server.url + seen.path, query)
    assert SECRET not in seen.target


def test_parameters_are_written_as_woocommerce_reads_them(shop, over_tls):
    over_tls().get(
        "products", {"include": [12, 13], "status": {"any"}, "a": True, "b": False, "c": None, "d": 1.5}
    )

    assert shop.seen[0].target.partition("?")[2] == "include=12%2C13&status=any&a=true&b=false&d=1.5"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param([], ValueError, id="empty list would mean everything"),
        pytest.param(datetime(2026, 11, 22, tzinfo=UTC), TypeError, id="aware moment"),
        pytest.param([datetime(2026, 11, 22).date()], TypeError, id="date in a list"),  # noqa: DTZ001
        pytest.param({"a": 1}, TypeError, id="mapping"),
        pytest.param(b"x", TypeError, id="bytes"),
    ],
)
def test_parameter_that_would_be_misread_is_refused(server, client, value, kind):
    with pytest.raises(kind, match=r"^include "):
        client.get("products", {"include": value})

    assert server.seen == []


@pytest.mark.parametrize("path", ["", "/", "../wp/v2/users", "orders?per_page=2", "orders//1", "a b", "ö"])
def test_odd_path_is_refused(server, client, path):
    with pytest.raises(ValueError, match="is no path"):
        client.get(path)

    assert server.seen == []


@pytest.mark.parametrize(
    ("call", "method", "target", "body"),
    [
        (lambda c: c.post("webhooks", {"é": [1]}), "POST", "/wp-json/wc/v3/webhooks", '{"é":[1]}'),
        (lambda c: c.put("webhooks/3", {"a": 1}), "PUT", "/wp-json/wc/v3/webhooks/3", '{"a":1}'),
        (lambda c: c.delete("webhooks/3"), "DELETE", "/wp-json/wc/v3/webhooks/3?force=true", ""),
        (
            lambda c: c.delete("webhooks/3", force=False),
            "DELETE",
            "/wp-json/wc/v3/webhooks/3?force=false",
            "",
        ),
    ],
)
def test_writes_are_sent_as_they_are(shop, over_tls, call, method, target, body):
    shop.says(Says({"id": 3}, 201))

    assert call(over_tls()).body == {"id": 3}

    seen = shop.seen[0]
    assert (seen.method, seen.target, seen.body.decode()) == (method, target, body)
    assert seen.headers.get("Content-Type") == ("application/json;charset=utf-8" if body else None)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 22, 6, 0, 0, 999_999, tzinfo=UTC),
        datetime(2026, 11, 22, 7, 0, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_modified_after_is_naive_utc_with_the_flag(moment):
    assert modified_after(moment) == {"modified_after": "2026-11-22T06:00:00", "dates_are_gmt": "true"}


def test_modified_after_needs_a_zone():
    with pytest.raises(ValueError, match="time zone"):
        modified_after(datetime(2026, 11, 22))  # noqa: DTZ001


FLAWS = [
    pytest.param(Says({}, 500), id="500"),
    pytest.param(Says(b"busy", 502), id="502"),
    pytest.param(Says(b"", 503), id="503"),
    pytest.param(Says(b"", 524), id="524"),
    pytest.param(Says({}, 429, {"Retry-After": "0"}), id="429"),
    pytest.param(Says({}, 429), id="429 without a time"),
    pytest.param(PAGE, id="page with 200"),
    pytest.param(Says(b'{"id": 1'), id="broken JSON"),
    pytest.param(Says(b""), id="nothing"),
    pytest.param(Says(hang_up=True), id="reset"),
]


@pytest.mark.parametrize("flaw", FLAWS)
def test_read_is_tried_again(server, client, slept, flaw):
    server.says(flaw, Says({"id": 1}))

    assert client.get("orders/1").body == {"id": 1}

    assert (len(server.seen), len(slept)) == (2, 1)


@pytest.mark.parametrize("flaw", FLAWS)
@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_write_is_sent_once(server, client, slept, flaw, method):
    server.says(flaw, Says({"id": 1}))

    with pytest.raises(Unreachable):
        getattr(client, method)(*(["webhooks/1"] if method == "delete" else ["webhooks/1", {}]))

    assert (len(server.seen), slept) == (1, [])


def test_read_gives_up_after_five_attempts_with_growing_waits(server, client, slept):
    server.says(Says(b"", 503))

    with pytest.raises(Unreachable, match=r"^The store is out of order \(status 503\)\.$"):
        client.get("orders")

    assert len(server.seen) == 5
    assert [2**n * 0.5 <= wait <= 2**n for n, wait in enumerate(slept)] == [True] * 4


@pytest.mark.parametrize("status", [429, 503])
def test_wait_is_at_least_what_the_store_asks(server, client, slept, status):
    server.says(Says(b"", status, {"Retry-After": "7"}), Says([]))

    client.get("orders")

    assert 7.5 <= slept[0] <= 8


def test_wait_until_a_date_is_understood(server, client, slept, time_machine):
    time_machine.move_to(datetime(2026, 11, 22, 7, 0, tzinfo=UTC), tick=False)
    server.says(Says(b"", 429, {"Retry-After": "Sun, 22 Nov 2026 07:00:09 GMT"}), Says([]))

    client.get("orders")

    assert 9.5 <= slept[0] <= 10


@pytest.mark.parametrize(
    ("told", "expected"), [("600", 600.0), ("soon", 30.0), ("", 30.0), ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0)]
)
def test_throttled_tells_how_long(server, client, told, expected):
    server.says(Says(b"", 429, {"Retry-After": told}))

    with pytest.raises(Throttled) as failure:
        client.post("webhooks", {})

    assert failure.value.retry_after_s == expected


def test_wait_beyond_the_total_deadline_is_not_begun(server, client, slept):
    server.says(Says(b"", 503, {"Retry-After": "600"}))

    with pytest.raises(Throttled):
        client.get("orders")

    assert (len(server.seen), slept) == (1, [])


def test_all_attempts_together_end_at_the_total_deadline(server):
    hours = [0.0]

    def sleep(seconds):
        hours[0] += seconds

    server.says(Says(b"", 429, {"Retry-After": "50"}))
    client = WooCommerceClient(
        server.url, KEY, SECRET, allow_loopback=True, sleep=sleep, clock=lambda: hours[0]
    )

    with pytest.raises(Throttled):
        client.get("orders")

    assert len(server.seen) == 3
    assert hours[0] < 120


REDIRECT = {"Location": "https://www.shop.example/wp-json/wc/v3/orders?consumer_secret=" + SECRET}


@pytest.mark.parametrize(
    ("says", "kind", "words"),
    [
        (
            error("woocommerce_rest_cannot_view", 401),
            ReconnectNeeded,
            "The store does not accept the keys (woocommerce_rest_cannot_view): connect it again.",
        ),
        (
            error("woocommerce_rest_authentication_error", 401),
            ReconnectNeeded,
            "The store does not accept the keys (woocommerce_rest_authentication_error): connect it again.",
        ),
        (
            error("woocommerce_rest_cannot_edit", 403),
            ReconnectNeeded,
            "The store does not accept the keys (woocommerce_rest_cannot_edit): connect it again.",
        ),
        (
            error("rest_not_logged_in", 401),
            Rejected,
            "A plugin of the store keeps its REST API shut (rest_not_logged_in): allow it for Pannier.",
        ),
        (
            error("woocommerce_rest_shop_order_invalid_id", 404),
            NotFound,
            "The store does not have this any more (woocommerce_rest_shop_order_invalid_id).",
        ),
        (
            error("rest_no_route", 404),
            Rejected,
            "The store has no such WooCommerce REST API (rest_no_route): is WooCommerce active and current?",
        ),
        (
            error("rest_invalid_param", 400, params={"per_page": "must be between 1 and 100"}),
            Rejected,
            "The store refuses the request (rest_invalid_param), because of per_page.",
        ),
        (
            error("rest_missing_callback_param", 400, params=["topic", "delivery_url"]),
            Rejected,
            "The store refuses the request (rest_missing_callback_param), because of topic, delivery_url.",
        ),
        (
            error("woocommerce_rest_trash_not_supported", 501),
            Rejected,
            "The store refuses the request (woocommerce_rest_trash_not_supported).",
        ),
        (Says({"error": "?"}, 418), Rejected, "The store refuses the request (status 418)."),
        (Says([], 404), Rejected, "The store refuses the request (status 404)."),
        (
            error(SECRET, 400, params={KEY: ""}),
            Rejected,
            "The store refuses the request (…), because of ….",
        ),
        (
            Says(PAGE.body, 403),
            Blocked,
            "A firewall in front of the store turns Pannier away (403): let it through to /wp-json/wc/.",
        ),
        (
            Says(PAGE.body, 406),
            Blocked,
            "A firewall in front of the store turns Pannier away (406): let it through to /wp-json/wc/.",
        ),
        (
            Says(PAGE.body, 501),
            Blocked,
            "A firewall of the host (such as ModSecurity) turns Pannier away (501): let it through.",
        ),
        (
            Says(PAGE.body, 401),
            Blocked,
            "A password protects the whole site (401): let Pannier reach /wp-json/ without it.",
        ),
        (
            Says(PAGE.body, 404),
            Blocked,
            "A page stands where the REST API should be (404): choose Post name under Settings, Permalinks, "
            "and see that WooCommerce is active.",
        ),
        (
            Says(b"", 301, REDIRECT),
            Rejected,
            "The store has moved to https://www.shop.example: register that address.",
        ),
        (
            Says(b"", 307, {"Location": "/shop/wp-json/wc/v3/orders"}),
            Rejected,
            "The store has moved to {url}/shop: register that address.",
        ),
        (
            Says(b"", 302, {"Location": f"http://evil.example/{SECRET}/"}),
            Rejected,
            "The store has moved to http://evil.example/…: register that address.",
        ),
        *(
            (
                Says(b"", 302, headers),
                Rejected,
                "The store redirects its REST API to another page: it must answer where it is asked.",
            )
            for headers in ({}, {"Location": "/wp-json/wc/v3/orders/"}, {"Location": "javascript:alert(1)"})
        ),
    ],
)
def test_refusal_is_told_in_words_and_not_asked_again(server, client, slept, says, kind, words):
    server.says(says)

    with pytest.raises(PlatformError) as failure:
        client.get("orders/1")

    assert (type(failure.value), str(failure.value)) == (kind, words.replace("{url}", server.url))
    assert (len(server.seen), slept) == (1, [])


def test_error_of_the_server_itself_names_its_code(server, client):
    server.says(error("internal_server_error", 500))

    with pytest.raises(
        Unreachable, match=r"^The store is out of order \(status 500, internal_server_error\)"
    ):
        client.post("webhooks", {})


def test_oversized_answer_is_not_asked_for_again(server, client, slept, monkeypatch):
    monkeypatch.setattr(client._outbound, "_max_bytes", 100)
    server.says(Says(b'"' + b"x" * 100 + b'"'))

    with pytest.raises(TooLarge):
        client.get("orders")

    assert (len(server.seen), slept) == (1, [])


def test_bad_certificate_is_not_asked_again(shop, slept):
    client = WooCommerceClient(
        shop.url, KEY, SECRET, allow_loopback=True, resolver=lambda _h, _p: ["127.0.0.1"], sleep=slept.append
    )

    with pytest.raises(BadCertificate):
        client.get("orders")

    assert (shop.seen, slept) == ([], [])


def test_private_address_is_refused_and_not_tried_again(slept):
    client = WooCommerceClient(
        "https://shop.example", KEY, SECRET, resolver=lambda _h, _p: ["169.254.169.254"], sleep=slept.append
    )

    with pytest.raises(Rejected, match="not on the public internet"):
        client.get("orders")

    assert slept == []


def test_plain_http_is_refused_off_loopback():
    client = WooCommerceClient("http://shop.example", KEY, SECRET)

    with pytest.raises(Rejected, match=r"^The address must begin with https://\.$"):
        client.get("orders")


def test_slow_answer_to_a_read_is_asked_for_again(server, slept):
    server.says(Says(drip=True), Says([1]))
    client = WooCommerceClient(
        server.url, KEY, SECRET, allow_loopback=True, sleep=slept.append, timeout_s=1.5
    )

    assert client.get("orders").body == [1]

    assert (len(server.seen), len(slept)) == (2, 1)


def test_slow_answer_to_a_write_is_told_as_such(server, slept):
    server.says(Says(drip=True))
    client = WooCommerceClient(
        server.url, KEY, SECRET, allow_loopback=True, sleep=slept.append, timeout_s=0.5
    )

    with pytest.raises(TooSlow):
        client.post("webhooks", {})

    assert slept == []


def test_byte_order_mark_before_json_is_overlooked(server, client):
    server.says(Says(b'\xef\xbb\xbf{"id": 1}'))

    assert client.get("orders/1").body == {"id": 1}


@pytest.mark.parametrize(
    ("told", "total"), [(None, None), ("0", 0), ("27", 27), ("-1", None), ("9" * 5000, None), ("x", None)]
)
def test_total_is_a_number_or_nothing(server, client, told, total):
    server.says(Says([], headers={} if told is None else {"X-WP-Total": told}))

    assert client.get("orders").total == total


@pytest.mark.parametrize(
    "says",
    [
        Says(b"", 301, REDIRECT),
        error(SECRET, 400),
        error("woocommerce_rest_cannot_view", 401),
        Says(hang_up=True),
        Says(drip=True),
        Says(b"x" * 10, length=20),
        Says(b"x", headers={"Content-Encoding": "gzip"}),
        PAGE,
        Says(b"", 503),
    ],
    ids=["redirect", "echo", "401", "reset", "slow", "short", "unpackable", "page", "503"],
)
@pytest.mark.parametrize("query_auth", [False, True], ids=["basic", "query"])
def test_keys_stand_in_no_exception_and_no_log(shop, over_tls, caplog, says, query_auth):
    shop.says(says)
    client = over_tls(
        query_auth=query_auth, timeout_s=1.5 if says.drip else 30, deadline_s=2 if says.drip else 30
    )

    with caplog.at_level(logging.DEBUG), pytest.raises(PlatformError) as failure:
        client.get("orders")

    told = "".join(traceback.format_exception(failure.value)) + repr(failure.value.args) + caplog.text
    assert shop.seen != []
    assert [secret in told for secret in (KEY, SECRET)] == [False, False]
    assert (failure.value.__context__, failure.value.__cause__) == (None, None)


def test_keys_stand_in_no_repr(server, client):
    server.says(Says([1], headers={"X-Echo": SECRET}))

    told = f"{client!r} {client.get('orders')!r} {client._signer!r} {client._outbound!r}"

    assert SECRET not in told
    assert KEY not in told
    assert repr(client) == f"WooCommerceClient('{server.url}')"


@pytest.mark.parametrize(("key", "secret"), [("", SECRET), (KEY, ""), (KEY, "cs_€"), ("a b", SECRET)])
def test_what_cannot_be_a_key_is_refused(key, secret):
    with pytest.raises(ReconnectNeeded) as failure:
        WooCommerceClient("https://shop.example", key, secret)

    assert str(failure.value) == "The keys hold characters that no WooCommerce key has: connect again."


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://shop.example", "https://shop.example"),
        ("  HTTPS://Shop.Example/  ", "https://shop.example"),
        ("shop.example", "https://shop.example"),
        ("shop.example:8443/Shop/", "https://shop.example:8443/Shop"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://127.0.0.1:80/a//", "http://127.0.0.1/a"),
        ("http://[::1]:8081", "http://[::1]:8081"),
        ("http://127.0.0.1:8081/", "http://127.0.0.1:8081"),
        ("https://bücher.example/", "https://xn--bcher-kva.example"),
    ],
)
def test_store_address_is_kept_in_one_form(typed, kept):
    assert store_address(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "https://",
        "ftp://shop.example",
        "https://shop.example/?a=b",
        "https://shop.example/#a",
        "https://user:secret@shop.example",
        "https://shop.example:port/",
        "https://[::1",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_store_address_is_refused(typed):
    with pytest.raises(Rejected, match=r"^The store's address must be a web address"):
        store_address(typed)


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ("https://www.shop.example/wp-json/?a=b", "https://www.shop.example"),
        ("/de/wp-json/", "https://shop.example/de"),
        ("https://Shop.example:443/wp-json/", "https://shop.example"),
        ("https://shop.example:8443/wp-json", "https://shop.example:8443"),
        ("https://[2606:4700::1]/wp-json", "https://[2606:4700::1]"),
        ("https://user:secret@www.shop.example/", "https://www.shop.example"),
        ("", "https://shop.example"),
        ("mailto:a@b.example", None),
        ("https://[::1", None),
        ("https://shop.example:port/", None),
        ("https://ö.example/", None),
    ],
)
def test_redirect_names_the_store_address(location, address):
    assert moved_to(location, "https://shop.example/wp-json/") == address


def test_no_socket_is_left_open(server, client):
    server.says(Says(b"", 503), PAGE, Says(hang_up=True), Says([]))

    client.get("orders")

    gc.collect()  # an open socket would warn, and warnings are errors
