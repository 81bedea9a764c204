"""What the shop's own records say of a person: accounts, orders and carts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from app.commerce import ingest
from app.commerce.ingest import BasketChange
from app.privacy.rooms import Person

# Takes changed baskets of a store into the learned counts.
Learn = Callable[[Connection, int, Sequence[BasketChange]], None]

_ORDERS = (
    "o.store_id = %(store)s AND (o.platform_id = ANY(%(orders)s::text[])"
    " OR o.customer_id = ANY(%(customers)s::bigint[]))"
)
_CARTS = "c.store_id = %(store)s AND c.token_hash = ANY(%(carts)s::bytea[])"
_CUSTOMERS = "c.store_id = %(store)s AND c.id = ANY(%(customers)s::bigint[])"


class CommerceRoom:
    """Accounts, orders and carts. Erasing an order takes its basket out of the learned counts exactly."""

    name = "commerce"

    def __init__(self, learn: Learn, publish: Callable[[int], object]) -> None:
        """Take what learns from baskets, and what publishes a store's lists anew: both lie above this room."""
        self._learn = learn
        self._publish = publish

    def export(self, connection: Connection, person: Person) -> Mapping[str, Any]:
        """Return accounts, orders with their lines, and carts with theirs."""
        values = _values(person)
        found = {
            "customers": _rows(
                connection.exec_driver_sql(
                    "SELECT platform_id AS id, encode(identity_hash, 'hex') AS identity_hash, created_at,"
                    f" deleted_at FROM customer c WHERE {_CUSTOMERS} ORDER BY c.id",
                    values,
                )
            ),
            "orders": _rows(
                connection.exec_driver_sql(
                    f"""
                    SELECT o.platform_id AS id, o.placed_at, o.channel, o.currency, o.total, o.status, o.test,
                        o.deleted_at, (SELECT COALESCE(json_agg(json_build_object('product_id', p.platform_id,
                            'title', p.title, 'variant_id', l.variant_platform_id, 'quantity', l.quantity,
                            'kept', l.current_quantity, 'price', l.price, 'discount', l.discount)
                            ORDER BY l.id), '[]')
                        FROM order_line l LEFT JOIN product p ON p.id = l.product_id
                        WHERE l.store_id = o.store_id AND l.order_id = o.id) AS lines
                    FROM orders o WHERE {_ORDERS} ORDER BY o.placed_at, o.id
                    """,
                    values,
                )
            ),
            "carts": _rows(
                connection.exec_driver_sql(
                    f"""
                    SELECT encode(c.token_hash, 'hex') AS token_hash, c.currency, c.source_updated_at AS changed_at,
                        c.outcome, (SELECT COALESCE(json_agg(json_build_object('product_id', p.platform_id,
                            'title', p.title, 'variant_id', l.variant_platform_id, 'quantity', l.quantity,
                            'price', l.price) ORDER BY l.position), '[]')
                        FROM cart_line l JOIN product p ON p.id = l.product_id
                        WHERE l.store_id = c.store_id AND l.cart_id = c.id) AS lines
                    FROM cart c WHERE {_CARTS} ORDER BY c.id
                    """,
                    values,
                )
            ),
        }
        return {name: rows for name, rows in found.items() if rows}

    def erase(self, connection: Connection, person: Person) -> Mapping[str, int]:
        """Remove them, with refunds, edits and tombstones, and unlearn the orders."""
        ingest.lock_commerce(connection, person.store_id)
        values = _values(person)
        orders = connection.exec_driver_sql(
            f"SELECT o.id, o.placed_at, o.basket FROM orders o WHERE {_ORDERS} ORDER BY o.id", values
        ).all()
        self._learn(
            connection,
            person.store_id,
            [BasketChange(placed_at, basket, placed_at, ()) for _, placed_at, basket in orders if basket],
        )
        values["ids"] = [row.id for row in orders]

        def removed(sql: str) -> int:
            return connection.exec_driver_sql(f"DELETE FROM {sql}", values).rowcount

        return {
            "order_lines": removed(
                "order_line WHERE store_id = %(store)s AND order_id = ANY(%(ids)s::bigint[])"
            ),
            "order_adjustments": removed(
                "order_adjustment WHERE store_id = %(store)s AND order_platform_id = ANY(%(orders)s::text[])"
            ),
            "order_tombstones": removed(
                "order_tombstone WHERE store_id = %(store)s AND platform_id = ANY(%(orders)s::text[])"
            ),
            "orders": removed("orders WHERE store_id = %(store)s AND id = ANY(%(ids)s::bigint[])"),
            "carts": removed(f"cart c WHERE {_CARTS}"),
            "customers": removed(f"customer c WHERE {_CUSTOMERS}"),
        }

    def forget(self, person: Person) -> None:
        """Have the lists published anew that the person's orders had a part in."""
        if person.order_ids:
            self._publish(person.store_id)


def _values(person: Person) -> dict[str, Any]:
    return {
        "store": person.store_id,
        "customers": list(person.customer_ids),
        "orders": list(person.order_ids),
        "carts": list(person.cart_hashes),
    }


def _rows(found: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    return [
        {
            name: value.isoformat() if hasattr(value, "isoformat") else value
            for name, value in row._mapping.items()
        }
        for row in found
    ]
