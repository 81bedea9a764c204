"""Whether a store's offers still hold: they are suspended, brought back and ended by what the shop has."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select

from app.bundles import holding, keeping, live, wares
from app.bundles.holding import EXPIRED, PRICE_CHANGED, Obstacle, obstacle
from app.bundles.limits import Limits, breaches
from app.bundles.live import terms_of
from app.bundles.models import Offer
from app.bundles.states import OPEN, WANTED, State
from app.bundles.wares import Ware
from app.core.db import db

log = structlog.get_logger()

# An offer that was approved automatically is no longer within the limits.
LIMITS: Final = "limits"
NOT_DECIDED: Final = "not_decided"
# A proposal that waits longer is ended: what is bought together has changed since.
PATIENCE: Final = timedelta(days=30)
# What a proposal does not survive.
_FATAL: Final = frozenset({EXPIRED, holding.PRODUCT_GONE, holding.BROKEN})
# What an offer comes back from by itself.
_PASSING: Final = holding.PASSING | {LIMITS}


def look(store_id: int, at: datetime) -> int:
    """Look at every offer of a store that is not over, and commit; return how many have changed."""
    connection = db.session.connection()
    query = select(Offer).where(Offer.store_id == store_id, Offer.state.in_(OPEN)).order_by(Offer.id)
    offers = db.session.scalars(query.execution_options(populate_existing=True)).all()
    if not offers:
        db.session.rollback()
        return 0
    limits = keeping.limits_of(connection, store_id)
    named = {part["product_id"] for offer in offers for part in offer.components}
    found = wares.read(connection, store_id, named, limits.included_tax)
    changed = 0
    for offer in offers:
        # Decided first and locked then: nearly all stay as they are.
        if _would_change(offer, found, limits, at) and keeping.unchanged(offer):
            look_at(offer, found, limits, at)
            changed += 1
    db.session.commit()
    if changed:
        live.forget()
        log.info("offers_looked_at", store_id=store_id, changed=changed)
    return changed


def look_at(offer: Offer, found: Mapping[str, Ware], limits: Limits, at: datetime) -> None:
    """Suspend, bring back or end an offer that this transaction has locked, if that is due."""
    problem = _problem(offer, found, limits, at)
    state = State(offer.state)
    if state is State.PROPOSED:
        _of_proposal(offer, problem, at)
    elif problem is not None and problem.code == EXPIRED:
        _end(offer, problem)
    elif keeping.removed(offer):
        return  # coming back from a suspension would make it again
    elif problem is None and state is State.SUSPENDED and offer.reason_code in _PASSING:
        keeping.move(offer, State.APPROVED, actor=keeping.CLOCK, action="holds_again")
        _follow_prices(offer, found)
    elif problem is None and state in WANTED:
        _follow_prices(offer, found)
    elif problem is not None and state in WANTED:
        _suspend(offer, problem)
    elif problem is not None and offer.reason_code in _PASSING and offer.reason != problem.sentence:
        offer.reason_code, offer.reason = problem.code, problem.sentence
        keeping.note(offer, keeping.CLOCK, "still_suspended", _told(problem))


def _would_change(offer: Offer, found: Mapping[str, Ware], limits: Limits, at: datetime) -> bool:
    problem = _problem(offer, found, limits, at)
    state = State(offer.state)
    if state is State.PROPOSED:
        return offer.created_at + PATIENCE <= at or (problem is not None and problem.code in _FATAL)
    if problem is not None and problem.code == EXPIRED:
        return True
    if keeping.removed(offer):
        return False
    if state is State.SUSPENDED:
        passing = offer.reason_code in _PASSING
        return passing and (problem is None or problem.sentence != offer.reason)
    return problem is not None or _new_prices(offer, found) is not None


def _problem(offer: Offer, found: Mapping[str, Ware], limits: Limits, at: datetime) -> Obstacle | None:
    """Return why an offer does not hold.

    One that was approved automatically follows prices within the limits, and has to keep to them.
    """
    terms = terms_of(offer)
    problem = obstacle(terms, offer.prices, found, limits, at)
    if offer.approved_by != keeping.AUTOMATIC or (problem is not None and problem.code != PRICE_CHANGED):
        return problem
    broken = breaches(terms, found, limits)
    if broken:
        return Obstacle(LIMITS, broken[0].sentence)
    return None if limits.automatic else problem


def _new_prices(offer: Offer, found: Mapping[str, Ware]) -> dict[str, dict[str, int]] | None:
    """Return the prices of an offer that follows them, where they are other ones."""
    if offer.approved_by != keeping.AUTOMATIC:
        return None
    prices = wares.prices_of(terms_of(offer).components, found)
    return prices if prices != offer.prices else None


def _follow_prices(offer: Offer, found: Mapping[str, Ware]) -> None:
    prices = _new_prices(offer, found)
    if prices is not None:
        offer.prices = prices
        keeping.note(offer, keeping.AUTOMATIC, "followed_prices", {"prices": prices})


def _of_proposal(offer: Offer, problem: Obstacle | None, at: datetime) -> None:
    if problem is not None and problem.code in _FATAL:
        _end(offer, problem)
    elif offer.created_at + PATIENCE <= at:
        _end(offer, Obstacle(NOT_DECIDED, f"Nobody decided within {PATIENCE.days} days."))


def _suspend(offer: Offer, problem: Obstacle) -> None:
    keeping.move(
        offer,
        State.SUSPENDED,
        actor=keeping.CLOCK,
        action="suspended",
        code=problem.code,
        reason=problem.sentence,
    )


def _end(offer: Offer, problem: Obstacle) -> None:
    keeping.move(
        offer, State.ENDED, actor=keeping.CLOCK, action="ended", code=problem.code, reason=problem.sentence
    )


def _told(problem: Obstacle) -> dict[str, str]:
    return {"code": problem.code, "reason": problem.sentence}
