"""What a refresh reads, publishes and survives, on PostgreSQL and Redis."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from redis import Redis
from rq import Queue
from sqlalchemy import Connection

from app.commerce.changes import CommerceChange, CustomerRef, OrderStatus
from app.commerce.store import Store
from app.core.db import db, try_lock_store
from app.core.queues import LEARNING, queue_redis
from app.recommendations import cache, jobs, learning, purchases, refresh
from app.recommendations.counts import day_number
from app.recommendations.ready_lists import BEST_SELLERS, REPEATS, SAME_SHOPPERS, TRENDING, VIEWED_TOGETHER
from app.recommendations.refresh import RefreshFailed
from tests.events.happenings import keep
from tests.factories import BEGIN, DAY, new_store, order_change, product_change, refund
from tests.recommendations.histories import learn

TODAY = BEGIN + timedelta(days=500)


@pytest.fixture(autouse=True)
def today(app: Flask) -> Iterator[None]:
    """The day on which everything is worked out."""
    with time_machine.travel(TODAY, tick=False):
        yield


def sold(number: str, days_ago: float, *products: str, customer: int | None = None, **fields: Any) -> Any:
    who = CustomerRef(f"c{customer}") if customer is not None else None
    placed = (500 - days_ago) * DAY
    return order_change(number, *products, placed=placed, seconds=placed, customer=who, **fields)


def in_category(product: str, category: str, seconds: float = 0) -> CommerceChange:
    return replace(product_change(product, seconds=seconds), category=category)


def story() -> list[CommerceChange]:
    """A shop in which coffee is bought every month, with a filter in other orders, and tea lately."""
    orders = [sold(f"steady-{age}", age, "sugar") for age in range(180)]
    for customer in range(12):
        orders += [
            sold(f"coffee-{customer}-{age}", age, "coffee", customer=customer) for age in (400, 370, 340)
        ]
        orders += [sold(f"filter-{customer}", 355, "filter", customer=customer)]
    orders += [
        sold(f"cup-{n}-{age}", 390 - age, "cup", customer=100 + n) for n in range(12) for age in (0, 1)
    ]
    return orders + [sold(f"tea-{n}", 2, "tea", "sugar") for n in range(9)] + [sold("tea-old", 300, "tea")]


def refreshed(store: Store, *changes: CommerceChange) -> None:
    learn(store.id, [changes])
    jobs.refresh(store.id)


def lists(store: Store, kind: str) -> dict[str, Any]:
    """Return a store's lists as PostgreSQL has them; Redis must say the same."""
    rows = db.session.connection().exec_driver_sql(
        "SELECT subject, items FROM published_list WHERE store_id = %(store)s AND strategy = %(kind)s",
        {"store": store.id, "kind": kind},
    )
    found = {subject: items for subject, items in rows}
    assert cache.get_lists(store.id, kind, list(found)) == found
    return found


def queued() -> list[tuple[str, tuple[Any, ...], int]]:
    return [(job.func_name, job.args, job.timeout) for job in Queue(LEARNING, connection=queue_redis()).jobs]


def test_each_kind_is_published_with_its_evidence(app: Flask) -> None:
    store = new_store()

    refreshed(store, *story())

    # 189 of 37 and 182 days: of 155 earlier orders none held tea.
    (trend,) = lists(store, TRENDING)[""]
    assert (trend["id"], trend["orders"], trend["before"]) == ("tea", 9, 0.0)
    assert trend["growth"] > 1
    same = lists(store, SAME_SHOPPERS)
    assert {subject: [item["id"] for item in items] for subject, items in same.items()} == {
        "coffee": ["filter"],
        "filter": ["coffee"],
    }
    assert {k: same["coffee"][0][k] for k in ("customers", "lift")} == {"customers": 12, "lift": 2.0}
    repeats = lists(store, REPEATS)
    assert repeats.keys() == {"coffee", "filter", "cup", ""}
    assert repeats["coffee"][0]["customers"] == 12
    assert repeats["coffee"][0]["share"] > repeats["filter"][0]["share"]


