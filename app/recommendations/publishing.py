"""Ready lists on their way out: PostgreSQL keeps them, Redis serves them."""

from collections.abc import Mapping

from sqlalchemy import Connection

from app.core.db import execute_rows
from app.recommendations import cache
from app.recommendations.cache import Candidate


def store_lists(
    connection: Connection, store_id: int, kind: str, lists: Mapping[str, list[Candidate]]
) -> bool:
    """Write lists, by subject, to PostgreSQL and to Redis; return whether Redis took them.

    The caller commits. Where Redis did not take them it still holds older ones, for their time to live at most.
    """
    write_lists(connection, store_id, kind, lists)
    # Before the commit: should this process die in between, readers have the newer list already.
    return cache.put_lists(store_id, kind, lists)


def write_lists(
    connection: Connection, store_id: int, kind: str, lists: Mapping[str, list[Candidate]]
) -> None:
    """Write lists, by subject, to PostgreSQL alone: for those who give them to Redis after the commit."""
    execute_rows(
        connection,
        """
        INSERT INTO published_list AS l (store_id, strategy, subject, items, published_at)
        SELECT %(store)s, %(kind)s, r.subject, r.items, now()
        FROM json_to_recordset(%(rows)s::json) AS r(subject text, items jsonb)
        ON CONFLICT (store_id, strategy, subject) DO UPDATE
        SET items = excluded.items, published_at = excluded.published_at
        """,
        [{"subject": subject, "items": items} for subject, items in lists.items()],
        store=store_id,
        kind=kind,
    )


def replace_lists(
    connection: Connection, store_id: int, kind: str, lists: Mapping[str, list[Candidate]]
) -> bool:
    """Make ``lists`` all that a store has of a kind; return whether Redis took them. The caller commits."""
    gone = forget_lists(connection, store_id, kind) - lists.keys()
    taken = store_lists(connection, store_id, kind, lists)
    return cache.put_lists(store_id, kind, {subject: [] for subject in gone}) and taken


def forget_lists(connection: Connection, store_id: int, kind: str) -> set[str]:
    """Delete a store's lists of a kind from PostgreSQL; return their subjects."""
    rows = connection.exec_driver_sql(
        "DELETE FROM published_list WHERE store_id = %(store)s AND strategy = %(kind)s RETURNING subject",
        {"store": store_id, "kind": kind},
    )
    return {row[0] for row in rows}
