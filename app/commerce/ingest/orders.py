"""Writing orders, their lines, refunds and deletions, and what each order contributes to the counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from app.commerce.changes import SALES, OrderAdjustment, OrderChange, OrderDeletion
from app.commerce.ingest.applied import Applied, BasketChange
from app.commerce.ingest.customers import ensure_customers
from app.commerce.ingest.digest import state_digest
from app.commerce.ingest.products import ensure_products
from app.core.db import execute_rows

# The products of an order ``o`` that count as bought: goods still in it, of a real sale. Needs ``%(sales)s``.
BASKET_SQL: Final = """CASE WHEN o.deleted_at IS NULL AND NOT o.test AND o.status = ANY(%(sales)s) THEN
    ARRAY(SELECT DISTINCT l.product_id FROM order_line l WHERE l.store_id = o.store_id AND l.order_id = o.id
        AND l.product_id IS NOT NULL AND l.current_quantity > 0 AND NOT l.gift_card ORDER BY 1)
    ELSE '{}'::bigint[] END"""


def apply_orders(
    connection: Connection, store_id: int, kinds: dict[type, list[Any]], applied: Applied
) -> None:
    """Write what changes of one store say of orders, and report in ``applied`` whose basket differs now.

    Refunds and deletions may be older than the order that they name, or than its arrival; they are kept and
    count as soon as it is there.
    """
    changes: list[OrderChange] = kinds.get(OrderChange, [])
    adjustments: list[OrderAdjustment] = kinds.get(OrderAdjustment, [])
    deletions: list[OrderDeletion] = kinds.get(OrderDeletion, [])
    named = {c.platform_id for c in changes} | {a.order_platform_id for a in adjustments}
    named |= {d.platform_id for d in deletions}
    if not named:
        return
    before = _load_orders(connection, store_id, sorted(named))
    revived = [c.platform_id for c in changes if c.revives]
    if revived:
        connection.exec_driver_sql(
            "DELETE FROM order_tombstone WHERE store_id = %(store)s AND platform_id = ANY(%(ids)s::text[])",
            {"store": store_id, "ids": revived},
        )
    if deletions:
        _bury_orders(connection, store_id, deletions)
    if adjustments:
        _write_adjustments(connection, store_id, adjustments)
    _write_orders(connection, store_id, changes, _newest_orders(changes, before))
    _mark_buried(connection, store_id, sorted(named))
    adjusted = [a.order_platform_id for a in adjustments] + [c.platform_id for c in changes]
    _apply_adjustments(connection, store_id, sorted(set(adjusted)))
    _refresh_baskets(connection, store_id, sorted(named), before, applied)


@dataclass(frozen=True, slots=True)
class _StoredOrder:
    version: tuple[datetime, int, bytes]
    placed_at: datetime
    basket: list[int]
    customer_id: int | None


def _load_orders(connection: Connection, store_id: int, platform_ids: list[str]) -> dict[str, _StoredOrder]:
    rows = connection.exec_driver_sql(
        "SELECT platform_id, source_updated_at, status, state_digest, placed_at, basket, customer_id FROM orders"
        " WHERE store_id = %(store)s AND platform_id = ANY(%(ids)s::text[])",
        {"store": store_id, "ids": platform_ids},
    )
    return {
        row.platform_id: _StoredOrder(
            (row.source_updated_at, row.status, bytes(row.state_digest)),
            row.placed_at,
            row.basket,
            row.customer_id,
        )
        for row in rows
    }


def _newest_orders(
    changes: Sequence[OrderChange], before: dict[str, _StoredOrder]
) -> list[tuple[OrderChange, bytes]]:
    """Return each order's newest state of the batch, where it is newer than the stored one."""
    best = {platform_id: order.version for platform_id, order in before.items()}
    winners: dict[str, tuple[OrderChange, bytes]] = {}
    for change in changes:
        digest = _order_digest(change)
        version = (change.updated_at, int(change.status), digest)
        if change.platform_id not in best or version > best[change.platform_id]:
            best[change.platform_id] = version
            winners[change.platform_id] = (change, digest)
    return list(winners.values())


def _order_digest(change: OrderChange) -> bytes:
    """Return the digest of an order's state. One that could not name a guest is lower than any that could."""
    digest = state_digest(change)
    return digest if change.customer_known else bytes(8) + digest[8:]


