"""Pannier's WordPress plugin, asked over the store's REST keys under ``wc-pannier/v1``.

The plugin keeps what checkout needs in the shop, so that nobody there waits for Pannier:

- ``GET status`` → ``{"version", "configuration": serial or null, "keys": [ids], "currency", "coupons_enabled"}``.
- ``PUT keys`` ``{"keys": [{"id", "secret", "not_after"}]}`` replaces all keys. ``secret`` is base64url without
  padding, ``not_after`` seconds since 1970.
- ``PUT configuration`` ``{"payload": text, "signature": hex}``. The payload is JSON, ``{"serial", "store",
  "valid_until", "offers"}``; it is handed on as text, so that both sides sign the same bytes. The signature is the
  HMAC-SHA256 of the text under the key whose ``not_after`` is latest, of its decoded secret. The serial has to grow:
  an old configuration that somebody sends again is refused (409), a wrong signature too (401).
"""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from connectors.discounts import QuoteKey
from connectors.errors import Rejected
from connectors.woocommerce.client import NO_ROUTE, Answer, WooCommerceClient

NAMESPACE: Final = "wc-pannier/v1"
# No quote's key lives that long: of all keys this is the newest.
_SIGNS_UNTIL: Final = datetime(2100, 1, 1, tzinfo=UTC)
_ODD: Final = "The Pannier plugin of the shop answers in another way than expected: update it."

_DISCONNECTED: Final = "pannier_disconnected"
_SWITCHED_OFF: Final = (
    "The merchant has disconnected the shop in the plugin: connect it under WooCommerce, Pannier."
)


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """What the plugin says of itself. ``serial`` is that of its configuration, None: it has none."""

    version: str
    serial: int | None
    keys: frozenset[str]
    currency: str
    coupons_enabled: bool


def signing_key(secret: bytes) -> QuoteKey:
    """Return the key that signs a store's configurations; another secret is another key."""
    return QuoteKey(f"cfg{sha256(secret).hexdigest()[:12]}", secret, _SIGNS_UNTIL)


def payload(serial: int, store: str, valid_until: datetime, offers: Sequence[Mapping[str, Any]]) -> str:
    """Return a configuration as text.

    ASCII alone: no database of a shop, however old its character set, changes a byte of it.
    """
    body = {"serial": serial, "store": store, "valid_until": int(valid_until.timestamp()), "offers": offers}
    return json.dumps(body, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def sign(text: str, key: QuoteKey) -> str:
    """Return the signature of a configuration, in hex."""
    return hmac.new(key.secret, text.encode(), "sha256").hexdigest()


class SwitchedOff(Rejected):
    """The merchant has disconnected the shop in the plugin's own settings: it does nothing."""


class Plugin:
    """The plugin of one shop. Every method may raise any error of ``connectors.errors``."""

    def __init__(self, client: WooCommerceClient) -> None:
        """Ask the plugin of the shop of ``client``."""
        self._rest = client.beside(NAMESPACE)

    def status(self) -> PluginStatus | None:
        """Return what the plugin says of itself, None where the shop has no plugin, or one without offers.

        Raises:
            SwitchedOff: see there.
        """
        try:
            answer = self._rest.get("status")
        except Rejected as refusal:
            if refusal.code == NO_ROUTE:
                return None
            if refusal.code == _DISCONNECTED:
                raise SwitchedOff(_SWITCHED_OFF) from None
            raise
        return _status(answer)

    def put_keys(self, keys: Sequence[QuoteKey]) -> None:
        """Replace the keys of the plugin.

        Raises:
            Rejected: with the code ``NO_ROUTE`` where there is no plugin.
        """
        self._rest.put("keys", {"keys": [_key(key) for key in keys]})

    def put_configuration(self, text: str, signature: str) -> int:
        """Replace the configuration and return how many offers the plugin took.

        Raises:
            Rejected: with the status 401 for a wrong signature, 409 for a serial that does not grow.
        """
        body = self._rest.put("configuration", {"payload": text, "signature": signature}).body
        count = body.get("offers") if isinstance(body, dict) else None
        if not isinstance(count, int):
            raise Rejected(_ODD)
        return count


def _key(key: QuoteKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "secret": base64.urlsafe_b64encode(key.secret).rstrip(b"=").decode(),
        "not_after": int(key.not_after.timestamp()),
    }


def _status(answer: Answer) -> PluginStatus:
    """Return a status as the plugin tells it; raises Rejected where it has another shape."""
    body = answer.body if isinstance(answer.body, dict) else {}
    version, serial, keys = body.get("version"), body.get("configuration"), body.get("keys")
    currency, coupons = body.get("currency"), body.get("coupons_enabled")
    if not (
        isinstance(version, str)
        and (serial is None or isinstance(serial, int))
        and isinstance(keys, list)
        and isinstance(currency, str)
        and isinstance(coupons, bool)
    ):
        raise Rejected(_ODD)
    return PluginStatus(
        version, serial, frozenset(key for key in keys if isinstance(key, str)), currency, coupons
    )
