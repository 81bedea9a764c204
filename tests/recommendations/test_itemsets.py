"""Sets of three and four products, against a plain count over all of them."""

from collections import Counter
from fractions import Fraction
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recommendations import association, itemsets
from app.recommendations.indexing import Baskets
from app.recommendations.itemsets import Found, Lists, Sets
from app.recommendations.ranking import Gates

OPEN = Gates(min_orders=1, min_lift=0.0, min_llr=0.0)
MEASURES = ("support", "lift", "lift_over_pair", "llr", "completion")


def baskets_of(*orders: str) -> Baskets:
    """Return baskets whose products are letters; a product's id is its letter's code."""
    lines = [ord(letter) for order in orders for letter in order]
    return Baskets(
        np.concatenate(([0], np.cumsum([len(order) for order in orders], dtype=np.int64))),
        np.array(lines, dtype=np.int64),
        np.zeros(len(orders), dtype=np.int64),
    )


def by_name(*tables: Sets) -> dict[str, dict[str, Any]]:
    """Return the measures of sets, by their letters."""
    return {
        "".join(map(chr, sets.products[row])): {
            "orders": sets.orders[row].item(),
            **{name: getattr(sets, name)[row].item() for name in MEASURES},
        }
        for sets in tables
        for row in range(len(sets))
    }


def names(found: Found) -> dict[str, int]:
    """Return in how many orders each set stands, by its letters."""
    return {name: measures["orders"] for name, measures in by_name(found.threes, found.fours).items()}


def listed(lists: Lists) -> tuple[list[str], dict[str, list[str]]]:
    """Return the letters of the sets of each list."""
    return (
        ["".join(map(chr, c.products)) for c in lists.store],
        {
            chr(product): ["".join(map(chr, c.products)) for c in chosen]
            for product, chosen in lists.products.items()
        },
    )


