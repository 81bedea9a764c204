"""Choosing what may be shown beside a product, and rebuilding a store's counts whole.

Compiled with Numba and therefore imported in jobs only. The rebuild never materialises a list of pairs: for
each product it walks the product's baskets, adds up orders and weights in dense arrays that stay in the
processor's cache, writes the row out and keeps its best few in the same pass.

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
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from app.recommendations import association
from app.recommendations.cooccurrence import Integers, Neighbours, Parameters, order_weights

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.uint32]
Count = int | np.int64
_Function = TypeVar("_Function", bound=Callable[..., Any])

# The exponents of the score: how far a product's own weight counts, on its page and beside it.
PAGE_EXPONENT: Final = 0.6
OTHER_EXPONENT: Final = 0.4

# Products per page of the dense accumulator; only pages that were written are read again.
_PAGE_BITS: Final = 6
_PAGE_SHIFT: Final = np.uint32(_PAGE_BITS)
_ONE: Final = np.uint32(1)
# Index 2**32 - 1 is the last that a line may have.
_MOST_LINES: Final = 2**32 - 1
_TASKS_PER_THREAD: Final = 8


@dataclass(frozen=True, slots=True)
class Gates:
    """What may be shown: a pair must pass all three.

    Attributes:
        min_orders: in how many baskets the two must have stood together.
        min_lift: how many times more often than by chance.
        min_llr: how surely, as Dunning's G²; 10.83 is chi-square's 0.999 quantile (one degree of freedom).

    Raises:
        ValueError: if ``min_orders`` is below one; what was never bought together is never shown.
    """

    min_orders: int = 3
    min_lift: float = 1.2
    min_llr: float = 10.83

    def __post_init__(self) -> None:
        if self.min_orders < 1:
            raise ValueError(f"min_orders must be at least 1: {self.min_orders}")


@dataclass(slots=True, eq=False)
class ProductTotals:
    """A store's counts per product.

    Attributes:
        products: int64[p], sorted, unique.
        orders: int64[p], learned baskets with the product.
        weights: int64[p], the sum of those baskets' pair weights.
    """

    products: Integers
    orders: Integers
    weights: Integers


@dataclass(slots=True, eq=False)
class Baskets:
    """A store's orders: the basket of order ``i`` is ``products[indptr[i]:indptr[i + 1]]``.

    Attributes:
        indptr: int64[n + 1], starting with 0.
        products: int64[lines], internal product ids; an id named twice in a basket counts once.
        days: int64[n], the UTC day number of each order.

    Raises:
        ValueError: if the shapes do not fit together.
    """

    indptr: Integers
    products: Integers
    days: Integers

    def __post_init__(self) -> None:
        if len(self.indptr) != len(self.days) + 1 or self.indptr[0] != 0:
            raise ValueError("indptr must hold one boundary more than there are days, the first being 0")
        if self.indptr[-1] != len(self.products) or np.any(np.diff(self.indptr) < 0):
            raise ValueError("indptr must rise to the number of lines")
        if len(self.products) > _MOST_LINES:
            raise ValueError("more than 2**32 - 1 lines")


@dataclass(slots=True, eq=False)
class Ranked:
    """The best others of each product, best first, as a compressed sparse row matrix.

    A product of which nothing may be shown has an empty row.

    Attributes:
        products: int64[p], sorted, unique.
        indptr: int64[p + 1], row boundaries.
        others: int64[m].
        orders: int64[m], in how many baskets the two stood together.
        confidence: float64[m], share of the product's baskets that also hold the other.
        lift: float64[m].
        llr: float64[m], Dunning's G².
        score: float64[m], what the rows are sorted by; ties go to more orders, then to the smaller id.
    """

    products: Integers
    indptr: Integers
    others: Integers
    orders: Integers
    confidence: Floats
    lift: Floats
    llr: Floats
    score: Floats


class Block(NamedTuple):
    """Consecutive products of a rebuild: their counts, and what may be shown of them."""

    neighbours: Neighbours
    ranked: Ranked


@dataclass(slots=True, eq=False)
class Rebuild:
    """A store's counts, made anew from its orders; the same as the sum of all increments.

    Attributes:
        orders: how many baskets were learned.
        products: int64[p], every product in them, sorted.
        product_orders: int64[p], baskets with the product.
        product_weights: int64[p], the sum of those baskets' pair weights.
        product_popularity: int64[p], the sum of those baskets' popularity weights.
    """

    orders: int
    products: Integers
    product_orders: Integers
    product_weights: Integers
    product_popularity: Integers
    _corpus: "_Corpus"
    _weights: Integers
    _limits: "_Limits"
    _limit: int
    _block: int
    _threads: int

    def totals(self) -> ProductTotals:
        """Return what :func:`rank` needs to know of the products."""
        return ProductTotals(self.products, self.product_orders, self.product_weights)

    def blocks(self) -> Iterator[Block]:
        """Yield the pair counts and rankings of all products that have neighbours, in the order of ids.

        While a block is being consumed the next ones are computed. May be called again.
        """
        products = _products(self.totals())
        reach = np.minimum(self._corpus.reach, max(len(self.products) - 1, 0))

        def compute(first: int, last: int) -> Block:
            rows = _Rows.empty(last - first, int(reach[first:last].sum()))
            best = _Best.empty(last - first, self._limit)
            sums = _Accumulator.zeros(len(self.products))
            _count_rows(
                first, last, self._corpus.index, self._weights, products, self._limits, sums, rows, best
            )
            return self._block_of(first, rows, best)

        cuts = _cuts(reach, self._block)
        return _in_order(compute, cuts, self._threads)

    def _block_of(self, first: int, rows: "_Rows", best: "_Best") -> Block:
        """Return the rows that a kernel filled for products from ``first`` on, without empty ones."""
        starts, filled = np.concatenate(([0], rows.ends)), rows.ends[-1]
        present = np.flatnonzero(np.diff(starts))
        places = first + present
        neighbours = Neighbours(
            products=self.products[places],
            indptr=np.append(starts[present], filled),
            others=rows.others[:filled],
            orders=rows.orders[:filled],
            weights=rows.weights[:filled],
        )
        return Block(neighbours, _ranked(best, present, places, self.totals(), self.orders))


def rebuild(
    parameters: Parameters,
    baskets: Baskets,
    gates: Gates,
    limit: int,
    block: int = 1_000_000,
    threads: int | None = None,
) -> Rebuild:
    """Count a store's orders anew and rank every product's neighbours.

    Memory is about 40 bytes per line plus 24 bytes per entry of ``threads + 2`` blocks in flight, however
    many pairs there are in all.

    Args:
        parameters: what an order is worth; baskets above the cap are left out.
        baskets: every order of the store, in any order.
        gates: what may be shown.
        limit: how many others to keep of each product.
        block: roughly how many pair entries a block may hold; a single product's row is never split.
        threads: how many to use; two where the machine has them, unless given.
    """
    _check_limit(limit)
    workers = threads or _default_threads()
    corpus = _corpus(baskets, parameters.basket_cap, workers)
    weights, popularity = order_weights(parameters, corpus.days, corpus.sizes)
    return Rebuild(
        orders=len(corpus.days),
        products=corpus.products,
        product_orders=corpus.orders,
        product_weights=corpus.total(weights),
        product_popularity=corpus.total(popularity),
        _corpus=corpus,
        _weights=weights,
        _limits=_Limits.of(gates, len(corpus.days)),
        _limit=limit,
        _block=block,
        _threads=workers,
    )


def rank(
    neighbours: Neighbours,
    store_orders: int,
    totals: ProductTotals,
    gates: Gates,
    limit: int,
    threads: int | None = None,
) -> Ranked:
    """Return the best others of each product in ``neighbours``.

    The score is the asymmetric weighted co-purchase ``W_ab / (W_a**0.6 * W_b**0.4)``, ``a`` being the
    product on whose page ``b`` is shown (after Aiolli, RecSys 2013, who weighs the two norms of a cosine
    unequally). For the same counts the result equals the rebuild's.

    Counts that were read while orders are being learned may be a step apart. A pair that cannot stand
    (unknown in ``totals``, or bought together more often than at all) is left out; its product has been
    touched by the order that made the difference and will be ranked again.

    Args:
        neighbours: the summed pair counts of the products to rank.
        store_orders: how many baskets the store has learned.
        totals: counts of those products and of all their others; more do no harm.
        gates: what may be shown.
        limit: how many others to keep of each product.
        threads: how many to use; two where the machine has them, unless given.
    """
    _check_limit(limit)
    if not len(totals.products):
        # Unknown products point at place 0, which must exist.
        totals = ProductTotals(*np.zeros((3, 1), dtype=np.int64))
    places, known = _positions(totals.products, neighbours.products)
    others, known_others = _positions(totals.products, neighbours.others)
    lengths = np.diff(neighbours.indptr)
    counted = known_others & np.repeat(known, lengths)
    rows = _Rows(
        others=others,
        orders=np.where(counted, neighbours.orders, 0),
        weights=np.where(counted, neighbours.weights, 0),
        ends=np.array(neighbours.indptr[1:], dtype=np.int64),
    )
    products, limits = _products(totals), _Limits.of(gates, store_orders)
    best = _Best.empty(len(places), limit)
    _spread(
        lambda first, last: _rank_rows(first, last, places, rows, products, limits, best),
        lengths,
        threads or _default_threads(),
    )
    ranked = _ranked(best, np.arange(len(places)), places, totals, store_orders)
    ranked.products = np.array(neighbours.products, dtype=np.int64)
    return ranked


def strongest_pairs(
    baskets: Baskets, min_orders: int = 2, limit: int = 20, threads: int | None = None
) -> Ranked:
    """Return each product's most significant companions: sorted by G², every order counting alike.

    No basket is too large and no weight fades; pairs that meet no more often than by chance (lift 1 or
    less) are left out. The score of the result is its ``llr``. For reports and comparisons: nothing is
    kept but the lists.

    Args:
        baskets: the orders.
        min_orders: in how many baskets two products must have stood together.
        limit: how many others to keep of each product.
        threads: how many to use; two where the machine has them, unless given.
    """
    _check_limit(limit)
    workers = threads or _default_threads()
    corpus = _corpus(baskets, None, workers)
    store_orders = len(corpus.days)
    totals = ProductTotals(corpus.products, corpus.orders, corpus.orders)
    best = _Best.empty(len(corpus.products), limit)
    held = corpus.orders.astype(np.float64)
    spread = held * (store_orders - held)
    inverse = np.divide(1.0, spread, out=np.zeros(len(spread)), where=spread > 0)
    products = _Products(corpus.products, corpus.orders, inverse, inverse)
    limits = _Limits(store_orders, max(min_orders, 1), 1.0, 0.0)

    def work(first: int, last: int) -> None:
        accumulator = _Accumulator.zeros(len(corpus.products))
        _strongest_rows(first, last, corpus.index, products, limits, accumulator, best)

    _spread(work, corpus.reach, workers)
    places = np.arange(len(corpus.products))
    return _ranked(best, places, places, totals, store_orders)


def warm_up() -> None:
    """Compile every kernel, or load it from Numba's cache, so that no job has to wait for it."""
    baskets = Baskets(np.array([0, 2]), np.array([1, 2]), np.array([0]))
    whole = rebuild(Parameters(0, 1.0, 2), baskets, Gates(min_orders=1), limit=1, threads=1)
    for block in whole.blocks():
        rank(block.neighbours, whole.orders, whole.totals(), Gates(min_orders=1), limit=1, threads=1)
    strongest_pairs(baskets, min_orders=1, limit=1, threads=1)


