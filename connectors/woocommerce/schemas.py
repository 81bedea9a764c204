"""The fields of WooCommerce's webhook bodies that Pannier reads, and their types.

The bodies are those of the REST API, version 3. Unknown fields are ignored: plug-ins add their own. A
wrong type is an error, never a guess; the error names the field and never its value.
"""

import math
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, ClassVar, Final, TypeVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, missing, validate

from connectors.base import PayloadError, explain
from connectors.woocommerce.redaction import BUNDLE_MARKS

_ID_LIMIT: Final = 2**63
_QUANTITY_LIMIT: Final = 2**31
# Leaves room for three more digits in a 63-bit number of minor units.
_AMOUNT_LIMIT: Final = Decimal(10**15)

T = TypeVar("T")


class _Value(fields.Field[T]):
    """One JSON value. ``convert`` returns it or raises whatever comes of a wrong one.

    There are no validators and hooks: not looking for them saves a third of the time that an order of
    twenty lines takes to load.
    """

    reason: ClassVar[str]

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """Return ``value`` converted; missing values and null are left to marshmallow."""
        if value is None or value is missing:
            return super().deserialize(value, attr, data, **kwargs)
        try:
            return self.convert(value)
        except (TypeError, ValueError, LookupError, ArithmeticError):
            raise ValidationError(self.reason) from None

    def convert(self, value: Any) -> T:
        """Return a JSON ``value`` other than null as what it means."""
        raise NotImplementedError


class Identifier(_Value[str]):
    """An id of WordPress, as a string."""

    reason = "Not an id."

    def convert(self, value: Any) -> str:
        """Return the id as a string."""
        if type(value) is not int or not 0 < value < _ID_LIMIT:
            raise ValueError
        return str(value)


class Reference(_Value[str | None]):
    """The id of something else, None for 0: WooCommerce's way to say "no customer" or "product gone"."""

    reason = "Not an id or 0."

    def convert(self, value: Any) -> str | None:
        """Return the id as a string, or None."""
        if type(value) is not int or not 0 <= value < _ID_LIMIT:
            raise ValueError
        return str(value) if value else None


class Quantity(_Value[int]):
    """A number of pieces. Plug-ins sell fractions: half a metre is one piece of a basket."""

    reason = "Not a number of pieces."

    def convert(self, value: Any) -> int:
        """Return the number, rounded up."""
        if type(value) not in (int, float) or not 0 <= value < _QUANTITY_LIMIT:
            raise ValueError
        pieces: int = math.ceil(value)
        return pieces


class Stock(_Value[int]):
    """How many whole pieces are left; below zero on back-order."""

    reason = "Not a number of pieces."

    def convert(self, value: Any) -> int:
        """Return the number, rounded down."""
        if type(value) not in (int, float) or not abs(value) < _QUANTITY_LIMIT:
            raise ValueError
        pieces: int = math.floor(value)
        return pieces


class Amount(_Value[Decimal | None]):
    """An amount of money in major units, written as a string. None for "": no price."""

    reason = "Not an amount of money."

    def convert(self, value: Any) -> Decimal | None:
        """Return the amount, or None."""
        if value == "":
            return None
        if type(value) not in (str, int, float):
            raise TypeError
        amount = Decimal(str(value))
        if not -_AMOUNT_LIMIT < amount < _AMOUNT_LIMIT:
            raise ValueError
        return amount


