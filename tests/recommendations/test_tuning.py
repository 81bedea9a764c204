"""Tuning on small histories with planted pairs: what is found, what is left alone, and what is not looked at."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from app.recommendations import evaluation, scoring, tuning
from app.recommendations.cooccurrence import Parameters
from app.recommendations.evaluation import History, history
from app.recommendations.scoring import DEFAULT, FEATURES, SITUATIONS
from app.recommendations.tuning import SIMPLE, pasts_of

DAY_S = 86_400
FIRST_DAY = 19_000
PAIRS = 20
POPULAR = 10
PARAMETERS = Parameters(FIRST_DAY + 700, 365.0, 100)


def planted(orders=700, seed=1):
    """Return an order a day: both products of a pair and some best sellers; no customer buys the same pair twice."""
    random = np.random.default_rng(seed)
    lines, products, customers = [], [], []
    turns = Counter()
    for order in range(orders):
        customer = int(random.integers(-20, 40))
        pair = (7 * customer + turns[customer]) % PAIRS if customer >= 0 else int(random.integers(PAIRS))
        turns[customer] += 1
        beside = random.choice(POPULAR, int(random.integers(1, 4)), replace=False)
        basket = [*(2 * PAIRS + beside).tolist(), 2 * pair, 2 * pair + 1]
        lines += [order] * len(basket)
        products += basket
        customers += [customer] * len(basket)
    seconds = (FIRST_DAY + np.array(lines, np.int64)) * DAY_S
    return history(
        np.array(lines, np.int64), np.array(products, np.int64), seconds, np.array(customers, np.int64)
    )


@pytest.fixture(autouse=True)
def little_work(monkeypatch):
    """Ask and learn a tenth of what is asked and learned of real stores."""
    monkeypatch.setattr(tuning, "_QUESTIONS", 700)
    monkeypatch.setattr(tuning, "RIDGES", (3.0,))
    monkeypatch.setattr(tuning.ranker, "TREES", 12)
    monkeypatch.setattr(tuning, "LEAST_ORDERS", 500)
    monkeypatch.setattr(tuning, "LEAST_ASKED", 50)


def mean_reciprocal_rank(model, queries):
    """Return it over the carts of queries."""
    found = []
    scores = model.score(queries.carts, 0, len(queries.hidden))
    for row, hidden in zip(scores, queries.hidden.tolist(), strict=True):
        found.append(0.0 if row[hidden] == -np.inf else 1 / (1 + int((row > row[hidden]).sum())))
    return float(np.mean(found))


class Popularity:
    """What everybody buys, whatever is known."""

    def __init__(self, orders):
        self.orders = orders

    def score(self, requests, first, last):
        scores = np.tile(self.orders.popularity().astype(np.float64), (last - first, 1))
        for request in range(first, last):
            scores[request - first, requests.known(request)] = -np.inf
        return scores


def test_a_tuned_blend_answers_later_orders_better_than_popularity():
    parts = evaluation.split(planted(), 0.1)
    queries = evaluation.draw_queries(parts.test, seed=3)

    tuned = tuning.tune(parts.train, PARAMETERS)

    model = tuning.model_of(parts.train, PARAMETERS, tuned.ridge, tuned.blend, recognise=True)
    popularity = mean_reciprocal_rank(Popularity(parts.train), queries)
    assert mean_reciprocal_rank(model, queries) > popularity + 0.15
    assert tuned.orders == parts.train.orders
    assert tuned.blend != DEFAULT
    assert tuned.measured["blend"] > tuned.measured["simple"]


def test_equal_orders_are_tuned_equally():
    told = []

    first = tuning.tune(planted(), PARAMETERS, seed=5, on_progress=told.append)
    again = tuning.tune(planted(), PARAMETERS, seed=5)

    assert first.as_json() == again.as_json()
    assert told[0] == "weighted scores"
    assert told[-1] == "trees"
    assert len(told) == 2 + len(tuning.RIDGES)


@pytest.mark.parametrize(
    "orders",
    [planted(499), history(list(range(600)), ["one"] * 600)],
    ids=["few orders", "nothing bought together"],
)
def test_what_too_few_orders_say_is_not_believed(orders):
    assert tuning.tune(orders, PARAMETERS) == replace(SIMPLE, orders=orders.orders)
    assert (SIMPLE.blend, SIMPLE.ridge, SIMPLE.questions) == (DEFAULT, None, 0)


def test_no_step_begins_after_its_time():
    told = []

    tuned = tuning.tune(planted(), PARAMETERS, seconds=0, on_progress=told.append)

    assert told == ["weighted scores"]
    assert tuned.measured.keys() == {"simple", "blend"}
    assert (tuned.ridge, tuned.blend.trees) == (None, None)
    assert tuned.questions >= tuning.LEAST_ASKED


def test_trees_that_answer_no_better_are_not_used(monkeypatch):
    class Useless:
        """Trees that put the best last."""

        def predict_many(self, rows):
            return -rows[:, FEATURES.index("blend_place")]

    monkeypatch.setattr(tuning.ranker, "learn", lambda *_: Useless())
    monkeypatch.setattr(tuning, "RIDGES", ())

    tuned = tuning.tune(planted(), PARAMETERS)

    assert (tuned.blend.trees, tuned.blend.sorted_by_trees) == (None, ())
    assert tuned.measured["trees"] == max(tuned.measured["simple"], tuned.measured["blend"])


def test_what_is_stored_is_read_as_it_was_found():
    tuned = tuning.tune(planted(), PARAMETERS, seconds=0)

    stored = json.loads(json.dumps(tuned.as_json()))

    assert scoring.blend_from_json(stored["blend"]) == tuned.blend
    assert {key: stored[key] for key in ("ridge", "orders", "questions", "measured")} == {
        "ridge": tuned.ridge,
        "orders": 700,
        "questions": tuned.questions,
        "measured": tuned.measured,
    }


def test_only_what_is_handed_in_is_seen():
    # An evaluation hands in the older orders: what its newer ones hold cannot change what is found.
    older = evaluation.split(planted(), 0.1).train
    whole = planted()
    line = int(whole.indptr[630])
    changed = replace(whole, products=np.concatenate([whole.products[:line], whole.products[line:][::-1]]))
    same = evaluation.split(replace(changed, indptr=whole.indptr), 0.1).train

    assert tuning.tune(older, PARAMETERS, seconds=0) == tuning.tune(same, PARAMETERS, seconds=0)


def test_rows_are_made_of_older_orders_than_the_questions(monkeypatch):
    seen: list[tuple[History, int]] = []
    model_of, ask = tuning.model_of, tuning._ask
    monkeypatch.setattr(
        tuning, "model_of", lambda orders, *how, **who: seen.append(orders) or model_of(orders, *how, **who)
    )
    monkeypatch.setattr(
        tuning, "_ask", lambda model, drawn: seen.append(drawn.requests.seconds) or ask(model, drawn)
    )

    tuning.tune(planted(), PARAMETERS, seconds=0)

    learned, asked = seen
    assert learned.orders == 630
    assert learned.seconds.max() < asked.min()
    assert asked.max() == (FIRST_DAY + 699) * DAY_S


def test_the_newest_third_of_the_orders_decides():
    drawn = tuning._draw(evaluation.split(planted(), 0.1).test, np.random.default_rng(0))

    decided, fitted = drawn.requests.seconds[drawn.decide], drawn.requests.seconds[~drawn.decide]
    assert decided.min() > fitted.max()
    assert (len(np.unique(decided)), len(np.unique(fitted))) == (24, 46)


def test_every_situation_is_asked_about():
    test = evaluation.split(planted(), 0.1).test
    drawn = tuning._draw(test, np.random.default_rng(0))

    several = np.diff(drawn.requests.indptr) > 1
    told = np.array(drawn.recognise)
    shares = [
        np.mean(several & told),
        np.mean(several & ~told),
        np.mean(~several & told),
        np.mean(~several & ~told),
    ]
    assert len(shares) == len(SITUATIONS)
    assert all(share == pytest.approx(0.25, abs=0.06) for share in shares)
    for place, hidden in enumerate(drawn.hidden):
        assert not set(drawn.requests.known(place).tolist()) & set(hidden.tolist())
        # Of a page everything else answers, of a cart the one that was taken out.
        assert (len(hidden) == 1) or not several[place]


# --- what customers have bought -------------------------------------------------------------------------


def test_purchases_are_counted_newest_first():
    orders = history(
        ["o1", "o1", "o2", "o3", "o4", "o5"],
        ["a", "b", "a", "c", "b", "a"],
        [day * DAY_S + 5 for day in (1, 1, 3, 3, 2, 9)],
        ["k", "k", "k", "k", "l", None],
    )

    pasts = pasts_of(orders)

    found = pasts.of(0, 13 * DAY_S)
    assert found is not None
    assert orders.product_ids[found.products].tolist() == ["a", "c", "b"]
    assert (found.times.tolist(), found.gaps.tolist(), found.orders) == ([2, 1, 1], [10, 10, 12], 3)
    assert found.fresh.tolist() == scoring.freshness(found.times, found.gaps).tolist()
    other = pasts.of(1, 2 * DAY_S)
    assert other is not None
    assert (orders.product_ids[other.products].tolist(), other.gaps.tolist()) == (["b"], [0])


def test_nothing_is_known_of_strangers():
    pasts = pasts_of(history(["o1", "o2"], ["a", "b"], [0, 1], [None, "k"]))

    assert pasts.of(5, 0) is None
    assert pasts_of(history(["o1"], ["a"])).of(0, 0) is None


def test_a_long_past_is_cut_to_its_newest(monkeypatch):
    monkeypatch.setattr(scoring, "MOST_PAST", 2)
    orders = history(list("123"), list("abc"), [day * DAY_S for day in (1, 2, 3)], ["k"] * 3)

    found = pasts_of(orders).of(0, 4 * DAY_S)

    assert found is not None
    assert orders.product_ids[found.products].tolist() == ["c", "b"]
    assert found.orders == 3
