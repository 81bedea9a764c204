"""Chains: who answers when little is known, under which name and with which claims."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from app.recommendations import ready_lists, scoring, strategies
from app.recommendations.ready_lists import TTL_S, category_subject
from app.recommendations.strategies import SLOTS, STRATEGIES, chain_of
from tests.recommendations.shops import Shop, candidate, ids, state

NAMES = {"1": "Mug", "2": "Saucer", "3": "Tray", "4": "Kettle", "5": "Lamp", "6": "Apron", "7": "Bowl"}


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """A shop with seven products in two categories, about which nothing is known."""
    shop.hears(
        *(state(p, title=title, category="table" if p in "123" else "house") for p, title in NAMES.items())
    )
    return shop


def shown(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the products of an answer with what is claimed of them."""
    return [(r["product_id"], r["reason"]) for r in answer["recommendations"]]


def ask(shop: Shop, **query: Any) -> dict[str, Any]:
    response = shop.get(**query)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.get_json()
    return body


# --- chains as data -------------------------------------------------------------------------------------


def test_all_strategies_of_the_contract_are_there() -> None:
    assert list(STRATEGIES) == [
        "frequently_bought_together",
        "complete_the_cart",
        "related_products",
        "best_sellers",
        "trending",
        "recently_viewed",
        "buy_again",
        "recommended_for_you",
    ]


def test_chains_lead_to_strategies_and_never_in_a_circle() -> None:
    for chain in [*(slot.chain for slot in SLOTS.values()), *(chain_of(name) for name in STRATEGIES)]:
        assert set(chain) <= set(STRATEGIES)
        assert len(set(chain)) == len(chain)


def test_only_gated_pairs_are_called_bought_together() -> None:
    claiming = [
        s for strategy in STRATEGIES.values() for s in strategy.sources if s.reason == "bought_together"
    ]

    assert {source.kind for source in claiming} == {ready_lists.PAIRS, ready_lists.CART_ROWS}
    assert not STRATEGIES["frequently_bought_together"].tops_up
    assert STRATEGIES["frequently_bought_together"].fallback == ()


def test_every_source_has_a_kind_of_ready_list_or_is_brought_by_the_request() -> None:
    for strategy in STRATEGIES.values():
        assert {source.kind for source in strategy.sources} <= {*TTL_S, None}


# --- a product page, from nothing to proof --------------------------------------------------------------


def test_a_store_without_orders_shows_the_merchants_choice_then_what_is_alike(stocked: Shop) -> None:
    stocked.publishes(ready_lists.MERCHANT_CROSS_SELLS, "1", {"id": "5"})
    stocked.publishes(ready_lists.SIMILAR, "1", {"id": "2", "similarity": 0.8, "score": 0.8})

    answer = ask(stocked, product_id="1")

    assert answer["strategy"] == "related_products"
    assert shown(answer) == [("5", "merchant_choice"), ("2", "similar")]
    assert [r["evidence"] for r in answer["recommendations"]] == [{}, {"similarity": 0.8}]


def test_a_store_with_few_orders_goes_on_with_categories_and_best_sellers(stocked: Shop) -> None:
    pair = {"id": "4", "category": "house", "orders": 3, "lift": 1.5}
    stocked.publishes(ready_lists.CATEGORY_PAIRS, category_subject("table"), pair)
    stocked.publishes(ready_lists.BEST_SELLERS, category_subject("table"), {"id": "3", "orders": 2})
    stocked.sells("6", "3")

    answer = ask(stocked, product_id="1", limit=4)

    assert answer["strategy"] == "related_products"
    assert shown(answer) == [("4", "goes_with_category"), ("3", "best_seller"), ("6", "best_seller")]
    assert answer["recommendations"][0]["evidence"] == {"category": "house", "orders": 3, "lift": 1.5}


def test_best_sellers_answer_under_their_own_name(stocked: Shop) -> None:
    stocked.sells("6", "1")

    answer = ask(stocked, product_id="1")

    assert (answer["slot"], answer["strategy"], shown(answer)) == (
        "product",
        "best_sellers",
        [("6", "best_seller")],
    )


def test_proven_pairs_answer_alone_however_few(stocked: Shop) -> None:
    stocked.publishes(ready_lists.SIMILAR, "1", {"id": "2", "similarity": 0.8, "score": 0.8})
    stocked.sells("6")
    stocked.together("1", "3")

    answer = ask(stocked, product_id="1", limit=8)

    assert answer["strategy"] == "frequently_bought_together"
    assert shown(answer) == [("3", "bought_together")]


