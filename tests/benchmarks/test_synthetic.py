"""Synthetic shops are the same every time, and of the shape they promise."""

import numpy as np
import pytest

from benchmarks import synthetic


def test_equal_arguments_give_equal_orders():
    assert np.array_equal(synthetic.orders(300, 2_000, seed=5), synthetic.orders(300, 2_000, seed=5))


def test_another_seed_gives_another_shop():
    assert not np.array_equal(synthetic.orders(300, 2_000, seed=5), synthetic.orders(300, 2_000, seed=6))


def test_an_order_holds_distinct_products_of_the_catalogue():
    found = synthetic.orders(2_000, 30, seed=7)

    assert found.shape == (2_000, 10)
    assert np.all(np.diff(found, axis=1) > 0)
    assert found.min() >= 0
    assert found.max() < 30


def test_popularity_falls_with_the_rank():
    sold = np.sort(np.bincount(synthetic.orders(20_000, 1_000, seed=8).ravel(), minlength=1_000))[::-1]

    # Zipf's law, flattened by bundles and by an order naming no product twice.
    assert sold[:10].sum() > 10 * sold[500:510].sum()


def test_planted_bundles_are_bought_together():
    found = synthetic.orders(5_000, 500, seed=9)
    held = np.zeros((5_000, 500), dtype=np.int64)
    np.put_along_axis(held, found, 1, axis=1)
    together = held.T @ held
    np.fill_diagonal(together, 0)
    expected = np.outer(held.sum(axis=0), held.sum(axis=0)) / 5_000
    strong = (together > 50) & (together > 3 * expected)

    # Ten bundles of three: each of their products with the two others.
    assert np.sum(np.sum(strong, axis=1) == 2) >= 15


def test_a_shop_has_as_many_lines_as_asked_for():
    found = synthetic.shop(1_000, 100)

    assert len(found.products) == 1_000
    assert found.indptr.tolist() == list(range(0, 1_001, 10))
    assert found.days[0] < found.days[-1]
    assert np.all(np.diff(found.days) >= 0)


@pytest.mark.parametrize(("products", "lines"), [(19, 10), (100, 2)], ids=["small catalogue", "short orders"])
def test_orders_that_cannot_be_made_are_refused(products, lines):
    with pytest.raises(ValueError, match="too few"):
        synthetic.orders(1, products, lines=lines)
