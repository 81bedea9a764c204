"""When silence is odd: for how long a store's orders, carts and events may stay away, by the store's own rhythm.

News of a feed is taken for a Poisson process whose rate depends on the hour of the week: a shop that nobody visits at
night, or that is closed on Saturdays, is not late then. The rates are means over the same hours of up to four weeks
that end with the newest news, so that silence itself teaches nothing. The chance that nothing comes while ``L`` pieces
of news are expected is ``exp(-L)``. With ``n`` gaps in four weeks the chance that any of them grows so long is at most
``n exp(-L)``; it is to stay below ``p``, so a silence is odd from ``L = ln(n / p)`` on. Pure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

WEEK_H: Final = 168
# Hours of the past that the rates are means over: four weeks.
WINDOW_H: Final = 4 * WEEK_H
# News of one hour is counted up to here. Real shops are no Poisson process: a busy one whose people begin an hour later
# than usual misses twenty orders at once. So several hours must be silent; and counting stays cheap.
MOST_PER_HOUR: Final = 4
# The chance, within four weeks of business as usual, of a silence that is called late, and of one that is called lost.
LATE: Final = 0.01
LOST: Final = 0.001
# A feed that is younger than two weeks has shown no rhythm of the week: its rate is taken for even, and longer waited.
_ENOUGH_H: Final = 2 * WEEK_H
_YOUNG_FLOOR: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Feed:
    """What came in, hour by hour.

    Attributes:
        first: the oldest news, None where there never was any.
        newest: the newest news.
        hours: the news of each of the ``WINDOW_H`` hours before the hour of ``newest``, oldest first; each counted up
            to ``MOST_PER_HOUR``.
    """

    first: datetime | None
    newest: datetime | None
    hours: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of what a rhythm may say: silence is never late before ``floor`` and always after ``ceiling``."""

    warn_floor: timedelta
    error_floor: timedelta
    warn_ceiling: timedelta
    error_ceiling: timedelta


@dataclass(frozen=True, slots=True)
class Patience:
    """For how long silence is in order, and from when on it means that something is broken. Whole seconds."""

    warn_after: timedelta
    error_after: timedelta


def patience(feed: Feed, limits: Limits) -> Patience:
    """Return for how long after ``feed.newest`` silence is in order.

    Raises:
        ValueError: if the feed never had any news.
    """
    if feed.first is None or feed.newest is None:
        raise ValueError("a feed without news has no rhythm")
    known_h = min(WINDOW_H, int((feed.newest - feed.first) / timedelta(hours=1)))
    rates = hourly_rates(feed.hours, known_h)
    gaps = max(1.0, sum(rates) * WINDOW_H / WEEK_H)
    begun = (feed.newest.minute * 60 + feed.newest.second) / 3600
    floor = _YOUNG_FLOOR if known_h < _ENOUGH_H else timedelta(0)
    warn_h, error_h = (hours_until(rates, begun, math.log(gaps / chance)) for chance in (LATE, LOST))
    return Patience(
        _within(warn_h, max(limits.warn_floor, floor), limits.warn_ceiling),
        _within(error_h, max(limits.error_floor, floor), limits.error_ceiling),
    )


def hourly_rates(hours: Sequence[int], known_h: int) -> list[float]:
    """Return the expected news of each of the 168 hours of a week, beginning with the hour that follows ``hours``.

    Args:
        hours: news by hour, oldest first, whole weeks.
        known_h: how many of the last ones the feed had begun for. Whole weeks of them are used; below two weeks, all
            of them and evenly.
    """
    weeks = known_h // WEEK_H
    if known_h < _ENOUGH_H:
        mean = sum(hours[len(hours) - known_h :]) / known_h if known_h else 0.0
        return [mean] * WEEK_H
    recent = hours[len(hours) - weeks * WEEK_H :]
    return [sum(recent[hour::WEEK_H]) / weeks for hour in range(WEEK_H)]


def hours_until(rates: Sequence[float], begun: float, expected: float) -> float:
    """Return after how many hours so much news is ``expected``; infinity where the rates are all 0.

    Args:
        rates: per hour of a week, which repeats; the wait begins within the first hour.
        begun: the share of the first hour that is over, 0 to 1.
        expected: pieces of news, above 0.
    """
    per_week = sum(rates)
    if per_week <= 0:
        return math.inf
    weeks, rest = divmod(expected + rates[0] * begun, per_week)
    for hour, rate in enumerate(rates):
        if rate > 0 and rest <= rate:
            return weeks * WEEK_H + hour + rest / rate - begun
        rest -= rate
    return (weeks + 1) * WEEK_H - begun  # what rounding left over


def _within(hours: float, floor: timedelta, ceiling: timedelta) -> timedelta:
    if hours * 3600 >= ceiling.total_seconds():
        return ceiling
    return max(floor, timedelta(seconds=math.ceil(hours * 3600)))
