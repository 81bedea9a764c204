"""Writing and reading who is in which segment.

Membership is of pseudonymous customers, and says what their orders say. To use it for an offer to a person needs that
person's consent to marketing (``app.privacy.purposes``): who asks has to look.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from app.core.db import execute_rows, lock_store
from app.segments.loading import Group, merged
from app.segments.placing import Membership

_LOCK: Final = 41


@dataclass(frozen=True, slots=True)
class Member:
    """A customer's membership in a segment.

    Attributes:
        segment: its key.
        since: since when without a break.
        as_of: when that was last found.
        reason: ``rule`` and ``measured``.
    """

    segment: str
    since: datetime
    as_of: datetime
    reason: dict[str, Any]


def lock(connection: Connection, store_id: int) -> None:
    """Keep everybody else from writing memberships of a store until the transaction ends.

    Take it before what is written is read: else older facts could be written over newer ones.
    """
    lock_store(connection, store_id, _LOCK)


def write(
    connection: Connection,
    store_id: int,
    group: Group,
    found: Iterable[Membership],
    as_of: datetime,
    keys: Collection[str] | None = None,
) -> int:
    """Replace the memberships of a group, in the segments ``keys`` or in all; return how many it has now.

    Who stays in a segment keeps ``since``. Customers who were deleted since the group was read get none.
    """
    rows = [{"segment": m.segment, "customer": group.ids[m.person], "reason": m.reason} for m in found]
    written = execute_rows(
        connection,
        """
        WITH r AS (
            SELECT * FROM json_to_recordset(%(rows)s::json) AS r(segment text, customer bigint, reason jsonb)
        ), gone AS (
            DELETE FROM segment_membership m
            WHERE m.store_id = %(store)s AND m.customer_id = ANY(%(customers)s::bigint[])
                AND (%(keys)s::text[] IS NULL OR m.segment = ANY(%(keys)s::text[]))
                AND NOT EXISTS (SELECT FROM r WHERE r.segment = m.segment AND r.customer = m.customer_id)
        )
        INSERT INTO segment_membership (store_id, segment, customer_id, since, as_of, reason)
        SELECT %(store)s, r.segment, r.customer, %(as_of)s, %(as_of)s, r.reason
        FROM r JOIN customer c ON c.id = r.customer AND c.deleted_at IS NULL
        ON CONFLICT (store_id, segment, customer_id) DO UPDATE
        SET as_of = excluded.as_of, reason = excluded.reason
        """,
        rows,
        store=store_id,
        customers=group.customers.tolist(),
        keys=None if keys is None else sorted(keys),
        as_of=as_of,
    )
    return written.rowcount


def drop_older(connection: Connection, store_id: int, as_of: datetime) -> None:
    """Remove memberships that a computation of everything at ``as_of`` has not found again."""
    connection.exec_driver_sql(
        "DELETE FROM segment_membership WHERE store_id = %(store)s AND as_of < %(as_of)s",
        {"store": store_id, "as_of": as_of},
    )


def counted(connection: Connection, store_id: int) -> list[tuple[list[str], int]]:
    """Return how many customers are in each combination of segments: (keys, customers)."""
    rows = connection.exec_driver_sql(
        """
        SELECT segments, count(*) FROM (
            SELECT array_agg(m.segment ORDER BY m.segment) AS segments
            FROM segment_membership m JOIN customer c ON c.id = m.customer_id AND c.deleted_at IS NULL
            WHERE m.store_id = %(store)s GROUP BY m.customer_id
        ) each GROUP BY segments ORDER BY segments
        """,
        {"store": store_id},
    )
    return [(list(segments), customers) for segments, customers in rows]


def sizes(connection: Connection, store_id: int) -> dict[str, int]:
    """Return how many customers each segment has now."""
    rows = connection.exec_driver_sql(
        "SELECT m.segment, count(*) FROM segment_membership m"
        " JOIN customer c ON c.id = m.customer_id AND c.deleted_at IS NULL"
        " WHERE m.store_id = %(store)s GROUP BY m.segment",
        {"store": store_id},
    )
    return {segment: customers for segment, customers in rows}


def page(
    connection: Connection, store_id: int, segment: str, after: int, limit: int
) -> Sequence[tuple[int, str | None, Member]]:
    """Return members of a segment beyond the internal customer id ``after``.

    Each is the internal id, the platform's (None of a guest), and the membership.
    """
    rows = connection.exec_driver_sql(
        """
        SELECT m.customer_id, c.platform_id, m.segment, m.since, m.as_of, m.reason
        FROM segment_membership m JOIN customer c ON c.id = m.customer_id AND c.deleted_at IS NULL
        WHERE m.store_id = %(store)s AND m.segment = %(segment)s AND m.customer_id > %(after)s
        ORDER BY m.customer_id LIMIT %(limit)s
        """,
        {"store": store_id, "segment": segment, "after": after, "limit": limit},
    )
    return [(row[0], row[1], Member(*row[2:])) for row in rows]


def segments_of(connection: Connection, store_id: int, customer_id: str) -> list[Member]:
    """Return the segments of a customer (the platform's id), sorted by key; none of one who is not known.

    Whoever the platform merged the customer with is the same person. Before it decides what the person is offered,
    look whether the person allows ``Purposes.MARKETING``.
    """
    own = connection.exec_driver_sql(
        "SELECT id FROM customer WHERE store_id = %(store)s AND platform_id = %(customer)s AND deleted_at IS NULL",
        {"store": store_id, "customer": customer_id},
    ).scalar()
    if own is None:
        return []
    kept_under = merged(connection, store_id, [own]).get(own, own)
    rows = connection.exec_driver_sql(
        "SELECT segment, since, as_of, reason FROM segment_membership"
        " WHERE store_id = %(store)s AND customer_id = %(customer)s ORDER BY segment",
        {"store": store_id, "customer": kept_under},
    )
    return [Member(*row) for row in rows]
