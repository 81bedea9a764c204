"""What has to hold for a rule to fire, compiled into predicates. Pure.

A condition is JSON: ``{"all": […]}``, ``{"any": […]}``, ``{"not": …}`` around facts, such as
``{"fact": "category", "in": ["Mugs"]}``, ``{"fact": "cart_value", "at_least": 5000}`` or
``{"fact": "time", "weekdays": ["sat"], "from": "09:00", "to": "17:00"}``. What is not known is in no list and in no
range. ``app.rules.schemas`` says which conditions are valid; these functions expect valid ones.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.rules.context import Context

Predicate = Callable[[Context], bool]

# Facts that are one word of the context, by its attribute, and facts that are any number of words.
SINGLE: Final[Mapping[str, str]] = {
    "slot": "slot",
    "product": "product_id",
    "category": "category",
    "intent": "intent",
    "channel": "channel",
    "country": "country",
    "device": "device",
}
MANY: Final[Mapping[str, str]] = {
    "tag": "tags",
    "cart_product": "cart",
    "cart_category": "cart_categories",
    "cart_tag": "cart_tags",
    "segment": "segments",
}
CART_VALUE, CART_SIZE, TIME = "cart_value", "cart_size", "time"
NUMBERS: Final = (CART_VALUE, CART_SIZE)
FACTS: Final = (*SINGLE, *MANY, *NUMBERS, TIME)

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 24 * 60


def always(_context: Context) -> bool:
    """Hold, whatever is asked."""
    return True


def compiled(condition: Mapping[str, Any] | None) -> Predicate:
    """Return a condition as a predicate; no condition always holds."""
    if condition is None:
        return always
    if "all" in condition:
        return _every([compiled(inner) for inner in condition["all"]])
    if "any" in condition:
        return _some([compiled(inner) for inner in condition["any"]])
    if "not" in condition:
        return _none(compiled(condition["not"]))
    return _fact(condition)


def _every(inner: Collection[Predicate]) -> Predicate:
    if len(inner) == 1:
        return next(iter(inner))

    def holds(context: Context) -> bool:
        for predicate in inner:  # noqa: SIM110 - a generator takes twice as long
            if not predicate(context):
                return False
        return True

    return holds


def _some(inner: Collection[Predicate]) -> Predicate:
    if len(inner) == 1:
        return next(iter(inner))

    def holds(context: Context) -> bool:
        for predicate in inner:  # noqa: SIM110 - a generator takes twice as long
            if predicate(context):
                return True
        return False

    return holds


def _none(inner: Predicate) -> Predicate:
    return lambda context: not inner(context)


def _fact(leaf: Mapping[str, Any]) -> Predicate:
    fact = leaf["fact"]
    if fact in SINGLE:
        word, allowed = attrgetter(SINGLE[fact]), frozenset(leaf["in"])
        return lambda context: word(context) in allowed
    if fact in MANY:
        words, wanted = attrgetter(MANY[fact]), frozenset(leaf["in"])
        return lambda context: not wanted.isdisjoint(words(context))
    if fact == TIME:
        window = Window.of(leaf)
        return lambda context: window.holds(*local(context.now, context.timezone))
    low, high = leaf.get("at_least", 0), leaf.get("at_most")
    return lambda context: _in_range(_number(fact, context), low, high)


def _number(fact: str, context: Context) -> int | None:
    return len(context.cart) if fact == CART_SIZE else context.cart_value


def _in_range(number: int | None, low: int, high: int | None) -> bool:
    return number is not None and number >= low and (high is None or number <= high)


# --- time -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some weekdays. One that ends before it begins lasts over midnight, into the day after its weekday.

    Attributes:
        days: weekdays, Monday is 0.
        start: the first minute of the day that is in it.
        end: the first minute that is not; 1440 is midnight.
    """

    days: frozenset[int]
    start: int
    end: int

    @classmethod
    def of(cls, leaf: Mapping[str, Any]) -> "Window":
        """Return the window that a fact about the time speaks of."""
        days = frozenset(WEEKDAYS.index(day) for day in leaf.get("weekdays", WEEKDAYS))
        return cls(days, minutes(leaf.get("from", "00:00")), minutes(leaf.get("to", "24:00")))

    def holds(self, weekday: int, minute: int) -> bool:
        """Whether a minute of a weekday is in it."""
        if self.start < self.end:
            return weekday in self.days and self.start <= minute < self.end
        if minute >= self.start:
            return weekday in self.days
        return minute < self.end and (weekday - 1) % 7 in self.days


def minutes(clock: str) -> int:
    """Return how many minutes of the day have passed at ``HH:MM``."""
    hours, _, rest = clock.partition(":")
    return 60 * int(hours) + int(rest)


@lru_cache(maxsize=64)
def local(now: datetime, timezone: str) -> tuple[int, int]:
    """Return weekday (Monday is 0) and minute of the day at ``now`` where ``timezone`` counts."""
    there = now.astimezone(ZoneInfo(timezone))
    return there.weekday(), 60 * there.hour + there.minute


# --- what a rule can be found by ------------------------------------------------------------------------

Key = tuple[str, frozenset[str]]


def key_of(condition: Mapping[str, Any] | None) -> Key | None:
    """Return a fact and words of which one must be the context's for the condition to hold; None where none must.

    Of several the one with the fewest words, so that a rule is looked at as seldom as possible.
    """
    if condition is None or "not" in condition:
        return None
    if "all" in condition:
        keys = [key for inner in condition["all"] if (key := key_of(inner)) is not None]
        return min(keys, key=lambda key: (key[0] == "slot", len(key[1])), default=None)
    if "any" in condition:
        return _joined([key_of(inner) for inner in condition["any"]])
    return (condition["fact"], frozenset(condition["in"])) if "in" in condition else None


def _joined(keys: list[Key | None]) -> Key | None:
    """Return one key for alternatives, where all are of one fact."""
    found = [key for key in keys if key is not None]
    if len(found) < len(keys) or len({fact for fact, _ in found}) != 1:
        return None
    return found[0][0], frozenset().union(*(words for _, words in found))
