"""What every HTTP answer has in common: problem details, JSON, security headers."""

from typing import Any

import orjson
import structlog
from flask import Flask, Response, request
from flask_smorest import Api
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from app.core.errors import ProblemError, TooLarge, Unavailable

log = structlog.get_logger()

PROBLEM = "application/problem+json"
# RFC 9110 reason phrases in our own words, where werkzeug raises without us.
_TITLES = {
    400: ("bad-request", "Bad request"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    413: ("too-large", "Too large"),
    415: ("unsupported-media-type", "Unsupported media type"),
    422: ("invalid-parameters", "Invalid parameters"),
    429: ("too-many-requests", "Too many requests"),
}


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return ``value`` as a JSON response."""
    response = Response(orjson.dumps(value), status, mimetype="application/json")
    response.headers.update(headers or {})
    return response


def problem(
    status: int, slug: str, title: str, detail: str, invalid_params: list[dict[str, str]] | None = None
) -> Response:
    """Return an RFC 9457 problem."""
    body: dict[str, Any] = {
        "type": f"/docs/problems#{slug}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    if invalid_params:
        body["invalid_params"] = invalid_params
    return Response(orjson.dumps(body), status, content_type=PROBLEM)


class ProblemApi(Api):
    """flask-smorest with our error shape."""

    def _register_error_handlers(self) -> None:
        """Leave errors to ``register_errors``: smorest's own handler drops headers such as Retry-After."""


def register_errors(app: Flask) -> None:
    """Turn every exception into a problem."""

    @app.errorhandler(ProblemError)
    def _ours(error: ProblemError) -> Response:
        response = problem(error.status, error.slug, error.title, error.detail, error.invalid_params)
        response.headers.update(error.headers)
        return response

    @app.errorhandler(HTTPException)
    def _werkzeug(error: HTTPException) -> Response:
        status = error.code or 500
        if status < 400:  # a redirect
            return Response(error.get_response().data, status, error.get_headers())
        slug, title = _TITLES.get(status, ("error", error.name))
        if status == 413:
            return _ours(TooLarge(f"The body is larger than {request.max_content_length} bytes."))
        invalid = _invalid_params(getattr(error, "data", None))
        detail = "; ".join(f"{p['name']}: {p['reason']}" for p in invalid) or (error.description or title)
        response = problem(status, slug, title, detail, invalid)
        for name, value in error.get_headers():
            if name.lower() not in ("content-type", "content-length"):
                response.headers[name] = value
        return response

    @app.errorhandler(OperationalError)
    @app.errorhandler(PoolTimeout)
    def _database_down(error: Exception) -> Response:
        log.error("database_unavailable", error=type(error).__name__, path=request.path)
        return _ours(Unavailable("The database does not answer. Try again in a few seconds."))

    @app.errorhandler(Exception)
    def _unforeseen(_: Exception) -> Response:
        log.error("unhandled_error", path=request.path, exc_info=True)  # noqa: LOG014 - this handles one
        return problem(500, "internal", "Internal error", "Something went wrong here. It has been logged.")


def _invalid_params(data: Any) -> list[dict[str, str]]:
    """Flatten webargs' nested messages into ``{"name": "field.sub", "reason": "…"}``."""
    messages = data.get("messages", {}) if isinstance(data, dict) else {}
    found: list[dict[str, str]] = []

    def walk(path: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{path}.{key}" if path else str(key), inner)
        else:
            reasons = value if isinstance(value, list) else [value]
            found.append({"name": path or "body", "reason": " ".join(map(str, reasons))})

    for location in messages.values() if isinstance(messages, dict) else ():
        walk("", location)
    return found


def security_headers(response: Response) -> Response:
    """Add what every answer carries."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response
