"""The methods of an evaluation, against counting by hand and against what is served."""

from itertools import combinations, permutations
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.commerce.store import SETTINGS
from app.recommendations import baselines, candidates, ranking
from app.recommendations.association import log_likelihood_ratio
from app.recommendations.baselines import plain, proven
from app.recommendations.cooccurrence import Parameters, order_weights
from app.recommendations.evaluation import Requests, ask, history
from app.recommendations.ranking import Gates

DAY = 86_400
DEFAULTS = {name: default for name, (default, _, _) in SETTINGS.items()}
OPEN = {**DEFAULTS, "min_orders": 1, "min_lift": 0, "min_llr": 0}


def orders_of(*baskets, timed=True):
    """Return orders, one a day, with the letters of each word as products."""
    lines = [(number, product) for number, basket in enumerate(baskets) for product in basket]
    seconds = [number * DAY for number, _ in lines] if timed else None
    return history([number for number, _ in lines], [product for _, product in lines], seconds)


def requests(*known):
    return Requests(
        indptr=np.cumsum([0, *map(len, known)]),
        products=np.array([product for products in known for product in products], dtype=np.int64),
        customers=np.full(len(known), -1),
        seconds=np.zeros(len(known), dtype=np.int64),
    )


def models(train):
    return dict(plain(train))


def scores(model, *known):
    return model.score(requests(*known), 0, len(known))


def test_the_methods_have_names() -> None:
    train = orders_of("ab", "abc", "c")

    assert list(models(train)) == ["popularity", "raw_count", "cosine", "llr_100", "weighted"]
    assert [name for name, _ in proven(DEFAULTS)(train)] == ["proven_pairs"]


def test_scores_are_those_counted_by_hand() -> None:
    found = models(orders_of("ab", "ab", "abc", "cd", "d"))

    assert scores(found["popularity"], [], [0]).tolist() == [[3, 3, 2, 2]] * 2
    # With a: b three times, c once; with b and c together: a 3 + 1, b 1, c 1, d 1.
    assert scores(found["raw_count"], [0], [1, 2], []).tolist() == [[0, 3, 1, 0], [4, 1, 1, 1], [0, 0, 0, 0]]
    assert scores(found["cosine"], [0], [0, 2])[:, 3].tolist() == [0, pytest.approx(1 / 2)]
    assert scores(found["cosine"], [1, 2])[0, 0] == pytest.approx(1 + 1 / sqrt(6))
    # a and b: 3 of 5 orders hold both, 2 neither. b and c meet once, less often than by chance: no companions.
    assert scores(found["llr_100"], [0])[0].tolist() == [
        0,
        pytest.approx(log_likelihood_ratio(3, 0, 0, 2)),
        0,
        0,
    ]


def test_parts_of_the_requests_are_scored_alike() -> None:
    model = models(orders_of("ab", "abc", "cd"))["cosine"]
    asked = requests([0], [1, 2], [], [3])

    whole = model.score(asked, 0, 4)

    assert np.array_equal(np.vstack([model.score(asked, 0, 1), model.score(asked, 1, 4)]), whole)


_BASKETS = st.lists(st.sets(st.sampled_from("abcdefg"), min_size=1), min_size=1, max_size=15)


@settings(max_examples=40)
@given(_BASKETS, st.booleans())
def test_the_weighted_score_is_the_formula(baskets, timed) -> None:
    train = orders_of(*baskets, timed=timed)
    products = train.product_ids.tolist()
    half_life = max((len(baskets) - 1) / 2, 1.0)
    sizes = [len(basket) for basket in baskets]
    parameters = Parameters(len(baskets) - 1, half_life, 100)
    weights, _ = order_weights(parameters, range(len(baskets)), sizes)
    own = dict.fromkeys(products, 0)
    both = dict.fromkeys(permutations(products, 2), 0)
    for basket, weight in zip(baskets, weights.tolist(), strict=True):
        for product in basket:
            own[product] += weight
        for pair in permutations(basket, 2):
            both[pair] += weight

    found = scores(models(train)["weighted"], range(len(products)))[0]

    expected = [
        sum((both[a, b] / (own[a] ** 0.6 * own[b] ** 0.4)) ** 2 for a in products if a != b) for b in products
    ]
    assert found.tolist() == pytest.approx(expected)


