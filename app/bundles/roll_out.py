"""The platform made equal to what is wanted: approved offers granted in the shop, all others not.

One process at a time works for a store. Nothing is held in the database while the platform is asked; what the merchant
says meanwhile stands, and is told to the platform in another round. An offer is ``live`` only after the platform has
said so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import or_, select

from app.bundles import keeping, live, looking
from app.bundles.live import expected, terms_of
from app.bundles.models import Offer
from app.bundles.states import OPEN, WANTED, State
from app.commerce.offers import Terms
from app.commerce.store import Store
from app.core.db import db, now, try_lock_store
from app.platforms.sources import discounts_for
from connectors.discounts import PLUGIN, Discounts, LiveOffer, Published, RefusedOffer
from connectors.errors import PlatformError, ReconnectNeeded, Throttled, Unreachable

log = structlog.get_logger()

_LOCK: Final = 72
# Rounds at once: the first does the work, others what was said meanwhile. The clock comes again.
_MOST_ROUNDS: Final = 5

# Words for ``reason_code``, beside those of ``RefusedOffer``.
UNREACHABLE: Final = "unreachable"
NOT_CONNECTED: Final = "not_connected"
REJECTED: Final = "rejected"
FAILED: Final = "failed"

# Refusals that do not say whether the platform still grants what it did.
_UNSURE: Final = frozenset({UNREACHABLE, "not_allowed"})

_FIRST_WAIT: Final = timedelta(minutes=1)
_LONGEST_WAIT: Final = timedelta(hours=1)
# What the merchant has to mend is tried again so often, in case it was mended unseen.
_SLOW: Final = timedelta(hours=6)
_RECONNECT_WAIT: Final = timedelta(minutes=15)
# After so many failures in a row, about seven hours, nobody knows any more whether the shop still grants an offer.
TRUSTED_FAILURES: Final = 12

_NO_ANSWER: Final = RefusedOffer(
    "", REJECTED, "The shop did not say what became of this offer; it is tried again.", again=True
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a store's platform is to grant, and what it does grant as far as we know."""

    wanted: tuple[Terms, ...]
    known: Mapping[str, LiveOffer]
    due: bool
    live: bool  # some are told to shoppers


def roll_out(store_id: int, *, check: bool = False) -> bool:
    """Make the store's platform equal to what is wanted; return False where another process is at it.

    Args:
        store_id: the store; nothing is live in one that has left.
        check: also ask what the platform still grants, and tell it everything anew.
    """
    with try_lock_store(store_id, _LOCK) as mine:
        if not mine:
            return False
        anew = check
        for _ in range(_MOST_ROUNDS):
            if not _round(store_id, check=anew):
                break
            anew = False
        db.session.rollback()
        return True


def plan(store_id: int, at: datetime) -> Plan:
    """Return what is to be granted now; the most valuable first, where not all can be."""
    offers = _concerned(store_id)
    wanted = [offer for offer in offers if _is_wanted(offer, at) or _is_still_told(offer, at)]
    wanted.sort(key=lambda offer: (-expected(offer.profit), offer.id))
    known = {offer.key: LiveOffer.from_json(offer.platform) for offer in offers if offer.platform}
    return Plan(
        tuple(terms_of(offer) for offer in wanted),
        known,
        due=any(_is_due(offer, at) for offer in offers),
        live=any(offer.state == State.LIVE for offer in offers),
    )


def behind(store: Store, at: datetime) -> bool:
    """Return whether the platform is to be told something now, or nobody can tell it what is live."""
    todo = plan(store.id, at)
    return todo.due or (todo.live and not is_connected(store))


def is_connected(store: Store) -> bool:
    """Return whether the store's platform can be asked."""
    return (
        store.uninstalled_at is None and store.connection_problem is None and store.connected_at is not None
    )


