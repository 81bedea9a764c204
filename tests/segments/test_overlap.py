"""Whether segments are distinct: what is proved is never refuted, and what is counted adds up."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.segments import named, overlap
from app.segments.conditions import Evaluation, read
from app.segments.distinct import boxes_of, contains, disjoint, rule_of
from app.segments.overlap import pairs, sizes
from tests.segments.worlds import Someone, definitions, known_of, worlds

# Definitions over few facts, so that proofs are found.
_leaf = st.builds(
    lambda fact, low, more: {"fact": fact, "at_least": low, "at_most": low + more},
    st.sampled_from(["frequency_score", "orders"]),
    st.integers(0, 4),
    st.integers(0, 2),
)
close = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=2).map(lambda found: {"all": found}),
        st.lists(inner, min_size=1, max_size=2).map(lambda found: {"any": found}),
        inner.map(lambda found: {"not": found}),
    ),
    max_leaves=4,
)
either = st.one_of(close, definitions)


@settings(max_examples=40)
@given(either, either, worlds)
def test_what_is_proved_is_true_of_everybody(
    one: dict[str, Any], other: dict[str, Any], people: list[Someone]
) -> None:
    a, b = boxes_of(read(one)), boxes_of(read(other))
    evaluation = Evaluation(known_of(people))
    in_a, in_b = evaluation.holds(read(one)), evaluation.holds(read(other))

    assert not (disjoint(a, b) and (in_a & in_b).any())
    assert not (contains(a, b) and (in_b & ~in_a).any())
    assert not (contains(b, a) and (in_a & ~in_b).any())


def test_the_exclusive_segments_are_proved_distinct() -> None:
    for one in named.EXCLUSIVE:
        for other in named.EXCLUSIVE:
            assert disjoint(rule_of(one.key, {}), rule_of(other.key, {})) == (one is not other)


LATE = {"fact": "recency_score", "at_most": 2}
MANY = {"fact": "orders", "at_least": 5, "within_days": 90}
SOME = {"fact": "orders", "at_least": 2, "within_days": 90}
SOME_EVER = {"fact": "orders", "at_least": 2}


@pytest.mark.parametrize(
    ("one", "other", "proved"),
    [
        (MANY, {"fact": "orders", "at_most": 4, "within_days": 90}, overlap.DISJOINT),
        (SOME, MANY, overlap.CONTAINS),
        (MANY, SOME, overlap.CONTAINED),
        (SOME, SOME, overlap.EQUAL),
        (SOME_EVER, MANY, None),
        (SOME, {"not": SOME}, overlap.DISJOINT),
        ({"not": SOME}, {"not": MANY}, overlap.CONTAINED),
        ({"any": [MANY, LATE]}, {"all": [MANY, LATE]}, overlap.CONTAINS),
        ({"all": [{"any": [SOME, LATE]}] * 10}, SOME, None),
    ],
    ids=[
        "ranges apart", "wider", "narrower", "same", "other windows", "denied", "both denied", "any of all",
        "too many boxes",
    ],
)  # fmt: skip
def test_rules_are_compared(one: Any, other: Any, proved: str | None) -> None:
    own = {"one": read(one), "other": read(other)}

    (pair,) = pairs({"one": "One", "other": "Other"}, [], own)

    assert pair.proved == (proved is not None)
    assert pair.relation == (proved or overlap.APART)


def test_a_segment_of_ones_own_is_compared_with_named_ones() -> None:
    keys = {"champions": "Champions", "lost": "Lost", "late": "Late", "high_spender": "High spender"}
    groups = [(["champions", "high_spender"], 3), (["lost", "late"], 4), (["late"], 5), (["champions"], 1)]

    found = {(p.first, p.second): p.sentence for p in pairs(keys, groups, {"late": read(LATE)})}

    assert found == {
        ("champions", "lost"): "Champions and Lost are distinct: their rules exclude each other.",
        ("champions", "late"): "Champions and Late are distinct: their rules exclude each other.",
        (
            "champions",
            "high_spender",
        ): "Champions contains all 3 people of High spender today, though its rule does not say so.",
        ("lost", "late"): "Late contains Lost: the rule of Lost implies that of Late.",
        (
            "lost",
            "high_spender",
        ): "Lost and High spender share nobody today, though nothing in their rules forbids it.",
        (
            "late",
            "high_spender",
        ): "Late and High spender share nobody today, though nothing in their rules forbids it.",
    }


def test_people_in_both_are_counted() -> None:
    keys = {"discount_seeker": "Discount seeker", "high_spender": "High spender"}
    groups = [
        (["discount_seeker"], 6),
        (["high_spender"], 1),
        (["discount_seeker", "high_spender", "champions"], 1),
        (["discount_seeker", "high_spender"], 1),
    ]

    (pair,) = pairs(keys, groups, {})

    assert sizes(groups) == {"discount_seeker": 8, "high_spender": 3, "champions": 1}
    assert (pair.both, pair.jaccard, pair.relation, pair.proved) == (2, 0.2222, overlap.OVERLAP, False)
    assert pair.sentence == (
        "Discount seeker and High spender overlap in 2 people: 25 % of Discount seeker, 67 % of High spender."
    )
