"""What competitors ask, as the merchant tells it: an optional signal for price rules.

Pannier looks at nobody's pages. Of a product and a competitor the newest price stands; an older one that comes later
changes nothing. How long a price counts as fresh is the price rule's word.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from app.core.db import execute_rows
from app.core.money import to_minor

MOST_AT_ONCE: Final = 1_000
MOST_OF_A_STORE: Final = 200_000
MOST_OF_A_PRODUCT: Final = 50
LARGEST_FILE: Final = 20_000_000
LARGEST_PRICE: Final = 10**12
# Clocks differ; what is later than this was not seen.
_CLOCKS: Final = timedelta(minutes=5)
COLUMNS: Final = ("product_id", "competitor", "price", "currency", "seen_at")

UNKNOWN_PRODUCT: Final = "The store has no such product."
NOT_SEEN_YET: Final = "This is later than now."
TOO_MANY: Final = f"The product has prices of {MOST_OF_A_PRODUCT} competitors already."
FULL: Final = f"The store has {MOST_OF_A_STORE} prices of competitors already."


class FileError(ValueError):
    """A file cannot be read as one of competitors' prices. One sentence."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a competitor asks for a product; minor units of ``currency``."""

    product_id: str
    competitor: str
    price: int
    currency: str
    seen_at: datetime


def take_in(connection: Connection, store_id: int, prices: Sequence[Price], at: datetime) -> dict[int, str]:
    """Write prices of one store; return why some were refused, by their place in ``prices``.

    Args:
        connection: inside the caller's transaction.
        store_id: the store.
        prices: what is told; of the same product and competitor the newest stands.
        at: the time of day.
    """
    products = sorted({price.product_id for price in prices})
    known = set(
        connection.exec_driver_sql(
            "SELECT platform_id FROM product WHERE store_id = %(store)s AND platform_id = ANY(%(ids)s::text[])",
            {"store": store_id, "ids": products},
        ).scalars()
    )
    stored: dict[str, set[str]] = {product: set() for product in products}
    for product_id, competitor in connection.exec_driver_sql(
        "SELECT product_id, competitor FROM competitor_price"
        " WHERE store_id = %(store)s AND product_id = ANY(%(ids)s::text[])",
        {"store": store_id, "ids": products},
    ):
        stored[product_id].add(competitor)
    room = (
        MOST_OF_A_STORE
        - connection.exec_driver_sql(
            "SELECT count(*) FROM competitor_price WHERE store_id = %(store)s", {"store": store_id}
        ).scalar_one()
    )
    refused: dict[int, str] = {}
    newest: dict[tuple[str, str], Price] = {}
    for place, price in enumerate(prices):
        others = stored[price.product_id]
        is_new = price.competitor not in others
        if price.product_id not in known:
            refused[place] = UNKNOWN_PRODUCT
        elif price.seen_at > at + _CLOCKS:
            refused[place] = NOT_SEEN_YET
        elif is_new and len(others) >= MOST_OF_A_PRODUCT:
            refused[place] = TOO_MANY
        elif is_new and room <= 0:
            refused[place] = FULL
        else:
            room -= is_new
            others.add(price.competitor)
            key = (price.product_id, price.competitor)
            if key not in newest or price.seen_at >= newest[key].seen_at:
                newest[key] = price
    _write(connection, store_id, list(newest.values()))
    return refused


def _write(connection: Connection, store_id: int, prices: Sequence[Price]) -> None:
    if prices:
        execute_rows(
            connection,
            """
            INSERT INTO competitor_price AS c (store_id, product_id, competitor, price, currency, seen_at)
            SELECT %(store)s, r.product_id, r.competitor, r.price, r.currency, r.seen_at
            FROM json_to_recordset(%(rows)s::json) AS r(product_id text, competitor text, price bigint,
                currency text, seen_at timestamptz)
            ON CONFLICT (store_id, product_id, competitor) DO UPDATE
            SET price = excluded.price, currency = excluded.currency, seen_at = excluded.seen_at
            WHERE excluded.seen_at >= c.seen_at
            """,
            [
                {
                    "product_id": price.product_id,
                    "competitor": price.competitor,
                    "price": price.price,
                    "currency": price.currency,
                    "seen_at": price.seen_at,
                }
                for price in prices
            ],
            store=store_id,
        )


def read_file(path: Path, currency: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield the rows of a file with their numbers from 1: fields as the HTTP interface takes them, or what is wrong.

    A CSV file has a header with ``product_id, competitor, price`` and perhaps ``currency, seen_at``; its prices are in
    major units, as a shop's page shows them ("19.90"). A JSON file is a list of objects with the same names, prices in
    minor units.

    Args:
        path: ``.csv`` or ``.json``; UTF-8.
        currency: of the rows that name none.

    Raises:
        FileError: if the file is too large, no such list, or lacks a column.
    """
    body = path.read_bytes() if path.stat().st_size <= LARGEST_FILE else None
    if body is None:
        raise FileError(f"The file is larger than {LARGEST_FILE // 1_000_000} MB; split it.")
    if path.suffix.lower() == ".json":
        yield from _json_rows(body, currency)
    elif path.suffix.lower() == ".csv":
        yield from _csv_rows(body, currency)
    else:
        raise FileError("The file's name ends neither in .csv nor in .json.")


def _json_rows(body: bytes, currency: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise FileError("The file is no JSON.") from error
    if not isinstance(rows, list):
        raise FileError("The file is no list of prices.")
    for number, row in enumerate(rows, 1):
        yield number, {"currency": currency, **row} if isinstance(row, dict) else "This is no object."


def _csv_rows(body: bytes, currency: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    try:
        reader = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        columns = reader.fieldnames or ()
        missing = [name for name in COLUMNS[:3] if name not in columns]
        if missing:
            raise FileError(f"The file has no column {missing[0]}.")
        for number, row in enumerate(reader, 1):
            yield number, _csv_row(row, currency)
    except UnicodeDecodeError as error:
        raise FileError("The file is not written in UTF-8.") from error
    except csv.Error as error:
        raise FileError("The file is no CSV.") from error


def _csv_row(row: Mapping[Any, Any], currency: str) -> dict[str, Any] | str:
    found = {name: (row.get(name) or "").strip() for name in COLUMNS}
    in_currency = found["currency"] or currency
    try:
        price = to_minor(found["price"], in_currency)
    except ValueError:
        return "The price is no amount of money."
    return {
        "product_id": found["product_id"],
        "competitor": found["competitor"],
        "price": price,
        "currency": in_currency,
        "seen_at": found["seen_at"] or None,
    }
