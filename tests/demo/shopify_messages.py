"""The messages of a Shopify-like shop that tests look at, and Shopify's schemas of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from jsonschema import Draft202012Validator, FormatChecker

from demo.catalogue import Product
from demo.orders import Line, Order
from demo.shopify_shop import ShopifyShop

SCHEMAS = Path(__file__).parents[1] / "payloads" / "shopify" / "schemas"
SECRET = "app-secret"
VOICE = ShopifyShop(
    domain="pannier-demo.myshopify.com",
    base_url="http://127.0.0.1:8001",
    currency="GBP",
    vendor="Hearth & Bunting",
    secret=SECRET,
)
MUG = Product(0, "20001", "Red Mug", 125, 0)
BAG = Product(1, "20002", "Blue Bag", 300, 1)
PLACED = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
NOW = PLACED + timedelta(days=10)
# Topics of one resource share one schema.
SAME_SCHEMA = {
    "products/create": "products/update",
    "customers/create": "customers/update",
    "carts/create": "carts/update",
    "orders/updated": "orders/create",
    "orders/cancelled": "orders/create",
}


@cache
def schema(topic: str) -> Draft202012Validator:
    path = SCHEMAS / f"{SAME_SCHEMA.get(topic, topic)}.json"
    return Draft202012Validator(orjson.loads(path.read_bytes()), format_checker=FormatChecker())


def faults(topic: str, body: Any) -> Iterator[str]:
    """Yield what Shopify's schema finds wrong with a body.

    The schemas are derived from samples: they know refunds of orders and properties of cart lines only as empty.
    Refunds are held against their own schema instead.
    """
    if topic.startswith("orders/"):
        for refund in body["refunds"]:
            yield from faults("refunds/create", refund)
        body = {**body, "refunds": []}
    for error in schema(topic).iter_errors(body):
        yield f"{topic} {list(error.path)}: {error.message}"


def bodies(messages: Any) -> dict[str, Any]:
    """Return the body of each topic; the last one where a topic occurs twice."""
    return {delivery.topic: orjson.loads(delivery.body) for delivery in map(VOICE.sign, messages)}


def order(**values: Any) -> Order:
    return Order(
        **{
            "number": 1001,
            "placed_at": PLACED,
            "customer": 7,
            "lines": (Line(MUG, 4), Line(BAG, 2)),
            **values,
        }
    )
