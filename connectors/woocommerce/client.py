"""WooCommerce's REST API (wc/v3) of one store, over the ``woocommerce`` package.

The package writes addresses and signs: Basic on https, keys in the query where a host strips the Authorization
header, OAuth 1.0a on http, which only loopback gets to see. What it lacks is here: sending through
``connectors.outbound``, patience (reads are tried again, writes never), errors in words, and keys that appear
in no exception, no ``repr`` and no log.
"""

import copy
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, cast
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

import orjson
import requests
from requests.auth import HTTPBasicAuth
from requests.structures import CaseInsensitiveDict
from woocommerce import API  # type: ignore[import-untyped]

from connectors.errors import (
    NotFound,
    PlatformError,
    ReconnectNeeded,
    Rejected,
    Throttled,
    Unreachable,
)
from connectors.outbound import (
    DEADLINE_S,
    BadCertificate,
    Outbound,
    Reply,
    Resolver,
    TooLarge,
    system_resolver,
)

ATTEMPTS: Final = 5
TOTAL_DEADLINE_S: Final = 120.0
PATIENCE_S: Final = 30.0
"""How long to wait where a store asks for patience and does not say how much."""

USER_AGENT: Final = "Pannier"

_NO_ADDRESS: Final = "The store's address must be a web address such as https://shop.example."

_PATH: Final = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_CODE: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_KEY: Final = re.compile(r"[!-~]{1,200}")
_ADDRESS: Final = re.compile(r"[!-~]{1,300}")
_TOTAL: Final = re.compile(r"[0-9]{1,15}")
# With query authentication the links to other pages repeat the keys.
INDEX_FIELDS: Final = "name,timezone_string,gmt_offset,namespaces"
_NOT_HANDED_ON: Final = frozenset({"link", "set-cookie"})
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_DICE: Final = secrets.SystemRandom()

Method = Literal["GET", "POST", "PUT", "DELETE"]


class Blocked(Unreachable):
    """Something in front of the REST API answers with a page of its own; asking again at once does harm."""


_NOT_TRIED_AGAIN: Final = (Blocked, TooLarge, BadCertificate)
NO_ROUTE: Final = "rest_no_route"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the store answered with success.

    Attributes:
        body: decoded JSON.
        total: how many resources the whole collection has, where it says so (X-WP-Total). Past the end of
            orders it is 0, past the end of products the true number.
        headers: by name in any case, without those that could repeat keys.
    """

    body: Any
    total: int | None
    headers: Mapping[str, str] = field(repr=False)


def store_address(text: str) -> str:
    """Return a store's address as a merchant types it in the form that is kept: no slash at its end.

    Raises:
        Rejected: it holds a query, fragment, user name or password, or is no web address.
    """
    typed = text.strip()
    try:
        url = requests.Request("GET", typed if "://" in typed else f"https://{typed}").prepare().url or ""
        parts = urlsplit(url)
    except (requests.RequestException, ValueError):
        url, parts = "", urlsplit("")
    proper = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    if not proper or parts.query or parts.fragment or not _ADDRESS.fullmatch(url):
        raise Rejected(_NO_ADDRESS)
    return f"{_origin(parts)}{parts.path.rstrip('/')}"


def modified_after(moment: datetime) -> dict[str, str]:
    """Return the parameters that ask for what changed after ``moment``, fractions of a second left out.

    Naive UTC together with ``dates_are_gmt``: with a zone in the value, the same flag would shift it by the
    site's offset without an error.

    Raises:
        ValueError: ``moment`` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("A moment needs a time zone.")
    naive = moment.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    return {"modified_after": naive.isoformat(), "dates_are_gmt": "true"}


def moved_to(location: str, asked: str) -> str | None:
    """Return the store address that a redirect from ``asked`` points to, None where it names none."""
    try:
        parts = urlsplit(urljoin(asked, location))
        origin = _origin(parts)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    address = origin + parts.path.partition("/wp-json")[0].rstrip("/")
    return address if _ADDRESS.fullmatch(address) else None


def _origin(parts: SplitResult) -> str:
    """Return scheme, host and a port that is not the scheme's own; raises ValueError for a port that is none."""
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    own = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{shown}" + ("" if parts.port in {None, own} else f":{parts.port}")


