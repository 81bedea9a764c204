"""Learning for one store how its scores are blended, from its own later orders.

The store's orders are split by time. Rows are made of the older ones; the newer ones are taken apart into requests, one
product hidden, as shoppers would have made them. On these the blend's coefficients are fitted, then trees over the
best candidates; the newest third is kept apart and decides what is used. Nothing of the orders that an evaluation
holds out is seen here: it hands in the others only.

Compiled and therefore imported in jobs only.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize

from app.recommendations import cart_rows, ranker, ranking, scoring
from app.recommendations.cart_rows import CartRows
from app.recommendations.compiled import Floats
from app.recommendations.cooccurrence import Integers, Parameters
from app.recommendations.evaluation import History, Requests, make_requests, split
from app.recommendations.scoring import BLENDED, DEFAULT, FEATURES, SITUATIONS, Blend, Entries, Past
from app.recommendations.tuning_jobs import LEAST_ORDERS

# With fewer later orders to ask about the simple blend is used, as with fewer than ``LEAST_ORDERS`` orders in all.
LEAST_ASKED: Final = 100
# Cautions of the item model that are tried, in orders of average weight.
RIDGES: Final = (3.0, 10.0, 50.0)
_HOLDOUT: Final = 0.1
_QUESTIONS: Final = 8_000
# The newest orders say enough, and memory stays bounded.
_MOST_ORDERS: Final = 200_000
# A coefficient is moved only where that helps by more than so many standard errors of the difference.
_SURE: Final = 1.0
# How strongly coefficients are held to the simple blend's, in questions.
_HELD: Final = 20.0
_DECIDE: Final = 1 / 3
_SECONDS: Final = 600.0


@dataclass(slots=True, eq=False)
class Model:
    """Rows, popularity and purchases of a history, and the blend to score them with: answers as they are served.

    ``score`` is that of :class:`app.recommendations.evaluation.Model`. ``row_starts`` is int64[p + 1]: where the row
    of each of the history's products begins in ``rows``.
    """

    rows: CartRows
    row_starts: Integers
    shares: Floats
    popular: Integers
    pasts: "Pasts"
    blend: Blend
    recognise: bool
    # Whether it is tuned with: then best sellers take part whatever the blend.
    asking: bool = False

    def score(self, requests: Requests, first: int, last: int) -> Floats:
        """Return scores that fall along the answer; what it does not name is not shown."""
        scores = np.full((last - first, len(self.shares)), -np.inf)
        for request in range(first, last):
            question = self.question(requests, request, recognise=self.recognise)
            order, _ = scoring.score(question.features, self.blend, question.known, past=question.past)
            scores[request - first, question.candidates[order]] = -np.arange(len(order), dtype=np.float64)
        if self.blend is DEFAULT:  # best sellers only fill up, as they do when it is served
            lacking = np.isneginf(scores[:, self.popular])
            filling = self.shares[self.popular] - len(self.shares) - 1.0
            scores[:, self.popular] = np.where(lacking, filling, scores[:, self.popular])
        return scores

    def question(self, requests: Requests, request: int, *, recognise: bool) -> "Question":
        """Return one request with its candidates and what speaks for them."""
        known = requests.known(request)
        customer = int(requests.customers[request]) if recognise else -1
        bought = self.pasts.of(customer, int(requests.seconds[request])) if customer >= 0 else None
        past = None
        if bought is not None:
            trust = scoring.trust(bought.fresh)
            past = bought._replace(entries=self._entries(bought.products[: len(trust)], trust))
        # Popular products are candidates of their own right; every other needs a row or a purchase.
        entries = self._entries(known, None)
        shares = np.zeros(len(self.shares))
        alone = self.popular[:0] if self.blend is DEFAULT and not self.asking else self.popular
        met = np.concatenate([entries.others, alone])
        if past is not None:
            met = np.concatenate([met, past.entries.others])
        shares[met] = self.shares[met]
        chosen, made = scoring.features(entries, len(known), past, shares, known)
        return Question(chosen, made, len(known), past is not None)

    def _entries(self, products: Integers, trust: Floats | None) -> Entries:
        """Return the rows of some products, one behind the other."""
        starts, ends = self.row_starts[products], self.row_starts[products + 1]
        lengths = ends - starts
        total = int(lengths.sum())
        at = np.arange(total) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
        return Entries(
            self.rows.others[at],
            self.rows.weighted[at],
            self.rows.item[at],
            self.rows.together[at],
            None if trust is None else np.repeat(trust, lengths),
        )


class Question(NamedTuple):
    """A request as it is scored.

    Attributes:
        candidates: int64[c].
        features: float64[c, f].
        known: how many products are known.
        past: whether the customer's past is.
    """

    candidates: Integers
    features: Floats
    known: int
    past: bool


@dataclass(slots=True, eq=False)
class Pasts:
    """What every customer of a history has bought, as a compressed sparse row matrix, newest purchase first.

    Attributes:
        indptr: int64[c + 1].
        products: int64[m].
        times: int64[m].
        last_days: int64[m].
        orders: int64[c].
        timed: whether days are known.
    """

    indptr: Integers
    products: Integers
    times: Integers
    last_days: Integers
    orders: Integers
    timed: bool

    def of(self, customer: int, seconds: int) -> Past | None:
        """Return what a customer had bought by some time; None of one who has bought nothing."""
        if customer >= len(self.orders) or not self.orders[customer]:
            return None
        first = int(self.indptr[customer])
        span = slice(first, min(int(self.indptr[customer + 1]), first + scoring.MOST_PAST))
        today = seconds // 86_400 if self.timed else seconds
        times = self.times[span].astype(np.float64)
        gaps = (today - self.last_days[span]).astype(np.float64)
        return Past(
            products=self.products[span],
            times=times,
            gaps=gaps,
            fresh=scoring.freshness(times, gaps),
            orders=int(self.orders[customer]),
            entries=_NOTHING,
        )


def pasts_of(orders: History) -> Pasts:
    """Return what each customer of a history has bought."""
    customers = len(orders.customer_ids)
    lines = np.repeat(orders.customers, np.diff(orders.indptr))
    days = np.repeat(orders.days, np.diff(orders.indptr))
    known = lines >= 0
    width = max(len(orders.product_ids), 1)
    keys = lines[known] * width + orders.products[known]
    order = np.argsort(keys, kind="stable")
    keys, days = keys[order], days[known][order]
    found, starts = np.unique(keys, return_index=True)
    if len(found):
        times = np.diff(np.append(starts, len(keys)))
        last = np.maximum.reduceat(days, starts)
    else:
        times, last = np.zeros(0, np.int64), np.zeros(0, np.int64)
    owners, products = np.divmod(found, width)
    newest = np.lexsort((products, -times, -last, owners))
    return Pasts(
        indptr=np.concatenate(([0], np.cumsum(np.bincount(owners, minlength=customers)))).astype(np.int64),
        products=products[newest],
        times=times[newest],
        last_days=last[newest],
        orders=np.bincount(orders.customers[orders.customers >= 0], minlength=customers).astype(np.int64),
        timed=orders.timed,
    )


_NOTHING: Final = Entries(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0))


def model_of(
    orders: History, parameters: Parameters, ridge: float | None, blend: Blend, *, recognise: bool
) -> Model:
    """Return the model that a history and a blend make; ``recognise`` lets it use what customers have bought."""
    baskets = orders.baskets()
    counted = ranking.rebuild(parameters, baskets, cart_rows.UNGATED, cart_rows.LENGTH)
    popular = cart_rows.popularity_of(counted)
    shares = np.zeros(len(orders.product_ids))
    shares[popular.products] = popular.shares
    rows = cart_rows.joined(cart_rows.build(counted, ridge))
    lengths = np.zeros(len(shares), np.int64)
    lengths[rows.products] = np.diff(rows.indptr)
    best = np.lexsort((np.arange(len(shares)), -shares))[: scoring.POPULAR]
    starts = np.concatenate(([0], np.cumsum(lengths)))
    return Model(rows, starts, shares, np.sort(best), pasts_of(orders), blend, recognise)


# --- tuning ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was found for a store.

    Attributes:
        blend: to score with.
        ridge: caution of the item model; None for none.
        orders: how many orders it was learned from.
        questions: how many requests it was fitted on.
        measured: mean reciprocal rank of each step on the newest orders.
    """

    blend: Blend
    ridge: float | None
    orders: int
    questions: int
    measured: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """Return what is stored."""
        return {
            "blend": self.blend.as_json(),
            "ridge": self.ridge,
            "orders": self.orders,
            "questions": self.questions,
            "measured": self.measured,
        }


