"""Evaluation: what is held out, what is asked, and figures that were worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recommendations import evaluation
from app.recommendations.evaluation import (
    COMPLETE_THE_CART,
    PRODUCT_PAGE,
    Answers,
    Estimate,
    EvaluationError,
    Question,
    Requests,
    ask,
    draw_queries,
    evaluate,
    history,
    long_tail,
    measure,
    number_questions,
    split,
)


def ints(*values):
    return np.array(values, dtype=np.int64)


def lines_of(baskets):
    """Return the order and product columns of baskets, orders being numbered from 0."""
    pairs = [(number, product) for number, basket in enumerate(baskets) for product in basket]
    return [order for order, _ in pairs], [product for _, product in pairs]


def orders_of(*baskets):
    """Return untimed orders with the letters of each word as products."""
    return history(*lines_of(baskets))


def requests(*known):
    return Requests(
        indptr=np.cumsum([0, *map(len, known)]),
        products=np.array([product for products in known for product in products], dtype=np.int64),
        customers=np.full(len(known), -1),
        seconds=np.zeros(len(known), dtype=np.int64),
    )


def asked(queries, task):
    """Return what each query of a task knows, as lists."""
    known = queries.of(task)
    return [known.known(number).tolist() for number in range(len(known))]


class Fixed:
    """A model whose scores do not depend on what is asked."""

    def __init__(self, *scores):
        self.scores = np.array(scores, dtype=np.float64)

    def score(self, requests, first, last):  # noqa: ARG002
        return np.tile(self.scores, (last - first, 1))


def fixed(name, *scores):
    """Return methods with one such model."""

    def learn(train):
        yield name, Fixed(*scores)

    return learn


# --- orders ---------------------------------------------------------------------------------------------


def test_orders_are_sorted_by_time_and_then_by_id() -> None:
    found = history(
        ["9", "9", "20", "10", "10"],
        ["b", "a", "c", "a", "a"],
        [500, 400, 100, 400, 900],
        [None, "x", "y", "z", "x"],
    )

    assert found.product_ids.tolist() == ["a", "b", "c"]
    assert found.indptr.tolist() == [0, 1, 2, 4]
    assert found.products.tolist() == [2, 0, 0, 1]
    assert found.seconds.tolist() == [100, 400, 400]
    assert found.customer_ids[found.customers].tolist() == ["y", "z", "x"]


def test_the_first_known_line_names_the_customer() -> None:
    found = history([1, 1, 1, 2], ["a", "b", "c", "a"], None, [None, "second", "third", None])

    assert found.customer_ids[found.customers[0]] == "second"
    assert found.customers[1] == -1


def test_untimed_orders_stay_as_they_come() -> None:
    found = history([7, 3, 7, 5], ["b", "a", "a", "b"])

    assert (found.timed, found.seconds.tolist()) == (False, [0, 1, 2])
    assert found.indptr.tolist() == [0, 2, 3, 4]
    assert found.products.tolist() == [0, 1, 0, 1]
    assert found.days.tolist() == [0, 1, 2]


def test_arrays_mean_the_same_as_sequences() -> None:
    orders, products, seconds, customers = [4, 2, 2], [30, 4, 30], [20, 10, 10], [-1, 8, 8]

    arrays = history(*(np.array(column) for column in (orders, products, seconds, customers)))
    sequences = history(orders, [str(p) for p in products], seconds, [None, "8", "8"])

    for name in ("product_ids", "customer_ids", "indptr", "products", "seconds", "customers"):
        assert getattr(arrays, name).tolist() == getattr(sequences, name).tolist(), name


def test_a_day_is_that_of_utc() -> None:
    found = history([1, 2], ["a", "a"], [86_399, 86_400])

    assert found.days.tolist() == [0, 1]


_BASKETS = st.lists(st.sets(st.sampled_from("abcdef"), min_size=1), min_size=2, max_size=12)


@given(_BASKETS, st.randoms(use_true_random=False))
def test_lines_in_any_order_are_the_same_orders(baskets, random) -> None:
    orders, products = lines_of(baskets)
    seconds = [1000 * order for order in orders]
    lines = list(zip(orders, products, seconds, strict=True))
    shuffled = lines + random.choices(lines, k=3)
    random.shuffle(shuffled)

    found = history(*map(list, zip(*shuffled, strict=True)))

    parts = np.split(found.product_ids[found.products], found.indptr[1:-1])
    assert [set(part.tolist()) for part in parts] == baskets
    assert len(found.products) == sum(map(len, baskets))


# --- split ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orders", "holdout", "kept"),
    [(10, 0.1, 9), (11, 0.1, 9), (39_516, 0.1, 35_564), (8, 0.25, 6), (30, 0.3, 21)],
)
def test_the_newest_share_is_held_out_rounded_up(orders, holdout, kept) -> None:
    parts = split(history(list(range(orders)), ["a"] * orders), holdout)

    assert (parts.train.orders, parts.test.orders) == (kept, orders - kept)


def test_products_that_only_newer_orders_hold_are_unknown() -> None:
    parts = split(orders_of("bd", "ca", "abz", "y"), 0.5)

    assert parts.train.product_ids.tolist() == ["a", "b", "c", "d"]
    assert parts.train.products.tolist() == [1, 3, 0, 2]
    assert parts.test.indptr.tolist() == [0, 3, 4]
    assert parts.test.products.tolist() == [0, 1, -1, -1]
    assert parts.train.popularity().tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("orders", "holdout", "text"),
    [
        (0, 0.1, "0 orders are too few"),
        (1, 0.1, "1 orders are too few"),
        (3, 0.9, "3 orders are too few"),
        (9, 0.0, "must lie between 0 and 1: 0."),
        (9, 1.0, "must lie between 0 and 1: 1."),
        (9, float("nan"), "must lie between 0 and 1: nan."),
    ],
)
def test_a_split_that_leaves_nothing_is_refused(orders, holdout, text) -> None:
    with pytest.raises(EvaluationError, match=text):
        split(history(list(range(orders)), ["a"] * orders), holdout)


# --- queries --------------------------------------------------------------------------------------------


@given(_BASKETS, st.integers(0, 99))
def test_each_order_of_two_products_loses_one(baskets, seed) -> None:
    test = split(orders_of("abcd", *baskets), len(baskets) / (len(baskets) + 1)).test
    numbers = [sorted(set(basket)) for basket in baskets if len(basket) >= 2]
    if not numbers:
        with pytest.raises(EvaluationError, match="No held-out order has two products"):
            draw_queries(test, seed)
        return

    queries = draw_queries(test, seed)

    assert len(queries.hidden) == len(numbers)
    for basket, cart, page, hidden in zip(
        numbers,
        asked(queries, COMPLETE_THE_CART),
        asked(queries, PRODUCT_PAGE),
        queries.hidden.tolist(),
        strict=True,
    ):
        known = {"abcd".index(product) for product in basket if product in "abcd"}
        assert set(cart) == known - {hidden}
        assert hidden in known or (hidden == -1 and len(known) < len(basket))
        assert len(page) == min(len(cart), 1)
        assert set(page) <= set(cart)


def test_the_draw_is_seeded() -> None:
    test = split(orders_of("abcdef", *["abcdef"] * 50), 0.9).test

    first, again, other = (draw_queries(test, seed) for seed in (1, 1, 2))

    assert first.hidden.tolist() == again.hidden.tolist()
    assert first.pages.products.tolist() == again.pages.products.tolist()
    assert first.hidden.tolist() != other.hidden.tolist()
    assert set(first.hidden.tolist()) == set(range(6))


def test_no_more_queries_are_drawn_than_asked_for() -> None:
    test = split(orders_of("ab", *["ab"] * 50), 0.9).test

    queries = draw_queries(test, 0, most=7)

    assert len(queries.hidden) == len(queries.carts) == len(queries.pages) == 7
    assert np.all(np.diff(queries.carts.seconds) > 0)


def test_stated_queries_get_the_numbers_of_training() -> None:
    train = history([1, 2], ["a", "b"], [100, 200], ["x", None])

    queries = number_questions(
        train,
        [
            Question(cart=["b", "a", "b", "?"], anchor="b", hidden="a", customer="x", at=200.9),
            Question(cart=[], anchor=None, hidden="?", customer="?"),
        ],
    )

    assert asked(queries, COMPLETE_THE_CART) == [[0, 1], []]
    assert asked(queries, PRODUCT_PAGE) == [[1], []]
    assert queries.hidden.tolist() == [0, -1]
    assert queries.carts.customers.tolist() == [0, -1]
    assert queries.carts.seconds.tolist() == [200, 200]


def test_a_query_older_than_training_is_refused() -> None:
    train = history([1, 2], ["a", "b"], [100, 200])

    with pytest.raises(EvaluationError, match="older than the newest order"):
        number_questions(train, [Question(["a"], "a", "b", at=199.0)])
    with pytest.raises(EvaluationError, match="no query"):
        number_questions(train, [])


# --- ranks ----------------------------------------------------------------------------------------------


def test_ranks_are_those_of_what_may_be_shown() -> None:
    never = -np.inf
    model = Fixed(5.0, 3.0, never, 3.0, 1.0)
    popularity = ints(1, 1, 9, 2, 1)

    answers = ask(model, requests([], [0], [0, 3], [1], [4], [0]), ints(1, 1, 1, 2, -1, 0), popularity)

    # Product 3 stands before 1: as good, and more popular. Product 2 is never shown, 0 is known to the last.
    assert answers.ranks.tolist() == [3, 2, 1, 0, 0, 0]
    assert [row[row >= 0].tolist() for row in answers.top] == [
        [0, 3, 1, 4], [3, 1, 4], [1, 4], [0, 3, 4], [0, 3, 1], [3, 1, 4],
    ]  # fmt: skip


@settings(max_examples=60)
@given(st.data())
def test_ranks_and_tops_are_those_of_a_sort(data) -> None:
    products = data.draw(st.integers(1, 25))
    scores = data.draw(
        st.lists(st.sampled_from([0.0, 1.0, 2.0, -np.inf]), min_size=products, max_size=products)
    )
    popularity = data.draw(st.lists(st.integers(1, 3), min_size=products, max_size=products))
    known = data.draw(st.sets(st.integers(0, products - 1)))
    hidden = data.draw(st.integers(-1, products - 1))

    answers = ask(Fixed(*scores), requests(sorted(known)), ints(hidden), ints(*popularity))

    order = sorted(
        (p for p in range(products) if p not in known and scores[p] > -np.inf),
        key=lambda p: (-scores[p], -popularity[p], p),
    )
    assert answers.ranks.tolist() == [order.index(hidden) + 1 if hidden in order else 0]
    assert answers.top[0].tolist() == (order + [-1] * 10)[:10]


def test_many_requests_are_asked_in_parts(monkeypatch) -> None:
    monkeypatch.setattr(evaluation, "_SCORES_AT_ONCE", 6)
    spans = []

    class Recording(Fixed):
        def score(self, requests, first, last):
            spans.append((first, last))
            return super().score(requests, first, last)

    answers = ask(
        Recording(1.0, 2.0, 3.0), requests([0], [1], [2], [], [0]), ints(1, 0, 1, 0, 2), ints(1, 1, 1)
    )

    assert spans == [(0, 2), (2, 4), (4, 5)]
    assert answers.ranks.tolist() == [2, 2, 1, 3, 1]


# --- metrics --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("popularity", "tail"),
    [
        ([5, 9, 1, 1, 1], [True, False, True, True, True]),
        ([3, 3, 3, 3, 3, 4], [False, True, True, True, True, False]),
        ([7], [False]),
        ([], []),
    ],
    ids=["a fifth", "rounded up, ties to the smaller number", "one", "none"],
)
def test_the_long_tail_is_all_but_the_most_bought_fifth(popularity, tail) -> None:
    assert long_tail(ints(*popularity)).tolist() == tail


def test_the_figures_are_those_worked_out_by_hand() -> None:
    # Product 0 is the head of five. Query 3 asks for what training lacks.
    ranks, hidden = ints(1, 4, 20, 0, 5), ints(0, 1, 2, -1, 3)
    top = np.full((5, 10), -1)
    top[0, :2], top[1, :3], top[4, 0] = (0, 1), (1, 3, 0), 3

    metrics = measure(Answers(ranks, top), hidden, ints(9, 1, 1, 1, 1), np.ones((10, 5)))

    assert {name: found.value for name, found in metrics.items()} == pytest.approx(
        {
            "hit@1": 1 / 5,
            "hit@4": 2 / 5,
            "hit@10": 3 / 5,
            "mrr": (1 + 1 / 4 + 1 / 20 + 1 / 5) / 5,
            "coverage": 3 / 5,
            "long_tail": 2 / 3,
        }
    )
    # Every resample is the whole, so nothing is uncertain.
    assert all(found.low == pytest.approx(found.value) == found.high for found in metrics.values())


def test_an_interval_holds_the_middle_of_the_resamples() -> None:
    # Two queries, the first a hit: a resample k of 0..40 gives it the share k / 40.
    weights = np.array([[2 * k / 40, 2 - 2 * k / 40] for k in range(41)])

    metrics = measure(Answers(ints(1, 0), np.full((2, 10), -1)), ints(0, 0), ints(1), weights)

    assert metrics["hit@1"] == Estimate(0.5, pytest.approx(0.025), pytest.approx(0.975))


def test_coverage_is_uncertain_around_its_figure() -> None:
    top = np.full((2, 10), -1)
    top[:, 0] = (0, 1)

    metrics = measure(Answers(ints(0, 0), top), ints(0, 0), ints(1, 1, 1, 1), np.array([[2.0, 0], [1, 1]]))

    # The resamples show one and two of four products: shares 0.25 and 0.5, standard deviation 0.125.
    reach = 1.959964 * 0.125
    assert metrics["coverage"] == Estimate(0.5, pytest.approx(0.5 - reach), pytest.approx(0.5 + reach))


def test_without_a_hit_there_is_no_share_of_hits() -> None:
    metrics = measure(Answers(ints(0, 11), np.full((2, 10), -1)), ints(0, 0), ints(1), np.ones((3, 2)))

    assert metrics["long_tail"] == Estimate(None, None, None)
    assert metrics["hit@10"] == Estimate(0.0, 0.0, 0.0)


# --- the whole ------------------------------------------------------------------------------------------


def baskets():
    """Return twenty orders of a and b or c and d, then five to be asked about."""
    return orders_of(*["ab", "cd"] * 10, "ab", "cd", "ab", "ae", "b")


def test_a_report_holds_every_method_in_every_task() -> None:
    told = []

    report = evaluate(
        baskets(),
        [fixed("best", 4, 3, 2, 1), fixed("worst", 1, 2, 3, 4)],
        holdout=0.2,
        questions=[Question(["c"], "c", "a"), Question(["b"], "d", "a"), Question([], None, "e")],
        resamples=50,
        on_progress=told.append,
    )

    assert told == ["best", "worst"]
    assert (report.train_orders, report.test_orders, report.products, report.queries) == (20, 5, 4, 3)
    assert [(r.task, r.method) for r in report.results] == [
        (COMPLETE_THE_CART, "best"), (COMPLETE_THE_CART, "worst"), (PRODUCT_PAGE, "best"), (PRODUCT_PAGE, "worst"),
    ]  # fmt: skip
    assert report.result(COMPLETE_THE_CART, "best").answers.ranks.tolist() == [1, 1, 0]
    assert report.result(COMPLETE_THE_CART, "worst").answers.ranks.tolist() == [3, 3, 0]
    assert report.result(PRODUCT_PAGE, "worst").metrics["mrr"].value == pytest.approx((1 / 3 + 1 / 3) / 3)
    with pytest.raises(KeyError):
        report.result(COMPLETE_THE_CART, "other")


def test_a_gain_is_that_of_the_same_queries() -> None:
    report = evaluate(
        baskets(),
        [fixed("best", 4, 3, 2, 1), fixed("worst", 1, 2, 3, 4)],
        holdout=0.2,
        questions=[Question(["c"], "c", "a")] * 5,
    )

    # Each query gains the same: the difference is certain.
    assert report.gain(COMPLETE_THE_CART, "best", "worst") == Estimate(
        *[pytest.approx(1 - 1 / 3)] * 3,
    )
    assert report.gain(COMPLETE_THE_CART, "worst", "best", "hit@1") == Estimate(-1.0, -1.0, -1.0)


def test_the_same_seed_gives_the_same_report() -> None:
    def figures(seed):
        report = evaluate(orders_of(*["abc", "cd", "bd"] * 40), [fixed("m", 4, 3, 2, 1)], seed=seed)
        return [result.metrics for result in report.results]

    assert figures(3) == figures(3)
    assert figures(3) != figures(4)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    held = 0
    for seed in range(200):
        hits = np.where(random.random(150) < 0.3, 1, 0)
        weights = evaluation._resampled(150, 200, seed)
        found = measure(Answers(hits, np.full((150, 10), -1)), np.zeros(150, np.int64), ints(1), weights)[
            "hit@1"
        ]
        held += found.low <= 0.3 <= found.high

    # 95 % of 200 is 190; three standard deviations below, and one lost to few resamples.
    assert held >= 180
