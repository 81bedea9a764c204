"""What freshness is judged by comes out of the database as it went in, and a stopped feed turns red in time."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, insert

from app.commerce.cart import Cart
from app.commerce.catalog import Product
from app.commerce.order import Order
from app.connections.models import CHANGES, DONE, LISTING, RUNNING, Subscriptions, Walk
from app.core.db import db
from app.events.models import Event
from app.monitoring import freshness
from app.monitoring.freshness import Finding, Read
from app.monitoring.reading import read
from app.monitoring.rhythm import WINDOW_H, Feed
from app.recommendations.models import LearnedModel
from tests.factories import digest, incoming, keep, new_store

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def connection(shared_app: Flask) -> Iterator[Connection]:
    """A connection whose work is undone after the test."""
    with shared_app.app_context(), db.engine.connect() as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def store_id(connection: Connection) -> int:
    """A store of this test alone."""
    return new_store().id


def order(store_id: int, placed_at: datetime, number: int) -> dict[str, Any]:
    """Return the row of an order."""
    return {
        "store_id": store_id, "platform_id": str(number), "status": 1, "channel": "online", "test": False,
        "currency": "USD", "total": 1, "placed_at": placed_at, "source_updated_at": placed_at,
        "state_digest": b"", "adjustment_ids": [], "basket": [],
    }  # fmt: skip


def orders(connection: Connection, store_id: int, *times: datetime) -> None:
    """Write an order for each time."""
    connection.execute(insert(Order), [order(store_id, time, n) for n, time in enumerate(times)])


def found(connection: Connection, store_id: int, now: datetime = NOW) -> Read:
    """Return what is read of a store that exists."""
    known = read(connection, store_id, now)
    assert known is not None
    return known


def of(findings: list[Finding], source: str) -> Finding:
    """Return the finding of one source."""
    (one,) = (finding for finding in findings if finding.source == source)
    return one


def test_a_new_store_waits(connection: Connection, store_id: int) -> None:
    findings = freshness.judge(found(connection, store_id), NOW)

    assert [(f.source, f.level) for f in findings] == [
        ("orders", "waiting"),
        ("carts", "waiting"),
        ("events", "waiting"),
        ("catalogue", "waiting"),
        ("model", "waiting"),
        ("inbox", "ok"),
    ]
    assert of(findings, "orders").message == "Waiting for the first order."


def test_a_store_that_is_none_is_not_read(connection: Connection) -> None:
    assert read(connection, 10**12, NOW) is None


def test_each_hour_is_counted_up_to_a_few(connection: Connection, store_id: int) -> None:
    begin = datetime(2026, 3, 4, 14, tzinfo=UTC)
    orders(
        connection,
        store_id,
        begin + 20 * timedelta(minutes=1),  # the newest: its own hour is not counted
        *(begin - HOUR + timedelta(minutes=n) for n in range(7)),  # more than are counted
        begin - 2 * HOUR,  # the hour that begins then
        begin - 2 * HOUR - timedelta(microseconds=1),  # and the one before
        begin - WINDOW_H * HOUR,  # the first hour
        begin - WINDOW_H * HOUR - timedelta(seconds=1),  # before it
    )
    other = new_store().id
    orders(connection, other, begin - 5 * HOUR)

    feed = found(connection, store_id).feeds["orders"]

    counted = {place - WINDOW_H: number for place, number in enumerate(feed.hours) if number}
    assert len(feed.hours) == WINDOW_H
    assert counted == {-1: 4, -2: 1, -3: 1, -WINDOW_H: 1}
    assert feed.newest == begin + 20 * timedelta(minutes=1)
    assert feed.first == begin - WINDOW_H * HOUR - timedelta(seconds=1)


def test_carts_and_events_are_read_by_their_own_times(connection: Connection, store_id: int) -> None:
    connection.execute(
        insert(Cart).values(
            store_id=store_id, token_hash=digest("a"), source_updated_at=NOW - HOUR, state_digest=b""
        )
    )
    connection.execute(
        insert(Event).values(
            store_id=store_id, received_at=NOW - 2 * HOUR, occurred_at=NOW, subject=b"s", type="track",
            name="x", products=[], properties={}, purposes=1, source="web", message=b"m",
        )
    )  # fmt: skip

    feeds = found(connection, store_id).feeds

    assert {name: feed.newest for name, feed in feeds.items()} == {
        "orders": None,
        "carts": NOW - HOUR,
        "events": NOW - 2 * HOUR,
    }
    assert feeds["orders"] == Feed(None, None, ())


def test_what_a_shop_dates_into_the_future_is_no_news(connection: Connection, store_id: int) -> None:
    orders(connection, store_id, NOW - HOUR, NOW + 48 * HOUR)

    assert found(connection, store_id).feeds["orders"].newest == NOW - HOUR


def test_the_ties_to_the_platform_are_read(connection: Connection, store_id: int) -> None:
    connection.exec_driver_sql(
        "UPDATE store SET connected_at = now(), connection_problem = 'Key revoked.',"
        " connection_problem_at = %(at)s WHERE id = %(id)s",
        {"at": NOW - 3 * HOUR, "id": store_id},
    )
    connection.execute(
        insert(Subscriptions).values(
            store_id=store_id, active=[], mended=[], problems=["One is off."], checked_at=NOW - HOUR
        )
    )
    walks = [
        (CHANGES, "products", DONE, NOW - HOUR),
        (CHANGES, "orders", RUNNING, None),
        (LISTING, "products", DONE, NOW - 9 * HOUR),
        (LISTING, "orders", DONE, NOW - 7 * HOUR),
    ]
    for kind, resource, state, finished_at in walks:
        connection.execute(
            insert(Walk).values(
                store_id=store_id, kind=kind, resource=resource, state=state, notes=[],
                started_at=NOW - 2 * HOUR, finished_at=finished_at,
            )
        )  # fmt: skip

    known = found(connection, store_id)

    assert (known.connected, known.problem, known.problem_at) == (True, "Key revoked.", NOW - 3 * HOUR)
    assert (known.subscription_problems, known.subscriptions_at) == (("One is off.",), NOW - HOUR)
    assert known.asked_at == NOW - 2 * HOUR  # the orders' walk has not ended
    assert known.compared_at == NOW - 9 * HOUR  # of the products


def test_nobody_was_asked_before_everything_was(connection: Connection, store_id: int) -> None:
    connection.execute(
        insert(Walk).values(
            store_id=store_id, kind=CHANGES, resource="products", state=DONE, notes=[], started_at=NOW,
            finished_at=NOW,
        )
    )  # fmt: skip

    assert found(connection, store_id).asked_at is None


def test_catalogue_model_and_inbox_are_read(connection: Connection, store_id: int) -> None:
    for number, hours in enumerate((30, 3)):
        connection.execute(
            insert(Product).values(
                store_id=store_id, platform_id=str(number), status="active", visible=True, available=True,
                title="x", tags=[], gift_card=False, source_updated_at=NOW - hours * HOUR,
            )
        )  # fmt: skip
    connection.execute(
        insert(LearnedModel).values(
            store_id=store_id, epoch=NOW.date(), half_life_days=180, basket_cap=100, orders=1, version=2,
            rebuilt_at=NOW - 5 * HOUR, held_at=NOW - HOUR, held_reason="It was worse.",
        )
    )  # fmt: skip

    known = found(connection, store_id)

    assert known.products_at == NOW - 3 * HOUR
    assert (known.rebuilt_at, known.held_at, known.held_reason) == (
        NOW - 5 * HOUR,
        NOW - HOUR,
        "It was worse.",
    )
    assert known.waiting_since is None


def test_the_oldest_pending_delivery_is_read(shared_app: Flask) -> None:
    with shared_app.app_context():
        store_id = new_store().id
        for hours in (1, 3, 2):
            keep(incoming(store_id, key=f"{store_id}-{hours}", received=NOW - hours * HOUR))

        with db.engine.connect() as connection:
            assert found(connection, store_id).waiting_since == NOW - 3 * HOUR


def daily_shop(weeks: int) -> Callable[[datetime], Iterator[datetime]]:
    """Return the orders of a shop that sells at 9, 11, 13, 15 and 17 o'clock, every day."""

    def until(end: datetime) -> Iterator[datetime]:
        day = end.replace(hour=0, minute=0) - timedelta(weeks=weeks)
        while day < end:
            yield from (at for hour in range(9, 18, 2) if (at := day + hour * HOUR) < end)
            day += timedelta(days=1)

    return until


