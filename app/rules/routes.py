"""Rules for the merchant's own programs: written, ordered, tried, looked through, taken back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Response, current_app, g, request

from app.commerce.access import CONFLICT, NOT_FOUND, NOT_FOUND_OR_CONFLICT, SERVER_DOC, server_blueprint
from app.commerce.store import StoreAccess
from app.core.api import json_response
from app.core.db import db, now
from app.core.errors import Conflict, NotFound
from app.rules import catalogue, current, editing, lint, versions
from app.rules.context import Context
from app.rules.evaluation import RuleSet
from app.rules.impact import measure
from app.rules.schemas import (
    RuleChange,
    RuleCreation,
    RuleDeletionQuery,
    RuleFound,
    RuleImpact,
    RuleImpactQuestion,
    RuleLint,
    RuleListChange,
    RuleListSaved,
    RuleListState,
    RuleMove,
    RulePreview,
    RulePreviewState,
    RuleVersions,
    RuleVersionSeen,
    RuleVersionsQuery,
    stored,
)
from app.rules.unfired import unfired
from app.rules.versions import Kept

blueprint = server_blueprint(
    "rules", __name__, url_prefix="/v1/rules", description="The merchant's own word on what is shown."
)
# Two hundred rules with long lists of products are larger than other requests.
_LARGEST_BODY: Final = 1_000_000


@blueprint.before_request
def _allow_long_lists() -> None:
    request.max_content_length = _LARGEST_BODY


@blueprint.route("", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, RuleListState)
def list_rules() -> Response:
    """Return the store's rules in their order, with the version that counts."""
    access: StoreAccess = g.access
    return json_response(versions.newest(db.session.connection(), access.store_id).to_json())


@blueprint.route("", methods=["PUT"])
@blueprint.doc(**SERVER_DOC, responses=CONFLICT)
@blueprint.arguments(RuleListChange)
@blueprint.response(200, RuleListSaved)
def replace_rules(wanted: dict[str, Any]) -> Response:
    """Write the whole list anew."""
    rules = [stored(rule) for rule in wanted["rules"]]
    note = wanted.get("note", "The whole list was written anew.")
    return _changed(lambda _: rules, note, wanted["version"])


@blueprint.route("", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=CONFLICT)
@blueprint.arguments(RuleCreation)
@blueprint.response(200, RuleListSaved)
def add_rule(wanted: dict[str, Any]) -> Response:
    """Add a rule."""
    rule = stored(wanted)
    place = wanted["position"] - 1 if "position" in wanted else None
    return _changed(
        lambda rules: editing.added(rules, rule, place),
        f"Rule {rule['name']!r} was added.",
        wanted.get("version"),
    )


@blueprint.route("/lint", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, RuleLint)
def lint_rules() -> Response:
    """Say what about the rules is probably not meant so."""
    access: StoreAccess = g.access
    kept = versions.newest(db.session.connection(), access.store_id)
    return json_response({"version": kept.version, "findings": findings(access.store_id, kept.rules)})


