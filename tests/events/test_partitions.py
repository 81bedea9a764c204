"""Weeks of events: made ahead, filled from what lay in the default, dropped whole."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from app.commerce.store import NewKeys, Store
from app.core import partitions
from app.core.db import db, now
from app.events import jobs
from app.events.jobs import WEEKS
from app.events.models import EventReceipt
from tests.events.sending import kept, message, send


@pytest.fixture(autouse=True)
def no_weeks(app: object) -> Iterator[None]:
    """Without tables of weeks, before and after."""
    _drop_all()
    yield
    _drop_all()


def _drop_all() -> None:
    db.session.rollback()
    for monday in partitions.weeks(db.session.connection(), WEEKS):
        partitions.drop(db.session.connection(), WEEKS, monday)
    db.session.commit()


def place(table: str) -> int:
    db.session.rollback()
    return int(db.session.connection().exec_driver_sql(f"SELECT count(*) FROM ONLY {table}").scalar_one())


def backdate(store: Store, **ago: float) -> None:
    """Let the store's events have been received earlier."""
    db.session.connection().exec_driver_sql(
        "UPDATE event SET received_at = received_at - %(ago)s, occurred_at = occurred_at - %(ago)s"
        " WHERE store_id = %(store)s",
        {"ago": timedelta(**ago), "store": store.id},
    )
    db.session.commit()


def test_this_week_and_four_ahead_are_made_once(store: Store) -> None:
    assert jobs.make_weeks() == 5
    assert jobs.make_weeks() == 0

    monday = partitions.week_of(now().date())
    assert partitions.weeks(db.session.connection(), WEEKS) == [monday + timedelta(weeks=n) for n in range(5)]


def test_what_lies_in_the_default_moves_to_its_week(
    client: FlaskClient, store: Store, send_keys: NewKeys
) -> None:
    send(client, send_keys, message())
    backdate(store, weeks=3)
    send(client, send_keys, message(), message())
    assert place("event_default") == 3

    assert jobs.make_weeks() == 6

    this = partitions.week_of(now().date())
    then = partitions.week_of((now() - timedelta(weeks=3)).date())
    assert (
        place("event_default"),
        place(partitions.name_of(WEEKS, this)),
        place(partitions.name_of(WEEKS, then)),
    ) == (
        0,
        2,
        1,
    )
    send(client, send_keys, message())
    assert place(partitions.name_of(WEEKS, this)) == 3
    assert len(kept(store)) == 4


def test_weeks_of_which_every_day_is_over_are_dropped_whole(
    client: FlaskClient, store: Store, send_keys: NewKeys
) -> None:
    for weeks in (15, 15, 0):  # 30 weeks ago, 15, now
        send(client, send_keys, message())
        backdate(store, weeks=weeks)
    jobs.make_weeks()
    assert len(kept(store)) == 3

    assert jobs.forget_old_events() == 1
    assert jobs.forget_old_events() == 0

    assert len(kept(store)) == 2
    assert len(partitions.weeks(db.session.connection(), WEEKS)) == 6


def test_old_rows_of_the_default_and_old_receipts_go(
    client: FlaskClient, store: Store, send_keys: NewKeys
) -> None:
    send(client, send_keys, message())
    backdate(store, days=200)
    send(client, send_keys, message())
    old, young = db.session.query(EventReceipt).order_by(EventReceipt.received_at).all()
    old.received_at, young.received_at = (
        now() - timedelta(days=8, hours=1),
        now() - timedelta(days=7, hours=23),
    )
    db.session.commit()

    jobs.forget_old_events()

    assert len(kept(store)) == 1
    assert db.session.query(EventReceipt).count() == 1


def test_a_message_is_known_for_a_week(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    twice = message()
    send(client, send_keys, twice)
    backdate(store, days=7)
    db.session.query(EventReceipt).update({"received_at": now() - timedelta(days=7)})
    db.session.commit()
    jobs.forget_old_events()

    assert send(client, send_keys, twice).get_json()["results"][0]["status"] == "duplicate"


def test_a_week_covers_its_days_to_the_microsecond(store: Store) -> None:
    monday = date(2024, 1, 1)
    partitions.make(db.session.connection(), WEEKS, monday)
    for at in (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 7, 23, 59, 59, 999_999, tzinfo=UTC),
               datetime(2024, 1, 8, tzinfo=UTC)):  # fmt: skip
        db.session.connection().exec_driver_sql(
            "INSERT INTO event (store_id, received_at, occurred_at, subject, type, products, properties, purposes,"
            " source, message) VALUES (%(store)s, %(at)s, %(at)s, '', 'page', '{}', '{}', 1, 'browser', '')",
            {"store": store.id, "at": at},
        )
    db.session.commit()

    assert (place("event_20240101"), place("event_default")) == (2, 1)
