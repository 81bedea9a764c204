"""How a WooCommerce shop writes ids, moments, amounts, JSON and the headers of its webhooks.

The JSON is written as PHP writes it: escaped slashes, ASCII only.
"""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from demo.catalogue import Product
from demo.messages import signature
from demo.orders import Line

VERSION = "10.5.0"
WORDPRESS = "6.9.1"
SHOP_TIME = timezone(timedelta(hours=1))  # a fixed offset, so that local and GMT fields differ
SYMBOLS = {"GBP": ("£", "&pound;"), "EUR": ("€", "&euro;"), "USD": ("$", "&#36;")}
FIRST_PRODUCT_ID = 101
FIRST_CUSTOMER_ID = 2
FIRST_ORDER_ID = 20_000  # posts of all types share one sequence of ids
FIRST_IMAGE_ID = 50_000
VAT = 20  # per cent; prices include it


def product_id(product: Product) -> int:
    """Return the product's id: a small integer."""
    return FIRST_PRODUCT_ID + product.number


def product_number(identifier: int) -> int:
    """Return the product's number for an id; it may be out of range."""
    return identifier - FIRST_PRODUCT_ID


def image_id(product: Product) -> int:
    """Return the id of the product's picture."""
    return FIRST_IMAGE_ID + product.number


def customer_id(number: int) -> int:
    """Return the id of the customer with this number."""
    return FIRST_CUSTOMER_ID + number


def order_id(number: int) -> int:
    """Return the id of the order with this number in the shop's books."""
    return FIRST_ORDER_ID + number


def line_key(line: Line) -> str:
    """Return the key that names a cart line of a simple product: the digest of its id."""
    return hashlib.md5(str(product_id(line.product)).encode(), usedforsecurity=False).hexdigest()


def net(gross: int) -> int:
    """Return what is left of a price in pence when the tax in it is taken out."""
    return round(gross * 100 / (100 + VAT))


def price_html(price: str, symbol: str) -> str:
    """Return a single price as a page shows it; ``symbol`` is the currency's sign as HTML."""
    return (
        '<span class="woocommerce-Price-amount amount"><bdi>'
        f'<span class="woocommerce-Price-currencySymbol">{symbol}</span>{price}</bdi></span>'
    )


def local(at: datetime) -> str:
    """Return a moment in the shop's own time, without its offset."""
    return at.astimezone(SHOP_TIME).replace(tzinfo=None).isoformat(timespec="seconds")


def gmt(at: datetime) -> str:
    """Return a moment in UTC, without its offset."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def encode(body: dict[str, Any]) -> bytes:
    r"""Return ``body`` as PHP writes JSON: ``\/`` for a slash, ``\u20ac`` for a euro sign."""
    return json.dumps(body, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode()


def links(base_url: str, collection: str, identifier: int) -> dict[str, Any]:
    """Return where REST has a resource and its collection."""
    root = f"{base_url}/wp-json/wc/v3/{collection}"
    allow = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return {
        "self": [{"href": f"{root}/{identifier}", "targetHints": {"allow": allow}}],
        "collection": [{"href": root}],
    }


def user_agent(woocommerce: str = VERSION, wordpress: str = WORDPRESS) -> str:
    """Return what webhooks of a site with these versions call themselves."""
    return f"WooCommerce/{woocommerce} Hookshot (WordPress/{wordpress})"


def webhook_headers(
    raw: bytes, *, agent: str, home: str, topic: str, webhook_id: int, secret: str, at: datetime
) -> dict[str, str]:
    """Return the headers of a delivery. Its id is the same for all of one second.

    Args:
        raw: the body.
        agent: as ``user_agent`` says.
        home: the site's address, with a trailing slash.
        topic: such as ``order.created``.
        webhook_id: of the webhook.
        secret: of the webhook.
        at: when it is sent.
    """
    resource, event = topic.split(".", 1)
    identity = f"{home}{webhook_id}{int(at.timestamp())}".encode()
    return {
        "User-Agent": agent,
        "Accept": "*/*",
        "Content-Type": "application/json",
        "X-WC-Webhook-Source": home,
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Resource": resource,
        "X-WC-Webhook-Event": event,
        "X-WC-Webhook-Signature": signature(raw, secret),
        "X-WC-Webhook-ID": str(webhook_id),
        "X-WC-Webhook-Delivery-ID": hashlib.md5(identity, usedforsecurity=False).hexdigest(),
    }
