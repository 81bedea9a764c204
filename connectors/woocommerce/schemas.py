"""The fields of WooCommerce's webhook bodies that Pannier reads, and their types.

The bodies are those of the REST API, version 3. Unknown fields are ignored: plug-ins add their own. A
wrong type is an error, never a guess; the error names the field and never its value.
"""

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from marshmallow import fields

from connectors.fields import (
    ID_LIMIT,
    QUANTITY_LIMIT,
    Body,
    Digest,
    Flag,
    Identifier,
    Text,
    Value,
    amount_of,
    currency_code,
)
from connectors.woocommerce.redaction import BUNDLE_MARKS, CART_MARK


class Reference(Value[str | None]):
    """The id of something else, None for 0: WooCommerce's way to say "no customer" or "product gone"."""

    reason = "Not an id or 0."

    def convert(self, value: Any) -> str | None:
        """Return the id as a string, or None."""
        if type(value) is not int or not 0 <= value < ID_LIMIT:
            raise ValueError
        return str(value) if value else None


class Quantity(Value[int]):
    """A number of pieces. Plug-ins sell fractions: half a metre is one piece of a basket."""

    reason = "Not a number of pieces."

    def convert(self, value: Any) -> int:
        """Return the number, rounded up."""
        if type(value) not in (int, float) or not 0 <= value < QUANTITY_LIMIT:
            raise ValueError
        pieces: int = math.ceil(value)
        return pieces


class Returned(Value[int]):
    """A number of pieces that a refund took back, written below zero. A fraction is a piece begun."""

    reason = "Not a number of pieces."

    def convert(self, value: Any) -> int:
        """Return how many, rounded up."""
        if type(value) not in (int, float) or not -QUANTITY_LIMIT < value <= 0:
            raise ValueError
        pieces: int = math.ceil(-value)
        return pieces


class Stock(Value[int]):
    """How many whole pieces are left; below zero on back-order."""

    reason = "Not a number of pieces."

    def convert(self, value: Any) -> int:
        """Return the number, rounded down."""
        if type(value) not in (int, float) or not abs(value) < QUANTITY_LIMIT:
            raise ValueError
        pieces: int = math.floor(value)
        return pieces


class Amount(Value[Decimal | None]):
    """An amount of money in major units, written as a string. None for "": no price."""

    reason = "Not an amount of money."

    def convert(self, value: Any) -> Decimal | None:
        """Return the amount, or None."""
        return None if value == "" else amount_of(value)


class Instant(Value[datetime]):
    """A time of a ``*_gmt`` field: UTC that does not say so."""

    reason = "Not a time."

    def convert(self, value: Any) -> datetime:
        """Return the time."""
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class ManageStock(Value[bool]):
    """Whether the product's own stock is counted; a variation says "parent" where the product's is."""

    reason = 'Not true, false or "parent".'

    def convert(self, value: Any) -> bool:
        """Return whether the stock is this product's own."""
        if type(value) is not bool and value != "parent":
            raise ValueError
        return value is True


class BundleMark(Value[bool]):
    """Whether ``meta_data`` says that the line is a part of another line's bundle."""

    reason = "Not a list of meta data."

    def convert(self, value: Any) -> bool:
        """Return whether one of the marks is there."""
        if type(value) is not list:
            raise TypeError
        return any(meta["key"] in BUNDLE_MARKS for meta in value)


class CartMark(Value[bytes | None]):
    """The hash of the cart in ``meta_data``, None where the order has none."""

    reason = "Not a list of meta data."

    def convert(self, value: Any) -> bytes | None:
        """Return the 32 bytes; ``redaction`` let nothing else through."""
        if type(value) is not list:
            raise TypeError
        return next((bytes.fromhex(meta["value"]) for meta in value if meta["key"] == CART_MARK), None)


class _OrderLine(Body):
    id = Identifier(required=True)
    product_id = Reference(allow_none=True)
    variation_id = Reference(allow_none=True)
    quantity = Quantity(required=True)
    subtotal = Amount(required=True)
    subtotal_tax = Amount(allow_none=True)
    total = Amount(required=True)
    total_tax = Amount(allow_none=True)
    in_bundle = BundleMark(data_key="meta_data", allow_none=True)


class _RefundLine(Body):
    refunded_item_id = Identifier(required=True)
    quantity = Returned(required=True)


class _Refund(Body):
    id = Identifier(required=True)
    # Not in what WooCommerce sends: ``source`` puts them there.
    line_items = fields.Nested(_RefundLine, many=True, allow_none=True)


class _Order(Body):
    id = Identifier(required=True)
    status = Text(required=True)
    currency = currency_code()
    prices_include_tax = Flag(required=True)
    date_created_gmt = Instant(allow_none=True)
    date_modified_gmt = Instant(allow_none=True)
    date_paid_gmt = Instant(allow_none=True)
    total = Amount(required=True)
    customer_id = Reference(allow_none=True)
    created_via = Text(allow_none=True)
    line_items = fields.Nested(_OrderLine, many=True, required=True)
    refunds = fields.Nested(_Refund, many=True, allow_none=True)
    cart_token_hash = CartMark(data_key="meta_data", allow_none=True)
    identity_hash = Digest(allow_none=True)
    erased = Flag(allow_none=True)


class _Term(Body):
    name = Text(required=True)
    slug = Text(allow_none=True)


class _Image(Body):
    src = Text(limit=2000, allow_none=True)


class _Attribute(Body):
    option = Text(allow_none=True)


class _Cost(Body):
    # A number; 0 where the merchant has entered none.
    total_value = Amount(allow_none=True)


class _Product(Body):
    id = Identifier(required=True)
    parent_id = Reference(allow_none=True)
    type = Text(required=True)
    name = Text(required=True)
    status = Text(required=True)
    permalink = Text(limit=2000, allow_none=True)
    date_created_gmt = Instant(allow_none=True)
    date_modified_gmt = Instant(allow_none=True)
    catalog_visibility = Text(allow_none=True)
    password_protected = Flag(allow_none=True)
    sku = Text(allow_none=True)
    price = Amount(required=True, allow_none=True)
    regular_price = Amount(allow_none=True)
    on_sale = Flag(allow_none=True)
    # There where the shop has switched on that it keeps costs.
    cost_of_goods_sold = fields.Nested(_Cost, allow_none=True)
    purchasable = Flag(required=True)
    manage_stock = ManageStock(required=True)
    stock_quantity = Stock(allow_none=True)
    stock_status = Text(required=True)
    backorders_allowed = Flag(allow_none=True)
    menu_order = fields.Integer(strict=True, allow_none=True)
    categories = fields.Nested(_Term, many=True, allow_none=True)
    brands = fields.Nested(_Term, many=True, allow_none=True)
    tags = fields.Nested(_Term, many=True, allow_none=True)
    images = fields.Nested(_Image, many=True, allow_none=True)
    attributes = fields.Nested(_Attribute, many=True, allow_none=True)
    variations = fields.List(Identifier(), allow_none=True)
    cross_sell_ids = fields.List(Identifier(), allow_none=True)
    upsell_ids = fields.List(Identifier(), allow_none=True)


class _Customer(Body):
    id = Identifier(required=True)
    role = Text(required=True)
    date_created_gmt = Instant(allow_none=True)
    date_modified_gmt = Instant(allow_none=True)
    identity_hash = Digest(allow_none=True)


class _Deleted(Body):
    id = Identifier(required=True)


# Building a schema costs more than using it: one of each, for every thread (loading changes nothing in it).
ORDER: Final = _Order()
PRODUCT: Final = _Product()
CUSTOMER: Final = _Customer()
DELETED: Final = _Deleted()
