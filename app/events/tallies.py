"""How many events of a store came to what end, by day: counted in the process, written every two seconds.

A process that is killed loses the counts of its last two seconds; the events themselves are rows already.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.core import metrics
from app.core.db import execute_rows

log = structlog.get_logger()

_EVERY_S: Final = 2.0

ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
REJECTED: Final = "rejected"
NOTED: Final = "noted"  # accepted or duplicate, and something about it should be told

# Store, day (UTC), outcome, reason.
_Key = tuple[int, date, str, str]

_ADD: Final = """
INSERT INTO event_tally AS t (store_id, day, outcome, reason, events)
SELECT store_id, day, outcome, reason, events FROM json_to_recordset(%(rows)s::json)
    AS r(store_id bigint, day date, outcome text, reason text, events bigint)
ORDER BY store_id, day, outcome, reason
ON CONFLICT (store_id, day, outcome, reason) DO UPDATE SET events = t.events + excluded.events
"""


class Tallies:
    """The counts of one process that are not written yet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counts: Counter[_Key] = Counter()
        self._lock = threading.Lock()  # of the counts
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def count(self, store_id: int, at: datetime, ends: Iterable[tuple[str, str]]) -> None:
        """Count ends of events of a store: outcome and reason each."""
        day = at.date()
        ends = list(ends)
        for outcome, reason in ends:
            metrics.EVENTS.labels(outcome, reason).inc()
        with self._lock:
            self._counts.update((store_id, day, outcome, reason) for outcome, reason in ends)
            if self._thread is None or not self._thread.is_alive():  # a fork has no threads
                self._thread = threading.Thread(target=self._run, name="tallies", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Write what is counted. What the database does not take is kept for the next time."""
        with self._writing:
            with self._lock:
                counts, self._counts = self._counts, Counter()
            if not counts:
                return
            try:
                with self._engine.begin() as connection:
                    execute_rows(connection, _ADD, _rows(counts))
            except SQLAlchemyError as error:
                log.warning("tallies_not_written", error=type(error).__name__)
                with self._lock:
                    self._counts.update(counts)

    def discard(self) -> None:
        """Forget what is counted."""
        with self._writing, self._lock:
            self._counts.clear()

    def _run(self) -> None:
        while True:
            time.sleep(_EVERY_S)
            self.flush()


def _rows(counts: Counter[_Key]) -> list[dict[str, Any]]:
    return [
        {"store_id": store_id, "day": day, "outcome": outcome, "reason": reason, "events": events}
        for (store_id, day, outcome, reason), events in counts.items()
    ]
