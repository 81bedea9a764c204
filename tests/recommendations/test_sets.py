"""Sets of products on their way from a store's orders to its ready lists."""

import pytest
from flask import Flask
from redis import Redis

from app.commerce.store import Store
from app.core.db import db
from app.recommendations import cache, sets
from app.recommendations.ready_lists import SETS, TTL_S
from tests.factories import new_store, order_change, order_deletion, product_change
from tests.recommendations.histories import learn, published

GATES = {"min_orders": 3.0, "min_lift": 1.2, "min_llr": 0.0}


@pytest.fixture
def store(app: Flask) -> Store:
    """A store in which six of ten orders hold p1, p2 and p3, one p1 and p2, and three something else."""
    found = new_store(**GATES)
    orders = [order_change(f"s{n}", "p3", "p1", "p2") for n in range(6)]
    orders += [order_change("t", "p1", "p2"), *(order_change(f"x{n}", "p4") for n in range(3))]
    learn(found.id, [orders])
    return found


def refresh(store: Store) -> dict[str, list[cache.Candidate]]:
    """Refresh and return what is published by then."""
    sets.refresh(db.session.connection(), store.id)
    db.session.commit()
    return {subject: items for (kind, subject), items in published(store.id).items() if kind == SETS}


def test_a_set_is_published_for_the_store_and_for_each_of_its_products(store: Store) -> None:
    lists = refresh(store)

    assert lists.keys() == {"", "p1", "p2", "p3"}
    (found,) = lists[""]
    assert found == {
        "ids": ["p1", "p2", "p3"],
        "orders": 6,
        "support": 0.6,
        "lift": 2.041,  # 6 * 10² / (7 * 7 * 6)
        "lift_over_pair": 1.429,  # 6 * 10 / (7 * 6), for any of the pairs
        "completion": 0.8571,  # of the seven orders with two of them
        "llr": found["llr"],
    }
    assert found["llr"] > 0
    assert lists["p1"] == lists["p2"] == lists["p3"] == [found]


def test_lists_are_in_redis_for_their_time(store: Store, redis: Redis) -> None:
    lists = refresh(store)

    assert cache.get_lists(store.id, SETS, [*lists, "p4"]) == {**lists, "p4": []}
    assert TTL_S[SETS] / 2 < redis.ttl(f"pannier:{store.id}:list:{SETS}:") <= TTL_S[SETS]


def test_a_set_of_four_takes_the_place_of_the_three_in_it(store: Store) -> None:
    learn(store.id, [[order_change(f"s{n}", "p1", "p2", "p3", "p5", seconds=5) for n in range(6)]])

    lists = refresh(store)

    assert [item["ids"] for item in lists[""]] == [["p1", "p2", "p3", "p5"]]
    assert lists.keys() == {"", "p1", "p2", "p3", "p5"}


def test_what_is_no_set_any_more_is_taken_back(store: Store) -> None:
    refresh(store)
    learn(store.id, [[order_deletion(f"s{n}", 5) for n in range(4)]])

    assert refresh(store) == {}
    assert cache.get_lists(store.id, SETS, ["", "p1"]) == {"": [], "p1": []}


def test_a_store_without_orders_publishes_nothing(app: Flask) -> None:
    store = new_store()

    assert refresh(store) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("min_orders", 7), ("min_lift", 1.5), ("min_llr", 1000), ("basket_cap", 2)],
    ids=["orders", "lift over the best pair", "significance", "size of baskets"],
)
def test_a_set_must_pass_the_stores_gates(store: Store, name: str, value: float) -> None:
    store.settings = {**GATES, name: value}
    db.session.commit()

    assert refresh(store) == {}


def test_a_set_only_of_this_stores_orders(store: Store) -> None:
    other = new_store(**GATES)

    assert refresh(other) == {}
    assert refresh(store).keys() == {"", "p1", "p2", "p3"}


def test_sets_are_reported_with_titles_best_first(store: Store) -> None:
    learn(
        store.id,
        [
            [
                *(product_change(f"p{n}", title=f"Mug {n}") for n in (1, 2, 3)),
                *(order_change(f"y{n}", "q1", "q2", "q3") for n in range(3)),
            ]
        ],
    )
    refresh(store)

    rows = sets.strongest_sets(store.id, 10)

    assert [(r["product_ids"], r["products"], r["orders"]) for r in rows] == [
        ("q1,q2,q3", " +  + ", 3),  # never bought apart
        ("p1,p2,p3", "Mug 1 + Mug 2 + Mug 3", 6),
    ]
    assert (rows[1]["support"], rows[1]["completion"]) == (0.4615, 0.8571)
    assert [r["orders"] for r in sets.strongest_sets(store.id, 1)] == [3]


def test_without_redis_sets_are_published_all_the_same(store: Store, redis_down: None) -> None:
    assert refresh(store).keys() == {"", "p1", "p2", "p3"}
