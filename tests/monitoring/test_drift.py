"""Drift is what chance does not explain: mixes, the catalogue, ready lists, empty answers."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.monitoring.drift import MEASURES, Answers, Counted, Measure, Sold, by_chance, judge, stability


def sold(product: int, before: int, after: int, **fields: object) -> Sold:
    """Return a product that may be shown and has a list."""
    known = {"category": f"c{product % 2}", "eligible": True, "listed": True, **fields}
    return Sold(product_id=product, before=before, after=after, **known)  # type: ignore[arg-type]


STEADY = Counted(
    sold=[sold(n, 400, 100) for n in range(10)],
    orders_before=2000,
    orders_after=500,
    eligible=100,
    new=5,
    weight=1000,
    gone_weight=100,
    answers=[Answers("product", 4000, 400, 1000, 100)],
)


def measure(counted: Counted, name: str) -> Measure:
    """Return one measure."""
    (one,) = (found for found in judge(counted) if found.measure == name)
    return one


def test_a_steady_shop_is_in_order() -> None:
    found = judge(STEADY)

    assert [m.measure for m in found] == list(MEASURES)
    assert {m.level for m in found} == {"ok"}
    assert [m.value for m in found] == [0.0, 0.0, 0.05, 0.1, 0.0, 0.0]


def test_the_index_is_that_of_the_formula() -> None:
    # Shares 0.25 and 0.75, then 0.5 and 0.5, of so many pieces that half of one is nothing: 0.25 ln 3.
    index, groups = stability({"a": 10**9, "b": 3 * 10**9}, {"a": 10**9, "b": 10**9})

    assert index == pytest.approx(0.274653, abs=1e-6)
    assert groups == 2


def test_small_groups_count_as_one() -> None:
    before = dict.fromkeys(range(200), 1)

    index, groups = stability(before, before)

    assert (index, groups) == (0.0, 51)


@given(
    st.dictionaries(st.integers(0, 70), st.integers(0, 1000), min_size=1),
    st.dictionaries(st.integers(0, 70), st.integers(0, 1000), min_size=1),
)
def test_the_index_is_never_negative_and_the_same_both_ways(
    before: dict[int, int], after: dict[int, int]
) -> None:
    index, _ = stability(before, after)

    assert index >= -1e-12
    if len(before.keys() | after.keys()) <= 50:
        assert stability(after, before)[0] == pytest.approx(index, abs=1e-12)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [(2, 10.828), (11, 29.588), (51, 86.661)],
    ids=["1 degree", "10 degrees", "50 degrees"],
)
def test_chance_is_the_quantile_of_chi_squared(groups: int, expected: float) -> None:
    # Upper 0.1 % points of the chi-squared distribution, from tables.
    assert by_chance(groups, 2000, 500) == pytest.approx(expected * (1 / 2000 + 1 / 500), rel=0.035)


def test_one_group_cannot_move() -> None:
    assert by_chance(1, 100, 100) == 0.0


def test_chance_alone_is_rarely_called_drift() -> None:
    rng = random.Random(7)
    weights = [1 / (n + 1) for n in range(30)]
    exceeded = 0
    for _ in range(400):
        before, after = (
            {n: drawn.count(n) for n in range(30)}
            for drawn in (rng.choices(range(30), weights, k=size) for size in (400, 100))
        )
        index, groups = stability(before, after)
        exceeded += index > by_chance(groups, 400, 100)

    assert exceeded <= 4


def test_other_categories_than_before_are_warned_of() -> None:
    moved = [sold(n, 400, 190 if n % 2 else 10) for n in range(10)]

    found = measure(replace(STEADY, sold=moved), "category_mix")

    assert (found.level, found.warn_from, found.error_from) == ("warn", 0.25, None)
    assert found.value == pytest.approx(0.45 * 2.9444, abs=0.02)  # 0.9 ln(0.95 / 0.05) / 2, nearly


def test_the_same_movement_is_nothing_in_a_small_shop() -> None:
    moved = [sold(n, 40 + n % 2, 11 + 3 * (n % 3)) for n in range(50)]

    found = measure(replace(STEADY, sold=moved, orders_before=400, orders_after=100), "product_mix")

    assert found.warn_from == pytest.approx(85.35 * 0.0125, rel=0.01)
    assert found.level == "ok"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"orders_after": 99}, "category_mix"),
        ({"orders_before": 99}, "product_mix"),
        ({"orders_after": 99}, "without_list"),
        ({"sold": []}, "without_list"),
        ({"eligible": 0, "new": 0}, "new_products"),
        ({"weight": 0, "gone_weight": 0}, "gone_products"),
        ({"answers": []}, "empty_answers"),
        ({"answers": [Answers("product", 499, 0, 5000, 5000)]}, "empty_answers"),
    ],
    ids=["few orders", "few before", "few for lists", "nothing sold", "no catalogue", "no model", "no answers",
         "few answers"],
)  # fmt: skip
def test_too_little_to_tell_waits(changes: dict[str, object], name: str) -> None:
    found = measure(replace(STEADY, **changes), name)  # type: ignore[arg-type]

    assert (found.level, found.value) == ("waiting", None)
    assert found.message


@pytest.mark.parametrize(
    ("changes", "name", "level"),
    [
        ({"new": 19}, "new_products", "ok"),
        ({"new": 20}, "new_products", "warn"),
        ({"new": 50}, "new_products", "error"),
        ({"gone_weight": 300}, "gone_products", "warn"),
        ({"gone_weight": 600}, "gone_products", "error"),
    ],
    ids=["few new", "many new", "most new", "many gone", "most gone"],
)
def test_the_catalogue_is_judged_by_shares(changes: dict[str, int], name: str, level: str) -> None:
    assert measure(replace(STEADY, **changes), name).level == level  # type: ignore[arg-type]


def test_products_without_a_list_count_by_what_they_sell_where_they_may_be_shown() -> None:
    goods = [
        sold(1, 0, 60),
        sold(2, 0, 40, listed=False),
        sold(3, 0, 500, listed=False, eligible=False),
    ]

    found = measure(replace(STEADY, sold=goods), "without_list")

    assert (found.value, found.level) == (0.4, "warn")


def test_empty_answers_count_by_their_growth_in_the_worst_slot() -> None:
    answers = [
        Answers("cart", 4000, 3600, 1000, 920),
        Answers("home", 4000, 40, 1000, 320),
    ]

    found = measure(replace(STEADY, answers=answers), "empty_answers")

    assert (found.value, found.level) == (0.31, "error")
    assert found.message == (
        "In the last 7 days 32% of the answers of the slot home were empty, and 1% in the 28 before."
    )
