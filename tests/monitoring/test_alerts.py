"""Alerts: one of a source is open, news is marked to be told, and what is over is told only to who knew of it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, select, update

from app.core.db import db, now
from app.monitoring import alerts
from app.monitoring.models import Alert
from tests.factories import new_store


@pytest.fixture
def connection(shared_app: Flask) -> Iterator[Connection]:
    """A connection whose work is undone after the test."""
    with shared_app.app_context(), db.engine.connect() as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def store_id(shared_app: Flask, connection: Connection) -> int:
    """A store of this test alone."""
    return new_store().id


def rows(connection: Connection, store_id: int) -> list[Any]:
    """Return the alerts of a store, oldest first."""
    return list(connection.execute(select(Alert).where(Alert.store_id == store_id).order_by(Alert.id)))


def told(connection: Connection, store_id: int) -> None:
    """Do as if the merchant's endpoint took what there was to tell."""
    connection.execute(
        update(Alert).where(Alert.store_id == store_id).values(told_at=now(), next_attempt_at=None)
    )


def test_an_alert_that_is_raised_again_stays_one_and_is_no_news(
    connection: Connection, store_id: int
) -> None:
    first = alerts.raise_alert(connection, store_id, "orders", "warn", "No order since noon.")
    told(connection, store_id)
    again = alerts.raise_alert(connection, store_id, "orders", "warn", "No order since noon!")

    (row,) = rows(connection, store_id)
    assert (first, again) == (True, False)
    assert (row.level, row.message, row.next_attempt_at) == ("warn", "No order since noon!", None)


def test_an_alert_that_grows_worse_is_told_again_at_once(connection: Connection, store_id: int) -> None:
    alerts.raise_alert(connection, store_id, "orders", "warn", "Late.")
    told(connection, store_id)
    connection.execute(update(Alert).where(Alert.store_id == store_id).values(attempts=4))

    news = alerts.raise_alert(connection, store_id, "orders", "error", "Far too late.")

    (row,) = rows(connection, store_id)
    assert (news, row.level, row.message, row.attempts) == (True, "error", "Far too late.", 0)
    assert row.next_attempt_at is not None


def test_an_alert_keeps_its_worst_level_and_says_why(connection: Connection, store_id: int) -> None:
    alerts.raise_alert(connection, store_id, "orders", "error", "Far too late.")

    news = alerts.raise_alert(connection, store_id, "orders", "warn", "Late.")

    (row,) = rows(connection, store_id)
    assert (news, row.level, row.message) == (False, "error", "Far too late.")


@pytest.mark.parametrize("was_told", [True, False], ids=["was told", "was not"])
def test_the_end_is_told_to_who_knows_of_the_beginning(
    connection: Connection, store_id: int, was_told: bool
) -> None:
    alerts.raise_alert(connection, store_id, "orders", "warn", "Late.")
    if was_told:
        told(connection, store_id)

    cleared = alerts.clear_alert(connection, store_id, "orders")

    (row,) = rows(connection, store_id)
    assert cleared
    assert row.cleared_at is not None
    assert (row.next_attempt_at is not None) is was_told


def test_clearing_what_is_not_open_does_nothing(connection: Connection, store_id: int) -> None:
    alerts.raise_alert(connection, store_id, "orders", "warn", "Late.")
    alerts.clear_alert(connection, store_id, "orders")
    (before,) = rows(connection, store_id)

    assert not alerts.clear_alert(connection, store_id, "orders")
    assert not alerts.clear_alert(connection, store_id, "carts")
    assert rows(connection, store_id) == [before]


def test_the_same_trouble_later_is_a_new_alert(connection: Connection, store_id: int) -> None:
    alerts.raise_alert(connection, store_id, "orders", "error", "Late.")
    alerts.clear_alert(connection, store_id, "orders")

    assert alerts.raise_alert(connection, store_id, "orders", "warn", "Late again.")
    assert [(row.level, row.cleared_at is None) for row in rows(connection, store_id)] == [
        ("error", False),
        ("warn", True),
    ]


def test_other_sources_and_other_stores_are_left_alone(connection: Connection, store_id: int) -> None:
    other = new_store().id
    for store, source in ((store_id, "orders"), (store_id, "carts"), (other, "orders")):
        alerts.raise_alert(connection, store, source, "warn", "Late.")

    alerts.clear_alert(connection, store_id, "orders")

    assert [row.source for row in rows(connection, store_id) if row.cleared_at is None] == ["carts"]
    assert [row.cleared_at for row in rows(connection, other)] == [None]


def test_a_level_that_is_none_is_refused(connection: Connection, store_id: int) -> None:
    with pytest.raises(ValueError, match="'red' is no level"):
        alerts.raise_alert(connection, store_id, "orders", "red", "Late.")


def test_pages_go_back_in_time(connection: Connection, store_id: int) -> None:
    for number in range(3):
        alerts.raise_alert(connection, store_id, f"slot:{number}", "warn", "It harms.")
    alerts.clear_alert(connection, store_id, "slot:1")

    first = alerts.page(connection, store_id, only_open=False, before=None, limit=2)
    rest = alerts.page(connection, store_id, only_open=False, before=first[-1].id, limit=2)
    still_open = alerts.page(connection, store_id, only_open=True, before=None, limit=9)

    assert [row.source for row in (*first, *rest)] == ["slot:2", "slot:1", "slot:0"]
    assert [row.source for row in still_open] == ["slot:2", "slot:0"]


def test_what_has_long_been_over_is_forgotten(connection: Connection, store_id: int) -> None:
    for source, days in (("open", None), ("old", 181), ("young", 179)):
        alerts.raise_alert(connection, store_id, source, "warn", "Late.")
        if days is not None:
            connection.execute(
                update(Alert).where(Alert.source == source).values(cleared_at=now() - timedelta(days=days))
            )

    assert alerts.forget_old(connection) == 1
    assert [row.source for row in rows(connection, store_id)] == ["open", "young"]
