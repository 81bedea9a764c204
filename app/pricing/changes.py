"""The life of a price change: proposed, decided, written, undone. Rows of ``price_change`` and nothing of the platform.

::

    suggested ─► expired, rejected                       what a rule only suggests cannot be written
    proposed ──► approved, rejected, expired             waits for the merchant
    approved ──► writing, expired                        is due
    writing ───► live, failed, approved                  the platform is being told (approved: it was not told)
    live ──────► undone

One change of a variant is open at a time, so that nobody approves a price which another one has overtaken.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from app.core.db import db, lock_store
from app.core.errors import Conflict, NotFound
from app.core.paging import newest_first
from app.pricing.models import PriceChange, PriceRule
from app.pricing.proposing import Proposal
from app.pricing.rules import AUTOMATIC, EXPIRES_HOURS, SUGGEST, Rule

SUGGESTED: Final = "suggested"
PROPOSED: Final = "proposed"
APPROVED: Final = "approved"
WRITING: Final = "writing"
LIVE: Final = "live"
FAILED: Final = "failed"
REJECTED: Final = "rejected"
EXPIRED: Final = "expired"
UNDONE: Final = "undone"
STATES: Final = (SUGGESTED, PROPOSED, APPROVED, WRITING, LIVE, FAILED, REJECTED, EXPIRED, UNDONE)
OPEN: Final = (SUGGESTED, PROPOSED, APPROVED, WRITING)
# Those that wait for somebody to look at them.
WAITING: Final = (SUGGESTED, PROPOSED)
ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    SUGGESTED: frozenset({EXPIRED, REJECTED}),
    PROPOSED: frozenset({APPROVED, REJECTED, EXPIRED}),
    APPROVED: frozenset({WRITING, EXPIRED}),
    WRITING: frozenset({LIVE, FAILED, APPROVED}),
    LIVE: frozenset({UNDONE}),
}

MERCHANT: Final = "merchant"
BY_ITSELF: Final = "automatic"

OVERTAKEN: Final = "A newer look came to another price."
OVER: Final = "What it followed from no longer holds."
TOO_OLD: Final = "Nobody decided in time."
_LOCK: Final = 91


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a round of proposals: ids of new changes, and how many earlier ones stand or are void."""

    made: tuple[int, ...] = ()
    standing: int = 0
    void: int = 0


def move(change: PriceChange, to: str, at: datetime, problem: str | None = None) -> None:
    """Let a change go on to another state.

    Raises:
        Conflict: if it cannot get there from where it stands.
    """
    if to not in ALLOWED.get(change.state, frozenset()):
        raise Conflict(f"A price change that is {change.state} cannot become {to}.")
    change.state = to
    change.problem = problem
    if to in (APPROVED, REJECTED, EXPIRED) and change.decided_at is None:
        change.decided_at = at
    if to == UNDONE:
        change.undone_at = at


def hold(store_id: int) -> None:
    """Keep others from deciding on the store's changes until the transaction ends."""
    lock_store(db.session.connection(), store_id, _LOCK)


def keep(
    store_id: int, rule: Rule, proposals: Sequence[Proposal], looked_at: Collection[str], at: datetime
) -> Kept:
    """Write what a rule proposes, in the caller's transaction.

    A proposal that stands already is left as it is; another price takes its place. Where the rule looked and proposes
    nothing any more, what waited is void. A variant whose change is being written, or whose proposal was rejected or
    failed a short while ago, is left in peace.

    Args:
        store_id: the store.
        rule: whose proposals.
        proposals: at most one of each variant.
        looked_at: the variants that were looked at, with those of ``proposals``.
        at: now.
    """
    hold(store_id)
    open_ = _open_of(store_id, looked_at)
    resting = _resting(store_id, rule, looked_at, at)
    wanted = {proposal.variant_id: proposal for proposal in proposals}
    made: list[PriceChange] = []
    standing = void = 0
    for variant_id in sorted(looked_at):
        before, proposal = open_.get(variant_id), wanted.get(variant_id)
        if before is not None and before.state not in WAITING:
            continue
        if before is not None and proposal is not None and _same(before, proposal, rule):
            standing += 1
            continue
        if before is not None:
            move(before, EXPIRED, at, OVER if proposal is None else OVERTAKEN)
            void += 1
        if proposal is not None and variant_id not in resting:
            made.append(_row(store_id, rule, proposal, at))
    db.session.add_all(made)
    db.session.flush()
    return Kept(tuple(change.id for change in made), standing, void)


def approve(store_id: int, change_id: int, at: datetime) -> PriceChange:
    """Let the merchant approve a proposal; it is written next.

    Raises:
        NotFound: if the store has no such change.
        Conflict: if it is none that can be approved.
    """
    change = _held(store_id, change_id)
    if change.state == SUGGESTED:
        raise Conflict("The rule only suggests; set its mode to approve, and its proposals can be approved.")
    change.actor = MERCHANT
    move(change, APPROVED, at)
    return change


