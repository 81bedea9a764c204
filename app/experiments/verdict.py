"""What an experiment has shown, in figures and in plain sentences.

One metric decides, revenue per exposed visitor; the others stand beside it. An arm is called better or worse only
where the whole interval is on that side of nothing. "Not proven yet" and "not enough data yet" are results. Where
visitors are not split as planned there is no verdict at all.

There are two ways to look, of which one is chosen before the start:

- **daily** (the usual one): always-valid intervals (``sequences``). One may look and stop at any time.
- **once**: usual intervals, narrower, that hold for one look at the planned number of visitors. Before that number is
  reached the always-valid ones are shown, and nothing is decided.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.core.money import exponent
from app.experiments import checks, sequences, uplift
from app.experiments.checks import Check
from app.experiments.uplift import Effect, Estimate, Metric, Totals

BLOCKED: Final = "blocked"
NOT_ENOUGH_DATA: Final = "not_enough_data"
NOT_PROVEN: Final = "not_proven"
NO_DIFFERENCE: Final = "no_difference"
"""Whatever the difference is, it is smaller than the lift that was asked for."""
BETTER: Final = "better"
WORSE: Final = "worse"
# What is said of the experiment is what is said of the arm that stands first here.
_ORDER: Final = (BLOCKED, BETTER, NOT_ENOUGH_DATA, NOT_PROVEN, NO_DIFFERENCE, WORSE)

PRIMARY: Final = uplift.REVENUE_PER_VISITOR.name
"""The metric that decides."""

LEAST_DAYS: Final = 7
"""A whole week before anything is called better or worse: weekends are unlike."""

_NAMES: Final[Mapping[str, str]] = {
    PRIMARY: "Revenue per visitor",
    uplift.RAW_REVENUE_PER_VISITOR.name: "Revenue per visitor without the cap",
    uplift.MARGIN_PER_VISITOR.name: "Margin per visitor",
    uplift.CONVERSION.name: "Conversion",
    uplift.AVERAGE_ORDER_VALUE.name: "Average order value",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What was fixed before the start, and must not be changed after it.

    Attributes:
        control: the arm that the others are compared with.
        shares: in which visitors are dealt out, by arm, control included; only proportions count.
        currency: of the money, ISO 4217.
        visitors: planned, of all arms together; None where nobody planned.
        lift: the relative lift that is worth having, 0.05 for 5 %.
        alpha: the chance of calling an arm better or worse that is not, over all arms and, with ``daily``, all looks.
        daily: whether one may look at any time, not once at the planned number.
        cap: at which each visitor's revenue was winsorised, in minor units.
    """

    control: str
    shares: Mapping[str, float]
    currency: str
    visitors: int | None = None
    lift: float = 0.05
    alpha: float = 0.05
    daily: bool = True
    cap: float | None = None

    def treated(self) -> list[str]:
        """Return the arms that are compared with control."""
        return [arm for arm in self.shares if arm != self.control]

    def planned(self, arm: str) -> int:
        """Return the planned visitors of an arm and control."""
        if self.visitors is None:
            return sequences.PLANNED
        pair = (self.shares[arm] + self.shares[self.control]) / sum(self.shares.values())
        return max(1, round(self.visitors * pair))

    def single(self, visitors: int) -> bool:
        """Tell whether the intervals of a single look hold at so many visitors."""
        return not self.daily and self.visitors is not None and visitors >= self.visitors

    def level(self, single: bool) -> float:
        """Return what each interval may miss by for all arms' together to miss by ``alpha``."""
        arms = max(1, len(self.treated()))
        return uplift.sidak(self.alpha, arms) if single else self.alpha / arms


