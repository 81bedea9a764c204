"""What every HTTP answer has in common: problem details, JSON, security headers."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

import orjson
import structlog
from flask import Flask, Request, Response, g, request
from flask_smorest import Api
from flask_smorest.blueprint import Blueprint
from flask_smorest.utils import prepare_response
from marshmallow import Schema, ValidationError, fields
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from webargs.core import missing
from webargs.flaskparser import FlaskParser, is_json_request
from werkzeug.exceptions import HTTPException

from app.core.errors import (
    PROBLEMS,
    BadRequest,
    InvalidParameters,
    ProblemError,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
)

log = structlog.get_logger()

PROBLEM: Final = "application/problem+json"
View = TypeVar("View", bound=Callable[..., Any])
_LONGEST_NAME: Final = 200


class InvalidParam(Schema):
    """One parameter that is wrong."""

    name = fields.String(required=True, metadata={"description": "Its name; nested ones joined by dots."})
    reason = fields.String(required=True)


class Problem(Schema):
    """An RFC 9457 problem."""

    type = fields.String(required=True, metadata={"description": "Where this kind of problem is explained."})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    invalid_params = fields.List(fields.Nested(InvalidParam))


class BodyParser(FlaskParser):
    """Reads arguments with our errors, and JSON as RFC 8259 has it.

    orjson refuses what Python's own parser lets through and nothing behind it expects: NaN, lone surrogates, and
    nesting deep enough to exhaust the stack.
    """

    def _raw_load_json(self, req: Request) -> Any:
        body = read_body(req.max_content_length)
        if not body:
            return missing
        if not is_json_request(req):
            raise UnsupportedMediaType("The body must be JSON, sent as application/json.")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadRequest("The body is not JSON.") from error

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Name every parameter that is wrong."""
        reasons: dict[str, str] = {}
        by_location = error.messages if isinstance(error.messages, Mapping) else {"": error.messages}
        for messages in by_location.values():
            _flatten("", messages, reasons)
        raise InvalidParameters(reasons) from error


class NeededBodyParser(BodyParser):
    """The same for routes that need a body: no body at all is not an empty object."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the JSON; where there is none, the schema says what is missing, and this if it misses nothing."""
        body = super().load_json(req, schema)
        if body is missing and not schema.validate({}):
            raise InvalidParameters({"body": "Missing: send JSON, {} if nothing is to be said."})
        return body


