"""What a store is told to be like, with a real server on loopback that plays stores good and bad."""

import base64
from dataclasses import replace

import pytest

from connectors.woocommerce.probe import Probe, probe
from tests.connectors.scripted_server import Says, scripted_server, shop_certificate

KEY, SECRET = "ck_" + "0123abcd" * 5, "cs_" + "4567cdef" * 5
PAGE = b"<!DOCTYPE html><p>Not found"
INDEX = {"name": "Tea & Co", "timezone_string": "Europe/Berlin", "gmt_offset": 1, "namespaces": ["wc/v3"]}
STATUS = {
    "environment": {"version": "10.5.0", "wp_version": "6.9.1"},
    "settings": {"currency": "EUR", "HPOS_enabled": True},
}
CANNOT_VIEW = Says({"code": "woocommerce_rest_cannot_view", "message": "", "data": {"status": 401}}, 401)
NO_WRITE = Says({"code": "woocommerce_rest_authentication_error", "message": "", "data": {}}, 401)
NO_ROUTE = Says({"code": "rest_no_route", "message": "", "data": {"status": 404}}, 404)
BASIC = "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
REDIRECTED = (
    "The store redirects /wp-json/ to another page: a plugin or the host's rules must leave it alone."
)


class Store:
    """Plays WordPress with WooCommerce; tests change its parts."""

    def __init__(self, server):
        self.server = server
        self.index = Says(INDEX)
        self.plain_index = Says(INDEX)
        self.status = Says(STATUS)
        self.currency = NO_ROUTE
        self.batch = Says([])
        self.accepts = {"basic", "query", "oauth"}

    def __call__(self, seen):
        if not seen.path.startswith("/wp-json/"):
            return self.plain_index if seen.query.get("rest_route") == "/" else Says(PAGE, 404)
        endpoint = seen.path.removeprefix("/wp-json/").removeprefix("wc/v3/")
        if not endpoint:
            return self.index
        if self.way(seen) not in self.accepts:
            return CANNOT_VIEW
        return {
            "system_status": self.status,
            "settings/general/woocommerce_currency": self.currency,
            "webhooks/batch": self.batch,
        }[endpoint]

    @staticmethod
    def way(seen):
        if "consumer_secret" in seen.query:
            return "query"
        return "oauth" if "oauth_signature" in seen.query else "basic"


