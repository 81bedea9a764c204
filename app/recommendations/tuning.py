"""Learning for one store how its scores are blended, from its own later orders.

The newest orders are parted by time into periods. Rows are made of what came before a period; its orders are taken
apart into requests as shoppers would have made them. On the requests of older periods the blend's coefficients are
fitted, then trees over the best candidates; the next period decides what is used. Nothing of the orders that an
evaluation holds out is seen here: it hands in the others only.

Compiled and therefore imported in jobs only.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from scipy import optimize

from app.recommendations import ranker
from app.recommendations.compiled import Floats
from app.recommendations.cooccurrence import Integers, Parameters
from app.recommendations.evaluation import History, split
from app.recommendations.history_model import model_of
from app.recommendations.questions import Asked, Drawn, ask, draw, joined
from app.recommendations.scoring import BLENDED, DEFAULT, FEATURES, SITUATIONS, Blend
from app.recommendations.tuning_jobs import LEAST_ORDERS

# With fewer orders to ask about in a period the simple blend is used, as with fewer than ``LEAST_ORDERS`` in all.
LEAST_ASKED: Final = 100
# Cautions of the item model that are tried, in orders of average weight.
RIDGES: Final = (3.0, 10.0, 50.0)
# So many periods, each of so large a share of the orders.
_PERIODS: Final = 3
_HOLDOUT: Final = 0.1
# Of all periods together.
_QUESTIONS: Final = 8_000
# The newest orders say enough, and memory stays bounded.
_MOST_ORDERS: Final = 200_000
# What is simpler is left only for what helps by more than so many standard errors of the difference.
_SURE: Final = 1.0
# Situations in which trees are used or not together: what they know of a customer is the same on a page and in a cart.
_TOGETHER: Final = (SITUATIONS[:2], SITUATIONS[2:])
# How strongly coefficients are held to the simple blend's, in questions.
_HELD: Final = 20.0
_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was found for a store.

    Attributes:
        blend: to score with.
        ridge: caution of the item model; None for none.
        orders: how many orders it was learned from.
        questions: how many requests it was fitted on.
        measured: mean reciprocal rank of each step on the periods that decide.
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


@dataclass(slots=True, eq=False)
class _Period:
    """Orders of some time, as requests, and everything that came before them."""

    before: History
    drawn: Drawn


@dataclass(slots=True, eq=False)
class _Tried:
    """What a caution of the item model comes to.

    Attributes:
        ridge: the caution.
        asked: the requests of each period, oldest first.
        fitted: for each period but the first, the blend that the periods before it make.
    """

    ridge: float | None
    asked: list[Asked]
    fitted: list[Blend]

    def deciding(self) -> Asked:
        """Return the requests that decide: of all periods but the first."""
        return joined(self.asked[1:])

    def qualities(self, blends: Sequence[Blend]) -> Floats:
        """Return how well each blend answers the period that it belongs to, request by request."""
        each = (asked.qualities_of(blend) for asked, blend in zip(self.asked[1:], blends, strict=True))
        return np.concatenate(list(each))

    def quality(self, blends: Sequence[Blend]) -> float:
        """Return the mean of the same."""
        return float(self.qualities(blends).mean())


def tune(
    orders: History,
    parameters: Parameters,
    seed: int = 0,
    seconds: float = _SECONDS,
    on_progress: Callable[[str], None] | None = None,
) -> Tuned:
    """Return how to blend for a store with these orders.

    A step is used only where it is better than the simpler one on orders that are newer than those that it was learned
    from; what cannot be told for lack of orders stays simple. No step begins after ``seconds``.

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
    periods = _periods(orders.newest(_MOST_ORDERS), np.random.default_rng(seed))
    if any(len(np.unique(period.drawn.orders)) < LEAST_ASKED for period in periods):
        return simple_blend
    best: tuple[float, _Tried] | None = None
    for ridge in (None, *RIDGES):
        if best is not None and time.monotonic() > until:
            break
        tell(f"an item model of caution {ridge:g}" if ridge else "weighted scores")
        tried = _try(periods, parameters, ridge)
        found = tried.quality(tried.fitted)
        if best is None or found > best[0]:
            best = found, tried
    assert best is not None
    quality, tried = best
    measured = {"simple": tried.quality([DEFAULT] * len(tried.fitted)), "blend": quality}
    simple = measured["blend"] <= measured["simple"]
    asked = joined(tried.asked)
    blend = DEFAULT if simple else _fit(asked, DEFAULT)
    if time.monotonic() < until:
        tell("trees")
        better, measured["trees"] = _better_by_trees(
            tried, [DEFAULT] * len(tried.fitted) if simple else tried.fitted, seed
        )
        if better:
            blend = replace(blend, trees=ranker.learn(*asked.lessons(blend), seed), sorted_by_trees=better)
    ridge = None if simple and blend.trees is None else tried.ridge
    return Tuned(blend, ridge, orders.orders, len(asked), {k: round(v, 5) for k, v in measured.items()})


