"""Exact co-purchase counts, order by order.

An order is looked at as a *basket*: the set of distinct internal product ids in it. Each basket adds
integer amounts to its products and to its directed product pairs, and takes exactly the same
amounts back when it changes or disappears. Sums of integers do not depend on the order in which they are
added, therefore counts kept up to date one order at a time equal a rebuild bit for bit.

An order's weight depends on its day alone, never on today: an order that is one half-life younger weighs
twice as much. Ageing therefore never rewrites a count; a ratio of weights cancels the common scale.

Baskets of more than ``basket_cap`` products say nothing about what belongs together (a reseller's stock
order); they are left out of every count, as are empty ones. A change of :class:`Parameters` changes what
every order is worth and needs a rebuild.

Everything here is NumPy and free of I/O, so that a web process can import it cheaply.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

# One entry of a stored segment, 20 bytes, little-endian, without padding.
ENTRY: Final = np.dtype([("other", "<i8"), ("orders", "<i4"), ("weight", "<i8")])

# The weight of a basket of one or two products on the epoch day.
_UNIT: Final = 2.0**16
# Beyond these many half-lives from the epoch weights stay what they are, so that no sum can overflow.
_OLDEST: Final = -32.0
_NEWEST: Final = 16.0
# Taylor coefficients of exp; on |x| <= ln(2)/2 the remainder is below 1e-17.
_TAYLOR: Final = tuple(1 / math.factorial(power) for power in range(14))


@dataclass(frozen=True, slots=True)
class Parameters:
    """What an order is worth: constants of a store that hold until its next rebuild.

    Attributes:
        epoch_day: the UTC day number (days since 1970-01-01) on which an order weighs one unit.
        half_life_days: the days after which an order weighs half; ``inf`` switches ageing off.
        basket_cap: baskets with more distinct products than this are not learned.

    Raises:
        ValueError: if the half-life is not positive or the cap is below one.
    """

    epoch_day: int
    half_life_days: float
    basket_cap: int

    def __post_init__(self) -> None:
        if not self.half_life_days > 0:
            raise ValueError(f"half-life must be positive: {self.half_life_days}")
        if self.basket_cap < 1:
            raise ValueError(f"basket cap must be at least 1: {self.basket_cap}")


@dataclass(slots=True)
class Contribution:
    """One basket that is added to the counts or taken back.

    Attributes:
        basket: internal product ids; an id named twice counts once.
        day: the UTC day number of the order's ``placed_at``.
        sign: +1 adds the order, -1 takes it back.
    """

    basket: Sequence[int]
    day: int
    sign: int


@dataclass(slots=True, eq=False)
class Neighbours:
    """Directed pair counts as a compressed sparse row matrix, one row per product.

    The others of ``products[i]`` stand at ``indptr[i]:indptr[i + 1]``. In the canonical form, which every
    function here returns, no row is empty and no entry is zero.

    Attributes:
        products: int64[p], sorted, unique.
        indptr: int64[p + 1], row boundaries.
        others: int64[nnz], sorted within a row.
        orders: int64[nnz], in how many baskets the two stood together.
        weights: int64[nnz], the sum of those baskets' weights.
    """

    products: Integers
    indptr: Integers
    others: Integers
    orders: Integers
    weights: Integers

    def select(self, products: npt.ArrayLike) -> "Neighbours":
        """Return the rows of ``products`` (int[n], any order) alone; those without a row are passed over."""
        rows = np.flatnonzero(np.isin(self.products, np.asarray(products, dtype=np.int64)))
        lengths = np.diff(self.indptr)[rows]
        indptr = np.concatenate(([0], np.cumsum(lengths)))
        entries = np.arange(indptr[-1]) + np.repeat(self.indptr[rows] - indptr[:-1], lengths)
        return Neighbours(
            self.products[rows], indptr, self.others[entries], self.orders[entries], self.weights[entries]
        )


@dataclass(slots=True, eq=False)
class Increment:
    """What a batch of contributions adds to a store's counts; amounts may be negative.

    Attributes:
        orders: how many learned baskets were added, less those taken back.
        products: int64[p], the products with any amount other than zero, sorted.
        product_orders: int64[p], baskets with the product.
        product_weights: int64[p], the sum of those baskets' pair weights.
        product_popularity: int64[p], the sum of those baskets' popularity weights.
        neighbours: the pair counts.
    """

    orders: int
    products: Integers
    product_orders: Integers
    product_weights: Integers
    product_popularity: Integers
    neighbours: Neighbours


def order_weights(
    parameters: Parameters, days: npt.ArrayLike, sizes: npt.ArrayLike
) -> tuple[Integers, Integers]:
    """Return the pair weight and the popularity weight of each order.

    With ``d = 2**16 * 2**((day - epoch_day) / half_life_days)``, the exponent clipped to [-32, 16], the
    popularity weight is ``round(d)`` and the pair weight ``round(d / sqrt(n - 1))``, or ``round(d)`` for
    a basket of one: a product in a large basket says less about each of its companions. Baskets that
    are not learned (empty, or above the cap) weigh nothing. Halves round to even.

    Args:
        parameters: what an order is worth.
        days: int[n], UTC day numbers.
        sizes: int[n], distinct products in each basket.

    Returns:
        Two int64[n] arrays, each amount within [0, 2**32].
    """
    size = np.asarray(sizes, dtype=np.int64)
    age = (np.asarray(days, dtype=np.int64) - parameters.epoch_day) / parameters.half_life_days
    worth = _UNIT * _power_of_two(np.clip(age, _OLDEST, _NEWEST))
    worth[(size < 1) | (size > parameters.basket_cap)] = 0.0
    shared = worth / np.sqrt(np.maximum(size - 1, 1))
    return np.rint(shared).astype(np.int64), np.rint(worth).astype(np.int64)


def increment(parameters: Parameters, contributions: Iterable[Contribution]) -> Increment:
    """Return what the contributions add up to, without entries that cancel out.

    An order that changed is two contributions: its old basket taken back and its new one added.

    Raises:
        ValueError: if a contribution's sign is neither +1 nor -1.
    """
    batch = list(contributions)
    if any(contribution.sign not in (1, -1) for contribution in batch):
        raise ValueError("a contribution's sign must be +1 or -1")
    baskets = [sorted(set(contribution.basket)) for contribution in batch]
    learned = [i for i, basket in enumerate(baskets) if 1 <= len(basket) <= parameters.basket_cap]
    sizes = np.array([len(baskets[i]) for i in learned], dtype=np.int64)
    signs = np.array([batch[i].sign for i in learned], dtype=np.int64)
    days = np.array([batch[i].day for i in learned], dtype=np.int64)
    weights, popularity = order_weights(parameters, days, sizes)

    lines = np.fromiter(chain.from_iterable(baskets[i] for i in learned), dtype=np.int64)
    products, ranks = np.unique(lines, return_inverse=True)
    orders, weight, popular = (
        _summed(ranks, np.repeat(signs * each, sizes), len(products)) for each in (1, weights, popularity)
    )
    touched = (orders != 0) | (weight != 0) | (popular != 0)

    left, right, owner = _pairs(sizes)
    return Increment(
        orders=int(signs.sum()),
        products=products[touched],
        product_orders=orders[touched],
        product_weights=weight[touched],
        product_popularity=popular[touched],
        neighbours=_neighbours(products, ranks[left], lines[right], signs[owner], (signs * weights)[owner]),
    )


def pack(neighbours: Neighbours) -> list[tuple[int, bytes]]:
    """Return one segment per product: its entries as :data:`ENTRY` records, in the order of ``others``.

    A segment is ``n`` records of 20 bytes: the other product's id (int64), orders (int32), weight
    (int64), all little-endian. There is no header; the length says how many there are.

    Raises:
        ValueError: if a pair's orders do not fit in 32 bits.
    """
    limits = np.iinfo(np.int32)
    if np.any((neighbours.orders < limits.min) | (neighbours.orders > limits.max)):
        raise ValueError("a pair's orders do not fit in 32 bits")
    entries = np.empty(len(neighbours.others), dtype=ENTRY)
    entries["other"] = neighbours.others
    entries["orders"] = neighbours.orders
    entries["weight"] = neighbours.weights
    view = entries.view(np.uint8).data
    bounds = (neighbours.indptr * ENTRY.itemsize).tolist()
    return [
        (product, bytes(view[start:end]))
        for product, start, end in zip(neighbours.products.tolist(), bounds, bounds[1:], strict=False)
    ]


def unpack(rows: Iterable[tuple[int, bytes | bytearray | memoryview]]) -> Neighbours:
    """Return the sum of stored segments.

    A product may come with any number of segments, in any order; what it has counted is their sum.
    Entries whose orders and weight are both zero are dropped, and so are products without entries.

    Args:
        rows: (product id, segment) as :func:`pack` wrote them.

    Raises:
        ValueError: if a segment's length is not a whole number of entries.
    """
    owners: list[int] = []
    segments: list[bytes | bytearray | memoryview] = []
    for product, segment in rows:
        if len(segment) % ENTRY.itemsize:
            raise ValueError(f"corrupt segment of product {product}: {len(segment)} bytes")
        owners.append(product)
        segments.append(segment)
    entries = np.frombuffer(b"".join(segments), dtype=ENTRY)
    lengths = np.array([len(segment) for segment in segments], dtype=np.int64) // ENTRY.itemsize
    products, ranks = np.unique(np.array(owners, dtype=np.int64), return_inverse=True)
    return _neighbours(
        products,
        np.repeat(ranks, lengths),
        entries["other"].astype(np.int64),
        entries["orders"].astype(np.int64),
        entries["weight"].astype(np.int64),
    )


def _power_of_two(exponent: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return ``2**exponent`` to within a few units in the last place, with the same bits on every machine.

    Only additions, multiplications and scaling are used, which IEEE 754 defines exactly. A library's
    ``exp2`` may differ in the last bit between processors, and an order taken back elsewhere would then
    leave a crumb behind.
    """
    whole = np.rint(exponent)
    x = (exponent - whole) * math.log(2)
    series = np.full_like(x, _TAYLOR[-1])
    for coefficient in reversed(_TAYLOR[:-1]):
        series = series * x + coefficient
    return np.ldexp(series, whole.astype(np.int32))


