"""The named segments: every cell in exactly one, and sizes that add up."""

import itertools
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.segments import named, rfm

CELLS = list(itertools.product(range(1, 6), repeat=3))


def scores(*cells: tuple[int, int, int]) -> rfm.Scores:
    recency, frequency, monetary = np.array(cells, np.int64).reshape(-1, 3).T
    return rfm.Scores(recency, frequency, monetary)


def test_every_cell_is_in_exactly_one_box_of_one_segment() -> None:
    found = Counter(cell for s in named.EXCLUSIVE for box in s.boxes for cell in box.cells())

    assert found == Counter(CELLS)


def test_a_cell_is_given_to_the_segment_whose_box_holds_it() -> None:
    places = named.exclusive(scores(*CELLS))

    for cell, place in zip(CELLS, places, strict=True):
        holders = [s.key for s in named.EXCLUSIVE if any(cell in set(b.cells()) for b in s.boxes)]
        assert holders == [named.EXCLUSIVE[place].key]
        assert cell in set(named.box_of(*cell).cells())


def test_well_known_cells_have_their_well_known_names() -> None:
    known = {
        (5, 5, 5): named.CHAMPIONS,
        (3, 5, 5): named.LOYAL,
        (4, 3, 3): named.POTENTIAL_LOYALISTS,
        (5, 1, 1): named.NEW,
        (4, 1, 1): named.PROMISING,
        (3, 3, 3): named.NEEDS_ATTENTION,
        (3, 1, 1): named.ABOUT_TO_SLEEP,
        (2, 5, 5): named.AT_RISK,
        (1, 5, 5): named.CANNOT_LOSE,
        (2, 2, 2): named.HIBERNATING,
        (1, 1, 1): named.LOST,
    }

    assert [named.EXCLUSIVE[p].key for p in named.exclusive(scores(*known))] == list(known.values())


def test_who_did_not_buy_is_in_none() -> None:
    assert named.exclusive(scores((0, 0, 0), (5, 1, 1))).tolist() == [-1, 3]


people = st.lists(
    st.tuples(st.integers(0, 800), st.integers(0, 6), st.integers(0, 5000), st.integers(0, 6)), max_size=60
)


@settings(max_examples=40)
@given(people)
def test_sizes_add_up_to_those_who_bought(rows: list[tuple[int, int, int, int]]) -> None:
    recency, orders, revenue, discounted = np.array(rows, np.int64).reshape(-1, 4).T
    measures = rfm.Measures(recency, orders, revenue, np.minimum(discounted, orders), recency)

    places = named.exclusive(rfm.score(measures, rfm.cut(measures)))

    sizes = np.bincount(places[places >= 0], minlength=len(named.EXCLUSIVE))
    assert sizes.sum() == sum(orders > 0)


@settings(max_examples=40)
@given(people)
def test_at_most_a_tenth_is_high(rows: list[tuple[int, int, int, int]]) -> None:
    recency, orders, revenue, discounted = np.array(rows, np.int64).reshape(-1, 4).T
    measures = rfm.Measures(recency, orders, revenue, np.minimum(discounted, orders), recency)

    found = named.across(measures, rfm.cut(measures))

    assert 10 * found[named.HIGH_SPENDER].sum() <= sum(orders > 0)
    assert 10 * found[named.HIGH_LIFETIME_VALUE].sum() <= sum(orders > 0)


def seekers(*orders_and_discounted: tuple[int, int]) -> list[bool]:
    orders, discounted = np.array(orders_and_discounted, np.int64).T
    nothing = np.zeros_like(orders)
    measures = rfm.Measures(nothing, orders, nothing, discounted, nothing)
    found: list[bool] = named.across(measures, rfm.cut(measures))[named.DISCOUNT_SEEKER].tolist()
    return found


def test_a_discount_seeker_ordered_with_a_discount_twice_and_mostly() -> None:
    assert seekers((5, 3), (5, 2), (1, 1), (2, 2), (9, 0)) == [True, False, False, True, False]


def test_where_everything_is_discounted_nobody_seeks_discounts() -> None:
    assert seekers((5, 5), (2, 2), (3, 3)) == [False, False, False]
