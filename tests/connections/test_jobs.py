"""The clock's work for each store: which are asked, from when on, and what is left alone."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from rq import Queue
from sqlalchemy import text

from app.commerce import ingest
from app.commerce.store import Store
from app.connections import jobs, walks
from app.connections.models import CHANGES, DONE, FAILED, HISTORY, LISTING, InstallState, Subscriptions, Walk
from app.core.db import db, now
from app.core.queues import PLATFORMS
from connectors.errors import ReconnectNeeded, Rejected, Unreachable
from connectors.source import SubscriptionReport
from tests.connections.scripted import ScriptedSource, stored
from tests.factories import at, cart_change, new_store, order_change, shopify_order, shopify_product

Sources = dict[int, ScriptedSource]
AddConnected = Callable[..., Store]


@pytest.fixture
def asked(store: Store, sources: Sources, source: ScriptedSource) -> ScriptedSource:
    """The store's platform, with two of each."""
    source.put("products", *(shopify_product(number) for number in (1, 2)))
    source.put("orders", *(shopify_order(number, 1, 2) for number in (11, 12)))
    sources[store.id] = source
    return source


def walk_of(store: Store, kind: str, resource: str = "products") -> Walk | None:
    """Return a walk as it is stored now."""
    db.session.rollback()
    return db.session.get(Walk, (store.id, kind, resource))


def put_walk(store: Store, kind: str, resource: str, *, finished: bool, started: datetime = at(0)) -> Walk:  # noqa: B008
    """Store a walk."""
    walk = Walk(
        store_id=store.id, kind=kind, resource=resource, state=DONE if finished else FAILED, cursor=None,
        since=at(-1) if kind == CHANGES else None, notes=[], started_at=started,
        finished_at=started if finished else None,
    )  # fmt: skip
    db.session.add(walk)
    db.session.commit()
    return walk


def queued(app: Flask) -> list[tuple[str, int]]:
    """Return function and store of what waits in the platforms' queue, in order."""
    jobs_ = Queue(PLATFORMS, connection=app.extensions["pannier_queue_redis"]).jobs
    return [(job.func_name.rsplit(".", 1)[1], job.args[0]) for job in jobs_]


# --- backfill, reconcile, compare -----------------------------------------------------------------------


def test_a_backfill_takes_in_both_resources_once(store: Store, asked: ScriptedSource) -> None:
    jobs.backfill(store.id)
    jobs.backfill(store.id)

    assert [resource for resource, _ in asked.calls("history")] == ["products", "orders"]
    assert stored(store) == asked.truth()


def test_a_backfill_that_stopped_is_taken_up(store: Store, asked: ScriptedSource) -> None:
    asked.page_size = 1
    asked.script["history"] = [None, Unreachable("No answer.")]

    jobs.backfill(store.id)
    jobs.backfill(store.id)

    assert asked.calls("history") == [
        ("products", None), ("products", {"at": 1}), ("products", {"at": 1}),
        ("orders", None), ("orders", {"at": 1}),
    ]  # fmt: skip
    assert stored(store) == asked.truth()
    assert store.connection_problem is None


def test_a_backfill_anew_begins_at_the_beginning(store: Store, asked: ScriptedSource) -> None:
    jobs.backfill(store.id)

    jobs.fetch_history(store, asked, anew=True)

    assert asked.calls("history") == [("products", None), ("orders", None)] * 2


def test_the_first_changes_are_those_since_the_backfill_began(store: Store, asked: ScriptedSource) -> None:
    put_walk(store, HISTORY, "products", finished=True, started=at(1000))

    jobs.reconcile(store.id)

    assert asked.calls("changes") == [
        ("products", at(1000) - walks.OVERLAP, None),
        ("orders", store.installed_at - walks.OVERLAP, None),
    ]


