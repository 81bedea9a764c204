"""Which products an answer shows: from candidates, the merchant's rules and what a visitor has done. Pure.

Whatever decides is an argument, so that a decision of the log can be made again (see ``replay``). In this order:

1. Rules that fired may name a list of products; then nothing else is asked, unless none of it can be shown.
2. The first strategy of the chain that has anything to show answers; those that follow may top it up.
3. Within a strategy products stand as their sources rank them, brought forward by the running session and by rules,
   set back where a visitor has seen them often in vain. What rules hide, the visitor dismissed or has already is out.
4. Twins and crowds of one category give way (see ``selection``).
5. What an offer on the page's product or the cart still lacks comes to the front, where all of it can be shown.
6. Pinned products take their positions.
7. In a few personal answers another place is given to a product further back (see ``exploration``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from app.recommendations import exploration, in_session, selection
from app.recommendations.cache import Card
from app.recommendations.exploration import Explored
from app.recommendations.selection import Entry
from app.recommendations.strategies import (
    FREQUENTLY_BOUGHT_TOGETHER,
    MERCHANTS,
    RELATED_PRODUCTS,
    STRATEGIES,
    Strategy,
)
from app.rules.context import Item
from app.rules.evaluation import Effects

# How much of the candidates a session, a rule or a visitor's weariness may bring forward: as long as most lists are.
LIST_LENGTH: Final = 50
# How many products behind those that are shown may be given a place in their stead.
RESERVE: Final = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be shown at most, and what not. Ids are the platform's.

    Attributes:
        chain: the strategies that are asked, in order.
        limit: how many products.
        cart: the products of the cart.
        hidden: products that are not shown, whichever strategy names them.
        resting: goods that the customer has and will not need again for long.
    """

    chain: tuple[Strategy, ...]
    limit: int
    cart: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    resting: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Policy:
    """What decides beside the candidates.

    Attributes:
        effects: of the merchant's rules that fired.
        weariness: multipliers between 0 and 1 of what a visitor has seen in vain, by product.
        seed: from which it follows whether and where a place is given away; None: no place is.
        exploration_percent: in how many answers one is.
        offered: what offers still lack, product by product, the most valuable offer first.
    """

    effects: Effects
    weariness: Mapping[str, float] = field(default_factory=dict)
    seed: bytes | None = None
    exploration_percent: float = 0.0
    offered: tuple[tuple[str, ...], ...] = ()

    @property
    def reorders(self) -> bool:
        """Whether the order of candidates may change."""
        return bool(self.weariness) or bool(self.effects)


class Supply(Protocol):
    """Where entries come from: the store's lists, or the log of a decision."""

    @property
    def anchors(self) -> Sequence[Card]:
        """The cards of the page's product, or of those in the cart."""
        ...

    def take(self, strategy: Strategy, count: int) -> Sequence[Entry] | None:
        """Return the entries of the strategy's next ``count`` candidates; None where there are no more."""
        ...

    def named(self, products: Sequence[str]) -> Sequence[Entry]:
        """Return entries of products that a rule names, in order; those that the store does not know are left out."""
        ...


@dataclass(frozen=True, slots=True)
class Decided:
    """What an answer shows.

    ``strategy`` is what may be claimed of the list as a whole. ``explored`` says what was given away, where that was
    to be decided.
    """

    strategy: Strategy
    shown: tuple[Entry, ...]
    explored: Explored | None = None

    @property
    def products(self) -> list[str]:
        """The shown products, as the platform's ids."""
        return [entry.card.product_id for entry in self.shown]


def decide(wanted: Wanted, policy: Policy, supply: Supply) -> Decided:
    """Return what is shown. The same arguments, and a supply that gives the same, give the same."""
    first = wanted.chain[0]
    if policy.effects.nothing:
        return Decided(first, ())
    if policy.effects.fixed is not None:
        listed = _showable(supply.named(policy.effects.fixed), wanted, policy)[: wanted.limit]
        if listed:
            return Decided(STRATEGIES[RELATED_PRODUCTS], tuple(listed))
    strategy, ranked = _ranked(wanted, policy, supply)
    ranked, fixed = _offered(ranked, wanted, policy, supply)
    shown, explored = _explored(_pinned(ranked, wanted, policy, supply), wanted.limit, policy, fixed)
    return Decided(_claimed(strategy, shown), tuple(shown), explored)


def _ranked(wanted: Wanted, policy: Policy, supply: Supply) -> tuple[Strategy, list[Entry]]:
    """Return the strategy that answers, and its products with those that top it up, and some more in reserve."""
    first = wanted.chain[0]
    if first.needs == "cart" and not wanted.cart:
        return first, []  # an empty cart is not in want of anything
    full = wanted.limit + (RESERVE if policy.seed is not None and policy.exploration_percent > 0 else 0)
    answering: Strategy | None = None
    found: list[Entry] = []
    for strategy in wanted.chain:
        found += _of_strategy(strategy, full, wanted, policy, supply, found)
        if answering is None and found:
            answering = strategy
        if len(found) >= full or (answering is not None and not answering.tops_up):
            break
    return answering or first, found


