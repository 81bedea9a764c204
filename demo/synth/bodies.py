"""What Shopify sends of a synthetic store: products and orders, signed. Money is in minor units until it is written."""

import uuid
from datetime import datetime
from typing import Any

import orjson

from demo.messages import Delivery, signature
from demo.money import decimal
from demo.synth.world import CURRENCY, Order, Product, World

_API_VERSION = "2026-07"


def product(item: Product, at: datetime) -> dict[str, Any]:
    """Return the body of a product with one variant, as it is since ``at``."""
    return {
        "id": item.number,
        "admin_graphql_api_id": f"gid://shopify/Product/{item.number}",
        "title": item.title,
        "handle": item.title.lower().replace(" ", "-"),
        "product_type": item.category,
        "status": "active",
        "published_at": at.isoformat(),
        "updated_at": at.isoformat(),
        "variants": [
            {"id": item.number * 10, "price": decimal(item.price), "inventory_quantity": 1000, "position": 1}
        ],
    }


def order(
    world: World, placed: Order, *, updated_at: datetime | None = None, spoiled: bool = False
) -> dict[str, Any]:
    """Return the body of an order of one piece each.

    Args:
        world: whose products are named.
        placed: the order.
        updated_at: when it last changed; when it was placed unless said.
        spoiled: whether its lines name other products than were bought.
    """
    bought = [world.products[number] for number in placed.basket]
    buyer = {} if placed.customer is None else {"customer": _customer(placed.customer)}
    return {
        "id": placed.number,
        "admin_graphql_api_id": f"gid://shopify/Order/{placed.number}",
        "created_at": placed.placed_at.isoformat(),
        "processed_at": placed.placed_at.isoformat(),
        "updated_at": (updated_at or placed.placed_at).isoformat(),
        "financial_status": "paid",
        "source_name": "web",
        "test": False,
        "currency": CURRENCY,
        "total_price_set": _money(sum(item.price for item in bought)),
        "line_items": [
            {
                "id": placed.number * 1000 + place,
                "product_id": world.mixed_up[item.number] if spoiled else item.number,
                "quantity": 1,
                "price_set": _money(item.price),
            }
            for place, item in enumerate(bought)
        ],
        "refunds": [],
        **buyer,
    }


def signed(domain: str, secret: str, topic: str, body: dict[str, Any], at: datetime) -> Delivery:
    """Return a body as the request that Shopify sends of it; sent again it is the same request.

    https://shopify.dev/docs/apps/build/webhooks/delivery-structure
    """
    raw = orjson.dumps(body)
    event = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{domain}/{topic}/{body['id']}/{at.isoformat()}"))
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": signature(raw, secret),
        "X-Shopify-Shop-Domain": domain,
        "X-Shopify-API-Version": _API_VERSION,
        "X-Shopify-Webhook-Id": event,
        "X-Shopify-Event-Id": event,
        "X-Shopify-Triggered-At": at.isoformat(),
    }
    return Delivery(headers, raw, topic)


def _customer(number: int) -> dict[str, Any]:
    return {"id": number, "admin_graphql_api_id": f"gid://shopify/Customer/{number}"}


def _money(minor: int) -> dict[str, Any]:
    return {"shop_money": {"amount": decimal(minor), "currency_code": CURRENCY}}