def _summed(ranks: Integers, amounts: Integers, count: int) -> Integers:
    """Return int64[count]: the exact sum of ``amounts`` for each rank."""
    total = np.zeros(count, dtype=np.int64)
    np.add.at(total, ranks, amounts)
    return total


def _pairs(sizes: Integers) -> tuple[Integers, Integers, Integers]:
    """Return every directed pair of different lines within each basket.

    Args:
        sizes: int64[b], the number of lines of each basket; lines are numbered through.

    Returns:
        The left line, the right line and the basket of each pair, ``sum(n * (n - 1))`` of each.
    """
    starts = np.cumsum(sizes) - sizes
    owner = np.repeat(np.arange(len(sizes)), sizes)
    reach = sizes[owner]
    left = np.repeat(np.arange(len(owner)), reach)
    shift = starts[owner] - (np.cumsum(reach) - reach)
    right = np.arange(len(left)) + np.repeat(shift, reach)
    different = left != right
    left = left[different]
    return left, right[different], owner[left]


def _neighbours(
    products: Integers, ranks: Integers, others: Integers, orders: Integers, weights: Integers
) -> Neighbours:
    """Return the canonical sum of entries; entry ``i`` belongs to ``products[ranks[i]]``."""
    order = _ordering(len(products), ranks, others)
    ranks, others = ranks[order], others[order]
    if len(ranks):
        fresh = np.append(True, (ranks[1:] != ranks[:-1]) | (others[1:] != others[:-1]))
        first = np.flatnonzero(fresh)
        ranks, others = ranks[first], others[first]
        orders, weights = np.add.reduceat(orders[order], first), np.add.reduceat(weights[order], first)
    counted = (orders != 0) | (weights != 0)
    lengths = np.bincount(ranks[counted], minlength=len(products))
    present = lengths > 0
    indptr = np.concatenate(([0], np.cumsum(lengths[present])))
    return Neighbours(products[present], indptr, others[counted], orders[counted], weights[counted])


def _ordering(count: int, ranks: Integers, others: Integers) -> Integers:
    """Return the permutation that sorts entries by (rank, other).

    Entries come as runs that are sorted already, which the stable sort (a merge of runs) exploits: one
    key of 63 bits is several times faster than sorting by two, and ids of a store lie close enough.
    """
    if not len(others):
        return np.empty(0, dtype=np.int64)
    lowest = int(others.min())
    span = int(others.max()) - lowest + 1
    if count * span < 2**63:
        return np.argsort(ranks * span + (others - lowest), kind="stable")
    return np.lexsort((others, ranks))
