"""What the merchant says of an offer: yes, no, not now, again, no more. Every function commits, but ``approve_now``."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from app.bundles import holding, keeping, looking, wares
from app.bundles.limits import COST_UNKNOWN, CURRENCY, NOT_SOLD, Limits, breaches
from app.bundles.live import terms_of
from app.bundles.models import Offer
from app.bundles.states import State, in_words
from app.commerce.offers import Terms
from app.core.db import db, lock_store, now
from app.core.errors import Conflict

# What a merchant's own approval may go beyond, and what nobody's may.
_IMPOSSIBLE: Final = frozenset({NOT_SOLD, CURRENCY})


def approve(
    store_id: int,
    key: str,
    *,
    version: int | None = None,
    title: str | None = None,
    beyond_limits: bool = False,
) -> Offer:
    """Approve a proposal, or anew an offer whose prices have changed; ``title`` is what shoppers read from now on.

    Raises:
        NotFound: if there is none of this key.
        Conflict: if it does not wait for approval, has changed since ``version``, can no longer be granted, breaks the
            store's limits without being allowed to, or enough offers are live.
    """
    connection = db.session.connection()
    lock_store(connection, store_id, keeping.MAKING_LOCK)
    offer = keeping.locked(store_id, key, version)
    _require_waiting(offer)
    if title is not None:
        offer.title = title
    limits = keeping.limits_of(connection, store_id)
    found = wares.read(connection, store_id, _products(offer), limits.included_tax)
    terms = terms_of(offer)
    refuse_beyond(terms, found, limits, beyond_limits=beyond_limits)
    offer.prices = wares.prices_of(terms.components, found)
    approve_now(connection, offer, keeping.MERCHANT, limits)
    looking.look_at(offer, found, limits, now())
    keeping.committed(store_id)
    return offer


def approve_now(connection: Connection, offer: Offer, actor: str, limits: Limits) -> None:
    """Let an offer be approved by ``actor``. The caller holds ``MAKING_LOCK``, has set its prices, and commits.

    Raises:
        Conflict: if enough offers are live, or it cannot be approved.
    """
    if offer.state == State.PROPOSED and keeping.counted(connection, offer.store_id) >= limits.most_live:
        raise Conflict(
            f"{limits.most_live} offers are live or about to be, which is the most by your limits: end one first."
        )
    keeping.move(offer, State.APPROVED, actor=actor, action="approved")
    offer.approved_at, offer.approved_by = now(), actor
    db.session.flush()


def refuse_beyond(
    terms: Terms, found: Mapping[str, wares.Ware], limits: Limits, *, beyond_limits: bool
) -> None:
    """See that an offer can be granted and keeps to the limits.

    What unknown costs would say is left to the merchant, who writes or approves it.

    Raises:
        Conflict: naming what it breaks. With ``beyond_limits`` only what could never be granted.
    """
    broken = [b for b in breaches(terms, found, limits) if b.code != COST_UNKNOWN]
    if beyond_limits:
        broken = [b for b in broken if b.code in _IMPOSSIBLE]
    if broken:
        raise Conflict(" ".join(b.sentence for b in broken))


def reject(store_id: int, key: str, *, version: int | None = None, note: str | None = None) -> Offer:
    """Say no to a proposal: its products are not proposed again for a while.

    Raises:
        NotFound: if there is none of this key.
        Conflict: if it is no proposal, or has changed since ``version``.
    """
    return _moved(store_id, key, State.REJECTED, "rejected", version, note or "The merchant did not want it.")


def end(store_id: int, key: str, *, version: int | None = None, note: str | None = None) -> Offer:
    """End an offer for good. Nobody is shown it from now on; the shop takes the discount away as soon as it answers.

    Raises:
        NotFound: if there is none of this key.
        Conflict: if it is over, or has changed since ``version``.
    """
    return _moved(store_id, key, State.ENDED, "ended", version, note or "The merchant ended it.")


def suspend(store_id: int, key: str, *, version: int | None = None, note: str | None = None) -> Offer:
    """Take an offer off the shop until it is resumed.

    Raises:
        NotFound: if there is none of this key.
        Conflict: if it is not approved, live or not live, or has changed since ``version``.
    """
    return _moved(store_id, key, State.SUSPENDED, "suspended", version, note or "The merchant suspended it.")


def resume(store_id: int, key: str, *, version: int | None = None) -> Offer:
    """Let an offer that the merchant suspended come back, or try one that is not live again at once.

    Raises:
        NotFound: if there is none of this key.
        Conflict: if it is neither, or has changed since ``version``.
    """
    connection = db.session.connection()
    offer = keeping.locked(store_id, key, version)
    state = State(offer.state)
    if state is State.SUSPENDED and offer.reason_code != keeping.MERCHANT:
        raise Conflict(f"It does not hold now: {offer.reason}")
    if state not in (State.SUSPENDED, State.NOT_LIVE):
        raise Conflict(f"This offer is {in_words(state)}: there is nothing to resume.")
    keeping.move(offer, State.APPROVED, actor=keeping.MERCHANT, action="resumed")
    limits = keeping.limits_of(connection, store_id)
    found = wares.read(connection, store_id, _products(offer), limits.included_tax)
    looking.look_at(offer, found, limits, now())
    keeping.committed(store_id)
    return offer


def _moved(store_id: int, key: str, state: State, action: str, version: int | None, reason: str) -> Offer:
    offer = keeping.locked(store_id, key, version)
    keeping.move(offer, state, actor=keeping.MERCHANT, action=action, code=keeping.MERCHANT, reason=reason)
    keeping.committed(store_id)
    return offer


def _require_waiting(offer: Offer) -> None:
    """See that an offer waits for the merchant.

    Raises:
        Conflict: if it does not.
    """
    state = State(offer.state)
    anew = state is State.SUSPENDED and offer.reason_code in (holding.PRICE_CHANGED, looking.LIMITS)
    if state is not State.PROPOSED and not anew:
        raise Conflict(f"This offer is {in_words(state)}: it does not wait for approval.")
    if offer.ends_at is not None and offer.ends_at <= now():
        raise Conflict("Its time is over: make a new one.")


def _products(offer: Offer) -> list[str]:
    return [part["product_id"] for part in offer.components]
