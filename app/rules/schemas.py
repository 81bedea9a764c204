"""What the merchant's rules may be, and how they are told.

Every error names its path, such as ``rules.3.then.0.factor``.
"""

import secrets
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from flask import current_app
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.core.conditions import ONE_KIND, TOO_DEEP, TOO_MANY, Whole, combinators, options_of, refuse
from app.core.fields import (
    CLOCK,
    COUNTRY,
    DEVICES,
    LARGEST_MONEY,
    TEXT,
    PageLimit,
    ProductIdOrNumber,
    Shape,
    Strict,
    Truth,
    list_of,
    number,
    whole,
)
from app.events.intent import State
from app.rules import lint
from app.rules.actions import (
    ACTIONS,
    ANSWERS,
    BOOST,
    BURY,
    FIXED,
    HIDE,
    LEAST_WEIGHT,
    MOST_WEIGHT,
    NOTHING,
    PIN,
    PROMOTE,
    RESTRICT,
    STRATEGY,
)
from app.rules.conditions import FACTS, NUMBERS, TIME, WEEKDAYS
from app.rules.editing import MOST_RULES

MOST_ACTIONS: Final = 10
MOST_WORDS: Final = 100
MOST_LISTED: Final = 50
# As many places as an answer has at most.
MOST_PLACES: Final = 24
_LARGEST_VERSION: Final = 2**31 - 1
# Words below /v1/rules that mean something else.
_ADDRESSES: Final = frozenset({"lint", "preview", "impact", "move", "undo", "versions"})

# What a schema for machines cannot say.
MISSING: Final = "This is needed here."
NOT_HERE: Final = "This does not belong here."
NO_RANGE: Final = "Say at_least, at_most, or both."
EMPTY_RANGE: Final = "Nothing lies between the two ends."
NO_TIME: Final = "Say weekdays, or from and to."
NO_FILTER: Final = "Say which products are meant."
NO_SUCH_WORD: Final = "This fact has no such value."
NO_SUCH_STRATEGY: Final = "There is no such strategy."
BOOSTS: Final = "A boost multiplies by more than 1."
BURIES: Final = "A bury multiplies by less than 1."
ONE_ANSWER: Final = "A rule says only once what answers."
NOTHING_ALONE: Final = "Where nothing is shown, nothing else can be done."
PINNED_TWICE: Final = "A rule pins a product, and fills a position, only once."
SAME_ID: Final = "Two rules have this id."
TAKEN: Final = "An address is called so."
RULES: Final = frozenset(
    {
        TOO_DEEP, TOO_MANY, ONE_KIND, MISSING, NOT_HERE, NO_RANGE, EMPTY_RANGE, NO_TIME, NO_FILTER, NO_SUCH_WORD,
        NO_SUCH_STRATEGY, BOOSTS, BURIES, ONE_ANSWER, NOTHING_ALONE, PINNED_TWICE, SAME_ID, TAKEN,
    }
)  # fmt: skip


def _words(description: str, **kwargs: Any) -> fields.List[Any]:
    return list_of(fields.String(validate=TEXT), MOST_WORDS, description, **kwargs)


def _clock(description: str, **kwargs: Any) -> fields.String:
    return fields.String(validate=CLOCK, metadata={"description": description}, **kwargs)


def times(weekdays: str) -> tuple[fields.List[Any], fields.String, fields.String]:
    """Return the fields weekdays, with this description, from and to; see ``check_times``."""
    return (
        list_of(fields.String(validate=validate.OneOf(WEEKDAYS)), len(WEEKDAYS), weekdays),
        _clock("From this time of the day on.", data_key="from", attribute="from"),
        _clock("Until before this time; earlier than from: of the next day."),
    )


# --- conditions -----------------------------------------------------------------------------------------


_RANGE: Final = frozenset({"at_least", "at_most"})
_WHEN: Final = frozenset({"weekdays", "from", "to"})


def _condition() -> Schema:
    """Return what stands within a condition: a condition."""
    return RuleCondition()


