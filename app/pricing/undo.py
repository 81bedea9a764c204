"""Taking prices back: exactly what stood before, price and compare-at; never over somebody else's change unseen.

An undo is a price change of its own, which is written like any other and stands in the ledger. It is the merchant's
word, so guards do not bind it: the price that it restores is one that the merchant had.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final

from sqlalchemy import func, select, update

from app.commerce.store import Store
from app.core.db import db
from app.core.errors import Conflict, Unavailable
from app.platforms.sources import prices_for
from app.pricing import changes, defining, ledger
from app.pricing.models import PriceChange, PriceRule
from connectors.errors import NotFound as NotInShop
from connectors.errors import PlatformError
from connectors.prices import ListPrice, Prices

PAUSED: Final = "The rule was undone."
OVERLAID: Final = (
    "A later change of Pannier's stands over this one: take that back first, or undo the whole rule."
)
GONE: Final = "The product is not in the shop any more."
# Of so many products the shop itself is asked what its prices are.
MOST_ASKED: Final = 20

_NEWS: Final = """
    SELECT p.platform_id, COALESCE(v.platform_id, p.platform_id), COALESCE(v.price, p.price),
        CASE WHEN v.id IS NULL THEN p.compare_at_price ELSE v.compare_at_price END
    FROM product p LEFT JOIN variant v ON v.store_id = p.store_id AND v.product_id = p.id
    WHERE p.store_id = %(store)s AND p.platform_id = ANY(%(ids)s::text[]) AND COALESCE(v.price, p.price) IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """A price that was not taken back, and why in a sentence."""

    change_id: int
    variant_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Undoing:
    """What an undo does: changes that restore prices, to be written next, and what it leaves alone."""

    made: tuple[PriceChange, ...] = ()
    refused: tuple[Refused, ...] = ()


def undo_change(store: Store, change_id: int, at: datetime, *, force: bool = False) -> Undoing:
    """Take back one change that is live. Commits.

    Args:
        store: whose.
        change_id: the change.
        at: now.
        force: also where the price was changed by somebody else since.

    Raises:
        NotFound: if the store has no such change.
        Conflict: if it is not live, another undo of it is under way, or somebody changed the price since.
        Unavailable: if the shop cannot be asked what the price is now.
    """
    change = changes.find(store.id, change_id)
    if change.state != changes.LIVE:
        raise Conflict(f"Only a price that is live can be taken back; this change is {change.state}.")
    if change.undo_of is not None:
        raise Conflict("This change takes back another one; it cannot be taken back itself.")
    found = _undo(store, {change.variant_id: [change]}, at, force=force)
    if found.refused:
        raise Conflict(found.refused[0].reason)
    return found


def undo_rule(store: Store, key: str, at: datetime, *, force: bool = False) -> Undoing:
    """Pause a rule and take back all that it did: every price becomes what it was before the rule came. Commits.

    Where the merchant, another app or another rule changed a price in between, it goes back to what stood after that.

    Raises:
        NotFound: if the store has no such rule.
        Unavailable: if the shop cannot be asked what prices are now.
    """
    rule = defining.find(store.id, key)
    changes.void(store.id, key, PAUSED, at)
    db.session.execute(
        update(PriceRule).where(PriceRule.id == rule.id).values(active=False, updated_at=func.now())
    )
    db.session.commit()
    rows = db.session.scalars(
        select(PriceChange)
        .where(
            PriceChange.store_id == store.id,
            PriceChange.rule_key == key,
            PriceChange.state == changes.LIVE,
            PriceChange.undo_of.is_(None),
        )
        .order_by(PriceChange.variant_id, PriceChange.written_at, PriceChange.id)
    ).all()
    chains = {variant: last_chain(list(rows)) for variant, rows in groupby(rows, attrgetter("variant_id"))}
    return _undo(store, chains, at, force=force)


def last_chain(rows: Sequence[PriceChange]) -> list[PriceChange]:
    """Return the last of a variant's live changes that follow upon each other without a gap, oldest first. Pure."""
    chain = [rows[-1]]
    for earlier in reversed(rows[:-1]):
        if earlier.new_price != chain[0].old_price:
            break
        chain.insert(0, earlier)
    return chain


def _undo(store: Store, chains: Mapping[str, Sequence[PriceChange]], at: datetime, *, force: bool) -> Undoing:
    """Make changes that restore what stood before each chain, where the shop still shows what stood after it."""
    if not chains:
        return Undoing()
    products = sorted({chain[0].product_id for chain in chains.values()})
    standing = _standing(store, products)
    changes.hold(store.id)
    under_way = _under_way(store.id, list(chains))
    overlaid = _last_live(store.id, list(chains))
    made: list[PriceChange] = []
    refused: list[Refused] = []
    for variant_id, chain in chains.items():
        last = chain[-1]
        stands = standing[last.product_id].get(variant_id)
        why = _why_not(last, stands, under_way.get(variant_id), overlaid.get(variant_id), force=force)
        if why or stands is None:
            refused.append(Refused(last.id, variant_id, why or GONE))
        else:
            made.append(_restoring(chain, stands, at))
    for waiting in _waiting(store.id, [change.variant_id for change in made]):
        changes.move(waiting, changes.EXPIRED, at, "The price is taken back.")
    db.session.add_all(made)
    db.session.commit()
    return Undoing(tuple(made), tuple(refused))


