"""Slots that do harm pause themselves, and come back on trial: the looking, every ten minutes.

What the evidence means and what follows is ``pausing``'s; how a pause takes effect is ``app.recommendations.paused``'s.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import Connection, func, select

from app.core.db import db, lock_store, now
from app.experiments.uplift import Totals
from app.monitoring import alerts, pausing
from app.monitoring.pausing import Evidence, Pause, Step
from app.recommendations import paused
from app.recommendations.models import SlotPause
from app.recommendations.strategies import SLOTS

log = structlog.get_logger()

_GUARD_LOCK: Final = 61
TRIAL: Final = "trial"
MERCHANT: Final = "merchant"
NOTHING: Final = Evidence({}, {})

# Returns the totals of a slot's arms, by arm, over visitors who were first exposed since a time; None: not now.
Measure = Callable[[Connection, int, str, datetime], Mapping[str, Totals] | None]
Say = Callable[[Connection, int, str, str, str], Any]


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
