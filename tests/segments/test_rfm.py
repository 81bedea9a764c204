"""Scores: a function of the value, monotone, fair to ties, and the same for everybody in any order."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.segments import rfm
from app.segments.facts import Orders

DAY = 86_400
NOW = 1_800_000_000
Rows = list[tuple[int, int, int]]

rows = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6), st.integers(0, 30)), min_size=1, max_size=60)


def measures(found: Rows) -> rfm.Measures:
    """Return people by (days since the last order, orders, revenue)."""
    recency, orders, revenue = np.array(found, np.int64).reshape(-1, 3).T
    return rfm.Measures(recency, orders, revenue, np.zeros_like(orders), recency)


def scored(found: Rows) -> list[tuple[int, int, int]]:
    all_ = measures(found)
    scores = rfm.score(all_, rfm.cut(all_))
    return list(
        zip(scores.recency.tolist(), scores.frequency.tolist(), scores.monetary.tolist(), strict=True)
    )


def naive(found: Rows) -> list[tuple[int, int, int]]:
    """Return scores by the rules for ties, word for word."""

    def above_others(values: list[int], value: int) -> int:
        return 1 + 5 * sum(v < value for v in values) // len(found)

    def not_below_others(days: list[int], value: int) -> int:
        return math.ceil(5 * sum(d >= value for d in days) / len(found))

    recency, orders, revenue = ([row[i] for row in found] for i in range(3))
    return [
        (not_below_others(recency, r), above_others(orders, f), above_others(revenue, m)) for r, f, m in found
    ]


@settings(max_examples=40)
@given(rows)
def test_scores_are_what_the_rules_say(found: Rows) -> None:
    assert scored(found) == naive(found)


@settings(max_examples=40)
@given(rows)
def test_equal_values_have_equal_scores_and_better_ones_no_lower_ones(found: Rows) -> None:
    scores = scored(found)

    for one, of_one in zip(found, scores, strict=True):
        for other, of_other in zip(found, scores, strict=True):
            assert one[0] < other[0] or of_one[0] <= of_other[0]
            assert one[1] > other[1] or of_one[1] <= of_other[1]
            assert one[2] > other[2] or of_one[2] <= of_other[2]


@settings(max_examples=40)
@given(st.data(), rows)
def test_the_order_of_customers_changes_nothing(data: st.DataObject, found: Rows) -> None:
    shuffled = data.draw(st.permutations(found))

    assert rfm.cut(measures(found)) == rfm.cut(measures(shuffled))


@settings(max_examples=40)
@given(st.sets(st.integers(0, 1000), min_size=5, max_size=100))
def test_without_ties_every_score_is_had_by_a_fifth(values: set[int]) -> None:
    scores = scored([(v, v, v) for v in values])

    for measure in range(3):
        sizes = [sum(s[measure] == score for s in scores) for score in range(1, 6)]
        assert max(sizes) - min(sizes) <= 1


def test_where_most_ordered_once_they_have_one_and_the_others_four_or_five() -> None:
    found = [(day, 1, 10) for day in range(62)] + [(day, 2, 20) for day in range(20)]
    found += [(day, 3, 30) for day in range(18)]

    frequencies = [frequency for _, frequency, _ in scored(found)]

    assert frequencies == [1] * 62 + [4] * 20 + [5] * 18


def test_nobody_is_lost_for_having_bought_on_the_same_day_as_everybody() -> None:
    assert scored([(3, 1, 10)] * 7) == [(5, 1, 1)] * 7


def test_who_did_not_buy_is_not_scored_and_counts_for_nothing() -> None:
    bought = [(1, 1, 5), (2, 2, 6), (3, 3, 7)]

    with_others = measures([*bought, (0, 0, 0), (0, 0, 0)])

    assert rfm.cut(with_others) == rfm.cut(measures(bought))
    assert rfm.score(with_others, rfm.cut(with_others)).recency.tolist() == [5, 4, 2, 0, 0]


def test_a_store_without_orders_has_cuts_too() -> None:
    nobody = measures([])

    cuts = rfm.cut(nobody)

    assert (cuts.people, cuts.recency_days) == (0, (0, 0, 0, 0))
    assert rfm.Cuts.from_json(cuts.as_json()) == cuts


def orders(*found: tuple[int, float, int, bool]) -> Orders:
    """Return orders by (person, days ago, revenue, discounted)."""
    return Orders(
        person=np.array([f[0] for f in found], np.int64),
        at=np.array([NOW - round(f[1] * DAY) for f in found], np.int64),
        revenue=np.array([f[2] for f in found], np.int64),
        discounted=np.array([f[3] for f in found], np.bool_),
        channel=np.array(["online"] * len(found)),
    )


def test_measures_are_of_the_window_alone() -> None:
    of_two = orders((0, 729.9, 700, True), (0, 10.9, 300, False), (0, 730.0, 10_000, True), (2, -1, 50, True))

    found = rfm.measure(3, of_two, NOW)

    assert found.recency_days.tolist() == [10, 0, 0]
    assert found.orders.tolist() == [2, 0, 1]
    assert found.revenue.tolist() == [1000, 0, 50]
    assert found.discounted.tolist() == [1, 0, 1]
    assert found.first_days.tolist() == [729, 0, 0]


@pytest.mark.parametrize("repeats", [0, 1], ids=["nobody came back", "one came back"])
def test_the_value_of_the_next_year_needs_somebody_who_came_back(repeats: int) -> None:
    found = rfm.Measures(
        recency_days=np.array([10, 100]),
        orders=np.array([1 + repeats, 1]),
        revenue=np.array([2000, 4000]),
        discounted=np.array([0, 0]),
        first_days=np.array([100, 100]),
    )

    value = rfm.lifetime_value(found, rfm.cut(found)).tolist()

    # One repeat order in 200 days: 365 * 2 / 300 orders of (2000 + 2000) / 3, 365 / 300 orders of (4000 + 2000) / 2.
    assert value == ([3244, 3650] if repeats else [0, 0])
