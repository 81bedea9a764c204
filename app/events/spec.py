"""One message of the Segment spec: read, checked, and reduced to what may be kept. Pure.

https://segment.com/docs/connections/spec/common/ is the form; what Pannier makes of it stands in ``docs/events.md``.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from app.events import properties as props
from app.events.names import OF_ONE_PRODUCT, canonical

TRACK: Final = "track"
IDENTIFY: Final = "identify"
PAGE: Final = "page"
SCREEN: Final = "screen"
GROUP: Final = "group"
ALIAS: Final = "alias"
TYPES: Final = (TRACK, IDENTIFY, PAGE, SCREEN, GROUP, ALIAS)

# As Segment has them: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/#max-request-size
EVENT_BYTES: Final = 32 * 1024
BATCH_BYTES: Final = 500 * 1024
BATCH_EVENTS: Final = 500
LONGEST_MESSAGE_ID: Final = 100
LONGEST_NAME: Final = 200
LONGEST_ID: Final = 200
MOST_ENTRIES: Final = 2_000
# A clock that is corrected by sentAt and still so far ahead is not a clock.
AHEAD: Final = timedelta(hours=24)

NOT_AN_OBJECT: Final = "not_an_object"
TOO_LARGE: Final = "too_large"
TOO_DEEP: Final = "too_deep"
TOO_MANY_PROPERTIES: Final = "too_many_properties"
UNKNOWN_TYPE: Final = "unknown_type"
BAD_PROPERTIES: Final = "bad_properties"
BAD_NAME: Final = "bad_name"
BAD_ID: Final = "bad_id"
JUNK_ID: Final = "junk_id"
PERSONAL_ID: Final = "personal_id"
BAD_MESSAGE_ID: Final = "bad_message_id"
BAD_TIMESTAMP: Final = "bad_timestamp"
IN_THE_FUTURE: Final = "in_the_future"
TOO_OLD: Final = "too_old"
MISSING_USER_CONTEXT: Final = "missing_user_context"
MISSING_GROUP: Final = "missing_group"
UNVERIFIED_USER: Final = "unverified_user"
MISSING_PRODUCT: Final = "missing_product"
NO_CONSENT: Final = "no_consent"

# Why an event was refused, in a sentence for whoever sent it.
REASONS: Final = {
    NOT_AN_OBJECT: "An event is a JSON object.",
    TOO_LARGE: "The event has more than 32 KB.",
    TOO_DEEP: "The event is nested deeper than 250 levels.",
    TOO_MANY_PROPERTIES: "The event has more than 2,000 properties and list entries.",
    UNKNOWN_TYPE: "The type is none of track, identify, page, screen, group and alias.",
    BAD_PROPERTIES: "properties, traits and context are JSON objects.",
    BAD_NAME: "An event's name is a text of 1 to 200 characters, without control characters.",
    BAD_ID: "An id is a text of 1 to 200 visible characters, or an integer.",
    JUNK_ID: "The id is what programs send when they have none, such as null, undefined or zeros.",
    PERSONAL_ID: "The user id is an e-mail address or a phone number. Send the platform's customer id.",
    BAD_MESSAGE_ID: "messageId is a text of 1 to 100 characters.",
    BAD_TIMESTAMP: "timestamp is no time in ISO 8601.",
    IN_THE_FUTURE: "The event is more than 24 hours ahead, even by the sender's own clock.",
    TOO_OLD: "The event is older than events are kept.",
    MISSING_USER_CONTEXT: "The event names nobody: it has neither anonymousId nor userId.",
    MISSING_GROUP: "group needs groupId.",
    UNVERIFIED_USER: "A page's userId proves nothing. Send an anonymousId, or a customer token of the platform.",
    NO_CONSENT: "Nobody agreed to analytics, or somebody withdrew it. Nothing of the event was kept.",
}  # fmt: skip

_JUNK: Final = frozenset({
    "-1", "(null)", "[object object]", "anon", "anonymous", "customer_id", "customerid", "distinct_id", "email",
    "false", "guest", "id", "n/a", "na", "nan", "nil", "none", "not_authenticated", "null", "true", "undefined",
    "unknown", "user_id", "userid",
})  # fmt: skip
_ZEROS: Final = re.compile(r"[0-]+")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that is not taken. ``reason`` is one of ``REASONS``; ``message_id`` is None where it had none."""

    reason: str
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event in good form. Whether it may be kept is decided by consent, elsewhere.

    Attributes:
        type: one of ``TYPES``.
        name: of a track, page or screen, in the spec's words where it has them.
        anonymous_id: of the browser or app.
        user_id: the platform's customer id, as the sender says.
        previous_id: what an alias was called before.
        customer_token: the platform's proof of who is logged in.
        cart: SHA-256 of the cart's token, 32 bytes.
        message_id: the sender's, or one derived from the content.
        occurred_at: by the sender's clock, corrected; never after it was received.
        products: platform ids, in the event's order.
        properties: what may be kept of them.
        consent: what the event states, unread.
        gpc: whether it carries Global Privacy Control.
        notes: what is worth telling although the event is accepted.
    """

    type: str
    name: str | None
    anonymous_id: str | None
    user_id: str | None
    previous_id: str | None
    customer_token: str | None
    cart: bytes | None
    message_id: str
    occurred_at: datetime
    products: tuple[str, ...]
    properties: dict[str, Any]
    consent: Any
    gpc: bool
    notes: tuple[str, ...]


class _Refusal(Exception):
    """Carries a reason out of the reading."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse(
    message: Any,
    *,
    received_at: datetime,
    sent_at: datetime | None = None,
    kind: str | None = None,
    retention: timedelta = timedelta(days=180),
) -> Accepted | Rejected:
    """Return what a message says, or why it is not taken.

    Args:
        message: any JSON value.
        received_at: when the request came in (UTC).
        sent_at: when its batch was sent, by the sender's clock.
        kind: the type that the address names; else the message's own counts.
        retention: how old an event may be.
    """
    message_id: str | None = None
    try:
        if not isinstance(message, dict):
            raise _Refusal(NOT_AN_OBJECT)
        message_id = _message_id(message)
        if _size(message) > EVENT_BYTES:
            raise _Refusal(TOO_LARGE)
        return _read(message, message_id, received_at, sent_at, kind, retention)
    except _Refusal as refusal:
        return Rejected(refusal.reason, message_id)


