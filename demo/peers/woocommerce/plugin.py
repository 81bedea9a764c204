"""Pannier's plugin in the store: what it keeps, and what it believes.

It keeps keys, and one configuration with all offers. A configuration is believed if it is signed under the key that
lives longest, is for this site, has not ended and is newer than the one before.
"""

import base64
import hmac
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demo.peers.woocommerce.problems import RestProblem
from demo.peers.woocommerce.site import Site

VERSION = "1.1.0"
_KEY_FIELDS = {"id": str, "secret": str, "not_after": int}


@dataclass(frozen=True, slots=True)
class Configuration:
    """What was published last: the offers by position, as the checkout reads them. Times are in seconds since 1970."""

    serial: int
    valid_until: int
    offers: tuple[Mapping[str, Any], ...]


class PannierPlugin:
    """The plugin of one store. Safe to use from several threads.

    Attributes:
        connected: whether the merchant has the shop connected in the plugin's settings; if not, it does nothing.
    """

    def __init__(self, site: Site) -> None:
        """Install it: no keys, no configuration."""
        self.connected = True
        self._site = site
        self._lock = threading.Lock()
        self._keys: list[dict[str, Any]] = []
        self._text: str | None = None
        self._configuration: Configuration | None = None

    def status(self) -> dict[str, Any]:
        """Return what it says of itself."""
        with self._lock:
            return {
                "version": VERSION,
                "configuration": self._configuration.serial if self._configuration else None,
                "keys": [key["id"] for key in self._keys],
                "currency": self._site.currency,
                "coupons_enabled": self._site.coupons_enabled,
            }

    def offers(self) -> Sequence[Mapping[str, Any]]:
        """Return the offers that carts are to be given, none once the configuration has ended."""
        with self._lock:
            configuration = self._configuration
        if configuration is None or not self.connected:
            return ()
        return configuration.offers if self._site.now().timestamp() < configuration.valid_until else ()

    def put_keys(self, keys: Any) -> None:
        """Replace all keys.

        Raises:
            RestProblem: if they are none.
        """
        if not isinstance(keys, list) or not all(_is_key(key) for key in keys):
            raise _wrong_body()
        with self._lock:
            self._keys = [{name: key[name] for name in _KEY_FIELDS} for key in keys]

    def put_configuration(self, text: Any, signature: Any) -> Configuration:
        """Replace the configuration and return it.

        Raises:
            RestProblem: 400 for what is none, 401 for a wrong signature, 409 for one that is not newer.
        """
        if not isinstance(text, str) or not isinstance(signature, str):
            raise _wrong_body()
        with self._lock:
            self._check_signature(text, signature)
            configuration = self._read(text)
            if self._configuration is not None and configuration.serial <= self._configuration.serial:
                raise RestProblem("pannier_old_configuration", "The shop has a newer configuration.", 409)
            self._text, self._configuration = text, configuration
            return configuration

    def kept(self) -> dict[str, Any]:
        """Return what the store's database holds of it, ready for JSON. Holds secrets."""
        with self._lock:
            return {"keys": self._keys, "configuration": self._text}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Have what ``kept`` returned in an earlier run."""
        with self._lock:
            self._keys, self._text = list(kept["keys"]), kept["configuration"]
            self._configuration = None if self._text is None else self._read(self._text)

    def _check_signature(self, text: str, signature: str) -> None:
        newest = max(self._keys, key=lambda key: int(key["not_after"]), default=None)
        secret = base64.urlsafe_b64decode(newest["secret"] + "==") if newest else b""
        expected = hmac.new(secret, text.encode(), "sha256").hexdigest()
        if newest is None or not hmac.compare_digest(expected.encode(), signature.encode()):
            raise RestProblem(
                "pannier_wrong_signature",
                "The configuration was not signed with the newest key of this shop.",
                401,
            )

    def _read(self, text: str) -> Configuration:
        try:
            body = json.loads(text)
            configuration = Configuration(
                int(body["serial"]),
                int(body["valid_until"]),
                tuple(_offer(offer) for offer in body["offers"]),
            )
            store = str(body["store"])
        except (ValueError, TypeError, KeyError):
            raise _invalid() from None
        if store.rstrip("/") != self._site.url.rstrip("/"):
            raise RestProblem("pannier_other_store", "This configuration is for another shop.", 400)
        if configuration.valid_until <= self._site.now().timestamp():
            raise _invalid()
        return configuration


def _is_key(key: Any) -> bool:
    return isinstance(key, dict) and all(
        isinstance(key.get(name), kind) for name, kind in _KEY_FIELDS.items()
    )


def _offer(offer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an offer if it has what a checkout reads; raises KeyError or ValueError."""
    if len(offer["c"]) < 2 or not offer["d"] or ("p" in offer) == ("a" in offer):
        raise ValueError("no offer")
    return {**offer, "k": str(offer["k"]), "t": str(offer["t"]), "s": int(offer["s"]), "u": str(offer["u"])}


def _invalid() -> RestProblem:
    return RestProblem(
        "pannier_wrong_configuration",
        "This is no configuration of offers that this version of the plugin understands.",
        400,
    )


def _wrong_body() -> RestProblem:
    return RestProblem(
        "pannier_wrong_body",
        "The body of the request has another form than this version of the plugin understands.",
        400,
    )
