"""The conditions of the merchant's own segments: read, evaluated over many people at once, and put into words.

A definition is JSON: ``{"all": […]}``, ``{"any": […]}``, ``{"not": …}`` around facts with a range, such as
``{"fact": "orders", "at_least": 3, "within_days": 90}``. A fact is a whole number of each person; it may be unknown
(the days since an order of who never ordered), and then no range holds. ``app.segments.schemas`` says which definitions
are valid.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import numpy as np

from app.commerce.changes import Channel
from app.core.money import to_major
from app.segments.facts import Carts, Events, Facts, Holdings, Integers, Orders, Truths
from app.segments.rfm import DAY_S, Cuts, Measures, Scores, lifetime_value, score

CHANNELS: Final = tuple(channel.value for channel in Channel)


@dataclass(frozen=True, slots=True)
class Fact:
    """What can be asked of a person.

    Attributes:
        options: which restrictions it takes besides its range.
        rooms: what has to be loaded for it: ``orders``, ``events``, ``carts``; none for what scores are made of.
        meaning: for the documentation.
    """

    options: tuple[str, ...]
    room: str
    meaning: str


ORDERS, EVENTS, CARTS, SCORES = "orders", "events", "carts", "scores"
_OF: Final = ("products", "categories")
FACTS: Final[Mapping[str, Fact]] = {
    "orders": Fact((*_OF, "channel", "within_days"), ORDERS, "number of orders (with such products)"),
    "revenue": Fact(("channel", "within_days"), ORDERS, "money spent, net of refunds, in minor units"),
    "average_order": Fact(("channel", "within_days"), ORDERS, "revenue by orders, rounded down, in minor units"),
    "discounted_percent": Fact(("channel", "within_days"), ORDERS, "share of the orders that had a discount"),
    "days_since_order": Fact((*_OF, "channel"), ORDERS, "whole days since the last (such) order"),
    "events": Fact((*_OF, "event", "within_days"), EVENTS, "number of events of one name"),
    "carts": Fact((*_OF, "state", "within_days"), CARTS, "number of carts"),
    "cart_value": Fact((*_OF, "state", "within_days"), CARTS, "worth of the dearest such cart, in minor units"),
    "recency_days": Fact((), SCORES, "whole days since the last order of the window"),
    "frequency": Fact((), SCORES, "orders of the window"),
    "monetary": Fact((), SCORES, "their revenue, net of refunds, in minor units"),
    "recency_score": Fact((), SCORES, "1 to 5; 5 bought last"),
    "frequency_score": Fact((), SCORES, "1 to 5; 5 buys most often"),
    "monetary_score": Fact((), SCORES, "1 to 5; 5 spends most"),
    "lifetime_value": Fact((), SCORES, "expected revenue of the next year, in minor units"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leaf:
    """One fact within a range, both ends included."""

    fact: str
    at_least: int | None = None
    at_most: int | None = None
    within_days: int | None = None
    channel: str | None = None
    state: str | None = None
    event: str | None = None
    products: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def subject(self) -> tuple[Any, ...]:
        """What is measured, without the range."""
        of = (tuple(sorted(self.products)), tuple(sorted(self.categories)))
        return (self.fact, self.within_days, self.channel, self.state, self.event, *of)


@dataclass(frozen=True, slots=True)
class Every:
    """All of them hold."""

    inner: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of them holds."""

    inner: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    inner: "Condition"


Condition = Every | Some | Not | Leaf


def read(definition: Mapping[str, Any]) -> Condition:
    """Return a valid definition as conditions."""
    if "all" in definition:
        return Every(tuple(map(read, definition["all"])))
    if "any" in definition:
        return Some(tuple(map(read, definition["any"])))
    if "not" in definition:
        return Not(read(definition["not"]))
    values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in definition.items()}
    return Leaf(**values)


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Yield every fact of a condition, from left to right."""
    if isinstance(condition, Leaf):
        yield condition
    else:
        for inner in (condition.inner,) if isinstance(condition, Not) else condition.inner:
            yield from leaves(inner)


def needs(condition: Condition) -> frozenset[str]:
    """Return which rooms a condition asks: ``orders``, ``events``, ``carts``, ``scores``."""
    return frozenset(FACTS[leaf.fact].room for leaf in leaves(condition))


# --- evaluating -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """Facts of a group with what was scored of them."""

    facts: Facts
    measures: Measures
    scores: Scores
    cuts: Cuts

    @classmethod
    def of(cls, facts: Facts, measures: Measures, cuts: Cuts) -> "Known":
        """Score a group by a store's cut points."""
        return cls(facts, measures, score(measures, cuts), cuts)


Numbers = tuple[Integers, Truths]


