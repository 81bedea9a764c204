"""The merchant's view of decisions: what was shown, why, and whether it would come out the same."""

from typing import Any

from flask import Response, g

from app.commerce.access import NOT_FOUND, SERVER_DOC, server_blueprint
from app.commerce.store import StoreAccess
from app.core.api import json_response
from app.core.db import db, now
from app.core.errors import NotFound
from app.core.fields import TimeCursor
from app.core.paging import page_of
from app.decisions import reading
from app.decisions.reading import Wanted
from app.decisions.replaying import replay
from app.decisions.schemas import (
    DecisionReport,
    DecisionReportQuery,
    DecisionsPage,
    DecisionsQuery,
    DecisionState,
)
from app.decisions.showing import head, whole

blueprint = server_blueprint(
    "decisions", __name__, url_prefix="/v1/decisions", description="What was shown, and why."
)
reports = server_blueprint(
    "decision_reports", __name__, url_prefix="/v1/reports", description="What happened, counted."
)


@blueprint.route("", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(DecisionsQuery, location="query")
@blueprint.response(200, DecisionsPage)
def list_decisions(query: dict[str, Any]) -> Response:
    """Return decisions, the newest first. Each web process writes its own about every second."""
    access: StoreAccess = g.access
    wanted = Wanted(query.get("slot"), query.get("day"), query.get("experiment"), query.get("product_id"))
    found = reading.page(
        db.session.connection(),
        access.store_id,
        wanted,
        now().date(),
        query["limit"] + 1,
        query.get("cursor"),
    )
    page, cursor = page_of(found, query["limit"], lambda last: TimeCursor.of(last.made_at, last.id))
    return json_response({"decisions": [head(decision) for decision in page], "next_cursor": cursor})


@blueprint.route("/<id>", methods=["GET"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.response(200, DecisionState)
def get_decision(id: str) -> Response:  # noqa: A002 - the name in the address
    """Return a decision with everything that decided, make it again, and say whether it comes out the same."""
    access: StoreAccess = g.access
    connection = db.session.connection()
    found = reading.find(connection, access.store_id, id)
    if found is None:
        raise NotFound("This store has no such decision.")
    return json_response(whole(found, replay(connection, access, found)))


@reports.route("/decisions", methods=["GET"])
@reports.doc(**SERVER_DOC)
@reports.arguments(DecisionReportQuery, location="query")
@reports.response(200, DecisionReport)
def decision_report(query: dict[str, Any]) -> Response:
    """Return how many answers were given a day, by slot, reason and cache: all of them, logged whole or not."""
    access: StoreAccess = g.access
    return json_response(
        reading.report(
            db.session.connection(), access.store_id, now().date(), query["days"], query.get("slot")
        )
    )
