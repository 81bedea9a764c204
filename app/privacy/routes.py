"""``/v1/privacy``: a shop's server asks for what is kept of a person, or has it erased."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from flask import Response, g, url_for
from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from sqlalchemy import select

from app.commerce.access import SERVER_DOC, server_blueprint
from app.commerce.store import StoreAccess
from app.core.api import json_response, request_name
from app.core.crypto import vault
from app.core.db import db
from app.core.errors import NotFound
from app.core.fields import LARGEST_ID, VISIBLE, Strict, list_of
from app.core.queues import UPKEEP, enqueue
from app.privacy import requests
from app.privacy.jobs import CARRY_OUT
from app.privacy.models import PrivacyExport, PrivacyRequestRecord
from app.privacy.notices import notice_of
from app.privacy.requests import ERASURE, EXPORT, OF_PEOPLE
from app.privacy.subjects import visitor_node
from connectors.personal import email_address

blueprint = server_blueprint(
    "privacy", __name__, url_prefix="/v1/privacy", description="What people may ask of their data."
)

_MOST_ORDERS: Final = 1000
_SHOWN: Final = 200


class Whom(Strict):
    """Whom it is about. Of several, all belong to one person."""

    email = fields.String(
        validate=validate.Length(min=1, max=320),
        metadata={"description": "An e-mail address. Its keyed hash alone is kept, until it is done."},
    )
    customer_id = fields.String(validate=VISIBLE, metadata={"description": "The platform's customer id."})
    visitor_id = fields.String(validate=VISIBLE, metadata={"description": "A visitor's anonymous id."})
    order_ids = list_of(
        fields.String(validate=VISIBLE), _MOST_ORDERS, "The platform's ids of orders that the person placed."
    )

    @validates_schema(skip_on_field_errors=True)
    def _somebody(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError({"email": ["Name somebody."]})
        if "email" in data and not email_address(data["email"]):
            raise ValidationError({"email": ["Not an e-mail address."]})


class RequestState(Schema):
    """How a request stands."""

    id = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(["export", "erasure"]))
    status = fields.String(required=True, validate=validate.OneOf(["open", "done"]))
    requested_at = fields.AwareDateTime(required=True)
    due_at = fields.AwareDateTime(required=True)
    completed_at = fields.AwareDateTime(required=True, allow_none=True)
    attempts = fields.Integer(required=True)
    failure = fields.String(
        required=True, allow_none=True, metadata={"description": "What went wrong the last time."}
    )
    receipt = fields.Dict(
        required=True,
        allow_none=True,
        metadata={"description": "What was given out or removed, in numbers, signed."},
    )


class ExportState(RequestState):
    """How an export stands, with what is kept of the person once it is done."""

    data = fields.Dict(
        required=True,
        allow_none=True,
        metadata={
            "description": "By part of the house; empty where nothing is kept. Null once it is expired."
        },
    )
    notice = fields.List(fields.Dict(), required=True, allow_none=True)


class Requests(Schema):
    """The newest requests."""

    requests = fields.List(fields.Nested(RequestState), required=True)


class Notices(Schema):
    """What people are to be told, by source."""

    sources = fields.List(fields.Dict(), required=True)


@blueprint.route("/exports", methods=["POST"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(Whom)
@blueprint.response(200, ExportState)
def export_person(whom: dict[str, Any]) -> Response:
    """Give out what is kept of a person, at once.

    Should that fail, `status` is `open`, and it is tried again every minute. `Idempotency-Key` makes the same request,
    sent twice, one.
    """
    id_ = _ask(EXPORT, whom)
    requests.carry_out(id_)
    return json_response(export_state(_find(id_, EXPORT)), headers=_location("privacy.show_export", id_))


@blueprint.route("/exports/<id>", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, ExportState)
@blueprint.alt_response(404, response="NOT_FOUND")
def show_export(id: str) -> Response:  # noqa: A002 - it is the name in the address
    """Return an export, for 30 days. Also those that the platform asked for."""
    return json_response(export_state(_find(_number(id), EXPORT)))


@blueprint.route("/erasures", methods=["POST"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(Whom)
@blueprint.response(202, RequestState)
def erase_person(whom: dict[str, Any]) -> Response:
    """Have everything erased that is kept of a person, within a minute, and keep it out for good.

    `Idempotency-Key` makes the same request, sent twice, one.
    """
    id_ = _ask(ERASURE, whom)
    enqueue(UPKEEP, CARRY_OUT)
    return json_response(state(_find(id_, ERASURE)), 202, _location("privacy.show_erasure", id_))


@blueprint.route("/erasures/<id>", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, RequestState)
@blueprint.alt_response(404, response="NOT_FOUND")
def show_erasure(id: str) -> Response:  # noqa: A002 - it is the name in the address
    """Return how an erasure stands, with its receipt once it is done. Also those that the platform asked for."""
    return json_response(state(_find(_number(id), ERASURE)))


@blueprint.route("/requests", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, Requests)
def list_requests() -> Response:
    """List the 200 newest requests of people, the open ones first."""
    access: StoreAccess = g.access
    return json_response({"requests": [state(row) for row in newest(access.store_id)]})


@blueprint.route("/notice", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, Notices)
def show_notice() -> Response:
    """Return where each class of data comes from, and the text that people are to be told (IPP 3A; GDPR, Art. 14)."""
    access: StoreAccess = g.access
    return json_response({"sources": notice_of(db.session.connection(), access.store_id)})


def _ask(kind: str, whom: dict[str, Any]) -> int:
    access: StoreAccess = g.access
    id_ = requests.ask(access.store_id, kind, key=request_name(), **named(access.store_id, whom))
    db.session.commit()
    return id_


def named(store_id: int, whom: dict[str, Any]) -> dict[str, Any]:
    """Return whom a request names, as ``requests.ask`` takes it: nothing in clear that needs not be."""
    address = email_address(whom.get("email"))
    visitor = whom.get("visitor_id")
    return {
        "customer": whom.get("customer_id"),
        "contact": bytes.fromhex(vault().pseudonym(store_id, address)) if address else None,
        "visitors": [visitor_node(store_id, visitor)] if visitor else [],
        "orders": whom.get("order_ids", []),
    }


def newest(store_id: int) -> Sequence[PrivacyRequestRecord]:
    """Return a store's newest requests of people, the open ones first."""
    return db.session.scalars(
        select(PrivacyRequestRecord)
        .where(PrivacyRequestRecord.store_id == store_id, PrivacyRequestRecord.kind.in_(OF_PEOPLE))
        .order_by(PrivacyRequestRecord.completed_at.desc().nulls_first(), PrivacyRequestRecord.id.desc())
        .limit(_SHOWN)
    ).all()


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text[:20]) > LARGEST_ID:
        raise NotFound("There is no such request.")
    return int(text)


