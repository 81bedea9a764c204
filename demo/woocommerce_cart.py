"""WooCommerce's Store API for the cart, as a storefront's scripts see it.

Writes need the ``Nonce`` that every answer's headers carry, together with the session's cookie. Prices are
strings in minor units. Errors are ``{code, message, data: {status}}``. Answers carry the Cart-Token, which names the
cart to scripts; as a way without cookies it is not offered.
"""

import hmac
import secrets
import time
from html import escape
from typing import Any

import jwt
from flask import Blueprint, Response, g, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from demo import woocommerce_coupons
from demo.carts import MOST_LINES, Cart
from demo.catalogue import Listing
from demo.courier import WooCommerceCourier
from demo.orders import Applied, Line, shipping_of
from demo.peers.woocommerce import WooState
from demo.peers.woocommerce.coupon_rules import CouponRefusedError
from demo.till import current_till
from demo.woocommerce_format import SYMBOLS, image_id, line_key, net, product_id

ROOT = "/wp-json/wc/store/v1"
MOST_REQUESTS = 25  # WordPress's limit of a batch

blueprint = Blueprint("woocommerce_cart", __name__)
_NONCE_KEY = secrets.token_bytes(32)


class StoreApiError(Exception):
    """A refusal: code, message and HTTP status as WooCommerce words them."""

    def __init__(self, code: str, message: str, status: int) -> None:
        """Keep the three fields of the answer."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    def body(self) -> dict[str, Any]:
        """Return the answer's body."""
        return {"code": self.code, "message": self.message, "data": {"status": self.status}}


@blueprint.errorhandler(StoreApiError)
def _refuse(error: StoreApiError) -> ResponseReturnValue:
    return error.body(), error.status


@blueprint.after_request
def _session_headers(response: Response) -> Response:
    cart: Cart | None = g.get("cart")
    if cart is not None:
        response.headers["Nonce"] = nonce(cart)
        response.headers["Nonce-Timestamp"] = str(int(time.time()))
        response.headers["User-ID"] = f"t_{cart.token[:30]}"
        response.headers["Cart-Token"] = _cart_token(cart)
        response.headers["Cart-Hash"] = _cart_hash(cart)
    return response


def nonce(cart: Cart) -> str:
    """Return the word that must come back in the header ``Nonce`` with every write of this session."""
    return hmac.new(_NONCE_KEY, cart.token.encode(), "sha256").hexdigest()[:10]


@blueprint.get(f"{ROOT}/cart")
def read() -> ResponseReturnValue:
    """Answer with the cart."""
    return _cart_body(g.cart)


@blueprint.post(f"{ROOT}/cart/<action>")
def write(action: str) -> ResponseReturnValue:
    """Do one of the actions of ``_act``, and answer with the cart."""
    body, status = _act(action, _json(), request.headers.get("Nonce"))
    return body, status


@blueprint.post(f"{ROOT}/batch")
def batch() -> ResponseReturnValue:
    """Do several writes, each with the nonce in its own headers; answer 207 with an answer for each."""
    wanted = _json().get("requests")
    if not isinstance(wanted, list) or not 1 <= len(wanted) <= MOST_REQUESTS:
        raise StoreApiError("rest_invalid_param", "Invalid parameter(s): requests", 400)
    responses = []
    for single in wanted:
        path = single.get("path") if isinstance(single, dict) else None
        if not isinstance(path, str) or "wc/store" not in path:
            raise StoreApiError("woocommerce_rest_invalid_path", "Invalid path provided.", 400)
        responses.append(_one_of_batch(path, single))
    return jsonify(responses=responses), 207


def _one_of_batch(path: str, single: dict[str, Any]) -> dict[str, Any]:
    raw_headers = single.get("headers")
    headers = {str(k).lower(): v for k, v in raw_headers.items()} if isinstance(raw_headers, dict) else {}
    content = single.get("body")
    try:
        prefix, _, action = path.split("?", maxsplit=1)[0].rpartition("/")
        if prefix != "/wc/store/v1/cart" or str(single.get("method", "POST")).upper() != "POST":
            raise _no_route()
        body, status = _act(action, content if isinstance(content, dict) else {}, headers.get("nonce"))
    except StoreApiError as error:
        body, status = error.body(), error.status
    return {"body": body, "status": status, "headers": {"Nonce": nonce(g.cart)}}


