"""The fields of Shopify's webhook bodies that Pannier reads, and their types.

Checked against Shopify's JSON Schemas of version 2026-07. Unknown fields are ignored: Shopify adds some
every quarter. A wrong type is an error, never a guess; the error names the field and never its value.
"""

from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, ClassVar, Final, TypeVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, missing, validate

from connectors.base import PayloadError, explain

_ID_LIMIT: Final = 2**63
_GLOBAL_ID_DIGITS: Final = 19
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
    """One of Shopify's numeric ids, as a string: they exceed what other languages keep exactly."""

    reason = "Not an id."

    def convert(self, value: Any) -> str:
        """Return the id as a string."""
        if type(value) is not int or not 0 < value < _ID_LIMIT:
            raise ValueError
        return str(value)


class GlobalId(_Value[str]):
    """The number at the end of ``gid://shopify/Order/1``, or "" where there is none.

    It is the trusted form of an object's own id: the plain number passes through JavaScript in some
    senders and comes out rounded.
    """

    reason = "Not a global id."

    def convert(self, value: Any) -> str:
        """Return the number as a string."""
        if type(value) is not str:
            raise TypeError
        tail = value.partition("?")[0].rpartition("/")[2]
        return tail if tail.isascii() and tail.isdigit() and len(tail) <= _GLOBAL_ID_DIGITS else ""


class Quantity(_Value[int]):
    """A whole number of pieces."""

    reason = "Not a whole number of pieces."

    def __init__(self, *, minimum: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._minimum = minimum

    def convert(self, value: Any) -> int:
        """Return the number."""
        if type(value) is not int or not self._minimum <= value < _QUANTITY_LIMIT:
            raise ValueError
        return value


class Amount(_Value[Decimal]):
    """An amount of money in major units, written as a string (in a few places as a number)."""

    reason = "Not an amount of money."

    def convert(self, value: Any) -> Decimal:
        """Return the amount."""
        if type(value) not in (str, int, float):
            raise TypeError
        amount = Decimal(str(value))
        if not -_AMOUNT_LIMIT < amount < _AMOUNT_LIMIT:
            raise ValueError
        return amount


class ShopMoney(Amount):
    """The amount in the shop's currency out of a ``*_set``, which also holds the shopper's currency."""

    def convert(self, value: Any) -> Decimal:
        """Return the amount in the shop's currency."""
        return super().convert(value["shop_money"]["amount"])


class Allocations(ShopMoney):
    """The sum of a line's ``discount_allocations``, each of which holds an ``amount_set``."""

    def convert(self, value: Any) -> Decimal:
        """Return the sum in the shop's currency."""
        if type(value) is not list:
            raise TypeError
        return sum((super(Allocations, self).convert(part["amount_set"]) for part in value), Decimal())


class Instant(_Value[datetime]):
    """A time with its offset, as UTC."""

    reason = "Not a time with an offset."

    def convert(self, value: Any) -> datetime:
        """Return the time."""
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)


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
    """32 bytes in hex, as ``redaction`` leaves them in the place of an e-mail address or a token."""

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


class _Body(Schema):
    """A JSON object of which only some fields matter."""

    class Meta:
        unknown = EXCLUDE


class _OrderLine(_Body):
    id = Identifier(required=True)
    admin_graphql_api_id = GlobalId(allow_none=True)
    product_id = Identifier(allow_none=True)
    variant_id = Identifier(allow_none=True)
    sales_line_item_group_id = Identifier(allow_none=True)
    quantity = Quantity(required=True)
    current_quantity = Quantity(allow_none=True)
    price_set = ShopMoney(required=True)
    total_discount_set = ShopMoney(allow_none=True)
    discount_allocations = Allocations(allow_none=True)
    gift_card = Flag(allow_none=True)


class _LineGroup(_Body):
    id = Identifier(required=True)
    product_id = Identifier(allow_none=True)
    variant_id = Identifier(allow_none=True)


class _OwnId(_Body):
    id = Identifier(required=True)
    admin_graphql_api_id = GlobalId(allow_none=True)


class _OrderCustomer(_OwnId):
    identity_hash = Digest(allow_none=True)


class _Order(_OwnId):
    created_at = Instant(required=True)
    updated_at = Instant(required=True)
    processed_at = Instant(allow_none=True)
    cancelled_at = Instant(allow_none=True)
    financial_status = Text(allow_none=True)
    fulfillment_status = Text(allow_none=True)
    source_name = Text(allow_none=True)
    test = Flag(allow_none=True)
    currency = fields.String(required=True, validate=validate.Regexp(r"[A-Z]{3}\Z"))
    total_price_set = ShopMoney(required=True)
    line_items = fields.Nested(_OrderLine, many=True, required=True)
    line_item_groups = fields.Nested(_LineGroup, many=True, allow_none=True)
    refunds = fields.Nested(_OwnId, many=True, allow_none=True)
    customer = fields.Nested(_OrderCustomer, allow_none=True)
    identity_hash = Digest(allow_none=True)
    cart_token_hash = Digest(allow_none=True)


