"""What rules propose is kept: one open change of each variant, renewed, voided, left in peace."""

from datetime import timedelta

import pytest

from app.commerce.store import Store
from app.core.db import db
from app.core.errors import Conflict, NotFound
from app.pricing import changes
from app.pricing.looking import ASLEEP, look
from tests.factories import product_change, variant_state
from tests.pricing.selling import (
    TODAY,
    add_change,
    add_rule,
    all_changes,
    apply,
    put_on_sale,
    sell_daily,
    states,
)

WIDE = {"guards": {"largest_step_percent": 20}}


@pytest.fixture
def selling(store: Store) -> Store:
    """A store whose one product lies in heaps."""
    put_on_sale(store)
    sell_daily(store)
    return store


@pytest.mark.parametrize(
    ("mode", "guards", "state"),
    [
        pytest.param("suggest", {}, "suggested", id="suggest"),
        pytest.param("approve", {}, "proposed", id="approve"),
        pytest.param("automatic", {"floor": 500}, "approved", id="automatic with a floor"),
        pytest.param("automatic", {}, "proposed", id="automatic without floor and cost"),
    ],
)
def test_a_proposal_stands_as_its_rule_says(
    selling: Store, mode: str, guards: dict[str, int], state: str
) -> None:
    add_rule(selling, mode=mode, guards={"largest_step_percent": 20, **guards})

    found = look(selling, TODAY)

    (change,) = all_changes(selling)
    assert (found.made, found.standing, found.void) == ((change.id,), 0, 0)
    assert (change.state, change.rule_key, change.old_price, change.new_price) == (state, "r", 1000, 900)
    assert change.actor == "automatic"
    assert (change.decided_at is not None) is (state == "approved")
    assert change.reason.startswith("10.0 % lower: stock lasts 982 days")


def test_the_same_proposal_stands(selling: Store) -> None:
    add_rule(selling, **WIDE)
    look(selling, TODAY)

    again = look(selling, TODAY + timedelta(hours=1))

    assert (again.made, again.standing, again.void) == ((), 1, 0)
    assert states(selling) == ["proposed"]


def test_another_price_takes_its_place(selling: Store) -> None:
    row = add_rule(selling, **WIDE)
    look(selling, TODAY)
    row.definition = {**row.definition, "guards": {"largest_step_percent": 4}}
    db.session.commit()

    look(selling, TODAY)

    old, new = all_changes(selling)
    assert (old.state, old.problem, new.state, new.new_price) == (
        "expired",
        changes.OVERTAKEN,
        "proposed",
        960,
    )


def test_a_proposal_whose_reason_is_gone_is_void(selling: Store) -> None:
    add_rule(selling, **WIDE)
    look(selling, TODAY)
    apply(selling, product_change("p1", variant_state("v-p1", stock=50), seconds=9))

    look(selling, TODAY)

    (change,) = all_changes(selling)
    assert (change.state, change.problem) == ("expired", changes.OVER)


@pytest.mark.parametrize("state", ["approved", "writing"])
def test_what_is_being_written_is_left_in_peace(selling: Store, state: str) -> None:
    add_rule(selling, **WIDE)
    add_change(selling, state=state, rule="r")

    assert look(selling, TODAY).made == ()
    assert states(selling) == [state]


@pytest.mark.parametrize(
    ("state", "hours", "count"),
    [
        pytest.param("rejected", 71, 1, id="rejected a short while ago"),
        pytest.param("rejected", 73, 2, id="rejected long ago"),
        pytest.param("failed", 71, 1, id="failed a short while ago"),
        pytest.param("expired", 1, 2, id="expired"),
    ],
)
def test_a_no_holds_for_a_while(selling: Store, state: str, hours: int, count: int) -> None:
    add_rule(selling, **WIDE)
    add_change(selling, state=state, rule="r", decided_at=TODAY - timedelta(hours=hours))

    look(selling, TODAY)

    assert len(states(selling)) == count


def test_an_automatic_rule_looks_in_its_hours_only(selling: Store) -> None:
    noon_only = {"hours": {"from": "12:00", "to": "13:00"}, "guards": {"floor": 1}}
    add_rule(selling, mode="automatic", **noon_only)

    assert look(selling, TODAY + timedelta(hours=2)).kept == {ASLEEP: 1}
    assert len(look(selling, TODAY).made) == 1


def test_only_automatic_rules_are_looked_at_by_the_hour(selling: Store) -> None:
    put_on_sale(selling, "p2", category="Mugs")
    sell_daily(selling, "p2")
    add_rule(selling, key="all", **WIDE)
    add_rule(selling, key="mugs", mode="automatic", priority=1, products={"categories": ["Mugs"]})

    look(selling, TODAY, automatic_only=True)

    assert [change.rule_key for change in all_changes(selling)] == ["mugs"]


def test_rules_and_products_can_be_named(selling: Store) -> None:
    put_on_sale(selling, "p2")
    sell_daily(selling, "p2")
    add_rule(selling, **WIDE)

    assert look(selling, TODAY, keys=["another"]).made == ()
    look(selling, TODAY, products=["p2"])

    assert [change.product_id for change in all_changes(selling)] == ["p2"]


def test_proposals_expire_in_their_rules_time(store: Store) -> None:
    add_rule(store, expires_hours=24)
    add_rule(store, key="patient")
    late = TODAY - timedelta(hours=24)
    for product, rule, moment in (
        ("a", "r", late), ("b", "r", late + timedelta(minutes=1)), ("c", "patient", late),
    ):  # fmt: skip
        add_change(store, product=product, rule=rule, state="proposed", proposed_at=moment)
    add_change(store, product="d", rule="r", state="approved", proposed_at=late)

    assert changes.expire(store.id, TODAY) == 1
    db.session.commit()

    assert states(store) == ["expired", "proposed", "proposed", "approved"]


def test_a_proposal_is_approved_once(store: Store) -> None:
    change = add_change(store, state="proposed")

    approved = changes.approve(store.id, change.id, TODAY)
    db.session.commit()

    assert (approved.state, approved.actor, approved.decided_at) == ("approved", "merchant", TODAY)
    with pytest.raises(Conflict, match="A price change that is approved cannot become approved"):
        changes.approve(store.id, change.id, TODAY)


def test_a_suggestion_can_be_rejected_and_not_approved(store: Store) -> None:
    change = add_change(store, state="suggested")

    with pytest.raises(Conflict, match="only suggests"):
        changes.approve(store.id, change.id, TODAY)
    assert changes.reject(store.id, change.id, TODAY).state == "rejected"


@pytest.mark.parametrize("state", sorted(set(changes.STATES) - set(changes.WAITING)))
def test_what_does_not_wait_cannot_be_rejected(store: Store, state: str) -> None:
    change = add_change(store, state=state)

    with pytest.raises(Conflict, match=f"A price change that is {state} cannot become rejected"):
        changes.reject(store.id, change.id, TODAY)


def test_changes_of_another_store_are_not_found(store: Store) -> None:
    change = add_change(store, state="proposed")

    with pytest.raises(NotFound):
        changes.find(store.id + 1, change.id)
