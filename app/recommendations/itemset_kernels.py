"""The compiled loops of :mod:`app.recommendations.itemsets`: finding sets of products, and measuring them.

Compiled with Numba and therefore imported in jobs only; see :mod:`app.recommendations.compiled` for the threads and for
why indices are unsigned.

Sets are grown from their smallest product on by *projection* (the conditional data bases of Han, Pei and Yin, SIGMOD
2000): what stands behind ``a`` in the baskets with ``a`` is a small history of its own, in which sets with ``b`` are
looked for in the same way. No candidate is made that no basket holds.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from app.recommendations.compiled import ONE, Count, Floats, Indices, compiled
from app.recommendations.cooccurrence import Integers
from app.recommendations.kernels import Limits, pair_llr

_Number = Count | np.uint32

# Ends a basket in the lines of a history, marks what has no place, and fills the fourth place of a set of three.
NONE: Final = np.uint32(2**32 - 1)
_TWO: Final = np.uint32(2)
# Columns of a table of sets: four products, then the number of baskets.
_COLUMNS: Final = 5
_FIRST_ROOM: Final = 1024


class History(NamedTuple):
    """Baskets one behind the other, with their products in rising order and ``NONE`` behind each basket.

    ``positions[starts[a]:starts[a + 1]]`` is where product ``a`` stands in ``lines``. ``reach[a]`` is how many entries
    stand behind it there, ``NONE`` included, and ``work[a]`` the sum of the squares of the products behind it.
    """

    lines: Indices
    positions: Indices
    starts: Integers
    reach: Integers
    work: Integers


class Pairs(NamedTuple):
    """The pairs that sets may be made of: rows of later products, rising.

    ``others[starts[a]:starts[a + 1]]`` are the products ``b > a`` that may stand in one set with ``a``, and ``orders``
    the baskets with both. A pair's *number* is its place in ``others``.
    """

    starts: Integers
    others: Indices
    orders: Indices


class Threes(NamedTuple):
    """Sets of three by their first pair's number: ``thirds[starts[pair]:starts[pair + 1]]``, rising.

    A set's *number* is its place in ``thirds``; ``orders`` are the baskets with all three.
    """

    starts: Integers
    thirds: Indices
    orders: Indices


class Measures(NamedTuple):
    """Float64[m] each, one number per set: see :class:`app.recommendations.itemsets.Sets`."""

    lift: Floats
    lift_over_pair: Floats
    llr: Floats
    completion: Floats

    @classmethod
    def empty(cls, sets: int) -> "Measures":
        """Return room for the measures of so many sets."""
        return cls(np.empty(sets), np.empty(sets), np.empty(sets), np.empty(sets))


class _Level(NamedTuple):
    """A projected history, its products numbered from 0; ``starts`` has one entry more than a history's."""

    lines: Indices
    positions: Indices
    starts: Integers
    counts: Indices


# --- histories ------------------------------------------------------------------------------------------


@compiled
def history_of(
    basket_starts: Integers, products: Indices, count: int
) -> tuple[Indices, Indices, Integers, Integers, Integers]:
    """Return the fields of the :class:`History` of baskets whose products are numbered from 0 to ``count``.

    Basket ``i`` is ``products[basket_starts[i]:basket_starts[i + 1]]``, each product once, in any order.
    """
    starts = np.zeros(count + 1, dtype=np.int64)
    for product in products:
        starts[product + ONE] += 1
    for place in range(count):
        starts[place + 1] += starts[place]
    following = starts[:-1].copy()
    holders = np.empty(len(products), dtype=np.uint32)
    baskets = len(basket_starts) - 1
    for basket in range(baskets):
        for line in range(basket_starts[basket], basket_starts[basket + 1]):
            holders[following[products[line]]] = basket
            following[products[line]] += 1
    # Taken product by product, each basket is filled in rising order.
    lines = np.full(len(products) + baskets, NONE, dtype=np.uint32)
    positions = np.empty(len(products), dtype=np.uint32)
    reach, work = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    ends = basket_starts[:-1] + np.arange(baskets)
    for place in range(count):
        for entry in range(starts[place], starts[place + 1]):
            basket = holders[entry]
            position = ends[basket]
            behind = basket_starts[basket + ONE] + basket - position
            lines[position] = place
            positions[entry] = position
            reach[place] += behind
            work[place] += (behind - 1) * (behind - 1)
            ends[basket] += 1
    return lines, positions, starts, reach, work