class _RefundLine(_Body):
    line_item_id = Identifier(required=True)
    line_item = fields.Nested(_OwnId, allow_none=True)
    quantity = Quantity(required=True)


class _Refund(_OwnId):
    order_id = Identifier(required=True)
    created_at = Instant(required=True)
    processed_at = Instant(allow_none=True)
    refund_line_items = fields.Nested(_RefundLine, many=True, required=True)


class _LineDelta(_Body):
    id = Identifier(required=True)
    delta = Quantity(required=True)


class _LineDeltas(_Body):
    additions = fields.Nested(_LineDelta, many=True, required=True)
    removals = fields.Nested(_LineDelta, many=True, required=True)


class _OrderEdit(_Body):
    id = Identifier(required=True)
    order_id = Identifier(required=True)
    created_at = Instant(required=True)
    committed_at = Instant(allow_none=True)
    line_items = fields.Nested(_LineDeltas, required=True)


class _OrderEdited(_Body):
    order_edit = fields.Nested(_OrderEdit, required=True)


class _Variant(_OwnId):
    title = Text(allow_none=True)
    price = Amount(required=True)
    compare_at_price = Amount(allow_none=True)
    sku = Text(allow_none=True)
    position = Quantity(allow_none=True)
    image_id = Identifier(allow_none=True)
    inventory_item_id = Identifier(allow_none=True)
    inventory_quantity = Quantity(minimum=-_QUANTITY_LIMIT, allow_none=True)
    inventory_policy = Text(allow_none=True)
    # Left out since 2024-10 or so; where it is sent, null means that the shop does not count this variant.
    inventory_management = Text(allow_none=True)
    fulfillment_service = Text(allow_none=True)


class _Image(_Body):
    id = Identifier(required=True)
    src = Text(limit=2000, allow_none=True)


class _VariantId(_Body):
    admin_graphql_api_id = GlobalId(required=True)


class _Category(_Body):
    full_name = Text(allow_none=True)


class _Product(_OwnId):
    title = Text(required=True)
    handle = Text(allow_none=True)
    status = Text(required=True)
    vendor = Text(allow_none=True)
    product_type = Text(allow_none=True)
    tags = Text(limit=10_000, allow_none=True)
    category = fields.Nested(_Category, allow_none=True)
    published_at = Instant(allow_none=True)
    updated_at = Instant(required=True)
    image = fields.Nested(_Image, allow_none=True)
    images = fields.Nested(_Image, many=True, allow_none=True)
    variants = fields.Nested(_Variant, many=True, required=True)
    variant_gids = fields.Nested(_VariantId, many=True, allow_none=True)


class _InventoryLevel(_Body):
    inventory_item_id = Identifier(required=True)
    location_id = Identifier(required=True)
    available = Quantity(minimum=-_QUANTITY_LIMIT, required=True, allow_none=True)
    updated_at = Instant(required=True)


class _CartLine(_Body):
    product_id = Identifier(allow_none=True)
    variant_id = Identifier(allow_none=True)
    quantity = Quantity(required=True)
    price_set = ShopMoney(required=True)


class _Cart(_Body):
    cart_token_hash = Digest(required=True)
    updated_at = Instant(required=True)
    line_items = fields.Nested(_CartLine, many=True, required=True)


class _Customer(_OwnId):
    updated_at = Instant(allow_none=True)
    identity_hash = Digest(allow_none=True)


class _Shop(_Body):
    id = Identifier(required=True)
    myshopify_domain = fields.Raw(required=True, allow_none=True)


class _PrivacyCustomer(_Body):
    id = Identifier(allow_none=True)
    identity_hash = Digest(allow_none=True)


class _DataRequestId(_Body):
    id = Identifier(required=True)


class _ShopRedact(_Body):
    shop_id = Identifier(required=True)


class _DataRequest(_ShopRedact):
    customer = fields.Nested(_PrivacyCustomer, required=True)
    orders_requested = fields.List(Identifier(), allow_none=True)
    data_request = fields.Nested(_DataRequestId, required=True)


class _CustomerRedact(_ShopRedact):
    customer = fields.Nested(_PrivacyCustomer, required=True)
    orders_to_redact = fields.List(Identifier(), required=True, allow_none=True)


# Building a schema costs more than using it: one of each, for every thread (loading changes nothing in it).
ORDER: Final = _Order()
ORDER_EDITED: Final = _OrderEdited()
REFUND: Final = _Refund()
PRODUCT: Final = _Product()
INVENTORY_LEVEL: Final = _InventoryLevel()
CART: Final = _Cart()
CUSTOMER: Final = _Customer()
DELETED: Final = _OwnId()
SHOP: Final = _Shop()
DATA_REQUEST: Final = _DataRequest()
CUSTOMER_REDACT: Final = _CustomerRedact()
SHOP_REDACT: Final = _ShopRedact()


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
