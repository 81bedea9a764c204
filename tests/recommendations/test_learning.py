"""Learning order by order, and rebuilding whole: the same numbers."""

import threading
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings

from app.commerce.changes import CommerceChange, OrderStatus
from app.commerce.store import Store
from app.core.db import db, now
from app.recommendations import cooccurrence, learning, rebuilding
from app.recommendations import counts as counts_table
from tests.factories import BEGIN, DAY, line, new_store, order_change, order_deletion, refund
from tests.recommendations.histories import OPEN_GATES, histories, learn, learned, published, stale


@pytest.fixture
def store(app: Flask) -> Store:
    """A store in which everything that was bought together may be shown."""
    return new_store(**OPEN_GATES)


def rows(store: Store, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query about ``:store``."""
    found = db.session.connection().exec_driver_sql(query, {"store": store.id})
    return [tuple(row) for row in found]


def counts(store: Store) -> dict[str, int]:
    """Return in how many orders each product stands."""
    found = rows(
        store,
        "SELECT p.platform_id, c.orders FROM product_count c JOIN product p ON p.id = c.product_id"
        " WHERE c.store_id = %(store)s AND c.orders <> 0",
    )
    return dict(found)


def pair_orders(store: Store) -> dict[tuple[str, str], int]:
    """Return in how many orders each pair stands, by platform ids."""
    names = dict(rows(store, "SELECT id, platform_id FROM product WHERE store_id = %(store)s"))
    found = {}
    for product, packed in learned(store.id)["pairs"].items():
        for entry in np.frombuffer(packed, cooccurrence.ENTRY):
            found[names[product], names[int(entry["other"])]] = int(entry["orders"])
    return found


@pytest.mark.timeout(600)  # looking for the smallest failing case takes a while
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=histories)
def test_counts_kept_order_by_order_equal_a_rebuild(app: Flask, batches: list[list[CommerceChange]]) -> None:
    store = new_store(**OPEN_GATES, basket_cap=4)
    learn(store.id, [[order_change("first", "p0", "p1")], *batches])
    kept = learned(store.id)

    orders = learning.rebuild(store.id)

    assert learned(store.id) == kept
    assert kept["head"][3] == orders


def test_what_one_order_adds(store: Store) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2", "p3"), order_change("o2", "p1", "p2")]])

    assert counts(store) == {"p1": 2, "p2": 2, "p3": 1}
    assert pair_orders(store) == {
        ("p1", "p2"): 2,
        ("p2", "p1"): 2,
        ("p1", "p3"): 1,
        ("p3", "p1"): 1,
        ("p2", "p3"): 1,
        ("p3", "p2"): 1,
    }
    assert rows(
        store, "SELECT orders, version, rebuilt_at FROM learned_model WHERE store_id = %(store)s"
    ) == [(2, 1, None)]


@pytest.mark.parametrize(
    "news",
    [
        order_change("o1", "p1", "p2", seconds=5, status=OrderStatus.CANCELLED),
        order_change("o1", "p1", "p2", seconds=5, status=OrderStatus.REFUNDED),
        order_change("o1", "p1", line("p2", left=0), seconds=5),
        order_change("o1", "p1", seconds=5),
        refund("o1", 1, 5, p2=1),
        order_deletion("o1", 5),
    ],
    ids=["cancelled", "refunded", "refund in the state", "line removed", "refund", "deleted"],
)
def test_what_an_order_takes_back(store: Store, news: CommerceChange) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2"), order_change("o2", "p1")]])

    learn(store.id, [[news]])

    assert pair_orders(store) == {}
    assert counts(store)["p1"] in (1, 2)
    assert "p2" not in counts(store)


def test_nothing_is_learned_from_orders_that_are_no_sales(store: Store) -> None:
    learn(store.id, [[order_change("o1", "p1", test=True), order_change("o2", status=OrderStatus.PENDING)]])

    assert learned(store.id) == {"head": None, "counts": [], "pairs": {}}


def test_baskets_above_the_cap_are_left_out(app: Flask) -> None:
    store = new_store(basket_cap=2)

    learn(store.id, [[order_change("o1", "p1", "p2", "p3"), order_change("o2", "p1", "p2")]])

    assert counts(store) == {"p1": 1, "p2": 1}
    assert learned(store.id)["head"][3] == 1


def test_older_orders_weigh_less(app: Flask) -> None:
    store = new_store(half_life_days=30)
    learning_day = learning.day_number(now())
    age = (learning_day - learning.day_number(BEGIN)) * DAY
    learn(store.id, [[order_change("o1", "p1", placed=age), order_change("o2", "p2", placed=age - 30 * DAY)]])

    weights = rows(
        store,
        "SELECT p.platform_id, c.weight, c.popularity FROM product_count c JOIN product p ON p.id = c.product_id"
        " WHERE c.store_id = %(store)s ORDER BY 1",
    )

    assert weights == [("p1", 65536, 65536), ("p2", 32768, 32768)]


def test_a_product_whose_companion_changed_is_stale(store: Store) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2"), order_change("o2", "p2"), order_change("o3", "p3")]])
    learning.publish_stale(store.id)
    assert stale(store.id) == []

    learn(store.id, [[order_change("o1", "p1", "p3", seconds=5)]])

    assert stale(store.id) == ["p1", "p2", "p3"]


def test_a_product_that_nobody_has_bought_any_more_leaves_no_count(store: Store) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2")], [order_deletion("o1", 5)]])

    learning.publish_stale(store.id)

    assert rows(store, "SELECT * FROM product_count WHERE store_id = %(store)s") == []
    assert published(store.id) == {}


def test_changed_settings_wait_for_the_rebuild(store: Store) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2", "p3", placed=-90 * DAY)]])
    before = learned(store.id)

    store.settings = {**OPEN_GATES, "half_life_days": 30, "basket_cap": 2}
    db.session.commit()
    learn(store.id, [[order_change("o2", "p1", "p2", "p3"), order_change("o3", "p1", "p2")]])
    learn(store.id, [[order_deletion("o2", 5), order_deletion("o3", 5)]])
    kept = learned(store.id)
    learning.rebuild(store.id)

    assert kept == before
    epoch = now().date()
    assert learned(store.id) == {"head": (epoch, 30.0, 2, 0), "counts": [], "pairs": {}}


@pytest.mark.parametrize(("days", "moves"), [(56, False), (57, True)], ids=["near", "far"])
def test_a_rebuild_moves_an_epoch_that_lies_far_back(
    app: Flask, monkeypatch: pytest.MonkeyPatch, days: int, moves: bool
) -> None:
    store = new_store(**OPEN_GATES, half_life_days=7)
    learn(store.id, [[order_change("o1", "p1", "p2")]])
    began: date = learned(store.id)["head"][0]
    later = now() + timedelta(days=days)
    monkeypatch.setattr(counts_table, "now", lambda: later)

    learning.rebuild(store.id)
    learn(store.id, [[order_change("o2", "p1", "p2")]])
    kept = learned(store.id)
    learning.rebuild(store.id)

    assert kept["head"][0] == (later.date() if moves else began)
    assert learned(store.id) == kept


def test_compaction_keeps_the_sums(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts_table, "_SEGMENTS", 3)
    orders = [order_change(f"o{n}", "p1", "p2", f"p{3 + n % 3}") for n in range(8)]
    learn(store.id, [[order] for order in orders])
    before = learned(store.id)
    segments = (
        "SELECT count(*) FROM neighbour_segment WHERE store_id = %(store)s GROUP BY product_id ORDER BY 1"
    )
    assert rows(store, segments) == [(2,), (3,), (3,), (8,), (8,)]

    learning.publish_stale(store.id)

    assert rows(store, segments) == [(1,), (1,), (2,), (3,), (3,)]
    assert learned(store.id) == before


def test_compaction_forgets_what_adds_up_to_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts_table, "_SEGMENTS", 1)
    learn(store.id, [[order_change("o1", "p1", "p2")], [order_deletion("o1", 5)]])

    learning.publish_stale(store.id)

    assert rows(store, "SELECT * FROM neighbour_segment WHERE store_id = %(store)s") == []


def test_a_rebuild_mends_whatever_went_wrong(store: Store) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2"), order_change("o2", "p1", "p2")]])
    right = learned(store.id)
    for damage in (
        "UPDATE product_count SET orders = orders + 7 WHERE store_id = %(store)s",
        "DELETE FROM neighbour_segment WHERE store_id = %(store)s",
        "UPDATE orders SET basket = '{}' WHERE store_id = %(store)s AND platform_id = 'o2'",
    ):
        db.session.connection().exec_driver_sql(damage, {"store": store.id})
    db.session.commit()

    assert learning.rebuild(store.id) == 2

    assert learned(store.id) == right
    assert rows(store, "SELECT version FROM learned_model WHERE store_id = %(store)s") == [(2,)]


def test_a_rebuild_of_nothing_leaves_nothing(store: Store) -> None:
    progress: list[tuple[int, int]] = []

    assert learning.rebuild(store.id, lambda done, total: progress.append((done, total))) == 0

    assert learned(store.id)["counts"] == []
    assert published(store.id) == {}
    assert progress == []


def test_a_rebuild_tells_how_far_it_is(store: Store) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2", "p3")]])
    progress: list[tuple[int, int]] = []

    learning.rebuild(store.id, lambda done, total: progress.append((done, total)))

    assert progress == [(3, 3)]


def test_a_rebuild_leaves_other_stores_alone(store: Store) -> None:
    other = new_store(**OPEN_GATES)
    for each in (store, other):
        learn(each.id, [[order_change("o1", "p1", "p2"), order_change("o2", "p1", "p2", "p3")]])
        learning.publish_stale(each.id)
    before = learned(other.id), published(other.id)

    learn(store.id, [[order_deletion("o1", 5)]])
    learning.rebuild(store.id)

    assert (learned(other.id), published(other.id)) == before
    assert published(store.id) != published(other.id)


def test_readers_see_the_old_lists_until_the_rebuild_is_done(app: Flask, store: Store) -> None:
    learn(store.id, [[order_change(f"o{n}", "p1", "p2") for n in range(3)]])
    learning.publish_stale(store.id)
    old = published(store.id)
    learn(store.id, [[order_change(f"x{n}", "p1", "p3") for n in range(5)]])
    seen = []

    def look(_done: int, _total: int) -> None:
        def read() -> None:
            with app.app_context():
                seen.append(published(store.id))

        reader = threading.Thread(target=read)
        reader.start()
        reader.join(timeout=10)
        assert not reader.is_alive()

    learning.rebuild(store.id, look)

    assert seen == [old]
    assert published(store.id) != old


def test_applying_waits_for_the_rebuild(app: Flask, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2")]])
    read_baskets, waited = rebuilding.read_baskets, []

    def apply() -> None:
        with app.app_context():
            learn(store.id, [[order_change("o2", "p1", "p2")]])

    writer = threading.Thread(target=apply)

    def interfere(*arguments: Any) -> Any:
        read = read_baskets(*arguments)
        writer.start()
        writer.join(timeout=0.3)
        waited.append(writer.is_alive())
        return read

    with monkeypatch.context() as patched:
        patched.setattr(rebuilding, "read_baskets", interfere)
        learning.rebuild(store.id)
    writer.join(timeout=10)

    assert waited == [True]
    assert not writer.is_alive()
    kept = learned(store.id)
    assert kept["head"][3] == 2
    learning.rebuild(store.id)
    assert learned(store.id) == kept
