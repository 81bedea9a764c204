"""Which week a day belongs to, and how it is written."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.partitions import Weekly, name_of, week_of

DATES, TIMES = Weekly("decision", "day", of_dates=True), Weekly("event", "received_at")


@pytest.mark.parametrize(
    ("day", "monday"),
    [
        (date(2026, 11, 23), date(2026, 11, 23)),
        (date(2026, 11, 22), date(2026, 11, 16)),
        (date(2027, 1, 1), date(2026, 12, 28)),
    ],
)
def test_a_week_begins_on_monday(day: date, monday: date) -> None:
    assert week_of(day) == monday


@given(st.dates(date(1970, 1, 5), date(2900, 1, 1)))
def test_every_day_lies_in_the_week_that_begins_before_it(day: date) -> None:
    monday = week_of(day)

    assert monday.weekday() == 0
    assert timedelta() <= day - monday < timedelta(days=7)


def test_dates_and_times_are_written_as_their_columns_want_them() -> None:
    monday = date(2026, 11, 16)

    assert [name_of(weekly, monday) for weekly in (DATES, TIMES)] == ["decision_20261116", "event_20261116"]
    assert [weekly.bound(monday) for weekly in (DATES, TIMES)] == ["'2026-11-16'", "'2026-11-16 00:00:00+00'"]
    assert [weekly.default for weekly in (DATES, TIMES)] == ["decision_default", "event_default"]
