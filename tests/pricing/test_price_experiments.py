"""Price experiments: one list price for everybody, arms by product or by slice of time, compared by cluster."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.commerce import ingest
from app.commerce.store import Store
from app.core.db import db
from app.core.errors import Conflict, NotFound
from app.experiments import lifecycle
from app.experiments import running as visitors
from app.experiments.schemas import ExperimentFields
from app.pricing import price_experiments
from app.pricing.models import PriceChange, PriceRule
from app.pricing.price_experiments import Day, PriceExperiment, Trials, compare, of_definition, rule_for
from app.pricing.rules import AUTOMATIC, Rule, Traits
from tests.factories import DAY, at, line, new_store, order_change, product_change

PRODUCTS = [f"p{number}" for number in range(400)]


def rule(key: str, **products: Any) -> Rule:
    """Return a price rule for all products, or for some."""
    body = {"currency": "USD", "products": products or {"all": True}, "signals": []}
    return Rule.from_json(key, AUTOMATIC, body)


def definition(unit: str = "product", **fields: Any) -> dict[str, Any]:
    """Return a definition as it is stored: rule ``fast`` against prices that stay."""
    body = {
        "name": "Prices",
        "unit": unit,
        "arms": [{"key": "b", "settings": {"price_rule": "fast"}}],
        **fields,
    }
    return {name: value for name, value in ExperimentFields().load(body).items() if name != "name"}


@pytest.fixture(scope="module")
def in_app(shared_app: Flask) -> Iterator[None]:
    """The application's context, which knows the slots."""
    with shared_app.app_context():
        yield


def experiment(unit: str = "product", **fields: Any) -> PriceExperiment:
    """Return a running experiment."""
    return of_definition("prices", definition(unit, **fields), at(0))


FAST, SLOW = rule("fast"), rule("slow")


def arm_of(found: PriceExperiment, product: str, seconds: float) -> str | None:
    """Return the arm of a product at a time."""
    arm = found.arm(product, at(seconds))
    return None if arm is None else arm[0]


def test_a_product_has_one_arm_for_as_long_as_it_runs(in_app: None) -> None:
    found = experiment()
    arms = Counter(arm_of(found, product, 0) for product in PRODUCTS)
    assert set(arms) == {"control", "b"}
    assert abs(arms["b"] - 200) < 60
    for product in PRODUCTS[:20]:
        assert {arm_of(found, product, day * DAY) for day in range(60)} == {arm_of(found, product, 0)}


def test_slices_of_time_are_whole_and_drawn_anew(in_app: None) -> None:
    found = experiment("time", slice_hours=72)
    assert found.slice == timedelta(hours=72)
    arms: Counter[str | None] = Counter()
    for product in PRODUCTS[:50]:
        of_slices = [arm_of(found, product, 3 * DAY * place) for place in range(20)]
        for place, arm in enumerate(of_slices):
            assert arm_of(found, product, 3 * DAY * (place + 1) - 1) == arm
        arms.update(of_slices)
    assert abs(arms["b"] - 500) < 100


def test_nothing_is_assigned_before_it_began_or_beyond_its_coverage(in_app: None) -> None:
    assert arm_of(experiment(), "p1", -1) is None
    half = experiment(coverage=0.5)
    taking = [product for product in PRODUCTS if arm_of(half, product, 0) is not None]
    assert 140 < len(taking) < 260
    assert all(arm_of(half, product, 0) == arm_of(experiment(), product, 0) for product in taking)


@given(st.text(min_size=1, max_size=20), st.integers(0, 10**8), st.sampled_from(["product", "time"]))
def test_the_price_rule_of_a_product_depends_on_product_and_time_alone(
    in_app: None, product: str, seconds: int, unit: str
) -> None:
    found = experiment(unit)
    choices = [rule_for(Traits(product), at(seconds), [found], [FAST, SLOW]) for _ in range(3)]
    assert choices[0] == choices[1] == choices[2]
    assert (choices[0].arm, choices[0].rule) in (("b", FAST), ("control", None))