def _of_strategy(
    strategy: Strategy, full: int, wanted: Wanted, policy: Policy, supply: Supply, before: Sequence[Entry]
) -> list[Entry]:
    """Return what one strategy adds to what stands there already, until that is ``full``."""
    missing = full - len(before)
    reorders = policy.reorders or any(source.follows_session for source in strategy.sources)
    # Most candidates can be shown: look at twice as many as wanted, and further only where that was not enough.
    step = max(2 * missing + 8, LIST_LENGTH if reorders else 0)
    hidden = wanted.hidden | (wanted.resting if strategy.rests_goods else frozenset())
    entries: list[Entry] = []
    chosen: list[Entry] = []
    while (some := supply.take(strategy, step)) is not None:
        entries += [entry for entry in some if entry.card.product_id not in hidden]
        ordered = _arranged(in_session.preferred(entries), policy, max(wanted.limit - len(before), 0))
        chosen = selection.select(ordered, missing, anchors=supply.anchors, before=before)
        if len(chosen) == missing:
            break
    return chosen


def _arranged(entries: list[Entry], policy: Policy, shown: int) -> list[Entry]:
    """Return entries as rules and a visitor's weariness have them."""
    if not policy.reorders:
        return entries
    order = policy.effects.arrange([_item(entry.card) for entry in entries], shown, policy.weariness)
    return [entries[place] for place in order]


def _showable(entries: Sequence[Entry], wanted: Wanted, policy: Policy) -> list[Entry]:
    """Return those of the entries that can be shown and that nothing hides."""
    return [
        entry
        for entry in entries
        if entry.card.eligible
        and entry.card.product_id not in wanted.hidden
        and policy.effects.weigh(_item(entry.card)) is not None
    ]


def _offered(
    ranked: list[Entry], wanted: Wanted, policy: Policy, supply: Supply
) -> tuple[list[Entry], frozenset[str]]:
    """Return the list with the products of the first offer that can be shown whole in front, and which they are."""
    for products in policy.offered:
        known = {entry.card.product_id: entry for entry in ranked}
        missing = [product for product in products if product not in known]
        if missing:
            known |= {e.card.product_id: e for e in _showable(supply.named(missing), wanted, policy)}
        if all(product in known for product in products):
            front = [known[product] for product in products]
            return front + [e for e in ranked if e.card.product_id not in products], frozenset(products)
    return ranked, frozenset()


def _pinned(ranked: list[Entry], wanted: Wanted, policy: Policy, supply: Supply) -> list[Entry]:
    """Return the list with pinned products in their positions, as far as they can be shown, and the others behind."""
    pins = policy.effects.pins
    if not pins:
        return ranked
    known = {e.card.product_id: e for e in _showable(supply.named(list(pins.values())), wanted, policy)}
    pinnable = known.keys() & set(pins.values())
    known |= {entry.card.product_id: entry for entry in ranked}
    order = policy.effects.pinned(
        [entry.card.product_id for entry in ranked], wanted.limit, available=pinnable
    )
    chosen = set(order)
    return [known[product] for product in order] + [e for e in ranked if e.card.product_id not in chosen]


def _explored(
    ranked: list[Entry], limit: int, policy: Policy, fixed: frozenset[str]
) -> tuple[list[Entry], Explored | None]:
    """Return the first ``limit`` entries, or with one place given to an entry behind them; not a place of ``fixed``."""
    shown, reserve = ranked[:limit], ranked[limit:]
    if policy.seed is None or policy.exploration_percent <= 0:
        return shown, None
    pinned = fixed | set(policy.effects.pins.values())
    by_id = {entry.card.product_id: entry for entry in ranked}
    explored = exploration.explore(
        [entry.card.product_id for entry in shown],
        [entry.card.product_id for entry in reserve],
        policy.seed,
        policy.exploration_percent,
        pinned=[place for place, entry in enumerate(shown) if entry.card.product_id in pinned],
    )
    return [by_id[product] for product in explored.shown], explored


def _claimed(strategy: Strategy, shown: Sequence[Entry]) -> Strategy:
    """Return the strategy whose claim holds for the whole list: what the merchant put in was not bought together."""
    if strategy.name == FREQUENTLY_BOUGHT_TOGETHER and any(entry.source in MERCHANTS for entry in shown):
        return STRATEGIES[RELATED_PRODUCTS]
    return strategy


def _item(card: Card) -> Item:
    return Item(card.product_id, card.category, card.vendor, frozenset(card.tags), card.price)
