"""How much more an arm earned per visitor, and how sure that is.

Everything is computed from sums over the visitors of an arm (``Totals``), so that a store of any size is a handful of
numbers by the time it gets here. The unit is the visitor, as assignment is by visitor: orders of one visitor go
together, and a test that counts orders as if they were independent finds differences that are none.

**A mean per visitor.** Difference in means with unequal variances (Welch, "The generalization of 'Student's' problem
when several different population variances are involved", Biometrika 34, 1947): standard error ``sqrt(s1^2/n1 +
s0^2/n0)``, Welch-Satterthwaite degrees of freedom.

**A ratio of means** such as revenue per order, by the delta method: the variance per visitor of ``(y - R d) /
mean(d)`` with ``R = mean(y) / mean(d)`` (Deng, Knoblich and Lu, "Applying the delta method in metric analytics", KDD
2018).

**Relative lift** ``m1/m0 - 1``, by the delta method on the logarithm: ``log(m1/m0)`` has the variance
``s1^2/(n1 m1^2) + s0^2/(n0 m0^2)``.

**CUPED**: what a visitor spent before the experiment explains part of what they spend in it, and cannot depend on the
arm. ``value - theta (mean(x) - mean(x of all arms))`` with ``theta = cov(y, x) / var(x)`` over all arms together has
the variance of ``y - theta x`` (Deng, Xu, Kohavi and Walker, "Improving the sensitivity of online controlled
experiments by utilizing pre-experiment data", WSDM 2013).

**Several arms** against one control: intervals at Šidák's level ``1 - (1 - alpha)^(1/k)`` (Šidák, "Rectangular
confidence regions for the means of multivariate normal distributions", JASA 62, 1967), p-values adjusted by Holm ("A
simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# The columns of `Totals` that the metrics below are made of; money in minor units, net of refunds, tax and shipping.
REVENUE: Final = "revenue"
"""What a visitor paid, each visitor's sum winsorised at the cap that was fixed before the start, if there is one."""
RAW_REVENUE: Final = "raw_revenue"
"""The same without a cap. Only where there is a cap."""
ORDERS: Final = "orders"
BUYERS: Final = "buyers"
"""1 for a visitor with an order, else 0."""
MARGIN: Final = "margin"
"""Revenue less what the goods cost. Only where the store's costs are known."""
BEFORE: Final = "before"
"""What the visitor paid in the days before their first exposure, capped like ``REVENUE``; 0 for who was not there."""


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """Sums over all exposed visitors of one arm, those included who bought nothing.

    Attributes:
        columns: names of what is summed, k of them.
        visitors: how many, at least 0.
        sums: float64[k], the sum of each column over visitors.
        products: float64[k, k], the sum over visitors of the product of two columns; symmetric.
    """

    columns: tuple[str, ...]
    visitors: int
    sums: Floats
    products: Floats

    @classmethod
    def of(cls, values: Mapping[str, npt.ArrayLike]) -> Self:
        """Return the totals of columns of equal length with one value per visitor."""
        rows = np.array([np.asarray(column, dtype=np.float64) for column in values.values()])
        return cls(tuple(values), rows.shape[1], rows.sum(axis=1), rows @ rows.T)

    @classmethod
    def from_sums(
        cls, visitors: int, sums: Mapping[str, float], products: Mapping[tuple[str, str], float]
    ) -> Self:
        """Return totals from sums that a database made.

        Args:
            visitors: of the arm.
            sums: by column.
            products: sum of the product of two columns, by the pair in either order, squares included.

        Raises:
            KeyError: a pair is missing.
        """
        columns = tuple(sums)
        square = [
            [products[a, b] if (a, b) in products else products[b, a] for b in columns] for a in columns
        ]
        return cls(
            columns,
            visitors,
            np.array([float(sums[column]) for column in columns]),
            np.array(square, dtype=np.float64).reshape(len(columns), len(columns)),
        )

    def __add__(self, other: Self) -> Self:
        """Return the totals of the visitors of both, who must be different people.

        Raises:
            ValueError: the columns differ.
        """
        if self.columns != other.columns:
            raise ValueError(f"the columns differ: {self.columns} and {other.columns}")
        return type(self)(
            self.columns,
            self.visitors + other.visitors,
            self.sums + other.sums,
            self.products + other.products,
        )

    def sum(self, column: str) -> float:
        """Return the sum of a column. Raises ValueError where there is no such column."""
        return float(self.sums[self.columns.index(column)])

    def mean(self, column: str) -> float:
        """Return the mean of a column per visitor; at least one visitor."""
        return self.sum(column) / self.visitors

    def covariances(self) -> Floats:
        """Return float64[k, k], the sample covariances (divisor n - 1); at least two visitors."""
        means = self.sums / self.visitors
        return (self.products - self.visitors * np.outer(means, means)) / (self.visitors - 1)

    def to_json(self) -> dict[str, Any]:
        """Return what ``from_json`` reads."""
        return {
            "columns": list(self.columns),
            "visitors": self.visitors,
            "sums": self.sums.tolist(),
            "products": self.products.tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the totals that ``to_json`` wrote."""
        return cls(
            tuple(data["columns"]),
            int(data["visitors"]),
            np.array(data["sums"], dtype=np.float64),
            np.array(data["products"], dtype=np.float64),
        )


@dataclass(frozen=True, slots=True)
class Metric:
    """What is compared between arms.

    Attributes:
        name: in the report.
        numerator: a column.
        denominator: a column for a ratio of means; None for a mean per visitor.
        covariate: a column known before the exposure, for CUPED; left out where ``Totals`` lack it.
        money: whether its values are minor units of the store's currency.
    """

    name: str
    numerator: str
    denominator: str | None = None
    covariate: str | None = None
    money: bool = False

    def columns(self) -> tuple[str, ...]:
        """Return the columns without which it cannot be computed."""
        return (self.numerator,) if self.denominator is None else (self.numerator, self.denominator)


REVENUE_PER_VISITOR: Final = Metric("revenue_per_visitor", REVENUE, covariate=BEFORE, money=True)
RAW_REVENUE_PER_VISITOR: Final = Metric("raw_revenue_per_visitor", RAW_REVENUE, covariate=BEFORE, money=True)
MARGIN_PER_VISITOR: Final = Metric("margin_per_visitor", MARGIN, covariate=BEFORE, money=True)
CONVERSION: Final = Metric("conversion", BUYERS)
AVERAGE_ORDER_VALUE: Final = Metric("average_order_value", REVENUE, denominator=ORDERS, money=True)

METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        REVENUE_PER_VISITOR,
        RAW_REVENUE_PER_VISITOR,
        MARGIN_PER_VISITOR,
        CONVERSION,
        AVERAGE_ORDER_VALUE,
    )
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric in one arm.

    Attributes:
        value: the metric, adjusted by the covariate if there is one.
        variance: of the value per visitor; divided by ``visitors`` it is that of ``value``.
        visitors: how many, at least 2.
    """

    value: float
    variance: float
    visitors: int

    @property
    def error(self) -> float:
        """The squared standard error."""
        return self.variance / self.visitors

    @property
    def log_error(self) -> float:
        """The squared standard error of the logarithm of the value (delta method)."""
        return self.error / (self.value * self.value)


def computable(metric: Metric, arms: Mapping[str, Totals]) -> bool:
    """Tell whether all arms have two visitors and the metric's columns, and something to divide by."""
    return all(
        arm.visitors >= 2
        and set(metric.columns()) <= set(arm.columns)
        and (metric.denominator is None or arm.sum(metric.denominator) > 0)
        for arm in arms.values()
    )


def estimates(metric: Metric, arms: Mapping[str, Totals]) -> dict[str, Estimate]:
    """Return a computable metric in each arm; the covariate's coefficient is that of all arms together."""
    everybody = _together(arms)
    slope = _slope(metric, everybody)
    return {name: _estimate(metric, arm, slope, everybody) for name, arm in arms.items()}


def explained(metric: Metric, arms: Mapping[str, Totals]) -> float:
    """Return the share of a computable metric's variance that its covariate explains (0 without one)."""
    everybody = _together(arms)
    slope, plain = _slope(metric, everybody), _estimate(metric, everybody, 0.0, everybody).variance
    if slope == 0.0 or plain <= 0.0:
        return 0.0
    return 1.0 - _estimate(metric, everybody, slope, everybody).variance / plain


def _together(arms: Mapping[str, Totals]) -> Totals:
    first, *others = arms.values()
    for other in others:
        first = first + other
    return first


def _slope(metric: Metric, everybody: Totals) -> float:
    """Return theta, 0 where there is no covariate or it is the same for everybody."""
    if metric.covariate is None or metric.covariate not in everybody.columns:
        return 0.0
    covariances, place = everybody.covariances(), everybody.columns.index(metric.covariate)
    variance = float(covariances[place, place])
    if variance <= 0.0:
        return 0.0
    return float(_weights(metric, everybody) @ covariances[:, place]) / variance


def _estimate(metric: Metric, arm: Totals, slope: float, everybody: Totals) -> Estimate:
    value, weights = _ratio(metric, arm), _weights(metric, arm)
    if metric.covariate is not None and slope != 0.0:
        value -= slope * (arm.mean(metric.covariate) - everybody.mean(metric.covariate))
        weights[arm.columns.index(metric.covariate)] -= slope
    # Rounding may leave a tiny negative number where everybody is alike.
    variance = max(0.0, float(weights @ arm.covariances() @ weights))
    return Estimate(value, variance, arm.visitors)


def _ratio(metric: Metric, arm: Totals) -> float:
    return arm.sum(metric.numerator) / (
        arm.visitors if metric.denominator is None else arm.sum(metric.denominator)
    )


def _weights(metric: Metric, arm: Totals) -> Floats:
    """Return float64[k]: the combination of columns whose variance per visitor is the metric's."""
    weights = np.zeros(len(arm.columns))
    weights[arm.columns.index(metric.numerator)] = 1.0
    if metric.denominator is not None:
        weights[arm.columns.index(metric.denominator)] -= _ratio(metric, arm)
        weights /= arm.mean(metric.denominator)
    return weights


@dataclass(frozen=True, slots=True)
class Effect:
    """An arm against control. Intervals are two-sided.

    Attributes:
        difference: of the values, in the metric's unit.
        standard_error: of ``difference``.
        low: of the interval of ``difference``.
        high: likewise.
        relative: the lift, 0.05 for 5 % more; None where a value is not positive.
        relative_low: of the interval of ``relative``.
        relative_high: likewise.
        p_value: of no difference.
    """

    difference: float
    standard_error: float
    low: float
    high: float
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    p_value: float

    @property
    def direction(self) -> int:
        """1 where the arm is better, -1 where it is worse, 0 where neither is shown by both intervals."""
        above = self.low > 0.0 and (self.relative_low is None or self.relative_low > 0.0)
        below = self.high < 0.0 and (self.relative_high is None or self.relative_high < 0.0)
        return int(above) - int(below)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "difference": self.difference,
            "standard_error": self.standard_error,
            "interval": [_finite(self.low), _finite(self.high)],
            "relative": self.relative,
            "relative_interval": None if self.relative is None else [self.relative_low, self.relative_high],
            "p_value": self.p_value,
        }


