"""Draining, quarantine, sweeping, replay and retention."""

import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from rq import Queue
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.commerce import ingest
from app.commerce.changes import CommerceChange, OrderChange
from app.commerce.store import Store
from app.core.db import db, now
from app.core.queues import DELIVERIES, enqueue, queue_redis
from app.privacy.erasure import erase_store
from app.privacy.models import PrivacyRequestRecord
from app.recommendations import cache, learning
from app.recommendations.strategies import FREQUENTLY_BOUGHT_TOGETHER
from connectors.base import Translation
from connectors.registry import connector_for
from tests.commerce.tables import dump
from tests.factories import at, incoming, keep, new_store, shopify_order, shopify_product
from tests.recommendations.histories import OPEN_GATES, learned, published, stale
from webhooks import jobs
from webhooks.models import WebhookDelivery


@pytest.fixture
def store(app: Flask) -> Store:
    """A store in which everything that was bought together may be shown."""
    return new_store(**OPEN_GATES)


def receive(store: Store, *deliveries: tuple[str, Any] | tuple[str, Any, dict[str, Any]]) -> None:
    """Keep deliveries: topic, body and perhaps more."""
    for topic, body, *more in deliveries:
        keep(incoming(store.id, topic, body, **(more[0] if more else {})))


def receive_orders(store: Store, numbers: Iterable[int]) -> None:
    """Keep an order of products 1 and 2 for each number."""
    receive(store, *(("orders/create", shopify_order(number, 1, 2)) for number in numbers))


def states(store: Store) -> list[tuple[str, str | None]]:
    """Return status and reason of the store's deliveries, in the order of arrival."""
    db.session.rollback()
    query = (
        select(WebhookDelivery.status, WebhookDelivery.reason)
        .where(WebhookDelivery.store_id == store.id)
        .order_by(WebhookDelivery.id)
    )
    return [tuple(row) for row in db.session.execute(query)]


def orders(store: Store) -> list[str]:
    """Return the platform ids of the store's orders."""
    return sorted(row["platform_id"] for row in dump(db.session.connection(), store.id)["orders"])


def queued() -> list[tuple[str, tuple[Any, ...]]]:
    """Return function and arguments of the queued drains."""
    return [(job.func_name, job.args) for job in Queue(DELIVERIES, connection=queue_redis()).jobs]


def fail_on(monkeypatch: pytest.MonkeyPatch, number: str, error: Exception) -> None:
    """Let applying fail whenever a certain order is among the changes."""
    apply = ingest.apply

    def poisoned(connection: Any, store_id: int, changes: Iterable[CommerceChange]) -> Any:
        changes = list(changes)
        if any(isinstance(c, OrderChange) and c.platform_id == number for c in changes):
            raise error
        return apply(connection, store_id, changes)

    monkeypatch.setattr(ingest, "apply", poisoned)


def test_a_drain_applies_learns_publishes_and_closes(store: Store) -> None:
    receive(
        store,
        ("products/create", shopify_product(1, title="Mug")),
        ("products/create", shopify_product(2, title="Tray")),
    )
    receive_orders(store, [101, 102])

    jobs.drain(store.id)

    assert states(store) == [("processed", None)] * 4
    assert orders(store) == ["101", "102"]
    assert learned(store.id)["head"][3] == 2
    assert [item["id"] for item in published(store.id)[FREQUENTLY_BOUGHT_TOGETHER, "1"]] == ["2"]
    assert stale(store.id) == []
    assert db.session.scalar(select(func.count()).where(WebhookDelivery.processed_at.is_(None))) == 0


def test_a_drain_takes_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    receive_orders(store, range(1, 8))

    assert [jobs.drain_batch(store.id, 3) for _ in range(4)] == [3, 3, 1, 0]

    assert orders(store) == [str(number) for number in range(1, 8)]


