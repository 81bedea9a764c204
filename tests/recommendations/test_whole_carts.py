"""What goes with a whole cart: its order, what may be claimed of it, and that it is what tuning measured."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommendations import cart_rows, history_model, ranking, row_lists, scoring
from app.recommendations.cooccurrence import Parameters
from app.recommendations.evaluation import history, make_requests
from app.recommendations.scoring import BLENDED, DEFAULT, FEATURES, Blend
from app.recommendations.whole_carts import Bought, Why, candidates


def row(*items):
    """Return a published row of (product, weighted score, orders) or, with evidence, (…, confidence, lift, llr)."""
    return {
        "ids": [item[0] for item in items],
        "orders": [item[2] for item in items],
        "proven": [[at, *item[3:]] for at, item in enumerate(items) if len(item) > 3],
        "w": [item[1] for item in items],
        "e": [0.0] * len(items),
        "c": [0.0] * len(items),
        "s": [0.01] * len(items),
    }


def blend_of(**coefficients):
    """Return a blend that is the same in every situation, as tuning might have found it."""
    values = tuple(coefficients.get(name, 0.0) for name in FEATURES[:BLENDED])
    return Blend(values, values, values, values)


BY_ROWS = blend_of(weighted=1.0, popular=1e-3, past_weighted=1.0, own_share=0.5)
BEST_SELLERS = [{"id": "x", "orders": 90, "share": 0.3}, {"id": "y", "orders": 60, "share": 0.2}]
EVIDENCE = {"confidence": 0.5, "lift": 3.0, "llr": 40.0}


def asked(rows, cart, popular=(), blend=BY_ROWS, **fields):
    return candidates(rows, cart, popular, blend, **{"most": 10, **fields})


def ids(found):
    return [candidate["id"] for candidate in found]


# --- evidence -------------------------------------------------------------------------------------------


def test_a_proven_pair_is_shown_with_all_its_evidence():
    rows = {"a": row(("b", 0.5, 7, 0.5, 3.0, 40.0))}

    assert asked(rows, ["a"]) == [{"id": "b", "why": Why.PAIR, "orders": 7, **EVIDENCE, "with": "a"}]


def test_an_unproven_pair_says_how_often_it_was_bought_and_no_more():
    assert asked({"a": row(("b", 0.5, 2))}, ["a"]) == [{"id": "b", "why": Why.PAIR, "orders": 2, "with": "a"}]


def test_a_proven_pair_speaks_before_an_unproven_one_of_more_orders():
    rows = {"a": row(("c", 0.9, 50)), "b": row(("c", 0.1, 4, 0.5, 3.0, 40.0))}

    (found,) = asked(rows, ["a", "b"])

    assert (found["with"], found["orders"], found["llr"]) == ("b", 4, 40.0)


def test_of_proven_pairs_the_strongest_speaks_and_of_others_the_most_frequent():
    rows = {
        "a": row(("c", 0.2, 50, 0.1, 1.3, 11.0), ("d", 0.9, 1)),
        "b": row(("c", 0.3, 4, 0.5, 3.0, 40.0), ("d", 0.1, 2)),
    }

    found = {candidate["id"]: candidate for candidate in asked(rows, ["a", "b"])}

    assert found["c"] == {"id": "c", "why": Why.PAIR, "orders": 4, **EVIDENCE, "with": "b"}
    assert found["d"] == {"id": "d", "why": Why.PAIR, "orders": 2, "with": "b"}


def test_what_was_bought_by_the_customer_is_called_so_unless_it_goes_with_the_cart():
    rows = {"a": row(("b", 0.5, 7))}
    bought = [Bought("b", 2, 10), Bought("o", 3, 20)]

    found = asked(rows, ["a"], bought=bought, orders=4)

    assert found == [
        {"id": "b", "why": Why.PAIR, "orders": 7, "with": "a"},
        {"id": "o", "why": Why.OWN, "times": 3},
    ]


def test_what_goes_with_earlier_purchases_names_the_purchase():
    rows = {"o": row(("p", 0.5, 6, 0.5, 3.0, 40.0)), "o2": row(("q", 0.2, 3))}

    found = asked(rows, [], bought=[Bought("o", 1, 5), Bought("o2", 1, 5)], orders=2)

    assert [c for c in found if c["why"] == Why.PAST] == [
        {"id": "p", "why": Why.PAST, "orders": 6, "with": "o"},
        {"id": "q", "why": Why.PAST, "orders": 3, "with": "o2"},
    ]


def test_a_best_seller_is_called_popular_unless_there_is_more_to_say():
    rows = {"a": row(("x", 0.5, 7))}

    assert asked(rows, ["a"], BEST_SELLERS) == [
        {"id": "x", "why": Why.PAIR, "orders": 7, "with": "a"},
        {"id": "y", "why": Why.POPULAR, "orders": 60},
    ]


def test_one_of_which_nothing_may_be_said_is_left_out():
    # The item model speaks for c, which nobody has bought with a.
    rows = {"a": row(("b", 0.5, 7), ("c", 0.0, 0))}
    rows["a"]["e"] = [0.0, 5.0]

    assert ids(asked(rows, ["a"], blend=blend_of(item_model=1.0))) == ["b"]


# --- what takes part ------------------------------------------------------------------------------------


def stored(blend):
    return scoring.blend_from_json(blend.as_json())


@pytest.mark.parametrize("blend", [DEFAULT, stored(DEFAULT)], ids=["not tuned", "stored"])
def test_the_simple_blend_leaves_best_sellers_to_other_strategies(blend):
    assert ids(asked({"a": row(("b", 0.5, 7))}, ["a"], BEST_SELLERS, blend)) == ["b"]


@pytest.mark.parametrize("items", [[{"id": "x", "orders": 9}], []], ids=["without a share", "none"])
def test_best_sellers_need_their_share(items):
    assert ids(asked({"a": row(("b", 0.5, 7))}, ["a"], items)) == ["b"]


def test_nothing_goes_with_a_cart_without_rows():
    assert asked({}, ["a"], BEST_SELLERS, bought=[Bought("o", 3, 20)], orders=3) == []


@pytest.mark.parametrize("bought", [[], [Bought("a", 1, 5)]], ids=["nobody", "somebody"])
def test_nothing_is_left_where_all_that_is_named_stands_in_the_cart(bought):
    rows = {"a": row(("b", 0.5, 7)), "b": row(("a", 0.5, 7))}

    assert asked(rows, ["a", "b"], bought=bought, orders=len(bought)) == []


def test_a_cart_is_answered_where_only_some_of_it_has_rows():
    assert ids(asked({"a": row(("b", 0.5, 7))}, ["new", "a"])) == ["b"]


def test_no_more_than_wanted_is_returned():
    rows = {"a": row(*((f"p{n}", 1 / (n + 1), 5) for n in range(9)))}

    assert ids(asked(rows, ["a"], most=3)) == ["p0", "p1", "p2"]


def test_two_good_reasons_count_more_than_one_of_them():
    rows = {"a": row(("b", 0.6, 5), ("c", 0.7, 5)), "d": row(("b", 0.6, 5))}

    assert ids(asked(rows, ["a", "d"])) == ["b", "c"]


@given(st.permutations(["a", "b", "d"]), st.permutations(["a", "b", "d"]))
def test_the_order_of_the_cart_and_of_its_rows_does_not_matter(cart, read):
    rows = {
        "a": row(("p", 0.3, 3), ("q", 0.5, 9, 0.5, 3.0, 40.0), ("r", 0.1, 2)),
        "b": row(("q", 0.2, 8), ("r", 0.7, 6), ("a", 0.9, 9)),
        "d": row(("p", 0.35, 4), ("s", 0.4, 4)),
    }

    found = asked({id_: rows[id_] for id_ in read}, cart, BEST_SELLERS)

    assert found == asked(rows, ["a", "b", "d"], BEST_SELLERS)
    assert ids(found) == ["r", "q", "p", "s", "x", "y"]


# --- parity ---------------------------------------------------------------------------------------------

CUSTOMERS = 12
CATALOGUE = 30
DAY_S = 86_400


def sold(orders=260, seed=4):
    """Return orders of a day each by some customers and by nobody, of products that go together by fives."""
    random = np.random.default_rng(seed)
    lines, products, seconds, customers = [], [], [], []
    for order in range(orders):
        group = int(random.integers(6))
        size = int(random.integers(1, 5))
        likely = np.where(np.arange(CATALOGUE) // 5 == group, 6.0, 0.5) / (1 + np.arange(CATALOGUE) % 7)
        basket = random.choice(CATALOGUE, size, replace=False, p=likely / likely.sum())
        customer = int(random.integers(-6, CUSTOMERS))
        lines += [order] * size
        products += basket.tolist()
        seconds += [(19_000 + order) * DAY_S] * size
        customers += [customer] * size
    return history(*(np.array(column, np.int64) for column in (lines, products, seconds, customers)))


# Each reason has its own say, so that none can differ unnoticed.
EVERYTHING = blend_of(**{name: 0.3 + 0.05 * place for place, name in enumerate(FEATURES[:BLENDED])})


class Served:
    """One history, as tuning asks it and as it is published."""

    def __init__(self, ridge, blend):
        self.orders = sold()
        self.blend = blend
        parameters = Parameters(19_260, 90.0, 100)
        self.model = history_model.model_of(self.orders, parameters, ridge, blend, recognise=True)
        counted = ranking.rebuild(parameters, self.orders.baskets(), ranking.Gates(), 50)
        (block,) = counted.blocks()
        self.names = {number: f"p{number}" for number in range(len(self.orders.product_ids))}
        self.rows = row_lists.as_lists(self.model.rows, block.ranked, self.names)
        popular = cart_rows.popularity_of(counted)
        best = np.lexsort((popular.products, -popular.shares))
        self.best_sellers = [
            {"id": self.names[p], "orders": 1, "share": share}
            for p, share in zip(popular.products[best].tolist(), popular.shares[best].tolist(), strict=True)
        ]

    def question(self, cart, customer):
        """Return what tuning asks on the day after the last order."""
        request = make_requests(
            [np.array(sorted(cart), np.int64)], np.array([customer]), np.array([19_262 * DAY_S])
        )
        return self.model.question(request, 0, recognise=True)

    def answer(self, cart, customer):
        """Return what a shopper gets."""
        bought = []
        orders = 0
        if customer >= 0:
            pasts = self.model.pasts
            span = slice(pasts.indptr[customer], pasts.indptr[customer + 1])
            numbers = (pasts.products[span], pasts.times[span], 19_262 - pasts.last_days[span])
            bought = [
                Bought(self.names[p], times, gap)
                for p, times, gap in zip(*(n.tolist() for n in numbers), strict=True)
            ]
            orders = int(pasts.orders[customer])
        wanted = [*(self.names[p] for p in cart), *(b.product for b in bought)]
        rows = {id_: self.rows[id_][0] for id_ in wanted if id_ in self.rows}
        return candidates(
            rows,
            [self.names[p] for p in cart],
            self.best_sellers,
            self.blend,
            bought=bought,
            orders=orders,
            most=200,
        )


@pytest.mark.parametrize("cart", [[3], [3, 4, 17], [29, 0]], ids=str)
@pytest.mark.parametrize("customer", [-1, 5], ids=["nobody", "somebody"])
@pytest.mark.parametrize("ridge", [None, 5.0], ids=["counts", "item model"])
def test_what_is_served_is_what_tuning_measured(ridge, customer, cart, monkeypatch):
    monkeypatch.setattr(row_lists, "_DIGITS", 17)
    served = Served(ridge, EVERYTHING)
    question = served.question(cart, customer)
    seen = []
    score = scoring.score
    monkeypatch.setattr(
        scoring, "score", lambda made, *how, **who: seen.append(made) or score(made, *how, **who)
    )

    answer = ids(served.answer(cart, customer))

    (made,) = seen
    assert question.past == (customer >= 0)
    order, total = score(question.features, EVERYTHING, question.known, past=question.past)
    again, served_total = score(made, EVERYTHING, len(cart), past=question.past)
    assert answer == [served.names[n] for n in question.candidates[order].tolist()]
    assert len(answer) == CATALOGUE - len(cart)
    np.testing.assert_allclose(served_total[again], total[order], rtol=1e-9)
    np.testing.assert_allclose(made[again], question.features[order], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("customer", [-1, 5], ids=["nobody", "somebody"])
def test_rounding_of_what_is_published_moves_no_score_far(customer):
    blend = replace(DEFAULT, cart=BY_ROWS.cart, cart_past=BY_ROWS.cart_past)
    served = Served(None, blend)
    question = served.question([3, 4], customer)
    order, total = scoring.score(question.features, blend, 2, past=question.past)
    names = [served.names[n] for n in question.candidates.tolist()]
    scores = dict(zip(names, total.tolist(), strict=True))

    answer = ids(served.answer([3, 4], customer))

    assert set(answer) == set(names)
    np.testing.assert_allclose([scores[id_] for id_ in answer], total[order], atol=1e-3)
