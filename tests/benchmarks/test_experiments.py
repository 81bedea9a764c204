"""The experiments' statistics are wrong no oftener than they say, on synthetic shoppers whose truth is known.

The seeds are fixed, so that these pass or fail by what the code does and not by chance.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from app.experiments import power, uplift
from benchmarks import experiments
from benchmarks.experiments import DAYS, Shop


@pytest.fixture(scope="module")
def shop() -> Shop:
    """A shop with the cap of an earlier period."""
    return experiments.capped(Shop())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="a shop"),
        pytest.param({"cap": 9_000.0, "share": 0.8, "lift": 0.5}, id="with a cap and a lift"),
    ],
)
def test_shoppers_are_as_the_shop_says(change: dict[str, float]) -> None:
    """Means of a large experiment are the exact ones, within five standard errors."""
    shop, visitors = replace(Shop(), **change), 400_000

    (batch,) = experiments.simulate(shop, 1, visitors, np.random.default_rng(4))

    arms = batch.arms(0, DAYS - 1)
    assert sum(arm.visitors for arm in arms.values()) == visitors
    assert arms["b"].visitors / visitors == pytest.approx(shop.share, abs=0.005)
    days = np.arange(DAYS)
    left = (DAYS - 1 - days) / (DAYS - 1)
    sooner = 0.85**days / (0.85**days).sum()
    visits = (
        1
        + (1 - shop.returning) * shop.visits[0] * left.mean()
        + shop.returning * shop.visits[1] * (sooner @ left)
    )
    value = math.exp(math.log(shop.value) + (shop.spread**2 + shop.taste**2) / 2)
    for name, lift in (("control", 0.0), ("b", shop.lift)):
        orders = shop.conversion * (1 + lift) * visits
        found = uplift.estimates(uplift.Metric("orders", uplift.ORDERS), {name: arms[name]})[name]
        assert abs(found.value - orders) < 5 * math.sqrt(found.error)
        if shop.cap is None:
            found = uplift.estimates(uplift.Metric("revenue", uplift.REVENUE), {name: arms[name]})[name]
            assert abs(found.value - orders * value) < 5 * math.sqrt(found.error)
        else:
            assert arms[name].sum(uplift.REVENUE) < shop.cap * arms[name].sum(uplift.BUYERS)


def test_sums_are_those_of_whole_numbers_and_only_grow(shop: Shop) -> None:
    (batch,) = experiments.simulate(shop, 20, 3_000, np.random.default_rng(5))

    assert len(batch) == 20
    for day in (0, 13, DAYS - 1):
        for totals in batch.arms(7, day).values():
            # A buyer counts one, so that the sum of squares is the sum.
            buyers = totals.columns.index(uplift.BUYERS)
            assert totals.products[buyers, buyers] == totals.sums[buyers] <= totals.sum(uplift.ORDERS)
            assert np.all(np.linalg.eigvalsh(totals.covariances()) > -1e-6)
    assert np.all(np.diff(batch.visitors, axis=1) >= 0)
    assert np.all(np.diff(batch.sums, axis=1) >= -1e-6)


def test_arms_that_are_alike_are_called_so(shop: Shop) -> None:
    found = experiments.calls(shop, runs=2_000, visitors=10_000)

    assert 0.04 <= found.once <= 0.06
    assert 0.0 < found.daily <= 0.05
    # What daily looks do to the usual interval: else there would be nothing to guard against.
    assert found.peeking > 0.15


def test_small_unequal_arms_wait_until_there_is_enough(shop: Shop) -> None:
    # Heavy tails, no cap, a control of a tenth with 30 buyers by the end: where the normal approximation is worst.
    found = experiments.calls(Shop(spread=1.2, share=0.9), runs=300, visitors=10_000)

    assert found.daily <= 0.05


@pytest.mark.parametrize(
    ("lift", "daily", "runs"),
    [
        pytest.param(0.05, False, 160, id="5 %, a single look"),
        pytest.param(0.1, True, 160, id="10 %, always-valid"),
    ],
)
def test_a_planted_lift_is_found_as_often_as_promised(lift: float, daily: bool, runs: int) -> None:
    # A shop that sells to a third of its visitors needs few of them; the bench takes a usual one.
    shop = experiments.capped(Shop(conversion=0.3, visits=(0.3, 1.0), spread=0.3, taste=0.2))
    design = power.Design(daily=daily)
    needed = power.visitors_needed(experiments.earlier(shop, visitors=50_000), lift, design)

    found = experiments.found(replace(shop, lift=lift), runs, needed, daily=daily)

    error = math.sqrt(design.power * (1 - design.power) / runs)
    assert design.power - 2 * error <= found <= design.power + 4 * error


def test_lost_visitors_block_the_verdict(shop: Shop) -> None:
    assert experiments.blocked(replace(shop, lost=0.1), runs=100, visitors=10_000) >= 0.9
    assert experiments.blocked(shop, runs=100, visitors=10_000) <= 0.01
