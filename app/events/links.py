"""Writing what makes two identifiers one person, and taking it back.

A link is a fact with a reason and a time; who is who is worked out from all of them (``app.events.identity``). So links
may arrive in any order and as often as they like: the earliest time stands, and of several reasons the one that sorts
first. A link that was revoked stays revoked when it is told again, until it is restored.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from app.commerce.changes import CustomerMerge
from app.core.db import execute_rows
from app.privacy.rooms import Person
from app.privacy.subjects import CART, CONTACT, CUSTOMER, VISITOR, customer_node

# Why two nodes belong together.
ALIAS: Final = "alias"  # a browser says that it was called otherwise before
CART_SEEN: Final = "cart"  # a visitor used this cart
LOGGED_IN: Final = "logged_in"  # the platform signed who is logged in at this browser
PLATFORM_MERGE: Final = "platform_merge"  # the platform made one customer of two
SERVER: Final = "server"  # the shop's own server said so, with the secret key

DEVICES: Final = (VISITOR, CART)
CUSTOMERS: Final = (CUSTOMER,)
CONTACTS: Final = (CONTACT,)


def peers(node: str) -> tuple[str, ...]:
    """Return the kinds of nodes that are of one rank with ``node``: devices (visitors, carts), customers or contacts.

    Raises:
        ValueError: if it is of no known kind, or names nobody.
    """
    kind, colon, rest = node.partition(":")
    for kinds in (DEVICES, CUSTOMERS, CONTACTS):
        if kind in kinds and colon and rest:
            return kinds
    raise ValueError("no node of the identity graph")


def link(connection: Connection, store_id: int, pairs: Iterable[tuple[str, str, str]], at: datetime) -> int:
    """Write links inside the caller's transaction; return how many were not known before.

    ``pairs`` are two nodes (see ``app.privacy.subjects``) and a reason; a node linked with itself says nothing. ``at``
    is when it was seen (UTC).

    Raises:
        ValueError: if a node is none, or two contacts are to be one: no source can know that.
    """
    rows = {}
    for one, other, reason in pairs:
        if peers(one) == peers(other) == CONTACTS:
            raise ValueError("two contacts are never linked")
        if one != other:
            rows[min(one, other), max(one, other), reason] = {"one": one, "other": other, "reason": reason}
    if not rows:
        return 0
    # The database sorts the two, as its check compares them; all writers lock rows in one order.
    written = execute_rows(
        connection,
        """
        INSERT INTO identity_link AS l (store_id, left_node, right_node, reason, first_seen_at)
        SELECT %(store)s, LEAST(r.one, r.other), GREATEST(r.one, r.other), min(r.reason), %(at)s
        FROM json_to_recordset(%(rows)s::json) AS r(one text, other text, reason text)
        GROUP BY 2, 3 ORDER BY 2, 3
        ON CONFLICT (store_id, left_node, right_node) DO UPDATE
        SET first_seen_at = LEAST(l.first_seen_at, excluded.first_seen_at),
            reason = LEAST(l.reason, excluded.reason)
        WHERE excluded.first_seen_at < l.first_seen_at OR excluded.reason < l.reason
        RETURNING xmax = 0
        """,
        list(rows.values()),
        store=store_id,
        at=at,
    )
    return sum(new for (new,) in written)


def link_merged(connection: Connection, store_id: int, merges: Iterable[CustomerMerge]) -> int:
    """Write that the platform made one customer of two; return how many of it was not known before."""
    return sum(
        link(
            connection,
            store_id,
            [(customer_node(m.kept_platform_id), customer_node(m.merged_platform_id), PLATFORM_MERGE)],
            m.merged_at,
        )
        for m in merges
    )


def unlink(connection: Connection, store_id: int, one: str, other: str, at: datetime) -> bool:
    """Revoke the link between two nodes; return whether there was one that stood."""
    return _mark(connection, store_id, one, other, "revoked_at = %(at)s", "revoked_at IS NULL", at)


def restore(connection: Connection, store_id: int, one: str, other: str) -> bool:
    """Take a revocation back; return whether there was one."""
    return _mark(connection, store_id, one, other, "revoked_at = NULL", "revoked_at IS NOT NULL", None)


def forget_silent(connection: Connection, before: datetime, at_most: int) -> int:
    """Remove links of visitors, of all stores, that were first seen ``before`` and whose events are all gone.

    Returns how many were removed, ``at_most`` so many. Call it when old events were dropped.
    """
    removed = connection.exec_driver_sql(
        f"""
        DELETE FROM identity_link WHERE ctid = ANY(ARRAY(
            SELECT l.ctid FROM identity_link l
            WHERE l.first_seen_at < %(before)s
                AND (starts_with(l.left_node, 'visitor:') OR starts_with(l.right_node, 'visitor:'))
                AND {_SILENT.format(node="l.left_node")} AND {_SILENT.format(node="l.right_node")}
            LIMIT %(most)s))
        """,
        {"before": before, "most": at_most},
    )
    return removed.rowcount


_SILENT: Final = """NOT EXISTS (SELECT FROM event e WHERE e.store_id = l.store_id
    AND e.subject = CASE WHEN starts_with({node}, 'visitor:') THEN decode(substr({node}, 9), 'hex') END)"""


def is_known(connection: Connection, store_id: int, one: str, other: str) -> bool:
    """Return whether there is a link between two nodes, revoked or not."""
    found = connection.exec_driver_sql(
        "SELECT EXISTS (SELECT FROM identity_link WHERE store_id = %(store)s"
        " AND left_node = LEAST(%(one)s::text, %(other)s::text)"
        " AND right_node = GREATEST(%(one)s::text, %(other)s::text))",
        {"store": store_id, "one": one, "other": other},
    )
    return bool(found.scalar_one())


def _mark(
    connection: Connection, store_id: int, one: str, other: str, change: str, where: str, at: datetime | None
) -> bool:
    changed = connection.exec_driver_sql(
        f"UPDATE identity_link SET {change} WHERE store_id = %(store)s AND {where}"
        " AND left_node = LEAST(%(one)s::text, %(other)s::text)"
        " AND right_node = GREATEST(%(one)s::text, %(other)s::text)",
        {"store": store_id, "one": one, "other": other, "at": at},
    )
    return changed.rowcount > 0


class LinksRoom:
    """What is kept of who is who, for export and erasure (see ``app.privacy.rooms``)."""

    name = "identity"

    def export(self, connection: Connection, person: Person) -> Mapping[str, Any]:
        """Return the links in which the person takes part: their nodes, reason and times."""
        rows = connection.exec_driver_sql(
            "SELECT left_node, right_node, reason, first_seen_at, revoked_at FROM identity_link"
            f" WHERE {_TOUCHED} ORDER BY first_seen_at, left_node, right_node",
            _touched(person),
        )
        found = [
            {
                "nodes": [left, right],
                "reason": reason,
                "first_seen_at": seen.isoformat(),
                "revoked_at": revoked.isoformat() if revoked else None,
            }
            for left, right, reason, seen, revoked in rows
        ]
        return {"links": found} if found else {}

    def erase(self, connection: Connection, person: Person) -> Mapping[str, int]:
        """Remove the links in which the person takes part, the revoked ones too."""
        removed = connection.exec_driver_sql(f"DELETE FROM identity_link WHERE {_TOUCHED}", _touched(person))
        return {"links": removed.rowcount}

    def forget(self, person: Person) -> None:
        """Do nothing: links are kept in PostgreSQL alone."""


_TOUCHED: Final = (
    "store_id = %(store)s AND (left_node = ANY(%(nodes)s::text[]) OR right_node = ANY(%(nodes)s::text[]))"
)


def _touched(person: Person) -> dict[str, Any]:
    return {"store": person.store_id, "nodes": sorted(person.nodes)}
