"""What is worked out of each candidate, and how it becomes a score, against plain loops."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommendations import ranker, scoring
from app.recommendations.scoring import (
    BLENDED,
    DEFAULT,
    FEATURES,
    SITUATIONS,
    Entries,
    Past,
    Trees,
    blend_from_json,
)

PRODUCTS = 7
DOCUMENT = Path(__file__).parents[2] / "docs" / "ranking.md"


def entries_of(rows, trusts=None):
    """Return rows, each a list of (other, weighted, item, together), as entries."""
    lines = [line for row in rows for line in row]
    others, *numbers = zip(*lines, strict=True) if lines else ((), (), (), ())
    trust = None
    if trusts is not None:
        trust = np.repeat(np.array(trusts, np.float64), [len(row) for row in rows])
    return Entries(np.array(others, np.int64), *(np.array(n, np.float64) for n in numbers), trust)


def past_of(bought, orders, rows=(), trusts=()):
    """Return a customer's past; ``bought`` is {product: (times, days since the last)}."""
    times, gaps = (np.array([b[n] for b in bought.values()], np.float64) for n in (0, 1))
    fresh = scoring.freshness(times, gaps)
    return Past(np.array(list(bought), np.int64), times, gaps, fresh, orders, entries_of(rows, trusts))


def summed(rows, trusts):
    """Return {product: [sum of squares, item, together]}."""
    sums = {product: [0.0, 0.0, 0.0] for product in range(PRODUCTS)}
    for row, trust in zip(rows, trusts, strict=True):
        for other, weighted, item, together in row:
            for place, value in enumerate((weighted**2, item, together)):
                sums[other][place] += trust * value
    return sums


def places(values):
    """Return 1 / (1 + how many are larger)."""
    return [1 / (1 + sum(other > value for other in values)) for value in values]


def plain(rows, several, past, shares, hidden):
    """Return the features of each candidate by name; ``past`` is (bought, orders, rows, trusts) or None."""
    known = summed(rows, [1.0] * len(rows))
    bought, orders, past_rows, trusts = past or ({}, 0, [], [])
    before = summed(past_rows, trusts)
    fresh = {p: times * 0.5 ** (gap / 90) for p, (times, gap) in bought.items()}
    found = {}
    for product in range(PRODUCTS):
        (weighted, item, together), (past_weighted, past_item, past_together) = (
            known[product],
            before[product],
        )
        reasons = (weighted, item, shares[product], past_weighted, past_item, fresh.get(product, 0))
        if product in hidden or not any(reason > 0 for reason in reasons):
            continue
        times, gap = bought.get(product, (0, 3650))
        found[product] = {
            "weighted": math.sqrt(weighted),
            "weighted_mean": math.sqrt(weighted / several),
            "item_model": item,
            "item_model_mean": item / several,
            "share_together": together / several,
            "likely": math.log(0.7 * together / several + 0.3 * shares[product] + 1e-6),
            "popular": math.log(shares[product] + 1e-6),
            "past_weighted": math.sqrt(past_weighted),
            "past_item_model": past_item,
            "past_together": past_together,
            "own_times": math.log(1 + times),
            "own_share": times / orders if orders else 0.0,
            "own_fresh": fresh.get(product, 0.0),
            "own_gap": math.log(1 + gap),
            "known": math.log(several),
            "past_orders": math.log(1 + orders),
            "blend": 0.0,
            "blend_place": 0.0,
        }
    for name in ("weighted", "item_model"):
        for features, place in zip(found.values(), places([f[name] for f in found.values()]), strict=True):
            features[f"{name}_place"] = place
    return found


# Halves of halves, whose sums are exact: what is equal by hand is equal here.
_rows = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, PRODUCTS - 1),
            st.sampled_from([0.0, 0.25, 0.5, 1.0]),
            st.sampled_from([-0.5, 0.0, 0.25, 0.5]),
            st.sampled_from([0.0, 0.125, 0.5]),
        ),
        max_size=5,
        unique_by=lambda line: line[0],
    ),
    max_size=3,
)


@st.composite
def _pasts(draw):
    bought = draw(
        st.dictionaries(
            st.integers(0, PRODUCTS - 1),
            st.tuples(st.integers(1, 5), st.sampled_from([0, 90, 365])),
            min_size=1,
            max_size=4,
        )
    )
    rows = draw(_rows)
    return bought, draw(st.integers(5, 9)), rows, [0.5, 0.25, 1.0][: len(rows)]


