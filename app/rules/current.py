"""A store's rules as they count now, compiled and held in the process for a few seconds; and as they were."""

import threading
import time
from collections import OrderedDict
from typing import Final

from sqlalchemy import Connection, func, select

from app.core.db import db
from app.rules.evaluation import RuleSet
from app.rules.models import RuleList

# How soon other processes follow a change. The process that changes something forgets at once.
TTL_S: Final = 5.0
_MOST_HELD: Final = 1_000
_MOST_FORMER: Final = 100

_held: dict[int, tuple[float, RuleSet]] = {}
_former: OrderedDict[tuple[int, int], RuleSet] = OrderedDict()
_lock = threading.Lock()


def current(store_id: int) -> RuleSet:
    """Return the store's rules.

    The list is read again only where its version is another one.
    """
    hit = _held.get(store_id)
    if hit is not None and hit[0] > time.monotonic():
        return hit[1]
    connection = db.session.connection()
    version = newest(connection, store_id)
    rules = hit[1] if hit is not None and hit[1].version == version else _read(connection, store_id, version)
    with _lock:
        if len(_held) >= _MOST_HELD:
            _held.clear()
        _held[store_id] = (time.monotonic() + TTL_S, rules)
    return rules


def at_version(connection: Connection, store_id: int, version: int) -> RuleSet:
    """Return the store's rules as they stood in a version; a version that never was had none."""
    key = (store_id, version)
    with _lock:
        found = _former.get(key)
    if found is None:
        found = _read(connection, store_id, version)
        with _lock:
            _former[key] = found
            if len(_former) > _MOST_FORMER:
                _former.popitem(last=False)
    return found


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
    with _lock:
        _held.clear()
        _former.clear()
