"""Putting a demo shop's catalogue and books into a shop of the stand-in."""

from demo.peers.shopify.state import Shop as PeerShop
from demo.shopify_format import platform_id
from demo.shopify_shop import ShopifyShop
from demo.shops import Shop


def fill(peer: PeerShop, shop: Shop) -> None:
    """Enter the products and orders of ``shop`` as they stand at ``shop.now``, refunds within their orders.

    The merchant has chosen what to show beside the best sellers.
    """
    voice = shop.speaks("")
    assert isinstance(voice, ShopifyShop)
    for listing in shop.listings:
        peer.add_product(voice.product_added(listing)[0].build())
    for number, chosen in shop.companions.items():
        for key, products in (
            ("complementary_products", chosen.goes_with),
            ("related_products", chosen.better),
        ):
            ids = [platform_id("Product", product) for product in products]
            peer.choose(platform_id("Product", number), key, ids)
    for order in shop.orders:
        peer.add_order(voice.order_at(order, shop.now))
