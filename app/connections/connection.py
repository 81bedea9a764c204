"""``GET /v1/connection``: how the store's ties to its platform stand."""

from typing import Any

from flask import g
from marshmallow import Schema, fields

from app.commerce.access import SERVER_DOC, server_blueprint
from app.commerce.store import Store
from app.connections.status import connection_status
from app.core.db import db

blueprint = server_blueprint(
    "connection",
    __name__,
    url_prefix="/v1/connection",
    description="How the store's ties to its platform stand.",
)


class WalkState(Schema):
    """One walk through what the platform has."""

    kind = fields.String(required=True, metadata={"description": "`backfill`, `changes` or `listing`."})
    resource = fields.String(required=True, metadata={"description": "`products` or `orders`."})
    state = fields.String(required=True, metadata={"description": "`running`, `done` or `failed`."})
    done = fields.Integer(required=True)
    total = fields.Integer(required=True, allow_none=True)
    problem = fields.String(required=True, allow_none=True)
    notes = fields.List(fields.String(), required=True)
    started_at = fields.DateTime(required=True)
    finished_at = fields.DateTime(required=True, allow_none=True)


class Gap(Schema):
    """What the platform has against what is stored."""

    resource = fields.String(required=True)
    platform = fields.Integer(required=True, allow_none=True)
    stored = fields.Integer(required=True, allow_none=True)
    checked_at = fields.DateTime(required=True)


class Webhooks(Schema):
    """What the last look at the store's webhooks found."""

    active = fields.List(fields.String(), required=True)
    mended = fields.List(fields.String(), required=True)
    problems = fields.List(fields.String(), required=True)
    checked_at = fields.DateTime(required=True)


class Stored(Schema):
    """How many are stored."""

    products = fields.Integer(required=True)
    orders = fields.Integer(required=True)


class Connection(Schema):
    """How a store's ties to its platform stand."""

    store = fields.String(required=True)
    platform = fields.String(required=True)
    state = fields.String(
        required=True,
        metadata={"description": "`connected`, `webhooks_only`, `reconnect_needed` or `uninstalled`."},
    )
    problem = fields.String(required=True, allow_none=True)
    connected_at = fields.DateTime(required=True, allow_none=True)
    installed_at = fields.DateTime(required=True)
    uninstalled_at = fields.DateTime(required=True, allow_none=True)
    stored = fields.Nested(Stored, required=True)
    walks = fields.List(fields.Nested(WalkState), required=True)
    gaps = fields.List(fields.Nested(Gap), required=True)
    webhooks = fields.Nested(Webhooks, required=True, allow_none=True)


@blueprint.route("", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, Connection)
def show() -> dict[str, Any]:
    """Say how the connection stands.

    Progress of the backfill, gaps between the platform and what is stored, the state of the webhooks, what is
    wrong.
    """
    return connection_status(db.session.get_one(Store, g.access.store_id))
