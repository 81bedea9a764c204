"""Tuning on small histories with planted pairs: what is found, what is left alone, and what is not looked at."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from app.recommendations import evaluation, history_model, scoring, tuning
from app.recommendations.cooccurrence import Parameters
from app.recommendations.evaluation import history
from app.recommendations.scoring import BLENDED, DEFAULT, FEATURES, SITUATIONS, Blend
from app.recommendations.tuning import SIMPLE

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
    monkeypatch.setattr(tuning, "_QUESTIONS", 1500)
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

    model = history_model.model_of(parts.train, PARAMETERS, tuned.ridge, tuned.blend, recognise=True)
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


class Placing:
    """Trees that think the more of a candidate the better the blend does, or the worse."""

    def __init__(self, sign):
        self.sign = sign

    def predict_many(self, rows):
        """Return their sums."""
        return self.sign(rows) * rows[:, FEATURES.index("blend_place")]


def test_trees_that_answer_no_better_are_not_used(monkeypatch):
    monkeypatch.setattr(tuning.ranker, "learn", lambda *_: Placing(lambda _: -5.0))
    monkeypatch.setattr(tuning, "RIDGES", ())

    tuned = tuning.tune(planted(), PARAMETERS)

    assert (tuned.blend.trees, tuned.blend.sorted_by_trees) == (None, ())
    assert tuned.measured["trees"] == max(tuned.measured["simple"], tuned.measured["blend"])


def test_trees_are_used_for_those_whom_they_help(monkeypatch):
    # For known customers the trees know the answer; for others they put the best last.
    def knowing(made, answers, lengths, seed):
        return Placing(lambda rows: np.where(rows[:, FEATURES.index("past_orders")] > 0, 0.0, -5.0))

    gains = []

    def surely_more(values):
        gains.append(len(values))
        return bool(values.mean() > -1e-12)

    monkeypatch.setattr(tuning.ranker, "learn", knowing)
    monkeypatch.setattr(tuning, "RIDGES", ())
    monkeypatch.setattr(tuning, "_fit", lambda *_: DEFAULT)
    monkeypatch.setattr(tuning, "_surely_more", surely_more)

    tuned = tuning.tune(planted(), PARAMETERS)

    assert tuned.blend.sorted_by_trees == ("page_past", "cart_past")
    assert tuned.measured["trees"] == tuned.measured["simple"]
    # All situations of nobody were decided together, and all of known customers, each order counting once.
    assert len(gains) == 2
    assert all(100 < orders <= 140 for orders in gains)


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
    seen = []
    model_of, ask = tuning.model_of, tuning.ask
    monkeypatch.setattr(
        tuning, "model_of", lambda orders, *how, **who: seen.append(orders) or model_of(orders, *how, **who)
    )
    monkeypatch.setattr(tuning, "ask", lambda model, drawn: seen.append(drawn.requests) or ask(model, drawn))

    tuning.tune(planted(), PARAMETERS, seconds=0)

    learned, asked = seen[::2], [requests.seconds for requests in seen[1::2]]
    assert [orders.orders for orders in learned] == [490, 560, 630]
    for orders, seconds in zip(learned, asked, strict=True):
        assert (orders.seconds.max() + DAY_S, orders.seconds.max() + 70 * DAY_S) == (
            seconds.min(),
            seconds.max(),
        )


def test_a_period_decides_what_the_periods_before_it_were_fitted_for(monkeypatch):
    nothing = Blend(*[(0.0,) * BLENDED] * len(SITUATIONS))
    fitted = []
    monkeypatch.setattr(tuning, "_fit", lambda asked, _: fitted.append(asked) or DEFAULT)
    monkeypatch.setattr(tuning, "DEFAULT", nothing)
    monkeypatch.setattr(tuning, "RIDGES", ())

    tried = tuning._try(tuning._periods(planted(), np.random.default_rng(0)), PARAMETERS, None)
    tuned = tuning.tune(planted(), PARAMETERS, seconds=0)

    first, second, third = (len(asked) for asked in tried.asked)
    # Of what is tuned, the last is fitted on all of them, to be stored.
    assert [len(asked) for asked in fitted] == [*[first, first + second] * 2, first + second + third]
    decided = {
        name: np.concatenate([asked.qualities_of(blend) for asked in tried.asked[1:]])
        for name, blend in (("simple", nothing), ("blend", DEFAULT))
    }
    assert tuned.measured == {name: round(found.mean(), 5) for name, found in decided.items()}
    assert len(tried.deciding()) == len(decided["blend"]) == second + third
    assert (tuned.blend, tuned.questions) == (DEFAULT, first + second + third)
