"""What a visitor's own reaction changes: what was seen in vain counts less, what was dismissed is gone for a while."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.feedback import NO_FEEDBACK, Feedback
from app.recommendations.feedback import KEPT, hidden, multipliers

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NONE: dict[str, float] = {}
days = st.floats(0, 30)


def ago(days_: float) -> datetime:
    return NOW - timedelta(days=days_)


def seen(*days_: float) -> tuple[datetime, ...]:
    return tuple(sorted(map(ago, days_), reverse=True))


def test_without_feedback_nothing_changes() -> None:
    assert multipliers(NO_FEEDBACK, NOW, NONE) == {}
    assert hidden(NO_FEEDBACK, NOW, NONE) == frozenset()


@pytest.mark.parametrize(
    ("impressions", "expected"),
    [
        ((0,), 0.85),
        ((0, 0, 0), 0.85**3),
        ((7,), 0.85**0.5),
        ((14,), 0.85**0.25),
        ((0, 7, 14), 0.85**1.75),
    ],
    ids=["one now", "three now", "a week ago", "two weeks ago", "three weeks long"],
)
def test_each_impression_in_vain_takes_15_percent_and_half_of_it_is_forgiven_in_a_week(
    impressions: tuple[float, ...], expected: float
) -> None:
    found = multipliers(Feedback(impressions={"1": seen(*impressions)}), NOW, NONE)

    assert found == {"1": pytest.approx(expected, abs=1e-12)}


@pytest.mark.parametrize("answer", ["clicked", "added"])
def test_an_answer_resets_what_came_before_it(answer: str) -> None:
    impressions = {"1": seen(1, 3, 5), "2": seen(1, 3, 5)}

    found = multipliers(Feedback(impressions=impressions, **{answer: {"1": ago(2)}}), NOW, NONE)

    assert found["1"] == pytest.approx(0.85 ** (0.5 ** (1 / 7)))
    assert found["2"] == pytest.approx(0.85 ** sum(0.5 ** (d / 7) for d in (1, 3, 5)))


def test_the_later_of_two_answers_counts() -> None:
    told = Feedback(impressions={"1": seen(1, 3)}, clicked={"1": ago(4)}, added={"1": ago(0.5)})

    assert multipliers(told, NOW, NONE) == {}


@given(st.lists(days, min_size=1, max_size=20), days)
def test_one_impression_more_never_helps_and_time_never_harms(before: list[float], another: float) -> None:
    less = multipliers(Feedback(impressions={"1": seen(*before)}), NOW, NONE).get("1", 1.0)
    more = multipliers(Feedback(impressions={"1": seen(*before, another)}), NOW, NONE).get("1", 1.0)
    later = multipliers(Feedback(impressions={"1": seen(*before)}), NOW + timedelta(days=1), NONE).get(
        "1", 1.0
    )

    assert 0 < more <= less <= 1
    assert later >= less


@pytest.mark.parametrize(
    ("dismissed_days_ago", "is_hidden", "factor"),
    [
        (0, True, None),
        (89.9, True, None),
        (90, True, None),
        (97, False, 0.5),
        (104, False, 0.75),
    ],
)
def test_a_dismissal_hides_for_90_days_and_then_is_forgiven_by_halves(
    dismissed_days_ago: float, is_hidden: bool, factor: float | None
) -> None:
    told = Feedback(dismissed={"1": ago(dismissed_days_ago)})

    assert hidden(told, NOW, NONE) == (frozenset({"1"}) if is_hidden else frozenset())
    assert multipliers(told, NOW, NONE).get("1") == (pytest.approx(factor) if factor else None)


def test_a_dismissal_that_is_over_and_impressions_multiply() -> None:
    told = Feedback(impressions={"1": seen(0)}, dismissed={"1": ago(97)})

    assert multipliers(told, NOW, NONE) == {"1": pytest.approx(KEPT * 0.5)}


@pytest.mark.parametrize(
    ("settings", "gone"),
    [
        ({"most_impressions": 3}, {"often"}),
        ({"most_impressions": 2}, {"often", "twice"}),
        ({"most_impressions": 0}, set()),
        ({}, set()),
    ],
    ids=["three", "two", "no limit", "the default of 20"],
)
def test_nothing_is_shown_more_often_in_a_week_than_the_merchant_wants(
    settings: dict[str, float], gone: set[str]
) -> None:
    told = Feedback(impressions={"often": seen(0, 1, 6.9), "twice": seen(0, 1, 7, 8, 9)})

    assert hidden(told, NOW, settings) == gone


def test_a_click_does_not_lift_the_cap() -> None:
    told = Feedback(impressions={"1": seen(*[1] * 20)}, clicked={"1": ago(0)})

    assert hidden(told, NOW, NONE) == {"1"}
    assert multipliers(told, NOW, NONE) == {}
