"""Categories that are bought together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommendations import categories
from app.recommendations.categories import Companion
from app.recommendations.ranking import Gates

OPEN = Gates(1, 0.0, 0.0)


def part(baskets):
    """Return baskets (lists of categories of lines) as arrays."""
    sizes = [len(basket) for basket in baskets]
    indptr = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    return indptr, np.array([category for basket in baskets for category in basket], np.int64)


def test_a_category_counts_once_a_basket_and_nothing_counts_for_none():
    counts = categories.count([part([[0, 0, 1], [0, -1], [], [1, 2]]), part([[-1], [2, 1, 1]])], 3, 100)
    assert counts.orders == 5
    assert counts.single.tolist() == [2, 3, 2]
    assert counts.pairs.tolist() == [[0, 1, 1], [1, 2, 2]]


def test_baskets_above_the_cap_are_left_out():
    counts = categories.count([part([[0, 1, 1], [0, 1]])], 2, 2)
    assert (counts.orders, counts.single.tolist(), counts.pairs.tolist()) == (1, [1, 1], [[0, 1, 1]])


def test_a_shop_without_categories_or_orders_has_no_pairs():
    assert categories.companions(categories.count([part([[-1, -1]])], 0, 100), OPEN) == {}
    assert categories.companions(categories.count([], 4, 100), OPEN) == {}


@given(st.lists(st.lists(st.integers(-1, 4), max_size=5), max_size=20), st.integers(0, 20))
def test_counts_are_those_of_counting_one_by_one(baskets, cut):
    counts = categories.count([part(baskets[:cut]), part(baskets[cut:])], 5, 100)
    sets = [set(basket) - {-1} for basket in baskets]
    assert counts.single.tolist() == [sum(c in held for held in sets) for c in range(5)]
    expected = [[a, b, sum({a, b} <= held for held in sets)] for a in range(5) for b in range(a + 1, 5)]
    assert counts.pairs.tolist() == [row for row in expected if row[2]]


def test_companions_pass_the_gates_in_both_directions():
    baskets = [[0, 1]] * 6 + [[2, 3]] * 2 + [[4]] * 12 + [[0, 4], [1, 4]]
    found = categories.companions(categories.count([part(baskets)], 5, 100), Gates(3, 1.2, 10.83))
    # n_ab 6, n_a 7, n_b 7, N 22
    lift, score = 6 * 22 / 49, 6 / 7
    assert found == {
        0: [Companion(1, 6, pytest.approx(lift), pytest.approx(score))],
        1: [Companion(0, 6, pytest.approx(lift), pytest.approx(score))],
    }


def test_the_closest_category_comes_first():
    baskets = [[0, 1]] * 4 + [[0, 2]] * 2 + [[1], [2], [3], [3]]
    found = categories.companions(categories.count([part(baskets)], 4, 100), OPEN)
    assert [other.category for other in found[0]] == [1, 2]


def test_places_are_dealt_by_score_and_no_product_twice():
    others = [Companion(1, 9, 2.0, 0.6), Companion(2, 8, 2.0, 0.3), Companion(3, 7, 2.0, 0.1)]
    sellers = {1: ["a1", "a2", "a3", "a4"], 2: ["b1", "a2"], 3: ["c1"], 9: ["z"]}
    dealt = categories.interleave(others, sellers, 7)
    # shares: a 0.6 0.2 0.12 0.086, b 0.3 0.1 (a2 again), c 0.1
    assert [product for product, _ in dealt] == ["a1", "b1", "a2", "a3", "c1", "a4"]
    assert [other.category for _, other in dealt] == [1, 2, 1, 1, 3, 1]
    assert [product for product, _ in categories.interleave(others, sellers, 2)] == ["a1", "b1"]


def test_a_companion_without_best_sellers_is_passed_over():
    assert categories.interleave([Companion(1, 9, 2.0, 0.6)], {1: []}, 5) == []
