"""The compiled loops of ranking: counting a product's pairs, and keeping the best of them.

:mod:`app.recommendations.ranking` says what is counted and what may be shown; here it is done, on plain arrays.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple, cast

import numpy as np
from numba.cpython.unsafe import numbers

from app.recommendations.compiled import ONE, Bits, Count, Floats, Indices, compiled, prefetch
from app.recommendations.cooccurrence import Integers

# Where one product in so many was met, the dense accumulator is read whole.
_DENSE: Final = 8
# Numba's own wrapper of the processor's instruction, which it passes the context of the compiler.
_trailing_zeros: Final = cast(Callable[[np.uint64], np.uint64], numbers.trailing_zeros)
# How many baskets ahead lines are asked for. They are often on two cache lines, of 16 entries each.
_AHEAD: Final = 16
_HALF_CACHE_LINE: Final = 8


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
    basket is odd, and so is what fills the room that doubles have left. ``holders[starts[a]:starts[a + 1]]`` are the
    places in ``lines`` of product ``a``, except where it is the last: what follows each, to the end of its basket, is
    more popular.
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


@compiled
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


@compiled
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


@compiled
def pair_llr(pair: Count, first: Count, second: Count, total: Count) -> float:
    """Return Dunning's G² of two products as the first sees it, see :func:`pair_llrs`."""
    llr: float = pair_llrs(pair, first, second, total)[0]
    return llr


@compiled
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


@compiled
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


@compiled
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


@compiled
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
    final = np.uint64(len(holders) - 1)
    for product in range(first, last):
        used = np.uint64(0)
        for holder in range(index.holder_starts[product], index.holder_starts[product + 1]):
            # First where a basket's lines are, then they themselves.
            far = np.uint64(holders[min(np.uint64(holder) + np.uint64(2 * _AHEAD), final)])
            prefetch(starts, far)
            prefetch(basket_weights, far)
            near = np.uint64(starts[holders[min(np.uint64(holder) + np.uint64(_AHEAD), final)]])
            prefetch(lines, near)
            prefetch(lines, near + np.uint64(_HALF_CACHE_LINE))
            basket = holders[holder]
            weight = basket_weights[basket]
            for line in range(starts[basket], starts[basket + ONE]):
                neighbour = lines[line]
                orders = pair_orders[neighbour]
                places[used] = neighbour
                used += np.uint64(orders == 0)
                pair_orders[neighbour] = orders + ONE
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


@compiled
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


@compiled
def _count_followers(
    chains: Chains,
    product: Count,
    before: np.uint64,
    least: np.uint64,
    counters: Indices,
    candidates: Indices,
) -> np.uint64:
    """Count what follows a product in its baskets, from ``before`` on.

    Returns how many were met ``least`` times; they are listed in ``candidates``.
    """
    lines, holders = chains.lines, chains.holders
    one, enough, used = np.uint64(1), before + least, np.uint64(0)
    last = np.uint64(len(holders)) - one
    for holder in range(np.uint64(chains.starts[product]), np.uint64(chains.starts[product + 1])):
        ahead = np.uint64(holders[min(holder + np.uint64(_AHEAD), last)])
        prefetch(lines, ahead + one)
        prefetch(lines, ahead + np.uint64(_HALF_CACHE_LINE))
        place, line = np.uint64(holders[holder]), np.uint64(0)
        while line & one == 0:
            place += one
            line = np.uint64(lines[place])
            other = line >> one
            reached = max(np.uint64(counters[other]), before) + one
            counters[other] = reached
            candidates[used] = other
            used += np.uint64(reached == enough)
    return used


@compiled
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
    counters = np.zeros(len(popular.places), dtype=np.uint32)
    candidates = np.empty(len(popular.places) + 1, dtype=np.uint32)
    before, share = np.uint64(0), 1.0 / total
    for product in range(first, last):
        used = _count_followers(chains, product, before, least, counters, candidates)
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


@compiled
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


@compiled
def merge_rows(first: int, last: int, part: Strongest, found: Strongest) -> None:
    """Add what another thread found for rows ``first`` to ``last``."""
    for row in range(first, last):
        for place in range(part.filled[row]):
            other, pair = np.int64(part.others[row, place]), np.int64(part.orders[row, place])
            _keep(row, other, pair, part.llr[row, place], found)
