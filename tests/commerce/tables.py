"""A store's rows as comparable values: without internal ids and times of writing."""

from typing import Any

from sqlalchemy import Connection

_TABLES = {
    "product": ("t", "'{}'"),
    "variant": (
        "t JOIN product p ON p.id = t.product_id",
        "jsonb_build_object('product_id', p.platform_id)",
    ),
    "inventory_level": ("t", "'{}'"),
    "customer": ("t", "'{}'"),
    "orders": (
        "t LEFT JOIN customer c ON c.id = t.customer_id",
        """jsonb_build_object(
            'customer_id', COALESCE(c.platform_id, encode(c.identity_hash, 'hex')),
            'basket', ARRAY(SELECT p.platform_id FROM product p WHERE p.id = ANY(t.basket) ORDER BY 1))""",
    ),
    "order_line": (
        "t JOIN orders o ON o.id = t.order_id LEFT JOIN product p ON p.id = t.product_id",
        "jsonb_build_object('order_id', o.platform_id, 'product_id', p.platform_id)",
    ),
    "order_adjustment": ("t", "'{}'"),
    "order_tombstone": ("t", "'{}'"),
    "cart": ("t", "'{}'"),
    "cart_line": (
        "t JOIN cart c ON c.id = t.cart_id JOIN product p ON p.id = t.product_id",
        "jsonb_build_object('cart_id', encode(c.token_hash, 'hex'), 'product_id', p.platform_id)",
    ),
}


def dump(connection: Connection, store_id: int) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of the commerce model of a store, sorted, with platform ids for internal ones."""
    found = {}
    for table, (joined, replaced) in _TABLES.items():
        rows = connection.exec_driver_sql(
            f"SELECT to_jsonb(t) - '{{id,store_id,created_at}}'::text[] || {replaced}::jsonb AS row"
            f" FROM {table} {joined} WHERE t.store_id = %(store)s ORDER BY 1",
            {"store": store_id},
        )
        found[table] = [row[0] for row in rows]
    return found


def rows(connection: Connection, store_id: int, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Return some columns of a dumped table, sorted."""
    found = [tuple(row[column] for column in columns) for row in dump(connection, store_id)[table]]
    return sorted(found, key=lambda row: tuple((value is not None, value) for value in row))
