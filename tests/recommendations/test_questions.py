"""Orders taken apart into questions, and how well scores answer them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommendations import questions, scoring
from app.recommendations.evaluation import history, split
from app.recommendations.questions import Asked, joined
from app.recommendations.scoring import DEFAULT, FEATURES, SITUATIONS

DAY_S = 86_400


def asked_of(requests):
    """Return requests, each (scores, answers, further answers that are no candidates, known, past)."""
    lengths = [len(scores) for scores, *_ in requests]
    features = np.zeros((sum(lengths), len(FEATURES)), np.float32)
    features[:, 0] = [score for scores, *_ in requests for score in scores]
    return Asked(
        np.concatenate(([0], np.cumsum(np.array(lengths, np.int64)))),
        features,
        np.array([answer for _, answers, *_ in requests for answer in answers], np.bool_),
        np.array([sum(answers) + missing for _, answers, missing, *_ in requests], np.int64),
        np.array([known for *_, known, _ in requests], np.int64),
        np.array([past for *_, past in requests], np.bool_),
        np.arange(len(requests)),
    )


def plainly(scores, answers, missing):
    """Return the mean reciprocal rank of a request's answers."""
    order = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    return sum(1 / (1 + order.index(place)) for place, answer in enumerate(answers) if answer) / (
        sum(answers) + missing
    )


@st.composite
def _requests(draw):
    scores = draw(st.lists(st.sampled_from([0.0, 0.25, 0.5, 2.0]), max_size=7))
    answers = draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    missing = draw(st.integers(0 if any(answers) else 1, 3))
    return scores, answers, missing, draw(st.integers(1, 3)), draw(st.booleans())


@given(st.lists(_requests(), min_size=1, max_size=6))
def test_a_request_is_worth_the_mean_reciprocal_rank_of_its_answers(requests):
    asked = asked_of(requests)

    found = asked.qualities(asked.features[:, 0].astype(np.float64))

    assert found.tolist() == pytest.approx([plainly(*request[:3]) for request in requests], rel=1e-12)
    assert asked.answerable().tolist() == [any(answers) for _, answers, *_ in requests]


@given(st.lists(_requests(), min_size=1, max_size=6), st.data())
def test_some_requests_are_as_they_were_among_all(requests, data):
    kept = data.draw(st.lists(st.booleans(), min_size=len(requests), max_size=len(requests)))
    asked = asked_of(requests)

    some = asked.where(np.array(kept, np.bool_))

    chosen = [request for request, keep in zip(requests, kept, strict=True) if keep]
    assert len(some) == len(chosen)
    assert some.features[:, 0].tolist() == [score for scores, *_ in chosen for score in scores]
    assert some.orders.tolist() == np.flatnonzero(kept).tolist()
    assert some.wanted.tolist() == asked.wanted[np.array(kept, np.bool_)].tolist()
    expected = [plainly(*request[:3]) for request in chosen]
    assert some.qualities(some.features[:, 0].astype(np.float64)).tolist() == pytest.approx(
        expected, rel=1e-12
    )


@given(st.lists(st.lists(_requests(), max_size=3), min_size=1, max_size=3))
def test_joined_requests_answer_as_they_did_apart(parts):
    apart = [asked_of(requests) for requests in parts]

    together = joined(apart)

    assert len(together) == sum(len(part) for part in apart)
    assert len(set(together.orders.tolist())) == len(together)
    for name in SITUATIONS:
        assert together.situation(name).tolist() == [
            x for part in apart for x in part.situation(name).tolist()
        ]
    assert together.qualities_of(DEFAULT).tolist() == [
        x for part in apart for x in part.qualities_of(DEFAULT)
    ]


class Wilful:
    """Trees that put candidates in an order of their own."""

    def predict(self, rows):
        """Return their sums."""
        return np.cos(40.0 * rows[:, 0]) - 0.5 * rows[:, FEATURES.index("blend_place")]

    predict_many = predict


@pytest.mark.parametrize("places", [4, 60])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_trees_answer_here_as_they_are_served(situation, places, monkeypatch):
    monkeypatch.setattr(scoring, "RERANKED", places)
    random = np.random.default_rng(3)
    requests = [
        (random.normal(size=9).tolist(), (np.arange(9) == number % 9).tolist(), 0, known, past)
        for number, (known, past) in enumerate([(1, False), (2, False), (1, True), (2, True)] * 18)
    ]
    asked = asked_of([*requests, ([], [], 1, 1, False), ([0.5], [True], 0, 2, True)])
    blend = replace(DEFAULT, trees=Wilful(), sorted_by_trees=(situation,))

    found = asked.qualities_of(blend).tolist()

    for number, (_, answers, _, known, past) in enumerate(requests):
        rows = asked.features[9 * number : 9 * number + 9].astype(np.float64)
        order, _ = scoring.score(rows, blend, known, past=past)
        assert found[number] == 1 / (1 + order.tolist().index(answers.index(True)))
    assert found[len(requests) :] == [0.0, 1.0]
    moved = np.flatnonzero(np.array(found) != asked.qualities_of(DEFAULT))
    assert len(moved)
    assert all(asked.situation(situation)[moved])


def test_every_situation_is_asked_about():
    random = np.random.default_rng(4)
    baskets = [random.choice(30, 4, replace=False).tolist() for _ in range(700)]
    test = split(
        history(
            [order for order in range(700) for _ in range(4)],
            [str(product) for basket in baskets for product in basket],
            [(19_000 + order) * DAY_S for order in range(700) for _ in range(4)],
            [f"c{order % 9}" for order in range(700) for _ in range(4)],
        ),
        0.1,
    ).test

    drawn = questions.draw(test, np.random.default_rng(0), 700)

    several = np.diff(drawn.requests.indptr) > 1
    told = np.array(drawn.recognise)
    shares = [
        np.mean(several & told),
        np.mean(several & ~told),
        np.mean(~several & told),
        np.mean(~several & ~told),
    ]
    assert len(drawn.hidden) == 700
    assert np.bincount(drawn.orders).tolist() == [10] * 70
    assert all(share == pytest.approx(0.25, abs=0.06) for share in shares)
    for place, hidden in enumerate(drawn.hidden):
        order = drawn.orders[place]
        basket = test.products[test.indptr[order] : test.indptr[order + 1]]
        known = drawn.requests.known(place).tolist()
        assert sorted([*known, *hidden.tolist()]) == basket.tolist()
        # Of a page everything else answers, of a cart the one that was taken out.
        assert len(hidden) == (1 if several[place] else 3)


def test_orders_without_two_known_products_are_not_asked_about():
    orders = ["a", "a", "b", "b", "c", "c", "d", "e", "e", "e"]
    products = ["1", "2", "1", "2", "1", "2", "1", "1", "2", "9"]

    # Learned are the first two; 9 is met later only.
    drawn = questions.draw(split(history(orders, products), 0.6).test, np.random.default_rng(0), 4)

    assert set(drawn.orders.tolist()) == {0, 2}
    assert all(len(hidden) == 1 for hidden in drawn.hidden)
