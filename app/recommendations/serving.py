"""Answering: which strategy of a chain has something to show, and what.

An answer without a visitor depends on the request and the store alone, so its decision id is derived from
its content: equal answers are one decision, and caches may hold them.
"""

import base64
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from app.commerce.store import StoreAccess
from app.core.db import db, now
from app.core.errors import InvalidParameters, NotFound
from app.events import intent
from app.events.session import NO_SESSION, Session
from app.recommendations import cache, in_session, selection
from app.recommendations.cache import Card
from app.recommendations.candidates import Asked, Candidates
from app.recommendations.personal import Shopper
from app.recommendations.selection import Entry
from app.recommendations.strategies import MAX_CART, MAX_VIEWED, SLOTS, STRATEGIES, Strategy, chain_of

# How much of the candidates a session may bring forward: as long as most ready lists are.
LIST_LENGTH: Final = 50
# What of a candidate is told as evidence; the rest is ours.
_EVIDENCE = (
    "orders",
    "confidence",
    "lift",
    "llr",
    "with",
    "customers",
    "people",
    "similarity",
    "category",
    "before",
    "growth",
    "times",
    "days",
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a chain of strategies for a product page, a cart or a shopper. Ids are the platform's.

    ``viewed`` are products that the shopper looked at, last one first. ``shopper`` is a customer who may be recognised,
    with what they bought; ``session`` is what a visitor who agreed to it does just now.
    """

    slot: str | None
    chain: tuple[Strategy, ...]
    product_id: str | None
    cart: tuple[str, ...]
    limit: int
    exclude: frozenset[str] = frozenset()
    viewed: tuple[str, ...] = ()
    shopper: Shopper | None = None
    session: Session = NO_SESSION


def question_for_slot(
    slot: str,
    product_id: str | None,
    cart: Sequence[str] | None,
    limit: int | None,
    *,
    exclude: frozenset[str] = frozenset(),
    viewed: Sequence[str] = (),
    shopper: Shopper | None = None,
    session: Session = NO_SESSION,
) -> Question:
    """Return the question that a slot asks.

    Where the request names no cart (None) or no viewed products, those of the session stand in.

    Raises:
        InvalidParameters: where the slot needs a product and got none.
    """
    place = SLOTS[slot]
    chain = tuple(STRATEGIES[name] for name in place.chain)
    if chain[0].needs == "product" and not product_id:
        raise InvalidParameters({"product_id": f"The slot {slot} needs the product of the page."})
    return Question(
        slot,
        chain,
        product_id,
        tuple(session.cart if cart is None else cart)[:MAX_CART],
        limit or place.limit,
        exclude,
        tuple(viewed or session.viewed)[:MAX_VIEWED],
        shopper,
        session,
    )


def question_for_cart(
    strategy: str,
    cart: Sequence[str],
    limit: int,
    *,
    shopper: Shopper | None = None,
    session: Session = NO_SESSION,
) -> Question:
    """Return the question what a strategy, and those that it falls back on, offer with a cart."""
    chain = tuple(STRATEGIES[name] for name in chain_of(strategy))
    viewed = session.viewed[:MAX_VIEWED]
    return Question(None, chain, None, tuple(cart), limit, viewed=viewed, shopper=shopper, session=session)


def answer(access: StoreAccess, question: Question) -> dict[str, Any]:
    """Return the contract's answer. An empty list of recommendations is a good answer.

    The first strategy of the chain that has anything to show answers, under its own name. Where it may be topped up,
    those that follow fill the list; each product says itself what may be claimed of it.

    Raises:
        NotFound: if the product of the page is not this store's.
    """
    asked = Asked(question.product_id, question.cart, question.viewed, question.shopper, question.session)
    candidates = Candidates(access.store_id, asked, question.chain)
    page = candidates.cards.get(question.product_id) if question.product_id else None
    if question.product_id and page is None:
        raise NotFound(f"This store has no product {question.product_id[:50]!r}.")
    strategy, entries = _first_to_answer(access.store_id, question, candidates)
    body: dict[str, Any] = {
        "slot": question.slot,
        "strategy": strategy.name,
        "model_version": _model_version(access.store_id),
        "recommendations": [_recommendation(entry, page) for entry in entries],
        "experiment": None,
        "intent": _intent(question.session, candidates),
    }
    return {"decision_id": _decision_id(access.store_id, question, body), **body}


def _intent(session: Session, candidates: Candidates) -> dict[str, str] | None:
    """Return what the session shows the visitor to be about; None where the answer comes from no session."""
    categories = {product: card.category for product, card in candidates.cards.items()}
    found = intent.read(session, now(), categories)
    return None if found is None else {"state": found.state.value, "reason": found.reason}


def _first_to_answer(
    store_id: int, question: Question, candidates: Candidates
) -> tuple[Strategy, list[Entry]]:
    """Return the strategy that answers and what is shown; the first one and nothing, where none has anything."""
    first = question.chain[0]
    if first.needs == "cart" and not question.cart:
        return first, []  # an empty cart is not in want of anything
    answering: Strategy | None = None
    shown: list[Entry] = []
    for strategy in question.chain:
        shown += _shown(store_id, question, candidates, strategy, shown)
        if answering is None and shown:
            answering = strategy
        if len(shown) >= question.limit or (answering is not None and not answering.tops_up):
            break
    return answering or first, shown


def _shown(
    store_id: int, question: Question, candidates: Candidates, strategy: Strategy, before: Sequence[Entry]
) -> list[Entry]:
    """Return what one strategy shows behind what stands there already."""
    hidden = {question.product_id, *question.cart, *question.exclude}
    hidden |= {*question.session.removed, *question.session.bought}
    if question.shopper and strategy.rests_goods:
        hidden |= question.shopper.resting
    wanted = question.limit - len(before)
    follows = bool(question.session) and any(source.follows_session for source in strategy.sources)
    # Most candidates can be shown: look at twice as many as wanted, and further only where that was not enough. A
    # session may prefer any of a whole list.
    step = max(2 * wanted + 8, LIST_LENGTH if follows else 0)
    found = (c for c in candidates.of(strategy) if c[2]["id"] not in hidden)
    entries: list[Entry] = []
    shown: list[Entry] = []
    while some := list(itertools.islice(found, step)):
        cards = cache.get_cards(store_id, [candidate["id"] for _, _, candidate in some])
        entries += [
            Entry(cards[candidate["id"]], candidate, source, reason)
            for source, reason, candidate in some
            if candidate["id"] in cards
        ]
        ordered = _in_session(entries, question.session, candidates) if follows else entries
        shown = selection.select(ordered, wanted, anchors=candidates.anchors, before=before)
        if len(shown) == wanted or len(some) < step:
            break
    return shown


def _in_session(entries: list[Entry], session: Session, candidates: Candidates) -> list[Entry]:
    """Return entries in the order that the running session prefers."""
    goes_with, searched = candidates.goes_with_session, in_session.queries(session)
    if not (goes_with or searched):
        return entries
    return in_session.preferred(
        [replace(entry, bonus=in_session.bonus(entry, goes_with, searched)) for entry in entries]
    )


def _recommendation(entry: Entry, page: Card | None) -> dict[str, Any]:
    card = entry.card
    return {
        "product_id": card.product_id,
        "variant_id": card.variant_id,
        "title": card.title,
        "url": card.url,
        "image_url": card.image_url,
        "price": None if card.price is None else {"amount": card.price, "currency": card.currency},
        "available": True,
        "reason": entry.reason,
        "relation": selection.relation(entry, page),
        "evidence": {name: entry.candidate[name] for name in _EVIDENCE if name in entry.candidate},
        "offer": None,
    }


def _decision_id(store_id: int, question: Question, body: dict[str, Any]) -> str:
    asked = [store_id, question.product_id, question.cart, question.limit, question.viewed]
    digest = hashlib.blake2b(orjson.dumps([asked, body]), digest_size=15).digest()
    return "d_" + base64.b32encode(digest).decode().lower()


def _model_version(store_id: int) -> str:
    """Return the version of the model that answers: the number of the store's last rebuild."""
    cached = cache.get_model_version(store_id)
    if cached is None:
        row = (
            db.session.connection()
            .exec_driver_sql(
                "SELECT version FROM learned_model WHERE store_id = %(store)s", {"store": store_id}
            )
            .first()
        )
        cached = cache.put_model_version(store_id, int(row[0]) if row else 0)
    return f"co-purchase-{cached}"