def test_changes_are_those_since_the_last_walk_began(store: Store, asked: ScriptedSource) -> None:
    jobs.reconcile(store.id)
    begun = {resource: walk_of(store, CHANGES, resource).started_at for resource in ("products", "orders")}
    asked.asked.clear()

    jobs.reconcile(store.id)

    assert asked.calls("changes") == [
        ("products", begun["products"] - timedelta(minutes=15), None),
        ("orders", begun["orders"] - timedelta(minutes=15), None),
    ]


def test_unfinished_changes_are_taken_up_before_newer_ones(store: Store, asked: ScriptedSource) -> None:
    put_walk(store, CHANGES, "products", finished=True)
    put_walk(store, CHANGES, "orders", finished=True)
    asked.page_size = 1
    asked.script["changes"] = [None, Unreachable("No answer.")]

    jobs.reconcile(store.id)
    since = at(0) - walks.OVERLAP
    assert asked.calls("changes") == [("products", since, None), ("products", since, {"at": 1})]
    asked.asked.clear()
    jobs.reconcile(store.id)

    assert asked.calls("changes") == [
        ("products", since, {"at": 1}), ("orders", since, None), ("orders", since, {"at": 1}),
    ]  # fmt: skip
    assert stored(store) == asked.truth()


def test_a_comparison_looks_at_both_resources(store: Store, asked: ScriptedSource) -> None:
    jobs.compare(store.id)

    assert [resource for resource, _ in asked.calls("listing")] == ["products", "orders"]
    assert stored(store) == asked.truth()
    assert asked.calls("ensure_subscriptions") == []


@pytest.mark.parametrize("thorough", [False, True])
def test_catching_up_compares_only_when_asked_to(store: Store, asked: ScriptedSource, thorough: bool) -> None:
    told: list[str] = []

    jobs.catch_up(store, asked, thorough=thorough, progress=lambda walk: told.append(walk.kind))

    assert set(told) == ({CHANGES, LISTING} if thorough else {CHANGES})


JOBS = pytest.mark.parametrize("job", [jobs.backfill, jobs.reconcile, jobs.compare], ids=lambda j: j.__name__)


@JOBS
@pytest.mark.parametrize(
    "state",
    [{"connection_problem": "Dead."}, {"uninstalled_at": at(0)}, {"connected_at": None}],
    ids=["problem", "uninstalled", "never connected"],
)
def test_a_store_that_is_not_connected_is_left_alone(
    add_connected: AddConnected, sources: Sources, job: Callable[[int], None], state: dict[str, Any]
) -> None:
    store = add_connected(**state)

    job(store.id)

    assert store.connection_problem == state.get("connection_problem")


@JOBS
def test_a_store_that_is_gone_is_left_alone(app: Flask, sources: Sources, job: Callable[[int], None]) -> None:
    job(4711)


@pytest.mark.parametrize("method", ["facts", "ensure_subscriptions", "changes"])
def test_a_dead_key_is_noted_once_and_not_used_again(
    store: Store, asked: ScriptedSource, method: str
) -> None:
    asked.script[method] = [ReconnectNeeded("The key is dead: connect the shop again.")]
    before = now()

    jobs.reconcile(store.id)

    noted = store.connection_problem_at
    assert store.connection_problem == "The key is dead: connect the shop again."
    assert noted is not None
    assert before <= noted <= now()
    calls = len(asked.asked)
    jobs.reconcile(store.id)
    jobs.compare(store.id)
    assert len(asked.asked) == calls
    assert store.connection_problem_at == noted


def test_no_stored_key_is_noted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: Store) -> ScriptedSource:
        raise ReconnectNeeded("No key is stored.")

    monkeypatch.setattr(jobs, "source_for", none)

    jobs.reconcile(store.id)

    assert store.connection_problem == "No key is stored."


def test_a_connection_made_meanwhile_is_not_blamed_for_the_old_key(
    store: Store, asked: ScriptedSource, app: Flask
) -> None:
    def connect_anew() -> None:
        with app.app_context():
            db.session.get_one(Store, store.id).connected_at = at(10**8)
            db.session.commit()
        raise ReconnectNeeded("The old key is dead.")

    asked.script["facts"] = [connect_anew]

    jobs.reconcile(store.id)

    db.session.refresh(store)
    assert (store.connected_at, store.connection_problem) == (at(10**8), None)


