"""What the rules that fired for one question do to the candidates. Pure; ``app.rules.evaluation`` says which win."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import ceil, prod
from typing import Any, ClassVar, Final

from app.rules import trace
from app.rules.actions import (
    ANSWERS,
    BOOST,
    BURY,
    FIXED,
    HIDE,
    LEAST_WEIGHT,
    MOST_WEIGHT,
    NOTHING,
    PIN,
    PROMOTE,
    RESTRICT,
    STRATEGY,
    Rule,
    of_kind,
)
from app.rules.context import Item
from app.rules.filters import Filters, bits_of

# A product at place n, from 0, has the score 1 / (10 + n): a boost of 2 takes the eleventh to the first place.
_SCORE_OFFSET: Final = 10


@dataclass(frozen=True, slots=True)
class Promotion:
    """At least so many percent of the places are for products of the filter ``bit``."""

    rule: str
    percent: int
    bit: int


@dataclass(frozen=True, slots=True)
class Masks:
    """The filters of a list of rules by what their actions do, as bits; and the factors by number."""

    hide: int
    restrict: int
    weigh: int
    factors: Mapping[int, float]
    # What eight neighbouring filters come to, by their bits: looked up, where factors would be multiplied one by one.
    _eights: dict[tuple[int, int], float] = field(default_factory=dict)

    @classmethod
    def of(cls, rules: Sequence[Rule]) -> "Masks":
        """Return the masks of all actions of ``rules``."""
        masks = {HIDE: 0, RESTRICT: 0, BOOST: 0, BURY: 0, PROMOTE: 0}
        factors = {}
        for rule in rules:
            for action in rule.actions:
                if action.bit is not None:
                    masks[action.do] |= 1 << action.bit
                    factors[action.bit] = action.factor
        return cls(masks[HIDE], masks[RESTRICT], masks[BOOST] | masks[BURY], factors)

    def weight(self, weighing: int) -> float:
        """Return what the factors of these filters come to, within bounds."""
        weight, first = 1.0, 0
        while weighing:
            if bits := weighing & 0xFF:
                factor = self._eights.get((first, bits))
                if factor is None:
                    factor = self._eights[first, bits] = prod(self.factors[first + n] for n in bits_of(bits))
                weight *= factor
            weighing >>= 8
            first += 8
        return min(max(weight, LEAST_WEIGHT), MOST_WEIGHT)


class Effects:
    """What the rules that fired for one question do. Made by ``RuleSet.match``, for one thread.

    It remembers of each product that it is asked about what was done to it, for ``trace``.

    Attributes:
        fired: the ids of the rules that fired, in order.
        strategy: the strategy that is to answer.
        fixed: the products that are to answer, in order.
        nothing: whether nothing is to be shown.
        pins: products by position, from 0. They still have to be available, and not hidden.
        percent: what is promoted.
    """

    EMPTY: ClassVar["Effects"]

    __slots__ = (
        "_decides", "_filters", "_hide", "_lifted", "_masks", "_matched", "_pinned_by", "_placed", "_restrict",
        "_rules", "_weigh", "_weights", "fired", "fixed", "nothing", "percent", "pins", "strategy",
    )  # fmt: skip

    def __init__(self, rules: Sequence[Rule], filters: Filters, masks: Masks) -> None:
        self._rules, self._filters, self._masks = rules, filters, masks
        self.fired = tuple(rule.id for rule in rules)
        self._decides: Rule | None
        self._decides, answer = next(of_kind(rules, *ANSWERS), (None, None))
        self.strategy = answer.strategy if answer and answer.do == STRATEGY else None
        self.fixed = answer.products if answer and answer.do == FIXED else None
        self.nothing = answer is not None and answer.do == NOTHING
        self._pinned_by: dict[int, Rule] = {}
        self.pins: Mapping[int, str] = {} if self.nothing else self._first_pins()
        fired = 0
        for rule in rules:
            fired |= rule.mask
        self._hide = 0 if self.nothing else fired & masks.hide
        self._restrict = 0 if self.nothing else fired & masks.restrict
        in_order = self.nothing or self.fixed is not None
        self._weigh = 0 if in_order else fired & masks.weigh
        promotions = () if in_order else of_kind(rules, PROMOTE)
        self.percent = tuple(Promotion(rule.id, a.percent, a.bit or 0) for rule, a in promotions)
        self._weights: dict[int, float] = {}
        self._matched: dict[str, int] = {}
        self._lifted: dict[int, list[str]] = {}
        self._placed: dict[str, int] = {}

    def _first_pins(self) -> dict[int, str]:
        pins: dict[int, str] = {}
        for rule, action in of_kind(self._rules, PIN):
            if action.position not in pins and action.product not in pins.values():
                pins[action.position] = action.product
                self._pinned_by[action.position] = rule
        return pins

    def __bool__(self) -> bool:
        """Whether any rule fired."""
        return bool(self._rules)

    @property
    def named(self) -> tuple[str, ...]:
        """The products that the rules name to be shown: they are needed though nothing recommends them."""
        return tuple(dict.fromkeys((*(self.fixed or ()), *self.pins.values())))

    @property
    def _touches(self) -> bool:
        """Whether any product's place depends on what it is."""
        return bool(self._hide or self._restrict or self._weigh or self.percent)

    def weigh(self, item: Item) -> float | None:
        """Return by what a product's score is multiplied, None where it may not be shown."""
        if not self._touches:
            return 1.0
        matched = self._matched[item.product_id] = self._filters.matching(item)
        if self._is_hidden(matched):
            return None
        weighing = matched & self._weigh
        if not weighing:
            return 1.0
        weight = self._weights.get(weighing)
        if weight is None:
            weight = self._weights[weighing] = self._masks.weight(weighing)
        return weight

    def _is_hidden(self, matched: int) -> bool:
        return bool(matched & self._hide or self._restrict & ~matched)

    def arrange(
        self, items: Sequence[Item], shown: int, multipliers: Mapping[str, float] | None = None
    ) -> list[int]:
        """Return the numbers of the candidates that may be shown, in the order that the rules give them.

        Args:
            items: the candidates, best first.
            shown: how many of them are to be shown; promotions keep their share of so many places.
            multipliers: further factors of scores, by product id, such as of what was shown too often.
        """
        if not self._touches and (not multipliers or self.fixed is not None):
            return list(range(len(items)))
        others = multipliers if multipliers and self.fixed is None else {}
        scored = []
        for place, item in enumerate(items):
            weight = self.weigh(item)
            if weight is not None:
                score = weight * others.get(item.product_id, 1.0) / (_SCORE_OFFSET + place)
                scored.append((-score, place))
        scored.sort()
        order = [place for _, place in scored]
        return self._promoted(order, items, shown) if self.percent else order

    def _promoted(self, order: list[int], items: Sequence[Item], shown: int) -> list[int]:
        """Return ``order`` with products of promotions brought into the first ``shown`` places.

        Pinned products are placed by ``pinned`` and keep their place here; they count for a promotion of theirs.
        """
        pinned = {product for position, product in self.pins.items() if position < shown}
        free = [place for place in order if items[place].product_id not in pinned]
        matched = [self._matched[items[place].product_id] for place in free]
        standing = {place for place in order if items[place].product_id in pinned}
        matched_there = [self._matched[items[place].product_id] for place in standing]
        window = min(max(0, shown - len(pinned)), len(free))
        taken: dict[int, int] = {}  # numbers in ``free``, and whose promotion took them
        for promotion in self.percent:
            bit = 1 << promotion.bit
            wanted = ceil(promotion.percent * shown / 100)
            wanted -= sum(bool(matched[n] & bit) for n in taken) + sum(bool(m & bit) for m in matched_there)
            wanted = max(0, min(wanted, window - len(taken)))
            more = islice((n for n, m in enumerate(matched) if m & bit and n not in taken), wanted)
            taken.update(dict.fromkeys(more, promotion.bit))
            if len(taken) == window:
                break
        inside = {*taken, *islice((n for n in range(len(free)) if n not in taken), window - len(taken))}
        outside = [n for n in range(len(free)) if n not in inside]
        # Who stays while one that stood before goes is there by the promotion, wherever it came from.
        for n, bit in taken.items():
            if outside and n > outside[0]:
                self._lift(bit, items[free[n]].product_id)
        rest = iter([free[n] for n in (*sorted(inside), *outside)])
        return [place if place in standing else next(rest) for place in order]

    def _lift(self, bit: int, product: str) -> None:
        lifted = self._lifted.setdefault(bit, [])
        if product not in lifted:  # asked again, of more candidates, it may lift others
            lifted.append(product)

    def pinned(
        self, ids: Sequence[str], limit: int, *, available: Collection[str] | None = None
    ) -> list[str]:
        """Return ``ids`` with the pinned products at their positions, ``limit`` at most.

        Where the list is shorter than a position, the product comes last. A product that ``weigh`` was not asked
        about is hidden only where a filter names it.

        Args:
            ids: the products that were selected, in order.
            limit: how many are shown.
            available: which products can be shown now; None: all that are pinned.
        """
        pins = {
            position: product
            for position, product in self.pins.items()
            if position < limit and (available is None or product in available) and not self._hides(product)
        }
        if not pins:
            return list(ids[:limit])
        moved = set(pins.values())
        rest = iter([id_ for id_ in ids if id_ not in moved])
        result: list[str] = []
        for position in range(limit):
            following = pins.pop(position, None) or next(rest, None)
            if following is None:
                break
            result.append(following)
        result += [pins[position] for position in sorted(pins)][: limit - len(result)]
        self._placed = {product: place for place, product in enumerate(result) if product in moved}
        return result

    def _hides(self, product: str) -> bool:
        matched = self._matched.get(product)
        if matched is None:
            return bool(self._filters.matching(Item(product, None, None, frozenset(), None)) & self._hide)
        return self._is_hidden(matched)

    @property
    def trace(self) -> list[dict[str, Any]]:
        """What each rule that fired did, as JSON; see ``app.rules.trace``."""
        return trace.told(
            trace.Done(
                rules=self._rules,
                decides=self._decides,
                nothing=self.nothing,
                in_order=self.fixed is not None,
                pins=self.pins,
                pinned_by=self._pinned_by,
                placed=self._placed,
                matched=self._matched,
                lifted=self._lifted,
                hide=self._hide,
                restrict=self._restrict,
            )
        )


Effects.EMPTY = Effects((), Filters(()), Masks.of(()))
