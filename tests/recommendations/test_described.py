"""New and changed products, from the delivery that tells of them to the lists that they stand in."""

from typing import Any

import pytest
from flask import Flask
from redis import Redis
from rq import Queue
from sqlalchemy.exc import OperationalError

from app.commerce.store import Store
from app.core.db import db, now, try_lock_store
from app.core.queues import LEARNING, queue_redis
from app.recommendations import cold_start, described, jobs
from app.recommendations.ready_lists import MERCHANT_CROSS_SELLS, SIMILAR
from app.recommendations.refresh import REFRESH_LOCK
from tests.factories import incoming, keep, new_store, product_change, shopify_product
from tests.recommendations.histories import learn, published
from webhooks.jobs import drain

JOB = "app.recommendations.jobs.refresh_described"


@pytest.fixture
def store(app: Flask) -> Store:
    return new_store()


def hear_of(store: Store, *products: dict[str, Any]) -> None:
    """Keep a delivery for each product and drain them."""
    for body in products:
        keep(incoming(store.id, "products/update", body))
    drain(store.id)


def queued() -> list[tuple[str, tuple[Any, ...]]]:
    return [(job.func_name, job.args) for job in Queue(LEARNING, connection=queue_redis()).jobs]


def similar(store: Store) -> dict[str, list[str]]:
    lists = published(store.id).items()
    return {subject: [item["id"] for item in items] for (kind, subject), items in lists if kind == SIMILAR}


def marked(store: Store, redis: Redis) -> set[str]:
    return {id_.decode() for id_ in redis.smembers(f"pannier:{store.id}:described")}


def test_new_products_stand_in_their_lists_after_one_job(store: Store) -> None:
    hear_of(store, shopify_product(1, title="Oak lamp"), shopify_product(2, title="Oak lamp, small"))

    assert queued() == [(JOB, (store.id,))]
    jobs.refresh_described(store.id)

    assert similar(store) == {"1": ["2"], "2": ["1"]}


def test_only_what_a_shopper_could_read_is_news(store: Store, redis: Redis) -> None:
    hear_of(store, shopify_product(1, title="Oak lamp"))
    jobs.refresh_described(store.id)
    redis.delete(f"pannier:{store.id}:hint:{JOB}")
    Queue(LEARNING, connection=queue_redis()).empty()

    hear_of(store, shopify_product(1, title="Oak lamp", seconds=60, stock=2))

    assert (queued(), marked(store, redis)) == ([], set())


def test_drains_that_follow_one_another_enqueue_one_job_and_the_clock_the_next(
    store: Store, redis: Redis
) -> None:
    for number in range(1, 5):
        hear_of(store, shopify_product(number, title="Oak lamp"))
    jobs.refresh_described_everywhere()

    assert queued() == [(JOB, (store.id,))]
    assert marked(store, redis) == {"1", "2", "3", "4"}

    redis.delete(f"pannier:{store.id}:hint:{JOB}")  # as after ten seconds
    jobs.refresh_described_everywhere()

    assert queued() == [(JOB, (store.id,))] * 2


def test_the_clock_leaves_stores_alone_that_have_no_news_or_are_gone(store: Store, redis: Redis) -> None:
    gone = new_store()
    gone.uninstalled_at = now()
    db.session.commit()
    described.mark(gone.id, ["1"])

    jobs.refresh_described_everywhere()

    assert queued() == []
    assert [redis.exists(f"pannier:{store_id}:hint:{JOB}") for store_id in (store.id, gone.id)] == [0, 0]


@pytest.mark.parametrize(("count", "whole"), [(500, False), (501, True)], ids=["500", "501"])
def test_many_products_are_worked_out_with_all_others(
    store: Store, monkeypatch: pytest.MonkeyPatch, count: int, whole: bool
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(cold_start, "refresh", lambda _, store_id: asked.append(store_id))
    monkeypatch.setattr(cold_start, "refresh_products", lambda *of: asked.append(len(of[2])))
    described.mark(store.id, map(str, range(count)))

    jobs.refresh_described(store.id)

    assert asked == [store.id if whole else count]


def test_while_another_refresh_is_at_it_products_go_on_waiting(store: Store, redis: Redis) -> None:
    hear_of(store, shopify_product(1, title="Oak lamp"))

    with try_lock_store(store.id, REFRESH_LOCK):
        jobs.refresh_described(store.id)

    assert marked(store, redis) == {"1"}


def test_what_is_marked_meanwhile_waits_for_the_next_job(
    store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    described.mark(store.id, ["1"])
    monkeypatch.setattr(cold_start, "refresh_products", lambda *_: described.mark(store.id, ["1", "2"]))

    jobs.refresh_described(store.id)

    assert marked(store, redis) == {"1", "2"}


def fails(error: BaseException) -> Any:
    def refresh_products(*_: Any) -> None:
        raise error

    return refresh_products


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (KeyboardInterrupt(), True),
        (OperationalError("SELECT", {}, Exception("away")), True),
        (ValueError("odd"), False),
    ],
    ids=["killed", "database away", "a fault"],
)
def test_what_was_interrupted_is_done_again_and_what_failed_is_not(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: BaseException, again: bool
) -> None:
    described.mark(store.id, ["1"])
    with monkeypatch.context() as broken:
        broken.setattr(cold_start, "refresh_products", fails(error))
        with pytest.raises(type(error)):
            jobs.refresh_described(store.id)
    done: list[set[str]] = []
    monkeypatch.setattr(cold_start, "refresh_products", lambda *of: done.append(of[2]))

    jobs.refresh_described_everywhere()
    assert queued() == ([(JOB, (store.id,))] if again else [])
    jobs.refresh_described(store.id)

    assert done == ([{"1"}] if again else [])


def test_a_product_reaches_the_lists_for_which_the_merchant_chose_it_earlier(store: Store) -> None:
    learn(store.id, [[product_change("1", cross_sells=["2"])]])
    described.mark(store.id, ["1"])
    jobs.refresh_described(store.id)
    assert (MERCHANT_CROSS_SELLS, "1") not in published(store.id)

    hear_of(store, shopify_product(2, title="Oak lamp"))
    jobs.refresh_described(store.id)

    assert published(store.id)[MERCHANT_CROSS_SELLS, "1"] == [{"id": "2"}]


@pytest.mark.usefixtures("redis_down")
def test_without_redis_products_are_drained_all_the_same(store: Store) -> None:
    hear_of(store, shopify_product(1, title="Oak lamp"))

    assert db.session.connection().exec_driver_sql("SELECT title FROM product").scalars().all() == [
        "Oak lamp"
    ]
