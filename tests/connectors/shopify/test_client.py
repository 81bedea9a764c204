"""The client against a small server of this machine."""

import gzip
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic

import pytest
import structlog
from structlog.testing import capture_logs

from connectors.errors import CursorLost, PlatformError, ReconnectNeeded, Rejected, Throttled, Unreachable
from connectors.shopify.client import ShopifyClient, TooCostly

QUERY = "query Q { shop { name } }"
MUTATION = "mutation M { bulkOperationCancel(id: 1) { userErrors { message } } }"
TOKEN = "shpat_secret_of_the_test"
DATA = {"data": {"shop": {"name": "Loom"}}}


class Clock:
    """A clock that only sleeping moves on, and what was slept."""

    def __init__(self):
        self.slept = []
        self._ahead = 0.0

    def __call__(self):
        return monotonic() + self._ahead

    def sleep(self, seconds):
        self.slept.append(round(seconds, 2))
        self._ahead += seconds


class Keys:
    """The tokens of one shop; ``renewals`` are handed out in turn."""

    def __init__(self, token=TOKEN, *renewals):
        self.current = token
        self.renewals = list(renewals)
        self.refused = []

    def token(self):
        return self.current

    def renew(self, used):
        self.refused.append(used)
        if not self.renewals:
            raise ReconnectNeeded("No other key.")
        self.current = self.renewals.pop(0)
        return self.current


class Server:
    """Answers requests in turn with what ``answers`` holds, the last one for ever; keeps what was asked."""

    def __init__(self):
        self.answers = []
        self.requests = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                self.answer(json.loads(self.rfile.read(length)))

            def do_GET(self):
                self.answer(None)

            def answer(self, body):
                server.requests.append((self.path, dict(self.headers), body))
                found = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                status, headers, content = found(self, body) if callable(found) else found
                if status is None:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
                if headers.get("Content-Length"):
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._http.server_port}"

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def answer(body, status=200, **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, content


def cost(requested=50, available=1000, rate=100, maximum=2000):
    bucket = {"maximumAvailable": maximum, "currentlyAvailable": available, "restoreRate": rate}
    return {"cost": {"requestedQueryCost": requested, "actualQueryCost": None, "throttleStatus": bucket}}


def errors(code, message="No.", **more):
    return {"errors": [{"message": message, "extensions": {"code": code}}], **more}


THROTTLED = answer(errors("THROTTLED", extensions=cost(requested=500, available=100)))


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def connect(server, clock):
    def make(shop="loom.myshopify.com", keys=None, **options):
        return ShopifyClient(
            shop, keys or Keys(), address=server.address, sleep=clock.sleep, clock=clock, **options
        )

    return make


def test_a_document_goes_to_graphql_of_the_version_with_the_token_in_the_header_alone(server, connect):
    # given
    server.answers = [answer(DATA | {"extensions": cost(requested=7, available=990)})]

    # when
    result = connect().run(QUERY, {"id": "x"})

    # then
    [(path, headers, body)] = server.requests
    assert result.data == DATA["data"]
    assert (result.errors, result.cost.requested, result.cost.available) == ((), 7, 990)
    assert path == "/admin/api/2026-10/graphql.json"
    assert headers["X-Shopify-Access-Token"] == TOKEN
    assert headers["User-Agent"] == "Pannier"
    assert body == {"query": QUERY, "variables": {"id": "x"}}


def test_data_beside_errors_is_kept(server, connect):
    body = errors("ACCESS_DENIED") | {"data": {"shop": {"name": None}, "orders": {"nodes": []}}}
    server.answers = [answer(body)]

    result = connect().run(QUERY)

    assert result.data == body["data"]
    assert result.errors == tuple(body["errors"])


@pytest.mark.parametrize(
    ("body", "error", "text"),
    [
        pytest.param(
            errors("ACCESS_DENIED", "orders need read_orders") | {"data": None},
            Rejected,
            "Shopify does not let the app see this: orders need read_orders",
            id="denied",
        ),
        pytest.param(
            errors("ACCESS_DENIED", "order") | {"data": {"order": None}},
            Rejected,
            "Shopify does not let the app see this: order",
            id="denied, which is not the same as gone",
        ),
        pytest.param(
            errors("MAX_COST_EXCEEDED"), TooCostly, "Shopify finds the request too large.", id="too costly"
        ),
        pytest.param(
            {"errors": [{"message": "Field 'x' is unknown\n"}]},
            Rejected,
            "Shopify refused the request: Field 'x' is unknown",
            id="wrong document",
        ),
        pytest.param({"errors": "Not so"}, Rejected, "Shopify refused the request: Not so", id="one text"),
        pytest.param(
            {"errors": [{"message": f"bad {TOKEN}"}]},
            Rejected,
            "Shopify refused the request: bad …",
            id="echo",
        ),
        pytest.param(
            errors("SHOP_INACTIVE"),
            ReconnectNeeded,
            "Shopify says that this shop is not active.",
            id="inactive",
        ),
        pytest.param({}, Unreachable, "Shopify's answer is empty.", id="nothing"),
        pytest.param([], Unreachable, "Shopify's answer has an unknown shape.", id="a list"),
        pytest.param({"data": 3}, Unreachable, "Shopify's answer has an unknown shape.", id="no object"),
        pytest.param(
            b"<html>Be right back", Unreachable, "Shopify answered with a page instead of data.", id="a page"
        ),
    ],
)
def test_an_answer_without_data_is_one_sentence(body, error, text, server, connect):
    # given
    server.answers = [answer(body)]

    # when
    with pytest.raises(PlatformError) as raised:
        connect().run(QUERY)

    # then
    assert type(raised.value) is error
    assert str(raised.value) == text
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "error", "word"),
    [
        (402, ReconnectNeeded, "frozen"),
        (404, ReconnectNeeded, "closed"),
        (423, ReconnectNeeded, "locked"),
        (403, Rejected, "403"),
        (301, Unreachable, "elsewhere"),
    ],
)
def test_a_status_that_no_second_attempt_changes(status, error, word, server, connect):
    # given
    server.answers = [answer(b"{}", status, Location="https://evil.example/")]

    # when
    with pytest.raises(PlatformError, match=word) as raised:
        connect().run(QUERY)

    # then
    assert type(raised.value) is error
    assert len(server.requests) == 1