def _write_orders(
    connection: Connection,
    store_id: int,
    changes: Sequence[OrderChange],
    winners: Sequence[tuple[OrderChange, bytes]],
) -> None:
    """Write the states that won. Products and customers of all others are made known too.

    Which of them exist would else depend on whether an order's older state arrived before its newer one.
    """
    products = ensure_products(
        connection,
        store_id,
        (line.product_platform_id for c in changes for line in c.lines if line.product_platform_id),
    )
    customers = ensure_customers(
        connection, store_id, [(c.customer, c.updated_at) for c in changes if c.customer]
    )
    if not winners:
        return
    rows = execute_rows(
        connection,
        """
        INSERT INTO orders (store_id, platform_id, status, channel, test, currency, total, customer_id,
            cart_token_hash, placed_at, source_updated_at, state_digest, adjustment_ids, basket)
        SELECT %(store)s, r.platform_id, r.status, r.channel, r.test, r.currency, r.total, r.customer_id,
            decode(r.cart_token_hash, 'hex'), r.placed_at, r.source_updated_at, decode(r.state_digest, 'hex'),
            r.adjustment_ids, '{}'
        FROM json_to_recordset(%(rows)s::json) AS r(platform_id text, status int, channel text, test bool,
            currency text, total bigint, customer_id bigint, cart_token_hash text, placed_at timestamptz,
            source_updated_at timestamptz, state_digest text, adjustment_ids text[])
        ON CONFLICT (store_id, platform_id) DO UPDATE SET status = excluded.status, channel = excluded.channel,
            test = excluded.test, currency = excluded.currency, total = excluded.total,
            customer_id = CASE WHEN orders.platform_id = ANY(%(unnamed)s::text[])
                THEN COALESCE(excluded.customer_id, orders.customer_id) ELSE excluded.customer_id END,
            cart_token_hash = excluded.cart_token_hash,
            placed_at = excluded.placed_at, source_updated_at = excluded.source_updated_at,
            state_digest = excluded.state_digest, adjustment_ids = excluded.adjustment_ids
        RETURNING platform_id, id
        """,
        [
            {
                "platform_id": c.platform_id,
                "status": int(c.status),
                "channel": c.channel.value,
                "test": c.test,
                "currency": c.currency,
                "total": c.total,
                "customer_id": customers.get(c.customer) if c.customer else None,
                "cart_token_hash": c.cart_token_hash,
                "placed_at": c.placed_at,
                "source_updated_at": c.updated_at,
                "state_digest": digest,
                "adjustment_ids": c.adjustment_ids,
            }
            for c, digest in winners
        ],
        store=store_id,
        unnamed=[c.platform_id for c, _ in winners if not c.customer_known],
    )
    ids = {row[0]: row[1] for row in rows}
    _write_lines(connection, store_id, [(ids[c.platform_id], c) for c, _ in winners], products)


def _write_lines(
    connection: Connection,
    store_id: int,
    orders: Sequence[tuple[int, OrderChange]],
    products: dict[str, int],
) -> None:
    """Replace the lines of ``orders`` by their newest state."""
    lines: dict[tuple[int, str], dict[str, Any]] = {}
    for order_id, change in orders:
        for line in change.lines:
            lines[order_id, line.platform_id] = {
                "order_id": order_id,
                "platform_id": line.platform_id,
                "product_id": products[line.product_platform_id] if line.product_platform_id else None,
                "variant_platform_id": line.variant_platform_id,
                "quantity": line.quantity,
                "stated_quantity": line.current_quantity,
                "price": line.price,
                "discount": line.discount,
                "gift_card": line.gift_card,
                "tax_included": line.tax_included,
            }
    execute_rows(
        connection,
        """
        INSERT INTO order_line (store_id, order_id, platform_id, product_id, variant_platform_id, quantity,
            stated_quantity, current_quantity, price, discount, gift_card, tax_included)
        SELECT %(store)s, r.order_id, r.platform_id, r.product_id, r.variant_platform_id, r.quantity,
            r.stated_quantity, r.stated_quantity, r.price, r.discount, r.gift_card, r.tax_included
        FROM json_to_recordset(%(rows)s::json) AS r(order_id bigint, platform_id text, product_id bigint,
            variant_platform_id text, quantity bigint, stated_quantity bigint, price bigint, discount bigint,
            gift_card bool, tax_included bigint)
        ON CONFLICT (store_id, order_id, platform_id) DO UPDATE SET product_id = excluded.product_id,
            variant_platform_id = excluded.variant_platform_id, quantity = excluded.quantity,
            stated_quantity = excluded.stated_quantity, current_quantity = excluded.current_quantity,
            price = excluded.price, discount = excluded.discount, gift_card = excluded.gift_card,
            tax_included = excluded.tax_included
        """,
        list(lines.values()),
        store=store_id,
    )
    execute_rows(
        connection,
        """
        DELETE FROM order_line l USING json_to_recordset(%(rows)s::json) AS r(order_id bigint, kept text[])
        WHERE l.store_id = %(store)s AND l.order_id = r.order_id AND NOT l.platform_id = ANY(r.kept)
        """,
        [{"order_id": id_, "kept": [line.platform_id for line in c.lines]} for id_, c in orders],
        store=store_id,
    )


