"""What waits to be written: merged, and nothing counted twice or lost."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.packing import unpack
from app.decisions.pending import Again, Pending
from tests.decisions.making import NOON, record

_IDS = st.sampled_from(["d_a", "d_b", "d_c"])
_TIMES = st.sampled_from([NOON, NOON + timedelta(days=1)])
_STEPS = st.lists(st.tuples(st.booleans(), _IDS, _TIMES, st.integers(1, 5)), max_size=30)


@given(_STEPS)
def test_every_answer_is_counted_once(steps: list[tuple[bool, str, datetime, int]]) -> None:
    pending, answers, tallied = Pending(), Counter[str](), 0
    for made, decision_id, at, times in steps:
        count = 1 if made else times
        if made:
            pending.take(record(1, decision_id, made_at=at), None)
            tallied += 1
        else:
            again = Again(1, decision_id, at, times, {("cart", "CACHED"): [times, 10 * times]})
            assert pending.take_again(again)
        answers[decision_id] += count

    found = Counter[str]()
    for row in pending.rows.values():
        found[row.decision.id] += row.answers
    for one in pending.again.values():
        found[one.id] += one.answers
        assert sum(count for count, _ in one.ends.values()) == one.answers
    assert found == answers
    waiting = sum(one.answers for one in pending.again.values())
    assert sum(sums[0] for sums in pending.tallies.values()) == answers.total() - waiting
    assert not pending.rows.keys() & pending.again.keys()


def test_a_repetition_just_after_midnight_belongs_to_the_row_that_waits() -> None:
    pending = Pending()
    pending.take(record(1, "d_a", made_at=datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC), shown=[]), None)
    at = datetime(2026, 11, 21, 0, 0, 0, 5, tzinfo=UTC)
    pending.take_again(Again(1, "d_a", at, 4, {("cart", "CACHED"): [4, 80]}))

    (row,) = pending.rows.values()
    assert (row.day, row.answers, len(pending.again)) == (NOON.date(), 5, 0)
    assert pending.tallies[1, at.date(), "cart", "CACHED", "ready"] == [4, 4, 80]


def test_without_room_a_repetition_of_something_new_is_only_counted() -> None:
    pending = Pending()

    assert not pending.take_again(Again(1, "d_a", NOON, 3, {("cart", "CACHED"): [3, 60]}), room=False)

    assert len(pending) == 0
    assert pending.tallies == {(1, NOON.date(), "cart", "CACHED", "ready"): [3, 0, 60]}


@pytest.mark.parametrize(
    ("fields", "percent", "kept"),
    [
        ({}, 100, True),
        ({}, None, True),
        ({}, 0, False),
        ({"keep": True}, 0, True),
        ({"reason": "ERROR"}, 0, True),
    ],
    ids=["all", "not known yet", "none", "with an arm", "an error"],
)
def test_what_the_sample_leaves_out_is_not_even_put_together(
    fields: dict[str, object], percent: float | None, kept: bool
) -> None:
    asked = []
    pending = Pending()
    pending.take(record(1, body=lambda: asked.append(1) or {"n": {1, 2}}, **fields), percent)

    (row,) = pending.rows.values()
    assert (bool(asked), row.body is not None) == (kept, kept)
    if kept:
        assert orjson.loads(unpack(row.body or b"")) == {"n": [1, 2]}


def test_a_decision_that_must_be_kept_brings_its_body_later() -> None:
    pending = Pending()
    pending.take(record(1), 0)
    pending.take(record(1, keep=True), 0)

    (row,) = pending.rows.values()
    assert (row.answers, row.always, row.body is not None) == (2, True, True)


@pytest.mark.parametrize("body", [lambda: 1 / 0, {"x": object()}], ids=["cannot be made", "is no JSON"])
def test_a_body_that_fails_costs_only_itself(body: object) -> None:
    pending = Pending()
    pending.take(record(1, body=body), None)

    (row,) = pending.rows.values()
    assert (row.body, row.answers) == (None, 1)
