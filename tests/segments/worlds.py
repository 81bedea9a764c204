"""Small worlds of people who order, look and fill carts: drawn at random, and read by a naive interpreter."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from app.segments import rfm
from app.segments.conditions import CHANNELS, FACTS, Known
from app.segments.facts import CART_STATES, Carts, Catalogue, Events, Facts, Holdings, Orders

NOW = 1_800_000_000
DAY = 86_400
PRODUCTS = {"a": 11, "b": 12, "c": 13}
CATEGORIES = {"Mugs": {"a", "b"}, "Hats": {"c"}}
EVENTS = ("Product Viewed", "Product Added")


@dataclass
class Thing:
    """An order, an event or a cart: how many seconds ago, worth what, holding which products, and what kind it is."""

    ago: int
    amount: int = 0
    products: frozenset[str] = frozenset()
    kind: str = ""
    discounted: bool = False


@dataclass
class Someone:
    """A person."""

    orders: list[Thing] = field(default_factory=list)
    events: list[Thing] = field(default_factory=list)
    carts: list[Thing] = field(default_factory=list)


def _things(kinds: tuple[str, ...]) -> st.SearchStrategy[list[Thing]]:
    # Around the ends of windows.
    ago = st.builds(
        lambda days, by: max(0, days * DAY + by), st.sampled_from([0, 1, 7, 30, 90, 800]), st.integers(-1, 1)
    )
    thing = st.builds(
        Thing,
        ago=ago,
        amount=st.integers(-5, 50),
        products=st.frozensets(st.sampled_from(sorted(PRODUCTS))),
        kind=st.sampled_from(kinds),
        discounted=st.booleans(),
    )
    return st.lists(thing, max_size=4)


worlds = st.lists(
    st.builds(Someone, orders=_things(CHANNELS), events=_things(EVENTS), carts=_things(CART_STATES)),
    min_size=1,
    max_size=6,
)


def _of_fact(fact: str) -> st.SearchStrategy[dict[str, Any]]:
    options: dict[str, st.SearchStrategy[Any]] = {
        "products": st.lists(st.sampled_from([*PRODUCTS, "unknown"]), min_size=1, max_size=2),
        "categories": st.lists(st.sampled_from([*CATEGORIES, "Shoes"]), min_size=1, max_size=2),
        "channel": st.sampled_from(CHANNELS),
        "state": st.sampled_from(CART_STATES),
        "within_days": st.sampled_from([1, 7, 30, 90]),
        "event": st.sampled_from(EVENTS),
    }
    taken = {name: options[name] for name in FACTS[fact].options}
    required = {"fact": st.just(fact)} | ({"event": taken.pop("event")} if "event" in taken else {})
    number = st.integers(0, 60) if "score" not in fact else st.integers(0, 5)
    ranges = st.one_of(
        st.fixed_dictionaries({"at_least": number}),
        st.fixed_dictionaries({"at_most": number}),
        st.tuples(number, number).map(lambda n: {"at_least": min(n), "at_most": max(n)}),
    )
    return st.builds(lambda one, two: {**one, **two}, st.fixed_dictionaries(required, optional=taken), ranges)


definitions = st.recursive(
    st.sampled_from(sorted(FACTS)).flatmap(_of_fact),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda found: {"all": found}),
        st.lists(inner, min_size=1, max_size=3).map(lambda found: {"any": found}),
        inner.map(lambda found: {"not": found}),
    ),
    max_leaves=6,
)


# --- as the code wants it -------------------------------------------------------------------------------


def _columns(people: list[Someone], what: str) -> tuple[list[tuple[int, Thing]], Holdings]:
    things = [(place, thing) for place, person in enumerate(people) for thing in getattr(person, what)]
    held = [(at, PRODUCTS[p]) for at, (_, thing) in enumerate(things) for p in sorted(thing.products)]
    return things, Holdings(
        np.array([at for at, _ in held], np.int64), np.array([product for _, product in held], np.int64)
    )


def _integers(values: list[int]) -> Any:
    return np.array(values, np.int64)


def facts_of(people: list[Someone]) -> Facts:
    """Return a world as arrays."""
    orders, held_by_orders = _columns(people, "orders")
    events, held_by_events = _columns(people, "events")
    carts, held_by_carts = _columns(people, "carts")
    return Facts(
        people=len(people),
        as_of=NOW,
        orders=Orders(
            _integers([p for p, _ in orders]),
            _integers([NOW - t.ago for _, t in orders]),
            _integers([t.amount for _, t in orders]),
            np.array([t.discounted for _, t in orders], np.bool_),
            np.array([t.kind for _, t in orders], np.str_),
            held_by_orders,
        ),
        events=Events(
            _integers([p for p, _ in events]),
            _integers([NOW - t.ago for _, t in events]),
            np.array([t.kind for _, t in events], np.str_),
            held_by_events,
        ),
        carts=Carts(
            _integers([p for p, _ in carts]),
            _integers([NOW - t.ago for _, t in carts]),
            np.array([t.kind for _, t in carts], np.str_),
            _integers([abs(t.amount) for _, t in carts]),
            held_by_carts,
        ),
        catalogue=Catalogue(
            PRODUCTS, {c: _integers(sorted(PRODUCTS[p] for p in of)) for c, of in CATEGORIES.items()}
        ),
    )


def known_of(people: list[Someone]) -> Known:
    """Return a world with its own scores."""
    facts = facts_of(people)
    measures = rfm.measure(facts.people, facts.orders, facts.as_of)
    return Known.of(facts, measures, rfm.cut(measures))


# --- the naive interpreter ------------------------------------------------------------------------------


def holds(definition: dict[str, Any], place: int, people: list[Someone], known: Known) -> bool:
    """Say whether a definition holds of a person, one person and one condition at a time."""
    if "all" in definition:
        return all(holds(inner, place, people, known) for inner in definition["all"])
    if "any" in definition:
        return any(holds(inner, place, people, known) for inner in definition["any"])
    if "not" in definition:
        return not holds(definition["not"], place, people, known)
    number = _number(definition, place, people[place], known)
    low, high = definition.get("at_least", -(10**20)), definition.get("at_most", 10**20)
    return number is not None and bool(low <= number <= high)


def _number(leaf: dict[str, Any], place: int, person: Someone, known: Known) -> int | None:
    fact = leaf["fact"]
    if fact in ("events", "carts", "cart_value"):
        things = person.events if fact == "events" else person.carts
        wanted = leaf.get("event") or leaf.get("state")
        found = [t for t in things if _matches(t, leaf) and wanted in (None, t.kind)]
        if fact == "cart_value":
            return max((abs(t.amount) for t in found), default=None)
        return len(found)
    if not FACTS[fact].options:
        return _scored(fact, place, person, known)
    found = [t for t in person.orders if _matches(t, leaf) and leaf.get("channel") in (None, t.kind)]
    spent = sum(t.amount for t in found)
    return {
        "orders": lambda: len(found),
        "revenue": lambda: spent,
        "average_order": lambda: spent // len(found) if found else None,
        "discounted_percent": lambda: 100 * sum(t.discounted for t in found) // len(found) if found else None,
        "days_since_order": lambda: min((t.ago // DAY for t in found), default=None),
    }[fact]()


def _scored(fact: str, place: int, person: Someone, known: Known) -> int | None:
    found = [t for t in person.orders if t.ago < rfm.WINDOW_DAYS * DAY]
    if not found:
        return None
    return {
        "recency_days": min(t.ago // DAY for t in found),
        "frequency": len(found),
        "monetary": sum(t.amount for t in found),
        "recency_score": int(known.scores.recency[place]),
        "frequency_score": int(known.scores.frequency[place]),
        "monetary_score": int(known.scores.monetary[place]),
        "lifetime_value": int(rfm.lifetime_value(known.measures, known.cuts)[place]),
    }[fact]


def _matches(thing: Thing, leaf: dict[str, Any]) -> bool:
    if thing.ago >= leaf.get("within_days", 10**9) * DAY:
        return False
    if "products" not in leaf and "categories" not in leaf:
        return True
    wanted = set(leaf.get("products", ()))
    wanted |= {p for c in leaf.get("categories", ()) for p in CATEGORIES.get(c, ())}
    return bool(wanted & thing.products)
