"""Shopify's Ajax cart as a storefront's scripts see it: ``/cart.js`` and the four endpoints that change it.

Prices are integers in minor units. Errors are ``{status, message, description}``. A request that cannot
be met whole changes nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask import Blueprint, g, request, url_for
from flask.typing import ResponseReturnValue

from demo import shopify_format
from demo.carts import MOST_LINES, MOST_PIECES, Cart
from demo.catalogue import Listing
from demo.messages import signature
from demo.orders import Line, pieces_by_product
from demo.till import Till, current_till

blueprint = Blueprint("shopify_cart", __name__)


class CartError(Exception):
    """A refusal: HTTP status, message and description as Shopify words them."""

    def __init__(self, status: int, message: str, description: str) -> None:
        """Keep the three fields of the answer."""
        super().__init__(description)
        self.status = status
        self.message = message
        self.description = description


@blueprint.errorhandler(CartError)
def _refuse(error: CartError) -> ResponseReturnValue:
    return {"status": error.status, "message": error.message, "description": error.description}, error.status


@blueprint.get("/cart.js")
def read() -> ResponseReturnValue:
    """Answer with the cart."""
    return _cart_body(g.cart)


@blueprint.post("/cart/add.js")
def add() -> ResponseReturnValue:
    """Put one item or several (``items``) into the cart, all or none, and answer with the added lines."""
    body = _body()
    many = "items" in body
    wanted = body["items"] if many else [body]
    if not isinstance(wanted, list) or not wanted or not all(isinstance(item, dict) for item in wanted):
        raise CartError(400, "Bad Request", "Required parameter missing or invalid: items")
    till = current_till()
    with till.carts.lock:
        lines = [_wanted_line(till, item) for item in wanted]
        _check_stock(till, g.cart, lines)
        for line in lines:
            g.cart.add(line, shopify_format.line_key(line))
        added = [_line_body(g.cart.lines[shopify_format.line_key(line)]) for line in lines]
    till.cart_changed(g.cart)
    return {"items": added} if many else added[0]


@blueprint.post("/cart/change.js")
def change() -> ResponseReturnValue:
    """Set the quantity of one line, named by ``id`` (a variant's id or a line's key) or ``line`` from 1."""
    body = _body()
    till = current_till()
    with till.carts.lock:
        key = _key_of(g.cart, body)
        if key is None:
            raise CartError(400, "Bad Request", "no valid id or line parameter")
        quantity = _quantity(body.get("quantity", 1), least=0)
        stock = till.shelves[g.cart.lines[key].product.number].stock
        if quantity > stock:
            raise CartError(422, "Cart Error", f"You can only add {stock} of this item to the cart.")
        g.cart.set_quantity(key, quantity)
    till.cart_changed(g.cart)
    return _cart_body(g.cart)


@blueprint.post("/cart/update.js")
def update() -> ResponseReturnValue:
    """Set quantities by variant id or line key (``updates``) and answer with the cart."""
    updates = _body().get("updates", {})
    if not isinstance(updates, dict):
        raise CartError(400, "Bad Request", "Parameter invalid: updates")
    till = current_till()
    with till.carts.lock:
        for identifier, quantity in updates.items():
            key = _key_of(g.cart, {"id": identifier})
            if key is not None:
                stock = till.shelves[g.cart.lines[key].product.number].stock
                g.cart.set_quantity(key, min(_quantity(quantity, least=0), stock))
    till.cart_changed(g.cart)
    return _cart_body(g.cart)


@blueprint.post("/cart/clear.js")
def clear() -> ResponseReturnValue:
    """Empty the cart."""
    till = current_till()
    with till.carts.lock:
        had_lines = bool(g.cart.lines)
        g.cart.lines.clear()
    if had_lines:
        till.cart_changed(g.cart)
    return _cart_body(g.cart)


def _body() -> dict[str, Any]:
    """Return the request's JSON object, or its form fields."""
    body = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    if not isinstance(body, dict):
        raise CartError(400, "Bad Request", "The request body is not an object")
    return body


def _wanted_line(till: Till, item: dict[str, Any]) -> Line:
    if "id" not in item:
        raise CartError(400, "Bad Request", "Required parameter missing or invalid: items")
    listing = till.find(item["id"])
    if listing is None or listing.status != "active":
        raise CartError(404, "Cart Error", "Cannot find variant")
    properties = item.get("properties") or {}
    if not isinstance(properties, dict):
        raise CartError(400, "Bad Request", "Parameter invalid: properties")
    kept = tuple((str(name)[:100], str(value)[:200]) for name, value in list(properties.items())[:10])
    return Line(listing.product, _quantity(item.get("quantity", 1), least=1), kept)


