"""Slots and their pauses, over HTTP."""

from marshmallow import Schema, fields, validate

from app.recommendations.paused import LIVE, PAUSED, TRIAL


class PauseState(Schema):
    """Why and since when a slot shows nothing, or something to a few."""

    paused_at = fields.AwareDateTime(required=True)
    trial_at = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "Since when it is tried on a fifth of the visitors."},
    )
    until = fields.AwareDateTime(
        required=True, metadata={"description": "When the trial begins, or ends where no harm is shown."}
    )
    reason = fields.String(required=True, metadata={"description": "In a sentence."})
    measures = fields.Dict(required=True, metadata={"description": "What was measured."})


class EndedPause(Schema):
    """The last pause that is over."""

    paused_at = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(required=True)
    ended_by = fields.String(required=True, validate=validate.OneOf(["trial", "merchant"]))
    reason = fields.String(required=True)


class SlotState(Schema):
    """Whether a slot shows anything."""

    slot = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf([LIVE, PAUSED, TRIAL]))
    pause = fields.Nested(PauseState, required=True, allow_none=True)
    last = fields.Nested(EndedPause, required=True, allow_none=True)


class SlotsState(Schema):
    """Every slot."""

    slots = fields.List(fields.Nested(SlotState), required=True)
