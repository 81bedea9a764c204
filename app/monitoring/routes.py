"""Freshness and alerts for the merchant's own programs."""

from typing import Any, Final

from flask import g

from app.commerce.access import NOT_FOUND, NOT_FOUND_OR_CONFLICT, SERVER_DOC, server_blueprint
from app.commerce.store import StoreAccess
from app.core.db import db, now
from app.core.errors import Conflict, InvalidParameters, NotFound
from app.core.fields import Cursor
from app.core.paging import page_of
from app.monitoring import alerts, counting, drift, endpoint, jobs, sending
from app.monitoring.freshness import worst
from app.monitoring.models import AlertEndpoint
from app.monitoring.schemas import (
    NOT_REACHED,
    OPEN,
    AlertsPage,
    AlertsQuery,
    DriftState,
    EndpointDeleted,
    EndpointRequest,
    EndpointSet,
    EndpointState,
    FreshnessState,
    TestResult,
)
from connectors.errors import PlatformError

freshness_blueprint = server_blueprint(
    "freshness",
    __name__,
    url_prefix="/v1/freshness",
    description="How fresh everything is that answers stand on.",
)
blueprint = server_blueprint(
    "alerts",
    __name__,
    url_prefix="/v1/alerts",
    description="What the merchant should know of, and where they want to be told.",
)
drift_blueprint = server_blueprint(
    "drift",
    __name__,
    url_prefix="/v1/reports/drift",
    description="How far the shop has moved away from what its model learned.",
)
_NO_ENDPOINT: Final = "This store has no endpoint for alerts."


@freshness_blueprint.route("", methods=["GET"])
@freshness_blueprint.doc(**SERVER_DOC)
@freshness_blueprint.response(200, FreshnessState)
def read_freshness() -> dict[str, Any]:
    """Say of each source how old its newest news is, and whether that is in order."""
    access: StoreAccess = g.access
    moment = now()
    found = jobs.findings_of(access.store_id, moment)
    return {"level": worst(f.level for f in found), "checked_at": moment, "sources": found}


@drift_blueprint.route("", methods=["GET"])
@drift_blueprint.doc(**SERVER_DOC)
@drift_blueprint.response(200, DriftState)
def read_drift() -> dict[str, Any]:
    """Compare the last seven days with the four weeks before, and the catalogue with the model."""
    access: StoreAccess = g.access
    moment = now()
    found = drift.judge(counting.count(db.session.connection(), access.store_id, moment))
    return {"level": worst(m.level for m in found), "checked_at": moment, "measures": found}


@blueprint.route("", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(AlertsQuery, location="query")
@blueprint.response(200, AlertsPage)
def list_alerts(query: dict[str, Any]) -> dict[str, Any]:
    """List alerts, newest first."""
    access: StoreAccess = g.access
    limit = query["limit"]
    rows = alerts.page(
        db.session.connection(),
        access.store_id,
        only_open=query["state"] == OPEN,
        before=query.get("cursor"),
        limit=limit + 1,
    )
    page, cursor = page_of(rows, limit, lambda alert: Cursor.of(alert.id))
    return {"alerts": page, "next_cursor": cursor}


@blueprint.route("/endpoint", methods=["GET"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.response(200, EndpointState)
def read_endpoint() -> AlertEndpoint:
    """Say where alerts go, and how that goes."""
    access: StoreAccess = g.access
    found = db.session.get(AlertEndpoint, access.store_id)
    if found is None:
        raise NotFound(_NO_ENDPOINT)
    return found


@blueprint.route("/endpoint", methods=["PUT"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(EndpointRequest)
@blueprint.response(200, EndpointSet)
def put_endpoint(wanted: dict[str, Any]) -> dict[str, Any]:
    """Set where alerts go. The secret is shown once: where it is new."""
    access: StoreAccess = g.access
    try:
        endpoint.line().check(wanted["url"])
    except PlatformError as error:
        raise InvalidParameters({"url": NOT_REACHED}) from error
    found, secret = endpoint.put(access.store_id, wanted["url"], renew=wanted["new_secret"])
    return {
        "url": found.url,
        "created_at": found.created_at,
        "disabled_at": found.disabled_at,
        "problem": found.problem,
        "secret": secret,
    }


@blueprint.route("/endpoint", methods=["DELETE"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.response(200, EndpointDeleted)
def delete_endpoint() -> dict[str, str]:
    """Send no more alerts."""
    access: StoreAccess = g.access
    url = endpoint.remove(access.store_id)
    if url is None:
        raise NotFound(_NO_ENDPOINT)
    return {"deleted": url}


@blueprint.route("/test", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.response(200, TestResult)
def test_endpoint() -> dict[str, Any]:
    """Send a test message now, and say what came of it."""
    access: StoreAccess = g.access
    try:
        attempt = sending.send_test(access.store_id)
    except LookupError as error:
        raise NotFound(_NO_ENDPOINT) from error
    if attempt is None:
        raise Conflict("Another message is being sent just now.")
    return {"delivered": attempt.delivered, "status": attempt.status, "problem": attempt.problem}