def reject(store_id: int, change_id: int, at: datetime) -> PriceChange:
    """Let the merchant reject a proposal.

    Raises:
        NotFound: if the store has no such change.
        Conflict: if it does not wait any more.
    """
    change = _held(store_id, change_id)
    change.actor = MERCHANT
    move(change, REJECTED, at)
    return change


def void(store_id: int, rule_key: str, why: str, at: datetime) -> int:
    """Let everything of a rule that is not written yet expire; return how much that was."""
    hold(store_id)
    rows = db.session.scalars(
        select(PriceChange)
        .where(
            PriceChange.store_id == store_id,
            PriceChange.rule_key == rule_key,
            PriceChange.state.in_((*WAITING, APPROVED)),
            PriceChange.undo_of.is_(None),
        )
        .with_for_update()
    ).all()
    for change in rows:
        move(change, EXPIRED, at, why)
    return len(rows)


def expire(store_id: int, at: datetime) -> int:
    """Let proposals expire that nobody decided on in the time that their rule gives; return how many."""
    hold(store_id)
    patience = {
        key: timedelta(hours=definition.get("expires_hours", EXPIRES_HOURS))
        for key, definition in db.session.execute(
            select(PriceRule.key, PriceRule.definition).where(PriceRule.store_id == store_id)
        )
    }
    rows = db.session.scalars(
        select(PriceChange).where(PriceChange.store_id == store_id, PriceChange.state.in_(WAITING))
    ).all()
    usual = timedelta(hours=EXPIRES_HOURS)
    late = [row for row in rows if row.proposed_at <= at - patience.get(row.rule_key or "", usual)]
    for change in late:
        move(change, EXPIRED, at, TOO_OLD)
    return len(late)


def find(store_id: int, change_id: int) -> PriceChange:
    """Return a change of a store.

    Raises:
        NotFound: if it has no such change.
    """
    change = db.session.scalars(
        select(PriceChange).where(PriceChange.store_id == store_id, PriceChange.id == change_id)
    ).one_or_none()
    if change is None:
        raise NotFound(f"This store has no price change {change_id}.")
    return change


def page(
    store_id: int,
    limit: int,
    *,
    states: Collection[str] | None = None,
    rule: str | None = None,
    product_id: str | None = None,
    before: int | None = None,
) -> Sequence[PriceChange]:
    """Return a store's changes, newest first, those with an id below ``before``."""
    query = select(PriceChange).where(PriceChange.store_id == store_id)
    if states is not None:
        query = query.where(PriceChange.state.in_(states))
    if rule is not None:
        query = query.where(PriceChange.rule_key == rule)
    if product_id is not None:
        query = query.where(PriceChange.product_id == product_id)
    return db.session.scalars(newest_first(query, PriceChange.id, limit, before)).all()


def _held(store_id: int, change_id: int) -> PriceChange:
    """Return a change that nobody else decides on meanwhile."""
    hold(store_id)
    change = find(store_id, change_id)
    db.session.refresh(change, with_for_update=True)
    return change


def _open_of(store_id: int, variant_ids: Collection[str]) -> dict[str, PriceChange]:
    rows = db.session.scalars(
        select(PriceChange).where(
            PriceChange.store_id == store_id,
            PriceChange.state.in_(OPEN),
            PriceChange.variant_id.in_(list(variant_ids)),
        )
    )
    return {row.variant_id: row for row in rows}


def _resting(store_id: int, rule: Rule, variant_ids: Collection[str], at: datetime) -> set[str]:
    """Return the variants that a rule is to leave alone: it was told no there, by the merchant or by the shop."""
    return set(
        db.session.scalars(
            select(PriceChange.variant_id).where(
                PriceChange.store_id == store_id,
                PriceChange.rule_key == rule.key,
                PriceChange.state.in_((REJECTED, FAILED)),
                func.coalesce(PriceChange.decided_at, PriceChange.proposed_at) > at - rule.expires,
                PriceChange.variant_id.in_(list(variant_ids)),
            )
        )
    )


def _same(before: PriceChange, proposal: Proposal, rule: Rule) -> bool:
    return (before.rule_key, before.old_price, before.new_price, before.state) == (
        rule.key,
        proposal.old_price,
        proposal.new_price,
        _first_state(rule, proposal),
    )


def _first_state(rule: Rule, proposal: Proposal) -> str:
    if rule.mode == SUGGEST:
        return SUGGESTED
    return APPROVED if rule.mode == AUTOMATIC and proposal.needs_approval is None else PROPOSED


def _row(store_id: int, rule: Rule, proposal: Proposal, at: datetime) -> PriceChange:
    state = _first_state(rule, proposal)
    signals: dict[str, Any] = proposal.signals
    return PriceChange(
        store_id=store_id,
        rule_key=rule.key,
        product_id=proposal.product_id,
        variant_id=proposal.variant_id,
        currency=proposal.currency,
        old_price=proposal.old_price,
        new_price=proposal.new_price,
        old_compare_at_price=proposal.old_compare_at_price,
        new_compare_at_price=proposal.new_compare_at_price,
        state=state,
        reason=proposal.reason,
        signals=signals,
        actor=BY_ITSELF,
        proposed_at=at,
        decided_at=at if state == APPROVED else None,
    )
