"""Where an evaluation's orders and queries come from: a store, or files.

A file is Parquet (``.parquet``; needs pyarrow, the extra ``evaluation``) or CSV in UTF-8 with a head (``.csv``,
``.csv.gz``).
"""

import csv
import gzip
import io
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import psycopg
from sqlalchemy import Connection

from app.recommendations.evaluation import EvaluationError, History, Question, history

Columns = dict[str, list[Any]]

# What separates the products of a cart in a CSV file.
_SEPARATOR: Final = "|"
_NOTHING: Final = (None, "")
_TRUE: Final = frozenset({"true", "t", "yes", "y", "1"})


# --- a store --------------------------------------------------------------------------------------------

# One row of PostgreSQL's binary COPY format: a count of fields, then each field's length and value.
# https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
_LINE: Final = np.dtype(
    [
        ("fields", ">i2"),
        ("n0", ">i4"), ("order", ">i8"),
        ("n1", ">i4"), ("second", ">i8"),
        ("n2", ">i4"), ("customer", ">i8"),
        ("n3", ">i4"), ("product", ">i8"),
    ]
)  # fmt: skip
_COPY_HEADER: Final = 19
_COPY_TRAILER: Final = 2


def store_orders(connection: Connection, store_id: int) -> History:
    """Return the baskets that a store has learned from, with the internal ids of products and customers."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    received = io.BytesIO()
    with (
        raw.cursor() as cursor,
        cursor.copy(
            "COPY (SELECT o.id::int8, floor(extract(epoch FROM o.placed_at))::int8,"
            " coalesce(o.customer_id, -1)::int8, unnest(o.basket)::int8"
            " FROM orders o WHERE o.store_id = %s) TO STDOUT (FORMAT BINARY)",
            (store_id,),
        ) as copy,
    ):
        for data in copy:
            received.write(data)
    lines = np.frombuffer(received.getbuffer()[_COPY_HEADER:-_COPY_TRAILER], _LINE)
    return history(
        lines["order"].astype(np.int64),
        lines["product"].astype(np.int64),
        lines["second"].astype(np.int64),
        lines["customer"].astype(np.int64),
    )


# --- files ----------------------------------------------------------------------------------------------


def read_orders(path: Path, products: str | None = None) -> History:
    """Return the orders of a file, one line a row.

    The columns are ``order_id`` and ``product_id``, and where the file has them ``ts`` (a time, ISO 8601 or Unix; UTC
    unless it says otherwise) and ``customer_id``. Rows whose ``is_return`` is true or whose ``quantity`` is not
    positive are no sales and left out. Without ``ts`` the rows stand in the order of time.

    Args:
        path: the file.
        products: a regular expression; products whose id does not begin with it are left out.

    Raises:
        EvaluationError: if the file cannot be read, lacks a column or holds a value that is none.
    """
    columns = _read(path, ("order_id", "product_id"), ("ts", "customer_id", "is_return", "quantity"))
    kept = list(_kept(path, columns, _pattern(products)))
    if not kept:
        raise EvaluationError(f"{path} holds no order line to learn from.")
    times, customers = columns.get("ts"), columns.get("customer_id")
    orders = [columns["order_id"][row] for row in kept]
    if not all(isinstance(order, int) for order in orders):
        orders = [str(order) for order in orders]
    return history(
        orders,
        [str(columns["product_id"][row]) for row in kept],
        [_second(path, row, times[row]) for row in kept] if times else None,
        [_text(customers[row]) for row in kept] if customers else None,
    )


def _kept(path: Path, columns: Columns, products: re.Pattern[str]) -> Iterator[int]:
    """Yield the rows that are sales of wanted products."""
    returned, quantities = columns.get("is_return"), columns.get("quantity")
    for row, (order, product) in enumerate(zip(columns["order_id"], columns["product_id"], strict=True)):
        if order in _NOTHING or product in _NOTHING:
            raise EvaluationError(f"{_place(path, row)} lacks its order_id or product_id.")
        if returned and str(returned[row]).lower() in _TRUE:
            continue
        if quantities and quantities[row] not in _NOTHING and _number(path, row, quantities[row]) <= 0:
            continue
        if products.match(str(product)):
            yield row


def read_queries(path: Path) -> list[Question]:
    """Return the queries of a file, one a row.

    The columns are ``cart`` (ids; in CSV separated by ``|``), ``hidden`` and ``anchor``, and where the file has them
    ``customer_id`` and ``at_epoch_s`` (Unix time).

    Raises:
        EvaluationError: if the file cannot be read, lacks a column or holds a value that is none.
    """
    columns = _read(path, ("cart", "hidden", "anchor"), ("customer_id", "at_epoch_s"))
    rows = range(len(columns["cart"]))
    nothing = [None] * len(rows)
    customers, times = columns.get("customer_id", nothing), columns.get("at_epoch_s", nothing)
    return [
        Question(
            cart=_ids(columns["cart"][row]),
            anchor=_text(columns["anchor"][row]),
            hidden=_text(columns["hidden"][row]),
            customer=_text(customers[row]),
            at=None if times[row] in _NOTHING else _number(path, row, times[row]),
        )
        for row in rows
    ]


def _read(path: Path, needed: Sequence[str], welcome: Sequence[str]) -> Columns:
    """Return a file's columns; those of ``welcome`` only where they exist."""
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            columns = _read_parquet(path, {*needed, *welcome})
        elif name.endswith((".csv", ".csv.gz")):
            columns = _read_csv(path, {*needed, *welcome})
        else:
            raise EvaluationError(f"{path} is neither .parquet nor .csv nor .csv.gz.")
    except FileNotFoundError as error:
        raise EvaluationError(f"There is no file {path}.") from error
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise EvaluationError(f"{path} cannot be read: {error}") from error
    missing = [column for column in needed if column not in columns]
    if missing:
        raise EvaluationError(f"{path} lacks the column {missing[0]}.")
    return columns


