"""The merchant's rules, evaluated: which of them fire, and what that does to the candidates. Pure.

A list of rules is compiled once (``RuleSet.from_json``) and asked which rules fire for a context (``match``). What
these do are ``Effects``. Where rules conflict:

* of strategy, fixed list and nothing, the first rule that fires and says one of them decides what answers;
* of pins, the first rule that fires has the position, and a product stands where the first rule pins it;
* hiding and restricting win over everything, pins and fixed lists included; all restrictions hold together;
* boosts and buries are multiplied, the product kept between ``LEAST_WEIGHT`` and ``MOST_WEIGHT``;
* promotions are kept in the order of the rules, as far as there are places;
* a fixed list stays in its order: nothing in it is boosted, buried or promoted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, ClassVar

from app.rules import actions, conditions
from app.rules.actions import Rule
from app.rules.conditions import MANY, SINGLE
from app.rules.context import Context
from app.rules.effects import Effects, Masks
from app.rules.filters import Filters

__all__ = ["Effects", "RuleSet"]


class RuleSet:
    """A list of rules, compiled. Rules that are off are not in it.

    Rules are found by the words that their conditions ask for, so that most are never looked at.
    """

    EMPTY: ClassVar["RuleSet"]

    __slots__ = ("_filters", "_general", "_masks", "_tables", "rules", "source", "version")

    def __init__(
        self,
        rules: Sequence[Rule],
        version: int,
        filters: Filters,
        keys: Sequence[conditions.Key | None],
        source: Sequence[Mapping[str, Any]],
    ) -> None:
        self.rules = tuple(rules)
        self.version = version
        self.source = source
        self._filters = filters
        self._masks = Masks.of(rules)
        self._general: tuple[int, ...] = tuple(n for n, key in enumerate(keys) if key is None)
        self._tables = _tables(keys)

    @classmethod
    def from_json(cls, rules: Sequence[Mapping[str, Any]], version: int) -> "RuleSet":
        """Return a valid list of rules, compiled."""
        on = [rule for rule in rules if rule.get("enabled", True)]
        filters: list[Mapping[str, Any]] = []
        compiled = [actions.compiled(rule, filters) for rule in on]
        keys = [conditions.key_of(rule.get("if")) for rule in on]
        return cls(compiled, version, Filters(filters), keys, on)

    def behind(self, others: Sequence[Mapping[str, Any]]) -> "RuleSet":
        """Return this list, in this version, with other rules before it."""
        return RuleSet.from_json([*others, *self.source], self.version)

    def __bool__(self) -> bool:
        """Whether there is any rule that is on."""
        return bool(self.rules)

    def match(self, context: Context) -> "Effects":
        """Return what the rules do that fire for a context."""
        fired = [rule for rule in self._looked_at(context) if rule.fires(context)]
        return Effects(fired, self._filters, self._masks) if fired else Effects.EMPTY

    def _looked_at(self, context: Context) -> Iterator[Rule]:
        """Yield the rules that may fire, in their order."""
        found = list(self._general)
        for many, words, table in self._tables:
            if many:
                for word in words(context):
                    found += table.get(word, ())
            else:
                found += table.get(words(context), ())
        return (self.rules[number] for number in sorted(set(found)))


def _tables(keys: Sequence[conditions.Key | None]) -> list[tuple[bool, Callable[[Context], Any], Any]]:
    """Return by fact the numbers of the rules that ask for a word: (any number of words, which, the table)."""
    found: dict[str, dict[str, list[int]]] = {}
    for number, key in enumerate(keys):
        if key is not None:
            fact, words = key
            for word in words:
                found.setdefault(fact, {}).setdefault(word, []).append(number)
    return [(fact in MANY, attrgetter({**SINGLE, **MANY}[fact]), table) for fact, table in found.items()]


RuleSet.EMPTY = RuleSet.from_json([], 0)
