"""Telling the merchant: messages as Standard Webhooks 1.0 describes them, over the guarded line, until they arrive.

The row says what is to be told, never a queue: ``alert.next_attempt_at`` is set while the endpoint has not taken the
newest state. What was sent and could not be noted is sent again under the same id. Schedule and handling of statuses:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import requests
import structlog
from sqlalchemy import case, select, update

from app.commerce.store import Store
from app.core.db import db, now, try_lock_store
from app.monitoring import endpoint
from app.monitoring.models import Alert, AlertEndpoint
from app.monitoring.signatures import headers
from connectors.errors import PlatformError
from connectors.outbound import Outbound

log = structlog.get_logger()

# After the first, second, … attempt that failed; after the last one the endpoint is disabled.
DELAYS: Final = tuple(
    timedelta(seconds=s)
    for s in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)  # fmt: skip
_JITTER: Final = 0.1  # of a delay, at most, on top
_MOST_AT_ONCE: Final = 20
_GONE: Final = 410
_SENDING_LOCK: Final = 46
_TEST_DEADLINE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell. ``id`` stays the same however often it is sent."""

    id: str
    type: str
    timestamp: datetime
    data: dict[str, Any]

    def body(self) -> bytes:
        """Return the JSON that is sent and signed."""
        content = {"type": self.type, "timestamp": _text(self.timestamp), "data": self.data}
        return orjson.dumps(content)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of sending a message.

    Attributes:
        status: of the answer; None where there was none.
        problem: why it does not count as delivered, in a sentence; None where it does.
        wait: how long the receiver asks to be left alone.
    """

    status: int | None
    problem: str | None
    wait: timedelta = timedelta(0)

    @property
    def delivered(self) -> bool:
        """Whether the receiver took the message."""
        return self.problem is None

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more of them."""
        return self.status == _GONE


def message_of(alert: Alert, domain: str) -> Message:
    """Return what is to be told of an alert now: that it was raised, grew worse, or is over."""
    over = alert.cleared_at is not None
    return Message(
        id=f"alert_{alert.id}_{'cleared' if over else alert.level}",
        type="alert.cleared" if over else "alert.raised",
        timestamp=alert.cleared_at or alert.raised_at,
        data={
            "id": str(alert.id),
            "store": domain,
            "source": alert.source,
            "level": alert.level,
            "message": alert.message,
            "raised_at": _text(alert.raised_at),
            "cleared_at": alert.cleared_at and _text(alert.cleared_at),
        },
    )


def post(line: Outbound, url: str, secrets: list[str], message: Message, deadline_s: float) -> Attempt:
    """Send a message once. Never raises for what the receiver does."""
    body = message.body()
    signed = headers(secrets, message.id, int(now().timestamp()), body)
    plain = {"Content-Type": "application/json", "User-Agent": "Pannier-Alerts"}
    try:
        prepared = requests.Request("POST", url, data=body, headers={**plain, **signed}).prepare()
        reply = line.send(prepared, deadline_s=deadline_s)
    except (PlatformError, requests.RequestException) as error:
        known = isinstance(error, PlatformError)
        return Attempt(None, str(error) if known else "The address is no web address.")
    if 200 <= reply.status < 300:
        return Attempt(reply.status, None)
    wait = _retry_after(reply.headers.get("Retry-After", ""))
    if reply.status == _GONE:
        return Attempt(_GONE, "The receiver answered 410: it wants no more messages.")
    return Attempt(reply.status, f"The receiver answered {reply.status}; it must answer 200 to 299.", wait)


def stores_to_tell() -> list[int]:
    """Return the stores of which something is to be told now."""
    found = db.session.scalars(
        select(Alert.store_id)
        .join(AlertEndpoint, AlertEndpoint.store_id == Alert.store_id)
        .join(Store, Store.id == Alert.store_id)
        .where(
            Alert.next_attempt_at <= now(),
            AlertEndpoint.disabled_at.is_(None),
            Store.uninstalled_at.is_(None),
        )
        .distinct()
    ).all()
    db.session.rollback()
    return list(found)


def tell(store_id: int) -> int:
    """Send what a store is to be told now; return how many messages arrived.

    The first that does not arrive ends the round: the others would not either, and keep their turn.
    """
    with try_lock_store(store_id, _SENDING_LOCK) as mine:
        if not mine:
            return 0
        told = 0
        while told < _MOST_AT_ONCE and _tell_next(store_id):
            told += 1
        return told


