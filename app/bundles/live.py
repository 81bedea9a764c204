"""A store's offers that are live now, by product, held in the process for a few seconds.

An offer is told to shoppers only from here, and only one whose discount the platform grants is here.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from sqlalchemy import Connection, func, or_, select

from app.bundles.models import Offer
from app.bundles.states import State
from app.commerce.offers import Component, Discount, DiscountKind, Terms
from app.core.db import db, now
from app.core.held import Held

# For how long a page may be told of an offer after it was taken off: processes hold offers for 5 seconds, and caches an
# answer for 15 and 5 more while they ask anew.
TOLD_FOR: Final = timedelta(seconds=30)

# What says that nothing has changed: how many offers are live, their versions added up, the newest change.
_Stamp = tuple[Any, ...]


def terms_of(offer: Any) -> Terms:
    """Return what an offer promises: of a row of ``Offer``, or of any row with its columns."""
    return Terms(
        key=offer.key,
        title=offer.title,
        components=tuple(component_of(body) for body in offer.components),
        discounted=tuple(offer.discounted),
        discount=Discount(DiscountKind(offer.discount_kind), offer.discount_value),
        currency=offer.currency,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
    )


def component_of(body: Mapping[str, Any]) -> Component:
    """Return a component that is kept as JSON."""
    variants = body["variant_ids"]
    return Component(body["product_id"], body["quantity"], None if variants is None else tuple(variants))


@dataclass(frozen=True, slots=True)
class LiveOffers:
    """Offers that are live.

    Attributes:
        offers: their terms, those with the largest expected profit first.
        codes: the code that a cart must carry for an offer, by key, where the platform needs one.
        hidden: keys of those that are not told here.
    """

    EMPTY: ClassVar["LiveOffers"]

    offers: tuple[Terms, ...] = ()
    codes: Mapping[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    _places: Mapping[str, tuple[int, ...]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._places or not self.offers:
            return
        places: dict[str, tuple[int, ...]] = {}
        for place, terms in enumerate(self.offers):
            for component in terms.components:
                places[component.product_id] = (*places.get(component.product_id, ()), place)
        object.__setattr__(self, "_places", places)

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all that may be told."""
        return frozenset(terms.key for terms in self.offers) - self.hidden

    def of(
        self,
        product_ids: Collection[str],
        *,
        only: frozenset[str] | None = None,
        at: datetime | None = None,
    ) -> tuple[Terms, ...]:
        """Return the offers that have one of ``product_ids`` among their components, the most valuable first.

        Args:
            product_ids: the platform's ids.
            only: keys of the offers that may be told here, such as the one of an experiment's arm; None: all.
            at: the time at which they are to hold; None: now.
        """
        places = {place for product in product_ids for place in self._places.get(product, ())}
        if not places:
            return ()
        moment = at or now()
        found = (self.offers[place] for place in sorted(places))
        return tuple(
            terms
            for terms in found
            if terms.key not in self.hidden
            and (only is None or terms.key in only)
            and _holds_at(terms, moment)
        )

    def without(self, keys: Collection[str]) -> "LiveOffers":
        """Return the others: what those are told who are not in the arm that an offer is tried in."""
        hidden = self.hidden.union(keys)
        return self if hidden == self.hidden else replace(self, hidden=hidden)


LiveOffers.EMPTY = LiveOffers()

_held: Held[int, tuple[_Stamp, LiveOffers]] = Held()


def current(store_id: int) -> LiveOffers:
    """Return the store's live offers. They are read again only where something has changed."""

    def anew(before: tuple[_Stamp, LiveOffers] | None) -> tuple[_Stamp, LiveOffers]:
        connection = db.session.connection()
        stamp = _stamp(connection, store_id)
        return before if before and before[0] == stamp else (stamp, read(connection, store_id))

    return _held.get(store_id, anew)[1]


def read(connection: Connection, store_id: int) -> LiveOffers:
    """Return the store's live offers as the database has them; those whose time is over are left out."""
    rows = connection.execute(
        select(Offer)
        .where(
            Offer.store_id == store_id,
            Offer.state == State.LIVE,
            or_(Offer.ends_at.is_(None), Offer.ends_at > now()),
        )
        .order_by(Offer.key)
    ).all()
    by_value = sorted(rows, key=lambda row: -expected(row.profit))
    codes = {row.key: row.platform["code"] for row in rows if row.platform and row.platform.get("code")}
    return LiveOffers(tuple(terms_of(row) for row in by_value), codes)


def expected(profit: Mapping[str, Any] | None) -> int:
    """Return the expected profit that an offer's ``profit`` names, in minor units; 0 where it is not known."""
    return int(profit["expected"]) if profit and profit.get("expected") is not None else 0


def forget() -> None:
    """Forget every store's offers."""
    _held.forget_all()


def _stamp(connection: Connection, store_id: int) -> _Stamp:
    query = select(func.count(), func.sum(Offer.version), func.max(Offer.updated_at)).where(
        Offer.store_id == store_id, Offer.state == State.LIVE
    )
    return tuple(connection.execute(query).one())


def _holds_at(terms: Terms, moment: datetime) -> bool:
    """Return whether an offer may be told: it must still hold when the last answer that tells of it is forgotten."""
    return terms.starts_at <= moment and (terms.ends_at is None or moment + TOLD_FOR < terms.ends_at)
