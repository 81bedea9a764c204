"""What is bought by the same customers in different orders.

"Customers who bought this also bought": the two may be months apart. A customer who has them from one and the same
order only is not counted, because that is what bought together means. Only customers who came back can tell, so
only they are counted. Pure calculation; compiled, and therefore imported in jobs only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.recommendations import ranking, shopper_kernels
from app.recommendations.cooccurrence import Integers, Neighbours
from app.recommendations.purchases import NOBODY, History
from app.recommendations.ranking import Gates, ProductTotals, Ranked

# Fewer customers than this are never shown: neither would they be sure, nor would they be anonymous.
MIN_CUSTOMERS: Final = 5
# Who bought more different products than this buys for others, and is left out.
CUSTOMER_CAP: Final = 300
# Weights are fixed point with 16 fractional bits.
_ONE: Final = 2**16
# Roughly how many pair entries a block may hold; a single product's row is never split.
_BLOCK: Final = 2_000_000
_NO_ORDER: Final = -1


@dataclass(slots=True, eq=False)
class Shoppers:
    """What each shopper bought, or looked at: shopper ``i`` has the lines ``indptr[i]:indptr[i + 1]``.

    Attributes:
        indptr: int64[n + 1], starting with 0.
        products: int64[lines], internal ids, distinct within a shopper.
        only: int64[lines], a number of the only order that holds the product, or -1: two products with the same
            number are no pair.
    """

    indptr: Integers
    products: Integers
    only: Integers


def returning_customers(history: History, cap: int = CUSTOMER_CAP) -> Shoppers:
    """Return the customers with at least two orders and at most ``cap`` different products.

    Orders that name nobody are left out.
    """
    named = np.flatnonzero((history.customers != NOBODY) & (np.diff(history.indptr) > 0))
    _, number, orders = np.unique(history.customers[named], return_inverse=True, return_counts=True)
    customer_of = np.full(len(history.days), -1, np.int64)
    customer_of[named] = np.where(orders[number] > 1, number, -1)
    customers = history.by_line(customer_of)
    order_of = history.by_line(np.arange(len(history.days)))
    told = customers >= 0
    customers, products, order_of = customers[told], history.products[told], order_of[told]
    sort = np.lexsort((products, customers))
    customers, products, order_of = customers[sort], products[sort], order_of[sort]
    begins = np.ones(len(products), np.bool_)
    begins[1:] = (customers[1:] != customers[:-1]) | (products[1:] != products[:-1])
    starts = np.flatnonzero(begins)
    times = np.diff(np.append(starts, len(products)))
    only = np.where(times == 1, order_of[starts], _NO_ORDER)
    customers, products = customers[starts], products[starts]
    sizes = np.bincount(customers, minlength=len(orders))
    kept = sizes[customers] <= cap
    kept_sizes = sizes[(sizes > 0) & (sizes <= cap)]
    return Shoppers(np.concatenate(([0], np.cumsum(kept_sizes))), products[kept], only[kept])


def sessions(indptr: Integers, products: Integers) -> Shoppers:
    """Return visits as shoppers: every two distinct products of one visit are a pair."""
    return Shoppers(indptr, products, np.full(len(products), _NO_ORDER, np.int64))


def viewers(indptr: Integers, products: Integers, people: Integers, cap: int = CUSTOMER_CAP) -> Shoppers:
    """Return people with everything that they looked at in any of their visits: ``people`` is int64, one a visit.

    Who looked at more than ``cap`` products is left out: a program, or somebody who looks at everything.
    """
    each = np.stack((np.repeat(people, np.diff(indptr)), products), axis=1)
    told = np.unique(each, axis=0)
    _, number, sizes = np.unique(told[:, 0], return_inverse=True, return_counts=True)
    kept = told[sizes[number] <= cap, 1]
    sizes = sizes[sizes <= cap]
    indptr = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    return sessions(indptr, kept.astype(np.int64))


def same_shoppers(
    customers: Shoppers, gates: Gates, limit: int, also: Sequence[tuple[Shoppers, float]] = ()
) -> Iterator[Ranked]:
    """Yield the best others of blocks of products; ``orders`` of the result counts customers.

    The score is that of :func:`ranking.rank`, a customer of ``n`` products weighing ``1 / sqrt(n - 1)``. In lift and
    G² a customer who has the two from one order only counts as holding each and not both: they are understated.

    Args:
        customers: as ``returning_customers`` returns them.
        gates: what may be shown; ``min_orders`` means customers here, and less than ``MIN_CUSTOMERS`` is not taken.
        limit: how many others to keep of each product.
        also: further sources, such as visits, each with its weight. They move scores, and nothing else: what is
            shown and what is said of it rests on customers alone.
    """
    gates = Gates(max(gates.min_orders, MIN_CUSTOMERS), gates.min_lift, gates.min_llr)
    holders = _Holders.of([(customers, 1.0), *also])
    totals = holders.totals()
    population = len(customers.indptr) - 1
    for neighbours in holders.blocks():
        yield ranking.rank(neighbours, population, totals, gates, limit)


@dataclass(slots=True, eq=False)
class _Holders:
    """The shoppers of all sources, indexed both ways.

    ``products`` are the distinct ids, ``places`` those of each line; ``counted`` is 1 for customers and 0 for others.
    """

    products: Integers
    indptr: Integers
    places: Integers
    only: Integers
    counted: Integers
    weights: Integers
    starts: Integers
    lines: Integers
    owners: Integers

    @classmethod
    def of(cls, sources: Sequence[tuple[Shoppers, float]]) -> "_Holders":
        """Index the shoppers; only the first source's are counted."""
        sizes = np.concatenate([np.diff(source.indptr) for source, _ in sources])
        share = np.concatenate([np.full(len(s.indptr) - 1, weight) for s, weight in sources])
        counted = np.zeros(len(sizes), np.int64)
        counted[: len(sources[0][0].indptr) - 1] = 1
        weights = np.rint(_ONE * share / np.sqrt(np.maximum(sizes - 1, 1))).astype(np.int64)
        products, places = np.unique(
            np.concatenate([source.products for source, _ in sources]), return_inverse=True
        )
        lines = np.argsort(places, kind="stable")
        return cls(
            products=products,
            indptr=np.concatenate(([0], np.cumsum(sizes))),
            places=places,
            only=np.concatenate([source.only for source, _ in sources]),
            counted=counted,
            weights=np.maximum(weights, 1),
            starts=np.concatenate(([0], np.cumsum(np.bincount(places, minlength=len(products))))),
            lines=lines,
            owners=np.repeat(np.arange(len(sizes)), sizes)[lines],
        )

    def totals(self) -> ProductTotals:
        """Return how many customers bought each product, and the weights of all its shoppers."""
        return ProductTotals(self.products, self._total(self.counted), self._total(self.weights))

    def _total(self, amounts: Integers) -> Integers:
        running = np.concatenate(([0], np.cumsum(amounts[self.owners])))
        return running[self.starts[1:]] - running[self.starts[:-1]]

    def blocks(self) -> Iterator[Neighbours]:
        """Yield the pair counts, some products at a time."""
        reach = self._total(np.diff(self.indptr))
        reach = np.minimum(reach, max(len(self.products) - 1, 0))
        cuts = np.searchsorted(np.cumsum(reach), np.arange(_BLOCK, int(reach.sum()) + _BLOCK, _BLOCK))
        bounds = np.unique(np.concatenate(([0], cuts, [len(self.products)])))
        for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            ends, others, counts, sums = shopper_kernels.count_rows(
                first,
                last,
                self.starts,
                self.owners,
                self.lines,
                self.indptr,
                self.places,
                self.only,
                self.counted,
                self.weights,
                int(reach[first:last].sum()),
            )
            present = np.flatnonzero(np.diff(ends, prepend=0))
            yield Neighbours(
                products=self.products[first:last][present],
                indptr=np.append(np.concatenate(([0], ends))[present], len(others)),
                others=self.products[others],
                orders=counts,
                weights=sums,
            )
