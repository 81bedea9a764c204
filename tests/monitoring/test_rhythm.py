"""The rhythm of a store: quiet hours do not count, busy ones bring the alarm nearer, few orders give patience."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.monitoring.rhythm import (
    WEEK_H,
    WINDOW_H,
    Feed,
    Limits,
    Patience,
    hourly_rates,
    hours_until,
    patience,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
LONG_AGO = MONDAY - timedelta(days=400)
WIDE = Limits(timedelta(0), timedelta(0), 365 * DAY, 365 * DAY)


def week(*busy: int, rate: int = 1) -> list[int]:
    """Return a week of hours that sells in these."""
    return [rate if hour in busy else 0 for hour in range(WEEK_H)]


def test_rates_are_means_over_the_same_hours_of_the_known_weeks() -> None:
    hours = week(5, rate=9) + week(5, rate=4) + week(5, 7) + week(7, rate=3)

    assert hourly_rates(hours, WINDOW_H)[5] == 14 / 4
    assert hourly_rates(hours, 3 * WEEK_H + 100)[5] == 5 / 3
    assert hourly_rates(hours, 2 * WEEK_H)[7] == 4 / 2


def test_a_young_feed_is_taken_for_even() -> None:
    hours = [0] * (WINDOW_H - 50) + [2] * 50

    assert hourly_rates(hours, 100) == [1.0] * WEEK_H
    assert hourly_rates(hours, 0) == [0.0] * WEEK_H


def test_what_is_expected_comes_in_the_hours_that_sell() -> None:
    rates = [float(rate) for rate in week(3, 10, rate=2)]

    assert hours_until(rates, 0.0, 1) == 3.5
    assert hours_until(rates, 0.0, 2) == 4.0
    assert hours_until(rates, 0.0, 3) == 10.5
    assert hours_until(rates, 0.0, 5) == WEEK_H + 3.5
    assert hours_until(rates, 0.5, 1) == 3.0


def test_the_part_of_an_hour_that_is_over_brings_nothing() -> None:
    rates = [float(rate) for rate in week(0, 2, rate=4)]

    assert hours_until(rates, 0.25, 3) == 0.75
    assert hours_until(rates, 0.25, 5) == pytest.approx(1.75 + 0.5)


def test_where_nothing_is_expected_the_wait_has_no_end() -> None:
    assert hours_until([0.0] * WEEK_H, 0.3, 1) == math.inf


@given(
    st.lists(st.integers(0, 20), min_size=WEEK_H, max_size=WEEK_H).filter(any),
    st.floats(0, 0.99),
    st.floats(0.01, 500),
)
def test_by_the_end_of_the_wait_so_much_is_expected(rates: list[int], begun: float, expected: float) -> None:
    wait = hours_until(rates, begun, expected)

    until = begun + wait
    whole, part = int(until), until - int(until)
    weeks, rest = divmod(whole, WEEK_H)
    came = weeks * sum(rates) + sum(rates[:rest]) + rates[rest] * part - rates[0] * begun
    assert came == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_a_shop_with_two_orders_a_week_is_waited_for_for_weeks() -> None:
    # Monday at 0 o'clock, and Thursday.
    hours = tuple(week(0, 72) * 4)
    found = patience(Feed(LONG_AGO, MONDAY, hours), WIDE)

    # Eight gaps in four weeks: ln(8 / 0.01) = 6.7 orders, ln(8 / 0.001) = 9.0 at two a week.
    assert found.warn_after / DAY == pytest.approx(21 + 0.685 / 24, abs=0.01)
    assert found.error_after / DAY == pytest.approx(28 + 0.987 / 24, abs=0.01)


def test_a_busy_shop_is_missed_within_hours_and_not_at_night() -> None:
    by_day = [4 if 8 <= hour % 24 < 20 else 0 for hour in range(WINDOW_H)]
    at_noon = [by_day[(hour + 12) % 24] for hour in range(WINDOW_H)]
    in_the_evening = [by_day[(hour + 19) % 24] for hour in range(WINDOW_H)]

    noon = patience(Feed(LONG_AGO, MONDAY + 12 * HOUR, tuple(at_noon)), WIDE)
    evening = patience(Feed(LONG_AGO, MONDAY + 19 * HOUR, tuple(in_the_evening)), WIDE)

    # 1344 gaps: ln(1344 / 0.001) = 14.1 orders at four an hour.
    assert noon.error_after / HOUR == pytest.approx(14.11 / 4, abs=0.01)
    assert evening.error_after / HOUR == pytest.approx(13 + (14.11 - 4) / 4, abs=0.01)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ([4] * WINDOW_H, Patience(5 * HOUR, 9 * HOUR)),
        ([0] * (WINDOW_H - 1) + [1], Patience(14 * DAY, 30 * DAY)),
        ([0] * WINDOW_H, Patience(14 * DAY, 30 * DAY)),
    ],
    ids=["floor", "ceiling", "one order ever"],
)
def test_limits_bound_what_the_rhythm_says(hours: list[int], expected: Patience) -> None:
    limits = Limits(5 * HOUR, 9 * HOUR, 14 * DAY, 30 * DAY)

    assert patience(Feed(LONG_AGO, MONDAY, tuple(hours)), limits) == expected


@pytest.mark.parametrize(
    ("age", "floor"), [(13 * DAY, 3 * DAY), (14 * DAY, 2 * HOUR)], ids=["no rhythm yet", "two weeks old"]
)
def test_a_young_feed_is_given_three_days(age: timedelta, floor: timedelta) -> None:
    limits = Limits(2 * HOUR, 2 * HOUR, 14 * DAY, 30 * DAY)

    found = patience(Feed(MONDAY - age, MONDAY, (4,) * WINDOW_H), limits)

    assert found.warn_after == max(floor, timedelta(seconds=math.ceil(900 * math.log(2688 / 0.01))))


def test_a_feed_without_news_has_no_rhythm() -> None:
    with pytest.raises(ValueError, match="no rhythm"):
        patience(Feed(None, None, ()), WIDE)