def looks(store: Store, person: int, *products: str, days_ago: float = 1) -> None:
    """Store a visit: one look a minute."""
    steps = [
        (days_ago * DAY + 60 * place, "Product Viewed", [product]) for place, product in enumerate(products)
    ]
    keep(store.id, f"visitor {person:08}".encode(), *steps)


def test_what_people_look_at_is_published_from_five_people_on(app: Flask) -> None:
    store = new_store()
    learn(store.id, [[product_change(p) for p in ("lamp", "shade", "rug", "vase")]])
    for person in range(5):
        looks(store, person, "lamp", "shade")
        looks(store, 10 + person, "rug", "gone")
    for person in range(4):
        looks(store, 20 + person, "rug", "vase")
        looks(store, 20 + person, "rug", "vase", days_ago=3)
    looks(store, 30, "rug", "vase", days_ago=100)

    jobs.refresh(store.id)

    found = lists(store, VIEWED_TOGETHER)
    assert {subject: [(i["id"], i["people"]) for i in items] for subject, items in found.items()} == {
        "lamp": [("shade", 5)],
        "shade": [("lamp", 5)],
    }
    assert set(found["lamp"][0]) == {"id", "people", "lift", "llr", "score"}
    assert lists(store, SAME_SHOPPERS) == {}, "nobody bought them"


