"""The log of decisions: gathered in the process, written about every second by a thread of its own.

Nobody waits for it. A process that is killed loses what it gathered since the last second; one that ends writes it
first. While PostgreSQL is away decisions wait, up to a bound; beyond it they are counted and dropped.
"""

import os
import threading
import time
import weakref
from itertools import islice
from multiprocessing.util import Finalize
from typing import Any, Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, IntegrityError

from app.core import metrics
from app.core.db import now
from app.decisions.pending import Again, Pending, Record, Row, Tallies
from app.decisions.reading import Found, find
from app.decisions.writing import write

__all__ = ["DecisionLog", "Found", "Record", "find"]

log = structlog.get_logger()

# How many decisions may wait: some 20 MB, once their bodies are packed.
MOST_WAITING: Final = 10_000
_EVERY_S: Final = 1.0
# Repetitions only count: they are gathered for longer.
_REPETITIONS_EVERY_S: Final = 5.0
# The requests of the process share its one interpreter: between two decisions they go first.
_BREATH_S: Final = 0.0005
_LONGEST_PAUSE_S: Final = 30.0
_AT_ONCE: Final = 50
# Where so many wait, the log goes on without pausing for anybody.
_HURRY_FROM: Final = 2_000
# What no repetition makes right.
_HOPELESS: Final = (DataError, IntegrityError, TypeError, ValueError)
_WRITTEN: Final = metrics.DECISIONS.labels("written")
_REPEATED: Final = metrics.DECISIONS.labels("repeated")
_REFUSED: Final = metrics.DECISIONS.labels("refused")
_DROPPED: Final = metrics.DECISIONS.labels("dropped")

# Store, decision, slot (empty for none), reason.
_RepeatKey = tuple[int, str, str, str]


