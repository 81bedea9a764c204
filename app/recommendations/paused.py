"""Whether a slot shows anything: one that did harm rests and comes back on trial, see ``app.monitoring.guardrails``."""

import hashlib
from typing import Final, Literal

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.db import db
from app.core.held import Held
from app.recommendations.models import SlotPause

State = Literal["live", "paused", "trial"]
LIVE: Final = "live"
PAUSED: Final = "paused"
TRIAL: Final = "trial"

# Of how many visitors a slot on trial shows something to.
TRIAL_SHARE: Final = 0.2
_PERSON: Final = b"pannier-trial"

_held: Held[int, dict[str, State]] = Held(most=10_000)


def state(store_id: int, slot: str) -> State:
    """Return whether a slot shows something, as this process has known it for five seconds at most.

    Where the database does not answer, what was known last holds on.
    """
    return _held.get(store_id, lambda before: _read(store_id, before or {})).get(slot, LIVE)


def shows(state: State, slot: str, unit: str | None) -> bool:
    """Return whether a visitor is shown something. Pure.

    A slot on trial shows something to a fifth of the visitors, whom the hash of ``unit`` (as it is assigned by) and
    ``slot`` picks; to nobody who may not be recognised, because what is shown to them cannot be measured.
    """
    if state == TRIAL:
        return unit is not None and _bucket(slot, unit) < TRIAL_SHARE
    return state == LIVE


def forget() -> None:
    """Forget the state of every slot: the next question asks the database."""
    _held.forget_all()


def _read(store_id: int, before: dict[str, State]) -> dict[str, State]:
    try:
        return _load(store_id)
    except (OperationalError, PoolTimeout):
        db.session.rollback()
        return before


def _load(store_id: int) -> dict[str, State]:
    """Return the state of the slots that are not live."""
    rows = db.session.execute(
        select(SlotPause.slot, SlotPause.trial_at).where(
            SlotPause.store_id == store_id, SlotPause.ended_at.is_(None)
        )
    )
    return {slot: PAUSED if trial_at is None else TRIAL for slot, trial_at in rows}


def _bucket(slot: str, unit: str) -> float:
    """Return a number from 0 to 1 that belongs to a visitor and a slot, and to no experiment."""
    digest = hashlib.blake2b(f"{slot}:{unit}".encode(), digest_size=8, person=_PERSON).digest()
    return int.from_bytes(digest, "big") / 2**64
