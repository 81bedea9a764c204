"""What an experiment may be, and how it is told. Every error names its path, such as ``arms.1.settings.strategy``."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from flask import current_app
from marshmallow import (
    Schema,
    ValidationError,
    fields,
    post_load,
    validate,
    validates,
    validates_schema,
)

from app.core.fields import (
    COUNTRY,
    DEVICES,
    LARGEST_MONEY,
    TEXT,
    Number,
    Shape,
    Strict,
    list_of,
    number,
    whole,
)
from app.events.intent import State
from app.experiments.assignment import HOLDOUT, NOTHING
from app.experiments.definition import (
    NO_RULE,
    PRICE_RULE,
    SLICE_HOURS,
    STATUSES,
    TIME,
    UNITS,
    VISITOR,
    with_control,
)

# How an experiment may end: looked at once, when its weeks are over; or at any time, with intervals made for it.
FIXED: Final = "fixed"
SEQUENTIAL: Final = "sequential"
MOST_ARMS: Final = 6

# What a schema for machines cannot say.
TAKEN: Final = "A word of Pannier's own."
NO_SUCH_SLOT: Final = "There is no such slot."
NO_SUCH_STRATEGY: Final = "There is no such strategy."
TWICE: Final = "This stands here twice."
EMPTY_PART: Final = "This is not more than from."
TOO_MANY_ARMS: Final = f"These are more than {MOST_ARMS} arms with the control."
ALL_ALIKE: Final = "No arm does anything that the control does not."
NO_SUCH_ARM: Final = "This experiment has no such arm."
ONLY_PRICES: Final = "An experiment on products or on times says nothing but price_rule."
NOT_OF_PRICES: Final = "An experiment on products or on times is about all visitors, in every slot."
ONLY_TIME: Final = "Only an experiment on times has slices."
RULES: Final = frozenset(
    {
        TAKEN,
        NO_SUCH_SLOT,
        NO_SUCH_STRATEGY,
        TWICE,
        EMPTY_PART,
        TOO_MANY_ARMS,
        ALL_ALIKE,
        NO_SUCH_ARM,
        ONLY_PRICES,
        NOT_OF_PRICES,
        ONLY_TIME,
    }
)

# The hold-out, and an address.
_TAKEN: Final = frozenset({HOLDOUT, "power"})
_MOST_VALUES: Final = 50
_MOST_RULES: Final = 50
KEY: Final = Shape(r"^[a-z][a-z0-9_]{0,49}$", error="Not a key.")
LONG_TEXT: Final = Shape(
    r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]{0,2000}$", error="Not text of up to 2000 characters."
)


class Slot(fields.String):
    """A place on the page that this service knows."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=TEXT, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return _known(super()._deserialize(value, attr, data, **kwargs), "pannier_slots", NO_SUCH_SLOT)


class Strategy(fields.String):
    """A way of finding products that this service knows."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=TEXT, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return _known(
            super()._deserialize(value, attr, data, **kwargs), "pannier_strategies", NO_SUCH_STRATEGY
        )


def _known(name: str, extension: str, reason: str) -> str:
    if name not in current_app.extensions[extension]:
        raise ValidationError(reason)
    return name


class ArmRules(fields.List[Any]):
    """Rules that go before the store's own, checked by whoever knows rules."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(fields.Dict(), validate=validate.Length(max=_MOST_RULES), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        found = super()._deserialize(value, attr, data, **kwargs)
        checked: list[Any] = current_app.extensions["pannier_check_rules"](found)
        return checked


class ArmSettings(Strict):
    """What an arm does otherwise; nothing: as if the experiment were not there."""

    strategy = Strategy(metadata={"description": "Finds the products, before those of the slot."})
    rules = ArmRules(metadata={"description": "Rules before the store's own."})
    show = fields.String(
        validate=validate.OneOf([NOTHING]),
        metadata={"description": "What would have been shown is noted, and not shown."},
    )
    offer = fields.String(validate=TEXT, metadata={"description": "The offer to make."})
    price_rule = fields.String(validate=TEXT, metadata={"description": "The rule that prices follow."})
    copy = fields.String(validate=TEXT, metadata={"description": "The words around the products."})
    placement = fields.String(validate=TEXT, metadata={"description": "Where on the page."})