def _bury_orders(connection: Connection, store_id: int, deletions: Sequence[OrderDeletion]) -> None:
    execute_rows(
        connection,
        """
        INSERT INTO order_tombstone AS t (store_id, platform_id, deleted_at)
        SELECT %(store)s, r.platform_id, max(r.deleted_at)
        FROM json_to_recordset(%(rows)s::json) AS r(platform_id text, deleted_at timestamptz)
        GROUP BY r.platform_id
        ON CONFLICT (store_id, platform_id) DO UPDATE
        SET deleted_at = GREATEST(t.deleted_at, excluded.deleted_at)
        """,
        [{"platform_id": d.platform_id, "deleted_at": d.deleted_at} for d in deletions],
        store=store_id,
    )


def _mark_buried(connection: Connection, store_id: int, platform_ids: list[str]) -> None:
    """Mark orders as deleted whose state is not newer than their deletion."""
    connection.exec_driver_sql(
        """
        UPDATE orders o SET deleted_at = n.deleted_at
        FROM (SELECT x.id, t.deleted_at FROM orders x
            LEFT JOIN order_tombstone t ON t.store_id = x.store_id AND t.platform_id = x.platform_id
                AND t.deleted_at >= x.source_updated_at
            WHERE x.store_id = %(store)s AND x.platform_id = ANY(%(ids)s::text[])) n
        WHERE o.id = n.id AND o.deleted_at IS DISTINCT FROM n.deleted_at
        """,
        {"store": store_id, "ids": platform_ids},
    )


def _write_adjustments(connection: Connection, store_id: int, changes: Sequence[OrderAdjustment]) -> None:
    execute_rows(
        connection,
        """
        INSERT INTO order_adjustment (store_id, order_platform_id, adjustment_id, happened_at, lines)
        SELECT DISTINCT ON (r.adjustment_id) %(store)s, r.order_platform_id, r.adjustment_id, r.happened_at,
            r.lines
        FROM json_to_recordset(%(rows)s::json) AS r(order_platform_id text, adjustment_id text,
            happened_at timestamptz, lines jsonb)
        ON CONFLICT (store_id, adjustment_id) DO NOTHING
        """,
        [
            {
                "order_platform_id": c.order_platform_id,
                "adjustment_id": c.adjustment_id,
                "happened_at": c.happened_at,
                "lines": c.lines,
            }
            for c in changes
        ],
        store=store_id,
    )


def _apply_adjustments(connection: Connection, store_id: int, platform_ids: list[str]) -> None:
    """Take refunds and edits off the lines, as far as the order's state does not contain them already."""
    connection.exec_driver_sql(
        """
        UPDATE order_line l SET current_quantity = GREATEST(0, l.stated_quantity + d.delta)
        FROM (SELECT o.id AS order_id, e.value->>0 AS line, sum((e.value->>1)::bigint) AS delta
            FROM orders o
            JOIN order_adjustment a ON a.store_id = o.store_id AND a.order_platform_id = o.platform_id
            CROSS JOIN jsonb_array_elements(a.lines) e
            WHERE o.store_id = %(store)s AND o.platform_id = ANY(%(ids)s::text[])
                AND a.happened_at > o.source_updated_at AND NOT a.adjustment_id = ANY(o.adjustment_ids)
            GROUP BY 1, 2) d
        WHERE l.store_id = %(store)s AND l.order_id = d.order_id AND l.platform_id = d.line
        """,
        {"store": store_id, "ids": platform_ids},
    )


def _refresh_baskets(
    connection: Connection,
    store_id: int,
    platform_ids: list[str],
    before: dict[str, _StoredOrder],
    applied: Applied,
) -> None:
    """Recompute what the orders contribute to the counts, and report each difference and whose the orders are."""
    rows = connection.exec_driver_sql(
        f"""
        WITH fresh AS (
            SELECT o.id, {BASKET_SQL} AS basket FROM orders o
            WHERE o.store_id = %(store)s AND o.platform_id = ANY(%(ids)s::text[]))
        UPDATE orders o SET basket = fresh.basket FROM fresh WHERE o.id = fresh.id
        RETURNING o.platform_id, o.placed_at, o.basket, o.customer_id
        """,
        {"store": store_id, "ids": platform_ids, "sales": [int(s) for s in SALES]},
    )
    for platform_id, placed_at, basket, customer_id in rows:
        old = before.get(platform_id)
        whose = {customer_id, old.customer_id if old else None}
        applied.customers.update(customer for customer in whose if customer is not None)
        change = BasketChange(
            old.placed_at if old else placed_at, old.basket if old else (), placed_at, basket
        )
        if (change.old_placed_at, list(change.old_basket)) != (placed_at, basket):
            applied.baskets.append(change)
