"""Sets of three and four products that are bought together more often than their best pair explains.

Compiled with Numba and therefore imported in jobs only; :mod:`app.recommendations.itemset_kernels` holds the loops.

A set is looked at if all of its pairs pass the gates of pairs and enough baskets hold it. A set of three is *closed*
if no set of four that is looked at contains it and is in just as many baskets: whoever bought the three bought the
fourth. Sets of five are not looked at, so every set of four counts as closed. (After Pasquier, Bastide, Taouil and
Lakhal, ICDT 1999, where all frequent sets are looked at.)
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from app.recommendations import itemset_kernels, kernels
from app.recommendations.compiled import Floats, Indices
from app.recommendations.cooccurrence import Integers
from app.recommendations.indexing import Baskets
from app.recommendations.itemset_kernels import History, Measures, Pairs, Threes
from app.recommendations.ranking import Gates
from app.recommendations.threads import default_threads, in_order, ranges_of, spread

MAX_SETS: Final = 500_000
MAX_WORK: Final = 10**10
_TASKS: Final = 256
_FINDERS: Final = {3: itemset_kernels.find_threes, 4: itemset_kernels.find_fours}


@dataclass(slots=True, eq=False)
class Sets:
    """Sets of ``k`` products, in the order of their ids. ``N`` are all baskets, ``n_T`` those that hold ``T``.

    Attributes:
        products: int64[m, k], ids, rising.
        orders: int64[m], ``n_S``.
        support: float64[m], ``n_S / N``.
        lift: float64[m], how many times more often than by chance: ``n_S N^(k-1) / prod n_i`` (Brin, Motwani, Ullman
            and Tsur, SIGMOD 1997).
        lift_over_pair: float64[m], how many times more often than the pair that explains it best and chance would
            make it: the least of ``n_S / (n_pair prod_rest n_i / N)`` over its pairs.
        llr: float64[m], how surely the set is more than two parts that meet by chance: the least G² over all ways to
            cut it into two parts, 0 where a cut meets no more often than by chance (the productive itemsets of Webb,
            ACM TKDD 4(1), 2010, with Dunning's test for Fisher's).
        completion: float64[m], share of the baskets with all but at most one of the products that hold them all.
    """

    products: Integers
    orders: Integers
    support: Floats
    lift: Floats
    lift_over_pair: Floats
    llr: Floats
    completion: Floats

    def __len__(self) -> int:
        return len(self.orders)

    def select(self, wanted: npt.NDArray[np.bool_] | Integers) -> "Sets":
        """Return some of the sets."""
        return Sets(
            self.products[wanted],
            self.orders[wanted],
            self.support[wanted],
            self.lift[wanted],
            self.lift_over_pair[wanted],
            self.llr[wanted],
            self.completion[wanted],
        )


@dataclass(slots=True, eq=False)
class Found:
    """What :func:`find` found.

    Attributes:
        store_orders: baskets that were looked at, ``N``.
        basket_cap: the most products that any of them may have.
        threes: every closed set of three that ``least_threes`` of the baskets hold, and no other.
        fours: every set of four that ``least_fours`` of them hold, and no other.
    """

    store_orders: int
    basket_cap: int
    least_threes: int
    least_fours: int
    threes: Sets
    fours: Sets


class Chosen(NamedTuple):
    """A set on a list: ``products`` are three or four ids, rising; for the measures see :class:`Sets`."""

    products: tuple[int, ...]
    orders: int
    support: float
    lift: float
    lift_over_pair: float
    llr: float
    completion: float


@dataclass(slots=True, eq=False)
class Lists:
    """The sets worth showing, best first: of the whole store, and of each product that has any."""

    store: list[Chosen]
    products: dict[int, list[Chosen]]


def find(
    baskets: Baskets,
    gates: Gates,
    basket_cap: int,
    min_orders: int | None = None,
    max_sets: int = MAX_SETS,
    max_work: int = MAX_WORK,
    threads: int | None = None,
) -> Found:
    """Return the closed sets of three and four products, and their measures.

    Two bounds hold whatever the orders look like. Where there would be more than ``max_sets`` sets of three, before
    closing, more orders are asked of them: the least number at which there are not. Of sets of four likewise, beginning
    with that number. So what is kept are the sets that were bought most often, without a gap and without chance.
    Where the baskets hold more than ``max_work`` threes in all, ``basket_cap`` is lowered to the largest size at which
    they do not. Memory is about 50 bytes per line, 8 per gated pair, and 150 per set.

    Args:
        baskets: the orders.
        gates: what each pair of a set must pass.
        basket_cap: baskets with more distinct products are left out.
        min_orders: how many baskets must hold a set; as many as the gates ask of a pair, unless given.
        max_sets: bounds memory.
        max_work: bounds time; 10^9 take about a second and a half.
        threads: how many to use; two where the machine has them, unless given.

    Raises:
        ValueError: if ``min_orders`` or ``max_sets`` is below one.
    """
    least = gates.min_orders if min_orders is None else min_orders
    if least < 1 or max_sets < 1:
        raise ValueError(f"min_orders and max_sets must be at least 1: {least}, {max_sets}")
    workers = threads or default_threads()
    corpus = _corpus(baskets, basket_cap, max_work)
    search = _Search(corpus.history, _gated(corpus, gates, least, workers), workers)
    threes, least_threes = search.look(3, least, max_sets)
    search.pairs = _at_least(search.pairs, least_threes)
    fours, least_fours = search.look(4, least_threes, max_sets)
    return Found(
        corpus.baskets, corpus.cap, least_threes, least_fours, *_measured(corpus, search, threes, fours)
    )


def choose(found: Found, gates: Gates, limit: int, per_product: int) -> Lists:
    """Return the sets worth showing: those that pass the gates of pairs with ``lift_over_pair`` and ``llr``.

    The surest come first (``llr``), then those with more orders, then sets of three, then the smaller ids. On a list
    no two sets share a pair: each tells something new. Of a product's sets this means that no companion stands there
    twice.

    Args:
        found: the sets.
        gates: ``min_lift`` and ``min_llr`` are asked of the sets; ``min_orders`` is the search's.
        limit: how many sets of the whole store to keep.
        per_product: how many of each product.
    """
    passing = [
        sets.select((sets.lift_over_pair >= gates.min_lift) & (sets.llr >= gates.min_llr))
        for sets in (found.threes, found.fours)
    ]
    threes = np.pad(passing[0].products, ((0, 0), (0, 1)), constant_values=-1)
    order = np.lexsort(
        (-np.concatenate([s.orders for s in passing]), -np.concatenate([s.llr for s in passing]))
    )
    members = np.concatenate([threes, passing[1].products])[order]
    ids = np.unique(members[members >= 0])
    places = np.where(members < 0, -1, np.searchsorted(ids, members))
    lists = np.empty((len(ids), per_product), dtype=np.int64)
    filled = np.zeros(len(ids), dtype=np.int64)
    itemset_kernels.choose_per_product(places, per_product, lists, filled)

    def chosen(row: int) -> Chosen:
        place = int(order[row])
        first = len(passing[0])
        return _chosen(passing[0], place) if place < first else _chosen(passing[1], place - first)

    return Lists(
        store=[chosen(row) for row in _apart(members, limit)],
        products={
            product: [chosen(row) for row in rows[:length]]
            for product, rows, length in zip(ids.tolist(), lists.tolist(), filled.tolist(), strict=True)
        },
    )


def warm_up() -> None:
    """Compile every kernel, or load it from Numba's cache."""
    baskets = Baskets(np.array([0, 4, 5]), np.array([1, 2, 3, 4, 5]), np.array([0, 0]))
    gates = Gates(1, 0.0, 0.0)
    choose(find(baskets, gates, 4, threads=1), gates, 1, 1)


