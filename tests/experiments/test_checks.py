"""Faults in who was counted are found, and seldom where there are none."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tea_tasting as tt
from hypothesis import given
from hypothesis import strategies as st

from app.experiments import checks
from app.experiments.uplift import Totals


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    [
        pytest.param(5_000, 5_000, 1.0, id="exactly as planned"),
        pytest.param(5_000, 5_100, 1.0, id="by chance"),
        pytest.param(5_000, 5_400, 1.0, id="hardly by chance"),
        pytest.param(9_000, 1_010, 1 / 9, id="unequal shares"),
    ],
)
def test_the_sample_ratio_agrees_with_the_oracle(first: int, second: int, ratio: float) -> None:
    table = pa.table({"variant": np.repeat([0, 1], [first, second])})
    oracle = tt.SampleRatio(ratio, method="norm", correction=False)
    expected = tt.Experiment(split=oracle).analyze(table, control=0)["split"]

    found = checks.sample_ratio({"a": first, "b": second}, {"a": 1.0, "b": ratio})

    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6)


def test_three_arms_agree_with_scipy() -> None:
    from scipy.stats import chisquare

    found = checks.sample_ratio({"a": 510, "b": 260, "c": 230}, {"a": 2, "b": 1, "c": 1})

    assert found.p_value == pytest.approx(chisquare([510, 260, 230], [500, 250, 250]).pvalue, rel=1e-9)


def test_lost_visitors_block_the_verdict_and_are_said() -> None:
    found = checks.sample_ratio({"control": 5_000, "b": 4_600}, {"control": 1, "b": 1})

    assert (found.passed, found.blocks) == (False, True)
    assert found.sentence == (
        "Visitors are not split as planned: 5,000 in control, 4,600 in b, where 4,800 in control, 4,800 in b were"
        " expected (p = 4e-05). Some are lost or counted twice, and the figures cannot be trusted until it is known"
        " why."
    )


def test_an_arm_that_nobody_came_upon_blocks_the_verdict() -> None:
    found = checks.sample_ratio({"control": 400}, {"control": 1, "b": 1})

    assert not found.passed
    assert found.found == {"control": 400.0, "b": 0.0}


@pytest.mark.parametrize(
    ("visitors", "shares"),
    [
        pytest.param({}, {"control": 1, "b": 1}, id="nobody yet"),
        pytest.param({"control": 9}, {"control": 1, "b": 1}, id="a handful"),
        pytest.param({"control": 5_000}, {"control": 1.0, "b": 0.0}, id="nothing to split"),
    ],
)
def test_too_few_are_not_checked(visitors: dict[str, int], shares: dict[str, float]) -> None:
    found = checks.sample_ratio(visitors, shares)

    assert (found.passed, found.p_value) == (True, None)


def test_visitors_of_an_arm_without_a_share_are_an_error() -> None:
    with pytest.raises(ValueError, match="no share of visitors was planned for c"):
        checks.sample_ratio({"control": 1, "b": 1, "c": 1}, {"control": 1, "b": 1, "c": 0})


@given(visitors=st.integers(20, 10**7), share=st.floats(0.01, 0.99), scale=st.floats(0.01, 100))
def test_only_proportions_of_shares_count(visitors: int, share: float, scale: float) -> None:
    counts = {"a": visitors // 3, "b": visitors - visitors // 3}

    one = checks.sample_ratio(counts, {"a": share, "b": 1 - share})
    other = checks.sample_ratio(counts, {"a": share * scale, "b": (1 - share) * scale})

    assert one.passed == other.passed
    assert (one.p_value or 0.0) == pytest.approx(other.p_value or 0.0, rel=1e-3, abs=1e-12)


@pytest.mark.parametrize(
    ("visitors", "multiple", "passed", "sentence"),
    [
        pytest.param(0, 0, True, "0 visitors (0.0 %) came upon more than one arm and are left out.", id="nobody"),
        pytest.param(990, 10, True, "10 visitors (1.0 %) came upon more than one arm and are left out.", id="few"),
        pytest.param(
            980, 20, False,
            "20 visitors (2.0 %) came upon more than one arm and are left out: more than the 1 % that is usual.",
            id="many",
        ),
    ],
)  # fmt: skip
def test_visitors_of_several_arms_are_counted(
    visitors: int, multiple: int, passed: bool, sentence: str
) -> None:
    found = checks.multiple_exposure(visitors, multiple)

    assert (found.passed, found.blocks, found.sentence) == (passed, False, sentence)


def spent_before(mean: float, count: int = 2_000) -> Totals:
    values = np.random.default_rng(8).exponential(1.0, count)
    return Totals.of({"revenue": np.zeros(count), "before": values * mean})


@pytest.mark.parametrize(
    ("arms", "passed"),
    [
        pytest.param({"control": spent_before(100), "b": spent_before(101)}, True, id="alike"),
        pytest.param({"control": spent_before(100), "b": spent_before(130)}, False, id="unlike"),
        pytest.param(
            {"control": spent_before(100), "b": spent_before(101), "c": spent_before(60)},
            False,
            id="one of two unlike",
        ),
        pytest.param({"control": Totals.of({"revenue": [1.0, 2.0]})}, True, id="a single arm"),
        pytest.param(
            {name: Totals.of({"revenue": [1.0, 2.0]}) for name in ("control", "b")},
            True,
            id="nothing known of before",
        ),
        pytest.param({"control": spent_before(0), "b": spent_before(0)}, True, id="nobody was there before"),
    ],
)
def test_arms_that_were_unlike_before_are_found(arms: dict[str, Totals], passed: bool) -> None:
    found = checks.pre_exposure(arms, "control")

    assert (found.passed, found.blocks) == (passed, False)


def test_a_check_is_json() -> None:
    found: dict[str, Any] = checks.multiple_exposure(990, 10).to_json()

    assert found == {
        "name": "multiple_exposure",
        "passed": True,
        "blocks": False,
        "p_value": None,
        "sentence": "10 visitors (1.0 %) came upon more than one arm and are left out.",
        "found": {"multiple": 10.0, "share": 0.01},
    }