class Evaluation:
    """Evaluates conditions over one group; what two of them share is calculated once."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._numbers: dict[tuple[Any, ...], Numbers] = {}

    def holds(self, condition: Condition) -> Truths:
        """Return of whom a condition holds, bool[people]."""
        match condition:
            case Every(inner):
                return reduce(np.logical_and, [self.holds(each) for each in inner])
            case Some(inner):
                return reduce(np.logical_or, [self.holds(each) for each in inner])
            case Not(inner):
                return ~self.holds(inner)
            case Leaf():
                numbers, is_known = self.numbers(condition)
                held = is_known.copy()
                if condition.at_least is not None:
                    held &= numbers >= condition.at_least
                if condition.at_most is not None:
                    held &= numbers <= condition.at_most
                return held

    def numbers(self, leaf: Leaf) -> Numbers:
        """Return a fact of everybody, int64[people], and of whom it is known, bool[people]."""
        found = self._numbers.get(leaf.subject)
        if found is None:
            found = self._numbers[leaf.subject] = _CALCULATIONS[FACTS[leaf.fact].room](leaf, self._known)
        return found


def _of_scores(leaf: Leaf, known: Known) -> Numbers:
    measures, scores = known.measures, known.scores
    numbers: dict[str, Callable[[], Integers]] = {
        "recency_days": lambda: measures.recency_days,
        "frequency": lambda: measures.orders,
        "monetary": lambda: measures.revenue,
        "recency_score": lambda: scores.recency,
        "frequency_score": lambda: scores.frequency,
        "monetary_score": lambda: scores.monetary,
        "lifetime_value": lambda: lifetime_value(measures, known.cuts),
    }
    return numbers[leaf.fact](), measures.bought


def _of_orders(leaf: Leaf, known: Known) -> Numbers:
    facts, orders = known.facts, known.facts.orders
    chosen = _chosen(leaf, facts, orders, orders.holds)
    if leaf.channel is not None:
        chosen &= orders.channel == leaf.channel
    count = _count(orders.person[chosen], facts.people)
    if leaf.fact == "orders":
        return count, np.ones(facts.people, np.bool_)
    if leaf.fact == "days_since_order":
        newest = _most(orders.person[chosen], orders.at[chosen], facts.people)
        return np.maximum(0, (facts.as_of - newest) // DAY_S), count > 0
    if leaf.fact == "discounted_percent":
        discounted = _count(orders.person[chosen & orders.discounted], facts.people)
        return 100 * discounted // np.maximum(count, 1), count > 0
    revenue = np.zeros(facts.people, np.int64)
    np.add.at(revenue, orders.person[chosen], orders.revenue[chosen])
    if leaf.fact == "revenue":
        return revenue, np.ones(facts.people, np.bool_)
    return revenue // np.maximum(count, 1), count > 0


def _of_events(leaf: Leaf, known: Known) -> Numbers:
    facts, events = known.facts, known.facts.events
    chosen = _chosen(leaf, facts, events, events.holds) & (events.name == leaf.event)
    return _count(events.person[chosen], facts.people), np.ones(facts.people, np.bool_)


def _of_carts(leaf: Leaf, known: Known) -> Numbers:
    facts, carts = known.facts, known.facts.carts
    chosen = _chosen(leaf, facts, carts, carts.holds)
    if leaf.state is not None:
        chosen &= carts.state == leaf.state
    count = _count(carts.person[chosen], facts.people)
    if leaf.fact == "carts":
        return count, np.ones(facts.people, np.bool_)
    return _most(carts.person[chosen], carts.value[chosen], facts.people), count > 0


_CALCULATIONS: Final[Mapping[str, Callable[[Leaf, Known], Numbers]]] = {
    ORDERS: _of_orders,
    EVENTS: _of_events,
    CARTS: _of_carts,
    SCORES: _of_scores,
}


def _chosen(leaf: Leaf, facts: Facts, things: Orders | Events | Carts, holds: Holdings) -> Truths:
    """Return which orders, events or carts lie in a leaf's window and hold one of its products."""
    chosen = np.ones(len(things.at), np.bool_)
    if leaf.within_days is not None:
        chosen &= things.at > facts.as_of - leaf.within_days * DAY_S
    if leaf.products or leaf.categories:
        wanted = np.isin(holds.product, facts.catalogue.ids(leaf.products, leaf.categories))
        has = np.zeros(len(things.at), np.bool_)
        has[holds.holder[wanted]] = True
        chosen &= has
    return chosen


def _count(who: Integers, people: int) -> Integers:
    return np.bincount(who, minlength=people).astype(np.int64)