def test_a_drain_replaces_the_cards_of_changed_products(store: Store) -> None:
    receive(store, ("products/create", shopify_product(1, title="Mug")))
    jobs.drain(store.id)
    assert cache.get_cards(store.id, ["1"])["1"].eligible is True

    receive(store, ("products/update", shopify_product(1, title="Mug", seconds=5, stock=0)))
    jobs.drain(store.id)

    assert cache.get_cards(store.id, ["1"])["1"].eligible is False


def test_a_drain_leaves_other_stores_alone(store: Store) -> None:
    other = new_store()
    for each in (store, other):
        receive_orders(each, [1])

    jobs.drain(store.id)

    assert (states(store), states(other)) == ([("processed", None)], [("pending", None)])


def test_nothing_pending_is_nothing_to_do(store: Store) -> None:
    jobs.drain(store.id)

    assert states(store) == []
    assert jobs.drain_batch(store.id, 5) == 0
    assert jobs.drain_batch(10**9, 5) == 0


def test_what_cannot_be_understood_goes_to_quarantine_without_values(store: Store) -> None:
    secret = "marker-secret"
    broken = shopify_order(2, 1, updated_at=secret)
    receive(
        store,
        ("orders/create", shopify_order(1, 1, 2)),
        ("orders/create", broken),
        ("orders/create", [secret]),
    )

    jobs.drain(store.id)

    (fine, wrong, no_object) = states(store)
    assert fine == ("processed", None)
    assert wrong == ("quarantined", "payload: updated_at: Not a time with an offset.")
    assert no_object[0] == "quarantined"
    assert str(no_object[1]).startswith("payload: ")
    assert secret not in str(no_object[1])


def test_an_unknown_topic_is_set_aside_and_counted(store: Store) -> None:
    receive(
        store,
        ("themes/publish", {"id": 1}),
        ("themes/publish", {"id": 2}),
        ("checkouts/create", {"id": 3}),
        ("orders/create", shopify_order(1, updated_at=None)),
        ("orders/create", shopify_order(2, updated_at=1)),
    )
    receive_orders(store, [3])

    jobs.drain(store.id)
    receive_orders(store, [4])

    assert jobs.status_counts(store.id) == [
        {"store_id": store.id, "topic": topic, "status": status, "reason": reason, "deliveries": count}
        for topic, status, reason, count in [
            ("checkouts/create", "set_aside", "checkout_not_used", 1),
            ("orders/create", "pending", None, 1),
            ("orders/create", "processed", None, 1),
            ("orders/create", "quarantined", "payload", 2),
            ("themes/publish", "set_aside", "unknown_topic", 2),
        ]
    ]
    assert jobs.status_counts(new_store().id) == []
    assert len(jobs.status_counts()) == 5


def test_privacy_requests_are_stored_as_work(store: Store) -> None:
    body = {"shop_id": 1, "customer": {"id": 77}, "orders_requested": [5], "data_request": {"id": 9}}

    receive(store, ("customers/data_request", body))
    jobs.drain(store.id)

    (record,) = db.session.scalars(select(PrivacyRequestRecord))
    assert (record.request_id, record.customer_platform_id, record.orders) == ("data_request:9", "77", ["5"])


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        KeyError("no"),
        TypeError("no"),
        AttributeError("no"),
        OverflowError("no"),
        RecursionError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_poisoned_delivery_goes_to_quarantine_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    receive_orders(store, [1, 2, 3, 4, 5])
    fail_on(monkeypatch, "3", error)

    jobs.drain(store.id)

    reason = f"apply_failed: {type(error).__name__}"
    assert states(store) == [
        ("processed", None),
        ("processed", None),
        ("quarantined", reason),
        ("processed", None),
        ("processed", None),
    ]
    assert orders(store) == ["1", "2", "4", "5"]
    kept = learned(store.id)
    assert learning.rebuild(store.id) == 4
    assert learned(store.id) == kept


