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

from app.recommendations.cooccurrence import Integers

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.uint32]
Count = int | np.int64
_Function = TypeVar("_Function", bound=Callable[..., Any])
_Result = TypeVar("_Result")

# Products per page of the dense accumulator; only pages that were written are read again.
_PAGE_BITS: Final = 6
_PAGE_SHIFT: Final = np.uint32(_PAGE_BITS)
_ONE: Final = np.uint32(1)
_TASKS_PER_THREAD: Final = 8


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
    """One thread's dense sums, all zero between two products; a page is marked when something is added."""

    pages: npt.NDArray[np.uint8]
    orders: Indices
    weights: Integers

    @classmethod
    def zeros(cls, products: int) -> "Accumulator":
        """Return zeroed sums for so many products, rounded up to whole pages."""
        pages = (products >> _PAGE_BITS) + 1
        room = pages << _PAGE_BITS
        return cls(np.zeros(pages, np.uint8), np.zeros(room, np.uint32), np.zeros(room, np.int64))


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
def pair_llr(pair: Count, first: Count, second: Count, total: Count) -> float:
    """Return Dunning's G² of two products, ``first`` and ``second`` baskets of ``total`` holding each.

    The scalar form of :func:`association.log_likelihood_ratio`, for int64 counts; ``pair`` baskets hold
    both.
    """
    excess = float(pair * total - first * second)
    with_first, no_first = float(first), float(total - first)
    with_second, no_second = float(second), float(total - second)
    terms = _divergence(excess, with_first * with_second)
    terms += _divergence(-excess, with_first * no_second)
    terms += _divergence(-excess, no_first * with_second)
    terms += _divergence(excess, no_first * no_second)
    return 2 * terms / total


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
def number_lines(
    first: int,
    last: int,
    indptr: Integers,
    ids: Integers,
    products: Integers,
    lines: Indices,
    sizes: Integers,
) -> None:
    """Write the place of each line's id in ``products``, and each basket's number of distinct products.

    A basket's distinct products stand at the front of its part of ``lines``.
    """
    seen = np.full(len(products), -1, dtype=np.int64)
    for basket in range(first, last):
        end = indptr[basket]
        for line in range(indptr[basket], indptr[basket + 1]):
            low, high = 0, len(products)
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
def count_rows(
    first: int,
    last: int,
    index: Index,
    basket_weights: Integers,
    products: Products,
    limits: Limits,
    accumulator: Accumulator,
    rows: Rows,
    best: Best,
) -> None:
    """Count the rows of products ``first`` to ``last``, write them out, and rank them on the way."""
    pages, pair_orders, pair_weights = accumulator.pages, accumulator.orders, accumulator.weights
    starts, lines, holders = index.starts, index.lines, index.holders
    count, out = len(products.ids), 0
    places = np.empty(count, dtype=np.int64)
    for product in range(first, last):
        for holder in range(index.holder_starts[product], index.holder_starts[product + 1]):
            basket = holders[holder]
            weight = basket_weights[basket]
            for line in range(starts[basket], starts[basket + _ONE]):
                neighbour = lines[line]
                pair_orders[neighbour] += _ONE
                pair_weights[neighbour] += weight
                pages[neighbour >> _PAGE_SHIFT] = 1
        pair_orders[product] = 0
        pair_weights[product] = 0
        start = out
        for page in range(len(pages)):
            if pages[page] == 0:
                continue
            pages[page] = 0
            for other in range(page << _PAGE_BITS, min((page + 1) << _PAGE_BITS, count)):
                orders = pair_orders[other]
                if orders == 0:
                    continue
                places[out - start] = other
                rows.others[out] = products.ids[other]
                rows.orders[out] = orders
                rows.weights[out] = pair_weights[other]
                pair_orders[other] = 0
                pair_weights[other] = 0
                out += 1
        rows.ends[product - first] = out
        _rank_row(
            product - first, product, places[: out - start], rows.orders[start:out], rows.weights[start:out],
            products, limits, best,
        )  # fmt: skip


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
def strongest_rows(
    first: int,
    last: int,
    index: Index,
    products: Products,
    limits: Limits,
    accumulator: Accumulator,
    best: Best,
) -> None:
    """Count products ``first`` to ``last`` and keep their others with the largest G².

    ``products.left`` and ``products.right`` are ``1 / (n (N - n))``. Most candidates fall to a bound that
    needs no logarithm: ``G² <= 2 N ln(1 + X² / N)``, ``X²`` being Pearson's statistic (the Kullback-Leibler
    divergence never exceeds ``ln(1 + chi-square divergence)``; Gibbs and Su, 2002). A margin leaves what
    rounding could decide to the exact comparison.
    """
    pages, pair_orders = accumulator.pages, accumulator.orders
    starts, lines, holders = index.starts, index.lines, index.holders
    count, total, final = len(products.ids), limits.store_orders, best.others.shape[1] - 1
    for product in range(first, last):
        for holder in range(index.holder_starts[product], index.holder_starts[product + 1]):
            basket = holders[holder]
            for line in range(starts[basket], starts[basket + _ONE]):
                neighbour = lines[line]
                pair_orders[neighbour] += _ONE
                pages[neighbour >> _PAGE_SHIFT] = 1
        pair_orders[product] = 0
        held = products.orders[product]
        scale = total * products.left[product]
        used, bound = 0, -1.0
        for page in range(len(pages)):
            if pages[page] == 0:
                continue
            pages[page] = 0
            for other in range(page << _PAGE_BITS, min((page + 1) << _PAGE_BITS, count)):
                pair = np.int64(pair_orders[other])
                pair_orders[other] = 0
                if pair < limits.min_orders:
                    continue
                excess = float(pair * total - held * products.orders[other])
                if excess <= 0.0 or excess * excess * products.right[other] * scale < bound:
                    continue
                llr = pair_llr(pair, held, products.orders[other], total)
                if used > final:
                    worst = best.llr[product, final]
                    if llr < worst or (llr == worst and pair <= best.orders[product, final]):
                        continue
                used = _insert(product, used, other, pair, llr, llr, best)
                if used > final:
                    bound = total * math.expm1(best.llr[product, final] / (2 * total)) * (1 - 1e-9)
        best.filled[product] = used


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
