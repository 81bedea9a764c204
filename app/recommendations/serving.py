"""Answering: the plan is made, decided, told, and noted in the log.

An answer without a visitor depends on the request and the store alone, so its decision id is derived from
its content: equal answers are one decision, and caches may hold them. A visitor's answer is a decision of its own.
"""

import base64
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from flask import current_app

from app.commerce.store import StoreAccess
from app.core.db import now
from app.decisions import reasons
from app.decisions.log import DecisionLog, Record
from app.experiments.assignment import HOLDOUT, STANDING
from app.recommendations import cache, deciding, offered, replay, selection
from app.recommendations.asking import Question, question_for_slot
from app.recommendations.cache import Card
from app.recommendations.deciding import Decided
from app.recommendations.planning import Plan, plan
from app.recommendations.selection import Entry
from app.rules.evaluation import RuleSet

# What of a candidate is told as evidence; the rest is ours.
_EVIDENCE: Final = (
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
# Of a decision id: 120 bits are 24 letters in base32.
_SEED_BYTES: Final = 15


def answer(access: StoreAccess, question: Question) -> dict[str, Any]:
    """Return the contract's answer. An empty list of recommendations is a good answer.

    The first strategy of the chain that has anything to show answers, under its own name. Where it may be topped up,
    those that follow fill the list; each product says itself what may be claimed of it.

    Raises:
        NotFound: if the product of the page is not this store's.
    """
    began = time.perf_counter_ns()
    seed = os.urandom(_SEED_BYTES) if question.known.subject else None
    made = plan(access, question, seed)
    decided = deciding.decide(made.wanted, made.policy, made.shelf)
    shown = decided.shown if made.silent is None else ()
    offers = _offers(access.store_id, question, made, shown)
    body: dict[str, Any] = {
        "slot": question.slot,
        "strategy": decided.strategy.name,
        "model_version": f"co-purchase-{cache.get_model(access.store_id).version}",
        "recommendations": [_recommendation(entry, made.page, offers) for entry in shown],
        "experiment": _experiment(made),
        "intent": {"state": made.intent.state.value, "reason": made.intent.reason} if made.intent else None,
    }
    id_ = _named(seed) if seed else _content_address(access.store_id, question, body)
    _note(access.store_id, id_, question, made, decided, body, began)
    return {"decision_id": id_, **body}


def preview(
    access: StoreAccess, question: Mapping[str, Any], invented: Mapping[str, Any], rules: RuleSet
) -> dict[str, Any]:
    """Return what an invented shopper would see, and why. Nothing is logged.

    Args:
        access: the store.
        question: ``slot``, and as far as it needs them ``product_id``, ``cart`` and ``limit``.
        invented: attributes of ``Context``, as JSON.
        rules: the rules to try.

    Raises:
        InvalidParameters: where the slot needs a product and got none.
        NotFound: if the product of the page is not this store's.
    """
    asked = question_for_slot(
        question["slot"], question.get("product_id"), question.get("cart") or (), question.get("limit")
    )
    made = plan(access, asked, None, rules=rules, invented=invented)
    decided = deciding.decide(made.wanted, made.policy, made.shelf)
    return {
        "slot": asked.slot,
        "strategy": decided.strategy.name,
        "recommendations": [
            _recommendation(entry, made.page, _offers(access.store_id, asked, made, decided.shown))
            for entry in decided.shown
        ],
        "shown": decided.products,
        "silent": made.silent,
        "fired": list(made.policy.effects.fired),
        "trace": made.policy.effects.trace,
        "context": made.context.to_json(),
    }


def _note(
    store_id: int,
    id_: str,
    question: Question,
    made: Plan,
    decided: Decided,
    body: dict[str, Any],
    began: int,
) -> None:
    """Tell the log of a decision; it is written later, by somebody else."""
    log: DecisionLog = current_app.extensions["pannier_decisions"]
    arms = {arm.experiment: arm.arm for arm in made.arms}
    told = {shown["product_id"]: shown["offer"] for shown in body["recommendations"]}
    offers = {product: offer["id"] for product, offer in told.items() if offer}
    log.note(
        Record(
            store_id=store_id,
            id=id_,
            made_at=now(),
            subject=question.known.subject,
            slot=question.slot,
            strategy=body["strategy"],
            reason=_reason(store_id, made),
            arms=arms,
            model_version=body["model_version"],
            cache=reasons.MADE,
            latency_us=(time.perf_counter_ns() - began) // 1000,
            shown=[shown["product_id"] for shown in body["recommendations"]],
            body=lambda: replay.to_json(question, made, decided) | {"offers": offers},
            keep=bool(arms),
        )
    )


def _reason(store_id: int, made: Plan) -> str:
    """Return why the answer is as it is: that the model is an older one stands where nothing else was decided."""
    held = made.reason == reasons.DEFAULT and cache.get_model(store_id).held
    return reasons.STALE if held else made.reason


def _experiment(made: Plan) -> dict[str, str] | None:
    """Return the arm that the answer comes from: an experiment's of the merchant's before the standing ones."""
    own = [arm for arm in made.arms if arm.experiment != HOLDOUT and not arm.experiment.startswith(STANDING)]
    arm = next(iter(own or made.arms), None)
    return None if arm is None else {"key": arm.experiment, "arm": arm.arm}


def _offers(
    store_id: int, question: Question, made: Plan, shown: Sequence[Entry]
) -> dict[str, dict[str, Any]]:
    """Return what the shown products say of an offer, by product."""
    around = {*question.cart, *((made.page.product_id,) if made.page else ())}
    found = offered.carried(made.offers, around, [entry.card for entry in shown])
    return {product: offered.to_json(store_id, terms, made.offers.codes) for product, terms in found.items()}


def _recommendation(entry: Entry, page: Card | None, offers: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
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
        "offer": offers.get(card.product_id),
    }


def _content_address(store_id: int, question: Question, body: dict[str, Any]) -> str:
    asked = [store_id, question.product_id, question.cart, question.limit, question.viewed]
    return _named(hashlib.blake2b(orjson.dumps([asked, body]), digest_size=_SEED_BYTES).digest())


def _named(seed: bytes) -> str:
    return "d_" + base64.b32encode(seed).decode().lower()
