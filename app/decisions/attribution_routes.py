"""What answers led to, for the merchant's own programs."""

from datetime import timedelta
from typing import Any

from flask import Response, g
from marshmallow import Schema, fields, validate

from app.commerce.access import SERVER_DOC, server_blueprint
from app.commerce.store import StoreAccess
from app.core.api import json_response
from app.core.db import db, now
from app.decisions import attribution

blueprint = server_blueprint(
    "attribution_reports", __name__, url_prefix="/v1/reports", description="What answers led to."
)


class AttributionQuery(Schema):
    """How far back."""

    days = fields.Integer(
        load_default=28,
        validate=validate.Range(min=1, max=90),
        metadata={"description": "Days until now."},
    )


class ProductFunnel(Schema):
    """What came of a product that was shown."""

    product_id = fields.String(required=True)
    people = fields.Integer(required=True, metadata={"description": "Visitors who saw it."})
    impressions = fields.Integer(required=True)
    clicks = fields.Integer(required=True)
    adds = fields.Integer(required=True)
    orders = fields.Integer(required=True)
    revenue = fields.Integer(required=True, metadata={"description": "Credited, in minor units, net."})


class AnswerFunnel(Schema):
    """What came of the answers of one slot, strategy and reason."""

    slot = fields.String(required=True, allow_none=True)
    strategy = fields.String(required=True)
    reason = fields.String(required=True)
    views = fields.Integer(required=True, metadata={"description": "Boxes that came on screen."})
    empty = fields.Integer(required=True, metadata={"description": "Of these, with nothing in them."})
    people = fields.Integer(required=True)
    impressions = fields.Integer(required=True, metadata={"description": "Products in those boxes."})
    clicks = fields.Integer(required=True)
    adds = fields.Integer(required=True)
    orders = fields.Integer(required=True)
    revenue = fields.Integer(required=True)


class AttributionState(Schema):
    """What answers led to, of visitors who agreed to analytics."""

    from_ = fields.AwareDateTime(required=True, data_key="from")
    to = fields.AwareDateTime(required=True)
    currency = fields.String(required=True)
    rule = fields.String(required=True, metadata={"description": "How orders are credited."})
    orders = fields.Integer(required=True, metadata={"description": "All orders of the store."})
    revenue = fields.Integer(required=True)
    credited_orders = fields.Integer(required=True)
    credited_revenue = fields.Integer(required=True)
    answers = fields.List(fields.Nested(AnswerFunnel), required=True)
    products = fields.List(fields.Nested(ProductFunnel), required=True)


@blueprint.route("/attribution", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(AttributionQuery, location="query")
@blueprint.response(200, AttributionState)
def read_attribution(query: dict[str, Any]) -> Response:
    """Return what answers led to: seen, clicked, added, ordered, by slot, strategy and reason, and by product."""
    access: StoreAccess = g.access
    until = now()
    since = until - timedelta(days=query["days"])
    return json_response(attribution.report(db.session.connection(), access.store_id, since, until))