_shares = st.lists(st.sampled_from([0.0, 0.125, 0.5]), min_size=PRODUCTS - 1, max_size=PRODUCTS - 1)
_hidden = st.sets(st.integers(0, PRODUCTS - 2))
_questions = st.tuples(
    _rows, st.integers(1, 3), st.none() | _pasts(), _shares.map(lambda shares: [*shares, 0.25]), _hidden
)


def features_of(rows, several, past, shares, hidden):
    return scoring.features(
        entries_of(rows),
        several,
        past and past_of(*past),
        np.array(shares),
        np.array(sorted(hidden), np.int64),
    )


def check(question):
    chosen, made = features_of(*question)

    expected = plain(*question)
    assert chosen.tolist() == list(expected)
    assert made.shape == (len(expected), len(FEATURES))
    for features, row in zip(expected.values(), made.tolist(), strict=True):
        assert dict(zip(FEATURES, row, strict=True)) == pytest.approx(features, rel=1e-12, abs=1e-12)


@given(_questions)
def test_features_are_what_plain_loops_say(question):
    check(question)


@given(_questions, st.randoms(use_true_random=False))
def test_the_order_of_what_is_known_does_not_matter(question, random):
    rows, several, past, shares, hidden = question
    mixed = [random.sample(row, len(row)) for row in random.sample(rows, len(rows))]

    chosen, made = features_of(mixed, several, past, shares, hidden)

    expected, same = features_of(*question)
    assert chosen.tolist() == expected.tolist()
    np.testing.assert_allclose(made, same, rtol=1e-12, atol=1e-12)


@given(_questions)
def test_hidden_products_are_no_candidates(question):
    chosen, _ = features_of(*question)

    assert not set(chosen.tolist()) & question[-1]


def test_nothing_known_and_nothing_popular_is_no_candidate():
    check(([], 1, None, [0.0] * PRODUCTS, set()))
    check(([], 1, ({1: (1, 0)}, 5, [], []), [0.0] * PRODUCTS, {1}))


def test_what_the_item_model_speaks_against_is_a_candidate_only_for_another_reason():
    rows = [[(1, 0.0, -0.5, 0.0), (2, 0.5, -0.5, 0.0)]]

    chosen, made = features_of(rows, 1, None, [0.0] * PRODUCTS, set())

    assert chosen.tolist() == [2]
    assert made[0, FEATURES.index("item_model")] == -0.5


def test_each_reason_brings_its_best_only(monkeypatch):
    monkeypatch.setattr(scoring, "CANDIDATES", 1)
    rows = [[(0, 1.0, 0.0, 0.0), (1, 0.5, 0.25, 0.0), (2, 0.5, 0.5, 0.0)]]
    past = ({3: (2, 0), 4: (1, 0)}, 2, [[(5, 0.5, 0.0, 0.0), (6, 0.25, 0.25, 0.0)]], [1.0])

    chosen, _ = features_of(rows, 1, past, [0.0, 0.125, 0, 0, 0, 0, 0], set())

    assert chosen.tolist() == [0, 1, 2, 3, 5, 6]


def test_purchases_fade_by_half_every_ninety_days():
    fresh = scoring.freshness(np.array([1.0, 4.0, 3.0]), np.array([0.0, 180.0, -5.0]))

    assert fresh.tolist() == [1.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("fresh", "trusts"), [([2.0, 1.0, 1.0], [0.5, 0.25, 0.25]), ([0.25, 0.25], [0.25, 0.25]), ([], [])]
)
def test_the_rows_of_what_was_bought_share_their_say(fresh, trusts):
    assert scoring.trust(np.array(fresh)).tolist() == trusts


def test_rows_are_read_of_the_newest_purchases_only():
    assert len(scoring.trust(np.ones(scoring.PAST_ROWS + 1))) == scoring.PAST_ROWS


# --- scores ---------------------------------------------------------------------------------------------


def a_blend(**fields):
    """Return a blend whose situations all differ."""
    numbers = np.random.default_rng(5).normal(size=(4, BLENDED)).tolist()
    return replace(DEFAULT, **{name: tuple(n) for name, n in zip(SITUATIONS, numbers, strict=True)}, **fields)


