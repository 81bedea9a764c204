"""Exploration: one place is given away now and then, and how probable that was is known exactly."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommendations.exploration import MOST_RESERVE, Explored, explore

SHOWN, RESERVE = ["a", "b", "c", "d"], ["r1", "r2", "r3"]
lists = st.lists(st.sampled_from("abcdefghij"), unique=True, max_size=6)


def draws(count: int, percent: float, pinned: tuple[int, ...] = ()) -> list[Explored]:
    return [explore(SHOWN, RESERVE, f"d_{n}".encode(), percent, pinned=pinned) for n in range(count)]


@given(lists, lists, st.binary(max_size=20), st.floats(0, 100), st.sets(st.integers(0, 5)))
def test_whatever_is_drawn_the_first_and_the_pinned_stay_and_nothing_stands_twice(
    shown: list[str], reserve: list[str], seed: bytes, percent: float, pinned: set[int]
) -> None:
    found = explore(shown, reserve, seed, percent, pinned=pinned)

    assert len(found.shown) == len(set(found.shown)) == len(shown) == len(found.propensities)
    changed = [place for place in range(len(shown)) if found.shown[place] != shown[place]]
    assert changed == ([] if found.position is None else [found.position])
    assert all(0 < p <= 1 for p in (*found.propensities, found.propensity))
    if found.position is not None:
        assert found.position > 0
        assert found.position not in pinned
        assert found.product == found.shown[found.position]
        assert found.product in reserve
        assert found.propensity == found.propensities[found.position]
    assert explore(shown, reserve, seed, percent, pinned=pinned) == found


@pytest.mark.parametrize(
    ("shown", "reserve", "percent", "pinned"),
    [
        (SHOWN, RESERVE, 0, ()),
        (SHOWN, [], 100, ()),
        (SHOWN, ["a", "b"], 100, ()),
        (["a"], RESERVE, 100, ()),
        ([], RESERVE, 100, ()),
        (SHOWN, RESERVE, 100, (1, 2, 3)),
    ],
    ids=["none wanted", "no reserve", "reserve is shown", "one place", "no place", "all pinned"],
)
def test_where_nothing_can_be_given_away_everything_is_certain(
    shown: list[str], reserve: list[str], percent: float, pinned: tuple[int, ...]
) -> None:
    for n in range(20):
        found = explore(shown, reserve, str(n).encode(), percent, pinned=pinned)

        assert found == Explored(shown, propensities=(1.0,) * len(shown))


def test_only_the_nearest_of_the_reserve_take_part() -> None:
    reserve = [f"r{n}" for n in range(100)]

    found = {explore(SHOWN, reserve, str(n).encode(), 100).product for n in range(1000)}

    assert found == set(reserve[:MOST_RESERVE])


def test_places_and_products_come_as_often_as_their_propensities_say() -> None:
    count = 12_000
    found = draws(count, 30, pinned=(2,))

    seen = Counter((e.position, e.product) for e in found if e.position is not None)

    assert set(seen) == {(place, product) for place in (1, 3) for product in RESERVE}
    expected = 0.3 / 6
    assert {e.propensity for e in found if e.position is not None} == {expected}
    spread = 5 * math.sqrt(expected * (1 - expected) / count)  # five standard deviations
    assert all(abs(times / count - expected) < spread for times in seen.values())
    assert {e.propensities for e in found if e.position is None} == {(1.0, 0.85, 1.0, 0.85)}
    assert {e.propensity for e in found if e.position is None} == {0.7}


@pytest.mark.parametrize("target", [("b", 1), ("r2", 1), ("r3", 3), ("d", 3)])
def test_weighing_by_propensities_estimates_a_known_average_without_bias(target: tuple[str, int]) -> None:
    """Each product has a known rate of clicks at each place; the logs estimate it for a list never shown as such."""
    product, place = target
    rate = {"a": 0.5, "b": 0.4, "c": 0.3, "d": 0.2, "r1": 0.6, "r2": 0.7, "r3": 0.1}
    count = 20_000
    found = draws(count, 50)

    # The inverse propensity score of "this product at this place": its rate where it stood there, else nothing.
    scores = [rate[product] / e.propensities[place] if e.shown[place] == product else 0.0 for e in found]

    mean = math.fsum(scores) / count
    error = math.sqrt(math.fsum((s - mean) ** 2 for s in scores) / (count - 1) / count)
    assert abs(mean - rate[product]) < 4.5 * error
    assert error < 0.05 * rate[product]


def test_the_propensities_of_all_that_may_stand_at_a_place_make_one() -> None:
    found = draws(2_000, 40)
    at_place = {(e.shown[1], e.propensities[1]) for e in found}

    assert {product for product, _ in at_place} == {"b", *RESERVE}
    assert math.fsum(p for _, p in at_place) == pytest.approx(1)


def test_the_log_tells_what_was_drawn() -> None:
    found = next(e for e in draws(200, 30) if e.position is not None)

    assert found.to_json() == {
        "position": found.position,
        "product": found.product,
        "propensity": 0.3 / 9,
        "propensities": [pytest.approx(p) for p in found.propensities],
    }
