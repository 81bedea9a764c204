"""How a store's scores are blended: what tuning stored, held in the process for a minute."""

from typing import Any

from app.core.db import db
from app.core.held import Held
from app.recommendations import scoring
from app.recommendations.scoring import Blend

_held: Held[int, Blend] = Held(ttl_s=60.0)


def get_blend(store_id: int) -> Blend:
    """Return the store's blend; the simple one where nothing was tuned."""
    return _held.get(store_id, lambda _: _read(store_id))


def _read(store_id: int) -> Blend:
    stored = stored_ranking(store_id)
    blend = scoring.blend_from_json(stored["blend"]) if stored else scoring.DEFAULT
    # Stored where tuning found nothing better: the same for whoever asks.
    return scoring.DEFAULT if blend == scoring.DEFAULT else blend


def stored_ranking(store_id: int) -> Any:
    """Return what tuning stored for a store, as JSON; None if nothing."""
    return (
        db.session.connection()
        .exec_driver_sql("SELECT ranking FROM learned_model WHERE store_id = %(store)s", {"store": store_id})
        .scalar_one_or_none()
    )


def forget() -> None:
    """Forget every store's blend."""
    _held.forget_all()
