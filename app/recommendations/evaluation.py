"""Measuring recommendations on orders that came later: split, queries, metrics and their uncertainty.

The newest orders are held out. From each of them with at least two products one is hidden; a method that has
learned the orders before is asked for it, once with what else was in the cart, once with a single product of it
as on a product page. Everything is seeded: the same orders give the same figures.

A calculation without any I/O, on arrays. Its loops are compiled, so it is imported in jobs only.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from app.recommendations import evaluation_kernels
from app.recommendations.compiled import Floats
from app.recommendations.cooccurrence import Integers
from app.recommendations.indexing import Baskets
from app.recommendations.strategies import COMPLETE_THE_CART

PRODUCT_PAGE: Final = "product_page"
TASKS: Final = (COMPLETE_THE_CART, PRODUCT_PAGE)
CUTS: Final = (1, 4, 10)
METRICS: Final = (*(f"hit@{cut}" for cut in CUTS), "mrr", "coverage", "long_tail")
MOST_QUERIES: Final = 10_000

_DEEPEST: Final = max(CUTS)
_DAY_SECONDS: Final = 86_400
# The most-bought fifth of the catalogue is its head, the rest its long tail.
_HEAD: Final = 0.2
_CONFIDENCE: Final = 0.95
# The 0.975 quantile of the normal distribution.
_NORMAL: Final = 1.959964
# Numbers of dense scores that a model is asked for at once.
_SCORES_AT_ONCE: Final = 2_000_000

_Key = TypeVar("_Key", int, str)


class EvaluationError(Exception):
    """These orders cannot be evaluated. The text is one sentence for people."""


# --- orders ---------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class History:
    """A store's orders, oldest first, with products and customers numbered.

    Attributes:
        product_ids: str[p], sorted; a product's number is its place.
        customer_ids: str[c], sorted.
        indptr: int64[n + 1]; order ``i`` holds ``products[indptr[i]:indptr[i + 1]]``, each product once.
        products: int64[lines], numbers of products, rising within an order.
        seconds: int64[n], when each was placed, in Unix time; if ``timed`` is false, the order's number.
        customers: int64[n], numbers of customers, -1 where nobody is known.
        timed: whether it is known when orders were placed.
    """

    product_ids: npt.NDArray[np.str_]
    customer_ids: npt.NDArray[np.str_]
    indptr: Integers
    products: Integers
    seconds: Integers
    customers: Integers
    timed: bool

    @property
    def orders(self) -> int:
        """Return how many orders there are."""
        return len(self.seconds)

    @property
    def days(self) -> Integers:
        """Return int64[n]: each order's UTC day number; of untimed orders each is a day of its own."""
        return self.seconds // _DAY_SECONDS if self.timed else self.seconds

    def baskets(self) -> Baskets:
        """Return the orders as learning takes them."""
        return Baskets(self.indptr, self.products, self.days)

    def newest(self, most: int) -> "History":
        """Return the newest ``most`` orders, with the same numbers of products and customers."""
        first = max(self.orders - most, 0)
        line = int(self.indptr[first])
        return replace(
            self,
            indptr=self.indptr[first:] - line,
            products=self.products[line:],
            seconds=self.seconds[first:],
            customers=self.customers[first:],
        )

    def popularity(self) -> Integers:
        """Return int64[p]: the orders with each product."""
        return np.bincount(self.products, minlength=len(self.product_ids)).astype(np.int64)