# --- arrays around the kernels --------------------------------------------------------------------------


class _Index(NamedTuple):
    """Orders, indexed both ways, with products numbered in the order of their ids.

    ``lines[starts[i]:starts[i + 1]]`` are the products of basket ``i`` and
    ``holders[holder_starts[a]:holder_starts[a + 1]]`` the baskets with product ``a``.
    """

    starts: Indices
    lines: Indices
    holder_starts: Indices
    holders: Indices


class _Products(NamedTuple):
    """What the kernels know of each product: the baskets with it, and two factors of its pairs' scores."""

    ids: Integers
    orders: Integers
    left: Floats
    right: Floats


class _Limits(NamedTuple):
    """The store's number of orders, and the gates."""

    store_orders: int
    min_orders: int
    min_lift: float
    min_llr: float

    @classmethod
    def of(cls, gates: Gates, store_orders: int) -> "_Limits":
        """Return the gates with the types that the kernels are compiled for."""
        return cls(int(store_orders), int(gates.min_orders), float(gates.min_lift), float(gates.min_llr))


class _Accumulator(NamedTuple):
    """One thread's dense sums, all zero between two products; a page is marked when something is added."""

    pages: npt.NDArray[np.uint8]
    orders: Indices
    weights: Integers

    @classmethod
    def zeros(cls, products: int) -> "_Accumulator":
        """Return zeroed sums for so many products, rounded up to whole pages."""
        pages = (products >> _PAGE_BITS) + 1
        room = pages << _PAGE_BITS
        return cls(np.zeros(pages, np.uint8), np.zeros(room, np.uint32), np.zeros(room, np.int64))


