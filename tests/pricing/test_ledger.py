"""The ledger: which price was live from when to when, and whose it was, in whatever order the news came."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from app.commerce.changes import CommerceChange, ProductStatus
from app.commerce.store import Store
from app.core.db import db
from app.pricing import ledger
from app.pricing.ledger import PANNIER, SHOP, Asked, Period
from app.pricing.models import PriceChange, PricePeriod
from app.recommendations.taking_in import take_in
from tests.factories import (
    DAY,
    at,
    inventory_change,
    new_store,
    order_change,
    product_change,
    product_deletion,
    variant_change,
    variant_state,
)

Hear = Callable[..., None]
NOBODY = (SHOP, None)


@pytest.fixture
def store(shared_app: Flask) -> Iterator[Store]:
    """A store of this test alone."""
    with shared_app.app_context():
        yield new_store()


@pytest.fixture
def hear(store: Store, monkeypatch: pytest.MonkeyPatch) -> Hear:
    """Take in what a shop says, at a time of day (seconds), in one transaction."""

    def run(*changes: CommerceChange, now: float = 365 * DAY) -> None:
        monkeypatch.setattr("app.recommendations.taking_in.now", lambda: at(now))
        take_in(db.session.connection(), store.id, changes)
        db.session.commit()

    return run


def mug(price: int = 1000, *, seconds: float = 0, stock: int = 5, **fields: Any) -> CommerceChange:
    """Return the state of a product with one variant at a price."""
    return product_change(
        "p1", variant_state("v1", price=price, stock=stock), seconds=seconds, price=price, **fields
    )


def written(
    store: Store, price: int = 900, *, old: int = 1000, seconds: float = 100, **fields: Any
) -> PriceChange:
    """Add a change that is about to be written: committed before the platform is told."""
    change = PriceChange(
        **{
            "store_id": store.id,
            "product_id": "p1",
            "variant_id": "v1",
            "currency": "USD",
            "old_price": old,
            "new_price": price,
            "state": "writing",
            "reason": f"Now {price}.",
            "signals": {},
            "actor": "automatic",
            "proposed_at": at(seconds),
            **fields,
        }
    )
    db.session.add(change)
    db.session.commit()
    return change


def succeed(change: PriceChange, seconds: float = 100) -> None:
    """Note that the platform took a change that it was told of at ``seconds``."""
    change.state, change.written_at = "live", at(seconds)
    ledger.note_change(db.session.connection(), change, at(seconds))
    db.session.commit()


def told(store: Store, variant: str = "v1") -> list[tuple[int, float, float | None, tuple[str, int | None]]]:
    """Return (price, from, until, (source, change)) of a variant's periods, times in seconds."""
    rows = db.session.scalars(
        select(PricePeriod)
        .where(PricePeriod.store_id == store.id, PricePeriod.variant_id == variant)
        .order_by(PricePeriod.from_at, PricePeriod.id)
    )
    return [
        (
            row.price,
            (row.from_at - at(0)).total_seconds(),
            None if row.until_at is None else (row.until_at - at(0)).total_seconds(),
            (row.source, row.change_id),
        )
        for row in rows
    ]


def test_the_first_price_holds_since_the_state_that_says_it(store: Store, hear: Hear) -> None:
    hear(mug(seconds=50))
    assert told(store) == [(1000, 50, None, NOBODY)]
    (period,) = ledger.periods_of(db.session.connection(), store.id, ["p1"])["v1"]
    assert period == Period(
        "p1", "v1", 1000, None, "USD", at(50), None, SHOP, None, "The shop's price when the ledger began."
    )


def test_a_new_price_ends_the_old_one(store: Store, hear: Hear) -> None:
    hear(mug())
    hear(mug(1200, seconds=500))
    assert told(store) == [(1000, 0, 500, NOBODY), (1200, 500, None, NOBODY)]
    reasons = [period.reason for period in ledger.periods_of(db.session.connection(), store.id, ["p1"])["v1"]]
    assert reasons == ["The shop's price when the ledger began.", "Set in the shop."]


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(mug(1200, seconds=500), id="the same news twice"),
        pytest.param(mug(1000, seconds=400), id="an older state"),
        pytest.param(mug(1200, seconds=600, title="Cup"), id="news of something else"),
        pytest.param(order_change("o", "p1", seconds=700), id="an order"),
    ],
)
def test_what_is_no_news_of_a_price_changes_nothing(store: Store, hear: Hear, again: CommerceChange) -> None:
    hear(mug())
    hear(mug(1200, seconds=500))
    before = told(store)
    hear(again)
    assert told(store) == before


