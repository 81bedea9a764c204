"""Which decisions are logged whole: a share, the same in every process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.decisions.sampling import sampled

FIXED = [6, 26, 41, 68, 77, 79, 89, 90, 94]
IDS = [f"d_{number}" for number in range(20_000)]


@pytest.mark.parametrize("percent", [1, 10, 50, 90])
def test_a_share_is_that_large(percent: float) -> None:
    found = sum(sampled(decision_id, percent) for decision_id in IDS) / len(IDS)

    # Five standard deviations of a share of 20,000: at most 1.8 points.
    assert abs(found - percent / 100) < 0.018


def test_nothing_and_everything() -> None:
    assert not any(sampled(decision_id, 0) for decision_id in IDS)
    assert all(sampled(decision_id, 100) for decision_id in IDS)


def test_the_choice_is_fixed_for_good() -> None:
    """A process of another version must come to the same: these are written down."""
    assert [number for number in range(120) if sampled(f"d_{number}", 10)] == FIXED


@given(st.text(), st.floats(0, 100), st.floats(0, 100))
def test_a_larger_share_contains_the_smaller(decision_id: str, one: float, other: float) -> None:
    assert sampled(decision_id, min(one, other)) <= sampled(decision_id, max(one, other))
