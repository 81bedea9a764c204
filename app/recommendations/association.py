"""What pair counts mean: the measures of an association rule, as vectorised functions of counts.

All counts are numbers of baskets. For products *a* (antecedent) and *b* (consequent) in a store of ``N``
baskets, ``n_a`` and ``n_b`` hold each of them and ``n_ab`` both.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def support(pair_orders: npt.ArrayLike, store_orders: npt.ArrayLike) -> Floats:
    """Return the share of all baskets that hold both products: ``n_ab / N``.

    Within [0, 1]; 0 for a store without orders. (Agrawal, Imielinski and Swami, SIGMOD 1993.)
    """
    return _ratio(pair_orders, store_orders)


def confidence(pair_orders: npt.ArrayLike, antecedent_orders: npt.ArrayLike) -> Floats:
    """Return the share of the antecedent's baskets that also hold the consequent: ``n_ab / n_a``.

    Within [0, 1]; 0 if the antecedent was never bought. (Agrawal, Imielinski and Swami, SIGMOD 1993.)
    """
    return _ratio(pair_orders, antecedent_orders)


def lift(
    pair_orders: npt.ArrayLike,
    antecedent_orders: npt.ArrayLike,
    consequent_orders: npt.ArrayLike,
    store_orders: npt.ArrayLike,
) -> Floats:
    """Return how many times more often than by chance two products meet: ``n_ab N / (n_a n_b)``.

    0 or more; 1 where the two are independent; 0 if either was never bought. Symmetric. (Called *interest*
    by Brin, Motwani, Ullman and Tsur, SIGMOD 1997.)
    """
    together = np.asarray(pair_orders, dtype=np.float64) * np.asarray(store_orders, dtype=np.float64)
    apart = np.asarray(antecedent_orders, dtype=np.float64) * np.asarray(consequent_orders, dtype=np.float64)
    return _ratio(together, apart)


def log_likelihood_ratio(
    k11: npt.ArrayLike, k12: npt.ArrayLike, k21: npt.ArrayLike, k22: npt.ArrayLike
) -> Floats:
    """Return Dunning's G² of the 2×2 table: how surely two products are *not* independent.

    ``G² = 2 Σ k ln(k / e)`` with ``e`` the cell's expected count under independence (row sum times column
    sum over total) and ``0 ln 0 = 0``. (Dunning, Computational Linguistics 19(1), 1993.) It is 0 or
    more; under independence it follows chi-square with one degree of freedom, 10.83 being its 0.999
    quantile. It is large for products that avoid each other too: read it beside the lift. A table with an
    empty row or column, or without any order, gives 0.

    The sum is taken as ``2 Σ e h(k / e - 1)`` with ``h(d) = (1 + d) ln(1 + d) - d``. That is the same
    because the differences ``k - e`` of the four cells cancel out; but no term is negative, so that
    nothing is lost to rounding where the plain sum subtracts large numbers.

    Args:
        k11: int, baskets with both products.
        k12: int, baskets with the first only.
        k21: int, baskets with the second only.
        k22: int, baskets with neither. Totals must stay below 3e9.

    Raises:
        ValueError: if a count is negative.
    """
    cells = [np.asarray(cell, dtype=np.int64) for cell in (k11, k12, k21, k22)]
    if any(np.any(cell < 0) for cell in cells):
        raise ValueError("a count is negative")
    both, first_only, second_only, neither = cells
    excess = (both * neither - first_only * second_only).astype(np.float64)
    with_first, no_first = _sum(both, first_only), _sum(second_only, neither)
    with_second, no_second = _sum(both, second_only), _sum(first_only, neither)
    total = with_first + no_first
    terms = (
        _divergence(excess, with_first * with_second)
        + _divergence(-excess, with_first * no_second)
        + _divergence(-excess, no_first * with_second)
        + _divergence(excess, no_first * no_second)
    )
    return _ratio(2 * terms, total)


def _sum(some: npt.NDArray[np.int64], more: npt.NDArray[np.int64]) -> Floats:
    """Return an exact sum of counts, as floats."""
    return (some + more).astype(np.float64)


def _divergence(excess: Floats, expected: Floats) -> Floats:
    """Return ``e h(x / e)``, 0 where ``e`` is 0; both arguments are scaled by the table's total."""
    relative = np.maximum(_ratio(excess, expected), -1.0)
    near = relative * relative * (0.5 - relative / 6 + relative * relative / 12)
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.where(relative > -1.0, (1 + relative) * np.log1p(relative), 0.0) - relative
    divergence: Floats = expected * np.where(np.abs(relative) < 1e-4, near, far)
    return divergence


def _ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Floats:
    """Return the quotient, 0 where the denominator is 0."""
    above, below = np.broadcast_arrays(
        np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    )
    quotient = np.zeros(above.shape)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient
