"""How far a file has been taken in, as the database remembers it."""

from dataclasses import dataclass

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Begun:
    """An import that was begun: its number, and what of the file is done."""

    id: int
    done_rows: int
    orders: int
    rejected_rows: int
    finished: bool


def begin(
    connection: Connection, store_id: int, digest: bytes, source: str, channel: str, collected_by: str | None
) -> Begun:
    """Return the import of the file with this digest (32 bytes), begun now if it was not before."""
    names = {"store": store_id, "digest": digest}
    connection.exec_driver_sql(
        "INSERT INTO order_import (store_id, digest, source, channel, collected_by, done_rows, orders,"
        " rejected_rows) VALUES (%(store)s, %(digest)s, %(source)s, %(channel)s, %(collected_by)s, 0, 0, 0)"
        " ON CONFLICT (store_id, digest) DO NOTHING",
        {**names, "source": source, "channel": channel, "collected_by": collected_by},
    )
    row = connection.exec_driver_sql(
        "SELECT id, done_rows, orders, rejected_rows, finished_at IS NOT NULL FROM order_import"
        " WHERE store_id = %(store)s AND digest = %(digest)s",
        names,
    ).one()
    return Begun(*row)


def advance(connection: Connection, import_id: int, rows: int, orders: int, rejected: int) -> None:
    """Count what the caller's transaction takes in."""
    connection.exec_driver_sql(
        "UPDATE order_import SET done_rows = done_rows + %(rows)s, orders = orders + %(orders)s,"
        " rejected_rows = rejected_rows + %(rejected)s WHERE id = %(id)s",
        {"id": import_id, "rows": rows, "orders": orders, "rejected": rejected},
    )


def finish(connection: Connection, import_id: int) -> None:
    """Remember that nothing of the file is left."""
    connection.exec_driver_sql(
        "UPDATE order_import SET finished_at = now() WHERE id = %(id)s", {"id": import_id}
    )


def forget(connection: Connection, store_id: int, digest: bytes) -> None:
    """Forget an import, so that its file is new again."""
    connection.exec_driver_sql(
        "DELETE FROM order_import WHERE store_id = %(store)s AND digest = %(digest)s",
        {"store": store_id, "digest": digest},
    )