def _read_parquet(path: Path, wanted: set[str]) -> Columns:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise EvaluationError(
            "Parquet needs pyarrow, which is not installed; install pannier[evaluation], or give a CSV file."
        ) from error
    try:
        file = parquet.ParquetFile(path)
        present = [column for column in file.schema_arrow.names if column in wanted]
        table = file.read(columns=present)
        return {column: table[column].to_pylist() for column in present}
    except ArrowException as error:
        raise EvaluationError(f"{path} is no Parquet file that can be read.") from error


def _read_csv(path: Path, wanted: set[str]) -> Columns:
    opened: Any = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        head = next(rows, [])
        places = [(column, place) for place, column in enumerate(head) if column in wanted]
        columns: Columns = {column: [] for column, _ in places}
        for number, row in enumerate(row for row in rows if row):
            if len(row) != len(head):
                raise EvaluationError(f"{_place(path, number)} has {len(row)} values instead of {len(head)}.")
            for column, place in places:
                columns[column].append(row[place])
    return columns


def _pattern(products: str | None) -> re.Pattern[str]:
    try:
        return re.compile(products or "")
    except re.error as error:
        raise EvaluationError(f"{products!r} is no regular expression: {error}.") from error


def _second(path: Path, row: int, value: Any) -> int:
    """Return a time as Unix time in whole seconds."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return int(_number(path, row, value, "time") // 1)
    if isinstance(value, datetime):
        at = value if value.tzinfo else value.replace(tzinfo=UTC)
        return int(at.timestamp() // 1)
    if isinstance(value, date):
        return int(datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp())
    return int(_number(path, row, value, "time") // 1)


def _number(path: Path, row: int, value: Any, kind: str = "number") -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"{_place(path, row)}: {value!r} is no {kind}.") from error
    if not np.isfinite(number):
        raise EvaluationError(f"{_place(path, row)}: {value!r} is no {kind}.")
    return number


def _ids(value: Any) -> list[str]:
    """Return a cart's product ids."""
    if value in _NOTHING:
        return []
    return value.split(_SEPARATOR) if isinstance(value, str) else [str(id_) for id_ in value]


def _text(value: Any) -> str | None:
    return None if value in _NOTHING else str(value)


def _place(path: Path, row: int) -> str:
    return f"Row {row + 1} of {path}"
