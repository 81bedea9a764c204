"""Dynamic prices for the merchant's own programs: rules, proposals, changes, and the way back."""

from collections.abc import Collection, Sequence
from typing import Any

from flask import g

from app.commerce.access import CONFLICT, NOT_FOUND, NOT_FOUND_OR_CONFLICT, SERVER_DOC, server_blueprint
from app.commerce.store import Store, StoreAccess
from app.core.db import db, now
from app.core.errors import NotFound
from app.core.fields import Cursor
from app.core.paging import page_of
from app.core.queues import LEARNING, PLATFORMS, hint
from app.pricing import changes, defining, undo
from app.pricing.jobs import PROPOSE, WRITE
from app.pricing.looking import look
from app.pricing.models import PriceChange
from app.pricing.schemas import (
    PriceChangesPage,
    PriceChangesQuery,
    PriceChangeState,
    PriceLook,
    PriceLookState,
    PriceProposalsPage,
    PriceProposalsQuery,
    PriceRuleCreation,
    PriceRuleDeleted,
    PriceRuleFields,
    PriceRulesState,
    PriceRuleState,
    PriceUndoing,
    PriceUndoState,
)
from app.pricing.undo import Undoing

blueprint = server_blueprint(
    "prices",
    __name__,
    url_prefix="/v1/prices",
    description="Rules that move list prices within guards, and what they did.",
)


@blueprint.route("/rules", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, PriceRulesState)
def list_rules() -> dict[str, Any]:
    """List the store's price rules, by key."""
    access: StoreAccess = g.access
    return {"rules": [defining.state(rule) for rule in defining.listed(access.store_id)]}


@blueprint.route("/rules", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=CONFLICT)
@blueprint.arguments(PriceRuleCreation)
@blueprint.response(200, PriceRuleState)
def create_rule(wanted: dict[str, Any]) -> dict[str, Any]:
    """Add a price rule."""
    rule = defining.add(g.access, wanted)
    db.session.commit()
    return defining.state(rule)


