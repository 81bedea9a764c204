"""Reports for the merchant's own programs: what can be recommended and what it takes, and how channels differ."""

from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from app.commerce.access import SERVER_DOC, server_blueprint
from app.commerce.store import Store, StoreAccess
from app.core.db import db
from app.core.errors import NotFound
from app.core.fields import ProductId
from app.recommendations import channels, holding, readiness
from app.recommendations.promotion import SENTENCES, Outcome

blueprint = server_blueprint(
    "reports",
    __name__,
    url_prefix="/v1/reports",
    description="What can be recommended, and how channels differ.",
)


class ReadinessQuery(Schema):
    """Which product, if any."""

    product_id = ProductId(metadata={"description": "Report on this product, too."})


class StoreSource(Schema):
    """One kind of recommendations of a store."""

    reason = fields.String(required=True, validate=validate.OneOf(readiness.REASONS))
    ready = fields.Boolean(required=True, metadata={"description": "It has something to show today."})
    needs_orders = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "At least so many; null where more than 1000."},
    )
    more_orders = fields.Integer(required=True, allow_none=True)


class StoreReadiness(Schema):
    """How a store stands."""

    orders = fields.Integer(required=True, metadata={"description": "Orders learned from."})
    products = fields.Integer(required=True, metadata={"description": "Products on show."})
    sources = fields.List(fields.Nested(StoreSource), required=True)


class ProductSource(Schema):
    """One kind of recommendations for a product."""

    reason = fields.String(required=True, validate=validate.OneOf(readiness.REASONS))
    candidates = fields.Integer(required=True)


class ProductReadiness(Schema):
    """How a product stands."""

    product_id = fields.String(required=True)
    title = fields.String(required=True)
    orders = fields.Integer(required=True)
    more_orders = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "Orders with it until something could be shown as bought together; null where orders of"
            " other things are needed, too."
        },
    )
    answers_with = fields.String(required=True, allow_none=True, validate=validate.OneOf(readiness.REASONS))
    sources = fields.List(fields.Nested(ProductSource), required=True)


class ReadinessReport(Schema):
    """How the store stands, and the product that was asked about."""

    store = fields.Nested(StoreReadiness, required=True)
    product = fields.Nested(ProductReadiness, required=True, allow_none=True)


@blueprint.route("/readiness", methods=["GET"])
@blueprint.doc(**SERVER_DOC, responses={404: "NOT_FOUND"})
@blueprint.arguments(ReadinessQuery, location="query")
@blueprint.response(200, ReadinessReport)
def read_readiness(query: dict[str, Any]) -> dict[str, Any]:
    """Report what answers today and how many more orders the rest needs."""
    access: StoreAccess = g.access
    store = db.session.get_one(Store, access.store_id)
    product_id = query.get("product_id")
    product = readiness.of_product(store, product_id) if product_id else None
    if product_id and product is None:
        raise NotFound(f"This store has no product {product_id[:50]!r}.")
    return {"store": readiness.of_store(store), "product": product}


class ChannelsQuery(Schema):
    """Which pairs, and since when."""

    product_id = ProductId(metadata={"description": "Pairs of this product; else the store's strongest."})
    limit = fields.Integer(load_default=10, validate=validate.Range(1, channels.MOST_PAIRS))
    days = fields.Integer(
        load_default=channels.DAYS,
        validate=validate.Range(1, 3650),
        metadata={"description": "How far back orders are counted."},
    )


class ChannelOrders(Schema):
    """A channel and its orders."""

    channel = fields.String(required=True)
    orders = fields.Integer(required=True)


class ChannelPair(Schema):
    """How a pair stands in a channel."""

    channel = fields.String(required=True)
    orders = fields.Integer(required=True, metadata={"description": "Orders with both."})
    product_orders = fields.Integer(required=True)
    other_orders = fields.Integer(required=True)
    support = fields.Float(required=True)
    confidence = fields.Float(required=True)
    lift = fields.Float(required=True)


class ChannelDifference(Schema):
    """Whether the confidence of a pair differs between till and online."""

    p_value = fields.Float(required=True)
    adjusted_p_value = fields.Float(
        required=True, metadata={"description": "By Benjamini and Hochberg, for all pairs of the report."}
    )
    significant = fields.Boolean(required=True)
    more_in = fields.String(required=True, allow_none=True, metadata={"description": "pos or online."})


class ComparedPair(Schema):
    """A pair in all channels."""

    product_id = fields.String(required=True)
    title = fields.String(required=True)
    other_id = fields.String(required=True)
    other_title = fields.String(required=True)
    channels = fields.List(fields.Nested(ChannelPair), required=True)
    difference = fields.Nested(ChannelDifference, required=True, allow_none=True)


class ChannelsReport(Schema):
    """Pairs by channel."""

    since = fields.AwareDateTime(required=True)
    test = fields.String(required=True, validate=validate.OneOf([channels.TEST]))
    false_discovery_rate = fields.Float(required=True)
    channels = fields.List(fields.Nested(ChannelOrders), required=True)
    pairs = fields.List(fields.Nested(ComparedPair), required=True)


@blueprint.route("/channels", methods=["GET"])
@blueprint.doc(**SERVER_DOC, responses={404: "NOT_FOUND"})
@blueprint.arguments(ChannelsQuery, location="query")
@blueprint.response(200, ChannelsReport)
def read_channels(query: dict[str, Any]) -> dict[str, Any]:
    """Report what is bought together in each channel, and where till and online differ."""
    access: StoreAccess = g.access
    store = db.session.get_one(Store, access.store_id)
    product_id = query.get("product_id")
    found = channels.report(store, product_id, query["limit"], query["days"])
    if found is None:
        raise NotFound(f"This store has no product {(product_id or '')[:50]!r}.")
    return found


class ModelsQuery(Schema):
    """How many tests."""

    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class HeldModel(Schema):
    """A kept model answers."""

    since = fields.AwareDateTime(required=True)
    reason = fields.String(required=True, validate=validate.OneOf([outcome.value for outcome in Outcome]))
    explanation = fields.String(required=True)


class ModelTest(Schema):
    """A test of a model."""

    version = fields.Integer(required=True)
    kind = fields.String(required=True, validate=validate.OneOf([holding.REBUILD, holding.WATCH]))
    passed = fields.Boolean(required=True)
    reason = fields.String(required=True, validate=validate.OneOf([outcome.value for outcome in Outcome]))
    explanation = fields.String(required=True)
    measures = fields.Dict(
        required=True, metadata={"description": "Orders asked about, shares of right answers, chances."}
    )
    checked_at = fields.AwareDateTime(required=True)


class ModelsReport(Schema):
    """Which model answers, and the tests."""

    version = fields.Integer(required=True, metadata={"description": "Of the newest model; 0 for none."})
    held = fields.Nested(HeldModel, required=True, allow_none=True)
    checks = fields.List(fields.Nested(ModelTest), required=True)


@blueprint.route("/models", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(ModelsQuery, location="query")
@blueprint.response(200, ModelsReport)
def read_models(query: dict[str, Any]) -> dict[str, Any]:
    """Report whether the newest model answers, and how models stood their tests."""
    access: StoreAccess = g.access
    connection = db.session.connection()
    checks = holding.checks(connection, access.store_id, query["limit"])
    return {
        **holding.state(connection, access.store_id),
        "checks": [{**check, "explanation": SENTENCES[Outcome(check["reason"])]} for check in checks],
    }
