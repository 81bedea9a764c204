"""Writing changes: newest wins, twice is once, in any order of arrival.

One store's changes are applied by one transaction at a time (an advisory lock), so two workers that apply at
the same moment cannot interleave. Of two states the one with the later ``updated_at`` stands; states
of the same second are settled by the stage of the order and then by their digest, so that every order of
arrival ends in the same rows.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from app.commerce.catalog import BUYABLE_SQL, LISTED_SQL
from app.commerce.changes import (
    SALES,
    CartChange,
    CommerceChange,
    ConnectionProblem,
    CustomerChange,
    CustomerDeletion,
    CustomerRef,
    InventoryChange,
    OrderAdjustment,
    OrderChange,
    OrderDeletion,
    ProductChange,
    ProductDeletion,
    ProductStatus,
    StoreUninstalled,
    VariantChange,
    VariantState,
)
from app.core.db import execute_rows, lock_store

_LOCK: Final = 1

_NEVER: Final = (datetime.min.replace(tzinfo=UTC), b"")


@dataclass(frozen=True, slots=True)
class BasketChange:
    """What an order contributed to the counts before and contributes now. Empty baskets contribute nothing."""

    old_placed_at: datetime
    old_basket: Sequence[int]
    new_placed_at: datetime
    new_basket: Sequence[int]


@dataclass(slots=True)
class Applied:
    """What became of a batch of changes."""

    baskets: list[BasketChange] = field(default_factory=list)
    # Platform ids of products whose card (price, stock, title, eligibility) may have changed.
    products: set[str] = field(default_factory=set)
    # Those of them that the shop now describes or places otherwise: title, labels, status, the merchant's choice.
    described: set[str] = field(default_factory=set)


def apply(connection: Connection, store_id: int, changes: Iterable[CommerceChange]) -> Applied:
    """Write ``changes`` of one store inside the caller's transaction."""
    kinds: dict[type, list[Any]] = {}
    for change in changes:
        kinds.setdefault(type(change), []).append(change)
        if isinstance(change, ProductChange | OrderChange) and change.revives:
            _void_deletions(kinds, change)
    applied = Applied()
    if not kinds:
        return applied
    lock_commerce(connection, store_id)
    _apply_catalog(connection, store_id, kinds, applied)
    _apply_customers(connection, store_id, kinds)
    _apply_orders(connection, store_id, kinds, applied)
    _apply_carts(connection, store_id, kinds.get(CartChange, []))
    _apply_store(connection, store_id, kinds)
    return applied


def _void_deletions(kinds: dict[type, list[Any]], change: ProductChange | OrderChange) -> None:
    """Drop the deletions that arrived before the thing was taken back out of the bin.

    Only the order of arrival tells which came first: a restored state can be older than its deletion.
    """
    deletion = ProductDeletion if isinstance(change, ProductChange) else OrderDeletion
    kinds[deletion] = [d for d in kinds.get(deletion, []) if d.platform_id != change.platform_id]


def lock_commerce(connection: Connection, store_id: int) -> None:
    """Keep everybody else from applying changes to the store until the transaction ends."""
    lock_store(connection, store_id, _LOCK)


def state_digest(state: Any) -> bytes:
    """Return the digest of a change: equal states have equal digests, on every machine."""
    body = orjson.dumps(state, default=lambda value: value.hex() if isinstance(value, bytes) else str(value))
    return hashlib.sha256(body).digest()


# --- catalogue ------------------------------------------------------------------------------------------


def _apply_catalog(
    connection: Connection, store_id: int, kinds: dict[type, list[Any]], applied: Applied
) -> None:
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
        key = (change.updated_at, state_digest(replace(change, cross_sell_ids=None, upsell_ids=None)))
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
    described = {
        ids[p] for p, (_, change) in winners.items() if _description(change) != _description(before.get(p))
    }
    changed = {ids[platform_id] for platform_id in winners} | set(revived) | rewritten | chosen
    return changed, described | chosen


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
                state_digest((c.variant, c.available)),
            )
            for c in changes
        ],
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


# --- customers ------------------------------------------------------------------------------------------


def _apply_customers(connection: Connection, store_id: int, kinds: dict[type, list[Any]]) -> None:
    changes: list[CustomerChange] = kinds.get(CustomerChange, [])
    deletions: list[CustomerDeletion] = kinds.get(CustomerDeletion, [])
    if changes:
        _ensure_customers(connection, store_id, [(c.customer, c.updated_at) for c in changes])
    if deletions:
        _forget_customers(connection, store_id, deletions)