class _Rows(NamedTuple):
    """Pair counts, row by row: row ``i`` ends at ``ends[i]``, where the next one starts."""

    others: Integers
    orders: Integers
    weights: Integers
    ends: Integers

    @classmethod
    def empty(cls, rows: int, capacity: int) -> "_Rows":
        """Return room for so many rows and entries in all."""
        others, orders, weights = (np.empty(capacity, dtype=np.int64) for _ in range(3))
        return cls(others, orders, weights, np.empty(rows, dtype=np.int64))


class _Best(NamedTuple):
    """The best ``limit`` others of each row, in order; ``filled[i]`` says how many there are."""

    filled: Integers
    others: Integers
    orders: Integers
    llr: Floats
    score: Floats

    @classmethod
    def empty(cls, rows: int, limit: int) -> "_Best":
        """Return empty rows with room for ``limit`` others each."""
        shape = (rows, limit)
        return cls(
            np.zeros(rows, dtype=np.int64),
            np.empty(shape, dtype=np.int64),
            np.empty(shape, dtype=np.int64),
            np.empty(shape, dtype=np.float64),
            np.empty(shape, dtype=np.float64),
        )


@dataclass(slots=True, eq=False)
class _Corpus:
    """The learned orders of a store, and what follows from them for each product.

    ``reach`` is how many lines beside its own a product meets in all: the work of counting its row, and
    the most entries that the row can have.
    """

    products: Integers
    days: Integers
    sizes: Integers
    index: _Index
    orders: Integers
    reach: Integers

    def total(self, amounts: Integers) -> Integers:
        """Return int64[p]: for each product the sum of an amount (int64[n]) over its baskets."""
        running = np.concatenate(([0], np.cumsum(amounts[self.index.holders])))
        bounds = running[self.index.holder_starts]
        return bounds[1:] - bounds[:-1]


