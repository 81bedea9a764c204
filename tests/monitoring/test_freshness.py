"""Freshness is judged by age and limits, by what is wrong, and a whole by its worst part."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.monitoring.freshness import (
    COMPARED_CATALOGUE,
    HELD_AGE,
    INBOX_AGE,
    MODEL_AGE,
    RECONCILIATION_AGE,
    SOURCES,
    TOLD_CATALOGUE,
    Finding,
    Read,
    judge,
    worst,
)
from app.monitoring.rhythm import WINDOW_H, Feed

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BUSY = Feed(NOW - timedelta(days=90), NOW, (4,) * WINDOW_H)
WELL = Read(
    feeds={"orders": BUSY, "carts": BUSY, "events": BUSY},
    products_at=NOW,
    compared_at=NOW,
    rebuilt_at=NOW,
    held_at=None,
    held_reason=None,
    waiting_since=None,
    connected=True,
    problem=None,
    problem_at=None,
    asked_at=NOW,
    subscription_problems=(),
    subscriptions_at=NOW,
)


def finding(read: Read, source: str, now: datetime = NOW) -> Finding:
    """Return the finding of one source."""
    (one,) = (finding for finding in judge(read, now) if finding.source == source)
    return one


def test_a_store_that_is_well_is_in_order_everywhere() -> None:
    findings = judge(WELL, NOW)

    assert [f.source for f in findings] == [source for source in SOURCES if source != "held_model"]
    assert {f.level for f in findings} == {"ok"}


@pytest.mark.parametrize("source", ["orders", "carts", "events"])
def test_a_silent_feed_is_late_and_then_lost(source: str) -> None:
    first = finding(WELL, source)
    assert first.warn_after_seconds is not None
    assert first.error_after_seconds is not None
    late, lost = (timedelta(seconds=s) for s in (first.warn_after_seconds, first.error_after_seconds))

    levels = [
        finding(WELL, source, NOW + after).level for after in (late - MINUTE, late, lost - MINUTE, lost)
    ]

    assert levels == ["ok", "warn", "warn", "error"]
    message = finding(WELL, source, NOW + late).message
    assert "since 2026-03-02 12:00 UTC; by this store's rhythm one should have come by" in message
    assert finding(WELL, source, NOW + late + HOUR / 60).message == message


@pytest.mark.parametrize(
    ("source", "field", "limits"),
    [
        ("model", "rebuilt_at", MODEL_AGE),
        ("inbox", "waiting_since", INBOX_AGE),
        ("reconciliation", "asked_at", RECONCILIATION_AGE),
    ],
    ids=["model", "inbox", "reconciliation"],
)
def test_what_runs_at_fixed_times_has_fixed_limits(
    source: str, field: str, limits: tuple[timedelta, timedelta]
) -> None:
    warn_after, error_after = limits
    read = replace(WELL, **{field: NOW})

    levels = [
        finding(read, source, NOW + after).level
        for after in (warn_after - MINUTE, warn_after, error_after - MINUTE, error_after)
    ]

    assert levels == ["ok", "warn", "warn", "error"]


def test_the_catalogue_is_as_fresh_as_its_newest_news() -> None:
    old = NOW - timedelta(days=9)

    assert finding(replace(WELL, products_at=old), "catalogue").newest_at == NOW
    assert finding(replace(WELL, compared_at=old), "catalogue").level == "ok"
    assert finding(replace(WELL, products_at=old, compared_at=old), "catalogue").level == "error"
    assert finding(replace(WELL, products_at=None, compared_at=None), "catalogue").level == "waiting"


def test_a_shop_that_cannot_be_asked_may_leave_its_catalogue_alone() -> None:
    read = replace(WELL, connected=False, compared_at=None)

    found = finding(read, "catalogue", NOW + timedelta(days=300))

    assert (found.level, found.warn_after_seconds, found.error_after_seconds) == ("warn", 30 * 86_400, None)
    assert finding(read, "catalogue", NOW + TOLD_CATALOGUE[0] - MINUTE).level == "ok"
    assert TOLD_CATALOGUE[0] > COMPARED_CATALOGUE[1]


def test_a_held_model_says_why() -> None:
    read = replace(WELL, held_at=NOW, held_reason="It found 3 % less.")

    assert finding(read, "held_model").level == "warn"
    assert finding(read, "held_model").message == (
        "Since 2026-03-02 12:00 UTC the last good model answers, and nothing new is published: It found 3 % less."
    )
    assert finding(read, "held_model", NOW + HELD_AGE[1]).level == "error"


def test_a_platform_that_lets_nobody_in_is_an_error_and_hides_what_follows_from_it() -> None:
    read = replace(
        WELL, problem="The key was revoked.", problem_at=NOW - HOUR, asked_at=NOW - timedelta(days=9)
    )

    sources = {f.source: f.level for f in judge(read, NOW)}

    assert sources["connection"] == "error"
    assert "reconciliation" not in sources
    assert "subscriptions" not in sources
    assert finding(read, "connection").age_seconds == 3600


def test_a_store_that_only_delivers_webhooks_has_no_ties_to_judge() -> None:
    sources = [f.source for f in judge(replace(WELL, connected=False, subscriptions_at=None), NOW)]

    assert sources == ["orders", "carts", "events", "catalogue", "model", "inbox"]


def test_webhooks_with_problems_warn() -> None:
    found = finding(replace(WELL, subscription_problems=("One is off.", "One is odd.")), "subscriptions")

    assert (found.level, found.message) == ("warn", "The shop's webhooks: One is off. One is odd.")


def test_what_never_happened_yet_waits() -> None:
    read = replace(WELL, asked_at=None, rebuilt_at=None)

    levels = {f.source: f.level for f in judge(read, NOW)}

    assert [levels[s] for s in ("reconciliation", "model")] == ["waiting"] * 2


def test_a_clock_that_goes_back_makes_nothing_younger_than_now() -> None:
    assert finding(WELL, "orders", NOW - HOUR).age_seconds == 0


@pytest.mark.parametrize(
    ("levels", "whole"),
    [
        (["ok", "waiting", "warn", "error"], "error"),
        (["ok", "waiting", "warn"], "warn"),
        (["waiting", "ok"], "ok"),
        (["waiting"], "waiting"),
        ([], "waiting"),
    ],
    ids=["error", "warn", "ok", "waiting", "nothing"],
)
def test_a_whole_is_as_bad_as_its_worst_part(levels: list[str], whole: str) -> None:
    assert worst(levels) == whole