SIMPLE: Final = Tuned(DEFAULT, None, 0, 0, {})


def tune(
    orders: History,
    parameters: Parameters,
    seed: int = 0,
    seconds: float = _SECONDS,
    on_progress: Callable[[str], None] | None = None,
) -> Tuned:
    """Return how to blend for a store with these orders.

    A step is used only where it is better than the simpler one on the newest questions; what cannot be told for lack of
    orders stays simple. No step begins after ``seconds``.

    Args:
        orders: the store's orders, oldest first.
        parameters: what an order is worth, and the largest basket.
        seed: of all draws.
        seconds: how long tuning may go on.
        on_progress: told what is being done, in a few words.
    """
    until = time.monotonic() + seconds
    tell = on_progress or (lambda _: None)
    simple_blend = replace(SIMPLE, orders=orders.orders)
    if orders.orders < LEAST_ORDERS:
        return simple_blend
    parts = split(orders.newest(_MOST_ORDERS), _HOLDOUT)
    random = np.random.default_rng(seed)
    drawn = _draw(parts.test, random)
    if len(np.unique(drawn.orders)) < LEAST_ASKED:
        return simple_blend
    best: tuple[float, float | None, _Asked, Blend] | None = None
    for ridge in (None, *RIDGES):
        if best is not None and time.monotonic() > until:
            break
        tell(f"an item model of caution {ridge:g}" if ridge else "weighted scores")
        model = model_of(parts.train, parameters, ridge, DEFAULT, recognise=True)
        asked = _ask(replace(model, asking=True), drawn)
        fitted = _fit(asked.where(~drawn.decide), DEFAULT)
        found = asked.where(drawn.decide).quality(fitted)
        if best is None or found > best[0]:
            best = found, ridge, asked, fitted
    assert best is not None
    quality, ridge, asked, fitted = best
    older, newer = asked.where(~drawn.decide), asked.where(drawn.decide)
    measured = {"simple": newer.quality(DEFAULT), "blend": quality}
    simple = measured["blend"] <= measured["simple"]
    blend = DEFAULT if simple else _fit(asked, DEFAULT)
    if time.monotonic() < until:
        tell("trees")
        base = DEFAULT if simple else fitted
        learned = replace(base, trees=ranker.learn(*older.lessons(base), seed), sorted_by_trees=SITUATIONS)
        better = newer.better_by_trees(learned)
        measured["trees"] = newer.quality(replace(learned, sorted_by_trees=better))
        if better:
            trees = ranker.learn(*asked.lessons(blend), seed)
            blend = replace(blend, trees=trees, sorted_by_trees=better)
    if simple and blend.trees is None:
        ridge = None
    return Tuned(
        blend, ridge, orders.orders, len(drawn.hidden), {k: round(v, 5) for k, v in measured.items()}
    )


