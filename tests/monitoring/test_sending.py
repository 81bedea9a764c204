"""Messages to a receiver on loopback: signed, told once, tried again by the schedule, and stopped by a 410."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import current_app
from sqlalchemy import select, update

from app.commerce.store import Store
from app.core.db import db, now
from app.monitoring import alerts, endpoint, sending
from app.monitoring.models import Alert, AlertEndpoint
from app.monitoring.signatures import signature
from connectors.outbound import Outbound
from tests.connectors.scripted_server import Says, ScriptedServer, Seen


@pytest.fixture
def listens(store: Store, receiver: ScriptedServer) -> str:
    """The store wants its alerts at the receiver. Returns the secret."""
    _, secret = endpoint.put(store.id, f"{receiver.url}/alerts?token=1", renew=False)
    assert secret is not None
    return secret


def raise_(store: Store, level: str = "warn", message: str = "Late.", source: str = "orders") -> None:
    """Raise an alert and commit."""
    alerts.raise_alert(db.session.connection(), store.id, source, level, message)
    db.session.commit()


def clear(store: Store, source: str = "orders") -> None:
    """Clear an alert and commit."""
    alerts.clear_alert(db.session.connection(), store.id, source)
    db.session.commit()


def alert_of(store: Store) -> Alert:
    """Return the store's only alert as it is now."""
    return db.session.scalars(
        select(Alert).where(Alert.store_id == store.id).execution_options(populate_existing=True)
    ).one()


def endpoint_of(store: Store) -> AlertEndpoint:
    """Return the store's endpoint as it is now."""
    return db.session.get_one(AlertEndpoint, store.id, populate_existing=True)


def make_due(store: Store) -> None:
    """Let the time of the next attempt come."""
    db.session.execute(
        update(Alert)
        .where(Alert.store_id == store.id, Alert.next_attempt_at.is_not(None))
        .values(next_attempt_at=now())
    )
    db.session.commit()


def header(seen: Seen, name: str) -> str:
    """Return a header whatever its case."""
    return next(value for key, value in seen.headers.items() if key.lower() == name)


def content(seen: Seen) -> dict[str, Any]:
    """Return the JSON that arrived."""
    found: dict[str, Any] = json.loads(seen.body)
    return found


def assert_signed(seen: Seen, secret: str) -> None:
    """Check a message as a receiver would."""
    stamp = int(header(seen, "webhook-timestamp"))
    expected = signature(secret, header(seen, "webhook-id"), stamp, seen.body)
    assert expected in header(seen, "webhook-signature").split(" ")
    assert abs(stamp - now().timestamp()) < 300


def test_an_alert_is_told_once_signed_and_whole(store: Store, receiver: ScriptedServer, listens: str) -> None:
    raise_(store, "error", "No order since noon.")
    assert store.id in sending.stores_to_tell()

    assert sending.tell(store.id) == 1
    assert sending.tell(store.id) == 0

    (seen,) = receiver.seen
    alert = alert_of(store)
    assert (seen.method, seen.target) == ("POST", "/alerts?token=1")
    assert header(seen, "content-type") == "application/json"
    assert header(seen, "webhook-id") == f"alert_{alert.id}_error"
    assert_signed(seen, listens)
    raised_at = alert.raised_at.isoformat().replace("+00:00", "Z")
    assert content(seen) == {
        "type": "alert.raised",
        "timestamp": raised_at,
        "data": {
            "id": str(alert.id),
            "store": store.domain,
            "source": "orders",
            "level": "error",
            "message": "No order since noon.",
            "raised_at": raised_at,
            "cleared_at": None,
        },
    }
    assert (alert.told_at is not None, alert.next_attempt_at) == (True, None)
    assert store.id not in sending.stores_to_tell()


def test_worse_and_over_are_told_too(store: Store, receiver: ScriptedServer, listens: str) -> None:
    for change in (lambda: raise_(store), lambda: raise_(store, "error"), lambda: clear(store)):
        change()
        assert sending.tell(store.id) == 1

    assert [(content(s)["type"], content(s)["data"]["level"]) for s in receiver.seen] == [
        ("alert.raised", "warn"),
        ("alert.raised", "error"),
        ("alert.cleared", "error"),
    ]
    ids = [header(s, "webhook-id").split("_", 2)[2] for s in receiver.seen]
    assert ids == ["warn", "error", "cleared"]
    assert content(receiver.seen[2])["timestamp"] == content(receiver.seen[2])["data"]["cleared_at"]


