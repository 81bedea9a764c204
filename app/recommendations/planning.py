"""What decides an answer, put together: who asks, which rules fired, which arms they are in, what they have seen.

A plan holds everything that ``deciding.decide`` takes, and what the log says of it.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import orjson

from app.bundles import live
from app.bundles.live import LiveOffers
from app.commerce.store import StoreAccess
from app.core.db import db, now
from app.core.errors import NotFound
from app.decisions import reasons
from app.events import intent
from app.events.intent import Intent
from app.experiments.assignment import NOTHING, SHOW, TARGETS, Assignment, Running, assign, holdout, standing
from app.experiments.running import arms_before, running
from app.recommendations import cache, feedback, in_session, offered, paused, sensitive
from app.recommendations.asking import Question
from app.recommendations.cache import Card
from app.recommendations.candidates import Asked, Candidates
from app.recommendations.deciding import Policy, Wanted
from app.recommendations.selection import Entry
from app.recommendations.strategies import MERCHANTS, STRATEGIES, Strategy, chain_of
from app.recommendations.supply import Shelf
from app.rules.context import Context
from app.rules.current import current
from app.rules.evaluation import RuleSet
from app.segments.memberships import segments_of

STRATEGY: Final = "strategy"
RULES: Final = "rules"
# Why nothing is shown where the slot rests; else the key of the experiment whose control it is.
PAUSED: Final = "paused"


@dataclass(frozen=True, slots=True)
class Plan:
    """What decides one answer.

    Attributes:
        wanted: what is to be shown at most, and what not.
        policy: what decides beside the candidates.
        shelf: where the candidates come from.
        page: the card of the page's product.
        intent: what the running session shows the visitor to be about.
        context: what rules looked at.
        rules: the rules that were evaluated: the store's own, behind those of an arm.
        arm_rules: those of an arm alone.
        running: the experiments that the visitor could be in.
        sticky: arms that the visitor's person was in before.
        arms: the arms that the visitor is in.
        unit: by which they were assigned; None for a visitor who may not be recognised.
        silent: why nothing is shown although there may be something: a slot that is paused, the hold-out, a control.
        offers: what may be told.
    """

    wanted: Wanted
    policy: Policy
    shelf: Shelf
    page: Card | None
    intent: Intent | None
    context: Context
    rules: RuleSet
    arm_rules: Sequence[Any]
    running: tuple[Running, ...]
    sticky: Mapping[str, str]
    arms: tuple[Assignment, ...]
    unit: str | None
    silent: str | None
    offers: LiveOffers

    @property
    def reason(self) -> str:
        """Why the answer is as it is, in one of OpenFeature's codes."""
        if self.silent == PAUSED:
            return reasons.DISABLED
        if self.silent is not None or any(arm.settings for arm in self.arms):
            return reasons.SPLIT
        return reasons.TARGETING_MATCH if self.policy.effects.fired else reasons.DEFAULT


