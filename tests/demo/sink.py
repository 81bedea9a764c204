"""Somebody on loopback who listens to the demo shops and keeps what they say."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return orjson.loads(self.raw)

    @property
    def topic(self) -> str:
        return self.headers.get("X-Shopify-Topic") or self.headers.get("X-WC-Webhook-Topic", "ping")


@dataclass
class Sink:
    """Keeps what it gets; answers with ``statuses`` one after the other, then with 200."""

    url: str
    received: list[Received] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    connections: int = 0

    def wait_for(self, count: int) -> list[Received]:
        """Return what came, once there are ``count`` requests; AssertionError if they do not come."""
        for _ in range(1000):
            if len(self.received) >= count:
                return self.received[:]
            time.sleep(0.01)
        raise AssertionError(f"{len(self.received)} of {count} requests came")

    def topics(self) -> list[str]:
        return [request.topic for request in self.received]


@contextmanager
def listening() -> Iterator[Sink]:
    """A receiver on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            kept.connections += 1

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            kept.received.append(Received(self.path, dict(self.headers), raw))
            self.send_response(kept.statuses.pop(0) if kept.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        # Waiting for handler threads would wait for the senders' kept connections.
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    kept = Sink(f"http://127.0.0.1:{server.server_port}/webhooks/here?x=1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
