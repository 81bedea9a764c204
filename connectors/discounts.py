"""Real discounts of one store's platform: what every platform's ``discounts.py`` offers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from app.commerce.offers import Terms

# Mechanisms: how a platform grants an offer.
NATIVE: Final = "native"  # a discount of the platform's own (Shopify: buy X get Y)
FUNCTION: Final = "function"  # the store's one discount function (Shopify)
PLUGIN: Final = "plugin"  # the virtual coupon of the plugin (WooCommerce)
COUPON: Final = "coupon"  # a coupon of the shop's own (WooCommerce without the plugin)


@dataclass(frozen=True, slots=True)
class LiveOffer:
    """An offer that the platform grants.

    Attributes:
        key: the offer's public id.
        mechanism: one of the four above.
        handle: the platform's id of what grants it, where there is one.
        digest: of the terms that were published: other ones have to be published again.
        code: what a shopper's cart must carry, where the platform needs a code.
        limits: where the platform cannot keep the whole promise, a sentence each for the merchant.
    """

    key: str
    mechanism: str
    digest: str
    handle: str | None = None
    code: str | None = None
    limits: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "key": self.key,
            "mechanism": self.mechanism,
            "digest": self.digest,
            "handle": self.handle,
            "code": self.code,
            "limits": list(self.limits),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "LiveOffer":
        """Return what ``to_json`` made into JSON."""
        return cls(**{**body, "limits": tuple(body["limits"])})


@dataclass(frozen=True, slots=True)
class RefusedOffer:
    """An offer that the platform does not grant. ``reason`` is one sentence for the merchant, with what to do.

    ``code`` is a snake_case word: ``limit_reached``, ``product_gone``, ``unreachable``, ``not_allowed``, ``inexact``
    (the platform could not keep the promise), ``rejected``. ``again`` says whether the same may succeed later.
    """

    key: str
    code: str
    reason: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """What the platform grants now of what was wanted. ``left`` are offers that are to go and are still granted."""

    live: tuple[LiveOffer, ...] = ()
    refused: tuple[RefusedOffer, ...] = ()
    left: tuple[LiveOffer, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class QuoteKey:
    """A key under which the checkout accepts quotes until ``not_after``. ``secret`` is never logged."""

    id: str
    secret: bytes = field(repr=False)
    not_after: datetime


class Discounts(Protocol):
    """One store's discounts. Every method may raise any error of ``connectors.errors``."""

    def publish(self, wanted: Sequence[Terms], known: Mapping[str, LiveOffer]) -> Published:
        """Make ``wanted`` the offers that the platform grants: all of them, and no others of ours.

        Args:
            wanted: terms of every offer that is to be live; the most valuable first, where not all can be.
            known: what was live after the last time, by key. What is unchanged is not sent again.

        Returns:
            What is live now. A part that fails does not keep the others: it is refused (or left).

        Raises:
            PlatformError: if nothing could be done at all; what was live before still is.
        """
        ...

    def granted(self, known: Mapping[str, LiveOffer]) -> frozenset[str]:
        """Return the keys of those of ``known`` that the platform still grants: somebody may have deleted one there."""
        ...

    def publish_keys(self, keys: Sequence[QuoteKey]) -> None:
        """Make ``keys`` those under which the checkout accepts quotes; none: it accepts none."""
        ...
