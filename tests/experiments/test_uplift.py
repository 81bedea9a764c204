"""The statistics agree with an independent implementation (tea-tasting), however the sums are added up."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tea_tasting as tt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tea_tasting.metrics.mean import MeanResult

from app.experiments import uplift
from app.experiments.uplift import Estimate, Metric, Totals

RELATIVE = 1e-9
"""1e-6 is what is promised."""


@pytest.fixture(scope="module")
def visitors() -> dict[str, np.ndarray]:
    """Visitors of two arms of unequal size: most buy nothing, some much, and who bought before buys more."""
    random = np.random.default_rng(20)
    count = 5_000
    variant = (random.random(count) < 0.4).astype(np.int64)
    keen = random.gamma(0.5, 2.0, count)
    orders = random.poisson(0.1 * keen * (1 + 0.3 * variant))
    before_orders = random.poisson(0.3 * keen)
    return {
        "variant": variant,
        "orders": orders,
        "buyers": (orders > 0).astype(np.int64),
        "revenue": np.round(orders * random.lognormal(8.0, 1.0, count)),
        "before": np.round(before_orders * random.lognormal(8.0, 1.0, count)),
    }


def arms_of(visitors: Mapping[str, np.ndarray]) -> dict[str, Totals]:
    return {
        name: Totals.of(
            {
                column: values[visitors["variant"] == variant]
                for column, values in visitors.items()
                if column != "variant"
            }
        )
        for name, variant in (("control", 0), ("treatment", 1))
    }


ORACLE: list[Any] = [
    pytest.param(
        Metric("revenue_per_visitor", "revenue"),
        partial(tt.Mean, "revenue"),
        id="mean per visitor, heavy-tailed",
    ),
    pytest.param(
        Metric("revenue_per_visitor", "revenue", covariate="before"),
        partial(tt.Mean, "revenue", "before"),
        id="mean per visitor, CUPED",
    ),
    pytest.param(Metric("conversion", "buyers"), partial(tt.Mean, "buyers"), id="conversion"),
    pytest.param(
        Metric("average_order_value", "revenue", denominator="orders"),
        partial(tt.RatioOfMeans, "revenue", "orders"),
        id="ratio of means",
    ),
    pytest.param(
        Metric("average_order_value", "revenue", denominator="orders", covariate="before"),
        partial(tt.RatioOfMeans, "revenue", "orders", "before"),
        id="ratio of means, CUPED",
    ),
]


@pytest.mark.parametrize("alpha", [0.05, 0.001], ids=["95 %", "99.9 %"])
@pytest.mark.parametrize(("metric", "oracle"), ORACLE)
def test_it_agrees_with_the_oracle(
    visitors: dict[str, np.ndarray], metric: Metric, oracle: Callable[..., Any], alpha: float
) -> None:
    asked = oracle(confidence_level=1 - alpha, equal_var=False, use_t=True)
    expected = tt.Experiment(metric=asked).analyze(pa.table(visitors), control=0)["metric"]
    measured = uplift.estimates(metric, arms_of(visitors))

    found = uplift.compare(measured["treatment"], measured["control"], alpha)

    assert measured["control"].value == pytest.approx(expected.control, rel=RELATIVE)
    assert measured["treatment"].value == pytest.approx(expected.treatment, rel=RELATIVE)
    assert found.difference == pytest.approx(expected.effect_size, rel=RELATIVE)
    assert found.difference / found.standard_error == pytest.approx(expected.statistic, rel=RELATIVE)
    assert found.low == pytest.approx(expected.effect_size_ci_lower, rel=RELATIVE)
    assert found.high == pytest.approx(expected.effect_size_ci_upper, rel=RELATIVE)
    assert found.relative == pytest.approx(expected.rel_effect_size, rel=RELATIVE)
    assert found.relative_low == pytest.approx(expected.rel_effect_size_ci_lower, rel=RELATIVE)
    assert found.relative_high == pytest.approx(expected.rel_effect_size_ci_upper, rel=RELATIVE)
    assert found.p_value == pytest.approx(expected.pvalue, rel=RELATIVE)


def test_cuped_narrows_the_interval_by_what_it_explains(visitors: dict[str, np.ndarray]) -> None:
    arms = arms_of(visitors)
    plain = uplift.estimates(Metric("plain", "revenue"), arms)
    metric = Metric("adjusted", "revenue", covariate="before")
    adjusted = uplift.estimates(metric, arms)
    share = uplift.explained(metric, arms)

    correlation = np.corrcoef(visitors["revenue"], visitors["before"])[0, 1]
    assert share == pytest.approx(correlation**2)
    assert adjusted["control"].variance < plain["control"].variance
    assert uplift.explained(Metric("plain", "revenue"), arms) == 0.0


@pytest.mark.parametrize(
    "before",
    [pytest.param(None, id="no covariate"), pytest.param(0.0, id="the same for everybody")],
)
def test_without_a_past_cuped_is_the_plain_mean(
    visitors: dict[str, np.ndarray], before: float | None
) -> None:
    rest = {column: values for column, values in visitors.items() if column != "before"}
    if before is not None:
        rest["before"] = np.full(len(visitors["revenue"]), before)
    arms = arms_of(rest)

    assert uplift.estimates(uplift.REVENUE_PER_VISITOR, arms) == uplift.estimates(
        Metric("plain", "revenue"), arms
    )


# --- sums -----------------------------------------------------------------------------------------------

WHOLE = st.integers(-(10**6), 10**6).map(float)


@given(
    rows=hnp.arrays(np.float64, st.tuples(st.just(2), st.integers(4, 40)), elements=WHOLE),
    cut=st.integers(0, 40),
)
def test_parts_add_up_to_the_whole(rows: np.ndarray, cut: int) -> None:
    whole = Totals.of({"a": rows[0], "b": rows[1]})

    added = Totals.of({"a": rows[0, :cut], "b": rows[1, :cut]}) + Totals.of(
        {"a": rows[0, cut:], "b": rows[1, cut:]}
    )

    # Whole numbers of this size add up exactly.
    assert added.to_json() == whole.to_json()
    assert whole.covariances() == pytest.approx(np.cov(rows), rel=1e-9, abs=1e-3)


def test_sums_of_a_database_are_the_sums_of_rows() -> None:
    rows = Totals.of({"revenue": [0.0, 500.0, 1200.0], "orders": [0, 1, 2]})

    summed = Totals.from_sums(
        3,
        {"revenue": 1700.0, "orders": 3.0},
        {("revenue", "revenue"): 1_690_000.0, ("orders", "revenue"): 2900.0, ("orders", "orders"): 5.0},
    )

    assert summed.to_json() == rows.to_json()
    assert Totals.from_json(rows.to_json()).to_json() == rows.to_json()


def test_sums_of_different_things_are_not_added() -> None:
    with pytest.raises(ValueError, match="the columns differ"):
        Totals.of({"revenue": [1.0]}) + Totals.of({"orders": [1.0]})


@pytest.mark.parametrize(
    ("metric", "rows", "possible"),
    [
        pytest.param(uplift.REVENUE_PER_VISITOR, {"revenue": [0.0, 0.0]}, True, id="nobody bought"),
        pytest.param(uplift.REVENUE_PER_VISITOR, {"revenue": [5.0]}, False, id="a single visitor"),
        pytest.param(uplift.MARGIN_PER_VISITOR, {"revenue": [0.0, 1.0]}, False, id="costs unknown"),
        pytest.param(
            uplift.AVERAGE_ORDER_VALUE,
            {"revenue": [0.0, 0.0], "orders": [0, 0]},
            False,
            id="no orders to divide by",
        ),
    ],
)
def test_what_can_be_computed(metric: Metric, rows: dict[str, list[float]], possible: bool) -> None:
    assert uplift.computable(metric, {"control": Totals.of(rows), "shown": Totals.of(rows)}) is possible


# --- effects --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("treatment", "control"),
    [
        pytest.param(-3.0, 5.0, id="refunds exceed what the arm sold"),
        pytest.param(3.0, 0.0, id="control sold nothing"),
    ],
)
def test_a_lift_over_nothing_is_not_stated(treatment: float, control: float) -> None:
    found = uplift.compare(Estimate(treatment, 4.0, 100), Estimate(control, 4.0, 100))

    assert (found.relative, found.relative_low, found.relative_high) == (None, None, None)
    assert found.direction == (1 if treatment > control else -1)


def test_arms_without_variance_say_nothing() -> None:
    found = uplift.compare(Estimate(0.0, 0.0, 100), Estimate(0.0, 0.0, 100))

    assert found.direction == 0
    assert found.to_json() == {
        "difference": 0.0,
        "standard_error": 0.0,
        "interval": [None, None],
        "relative": None,
        "relative_interval": None,
        "p_value": 1.0,
    }


@given(
    treatment=st.floats(0.1, 10.0), control=st.floats(0.1, 10.0), variance=st.floats(0.01, 100.0),
    visitors=st.integers(2, 10_000),
)  # fmt: skip
def test_swapped_arms_are_mirrored(treatment: float, control: float, variance: float, visitors: int) -> None:
    one, other = Estimate(treatment, variance, visitors), Estimate(control, 2 * variance, 2 * visitors)

    forth, back = uplift.compare(one, other), uplift.compare(other, one)

    assert forth.difference == -back.difference
    assert forth.low == pytest.approx(-back.high)
    assert forth.p_value == back.p_value
    assert forth.direction == -back.direction
    assert forth.relative is not None
    assert back.relative is not None
    assert (1 + forth.relative) * (1 + back.relative) == pytest.approx(1.0)


# --- caps -----------------------------------------------------------------------------------------------


def test_one_enormous_order_does_not_decide() -> None:
    spent = np.concatenate([np.zeros(900), np.full(99, 5_000.0), [1_000_000.0]])

    cap = uplift.cap_from(spent, share=0.99)

    assert cap == 5_000.0


def test_few_buyers_do_not_tell_what_is_extreme() -> None:
    assert uplift.cap_from(np.concatenate([np.zeros(10_000), np.arange(1.0, 100.0)])) is None


# --- several arms ---------------------------------------------------------------------------------------


def test_holm_agrees_with_the_oracle() -> None:
    p_values = [0.04, 0.001, 0.03, 0.9, 0.02]
    result = {
        str(place): tt.experiment.ExperimentResult({"metric": MeanResult(*[0.0] * 8, p, 0.0)})
        for place, p in enumerate(p_values)
    }

    expected = tt.adjust_fwer(result, method="bonferroni", arbitrary_dependence=True)

    assert uplift.holm(p_values) == pytest.approx([row["pvalue_adj"] for row in expected.to_dicts()])


@given(p_values=st.lists(st.floats(0.0, 1.0), max_size=8))
def test_holm_is_between_nothing_and_bonferroni(p_values: list[float]) -> None:
    adjusted = uplift.holm(p_values)

    assert all(
        plain <= corrected <= min(1.0, len(p_values) * plain) + 1e-12
        for plain, corrected in zip(p_values, adjusted, strict=True)
    )


@given(alpha=st.floats(0.001, 0.2), comparisons=st.integers(1, 20))
def test_sidak_misses_no_more_in_all_than_asked(alpha: float, comparisons: int) -> None:
    level = uplift.sidak(alpha, comparisons)

    assert 1 - (1 - level) ** comparisons == pytest.approx(alpha)
    assert alpha / comparisons <= level * (1 + 1e-12) <= alpha * (1 + 1e-9)
    assert math.isclose(uplift.sidak(alpha, 0), alpha)
