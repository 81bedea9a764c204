"""What a part of the house knows of a person, told and taken out by that part itself.

The rooms above this one keep personal data of their own. Each gives ``app.factory`` one ``Room``; export and erasure
go through all of them, so that nothing has to know every table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import current_app
from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Person:
    """Everything by which a person of one store is known.

    Attributes:
        store_id: the store.
        nodes: identifiers, as in ``app.privacy.subjects``; ``customer:`` ones carry the platform's id.
        subjects: the digests (16 bytes) under which events and choices are kept.
        customer_ids: ids of rows of ``customer``.
        identity_hashes: hashes of e-mail addresses (32 bytes).
        order_ids: platform ids of orders: the customer's own, and those that the platform named beside them.
        cart_hashes: SHA-256 of the tokens of their carts (32 bytes).
    """

    store_id: int
    nodes: frozenset[str] = frozenset()
    subjects: frozenset[bytes] = frozenset()
    customer_ids: frozenset[int] = frozenset()
    identity_hashes: frozenset[bytes] = frozenset()
    order_ids: frozenset[str] = field(default=frozenset())
    cart_hashes: frozenset[bytes] = frozenset()

    @property
    def platform_ids(self) -> frozenset[str]:
        """The platform's customer ids."""
        return frozenset(n.partition(":")[2] for n in self.nodes if n.startswith("customer:"))


class Room(Protocol):
    """A part of the house that keeps personal data."""

    name: str

    def export(self, connection: Connection, person: Person) -> Mapping[str, Any]:
        """Return what is kept of the person, as JSON values by name; nothing where nothing is kept."""
        ...

    def erase(self, connection: Connection, person: Person) -> Mapping[str, int]:
        """Remove what is kept, inside the caller's transaction; return how many rows of what were removed."""
        ...

    def forget(self, person: Person) -> None:
        """Remove what is kept outside PostgreSQL, once the erasure is committed. May be called again."""
        ...


def rooms() -> tuple[Room, ...]:
    """Return the rooms of this application."""
    found: tuple[Room, ...] = current_app.extensions["pannier_rooms"]
    return found
