"""What an offer is expected to bring."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bundles.profit import Gain, expect
from tests.bundles.makers import evidence

# The second product costs 10.00, leaves 6.00, and is 1.00 cheaper.
GAIN = Gain(price=1000, margin=600, discount=100, net_discount=100)


def test_the_formula_by_hand() -> None:
    # Given 100 buyers of the anchor in 30 days, 30 of whom take both, and demand of elasticity 2
    found = expect(evidence(orders=30, anchor_orders=100, days=30), GAIN, 2.0)

    # Then at 10 % less 30 / 0.81 take both; the additional 7.04 leave 5.00 each, and 30 get 1.00 for nothing
    assert found.before == 30
    assert found.takes == pytest.approx(30 / 0.81)
    assert found.expected == round((30 / 0.81 - 30) * 500 - 30 * 100) == 519
    assert (found.margin, found.discount) == (500, 100)


def test_counts_are_brought_to_thirty_days() -> None:
    found = expect(evidence(orders=180, anchor_orders=600, days=180), GAIN, 2.0)

    assert (found.before, found.expected) == (30, 519)


def test_demand_that_does_not_answer_loses_what_is_given_away() -> None:
    assert expect(evidence(), GAIN, 0.0).expected == -30 * 100


@pytest.mark.parametrize(("margin", "pays"), [(390, True), (370, False)], ids=["above", "below"])
def test_a_small_discount_pays_where_the_margin_is_above_the_inverse_of_the_elasticity(
    margin: int, pays: bool
) -> None:
    # 1 / 2.62 is 38.2 %
    found = expect(evidence(orders=10_000, anchor_orders=100_000), Gain(1000, margin, 1, 1))

    assert (found.expected > 0) is pays


def test_an_offer_is_taken_by_no_more_than_buy_the_anchor() -> None:
    found = expect(evidence(orders=99, anchor_orders=100), Gain(1000, 900, 500, 500), 5.0)

    assert found.takes == 100


def test_a_discount_of_the_whole_price_is_finite() -> None:
    assert expect(evidence(orders=1), Gain(1000, 600, 1000, 1000), 2.62).takes == 100


@settings(max_examples=60)
@given(
    st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 10**6), st.integers(-(10**6), 10**6),
    st.integers(0, 10**6), st.floats(0, 10),
)  # fmt: skip
def test_more_is_never_taken_than_bought_nor_less_than_before(
    orders: int, anchors: int, price: int, margin: int, discount: int, elasticity: float
) -> None:
    gain = Gain(price, margin, min(discount, price), min(discount, price))

    found = expect(evidence(orders=orders, anchor_orders=anchors), gain, elasticity)

    assert found.before <= found.takes <= anchors or found.before == found.takes
