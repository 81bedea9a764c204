"""The compiled loops that index order lines: numbering products, and turning baskets into products' baskets."""

from typing import Final, NamedTuple

import numpy as np

from app.recommendations.compiled import ONE, Count, Indices, compiled
from app.recommendations.cooccurrence import Integers

# Baskets of so many lines are sorted by comparing each with all; the processor does that for so many at once.
_COMPARED: Final = 64
_AT_ONCE: Final = 16


class Numbering(NamedTuple):
    """What each product is called by the kernels.

    ``numbers[i]`` is what ``products[i]`` is called, ``products`` being sorted ids. ``table[i]`` is what the product
    with id ``products[0] + i`` is; it is empty where ids lie too far apart.
    """

    products: Integers
    numbers: Indices
    table: Indices


@compiled
def count_ids(first: int, last: int, ids: Integers, lowest: int, found: Indices) -> None:
    """Add how often each id stands in lines ``first`` to ``last``; ``found[i]`` is of id ``lowest + i``."""
    for line in range(first, last):
        found[ids[line] - lowest] += ONE


@compiled
def _number_of(product: int, numbering: Numbering) -> np.uint32:
    """Return what a product is called: looked up where there is a table, searched for where there is none."""
    if len(numbering.table):
        return np.uint32(numbering.table[product - numbering.products[0]])
    low, high = np.int64(0), np.int64(len(numbering.products))
    while low < high:
        middle = (low + high) >> 1
        if numbering.products[middle] < product:
            low = middle + 1
        else:
            high = middle
    return np.uint32(numbering.numbers[low])


@compiled
def number_lines(
    first: int,
    last: int,
    indptr: Integers,
    ids: Integers,
    numbering: Numbering,
    lines: Indices,
    sizes: Integers,
) -> None:
    """Write what the product of each line is called, and each basket's number of distinct products.

    A basket's distinct products stand at the front of its part of ``lines``.
    """
    seen = np.full(len(numbering.products), -1, dtype=np.int64)
    for basket in range(first, last):
        end = indptr[basket]
        for line in range(indptr[basket], indptr[basket + 1]):
            number = _number_of(ids[line], numbering)
            if seen[number] != basket:
                seen[number] = basket
                lines[end] = number
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
def sum_amounts(starts: Indices, lines: Indices, amounts: Integers, count: int) -> Integers:
    """Return for each of ``count`` products the sum of its baskets' amounts."""
    found = np.zeros(count, dtype=np.int64)
    for basket in range(len(amounts)):
        amount = amounts[basket]
        for line in range(starts[basket], starts[basket + ONE]):
            found[lines[line]] += amount
    return found


@compiled
def _sort_few(
    start: Count, end: Count, ids: Integers, numbering: Numbering, lines: Indices, room: Indices
) -> Count:
    """Do for a small basket what :func:`_sort_basket` does.

    A product's place is how many are rarer. None is decided by a guess of the processor's, which would be wrong as
    often as not; doubles want the same place, and leave the next one empty.
    """
    many = end - start
    width = -(-many // _AT_ONCE) * _AT_ONCE
    called, placed = room[:_COMPARED], room[_COMPARED:]
    for line in range(many):
        called[line] = _number_of(ids[start + line], numbering) + ONE
        placed[line] = 0
    called[many:width] = 0
    for line in range(many):
        rarer = np.uint32(0)
        for other in range(width):
            rarer += np.uint32(called[other] > called[line])
        placed[rarer] = called[line]
    used = start
    for place in range(many):
        if placed[place] > 0:
            lines[used] = placed[place] - ONE
            used += 1
    return used


@compiled
def _sort_basket(
    start: Count, end: Count, ids: Integers, numbering: Numbering, lines: Indices, room: Indices
) -> Count:
    """Write the distinct products of a basket to its part of ``lines``, the rarest first; return where they end."""
    if end - start <= _COMPARED:
        return _sort_few(start, end, ids, numbering, lines, room)
    for line in range(start, end):
        lines[line] = _number_of(ids[line], numbering)
    lines[start:end] = np.sort(lines[start:end])[::-1]
    used = start
    for line in range(start, end):
        if used == start or lines[used - 1] != lines[line]:
            lines[used] = lines[line]
            used += 1
    return used


@compiled
def chain_lines(
    first: int,
    last: int,
    indptr: Integers,
    ids: Integers,
    numbering: Numbering,
    lines: Indices,
    tally: Indices,
) -> None:
    """Write of baskets ``first`` to ``last`` the lines that :class:`kernels.Chains` holds; products are called ranks.

    Adds to ``tally`` how often each line is there: ``tally[2 * r]`` is how often others follow product ``r`` in its
    basket, and ``tally[2 * r + 1]`` how often none does.
    """
    room = np.empty(2 * _COMPARED, dtype=np.uint32)
    for basket in range(first, last):
        start, end = indptr[basket], indptr[basket + 1]
        used = _sort_basket(start, end, ids, numbering, lines, room)
        for line in range(start, used):
            coded = (lines[line] << ONE) | np.uint32(line == used - 1)
            lines[line] = coded
            tally[coded] += ONE
        lines[used:end] = ONE


@compiled
def link(first: int, last: int, lines: Indices, following: Indices, holders: Indices) -> None:
    """Write the places ``first`` to ``last`` in ``lines`` to where their products' places are ``following`` so far."""
    for line in range(np.uint64(first), np.uint64(last)):
        coded = lines[line]
        if coded & ONE == 0:
            product = np.uint64(coded >> ONE)
            holders[following[product]] = line
            following[product] += ONE


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
