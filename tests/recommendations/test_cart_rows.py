"""Rows that carts are scored from, against plain loops over small histories."""

import math
from collections import Counter
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.recommendations import cart_rows, ranking
from app.recommendations.cart_rows import UNGATED, ItemWeights
from app.recommendations.cooccurrence import Parameters
from app.recommendations.indexing import Baskets

TODAY = 20_000
PARAMETERS = Parameters(TODAY, 30.0, 6)
# So old that an order still counts, and weighs nothing.
FADED = TODAY - 40 * 30
UNIT = 2.0**16


def counted_of(baskets, day=TODAY, limit=cart_rows.LENGTH, **options):
    """Return the counts of baskets; ``day`` is of all of them, or of each."""
    days = [day] * len(baskets) if isinstance(day, int) else day
    lines = [product for basket in baskets for product in sorted(basket)]
    stored = Baskets(np.cumsum([0, *map(len, baskets)]), np.array(lines, np.int64), np.array(days, np.int64))
    return ranking.rebuild(PARAMETERS, stored, UNGATED, limit, **options)


def rows_of(counted, ridge=None, length=cart_rows.LENGTH):
    return cart_rows.joined(cart_rows.build(counted, ridge, length))


def by_pair(rows):
    """Return (orders, weighted, item, together, share of the other) of each pair in rows."""
    owners = np.repeat(rows.products, np.diff(rows.indptr)).tolist()
    numbers = (rows.orders, rows.weighted, rows.item, rows.together, rows.shares)
    found = zip(*(values.tolist() for values in numbers), strict=True)
    pairs = list(zip(owners, rows.others.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    return dict(zip(pairs, found, strict=True))


def plain(baskets, ridge):
    """Return the same by counting in dictionaries, every pair of the store's products."""
    learned = [b for b in baskets if 1 <= len(b) <= PARAMETERS.basket_cap]
    together, shared, weights, orders = Counter(), Counter(), Counter(), Counter()
    for basket in learned:
        weight = round(UNIT / math.sqrt(max(len(basket) - 1, 1)))
        for product in basket:
            orders[product] += 1
            weights[product] += weight
        for pair in permutations(basket, 2):
            together[pair] += 1
            shared[pair] += weight
    products = sorted(orders)
    caution = 5 * sum(weights.values()) / sum(orders.values())
    said = np.zeros((len(products), len(products)))
    if ridge is not None:
        heaviest = min(products, key=lambda p: (-weights[p], p))
        unit = weights[heaviest] / orders[heaviest]
        gram = np.array([[shared[a, b] if a != b else weights[a] for b in products] for a in products]) / unit
        inverse = np.linalg.inv(gram + ridge * np.eye(len(products)))
        said = -inverse / np.diag(inverse)
    return {
        (a, b): (
            together[a, b],
            shared[a, b] / (weights[a] ** 0.6 * weights[b] ** 0.4),
            said[i, j],
            shared[a, b] / (weights[a] + caution),
            orders[b] / len(learned),
        )
        for (i, a), (j, b) in permutations(enumerate(products), 2)
    }


_baskets = st.lists(st.sets(st.sampled_from([2, 3, 5, 8, 13, 21, 34]), max_size=7), min_size=1, max_size=14)


@settings(max_examples=60)
@given(_baskets.filter(lambda baskets: any(1 <= len(b) <= 6 for b in baskets)), st.sampled_from([None, 2.0]))
@example([{2, 3}, {2, 3, 5}, {5, 8}, {13}], 2.0)
def test_rows_are_what_counting_by_hand_says(baskets, ridge):
    found = by_pair(rows_of(counted_of(baskets), ridge))

    expected = plain(baskets, ridge)
    nothing = {pair: (0, 0.0, 0.0, 0.0, share) for pair, (*_, share) in expected.items()}
    assert {pair for pair, (orders, *_) in expected.items() if orders} <= found.keys() <= expected.keys()
    for pair, numbers in (nothing | found).items():
        assert numbers == pytest.approx(expected[pair], rel=1e-9, abs=1e-12), pair


def test_shares_follow_younger_orders():
    # 1 was bought ten times a half-life ago, 2 as often today: two thirds of the weight are its own.
    popular = cart_rows.popularity_of(counted_of([{1}] * 10 + [{2}] * 10, [TODAY - 30] * 10 + [TODAY] * 10))

    assert popular.products.tolist() == [1, 2]
    np.testing.assert_allclose(popular.shares, [1 / 3, 2 / 3])
    assert popular.caution == pytest.approx(5 * 0.75 * UNIT)


def test_only_the_strongest_weights_are_kept():
    baskets = [set(pair) for pair in combinations(range(1, 8), 2)] + [{1, 2}] * 5 + [{1, 5}] * 3 + [{3}] * 4
    counted = counted_of(baskets)
    whole, short = (cart_rows.learn_item_model(counted, 2.0, length) for length in (6, 2))

    for product in counted.products.tolist():
        others, weights = whole.of(product)
        assert others.tolist() == [p for p in range(1, 8) if p != product]
        strongest = sorted(np.argsort(-np.abs(weights), kind="stable")[:2].tolist())
        kept, kept_weights = short.of(product)
        assert kept.tolist() == others[strongest].tolist()
        assert kept_weights.tolist() == weights[strongest].tolist()


def test_only_the_most_bought_products_take_part_in_the_model(monkeypatch):
    monkeypatch.setattr(cart_rows.item_model, "MOST_PRODUCTS", 2)
    counted = counted_of([{1, 2}] * 2 + [{2, 3}] * 3)

    learned = cart_rows.learn_item_model(counted, 1.0)

    assert learned.products.tolist() == [2, 3]
    assert learned.of(1)[0].tolist() == learned.of(99)[0].tolist() == []
    assert learned.of(3)[0].tolist() == [2]


@pytest.mark.parametrize("baskets", [[], [{1}] * 3], ids=["nothing", "one product"])
def test_there_is_no_model_of_fewer_than_two_products(baskets):
    assert len(cart_rows.learn_item_model(counted_of(baskets), 1.0).products) == 0


def test_a_store_without_orders_has_no_rows():
    rows = rows_of(counted_of([]), 1.0)

    assert (len(rows.products), rows.indptr.tolist(), len(rows.others)) == (0, [0], 0)
    assert {values.dtype.name for values in (rows.weighted, rows.item, rows.together, rows.shares)} == {
        "float64"
    }


def test_products_that_weigh_nothing_any_more_score_nothing():
    counted = counted_of([{1, 2}] * 3 + [{3, 4}], [FADED] * 3 + [TODAY])

    found = by_pair(rows_of(counted, 1.0))

    assert found[1, 2] == found[2, 1] == (3, 0.0, 0.0, 0.0, 0.0)
    orders, weighted, item, _, share = found[3, 4]
    # Half of all that weighs anything, at two lines an order.
    assert (orders, weighted, item, share) == pytest.approx((1, 1.0, 0.5, 1.0))


def test_blocks_are_joined_as_if_they_were_one():
    baskets = [set(trio) for trio in combinations([2, 4, 6, 9, 11], 3)] + [{2, 11}] * 3
    parts = counted_of(baskets, block=1)
    assert len(list(parts.blocks())) > 1

    joined, whole = rows_of(parts, 3.0), rows_of(counted_of(baskets), 3.0)

    assert by_pair(joined) == by_pair(whole)
    assert joined.indptr.tolist() == whole.indptr.tolist()
    assert joined.products.tolist() == whole.products.tolist() == [2, 4, 6, 9, 11]


def test_a_row_holds_the_best_of_either_reason():
    baskets = [{1, p} for p in range(2, 7)] + [{1, 2}] * 4 + [{3, 4}, {5, 6}] * 3
    counted = counted_of(baskets, limit=1)

    rows = by_pair(rows_of(counted, 1.0, length=1))

    of_one = {other: numbers for (owner, other), numbers in rows.items() if owner == 1}
    assert 2 in of_one
    assert len(of_one) <= 2


def assembled(item, baskets=({1, 2}, {1, 2}, {2, 3})):
    counted = counted_of(list(baskets))
    (block,) = counted.blocks()
    return by_pair(cart_rows.assemble(block.neighbours, block.ranked, item, cart_rows.popularity_of(counted)))


def test_ids_of_products_may_be_large():
    high = 10**13

    found = rows_of(counted_of([{high + 1, high + 2}, {high + 1, high + 2}, {high + 2, high + 3}]), ridge=2.0)

    small = rows_of(counted_of([{1, 2}, {1, 2}, {2, 3}]), ridge=2.0)
    assert by_pair(found) == {(high + a, high + b): row for (a, b), row in by_pair(small).items()}
    assert len(by_pair(small)) == 6


def test_what_the_model_alone_says_stands_in_a_row_without_orders():
    ids = (np.array(values, np.int64) for values in ([1], [0, 1], [3]))

    found = assembled(ItemWeights(*ids, np.array([-0.25])))

    assert found[1, 3] == pytest.approx((0, 0.0, -0.25, 0.0, 1 / 3))


@pytest.mark.parametrize("gone", [0, 4, 1_000_000_007])
def test_a_product_that_nobody_has_bought_any_more_since_the_model_was_learned_is_left_out(gone):
    ids = (np.array(values, np.int64) for values in ([1], [0, 2], sorted([2, gone])))
    plainly = assembled(cart_rows.no_item_model())

    found = assembled(ItemWeights(*ids, np.array([0.5, 0.5])))

    assert found.keys() == plainly.keys()
    assert found == plainly | {(1, 2): (*plainly[1, 2][:2], 0.5, *plainly[1, 2][3:])}