def history(
    orders: Sequence[_Key] | Integers,
    products: Sequence[str] | Integers,
    seconds: Sequence[int] | Integers | None = None,
    customers: Sequence[str | None] | Integers | None = None,
) -> History:
    """Return the orders of some lines; all sequences are of one item a line.

    Orders are sorted by the time of their first line, then by id. Without times they stay in the order in which
    they are first met.

    Args:
        orders: each line's order id.
        products: each line's product id; one that is named twice in an order counts once.
        seconds: when the order was placed, in Unix time.
        customers: who placed it, None or a negative number being nobody; an order's first known line decides.
    """
    order_ids, line_orders = _numbered(orders)
    count = len(order_ids)
    placed = np.arange(count)
    if seconds is not None:
        placed = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(placed, line_orders, np.asarray(seconds, dtype=np.int64))
        sequence = sorted(range(count), key=lambda place: (placed[place], order_ids[place]))
        places = np.empty(count, dtype=np.int64)
        places[sequence] = np.arange(count)
        line_orders, placed = places[line_orders], placed[sequence]
    product_ids, line_products = _sorted_numbers(products)
    lines = np.unique(line_orders * len(product_ids) + line_products)
    owners, held = np.divmod(lines, max(len(product_ids), 1))
    customer_ids, buyers = _buyers(customers, line_orders, count)
    return History(
        product_ids=product_ids,
        customer_ids=customer_ids,
        indptr=np.concatenate(([0], np.cumsum(np.bincount(owners, minlength=count)))).astype(np.int64),
        products=held,
        seconds=placed,
        customers=buyers,
        timed=seconds is not None,
    )


def _numbered(values: Iterable[_Key] | Integers) -> tuple[list[_Key], Integers]:
    """Return the distinct values and each value's place among them.

    Of a sequence they come in the order in which they are met, of an array in their own.
    """
    if isinstance(values, np.ndarray):
        distinct, places = np.unique(values, return_inverse=True)
        return distinct.tolist(), places.astype(np.int64)
    seen: dict[_Key, int] = {}
    met = np.fromiter((seen.setdefault(value, len(seen)) for value in values), dtype=np.int64)
    return list(seen), met


def _sorted_numbers(values: Iterable[str] | Integers) -> tuple[npt.NDArray[np.str_], Integers]:
    """Return the distinct values as text, sorted, and each value's place among them."""
    met, places = _numbered(values)
    ids, numbers = np.unique(np.array(met, dtype=np.str_), return_inverse=True)
    return ids, numbers.astype(np.int64)[places]


def _buyers(
    customers: Sequence[str | None] | Integers | None, line_orders: Integers, count: int
) -> tuple[npt.NDArray[np.str_], Integers]:
    """Return the customers' ids, and for each order the number of its customer or -1."""
    found = np.full(count, -1, dtype=np.int64)
    if customers is None:
        return np.empty(0, dtype=np.str_), found
    if isinstance(customers, np.ndarray):
        known = customers >= 0
        ids, numbers = _sorted_numbers(customers[known])
    else:
        known = np.array([customer is not None for customer in customers], dtype=np.bool_)
        ids, numbers = _sorted_numbers(customer for customer in customers if customer is not None)
    # Backwards, so that the first line has the last word.
    found[line_orders[known][::-1]] = numbers[::-1]
    return ids, found


@dataclass(slots=True, eq=False)
class Split:
    """Orders to learn from, and the newer ones to be asked about.

    ``test`` shares the numbers of ``train``'s customers and products; a product that ``train`` lacks is -1.
    """

    train: History
    test: History


def split(orders: History, holdout: float) -> Split:
    """Return the orders, the newest share of them (rounded up) held out.

    Raises:
        EvaluationError: if nothing would be left on one of the sides.
    """
    if not 0 < holdout < 1:
        raise EvaluationError(f"The share held out must lie between 0 and 1: {holdout:g}.")
    kept = orders.orders - math.ceil(round(orders.orders * holdout, 9))
    if kept < 1 or kept == orders.orders:
        raise EvaluationError(f"{orders.orders} orders are too few to hold {holdout:g} of them out.")
    line = int(orders.indptr[kept])
    present = np.bincount(orders.products[:line], minlength=len(orders.product_ids)) > 0
    numbers = np.where(present, np.cumsum(present) - 1, -1)

    def part(first: int, last: int, lines: slice) -> History:
        return History(
            product_ids=orders.product_ids[present],
            customer_ids=orders.customer_ids,
            indptr=orders.indptr[first : last + 1] - orders.indptr[first],
            products=numbers[orders.products[lines]],
            seconds=orders.seconds[first:last],
            customers=orders.customers[first:last],
            timed=orders.timed,
        )

    return Split(part(0, kept, slice(0, line)), part(kept, orders.orders, slice(line, None)))


