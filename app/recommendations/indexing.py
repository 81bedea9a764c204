"""Order lines as the kernels of counting want them: products numbered, baskets indexed or chained.

Compiled with Numba and therefore imported in jobs only; :mod:`app.recommendations.line_kernels` holds the loops.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from app.recommendations import compiled, kernels, line_kernels
from app.recommendations.cooccurrence import Integers
from app.recommendations.threads import each, ranges_of, spread

# Index 2**32 - 1 is the last that a line may have.
_MOST_LINES: Final = 2**32 - 1
# A table of so many ids costs nothing worth saving.
_SMALL_TABLE: Final = 65_536


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
class Corpus:
    """The learned orders of a store, and what follows from them for each product.

    ``reach`` is how many lines beside its own a product meets in all: the work of counting its row, and
    the most entries that the row can have.
    """

    products: Integers
    days: Integers
    sizes: Integers
    index: kernels.Index
    orders: Integers
    reach: Integers

    def total(self, amounts: Integers) -> Integers:
        """Return int64[p]: for each product the sum of an amount (int64[n]) over its baskets."""
        return line_kernels.sum_amounts(self.index.starts, self.index.lines, amounts, len(self.products))


def index_baskets(baskets: Baskets, cap: int, threads: int) -> Corpus:
    """Return the baskets of one to ``cap`` distinct products, indexed."""
    numbered = _numbered(baskets, cap, threads)
    holder_starts, holders, reach = line_kernels.transpose(
        numbered.starts, numbered.lines, len(numbered.products)
    )
    return Corpus(
        products=numbered.products,
        days=numbered.days,
        sizes=numbered.sizes,
        index=kernels.Index(numbered.starts, numbered.lines, holder_starts, holders),
        orders=np.diff(holder_starts).astype(np.int64),
        reach=reach,
    )


@dataclass(slots=True, eq=False)
class Chained:
    """All baskets of a store as chains, with their products by popularity.

    Attributes:
        products: int64[p], every product, sorted by id.
        ranks: uint32[p], the rank of each, the most popular one's being 0.
        by_popularity: int64[p], the place in ``products`` of each rank.
        chains: the lines.
        orders: int64[p], baskets with the product of each rank.
    """

    products: Integers
    ranks: compiled.Indices
    by_popularity: Integers
    chains: kernels.Chains
    orders: Integers

    def work(self) -> Integers:
        """Return int64[p]: about how much work it is to count the pairs of each rank's product.

        It has a pair with whatever more popular product is in its baskets, as if all baskets were alike.
        """
        lines = len(self.chains.lines)
        followers = lines / max(lines - len(self.chains.holders), 1) * np.cumsum(self.orders) / max(lines, 1)
        return (np.diff(self.chains.starts.astype(np.int64)) * (1 + followers)).astype(np.int64)


def chain_baskets(baskets: Baskets, threads: int) -> Chained:
    """Return the baskets as chains. Each thread writes those of its own part, to places that are counted first."""
    indptr, ids = _read_only(baskets.indptr), _read_only(baskets.products)
    found = _ids(ids, threads)
    # How often a product was named is not yet in how many baskets; for the order that is near enough.
    by_popularity = np.argsort(-found.lines, kind="stable")
    ranks = np.empty(len(by_popularity), dtype=np.uint32)
    ranks[by_popularity] = np.arange(len(by_popularity), dtype=np.uint32)
    numbering = found.numbering(ranks)
    sizes = np.diff(indptr)
    cuts = ranges_of(sizes + 1, (len(ids) + len(sizes)) // threads + 1)
    lines = np.empty(len(ids), dtype=np.uint32)
    tallies = np.zeros((len(cuts), 2 * len(ranks)), dtype=np.uint32)
    each(
        lambda part, first, last: line_kernels.chain_lines(
            first, last, indptr, ids, numbering, lines, tallies[part]
        ),
        cuts,
        threads,
    )
    links, ends = tallies[:, ::2].astype(np.int64), tallies[:, 1::2]
    starts = np.concatenate(([0], np.cumsum(links.sum(axis=0))))
    following = (starts[:-1] + np.cumsum(links, axis=0) - links).astype(np.uint32)
    holders = np.empty(starts[-1], dtype=np.uint32)
    each(
        lambda part, first, last: line_kernels.link(
            int(indptr[first]), int(indptr[last]), lines, following[part], holders
        ),
        cuts,
        threads,
    )
    chains = kernels.Chains(lines, starts.astype(np.uint32), holders)
    orders = links.sum(axis=0) + ends.sum(axis=0, dtype=np.int64)
    return Chained(found.products, ranks, by_popularity, chains, orders)


# --- numbering ------------------------------------------------------------------------------------------


class _Numbered(NamedTuple):
    """The learned baskets, their products numbered in the order of ids; no basket is empty.

    Attributes:
        products: int64[p], the products of all lines, sorted.
        days: int64[n].
        sizes: int64[n], how many distinct products each basket holds.
        starts: uint32[n + 1], where its lines start.
        lines: uint32[sum(sizes)], places in ``products``.
    """

    products: Integers
    days: Integers
    sizes: Integers
    starts: compiled.Indices
    lines: compiled.Indices


def _numbered(baskets: Baskets, cap: int, threads: int) -> _Numbered:
    """Return the baskets of one to ``cap`` distinct products."""
    indptr, ids = _read_only(baskets.indptr), _read_only(baskets.products)
    found = _ids(ids, threads)
    products, numbering = found.products, found.numbering(np.arange(len(found.products), dtype=np.uint32))
    lines = np.empty(len(ids), dtype=np.uint32)
    sizes = np.empty(len(baskets.days), dtype=np.int64)
    spread(
        lambda first, last: line_kernels.number_lines(first, last, indptr, ids, numbering, lines, sizes),
        np.diff(indptr),
        threads,
        tasks=1,
    )
    learned = (sizes > 0) & (sizes <= cap)
    kept = np.where(learned, sizes, 0)
    if kept.sum() != len(lines):
        lines = lines[: line_kernels.close_gaps(indptr, kept, lines)]
        present = line_kernels.count_lines(lines, len(products)) > 0
        if not present.all():
            lines = (np.cumsum(present) - 1).astype(np.uint32)[lines]
            products = products[present]
    sizes = sizes[learned]
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.uint32)
    return _Numbered(products, np.asarray(baskets.days, dtype=np.int64)[learned], sizes, starts, lines)


class _Ids(NamedTuple):
    """The distinct ids of order lines.

    Attributes:
        products: int64[p], sorted.
        lines: int64[p], how many lines name each.
        places: int64[p], where each stands in a table that starts with the smallest; empty where ids lie too far
            apart for a table of about the size of the lines.
    """

    products: Integers
    lines: Integers
    places: Integers

    def numbering(self, numbers: compiled.Indices) -> line_kernels.Numbering:
        """Return how the kernels find ``numbers`` (uint32[p])."""
        table = np.zeros(self.places[-1] + 1 if len(self.places) else 0, dtype=np.uint32)
        table[self.places] = numbers[: len(self.places)]
        return line_kernels.Numbering(self.products, numbers, table)


def _ids(ids: Integers, threads: int) -> _Ids:
    """Return the distinct ids of order lines."""
    if not len(ids):
        return _Ids(*np.empty((3, 0), dtype=np.int64))
    lowest, highest = int(ids.min()), int(ids.max())
    if highest - lowest >= len(ids) + _SMALL_TABLE:
        return _Ids(*np.unique(ids, return_counts=True), np.empty(0, dtype=np.int64))
    part = -(-len(ids) // threads)
    cuts = [(first, min(first + part, len(ids))) for first in range(0, len(ids), part)]
    found = np.zeros((len(cuts), highest - lowest + 1), dtype=np.uint32)
    each(
        lambda number, first, last: line_kernels.count_ids(first, last, ids, lowest, found[number]),
        cuts,
        threads,
    )
    lines = found.sum(axis=0, dtype=np.int64)
    places = np.flatnonzero(lines)
    return _Ids(places + lowest, lines[places], places)


def _read_only(given: Integers) -> Integers:
    """Return an array as the kernels read it: they are compiled for one kind, and nothing needs to be copied for it."""
    array = np.ascontiguousarray(given, dtype=np.int64).view()
    array.flags.writeable = False
    return array