def _quantity(value: Any, *, least: int) -> int:
    try:
        quantity = int(value)
    except (TypeError, ValueError):
        raise CartError(400, "Bad Request", "Parameter invalid: quantity") from None
    if not least <= quantity <= MOST_PIECES:
        raise CartError(422, "Cart Error", f"Quantity must be between {least} and {MOST_PIECES}")
    return quantity


def _check_stock(till: Till, cart: Cart, lines: list[Line]) -> None:
    for number, quantity in pieces_by_product(lines).items():
        listing = till.shelves[number]
        if not listing.buyable:
            raise CartError(422, "Cart Error", f"The product '{listing.product.name}' is already sold out.")
        if cart.pieces_of(number) + quantity > listing.stock:
            raise CartError(422, "Cart Error", _too_many(listing))
    if len(cart.lines) + len(lines) > MOST_LINES:
        raise CartError(422, "Cart Error", f"The cart holds at most {MOST_LINES} lines.")


def _too_many(listing: Listing) -> str:
    return f"You can only add {listing.stock} of '{listing.product.name}' to the cart."


def _key_of(cart: Cart, body: dict[str, Any]) -> str | None:
    keys = list(cart.lines)
    if "line" in body:
        try:
            return keys[int(body["line"]) - 1] if int(body["line"]) > 0 else None
        except (TypeError, ValueError, IndexError):
            return None
    wanted = str(body.get("id", ""))
    return next((key for key in keys if wanted and wanted in (key, key.split(":")[0])), None)


def _cart_body(cart: Cart) -> dict[str, Any]:
    coupons = current_till().coupons(cart)
    discount = sum(coupon.total for coupon in coupons)
    return {
        "token": f"{cart.token}?key={signature(cart.token.encode(), 'key')[:32]}",
        "note": None,
        "attributes": {},
        "original_total_price": cart.total,
        "total_price": cart.total - discount,
        "total_discount": discount,
        "total_weight": 0,
        "item_count": cart.count,
        "items": [
            _line_body(line, {c.title: c.amounts[key] for c in coupons if c.amounts.get(key)})
            for key, line in cart.lines.items()
        ],
        "requires_shipping": bool(cart.lines),
        "currency": current_till().shop.currency,
        "items_subtotal_price": cart.total - discount,
        "cart_level_discount_applications": [],
    }


def _line_body(line: Line, discounts: Mapping[str, int] = MappingProxyType({})) -> dict[str, Any]:
    """Return a line; ``discounts`` is what it gets of automatic discounts, by title."""
    product = line.product
    discount = sum(discounts.values())
    final = line.total - discount
    picture = url_for("picture", handle=product.handle)
    variant_id = shopify_format.platform_id("ProductVariant", product.number)
    return {
        "id": variant_id,
        "properties": dict(line.properties),
        "quantity": line.quantity,
        "variant_id": variant_id,
        "key": shopify_format.line_key(line),
        "title": product.name,
        "price": product.price,
        "original_price": product.price,
        "discounted_price": final // line.quantity,
        "line_price": final,
        "original_line_price": line.total,
        "total_discount": discount,
        "discounts": [{"amount": amount, "title": title} for title, amount in discounts.items()],
        "sku": product.code,
        "grams": 0,
        "vendor": current_till().shop.name,
        "taxable": True,
        "product_id": shopify_format.platform_id("Product", product.number),
        "product_has_only_default_variant": True,
        "gift_card": False,
        "final_price": final // line.quantity,
        "final_line_price": final,
        "url": f"{url_for('product', handle=product.handle)}?variant={variant_id}",
        "featured_image": {
            "aspect_ratio": 1.0,
            "alt": product.name,
            "height": 400,
            "url": picture,
            "width": 400,
        },
        "image": picture,
        "handle": product.handle,
        "requires_shipping": True,
        "product_type": product.category,
        "product_title": product.name,
        "product_description": product.name,
        "variant_title": None,
        "variant_options": ["Default Title"],
        "options_with_values": [{"name": "Title", "value": "Default Title"}],
        "line_level_discount_allocations": [
            {"amount": amount, "discount_application": {"type": "automatic", "title": title}}
            for title, amount in discounts.items()
        ],
        "line_level_total_discount": discount,
    }
