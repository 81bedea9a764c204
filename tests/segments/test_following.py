"""Segments follow the orders that are taken in, at once, and never stand in their way."""

from datetime import timedelta
from typing import Any

import pytest
import structlog
import time_machine
from sqlalchemy import select

from app.commerce.store import Store
from app.core.db import db
from app.recommendations.taking_in import announce, take_in
from app.segments import memberships, refreshing
from app.segments.models import SegmentMembership
from tests.factories import BEGIN, DAY, customer_ref, order_change, order_deletion

TODAY = BEGIN + timedelta(days=10)
ANN, BOB = customer_ref("ann", "ann@example.com"), customer_ref("bob", "bob@example.com")


def taken_in(store: Store, *changes: Any) -> None:
    with time_machine.travel(TODAY, tick=False):
        applied = take_in(db.session.connection(), store.id, changes)
        db.session.commit()
        announce(store.id, applied)


def orders_of(store: Store, customer: str) -> int:
    """Return how many orders were last found of a customer; 0 of who is in no segment."""
    found = memberships.segments_of(db.session.connection(), store.id, customer)
    db.session.rollback()
    return max((each.reason["measured"].get("frequency", 0) for each in found), default=0)


@pytest.fixture
def begun(store: Store) -> Store:
    """A store with one order, whose segments were computed."""
    taken_in(store, order_change("o1", "p", customer=ANN))
    with time_machine.travel(TODAY, tick=False):
        refreshing.refresh(store.id)
    return store


def test_before_the_first_refresh_nothing_is_kept(store: Store) -> None:
    taken_in(store, order_change("o1", "p", customer=ANN))

    assert (
        db.session.scalars(select(SegmentMembership).where(SegmentMembership.store_id == store.id)).all()
        == []
    )


def test_an_order_counts_at_once_for_old_and_new_customers(begun: Store) -> None:
    taken_in(
        begun,
        order_change("o2", "p", customer=ANN, placed=DAY),
        order_change("o3", "p", customer=BOB),
        order_change("o4", "p"),
    )

    assert (orders_of(begun, "ann"), orders_of(begun, "bob")) == (2, 1)


def test_an_order_that_goes_takes_its_customer_out(begun: Store) -> None:
    taken_in(begun, order_deletion("o1"))

    assert orders_of(begun, "ann") == 0


def test_an_order_that_turns_out_to_be_anothers_counts_for_the_other(begun: Store) -> None:
    taken_in(begun, order_change("o1", "p", customer=BOB, seconds=1))

    assert (orders_of(begun, "ann"), orders_of(begun, "bob")) == (0, 1)


def test_segments_that_fail_do_not_stop_orders(begun: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(refreshing, "place", fail)
    with structlog.testing.capture_logs() as logs:
        taken_in(begun, order_change("o2", "p", customer=ANN, placed=DAY))

    assert [(entry["event"], entry["store_id"]) for entry in logs] == [("segment_update_failed", begun.id)]
    monkeypatch.undo()
    taken_in(begun, order_change("o3", "p", customer=ANN, placed=DAY))
    assert orders_of(begun, "ann") == 3