@pytest.mark.parametrize(
    ("known", "past", "situation"),
    [
        (1, False, "page"),
        (2, False, "cart"),
        (1, True, "page_past"),
        (9, True, "cart_past"),
        (0, True, "page_past"),
    ],
)
def test_a_score_is_the_sum_that_fits_what_is_known(known, past, situation):
    blend = a_blend()
    made = np.random.default_rng(6).normal(size=(20, len(FEATURES)))

    order, total = scoring.score(made, blend, known, past=past)

    expected = [
        sum(c * x for c, x in zip(getattr(blend, situation), row, strict=False)) for row in made.tolist()
    ]
    assert total.tolist() == pytest.approx(expected)
    assert order.tolist() == sorted(range(20), key=lambda place: -expected[place])


def test_equal_scores_keep_the_order_of_candidates():
    order, total = scoring.score(np.zeros((5, len(FEATURES))), DEFAULT, 1, past=False)

    assert (order.tolist(), total.tolist()) == ([0, 1, 2, 3, 4], [0.0] * 5)


def stump(feature, threshold, left, right):
    """Return a forest of one tree with one question."""
    ints = (np.array(values, np.int64) for values in ([0], [FEATURES.index(feature), 0, 0]))
    roots, features = ints
    children = (np.array(values, np.int64) for values in ([1, 1, 2], [2, 1, 2]))
    return Trees(roots, features, np.array([threshold, 0, 0]), *children, np.array([0.0, left, right]), 1)


def test_trees_sort_the_best_anew_and_leave_the_rest(monkeypatch):
    monkeypatch.setattr(scoring, "RERANKED", 3)
    made = np.zeros((5, len(FEATURES)))
    made[:, FEATURES.index("weighted")] = [0.1, 0.5, 0.49, 0.4, 0.2]
    # Trees are against the very best. The second is close enough to go before it, the third is not.
    trees = stump("blend_place", 0.75, 1.0, -1.0)
    blend = replace(DEFAULT, trees=trees, sorted_by_trees=("cart",))

    order, total = scoring.score(made, blend, 2, past=False)

    assert order.tolist() == [2, 1, 3, 4, 0]
    # The sum is as it was: trees have an order to give, no score.
    assert total.tolist() == scoring.blended(made, blend, 2, past=False)[1].tolist()


@pytest.mark.parametrize(("known", "past"), [(1, False), (2, True), (1, True)])
def test_trees_are_asked_only_where_they_answer_better(known, past):
    made = np.zeros((3, len(FEATURES)))
    made[:, FEATURES.index("weighted")] = [0.1, 0.5, 0.3]
    blend = replace(DEFAULT, trees=stump("blend_place", 0.75, 1.0, -1.0), sorted_by_trees=("cart",))

    assert scoring.score(made, blend, known, past=past)[0].tolist() == [1, 2, 0]


def test_trees_and_blend_have_the_same_say():
    made = np.zeros((4, len(FEATURES)))
    made[:, FEATURES.index("weighted")] = [0.0, 0.4, 0.2, 0.2]
    made[:, FEATURES.index("likely")] = [0.0, 0.0, 0.0, 1e-6]
    trees = stump("likely", 1e-9, 0.0, 1e-3)
    blend = replace(DEFAULT, trees=trees, sorted_by_trees=("cart",))

    # The last is the trees' only choice, and third of the blend: however small their numbers are, that is enough.
    assert scoring.score(made, blend, 2, past=False)[0].tolist() == [3, 1, 2, 0]


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=9),
    st.floats(0.5, 1e3),
    st.floats(-50, 50),
)
def test_neither_unit_nor_zero_of_a_score_matters(pairs, unit, zero):
    total, anew = np.array(pairs).T
    if min(total.std(), anew.std()) < 1e-3:
        total, anew = np.arange(len(pairs), dtype=np.float64), -(np.arange(len(pairs)) ** 2.0)

    found = scoring.both(total, anew)

    np.testing.assert_allclose(scoring.both(unit * total + zero, anew), found, atol=1e-6)
    np.testing.assert_allclose(scoring.both(anew, total), found, atol=1e-12)
    assert found.mean() == pytest.approx(0, abs=1e-9)


def test_scores_that_are_all_alike_have_no_say():
    anew = np.array([1.0, 3.0, 2.0])

    assert scoring.both(np.full(3, 0.1), anew).argsort().tolist() == [0, 2, 1]
    assert scoring.both(np.zeros(3), np.zeros(3)).tolist() == [0.0] * 3
    assert len(scoring.both(np.zeros(0), np.zeros(0))) == 0