def _find(id_: int, kind: str) -> PrivacyRequestRecord:
    access: StoreAccess = g.access
    found = db.session.scalar(
        select(PrivacyRequestRecord)
        .where(
            PrivacyRequestRecord.store_id == access.store_id,
            PrivacyRequestRecord.id == id_,
            PrivacyRequestRecord.kind == kind,
        )
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("There is no such request.")
    return found


def export_state(found: PrivacyRequestRecord) -> dict[str, Any]:
    """Return how an export stands, with what it holds, as JSON values."""
    body = db.session.scalar(
        select(PrivacyExport.body).where(
            PrivacyExport.store_id == found.store_id, PrivacyExport.request_id == found.request_id
        )
    )
    document = body["document"] if body else {}
    return state(found) | {"data": document.get("data"), "notice": document.get("notice")}


def state(found: PrivacyRequestRecord) -> dict[str, Any]:
    """Return how a request stands, as JSON values."""
    return {
        "id": str(found.id),
        "kind": "export" if found.kind == EXPORT else "erasure",
        "status": "open" if found.completed_at is None else "done",
        "requested_at": _written(found.requested_at),
        "due_at": _written(found.due_at),
        "completed_at": _written(found.completed_at),
        "attempts": found.attempts,
        "failure": found.failure,
        "receipt": found.receipt,
    }


def _written(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _location(endpoint: str, id_: int) -> dict[str, str]:
    return {"Location": url_for(endpoint, id=str(id_))}
