"""Choosing what may be shown beside a product, and rebuilding a store's counts whole.

Compiled with Numba and therefore imported in jobs only. The rebuild never materialises a list of pairs: for
each product it walks the product's baskets, adds up orders and weights in dense arrays that stay in the
processor's cache, writes the row out and keeps its best few in the same pass. :func:`strongest_pairs`, which
stores nothing, meets each pair once instead, from its rarer product, and ranks it for both.
:mod:`app.recommendations.kernels` holds these loops, and :mod:`app.recommendations.indexing` prepares their input.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from app.recommendations import association, kernels
from app.recommendations.compiled import Floats
from app.recommendations.cooccurrence import Integers, Neighbours, Parameters, order_weights
from app.recommendations.indexing import Baskets, Chained, Corpus, chain_baskets, index_baskets
from app.recommendations.kernels import pair_llr
from app.recommendations.threads import default_threads, in_order, ranges_of, spread

__all__ = [
    "OTHER_EXPONENT",
    "PAGE_EXPONENT",
    "Block",
    "Counted",
    "Gates",
    "ProductTotals",
    "Ranked",
    "Rebuild",
    "factors",
    "pair_llr",
    "rank",
    "rebuild",
    "strongest_pairs",
    "warm_up",
]

# The exponents of the score: how far a product's own weight counts, on its page and beside it.
PAGE_EXPONENT: Final = 0.6
OTHER_EXPONENT: Final = 0.4


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


class Counted(Protocol):
    """A store's counts, made anew from its orders by whatever engine; the same as the sum of all increments.

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

    def totals(self) -> ProductTotals:
        """Return what :func:`rank` needs to know of the products."""
        ...

    def blocks(self) -> Iterator[Block]:
        """Yield the pair counts and rankings of all products that have neighbours, in the order of ids."""
        ...


