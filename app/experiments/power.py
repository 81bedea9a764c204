"""How many visitors it takes to see a lift, and how many weeks that is for a store.

The number is asked for before the start: an experiment that cannot see what it looks for wastes weeks and, stopped when
it looks good, flatters. Difference in means, two-sided::

    n = (critical + z_power)^2 (s0^2 / share0 + s1^2 / share1) / (lift m0)^2

visitors of both arms together (Lehr, "Sixteen s-squared over d-squared", Statistics in Medicine 11, 1992: the case of
equal arms, 5 % and 80 %). ``critical`` is the normal quantile for a single look, and for daily looks the multiplier of
the confidence sequence where it is narrowest. The latter is on the safe side: it promises the power at the planned
number alone, and an earlier look may already have shown the lift. The treated arm's variance is taken as ``(1 +
lift)^2 s0^2``, as if every order were larger. CUPED takes off the share of the variance that the past explains.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

from app.experiments import sequences
from app.experiments.uplift import sidak

LEAST_WEEKS: Final = 2
"""Whole weeks, as shoppers of weekdays and weekends differ; two, as what is new draws clicks because it is new."""
MOST_WEEKS: Final = 12
"""Longer, and visitors lose their cookies, prices and seasons change, and the merchant has changed the shop."""


@dataclass(frozen=True, slots=True)
class Shoppers:
    """What is known of a store's visitors from an earlier period of about the length of an experiment.

    Attributes:
        per_week: new visitors a week who will be exposed to one of the arms compared.
        mean: of the metric per visitor, above 0.
        variance: of it, winsorised if the experiment will be.
        explained: share of the variance that CUPED takes off, 0 to below 1.
    """

    per_week: float
    mean: float
    variance: float
    explained: float = 0.0


@dataclass(frozen=True, slots=True)
class Design:
    """How an experiment compares two arms.

    Attributes:
        alpha: chance of seeing a difference where there is none.
        power: chance of seeing the lift where there is one.
        share: of the two arms' visitors, those in the treated one.
        comparisons: arms that are compared with control.
        daily: whether one may look at any time (always-valid), not once at the end.
    """

    alpha: float = 0.05
    power: float = 0.8
    share: float = 0.5
    comparisons: int = 1
    daily: bool = True

    def critical(self) -> float:
        """Return how many standard errors a difference must be from nothing."""
        from scipy.special import ndtri

        if self.daily:
            return math.sqrt(1.0 + sequences.narrowest(self.alpha / self.comparisons))
        return float(ndtri(1.0 - sidak(self.alpha, self.comparisons) / 2.0))


def visitors_needed(shoppers: Shoppers, lift: float, design: Design) -> int:
    """Return how many visitors of both arms see a relative lift (0.05 for 5 %) with the design's power."""
    from scipy.special import ndtri

    reach = design.critical() + float(ndtri(design.power))
    return math.ceil(reach**2 * _variance(shoppers, lift, design) / (lift * shoppers.mean) ** 2)


def power_of(shoppers: Shoppers, lift: float, visitors: int, design: Design) -> float:
    """Return the chance that so many visitors of both arms show a relative lift, in either direction."""
    from scipy.special import ndtr

    error = math.sqrt(_variance(shoppers, lift, design) / visitors)
    score, critical = lift * shoppers.mean / error, design.critical()
    return float(ndtr(score - critical) + ndtr(-score - critical))


def smallest_lift(shoppers: Shoppers, visitors: float, design: Design) -> float:
    """Return the least relative lift that so many visitors of both arms see with the design's power.

    Returns:
        It, 0.05 for 5 %; infinite where no lift at all can be seen, since a larger one varies more, too.
    """
    from scipy.special import ndtri

    # n = a (1 / (1 - share) + (1 + lift)^2 / share) / lift^2, solved for the lift.
    reach = design.critical() + float(ndtri(design.power))
    a = reach**2 * shoppers.variance * (1.0 - shoppers.explained) / shoppers.mean**2
    treated, control = a / design.share, a / (1.0 - design.share)
    if visitors <= treated:
        return math.inf
    left = visitors - treated
    return (treated + math.sqrt(treated**2 + left * (treated + control))) / left


def _variance(shoppers: Shoppers, lift: float, design: Design) -> float:
    plain = shoppers.variance * (1.0 - shoppers.explained)
    return plain / (1.0 - design.share) + plain * (1.0 + lift) ** 2 / design.share


@dataclass(frozen=True, slots=True)
class Forecast:
    """Whether and when a store sees a lift.

    Attributes:
        lift: relative, 0.05 for 5 %.
        visitors: of both arms that it takes; None where nothing is known of the store's shoppers.
        weeks: whole weeks; None where it cannot be seen within ``most_weeks``.
        most_weeks: the longest that an experiment may take.
        smallest_lift: the least that can be seen within ``most_weeks``; None where none can.
        sentence: says it plainly.
    """

    lift: float
    visitors: int | None
    weeks: int | None
    most_weeks: int
    smallest_lift: float | None
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "lift": self.lift,
            "visitors": self.visitors,
            "weeks": self.weeks,
            "most_weeks": self.most_weeks,
            "smallest_lift": self.smallest_lift,
            "sentence": self.sentence,
        }


def forecast(
    shoppers: Shoppers, lift: float = 0.05, design: Design | None = None, most_weeks: int = MOST_WEEKS
) -> Forecast:
    """Return whether and when a store sees a lift.

    Args:
        shoppers: of the store.
        lift: relative, above 0.
        design: of the experiment; the default is two equal arms and daily looks.
        most_weeks: the longest that it may take.
    """
    design = design or Design()
    if shoppers.per_week <= 0.0 or shoppers.mean <= 0.0 or shoppers.variance <= 0.0:
        return Forecast(
            lift, None, None, most_weeks, None,
            "Nothing is known yet of this store's visitors and what they spend, so nothing can be promised.",
        )  # fmt: skip
    needed = visitors_needed(shoppers, lift, design)
    weeks = max(LEAST_WEEKS, math.ceil(needed / shoppers.per_week))
    least = smallest_lift(shoppers, shoppers.per_week * most_weeks, design)
    if weeks <= most_weeks:
        sentence = (
            f"This store needs {weeks} weeks to see a lift of {_percent(lift)}: {needed:,} visitors,"
            f" at {round(shoppers.per_week):,} a week."
        )
        return Forecast(lift, needed, weeks, most_weeks, least, sentence)
    sentence = (
        f"A lift of {_percent(lift)} cannot be seen in this store within {most_weeks} weeks: it takes {needed:,}"
        f" visitors, at {round(shoppers.per_week):,} a week that is {weeks:,} weeks."
    )
    if math.isinf(least):
        return Forecast(lift, needed, None, most_weeks, None, sentence)
    sentence += f" The least that can be seen is {_percent(least)}."
    return Forecast(lift, needed, None, most_weeks, least, sentence)


def _percent(share: float) -> str:
    """Write 0.05 as ``5 %``, rounded up where it has more than one decimal: a promise must not be rounded down."""
    return f"{math.ceil(round(share * 1000, 6)) / 10:g} %"
