"""Which slots pause, why, and an end to it."""

from typing import Any

from flask import g
from sqlalchemy import select

from app.commerce.access import NOT_FOUND, SERVER_DOC, server_blueprint
from app.commerce.store import StoreAccess
from app.core.db import db
from app.core.errors import NotFound
from app.monitoring import guardrails, pausing
from app.monitoring.slot_schemas import SlotsState, SlotState
from app.recommendations.models import SlotPause
from app.recommendations.paused import LIVE, PAUSED, TRIAL
from app.recommendations.strategies import SLOTS

blueprint = server_blueprint(
    "slots",
    __name__,
    url_prefix="/v1/slots",
    description="Slots that pause because they did harm.",
)


@blueprint.route("", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, SlotsState)
def list_slots() -> dict[str, Any]:
    """Say of every slot whether it shows anything, and why not."""
    access: StoreAccess = g.access
    return {"slots": [_state(access.store_id, slot) for slot in SLOTS]}


@blueprint.route("/<slot>/resume", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.response(200, SlotState)
def resume_slot(slot: str) -> dict[str, Any]:
    """End a slot's pause or trial at once; a slot that is live stays so."""
    access: StoreAccess = g.access
    if slot not in SLOTS:
        raise NotFound(f"There is no slot {slot[:50]!r}.")
    guardrails.resume(access.store_id, slot)
    return _state(access.store_id, slot)


def _state(store_id: int, slot: str) -> dict[str, Any]:
    # The open one first, then the one that ended last.
    found = db.session.scalars(
        select(SlotPause)
        .where(SlotPause.store_id == store_id, SlotPause.slot == slot)
        .order_by(SlotPause.ended_at.desc().nulls_first())
        .limit(2)
    ).all()
    pause = next((row for row in found if row.ended_at is None), None)
    last = next((row for row in found if row.ended_at is not None), None)
    state = LIVE if pause is None else PAUSED if pause.trial_at is None else TRIAL
    return {"slot": slot, "state": state, "pause": pause and _pause(pause), "last": last}


def _pause(row: SlotPause) -> dict[str, Any]:
    until = row.paused_at + pausing.REST if row.trial_at is None else row.trial_at + pausing.TRIAL
    return {
        "paused_at": row.paused_at,
        "trial_at": row.trial_at,
        "until": until,
        "reason": row.reason,
        "measures": row.measures,
    }
