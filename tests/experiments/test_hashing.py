"""Hashing against what GrowthBook publishes, and against an implementation of its own.

The values named as published are those of GrowthBook's SDK specification, version 0.5.4
(https://github.com/growthbook/growthbook, packages/sdk-js/test/cases.json): hash, getBucketRange, chooseVariation,
inNamespace and getEqualWeights, all of them.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from app.experiments.hashing import (
    bucket,
    bucket_ranges,
    choose_variation,
    equal_weights,
    fnv1a_32,
    in_namespace,
)
from tests.experiments import published

PUNCTUATION = '___)((*":&'
HALVES = [(0, 0.5), (0.5, 1)]
QUARTERS = [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]
COVERED_HALVES = [(0, 0.25), (0.5, 0.75)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)],
    ids=["empty", "one letter", "a word"],
)
def test_fnv_1a_has_the_values_of_its_authors(text: str, expected: int) -> None:
    assert fnv1a_32(text) == expected


def test_text_beyond_ascii_is_hashed_by_utf_16_code_units() -> None:
    # One unit of 0x20AC: ((offset ^ 0x20AC) * prime) mod 2^32.
    assert fnv1a_32("€") == (0x811C9DC5 ^ 0x20AC) * 0x01000193 % 2**32
    assert fnv1a_32("😀") == fnv1a_32("\ud83d\ude00")


@pytest.mark.parametrize(
    ("seed", "unit", "version", "expected"),
    [
        ("", "a", 1, 0.22),
        ("", "b", 1, 0.077),
        ("b", "a", 1, 0.946),
        ("ef", "d", 1, 0.652),
        ("asdf", "8952klfjas09ujk", 1, 0.549),
        ("", "123", 1, 0.011),
        ("", PUNCTUATION, 1, 0.563),
        ("seed", "a", 2, 0.0505),
        ("seed", "b", 2, 0.2696),
        ("foo", "ab", 2, 0.2575),
        ("foo", "def", 2, 0.2019),
        ("89123klj", "8952klfjas09ujkasdf", 2, 0.124),
        ("90850943850283058242805", "123", 2, 0.7516),
        ("()**(%$##$%#$#", PUNCTUATION, 2, 0.0128),
    ],
)
def test_published_hashes(seed: str, unit: str, version: int, expected: float) -> None:
    assert bucket(seed, unit, version) == expected


def test_another_version_of_the_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="no version 99"):
        bucket("abc", "def", 99)


@pytest.mark.parametrize(
    ("arms", "coverage", "weights", "expected"),
    [
        pytest.param(2, 1, None, HALVES, id="halves"),
        pytest.param(2, 0.5, None, COVERED_HALVES, id="half covered"),
        pytest.param(2, 0, None, [(0, 0), (0.5, 0.5)], id="nothing covered"),
        pytest.param(4, 1, None, QUARTERS, id="four arms"),
        pytest.param(2, 1, [0.4, 0.6], [(0, 0.4), (0.4, 1)], id="weights"),
        pytest.param(3, 1, [0.2, 0.3, 0.5], [(0, 0.2), (0.2, 0.5), (0.5, 1)], id="three weights"),
        pytest.param(
            3, 0.2, [0.2, 0.3, 0.5], [(0, 0.04), (0.2, 0.26), (0.5, 0.6)], id="three weights, a fifth covered"
        ),
        pytest.param(2, -0.2, None, [(0, 0), (0.5, 0.5)], id="coverage below 0"),
        pytest.param(2, 1.5, None, HALVES, id="coverage above 1"),
        pytest.param(2, 1, [0.4, 0.1], HALVES, id="weights below 1"),
        pytest.param(2, 1, [0.7, 0.6], HALVES, id="weights above 1"),
        pytest.param(4, 1, [0.4, 0.4, 0.2], QUARTERS, id="too few weights"),
        pytest.param(2, 1, [0.4, 0.5999], [(0, 0.4), (0.4, 0.9999)], id="weights almost 1"),
    ],
)
def test_published_ranges(
    arms: int, coverage: float, weights: list[float] | None, expected: list[tuple[float, float]]
) -> None:
    found = bucket_ranges(arms, coverage, weights)

    assert np.array(found) == pytest.approx(np.array(expected), abs=1e-12)


@pytest.mark.parametrize(
    ("found", "ranges", "expected"),
    [
        *[(found, HALVES, found >= 0.5) for found in (0, 0.2, 0.4, 0.5, 0.6, 0.8)],
        *[
            (found, COVERED_HALVES, arm)
            for found, arm in [(0.2, 0), (0.25, -1), (0.4, -1), (0.5, 1), (0.6, 1), (0.8, -1)]
        ],
        (0.5, [(0, 0.5), (0.5, 0.5), (0.5, 1)], 2),
    ],
)
def test_published_choices(found: float, ranges: list[tuple[float, float]], expected: int) -> None:
    assert choose_variation(found, ranges) == expected


@pytest.mark.parametrize(
    ("unit", "namespace", "in_the_first_part"),
    [
        ("1", "namespace1", False),
        ("1", "namespace2", False),
        ("2", "namespace1", False),
        ("2", "namespace2", False),
        ("3", "namespace1", False),
        ("3", "namespace2", True),
        ("4", "namespace1", False),
        ("4", "namespace2", True),
    ],
)
def test_published_namespaces(unit: str, namespace: str, in_the_first_part: bool) -> None:
    assert in_namespace(unit, namespace, 0, 0.4) is in_the_first_part
    assert in_namespace(unit, namespace, 0.4, 1) is not in_the_first_part


@pytest.mark.parametrize(
    ("arms", "expected"), [(-1, []), (0, []), (1, [1]), (2, [0.5] * 2), (3, [1 / 3] * 3), (4, [0.25] * 4)]
)
def test_published_equal_weights(arms: int, expected: list[float]) -> None:
    assert equal_weights(arms) == expected


def test_it_agrees_with_an_implementation_of_its_own() -> None:
    units = published.visitors(2_000, seed=1)

    for seed in ("a", "cart_copy", "slot:product"):
        expected = published.buckets(seed, units) / 10_000
        assert [bucket(seed, unit) for unit in published.texts(units)] == expected.tolist()


# --- a million visitors ---------------------------------------------------------------------------------------------


def test_a_million_visitors_are_split_as_weighted_and_independently_across_experiments() -> None:
    units = published.visitors(1_000_000, seed=2)
    # Ends of the ranges of three arms with weights 0.5, 0.3 and 0.2, in buckets.
    ends = np.array([round(end * 10_000) for _, end in bucket_ranges(3, 1, [0.5, 0.3, 0.2])])
    first, second = (
        np.searchsorted(ends, published.buckets(key, units), side="right") for key in ("one", "two")
    )

    sizes = [np.bincount(arms, minlength=3) for arms in (first, second)]
    together = np.bincount(first * 3 + second, minlength=9).reshape(3, 3)

    for found in sizes:
        assert stats.chisquare(found, [500_000, 300_000, 200_000]).pvalue > 0.001
    assert stats.chi2_contingency(together).pvalue > 0.001


# --- properties -----------------------------------------------------------------------------------------------------


@given(st.text(max_size=20), st.text(max_size=20), st.sampled_from([1, 2]))
def test_every_unit_falls_somewhere_below_one(seed: str, unit: str, version: int) -> None:
    assert 0 <= bucket(seed, unit, version) < 1


@given(
    st.lists(st.integers(1, 100), min_size=1, max_size=6),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 9_999),
)
def test_more_coverage_moves_nobody_to_another_arm(
    weights: list[int], one: float, other: float, found: int
) -> None:
    shares = [weight / sum(weights) for weight in weights]
    less, more = sorted([one, other])
    before = choose_variation(found / 10_000, bucket_ranges(len(shares), less, shares))
    after = choose_variation(found / 10_000, bucket_ranges(len(shares), more, shares))

    assert before in (-1, after)
    assert choose_variation(found / 10_000, bucket_ranges(len(shares), 1, shares)) >= 0
