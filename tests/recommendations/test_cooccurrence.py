"""Increments of the co-purchase counts: weights, exact sums, stored segments."""

import math
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommendations.cooccurrence import (
    Contribution,
    Increment,
    Neighbours,
    Parameters,
    increment,
    order_weights,
    pack,
    unpack,
)

PARAMETERS = Parameters(epoch_day=20_000, half_life_days=90.0, basket_cap=4)

baskets = st.lists(st.integers(1, 8) | st.sampled_from([2**62, -3, 0]), max_size=6)
contributions = st.builds(
    Contribution, basket=baskets, day=st.integers(19_000, 21_000), sign=st.sampled_from([1, -1])
)

Pairs = dict[tuple[int, int], tuple[int, int]]


def as_pairs(neighbours: Neighbours) -> Pairs:
    owners = np.repeat(neighbours.products, np.diff(neighbours.indptr)).tolist()
    amounts = zip(neighbours.orders.tolist(), neighbours.weights.tolist(), strict=True)
    return dict(zip(zip(owners, neighbours.others.tolist(), strict=True), amounts, strict=True))


def as_products(result: Increment) -> dict[int, tuple[int, int, int]]:
    columns = (result.product_orders, result.product_weights, result.product_popularity)
    return dict(zip(result.products.tolist(), zip(*(c.tolist() for c in columns), strict=True), strict=True))


def assert_canonical(neighbours: Neighbours) -> None:
    """Rows and entries are sorted and unique, none is empty, and all arrays are int64."""
    arrays = (
        neighbours.products, neighbours.indptr, neighbours.others, neighbours.orders, neighbours.weights
    )  # fmt: skip
    assert [array.dtype for array in arrays] == [np.dtype(np.int64)] * 5
    assert neighbours.products.tolist() == sorted(set(neighbours.products.tolist()))
    assert neighbours.indptr[0] == 0
    assert neighbours.indptr[-1] == len(neighbours.others)
    assert np.all(np.diff(neighbours.indptr) > 0)
    assert len(neighbours.indptr) == len(neighbours.products) + 1
    for start, end in zip(neighbours.indptr, neighbours.indptr[1:], strict=False):
        row = neighbours.others[start:end].tolist()
        assert row == sorted(set(row))
    assert np.all((neighbours.orders != 0) | (neighbours.weights != 0))


def counted(
    parameters: Parameters, batch: Sequence[Contribution]
) -> tuple[int, dict[int, tuple[int, int, int]], Pairs]:
    """Return what the contributions add up to, one by one."""
    orders = 0
    products: Counter[tuple[int, str]] = Counter()
    pairs: Counter[tuple[int, int, str]] = Counter()
    for contribution in batch:
        basket, sign = set(contribution.basket), contribution.sign
        if not 1 <= len(basket) <= parameters.basket_cap:
            continue
        weights, popularity = order_weights(parameters, [contribution.day], [len(basket)])
        weight, popular = int(weights[0]), int(popularity[0])
        orders += sign
        for product in basket:
            products[product, "orders"] += sign
            products[product, "weight"] += sign * weight
            products[product, "popularity"] += sign * popular
            for other in basket - {product}:
                pairs[product, other, "orders"] += sign
                pairs[product, other, "weight"] += sign * weight
    by_product = {
        p: (products[p, "orders"], products[p, "weight"], products[p, "popularity"]) for p, _ in products
    }
    by_pair = {(a, b): (pairs[a, b, "orders"], pairs[a, b, "weight"]) for a, b, _ in pairs}
    return (
        orders,
        {product: amounts for product, amounts in by_product.items() if any(amounts)},
        {pair: amounts for pair, amounts in by_pair.items() if any(amounts)},
    )