@compiled
def _project(
    lines: Indices, positions: Indices, numbers: Indices, kept: int, least: int, level: _Level
) -> None:
    """Make ``level`` what stands behind ``positions`` in their baskets.

    ``numbers`` gives each product its number below ``kept``, or ``NONE`` to leave it out. A basket with fewer than
    ``least`` products left is left out.
    """
    used = 0
    out, starts = level.lines, level.starts
    for position in positions:
        begin = used
        at = position + ONE
        while lines[at] != NONE:
            number = numbers[lines[at]]
            if number != NONE:
                out[used] = number
                used += 1
            at += ONE
        if used - begin < least:
            used = begin
        else:
            out[used] = NONE
            used += 1
    starts[: kept + 2] = 0
    for entry in range(used):
        if out[entry] != NONE:
            starts[out[entry] + _TWO] += 1
    for number in range(kept):
        starts[number + 2] += starts[number + 1]
    for entry in range(used):
        if out[entry] != NONE:
            level.positions[starts[out[entry] + ONE]] = entry
            starts[out[entry] + ONE] += 1


@compiled
def _with_next(
    number: int, products: Indices, level: _Level, pairs: Pairs, least: int, found: Indices
) -> int:
    """Write which later products of a level stand with product ``number`` in ``least`` of its baskets or more.

    ``products`` are the products of the level by number. The pair must be one that sets may be made of. Returns how
    many were found; ``level.counts`` holds their baskets.
    """
    places = level.positions[level.starts[number] : level.starts[number + 1]]
    if len(places) < least:
        return 0
    lines, counts = level.lines, level.counts
    counts[number + 1 : len(products)] = 0
    for position in places:
        at = position + ONE
        while lines[at] != NONE:
            counts[lines[at]] += ONE
            at += ONE
    first = products[number]
    row = pairs.others[pairs.starts[first] : pairs.starts[first + ONE]]
    used = 0
    for later in range(number + 1, len(products)):
        if counts[later] >= least and _place_of(row, products[later]) >= 0:
            found[used] = later
            used += 1
    return used


@compiled
def _level(room: int, products: int) -> _Level:
    """Return an empty level for so many entries and products."""
    return _Level(
        np.empty(room, dtype=np.uint32),
        np.empty(room, dtype=np.uint32),
        np.empty(products + 2, dtype=np.int64),
        np.empty(products, dtype=np.uint32),
    )


# --- pairs ----------------------------------------------------------------------------------------------


@compiled
def gated_pairs(first: int, last: int, history: History, limits: Limits) -> tuple[Integers, Indices, Indices]:
    """Return the later products that pass the gates with each product from ``first`` to ``last``.

    Returns:
        int64[last - first] row lengths, then the others of all rows, rising in each, and their orders.
    """
    lines, starts, total = history.lines, history.starts, limits.store_orders
    lengths = np.zeros(last - first, dtype=np.int64)
    others, orders = np.empty(_FIRST_ROOM, dtype=np.uint32), np.empty(_FIRST_ROOM, dtype=np.uint32)
    counts, met = np.zeros(len(starts) - 1, dtype=np.uint32), np.empty(len(starts) - 1, dtype=np.uint32)
    used = 0
    for product in range(first, last):
        held = starts[product + 1] - starts[product]
        if held < limits.min_orders:
            continue
        touched = 0
        for place in range(starts[product], starts[product + 1]):
            at = history.positions[place] + ONE
            while lines[at] != NONE:
                if counts[lines[at]] == 0:
                    met[touched] = lines[at]
                    touched += 1
                counts[lines[at]] += ONE
                at += ONE
        often = 0
        for place in range(touched):
            other = met[place]
            if counts[other] < limits.min_orders:
                counts[other] = 0
            else:
                met[often] = other
                often += 1
        for other in np.sort(met[:often]):
            pair, other_held = np.int64(counts[other]), starts[other + ONE] - starts[other]
            counts[other] = 0
            if float(pair) * float(total) / (float(held) * float(other_held)) < limits.min_lift:
                continue
            if pair_llr(pair, held, other_held, total) < limits.min_llr:
                continue
            if used == len(others):
                others, orders = np.append(others, others), np.append(orders, orders)
            others[used] = other
            orders[used] = pair
            used += 1
            lengths[product - first] += 1
    return lengths, others[:used], orders[:used]


