"""Experiments for the merchant's own programs: defined, started, stopped, decided."""

from typing import Any

from flask import g

from app.commerce.access import CONFLICT, NOT_FOUND, NOT_FOUND_OR_CONFLICT, SERVER_DOC, server_blueprint
from app.commerce.store import StoreAccess
from app.experiments import lifecycle
from app.experiments.schemas import (
    ExperimentCopying,
    ExperimentCreation,
    ExperimentDeleted,
    ExperimentFields,
    ExperimentsQuery,
    ExperimentsState,
    ExperimentState,
    ExperimentVerdict,
)

blueprint = server_blueprint(
    "experiments",
    __name__,
    url_prefix="/v1/experiments",
    description="Ways of answering, compared on visitors.",
)


@blueprint.route("", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(ExperimentsQuery, location="query")
@blueprint.response(200, ExperimentsState)
def list_experiments(query: dict[str, Any]) -> dict[str, Any]:
    """List the store's experiments, newest first."""
    access: StoreAccess = g.access
    found = lifecycle.listed(access.store_id, query.get("status"))
    return {"experiments": [lifecycle.state(each) for each in found]}


@blueprint.route("", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=CONFLICT)
@blueprint.arguments(ExperimentCreation)
@blueprint.response(200, ExperimentState)
def create_experiment(wanted: dict[str, Any]) -> dict[str, Any]:
    """Define an experiment as a draft; nobody is assigned before it is started."""
    access: StoreAccess = g.access
    key, name = wanted.pop("key"), wanted.pop("name")
    return lifecycle.state(lifecycle.create(access.store_id, key, name, wanted))


@blueprint.route("/<key>", methods=["GET"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.response(200, ExperimentState)
def read_experiment(key: str) -> dict[str, Any]:
    """Return one experiment."""
    access: StoreAccess = g.access
    return lifecycle.state(lifecycle.find(access.store_id, key))


@blueprint.route("/<key>", methods=["PUT"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(ExperimentFields)
@blueprint.response(200, ExperimentState)
def update_experiment(wanted: dict[str, Any], key: str) -> dict[str, Any]:
    """Define a draft otherwise; of what has started, only the name can change."""
    access: StoreAccess = g.access
    name = wanted.pop("name")
    return lifecycle.state(lifecycle.change(access.store_id, key, name, wanted))


@blueprint.route("/<key>", methods=["DELETE"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.response(200, ExperimentDeleted)
def delete_experiment(key: str) -> dict[str, str]:
    """Delete a draft."""
    access: StoreAccess = g.access
    lifecycle.delete(access.store_id, key)
    return {"deleted": key}


@blueprint.route("/<key>/start", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.response(200, ExperimentState)
def start_experiment(key: str) -> dict[str, Any]:
    """Start a draft: visitors are assigned from now on."""
    access: StoreAccess = g.access
    return lifecycle.state(lifecycle.start(access.store_id, key))


@blueprint.route("/<key>/stop", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.response(200, ExperimentState)
def stop_experiment(key: str) -> dict[str, Any]:
    """Stop a running experiment; it cannot be started again."""
    access: StoreAccess = g.access
    return lifecycle.state(lifecycle.stop(access.store_id, key))


@blueprint.route("/<key>/decide", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(ExperimentVerdict)
@blueprint.response(200, ExperimentState)
def decide_experiment(wanted: dict[str, Any], key: str) -> dict[str, Any]:
    """Note which arm of a stopped experiment is kept, and why."""
    access: StoreAccess = g.access
    return lifecycle.state(lifecycle.decide(access.store_id, key, wanted["arm"], wanted["note"]))


@blueprint.route("/<key>/copy", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(ExperimentCopying)
@blueprint.response(200, ExperimentState)
def copy_experiment(wanted: dict[str, Any], key: str) -> dict[str, Any]:
    """Make a new draft of an experiment, which assigns everybody anew."""
    access: StoreAccess = g.access
    return lifecycle.state(lifecycle.copy(access.store_id, key, wanted["key"], wanted["name"]))