def test_a_history_without_pairs_recommends_by_popularity() -> None:
    train = orders_of("b", "a", "b", "c")

    for name, model in plain(train):
        answers = ask(model, requests([0]), np.array([2]), train.popularity())
        assert (name, answers.top[0, :3].tolist()) == (name, [1, 2, -1])


def test_served_are_the_lists_that_a_rebuild_publishes() -> None:
    train = orders_of(*["abc", "abd", "ab", "ce", "de", "e"] * 4)
    (_, model) = next(proven(DEFAULTS)(train))
    parameters = Parameters(int(train.days[-1]), DEFAULTS["half_life_days"], 100)
    built = ranking.rebuild(parameters, train.baskets(), Gates(), 50)
    (block,) = built.blocks()

    for row, product in enumerate(block.ranked.products.tolist()):
        published = block.ranked.others[block.ranked.indptr[row] : block.ranked.indptr[row + 1]].tolist()
        answers = ask(model, requests([product]), np.array([-1]), train.popularity())
        assert [p for p in answers.top[0].tolist() if p >= 0] == published
    assert block.ranked.indptr[-1] > 0


def test_served_carts_are_put_together_by_the_code_that_serves() -> None:
    train = orders_of(*["abc", "abd", "bcd", "cde", "aef", "bf"] * 5)
    (_, model) = next(proven(OPEN)(train))

    for cart in [[], [0], *map(list, combinations(range(6), 2)), [0, 1, 2, 3, 4]]:
        answers = ask(model, requests(cart), np.array([-1]), train.popularity())
        expected = candidates.combine({model.product_ids[p]: model.lists[model.product_ids[p]] for p in cart})
        shown = [model.product_ids[p] for p in answers.top[0].tolist() if p >= 0]
        assert shown == [candidate["id"] for candidate in expected]


def test_what_the_gates_hold_back_is_not_found() -> None:
    train = orders_of("ab", "ab", "c", "d")
    hidden = np.array([1])

    (_, strict), (_, open_) = next(proven(DEFAULTS)(train)), next(proven(OPEN)(train))

    assert ask(strict, requests([0]), hidden, train.popularity()).ranks.tolist() == [0]
    assert ask(open_, requests([0]), hidden, train.popularity()).ranks.tolist() == [1]


def test_orders_of_unknown_age_do_not_fade() -> None:
    # Long ago a stood with b, since then as often with c: with times c comes first.
    baskets = ["ab"] * 5 + ["x", "y"] * 400 + ["ac"] * 5
    untimed, timed = (orders_of(*baskets, timed=known) for known in (False, True))

    (_, level), (_, aged) = next(proven(OPEN)(untimed)), next(proven(OPEN)(timed))

    b, c = 1, 2
    lists = [[candidate["id"] for candidate in model.lists["a"]] for model in (level, aged)]
    assert lists == [["b", "c"], ["c", "b"]]
    assert untimed.product_ids[[b, c]].tolist() == ["b", "c"]


def test_large_baskets_count_in_all_methods_but_the_proven() -> None:
    train = orders_of(*["abc"] * 5, "d")
    (_, model) = next(proven({**OPEN, "basket_cap": 2})(train))

    assert model.lists == {}
    assert scores(models(train)["raw_count"], [0])[0].tolist() == [0, 5, 5, 0]


def test_the_counts_are_taken_in_blocks_of_any_size(monkeypatch) -> None:
    train = orders_of("abc", "bcd", "ad", "e", "cd")
    whole = {name: scores(model, [0, 1], [4], [3]) for name, model in plain(train)}
    rebuild = ranking.rebuild
    monkeypatch.setattr(baselines.ranking, "rebuild", lambda *args, **kw: rebuild(*args, **kw, block=1))

    for name, model in plain(train):
        assert np.array_equal(scores(model, [0, 1], [4], [3]), whole[name])
