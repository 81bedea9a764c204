"""``GET|PUT /v1/consent``: what a visitor allowed.

A page asks and tells for its own visitor, by an anonymous id that it made up; a server may do so for a customer. What
a visitor takes back is removed before the answer goes out.
"""

from datetime import datetime
from typing import Any, Final

import structlog
from flask import Response, g, request
from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from sqlalchemy import Connection, select

from app.commerce.access import STOREFRONT_DOC, allow_origin, for_storefront
from app.commerce.store import StoreAccess
from app.core.api import ApiBlueprint, json_response
from app.core.db import db
from app.core.errors import Forbidden
from app.core.fields import VISIBLE, Shape, Strict, Truth
from app.privacy import consent
from app.privacy.consent import BASES, CHOICE, Signal, read_signal
from app.privacy.models import ConsentState
from app.privacy.purposes import NAMES, Purposes, as_mapping
from app.privacy.rooms import Person, rooms
from app.privacy.subjects import customer_node, subject_of, visitor_node

log = structlog.get_logger()

blueprint = ApiBlueprint("consent", __name__, url_prefix="/v1", description="What a visitor allowed.")

_ONE: Final = "Name either a visitor or a customer."
# Which parts of the house keep what only consent allows.
_OF_CONSENT: Final = frozenset({"events", "identity", "decisions", "exposures"})


class Whose(Schema):
    """Whose choice it is."""

    visitor_id = fields.String(
        validate=VISIBLE, metadata={"description": "The anonymous id that the page or the app made up."}
    )
    customer_id = fields.String(
        validate=VISIBLE, metadata={"description": "The platform's customer id; with the secret key only."}
    )

    @validates_schema(skip_on_field_errors=True)
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        if ("visitor_id" in data) == ("customer_id" in data):
            raise ValidationError({"visitor_id": [_ONE]})


class Choice(Strict, Whose):
    """A choice. What it does not name is a no."""

    analytics = Truth(load_default=False)
    marketing = Truth(load_default=False)
    preferences = Truth(load_default=False)
    sale_of_data = Truth(load_default=False)
    source = fields.String(
        load_default="widget",
        validate=Shape(r"^[a-z0-9_.-]{1,50}$", error="Not 1 to 50 of a-z, 0-9, dot, dash and underscore."),
        metadata={
            "description": "Who took the choice: `widget`, `shopify`, `wp_consent`, the banner's name."
        },
    )
    basis = fields.String(
        load_default=CHOICE,
        validate=validate.OneOf(BASES),
        metadata={
            "description": "`choice`: the person chose. `default`: the platform's rule for the region."
        },
    )
    region = fields.String(
        load_default=None,
        allow_none=True,
        validate=Shape(r"^[A-Za-z]{2}(-?[A-Za-z0-9]{1,3})?$", error="Not a region such as NZ or US-CA."),
    )
    chosen_at = fields.AwareDateTime(
        load_default=None, allow_none=True, metadata={"description": "Now, where it is not said."}
    )


class Choices(Schema):
    """What counts now. Nothing is allowed that is not true here."""

    analytics = fields.Boolean(required=True)
    marketing = fields.Boolean(required=True)
    preferences = fields.Boolean(required=True)
    sale_of_data = fields.Boolean(required=True)
    chosen_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "Null where no choice is recorded."}
    )


@blueprint.route("/consent", methods=["GET"])
@for_storefront
@blueprint.doc(**STOREFRONT_DOC)
@blueprint.arguments(Whose, location="query")
@blueprint.response(200, Choices)
def read_consent(whose: dict[str, Any]) -> Response:
    """Return the recorded choice of a visitor; all no where none is recorded.

    Under `Sec-GPC: 1` all is no, whatever is recorded.
    """
    access: StoreAccess = g.access
    return _answer(access.store_id, subject_of(access.store_id, _node(access, whose)))


@blueprint.route("/consent", methods=["PUT"])
@for_storefront
@blueprint.doc(**STOREFRONT_DOC)
@blueprint.arguments(Choice)
@blueprint.response(200, Choices)
def put_consent(choice: dict[str, Any]) -> Response:
    """Record a choice, and return what counts now.

    The newest choice counts. `Sec-GPC: 1` turns every yes into a no. A visitor of whom nothing is known and who
    allows nothing is not recorded. Without `analytics`, the visitor's events, identity links and decisions are
    removed before the answer.
    """
    access: StoreAccess = g.access
    node = _node(access, choice)
    stated = {name: choice[name] for name in NAMES} | {k: choice[k] for k in ("basis", "region")}
    signal = read_signal(
        stated,
        gpc=_gpc(),
        source=choice["source"],
        explicit=access.explicit_consent,
        chosen_at=choice["chosen_at"],
    )
    assert signal is not None
    person = Person(access.store_id, frozenset({node}), frozenset({subject_of(access.store_id, node)}))
    take(db.session.connection(), person, signal)
    db.session.commit()
    for room in rooms():
        room.forget(person)
    (subject,) = person.subjects
    return _answer(access.store_id, subject)


def take(connection: Connection, person: Person, signal: Signal) -> Purposes:
    """Record a choice of a person of one subject, inside the caller's transaction; return what counts from now on.

    Where that is not analytics, what was kept by leave of it is removed. A no that takes nothing back is not recorded.
    Let the rooms forget when it is committed.
    """
    (subject,) = person.subjects
    store_id = person.store_id
    if signal.purposes & Purposes.ANALYTICS:
        return consent.record(connection, store_id, subject, signal)
    consent.hold_off(connection, store_id)
    counts = consent.record(connection, store_id, subject, signal)
    if counts & Purposes.ANALYTICS:  # an older no than the yes that is recorded
        return counts
    removed = sum(
        sum(room.erase(connection, person).values()) for room in rooms() if room.name in _OF_CONSENT
    )
    if removed:
        log.info("consent_withdrawn", store_id=store_id, removed=removed)
        if subject not in consent.recorded(connection, store_id, [subject]):
            consent.keep(connection, store_id, subject, signal)
    return counts


def _node(access: StoreAccess, whose: dict[str, Any]) -> str:
    """Return the node of whose choice it is.

    Raises:
        Forbidden: if a page asks for a customer: nobody vouches for who that is.
    """
    if "visitor_id" in whose:
        return visitor_node(access.store_id, whose["visitor_id"])
    if access.kind != "secret":
        raise Forbidden("The choice of a customer is read and recorded with the secret key.")
    return customer_node(whose["customer_id"])


def _gpc() -> bool:
    return request.headers.get("Sec-GPC") == "1"


def _answer(store_id: int, subject: bytes) -> Response:
    connection = db.session.connection()
    purposes = consent.recorded(connection, store_id, [subject]).get(subject, Purposes.NONE)
    chosen_at = db.session.scalar(
        select(ConsentState.chosen_at).where(
            ConsentState.store_id == store_id, ConsentState.subject == subject
        )
    )
    body = as_mapping(Purposes.NONE if _gpc() else purposes) | {"chosen_at": _written(chosen_at)}
    response = json_response(body)
    response.headers["Cache-Control"] = "private, no-store"
    return allow_origin(response)


def _written(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
