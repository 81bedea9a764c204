"""The report of an experiment: from the rows to figures, a verdict and plain sentences.

An experiment has a row. The store-wide hold-out (``holdout``) and the standing controls of slots (``slot:product``)
follow from the store's settings and always run: their report is of the visitors first exposed within ``STANDING_FOR``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Connection, select

from app.commerce.store import SETTINGS, Store
from app.core.db import db, now
from app.core.errors import NotFound
from app.core.redis import breaker, redis_client
from app.experiments import definition as definitions
from app.experiments import outcomes
from app.experiments.assignment import CONTROL, HOLDOUT, IN, OUT, SHOWN, STANDING
from app.experiments.models import Experiment
from app.experiments.outcomes import AFTER, Period
from app.experiments.schemas import FIXED, KEY

# Of how many exposures a report is made at once; of more by a worker.
AT_ONCE: Final = 20_000
STANDING_FOR: Final = timedelta(days=56)
# How far back a forecast looks.
FORECAST_FROM: Final = timedelta(days=28)
# For how long a worker's report is handed out.
_HELD_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about.

    Attributes:
        key: of the experiment, ``holdout``, or ``slot:`` and the slot.
        name: for people.
        status: of the experiment; ``running`` for what always runs.
        period: in which exposures count.
        control: the arm that the others are compared with.
        shares: of the arms.
        lift: the relative difference worth finding.
        cap: at which a person's revenue is winsorised, in minor units.
        once: whether it is looked at once, when its weeks are over.
        over: whether they are, and the last orders are in.
    """

    key: str
    name: str
    status: str
    period: Period
    control: str
    shares: Mapping[str, float]
    lift: float = 0.05
    cap: float | None = None
    once: bool = False
    over: bool = False


def report(connection: Connection, store_id: int, key: str) -> dict[str, Any]:
    """Return what an experiment has shown, as JSON.

    Raises:
        NotFound: if the store has no such experiment, or no such control.
    """
    from app.experiments import verdict

    subject = find(connection, store_id, key)
    found = outcomes.of_experiment(connection, store_id, key, subject.period, cap=subject.cap)
    exposed = sum(totals.visitors for totals in found.arms.values())
    start = subject.period.start
    if _always_runs(key):
        start = found.first_at or start
    plan = verdict.Plan(
        control=subject.control,
        shares=subject.shares,
        currency=found.currency,
        visitors=exposed if subject.once and subject.over and exposed else None,
        lift=subject.lift,
        daily=not subject.once,
        cap=subject.cap,
    )
    arms = {arm: totals for arm, totals in found.arms.items() if arm in subject.shares}
    made = verdict.report(
        plan, arms, days=(subject.period.end - start) / timedelta(days=1), multiple=found.multiple
    )
    return {
        "experiment": key,
        "name": subject.name,
        "status": subject.status,
        "from": start.isoformat(),
        "to": subject.period.end.isoformat(),
        "orders_until": min(subject.period.end + AFTER, now()).isoformat(),
        "as_of": now().isoformat(),
        "currency": found.currency,
        "visitors": exposed,
        "multiple": found.multiple,
        "orders": found.orders,
        "margin_known": any("margin" in totals.columns for totals in arms.values()),
        **made.to_json(),
    }


def find(connection: Connection, store_id: int, key: str) -> Subject:
    """Return what a report of this key is about.

    Raises:
        NotFound: if the store has no such experiment, or no such control.
    """
    if _always_runs(key):
        return _standing(connection, store_id, key)
    row = None
    if KEY.fits(key):  # PostgreSQL would not even take some of what is none
        row = connection.execute(
            select(
                Experiment.name,
                Experiment.status,
                Experiment.definition,
                Experiment.started_at,
                Experiment.stopped_at,
            ).where(Experiment.store_id == store_id, Experiment.key == key)
        ).one_or_none()
    if row is None:
        raise NotFound(f"This store has no experiment {key[:50]!r}.")
    name, status, definition, started_at, stopped_at = row
    start = started_at or now()
    end = stopped_at or now()
    once, planned = definition["stop_rule"] == FIXED, timedelta(weeks=definition["planned_weeks"])
    if once:  # what comes later would be a second look
        end = min(end, start + planned)
    return Subject(
        key=key,
        name=name,
        status=status,
        period=Period(start, end),
        control=CONTROL,
        shares=definitions.shares(definition),
        lift=definition["minimum_effect"],
        cap=definition["winsor_cap"],
        once=once,
        over=end >= start + planned and now() >= end + AFTER,
    )


