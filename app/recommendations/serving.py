"""Answering: candidates, eligibility, evidence.

An answer without a visitor depends on the request and the store alone, so its decision id is derived from
its content: equal answers are one decision, and caches may hold them.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.commerce.store import StoreAccess
from app.core.db import db
from app.core.errors import InvalidParameters, NotFound
from app.recommendations import cache
from app.recommendations.cache import Candidate, Card
from app.recommendations.strategies import (
    BEST_SELLERS,
    COMPLETE_THE_CART,
    FREQUENTLY_BOUGHT_TOGETHER,
    SLOTS,
    STRATEGIES,
    Strategy,
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a slot's strategy for a product page or a cart. Ids are the platform's."""

    slot: str | None
    strategy: Strategy
    product_id: str | None
    cart: tuple[str, ...]
    limit: int
    exclude: frozenset[str] = frozenset()


def question_for_slot(
    slot: str,
    product_id: str | None,
    cart: Sequence[str],
    limit: int | None,
    *,
    exclude: frozenset[str] = frozenset(),
) -> Question:
    """Return the question that a slot asks.

    Raises:
        InvalidParameters: where the slot needs a product and got none.
    """
    place = SLOTS[slot]
    strategy = STRATEGIES[place.strategy]
    if strategy.needs == "product" and not product_id:
        raise InvalidParameters({"product_id": f"The slot {slot} needs the product of the page."})
    return Question(slot, strategy, product_id, tuple(cart), limit or place.limit, exclude)


def answer(access: StoreAccess, question: Question) -> dict[str, Any]:
    """Return the contract's answer. An empty list of recommendations is a good answer.

    Raises:
        NotFound: if the product of the page is not this store's.
    """
    if question.product_id and question.product_id not in cache.get_cards(
        access.store_id, [question.product_id]
    ):
        raise NotFound(f"This store has no product {question.product_id[:50]!r}.")
    hidden = question.exclude | {question.product_id, *question.cart}
    candidates = [c for c in _candidates(access.store_id, question) if c["id"] not in hidden]
    recommendations = [
        _recommendation(card, candidate, question.strategy)
        for card, candidate in _eligible(access.store_id, candidates, question.limit)
    ]
    body: dict[str, Any] = {
        "slot": question.slot,
        "strategy": question.strategy.name,
        "model_version": _model_version(access.store_id),
        "recommendations": recommendations,
        "experiment": None,
    }
    return {"decision_id": _decision_id(access.store_id, question, body), **body}


def _eligible(store_id: int, candidates: Sequence[Candidate], limit: int) -> list[tuple[Card, Candidate]]:
    """Return the first ``limit`` candidates that may be shown now, each with its card."""
    found: list[tuple[Card, Candidate]] = []
    # Most candidates can be shown: ask for a few more than wanted, and again only where that was not enough.
    step = limit + 4
    for start in range(0, len(candidates), step):
        some = candidates[start : start + step]
        cards = cache.get_cards(store_id, [c["id"] for c in some])
        found += [(card, c) for c in some if (card := cards.get(c["id"])) and card.eligible]
        if len(found) >= limit:
            break
    return found[:limit]


def _candidates(store_id: int, question: Question) -> list[Candidate]:
    name = question.strategy.name
    if name == BEST_SELLERS:
        return cache.get_lists(store_id, BEST_SELLERS, [""])[""]
    if name == COMPLETE_THE_CART or not question.product_id:
        known = list(dict.fromkeys(question.cart))
        lists = cache.get_lists(store_id, FREQUENTLY_BOUGHT_TOGETHER, known) if known else {}
        return combine(lists)
    return cache.get_lists(store_id, FREQUENTLY_BOUGHT_TOGETHER, [question.product_id])[question.product_id]


def combine(lists: dict[str, list[Candidate]]) -> list[Candidate]:
    """Return the candidates of a whole cart, best first.

    A candidate's scores with the single products of the cart are squared and summed: several good reasons count
    more than one, and one strong reason more than several weak ones. Its evidence is its strongest pair, which ``with``
    names.
    """
    best: dict[str, Candidate] = {}
    sums: dict[str, float] = {}
    for subject, candidates in lists.items():
        for candidate in candidates:
            id_ = candidate["id"]
            sums[id_] = sums.get(id_, 0.0) + candidate["score"] ** 2
            if id_ not in best or candidate["score"] > best[id_]["score"]:
                best[id_] = {**candidate, "with": subject}
    return [best[id_] for id_ in sorted(best, key=lambda id_: (-sums[id_], id_)) if id_ not in lists]


def _recommendation(card: Card, candidate: Candidate, strategy: Strategy) -> dict[str, Any]:
    evidence = {k: candidate[k] for k in ("orders", "confidence", "lift", "llr", "with") if k in candidate}
    return {
        "product_id": card.product_id,
        "variant_id": card.variant_id,
        "title": card.title,
        "url": card.url,
        "image_url": card.image_url,
        "price": None if card.price is None else {"amount": card.price, "currency": card.currency},
        "available": True,
        "reason": strategy.reason,
        "evidence": evidence,
        "offer": None,
    }


def _decision_id(store_id: int, question: Question, body: dict[str, Any]) -> str:
    asked = [store_id, question.product_id, question.cart, question.limit]
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
