"""Offers as discounts of WooCommerce."""

from collections.abc import Mapping, Sequence

from app.commerce.offers import Terms
from connectors.discounts import LiveOffer, Published, QuoteKey, RefusedOffer
from connectors.woocommerce.client import WooCommerceClient


class WooCommerceDiscounts:
    """One shop's discounts."""

    def __init__(self, client: WooCommerceClient, currency: str) -> None:
        """Speak to the shop of ``client``, whose prices are in ``currency``."""
        self._client = client
        self._currency = currency

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
