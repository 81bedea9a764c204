"""What price rules may be, and how they and the changes of prices are told.

Every error names its path, such as ``signals.1.low_days``.
"""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.core.fields import (
    LARGEST_MONEY,
    TEXT,
    Cursor,
    PageLimit,
    ProductIdOrNumber,
    Shape,
    Strict,
    Truth,
    WholeNumber,
    list_of,
    number,
    whole,
)
from app.pricing import signals
from app.pricing.changes import STATES, WAITING
from app.pricing.looking import ASLEEP
from app.pricing.proposing import REASONS
from app.pricing.rules import (
    BOTH,
    COOLING_HOURS,
    DEVIATIONS,
    EXPIRES_HOURS,
    FRESH_DAYS,
    HIGH_DAYS,
    LEAST_STEP_PERCENT,
    LOW_DAYS,
    MODES,
    MOVES,
    PRIORITY,
    RATIO,
    STEP_PERCENT,
)
from app.rules.schemas import EMPTY_RANGE, NO_TIME, NOT_HERE, check_times, times

MOST_LISTED: Final = 500
MOST_ENDINGS: Final = 10
MOST_NAMED: Final = 100

# What a schema for machines cannot say.
SIGNAL_TWICE: Final = "A rule listens to a signal once."
NO_PRODUCTS: Final = "Say which products are meant."
LEAST_IS_MORE: Final = "This is more than the largest step."
PRODUCT_TWICE: Final = "A product stands here once."
TOO_MANY_DECIMALS: Final = "The store's currency has fewer decimals."
NO_LIMIT: Final = "Say floor, ceiling, or both."
RULES: Final = frozenset(
    {SIGNAL_TWICE, NO_PRODUCTS, LEAST_IS_MORE, PRODUCT_TWICE, TOO_MANY_DECIMALS, NO_LIMIT}
    | {EMPTY_RANGE, NO_TIME, NOT_HERE}
)

KEY: Final = Shape(r"^[a-z0-9][a-z0-9_-]{0,49}$", error="Not the key of a price rule.")
_ENDING: Final = Shape(
    r"^([0-9]{1,6}(\.[0-9]{1,3})?|\.[0-9]{1,3})$", error="Not how a price ends, such as .99 or 80."
)

# The thresholds of each signal, and no others.
OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    signals.STOCK_COVER: frozenset({"low_days", "high_days"}),
    signals.DEMAND: frozenset({"deviations"}),
    signals.CONVERSION: frozenset({"ratio"}),
    signals.PRICE_RESPONSE: frozenset(),
    signals.COMPETITOR: frozenset({"to", "position_percent", "fresh_days"}),
}
_OF_EVERY_SIGNAL: Final = frozenset({"signal", "weight_percent", "moves"})


def _money(description: str) -> WholeNumber:
    return whole(1, LARGEST_MONEY, f"{description}; minor units of the store's currency.")


def _words(description: str) -> fields.List[Any]:
    return list_of(fields.String(validate=TEXT), MOST_NAMED, description)


class PriceSelection(Strict):
    """Products that have any of what is given."""

    all = Truth(metadata={"description": "True: every product."})
    products = list_of(ProductIdOrNumber(), MOST_LISTED, "These products.")
    categories = _words("Of one of these categories.")
    vendors = _words("Of one of these vendors.")
    tags = _words("With one of these tags.")

    @validates_schema
    def _makes_sense(self, data: Mapping[str, Any], **_: Any) -> None:
        if not any(data.values()):
            raise ValidationError(NO_PRODUCTS)


class PriceSignal(Strict):
    """A signal that the rule listens to."""

    signal = fields.String(required=True, validate=validate.OneOf(signals.NAMES))
    weight_percent = number(0.01, 50, "By how much full pressure moves the price.", required=True)
    moves = fields.String(
        validate=validate.OneOf(MOVES),
        metadata={"description": f"Which way it may move prices; {BOTH} unless said."},
    )
    low_days = number(1, 3650, f"Stock that lasts shorter presses upwards; {LOW_DAYS:g} unless said.")
    high_days = number(1, 3650, f"Stock that lasts longer presses downwards; {HIGH_DAYS:g} unless said.")
    deviations = number(
        1, 10, f"Demand presses beyond so many standard deviations; {DEVIATIONS:g} unless said."
    )
    ratio = number(1.05, 10, f"Conversion presses beyond so many times the usual; {RATIO:g} unless said.")
    to = fields.String(
        validate=validate.OneOf([signals.LOWEST, signals.MEDIAN]),
        metadata={"description": f"Which competitor's price counts; {signals.MEDIAN} unless said."},
    )
    position_percent = number(-50, 50, "Where the price is wanted to that: -2 is two per cent below.")
    fresh_days = whole(
        1, 90, f"Competitors' prices count so many days after they were seen; {FRESH_DAYS} unless said."
    )

    @validates_schema
    def _makes_sense(self, data: Mapping[str, Any], **_: Any) -> None:
        strange = data.keys() - _OF_EVERY_SIGNAL - OPTIONS[data["signal"]]
        if strange:
            raise ValidationError({name: [NOT_HERE] for name in sorted(strange)})
        if data["signal"] == signals.STOCK_COVER and data.get("low_days", LOW_DAYS) >= data.get(
            "high_days", HIGH_DAYS
        ):
            raise ValidationError(EMPTY_RANGE, "high_days" if "high_days" in data else "low_days")


