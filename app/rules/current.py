"""A store's rules as they count now, compiled and held in the process for a few seconds; and as they were."""

from sqlalchemy import Connection, func, select

from app.core.db import db
from app.core.held import Held
from app.rules.evaluation import RuleSet
from app.rules.models import RuleList

_held: Held[int, RuleSet] = Held()
_former: Held[tuple[int, int], RuleSet] = Held(ttl_s=3600.0, most=100)


def current(store_id: int) -> RuleSet:
    """Return the store's rules.

    The list is read again only where its version is another one.
    """

    def read(before: RuleSet | None) -> RuleSet:
        connection = db.session.connection()
        version = newest(connection, store_id)
        return before if before and before.version == version else _read(connection, store_id, version)

    return _held.get(store_id, read)


def at_version(connection: Connection, store_id: int, version: int) -> RuleSet:
    """Return the store's rules as they stood in a version; a version that never was had none."""
    return _former.get((store_id, version), lambda _: _read(connection, store_id, version))


def newest(connection: Connection, store_id: int) -> int:
    """Return the version that counts; 0 where there never was a list."""
    query = select(func.max(RuleList.version)).where(RuleList.store_id == store_id)
    return connection.execute(query).scalar() or 0


def _read(connection: Connection, store_id: int, version: int) -> RuleSet:
    if version == 0:
        return RuleSet.EMPTY
    query = select(RuleList.rules).where(RuleList.store_id == store_id, RuleList.version == version)
    return RuleSet.from_json(connection.execute(query).scalar() or [], version)


def forget() -> None:
    """Forget every store's rules."""
    _held.forget_all()
