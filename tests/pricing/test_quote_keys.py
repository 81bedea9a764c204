"""The keys of quotes: one secret per store, changed without harm, and told to the checkout in time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, text

from app.commerce.store import Store
from app.core.db import db, now
from app.pricing import quote_jobs
from app.pricing.models import QuoteSecret
from app.pricing.quote_keys import forget_old_roots, last_told, note_told, problem_of, rotate, window_keys
from app.pricing.quotes import KEYS_AHEAD, WINDOW, window_at, window_end
from connectors.discounts import QuoteKey
from connectors.errors import PlatformError, ReconnectNeeded, Rejected, Unreachable
from tests.command import Pannier
from tests.factories import connected

NOON = datetime(2026, 11, 23, 12, 1, tzinfo=UTC)
LATER = NOON + WINDOW * (KEYS_AHEAD + 1)


class Checkout:
    """Stands in for a store's platform, and remembers the keys it was told."""

    def __init__(self) -> None:
        self.told: list[list[QuoteKey]] = []
        self.error: PlatformError | None = None

    def publish_keys(self, keys: Sequence[QuoteKey]) -> None:
        if self.error is not None:
            raise self.error
        assert not db.session.in_transaction()
        self.told.append(list(keys))


@pytest.fixture
def checkout(monkeypatch: pytest.MonkeyPatch) -> Checkout:
    made = Checkout()
    monkeypatch.setattr(quote_jobs, "discounts_for", lambda _store: made)
    return made


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The stores whose checkouts are to be told, in order."""
    found: list[int] = []
    monkeypatch.setattr(quote_jobs, "enqueue", lambda _queue, _function, store_id: found.append(store_id))
    return found


def test_a_checkout_knows_the_current_window_and_the_next_three(app: Flask, shopify: Store) -> None:
    keys = window_keys(shopify.id, NOON)

    assert [key.not_after for key in keys] == [window_end(window_at(NOON) + n) for n in range(4)]
    assert window_keys(shopify.id, NOON) == keys
    assert window_keys(shopify.id, NOON + WINDOW)[:-1] == keys[1:]


def test_every_store_has_a_secret_of_its_own_and_it_is_kept_encrypted(
    app: Flask, shopify: Store, woocommerce: Store
) -> None:
    mine, theirs = (window_keys(store.id, NOON) for store in (shopify, woocommerce))

    assert not {key.secret for key in mine} & {key.secret for key in theirs}
    kept = db.session.execute(text("SELECT secret FROM quote_secret")).scalars().all()
    secret = db.session.scalars(select(QuoteSecret.secret)).all()
    assert all(s.encode() not in bytes(k) for s in secret for k in kept)


def test_a_new_secret_leaves_what_checkouts_know_as_it_is(app: Flask, shopify: Store) -> None:
    with time_machine.travel(NOON, tick=False):
        before = window_keys(shopify.id, NOON)
        was_to_come = window_keys(shopify.id, LATER)
        rotate(shopify.id)

    assert window_keys(shopify.id, NOON) == before
    after = window_keys(shopify.id, LATER)
    assert [key.id for key in after] == [key.id for key in was_to_come]
    assert not {key.secret for key in after} & {key.secret for key in was_to_come}


def test_a_secret_that_leaked_signs_nothing_any_more(app: Flask, shopify: Store) -> None:
    before = window_keys(shopify.id, NOON)

    rotate(shopify.id, at_once=True)

    after = window_keys(shopify.id, NOON)
    assert [key.id for key in after] == [key.id for key in before]
    assert not {key.secret for key in after} & {key.secret for key in before}


def test_a_secret_is_deleted_when_it_signs_nothing_any_more(app: Flask, shopify: Store) -> None:
    with time_machine.travel(NOON, tick=False):
        window_keys(shopify.id, NOON)
        rotate(shopify.id)

    assert (forget_old_roots(LATER - WINDOW), forget_old_roots(LATER), forget_old_roots(LATER)) == (0, 1, 0)
    assert len(db.session.scalars(select(QuoteSecret.id)).all()) == 1


def test_checkouts_are_told_each_window_once(app: Flask, checkout: Checkout, enqueued: list[int]) -> None:
    store_id = connected(settings={"price_quotes": 1}).id
    connected()
    with time_machine.travel(NOON, tick=False) as clock:
        quote_jobs.publish_keys_everywhere()
        quote_jobs.publish_keys(store_id)
        quote_jobs.publish_keys_everywhere()
        clock.shift(WINDOW)
        quote_jobs.publish_keys_everywhere()

    assert enqueued == [store_id, store_id]
    assert checkout.told == [window_keys(store_id, NOON)]


def test_a_checkout_that_was_not_reached_is_told_again(
    app: Flask, checkout: Checkout, enqueued: list[int]
) -> None:
    store_id = connected(settings={"price_quotes": 1}).id
    checkout.error = Unreachable("The shop does not answer.")
    with time_machine.travel(NOON, tick=False):
        quote_jobs.publish_keys(store_id)
        assert last_told(store_id) is None
        quote_jobs.publish_keys_everywhere()
        checkout.error = None
        quote_jobs.publish_keys(store_id)

    assert enqueued == [store_id]
    assert last_told(store_id) == window_at(NOON) + KEYS_AHEAD


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Rejected("Install the plugin."), "Install the plugin."),
        (ReconnectNeeded("Connect the shop again."), "Connect the shop again."),
        (Unreachable("The shop does not answer."), None),
    ],
    ids=["refused", "cut off", "not reached"],
)
def test_the_merchant_is_told_what_to_do_where_the_platform_refuses(
    app: Flask, checkout: Checkout, error: PlatformError, told: str | None
) -> None:
    store_id = connected(settings={"price_quotes": 1}).id
    checkout.error = error
    quote_jobs.publish_keys(store_id)

    assert problem_of(store_id) == told
    checkout.error = None
    quote_jobs.publish_keys(store_id)
    assert problem_of(store_id) is None


def test_a_checkout_forgets_its_keys_when_quotes_are_switched_off(
    app: Flask, checkout: Checkout, enqueued: list[int]
) -> None:
    store = connected(settings={"price_quotes": 1})
    with time_machine.travel(NOON, tick=False):
        quote_jobs.publish_keys(store.id)
        store.settings = {"price_quotes": 0}
        db.session.commit()
        quote_jobs.publish_keys_everywhere()
        quote_jobs.publish_keys(store.id)
        quote_jobs.publish_keys_everywhere()

    assert enqueued == [store.id]
    assert checkout.told[-1] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"uninstalled_at": NOON},
        {"connection_problem": "The key is dead."},
        {"connected_at": None},
    ],
    ids=["uninstalled", "cut off", "never connected"],
)
def test_a_store_that_cannot_be_asked_is_left_alone(
    app: Flask, checkout: Checkout, enqueued: list[int], changes: dict[str, Any]
) -> None:
    connected(settings={"price_quotes": 1}, **changes)

    quote_jobs.publish_keys_everywhere()

    assert enqueued == []


def test_an_uninstalled_store_is_told_nothing(app: Flask, checkout: Checkout) -> None:
    store_id = connected(settings={"price_quotes": 1}, uninstalled_at=NOON).id

    quote_jobs.publish_keys(store_id)
    quote_jobs.publish_keys(store_id + 1)

    assert checkout.told == []


def test_a_quarter_of_an_hour_without_redis_tells_more_often_and_never_less(
    app: Flask, checkout: Checkout, redis_down: None, enqueued: list[int]
) -> None:
    store_id = connected(settings={"price_quotes": 1}).id
    with time_machine.travel(NOON, tick=False) as clock:
        quote_jobs.publish_keys(store_id)
        clock.shift(timedelta(minutes=1))
        quote_jobs.publish_keys_everywhere()

    assert enqueued == [store_id]


@pytest.mark.parametrize(
    ("options", "same"), [((), True), (("--at-once",), False)], ids=["in its time", "at once"]
)
def test_the_command_makes_a_new_secret(
    shopify: Store, pannier: Pannier, options: tuple[str, ...], same: bool
) -> None:
    before = window_keys(shopify.id, now())
    note_told(shopify.id, window_at(now()) + KEYS_AHEAD)
    db.session.commit()

    result = pannier("quotes", "rotate-secret", str(shopify.id), *options)

    assert result.exit_code == 0, result.output
    after = window_keys(shopify.id, now())
    assert ({key.secret for key in before} & {key.secret for key in after} != set()) is same
    assert len(db.session.scalars(select(QuoteSecret.id)).all()) == (2 if same else 1)
    assert last_told(shopify.id) is None