# --- weights --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "size", "weight", "popularity"),
    [
        pytest.param(20_000, 1, 65_536, 65_536, id="alone, on the epoch day"),
        pytest.param(20_000, 2, 65_536, 65_536, id="a pair, on the epoch day"),
        pytest.param(20_000, 3, 46_341, 65_536, id="three share 2**16 / sqrt(2)"),
        pytest.param(19_910, 2, 32_768, 32_768, id="one half-life before"),
        pytest.param(20_090, 2, 131_072, 131_072, id="one half-life after"),
        pytest.param(20_030, 2, 82_570, 82_570, id="a third of a half-life after"),
        pytest.param(20_000 - 90 * 40, 2, 0, 0, id="too old to weigh anything"),
        pytest.param(20_000 + 90 * 40, 2, 2**32, 2**32, id="clipped at sixteen half-lives"),
        pytest.param(20_000, 0, 0, 0, id="empty"),
        pytest.param(20_000, 5, 0, 0, id="above the cap"),
    ],
)
def test_order_weights(day: int, size: int, weight: int, popularity: int) -> None:
    weights, popularities = order_weights(PARAMETERS, [day], [size])

    assert (weights.tolist(), popularities.tolist()) == ([weight], [popularity])
    assert weights.dtype == popularities.dtype == np.int64


def test_order_weights_without_ageing() -> None:
    weights, _ = order_weights(Parameters(0, math.inf, 100), [0, 10_000, 20_000], [2, 2, 2])

    assert weights.tolist() == [65_536] * 3


@given(st.integers(17_000, 21_400), st.integers(1, 100), st.floats(1, 1000))
def test_order_weights_follow_the_formula(day: int, size: int, half_life: float) -> None:
    weights, popularity = order_weights(Parameters(20_000, half_life, 100), [day], [size])

    decay = 2.0 ** (16 + min(max((day - 20_000) / half_life, -32), 16))
    assert abs(int(popularity[0]) - decay) <= 0.5 + 1e-9 * decay
    assert abs(int(weights[0]) - decay / max(size - 1, 1) ** 0.5) <= 0.5 + 1e-9 * decay


@given(st.lists(st.tuples(st.integers(18_000, 21_400), st.integers(1, 100)), min_size=1, max_size=40))
def test_an_orders_weight_does_not_depend_on_its_company(orders: list[tuple[int, int]]) -> None:
    parameters = Parameters(20_000, 77.7, 100)
    days, sizes = zip(*orders, strict=True)

    together, _ = order_weights(parameters, days, sizes)
    alone = [int(order_weights(parameters, [day], [size])[0][0]) for day, size in orders]

    assert together.tolist() == alone


