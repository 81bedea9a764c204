"""Asking one shop's Admin API, which is GraphQL and nothing else.

Of ``shopifyapi`` only ``ApiVersion`` serves: it knows the address of a version. Its ``Session`` keeps the
current shop and token on the thread and on the class, so that a job could speak with the token of the shop
before it; its ``GraphQL`` has no time-out, no retry and turns an error into text. Here the token belongs to
one object, is asked for before every request and goes into that request alone.

Queries are asked again after network errors, 5xx, 429 and THROTTLED. A mutation is, too, but only where it
was certainly not carried out: THROTTLED, 429, and no connection at all. How long to wait after THROTTLED
follows from ``extensions.cost``; https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits has the
rule: (requested - available) / restored a second. The same figures pace the next request.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from secrets import SystemRandom
from threading import Lock
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import orjson
import requests
import structlog
from requests.adapters import HTTPAdapter
from shopify.api_version import ApiVersion  # type: ignore[import-untyped]
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError

from connectors.errors import CursorLost, ReconnectNeeded, Rejected, Throttled, Unreachable

log = structlog.get_logger()

API_VERSION: Final = "2026-10"

_SHOP: Final = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_EXPORT_HOST: Final = "storage.googleapis.com"
_CONNECT_S: Final = 5.0
_READ_S: Final = 30.0
_DEADLINE_S: Final = 90.0
_EXPORT_DEADLINE_S: Final = 3600.0
_ANSWER_LIMIT: Final = 32 * 2**20
_LINE_LIMIT: Final = 16 * 2**20
_CHUNK: Final = 2**16
_ATTEMPTS: Final = 5
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 20.0
_TEXT_LIMIT: Final = 200
_RANDOM: Final = SystemRandom()

_DEAD: Final = {
    401: "Shopify no longer accepts the app's key for this shop: open the app in Shopify to connect it again.",
    402: "Shopify has frozen this shop for an unpaid bill: once it is paid, connect the shop again.",
    404: "Shopify does not know this shop any more: it was closed or renamed.",
    423: "Shopify has locked this shop: its owner has to clear this up with Shopify's support.",
}
_TRY_LATER: Final = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT", "SERVICE_UNAVAILABLE"})


class Tokens(Protocol):
    """The access token of one shop, wherever it is kept."""

    def token(self) -> str:
        """Return the token to use now."""
        ...

    def renew(self, used: str) -> str:
        """Return another token than ``used``, which was refused; raises ReconnectNeeded if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Cost:
    """What a document cost, and the shop's bucket after it, all in Shopify's points (``rate`` a second)."""

    requested: float
    actual: float
    maximum: float
    available: float
    rate: float


@dataclass(frozen=True, slots=True)
class Result:
    """An answer: ``data`` as far as it was given, and the errors of what was not."""

    data: dict[str, Any]
    errors: tuple[dict[str, Any], ...] = ()
    cost: Cost | None = None


