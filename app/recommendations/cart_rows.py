"""The rows that whole carts are scored from: of each product, the companions that say most, and what they say.

A row holds the best by the weighted co-purchase score and those of which the item model says most, for or against.
Compiled and therefore imported in jobs only; :mod:`app.recommendations.scoring` reads rows without it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from app.recommendations import item_model, ranking
from app.recommendations.compiled import Floats
from app.recommendations.cooccurrence import Integers, Neighbours
from app.recommendations.ranking import Counted, Gates, ProductTotals, Ranked

# How many companions each of the two reasons may bring into a row.
LENGTH: Final = 50
# Every pair that was ever bought together may stand in a row: what is claimed of it is decided elsewhere.
UNGATED: Final = Gates(min_orders=1, min_lift=0.0, min_llr=0.0)
# A share of a product's orders is shrunk as if it had been bought so many times more without anything.
_CAUTION_ORDERS: Final = 5.0
# Rows of a square matrix that are looked through at a time.
_ROWS: Final = 512


@dataclass(slots=True, eq=False)
class Popularity:
    """What the rows need to know of a store's products.

    Attributes:
        products: int64[p], internal ids, sorted.
        weights: int64[p], the sums of their baskets' pair weights.
        shares: float64[p], their shares of all orders, younger orders counting more.
        caution: what a share of a product's orders is shrunk by, in the unit of ``weights``.
    """

    products: Integers
    weights: Integers
    shares: Floats
    caution: float


def popularity(totals: ProductTotals, popular: Integers, store_orders: int) -> Popularity:
    """Return the products' popularity.

    Args:
        totals: their counts.
        popular: int64[p], the sums of their baskets' popularity weights.
        store_orders: how many orders the store has learned.
    """
    lines, amount = max(int(totals.orders.sum()), 1), max(float(popular.sum()), 1.0)
    return Popularity(
        products=totals.products,
        weights=totals.weights,
        shares=popular / amount * (lines / max(store_orders, 1)),
        caution=_CAUTION_ORDERS * max(float(totals.weights.sum()) / lines, 1.0),
    )


def popularity_of(counted: Counted) -> Popularity:
    """Return the popularity of all products that were counted."""
    return popularity(counted.totals(), counted.product_popularity, counted.orders)


@dataclass(slots=True, eq=False)
class ItemWeights:
    """What the item model says, as far as it is kept: a compressed sparse row matrix of internal ids.

    Attributes:
        products: int64[p], sorted; a product without a row has an empty one or is missing.
        indptr: int64[p + 1].
        others: int64[m], sorted within a row.
        weights: float64[m], not 0.
    """

    products: Integers
    indptr: Integers
    others: Integers
    weights: Floats

    def of(self, product: int) -> tuple[Integers, Floats]:
        """Return a product's companions and their weights."""
        place = int(np.searchsorted(self.products, product))
        if place == len(self.products) or self.products[place] != product:
            return self.others[:0], self.weights[:0]
        span = slice(self.indptr[place], self.indptr[place + 1])
        return self.others[span], self.weights[span]


def no_item_model() -> ItemWeights:
    """Return the model of a store that has none."""
    none = np.zeros(0, np.int64)
    return ItemWeights(none, np.zeros(1, np.int64), none, np.zeros(0))


def learn_item_model(counted: Counted, ridge: float, length: int = LENGTH) -> ItemWeights:
    """Return the item model of a store's most-bought products, the ``length`` strongest weights of each.

    Args:
        counted: the store's counts.
        ridge: λ of :func:`item_model.inverted`, in orders of the mean weight that those of the product have which
            weighs most in all.
        length: how many companions are kept of each product, the largest by absolute weight.
    """
    chosen, gram, _ = _gram(counted)
    if len(chosen) < 2:
        return no_item_model()
    inverse = item_model.inverted(gram, ridge)
    return _strongest(chosen, np.arange(len(chosen)), inverse, None, length)


@dataclass(slots=True, eq=False)
class Removed:
    """Orders that are to be taken out of an item model again.

    Attributes:
        baskets: the internal ids of each order's products.
        weights: int64[o], what each was counted with.
    """

    baskets: Sequence[Sequence[int]]
    weights: Integers


