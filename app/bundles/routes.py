"""Offers for the merchant's own programs: proposed, made, approved, suspended, ended."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from flask import g

from app.bundles import deciding, keeping, making
from app.bundles.models import Offer
from app.bundles.schemas import (
    OfferApproval,
    OfferCreation,
    OfferFound,
    OfferLimitsFields,
    OfferLimitsState,
    OffersPage,
    OffersProposed,
    OffersQuery,
    OfferStep,
    OfferStepWithNote,
    draft_of,
    limits_from,
)
from app.bundles.showing import offer_state
from app.commerce.access import NOT_FOUND, NOT_FOUND_OR_CONFLICT, SERVER_DOC, server_blueprint
from app.commerce.store import Store, StoreAccess
from app.core.api import request_name
from app.core.db import db
from app.core.fields import Cursor
from app.core.paging import page_of

blueprint = server_blueprint(
    "offers", __name__, url_prefix="/v1/offers", description="Products that cost less together."
)


@blueprint.route("", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(OffersQuery, location="query")
@blueprint.response(200, OffersPage)
def list_offers(query: dict[str, Any]) -> dict[str, Any]:
    """List the store's offers, newest first."""
    access: StoreAccess = g.access
    found = keeping.listed(
        access.store_id,
        state=query.get("state"),
        origin=query.get("origin"),
        limit=query["limit"] + 1,
        before=query.get("cursor"),
    )
    page, cursor = page_of(found, query["limit"], lambda offer: Cursor.of(offer.id))
    return {"offers": [offer_state(offer) for offer in page], "next_cursor": cursor}


@blueprint.route("", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(OfferCreation)
@blueprint.response(200, OfferFound)
def create_offer(wanted: dict[str, Any]) -> dict[str, Any]:
    """Make an offer by hand, or as a rule: it waits for approval unless it is approved at once.

    `Idempotency-Key` makes the same request, sent twice, one.
    """
    access: StoreAccess = g.access
    offer = making.create(
        access.store_id,
        access.currency,
        draft_of(wanted),
        approve=wanted["approve"],
        beyond_limits=wanted["beyond_limits"],
        request=request_name(),
    )
    return _told(access.store_id, offer.key)


@blueprint.route("/limits", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, OfferLimitsState)
def read_limits() -> dict[str, Any]:
    """Return within which limits offers may be made."""
    access: StoreAccess = g.access
    return asdict(keeping.limits_of(db.session.connection(), access.store_id))


@blueprint.route("/limits", methods=["PUT"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(OfferLimitsFields)
@blueprint.response(200, OfferLimitsState)
def replace_limits(wanted: dict[str, Any]) -> dict[str, Any]:
    """Set within which limits offers may be made; what is not given has its default."""
    access: StoreAccess = g.access
    limits = limits_from(wanted)
    keeping.set_limits(access.store_id, limits)
    return asdict(limits)


@blueprint.route("/proposals", methods=["POST"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, OffersProposed)
def make_proposals() -> dict[str, Any]:
    """Look at what is bought together now, instead of at night, and propose what is worth it."""
    access: StoreAccess = g.access
    made = making.make_proposals(db.session.get_one(Store, access.store_id))
    return {"offers": [offer_state(offer) for offer in made.offers], "left_out": made.left_out}


@blueprint.route("/<key>", methods=["GET"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.response(200, OfferFound)
def read_offer(key: str) -> dict[str, Any]:
    """Return one offer, with what happened to it."""
    access: StoreAccess = g.access
    return _told(access.store_id, key)


@blueprint.route("/<key>/approve", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(OfferApproval, required=False)
@blueprint.response(200, OfferFound)
def approve_offer(wanted: dict[str, Any], key: str) -> dict[str, Any]:
    """Approve a proposal, or anew an offer whose prices have changed; it goes live within moments."""
    return _decided(deciding.approve, key, wanted)


@blueprint.route("/<key>/reject", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(OfferStepWithNote, required=False)
@blueprint.response(200, OfferFound)
def reject_offer(wanted: dict[str, Any], key: str) -> dict[str, Any]:
    """Say no to a proposal; its products are not proposed again for 90 days."""
    return _decided(deciding.reject, key, wanted)


@blueprint.route("/<key>/suspend", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(OfferStepWithNote, required=False)
@blueprint.response(200, OfferFound)
def suspend_offer(wanted: dict[str, Any], key: str) -> dict[str, Any]:
    """Take an offer off the shop until it is resumed."""
    return _decided(deciding.suspend, key, wanted)


@blueprint.route("/<key>/resume", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(OfferStep, required=False)
@blueprint.response(200, OfferFound)
def resume_offer(wanted: dict[str, Any], key: str) -> dict[str, Any]:
    """Let a suspended offer come back, or try one that is not live again at once."""
    return _decided(deciding.resume, key, wanted)


@blueprint.route("/<key>/end", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(OfferStepWithNote, required=False)
@blueprint.response(200, OfferFound)
def end_offer(wanted: dict[str, Any], key: str) -> dict[str, Any]:
    """End an offer for good: nobody is shown it from now on, and the shop takes the discount away."""
    return _decided(deciding.end, key, wanted)


def _decided(decide: Callable[..., Offer], key: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Have the merchant's word on an offer carried out, and return the offer as it is then."""
    access: StoreAccess = g.access
    decide(access.store_id, key, **wanted)
    return _told(access.store_id, key)


def _told(store_id: int, key: str) -> dict[str, Any]:
    offer = keeping.find(store_id, key)
    return offer_state(offer, keeping.events(store_id, key))
