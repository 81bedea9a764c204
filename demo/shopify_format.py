"""How a Shopify shop writes ids, moments, amounts and JSON.

Ids exceed 2^53 and are odd, so that a reader who takes them for floating point numbers is found out. The JSON is
written as Shopify's Rails writes it.
"""

import hashlib
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

from demo.money import decimal
from demo.orders import Line

LOCATION_ID = 73_000_000_001
STAFF_ID = 548_380_009
# A fixed offset: no time zone data needed, and every reader has to convert.
SHOP_TIME = timezone(timedelta(hours=1))

_BASE = {
    "Product": 9_101_000_000_000_001,
    "ProductVariant": 9_102_000_000_000_001,
    "InventoryItem": 9_103_000_000_000_001,
    "ProductImage": 9_104_000_000_000_001,
    "Customer": 9_105_000_000_000_001,
    "Address": 9_106_000_000_000_001,
    "Order": 9_107_000_000_000_001,
    "LineItem": 9_108_000_000_000_001,
    "Refund": 9_109_000_000_000_001,
    "RefundLineItem": 9_110_000_000_000_001,
    "OrderTransaction": 9_111_000_000_000_001,
    "ShippingLine": 9_112_000_000_000_001,
    "ProductOption": 9_113_000_000_000_001,
    "MediaImage": 9_114_000_000_000_001,
}


def platform_id(kind: str, number: int) -> int:
    """Return the id of the ``number``-th resource of ``kind``, such as ``Product``: odd and above 2^53."""
    return _BASE[kind] + 2 * number


def gid(kind: str, number: int) -> str:
    """Return the same id as a GraphQL global id."""
    return f"gid://shopify/{kind}/{platform_id(kind, number)}"


def product_number(variant_id: int) -> int | None:
    """Return which product a variant id belongs to, or None if it can be no variant's."""
    number, odd = divmod(variant_id - _BASE["ProductVariant"], 2)
    return number if number >= 0 and not odd else None


def line_key(line: Line) -> str:
    """Return the key that names a cart line: its variant and a digest of its properties."""
    variant_id = platform_id("ProductVariant", line.product.number)
    return f"{variant_id}:{hashlib.md5(repr(line.properties).encode(), usedforsecurity=False).hexdigest()}"


def stamp(at: datetime) -> str:
    """Return a moment in the shop's own time, with its offset: ``2026-11-22T10:19:00+01:00``."""
    return at.astimezone(SHOP_TIME).isoformat(timespec="seconds")


def price_set(pence: int, currency: str) -> dict[str, Any]:
    """Return an amount for the shop and for the shopper, who pays in the shop's currency."""
    money = {"amount": decimal(pence), "currency_code": currency}
    return {"shop_money": money, "presentment_money": money}


def encode(body: dict[str, Any]) -> bytes:
    """Return ``body`` as Rails writes JSON: UTF-8, no spaces, with ``&``, ``<`` and ``>`` escaped."""
    raw = orjson.dumps(body)
    return raw.replace(b"&", b"\\u0026").replace(b"<", b"\\u003c").replace(b">", b"\\u003e")
