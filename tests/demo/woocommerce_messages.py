"""The messages of a WooCommerce-like shop that tests look at."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from demo.catalogue import Product
from demo.orders import Line, Order
from demo.woocommerce_shop import WooCommerceShop

SECRET = "webhook-secret"
VOICE = WooCommerceShop(base_url="http://127.0.0.1:8002", currency="GBP", secret=SECRET)
MUG = Product(0, "20001", "Red Mug", 125, 0)
BAG = Product(1, "20002", "Blue Bag", 300, 1)
PLACED = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
NOW = PLACED + timedelta(days=10)


def order(number: int = 1001, **values: Any) -> Order:
    return Order(
        **{
            "number": number,
            "placed_at": PLACED,
            "customer": 7,
            "lines": (Line(MUG, 4), Line(BAG, 2)),
            **values,
        }
    )


def story(placed: Order) -> list[tuple[str, Any]]:
    """Return topics and bodies of all that was sent about an order until ``NOW``."""
    signed = [VOICE.sign(message) for message in VOICE.order_history(placed, NOW)]
    return [(delivery.topic, orjson.loads(delivery.body)) for delivery in signed]


def body_of(message: Any) -> Any:
    return orjson.loads(VOICE.sign(message).body)
