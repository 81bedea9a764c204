"""List prices of Shopify."""

from collections.abc import Mapping, Sequence

from connectors.errors import NotFound
from connectors.prices import ListPrice, PriceOutcome, PriceWrite
from connectors.shopify.client import ShopifyClient


class ShopifyPrices:
    """One shop's list prices."""

    def __init__(self, client: ShopifyClient, currency: str) -> None:
        """Speak to the shop of ``client``, whose prices are in ``currency``."""
        self._client = client
        self._currency = currency

    def read(self, product_id: str) -> Mapping[str, ListPrice]:
        """Return the prices of a product's variants."""
        raise NotFound(f"This shop does not tell the prices of product {product_id[:50]}.")

    def write(self, writes: Sequence[PriceWrite]) -> Sequence[PriceOutcome]:
        """Write prices and say what became of each."""
        return [PriceOutcome(write, "This shop does not take prices yet.", "rejected") for write in writes]
