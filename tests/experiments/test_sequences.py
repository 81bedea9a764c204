"""The always-valid interval is the paper's, narrowest where it was planned, and never narrower than promised."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.experiments import sequences, uplift
from app.experiments.uplift import Estimate

ALPHAS = st.floats(1e-6, 0.2)
VISITORS = st.integers(1, 10**8)


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.01, 1e-6])
def test_rho_is_lamberts(alpha: float) -> None:
    from scipy.special import lambertw

    assert sequences.narrowest(alpha) == pytest.approx(
        -lambertw(-(alpha**2) / math.e, k=-1).real - 1.0, rel=1e-9
    )


@given(visitors=VISITORS, planned=VISITORS, alpha=ALPHAS)
def test_the_half_width_is_the_papers(visitors: int, planned: int, alpha: float) -> None:
    # The formula as it stands in the paper, for a standard deviation of one.
    rho2 = sequences.rho_squared(planned, alpha)
    paper = math.sqrt(
        2 * (visitors * rho2 + 1) / (visitors**2 * rho2) * math.log(math.sqrt(visitors * rho2 + 1) / alpha)
    )

    assert sequences.multiplier(visitors, planned, alpha) / math.sqrt(visitors) == pytest.approx(paper)


@given(visitors=VISITORS, planned=VISITORS, alpha=ALPHAS)
def test_it_is_narrowest_at_the_planned_number(visitors: int, planned: int, alpha: float) -> None:
    least = sequences.multiplier(planned, planned, alpha)

    assert least == pytest.approx(math.sqrt(1 + sequences.narrowest(alpha)))
    assert sequences.multiplier(visitors, planned, alpha) >= least * (1 - 1e-12)


def test_five_percent_cost_three_standard_errors() -> None:
    assert sequences.multiplier(5000, 5000, 0.05) == pytest.approx(3.0351, abs=1e-4)


@given(visitors=VISITORS, planned=VISITORS, alpha=ALPHAS)
def test_the_p_value_is_alpha_where_the_interval_ends_at_no_difference(
    visitors: int, planned: int, alpha: float
) -> None:
    score = sequences.multiplier(visitors, planned, alpha)

    assert sequences.p_value(score, visitors, planned, alpha) == pytest.approx(alpha, rel=1e-6)
    assert sequences.p_value(-score, visitors, planned, alpha) == pytest.approx(alpha, rel=1e-6)


def test_an_arm_is_compared_on_both_scales() -> None:
    treatment, control = Estimate(110.0, 40_000.0, 10_000), Estimate(100.0, 30_000.0, 10_000)
    error, log_error = math.sqrt(7.0), math.sqrt(4.0 / 110.0**2 + 3.0 / 100.0**2)

    found = sequences.compare(treatment, control, planned=20_000)

    wide = math.sqrt(1 + sequences.narrowest(0.05))
    assert found.difference == 10.0
    assert (found.low, found.high) == pytest.approx((10.0 - wide * error, 10.0 + wide * error))
    assert found.relative == pytest.approx(0.1)
    assert found.relative_low == pytest.approx(1.1 * math.exp(-wide * log_error) - 1)
    assert found.relative_high == pytest.approx(1.1 * math.exp(wide * log_error) - 1)
    assert found.direction == 1
    assert found.p_value == pytest.approx(sequences.p_value(10.0 / error, 20_000, 20_000))


@given(visitors=st.integers(2, 10**7), planned=VISITORS, alpha=st.floats(0.001, 0.2))
def test_it_is_wider_than_the_interval_of_a_single_look(visitors: int, planned: int, alpha: float) -> None:
    # Normal, not Student: of a handful of visitors nothing is said anyway.
    from scipy.special import ndtri

    assert sequences.multiplier(visitors, planned, alpha) > ndtri(1 - alpha / 2)


def test_arms_without_variance_say_nothing() -> None:
    found = sequences.compare(Estimate(1.0, 0.0, 500), Estimate(0.0, 0.0, 500))

    assert found == uplift.unknown(Estimate(1.0, 0.0, 500), Estimate(0.0, 0.0, 500))
    assert found.direction == 0
    assert found.p_value == 1.0


@pytest.mark.parametrize(
    ("visitors", "buyers", "enough"),
    [
        pytest.param(sequences.FEWEST_VISITORS, sequences.FEWEST_BUYERS, True, id="just enough"),
        pytest.param(sequences.FEWEST_VISITORS - 1, 10_000, False, id="too few visitors"),
        pytest.param(10_000, sequences.FEWEST_BUYERS - 1, False, id="too few buyers"),
    ],
)
def test_there_is_a_start(visitors: int, buyers: int, enough: bool) -> None:
    assert sequences.started(visitors, buyers) is enough
