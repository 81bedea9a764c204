"""What the recommendation routes take and give."""

from typing import Any, Final

from marshmallow import EXCLUDE, Schema, fields, post_load, validate

from app.commerce.offers import DiscountKind
from app.core.fields import (
    DEVICES,
    LARGEST_MONEY,
    ProductId,
    ProductIdOrNumber,
    Shape,
    Strict,
    Truth,
    WholeNumber,
)
from app.events.intent import State
from app.recommendations.selection import CROSS_SELL, UPSELL
from app.recommendations.strategies import MAX_CART, MAX_LIMIT, MAX_VIEWED, SLOTS, STRATEGIES

_VISITOR = validate.Length(max=200)
_LIMIT = validate.Range(min=1, max=MAX_LIMIT)
_CART_VALUE: Final[dict[str, Any]] = {
    "validate": validate.Range(min=0, max=LARGEST_MONEY),
    "metadata": {
        "description": "What is in the cart, in minor units of the store's currency. Left out: one of each product."
    },
}


class ProductIds(fields.String):
    """Product ids separated by commas, as text: ``product_ids`` takes it apart."""

    def __init__(self, most: int, **kwargs: Any) -> None:
        one = r"[A-Za-z0-9_:/.\-]{0,100}"
        shape = Shape(
            f"^({one},){{0,{most - 1}}}{one}$",
            error=f"Not product ids separated by commas, {most} at most.",
        )
        super().__init__(validate=shape, **kwargs)


def product_ids(listed: str) -> list[str]:
    """Return the product ids that a query lists."""
    return [id_ for id_ in listed.split(",") if id_]


class CircumstancesFields(Schema):
    """What a page says beside what it asks. Only the merchant's rules and experiments look at it."""

    channel = fields.String(
        validate=Shape(r"^[a-z][a-z0-9_]{0,39}$", error="Not a channel such as online or pos."),
        metadata={"description": "Where it is asked; online unless said otherwise."},
    )
    country = fields.String(
        validate=Shape(r"^[A-Z]{2}$", error="Not an ISO 3166-1 alpha-2 code such as NZ."),
        metadata={"description": "The shopper's country, ISO 3166-1 alpha-2."},
    )
    device = fields.String(validate=validate.OneOf(DEVICES))
    cart_value = fields.Integer(**_CART_VALUE)


class CircumstancesBody(CircumstancesFields):
    """The same in JSON, where numbers are no text."""

    cart_value = WholeNumber(**_CART_VALUE)


class RecommendationsQuery(CircumstancesFields):
    """One slot, as a query."""

    class Meta:
        unknown = EXCLUDE

    slot = fields.String(
        load_default="product",
        validate=validate.OneOf(list(SLOTS)),
        metadata={"description": "The place on the page."},
    )
    product_id = ProductId(metadata={"description": "The product of the page."})
    cart = ProductIds(
        MAX_CART,
        metadata={
            "description": "Product ids in the cart, separated by commas. Left out: what the session tells."
        },
    )
    viewed = ProductIds(
        MAX_VIEWED,
        load_default="",
        metadata={
            "description": "Products that the shopper looked at, last one first, separated by commas;"
            " such answers are private."
        },
    )
    limit = fields.Integer(validate=_LIMIT, metadata={"description": "How many products at most."})
    visitor_id = fields.String(
        validate=_VISITOR,
        metadata={
            "description": "An anonymous id; such answers are private. Better sent as X-Pannier-Visitor."
        },
    )


class PersonHeaders(Schema):
    """Who asks. Headers rather than addresses, which stand in logs."""

    class Meta:
        unknown = EXCLUDE

    @post_load
    def _named(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value}

    visitor_id = fields.String(
        data_key="X-Pannier-Visitor",
        validate=_VISITOR,
        metadata={"description": "An anonymous id. Counts only where that visitor allowed it."},
    )
    customer_token = fields.String(
        data_key="X-Pannier-Customer",
        validate=validate.Length(max=1000),
        metadata={
            "description": "The token of who is logged in, from the shop. One that is not valid names nobody."
        },
    )


_PERSONAL = {
    "description": "Whether the shop states that this customer agreed to be recognised. With a secret key alone."
}


class SlotRequest(Strict):
    """One slot of a batch."""

    slot = fields.String(required=True, validate=validate.OneOf(list(SLOTS)))
    product_id = ProductIdOrNumber(load_default=None, allow_none=True)
    cart = fields.List(
        ProductIdOrNumber(),
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=MAX_CART),
        metadata={"description": "Null or left out: what the session tells."},
    )
    viewed = fields.List(ProductIdOrNumber(), load_default=[], validate=validate.Length(max=MAX_VIEWED))
    limit = WholeNumber(load_default=None, allow_none=True, validate=_LIMIT)
    visitor_id = fields.String(
        load_default=None,
        allow_none=True,
        validate=_VISITOR,
        metadata={"description": "No effect: a page has one visitor, who stands beside the requests."},
    )


class BatchRequest(Strict, CircumstancesBody):
    """Several slots of one page; no product is recommended twice."""

    requests = fields.List(fields.Nested(SlotRequest), required=True, validate=validate.Length(min=1, max=10))
    visitor_id = fields.String(load_default=None, allow_none=True, validate=_VISITOR)
    customer_id = ProductIdOrNumber(load_default=None, allow_none=True)
    personal = Truth(load_default=False, metadata=_PERSONAL)


