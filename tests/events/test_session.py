"""The running session: what events of the last half hour tell, in whatever order they come in."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from app.core.db import db
from app.core.db import now as clock
from app.events import session as sessions
from app.events.recent import load
from app.events.session import NO_SESSION, Happening, Session
from tests.events.happenings import ADD, NOW, REMOVE, event, happenings, histories, keep, told

VISITOR, OTHER = b"v" * 16, b"o" * 16


# --- what events tell -----------------------------------------------------------------------------------


def test_without_events_there_is_no_session() -> None:
    assert told() == NO_SESSION
    assert not NO_SESSION


def test_a_visit_tells_what_was_looked_at_newest_first_and_each_once() -> None:
    found = told(
        event(9, "Product Viewed", "1"),
        event(8, "Product Viewed", "2"),
        event(7, "Product List Viewed", "3", "4"),
        event(6, "Product Viewed", "1"),
        event(5, None),
    )

    assert (found.viewed, found.looks) == (("1", "2"), ("1", "2", "1"))
    assert (found.first, found.last) == (NOW - timedelta(minutes=9), NOW - timedelta(minutes=5))
    assert (found.cart, found.added, found.removed, found.bought, found.searched) == ((), (), (), (), ())


def test_searches_are_told_as_they_were_typed() -> None:
    found = told(
        event(3, "Products Searched", query="  red mug "),
        event(2, "Products Searched", query="x" * 300),
        *(event(1, "Products Searched", query=query) for query in ("", 7, None, ["mug"])),
    )

    assert found.searched == ("x" * 100, "red mug")


@pytest.mark.parametrize(
    ("events", "cart", "removed"),
    [
        ([event(3, ADD, "1"), event(2, ADD, "2")], ("2", "1"), ()),
        ([event(3, ADD, "1"), event(2, REMOVE, "1")], (), ("1",)),
        ([event(3, ADD, "1"), event(2, REMOVE, "1"), event(1, ADD, "1")], ("1",), ()),
        ([event(3, ADD, "1", quantity=2), event(2, REMOVE, "1", quantity=1)], ("1",), ()),
        ([event(3, ADD, "1", quantity=2), event(2, REMOVE, "1")], (), ("1",)),
        ([event(3, ADD, "1", quantity=True), event(2, REMOVE, "1", quantity=1)], (), ("1",)),
        ([event(2, REMOVE, "1")], (), ("1",)),
        ([event(3, ADD, "1"), event(2, "Cart Viewed", "2", "3")], ("3", "2"), ()),
        ([event(3, ADD, "1"), event(2, "Cart Viewed")], ("1",), ()),
        ([event(3, ADD, "1"), event(2, "Cart Viewed", products=[])], (), ()),
        ([event(3, REMOVE, "1"), event(2, "Checkout Started", "1")], ("1",), ()),
        ([event(3, ADD, "1"), event(2, "Order Completed", "1")], (), ()),
    ],
    ids=["added", "removed", "put back", "one of two", "all", "no number", "unknown", "cart seen",
         "nothing listed", "empty cart seen", "back at the checkout", "bought"],
)  # fmt: skip
def test_the_cart_is_what_events_tell_of_it(
    events: list[Happening], cart: tuple[str, ...], removed: tuple[str, ...]
) -> None:
    found = told(*events)

    assert (found.cart, found.removed) == (cart, removed)


def test_looks_are_counted_from_the_last_change_of_the_cart() -> None:
    looked = [event(9, "Product Viewed", "1"), event(8, "Product Viewed", "2")]

    assert told(*looked).looks_since_cart == 2
    assert told(*looked, event(7, ADD, "2")).looks_since_cart == 0
    assert told(*looked, event(7, ADD, "2"), event(6, "Product Viewed", "3")).looks_since_cart == 1
    assert told(*looked, event(7, "Cart Viewed")).looks_since_cart == 2, "the cart is what it was"


CHECKOUT, ORDER = event(5, "Checkout Started", "1"), event(4, "Order Completed", "1")


@pytest.mark.parametrize(
    ("events", "left", "ordered"),
    [
        ([CHECKOUT], False, False),
        ([CHECKOUT, event(4, "Payment Info Entered")], False, False),
        ([CHECKOUT, event(4, "Product Viewed", "2")], True, False),
        ([CHECKOUT, event(4, "Cart Viewed")], True, False),
        ([CHECKOUT, event(4, "Cart Viewed"), event(3, "Checkout Started")], False, False),
        ([CHECKOUT, ORDER, event(3, "Product Viewed", "2")], False, True),
        ([CHECKOUT, ORDER, event(3, ADD, "2")], False, False),
    ],
    ids=["begun", "paying", "back in the shop", "back at the cart", "begun again", "ordered", "ordered, more"],
)  # fmt: skip
def test_a_checkout_is_left_by_whoever_is_seen_in_the_shop_again(
    events: list[Happening], left: bool, ordered: bool
) -> None:
    found = told(*events)

    assert (found.checkout_left, found.ordered) == (left, ordered)
    assert found.bought == (("1",) if ORDER in events else ())


# --- where a session begins and ends --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "viewed"),
    [
        ([29.9, 1], ("1", "29.9")),
        ([31, 1], ("1",)),
        ([59, 29.5], ("29.5", "59")),
        ([60, 30], ()),
        ([80, 55, 29], ("29", "55", "80")),
    ],
    ids=["near", "a gap", "old and near", "over", "long and without a gap"],
)
def test_half_an_hour_of_silence_ends_a_session(minutes: list[float], viewed: tuple[str, ...]) -> None:
    assert told(*(event(m, "Product Viewed", f"{m:g}") for m in minutes)).viewed == viewed


@given(events=histories)
def test_a_session_agrees_with_itself_whatever_comes_in(events: list[Happening]) -> None:
    found = told(*events)

    for distinct in (found.viewed, found.added, found.removed, found.searched, found.cart, found.bought):
        assert len(set(distinct)) == len(distinct)
    assert not set(found.cart) & set(found.removed)
    assert set(found.viewed) == set(found.looks)
    assert 0 <= found.looks_since_cart <= len(found.looks)
    assert not (found.ordered and (found.cart or found.checkout_left)) or any(
        e.name in ("Cart Viewed", "Checkout Started") for e in events
    )
    if found.first is None or found.last is None:
        assert found == NO_SESSION
    else:
        assert found.first <= found.last
        assert NOW - found.last < sessions.GAP


@given(
    events=st.lists(happenings, max_size=25, unique_by=lambda e: e.at),
    order=st.randoms(use_true_random=False),
)
def test_the_order_in_which_events_come_in_does_not_matter(events: list[Happening], order: Any) -> None:
    shuffled = list(events)
    order.shuffle(shuffled)

    assert told(*shuffled) == told(*events)


@given(events=histories)
def test_what_stands_before_a_gap_changes_nothing(events: list[Happening]) -> None:
    found = told(*events)
    of_the_visit = [e for e in events if found.first is not None and e.at >= found.first]

    assert told(*of_the_visit) == found
    older = [event(300, "Product Viewed", "old"), event(200, ADD, "old")]
    assert told(*older, *events) == found


# --- reading --------------------------------------------------------------------------------------------


def session_of(store_id: int, subject: bytes, **also: Any) -> Session:
    return load(db.session.connection(), store_id, subject, clock(), **also)[0]


def test_the_session_of_a_visitor_is_read_from_their_events_alone(app: Flask) -> None:
    keep(7, VISITOR, (60, "Product Viewed", ["1"]), (30, ADD, ["1"]))
    keep(7, OTHER, (20, "Product Viewed", ["2"]))
    keep(8, VISITOR, (20, "Product Viewed", ["3"]))

    assert (session_of(7, VISITOR).viewed, session_of(7, VISITOR).cart) == (("1",), ("1",))
    assert session_of(7, b"nobody nobody no") == NO_SESSION
    assert session_of(7, VISITOR, also=[OTHER]).viewed == ("2", "1")


def test_an_event_that_came_in_late_stands_at_its_own_time(app: Flask) -> None:
    keep(7, VISITOR, (2 * 3600, "Product Viewed", ["old"]), received_later_s=2 * 3600 - 10)
    keep(7, VISITOR, (60, "Product Viewed", ["1"]))

    assert session_of(7, VISITOR).viewed == ("1",)


def test_a_browser_whose_clock_is_ahead_is_believed_no_further_than_our_own(app: Flask) -> None:
    keep(7, VISITOR, (-3600, "Product Viewed", ["1"]), received_later_s=-3600 - 5 * 60)

    found = session_of(7, VISITOR)

    assert found.viewed == ("1",)
    assert found.last is not None
    assert found.last < clock()


def test_of_a_long_visit_the_newest_hundred_events_are_read(app: Flask) -> None:
    keep(7, VISITOR, *((n, "Product Viewed", [str(n)]) for n in range(1, 151)))

    assert session_of(7, VISITOR).viewed == tuple(str(n) for n in range(1, 101))


def test_reading_opens_no_partition_of_another_week(app: Flask) -> None:
    connection = db.session.connection()
    connection.exec_driver_sql(
        "CREATE TABLE event_of_long_ago PARTITION OF event FOR VALUES FROM ('2020-01-06') TO ('2020-01-13')"
    )
    try:
        statement: list[str] = []
        real = connection.exec_driver_sql

        class Spy:
            def exec_driver_sql(self, sql: str, values: dict[str, Any]) -> Any:
                plan = real("EXPLAIN " + sql, values)
                statement.extend(row[0] for row in plan)
                return real(sql, values)

        load(Spy(), 7, VISITOR, clock())  # type: ignore[arg-type]
    finally:
        db.session.rollback()

    assert any("event_default" in line for line in statement)
    assert not any("event_of_long_ago" in line for line in statement)
