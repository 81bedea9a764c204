"""How often the experiments' statistics are wrong, on synthetic shoppers whose truth is known.

Most visitors buy nothing, order values are lognormal with a level of each shopper's own, visitors come back and buy
again after they were counted, and one in seven has a past with the shop. Four questions:

- how often arms that are alike are called different (A/A), by the report of a single look and by 28 daily ones;
- how often a planted lift of 5 % is found by as many visitors as ``power`` asked for;
- how often visitors lost from one arm block the verdict, and how often nothing lost does;
- what the usual interval would have said in 28 daily looks, for comparison.

Only shoppers who ever bought are drawn one by one (exactly, by thinning a Poisson process), so that thousands of
experiments with tens of thousands of visitors take seconds.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.experiments import power, sequences, uplift, verdict
from app.experiments.uplift import Estimate, Totals
from benchmarks.report import Result, print_table

DAYS: Final = 28
ARMS: Final = ("control", "b")
COLUMNS: Final = (uplift.REVENUE, uplift.ORDERS, uplift.BUYERS, uplift.BEFORE)
LIFT: Final = 0.05
_SEED: Final = 6
# Active shoppers drawn at once; bounds the memory.
_BATCH: Final = 400_000

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Shop:
    """How the synthetic shoppers behave.

    Attributes:
        conversion: chance that a visit ends with an order.
        returning: share of visitors who knew the shop before.
        visits: later visits within 28 days, of new and of returning visitors.
        before: mean orders in the time before, of returning visitors.
        value: median order in minor units.
        spread: standard deviation of the logarithm of order values within a shopper.
        taste: the same between shoppers.
        lift: relative, of the conversion in the treated arm.
        share: of all visitors, those in the treated arm.
        lost: share of the treated arm's visitors who are not counted.
        cap: of a shopper's revenue; None for none.
    """

    conversion: float = 0.025
    returning: float = 0.15
    visits: tuple[float, float] = (0.3, 4.0)
    before: float = 1.0
    value: float = 4_000.0
    spread: float = 0.7
    taste: float = 0.5
    lift: float = 0.0
    share: float = 0.5
    lost: float = 0.0
    cap: float | None = None


@dataclass(frozen=True, slots=True)
class Runs:
    """Sums of many experiments after each day: r experiments, 28 days, 2 arms, k columns.

    Attributes:
        visitors: int64[r, 28, 2].
        sums: float64[r, 28, 2, k].
        products: float64[r, 28, 2, k, k].
    """

    visitors: Integers
    sums: Floats
    products: Floats

    def __len__(self) -> int:
        """Return how many experiments there are."""
        return len(self.visitors)

    def arms(self, run: int, day: int) -> dict[str, Totals]:
        """Return the totals of both arms after a day (0-based) of an experiment."""
        return {
            name: Totals(
                COLUMNS,
                int(self.visitors[run, day, arm]),
                self.sums[run, day, arm],
                self.products[run, day, arm],
            )
            for arm, name in enumerate(ARMS)
        }


def simulate(shop: Shop, runs: int, visitors: int, random: np.random.Generator) -> Iterator[Runs]:
    """Yield batches of experiments, ``runs`` in all, each with so many visitors of both arms in 28 days."""
    active = (
        visitors * (1.0 - math.exp(-shop.conversion * (1.0 + shop.visits[0]))) + visitors * shop.returning
    )
    size = max(1, int(_BATCH / active))
    for start in range(0, runs, size):
        yield _batch(shop, min(size, runs - start), visitors, random)


def _batch(shop: Shop, runs: int, visitors: int, random: np.random.Generator) -> Runs:
    """Draw a batch. A cell is a run, an arm, a class of visitors (new, returning) and the day of first exposure."""
    cells = _cells(shop, runs, visitors, random)
    run, arm, known, day = np.indices(cells.shape).reshape(4, -1)
    later = np.array(shop.visits)[known] * (DAYS - 1 - day) / (DAYS - 1)
    during = shop.conversion * (1.0 + shop.lift * arm) * (1.0 + later)
    past = shop.before * known
    # Who ever bought is drawn one by one, of all others only the number matters.
    active = random.binomial(cells.ravel(), -np.expm1(-during - past))
    cell = np.repeat(np.arange(active.size), active)
    orders = _at_least_one(during[cell] + past[cell], random)
    return _summed(shop, cells, _Drawn(run, arm, day, during, past, later, cell, orders), random)


def _cells(shop: Shop, runs: int, visitors: int, random: np.random.Generator) -> Integers:
    """Return int64[runs, arms, classes, days]: visitors of each cell. Returning ones are met sooner."""
    days = np.arange(DAYS)
    sooner = 0.85**days / (0.85**days).sum()
    shares = np.array([(1.0 - shop.returning) * np.full(DAYS, 1.0 / DAYS), shop.returning * sooner])
    shares = np.array([(1.0 - shop.share) * shares, shop.share * shares])
    cells = random.multinomial(visitors, shares.ravel() / shares.sum(), size=runs).reshape(runs, 2, 2, DAYS)
    if shop.lost:
        cells[:, 1] = random.binomial(cells[:, 1], 1.0 - shop.lost)
    return cells


def _at_least_one(rate: Floats, random: np.random.Generator) -> Integers:
    """Return Poisson numbers that are not 0: the first event's time is drawn within the unit, and then what follows."""
    first = -np.log1p(random.random(rate.size) * np.expm1(-rate))
    return 1 + random.poisson(rate - first)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Cells by number, and the active shoppers: the cell of each and their orders, those before included."""

    run: Integers
    arm: Integers
    day: Integers
    during: Floats
    past: Floats
    later: Floats
    cell: Integers
    orders: Integers


def _summed(shop: Shop, cells: Integers, drawn: _Drawn, random: np.random.Generator) -> Runs:
    shopper = np.repeat(np.arange(drawn.cell.size), drawn.orders)
    cell = drawn.cell[shopper]
    taste = random.normal(math.log(shop.value), shop.taste, drawn.cell.size)
    value = np.rint(np.exp(random.normal(taste[shopper], shop.spread)))
    now = random.random(shopper.size) * (drawn.during + drawn.past)[cell] < drawn.during[cell]
    before = np.bincount(shopper[~now], value[~now], drawn.cell.size).astype(np.float64)
    if shop.cap is not None:
        before = np.minimum(before, shop.cap)
    shopper, cell, value = shopper[now], cell[now], value[now]
    # The visit of the first exposure, or one on any later day.
    at_once = random.random(shopper.size) * (1.0 + drawn.later[cell]) < 1.0
    later_day = drawn.day[cell] + 1 + random.integers(0, np.maximum(1, DAYS - 1 - drawn.day[cell]))
    day = np.where(at_once, drawn.day[cell], np.minimum(later_day, DAYS - 1))
    order = np.lexsort((day, shopper))
    shopper, cell, value, day = shopper[order], cell[order], value[order], day[order]
    after = _states(shopper, value, before, shop.cap)
    # Each event moves a shopper from one row of columns to the next: first seen (with their past), then each order.
    previous = np.vstack([np.zeros((1, len(COLUMNS))), after[:-1]])
    first = np.r_[True, shopper[1:] != shopper[:-1]] if shopper.size else np.zeros(0, bool)
    previous[first] = 0.0
    previous[first, 3] = before[shopper[first]]
    seen = np.zeros((before.size, len(COLUMNS)))
    seen[:, 3] = before
    rows = np.vstack([seen, after])
    olds = np.vstack([np.zeros_like(seen), previous])
    return _accumulated(
        cells,
        (np.r_[drawn.run[drawn.cell], drawn.run[cell]] * DAYS + np.r_[drawn.day[drawn.cell], day]) * 2
        + np.r_[drawn.arm[drawn.cell], drawn.arm[cell]],
        olds,
        rows,
    )


def _states(shopper: Integers, value: Floats, before: Floats, cap: float | None) -> Floats:
    """Return float64[orders, k]: a shopper's columns after each of their orders, which stand together by time."""
    count, spent = np.arange(1, shopper.size + 1), np.cumsum(value)
    starts = (
        np.flatnonzero(np.r_[True, shopper[1:] != shopper[:-1]]) if shopper.size else np.zeros(0, np.int64)
    )
    lengths = np.diff(np.r_[starts, shopper.size])
    count = count - np.repeat(starts, lengths)
    spent = spent - np.repeat(spent[starts] - value[starts], lengths)
    revenue = spent if cap is None else np.minimum(spent, cap)
    return np.column_stack([revenue, count, np.ones(shopper.size), before[shopper]])