class PriceLimits(Strict):
    """Floor and ceiling of one product, before those of the rule."""

    product_id = ProductIdOrNumber()
    floor = _money("No price of it is lower")
    ceiling = _money("No price of it is higher")

    @validates_schema
    def _makes_sense(self, data: Mapping[str, Any], **_: Any) -> None:
        if "product_id" not in data:
            raise ValidationError(NO_PRODUCTS, "product_id")
        if not {"floor", "ceiling"} & data.keys():
            raise ValidationError(NO_LIMIT)
        _check_range(data)


def _check_range(data: Mapping[str, Any]) -> None:
    if data.get("floor", 0) > data.get("ceiling", LARGEST_MONEY):
        raise ValidationError(EMPTY_RANGE, "ceiling")


class PriceGuards(Strict):
    """What no price of the rule breaks."""

    floor = _money("No price is lower")
    ceiling = _money("No price is higher")
    floor_percent = number(1, 100, "No price is lower than so much of what the merchant set last.")
    ceiling_percent = number(100, 500, "No price is higher than so much of what the merchant set last.")
    single = list_of(
        fields.Nested(PriceLimits), MOST_LISTED, "Floors and ceilings of single products.", least=None
    )
    least_margin_percent = number(
        0, 95, "Of the price without tax, what is left at least after the cost of the piece; 0 unless said."
    )
    tax_percent = number(
        0, 50, "Tax that prices contain, of the price without it; as the orders tell unless said."
    )
    largest_step_percent = number(
        0.1, 30, f"By how much one change moves a price at most; {STEP_PERCENT:g} unless said."
    )
    least_step_percent = number(
        0, 10, f"Changes of less are not worth the unrest; {LEAST_STEP_PERCENT:g} unless said."
    )
    cooling_hours = whole(1, 720, f"How long a price stands at least; {COOLING_HOURS} unless said.")
    endings = list_of(
        fields.String(validate=_ENDING),
        MOST_ENDINGS,
        "How prices end, such as .99, in major units.",
        least=None,
    )

    @validates_schema
    def _makes_sense(self, data: Mapping[str, Any], **_: Any) -> None:
        _check_range(data)
        if data.get("least_step_percent", LEAST_STEP_PERCENT) > data.get(
            "largest_step_percent", STEP_PERCENT
        ):
            name = "least_step_percent" if "least_step_percent" in data else "largest_step_percent"
            raise ValidationError(LEAST_IS_MORE, name)
        listed = [each["product_id"] for each in data.get("single", ())]
        if len(set(listed)) < len(listed):
            raise ValidationError(PRODUCT_TWICE, "single")


class PriceHours(Strict):
    """Hours in the store's time zone."""

    weekdays, from_, to = times("On these days; every day unless said.")

    @validates_schema
    def _makes_sense(self, data: Mapping[str, Any], **_: Any) -> None:
        check_times(data)


class PriceRuleFields(Strict):
    """What the merchant says of a price rule."""

    name = fields.String(required=True, validate=TEXT, metadata={"description": "What people call it."})
    mode = fields.String(
        required=True,
        validate=validate.OneOf(MODES),
        metadata={"description": "suggest: to look at; approve: waits for you; automatic: writes by itself."},
    )
    active = Truth(load_default=True, metadata={"description": "False: it is paused."})
    priority = whole(0, 1000, f"A product follows the rule of the smallest; {PRIORITY} unless said.")
    products = fields.Nested(
        PriceSelection, required=True, metadata={"description": "Whose prices may move."}
    )
    without = fields.Nested(PriceSelection, metadata={"description": "Which of them are left alone."})
    signals = list_of(fields.Nested(PriceSignal), len(signals.NAMES), "What moves them.", required=True)
    guards = fields.Nested(PriceGuards, metadata={"description": "What no price breaks."})
    hours = fields.Nested(
        PriceHours, metadata={"description": "When the rule writes by itself; always unless said."}
    )
    reduced = Truth(
        metadata={"description": "True: products that the shop shows as reduced move too; false unless said."}
    )
    expires_hours = whole(
        1,
        720,
        f"After how long a proposal is void, and how long a no holds; {EXPIRES_HOURS} unless said.",
    )

    @validates_schema
    def _makes_sense(self, data: Mapping[str, Any], **_: Any) -> None:
        names = [each["signal"] for each in data.get("signals", ())]
        if len(set(names)) < len(names):
            raise ValidationError(SIGNAL_TWICE, "signals")


