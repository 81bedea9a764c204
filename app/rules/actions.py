"""Rules and their actions, compiled from JSON. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.rules import conditions
from app.rules.conditions import Predicate
from app.rules.context import Context

PIN, HIDE, BOOST, BURY, PROMOTE = "pin", "hide", "boost", "bury", "promote"
RESTRICT, STRATEGY, FIXED, NOTHING = "restrict", "strategy", "fixed", "nothing"
# Actions that decide what answers, and actions that are about the products of a filter.
ANSWERS: Final = (STRATEGY, FIXED, NOTHING)
FILTERED: Final = (HIDE, RESTRICT, BOOST, BURY, PROMOTE)
ACTIONS: Final = (PIN, *FILTERED, *ANSWERS)

# What boosts and buries come to together, at least and at most.
LEAST_WEIGHT: Final = 0.01
MOST_WEIGHT: Final = 100.0


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a rule. ``bit`` is the number of its filter, ``position`` counts from 0."""

    do: str
    bit: int | None = None
    position: int = -1
    product: str = ""
    products: tuple[str, ...] = ()
    strategy: str = ""
    percent: int = 0
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule that is on, compiled. ``mask`` has the bits of its filters."""

    id: str
    name: str
    starts_at: datetime | None
    ends_at: datetime | None
    holds: Predicate
    actions: tuple[Action, ...]
    mask: int

    def fires(self, context: Context) -> bool:
        """Whether it is valid at the time of the context and its condition holds."""
        if self.starts_at is not None and context.now < self.starts_at:
            return False
        if self.ends_at is not None and context.now >= self.ends_at:
            return False
        return self.holds(context)


def compiled(rule: Mapping[str, Any], filters: list[Mapping[str, Any]]) -> Rule:
    """Return a rule, compiled; its filters are added to ``filters``."""
    first = len(filters)
    actions = tuple(_action(each, filters) for each in rule["then"])
    return Rule(
        id=rule["id"],
        name=rule["name"],
        starts_at=_time(rule.get("starts_at")),
        ends_at=_time(rule.get("ends_at")),
        holds=conditions.compiled(rule.get("if")),
        actions=actions,
        mask=(1 << len(filters)) - (1 << first),
    )


def _action(given: Mapping[str, Any], filters: list[Mapping[str, Any]]) -> Action:
    bit = None
    if given["do"] in FILTERED:
        bit = len(filters)
        filters.append(given["filter"])
    return Action(
        do=given["do"],
        bit=bit,
        position=given.get("position", 0) - 1,
        product=given.get("product", ""),
        products=tuple(dict.fromkeys(given.get("products", ()))),
        strategy=given.get("strategy", ""),
        percent=given.get("percent", 0),
        factor=given.get("factor", 1.0),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def of_kind(rules: Sequence[Rule], *kinds: str) -> Iterator[tuple[Rule, Action]]:
    """Yield the actions of these kinds with their rules, in order."""
    return ((rule, action) for rule in rules for action in rule.actions if action.do in kinds)