@dataclass(slots=True, eq=False)
class _Drawn:
    """Requests; of each all products that would have answered it, the first being the one that is looked for.

    ``recognise`` says whether the customer is told, ``decide`` whether the request is one of those that decide,
    ``orders`` which order it was made of.
    """

    requests: Requests
    hidden: list[Integers]
    recognise: list[bool]
    decide: npt.NDArray[np.bool_]
    orders: Integers


def _draw(test: History, random: np.random.Generator) -> _Drawn:
    """Return requests of held-out orders: of a page and of a cart, with the customer and without, alike often.

    Of a page everything else in the order answers; of a cart the one product that was hidden.
    """
    asked = np.flatnonzero((np.diff(test.indptr) >= 2) & (_known_lines(test) >= 2))
    newest = set(asked[int(len(asked) * (1 - _DECIDE)) :].tolist())
    rounds = max(1, -(-_QUESTIONS // max(len(asked), 1)))
    known: list[Integers] = []
    hidden: list[Integers] = []
    owners: list[int] = []
    recognise: list[bool] = []
    for turn in range(rounds):
        for order in random.permutation(asked)[:_QUESTIONS].tolist():
            basket = test.products[test.indptr[order] : test.indptr[order + 1]]
            basket = random.permutation(basket[basket >= 0])
            page = bool(random.integers(2))
            known.append(np.sort(basket[:1] if page else basket[1:]))
            hidden.append(basket[1:] if page else basket[:1])
            owners.append(order)
            recognise.append(bool((turn + random.integers(2)) % 2))
    places = np.array(owners, np.int64)
    return _Drawn(
        make_requests(known, test.customers[places], test.seconds[places]),
        hidden,
        recognise,
        np.array([order in newest for order in owners], np.bool_),
        places,
    )


def _known_lines(test: History) -> Integers:
    """Return int64[n]: how many of each order's products training knows."""
    running = np.concatenate(([0], np.cumsum(test.products >= 0)))
    known: Integers = running[test.indptr[1:]] - running[test.indptr[:-1]]
    return known


@dataclass(slots=True, eq=False)
class _Asked:
    """Requests with all their candidates, one behind the other.

    Attributes:
        starts: int64[q + 1].
        features: float32[n, f].
        answers: bool[n], which candidates were bought.
        looked_for: int64[q], the place of the candidate that is looked for, -1 where it is no candidate.
        known: int64[q].
        past: bool[q].
        orders: int64[q], which order each request was made of.
    """

    starts: Integers
    features: npt.NDArray[np.float32]
    answers: npt.NDArray[np.bool_]
    looked_for: Integers
    known: Integers
    past: npt.NDArray[np.bool_]
    orders: Integers

    def where(self, kept: npt.NDArray[np.bool_]) -> "_Asked":
        """Return some of the requests: bool[q]."""
        lengths = np.diff(self.starts)
        rows = np.repeat(kept, lengths)
        starts = np.concatenate(([0], np.cumsum(lengths[kept])))
        moved = self.looked_for[kept] - self.starts[:-1][kept] + starts[:-1]
        return _Asked(
            starts,
            self.features[rows],
            self.answers[rows],
            np.where(self.looked_for[kept] < 0, -1, moved),
            self.known[kept],
            self.past[kept],
            self.orders[kept],
        )

    def situation(self, name: str) -> npt.NDArray[np.bool_]:
        """Return bool[q]: which requests are in one of the situations."""
        shared: npt.NDArray[np.bool_] = (self.past == name.endswith("_past")) & (
            (self.known > 1) == name.startswith("cart")
        )
        return shared

    def totals(self, blend: Blend) -> Floats:
        """Return float64[n]: the blend's sums."""
        total = np.zeros(len(self.features))
        lengths = np.diff(self.starts)
        for name in SITUATIONS:
            rows = np.repeat(self.situation(name), lengths)
            total[rows] = self.features[rows, :BLENDED] @ np.array(getattr(blend, name))
        return total

    def best(self, blend: Blend) -> tuple[Integers, Integers, Floats]:
        """Return the places of each request's best candidates, where each request begins, features for trees."""
        total = self.totals(blend)
        owners = np.repeat(np.arange(len(self.known)), np.diff(self.starts))
        order = np.lexsort((-total, owners))
        within = np.arange(len(order)) - self.starts[owners]
        best = order[within < scoring.RERANKED]
        starts = np.concatenate(([0], np.cumsum(np.minimum(np.diff(self.starts), scoring.RERANKED))))
        made = self.features[best].astype(np.float64)
        heads = np.repeat(starts[:-1], np.diff(starts))
        made[:, -2] = total[best] - total[best][heads] if len(best) else 0.0
        made[:, -1] = 1.0 / (1.0 + np.arange(len(best)) - heads)
        return best, starts, made

    def ranks(self, total: Floats) -> Integers:
        """Return int64[q]: the rank of what is looked for under these scores, 0 where it is no candidate."""
        ranks = np.zeros(len(self.known), np.int64)
        found = np.flatnonzero(self.looked_for >= 0)
        if len(found):
            sought = np.full(len(self.known), np.inf)
            sought[found] = total[self.looked_for[found]]
            lengths = np.diff(self.starts)
            at, place = np.repeat(sought, lengths), np.repeat(self.looked_for, lengths)
            better = (total > at) | ((total == at) & (np.arange(len(total)) < place))
            running = np.concatenate(([0], np.cumsum(better)))
            ranks[found] = (running[self.starts[1:]] - running[self.starts[:-1]])[found] + 1
        return ranks

    def quality(self, blend: Blend) -> float:
        """Return the mean reciprocal rank of what is looked for."""
        found = _reciprocals(self.ranks(self.totals(blend)))
        if blend.trees is not None:
            anew = self._by_trees(blend)
            for name in blend.sorted_by_trees:
                chosen = self.situation(name)
                found[chosen] = anew[chosen]
        return float(found.mean()) if len(found) else 0.0

    def better_by_trees(self, blend: Blend) -> tuple[str, ...]:
        """Return the situations in which trees answer better than the sum, by more than the difference's error.

        An order is asked about several times; its gains count once, together.
        """
        if blend.trees is None:
            return ()
        gains = self._by_trees(blend) - _reciprocals(self.ranks(self.totals(blend)))
        chosen = {name: self.situation(name) for name in SITUATIONS}
        return tuple(
            name for name, kept in chosen.items() if _surely_more(_by_order(gains[kept], self.orders[kept]))
        )

    def _by_trees(self, blend: Blend) -> Floats:
        """Return float64[q]: reciprocal ranks where the trees sort the best candidates."""
        assert blend.trees is not None
        total = self.totals(blend)
        best, _, made = self.best(blend)
        if len(best):
            anew = blend.trees.predict_many(made)
            total -= total.max()
            total[best] = anew - anew.min() + 1.0  # above everything that the trees do not sort
        return _reciprocals(self.ranks(total))

    def lessons(self, blend: Blend) -> tuple[Floats, npt.NDArray[np.bool_], Integers]:
        """Return features, answers and lengths of the requests whose best candidates hold an answer."""
        best, starts, made = self.best(blend)
        answers = self.answers[best]
        lengths = np.diff(starts)
        running = np.concatenate(([0], np.cumsum(answers)))
        useful = running[starts[1:]] > running[starts[:-1]]
        rows = np.repeat(useful, lengths)
        return made[rows], answers[rows], lengths[useful]


def _reciprocals(ranks: Integers) -> Floats:
    """Return 1 / rank, 0 for what is not shown."""
    return np.divide(1.0, ranks, out=np.zeros(len(ranks)), where=ranks > 0)


def _reciprocal(ranks: Integers) -> float:
    return float(_reciprocals(ranks).mean()) if len(ranks) else 0.0


def _ask(model: Model, drawn: _Drawn) -> _Asked:
    questions = [
        model.question(drawn.requests, place, recognise=told) for place, told in enumerate(drawn.recognise)
    ]
    starts = np.concatenate(([0], np.cumsum([len(q.candidates) for q in questions])))
    looked_for = np.full(len(questions), -1, np.int64)
    for place, (question, hidden) in enumerate(zip(questions, drawn.hidden, strict=True)):
        at = int(np.searchsorted(question.candidates, hidden[0]))
        if at < len(question.candidates) and question.candidates[at] == hidden[0]:
            looked_for[place] = starts[place] + at
    return _Asked(
        starts,
        np.concatenate([q.features.astype(np.float32) for q in questions]),
        np.concatenate([np.isin(q.candidates, h) for q, h in zip(questions, drawn.hidden, strict=True)]),
        looked_for,
        np.array([q.known for q in questions], np.int64),
        np.array([q.past for q in questions], np.bool_),
        drawn.orders,
    )


def _fit(asked: _Asked, prior: Blend) -> Blend:
    """Return the coefficients that answer best, each situation by itself."""
    fitted: dict[str, Any] = {}
    for name in SITUATIONS:
        chosen = asked.where(asked.situation(name) & (asked.looked_for >= 0))
        fitted[name] = tuple(_best_coefficients(chosen, np.array(getattr(prior, name))).tolist())
    return Blend(**fitted)


def _best_coefficients(chosen: _Asked, prior: Floats) -> Floats:
    """Return float64[BLENDED]: what ranks the answers of these requests best.

    Begun from the simple blend, the item model alone, and the likeliest coefficients; from the best of them each
    coefficient in turn is moved as long as that helps.
    """
    if not len(chosen.known):
        return prior
    rows = chosen.features[:, :BLENDED].astype(np.float64)
    item, weighted, popular = (FEATURES.index(name) for name in ("item_model", "weighted", "popular"))
    alone = np.zeros(BLENDED)
    alone[[item, weighted, popular]] = 1.0, 0.25, 1e-3
    begun = (prior, alone, _likeliest(rows, chosen.starts, chosen.looked_for, prior))
    at, found = max(
        ((start, _reciprocals(chosen.ranks(rows @ start))) for start in begun),
        key=lambda each: each[1].mean(),
    )
    at, total = at.copy(), rows @ at
    step = max(float(total.std()), 1e-9) / np.maximum(rows.std(axis=0), 1e-9) * 0.25
    for shrunk in (1.0, 0.3):
        for place in range(BLENDED):
            column = rows[:, place]
            for move in (step[place] * shrunk, -step[place] * shrunk):
                while _surely_more((moved := _reciprocals(chosen.ranks(total + move * column))) - found):
                    found, total = moved, total + move * column
                    at[place] += move
    return at


def _surely_more(gains: Floats) -> bool:
    """Return whether a mean gain is larger than its standard error."""
    return len(gains) > 1 and bool(gains.mean() > _SURE * gains.std() / np.sqrt(len(gains)))


def _by_order(values: Floats, orders: Integers) -> Floats:
    """Return the mean of each order's values."""
    _, places = np.unique(orders, return_inverse=True)
    means: Floats = np.bincount(places, values) / np.maximum(np.bincount(places), 1)
    return means


def _likeliest(rows: Floats, starts: Integers, looked_for: Integers, prior: Floats) -> Floats:
    """Return float64[BLENDED]: conditional logit (McFadden 1974), held to ``prior`` by a normal penalty.

    The probability of a candidate is the exponential of its score over the sum of all candidates'.
    """
    spread = rows.std(axis=0)
    spread[spread < 1e-9] = 1.0
    scaled, held, lengths = rows / spread, prior * spread, np.diff(starts)
    pulled = scaled[looked_for].sum(axis=0)

    def cost(at: Floats) -> tuple[float, Floats]:
        total = scaled @ at
        highest = np.maximum.reduceat(total, starts[:-1])
        powers = np.exp(total - np.repeat(highest, lengths))
        sums = np.add.reduceat(powers, starts[:-1])
        likely = powers / np.repeat(sums, lengths)
        away = at - held
        loss = float((np.log(sums) + highest).sum() - pulled @ at) + _HELD / 2 * float(away @ away)
        return loss, scaled.T @ likely - pulled + _HELD * away

    minimize: Any = optimize.minimize
    found = minimize(cost, held, jac=True, method="L-BFGS-B", options={"maxiter": 60})
    result: Floats = found.x / spread
    return result
