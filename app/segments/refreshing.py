"""Computing a store's segments: everybody by night, the customers of new orders at once, nobody yet in a preview.

All of them calculate a group of people in the same way, by the store's cut points. A refresh first measures everybody
to find those; an update takes the last ones.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

import structlog
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from app.commerce.customer import Customer
from app.commerce.store import Store
from app.core.db import db, now, try_lock_store
from app.segments import memberships
from app.segments.conditions import CARTS, EVENTS, SCORES, Condition, Evaluation, Known, explain, needs, read
from app.segments.loading import Group, Source, group_of, groups
from app.segments.models import Segment, SegmentRun
from app.segments.named import NAMED
from app.segments.placing import Reason, members, place
from app.segments.rfm import Cuts, cut, joined, measure

log = structlog.get_logger()

REFRESH_LOCK: Final = 42
# Up to so many customers a preview is exact; beyond, every second, third, … one is looked at.
PREVIEWED: Final = 20_000
_SHOWN_REASONS: Final = 5

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh found.

    Attributes:
        people: customers of the store.
        scored: those of them who bought within the window.
        sizes: customers by segment.
    """

    people: int
    scored: int
    sizes: dict[str, int]


def refresh(store_id: int, progress: Progress | None = None) -> Refreshed | None:
    """Compute all segments of a store anew; None while another refresh of the store is at it.

    Commits group by group. ``progress`` is told the step, and how many of how many customers are done.
    """
    with try_lock_store(store_id, REFRESH_LOCK) as mine:
        return _refresh(store_id, progress or (lambda *_: None)) if mine else None


def _refresh(store_id: int, progress: Progress) -> Refreshed:
    currency, as_of = currency_of(db.session.connection(), store_id), now()
    own = definitions(db.session.connection(), store_id)
    total = _customers(store_id)
    cuts, people = _cuts(
        db.session.connection(), store_id, currency, as_of, lambda n: progress("measured", n, total)
    )
    _note_run(store_id, as_of, people, cuts, {})
    source = Source(db.session.connection(), store_id, currency, as_of, list(own.values()))
    done = 0
    for group in groups(db.session.connection, store_id):
        connection = db.session.connection()
        memberships.lock(connection, store_id)
        known = _known(connection, source, group, cuts, as_of)
        memberships.write(connection, store_id, group, place(known, own, currency), as_of)
        db.session.commit()
        done += len(group.ids)
        progress("placed", done, total)
    connection = db.session.connection()
    memberships.lock(connection, store_id)
    memberships.drop_older(connection, store_id, as_of)
    sizes = memberships.sizes(connection, store_id)
    _note_run(store_id, as_of, people, cuts, sizes)
    return Refreshed(people, cuts.people, sizes)


def _customers(store_id: int, connection: Connection | None = None) -> int:
    found: int = (
        (connection or db.session.connection())
        .execute(select(func.count()).where(Customer.store_id == store_id, Customer.deleted_at.is_(None)))
        .scalar_one()
    )
    return found


def _cuts(
    connection: Connection,
    store_id: int,
    currency: str,
    as_of: datetime,
    progress: Callable[[int], None] = lambda _: None,
    one_in: int = 1,
) -> tuple[Cuts, int]:
    """Measure everybody; return the cut points, and how many people that were."""
    source = Source(connection, store_id, currency, as_of)
    parts, people = [], 0
    for group in groups(lambda: connection, store_id, one_in=one_in):
        facts = source.facts(connection, group)
        parts.append(measure(facts.people, facts.orders, facts.as_of))
        people += facts.people
        progress(people)
    return cut(joined(parts)), people


def _known(connection: Connection, source: Source, group: Group, cuts: Cuts, as_of: datetime) -> Known:
    facts = source.facts(connection, group)
    return Known.of(
        facts, measure(facts.people, facts.orders, int(as_of.timestamp()), cuts.window_days), cuts
    )


def _note_run(store_id: int, as_of: datetime, people: int, cuts: Cuts, sizes: Mapping[str, int]) -> None:
    values: dict[str, Any] = {
        "as_of": as_of,
        "customers": people,
        "cuts": cuts.as_json(),
        "sizes": dict(sizes),
    }
    db.session.execute(
        insert(SegmentRun)
        .values(store_id=store_id, **values)
        .on_conflict_do_update(index_elements=["store_id"], set_=values)
    )
    db.session.commit()