def test_a_refused_token_is_renewed_once(server, connect):
    # given
    keys = Keys("old", "new")
    server.answers = [answer(b"{}", 401), answer(DATA)]

    # when
    result = connect(keys=keys).run(MUTATION)

    # then
    assert result.data == DATA["data"]
    assert keys.refused == ["old"]
    assert [headers["X-Shopify-Access-Token"] for _, headers, _ in server.requests] == ["old", "new"]


def test_a_token_that_is_refused_twice_is_dead(server, connect):
    keys = Keys("old", "new", "newer")
    server.answers = [answer(b"{}", 401)]

    with pytest.raises(ReconnectNeeded, match="open the app in Shopify"):
        connect(keys=keys).run(QUERY)

    assert keys.refused == ["old"]
    assert len(server.requests) == 2


LOST = (None, {}, b"")


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(answer(b"", 500), id="500"),
        pytest.param(answer(b"<html>", 503), id="503"),
        pytest.param(answer(b"", 408), id="408"),
        pytest.param(answer(b"", 429, Retry_After="1"), id="429"),
        pytest.param(answer(errors("INTERNAL_SERVER_ERROR")), id="internal error in a 200"),
        pytest.param(LOST, id="connection lost"),
        pytest.param(answer(b'{"data"', Content_Length="400"), id="cut off"),
        pytest.param(THROTTLED, id="throttled"),
    ],
)
def test_a_query_is_asked_again(trouble, server, connect, clock):
    # given
    server.answers = [trouble, trouble, answer(DATA)]

    # when
    result = connect().run(QUERY)

    # then
    assert result.data == DATA["data"]
    assert len(server.requests) == 3
    assert len(clock.slept) >= 2


