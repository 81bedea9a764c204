"""A new model as it would be had it not learned the orders that it is to be tested on.

Counts are sums, so what some orders added to them can be taken out again, exactly; nothing is counted twice. Only the
rows that the test reads are made. Compiled and therefore imported in jobs only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from app.recommendations import cart_rows, ranking, row_lists
from app.recommendations.cache import Candidate
from app.recommendations.cart_rows import ItemWeights, Popularity
from app.recommendations.cooccurrence import Increment, Integers, Neighbours
from app.recommendations.pair_lists import BEST_SELLERS_LENGTH
from app.recommendations.promotion import Lists
from app.recommendations.ranking import Counted, ProductTotals
from app.recommendations.row_lists import Row
from app.recommendations.scoring import Blend


@dataclass(slots=True, eq=False)
class Challenger:
    """Some rows of a model that lacks some orders, gathered block by block while the whole model is written.

    Attributes:
        totals: the products' counts without these orders.
        popular: their popularity.
        orders: how many orders are left.
        removed: what these orders add to the counts, as negative amounts.
        wanted: int64[w], products whose rows are made, sorted.
        item: the item model, learned without these orders.
        platform_ids: of all products that may be named.
        rows: what was gathered so far, by platform id.
    """

    totals: ProductTotals
    popular: Popularity
    orders: int
    removed: Increment
    wanted: Integers
    item: ItemWeights
    platform_ids: Mapping[int, str]
    rows: dict[str, Row] = field(default_factory=dict)

    def take(self, neighbours: Neighbours) -> None:
        """Make the rows of those products of a block that are wanted."""
        rows = neighbours.select(self.wanted)
        if not len(rows.products):
            return
        rows = without(rows, self.removed.neighbours)
        best = ranking.rank(rows, self.orders, self.totals, cart_rows.UNGATED, cart_rows.LENGTH)
        carts = cart_rows.assemble(rows, best, self.item, self.popular)
        lists = row_lists.as_lists(carts, _nothing(rows.products), self.platform_ids)
        self.rows |= {subject: items[0] for subject, items in lists.items()}

    def lists(self, blend: Blend) -> Lists:
        """Return what this model answers from, scores being blended like this."""
        return Lists(self.rows, self._best_sellers(), blend)

    def _best_sellers(self) -> list[Candidate]:
        """Return the most popular products, as they are published for the whole store."""
        sold = np.flatnonzero(self.totals.orders > 0)
        order = sold[np.lexsort((self.totals.products[sold], -self.popular.shares[sold]))]
        return [
            {
                "id": self.platform_ids[int(self.totals.products[place])],
                "orders": int(self.totals.orders[place]),
                "share": float(f"{self.popular.shares[place]:.4g}"),
            }
            for place in order[:BEST_SELLERS_LENGTH].tolist()
            if int(self.totals.products[place]) in self.platform_ids
        ]


def challenge(
    counted: Counted, removed: Increment, wanted: Integers, item: ItemWeights, platform_ids: Mapping[int, str]
) -> Challenger:
    """Return the model of these counts without some orders, with no rows yet.

    Args:
        counted: the counts of all orders.
        removed: what the orders add, taken back: negative amounts. Amounts that were never counted take at most all.
        wanted: products whose rows are needed.
        item: the item model, learned without these orders.
        platform_ids: of all products that may be named.
    """
    totals = ProductTotals(
        counted.products,
        _less(counted.products, counted.product_orders, removed.products, removed.product_orders),
        _less(counted.products, counted.product_weights, removed.products, removed.product_weights),
    )
    popular = _less(
        counted.products, counted.product_popularity, removed.products, removed.product_popularity
    )
    orders = max(counted.orders + removed.orders, 0)
    popularity = cart_rows.popularity(totals, popular, orders)
    return Challenger(totals, popularity, orders, removed, np.unique(wanted), item, platform_ids)


def without(rows: Neighbours, removed: Neighbours) -> Neighbours:
    """Return counts with ``removed``, negative amounts, added; entries may be 0 and are never less."""
    orders, weights = rows.orders.copy(), rows.weights.copy()
    places = np.searchsorted(removed.products, rows.products)
    for row, place in enumerate(places.tolist()):
        if place == len(removed.products) or removed.products[place] != rows.products[row]:
            continue
        here = slice(int(rows.indptr[row]), int(rows.indptr[row + 1]))
        there = slice(int(removed.indptr[place]), int(removed.indptr[place + 1]))
        for counts, less in ((orders, removed.orders), (weights, removed.weights)):
            counts[here] = _less(rows.others[here], counts[here], removed.others[there], less[there])
    return Neighbours(rows.products, rows.indptr, rows.others, orders, weights)


def _less(keys: Integers, counts: Integers, removed: Integers, amounts: Integers) -> Integers:
    """Return counts with negative amounts added under their keys, never below 0; both keys rise."""
    left = counts.copy()
    here = np.isin(removed, keys, assume_unique=True)
    left[np.searchsorted(keys, removed[here])] += amounts[here]
    return np.maximum(left, 0)


def _nothing(products: Integers) -> ranking.Ranked:
    """Return no evidence of any pair: what is said of an answer is not what is tested."""
    none, nothing = np.zeros(0, np.int64), np.zeros(0)
    return ranking.Ranked(
        products, np.zeros(len(products) + 1, np.int64), none, none, nothing, nothing, nothing, nothing
    )