def _ensure_customers(
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


# --- orders ---------------------------------------------------------------------------------------------


def _apply_orders(
    connection: Connection, store_id: int, kinds: dict[type, list[Any]], applied: Applied
) -> None:
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


def _load_orders(connection: Connection, store_id: int, platform_ids: list[str]) -> dict[str, _StoredOrder]:
    rows = connection.exec_driver_sql(
        "SELECT platform_id, source_updated_at, status, state_digest, placed_at, basket FROM orders"
        " WHERE store_id = %(store)s AND platform_id = ANY(%(ids)s::text[])",
        {"store": store_id, "ids": platform_ids},
    )
    return {
        row.platform_id: _StoredOrder(
            (row.source_updated_at, row.status, bytes(row.state_digest)), row.placed_at, row.basket
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
    customers = _ensure_customers(
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
            }
    execute_rows(
        connection,
        """
        INSERT INTO order_line (store_id, order_id, platform_id, product_id, variant_platform_id, quantity,
            stated_quantity, current_quantity, price, discount, gift_card)
        SELECT %(store)s, r.order_id, r.platform_id, r.product_id, r.variant_platform_id, r.quantity,
            r.stated_quantity, r.stated_quantity, r.price, r.discount, r.gift_card
        FROM json_to_recordset(%(rows)s::json) AS r(order_id bigint, platform_id text, product_id bigint,
            variant_platform_id text, quantity bigint, stated_quantity bigint, price bigint, discount bigint,
            gift_card bool)
        ON CONFLICT (store_id, order_id, platform_id) DO UPDATE SET product_id = excluded.product_id,
            variant_platform_id = excluded.variant_platform_id, quantity = excluded.quantity,
            stated_quantity = excluded.stated_quantity, current_quantity = excluded.current_quantity,
            price = excluded.price, discount = excluded.discount, gift_card = excluded.gift_card
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
    """Recompute what the orders contribute to the counts, and report each difference."""
    rows = connection.exec_driver_sql(
        f"""
        WITH fresh AS (
            SELECT o.id, {BASKET_SQL} AS basket FROM orders o
            WHERE o.store_id = %(store)s AND o.platform_id = ANY(%(ids)s::text[]))
        UPDATE orders o SET basket = fresh.basket FROM fresh WHERE o.id = fresh.id
        RETURNING o.platform_id, o.placed_at, o.basket
        """,
        {"store": store_id, "ids": platform_ids, "sales": [int(s) for s in SALES]},
    )
    for platform_id, placed_at, basket in rows:
        old = before.get(platform_id)
        change = BasketChange(
            old.placed_at if old else placed_at, old.basket if old else (), placed_at, basket
        )
        if (change.old_placed_at, list(change.old_basket)) != (placed_at, basket):
            applied.baskets.append(change)


# The products of an order ``o`` that count as bought: goods still in it, of a real sale. Needs ``%(sales)s``.
BASKET_SQL: Final = """CASE WHEN o.deleted_at IS NULL AND NOT o.test AND o.status = ANY(%(sales)s) THEN
    ARRAY(SELECT DISTINCT l.product_id FROM order_line l WHERE l.store_id = o.store_id AND l.order_id = o.id
        AND l.product_id IS NOT NULL AND l.current_quantity > 0 AND NOT l.gift_card ORDER BY 1)
    ELSE '{}'::bigint[] END"""


# --- carts, store ---------------------------------------------------------------------------------------


def _apply_carts(connection: Connection, store_id: int, changes: Sequence[CartChange]) -> None:
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


def _apply_store(connection: Connection, store_id: int, kinds: dict[type, list[Any]]) -> None:
    for gone in kinds.get(StoreUninstalled, []):
        # Late or repeated news of an earlier installation means nothing.
        connection.exec_driver_sql(
            "UPDATE store SET uninstalled_at = LEAST(uninstalled_at, %(at)s)"
            " WHERE id = %(store)s AND GREATEST(installed_at, connected_at) < %(at)s",
            {"store": store_id, "at": gone.uninstalled_at},
        )
    problems: list[ConnectionProblem] = kinds.get(ConnectionProblem, [])
    if problems:
        newest = max(problems, key=lambda problem: (problem.noticed_at, problem.detail))
        connection.exec_driver_sql(
            "UPDATE store SET connection_problem = %(detail)s, connection_problem_at = %(at)s"
            " WHERE id = %(store)s AND GREATEST(installed_at, connected_at) < %(at)s",
            {"store": store_id, "detail": newest.detail, "at": newest.noticed_at},
        )


def _version(row: dict[str, Any]) -> tuple[datetime, bytes]:
    return row["source_updated_at"], row["state_digest"]
