"""Likeness of products by their words, labels and prices."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recommendations import content
from app.recommendations.content import Catalogue, Description

TEXTS = st.lists(
    st.text(st.sampled_from("ab é 中文 ก #"), max_size=12),
    min_size=1,
    max_size=12,
)


def lists_of(descriptions, *, candidates=None, limit=50, rows=None):
    size = len(descriptions)
    chosen = np.ones(size, bool) if candidates is None else np.array(candidates, bool)
    found = {}
    for block in Catalogue(descriptions).similar(range(size) if rows is None else rows, chosen, limit):
        for place, row in enumerate(block.rows.tolist()):
            span = slice(block.indptr[place], block.indptr[place + 1])
            found[row] = list(zip(block.others[span].tolist(), block.similarity[span].tolist(), strict=True))
    return found


def others(descriptions, row, **how):
    return [other for other, _ in lists_of(descriptions, **how)[row]]


@pytest.mark.parametrize(
    ("title", "alike", "unlike"),
    [
        ("Red cotton scarf", "Blue cotton scarf", "Garden spade"),
        ("Théière en fonte", "theiere noire", "Vélo pliant"),
        ("Кружка синяя", "Кружка белая", "Садовая лопата"),
        ("陶瓷茶杯", "玻璃茶杯", "自行車"),
        ("กระเป๋าหนัง", "กระเป๋าผ้า", "จักรยาน"),
        ("सूती साड़ी लाल", "सूती साड़ी नीली", "बगीचे का फावड़ा"),
        ("C", "C sharp", "B flat"),
    ],
    ids=["english", "accents", "cyrillic", "chinese", "thai", "hindi", "one letter"],
)
def test_shared_words_make_products_alike_in_any_language(title, alike, unlike):
    shop = [Description(title), Description(unlike), Description(alike)]
    assert others(shop, 0)[0] == 2


def test_rare_words_say_more_than_common_ones():
    shop = [
        Description(t) for t in ("set porcelain", "set spoons", "porcelain vase", "set towels", "set pens")
    ]
    assert others(shop, 0)[0] == 2


def test_a_word_of_a_fifth_of_a_larger_catalogue_says_nothing():
    shop = [Description(f"Original {word}") for word in (f"w{number}" for number in range(40))]
    assert lists_of(shop) == {row: [] for row in range(40)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"category": "Lamps"}, {"category": " lamps"}),
        ({"vendor": "Nordlys"}, {"vendor": "NORDLYS"}),
        ({"tags": ("x", "oak")}, {"tags": ("Oak", "y")}),
    ],
    ids=["category", "vendor", "tags"],
)
def test_equal_labels_make_products_more_alike_whatever_their_case(one, other):
    different = Description("Desk light", category="Rugs", vendor="Sund", tags=("wool", "z"))
    shop = [Description("Table light", **one), different, Description("Desk light", **other)]
    assert others(shop, 0) == [2, 1]


def test_a_label_is_compared_whole():
    shop = [Description("Alpha", category="Desk lamps"), Description("Beta", category="Floor lamps")]
    assert others(shop, 0) == []


@pytest.mark.parametrize(
    ("price", "currency", "factor"),
    [
        (1000, "EUR", 1.0),
        (2000, "EUR", 0.75),
        (500, "EUR", 0.75),
        (2000, "USD", 1.0),
        (None, "EUR", 1.0),
        (0, "EUR", 1.0),
    ],
    ids=["equal", "twice", "half", "another currency", "unknown", "free"],
)
def test_a_different_price_takes_likeness_away(price, currency, factor):
    shop = [
        Description("Oak lamp", price=1000, currency="EUR"),
        Description("Oak lamp", None, None, (), price, currency),
    ]
    assert lists_of(shop)[0] == [(1, pytest.approx(factor, abs=1e-4))]


def test_equal_products_are_wholly_alike_and_stand_in_the_catalogues_order():
    shop = [Description("Oak lamp", "Lamps", "Nordlys", ("oak",), 900, "EUR")] * 4
    assert lists_of(shop)[2] == [(0, 1.0), (1, 1.0), (3, 1.0)]
    assert lists_of(shop, limit=2)[2] == [(0, 1.0), (1, 1.0)]


def test_only_candidates_are_given_and_only_rows_asked_for():
    shop = [Description("Oak lamp")] * 3
    assert lists_of(shop, candidates=[True, False, True], rows=[1, 2]) == {
        1: [(0, 1.0), (2, 1.0)],
        2: [(0, 1.0)],
    }


@pytest.mark.parametrize(
    "shop",
    [[], [Description("")], [Description("!?"), Description("…")], [Description("Alone")]],
    ids=["no products", "no title", "no words", "one product"],
)
def test_where_there_is_nothing_to_compare_there_is_nothing_similar(shop):
    assert all(found == [] for found in lists_of(shop).values())


@settings(max_examples=40)
@given(titles=TEXTS)
def test_likeness_is_mutual_within_bounds_and_independent_of_the_blocks(titles):
    shop = [Description(title) for title in titles]
    whole = lists_of(shop)
    by_pair = {(row, other): value for row, found in whole.items() for other, value in found}
    assert all(content.MIN_SIMILARITY <= value <= 1.0 for value in by_pair.values())
    assert all(row != other and by_pair[other, row] == value for (row, other), value in by_pair.items())
    singly = {row: lists_of(shop, rows=[row]).get(row, []) for row in range(len(shop))}
    assert singly == {row: whole.get(row, []) for row in range(len(shop))}


def test_blocks_bound_the_memory(monkeypatch):
    monkeypatch.setattr(content, "_BLOCK_WORK", 20_000)
    words = [f"w{number}" for number in range(200)]
    shop = [Description(f"{words[row % 200]} {words[row * 7 % 200]}") for row in range(4_000)]
    catalogue = Catalogue(shop)
    everything = np.ones(len(shop), bool)
    next(catalogue.similar([0], everything, 5))
    tracemalloc.start()
    blocks = sum(1 for _ in catalogue.similar(range(len(shop)), everything, 5))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert blocks > 4
    assert peak < len(shop) ** 2 // 4