def _accumulated(cells: Integers, place: Integers, olds: Floats, rows: Floats) -> Runs:
    """Sum what each event changes by run, day and arm, and add up the days."""
    runs, width = len(cells), len(COLUMNS)
    shape = (runs, DAYS, 2)
    sums = np.empty((*shape, width))
    products = np.empty((*shape, width, width))
    for a in range(width):
        sums[..., a] = np.bincount(place, rows[:, a] - olds[:, a], runs * DAYS * 2).reshape(shape)
        for b in range(a + 1):
            change = rows[:, a] * rows[:, b] - olds[:, a] * olds[:, b]
            products[..., a, b] = products[..., b, a] = np.bincount(place, change, runs * DAYS * 2).reshape(
                shape
            )
    visitors = cells.sum(axis=2).transpose(0, 2, 1)
    return Runs(visitors.cumsum(axis=1), sums.cumsum(axis=1), products.cumsum(axis=1))


# --- questions ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Calls:
    """How often arms were called different, as shares of all experiments.

    Attributes:
        runs: experiments.
        once: by the last look alone, 95 %.
        daily: by any of the looks at the always-valid intervals.
        peeking: by any of the looks at the usual intervals, which do not allow it.
    """

    runs: int
    once: float
    daily: float
    peeking: float


def calls(
    shop: Shop, runs: int, visitors: int, seed: int = _SEED, days: Sequence[int] = range(DAYS)
) -> Calls:
    """Return how often the arms of a shop are called different by looks after some days (0-based)."""
    once = daily = peeking = 0
    for batch in simulate(shop, runs, visitors, np.random.default_rng(seed)):
        for run in range(len(batch)):
            looks = [look for look in (_looked_at(batch, run, day) for day in days) if look is not None]
            usual = [uplift.compare(look["b"], look["control"]).direction != 0 for look in looks]
            once += bool(usual and usual[-1])
            peeking += any(usual)
            daily += any(
                sequences.compare(look["b"], look["control"], visitors).direction != 0 for look in looks
            )
    return Calls(runs, once / runs, daily / runs, peeking / runs)


