"""Writing customers: as many as orders name, and no more of each than an id and a pseudonym."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.commerce.changes import CustomerChange, CustomerDeletion, CustomerRef
from app.core.db import execute_rows


def apply_customers(connection: Connection, store_id: int, kinds: dict[type, list[Any]]) -> None:
    """Write what changes of one store say of customers; ``kinds`` are the changes by their class."""
    changes: list[CustomerChange] = kinds.get(CustomerChange, [])
    deletions: list[CustomerDeletion] = kinds.get(CustomerDeletion, [])
    if changes:
        ensure_customers(connection, store_id, [(c.customer, c.updated_at) for c in changes])
    if deletions:
        _forget_customers(connection, store_id, deletions)


def ensure_customers(
    connection: Connection, store_id: int, seen: Sequence[tuple[CustomerRef, datetime]]
) -> dict[CustomerRef, int]:
    """Return the ids of customers, creating them; the newest identity hash of each stands."""
    registered: dict[str, dict[str, Any]] = {}
    guests: set[bytes] = set()
    for ref, at in seen:
        if ref.platform_id is None:
            if ref.identity_hash is not None:
                guests.add(ref.identity_hash)
            continue
        row = {"platform_id": ref.platform_id, "identity_hash": ref.identity_hash, "at": at}
        best = registered.get(ref.platform_id)
        if best is None or (ref.identity_hash is not None, at, ref.identity_hash or b"") > (
            best["identity_hash"] is not None,
            best["at"],
            best["identity_hash"] or b"",
        ):
            registered[ref.platform_id] = row
    by_platform_id: dict[str, int] = {}
    if registered:
        execute_rows(
            connection,
            """
            INSERT INTO customer AS c (store_id, platform_id, identity_hash, source_updated_at)
            SELECT %(store)s, r.platform_id, decode(r.identity_hash, 'hex'), r.at
            FROM json_to_recordset(%(rows)s::json) AS r(platform_id text, identity_hash text, at timestamptz)
            ON CONFLICT (store_id, platform_id) DO UPDATE
            SET identity_hash = excluded.identity_hash, source_updated_at = excluded.source_updated_at
            WHERE c.deleted_at IS NULL
                AND (excluded.identity_hash IS NOT NULL, excluded.source_updated_at,
                    COALESCE(excluded.identity_hash, ''))
                > (c.identity_hash IS NOT NULL, c.source_updated_at, COALESCE(c.identity_hash, ''))
            """,
            list(registered.values()),
            store=store_id,
        )
        by_platform_id = {
            row.platform_id: row.id
            for row in connection.exec_driver_sql(
                "SELECT platform_id, id FROM customer WHERE store_id = %(store)s AND deleted_at IS NULL"
                " AND platform_id = ANY(%(ids)s::text[])",
                {"store": store_id, "ids": sorted(registered)},
            )
        }
    by_hash = _ensure_guests(connection, store_id, sorted(guests))
    found: dict[CustomerRef, int] = {}
    for ref, _ in seen:
        id_ = (
            by_platform_id.get(ref.platform_id)
            if ref.platform_id is not None
            else by_hash.get(ref.identity_hash or b"")
        )
        if id_ is not None:
            found[ref] = id_
    return found


def _ensure_guests(connection: Connection, store_id: int, hashes: list[bytes]) -> dict[bytes, int]:
    if not hashes:
        return {}
    connection.exec_driver_sql(
        "INSERT INTO customer (store_id, identity_hash) SELECT %(store)s, h FROM unnest(%(hashes)s::bytea[]) h"
        " ON CONFLICT (store_id, identity_hash) WHERE platform_id IS NULL DO NOTHING",
        {"store": store_id, "hashes": hashes},
    )
    rows = connection.exec_driver_sql(
        "SELECT identity_hash, id FROM customer WHERE store_id = %(store)s AND platform_id IS NULL"
        " AND identity_hash = ANY(%(hashes)s::bytea[])",
        {"store": store_id, "hashes": hashes},
    )
    return {bytes(identity_hash): id_ for identity_hash, id_ in rows}


def _forget_customers(connection: Connection, store_id: int, changes: Sequence[CustomerDeletion]) -> None:
    """Drop the identity of deleted customers. The id stays as a tombstone against late news."""
    execute_rows(
        connection,
        """
        INSERT INTO customer AS c (store_id, platform_id, deleted_at)
        SELECT %(store)s, r.platform_id, max(r.deleted_at)
        FROM json_to_recordset(%(rows)s::json) AS r(platform_id text, deleted_at timestamptz)
        GROUP BY r.platform_id
        ON CONFLICT (store_id, platform_id) DO UPDATE
        SET identity_hash = NULL, source_updated_at = NULL,
            deleted_at = GREATEST(c.deleted_at, excluded.deleted_at)
        """,
        [{"platform_id": c.platform_id, "deleted_at": c.deleted_at} for c in changes],
        store=store_id,
    )
    connection.exec_driver_sql(
        "UPDATE orders o SET customer_id = NULL FROM customer c WHERE c.store_id = %(store)s"
        " AND c.platform_id = ANY(%(ids)s::text[]) AND o.store_id = %(store)s AND o.customer_id = c.id",
        {"store": store_id, "ids": [c.platform_id for c in changes]},
    )