def _corpus(baskets: Baskets, cap: int | None, threads: int) -> _Corpus:
    """Return the baskets of one to ``cap`` distinct products, indexed."""
    products = np.unique(baskets.products)
    lines = np.empty(len(baskets.products), dtype=np.uint32)
    sizes = np.empty(len(baskets.days), dtype=np.int64)
    indptr, ids = np.array(baskets.indptr, dtype=np.int64), np.array(baskets.products, dtype=np.int64)
    _spread(
        lambda first, last: _number_lines(first, last, indptr, ids, products, lines, sizes),
        np.diff(indptr),
        threads,
        tasks=1,
    )

    learned = (sizes > 0) if cap is None else (sizes > 0) & (sizes <= cap)
    kept = np.where(learned, sizes, 0)
    if kept.sum() != len(lines):
        lengths = np.diff(indptr)
        within = np.arange(len(lines)) - np.repeat(indptr[:-1], lengths)
        lines = lines[within < np.repeat(kept, lengths)]
        present = np.bincount(lines, minlength=len(products)) > 0
        lines = (np.cumsum(present) - 1).astype(np.uint32)[lines]
        products = products[present]
    sizes = sizes[learned]
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.uint32)
    holder_starts, holders, reach = _transpose(starts, lines, len(products))
    return _Corpus(
        products=products,
        days=np.asarray(baskets.days, dtype=np.int64)[learned],
        sizes=sizes,
        index=_Index(starts, lines, holder_starts, holders),
        orders=np.diff(holder_starts).astype(np.int64),
        reach=reach,
    )