def _round(store_id: int, *, check: bool) -> bool:
    """Do what is due once; return whether anything was."""
    store = db.session.get(Store, store_id, populate_existing=True)
    if store is None:
        return False
    at = now()
    looking.look(store_id, at)
    todo = plan(store_id, at)
    cut_off = todo.live and not is_connected(store)
    if not (todo.due or cut_off or (check and (todo.wanted or todo.known))):
        return False
    try:
        discounts = _reach(store)
        db.session.commit()  # nothing is held while the platform is asked
        if check and todo.known:
            _note_lost(store_id, todo.known, discounts.granted(todo.known))
            todo = plan(store_id, at)
            db.session.commit()
        published = discounts.publish(todo.wanted, todo.known)
    except Exception as error:
        db.session.rollback()
        if not isinstance(error, PlatformError):
            log.exception("offers_not_rolled_out", store_id=store_id)
        _note_failure(store_id, todo, error)
    else:
        _note_published(store_id, todo, published)
    return True


def _reach(store: Store) -> Discounts:
    """Return the store's discounts.

    Raises:
        ReconnectNeeded: if the shop has not let us in, or no longer does.
    """
    if not is_connected(store):
        raise ReconnectNeeded("The shop is not connected: connect it, and the offer goes live.")
    return discounts_for(store)


def _concerned(store_id: int) -> Sequence[Offer]:
    """Return the offers that are not over, and those that the platform still grants."""
    query = select(Offer).where(
        Offer.store_id == store_id, or_(Offer.state.in_(OPEN), Offer.platform.is_not(None))
    )
    return db.session.scalars(query.order_by(Offer.id).execution_options(populate_existing=True)).all()


def _is_wanted(offer: Offer, at: datetime) -> bool:
    """Return whether the platform is to grant an offer now.

    One that somebody has deleted there is not made again before the merchant says so.
    """
    return (
        offer.state in WANTED
        and offer.starts_at <= at
        and (offer.ends_at is None or at < offer.ends_at)
        and not keeping.removed(offer)
    )


def _is_still_told(offer: Offer, at: datetime) -> bool:
    """Return whether answers may be about that promise an offer which is over: the shop keeps the promise so long."""
    return (
        offer.state not in WANTED
        and offer.platform is not None
        and not offer.attempts
        and offer.retry_at is not None
        and offer.retry_at > at
    )


def _is_due(offer: Offer, at: datetime) -> bool:
    """Return whether the platform is to be told of an offer."""
    waits = offer.retry_at is not None and offer.retry_at > at
    if _is_wanted(offer, at):
        behind = offer.state == State.APPROVED or offer.retry_at is not None
        return behind and not waits
    return offer.platform is not None and not waits


def _note_published(store_id: int, todo: Plan, published: Published) -> None:
    granted = {offer.key: offer for offer in published.live}
    left = {offer.key: offer for offer in published.left}
    refused = {offer.key: offer for offer in published.refused}
    asked = {terms.key for terms in todo.wanted}
    for offer in _locked(store_id, asked | set(todo.known) | set(granted) | set(left)):
        if offer.key in granted:
            _grant(offer, granted[offer.key])
        elif offer.key in asked:
            problem = refused.get(offer.key, _NO_ANSWER)
            _refuse(offer, problem.code, problem.reason, _wait(offer) if problem.again else _SLOW)
            if offer.key in left or problem.code not in _UNSURE:
                _stays(offer, left.get(offer.key))
        elif offer.key in left:
            _stays(offer, left[offer.key])
            _count_failure(offer, _wait(offer))
        else:
            _withdraw(offer)
    db.session.commit()
    live.forget()
    log.info("offers_rolled_out", store_id=store_id, live=len(granted), refused=len(refused), left=len(left))


def _note_failure(store_id: int, todo: Plan, error: Exception) -> None:
    """Keep that nothing could be done. What was live still is, as far as anybody knows."""
    code, reason = _in_words(error)
    log.warning("offers_platform_failed", store_id=store_id, error=type(error).__name__)
    for offer in _locked(store_id, {terms.key for terms in todo.wanted} | set(todo.known)):
        wait = _RECONNECT_WAIT if code == NOT_CONNECTED else _wait(offer)
        if isinstance(error, Throttled):
            wait = max(wait, timedelta(seconds=error.retry_after_s))
        trusted = code != NOT_CONNECTED and offer.attempts + 1 < TRUSTED_FAILURES
        if offer.state == State.LIVE and trusted:
            _count_failure(offer, wait)
        elif offer.state in WANTED:
            _refuse(offer, code, reason, wait)
        else:
            _count_failure(offer, wait)
    db.session.commit()
    live.forget()


