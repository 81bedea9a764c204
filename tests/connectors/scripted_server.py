"""A real HTTP server on loopback that answers what a test tells it, for the tests of outgoing requests."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        pairs = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: ",".join(values) for name, values in pairs.items()}


@dataclass(frozen=True)
class Says:
    """An answer: ``body`` bytes are sent as they are, anything else as JSON.

    ``length`` is a Content-Length that need not be true; ``drip`` sends headers byte by byte without end,
    ``trickle`` the same after the body; ``hang_up`` closes the connection unanswered.
    """

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    drip: bool = False
    trickle: bool = False
    hang_up: bool = False


@dataclass
class ScriptedServer:
    """What a test sees of the server."""

    url: str
    port: int
    seen: list[Seen]
    names: list[str | None]
    answer: Callable[[Seen], Says]
    closing: threading.Event

    def says(self, *answers: Says) -> None:
        """Give these answers one after the other, then the last one for ever."""
        rest = list(answers)
        self.answer = lambda _seen: rest.pop(0) if len(rest) > 1 else rest[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: ScriptedServer

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        seen = Seen(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
        self.script.seen.append(seen)
        says = self.script.answer(seen)
        if says.hang_up:
            self.close_connection = True
            return
        packed = isinstance(says.body, bytes)
        body = says.body if packed else orjson.dumps(says.body)
        kind = {} if packed else {"Content-Type": "application/json; charset=UTF-8"}
        self.send_response(says.status)
        for name, value in (kind | says.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if says.length is None else says.length))
        if says.drip:
            self._drip()
            return
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = says.length is not None
        if says.trickle:
            self._byte_by_byte()

    def _drip(self) -> None:
        """Never come to the end of the headers, though a byte arrives every 20 ms."""
        self.close_connection = True
        self.wfile.write(b"".join(self._headers_buffer) + b"X-Slow: ")
        self._byte_by_byte()

    def _byte_by_byte(self) -> None:
        while not self.script.closing.wait(0.02):
            self.wfile.write(b"x")

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - http.server asks for these names

    def log_message(self, *_args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hangs up is part of the play


@contextmanager
def scripted_server(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """Serve on a free port of 127.0.0.1; every test sets its answers."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    port = server.server_address[1]
    scheme = "https" if tls else "http"
    script = ScriptedServer(
        f"{scheme}://127.0.0.1:{port}", port, [], [], lambda _seen: Says({}), threading.Event()
    )
    handler.script = script
    if tls:
        tls.sni_callback = lambda _line, name, _context: script.names.append(name)
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        script.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def shop_certificate(directory: Path) -> tuple[ssl.SSLContext, str]:
    """Return a server's TLS context for shop.example and the file of the certificate to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = directory / "shop.pem", directory / "shop.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return context, str(pem)
