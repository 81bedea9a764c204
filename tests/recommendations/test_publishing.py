"""From counts to ready lists: what is published when, and what a crash or a dead Redis leaves to do."""

import threading
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from redis import Redis
from rq import Queue
from sqlalchemy import Connection, update

from app.commerce.changes import CommerceChange
from app.commerce.store import Store
from app.core.db import db, now
from app.core.queues import LEARNING, queue_redis
from app.core.redis import Breaker
from app.recommendations import cache, counts, jobs, learning, report
from app.recommendations import stale as stale_lists
from app.recommendations.models import LearnedModel
from app.recommendations.ready_lists import CART_ROWS, TTL_S
from app.recommendations.strategies import BEST_SELLERS, FREQUENTLY_BOUGHT_TOGETHER
from tests.factories import new_store, order_change, order_deletion, product_change
from tests.recommendations.histories import OPEN_GATES, histories, learn, learned, published, stale


@pytest.fixture
def store(app: Flask) -> Store:
    """A store in which everything that was bought together may be shown."""
    return new_store(**OPEN_GATES)


def companions(lists: dict[tuple[str, str], Any], subject: str) -> list[str]:
    """Return what is published as bought together with a product."""
    return [item["id"] for item in lists.get((FREQUENTLY_BOUGHT_TOGETHER, subject), [])]


def queued(app: Flask) -> list[tuple[str, tuple[Any, ...]]]:
    """Return function and arguments of the queued jobs of learning."""
    return [(job.func_name, job.args) for job in Queue(LEARNING, connection=queue_redis()).jobs]


def raw_counts(store_id: int) -> dict[str, tuple[Any, ...]]:
    """Return everything that is counted of each product, by platform id."""
    names = dict(
        tuple(row)
        for row in db.session.connection().exec_driver_sql(
            "SELECT id, platform_id FROM product WHERE store_id = %(store)s", {"store": store_id}
        )
    )
    state = learned(store_id)
    return {
        names[id_]: (counts, state["pairs"].get(id_))
        for id_, *counts in (list(row) for row in state["counts"])
    }


@pytest.mark.timeout(600)  # looking for the smallest failing case takes a while
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=histories)
def test_what_an_order_touched_is_published_as_a_rebuild_would(
    app: Flask, batches: list[list[CommerceChange]]
) -> None:
    store = new_store(**OPEN_GATES)
    learn(
        store.id,
        [[order_change("first", "p0", "p1"), order_change("second", "p0", "p1", "p2")], *batches[:-1]],
    )
    learning.publish_stale(store.id)
    before = raw_counts(store.id)

    learn(store.id, batches[-1:])
    learning.publish_stale(store.id)
    kept, after = published(store.id), raw_counts(store.id)
    learning.rebuild(store.id)
    anew = published(store.id)

    touched = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    for kind in (FREQUENTLY_BOUGHT_TOGETHER, CART_ROWS):
        assert {name: kept.get((kind, name)) for name in touched} == {
            name: anew.get((kind, name)) for name in touched
        }
    if touched:
        assert kept.get((BEST_SELLERS, "")) == anew.get((BEST_SELLERS, ""))
    assert stale(store.id) == []


@pytest.mark.timeout(600)  # looking for the smallest failing case takes a while
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=histories)
def test_every_list_published_from_counts_equals_a_rebuild(
    app: Flask, batches: list[list[CommerceChange]]
) -> None:
    store = new_store(**OPEN_GATES)
    for batch in ([order_change("first", "p0", "p1")], *batches):
        learn(store.id, [batch])
        learning.publish_stale(store.id)
    db.session.connection().exec_driver_sql(
        "UPDATE product_count SET stale = true WHERE store_id = %(store)s", {"store": store.id}
    )
    db.session.commit()

    learning.publish_stale(store.id)
    kept = published(store.id)
    learning.rebuild(store.id)

    assert kept == published(store.id)


def test_a_published_list_carries_its_evidence(store: Store) -> None:
    learn(
        store.id,
        [
            [order_change(f"o{n}", "p1", "p2") for n in range(3)],
            [order_change("x", "p1"), order_change("y", "p3")],
        ],
    )

    assert learning.publish_stale(store.id) == 3

    (item,) = published(store.id)[FREQUENTLY_BOUGHT_TOGETHER, "p1"]
    # Of 5 orders 4 hold p1, 3 hold p2 and 3 hold both.
    assert {k: item[k] for k in ("id", "orders", "confidence", "lift")} == {
        "id": "p2",
        "orders": 3,
        "confidence": 0.75,
        "lift": 1.25,
    }
    assert companions(published(store.id), "p3") == []


