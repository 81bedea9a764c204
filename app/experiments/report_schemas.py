"""The shape of reports and forecasts."""

from marshmallow import Schema, fields, validate

from app.experiments.schemas import MOST_ARMS


class EffectState(Schema):
    """An arm against control."""

    difference = fields.Float(required=True, metadata={"description": "Of the values."})
    standard_error = fields.Float(required=True)
    interval = fields.List(fields.Float(allow_none=True), required=True)
    relative = fields.Float(required=True, allow_none=True, metadata={"description": "0.05: 5 % more."})
    relative_interval = fields.List(fields.Float(allow_none=True), required=True, allow_none=True)
    p_value = fields.Float(required=True)


class ArmOutcome(Schema):
    """What is said of one arm."""

    arm = fields.String(required=True)
    status = fields.String(required=True, allow_none=True, metadata={"description": "Null for control."})
    visitors = fields.Integer(required=True)
    values = fields.Dict(
        fields.String(), fields.Float(), required=True, metadata={"description": "Metrics by name."}
    )
    effects = fields.Dict(
        fields.String(),
        fields.Nested(EffectState),
        required=True,
        metadata={"description": "Against control, by metric."},
    )
    adjusted_p_value = fields.Float(
        required=True, allow_none=True, metadata={"description": "For several arms, by Holm."}
    )
    sentences = fields.List(fields.String(), required=True)


class CheckState(Schema):
    """Something that must hold before the figures mean anything."""

    name = fields.String(required=True)
    passed = fields.Boolean(required=True)
    blocks = fields.Boolean(
        required=True, metadata={"description": "Whether there is no verdict unless it passes."}
    )
    p_value = fields.Float(required=True, allow_none=True)
    sentence = fields.String(required=True)
    found = fields.Dict(fields.String(), fields.Float(), required=True)


class ReportState(Schema):
    """What an experiment has shown so far. Money is in minor units, net of refunds, tax and shipping."""

    experiment = fields.String(required=True)
    name = fields.String(required=True)
    status = fields.String(required=True)
    from_ = fields.AwareDateTime(
        required=True, data_key="from", metadata={"description": "First exposures since."}
    )
    to = fields.AwareDateTime(required=True, metadata={"description": "First exposures until."})
    orders_until = fields.AwareDateTime(required=True)
    as_of = fields.AwareDateTime(required=True)
    currency = fields.String(required=True)
    visitors = fields.Integer(
        required=True, metadata={"description": "People who came upon one arm, and no other."}
    )
    multiple = fields.Integer(
        required=True, metadata={"description": "People who came upon several, and are left out."}
    )
    orders = fields.Integer(required=True)
    margin_known = fields.Boolean(required=True)
    verdict = fields.String(required=True)
    winner = fields.String(required=True, allow_none=True)
    sentences = fields.List(fields.String(), required=True)
    arms = fields.List(fields.Nested(ArmOutcome), required=True)
    checks = fields.List(fields.Nested(CheckState), required=True)
    always_valid = fields.Boolean(
        required=True, metadata={"description": "Whether the intervals hold however often one looks."}
    )
    level = fields.Float(required=True, metadata={"description": "0.05: intervals of 95 %."})
    explained = fields.Float(
        required=True, metadata={"description": "Share of the variation that the time before explains."}
    )


class ReportComing(Schema):
    """The report is large and being made: ask again."""

    experiment = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(["being_made"]))


class PowerQuery(Schema):
    """What an experiment would look for."""

    lift = fields.Float(
        load_default=0.05,
        validate=validate.Range(min=0.001, max=1),
        metadata={"description": "The relative difference to see; 0.05: 5 %."},
    )
    weeks = fields.Integer(
        load_default=12,
        validate=validate.Range(min=2, max=52),
        metadata={"description": "The longest that it may take."},
    )
    arms = fields.Integer(
        load_default=1,
        validate=validate.Range(min=1, max=MOST_ARMS - 1),
        metadata={"description": "Arms of equal shares that are compared with control."},
    )
    looks = fields.String(
        load_default="daily",
        validate=validate.OneOf(["daily", "once"]),
        metadata={"description": "At any time, or when its weeks are over."},
    )


class ForecastState(Schema):
    """Whether and when the store sees such a lift."""

    lift = fields.Float(required=True)
    visitors = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Of an arm and control."}
    )
    weeks = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Null where it cannot be seen."}
    )
    most_weeks = fields.Integer(required=True)
    smallest_lift = fields.Float(
        required=True, allow_none=True, metadata={"description": "The least that can be seen in that time."}
    )
    sentence = fields.String(required=True)
    visitors_per_week = fields.Float(required=True)
    revenue_per_visitor = fields.Float(required=True)
    currency = fields.String(required=True)
    as_of = fields.AwareDateTime(required=True)
