"""Offers as discounts of Shopify."""

from collections.abc import Mapping, Sequence

from app.commerce.offers import Terms
from connectors.discounts import LiveOffer, Published, QuoteKey, RefusedOffer
from connectors.shopify.client import ShopifyClient


class ShopifyDiscounts:
    """One shop's discounts."""

    def __init__(self, client: ShopifyClient, currency: str, timezone: str) -> None:
        """Speak to the shop of ``client``, whose prices are in ``currency``."""
        self._client = client
        self._currency = currency
        self._timezone = timezone

    def publish(self, wanted: Sequence[Terms], known: Mapping[str, LiveOffer]) -> Published:
        """Make ``wanted`` the offers that the shop grants."""
        refused = tuple(
            RefusedOffer(t.key, "not_allowed", "This shop cannot grant offers yet.") for t in wanted
        )
        return Published(refused=refused, left=tuple(known.values()))

    def granted(self, known: Mapping[str, LiveOffer]) -> frozenset[str]:
        """Return the keys of those that the shop still grants."""
        return frozenset(known)

    def publish_keys(self, keys: Sequence[QuoteKey]) -> None:
        """Make ``keys`` those under which the checkout accepts quotes."""