def test_a_platform_that_is_down_is_asked_again_next_time(store: Store, asked: ScriptedSource) -> None:
    put_walk(store, HISTORY, "products", finished=True)
    put_walk(store, HISTORY, "orders", finished=True)
    asked.script["facts"] = [Unreachable("No answer.")]

    jobs.reconcile(store.id)
    assert asked.calls("changes") == []
    jobs.reconcile(store.id)

    assert store.connection_problem is None
    assert stored(store) == asked.truth()


def test_refused_webhooks_do_not_keep_changes_from_being_fetched(store: Store, asked: ScriptedSource) -> None:
    put_walk(store, HISTORY, "products", finished=True)
    put_walk(store, HISTORY, "orders", finished=True)
    asked.script["ensure_subscriptions"] = [Rejected("The key may not see webhooks.")]

    jobs.reconcile(store.id)

    assert store.connection_problem is None
    assert stored(store) == asked.truth()


def test_two_workers_at_once_one_works(store: Store, asked: ScriptedSource, app: Flask) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        assert go_on.wait(30)

    asked.script["facts"] = [wait]

    def work(store_id: int) -> None:
        with app.app_context():
            jobs.reconcile(store_id)

    worker = threading.Thread(target=work, args=(store.id,))
    worker.start()
    try:
        assert inside.wait(30)
        jobs.reconcile(store.id)
        assert asked.calls("facts") == [()]
    finally:
        go_on.set()
        worker.join(30)
    assert len(asked.calls("changes")) == 2
    jobs.reconcile(store.id)  # the lock is free again
    assert len(asked.calls("facts")) == 2


@pytest.mark.parametrize("job", [jobs.reconcile, jobs.compare])
def test_a_backfill_that_met_another_job_comes_again(
    app: Flask, store: Store, asked: ScriptedSource, job: Callable[[int], None]
) -> None:
    met: list[bool] = []
    asked.script["facts"] = asked.script["count"] = [lambda: met.append(True) or jobs.backfill(store.id)]

    job(store.id)

    assert met == [True]
    assert asked.calls("history") == []
    assert queued(app)[-1] == ("backfill", store.id)


@pytest.mark.parametrize("finished", [True, False], ids=["done", "failed"])
def test_only_a_backfill_that_was_kept_out_comes_again(
    app: Flask, store: Store, asked: ScriptedSource, finished: bool
) -> None:
    for resource in ("products", "orders"):
        put_walk(store, HISTORY, resource, finished=finished)

    jobs.reconcile(store.id)

    assert ("backfill", store.id) not in queued(app)


def test_another_store_is_worked_for_at_the_same_time(store: Store) -> None:
    with jobs.alone(store.id) as first, jobs.alone(store.id) as second, jobs.alone(store.id + 1) as other:
        assert (first, second, other) == (True, False, True)


def test_a_failure_frees_the_store(store: Store) -> None:
    with pytest.raises(RuntimeError), jobs.alone(store.id):
        raise RuntimeError
    with jobs.alone(store.id) as mine:
        assert mine


# --- webhooks, facts ------------------------------------------------------------------------------------


def test_what_the_platform_says_of_the_store_is_kept(store: Store, asked: ScriptedSource) -> None:
    store.origins = ["https://mine.example", "https://told.example"]
    db.session.commit()

    jobs.reconcile(store.id)

    assert (store.name, store.currency, store.timezone) == ("Told", "EUR", "Europe/Berlin")
    assert store.origins == ["https://mine.example", "https://told.example"]