class UpsellRequest(CircumstancesBody):
    """A cart, and what to offer with it."""

    class Meta:
        unknown = EXCLUDE

    user_id = fields.Raw(load_default=None, allow_none=True)
    visitor_id = fields.String(load_default=None, allow_none=True, validate=_VISITOR)
    personal = Truth(load_default=False, metadata=_PERSONAL)
    current_cart = fields.List(ProductIdOrNumber(), required=True, validate=validate.Length(max=MAX_CART))
    strategy = fields.String(
        load_default="frequently_bought_together", validate=validate.OneOf(list(STRATEGIES))
    )
    limit = WholeNumber(load_default=4, validate=_LIMIT)


class Price(Schema):
    """Money in minor units."""

    amount = fields.Integer(required=True)
    currency = fields.String(required=True, metadata={"description": "ISO 4217"})


class Evidence(Schema):
    """Why: what was counted. Which of these are there follows from the reason."""

    orders = fields.Integer(metadata={"description": "Orders with both products (or with this one)."})
    confidence = fields.Float(metadata={"description": "Share of the product's orders that hold both."})
    lift = fields.Float(metadata={"description": "How many times more often than by chance."})
    llr = fields.Float(metadata={"description": "Log-likelihood ratio; above 10.83 is p < 0.001."})
    with_ = fields.String(data_key="with", metadata={"description": "The product that it goes with."})
    customers = fields.Integer(metadata={"description": "Customers who bought both, in whichever orders."})
    people = fields.Integer(metadata={"description": "People who looked at both."})
    similarity = fields.Float(metadata={"description": "How alike, 0 to 1."})
    category = fields.String(metadata={"description": "The category that goes with the product's own."})
    before = fields.Float(metadata={"description": "Orders that earlier weeks let expect."})
    growth = fields.Float(metadata={"description": "Orders, by those expected."})
    times = fields.Integer(metadata={"description": "How often the customer bought it."})
    days = fields.Float(
        metadata={"description": "Days that customers usually let pass before they buy it again."}
    )


class OfferDiscount(Schema):
    """How much an offer gives."""

    kind = fields.String(required=True, validate=validate.OneOf(list(DiscountKind)))
    value = fields.Integer(
        required=True,
        metadata={"description": "Hundredths of a percent, or minor units of the offer's currency."},
    )


class Offer(Schema):
    """A discount on products that are bought together; the checkout gives it."""

    id = fields.String(required=True)
    title = fields.String(required=True)
    products = fields.List(
        fields.String(), required=True, metadata={"description": "All that must be in the cart, one of each."}
    )
    discounted = fields.List(
        fields.String(), required=True, metadata={"description": "Those that the discount is on."}
    )
    discount = fields.Nested(OfferDiscount, required=True)
    currency = fields.String(required=True)
    code = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "A coupon that the cart must carry, where the shop needs one."},
    )
    was_proven = fields.Boolean(
        required=True,
        metadata={"description": "The sum of the list prices may be shown as the price before."},
    )


class Recommendation(Schema):
    """One recommended product."""

    product_id = fields.String(required=True)
    variant_id = fields.String(required=True, allow_none=True)
    title = fields.String(required=True)
    url = fields.String(required=True, allow_none=True)
    image_url = fields.String(required=True, allow_none=True)
    price = fields.Nested(Price, required=True, allow_none=True)
    available = fields.Boolean(required=True)
    reason = fields.String(required=True, metadata={"description": "What may be claimed."})
    relation = fields.String(
        required=True,
        validate=validate.OneOf([CROSS_SELL, UPSELL]),
        metadata={"description": "Beside the page's product, or in its place."},
    )
    evidence = fields.Nested(Evidence, required=True)
    offer = fields.Nested(
        Offer, required=True, allow_none=True, metadata={"description": "Null where none is live."}
    )


_INTENT = {"description": "Null where the answer comes from no session."}


class Intent(Schema):
    """What the running session shows the visitor to be about."""

    state = fields.String(required=True, validate=validate.OneOf(list(State)))
    reason = fields.String(required=True, metadata={"description": "What it was read from, in a sentence."})


_EXPERIMENT = {"description": "Null where the visitor is in none, or may not be recognised."}


class ArmOfExperiment(Schema):
    """The arm of an experiment that the answer comes from."""

    key = fields.String(
        required=True, metadata={"description": "Its key; ``slot:<slot>`` is the slot's own control."}
    )
    arm = fields.String(required=True)


class Answer(Schema):
    """The recommendations of one slot."""

    decision_id = fields.String(required=True)
    slot = fields.String(required=True, allow_none=True)
    strategy = fields.String(required=True)
    model_version = fields.String(required=True)
    recommendations = fields.List(fields.Nested(Recommendation), required=True)
    experiment = fields.Nested(ArmOfExperiment, required=True, allow_none=True, metadata=_EXPERIMENT)
    intent = fields.Nested(Intent, required=True, allow_none=True, metadata=_INTENT)


class BatchAnswer(Schema):
    """The recommendations of several slots, in the order asked."""

    results = fields.List(fields.Nested(Answer), required=True)


class UpsellAnswer(Schema):
    """What to offer with the cart."""

    decision_id = fields.String(required=True)
    strategy = fields.String(required=True)
    recommendations = fields.List(fields.Nested(Recommendation), required=True)
    intent = fields.Nested(Intent, required=True, allow_none=True, metadata=_INTENT)
