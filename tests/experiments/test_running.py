"""What runs in a store, as it is read and held."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.commerce.store import Store, add_store
from app.core.db import db
from app.experiments import running as held
from app.experiments.assignment import CONTROL, STICKY, Namespace, assign, standing
from app.experiments.definition import running_of, shares, with_control
from app.experiments.models import Experiment, ExperimentExposure
from app.experiments.running import arms_before, running
from tests.recommendations.shops import counted_statements

DEFINITION: dict[str, Any] = {
    "slots": ["cart"],
    "arms": [
        {"key": "control", "name": "Control", "weight": 1, "settings": {}},
        {"key": "b", "name": "B", "weight": 3, "settings": {"strategy": "trending"}},
    ],
    "coverage": 0.5,
    "namespace": {"key": "space", "from": 0.2, "to": 0.6},
    "targeting": {"segment": ["loyal"], "country": []},
}
NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
ANNE, ANNES_PHONE, BERT = b"a" * 16, b"p" * 16, b"b" * 16


@pytest.fixture
def store(app: Flask) -> Store:
    found, _ = add_store("shopify", "running.myshopify.com")
    db.session.commit()
    return found


def experiment(store: Store, key: str, status: str = "running") -> Experiment:
    made = Experiment(store_id=store.id, key=key, name=key, status=status, definition=DEFINITION)
    db.session.add(made)
    db.session.commit()
    return made


def keys_of(store: Store) -> list[str]:
    return [each.key for each in running(store.id)]


def test_a_definition_becomes_what_assignment_needs() -> None:
    found = running_of("one", DEFINITION)

    assert (found.key, found.slots) == ("one", frozenset({"cart"}))
    assert found.namespace == Namespace("space", 0.2, 0.6)
    assert found.targeting == {"segments": frozenset({"loyal"})}
    assert [arm.key for arm in found.arms] == ["control", "b"]
    assert found.ranges == ((0.0, 0.125), (0.25, 0.625))


def test_everything_left_open_is_everybody() -> None:
    found = running_of("one", {**DEFINITION, "slots": None, "namespace": None, "targeting": {}})

    assert (found.slots, found.namespace, found.targeting) == (None, None, {})


def test_shares_are_of_the_sum_of_the_weights() -> None:
    assert shares(DEFINITION) == {"control": 0.25, "b": 0.75}


def test_a_control_is_added_where_there_is_none() -> None:
    arms = [
        {"key": "b", "name": "B", "weight": 1, "settings": {}},
        {"key": "c", "name": "C", "weight": 3, "settings": {}},
    ]

    assert with_control(arms) == [{"key": "control", "name": "Control", "weight": 2, "settings": {}}, *arms]
    assert with_control(DEFINITION["arms"]) == DEFINITION["arms"]


def test_running_experiments_are_read_and_no_others(store: Store) -> None:
    for status in ("draft", "running", "stopped", "decided"):
        experiment(store, f"the_{status}", status)
    experiment(store, "a_second")

    assert keys_of(store) == ["a_second", "the_running"]


def test_another_store_s_experiments_do_not_run_here(store: Store) -> None:
    experiment(store, "mine")
    other, _ = add_store("shopify", "other.myshopify.com")
    db.session.commit()

    assert keys_of(other) == []


def test_it_is_held_until_it_is_forgotten(app: Flask, store: Store) -> None:
    keys_of(store)
    store_id = experiment(store, "mine").store_id
    with counted_statements(app) as statements:
        before = running(store_id)
    held.forget(store_id)

    assert ([each.key for each in before], statements) == ([], [])
    assert keys_of(store) == ["mine"]


def exposed(store: Store, experiment: str, subject: bytes, arm: str, hours: int) -> None:
    db.session.add(
        ExperimentExposure(
            store_id=store.id, experiment=experiment, subject=subject, arm=arm,
            first_at=NOON + timedelta(hours=hours), decision_id=f"{experiment}{hours}",
        )
    )  # fmt: skip
    db.session.commit()


def test_a_person_is_kept_in_the_arm_that_any_of_their_visits_saw_first(store: Store) -> None:
    exposed(store, "one", ANNE, "b", hours=2)
    exposed(store, "one", ANNES_PHONE, "control", hours=1)
    exposed(store, "two", ANNE, "b", hours=0)
    exposed(store, "one", BERT, "b", hours=0)
    other, _ = add_store("shopify", "other.myshopify.com")
    connection = db.session.connection()

    assert arms_before(connection, store.id, [ANNE, ANNES_PHONE]) == {"one": "control", "two": "b"}
    assert arms_before(connection, store.id, [BERT]) == {"one": "b"}
    assert arms_before(connection, store.id, []) == {}
    assert arms_before(connection, other.id, [ANNE, ANNES_PHONE]) == {}


def test_what_was_seen_first_counts_for_the_next_answer(store: Store) -> None:
    exposed(store, "slot:cart", ANNE, CONTROL, hours=0)
    before = arms_before(db.session.connection(), store.id, [ANNE])
    on = [each for each in [standing("cart", 5)] if each]

    (found,) = assign(on, ANNES_PHONE.hex(), slot="cart", context={}, sticky=before)

    assert (found.experiment, found.arm, found.reason) == ("slot:cart", CONTROL, STICKY)
