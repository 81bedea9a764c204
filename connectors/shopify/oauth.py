"""How the app comes by an access token for a shop, and keeps a living one.

Three ways lead to the same endpoint: a code from the grant screen (non-embedded), a session token of the
embedded app (token exchange), and the refresh token of an earlier grant. Tokens live an hour, refresh tokens
90 days; a used refresh token may be tried again until its replacement is used, so an answer that got lost
costs nothing. https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import requests

from app.commerce.store import SHOPIFY, normalise_domain
from connectors.errors import NotFound, PlatformError, ReconnectNeeded, Rejected, Throttled, Unreachable
from connectors.shopify import scopes as permissions
from connectors.shopify.query import Parameters, is_shop, only, read_query, recent, signed_by

# Where a shop is reached; a test's or the demo's peer stands in with "http://127.0.0.1:9000/{shop}".
ADDRESS: Final = "https://{shop}"

# How long before its end a token is renewed.
EARLY: Final = timedelta(minutes=5)

_TIMEOUT_S: Final = (5, 15)  # to connect, between two pieces of the answer
_MAX_ANSWER: Final = 64 * 1024
_ATTEMPTS: Final = 2
_DEFAULT_PATIENCE_S: Final = 2.0
_MAX_PATIENCE_S: Final = 3600.0
_TOKEN: Final = re.compile(r"[!-~]{1,1000}")
_ERROR_CODE: Final = re.compile(r"[a-z_]{1,50}")
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_SUBJECT: Final = "urn:ietf:params:oauth:token-type:id_token"
_OFFLINE: Final = "urn:shopify:params:oauth:token-type:offline-access-token"


class StaleSessionToken(PlatformError):
    """The session token was too old to be exchanged: the browser has to fetch a new one."""


@dataclass(frozen=True, slots=True)
class App:
    """The app as Shopify knows it.

    Attributes:
        client_id: public.
        client_secret: the current one.
        address: template of a shop's address with ``{shop}`` in it, without a slash at its end.
    """

    client_id: str
    client_secret: str = field(repr=False)
    address: str = ADDRESS


@dataclass(frozen=True, slots=True)
class Grant:
    """What a shop granted.

    Attributes:
        access_token: opens the Admin API.
        scopes: as Shopify names them; ``scopes.effective`` adds what they imply.
        expires_at: UTC; None for a token that does not expire (a merchant's own custom app).
        refresh_token: renews the grant; None where it does not expire.
        refresh_expires_at: UTC; after it only the merchant can renew the grant.
    """

    access_token: str = field(repr=False)
    scopes: frozenset[str]
    expires_at: datetime | None = None
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_at: datetime | None = None


def authorize_url(
    address: str, shop: str, client_id: str, scopes: Iterable[str], redirect_uri: str, state: str
) -> str:
    """Return where to send the merchant's browser to be asked for ``scopes``.

    Raises:
        StoreError: if ``shop`` is no Shopify domain.
    """
    query = urlencode(
        {
            "client_id": client_id,
            "scope": ",".join(scopes),
            "redirect_uri": redirect_uri,
            "state": state,
        }
    )
    return f"{_base(address, shop)}/admin/oauth/authorize?{query}"


def callback_is_genuine(
    parameters: Parameters | bytes | str, secrets: Sequence[bytes], now: datetime
) -> bool:
    """Return whether Shopify sent the browser here with ``parameters``, within 90 seconds of ``now``.

    Holds for the callback and for the first call to the app's own address. Whether ``state`` is the one that
    was given out is the caller's to check. A parameter that comes twice is refused, save for lists (``ids[]``).

    Args:
        parameters: every decoded value by name, or the query string as it came.
        secrets: the app's client secrets, the current one first.
        now: an aware time.
    """
    read = read_query(parameters) if isinstance(parameters, bytes | str) else parameters
    if read is None or any(len(values) != 1 for name, values in read.items() if not name.endswith("[]")):
        return False
    signature, shop = only(read, "hmac"), only(read, "shop")
    return (
        signature is not None
        and shop is not None
        and is_shop(shop)
        and signed_by(_callback_message(read), signature, secrets)
        and recent(only(read, "timestamp"), now) is not None
    )


def _callback_message(parameters: Parameters) -> str:
    """Return what the callback's signature is over: sorted ``name=value`` joined by ``&``.

    A list is written as Ruby shows it, ``ids=["1", "2"]``; delimiters inside names and values are escaped.
    """
    pairs = []
    for name, values in parameters.items():
        if name == "hmac":
            continue
        value = json.dumps(list(values)) if name.endswith("[]") else values[0]
        key = name.removesuffix("[]").replace("%", "%25").replace("=", "%3D")
        pairs.append(f"{key}={value.replace('%', '%25')}".replace("&", "%26"))
    return "&".join(sorted(pairs))


def exchange_code(app: App, shop: str, code: str, now: datetime) -> Grant:
    """Return the grant that stands behind the ``code`` of a callback.

    Raises:
        StoreError: if ``shop`` is no Shopify domain.
        Rejected: if the code was used or is not this app's: the installation has to begin again.
        Unreachable, Throttled: if there was no usable answer; a code may be tried once more.
    """
    return _ask(app, shop, {"code": code, "expiring": 1}, now)


def exchange_session_token(app: App, shop: str, session_token: str, now: datetime) -> Grant:
    """Return the offline grant of the shop whose admin issued ``session_token``; verify that one before.

    An earlier grant of the same shop ends with it, so store the new one at once.

    Raises:
        StoreError: if ``shop`` is no Shopify domain.
        StaleSessionToken: if the browser has to fetch a new one.
        Rejected, Unreachable, Throttled: as everywhere.
    """
    asked = {
        "grant_type": _EXCHANGE,
        "subject_token": session_token,
        "subject_token_type": _SUBJECT,
        "requested_token_type": _OFFLINE,
        "expiring": "1",
    }
    return _ask(app, shop, asked, now)


def refresh(app: App, shop: str, grant: Grant, now: datetime) -> Grant:
    """Return what follows ``grant``. Store it before its token is used: until then the old one may be retried.

    Raises:
        StoreError: if ``shop`` is no Shopify domain.
        ReconnectNeeded: if the chain of refresh tokens has ended: the merchant has to open the app.
        Rejected, Unreachable, Throttled: as everywhere.
    """
    ended = grant.refresh_expires_at is not None and grant.refresh_expires_at <= now
    if grant.refresh_token is None or ended:
        raise ReconnectNeeded("Shopify's permission has run out: open the app in the shop's admin once more.")
    asked = {"grant_type": "refresh_token", "refresh_token": grant.refresh_token}
    return _ask(app, shop, asked, now)


def needs_renewal(grant: Grant, now: datetime) -> bool:
    """Return whether the token has ended or will within ``EARLY``."""
    return grant.expires_at is not None and now >= grant.expires_at - EARLY


class TokenKeeper:
    """A living access token of one shop, for every thread and process that works for it.

    A token is handed out only after ``locked`` was left, so that a refresh that was not stored is never used;
    the next worker then repeats it with the same refresh token.

    Args:
        load: returns the stored grant.
        locked: enters the shop's lock, gives the grant as stored at that moment, and keeps what was saved
            (commits) when it is left without an error.
        save: stores a grant; only called between entering and leaving ``locked``.
        refresh: returns what follows a grant; see the function of that name for its errors.
        clock: returns the present as an aware time.
    """

    def __init__(
        self,
        load: Callable[[], Grant],
        locked: Callable[[], AbstractContextManager[Grant]],
        save: Callable[[Grant], None],
        refresh: Callable[[Grant], Grant],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._load = load
        self._locked = locked
        self._save = save
        self._refresh = refresh
        self._clock = clock

    def token(self) -> str:
        """Return a token to work with, renewed a few minutes before its end.

        Raises:
            ReconnectNeeded, Rejected: if it cannot be renewed.
            Unreachable, Throttled: if it cannot be renewed now, and has ended.
        """
        grant = self._load()
        if not needs_renewal(grant, self._clock()):
            return grant.access_token
        try:
            return self._renewed(lambda stored: needs_renewal(stored, self._clock()))
        except Unreachable:
            if grant.expires_at is not None and self._clock() < grant.expires_at:
                return grant.access_token
            raise

    def renew(self, used: str) -> str:
        """Return another token than ``used``, which the shop has just refused: call it once per request.

        Raises:
            ReconnectNeeded, Rejected, Unreachable, Throttled: if there is none.
        """
        return self._renewed(lambda stored: stored.access_token == used)

    def _renewed(self, is_spent: Callable[[Grant], bool]) -> str:
        """Return the stored token, refreshed inside the lock unless somebody else just did it."""
        with self._locked() as stored:
            grant = stored
            if is_spent(stored):
                grant = self._refreshed(stored)
                self._save(grant)
        return grant.access_token

    def _refreshed(self, grant: Grant) -> Grant:
        """Return what follows ``grant``; an answer that got lost is asked for again with the same token."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._refresh(grant)
            except Throttled:
                raise
            except Unreachable:
                continue
        return self._refresh(grant)


def _base(address: str, shop: str) -> str:
    return address.format(shop=normalise_domain(SHOPIFY, shop))


def _ask(app: App, shop: str, asked: Mapping[str, str | int], now: datetime) -> Grant:
    """Return the grant that the token endpoint answers with; ``now`` is when the question is put."""
    url = f"{_base(app.address, shop)}/admin/oauth/access_token"
    body = {"client_id": app.client_id, "client_secret": app.client_secret, **asked}
    try:
        # The error's own text and request would carry what was sent, so it goes no further than here.
        with requests.post(
            url,
            json=body,
            headers={"Accept": "application/json"},
            timeout=_TIMEOUT_S,
            allow_redirects=False,
            stream=True,
        ) as response:
            status, headers, answer = response.status_code, response.headers, _read(response)
    except requests.RequestException:
        raise Unreachable("Shopify could not be reached for an access token.") from None
    if status != 200:
        raise _refusal(status, headers, answer)
    return _grant(answer, now)


def _read(response: requests.Response) -> Any:
    """Return the JSON of an answer; None if it is none or too large."""
    raw = bytearray()
    for piece in response.iter_content(8192):
        raw += piece
        if len(raw) > _MAX_ANSWER:
            return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _refusal(status: int, headers: Mapping[str, str], answer: Any) -> PlatformError:
    """Return what an answer other than 200 means. Shopify's own descriptions may repeat what was sent."""
    if status == 429:
        return Throttled("Shopify asks for patience before it gives an access token.", _patience(headers))
    if status in (402, 423):
        return Unreachable("The shop is closed or frozen at present.")
    code = answer.get("error") if isinstance(answer, dict) else None
    if not 400 <= status < 500:
        return Unreachable(f"Shopify gave no usable answer for an access token (status {status}).")
    if code == "invalid_grant":
        return ReconnectNeeded(
            "Shopify no longer accepts the shop's permission: open the app there once more."
        )
    if code == "invalid_subject_token":
        return StaleSessionToken("The session token is too old: the page has to fetch a new one.")
    if status == 404:
        return NotFound("Shopify knows no such shop.")
    reason = f", {code}" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""
    return Rejected(f"Shopify refuses the app an access token (status {status}{reason}).")


def _patience(headers: Mapping[str, str]) -> float:
    try:
        seconds = float(headers.get("Retry-After", ""))
    except ValueError:
        return _DEFAULT_PATIENCE_S
    return min(seconds, _MAX_PATIENCE_S) if seconds > 0 else _DEFAULT_PATIENCE_S


def _grant(answer: Any, now: datetime) -> Grant:
    """Return the grant in an answer.

    Raises:
        Unreachable: if it is none, or one that expires and cannot be refreshed.
    """
    if not isinstance(answer, dict):
        answer = {}
    token, listed = _token(answer, "access_token"), answer.get("scope", "")
    expires_at = _end(answer, "expires_in", now)
    refresh_token = _token(answer, "refresh_token")
    if token is None or not isinstance(listed, str) or (expires_at is None) != (refresh_token is None):
        raise Unreachable("Shopify gave no usable answer for an access token.")
    return Grant(
        access_token=token,
        scopes=permissions.parse(listed),
        expires_at=expires_at,
        refresh_token=refresh_token,
        refresh_expires_at=_end(answer, "refresh_token_expires_in", now),
    )


def _token(answer: Mapping[str, Any], name: str) -> str | None:
    value = answer.get(name)
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def _end(answer: Mapping[str, Any], name: str, now: datetime) -> datetime | None:
    seconds = answer.get(name)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds < 1 << 31:
        return None
    return now + timedelta(seconds=seconds)