@blueprint.route("/rules/<key>", methods=["GET"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.response(200, PriceRuleState)
def read_rule(key: str) -> dict[str, Any]:
    """Return a price rule."""
    access: StoreAccess = g.access
    return defining.state(defining.find(access.store_id, key))


@blueprint.route("/rules/<key>", methods=["PUT"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.arguments(PriceRuleFields)
@blueprint.response(200, PriceRuleState)
def replace_rule(wanted: dict[str, Any], key: str) -> dict[str, Any]:
    """Make a price rule otherwise; what it proposed before and is not written yet is void."""
    rule = defining.replace(g.access, key, wanted)
    db.session.commit()
    return defining.state(rule)


@blueprint.route("/rules/<key>", methods=["DELETE"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.response(200, PriceRuleDeleted)
def delete_rule(key: str) -> dict[str, str]:
    """Delete a price rule; the prices that it wrote stay."""
    defining.delete(g.access, key)
    db.session.commit()
    return {"deleted": key}


@blueprint.route("/rules/<key>/undo", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.arguments(PriceUndoing, required=False)
@blueprint.response(200, PriceUndoState)
def undo_rule(wanted: dict[str, Any], key: str) -> dict[str, Any]:
    """Pause a price rule and take back all that it did."""
    return _undone(undo.undo_rule(_store(), key, now(), force=wanted.get("force", False)))


@blueprint.route("/proposals", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(PriceProposalsQuery, location="query")
@blueprint.response(200, PriceProposalsPage)
def list_proposals(query: dict[str, Any]) -> dict[str, Any]:
    """List the prices that wait to be looked at, newest first."""
    states = [query["state"]] if "state" in query else changes.WAITING
    found, cursor = _page(query, states)
    return {"proposals": found, "next_cursor": cursor}


@blueprint.route("/proposals", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.arguments(PriceLook)
@blueprint.response(200, PriceLookState)
def propose_now(wanted: dict[str, Any]) -> dict[str, Any]:
    """Have the rules look at products now: at those that are named at once, at all of them soon."""
    access: StoreAccess = g.access
    key = wanted.get("rule")
    if key is not None:
        defining.find(access.store_id, key)
    if wanted["products"] is None:
        hint(LEARNING, PROPOSE, access.store_id)
        return {"queued": True, "proposals": [], "standing": 0, "void": 0, "kept": []}
    found = look(_store(), now(), keys=None if key is None else [key], products=wanted["products"])
    if found.made:
        hint(PLATFORMS, WRITE, access.store_id)
    made = [changes.find(access.store_id, id_) for id_ in found.made]
    kept = [{"reason": reason, "variants": count} for reason, count in sorted(found.kept.items())]
    return {
        "queued": False,
        "proposals": made,
        "standing": found.standing,
        "void": found.void,
        "kept": kept,
    }


@blueprint.route("/proposals/<id>/approve", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.response(200, PriceChangeState)
def approve_proposal(id: str) -> PriceChange:  # noqa: A002 - the name in the address
    """Approve a proposed price; it is written at once, unless it breaks a guard by then."""
    access: StoreAccess = g.access
    change = changes.approve(access.store_id, _number(id), now())
    db.session.commit()
    hint(PLATFORMS, WRITE, access.store_id)
    return change


@blueprint.route("/proposals/<id>/reject", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.response(200, PriceChangeState)
def reject_proposal(id: str) -> PriceChange:  # noqa: A002 - the name in the address
    """Reject a proposed or suggested price; its rule does not propose for this variant for a while."""
    access: StoreAccess = g.access
    change = changes.reject(access.store_id, _number(id), now())
    db.session.commit()
    return change


@blueprint.route("/changes", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(PriceChangesQuery, location="query")
@blueprint.response(200, PriceChangesPage)
def list_changes(query: dict[str, Any]) -> dict[str, Any]:
    """List price changes in whatever state, newest first."""
    found, cursor = _page(query, [query["state"]] if "state" in query else None)
    return {"changes": found, "next_cursor": cursor}


@blueprint.route("/changes/<id>", methods=["GET"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.response(200, PriceChangeState)
def read_change(id: str) -> PriceChange:  # noqa: A002 - the name in the address
    """Return a price change."""
    access: StoreAccess = g.access
    return changes.find(access.store_id, _number(id))


@blueprint.route("/changes/<id>/undo", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(PriceUndoing, required=False)
@blueprint.response(200, PriceUndoState)
def undo_change(wanted: dict[str, Any], id: str) -> dict[str, Any]:  # noqa: A002 - the name in the address
    """Take a price back that is live: price and compare-at become what they were before."""
    force = wanted.get("force", False)
    return _undone(undo.undo_change(_store(), _number(id), now(), force=force))


def _store() -> Store:
    access: StoreAccess = g.access
    return db.session.get_one(Store, access.store_id)


def _undone(found: Undoing) -> dict[str, Any]:
    if found.made:
        access: StoreAccess = g.access
        hint(PLATFORMS, WRITE, access.store_id)
    return {"changes": found.made, "refused": found.refused}


def _page(query: dict[str, Any], states: Collection[str] | None) -> tuple[Sequence[PriceChange], str | None]:
    """Return a page of changes and the cursor of the next one."""
    access: StoreAccess = g.access
    found = changes.page(
        access.store_id,
        query["limit"] + 1,
        states=states,
        rule=query.get("rule"),
        product_id=query.get("product_id"),
        before=query.get("cursor"),
    )
    return page_of(found, query["limit"], lambda change: Cursor.of(change.id))


def _number(id_: str) -> int:
    """Return the id that an address names.

    Raises:
        NotFound: if that is none.
    """
    if not (id_.isascii() and id_.isdecimal() and len(id_) < 19):
        raise NotFound(f"This store has no price change {id_[:50]!r}.")
    return int(id_)