class _Signer(API):  # type: ignore[misc]
    """The package's addresses and signatures, handed back unsent."""

    def _API__request(  # noqa: N802 - the one method that all of the package's methods call
        self, method: str, endpoint: str, data: Any, params: Mapping[str, str] | None = None
    ) -> requests.PreparedRequest:
        url = self._API__get_url(endpoint)
        headers = {"User-Agent": self.user_agent, "Accept": "application/json"}
        # The package writes keys into the caller's own dictionary.
        query = dict(params or {})
        auth = None
        if not self.is_ssl:
            url = self._API__get_oauth_url(f"{url}?{urlencode(query)}", method)
            query = {}
        elif self.query_string_auth:
            query |= {"consumer_key": self.consumer_key, "consumer_secret": self.consumer_secret}
        else:
            auth = HTTPBasicAuth(self.consumer_key, self.consumer_secret)
        body = None if data is None else orjson.dumps(data)
        if body is not None:
            headers["Content-Type"] = "application/json;charset=utf-8"
        return requests.Request(method, url, headers, data=body, params=query, auth=auth).prepare()


class WooCommerceClient:
    """Asks one store. Holds no connection and no changing state: threads may share it.

    Args:
        store_url: the address the merchant registered; nothing else is ever asked.
        consumer_key: of the store's REST keys.
        consumer_secret: belongs to ``consumer_key``.
        query_auth: send the keys in the query, for hosts that strip the Authorization header.
        allow_loopback: see ``connectors.outbound.Outbound``.
        resolver: see ``connectors.outbound.Resolver``.
        sleep: waits between attempts.
        clock: seconds, monotonic.
        timeout_s: for one attempt, its body included.
        deadline_s: for all attempts of a read together, waits included.
        ca_file: see ``connectors.outbound.Outbound``.

    Raises:
        Rejected: ``store_url`` is no store's address.
        ReconnectNeeded: the keys cannot be keys.
    """

    def __init__(
        self,
        store_url: str,
        consumer_key: str,
        consumer_secret: str,
        *,
        query_auth: bool = False,
        allow_loopback: bool = False,
        resolver: Resolver = system_resolver,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        timeout_s: float = DEADLINE_S,
        deadline_s: float = TOTAL_DEADLINE_S,
        ca_file: str | None = None,
    ) -> None:
        if not (_KEY.fullmatch(consumer_key) and _KEY.fullmatch(consumer_secret)):
            raise ReconnectNeeded("The keys hold characters that no WooCommerce key has: connect again.")
        self.store_url = store_address(store_url)
        self._outbound = Outbound(
            allow_loopback=allow_loopback, resolver=resolver, deadline_s=timeout_s, ca_file=ca_file
        )
        self._signer = _Signer(
            self.store_url,
            consumer_key,
            consumer_secret,
            query_string_auth=query_auth,
            user_agent=USER_AGENT,
        )
        self._hidden = (consumer_key, consumer_secret)
        self._sleep = sleep
        self._clock = clock
        self._deadline_s = deadline_s

    def __repr__(self) -> str:
        return f"WooCommerceClient({self.store_url!r})"

    def beside(self, namespace: str) -> "WooCommerceClient":
        """Return a client of the same store for another namespace of its REST API than wc/v3.

        The store's keys open those alone whose names begin with ``wc-``.
        """
        other = copy.copy(self)
        other._signer = copy.copy(self._signer)
        other._signer.version = namespace
        return other

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        """Read ``path`` (such as ``orders/12``), again where the store is slow, busy or out of order.

        Args:
            path: below wc/v3.
            params: None leaves a parameter out, lists become comma-separated, booleans ``true`` or ``false``.

        Raises:
            ReconnectNeeded, NotFound, Rejected, Throttled: see ``connectors.errors``.
            TooSlow, TooLarge, BadCertificate, Blocked: kinds of Unreachable.
            Unreachable: no usable answer after all attempts.
            TypeError: a date among ``params`` (see ``modified_after``), or what is no value at all.
            ValueError: an empty list, which WooCommerce would take for no filter, or an odd ``path``.
        """
        ends = self._clock() + self._deadline_s
        outcome = self._attempt("GET", path, params, None, self._deadline_s)
        for attempt in range(ATTEMPTS - 1):
            if not isinstance(outcome, Unreachable) or isinstance(outcome, _NOT_TRIED_AGAIN):
                break
            wait = _pause_s(outcome, attempt)
            if self._clock() + wait >= ends:
                break
            self._sleep(wait)
            outcome = self._attempt("GET", path, params, None, ends - self._clock())
        return _raised(outcome)

    def site_index(self) -> Answer:
        """Read what WordPress says of the site itself, without keys. Errors as for ``get``; asked once."""
        asked = f"{self.store_url}/wp-json/?_fields={INDEX_FIELDS}"
        return _raised(self._read(self._outbound.get(asked, headers={"User-Agent": USER_AGENT}), asked))

    def post(self, path: str, body: Any) -> Answer:
        """Create. Sent once: after an Unreachable nobody knows whether it was done. Errors as for ``get``."""
        return self._write("POST", path, None, body)

    def put(self, path: str, body: Any) -> Answer:
        """Change. Sent once, as ``post``."""
        return self._write("PUT", path, None, body)

    def delete(self, path: str, force: bool = True) -> Answer:
        """Delete, for good with ``force``: webhooks know no bin. Sent once, as ``post``."""
        return self._write("DELETE", path, {"force": force}, None)

    def _write(self, method: Method, path: str, params: Mapping[str, Any] | None, body: Any) -> Answer:
        return _raised(self._attempt(method, path, params, body, self._deadline_s))

    def _attempt(
        self, method: Method, path: str, params: Mapping[str, Any] | None, body: Any, seconds: float
    ) -> Answer | PlatformError:
        """Send once; errors come back, so that none is raised while another that knows the keys is handled."""
        endpoint = path.strip("/")
        if not _PATH.fullmatch(endpoint):
            raise ValueError(f"{path!r} is no path below wc/v3.")
        request = self._signed(method, endpoint, _plain(params or {}), body)
        if isinstance(request, PlatformError):
            return request
        try:
            reply = self._outbound.send(request, deadline_s=seconds)
        except PlatformError as error:
            return error
        return self._read(reply, str(request.url))

    def _signed(
        self, method: Method, endpoint: str, params: dict[str, str], body: Any
    ) -> requests.PreparedRequest | PlatformError:
        try:
            if method in {"GET", "DELETE"}:
                signed = getattr(self._signer, method.lower())(endpoint, params=params)
            else:
                signed = getattr(self._signer, method.lower())(endpoint, body)
            return cast("requests.PreparedRequest", signed)
        except requests.RequestException:
            return Rejected(_NO_ADDRESS)

    def _read(self, reply: Reply, asked: str) -> Answer | PlatformError:
        if 300 <= reply.status < 400:
            return Rejected(self._redirect_sentence(reply, asked))
        parsed = _parsed(reply.body)
        if reply.status >= 400 or reply.status < 200:
            return _failure(reply, parsed, self._hidden)
        if parsed is _NO_JSON:
            return Unreachable(
                "The store answered with a page or broken data in place of its REST API's JSON."
            )
        total = _TOTAL.fullmatch(reply.headers.get("X-WP-Total", ""))
        kept = {name: value for name, value in reply.headers.items() if name.lower() not in _NOT_HANDED_ON}
        return Answer(parsed, int(total[0]) if total else None, CaseInsensitiveDict(kept))

    def _redirect_sentence(self, reply: Reply, asked: str) -> str:
        address = moved_to(reply.headers.get("Location", ""), asked)
        if address in {None, self.store_url}:
            return "The store redirects its REST API to another page: it must answer where it is asked."
        return _hide(f"The store has moved to {address}: register that address.", self._hidden)


