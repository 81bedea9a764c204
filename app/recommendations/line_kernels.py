"""The compiled loops that index order lines: numbering products, and turning baskets into products' baskets."""

from typing import Final

import numpy as np
import numpy.typing as npt

from app.recommendations.compiled import ONE, Indices, compiled
from app.recommendations.cooccurrence import Integers

# Baskets of so many lines are sorted by insertion.
_INSERTION_SORT: Final = 48


@compiled
def mark_present(ids: Integers, lowest: int, present: npt.NDArray[np.bool_]) -> None:
    """Mark which ids there are; ``present[i]`` is of id ``lowest + i``."""
    for product in ids:
        present[product - lowest] = True


@compiled
def number_lines(
    first: int,
    last: int,
    indptr: Integers,
    ids: Integers,
    products: Integers,
    table: Indices,
    lines: Indices,
    sizes: Integers,
) -> None:
    """Write the place of each line's id in ``products``, and each basket's number of distinct products.

    A basket's distinct products stand at the front of its part of ``lines``. Places are looked up in ``table``, which
    starts with that of the smallest id; where it is empty they are searched for.
    """
    seen = np.full(len(products), -1, dtype=np.int64)
    for basket in range(first, last):
        end = indptr[basket]
        for line in range(indptr[basket], indptr[basket + 1]):
            if len(table):
                low = np.int64(table[ids[line] - products[0]])
            else:
                low, high = np.int64(0), np.int64(len(products))
                while low < high:
                    middle = (low + high) >> 1
                    if products[middle] < ids[line]:
                        low = middle + 1
                    else:
                        high = middle
            if seen[low] != basket:
                seen[low] = basket
                lines[end] = low
                end += 1
        sizes[basket] = end - indptr[basket]


@compiled
def close_gaps(indptr: Integers, sizes: Integers, lines: Indices) -> int:
    """Move the first ``sizes[i]`` lines of each basket ``i`` up to those before; return how many lines there are."""
    end = 0
    for basket in range(len(sizes)):
        start = indptr[basket]
        for line in range(start, start + sizes[basket]):
            lines[end] = lines[line]
            end += 1
    return end


@compiled
def count_lines(lines: Indices, count: int) -> Integers:
    """Return how many lines each of ``count`` products has."""
    found = np.zeros(count, dtype=np.int64)
    for product in lines:
        found[product] += 1
    return found


@compiled
def chain_lines(first: int, last: int, starts: Indices, ranks: Indices, lines: Indices) -> None:
    """Turn the products of baskets ``first`` to ``last`` into what :class:`kernels.Chains` holds, in place."""
    for basket in range(first, last):
        start, end = np.int64(starts[basket]), np.int64(starts[basket + 1])
        for line in range(start, end):
            lines[line] = ranks[lines[line]]
        if end - start > _INSERTION_SORT:
            lines[start:end] = np.sort(lines[start:end])[::-1]
        else:
            for line in range(start + 1, end):
                moved, place = lines[line], line
                while place > start and lines[place - 1] < moved:
                    lines[place] = lines[place - 1]
                    place -= 1
                lines[place] = moved
        for line in range(start, end):
            lines[line] <<= ONE
        lines[end - 1] |= ONE


@compiled
def link(starts: Indices, lines: Indices, count: int) -> tuple[Indices, Indices, Integers]:
    """Return where each product's places in ``lines`` start, the places, and the lines after each in all."""
    link_starts = np.zeros(count + 1, dtype=np.uint32)
    reach = np.zeros(count, dtype=np.int64)
    for line in lines:
        if line & ONE == 0:
            link_starts[(line >> ONE) + ONE] += ONE
    for place in range(count):
        link_starts[place + 1] += link_starts[place]
    following = link_starts[:-1].copy()
    holders = np.empty(link_starts[-1], dtype=np.uint32)
    for basket in range(len(starts) - 1):
        end = np.int64(starts[basket + 1]) - 1
        for line in range(np.int64(starts[basket]), end):
            product = lines[line] >> ONE
            holders[following[product]] = line
            following[product] += ONE
            reach[product] += end - line
    return link_starts, holders, reach


@compiled
def transpose(starts: Indices, lines: Indices, count: int) -> tuple[Indices, Indices, Integers]:
    """Return where each of ``count`` products' baskets start, the baskets, and each product's reach."""
    holder_starts = np.zeros(count + 1, dtype=np.uint32)
    reach = np.zeros(count, dtype=np.int64)
    for product in lines:
        holder_starts[product + ONE] += ONE
    for place in range(count):
        holder_starts[place + 1] += holder_starts[place]
    following = holder_starts[:-1].copy()
    holders = np.empty(len(lines), dtype=np.uint32)
    for basket in range(len(starts) - 1):
        size = np.int64(starts[basket + 1]) - np.int64(starts[basket])
        for line in range(starts[basket], starts[basket + 1]):
            product = lines[line]
            holders[following[product]] = basket
            following[product] += ONE
            reach[product] += size - 1
    return holder_starts, holders, reach
