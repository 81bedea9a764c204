"""The ledger, the usual price and competitors' prices over HTTP."""

from datetime import UTC, datetime
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate

from app.core.fields import TEXT, VISIBLE, PageLimit, Shape, Strict, TimeCursor, row_id, whole
from app.pricing.competitors import LARGEST_PRICE, MOST_AT_ONCE, Price
from app.pricing.ledger import PANNIER, SHOP

_CURRENCY: Final = Shape(r"^[A-Z]{3}$", error="Not a currency of ISO 4217.")


class LedgerQuery(Schema):
    """Whose prices."""

    product_id = fields.String(required=True, validate=VISIBLE)
    variant_id = fields.String(validate=VISIBLE, metadata={"description": "Of this variant alone."})
    limit = PageLimit()
    cursor = TimeCursor(row_id)


class PeriodState(Schema):
    """A list price that was live."""

    variant_id = fields.String(
        required=True, metadata={"description": "Of a product without variants its own id."}
    )
    price = fields.Integer(required=True, metadata={"description": "Minor units."})
    compare_at_price = fields.Integer(
        required=True, allow_none=True, metadata={"description": "What the shop stated as the price before."}
    )
    currency = fields.String(required=True)
    from_at = fields.AwareDateTime(required=True)
    until_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "null while it is live."}
    )
    source = fields.String(
        required=True,
        validate=validate.OneOf([SHOP, PANNIER]),
        metadata={"description": "Who set it: the merchant's shop, or Pannier."},
    )
    change_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "By which change of Pannier's."}
    )
    reason = fields.String(required=True, metadata={"description": "In a sentence."})


class LedgerPage(Schema):
    """A product's prices, the newest first."""

    product_id = fields.String(required=True)
    periods = fields.List(fields.Nested(PeriodState), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class UsualQuery(Schema):
    """Which claim."""

    product_id = fields.String(required=True, validate=VISIBLE)
    was = fields.Integer(
        validate=validate.Range(min=1, max=LARGEST_PRICE),
        metadata={
            "description": "The was-price in question, in minor units; else what the shop states for each variant."
        },
    )


class UsualState(Schema):
    """What the ledger says of one variant."""

    variant_id = fields.String(required=True)
    price = fields.Integer(required=True, metadata={"description": "Now, in minor units."})
    currency = fields.String(required=True)
    usual_price = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "What could stand as the price before, if the price fell now."},
    )
    was = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The was-price in question; null for none."}
    )
    proven = fields.Boolean(
        required=True, metadata={"description": "Whether it may be shown beside the price now."}
    )
    proven_until = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "When the proof runs out, if nothing changes."},
    )
    proof = fields.List(
        fields.String(), required=True, metadata={"description": "What the verdict stands on, in sentences."}
    )


class UsualAnswer(Schema):
    """Whether a was-price can be proved, for each variant that can be bought now. No legal advice."""

    product_id = fields.String(required=True)
    checked_at = fields.AwareDateTime(required=True)
    variants = fields.List(fields.Nested(UsualState), required=True)


class CompetitorPriceFields(Strict):
    """What a competitor asks for a product."""

    product_id = fields.String(required=True, validate=VISIBLE)
    competitor = fields.String(required=True, validate=TEXT, metadata={"description": "Any name."})
    price = whole(1, LARGEST_PRICE, "Minor units.", required=True)
    currency = fields.String(required=True, validate=_CURRENCY)
    seen_at = fields.AwareDateTime(
        load_default=None,
        allow_none=True,
        default_timezone=UTC,
        metadata={"description": "When it was asked; now where it is not said."},
    )


class CompetitorPrices(Strict):
    """Prices elsewhere."""

    prices = fields.List(
        fields.Nested(CompetitorPriceFields),
        required=True,
        validate=validate.Length(min=1, max=MOST_AT_ONCE),
    )


class RefusedPrice(Schema):
    """A price that was not taken in."""

    index = fields.Integer(required=True, metadata={"description": "Its place in the list, from 0."})
    reason = fields.String(required=True)


class CompetitorsTaken(Schema):
    """What became of them."""

    accepted = fields.Integer(required=True)
    refused = fields.List(fields.Nested(RefusedPrice), required=True)


_ONE: Final = CompetitorPriceFields()


def competitor_price(entry: dict[str, Any], at: datetime) -> Price | str:
    """Return one price as the HTTP interface would take it, or why it would not, in a sentence."""
    try:
        found = _ONE.load(entry)
    except ValidationError as error:
        name, reasons = next(iter(error.messages_dict.items()))
        return f"{name}: {' '.join(reasons)}"
    return Price(**{**found, "seen_at": found["seen_at"] or at})
