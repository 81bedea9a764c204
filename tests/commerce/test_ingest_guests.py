"""Orders whose message could not name a guest: what was fetched without e-mail addresses."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select

from app.commerce import ingest
from app.commerce.changes import CustomerRef, OrderChange
from app.commerce.order import Order
from app.commerce.store import Store
from app.core.db import db
from tests.factories import at, new_store, order_change

GUEST = CustomerRef(None, b"g" * 32)


@pytest.fixture
def store(app: Any) -> Store:
    """A store of this test alone."""
    return new_store()


def named(seconds: int) -> OrderChange:
    return replace(order_change("1", "11", "12"), customer=GUEST, updated_at=at(seconds))


def unnamed(seconds: int) -> OrderChange:
    return replace(named(seconds), customer=None, customer_known=False)


def customers_after(store: Store, changes: tuple[OrderChange, ...]) -> list[bool]:
    """Apply one after the other; return whether the store's order has a customer."""
    for change in changes:
        ingest.apply(db.session.connection(), store.id, [change])
    db.session.commit()
    orders = db.session.scalars(select(Order).where(Order.store_id == store.id))
    return [order.customer_id is not None for order in orders]


@pytest.mark.parametrize("order", list(permutations([0, 1])), ids=["delivered first", "fetched first"])
def test_a_guest_stays_whichever_of_the_same_state_comes_first(store: Store, order: tuple[int, ...]) -> None:
    same = (named(0), unnamed(0))

    assert customers_after(store, tuple(same[i] for i in order)) == [True]


def test_a_newer_state_that_names_nobody_keeps_the_guest(store: Store) -> None:
    assert customers_after(store, (named(0), unnamed(60))) == [True]


def test_a_newer_state_that_knows_there_is_nobody_forgets_the_guest(store: Store) -> None:
    erased = replace(named(60), customer=None)

    assert customers_after(store, (named(0), erased)) == [False]
