"""The compiled loops of ranking: counting a product's pairs, and keeping the best of them.

Compiled with Numba and therefore imported in jobs only. :mod:`app.recommendations.ranking` says what is
counted and what may be shown; here it is done, on plain arrays.

Threads are Python's own over kernels that release the GIL, not Numba's ``prange``: a pool lives only as long
as a call, so a worker process that has computed something may still fork and compute in the child (GNU
OpenMP, Numba's usual layer here, would end the child), and two jobs in one process cannot trip over a shared
pool (Numba's ``workqueue`` layer would).

Kernels index with unsigned integers, because Numba turns a signed index into a check for negative ones,
which halves the speed of the innermost loop.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from numba.cpython.unsafe import numbers

from app.recommendations.cooccurrence import Integers

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.uint32]
Bits = npt.NDArray[np.uint64]
Count = int | np.int64
_Function = TypeVar("_Function", bound=Callable[..., Any])
_Result = TypeVar("_Result")

# Where one product in so many was met, the dense accumulator is read whole.
_DENSE: Final = 8
# Numba's own wrapper of the processor's instruction, which it passes the context of the compiler.
_trailing_zeros: Final = cast(Callable[[np.uint64], np.uint64], numbers.trailing_zeros)
_ONE: Final = np.uint32(1)
_TASKS_PER_THREAD: Final = 8
# How many baskets are walked abreast, how far, and how many are worth it.
_WALKS: Final = 256
_STEPS_ABREAST: Final = 8
_FEW_WALKS: Final = 10
# Baskets of so many lines are sorted by insertion.
_INSERTION_SORT: Final = 48


# --- what the kernels read and fill ---------------------------------------------------------------------


class Index(NamedTuple):
    """Orders, indexed both ways, with products numbered in the order of their ids.

    ``lines[starts[i]:starts[i + 1]]`` are the products of basket ``i`` and
    ``holders[holder_starts[a]:holder_starts[a + 1]]`` the baskets with product ``a``.
    """

    starts: Indices
    lines: Indices
    holder_starts: Indices
    holders: Indices


class Chains(NamedTuple):
    """Orders, indexed for finding each pair once; products are numbered by popularity, the most popular being 0.

    ``lines`` are the products of one basket after the other, the rarest first, shifted left by one bit; the last of a
    basket is odd. ``holders[starts[a]:starts[a + 1]]`` are the places in ``lines`` of product ``a``, except where it
    is the last: what follows each, to the end of its basket, is more popular.
    """

    lines: Indices
    starts: Indices
    holders: Indices


class Popular(NamedTuple):
    """What is known of each product in the order of falling popularity, and a table.

    ``places`` are their places in the order of ids; ``chances[a] + chances[b]`` is the logarithm of how many orders
    with both chance would bring; ``logs[n]`` is the logarithm of ``n``.
    """

    places: Integers
    orders: Integers
    chances: Floats
    logs: Floats


class Products(NamedTuple):
    """What the kernels know of each product: the baskets with it, and two factors of its pairs' scores."""

    ids: Integers
    orders: Integers
    left: Floats
    right: Floats


class Limits(NamedTuple):
    """The store's number of orders, and the gates."""

    store_orders: int
    min_orders: int
    min_lift: float
    min_llr: float


class Accumulator(NamedTuple):
    """One thread's dense sums, and two bitmaps to sort with; all zero between two products.

    Bit ``i % 64`` of ``words[i // 64]`` is of product ``i``, and of ``groups[i // 64]`` it is of word ``i``. ``places``
    is room for the products that were met.
    """

    orders: Indices
    weights: Integers
    words: Bits
    groups: Bits
    places: Integers

    @classmethod
    def zeros(cls, products: int) -> "Accumulator":
        """Return zeroed sums for so many products."""
        words = (products >> 6) + 1
        return cls(
            np.zeros(products, np.uint32),
            np.zeros(products, np.int64),
            np.zeros(words, np.uint64),
            np.zeros((words >> 6) + 1, np.uint64),
            np.empty(products + 1, np.int64),
        )