class PriceRuleCreation(PriceRuleFields):
    """A price rule, and what programs call it."""

    key = fields.String(required=True, validate=KEY, metadata={"description": "What programs call it."})


class PriceRuleState(PriceRuleFields):
    """A price rule as it stands."""

    key = fields.String(required=True)
    active = Truth(required=True)
    currency = fields.String(required=True, metadata={"description": "Of its amounts."})
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)


class PriceRulesState(Schema):
    """The store's price rules, by key."""

    rules = fields.List(fields.Nested(PriceRuleState), required=True)


class PriceRuleDeleted(Schema):
    """The rule that is gone."""

    deleted = fields.String(required=True)


class PriceChangeState(Schema):
    """A proposed or written change of one variant's price; amounts in minor units."""

    id = fields.Integer(required=True)
    rule = fields.String(required=True, allow_none=True, attribute="rule_key")
    product_id = fields.String(required=True)
    variant_id = fields.String(
        required=True, metadata={"description": "Of a product without variants its own id."}
    )
    currency = fields.String(required=True)
    old_price = fields.Integer(required=True)
    new_price = fields.Integer(required=True)
    old_compare_at_price = fields.Integer(required=True, allow_none=True)
    new_compare_at_price = fields.Integer(required=True, allow_none=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    reason = fields.String(required=True, metadata={"description": "Why, in a sentence."})
    signals = fields.Dict(
        required=True, metadata={"description": "What it follows from, and the guards that bound it."}
    )
    experiment = fields.String(required=True, allow_none=True)
    arm = fields.String(required=True, allow_none=True)
    actor = fields.String(
        required=True, metadata={"description": "Whose decision it was: merchant or automatic."}
    )
    problem = fields.String(
        required=True, allow_none=True, metadata={"description": "Why it did not go on, in a sentence."}
    )
    undo_of = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The change that this one takes back."}
    )
    proposed_at = fields.AwareDateTime(required=True)
    decided_at = fields.AwareDateTime(required=True, allow_none=True)
    written_at = fields.AwareDateTime(required=True, allow_none=True)
    undone_at = fields.AwareDateTime(required=True, allow_none=True)


class _Page(Schema):
    """Which page, newest first."""

    rule = fields.String(validate=KEY, metadata={"description": "Of this rule."})
    product_id = ProductIdOrNumber()
    limit = PageLimit()
    cursor = Cursor()


class PriceProposalsQuery(_Page):
    """Which proposals that wait, newest first."""

    state = fields.String(validate=validate.OneOf(WAITING))


class PriceChangesQuery(_Page):
    """Which changes, newest first."""

    state = fields.String(validate=validate.OneOf(STATES))


class PriceProposalsPage(Schema):
    """A page of proposals; ``next_cursor`` is null on the last."""

    proposals = fields.List(fields.Nested(PriceChangeState), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PriceChangesPage(Schema):
    """A page of changes; ``next_cursor`` is null on the last."""

    changes = fields.List(fields.Nested(PriceChangeState), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PriceLook(Strict):
    """What to look at now."""

    rule = fields.String(validate=KEY, metadata={"description": "Look at this rule; at all unless said."})
    products = list_of(
        ProductIdOrNumber(),
        MOST_NAMED,
        "Look at these products; null: at all, soon.",
        required=True,
        allow_none=True,
    )


class PriceKept(Schema):
    """How many variants keep their price, and why."""

    reason = fields.String(required=True, validate=validate.OneOf([*REASONS, ASLEEP]))
    variants = fields.Integer(required=True)


class PriceLookState(Schema):
    """What a look came to. ``queued``: it is done soon, and its proposals are found in the list."""

    queued = fields.Boolean(required=True)
    proposals = fields.List(fields.Nested(PriceChangeState), required=True)
    standing = fields.Integer(
        required=True, metadata={"description": "Proposals from before that still hold."}
    )
    void = fields.Integer(required=True, metadata={"description": "Those that do not."})
    kept = fields.List(fields.Nested(PriceKept), required=True)


class PriceUndoing(Strict):
    """How to take prices back."""

    force = Truth(
        load_default=False,
        metadata={"description": "True: also over what somebody else changed in the shop since."},
    )


class PriceNotUndone(Schema):
    """A price that is left as it is."""

    change_id = fields.Integer(required=True)
    variant_id = fields.String(required=True)
    reason = fields.String(required=True)


class PriceUndoState(Schema):
    """Changes that restore prices, written next, and what is left alone."""

    changes = fields.List(fields.Nested(PriceChangeState), required=True)
    refused = fields.List(fields.Nested(PriceNotUndone), required=True)
