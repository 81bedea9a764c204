"""Finding everything by which a person is known, from whatever they are named by."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from flask import current_app
from sqlalchemy import Connection

from app.privacy.rooms import Person
from app.privacy.subjects import (
    CART,
    CONTACT,
    CUSTOMER,
    cart_node,
    contact_node,
    customer_node,
    subject_of,
)

# Returns all nodes of the person that a node belongs to. The identity graph lies above this room.
NodesOf = Callable[[Connection, int, str], frozenset[str]]
_PAGE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Named:
    """By what a person is named.

    Attributes:
        customers: the platform's customer ids.
        contacts: hashes of e-mail addresses (32 bytes).
        visitors: nodes of visitors.
        orders: the platform's order ids.
    """

    customers: frozenset[str] = frozenset()
    contacts: frozenset[bytes] = frozenset()
    visitors: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.customers or self.contacts or self.visitors or self.orders)


def find(connection: Connection, store_id: int, named: Named) -> Person:
    """Return everything that belongs to who is ``named``: what they are called, their accounts, orders and carts.

    One e-mail address is one person, also where it ordered as a guest and has an account. Who placed a named order is
    the person too. Whose a shared device is, the identity graph decides; what a device did is reached from an account,
    never one account from another through a device.
    """
    customers = set(named.customers)
    contacts = set(named.contacts)
    nodes = set(named.visitors)
    rows = _buyers(connection, store_id, named.orders)
    while True:
        fresh = _customers(connection, store_id, customers, contacts, rows)
        rows |= fresh.keys()
        for platform_id, identity_hash in fresh.values():
            customers |= {platform_id} if platform_id else set()
            contacts |= {identity_hash} if identity_hash else set()
        asked = nodes | {customer_node(c) for c in customers}
        asked |= {contact_node(store_id, c) for c in contacts}
        found = _together(connection, store_id, asked - _of_kind(asked, CART))
        known = (len(customers), len(contacts), len(nodes), len(rows))
        nodes |= asked | found
        customers |= {node.partition(":")[2] for node in _of_kind(nodes, CUSTOMER)}
        contacts |= _contacts_of(connection, store_id, _of_kind(nodes, CONTACT), contacts)
        if known == (len(customers), len(contacts), len(nodes), len(rows)):
            break
    orders, carts = _orders(connection, store_id, rows, named.orders)
    carts |= _carts_of(connection, store_id, _of_kind(nodes, CART), carts)
    nodes |= {cart_node(store_id, token_hash) for token_hash in carts}
    return Person(
        store_id=store_id,
        nodes=frozenset(nodes),
        subjects=frozenset(subject_of(store_id, node) for node in nodes),
        customer_ids=frozenset(rows),
        identity_hashes=frozenset(contacts),
        order_ids=frozenset(orders),
        cart_hashes=frozenset(carts),
    )


def _of_kind(nodes: Iterable[str], kind: str) -> set[str]:
    return {node for node in nodes if node.startswith(f"{kind}:")}


def _together(connection: Connection, store_id: int, nodes: Iterable[str]) -> set[str]:
    nodes_of: NodesOf | None = current_app.extensions.get("pannier_nodes_of")
    if nodes_of is None:
        return set()
    return {found for node in nodes for found in nodes_of(connection, store_id, node)}


def _buyers(connection: Connection, store_id: int, orders: Collection[str]) -> set[int]:
    rows = connection.exec_driver_sql(
        "SELECT DISTINCT customer_id FROM orders WHERE store_id = %(store)s AND customer_id IS NOT NULL"
        " AND platform_id = ANY(%(orders)s::text[])",
        {"store": store_id, "orders": list(orders)},
    )
    return {row[0] for row in rows}


def _customers(
    connection: Connection, store_id: int, customers: set[str], contacts: set[bytes], known: set[int]
) -> dict[int, tuple[str | None, bytes | None]]:
    """Return rows of customers with these ids, platform ids or contacts: platform id and hash by id."""
    rows = connection.exec_driver_sql(
        """
        SELECT id, platform_id, identity_hash FROM customer WHERE store_id = %(store)s AND (
            platform_id = ANY(%(customers)s::text[]) OR identity_hash = ANY(%(contacts)s::bytea[])
            OR id = ANY(%(known)s::bigint[]))
        """,
        {
            "store": store_id,
            "customers": list(customers),
            "contacts": list(contacts),
            "known": list(known),
        },
    )
    return {
        id_: (platform_id, bytes(identity_hash) if identity_hash is not None else None)
        for id_, platform_id, identity_hash in rows
    }


def _orders(
    connection: Connection, store_id: int, rows: set[int], named: Collection[str]
) -> tuple[set[str], set[bytes]]:
    """Return the platform ids of the orders, the named ones that are not known here included, and their carts."""
    found = connection.exec_driver_sql(
        "SELECT platform_id, cart_token_hash FROM orders WHERE store_id = %(store)s"
        " AND (customer_id = ANY(%(customers)s::bigint[]) OR platform_id = ANY(%(orders)s::text[]))",
        {"store": store_id, "customers": list(rows), "orders": list(named)},
    ).all()
    carts = {bytes(token_hash) for _, token_hash in found if token_hash is not None}
    return {platform_id for platform_id, _ in found} | set(named), carts


def _contacts_of(connection: Connection, store_id: int, nodes: set[str], known: set[bytes]) -> set[bytes]:
    """Return the hashes behind nodes of contacts; each node is a digest, so all that are stored are tried."""
    missing = nodes - {contact_node(store_id, identity_hash) for identity_hash in known}
    if not missing:
        return set()
    query = (
        "SELECT DISTINCT identity_hash FROM customer WHERE store_id = %(store)s AND identity_hash IS NOT NULL"
    )
    return {h for h in _each(connection, query, store_id) if contact_node(store_id, h) in missing}


def _carts_of(connection: Connection, store_id: int, nodes: set[str], known: set[bytes]) -> set[bytes]:
    """Return the hashes of the tokens behind nodes of carts, likewise."""
    missing = nodes - {cart_node(store_id, token_hash) for token_hash in known}
    if not missing:
        return set()
    query = "SELECT token_hash FROM cart WHERE store_id = %(store)s"
    return {h for h in _each(connection, query, store_id) if cart_node(store_id, h) in missing}


def _each(connection: Connection, query: str, store_id: int) -> Iterable[bytes]:
    with connection.exec_driver_sql(
        query, {"store": store_id}, execution_options={"yield_per": _PAGE}
    ) as rows:
        for (value,) in rows:
            yield bytes(value)