def test_what_postgresql_refuses_goes_to_quarantine_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = connector_for("shopify")
    translate = connector.translate

    def immense(_self: Any, body: Any, context: Any) -> Translation:
        (change,) = translate(body, context).changes
        assert isinstance(change, OrderChange)
        return Translation((replace(change, total=2**63) if change.platform_id == "2" else change,))

    monkeypatch.setattr(type(connector), "translate", immense)
    receive_orders(store, [1, 2, 3])

    jobs.drain(store.id)

    assert states(store) == [
        ("processed", None),
        ("quarantined", "apply_failed: DataError"),
        ("processed", None),
    ]
    assert orders(store) == ["1", "3"]


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("SELECT", {}, Exception("server closed the connection")),
        ProgrammingError("SELECT", {}, Exception("column does not exist")),
    ],
    ids=["database down", "database behind the code"],
)
def test_an_ill_database_leaves_deliveries_pending(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    receive_orders(store, [1, 2])

    def ill(*_: Any) -> Any:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(ingest, "apply", ill)
        with pytest.raises(type(error)):
            jobs.drain(store.id)

    assert states(store) == [("pending", None)] * 2
    jobs.drain(store.id)
    assert states(store) == [("processed", None)] * 2


def test_the_blame_stays_with_the_delivery_that_was_taken(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive_orders(store, [2, 1])
    # The first row becomes visible only while the second is being processed.
    hidden = db.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)).first()
    assert hidden is not None
    hidden.status = "processed"
    db.session.commit()
    apply = ingest.apply

    def poisoned(connection: Any, store_id: int, changes: Iterable[CommerceChange]) -> Any:
        changes = list(changes)
        if any(isinstance(c, OrderChange) and c.platform_id == "1" for c in changes):
            with db.engine.begin() as other:
                other.exec_driver_sql(
                    "UPDATE webhook_delivery SET status = 'pending' WHERE id = %s", (hidden_id,)
                )
            raise ValueError
        return apply(connection, store_id, changes)

    hidden_id = hidden.id
    db.session.rollback()
    monkeypatch.setattr(ingest, "apply", poisoned)
    jobs.drain(store.id)

    assert states(store) == [("processed", None), ("quarantined", "apply_failed: ValueError")]
    assert orders(store) == ["2"]


def test_a_body_twice_under_two_keys_is_applied_once(store: Store) -> None:
    order = shopify_order(1, 1, 2)
    receive(store, ("orders/create", order, {"key": "a"}), ("orders/paid", order, {"key": "b"}))
    jobs.drain(store.id)
    once = dump(db.session.connection(), store.id), learned(store.id)

    receive(store, ("orders/updated", order, {"key": "c"}))
    jobs.drain(store.id)

    assert (dump(db.session.connection(), store.id), learned(store.id)) == once
    assert once[1]["head"][3] == 1


def test_two_drains_at_once_lose_nothing(app: Flask, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = app.extensions["pannier_settings"]
    monkeypatch.setitem(app.extensions, "pannier_settings", _with_batch(settings, 5))
    receive_orders(store, range(1, 61))
    start, inside, most = threading.Barrier(3), [], []
    process = jobs._process

    def watched(store_id: int, limit: int) -> int:
        inside.append(1)
        most.append(len(inside))
        try:
            return process(store_id, limit)
        finally:
            inside.pop()

    monkeypatch.setattr(jobs, "_process", watched)

    def work() -> None:
        with app.app_context():
            start.wait(timeout=10)
            jobs.drain(store.id)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)

    assert not any(worker.is_alive() for worker in workers)
    assert max(most) == 1
    assert states(store) == [("processed", None)] * 60
    kept = learned(store.id)
    assert kept["head"][3] == 60
    learning.rebuild(store.id)
    assert learned(store.id) == kept


def _with_batch(settings: Any, size: int) -> Any:
    return replace(settings, drain_batch=size)