class ArmFields(Strict):
    """One of the ways that are compared."""

    key = fields.String(required=True, validate=KEY, metadata={"description": "What reports call it."})
    name = fields.String(
        load_default=None, allow_none=True, validate=TEXT, metadata={"description": "For people."}
    )
    weight = number(0.01, 1000, "Its share is this of the sum of all weights.", load_default=1.0)
    settings = fields.Nested(ArmSettings, load_default=dict)

    @post_load
    def _named(self, arm: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**arm, "name": arm["name"] or arm["key"]}


class NamespacePart(Strict):
    """A part of a namespace: experiments with separate parts of one share no visitor."""

    key = fields.String(required=True, validate=KEY)
    from_ = Number(required=True, data_key="from", attribute="from", validate=validate.Range(min=0, max=1))
    to = Number(required=True, validate=validate.Range(min=0, max=1))

    @validates_schema
    def _not_empty(self, part: Mapping[str, Any], **_: Any) -> None:
        if part["to"] <= part["from"]:
            raise ValidationError(EMPTY_PART, "to")


def _any_of(values: fields.Field[Any], what: str) -> fields.List[Any]:
    return list_of(values, _MOST_VALUES, f"One of these {what}.")


class TargetingFields(Strict):
    """Whom it is about: all that is said here must hold when it is asked."""

    segment = _any_of(fields.String(validate=KEY), "segments; a visitor in any of them")
    intent = _any_of(
        fields.String(validate=validate.OneOf([state.value for state in State])), "intents of the session"
    )
    channel = _any_of(fields.String(validate=TEXT), "channels")
    country = _any_of(fields.String(validate=COUNTRY), "countries")
    device = _any_of(fields.String(validate=validate.OneOf(DEVICES)), "devices")


