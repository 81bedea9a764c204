"""The item model against NumPy's inverse, and against what it promises of memory."""

import numpy as np
import pytest

from app.recommendations import item_model
from app.recommendations.item_model import inverted


def gram_of(baskets, products, weight=1.0):
    """Return the co-purchase matrix of some baskets."""
    held = np.zeros((len(baskets), products))
    for row, basket in enumerate(baskets):
        held[row, list(basket)] = 1.0
    return weight * held.T @ held


def random_gram(products, seed):
    random = np.random.default_rng(seed)
    return gram_of([random.choice(products, 3, replace=False) for _ in range(4 * products)], products)


def item_weights(gram, ridge):
    """Return what each product of a row says of each other one, as the module's first lines have it."""
    inverse = inverted(gram, ridge)
    inverse *= (-1.0 / np.diag(inverse))[np.newaxis, :]
    np.fill_diagonal(inverse, 0.0)
    return inverse


def by_inverse(gram, ridge):
    """Return the closed form as the paper has it."""
    inverse = np.linalg.inv(gram + ridge * np.eye(len(gram)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


@pytest.mark.parametrize("products", [2, 7, 40])
@pytest.mark.parametrize("ridge", [0.5, 50.0])
def test_weights_are_those_of_the_closed_form(products, ridge):
    gram = random_gram(max(products, 3), seed=products)[:products, :products].copy()
    expected = by_inverse(gram, ridge)

    np.testing.assert_allclose(item_weights(gram, ridge), expected, rtol=1e-9, atol=1e-12)


def test_a_matrix_of_several_bands_of_rows_is_mirrored_whole(monkeypatch):
    monkeypatch.setattr(item_model, "_ROWS", 4)
    gram = random_gram(11, seed=3)
    expected = by_inverse(gram, 2.0)

    np.testing.assert_allclose(item_weights(gram, 2.0), expected, rtol=1e-9, atol=1e-12)


def test_two_products_by_hand():
    # G + I = [[3, 1], [1, 2]], its inverse [[2, -1], [-1, 3]] / 5.
    learned = item_weights(np.array([[2.0, 1.0], [1.0, 1.0]]), 1.0)

    np.testing.assert_allclose(learned, [[0.0, 1 / 3], [1 / 2, 0.0]])


def test_nothing_speaks_for_itself_and_nothing_unmet_for_another():
    learned = item_weights(gram_of([(0, 1)] * 5 + [(2, 3)] * 5, 4), 1.0)

    assert np.diag(learned).tolist() == [0.0] * 4
    assert learned[0, 1] > 0
    assert learned[:2, 2:].tolist() == [[0.0, 0.0]] * 2


def test_what_two_products_say_alike_is_not_counted_twice():
    # 0 and 1 are always bought together, and 2 with them: both say the same of it.
    learned = item_weights(gram_of([(0, 1, 2)] * 20 + [(3, 2)] * 20, 4), 1.0)

    assert learned[0, 2] == pytest.approx(learned[1, 2])
    assert learned[0, 2] + learned[1, 2] < 1.1
    assert learned[3, 2] > 0.9


def test_the_result_is_made_in_place():
    gram = random_gram(9, seed=1)

    assert np.shares_memory(item_weights(gram, 1.0), gram)


def test_a_larger_ridge_is_more_cautious():
    gram = gram_of([(0, 1)] * 10 + [(0,)] * 5, 2)

    assert item_weights(gram.copy(), 1.0)[0, 1] > item_weights(gram, 30.0)[0, 1] > 0


@pytest.mark.parametrize("ridge", [0.0, -1.0, float("nan")])
def test_a_ridge_that_is_not_positive_is_refused(ridge):
    with pytest.raises(ValueError, match="ridge must be positive"):
        item_weights(np.eye(2), ridge)


def test_a_matrix_that_no_baskets_have_is_refused():
    with pytest.raises(ValueError, match="not positive definite"):
        item_weights(np.array([[1.0, 9.0], [9.0, 1.0]]), 1.0)
