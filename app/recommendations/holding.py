"""Stores that are held: the kept model answers, and what is learned meanwhile is not published.

Counts go on with every order. A rebuild that passes its test ends it (see ``gate``), a return by hand only one that
the merchant forces.
"""

from collections.abc import Iterable
from typing import Any, Final

import orjson
import structlog
from flask import current_app
from sqlalchemy import Connection

from app.commerce.ingest import lock_commerce
from app.core.db import db, lock_store, now
from app.recommendations import blends, cache, kept_lists
from app.recommendations.counts import PUBLISHING_LOCK
from app.recommendations.promotion import SENTENCES, Outcome
from app.recommendations.ready_lists import BEST_SELLERS, WHOLE_STORE

log = structlog.get_logger()

REBUILD: Final = "rebuild"
WATCH: Final = "watch"
# The source of the alert that tells the merchant of it.
ALERT: Final = "model"
# For how long tests can be looked at.
RETENTION_DAYS: Final = 180

# Lists that go to Redis at a time.
_PAGE: Final = 500


def held_reason(connection: Connection, store_id: int) -> Outcome | None:
    """Return why a store is held; None if it is not."""
    found = connection.exec_driver_sql(
        "SELECT held_reason FROM learned_model WHERE store_id = %(store)s AND held_at IS NOT NULL",
        {"store": store_id},
    ).scalar_one_or_none()
    return None if found is None else Outcome(found)


def hold(connection: Connection, store_id: int, reason: Outcome) -> None:
    """Publish the kept model's lists alone from now on, and tell the merchant. The caller commits."""
    connection.exec_driver_sql(
        "UPDATE learned_model SET held_at = COALESCE(held_at, now()), held_reason = %(reason)s"
        " WHERE store_id = %(store)s",
        {"store": store_id, "reason": reason},
    )
    raise_alert = current_app.extensions.get("pannier_raise_alert")
    if raise_alert is not None and reason is not Outcome.BY_HAND:
        raise_alert(connection, store_id, ALERT, "error", _message(reason))


def _message(reason: Outcome) -> str:
    return (
        f"A new model of recommendations was not let answer: {SENTENCES[reason]} The last good one answers. Look at"
        " recent orders for imports, bots or wrong product ids; if they are right, run"
        " `pannier recommendations rebuild --force`."
    )


def release(connection: Connection, store_id: int) -> None:
    """Publish what is learned again. The caller commits."""
    connection.exec_driver_sql(
        "UPDATE learned_model SET held_at = NULL, held_reason = NULL WHERE store_id = %(store)s",
        {"store": store_id},
    )
    clear_alert = current_app.extensions.get("pannier_clear_alert")
    if clear_alert is not None:
        clear_alert(connection, store_id, ALERT)


def record(
    connection: Connection, store_id: int, kind: str, version: int, outcome: Outcome, measures: dict[str, Any]
) -> None:
    """Write down a test and what it came to. The caller commits."""
    connection.exec_driver_sql(
        "INSERT INTO model_check (store_id, version, kind, passed, reason, measures, checked_at)"
        " VALUES (%(store)s, %(version)s, %(kind)s, %(passed)s, %(reason)s, %(measures)s::jsonb, %(now)s)",
        {
            "store": store_id,
            "version": version,
            "kind": kind,
            "passed": outcome.passed,
            "reason": outcome,
            "measures": orjson.dumps(measures).decode(),
            "now": now(),
        },
    )
    connection.exec_driver_sql(
        "DELETE FROM model_check WHERE store_id = %(store)s AND checked_at < %(now)s - make_interval(days => %(days)s)",
        {"store": store_id, "now": now(), "days": RETENTION_DAYS},
    )
    log.info("model_checked", store_id=store_id, kind=kind, version=version, outcome=str(outcome))


