"""Tuning of stores on PostgreSQL: what is kept, when it is due, and who reads it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import time_machine
from flask import Flask

from app.commerce.store import Store
from app.core import held
from app.core.db import db
from app.recommendations import blends, scoring, tuning, tuning_jobs
from app.recommendations.blends import get_blend, stored_ranking
from app.recommendations.counts import day_number
from app.recommendations.scoring import BLENDED, DEFAULT, Blend
from tests.factories import BEGIN, DAY, customer_ref, new_store, order_change
from tests.recommendations.histories import learn

TODAY = BEGIN + timedelta(days=100)


@pytest.fixture(autouse=True)
def today(app: Flask) -> Iterator[None]:
    """The day on which everything is tuned, in a process that holds no blend."""
    blends.forget()
    with time_machine.travel(TODAY, tick=False):
        yield
    blends.forget()


@pytest.fixture
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask and learn little, and believe few orders."""
    monkeypatch.setattr(tuning, "LEAST_ORDERS", 60)
    monkeypatch.setattr(tuning, "LEAST_ASKED", 2)
    monkeypatch.setattr(tuning, "_QUESTIONS", 200)
    monkeypatch.setattr(tuning, "RIDGES", (3.0,))
    monkeypatch.setattr(tuning.ranker, "TREES", 3)


def sells(store: Store, orders: int) -> None:
    """Sell pairs of products, each beside one of three others, to customers who stay with their pair."""
    changes = []
    for number in range(orders):
        pair, placed = number % 7, number * 90 * DAY / orders
        products = (f"left-{pair}", f"right-{pair}", f"beside-{number % 3}")
        changes.append(
            order_change(
                f"o{number}",
                *products,
                placed=placed,
                seconds=placed,
                customer=customer_ref(f"c{pair}", None),
            )
        )
    learn(store.id, [changes])


def found_before(store: Store, **fields: Any) -> None:
    """Store what an earlier tuning found."""
    ranking = {**tuning.SIMPLE.as_json(), "orders": 3000, "day": day_number(TODAY), **fields}
    db.session.connection().exec_driver_sql(
        "UPDATE learned_model SET ranking = %(ranking)s::jsonb WHERE store_id = %(store)s",
        {"store": store.id, "ranking": orjson.dumps(ranking).decode()},
    )
    db.session.commit()


def a_blend(first: float) -> Blend:
    """Return a blend that is told apart by its first coefficient."""
    return replace(DEFAULT, cart=(first, *[0.0] * (BLENDED - 1)))


@pytest.mark.usefixtures("little_work")
def test_what_is_found_is_stored_and_read() -> None:
    store = new_store()
    sells(store, 120)
    told: list[str] = []

    tuned = tuning_jobs.tune(store.id, told.append)

    stored = stored_ranking(store.id)
    assert stored == {**orjson.loads(orjson.dumps(tuned.as_json())), "day": day_number(TODAY)}
    assert (stored["orders"], len(told)) == (120, 3)
    assert stored["questions"] >= 200
    assert stored["measured"].keys() == {"simple", "blend", "trees"}
    blend = get_blend(store.id)
    assert replace(blend, trees=None) == replace(tuned.blend, trees=None)
    assert blend.as_json() == tuned.blend.as_json()


def test_a_small_store_gets_the_simple_blend() -> None:
    store = new_store()
    sells(store, 30)

    tuning_jobs.tune(store.id)

    assert stored_ranking(store.id)["orders"] == 30
    # The same, not an equal one: what asks whether a store was tuned asks so.
    assert get_blend(store.id) is DEFAULT


@pytest.mark.usefixtures("little_work")
def test_a_store_is_tuned_by_its_own_orders_and_for_itself() -> None:
    store, other = new_store(), new_store()
    sells(store, 80)
    sells(other, 70)
    found_before(other, blend=a_blend(4.0).as_json())

    assert tuning_jobs.tune(store.id).orders == 80
    assert stored_ranking(other.id)["orders"] == 3000
    assert get_blend(other.id) == a_blend(4.0)
    assert get_blend(store.id) != a_blend(4.0)


@pytest.mark.parametrize(
    ("stored", "orders", "due"),
    [
        (None, tuning_jobs.LEAST_ORDERS - 1, False),
        (None, tuning_jobs.LEAST_ORDERS, True),
        ({}, 3000, False),
        ({}, 3599, False),
        ({}, 3600, True),
        ({"day": day_number(TODAY) - 6}, 3000, False),
        ({"day": day_number(TODAY) - 7}, 3000, True),
        ({"day": day_number(TODAY) - 7}, tuning_jobs.LEAST_ORDERS - 1, False),
        ({"orders": 0}, tuning_jobs.LEAST_ORDERS, True),
    ],
    ids=[
        "too few orders", "never tuned", "just tuned", "hardly grown", "grown by a fifth", "six days ago",
        "a week ago", "shrunk", "tuned while too small",
    ],
)  # fmt: skip
def test_tuning_is_due(stored: dict[str, Any] | None, orders: int, due: bool) -> None:
    store = new_store()
    sells(store, 1)
    if stored is not None:
        found_before(store, **stored)

    assert tuning_jobs.due(store.id, orders) is due


def test_a_store_that_has_learned_nothing_has_the_simple_blend() -> None:
    store = new_store()

    assert stored_ranking(store.id) is None
    assert get_blend(store.id) is DEFAULT
    assert not tuning_jobs.due(store.id, 0)


def test_a_blend_is_held_for_a_minute_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(held, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    store, other = new_store(), new_store()
    sells(store, 1)
    sells(other, 1)
    found_before(store, blend=a_blend(1.0).as_json())

    assert get_blend(store.id).cart[0] == 1.0
    found_before(store, blend=a_blend(2.0).as_json())
    clock[0] += 44
    assert get_blend(store.id).cart[0] == 1.0
    assert get_blend(other.id) is DEFAULT
    clock[0] += 16
    assert get_blend(store.id).cart[0] == 2.0


def test_blends_are_forgotten() -> None:
    store = new_store()
    sells(store, 1)
    assert get_blend(store.id) is DEFAULT
    found_before(store, blend=a_blend(3.0).as_json())

    blends.forget()

    assert get_blend(store.id).cart[0] == 3.0


def test_trees_come_back_from_the_database_as_they_went() -> None:
    store = new_store()
    sells(store, 1)
    trees = {
        "roots": [0], "feature": [3, 0, 0], "threshold": [0.1, 0.0, 0.0], "left": [1, 1, 2],
        "right": [2, 1, 2], "value": [0.0, -1.5, 1e-17], "depth": 1,
    }  # fmt: skip
    blend = replace(DEFAULT, trees=scoring.trees_from_json(trees), sorted_by_trees=("page",))
    found_before(store, blend=blend.as_json())

    read = get_blend(store.id)

    assert read.trees is not None
    assert read.trees.as_json() == trees
    assert read.sorted_by_trees == ("page",)