def _flatten(path: str, messages: Any, found: dict[str, str]) -> None:
    """Collect nested messages as ``{"field.sub": "reason"}``."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            own = path if key == "_schema" else f"{path}.{key}" if path else str(key)
            _flatten(own, inner, found)
    else:
        reasons = messages if isinstance(messages, list) else [messages]
        found[path or "body"] = " ".join(map(str, reasons))


_NEEDED_BODY: Final = NeededBodyParser()
_OPTIONAL_BODY: Final = BodyParser()


class ApiBlueprint(Blueprint):
    """Routes that the OpenAPI document describes, with the problems they may answer with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._prepare_doc_cbks.append(self._document_problems)

    if TYPE_CHECKING:  # flask-smorest's own say nothing of types

        def route(self, rule: str, **options: Any) -> Callable[[View], View]: ...  # noqa: D102
        @staticmethod
        def doc(**described: Any) -> Callable[[View], View]: ...  # noqa: D102
        def response(self, status_code: int, *a: Any, **k: Any) -> Callable[[View], View]: ...  # noqa: D102
        def alt_response(self, status_code: int, *a: Any, **k: Any) -> Callable[[View], View]: ...  # noqa: D102

    def arguments(
        self, schema: Any, *, location: str = "json", required: bool = True, **options: Any
    ) -> Callable[[View], View]:
        """Read arguments as flask-smorest does, and refuse a missing body where one is needed."""
        # Of a class a new one would be made for each request, which costs as much as reading the arguments does.
        reader = schema() if isinstance(schema, type) else schema
        decorate = super().arguments(reader, location=location, required=required, **options)  # type: ignore[no-untyped-call]

        def applied(view: View) -> View:
            # Whoever decorates asks the blueprint for its parser at this moment, and keeps it.
            self.ARGUMENTS_PARSER = _NEEDED_BODY if location == "json" and required else _OPTIONAL_BODY
            return cast(View, decorate(view))

        return applied

    @staticmethod
    def _document_problems(doc: Any, doc_info: Any, **_: Any) -> Any:  # noqa: ARG004
        statuses = [401, 429, 503] + ([400, 413, 415] if "requestBody" in doc else [])
        for status in statuses:
            doc["responses"].setdefault(status, HTTPStatus(status).name)
        return doc


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return ``value`` as a JSON response."""
    response = Response(orjson.dumps(value), status, mimetype="application/json")
    response.headers.update(headers or {})
    return response


def read_body(limit: int | None) -> bytes:
    """Return the raw body of the request.

    Raises:
        TooLarge: if it has more than ``limit`` bytes.
    """
    stated = request.content_length
    request.max_content_length = limit
    if limit is None or (stated is not None and stated <= limit):
        return request.get_data(cache=False)
    # Werkzeug cuts off a body that does not state its length, instead of refusing it.
    if stated is not None or len(body := request.get_data(cache=False)) >= limit:
        raise TooLarge(f"The body is larger than {limit} bytes.")
    return body


def request_name() -> str | None:
    """Return the sender's own name for this request, its ``Idempotency-Key``: the same one, sent again, is no other.

    Raises:
        InvalidParameters: if it is empty or too long.
    """
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= _LONGEST_NAME:
        raise InvalidParameters({"Idempotency-Key": f"Not 1 to {_LONGEST_NAME} characters."})
    return key


def problem(
    status: int, slug: str | None, title: str, detail: str, invalid_params: list[dict[str, str]] | None = None
) -> Response:
    """Return an RFC 9457 problem. ``about:blank`` is its name for no more than the HTTP status."""
    body: dict[str, Any] = {
        "type": f"/docs/problems#{slug}" if slug else "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
    }
    if invalid_params:
        body["invalid_params"] = invalid_params
    response = Response(orjson.dumps(body), status, content_type=PROBLEM)
    if origin := g.get("allowed_origin"):  # the page's script may read why
        response.headers["Access-Control-Allow-Origin"] = origin
        response.vary.add("Origin")
    return response


class ProblemApi(Api):
    """flask-smorest with our error shape."""

    ERROR_SCHEMA = Problem  # type: ignore[assignment]

    def _register_error_handlers(self) -> None:
        """Leave errors to ``register_errors``: smorest's own handler drops headers such as Retry-After."""

    def _register_pagination_header(self) -> None:
        """Describe no pagination header: lists page by a cursor in the body."""

    def _register_responses(self) -> None:
        """Name the problems, so that operations can refer to them."""
        named = {HTTPStatus(status).name: kind.title for status, kind in PROBLEMS.items()}
        for name, title in {**named, self.DEFAULT_ERROR_RESPONSE_NAME: "Any other problem"}.items():
            response = {"description": title, "schema": self.ERROR_SCHEMA}
            prepare_response(response, self.spec, PROBLEM)  # type: ignore[no-untyped-call]
            self.spec.components.response(name, response, lazy=True)


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
        if status == 413:
            return _ours(TooLarge(f"The body is larger than {request.max_content_length} bytes."))
        known = PROBLEMS.get(status)
        slug, title = (known.slug, known.title) if known else (None, error.name)
        response = problem(status, slug, title, error.description or title)
        for name, value in error.get_headers():
            if name.lower() not in ("content-type", "content-length"):
                response.headers[name] = value
        return response

    @app.errorhandler(OperationalError)
    @app.errorhandler(PoolTimeout)
    def _database_down(error: Exception) -> Response:
        cause = getattr(error, "orig", None) or error
        log.error("database_unavailable", error=type(cause).__name__, route=_route())
        return _ours(Unavailable("The database does not answer. Try again in a few seconds."))

    @app.errorhandler(Exception)
    def _unforeseen(_: Exception) -> Response:
        log.error("unhandled_error", route=_route(), exc_info=True)  # noqa: LOG014 - this handles one
        return problem(500, "internal", "Internal error", "Something went wrong here. It has been logged.")


def _route() -> str:
    """Return the pattern of the address: the address itself can hold a webhook token."""
    return request.url_rule.rule if request.url_rule else "unknown"


def security_headers(response: Response) -> Response:
    """Add what every answer carries."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response
