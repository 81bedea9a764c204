"""What segments know of a person, for export and erasure."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from app.privacy.rooms import Person
from app.segments.memberships import lock


class SegmentsRoom:
    """Memberships: which groups a person's orders put the person in, and why (see ``app.privacy.rooms``)."""

    name = "segments"

    def export(self, connection: Connection, person: Person) -> Mapping[str, Any]:
        """Return the person's memberships: segment, times and reason."""
        rows = connection.exec_driver_sql(
            "SELECT segment, since, as_of, reason FROM segment_membership"
            " WHERE store_id = %(store)s AND customer_id = ANY(%(customers)s::bigint[]) ORDER BY segment, since",
            _of(person),
        )
        found = [
            {"segment": segment, "since": since.isoformat(), "as_of": as_of.isoformat(), "reason": reason}
            for segment, since, as_of, reason in rows
        ]
        return {"segments": found} if found else {}

    def erase(self, connection: Connection, person: Person) -> Mapping[str, int]:
        """Remove the person's memberships, and the person from the sizes that were noted."""
        # What a refresh is writing now must be there to be removed, and what it writes next must see who is gone.
        lock(connection, person.store_id)
        removed = connection.exec_driver_sql(
            "DELETE FROM segment_membership"
            " WHERE store_id = %(store)s AND customer_id = ANY(%(customers)s::bigint[]) RETURNING segment",
            _of(person),
        ).all()
        if removed:
            connection.exec_driver_sql(
                """
                UPDATE segment_run SET sizes = COALESCE((
                    SELECT jsonb_object_agg(n.segment, n.customers) FROM (
                        SELECT segment, count(*) AS customers FROM segment_membership
                        WHERE store_id = %(store)s GROUP BY segment
                    ) n
                ), '{}')
                WHERE store_id = %(store)s
                """,
                {"store": person.store_id},
            )
        return {"segment_membership": len(removed)}

    def forget(self, person: Person) -> None:
        """Do nothing: memberships are kept in PostgreSQL alone."""


def _of(person: Person) -> dict[str, Any]:
    return {"store": person.store_id, "customers": sorted(person.customer_ids)}