def test_nothing_is_noted_as_later_than_now(store: Store, hear: Hear) -> None:
    hear(mug(), now=10)
    hear(mug(1200, seconds=500), now=400)
    assert told(store) == [(1000, 0, 400, NOBODY), (1200, 400, None, NOBODY)]


def test_a_product_without_variants_stands_for_itself(store: Store, hear: Hear) -> None:
    hear(product_change("p1", price=700, available=True))
    hear(product_change("p1", price=800, available=True, seconds=60))
    assert told(store, "p1") == [(700, 0, 60, NOBODY), (800, 60, None, NOBODY)]


def test_a_product_that_gets_variants_no_longer_stands_for_itself(store: Store, hear: Hear) -> None:
    hear(product_change("p1", price=700, available=True))
    hear(mug(900, seconds=60))
    assert told(store, "p1") == [(700, 0, 60, NOBODY)]
    assert told(store) == [(900, 60, None, NOBODY)]


def test_a_lone_variant_is_noted_and_nothing_of_a_product_that_nobody_described(
    store: Store, hear: Hear
) -> None:
    hear(variant_change("p1", variant_state("v1", price=500)))
    assert told(store) == []
    hear(product_change("p1", lists_variants=False, variant_ids=["v1"], seconds=5, available=True))
    hear(variant_change("p1", variant_state("v1", price=600), seconds=90))
    assert told(store) == [(500, 5, 90, NOBODY), (600, 90, None, NOBODY)]


@pytest.mark.parametrize(
    ("news", "until"),
    [
        pytest.param(product_deletion("p1", 80), 80, id="deleted"),
        pytest.param(mug(status=ProductStatus.DRAFT, seconds=70), 70, id="draft"),
        pytest.param(mug(visible=False, seconds=70), 70, id="hidden"),
        pytest.param(mug(stock=0, seconds=70), 70, id="sold out"),
        pytest.param(product_change("p1", variant_state("v2"), seconds=70), 70, id="the variant is gone"),
        pytest.param(mug(1200, stock=0, seconds=70), 70, id="a new price while it is sold out"),
    ],
)
def test_a_price_that_nobody_can_pay_is_not_live(
    store: Store, hear: Hear, news: CommerceChange, until: float
) -> None:
    hear(mug())
    hear(news)
    assert told(store) == [(1000, 0, until, NOBODY)]


def test_stock_opens_and_ends_periods_at_its_own_time(store: Store, hear: Hear) -> None:
    hear(product_change("p1", variant_state("v1", item="i1")))
    hear(inventory_change("i1", 0, seconds=60))
    hear(product_change("p1", variant_state("v1", item="i1", stock=0), seconds=70, title="Cup"))
    hear(inventory_change("i1", 3, seconds=90))
    assert told(store) == [(1000, 0, 60, NOBODY), (1000, 90, None, NOBODY)]


def test_a_price_raised_while_it_was_sold_out_was_never_asked(store: Store, hear: Hear) -> None:
    hear(mug())
    hear(mug(stock=0, seconds=10))
    hear(mug(9900, stock=0, seconds=20))
    hear(mug(stock=5, seconds=30))
    assert [price for price, *_ in told(store)] == [1000, 1000]


def test_another_currency_is_another_price(store: Store, hear: Hear) -> None:
    hear(mug())
    hear(replace(mug(seconds=40), currency="EUR"))
    periods = ledger.periods_of(db.session.connection(), store.id, ["p1"])["v1"]
    assert [(p.price, p.currency, p.until_at) for p in periods] == [
        (1000, "USD", at(40)),
        (1000, "EUR", None),
    ]


