"""Slots that do harm: paused, tried, paused again or let go, with word of it; and an end to it by hand."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, insert, select, update

from app.commerce import ingest
from app.core.db import db
from app.experiments.assignment import CONTROL, SHOWN
from app.experiments.models import ExperimentExposure
from app.experiments.sequences import FEWEST_VISITORS
from app.experiments.uplift import Totals
from app.monitoring import guardrails
from app.monitoring.models import Alert
from app.monitoring.pausing import REST, TRIAL, Step, since
from app.recommendations import paused
from app.recommendations.models import SlotPause
from app.recommendations.strategies import SLOTS
from tests.events.happenings import keep
from tests.factories import BEGIN, new_store, order_change, product_change
from tests.monitoring.test_pausing import totals

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FINE = {SHOWN: totals(19_000, 1_140), CONTROL: totals(1_000, 60)}
HARMFUL = {SHOWN: totals(19_000, 100), CONTROL: totals(1_000, 60)}
LITTLE = {SHOWN: totals(300, 3), CONTROL: totals(20, 1)}


class Measured:
    """What is measured of slots, and what was asked."""

    def __init__(self, **arms: Mapping[str, Totals] | None) -> None:
        self.arms = arms
        self.asked: list[tuple[str, datetime]] = []

    def __call__(self, _: Connection, __: int, slot: str, since: datetime) -> Mapping[str, Totals] | None:
        self.asked.append((slot, since))
        return self.arms.get(slot, {})


def look_at(moment: datetime, store_id: int, **arms: Mapping[str, Totals] | None) -> dict[str, Step]:
    with time_machine.travel(moment, tick=False):
        return guardrails.look(store_id, Measured(**arms))


def state(store_id: int, slot: str = "cart") -> str:
    return paused.state(store_id, slot)


def alerts_of(store_id: int) -> list[tuple[str, str, bool]]:
    rows = db.session.scalars(select(Alert).where(Alert.store_id == store_id).order_by(Alert.id))
    return [(row.source, row.level, row.cleared_at is not None) for row in rows]


def test_a_harmful_slot_pauses_alone_and_says_so(shared_app: Flask) -> None:
    with shared_app.app_context():
        store, other = new_store().id, new_store().id

        assert look_at(NOW, store, cart=HARMFUL, product=FINE, home=LITTLE) == {"cart": Step.PAUSE}

        assert [state(store, slot) for slot in ("cart", "product", "home")] == ["paused", "live", "live"]
        assert state(other) == "live"
        assert alerts_of(store) == [("slot:cart", "error", False)]
        message = db.session.scalar(select(Alert.message).where(Alert.store_id == store))
        assert message == (
            "The slot cart shows nothing until 2026-11-29. Where this slot was shown, fewer visitors bought, by 91% and"
            " visitors spent less, by 91% (19,000 visitors with it and 1,000 without)."
            " POST /v1/slots/cart/resume ends this at once."
        )
        assert look_at(NOW, store, cart=HARMFUL) == {}


def test_a_slot_that_is_better_by_now_comes_back_by_trial(shared_app: Flask) -> None:
    with shared_app.app_context():
        store = new_store().id
        look_at(NOW, store, cart=HARMFUL)

        assert look_at(NOW + REST - timedelta(hours=1), store, cart=FINE) == {}
        assert look_at(NOW + REST, store, cart=HARMFUL) == {"cart": Step.TRY}
        assert state(store) == "trial"
        assert look_at(NOW + REST + TRIAL - timedelta(hours=1), store, cart=FINE) == {}
        assert look_at(NOW + REST + TRIAL, store, cart=FINE) == {"cart": Step.LET_GO}

        assert state(store) == "live"
        assert alerts_of(store) == [("slot:cart", "error", True)]
        row = db.session.scalars(select(SlotPause).where(SlotPause.store_id == store)).one()
        assert (row.ended_by, row.ended_at) == ("trial", NOW + REST + TRIAL)
        assert row.measures["harmed"] == ["conversion", "revenue_per_visitor"]
        assert row.measures["trial"]["harmed"] == []


def test_a_slot_that_is_no_better_pauses_again_in_the_same_pause(shared_app: Flask) -> None:
    with shared_app.app_context():
        store = new_store().id
        look_at(NOW, store, cart=HARMFUL)
        look_at(NOW + REST, store)
        later = NOW + REST + timedelta(days=2)

        assert look_at(later, store, cart=HARMFUL) == {"cart": Step.PAUSE_AGAIN}

        assert state(store) == "paused"
        row = db.session.scalars(select(SlotPause).where(SlotPause.store_id == store)).one()
        assert (row.paused_at, row.trial_at, row.ended_at, row.measures["trials"]) == (later, None, None, 1)
        assert look_at(later + REST, store) == {"cart": Step.TRY}
        assert alerts_of(store) == [("slot:cart", "error", False)]


def test_a_slot_that_is_not_measured_now_stays_as_it_is(shared_app: Flask) -> None:
    with shared_app.app_context():
        store = new_store().id
        look_at(NOW, store, cart=HARMFUL)
        look_at(NOW + REST, store)

        assert look_at(NOW + REST + TRIAL, store, cart=None) == {}
        assert state(store) == "trial"


def test_a_pause_that_the_merchant_ends_meanwhile_is_ended(app: Flask) -> None:
    store = new_store().id
    look_at(NOW, store, cart=HARMFUL)
    look_at(NOW + REST, store)

    class Slow(Measured):
        def __call__(self, *args: Any) -> Mapping[str, Totals] | None:
            with db.engine.begin() as another:
                another.execute(update(SlotPause).values(ended_at=NOW, ended_by="merchant"))
            return super().__call__(*args)

    with time_machine.travel(NOW + REST + timedelta(days=1), tick=False):
        assert guardrails.look(store, Slow(cart=HARMFUL)) == {}

    row = db.session.scalars(select(SlotPause).where(SlotPause.store_id == store)).one()
    assert (row.ended_by, row.trial_at) == ("merchant", NOW + REST)


def test_what_is_measured_begins_with_the_epoch_the_trial_or_the_end_of_the_last_pause(
    shared_app: Flask,
) -> None:
    with shared_app.app_context():
        store = new_store().id
        measure = Measured(cart=HARMFUL)

        def asked(moment: datetime) -> datetime | None:
            measure.asked.clear()
            with time_machine.travel(moment, tick=False):
                guardrails.look(store, measure)
            return dict(measure.asked).get("cart")

        assert asked(NOW) == since(None, None, NOW)
        assert asked(NOW + REST) is None  # nothing is asked of a slot that rests
        measure.arms = {}
        assert asked(NOW + REST + TRIAL) == NOW + REST
        assert asked(NOW + REST + TRIAL + timedelta(days=1)) == NOW + REST + TRIAL


@pytest.mark.parametrize("on_trial", [False, True])
def test_a_fifth_of_the_visitors_is_shown_a_slot_on_trial(on_trial: bool) -> None:
    units = [f"{n:032x}" for n in range(5_000)]
    shown = {unit for unit in units if paused.shows("trial" if on_trial else "live", "cart", unit)}

    assert len(shown) == pytest.approx(1_000, abs=150) if on_trial else len(shown) == 5_000
    assert not any(paused.shows("paused", "cart", unit) for unit in units[:10])
    if on_trial:
        assert not paused.shows("trial", "cart", None)
        others = {unit for unit in units if paused.shows("trial", "home", unit)}
        assert len(shown & others) == pytest.approx(200, abs=75)  # slots draw independently


# --- from exposures and orders --------------------------------------------------------------------------

EXPOSED, ORDERED = NOW - timedelta(days=2), NOW - timedelta(days=1)


def expose(store_id: int, arm: str, count: int, buyers: int) -> None:
    """Expose visitors to an arm of the cart's control; the first ``buyers`` order a day later, and the page says so."""
    subjects = [f"{arm}-{n}".encode().ljust(16, b".") for n in range(count)]
    db.session.execute(
        insert(ExperimentExposure),
        [
            {
                "store_id": store_id, "experiment": "slot:cart", "subject": subject, "arm": arm,
                "first_at": EXPOSED, "decision_id": "d_1",
            }
            for subject in subjects
        ],
    )  # fmt: skip
    placed = (ORDERED - BEGIN).total_seconds()
    orders = [order_change(f"{arm}{n}", "p1", placed=placed, seconds=placed) for n in range(buyers)]
    ingest.apply(db.session.connection(), store_id, [product_change("p1"), *orders])
    db.session.commit()
    with time_machine.travel(ORDERED, tick=False):
        for n, subject in enumerate(subjects[:buyers]):
            keep(store_id, subject, (0, "Order Completed", ["p1"]), order_id=f"{arm}{n}")