def _products(totals: ProductTotals) -> _Products:
    """Return a store's products with the factors of their scores, on their own page and beside another.

    A product of which only the oldest orders are known may weigh nothing; its scores are 0.
    """
    weight = np.array(totals.weights, dtype=np.float64)
    heavy = weight > 0
    left, right = np.zeros(len(weight)), np.zeros(len(weight))
    np.power(weight, -PAGE_EXPONENT, out=left, where=heavy)
    np.power(weight, -OTHER_EXPONENT, out=right, where=heavy)
    return _Products(
        ids=np.array(totals.products, dtype=np.int64),
        orders=np.array(totals.orders, dtype=np.int64),
        left=left,
        right=right,
    )


def _ranked(
    best: _Best, rows: Integers, places: Integers, totals: ProductTotals, store_orders: int
) -> Ranked:
    """Return the given rows of ``best`` as a matrix; row ``rows[i]`` is of product ``places[i]``."""
    filled = best.filled[rows]
    used = np.arange(best.others.shape[1]) < filled[:, np.newaxis]
    others, orders = best.others[rows][used], best.orders[rows][used]
    held = totals.orders[np.repeat(places, filled)]
    return Ranked(
        products=totals.products[places],
        indptr=np.concatenate(([0], np.cumsum(filled))),
        others=totals.products[others],
        orders=orders,
        confidence=association.confidence(orders, held),
        lift=association.lift(orders, held, totals.orders[others], store_orders),
        llr=best.llr[rows][used],
        score=best.score[rows][used],
    )


def _positions(products: Integers, wanted: Integers) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Return where ids stand in sorted ``products``, and whether they do; a missing one's place is 0."""
    places = np.searchsorted(products, wanted)
    inside = places < len(products)
    places[~inside] = 0
    return places, inside & (products[places] == wanted)


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise ValueError(f"limit must be at least 1: {limit}")


# --- threads --------------------------------------------------------------------------------------------


def _default_threads() -> int:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, 2)


def _cuts(work: Integers, size: int) -> list[tuple[int, int]]:
    """Return consecutive ranges of rows, of about ``size`` work each and at most ``size`` unless one row."""
    ranges: list[tuple[int, int]] = []
    total = np.concatenate(([0], np.cumsum(work)))
    first = 0
    while first < len(work):
        last = max(int(np.searchsorted(total, total[first] + size, side="right")) - 1, first + 1)
        ranges.append((first, last))
        first = last
    return ranges


def _spread(
    work: Callable[[int, int], None], weights: Integers, threads: int, tasks: int = _TASKS_PER_THREAD
) -> None:
    """Call ``work(first, last)`` for ranges of rows that cover them all, on several threads."""
    if not len(weights):
        return
    cost = weights + 1
    cuts = _cuts(cost, int(cost.sum()) // (threads * tasks) + 1)
    if threads == 1 or len(cuts) == 1:
        work(0, len(weights))
        return
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(work, first, last) for first, last in cuts]:
            future.result()


def _in_order(
    compute: Callable[[int, int], Block], cuts: Iterable[tuple[int, int]], threads: int
) -> Iterator[Block]:
    """Yield ``compute(first, last)`` for each range in order, with a few computed ahead."""
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[Block]] = deque()
        for first, last in cuts:
            ahead.append(pool.submit(compute, first, last))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


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
def _insert(row: int, used: int, other: Count, orders: Count, llr: float, score: float, best: _Best) -> int:
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
    products: _Products,
    limits: _Limits,
    best: _Best,
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
def _number_lines(
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
def _transpose(starts: Indices, lines: Indices, count: int) -> tuple[Indices, Indices, Integers]:
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
def _count_rows(
    first: int,
    last: int,
    index: _Index,
    basket_weights: Integers,
    products: _Products,
    limits: _Limits,
    accumulator: _Accumulator,
    rows: _Rows,
    best: _Best,
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
def _rank_rows(
    first: int, last: int, places: Integers, rows: _Rows, products: _Products, limits: _Limits, best: _Best
) -> None:
    """Rank stored rows ``first`` to ``last``, row ``i`` being of product ``places[i]``; others are places."""
    for row in range(first, last):
        start, end = rows.ends[row - 1] if row else 0, rows.ends[row]
        _rank_row(
            row, places[row], rows.others[start:end], rows.orders[start:end], rows.weights[start:end],
            products, limits, best,
        )  # fmt: skip


@_kernel
def _strongest_rows(
    first: int,
    last: int,
    index: _Index,
    products: _Products,
    limits: _Limits,
    accumulator: _Accumulator,
    best: _Best,
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
