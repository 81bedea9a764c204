"""How many past decisions would have come out otherwise with other rules."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from app.commerce.store import StoreAccess
from app.decisions import reading
from app.decisions.reading import Found, Wanted
from app.rules.evaluation import RuleSet

# Makes a decision again with other rules, and says whether it comes out otherwise. LookupError where the log does not
# hold what is needed.
Redecide = Callable[[Connection, StoreAccess, Found, RuleSet], bool]
_MOST_EXAMPLES: Final = 10


@dataclass(slots=True)
class Impact:
    """What came of making decisions again.

    Attributes:
        looked_at: decisions that were made again.
        changed: those of them that come out otherwise.
        answers: how often the first were given.
        changed_answers: how often the second were.
        not_replayable: decisions of which too little was kept.
        examples: ids of some that come out otherwise, the newest first.
    """

    looked_at: int = 0
    changed: int = 0
    answers: int = 0
    changed_answers: int = 0
    not_replayable: int = 0
    examples: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def measure(
    connection: Connection,
    access: StoreAccess,
    rules: RuleSet,
    redecide: Redecide,
    *,
    today: date,
    days: int,
    most: int,
) -> Impact:
    """Make the newest decisions of a store again with other rules.

    Args:
        connection: to the database.
        access: the store.
        rules: what is tried.
        redecide: makes one decision again.
        today: the last day that is looked at, UTC.
        days: how many days, that one included.
        most: how many decisions at most.
    """
    impact = Impact()
    for found in _newest(connection, access.store_id, today, days, most):
        try:
            changed = redecide(connection, access, found, rules)
        except LookupError:
            impact.not_replayable += 1
            continue
        impact.looked_at += 1
        impact.answers += found.answers
        if changed:
            impact.changed += 1
            impact.changed_answers += found.answers
            if len(impact.examples) < _MOST_EXAMPLES:
                impact.examples.append(found.id)
    return impact


def _newest(connection: Connection, store_id: int, today: date, days: int, most: int) -> Iterator[Found]:
    """Yield the newest decisions with what was kept of them; each once, as of the last day it was given on."""
    seen: set[str] = set()
    for back in range(days):
        heads = reading.page(
            connection, store_id, Wanted(day=today - timedelta(days=back)), today, most - len(seen)
        )
        for head in heads:
            if head.id not in seen:
                seen.add(head.id)
                found = reading.find(connection, store_id, head.id) if head.whole else None
                yield found or head
        if len(seen) >= most:
            return
