"""Lists for products that nobody has bought yet: published whole, and product by product."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flask import Flask

from app.commerce import ingest
from app.commerce.changes import CommerceChange, ProductStatus
from app.commerce.store import Store
from app.core.db import db
from app.recommendations import cache, cold_start, rebuilding
from app.recommendations.ready_lists import (
    CATEGORY_PAIRS,
    MERCHANT_CROSS_SELLS,
    MERCHANT_UPSELLS,
    SIMILAR,
)
from tests.factories import new_store, order_change, product_change, product_deletion
from tests.recommendations.histories import OPEN_GATES, learn, published


@pytest.fixture
def store(app: Flask) -> Store:
    """A store in which everything that was bought together may be shown."""
    return new_store(**OPEN_GATES)


def named(product: str, title: str, category: str | None = None, **fields: Any) -> CommerceChange:
    return replace(product_change(product, title=title, **fields), category=category)


def refresh(store: Store) -> None:
    cold_start.refresh(db.session.connection(), store.id)
    db.session.commit()


def hear(store: Store, *changes: CommerceChange) -> None:
    """Apply changes and refresh what is described otherwise, as a drain would have it done."""
    applied = ingest.apply(db.session.connection(), store.id, changes)
    cold_start.refresh_products(db.session.connection(), store.id, applied.described)
    db.session.commit()


def ids(store: Store, kind: str) -> dict[str, list[str]]:
    """Return the products of all lists of a kind, by subject; what Redis has must be the same."""
    lists = {subject: items for (found, subject), items in published(store.id).items() if found == kind}
    assert cache.get_lists(store.id, kind, list(lists)) == lists
    return {subject: [item["id"] for item in items] for subject, items in lists.items()}


LAMPS = (
    named("1", "Oak desk lamp"),
    named("2", "Oak floor lamp"),
    named("3", "Garden spade"),
)


def test_similar_products_are_published_with_how_alike_they_are(store: Store) -> None:
    learn(store.id, [[named("1", "Oak lamp"), named("2", "Oak lamp"), named("3", "Garden spade")]])
    refresh(store)
    assert published(store.id) == {
        (SIMILAR, "1"): [{"id": "2", "similarity": 1.0, "score": 1.0}],
        (SIMILAR, "2"): [{"id": "1", "similarity": 1.0, "score": 1.0}],
    }


@pytest.mark.parametrize(
    ("hidden", "asks"),
    [
        (named("2", "Oak lamp", visible=False), True),
        (named("2", "Oak lamp", status=ProductStatus.DRAFT), True),
        (named("2", "Oak lamp", gift_card=True), False),
        (named("2", ""), False),
    ],
    ids=["hidden", "draft", "gift card", "without title"],
)
def test_what_cannot_be_shown_is_no_candidate(store: Store, hidden: CommerceChange, asks: bool) -> None:
    learn(store.id, [[named("1", "Oak lamp"), hidden]])
    refresh(store)
    assert ids(store, SIMILAR) == ({"2": ["1"]} if asks else {})


def test_a_deleted_product_leaves_with_its_list(store: Store) -> None:
    learn(store.id, [LAMPS])
    refresh(store)
    learn(store.id, [[product_deletion("2")]])
    refresh(store)
    assert ids(store, SIMILAR) == {}
    assert cache.get_lists(store.id, SIMILAR, ["1", "2"]) == {"1": [], "2": []}


def test_a_new_product_is_published_with_the_lists_that_it_belongs_to(store: Store) -> None:
    learn(store.id, [LAMPS])
    refresh(store)
    hear(store, named("4", "Garden spade with oak handle"))
    assert ids(store, SIMILAR)["4"][0] == "3"
    assert ids(store, SIMILAR)["3"] == ["4"]


def test_a_product_with_another_title_leaves_the_lists_that_it_was_in(store: Store) -> None:
    learn(store.id, [LAMPS])
    refresh(store)
    hear(store, named("2", "Garden rake", seconds=60))
    assert ids(store, SIMILAR) == {"2": ["3"], "3": ["2"]}


def test_product_by_product_ends_in_what_is_published_whole(store: Store) -> None:
    learn(store.id, [LAMPS])
    refresh(store)
    hear(store, named("4", "Oak garden lamp"), named("5", "Oak lamp"))
    singly = published(store.id)
    refresh(store)
    assert ids(store, SIMILAR)["4"]
    assert singly == published(store.id)


def test_refreshing_products_that_nobody_knows_changes_nothing(store: Store) -> None:
    learn(store.id, [LAMPS])
    refresh(store)
    before = published(store.id)
    cold_start.refresh_products(db.session.connection(), store.id, ["99"])
    assert published(store.id) == before


def test_best_sellers_of_categories_that_go_together_are_published(store: Store) -> None:
    shop = [
        named("lamp", "Lamp", "Lamps"),
        named("bulb", "Bulb", "Bulbs"),
        named("led", "LED", "Bulbs"),
        named("odd", "Odd", None),
        named("new", "New lamp", "Lamps"),
    ]
    sales = [("lamp", "bulb"), ("lamp", "bulb", "odd"), ("lamp", "led"), ("odd",)]
    orders = [order_change(f"o{number}", *basket) for number, basket in enumerate(sales)]
    learn(store.id, [shop, orders])
    refresh(store)
    # three orders with both, three with each, four in all
    evidence = {"orders": 3, "lift": 1.33, "score": 1.0}
    assert {s: items for (k, s), items in published(store.id).items() if k == CATEGORY_PAIRS} == {
        "category:Lamps": [
            {"id": "bulb", "category": "Bulbs", **evidence},
            {"id": "led", "category": "Bulbs", **evidence},
        ],
        "category:Bulbs": [{"id": "lamp", "category": "Lamps", **evidence}],
    }


def test_categories_that_met_by_accident_are_not_published(app: Flask) -> None:
    store = new_store()
    shop = [named("a", "A", "As"), named("b", "B", "Bs"), named("c", "C", "Cs")]
    orders = [order_change("o1", "a", "b"), order_change("o2", "a", "b"), order_change("o3", "c")]
    learn(store.id, [shop, orders])
    refresh(store)
    assert ids(store, CATEGORY_PAIRS) == {}


def test_orders_that_arrive_meanwhile_with_new_products_harm_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = [named("a", "A", "As"), named("b", "B", "Bs")]
    learn(store.id, [shop, [order_change(f"o{n}", "a", "b") for n in range(4)], [order_change("o9", "a")]])
    refresh(store)
    before = ids(store, CATEGORY_PAIRS)
    real = rebuilding.basket_batches

    def later(*given: Any) -> Iterator[Any]:
        """The baskets, with one more: of a product that was not there when products were read."""
        for batch in real(*given):
            more = np.append(batch.products, batch.products.max() + 1)
            days = np.append(batch.days, batch.days[-1])
            yield replace(batch, products=more, indptr=np.append(batch.indptr, more.size), days=days)

    monkeypatch.setattr(rebuilding, "basket_batches", later)
    refresh(store)

    assert ids(store, CATEGORY_PAIRS) == before


def test_what_the_merchant_chose_is_published_as_far_as_it_is_known(store: Store) -> None:
    learn(store.id, [[*LAMPS, named("4", "Bulb", cross_sells=["3", "77", "1"], upsells=["2"])]])
    refresh(store)
    assert ids(store, MERCHANT_CROSS_SELLS) == {"4": ["3", "1"]}
    assert ids(store, MERCHANT_UPSELLS) == {"4": ["2"]}


def test_a_change_of_mind_of_the_merchant_is_published(store: Store) -> None:
    learn(store.id, [[*LAMPS, named("4", "Bulb", cross_sells=["3"], upsells=["2"])]])
    refresh(store)
    hear(store, named("4", "Bulb", cross_sells=["1"], upsells=[], seconds=60))
    assert ids(store, MERCHANT_CROSS_SELLS) == {"4": ["1"]}
    assert ids(store, MERCHANT_UPSELLS) == {}


def test_stores_do_not_see_each_other(store: Store) -> None:
    other = new_store()
    learn(store.id, [LAMPS])
    learn(other.id, [[named("8", "Oak desk lamp"), named("9", "Oak desk lamp")]])
    refresh(store)
    refresh(other)
    assert ids(store, SIMILAR) == {"1": ["2"], "2": ["1"]}
    assert ids(other, SIMILAR) == {"8": ["9"], "9": ["8"]}
