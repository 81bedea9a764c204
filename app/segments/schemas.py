"""What a definition of a segment may be. Every error names its path, such as ``definition.all.1.at_least``."""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate, validates, validates_schema

from app.core.conditions import ONE_KIND, TOO_DEEP, TOO_MANY, Whole, combinators, options_of, refuse
from app.core.fields import (
    TEXT,
    Cursor,
    PageLimit,
    ProductIdOrNumber,
    Shape,
    Strict,
    WholeNumber,
    list_of,
    whole,
)
from app.segments.conditions import CHANNELS, FACTS
from app.segments.facts import CART_STATES
from app.segments.named import NAMED
from app.segments.overlap import RELATIONS
from app.segments.showing import ACROSS, EXCLUSIVE, OWN

# What a schema for machines cannot say.
NO_RANGE: Final = "Say at_least, at_most, or both."
EMPTY_RANGE: Final = "This is less than at_least."
NO_EVENT: Final = "Name the event to count."
NOT_FOR_THIS_FACT: Final = "This fact does not take it."
NOT_WITHOUT_A_FACT: Final = "This belongs to a fact."
TAKEN: Final = "A segment that every store has, or an address, is called so."
RULES: Final = frozenset(
    {TOO_DEEP, TOO_MANY, ONE_KIND, NO_RANGE, EMPTY_RANGE, NO_EVENT, NOT_FOR_THIS_FACT, NOT_WITHOUT_A_FACT, TAKEN}
)  # fmt: skip

_LARGEST_NUMBER: Final = 10**15
_MOST_NAMES: Final = 50
_LONGEST_DAYS: Final = 3650
_ADDRESSES: Final = frozenset({"overlap", "preview"})
KEY: Final = Shape(r"^[a-z][a-z0-9_]{0,49}$", error="Not the key of a segment.")


def _number(what: str) -> WholeNumber:
    return whole(0, _LARGEST_NUMBER, f"{what}, included.")


def _condition() -> Schema:
    """Return what stands within a condition: a condition."""
    return Condition()


class Condition(Strict):
    """Facts within ranges, combined. Exactly one of all, any, not and fact."""

    all, any, not_ = combinators(_condition)
    fact = fields.String(
        validate=validate.OneOf(list(FACTS)), metadata={"description": "What is measured of a customer."}
    )
    at_least = _number("The smallest number")
    at_most = _number("The largest number")
    within_days = whole(1, _LONGEST_DAYS, "Of the last so many days.")
    channel = fields.String(
        validate=validate.OneOf(CHANNELS), metadata={"description": "Orders of this channel."}
    )
    state = fields.String(
        validate=validate.OneOf(CART_STATES), metadata={"description": "Carts in this state."}
    )
    event = fields.String(validate=TEXT, metadata={"description": "The event's name."})
    products = list_of(ProductIdOrNumber(), _MOST_NAMES, "With one of these.")
    categories = list_of(
        fields.String(validate=TEXT),
        _MOST_NAMES,
        "With a product of one of these, as the shop writes them.",
    )

    @validates_schema
    def _makes_sense(self, data: Mapping[str, Any], **_: Any) -> None:
        restrictions = options_of(data)
        if "fact" not in data:
            refuse(restrictions, NOT_WITHOUT_A_FACT)
            return
        refuse(restrictions - set(FACTS[data["fact"]].options) - {"at_least", "at_most"}, NOT_FOR_THIS_FACT)
        if not restrictions & {"at_least", "at_most"}:
            raise ValidationError(NO_RANGE)
        if "at_most" in data and data["at_most"] < data.get("at_least", 0):
            raise ValidationError(EMPTY_RANGE, "at_most")
        if data["fact"] == "events" and "event" not in data:
            raise ValidationError(NO_EVENT, "event")


class SegmentFields(Strict):
    """What the merchant says of a segment."""

    name = fields.String(required=True, validate=TEXT, metadata={"description": "What people call it."})
    definition = Whole(Condition, required=True, metadata={"description": "Who is in it."})