def _finite(value: float) -> float | None:
    """Return a number that JSON knows, None for an end that is not there."""
    return value if math.isfinite(value) else None


def compare(treatment: Estimate, control: Estimate, alpha: float = 0.05) -> Effect:
    """Return the effect with intervals that hold for a single look at the level 1 - ``alpha`` (Welch)."""
    from scipy.special import stdtr, stdtrit

    error = math.sqrt(treatment.error + control.error)
    if error == 0.0:
        return unknown(treatment, control)
    freedom = log_freedom = _freedom(treatment.error, treatment, control.error, control)
    if treatment.value > 0.0 and control.value > 0.0:
        log_freedom = _freedom(treatment.log_error, treatment, control.log_error, control)
    return effect(
        treatment,
        control,
        critical=float(stdtrit(freedom, 1.0 - alpha / 2.0)),
        log_critical=float(stdtrit(log_freedom, 1.0 - alpha / 2.0)),
        p_value=2.0 * float(stdtr(freedom, -abs(treatment.value - control.value) / error)),
    )


def _freedom(first: float, treatment: Estimate, second: float, control: Estimate) -> float:
    """Return the Welch-Satterthwaite degrees of freedom of two squared standard errors."""
    return (first + second) ** 2 / (first**2 / (treatment.visitors - 1) + second**2 / (control.visitors - 1))


