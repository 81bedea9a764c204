"""HTTP to addresses that merchants name, kept from reaching anything but the public internet.

The host is resolved once for a request, every address it has is checked, and the socket is opened to a checked
address: what the name server says a moment later does not matter. The name stays in the Host header, in the
TLS greeting (SNI) and in the check of the certificate. Nothing is taken from the environment (proxies, netrc,
certificate files), no redirect is followed, no cookie kept, nothing logged.

One connection serves one request. ``http.client`` does the talking, as the layers above it write whole
addresses, and with them keys in query strings, into logs and exceptions.
"""

import http.client
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from types import TracebackType
from typing import Final, Self

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from connectors.errors import Rejected, Unreachable

MAX_BYTES: Final = 30_000_000
DEADLINE_S: Final = 60.0
CONNECT_TIMEOUT_S: Final = 10.0
PORTS: Final = frozenset({443, 8443})

# IANA's special-purpose registry (RFC 6890 and its followers), multicast and reserved space, and the public
# address behind which Azure answers its own virtual machines.
_REFUSED_V4: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
# Only 2000::/3 is public. Within it: protocol assignments with Teredo, documentation, and 6to4, which hides
# an IPv4 address. IPv4-mapped and link-local forms, fd00::/8 with its metadata address: all lie outside.
_PUBLIC_V6: Final = ip_network("2000::/3")
_REFUSED_V6: Final = tuple(
    ip_network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
# Networks without IPv4 reach the rest through these (RFC 6052): the last 32 bits are the true address.
_NAT64: Final = ip_network("64:ff9b::/96")

_HOST_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
# What C libraries read as an IPv4 address though it does not look like one: 2130706433, 0x7f.1, 127.1.
_ODD_NUMBER: Final = re.compile(r"([0-9a-z_-]+\.)*([0-9]+|0x[0-9a-f]*)")
_TARGET: Final = re.compile(r"/[!-~]*")
_CHUNK: Final = 65_536

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Sequence[str]]
"""From host name and port to numeric addresses; raises OSError where there are none."""


class TooSlow(Unreachable):
    """The answer did not arrive in time."""


class TooLarge(Unreachable):
    """The answer is larger than is taken."""


class BadCertificate(Unreachable):
    """The host cannot prove that it is the named one."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a host answered.

    Attributes:
        status: HTTP status.
        headers: by name in any case.
        body: unpacked, where it came packed by gzip.
        address: the numeric address that was connected.
    """

    status: int
    headers: CaseInsensitiveDict[str] = field(repr=False)
    body: bytes = field(repr=False)
    address: str


@dataclass(frozen=True, slots=True)
class _Target:
    secure: bool
    host: str
    port: int
    path: str = field(repr=False)


def system_resolver(host: str, port: int) -> list[str]:
    """Return the addresses the operating system knows for ``host``, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: Address) -> bool:
    """Return whether ``address`` belongs to the public internet, and hides none that does not."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _PUBLIC_V6 and not any(address in network for network in _REFUSED_V6)