def plan(
    access: StoreAccess,
    question: Question,
    seed: bytes | None,
    *,
    rules: RuleSet | None = None,
    invented: Mapping[str, Any] | None = None,
) -> Plan:
    """Return what decides the answer to a question.

    Args:
        access: the store.
        question: what is asked.
        seed: the decision's id in bytes, for a visitor's answer: what is drawn by lot follows from it.
        rules: rules to try, in place of the store's.
        invented: attributes of the context to try, as JSON, in place of what is known.

    Raises:
        NotFound: if the product of the page is not this store's.
    """
    at = now()
    words = sensitive.words_of(access.store_id)
    question = _without_sensitive(access.store_id, question, words)
    rules = current(access.store_id) if rules is None else rules
    known, on = question.known, running(access.store_id)
    judged = bool(rules) or any(each.targeting for each in on)
    candidates = _candidates(access.store_id, question, question.chain, with_cart=judged)
    page = candidates.cards.get(question.product_id) if question.product_id else None
    if question.product_id and page is None:
        raise NotFound(f"This store has no product {question.product_id[:50]!r}.")
    found = intent.read(
        known.session, at, {product: card.category for product, card in candidates.cards.items()}
    )
    context = _context(access, question, candidates.cards, page, found, at, judged=judged)
    if invented:
        context = Context.from_json({**context.to_json(), **invented})
    unit = known.subject.hex() if known.subject else None
    open_ = not question.slot or paused.shows(
        paused.state(access.store_id, question.slot), question.slot, unit
    )
    tried, sticky, arms = _arms(access, question, context, on, unit, open_=open_) if unit else ((), {}, ())
    arm_rules = [rule for arm in arms for rule in arm.settings.get(RULES, ())]
    rules = _joined(orjson.dumps(arm_rules), rules) if arm_rules else rules
    effects = rules.match(context)
    chain = _chain(question.chain, [arm.settings.get(STRATEGY) for arm in arms], effects.strategy)
    if chain != question.chain:
        candidates = _candidates(access.store_id, question, chain, with_cart=False)
    hidden = _hidden(question) | feedback.hidden(known.feedback, at, access.settings)
    offers = offered.told(live.current(access.store_id), on, arms)
    around = {*question.cart, *((question.product_id,) if question.product_id else ())}
    return Plan(
        wanted=Wanted(
            chain,
            question.limit,
            question.cart,
            hidden,
            known.shopper.resting if known.shopper else frozenset(),
        ),
        policy=Policy(
            effects,
            feedback.multipliers(known.feedback, at, access.settings),
            seed,
            access.setting("exploration_percent"),
            offered.to_bring_forward(offers, around, question.limit),
        ),
        shelf=Shelf(
            access.store_id,
            candidates,
            in_session.queries(known.session),
            hidden,
            functools.partial(_in_place, page=page, words=words),
        ),
        page=page,
        intent=found,
        context=context,
        rules=rules,
        arm_rules=arm_rules,
        running=tried,
        sticky=sticky,
        arms=arms,
        unit=unit,
        silent=_silent(arms, open_=open_),
        offers=offers,
    )


def _candidates(
    store_id: int, question: Question, chain: tuple[Strategy, ...], *, with_cart: bool
) -> Candidates:
    known = question.known
    asked = Asked(
        question.product_id, question.cart, question.viewed, known.shopper, known.session, with_cart
    )
    return Candidates(store_id, asked, chain)


def _without_sensitive(store_id: int, question: Question, words: sensitive.Words) -> Question:
    """Return the question without what a visitor did with sensitive products."""
    known, session, shopper = question.known, question.session, question.known.shopper
    products = {*question.viewed, *session.looks, *session.added, *session.cart}
    if shopper:
        products |= {*shopper.weights, *(bought.product for bought in shopper.bought)}
    if not products and not session.searched:
        return question
    private = sensitive.among(cache.get_cards(store_id, sorted(products)).values(), words)
    return replace(
        question,
        viewed=tuple(product for product in question.viewed if product not in private),
        known=replace(
            known,
            session=sensitive.filter_session(session, private, words),
            shopper=sensitive.filter_shopper(shopper, private) if shopper else None,
        ),
    )


def _in_place(entries: list[Entry], page: Card | None, words: sensitive.Words) -> list[Entry]:
    """Return the entries that may be shown on this page: the merchant's own choice always."""
    return [e for e in entries if e.source in MERCHANTS or not sensitive.out_of_place(e.card, page, words)]