class Rows(NamedTuple):
    """Pair counts, row by row: row ``i`` ends at ``ends[i]``, where the next one starts."""

    others: Integers
    orders: Integers
    weights: Integers
    ends: Integers

    @classmethod
    def empty(cls, rows: int, capacity: int) -> "Rows":
        """Return room for so many rows and entries in all."""
        others, orders, weights = (np.empty(capacity, dtype=np.int64) for _ in range(3))
        return cls(others, orders, weights, np.empty(rows, dtype=np.int64))


class Best(NamedTuple):
    """The best ``limit`` others of each row, in order; ``filled[i]`` says how many there are."""

    filled: Integers
    others: Integers
    orders: Integers
    llr: Floats
    score: Floats

    @classmethod
    def empty(cls, rows: int, limit: int) -> "Best":
        """Return empty rows with room for ``limit`` others each."""
        shape = (rows, limit)
        return cls(
            np.zeros(rows, dtype=np.int64),
            np.empty(shape, dtype=np.int64),
            np.empty(shape, dtype=np.int64),
            np.empty(shape, dtype=np.float64),
            np.empty(shape, dtype=np.float64),
        )


class Strongest(NamedTuple):
    """The others with the largest G² that were met so far, best first; ``filled[i]`` says how many there are.

    ``bounds[i]`` is how large G² must be at least to enter row ``i``. Threads share the bounds but not the rows: each
    only ever raises them to what a full row of its own asks for, so that one lost to another costs nothing but time.
    """

    filled: Integers
    bounds: Floats
    others: Indices
    orders: Indices
    llr: Floats

    @classmethod
    def empty(cls, bounds: Floats, limit: int) -> "Strongest":
        """Return empty rows with room for ``limit`` others each."""
        shape = (len(bounds), limit)
        return cls(
            np.zeros(len(bounds), dtype=np.int64),
            bounds,
            np.empty(shape, dtype=np.uint32),
            np.empty(shape, dtype=np.uint32),
            np.empty(shape, dtype=np.float64),
        )


# --- kernels --------------------------------------------------------------------------------------------