def test_when_all_proven_pairs_are_sold_out_the_next_answers(stocked: Shop) -> None:
    stocked.together("1", "3")
    stocked.sells("6")
    stocked.hears(state("3", title="Tray", stock=0, seconds=5))

    assert ask(stocked, product_id="1")["strategy"] == "best_sellers"


def test_related_products_come_source_after_source_and_none_twice(stocked: Shop) -> None:
    same = {"id": "3", "customers": 9, "lift": 2.0, "llr": 12.0, "score": 1.0}
    stocked.publishes(ready_lists.MERCHANT_CROSS_SELLS, "1", {"id": "5"})
    stocked.publishes(ready_lists.SAME_SHOPPERS, "1", same, {**same, "id": "5"})
    stocked.publishes(ready_lists.MERCHANT_UPSELLS, "1", {"id": "4"})
    stocked.publishes(
        ready_lists.SIMILAR, "1", {"id": "3", "similarity": 0.9}, {"id": "2", "similarity": 0.7}
    )

    answer = ask(stocked, slot="product_related", product_id="1")

    assert shown(answer) == [
        ("5", "merchant_choice"),
        ("3", "same_shoppers"),
        ("4", "merchant_choice"),
        ("2", "similar"),
    ]
    assert answer["recommendations"][1]["evidence"] == {"customers": 9, "lift": 2.0, "llr": 12.0}


def test_upsells_are_told_from_cross_sells(shop: Shop) -> None:
    shop.hears(
        *(state(p, title=NAMES[p], category="mugs", price=price, lists_variants=False, available=True)
          for p, price in (("1", 1000), ("2", 2000), ("3", 900)))
    )  # fmt: skip
    shop.publishes(ready_lists.SIMILAR, "1", {"id": "2", "similarity": 0.8}, {"id": "3", "similarity": 0.7})

    answer = ask(shop, slot="product_related", product_id="1")

    assert [r["relation"] for r in answer["recommendations"]] == ["upsell", "cross_sell"]


# --- carts ----------------------------------------------------------------------------------------------


def test_evidence_decides_what_is_claimed_of_a_cart(stocked: Shop) -> None:
    stocked.scores("1", candidate("3", 2.0), {"id": "4", "score": 1.0, "orders": 1})
    stocked.publishes(ready_lists.MERCHANT_CROSS_SELLS, "1", {"id": "5"})
    stocked.sells("6")

    answer = ask(stocked, slot="cart", cart="1")

    assert answer["strategy"] == "complete_the_cart"
    assert shown(answer) == [
        ("3", "bought_together"),
        ("5", "merchant_choice"),
        ("4", "goes_with"),
        ("6", "best_seller"),
    ]
    assert answer["recommendations"][2]["evidence"] == {"orders": 1, "with": "1"}


def test_in_a_tuned_store_the_blend_decides_and_best_sellers_take_part(stocked: Shop) -> None:
    stocked.scores("1", candidate("3", 0.02), {"id": "4", "score": 2.0, "orders": 1})
    stocked.publishes(ready_lists.MERCHANT_CROSS_SELLS, "1", {"id": "5"})
    stocked.publishes(ready_lists.BEST_SELLERS, "", {"id": "6", "orders": 90, "share": 0.9})
    stocked.tuned(replace(scoring.DEFAULT, cart=tuple(2 * c for c in scoring.DEFAULT.cart)))

    answer = ask(stocked, slot="cart", cart="1")

    assert shown(answer) == [
        ("4", "goes_with"),
        ("6", "best_seller"),
        ("3", "bought_together"),
        ("5", "merchant_choice"),
    ]
    assert answer["recommendations"][1]["evidence"] == {"orders": 90}


def test_a_pair_that_is_proven_with_one_product_of_the_cart_is_proven(stocked: Shop) -> None:
    stocked.scores("1", {"id": "4", "score": 3.0, "orders": 1})
    stocked.scores("2", candidate("4", 1.0))

    (found,) = ask(stocked, slot="cart", cart="1,2")["recommendations"]

    assert (found["reason"], found["evidence"]["with"]) == ("bought_together", "2")


