"""A WooCommerce store to talk to: REST, wc-auth and webhooks as WordPress 6.9 with WooCommerce 10.5 has them.

``WooState`` is the store, ``serve`` answers for it on loopback, ``Deliverer`` sends its webhooks.
"""

from demo.peers.woocommerce.deliveries import Deliverer, Sent
from demo.peers.woocommerce.filling import fill
from demo.peers.woocommerce.keys import Key
from demo.peers.woocommerce.outages import Outage
from demo.peers.woocommerce.server import create_peer, install_peer, serve
from demo.peers.woocommerce.site import Site
from demo.peers.woocommerce.state import WooState

__all__ = [
    "Deliverer",
    "Key",
    "Outage",
    "Sent",
    "Site",
    "WooState",
    "create_peer",
    "fill",
    "install_peer",
    "serve",
]