def _kernel(function: _Function) -> _Function:
    """Compile ``function`` on first use, releasing the GIL; the machine code is cached."""
    return cast(_Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@_kernel
def _divergence(excess: float, expected: float) -> float:
    """Return one cell's term of G², see :func:`association.log_likelihood_ratio`."""
    if expected <= 0.0:
        return 0.0
    relative = excess / expected
    if relative <= -1.0:
        return expected
    if abs(relative) < 1e-4:
        return expected * relative * relative * (0.5 - relative / 6 + relative * relative / 12)
    return expected * ((1 + relative) * math.log1p(relative) - relative)


@_kernel
def pair_llrs(pair: Count, first: Count, second: Count, total: Count) -> tuple[float, float]:
    """Return Dunning's G² of two products as each sees it: ``first`` and ``second`` baskets of ``total`` hold each.

    The scalar form of :func:`association.log_likelihood_ratio`, for int64 counts; ``pair`` baskets hold both. The two
    results are the same sum, added up from either side, and so may differ by rounding.
    """
    excess = float(pair * total - first * second)
    with_first, no_first = float(first), float(total - first)
    with_second, no_second = float(second), float(total - second)
    both = _divergence(excess, with_first * with_second)
    only_first = _divergence(-excess, with_first * no_second)
    only_second = _divergence(-excess, no_first * with_second)
    neither = _divergence(excess, no_first * no_second)
    return (
        2 * (both + only_first + only_second + neither) / total,
        2 * (both + only_second + only_first + neither) / total,
    )


@_kernel
def pair_llr(pair: Count, first: Count, second: Count, total: Count) -> float:
    """Return Dunning's G² of two products as the first sees it, see :func:`pair_llrs`."""
    llr: float = pair_llrs(pair, first, second, total)[0]
    return llr


@_kernel
def _insert(row: int, used: int, other: Count, orders: Count, llr: float, score: float, best: Best) -> int:
    """Put an entry into its place in a row sorted by score, then orders; return the row's new length.

    The last entry of a full row falls out. Others arrive in rising order, so an equal one belongs behind.
    """
    limit: int = best.others.shape[1]
    place = min(used, limit - 1)
    length = place + 1
    while place > 0:
        before = best.score[row, place - 1]
        if before > score or (before == score and best.orders[row, place - 1] >= orders):
            break
        best.others[row, place] = best.others[row, place - 1]
        best.orders[row, place] = best.orders[row, place - 1]
        best.llr[row, place] = best.llr[row, place - 1]
        best.score[row, place] = before
        place -= 1
    best.others[row, place] = other
    best.orders[row, place] = orders
    best.llr[row, place] = llr
    best.score[row, place] = score
    return length


@_kernel
def _rank_row(
    row: int,
    product: Count,
    others: Integers,
    orders: Integers,
    weights: Integers,
    products: Products,
    limits: Limits,
    best: Best,
) -> None:
    """Fill a row with the best of a product's others: those that pass the gates, by score.

    The dear tests come last: once a row is full, most pairs are not good enough for it.
    """
    held, left, total = products.orders[product], products.left[product], limits.store_orders
    last = best.others.shape[1] - 1
    used, worst, worst_orders = 0, -1.0, 0
    for entry in range(len(others)):
        pair, other = orders[entry], others[entry]
        if pair < limits.min_orders:
            continue
        score = weights[entry] * (left * products.right[other])
        if score < worst or (score == worst and pair <= worst_orders):
            continue
        other_held = products.orders[other]
        if pair > min(held, other_held) or held + other_held - pair > total:
            continue
        if float(pair) * float(total) / (float(held) * float(other_held)) < limits.min_lift:
            continue
        llr = pair_llr(pair, held, other_held, total)
        if llr < limits.min_llr:
            continue
        used = _insert(row, used, other, pair, llr, score, best)
        if used > last:
            worst, worst_orders = best.score[row, last], best.orders[row, last]
    best.filled[row] = used


@_kernel
def mark_present(ids: Integers, lowest: int, present: npt.NDArray[np.bool_]) -> None:
    """Mark which ids there are; ``present[i]`` is of id ``lowest + i``."""
    for product in ids:
        present[product - lowest] = True


@_kernel
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


@_kernel
def close_gaps(indptr: Integers, sizes: Integers, lines: Indices) -> int:
    """Move the first ``sizes[i]`` lines of each basket ``i`` up to those before; return how many lines there are."""
    end = 0
    for basket in range(len(sizes)):
        start = indptr[basket]
        for line in range(start, start + sizes[basket]):
            lines[end] = lines[line]
            end += 1
    return end


@_kernel
def count_lines(lines: Indices, count: int) -> Integers:
    """Return how many lines each of ``count`` products has."""
    found = np.zeros(count, dtype=np.int64)
    for product in lines:
        found[product] += 1
    return found


@_kernel
def chain_lines(first: int, last: int, starts: Indices, ranks: Indices, lines: Indices) -> None:
    """Turn the products of baskets ``first`` to ``last`` into what :class:`Chains` holds, in place."""
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
            lines[line] <<= _ONE
        lines[end - 1] |= _ONE


@_kernel
def link(starts: Indices, lines: Indices, count: int) -> tuple[Indices, Indices, Integers]:
    """Return where each product's places in ``lines`` start, the places, and the lines after each in all."""
    link_starts = np.zeros(count + 1, dtype=np.uint32)
    reach = np.zeros(count, dtype=np.int64)
    for line in lines:
        if line & _ONE == 0:
            link_starts[(line >> _ONE) + _ONE] += _ONE
    for place in range(count):
        link_starts[place + 1] += link_starts[place]
    following = link_starts[:-1].copy()
    holders = np.empty(link_starts[-1], dtype=np.uint32)
    for basket in range(len(starts) - 1):
        end = np.int64(starts[basket + 1]) - 1
        for line in range(np.int64(starts[basket]), end):
            product = lines[line] >> _ONE
            holders[following[product]] = line
            following[product] += _ONE
            reach[product] += end - line
    return link_starts, holders, reach


@_kernel
def transpose(starts: Indices, lines: Indices, count: int) -> tuple[Indices, Indices, Integers]:
    """Return where each of ``count`` products' baskets start, the baskets, and each product's reach."""
    holder_starts = np.zeros(count + 1, dtype=np.uint32)
    reach = np.zeros(count, dtype=np.int64)
    for product in lines:
        holder_starts[product + _ONE] += _ONE
    for place in range(count):
        holder_starts[place + 1] += holder_starts[place]
    following = holder_starts[:-1].copy()
    holders = np.empty(len(lines), dtype=np.uint32)
    for basket in range(len(starts) - 1):
        size = np.int64(starts[basket + 1]) - np.int64(starts[basket])
        for line in range(starts[basket], starts[basket + 1]):
            product = lines[line]
            holders[following[product]] = basket
            following[product] += _ONE
            reach[product] += size - 1
    return holder_starts, holders, reach


@_kernel
def _sort_places(used: Count, sums: Accumulator) -> Count:
    """Put the first ``used`` of the places that were met in order; return how many of them have orders.

    Where many were met, all are looked through; where few, they are marked in bitmaps and read off again.
    """
    orders, words, groups, places = sums.orders, sums.words, sums.groups, sums.places
    one, six, low, found = np.uint64(1), np.uint64(6), np.uint64(63), np.uint64(0)
    if used * _DENSE > len(orders):
        for product in range(len(orders)):
            places[found] = product
            found += np.uint64(orders[product] > 0)
        return np.int64(found)
    for entry in range(used):
        met = np.uint64(places[entry])
        words[met >> six] |= one << (met & low)
        groups[met >> (six + six)] |= one << ((met >> six) & low)
    for group in range(len(groups)):
        marked = groups[group]
        groups[group] = 0
        while marked:
            word = (np.uint64(group) << six) + _trailing_zeros(marked)
            marked &= marked - one
            bits = words[word]
            words[word] = 0
            while bits:
                place = (word << six) + _trailing_zeros(bits)
                bits &= bits - one
                places[found] = place
                found += np.uint64(orders[place] > 0)
    return np.int64(found)


@_kernel
def count_rows(
    first: int,
    last: int,
    index: Index,
    basket_weights: Integers,
    products: Products,
    limits: Limits,
    sums: Accumulator,
    rows: Rows,
    best: Best,
) -> None:
    """Count the rows of products ``first`` to ``last``, write them out, and rank them on the way."""
    pair_orders, pair_weights, places = sums.orders, sums.weights, sums.places
    starts, lines, holders = index.starts, index.lines, index.holders
    start: Count = 0
    for product in range(first, last):
        used = np.uint64(0)
        for holder in range(index.holder_starts[product], index.holder_starts[product + 1]):
            basket = holders[holder]
            weight = basket_weights[basket]
            for line in range(starts[basket], starts[basket + _ONE]):
                neighbour = lines[line]
                orders = pair_orders[neighbour]
                places[used] = neighbour
                used += np.uint64(orders == 0)
                pair_orders[neighbour] = orders + _ONE
                pair_weights[neighbour] += weight
        pair_orders[product] = 0
        pair_weights[product] = 0
        met = _sort_places(np.int64(used), sums)
        end = start + met
        for entry in range(met):
            other, out = places[entry], start + entry
            rows.others[out] = products.ids[other]
            rows.orders[out] = pair_orders[other]
            rows.weights[out] = pair_weights[other]
            pair_orders[other] = 0
            pair_weights[other] = 0
        rows.ends[product - first] = end
        _rank_row(
            product - first, product, places[:met], rows.orders[start:end], rows.weights[start:end],
            products, limits, best,
        )  # fmt: skip
        start = end


@_kernel
def rank_rows(
    first: int, last: int, places: Integers, rows: Rows, products: Products, limits: Limits, best: Best
) -> None:
    """Rank stored rows ``first`` to ``last``, row ``i`` being of product ``places[i]``; others are places."""
    for row in range(first, last):
        start, end = rows.ends[row - 1] if row else 0, rows.ends[row]
        _rank_row(
            row, places[row], rows.others[start:end], rows.orders[start:end], rows.weights[start:end],
            products, limits, best,
        )  # fmt: skip


@_kernel
def _count_followers(
    lines: Indices,
    holders: Indices,
    before: np.uint64,
    least: np.uint64,
    counters: Indices,
    walks: Indices,
    candidates: Indices,
) -> np.uint64:
    """Count what follows in each basket, from ``before`` on; return how many were met ``least`` times and listed.

    Baskets are walked abreast, a line of each in turn, for as far as most of them go: no step waits for another's
    memory, and none hangs on a guess where a basket ends. ``walks`` is room for where they stand.
    """
    one, enough, used = np.uint64(1), before + least, np.uint64(0)
    for first in range(0, len(holders), _WALKS):
        walking = np.uint64(min(len(holders) - first, _WALKS))
        for walk in range(walking):
            walks[walk] = holders[first + walk]
        for _ in range(_STEPS_ABREAST if walking >= _FEW_WALKS else 0):
            left = np.uint64(0)
            for walk in range(walking):
                place = np.uint64(walks[walk]) + one
                line = np.uint64(lines[place])
                other = line >> one
                reached = max(np.uint64(counters[other]), before) + one
                counters[other] = reached
                candidates[used] = other
                used += np.uint64(reached == enough)
                walks[left] = place
                left += (line & one) ^ one
            walking = left
            if walking == 0:
                break
        for walk in range(walking):
            place = np.uint64(walks[walk])
            line = np.uint64(0)
            while line & one == 0:
                place += one
                line = np.uint64(lines[place])
                other = line >> one
                reached = max(np.uint64(counters[other]), before) + one
                counters[other] = reached
                candidates[used] = other
                used += np.uint64(reached == enough)
    return used


@_kernel
def strongest_rows(
    first: int,
    last: int,
    chains: Chains,
    popular: Popular,
    store_orders: int,
    min_orders: int,
    found: Strongest,
) -> None:
    """Count the pairs of products ``first`` to ``last`` with more popular ones; keep each side's largest G².

    A counter is never cleared: it counts from ``before`` on, which no earlier product's row can have reached, since
    each adds at most its number of baskets. A product is a candidate from the moment that it has been met often enough.

    Most candidates fall to a ceiling without logarithms of their own. With ``x`` orders of both where ``e`` less are
    expected, ``G² / 2`` is ``x ln(x / (x - e))`` and three terms that :func:`math.log1p` ``(y) <= y`` limits to ``-e``
    and ``X² (p + q - p q)``, ``X²`` being Pearson's statistic, ``p`` and ``q`` the two products' shares of all orders.
    A margin leaves what rounding could decide to the exact comparison.
    """
    starts, bounds = chains.starts, found.bounds
    total, least = store_orders, np.uint64(min_orders)
    walks = np.empty(_WALKS, dtype=np.uint32)
    counters = np.zeros(len(popular.places), dtype=np.uint32)
    candidates = np.empty(len(popular.places) + 1, dtype=np.uint32)
    before, share = np.uint64(0), 1.0 / total
    for product in range(first, last):
        holders = chains.holders[starts[product] : starts[product + 1]]
        used = _count_followers(chains.lines, holders, before, least, counters, walks, candidates)
        held, place_here = popular.orders[product], popular.places[product]
        p, apart = held * share, float(held) * float(total - held)
        for entry in range(used):
            other = candidates[entry]
            pair, other_held = np.int64(counters[other]) - np.int64(before), popular.orders[other]
            excess = float(pair * total - held * other_held)
            if excess <= 0.0:
                continue
            q = other_held * share
            pearson = (
                excess * excess * total / (apart * (float(other_held) * float(total - other_held)) + 1e-300)
            )
            ceiling = pair * (popular.logs[pair] - popular.chances[product] - popular.chances[other])
            ceiling = 2 * (ceiling - excess * share + pearson * (p + q - p * q)) * (1 + 1e-9) + pair * 1e-11
            here, there = ceiling >= bounds[product], ceiling >= bounds[other]
            if here or there:
                llr, mirrored = pair_llrs(pair, held, other_held, total)
                if here:
                    _keep(product, popular.places[other], pair, llr, found)
                if there:
                    _keep(other, place_here, pair, mirrored, found)
        before += np.uint64(starts[product + 1] - starts[product])


@_kernel
def _keep(row: Count, other: Count, pair: Count, llr: float, found: Strongest) -> None:
    """Put an entry into its place in a row sorted by G², then orders, then number, if it belongs there.

    The last entry of a full row falls out.
    """
    limit, used = found.others.shape[1], found.filled[row]
    place = used
    while place > 0:
        behind = found.llr[row, place - 1]
        if behind > llr:
            break
        if behind == llr:
            known = np.int64(found.orders[row, place - 1])
            if known > pair or (known == pair and found.others[row, place - 1] < other):
                break
        if place < limit:
            found.others[row, place] = found.others[row, place - 1]
            found.orders[row, place] = found.orders[row, place - 1]
            found.llr[row, place] = behind
        place -= 1
    if place == limit:
        return
    found.others[row, place] = other
    found.orders[row, place] = pair
    found.llr[row, place] = llr
    if used < limit:
        used += 1
        found.filled[row] = used
    if used == limit:
        found.bounds[row] = max(found.bounds[row], found.llr[row, limit - 1])


@_kernel
def merge_rows(first: int, last: int, part: Strongest, found: Strongest) -> None:
    """Add what another thread found for rows ``first`` to ``last``."""
    for row in range(first, last):
        for place in range(part.filled[row]):
            other, pair = np.int64(part.others[row, place]), np.int64(part.orders[row, place])
            _keep(row, other, pair, part.llr[row, place], found)


@_kernel
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


@_kernel
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


# --- threads --------------------------------------------------------------------------------------------


def default_threads() -> int:
    """Return how many threads to use: two where the machine has them."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, 2)


def ranges_of(work: Integers, size: int) -> list[tuple[int, int]]:
    """Return consecutive ranges of rows, of about ``size`` work each and at most ``size`` unless one row."""
    cuts: list[tuple[int, int]] = []
    total = np.concatenate(([0], np.cumsum(work)))
    first = 0
    while first < len(work):
        last = max(int(np.searchsorted(total, total[first] + size, side="right")) - 1, first + 1)
        cuts.append((first, last))
        first = last
    return cuts


def spread(
    work: Callable[[int, int], None], weights: Integers, threads: int, tasks: int = _TASKS_PER_THREAD
) -> None:
    """Call ``work(first, last)`` for ranges of rows that cover them all, on several threads."""
    if not len(weights):
        return
    cost = weights + 1
    cuts = ranges_of(cost, int(cost.sum()) // (threads * tasks) + 1)
    if threads == 1 or len(cuts) == 1:
        work(0, len(weights))
        return
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(work, first, last) for first, last in cuts]:
            future.result()


def in_order(
    compute: Callable[[int, int], _Result], cuts: Iterable[tuple[int, int]], threads: int
) -> Iterator[_Result]:
    """Yield ``compute(first, last)`` for each range in order, with a few computed ahead."""
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[_Result]] = deque()
        for first, last in cuts:
            ahead.append(pool.submit(compute, first, last))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
