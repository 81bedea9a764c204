"""What the merchant's programs say of offers, and what they are told."""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.bundles import keeping
from app.bundles.limits import Limits
from app.bundles.making import Draft
from app.bundles.states import State
from app.commerce.offers import FEWEST_COMPONENTS, MOST_COMPONENTS, WHOLE, Component, Discount, DiscountKind
from app.core.fields import TEXT, Cursor, PageLimit, ProductIdOrNumber, Strict, Truth, list_of, number, whole

_LARGEST_AMOUNT: Final = 10**12
_LARGEST_VERSION: Final = 2**31 - 1
_MOST_QUANTITY: Final = 100
_MOST_VARIANTS: Final = 100
_MOST_EXCLUDED: Final = 1_000
_MOST_LIVE: Final = 10_000
_LONGEST_DAYS: Final = 3_650
_SHARE: Final = "in hundredths of a percent"

# What a schema for machines cannot say.
ONE_FORM: Final = "Give components, or when and offer, not both."
TWICE: Final = "A product stands here twice."
NO_COMPONENT: Final = "This is none of the components."
TOO_LARGE: Final = f"A percentage is at most {WHOLE}."
OTHER_ORIGIN: Final = "With when and offer the origin is rule, with components it is manual."
ENDS_FIRST: Final = "It ends before it starts."
UNTOLD: Final = frozenset({ONE_FORM, TWICE, NO_COMPONENT, TOO_LARGE, OTHER_ORIGIN, ENDS_FIRST})


class OfferComponent(Strict):
    """A product that the offer needs in the cart."""

    product_id = ProductIdOrNumber(required=True)
    quantity = whole(1, _MOST_QUANTITY, "So many pieces of it.", load_default=1)
    variant_ids = list_of(
        ProductIdOrNumber(),
        _MOST_VARIANTS,
        "Variants that count; null: all do.",
        allow_none=True,
        load_default=None,
    )


class OfferDiscountFields(Strict):
    """How much the offer gives."""

    kind = fields.String(
        required=True,
        validate=validate.OneOf([kind.value for kind in DiscountKind]),
        metadata={"description": "Of the price of the discounted products, or an amount off their sum."},
    )
    value = whole(1, _LARGEST_AMOUNT, f"A percentage {_SHARE}, or minor units.", required=True)

    @validates_schema(skip_on_field_errors=True)
    def _in_range(self, data: Mapping[str, Any], **_: Any) -> None:
        if data["kind"] == DiscountKind.PERCENT and data["value"] > WHOLE:
            raise ValidationError(TOO_LARGE, "value")


class OfferCreation(Strict):
    """An offer to make: of components, or as the rule "if `when` is in the cart, offer `offer` for less"."""

    title = fields.String(
        required=True, validate=TEXT, metadata={"description": "What shoppers read beside the discount."}
    )
    components = list_of(
        fields.Nested(OfferComponent), MOST_COMPONENTS, "Products, all needed.", least=FEWEST_COMPONENTS
    )
    discounted = list_of(
        ProductIdOrNumber(), MOST_COMPONENTS, "Those of them that cost less; not given: all."
    )
    when = ProductIdOrNumber()
    offer = ProductIdOrNumber()
    discount = fields.Nested(OfferDiscountFields, required=True, metadata={"description": "How much."})
    starts_at = fields.AwareDateTime(metadata={"description": "From when; not given: at once."})
    ends_at = fields.AwareDateTime(metadata={"description": "Until when, exclusive; not given: until ended."})
    origin = fields.String(validate=validate.OneOf([keeping.MANUAL, keeping.RULE]))
    rule_id = fields.String(
        validate=TEXT, metadata={"description": "The merchant's rule that it comes from."}
    )
    approve = Truth(load_default=False, metadata={"description": "Approve it at once; else it waits."})
    beyond_limits = Truth(load_default=False, metadata={"description": "It may break the store's limits."})

    @validates_schema(skip_on_field_errors=True)
    def _whole_offer(self, data: Mapping[str, Any], **_: Any) -> None:
        by_rule = "when" in data and "offer" in data
        if ("when" in data) != ("offer" in data) or by_rule == ("components" in data):
            raise ValidationError(ONE_FORM, "components")
        if by_rule and "discounted" in data:
            raise ValidationError(ONE_FORM, "discounted")
        if data.get("origin", origin := keeping.RULE if by_rule else keeping.MANUAL) != origin:
            raise ValidationError(OTHER_ORIGIN, "origin")
        products = (
            [data["when"], data["offer"]] if by_rule else [part["product_id"] for part in data["components"]]
        )
        if len(set(products)) < len(products):
            raise ValidationError(TWICE, "offer" if by_rule else "components")
        discounted = data.get("discounted", [])
        if len(set(discounted)) < len(discounted):
            raise ValidationError(TWICE, "discounted")
        if not set(discounted) <= set(products):
            raise ValidationError(NO_COMPONENT, "discounted")
        if "starts_at" in data and "ends_at" in data and data["ends_at"] <= data["starts_at"]:
            raise ValidationError(ENDS_FIRST, "ends_at")


