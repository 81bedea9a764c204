"""What is bought by the same customers in different orders."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recommendations.association import lift, log_likelihood_ratio
from app.recommendations.purchases import NOBODY
from app.recommendations.ranking import Gates
from app.recommendations.same_shoppers import Shoppers, returning_customers, same_shoppers, sessions, viewers
from tests.recommendations.sales import Sale, history

OPEN = Gates(min_orders=1, min_lift=0, min_llr=0)
A, B, C, D = 1, 2, 3, 4


def customer(number: int, *orders: Sequence[int]) -> list[Sale]:
    return [(100 + place, number, products) for place, products in enumerate(orders)]


def customers(first: int, count: int, *orders: Sequence[int]) -> list[Sale]:
    return [sale for number in range(first, first + count) for sale in customer(number, *orders)]


def found(
    *sales: list[Sale], gates: Gates = OPEN, cap: int = 300, also: Sequence[tuple[Shoppers, float]] = ()
) -> dict[tuple[int, int], tuple[int, float]]:
    """Return customers and score of every ordered pair that is shown."""
    told = returning_customers(history([sale for some in sales for sale in some]), cap)
    return {
        (int(product), int(ranked.others[place])): (int(ranked.orders[place]), float(ranked.score[place]))
        for ranked in same_shoppers(told, gates, 50, also)
        for row, product in enumerate(ranked.products)
        for place in range(ranked.indptr[row], ranked.indptr[row + 1])
    }


def counted(*sales: list[Sale], **options: int) -> dict[tuple[int, int], int]:
    return {pair: number for pair, (number, _) in found(*sales, **options).items()}  # type: ignore[arg-type]


def test_products_of_different_orders_are_counted_by_customers() -> None:
    sales = customers(1, 6, [A], [B]) + customers(11, 3, [A], [C])

    assert counted(sales) == {(A, B): 6, (B, A): 6}


def test_products_of_one_order_alone_are_not() -> None:
    sales = customers(1, 6, [A, B], [C])

    assert counted(sales) == {(A, C): 6, (C, A): 6, (B, C): 6, (C, B): 6}


def test_products_of_one_order_are_once_one_of_them_was_bought_again() -> None:
    sales = customers(1, 6, [A, B], [B])

    assert counted(sales) == {(A, B): 6, (B, A): 6}


def test_a_customer_counts_once_however_often_they_came() -> None:
    sales = customers(1, 5, [A], [B], [A], [B], [A, B])

    assert counted(sales) == {(A, B): 5, (B, A): 5}


@pytest.mark.parametrize(("count", "pairs"), [(4, {}), (5, {(A, B): 5, (B, A): 5})], ids=["four", "five"])
def test_fewer_than_five_customers_are_never_shown_whatever_the_gates(
    count: int, pairs: dict[tuple[int, int], int]
) -> None:
    assert counted(customers(1, count, [A], [B]), customers(11, 9, [C], [D], [C])) == pairs | {
        (C, D): 9,
        (D, C): 9,
    }


def test_orders_of_nobody_are_nobodys() -> None:
    assert counted(customers(1, 5, [A], [B]), [(100, NOBODY, [p]) for p in (A, C) for _ in range(9)]) == {
        (A, B): 5,
        (B, A): 5,
    }


def test_who_came_once_says_nothing() -> None:
    told = returning_customers(history(customers(1, 5, [A], [B]) + customers(11, 9, [A, B])))

    assert len(told.indptr) - 1 == 5


def test_who_buys_too_much_is_left_out() -> None:
    sales = customers(1, 5, [A], [B, C])

    assert counted(sales, cap=2) == {}
    assert counted(sales, cap=3) == {(A, B): 5, (B, A): 5, (A, C): 5, (C, A): 5}


def test_the_gates_are_those_of_customers_who_came_back() -> None:
    # given 30 returning customers, of whom 6 have both
    sales = [
        *customers(1, 6, [A], [B]),
        *customers(11, 4, [A], [C]),
        *customers(21, 2, [B], [C]),
        *customers(31, 18, [C], [D]),
        *customers(61, 50, [A, B]),
    ]
    pair_lift, llr = float(lift(6, 10, 8, 30)), float(log_likelihood_ratio(6, 4, 2, 18))

    assert (A, B) in found(sales, gates=Gates(6, pair_lift, llr - 1e-6))
    assert (A, B) not in found(sales, gates=Gates(7, 0, 0))
    assert (A, B) not in found(sales, gates=Gates(6, pair_lift + 1e-6, 0))
    assert (A, B) not in found(sales, gates=Gates(6, 0, llr + 1e-6))


def test_who_buys_many_things_says_less_of_each() -> None:
    few = customers(1, 5, [A], [B])
    many = customers(11, 5, [A], [C, *range(100, 108)])

    scores = {pair: score for pair, (_, score) in found(few, many).items()}

    # With weights 1 and 1/3 of 2^16, A has 5 and 5/3.
    assert scores[A, B] == pytest.approx(5 / ((20 / 3) ** 0.6 * 5**0.4), rel=1e-4)
    assert scores[A, C] == pytest.approx((5 / 3) / ((20 / 3) ** 0.6 * (5 / 3) ** 0.4), rel=1e-4)


def test_visits_move_scores_and_neither_what_is_shown_nor_what_is_said() -> None:
    sales = customers(1, 6, [A], [B]) + customers(11, 6, [A], [C])
    visits = sessions(np.arange(0, 42, 2), np.array([A, C] * 10 + [A, D] * 10))

    without, with_visits = found(sales), found(sales, also=[(visits, 0.5)])

    assert {pair: number for pair, (number, _) in with_visits.items()} == {
        pair: number for pair, (number, _) in without.items()
    }
    assert without[A, B][1] == without[A, C][1]
    assert with_visits[A, B][1] < with_visits[A, C][1]


def looked_at(*visits: tuple[int, Sequence[int]], cap: int = 300) -> Shoppers:
    """Return who looked at what, from visits of a person."""
    indptr = np.cumsum([0, *(len(products) for _, products in visits)])
    products = np.array([product for _, products in visits for product in products], np.int64)
    return viewers(indptr, products, np.array([person for person, _ in visits], np.int64), cap)


def test_a_person_looks_at_a_product_once_however_often_they_come() -> None:
    found = looked_at((7, [A, B]), (9, [A, C]), (7, [B, C]), (7, [A, B]))

    assert found.indptr.tolist() == [0, 3, 5]
    assert found.products.tolist() == [A, B, C, A, C]


def test_who_looks_at_everything_is_left_out() -> None:
    found = looked_at((1, [A, B]), (1, [C, D]), (2, [A, B]), cap=3)

    assert (found.indptr.tolist(), found.products.tolist()) == ([0, 2], [A, B])
    assert looked_at().indptr.tolist() == [0]


@pytest.mark.parametrize(("people", "pairs"), [(4, set()), (5, {(A, B), (B, A)})], ids=["four", "five"])
def test_what_fewer_than_five_people_looked_at_together_is_never_shown(
    people: int, pairs: set[tuple[int, int]]
) -> None:
    # given that each of them came three times
    told = looked_at(*((person, [A, B]) for person in range(people) for _ in range(3)))

    shown = {
        (int(product), int(other))
        for ranked in same_shoppers(told, OPEN, 50)
        for row, product in enumerate(ranked.products)
        for other in ranked.others[ranked.indptr[row] : ranked.indptr[row + 1]]
    }

    assert shown == pairs


def test_without_orders_there_is_nothing() -> None:
    assert found([]) == {}


stories = st.lists(
    st.tuples(st.integers(0, 5), st.lists(st.integers(1, 5), min_size=1, unique=True)), max_size=40
)


@settings(max_examples=40, deadline=None)
@given(story=stories, copies=st.integers(5, 6), shift=st.integers(1, 9))
def test_the_counts_are_those_of_the_definition(
    story: list[tuple[int, list[int]]], copies: int, shift: int
) -> None:
    # given every customer so many times, so that nobody is too few
    sales: list[Sale] = [
        (100, number * 10 + copy + shift if number else NOBODY, products)
        for number, products in story
        for copy in range(copies)
    ]
    by_customer: dict[int, list[set[int]]] = {}
    for _, number, products in sales:
        if number != NOBODY:
            by_customer.setdefault(number, []).append(set(products))

    expected: dict[tuple[int, int], int] = {}
    for orders in by_customer.values():
        pairs = {
            (a, b)
            for place, first in enumerate(orders)
            for other, second in enumerate(orders)
            if place != other
            for a in first
            for b in second
            if a != b
        }
        for pair in pairs:
            expected[pair] = expected.get(pair, 0) + 1

    # Lift is below 1 where the table of all customers has no room for who has both of one order only.
    returning = [orders for orders in by_customer.values() if len(orders) > 1]
    held = {product: sum(product in set().union(*orders) for orders in returning) for product in range(1, 6)}
    possible = {p: n for p, n in expected.items() if held[p[0]] + held[p[1]] - n <= len(returning)}
    assert counted(sales) == possible