def test_a_cart_of_fifty_takes_two_exchanges_with_redis(
    app: Flask, shop: Shop, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    cart = [str(n) for n in range(100, 150)]
    shop.has(*cart, "1", "2", "3", "4")
    for product in cart:
        shop.scores(product, *(candidate(p, 1 / int(p)) for p in "1234"))
        shop.publishes(ready_lists.MERCHANT_CROSS_SELLS, product)
    shop.sells("1")
    shop.get(slot="cart", cart=",".join(cart))

    asked: list[str] = []
    execute = redis.execute_command

    def counting(*command: Any, **options: Any) -> Any:
        asked.append(command[0])
        return execute(*command, **options)

    monkeypatch.setattr(redis, "execute_command", counting)
    found = ids(shop.get(slot="cart", cart=",".join(cart)))

    assert found == ["1", "2", "3", "4"]
    assert asked == ["MGET", "MGET"]


# --- home, trends, what was viewed ----------------------------------------------------------------------


def test_trends_say_what_grew_and_are_topped_up_with_best_sellers(stocked: Shop) -> None:
    stocked.publishes(ready_lists.TRENDING, "", {"id": "2", "orders": 9, "before": 1.5, "growth": 6.0})
    stocked.sells("2", "6")

    answer = ask(stocked, slot="home_trending")

    assert (answer["strategy"], shown(answer)) == ("trending", [("2", "trending"), ("6", "best_seller")])
    assert answer["recommendations"][0]["evidence"] == {"orders": 9, "before": 1.5, "growth": 6.0}


def test_without_a_trend_best_sellers_answer(stocked: Shop) -> None:
    stocked.sells("6")

    assert ask(stocked, slot="home_trending")["strategy"] == "best_sellers"


def test_what_was_viewed_is_shown_in_its_order_without_the_page_and_the_cart(stocked: Shop) -> None:
    answer = ask(stocked, slot="recently_viewed", viewed="4,2,of-nobody,1,3", product_id="1", cart="2")

    assert (answer["strategy"], shown(answer)) == (
        "recently_viewed",
        [("4", "recently_viewed"), ("3", "recently_viewed")],
    )
    assert ask(stocked, slot="recently_viewed")["recommendations"] == []


def test_what_somebody_viewed_is_private(stocked: Shop) -> None:
    response = stocked.get(slot="recently_viewed", viewed="4")
    (result,) = stocked.post({"slot": "recently_viewed", "viewed": [4, "2"]}).get_json()["results"]

    assert response.headers["Cache-Control"] == "private, no-store"
    assert shown(result) == [("4", "recently_viewed"), ("2", "recently_viewed")]


def test_what_another_stores_shopper_viewed_is_not_shown(stocked: Shop) -> None:
    other = Shop(stocked.client)
    other.has("77")

    assert ids(stocked.get(slot="recently_viewed", viewed="77")) == []


@pytest.mark.parametrize("viewed", [",".join("1" * 21), "a b"], ids=["21", "no ids"])
def test_twenty_viewed_products_are_taken(stocked: Shop, viewed: str) -> None:
    response = stocked.get(slot="recently_viewed", viewed=viewed)

    assert response.status_code == 422
    assert response.get_json()["invalid_params"] == [
        {"name": "viewed", "reason": "Not product ids separated by commas, 20 at most."}
    ]


# --- by name --------------------------------------------------------------------------------------------


def test_upsell_by_name_brings_what_the_strategy_falls_back_on(stocked: Shop) -> None:
    stocked.sells("6")

    strict, loose = (
        stocked.upsell("1", strategy=name).get_json()
        for name in ("frequently_bought_together", "complete_the_cart")
    )

    assert (strict["strategy"], shown(strict)) == ("frequently_bought_together", [])
    assert (loose["strategy"], shown(loose)) == ("best_sellers", [("6", "best_seller")])


def test_lists_that_are_not_reached_are_not_read_from_postgresql(app: Flask, stocked: Shop) -> None:
    stocked.together("1", "2", "3", "4")
    stocked.publishes(ready_lists.SIMILAR, "1", {"id": "2", "similarity": 0.8})
    app.extensions["pannier_redis"].delete(f"pannier:{stocked.store_id}:list:similar:1")

    stocked.get(product_id="1")

    assert not app.extensions["pannier_redis"].exists(f"pannier:{stocked.store_id}:list:similar:1")
    assert strategies.SIMILAR.kind == "similar"
