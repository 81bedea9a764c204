"""What the routes of monitoring take and return."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.core.fields import Cursor, PageLimit, Shape, Strict, Truth
from app.monitoring.alerts import ERROR, WARN
from app.monitoring.drift import MEASURES
from app.monitoring.freshness import LEVELS, SOURCES

# What a schema for machines cannot say.
NOT_REACHED: Final = "Not an https address of a host on the public internet, at port 443 or 8443."

ALL: Final = "all"
OPEN: Final = "open"

_URL: Final = Shape(r"^https?://[!-~]{1,1990}$", error="Not a web address.")
_LEVEL: Final = {"description": "How it stands."}


class FindingState(Schema):
    """How one source stands."""

    source = fields.String(required=True, validate=validate.OneOf(SOURCES))
    level = fields.String(required=True, validate=validate.OneOf(LEVELS), metadata=_LEVEL)
    message = fields.String(required=True, metadata={"description": "In a sentence, with what to do."})
    newest_at = fields.DateTime(required=True, allow_none=True)
    age_seconds = fields.Integer(required=True, allow_none=True)
    warn_after_seconds = fields.Integer(required=True, allow_none=True)
    error_after_seconds = fields.Integer(required=True, allow_none=True)


class FreshnessState(Schema):
    """How fresh a store is."""

    level = fields.String(required=True, validate=validate.OneOf(LEVELS), metadata=_LEVEL)
    checked_at = fields.DateTime(required=True)
    sources = fields.List(fields.Nested(FindingState), required=True)


class MeasureState(Schema):
    """How one thing has moved."""

    measure = fields.String(required=True, validate=validate.OneOf(MEASURES))
    level = fields.String(required=True, validate=validate.OneOf(LEVELS), metadata=_LEVEL)
    value = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "An index or a share; null where there is too little to tell."},
    )
    warn_from = fields.Float(required=True)
    error_from = fields.Float(required=True, allow_none=True)
    message = fields.String(required=True)


class DriftState(Schema):
    """How far a store has moved away from what its model learned."""

    level = fields.String(required=True, validate=validate.OneOf(LEVELS), metadata=_LEVEL)
    checked_at = fields.DateTime(required=True)
    measures = fields.List(fields.Nested(MeasureState), required=True)


class EndpointRequest(Strict):
    """Where alerts go."""

    url = fields.String(
        required=True, validate=_URL, metadata={"description": "An https address; port 443 or 8443."}
    )
    new_secret = Truth(
        load_default=False, metadata={"description": "Make another secret; the old one signs for a day more."}
    )


class EndpointState(Schema):
    """Where alerts go, and how that goes."""

    url = fields.String(required=True)
    created_at = fields.DateTime(required=True)
    disabled_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "Since when nothing is sent."}
    )
    problem = fields.String(
        required=True, allow_none=True, metadata={"description": "Why the last message did not arrive."}
    )


class EndpointSet(EndpointState):
    """The same, when it was set."""

    secret = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Signs the messages. Shown once, where it is new."},
    )


class EndpointDeleted(Schema):
    """What was deleted."""

    deleted = fields.String(required=True)


class AlertsQuery(Schema):
    """Which alerts."""

    state = fields.String(
        load_default=ALL,
        validate=validate.OneOf([ALL, OPEN]),
        metadata={"description": "All of them, or those that are not over."},
    )
    limit = PageLimit()
    cursor = Cursor()


class AlertState(Schema):
    """An alert."""

    id = fields.String(required=True)
    source = fields.String(required=True, metadata={"description": "What it is about."})
    level = fields.String(required=True, validate=validate.OneOf([WARN, ERROR]))
    message = fields.String(required=True)
    raised_at = fields.DateTime(required=True)
    cleared_at = fields.DateTime(required=True, allow_none=True)
    told_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When the endpoint last took news of it."}
    )


class AlertsPage(Schema):
    """Alerts, newest first."""

    alerts = fields.List(fields.Nested(AlertState), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class TestResult(Schema):
    """What came of a test message."""

    __test__ = False  # not pytest's

    delivered = fields.Boolean(required=True)
    status = fields.Integer(required=True, allow_none=True, metadata={"description": "Of the answer."})
    problem = fields.String(required=True, allow_none=True)
