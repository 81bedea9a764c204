"""A closed-form item model: how much each product of a cart speaks for and against every other.

EASE (Steck, *Embarrassingly shallow autoencoders for sparse data*, WWW 2019) on weighted baskets: with ``G`` the
weighted co-purchase matrix (its diagonal the products' own weights) and ``P = (G + λI)⁻¹``, the weight of ``b`` given
``a`` is ``-P_ab / P_bb`` and 0 on the diagonal. Unlike counts it knows that two products of a cart say the same, and
what speaks against a product. The matrix is dense, so only the store's most-bought products take part.

Compiled libraries only; imported in jobs.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from scipy import linalg

from app.recommendations.compiled import Floats
from app.recommendations.cooccurrence import Integers

# One matrix of so many products is 288 MB, and there is one of them at a time.
MOST_PRODUCTS: Final = 6000
_ROWS: Final = 512

# SciPy makes this module of Fortran's, without names that a type checker could see.
_lapack: Final[Any] = linalg.lapack


def inverted(gram: Floats, ridge: float) -> Floats:
    """Return float64[p, p]: the inverse ``P`` that the weights follow from.

    Args:
        gram: float64[p, p], symmetric and in the order of rows, the weighted co-purchases with the products' own
            weights on the diagonal; the result is made in its place, so that memory stays at one matrix.
        ridge: λ, in the unit of the weights; larger is more cautious.

    Raises:
        ValueError: if ``ridge`` is not positive, or the matrix is none of co-purchases.
    """
    if not ridge > 0:
        raise ValueError(f"ridge must be positive: {ridge}")
    gram[np.diag_indices(len(gram))] += ridge
    # LAPACK counts by columns: its upper triangle is the lower one of these rows.
    factor, failed = _lapack.dpotrf(gram.T, lower=0, clean=0, overwrite_a=1)
    if failed:
        raise ValueError("the co-purchase matrix is not positive definite")
    inverse: Floats = _lapack.dpotri(factor, lower=0, overwrite_c=1)[0].T
    _mirror(inverse)
    return inverse


def gained(inverse: Floats, orders: Sequence[Integers], weights: Floats) -> Floats:
    """Return float64[o, p]: ``Y`` such that ``P + YᵀY`` is the inverse had these orders never been counted.

    By Woodbury's identity (Hager, *Updating the inverse of a matrix*, SIAM Review 31(2), 1989): a few hundred orders
    cost a fraction of another inversion, and no second matrix.

    Args:
        inverse: of :func:`inverted`.
        orders: the places of each order's products; an order without any is not asked for.
        weights: float64[o], what each was counted with, in the unit of the matrix.

    Raises:
        ValueError: if these orders were not counted.
    """
    sums = np.array([inverse[places].sum(axis=0) for places in orders]).reshape(len(orders), len(inverse))
    inner = -np.array([sums[:, places].sum(axis=1) for places in orders]).reshape(len(orders), len(orders))
    inner[np.diag_indices(len(orders))] += 1.0 / weights
    try:
        factor = linalg.cholesky(inner, lower=True)
    except linalg.LinAlgError as error:
        raise ValueError("these orders were not counted") from error
    result: Floats = linalg.solve_triangular(factor, sums, lower=True)
    return result


def _mirror(matrix: Floats) -> None:
    """Copy the lower triangle over the upper one, some rows at a time."""
    for first in range(0, len(matrix), _ROWS):
        last = min(first + _ROWS, len(matrix))
        matrix[first:last, last:] = matrix[last:, first:last].T
        square = matrix[first:last, first:last]
        square[:] = np.tril(square) + np.tril(square, -1).T