def learn_item_models(
    counted: Counted, ridge: float, removed: Removed, wanted: Integers
) -> tuple[ItemWeights, ItemWeights]:
    """Return the same model, and the rows of some products in the model without some orders.

    Args:
        counted: the store's counts.
        ridge: as above.
        removed: the orders.
        wanted: int64[w], products whose rows without them are needed.
    """
    chosen, gram, unit = _gram(counted)
    if len(chosen) < 2:
        return no_item_model(), no_item_model()
    inverse = item_model.inverted(gram, ridge)
    everything = np.arange(len(chosen))
    try:
        gain = item_model.gained(inverse, *_places(chosen, removed, unit))
        tested = _strongest(chosen, np.flatnonzero(np.isin(chosen, wanted)), inverse, gain, LENGTH)
    except ValueError:  # other orders were counted: nothing can be taken back
        tested = no_item_model()
    return _strongest(chosen, everything, inverse, None, LENGTH), tested


def _places(chosen: Integers, removed: Removed, unit: float) -> tuple[list[Integers], Floats]:
    """Return the places of each order's products that take part, and its weight; orders without any are left out."""
    placed = [np.flatnonzero(np.isin(chosen, np.array(basket, np.int64))) for basket in removed.baskets]
    kept = [at for at, places in enumerate(placed) if len(places) and removed.weights[at] > 0]
    return [placed[at] for at in kept], removed.weights[kept] / unit


def _gram(counted: Counted) -> tuple[Integers, Floats, float]:
    """Return the most-bought products, the matrix of their weighted co-purchases, and the unit that it counts in."""
    orders, weights = counted.product_orders, counted.product_weights
    order = np.lexsort((counted.products, -orders))[: item_model.MOST_PRODUCTS]
    chosen = counted.products[np.sort(order[weights[order] > 0])]
    gram = np.zeros((len(chosen), len(chosen)))
    heaviest = int(np.argmax(weights)) if len(weights) else 0
    unit = max(float(weights[heaviest]) / max(float(orders[heaviest]), 1.0), 1.0) if len(weights) else 1.0
    if len(chosen) < 2:
        return chosen, gram, unit
    _add(gram, chosen, counted.products, weights / unit)
    for block in counted.blocks():
        _add_pairs(gram, chosen, block.neighbours, unit)
    return chosen, gram, unit


def _add(gram: Floats, chosen: Integers, products: Integers, amounts: Floats) -> None:
    """Add what products weigh to the diagonal."""
    inside = np.isin(products, chosen)
    places = np.searchsorted(chosen, products[inside])
    gram[places, places] += amounts[inside]


def _add_pairs(gram: Floats, chosen: Integers, rows: Neighbours, unit: float) -> None:
    """Add what pairs weigh; those of products that do not take part are passed over."""
    owners = np.repeat(rows.products, np.diff(rows.indptr))
    places, others = np.searchsorted(chosen, owners), np.searchsorted(chosen, rows.others)
    inside = np.zeros(len(owners), np.bool_)
    met = (places < len(chosen)) & (others < len(chosen))
    inside[met] = (chosen[places[met]] == owners[met]) & (chosen[others[met]] == rows.others[met])
    gram[places[inside], others[inside]] += rows.weights[inside] / unit


def _strongest(
    products: Integers, places: Integers, inverse: Floats, gain: Floats | None, length: int
) -> ItemWeights:
    """Return the ``length`` largest absolute weights of the rows at some places.

    The inverse is that of ``item_model.inverted``; ``gain`` is of ``item_model.gained``, if orders are to lack.
    """
    kept = min(length, len(products) - 1)
    own = np.diag(inverse) if gain is None else np.diag(inverse) + np.einsum("op,op->p", gain, gain)
    counts: list[Integers] = [np.zeros(0, np.int64)]
    others: list[Integers] = [np.zeros(0, np.int64)]
    values: list[Floats] = [np.zeros(0)]
    for first in range(0, len(places), _ROWS):
        here = places[first : first + _ROWS]
        rows = inverse[here] if gain is None else inverse[here] + gain[:, here].T @ gain
        rows /= -own[np.newaxis, :]
        rows[np.arange(len(here)), here] = 0.0
        columns = np.sort(np.argpartition(-np.abs(rows), kept - 1, axis=1)[:, :kept], axis=1)
        found = np.take_along_axis(rows, columns, axis=1)
        present = found != 0
        counts.append(present.sum(axis=1))
        others.append(products[columns[present]])
        values.append(found[present])
    indptr = np.concatenate(([0], np.cumsum(np.concatenate(counts))))
    return ItemWeights(products[places], indptr, np.concatenate(others), np.concatenate(values))