class RuleCondition(Strict):
    """What has to hold. Exactly one of all, any, not and fact."""

    all, any, not_ = combinators(_condition)
    fact = fields.String(validate=validate.OneOf(FACTS), metadata={"description": "What is looked at."})
    in_ = _words("It is, or has, one of these.", data_key="in", attribute="in")
    at_least = whole(0, LARGEST_MONEY, "The smallest number, included.")
    at_most = whole(0, LARGEST_MONEY, "The largest number, included.")
    weekdays, from_, to = times("On these days.")

    @validates_schema
    def _makes_sense(self, data: Mapping[str, Any], **_: Any) -> None:
        given = options_of(data)
        fact = data.get("fact")
        if fact is None:
            refuse(given, NOT_HERE)
        elif fact in NUMBERS:
            refuse(given - _RANGE, NOT_HERE)
            _check_range(data, "at_least", "at_most", NO_RANGE)
        elif fact == TIME:
            refuse(given - _WHEN, NOT_HERE)
            check_times(data)
        else:
            refuse(given - {"in"}, NOT_HERE)
            _check_words(fact, data)


def _check_range(data: Mapping[str, Any], low: str, high: str, if_none: str | None) -> None:
    if low not in data and high not in data:
        if if_none is not None:
            raise ValidationError(if_none)
    elif data.get(high, LARGEST_MONEY) < data.get(low, 0):
        raise ValidationError(EMPTY_RANGE, high)


def check_times(data: Mapping[str, Any]) -> None:
    """Raise ValidationError where neither weekdays nor times are given, or no time lies between them."""
    if not _WHEN & data.keys():
        raise ValidationError(NO_TIME)
    if data.get("from", "00:00") in (data.get("to", "24:00"), "24:00"):
        raise ValidationError(EMPTY_RANGE, "to" if "to" in data else "from")


def _check_words(fact: str, data: Mapping[str, Any]) -> None:
    if "in" not in data:
        raise ValidationError(MISSING, "in")
    known: Mapping[str, Collection[str]] = {
        "slot": current_app.extensions["pannier_slots"],
        "intent": frozenset(State),
        "device": DEVICES,
    }
    if fact in known and not set(data["in"]) <= set(known[fact]):
        raise ValidationError(NO_SUCH_WORD, "in")
    if fact == "country" and not all(map(COUNTRY.fits, data["in"])):
        raise ValidationError(NO_SUCH_WORD, "in")


# --- actions --------------------------------------------------------------------------------------------


