"""A small year under a price rule: margins not lower than at fixed prices, every was-price judged rightly.

The seeds are fixed, so that these pass or fail by what the code does and not by chance. Forty products and more years
are in ``python -m benchmarks.pricing``.
"""

import numpy as np
import pytest

from app.pricing.rules import AUTOMATIC, Rule
from benchmarks import pricing
from benchmarks.pricing import CAMPAIGNS, Comparison, Ware, campaign, compare, count_of


@pytest.fixture(scope="module")
def small() -> Comparison:
    """Twenty-four products and eight months."""
    return compare([1], products=24, days=240)


def test_the_margin_is_not_below_that_of_fixed_prices(small: Comparison) -> None:
    low, high = small.interval(np.random.default_rng(0))
    print(f"margin {small.gain():+.2%} (95 % from {low:+.2%} to {high:+.2%}), {small.changes} changes")
    assert small.changes > 0
    assert low <= small.gain() <= high
    # So few products leave an interval of a percent to each side.
    assert high > 0
    assert small.gain() > -0.005


def test_the_ledger_judges_every_was_price_of_the_year_rightly(small: Comparison) -> None:
    proved = sum(claim.proven for claim in small.claims)
    print(f"{proved} proved, {len(small.claims) - proved} refused")
    assert [claim for claim in small.claims if claim.proven is not claim.true] == []
    assert 0 < proved < len(small.claims)


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_the_ledger_judges_a_planted_campaign_as_it_was_planted(name: str) -> None:
    for seed in range(5):
        claim = campaign(name, np.random.default_rng(seed))
        assert claim.proven is claim.true


def test_prices_of_the_year_keep_the_rules_guards() -> None:
    rule = Rule.from_json("year", AUTOMATIC, pricing.DEFINITION)
    random = np.random.default_rng(1)
    goods = pricing.wares(4, random)
    sky = pricing.weather(4, pricing.WARM_UP + 120, random)
    shelves = pricing.year(goods, sky, rule, 120)
    assert any(shelf.changed for shelf in shelves)
    for shelf in shelves:
        base = shelf.ware.base
        for since, price in shelf.asked:
            if price is not None and since in shelf.changed:
                assert base * 90 <= price * 100 <= base * 112
                assert price % 100 in (49, 99)
        rests = zip(shelf.changed, shelf.changed[1:], strict=False)
        assert all(after - before >= rule.guards.common.cooling for before, after in rests)


def test_both_years_are_the_same_where_no_price_moves() -> None:
    random = np.random.default_rng(5)
    goods, sky = pricing.wares(3, random), pricing.weather(3, pricing.WARM_UP + 30, random)
    sold = [[shelf.sold for shelf in pricing.year(goods, sky, None, 30)] for _ in range(2)]
    assert sold[0] == sold[1]
    assert any(count for shelf in sold[0] for count in shelf)


def test_demand_follows_its_elasticity() -> None:
    ware = Ware("p", 1_000, 500, 6.0, -2.0, 3, 1.0, 30.0)
    assert ware.wanted(1_000) == pytest.approx(6.0)
    assert ware.wanted(2_000) == pytest.approx(1.5)
    chances = np.random.default_rng(0).uniform(size=20_000)
    counts = [count_of(2.5, float(chance)) for chance in chances]
    assert np.mean(counts) == pytest.approx(2.5, abs=0.05)
    assert np.var(counts) == pytest.approx(2.5, abs=0.1)
