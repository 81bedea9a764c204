"""Slots that do harm pause themselves, and come back on trial: the looking, every ten minutes.

What the evidence means and what follows is ``pausing``'s; how a pause takes effect is ``app.recommendations.paused``'s.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import Connection, exists, func, select

from app.commerce.store import Store
from app.core.db import db, lock_store, now
from app.core.queues import UPKEEP, enqueue
from app.core.redis import breaker, redis_client
from app.experiments import outcomes
from app.experiments.assignment import CONTROL, SHOWN, STANDING
from app.experiments.models import ExperimentExposure
from app.experiments.outcomes import Period
from app.experiments.sequences import FEWEST_VISITORS
from app.experiments.uplift import Totals
from app.monitoring import alerts, pausing
from app.monitoring.pausing import Evidence, Pause, Step
from app.recommendations import paused
from app.recommendations.models import SlotPause
from app.recommendations.strategies import SLOTS

log = structlog.get_logger()

GUARD: Final = "app.monitoring.guardrails.guard"
_GUARD_LOCK: Final = 61
_TIMEOUT_S: Final = 1800
_VISITORS_PER_SECOND: Final = 300
TRIAL: Final = "trial"
MERCHANT: Final = "merchant"
NOTHING: Final = Evidence({}, {})

# Returns the totals of a slot's arms, by arm, over visitors who were first exposed since a time; None: not now.
Measure = Callable[[Connection, int, str, datetime], Mapping[str, Totals] | None]
Say = Callable[[Connection, int, str, str, str], Any]


def guard_everywhere() -> None:
    """Enqueue a look at every installed store that has a standing control."""
    stores = db.session.scalars(
        select(Store.id)
        .where(
            Store.uninstalled_at.is_(None),
            exists().where(
                ExperimentExposure.store_id == Store.id, ExperimentExposure.experiment.startswith(STANDING)
            )
            | exists().where(SlotPause.store_id == Store.id, SlotPause.ended_at.is_(None)),
        )
        .order_by(Store.id)
    ).all()
    db.session.rollback()
    for store_id in stores:
        enqueue(UPKEEP, GUARD, store_id, timeout_s=_TIMEOUT_S)


def guard(store_id: int) -> None:
    """Look at every slot of a store, and pause, try or let go what is due."""
    look(store_id, measured)


def look(
    store_id: int,
    measure: Measure,
    *,
    say: Say = alerts.raise_alert,
    unsay: Callable[[Connection, int, str], Any] = alerts.clear_alert,
) -> dict[str, Step]:
    """Look at every slot of a store; return what happened, by slot.

    Args:
        store_id: the store.
        measure: what measures a slot's arms.
        say: raises an alert: connection, store, source, level, message.
        unsay: clears an alert: connection, store, source.
    """
    connection = db.session.connection()
    moment = now()
    seen = _all_evidence(connection, store_id, moment, measure)
    # Measuring may take minutes, and the merchant may have ended a pause meanwhile.
    lock_store(connection, store_id, _GUARD_LOCK)
    db.session.expire_all()
    open_, _ = _pauses(store_id)
    taken: dict[str, Step] = {}
    for slot, (pause, evidence) in seen.items():
        row = open_.get(slot)
        step = pausing.step(pause, evidence, moment) if _as_pause(row) == pause else None
        if step is not None:
            _tell(connection, _take(store_id, slot, row, step, evidence, moment), step, say, unsay)
            taken[slot] = step
    db.session.commit()
    for slot, step in taken.items():
        log.info("slot_guarded", store_id=store_id, slot=slot, step=step.value)
    if taken:
        paused.forget()
    return taken


def resume(store_id: int, slot: str) -> bool:
    """End a slot's pause because the merchant says so; return whether there was one. Commits."""
    connection = db.session.connection()
    lock_store(connection, store_id, _GUARD_LOCK)
    row = _pauses(store_id)[0].get(slot)
    if row is not None:
        row.ended_at, row.ended_by = now(), MERCHANT
        alerts.clear_alert(connection, store_id, source_of(slot))
    db.session.commit()
    paused.forget()
    return row is not None


def source_of(slot: str) -> str:
    """Return the source of a slot's alerts."""
    return f"slot:{slot}"