def test_stopping_the_order_feed_turns_freshness_red_within_its_threshold(
    connection: Connection, store_id: int
) -> None:
    orders(connection, store_id, *daily_shop(weeks=5)(NOW))

    def level(hours: float) -> str:
        """Return the level so many hours after the last order, at 15:00 on 4 March."""
        now = datetime(2026, 3, 4, 15, tzinfo=UTC) + hours * HOUR
        return of(freshness.judge(found(connection, store_id, now), now), "orders").level

    first = of(freshness.judge(found(connection, store_id), NOW), "orders")
    assert first.warn_after_seconds is not None
    assert first.error_after_seconds is not None
    # 140 gaps in four weeks: ln(140 / 0.01) = 9.55 and ln(140 / 0.001) = 11.85 orders are to be missing. Two were
    # expected in what was left of the first day, five on the second: the tenth and the twelfth of the third, between
    # 13 and 14 o'clock and between 17 and 18.
    assert first.warn_after_seconds / 3600 == pytest.approx(24 + 22 + 0.55, abs=0.01)
    assert first.error_after_seconds / 3600 == pytest.approx(24 + 26 + 0.85, abs=0.01)
    assert level(18) == "ok"  # the next morning
    assert level(first.warn_after_seconds / 3600 - 0.1) == "ok"
    assert level(first.warn_after_seconds / 3600 + 0.1) == "warn"
    assert level(first.error_after_seconds / 3600 - 0.1) == "warn"
    assert level(first.error_after_seconds / 3600 + 0.1) == "error"
