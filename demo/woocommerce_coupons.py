"""Coupons in the carts of the WooCommerce-like shop: those of Pannier's plugin, and those that shoppers enter."""

from typing import Any

from demo import woocommerce_format
from demo.carts import Cart
from demo.orders import Applied
from demo.peers.woocommerce import WooState
from demo.peers.woocommerce.coupon_rules import CouponRefusedError, reckoned
from demo.peers.woocommerce.virtual_coupons import CartLine, granted


def in_cart(store: WooState, cart: Cart) -> tuple[Applied, ...]:
    """Return the coupons of a cart as it is now; entered ones that no longer fit it are taken out of it.

    The plugin's come first. A coupon for individual use suffers no others, theirs included.
    """
    if not store.site.coupons_enabled:
        return ()
    lines = cart_lines(cart)
    entered = [coupon for code in cart.coupons if (coupon := _find(store, code))]
    alone = [coupon for coupon in entered if coupon["individual_use"]]
    applied = [] if alone or store.plugin is None else _of_plugin(store, lines)
    for coupon in alone[-1:] or entered:
        try:
            applied.append(reckoned(coupon, lines, applied, store.site.stamp()))
        except CouponRefusedError:
            continue
    kept = {coupon.code for coupon in applied}
    cart.coupons = [code for code in cart.coupons if code in kept]
    return tuple(applied)


def enter(store: WooState, cart: Cart, code: str) -> None:
    """Put a coupon into a cart.

    Raises:
        CouponRefusedError: if there is none, or it cannot be used for this cart.
    """
    code = code.strip().lower()
    if not store.site.coupons_enabled:
        raise CouponRefusedError("Coupons are disabled.")
    if code in cart.coupons or any(coupon.code == code for coupon in in_cart(store, cart)):
        raise CouponRefusedError(f'Coupon code "{code}" already applied!')
    coupon = _find(store, code)
    if coupon is None:
        raise CouponRefusedError(f'Coupon "{code}" cannot be applied because it does not exist.')
    reckoned(coupon, cart_lines(cart), (), store.site.stamp())
    if coupon["individual_use"]:
        cart.coupons.clear()
    cart.coupons.append(code)


def cart_lines(cart: Cart) -> list[CartLine]:
    """Return the lines of a cart as discounts are reckoned on them."""
    return [
        CartLine(
            key,
            str(woocommerce_format.product_id(line.product)),
            None,
            line.quantity,
            line.product.price,
        )
        for key, line in cart.lines.items()
    ]


def _of_plugin(store: WooState, lines: list[CartLine]) -> list[Applied]:
    assert store.plugin is not None
    return granted(lines, store.plugin.offers(), store.site.currency, store.site.now())


def _find(store: WooState, code: str) -> dict[str, Any] | None:
    for row in store.records("coupon"):
        body = row.body
        if body["code"] == code and row.status == "publish":
            return body
    return None