def _size(message: dict[str, Any]) -> int:
    """Return how many bytes of JSON a message has. orjson reads deeper nesting than it writes."""
    try:
        return len(orjson.dumps(message))
    except orjson.JSONEncodeError as error:
        raise _Refusal(TOO_DEEP) from error


def _read(
    message: dict[str, Any],
    message_id: str | None,
    received_at: datetime,
    sent_at: datetime | None,
    kind: str | None,
    retention: timedelta,
) -> Accepted:
    type_ = kind or message.get("type")
    if type_ not in TYPES:
        raise _Refusal(UNKNOWN_TYPE)
    context, traits = _object(message, "context"), _object(message, "traits")
    properties = props.in_the_specs_words(_object(message, "properties"))
    if props.more_entries_than([properties, traits], MOST_ENTRIES):
        raise _Refusal(TOO_MANY_PROPERTIES)
    name = _name(message, type_)
    user_id = _identifier(message.get("userId"))
    pannier = context.get("pannier")
    pannier = pannier if isinstance(pannier, dict) else {}
    token = _text(pannier.get("customerToken")) or _text(traits.get("customerToken"))
    products = props.products_of(properties) if type_ == TRACK else ()
    accepted = Accepted(
        type=str(type_),
        name=name,
        anonymous_id=_identifier(message.get("anonymousId")),
        user_id=user_id,
        previous_id=_identifier(message.get("previousId")) if type_ == ALIAS else None,
        customer_token=token,
        cart=_cart(properties.get("cart_id") or properties.get("cart_token") or pannier.get("cartToken")),
        message_id=message_id or _derived_id(message, str(type_)),
        occurred_at=_occurred_at(message, received_at, sent_at, retention),
        products=products,
        properties=props.kept(properties) if type_ in (TRACK, PAGE, SCREEN) else {},
        consent=context.get("consent"),
        gpc=context.get("gpc") is True,
        notes=_notes(str(type_), name, user_id or token, products),
    )
    _check_who(accepted, message)
    return accepted