def test_what_began_and_ended_untold_stays_untold(
    store: Store, receiver: ScriptedServer, listens: str
) -> None:
    raise_(store)
    clear(store)

    assert sending.tell(store.id) == 0
    assert receiver.seen == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Says(status=500), "The receiver answered 500; it must answer 200 to 299."),
        (
            Says(status=302, headers={"Location": "/other"}),
            "The receiver answered 302; it must answer 200 to 299.",
        ),
        (Says(hang_up=True), "The connection to 127.0.0.1 broke off."),
    ],
    ids=["500", "redirect", "hangs up"],
)
def test_what_did_not_arrive_is_sent_again_under_the_same_id(
    store: Store, receiver: ScriptedServer, listens: str, answer: Says, problem: str
) -> None:
    receiver.says(answer, Says(status=200))
    raise_(store)

    assert sending.tell(store.id) == 0
    failed = alert_of(store)
    assert (failed.attempts, failed.told_at, endpoint_of(store).problem) == (1, None, problem)
    assert sending.tell(store.id) == 0  # its time has not come
    make_due(store)
    assert sending.tell(store.id) == 1

    first, second = receiver.seen
    assert first.target == second.target == "/alerts?token=1"
    assert header(first, "webhook-id") == header(second, "webhook-id")
    assert first.body == second.body
    done = alert_of(store)
    assert (done.attempts, done.next_attempt_at, endpoint_of(store).problem) == (0, None, None)


def test_the_schedule_is_the_standards(store: Store, receiver: ScriptedServer, listens: str) -> None:
    receiver.says(Says(status=503))
    raise_(store)
    waits = []

    for _ in range(10):
        with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False):
            make_due(store)
            assert sending.tell(store.id) == 0
            next_at = alert_of(store).next_attempt_at
            waits.append(None if next_at is None else (next_at - now()).total_seconds())

    expected = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert waits[-1] is None
    for wait, least in zip(waits[:-1], expected, strict=True):
        assert wait is not None
        assert least <= wait <= 1.1 * least
    assert len(receiver.seen) == 10
    assert endpoint_of(store).disabled_at is not None
    assert store.id not in sending.stores_to_tell()


@pytest.mark.parametrize(
    ("asked", "least"),
    [("120", 120), ("999999999", 86_400), ("Wed, 21 Oct 2026 07:28:00 GMT", 5), ("-3", 5)],
    ids=["seconds", "for ever", "a date", "negative"],
)
def test_a_receiver_may_ask_for_patience(
    store: Store, receiver: ScriptedServer, listens: str, asked: str, least: int
) -> None:
    receiver.says(Says(status=429, headers={"Retry-After": asked}))
    raise_(store)

    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False):
        make_due(store)
        sending.tell(store.id)
        next_at = alert_of(store).next_attempt_at
        assert next_at is not None
        assert least <= (next_at - now()).total_seconds() <= least * 1.1


def test_410_stops_everything_until_the_endpoint_is_set_again(
    store: Store, receiver: ScriptedServer, listens: str
) -> None:
    receiver.says(Says(status=410), Says(status=200))
    raise_(store, source="orders")
    raise_(store, source="carts")

    assert sending.tell(store.id) == 0
    assert sending.tell(store.id) == 0
    assert len(receiver.seen) == 1
    found = endpoint_of(store)
    assert found.disabled_at is not None
    assert found.problem == "The receiver answered 410: it wants no more messages."

    _, secret = endpoint.put(store.id, f"{receiver.url}/new", renew=False)

    assert secret is None  # it stays as it was
    assert sending.tell(store.id) == 2
    assert [s.path for s in receiver.seen[1:]] == ["/new", "/new"]
    assert_signed(receiver.seen[-1], listens)


