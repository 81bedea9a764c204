"""The compiled loops of evaluation: scoring all products for a request, and finding the rank of the hidden one."""

import numpy as np

from app.recommendations.compiled import Floats, Indices, compiled
from app.recommendations.cooccurrence import Integers


@compiled
def add_rows(
    first: int,
    indptr: Integers,
    products: Integers,
    starts: Integers,
    others: Indices,
    values: Floats,
    scores: Floats,
) -> None:
    """Add to each row of ``scores`` the sparse rows of the products that a request holds.

    Row ``i`` is of request ``first + i``, which holds ``products[indptr[first + i]:indptr[first + i + 1]]``. The
    sparse row of product ``a`` is ``values[starts[a]:starts[a + 1]]``, at ``others``.
    """
    for row in range(len(scores)):
        for place in range(indptr[first + row], indptr[first + row + 1]):
            product = products[place]
            for entry in range(starts[product], starts[product + 1]):
                scores[row, others[entry]] += values[entry]


@compiled
def place_hidden(
    first: int,
    scores: Floats,
    popularity: Integers,
    indptr: Integers,
    products: Integers,
    hidden: Integers,
    ranks: Integers,
    top: Integers,
) -> None:
    """Write the rank of each request's hidden product, and the products with the best scores.

    Row ``i`` of ``scores`` is of request ``first + i``; what it holds (see :func:`add_rows`) and what scores minus
    infinity is no candidate. Ties go by popularity, then to the smaller number. A hidden product that is no
    candidate gets rank 0.
    """
    deepest = top.shape[1]
    held = np.full(len(popularity), -1, dtype=np.int64)
    for row in range(len(scores)):
        request = first + row
        for place in range(indptr[request], indptr[request + 1]):
            held[products[place]] = request
        target = hidden[request]
        wanted = target >= 0 and held[target] != request and scores[row, target] > -np.inf
        used, rank = 0, 1
        for product in range(len(popularity)):
            score = scores[row, product]
            if held[product] == request or score == -np.inf:
                continue
            if wanted and product != target:
                aim = scores[row, target]
                if score > aim or (
                    score == aim
                    and (
                        popularity[product] > popularity[target]
                        or (popularity[product] == popularity[target] and product < target)
                    )
                ):
                    rank += 1
            place = used
            while place > 0:
                before = top[request, place - 1]
                best = scores[row, before]
                if best > score or (best == score and popularity[before] >= popularity[product]):
                    break
                if place < deepest:
                    top[request, place] = before
                place -= 1
            if place < deepest:
                top[request, place] = product
                used = min(used + 1, deepest)
        ranks[request] = rank if wanted else 0
