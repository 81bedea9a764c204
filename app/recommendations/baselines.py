"""What is compared in an evaluation: the simple methods, our score over all counts, and our answers as served.

The counts are those of :func:`app.recommendations.ranking.rebuild`, which a store's lists are made of, too.
Compiled and therefore imported in jobs only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from app.recommendations import candidates, evaluation_kernels, history_model, learning, ranking, tuning
from app.recommendations.cache import Candidate
from app.recommendations.compiled import Floats, Indices
from app.recommendations.cooccurrence import Integers, Parameters
from app.recommendations.evaluation import History, Methods, Model, Requests
from app.recommendations.ranking import Gates, ProductTotals

POPULARITY: Final = "popularity"
RAW_COUNT: Final = "raw_count"
COSINE: Final = "cosine"
LLR: Final = "llr_100"
WEIGHTED: Final = "weighted"
PROVEN: Final = "proven_pairs"
SERVED: Final = "served"
SERVED_KNOWN: Final = "served_known"

_LLR_NEIGHBOURS: Final = 100
_NO_CAP: Final = 2**31


@dataclass(slots=True, eq=False)
class Popular:
    """The products of most orders, whatever was asked; ``orders`` is float64[p]."""

    orders: Floats

    def score(self, requests: Requests, first: int, last: int) -> Floats:  # noqa: ARG002
        """Return each product's orders."""
        return np.tile(self.orders, (last - first, 1))


@dataclass(slots=True, eq=False)
class Pairwise:
    """A score of every pair, summed over what a request knows, as a compressed sparse row matrix.

    Attributes:
        starts: int64[p + 1], row boundaries.
        others: uint32[m].
        values: float64[m], what each pair adds.
    """

    starts: Integers
    others: Indices
    values: Floats

    def score(self, requests: Requests, first: int, last: int) -> Floats:
        """Return the sums; 0 for what was never bought together with anything known."""
        scores = np.zeros((last - first, len(self.starts) - 1))
        evaluation_kernels.add_rows(
            first, requests.indptr, requests.products, self.starts, self.others, self.values, scores
        )
        return scores


@dataclass(slots=True, eq=False)
class Proven:
    """Ready lists, put together for a cart by the code that serves them.

    Attributes:
        product_ids: list of the products' ids, by number.
        lists: each product's published list, by id; a product without one lacks.
    """

    product_ids: list[str]
    lists: dict[str, list[Candidate]]
    _numbers: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._numbers = {id_: number for number, id_ in enumerate(self.product_ids)}

    def score(self, requests: Requests, first: int, last: int) -> Floats:
        """Return scores that fall along the answer; what it does not name is not shown."""
        scores = np.full((last - first, len(self.product_ids)), -np.inf)
        for request in range(first, last):
            known = [self.product_ids[number] for number in requests.known(request).tolist()]
            answer = candidates.combine({id_: self.lists.get(id_, []) for id_ in known})
            places = [self._numbers[candidate["id"]] for candidate in answer]
            scores[request - first, places] = -np.arange(len(places), dtype=np.float64)
        return scores