# --- arrays around the kernels --------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Corpus:
    """The baskets that are looked at, their number, the most products that one may have, and the ids of products."""

    products: Integers
    history: History
    baskets: int
    cap: int


@dataclass(slots=True, eq=False)
class _Search:
    """Where sets are looked for."""

    history: History
    pairs: Pairs
    threads: int

    def look(self, size: int, least: int, max_sets: int) -> tuple[Indices, int]:
        """Return the sets of a size, rising, and in how many baskets they had to be.

        That is the least number, ``least`` or more, that at most ``max_sets`` sets reach. What is already known to be
        too little is not looked for any further; the outcome does not depend on when that is.

        Returns:
            uint32[m, 5], see :func:`itemset_kernels.find_threes`, and the number.
        """
        tables: list[Indices] = [np.empty((0, 5), np.uint32)]
        total = self._counts()

        def compute(first: int, last: int) -> tuple[Indices, Integers]:
            counted = self._counts()
            return _FINDERS[size](first, last, self.history, self.pairs, least, counted), counted

        for rows, counted in in_order(compute, _cuts(self.history), self.threads):
            total += counted
            reaching = np.cumsum(total[::-1])[::-1]
            raised = max(least, int(np.count_nonzero(reaching > max_sets)))
            if raised > least:
                tables = [table[table[:, 4] >= raised] for table in tables]
            least = raised
            tables.append(rows[rows[:, 4] >= least])
        return np.concatenate(tables), least

    def _counts(self) -> Integers:
        """Return a histogram of numbers of baskets, empty."""
        return np.zeros(int(self.pairs.orders.max(initial=0)) + 1, dtype=np.int64)


