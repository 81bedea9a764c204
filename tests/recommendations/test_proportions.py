"""Whether two shares differ."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from scipy.stats import fisher_exact as scipys_fisher_exact

from app.recommendations.proportions import benjamini_hochberg, fisher_exact


def by_counting(hits: int, of: int, other_hits: int, other_of: int) -> Fraction:
    """The same from exact hypergeometric probabilities."""
    with_hit, total = hits + other_hits, of + other_of
    ways = {k: comb(of, k) * comb(other_of, with_hit - k) for k in range(min(of, with_hit) + 1)}
    return Fraction(sum(w for w in ways.values() if w <= ways[hits]), comb(total, with_hit))


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, int, int, int]:
    of, other_of = draw(st.integers(0, 40)), draw(st.integers(0, 40))
    return draw(st.integers(0, of)), of, draw(st.integers(0, other_of)), other_of


@given(tables())
def test_it_is_the_sum_of_all_that_is_no_more_probable(table: tuple[int, int, int, int]) -> None:
    assert fisher_exact(*table) == pytest.approx(float(by_counting(*table)), rel=1e-9, abs=1e-12)


@given(tables())
def test_it_does_not_matter_which_share_comes_first(table: tuple[int, int, int, int]) -> None:
    assert fisher_exact(*table) == pytest.approx(fisher_exact(*table[2:], *table[:2]), rel=1e-9)


@pytest.mark.parametrize(
    "table",
    [(3, 4, 1, 4), (72, 180, 60, 400), (900, 30_000, 20_000, 700_000), (0, 5, 0, 9), (50_000, 100_000, 3, 90_000)],
    ids=["tea tasting", "a shop", "a large shop", "no hit", "next to impossible"],
)  # fmt: skip
def test_it_is_what_others_compute(table: tuple[int, int, int, int]) -> None:
    hits, of, other_hits, other_of = table
    _, expected = scipys_fisher_exact([[hits, of - hits], [other_hits, other_of - other_hits]])

    assert fisher_exact(*table) == pytest.approx(expected, rel=1e-6, abs=1e-300)


@pytest.mark.parametrize("table", [(-1, 4, 0, 4), (5, 4, 0, 4), (0, 4, 5, 4)], ids=str)
def test_there_are_no_more_hits_than_tries(table: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="from 0 to all"):
        fisher_exact(*table)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_p_values_are_adjusted_as_others_do(p_values: list[float]) -> None:
    assert benjamini_hochberg(p_values) == pytest.approx(list(false_discovery_control(p_values)))


def test_of_no_p_values_none_is_adjusted() -> None:
    assert benjamini_hochberg([]) == []