def _always_runs(key: str) -> bool:
    return key == HOLDOUT or key.startswith(STANDING)


def _standing(connection: Connection, store_id: int, key: str) -> Subject:
    setting = "holdout_percent" if key == HOLDOUT else "control_percent"
    settings = connection.execute(select(Store.settings).where(Store.id == store_id)).scalar_one()
    kept = float(settings.get(setting, SETTINGS[setting][0]))
    if not 0 < kept < 100:
        raise NotFound(f"This store keeps nobody out: {setting} is {kept:g}.")
    control, others = (OUT, IN) if key == HOLDOUT else (CONTROL, SHOWN)
    slot = key.removeprefix(STANDING)
    return Subject(
        key=key,
        name="Hold-out" if key == HOLDOUT else f"Control of the slot {slot[:50]}",
        status=definitions.RUNNING,
        period=Period(now() - STANDING_FOR, now()),
        control=control,
        shares={control: kept, others: 100 - kept},
    )


def is_large(connection: Connection, store_id: int, key: str) -> bool:
    """Return whether a report takes longer than a request should."""
    found: int = connection.exec_driver_sql(
        "SELECT count(*) FROM (SELECT FROM experiment_exposure WHERE store_id = %(store)s AND experiment = %(key)s"
        " LIMIT %(most)s) few",
        {"store": store_id, "key": key, "most": AT_ONCE + 1},
    ).scalar_one()
    return found > AT_ONCE


def make_and_hold(store_id: int, key: str) -> None:
    """Make a report and hold it for an hour; nothing where there is no such experiment any more."""
    try:
        made = report(db.session.connection(), store_id, key)
    except NotFound:
        return
    breaker().call(
        lambda: redis_client().set(_held_key(store_id, key), orjson.dumps(made), ex=_HELD_S), otherwise=None
    )


def held(store_id: int, key: str) -> dict[str, Any] | None:
    """Return the report that a worker made within the hour, None where there is none."""
    raw = breaker().call(lambda: redis_client().get(_held_key(store_id, key)), otherwise=None)
    found: dict[str, Any] | None = orjson.loads(raw) if raw else None
    return found


def _held_key(store_id: int, key: str) -> str:
    return f"pannier:{store_id}:report:{key}"


def forecast(
    connection: Connection, store_id: int, *, lift: float, weeks: int, arms: int, daily: bool
) -> dict[str, Any]:
    """Return whether and when the store would see a lift of its revenue per visitor, as JSON.

    Args:
        connection: as ever.
        store_id: the store.
        lift: relative, 0.05 for 5 %.
        weeks: the longest that the experiment may take.
        arms: how many arms of equal shares would be compared with control.
        daily: whether one may look at any time.
    """
    from app.experiments import power, uplift

    period = Period(now() - FORECAST_FROM, now())
    found = outcomes.of_everybody(connection, store_id, period)
    everybody = found.arms.get(outcomes.ALL)
    shoppers = power.Shoppers(0.0, 0.0, 0.0)
    if everybody is not None and uplift.computable(uplift.REVENUE_PER_VISITOR, found.arms):
        revenue = uplift.estimates(uplift.REVENUE_PER_VISITOR, {outcomes.ALL: _plain(everybody)})[
            outcomes.ALL
        ]
        shoppers = power.Shoppers(
            # Of one arm and control: a new visitor of another arm tells nothing of these two.
            per_week=everybody.visitors * (timedelta(weeks=1) / FORECAST_FROM) * 2 / (arms + 1),
            mean=revenue.value,
            variance=revenue.variance,
            explained=max(0.0, uplift.explained(uplift.REVENUE_PER_VISITOR, found.arms)),
        )
    design = power.Design(comparisons=arms, daily=daily)
    made = power.forecast(shoppers, lift, design, weeks)
    return {
        **made.to_json(),
        "visitors_per_week": shoppers.per_week,
        "revenue_per_visitor": shoppers.mean,
        "currency": found.currency,
        "as_of": now().isoformat(),
    }


def _plain(totals: Any) -> Any:
    """Return totals of the revenue alone: without what was paid before, which is taken off elsewhere."""
    from app.experiments import uplift

    place = totals.columns.index(uplift.REVENUE)
    return uplift.Totals.from_sums(
        totals.visitors,
        {uplift.REVENUE: float(totals.sums[place])},
        {(uplift.REVENUE, uplift.REVENUE): float(totals.products[place, place])},
    )
