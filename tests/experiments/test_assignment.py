"""Assignment: who is kept out of what, who stays where, and that nothing else matters."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from app.experiments.assignment import (
    CONTROL,
    HOLDOUT,
    IN,
    NOTHING,
    OUT,
    SHOW,
    SHOWN,
    SPLIT,
    STICKY,
    Arm,
    Assignment,
    Namespace,
    Running,
    assign,
    clashes,
    holdout,
    standing,
)
from app.experiments.hashing import bucket, bucket_ranges
from tests.experiments import published

UNITS = published.texts(published.visitors(4_000, seed=3))
ARMS = (Arm(CONTROL), Arm("b", {"strategy": "trending"}))


def running(
    key: str = "one", *, coverage: float = 1.0, arms: tuple[Arm, ...] = ARMS, **fields: Any
) -> Running:
    return Running(key, arms, tuple(bucket_ranges(len(arms), coverage)), **fields)


def arms_of(
    unit: str,
    *experiments: Running | None,
    slot: str | None = "cart",
    context: dict[str, Any] | None = None,
    sticky: dict[str, str] | None = None,
) -> list[Assignment]:
    on = [each for each in experiments if each is not None]
    return assign(on, unit, slot=slot, context=context or {}, sticky=sticky or {})


def keys_of(unit: str, *experiments: Running | None, **rest: Any) -> list[str]:
    return [each.experiment for each in arms_of(unit, *experiments, **rest)]


def test_a_visitor_is_in_the_arm_of_the_bucket() -> None:
    for unit in UNITS[:200]:
        found = bucket("one", unit)
        arm = ARMS[found >= 0.5]

        assert arms_of(unit, running()) == [Assignment("one", arm.key, arm.settings, SPLIT, found)]


def test_nothing_runs_nobody_is_anywhere() -> None:
    assert arms_of(UNITS[0]) == []


@pytest.mark.parametrize("percent", [0, -1])
def test_a_hold_out_and_a_control_of_nobody_are_none(percent: float) -> None:
    assert holdout(percent) is None
    assert standing("cart", percent) is None


def test_everybody_can_be_held_out() -> None:
    assert {arms_of(unit, holdout(100))[0].arm for unit in UNITS} == {OUT}


def test_who_is_held_out_sees_nothing_and_is_in_no_other_sample() -> None:
    everywhere = {unit: arms_of(unit, running(), standing("cart", 20), holdout(10)) for unit in UNITS}

    out = [found for found in everywhere.values() if found[0].arm == OUT]
    others = [found for found in everywhere.values() if found[0].arm == IN]
    assert len(out) + len(others) == len(UNITS)
    assert stats.binomtest(len(out), len(UNITS), 0.1).pvalue > 0.001
    assert {len(found) for found in out} == {1}
    assert {found[0].settings.get(SHOW) for found in out} == {NOTHING}
    assert {found[0].experiment for found in everywhere.values()} == {HOLDOUT}
    assert {len(found) for found in others} == {2, 3}


def test_who_is_in_the_standing_control_is_in_no_experiment_of_the_slot() -> None:
    by_arm: dict[str, set[int]] = {}
    for unit in UNITS:
        found = arms_of(unit, running(), standing("cart", 20))
        assert found[0].experiment == "slot:cart"
        by_arm.setdefault(found[0].arm, set()).add(len(found))

    assert by_arm == {CONTROL: {1}, SHOWN: {2}}
    assert standing("cart", 20).arms[0].settings == {SHOW: NOTHING}  # type: ignore[union-attr]


def test_controls_of_slots_are_other_visitors_each() -> None:
    def controls(slot: str) -> set[str]:
        return {u for u in UNITS if arms_of(u, standing(slot, 20), slot=slot)[0].arm == CONTROL}

    both = len(controls("cart") & controls("product"))

    assert stats.binomtest(both, len(UNITS), 0.04).pvalue > 0.001


def test_a_control_of_another_slot_says_nothing_here() -> None:
    assert arms_of(UNITS[0], standing("cart", 20), slot="product") == []
    assert arms_of(UNITS[0], standing("cart", 20), slot=None) == []


@pytest.mark.parametrize(
    ("slots", "slot", "expected"),
    [
        (None, "cart", ["one"]),
        (None, None, ["one"]),
        ({"cart", "home"}, "cart", ["one"]),
        ({"home"}, "cart", []),
        ({"home"}, None, []),
    ],
    ids=["all slots", "no slot named", "this slot", "another slot", "another, none named"],
)
def test_an_experiment_is_about_its_slots(
    slots: set[str] | None, slot: str | None, expected: list[str]
) -> None:
    experiment = running(slots=None if slots is None else frozenset(slots))

    assert keys_of(UNITS[0], experiment, slot=slot) == expected


@pytest.mark.parametrize(
    ("targeting", "context", "expected"),
    [
        ({}, {}, True),
        ({"country": {"DE", "AT"}}, {"country": "AT"}, True),
        ({"country": {"DE", "AT"}}, {"country": "FR"}, False),
        ({"country": {"DE", "AT"}}, {"country": None}, False),
        ({"country": {"DE", "AT"}}, {}, False),
        ({"segments": {"loyal"}}, {"segments": frozenset({"loyal", "big"})}, True),
        ({"segments": {"loyal"}}, {"segments": frozenset()}, False),
        ({"segments": {"loyal"}, "device": {"mobile"}}, {"segments": {"loyal"}, "device": "mobile"}, True),
        ({"segments": {"loyal"}, "device": {"mobile"}}, {"segments": {"loyal"}, "device": "desktop"}, False),
    ],
    ids=["none", "one of two", "another", "unknown", "not told", "one of mine", "in none", "both", "one only"],
)  # fmt: skip
def test_conditions(targeting: dict[str, set[str]], context: dict[str, Any], expected: bool) -> None:
    experiment = running(targeting={name: frozenset(values) for name, values in targeting.items()})

    assert keys_of(UNITS[0], experiment, context=context) == (["one"] if expected else [])


def test_coverage_takes_its_share_of_each_arm() -> None:
    found = [arms_of(unit, running(coverage=0.2)) for unit in UNITS]
    sizes = {key: sum(each[0].arm == key for each in found if each) for key in (CONTROL, "b")}

    for size in sizes.values():
        assert stats.binomtest(size, len(UNITS), 0.1).pvalue > 0.001


def test_parts_of_a_namespace_share_nobody_and_leave_nobody_out() -> None:
    parts = [
        running("one", namespace=Namespace("space", 0, 0.4)),
        running("two", namespace=Namespace("space", 0.4, 1)),
    ]
    found = [keys_of(unit, *parts) for unit in UNITS]

    assert {len(each) for each in found} == {1}
    assert stats.binomtest(found.count(["one"]), len(UNITS), 0.4).pvalue > 0.001


def test_who_was_in_an_arm_stays_in_it_whatever_the_hash_and_the_namespace_say() -> None:
    elsewhere = running(coverage=0.0, namespace=Namespace("space", 0, 0))
    unit = UNITS[0]

    assert arms_of(unit, elsewhere) == []
    assert arms_of(unit, elsewhere, sticky={"one": "b"}) == [
        Assignment("one", "b", {"strategy": "trending"}, STICKY, bucket("one", unit))
    ]


def test_who_was_held_out_stays_out() -> None:
    kept_in = next(unit for unit in UNITS if arms_of(unit, holdout(10))[0].arm == IN)

    assert keys_of(kept_in, holdout(10), running(), sticky={HOLDOUT: OUT, "one": "b"}) == [HOLDOUT]


def test_an_arm_that_is_no_more_keeps_nobody() -> None:
    assert arms_of(UNITS[0], running(), sticky={"one": "gone"}) == arms_of(UNITS[0], running())


def test_conditions_hold_for_those_who_were_in_it_too() -> None:
    experiment = running(targeting={"device": frozenset({"mobile"})})

    assert arms_of(UNITS[0], experiment, context={"device": "desktop"}, sticky={"one": "b"}) == []


def test_an_experiments_arm_that_shows_nothing_ends_no_other_experiment() -> None:
    hiding = running("hiding", arms=(Arm(CONTROL, {SHOW: NOTHING}), Arm("b", {SHOW: NOTHING})))

    assert keys_of(UNITS[0], hiding, running("one")) == ["hiding", "one"]


@pytest.mark.parametrize(
    ("other", "reasons"),
    [
        pytest.param(running("two"), 1, id="the same thing in every slot"),
        pytest.param(running("two", slots=frozenset({"cart"})), 1, id="the same thing in one slot"),
        pytest.param(running("two", arms=(Arm(CONTROL), Arm("b", {"copy": "x"}))), 0, id="another thing"),
        pytest.param(running("two", namespace=Namespace("other", 0, 0.5)), 1, id="another namespace"),
        pytest.param(running("two", namespace=Namespace("space", 0.5, 1)), 0, id="apart in the namespace"),
        pytest.param(running("two", namespace=Namespace("space", 0.4, 1)), 1, id="overlapping"),
    ],
)
def test_clashes(other: Running, reasons: int) -> None:
    one = running("one", namespace=Namespace("space", 0, 0.5))

    assert len(list(clashes(one, other))) == len(list(clashes(other, one))) == reasons


def test_experiments_of_other_slots_do_not_clash() -> None:
    one, other = (running(key, slots=frozenset({slot})) for key, slot in [("one", "cart"), ("two", "home")])

    assert list(clashes(one, other)) == []


# --- properties -----------------------------------------------------------------------------------------------------


@given(st.sampled_from(UNITS), st.randoms(use_true_random=False))
def test_the_order_of_what_runs_does_not_matter(unit: str, random: Any) -> None:
    on = [holdout(10), standing("cart", 10), running("one"), running("two", coverage=0.5), running("three")]
    shuffled = random.sample(on, len(on))

    assert arms_of(unit, *shuffled) == arms_of(unit, *on)


@given(st.sampled_from(UNITS), st.sampled_from([arm.key for arm in ARMS]), st.floats(0, 1), st.floats(0, 1))
def test_stickiness_holds_through_any_change_of_coverage_and_namespace(
    unit: str, arm: str, coverage: float, start: float
) -> None:
    experiment = running(coverage=coverage, namespace=Namespace("space", start, 1))

    (found,) = arms_of(unit, experiment, sticky={"one": arm})

    assert (found.arm, found.reason) == (arm, STICKY)


@given(st.sampled_from(UNITS), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_a_visitor_is_in_one_part_of_a_namespace(unit: str, cuts: list[float]) -> None:
    edges = [0.0, *sorted(cuts), 1.0]
    parts = [
        running(f"part_{n}", namespace=Namespace("space", start, end))
        for n, (start, end) in enumerate(itertools.pairwise(edges))
    ]

    assert len(arms_of(unit, *parts)) == 1


@given(st.sampled_from(UNITS), st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_with_full_coverage_everybody_is_in_one_arm(unit: str, weights: list[int]) -> None:
    arms = tuple(Arm(f"a{n}") for n in range(len(weights)))
    shares = [weight / sum(weights) for weight in weights]

    assert len(arms_of(unit, Running("one", arms, tuple(bucket_ranges(len(arms), 1, shares))))) == 1
