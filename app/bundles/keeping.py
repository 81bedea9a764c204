"""The rows of offers: found, locked, moved from state to state, and what happened to them.

Functions write through ``db.session`` and leave the commit to the caller, unless they say otherwise.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.dialects.postgresql import insert

from app.bundles import live, states
from app.bundles.limits import Limits
from app.bundles.live import TOLD_FOR
from app.bundles.models import Offer, OfferEvent, OfferLimits
from app.bundles.states import State
from app.core.db import db, now
from app.core.errors import Conflict, NotFound
from app.core.paging import newest_first
from app.core.queues import PLATFORMS, hint

MERCHANT: Final = "merchant"
AUTOMATIC: Final = "automatic"
PLATFORM: Final = "platform"
CLOCK: Final = "clock"
ACTORS: Final = (MERCHANT, AUTOMATIC, PLATFORM, CLOCK)

LEARNED: Final = "learned"
RULE: Final = "rule"
MANUAL: Final = "manual"
ORIGINS: Final = (LEARNED, RULE, MANUAL)

# Why an offer is not live that somebody has deleted in the shop: it is not made again before the merchant says so.
REMOVED: Final = "removed"

ROLL_OUT: Final = "app.bundles.jobs.roll_out"
# Held while offers are made or approved: how many there may be is counted under it.
MAKING_LOCK: Final = 71
_MOST_EVENTS: Final = 200
_KEY_BYTES: Final = 6


def new_key(store_id: int, request: str | None = None) -> str:
    """Return a key for an offer: lower case, as coupon codes made of it must be.

    The same ``request`` of a store, the sender's own name for it, has the same key.
    """
    if request is None:
        return f"o_{secrets.token_hex(_KEY_BYTES)}"
    digest = hashlib.sha256(f"{store_id}:{request}".encode()).hexdigest()
    return f"o_{digest[: 2 * _KEY_BYTES]}"


def find(store_id: int, key: str) -> Offer:
    """Return one offer.

    Raises:
        NotFound: if the store has none of this key.
    """
    return _found(with_key(store_id, key), key)


def with_key(store_id: int, key: str) -> Offer | None:
    """Return one offer; None where the store has none of this key."""
    return db.session.scalar(_of(store_id, key))


def locked(store_id: int, key: str, version: int | None = None) -> Offer:
    """Return one offer that nobody else changes until the transaction ends.

    Raises:
        NotFound: if the store has none of this key.
        Conflict: if it is at another version than ``version``.
    """
    query = _of(store_id, key).with_for_update().execution_options(populate_existing=True)
    offer = _found(db.session.scalar(query), key)
    if version is not None and offer.version != version:
        raise Conflict(
            f"The offer has changed meanwhile: it is at version {offer.version}. Look at it again."
        )
    return offer


def unchanged(seen: Offer) -> bool:
    """Lock an offer that was read before, and return whether it is still as it was."""
    version = seen.version
    query = select(Offer).where(Offer.id == seen.id).with_for_update()
    again = db.session.scalar(query.execution_options(populate_existing=True))
    return again is not None and again.version == version


def listed(
    store_id: int,
    *,
    state: str | None = None,
    origin: str | None = None,
    limit: int = 50,
    before: int | None = None,
) -> Sequence[Offer]:
    """Return offers of a store, newest first; ``before`` is the id that the page before ended with."""
    query = select(Offer).where(Offer.store_id == store_id)
    if state is not None:
        query = query.where(Offer.state == state)
    if origin is not None:
        query = query.where(Offer.origin == origin)
    return db.session.scalars(newest_first(query, Offer.id, limit, before)).all()


def events(store_id: int, key: str) -> Sequence[OfferEvent]:
    """Return what happened to an offer, newest first; of very many the newest."""
    query = select(OfferEvent).where(OfferEvent.store_id == store_id, OfferEvent.offer_key == key)
    return db.session.scalars(newest_first(query, OfferEvent.id, _MOST_EVENTS)).all()


def removed(offer: Offer) -> bool:
    """Return whether somebody has deleted an offer in the shop, and nobody has asked for it since."""
    return offer.state == State.NOT_LIVE and offer.reason_code == REMOVED and offer.retry_at is None


def move(
    offer: Offer,
    state: State,
    *,
    actor: str,
    action: str,
    code: str | None = None,
    reason: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Let an offer go to another state, and note it.

    What failed before counts no more: the new state is tried at once. Only an offer that was live stays in the shop
    until the last answer that told of it is forgotten.

    Raises:
        Conflict: if it may not go there.
    """
    before = State(offer.state)
    states.check(before, state)
    offer.state, offer.reason_code, offer.reason = state.value, code, reason
    offer.attempts, offer.retry_at = 0, None
    if before is State.LIVE and state not in states.WANTED:
        offer.retry_at = now() + TOLD_FOR
    if state is State.LIVE:
        offer.live_at = now()
    elif state in (State.ENDED, State.REJECTED):
        offer.ended_at = now()
    told = {"from": before.value, "to": state.value, "code": code, "reason": reason, **(detail or {})}
    note(offer, actor, action, {name: value for name, value in told.items() if value is not None})


def note(offer: Offer, actor: str, action: str, detail: Mapping[str, Any] | None = None) -> None:
    """Note that something happened to an offer; its version grows."""
    touch(offer)
    db.session.add(
        OfferEvent(
            store_id=offer.store_id,
            offer_key=offer.key,
            actor=actor,
            action=action,
            detail=dict(detail or {}),
        )
    )


def touch(offer: Offer) -> None:
    """Let an offer's version grow."""
    offer.version += 1
    offer.updated_at = now()


def counted(connection: Connection, store_id: int) -> int:
    """Return how many offers count against ``most_live``."""
    query = select(func.count()).where(Offer.store_id == store_id, Offer.state.in_(states.COUNTED))
    return connection.execute(query).scalar_one()


def limits_of(connection: Connection, store_id: int) -> Limits:
    """Return the store's limits; what the merchant never set has its default."""
    query = select(OfferLimits.limits).where(OfferLimits.store_id == store_id)
    return Limits.from_json(connection.execute(query).scalar() or {})


def set_limits(store_id: int, limits: Limits) -> None:
    """Keep a store's limits, and commit. Offers that were approved automatically follow within a minute."""
    values = {"limits": limits.to_json(), "updated_at": now()}
    db.session.execute(
        insert(OfferLimits)
        .values(store_id=store_id, **values)
        .on_conflict_do_update(index_elements=["store_id"], set_=values)
    )
    committed(store_id)


def committed(store_id: int) -> None:
    """Commit what was written, let this process see it, and have the platform told."""
    db.session.commit()
    live.forget()
    hint(PLATFORMS, ROLL_OUT, store_id)


def _of(store_id: int, key: str) -> Select[Offer]:
    return select(Offer).where(Offer.store_id == store_id, Offer.key == key)


def _found(offer: Offer | None, key: str) -> Offer:
    if offer is None:
        raise NotFound(f"This store has no offer {key[:50]!r}.")
    return offer
