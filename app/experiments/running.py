"""What runs in a store, held in the process for a few seconds: the serving path reads it on every call."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection

from app.commerce.store import SETTINGS
from app.core.db import db
from app.experiments.assignment import Running, holdout, standing
from app.experiments.definition import RUNNING, running_of

_TTL_S: Final = 5.0
_MOST_HELD: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Held:
    """What runs in one store. ``by_slot`` is filled as slots are asked for."""

    until: float
    everywhere: tuple[Running, ...]
    control_percent: float
    by_slot: dict[str, tuple[Running, ...]] = field(default_factory=dict)


_held: dict[int, _Held] = {}


def running(store_id: int, slot: str | None = None) -> tuple[Running, ...]:
    """Return what runs in the store: the hold-out, the standing control of ``slot``, and the experiments."""
    found = _held.get(store_id)
    if found is None or found.until <= time.monotonic():
        found = _load(db.session.connection(), store_id)
        if len(_held) >= _MOST_HELD:
            _held.clear()
        _held[store_id] = found
    if slot is None:
        return found.everywhere
    of_slot = found.by_slot.get(slot)
    if of_slot is None:
        control = standing(slot, found.control_percent)
        of_slot = found.everywhere if control is None else (*found.everywhere, control)
        found.by_slot[slot] = of_slot
    return of_slot


def forget(store_id: int | None = None) -> None:
    """Forget what runs in a store, or in all of them: it is read anew."""
    if store_id is None:
        _held.clear()
    else:
        _held.pop(store_id, None)


def arms_before(connection: Connection, store_id: int, subjects: Collection[bytes]) -> dict[str, str]:
    """Return the arm in which any of ``subjects`` was seen first, by experiment.

    The subjects are the digests of one person's visits.
    """
    rows = connection.exec_driver_sql(
        """
        SELECT DISTINCT ON (experiment) experiment, arm FROM experiment_exposure
        WHERE store_id = %(store)s AND subject = ANY(%(subjects)s::bytea[])
        ORDER BY experiment, first_at, decision_id
        """,
        {"store": store_id, "subjects": list(subjects)},
    )
    return {experiment: arm for experiment, arm in rows}


def _load(connection: Connection, store_id: int) -> _Held:
    """Read what runs in a store; nothing where the store is gone."""
    settings: dict[str, Any] = (
        connection.exec_driver_sql(
            "SELECT settings FROM store WHERE id = %(store)s", {"store": store_id}
        ).scalar()
        or {}
    )
    rows = connection.exec_driver_sql(
        "SELECT key, definition FROM experiment WHERE store_id = %(store)s AND status = %(status)s ORDER BY key",
        {"store": store_id, "status": RUNNING},
    )
    experiments = tuple(running_of(key, definition) for key, definition in rows)
    held_out = holdout(_setting(settings, "holdout_percent"))
    return _Held(
        time.monotonic() + _TTL_S,
        experiments if held_out is None else (held_out, *experiments),
        _setting(settings, "control_percent"),
    )


def _setting(settings: dict[str, Any], name: str) -> float:
    return float(settings.get(name, SETTINGS[name][0]))