def _most(who: Integers, values: Integers, people: int) -> Integers:
    """Return each one's largest value; 0 of who has none."""
    found = np.zeros(people, np.int64)
    np.maximum.at(found, who, values)
    return found


# --- words ----------------------------------------------------------------------------------------------

_MONEY: Final = frozenset({"revenue", "average_order", "cart_value", "monetary", "lifetime_value"})
# How a fact is said with a range (``{}``), and how without one, before what restricts it.
_SAID: Final = {
    "orders": ("{} order{s}", "orders"),
    "revenue": ("{} spent", "money spent"),
    "average_order": ("{} an order on average", "average order"),
    "discounted_percent": ("a discount in {} percent of the orders", "percent of orders with a discount"),
    "days_since_order": ("the last order{of} {} day{s} ago", "days since the last order{of}"),
    "events": ("{} event{s} “{event}”", "events “{event}”"),
    "carts": ("{} {state}cart{s}", "{state}carts"),
    "cart_value": ("{a} {state}cart{of} worth {}", "worth of the dearest {state}cart{of}"),
    "recency_days": ("the last order {} day{s} ago", "days since the last order"),
    "frequency": ("{} order{s} within the scored days", "orders within the scored days"),
    "monetary": ("{} spent within the scored days", "money spent within the scored days"),
    "recency_score": ("a recency score of {}", "recency score"),
    "frequency_score": ("a frequency score of {}", "frequency score"),
    "monetary_score": ("a monetary score of {}", "monetary score"),
    "lifetime_value": ("{} expected to be spent within a year", "money expected within a year"),
}
# Facts that name the products within, not behind.
_WITHIN: Final = ("days_since_order", "cart_value")
_LISTED: Final = 3


def explain(condition: Condition, currency: str) -> str:
    """Return a condition as one English sentence; amounts are in ``currency``."""
    return f"Customers {_phrase(condition, currency)}."


def _phrase(condition: Condition, currency: str) -> str:
    match condition:
        case Every(inner):
            return " and ".join(_nested(each, currency, Some) for each in inner)
        case Some(inner):
            return " or ".join(_nested(each, currency, Every) for each in inner)
        case Not(Leaf() as leaf):
            return f"without {said(leaf, currency)}"
        case Not(inner):
            return f"not ({_phrase(inner, currency)})"
        case Leaf():
            return f"with {said(condition, currency)}"


def _nested(condition: Condition, currency: str, other: type) -> str:
    phrase = _phrase(condition, currency)
    mixed = isinstance(condition, other) and len(list(leaves(condition))) > 1
    return f"({phrase})" if mixed else phrase


def said(leaf: Leaf, currency: str) -> str:
    """Return a leaf in words, such as ``at least 3 orders within the last 90 days``."""
    return _filled(_SAID[leaf.fact][0], leaf, _range(leaf, currency))


def measured(leaf: Leaf) -> str:
    """Return what a leaf measures in words, without its range, such as ``orders within the last 90 days``."""
    return _filled(_SAID[leaf.fact][1], leaf, "")


def _filled(pattern: str, leaf: Leaf, bounds: str) -> str:
    of, state = _of_products(leaf), f"{leaf.state} " if leaf.state else ""
    last = leaf.at_least if leaf.at_most is None else leaf.at_most
    said_so = pattern.format(
        bounds,
        s="" if last == 1 else "s",
        a="an" if state[:1] in ("o", "a") else "a",
        of=of,
        state=state,
        event=leaf.event,
    )
    said_so += "" if leaf.fact in _WITHIN else of
    if leaf.channel is not None:
        said_so += f" by channel {leaf.channel}"
    if leaf.within_days is not None:
        said_so += f" within the last {leaf.within_days} days"
    return said_so


def _of_products(leaf: Leaf) -> str:
    parts = [
        f"{kind} {_enumerated(names)}"
        for kind, names in (("product", leaf.products), ("category", leaf.categories))
        if names
    ]
    return f" with {' or '.join(parts)}" if parts else ""


def _enumerated(names: tuple[str, ...]) -> str:
    shown = [f"“{name}”" for name in names[:_LISTED]]
    if len(names) > _LISTED:
        shown.append(f"{len(names) - _LISTED} more")
    return " or ".join(shown)


def _range(leaf: Leaf, currency: str) -> str:
    low, high = (_number(leaf.fact, value, currency) for value in (leaf.at_least, leaf.at_most))
    if leaf.at_least == leaf.at_most:
        return f"exactly {low}"
    if leaf.at_most is None:
        return f"at least {low}"
    if leaf.at_least is None:
        return f"at most {high}"
    return f"{low} to {high}"


def _number(fact: str, value: int | None, currency: str) -> str:
    return f"{to_major(value or 0, currency)} {currency}" if fact in _MONEY else str(value)
