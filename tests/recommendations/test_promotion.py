"""Asking, comparing and judging models, on a few numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommendations import scoring
from app.recommendations.promotion import (
    SENTENCES,
    Comparison,
    Evidence,
    Hits,
    Lists,
    Outcome,
    Question,
    compare,
    judge,
)

POPULAR = [{"id": f"s{place}", "orders": 50 - place, "share": 0.5 / (place + 1)} for place in range(20)]


def row(*others: str) -> dict[str, list[object]]:
    """Return a published row whose companions were bought ever less often."""
    falling = [1.0 / (place + 1) for place in range(len(others))]
    return {
        "ids": list(others),
        "orders": [9 - place for place in range(len(others))],
        "proven": [],
        "w": list(falling),
        "e": [0.0] * len(others),
        "c": list(falling),
        "s": [0.01] * len(others),
    }


def hits(*runs: tuple[bool, int]) -> Hits:
    """Return answers in runs of equal ones."""
    return np.array([value for value, length in runs for _ in range(length)], np.bool_)


EQUAL = compare(hits((True, 60)), hits((True, 60)))
WORSE = compare(hits((False, 60)), hits((True, 30), (False, 30)))
FEW = compare(hits((False, 49)), hits((True, 49)))
NOTHING = compare(hits(), hits())


def test_a_right_answer_is_among_the_first_ten() -> None:
    lists = Lists({"a": row("b", "c")}, POPULAR, scoring.DEFAULT)
    asked = [Question(1, ("a",), hidden) for hidden in ("b", "c", "s0", "s7", "s8", "a")]
    assert lists.ask(asked).tolist() == [True, True, True, True, False, False]


def test_best_sellers_answer_where_nothing_is_known() -> None:
    lists = Lists({}, POPULAR, scoring.DEFAULT)
    asked = [Question(1, ("s0", "x"), hidden) for hidden in ("s0", "s1", "s10", "s11")]
    assert lists.ask(asked).tolist() == [False, True, True, False]
    assert lists.ask_popularity(asked).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("ours", "theirs", "worse"),
    [
        (hits((True, 100)), hits((True, 100)), False),
        (hits((False, 100)), hits((False, 100)), False),
        (hits((True, 90), (False, 10)), hits((True, 100)), True),
        (hits((True, 97), (False, 3)), hits((True, 100)), False),
        (hits((False, 49)), hits((True, 49)), False),
        (hits((True, 50), (False, 50)), hits((False, 50), (True, 50)), False),
    ],
    ids=["equal", "both know nothing", "ten lost", "three lost", "too few", "as many other ones"],
)
def test_worse_is_what_chance_does_not_explain(ours: Hits, theirs: Hits, worse: bool) -> None:
    assert compare(ours, theirs).worse is worse


@pytest.mark.parametrize(("lost", "worse"), [(15, False), (50, True)])
def test_a_fifth_may_be_lost_where_a_share_is_asked_for(lost: int, worse: bool) -> None:
    theirs = hits((True, 100), (False, 100))
    ours = hits((False, lost), (True, 100 - lost), (False, 100))
    assert compare(ours, theirs, 0.8).worse is worse


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=80))
def test_chance_is_a_probability_and_the_shares_are_exact(pairs: list[tuple[bool, bool]]) -> None:
    ours, theirs = (np.array([pair[side] for pair in pairs], np.bool_) for side in (0, 1))
    found = compare(ours, theirs)
    assert 0 <= found.chance <= 1
    assert found.orders == len(pairs)
    if pairs:
        assert (found.ours, found.theirs) == (ours.mean(), theirs.mean())
    if found.ours > found.theirs:
        assert found.chance > 0.3


def test_a_comparison_is_the_same_each_time() -> None:
    ours, theirs = hits((True, 80), (False, 20)), hits((False, 10), (True, 75), (False, 15))
    assert compare(ours, theirs) == compare(ours, theirs)


@pytest.mark.parametrize(
    ("evidence", "kept", "outcome"),
    [
        (Evidence(EQUAL, EQUAL, EQUAL, EQUAL), True, Outcome.NOT_WORSE),
        (Evidence(WORSE, EQUAL, EQUAL, EQUAL), True, Outcome.WORSE_THAN_KEPT),
        (Evidence(WORSE, WORSE, WORSE, EQUAL), True, Outcome.WORSE_THAN_KEPT),
        (Evidence(EQUAL, WORSE, EQUAL, EQUAL), True, Outcome.WORSE_ON_KNOWN_ORDERS),
        (Evidence(EQUAL, EQUAL, WORSE, EQUAL), True, Outcome.WORSE_THAN_POPULARITY),
        (Evidence(EQUAL, EQUAL, WORSE, WORSE), True, Outcome.NOT_WORSE),
        (Evidence(NOTHING, NOTHING, EQUAL, NOTHING), False, Outcome.NOTHING_KEPT),
        (Evidence(NOTHING, NOTHING, EQUAL, NOTHING), True, Outcome.TOO_FEW_ORDERS),
        (Evidence(FEW, FEW, FEW, FEW), True, Outcome.TOO_FEW_ORDERS),
        (Evidence(NOTHING, NOTHING, FEW, NOTHING), False, Outcome.TOO_FEW_ORDERS),
        (Evidence(NOTHING, EQUAL, NOTHING, NOTHING), True, Outcome.NOT_WORSE),
    ],
)
def test_the_verdict(evidence: Evidence, kept: bool, outcome: Outcome) -> None:
    assert judge(evidence, kept=kept) is outcome


def test_every_outcome_is_explained_and_only_four_keep_a_model_back() -> None:
    assert SENTENCES.keys() == set(Outcome)
    assert {outcome for outcome in Outcome if not outcome.passed} == {
        "returned_by_hand",
        "worse_than_kept",
        "worse_on_known_orders",
        "worse_than_popularity",
    }


def test_what_is_stored_of_a_comparison() -> None:
    assert Comparison(50, 1 / 3, 0.5, 0.25).to_json() == {
        "orders": 50,
        "ours": 0.33333,
        "theirs": 0.5,
        "chance": 0.25,
    }
