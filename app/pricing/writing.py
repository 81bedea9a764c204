"""Approved prices are written to the shop; what becomes of each is known, or found out before anything else is done.

A change is ``writing``, and that is committed, before the platform is told: whatever happens then, its echo is known as
our own. One process at a time writes for a store, and nothing is held in the database while the platform is asked.
Where nobody knows whether a price arrived (a lost connection, a killed process), the shop is read first: it is never
written twice in the dark.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final

import structlog
from sqlalchemy import select

from app.commerce.store import Store
from app.core.db import db, now, try_lock_store
from app.platforms.sources import prices_for
from app.pricing import changes, ledger, loading
from app.pricing.guards import NAMES
from app.pricing.models import PriceChange
from app.pricing.proposing import Goods, Kind, lacks_bound, within
from app.pricing.rules import AUTOMATIC, Rule
from connectors.errors import NotFound, PlatformError, Rejected
from connectors.prices import ListPrice, PriceOutcome, Prices, PriceWrite

log = structlog.get_logger()

_LOCK: Final = 92
# So many prices are told to the platform in one call.
_BATCH: Final = 100
# A shop that could not be asked for so long has failed.
PATIENCE: Final = timedelta(days=1)

UNREACHABLE: Final = "unreachable"
GONE: Final = "The product is not in the shop any more."
CHANGED: Final = "Somebody changed the price in the shop meanwhile: it was left as it is."
NO_ANSWER: Final = "The shop did not say what became of this price; it is read before anything else is done."
OUT_OF_REACH: Final = "The shop could not be reached for a day."
OTHER_CURRENCY: Final = "The product and its rule are in different currencies by now."
TOO_LATE: Final = "It was approved too long ago."
NOT_ITS_OWN: Final = "The product is not one of its rule's any more."
RULE_GONE: Final = "Its rule is not active any more."
_BROKEN: Final = {name: name.replace("_", " ") for name in NAMES}


def write_due(store_id: int) -> bool:
    """Write what is approved, after finding out what became of what was being written.

    Returns:
        False where another process is at it, or the store cannot be asked.
    """
    with try_lock_store(store_id, _LOCK) as mine:
        store = db.session.get(Store, store_id) if mine else None
        if store is None or store.uninstalled_at is not None or store.connection_problem is not None:
            return False
        recheck(store, now())
        try:
            prices = prices_for(store)
            reached = settle(store_id, prices)
            while reached and (due := _due(store_id)):
                reached = _write(store_id, prices, due)
        except PlatformError as error:
            db.session.rollback()
            log.warning("prices_not_written", store_id=store_id, error=type(error).__name__)
            return False
        return reached


def recheck(store: Store, at: datetime) -> int:
    """Let approved changes expire that break a guard by now; return how many. Commits.

    Between approval and writing the cost, the price or the rule may have changed. What only puts a price back where it
    was (an undo) is the merchant's own word and bound by nothing.
    """
    rows = db.session.scalars(
        select(PriceChange)
        .where(
            PriceChange.store_id == store.id,
            PriceChange.state == changes.APPROVED,
            PriceChange.undo_of.is_(None),
            PriceChange.rule_key.is_not(None),
        )
        .order_by(PriceChange.id)
        .with_for_update()
    ).all()
    broken = _broken(store, rows, at) if rows else {}
    for change in rows:
        if change.id in broken:
            changes.move(change, changes.EXPIRED, at, broken[change.id])
    db.session.commit()
    return len(broken)


def settle(store_id: int, prices: Prices) -> bool:
    """Find out what became of changes that were being written; return whether the platform could be asked.

    Commits after every product.
    """
    query = select(PriceChange).where(PriceChange.store_id == store_id, PriceChange.state == changes.WRITING)
    rows = db.session.scalars(query.order_by(PriceChange.product_id, PriceChange.id)).all()
    for product_id, group in groupby(rows, attrgetter("product_id")):
        of_product = list(group)
        try:
            standing: Mapping[str, ListPrice] | None = prices.read(product_id)
        except NotFound:
            standing = None
        except Rejected as error:
            _fail(of_product, str(error))
            continue
        except PlatformError as error:
            _still_unknown(of_product, error)
            return False
        for change in of_product:
            _judge(change, standing)
        db.session.commit()
    return True


def _judge(change: PriceChange, standing: Mapping[str, ListPrice] | None) -> None:
    """Let a change that was being written go where the price that stands in the shop says."""
    stands = None if standing is None else standing.get(change.variant_id)
    if stands is None:
        _end(change, GONE)
    elif (stands.price, stands.compare_at_price) == (change.new_price, change.new_compare_at_price):
        _live(change)
    elif stands.price == change.old_price:
        changes.move(change, changes.APPROVED, now(), change.problem)
        change.written_at = None
    elif stands.price == change.new_price:
        _live(change)
    else:
        _end(change, CHANGED)


def _still_unknown(rows: Sequence[PriceChange], error: PlatformError) -> None:
    """Leave changes as they are, or give up after a day."""
    for change in rows:
        if change.written_at is not None and change.written_at < now() - PATIENCE:
            _end(change, OUT_OF_REACH)
        else:
            change.problem = str(error)
    db.session.commit()


def _due(store_id: int) -> Sequence[PriceChange]:
    """Return approved changes that are next, those of one product together, each variant once."""
    rows = db.session.scalars(
        select(PriceChange)
        .where(PriceChange.store_id == store_id, PriceChange.state == changes.APPROVED)
        .order_by(PriceChange.product_id, PriceChange.id)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    return list({change.variant_id: change for change in reversed(rows)}.values())[::-1]


def _write(store_id: int, prices: Prices, rows: Sequence[PriceChange]) -> bool:
    """Tell the platform prices; return whether it answered for all of them."""
    at = now()
    for change in rows:
        changes.move(change, changes.WRITING, at)
        change.written_at = at
    db.session.commit()
    writes = [_write_of(change) for change in rows]
    try:
        outcomes: Sequence[PriceOutcome] = prices.write(writes)
    except Rejected as error:
        # Some may have been taken before the platform refused: those that were not have failed.
        return _after_refusal(store_id, prices, rows, str(error))
    except PlatformError as error:
        outcomes = [PriceOutcome(write, str(error), UNREACHABLE) for write in writes]
    by_variant = {outcome.write.variant_id: outcome for outcome in outcomes}
    known = True
    for change in rows:
        outcome = by_variant.get(change.variant_id)
        if outcome is None or outcome.code == UNREACHABLE:
            change.problem = NO_ANSWER if outcome is None else outcome.problem
            known = False
        elif outcome.problem is not None:
            _end(change, outcome.problem)
        else:
            _live(change)
    db.session.commit()
    _log(store_id, rows)
    return known


def _after_refusal(store_id: int, prices: Prices, rows: Sequence[PriceChange], refusal: str) -> bool:
    reached = settle(store_id, prices)
    _fail([change for change in rows if change.state == changes.APPROVED], refusal)
    _log(store_id, rows)
    return reached


def _fail(rows: Iterable[PriceChange], problem: str) -> None:
    at = now()
    for change in rows:
        if change.state == changes.APPROVED:
            changes.move(change, changes.WRITING, at)
        _end(change, problem)
    db.session.commit()


def _end(change: PriceChange, problem: str) -> None:
    changes.move(change, changes.FAILED, now(), problem)
    change.written_at = None


def _live(change: PriceChange) -> None:
    """Note that a change's price stands in the shop, in the ledger too."""
    at = now()
    changes.move(change, changes.LIVE, at)
    if change.undo_of is not None:
        _take_back(change, at)
    db.session.flush()
    ledger.note_change(db.session.connection(), change, change.written_at or at)