def test_what_was_mended_is_kept_until_something_else_is(store: Store, asked: ScriptedSource) -> None:
    asked.report = SubscriptionReport(("a", "b"), created=("a",), reactivated=("b",), removed=("c",))
    jobs.reconcile(store.id)
    mended = ["created a", "reactivated b", "removed a double of c"]
    first = db.session.get_one(Subscriptions, store.id).checked_at

    asked.report = SubscriptionReport(("a",), problems=("b is off.",))
    jobs.reconcile(store.id)

    db.session.expire_all()
    found = db.session.get_one(Subscriptions, store.id)
    assert (found.active, found.mended, found.problems) == (["a"], mended, ["b is off."])
    assert found.checked_at > first


# --- the clock ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("walks_", "opens"),
    [
        ([], True),
        ([(HISTORY, "products", True), (HISTORY, "orders", True)], False),
        ([(HISTORY, "products", True), (HISTORY, "orders", False)], True),
        ([(HISTORY, "products", False), (HISTORY, "orders", True)], True),
        ([(HISTORY, "products", True)], True),
        ([(CHANGES, "products", True), (CHANGES, "orders", True)], True),
        (
            [
                (HISTORY, "products", True),
                (HISTORY, "orders", True),
                (CHANGES, "products", False),
                (LISTING, "products", False),
            ],
            False,
        ),
    ],
    ids=["none", "both", "orders open", "products open", "died between", "lost backfill", "others open"],
)
def test_only_unfinished_backfills_are_enqueued(
    app: Flask, store: Store, walks_: list[tuple[str, str, bool]], opens: bool, add_connected: AddConnected
) -> None:
    done = add_connected()
    for resource in ("products", "orders"):
        put_walk(done, HISTORY, resource, finished=True)
    for kind, resource, finished in walks_:
        put_walk(store, kind, resource, finished=finished)

    jobs.reconcile_everywhere()

    assert queued(app) == [
        *([("backfill", store.id)] if opens else []), ("reconcile", store.id), ("reconcile", done.id),
    ]  # fmt: skip


@pytest.mark.parametrize("job", [jobs.reconcile_everywhere, jobs.compare_everywhere])
def test_only_connected_stores_are_enqueued(
    app: Flask, store: Store, add_connected: AddConnected, job: Callable[[], None]
) -> None:
    add_connected(connection_problem="Dead.")
    add_connected(uninstalled_at=at(0))
    add_connected(connected_at=None)

    job()

    assert {store_id for _, store_id in queued(app)} == {store.id}


def test_a_new_connection_enqueues_its_backfill(app: Flask, store: Store) -> None:
    jobs.start_backfill(store.id)

    (job,) = Queue(PLATFORMS, connection=app.extensions["pannier_queue_redis"]).jobs
    assert (job.func_name, job.args, job.timeout) == (jobs.BACKFILL, (store.id,), 6 * 3600)


def test_names_of_jobs_lead_to_them() -> None:
    for name in (jobs.BACKFILL, jobs.RECONCILE, jobs.COMPARE):
        module, function = name.rsplit(".", 1)
        assert module == jobs.__name__
        assert callable(getattr(jobs, function))


# --- leaving --------------------------------------------------------------------------------------------

_OPEN = {"consumer_key": "ck", "access_token": "at", "refresh_token": "rt"}
_SECRETS = {"webhook_secret": "one", "webhook_secret_previous": "two"}


def test_leaving_wipes_tokens_and_keeps_webhook_secrets(app: Flask, add_connected: AddConnected) -> None:
    left = add_connected(credentials={**_SECRETS, **_OPEN}, uninstalled_at=at(0))
    stays = add_connected(credentials={**_SECRETS, **_OPEN})

    jobs.leave()

    db.session.expire_all()
    assert (left.credentials, left.connected_at) == (_SECRETS, None)
    assert stays.credentials == {**_SECRETS, **_OPEN}
    assert stays.connected_at is not None


