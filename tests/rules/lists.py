"""Rules, contexts and items for tests: by hand, and drawn by hypothesis."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from app.rules.conditions import MANY, SINGLE, WEEKDAYS
from app.rules.context import Context, Item

SUNDAY_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTHING_KNOWN = Context(
    now=SUNDAY_NOON, timezone="UTC", slot=None, product_id=None, category=None, tags=frozenset(), cart=(),
    cart_categories=frozenset(), cart_tags=frozenset(), cart_value=None, currency="EUR", segments=frozenset(),
    intent=None, channel=None, country=None, device=None,
)  # fmt: skip


def context(**known: Any) -> Context:
    """Return a context of which only so much is known."""
    return replace(NOTHING_KNOWN, **known)


def item(product: str, **known: Any) -> Item:
    """Return an item of which only so much is known."""
    fields: dict[str, Any] = {"category": None, "vendor": None, "tags": frozenset(), "price": None, **known}
    return Item(product, **fields)


def rule(id_: str, *then: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Return a rule as it is stored; ``given`` is its condition."""
    condition = {"if": others.pop("given")} if "given" in others else {}
    return {"id": id_, "name": id_, "enabled": True, **condition, "then": list(then), **others}


def fact(name: str, *words: str) -> dict[str, Any]:
    """Return a condition on words."""
    return {"fact": name, "in": list(words)}


def pin(product: str, position: int) -> dict[str, Any]:
    return {"do": "pin", "product": product, "position": position}


def hide(**filter_: Any) -> dict[str, Any]:
    return {"do": "hide", "filter": filter_}


def restrict(**filter_: Any) -> dict[str, Any]:
    return {"do": "restrict", "filter": filter_}


def boost(factor: float, **filter_: Any) -> dict[str, Any]:
    return {"do": "boost" if factor > 1 else "bury", "factor": factor, "filter": filter_}


def promote(percent: int, **filter_: Any) -> dict[str, Any]:
    return {"do": "promote", "percent": percent, "filter": filter_}


def strategy(name: str) -> dict[str, Any]:
    return {"do": "strategy", "strategy": name}


def fixed(*products: str) -> dict[str, Any]:
    return {"do": "fixed", "products": list(products)}


NOTHING = {"do": "nothing"}

# --- drawn ----------------------------------------------------------------------------------------------

words = st.sampled_from(["a", "b", "c"])
word_lists = st.lists(words, min_size=1, max_size=3, unique=True)
word_sets = st.frozensets(words, max_size=3)
products = st.sampled_from([f"p{n}" for n in range(12)])
prices = st.integers(0, 30)


@st.composite
def ranges(draw: Any) -> tuple[int, int]:
    low = draw(prices)
    return low, low + draw(st.integers(0, 15))


@st.composite
def windows(draw: Any) -> dict[str, Any]:
    start, end = draw(
        st.lists(st.sampled_from(["00:00", "06:30", "12:00", "18:15"]), min_size=2, max_size=2, unique=True)
    )
    days = draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=4, unique=True))
    return {"fact": "time", "weekdays": days, "from": start, "to": end}


@st.composite
def number_facts(draw: Any) -> dict[str, Any]:
    low, high = draw(ranges())
    bounds = draw(st.sampled_from([{"at_least": low}, {"at_most": high}, {"at_least": low, "at_most": high}]))
    return {"fact": draw(st.sampled_from(["cart_value", "cart_size"])), **bounds}


word_facts = st.builds(lambda name, of: fact(name, *of), st.sampled_from([*SINGLE, *MANY]), word_lists)
facts = st.one_of(word_facts, word_facts, word_facts, number_facts(), windows())
conditions = st.recursive(
    facts,
    lambda inner: st.one_of(
        st.builds(lambda found: {"all": found}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda found: {"any": found}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda found: {"not": found}, inner),
    ),
    max_leaves=5,
)


@st.composite
def contexts(draw: Any) -> Context:
    single = {attribute: draw(st.none() | words) for attribute in SINGLE.values()}
    many = {attribute: draw(word_sets) for attribute in MANY.values() if attribute != "cart"}
    return replace(
        NOTHING_KNOWN,
        **single,
        **many,
        cart=tuple(draw(st.lists(words, max_size=4))),
        cart_value=draw(st.none() | prices),
        now=SUNDAY_NOON + timedelta(minutes=draw(st.integers(0, 14 * 24 * 60))),
        timezone=draw(st.sampled_from(["UTC", "Asia/Tokyo"])),
    )


@st.composite
def filters(draw: Any) -> dict[str, Any]:
    low, high = draw(ranges())
    every = {
        "products": draw(st.lists(products, min_size=1, max_size=3, unique=True)),
        "categories": draw(word_lists),
        "tags": draw(word_lists),
        "vendors": draw(word_lists),
        "price_at_least": low,
        "price_at_most": high,
    }
    names = draw(st.lists(st.sampled_from(list(every)), min_size=1, max_size=2, unique=True))
    return {name: every[name] for name in names}


@st.composite
def actions(draw: Any) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(
            ["pin", "hide", "hide", "boost", "boost", "boost", "promote", "restrict", "fixed", "strategy"]
        )
    )
    if kind == "pin":
        return pin(draw(products), draw(st.integers(1, 6)))
    if kind == "fixed":
        return fixed(*draw(st.lists(products, min_size=1, max_size=5, unique=True)))
    if kind == "strategy":
        return strategy("trending")
    if kind == "boost":
        return boost(draw(st.sampled_from([0.0625, 0.5, 2.0, 32.0])), **draw(filters()))
    if kind == "promote":
        return promote(draw(st.integers(1, 100)), **draw(filters()))
    return {"do": kind, "filter": draw(filters())}


@st.composite
def items(draw: Any, min_size: int = 0) -> list[Item]:
    ids = draw(st.lists(products, min_size=min_size, max_size=12, unique=True))
    return [
        Item(id_, draw(st.none() | words), draw(st.none() | words), draw(word_sets), draw(st.none() | prices))
        for id_ in ids
    ]


@st.composite
def rule_lists(draw: Any, conditional: bool = True) -> list[dict[str, Any]]:
    found = []
    for number in range(draw(st.integers(0, 6))):
        given = {"given": draw(conditions)} if conditional and draw(st.booleans()) else {}
        then = draw(st.lists(actions(), min_size=1, max_size=3))
        found.append(rule(f"r{number}", *then, **given))
    return found