def currency_of(connection: Connection, store_id: int) -> str:
    """Return the currency of a store."""
    return connection.execute(select(Store.currency).where(Store.id == store_id)).scalar_one()


def definitions(connection: Connection, store_id: int) -> dict[str, Condition]:
    """Return the conditions of the merchant's own segments, by key."""
    rows = connection.execute(
        select(Segment.key, Segment.definition).where(Segment.store_id == store_id).order_by(Segment.key)
    )
    return {key: read(definition) for key, definition in rows}


def update(connection: Connection, store_id: int, customers: Iterable[int]) -> int:
    """Compute the segments of some customers anew, by the last cut points; return how many memberships they have.

    Inside the caller's transaction, with as many questions for one customer as for hundreds. Nothing happens before a
    store's first refresh. Segments that ask for events or carts wait for the next refresh: who is who on which device
    is worked out there.
    """
    wanted = sorted(set(customers))
    run = (
        connection.execute(
            select(SegmentRun.cuts, Store.currency)
            .join(Store, Store.id == SegmentRun.store_id)
            .where(SegmentRun.store_id == store_id)
        ).first()
        if wanted
        else None
    )
    if run is None:
        return 0
    cuts, currency, as_of = Cuts.from_json(run.cuts), run.currency, now()
    every = definitions(connection, store_id)
    later = {key for key, condition in every.items() if needs(condition) & {EVENTS, CARTS}}
    own = {key: condition for key, condition in every.items() if key not in later}
    memberships.lock(connection, store_id)
    group = group_of(connection, store_id, wanted)
    source = Source(connection, store_id, currency, as_of, list(own.values()))
    known = _known(connection, source, group, cuts, as_of)
    found = place(known, own, currency)
    return memberships.write(connection, store_id, group, found, as_of, {*NAMED, *own})


def follow(store_id: int, customers: Iterable[int]) -> None:
    """Update the segments of customers whose orders were committed, in a transaction of its own.

    What goes wrong is logged and left to the next refresh: taking orders in does not depend on segments.
    """
    try:
        update(db.session.connection(), store_id, customers)
        db.session.commit()
    except Exception:
        db.session.rollback()
        log.exception("segment_update_failed", store_id=store_id)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a definition would give.

    Attributes:
        sentence: the definition in words.
        customers: of the store.
        size: how many of them would be in it; estimated from ``looked_at`` where that is less than ``customers``.
        looked_at: how many customers were looked at.
        reasons: of a few who would be in it.
    """

    sentence: str
    customers: int
    size: int
    looked_at: int
    reasons: list[Reason]


def preview(connection: Connection, store_id: int, condition: Condition) -> Preview:
    """Say who would be in a segment, without keeping anything."""
    currency, as_of = currency_of(connection, store_id), now()
    customers = _customers(store_id, connection)
    one_in = -(-max(customers, 1) // PREVIEWED)
    stored = connection.execute(select(SegmentRun.cuts).where(SegmentRun.store_id == store_id)).scalar()
    if stored is not None:
        cuts = Cuts.from_json(stored)
    elif SCORES in needs(condition):
        cuts, _ = _cuts(connection, store_id, currency, as_of, one_in=one_in)
    else:
        cuts = cut(joined([]))
    source = Source(connection, store_id, currency, as_of, [condition])
    held, looked_at = 0, 0
    reasons: list[Reason] = []
    for group in groups(lambda: connection, store_id, one_in=one_in):
        evaluation = Evaluation(_known(connection, source, group, cuts, as_of))
        found = members(evaluation, condition, currency)
        held += int(evaluation.holds(condition).sum())
        looked_at += len(group.ids)
        reasons += [reason for _, reason in islice(found, _SHOWN_REASONS - len(reasons))]
    people = looked_at if one_in == 1 else customers
    size = round(held * people / max(looked_at, 1))
    return Preview(explain(condition, currency), people, size, looked_at, reasons)
