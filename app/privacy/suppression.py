"""Who was erased and must not come back, whatever is replayed, imported again or arrives late.

The list holds keyed digests alone: it can tell that somebody is on it who comes back, and nothing of anybody who does
not. What names somebody on the list is dropped whole. An order is too, also a later one: taken without its buyer it
would still carry the number under which the shop's own books name the person.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence, Set

from sqlalchemy import Connection

from app.commerce.changes import (
    CartChange,
    Change,
    CommerceChange,
    CustomerChange,
    CustomerDeletion,
    CustomerMerge,
    CustomerRef,
    OrderAdjustment,
    OrderChange,
    OrderDeletion,
    PrivacyRequest,
)
from app.privacy.subjects import CART, CONTACT, CUSTOMER, ORDER, digest

# Kind of what a digest stands for, and the identifier as in ``app.privacy.subjects.digest``.
Name = tuple[str, str]


def suppressed(connection: Connection, store_id: int, digests: Collection[bytes]) -> set[bytes]:
    """Return those of ``digests`` (16 bytes each) that are on the store's list."""
    if not digests:
        return set()
    rows = connection.exec_driver_sql(
        "SELECT digest FROM suppression WHERE store_id = %(store)s AND digest = ANY(%(digests)s::bytea[])",
        {"store": store_id, "digests": list(digests)},
    )
    return {bytes(row[0]) for row in rows}


def suppress(connection: Connection, store_id: int, entries: Iterable[tuple[str, bytes]]) -> int:
    """Put (kind, digest) on the store's list; return how many are new there."""
    kinds = {value: kind for kind, value in entries}
    if not kinds:
        return 0
    result = connection.exec_driver_sql(
        "INSERT INTO suppression (store_id, digest, kind)"
        " SELECT %(store)s, d, k FROM unnest(%(digests)s::bytea[], %(kinds)s::text[]) AS x(d, k)"
        " ON CONFLICT DO NOTHING",
        {"store": store_id, "digests": list(kinds), "kinds": list(kinds.values())},
    )
    return result.rowcount


def without(connection: Connection, store_id: int, changes: Iterable[CommerceChange]) -> list[CommerceChange]:
    """Return ``changes`` without those that name somebody, a cart or an order on the store's list.

    An order that names somebody on it gets onto the list itself. Take the store's lock (``ingest.lock_commerce``)
    before, so that no erasure slips in between.
    """
    found = list(changes)
    named = [set(names(change)) for change in found]
    barred = naming(connection, store_id, named)
    changed = (found[place] for place in barred)
    orders = {change.platform_id for change in changed if isinstance(change, OrderChange)}
    if orders:
        barred |= _bar(connection, store_id, orders, named)
    return [change for place, change in enumerate(found) if place not in barred]


def _bar(connection: Connection, store_id: int, orders: set[str], named: Sequence[Set[Name]]) -> set[int]:
    """Put an erased person's new orders on the list, too; return the places of what else names them.

    A refund names its order and nobody, and may have come before it.
    """
    suppress(connection, store_id, ((ORDER, digest(store_id, ORDER, order)) for order in orders))
    for table, column in (("order_adjustment", "order_platform_id"), ("order_tombstone", "platform_id")):
        connection.exec_driver_sql(
            f"DELETE FROM {table} WHERE store_id = %(store)s AND {column} = ANY(%(orders)s::text[])",
            {"store": store_id, "orders": list(orders)},
        )
    barred = {(ORDER, order) for order in orders}
    return {place for place, found in enumerate(named) if not barred.isdisjoint(found)}


def naming(connection: Connection, store_id: int, named: Sequence[Set[Name]]) -> set[int]:
    """Return the places of those sets of names in which somebody, or something, is on the store's list.

    Asks the database once per batch, and once more where the store has a list: digests are computed only then. Not at
    all where nobody is named.
    """
    every = set().union(*named)
    if not every or not has_list(connection, store_id):
        return set()
    digests = {name: digest(store_id, *name) for name in every}
    listed = suppressed(connection, store_id, digests.values())
    barred = {name for name, value in digests.items() if value in listed}
    return {place for place, found in enumerate(named) if not barred.isdisjoint(found)} if barred else set()


def names(change: Change) -> Iterator[Name]:
    """Yield whom and what a change names, as kind and identifier. Pure."""
    if isinstance(change, OrderChange | OrderDeletion):
        yield ORDER, change.platform_id
    if isinstance(change, OrderAdjustment):
        yield ORDER, change.order_platform_id
    if isinstance(change, CustomerDeletion):
        yield CUSTOMER, change.platform_id
    if isinstance(change, CustomerMerge):
        yield CUSTOMER, change.kept_platform_id
        yield CUSTOMER, change.merged_platform_id
    if isinstance(change, CustomerChange):
        yield from _of_customer(change.customer)
    if isinstance(change, PrivacyRequest):
        if change.customer is not None:
            yield from _of_customer(change.customer)
        for order in change.orders:
            yield ORDER, order
    if isinstance(change, OrderChange):
        if change.customer is not None:
            yield from _of_customer(change.customer)
        if change.cart_token_hash is not None:
            yield CART, change.cart_token_hash.hex()
    if isinstance(change, CartChange):
        yield CART, change.token_hash.hex()


def _of_customer(customer: CustomerRef) -> Iterator[Name]:
    if customer.platform_id is not None:
        yield CUSTOMER, customer.platform_id
    if customer.identity_hash is not None:
        yield CONTACT, customer.identity_hash.hex()


def has_list(connection: Connection, store_id: int) -> bool:
    """Return whether the store has erased anybody."""
    found = connection.exec_driver_sql(
        "SELECT EXISTS (SELECT FROM suppression WHERE store_id = %(store)s)", {"store": store_id}
    )
    return bool(found.scalar_one())