def test_a_store_that_comes_back_meanwhile_keeps_its_new_tokens(
    app: Flask, add_connected: AddConnected, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = add_connected(credentials=dict(_OPEN), uninstalled_at=at(0))
    second = add_connected(credentials=dict(_OPEN), uninstalled_at=at(0))
    second_id, disconnect = second.id, jobs.installs.disconnect

    def slowly(store: Store) -> None:
        disconnect(store)
        with app.app_context():
            found = db.session.get_one(Store, second_id)
            found.uninstalled_at, found.credentials = None, {"access_token": "new"}
            db.session.commit()

    monkeypatch.setattr(jobs.installs, "disconnect", slowly)

    jobs.leave()

    db.session.expire_all()
    assert first.credentials == {}
    assert second.credentials == {"access_token": "new"}
    assert second.connected_at is not None


def test_states_of_installations_are_forgotten_when_they_are_late(app: Flask) -> None:
    for digest, expires_at in (
        (b"late", now() - timedelta(seconds=1)),
        (b"open", now() + timedelta(hours=1)),
    ):
        db.session.add(
            InstallState(digest=digest, platform="shopify", domain="x", outcome=[], expires_at=expires_at)
        )
    db.session.commit()

    jobs.forget_install_states()

    assert [state.digest for state in db.session.query(InstallState).all()] == [b"open"]


# --- carts ----------------------------------------------------------------------------------------------


@contextmanager
def days_ago(store: Store, days: float) -> Iterator[None]:
    """Move what is written to carts inside the block to so many days ago."""
    yield
    db.session.execute(
        text("UPDATE cart SET source_updated_at = now() - make_interval(secs => :s) WHERE store_id = :store"),
        {"s": days * 86_400, "store": store.id},
    )
    db.session.commit()


def outcomes(store: Store) -> list[str | None]:
    """Return the outcomes of a store's carts by age of the row."""
    rows = db.session.execute(
        text("SELECT outcome FROM cart WHERE store_id = :store ORDER BY id"), {"store": store.id}
    )
    return [outcome for (outcome,) in rows]


def put(store: Store, *changes: Any) -> None:
    """Apply changes to a store."""
    ingest.apply(db.session.connection(), store.id, changes)
    db.session.commit()


def test_a_cart_is_abandoned_after_a_day(store: Store) -> None:
    with days_ago(store, 1.01):
        put(store, cart_change("old", "p1"))
    put(store, cart_change("new", "p1"))
    db.session.execute(
        text(
            "UPDATE cart SET source_updated_at = now() - interval '23 hours' WHERE outcome IS NULL AND id = 2"
        )
    )
    db.session.commit()

    assert jobs.settle_carts() == 1
    assert jobs.settle_carts() == 0
    assert outcomes(store) == ["abandoned", None]


@pytest.mark.parametrize("days", [0, 2])
def test_a_cart_with_an_order_is_bought_however_old(store: Store, days: float) -> None:
    with days_ago(store, days):
        put(store, cart_change("cart", "p1"))
    put(store, order_change("order", "p1", cart="cart"))

    assert jobs.settle_carts() == 1
    assert outcomes(store) == ["bought"]
    assert jobs.settle_carts() == 0


def test_an_abandoned_cart_can_still_be_bought(store: Store) -> None:
    with days_ago(store, 2):
        put(store, cart_change("cart", "p1"))
    jobs.settle_carts()
    put(store, order_change("order", "p1", cart="cart"))

    assert jobs.settle_carts() == 1
    assert outcomes(store) == ["bought"]


def test_a_cart_that_changes_again_is_open_again(store: Store) -> None:
    with days_ago(store, 2):
        put(store, cart_change("cart", "p1"))
    jobs.settle_carts()
    assert outcomes(store) == ["abandoned"]
    with days_ago(store, 0.1):
        put(store, cart_change("cart", "p1", "p2", seconds=10**8))

    assert jobs.settle_carts() == 1
    assert outcomes(store) == [None]


def test_the_same_token_in_another_store_is_another_cart(store: Store) -> None:
    other = new_store()
    for each in (store, other):
        with days_ago(each, 0.1):
            put(each, cart_change("cart", "p1"))
    put(other, order_change("order", "p1", cart="cart"))

    assert jobs.settle_carts() == 1
    assert (outcomes(store), outcomes(other)) == ([None], ["bought"])