def _periods(orders: History, random: np.random.Generator) -> list[_Period]:
    """Return the newest periods, oldest first, and of each requests."""
    found: list[_Period] = []
    for newer in reversed(range(_PERIODS)):
        until = split(orders, newer * _HOLDOUT).train if newer else orders
        parts = split(until, _HOLDOUT / (1 - newer * _HOLDOUT))
        found.append(_Period(parts.train, draw(parts.test, random, -(-_QUESTIONS // _PERIODS))))
    return found


def _try(periods: Sequence[_Period], parameters: Parameters, ridge: float | None) -> _Tried:
    asked: list[Asked] = []
    for period in periods:
        model = model_of(period.before, parameters, ridge, DEFAULT, recognise=True)
        asked.append(ask(replace(model, asking=True), period.drawn))
    return _Tried(ridge, asked, [_fit(joined(asked[:older]), DEFAULT) for older in range(1, len(asked))])


def _better_by_trees(tried: _Tried, bases: Sequence[Blend], seed: int) -> tuple[tuple[str, ...], float]:
    """Return the situations in which trees beside the sum answer better, by more than the difference's error.

    An order is asked about several times; its gains count once, together. The other value is the mean reciprocal rank
    with trees in these situations.
    """
    learned = [
        replace(
            base,
            trees=ranker.learn(*joined(tried.asked[:older]).lessons(base), seed),
            sorted_by_trees=SITUATIONS,
        )
        for older, base in enumerate(bases, start=1)
    ]
    alone, beside, asked = tried.qualities(bases), tried.qualities(learned), tried.deciding()
    better: list[str] = []
    for names in _TOGETHER:
        chosen = np.any([asked.situation(name) for name in names], axis=0)
        if _surely_more(_by_order((beside - alone)[chosen], asked.orders[chosen])):
            better += names
            alone[chosen] = beside[chosen]
    return tuple(better), float(alone.mean())


def _fit(asked: Asked, prior: Blend) -> Blend:
    """Return the coefficients that answer best, each situation by itself."""
    fitted: dict[str, Any] = {}
    answerable = asked.answerable()
    for name in SITUATIONS:
        chosen = asked.where(asked.situation(name) & answerable)
        fitted[name] = tuple(_best_coefficients(chosen, np.array(getattr(prior, name))).tolist())
    return Blend(**fitted)


def _best_coefficients(chosen: Asked, prior: Floats) -> Floats:
    """Return float64[BLENDED]: what ranks the answers of these requests best.

    Begun from the simple blend, the item model alone, and the likeliest coefficients; from the best of them each
    coefficient in turn is moved as long as that helps.
    """
    if not len(chosen):
        return prior
    rows = chosen.features[:, :BLENDED].astype(np.float64)
    item, weighted, popular = (FEATURES.index(name) for name in ("item_model", "weighted", "popular"))
    alone = np.zeros(BLENDED)
    alone[[item, weighted, popular]] = 1.0, 0.25, 1e-3
    begun = (prior, alone, _likeliest(rows, chosen, prior))
    at, found = max(
        ((start, chosen.qualities(rows @ start)) for start in begun), key=lambda each: each[1].mean()
    )
    at, total = at.copy(), rows @ at
    step = max(float(total.std()), 1e-9) / np.maximum(rows.std(axis=0), 1e-9) * 0.25
    for shrunk in (1.0, 0.3):
        for place in range(BLENDED):
            column = rows[:, place]
            for move in (step[place] * shrunk, -step[place] * shrunk):
                while _surely_more((moved := chosen.qualities(total + move * column)) - found):
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


def _likeliest(rows: Floats, chosen: Asked, prior: Floats) -> Floats:
    """Return float64[BLENDED]: conditional logit (McFadden 1974), held to ``prior`` by a normal penalty.

    The probability of a candidate is the exponential of its score over the sum of all candidates'. The answers of a
    request share its say.
    """
    spread = rows.std(axis=0)
    spread[spread < 1e-9] = 1.0
    starts, lengths = chosen.starts, np.diff(chosen.starts)
    scaled, held = rows / spread, prior * spread
    answers = np.add.reduceat(chosen.answers, starts[:-1], dtype=np.int64)
    pulled = (chosen.answers / np.repeat(answers, lengths)) @ scaled

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
