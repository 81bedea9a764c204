"""The merchant's view of the inbox: list deliveries, replay them."""

from typing import Any

from flask import g
from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from sqlalchemy import select

from app.commerce.access import SERVER_DOC, server_blueprint
from app.commerce.store import StoreAccess
from app.core.db import db
from app.core.fields import Cursor, PageLimit, Shape, Strict
from app.core.paging import newest_first, page_of
from webhooks.jobs import replay
from webhooks.models import STATUSES, WebhookDelivery

blueprint = server_blueprint(
    "deliveries",
    __name__,
    url_prefix="/v1/webhooks/deliveries",
    description="What the platform delivered, and what became of it.",
)
_TOPIC = Shape(r"^[a-z0-9_./\-]{1,200}$", error="Not a topic.")


class DeliveryId(fields.String):
    """A delivery's id, as the list gives it."""

    def __init__(self) -> None:
        super().__init__(validate=Shape(r"^[1-9][0-9]{0,17}$", error="Not the id of a delivery."))


class DeliveriesQuery(Schema):
    """Which deliveries, newest first."""

    status = fields.String(validate=validate.OneOf(STATUSES))
    topic = fields.String(validate=_TOPIC)
    limit = PageLimit()
    cursor = Cursor()


class Delivery(Schema):
    """One delivery, without its body."""

    id = fields.String(required=True)
    topic = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    reason = fields.String(required=True, allow_none=True)
    received_at = fields.AwareDateTime(required=True)
    processed_at = fields.AwareDateTime(required=True, allow_none=True)


class DeliveriesPage(Schema):
    """A page of deliveries; ``next_cursor`` is null on the last."""

    deliveries = fields.List(fields.Nested(Delivery), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ReplayRequest(Strict):
    """Which deliveries to process again. At least one condition."""

    ids = fields.List(DeliveryId(), validate=validate.Length(min=1, max=1000))
    status = fields.String(validate=validate.OneOf(STATUSES))
    topic = fields.String(validate=_TOPIC)
    reason = fields.String(
        validate=Shape(r"^[^\x00-\x1f]{1,100}$", error="Not a reason."),
        metadata={"description": "Beginning of the reason."},
    )
    since = fields.AwareDateTime()
    until = fields.AwareDateTime()

    @validates_schema
    def _some_condition(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError("Name at least one condition, such as a status.")


class ReplayAnswer(Schema):
    """How many deliveries are pending again."""

    replayed = fields.Integer(required=True)


@blueprint.route("", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(DeliveriesQuery, location="query")
@blueprint.response(200, DeliveriesPage)
def list_deliveries(query: dict[str, Any]) -> dict[str, Any]:
    """List the store's deliveries, newest first."""
    access: StoreAccess = g.access
    rows = select(WebhookDelivery).where(WebhookDelivery.store_id == access.store_id)
    for name in ("status", "topic"):
        if name in query:
            rows = rows.where(getattr(WebhookDelivery, name) == query[name])
    limit = query["limit"]
    found = db.session.scalars(newest_first(rows, WebhookDelivery.id, limit + 1, query.get("cursor"))).all()
    page, next_cursor = page_of(found, limit, lambda row: Cursor.of(row.id))
    return {"deliveries": page, "next_cursor": next_cursor}


@blueprint.route("/replay", methods=["POST"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(ReplayRequest)
@blueprint.response(200, ReplayAnswer)
def replay_deliveries(wanted: dict[str, Any]) -> dict[str, int]:
    """Process the store's matching deliveries again. Newer news is never overwritten."""
    access: StoreAccess = g.access
    ids = [int(id_) for id_ in wanted.pop("ids")] if "ids" in wanted else None
    return {"replayed": replay(access.store_id, ids=ids, **wanted)}
