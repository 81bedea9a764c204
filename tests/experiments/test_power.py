"""The number of visitors asked for is the oracle's, and a store is told what it cannot see."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
import tea_tasting as tt
from hypothesis import given
from hypothesis import strategies as st

from app.experiments import power, sequences
from app.experiments.power import Design, Shoppers

ONCE = Design(daily=False)

SHOPPERS = st.builds(
    Shoppers,
    per_week=st.floats(1, 1e6),
    mean=st.floats(0.1, 1e4),
    variance=st.floats(1.0, 1e10),
    explained=st.floats(0.0, 0.9),
)
DESIGNS = st.builds(
    Design,
    power=st.floats(0.5, 0.95),
    share=st.floats(0.05, 0.95),
    comparisons=st.integers(1, 4),
    daily=st.booleans(),
)


@pytest.mark.parametrize("covariate", [None, "before"], ids=["plain", "CUPED"])
@pytest.mark.parametrize("share", [0.5, 0.9], ids=["equal arms", "a tenth in control"])
def test_the_power_is_the_oracles(covariate: str | None, share: float) -> None:
    random = np.random.default_rng(3)
    keen = random.gamma(1.0, 1.0, 4_000)
    spent, before = keen * random.exponential(1.0, 4_000), keen * random.exponential(1.0, 4_000)
    variances = np.cov(spent, before)
    explained = 0.0 if covariate is None else variances[0, 1] ** 2 / variances[0, 0] / variances[1, 1]
    shoppers = Shoppers(1.0, spent.mean(), variances[0, 0], explained)
    # The oracle's treated arm varies as control does; so does ours as the lift goes to nothing.
    lift = 1e-7
    visitors = round(
        (2.5 / lift) ** 2 * variances[0, 0] * (1 - explained) / share / (1 - share) / spent.mean() ** 2
    )
    oracle = tt.Mean(
        "spent",
        covariate,
        rel_effect_size=lift,
        n_obs=visitors,
        ratio=share / (1 - share),
        equal_var=False,
        use_t=False,
    )
    expected = oracle.solve_power(pa.table({"spent": spent, "before": before}), "power")[0].power

    assert power.power_of(shoppers, lift, visitors, Design(share=share, daily=False)) == pytest.approx(
        expected, rel=1e-5
    )
    assert expected == pytest.approx(0.705, abs=1e-3)


def test_sixteen_s_squared_over_d_squared() -> None:
    # Lehr's rule is for an arm: 15.7 to be precise, and the treated arm's larger variance makes it 16.5 for 5 % more.
    shoppers = Shoppers(1_000.0, 100.0, 200.0**2)

    needed = power.visitors_needed(shoppers, 0.05, ONCE)

    assert needed == math.ceil((1.959964 + 0.841621) ** 2 * 2 * 40_000 * (1 + 1.05**2) / 25)
    assert needed / 2 / (40_000 / 25) == pytest.approx(16.5, abs=0.01)


def test_daily_looks_take_ninety_percent_more_visitors() -> None:
    shoppers = Shoppers(1_000.0, 100.0, 200.0**2)

    once, daily = (power.visitors_needed(shoppers, 0.05, design) for design in (ONCE, Design()))

    assert Design().critical() == pytest.approx(sequences.multiplier(daily, daily))
    assert daily / once == pytest.approx(1.915, abs=1e-3)


@given(shoppers=SHOPPERS, lift=st.floats(0.001, 2.0), design=DESIGNS)
def test_as_many_as_needed_have_the_power_and_one_fewer_have_not(
    shoppers: Shoppers, lift: float, design: Design
) -> None:
    needed = power.visitors_needed(shoppers, lift, design)

    assert power.power_of(shoppers, lift, needed, design) >= design.power - 1e-9
    if needed > 1:
        # The other tail, which the formula leaves out, is the tolerance.
        assert power.power_of(shoppers, lift, needed - 1, design) <= design.power + 0.01


@given(shoppers=SHOPPERS, lift=st.floats(0.001, 2.0), design=DESIGNS)
def test_the_smallest_lift_undoes_the_number_of_visitors(
    shoppers: Shoppers, lift: float, design: Design
) -> None:
    needed = power.visitors_needed(shoppers, lift, design)

    # Rounding the number up makes the lift a little smaller.
    assert power.smallest_lift(shoppers, needed, design) <= lift * (1 + 1e-9)
    if needed > 1:
        assert power.smallest_lift(shoppers, needed - 1, design) > lift * (1 - 1e-9)


def test_cuped_takes_off_what_the_past_explains() -> None:
    plain, adjusted = (
        power.visitors_needed(Shoppers(1.0, 100.0, 1e6, explained), 0.05, ONCE) for explained in (0.0, 0.25)
    )

    assert adjusted == pytest.approx(0.75 * plain, abs=1)


@pytest.mark.parametrize(
    ("shoppers", "weeks", "sentence"),
    [
        pytest.param(
            Shoppers(40_000.0, 200.0, 600.0**2), 6,
            "This store needs 6 weeks to see a lift of 5 %: 227,512 visitors, at 40,000 a week.",
            id="in weeks",
        ),
        pytest.param(
            Shoppers(1e6, 200.0, 600.0**2), 2,
            "This store needs 2 weeks to see a lift of 5 %: 227,512 visitors, at 1,000,000 a week.",
            id="never less than two weeks",
        ),
        pytest.param(
            Shoppers(2_000.0, 200.0, 600.0**2), None,
            "A lift of 5 % cannot be seen in this store within 12 weeks: it takes 227,512 visitors, at 2,000 a week"
            " that is 114 weeks. The least that can be seen is 16.3 %.",
            id="not within a quarter",
        ),
        pytest.param(
            Shoppers(10.0, 200.0, 600.0**2), None,
            "A lift of 5 % cannot be seen in this store within 12 weeks: it takes 227,512 visitors, at 10 a week"
            " that is 22,752 weeks.",
            id="never",
        ),
        pytest.param(
            Shoppers(0.0, 0.0, 0.0), None,
            "Nothing is known yet of this store's visitors and what they spend, so nothing can be promised.",
            id="unknown",
        ),
    ],
)  # fmt: skip
def test_a_store_is_told_what_it_can_see(shoppers: Shoppers, weeks: int | None, sentence: str) -> None:
    found = power.forecast(shoppers)

    assert (found.weeks, found.sentence) == (weeks, sentence)
    assert json.loads(json.dumps(found.to_json()))["sentence"] == sentence
