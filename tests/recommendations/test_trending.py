"""What trends: more of the orders than before, surely, and recently."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from app.recommendations.trending import MIN_ORDERS, Trend, Windows, trending, windows_for
from tests.recommendations.sales import Sale, anonymous, history

TODAY = 20_000
WEEK = Windows(7, 56)
FILLER = 1


def steady(per_day: int, *products: int, days: range = range(63)) -> list[Sale]:
    """Return the same orders on each of so many days before today."""
    return [sale for age in days for sale in anonymous(TODAY - age, *products, times=per_day)]


def trends(sales: list[Sale], *older: int, windows: Windows = WEEK) -> list[Trend]:
    return trending(history(sales), TODAY, {FILLER, *older}, windows=windows)


def test_more_orders_than_before_are_a_trend_with_its_numbers() -> None:
    # given 5 orders a day, of which one a week held product 2, and 12 orders of it this week
    sales = steady(5, FILLER) + [s for week in range(1, 9) for s in anonymous(TODAY - 7 * week, FILLER, 2)]
    sales += anonymous(TODAY - 3, FILLER, 2, times=12)

    (found,) = trends(sales, 2)

    # then its share of the 288 earlier orders lets expect 8 / 288 of this week's 47
    assert (found.product, found.orders) == (2, 12)
    assert found.before == pytest.approx(8 * 47 / 288)
    chance = 47 / (47 + 288)
    assert found.p_value == pytest.approx(stats.binomtest(12, 20, chance, "greater").pvalue)
    low = stats.binomtest(12, 20, chance, "greater").proportion_ci(0.95, "exact").low
    assert found.growth == pytest.approx(low / (1 - low) * 288 / 47)


def test_a_busy_week_makes_nothing_trend() -> None:
    products = (FILLER, 2, 3)
    sales = steady(1, *products) + steady(20, *products, days=range(7))

    assert trends(sales, *products) == []


def test_one_order_less_than_the_least_is_no_trend() -> None:
    def rising(orders: int) -> list[int]:
        sales = steady(30, FILLER) + anonymous(TODAY, FILLER, 2, times=orders)
        return [t.product for t in trends(sales, 2)]

    assert (rising(MIN_ORDERS - 1), rising(MIN_ORDERS)) == ([], [2])


def test_among_many_products_a_middling_one_may_be_chance() -> None:
    # given a product that alone would pass at 5 in 100
    base = steady(20, FILLER) + [s for age in range(7, 63) for s in anonymous(TODAY - age, 2)]
    base += anonymous(TODAY - 1, 2, times=16)
    alone = trends(base, 2)

    # when a hundred others are looked at as well
    others = [s for product in range(100, 200) for age in range(63) for s in anonymous(TODAY - age, product)]
    many = trends(base + others, 2, *range(100, 200))

    assert [t.product for t in alone] == [2]
    assert alone[0].p_value < 0.05
    assert many == []


def test_a_new_product_is_measured_against_the_stores_typical_one() -> None:
    # given products that are bought 14 times a week each
    base = [s for product in (FILLER, 2, 3, 4) for s in steady(2, product)]

    typical = trends(base + anonymous(TODAY - 2, 9, times=14), 2, 3, 4)
    (found,) = trends(base + anonymous(TODAY - 2, 9, times=40), 2, 3, 4)

    assert typical == []
    assert (found.product, found.orders, found.before) == (9, 40, 14.0)
    assert found.growth == pytest.approx(stats.chi2.ppf(0.05, 80) / 2 / 14)


def test_an_old_product_that_nobody_bought_lately_is_not_new() -> None:
    base = [s for product in (FILLER, 2, 3, 4) for s in steady(2, product)]
    revived = base + anonymous(TODAY - 2, 9, times=8)

    assert trends(revived, 2, 3, 4) == []
    assert [(t.product, t.before) for t in trends(revived, 2, 3, 4, 9)] == [(9, 0.0)]


def test_days_before_a_product_was_on_sale_do_not_count_against_it() -> None:
    # given a product that is three weeks old and sells evenly since
    sales = steady(5, FILLER) + steady(2, FILLER, 2, days=range(21))

    assert trends(sales) == []
    assert [t.product for t in trends(sales, 2)] == [2]


def test_of_two_equal_rises_the_more_recent_comes_first() -> None:
    sales = steady(10, FILLER)
    sales += anonymous(TODAY - 6, FILLER, 2, times=12) + anonymous(TODAY, FILLER, 3, times=12)

    found = trends(sales, 2, 3)

    assert [t.product for t in found] == [3, 2]
    assert found[0].growth == found[1].growth
    assert found[0].recency > 1 > found[1].recency


def test_a_list_is_cut_at_its_limit() -> None:
    sales = steady(10, FILLER) + anonymous(TODAY, 2, 3, times=12)

    found = trending(history(sales), TODAY, {FILLER, 2, 3}, windows=WEEK, limit=1)

    assert [t.product for t in found] == [2]


@pytest.mark.parametrize(
    "sales",
    [[], anonymous(TODAY, 2, times=9), anonymous(TODAY - 30, 2, times=9), anonymous(TODAY + 1, 2, times=9)],
    ids=["no orders", "nothing before", "nothing lately", "only tomorrow"],
)
def test_without_both_windows_nothing_trends(sales: list[Sale]) -> None:
    assert trends(sales, 2) == []


@pytest.mark.parametrize(
    ("orders", "age", "expected"),
    [
        (400, 30, Windows(7, 56)),
        (399, 30, Windows(28, 182)),
        (400, 100, Windows(14, 112)),
        (400, 150, Windows(28, 182)),
        (400, 3, Windows(28, 182)),
        (3, 30, Windows(28, 182)),
    ],
    ids=["many", "one too few", "over months", "over half a year", "all of them lately", "three"],
)
def test_the_fewer_orders_the_longer_the_windows(orders: int, age: int, expected: Windows) -> None:
    assert windows_for(np.full(orders, TODAY - age), TODAY) == expected


rates = st.dictionaries(st.integers(2, 8), st.tuples(st.integers(0, 30), st.integers(0, 60)), min_size=1)


def shop(counts: dict[int, tuple[int, int]], factor: int = 1) -> list[Sale]:
    sales = steady(3 * factor, FILLER)
    for product, (lately, before) in counts.items():
        sales += anonymous(TODAY - 3, product, times=lately * factor)
        sales += anonymous(TODAY - 30, product, times=before * factor)
    return sales


@settings(max_examples=25, deadline=None)
@given(counts=rates, factor=st.integers(2, 3))
def test_the_same_story_at_a_larger_shop_lets_expect_the_same_and_more_surely(
    counts: dict[int, tuple[int, int]], factor: int
) -> None:
    small = {t.product: t for t in trends(shop(counts), *counts)}
    large = {t.product: t for t in trends(shop(counts, factor), *counts)}

    assert small.keys() <= large.keys()
    for product, trend in small.items():
        assert large[product].orders == factor * trend.orders
        assert large[product].before == pytest.approx(factor * trend.before)
        assert large[product].growth >= trend.growth - 1e-9


@settings(max_examples=25, deadline=None)
@given(counts=rates, seed=st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(
    counts: dict[int, tuple[int, int]], seed: random.Random
) -> None:
    sales = shop(counts)
    shuffled = list(sales)
    seed.shuffle(shuffled)

    assert trends(shuffled, *counts) == trends(sales, *counts)