def test_best_sellers_are_sorted_by_recent_orders(store: Store) -> None:
    learn(
        store.id,
        [
            [
                *(order_change(f"o{n}", "p1") for n in range(3)),
                order_change("x", "p2"),
                order_change("y", "p2", "p3"),
            ]
        ],
    )

    learning.publish_stale(store.id)

    assert published(store.id)[BEST_SELLERS, ""] == [
        {"id": "p1", "orders": 3, "share": 0.6},
        {"id": "p2", "orders": 2, "share": 0.4},
        {"id": "p3", "orders": 1, "share": 0.2},
    ]


def test_only_what_passes_the_stores_gates_is_published(app: Flask) -> None:
    store = new_store(min_orders=3, min_lift=1, min_llr=0)
    learn(store.id, [[*(order_change(f"o{n}", "p1", "p2") for n in range(2)), order_change("x", "p3")]])
    learning.publish_stale(store.id)
    too_few = companions(published(store.id), "p1")

    learn(store.id, [[order_change("o9", "p1", "p2")]])
    learning.publish_stale(store.id)

    assert too_few == []
    assert companions(published(store.id), "p1") == ["p2"]


def test_nothing_stale_is_nothing_to_do(store: Store) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2")]])

    assert [learning.publish_stale(store.id) for _ in range(2)] == [2, 0]


def test_many_products_are_published_in_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stale_lists, "_PUBLISH_BATCH", 2)
    learn(store.id, [[order_change("o1", *(f"p{n}" for n in range(7)))]])

    assert learning.publish_stale(store.id) == 7

    lists = published(store.id)
    learning.rebuild(store.id)
    assert lists == published(store.id)


def test_a_touched_product_keeps_what_the_item_model_said_of_it(store: Store) -> None:
    orders = [order_change(f"o{number}", f"p{number % 3}", f"p{number % 4}", "q") for number in range(24)]
    learn(store.id, [orders])
    db.session.execute(
        update(LearnedModel).where(LearnedModel.store_id == store.id).values(ranking={"ridge": 2.0})
    )
    db.session.commit()
    learning.rebuild(store.id)

    def item_weights() -> dict[str, float]:
        (row,) = cache.load_lists(db.session.connection(), store.id, CART_ROWS, ["p0"])["p0"]
        return dict(zip(row["ids"], row["e"], strict=True))

    said = item_weights()
    learn(store.id, [[order_change("late", "p0", "new")]])
    learning.publish_stale(store.id)

    assert sum(weight != 0 for weight in said.values()) >= 3
    assert item_weights() == {**said, "new": 0.0}


def test_lists_are_in_redis_for_the_strategys_time(store: Store, redis: Redis) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2")]])
    learning.publish_stale(store.id)

    lives = {key.decode(): redis.ttl(key) for key in redis.scan_iter(f"pannier:{store.id}:list:*")}

    assert set(lives) == {
        f"pannier:{store.id}:list:{FREQUENTLY_BOUGHT_TOGETHER}:p1",
        f"pannier:{store.id}:list:{FREQUENTLY_BOUGHT_TOGETHER}:p2",
        f"pannier:{store.id}:list:{CART_ROWS}:p1",
        f"pannier:{store.id}:list:{CART_ROWS}:p2",
        f"pannier:{store.id}:list:{BEST_SELLERS}:",
    }
    for key, ttl in lives.items():
        full = TTL_S[key.split(":")[3]]
        assert full / 2 < ttl <= full


def test_a_new_list_replaces_the_one_in_redis(store: Store) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2")]])
    learning.publish_stale(store.id)
    first = cache.get_lists(store.id, FREQUENTLY_BOUGHT_TOGETHER, ["p1"])["p1"]

    learn(store.id, [[order_change("o1", "p1", "p3", seconds=5)]])
    learning.publish_stale(store.id)

    assert [item["id"] for item in first] == ["p2"]
    assert [item["id"] for item in cache.get_lists(store.id, FREQUENTLY_BOUGHT_TOGETHER, ["p1"])["p1"]] == [
        "p3"
    ]
    assert cache.get_lists(store.id, FREQUENTLY_BOUGHT_TOGETHER, ["p2"]) == {"p2": []}


def test_a_rebuild_takes_lists_back_that_nothing_supports(store: Store) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2")]])
    learning.publish_stale(store.id)
    learn(store.id, [[order_deletion("o1", 5)]])

    learning.rebuild(store.id)

    assert published(store.id) == {}
    assert cache.get_lists(store.id, FREQUENTLY_BOUGHT_TOGETHER, ["p1", "p2"]) == {"p1": [], "p2": []}
    assert cache.get_lists(store.id, BEST_SELLERS, [""]) == {"": []}