def checks(connection: Connection, store_id: int, limit: int) -> list[dict[str, Any]]:
    """Return the newest tests of a store, newest first."""
    rows = connection.exec_driver_sql(
        "SELECT version, kind, passed, reason, measures, checked_at FROM model_check WHERE store_id = %(store)s"
        " ORDER BY checked_at DESC, id DESC LIMIT %(limit)s",
        {"store": store_id, "limit": limit},
    ).mappings()
    return [dict(row) for row in rows]


def state(connection: Connection, store_id: int) -> dict[str, Any]:
    """Return the newest model's version, and since when and why a kept one answers."""
    row = connection.exec_driver_sql(
        "SELECT version, held_at, held_reason FROM learned_model WHERE store_id = %(store)s",
        {"store": store_id},
    ).first()
    if row is None:
        return {"version": 0, "held": None}
    held = None
    if row.held_at is not None:
        explanation = SENTENCES[Outcome(row.held_reason)]
        held = {"since": row.held_at, "reason": row.held_reason, "explanation": explanation}
    return {"version": row.version, "held": held}


def return_to_kept(store_id: int, kind: str, reason: Outcome, measures: dict[str, Any]) -> bool:
    """Have the kept model answer again, and hold the store; return whether there was one.

    Readers see one whole model or the other. Ends the session's transaction.
    """
    connection = db.session.connection()
    lock_commerce(connection, store_id)
    lock_store(connection, store_id, PUBLISHING_LOCK)
    kept = kept_lists.find(connection, store_id, kept_lists.KEPT)
    if kept is None:
        db.session.rollback()
        return False
    unlisted = kept_lists.restore(connection, store_id)
    kept_lists.forget_watched(connection, store_id)
    # Until Redis has the lists; should this process die before, publishing makes up for it.
    connection.exec_driver_sql(
        "UPDATE product_count SET stale = true WHERE store_id = %(store)s", {"store": store_id}
    )
    hold(connection, store_id, reason)
    record(connection, store_id, kind, kept.version, reason, measures)
    db.session.commit()
    hand_out(store_id, unlisted)
    return True


def hand_out(store_id: int, unlisted: Iterable[str]) -> None:
    """Put a held store's lists into Redis, page by page. Ends the session's transaction."""
    blends.forget()
    gone: dict[str, list[cache.Candidate]] = {subject: [] for subject in unlisted}
    taken = all(cache.put_lists(store_id, kind, gone) for kind in kept_lists.KINDS)
    for kind in kept_lists.KINDS:
        last: str | None = ""
        while taken and last is not None:
            taken, last = _hand_out_page(store_id, kind, last)
    connection = db.session.connection()
    lock_store(connection, store_id, PUBLISHING_LOCK)
    if taken and held_reason(connection, store_id) is not None:
        connection.exec_driver_sql(
            "UPDATE product_count SET stale = false WHERE store_id = %(store)s AND stale", {"store": store_id}
        )
        best = cache.load_lists(connection, store_id, BEST_SELLERS, [WHOLE_STORE])
        cache.put_lists(store_id, BEST_SELLERS, best)
    db.session.commit()


def _hand_out_page(store_id: int, kind: str, after: str) -> tuple[bool, str | None]:
    """Put a page of lists into Redis; return whether it took them, and the last subject, None where none are left."""
    connection = db.session.connection()
    lock_store(connection, store_id, PUBLISHING_LOCK)  # no list may overtake a newer one
    rows = connection.exec_driver_sql(
        "SELECT subject, items FROM published_list WHERE store_id = %(store)s AND strategy = %(kind)s"
        f" AND subject > %(after)s ORDER BY subject LIMIT {_PAGE}",
        {"store": store_id, "kind": kind, "after": after},
    ).all()
    lists = {subject: items for subject, items in rows}
    # Released meanwhile: whoever published the newer lists hands them out.
    taken = held_reason(connection, store_id) is not None and cache.put_lists(store_id, kind, lists)
    db.session.rollback()
    return taken, rows[-1][0] if rows else None
