"""Whose orders they are: what the shop sold, joined to the people whom events know.

An order tells of up to four identifiers, in the order in which they are believed: the cart that it came from and the
customer who placed it, both of which the platform names; the visitor who told of it with ``Order Completed``, which
anybody may send; and the contact that a guest gave. Who belongs together is worked out when it is asked for
(``app.events.identity``), so that somebody who logged in later is one person from the beginning.

Loads all orders of a period: for jobs and reports.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from app.commerce.changes import SALES
from app.commerce.order import NET_SQL, SALE_SQL
from app.events.identity import resolve
from app.events.session import ORDER_COMPLETED
from app.privacy.subjects import VISITOR, cart_node, contact_node, customer_node


@dataclass(frozen=True, slots=True)
class Link:
    """Two nodes that belong to one person, and when that was first seen."""

    one: str
    other: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Sale:
    """An order that counts.

    Attributes:
        id: of the row of ``orders``.
        at: when it was placed.
        nodes: whom it may be of, the most trusted first.
        told_at: when the visitor among ``nodes`` told of it; None where nobody did.
        net: what it brought: net of refunds, discounts, tax and shipping, in minor units.
        margin: ``net`` less what the goods cost; None where a cost is unknown.
    """

    id: int
    at: datetime
    nodes: tuple[str, ...]
    told_at: datetime | None
    net: float
    margin: float | None


def links(connection: Connection, store_id: int) -> list[Link]:
    """Return the links of a store that stand."""
    rows = connection.exec_driver_sql(
        "SELECT left_node, right_node, first_seen_at FROM identity_link"
        " WHERE store_id = %(store)s AND revoked_at IS NULL",
        {"store": store_id},
    )
    return [Link(one, other, at) for one, other, at in rows]


def persons(found: list[Link]) -> dict[str, str]:
    """Return the person of every node that is linked; who is missing is a person of their own."""
    return resolve((link.one, link.other) for link in found).keys()


# What a line left the merchant: by the cost of the piece, else by the store's usual margin; unknown without either.
_MARGIN_SQL: Final = f"""(CASE WHEN l.gift_card THEN 0
    WHEN COALESCE(v.cost, p.cost) IS NOT NULL THEN {NET_SQL} - COALESCE(v.cost, p.cost) * l.current_quantity
    WHEN %(margin)s > 0 THEN {NET_SQL} * %(margin)s / 100 END)"""
_SALES: Final = f"""
    SELECT o.id, o.platform_id, o.placed_at, o.cart_token_hash, c.platform_id, c.identity_hash,
        sum({NET_SQL})::float8, sum({_MARGIN_SQL})::float8, bool_and({_MARGIN_SQL} IS NOT NULL)
    FROM orders o
    JOIN order_line l ON l.store_id = o.store_id AND l.order_id = o.id
    LEFT JOIN customer c ON c.id = o.customer_id
    LEFT JOIN product p ON p.id = l.product_id
    LEFT JOIN variant v ON v.store_id = l.store_id AND v.platform_id = l.variant_platform_id
    WHERE o.store_id = %(store)s AND o.placed_at >= %(since)s AND o.placed_at < %(until)s
        AND o.currency = %(currency)s AND {SALE_SQL}
    GROUP BY o.id, c.id ORDER BY o.placed_at, o.id
"""


def sales(
    connection: Connection,
    store_id: int,
    since: datetime,
    until: datetime,
    *,
    currency: str,
    margin_percent: float = 0,
) -> Iterator[Sale]:
    """Yield the orders of a period that count, oldest first.

    Args:
        connection: as ever.
        store_id: the store.
        since: when the first was placed.
        until: before which the last was placed.
        currency: of the store; orders in another are left out, as sums of different currencies mean nothing.
        margin_percent: of what a line brought, where the cost of the piece is unknown; 0: the margin is unknown.
    """
    told = _told(connection, store_id, since, until)
    rows = connection.exec_driver_sql(
        _SALES,
        {
            "store": store_id,
            "since": since,
            "until": until,
            "currency": currency,
            "margin": margin_percent,
            "sales": [int(status) for status in SALES],
        },
    )
    for id_, order, at, cart, customer, contact, net, margin, margin_known in rows:
        visitor, told_at = told.get(order, (None, None))
        nodes = (
            cart_node(store_id, bytes(cart)) if cart else None,
            customer_node(customer) if customer else None,
            visitor,
            contact_node(store_id, bytes(contact)) if contact else None,
        )
        yield Sale(
            id_, at, tuple(node for node in nodes if node), told_at, net, margin if margin_known else None
        )


def _told(
    connection: Connection, store_id: int, since: datetime, until: datetime
) -> Mapping[str, tuple[str, datetime]]:
    """Return the visitor who first told of each order, and when, by the order's platform id."""
    rows = connection.exec_driver_sql(
        """
        SELECT DISTINCT ON (1) regexp_replace(properties->>'order_id', '^.*/', ''), encode(subject, 'hex'),
            LEAST(occurred_at, received_at)
        FROM event
        WHERE store_id = %(store)s AND received_at >= %(since)s AND occurred_at < %(until)s AND type = 'track'
            AND name = %(name)s AND jsonb_typeof(properties->'order_id') IN ('string', 'number')
        ORDER BY 1, received_at, id
        """,
        {"store": store_id, "since": since, "until": until, "name": ORDER_COMPLETED},
    )
    return {order: (f"{VISITOR}:{subject}", at) for order, subject, at in rows}
