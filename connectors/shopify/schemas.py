"""The fields of Shopify's webhook bodies that Pannier reads, and their types.

Checked against Shopify's JSON Schemas of version 2026-07. Unknown fields are ignored: Shopify adds some
every quarter. A wrong type is an error, never a guess; the error names the field and never its value.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from marshmallow import fields

from connectors.fields import (
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

_GLOBAL_ID_DIGITS: Final = 19


class GlobalId(Value[str]):
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


class Quantity(Value[int]):
    """A whole number of pieces."""

    reason = "Not a whole number of pieces."

    def __init__(self, *, minimum: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._minimum = minimum

    def convert(self, value: Any) -> int:
        """Return the number."""
        if type(value) is not int or not self._minimum <= value < QUANTITY_LIMIT:
            raise ValueError
        return value


class Amount(Value[Decimal]):
    """An amount of money in major units, written as a string (in a few places as a number)."""

    reason = "Not an amount of money."

    def convert(self, value: Any) -> Decimal:
        """Return the amount."""
        return amount_of(value)


class ShopMoney(Amount):
    """The amount in the shop's currency out of a ``*_set``, which also holds the shopper's currency."""

    def convert(self, value: Any) -> Decimal:
        """Return the amount in the shop's currency."""
        return super().convert(value["shop_money"]["amount"])


class Allocations(ShopMoney):
    """The sum of a line's ``discount_allocations``, each of which holds an ``amount_set``."""

    part: ClassVar[str] = "amount_set"

    def convert(self, value: Any) -> Decimal:
        """Return the sum in the shop's currency."""
        if type(value) is not list:
            raise TypeError
        return sum((super(Allocations, self).convert(part[self.part]) for part in value), Decimal())


class Taxes(Allocations):
    """The sum of a line's ``tax_lines``, each of which holds a ``price_set``."""

    part = "price_set"


class Instant(Value[datetime]):
    """A time with its offset, as UTC."""

    reason = "Not a time with an offset."

    def convert(self, value: Any) -> datetime:
        """Return the time."""
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)


class _OrderLine(Body):
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
    tax_lines = Taxes(allow_none=True)
    gift_card = Flag(allow_none=True)


class _LineGroup(Body):
    id = Identifier(required=True)
    product_id = Identifier(allow_none=True)
    variant_id = Identifier(allow_none=True)


class _OwnId(Body):
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
    currency = currency_code()
    total_price_set = ShopMoney(required=True)
    taxes_included = Flag(allow_none=True)
    line_items = fields.Nested(_OrderLine, many=True, required=True)
    line_item_groups = fields.Nested(_LineGroup, many=True, allow_none=True)
    refunds = fields.Nested(_OwnId, many=True, allow_none=True)
    customer = fields.Nested(_OrderCustomer, allow_none=True)
    guest_unnamed = Flag(allow_none=True)  # asked for by us, without e-mail addresses
    identity_hash = Digest(allow_none=True)
    cart_token_hash = Digest(allow_none=True)


class _RefundLine(Body):
    line_item_id = Identifier(required=True)
    line_item = fields.Nested(_OwnId, allow_none=True)
    quantity = Quantity(required=True)


class _Refund(_OwnId):
    order_id = Identifier(required=True)
    created_at = Instant(required=True)
    processed_at = Instant(allow_none=True)
    refund_line_items = fields.Nested(_RefundLine, many=True, required=True)


class _LineDelta(Body):
    id = Identifier(required=True)
    delta = Quantity(required=True)


class _LineDeltas(Body):
    additions = fields.Nested(_LineDelta, many=True, required=True)
    removals = fields.Nested(_LineDelta, many=True, required=True)


class _OrderEdit(Body):
    id = Identifier(required=True)
    order_id = Identifier(required=True)
    created_at = Instant(required=True)
    committed_at = Instant(allow_none=True)
    line_items = fields.Nested(_LineDeltas, required=True)


class _OrderEdited(Body):
    order_edit = fields.Nested(_OrderEdit, required=True)


class _Variant(_OwnId):
    title = Text(allow_none=True)
    price = Amount(required=True)
    compare_at_price = Amount(allow_none=True)
    unit_cost = Amount(allow_none=True)  # in no webhook: ``nodes`` adds it to what was asked for
    sku = Text(allow_none=True)
    position = Quantity(allow_none=True)
    image_id = Identifier(allow_none=True)
    inventory_item_id = Identifier(allow_none=True)
    inventory_quantity = Quantity(minimum=-QUANTITY_LIMIT, allow_none=True)
    inventory_policy = Text(allow_none=True)
    # Left out since 2024-10 or so; where it is sent, null means that the shop does not count this variant.
    inventory_management = Text(allow_none=True)
    fulfillment_service = Text(allow_none=True)


class _Image(Body):
    id = Identifier(required=True)
    src = Text(limit=2000, allow_none=True)


class _VariantId(Body):
    admin_graphql_api_id = GlobalId(required=True)


class _Category(Body):
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
    # No webhook has these two: ``nodes`` adds them to what was asked for.
    complementary_products = fields.List(GlobalId(), allow_none=True)
    related_products = fields.List(GlobalId(), allow_none=True)


class _InventoryLevel(Body):
    inventory_item_id = Identifier(required=True)
    location_id = Identifier(required=True)
    available = Quantity(minimum=-QUANTITY_LIMIT, required=True, allow_none=True)
    updated_at = Instant(required=True)


class _CartLine(Body):
    product_id = Identifier(allow_none=True)
    variant_id = Identifier(allow_none=True)
    quantity = Quantity(required=True)
    price_set = ShopMoney(required=True)


class _Cart(Body):
    cart_token_hash = Digest(required=True)
    updated_at = Instant(required=True)
    line_items = fields.Nested(_CartLine, many=True, required=True)


class _Customer(_OwnId):
    updated_at = Instant(allow_none=True)
    identity_hash = Digest(allow_none=True)


class _CustomerMerge(Body):
    admin_graphql_api_customer_kept_id = GlobalId(required=True)
    admin_graphql_api_customer_deleted_id = GlobalId(required=True)
    status = Text(required=True)


class _Shop(Body):
    id = Identifier(required=True)
    myshopify_domain = fields.Raw(required=True, allow_none=True)


class _PrivacyCustomer(Body):
    id = Identifier(allow_none=True)
    identity_hash = Digest(allow_none=True)


class _DataRequestId(Body):
    id = Identifier(required=True)


class _ShopRedact(Body):
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
CUSTOMER_MERGE: Final = _CustomerMerge()
DELETED: Final = _OwnId()
SHOP: Final = _Shop()
DATA_REQUEST: Final = _DataRequest()
CUSTOMER_REDACT: Final = _CustomerRedact()
SHOP_REDACT: Final = _ShopRedact()
