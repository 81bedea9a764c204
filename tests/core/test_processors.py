"""Web processes that keep to one processor each."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.core.processors import processor_of

_PROGRAM = """
import os, sys
from app.core.processors import keep_to_one
os.sched_setaffinity(0, {allowed})
print(keep_to_one({siblings}), *sorted(os.sched_getaffinity(0)), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("place", "allowed", "chosen"),
    [(0, {0, 1}, 0), (1, {0, 1}, 1), (2, {0, 1}, 0), (1, {7, 3, 5}, 5), (4, {6}, 6)],
)
def test_siblings_take_turns_on_the_processors_that_they_may_use(
    place: int, allowed: set[int], chosen: int
) -> None:
    assert processor_of(place, allowed) == chosen


@contextmanager
def process(siblings: int, allowed: set[int]) -> Iterator[list[str]]:
    """Start a process that keeps to a processor if it should; give what it says of itself."""
    started = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(siblings=siblings, allowed=sorted(allowed))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with started:
        assert started.stdout is not None
        yield started.stdout.readline().split()
        started.communicate("", timeout=30)


def two() -> set[int]:
    """Return two processors, or the only one."""
    return set(sorted(os.sched_getaffinity(0))[:2])


def test_processes_spread_over_all_processors_and_a_new_one_takes_the_place_of_an_ended_one() -> None:
    allowed = two()
    with process(2, allowed) as first:
        with process(2, allowed) as second:
            for chosen, *kept in (first, second):
                assert kept == [chosen]
            assert {int(first[0]), int(second[0])} == allowed
        with process(2, allowed) as third:
            assert third == second


def test_one_that_is_started_before_another_has_ended_takes_no_processor_for_itself() -> None:
    allowed = two()
    with process(2, allowed), process(2, allowed), process(2, allowed) as (chosen, *kept):
        assert chosen == "None"
        assert {int(each) for each in kept} == allowed


def test_fewer_processes_than_processors_go_where_there_is_room() -> None:
    allowed = two()
    with process(len(allowed) - 1, allowed) as (chosen, *kept):
        assert chosen == "None"
        assert {int(each) for each in kept} == allowed