def _note_lost(store_id: int, known: Mapping[str, LiveOffer], granted: Iterable[str]) -> None:
    """Keep which offers the platform no longer grants.

    Somebody has deleted a discount of the shop's own, which is a merchant's word too: it is not made again by itself.
    A plugin that no longer knows an offer has been reset, and is told again.
    """
    lost = set(known) - set(granted)
    for offer in _locked(store_id, lost):
        offer.platform = None
        if offer.state not in WANTED:
            _withdraw(offer)
            continue
        _refuse(
            offer,
            keeping.REMOVED,
            "The discount no longer exists in the shop: resume the offer to make it again.",
            None,
        )
        if known[offer.key].mechanism == PLUGIN:
            offer.retry_at = now()
    db.session.commit()
    if lost:
        live.forget()
        log.warning("offers_lost", store_id=store_id, offers=len(lost))


def _grant(offer: Offer, granted: LiveOffer) -> None:
    body = granted.to_json()
    changed = offer.platform != body
    offer.platform = body
    if offer.state in WANTED:
        offer.attempts, offer.retry_at = 0, None
    if offer.state in WANTED and offer.state != State.LIVE:
        detail = {"mechanism": granted.mechanism, "limits": list(granted.limits)}
        keeping.move(offer, State.LIVE, actor=keeping.PLATFORM, action="live", detail=detail)
    elif changed:
        keeping.touch(offer)


def _refuse(offer: Offer, code: str, reason: str, wait: timedelta | None) -> None:
    """Let an offer be not live; nothing is noted twice."""
    if offer.state in WANTED and offer.state != State.NOT_LIVE:
        attempts = offer.attempts
        keeping.move(
            offer, State.NOT_LIVE, actor=keeping.PLATFORM, action="not_live", code=code, reason=reason
        )
        offer.attempts = attempts
    elif offer.state == State.NOT_LIVE and (offer.reason_code, offer.reason) != (code, reason):
        offer.reason_code, offer.reason = code, reason
        keeping.note(offer, keeping.PLATFORM, "not_live", {"code": code, "reason": reason})
    _count_failure(offer, wait)


def _stays(offer: Offer, granted: LiveOffer | None) -> None:
    """Keep whether the platform still grants an offer that it should not, or no longer in this form."""
    body = granted.to_json() if granted else None
    if offer.platform != body:
        offer.platform = body
        keeping.touch(offer)


def _withdraw(offer: Offer) -> None:
    """Keep that the platform no longer grants an offer."""
    offer.platform = None
    offer.attempts, offer.retry_at = 0, None
    keeping.note(offer, keeping.PLATFORM, "withdrawn")


def _count_failure(offer: Offer, wait: timedelta | None) -> None:
    offer.attempts += 1
    offer.retry_at = None if wait is None else now() + wait


def _wait(offer: Offer) -> timedelta:
    """Return how long to wait before the next try: twice as long each time."""
    doubled: timedelta = _FIRST_WAIT * 2 ** min(offer.attempts, 10)
    return min(doubled, _LONGEST_WAIT)


def _in_words(error: Exception) -> tuple[str, str]:
    if isinstance(error, ReconnectNeeded):
        return NOT_CONNECTED, str(error)
    if isinstance(error, Unreachable):
        return UNREACHABLE, str(error)
    if isinstance(error, PlatformError):
        return REJECTED, str(error)
    return FAILED, "Something went wrong at our side; it has been logged, and is tried again."


def _locked(store_id: int, keys: Iterable[str]) -> Sequence[Offer]:
    query = select(Offer).where(Offer.store_id == store_id, Offer.key.in_(sorted(keys))).order_by(Offer.id)
    return db.session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()