class Outbound:
    """Sends requests to addresses that cannot be trusted. Holds no state: threads may share it.

    Args:
        allow_loopback: for development and tests: 127.0.0.0/8 and ::1 are reached too, on any port and over
            plain http. Nothing else that is private.
        resolver: see ``Resolver``.
        max_bytes: of a decoded body.
        deadline_s: for one whole request, a body that comes in drops included. A name server's own patience
            is not cut short, only counted.
        connect_timeout_s: for each address that is tried.
        ca_file: certificates to trust in place of the public ones; None for those that ``requests`` brings.
    """

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        resolver: Resolver = system_resolver,
        max_bytes: int = MAX_BYTES,
        deadline_s: float = DEADLINE_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        ca_file: str | None = None,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._resolver = resolver
        self._max_bytes = max_bytes
        self._deadline_s = deadline_s
        self._connect_timeout_s = connect_timeout_s
        self._ca_file = ca_file or DEFAULT_CA_BUNDLE_PATH

    def check(self, url: str) -> None:
        """Resolve and check ``url`` without connecting, as when a merchant types it.

        Raises:
            Rejected: the address is not one that is asked.
            Unreachable: its host name has no address.
        """
        self._addresses(self._target(_prepared("GET", url, None)))

    def get(self, url: str, *, headers: dict[str, str] | None = None) -> Reply:
        """Send a GET; see ``send``."""
        return self.send(_prepared("GET", url, headers))

    def send(self, request: requests.PreparedRequest, *, deadline_s: float | None = None) -> Reply:
        """Send ``request`` and return the answer, whatever its status.

        Args:
            request: with a body of bytes, or none.
            deadline_s: less time than this Outbound would take by itself; None for that.

        Raises:
            Rejected: the address is not one that is asked; nothing was sent.
            TooSlow, TooLarge, BadCertificate: see there.
            Unreachable: no connection, or an answer that is not HTTP.
        """
        seconds = self._deadline_s if deadline_s is None else min(deadline_s, self._deadline_s)
        target = self._target(request)
        with _Watch(seconds) as watch:
            outcome = self._outcome(request, target, watch)
        if isinstance(outcome, Reply):
            return outcome
        # Raised here, not in an except clause: the first cause may carry the whole address, keys and all.
        raise outcome

    def _outcome(
        self, request: requests.PreparedRequest, target: _Target, watch: "_Watch"
    ) -> Reply | Unreachable | Rejected:
        try:
            addresses = self._addresses(target)
            line, address = self._connect(target, addresses, watch)
            with line:
                reply = self._exchange(request, target, line, address)
        except (Unreachable, Rejected) as error:
            outcome: Reply | Unreachable | Rejected = error
        except ssl.SSLCertVerificationError as error:
            reason = error.verify_message
            outcome = BadCertificate(f"The certificate of {target.host} is not valid ({reason}): renew it.")
        except TimeoutError:
            outcome = _too_slow(target)
        except (OSError, http.client.HTTPException, zlib.error):
            outcome = Unreachable(f"The connection to {target.host} broke off.")
        else:
            outcome = reply
        # A line that was cut looks like an answer that ended, or like any other failure.
        if watch.expired and not isinstance(outcome, Rejected):
            return _too_slow(target)
        return outcome

    def _target(self, request: requests.PreparedRequest) -> _Target:
        """Read the address once, so that what is checked is what is connected."""
        try:
            url = parse_url(request.url or "")
        except LocationParseError:
            url = None
        if url is None or url.scheme not in {"http", "https"} or not url.host:
            raise Rejected("The address is no web address: it begins with https:// and a host name.")
        if url.auth is not None:
            raise Rejected("The address holds a user name or password: leave them out.")
        secure = url.scheme == "https"
        if not secure and not self._allow_loopback:
            raise Rejected("The address must begin with https://.")
        port = url.port or (443 if secure else 80)
        if port not in PORTS and not self._allow_loopback:
            raise _wrong_port(port)
        path = url.request_uri
        if not _TARGET.fullmatch(path):
            raise Rejected("The address holds characters that no address may hold.")
        return _Target(secure, _host(url.host.lower()), port, path)

    def _addresses(self, target: _Target) -> list[Address]:
        """Return where to connect, when every address of the host may be asked."""
        found: Sequence[str]
        try:
            found = [target.host] if ":" in target.host else self._resolver(target.host, target.port)
        except (OSError, UnicodeError):
            found = ()
        if not found:
            raise Unreachable(f"The host name {target.host} is not known to the name servers.")
        addresses = [ip_address(text) for text in found]
        for address in addresses:
            self._check_address(address, target)
        return addresses

    def _check_address(self, address: Address, target: _Target) -> None:
        if self._allow_loopback and address.is_loopback and not getattr(address, "ipv4_mapped", None):
            return
        if not is_public(address):
            raise Rejected(f"The host {target.host} leads to an address that is not on the public internet.")
        if not target.secure:
            raise Rejected("The address must begin with https://.")
        if target.port not in PORTS:
            raise _wrong_port(target.port)

    def _connect(
        self, target: _Target, addresses: Sequence[Address], watch: "_Watch"
    ) -> tuple[socket.socket, str]:
        """Return a line to the first address that answers, and that address."""
        failure: OSError | None = None
        for address in addresses:
            patience = min(self._connect_timeout_s, watch.remaining_s)
            if patience <= 0:
                break
            opened = _opened(str(address), target.port, patience)
            if isinstance(opened, OSError):
                failure = opened
                continue
            watch.guard(opened)
            opened.settimeout(self._deadline_s)
            return self._secured(opened, target), str(address)
        if failure is None or isinstance(failure, TimeoutError):
            raise _too_slow(target)
        raise Unreachable(f"Nothing answers at {target.host}, port {target.port}.")

    def _secured(self, line: socket.socket, target: _Target) -> socket.socket:
        if not target.secure:
            return line
        try:
            return _tls(self._ca_file).wrap_socket(line, server_hostname=target.host)
        except BaseException:
            line.close()
            raise

    def _connection(self, target: _Target) -> http.client.HTTPConnection:
        shown = f"[{target.host}]" if ":" in target.host else target.host
        if target.secure:
            return http.client.HTTPSConnection(shown, target.port, context=_tls(self._ca_file))
        return http.client.HTTPConnection(shown, target.port)

    def _exchange(
        self, request: requests.PreparedRequest, target: _Target, line: socket.socket, address: str
    ) -> Reply:
        connection = self._connection(target)
        connection.auto_open = 0
        connection.sock = line
        own = {"host", "connection", "accept-encoding"}
        headers = {name: value for name, value in request.headers.items() if name.lower() not in own}
        headers |= {"Connection": "close", "Accept-Encoding": "gzip"}
        body = request.body
        connection.request(
            str(request.method), target.path, body.encode() if isinstance(body, str) else body, headers
        )
        with connection.getresponse() as response:
            found = CaseInsensitiveDict[str]()
            for name, value in response.getheaders():
                found[name] = f"{found[name]}, {value}" if name in found else value
            content = self._content(response, found.get("Content-Encoding", ""), target)
        return Reply(response.status, found, content, address)

    def _content(self, response: http.client.HTTPResponse, encoding: str, target: _Target) -> bytes:
        """Return the decoded body, read no further than its largest size."""
        parts: list[bytes] = []
        size = 0
        for part in _decoded(response, encoding.strip().lower(), target):
            size += len(part)
            if size > self._max_bytes:
                raise TooLarge(f"The answer of {target.host} is larger than {self._max_bytes:,} bytes.")
            parts.append(part)
        return b"".join(parts)