def _take_back(undo: PriceChange, at: datetime) -> None:
    """Note that the changes which an undo takes back are undone."""
    ids = undo.signals.get("undoes", [undo.undo_of])
    rows = db.session.scalars(
        select(PriceChange).where(PriceChange.store_id == undo.store_id, PriceChange.id.in_(ids))
    )
    for change in rows:
        if change.state == changes.LIVE:
            changes.move(change, changes.UNDONE, at)


def _write_of(change: PriceChange) -> PriceWrite:
    return PriceWrite(
        change.product_id,
        change.variant_id,
        change.new_price,
        change.new_compare_at_price,
        change.old_price,
        change.currency,
    )


def _broken(store: Store, rows: Sequence[PriceChange], at: datetime) -> dict[int, str]:
    """Return why changes may not be written any more, by their ids."""
    connection = db.session.connection()
    rules = {rule.key: rule for rule in loading.active_rules(connection, store.id)}
    traits = loading.traits_of(connection, store.id, {change.product_id for change in rows})
    found: dict[int, str] = {}
    by_rule: dict[str, list[PriceChange]] = {}
    for change in rows:
        if change.rule_key in rules and change.product_id in traits:
            by_rule.setdefault(str(change.rule_key), []).append(change)
        else:
            found[change.id] = RULE_GONE if change.rule_key not in rules else GONE
    for key, of_rule in by_rule.items():
        chosen = {change.product_id: (rules[key], traits[change.product_id]) for change in of_rule}
        known = {
            kind.variant_id: (goods, kind)
            for _, goods in loading.goods_of(connection, store.id, chosen, store.timezone, at)
            for kind in goods.kinds
        }
        awake = rules[key].awake(at, store.timezone)
        for change in of_rule:
            why = GONE
            if change.actor == changes.BY_ITSELF and not awake:
                why = "The hours of its rule are over."
            elif change.variant_id in known:
                why = _why_not(rules[key], change, *known[change.variant_id], at)
            if why:
                found[change.id] = why
    return found


def _why_not(rule: Rule, change: PriceChange, goods: Goods, kind: Kind, at: datetime) -> str:
    """Return why a change may not be written any more; empty where it may."""
    if change.decided_at is not None and change.decided_at < at - rule.expires:
        return TOO_LATE
    if not rule.takes(goods.traits):
        return NOT_ITS_OWN
    if kind.price != change.old_price:
        return CHANGED
    if {goods.currency, rule.currency} != {change.currency}:
        return OTHER_CURRENCY
    if change.actor == changes.BY_ITSELF and (
        rule.mode != AUTOMATIC or lacks_bound(rule, change.product_id, kind.cost)
    ):
        return "The rule may not write it by itself any more."
    broken = within(rule, goods, kind, change.new_price, at)
    if broken:
        return f"It would break a guard by now: {', '.join(_BROKEN[name] for name in broken)}."
    return ""


def _log(store_id: int, rows: Sequence[PriceChange]) -> None:
    states = [change.state for change in rows]
    log.info(
        "prices_written",
        store_id=store_id,
        live=states.count(changes.LIVE),
        failed=states.count(changes.FAILED),
        unknown=states.count(changes.WRITING),
    )