def _context(
    access: StoreAccess,
    question: Question,
    cards: Mapping[str, Card],
    page: Card | None,
    found: Intent | None,
    at: datetime,
    *,
    judged: bool,
) -> Context:
    """Return what rules and experiments look at. Where there are none, it is not looked up."""
    told = question.told
    carted = [cards[product] for product in question.cart if product in cards] if judged else []
    segments = _segments(access.store_id, question) if judged and question.known.customers else ()
    return Context(
        now=at,
        timezone=access.timezone,
        slot=question.slot,
        product_id=question.product_id,
        category=page.category if page else None,
        tags=frozenset(page.tags) if page else frozenset(),
        cart=question.cart,
        cart_categories=frozenset(card.category for card in carted if card.category),
        cart_tags=frozenset(tag for card in carted for tag in card.tags),
        cart_value=told.cart_value if told.cart_value is not None else _value(question.cart, carted, access),
        currency=access.currency,
        segments=frozenset(segments),
        intent=found.state.value if found else None,
        channel=told.channel,
        country=told.country,
        device=told.device,
    )


def _value(cart: Sequence[str], cards: Sequence[Card], access: StoreAccess) -> int | None:
    """Return what a cart is worth with one piece of each product; None where a price is not known."""
    prices = [card.price for card in cards if card.currency == access.currency and card.price is not None]
    return sum(prices) if len(prices) == len(cart) else None


def _segments(store_id: int, question: Question) -> set[str]:
    connection = db.session.connection()
    return {
        member.segment
        for customer in question.known.customers
        for member in segments_of(connection, store_id, customer)
    }


def _arms(
    access: StoreAccess,
    question: Question,
    context: Context,
    on: Sequence[Running],
    unit: str,
    *,
    open_: bool,
) -> tuple[tuple[Running, ...], Mapping[str, str], tuple[Assignment, ...]]:
    """Return what a visitor could be in, the arms of before, and the arms that the visitor is in.

    Whom a paused slot shows nothing counts neither for it nor against it: its control is for others.
    """
    shares = access.setting("holdout_percent"), access.setting("control_percent")
    of_slot = (each for each in on if each.slots is None or question.slot in each.slots)
    tried = (*_built_in(question.slot if open_ else None, *shares), *of_slot)
    known = question.known
    sticky: Mapping[str, str] = {}
    if tried and known.others and known.subject:
        # One person on several devices: what was met first stays.
        sticky = arms_before(db.session.connection(), access.store_id, (known.subject, *known.others))
    looked_at = {name: getattr(context, name) for name in TARGETS.values()}
    return (
        tried,
        sticky,
        tuple(assign(tried, unit, slot=question.slot, context=looked_at, sticky=sticky)),
    )


@functools.lru_cache(maxsize=1024)
def _built_in(slot: str | None, holdout_percent: float, control_percent: float) -> tuple[Running, ...]:
    """Return the store's hold-out and the slot's standing control."""
    found = (holdout(holdout_percent), standing(slot, control_percent) if slot else None)
    return tuple(each for each in found if each is not None)


@functools.lru_cache(maxsize=256)
def _joined(arm_rules: bytes, rules: RuleSet) -> RuleSet:
    """Return the rules of an arm with the store's own behind them."""
    return rules.behind(orjson.loads(arm_rules))


def _chain(
    chain: tuple[Strategy, ...], of_arms: Sequence[str | None], of_rules: str | None
) -> tuple[Strategy, ...]:
    """Return the strategies to ask: an arm's before a rule's, else the slot's own."""
    chosen = next((name for name in (*of_arms, of_rules) if name is not None), None)
    return chain if chosen is None else tuple(STRATEGIES[name] for name in chain_of(chosen))


def _hidden(question: Question) -> frozenset[str]:
    """Return the products that are on the page or in the cart, or that the visitor took out or has just bought."""
    session = question.session
    own = (question.product_id,) if question.product_id else ()
    return frozenset({*own, *question.cart, *question.exclude, *session.removed, *session.bought})


def _silent(arms: Sequence[Assignment], *, open_: bool) -> str | None:
    """Return why nothing is shown; None where something may be."""
    if not open_:
        return PAUSED
    return next((arm.experiment for arm in arms if arm.settings.get(SHOW) == NOTHING), None)
