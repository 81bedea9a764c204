"""When a slot is paused, tried again and let go: what evidence says, and what follows. Pure.

A slot does harm where visitors who were shown it buy less often, or spend less, than the slot's standing control, by
intervals that hold at every look (``app.experiments.sequences``). Both measures share the level ``ALPHA``, and an
interval errs to each side alike: the chance that a slot without any effect is ever paused within an epoch is at most
``ALPHA / 2``. An epoch has 90 days, so that months of good service do not hide a slot that has gone bad.

::

    live    --harm-->                                paused
    paused  --7 days of rest-->                      on trial: shown to a fifth of the visitors
    trial   --harm-->                                paused
    trial   --14 days and no harm shown-->           live
    paused, trial  --the merchant says so-->         live
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from app.experiments import sequences, uplift
from app.experiments.assignment import CONTROL, SHOWN
from app.experiments.uplift import BUYERS, CONVERSION, REVENUE_PER_VISITOR, Effect, Metric, Totals

GUARDED: Final[tuple[Metric, ...]] = (CONVERSION, REVENUE_PER_VISITOR)
# The chance that an interval is ever wrong, to either side, for all measures together.
ALPHA: Final = 0.05
# Visitors of both arms for which the interval is narrowest: with the usual control of 5 %, 1,000 of them.
PLANNED: Final = 20_000
EPOCH: Final = timedelta(days=90)
_FIRST_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
REST: Final = timedelta(days=7)
TRIAL: Final = timedelta(days=14)


class Step(StrEnum):
    """What happens to a slot next."""

    PAUSE = "pause"
    TRY = "try"
    PAUSE_AGAIN = "pause_again"
    LET_GO = "let_go"


@dataclass(frozen=True, slots=True)
class Pause:
    """An open pause of a slot: since when it rests, and since when it is on trial."""

    paused_at: datetime
    trial_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a comparison of a slot with its control says.

    Attributes:
        effects: by measure; empty where there is not enough data for any look to count.
        visitors: exposed, by arm.
    """

    effects: Mapping[str, Effect]
    visitors: Mapping[str, int]

    @property
    def harmed(self) -> tuple[str, ...]:
        """The measures that are lower than in the control, for sure."""
        return tuple(name for name, effect in self.effects.items() if effect.direction < 0)

    def to_json(self) -> dict[str, Any]:
        """Return what a pause keeps of it."""
        return {
            "visitors": dict(self.visitors),
            "effects": {name: effect.to_json() for name, effect in self.effects.items()},
            "harmed": list(self.harmed),
        }


def weigh(arms: Mapping[str, Totals]) -> Evidence:
    """Return what the arms ``shown`` and ``control`` say of each other.

    Nothing is said before the control has as many visitors and buyers as an interval needs to hold; the other arm needs
    the visitors alone, because that nobody buys there is what is looked for.
    """
    shown, control = arms.get(SHOWN), arms.get(CONTROL)
    visitors = {name: arm.visitors for name, arm in arms.items() if name in (SHOWN, CONTROL)}
    if shown is None or control is None or not _started(shown, control):
        return Evidence({}, visitors)
    level = ALPHA / len(GUARDED)
    return Evidence(
        {
            metric.name: _effect(metric, shown, control, level)
            for metric in GUARDED
            if uplift.computable(metric, {SHOWN: shown, CONTROL: control})
        },
        visitors,
    )


def step(pause: Pause | None, evidence: Evidence, now: datetime) -> Step | None:
    """Return what happens to a slot next; None where it stays as it is.

    Args:
        pause: the slot's open pause, None for a live slot.
        evidence: since ``since``.
        now: the time of the look.
    """
    if pause is None:
        return Step.PAUSE if evidence.harmed else None
    if pause.trial_at is None:
        return Step.TRY if now - pause.paused_at >= REST else None
    if evidence.harmed:
        return Step.PAUSE_AGAIN
    return Step.LET_GO if now - pause.trial_at >= TRIAL else None


def since(pause: Pause | None, let_go: datetime | None, now: datetime) -> datetime:
    """Return from when on visitors count who were first exposed.

    Args:
        pause: the slot's open pause, None for a live slot.
        let_go: when its last pause ended, None where it had none.
        now: the time of the look.
    """
    if pause is not None and pause.trial_at is not None:
        return pause.trial_at
    epoch = now - (now - _FIRST_EPOCH) % EPOCH
    return epoch if let_go is None else max(epoch, let_go)


def sentence(evidence: Evidence) -> str:
    """Return in a sentence why a slot is paused."""
    told = [_told(name, evidence.effects[name]) for name in evidence.harmed]
    many = f"{evidence.visitors[SHOWN]:,} visitors with it and {evidence.visitors[CONTROL]:,} without"
    return f"Where this slot was shown, {' and '.join(told)} ({many})."


def _told(name: str, effect: Effect) -> str:
    what = {CONVERSION.name: "fewer visitors bought", REVENUE_PER_VISITOR.name: "visitors spent less"}[name]
    return what if effect.relative is None else f"{what}, by {-effect.relative:.0%}"


def _started(shown: Totals, control: Totals) -> bool:
    return shown.visitors >= sequences.FEWEST_VISITORS and sequences.started(
        control.visitors, control.sum(BUYERS)
    )


def _effect(metric: Metric, shown: Totals, control: Totals, level: float) -> Effect:
    estimates = uplift.estimates(metric, {SHOWN: shown, CONTROL: control})
    return sequences.compare(estimates[SHOWN], estimates[CONTROL], PLANNED, level)