def _looked_at(batch: Runs, run: int, day: int) -> dict[str, Estimate] | None:
    """Return revenue per visitor of both arms after a day; None before there is enough to look at."""
    arms = batch.arms(run, day)
    if not all(sequences.started(arm.visitors, arm.sum(uplift.BUYERS)) for arm in arms.values()):
        return None
    return uplift.estimates(uplift.REVENUE_PER_VISITOR, arms)


def found(shop: Shop, runs: int, visitors: int, seed: int = _SEED, *, daily: bool = False) -> float:
    """Return the share of experiments that call the treated arm better at the planned number of visitors."""
    better = 0
    for batch in simulate(shop, runs, visitors, np.random.default_rng(seed)):
        for run in range(len(batch)):
            arms = uplift.estimates(uplift.REVENUE_PER_VISITOR, batch.arms(run, DAYS - 1))
            effect = (
                sequences.compare(arms["b"], arms["control"], visitors)
                if daily
                else uplift.compare(arms["b"], arms["control"])
            )
            better += effect.direction == 1
    return better / runs


def blocked(shop: Shop, runs: int, visitors: int, seed: int = _SEED) -> float:
    """Return the share of experiments whose report has no verdict, as visitors are not split as planned."""
    plan = verdict.Plan("control", dict.fromkeys(ARMS, 0.5), "EUR", visitors=visitors)
    count = 0
    for batch in simulate(shop, runs, visitors, np.random.default_rng(seed)):
        for run in range(len(batch)):
            count += verdict.report(plan, batch.arms(run, DAYS - 1), days=DAYS).verdict == verdict.BLOCKED
    return count / runs


def capped(shop: Shop, seed: int = 1) -> Shop:
    """Return the shop with the cap that an earlier period's buyers give."""
    random = np.random.default_rng(seed)
    orders = _at_least_one(np.full(20_000, shop.conversion * (1.0 + shop.visits[0])), random)
    buyer = np.repeat(np.arange(orders.size), orders)
    taste = random.normal(math.log(shop.value), shop.taste, orders.size)
    spent = np.bincount(buyer, np.exp(random.normal(taste[buyer], shop.spread)))
    return replace(shop, cap=uplift.cap_from(spent))