def _notes(type_: str, name: str | None, user: str | None, products: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is missing although the event can be taken without it."""
    if type_ == IDENTIFY and user is None:
        return (MISSING_USER_CONTEXT,)
    return (MISSING_PRODUCT,) if name in OF_ONE_PRODUCT and not products else ()


def is_personal(user_id: str) -> bool:
    """Return whether a user id is an e-mail address or a phone number: no platform's customer id is."""
    return "@" in user_id or user_id.startswith("+")


def _check_who(event: Accepted, message: Mapping[str, Any]) -> None:
    """Refuse what names nobody: every event needs somebody, an alias two, a group a group."""
    named = event.user_id or event.customer_token
    if not (named or event.anonymous_id):
        raise _Refusal(MISSING_USER_CONTEXT)
    if event.type == ALIAS and not event.previous_id:
        raise _Refusal(MISSING_USER_CONTEXT)
    if event.type == GROUP and _identifier(message.get("groupId")) is None:
        raise _Refusal(MISSING_GROUP)


def _message_id(message: Mapping[str, Any]) -> str | None:
    """Return the sender's message id, None where there is none."""
    given = message.get("messageId")
    if given is None or given == "":
        return None
    if type(given) is not str or len(given) > LONGEST_MESSAGE_ID or not given.isprintable():
        raise _Refusal(BAD_MESSAGE_ID)
    return given


def _derived_id(message: Mapping[str, Any], type_: str) -> str:
    """Return an id made of the content: what is sent again is the same event. When it was sent does not count."""
    content = {k: v for k, v in message.items() if k not in ("sentAt", "receivedAt", "writeKey", "messageId")}
    body = orjson.dumps(content | {"type": type_}, option=orjson.OPT_SORT_KEYS)
    return f"content-{hashlib.sha256(body).hexdigest()[:32]}"


def _object(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = message.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Refusal(BAD_PROPERTIES)
    return value


def _text(value: Any) -> str | None:
    return value if type(value) is str and value else None


def _name(message: Mapping[str, Any], type_: str) -> str | None:
    """Return the name of a track (which needs one), a page or a screen."""
    given = (
        message.get("event") if type_ == TRACK else message.get("name") if type_ in (PAGE, SCREEN) else None
    )
    if given is None and type_ != TRACK:
        return None
    if type(given) is not str or len(given) > LONGEST_NAME:
        raise _Refusal(BAD_NAME)
    if not given.strip() and type_ != TRACK:
        return None
    name = props.without_addresses(given).strip()
    if not name or not name.isprintable():
        raise _Refusal(BAD_NAME)
    return canonical(name) if type_ == TRACK else name


def _identifier(value: Any) -> str | None:
    """Return an id as text; None where there is none, which senders also write as an empty text."""
    if value is None:
        return None
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str):
        raise _Refusal(BAD_ID)
    found = value.strip()
    if not found:
        return None
    if found.lower() in _JUNK or _ZEROS.fullmatch(found):
        raise _Refusal(JUNK_ID)
    if len(found) > LONGEST_ID or not found.isprintable():
        raise _Refusal(BAD_ID)
    return found


def _cart(value: Any) -> bytes | None:
    """Return the SHA-256 of a cart's token, which some senders follow with ``?key=…``; a hash is taken as it is."""
    if type(value) is not str or not value or len(value) > LONGEST_ID or value.lower() in _JUNK:
        return None
    if _SHA256.fullmatch(value):
        return bytes.fromhex(value)
    return hashlib.sha256(value.partition("?")[0].encode()).digest()


def read_time(value: Any) -> datetime | None:
    """Return an ISO 8601 time in UTC, None where ``value`` is none; without an offset it is UTC."""
    if type(value) is not str:
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _occurred_at(
    message: Mapping[str, Any], received_at: datetime, sent_at: datetime | None, retention: timedelta
) -> datetime:
    """Return when it happened: as long before it was received as the sender's clock says it was sent later.

    What lies ahead after that by up to 24 hours happened when it was received.
    """
    given = message.get("timestamp")
    given = message.get("originalTimestamp") if given is None else given
    if given is None:
        return received_at
    timestamp = read_time(given)
    if timestamp is None:
        raise _Refusal(BAD_TIMESTAMP)
    sent = read_time(message.get("sentAt")) or sent_at
    age = (sent or received_at) - timestamp
    if age < -AHEAD:
        raise _Refusal(IN_THE_FUTURE)
    if age > retention:
        raise _Refusal(TOO_OLD)
    return received_at - max(age, timedelta())
