"""Quotes over HTTP."""

from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.core.fields import VISIBLE, Shape, Strict, Truth, number, whole
from app.pricing.quotes import LARGEST_PRICE, Refusal
from app.pricing.quoting import Bound, Void

_VARIANT: Final = Shape(r"^[A-Za-z0-9_-]{1,40}$", error="Not 1 to 40 letters, digits, _ and -.")
_TEXT: Final = Shape(r"^[^\x00-\x1f\x7f]{1,200}$", error="Not 1 to 200 characters of text.")
_MOST_MINUTES: Final = 15
_LONGEST_TOKEN: Final = 2_000
# What a schema cannot say.
ONE_PRICE: Final = "Give a price or a discount_percent, and not both."


class QuoteRequest(Strict):
    """A price to sign: ``price`` or ``discount_percent``."""

    product_id = fields.String(required=True, validate=VISIBLE)
    variant_id = fields.String(
        required=True,
        validate=_VARIANT,
        metadata={"description": "Of a product without variants its own id (WooCommerce)."},
    )
    customer_id = fields.String(
        load_default=None,
        allow_none=True,
        validate=VISIBLE,
        metadata={
            "description": "The platform's customer id: the quote counts for nobody else. Without it, for anybody."
        },
    )
    price = whole(1, LARGEST_PRICE, "Of one piece, in minor units of the store's currency.")
    discount_percent = number(0, 100, "Off the list price; rounded to two decimals.")
    minutes = whole(
        1,
        _MOST_MINUTES,
        "How long it is to count at least: up to the next full five minutes, never over 15.",
        load_default=10,
    )
    reason = fields.String(
        required=True, validate=_TEXT, metadata={"description": "Why, for the merchant's own record."}
    )

    @validates_schema(skip_on_field_errors=True)
    def _one_price(self, data: dict[str, Any], **_: Any) -> None:
        if ("price" in data) == ("discount_percent" in data):
            raise ValidationError({"price": [ONE_PRICE]})


class QuoteState(Schema):
    """A signed price."""

    quote = fields.String(required=True, metadata={"description": "What the cart line carries."})
    product_id = fields.String(required=True)
    variant_id = fields.String(required=True)
    price = fields.Integer(required=True, metadata={"description": "Of one piece, in minor units."})
    list_price = fields.Integer(required=True, metadata={"description": "When the quote was made."})
    currency = fields.String(required=True)
    expires_at = fields.AwareDateTime(
        required=True, metadata={"description": "From then on it does not count."}
    )
    bound = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf([*Bound, None]),
        metadata={"description": "What kept the price from being the one that was asked for."},
    )
    again = fields.Boolean(
        required=True,
        metadata={
            "description": "Whether it is the customer's earlier quote, which still counts, at its own price."
        },
    )


class QuoteCheck(Strict):
    """A quote that came with a cart line."""

    quote = fields.String(required=True, validate=validate.Length(max=_LONGEST_TOKEN))
    variant_id = fields.String(
        required=True, validate=VISIBLE, metadata={"description": "Of the line that carries it."}
    )
    customer_id = fields.String(
        load_default=None, allow_none=True, validate=VISIBLE, metadata={"description": "Who is buying."}
    )
    redeem = Truth(
        load_default=True,
        metadata={"description": "Whether it is used now. It counts once."},
    )


class QuoteVerdict(Schema):
    """Whether a quote counts."""

    valid = fields.Boolean(required=True)
    reason = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf([*Refusal, *Void, None]),
        metadata={"description": "Why it does not count; then the list price is what is paid."},
    )
    product_id = fields.String(required=True, allow_none=True)
    variant_id = fields.String(required=True, allow_none=True)
    price = fields.Integer(required=True, allow_none=True)
    list_price = fields.Integer(required=True, allow_none=True)
    currency = fields.String(required=True, allow_none=True)
    expires_at = fields.AwareDateTime(required=True, allow_none=True)
    redeemed_at = fields.AwareDateTime(required=True, allow_none=True)
