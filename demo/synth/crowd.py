"""Visitors in bulk, dated over the days before now: what statistics need, and no test could ask for one by one.

Their decisions and events are written by the same functions that the service writes its own with, only with times of
the past, which no request could have. Their arms are those that the service would assign; their orders are webhooks.
They are not answered one by one: how they respond follows from what the slot is seen to show beforehand.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Flask

from app.core.db import db
from app.decisions import reasons
from app.decisions.log import DecisionLog, Record
from app.events import writer
from app.events.session import LIST_VIEWED, ORDER_COMPLETED
from app.events.writer import Batch, Candidate
from app.experiments import running
from app.experiments.assignment import NOTHING, SHOW, SHOWN, Running, assign, standing
from app.privacy.consent import CHOICE, Signal
from app.privacy.purposes import Purposes
from app.privacy.subjects import subject_of, visitor_node
from demo.synth.world import CONVERSION, LOST_EXPOSURES, Fault, Order, Visit, World

# Of the visitors of a slot: enough of them for its guard to see harm within one crowd.
CONTROL_PERCENT: Final = 20
_AT_ONCE: Final = 500
# From a look to an order, at most.
_WAIT: Final = timedelta(minutes=50)
_ANALYTICS: Final = Signal(Purposes.ANALYTICS, "synth", CHOICE, None, None)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Visitors of one slot.

    Attributes:
        slot: the place that they come upon.
        size: how many.
        begin: from when on.
        end: until when.
        first_order: the number of the first one's order.
        conversion: how often is bought by those who are shown what the service shows there.
    """

    slot: str
    size: int
    begin: datetime
    end: datetime
    first_order: int
    conversion: float

    def visits(self, world: World) -> Iterator[Visit]:
        """Yield the visit of each."""
        last = self.end - _WAIT
        for number in range(self.size):
            yield world.visit(f"synth-{world.plan.seed}-{self.slot}-{number}", self.begin, last)


def write(
    app: Flask, store_id: int, world: World, crowd: Crowd, told: Callable[[int], None]
) -> tuple[list[Order], dict[str, int]]:
    """Write down the visits of a crowd; return their orders, and how many were in each arm of each experiment.

    Args:
        app: the application whose log of decisions is written to.
        store_id: the store.
        world: decides who buys.
        crowd: who comes.
        told: is told of progress, in visitors.
    """
    log: DecisionLog = app.extensions["pannier_decisions"]
    on = _running(store_id, crowd.slot)
    orders: list[Order] = []
    counts: dict[str, int] = {}
    events: list[Batch] = []
    for number, visit in enumerate(crowd.visits(world)):
        subject = subject_of(store_id, visitor_node(store_id, visit.visitor))
        arms = assign(on, subject.hex(), slot=crowd.slot, context={}, sticky={})
        shown = all(arm.settings.get(SHOW) != NOTHING for arm in arms)
        named = {arm.experiment: arm.arm for arm in arms}
        for experiment, arm in named.items():
            counts[f"{experiment}/{arm}"] = counts.get(f"{experiment}/{arm}", 0) + 1
        decision = _decision(store_id, world, crowd.slot, visit, subject, named, shown=shown)
        log.note(decision)
        order = _order(world, crowd, visit, crowd.first_order + number, shown=shown)
        orders += [order] if order else []
        lost = _is_lost(world, visit, named)
        events += _events(store_id, visit, subject, None if lost else decision, order)
        if len(events) >= _AT_ONCE:
            _write(log, events)
            told(number + 1)
    _write(log, events)
    told(crowd.size)
    return orders, counts


def _running(store_id: int, slot: str) -> Sequence[Running]:
    control = standing(slot, CONTROL_PERCENT)
    found = running.stored(db.session.connection(), store_id)
    db.session.rollback()
    return [*([control] if control else []), *found]


def _decision(
    store_id: int,
    world: World,
    slot: str,
    visit: Visit,
    subject: bytes,
    arms: Mapping[str, str],
    *,
    shown: bool,
) -> Record:
    return Record(
        store_id=store_id,
        id=hashlib.sha256(visit.visitor.encode()).hexdigest()[:32],
        made_at=visit.at,
        subject=subject,
        slot=slot,
        strategy="",
        reason=reasons.SPLIT,
        arms=dict(arms),
        model_version="",
        cache=reasons.MADE,
        latency_us=0,
        shown=[str(number) for number in sorted(world.partners[visit.product])] if shown else [],
        body={},
    )


def _order(world: World, crowd: Crowd, visit: Visit, number: int, *, shown: bool) -> Order | None:
    if not visit.buys(crowd.conversion if shown else CONVERSION):
        return None
    placed_at = visit.at + _WAIT * visit.draws["waits"]
    return world.order_of(visit, number, placed_at.replace(microsecond=0) + timedelta(seconds=1))


def _is_lost(world: World, visit: Visit, arms: Mapping[str, str]) -> bool:
    """Return whether a page fails to tell what it showed: in one arm only, where that is planted."""
    hit = Fault.SAMPLE_RATIO in world.plan.faults and visit.draws["lost"] < LOST_EXPOSURES
    return hit and any(arm == SHOWN and ":" not in experiment for experiment, arm in arms.items())


def _events(
    store_id: int, visit: Visit, subject: bytes, decision: Record | None, order: Order | None
) -> Iterator[Batch]:
    """Yield what a page tells, each when it happens."""
    if decision is not None:
        seen = {"list_id": decision.slot, "decision_id": decision.id}
        yield _event(store_id, visit, subject, LIST_VIEWED, seen, visit.at)
    if order is not None:
        bought = {"order_id": str(order.number)}
        yield _event(store_id, visit, subject, ORDER_COMPLETED, bought, order.placed_at)


def _event(
    store_id: int, visit: Visit, subject: bytes, name: str, properties: dict[str, Any], at: datetime
) -> Batch:
    message = hashlib.sha256(f"{visit.visitor}/{name}".encode()).digest()[:16]
    candidate = Candidate(
        subject=subject,
        subjects=frozenset({subject}),
        signal=_ANALYTICS,
        message=message,
        occurred_at=at,
        type="track",
        name=name,
        products=(),
        properties=properties,
        source="synth",
    )
    return Batch(store_id, at, (candidate,))


def _write(log: DecisionLog, events: list[Batch]) -> None:
    """Write and forget what is gathered, decisions first: an event names one."""
    log.flush()
    writer.write(db.session.connection(), events)
    db.session.commit()
    events.clear()