class ExperimentFields(Strict):
    """What the merchant says of an experiment. What is left out is put in with its default, and stays so."""

    name = fields.String(required=True, validate=TEXT, metadata={"description": "What people call it."})
    hypothesis = fields.String(
        load_default="", validate=LONG_TEXT, metadata={"description": "What should be better, and why."}
    )
    unit = fields.String(
        load_default=VISITOR,
        validate=validate.OneOf(UNITS),
        metadata={
            "description": "What is assigned: visitors; products; or products anew in each slice of time. The latter"
            " two are for prices, which are the same for everybody."
        },
    )
    slice_hours = whole(
        72,
        672,
        f"How long a slice of time is; {SLICE_HOURS} where it is not said.",
        load_default=None,
        allow_none=True,
    )
    slots = list_of(
        Slot(), _MOST_VALUES, "The places that it is about; null for all.", load_default=None, allow_none=True
    )
    arms = list_of(
        fields.Nested(ArmFields),
        MOST_ARMS,
        "What is compared. Without one called control, that is added.",
        required=True,
    )
    coverage = number(0.001, 1, "The share of all visitors who take part.", load_default=1.0)
    namespace = fields.Nested(NamespacePart, load_default=None, allow_none=True)
    targeting = fields.Nested(TargetingFields, load_default=dict)
    minimum_effect = number(0.001, 1, "The smallest relative difference worth finding.", load_default=0.05)
    winsor_cap = whole(
        1,
        LARGEST_MONEY,
        "A visitor's revenue counts up to this, in minor units; null for all of it.",
        load_default=None,
        allow_none=True,
    )
    planned_weeks = whole(1, 52, "How long it shall run.", load_default=4)
    stop_rule = fields.String(
        load_default=SEQUENTIAL,
        validate=validate.OneOf([FIXED, SEQUENTIAL]),
        metadata={"description": "Looked at once, when the weeks are over; or at any time."},
    )

    @validates_schema
    def _makes_sense(self, data: Mapping[str, Any], **_: Any) -> None:
        refuse_twice("slots", data["slots"] or [])
        if data["slice_hours"] is not None and data["unit"] != TIME:
            raise ValidationError(ONLY_TIME, "slice_hours")
        if data["unit"] != VISITOR:
            _refuse_visitors(data)
        arms = _arms(data)
        refuse_twice("arms", [arm["key"] for arm in arms])
        if len(arms) > MOST_ARMS:
            raise ValidationError(TOO_MANY_ARMS, "arms")
        if all(arm["settings"] == arms[0]["settings"] for arm in arms):
            raise ValidationError(ALL_ALIKE, "arms")

    @post_load
    def _complete(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        if data["unit"] == TIME and data["slice_hours"] is None:
            data["slice_hours"] = SLICE_HOURS
        return {**data, "arms": _arms(data)}


def _arms(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return an experiment's arms with a control; of a price experiment each with what prices follow."""
    arms = with_control(data["arms"])
    if data["unit"] != VISITOR:
        arms = [{**arm, "settings": {PRICE_RULE: NO_RULE, **arm["settings"]}} for arm in arms]
    return arms


def _refuse_visitors(data: Mapping[str, Any]) -> None:
    """Raise ValidationError where a price experiment says something of visitors, or of anything but prices."""
    for place, arm in enumerate(data["arms"]):
        if set(arm["settings"]) - {PRICE_RULE}:
            raise ValidationError({"arms": {place: {"settings": [ONLY_PRICES]}}})
    for name in ("slots", "namespace", "targeting"):
        if data[name]:
            raise ValidationError(NOT_OF_PRICES, name)


def refuse_twice(field: str, names: Collection[str]) -> None:
    """Raise ValidationError of ``field`` where a name stands twice."""
    if len(set(names)) < len(names):
        raise ValidationError(TWICE, field)


class FreeKey(Strict):
    """A key for a new experiment."""

    key = fields.String(
        required=True,
        validate=KEY,
        metadata={"description": "What programs call it: small letters, digits and _; it stays."},
    )

    @validates("key")
    def _free(self, key: str, **_: Any) -> None:
        if key in _TAKEN:
            raise ValidationError(TAKEN)


class ExperimentCreation(ExperimentFields, FreeKey):
    """An experiment of the store."""


class ExperimentCopying(FreeKey):
    """The same experiment once more, as a draft."""

    name = fields.String(
        load_default=None, allow_none=True, validate=TEXT, metadata={"description": "Else that of the first."}
    )


class ExperimentVerdict(Strict):
    """What is made of an experiment that was stopped."""

    arm = fields.String(required=True, validate=KEY, metadata={"description": "The arm that is kept."})
    note = fields.String(load_default="", validate=LONG_TEXT, metadata={"description": "Why."})


class ExperimentsQuery(Schema):
    """Which experiments."""

    status = fields.String(validate=validate.OneOf(STATUSES))


class ArmState(Schema):
    """An arm, and its share of those who take part."""

    key = fields.String(required=True)
    name = fields.String(required=True)
    weight = fields.Float(required=True)
    share = fields.Float(required=True)
    settings = fields.Dict(required=True)


class VerdictState(Schema):
    """What was made of it."""

    arm = fields.String(required=True)
    note = fields.String(required=True)


class ExperimentState(Schema):
    """An experiment of the store."""

    key = fields.String(required=True)
    name = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    hypothesis = fields.String(required=True)
    unit = fields.String(required=True, validate=validate.OneOf(UNITS))
    slice_hours = fields.Integer(required=True, allow_none=True)
    slots = fields.List(fields.String(), required=True, allow_none=True)
    arms = fields.List(fields.Nested(ArmState), required=True)
    coverage = fields.Float(required=True)
    namespace = fields.Dict(required=True, allow_none=True)
    targeting = fields.Dict(required=True)
    minimum_effect = fields.Float(required=True)
    winsor_cap = fields.Integer(required=True, allow_none=True)
    planned_weeks = fields.Integer(required=True)
    stop_rule = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)
    started_at = fields.AwareDateTime(required=True, allow_none=True)
    stopped_at = fields.AwareDateTime(required=True, allow_none=True)
    decided_at = fields.AwareDateTime(required=True, allow_none=True)
    verdict = fields.Nested(VerdictState, required=True, allow_none=True)


class ExperimentsState(Schema):
    """The store's experiments, newest first."""

    experiments = fields.List(fields.Nested(ExperimentState), required=True)


class ExperimentDeleted(Schema):
    """An experiment that is no more."""

    deleted = fields.String(required=True)
