"""Watching the model that answers: on orders that came in since it was put by, it must hold its own.

What passed the gate was tested on a model without the newest orders. The watch asks the model itself, as it was
published, about orders that it cannot have learned, against the kept model and best sellers. Once it has stood that,
it is kept in turn; where it fails, the kept one returns by itself.
"""

from typing import Any, Final

from sqlalchemy import Connection, select

from app.commerce.store import Store
from app.core.db import db
from app.core.queues import LEARNING, enqueue
from app.recommendations import exams, holding, kept_lists, promotion
from app.recommendations.counts import read_head
from app.recommendations.jobs import REBUILD, REBUILD_TIMEOUT_S
from app.recommendations.kept_lists import KEPT, WATCHED, Model
from app.recommendations.models import LearnedModel
from app.recommendations.promotion import LEAST_ORDERS, Comparison, Evidence, Outcome, compare

WATCH_JOB: Final = "app.recommendations.promotion_jobs.watch"

# With so many orders the watch ends. Before, it looks each time that their number has doubled.
ENOUGH_ORDERS: Final = 400
# A store that has learned so many more orders since its last rebuild is rebuilt, and tested, before the night.
_GROWN: Final = 1.1
_GROWN_LEAST: Final = 200


def watch_everywhere() -> None:
    """Enqueue the watch for every installed store that has a watched model or has grown since its last rebuild."""
    stores = db.session.scalars(
        select(LearnedModel.store_id)
        .join(Store, Store.id == LearnedModel.store_id)
        .where(Store.uninstalled_at.is_(None), LearnedModel.rebuilt_at.is_not(None))
        .order_by(LearnedModel.store_id)
    ).all()
    db.session.rollback()
    for store_id in stores:
        enqueue(LEARNING, WATCH_JOB, store_id)


def watch(store_id: int) -> None:
    """Test the watched model of a store on the orders since; rebuild a store that has grown much."""
    connection = db.session.connection()
    grown = _has_grown(connection, store_id)
    watched = kept_lists.find(connection, store_id, WATCHED)
    if watched is not None and holding.held_reason(connection, store_id) is None:
        _look_at(store_id, watched)
    db.session.rollback()
    if grown:
        enqueue(LEARNING, REBUILD, store_id, timeout_s=REBUILD_TIMEOUT_S)


def _has_grown(connection: Connection, store_id: int) -> bool:
    """Return whether so many orders came since the last rebuild that they would change a model, right or wrong."""
    head = read_head(connection, store_id)
    then = connection.exec_driver_sql(
        "SELECT (measures ->> 'orders')::int8 FROM model_check WHERE store_id = %(store)s AND kind = %(kind)s"
        " ORDER BY checked_at DESC, id DESC LIMIT 1",
        {"store": store_id, "kind": holding.REBUILD},
    ).scalar_one_or_none()
    return bool(head and then is not None and head.orders >= max(_GROWN * then, then + _GROWN_LEAST))


def _look_at(store_id: int, watched: Model) -> None:
    connection = db.session.connection()
    asked_before = _asked_before(connection, store_id, watched)
    evidence = _examine(connection, store_id, watched, asked_before)
    if evidence is None:
        return
    asked = evidence.popularity.orders
    outcome = promotion.judge(evidence, kept=True)
    measures = {"asked": asked, **evidence.to_json()}
    if not outcome.passed:
        db.session.rollback()
        holding.return_to_kept(store_id, holding.WATCH, outcome, measures)
        return
    holding.record(connection, store_id, holding.WATCH, watched.version, outcome, measures)
    if asked >= ENOUGH_ORDERS:
        kept_lists.keep_watched(connection, store_id)
    db.session.commit()


def _asked_before(connection: Connection, store_id: int, watched: Model) -> int:
    """Return about how many orders the watched model was asked already."""
    found: int = connection.exec_driver_sql(
        "SELECT COALESCE(max((measures ->> 'asked')::int8), 0) FROM model_check WHERE store_id = %(store)s"
        " AND kind = %(kind)s AND version = %(version)s",
        {"store": store_id, "kind": holding.WATCH, "version": watched.version},
    ).scalar_one()
    return found


def _examine(connection: Connection, store_id: int, watched: Model, asked_before: int) -> Evidence | None:
    """Return how the watched model answers; None while the orders since are too few for another look."""
    head: Any = read_head(connection, store_id)
    since = watched.last_order or 0
    orders = exams.newest(connection, store_id, head.basket_cap, ENOUGH_ORDERS, since)
    if len(orders) < max(LEAST_ORDERS, min(2 * asked_before, ENOUGH_ORDERS)):
        return None
    questions = exams.ask_about(connection, orders)
    ours = kept_lists.lists_of(connection, store_id, WATCHED, questions)
    theirs = kept_lists.lists_of(connection, store_id, KEPT, questions).ask(questions)
    hits, popular = ours.ask(questions), ours.ask_popularity(questions)
    return Evidence(
        newest=compare(hits, theirs),
        known=_nothing(),
        popularity=compare(hits, popular),
        kept_popularity=compare(theirs, popular),
    )


def _nothing() -> Comparison:
    """Return the comparison of nothing."""
    none = kept_lists.no_exam().hits
    return compare(none, none)


def return_by_hand(store_id: int) -> bool:
    """Have the kept model answer until the merchant forces a rebuild; return whether there is one."""
    return holding.return_to_kept(store_id, holding.WATCH, Outcome.BY_HAND, {})
