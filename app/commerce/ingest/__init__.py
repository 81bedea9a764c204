"""Writing changes: newest wins, twice is once, in any order of arrival.

One store's changes are applied by one transaction at a time (an advisory lock), so two workers that apply at
the same moment cannot interleave. Of two states the one with the later ``updated_at`` stands; states
of the same second are settled by the stage of the order and then by their digest, so that every order of
arrival ends in the same rows.

:func:`apply` is the way in. Each module writes one subject: ``products`` (with variants and stock), ``customers``,
``orders`` (with refunds and baskets), ``carts``, ``installation``.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection

from app.commerce.changes import (
    CartChange,
    CommerceChange,
    CustomerMerge,
    OrderChange,
    OrderDeletion,
    ProductChange,
    ProductDeletion,
)
from app.commerce.ingest.applied import Applied, BasketChange
from app.commerce.ingest.carts import apply_carts
from app.commerce.ingest.customers import apply_customers
from app.commerce.ingest.installation import apply_installation
from app.commerce.ingest.orders import BASKET_SQL, apply_orders
from app.commerce.ingest.products import apply_products
from app.core.db import lock_store

__all__ = ["BASKET_SQL", "Applied", "BasketChange", "apply", "lock_commerce"]

_LOCK: Final = 1


def apply(connection: Connection, store_id: int, changes: Iterable[CommerceChange]) -> Applied:
    """Write ``changes`` of one store inside the caller's transaction."""
    kinds: dict[type, list[Any]] = {}
    for change in changes:
        kinds.setdefault(type(change), []).append(change)
        if isinstance(change, ProductChange | OrderChange) and change.revives:
            _void_deletions(kinds, change)
    applied = Applied()
    if not kinds:
        return applied
    lock_commerce(connection, store_id)
    apply_products(connection, store_id, kinds, applied)
    apply_customers(connection, store_id, kinds)
    applied.merges.extend(kinds.get(CustomerMerge, []))
    apply_orders(connection, store_id, kinds, applied)
    apply_carts(connection, store_id, kinds.get(CartChange, []))
    apply_installation(connection, store_id, kinds)
    return applied


def _void_deletions(kinds: dict[type, list[Any]], change: ProductChange | OrderChange) -> None:
    """Drop the deletions that arrived before the thing was taken back out of the bin.

    Only the order of arrival tells which came first: a restored state can be older than its deletion.
    """
    deletion = ProductDeletion if isinstance(change, ProductChange) else OrderDeletion
    kinds[deletion] = [d for d in kinds.get(deletion, []) if d.platform_id != change.platform_id]


def lock_commerce(connection: Connection, store_id: int) -> None:
    """Keep everybody else from applying changes to the store until the transaction ends."""
    lock_store(connection, store_id, _LOCK)
