"""What runs in a store, held in the process for a few seconds: the serving path reads it on every call."""

from collections.abc import Collection

from sqlalchemy import Connection

from app.core.db import db
from app.core.held import Held
from app.experiments.assignment import Running
from app.experiments.definition import RUNNING, VISITOR, running_of

_held: Held[int, tuple[Running, ...]] = Held()


def running(store_id: int) -> tuple[Running, ...]:
    """Return the store's running experiments, by key.

    The hold-out and the controls of slots follow from the store's settings: see ``assignment.holdout`` and
    ``assignment.standing``.
    """
    return _held.get(store_id, lambda _: stored(db.session.connection(), store_id))


def stored(connection: Connection, store_id: int) -> tuple[Running, ...]:
    """Return the store's running experiments on visitors as they are now."""
    rows = connection.exec_driver_sql(
        "SELECT key, definition FROM experiment WHERE store_id = %(store)s AND status = %(status)s"
        " AND COALESCE(definition->>'unit', %(unit)s) = %(unit)s ORDER BY key",
        {"store": store_id, "status": RUNNING, "unit": VISITOR},
    )
    return tuple(running_of(key, definition) for key, definition in rows)


def forget(store_id: int) -> None:
    """Forget what runs in a store: it is read anew."""
    _held.forget(store_id)


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