def effect(
    treatment: Estimate, control: Estimate, *, critical: float, log_critical: float, p_value: float
) -> Effect:
    """Return the effect with intervals of so many standard errors to each side."""
    difference = treatment.value - control.value
    error = math.sqrt(treatment.error + control.error)
    relative = relative_low = relative_high = None
    if treatment.value > 0.0 and control.value > 0.0:
        ratio = treatment.value / control.value
        factor = math.exp(min(700.0, log_critical * math.sqrt(treatment.log_error + control.log_error)))
        relative, relative_low, relative_high = ratio - 1.0, ratio / factor - 1.0, ratio * factor - 1.0
    return Effect(
        difference=difference,
        standard_error=error,
        low=difference - critical * error,
        high=difference + critical * error,
        relative=relative,
        relative_low=relative_low,
        relative_high=relative_high,
        p_value=p_value,
    )


def unknown(treatment: Estimate, control: Estimate) -> Effect:
    """Return the effect of arms without any variance, of which nothing can be said: the interval is endless."""
    difference = treatment.value - control.value
    return Effect(difference, 0.0, -math.inf, math.inf, None, None, None, 1.0)


def cap_from(values: npt.ArrayLike, share: float = 0.99, fewest: int = 100) -> float | None:
    """Return the cap to fix before a start: the quantile of what buyers of an earlier period paid.

    Args:
        values: sums per visitor or customer of an earlier period; those of 0 or less are left out.
        share: the quantile, 0.99 of those who bought.
        fewest: buyers below which there is no telling what is extreme.

    Returns:
        A cap in the unit of ``values``; None with too few buyers.
    """
    column = np.asarray(values, dtype=np.float64)
    buyers = column[column > 0.0]
    if buyers.size < fewest:
        return None
    return float(np.quantile(buyers, share, method="lower"))


def sidak(alpha: float, comparisons: int) -> float:
    """Return the level of each of several intervals that together miss with a chance of at most ``alpha``."""
    return float(-math.expm1(math.log1p(-alpha) / max(1, comparisons)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for being several, in the order given; at most 1."""
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
