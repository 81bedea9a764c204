"""Carts as a Shopify shop's webhooks show them."""

from datetime import UTC, datetime
from typing import Any

from demo.money import decimal
from demo.orders import CartNews, Line
from demo.shopify_format import line_key, platform_id, price_set


class CartBodies:
    """Builds the bodies of one shop's carts."""

    def __init__(self, currency: str, vendor: str) -> None:
        """Build them for the shop of this ISO 4217 currency and brand."""
        self._currency = currency
        self._vendor = vendor

    def cart(self, cart: CartNews) -> dict[str, Any]:
        """Return a cart as it is now."""
        return {
            "id": cart.token,
            "token": cart.token,
            "line_items": [self._line(line) for line in cart.lines],
            "note": None,
            "updated_at": _stamp(cart.at),
            "created_at": _stamp(cart.created_at),
        }

    def _line(self, line: Line) -> dict[str, Any]:
        product = line.product
        variant_id = platform_id("ProductVariant", product.number)
        price, total = decimal(product.price), decimal(line.total)
        return {
            "id": variant_id,
            "properties": dict(line.properties) or None,
            "quantity": line.quantity,
            "variant_id": variant_id,
            "key": line_key(line),
            "discounted_price": price,
            "discounts": [],
            "gift_card": False,
            "grams": 0,
            "line_price": total,
            "original_line_price": total,
            "original_price": price,
            "price": price,
            "product_id": platform_id("Product", product.number),
            "sku": product.code,
            "taxable": True,
            "title": product.name,
            "total_discount": "0.00",
            "vendor": self._vendor,
            "discounted_price_set": self._set(product.price),
            "line_price_set": self._set(line.total),
            "original_line_price_set": self._set(line.total),
            "price_set": self._set(product.price),
            "total_discount_set": self._set(0),
            "parent_relationship": None,
        }

    def _set(self, pence: int) -> dict[str, Any]:
        return price_set(pence, self._currency)


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