@dataclass(slots=True, eq=False)
class Rebuild:
    """What this process counted; see :class:`Counted`."""

    orders: int
    products: Integers
    product_orders: Integers
    product_weights: Integers
    product_popularity: Integers
    _corpus: Corpus
    _weights: Integers
    _limits: kernels.Limits
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
            rows = kernels.Rows.empty(last - first, int(reach[first:last].sum()))
            best = kernels.Best.empty(last - first, self._limit)
            sums = kernels.Accumulator.zeros(len(self.products))
            kernels.count_rows(
                first, last, self._corpus.index, self._weights, products, self._limits, sums, rows, best
            )
            return self._block_of(first, rows, best)

        return in_order(compute, ranges_of(reach, self._block), self._threads)

    def _block_of(self, first: int, rows: kernels.Rows, best: kernels.Best) -> Block:
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
    workers = threads or default_threads()
    corpus = index_baskets(baskets, parameters.basket_cap, workers)
    weights, popularity = order_weights(parameters, corpus.days, corpus.sizes)
    return Rebuild(
        orders=len(corpus.days),
        products=corpus.products,
        product_orders=corpus.orders,
        product_weights=corpus.total(weights),
        product_popularity=corpus.total(popularity),
        _corpus=corpus,
        _weights=weights,
        _limits=_limits(gates, len(corpus.days)),
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
    rows = kernels.Rows(
        others=others,
        orders=np.where(counted, neighbours.orders, 0),
        weights=np.where(counted, neighbours.weights, 0),
        ends=np.array(neighbours.indptr[1:], dtype=np.int64),
    )
    products, limits = _products(totals), _limits(gates, store_orders)
    best = kernels.Best.empty(len(places), limit)
    spread(
        lambda first, last: kernels.rank_rows(first, last, places, rows, products, limits, best),
        lengths,
        threads or default_threads(),
    )
    ranked = _ranked(best, np.arange(len(places)), places, totals, store_orders)
    ranked.products = np.array(neighbours.products, dtype=np.int64)
    return ranked


def factors(totals: ProductTotals) -> tuple[Floats, Floats]:
    """Return the factors of the products' scores: float64[p] on their own page, float64[p] beside another.

    A pair's score is its weight times both factors. A product of which only the oldest orders are known may weigh
    nothing; its scores are 0.
    """
    weight = np.array(totals.weights, dtype=np.float64)
    heavy = weight > 0
    left, right = np.zeros(len(weight)), np.zeros(len(weight))
    np.power(weight, -PAGE_EXPONENT, out=left, where=heavy)
    np.power(weight, -OTHER_EXPONENT, out=right, where=heavy)
    return left, right


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
    workers = threads or default_threads()
    chained = chain_baskets(baskets, workers)
    store_orders = int(np.count_nonzero(np.diff(baskets.indptr)))
    found = _strongest(chained, store_orders, max(min_orders, 1), limit, workers)
    totals = ProductTotals(chained.products, *([chained.orders[chained.ranks]] * 2))
    places = np.arange(len(chained.ranks))
    return _ranked(found, chained.ranks.astype(np.int64), places, totals, store_orders)


def warm_up() -> None:
    """Compile every kernel, or load it from Numba's cache, so that no job has to wait for it."""
    baskets = Baskets(np.array([0, 3]), np.array([1, 2, 1]), np.array([0]))
    whole = rebuild(Parameters(0, 1.0, 2), baskets, Gates(min_orders=1), limit=1, threads=1)
    for block in whole.blocks():
        rank(block.neighbours, whole.orders, whole.totals(), Gates(min_orders=1), limit=1, threads=1)
    strongest_pairs(baskets, min_orders=1, limit=1, threads=1)
    nothing = kernels.Strongest.empty(np.empty(0), limit=1)
    kernels.merge_rows(0, 0, nothing, nothing)


# --- arrays around the kernels --------------------------------------------------------------------------


def _strongest(
    chained: Chained, store_orders: int, min_orders: int, limit: int, threads: int
) -> kernels.Strongest:
    """Return the strongest others of each product, in the order of popularity."""
    work = chained.work()
    popular = kernels.Popular(
        places=chained.by_popularity,
        orders=chained.orders,
        chances=np.log(chained.orders) - np.log(max(store_orders, 1)) / 2,
        logs=np.log(np.maximum(np.arange(chained.orders.max(initial=0) + 1), 1)),
    )
    bounds = np.full(len(work), -1.0)
    idle: list[kernels.Strongest] = []

    def count(first: int, last: int) -> None:
        # Taking from and adding to a list are atomic; in the end there are as many as worked at the same time.
        try:
            found = idle.pop()
        except IndexError:
            found = kernels.Strongest.empty(bounds, limit)
        kernels.strongest_rows(first, last, chained.chains, popular, store_orders, min_orders, found)
        idle.append(found)

    def merge(first: int, last: int) -> None:
        for part in idle[1:]:
            kernels.merge_rows(first, last, part, idle[0])

    spread(count, work, threads)
    spread(merge, work, threads, tasks=1)
    return idle[0] if idle else kernels.Strongest.empty(bounds, limit)


def _limits(gates: Gates, store_orders: int) -> kernels.Limits:
    """Return the gates with the types that the kernels are compiled for."""
    return kernels.Limits(
        int(store_orders), int(gates.min_orders), float(gates.min_lift), float(gates.min_llr)
    )


def _products(totals: ProductTotals) -> kernels.Products:
    """Return a store's products as the kernels take them."""
    left, right = factors(totals)
    return kernels.Products(
        ids=np.array(totals.products, dtype=np.int64),
        orders=np.array(totals.orders, dtype=np.int64),
        left=left,
        right=right,
    )


def _ranked(
    best: kernels.Best | kernels.Strongest,
    rows: Integers,
    places: Integers,
    totals: ProductTotals,
    store_orders: int,
) -> Ranked:
    """Return the given rows of ``best`` as a matrix; row ``rows[i]`` is of product ``places[i]``."""
    filled = best.filled[rows]
    indptr = np.concatenate(([0], np.cumsum(filled)))
    entries = np.repeat(rows * best.others.shape[1] - indptr[:-1], filled) + np.arange(indptr[-1])
    others, orders = (a.ravel()[entries].astype(np.int64) for a in (best.others, best.orders))
    held, llr = totals.orders[np.repeat(places, filled)], best.llr.ravel()[entries]
    return Ranked(
        products=totals.products[places],
        indptr=indptr,
        others=totals.products[others],
        orders=orders,
        confidence=association.confidence(orders, held),
        lift=association.lift(orders, held, totals.orders[others], store_orders),
        llr=llr,
        score=best.score.ravel()[entries] if isinstance(best, kernels.Best) else llr,
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
