"""Which way an offer may go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bundles.states import COUNTED, FOLLOWING, OPEN, WANTED, State, allowed, check
from app.core.errors import Conflict


@given(st.lists(st.sampled_from(State), max_size=12))
def test_nothing_is_live_that_was_never_approved(steps: list[State]) -> None:
    # Given an offer that was proposed, and words that are followed where that is allowed
    state, approved = State.PROPOSED, False
    for step in steps:
        if allowed(state, step):
            state = step
            approved = approved or step is State.APPROVED

        # Then it is live, or wanted at all, only with a yes
        assert state not in WANTED or approved


def test_what_is_over_stays_over() -> None:
    assert {state for state in State if not FOLLOWING[state]} == {State.REJECTED, State.ENDED}
    assert frozenset(State) - {State.REJECTED, State.ENDED} == OPEN


def test_everything_that_is_not_over_can_be_ended() -> None:
    assert all(allowed(state, State.ENDED) for state in OPEN)


def test_a_suspended_offer_counts_because_it_comes_back() -> None:
    assert frozenset({State.APPROVED, State.LIVE, State.NOT_LIVE, State.SUSPENDED}) == COUNTED


def test_what_is_not_allowed_is_said_in_a_sentence() -> None:
    with pytest.raises(Conflict) as refused:
        check(State.NOT_LIVE, State.PROPOSED)

    assert refused.value.detail == "This offer is not live: it cannot become proposed."
