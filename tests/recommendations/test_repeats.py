"""The rhythm of buying again: intervals, censoring, borrowing, and what follows for a shopper."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import CensoredData, ecdf

from app.recommendations.purchases import NOBODY
from app.recommendations.repeats import HORIZON_DAYS, Repeat, Repeats, due, kaplan_meier, repeats, rests
from tests.recommendations.sales import Sale, history

TODAY = 20_000
COFFEE, LAMP = 1, 2


def bought(product: int, customer: int, *days_ago: int) -> list[Sale]:
    return [(TODAY - age, customer, (product,)) for age in days_ago]


def learned(*sales: Sequence[Sale], categories: dict[int, str] | None = None) -> Repeats:
    return repeats(history(sale for some in sales for sale in some), TODAY, categories or {})


def monthly(product: int, first_customer: int, customers: int = 30) -> list[Sale]:
    return [
        sale
        for customer in range(first_customer, first_customer + customers)
        for sale in bought(product, customer, 400, 370, 340, 310)
    ]


def once(product: int, first_customer: int, customers: int = 30, age: int = 400) -> list[Sale]:
    return [
        sale
        for customer in range(first_customer, first_customer + customers)
        for sale in bought(product, customer, age)
    ]


def test_a_monthly_product_has_a_monthly_rhythm() -> None:
    found = learned(monthly(COFFEE, 1))

    assert found.products == {COFFEE: Repeat(days=30.0, spread=0.5, customers=30, share=1.0)}
    assert found.store == found.products[COFFEE]


def test_what_everybody_buys_once_has_a_small_share() -> None:
    found = learned(monthly(COFFEE, 1, 100), once(LAMP, 1001, 100)).products

    assert found[COFFEE].share > 0.97
    assert found[LAMP].share < 0.03


def test_who_bought_lately_is_not_held_to_have_stayed_away() -> None:
    # given that everybody who had the time for it bought again, and as many who had a week
    found = learned(monthly(COFFEE, 1), once(COFFEE, 1001, age=7)).products[COFFEE]

    assert (found.customers, found.share, found.days) == (60, 1.0, 30.0)


def test_who_buys_often_does_not_outvote_the_others() -> None:
    # given one who buys every day, and nine who do so every forty days
    often = bought(COFFEE, 1, *range(300, 400))
    rarely = [sale for customer in range(2, 11) for sale in bought(COFFEE, customer, 400, 360)]

    assert learned(often, rarely).products[COFFEE].days == 40.0


def test_two_orders_of_one_day_are_one_purchase() -> None:
    doubled = [sale for customer in range(1, 11) for sale in bought(COFFEE, customer, 400, 400, 370, 370)]

    assert learned(doubled).products[COFFEE].days == 30.0


@pytest.mark.parametrize(("customers", "known"), [(4, False), (5, True)], ids=["four", "five"])
def test_nothing_is_said_of_fewer_than_five_customers(customers: int, known: bool) -> None:
    found = learned(monthly(COFFEE, 1), monthly(LAMP, 1001, customers))

    assert (LAMP in found.products) is known


def test_nobody_is_not_a_customer() -> None:
    found = learned(monthly(COFFEE, 1), [sale for _ in range(50) for sale in bought(LAMP, NOBODY, 40, 10)])

    assert set(found.products) == {COFFEE}


def test_the_future_is_not_known() -> None:
    later = [sale for customer in range(1, 31) for sale in bought(COFFEE, customer, -1, -31)]

    assert learned(monthly(COFFEE, 1), later) == learned(monthly(COFFEE, 1))


@pytest.mark.parametrize("sales", [[], once(COFFEE, 1), monthly(COFFEE, 1, 4)], ids=["none", "once", "four"])
def test_a_store_without_repeats_says_nothing(sales: list[Sale]) -> None:
    assert learned(sales) == Repeats({}, None)


def test_a_product_of_few_customers_borrows_from_its_category() -> None:
    drinks = [monthly(product, 100 * product, 40) for product in range(10, 15)]
    lamps = [once(product, 100 * product, 40) for product in range(20, 25)]
    categories = {**dict.fromkeys(range(10, 15), "drinks"), **dict.fromkeys(range(20, 25), "lamps")}
    few = [once(30, 5000, 5, age=20), once(31, 6000, 5, age=20)]

    found = learned(*drinks, *lamps, *few, categories={**categories, 30: "drinks", 31: "lamps"}).products

    assert found[30].share > 0.8
    assert found[31].share < 0.2


sold = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(0, 500)), min_size=1, max_size=80
)


@settings(max_examples=25, deadline=None)
@given(sales=sold, shift=st.integers(1, 1000), seed=st.randoms(use_true_random=False))
def test_who_the_customers_are_does_not_matter(
    sales: list[tuple[int, int, int]], shift: int, seed: random.Random
) -> None:
    renamed = [bought(product, shift + 13 - customer, age) for product, customer, age in sales]
    seed.shuffle(renamed)

    one = learned(*(bought(product, customer, age) for product, customer, age in sales))
    other = learned(*renamed)

    assert one.products.keys() == other.products.keys()
    for product, repeat in one.products.items():
        assert other.products[product].share == pytest.approx(repeat.share)
        assert other.products[product].days == pytest.approx(repeat.days)
        assert 0 <= repeat.share <= 1
        assert repeat.days >= 1
        assert repeat.spread > 0


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=5, max_size=60),
)
def test_the_curve_is_scipys_while_enough_are_at_risk(lengths: list[tuple[int, bool]]) -> None:
    days = np.array([length for length, _ in lengths])
    ended = np.array([end for _, end in lengths])
    times, share = kaplan_meier(days, ended, np.ones(len(days)))

    curve = ecdf(CensoredData(uncensored=days[ended], right=days[~ended])).cdf
    enough = np.array([(days >= time).sum() >= 5 and (days[ended] == time).any() for time in curve.quantiles])

    assert times.tolist() == curve.quantiles[enough].tolist()
    assert share == pytest.approx(curve.probabilities[enough])


# --- what follows ---------------------------------------------------------------------------------------

RHYTHM = Repeat(days=30, spread=5, customers=50, share=0.6)


def test_a_product_is_most_due_at_its_interval() -> None:
    scores = {age: due(age, 1, RHYTHM) for age in (0, 15, 30, 45, 90, 300)}

    assert scores[30] == pytest.approx(0.6)
    assert scores[0] < scores[15] < scores[45] < scores[30]
    assert scores[300] < scores[90] < scores[45]


def test_who_has_bought_it_again_is_likelier_to() -> None:
    assert [due(30, count, RHYTHM) for count in (1, 2, 3)] == pytest.approx([0.6, 2.2 / 3, 0.8])


@given(
    age=st.floats(0, 5000),
    count=st.integers(1, 500),
    days=st.floats(1, HORIZON_DAYS),
    spread=st.floats(0, HORIZON_DAYS),
    share=st.floats(0, 1),
)
def test_due_is_a_share(age: float, count: int, days: float, spread: float, share: float) -> None:
    assert 0 <= due(age, count, Repeat(days, spread, 5, share)) <= 1


def test_who_never_bought_it_cannot_be_asked() -> None:
    with pytest.raises(ValueError, match="nothing to buy again"):
        due(30, 0, RHYTHM)


@pytest.mark.parametrize(
    ("age", "share", "resting"),
    [(10, 0.05, True), (364, 0.05, True), (365, 0.05, False), (10, 0.1, False), (10, 0.6, False)],
    ids=["durable", "durable, nearly a year", "durable, a year", "just not durable", "consumable"],
)
def test_durable_goods_rest_for_a_year(age: int, share: float, resting: bool) -> None:
    assert rests(age, Repeat(30, 5, 50, share)) is resting


def test_a_repeat_is_read_from_its_ready_list() -> None:
    assert Repeat.of({"days": 30, "spread": 5.0, "customers": 50, "share": 0.6}) == RHYTHM