def _cuts(history: History) -> list[tuple[int, int]]:
    """Return ranges of products of about the same work."""
    cost = history.work + 1
    return ranges_of(cost, int(cost.sum()) // _TASKS + 1)


def _corpus(baskets: Baskets, cap: int, max_work: int) -> _Corpus:
    """Return the baskets of one to ``cap`` distinct products, or fewer if they would be too much work."""
    lengths = np.diff(baskets.indptr)
    products, numbers = np.unique(baskets.products, return_inverse=True)
    order = np.repeat(np.arange(len(lengths)), lengths)
    # A product that a basket names twice counts once.
    keys = np.unique(order * max(len(products), 1) + numbers)
    order, numbers = np.divmod(keys, max(len(products), 1))
    sizes = np.bincount(order, minlength=len(lengths))
    cap = _affordable(sizes, cap, max_work)
    learned = (sizes > 0) & (sizes <= cap)
    present, lines = np.unique(numbers[learned[order]], return_inverse=True)
    starts = np.concatenate(([0], np.cumsum(sizes[learned])))
    history = History(*itemset_kernels.history_of(starts, lines.astype(np.uint32), len(present)))
    return _Corpus(products[present], history, int(learned.sum()), cap)


def _affordable(sizes: Integers, cap: int, max_work: int) -> int:
    """Return the largest cap, ``cap`` at most, at which the baskets hold no more than ``max_work`` threes."""
    having = np.bincount(np.minimum(sizes, cap + 1), minlength=cap + 2)[: cap + 1].astype(np.float64)
    size = np.arange(cap + 1, dtype=np.float64)
    work = np.cumsum(having * size * (size - 1) * (size - 2) / 6)
    return int(np.searchsorted(work, max_work, side="right")) - 1


def _gated(corpus: _Corpus, gates: Gates, least: int, threads: int) -> Pairs:
    """Return the pairs that pass the gates and that ``least`` baskets hold."""
    limits = kernels.Limits(
        corpus.baskets, max(int(gates.min_orders), least), float(gates.min_lift), float(gates.min_llr)
    )
    blocks = list(
        in_order(
            lambda first, last: itemset_kernels.gated_pairs(first, last, corpus.history, limits),
            _cuts(corpus.history),
            threads,
        )
    )
    lengths, others, orders = (
        np.concatenate([np.empty(0, kind), *(block[column] for block in blocks)])
        for column, kind in enumerate((np.int64, np.uint32, np.uint32))
    )
    return Pairs(np.concatenate(([0], np.cumsum(lengths))), others, orders)


def _at_least(pairs: Pairs, least: int) -> Pairs:
    """Return the pairs that ``least`` baskets hold."""
    kept = pairs.orders >= least
    before = np.concatenate(([0], np.cumsum(kept)))
    return Pairs(before[pairs.starts], pairs.others[kept], pairs.orders[kept])


def _measured(corpus: _Corpus, search: _Search, threes: Indices, fours: Indices) -> tuple[Sets, Sets]:
    """Return the sets of two tables with their measures, those of three as far as closed."""
    held, pairs, total = np.diff(corpus.history.starts), search.pairs, corpus.baskets
    of_three, of_four = Measures.empty(len(threes)), Measures.empty(len(fours))
    closed = np.ones(len(threes), dtype=np.bool_)
    known = Threes(itemset_kernels.count_by_pair(threes, pairs), threes[:, 2].copy(), threes[:, 4].copy())
    spread(
        lambda first, last: itemset_kernels.measure_threes(first, last, threes, held, pairs, total, of_three),
        np.ones(len(threes), dtype=np.int64),
        search.threads,
    )
    spread(
        lambda first, last: itemset_kernels.measure_fours(
            first, last, fours, held, pairs, known, total, of_four, closed
        ),
        np.ones(len(fours), dtype=np.int64),
        search.threads,
    )
    return _sets(corpus, threes, 3, of_three).select(closed), _sets(corpus, fours, 4, of_four)


def _sets(corpus: _Corpus, table: Indices, size: int, measures: Measures) -> Sets:
    orders = table[:, 4].astype(np.int64)
    return Sets(
        products=corpus.products[table[:, :size]],
        orders=orders,
        support=orders / max(corpus.baskets, 1),
        lift=measures.lift,
        lift_over_pair=measures.lift_over_pair,
        llr=measures.llr,
        completion=measures.completion,
    )


def _apart(members: Integers, limit: int) -> list[int]:
    """Return the first rows no two of which share a pair of products, ``limit`` at most."""
    rows: list[int] = []
    seen: set[tuple[int, int]] = set()
    for row in range(len(members)):
        if len(rows) == limit:
            break
        products = [p for p in members[row].tolist() if p >= 0]
        mine = {(a, b) for a in products for b in products if a < b}
        if seen.isdisjoint(mine):
            seen |= mine
            rows.append(row)
    return rows


def _chosen(sets: Sets, place: int) -> Chosen:
    return Chosen(
        products=tuple(sets.products[place].tolist()),
        orders=int(sets.orders[place]),
        support=float(sets.support[place]),
        lift=float(sets.lift[place]),
        lift_over_pair=float(sets.lift_over_pair[place]),
        llr=float(sets.llr[place]),
        completion=float(sets.completion[place]),
    )