def test_another_price_to_compare_with_is_noted_and_the_price_stays_whose_it_was(
    store: Store, hear: Hear
) -> None:
    hear(mug())
    succeed(change := written(store))
    hear(product_change("p1", replace(variant_state("v1", price=900), compare_at_price=1000), seconds=200))
    assert told(store)[1:] == [(900, 100, 200, (PANNIER, change.id)), (900, 200, None, (PANNIER, change.id))]


def test_a_variant_that_moves_to_another_product_has_one_open_period(store: Store, hear: Hear) -> None:
    hear(mug())
    hear(product_change("p2", variant_state("v1"), seconds=40))
    assert told(store) == [(1000, 0, 40, NOBODY), (1000, 40, None, NOBODY)]


# --- own writes and their echoes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "story",
    [
        pytest.param(["echo", "succeed"], id="before our own note"),
        pytest.param(["succeed", "echo"], id="late"),
        pytest.param(["echo", "echo", "succeed", "echo", "succeed"], id="twice, and noted twice"),
        pytest.param(["succeed", "older", "echo"], id="after an older state"),
        pytest.param(["older", "echo", "older", "succeed", "older"], id="among older states"),
        pytest.param(["echo"], id="and our note is lost"),
        pytest.param(["succeed"], id="never"),
    ],
)
def test_an_own_echo_is_recognised_whenever_it_comes(store: Store, hear: Hear, story: list[str]) -> None:
    hear(mug())
    change = written(store)
    for step in story:
        match step:
            case "echo":
                hear(mug(900, seconds=100))
            case "older":
                hear(mug(seconds=95, title="Cup"))
            case "succeed":
                succeed(change)
    assert told(store) == [(1000, 0, 100, NOBODY), (900, 100, None, (PANNIER, change.id))]


def test_a_clock_that_runs_ahead_is_healed_by_the_echo(store: Store, hear: Hear) -> None:
    hear(mug())
    succeed(change := written(store))
    hear(mug(seconds=103, title="Cup"))
    hear(mug(900, seconds=105))
    assert told(store)[-1] == (900, 105, None, (PANNIER, change.id))


def test_a_late_echo_of_the_first_of_two_changes_says_nothing(store: Store, hear: Hear) -> None:
    hear(mug())
    succeed(first := written(store))
    succeed(second := written(store, 800, old=900, seconds=200), 200)
    hear(mug(900, seconds=100))
    hear(mug(800, seconds=201))
    assert told(store) == [
        (1000, 0, 100, NOBODY),
        (900, 100, 200, (PANNIER, first.id)),
        (800, 200, None, (PANNIER, second.id)),
    ]


def test_the_merchant_may_overrule_a_change_before_it_is_noted(store: Store, hear: Hear) -> None:
    hear(mug())
    change = written(store)
    # Of two states in one batch the newer stands: the echo is never seen.
    hear(mug(900, seconds=100), mug(700, seconds=103))
    succeed(change)
    assert told(store) == [
        (1000, 0, 100, NOBODY),
        (900, 100, 103, (PANNIER, change.id)),
        (700, 103, None, NOBODY),
    ]


def test_the_same_price_months_later_is_the_merchants(store: Store, hear: Hear) -> None:
    hear(mug())
    succeed(written(store))
    hear(mug(900, seconds=101))
    hear(mug(1000, seconds=30 * DAY))
    hear(mug(900, seconds=60 * DAY))
    assert told(store)[2:] == [
        (1000, 30 * DAY, 60 * DAY, NOBODY),
        (900, 60 * DAY, None, NOBODY),
    ]


def test_a_change_that_failed_has_no_echo(store: Store, hear: Hear) -> None:
    hear(mug())
    written(store, state="failed")
    hear(mug(900, seconds=101))
    assert told(store)[-1] == (900, 101, None, NOBODY)


def test_an_echo_that_was_taken_for_the_merchants_is_known_by_our_note(store: Store, hear: Hear) -> None:
    hear(mug())
    change = written(store, state="approved")
    hear(mug(900, seconds=101))
    succeed(change)
    assert told(store) == [(1000, 0, 101, NOBODY), (900, 101, None, (PANNIER, change.id))]


