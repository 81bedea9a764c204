"""What a store is like before it is connected, told to the merchant in plain words.

Asked without keys first (address, redirects, permalinks), then with them (which way of sending them arrives,
versions, order storage, currency, time zone), at last whether they may write, by a batch of nothing.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from connectors.errors import NotFound, PlatformError, ReconnectNeeded, Rejected, Unreachable
from connectors.outbound import Outbound, Reply, Resolver, system_resolver
from connectors.woocommerce.client import (
    BYTE_ORDER_MARK,
    INDEX_FIELDS,
    USER_AGENT,
    Blocked,
    WooCommerceClient,
    moved_to,
    store_address,
)
from connectors.woocommerce.timezones import site_timezone

NEEDED_VERSION: Final = (5, 8)
"""WooCommerce's first with ``modified_after``."""

TRIED_VERSION: Final = (9, 9)
"""The oldest WooCommerce that Pannier was tried with."""

_REDIRECTS: Final = 5
# Sub-fields of the environment keep WooCommerce from trying out its own connections to the world.
_STATUS_FIELDS: Final = "environment.version,environment.wp_version,settings"
_VERSION: Final = re.compile(r"(\d{1,4})\.(\d{1,4})[0-9A-Za-z.+-]{0,30}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_NAME_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found. None stands for what the store did not tell.

    Attributes:
        store_url: the address that was asked, in the form to keep.
        reachable: the store's REST API answered, with or without keys.
        https: the address is one of https.
        redirects_to: the address to register instead, where the store sends elsewhere.
        permalinks: the REST API stands at /wp-json/, as WooCommerce needs it to accept keys.
        authenticated: the keys are accepted.
        query_auth: keys must be sent in the query; to be kept and given to every client.
        can_write: the keys may create webhooks.
        name: of the site, at most 200 characters.
        woocommerce: version.
        wordpress: version.
        hpos: orders are kept in tables of their own (high-performance order storage).
        currency: ISO 4217.
        timezone: IANA name.
        problems: sentences on what must be mended before the store can be connected; empty when it can.
        notes: sentences on what is worth knowing.
    """

    store_url: str
    reachable: bool = False
    https: bool = False
    redirects_to: str | None = None
    permalinks: bool = False
    authenticated: bool = False
    query_auth: bool = False
    can_write: bool | None = None
    name: str | None = None
    woocommerce: str | None = None
    wordpress: str | None = None
    hpos: bool | None = None
    currency: str | None = None
    timezone: str | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def probe(
    store_url: str,
    key: str,
    secret: str,
    *,
    allow_loopback: bool = False,
    resolver: Resolver = system_resolver,
    sleep: Callable[[float], None] = time.sleep,
    timeout_s: float = 30.0,
    deadline_s: float = 60.0,
    ca_file: str | None = None,
) -> Probe:
    """Return what the store at ``store_url`` is like. Raises nothing for a store that answers badly.

    Keys are sent to ``store_url`` alone, never to where it redirects.

    Args:
        store_url: as the merchant typed it.
        key: the consumer key.
        secret: the consumer secret.
        allow_loopback: see ``connectors.outbound.Outbound``; so are ``resolver`` and ``ca_file``.
        resolver: from host name to addresses.
        sleep: waits between attempts.
        timeout_s: for one request.
        deadline_s: for one question with all its attempts; five are asked at most.
        ca_file: certificates to trust.
    """
    try:
        address = store_address(store_url)
    except Rejected as error:
        return Probe(store_url.strip()[:_NAME_LENGTH], problems=(str(error),))

    def client(query_auth: bool) -> WooCommerceClient:
        return WooCommerceClient(
            address,
            key,
            secret,
            query_auth=query_auth,
            allow_loopback=allow_loopback,
            resolver=resolver,
            sleep=sleep,
            timeout_s=timeout_s,
            deadline_s=deadline_s,
            ca_file=ca_file,
        )

    findings = _Findings(address)
    outbound = Outbound(
        allow_loopback=allow_loopback, resolver=resolver, deadline_s=timeout_s, ca_file=ca_file
    )
    if findings.look_from_outside(outbound):
        findings.look_with_keys(client)
    return findings.result()


class _Findings:
    """What is known so far."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._facts: dict[str, Any] = {"https": address.startswith("https://")}
        self._problems: list[str] = []
        self._notes: list[str] = []

    def result(self) -> Probe:
        """Return all of it."""
        return Probe(self._address, **self._facts, problems=tuple(self._problems), notes=tuple(self._notes))

    def look_from_outside(self, outbound: Outbound) -> bool:
        """Read the index of the REST API without keys; return whether there is reason to go on with them."""
        try:
            asked, reply = _followed(outbound, f"{self._address}/wp-json/?_fields={INDEX_FIELDS}")
        except PlatformError as error:
            self._problems.append(str(error))
            return False
        self._facts["reachable"] = True
        address = moved_to("", asked)
        if address != self._address and _is_index(reply):
            self._facts["redirects_to"] = address
            self._problems.append(f"The store sends visitors on to {address}: connect it under that address.")
            return False
        if address != self._address or 300 <= reply.status < 400:
            self._problems.append(
                "The store redirects /wp-json/ to another page: a plugin or the host's rules must leave it alone."
            )
            return False
        return self._read_index(reply, outbound)

    def _read_index(self, reply: Reply, outbound: Outbound) -> bool:
        if not _is_index(reply):
            self._problems.append(self._without_index(reply.status, outbound))
            return False
        self._facts["permalinks"] = True
        if reply.status != 200:
            return True
        index = _object(reply.body) or {}
        self._read_site(index)
        return self._has_woocommerce(index)

    def _without_index(self, status: int, outbound: Outbound) -> str:
        """Return why there is no index at /wp-json/."""
        try:
            plain = outbound.get(f"{self._address}/?rest_route=/&_fields=name", headers=_headers())
        except PlatformError:
            plain = None
        if plain is not None and _is_index(plain):
            return (
                "The store uses plain permalinks, with which WooCommerce accepts no keys: choose Post name "
                "under Settings, Permalinks."
            )
        if status in {404, 410} or 200 <= status < 300:
            return (
                f"There is no WordPress REST API at {self._address}/wp-json/: see that the address is the "
                "one of WordPress, and that no plugin switches the REST API off."
            )
        if status >= 500 and status != 501:
            return f"The store is out of order (status {status}): try again when its pages open."
        return f"A firewall or security plugin turns Pannier away (status {status}): let it through to /wp-json/."

    def _read_site(self, index: dict[str, Any]) -> None:
        name = index.get("name")
        if isinstance(name, str) and name.strip():
            self._facts["name"] = name.strip()[:_NAME_LENGTH]
        self._facts["timezone"] = site_timezone(index.get("timezone_string"), index.get("gmt_offset"))

    def _has_woocommerce(self, index: dict[str, Any]) -> bool:
        namespaces = index.get("namespaces")
        if not isinstance(namespaces, list) or "wc/v3" in namespaces:
            return True
        self._problems.append("WooCommerce is not active on this site: activate it under Plugins.")
        return False

    def look_with_keys(self, client: Callable[[bool], WooCommerceClient]) -> None:
        """Find the way the keys arrive, and read what only they may see."""
        status = self._status(client)
        if status is None:
            return
        self._facts["authenticated"] = True
        asking = client(self._facts.get("query_auth", False))
        self._read_versions(_part(status, "environment"))
        settings = _part(status, "settings")
        hpos = settings.get("HPOS_enabled")
        self._facts["hpos"] = hpos if isinstance(hpos, bool) else None
        self._facts["currency"] = _currency(settings.get("currency")) or _asked_currency(asking)
        if self._facts["currency"] is None:
            self._problems.append(
                "The store does not tell its currency: choose one under WooCommerce, Settings, General."
            )
        if self._facts.get("timezone") is None:
            self._notes.append("The store does not tell its time zone by name: UTC is used for its days.")
        self._read_write_permission(asking)

    def _status(self, client: Callable[[bool], WooCommerceClient]) -> dict[str, Any] | None:
        """Return the system status, by Basic or else with the keys in the query, None where neither works."""
        first = _answered(client, query_auth=False)
        if not isinstance(first, ReconnectNeeded | Rejected) or not self._facts["https"]:
            return self._told(first)
        second = _answered(client, query_auth=True)
        if isinstance(second, PlatformError):
            # What Basic was told is nearer to the cause, unless only the query came as far as WooCommerce.
            return self._told(first if isinstance(first, ReconnectNeeded) else second)
        self._facts["query_auth"] = True
        self._notes.append(
            "The host strips the Authorization header, so keys are sent in the query: ask the host to keep "
            "query strings out of its logs."
        )
        return self._told(second)

    def _told(self, outcome: dict[str, Any] | PlatformError) -> dict[str, Any] | None:
        if isinstance(outcome, ReconnectNeeded):
            self._problems.append(
                f"{outcome} Keys need Read/Write permission and an administrator or shop manager as their user."
            )
        elif isinstance(outcome, PlatformError):
            self._problems.append(str(outcome))
        else:
            return outcome
        return None

    def _read_versions(self, environment: dict[str, Any]) -> None:
        self._facts["wordpress"] = _version(environment.get("wp_version"))
        version = self._facts["woocommerce"] = _version(environment.get("version"))
        if version is None:
            self._notes.append("The store does not tell its WooCommerce version: Pannier needs 5.8 or newer.")
            return
        major, minor = (int(part) for part in version.split(".")[:2])
        if (major, minor) < NEEDED_VERSION:
            self._problems.append(f"WooCommerce {version} is too old: update it to 5.8 or newer.")
        elif (major, minor) < TRIED_VERSION:
            self._notes.append(
                f"WooCommerce {version} is older than Pannier was tried with (9.9): update it."
            )

    def _read_write_permission(self, asking: WooCommerceClient) -> None:
        """Send a batch of nothing to where webhooks are made: the permission is checked, nothing is done."""
        try:
            asking.post("webhooks/batch", {})
        except ReconnectNeeded:
            self._facts["can_write"] = False
            self._problems.append(
                "The keys may only read, and Pannier must create webhooks: make keys with Read/Write permission."
            )
        except (Blocked, NotFound, Rejected):
            self._notes.append("Whether the keys may write could not be found out: connecting will tell.")
        except Unreachable as error:
            self._notes.append(f"Whether the keys may write could not be found out: {error}")
        else:
            self._facts["can_write"] = True


def _followed(outbound: Outbound, url: str) -> tuple[str, Reply]:
    """Return the last address and answer of a chain of redirects, each of them checked."""
    reply = outbound.get(url, headers=_headers())
    for _ in range(_REDIRECTS):
        address = moved_to(reply.headers.get("Location", ""), url) if 300 <= reply.status < 400 else None
        if address is None or address == moved_to("", url):
            break
        url = f"{address}/wp-json/?_fields={INDEX_FIELDS}"
        reply = outbound.get(url, headers=_headers())
    return url, reply


def _headers() -> dict[str, str]:
    return {"User-Agent": USER_AGENT, "Accept": "application/json"}


def _is_index(reply: Reply) -> bool:
    """Return whether the REST API answered. Many sites show its index to nobody and accept keys all the same."""
    return reply.status in {200, 401, 403} and _object(reply.body) is not None


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = orjson.loads(body.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _answered(
    client: Callable[[bool], WooCommerceClient], *, query_auth: bool
) -> dict[str, Any] | PlatformError:
    try:
        body = client(query_auth).get("system_status", {"_fields": _STATUS_FIELDS}).body
    except PlatformError as error:
        return error
    return body if isinstance(body, dict) else {}


def _asked_currency(asking: WooCommerceClient) -> str | None:
    try:
        body = asking.get("settings/general/woocommerce_currency").body
    except PlatformError:
        return None
    return _currency(body.get("value")) if isinstance(body, dict) else None


def _part(status: dict[str, Any], name: str) -> dict[str, Any]:
    part = status.get(name)
    return part if isinstance(part, dict) else {}


def _currency(told: Any) -> str | None:
    return told if isinstance(told, str) and _CURRENCY.fullmatch(told) else None


def _version(told: Any) -> str | None:
    return told if isinstance(told, str) and _VERSION.fullmatch(told) else None
