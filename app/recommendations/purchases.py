"""What was bought when, and by whom: of one person for an answer, of everybody for learning.

Everything is read from the orders' baskets, which are net: cancelled and refunded orders have an empty one, and a
product whose pieces were all given back is no longer in it. A customer is an internal id and nothing else.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg
from sqlalchemy import Connection

Integers = npt.NDArray[np.int64]

# The customer of an order that names nobody.
NOBODY: Final = 0


@dataclass(frozen=True, slots=True)
class Purchase:
    """A product that a customer bought.

    Attributes:
        product: its platform id.
        times: in how many orders.
        last_day: UTC day of the newest of them.
        first_day: UTC day of the oldest of them.
    """

    product: str
    times: int
    last_day: date
    first_day: date


# The orders of a person: of all the customers that the platform has them as.
_OF_CUSTOMERS: Final = """
    o.store_id = %(store)s AND o.customer_id = ANY(ARRAY(
        SELECT c.id FROM customer c
        WHERE c.store_id = %(store)s AND c.platform_id = ANY(%(customers)s::text[]) AND c.deleted_at IS NULL))
"""


def of_customers(connection: Connection, store_id: int, customers: Collection[str]) -> list[Purchase]:
    """Return what a person bought, the newest purchase first; nothing of customers who are not known.

    ``customers`` are the platform's ids of one person.
    """
    rows = connection.exec_driver_sql(
        f"""
        SELECT p.platform_id, b.times, b.last_day, b.first_day
        FROM (
            SELECT u.product_id, count(*) AS times, max(u.day) AS last_day, min(u.day) AS first_day
            FROM (
                SELECT unnest(o.basket) AS product_id, (o.placed_at AT TIME ZONE 'UTC')::date AS day
                FROM orders o WHERE {_OF_CUSTOMERS}
            ) u
            GROUP BY u.product_id
        ) b
        JOIN product p ON p.id = b.product_id
        ORDER BY b.last_day DESC, b.times DESC, p.id
        """,
        {"store": store_id, "customers": list(customers)},
    )
    return [Purchase(*row) for row in rows]


def orders_of_customers(connection: Connection, store_id: int, customers: Collection[str]) -> int:
    """Return in how many sales a person bought anything."""
    found: int = connection.exec_driver_sql(
        f"SELECT count(*) FROM orders o WHERE {_OF_CUSTOMERS} AND cardinality(o.basket) > 0",
        {"store": store_id, "customers": list(customers)},
    ).scalar_one()
    return found


@dataclass(slots=True, eq=False)
class History:
    """Orders of a store that are sales: order ``i`` holds ``products[indptr[i]:indptr[i + 1]]``.

    Attributes:
        indptr: int64[n + 1], starting with 0.
        products: int64[lines], internal ids, distinct within an order.
        days: int64[n], UTC days counted from 1970-01-01.
        customers: int64[n], internal ids; ``NOBODY`` where the order names none.

    Raises:
        ValueError: if the shapes do not fit together.
    """

    indptr: Integers
    products: Integers
    days: Integers
    customers: Integers

    def __post_init__(self) -> None:
        if not len(self.indptr) - 1 == len(self.days) == len(self.customers):
            raise ValueError("there must be one day and one customer for each order")
        if self.indptr[0] != 0 or self.indptr[-1] != len(self.products) or np.any(np.diff(self.indptr) < 0):
            raise ValueError("indptr must rise from 0 to the number of lines")

    def by_line(self, of_orders: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return an attribute of the orders (any[n]) for each line (any[lines])."""
        return np.repeat(of_orders, np.diff(self.indptr))


# One row of PostgreSQL's binary COPY format: a count of fields, then each field's length and value.
# https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
_ROW: Final = np.dtype(
    [
        ("fields", ">i2"),
        ("n0", ">i4"), ("order", ">i8"),
        ("n1", ">i4"), ("day", ">i4"),
        ("n2", ">i4"), ("customer", ">i8"),
        ("n3", ">i4"), ("product", ">i8"),
    ]
)  # fmt: skip
_HEADER: Final = 19
_TRAILER: Final = 2
# Rows that are held as PostgreSQL sent them, before they are put into arrays: 46 bytes each.
_BLOCK: Final = 200_000


def of_store(connection: Connection, store_id: int, since_day: int | None = None) -> History:
    """Return a store's sales in the order of their ids, those from ``since_day`` (UTC) on if that is given.

    Read block by block: memory is 8 bytes per line and 24 per order, twice while the blocks are joined.
    """
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    sql = (
        "COPY (SELECT o.id, (o.placed_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01',"
        f" COALESCE(o.customer_id, {NOBODY}), unnest(o.basket) FROM orders o WHERE o.store_id = %s"
        " AND o.placed_at >= %s ORDER BY o.id) TO STDOUT (FORMAT BINARY)"
    )
    since = datetime(1, 1, 1, tzinfo=UTC) if since_day is None else day_start(since_day)
    blocks = _Blocks()
    with raw.cursor() as cursor, cursor.copy(sql, (store_id, since)) as copy:
        for data in copy:
            blocks.take(data)
    return blocks.joined()


def day_start(day: int) -> datetime:
    """Return the moment at which a UTC day, counted from 1970-01-01, begins."""
    return datetime.fromtimestamp(day * 86_400, UTC)


class _Blocks:
    """Collects a binary COPY of lines that are sorted by order."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._begun = False
        self._last_order: int | None = None
        self._lines = 0
        self._starts: list[Integers] = []
        self._products: list[Integers] = []
        self._days: list[Integers] = []
        self._customers: list[Integers] = []

    def take(self, data: bytes | bytearray | memoryview) -> None:
        """Add what the server sent next."""
        self._received += data
        if not self._begun and len(self._received) >= _HEADER:
            del self._received[:_HEADER]
            self._begun = True
        if len(self._received) >= _BLOCK * _ROW.itemsize:
            self._settle()

    def joined(self) -> History:
        """Return everything, once the server has sent its last."""
        del self._received[-_TRAILER:]
        self._settle()
        none = [np.zeros(0, np.int64)]
        return History(
            indptr=np.append(np.concatenate(self._starts or none), self._lines).astype(np.int64),
            products=np.concatenate(self._products or none),
            days=np.concatenate(self._days or none),
            customers=np.concatenate(self._customers or none),
        )

    def _settle(self) -> None:
        """Move whole rows into arrays; the trailer, or the beginning of a row, is left."""
        count = len(self._received) // _ROW.itemsize
        if not count:
            return
        body = bytes(self._received[: count * _ROW.itemsize])
        del self._received[: count * _ROW.itemsize]
        rows = np.frombuffer(body, _ROW)
        orders = rows["order"].astype(np.int64)
        first = np.concatenate(([orders[0] != self._last_order], orders[1:] != orders[:-1]))
        starts = np.flatnonzero(first)
        self._starts.append(starts + self._lines)
        self._products.append(rows["product"].astype(np.int64))
        self._days.append(rows["day"][starts].astype(np.int64))
        self._customers.append(rows["customer"][starts].astype(np.int64))
        self._last_order = int(orders[-1])
        self._lines += count
