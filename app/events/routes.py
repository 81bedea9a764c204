"""``POST /v1/track`` and its kin: where events come in, in the form of the Segment spec.

https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ has the addresses and
https://www.npmjs.com/package/@segment/analytics-next their short forms. Bodies are JSON whatever their content type
says: pages send ``text/plain``, which no browser asks leave for.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson
from flask import Response, current_app, g, request

from app.commerce.access import SENDER_DOC, SERVER_DOC, allow_origin, sender_access, server_blueprint
from app.commerce.store import StoreAccess
from app.core.api import ApiBlueprint, json_response, read_body
from app.core.db import db, now
from app.core.errors import BadRequest, InvalidParameters, TooLarge
from app.events import spec
from app.events.intake import EventIntake
from app.events.report import report
from app.events.schemas import EventReport, EventResults, ReportQuery
from app.events.tallies import REJECTED

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

blueprint = ApiBlueprint("events", __name__, url_prefix="/v1", description="What shoppers do.")
reports = server_blueprint(
    "event_reports", __name__, url_prefix="/v1/reports", description="How events come in."
)

_MEDIA: Final = ("application/json", "text/plain")
_WHAT: Final = {
    spec.TRACK: "Take something that a shopper did.",
    spec.IDENTIFY: "Take who a visitor is.",
    spec.PAGE: "Take that a page was seen.",
    spec.SCREEN: "Take that an app's screen was seen.",
    spec.GROUP: "Take what group a visitor belongs to.",
    spec.ALIAS: "Take what a visitor was called before.",
}


def _doc(body: dict[str, Any]) -> dict[str, Any]:
    """Return a route's OpenAPI: who may call, the body of any of the media types, the problems."""
    schema = {"type": "object", "additionalProperties": True, **body}
    return {
        "security": SENDER_DOC["security"],
        "requestBody": {"required": True, "content": {media: {"schema": schema} for media in _MEDIA}},
        "responses": {
            400: "BAD_REQUEST",
            403: "FORBIDDEN",
            413: "REQUEST_ENTITY_TOO_LARGE",
            422: "UNPROCESSABLE_ENTITY",
        },
    }


def _add(kind: str) -> None:
    """Add the route of one type of message."""

    def view(message: Any) -> Response:
        if not isinstance(message, dict):
            raise InvalidParameters({"body": "Not a JSON object."})
        return _take([message], kind=kind)

    view.__name__, view.__doc__ = kind, _WHAT[kind]
    documented = blueprint.doc(**_doc({}))(blueprint.response(200, EventResults)(_for_senders(view)))
    blueprint.route(f"/{kind}", methods=["POST"])(documented)


def _for_senders(view: Callable[[Any], Response]) -> Callable[[], Response]:
    """Refuse strangers before anything is said of their body; leave the store in ``g.access``, hand the body over."""

    def checked() -> Response:
        body = _Body()
        g.access = sender_access(body.write_key)
        return view(body.json())

    checked.__name__, checked.__doc__ = view.__name__, view.__doc__
    return checked


class _Body:
    """The JSON of one request, read when somebody asks for it."""

    def __init__(self) -> None:
        self._read: list[Any] = []

    def json(self) -> Any:
        """Return it.

        Raises:
            BadRequest: if it is none.
            TooLarge: if it is larger than a batch may be.
        """
        if not self._read:
            try:
                self._read.append(orjson.loads(read_body(spec.BATCH_BYTES)))
            except orjson.JSONDecodeError as error:
                raise BadRequest("The body is not JSON.") from error
        return self._read[0]

    def write_key(self) -> Any:
        """Return the key that it names, None where it names none or is no JSON."""
        try:
            body = self.json()
        except BadRequest:
            return None
        return body.get("writeKey") if isinstance(body, dict) else None


for _kind in spec.TYPES:
    _add(_kind)


def _batch(body: Any) -> Response:
    if not isinstance(body, dict) or not isinstance(body.get("batch"), list):
        raise InvalidParameters({"batch": "Not a list."})
    messages: list[Any] = body["batch"]
    if len(messages) > spec.BATCH_EVENTS:
        raise TooLarge(f"A batch holds at most {spec.BATCH_EVENTS} events.")
    context = body.get("context")
    if isinstance(context, dict) and context:
        messages = [_with_context(message, context) for message in messages]
    return _take(messages, sent_at=body.get("sentAt"))


_batch.__name__, _batch.__doc__ = "batch", "Take many messages at once, each with an answer of its own."
blueprint.route("/batch", methods=["POST"])(
    blueprint.doc(**_doc({"required": ["batch"], "properties": {"batch": {"type": "array", "items": {}}}}))(
        blueprint.response(200, EventResults)(_for_senders(_batch))
    )
)


def _with_context(message: Any, context: dict[str, Any]) -> Any:
    """Return a message of a batch with what the batch says for all; its own word counts."""
    if not isinstance(message, dict):
        return message
    own = message.get("context")
    if own is None:
        return message | {"context": context}
    return message | {"context": context | own} if isinstance(own, dict) else message


def _take(messages: Sequence[Any], *, kind: str | None = None, sent_at: Any = None) -> Response:
    access: StoreAccess = g.access
    results = current_events().take(
        access,
        messages,
        kind=kind,
        sent_at=spec.read_time(sent_at),
        gpc=request.headers.get("Sec-GPC") == "1",
    )
    rejected = sum(result["status"] == REJECTED for result in results)
    response = json_response(
        {"success": True, "accepted": len(results) - rejected, "rejected": rejected, "results": results}
    )
    response.headers["Cache-Control"] = "private, no-store"
    return allow_origin(response)


def current_events() -> EventIntake:
    """Return the current application's intake of events."""
    intake: EventIntake = current_app.extensions["pannier_events"]
    return intake


@reports.route("/events", methods=["GET"])
@reports.doc(**SERVER_DOC)
@reports.arguments(ReportQuery, location="query")
@reports.response(200, EventReport)
def event_report(query: dict[str, Any]) -> Response:
    """Return how events came in, and what to do about those that did not.

    Each web process adds its counts every two seconds.
    """
    access: StoreAccess = g.access
    return json_response(report(db.session.connection(), access.store_id, now().date(), query["days"]))


class ShortAddresses:
    """WSGI middleware that knows the routes under the one-letter addresses of analytics.js, too.

    And under the one that RudderStack's sends beacons to.
    """

    LONG: Final = {
        "/v1/t": "/v1/track",
        "/v1/i": "/v1/identify",
        "/v1/p": "/v1/page",
        "/v1/s": "/v1/screen",
        "/v1/g": "/v1/group",
        "/v1/a": "/v1/alias",
        "/v1/b": "/v1/batch",
        "/beacon/v1/batch": "/v1/batch",
    }

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request on, under the long address where it has a short one."""
        long = self.LONG.get(environ.get("PATH_INFO", ""))
        if long is not None:
            environ["PATH_INFO"] = long
        return self._app(environ, start_response)
