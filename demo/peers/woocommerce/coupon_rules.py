"""What a coupon of the shop's own takes off a cart. Pure.

Rules: WooCommerce 10.5.0, includes/class-wc-discounts.php. ``product_ids`` are any of them, never all. A ``fixed_cart``
coupon takes from every line of the cart, once one of its products is there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from demo.orders import Applied
from demo.peers.woocommerce.virtual_coupons import CartLine


class CouponRefusedError(Exception):
    """A coupon cannot be used. One sentence, as shoppers read it."""


@dataclass(slots=True)
class _Item:
    """A line while a coupon is reckoned; ``left`` is what it still costs, ``off`` what this coupon took."""

    line: CartLine
    left: int
    off: int = 0

    @property
    def whole(self) -> int:
        return self.line.price * self.line.quantity

    def take(self, amount: int) -> int:
        taken = min(amount, self.left)
        self.left -= taken
        self.off += taken
        return taken


def reckoned(
    coupon: Mapping[str, Any], lines: Sequence[CartLine], before: Sequence[Applied], now: str, digits: int = 2
) -> Applied:
    """Return what a coupon takes off.

    Args:
        coupon: as REST shows it.
        lines: the cart.
        before: the coupons that came before it.
        now: the present in UTC, as ``date_expires_gmt`` writes it.
        digits: decimals of the currency.

    Raises:
        CouponRefusedError: if it has ended, is used up, or is for none of the products.
    """
    _check(coupon, lines, now)
    items = [
        _Item(line, line.price * line.quantity - sum(other.amounts.get(line.key, 0) for other in before))
        for line in lines
    ]
    # Dearest line first, as the limit of pieces is used up in that order.
    items.sort(key=lambda item: -item.whole)
    kind, amount = coupon["discount_type"], Decimal(str(coupon["amount"]))
    fitting = [
        item for item in items if item.left > 0 and (kind == "fixed_cart" or _is_for(coupon, item.line))
    ]
    minor = int((amount * 10**digits).to_integral_value(ROUND_HALF_UP))
    if kind == "percent":
        _percent(fitting, amount, coupon["limit_usage_to_x_items"])
    elif kind == "fixed_cart":
        _fixed_cart(fitting, minor)
    else:
        _fixed_product(fitting, minor, coupon["limit_usage_to_x_items"])
    amounts = {item.line.key: item.off for item in items if item.off}
    return Applied(coupon["code"], kind, float(amount), coupon["description"] or coupon["code"], amounts)


def _check(coupon: Mapping[str, Any], lines: Sequence[CartLine], now: str) -> None:
    code = coupon["code"]
    if coupon["usage_limit"] and coupon["usage_count"] >= coupon["usage_limit"]:
        raise CouponRefusedError(f'Usage limit for coupon "{code}" has been reached.')
    if coupon["date_expires_gmt"] and coupon["date_expires_gmt"] < now:
        raise CouponRefusedError(f'Coupon "{code}" has expired.')
    if coupon["product_ids"] and not any(_is_for(coupon, line) for line in lines):
        raise CouponRefusedError(f'Sorry, coupon "{code}" is not applicable to the products in your cart.')


def _is_for(coupon: Mapping[str, Any], line: CartLine) -> bool:
    wanted = {str(identifier) for identifier in coupon["product_ids"]}
    return not wanted or line.product_id in wanted or line.variation_id in wanted


def _percent(items: Sequence[_Item], percent: Decimal, most: int | None) -> None:
    counted, total, given = 0, Decimal(), 0
    for item in items:
        pieces = item.line.quantity if most is None else max(0, min(item.line.quantity, most - counted))
        counted += pieces
        price = Decimal(item.line.price * pieces)
        total += price
        given += item.take(int(price * percent / 100))
    whole = int((total * percent / 100).to_integral_value(ROUND_HALF_UP))
    if given < whole:
        _remainder(items, whole - given)


def _fixed_product(items: Sequence[_Item], amount: int, most: int | None) -> int:
    counted = given = 0
    for item in items:
        pieces = item.line.quantity if most is None else max(0, min(item.line.quantity, most - counted))
        counted += pieces
        given += item.take(min(amount, item.line.price) * pieces)
    return given


def _fixed_cart(items: Sequence[_Item], amount: int) -> None:
    items = [item for item in items if item.left > 0]
    pieces = sum(item.line.quantity for item in items)
    each = amount // pieces if pieces else 0
    if each:
        given = _fixed_product(items, each, None)
        if 0 < given < amount:
            _fixed_cart(items, amount - given)
    elif pieces and amount > 0:
        _remainder(items, amount)


def _remainder(items: Sequence[_Item], amount: int) -> None:
    for item in items:
        for _ in range(item.line.quantity):
            if amount <= 0:
                return
            amount -= item.take(1)