def earlier(shop: Shop, visitors: int = 400_000, seed: int = 1) -> power.Shoppers:
    """Return what four earlier weeks tell of a shop's visitors, for planning."""
    (batch,) = simulate(replace(shop, lift=0.0, lost=0.0), 1, visitors, np.random.default_rng(seed))
    control, other = batch.arms(0, DAYS - 1).values()
    arms = {"everybody": control + other}
    plain = uplift.estimates(replace(uplift.REVENUE_PER_VISITOR, covariate=None), arms)["everybody"]
    explained = uplift.explained(uplift.REVENUE_PER_VISITOR, arms)
    return power.Shoppers(visitors / 4.0, plain.value, plain.variance, explained)


def run(runs: int = 2_000, visitors: int = 10_000, planted: int = 300) -> Iterator[Result]:
    """Ask all questions.

    Args:
        runs: experiments of arms that are alike.
        visitors: of both arms, in each of them.
        planted: experiments with a planted lift, which take as many visitors as it needs.
    """
    shop = capped(Shop())
    alike = calls(shop, runs, visitors)
    yield Result(
        name=f"alike, a single look ({runs:,} A/A)", value=100 * alike.once, unit="% called different",
        baseline_name="stated, within 1", baseline=5.0, ratio=0.01 / max(1e-4, abs(alike.once - 0.05)), bar=1.0,
    )  # fmt: skip
    yield Result(
        name="alike, 28 daily looks, always-valid", value=100 * alike.daily, unit="% called different",
        baseline_name="usual intervals", baseline=100 * alike.peeking,
        ratio=0.05 / max(1e-4, alike.daily), bar=1.0,
    )  # fmt: skip
    plain = calls(replace(shop, cap=None), runs, visitors, seed=_SEED + 1)
    yield Result(
        name="the same without a cap", value=100 * plain.daily, unit="% called different",
        baseline_name="usual intervals", baseline=100 * plain.peeking,
        ratio=0.05 / max(1e-4, plain.daily), bar=1.0,
    )  # fmt: skip
    held = calls(replace(shop, share=0.9), runs, visitors, seed=_SEED + 3)
    yield Result(
        name="the same, control a tenth of all", value=100 * held.daily, unit="% called different",
        baseline_name="usual intervals", baseline=100 * held.peeking,
        ratio=0.05 / max(1e-4, held.daily), bar=1.0,
    )  # fmt: skip
    lifted, known = replace(shop, lift=LIFT), earlier(shop)
    for daily, name in ((False, "a single look"), (True, "always-valid")):
        design = power.Design(daily=daily)
        needed = power.visitors_needed(known, LIFT, design)
        share = found(lifted, planted, needed, daily=daily)
        # Two standard errors of the simulation below what was promised.
        least = 1.0 - 2.0 * math.sqrt((1.0 - design.power) / design.power / planted)
        yield Result(
            name=f"5 % more found by {needed:,} visitors, {name}", value=100 * share, unit="% found",
            baseline_name="promised", baseline=100 * design.power, ratio=share / design.power, bar=round(least, 3),
        )  # fmt: skip
    false = blocked(shop, runs, visitors, seed=_SEED + 2)
    lossy = blocked(replace(shop, lost=0.1), planted, visitors)
    yield Result(
        name="10 % of an arm lost, verdict blocked", value=100 * lossy, unit="% blocked",
        baseline_name="nothing lost", baseline=100 * false, ratio=lossy, bar=0.9,
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Print the table. Returns 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description="How often the experiments' statistics are wrong.")
    parser.add_argument("--runs", type=int, default=2_000, help="experiments of arms that are alike (2,000)")
    parser.add_argument("--visitors", type=int, default=10_000, help="visitors of each (10,000)")
    parser.add_argument("--planted", type=int, default=300, help="experiments with a planted lift (300)")
    asked = parser.parse_args(arguments)
    results = list(run(asked.runs, asked.visitors, asked.planted))
    print_table(results)
    return int(any(result.verdict == "MISSED" for result in results))


if __name__ == "__main__":
    sys.exit(main())
