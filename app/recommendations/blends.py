"""How a store's scores are blended: what tuning stored, held in the process for a minute."""

import time
from typing import Any, Final

from app.core.db import db
from app.recommendations import scoring
from app.recommendations.scoring import Blend

_TTL_S: Final = 60.0
_MOST_HELD: Final = 1_000

_held: dict[int, tuple[float, Blend]] = {}


def get_blend(store_id: int) -> Blend:
    """Return the store's blend; the simple one where nothing was tuned."""
    hit = _held.get(store_id)
    if hit is not None and hit[0] > time.monotonic():
        return hit[1]
    stored = stored_ranking(store_id)
    blend = scoring.blend_from_json(stored["blend"]) if stored else scoring.DEFAULT
    if blend == scoring.DEFAULT:  # stored where tuning found nothing better: the same for whoever asks
        blend = scoring.DEFAULT
    if len(_held) >= _MOST_HELD:
        _held.clear()
    _held[store_id] = (time.monotonic() + _TTL_S, blend)
    return blend


def stored_ranking(store_id: int) -> Any:
    """Return what tuning stored for a store, as JSON; None if nothing."""
    return (
        db.session.connection()
        .exec_driver_sql("SELECT ranking FROM learned_model WHERE store_id = %(store)s", {"store": store_id})
        .scalar_one_or_none()
    )


def forget() -> None:
    """Forget every store's blend."""
    _held.clear()
