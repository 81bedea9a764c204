"""Finding decisions again, and how many there were of which kind."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, RowMapping, literal, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from app.core.packing import unpack
from app.decisions.models import Decision, DecisionTally

# How far back a list goes where no day is named: what is looked for may be rare, and no page reads for a minute.
DAYS: Final = 7
_ID: Final = re.compile(r"[!-~]{1,100}")
_HEAD: Final = tuple(column for column in Decision.__table__.columns if column.key != "record")


@dataclass(frozen=True, slots=True)
class Found:
    """A decision of the log; see ``app.decisions.models.Decision``.

    Attributes:
        answers: how often it was given on ``day``.
        whole: whether what replays it was kept.
        body: that, as JSON values; None where it was not kept, and in lists.
    """

    store_id: int
    id: str
    day: date
    made_at: datetime
    subject: bytes | None
    slot: str | None
    strategy: str
    reason: str
    arms: dict[str, str]
    model_version: str
    cache: str
    latency_us: int
    shown: list[str]
    answers: int
    whole: bool
    body: Any = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions a list shows; None: of all."""

    slot: str | None = None
    day: date | None = None
    experiment: str | None = None
    product: str | None = None


def find(connection: Connection, store_id: int, decision_id: str) -> Found | None:
    """Return a decision of a store, as of the last day on which it was given.

    Raises:
        ValueError: if what replays it is damaged.
    """
    if not _ID.fullmatch(decision_id):
        return None
    row = (
        connection.execute(
            select(*_HEAD, Decision.record)
            .where(Decision.store_id == store_id, Decision.id == decision_id)
            .order_by(Decision.day.desc())
            .limit(1)
        )
        .mappings()
        .first()
    )
    if row is None:
        return None
    record = row["record"]
    return _found(
        row, record is not None, orjson.loads(unpack(bytes(record))) if record is not None else None
    )


def page(
    connection: Connection,
    store_id: int,
    wanted: Wanted,
    today: date,
    limit: int,
    before: tuple[datetime, str] | None = None,
) -> list[Found]:
    """Return decisions of a store, the newest first: of a day, else of the last ``DAYS``.

    ``before`` are time and id of the last one of the page before.
    """
    conditions = [Decision.store_id == store_id, *_conditions(wanted, today)]
    if before is not None:
        at, decision_id = before
        conditions.append(tuple_(Decision.made_at, Decision.id) < tuple_(literal(at), literal(decision_id)))
    rows = connection.execute(
        select(*_HEAD, Decision.record.is_not(None).label("whole"))
        .where(*conditions)
        .order_by(Decision.made_at.desc(), Decision.id.desc())
        .limit(limit)
    )
    return [_found(row, row["whole"]) for row in rows.mappings()]


def _conditions(wanted: Wanted, today: date) -> Iterator[ColumnElement[bool]]:
    if wanted.day is not None:
        yield Decision.day == wanted.day
    else:
        yield Decision.day > today - timedelta(days=DAYS)
    if wanted.slot is not None:
        yield Decision.slot == wanted.slot
    if wanted.experiment is not None:
        yield Decision.arms.has_key(wanted.experiment)
    if wanted.product is not None:
        yield Decision.shown.contains(literal([wanted.product], ARRAY(Text)))


def _found(row: RowMapping, whole: bool, body: Any = None) -> Found:
    values: Mapping[str, Any] = {column.key: row[column.key] for column in _HEAD}
    return Found(**values, whole=whole, body=body)


@dataclass(frozen=True, slots=True)
class Sum:
    """Answers of a day that have slot, reason and cache in common."""

    day: date
    slot: str
    reason: str
    cache: str
    answers: int
    empty: int
    latency_us: int

    def to_json(self) -> dict[str, Any]:
        """Return it with the share of empty answers and the mean time."""
        return {
            "day": self.day.isoformat(),
            "slot": self.slot or None,
            "reason": self.reason,
            "cache": self.cache,
            **measures(self.answers, self.empty, self.latency_us),
        }


def measures(answers: int, empty: int, latency_us: int) -> dict[str, Any]:
    """Return how many answers there were, which share was empty, and their mean time in microseconds."""
    return {
        "answers": answers,
        "empty_share": round(empty / answers, 6) if answers else None,
        "mean_latency_us": round(latency_us / answers) if answers else None,
    }


def report(
    connection: Connection, store_id: int, today: date, days: int, slot: str | None = None
) -> dict[str, Any]:
    """Return what a store answered over ``days`` days until ``today`` (UTC): see ``schemas.DecisionReport``."""
    since = today - timedelta(days=days - 1)
    query = (
        select(
            DecisionTally.day,
            DecisionTally.slot,
            DecisionTally.reason,
            DecisionTally.cache,
            DecisionTally.answers,
            DecisionTally.empty,
            DecisionTally.latency_us,
        )
        .where(DecisionTally.store_id == store_id, DecisionTally.day.between(since, today))
        .order_by(DecisionTally.day.desc(), DecisionTally.slot, DecisionTally.reason, DecisionTally.cache)
    )
    if slot is not None:
        query = query.where(DecisionTally.slot == slot)
    sums = [Sum(*row) for row in connection.execute(query)]
    total = measures(
        sum(s.answers for s in sums), sum(s.empty for s in sums), sum(s.latency_us for s in sums)
    )
    return {"since": since.isoformat(), **total, "rows": [s.to_json() for s in sums]}