def test_trees_know_how_far_a_candidate_is_below_the_best():
    best = np.ones((3, len(FEATURES)))

    known = scoring.for_trees(best, np.array([2.0, 1.5, -1.0]))

    assert known[:, FEATURES.index("blend")].tolist() == [0.0, -0.5, -3.0]
    assert known[:, FEATURES.index("blend_place")].tolist() == [1.0, 1 / 2, 1 / 3]
    assert known[:, : FEATURES.index("blend")].tolist() == best[:, :-2].tolist()


# --- trees ----------------------------------------------------------------------------------------------


def grown(objective, rows=600, trees=12, **data):
    """Return LightGBM's model of random numbers, some of them repeated, and fresh numbers to ask it about."""
    random = np.random.default_rng(7)
    made = random.normal(size=(rows, len(FEATURES))).round(1)
    wanted = (made[:, 0] + made[:, 3] * made[:, 5] + random.normal(size=rows) > 0.5).astype(np.int64)
    settings = {
        "objective": objective,
        "num_leaves": 9,
        "min_data_in_leaf": 5,
        "verbose": -1,
        "num_threads": 1,
    }
    model = lightgbm.train(settings, lightgbm.Dataset(made, wanted, **data), trees)
    return model, np.vstack([made, random.normal(size=(200, len(FEATURES))), np.zeros((1, len(FEATURES)))])


@pytest.mark.parametrize(("objective", "data"), [("regression", {}), ("lambdarank", {"group": [30] * 20})])
def test_flat_trees_predict_what_lightgbm_predicts(objective, data):
    model, asked = grown(objective, **data)

    trees = ranker.trees_of(model.dump_model())

    assert len(trees.roots) == 12
    np.testing.assert_allclose(trees.predict(asked), model.predict(asked), rtol=1e-12, atol=1e-12)
    assert trees.predict_many(asked, step=77).tolist() == trees.predict(asked).tolist()
    assert len(trees.predict_many(asked[:0])) == 0


def test_trees_without_a_question_are_sums_of_their_leaves():
    model, asked = grown("regression", rows=6, trees=3)

    trees = ranker.trees_of(model.dump_model())

    assert trees.depth == 0
    np.testing.assert_allclose(trees.predict(asked), model.predict(asked))


def test_the_ranker_puts_first_what_was_bought():
    random = np.random.default_rng(8)
    made = random.normal(size=(2000, len(FEATURES)))
    # What is bought is told by one feature alone.
    answers = made.reshape(200, 10, -1)[:, :, 2].argmax(axis=1)[:, np.newaxis] == np.arange(10)

    trees = ranker.learn(made, answers.reshape(-1), np.full(200, 10), seed=1)

    assert trees is not None
    found = trees.predict(made).reshape(200, 10).argmax(axis=1)
    assert (found == answers.argmax(axis=1)).mean() > 0.8
    again = ranker.learn(made, answers.reshape(-1), np.full(200, 10), seed=1)
    assert again is not None
    assert again.as_json() == trees.as_json()


def test_the_ranker_learns_nothing_of_no_requests():
    nothing = np.zeros((0, len(FEATURES)))

    assert ranker.learn(nothing, np.zeros(0, np.bool_), np.zeros(0, np.int64), seed=1) is None


# --- what is stored -------------------------------------------------------------------------------------


def stored(blend):
    """Return what a blend is after it went through the database."""
    return blend_from_json(json.loads(json.dumps(blend.as_json())))


def test_a_blend_is_read_as_it_was_written():
    assert stored(DEFAULT) == DEFAULT
    assert stored(a_blend()) == a_blend() != DEFAULT


def test_trees_are_read_as_they_were_written():
    model, asked = grown("regression")
    blend = a_blend(trees=ranker.trees_of(model.dump_model()), sorted_by_trees=("page", "cart_past"))

    read = stored(blend)

    assert read.trees is not None
    assert read.trees.predict(asked).tolist() == blend.trees.predict(asked).tolist()
    assert replace(read, trees=None) == replace(blend, trees=None)


def test_the_simple_blend_lets_own_purchases_count_only_where_they_are_known():
    own = [place for place, name in enumerate(FEATURES[:BLENDED]) if name.startswith(("own_", "past_"))]

    assert [c for name in ("page", "cart") for c in np.array(getattr(DEFAULT, name))[own]] == [0.0] * 2 * len(
        own
    )
    assert all(sum(np.array(getattr(DEFAULT, name))[own]) > 0 for name in ("page_past", "cart_past"))


def test_every_feature_is_documented():
    section = DOCUMENT.read_text().split("## What is worked out of each candidate\n")[1].split("\n## ")[0]

    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(FEATURES)