@dataclass(frozen=True, slots=True)
class ArmReport:
    """What is said of one arm.

    Attributes:
        arm: its key.
        status: one of this module's; None for control.
        visitors: exposed to it and to no other.
        values: metrics by name, adjusted by CUPED where they were.
        effects: against control, by metric's name; empty for control.
        adjusted_p_value: of the deciding metric, adjusted for several arms (Holm); None for control.
        sentences: plainly.
    """

    arm: str
    status: str | None
    visitors: int
    values: Mapping[str, float]
    effects: Mapping[str, Effect]
    adjusted_p_value: float | None
    sentences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "arm": self.arm,
            "status": self.status,
            "visitors": self.visitors,
            "values": dict(self.values),
            "effects": {name: effect.to_json() for name, effect in self.effects.items()},
            "adjusted_p_value": self.adjusted_p_value,
            "sentences": list(self.sentences),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What an experiment has shown.

    Attributes:
        verdict: one of this module's, of the experiment.
        winner: the arm that is better than control, if any; of several the one that earned most.
        sentences: the verdict, plainly, and then what should be known about it.
        arms: control first.
        checks: all that were made.
        always_valid: whether the intervals hold however often one looks.
        level: of the intervals of one arm, 0.05 for 95 %.
        explained: share of the deciding metric's variance that the past explains (CUPED).
    """

    verdict: str
    winner: str | None
    sentences: tuple[str, ...]
    arms: tuple[ArmReport, ...]
    checks: tuple[Check, ...]
    always_valid: bool
    level: float
    explained: float

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "verdict": self.verdict,
            "winner": self.winner,
            "sentences": list(self.sentences),
            "arms": [arm.to_json() for arm in self.arms],
            "checks": [check.to_json() for check in self.checks],
            "always_valid": self.always_valid,
            "level": self.level,
            "explained": self.explained,
        }


def report(plan: Plan, arms: Mapping[str, Totals], *, days: float, multiple: int = 0) -> Report:
    """Return what an experiment has shown so far.

    Args:
        plan: what was fixed before the start.
        arms: totals over visitors who were exposed to that arm alone, with the same columns. Arms without visitors
            may be missing.
        days: since the start, or between start and stop.
        multiple: visitors exposed to several arms, who are left out of ``arms``.

    Raises:
        ValueError: there are visitors in an arm that the plan does not know.
    """
    counts = {arm: arms[arm].visitors if arm in arms else 0 for arm in plan.shares}
    everybody = sum(counts.values())
    found = (
        checks.sample_ratio({arm: totals.visitors for arm, totals in arms.items()}, plan.shares),
        checks.multiple_exposure(everybody, multiple),
        checks.pre_exposure(arms, plan.control) if plan.control in arms else checks.NO_PAST,
    )
    single = plan.single(everybody)
    measured = _measured(plan, arms)
    compared = {name: _compared(plan, of_arms, single) for name, of_arms in measured.items()}
    adjusted = _adjusted(plan, compared)
    written = []
    for arm in (plan.control, *plan.treated()):
        effects = {name: of_arms[arm] for name, of_arms in compared.items() if arm in of_arms}
        status, sentences = None, _of_control(plan, measured)
        if arm != plan.control:
            missing = _missing(plan, arms, arm, days)
            status = _status(plan, effects.get(PRIMARY), missing, found, decisive=plan.daily or single)
            sentences = _of_arm(plan, arm, status, effects, missing, plan.level(single))
        values = {name: of_arms[arm].value for name, of_arms in measured.items()}
        written.append(
            ArmReport(arm, status, counts[arm], values, effects, adjusted.get(arm), tuple(sentences))
        )
    verdict, winner = _overall(written[1:])
    explained = uplift.explained(uplift.REVENUE_PER_VISITOR, arms) if PRIMARY in measured else 0.0
    return Report(
        verdict=verdict,
        winner=winner,
        sentences=(*_summary(written[1:], found, winner), *_method(plan, single, explained)),
        arms=tuple(written),
        checks=found,
        always_valid=not single,
        level=plan.level(single),
        explained=explained,
    )


# --- figures --------------------------------------------------------------------------------------------


def _measured(plan: Plan, arms: Mapping[str, Totals]) -> dict[str, dict[str, Estimate]]:
    """Return each metric that can be computed, in each arm; nothing where an arm has no visitors yet."""
    if len(arms) < len(plan.shares):
        return {}
    return {
        name: uplift.estimates(metric, arms)
        for name, metric in uplift.METRICS.items()
        if uplift.computable(metric, arms)
    }


def _compared(plan: Plan, measured: Mapping[str, Estimate], single: bool) -> dict[str, Effect]:
    control, level = measured[plan.control], plan.level(single)
    if single:
        return {arm: uplift.compare(measured[arm], control, level) for arm in plan.treated()}
    return {
        arm: sequences.compare(measured[arm], control, plan.planned(arm), level) for arm in plan.treated()
    }


def _adjusted(plan: Plan, compared: Mapping[str, Mapping[str, Effect]]) -> dict[str, float]:
    effects, arms = compared.get(PRIMARY, {}), plan.treated()
    if not effects:
        return {}
    return dict(zip(arms, uplift.holm([effects[arm].p_value for arm in arms]), strict=True))


# --- verdicts -------------------------------------------------------------------------------------------


def _missing(plan: Plan, arms: Mapping[str, Totals], arm: str, days: float) -> list[str]:
    """Return what there must be more of before anything is said of an arm, in words."""
    missing = []
    for name in (plan.control, arm):
        visitors = arms[name].visitors if name in arms else 0
        buyers = round(arms[name].sum(uplift.BUYERS)) if name in arms else 0
        if visitors < sequences.FEWEST_VISITORS:
            missing.append(
                f"{_called(name)} has {visitors:,} visitors of the {sequences.FEWEST_VISITORS} it takes"
            )
        elif buyers < sequences.FEWEST_BUYERS:
            missing.append(f"{_called(name)} has {buyers} buyers of the {sequences.FEWEST_BUYERS} it takes")
    if days < LEAST_DAYS:
        missing.append(f"it ran {days:.1f} days of the {LEAST_DAYS} it takes")
    return missing


def _status(
    plan: Plan, effect: Effect | None, missing: list[str], found: tuple[Check, ...], *, decisive: bool
) -> str:
    if _blocks(found):
        return BLOCKED
    if effect is None or missing or not decisive:
        return NOT_ENOUGH_DATA
    if effect.direction:
        return BETTER if effect.direction > 0 else WORSE
    low, high = effect.relative_low, effect.relative_high
    if low is not None and high is not None and -plan.lift < low and high < plan.lift:
        return NO_DIFFERENCE
    return NOT_PROVEN


def _blocks(found: tuple[Check, ...]) -> bool:
    return any(check.blocks and not check.passed for check in found)


def _overall(treated: list[ArmReport]) -> tuple[str, str | None]:
    better = [arm for arm in treated if arm.status == BETTER]
    if better:
        return BETTER, max(better, key=lambda arm: arm.values[PRIMARY]).arm
    return min((arm.status for arm in treated if arm.status), key=_ORDER.index, default=NOT_ENOUGH_DATA), None


# --- sentences ------------------------------------------------------------------------------------------


def _of_control(plan: Plan, measured: Mapping[str, Mapping[str, Estimate]]) -> list[str]:
    if PRIMARY not in measured:
        return []
    money = _money(measured[PRIMARY][plan.control].value, plan.currency)
    return [f"{_named(plan.control)} earned {money} per visitor."]


def _of_arm(
    plan: Plan, arm: str, status: str, effects: Mapping[str, Effect], missing: list[str], level: float
) -> list[str]:
    if status == BLOCKED:
        return [f"{_named(arm)}: no verdict, as visitors are not split as planned."]
    # Before the start the figures are noise, and would be read all the same.
    if missing or PRIMARY not in effects:
        return [f"{_named(arm)}: not enough data yet ({'; '.join(missing) or 'nothing to compare with'})."]
    more, interval = _change(plan, effects[PRIMARY], uplift.REVENUE_PER_VISITOR, level)
    said = [f"{_named(arm)} earned {more} per visitor{interval}: {_meaning(plan, status)}."]
    for name in (name for name in effects if name != PRIMARY):
        more, interval = _change(plan, effects[name], uplift.METRICS[name], level)
        said.append(f"{_NAMES[name]}: {more}{interval}.")
    value = effects.get(uplift.AVERAGE_ORDER_VALUE.name)
    if value is not None and value.direction > 0 and status != BETTER:
        said.append(
            "Orders are larger, but that earns nothing if there are fewer: revenue per visitor decides."
        )
    return said


def _change(plan: Plan, effect: Effect, metric: Metric, level: float) -> tuple[str, str]:
    """Return ``4.1 % more`` and `` (95 % interval -1.0 to 9.2 %)``, in units where there is no lift to state."""
    more = "more" if effect.difference >= 0.0 else "less"
    sure = f"{100.0 * (1.0 - level):.4g} %"
    if effect.relative is not None and effect.relative_low is not None and effect.relative_high is not None:
        low, high = _percent(effect.relative_low), _percent(effect.relative_high)
        return f"{_percent(abs(effect.relative))} % {more}", f" ({sure} interval {low} to {high} %)"
    size = f"{_amount(plan, abs(effect.difference), metric)} {more}"
    if not math.isfinite(effect.low):
        return size, ""
    low, high = _amount(plan, effect.low, metric), _amount(plan, effect.high, metric)
    return size, f" ({sure} interval {low} to {high})"


def _meaning(plan: Plan, status: str) -> str:
    return {
        NOT_ENOUGH_DATA: "not enough data yet",
        NOT_PROVEN: "not proven yet",
        NO_DIFFERENCE: f"a difference of {100.0 * plan.lift:g} % or more is ruled out",
        BETTER: "it is better than control",
        WORSE: "it is worse than control",
    }[status]


def _summary(treated: list[ArmReport], found: tuple[Check, ...], winner: str | None) -> list[str]:
    failed = [check.sentence for check in found if not check.passed]
    first = [arm.sentences[0] for arm in treated]
    if _blocks(found):
        return failed + first
    if winner is not None and sum(arm.status == BETTER for arm in treated) > 1:
        first.append(f"{_named(winner)} earned most; the better arms are not compared with each other.")
    return first + failed


def _method(plan: Plan, single: bool, explained: float) -> list[str]:
    said = []
    if single:
        said.append("The intervals hold for one look, at the planned number of visitors.")
    elif plan.daily:
        said.append("The intervals hold however often one looks.")
    else:
        planned = "unknown" if plan.visitors is None else f"{plan.visitors:,}"
        said.append(
            f"Nothing is decided before the planned number of visitors ({planned}); until then the intervals hold"
            " however often one looks."
        )
    if len(plan.treated()) > 1:
        said.append(f"They are widened for {len(plan.treated())} arms being compared with {plan.control}.")
    if plan.cap is not None:
        cap = _money(plan.cap, plan.currency)
        said.append(f"What a visitor paid counts up to {cap}, a cap that was fixed before the start.")
    if explained >= 0.005:
        said.append(
            f"What visitors paid before explains {explained:.0%} of the variation.".replace("%", " %")
        )
    return said


def _called(arm: str) -> str:
    """Return how an arm is called within a sentence; a letter or two need a word before them."""
    return f"arm {arm}" if len(arm) <= 2 else arm


def _named(arm: str) -> str:
    called = _called(arm)
    return called[0].upper() + called[1:]


def _percent(share: float) -> str:
    return f"{100.0 * share:.1f}" if abs(share) < 10.0 else f"{100.0 * share:,.0f}"


def _money(minor: float, currency: str) -> str:
    """Write a mean amount with the currency's digits."""
    digits = exponent(currency)
    return f"{minor / 10**digits:,.{digits}f} {currency}"


def _amount(plan: Plan, value: float, metric: Metric) -> str:
    return _money(value, plan.currency) if metric.money else f"{100.0 * value:.2f} points"