@compiled
def _place_of(row: Indices, wanted: Count) -> int:
    """Return where ``wanted`` stands in a rising row, or -1."""
    low, high = 0, len(row)
    while low < high:
        middle = (low + high) >> 1
        if row[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < len(row) and row[low] == wanted else -1


@compiled
def _pair(pairs: Pairs, first: Count, second: Count) -> int:
    """Return the number of the pair ``first < second``, which must be there."""
    start: int = pairs.starts[first]
    return start + _place_of(pairs.others[start : pairs.starts[first + ONE]], second)


# --- sets -----------------------------------------------------------------------------------------------


@compiled
def _put(table: Indices, used: int, products: tuple[_Number, ...], orders: _Number) -> Indices:
    """Write a set into row ``used`` of a table; return the table, or a copy with more room."""
    if used == len(table):
        larger = np.empty((2 * len(table), _COLUMNS), dtype=np.uint32)
        larger[:used] = table
        table = larger
    table[used, 0] = products[0]
    table[used, 1] = products[1]
    table[used, 2] = products[2]
    table[used, 3] = products[3]
    table[used, 4] = orders
    return table


@compiled
def _rooms(first: int, last: int, history: History, pairs: Pairs) -> tuple[int, int]:
    """Return the most entries and the most products that a level of these products may have."""
    room, widest = 0, 0
    for product in range(first, last):
        degree = pairs.starts[product + 1] - pairs.starts[product]
        if degree > 1:
            room, widest = max(room, history.reach[product]), max(widest, degree)
    return room, widest


@compiled
def _number(products: Indices, numbers: Indices) -> None:
    """Write the place of each of ``products`` into ``numbers``."""
    for place in range(len(products)):
        numbers[products[place]] = place


@compiled
def find_threes(
    first: int, last: int, history: History, pairs: Pairs, least: int, histogram: Integers
) -> Indices:
    """Find the sets of three products whose smallest is one of ``first`` to ``last``.

    All their pairs stand in ``pairs``, and ``least`` baskets or more hold them. Each is counted in ``histogram`` under
    its number of baskets.

    Returns:
        uint32[found, 5], rising: three products, ``NONE``, and the number of baskets.
    """
    room, widest = _rooms(first, last, history, pairs)
    level, found = _level(room, widest), np.empty(widest, dtype=np.uint32)
    numbers = np.full(len(pairs.starts) - 1, NONE, dtype=np.uint32)
    table, used = np.empty((_FIRST_ROOM, _COLUMNS), dtype=np.uint32), 0
    for product in range(first, last):
        row = pairs.others[pairs.starts[product] : pairs.starts[product + 1]]
        if len(row) < 2:
            continue
        _number(row, numbers)
        where = history.positions[history.starts[product] : history.starts[product + 1]]
        _project(history.lines, where, numbers, len(row), 2, level)
        numbers[row] = NONE
        for second in range(len(row) - 1):
            for third in found[: _with_next(second, row, level, pairs, least, found)]:
                orders = level.counts[third]
                histogram[orders] += 1
                table = _put(table, used, (product, row[second], row[third], NONE), orders)
                used += 1
    return table[:used].copy()


@compiled
def find_fours(
    first: int, last: int, history: History, pairs: Pairs, least: int, histogram: Integers
) -> Indices:
    """Find the sets of four products whose smallest is one of ``first`` to ``last``; see :func:`find_threes`.

    Returns:
        uint32[found, 5], rising: four products and the number of baskets.
    """
    room, widest = _rooms(first, last, history, pairs)
    one, two = _level(room, widest), _level(room, widest)
    numbers = np.full(len(pairs.starts) - 1, NONE, dtype=np.uint32)
    thirds, fourths = np.empty(widest, dtype=np.uint32), np.empty(widest, dtype=np.uint32)
    table, used = np.empty((_FIRST_ROOM, _COLUMNS), dtype=np.uint32), 0
    for product in range(first, last):
        row = pairs.others[pairs.starts[product] : pairs.starts[product + 1]]
        if len(row) < 3:
            continue
        _number(row, numbers)
        where = history.positions[history.starts[product] : history.starts[product + 1]]
        _project(history.lines, where, numbers, len(row), 3, one)
        numbers[row] = NONE
        for second in range(len(row) - 2):
            later = thirds[: _with_next(second, row, one, pairs, least, thirds)]
            if len(later) < 2:
                continue
            _number(later, numbers)
            where = one.positions[one.starts[second] : one.starts[second + 1]]
            _project(one.lines, where, numbers, len(later), 2, two)
            numbers[later] = NONE
            names = row[later]
            for third in range(len(later) - 1):
                for fourth in fourths[: _with_next(third, names, two, pairs, least, fourths)]:
                    orders = two.counts[fourth]
                    histogram[orders] += 1
                    table = _put(table, used, (product, row[second], names[third], names[fourth]), orders)
                    used += 1
    return table[:used].copy()


# --- measures -------------------------------------------------------------------------------------------


@compiled
def count_by_pair(table: Indices, pairs: Pairs) -> Integers:
    """Return where the sets of three of each pair begin in a table of them: int64[pairs + 1]."""
    starts = np.zeros(len(pairs.others) + 1, dtype=np.int64)
    for row in range(len(table)):
        starts[_pair(pairs, table[row, 0], table[row, 1]) + 1] += 1
    for pair in range(len(pairs.others)):
        starts[pair + 1] += starts[pair]
    return starts


@compiled
def _excess(both: Count, one: Count, other: Count, total: Count) -> float:
    """Return G² of two events that meet more often than by chance, else 0."""
    return pair_llr(both, one, other, total) if both * total > one * other else 0.0


@compiled
def measure_threes(
    first: int, last: int, table: Indices, held: Integers, pairs: Pairs, total: int, measures: Measures
) -> None:
    """Measure rows ``first`` to ``last`` of a table of sets of three; ``held`` are the products' baskets."""
    for row in range(first, last):
        a, b, c, n = table[row, 0], table[row, 1], table[row, 2], np.int64(table[row, 4])
        n_a, n_b, n_c = held[a], held[b], held[c]
        n_ab = np.int64(pairs.orders[_pair(pairs, a, b)])
        n_ac = np.int64(pairs.orders[_pair(pairs, a, c)])
        n_bc = np.int64(pairs.orders[_pair(pairs, b, c)])
        explained = max(n_ab * n_c, n_ac * n_b, n_bc * n_a)
        measures.lift[row] = float(n) * total * total / (float(n_a) * n_b * n_c)
        measures.lift_over_pair[row] = float(n) * total / explained
        measures.llr[row] = min(
            _excess(n, n_ab, n_c, total), _excess(n, n_ac, n_b, total), _excess(n, n_bc, n_a, total)
        )
        measures.completion[row] = n / (n_ab + n_ac + n_bc - 2 * n)


@compiled
def measure_fours(
    first: int,
    last: int,
    table: Indices,
    held: Integers,
    pairs: Pairs,
    threes: Threes,
    total: int,
    measures: Measures,
    closed: npt.NDArray[np.bool_],
) -> None:
    """Measure rows ``first`` to ``last`` of a table of sets of four.

    Sets of three that one of them holds, with as many baskets, are marked as not ``closed``.
    """
    for row in range(first, last):
        n = np.int64(table[row, 4])
        everything, nearly, explained, llr = 1.0, np.int64(0), 0.0, np.inf
        for i in range(4):
            n_i = held[table[row, i]]
            everything *= n_i
            # The three others, in rising order.
            a = table[row, 0] if i > 0 else table[row, 1]
            b = table[row, 1] if i > 1 else table[row, 2]
            c = table[row, 2] if i > 2 else table[row, 3]
            pair = _pair(pairs, a, b)
            start = threes.starts[pair]
            three = start + _place_of(threes.thirds[start : threes.starts[pair + 1]], c)
            n_three = np.int64(threes.orders[three])
            if n_three == n:
                closed[three] = False
            nearly += n_three
            llr = min(llr, _excess(n, n_three, n_i, total))
        for i in range(1, 4):
            # The first product with another, and the two that are left.
            c = table[row, 1] if i > 1 else table[row, 2]
            d = table[row, 2] if i > 2 else table[row, 3]
            n_one = np.int64(pairs.orders[_pair(pairs, table[row, 0], table[row, i])])
            n_other = np.int64(pairs.orders[_pair(pairs, c, d)])
            llr = min(llr, _excess(n, n_one, n_other, total))
            explained = max(explained, float(n_one) * held[c] * held[d])
            explained = max(explained, float(n_other) * held[table[row, 0]] * held[table[row, i]])
        measures.lift[row] = float(n) * total * total * total / everything
        measures.lift_over_pair[row] = float(n) * total * total / explained
        measures.llr[row] = llr
        measures.completion[row] = n / (nearly - 3 * n)


# --- lists ----------------------------------------------------------------------------------------------


@compiled
def choose_per_product(sets: Integers, limit: int, lists: Integers, filled: Integers) -> None:
    """Put each set into the list of each of its products, unless full or one of its companions stands there.

    Args:
        sets: int64[m, 4], best first, places of products; -1 in the fourth place of three.
        limit: how many sets a list may hold.
        lists: int64[p, limit], filled with rows of ``sets``.
        filled: int64[p], zeros; filled with the lengths of the lists.
    """
    for row in range(len(sets)):
        for product in sets[row]:
            if product < 0 or filled[product] == limit:
                continue
            apart = True
            for place in range(filled[product]):
                for companion in sets[lists[product, place]]:
                    if companion < 0 or companion == product:
                        continue
                    for mine in sets[row]:
                        if mine == companion:
                            apart = False
            if apart:
                lists[product, filled[product]] = row
                filled[product] += 1
