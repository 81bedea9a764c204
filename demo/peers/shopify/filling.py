"""Putting a demo shop's catalogue and books into a shop of the stand-in."""

from demo.peers.shopify.state import Shop as PeerShop
from demo.shopify_shop import ShopifyShop
from demo.shops import Shop


def fill(peer: PeerShop, shop: Shop) -> None:
    """Enter the products and orders of ``shop`` as they stand at ``shop.now``, refunds within their orders."""
    voice = shop.speaks("")
    assert isinstance(voice, ShopifyShop)
    for listing in shop.listings:
        peer.add_product(voice.product_added(listing)[0].build())
    for order in shop.orders:
        peer.add_order(voice.order_at(order, shop.now))
