"""The log of decisions as its routes take and show it."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.core.fields import NOT_A_CURSOR, PageLimit, Shape, TimeCursor
from app.decisions.reasons import CACHES, REASONS

_NAME: Final = Shape(r"^[!-~]{1,100}$", error="Not 1 to 100 visible ASCII characters.")
_REASON: Final = {"description": "OpenFeature's word for why it came out so.", "enum": list(REASONS)}
_CACHE: Final = {
    "description": "`made` for a request, or `ready` where bytes were held.",
    "enum": list(CACHES),
}


def _decision_id(text: str) -> str:
    if not _NAME.fits(text):
        raise ValueError(NOT_A_CURSOR)
    return text


class DecisionsQuery(Schema):
    """Which decisions."""

    slot = fields.String(validate=_NAME, metadata={"description": "Of this slot."})
    day = fields.Date(
        metadata={"description": "Of this day (UTC); the last seven days where it is not said."}
    )
    experiment = fields.String(
        validate=_NAME, metadata={"description": "Those that an arm of this experiment took part in."}
    )
    product_id = fields.String(validate=_NAME, metadata={"description": "Those that showed this product."})
    limit = PageLimit()
    cursor = TimeCursor(_decision_id)


class DecisionHead(Schema):
    """What was decided."""

    decision_id = fields.String(required=True)
    made_at = fields.AwareDateTime(
        required=True, metadata={"description": "When it was given first that day."}
    )
    slot = fields.String(required=True, allow_none=True, metadata={"description": "Null for `/v1/upsell`."})
    strategy = fields.String(required=True)
    reason = fields.String(required=True, metadata=_REASON)
    arms = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "Arm by experiment."},
    )
    model_version = fields.String(required=True)
    cache = fields.String(required=True, metadata=_CACHE)
    latency_us = fields.Integer(
        required=True, metadata={"description": "Microseconds until it was made the first time."}
    )
    shown = fields.List(
        fields.String(), required=True, metadata={"description": "Products, first place first."}
    )
    answers = fields.Integer(required=True, metadata={"description": "How often it was given on that day."})
    visitor = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Keyed digest of the visitor; null for the answer that everybody gets."},
    )
    whole = fields.Boolean(
        required=True,
        metadata={"description": "Whether what replays it was kept: see `decision_sample_percent`."},
    )


class DecisionsPage(Schema):
    """A page of decisions, the newest first; ``next_cursor`` is null on the last."""

    decisions = fields.List(fields.Nested(DecisionHead), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class DecisionReplay(Schema):
    """How the decision comes out when it is made again from what was kept of it."""

    same = fields.Boolean(
        required=True, allow_none=True, metadata={"description": "Null where it cannot be made again."}
    )
    differences = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "What differs, or why it cannot be made again."},
    )
    shown = fields.List(
        fields.String(), required=True, allow_none=True, metadata={"description": "What it would show."}
    )


class DecisionState(DecisionHead):
    """A decision with everything that decided."""

    record = fields.Dict(
        required=True,
        allow_none=True,
        metadata={
            "description": "The question, its context, the candidates with source and score, the rules that fired"
            " and what they did, the experiments. Null where it was not kept."
        },
    )
    replay = fields.Nested(DecisionReplay, required=True)


class DecisionReportQuery(Schema):
    """How far back, and of what."""

    days = fields.Integer(
        load_default=7,
        validate=validate.Range(min=1, max=400),
        metadata={"description": "Days (UTC), today included."},
    )
    slot = fields.String(validate=_NAME, metadata={"description": "Of this slot alone."})


class Measures(Schema):
    """How many answers, and how they were."""

    answers = fields.Integer(required=True)
    empty_share = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Without a product, of 1; null without answers."},
    )
    mean_latency_us = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Microseconds; null without answers."}
    )


class DecisionSum(Measures):
    """Answers of a day that have slot, reason and cache in common."""

    day = fields.Date(required=True)
    slot = fields.String(required=True, allow_none=True, metadata={"description": "Null for `/v1/upsell`."})
    reason = fields.String(required=True, metadata=_REASON)
    cache = fields.String(required=True, metadata=_CACHE)


class DecisionReport(Measures):
    """All answers of a store, logged whole or not."""

    since = fields.Date(required=True)
    rows = fields.List(fields.Nested(DecisionSum), required=True)