class ItemFilter(Strict):
    """Products that have all of what is given, of each list one."""

    products = list_of(ProductIdOrNumber(), MOST_WORDS, "These products.")
    categories = _words("Of one of these categories.")
    tags = _words("With one of these tags.")
    vendors = _words("Of one of these vendors.")
    price_at_least = whole(0, LARGEST_MONEY, "From this price on, in minor units.")
    price_at_most = whole(0, LARGEST_MONEY, "Up to this price, in minor units.")

    @validates_schema
    def _makes_sense(self, data: Mapping[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError(NO_FILTER)
        _check_range(data, "price_at_least", "price_at_most", None)


# What each action needs besides ``do``, and takes.
NEEDS: Final[Mapping[str, frozenset[str]]] = {
    PIN: frozenset({"product", "position"}),
    HIDE: frozenset({"filter"}),
    RESTRICT: frozenset({"filter"}),
    BOOST: frozenset({"filter", "factor"}),
    BURY: frozenset({"filter", "factor"}),
    PROMOTE: frozenset({"filter", "percent"}),
    STRATEGY: frozenset({"strategy"}),
    FIXED: frozenset({"products"}),
    NOTHING: frozenset(),
}


class RuleAction(Strict):
    """What is done where the conditions hold."""

    do = fields.String(
        required=True, validate=validate.OneOf(ACTIONS), metadata={"description": "What is done."}
    )
    product = ProductIdOrNumber()
    position = whole(1, MOST_PLACES, "Of a pin: where the product stands, from 1.")
    filter = fields.Nested(ItemFilter, metadata={"description": "Which products are meant."})
    factor = number(
        LEAST_WEIGHT, MOST_WEIGHT, "By what scores are multiplied: a boost above 1, a bury below."
    )
    percent = whole(1, 100, "Of a promotion: at least so many percent of the places.")
    strategy = fields.String(validate=TEXT, metadata={"description": "The strategy that answers."})
    products = list_of(ProductIdOrNumber(), MOST_LISTED, "The fixed list, in order.")

    @validates_schema
    def _makes_sense(self, data: Mapping[str, Any], **_: Any) -> None:
        do, given = data["do"], data.keys() - {"do"}
        refuse(given - NEEDS[do], NOT_HERE)
        refuse(NEEDS[do] - given, MISSING)
        if do == BOOST and data["factor"] <= 1:
            raise ValidationError(BOOSTS, "factor")
        if do == BURY and data["factor"] >= 1:
            raise ValidationError(BURIES, "factor")
        if do == STRATEGY and data["strategy"] not in current_app.extensions["pannier_strategies"]:
            raise ValidationError(NO_SUCH_STRATEGY, "strategy")


# --- rules ----------------------------------------------------------------------------------------------

_ID: Final = Shape("^[a-z0-9][a-z0-9_-]{0,49}$", error="Not the id of a rule.")


class RuleFields(Strict):
    """What the merchant says of a rule."""

    name = fields.String(required=True, validate=TEXT, metadata={"description": "What people call it."})
    enabled = Truth(load_default=True, metadata={"description": "False: it is off."})
    starts_at = fields.AwareDateTime(
        allow_none=True, load_default=None, metadata={"description": "Valid from then on; null: since ever."}
    )
    ends_at = fields.AwareDateTime(
        allow_none=True, load_default=None, metadata={"description": "Valid until then; null: for ever."}
    )
    if_ = Whole(
        RuleCondition,
        data_key="if",
        attribute="if",
        allow_none=True,
        load_default=None,
        metadata={"description": "What has to hold; null: always."},
    )
    then = list_of(fields.Nested(RuleAction), MOST_ACTIONS, "What is done then.", required=True)

    @validates_schema
    def _makes_sense(self, data: Mapping[str, Any], **_: Any) -> None:
        actions: Sequence[Mapping[str, Any]] = data.get("then", ())
        answers = [action["do"] for action in actions if action["do"] in ANSWERS]
        pins = [action for action in actions if action["do"] == PIN]
        if len(answers) > 1:
            raise ValidationError(ONE_ANSWER, "then")
        if NOTHING in answers and len(actions) > 1:
            raise ValidationError(NOTHING_ALONE, "then")
        for name in ("position", "product"):
            if len({pin[name] for pin in pins}) < len(pins):
                raise ValidationError(PINNED_TWICE, "then")


class RuleWithId(RuleFields):
    """A rule that may bring its id; one without gets one."""

    id = fields.String(validate=_ID, metadata={"description": "What programs call it; none: one is made."})

    @validates_schema
    def _free(self, data: Mapping[str, Any], **_: Any) -> None:
        if data.get("id") in _ADDRESSES:
            raise ValidationError(TAKEN, "id")


_VERSION: Final = "The version that was looked at; another one counts by now: 409."


class RuleVersionSeen(Strict):
    """A change that may say which version it was made for."""

    version = whole(0, _LARGEST_VERSION, _VERSION)


class RuleCreation(RuleWithId):
    """A rule, and where it goes."""

    position = whole(1, MOST_RULES, "Its place in the list, from 1; none: the last.")
    version = whole(0, _LARGEST_VERSION, _VERSION)


class RuleChange(RuleFields):
    """What a rule is to be."""

    version = whole(0, _LARGEST_VERSION, _VERSION)


class RuleMove(RuleVersionSeen):
    """Where a rule is to stand."""

    id = fields.String(required=True, validate=_ID, metadata={"description": "Which rule."})
    position = whole(1, MOST_RULES, "Its new place, from 1.", required=True)


class Rules(fields.List[Any]):
    """A list of rules: no id twice."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            fields.Nested(RuleWithId),
            validate=validate.Length(max=MOST_RULES),
            metadata={"description": "The rules, in order."},
            **kwargs,
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        found: list[Any] = super()._deserialize(value, attr, data, **kwargs) or []
        ids = Counter(rule["id"] for rule in found if "id" in rule)
        twice = {n: {"id": [SAME_ID]} for n, rule in enumerate(found) if ids[rule.get("id")] > 1}
        if twice:
            raise ValidationError(twice)
        return found


class RuleListChange(Strict):
    """All rules anew."""

    rules = Rules(required=True)
    version = whole(0, _LARGEST_VERSION, _VERSION, required=True)
    note = fields.String(validate=TEXT, metadata={"description": "What changed, for people."})


def stored(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule that a schema has read, as it is kept: JSON, with an id, without what is not given."""
    kept = {"id": rule.get("id") or f"r{secrets.token_hex(5)}", **rule}
    for name in ("starts_at", "ends_at"):
        at: datetime | None = rule[name]
        kept[name] = None if at is None else at.isoformat()
    for name in ("position", "version"):
        kept.pop(name, None)
    return kept


def checked(rules: Sequence[Any]) -> list[dict[str, Any]]:
    """Return rules that came as JSON, as they are kept.

    Raises:
        ValidationError: naming what is wrong, by rule.
    """
    found: list[Any] = Rules().deserialize(list(rules))
    return [stored(rule) for rule in found]


# --- answers --------------------------------------------------------------------------------------------


class RuleState(Schema):
    """A rule."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    starts_at = fields.AwareDateTime(required=True, allow_none=True)
    ends_at = fields.AwareDateTime(required=True, allow_none=True)
    if_ = fields.Nested(RuleCondition, data_key="if", required=True, allow_none=True)
    then = fields.List(fields.Nested(RuleAction), required=True)


class RuleFinding(Schema):
    """Something about rules that is probably not meant so."""

    rule = fields.String(required=True)
    other = fields.String(
        required=True, allow_none=True, metadata={"description": "The rule that it conflicts with."}
    )
    level = fields.String(required=True, validate=validate.OneOf(lint.LEVELS))
    code = fields.String(required=True, validate=validate.OneOf(lint.CODES))
    sentence = fields.String(required=True)


class RuleListState(Schema):
    """A list of rules in one of its versions."""

    version = fields.Integer(required=True, metadata={"description": "0 where there never was a list."})
    note = fields.String(required=True, metadata={"description": "What changed with it."})
    restored_version = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The version whose list it is again."}
    )
    created_at = fields.AwareDateTime(required=True, allow_none=True)
    rules = fields.List(fields.Nested(RuleState), required=True)


class RuleListSaved(RuleListState):
    """The list as it counts from now on, and what is odd about it."""

    findings = fields.List(fields.Nested(RuleFinding), required=True)


class RuleFound(Schema):
    """One rule of the list."""

    version = fields.Integer(required=True)
    position = fields.Integer(required=True, metadata={"description": "Its place in the list, from 1."})
    rule = fields.Nested(RuleState, required=True)


class RuleLint(Schema):
    """What is odd about a list of rules."""

    version = fields.Integer(required=True)
    findings = fields.List(fields.Nested(RuleFinding), required=True)


class RuleVersionsQuery(Schema):
    """Which versions."""

    limit = PageLimit()
    before = fields.Integer(
        validate=validate.Range(min=1, max=_LARGEST_VERSION), metadata={"description": "Older than this one."}
    )


class RuleDeletionQuery(Schema):
    """Which version a rule is deleted from."""

    version = fields.Integer(
        validate=validate.Range(min=0, max=_LARGEST_VERSION), metadata={"description": _VERSION}
    )


class RuleVersion(Schema):
    """A version, without its rules."""

    version = fields.Integer(required=True)
    note = fields.String(required=True)
    restored_version = fields.Integer(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    rules = fields.Integer(required=True, metadata={"description": "How many it has."})


class RuleVersions(Schema):
    """Versions, newest first."""

    versions = fields.List(fields.Nested(RuleVersion), required=True)


# --- trying ---------------------------------------------------------------------------------------------


class PreviewQuestion(Strict):
    """What an invented shopper's page asks."""

    slot = fields.String(required=True, validate=TEXT, metadata={"description": "The place on the page."})
    product_id = ProductIdOrNumber()
    cart = list_of(ProductIdOrNumber(), MOST_WORDS, "The products of the cart.", least=None)
    limit = whole(1, MOST_PLACES, "How many products at most.")

    @validates_schema
    def _known(self, data: Mapping[str, Any], **_: Any) -> None:
        if data["slot"] not in current_app.extensions["pannier_slots"]:
            raise ValidationError(NO_SUCH_WORD, "slot")


class InventedShopper(Strict):
    """What rules look at, as far as it is to be otherwise than the question tells."""

    now = fields.AwareDateTime(metadata={"description": "When it is asked; not given: now."})
    cart_value = whole(0, LARGEST_MONEY, "What the cart is worth, in minor units.")
    segments = _words("Keys of segments that the shopper is in.", least=None)
    intent = fields.String(validate=validate.OneOf([state.value for state in State]))
    channel = fields.String(validate=TEXT)
    country = fields.String(
        validate=COUNTRY,
        metadata={"description": "ISO 3166-1 alpha-2."},
    )
    device = fields.String(validate=validate.OneOf(DEVICES))


class RulePreview(Strict):
    """An invented shopper, and rules to try."""

    question = fields.Nested(PreviewQuestion, required=True, metadata={"description": "What is asked."})
    context = fields.Nested(
        InventedShopper, load_default=dict, metadata={"description": "What the shopper is like."}
    )
    rules = Rules(load_default=None)


class RuleUnfired(Schema):
    """A rule that did not fire."""

    rule = fields.String(required=True)
    name = fields.String(required=True)
    because = fields.String(required=True)


class TracedRule(Schema):
    """A rule that fired, and what each of its actions did."""

    rule = fields.String(required=True)
    name = fields.String(required=True)
    did = fields.List(fields.Dict(), required=True)


class RulePreviewState(Schema):
    """What the shopper would see, and why."""

    slot = fields.String(required=True)
    strategy = fields.String(required=True, metadata={"description": "Which one answers."})
    recommendations = fields.List(
        fields.Dict(), required=True, metadata={"description": "As the storefront is answered."}
    )
    shown = fields.List(fields.String(), required=True, metadata={"description": "Products, in order."})
    silent = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Why a real shopper would see nothing all the same, such as a paused slot."},
    )
    context = fields.Dict(required=True, metadata={"description": "What the rules looked at."})
    fired = fields.List(fields.String(), required=True, metadata={"description": "Ids of rules, in order."})
    trace = fields.List(fields.Nested(TracedRule), required=True)
    unfired = fields.List(fields.Nested(RuleUnfired), required=True)


class RuleImpactQuestion(Strict):
    """Rules to try on what was shown."""

    rules = Rules(required=True)
    days = whole(1, 90, "Decisions of the last so many days.", load_default=7)
    most = whole(1, 1000, "So many decisions at most, the newest first.", load_default=1000)


class RuleImpact(Schema):
    """How many decisions would have come out otherwise."""

    looked_at = fields.Integer(required=True, metadata={"description": "Decisions that were made again."})
    changed = fields.Integer(required=True, metadata={"description": "Those that come out otherwise."})
    answers = fields.Integer(required=True, metadata={"description": "How often these were given."})
    changed_answers = fields.Integer(required=True)
    not_replayable = fields.Integer(required=True, metadata={"description": "Left out."})
    examples = fields.List(
        fields.String(), required=True, metadata={"description": "Ids of some that come out otherwise."}
    )
