"""When a slot pauses, is tried and let go; and how seldom a slot without effect is paused."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from app.experiments.assignment import CONTROL, SHOWN
from app.experiments.sequences import FEWEST_BUYERS, FEWEST_VISITORS
from app.experiments.uplift import BUYERS, REVENUE, Effect, Totals
from app.monitoring.pausing import (
    EPOCH,
    REST,
    TRIAL,
    Evidence,
    Pause,
    Step,
    sentence,
    since,
    step,
    weigh,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def effect(direction: int) -> Effect:
    low, high = {-1: (-3.0, -1.0), 0: (-1.0, 1.0), 1: (1.0, 3.0)}[direction]
    return Effect((low + high) / 2, 0.5, low, high, low / 10, low / 5, high / 5, 0.01)


def evidence(**directions: int) -> Evidence:
    found = {name: effect(direction) for name, direction in directions.items()}
    return Evidence(found, {SHOWN: 1900, CONTROL: 100})


HARM, NO_HARM, NOTHING = evidence(conversion=-1), evidence(conversion=0), Evidence({}, {})
RESTING = Pause(NOW - REST + HOUR)
RESTED = Pause(NOW - REST)
TRIED = Pause(NOW - REST - TRIAL, NOW - TRIAL + HOUR)
TRIED_LONG = Pause(NOW - REST - TRIAL, NOW - TRIAL)


# --- steps ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pause", "found", "expected"),
    [
        (None, NOTHING, None),
        (None, NO_HARM, None),
        (None, evidence(conversion=1, revenue_per_visitor=1), None),
        (None, HARM, Step.PAUSE),
        (None, evidence(conversion=1, revenue_per_visitor=-1), Step.PAUSE),
        (RESTING, NOTHING, None),
        (RESTED, NOTHING, Step.TRY),
        (TRIED, NOTHING, None),
        (TRIED, NO_HARM, None),
        (TRIED, HARM, Step.PAUSE_AGAIN),
        (TRIED_LONG, HARM, Step.PAUSE_AGAIN),
        (TRIED_LONG, NO_HARM, Step.LET_GO),
        (TRIED_LONG, NOTHING, Step.LET_GO),
    ],
)
def test_steps(pause: Pause | None, found: Evidence, expected: Step | None) -> None:
    assert step(pause, found, NOW) == expected


def test_on_trial_only_visitors_count_who_came_since() -> None:
    assert since(TRIED, NOW - timedelta(days=200), NOW) == TRIED.trial_at


def test_evidence_begins_anew_after_90_days_and_after_a_pause() -> None:
    begin = since(None, None, NOW)

    assert timedelta() <= NOW - begin < EPOCH
    assert since(None, None, begin + EPOCH - HOUR) == begin
    assert since(None, None, begin + EPOCH) == begin + EPOCH
    assert since(None, begin + HOUR, NOW) == begin + HOUR
    assert since(None, begin - HOUR, NOW) == begin


def test_a_pause_says_why_in_a_sentence() -> None:
    assert sentence(evidence(conversion=-1, revenue_per_visitor=-1)) == (
        "Where this slot was shown, fewer visitors bought, by 30% and visitors spent less, by 30%"
        " (1,900 visitors with it and 100 without)."
    )


# --- evidence -------------------------------------------------------------------------------------------


def totals(visitors: int, buyers: int, spent_each: float = 5000.0) -> Totals:
    """Visitors of whom so many bought, each for about as much."""
    spent = spent_each * (1 + 0.2 * np.cos(np.arange(visitors)))
    bought = np.arange(visitors) < buyers
    return Totals.of({REVENUE: np.where(bought, spent, 0.0), BUYERS: bought.astype(float)})


@pytest.mark.parametrize(
    ("shown", "control"),
    [
        (totals(FEWEST_VISITORS - 1, 0), totals(1000, 100)),
        (totals(20_000, 0), totals(FEWEST_VISITORS - 1, 100)),
        (totals(20_000, 0), totals(1000, FEWEST_BUYERS - 1)),
    ],
    ids=["few shown", "small control", "few buyers in the control"],
)
def test_too_little_data_says_nothing(shown: Totals, control: Totals) -> None:
    assert weigh({SHOWN: shown, CONTROL: control}).effects == {}


@pytest.mark.parametrize("arms", [{}, {SHOWN: totals(500, 50)}, {CONTROL: totals(500, 50)}])
def test_without_both_arms_nothing_is_said(arms: dict[str, Totals]) -> None:
    assert weigh(arms).effects == {}


def test_a_slot_after_which_nobody_buys_does_harm() -> None:
    found = weigh({SHOWN: totals(19_000, 0), CONTROL: totals(1_000, 60)})

    assert found.harmed == ("conversion", "revenue_per_visitor")
    assert sentence(found) == (
        "Where this slot was shown, fewer visitors bought and visitors spent less"
        " (19,000 visitors with it and 1,000 without)."
    )
    told = found.to_json()
    assert told["visitors"] == {SHOWN: 19_000, CONTROL: 1_000}
    assert told["harmed"] == ["conversion", "revenue_per_visitor"]
    assert told["effects"]["conversion"]["difference"] == pytest.approx(-0.06)


def test_a_slot_that_sells_more_does_none() -> None:
    assert weigh({SHOWN: totals(19_000, 1_900), CONTROL: totals(1_000, 60)}).harmed == ()


def looks(seed: int, conversion_shown: float, conversion: float = 0.03) -> Iterator[dict[str, Totals]]:
    """What is known at each of 30 looks, three days apart, of a shop with 1,000 exposed visitors a day."""
    draw = np.random.default_rng(seed)
    known: dict[str, Totals] = {}
    for _ in range(30):
        for arm, visitors, rate in ((SHOWN, 2850, conversion_shown), (CONTROL, 150, conversion)):
            bought = draw.binomial(visitors, rate)
            spent = draw.lognormal(8.0, 0.8, bought)
            square = float((spent * spent).sum())
            new = Totals.from_sums(
                visitors,
                {REVENUE: float(spent.sum()), BUYERS: bought},
                {(REVENUE, REVENUE): square, (REVENUE, BUYERS): float(spent.sum()), (BUYERS, BUYERS): bought},
            )
            known[arm] = known[arm] + new if arm in known else new
        yield dict(known)


def pauses(seed: int, conversion_shown: float) -> bool:
    """Whether a slot pauses within an epoch."""
    return any(weigh(arms).harmed for arms in looks(seed, conversion_shown))


def test_a_slot_without_effect_is_hardly_ever_paused() -> None:
    """At most 2.5 % may be: with 200 such slots ten would be a chance of less than 5 %."""
    assert sum(pauses(seed, 0.03) for seed in range(200)) <= 9


def test_a_slot_that_halves_purchases_is_paused_within_90_days() -> None:
    assert sum(pauses(seed, 0.015) for seed in range(40)) >= 36


def test_a_slot_that_helps_is_never_paused() -> None:
    assert not any(pauses(seed, 0.036) for seed in range(40))