def measured(
    connection: Connection, store_id: int, slot: str, since: datetime
) -> Mapping[str, Totals] | None:
    """Return the totals of a slot's standing control and of those who were shown it.

    None, not now, where the last look was lately: of a million visitors people and orders are put together once an
    hour. Nothing where too few were exposed for a look to count.
    """
    key, looked = f"{STANDING}{slot}", f"pannier:{store_id}:guarded:{slot}:{since.isoformat()}"
    if breaker().call(lambda: redis_client().get(looked), otherwise=None) is not None:
        return None
    exposed = dict(
        connection.execute(
            select(ExperimentExposure.arm, func.count())
            .where(
                ExperimentExposure.store_id == store_id,
                ExperimentExposure.experiment == key,
                ExperimentExposure.first_at >= since,
            )
            .group_by(ExperimentExposure.arm)
        ).all()
    )
    if min(exposed.get(arm, 0) for arm in (SHOWN, CONTROL)) < FEWEST_VISITORS:
        return {}
    rest_s = sum(exposed.values()) // _VISITORS_PER_SECOND
    if rest_s:
        breaker().call(lambda: redis_client().set(looked, 1, ex=rest_s), otherwise=None)
    return outcomes.of_experiment(connection, store_id, key, Period(since, now())).arms


def _pauses(store_id: int) -> tuple[dict[str, SlotPause], dict[str, datetime]]:
    """Return the open pauses of a store, and when the last pause of each slot ended."""
    rows = db.session.scalars(
        select(SlotPause).where(SlotPause.store_id == store_id, SlotPause.ended_at.is_(None))
    )
    ended = db.session.execute(
        select(SlotPause.slot, func.max(SlotPause.ended_at))
        .where(SlotPause.store_id == store_id, SlotPause.ended_at.is_not(None))
        .group_by(SlotPause.slot)
    )
    return {row.slot: row for row in rows}, {slot: at for slot, at in ended if at is not None}


def _as_pause(row: SlotPause | None) -> Pause | None:
    return None if row is None else Pause(row.paused_at, row.trial_at)


def _all_evidence(
    connection: Connection, store_id: int, moment: datetime, measure: Measure
) -> dict[str, tuple[Pause | None, Evidence]]:
    """Return what is known of each slot; of one that rests nothing is asked."""
    open_, let_go = _pauses(store_id)
    found: dict[str, tuple[Pause | None, Evidence]] = {}
    for slot in SLOTS:
        pause = _as_pause(open_.get(slot))
        if pause is not None and pause.trial_at is None:
            found[slot] = pause, NOTHING
            continue
        arms = measure(connection, store_id, slot, pausing.since(pause, let_go.get(slot), moment))
        if arms is not None:
            found[slot] = pause, pausing.weigh(arms)
    return found


def _take(
    store_id: int, slot: str, row: SlotPause | None, step: Step, evidence: Evidence, moment: datetime
) -> SlotPause:
    """Write a step down."""
    if row is None:
        row = SlotPause(
            store_id=store_id,
            slot=slot,
            paused_at=moment,
            reason=pausing.sentence(evidence),
            measures={**evidence.to_json(), "trials": 0},
        )
        db.session.add(row)
    elif step is Step.TRY:
        row.trial_at = moment
    elif step is Step.PAUSE_AGAIN:
        row.paused_at, row.trial_at, row.reason = moment, None, pausing.sentence(evidence)
        row.measures = {**evidence.to_json(), "trials": row.measures["trials"] + 1}
    else:
        row.ended_at, row.ended_by = moment, TRIAL
        row.measures = {**row.measures, "trial": evidence.to_json()}
    db.session.flush()
    return row


def _tell(
    connection: Connection,
    row: SlotPause,
    step: Step,
    say: Say,
    unsay: Callable[[Connection, int, str], Any],
) -> None:
    source = source_of(row.slot)
    if step is Step.LET_GO:
        unsay(connection, row.store_id, source)
        return
    say(connection, row.store_id, source, alerts.ERROR, _message(row))


def _message(row: SlotPause) -> str:
    by_hand = f"POST /v1/slots/{row.slot}/resume ends this at once."
    if row.trial_at is not None:
        until = (row.trial_at + pausing.TRIAL).date()
        return f"The slot {row.slot} is on trial on a fifth of the visitors until {until}. {row.reason} {by_hand}"
    until = (row.paused_at + pausing.REST).date()
    return f"The slot {row.slot} shows nothing until {until}. {row.reason} {by_hand}"
