"""The cart that a shopper's browser reports, where the shop's platform sends none itself (WooCommerce).

A report comes from a page, so nobody vouches for it: it names products that the store has or it names nothing,
its prices are ours, and nothing of the caller is kept but the hash that stands for the cart.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from flask import Response, current_app, g
from marshmallow import Schema, fields, validate
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import OperationalError

from app.commerce import ingest
from app.commerce.access import STOREFRONT_DOC, allow_origin, for_storefront
from app.commerce.cart import Cart
from app.commerce.catalog import Product, Variant
from app.commerce.changes import CartChange, CartLineState, CommerceChange
from app.commerce.store import StoreAccess
from app.core.api import ApiBlueprint, json_response
from app.core.db import db, now
from app.core.errors import Unavailable
from app.core.fields import Shape, Strict, Truth, WholeNumber

blueprint = ApiBlueprint("carts", __name__, url_prefix="/v1", description="What is in a shopper's cart.")

# Returns those of a store's changes that may be written.
Admission = Callable[[Connection, int, Iterable[CommerceChange]], list[CommerceChange]]

_MAX_LINES: Final = 100
_MAX_QUANTITY: Final = 1_000_000
_ID: Final = Shape(r"^[0-9]{1,20}$", error="Not an id.")


class Consent(Truth):
    """The visitor's yes. A no, or anything that merely looks like a yes, is refused."""

    def __init__(self) -> None:
        super().__init__(
            required=True, validate=validate.OneOf([True], error="Without consent no cart is taken.")
        )


class CartReportLine(Strict):
    """One line of a cart, by the platform's own ids."""

    product_id = fields.String(
        required=True,
        validate=_ID,
        metadata={"description": "The product, or its variant where the shop names that alone."},
    )
    variant_id = fields.String(load_default=None, allow_none=True, validate=_ID)
    quantity = WholeNumber(required=True, validate=validate.Range(min=1, max=_MAX_QUANTITY))


class CartReport(Strict):
    """The whole state of a cart."""

    token = fields.String(
        required=True,
        validate=Shape(r"^[0-9a-f]{64}$", error="Not 64 hexadecimal digits."),
        metadata={"description": "SHA-256 of what the shop knows the cart by."},
    )
    consent = Consent()
    lines = fields.List(
        fields.Nested(CartReportLine), required=True, validate=validate.Length(max=_MAX_LINES)
    )


class Taken(Schema):
    """Nothing: what became of the report is not the page's business."""


@blueprint.route("/carts", methods=["POST"])
@for_storefront
@blueprint.doc(**STOREFRONT_DOC)
@blueprint.arguments(CartReport)
@blueprint.response(202, Taken)
def report_cart(report: dict[str, Any]) -> Response:
    """Take the state of a cart, with the visitor's consent only.

    Products that the store does not have are passed over. A cart without any is kept only where it empties one
    that is known.
    """
    access: StoreAccess = g.access
    token_hash = bytes.fromhex(report["token"])
    lines = _known(access.store_id, report["lines"])
    if lines or _is_known(access.store_id, token_hash):
        _apply(access.store_id, CartChange(token_hash, now(), access.currency, lines))
    response = json_response({}, 202)
    response.headers["Cache-Control"] = "private, no-store"
    return allow_origin(response)


def _known(store_id: int, lines: list[dict[str, Any]]) -> tuple[CartLineState, ...]:
    """Return the lines whose product the store has, at its own price.

    WooCommerce's cart names a variation by its own id and leaves the product out; no variation shares its id with a
    product (both are posts).
    """
    asked = {id_ for line in lines for id_ in (line["product_id"], line["variant_id"]) if id_}
    variants = {
        row.platform_id: row
        for row in db.session.execute(
            select(Variant.platform_id, Variant.price, Product.platform_id.label("product"))
            .join(Product, Product.id == Variant.product_id)
            .where(Variant.store_id == store_id, Variant.platform_id.in_(asked))
        )
    }
    products = db.session.execute(
        select(Product.platform_id, Product.price).where(
            Product.store_id == store_id, Product.platform_id.in_(asked)
        )
    )
    prices = {platform_id: price for platform_id, price in products if price is not None}
    known: list[CartLineState] = []
    for line in lines:
        variant = variants.get(line["variant_id"] or line["product_id"])
        if variant is not None:
            state = CartLineState(variant.product, variant.platform_id, line["quantity"], variant.price)
            known.append(state)
        elif line["product_id"] in prices:
            product_id = line["product_id"]
            known.append(CartLineState(product_id, None, line["quantity"], prices[product_id]))
    return tuple(known)


def _is_known(store_id: int, token_hash: bytes) -> bool:
    query = select(Cart.id).where(Cart.store_id == store_id, Cart.token_hash == token_hash)
    return db.session.scalar(query) is not None


def _apply(store_id: int, change: CartChange) -> None:
    """Write the cart.

    Raises:
        Unavailable: if a worker writes to the store just now. A report is worth less than a thread that waits:
            the same threads answer the storefront.
    """
    try:
        db.session.execute(text("SET LOCAL lock_timeout = '500ms'"))
        connection = db.session.connection()
        ingest.lock_commerce(connection, store_id)
        # Knows whose carts must not come back (app.privacy.suppression); privacy lies above this room.
        admitted: Admission = current_app.extensions["pannier_admission"]
        ingest.apply(connection, store_id, admitted(connection, store_id, [change]))
        db.session.commit()
    except OperationalError as error:
        if isinstance(error.orig, LockNotAvailable):
            raise Unavailable("The store is being written to. Try again in a few seconds.") from error
        raise
