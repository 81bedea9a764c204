"""What the door of events answers, and the report on it."""

from marshmallow import Schema, fields, validate

from app.events.tallies import ACCEPTED, DUPLICATE, REJECTED


class EventResult(Schema):
    """What became of one event."""

    index = fields.Integer(required=True, metadata={"description": "Its place in the batch, from 0."})
    message_id = fields.String(required=True, allow_none=True)
    status = fields.String(required=True, validate=validate.OneOf((ACCEPTED, DUPLICATE, REJECTED)))
    reason = fields.String(metadata={"description": "Why it was rejected."})
    detail = fields.String(metadata={"description": "The same in a sentence."})


class EventResults(Schema):
    """What became of the events of a request. Those that are accepted are durable."""

    success = fields.Boolean(required=True, metadata={"description": "The request was worked through."})
    accepted = fields.Integer(required=True, metadata={"description": "Duplicates included."})
    rejected = fields.Integer(required=True)
    results = fields.List(fields.Nested(EventResult), required=True)


class ReportQuery(Schema):
    """How far back."""

    days = fields.Integer(
        load_default=7,
        validate=validate.Range(min=1, max=400),
        metadata={"description": "Days (UTC), today included."},
    )


class Told(Schema):
    """Events of one reason, and what to do about it."""

    reason = fields.String(required=True)
    events = fields.Integer(required=True)
    advice = fields.String(required=True)


class EventReport(Schema):
    """How events of a store came in."""

    since = fields.Date(required=True)
    accepted = fields.Integer(required=True, metadata={"description": "Without duplicates."})
    duplicates = fields.Integer(required=True)
    rejected = fields.List(fields.Nested(Told), required=True)
    noted = fields.List(
        fields.Nested(Told),
        required=True,
        metadata={"description": "Accepted, and yet something is missing."},
    )
    missing_user_context = fields.Integer(
        required=True,
        metadata={"description": "Events that should have named a user and did not, accepted or not."},
    )