class TooCostly(Rejected):
    """The document asks for more at once than Shopify allows (1000 points): ask for smaller pages."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes


class _Again(Exception):
    """Not answered, worth another attempt after ``wait_s`` (None: after a random pause)."""

    def __init__(self, end: Unreachable, *, untouched: bool, wait_s: float | None = None) -> None:
        super().__init__(str(end))
        self.end = end
        self.untouched = untouched
        self.wait_s = wait_s


class ShopifyClient:
    """One shop's Admin API.

    Args:
        shop: the shop's ``….myshopify.com`` domain.
        tokens: where its access token comes from.
        address: where the shop answers, with ``{shop}`` in the place of its domain. Plain http is for
            this machine only.
        version: the API version, such as ``2026-10``.
        sleep: waits that many seconds.
        clock: tells seconds that only ever grow.

    Raises:
        ValueError: if ``shop``, ``address`` or ``version`` is none.
    """

    def __init__(
        self,
        shop: str,
        tokens: Tokens,
        *,
        address: str = "https://{shop}",
        version: str = API_VERSION,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not _SHOP.fullmatch(shop):
            raise ValueError("Not the myshopify.com domain of a shop.")
        if not re.fullmatch(r"\d{4}-\d{2}", version):
            raise ValueError("Not a version of Shopify's API.")
        site = address.format(shop=shop).rstrip("/")
        self._local = _is_loopback(site)
        if not self._local and urlsplit(site).scheme != "https":
            raise ValueError("A shop is asked over https.")
        self.shop = shop
        self._tokens = tokens
        self._version = version
        self._address = f"{ApiVersion.coerce_to_version(version).api_path(site)}/graphql.json"
        self._sleep = sleep
        self._clock = clock
        self._http = _session()
        self._lock = Lock()
        self._bucket: tuple[Cost, float] | None = None
        self._prices: dict[str, float] = {}
        self._version_noted = False

    def __repr__(self) -> str:
        return f"ShopifyClient({self.shop!r})"

    def run(self, document: str, variables: Mapping[str, Any] | None = None) -> Result:
        """Return what the shop answers to a GraphQL ``document``.

        Errors beside data are kept in the result: Shopify leaves out fields that the app may not see.

        Raises:
            Unreachable: if there is no usable answer within the attempts and the deadline.
            Throttled: if the shop's bucket would refill too late.
            ReconnectNeeded: if the token is dead or the shop closed, frozen or locked.
            TooCostly: if the document asks for too much at once.
            Rejected: if there are errors and no data.
        """
        request = orjson.dumps({"query": document, "variables": dict(variables or {})})
        mutation = document.lstrip().startswith("mutation")
        end = self._clock() + _DEADLINE_S
        self._wait(self._pacing_s(document), end)
        for attempt in range(_ATTEMPTS):
            try:
                return self._attempt(document, request, end)
            except _Again as again:
                last = attempt == _ATTEMPTS - 1
                if last or (mutation and not again.untouched):
                    raise again.end from None
                pause = again.wait_s
                self._wait(_pause_s(attempt) if pause is None else pause, end, again.end)
        raise AssertionError("Every attempt returns or raises.")

    def download(self, url: str) -> Iterator[bytes]:
        """Yield the lines of the file of a bulk operation, one after the other, never the whole.

        The file lies outside the shop, under a signed address: the token does not go there.

        Raises:
            Rejected: if ``url`` is not where Shopify keeps such files.
            CursorLost: if the file is gone.
            Unreachable: if it cannot be read to its end.
        """
        parts = urlsplit(url)
        known = parts.scheme == "https" and parts.netloc == _EXPORT_HOST
        if not known and not (self._local and _is_loopback(url)):
            raise Rejected("Shopify named an unexpected place for the export.")
        end = self._clock() + _EXPORT_DEADLINE_S
        broken = Unreachable("Shopify's export could not be read to its end.")
        with _session() as http:
            try:
                with http.get(url, stream=True, allow_redirects=False, timeout=(_CONNECT_S, _READ_S)) as file:
                    if 400 <= file.status_code < 500 and file.status_code not in (408, 429):
                        raise CursorLost("Shopify's export has expired and has to be made again.")
                    if file.status_code != 200:
                        raise broken
                    yield from _lines(self._chunks(file, end, broken), broken)
            except (requests.RequestException, HTTPError, OSError):
                raise broken from None

    def _attempt(self, document: str, request: bytes, end: float) -> Result:
        """Return the answer to one request, with one renewal of the token."""
        token = self._tokens.token()
        answer = self._post(request, token, end)
        if answer.status == 401:
            answer = self._post(request, self._tokens.renew(token), end)
        self._note_version(answer.headers)
        _judge_status(answer)
        result, codes, message = _read(answer.content, token)
        self._remember(document, result.cost)
        if "THROTTLED" in codes:
            wait_s = _refill_s(result.cost, result.cost.requested) if result.cost else None
            raise _Again(_throttled(wait_s or _FIRST_PAUSE_S), untouched=True, wait_s=wait_s)
        if "SHOP_INACTIVE" in codes:
            raise ReconnectNeeded("Shopify says that this shop is not active.")
        if result.errors and all(value is None for value in result.data.values()):
            raise _refusal(codes, message)
        return result

    def _post(self, request: bytes, token: str, end: float) -> _Answer:
        """Return the answer to one request under ``token``."""
        headers = {
            "X-Shopify-Access-Token": token,
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        left = max(end - self._clock(), 1.0)
        timeout = (min(_CONNECT_S, left), min(_READ_S, left))
        broken = Unreachable("Shopify did not answer.")
        try:
            with self._http.post(
                self._address,
                data=request,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = bytearray()
                for chunk in self._chunks(response, end, broken):
                    content += chunk
                    if len(content) > _ANSWER_LIMIT:
                        raise Unreachable("Shopify's answer is too long.")
                return _Answer(response.status_code, response.headers, bytes(content))
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _Again(broken, untouched=_never_connected(error)) from None

    def _chunks(self, response: requests.Response, end: float, broken: Unreachable) -> Iterator[bytes]:
        """Yield a body as it comes in, until ``end``: a slow drip renews no deadline."""
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            if self._clock() > end:
                raise broken
            yield chunk

    def _note_version(self, headers: Mapping[str, str]) -> None:
        """Log once when Shopify answers in another version: it falls forward from one that it retired."""
        answered = headers.get("X-Shopify-API-Version")
        if answered and answered != self._version and not self._version_noted:
            self._version_noted = True
            log.warning(
                "shopify_api_version_differs", shop=self.shop, asked=self._version, answered=answered[:20]
            )

    def _remember(self, document: str, cost: Cost | None) -> None:
        """Keep what ``document`` costs and what the bucket holds."""
        if cost:
            with self._lock:
                self._bucket = (cost, self._clock())
                self._prices[document] = cost.requested

    def _pacing_s(self, document: str) -> float:
        """Return how long to wait until the bucket holds what ``document`` cost the last time."""
        with self._lock:
            if self._bucket is None:
                return 0.0
            cost, seen = self._bucket
            missing = _refill_s(cost, self._prices.get(document, 0.0))
            return max(missing - (self._clock() - seen), 0.0)

    def _wait(self, seconds: float, end: float, otherwise: Unreachable | None = None) -> None:
        """Wait, unless that would pass ``end``: then raise ``otherwise`` or Throttled."""
        if self._clock() + seconds > end:
            raise otherwise or _throttled(seconds)
        if seconds > 0:
            self._sleep(seconds)


def _session() -> requests.Session:
    """Return a session that knows no proxies, no ``.netrc``, no cookies and no retries of its own."""
    session = requests.Session()
    session.trust_env = False
    session.headers["User-Agent"] = "Pannier"
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=0))
    return session


def _is_loopback(address: str) -> bool:
    """Return whether ``address`` names this machine by its number or as localhost."""
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _lines(chunks: Iterator[bytes], broken: Unreachable) -> Iterator[bytes]:
    """Yield the non-empty lines that ``chunks`` make."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LINE_LIMIT:
            raise broken
        yield from filter(None, whole)
    if rest:
        yield rest