# --- queries --------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Requests:
    """What a method is told: products that are known to be wanted, who asks, and when.

    Attributes:
        indptr: int64[q + 1]; request ``i`` knows ``products[indptr[i]:indptr[i + 1]]``.
        products: int64, numbers of training's products, each once in a request.
        customers: int64[q], numbers of training's customers, -1 where nobody is known.
        seconds: int64[q], as in :class:`History`.
    """

    indptr: Integers
    products: Integers
    customers: Integers
    seconds: Integers

    def __len__(self) -> int:
        return len(self.seconds)

    def known(self, request: int) -> Integers:
        """Return the products that one request knows."""
        return self.products[self.indptr[request] : self.indptr[request + 1]]


@dataclass(slots=True, eq=False)
class Queries:
    """The two tasks, and what is to be found: ``hidden`` is int64[q], -1 where training lacks the product."""

    carts: Requests
    pages: Requests
    hidden: Integers

    def of(self, task: str) -> Requests:
        """Return what is known in one of :data:`TASKS`."""
        return self.carts if task == COMPLETE_THE_CART else self.pages


def draw_queries(test: History, seed: int, most: int = MOST_QUERIES) -> Queries:
    """Return a query for each held-out order of at least two products, ``most`` of them by chance.

    The hidden product is drawn from the whole order, the page's from the others that training knows.

    Raises:
        EvaluationError: if no order has two products.
    """
    random = np.random.default_rng(seed)
    asked = np.flatnonzero(np.diff(test.indptr) >= 2)
    if not len(asked):
        raise EvaluationError("No held-out order has two products, so there is nothing to be found.")
    if len(asked) > most:
        asked = np.sort(random.choice(asked, most, replace=False))
    carts: list[Integers] = []
    pages: list[Integers] = []
    hidden: list[int] = []
    for order in asked.tolist():
        basket = test.products[test.indptr[order] : test.indptr[order + 1]]
        taken = int(random.integers(len(basket)))
        others = np.delete(basket, taken)
        cart = others[others >= 0]
        hidden.append(int(basket[taken]))
        carts.append(cart)
        pages.append(random.choice(cart, 1) if len(cart) else cart)
    customers, seconds = test.customers[asked], test.seconds[asked]
    return Queries(
        carts=make_requests(carts, customers, seconds),
        pages=make_requests(pages, customers, seconds),
        hidden=np.array(hidden, dtype=np.int64),
    )


@dataclass(frozen=True, slots=True)
class Question:
    """A query as a file states it, with the shop's own ids; ``at`` is Unix time."""

    cart: Sequence[str]
    anchor: str | None
    hidden: str | None
    customer: str | None = None
    at: float | None = None


def number_questions(train: History, questions: Sequence[Question]) -> Queries:
    """Return stated queries with training's numbers; ids that training lacks are nobody and nothing.

    Raises:
        EvaluationError: if there is none, or if one was asked before training ended.
    """
    if not questions:
        raise EvaluationError("There is no query to ask.")
    last = int(train.seconds[-1])
    seconds = np.array([last if q.at is None else math.floor(q.at) for q in questions], dtype=np.int64)
    if train.timed and np.any(seconds < last):
        raise EvaluationError("A query is older than the newest order that is learned from; hold out more.")
    products = {id_: number for number, id_ in enumerate(train.product_ids.tolist())}
    buyers = {id_: number for number, id_ in enumerate(train.customer_ids.tolist())}
    customers = np.array([buyers.get(q.customer or "", -1) for q in questions], dtype=np.int64)

    def known(ids: Iterable[str | None]) -> Integers:
        return np.array(sorted({products[id_] for id_ in ids if id_ in products}), dtype=np.int64)

    return Queries(
        carts=make_requests([known(q.cart) for q in questions], customers, seconds),
        pages=make_requests([known([q.anchor]) for q in questions], customers, seconds),
        hidden=np.array([products.get(q.hidden or "", -1) for q in questions], dtype=np.int64),
    )


def make_requests(known: Sequence[Integers], customers: Integers, seconds: Integers) -> Requests:
    """Return requests that know these products, by these customers (int64[q]) at these times (int64[q])."""
    lengths = np.array([len(products) for products in known], dtype=np.int64)
    return Requests(
        indptr=np.concatenate(([0], np.cumsum(lengths))),
        products=np.fromiter(chain.from_iterable(known), dtype=np.int64),
        customers=customers,
        seconds=seconds,
    )