class Instant(_Value[datetime]):
    """A time of a ``*_gmt`` field: UTC that does not say so."""

    reason = "Not a time."

    def convert(self, value: Any) -> datetime:
        """Return the time."""
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class Text(_Value[str]):
    """A text without NUL, which PostgreSQL cannot hold, cut to ``limit`` characters."""

    reason = "Not a text."

    def __init__(self, *, limit: int = 255, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._limit = limit

    def convert(self, value: Any) -> str:
        """Return the text, cut."""
        if type(value) is not str:
            raise TypeError
        return value.replace("\x00", "")[: self._limit]


class Digest(_Value[bytes]):
    """32 bytes in hex, as ``redaction`` leaves them in the place of an e-mail address."""

    reason = "Not a digest."

    def convert(self, value: Any) -> bytes:
        """Return the 32 bytes."""
        digest = bytes.fromhex(value)
        if len(digest) != sha256().digest_size:
            raise ValueError
        return digest


class Flag(_Value[bool]):
    """A JSON boolean and nothing that merely looks like one."""

    reason = "Not true or false."

    def convert(self, value: Any) -> bool:
        """Return the boolean."""
        if type(value) is not bool:
            raise TypeError
        return value


class ManageStock(_Value[bool]):
    """Whether the product's own stock is counted; a variation says "parent" where the product's is."""

    reason = 'Not true, false or "parent".'

    def convert(self, value: Any) -> bool:
        """Return whether the stock is this product's own."""
        if type(value) is not bool and value != "parent":
            raise ValueError
        return value is True


class BundleMark(_Value[bool]):
    """Whether ``meta_data`` says that the line is a part of another line's bundle."""

    reason = "Not a list of meta data."

    def convert(self, value: Any) -> bool:
        """Return whether one of the marks is there."""
        if type(value) is not list:
            raise TypeError
        return any(meta["key"] in BUNDLE_MARKS for meta in value)


class _Body(Schema):
    """A JSON object of which only some fields matter."""

    class Meta:
        unknown = EXCLUDE


class _OrderLine(_Body):
    id = Identifier(required=True)
    product_id = Reference(allow_none=True)
    variation_id = Reference(allow_none=True)
    quantity = Quantity(required=True)
    subtotal = Amount(required=True)
    subtotal_tax = Amount(allow_none=True)
    total = Amount(required=True)
    total_tax = Amount(allow_none=True)
    in_bundle = BundleMark(data_key="meta_data", allow_none=True)


class _Refund(_Body):
    id = Identifier(required=True)


class _Order(_Body):
    id = Identifier(required=True)
    status = Text(required=True)
    currency = fields.String(required=True, validate=validate.Regexp(r"[A-Z]{3}\Z"))
    prices_include_tax = Flag(required=True)
    date_created_gmt = Instant(allow_none=True)
    date_modified_gmt = Instant(allow_none=True)
    date_paid_gmt = Instant(allow_none=True)
    total = Amount(required=True)
    customer_id = Reference(allow_none=True)
    created_via = Text(allow_none=True)
    line_items = fields.Nested(_OrderLine, many=True, required=True)
    refunds = fields.Nested(_Refund, many=True, allow_none=True)
    identity_hash = Digest(allow_none=True)
    erased = Flag(allow_none=True)


class _Term(_Body):
    name = Text(required=True)
    slug = Text(allow_none=True)


class _Image(_Body):
    src = Text(limit=2000, allow_none=True)


class _Attribute(_Body):
    option = Text(allow_none=True)


class _Product(_Body):
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


class _Customer(_Body):
    id = Identifier(required=True)
    role = Text(required=True)
    date_created_gmt = Instant(allow_none=True)
    date_modified_gmt = Instant(allow_none=True)
    identity_hash = Digest(allow_none=True)


class _Deleted(_Body):
    id = Identifier(required=True)


# Building a schema costs more than using it: one of each, for every thread (loading changes nothing in it).
ORDER: Final = _Order()
PRODUCT: Final = _Product()
CUSTOMER: Final = _Customer()
DELETED: Final = _Deleted()


def read(schema: Schema, body: Any) -> dict[str, Any]:
    """Return the fields of ``body`` that ``schema`` knows, converted.

    Raises:
        PayloadError: naming the fields that are missing or of a wrong type.
    """
    try:
        data: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        raise PayloadError(explain(error.messages)) from None
    return data
