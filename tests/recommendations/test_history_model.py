"""Models of small histories: what each customer has bought, as it is told with a request."""

from app.recommendations import scoring
from app.recommendations.evaluation import history
from app.recommendations.history_model import pasts_of

DAY_S = 86_400


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
