"""A load generator: many keep-alive connections on loopback, as little work per request as Python allows.

It sends finished bytes and reads answers whose status line must be the expected one, so one core of it
outruns the servers that are measured here.
"""

import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

_HEADER_END = b"\r\n\r\n"
_READ = 65_536


@dataclass(frozen=True, slots=True)
class Load:
    """What a run measured: answers per second, and times in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float
    answers: int


class _Connection:
    __slots__ = ("buffer", "socket", "started")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.started = 0.0

    def send(self, request: bytes) -> None:
        self.buffer = b""
        self.started = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Read what is there; return whether the answer is complete."""
        data = self.socket.recv(_READ)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.buffer += data
        head, end, body = self.buffer.partition(_HEADER_END)
        if not end:
            return False
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 : at + 30].split(b"\r\n")[0]) if at >= 0 else 0
        return len(body) >= length


def run(
    port: int,
    request: Callable[[int], bytes],
    *,
    seconds: float,
    connections: int = 32,
    expected: bytes = b"HTTP/1.1 200",
    rate: float | None = None,
) -> Load:
    """Load the server on ``port`` for ``seconds``.

    ``request(n)`` returns the n-th request as bytes. With ``rate`` no more than that many are sent per second, evenly
    spaced, and times count from when a request was due, so that a stalled server cannot hide its queue.

    Raises:
        RuntimeError: if an answer has another status.
    """
    selector = selectors.DefaultSelector()
    idle = [_Connection(port) for _ in range(connections)]
    for connection in idle:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    times: list[float] = []
    sent = 0
    start = time.perf_counter()
    end = start + seconds
    try:
        while True:
            moment = time.perf_counter()
            if moment >= end and len(idle) == connections:
                break
            while idle and moment < end:
                due = start + sent / rate if rate else moment
                if due > moment:
                    break
                connection = idle.pop()
                connection.send(request(sent))
                if rate:
                    connection.started = due
                sent += 1
            wait = 0.0005 if rate and idle else 1.0
            for key, _ in selector.select(wait):
                connection = key.data
                if connection.receive():
                    if not connection.buffer.startswith(expected):
                        raise RuntimeError(f"unexpected answer: {connection.buffer[:200]!r}")
                    times.append(time.perf_counter() - connection.started)
                    idle.append(connection)
    finally:
        for key in list(selector.get_map().values()):
            key.data.socket.close()
        selector.close()
    took = time.perf_counter() - start
    times.sort()
    return Load(
        per_second=len(times) / took,
        p50_ms=times[len(times) // 2] * 1000,
        p99_ms=times[int(len(times) * 0.99)] * 1000,
        answers=len(times),
    )


def get(path: str, headers: dict[str, str] | None = None) -> bytes:
    """Return a GET request as bytes."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode()


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """Return a POST request as bytes."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