class _NoJson:
    """What is not JSON; None is."""


_NO_JSON: Final = _NoJson()


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError:
        return _NO_JSON


def _raised(outcome: Answer | PlatformError) -> Answer:
    if isinstance(outcome, PlatformError):
        raise outcome
    return outcome


def _plain(params: Mapping[str, Any]) -> dict[str, str]:
    """Return ``params`` as the text WooCommerce reads."""
    return {name: _text(name, value) for name, value in params.items() if value is not None}


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        raise TypeError(f"{name} is a date: see modified_after for the zone it needs.")
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        items = [_text(name, item) for item in value]
        if items:
            return ",".join(items)
        raise ValueError(f"{name} is empty: WooCommerce would leave the filter out.")
    raise TypeError(f"{name} is neither text, number, boolean nor a list of them.")


def _failure(reply: Reply, parsed: Any, hidden: tuple[str, ...]) -> PlatformError:
    """Return what an answer without success means."""
    status = reply.status
    if status == 429 or (status == 503 and reply.headers.get("Retry-After")):
        return Throttled("The store is busy and asks for patience.", _retry_after_s(reply))
    code = _code(parsed, hidden)
    if status >= 500 and not (status == 501 and code):
        return _server_failure(status, code)
    if parsed is _NO_JSON:
        return _page_failure(status)
    told = f"({code or f'status {status}'})"
    if status in {401, 403} and code and code.startswith("woocommerce_rest_"):
        return ReconnectNeeded(f"The store does not accept the keys {told}: connect it again.")
    if status in {401, 403}:
        return Rejected(
            f"A plugin of the store keeps its REST API shut {told}: allow it for Pannier.",
            code=code,
            status=status,
        )
    if status == 404 and code and code.endswith("_invalid_id"):
        return NotFound(f"The store does not have this any more {told}.")
    if status == 404 and code == NO_ROUTE:
        return Rejected(
            f"The store has no such WooCommerce REST API {told}: is WooCommerce active and current?",
            code=code,
            status=status,
        )
    told += _parameters(parsed, hidden)
    return Rejected(f"The store refuses the request {told}.", code=code, status=status)