def _act(action: str, content: dict[str, Any], given: object) -> tuple[dict[str, Any], int]:
    """Check the nonce and do one write: add-item, update-item, remove-item, apply-coupon or remove-coupon.

    Raises:
        StoreApiError: if the nonce is missing or wrong, or the write cannot be done.
    """
    if not given:
        message = "Missing the Nonce header. This endpoint requires a valid nonce."
        raise StoreApiError("woocommerce_rest_missing_nonce", message, 401)
    if not hmac.compare_digest(str(given).encode(), nonce(g.cart).encode()):
        raise StoreApiError("woocommerce_rest_invalid_nonce", "Nonce is invalid.", 403)
    till = current_till()
    status = 200
    with till.carts.lock:
        if action == "add-item":
            _add(content)
            status = 201
        elif action == "update-item":
            _update(content)
        elif action == "remove-item":
            g.cart.set_quantity(_held_key(content), 0)
        elif action == "apply-coupon":
            _enter_coupon(content)
        elif action == "remove-coupon":
            _remove_coupon(content)
        else:
            raise _no_route()
        body = _cart_body(g.cart)
    till.cart_changed(g.cart)
    return body, status


def _add(content: dict[str, Any]) -> None:
    listing = current_till().find(content.get("id"))
    if listing is None or listing.status != "active":
        raise StoreApiError(
            "woocommerce_rest_cart_invalid_product", "This product cannot be added to the cart.", 400
        )
    name = escape(listing.product.name, quote=False)
    quantity = _quantity(content.get("quantity", 1))
    if not listing.buyable:
        message = f"You cannot add &quot;{name}&quot; to the cart because the product is out of stock."
        raise StoreApiError("woocommerce_rest_product_out_of_stock", message, 400)
    held = g.cart.pieces_of(listing.product.number)
    if held + quantity > listing.stock:
        message = (
            f"You cannot add that amount of &quot;{name}&quot; to the cart because there is not enough stock "
            f"({listing.stock} remaining)."
        )
        raise StoreApiError("woocommerce_rest_product_partially_out_of_stock", message, 400)
    if len(g.cart.lines) >= MOST_LINES:
        raise StoreApiError(
            "woocommerce_rest_cart_too_large", f"The cart holds at most {MOST_LINES} lines.", 400
        )
    line = Line(listing.product, quantity)
    g.cart.add(line, line_key(line))


def _update(content: dict[str, Any]) -> None:
    key = _held_key(content)
    quantity = _quantity(content.get("quantity"), least=0)
    listing = current_till().shelves[g.cart.lines[key].product.number]
    if quantity > listing.stock:
        message = f"The maximum quantity of this item is {listing.stock}."
        raise StoreApiError("woocommerce_rest_invalid_quantity", message, 400)
    g.cart.set_quantity(key, quantity)


def _enter_coupon(content: dict[str, Any]) -> None:
    try:
        woocommerce_coupons.enter(_store(), g.cart, str(content.get("code", "")))
    except CouponRefusedError as refusal:
        raise StoreApiError("woocommerce_rest_cart_coupon_error", str(refusal), 400) from None


def _remove_coupon(content: dict[str, Any]) -> None:
    code = str(content.get("code", "")).strip().lower()
    if code not in g.cart.coupons:
        raise StoreApiError(
            "woocommerce_rest_cart_coupon_invalid_code", "Coupon cannot be removed from cart.", 409
        )
    g.cart.coupons.remove(code)


def _store() -> WooState:
    courier = current_till().courier
    assert isinstance(courier, WooCommerceCourier)
    return courier.store


def _held_key(content: dict[str, Any]) -> str:
    key = str(content.get("key", ""))
    if key not in g.cart.lines:
        raise StoreApiError(
            "woocommerce_rest_cart_invalid_key", "Cart item no longer exists or is invalid.", 409
        )
    return key


def _quantity(value: object, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value).isdecimal():
        raise StoreApiError("rest_invalid_param", "Invalid parameter(s): quantity", 400)
    if not least <= int(value) <= 9999:
        raise StoreApiError("rest_invalid_param", "Invalid parameter(s): quantity", 400)
    return int(value)


def _json() -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise StoreApiError("rest_invalid_json", "Invalid JSON body passed.", 400)
    return body


def _no_route() -> StoreApiError:
    message = "No route was found matching the URL and request method."
    return StoreApiError("rest_no_route", message, 404)


def _cart_token(cart: Cart) -> str:
    """Return the token that names the session, signed as WooCommerce signs it and good for two days."""
    now = int(time.time())
    payload = {"user_id": f"t_{cart.token[:30]}", "exp": now + 172_800, "iss": "store-api", "iat": now}
    return jwt.encode(payload, _NONCE_KEY, algorithm="HS256")


def _cart_hash(cart: Cart) -> str:
    if not cart.lines:
        return ""
    held = ",".join(f"{key}:{line.quantity}" for key, line in cart.lines.items())
    return hmac.new(_NONCE_KEY, held.encode(), "sha256").hexdigest()[:32]