def _why_not(
    last: PriceChange, stands: ListPrice | None, under_way: str | None, newest: int | None, *, force: bool
) -> str | None:
    if stands is None:
        return GONE
    if under_way is not None:
        return "A change of this price is being written; try again when it is done."
    if newest != last.id and not force:
        return OVERLAID
    expected = last.new_price, last.new_compare_at_price
    if (stands.price, stands.compare_at_price) != expected and not force:
        return (
            "Somebody changed this price in the shop since: it is left as it is. "
            "Take it back all the same with force."
        )
    return None


def _restoring(chain: Sequence[PriceChange], stands: ListPrice, at: datetime) -> PriceChange:
    """Return the change that puts a variant back to what it was before ``chain``."""
    first, last = chain[0], chain[-1]
    return PriceChange(
        store_id=last.store_id,
        rule_key=last.rule_key,
        product_id=last.product_id,
        variant_id=last.variant_id,
        currency=last.currency,
        old_price=stands.price,
        new_price=first.old_price,
        old_compare_at_price=stands.compare_at_price,
        new_compare_at_price=first.old_compare_at_price,
        state=changes.APPROVED,
        reason="Back to what it was before, at the merchant's word.",
        signals={"undoes": [change.id for change in chain]},
        actor=changes.MERCHANT,
        undo_of=last.id,
        proposed_at=at,
        decided_at=at,
    )


def _standing(store: Store, product_ids: Sequence[str]) -> dict[str, Mapping[str, ListPrice]]:
    """Return what stands in the shop; nothing is held in the database meanwhile.

    Of many products the shop's own news tell it: asking for each would take minutes, and what is not so any more is
    refused when it is written.
    """
    if len(product_ids) > MOST_ASKED:
        return _by_news(store.id, product_ids)
    db.session.commit()
    try:
        prices = prices_for(store)
        return {product_id: _read(prices, product_id) for product_id in product_ids}
    except PlatformError as error:
        raise Unavailable(
            f"The shop cannot be asked what its prices are: {error}", retry_after_seconds=60
        ) from error


def _by_news(store_id: int, product_ids: Sequence[str]) -> dict[str, Mapping[str, ListPrice]]:
    """Return prices as the ledger has them, or, of what cannot be bought now, the shop's newest word."""
    connection = db.session.connection()
    found: dict[str, dict[str, ListPrice]] = {product_id: {} for product_id in product_ids}
    rows = connection.exec_driver_sql(_NEWS, {"store": store_id, "ids": product_ids})
    for product_id, variant_id, price, compare_at_price in rows:
        found[product_id][variant_id] = ListPrice(variant_id, price, compare_at_price)
    for variant_id, periods in ledger.periods_of(connection, store_id, product_ids).items():
        last = periods[-1]
        if last.until_at is None:
            found[last.product_id][variant_id] = ListPrice(variant_id, last.price, last.compare_at_price)
    return dict(found)


def _read(prices: Prices, product_id: str) -> Mapping[str, ListPrice]:
    try:
        return prices.read(product_id)
    except NotInShop:
        return {}


def _under_way(store_id: int, variant_ids: Sequence[str]) -> dict[str, str]:
    rows = db.session.execute(
        select(PriceChange.variant_id, PriceChange.state).where(
            PriceChange.store_id == store_id,
            PriceChange.variant_id.in_(variant_ids),
            PriceChange.state.in_((changes.APPROVED, changes.WRITING)),
        )
    )
    return {variant_id: state for variant_id, state in rows}


def _last_live(store_id: int, variant_ids: Sequence[str]) -> dict[str, int]:
    """Return the change that was written last and is not taken back, by variant."""
    rows = db.session.execute(
        select(PriceChange.variant_id, PriceChange.id)
        .where(
            PriceChange.store_id == store_id,
            PriceChange.variant_id.in_(variant_ids),
            PriceChange.state == changes.LIVE,
            PriceChange.undo_of.is_(None),
        )
        .order_by(PriceChange.written_at, PriceChange.id)
    )
    return {variant_id: id_ for variant_id, id_ in rows}


def _waiting(store_id: int, variant_ids: Sequence[str]) -> Sequence[PriceChange]:
    return db.session.scalars(
        select(PriceChange).where(
            PriceChange.store_id == store_id,
            PriceChange.variant_id.in_(variant_ids),
            PriceChange.state.in_(changes.WAITING),
        )
    ).all()
