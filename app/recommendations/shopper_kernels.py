"""The compiled loop behind :mod:`app.recommendations.same_shoppers`. Imported in jobs only."""

from typing import Any

import numpy as np

from app.recommendations.compiled import compiled
from app.recommendations.cooccurrence import Integers


@compiled
def count_rows(
    first: int,
    last: int,
    holder_starts: Integers,
    holders: Integers,
    line_of: Integers,
    line_starts: Integers,
    products: Integers,
    only: Integers,
    counted: Integers,
    weights: Integers,
    reach: int,
) -> Any:
    """Count the companions of products ``first`` to ``last``: (ends, others, counts, weights) of their rows.

    Args:
        first: place of the first product.
        last: place behind the last one.
        holder_starts: int64[p + 1], where each product's holders stand.
        holders: int64[lines], who bought it.
        line_of: int64[lines], the line of that holder that names the product.
        line_starts: int64[h + 1], where each holder's lines stand.
        products: int64[lines], places of products.
        only: int64[lines], the one order that holds the product, -1 where there are several or it does not matter.
        counted: int64[h], what a holder adds to counts.
        weights: int64[h], what it adds to weights.
        reach: the most entries that the rows can have.
    """
    size = len(holder_starts) - 1
    ends = np.zeros(last - first, np.int64)
    others = np.empty(reach, np.int64)
    counts = np.empty(reach, np.int64)
    sums = np.empty(reach, np.int64)
    row_counts = np.zeros(size, np.int64)
    row_sums = np.zeros(size, np.int64)
    touched = np.empty(size, np.int64)
    filled = 0
    for place in range(first, last):
        met = 0
        for entry in range(holder_starts[place], holder_starts[place + 1]):
            holder = holders[entry]
            own = only[line_of[entry]]
            for line in range(line_starts[holder], line_starts[holder + 1]):
                other = products[line]
                if other == place or (own >= 0 and only[line] == own):
                    continue
                if row_sums[other] == 0:
                    touched[met] = other
                    met += 1
                row_counts[other] += counted[holder]
                row_sums[other] += weights[holder]
        row = np.sort(touched[:met])
        for other in row:
            others[filled] = other
            counts[filled] = row_counts[other]
            sums[filled] = row_sums[other]
            row_counts[other] = 0
            row_sums[other] = 0
            filled += 1
        ends[place - first] = filled
    return ends, others[:filled].copy(), counts[:filled].copy(), sums[:filled].copy()
