"""New offers: by hand, from a merchant's rule, and from what is bought together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection, and_, func, or_, select

from app.bundles import evidence, keeping, states, wares
from app.bundles.deciding import approve_now, refuse_beyond
from app.bundles.limits import Limits
from app.bundles.models import Offer
from app.bundles.proposing import Proposal, propose
from app.bundles.states import State
from app.commerce.offers import MOST_COMPONENTS, Component, Discount, Terms
from app.commerce.store import Store
from app.core.db import db, lock_store, now
from app.core.errors import Conflict, NotFound

log = structlog.get_logger()

# Proposals that wait for the merchant at once: nobody reads more.
MOST_WAITING: Final = 50
# For how long products are not proposed again that the merchant did not want.
QUIET: Final = timedelta(days=90)
# Offers that are not over, of one store.
MOST_OPEN: Final = 10_000


@dataclass(frozen=True, slots=True)
class Draft:
    """An offer that somebody writes by hand or as a rule; ``starts_at`` None: now."""

    title: str
    components: tuple[Component, ...]
    discounted: tuple[str, ...]
    discount: Discount
    origin: str = keeping.MANUAL
    rule_id: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What came of looking for proposals: offers, the most profitable first, and why others are none."""

    offers: Sequence[Offer]
    left_out: dict[str, int]


def create(
    store_id: int,
    currency: str,
    draft: Draft,
    *,
    approve: bool = False,
    beyond_limits: bool = False,
    request: str | None = None,
) -> Offer:
    """Return a new offer that the merchant has written, and commit.

    Args:
        store_id: the store.
        currency: its currency.
        draft: the offer.
        approve: it is approved at once; else it waits.
        beyond_limits: it may break the limits that the store has set.
        request: the sender's own name for this request: sent twice, it makes one offer.

    Raises:
        NotFound: if the store never had one of its products.
        Conflict: if its products are not sold, it breaks limits without being allowed to, or there are too many.
    """
    connection = db.session.connection()
    lock_store(connection, store_id, keeping.MAKING_LOCK)
    key = keeping.new_key(store_id, request)
    if request is not None and (made := keeping.with_key(store_id, key)) is not None:
        return made
    if _count_open(connection, store_id) >= MOST_OPEN:
        raise Conflict(f"A store has {MOST_OPEN} offers at most that are not over; end some.")
    limits = keeping.limits_of(connection, store_id)
    terms = Terms(
        key, draft.title, draft.components, draft.discounted, draft.discount, currency,
        _whole_seconds(draft.starts_at or now()), draft.ends_at and _whole_seconds(draft.ends_at),
    )  # fmt: skip
    named = [component.product_id for component in terms.components]
    found = wares.read(connection, store_id, named, limits.included_tax)
    for product in named:
        if product not in found:
            raise NotFound(f"This store has no product {product[:50]!r}.")
    refuse_beyond(terms, found, limits, beyond_limits=beyond_limits)
    offer = _row(store_id, terms, draft.origin, wares.prices_of(terms.components, found))
    offer.rule_id = draft.rule_id
    keeping.note(offer, keeping.MERCHANT, "created", {"beyond_limits": True} if beyond_limits else None)
    if approve:
        approve_now(connection, offer, keeping.MERCHANT, limits)
    keeping.committed(store_id)
    return offer


def make_proposals(store: Store) -> Made:
    """Look at what is bought together, keep the offers that are worth making, and commit.

    Where the store's limits say so they are approved at once, as many as may be live; the others wait for the merchant.
    """
    connection, at = db.session.connection(), _whole_seconds(now())
    lock_store(connection, store.id, keeping.MAKING_LOCK)
    limits = keeping.limits_of(connection, store.id)
    gathered = [e for e in evidence.gather(connection, store.id) if len(e.products) <= MOST_COMPONENTS]
    named = {product for each in gathered for product in each.products}
    proposals = propose(
        gathered,
        wares.read(connection, store.id, named, limits.included_tax),
        limits,
        currency=store.currency,
        at=at,
        taken=_taken(connection, store.id, at),
        most=_room(connection, store.id, limits),
    )
    offers = [_keep(connection, store.id, proposal, limits) for proposal in proposals.found]
    keeping.committed(store.id)
    log.info("offers_proposed", store_id=store.id, offers=len(offers))
    return Made(offers, dict(proposals.left_out))


def _keep(connection: Connection, store_id: int, proposal: Proposal, limits: Limits) -> Offer:
    terms = replace(proposal.terms, key=keeping.new_key(store_id))
    found = wares.read(connection, store_id, [c.product_id for c in terms.components], limits.included_tax)
    offer = _row(store_id, terms, keeping.LEARNED, wares.prices_of(terms.components, found))
    offer.evidence, offer.profit = proposal.evidence.to_json(), proposal.profit.to_json()
    keeping.note(offer, keeping.AUTOMATIC, "proposed", {"expected": proposal.profit.expected})
    if limits.automatic and keeping.counted(connection, store_id) < limits.most_live:
        approve_now(connection, offer, keeping.AUTOMATIC, limits)
    return offer


def _room(connection: Connection, store_id: int, limits: Limits) -> int:
    """Return how many proposals can be kept: until enough of them wait."""
    query = select(func.count()).where(Offer.store_id == store_id, Offer.state == State.PROPOSED)
    waiting = connection.execute(query).scalar_one()
    free = max(limits.most_live - keeping.counted(connection, store_id), 0) if limits.automatic else 0
    return max(MOST_WAITING - waiting, 0) + free


def _taken(connection: Connection, store_id: int, at: datetime) -> set[frozenset[str]]:
    """Return sets of products that are not to be proposed: they have an offer, or the merchant did not want one."""
    unwanted = and_(
        or_(Offer.state == State.REJECTED, Offer.reason_code == keeping.MERCHANT), Offer.ended_at > at - QUIET
    )
    query = select(Offer.components).where(
        Offer.store_id == store_id, or_(Offer.state.in_(states.OPEN), unwanted)
    )
    return {
        frozenset(part["product_id"] for part in components)
        for components in connection.execute(query).scalars()
    }


def _count_open(connection: Connection, store_id: int) -> int:
    query = select(func.count()).where(Offer.store_id == store_id, Offer.state.in_(states.OPEN))
    return connection.execute(query).scalar_one()


def _row(store_id: int, terms: Terms, origin: str, prices: dict[str, dict[str, int]]) -> Offer:
    """Add an offer that waits, and return it."""
    body: dict[str, Any] = terms.to_json()
    offer = Offer(
        store_id=store_id,
        key=terms.key,
        state=State.PROPOSED.value,
        title=terms.title,
        components=body["components"],
        discounted=body["discounted"],
        discount_kind=terms.discount.kind.value,
        discount_value=terms.discount.value,
        currency=terms.currency,
        starts_at=terms.starts_at,
        ends_at=terms.ends_at,
        origin=origin,
        evidence={},
        prices=prices,
        version=0,
        attempts=0,
    )
    db.session.add(offer)
    db.session.flush()
    return offer


def _whole_seconds(moment: datetime) -> datetime:
    """Return a time as checkouts have it."""
    return moment.replace(microsecond=0)