class _Watch:
    """Cuts a request's line when its time is over.

    A time-out of the socket starts anew with every byte; this one does not. The line is cut through a second
    handle, as TLS and ``http.client`` pass the first one around.
    """

    def __init__(self, seconds: float) -> None:
        self.expired = seconds <= 0
        self._ends = time.monotonic() + seconds
        self._line: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(max(seconds, 0), self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            if self._line is not None:
                self._line.close()
                self._line = None

    @property
    def remaining_s(self) -> float:
        """Seconds that are left."""
        return self._ends - time.monotonic()

    def guard(self, line: socket.socket) -> None:
        """Cut ``line`` when the time is over."""
        with self._lock:
            self._line = line.dup()
        if self.expired:
            self._cut()

    def _cut(self) -> None:
        self.expired = True
        with self._lock:
            if self._line is None:
                return
            try:
                self._line.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # the other side was first


def _prepared(method: str, url: str, headers: dict[str, str] | None) -> requests.PreparedRequest:
    try:
        return requests.Request(method, url, headers=headers).prepare()
    except (requests.RequestException, ValueError):
        reason = Rejected("The address is no web address: it begins with https:// and a host name.")
    raise reason


def _host(host: str) -> str:
    """Return the host name or address to connect, an IPv6 address without brackets."""
    if host.startswith("[") and host.endswith("]"):
        try:
            return str(IPv6Address(host[1:-1]))
        except ValueError:
            raise Rejected("The address holds an IPv6 address that is none.") from None
    if not _HOST_NAME.fullmatch(host):
        raise Rejected("The address holds no proper host name.")
    if _ODD_NUMBER.fullmatch(host):
        try:
            IPv4Address(host)
        except ValueError:
            raise Rejected("The address holds a number in place of a host name.") from None
    return host


@lru_cache(maxsize=8)
def _tls(ca_file: str) -> ssl.SSLContext:
    # Not ``ssl.create_default_context``: it writes session keys to a file that the environment names.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(ca_file)
    return context


def _opened(address: str, port: int, timeout_s: float) -> socket.socket | OSError:
    """Return a connected socket, or why there is none."""
    try:
        return socket.create_connection((address, port), timeout_s)
    except OSError as error:
        return error


def _decoded(response: http.client.HTTPResponse, encoding: str, target: _Target) -> Iterator[bytes]:
    """Yield a body in small parts: a few packed bytes may hold gigabytes."""
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise Unreachable(f"The answer of {target.host} is packed in a way that was not asked for.")
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16) if encoding.endswith("gzip") else None
    begun = False
    while part := response.read(_CHUNK):
        begun = True
        if unpack is None:
            yield part
        while unpack is not None and part and not unpack.eof:
            yield unpack.decompress(part, _CHUNK)
            part = unpack.unconsumed_tail
    if unpack is not None and begun:
        yield unpack.flush()
    # ``http.client`` does not tell when a body read in parts ends too early.
    if response.length or (unpack is not None and begun and not unpack.eof):
        raise Unreachable(f"The connection to {target.host} broke off.")


def _too_slow(target: _Target) -> TooSlow:
    return TooSlow(f"The host {target.host} did not answer in time.")


def _wrong_port(port: int) -> Rejected:
    return Rejected(f"The address names port {port}: only 443 and 8443 are asked.")
