"""A shop of any size whose orders have a known shape: popularity by Zipf's law, and bundles planted in it.

Equal arguments give equal orders, so what is measured on them can be measured again.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from app.recommendations.indexing import Baskets

Integers = npt.NDArray[np.int64]

LINES_PER_ORDER: Final = 10
PRODUCTS: Final = 50_000
_EXPONENT: Final = 0.9
_BUNDLE: Final = 3
# One order in five holds a bundle; there is one bundle for every fifty products.
_BUNDLED: Final = 0.2
_PRODUCTS_PER_BUNDLE: Final = 50
# Blocks keep the memory of generating 32 million lines below a hundred megabytes over the result.
_BLOCK_ORDERS: Final = 100_000
_DAYS: Final = 730
_LAST_DAY: Final = 20_500


def orders(number: int, products: int = PRODUCTS, seed: int = 1, lines: int = LINES_PER_ORDER) -> Integers:
    """Return int64[number, lines]: orders of ``lines`` distinct products each, sorted within the order.

    The ids are 0 to ``products - 1`` and say nothing of popularity, which is ``1 / rank ** 0.9``. Every fifth order
    holds one of the planted bundles of three products.

    Raises:
        ValueError: if the catalogue is too small for distinct products to be found quickly.
    """
    if products < 2 * lines or lines < _BUNDLE:
        raise ValueError(f"{products} products are too few for orders of {lines} lines")
    shape = np.random.default_rng(seed)
    ids = shape.permutation(products)
    popularity = np.cumsum(np.arange(1, products + 1, dtype=np.float64) ** -_EXPONENT)
    bundles = shape.permutation(products)[: max(products // _PRODUCTS_PER_BUNDLE, 1) * _BUNDLE].reshape(
        -1, _BUNDLE
    )
    found = np.empty((number, lines), dtype=np.int64)
    for block, start in enumerate(range(0, number, _BLOCK_ORDERS)):
        part = found[start : start + _BLOCK_ORDERS]
        part[:] = _block(np.random.default_rng([seed, block]), len(part), lines, ids, popularity, bundles)
    return found


def _block(
    chance: np.random.Generator,
    number: int,
    lines: int,
    ids: Integers,
    popularity: npt.NDArray[np.float64],
    bundles: Integers,
) -> Integers:
    def draw(amount: int) -> Integers:
        # The last place by rounding stays within the catalogue.
        rank = np.searchsorted(popularity, popularity[-1] * chance.random(amount), "right")
        drawn: Integers = ids[np.minimum(rank, len(ids) - 1)]
        return drawn

    rows = draw(number * lines).reshape(number, lines)
    bundled = np.flatnonzero(chance.random(number) < _BUNDLED)
    rows[bundled, :_BUNDLE] = bundles[chance.integers(len(bundles), size=len(bundled))]
    rows.sort(axis=1)
    unsettled = np.arange(number)
    while len(unsettled):
        some = rows[unsettled]
        doubles = np.zeros(some.shape, dtype=bool)
        doubles[:, 1:] = some[:, 1:] == some[:, :-1]
        some[doubles] = draw(int(doubles.sum()))
        some.sort(axis=1)
        rows[unsettled] = some
        unsettled = unsettled[doubles.any(axis=1)]
    return rows


def shop(lines: int, products: int = PRODUCTS, seed: int = 1) -> Baskets:
    """Return a shop of about ``lines`` order lines, ten an order, over two years."""
    found = orders(lines // LINES_PER_ORDER, products, seed)
    number = len(found)
    days = _LAST_DAY - _DAYS + 1 + np.arange(number, dtype=np.int64) * _DAYS // max(number, 1)
    return Baskets(
        indptr=np.arange(number + 1, dtype=np.int64) * LINES_PER_ORDER, products=found.reshape(-1), days=days
    )
