"""Writing products, their variants and their stock, and deciding what can be bought."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection

from app.commerce.catalog import BUYABLE_SQL, LISTED_SQL
from app.commerce.changes import (
    InventoryChange,
    ProductChange,
    ProductDeletion,
    ProductStatus,
    VariantChange,
    VariantState,
)
from app.commerce.ingest.applied import Applied
from app.commerce.ingest.digest import state_digest
from app.core.db import execute_rows

_NEVER: Final = (datetime.min.replace(tzinfo=UTC), b"")


def apply_products(
    connection: Connection, store_id: int, kinds: dict[type, list[Any]], applied: Applied
) -> None:
    """Write what changes of one store say of products, variants and stock; report the products in ``applied``."""
    products: list[ProductChange] = kinds.get(ProductChange, [])
    variants: list[VariantChange] = kinds.get(VariantChange, [])
    deletions: list[ProductDeletion] = kinds.get(ProductDeletion, [])
    levels: list[InventoryChange] = kinds.get(InventoryChange, [])
    touched: set[int] = set()
    described: set[int] = set()
    if products:
        written, described = _write_products(connection, store_id, products)
        touched |= written
    if variants:
        touched |= _write_lone_variants(connection, store_id, variants)
    if deletions:
        touched |= _delete_products(connection, store_id, deletions)
    if levels:
        touched |= _write_levels(connection, store_id, levels)
    if touched:
        _refresh_availability(connection, sorted(touched))
        rows = connection.exec_driver_sql(
            "SELECT id, platform_id FROM product WHERE id = ANY(%(ids)s::bigint[])", {"ids": sorted(touched)}
        ).all()
        applied.products.update(platform_id for _, platform_id in rows)
        applied.described.update(platform_id for id_, platform_id in rows if id_ in described)


def ensure_products(connection: Connection, store_id: int, platform_ids: Iterable[str]) -> dict[str, int]:
    """Return the ids of the products with these platform ids, creating unknown ones as placeholders."""
    wanted = sorted(set(platform_ids))
    if not wanted:
        return {}
    found = _product_ids(connection, store_id, wanted)
    missing = [p for p in wanted if p not in found]
    if missing:
        connection.exec_driver_sql(
            """
            INSERT INTO product (store_id, platform_id, status, visible, available, title, tags, gift_card)
            SELECT %(store)s, p, %(status)s, false, false, '', '{}', false FROM unnest(%(ids)s::text[]) p
            ON CONFLICT (store_id, platform_id) DO NOTHING
            """,
            {"store": store_id, "ids": missing, "status": ProductStatus.UNKNOWN.value},
        )
        found |= _product_ids(connection, store_id, missing)
    return found


def _product_ids(connection: Connection, store_id: int, platform_ids: list[str]) -> dict[str, int]:
    rows = connection.exec_driver_sql(
        "SELECT platform_id, id FROM product WHERE store_id = %(store)s AND platform_id = ANY(%(ids)s::text[])",
        {"store": store_id, "ids": platform_ids},
    )
    return {platform_id: id_ for platform_id, id_ in rows}


def _write_products(
    connection: Connection, store_id: int, changes: Sequence[ProductChange]
) -> tuple[set[int], set[int]]:
    """Write the newest states; return the products that changed, and those that are described otherwise now."""
    ids = ensure_products(connection, store_id, (c.platform_id for c in changes))
    before = {
        row.platform_id: row
        for row in connection.exec_driver_sql(
            "SELECT platform_id, source_updated_at, state_digest, title, category, vendor, tags, status, visible"
            " FROM product WHERE id = ANY(%(ids)s::bigint[]) AND source_updated_at IS NOT NULL",
            {"ids": sorted(ids.values())},
        )
    }
    known = {platform_id: (row.source_updated_at, row.state_digest) for platform_id, row in before.items()}
    revived = sorted(ids[c.platform_id] for c in changes if c.revives)
    if revived:
        connection.exec_driver_sql(
            "UPDATE product SET deleted_at = NULL WHERE id = ANY(%(ids)s::bigint[])", {"ids": revived}
        )
    winners: dict[str, tuple[tuple[datetime, bytes], ProductChange]] = {}
    listed: list[tuple[int, datetime, VariantState, bool | None, bytes]] = []
    for change in changes:
        key = (change.updated_at, state_digest(_told_by_all(change)))
        best = winners.get(change.platform_id)
        if key > (best[0] if best else known.get(change.platform_id, _NEVER)):
            winners[change.platform_id] = (key, change)
        # Those of an older state too: a variant of which nothing newer is known stands as that state has it.
        listed += [
            (ids[change.platform_id], change.updated_at, v, None, key[1]) for v in change.variants or ()
        ]
    rows = [
        {
            "id": ids[change.platform_id],
            "status": change.status.value,
            "visible": change.visible,
            "stated_available": change.available,
            "title": change.title,
            "url": change.url,
            "image_url": change.image_url,
            "category": change.category,
            "vendor": change.vendor,
            "tags": change.tags,
            "gift_card": change.gift_card,
            "price": change.price,
            "compare_at_price": change.compare_at_price,
            "currency": change.currency,
            "variant_ids": change.variant_ids,
            "source_updated_at": change.updated_at,
            "state_digest": key[1],
        }
        for key, change in winners.values()
    ]
    if rows:
        execute_rows(
            connection,
            """
            UPDATE product p SET status = r.status, visible = r.visible, stated_available = r.stated_available,
                title = r.title, url = r.url, image_url = r.image_url, category = r.category,
                vendor = r.vendor, tags = r.tags, gift_card = r.gift_card, price = r.price,
                compare_at_price = r.compare_at_price, currency = r.currency, variant_ids = r.variant_ids,
                source_updated_at = r.source_updated_at, state_digest = decode(r.state_digest, 'hex')
            FROM json_to_recordset(%(rows)s::json) AS r(id bigint, status text, visible bool,
                stated_available bool, title text, url text, image_url text, category text, vendor text,
                tags text[], gift_card bool, price bigint, compare_at_price bigint, currency text,
                variant_ids text[], source_updated_at timestamptz, state_digest text)
            WHERE p.id = r.id
            """,
            rows,
        )
    rewritten = _write_variants(connection, store_id, listed)
    chosen = _write_companions(connection, ids, changes)
    _write_costs(connection, store_id, "product", [(c.platform_id, c.updated_at, c.cost) for c in changes])
    _write_costs(
        connection,
        store_id,
        "variant",
        [(v.platform_id, c.updated_at, v.cost) for c in changes for v in c.variants or ()],
    )
    described = {
        ids[p] for p, (_, change) in winners.items() if _description(change) != _description(before.get(p))
    }
    changed = {ids[platform_id] for platform_id in winners} | set(revived) | rewritten | chosen
    return changed, described | chosen


def _told_by_all(change: ProductChange) -> ProductChange:
    """Return a state without what not every message of it tells: it decides between no two states."""
    variants = change.variants
    if variants and any(variant.cost is not None for variant in variants):
        variants = tuple(replace(variant, cost=None) for variant in variants)
    return replace(change, cross_sell_ids=None, upsell_ids=None, cost=None, variants=variants)


def _write_costs(
    connection: Connection,
    store_id: int,
    table: Literal["product", "variant"],
    costs: Iterable[tuple[str, datetime, int | None]],
) -> None:
    """Write what pieces cost the merchant: (platform id, time, cost), where the message tells it.

    A cost stands if it is as new as the row's newest state, or the first that is heard of.
    """
    newest: dict[str, tuple[datetime, int]] = {}
    for platform_id, updated_at, cost in costs:
        if cost is not None:
            newest[platform_id] = max(newest.get(platform_id, (updated_at, cost)), (updated_at, cost))
    if not newest:
        return
    execute_rows(
        connection,
        f"""
        UPDATE {table} t SET cost = r.cost
        FROM json_to_recordset(%(rows)s::json) AS r(platform_id text, updated_at timestamptz, cost bigint)
        WHERE t.store_id = %(store)s AND t.platform_id = r.platform_id AND t.cost IS DISTINCT FROM r.cost
            AND (t.cost IS NULL OR t.source_updated_at <= r.updated_at)
        """,
        [{"platform_id": p, "updated_at": at, "cost": cost} for p, (at, cost) in newest.items()],
        store=store_id,
    )


def _description(state: Any) -> tuple[Any, ...] | None:
    """Return what a change or a row says of a product that makes it like others, and one to be shown."""
    if state is None:
        return None
    return state.title, state.category, state.vendor, tuple(state.tags), str(state.status), state.visible


def _write_companions(
    connection: Connection, ids: dict[str, int], changes: Sequence[ProductChange]
) -> set[int]:
    """Write what merchants chose to show beside products; return the products where that changed.

    Not every message of a state tells it (Shopify's webhooks do not), so it is no part of what decides between states.
    It stands if it is as new as the product's newest state, or the first that is heard of it.
    """
    newest: dict[str, tuple[tuple[Any, ...], ProductChange]] = {}
    for change in changes:
        if change.cross_sell_ids is None and change.upsell_ids is None:
            continue
        version = (change.updated_at, change.cross_sell_ids or (), change.upsell_ids or ())
        best = newest.get(change.platform_id)
        if best is None or version > best[0]:
            newest[change.platform_id] = (version, change)
    if not newest:
        return set()
    rows = execute_rows(
        connection,
        """
        UPDATE product p SET cross_sell_ids = COALESCE(r.cross_sell_ids, p.cross_sell_ids),
            upsell_ids = COALESCE(r.upsell_ids, p.upsell_ids)
        FROM json_to_recordset(%(rows)s::json) AS r(id bigint, updated_at timestamptz, cross_sell_ids text[],
            upsell_ids text[])
        WHERE p.id = r.id AND (p.cross_sell_ids IS NULL AND p.upsell_ids IS NULL
                OR p.source_updated_at <= r.updated_at)
            AND (COALESCE(r.cross_sell_ids, p.cross_sell_ids), COALESCE(r.upsell_ids, p.upsell_ids))
                IS DISTINCT FROM (p.cross_sell_ids, p.upsell_ids)
        RETURNING p.id
        """,
        [
            {
                "id": ids[change.platform_id],
                "updated_at": change.updated_at,
                "cross_sell_ids": change.cross_sell_ids,
                "upsell_ids": change.upsell_ids,
            }
            for _, change in newest.values()
        ],
    )
    return {row[0] for row in rows}


def _write_lone_variants(connection: Connection, store_id: int, changes: Sequence[VariantChange]) -> set[int]:
    ids = ensure_products(connection, store_id, (c.product_platform_id for c in changes))
    _write_variants(
        connection,
        store_id,
        [
            (
                ids[c.product_platform_id],
                c.updated_at,
                c.variant,
                c.available,
                state_digest((replace(c.variant, cost=None), c.available)),
            )
            for c in changes
        ],
    )
    _write_costs(
        connection,
        store_id,
        "variant",
        [(c.variant.platform_id, c.updated_at, c.variant.cost) for c in changes],
    )
    return set(ids.values())


def _write_variants(
    connection: Connection,
    store_id: int,
    states: Sequence[tuple[int, datetime, VariantState, bool | None, bytes]],
) -> set[int]:
    """Upsert variants; within the batch and against the table the newest state stands. Return whose changed.

    ``states`` are (product id, time, variant, the shop's word on its availability, digest). The digest of a
    listed variant is its product's: of two lists of the same second one stands, not some of each.
    """
    newest: dict[str, dict[str, Any]] = {}
    for product_id, updated_at, variant, available, digest in states:
        row = {
            "product_id": product_id,
            "platform_id": variant.platform_id,
            "title": variant.title,
            "sku": variant.sku,
            "price": variant.price,
            "compare_at_price": variant.compare_at_price,
            "stock": variant.stock,
            "sells_when_out": variant.sells_when_out,
            "stated_available": available,
            "inventory_item_id": variant.inventory_item_id,
            "position": variant.position,
            "image_url": variant.image_url,
            "source_updated_at": updated_at,
            "state_digest": digest,
        }
        best = newest.get(variant.platform_id)
        if best is None or _version(row) > _version(best):
            newest[variant.platform_id] = row
    if not newest:
        return set()
    rows = execute_rows(
        connection,
        """
        INSERT INTO variant AS v (store_id, product_id, platform_id, title, sku, price, compare_at_price, stock,
            sells_when_out, stated_available, inventory_item_id, position, image_url, source_updated_at,
            state_digest)
        SELECT %(store)s, r.product_id, r.platform_id, r.title, r.sku, r.price, r.compare_at_price, r.stock,
            r.sells_when_out, r.stated_available, r.inventory_item_id, r.position, r.image_url,
            r.source_updated_at, decode(r.state_digest, 'hex')
        FROM json_to_recordset(%(rows)s::json) AS r(product_id bigint, platform_id text, title text, sku text,
            price bigint, compare_at_price bigint, stock bigint, sells_when_out bool, stated_available bool,
            inventory_item_id text, position bigint, image_url text, source_updated_at timestamptz,
            state_digest text)
        ON CONFLICT (store_id, platform_id) DO UPDATE SET product_id = excluded.product_id,
            title = excluded.title, sku = excluded.sku, price = excluded.price,
            compare_at_price = excluded.compare_at_price, stock = excluded.stock,
            sells_when_out = excluded.sells_when_out, stated_available = excluded.stated_available,
            inventory_item_id = excluded.inventory_item_id, position = excluded.position,
            image_url = excluded.image_url, source_updated_at = excluded.source_updated_at,
            state_digest = excluded.state_digest
        WHERE (excluded.source_updated_at, excluded.state_digest) > (v.source_updated_at, v.state_digest)
        RETURNING product_id
        """,
        list(newest.values()),
        store=store_id,
    )
    return {product_id for (product_id,) in rows}


def _delete_products(connection: Connection, store_id: int, changes: Sequence[ProductDeletion]) -> set[int]:
    """Take products out of sight. Their rows stay, for the orders that name them and against late news."""
    ids = ensure_products(connection, store_id, (c.platform_id for c in changes))
    execute_rows(
        connection,
        """
        UPDATE product p SET deleted_at = GREATEST(p.deleted_at, r.deleted_at)
        FROM (SELECT id, max(deleted_at) AS deleted_at FROM json_to_recordset(%(rows)s::json)
            AS x(id bigint, deleted_at timestamptz) GROUP BY id) r
        WHERE p.id = r.id
        """,
        [{"id": ids[c.platform_id], "deleted_at": c.deleted_at} for c in changes],
    )
    return set(ids.values())


def _write_levels(connection: Connection, store_id: int, changes: Sequence[InventoryChange]) -> set[int]:
    newest: dict[tuple[str, str], InventoryChange] = {}
    for change in changes:
        key = (change.inventory_item_id, change.location_id)
        best = newest.get(key)
        if best is None or (change.updated_at, change.available) > (best.updated_at, best.available):
            newest[key] = change
    execute_rows(
        connection,
        """
        INSERT INTO inventory_level AS l
            (store_id, inventory_item_id, location_id, available, source_updated_at)
        SELECT %(store)s, r.inventory_item_id, r.location_id, r.available, r.updated_at
        FROM json_to_recordset(%(rows)s::json) AS r(inventory_item_id text, location_id text,
            available bigint, updated_at timestamptz)
        ON CONFLICT (store_id, inventory_item_id, location_id) DO UPDATE
        SET available = excluded.available, source_updated_at = excluded.source_updated_at
        WHERE (excluded.source_updated_at, excluded.available) > (l.source_updated_at, l.available)
        """,
        [
            {
                "inventory_item_id": c.inventory_item_id,
                "location_id": c.location_id,
                "available": c.available,
                "updated_at": c.updated_at,
            }
            for c in newest.values()
        ],
        store=store_id,
    )
    rows = connection.exec_driver_sql(
        "SELECT DISTINCT product_id FROM variant"
        " WHERE store_id = %(store)s AND inventory_item_id = ANY(%(items)s::text[])",
        {"store": store_id, "items": [c.inventory_item_id for c in newest.values()]},
    )
    return {row[0] for row in rows}


def _refresh_availability(connection: Connection, product_ids: list[int]) -> None:
    """Decide whether products can be bought: by the shop's word, else by whether any variant can."""
    connection.exec_driver_sql(
        f"""
        UPDATE product p SET available = COALESCE(p.stated_available,
            EXISTS (SELECT FROM variant v WHERE v.product_id = p.id AND {LISTED_SQL} AND {BUYABLE_SQL}))
        WHERE p.id = ANY(%(ids)s::bigint[])
        """,
        {"ids": product_ids},
    )


def _version(row: dict[str, Any]) -> tuple[datetime, bytes]:
    return row["source_updated_at"], row["state_digest"]
