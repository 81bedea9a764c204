"""Which categories of products are bought together, and what of them to show.

A product that nobody has bought yet still stands in a category, and categories have orders. What is said from here is
that the *categories* go together, never the products. Pure calculation; SciPy is imported in jobs only.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from app.recommendations import association

if TYPE_CHECKING:  # Numba is imported in jobs only
    from app.recommendations.ranking import Gates

Ints = npt.NDArray[np.int64]

# As products are ranked beside each other: the companion's own orders count less than the category's (see ``ranking``).
_OWN_EXPONENT: Final = 0.6
_OTHER_EXPONENT: Final = 0.4


@dataclass(frozen=True, slots=True)
class Counts:
    """In how many baskets categories stand.

    Attributes:
        orders: baskets with any product.
        single: int64[c], baskets with each category.
        pairs: int64[m, 3], (category, category, baskets with both), first smaller than second, sorted.
    """

    orders: int
    single: Ints
    pairs: Ints


@dataclass(frozen=True, slots=True)
class Companion:
    """A category that goes with another one: ``orders`` hold both, ``lift`` times as often as by chance."""

    category: int
    orders: int
    lift: float
    score: float


def count(baskets: Iterable[tuple[Ints, Ints]], categories: int, basket_cap: int) -> Counts:
    """Count categories in baskets; a category counts once a basket, however many of its products are in it.

    Args:
        baskets: parts of the orders, as (indptr int64[n + 1], int64[m] the category of each product, -1 for none).
        categories: their number.
        basket_cap: larger baskets are left out, as in all learning.
    """
    from scipy import sparse

    matrix: Any = sparse.csr_matrix
    above: Any = sparse.triu
    orders, single = 0, np.zeros(categories, np.int64)
    together = matrix((categories, categories), dtype=np.int64)
    for indptr, of_line in baskets:
        sizes = np.diff(indptr)
        kept = (sizes > 0) & (sizes <= basket_cap)
        orders += int(kept.sum())
        order = np.repeat(np.arange(len(sizes)), sizes)
        lines = kept[order] & (of_line >= 0)
        held = np.unique(order[lines] * max(categories, 1) + of_line[lines])
        rows, columns = np.divmod(held, max(categories, 1))
        single += np.bincount(columns, minlength=categories)
        ones = np.ones(len(held), np.int64)
        incidence = matrix((ones, (rows, columns)), shape=(len(sizes), categories))
        together = together + incidence.T @ incidence
    upper = above(together, 1).tocoo()
    pairs = np.stack([upper.row.astype(np.int64), upper.col.astype(np.int64), upper.data], axis=1)
    return Counts(orders, single, pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))])


def companions(counts: Counts, gates: "Gates") -> dict[int, list[Companion]]:
    """Return for each category those that go with it, the closest first; only pairs that pass all ``gates``.

    The score is ``n_ab / (n_a^0.6 n_b^0.4)``; ties go to more orders, then to the smaller number.
    """
    first, second, both = counts.pairs.T
    n_first, n_second = counts.single[first], counts.single[second]
    lift = association.lift(both, n_first, n_second, counts.orders)
    significance = association.log_likelihood_ratio(
        both, n_first - both, n_second - both, counts.orders - n_first - n_second + both
    )
    passed = (both >= gates.min_orders) & (lift >= gates.min_lift) & (significance >= gates.min_llr)
    found: dict[int, list[Companion]] = {}
    for row in np.flatnonzero(passed).tolist():
        for own, other in ((first[row], second[row]), (second[row], first[row])):
            weight = counts.single[own] ** _OWN_EXPONENT * counts.single[other] ** _OTHER_EXPONENT
            found.setdefault(int(own), []).append(
                Companion(int(other), int(both[row]), float(lift[row]), float(both[row] / weight))
            )
    for others in found.values():
        others.sort(key=lambda c: (-c.score, -c.orders, c.category))
    return found


def interleave(
    others: Sequence[Companion], best_sellers: Mapping[int, Sequence[str]], limit: int
) -> list[tuple[str, Companion]]:
    """Return the best sellers of companion categories as one list, each with its category; no product twice.

    Places are dealt out as seats of a parliament by scores, with the divisors 1, 3, 5, … (Webster, Sainte-Laguë): a
    category of twice the score gets about twice the places, and each gets one before any gets too many.
    """
    queue = [
        (-other.score, place, 0)
        for place, other in enumerate(others)
        if other.score > 0 and best_sellers.get(other.category)
    ]
    heapq.heapify(queue)
    dealt: dict[str, Companion] = {}
    while queue and len(dealt) < limit:
        _, place, taken = heapq.heappop(queue)
        other = others[place]
        sellers = best_sellers[other.category]
        dealt.setdefault(sellers[taken], other)
        if taken + 1 < len(sellers):
            heapq.heappush(queue, (-other.score / (2 * taken + 3), place, taken + 1))
    return list(dealt.items())
