"""Walks: nothing lost, nothing twice, whatever happens between two pages."""

from functools import partial
from typing import Any

import pytest
from flask import Flask
from rq import Queue
from sqlalchemy import event, text

from app.commerce.store import Store
from app.connections import walks
from app.connections.models import CHANGES, HISTORY, LISTING, Walk
from app.core.db import db
from app.core.queues import DELIVERIES
from app.privacy.subjects import ORDER, digest
from app.privacy.suppression import suppress
from connectors.errors import CursorLost, PlatformError, ReconnectNeeded, Rejected, Throttled, Unreachable
from connectors.source import Fetched, Page
from tests.connections.scripted import ScriptedSource, deliveries, stored
from tests.factories import at, incoming, keep, new_store, shopify_order, shopify_product
from webhooks.jobs import DRAIN, drain


class Gone(BaseException):
    """The process ends here."""


@pytest.fixture
def five(source: ScriptedSource) -> ScriptedSource:
    """A platform with five products: three pages."""
    source.put("products", *(shopify_product(number) for number in range(1, 6)))
    return source


def kept(store: Store, kind: str = HISTORY, resource: str = "products") -> dict[str, Any]:
    """Return a walk as another connection sees it."""
    with db.engine.connect() as connection:
        row = connection.execute(
            text("SELECT * FROM walk WHERE store_id = :store AND kind = :kind AND resource = :resource"),
            {"store": store.id, "kind": kind, "resource": resource},
        )
        return dict(row.mappings().one())


def test_a_walk_takes_in_everything(store: Store, five: ScriptedSource) -> None:
    walks.go_on(store, five, walks.begin(store.id, HISTORY, "products"))

    walk = kept(store)
    assert (walk["state"], walk["done"], walk["total"], walk["cursor"], walk["problem"]) == (
        "done", 5, 5, None, None,
    )  # fmt: skip
    assert walk["finished_at"] >= walk["started_at"]
    assert stored(store) == five.truth()


def test_an_empty_platform_ends_the_walk_at_once(store: Store, source: ScriptedSource) -> None:
    walks.go_on(store, source, walks.begin(store.id, HISTORY, "orders"))

    walk = kept(store, resource="orders")
    assert (walk["state"], walk["done"], walk["total"]) == ("done", 0, 0)
    assert deliveries(store) == []


def test_a_page_and_its_cursor_become_visible_together(store: Store, five: ScriptedSource) -> None:
    walk, store_id, seen = walks.begin(store.id, HISTORY, "products"), store.id, []

    def look(_: Any) -> None:
        with db.engine.connect() as connection:
            found = connection.execute(
                text("SELECT (SELECT count(*) FROM webhook_delivery), cursor->>'at' FROM walk"
                     " WHERE store_id = :store"), {"store": store_id}
            ).one()  # fmt: skip
        seen.append(tuple(found))

    event.listen(db.session, "after_commit", look)
    try:
        walks.go_on(store, five, walk)
    finally:
        event.remove(db.session, "after_commit", look)

    # One look at each commit: the beginning, three pages, the end.
    assert seen == [(0, None), (2, "2"), (4, "4"), (5, None), (5, None)]


def test_no_transaction_is_open_while_the_platform_is_asked(store: Store, five: ScriptedSource) -> None:
    open_: list[bool] = []
    look = lambda: open_.append(db.session.in_transaction())  # noqa: E731
    five.script = {"history": [look] * 3, "one": [look] * 5}

    walks.go_on(store, five, walks.begin(store.id, HISTORY, "products"), progress=lambda walk: walk.done)
    walks.go_on(store, five, walks.begin(store.id, LISTING, "products"))

    assert open_ == [False] * 8