def test_a_drain_leaves_the_store_to_the_one_that_has_it(store: Store) -> None:
    receive_orders(store, [1])
    with db.engine.connect() as other:
        other.exec_driver_sql("SELECT pg_advisory_lock(%s, %s)", (jobs._DRAIN_LOCK, store.id))

        jobs.drain(store.id)

        assert states(store) == [("pending", None)]
        other.exec_driver_sql("SELECT pg_advisory_unlock(%s, %s)", (jobs._DRAIN_LOCK, store.id))
    jobs.drain(store.id)
    assert states(store) == [("processed", None)]


def test_a_drain_does_not_spin_on_rows_that_somebody_holds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive_orders(store, [1])
    rounds = []
    process = jobs._process
    monkeypatch.setattr(jobs, "_process", lambda *arguments: rounds.append(1) or process(*arguments))
    with db.engine.connect() as other:
        other.exec_driver_sql("SELECT id FROM webhook_delivery FOR UPDATE")

        jobs.drain(store.id)

    assert len(rounds) == 1
    assert states(store) == [("pending", None)]


def test_a_drain_gives_its_turn_back(store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    receive_orders(store, range(1, 4))
    monkeypatch.setattr(jobs, "_TURN_S", 0.0)
    settings = jobs._settings()
    monkeypatch.setattr(jobs, "_settings", lambda: _with_batch(settings, 1))

    jobs.drain(store.id)

    assert states(store) == [("processed", None), ("pending", None), ("pending", None)]
    assert queued() == [(jobs.DRAIN, (store.id,))]


def test_a_burst_of_one_store_does_not_starve_another(
    store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = new_store(**OPEN_GATES)
    receive_orders(store, range(1, 31))
    receive_orders(other, [1])
    settings = jobs._settings()
    monkeypatch.setattr(jobs, "_settings", lambda: _with_batch(settings, 4))
    monkeypatch.setattr(jobs, "_TURN_S", 0.0)
    for each in (store, other):
        enqueue(DELIVERIES, jobs.DRAIN, each.id)
    queue, served = Queue(DELIVERIES, connection=queue_redis()), []

    while queue.count:  # one worker, taking jobs in the order in which they were queued
        job = queue.pop_job_id()
        ((store_id,),) = [found.args for found in [queue.fetch_job(job)] if found]
        jobs.drain(store_id)
        served.append(store_id)

    assert served == [store.id, other.id, *[store.id] * 7]
    assert {state for each in (store, other) for state in states(each)} == {("processed", None)}


def test_the_sweep_finds_only_what_has_waited(store: Store, redis: Redis) -> None:
    waiting, fresh, done = new_store(), new_store(), new_store()
    long_ago = now() - timedelta(seconds=6)
    receive(waiting, ("orders/create", shopify_order(1, 1), {"received": long_ago}))
    receive(waiting, ("orders/create", shopify_order(2, 1), {"received": long_ago}))
    receive(fresh, ("orders/create", shopify_order(1, 1), {"received": now() + timedelta(seconds=60)}))
    receive(done, ("orders/create", shopify_order(1, 1), {"received": long_ago}))
    jobs.drain(done.id)

    assert jobs.sweep() == 1

    assert queued() == [(jobs.DRAIN, (waiting.id,))]


def test_the_sweep_survives_a_dead_redis(store: Store, redis_down: None) -> None:
    receive(store, ("orders/create", shopify_order(1, 1)))

    assert jobs.sweep() == 1

    assert states(store) == [("pending", None)]


def test_replaying_everything_changes_nothing(store: Store, redis: Redis) -> None:
    receive_orders(store, [1, 2])
    receive(
        store,
        ("orders/updated", shopify_order(1, 1, 3, seconds=5)),
        ("orders/cancelled", shopify_order(2, 1, 2, seconds=7, cancelled_at=at(7).isoformat())),
        ("products/create", shopify_product(1)),
        (
            "refunds/create",
            {"id": 5, "order_id": 1, "created_at": at(9).isoformat(), "refund_line_items": []},
        ),
        ("themes/publish", {"id": 1}),
    )
    jobs.drain(store.id)
    before = dump(db.session.connection(), store.id), learned(store.id), states(store)

    assert jobs.replay(store.id) == 7
    assert states(store) == [("pending", None)] * 7
    assert queued() == [(jobs.DRAIN, (store.id,))]
    jobs.drain(store.id)

    assert (dump(db.session.connection(), store.id), learned(store.id), states(store)) == before


@pytest.mark.parametrize(
    ("wanted", "replayed"),
    [
        ({}, [0, 1, 2, 3]),
        ({"status": "quarantined"}, [1, 2]),
        ({"topic": "orders/paid"}, [2]),
        ({"reason": "payload: total"}, [2]),
        ({"reason": "payload: %"}, []),
        ({"since": at(2)}, [2, 3]),
        ({"until": at(2)}, [0, 1]),
        ({"since": at(1), "until": at(3), "status": "quarantined"}, [1, 2]),
        ({"ids": []}, []),
        ({"status": "pending"}, []),
    ],
    ids=[
        "all",
        "status",
        "topic",
        "reason",
        "reason is no pattern",
        "since",
        "until",
        "together",
        "no ids",
        "pending",
    ],
)
def test_replay_takes_what_was_asked_for(
    store: Store, redis: Redis, wanted: dict[str, Any], replayed: list[int]
) -> None:
    other = new_store()
    bodies = [
        ("orders/create", shopify_order(1, 1)),
        ("orders/create", shopify_order(2, 1, updated_at=1)),
        ("orders/paid", shopify_order(3, 1, total_price_set=1)),
        ("themes/publish", {"id": 1}),
    ]
    for each in (store, other):
        receive(each, *((topic, body, {"received": at(n)}) for n, (topic, body) in enumerate(bodies)))
        jobs.drain(each.id)
    receive_orders(store, [9])
    theirs = states(other)

    assert jobs.replay(store.id, **wanted) == len(replayed)

    pending = [index for index, (status, _) in enumerate(states(store)) if status == "pending"]
    assert pending == [*replayed, 4]
    assert states(other) == theirs
    assert queued() == ([(jobs.DRAIN, (store.id,))] if replayed else [])


def test_replay_by_id_stays_within_the_store(store: Store) -> None:
    other = new_store()
    for each in (store, other):
        receive_orders(each, [1])
        jobs.drain(each.id)
    ids = list(db.session.scalars(select(WebhookDelivery.id)))

    assert jobs.replay(store.id, ids=ids) == 1

    assert (states(store), states(other)) == ([("pending", None)], [("processed", None)])


def test_what_was_mended_is_processed_after_a_replay(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    receive_orders(store, [1, 2])
    with monkeypatch.context() as patched:
        fail_on(patched, "1", ValueError("a bug"))
        jobs.drain(store.id)
    assert orders(store) == ["2"]

    assert jobs.replay(store.id, reason="apply_failed") == 1
    jobs.drain(store.id)

    assert states(store) == [("processed", None)] * 2
    assert orders(store) == ["1", "2"]


def test_retention_deletes_what_is_old_and_done(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_RETENTION_BATCH", 2)
    days = jobs._settings().delivery_retention_days
    for number, age in enumerate([days + 2, days + 1, days + 1, days - 1, 0]):
        received = now() - timedelta(days=age)
        receive(
            store,
            (
                "orders/create",
                shopify_order(number + 1, 1),
                {"received": received, "key": f"done-{age}-{number}"},
            ),
            (
                "orders/create",
                shopify_order(number + 1),
                {"received": received, "key": f"bad-{age}-{number}"},
            ),
        )
    jobs.drain(store.id)
    receive(
        store, ("orders/create", shopify_order(9, 1), {"received": at(-(10**7)), "key": "old and pending"})
    )

    assert jobs.forget_old_deliveries() == 6

    left = set(db.session.scalars(select(WebhookDelivery.dedupe_key)))
    assert left == {f"done-{days - 1}-3", f"bad-{days - 1}-3", "done-0-4", "bad-0-4", "old and pending"}
    assert orders(store) == ["1", "2", "3", "4", "5"]
    assert jobs.forget_old_deliveries() == 0


def test_retention_asks_no_store(store: Store) -> None:
    receive(new_store(), ("orders/create", {}, {"received": at(-(10**7)), "quarantine": "foreign_source"}))
    gone = 10**12
    keep(incoming(gone, received=at(-(10**7)), key="long gone", quarantine="foreign_source"))

    assert jobs.forget_old_deliveries() == 2


def test_what_arrives_after_its_store_was_erased_is_forgotten(store: Store) -> None:
    gone = new_store()
    erased = gone.id
    receive_orders(store, [1])
    erase_store(erased)
    # The web process still holds the store for some seconds.
    for number, quarantine in enumerate((None, None, "foreign_source")):
        keep(incoming(erased, key=str(number), quarantine=quarantine))

    assert jobs.sweep() == 2
    assert sorted(queued()) == sorted([(jobs.DRAIN, (store.id,)), (jobs.DRAIN, (erased,))])
    jobs.drain(erased)

    assert list(db.session.scalars(select(WebhookDelivery.store_id))) == [store.id]
    assert jobs.sweep() == 1


def test_what_arrives_while_its_store_is_erased_is_forgotten(store: Store) -> None:
    store_id = store.id
    late: list[str] = []

    def arrive(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE FROM webhook_delivery") and not late:
            late.append(statement)
            keep(incoming(store_id, key="late"))

    keep(incoming(store_id, key="before"))
    event.listen(db.engine, "after_cursor_execute", arrive)
    try:
        erase_store(store_id)
    finally:
        event.remove(db.engine, "after_cursor_execute", arrive)
    assert list(db.session.scalars(select(WebhookDelivery.dedupe_key))) == ["late"]

    jobs.sweep()
    jobs.drain(store_id)

    assert list(db.session.scalars(select(WebhookDelivery.dedupe_key))) == []


def test_a_damaged_body_goes_to_quarantine_alone(store: Store) -> None:
    receive_orders(store, [1, 2])
    db.session.connection().exec_driver_sql(
        "UPDATE webhook_delivery SET body = substring(body FOR octet_length(body) - 1) WHERE id ="
        " (SELECT min(id) FROM webhook_delivery)"
    )
    db.session.commit()

    jobs.drain(store.id)

    assert states(store) == [("quarantined", "apply_failed: ValueError"), ("processed", None)]


def test_a_drain_works_without_redis(store: Store, redis_down: None) -> None:
    receive_orders(store, [1])

    jobs.drain(store.id)

    assert states(store) == [("processed", None)]
    assert published(store.id)[FREQUENTLY_BOUGHT_TOGETHER, "1"][0]["id"] == "2"


def test_the_platforms_time_of_the_event_reaches_the_connector(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector, seen = connector_for("shopify"), []
    translate = connector.translate
    monkeypatch.setattr(
        type(connector),
        "translate",
        lambda _self, body, context: seen.append(context) or translate(body, context),
    )
    receive(store, ("orders/create", shopify_order(1, 1)))

    jobs.drain(store.id)

    (context,) = seen
    assert (context.topic, context.currency, context.triggered_at, context.happened_at) == (
        "orders/create",
        "USD",
        None,
        at(0),
    )


@pytest.mark.parametrize("topic", ["orders/delete", "app/uninstalled"])
def test_time_of_receipt_stands_in_for_a_missing_time(store: Store, topic: str) -> None:
    moment = now() + timedelta(seconds=30)
    receive_orders(store, [1])

    receive(store, (topic, {"id": 1, "myshopify_domain": store.domain}, {"received": moment}))
    jobs.drain(store.id)

    db.session.refresh(store)
    found = store.uninstalled_at if topic == "app/uninstalled" else _deleted_at(store)
    assert found == moment


def _deleted_at(store: Store) -> Any:
    return db.session.connection().exec_driver_sql("SELECT deleted_at FROM orders").scalar()