class SegmentCreation(SegmentFields):
    """A segment of the merchant's own."""

    key = fields.String(
        required=True,
        validate=KEY,
        metadata={"description": "What programs call it: small letters, digits and _; it stays."},
    )

    @validates("key")
    def _free(self, key: str, **_: Any) -> None:
        if key in NAMED or key in _ADDRESSES:
            raise ValidationError(TAKEN)


class PreviewRequest(Strict):
    """A definition to try."""

    definition = Whole(Condition, required=True, metadata={"description": "Who would be in it."})


class MembersQuery(Schema):
    """Which members."""

    limit = PageLimit()
    cursor = Cursor()


_SIZE: Final = {"description": "Customers; null until it was computed for the first time."}
_AS_OF: Final = {"description": "When all segments were computed last; null before the first time."}


class SegmentState(Schema):
    """A segment and its size now."""

    key = fields.String(required=True)
    name = fields.String(required=True)
    kind = fields.String(
        required=True,
        validate=validate.OneOf([EXCLUSIVE, ACROSS, OWN]),
        metadata={"description": "Split all buyers, cut across them, or defined by the merchant."},
    )
    sentence = fields.String(required=True, metadata={"description": "Who is in it."})
    definition = fields.Raw(
        required=True, allow_none=True, metadata={"description": "The merchant's conditions; null of others."}
    )
    size = fields.Integer(required=True, allow_none=True, metadata=_SIZE)
    updated_at = fields.AwareDateTime(required=True, allow_none=True)


class SegmentsState(Schema):
    """All segments of a store."""

    as_of = fields.AwareDateTime(required=True, allow_none=True, metadata=_AS_OF)
    window_days = fields.Integer(
        required=True, metadata={"description": "Orders of so many days are scored."}
    )
    customers = fields.Integer(required=True, metadata={"description": "Customers when that was."})
    scored = fields.Integer(
        required=True, metadata={"description": "Those of them who bought in the window."}
    )
    segments = fields.List(fields.Nested(SegmentState), required=True)


class PreviewState(Schema):
    """What a definition would give."""

    sentence = fields.String(required=True)
    customers = fields.Integer(required=True)
    size = fields.Integer(required=True)
    looked_at = fields.Integer(
        required=True, metadata={"description": "Where less than customers, the size is estimated."}
    )
    reasons = fields.List(
        fields.Raw(), required=True, metadata={"description": "Of a few who would be in it."}
    )


class MemberState(Schema):
    """A member of a segment."""

    customer_id = fields.String(
        required=True, allow_none=True, metadata={"description": "The platform's; null of a guest."}
    )
    since = fields.AwareDateTime(required=True)
    as_of = fields.AwareDateTime(required=True)
    reason = fields.Raw(required=True, metadata={"description": "The rule, and what was measured."})


class MembersPage(Schema):
    """A page of members; ``next_cursor`` is null on the last."""

    members = fields.List(fields.Nested(MemberState), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PairState(Schema):
    """How two segments stand to each other."""

    first = fields.String(required=True)
    second = fields.String(required=True)
    both = fields.Integer(required=True)
    jaccard = fields.Float(required=True)
    relation = fields.String(required=True, validate=validate.OneOf(RELATIONS))
    proved = fields.Boolean(required=True, metadata={"description": "It follows from the rules."})
    sentence = fields.String(required=True)


class SizeState(Schema):
    """A segment's size."""

    key = fields.String(required=True)
    size = fields.Integer(required=True)


class OverlapState(Schema):
    """All pairs of a store's segments."""

    as_of = fields.AwareDateTime(required=True, allow_none=True, metadata=_AS_OF)
    segments = fields.List(fields.Nested(SizeState), required=True)
    pairs = fields.List(fields.Nested(PairState), required=True)


class Deleted(Schema):
    """A segment that is no more."""

    deleted = fields.String(required=True)
