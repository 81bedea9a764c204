"""Peers are only compared where they find the same, and a planted difference is found."""

import numpy as np
import pytest

from benchmarks import peers, synthetic
from benchmarks.peers import CONTESTANTS, Lists, Orders, Outcome

OURS = "pannier"
PYFIM = "pyfim eclat"


@pytest.fixture(scope="module")
def orders():
    found = synthetic.shop(4_000, 300, seed=3)
    return Orders(found.indptr, np.unique(found.products, return_inverse=True)[1].astype(np.int64))


@pytest.fixture(scope="module")
def ours(orders):
    return CONTESTANTS[OURS].prepare()(orders, 1)


@pytest.mark.parametrize(
    "name", [name for name, c in CONTESTANTS.items() if not c.only_counts and name != OURS]
)
def test_who_computes_the_same_finds_the_same(orders, ours, name):
    pytest.importorskip({"pyfim": "fim"}.get(CONTESTANTS[name].package, CONTESTANTS[name].package))

    theirs = CONTESTANTS[name].prepare()(orders, 1)

    assert len(ours.rows) > 1_000
    assert peers.difference(ours, theirs, 400) is None


def lists(rows, others, counts, llrs):
    counts = np.array(counts)
    return Lists(np.array(rows), np.array(others), counts, counts / 10, np.array(llrs, dtype=np.float64))


PLAIN = lists([0, 0, 1, 2], [1, 2, 0, 0], [5, 4, 5, 4], [9.0, 8.0, 9.0, 8.0])


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        pytest.param({}, None, id="equal"),
        pytest.param({"llrs": PLAIN.llrs * (1 + 1e-10)}, None, id="rounding"),
        pytest.param({"llrs": PLAIN.llrs * (1 + 1e-8)}, "the log-likelihood ratios differ", id="ratio"),
        pytest.param({"counts": np.array([5, 4, 5, 3])}, "the counts differ", id="count"),
        pytest.param({"lifts": PLAIN.lifts * (1 + 1e-8)}, "the lifts differ", id="lift"),
        pytest.param({"rows": np.array([0, 0, 1, 1])}, "the lists differ in length", id="length"),
        pytest.param({"others": np.array([1, 3, 0, 0])}, "the lists name different products", id="product"),
    ],
)
def test_a_planted_difference_is_found(changed, found):
    assert peers.difference(PLAIN, PLAIN._replace(**changed), 100) == found


def test_a_list_in_another_order_is_a_difference():
    swapped = lists([0, 0, 1, 2], [2, 1, 0, 0], [4, 5, 5, 4], [8.0, 9.0, 9.0, 8.0])

    assert peers.difference(PLAIN, swapped, 100) == "the lists are not sorted"


def test_equal_ratios_may_change_places():
    one = lists([0, 0], [1, 2], [5, 5], [9.0, 9.0])
    other = lists([0, 0], [2, 1], [5, 5], [9.0, 9.0])

    assert peers.difference(one, other, 100) is None


def test_equal_ratios_take_turns_in_the_last_place_of_a_full_list():
    llrs = [30.0 - n for n in range(20)]
    one = lists([0] * 20, range(1, 21), [5] * 20, llrs)
    other = lists([0] * 20, [*range(1, 20), 77], [5] * 20, llrs)

    assert peers.difference(one, other, 100) is None
    assert peers.difference(*(Lists(*(a[1:] for a in found)) for found in (one, other)), 100) is not None


def test_ties_go_to_more_orders_then_to_the_smaller_id():
    held = np.array([4, 4, 4, 4])

    found = peers.best(np.array([0, 0, 0]), np.array([3, 1, 2]), np.array([2, 2, 3]), held, 20)

    assert found.others.tolist() == [2, 1, 3]
    assert found.counts.tolist() == [3, 2, 2]


def test_pairs_no_more_often_than_by_chance_are_left_out():
    found = peers.best(np.array([0, 1]), np.array([1, 0]), np.array([2, 2]), np.array([4, 10]), 20)

    assert found.rows.tolist() == []


@pytest.mark.parametrize(
    ("earlier", "failure"),
    [
        pytest.param(None, None, id="nothing known"),
        pytest.param(Outcome("x", 1_000, seconds=15.0), None, id="within reach"),
        pytest.param(Outcome("x", 1_000, seconds=16.0), "over 100 s, not tried", id="too slow"),
        pytest.param(Outcome("x", 1_000, failure="over 8 GB"), "over 8 GB", id="failed before"),
    ],
)
def test_the_hopeless_are_not_started(earlier, failure):
    found = peers._hopeless(earlier, 10_000, peers.Limits(seconds=100.0))

    assert (found and found.failure) == failure


@pytest.mark.parametrize(
    ("outcome", "row"),
    [
        pytest.param(Outcome("x", 9, seconds=20.0, megabytes=70.0), (20.0, 10.0, "ok"), id="measured"),
        pytest.param(Outcome("x", 9, seconds=2.0, megabytes=70.0), (2.0, 1.0, "MISSED"), id="too good"),
        pytest.param(Outcome("x", 9, failure="over 60 s", stopped_s=60.0), (60.0, 30.0, "ok"), id="stopped"),
        pytest.param(Outcome("x", 9, failure="over 4 s", stopped_s=4.0), (4.0, 2.0, ""), id="stopped early"),
        pytest.param(Outcome("x", 9, failure="over 8 GB"), (None, None, ""), id="too large"),
    ],
)
def test_a_row_says_what_is_known(outcome, row):
    (found,) = peers._results("shop", CONTESTANTS[PYFIM], outcome, Outcome(OURS, 9, 2.0, 50.0), None)

    assert (found.baseline, found.ratio, found.verdict) == row


def test_growth_is_told_per_line():
    smaller = Outcome(OURS, 1_000_000, 1.0, 100.0)
    found = list(
        peers._results("shop", CONTESTANTS[OURS], Outcome(OURS, 10_000_000, 12.5, 400.0), smaller, smaller)
    )

    assert [(r.value, r.unit) for r in found] == [(12.5, "s"), (400.0, "MB"), (1.25, "µs")]
    assert found[2].ratio == pytest.approx(0.8)