def test_undoing_is_a_change_of_its_own(store: Store, hear: Hear) -> None:
    hear(mug())
    succeed(change := written(store))
    undo = written(store, 1000, old=900, seconds=500, undo_of=change.id)
    hear(mug(900, seconds=101))
    hear(mug(1000, seconds=500))
    succeed(undo, 500)
    assert told(store)[2:] == [(1000, 500, None, (PANNIER, undo.id))]


def test_a_price_of_ours_stays_ours_over_a_time_without_stock(store: Store, hear: Hear) -> None:
    hear(mug())
    succeed(change := written(store))
    hear(mug(900, stock=0, seconds=DAY))
    hear(mug(900, seconds=9 * DAY))
    assert told(store)[1:] == [
        (900, 100, DAY, (PANNIER, change.id)),
        (900, 9 * DAY, None, (PANNIER, change.id)),
    ]


def test_stock_that_comes_before_the_echo_brings_back_our_price() -> None:
    ours = Period("p1", "v1", 900, None, "USD", at(100), at(110), PANNIER, 7, "Now 900.")
    asked = Asked("p1", 1000, None, "USD", priced_at=at(5), stated_at=at(150))
    ends, begins = ledger.entry("v1", asked, ours, None, None, at(200))
    assert ends is None
    assert begins == replace(ours, from_at=at(150), until_at=None)


def test_a_batch_without_news_costs_one_statement(store: Store, hear: Hear) -> None:
    names = [f"p{number}" for number in range(50)]
    hear(*(product_change(name, variant_state(f"v-{name}")) for name in names))
    connection, store_id = db.session.connection(), store.id
    seen: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", count)
    try:
        news = ledger.note_shop_prices(connection, store_id, names, at(DAY))
    finally:
        event.remove(db.engine, "before_cursor_execute", count)
    assert (news, len(seen)) == (0, 1)


def test_periods_that_ended_before_are_left_out(store: Store, hear: Hear) -> None:
    hear(mug())
    hear(mug(1200, seconds=500))
    connection = db.session.connection()
    found = ledger.periods_of(connection, store.id, ["p1"], since=at(500))
    assert [period.price for period in found["v1"]] == [1200]
    found = ledger.periods_of(connection, store.id, ["p1"], since=at(500) - timedelta(microseconds=1))
    assert [period.price for period in found["v1"]] == [1000, 1200]


def test_another_stores_products_are_not_touched(store: Store, hear: Hear) -> None:
    hear(mug())
    other = new_store()
    assert ledger.note_shop_prices(db.session.connection(), other.id, ["p1"], at(DAY)) == 0
    assert ledger.periods_of(db.session.connection(), other.id, ["p1"]) == {}


@pytest.mark.parametrize("seed", range(3))
def test_periods_never_overlap_whatever_comes_in_whatever_order(store: Store, hear: Hear, seed: int) -> None:
    random = Random(seed)
    waiting: list[tuple[PriceChange, float]] = []
    price = 1000
    for step in range(40):
        seconds = 1_000 * step + random.randrange(900)
        match random.choice(["state", "older", "stock", "write", "note", "note"]):
            case "state":
                price = random.choice([800, 900, 1000, 1100])
                hear(mug(price, seconds=seconds), now=seconds + 5)
            case "older":
                hear(mug(random.choice([800, 1000]), seconds=max(seconds - 5_000, 0)), now=seconds + 5)
            case "stock":
                hear(mug(price, stock=random.choice([0, 5]), seconds=seconds), now=seconds + 5)
            case "write":
                change = written(store, random.choice([850, 950]), old=price, seconds=seconds)
                waiting.append((change, seconds))
                if random.random() < 0.5:
                    price = change.new_price
                    hear(mug(price, seconds=seconds + 1), now=seconds + 5)
            case "note" if waiting:
                succeed(*waiting.pop(random.randrange(len(waiting))))
    periods = ledger.periods_of(db.session.connection(), store.id, ["p1"])["v1"]
    assert len(periods) > 5
    assert [period.until_at for period in periods].count(None) <= 1
    for before, after in pairwise(periods):
        assert before.until_at is not None
        assert before.from_at <= before.until_at <= after.from_at
    own = [period.change_id for period in periods if period.source == PANNIER]
    assert None not in own