def brute_force(orders: list[str], gates: Gates, cap: int) -> dict[str, dict[str, Any]]:
    """Return what is to be found, by counting every set of one to four products in every basket."""
    kept = [sorted(set(order)) for order in orders if 0 < len(set(order)) <= cap]
    total = len(kept)
    held = Counter("".join(s) for basket in kept for k in (1, 2, 3, 4) for s in combinations(basket, k))

    def llr(one: str, other: str) -> float:
        both = held["".join(sorted(one + other))]
        if both * total <= held[one] * held[other]:
            return 0.0
        return float(
            association.log_likelihood_ratio(
                both, held[one] - both, held[other] - both, total - held[one] - held[other] + both
            )
        )

    def gated(a: str, b: str) -> bool:
        lift = Fraction(held[a + b] * total, held[a] * held[b])
        n = held[a + b]
        g2 = association.log_likelihood_ratio(n, held[a] - n, held[b] - n, total - held[a] - held[b] + n)
        return n >= gates.min_orders and lift >= Fraction(gates.min_lift) and float(g2) >= gates.min_llr

    looked_at = {
        s
        for s, n in held.items()
        if len(s) > 2 and n >= gates.min_orders and all(gated(a, b) for a, b in combinations(s, 2))
    }
    closed = {
        s for s in looked_at if not any(set(s) < set(t) and held[t] == held[s] for t in looked_at)
    }  # fmt: skip
    found = {}
    for s in closed:
        n, size = held[s], len(s)
        rests = {pair: set(s) - set(pair) for pair in combinations(s, 2)}
        parts = [p for k in range(1, size // 2 + 1) for p in combinations(s, k)]
        nearly = sum(held["".join(t)] for t in combinations(s, size - 1))
        found[s] = {
            "orders": n,
            "support": n / total,
            "lift": float(Fraction(n * total ** (size - 1), prod(held[p] for p in s))),
            "lift_over_pair": float(
                min(
                    Fraction(n * total ** (size - 2), held["".join(pair)] * prod(held[p] for p in rest))
                    for pair, rest in rests.items()
                )
            ),
            "llr": min(llr("".join(p), "".join(x for x in s if x not in p)) for p in parts),
            "completion": float(Fraction(n, nearly - (size - 1) * n)),
        }
    return found


histories = st.lists(st.text("abcdefg", max_size=7), max_size=30)
gates_of_pairs = st.builds(
    Gates,
    min_orders=st.integers(1, 4),
    min_lift=st.sampled_from([0.0, 1.0, 1.5]),
    min_llr=st.sampled_from([0.0, 0.5, 3.0]),
)


@settings(max_examples=300, deadline=None)
@given(orders=histories, gates=gates_of_pairs, cap=st.integers(2, 7), threads=st.integers(1, 2))
def test_exactly_the_closed_sets_are_found(orders: list[str], gates: Gates, cap: int, threads: int) -> None:
    found = itemsets.find(baskets_of(*orders), gates, cap, threads=threads)

    expected = brute_force(orders, gates, cap)
    actual = by_name(found.threes, found.fours)
    assert actual.keys() == expected.keys()
    for name, measures in expected.items():
        assert actual[name] == pytest.approx(measures, rel=1e-12, abs=1e-9), name
    assert found.store_orders == sum(0 < len(set(order)) <= cap for order in orders)
    assert (found.least_threes, found.least_fours, found.basket_cap) == (gates.min_orders,) * 2 + (cap,)
    assert [s.products.tolist() for s in (found.threes, found.fours)] == [
        sorted([ord(letter) for letter in name] for name in expected if len(name) == size) for size in (3, 4)
    ]


def test_what_the_measures_say() -> None:
    # Of 20 orders 5 hold a, b and c, one more a and b; c stands in 8, d in 11.
    found = itemsets.find(
        baskets_of(*["abc"] * 5, "ab", *["cd"] * 3, *["d"] * 8, *["e"] * 3), Gates(3, 1.0, 0.0), 100
    )

    assert by_name(found.threes, found.fours) == {
        "abc": {
            "orders": 5,
            "support": 0.25,
            "lift": pytest.approx(5 * 20**2 / (6 * 6 * 8)),
            # a and b, with c by chance, would give 6 * 8 / 20 = 2.4; any other pair less.
            "lift_over_pair": pytest.approx(5 / 2.4),
            # 5 of 6 orders with a and b hold c, 3 of the 14 others.
            "llr": pytest.approx(float(association.log_likelihood_ratio(5, 1, 3, 11))),
            # 6 orders hold two of the three, 5 of them all.
            "completion": pytest.approx(5 / 6),
        }
    }


def test_two_pairs_that_meet_by_chance_are_no_set_of_four() -> None:
    # a goes with b, and c with d; each pair stands in every other order, whatever the other does.
    found = itemsets.find(baskets_of(*["abcd", "ab", "cd", "x"] * 25), OPEN, 100)

    measures = by_name(found.fours)["abcd"]
    assert (measures["lift"], measures["lift_over_pair"]) == (4.0, 2.0)
    assert measures["llr"] == 0.0
    assert itemsets.choose(found, Gates(), 10, 10).store == []


def test_a_set_that_is_always_bought_with_a_fourth_is_not_listed_beside_it() -> None:
    found = itemsets.find(baskets_of(*["abcd"] * 4, *["abe"] * 3, *["x"] * 9), Gates(3, 0.0, 0.0), 100)

    assert names(found) == {"abcd": 4, "abe": 3}


def test_a_fourth_product_that_stands_in_everything_does_not_hide_a_set() -> None:
    # z is in all orders: a pair with it has lift 1 and does not pass.
    orders = [*["abcz"] * 5, *["z"] * 15]

    assert names(itemsets.find(baskets_of(*orders), Gates(3, 1.2, 0.0), 100)) == {"abc": 5}
    assert names(itemsets.find(baskets_of(*orders), Gates(3, 1.0, 0.0), 100)) == {"abcz": 5}


def test_a_set_one_of_whose_pairs_does_not_pass_is_not_looked_at() -> None:
    # a and c meet less often than by chance.
    found = itemsets.find(
        baskets_of(*["abc"] * 3, *["ab", "bc"] * 10, *["a", "c"] * 20), Gates(3, 1.0, 0.0), 100
    )

    assert names(found) == {}


@pytest.mark.parametrize("orders", [[], [""], ["a", "ab", "abb"]], ids=["none", "an empty one", "pairs"])
def test_without_a_basket_of_three_there_is_nothing(orders: list[str]) -> None:
    found = itemsets.find(baskets_of(*orders), OPEN, 100)

    assert (len(found.threes), len(found.fours)) == (0, 0)
    assert listed(itemsets.choose(found, OPEN, 10, 10)) == ([], {})


@settings(max_examples=100, deadline=None)
@given(orders=histories, most=st.integers(1, 12))
def test_of_too_many_sets_those_with_the_most_orders_are_kept(orders: list[str], most: int) -> None:
    everything = brute_force(orders, OPEN, 7)
    held = Counter(
        (k, "".join(s)) for o in orders for k in (3, 4) for s in combinations(sorted(set(o)), k)
    )  # fmt: skip

    found = itemsets.find(baskets_of(*orders), OPEN, 7, max_sets=most)

    def least(size: int, at_least: int) -> int:
        counts = [n for (k, _), n in held.items() if k == size]
        return next(m for m in range(at_least, 40) if sum(n >= m for n in counts) <= most)

    assert found.least_threes == least(3, 1)
    assert found.least_fours == least(4, found.least_threes)
    fours = {s: m["orders"] for s, m in everything.items() if len(s) == 4}
    assert {s: n for s, n in names(found).items() if len(s) == 4} == {
        s: n for s, n in fours.items() if n >= found.least_fours
    }
    threes = {s: n for (k, s), n in held.items() if k == 3 and n >= found.least_threes}
    looked_at = {s: n for s, n in fours.items() if n >= found.least_fours}
    assert {s: n for s, n in names(found).items() if len(s) == 3} == {
        s: n for s, n in threes.items() if not any(set(s) < set(t) and n == m for t, m in looked_at.items())
    }


@pytest.mark.parametrize(
    ("work", "cap", "orders"),
    [(37, 7, 4), (36, 6, 3), (2, 6, 3), (1, 2, 1)],
    ids=["everything", "not the largest", "just enough", "no set at all"],
)
def test_too_much_work_leaves_the_largest_baskets_out(work: int, cap: int, orders: int) -> None:
    # The basket of 7 holds 35 sets of three, those of 3 one each.
    found = itemsets.find(baskets_of("abcdefg", "abc", "abd", "x"), OPEN, 7, max_work=work)

    assert (found.basket_cap, found.store_orders) == (cap, orders)
    assert len(found.fours) == (35 if cap == 7 else 0)


def test_what_does_not_depend_on_threads_or_on_the_order_of_lines() -> None:
    generator = np.random.default_rng(4)
    orders = [
        "".join(generator.permutation(list("abcdefghijkl"))[: generator.integers(1, 9)]) for _ in range(400)
    ]

    one = itemsets.find(baskets_of(*orders), Gates(2, 0.9, 0.0), 100, threads=1)
    two = itemsets.find(
        baskets_of(*(order[::-1] for order in orders[::-1])), Gates(2, 0.9, 0.0), 100, threads=2
    )

    assert len(one.fours) > 100
    for name in ("products", "orders", *MEASURES):
        assert np.array_equal(getattr(one.threes, name), getattr(two.threes, name))
        assert np.array_equal(getattr(one.fours, name), getattr(two.fours, name))


def test_agreement_with_eclat() -> None:
    fim = pytest.importorskip("fim")
    generator = np.random.default_rng(7)
    popularity = 1 / np.arange(1, 61)
    orders = [
        sorted(generator.choice(60, generator.integers(1, 15), replace=False, p=popularity / popularity.sum()).tolist())
        for _ in range(3000)
    ]  # fmt: skip
    baskets = Baskets(
        np.concatenate(([0], np.cumsum([len(o) for o in orders]))),
        np.concatenate(orders).astype(np.int64),
        np.zeros(len(orders), np.int64),
    )

    found = itemsets.find(baskets, Gates(20, 0.0, 0.0), 100)

    frequent = {frozenset(items): n for items, n in fim.eclat(orders, target="s", supp=-20, zmin=3, zmax=4)}
    closed = {
        s: n
        for s, n in frequent.items()
        if len(s) == 4 or not any(frequent.get(s | {p}) == n for p in range(60) if p not in s)
    }  # fmt: skip
    assert len(closed) > 1000
    assert {
        frozenset(products): n
        for sets in (found.threes, found.fours)
        for products, n in zip(sets.products.tolist(), sets.orders.tolist(), strict=True)
    } == closed


@pytest.mark.parametrize("bound", [{"min_orders": 0}, {"max_sets": 0}], ids=["orders", "sets"])
def test_bounds_below_one_are_refused(bound: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        itemsets.find(baskets_of("abc"), OPEN, 100, **bound)


# --- lists ----------------------------------------------------------------------------------------------


def test_lists_begin_with_the_surest_and_tell_no_pair_twice() -> None:
    # abc is surest; abd shares a pair with it, ade does not.
    orders = [*["abc"] * 9, *["abd"] * 7, *["aef"] * 5, *["x"] * 60]
    found = itemsets.find(baskets_of(*orders), Gates(3, 1.0, 0.0), 100)

    assert sorted(names(found)) == ["abc", "abd", "aef"]
    assert listed(itemsets.choose(found, Gates(3, 1.0, 0.0), 10, 10)) == (
        ["abc", "aef"],
        {"a": ["abc", "aef"], "b": ["abc"], "c": ["abc"], "d": ["abd"], "e": ["aef"], "f": ["aef"]},
    )


@settings(max_examples=150, deadline=None)
@given(orders=histories, limit=st.integers(1, 6), per_product=st.integers(1, 3))
def test_lists_are_what_taking_the_best_one_by_one_gives(
    orders: list[str], limit: int, per_product: int
) -> None:
    gates = Gates(1, 1.0, 0.2)
    found = itemsets.find(baskets_of(*orders), Gates(1, 0.0, 0.0), 7)
    passing = {
        name: m
        for name, m in by_name(found.threes, found.fours).items()
        if m["lift_over_pair"] >= 1.0 and m["llr"] >= 0.2
    }
    best = sorted(passing, key=lambda s: (-passing[s]["llr"], -passing[s]["orders"], len(s), s))

    def first_apart(names: list[str], length: int) -> list[str]:
        chosen: list[str] = []
        for name in names:
            if len(chosen) < length and all(len(set(name) & set(other)) < 2 for other in chosen):
                chosen.append(name)
        return chosen

    assert listed(itemsets.choose(found, gates, limit, per_product)) == (
        first_apart(best, limit),
        {
            letter: first_apart([s for s in best if letter in s], per_product)
            for letter in sorted({letter for s in best for letter in s})
        },
    )