@pytest.fixture(scope="session")
def shop_tls(tmp_path_factory):
    return shop_certificate(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def store(shop_tls):
    with scripted_server(shop_tls[0]) as server:
        server.url = f"https://shop.example:{server.port}"
        server.answer = Store(server)
        yield server.answer


@pytest.fixture
def look(store, shop_tls):
    """Return a probe of the store; waits take no time."""

    def run(url=None, resolver=lambda _host, _port: ["127.0.0.1"], key=KEY, **options):
        return probe(
            url or store.server.url,
            key,
            SECRET,
            allow_loopback=True,
            resolver=resolver,
            sleep=lambda _seconds: None,
            ca_file=shop_tls[1],
            **options,
        )

    return run


@pytest.fixture
def good(store):
    return Probe(
        store_url=store.server.url,
        reachable=True,
        https=True,
        permalinks=True,
        authenticated=True,
        query_auth=False,
        can_write=True,
        name="Tea & Co",
        woocommerce="10.5.0",
        wordpress="6.9.1",
        hpos=True,
        currency="EUR",
        timezone="Europe/Berlin",
    )


def test_good_store_has_neither_problems_nor_notes(store, look, good):
    assert look(f" {store.server.url}/ ") == good

    assert [(seen.method, seen.path, seen.headers.get("Authorization")) for seen in store.server.seen] == [
        ("GET", "/wp-json/", None),
        ("GET", "/wp-json/wc/v3/system_status", BASIC),
        ("POST", "/wp-json/wc/v3/webhooks/batch", BASIC),
    ]
    assert store.server.seen[1].query == {"_fields": "environment.version,environment.wp_version,settings"}
    assert store.server.seen[2].body == b"{}"


def test_store_over_http_on_loopback_is_asked_with_signatures():
    with scripted_server() as server:
        server.answer = Store(server)

        found = probe(server.url, KEY, SECRET, allow_loopback=True)

        ways = [Store.way(seen) for seen in server.seen[1:]]
    assert (found.https, found.authenticated, found.problems, ways) == (False, True, (), ["oauth", "oauth"])


def test_keys_go_into_the_query_where_the_header_is_lost(store, look, good):
    store.accepts = {"query"}

    found = look()

    note = (
        "The host strips the Authorization header, so keys are sent in the query: ask the host to keep query "
        "strings out of its logs."
    )
    assert found == replace(good, query_auth=True, notes=(note,))
    assert [Store.way(seen) for seen in store.server.seen[1:]] == ["basic", "query", "query"]


def test_keys_that_are_refused_both_ways_are_a_problem(store, look):
    store.accepts = set()

    found = look()

    assert (found.authenticated, found.query_auth, found.can_write) == (False, False, None)
    assert found.problems == (
        "The store does not accept the keys (woocommerce_rest_cannot_view): connect it again. Keys need "
        "Read/Write permission and an administrator or shop manager as their user.",
    )
    assert len(store.server.seen) == 3


def test_keys_that_cannot_be_keys_are_a_problem(store, look):
    found = look(key="ck €")

    assert found.problems[0].startswith("The keys hold characters that no WooCommerce key has")
    assert len(store.server.seen) == 1


def test_read_key_is_a_problem(store, look, good):
    store.batch = NO_WRITE

    problem = (
        "The keys may only read, and Pannier must create webhooks: make keys with Read/Write permission."
    )
    assert look() == replace(good, can_write=False, problems=(problem,))


@pytest.mark.parametrize("batch", [NO_ROUTE, Says(PAGE, 403), Says(PAGE, 500)], ids=["route", "wall", "500"])
def test_unknown_write_permission_is_a_note(store, look, batch):
    store.batch = batch

    found = look()

    assert (found.can_write, found.problems, len(found.notes)) == (None, (), 1)
    assert found.notes[0].startswith("Whether the keys may write could not be found out: ")


def test_redirect_names_the_address_to_register_and_gets_no_keys(store, look):
    elsewhere = f"https://shop.example:{store.server.port}/shop"
    play = store.server.answer

    def answer(seen):
        if seen.path == "/shop/wp-json/":
            return Says(INDEX)
        return (
            Says(b"", 301, {"Location": f"{elsewhere}/wp-json/"}) if seen.path == "/wp-json/" else play(seen)
        )

    store.server.answer = answer

    found = look()

    assert (found.redirects_to, found.authenticated) == (elsewhere, False)
    assert found.problems == (f"The store sends visitors on to {elsewhere}: connect it under that address.",)
    assert [seen.path for seen in store.server.seen] == ["/wp-json/", "/shop/wp-json/"]


@pytest.mark.parametrize(
    "location", ["/wp-login.php?redirect_to=x", "/wp-json/", "", "javascript:alert(1)"], ids=str
)
def test_redirect_to_anything_else_is_a_problem(store, look, location):
    store.index = Says(b"", 302, {"Location": location})

    found = look()

    assert (found.redirects_to, found.problems) == (None, (REDIRECTED,))


def test_endless_redirects_end(store, look):
    store.server.answer = lambda seen: Says(b"", 302, {"Location": f"/a{seen.path}"})

    assert look().problems == (REDIRECTED,)
    assert len(store.server.seen) == 6


def test_redirect_into_a_private_network_is_not_followed(store, look):
    store.index = Says(b"", 302, {"Location": "https://inside.example/wp-json/"})

    found = look(resolver=lambda host, _port: ["127.0.0.1" if host == "shop.example" else "169.254.169.254"])

    assert found.problems == (
        "The host inside.example leads to an address that is not on the public internet.",
    )


@pytest.mark.parametrize(
    ("index", "plain", "words"),
    [
        (Says(PAGE, 404), Says(INDEX), "The store uses plain permalinks"),
        (Says(PAGE, 404), Says(PAGE, 404), "There is no WordPress REST API at {url}/wp-json/"),
        (Says(PAGE), Says(PAGE), "There is no WordPress REST API at {url}/wp-json/"),
        (Says(b'{"name": '), Says(hang_up=True), "There is no WordPress REST API at {url}/wp-json/"),
        (Says(PAGE, 503), Says(PAGE, 503), "The store is out of order (status 503)"),
        (Says(PAGE, 403), Says(PAGE, 403), "A firewall or security plugin turns Pannier away (status 403)"),
        (Says(PAGE, 501), Says(PAGE, 501), "A firewall or security plugin turns Pannier away (status 501)"),
        (Says({"namespaces": ["wp/v2"]}), Says(INDEX), "WooCommerce is not active on this site"),
        (Says(hang_up=True), Says(INDEX), "The connection to shop.example broke off."),
    ],
)
def test_store_without_the_api_is_told_why_and_gets_no_keys(store, look, index, plain, words):
    store.index, store.plain_index = index, plain

    found = look()

    assert found.authenticated is False
    assert len(found.problems) == 1
    assert found.problems[0].startswith(words.replace("{url}", store.server.url))
    assert [seen.path for seen in store.server.seen if "wc/v3" in seen.path] == []


def test_slow_store_is_told_so(store, look):
    store.index = Says(drip=True)

    assert look(timeout_s=0.5).problems == ("The host shop.example did not answer in time.",)


@pytest.mark.parametrize("status", [401, 403])
def test_hidden_index_does_not_stop_the_keys(store, look, good, status):
    store.index = Says({"code": "rest_not_logged_in", "data": {}}, status)

    assert look() == replace(
        good,
        name=None,
        timezone=None,
        notes=("The store does not tell its time zone by name: UTC is used for its days.",),
    )


def test_currency_is_asked_for_where_the_status_lacks_it(store, look, good):
    store.status = Says(STATUS | {"settings": {}})
    store.currency = Says({"id": "woocommerce_currency", "value": "GBP"})

    assert look() == replace(good, currency="GBP", hpos=None)


def test_missing_currency_is_a_problem(store, look):
    store.status = Says(STATUS | {"settings": {"currency": "euro", "HPOS_enabled": False}})

    found = look()

    assert (found.currency, found.hpos) == (None, False)
    assert found.problems == (
        "The store does not tell its currency: choose one under WooCommerce, Settings, General.",
    )


@pytest.mark.parametrize(
    ("name", "offset", "timezone"),
    [
        ("America/New_York", -5, "America/New_York"),
        ("", 1, "Etc/GMT-1"),
        ("", "-3", "Etc/GMT+3"),
        ("", 0, "UTC"),
        (None, 5.5, None),
        ("Mars/Olympus", 99, None),
        ("../../etc/passwd", "x", None),
        ("", None, None),
    ],
)
def test_time_zone_has_a_name_or_none(store, look, name, offset, timezone):
    store.index = Says(INDEX | {"timezone_string": name, "gmt_offset": offset})

    assert look().timezone == timezone


@pytest.mark.parametrize(
    ("version", "problems", "notes"),
    [
        ("5.7.2", ("WooCommerce 5.7.2 is too old: update it to 5.8 or newer.",), ()),
        ("5.8.0", (), ("WooCommerce 5.8.0 is older than Pannier was tried with (9.9): update it.",)),
        ("9.9.5", (), ()),
        ("10.5.0-rc.1", (), ()),
        (105, (), ("The store does not tell its WooCommerce version: Pannier needs 5.8 or newer.",)),
    ],
)
def test_version_is_judged(store, look, version, problems, notes):
    store.status = Says(STATUS | {"environment": {"version": version, "wp_version": "6.9.1"}})

    found = look()

    assert (found.problems, found.notes) == (problems, notes)


@pytest.mark.parametrize(
    "status",
    [
        Says([]),
        Says({"environment": [], "settings": None}),
        Says(PAGE),
        Says(PAGE, 403),
        Says({}, 500),
        Says(b"", 302, {"Location": "/"}),
        Says({"code": 5, "data": []}, 400),
    ],
    ids=["list", "shapes", "page", "wall", "500", "redirect", "400"],
)
def test_odd_status_is_a_problem_and_never_an_exception(store, look, status):
    store.status = status

    found = look()

    assert found.problems != ()
    assert SECRET not in repr(found)


def test_odd_index_is_no_exception(store, look):
    store.index = Says({"name": ["x"], "timezone_string": {}, "gmt_offset": [], "namespaces": "wc/v3"})

    found = look()

    assert (found.name, found.timezone, found.authenticated) == (None, None, True)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "The store's address must be a web address such as https://shop.example."),
        (
            "https://shop.example/?a=b",
            "The store's address must be a web address such as https://shop.example.",
        ),
        ("http://shop.example", "The address must begin with https://."),
        ("https://10.0.0.1", "The host 10.0.0.1 leads to an address that is not on the public internet."),
        ("https://shop.example:22", "The address names port 22: only 443 and 8443 are asked."),
    ],
)
def test_wrong_address_is_a_problem(url, problem):
    found = probe(url, KEY, SECRET, sleep=lambda _seconds: None)

    assert (found.reachable, found.problems) == (False, (problem,))