@blueprint.route("/preview", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(RulePreview)
@blueprint.response(200, RulePreviewState)
def preview_rules(wanted: dict[str, Any]) -> Response:
    """Say what an invented shopper would see, and why; with rules that are tried, or with those that count."""
    access: StoreAccess = g.access
    rules, version = _tried(access.store_id, wanted["rules"])
    invented = dict(wanted["context"])
    if "now" in invented:
        invented["now"] = invented["now"].isoformat()
    preview = _of_serving("pannier_preview")
    found = preview(access, wanted["question"], invented, RuleSet.from_json(rules, version))
    return json_response({**found, "unfired": unfired(rules, Context.from_json(found["context"]))})


@blueprint.route("/impact", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=CONFLICT)
@blueprint.arguments(RuleImpactQuestion)
@blueprint.response(200, RuleImpact)
def measure_impact(wanted: dict[str, Any]) -> Response:
    """Say how many of the newest decisions would have come out otherwise with other rules."""
    access: StoreAccess = g.access
    rules, version = _tried(access.store_id, wanted["rules"])
    found = measure(
        db.session.connection(),
        access,
        RuleSet.from_json(rules, version),
        _of_serving("pannier_redecide"),
        today=now().date(),
        days=wanted["days"],
        most=wanted["most"],
    )
    return json_response(found.to_json())


@blueprint.route("/move", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(RuleMove)
@blueprint.response(200, RuleListSaved)
def move_rule(wanted: dict[str, Any]) -> Response:
    """Put a rule at another place of the list."""
    return _changed(
        lambda rules: editing.moved(rules, wanted["id"], wanted["position"] - 1),
        f"Rule {wanted['id']!r} was moved.",
        wanted.get("version"),
    )


@blueprint.route("/undo", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=CONFLICT)
@blueprint.arguments(RuleVersionSeen, required=False)
@blueprint.response(200, RuleListSaved)
def undo_change(wanted: dict[str, Any]) -> Response:
    """Take back the last change; again: the one before it."""
    access: StoreAccess = g.access
    expected = wanted.get("version")
    return _saved(versions.undo(db.session.connection(), access.store_id, expected=expected))


@blueprint.route("/versions", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(RuleVersionsQuery, location="query")
@blueprint.response(200, RuleVersions)
def list_versions(query: dict[str, Any]) -> Response:
    """List the versions of the store's rules, newest first."""
    access: StoreAccess = g.access
    found = versions.page(db.session.connection(), access.store_id, query["limit"], query.get("before"))
    return json_response({"versions": found})


@blueprint.route("/versions/<version>", methods=["GET"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.response(200, RuleListState)
def read_version(version: str) -> Response:
    """Return the rules as they stood in a version."""
    access: StoreAccess = g.access
    found = versions.at(db.session.connection(), access.store_id, _number(version))
    return json_response(found.to_json())


@blueprint.route("/versions/<version>/restore", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(RuleVersionSeen, required=False)
@blueprint.response(200, RuleListSaved)
def restore_version(wanted: dict[str, Any], version: str) -> Response:
    """Make the rules of an older version count again."""
    access: StoreAccess = g.access
    connection, expected = db.session.connection(), wanted.get("version")
    return _saved(versions.restore(connection, access.store_id, _number(version), expected=expected))


@blueprint.route("/<id>", methods=["GET"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.response(200, RuleFound)
def read_rule(id: str) -> Response:  # noqa: A002 - the name in the address
    """Return one rule and its place."""
    access: StoreAccess = g.access
    kept = versions.newest(db.session.connection(), access.store_id)
    place = editing.place_of(kept.rules, id)
    return json_response({"version": kept.version, "position": place + 1, "rule": kept.rules[place]})


@blueprint.route("/<id>", methods=["PUT"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(RuleChange)
@blueprint.response(200, RuleListSaved)
def replace_rule(wanted: dict[str, Any], id: str) -> Response:  # noqa: A002 - the name in the address
    """Make a rule otherwise; it keeps its place."""
    rule = stored({"id": id, **wanted})
    return _changed(
        lambda rules: editing.replaced(rules, rule),
        f"Rule {rule['name']!r} was changed.",
        wanted.get("version"),
    )


@blueprint.route("/<id>", methods=["DELETE"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(RuleDeletionQuery, location="query")
@blueprint.response(200, RuleListSaved)
def delete_rule(query: dict[str, Any], id: str) -> Response:  # noqa: A002 - the name in the address
    """Delete a rule."""
    note = f"Rule {id[:50]!r} was deleted."
    return _changed(lambda rules: editing.removed(rules, id), note, query.get("version"))


def _number(version: str) -> int:
    """Return the version that an address names.

    Raises:
        NotFound: if that is none.
    """
    if not (version.isascii() and version.isdecimal() and len(version) < 10):
        raise NotFound(f"The rules of this store have no version {version[:50]!r}.")
    return int(version)


def _changed(edit: Any, note: str, expected: int | None) -> Response:
    """Write a change and return what counts from now on."""
    access: StoreAccess = g.access
    return _saved(versions.change(db.session.connection(), access.store_id, edit, note, expected=expected))


def _saved(kept: Kept) -> Response:
    access: StoreAccess = g.access
    db.session.commit()
    current.forget()
    return json_response({**kept.to_json(), "findings": findings(access.store_id, kept.rules)})


def findings(store_id: int, rules: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what is odd about rules, by what the store has."""
    known = catalogue.read(db.session.connection(), store_id, lint.named_products(rules))
    return [finding.to_json() for finding in lint.lint(rules, now(), known)]


def _tried(store_id: int, rules: list[dict[str, Any]] | None) -> tuple[Sequence[dict[str, Any]], int]:
    """Return the rules to try, or those that count, with the version that counts."""
    kept = versions.newest(db.session.connection(), store_id)
    return (kept.rules if rules is None else [stored(rule) for rule in rules]), kept.version


def _of_serving(name: str) -> Any:
    """Return a function of the room that answers.

    Raises:
        Conflict: if this process has none.
    """
    function = current_app.extensions.get(name)
    if function is None:
        raise Conflict("This process does not answer shoppers, and cannot try rules on them.")
    return function
