"""Tuning a store's blend from its own orders, and keeping what was found."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import orjson
import structlog

from app.commerce.store import SETTINGS, Store
from app.core.db import db, now
from app.recommendations.blends import stored_ranking
from app.recommendations.cooccurrence import Parameters
from app.recommendations.counts import day_number
from app.recommendations.holding import held_reason

if TYPE_CHECKING:  # SciPy and LightGBM are imported in jobs only
    from app.recommendations.tuning import Tuned

log = structlog.get_logger()

# Fewer orders than this say too little: the simple blend is used.
LEAST_ORDERS: Final = 2000
# Tuned anew after a week, or when the store has grown by a fifth.
_DAYS: Final = 7
_GROWN: Final = 1.2


def due(store_id: int, orders: int) -> bool:
    """Return whether a store that has learned so many orders should be tuned; not while a kept model answers."""
    if orders < LEAST_ORDERS or held_reason(db.session.connection(), store_id) is not None:
        return False
    stored = stored_ranking(store_id)
    return stored is None or orders >= _GROWN * stored["orders"] or day_number(now()) >= stored["day"] + _DAYS


def tune(store_id: int, on_progress: Callable[[str], None] | None = None) -> "Tuned":
    """Tune a store's blend and store what was found; the next rebuild makes its rows accordingly.

    Returns what was found. A store with too few orders gets the simple blend.
    """
    from app.recommendations.evaluation_input import store_orders
    from app.recommendations.tuning import tune as find

    store = db.session.get_one(Store, store_id)
    settings = {name: store.setting(name) for name in SETTINGS}
    orders = store_orders(db.session.connection(), store_id)
    db.session.rollback()  # minutes without a transaction
    today = day_number(now())
    parameters = Parameters(today, settings["half_life_days"], int(settings["basket_cap"]))
    tuned = find(orders, parameters, on_progress=on_progress)
    stored = orjson.dumps({**tuned.as_json(), "day": today}).decode()
    db.session.connection().exec_driver_sql(
        "UPDATE learned_model SET ranking = %(ranking)s::jsonb WHERE store_id = %(store)s",
        {"store": store_id, "ranking": stored},
    )
    db.session.commit()
    log.info("store_tuned", store_id=store_id, questions=tuned.questions, trees=tuned.blend.trees is not None)
    return tuned