def test_an_arm_goes_before_the_order_of_the_rules(in_app: None) -> None:
    found = experiment(
        arms=[
            {"key": key, "settings": {"price_rule": name}}
            for key, name in (("control", "slow"), ("b", "fast"))
        ]
    )
    rules = [FAST, SLOW]
    by_arm = {
        arm_of(found, product, 0): rule_for(Traits(product), at(0), [found], rules)
        for product in PRODUCTS[:20]
    }
    assert by_arm["control"] == price_experiments.Choice(SLOW, "prices", "control")
    assert by_arm["b"] == price_experiments.Choice(FAST, "prices", "b")


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([SLOW], id="its rule is not active"),
        pytest.param([rule("fast", products=["other"]), SLOW], id="its rule does not take the product"),
    ],
)
def test_an_experiment_that_cannot_be_about_a_product_leaves_it_alone(
    in_app: None, rules: list[Rule]
) -> None:
    for product in PRODUCTS[:10]:
        assert rule_for(Traits(product), at(0), [experiment()], rules) == price_experiments.Choice(SLOW)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"arms": [{"key": "b", "settings": {"strategy": "trending"}}]}, "arms"),
        ({"slots": ["home"]}, "slots"),
        ({"namespace": {"key": "n", "from": 0, "to": 0.5}}, "namespace"),
        ({"targeting": {"device": ["mobile"]}}, "targeting"),
        ({"unit": "visitor", "slice_hours": 72}, "slice_hours"),
        ({"unit": "product", "slice_hours": 72}, "slice_hours"),
        ({"unit": "time", "slice_hours": 71}, "slice_hours"),
        ({"unit": "shop"}, "unit"),
        ({"arms": [{"key": "b", "settings": {"price_rule": "none"}}]}, "arms"),
    ],
    ids=["strategy", "slots", "namespace", "targeting", "visitors", "products", "short", "unknown", "alike"],
)
def test_a_price_experiment_says_nothing_of_visitors(
    in_app: None, fields: dict[str, Any], place: str
) -> None:
    body = {
        "name": "P",
        "unit": "product",
        "arms": [{"key": "b", "settings": {"price_rule": "fast"}}],
        **fields,
    }
    assert list(ExperimentFields().validate(body)) == [place]


def test_every_arm_of_a_price_experiment_says_what_prices_follow(in_app: None) -> None:
    assert [arm["settings"] for arm in definition()["arms"]] == [
        {"price_rule": "none"},
        {"price_rule": "fast"},
    ]
    assert (definition()["slice_hours"], definition("time")["slice_hours"]) == (None, 168)


# --- what it was worth ----------------------------------------------------------------------------------------


def days_of(
    found: PriceExperiment, lift: float, count: int = 42, seed: int = 1
) -> tuple[list[Day], dict[str, float]]:
    """Return days of 300 products whose margin is higher by ``lift`` in arm b, and what they earned before."""
    random = np.random.default_rng(seed)
    levels = random.lognormal(5, 0.8, size=300)
    days = []
    for product, level in enumerate(levels):
        for day in range(count):
            moment = at(day * DAY)
            arm = found.arm(f"p{product}", moment)
            factor = 1 + lift if arm and arm[0] == "b" else 1
            days.append(Day(f"p{product}", moment, float(level * factor * random.gamma(4, 0.25))))
    before = {f"p{product}": float(level * random.gamma(100, 0.01)) for product, level in enumerate(levels)}
    return days, before


@pytest.mark.parametrize("unit", ["product", "time"])
def test_a_planted_lift_is_found_by_cluster(in_app: None, unit: str) -> None:
    found = experiment(unit)
    days, before = days_of(found, 0.1)
    (result,) = compare(found, days, before, "control")
    truth = 0.1 * float(np.mean([day.margin for day in days])) / 1.05
    assert result.effect is not None
    assert result.effect.low < truth < result.effect.high
    assert result.effect.low > 0
    expected = 300 if unit == "product" else 1_800
    assert result.clusters + result.control_clusters == expected


def test_arms_that_are_alike_are_not_told_apart(in_app: None) -> None:
    found = experiment()
    seen = [compare(found, *days_of(found, 0.0, 7, seed), "control")[0].effect for seed in range(15)]
    wrong = sum(effect is not None and (effect.low > 0 or effect.high < 0) for effect in seen)
    assert wrong <= 3


def test_the_first_day_of_a_slice_counts_for_no_arm(in_app: None) -> None:
    found = experiment("time")
    days = [
        Day(product, at(day * DAY), 100.0 if day % 7 else 9_999.0)
        for product in PRODUCTS[:40]
        for day in range(7)
    ]
    (result,) = compare(found, days, {}, "control")
    assert (result.value, result.control_value) == (pytest.approx(100.0), pytest.approx(100.0))


def test_few_clusters_say_nothing(in_app: None) -> None:
    found = experiment()
    days = [Day(product, at(0), 100.0) for product in PRODUCTS[:12]]
    (result,) = compare(found, days, {}, "control")
    assert result.effect is None
    assert result.clusters + result.control_clusters == 12


# --- in a store -----------------------------------------------------------------------------------------------


@pytest.fixture
def store(in_app: None) -> Store:
    """A store of this test alone."""
    return new_store()


def test_a_running_one_is_read_and_visitors_never_meet_it(store: Store) -> None:
    lifecycle.create(store.id, "prices", "Prices", definition("time"))
    assert price_experiments.running(db.session.connection(), store.id) == []
    started = lifecycle.start(store.id, "prices").started_at
    (found,) = price_experiments.running(db.session.connection(), store.id)
    assert (found.key, found.unit, found.started_at) == ("prices", "time", started)
    assert found.arms == (("control", None), ("b", "fast"))
    assert visitors.stored(db.session.connection(), store.id) == ()