def test_the_fewest_people_are_a_setting(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    store = new_store()
    learn(store.id, [[product_change(p) for p in ("lamp", "shade", "rug", "vase")]])
    for person in range(6):
        looks(store, person, "lamp", "shade")
        looks(store, 10 + person, "rug", "vase")
    looks(store, 20, "rug", "vase")
    few = replace(app.extensions["pannier_settings"], least_people=7)
    monkeypatch.setitem(app.extensions, "pannier_settings", few)

    jobs.refresh(store.id)

    assert set(lists(store, VIEWED_TOGETHER)) == {"rug", "vase"}


def test_what_was_looked_at_moves_what_the_same_customers_bought(app: Flask) -> None:
    store = new_store()
    orders = [
        sold(f"{product}-{at}-{n}", 20 if product == "tent" else 10, product, customer=n + at * 100)
        for at, other in enumerate(("mat", "lamp"))
        for n in range(6)
        for product in ("tent", other)
    ]
    refreshed(
        store,
        *orders,
        *(sold(f"x{n}-{at}", 9 - at, "sock", customer=900 + n) for n in range(40) for at in (0, 1)),
    )
    before = {item["id"]: item["score"] for item in lists(store, SAME_SHOPPERS)["tent"]}
    for person in range(5):
        looks(store, person, "tent", "lamp")

    jobs.refresh(store.id)

    after = {item["id"]: item["score"] for item in lists(store, SAME_SHOPPERS)["tent"]}
    assert before["lamp"] == before["mat"]
    assert after["lamp"] > after["mat"]
    assert {i["id"]: i["customers"] for i in lists(store, SAME_SHOPPERS)["tent"]} == {"mat": 6, "lamp": 6}


def test_another_stores_orders_never_count(app: Flask) -> None:
    mine, other = new_store(), new_store()
    learn(other.id, [story()])

    refreshed(mine, *[sold(f"o{n}", n, "coffee", customer=n % 3) for n in range(30)])

    assert lists(mine, TRENDING) == {"": []}
    assert lists(mine, SAME_SHOPPERS) == {}
    assert lists(mine, REPEATS) == {}
    assert lists(other, TRENDING) == {}


def test_a_store_without_orders_is_refreshed_to_nothing(app: Flask) -> None:
    store = new_store()

    jobs.refresh(store.id)

    assert lists(store, TRENDING) == {"": []}
    assert lists(store, REPEATS) == lists(store, SAME_SHOPPERS) == lists(store, BEST_SELLERS) == {}


def test_lists_that_nothing_supports_any_longer_are_taken_back(app: Flask) -> None:
    store = new_store()
    refreshed(store, *story())
    before = lists(store, SAME_SHOPPERS)

    cancelled = [
        sold(f"filter-{n}", 355, "filter", customer=n, status=OrderStatus.CANCELLED) for n in range(12)
    ]
    refreshed(store, *cancelled)

    assert before.keys() == {"coffee", "filter"}
    assert lists(store, SAME_SHOPPERS) == {}
    assert cache.get_lists(store.id, SAME_SHOPPERS, ["coffee", "filter"]) == {"coffee": [], "filter": []}


def test_best_sellers_of_a_category_and_not_of_an_empty_one(app: Flask) -> None:
    store = new_store()
    learn(store.id, [[in_category(p, "Drinks") for p in ("coffee", "tea")]])
    learn(store.id, [[in_category("cup", "Cups"), product_change("sugar")]])
    refreshed(store, *[sold(f"o{n}", 9, "tea", "sugar") for n in range(3)], sold("x", 9, "coffee", "cup"))
    learning.publish_stale(store.id)
    first = lists(store, BEST_SELLERS)

    learn(store.id, [[in_category("cup", "Drinks", 5)]])
    jobs.refresh(store.id)

    whole = first.pop("")
    assert [item["id"] for item in whole] == ["tea", "sugar", "coffee", "cup"]
    assert first == {
        "category:Drinks": [{"id": "tea", "orders": 3}, {"id": "coffee", "orders": 1}],
        "category:Cups": [{"id": "cup", "orders": 1}],
    }
    assert lists(store, BEST_SELLERS).keys() == {"", "category:Drinks"}
    assert cache.get_lists(store.id, BEST_SELLERS, ["category:Cups", ""]) == {"category:Cups": [], "": whole}


def test_a_kind_that_fails_stops_no_other_and_keeps_its_lists(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store()
    refreshed(store, *story())
    before = lists(store, SAME_SHOPPERS)

    def broken(connection: Connection, store_id: int, _history: Any) -> None:
        refresh.forget_lists(connection, store_id, SAME_SHOPPERS)
        raise ArithmeticError

    monkeypatch.setattr(refresh, "publish_same_shoppers", broken)
    more = [sold(f"more-{n}", 355, "cup", customer=200 + n) for n in range(7)]

    with pytest.raises(RefreshFailed, match=r"^same_shoppers$"):
        refreshed(store, *more)

    assert lists(store, SAME_SHOPPERS) == before
    assert lists(store, REPEATS)["cup"][0]["customers"] == 19


def test_two_refreshes_of_a_store_do_not_meet(app: Flask) -> None:
    store = new_store()
    learn(store.id, [story()])

    with try_lock_store(store.id, refresh.REFRESH_LOCK):
        jobs.refresh(store.id)

    assert lists(store, TRENDING) == {}


def test_trending_alone_leaves_the_other_kinds(app: Flask) -> None:
    store = new_store()
    learn(store.id, [story()])

    jobs.refresh_trending(store.id)

    assert [item["id"] for item in lists(store, TRENDING)[""]] == ["tea"]
    assert lists(store, REPEATS) == {}


# --- reading --------------------------------------------------------------------------------------------


def test_orders_are_read_net_of_what_was_given_back(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purchases, "_BLOCK", 2)
    store = new_store()
    learn(
        store.id,
        [
            [
                sold("a", 10, "p1", "p2", "p3", customer=1),
                sold("b", 9, "p1"),
                sold("c", 8, "p1", status=OrderStatus.CANCELLED),
                sold("d", 7, "p2", "p3", customer=1),
                refund("d", 1, 500 * DAY, p3=1),
            ]
        ],
    )

    found = purchases.of_store(db.session.connection(), store.id)

    assert found.indptr.tolist() == [0, 3, 4, 5]
    assert np_names(found.products.tolist()) == ["p1", "p2", "p3", "p1", "p2"]
    first = day_number(TODAY) - 10
    assert found.days.tolist() == [first, first + 1, first + 3]
    assert found.customers[0] == found.customers[2] > 0
    assert found.customers[1] == purchases.NOBODY


def np_names(ids: list[int]) -> list[str]:
    rows = db.session.connection().exec_driver_sql("SELECT id, platform_id FROM product")
    names = dict(tuple(row) for row in rows)
    return [names[id_] for id_ in ids]


def test_orders_are_read_from_a_day_on(app: Flask) -> None:
    store = new_store()
    learn(store.id, [[sold("a", 10.6, "p1"), sold("b", 10.5, "p2"), sold("c", 3, "p3")]])

    found = purchases.of_store(db.session.connection(), store.id, day_number(TODAY - timedelta(days=10.5)))

    assert np_names(found.products.tolist()) == ["p2", "p3"]


def test_a_store_without_orders_has_an_empty_history(app: Flask) -> None:
    store = new_store()

    found = purchases.of_store(db.session.connection(), store.id)

    assert (found.indptr.tolist(), found.products.tolist(), found.days.tolist()) == ([0], [], [])


def test_what_a_customer_bought_is_theirs_and_net(app: Flask) -> None:
    store, other = new_store(), new_store()
    learn(other.id, [[sold("a", 1, "p9", customer=1)]])
    learn(
        store.id,
        [
            [
                sold("a", 20, "p1", "p2", customer=1),
                sold("b", 10, "p1", "p3", customer=1),
                sold("c", 5, "p4", customer=1, status=OrderStatus.REFUNDED),
                sold("d", 4, "p5", customer=2),
                refund("b", 1, 500 * DAY, p3=1),
            ]
        ],
    )

    found = purchases.of_customers(db.session.connection(), store.id, ["c1"])

    then, before = (TODAY - timedelta(days=10)).date(), (TODAY - timedelta(days=20)).date()
    assert found == [
        purchases.Purchase("p1", 2, then, before),
        purchases.Purchase("p2", 1, before, before),
    ]
    assert purchases.of_customers(db.session.connection(), store.id, ["c9"]) == []


# --- when -----------------------------------------------------------------------------------------------


def test_the_night_enqueues_every_installed_store(app: Flask) -> None:
    store, gone = new_store(), new_store()
    for each in (store, gone):
        learn(each.id, [[sold("a", 1, "p1")]])
    gone.uninstalled_at = TODAY
    db.session.commit()

    jobs.refresh_everywhere()
    jobs.refresh_trending_everywhere()

    assert queued() == [(jobs.REFRESH, (store.id,), 3600), (jobs.REFRESH_TRENDING, (store.id,), 600)]


@pytest.mark.parametrize(
    ("more", "seconds", "comes"),
    [(0, 90_000, False), (4, 60, False), (5, 60, True), (1, 3599, False), (1, 3600, True)],
    ids=["nothing new", "nearly half", "half", "a tenth too soon", "a tenth after an hour"],
)
def test_a_store_is_refreshed_as_it_grows(
    app: Flask, redis: Redis, more: int, seconds: int, comes: bool
) -> None:
    store = new_store()
    learn(store.id, [[sold(f"o{n}", 1, "p1") for n in range(10)]])
    jobs.refresh_grown()
    first = queued()
    Queue(LEARNING, connection=queue_redis()).empty()
    if more:
        learn(store.id, [[sold(f"more{n}", 1, "p1") for n in range(more)]])

    with time_machine.travel(TODAY + timedelta(seconds=seconds), tick=False):
        jobs.refresh_grown()

    assert first == [(jobs.REFRESH, (store.id,), 3600)]
    assert queued() == (first if comes else [])


def test_a_store_without_orders_is_not_new(app: Flask) -> None:
    new_store()

    jobs.refresh_grown()

    assert queued() == []