def _server_failure(status: int, code: str | None) -> Unreachable:
    if status == 501:
        return Blocked(
            "A firewall of the host (such as ModSecurity) turns Pannier away (501): let it through."
        )
    told = f"status {status}, {code}" if code else f"status {status}"
    return Unreachable(f"The store is out of order ({told}).")


def _page_failure(status: int) -> Blocked:
    if status == 401:
        return Blocked("A password protects the whole site (401): let Pannier reach /wp-json/ without it.")
    if status == 404:
        return Blocked(
            "A page stands where the REST API should be (404): choose Post name under Settings, Permalinks, "
            "and see that WooCommerce is active."
        )
    return Blocked(
        f"A firewall in front of the store turns Pannier away ({status}): let it through to /wp-json/wc/."
    )


def _code(parsed: Any, hidden: tuple[str, ...]) -> str | None:
    """Return the error code of WordPress; a store that echoes its keys there is not quoted."""
    code = parsed.get("code") if isinstance(parsed, dict) else None
    return _hide(code, hidden) if isinstance(code, str) and _CODE.fullmatch(code) else None


def _parameters(parsed: Any, hidden: tuple[str, ...]) -> str:
    """Return which parameters were wrong, as rest_invalid_param and rest_missing_callback_param tell."""
    data = parsed.get("data") if isinstance(parsed, dict) else None
    params = data.get("params") if isinstance(data, dict) else None
    if not isinstance(params, dict | list):
        return ""
    names = [name for name in params if isinstance(name, str) and _CODE.fullmatch(name)]
    return _hide(f", because of {', '.join(names[:5])}", hidden) if names else ""


def _hide(text: str, hidden: tuple[str, ...]) -> str:
    for secret in hidden:
        text = text.replace(secret, "…")
    return text


def _retry_after_s(reply: Reply) -> float:
    """Return how many seconds to wait, from a number or a date."""
    told = reply.headers.get("Retry-After", "").strip()
    if told.isdecimal():
        return float(told)
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return PATIENCE_S
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _pause_s(failure: Unreachable, attempt: int) -> float:
    """Return the wait before the next attempt: doubled each time, with jitter, after what the store asks."""
    asked = failure.retry_after_s if isinstance(failure, Throttled) else 0.0
    return asked + 2.0**attempt * _DICE.uniform(0.5, 1.0)