class DecisionLog:
    """The decisions of one process that are not written yet."""

    def __init__(self, engine: Engine, most: int = MOST_WAITING) -> None:
        """Write to ``engine``; let at most ``most`` decisions wait."""
        self._engine = engine
        self._most = most
        self._percents: dict[int, float] = {}
        self._begin()
        _logs.add(self)

    def _begin(self) -> None:
        """Begin with nothing: at first, and in a fork, whose parent writes itself what it gathered."""
        self._lock = threading.Lock()  # of what is gathered: held for no longer than an addition takes
        self._records: list[Record] = []
        self._repeats: dict[_RepeatKey, list[int]] = {}
        self._uncounted = Tallies()
        self._dropped = 0
        self._writing = threading.Lock()  # of what waits to be written
        self._pending = Pending()
        self._waiting = 0
        self._pause_s = _EVERY_S
        self._due = 0.0
        self._repetitions_due = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._ending: Finalize[Any] | None = None

    def note(self, record: Record) -> None:
        """Have a decision written. Neither waits nor raises; beyond the bound it is dropped, and only counted."""
        with self._lock:
            if len(self._records) + self._waiting < self._most:
                self._records.append(record)
            else:
                self._dropped += 1
                self._uncounted.count(record)
            if self._thread is None:
                self._start()

    def repeat(self, store_id: int, decision_id: str, slot: str | None, reason: str, latency_us: int) -> None:
        """Count a decision that was given again from held bytes. Neither waits nor raises."""
        key = (store_id, decision_id, slot or "", reason)
        with self._lock:
            found = self._repeats.get(key)
            if found is not None:
                found[0] += 1
                found[1] += latency_us
            elif len(self._repeats) < self._most:
                self._repeats[key] = [1, latency_us]
            else:
                self._dropped += 1
            if self._thread is None:
                self._start()

    def flush(self) -> bool:
        """Write what is gathered, now; return whether nothing is left. What PostgreSQL does not take is kept."""
        with self._writing:
            self._take()
            return self._write(everything=True)

    def discard(self) -> None:
        """Forget what is gathered."""
        with self._writing, self._lock:
            self._records, self._repeats, self._uncounted = [], {}, Tallies()
            self._pending, self._waiting, self._dropped, self._due = Pending(), 0, 0, 0.0
            self._percents.clear()

    def close(self) -> None:
        """Write what is gathered, and end the thread; what comes afterwards starts another."""
        with self._lock:
            thread, self._thread = self._thread, None
            ending, self._ending = self._ending, None
            self._stopping.set()
            self._stopping = threading.Event()
        if thread is not None and ending is not None:
            ending.cancel()
            thread.join()
        self.flush()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, args=(self._stopping,), name="decisions", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the process ends, or has no room for another thread
            return
        self._thread = thread
        # Not by atexit alone: granian's workers are children of multiprocessing, which end without it.
        self._ending = Finalize(None, self.close, exitpriority=0)

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.wait(_EVERY_S):
            with self._writing:
                breath_s = _BREATH_S if len(self._records) + self._waiting < _HURRY_FROM else 0.0
                self._take(breath_s)
                if time.monotonic() >= self._due:
                    self._write(breath_s)

    def _take(self, breath_s: float = 0.0) -> None:
        """Merge and pack what was gathered: it takes less room then."""
        with self._lock:
            records, self._records = self._records, []
            repeats, self._repeats = self._repeats, {}
            uncounted, self._uncounted = self._uncounted, Tallies()
            dropped, self._dropped = self._dropped, 0
            self._waiting += len(records)
        for record in records:
            if self._pending.take(record, self._percents.get(record.store_id)) and breath_s:
                time.sleep(breath_s)
        at = now()
        for (store_id, decision_id, slot, reason), sums in repeats.items():
            again = Again(store_id, decision_id, at, sums[0], {(slot, reason): sums})
            if not self._pending.take_again(again, room=len(self._pending) < self._most):
                dropped += sums[0]
        self._pending.tallies.merge(uncounted)
        self._waiting = len(self._pending)
        if dropped:
            _DROPPED.inc(dropped)
            log.warning("decisions_dropped", decisions=dropped, waiting=self._waiting)

    def _write(self, breath_s: float = 0.0, *, everything: bool = False) -> bool:
        """Write what waits, some rows at a time; return whether nothing is left of what was to be written."""
        pending = self._pending
        again: list[Again] = []
        if everything or time.monotonic() >= self._repetitions_due:
            again = list(pending.again.values())
            self._repetitions_due = time.monotonic() + _REPETITIONS_EVERY_S
        try:
            while pending.rows or again or pending.tallies:
                rows = list(islice(pending.rows.values(), _AT_ONCE))
                some, again = again[:_AT_ONCE], again[_AT_ONCE:]
                self._commit(rows, some, pending.tallies)
                if breath_s:
                    time.sleep(breath_s * (len(rows) + len(some)))
        except Exception as error:  # whatever it is, the thread must live to try again
            self._repetitions_due = 0.0
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
            self._due = time.monotonic() + self._pause_s
            log.warning("decisions_not_written", error=type(error).__name__, waiting=len(pending))
            return False
        self._pause_s = _EVERY_S
        return True

    def _commit(self, rows: list[Row], again: list[Again], tallies: Tallies) -> None:
        """Write rows in one transaction; where one of them cannot be written at all, the others in smaller ones."""
        try:
            with self._engine.begin() as connection:
                written = write(connection, rows, again, tallies)
        except _HOPELESS as error:
            if not rows:
                raise
            if len(rows) == 1:
                log.error("decision_unwritable", decision_id=rows[0].decision.id, error=type(error).__name__)
                _DROPPED.inc()
                self._done(rows, [])
                self._commit([], again, tallies)
            else:
                half = len(rows) // 2
                self._commit(rows[:half], again, tallies)
                self._commit(rows[half:], [], Tallies())
        else:
            self._done(rows, again)
            tallies.clear()
            self._percents.update(written.percents)
            _WRITTEN.inc(written.rows)
            _REFUSED.inc(written.refused)
            _REPEATED.inc(sum(one.answers for one in again))

    def _done(self, rows: list[Row], again: list[Again]) -> None:
        for row in rows:
            self._pending.written(row)
        for one in again:
            del self._pending.again[one.key]
        self._waiting = len(self._pending)


# All of the process: a fork must not write what its parent gathered.
_logs: "weakref.WeakSet[DecisionLog]" = weakref.WeakSet()


def _after_fork() -> None:
    for one in list(_logs):
        one._begin()


os.register_at_fork(after_in_child=_after_fork)
