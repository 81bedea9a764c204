"""Price experiments: which price rule a product follows, so that two shoppers never see two list prices of it.

An experiment whose unit is ``product`` puts each product into one arm for as long as it runs; one whose unit is
``time`` puts each product into an arm anew in every slice of time (a switchback). Visitors have no part in it. An arm
names the price rule that its products follow, or ``none``: then the price stays as it is. What an arm was worth is
compared by cluster, a product or a product's slice: sales within one are not independent of each other.

What touches the database stands at the end.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from app.commerce.changes import SALES
from app.commerce.order import NET_SQL, SALE_SQL
from app.commerce.store import Store
from app.core.db import execute_rows
from app.core.errors import NotFound
from app.experiments.assignment import CONTROL
from app.experiments.definition import (
    NO_RULE,
    PRICE_RULE,
    PRODUCT,
    RUNNING,
    SLICE_HOURS,
    TIME,
    shares,
    unit_of,
)
from app.experiments.hashing import Range, bucket, bucket_ranges, choose_variation
from app.pricing.models import PriceRule
from app.pricing.rules import Rule, Traits
from app.pricing.rules import rule_for as follows

if TYPE_CHECKING:
    from app.experiments.uplift import Effect

# With fewer of either arm nothing is said.
FEWEST_CLUSTERS: Final = 10
BEFORE_DAYS: Final = 28
MARGIN: Final = "margin"
REVENUE: Final = "revenue"
_DAY: Final = timedelta(days=1)

# What a product earned by day; ``unknown``: a piece whose cost is not known was among that.
_EARNED: Final = f"""
    SELECT p.platform_id, (o.placed_at AT TIME ZONE %(zone)s)::date AS day, sum({NET_SQL})::float AS revenue,
        sum({NET_SQL} - l.current_quantity * COALESCE(v.cost, p.cost, 0))::float AS margin,
        bool_or(COALESCE(v.cost, p.cost) IS NULL AND l.current_quantity > 0) AS unknown
    FROM order_line l JOIN orders o ON o.id = l.order_id JOIN product p ON p.id = l.product_id
        LEFT JOIN variant v ON v.store_id = l.store_id AND v.platform_id = l.variant_platform_id
    WHERE l.store_id = %(store)s AND p.platform_id = ANY(%(ids)s::text[]) AND NOT l.gift_card
        AND o.placed_at >= %(since)s AND o.placed_at < %(until)s AND {SALE_SQL}
    GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class PriceExperiment:
    """An experiment on prices, as assignment needs it.

    Attributes:
        key: its key, which is also the seed of its hash.
        unit: ``product`` or ``time``.
        arms: (key of the arm, key of the price rule or None where prices stay), in the order of the definition.
        ranges: the buckets of each arm.
        started_at: when it began; slices are counted from then.
        slice: how long a slice of time is.
    """

    key: str
    unit: str
    arms: tuple[tuple[str, str | None], ...]
    ranges: tuple[Range, ...]
    started_at: datetime
    slice: timedelta

    def cluster(self, product_id: str, at: datetime) -> str:
        """Return what is assigned at ``at``: the product, or its present slice of time."""
        if self.unit == PRODUCT:
            return product_id
        return f"{product_id}:{(at - self.started_at) // self.slice}"

    def arm(self, product_id: str, at: datetime) -> tuple[str, str | None] | None:
        """Return the arm that a product is in at ``at``, with its rule; None where it takes no part."""
        if at < self.started_at:
            return None
        place = choose_variation(bucket(self.key, self.cluster(product_id, at)), self.ranges)
        return None if place < 0 else self.arms[place]

    def about(self, product: Traits, rules: Collection[Rule]) -> bool:
        """Return whether a product can take part: every rule of the arms would take it, so that arms are alike."""
        named = {rule for _, rule in self.arms if rule is not None}
        found = {rule.key: rule for rule in rules if rule.key in named}
        return bool(named) and set(found) == named and all(rule.takes(product) for rule in found.values())


@dataclass(frozen=True, slots=True)
class Choice:
    """The rule that a product follows, None for none; and by which arm of which experiment, if by one."""

    rule: Rule | None
    experiment: str | None = None
    arm: str | None = None


def of_definition(key: str, definition: Mapping[str, Any], started_at: datetime) -> PriceExperiment:
    """Return the experiment of a stored definition whose unit is not visitors."""
    of_arms = shares(definition)
    arms = []
    for arm in definition["arms"]:
        rule = arm["settings"].get(PRICE_RULE, NO_RULE)
        arms.append((arm["key"], None if rule == NO_RULE else str(rule)))
    weights = [of_arms[name] for name, _ in arms]
    return PriceExperiment(
        key,
        unit_of(definition),
        tuple(arms),
        tuple(bucket_ranges(len(arms), definition["coverage"], weights)),
        started_at,
        timedelta(hours=definition.get("slice_hours") or SLICE_HOURS),
    )