def draft_of(wanted: Mapping[str, Any]) -> Draft:
    """Return the offer that a body describes."""
    by_rule = "when" in wanted
    if by_rule:
        components: tuple[Component, ...] = (Component(wanted["when"]), Component(wanted["offer"]))
        discounted: tuple[str, ...] = (wanted["offer"],)
    else:
        components = tuple(_component(part) for part in wanted["components"])
        discounted = tuple(wanted.get("discounted") or [part.product_id for part in components])
    return Draft(
        title=wanted["title"],
        components=components,
        discounted=discounted,
        discount=Discount(DiscountKind(wanted["discount"]["kind"]), wanted["discount"]["value"]),
        origin=keeping.RULE if by_rule else keeping.MANUAL,
        rule_id=wanted.get("rule_id"),
        starts_at=wanted.get("starts_at"),
        ends_at=wanted.get("ends_at"),
    )


def _component(part: Mapping[str, Any]) -> Component:
    variants = part["variant_ids"]
    return Component(part["product_id"], part["quantity"], None if variants is None else tuple(variants))


class OfferStep(Strict):
    """A word on an offer as it was seen."""

    version = whole(1, _LARGEST_VERSION, "The version that was seen; another one is refused.")


class OfferStepWithNote(OfferStep):
    """The same, with a reason."""

    note = fields.String(validate=TEXT, metadata={"description": "Why, for people."})


class OfferApproval(OfferStep):
    """A yes."""

    title = fields.String(validate=TEXT, metadata={"description": "What shoppers are to read instead."})
    beyond_limits = Truth(load_default=False, metadata={"description": "It may break the store's limits."})


class OffersQuery(Schema):
    """Which offers."""

    state = fields.String(validate=validate.OneOf([state.value for state in State]))
    origin = fields.String(validate=validate.OneOf(keeping.ORIGINS))
    limit = PageLimit()
    cursor = Cursor()


def _excluded(each: fields.Field[Any], what: str) -> fields.List[Any]:
    return list_of(each, _MOST_EXCLUDED, what, least=None, load_default=list)


_DEFAULT: Final = Limits()


class OfferLimitsFields(Strict):
    """Within which limits offers may be made; what is not given has its default."""

    automatic = Truth(
        load_default=_DEFAULT.automatic,
        metadata={"description": "Proposals are approved by themselves; else they wait."},
    )
    maximum_discount = whole(
        0, WHOLE, f"Off the discounted products at most, {_SHARE}.", load_default=_DEFAULT.maximum_discount
    )
    minimum_margin = whole(
        0,
        WHOLE,
        f"What they must leave after the discount, of their price without tax, {_SHARE}.",
        load_default=_DEFAULT.minimum_margin,
    )
    included_tax = whole(
        0,
        WHOLE,
        f"Tax that prices contain, of the price without it, {_SHARE}.",
        load_default=_DEFAULT.included_tax,
    )
    most_live = whole(0, _MOST_LIVE, "Offers live at once.", load_default=_DEFAULT.most_live)
    least_stock = whole(
        0, _LARGEST_AMOUNT, "Pieces that a proposal needs of each.", load_default=_DEFAULT.least_stock
    )
    excluded_products = _excluded(ProductIdOrNumber(), "Products that are in no offer.")
    excluded_categories = _excluded(
        fields.String(validate=TEXT), "Categories whose products are in no offer, as the shop writes them."
    )
    excluded_tags = _excluded(
        fields.String(validate=TEXT), "Tags whose products are in no offer, as the shop writes them."
    )
    starts_at = fields.AwareDateTime(
        allow_none=True, load_default=None, metadata={"description": "Nothing is proposed before."}
    )
    ends_at = fields.AwareDateTime(
        allow_none=True, load_default=None, metadata={"description": "Every proposal ends by then."}
    )
    days = whole(
        1, _LONGEST_DAYS, "How long a proposed offer lasts.", allow_none=True, load_default=_DEFAULT.days
    )
    price_tolerance = whole(
        0,
        WHOLE,
        f"By so much a price may differ from the approved one, {_SHARE}.",
        load_default=_DEFAULT.price_tolerance,
    )
    elasticity = number(
        0,
        20,
        "How demand answers to a lower price; ranks proposals.",
        load_default=_DEFAULT.elasticity,
    )


def limits_from(wanted: Mapping[str, Any]) -> Limits:
    """Return the limits that a body describes."""
    read: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in wanted.items()
    }
    return Limits(**read)


# --- answers --------------------------------------------------------------------------------------------


class OfferComponentState(Schema):
    """A product that the offer needs in the cart."""

    product_id = fields.String(required=True)
    quantity = fields.Integer(required=True)
    variant_ids = fields.List(
        fields.String(), required=True, allow_none=True, metadata={"description": "Null: all count."}
    )


