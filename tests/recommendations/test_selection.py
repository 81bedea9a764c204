"""Which candidates are shown: never what may not be, no twins, variety, upsells told from cross-sells."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommendations.cache import Card
from app.recommendations.selection import CROSS_SELL, UPSELL, Entry, relation, select, twins
from app.recommendations.strategies import (
    MERCHANT_CROSS_SELLS,
    MERCHANT_UPSELLS,
    PAIRS,
    SIMILAR,
    STORE_BEST_SELLERS,
    VIEWED,
    Source,
)

NAMES = (
    "Apron", "Bowl", "Candle", "Desk", "Easel", "Fork", "Globe", "Hat", "Ink", "Jar", "Kettle", "Lamp", "Mug", "Net",
)  # fmt: skip


def card(id_: str, title: str | None = None, **fields: Any) -> Card:
    """Return the card of a product that can be bought."""
    shown: dict[str, Any] = {"price": 1000, "currency": "EUR", "eligible": True, **fields}
    return Card(id_, None, NAMES[int(id_) % len(NAMES)] if title is None else title, None, None, **shown)


def entry(id_: str, source: Source = STORE_BEST_SELLERS, title: str | None = None, **fields: Any) -> Entry:
    """Return a candidate of a source."""
    return Entry(card(id_, title, **fields), {"id": id_}, source, source.reason)


def ids(entries: list[Entry]) -> list[str]:
    return [e.card.product_id for e in entries]


# --- what may be shown ----------------------------------------------------------------------------------


def test_what_cannot_be_bought_is_hidden_or_stands_there_already_is_left_out() -> None:
    before = [entry("1")]
    entries = [entry("1"), entry("2", eligible=False), entry("3"), entry("4"), entry("4"), entry("5")]

    assert ids(select(entries, 2, before=before, hidden={"3"})) == ["4", "5"]


def test_sources_never_change_places() -> None:
    entries = [
        *(entry(str(n), PAIRS, category="mugs") for n in (1, 2, 3)),
        entry("4", STORE_BEST_SELLERS, category="hats"),
    ]

    assert ids(select(entries, 4)) == ["1", "2", "3", "4"]


_words = st.sampled_from(["red", "blue", "mug", "large", "small", "tea", "cup", "7"])
_entries = st.lists(
    st.builds(
        lambda id_, words, category, eligible, source: Entry(
            card(id_, " ".join(words), category=category, eligible=eligible),
            {"id": id_},
            source,
            source.reason,
        ),
        st.integers(0, 12).map(str),
        st.lists(_words, min_size=1, max_size=5),
        st.sampled_from([None, "a", "b"]),
        st.booleans(),
        st.sampled_from([PAIRS, SIMILAR, STORE_BEST_SELLERS]),
    ),
    max_size=14,
)


@given(entries=_entries, limit=st.integers(1, 6), hidden=st.sets(st.integers(0, 12).map(str), max_size=4))
def test_whatever_the_candidates_only_what_may_be_shown_is_shown_once(
    entries: list[Entry], limit: int, hidden: set[str]
) -> None:
    entries.sort(key=lambda e: e.source.reason)

    shown = select(entries, limit, hidden=hidden)

    assert len(shown) <= limit
    assert len(set(ids(shown))) == len(shown)
    assert all(e.card.eligible and e.card.product_id not in hidden for e in shown)
    assert not any(twins(a.card, b.card) for n, a in enumerate(shown) for b in shown[:n])
    assert shown == select(entries, limit, hidden=hidden), "the same again"
    assert ids(select(entries, limit - 1, hidden=hidden)) == ids(shown)[: limit - 1], (
        "longer lists begin alike"
    )


@given(entries=_entries, limit=st.integers(1, 6))
def test_the_best_that_may_be_shown_is_always_first(entries: list[Entry], limit: int) -> None:
    first = next((e for e in entries if e.card.eligible), None)

    assert select(entries, limit)[:1] == ([] if first is None else [first])


# --- variety --------------------------------------------------------------------------------------------


def test_of_four_products_two_are_of_one_category_while_there_are_others() -> None:
    mugs = [entry(str(n), category="mugs") for n in range(1, 5)]
    hats = [entry(str(n), category="hats") for n in range(5, 7)]

    assert ids(select([*mugs, *hats], 6)) == ["1", "2", "5", "6", "3", "4"]


def test_of_four_products_three_are_of_one_vendor_while_there_are_others() -> None:
    entries = [*(entry(str(n), vendor="north") for n in range(1, 5)), entry("5", vendor="south")]

    assert ids(select(entries, 5)) == ["1", "2", "3", "5", "4"]


def test_a_shop_of_one_vendor_still_mixes_categories() -> None:
    mugs = [entry(str(n), category="mugs", vendor="us") for n in range(1, 5)]

    assert ids(select([*mugs, entry("5", category="hats", vendor="us")], 4)) == ["1", "2", "5", "3"]


def test_nothing_is_lost_to_variety_and_nothing_overtakes_more_than_eight() -> None:
    mugs = [entry(str(n), category="mugs") for n in range(1, 13)]

    assert ids(select(mugs, 12)) == [str(n) for n in range(1, 13)]
    assert ids(select([*mugs, entry("13", category="hats")], 4)) == ["1", "2", "3", "4"]


def test_what_is_similar_keeps_its_order() -> None:
    entries = [
        *(entry(str(n), SIMILAR, category="mugs") for n in range(1, 5)),
        entry("5", SIMILAR, category="x"),
    ]

    assert ids(select(entries, 4)) == ["1", "2", "3", "4"]


# --- twins ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Stoneware Mug Red", "Stoneware Mug Blue"),
        ("Rain coat, XL", "Rain Coat - S"),
        ("Rain coat", "Yellow rain coat"),
        ("Candle vanilla 200", "Candle vanilla 300"),
        ("Teetasse groß rot", "TEETASSE GROSS BLAU"),
        ("Robe en lin rouge", "Robe en lin bleue"),
        ("Solid oak dining table for six", "Solid oak dining table for six people"),
        ("Mug and saucer roses", "Roses mug and saucer"),
    ],
)
def test_twins(one: str, other: str) -> None:
    assert twins(card("1", one), card("2", other))
    assert twins(card("2", other), card("1", one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Red mug", "Blue mug"),
        ("Coffee mug", "Coffee beans"),
        ("Lunch bag red spots", "Lunch bag black skull"),
        ("Product 1", "Product 2"),
        ("", ""),
        ("Mug", "Mug"),
        ("Large oak table with drawers", "Large oak chair"),
    ],
)
def test_no_twins(one: str, other: str) -> None:
    assert not twins(card("1", one), card("2", other))
    assert not twins(card("2", other), card("1", one))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("mugs", "mugs", True), ("mugs", "lamps", False), ("mugs", None, True), (None, None, True)],
)
def test_twins_are_of_one_category(one: str | None, other: str | None, expected: bool) -> None:
    title = "Stoneware hare"

    assert twins(card("1", title, category=one), card("2", f"{title} red", category=other)) is expected


def test_of_twins_the_better_is_shown() -> None:
    entries = [
        entry("1", title="Oak bowl small"),
        entry("2", title="Oak bowl large"),
        entry("3", title="Fork"),
    ]

    assert ids(select(entries, 3)) == ["1", "3"]
    assert ids(select(entries[1:2], 3, before=entries[:1])) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [(STORE_BEST_SELLERS, []), (SIMILAR, []), (PAIRS, ["2"]), (MERCHANT_CROSS_SELLS, ["2"]), (VIEWED, ["2"])],
    ids=["best seller", "similar", "bought together", "the merchant's choice", "viewed"],
)
def test_a_twin_of_the_page_needs_somebodys_word(source: Source, expected: list[str]) -> None:
    page = card("1", "Oak bowl small")

    assert ids(select([entry("2", source, "Oak bowl large")], 3, anchors=[page])) == expected


def test_what_was_viewed_is_shown_as_it_is() -> None:
    entries = [entry("1", VIEWED, "Oak bowl small"), entry("2", VIEWED, "Oak bowl large")]

    assert ids(select(entries, 3)) == ["1", "2"]


# --- upsell and cross-sell ------------------------------------------------------------------------------

PAGE = card("1", price=1000, category="mugs")


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (1000, CROSS_SELL),
        (1099, CROSS_SELL),
        (1100, UPSELL),
        (2500, UPSELL),
        (2501, CROSS_SELL),
        (None, CROSS_SELL),
    ],
)
@pytest.mark.parametrize("source", [SIMILAR, MERCHANT_UPSELLS], ids=["similar", "merchant"])
def test_an_upsell_costs_more_and_not_out_of_proportion(
    source: Source, price: int | None, expected: str
) -> None:
    assert relation(entry("2", source, price=price, category="mugs"), PAGE) == expected


@pytest.mark.parametrize(
    ("other", "page"),
    [
        (entry("2", PAIRS, price=2000, category="mugs"), PAGE),
        (entry("2", MERCHANT_CROSS_SELLS, price=2000, category="mugs"), PAGE),
        (entry("2", SIMILAR, price=2000, category="hats"), PAGE),
        (entry("2", SIMILAR, price=2000), replace(PAGE, category=None)),
        (entry("2", SIMILAR, price=2000, category="mugs", currency="USD"), PAGE),
        (entry("2", SIMILAR, price=2000, category="mugs"), None),
        (entry("2", SIMILAR, price=2000, category="mugs"), replace(PAGE, price=None)),
        (entry("2", SIMILAR, price=2000, category="mugs"), replace(PAGE, price=0)),
    ],
    ids=["bought together", "cross-sell", "other category", "no category", "other currency", "no page", "no price",
         "free"],
)  # fmt: skip
def test_everything_else_is_a_cross_sell(other: Entry, page: Card | None) -> None:
    assert relation(other, page) == CROSS_SELL


def test_what_the_merchant_calls_better_needs_no_category() -> None:
    assert relation(entry("2", MERCHANT_UPSELLS, price=2000, category="hats"), PAGE) == UPSELL
