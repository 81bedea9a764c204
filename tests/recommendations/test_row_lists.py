"""Published rows: what they keep, and what is read of them."""

import numpy as np
import pytest

from app.recommendations import row_lists
from app.recommendations.cart_rows import CartRows
from app.recommendations.ranking import Ranked
from app.recommendations.row_lists import Numbers

IDS = {1: "a", 2: "b", 3: "c", 4: "d"}


def ints(*values):
    return np.array(values, np.int64)


def rows():
    """Two products with three and one companions."""
    return CartRows(
        products=ints(1, 3),
        indptr=ints(0, 3, 4),
        others=ints(2, 3, 4, 1),
        orders=ints(7, 2, 0, 2),
        weighted=np.array([0.123456, 1.0, 0.0, 1.0]),
        item=np.array([0.5, -0.0123456, 0.25, 0.0]),
        together=np.array([1 / 3, 0.125, 0.0, 0.0625]),
        shares=np.array([0.2, 0.1, 0.000123456, 0.4]),
    )


def gated(others=(2,), products=(1, 3), ends=(1, 1)):
    count = len(others)
    return Ranked(
        products=ints(*products),
        indptr=ints(0, *ends),
        others=ints(*others),
        orders=ints(*[7] * count),
        confidence=np.full(count, 0.123456),
        lift=np.full(count, 2.345678),
        llr=np.full(count, 45.678),
        score=np.full(count, 1.0),
    )


def test_a_row_is_published_as_parallel_lists():
    lists = row_lists.as_lists(rows(), gated(), IDS)

    assert lists == {
        "a": [
            {
                "ids": ["b", "c", "d"],
                "orders": [7, 2, 0],
                "proven": [[0, 0.1235, 2.35, 45.7]],
                "w": [0.1235, 1.0, 0.0],
                "e": [0.5, -0.01235, 0.25],
                "c": [0.3333, 0.125, 0.0],
                "s": [0.2, 0.1, 0.0001235],
            }
        ],
        "c": [{"ids": ["a"], "orders": [2], "proven": [], "w": [1.0], "e": [0.0], "c": [0.0625], "s": [0.4]}],
    }


def test_evidence_stands_at_the_places_of_the_companions_that_are_left():
    lists = row_lists.as_lists(rows(), gated((4, 2), ends=(2, 2)), {1: "a", 3: "c", 4: "d"})

    (row,) = lists["a"]
    assert row["ids"] == ["c", "d"]
    assert [at for at, *_ in row["proven"]] == [1]
    assert (row["orders"], row["w"], row["e"]) == ([2, 0], [1.0, 0.0], [-0.01235, 0.25])


def test_a_product_whose_companions_are_all_unknown_has_a_row_without_any():
    lonely = CartRows(ints(1), ints(0, 1), ints(2), ints(1), *(np.ones(1) for _ in range(4)))
    assert row_lists.as_lists(lonely, gated((), (1,), (0,)), {1: "a"}) == {
        "a": [{"ids": [], "orders": [], "proven": [], "w": [], "e": [], "c": [], "s": []}]
    }


def test_what_rows_keep_of_the_item_model_is_read_back():
    lists = row_lists.as_lists(rows(), gated(), IDS)

    read = row_lists.item_weights_of(lists, {platform_id: id_ for id_, platform_id in IDS.items()})

    assert read.products.tolist() == [1, 3]
    assert [found.tolist() for found in read.of(1)] == [[2, 3, 4], [0.5, -0.01235, 0.25]]
    assert [found.tolist() for found in read.of(3)] == [[], []]


def test_reading_back_sorts_by_the_ids_of_this_store_and_leaves_out_others():
    lists = row_lists.as_lists(rows(), gated(), IDS)

    read = row_lists.item_weights_of({**lists, "d": [], "x": lists["a"]}, {"a": 30, "b": 9, "c": 5, "d": 1})

    assert read.products.tolist() == [5, 30]
    assert [found.tolist() for found in read.of(30)] == [[1, 5, 9], [0.25, -0.01235, 0.5]]
    assert read.indptr.tolist() == [0, 0, 3]


def test_nothing_is_read_back_of_nothing():
    read = row_lists.item_weights_of({}, {"a": 1})

    assert (read.products.tolist(), read.indptr.tolist(), read.others.tolist()) == ([], [0], [])
    assert [found.tolist() for found in read.of(1)] == [[], []]


def test_products_are_numbered_in_the_order_in_which_they_are_met():
    numbers = Numbers()

    assert [numbers[id_] for id_ in "cabca"] == [0, 1, 2, 0, 1]
    assert numbers.ids() == ["c", "a", "b"]


@pytest.mark.parametrize("trust", [None, [0.5, 0.25]], ids=["alike", "trusted"])
def test_entries_are_rows_one_behind_the_other(trust):
    lists = row_lists.as_lists(rows(), gated(), IDS)
    numbers = Numbers(c=0)

    found = row_lists.entries([lists["a"][0], lists["c"][0]], numbers, trust)

    assert numbers.ids() == ["c", "b", "d", "a"]
    assert found.others.tolist() == [1, 0, 2, 3]
    assert found.weighted.tolist() == [0.1235, 1.0, 0.0, 1.0]
    assert found.item.tolist() == [0.5, -0.01235, 0.25, 0.0]
    assert found.together.tolist() == [0.3333, 0.125, 0.0, 0.0625]
    assert (None if found.trust is None else found.trust.tolist()) == (trust and [0.5, 0.5, 0.5, 0.25])


def test_no_rows_are_no_entries():
    found = row_lists.entries([], Numbers())

    assert [len(values) for values in found[:4]] == [0] * 4
    assert found.others.dtype == np.int64
