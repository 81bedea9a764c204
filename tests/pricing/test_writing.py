"""Approved prices reach the shop, and whatever happens on the way is known in the end."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.commerce.store import Store
from app.core.db import db, now
from app.pricing import changes, ledger, writing
from app.pricing.models import PriceChange, PricePeriod
from connectors.errors import ReconnectNeeded, Rejected, Unreachable
from tests.pricing.scripted_prices import ScriptedPrices
from tests.pricing.selling import add_change, add_rule, all_changes, put_on_sale, states

AWAY = Unreachable("The shop does not answer.")
WIDE = {"guards": {"largest_step_percent": 20}}


@pytest.fixture
def shop(prices: ScriptedPrices) -> ScriptedPrices:
    """The shop with two products for 10.00."""
    prices.stands = {"p1": {"v-p1": (1000, 1500)}, "p2": {"v-p2": (1000, None)}}
    return prices


def test_an_approved_price_is_written_and_stands_in_the_ledger(store: Store, shop: ScriptedPrices) -> None:
    put_on_sale(store, compare_at_price=1500)
    change = add_change(store, old_compare_at_price=1500, new_compare_at_price=1500)

    assert writing.write_due(store.id)

    (live,) = all_changes(store)
    assert (live.state, live.problem) == ("live", None)
    assert shop.stands["p1"] == {"v-p1": (900, 1500)}
    periods = ledger.periods_of(db.session.connection(), store.id, ["p1"])["v-p1"]
    assert [(each.price, each.source, each.change_id) for each in periods] == [
        (1000, "shop", None),
        (900, "pannier", change.id),
    ]
    assert periods[1].from_at == live.written_at


def test_the_change_is_writing_before_the_platform_is_told(
    store: Store, shop: ScriptedPrices, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = add_change(store)
    seen: list[Any] = []
    write = shop.write

    def watched(writes: Any) -> Any:
        with db.engine.connect() as other:
            query = select(PriceChange.state, PriceChange.written_at).where(PriceChange.id == change.id)
            seen.append(other.execute(query).one())
        return write(writes)

    monkeypatch.setattr(shop, "write", watched)

    writing.write_due(store.id)

    assert [state for state, _ in seen] == ["writing"]
    assert all_changes(store)[0].written_at == seen[0][1]


def test_nothing_is_due(store: Store, shop: ScriptedPrices) -> None:
    for state in sorted(set(changes.STATES) - {changes.APPROVED, changes.WRITING}):
        add_change(store, state=state)

    assert writing.write_due(store.id)

    assert (shop.asked, shop.written) == (0, [])


def test_what_the_shop_refuses_has_failed_and_says_why(store: Store, shop: ScriptedPrices) -> None:
    add_change(store)
    add_change(store, product="p2")
    shop.refuses = {"v-p1": ("The shop wants a price below 9.00.", "rejected")}

    assert writing.write_due(store.id)

    failed, live = all_changes(store)
    assert (failed.state, failed.problem, failed.written_at) == (
        "failed",
        "The shop wants a price below 9.00.",
        None,
    )
    assert live.state == "live"
    assert db.session.scalars(
        select(PricePeriod.variant_id).where(PricePeriod.store_id == store.id)
    ).all() == ["v-p2"]


def test_a_price_that_somebody_changed_is_left_alone(store: Store, shop: ScriptedPrices) -> None:
    add_change(store)
    shop.stands["p1"]["v-p1"] = (1100, None)

    writing.write_due(store.id)

    assert states(store) == ["failed"]
    assert shop.stands["p1"]["v-p1"] == (1100, None)


@pytest.mark.parametrize(
    ("taken", "written"),
    [pytest.param(0, 0, id="before the shop took it"), pytest.param(1, 1, id="after the shop took it")],
)
def test_a_lost_answer_is_found_out_by_reading_first(
    store: Store, shop: ScriptedPrices, taken: int, written: int
) -> None:
    add_change(store)
    shop.breaks, shop.taken = AWAY, taken

    assert not writing.write_due(store.id)
    (change,) = all_changes(store)
    assert (change.state, change.problem) == ("writing", "The shop does not answer.")
    assert (shop.asked, len(shop.written)) == (0, written)

    assert writing.write_due(store.id)
    assert states(store) == ["live"]
    assert shop.asked == 1
    assert len(shop.written) == 1
    assert all_changes(store)[0].problem is None


def test_a_shop_that_stays_away_keeps_changes_waiting_for_a_day(store: Store, shop: ScriptedPrices) -> None:
    add_change(store, state="writing", written_at=now() - timedelta(hours=23))
    add_change(store, product="p1", state="writing", written_at=now() - timedelta(hours=25))
    shop.unreadable = AWAY

    assert not writing.write_due(store.id)

    waiting, failed = all_changes(store)
    assert (waiting.state, waiting.problem) == ("writing", "The shop does not answer.")
    assert (failed.state, failed.problem) == ("failed", writing.OUT_OF_REACH)


@pytest.mark.parametrize(
    ("stands", "state", "problem"),
    [
        pytest.param((900, None), "live", None, id="it arrived"),
        pytest.param((1100, None), "failed", writing.CHANGED, id="somebody was there since"),
        pytest.param(None, "failed", writing.GONE, id="the variant is gone"),
    ],
)
def test_a_killed_process_leaves_nothing_unknown(
    store: Store,
    shop: ScriptedPrices,
    stands: tuple[int, None] | None,
    state: str,
    problem: str | None,
) -> None:
    add_change(store, state="writing")
    shop.stands["p1"] = {} if stands is None else {"v-p1": stands}

    assert writing.write_due(store.id)

    (change,) = all_changes(store)
    assert (change.state, change.problem, shop.written) == (state, problem, [])


def test_a_product_that_is_gone_has_failed(store: Store, shop: ScriptedPrices) -> None:
    add_change(store, state="writing")
    del shop.stands["p1"]

    writing.write_due(store.id)

    assert all_changes(store)[0].problem == writing.GONE


def test_a_refusal_of_all_fails_what_was_not_taken(store: Store, shop: ScriptedPrices) -> None:
    add_change(store)
    add_change(store, product="p2")
    shop.breaks, shop.taken = Rejected("The key may not write prices."), 1

    assert writing.write_due(store.id)

    live, failed = all_changes(store)
    assert (live.state, live.problem) == ("live", None)
    assert (failed.state, failed.problem) == ("failed", "The key may not write prices.")


def test_a_shop_that_cannot_be_read_at_all_has_refused(store: Store, shop: ScriptedPrices) -> None:
    add_change(store, state="writing")
    shop.unreadable = Rejected("The key may not read prices.")

    writing.write_due(store.id)

    assert all_changes(store)[0].problem == "The key may not read prices."


def test_a_dead_key_leaves_approved_prices_approved(
    store: Store, shop: ScriptedPrices, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_change(store)

    def dead(_store: Store) -> ScriptedPrices:
        raise ReconnectNeeded("Connect the shop again.")

    monkeypatch.setattr(writing, "prices_for", dead)

    assert not writing.write_due(store.id)
    assert states(store) == ["approved"]
    assert shop.written == []


def test_a_store_that_cannot_be_asked_is_not(store: Store, shop: ScriptedPrices) -> None:
    add_change(store)
    store.connection_problem = "The key was withdrawn."
    db.session.commit()

    assert not writing.write_due(store.id)
    assert (states(store), shop.asked) == (["approved"], 0)


# --- what was approved is held against the guards again -------------------------------------------------


@pytest.mark.parametrize(
    ("cost", "fields", "actor", "problem"),
    [
        pytest.param(400, WIDE, "merchant", None, id="still good"),
        pytest.param(400, {"mode": "automatic", **WIDE}, "automatic", None, id="automatic, cost known"),
        pytest.param(
            950, WIDE, "merchant", "It would break a guard by now: margin.", id="the cost has risen"
        ),
        pytest.param(
            None,
            {"mode": "automatic", **WIDE},
            "automatic",
            "The rule may not write it by itself any more.",
            id="the cost is not known any more",
        ),
        pytest.param(400, WIDE, "automatic", "The rule may not write it by itself any more.", id="mode changed"),
        pytest.param(400, {"key": "x", **WIDE}, "merchant", writing.RULE_GONE, id="the rule is gone"),
        pytest.param(
            400, {"currency": "EUR", **WIDE}, "merchant", writing.OTHER_CURRENCY, id="another currency"
        ),
    ],
)  # fmt: skip
def test_an_approved_price_that_breaks_a_guard_by_now_is_not_written(
    store: Store,
    shop: ScriptedPrices,
    cost: int | None,
    fields: dict[str, Any],
    actor: str,
    problem: str | None,
) -> None:
    put_on_sale(store, cost=cost)
    add_rule(store, **fields)
    add_change(store, rule="r", actor=actor)

    writing.write_due(store.id)

    (change,) = all_changes(store)
    assert (change.state, change.problem) == ("expired" if problem else "live", problem)
    assert len(shop.written) == (0 if problem else 1)


@pytest.mark.parametrize(
    ("fields", "change", "problem"),
    [
        pytest.param({}, {"decided_at": now() - timedelta(hours=73)}, writing.TOO_LATE, id="too long ago"),
        pytest.param({"products": {"products": ["p9"]}}, {}, writing.NOT_ITS_OWN, id="another product's rule"),
        pytest.param(
            {"hours": {"from": "00:00", "to": "00:01"}, "mode": "automatic"},
            {"actor": "automatic"},
            "The hours of its rule are over.",
            id="out of hours",
        ),
    ],
)  # fmt: skip
def test_an_approved_price_whose_rule_would_not_write_it_now_is_not(
    store: Store,
    shop: ScriptedPrices,
    fields: dict[str, Any],
    change: dict[str, Any],
    problem: str,
) -> None:
    put_on_sale(store, cost=400)
    add_rule(store, **WIDE, **fields)
    add_change(store, rule="r", **{"actor": "merchant", **change})
    store.timezone = "UTC" if now().hour else "Pacific/Auckland"  # never in the first minute of the day
    db.session.commit()

    writing.write_due(store.id)

    assert all_changes(store)[0].problem == problem
    assert shop.written == []


def test_a_price_that_moved_meanwhile_is_not_written(store: Store, shop: ScriptedPrices) -> None:
    put_on_sale(store, price=1100)
    add_rule(store, **WIDE)
    add_change(store, rule="r", actor="merchant")

    writing.write_due(store.id)

    assert all_changes(store)[0].problem == writing.CHANGED
    assert shop.written == []