def test_only_one_moves_prices_at_a_time(store: Store) -> None:
    for key in ("first", "second"):
        lifecycle.create(store.id, key, key, definition())
    lifecycle.start(store.id, "first")
    with pytest.raises(Conflict, match="first runs on prices already"):
        lifecycle.start(store.id, "second")
    lifecycle.stop(store.id, "first")
    assert lifecycle.start(store.id, "second").status == "running"


def test_one_from_before_there_were_units_is_on_visitors_and_keeps_its_name_alone(store: Store) -> None:
    old = definition("visitor", arms=[{"key": "b", "settings": {"copy": "short"}}])
    del old["unit"], old["slice_hours"]
    lifecycle.create(store.id, "old", "Old", old)
    found = lifecycle.start(store.id, "old")
    assert lifecycle.state(found)["unit"] == "visitor"
    assert [each.key for each in visitors.stored(db.session.connection(), store.id)] == ["old"]
    again = {**old, "unit": "visitor", "slice_hours": None}
    assert lifecycle.change(store.id, "old", "Renamed", again).name == "Renamed"
    with pytest.raises(Conflict, match="not unit"):
        lifecycle.change(store.id, "old", "Old", {**again, "unit": "product"})


def test_changes_say_by_which_arm_they_were_made(store: Store) -> None:
    trials = Trials([experiment()], at(0))
    arms = {product: arm_of(experiment(), product, 0) for product in PRODUCTS[:4]}
    for product in arms:
        trials.rule_for(Traits(product), [FAST])
    trials.rule_for(Traits("other"), [])
    made = [
        PriceChange(
            store_id=store.id, product_id=product, variant_id=product, currency="USD", old_price=2, new_price=1,
            state="proposed", reason="", signals={}, actor="automatic",
        )
        for product in [*arms, "other"]
    ]  # fmt: skip
    db.session.add_all(made)
    db.session.flush()
    trials.mark(db.session.connection(), [change.id for change in made])
    rows = db.session.execute(
        select(PriceChange.product_id, PriceChange.experiment, PriceChange.arm).where(
            PriceChange.store_id == store.id
        )
    )
    assert {row[0]: (row[1], row[2]) for row in rows} == {
        **{product: ("prices", arm) for product, arm in arms.items()},
        "other": (None, None),
    }


def test_a_report_compares_what_products_earned_a_day(store: Store) -> None:
    names = [f"p{number}" for number in range(60)]
    connection = db.session.connection()
    ingest.apply(connection, store.id, [replace(product_change(name), cost=400) for name in names])
    body = {"currency": "USD", "products": {"all": True}, "signals": []}
    db.session.add(
        PriceRule(store_id=store.id, key="fast", name="Fast", mode=AUTOMATIC, active=True, definition=body)
    )
    lifecycle.create(store.id, "prices", "Prices", definition())
    found = lifecycle.start(store.id, "prices")
    found.started_at = at(0)
    db.session.commit()
    (experiment_now,) = price_experiments.running(db.session.connection(), store.id)
    arms = {name: arm_of(experiment_now, name, DAY) for name in names}
    orders = [
        order_change(
            f"o-{name}-{day}",
            line(name, 2 if arms[name] == "b" and day > 0 else 1, price=1000 + 10 * number),
            placed=day * DAY,
        )
        for number, name in enumerate(names)
        for day in (-3, 2, 3)
    ]
    ingest.apply(db.session.connection(), store.id, orders)
    db.session.commit()
    report = price_experiments.report(db.session.connection(), store, "prices", at(5 * DAY))
    # Whole days are the 6th to the 9th of January; two of them have sold.
    assert (report.unit, report.measure, report.products, report.days) == ("product", "margin", 60, 4)
    (result,) = report.arms
    assert (result.clusters, result.control_clusters) == tuple(
        list(arms.values()).count(arm) for arm in ("b", "control")
    )
    assert result.effect is not None
    assert (
        result.effect.low
        < 0.5 * float(np.mean([600 + 10 * number for number in range(60)]))
        < result.effect.high
    )
    # Of a product whose cost is not known, nobody knows the margin.
    ingest.apply(
        db.session.connection(),
        store.id,
        [product_change("p60"), order_change("o", line("p60"), placed=2 * DAY)],
    )
    assert (
        price_experiments.report(db.session.connection(), store, "prices", at(5 * DAY)).measure == "revenue"
    )


@pytest.mark.parametrize("key", ["unknown", "draft"])
def test_what_has_not_started_has_no_report(store: Store, key: str) -> None:
    lifecycle.create(store.id, "draft", "Draft", definition())
    with pytest.raises(NotFound):
        price_experiments.report(db.session.connection(), store, key, at(DAY))
