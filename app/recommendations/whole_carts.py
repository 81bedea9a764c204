"""What goes with a whole cart, scored in the request from ready rows. Reads nothing."""

import heapq
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from app.recommendations import row_lists, scoring
from app.recommendations.cache import Candidate
from app.recommendations.row_lists import Numbers, Row
from app.recommendations.scoring import Blend, Past


class Why(StrEnum):
    """What a candidate is shown for."""

    PAIR = "pair"  # bought with a product of the cart
    OWN = "own"  # the customer has bought it
    PAST = "past"  # bought with what the customer has bought
    POPULAR = "popular"
    SEEN = "seen"  # bought with what was looked at in the running session


class Bought(NamedTuple):
    """A product that a customer has bought: in how many orders, and days since the last."""

    product: str
    times: int
    gap: int


def candidates(
    rows: Mapping[str, Row],
    cart: Sequence[str],
    popular: Sequence[Candidate],
    blend: Blend,
    *,
    bought: Sequence[Bought] = (),
    orders: int = 0,
    most: int,
) -> list[Candidate]:
    """Return what goes with a cart, best first, ``most`` at most, each with its strongest evidence.

    Nothing where there is no row to go by. Best sellers take part only where tuning has settled what they are worth
    beside pairs; elsewhere they are left to the strategies that follow.

    ``why`` tells what a candidate is shown for. A pair that does not pass the gates carries less evidence: only
    ``orders`` and ``with`` of the pair that was bought together most often.

    Args:
        rows: published rows of products of the cart and of what was bought; some may lack.
        cart: platform ids.
        popular: the store's best sellers, with their ``share`` of all orders.
        blend: how the store's scores are blended.
        bought: what a recognised customer bought, newest first.
        orders: how many orders that customer has placed.
        most: of the list.
    """
    if not rows:
        return []
    if blend == scoring.DEFAULT:  # what was stored for a small store is equal, not the same
        popular = []
    numbers = Numbers()
    hidden = np.array([numbers[id_] for id_ in dict.fromkeys(cart)], np.int64)
    known = row_lists.entries([rows[id_] for id_ in cart if id_ in rows], numbers)
    past = _past(rows, bought, orders, numbers) if bought else None
    popular = [item for item in popular if "share" in item][: scoring.POPULAR]
    best_sellers = [numbers[item["id"]] for item in popular]
    shared = [([numbers[id_] for id_ in row["ids"]], row["s"]) for row in rows.values()]
    if len(numbers) == len(hidden):  # everything that is named stands in the cart
        return []
    shares = np.zeros(len(numbers))
    for named, values in shared:
        shares[named] = values
    shares[best_sellers] = [item["share"] for item in popular]
    chosen, made = scoring.features(known, len(cart), past, shares, hidden)
    order, _ = scoring.score(made, blend, len(cart), past=past is not None)
    ids = numbers.ids()
    ranked = [ids[number] for number in chosen[order][:most].tolist()]
    return _with_evidence(ranked, rows, cart, {i["id"]: i for i in popular}, {b.product: b for b in bought})


def going_with(rows: Mapping[str, Row], weights: Mapping[str, float], most: int) -> list[Candidate]:
    """Return what was bought with products that were looked at, best first, ``most`` at most; none of these themselves.

    The rows' co-purchase scores, weighed, are squared and summed. The evidence is ``orders`` and ``with`` of the pair
    that was bought together most often.
    """
    scores: dict[str, float] = {}
    for subject, row in rows.items():
        for id_, score in zip(row["ids"], row["w"], strict=True):
            if score and id_ not in weights:
                scores[id_] = scores.get(id_, 0.0) + (weights[subject] * score) ** 2
    ranked = heapq.nsmallest(most, scores, key=lambda id_: (-scores[id_], id_))
    pairs = _strongest_pairs(set(ranked), rows)
    return [
        {"id": id_, "why": Why.SEEN, "orders": pairs[id_]["orders"], "with": pairs[id_]["with"]}
        for id_ in ranked
    ]


def _past(rows: Mapping[str, Row], bought: Sequence[Bought], orders: int, numbers: Numbers) -> Past:
    products = np.array([numbers[b.product] for b in bought], np.int64)
    times = np.array([b.times for b in bought], np.float64)
    gaps = np.array([b.gap for b in bought], np.float64)
    fresh = scoring.freshness(times, gaps)
    read = [(b.product, weight) for b, weight in zip(bought, scoring.trust(fresh).tolist(), strict=False)]
    there = [(rows[id_], weight) for id_, weight in read if id_ in rows]
    said = row_lists.entries([row for row, _ in there], numbers, [weight for _, weight in there])
    return Past(products, times, gaps, fresh, orders, said)


def _with_evidence(
    ranked: Sequence[str],
    rows: Mapping[str, Row],
    cart: Sequence[str],
    popular: Mapping[str, Candidate],
    bought: Mapping[str, Bought],
) -> list[Candidate]:
    """Return candidates with what may be said of them; one of which nothing may be said is left out."""
    pairs = _strongest_pairs(set(ranked), {id_: rows[id_] for id_ in cart if id_ in rows})
    past = _strongest_pairs(
        {id_ for id_ in ranked if id_ not in pairs}, {id_: rows[id_] for id_ in bought if id_ in rows}
    )
    found: list[Candidate] = []
    for id_ in ranked:
        if id_ in pairs:
            found.append({"id": id_, "why": Why.PAIR, **pairs[id_]})
        elif id_ in bought:
            found.append({"id": id_, "why": Why.OWN, "times": bought[id_].times})
        elif id_ in past:
            found.append(
                {"id": id_, "why": Why.PAST, "orders": past[id_]["orders"], "with": past[id_]["with"]}
            )
        elif id_ in popular:
            found.append({"id": id_, "why": Why.POPULAR, "orders": popular[id_]["orders"]})
    return found


def _strongest_pairs(wanted: set[str], rows: Mapping[str, Row]) -> dict[str, dict[str, Any]]:
    """Return the evidence of each wanted product's strongest pair with a row's, a proven one before others."""
    proven: dict[str, tuple[float, dict[str, Any]]] = {}
    met: dict[str, tuple[int, str]] = {}
    for subject, row in rows.items():
        for at, confidence, lift, llr in row["proven"]:
            id_ = row["ids"][at]
            if id_ in wanted and row["w"][at] > proven.get(id_, (-1.0,))[0]:
                evidence = {"orders": row["orders"][at], "confidence": confidence, "lift": lift, "llr": llr}
                proven[id_] = row["w"][at], {**evidence, "with": subject}
        for id_, orders in zip(row["ids"], row["orders"], strict=True):
            if id_ in wanted and orders > met.get(id_, (0, ""))[0]:
                met[id_] = orders, subject
    unproven = {id_: {"orders": orders, "with": subject} for id_, (orders, subject) in met.items()}
    return unproven | {id_: evidence for id_, (_, evidence) in proven.items()}
