"""What the running session brings forward, and that it brings nothing in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.session import Session
from app.recommendations.cache import Card
from app.recommendations.in_session import affinity, bonus, interests, merged, preferred, queries
from app.recommendations.selection import Entry
from app.recommendations.strategies import MERCHANT_CROSS_SELLS, SAME_SHOPPERS, SIMILAR, Source
from app.recommendations.whole_carts import going_with


def entry(product: str, source: Source = SIMILAR, title: str = "") -> Entry:
    card = Card(product, f"{product}-v", title or f"Product {product}", None, None, 100, "USD", eligible=True)
    return Entry(card, {"id": product}, source, source.reason)


def products(entries: list[Entry]) -> list[str]:
    return [e.card.product_id for e in entries]


def ordered(entries: Sequence[Entry], goes_with: Mapping[str, float], said: Sequence[Any]) -> list[Entry]:
    return preferred([replace(e, bonus=bonus(e, goes_with, said)) for e in entries])


def searched(*terms: str) -> Any:
    return queries(Session(searched=terms))


# --- what a session is interested in --------------------------------------------------------------------


def test_a_look_counts_half_and_less_with_each_further_back() -> None:
    session = Session(viewed=("a", "b", "c"), cart=("b",), added=("b",))

    assert interests(session, None) == pytest.approx({"b": 1.0, "a": 0.5, "c": 0.32})


def test_neither_the_page_nor_what_was_taken_out_speaks_for_anything() -> None:
    session = Session(viewed=("page", "a", "out"), added=("out",), removed=("out",))

    assert list(interests(session, "page")) == ["a"]


def test_the_six_strongest_interests_are_asked() -> None:
    session = Session(viewed=tuple("abcdefgh"), added=("h",))

    assert list(interests(session, None)) == ["h", "a", "b", "c", "d", "e"]


# --- what comes first -----------------------------------------------------------------------------------


def test_what_goes_with_the_session_comes_forward() -> None:
    goes_with = affinity([(0.5, [{"id": "c"}])])

    assert products(ordered([entry(p) for p in "abc"], goes_with, [])) == ["c", "a", "b"]


def test_a_weak_word_for_the_last_does_not_overtake_the_first() -> None:
    entries = [entry(str(n)) for n in range(30)]
    goes_with = affinity([(0.1, [{"id": "x"}] * 20 + [{"id": "29"}])])

    assert products(ordered(entries, goes_with, []))[0] == "0"


def test_several_products_of_a_session_say_more_than_one() -> None:
    goes_with = affinity([(0.5, [{"id": "b"}]), (0.4, [{"id": "c"}]), (0.4, [{"id": "c"}])])

    assert products(ordered([entry(p) for p in "abc"], goes_with, [])) == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("kettle", "kettle"), ("KETTLES", "kettle"), ("red kettle", "kettle"), ("bowl", "a"), ("", "a"),
        ("kettle tea", "b"), ("чайник", "a"),
    ],
    ids=["word", "plural", "one of two", "nothing", "empty", "half of two titles", "another script"],
)  # fmt: skip
def test_what_was_searched_for_comes_forward(query: str, first: str) -> None:
    entries = [
        entry("a", title="Blue Mug"),
        entry("b", title="Tea Tray"),
        entry("kettle", title="Copper Kettle"),
    ]

    assert products(ordered(entries, {}, searched(query) if query else []))[0] == first


def test_the_query_that_fits_best_counts() -> None:
    entries = [entry("a", title="Lamp"), entry("b", title="Red Mug"), entry("c", title="Red Mug for Tea")]

    assert products(ordered(entries, {}, searched("red tea mug", "nothing at all"))) == ["c", "b", "a"]


def test_sources_keep_their_places_and_the_merchant_the_order() -> None:
    entries = [
        *(entry(p, MERCHANT_CROSS_SELLS) for p in "ab"),
        *(entry(p, SAME_SHOPPERS) for p in "cd"),
        *(entry(p, SIMILAR) for p in "ef"),
    ]
    goes_with = affinity([(1.0, [{"id": p} for p in "fdb"])])

    assert products(ordered(entries, goes_with, [])) == ["a", "b", "d", "c", "f", "e"]


ids = st.sampled_from("abcdefgh")
lists = st.lists(
    st.tuples(st.floats(0.01, 1), st.lists(ids, unique=True).map(lambda found: [{"id": i} for i in found])),
    max_size=4,
)


@given(shown=st.lists(ids, unique=True), said=lists, query=st.text(max_size=12))
def test_a_session_adds_nothing_and_takes_nothing_away(shown: list[str], said: Any, query: str) -> None:
    entries = [entry(p) for p in shown]

    found = ordered(entries, affinity(said), searched(query))

    assert sorted(products(found)) == sorted(shown)
    assert preferred(entries) == entries


@given(said=lists)
def test_merged_lists_hold_what_each_holds_once(said: Any) -> None:
    everything = {candidate["id"] for _, candidates in said for candidate in candidates}

    found = [candidate["id"] for candidate in merged(said, 100)]

    assert len(found) == len(set(found))
    assert set(found) == everything
    assert merged(said, 2) == merged(said, 100)[:2]


def test_of_two_lists_the_first_says_why() -> None:
    both = merged([(1.0, [{"id": "a", "why": 1}]), (0.5, [{"id": "b", "why": 2}, {"id": "a", "why": 2}])], 9)

    assert both == [{"id": "a", "why": 1}, {"id": "b", "why": 2}]


# --- what goes with views -------------------------------------------------------------------------------

scores = st.dictionaries(ids, st.sampled_from([0.0, 0.25, 1.0, 4.0]), max_size=6)
said_by_rows = st.dictionaries(ids, scores, max_size=4)


def row(said: dict[str, float]) -> Any:
    """Return a row as it is published, of pairs that pass no gate."""
    return {
        "ids": list(said),
        "orders": [1 + ord(product) for product in said],
        "w": list(said.values()),
        "proven": [],
    }


@given(said=said_by_rows, most=st.integers(1, 4))
def test_what_goes_with_views_is_ranked_by_weighed_squares(
    said: dict[str, dict[str, float]], most: int
) -> None:
    weights = {product: 0.5 if place else 1.0 for place, product in enumerate(said)}
    expected: dict[str, float] = {}
    for subject, pairs in said.items():
        for product, score in pairs.items():
            if score and product not in said:
                expected[product] = expected.get(product, 0.0) + (weights[subject] * score) ** 2

    found = going_with({subject: row(pairs) for subject, pairs in said.items()}, weights, most)

    assert [c["id"] for c in found] == sorted(expected, key=lambda p: (-expected[p], p))[:most]
    assert all(c["with"] in said and c["orders"] == 1 + ord(c["id"]) for c in found)
