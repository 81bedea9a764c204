"""What waits to be written, merged: the same decision is one row, however often it was given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import orjson
import structlog

from app.core.packing import pack
from app.decisions.reasons import ERROR, READY
from app.decisions.sampling import sampled

log = structlog.get_logger()

_DAY: Final = timedelta(days=1)
# How many decisions are remembered to have their row: some 10 MB.
_MOST_KNOWN: Final = 50_000
# A store whose share is not known yet: it is asked for when the row is written.
_ALL: Final = 100.0

# Store, decision, day (UTC).
Key = tuple[int, str, date]
# Store, day (UTC), slot (empty for none), reason, cache.
TallyKey = tuple[int, date, str, str, str]


@dataclass(frozen=True, slots=True)
class Record:
    """A decision, as whoever made it tells it.

    Attributes:
        store_id: the store.
        id: the answer's ``decision_id``: equal answers to nobody in particular are one decision.
        made_at: UTC.
        subject: the visitor's digest (16 bytes) where they agreed to analytics; nothing else tells who it is.
        slot: where it stands; None for ``/v1/upsell``.
        strategy: that answered.
        reason: see ``app.decisions.reasons``.
        arms: arm by experiment.
        model_version: what the model calls itself.
        cache: see ``app.decisions.reasons``.
        latency_us: microseconds until it was made.
        shown: the products' platform ids, first place first.
        body: what replays it: JSON values, or what returns them; called and written by the log's own thread.
        keep: whether it is logged whole, whatever the store's share is. Errors always are.
    """

    store_id: int
    id: str
    made_at: datetime
    subject: bytes | None
    slot: str | None
    strategy: str
    reason: str
    arms: Mapping[str, str]
    model_version: str
    cache: str
    latency_us: int
    shown: Sequence[str]
    body: Any | Callable[[], Any]
    keep: bool = False


@dataclass(slots=True)
class Row:
    """A decision on its way to its row. ``body`` is JSON, packed; none where the sample left it out."""

    decision: Record
    day: date
    body: bytes | None
    always: bool
    answers: int = 1

    @property
    def key(self) -> Key:
        """What makes it one row."""
        return self.decision.store_id, self.decision.id, self.day


@dataclass(slots=True)
class Again:
    """Repetitions of a decision that was written before: answers in all, and with microseconds by slot and reason."""

    store_id: int
    id: str
    at: datetime
    answers: int = 0
    ends: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """The row that it belongs to, or the one of the day before."""
        return self.store_id, self.id, self.at.date()


class Tallies(dict[TallyKey, list[int]]):
    """Answers, empty ones among them, and microseconds in all."""

    def add(self, key: TallyKey, answers: int, empty: int, latency_us: int) -> None:
        """Add to the sums of ``key``."""
        found = self.setdefault(key, [0, 0, 0])
        found[0] += answers
        found[1] += empty
        found[2] += latency_us

    def merge(self, others: Mapping[TallyKey, Sequence[int]]) -> None:
        """Add the sums of others."""
        for key, (answers, empty, latency_us) in others.items():
            self.add(key, answers, empty, latency_us)

    def count(self, record: Record) -> None:
        """Count a decision once."""
        key = record.store_id, record.made_at.date(), record.slot or "", record.reason, record.cache
        self.add(key, 1, not record.shown, record.latency_us)

    def count_again(self, again: Again, *, empty: bool) -> None:
        """Count repetitions of a decision that shows something, or nothing."""
        for (slot, reason), (answers, latency_us) in again.ends.items():
            key = again.store_id, again.at.date(), slot, reason, READY
            self.add(key, answers, answers * empty, latency_us)


class Pending:
    """Rows, repetitions and tallies that are not written yet. No I/O, and no two threads at once."""

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.again: dict[Key, Again] = {}
        self.tallies = Tallies()
        self._known: set[Key] = set()

    def __len__(self) -> int:
        return len(self.rows) + len(self.again)

    def take(self, record: Record, percent: float | None) -> bool:
        """Take a decision; return whether that took long.

        Its body is packed where the store's share, as far as known, or itself asks for it. An answer to nobody in
        particular that has its row is only counted.
        """
        self.tallies.count(record)
        always = record.keep or record.reason == ERROR
        key = record.store_id, record.id, record.made_at.date()
        row = self.rows.get(key)
        if row is None and key in self._known and not always:
            self.take_again(Again(record.store_id, record.id, record.made_at, 1))
            return False
        packs = row is None
        if row is None:
            whole = always or sampled(record.id, _ALL if percent is None else percent)
            row = self.rows[key] = Row(record, key[2], _packed(record) if whole else None, always, 0)
            if earlier := self.again.pop(key, None):
                self._add(row, earlier)
        elif always and not row.always:
            row.always, row.body = True, row.body or _packed(record)
        row.answers += 1
        return packs

    def written(self, row: Row) -> None:
        """Forget a row that is written; of an answer to nobody in particular remember that it is."""
        del self.rows[row.key]
        if row.decision.subject is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known.add(row.key)

    def take_again(self, again: Again, *, room: bool = True) -> bool:
        """Take repetitions of a decision: with it if it waits here, else for the row that it has.

        Returns whether they are taken: what begins something new where there is no room is only counted.
        """
        yesterday = again.store_id, again.id, again.at.date() - _DAY
        row = self.rows.get(again.key) or self.rows.get(yesterday)
        if row is not None:
            self._add(row, again)
            return True
        found = self.again.get(again.key)
        if found is None and not room:
            self.tallies.count_again(again, empty=False)
            return False
        if found is None:
            self.again[again.key] = again
            return True
        found.answers += again.answers
        for end, (answers, latency_us) in again.ends.items():
            sums = found.ends.setdefault(end, [0, 0])
            sums[0] += answers
            sums[1] += latency_us
        return True

    def _add(self, row: Row, again: Again) -> None:
        row.answers += again.answers
        self.tallies.count_again(again, empty=not row.decision.shown)


def _packed(record: Record) -> bytes | None:
    """Return what replays a decision, packed; None, and a line in the log, where it cannot be written."""
    try:
        body = record.body() if callable(record.body) else record.body
        return pack(orjson.dumps(body, default=_plain))
    except Exception as error:  # whatever is wrong with one decision must not keep the others
        log.error("decision_body_failed", store_id=record.store_id, kind=type(error).__name__, exc_info=True)  # noqa: G201
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"cannot write {type(value).__name__}")
