"""How segments overlap: sizes, who is in two of them, and whether they are logically distinct, in a sentence."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from app.segments.conditions import Condition
from app.segments.distinct import contains, disjoint, rule_of

DISJOINT: Final = "disjoint"  # proved: nobody can be in both
APART: Final = "apart"  # nobody is in both today
OVERLAP: Final = "overlap"
CONTAINS: Final = "contains"  # everybody who is in the second is in the first
CONTAINED: Final = "contained"  # the other way round
EQUAL: Final = "equal"
RELATIONS: Final = (DISJOINT, APART, OVERLAP, CONTAINS, CONTAINED, EQUAL)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two segments.

    Attributes:
        first: key of the one.
        second: key of the other.
        both: customers who are in both.
        jaccard: those by the customers who are in either; 0 where nobody is.
        relation: one of ``RELATIONS``.
        proved: whether that follows from the rules, whoever the customers are.
        sentence: the same for people.
    """

    first: str
    second: str
    both: int
    jaccard: float
    relation: str
    proved: bool
    sentence: str


def sizes(groups: Iterable[tuple[Iterable[str], int]]) -> dict[str, int]:
    """Return how many customers are in each segment, from customers counted by the segments that they are in."""
    found: Counter[str] = Counter()
    for segments, people in groups:
        for segment in segments:
            found[segment] += people
    return dict(found)


def pairs(
    keys: Mapping[str, str],
    groups: Iterable[tuple[Iterable[str], int]],
    own: Mapping[str, Condition],
) -> list[Pair]:
    """Compare all segments with each other.

    Args:
        keys: names of the segments by key, in the order in which to compare them.
        groups: customers counted by the segments that they are in: (keys, people).
        own: the conditions of the merchant's own segments by key.
    """
    counted = [(frozenset(segments), people) for segments, people in groups]
    size = sizes(counted)
    both: Counter[tuple[str, str]] = Counter()
    for segments, people in counted:
        for pair in combinations([key for key in keys if key in segments], 2):
            both[pair] += people
    rules = {key: rule_of(key, own) for key in keys}
    found = []
    for first, second in combinations(keys, 2):
        a, b, shared = size.get(first, 0), size.get(second, 0), both[first, second]
        proof = _proof(
            disjoint(rules[first], rules[second]),
            contains(rules[first], rules[second]),
            contains(rules[second], rules[first]),
        )
        relation = proof or _seen(a, b, shared)
        sentence = _sentence(keys[first], keys[second], (a, b, shared), relation, proved=proof is not None)
        jaccard = shared / (a + b - shared) if shared else 0.0
        found.append(Pair(first, second, shared, round(jaccard, 4), relation, proof is not None, sentence))
    return found


def _proof(apart: bool, outer: bool, inner: bool) -> str | None:
    if apart:
        return DISJOINT
    if outer and inner:
        return EQUAL
    if outer:
        return CONTAINS
    return CONTAINED if inner else None


def _seen(a: int, b: int, both: int) -> str:
    if not both:
        return APART
    if both == a == b:
        return EQUAL
    if both == b:
        return CONTAINS
    return CONTAINED if both == a else OVERLAP


def _sentence(a: str, b: str, counts: tuple[int, int, int], relation: str, *, proved: bool) -> str:
    size_a, size_b, both = counts
    if proved:
        return {
            DISJOINT: f"{a} and {b} are distinct: their rules exclude each other.",
            EQUAL: f"{a} and {b} are the same: the rule of each implies the other's.",
            CONTAINS: f"{a} contains {b}: the rule of {b} implies that of {a}.",
            CONTAINED: f"{b} contains {a}: the rule of {a} implies that of {b}.",
        }[relation]
    return {
        APART: f"{a} and {b} share nobody today, though nothing in their rules forbids it.",
        EQUAL: f"{a} and {b} hold the same {_people(both)} today, though their rules differ.",
        CONTAINS: f"{a} contains all {_people(size_b)} of {b} today, though its rule does not say so.",
        CONTAINED: f"{b} contains all {_people(size_a)} of {a} today, though its rule does not say so.",
        OVERLAP: f"{a} and {b} overlap in {_people(both)}: {_percent(both, size_a)} of {a}, {_percent(both, size_b)} of"
        f" {b}.",
    }[relation]


def _people(count: int) -> str:
    return f"{count} {'person' if count == 1 else 'people'}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.0f} %"