def send_test(store_id: int) -> Attempt | None:
    """Send a test message now; None where another message is just being sent.

    The endpoint keeps what went wrong; one that was disabled stays so.

    Raises:
        LookupError: if the store has no endpoint.
    """
    with try_lock_store(store_id, _SENDING_LOCK) as mine:
        row = _endpoint(store_id)
        if row is None:
            raise LookupError(store_id)
        if not mine:
            return None
        found, domain = row
        moment = now()
        message = Message(
            id=f"test_{store_id}_{int(moment.timestamp() * 1000)}",
            type="alert.test",
            timestamp=moment,
            data={"store": domain, "message": "This is a test. Nothing is wrong."},
        )
        url, secrets = found.url, endpoint.secrets_of(found.secret, moment)
        db.session.rollback()  # no transaction stands open for as long as the receiver takes
        attempt = post(endpoint.line(), url, secrets, message, _TEST_DEADLINE_S)
        _note(store_id, attempt.problem)
        db.session.commit()
        return attempt


def _tell_next(store_id: int) -> bool:
    """Send the oldest message that is due; return whether there was one and it arrived."""
    row = _endpoint(store_id)
    alert = db.session.scalars(
        select(Alert)
        .where(Alert.store_id == store_id, Alert.next_attempt_at <= now())
        .order_by(Alert.next_attempt_at, Alert.id)
        .limit(1)
    ).first()
    if row is None or row[0].disabled_at is not None or alert is None:
        db.session.rollback()
        return False
    found, domain = row
    url, secrets = found.url, endpoint.secrets_of(found.secret, now())
    message = message_of(alert, domain)
    sent = _Sent(alert.id, alert.level, alert.cleared_at, alert.attempts + 1)
    db.session.rollback()
    attempt = post(endpoint.line(), url, secrets, message, endpoint.DEADLINE_S)
    _settle(store_id, sent, attempt)
    db.session.commit()
    return attempt.delivered


@dataclass(frozen=True, slots=True)
class _Sent:
    """The state of an alert that was sent: it may have changed meanwhile."""

    alert_id: int
    level: str
    cleared_at: datetime | None
    attempts: int


def _settle(store_id: int, sent: _Sent, attempt: Attempt) -> None:
    """Note what came of an attempt. Newer news of the same alert is told at once."""
    unchanged = (Alert.level == sent.level) & Alert.cleared_at.is_not_distinct_from(sent.cleared_at)
    mine = update(Alert).where(Alert.id == sent.alert_id)
    if attempt.delivered:
        db.session.execute(
            mine.values(told_at=now(), attempts=0, next_attempt_at=case((unchanged, None), else_=now()))
        )
    else:
        last = attempt.gone or sent.attempts > len(DELAYS)
        again = None if last else now() + _delay(sent.attempts, attempt.wait)
        db.session.execute(mine.where(unchanged).values(attempts=sent.attempts, next_attempt_at=again))
        if last:
            _disable(store_id, "gone" if attempt.gone else "exhausted")
    _note(store_id, attempt.problem)


def _delay(attempts: int, wait: timedelta) -> timedelta:
    delay = DELAYS[attempts - 1]
    return max(delay * (1 + random.uniform(0, _JITTER)), wait)  # noqa: S311 - no secret


def _disable(store_id: int, reason: str) -> None:
    db.session.execute(
        update(AlertEndpoint).where(AlertEndpoint.store_id == store_id).values(disabled_at=now())
    )
    log.warning("alert_endpoint_disabled", store_id=store_id, reason=reason)


def _note(store_id: int, problem: str | None) -> None:
    db.session.execute(
        update(AlertEndpoint).where(AlertEndpoint.store_id == store_id).values(problem=problem)
    )


def _endpoint(store_id: int) -> tuple[AlertEndpoint, str] | None:
    row = db.session.execute(
        select(AlertEndpoint, Store.domain)
        .join(Store, Store.id == AlertEndpoint.store_id)
        .where(AlertEndpoint.store_id == store_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def _retry_after(value: str) -> timedelta:
    """Return what a receiver asks for in seconds; dates, and more than a day, count as nothing and a day."""
    seconds = int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else 0
    return min(timedelta(seconds=seconds), timedelta(days=1))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