class OfferDiscountState(Schema):
    """How much the offer gives."""

    kind = fields.String(required=True, validate=validate.OneOf([kind.value for kind in DiscountKind]))
    value = fields.Integer(required=True, metadata={"description": f"A percentage {_SHARE}, or minor units."})


class OfferEvidence(Schema):
    """How often its products stand in one order."""

    products = fields.List(fields.String(), required=True, metadata={"description": "The anchor first."})
    orders = fields.Integer(required=True, metadata={"description": "Orders with all of them."})
    anchor_orders = fields.Integer(required=True, metadata={"description": "Orders with the first."})
    lift = fields.Float(required=True)
    llr = fields.Float(required=True)
    days = fields.Float(required=True, metadata={"description": "Over how many days."})


class OfferProfit(Schema):
    """What is expected of 30 days. Money in minor units."""

    expected = fields.Integer(
        required=True, metadata={"description": "Profit with the offer less profit without."}
    )
    before = fields.Float(required=True, metadata={"description": "Bought together anyway, times."})
    takes = fields.Float(required=True, metadata={"description": "Bought together with it, times."})
    margin = fields.Integer(required=True, metadata={"description": "What an additional take leaves."})
    discount = fields.Integer(required=True, metadata={"description": "What each take gives away."})
    elasticity = fields.Float(required=True)


class OfferEventState(Schema):
    """Something that happened to an offer."""

    at = fields.AwareDateTime(required=True)
    actor = fields.String(required=True, validate=validate.OneOf(keeping.ACTORS))
    action = fields.String(required=True)
    detail = fields.Dict(required=True)


class OfferState(Schema):
    """An offer."""

    key = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in State]))
    reason = fields.String(required=True, allow_none=True, metadata={"description": "Why, in a sentence."})
    reason_code = fields.String(required=True, allow_none=True, metadata={"description": "Why, in a word."})
    title = fields.String(required=True)
    components = fields.List(fields.Nested(OfferComponentState), required=True)
    discounted = fields.List(fields.String(), required=True)
    discount = fields.Nested(OfferDiscountState, required=True)
    currency = fields.String(required=True)
    starts_at = fields.AwareDateTime(required=True)
    ends_at = fields.AwareDateTime(required=True, allow_none=True)
    origin = fields.String(required=True, validate=validate.OneOf(keeping.ORIGINS))
    rule_id = fields.String(required=True, allow_none=True)
    evidence = fields.Nested(OfferEvidence, required=True, allow_none=True)
    profit = fields.Nested(OfferProfit, required=True, allow_none=True)
    prices = fields.Dict(
        required=True,
        metadata={"description": "When it was made or approved, by product and variant, minor units."},
    )
    on_platform = fields.Boolean(
        required=True, metadata={"description": "The shop grants it, whatever the state says."}
    )
    mechanism = fields.String(
        required=True, allow_none=True, metadata={"description": "What grants it in the shop."}
    )
    code = fields.String(
        required=True, allow_none=True, metadata={"description": "What a cart must carry, if anything."}
    )
    platform_limits = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Where the shop cannot keep the whole promise, a sentence each."},
    )
    attempts = fields.Integer(required=True, metadata={"description": "Failed tries in a row."})
    retry_at = fields.AwareDateTime(required=True, allow_none=True)
    version = fields.Integer(required=True)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)
    approved_at = fields.AwareDateTime(required=True, allow_none=True)
    approved_by = fields.String(required=True, allow_none=True)
    live_at = fields.AwareDateTime(required=True, allow_none=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)


class OfferFound(OfferState):
    """An offer and what happened to it."""

    events = fields.List(
        fields.Nested(OfferEventState), required=True, metadata={"description": "The newest first."}
    )


class OffersPage(Schema):
    """Offers, newest first."""

    offers = fields.List(fields.Nested(OfferState), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class OffersProposed(Schema):
    """Proposals that were made now."""

    offers = fields.List(
        fields.Nested(OfferState), required=True, metadata={"description": "The most profitable first."}
    )
    left_out = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "How many were none, by reason."},
    )


class OfferLimitsState(Schema):
    """The limits that hold."""

    automatic = fields.Boolean(required=True)
    maximum_discount = fields.Integer(required=True)
    minimum_margin = fields.Integer(required=True)
    included_tax = fields.Integer(required=True)
    most_live = fields.Integer(required=True)
    least_stock = fields.Integer(required=True)
    excluded_products = fields.List(fields.String(), required=True)
    excluded_categories = fields.List(fields.String(), required=True)
    excluded_tags = fields.List(fields.String(), required=True)
    starts_at = fields.AwareDateTime(required=True, allow_none=True)
    ends_at = fields.AwareDateTime(required=True, allow_none=True)
    days = fields.Integer(required=True, allow_none=True)
    price_tolerance = fields.Integer(required=True)
    elasticity = fields.Float(required=True)