@pytest.mark.parametrize(
    ("half_life", "cap", "complaint"),
    [
        pytest.param(0.0, 10, "half-life", id="no half-life"),
        pytest.param(-1.0, 10, "half-life", id="negative half-life"),
        pytest.param(math.nan, 10, "half-life", id="half-life is no number"),
        pytest.param(90.0, 0, "basket cap", id="no basket fits"),
    ],
)
def test_parameters_refuse_nonsense(half_life: float, cap: int, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Parameters(0, half_life, cap)


# --- increments -----------------------------------------------------------------------------------------


def test_increment_of_one_order() -> None:
    result = increment(PARAMETERS, [Contribution([30, 10, 20, 10], 20_000, 1)])

    assert result.orders == 1
    assert as_products(result) == dict.fromkeys((10, 20, 30), (1, 46_341, 65_536))
    assert as_pairs(result.neighbours) == dict.fromkeys(
        [(10, 20), (10, 30), (20, 10), (20, 30), (30, 10), (30, 20)], (1, 46_341)
    )


@given(st.lists(contributions, max_size=12))
def test_increment_equals_counting_one_by_one(batch: list[Contribution]) -> None:
    result = increment(PARAMETERS, batch)

    assert (result.orders, as_products(result), as_pairs(result.neighbours)) == counted(PARAMETERS, batch)
    assert result.products.tolist() == sorted(result.products.tolist())
    assert_canonical(result.neighbours)


def test_an_order_added_and_taken_back_leaves_nothing() -> None:
    result = increment(PARAMETERS, [Contribution([1, 2], 20_001, 1), Contribution([2, 1], 20_001, -1)])

    assert (result.orders, as_products(result), as_pairs(result.neighbours)) == (0, {}, {})


def test_a_changed_order_leaves_the_difference() -> None:
    result = increment(PARAMETERS, [Contribution([1, 2], 20_000, -1), Contribution([1, 3], 20_000, 1)])

    assert result.orders == 0
    assert as_products(result) == {2: (-1, -65_536, -65_536), 3: (1, 65_536, 65_536)}
    assert as_pairs(result.neighbours) == {
        (1, 2): (-1, -65_536), (1, 3): (1, 65_536), (2, 1): (-1, -65_536), (3, 1): (1, 65_536)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("basket", "orders"),
    [
        pytest.param([], 0, id="empty"),
        pytest.param([1, 2, 3, 4, 5], 0, id="above the cap"),
        pytest.param([1, 2, 3, 4, 4, 4], 1, id="at the cap, with a product named thrice"),
        pytest.param([1], 1, id="alone"),
    ],
)
def test_which_baskets_are_learned(basket: list[int], orders: int) -> None:
    result = increment(PARAMETERS, [Contribution(basket, 20_000, 1)])

    assert result.orders == orders
    assert result.products.tolist() == sorted(set(basket)) * orders


@pytest.mark.parametrize("sign", [0, 2, -2])
def test_increment_refuses_another_sign(sign: int) -> None:
    with pytest.raises(ValueError, match="sign must be"):
        increment(PARAMETERS, [Contribution([1, 2], 20_000, sign)])


# --- neighbours and their segments ----------------------------------------------------------------------


def test_select_returns_the_wanted_rows_alone() -> None:
    whole = increment(PARAMETERS, [Contribution([1, 2, 3], 20_000, 1), Contribution([3, 4], 20_000, 1)])

    chosen = whole.neighbours.select([4, 99, 1])

    assert as_pairs(chosen) == {
        pair: amounts for pair, amounts in as_pairs(whole.neighbours).items() if pair[0] in (1, 4)
    }
    assert_canonical(chosen)
    assert as_pairs(whole.neighbours.select([])) == {}


def test_the_layout_of_a_segment() -> None:
    neighbours = Neighbours(
        np.array([7]), np.array([0, 2]), np.array([8, 2**40]), np.array([1, -3]), np.array([2**33, -5])
    )

    assert pack(neighbours) == [(7, struct.pack("<qiq", 8, 1, 2**33) + struct.pack("<qiq", 2**40, -3, -5))]


@given(st.lists(st.lists(contributions, max_size=4), max_size=5), st.randoms())
def test_unpack_sums_segments_in_any_order(batches: list[list[Contribution]], shuffler: Random) -> None:
    segments = [row for batch in batches for row in pack(increment(PARAMETERS, batch).neighbours)]
    shuffler.shuffle(segments)

    result = unpack(segments)

    whole = increment(PARAMETERS, [contribution for batch in batches for contribution in batch])
    assert as_pairs(result) == as_pairs(whole.neighbours)
    assert_canonical(result)


def test_unpack_takes_what_a_database_driver_returns() -> None:
    segment = struct.pack("<qiq", 8, 1, 100)

    assert as_pairs(unpack(iter([(7, memoryview(segment)), (7, bytearray(segment))]))) == {(7, 8): (2, 200)}


def test_unpack_of_nothing_is_empty() -> None:
    empty = unpack([])

    assert_canonical(empty)
    assert empty.indptr.tolist() == [0]
    assert pack(empty) == []


def test_unpack_keeps_an_entry_that_weighs_nothing() -> None:
    rows = [(1, struct.pack("<qiq", 2, 1, 0)), (3, struct.pack("<qiq", 4, 0, 0))]

    assert as_pairs(unpack(rows)) == {(1, 2): (1, 0)}


@pytest.mark.parametrize("length", [1, 19, 21, 39])
def test_unpack_refuses_a_corrupt_segment(length: int) -> None:
    with pytest.raises(ValueError, match=f"corrupt segment of product 5: {length} bytes"):
        unpack([(4, bytes(20)), (5, bytes(length))])


@pytest.mark.parametrize("orders", [2**31, -(2**31) - 1])
def test_pack_refuses_orders_beyond_32_bits(orders: int) -> None:
    neighbours = Neighbours(np.array([1]), np.array([0, 1]), np.array([2]), np.array([orders]), np.array([1]))

    with pytest.raises(ValueError, match="32 bits"):
        pack(neighbours)


def test_the_module_is_cheap_to_import() -> None:
    program = (
        "import sys, app.recommendations.cooccurrence;"
        "sys.exit(any(heavy in sys.modules for heavy in ('numba', 'scipy', 'pandas')))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
