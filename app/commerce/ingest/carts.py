"""Writing carts and their lines."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from app.commerce.changes import CartChange
from app.commerce.ingest.digest import state_digest
from app.commerce.ingest.products import ensure_products
from app.core.db import execute_rows


def apply_carts(connection: Connection, store_id: int, changes: Sequence[CartChange]) -> None:
    """Write the newest state of each cart, where it is newer than the stored one."""
    newest: dict[bytes, tuple[tuple[datetime, bytes], CartChange]] = {}
    for change in changes:
        version = (change.updated_at, state_digest(change))
        best = newest.get(change.token_hash)
        if best is None or version > best[0]:
            newest[change.token_hash] = (version, change)
    if not newest:
        return
    rows = execute_rows(
        connection,
        """
        INSERT INTO cart AS c (store_id, token_hash, currency, source_updated_at, state_digest)
        SELECT %(store)s, decode(r.token_hash, 'hex'), r.currency, r.updated_at, decode(r.digest, 'hex')
        FROM json_to_recordset(%(rows)s::json) AS r(token_hash text, currency text, updated_at timestamptz,
            digest text)
        ON CONFLICT (store_id, token_hash) DO UPDATE SET currency = excluded.currency,
            source_updated_at = excluded.source_updated_at, state_digest = excluded.state_digest
        WHERE (excluded.source_updated_at, excluded.state_digest) > (c.source_updated_at, c.state_digest)
        RETURNING token_hash, id
        """,
        [
            {"token_hash": c.token_hash, "currency": c.currency, "updated_at": at, "digest": digest}
            for (at, digest), c in newest.values()
        ],
        store=store_id,
    )
    written = [(row[1], newest[bytes(row[0])][1]) for row in rows]
    # Also those of carts that lost: which products are known must not depend on what arrived first.
    products = ensure_products(
        connection, store_id, (line.product_platform_id for c in changes for line in c.lines)
    )
    connection.exec_driver_sql(
        "DELETE FROM cart_line WHERE store_id = %(store)s AND cart_id = ANY(%(ids)s::bigint[])",
        {"store": store_id, "ids": [id_ for id_, _ in written]},
    )
    execute_rows(
        connection,
        """
        INSERT INTO cart_line
            (store_id, cart_id, position, product_id, variant_platform_id, quantity, price)
        SELECT %(store)s, r.cart_id, r.position, r.product_id, r.variant, r.quantity, r.price
        FROM json_to_recordset(%(rows)s::json) AS r(cart_id bigint, position bigint, product_id bigint,
            variant text, quantity bigint, price bigint)
        """,
        [
            {
                "cart_id": id_,
                "position": position,
                "product_id": products[line.product_platform_id],
                "variant": line.variant_platform_id,
                "quantity": line.quantity,
                "price": line.price,
            }
            for id_, change in written
            for position, line in enumerate(change.lines)
        ],
        store=store_id,
    )