def test_a_query_is_given_up_after_five_attempts(server, connect, clock):
    server.answers = [answer(b"", 502)]

    with pytest.raises(Unreachable, match="status 502"):
        connect().run(QUERY)

    assert len(server.requests) == 5
    assert all(low <= slept <= 2 * low for slept, low in zip(clock.slept, (0.25, 0.5, 1, 2), strict=True)), (
        clock.slept
    )


@pytest.mark.parametrize(
    "trouble", [pytest.param(answer(b"", 500), id="500"), pytest.param(LOST, id="connection lost")]
)
def test_a_mutation_that_may_have_been_carried_out_is_not_repeated(trouble, server, connect, clock):
    server.answers = [trouble, answer(DATA)]

    with pytest.raises(Unreachable):
        connect().run(MUTATION)

    assert len(server.requests) == 1
    assert clock.slept == []


@pytest.mark.parametrize(
    "trouble",
    [pytest.param(THROTTLED, id="throttled"), pytest.param(answer(b"", 429, Retry_After="1"), id="429")],
)
def test_a_mutation_that_was_not_carried_out_is_repeated(trouble, server, connect):
    server.answers = [trouble, answer(DATA)]

    assert connect().run(MUTATION).data == DATA["data"]


def test_a_mutation_without_a_connection_is_tried_again(server, connect, clock):
    # given
    client = connect()
    server.close()

    # when
    with pytest.raises(Unreachable, match="did not answer"):
        client.run(MUTATION)

    # then
    assert len(clock.slept) == 4


def test_throttling_waits_as_long_as_the_bucket_needs(server, connect, clock):
    server.answers = [THROTTLED, answer(DATA)]

    connect().run(QUERY)

    assert clock.slept == [4.0]


def test_throttling_beyond_the_deadline_is_told_with_its_time(server, connect, clock):
    slow = errors("THROTTLED", extensions=cost(requested=1000, available=0, rate=2))
    server.answers = [answer(slow)]

    with pytest.raises(Throttled) as raised:
        connect().run(QUERY)

    assert raised.value.retry_after_s == 500
    assert clock.slept == []


def test_a_nearly_empty_bucket_paces_the_next_request_of_that_price(server, connect, clock):
    # given
    server.answers = [answer(DATA | {"extensions": cost(requested=600, available=100)})]
    client = connect()

    # when
    client.run(QUERY)
    client.run(MUTATION)
    before = list(clock.slept)
    client.run(QUERY)

    # then
    assert before == []
    assert clock.slept == [pytest.approx(5.0, abs=0.3)]


def test_an_answer_that_is_too_long_is_none(server, connect):
    server.answers = [answer(gzip.compress(b" " * (40 * 2**20)), Content_Encoding="gzip")]

    with pytest.raises(Unreachable, match="too long"):
        connect().run(QUERY)


def test_another_version_is_noted_once(server, connect, monkeypatch):
    # given
    # The level of this process's log is whatever an application before has set.
    heard = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(0))
    monkeypatch.setattr("connectors.shopify.client.log", heard)
    server.answers = [answer(DATA, X_Shopify_API_Version="2027-01")]
    client = connect()

    # when
    with capture_logs() as logs:
        client.run(QUERY)
        client.run(QUERY)

    # then
    assert [(log["event"], log["asked"], log["answered"]) for log in logs] == [
        ("shopify_api_version_differs", "2026-10", "2027-01")
    ]


def test_cookies_and_proxies_are_ignored(server, connect, monkeypatch):
    # given
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.answers = [answer(DATA, Set_Cookie="_shop=another; Path=/")]
    client = connect()

    # when
    client.run(QUERY)
    client.run(QUERY)

    # then
    assert ["Cookie" in headers for _, headers, _ in server.requests] == [False, False]