def watched(store_id: int, at: datetime = NOW) -> str:
    with time_machine.travel(at, tick=False):
        guardrails.guard(store_id)
    return state(store_id)


def test_exposures_and_orders_tell_that_a_slot_does_harm(shared_app: Flask) -> None:
    with shared_app.app_context():
        store = new_store().id
        expose(store, SHOWN, 1_500, 2)
        expose(store, CONTROL, 400, 50)

        assert watched(store) == "paused"

        row = db.session.scalars(select(SlotPause).where(SlotPause.store_id == store)).one()
        assert (row.slot, row.measures["visitors"]) == ("cart", {SHOWN: 1_500, CONTROL: 400})
        assert row.measures["effects"]["conversion"]["difference"] == pytest.approx(2 / 1_500 - 50 / 400)


def test_too_few_exposed_are_not_even_measured(shared_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with shared_app.app_context():
        store = new_store().id
        expose(store, SHOWN, 300, 0)
        expose(store, CONTROL, FEWEST_VISITORS - 1, 0)
        monkeypatch.setattr(guardrails.outcomes, "of_experiment", None)

        assert watched(store) == "live"


def test_people_and_orders_are_put_together_the_seldomer_the_more_there_are(
    shared_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shared_app.app_context():
        store = new_store().id
        expose(store, SHOWN, 600, 0)
        expose(store, CONTROL, 300, 0)
        monkeypatch.setattr(guardrails, "_VISITORS_PER_SECOND", 9)
        arguments = (db.session.connection(), store, "cart", since(None, None, NOW))

        with time_machine.travel(NOW, tick=False):
            first, second = guardrails.measured(*arguments), guardrails.measured(*arguments)

        assert first is not None
        assert {arm: totals.visitors for arm, totals in first.items()} == {SHOWN: 600, CONTROL: 300}
        assert second is None
        (key,) = shared_app.extensions["pannier_redis"].keys(f"pannier:{store}:guarded:cart:*")
        assert 90 < shared_app.extensions["pannier_redis"].ttl(key) <= 100


def test_stores_with_a_control_or_a_pause_are_looked_at(
    app: Flask, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(guardrails, "enqueue", lambda *ids, **_: asked.append(ids))
    mine, other = keys["mine"][0].id, keys["other"][0].id
    expose(mine, SHOWN, 1, 0)
    guardrails.guard_everywhere()
    db.session.add(SlotPause(store_id=other, slot="cart", paused_at=NOW, reason="", measures={}))
    db.session.commit()
    guardrails.guard_everywhere()

    assert asked == [("upkeep", guardrails.GUARD, store) for store in (mine, mine, other)]


# --- over HTTP ------------------------------------------------------------------------------------------


def ask(client: FlaskClient, keys: dict[str, Any], resume: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {keys['mine'][1].secret}"}
    if resume is None:
        return client.get("/v1/slots", headers=headers)
    return client.post(f"/v1/slots/{resume}/resume", headers=headers)


def test_slots_tell_their_state_and_the_merchant_ends_a_pause(
    client: FlaskClient, keys: dict[str, Any]
) -> None:
    store_id = keys["mine"][0].id
    assert ask(client, keys).get_json() == {
        "slots": [{"slot": slot, "state": "live", "pause": None, "last": None} for slot in SLOTS]
    }
    look_at(NOW, store_id, cart=HARMFUL)

    told = {slot["slot"]: slot for slot in ask(client, keys).get_json()["slots"]}["cart"]
    assert (told["state"], told["last"]) == ("paused", None)
    assert told["pause"]["paused_at"] == NOW.isoformat()
    assert told["pause"]["until"] == (NOW + REST).isoformat()
    assert told["pause"]["trial_at"] is None
    assert told["pause"]["reason"].startswith("Where this slot was shown, fewer visitors bought")
    assert told["pause"]["measures"]["trials"] == 0

    answer = ask(client, keys, "cart").get_json()

    assert (answer["slot"], answer["state"], answer["pause"]) == ("cart", "live", None)
    assert answer["last"]["ended_by"] == "merchant"
    assert state(store_id) == "live"
    assert alerts_of(store_id) == [("slot:cart", "error", True)]
    assert ask(client, keys, "cart").get_json() == answer  # a live slot stays so


def test_an_unknown_slot_is_not_found(client: FlaskClient, keys: dict[str, Any]) -> None:
    assert ask(client, keys, "attic").status_code == 404