@dataclass(slots=True, eq=False)
class CartRows:
    """Rows of some products, by internal ids, as a compressed sparse row matrix.

    Attributes:
        products: int64[p], sorted.
        indptr: int64[p + 1].
        others: int64[m].
        orders: int64[m], in how many baskets both stood.
        weighted: float64[m].
        item: float64[m].
        together: float64[m].
        shares: float64[m], the companions' shares of all orders; the others as in
            :class:`app.recommendations.scoring.Entries`.
    """

    products: Integers
    indptr: Integers
    others: Integers
    orders: Integers
    weighted: Floats
    item: Floats
    together: Floats
    shares: Floats


def assemble(neighbours: Neighbours, ranked: Ranked, item: ItemWeights, popular: Popularity) -> CartRows:
    """Return the rows of the products of ``neighbours``.

    Args:
        neighbours: their summed pair counts.
        ranked: their best others by score, not gated, of the same products.
        item: the item model.
        popular: of the store's products; a pair with any other is left out.
    """
    products = neighbours.products
    places = np.arange(len(products))
    owners = np.repeat(np.searchsorted(products, ranked.products), np.diff(ranked.indptr))
    model_rows = [item.of(product) for product in products.tolist()]
    model_owners = np.repeat(places, [len(others) for others, _ in model_rows])
    model_others = np.concatenate([others for others, _ in model_rows] or [owners[:0]])
    model_weights = np.concatenate([weights for _, weights in model_rows] or [np.zeros(0)])
    span = 1 + max((int(ids.max()) for ids in (neighbours.others, model_others) if len(ids)), default=0)
    keys = np.union1d(owners * span + ranked.others, model_owners * span + model_others)
    owner, other = np.divmod(keys, span)
    # The last rebuild's model may name a product that nobody has bought any more since.
    met = np.isin(products[owner], popular.products) & np.isin(other, popular.products)
    keys, owner, other = keys[met], owner[met], other[met]
    place = np.searchsorted(popular.products, other)
    owner_place = np.searchsorted(popular.products, products[owner])

    counted = np.repeat(places, np.diff(neighbours.indptr)) * span + neighbours.others
    orders = _at(counted, neighbours.orders, keys)
    weights = _at(counted, neighbours.weights, keys).astype(np.float64)
    left, right = ranking.factors(ProductTotals(popular.products, popular.weights, popular.weights))
    counts = np.bincount(owner, minlength=len(products))
    return CartRows(
        products=products,
        indptr=np.concatenate(([0], np.cumsum(counts))),
        others=other,
        orders=orders,
        weighted=weights * left[owner_place] * right[place],
        item=_at(model_owners * span + model_others, model_weights, keys),
        together=weights / (popular.weights[owner_place] + popular.caution),
        shares=popular.shares[place],
    )


def _at(keys: Integers, values: Any, wanted: Integers) -> Any:
    """Return the values under ``wanted`` keys, 0 where there is none; ``keys`` rise."""
    if not len(keys):
        return np.zeros(len(wanted), values.dtype)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)


def build(counted: Counted, ridge: float | None, length: int = LENGTH) -> Iterator[CartRows]:
    """Yield the rows of all of a store's products, block by block.

    Args:
        counted: the store's counts, ranked without gates and ``length`` others of each product.
        ridge: caution of the item model; None for none.
        length: how many companions each reason may bring into a row.
    """
    item = no_item_model() if ridge is None else learn_item_model(counted, ridge, length)
    popular = popularity_of(counted)
    for block in counted.blocks():
        yield assemble(block.neighbours, block.ranked, item, popular)


def joined(parts: Iterator[CartRows]) -> CartRows:
    """Return blocks of rows as one."""
    blocks = list(parts)
    none, nothing = np.zeros(0, np.int64), np.zeros(0)
    blocks = blocks or [CartRows(none, np.zeros(1, np.int64), none, none, nothing, nothing, nothing, nothing)]
    lengths = np.concatenate([np.diff(b.indptr) for b in blocks])
    return CartRows(
        products=np.concatenate([b.products for b in blocks]),
        indptr=np.concatenate(([0], np.cumsum(lengths))),
        others=np.concatenate([b.others for b in blocks]),
        orders=np.concatenate([b.orders for b in blocks]),
        weighted=np.concatenate([b.weighted for b in blocks]),
        item=np.concatenate([b.item for b in blocks]),
        together=np.concatenate([b.together for b in blocks]),
        shares=np.concatenate([b.shares for b in blocks]),
    )
