"""A store's list of rules, version by version: read, changed, taken back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select

from app.core.db import lock_store
from app.core.errors import Conflict, NotFound
from app.core.paging import newest_first
from app.rules.models import RuleList

_LOCK: Final = 61
Rules = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A list of rules in one of its versions.

    Attributes:
        version: 0 for the empty list from before the first.
        rules: as JSON, in order.
        note: what changed with it, for people.
        created_at: when; None for version 0.
        restored_version: the version whose list it is again.
    """

    version: int
    rules: Rules
    note: str
    created_at: datetime | None
    restored_version: int | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "version": self.version,
            "note": self.note,
            "restored_version": self.restored_version,
            "created_at": self.created_at,
            "rules": self.rules,
        }


NEVER: Final = Kept(0, (), "", None, None)
_COLUMNS: Final = (
    RuleList.version,
    RuleList.rules,
    RuleList.note,
    RuleList.created_at,
    RuleList.restored_version,
)


def newest(connection: Connection, store_id: int) -> Kept:
    """Return the list that counts."""
    query = select(*_COLUMNS).where(RuleList.store_id == store_id).order_by(RuleList.version.desc())
    row = connection.execute(query.limit(1)).first()
    return Kept(*row) if row else NEVER


def at(connection: Connection, store_id: int, version: int) -> Kept:
    """Return the list as it stood in a version.

    Raises:
        NotFound: if it never had that version.
    """
    if version == 0:
        return NEVER
    query = select(*_COLUMNS).where(RuleList.store_id == store_id, RuleList.version == version)
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(f"The rules of this store have no version {version}.")
    return Kept(*row)


def page(
    connection: Connection, store_id: int, limit: int, before: int | None = None
) -> list[dict[str, Any]]:
    """Return versions, newest first, with the number of their rules."""
    count = func.jsonb_array_length(RuleList.rules).label("rules")
    query = select(
        RuleList.version, RuleList.note, RuleList.restored_version, RuleList.created_at, count
    ).where(RuleList.store_id == store_id)
    rows = connection.execute(newest_first(query, RuleList.version, limit, before))
    return [dict(row) for row in rows.mappings()]


def change(
    connection: Connection,
    store_id: int,
    edit: Callable[[Rules], Rules],
    note: str,
    *,
    expected: int | None = None,
) -> Kept:
    """Write what ``edit`` makes of the list as a new version and return it; where it stays the same, as it is.

    Nobody else changes it meanwhile. The caller commits, and forgets what the process holds (``current.forget``).

    Raises:
        Conflict: if another version than ``expected`` counts.
    """
    old = _locked(connection, store_id, expected)
    rules = edit(old.rules)
    return old if list(rules) == list(old.rules) else _write(connection, store_id, old, rules, note, None)


def restore(connection: Connection, store_id: int, version: int, *, expected: int | None = None) -> Kept:
    """Make the list of an older version count again, as a new version.

    Raises:
        Conflict: if another version than ``expected`` counts.
        NotFound: if it never had that version.
    """
    old = _locked(connection, store_id, expected)
    rules = at(connection, store_id, version).rules
    return _write(connection, store_id, old, rules, f"Back to version {version}.", version)


def undo(connection: Connection, store_id: int, *, expected: int | None = None) -> Kept:
    """Take back the last change that was not taken back yet.

    Raises:
        Conflict: if another version than ``expected`` counts, or nothing is left to take back.
    """
    old = _locked(connection, store_id, expected)
    stands_for = old
    while stands_for.restored_version is not None:
        stands_for = at(connection, store_id, stands_for.restored_version)
    if stands_for.version == 0:
        raise Conflict("There is no change left to take back.")
    return restore(connection, store_id, stands_for.version - 1)


def _locked(connection: Connection, store_id: int, expected: int | None) -> Kept:
    lock_store(connection, store_id, _LOCK)
    old = newest(connection, store_id)
    if expected is not None and expected != old.version:
        raise Conflict(f"The rules have been changed: version {old.version} counts, not {expected}.")
    return old


def _write(
    connection: Connection, store_id: int, old: Kept, rules: Rules, note: str, restored: int | None
) -> Kept:
    query = insert(RuleList).values(
        store_id=store_id, version=old.version + 1, rules=list(rules), note=note, restored_version=restored
    )
    return Kept(*connection.execute(query.returning(*_COLUMNS)).one())
