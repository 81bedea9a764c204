"""What experiments have shown, and what they could show, for the merchant's own programs."""

from typing import Any

from flask import Response, g

from app.commerce.access import NOT_FOUND, SERVER_DOC, server_blueprint
from app.commerce.store import StoreAccess
from app.core.api import json_response
from app.core.db import db
from app.experiments import jobs, reporting
from app.experiments.report_schemas import ForecastState, PowerQuery, ReportComing, ReportState

blueprint = server_blueprint(
    "experiment_reports",
    __name__,
    url_prefix="/v1/experiments",
    description="What was shown by experiments, and what could be.",
)


@blueprint.route("/power", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(PowerQuery, location="query")
@blueprint.response(200, ForecastState)
def read_power(query: dict[str, Any]) -> Response:
    """Say how many weeks it takes to see a lift of revenue per visitor, from the last four weeks' visitors."""
    access: StoreAccess = g.access
    daily = query.pop("looks") == "daily"
    return json_response(reporting.forecast(db.session.connection(), access.store_id, daily=daily, **query))


@blueprint.route("/<key>/report", methods=["GET"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.response(200, ReportState)
@blueprint.alt_response(202, schema=ReportComing)
def read_report(key: str) -> Response:
    """Return what an experiment has shown so far, with a verdict in plain sentences.

    `holdout` is the store-wide hold-out, `slot:product` the standing control of the slot `product`. A large report is
    made by a worker: 202, and 200 for an hour once it is there.
    """
    access: StoreAccess = g.access
    connection = db.session.connection()
    reporting.find(connection, access.store_id, key)
    if not reporting.is_large(connection, access.store_id, key):
        return json_response(reporting.report(connection, access.store_id, key))
    made = reporting.held(access.store_id, key)
    if made is not None:
        return json_response(made)
    jobs.make_report_soon(access.store_id, key)
    return json_response({"experiment": key, "status": "being_made"}, 202, {"Retry-After": "10"})
