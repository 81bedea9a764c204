"""Who is in which segment, and why: calculated from facts and cut points alone."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.segments import named
from app.segments.conditions import Condition, Evaluation, Known, explain, leaves, measured
from app.segments.facts import Integers
from app.segments.rfm import lifetime_value

Reason = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Membership:
    """Somebody is in a segment.

    Attributes:
        segment: its key.
        person: place within the group.
        reason: ``rule`` says which rule held, in words, and ``measured`` what was measured, by its name.
    """

    segment: str
    person: int
    reason: Reason


def place(known: Known, own: Mapping[str, Condition], currency: str) -> Iterator[Membership]:
    """Yield all memberships of a group: in named segments, and in the merchant's ``own`` ones by key."""
    yield from _exclusive(known)
    yield from _across(known)
    evaluation = Evaluation(known)
    for key, condition in own.items():
        for person, reason in members(evaluation, condition, currency):
            yield Membership(key, person, reason)


def members(evaluation: Evaluation, condition: Condition, currency: str) -> Iterator[tuple[int, Reason]]:
    """Yield the people of whom a condition holds, by their place, with the reason."""
    rule = explain(condition, currency)
    asked = {measured(leaf): evaluation.numbers(leaf) for leaf in leaves(condition)}
    for person in np.flatnonzero(evaluation.holds(condition)).tolist():
        found = {
            name: int(numbers[person]) if known[person] else None for name, (numbers, known) in asked.items()
        }
        yield person, {"rule": rule, "measured": found}


def _exclusive(known: Known) -> Iterator[Membership]:
    scores, measures = known.scores, known.measures
    places = named.exclusive(scores)
    boxes: dict[tuple[int, int, int], str] = {}
    for person in np.flatnonzero(places >= 0).tolist():
        cell = (int(scores.recency[person]), int(scores.frequency[person]), int(scores.monetary[person]))
        if cell not in boxes:
            boxes[cell] = str(named.box_of(*cell))
        found = {
            "recency_days": int(measures.recency_days[person]),
            "frequency": int(measures.orders[person]),
            "monetary": int(measures.revenue[person]),
            "scores": "R{} F{} M{}".format(*cell),
            "window_days": known.cuts.window_days,
        }
        segment = named.EXCLUSIVE[places[person]].key
        yield Membership(segment, person, {"rule": boxes[cell], "measured": found})


def _across(known: Known) -> Iterator[Membership]:
    measures, cuts = known.measures, known.cuts
    value = lifetime_value(measures, cuts)
    window = {"window_days": cuts.window_days}

    def of(**numbers: Integers) -> Callable[[int], Reason]:
        return lambda person: {name: int(found[person]) for name, found in numbers.items()} | window

    meanings = {
        named.HIGH_SPENDER: (f"monetary above {cuts.high_revenue}", of(monetary=measures.revenue)),
        named.DISCOUNT_SEEKER: (
            named.NAMED[named.DISCOUNT_SEEKER].meaning,
            of(discounted_orders=measures.discounted, frequency=measures.orders),
        ),
        named.HIGH_LIFETIME_VALUE: (
            f"expected revenue of a year above {cuts.high_value}, and a recency score above 1",
            of(lifetime_value=value, frequency=measures.orders, recency_days=measures.recency_days),
        ),
    }
    for key, held in named.across(measures, cuts).items():
        rule, numbers = meanings[key]
        for person in np.flatnonzero(held).tolist():
            yield Membership(key, person, {"rule": rule, "measured": numbers(person)})