@pytest.mark.parametrize("moment", ["before the page", "with the page half written"])
@pytest.mark.parametrize(
    "end", [RuntimeError("a fault"), Unreachable("The shop does not answer."), Gone()], ids=type
)
def test_a_walk_that_dies_goes_on_where_it_was(
    store: Store,
    five: ScriptedSource,
    end: BaseException,
    moment: str,
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store_id = store.id
    walk = walks.begin(store_id, HISTORY, "products")
    if moment == "before the page":
        five.script["history"] = [None, end]
    else:
        pages = iter([None, end])
        write = walks.keep_polled

        def dying(*arguments: Any) -> int:
            count = write(*arguments)
            if (error := next(pages)) is not None:
                raise error
            return count

        monkeypatch.setattr(walks, "keep_polled", dying)
    with pytest.raises(type(end)):
        walks.go_on(store, five, walk)
    monkeypatch.undo()
    db.session.close()  # what was not committed is gone with the process
    store = db.session.get_one(Store, store_id)
    assert (kept(store)["cursor"], kept(store)["done"], len(deliveries(store))) == ({"at": 2}, 2, 2)

    with app.app_context():
        found = walks.unfinished(store_id, HISTORY, "products")
        assert found is not None
        walks.go_on(db.session.get_one(Store, store_id), five, found)

    assert [cursor for _, cursor in five.calls("history")].count(None) == 1
    assert (kept(store)["state"], kept(store)["done"], kept(store)["problem"]) == ("done", 5, None)
    assert len(deliveries(store)) == 5
    assert stored(store) == five.truth()


def test_a_page_that_comes_twice_is_taken_in_once(store: Store, five: ScriptedSource) -> None:
    five.overlap = 1

    walks.go_on(store, five, walks.begin(store.id, HISTORY, "products"))

    assert len(deliveries(store)) == 5


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("The shop does not answer."),
        Throttled("The shop asks for patience.", 5),
        ReconnectNeeded("The key is dead."),
        PlatformError("The shop refuses."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_platform_that_fails_leaves_place_and_reason(
    store: Store, five: ScriptedSource, error: PlatformError
) -> None:
    five.script["history"] = [None, error]
    told: list[tuple[str, str | None]] = []

    with pytest.raises(type(error)):
        walks.go_on(
            store,
            five,
            walks.begin(store.id, HISTORY, "products"),
            progress=lambda walk: told.append((walk.state, walk.problem)),
        )

    walk = kept(store)
    assert (walk["state"], walk["problem"], walk["cursor"]) == ("failed", str(error), {"at": 2})
    assert walk["finished_at"] is None
    assert told == [("running", None), ("failed", str(error))]


@pytest.mark.parametrize("lost", [1, 3])
def test_a_lost_cursor_begins_again(store: Store, five: ScriptedSource, lost: int) -> None:
    five.script["history"] = [None, *[CursorLost("The export has expired.")] * lost]

    walks.go_on(store, five, walks.begin(store.id, HISTORY, "products"))

    walk = kept(store)
    assert (walk["state"], walk["restarts"], walk["done"]) == ("done", lost, 5)
    assert walk["notes"] == ["The export has expired."]
    assert len(deliveries(store)) == 5


def test_a_cursor_that_is_always_lost_fails_and_the_next_attempt_begins_again(
    store: Store, five: ScriptedSource
) -> None:
    five.script["history"] = [None, *[CursorLost("The export has expired.")] * 4]

    with pytest.raises(CursorLost):
        walks.go_on(store, five, walks.begin(store.id, HISTORY, "products"))

    walk = kept(store)
    assert (walk["state"], walk["problem"], walk["restarts"]) == ("failed", "The export has expired.", 3)
    assert (walk["cursor"], len(five.calls("history"))) == (None, 5)
    assert walk["notes"] == ["The export has expired."]

    later = walks.unfinished(store.id, HISTORY, "products")
    assert later is not None
    walks.go_on(store, five, later)

    assert five.calls("history")[5] == ("products", None)
    assert (kept(store)["state"], kept(store)["done"]) == ("done", 5)


def test_a_note_is_kept_once_over_pages_and_restarts(store: Store, five: ScriptedSource) -> None:
    five.notes = ("Orders before October are not readable.", "Another.")
    five.script["history"] = [None, CursorLost("Again."), None, CursorLost("Again.")]

    walks.go_on(store, five, walks.begin(store.id, HISTORY, "products"))

    assert kept(store)["notes"] == ["Orders before October are not readable.", "Another.", "Again."]


def test_it_waits_as_long_as_the_platform_asks_but_not_longer_than_ten_seconds(
    store: Store, five: ScriptedSource
) -> None:
    five.waits = [2.5, 60.0, 5.0]  # the last page's wait is for nobody
    slept: list[float] = []

    walks.go_on(store, five, walks.begin(store.id, HISTORY, "products"), sleep=slept.append)

    assert slept == [2.5, 10.0]


def test_progress_is_told_after_every_page_and_at_the_end(store: Store, five: ScriptedSource) -> None:
    told: list[tuple[str, int, int | None]] = []

    walks.go_on(
        store,
        five,
        walks.begin(store.id, HISTORY, "products"),
        progress=lambda walk: told.append((walk.state, walk.done, walk.total)),
    )

    assert told == [("running", 2, 5), ("running", 4, 5), ("running", 5, 5), ("done", 5, 5)]


@pytest.mark.parametrize(("resource", "counted"), [("products", 1), ("orders", 3)])
def test_variations_are_not_counted_as_products(
    woocommerce: Store, source: ScriptedSource, monkeypatch: pytest.MonkeyPatch, resource: Any, counted: int
) -> None:
    bodies = [{"id": 1, "parent_id": 0}, {"id": 2, "parent_id": 1}, {"id": 3, "parent_id": 1}]
    page = Page(tuple(Fetched("product.updated", body) for body in bodies), None)
    monkeypatch.setattr(source, "history", lambda *_: page)

    walks.go_on(woocommerce, source, walks.begin(woocommerce.id, HISTORY, resource))

    assert kept(woocommerce, resource=resource)["done"] == counted
    assert len(deliveries(woocommerce)) == 3


def test_each_page_hints_at_the_drain(store: Store, five: ScriptedSource, app: Flask) -> None:
    walks.go_on(store, five, walks.begin(store.id, HISTORY, "products"))

    queued = Queue(DELIVERIES, connection=app.extensions["pannier_queue_redis"]).jobs
    assert [(job.func_name, job.args) for job in queued] == [(DRAIN, (store.id,))]


def test_changes_are_asked_for_since_the_walks_moment(store: Store, source: ScriptedSource) -> None:
    source.put("orders", shopify_order(1, 1, seconds=0), shopify_order(2, 1, seconds=60))

    walks.go_on(store, source, walks.begin(store.id, CHANGES, "orders", since=at(30)))

    assert source.calls("changes") == [("orders", at(30), None)]
    assert list(stored(store)["orders"]) == ["2"]


def test_a_new_walk_takes_the_place_of_the_last(store: Store, five: ScriptedSource) -> None:
    five.notes = ("Old.",)
    five.script["history"] = [None, Unreachable("No answer.")]
    with pytest.raises(Unreachable):
        walks.go_on(store, five, walks.begin(store.id, HISTORY, "products"))

    walk = walks.begin(store.id, HISTORY, "products")

    assert (walk.state, walk.cursor, walk.done, walk.total, walk.problem, walk.notes) == (
        "running", None, 0, None, None, [],
    )  # fmt: skip
    assert len(db.session.query(Walk).all()) == 1


@pytest.mark.parametrize("resource", ["products", "orders"])
def test_unfinished_is_what_has_not_ended_well(store: Store, source: ScriptedSource, resource: Any) -> None:
    assert walks.unfinished(store.id, HISTORY, resource) is None
    walk = walks.begin(store.id, HISTORY, resource)
    assert walks.unfinished(store.id, HISTORY, resource) is walk
    walks.go_on(store, source, walk)
    assert walks.unfinished(store.id, HISTORY, resource) is None


# --- listing --------------------------------------------------------------------------------------------


@pytest.fixture
def in_step(store: Store, source: ScriptedSource) -> ScriptedSource:
    """A platform whose products and orders are all stored."""
    source.put("products", *(shopify_product(number) for number in range(1, 6)))
    source.put("orders", *(shopify_order(number, 1, 2) for number in range(11, 16)))
    for resource in ("products", "orders"):
        walks.go_on(store, source, walks.begin(store.id, HISTORY, resource))
    assert stored(store) == source.truth()
    source.asked.clear()
    return source


def compare(store: Store, source: ScriptedSource) -> None:
    """Walk through the listings of both resources."""
    for resource in ("products", "orders"):
        walks.go_on(store, source, walks.begin(store.id, LISTING, resource))


def test_what_is_equal_is_not_fetched(store: Store, in_step: ScriptedSource) -> None:
    compare(store, in_step)

    assert in_step.calls("one") == in_step.calls("gone") == []
    walk = kept(store, LISTING)
    assert (walk["state"], walk["done"], walk["total"]) == ("done", 5, 5)
    assert (walk["platform_count"], walk["stored_count"]) == (5, 5)


def test_all_that_no_event_told_of_is_found(store: Store, in_step: ScriptedSource) -> None:
    in_step.put("products", shopify_product(1, title="Cup", seconds=1), shopify_product(6))
    in_step.put("orders", shopify_order(11, 2, 3, seconds=1), shopify_order(16, 1))
    del in_step.held["products"][2]
    del in_step.held["orders"][12]

    compare(store, in_step)

    assert sorted(in_step.calls("one")) == [
        ("orders", "11"), ("orders", "12"), ("orders", "16"),
        ("products", "1"), ("products", "2"), ("products", "6"),
    ]  # fmt: skip
    assert in_step.calls("gone") == [("products", "2"), ("orders", "12")]
    assert stored(store) == in_step.truth()
    in_step.asked.clear()
    compare(store, in_step)
    assert in_step.calls("one") == []


def test_the_counts_are_those_of_before_the_repair(store: Store, in_step: ScriptedSource) -> None:
    in_step.put("products", shopify_product(6))
    del in_step.held["products"][1], in_step.held["products"][2]

    compare(store, in_step)

    walk = kept(store, LISTING)
    assert (walk["platform_count"], walk["stored_count"]) == (4, 5)


def test_a_product_that_only_an_order_names_is_not_missing(store: Store, in_step: ScriptedSource) -> None:
    in_step.put("orders", shopify_order(11, 1, 99, seconds=1))
    compare(store, in_step)
    drain(store.id)
    in_step.asked.clear()

    compare(store, in_step)

    assert in_step.calls("one") == in_step.calls("gone") == []
    assert kept(store, LISTING)["stored_count"] == 5


def test_a_difference_below_a_second_is_none(store: Store, in_step: ScriptedSource) -> None:
    in_step.put("products", shopify_product(1, seconds=0.999))

    compare(store, in_step)

    assert in_step.calls("one") == []


@pytest.mark.parametrize("resource", ["products", "orders"])
def test_what_comes_back_and_goes_again_is_deleted_again(
    store: Store, in_step: ScriptedSource, resource: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_, body = next(iter(in_step.held[resource].items()))
    for seconds in (1_000, 2_000):
        monkeypatch.setattr(walks, "now", partial(at, seconds))
        del in_step.held[resource][id_]
        compare(store, in_step)
        assert str(id_) not in stored(store)[resource]

        in_step.put(resource, {**body, "updated_at": at(seconds + 1).isoformat()})
        compare(store, in_step)
        assert stored(store) == in_step.truth()


def test_orders_of_who_was_erased_are_neither_missed_nor_fetched(
    store: Store, in_step: ScriptedSource
) -> None:
    db.session.execute(text("DELETE FROM orders WHERE platform_id = '11'"))
    suppress(db.session.connection(), store.id, [(ORDER, digest(store.id, ORDER, "11"))])
    db.session.commit()

    compare(store, in_step)

    assert in_step.calls("one") == []
    walk = kept(store, LISTING, "orders")
    assert walk["platform_count"] == walk["stored_count"]


def test_what_vanishes_between_listing_and_fetching_was_never_there(
    store: Store, in_step: ScriptedSource
) -> None:
    in_step.put("products", shopify_product(6))
    in_step.script["one"] = [lambda: in_step.held["products"].pop(6)]

    compare(store, in_step)

    assert stored(store) == in_step.truth()
    assert in_step.calls("gone") == []


def test_what_appears_after_the_listing_stays(store: Store, in_step: ScriptedSource) -> None:
    def appear() -> None:
        in_step.put("products", shopify_product(6))
        keep(incoming(store.id, "products/create", shopify_product(6)))
        drain(store.id)

    # During the last page of products, which was cut before.
    in_step.page_size = 10
    answer = in_step.listing
    in_step.listing = lambda *asked: (answer(*asked), appear())[0]  # type: ignore[method-assign]

    walks.go_on(store, in_step, walks.begin(store.id, LISTING, "products"))

    assert in_step.calls("one") == [("products", "6")]
    assert stored(store) == in_step.truth()


def test_too_many_differences_are_a_case_for_the_backfill(
    store: Store, source: ScriptedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "_DIFFERENCES", 3)
    monkeypatch.setattr(walks, "_BATCH", 2)
    source.put("products", *(shopify_product(number) for number in range(1, 6)))

    walks.go_on(store, source, walks.begin(store.id, LISTING, "products"))

    assert kept(store, LISTING)["notes"] == [
        "5 products differ, and 3 of them were fetched; `pannier backfill --anew` is the quicker way to the rest."
    ]
    assert len(stored(store)["products"]) == 3


def test_a_comparison_that_fails_says_so_and_begins_anew(store: Store, in_step: ScriptedSource) -> None:
    del in_step.held["products"][1]
    in_step.script["one"] = [Unreachable("No answer.")]
    with pytest.raises(Unreachable):
        compare(store, in_step)
    assert (kept(store, LISTING)["state"], kept(store, LISTING)["problem"]) == ("failed", "No answer.")

    compare(store, in_step)

    assert kept(store, LISTING)["state"] == "done"
    assert stored(store) == in_step.truth()


def test_another_stores_resources_are_neither_missing_nor_deleted(
    store: Store, in_step: ScriptedSource
) -> None:
    other, theirs = new_store(), ScriptedSource()
    theirs.put("products", shopify_product(1), shopify_product(77))
    walks.go_on(other, theirs, walks.begin(other.id, HISTORY, "products"))
    assert stored(other) == theirs.truth()

    compare(store, in_step)

    assert in_step.calls("one") == []
    assert stored(other) == theirs.truth()


def test_a_problem_of_an_earlier_connection_is_not_noted(store: Store) -> None:
    walks.note_problem(store.id, at(0), ReconnectNeeded("The old key is dead."))

    assert store.connection_problem is store.connection_problem_at is None


def test_what_the_platform_refuses_to_tell_is_not_taken_for_deleted(
    store: Store, in_step: ScriptedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as orders older than a permission reaches: stored, not listed, and not to be had one by one."""
    before = stored(store)
    in_step.held["orders"].clear()
    asked: list[str] = []

    def refuse(_resource: str, id_: str) -> None:
        asked.append(id_)
        raise Rejected("Only the last 60 days are readable.")

    monkeypatch.setattr(in_step, "one", refuse)

    compare(store, in_step)

    assert stored(store) == before
    assert len(asked) == 3  # and no more
    walk = kept(store, LISTING, "orders")
    assert (walk["state"], walk["notes"]) == ("done", ["Only the last 60 days are readable."])