def rule_for(
    product: Traits, at: datetime, experiments: Iterable[PriceExperiment], rules: Collection[Rule]
) -> Choice:
    """Return the price rule that a product follows at ``at``: an experiment's word goes before the rules' own order.

    Args:
        product: which.
        at: the time of day.
        experiments: those that run.
        rules: the store's active ones. An experiment of which a rule is not among them waits.
    """
    for experiment in sorted(experiments, key=lambda each: each.key):
        if not experiment.about(product, rules):
            continue
        found = experiment.arm(product.product_id, at)
        if found is not None:
            name, key = found
            return Choice(next((rule for rule in rules if rule.key == key), None), experiment.key, name)
    return Choice(follows(product, rules))


# --- what it was worth ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Day:
    """What a product earned on a day: ``margin`` (or revenue) in minor units."""

    product_id: str
    begins: datetime
    margin: float


@dataclass(frozen=True, slots=True)
class Compared:
    """An arm against the control.

    Attributes:
        arm: its key.
        clusters: products, or products' slices, of the arm.
        value: mean margin of a cluster and day, adjusted by what its product earned before.
        control_clusters, control_value: the same of the control.
        effect: the difference with its interval; None where there are fewer than ``FEWEST_CLUSTERS`` of either.
    """

    arm: str
    clusters: int
    value: float
    control_clusters: int
    control_value: float
    effect: "Effect | None"


def compare(
    experiment: PriceExperiment, days: Iterable[Day], before: Mapping[str, float], control: str
) -> list[Compared]:
    """Return each arm against the control, by cluster.

    Where arms change with time, a slice's first day is left out, since what was put into the cart at the price before
    is bought then, and so is a day that lies in two slices.

    Args:
        experiment: which.
        days: of the products that took part, from the experiment's start on, without gaps: days without sales too.
        before: mean margin of a day before the experiment, by product; what is missing counts as 0.
        control: key of the arm that the others are compared with.
    """
    from app.experiments import uplift

    sums: dict[tuple[str, str], list[float]] = {}
    products: dict[tuple[str, str], str] = {}
    for day in days:
        found = experiment.arm(day.product_id, day.begins)
        if found is None or not _settled(experiment, day.begins):
            continue
        key = (found[0], experiment.cluster(day.product_id, day.begins))
        sums.setdefault(key, []).append(day.margin)
        products[key] = day.product_id
    totals = {}
    for name, _ in experiment.arms:
        keys = sorted(key for key in sums if key[0] == name)
        totals[name] = uplift.Totals.of(
            {
                uplift.MARGIN: [sum(sums[key]) / len(sums[key]) for key in keys],
                uplift.BEFORE: [before.get(products[key], 0.0) for key in keys],
            }
        )
    return [_compared(name, totals[name], totals[control]) for name, _ in experiment.arms if name != control]


def _compared(name: str, arm: Any, control: Any) -> Compared:
    from app.experiments import uplift

    both = {name: arm, "": control}
    if min(arm.visitors, control.visitors) < FEWEST_CLUSTERS:
        values = [total.mean(uplift.MARGIN) if total.visitors else 0.0 for total in both.values()]
        return Compared(name, arm.visitors, values[0], control.visitors, values[1], None)
    found = uplift.estimates(uplift.MARGIN_PER_VISITOR, both)
    return Compared(
        name,
        arm.visitors,
        found[name].value,
        control.visitors,
        found[""].value,
        uplift.compare(found[name], found[""]),
    )


def _settled(experiment: PriceExperiment, begins: datetime) -> bool:
    """Return whether a whole day lies in one slice, and not at its beginning."""
    if experiment.unit == PRODUCT:
        return True
    into = (begins - experiment.started_at) % experiment.slice
    return _DAY <= into <= experiment.slice - _DAY


# --- from the database ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Report:
    """What a price experiment has shown so far.

    Attributes:
        key: the experiment's.
        unit: what was assigned.
        measure: ``margin``, or ``revenue`` where some costs are not known; of a cluster and day, minor units.
        products: that took part.
        days: whole days that are counted.
        arms: each arm against the control.
    """

    key: str
    unit: str
    measure: str
    products: int
    days: int
    arms: tuple[Compared, ...]


