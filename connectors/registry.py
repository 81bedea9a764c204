"""Which connector serves which platform."""

from connectors.base import Connector
from connectors.shopify.connector import SHOPIFY
from connectors.woocommerce.connector import WOOCOMMERCE

_CONNECTORS: dict[str, Connector] = {c.platform: c for c in (SHOPIFY, WOOCOMMERCE)}
PLATFORMS = tuple(_CONNECTORS)


def connector_for(platform: str) -> Connector:
    """Return the connector of ``platform``.

    Raises:
        KeyError: if there is none.
    """
    return _CONNECTORS[platform]
