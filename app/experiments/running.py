"""What runs in a store, held in the process for a few seconds: the serving path reads it on every call."""

import time
from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection

from app.core.db import db
from app.experiments.assignment import Running
from app.experiments.definition import RUNNING, running_of

_TTL_S: Final = 5.0
_MOST_HELD: Final = 1_000

_held: dict[int, tuple[float, tuple[Running, ...]]] = {}


def running(store_id: int) -> tuple[Running, ...]:
    """Return the store's running experiments, by key.

    The hold-out and the controls of slots follow from the store's settings: see ``assignment.holdout`` and
    ``assignment.standing``.
    """
    hit = _held.get(store_id)
    if hit is not None and hit[0] > time.monotonic():
        return hit[1]
    found = stored(db.session.connection(), store_id)
    if len(_held) >= _MOST_HELD:
        _held.clear()
    _held[store_id] = (time.monotonic() + _TTL_S, found)
    return found


def stored(connection: Connection, store_id: int) -> tuple[Running, ...]:
    """Return the store's running experiments as they are now."""
    rows = connection.exec_driver_sql(
        "SELECT key, definition FROM experiment WHERE store_id = %(store)s AND status = %(status)s ORDER BY key",
        {"store": store_id, "status": RUNNING},
    )
    return tuple(running_of(key, definition) for key, definition in rows)


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
