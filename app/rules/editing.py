"""Changes of a list of rules. Each returns a new list. Pure."""

from collections.abc import Sequence
from typing import Any, Final

from app.core.errors import Conflict, NotFound

MOST_RULES: Final = 200
Rules = Sequence[dict[str, Any]]


def place_of(rules: Rules, id_: str) -> int:
    """Return the place of a rule, from 0.

    Raises:
        NotFound: if there is no such rule.
    """
    place = next((n for n, rule in enumerate(rules) if rule["id"] == id_), None)
    if place is None:
        raise NotFound(f"This store has no rule {id_[:50]!r}.")
    return place


def added(rules: Rules, rule: dict[str, Any], place: int | None) -> Rules:
    """Return the list with another rule at ``place``, from 0; None: at the end.

    Raises:
        Conflict: if there is a rule of this id, or no room for more.
    """
    if any(each["id"] == rule["id"] for each in rules):
        raise Conflict("There is a rule of this id already.")
    if len(rules) >= MOST_RULES:
        raise Conflict(f"A store has {MOST_RULES} rules at most.")
    at = len(rules) if place is None else place
    return [*rules[:at], rule, *rules[at:]]


def replaced(rules: Rules, rule: dict[str, Any]) -> Rules:
    """Return the list with the rule of this id made otherwise.

    Raises:
        NotFound: if there is no such rule.
    """
    at = place_of(rules, rule["id"])
    return [*rules[:at], rule, *rules[at + 1 :]]


def removed(rules: Rules, id_: str) -> Rules:
    """Return the list without a rule.

    Raises:
        NotFound: if there is no such rule.
    """
    at = place_of(rules, id_)
    return [*rules[:at], *rules[at + 1 :]]


def moved(rules: Rules, id_: str, place: int) -> Rules:
    """Return the list with a rule at another place, from 0; beyond the end is at the end.

    Raises:
        NotFound: if there is no such rule.
    """
    rule = rules[place_of(rules, id_)]
    rest = removed(rules, id_)
    return [*rest[:place], rule, *rest[place:]]
