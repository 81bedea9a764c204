"""The names under which people are kept: keyed digests of 16 bytes, and nodes of the identity graph.

A digest is HMAC-SHA256 under the store's own key, cut to 16 bytes, of the kind and the identifier. Nobody without the
key can tell whose it is, and the same visitor has unrelated digests in two shops. Sixteen bytes make a chance
collision among a billion visitors less likely than one in 10^20.
"""

from typing import Final

from app.core.crypto import vault

VISITOR: Final = "visitor"  # a browser's or an app's anonymous id
CUSTOMER: Final = "customer"  # the platform's customer id
CONTACT: Final = "contact"  # an e-mail address's identity hash (see ``app.commerce.customer``)
CART: Final = "cart"  # SHA-256 of a cart's token
ORDER: Final = "order"  # the platform's order id: for suppression only
KINDS: Final = (VISITOR, CUSTOMER, CONTACT, CART)

_BYTES: Final = 16


def digest(store_id: int, kind: str, identifier: str) -> bytes:
    """Return the keyed digest of an identifier, 16 bytes.

    ``identifier`` is the anonymous id, the platform's id, or the hash in hexadecimal.
    """
    return bytes.fromhex(vault().pseudonym(store_id, f"{kind}:{identifier}"))[:_BYTES]


def visitor_node(store_id: int, anonymous_id: str) -> str:
    """Return the node of an anonymous id: ``visitor:`` and its digest in hexadecimal."""
    return f"{VISITOR}:{digest(store_id, VISITOR, anonymous_id).hex()}"


def customer_node(platform_id: str) -> str:
    """Return the node of a customer: the platform's own id, which the shop's orders name too."""
    return f"{CUSTOMER}:{platform_id}"


def contact_node(store_id: int, identity_hash: bytes) -> str:
    """Return the node of a contact by its identity hash (32 bytes)."""
    return f"{CONTACT}:{digest(store_id, CONTACT, identity_hash.hex()).hex()}"


def cart_node(store_id: int, token_hash: bytes) -> str:
    """Return the node of a cart by the SHA-256 of its token (32 bytes)."""
    return f"{CART}:{digest(store_id, CART, token_hash.hex()).hex()}"


def subject_of(store_id: int, node: str) -> bytes:
    """Return the digest under which events of a node are kept: 16 bytes."""
    kind, _, rest = node.partition(":")
    return digest(store_id, CUSTOMER, rest) if kind == CUSTOMER else bytes.fromhex(rest)