def test_a_rebuild_takes_single_lists_back_from_redis(store: Store) -> None:
    learn(store.id, [[order_change("o1", "p1", "p3"), order_change("o2", "p1", "p2")]])
    learning.publish_stale(store.id)
    learn(store.id, [[order_deletion("o1", 5)]])

    learning.rebuild(store.id)

    lists = cache.get_lists(store.id, FREQUENTLY_BOUGHT_TOGETHER, ["p1", "p2", "p3"])
    assert {subject: [item["id"] for item in items] for subject, items in lists.items()} == {
        "p1": ["p2"],
        "p2": ["p1"],
        "p3": [],
    }


def test_what_a_crash_left_unpublished_is_found_again(app: Flask, store: Store, redis: Redis) -> None:
    idle = new_store()
    learn(store.id, [[order_change("o1", "p1", "p2")]])
    learning.publish_stale(store.id)
    learn(store.id, [[order_change("o1", "p1", "p3", seconds=5)]])
    # Here the process died: committed, not published.

    jobs.publish_everywhere()

    assert queued(app) == [(jobs.PUBLISH, (store.id,))]
    jobs.publish(store.id)
    assert companions(published(store.id), "p1") == ["p3"]
    assert stale(store.id) == []
    assert idle.id != store.id


def test_a_crash_while_publishing_leaves_everything_to_do(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2")]])

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(stale_lists, "_publish_products", dies)
        with pytest.raises(KeyboardInterrupt):
            learning.publish_stale(store.id)
    db.session.rollback()

    assert published(store.id) == {}
    assert learning.publish_stale(store.id) == 2
    assert set(published(store.id)) == {
        (FREQUENTLY_BOUGHT_TOGETHER, "p1"),
        (FREQUENTLY_BOUGHT_TOGETHER, "p2"),
        (CART_ROWS, "p1"),
        (CART_ROWS, "p2"),
        (BEST_SELLERS, ""),
    }


def test_every_store_that_learned_and_is_still_there_is_rebuilt(
    app: Flask, store: Store, redis: Redis
) -> None:
    removed, idle = new_store(), new_store()
    for each in (store, removed):
        learn(each.id, [[order_change("o1", "p1", "p2")]])
    removed.uninstalled_at = now()
    db.session.commit()

    jobs.rebuild_everywhere()

    assert queued(app) == [(jobs.REBUILD, (store.id,))]
    jobs.rebuild(store.id)
    assert companions(published(store.id), "p1") == ["p2"]
    assert published(idle.id) == {}


def test_without_redis_lists_are_published_and_stay_stale(store: Store, redis_down: None) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2")]])

    assert learning.publish_stale(store.id) == 2

    assert companions(published(store.id), "p1") == ["p2"]
    assert stale(store.id) == ["p1", "p2"]


def test_a_list_that_redis_refused_reaches_it_later(
    app: Flask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2")]])
    learning.publish_stale(store.id)
    learn(store.id, [[order_change("o1", "p1", "p3", seconds=5)]])
    tripped = Breaker(rest_s=3600)
    tripped.call(lambda: (_ for _ in ()).throw(OSError), otherwise=None)
    with monkeypatch.context() as patched:
        patched.setitem(app.extensions, "pannier_redis_breaker", tripped)
        learning.publish_stale(store.id)
    behind = cache.get_lists(store.id, FREQUENTLY_BOUGHT_TOGETHER, ["p1"])["p1"]

    learning.publish_stale(store.id)

    assert [item["id"] for item in behind] == ["p2"]
    assert [item["id"] for item in cache.get_lists(store.id, FREQUENTLY_BOUGHT_TOGETHER, ["p1"])["p1"]] == [
        "p3"
    ]
    assert stale(store.id) == []


def test_a_rebuild_without_redis_leaves_its_lists_stale(store: Store, redis_down: None) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2")]])

    learning.rebuild(store.id)

    assert companions(published(store.id), "p1") == ["p2"]
    assert stale(store.id) == ["p1", "p2"]


def test_two_publishers_share_the_work(app: Flask, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stale_lists, "_PUBLISH_BATCH", 1)
    monkeypatch.setattr(counts, "_SEGMENTS", 1)
    orders = [order_change(f"o{n}", *(f"p{m}" for m in range(n % 3, 8))) for n in range(6)]
    learn(store.id, [[order] for order in orders])
    kept = learned(store.id)
    done: list[int] = []

    def publish() -> None:
        with app.app_context():
            done.append(learning.publish_stale(store.id))

    publishers = [threading.Thread(target=publish) for _ in range(3)]
    for publisher in publishers:
        publisher.start()
    for publisher in publishers:
        publisher.join(timeout=30)

    assert not any(publisher.is_alive() for publisher in publishers)
    assert sum(done) == 8
    lists = published(store.id)
    assert learned(store.id) == kept
    learning.rebuild(store.id)
    assert lists == published(store.id)


def test_publishing_gives_its_worker_back(
    app: Flask, store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stale_lists, "_PUBLISH_BATCH", 2)
    monkeypatch.setattr(stale_lists, "_TURN_S", 0.0)
    learn(store.id, [[order_change("o1", "p1", "p2", "p3", "p4", "p5")]])

    jobs.publish(store.id)

    assert stale(store.id) == ["p3", "p4", "p5"]
    ((function, arguments),) = queued(app)
    assert function == jobs.PUBLISH
    jobs.publish(*arguments)
    assert stale(store.id) == ["p5"]
    assert learning.publish_turn(store.id) is None
    assert stale(store.id) == []


@pytest.mark.parametrize("rebuilt", [False, True], ids=["an order", "a rebuild"])
def test_what_happens_between_two_batches_is_taken_in(
    app: Flask, store: Store, monkeypatch: pytest.MonkeyPatch, rebuilt: bool
) -> None:
    monkeypatch.setattr(stale_lists, "_PUBLISH_BATCH", 1)
    learn(store.id, [[order_change("o1", "p1", "p2"), order_change("o2", "p3")]])
    lock_store, locked = stale_lists.lock_store, []

    def interfere() -> None:
        with app.app_context():
            learn(store.id, [[order_change("o3", "p8", "p9"), order_change("o4", "p2", "p9")]])
            if rebuilt:
                db.session.get_one(Store, store.id).settings = {**OPEN_GATES, "half_life_days": 7}
                db.session.commit()
                learning.rebuild(store.id)
                learn(store.id, [[order_change("o5", "p7", "p9")]])

    def lock(connection: Connection, store_id: int, room: int) -> None:
        locked.append(room)
        if len(locked) == 2:  # the first batch is done, the second not yet begun
            other = threading.Thread(target=interfere)
            other.start()
            other.join(timeout=30)
            assert not other.is_alive()
        lock_store(connection, store_id, room)

    monkeypatch.setattr(stale_lists, "lock_store", lock)
    learning.publish_stale(store.id)
    lists = published(store.id)
    learning.rebuild(store.id)

    assert lists[FREQUENTLY_BOUGHT_TOGETHER, "p9"] == published(store.id)[FREQUENTLY_BOUGHT_TOGETHER, "p9"]


def test_a_publisher_and_a_rebuild_wait_for_each_other(
    app: Flask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "_SEGMENTS", 1)
    learn(store.id, [[order_change(f"o{n}", "p1", "p2", f"p{n}")] for n in range(3, 6)])
    compact, waited = counts.compact, []

    def rebuild() -> None:
        with app.app_context():
            learning.rebuild(store.id)

    rebuilder = threading.Thread(target=rebuild)

    def slow(*arguments: Any) -> None:
        if not waited:
            rebuilder.start()
            rebuilder.join(timeout=0.3)
            waited.append(rebuilder.is_alive())
        compact(*arguments)

    monkeypatch.setattr(stale_lists, "compact", slow)
    learning.publish_stale(store.id)
    rebuilder.join(timeout=30)

    assert waited == [True]
    assert not rebuilder.is_alive()
    kept = learned(store.id)
    learning.rebuild(store.id)
    assert learned(store.id) == kept


def test_the_strongest_pairs_are_reported_once_each(store: Store) -> None:
    learn(
        store.id,
        [
            [
                product_change("p1", title="Mug"),
                product_change("p2", title="Tray"),
                *(order_change(f"o{n}", "p1", "p2") for n in range(4)),
                *(order_change(f"x{n}", "p3", "p4") for n in range(2)),
                *(order_change(f"y{n}", f"q{n}") for n in range(4)),
            ]
        ],
    )
    learning.publish_stale(store.id)

    pairs = report.strongest_pairs(store.id, 10)

    assert [
        (p["product_id"], p["product"], p["other_id"], p["other"], p["orders"], p["support"]) for p in pairs
    ] == [
        ("p1", "Mug", "p2", "Tray", 4, 0.4),
        ("p3", "", "p4", "", 2, 0.2),
    ]
    assert [p["other_id"] for p in report.pairs_of_product(store.id, "p2", 10)] == ["p1"]
    assert len(report.strongest_pairs(store.id, 1)) == 1


def test_pairs_whose_orders_are_all_gone_have_no_support(store: Store) -> None:
    learn(store.id, [[order_change("o1", "p1", "p2")]])
    learning.publish_stale(store.id)

    learn(store.id, [[order_deletion("o1", 5)]])

    assert [(p["product_id"], p["support"]) for p in report.strongest_pairs(store.id, 10)] == [("p1", None)]
