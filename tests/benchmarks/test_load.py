"""The load generator asks what it is told to, counts whole answers only, and ends at a wrong one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

import pytest

from benchmarks import load

# More than one read of the generator's holds.
LARGE = b"x" * 300_000


@dataclass
class Log:
    """What a server was asked: address, headers and body of each request."""

    port: int
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.requests]


class Server(ThreadingHTTPServer):
    daemon_threads = False
    log: Log


class Handler(BaseHTTPRequestHandler):
    """Answers ``/large/…`` with a large body, ``/status/…`` with that status, ``/end`` not at all."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.log.lock:
            self.server.log.requests.append((self.path, dict(self.headers), body))
        _, what, detail = f"{self.path}/".split("/")[:3]
        if what == "end":
            self.close_connection = True
            return
        self.send_response(int(detail) if what == "status" else 200)
        if what != "status" or detail != "204":
            answer = LARGE if what == "large" else b"{}"
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        else:
            self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def log() -> Iterator[Log]:
    """A server on loopback, with what it was asked; ends when every connection to it is closed."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.log = Log(server.server_address[1])
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.log
        server.shutdown()
        thread.join()


def asking(path: str):
    """Return what makes the n-th request, whose number stands in its address."""
    return lambda n: load.get(f"{path}/{n}")


def test_every_answer_is_counted_once(log):
    measured = load.run(log.port, asking("/small"), seconds=0.2, connections=3)

    assert measured.answers > 0
    assert sorted(log.paths) == sorted(f"/small/{n}" for n in range(measured.answers))
    assert 0 < measured.p50_ms <= measured.p99_ms
    assert 0 < measured.per_second <= measured.answers / 0.2


def test_an_answer_counts_when_all_of_it_is_there(log):
    measured = load.run(log.port, asking("/large"), seconds=0.2, connections=2)

    assert measured.answers == len(log.requests) > 0


def test_no_more_is_asked_than_the_rate_allows(log):
    measured = load.run(log.port, asking("/small"), seconds=0.2, connections=2, rate=20)

    assert sorted(log.paths) == [f"/small/{n}" for n in range(measured.answers)]
    assert 1 <= measured.answers <= 4


def test_another_status_ends_the_run(log):
    with pytest.raises(RuntimeError, match=r"unexpected answer: b'HTTP/1\.1 503 "):
        load.run(log.port, lambda _: load.get("/status/503"), seconds=5, connections=1)

    assert log.paths == ["/status/503"]


def test_the_expected_status_may_be_another(log):
    measured = load.run(
        log.port, lambda _: load.get("/status/204"), seconds=0.1, connections=1, expected=b"HTTP/1.1 204"
    )

    assert measured.answers == len(log.requests) > 0


def test_a_closed_connection_ends_the_run(log):
    with pytest.raises(ConnectionError, match="the server closed the connection"):
        load.run(log.port, lambda _: load.get("/end"), seconds=5, connections=1)

    assert log.paths == ["/end"]


def test_a_post_arrives_as_it_was_meant(log):
    load.run(
        log.port,
        lambda _: load.post("/in?a=1", b'{"a": "\xc3\xa9"}', {"X-Key": "k"}),
        seconds=0.1,
        connections=1,
    )

    expected = {
        "Host": "127.0.0.1",
        "Content-Type": "application/json",
        "Content-Length": "11",
        "X-Key": "k",
    }
    assert log.requests[0] == ("/in?a=1", expected, b'{"a": "\xc3\xa9"}')


def test_a_get_is_a_request_of_three_lines():
    assert load.get("/a?b=c", {"X-Key": "k"}) == b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Key: k\r\n\r\n"