def test_one_that_does_not_arrive_leaves_the_others_their_turn(
    store: Store, receiver: ScriptedServer, listens: str
) -> None:
    receiver.says(Says(status=500), Says(status=200))
    raise_(store, source="orders")
    raise_(store, source="carts")

    assert sending.tell(store.id) == 0
    assert len(receiver.seen) == 1
    assert sending.tell(store.id) == 1
    assert content(receiver.seen[1])["data"]["source"] == "carts"


def test_news_that_comes_while_the_old_is_sent_is_told_next(
    store: Store, receiver: ScriptedServer, listens: str
) -> None:
    raise_(store)

    def over_meanwhile(_seen: Seen) -> Says:
        receiver.says(Says(status=200))
        with db.engine.begin() as connection:
            alerts.clear_alert(connection, store.id, "orders")
        return Says(status=200)

    receiver.answer = _in_context(over_meanwhile)

    assert sending.tell(store.id) == 2
    assert [content(s)["type"] for s in receiver.seen] == ["alert.raised", "alert.cleared"]


def _in_context(answer: Callable[[Seen], Says]) -> Callable[[Seen], Says]:
    """Return ``answer``, which needs the application, for the receiver's thread."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]

    def run(seen: Seen) -> Says:
        with app.app_context():
            return answer(seen)

    return run


def test_a_changed_secret_signs_beside_the_old_one_for_a_day(
    store: Store, receiver: ScriptedServer, listens: str
) -> None:
    _, renewed = endpoint.put(store.id, f"{receiver.url}/", renew=True)
    assert renewed is not None
    raise_(store)
    sending.tell(store.id)
    assert_signed(receiver.seen[0], listens)
    assert_signed(receiver.seen[0], renewed)

    kept = endpoint_of(store).secret
    assert endpoint.secrets_of(kept, now() + endpoint.GRACE - timedelta(minutes=1)) == [renewed, listens]
    assert endpoint.secrets_of(kept, now() + endpoint.GRACE) == [renewed]


def test_nothing_is_sent_for_a_store_that_has_left(
    store: Store, receiver: ScriptedServer, listens: str
) -> None:
    raise_(store)
    store.uninstalled_at = now()
    db.session.commit()

    assert store.id not in sending.stores_to_tell()


def test_an_endpoint_that_is_removed_hears_nothing_and_the_next_hears_what_is_open(
    store: Store, receiver: ScriptedServer, listens: str
) -> None:
    raise_(store, source="orders")
    raise_(store, source="carts")
    sending.tell(store.id)
    clear(store, "carts")
    raise_(store, "error", source="orders")

    assert endpoint.remove(store.id) == f"{receiver.url}/alerts?token=1"
    assert endpoint.remove(store.id) is None
    assert sending.tell(store.id) == 0
    endpoint.put(store.id, f"{receiver.url}/next", renew=False)
    assert sending.tell(store.id) == 1

    assert [(s.path, content(s)["data"]["level"]) for s in receiver.seen[2:]] == [("/next", "error")]


def test_a_test_message_says_that_nothing_is_wrong(
    store: Store, receiver: ScriptedServer, listens: str
) -> None:
    receiver.says(Says(status=200), Says(status=404))

    arrived, failed = sending.send_test(store.id), sending.send_test(store.id)

    assert arrived == sending.Attempt(200, None)
    assert failed == sending.Attempt(404, "The receiver answered 404; it must answer 200 to 299.")
    assert content(receiver.seen[0])["type"] == "alert.test"
    assert re.fullmatch(rf"test_{store.id}_\d+", header(receiver.seen[0], "webhook-id"))
    assert_signed(receiver.seen[0], listens)
    assert failed is not None
    assert endpoint_of(store).problem == failed.problem


def test_without_an_endpoint_nothing_can_be_tested(store: Store) -> None:
    with pytest.raises(LookupError):
        sending.send_test(store.id)


def test_addresses_of_our_own_network_are_never_asked(
    store: Store, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.put(store.id, f"{receiver.url}/", renew=False)
    raise_(store)
    monkeypatch.setattr(endpoint, "line", lambda: Outbound(allow_loopback=False))

    assert sending.tell(store.id) == 0
    assert receiver.seen == []
    assert endpoint_of(store).problem == "The address must begin with https://."