@dataclass(slots=True, eq=False)
class _Counts:
    """All pairs of a history, as in :class:`Pairwise`: the orders with both and the sum of their weights."""

    totals: ProductTotals
    starts: Integers
    others: Indices
    orders: Indices
    weights: Integers

    def model(self, values: Floats) -> Pairwise:
        """Return the method that gives each pair such a value."""
        return Pairwise(self.starts, self.others, values)

    def owners(self) -> Integers:
        """Return int64[m]: the product whose row a pair stands in."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def plain(train: History) -> Iterator[tuple[str, Model]]:
    """Learn what is usual, and our score without limits.

    - ``popularity``: the orders with a product;
    - ``raw_count``: the orders with both products, what most shop apps rank by;
    - ``cosine``: that, divided by the root of the product of both products' orders;
    - ``llr_100``: Dunning's G² of a product's 100 most significant companions;
    - ``weighted``: ``W_ab / (W_a**0.6 W_b**0.4)`` of all pairs of all orders, squared; half-life half of the history.

    Where a request knows several products, a candidate's values are summed.
    """
    popularity = train.popularity().astype(np.float64)
    yield POPULARITY, Popular(popularity)
    counts = _count(train)
    yield RAW_COUNT, counts.model(counts.orders.astype(np.float64))
    norms = 1 / np.sqrt(popularity)
    yield COSINE, counts.model(counts.orders * norms[counts.owners()] * norms[counts.others])
    strongest = ranking.strongest_pairs(train.baskets(), min_orders=1, limit=_LLR_NEIGHBOURS)
    yield LLR, Pairwise(strongest.indptr, strongest.others.astype(np.uint32), strongest.llr)
    left, right = ranking.factors(counts.totals)
    yield WEIGHTED, counts.model((counts.weights * left[counts.owners()] * right[counts.others]) ** 2)


def proven(settings: Mapping[str, float]) -> Methods:
    """Return what a store with these settings proves to be bought together: its gates, lists of limited length.

    Orders whose time is not known do not age.
    """
    gates = Gates(int(settings["min_orders"]), settings["min_lift"], settings["min_llr"])

    def learn(train: History) -> Iterator[tuple[str, Model]]:
        half_life = settings["half_life_days"] if train.timed else float("inf")
        parameters = Parameters(int(train.days[-1]), half_life, int(settings["basket_cap"]))
        built = ranking.rebuild(parameters, train.baskets(), gates, learning.LIST_LENGTH)
        ids: dict[int, str] = dict(enumerate(train.product_ids.tolist()))
        lists: dict[str, list[Candidate]] = {}
        for block in built.blocks():
            lists |= learning.as_lists(block.ranked, ids)
        yield PROVEN, Proven(list(ids.values()), lists)

    return learn


def served(settings: Mapping[str, float], seed: int = 0) -> Methods:
    """Return our method as a store with these settings is served: rows, tuned on what training itself holds out.

    ``served`` knows nobody; ``served_known``, where orders name customers, what each has bought before. Orders whose
    time is not known do not age.
    """

    def learn(train: History) -> Iterator[tuple[str, Model]]:
        half_life = settings["half_life_days"] if train.timed else float("inf")
        parameters = Parameters(int(train.days[-1]), half_life, int(settings["basket_cap"]))
        tuned = tuning.tune(train, parameters, seed)
        model = history_model.model_of(train, parameters, tuned.ridge, tuned.blend, recognise=False)
        yield SERVED, model
        if np.any(train.customers >= 0):
            yield SERVED_KNOWN, replace(model, recognise=True)

    return learn


def _count(train: History) -> _Counts:
    """Return every pair's counts, no basket being too large, with a half-life of half the history."""
    days = train.days
    half_life = max((int(days[-1]) - int(days[0])) / 2, 1.0)
    parameters = Parameters(int(days[-1]), half_life, _NO_CAP)
    built = ranking.rebuild(parameters, train.baskets(), Gates(), limit=1)
    lengths = np.zeros(len(built.products) + 1, dtype=np.int64)
    others, orders, weights = [np.empty(0, np.uint32)], [np.empty(0, np.uint32)], [np.empty(0, np.int64)]
    for block in built.blocks():
        rows = block.neighbours
        lengths[rows.products + 1] = np.diff(rows.indptr)
        # Copies: a block's arrays are views of larger ones.
        others.append(rows.others.astype(np.uint32))
        orders.append(rows.orders.astype(np.uint32))
        weights.append(rows.weights.copy())
    return _Counts(
        totals=built.totals(),
        starts=np.cumsum(lengths),
        others=np.concatenate(others),
        orders=np.concatenate(orders),
        weights=np.concatenate(weights),
    )
