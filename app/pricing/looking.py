"""A look at the products of a store's price rules: what they propose is written down, and what is over is voided."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from app.commerce.store import Store
from app.core.db import db
from app.pricing import changes, loading, price_experiments
from app.pricing.proposing import Proposal, Shop, propose
from app.pricing.rules import AUTOMATIC, Rule

log = structlog.get_logger()

ASLEEP: Final = "asleep"  # the rule's hours are not now


@dataclass(frozen=True, slots=True)
class Round:
    """What a look came to.

    Attributes:
        made: ids of new changes.
        standing: proposals from before that still hold.
        void: proposals from before that do not.
        kept: variants that keep their price, by the reason (see ``proposing.REASONS``).
    """

    made: tuple[int, ...]
    standing: int
    void: int
    kept: Counter[str]


@dataclass(slots=True)
class _Found:
    """What a rule proposes, and the variants that it looked at."""

    rule: Rule
    proposals: list[Proposal] = field(default_factory=list)
    variants: set[str] = field(default_factory=set)


def look(
    store: Store,
    at: datetime,
    *,
    keys: Collection[str] | None = None,
    products: Collection[str] | None = None,
    automatic_only: bool = False,
) -> Round:
    """Look at products and keep what their rules propose. Commits.

    Args:
        store: whose.
        at: now.
        keys: rules to look at; None: all active ones.
        products: look at these; None: at all.
        automatic_only: look only at rules that write by themselves, in their hours.
    """
    connection = db.session.connection()
    rules = loading.active_rules(connection, store.id)
    kept: Counter[str] = Counter()
    trials = price_experiments.Trials(price_experiments.running(connection, store.id), at)
    wanted = {}
    chosen = loading.choose(connection, store.id, rules, products, trials.rule_for)
    for product_id, (rule, traits) in chosen.items():
        if (keys is not None and rule.key not in keys) or (automatic_only and rule.mode != AUTOMATIC):
            continue
        if rule.mode == AUTOMATIC and not rule.awake(at, store.timezone):
            kept[ASLEEP] += 1
        else:
            wanted[product_id] = rule, traits
    found: dict[str, _Found] = {}
    shop = loading.shop_of(connection, store.id, store.timezone, at) if wanted else Shop()
    for rule, goods in loading.goods_of(connection, store.id, wanted, store.timezone, at):
        seen = propose(rule, goods, shop, at)
        kept.update(seen.kept.values())
        of_rule = found.setdefault(rule.key, _Found(rule))
        of_rule.proposals += seen.proposals
        of_rule.variants.update(kind.variant_id for kind in goods.kinds)
    made: list[int] = []
    standing = void = 0
    for each in found.values():
        outcome = changes.keep(store.id, each.rule, each.proposals, each.variants, at)
        made += outcome.made
        standing += outcome.standing
        void += outcome.void
    trials.mark(db.session.connection(), made)
    db.session.commit()
    if made or void:
        log.info("prices_proposed", store_id=store.id, made=len(made), void=void)
    return Round(tuple(made), standing, void, kept)