def _money() -> dict[str, Any]:
    symbol = SYMBOLS[current_till().shop.currency][0]
    return {
        "currency_code": current_till().shop.currency,
        "currency_symbol": symbol,
        "currency_minor_unit": 2,
        "currency_decimal_separator": ".",
        "currency_thousand_separator": ",",
        "currency_prefix": symbol,
        "currency_suffix": "",
    }


def _cart_body(cart: Cart) -> dict[str, Any]:
    lines = list(cart.lines.values())
    coupons = current_till().coupons(cart)
    off = {key: sum(coupon.amounts.get(key, 0) for coupon in coupons) for key in cart.lines}
    nets = sum(net(line.total) for line in lines)
    discount = sum(off.values())
    discount_net = nets - sum(net(line.total - off[key]) for key, line in cart.lines.items())
    shipping = shipping_of(cart.total) if cart.total else 0
    shipping_net = net(shipping)
    tax = cart.total - nets - (discount - discount_net) + shipping - shipping_net
    nobody = dict.fromkeys(
        (
            "first_name",
            "last_name",
            "company",
            "address_1",
            "address_2",
            "city",
            "state",
            "postcode",
            "country",
            "phone",
        ),
        "",
    )
    return {
        "items": [_item_body(line, off[key]) for key, line in cart.lines.items()],
        "coupons": [_coupon_body(coupon, cart) for coupon in coupons],
        "fees": [],
        "totals": {
            "total_items": str(nets),
            "total_items_tax": str(cart.total - nets),
            "total_fees": "0",
            "total_fees_tax": "0",
            "total_discount": str(discount_net),
            "total_discount_tax": str(discount - discount_net),
            "total_shipping": str(shipping_net),
            "total_shipping_tax": str(shipping - shipping_net),
            "total_price": str(cart.total - discount + shipping),
            "total_tax": str(tax),
            "tax_lines": [{"name": "VAT", "price": str(tax), "rate": "20%"}] if lines else [],
            **_money(),
        },
        "shipping_address": nobody,
        "billing_address": {**nobody, "email": ""},
        "needs_payment": bool(lines),
        "needs_shipping": bool(lines),
        "payment_requirements": ["products"],
        "has_calculated_shipping": False,
        "shipping_rates": [],
        "items_count": cart.count,
        "items_weight": 0,
        "cross_sells": [],
        "errors": [],
        "payment_methods": ["cod"],
        "extensions": {},
    }


def _coupon_body(coupon: Applied, cart: Cart) -> dict[str, Any]:
    gross = coupon.total
    taken = sum(
        net(cart.lines[key].total) - net(cart.lines[key].total - amount)
        for key, amount in coupon.amounts.items()
    )
    totals = {"total_discount": str(taken), "total_discount_tax": str(gross - taken), **_money()}
    return {"code": coupon.code, "discount_type": coupon.kind, "totals": totals}


def _item_body(line: Line, off: int) -> dict[str, Any]:
    product = line.product
    listing: Listing = current_till().shelves[product.number]
    was = product.compare_at_price or product.price
    line_net, left = net(line.total), line.total - off
    picture = url_for("picture", handle=product.handle, _external=True)
    return {
        "key": line_key(line),
        "id": product_id(product),
        "type": "simple",
        "quantity": line.quantity,
        "quantity_limits": {
            "minimum": 1,
            "maximum": max(1, listing.stock),
            "multiple_of": 1,
            "editable": True,
        },
        "name": escape(product.name, quote=False),
        "short_description": "",
        "description": "",
        "sku": product.code,
        "low_stock_remaining": None,
        "backorders_allowed": False,
        "show_backorder_badge": False,
        "sold_individually": False,
        "permalink": url_for("product", handle=product.handle, _external=True),
        "images": [
            {
                "id": image_id(product),
                "src": picture,
                "thumbnail": picture,
                "name": product.handle,
                "alt": "",
            }
        ],
        "variation": [],
        "item_data": [],
        "prices": {
            "price": str(product.price),
            "regular_price": str(was),
            "sale_price": str(product.price),
            "price_range": None,
            **_money(),
            "raw_prices": {
                "precision": 6,
                "price": str(product.price * 10_000),
                "regular_price": str(was * 10_000),
                "sale_price": str(product.price * 10_000),
            },
        },
        "totals": {
            "line_subtotal": str(line_net),
            "line_subtotal_tax": str(line.total - line_net),
            "line_total": str(net(left)),
            "line_total_tax": str(left - net(left)),
            **_money(),
        },
        "catalog_visibility": "visible" if listing.visible else "hidden",
        "extensions": {},
    }