@pytest.mark.parametrize(
    "options",
    [
        {"shop": "evil.example"},
        {"shop": "loom.myshopify.com\n"},
        {"shop": "loom.myshopify.com.evil.example"},
        {"address": "http://{shop}"},
        {"address": "http://127.0.0.1.evil.example"},
        {"address": "ftp://{shop}"},
        {"version": "latest"},
        {"version": "2026-10/../../oauth"},
    ],
    ids=str,
)
def test_a_wrong_place_is_refused(options):
    with pytest.raises(ValueError, match=r"Not|https"):
        ShopifyClient(**({"shop": "loom.myshopify.com", "tokens": Keys()} | options))


def test_no_text_shows_a_token(server, connect):
    server.answers = [answer(b"", 403)]
    client = connect()

    with pytest.raises(Rejected) as raised:
        client.run(QUERY)

    assert repr(client) == "ShopifyClient('loom.myshopify.com')"
    assert TOKEN not in f"{raised.value!r} {raised.value.__cause__!r} {vars(client)!r}"


def test_no_token_of_one_shop_ever_reaches_another(server):
    # given: every fifth request of a shop is refused, so that tokens are renewed in between
    shops = [f"shop-{number}.myshopify.com" for number in range(2)]
    seen = []
    turns = dict.fromkeys(shops, 0)
    lock = threading.Lock()

    def reply(handler, body):
        shop = handler.path.split("/")[1]
        with lock:
            seen.append((shop, handler.headers["X-Shopify-Access-Token"], body["variables"]["shop"]))
            turns[shop] += 1
            refused = turns[shop] % 5 == 0
        return answer(b"{}", 401) if refused else answer({"data": {"shop": {"name": shop}}})

    server.answers = [reply]
    clients = {
        shop: ShopifyClient(
            shop,
            Keys(f"{shop}-token", *(f"{shop}-token-{n}" for n in range(500))),
            address=server.address + "/{shop}",
            sleep=lambda _: None,
        )
        for shop in shops
    }

    def ask(number):
        shop = shops[number % 2]
        try:
            return shop, clients[shop].run(QUERY, {"shop": shop}).data["shop"]["name"]
        except ReconnectNeeded:  # refused twice in a row, as threads share the turns
            return shop, shop

    # when
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(120)))

    # then
    assert len(seen) > 120
    assert {shop for shop, _, _ in seen} == set(shops)
    assert [one for one in seen if not one[1].startswith(f"{one[0]}-token") or one[2] != one[0]] == []
    assert [one for one in answers if one[0] != one[1]] == []


def test_an_export_is_read_line_by_line_without_the_token(server, connect):
    # given
    lines = [json.dumps({"id": number, "text": "x" * 500}).encode() for number in range(1000)]
    server.answers = [answer(gzip.compress(b"\n".join(lines) + b"\n\n"), Content_Encoding="gzip")]

    # when
    found = list(connect().download(f"{server.address}/export.jsonl?signature=abc"))

    # then
    [(path, headers, _)] = server.requests
    assert found == lines
    assert path == "/export.jsonl?signature=abc"
    assert TOKEN not in str(headers)


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (answer(b"", 403), CursorLost),
        (answer(b"", 404), CursorLost),
        (answer(b"", 302, Location="http://127.0.0.1/"), Unreachable),
        (answer(b"", 503), Unreachable),
        (LOST, Unreachable),
        (answer(b'{"id": 1}\n', Content_Length="4000"), Unreachable),
    ],
    ids=["forbidden", "gone", "redirect", "503", "lost", "cut off"],
)
def test_an_export_that_cannot_be_read(trouble, error, server, connect):
    server.answers = [trouble]

    with pytest.raises(error):
        list(connect().download(f"{server.address}/export.jsonl"))

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://storage.googleapis.com/x",
        "https://storage.googleapis.com.evil.example/x",
        "https://storage.googleapis.com@evil.example/x",
        "https://storage.googleapis.com:8443/x",
        "http://169.254.169.254/latest",
        "http://127.0.0.1:1/x",
        "file:///etc/passwd",
    ],
)
def test_an_export_elsewhere_is_refused(url):
    client = ShopifyClient("loom.myshopify.com", Keys())

    with pytest.raises(Rejected, match="unexpected place"):
        list(client.download(url))
