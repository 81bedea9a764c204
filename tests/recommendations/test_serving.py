"""Answering: what is asked, how a cart's reasons add up, what makes a decision."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commerce.store import StoreAccess
from app.core.db import db
from app.core.errors import InvalidParameters, NotFound
from app.core.held import forget_everything
from app.recommendations import cache
from app.recommendations.asking import Question, question_for_slot
from app.recommendations.candidates import combine
from app.recommendations.models import LearnedModel
from app.recommendations.serving import answer
from app.recommendations.strategies import (
    BEST_SELLERS,
    BUY_AGAIN,
    COMPLETE_THE_CART,
    FREQUENTLY_BOUGHT_TOGETHER,
    MAX_LIMIT,
    RECENTLY_VIEWED,
    RECOMMENDED_FOR_YOU,
    RELATED_PRODUCTS,
    SLOTS,
    STRATEGIES,
    TRENDING,
)
from tests.recommendations.shops import Shop, candidate

_ids = st.sampled_from([str(n) for n in range(8)])
_scores = st.floats(min_value=1e-6, max_value=1e6)
_lists = st.dictionaries(
    _ids,
    st.dictionaries(_ids, _scores, max_size=6).map(lambda d: [candidate(p, s) for p, s in d.items()]),
    max_size=5,
)


def access(shop: Shop) -> StoreAccess:
    return StoreAccess(
        shop.store_id, "shopify", "x.myshopify.com", "USD", frozenset({shop.origin}), "publishable"
    )


def ask(shop: Shop, slot: str = "home", **asked: Any) -> dict[str, Any]:
    question = question_for_slot(
        slot,
        asked.pop("product_id", None),
        asked.pop("cart", ()),
        asked.pop("limit", None),
        exclude=frozenset(asked.pop("exclude", ())),
    )
    assert not asked
    return answer(access(shop), question)


# --- questions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slot", "chain", "limit"),
    [
        ("product", (FREQUENTLY_BOUGHT_TOGETHER, RELATED_PRODUCTS, BEST_SELLERS), 3),
        ("product_related", (RELATED_PRODUCTS, BEST_SELLERS), 8),
        ("cart", (COMPLETE_THE_CART, BEST_SELLERS), 4),
        ("thank_you", (COMPLETE_THE_CART, BEST_SELLERS), 4),
        ("home", (BEST_SELLERS,), 8),
        ("home_trending", (TRENDING, BEST_SELLERS), 8),
        ("home_for_you", (RECOMMENDED_FOR_YOU, TRENDING, BEST_SELLERS), 8),
        ("buy_again", (BUY_AGAIN, RECOMMENDED_FOR_YOU, TRENDING, BEST_SELLERS), 4),
        ("recently_viewed", (RECENTLY_VIEWED,), 8),
    ],
)
def test_a_slot_asks_its_chain_for_its_length(slot: str, chain: tuple[str, ...], limit: int) -> None:
    question = question_for_slot(slot, "1", ["2"], None)

    assert question == Question(slot, tuple(STRATEGIES[name] for name in chain), "1", ("2",), limit)
    assert question_for_slot(slot, "1", ["2"], 5).limit == 5


def test_the_product_slot_needs_a_product() -> None:
    with pytest.raises(InvalidParameters) as refused:
        question_for_slot("product", None, [], None)

    assert refused.value.invalid_params == [
        {"name": "product_id", "reason": "The slot product needs the product of the page."}
    ]


def test_an_empty_cart_is_a_cart() -> None:
    assert question_for_slot("cart", None, [], None).cart == ()


def test_slots_show_no_more_than_may_be_asked_for() -> None:
    assert all(slot.limit <= MAX_LIMIT for slot in SLOTS.values())


# --- whole carts ----------------------------------------------------------------------------------------


def test_scores_are_squared_and_summed() -> None:
    lists = {
        "a": [candidate("x", 3.0), candidate("y", 4.0), candidate("z", 1.0)],
        "b": [candidate("x", 3.0), candidate("z", 1.0)],
    }

    # x 9 + 9, y 16, z 1 + 1
    assert [c["id"] for c in combine(lists)] == ["x", "y", "z"]


def test_the_evidence_is_that_of_the_strongest_pair() -> None:
    lists = {"a": [candidate("x", 1.0, orders=10)], "b": [candidate("x", 2.0, orders=4)]}

    assert combine(lists) == [{**candidate("x", 2.0, orders=4), "with": "b"}]


@given(lists=_lists)
def test_of_a_cart_nothing_is_recommended_and_nothing_twice(lists: dict[str, list[Any]]) -> None:
    found = [c["id"] for c in combine(lists)]

    assert len(found) == len(set(found))
    assert set(found) == {c["id"] for candidates in lists.values() for c in candidates} - set(lists)


@given(lists=_lists)
def test_of_a_cart_the_better_sum_comes_first(lists: dict[str, list[Any]]) -> None:
    sums: dict[str, float] = {}
    for candidates in lists.values():
        for c in candidates:
            sums[c["id"]] = sums.get(c["id"], 0.0) + c["score"] ** 2

    found = [(-sums[c["id"]], c["id"]) for c in combine(lists)]

    assert found == sorted(found)


@given(lists=_lists, seed=st.integers())
def test_the_order_of_a_cart_does_not_change_what_goes_with_it(
    lists: dict[str, list[Any]], seed: int
) -> None:
    # Sums of two squares do not depend on their order; with more of them a last digit may.
    pair = dict(list(lists.items())[:2])
    items = list(pair.items())
    random.Random(seed).shuffle(items)

    assert [c["id"] for c in combine(dict(items))] == [c["id"] for c in combine(pair)]


# --- answers --------------------------------------------------------------------------------------------


def test_a_page_product_of_nobody_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound, match=r"^This store has no product '1'\.$"):
        ask(shop, "product", product_id="1")


def test_excluded_products_are_passed_over_and_the_list_goes_on(shop: Shop) -> None:
    shop.has("1", "2", "3")
    shop.sells("1", "2", "3")

    found = ask(shop, limit=2, exclude=["1"])["recommendations"]

    assert [r["product_id"] for r in found] == ["2", "3"]


def test_evidence_holds_what_may_be_claimed_and_no_score(shop: Shop) -> None:
    shop.has("1", "2")
    shop.together("1", candidate("2", secret=1))
    shop.sells("2")

    (together,) = ask(shop, "product", product_id="1")["recommendations"]
    (bestseller,) = ask(shop)["recommendations"]

    assert set(together["evidence"]) == {"orders", "confidence", "lift", "llr"}
    assert bestseller["evidence"] == {"orders": 100}


def test_a_product_without_a_price_has_none(shop: Shop) -> None:
    from tests.factories import product_change

    shop.hears(product_change("1", price=None, lists_variants=False, available=True))
    shop.sells("1")

    (shown,) = ask(shop)["recommendations"]

    assert (shown["price"], shown["variant_id"], shown["url"]) == (None, None, None)


@pytest.mark.parametrize(
    "change",
    [{"limit": 1}, {"exclude": ["1"]}, {"cart": ["7"]}, {"product_id": "1"}],
    ids=["limit", "exclude", "cart", "product"],
)
def test_a_decision_is_what_was_asked_and_answered(shop: Shop, change: dict[str, Any]) -> None:
    shop.has("1", "2")
    shop.sells("1", "2")
    first = ask(shop)

    assert ask(shop) == first
    assert ask(shop, **change)["decision_id"] != first["decision_id"]


def test_two_stores_never_share_a_decision(shop: Shop) -> None:
    other = Shop(shop.client)

    assert ask(shop)["recommendations"] == ask(other)["recommendations"] == []
    assert ask(shop)["decision_id"] != ask(other)["decision_id"]


def test_the_model_version_is_the_number_of_rebuilds(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    head = LearnedModel(
        store_id=shop.store_id, epoch="2026-01-01", half_life_days=180, basket_cap=100, orders=1, version=2
    )
    db.session.add(head)
    db.session.commit()
    assert ask(shop)["model_version"] == "co-purchase-2"

    head.version = 3
    db.session.commit()
    assert ask(shop)["model_version"] == "co-purchase-2", "it is remembered for some seconds"
    forget_everything()
    assert ask(shop)["model_version"] == "co-purchase-3"


def test_a_long_list_is_looked_up_only_as_far_as_needed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = [str(n) for n in range(1, 41)]
    shop.has(*everything)
    shop.sells(*everything)
    asked: list[int] = []
    real = cache.get_cards
    monkeypatch.setattr(cache, "get_cards", lambda s, ids: asked.append(len(ids)) or real(s, ids))

    ask(shop, limit=3)

    assert len(asked) == 1
    assert asked[0] < 20
