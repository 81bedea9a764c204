"""Discounts in the carts of the Shopify-like shop: what the stand-in's checkout gives, its function included."""

from typing import Final

from demo import shopify_format
from demo.carts import Cart
from demo.orders import Applied
from demo.peers.shopify.checkout import CartLine, Checkout
from demo.peers.shopify.function import DiscountFunction
from demo.peers.shopify.state import Shop

# A discount without a code.
AUTOMATIC: Final = "automatic"


class Discounts:
    """The checkout of one shop. The function's code runs in a process that is started with the first cart."""

    def __init__(self, shop: Shop) -> None:
        """Reckon carts of ``shop``."""
        self._shop = shop
        self._function: DiscountFunction | None = None

    def in_cart(self, cart: Cart) -> tuple[Applied, ...]:
        """Return what a cart gets, discount by discount."""
        if not self._shop.discounts.all() or not cart.lines:
            return ()
        if self._function is None:
            self._function = DiscountFunction()
        lines = [
            CartLine(
                shopify_format.platform_id("ProductVariant", line.product.number),
                line.quantity,
                dict(line.properties),
            )
            for line in cart.lines.values()
        ]
        keys = list(cart.lines)
        found: dict[str, dict[str, int]] = {}
        for each in Checkout(self._shop, self._function).discounts(lines):
            amounts = found.setdefault(each.title, {})
            amounts[keys[each.line]] = amounts.get(keys[each.line], 0) + each.amount
        return tuple(Applied(title, AUTOMATIC, 0, title, amounts) for title, amounts in found.items())

    def close(self) -> None:
        """End the function's process."""
        if self._function is not None:
            self._function.close()
            self._function = None
