"""Intervals that hold however often one looks: asymptotic confidence sequences.

A usual 95 % interval is right at one look that was fixed beforehand. Who looks daily and stops at the first good day is
wrong several times as often. A confidence sequence is wrong with a chance of at most ``alpha`` over all looks together,
so that an experiment may be looked at and stopped at any time.

Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences"
(Annals of Statistics 52, 2024; https://arxiv.org/abs/2103.06476): after ``t`` observations the mean is within::

    s_t sqrt(2 (t rho^2 + 1) / (t^2 rho^2) log(sqrt(t rho^2 + 1) / alpha))

of its estimate, for all ``t`` at once. ``s_t / sqrt(t)`` is the standard error, so that the half-width is that error
times::

    multiplier = sqrt((1 + 1/k) (log(1 + k) - 2 log(alpha))),    k = t rho^2

and this is how it is used here, with the standard error of whatever is estimated: a difference of two arms, the
logarithm of their ratio, adjusted by CUPED or not. ``t`` is the number of visitors in both arms.

``rho`` is free but must be fixed before the start. It is chosen so that the interval is narrowest at the planned number
of visitors: there ``k`` solves ``k = log(1 + k) - 2 log(alpha)`` (the paper writes it with Lambert's function), and the
multiplier is ``sqrt(1 + k)``. At ``alpha = 0.05`` that is 3.035 standard errors to each side, where a single look has
1.96; at any other look it is more.

**The start.** The guarantee is asymptotic, so the first looks must not be taken before the normal approximation holds.
Revenue per visitor is zero for most and heavy-tailed for the rest, and what matters is the number of buyers. Nothing is
said before each arm has ``FEWEST_VISITORS`` and ``FEWEST_BUYERS``. Both were chosen by simulation (``python -m
benchmarks.experiments``).

**Visitors who come back** add revenue after they were counted. The formula's proof is for observations that arrive one
after the other; for these the simulation stands.
"""

import math
from functools import lru_cache
from typing import Final

from app.experiments.uplift import Effect, Estimate, effect, unknown

FEWEST_VISITORS: Final = 200
FEWEST_BUYERS: Final = 25
PLANNED: Final = 10_000
"""Visitors of both arms for which the interval is narrowest where no number was planned."""


@lru_cache(maxsize=64)
def narrowest(alpha: float) -> float:
    """Return k at the planned number of visitors."""
    reach = -2.0 * math.log(alpha)
    k = reach
    for _ in range(50):
        k = math.log1p(k) + reach
    return k


def rho_squared(planned: int, alpha: float) -> float:
    """Return the square of rho that makes the interval narrowest at ``planned`` visitors of both arms."""
    return narrowest(alpha) / planned


def multiplier(visitors: float, planned: int, alpha: float = 0.05) -> float:
    """Return how many standard errors the interval reaches to each side after so many visitors of both arms."""
    k = visitors * rho_squared(planned, alpha)
    return math.sqrt((1.0 + 1.0 / k) * (math.log1p(k) - 2.0 * math.log(alpha)))


def p_value(score: float, visitors: float, planned: int, alpha: float = 0.05) -> float:
    """Return the always-valid p-value: the least level at which the interval excludes no difference.

    Args:
        score: the difference in standard errors.
        visitors: of both arms.
        planned: the number that ``rho`` was tuned to.
        alpha: the level that ``rho`` was tuned to; stays as it is for the p-value to agree with the interval.
    """
    k = visitors * rho_squared(planned, alpha)
    return min(1.0, math.exp(0.5 * math.log1p(k) - 0.5 * score * score * k / (1.0 + k)))


def compare(treatment: Estimate, control: Estimate, planned: int = PLANNED, alpha: float = 0.05) -> Effect:
    """Return the effect with intervals and a p-value that hold at every look.

    Whether there is enough data to begin with is the caller's question (``started``).

    Args:
        treatment: the arm.
        control: the control arm.
        planned: visitors of both arms, fixed before the start, for which the interval is narrowest.
        alpha: the chance that the true difference is ever outside.
    """
    error = math.sqrt(treatment.error + control.error)
    if error == 0.0:
        return unknown(treatment, control)
    visitors = treatment.visitors + control.visitors
    critical = multiplier(visitors, planned, alpha)
    return effect(
        treatment,
        control,
        critical=critical,
        log_critical=critical,
        p_value=p_value((treatment.value - control.value) / error, visitors, planned, alpha),
    )


def started(visitors: int, buyers: float) -> bool:
    """Tell whether an arm has enough of both for a look to count."""
    return visitors >= FEWEST_VISITORS and buyers >= FEWEST_BUYERS
