"""Whether two segments can share anybody at all, proved from their rules alone.

A condition becomes boxes, of which at least one holds wherever the condition does (disjunctive normal form): facts that
lie within ranges, and facts that do not lie within others. Two boxes that want one fact within ranges that do not meet
exclude each other; a box whose every demand another one implies lies within it. What is proved is true of whatever
customers; what is not proved may still be true.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from app.segments.conditions import Condition, Every, Leaf, Not, Some
from app.segments.named import NAMED, Named, Range

# More boxes than that are not looked at: nothing is proved then.
_MOST_BOXES: Final = 200
_NO_END: Final = 2**63

Subject = tuple[Any, ...]
Outside = frozenset[tuple[Subject, Range]]


@dataclass(frozen=True, slots=True)
class Demands:
    """One box: ``within`` are the ranges that facts must lie in, ``outside`` those that they must not."""

    within: Mapping[Subject, Range]
    outside: Outside

    @property
    def impossible(self) -> bool:
        """Whether nobody can meet these demands."""
        return any(low > high for low, high in self.within.values()) or any(
            subject in self.within and _lies_in(self.within[subject], span) for subject, span in self.outside
        )

    def with_those(self, other: "Demands") -> "Demands":
        """Return the demands of both."""
        within = dict(self.within)
        for subject, (low, high) in other.within.items():
            own = within.get(subject, (low, high))
            within[subject] = (max(low, own[0]), min(high, own[1]))
        return Demands(within, self.outside | other.outside)

    def implies(self, other: "Demands") -> bool:
        """Whether who meets these demands surely meets ``other``, too."""
        return all(
            subject in self.within and _lies_in(self.within[subject], span)
            for subject, span in other.within.items()
        ) and all(self._keeps_out_of(subject, span) for subject, span in other.outside)

    def _keeps_out_of(self, subject: Subject, span: Range) -> bool:
        own = self.within.get(subject)
        if own is not None and (own[1] < span[0] or own[0] > span[1]):
            return True
        return any(subject == s and _lies_in(span, wider) for s, wider in self.outside)


Boxes = tuple[Demands, ...]
# Holds of everybody.
_NOTHING: Final = Demands({}, frozenset())


def boxes_of(segment: Named | Condition) -> Boxes | None:
    """Return a segment's boxes, those that nobody can meet left out.

    None where there are too many, and for a segment whose rule is no condition.
    """
    if not isinstance(segment, Named):
        return _boxes(segment, holds=True)
    if not segment.exclusive:
        return None
    scores = [(Leaf(f"{name}_score").subject, name) for name in ("recency", "frequency", "monetary")]
    return tuple(
        Demands({subject: getattr(box, name) for subject, name in scores}, frozenset())
        for box in segment.boxes
    )


def disjoint(one: Boxes | None, other: Boxes | None) -> bool:
    """Whether it is proved that nobody is ever in both."""
    if one is None or other is None:
        return False
    return all(a.with_those(b).impossible for a, b in product(one, other))


def contains(outer: Boxes | None, inner: Boxes | None) -> bool:
    """Whether it is proved that everybody who is in ``inner`` is always in ``outer``."""
    if outer is None or inner is None:
        return False
    return all(any(b.implies(a) for a in outer) for b in inner)


def rule_of(key: str, own: Mapping[str, Condition]) -> Boxes | None:
    """Return the boxes of a named segment, or of one of the merchant's own (conditions by key)."""
    return boxes_of(NAMED[key] if key in NAMED else own[key])


def _boxes(condition: Condition, *, holds: bool) -> Boxes | None:
    match condition:
        case Leaf():
            # A fact can be negative (money, if more was refunded than paid), so that no smallest number means any.
            low = -_NO_END if condition.at_least is None else condition.at_least
            high = _NO_END if condition.at_most is None else condition.at_most
            if holds:
                return (Demands({condition.subject: (low, high)}, frozenset()),)
            return (Demands({}, frozenset({(condition.subject, (low, high))})),)
        case Not(inner):
            return _boxes(inner, holds=not holds)
        case Every(inner) | Some(inner):
            parts = [_boxes(each, holds=holds) for each in inner]
            together = isinstance(condition, Every) is holds
            return _all_of(parts) if together else _any_of(parts)


def _any_of(parts: list[Boxes | None]) -> Boxes | None:
    found: list[Demands] = []
    for part in parts:
        if part is None:
            return None
        found += part
    return tuple(found) if len(found) <= _MOST_BOXES else None


def _all_of(parts: list[Boxes | None]) -> Boxes | None:
    found: Boxes = (_NOTHING,)
    for part in parts:
        if part is None or len(found) * len(part) > _MOST_BOXES:
            return None
        both = (a.with_those(b) for a, b in product(found, part))
        found = tuple(box for box in both if not box.impossible)
    return found


def _lies_in(inner: Range, outer: Range) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]
