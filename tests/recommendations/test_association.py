"""The measures of an association, against hand-computed cases and exact arithmetic."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommendations.association import confidence, lift, log_likelihood_ratio, support


def exact_log_likelihood_ratio(k11: int, k12: int, k21: int, k22: int) -> float:
    """Return Dunning's G² as it is written down, with 60 digits."""
    with localcontext() as context:
        context.prec = 60
        total = Decimal(k11 + k12 + k21 + k22)
        terms = Decimal(0)
        for cell, row, column in (
            (k11, k11 + k12, k11 + k21),
            (k12, k11 + k12, k12 + k22),
            (k21, k21 + k22, k11 + k21),
            (k22, k21 + k22, k12 + k22),
        ):
            if cell:
                terms += cell * (cell * total / (Decimal(row) * Decimal(column))).ln()
        return float(2 * terms)


def test_support_is_the_share_of_all_baskets() -> None:
    assert support([3, 0, 4], [12, 12, 4]).tolist() == [0.25, 0.0, 1.0]


def test_confidence_is_the_share_of_the_antecedents_baskets() -> None:
    assert confidence([3, 0, 5], [4, 7, 5]).tolist() == [0.75, 0.0, 1.0]


def test_lift_is_one_for_independent_products_and_symmetric() -> None:
    assert lift([2, 6, 6], [4, 8, 12], [5, 12, 8], [10, 16, 16]).tolist() == [1.0, 1.0, 1.0]
    assert lift(3, 4, 6, 100).tolist() == lift(3, 6, 4, 100).tolist() == 12.5


@pytest.mark.parametrize(
    "measured",
    [
        pytest.param(support(0, 0), id="support of an empty store"),
        pytest.param(confidence(0, 0), id="confidence without the antecedent"),
        pytest.param(lift(0, 0, 5, 10), id="lift without the antecedent"),
        pytest.param(lift(0, 5, 0, 10), id="lift without the consequent"),
        pytest.param(log_likelihood_ratio(0, 0, 0, 0), id="no orders at all"),
        pytest.param(log_likelihood_ratio(0, 0, 4, 6), id="the first never bought"),
        pytest.param(log_likelihood_ratio(5, 5, 0, 0), id="the first always bought"),
        pytest.param(log_likelihood_ratio(1, 2, 3, 6), id="independent"),
    ],
)
def test_nothing_to_compare_measures_zero(measured: np.ndarray) -> None:
    assert measured.shape == ()
    assert measured == 0.0


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # Both always together: G² = 2 N ln 2 at half of the baskets.
        pytest.param((5, 0, 0, 5), 20 * np.log(2), id="always together"),
        pytest.param((0, 5, 5, 0), 20 * np.log(2), id="never together"),
        # Dunning 1993, table 2: "the swiss" in 31,777 words of the Union Bank of Switzerland corpus.
        pytest.param((110, 2442, 111, 29114), 270.72, id="Dunning's first bigram"),
    ],
)
def test_log_likelihood_ratio_of_known_tables(table: tuple[int, int, int, int], expected: float) -> None:
    assert log_likelihood_ratio(*table) == pytest.approx(expected, rel=1e-5)


counts = st.integers(0, 2_000_000) | st.integers(0, 12)


@given(counts, counts, counts, counts)
def test_log_likelihood_ratio_equals_exact_arithmetic(k11: int, k12: int, k21: int, k22: int) -> None:
    value = float(log_likelihood_ratio(k11, k12, k21, k22))

    assert value >= 0.0
    assert value == pytest.approx(exact_log_likelihood_ratio(k11, k12, k21, k22), rel=1e-9, abs=1e-30)


def test_log_likelihood_ratio_keeps_its_digits_next_to_independence() -> None:
    table = (1001, 999, 1000, 1_000_000)
    near = (10_000, 990_001, 10_000, 990_000)

    assert log_likelihood_ratio(*table) == pytest.approx(exact_log_likelihood_ratio(*table), rel=1e-12)
    assert log_likelihood_ratio(*near) == pytest.approx(exact_log_likelihood_ratio(*near), rel=1e-9)


def test_log_likelihood_ratio_takes_arrays() -> None:
    values = log_likelihood_ratio([5, 0, 1], [0, 0, 2], [0, 4, 3], [5, 6, 6])

    assert values.tolist() == [pytest.approx(20 * np.log(2)), 0.0, 0.0]


@pytest.mark.parametrize("cell", range(4))
def test_log_likelihood_ratio_refuses_negative_counts(cell: int) -> None:
    table = [1, 2, 3, 4]
    table[cell] = -1

    with pytest.raises(ValueError, match="a count is negative"):
        log_likelihood_ratio(*table)