def _never_connected(error: Exception) -> bool:
    """Return whether the request certainly did not arrive."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = error.args[0] if error.args else None
    return isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError)


def _pause_s(attempt: int) -> float:
    """Return a random pause that doubles with every attempt, in seconds."""
    longest = min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S)
    return _RANDOM.uniform(longest / 2, longest)


def _refill_s(cost: Cost, needed: float) -> float:
    """Return how many seconds the bucket takes until it holds ``needed`` points (or is full)."""
    missing = min(needed, cost.maximum) - cost.available
    return missing / cost.rate if missing > 0 and cost.rate > 0 else 0.0


def _throttled(wait_s: float) -> Throttled:
    return Throttled("Shopify asks for patience: too many requests for this shop.", wait_s)


def _judge_status(answer: _Answer) -> None:
    """Raise for every HTTP status other than 200."""
    status = answer.status
    if status in _DEAD:
        raise ReconnectNeeded(_DEAD[status])
    if status in (429, 430):
        wait_s = _retry_after_s(answer.headers)
        raise _Again(_throttled(wait_s), untouched=True, wait_s=wait_s)
    if status >= 500 or status == 408:
        raise _Again(Unreachable(f"Shopify has a problem of its own (status {status})."), untouched=False)
    if 300 <= status < 400:
        raise Unreachable("Shopify sent us elsewhere instead of answering.")
    if status != 200:
        raise Rejected(f"Shopify refused the request (status {status}).")


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Return what ``Retry-After`` asks for in seconds, 2 where it says nothing."""
    try:
        return min(max(float(headers.get("Retry-After", "")), _FIRST_PAUSE_S), 3600.0)
    except ValueError:
        return 2.0


def _read(content: bytes, token: str) -> tuple[Result, frozenset[str], str]:
    """Return a JSON answer, the codes of its errors and the text of the first."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise Unreachable("Shopify answered with a page instead of data.") from None
    if not isinstance(body, dict) or not isinstance(body.get("data") or {}, dict):
        raise Unreachable("Shopify's answer has an unknown shape.")
    errors = _errors(body.get("errors"))
    if body.get("data") is None and not errors:
        raise Unreachable("Shopify's answer is empty.")
    codes = frozenset(str(_extensions(error).get("code", "")) for error in errors)
    text = str(errors[0].get("message", "")).replace(token, "…") if errors else ""
    message = "".join(char for char in text if char.isprintable())[:_TEXT_LIMIT]
    return Result(body.get("data") or {}, errors, _cost(body)), codes, message


def _errors(value: Any) -> tuple[dict[str, Any], ...]:
    """Return the errors of an answer, which some pages of Shopify's write as one text."""
    if isinstance(value, list):
        return tuple(error for error in value if isinstance(error, dict))
    return ({"message": str(value)},) if value else ()


def _extensions(value: dict[str, Any]) -> dict[str, Any]:
    extensions = value.get("extensions")
    return extensions if isinstance(extensions, dict) else {}


def _cost(body: dict[str, Any]) -> Cost | None:
    """Return ``extensions.cost``, None where it is absent or has another shape."""
    try:
        cost = _extensions(body)["cost"]
        bucket = cost["throttleStatus"]
        return Cost(
            requested=float(cost["requestedQueryCost"]),
            actual=float(cost.get("actualQueryCost") or 0),
            maximum=float(bucket["maximumAvailable"]),
            available=float(bucket["currentlyAvailable"]),
            rate=float(bucket["restoreRate"]),
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _refusal(codes: frozenset[str], message: str) -> Exception:
    """Return what to raise for errors without any data."""
    if codes & _TRY_LATER:
        return _Again(Unreachable("Shopify has a problem of its own."), untouched=False)
    if "MAX_COST_EXCEEDED" in codes:
        return TooCostly("Shopify finds the request too large.")
    if "ACCESS_DENIED" in codes:
        return Rejected(f"Shopify does not let the app see this: {message}")
    return Rejected(f"Shopify refused the request: {message}")
