"""Whether conditions can hold at all, together, or one because of another: proofs from the conditions alone. Pure.

A condition is brought into the form of clauses, each a set of facts that hold or do not (disjunctive normal form), and
each clause is looked at fact by fact. Proofs are sound but not complete: what is called impossible is; some impossible
things are not recognised. Conditions with more than ``MOST_CLAUSES`` clauses are not looked at.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any, Final

from app.rules.conditions import CART_SIZE, CART_VALUE, DAY_MINUTES, MANY, SINGLE, TIME, WEEKDAYS, Window

MOST_CLAUSES: Final = 256
# A fact that holds, or one that does not.
Literal = tuple[bool, Mapping[str, Any]]
Clause = tuple[Literal, ...]
Condition = Mapping[str, Any] | None
_NO_END: Final = 2**63
_IN_CART: Final = ("cart_product", "cart_category", "cart_tag")


class _TooManyError(Exception):
    """A condition has more clauses than are looked at."""


def possible(*conditions: Condition) -> bool:
    """Whether there may be a question for which all of ``conditions`` hold."""
    try:
        return any(_can_hold(clause) for clause in _together([_clauses(c, holds=True) for c in conditions]))
    except _TooManyError:
        return True


def implies(one: Condition, other: Condition) -> bool:
    """Whether it is proved that ``other`` holds wherever ``one`` does."""
    if other is None:
        return True
    if one is None or not facts(other) <= facts(one):
        return False
    try:
        against = _together([_clauses(one, holds=True), _clauses(other, holds=False)])
        return not any(_can_hold(clause) for clause in against)
    except _TooManyError:
        return False


def facts(condition: Condition) -> frozenset[str]:
    """Return the facts that a condition looks at."""
    return frozenset() if condition is None else frozenset(leaf["fact"] for leaf in _leaves(condition))


def words(condition: Condition, fact: str) -> frozenset[str]:
    """Return the words that a condition asks of a fact."""
    if condition is None:
        return frozenset()
    return frozenset(
        word for leaf in _leaves(condition) if leaf["fact"] == fact for word in leaf.get("in", ())
    )


def _leaves(condition: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    if "fact" in condition:
        return [condition]
    inner = [condition["not"]] if "not" in condition else condition.get("all") or condition["any"]
    return [leaf for each in inner for leaf in _leaves(each)]


def _clauses(condition: Condition, *, holds: bool) -> list[Clause]:
    """Return the clauses of a condition, or of its opposite."""
    if condition is None:
        return [()] if holds else []
    if "fact" in condition:
        return [((holds, condition),)]
    if "not" in condition:
        return _clauses(condition["not"], holds=not holds)
    parts = [_clauses(inner, holds=holds) for inner in condition.get("all") or condition["any"]]
    if ("all" in condition) is holds:
        return _together(parts)
    found = [clause for part in parts for clause in part]
    if len(found) > MOST_CLAUSES:
        raise _TooManyError
    return found


def _together(parts: Sequence[list[Clause]]) -> list[Clause]:
    """Return the clauses of what holds where all ``parts`` do."""
    count = 1
    for part in parts:
        count *= len(part)
    if count > MOST_CLAUSES:
        raise _TooManyError
    return [tuple(literal for clause in chosen for literal in clause) for chosen in product(*parts)]


def _can_hold(clause: Clause) -> bool:
    """Whether nothing in a clause excludes the rest of it, as far as one fact at a time tells."""
    by_fact: dict[str, list[Literal]] = {}
    for literal in clause:
        by_fact.setdefault(literal[1]["fact"], []).append(literal)
    filled = any(holds for fact in _IN_CART for holds, _ in by_fact.get(fact, ()))
    if filled:  # what is in a cart has a size
        by_fact.setdefault(CART_SIZE, [])
    return all(_fact_can_hold(fact, literals, filled) for fact, literals in by_fact.items())


def _fact_can_hold(fact: str, literals: Sequence[Literal], filled: bool) -> bool:
    wanted = [leaf for holds, leaf in literals if holds]
    refused = [leaf for holds, leaf in literals if not holds]
    if fact in SINGLE:
        return _one_word_is_left(wanted, refused)
    if fact in MANY:
        gone = {word for leaf in refused for word in leaf["in"]}
        return all(set(leaf["in"]) - gone for leaf in wanted)
    if fact == TIME:
        return _a_minute_is_left(wanted, refused)
    if fact == CART_VALUE and not wanted:
        return True  # it may be unknown
    return _a_number_is_left(wanted, refused, lowest=1 if filled and fact == CART_SIZE else 0)


def _one_word_is_left(wanted: Sequence[Mapping[str, Any]], refused: Sequence[Mapping[str, Any]]) -> bool:
    if not wanted:
        return True
    allowed = frozenset[str](wanted[0]["in"]).intersection(*(leaf["in"] for leaf in wanted))
    return bool(allowed.difference(*(leaf["in"] for leaf in refused)))


def _a_number_is_left(
    wanted: Sequence[Mapping[str, Any]], refused: Sequence[Mapping[str, Any]], lowest: int
) -> bool:
    low: int = max([lowest, *(leaf.get("at_least", 0) for leaf in wanted)])
    high: int = min([_NO_END, *(leaf.get("at_most", _NO_END) for leaf in wanted)])
    for start, end in sorted((leaf.get("at_least", 0), leaf.get("at_most", _NO_END)) for leaf in refused):
        if start > low:
            break
        low = max(low, end + 1)
    return low <= high


def _a_minute_is_left(wanted: Sequence[Mapping[str, Any]], refused: Sequence[Mapping[str, Any]]) -> bool:
    left = (1 << len(WEEKDAYS) * DAY_MINUTES) - 1
    for leaf in wanted:
        left &= _minutes_of(Window.of(leaf))
    for leaf in refused:
        left &= ~_minutes_of(Window.of(leaf))
    return left != 0


@lru_cache(maxsize=512)
def _minutes_of(window: Window) -> int:
    """Return the minutes of the week that a window has, as bits; Monday's midnight is the lowest."""
    week = len(WEEKDAYS) * DAY_MINUTES
    length = (window.end - window.start) % DAY_MINUTES or DAY_MINUTES
    found = 0
    for day in window.days:
        bits = ((1 << length) - 1) << (day * DAY_MINUTES + window.start)
        found |= bits & ((1 << week) - 1) | bits >> week
    return found