def report(connection: Connection, store: Store, key: str, at: datetime) -> Report:
    """Return what a price experiment that has started has shown, by the orders until ``at``.

    Raises:
        NotFound: if the store has no such experiment on prices, or it has not started.
    """
    row = connection.exec_driver_sql(
        "SELECT definition, started_at, stopped_at FROM experiment WHERE store_id = %(store)s AND key = %(key)s"
        " AND started_at IS NOT NULL AND definition->>'unit' = ANY(%(units)s::text[])",
        {"store": store.id, "key": key, "units": [PRODUCT, TIME]},
    ).one_or_none()
    if row is None:
        raise NotFound(f"No experiment on prices of the key {key[:50]!r} has started.")
    experiment = of_definition(key, row.definition, row.started_at)
    zone = ZoneInfo(store.timezone)
    first = _next_day(row.started_at, zone)
    last = min(row.stopped_at or at, at).astimezone(zone).date()
    products = _taking_part(connection, store.id, experiment)
    since = first - timedelta(days=BEFORE_DAYS + 1)
    earned = connection.exec_driver_sql(
        _EARNED,
        {
            "store": store.id,
            "ids": products,
            "zone": store.timezone,
            "since": _midnight(since, zone),
            "until": _midnight(last, zone),
            "sales": [int(status) for status in SALES],
        },
    ).all()
    known = not any(line.unknown for line in earned)
    by_day = {(line.platform_id, line.day): line.margin if known else line.revenue for line in earned}
    count = max((last - first).days, 0)
    days = (
        Day(product, _midnight(day, zone), by_day.get((product, day), 0.0))
        for day in (first + timedelta(days=place) for place in range(count))
        for product in products
    )
    before = dict.fromkeys(products, 0.0)
    for (product, day), value in by_day.items():
        if day < first - _DAY:
            before[product] += value / BEFORE_DAYS
    compared = tuple(compare(experiment, days, before, CONTROL)) if count and products else ()
    return Report(key, experiment.unit, MARGIN if known else REVENUE, len(products), count, compared)


def _taking_part(connection: Connection, store_id: int, experiment: PriceExperiment) -> list[str]:
    """Return the products that the arms' rules take, active or not by now."""
    from app.pricing import loading

    named = [key for _, key in experiment.arms if key is not None]
    rows = connection.execute(
        select(PriceRule.key, PriceRule.mode, PriceRule.definition).where(
            PriceRule.store_id == store_id, PriceRule.key.in_(named)
        )
    )
    rules = [Rule.from_json(*row) for row in rows]
    return sorted(
        loading.choose(
            connection,
            store_id,
            rules,
            follow=lambda product, found: rules[0] if experiment.about(product, found) else None,
        )
    )


def _next_day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date() + _DAY


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def running(connection: Connection, store_id: int) -> Sequence[PriceExperiment]:
    """Return the store's running experiments on prices."""
    rows = connection.exec_driver_sql(
        "SELECT key, definition, started_at FROM experiment WHERE store_id = %(store)s AND status = %(status)s"
        " AND definition->>'unit' = ANY(%(units)s::text[]) ORDER BY key",
        {"store": store_id, "status": RUNNING, "units": [PRODUCT, TIME]},
    )
    return [of_definition(key, definition, started_at) for key, definition, started_at in rows]


class Trials:
    """The experiments of a store in one look at its products."""

    def __init__(self, experiments: Sequence[PriceExperiment], at: datetime) -> None:
        """Have ``experiments`` run at ``at``."""
        self._experiments = experiments
        self._at = at
        self._choices: dict[str, Choice] = {}

    def rule_for(self, product: Traits, rules: Collection[Rule]) -> Rule | None:
        """Return the rule that a product follows, and remember by which arm."""
        choice = rule_for(product, self._at, self._experiments, rules)
        if choice.experiment is not None:
            self._choices[product.product_id] = choice
        return choice.rule

    def mark(self, connection: Connection, change_ids: Sequence[int]) -> None:
        """Note on new changes by which arm of which experiment they were made."""
        if not change_ids or not self._choices:
            return
        execute_rows(
            connection,
            """
            UPDATE price_change c SET experiment = r.experiment, arm = r.arm
            FROM json_to_recordset(%(rows)s::json) AS r(product_id text, experiment text, arm text)
            WHERE c.id = ANY(%(ids)s::bigint[]) AND c.product_id = r.product_id
            """,
            [
                {"product_id": product_id, "experiment": choice.experiment, "arm": choice.arm}
                for product_id, choice in self._choices.items()
            ],
            ids=list(change_ids),
        )