# --- methods --------------------------------------------------------------------------------------------


class Model(Protocol):
    """A method that has learned."""

    def score(self, requests: Requests, first: int, last: int) -> Floats:
        """Return float64[last - first, p]: how well each product answers the requests from ``first`` on.

        Minus infinity is never shown. Equal scores go by popularity. What the request knows need not be left out.
        """
        ...


# What learns the training orders: named models, one after the other, so that each may be forgotten in turn.
Methods = Callable[[History], Iterator[tuple[str, Model]]]


@dataclass(slots=True, eq=False)
class Answers:
    """What a model answered: the hidden product's rank (int64[q], 0 if it is not shown), and the first ten.

    ``top`` is int64[q, 10], best first, filled up with -1.
    """

    ranks: Integers
    top: Integers


def ask(model: Model, requests: Requests, hidden: Integers, popularity: Integers) -> Answers:
    """Return what a model answers; products that a request knows are no candidates.

    Ties go to the more popular product, then to the smaller number.
    """
    answers = Answers(
        np.zeros(len(requests), dtype=np.int64), np.full((len(requests), _DEEPEST), -1, dtype=np.int64)
    )
    step = max(_SCORES_AT_ONCE // max(len(popularity), 1), 1)
    for first in range(0, len(requests), step):
        last = min(first + step, len(requests))
        scores = np.ascontiguousarray(model.score(requests, first, last), dtype=np.float64)
        evaluation_kernels.place_hidden(
            first, scores, popularity, requests.indptr, requests.products, hidden, answers.ranks, answers.top
        )
    return answers


# --- metrics --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % bootstrap interval; None where there was nothing to count."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(slots=True, eq=False)
class Result:
    """How a method did in a task."""

    task: str
    method: str
    metrics: dict[str, Estimate]
    answers: Answers = field(repr=False)


@dataclass(slots=True, eq=False)
class Report:
    """An evaluation: how much was learned and asked, and each method's figures in each task."""

    train_orders: int
    test_orders: int
    products: int
    queries: int
    holdout: float
    seed: int
    resamples: int
    results: list[Result]

    def result(self, task: str, method: str) -> Result:
        """Return a method's figures in a task.

        Raises:
            KeyError: if it was not asked.
        """
        for result in self.results:
            if (result.task, result.method) == (task, method):
                return result
        raise KeyError((task, method))

    def gain(self, task: str, method: str, over: str, metric: str = "mrr") -> Estimate:
        """Return how much larger a method's mean is than another's, with its interval, query by query.

        Both answered the same queries, so the interval of the difference is narrower than theirs suggest: a
        rebuild that is worse shows as an interval below 0. ``metric`` is one of the hits or ``mrr``.
        """
        values = [_per_query(self.result(task, name).answers.ranks)[metric] for name in (method, over)]
        return _mean(values[0] - values[1], _resampled(self.queries, self.resamples, self.seed))


def evaluate(
    orders: History,
    methods: Sequence[Methods],
    *,
    holdout: float = 0.1,
    questions: Sequence[Question] | None = None,
    seed: int = 0,
    resamples: int = 1000,
    on_progress: Callable[[str], None] | None = None,
) -> Report:
    """Return how well the methods, having learned the older orders, answer for the newest.

    Args:
        orders: the store's orders.
        methods: what to compare.
        holdout: the newest share of the orders, which nothing is learned from.
        questions: what to ask; drawn from the held-out orders unless given.
        seed: of the draw and of the bootstrap.
        resamples: of the bootstrap (Efron, Annals of Statistics 7(1), 1979).
        on_progress: told the name of each method that is ready.

    Raises:
        EvaluationError: if there are too few orders, or none with two products.
    """
    parts = split(orders, holdout)
    train = parts.train
    queries = draw_queries(parts.test, seed) if questions is None else number_questions(train, questions)
    popularity = train.popularity()
    weights = _resampled(len(queries.hidden), resamples, seed)
    results: list[Result] = []
    for learn in methods:
        for name, model in learn(train):
            for task in TASKS:
                answers = ask(model, queries.of(task), queries.hidden, popularity)
                metrics = measure(answers, queries.hidden, popularity, weights)
                results.append(Result(task, name, metrics, answers))
            if on_progress:
                on_progress(name)
    return Report(
        train_orders=train.orders,
        test_orders=parts.test.orders,
        products=len(train.product_ids),
        queries=len(queries.hidden),
        holdout=holdout,
        seed=seed,
        resamples=resamples,
        results=sorted(results, key=lambda result: TASKS.index(result.task)),
    )


def long_tail(popularity: Integers) -> npt.NDArray[np.bool_]:
    """Return which products are the long tail: all but the most-bought fifth, rounded up."""
    tail = np.ones(len(popularity), dtype=np.bool_)
    tail[np.lexsort((np.arange(len(popularity)), -popularity))[: math.ceil(len(popularity) * _HEAD)]] = False
    return tail


def measure(answers: Answers, hidden: Integers, popularity: Integers, weights: Floats) -> dict[str, Estimate]:
    """Return each of :data:`METRICS` with its interval.

    ``coverage`` is the share of the catalogue that stands among the first ten of any answer; ``long_tail`` the
    share of the hits@10 whose product is of the long tail.

    Args:
        answers: of one model in one task.
        hidden: int64[q], what was to be found.
        popularity: int64[p], the training orders with each product.
        weights: float64[b, q], how often each query stands in each resample.
    """
    estimates = {name: _mean(values, weights) for name, values in _per_query(answers.ranks).items()}
    estimates["coverage"] = _coverage(answers.top, len(popularity), weights)
    hit = (answers.ranks > 0) & (answers.ranks <= _DEEPEST)
    rare = hit & (hidden >= 0) & long_tail(popularity)[hidden]
    estimates["long_tail"] = _share(rare, hit, weights)
    return estimates


def _per_query(ranks: Integers) -> dict[str, Floats]:
    """Return what each query adds to the means: 1 for a hit, and the reciprocal of the rank."""
    found = ranks > 0
    values = {f"hit@{cut}": (found & (ranks <= cut)).astype(np.float64) for cut in CUTS}
    values["mrr"] = np.divide(1.0, ranks, out=np.zeros(len(ranks)), where=found)
    return values


def _resampled(count: int, resamples: int, seed: int) -> Floats:
    """Return float64[resamples, count]: how often each query is drawn, with replacement, in each resample."""
    random = np.random.default_rng([seed, 1])
    weights = np.empty((resamples, count))
    for row in weights:
        row[:] = np.bincount(random.integers(count, size=count), minlength=count)
    return weights


def _mean(values: Floats, weights: Floats) -> Estimate:
    low, high = _interval(weights @ values / len(values))
    return Estimate(float(values.mean()), low, high)


def _share(part: npt.NDArray[np.bool_], whole: npt.NDArray[np.bool_], weights: Floats) -> Estimate:
    """Return the share of ``whole`` that is ``part``; resamples without any of the whole do not count."""
    if not whole.any():
        return Estimate(None, None, None)
    parts, wholes = weights @ part.astype(np.float64), weights @ whole.astype(np.float64)
    drawn = wholes > 0
    low, high = _interval(parts[drawn] / wholes[drawn]) if drawn.any() else (None, None)
    return Estimate(float(part.sum() / whole.sum()), low, high)


def _coverage(top: Integers, products: int, weights: Floats) -> Estimate:
    """Return the share of the products that any answer shows.

    A resample repeats some queries and lacks others, so it always shows fewer products than the whole did; its
    quantiles would lie below the figure. The interval is therefore the normal one of the resamples' spread.
    """
    if not products:
        return Estimate(None, None, None)
    shares = np.array([_shown(top[drawn], products) for drawn in weights > 0]) / products
    value, reach = _shown(top, products) / products, _NORMAL * float(shares.std())
    return Estimate(value, max(value - reach, 0.0), min(value + reach, 1.0))


def _shown(top: Integers, products: int) -> int:
    """Return how many different products stand in ``top``."""
    seen = np.zeros(products + 1, dtype=np.bool_)
    seen[top] = True  # -1 is the last, which is no product
    return int(seen[:-1].sum())


def _interval(values: Floats) -> tuple[float, float]:
    """Return the middle 95 % of resampled figures."""
    outside = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(values, [outside, 1 - outside])
    return float(low), float(high)
