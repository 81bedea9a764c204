"""The storefront's routes: what a shop's page sends and gets."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import update
from werkzeug.test import TestResponse

from app.commerce.changes import ProductStatus
from app.commerce.store import Store, StoreKey, rotate_keys
from app.core.crypto import key_digest
from app.core.db import db, now
from app.recommendations import cache
from app.recommendations.models import LearnedModel
from tests.factories import product_deletion
from tests.recommendations.shops import Shop, candidate, counted_statements, forget_cached, ids, state


def problem(response: TestResponse) -> dict[str, Any]:
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = response.get_json()
    assert body["status"] == response.status_code
    return body


SLOT_NAMES = (
    "Must be one of: product, product_related, cart, thank_you, home, home_trending, home_for_you, buy_again,"
    " recently_viewed."
)
VARY = "Origin, X-Pannier-Key, Authorization, X-Pannier-Visitor, X-Pannier-Customer"
STRATEGY_NAMES = (
    "Must be one of: frequently_bought_together, complete_the_cart, related_products, best_sellers, trending,"
    " recently_viewed, buy_again, recommended_for_you."
)


# --- the answer of one slot -----------------------------------------------------------------------------


def test_the_answer_of_the_contract(shop: Shop) -> None:
    shop.hears(state("1"), state("20", title="Saucer", price=None), state("3", title="Tray"))
    shop.together("1", candidate("20", orders=12, confidence=0.4, lift=3.5, llr=44.1), "3")
    db.session.add(
        LearnedModel(
            store_id=shop.store_id, epoch=now().date(), half_life_days=180, basket_cap=100, orders=30, version=4
        )
    )  # fmt: skip
    db.session.commit()

    response = shop.get(slot="product", product_id="1", limit=1)

    body = response.get_json()
    assert re.fullmatch(r"d_[a-z2-7]{24}", body["decision_id"])
    assert body == {
        "decision_id": body["decision_id"],
        "slot": "product",
        "strategy": "frequently_bought_together",
        "model_version": "co-purchase-4",
        "recommendations": [
            {
                "product_id": "20",
                "variant_id": "20-v",
                "title": "Saucer",
                "url": "https://shop.example/products/20",
                "image_url": "https://shop.example/20.png",
                "price": {"amount": 1000, "currency": "USD"},
                "available": True,
                "reason": "bought_together",
                "relation": "cross_sell",
                "evidence": {"orders": 12, "confidence": 0.4, "lift": 3.5, "llr": 44.1},
                "offer": None,
            }
        ],
        "experiment": None,
        "intent": None,
    }
    assert response.content_type == "application/json"


def test_a_store_that_has_learned_nothing_answers_with_nothing(shop: Shop) -> None:
    shop.has("1")

    body = shop.get(slot="product", product_id="1").get_json()

    assert (body["recommendations"], body["model_version"]) == ([], "co-purchase-0")
    assert ids(shop.get(slot="home")) == []


def test_the_product_slot_is_what_is_asked_for_when_nothing_is_said(shop: Shop) -> None:
    shop.has("1", "2")
    shop.together("1", "2")

    assert shop.get(product_id="1").get_json()["slot"] == "product"


@pytest.mark.parametrize(
    ("query", "strategy", "reason", "wanted"),
    [
        ({"slot": "product", "product_id": "1"}, "frequently_bought_together", "bought_together", ["2", "3", "4"]),
        ({"slot": "cart", "cart": "1"}, "complete_the_cart", "bought_together", ["2", "3", "4", "5"]),
        ({"slot": "home"}, "best_sellers", "best_seller", ["5", "4", "3", "2", "1"]),
    ],
    ids=["product", "cart", "home"],
)  # fmt: skip
def test_each_slot_has_its_strategy_reason_and_length(
    shop: Shop, query: dict[str, str], strategy: str, reason: str, wanted: list[str]
) -> None:
    shop.has("1", "2", "3", "4", "5")
    shop.together("1", "2", "3", "4", "5")
    shop.sells("5", "4", "3", "2", "1")

    body = shop.get(**query).get_json()

    assert (body["slot"], body["strategy"]) == (query["slot"], strategy)
    assert [r["product_id"] for r in body["recommendations"]] == wanted
    assert {r["reason"] for r in body["recommendations"]} == {reason}


@pytest.mark.parametrize("limit", [1, 2, 24])
def test_limit_is_the_most_there_is(shop: Shop, limit: int) -> None:
    shop.has("1", "2", "3", "4")
    shop.together("1", "2", "3", "4")

    assert ids(shop.get(product_id="1", limit=limit)) == ["2", "3", "4"][:limit]


def test_fewer_rather_than_fillers(shop: Shop) -> None:
    shop.has("1", "2", "3", "4", "5")
    shop.together("1", "2")
    shop.sells("3", "4", "5")

    assert ids(shop.get(product_id="1", limit=4)) == ["2"]


def test_the_product_of_the_page_is_never_recommended(shop: Shop) -> None:
    shop.has("1", "2")
    shop.together("1", "1", "2")
    shop.sells("1", "2")

    assert ids(shop.get(slot="product", product_id="1")) == ["2"]
    assert ids(shop.get(slot="home", product_id="1")) == ["2"]


def test_what_is_in_the_cart_is_never_recommended(shop: Shop) -> None:
    shop.has("1", "2", "3")
    shop.together("1", "2", "3")
    shop.together("2", "1", "3")
    shop.sells("1", "2", "3")

    assert ids(shop.get(slot="product", product_id="1", cart="2")) == ["3"]
    assert ids(shop.get(slot="cart", cart="1,2")) == ["3"]
    assert ids(shop.get(slot="home", cart="1,2")) == ["3"]


def test_unknown_products_in_the_cart_are_passed_over(shop: Shop) -> None:
    shop.has("1", "2")
    shop.together("1", "2")

    assert ids(shop.get(slot="cart", cart="1,999,nobody")) == ["2"]
    assert ids(shop.get(slot="cart", cart="999")) == []


def test_a_whole_cart_counts_and_names_its_strongest_reason(shop: Shop) -> None:
    shop.has("1", "2", "3", "4")
    shop.together("1", candidate("3", 0.6, orders=6), candidate("4", 0.7))
    shop.together("2", candidate("3", 0.5, orders=9))

    first, second = shop.get(slot="cart", cart="1,2").get_json()["recommendations"]

    # 0.6² + 0.5² is more than 0.7²: two good reasons beat a better one.
    assert (first["product_id"], second["product_id"]) == ("3", "4")
    assert first["evidence"] == {"orders": 6, "confidence": 0.5, "lift": 2.0, "llr": 20.0, "with": "1"}


@pytest.mark.parametrize("query", [{}, {"cart": ""}, {"cart": ","}], ids=["absent", "empty", "comma"])
def test_an_empty_cart_goes_with_nothing_in_its_slot(shop: Shop, query: dict[str, str]) -> None:
    shop.has("1")
    shop.sells("1")

    assert ids(shop.get(slot="cart", **query)) == []


def test_commas_without_ids_are_nothing(shop: Shop) -> None:
    shop.has("1", "2")
    shop.together("1", "2")

    assert ids(shop.get(slot="cart", cart=",1,,")) == ["2"]


def test_ids_beyond_what_javascript_can_count_are_exact(shop: Shop) -> None:
    shop.has("9007199254740993", "9007199254740995")
    shop.together("9007199254740993", "9007199254740995")

    assert ids(shop.get(product_id="9007199254740993")) == ["9007199254740995"]
    assert ids(shop.upsell(9007199254740993)) == ["9007199254740995"]


# --- caching --------------------------------------------------------------------------------------------


def test_an_answer_without_a_visitor_may_be_cached_by_everybody(shop: Shop) -> None:
    shop.sells()

    headers = shop.get(slot="home").headers

    assert headers["Cache-Control"] == "public, max-age=10, stale-while-revalidate=5"
    assert headers["Vary"] == VARY
    assert re.fullmatch(r'"[0-9a-f]{24}"', headers["ETag"])
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("lifetime_ms", "cache_control"),
    [
        (0, "public, max-age=10, stale-while-revalidate=5"),
        (1000, "public, max-age=9, stale-while-revalidate=5"),
        (12_000, "public, max-age=0, stale-while-revalidate=3"),
        (15_000, "public, max-age=0, stale-while-revalidate=0"),
    ],
)
def test_all_places_together_hold_an_answer_for_fifteen_seconds(
    shop: Shop, make_app: Callable[..., Flask], lifetime_ms: int, cache_control: str
) -> None:
    shop.client = make_app(ready_bytes_ms=lifetime_ms).test_client()

    assert shop.get(slot="home").headers["Cache-Control"] == cache_control


def test_the_answer_to_a_visitor_is_private(shop: Shop) -> None:
    response = shop.get(slot="home", visitor_id="v1", headers={"Origin": shop.origin})

    assert response.headers["Cache-Control"] == "private, no-store"
    assert "ETag" not in response.headers
    assert response.headers["Access-Control-Allow-Origin"] == shop.origin


@pytest.mark.parametrize("sent", ["{etag}", "W/{etag}", '"other", {etag}', "*"])
def test_who_has_the_answer_gets_304(shop: Shop, sent: str) -> None:
    shop.has("1")
    shop.sells("1")
    etag = shop.get(slot="home").headers["ETag"]

    response = shop.get({"If-None-Match": sent.format(etag=etag)}, slot="home")

    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == etag
    assert response.headers["Cache-Control"].startswith("public")
    assert response.headers["Vary"] == VARY
    assert "Content-Type" not in response.headers


def test_another_answer_has_another_etag(shop: Shop) -> None:
    shop.has("1", "2")
    shop.sells("1")
    etag = shop.get(slot="home").headers["ETag"]

    shop.sells("2", "1")
    response = shop.get({"If-None-Match": etag}, slot="home")

    assert ids(response) == ["2", "1"]
    assert response.headers["ETag"] != etag


def test_equal_answers_are_one_decision(shop: Shop) -> None:
    shop.has("1", "2")
    shop.sells("1", "2")

    first, again, fewer = (shop.get(slot="home", limit=n).get_json()["decision_id"] for n in (2, 2, 1))

    assert first == again
    assert first != fewer


# --- ready bytes ----------------------------------------------------------------------------------------


def test_ready_bytes_are_given_as_if_they_were_made(ready_shop: Shop) -> None:
    ready_shop.has("1")
    ready_shop.sells("1")
    known = {"If-None-Match": ready_shop.get(slot="home").headers["ETag"]}
    ready_shop.client.application.extensions["pannier_ready_bytes"].held.forget_all()
    given = []
    for headers in (None, known):
        made, held = (ready_shop.get(headers, slot="home") for _ in range(2))
        assert (held.status, held.data) == (made.status, made.data)
        assert sorted(held.headers.items()) == sorted(made.headers.items())
        given.append(held.status_code)
        ready_shop.client.application.extensions["pannier_ready_bytes"].held.forget_all()

    assert given == [200, 304]


def test_ready_bytes_need_neither_database_nor_redis(
    ready_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_shop.has("1")
    ready_shop.sells("1")
    first = ready_shop.get(slot="home")
    app = ready_shop.client.application

    def untouchable(*_: Any, **__: Any) -> Any:
        raise AssertionError("somebody asked Redis")

    monkeypatch.setattr(app.extensions["pannier_redis"], "execute_command", untouchable)
    with counted_statements(app) as statements:
        second = ready_shop.get(slot="home")

    assert statements == []
    assert second.data == first.data
    assert second.headers["ETag"] == first.headers["ETag"]
    assert ready_shop.get({"If-None-Match": first.headers["ETag"]}, slot="home").status_code == 304


def test_ready_bytes_are_made_anew_after_their_time(
    ready_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_shop.has("1", "2")
    ready_shop.sells("1")
    assert ids(ready_shop.get(slot="home")) == ["1"]
    ready_shop.sells("2")
    assert ids(ready_shop.get(slot="home")) == ["1"]

    held = ready_shop.client.application.extensions["pannier_ready_bytes"].held
    for key, (_, ready, _) in list(held._found.items()):
        held._found[key] = (0.0, ready, False)

    assert ids(ready_shop.get(slot="home")) == ["2"]


def test_what_is_asked_at_great_length_is_answered_and_not_held(ready_shop: Shop) -> None:
    ready_shop.has("1")
    ready_shop.sells("1")
    held = ready_shop.client.application.extensions["pannier_ready_bytes"].held

    assert ready_shop.get({"Authorization": "x" * 4_000}, slot="home").status_code == 200
    assert len(held) == 0
    assert ready_shop.get({"Authorization": "x" * 400}, slot="home").status_code == 200
    assert len(held) == 1


def test_ready_bytes_are_not_shared_between_queries_or_stores(ready_shop: Shop) -> None:
    ready_shop.has("1", "2")
    ready_shop.sells("1", "2")
    other = Shop(ready_shop.client)
    other.has("7")
    other.sells("7")

    assert ids(ready_shop.get(slot="home")) == ["1", "2"]
    assert ids(ready_shop.get(slot="home", limit=1)) == ["1"]
    assert ids(other.get(slot="home")) == ["7"]
    assert ids(ready_shop.get(slot="home")) == ["1", "2"]


@pytest.mark.parametrize("by", ["X-Pannier-Key", "Authorization", "key"])
def test_ready_bytes_are_not_given_to_strangers(ready_shop: Shop, by: str) -> None:
    ready_shop.sells()
    keys = ready_shop.keys
    good: dict[str, Any] = {
        "X-Pannier-Key": {"headers": {"X-Pannier-Key": keys.publishable}},
        "Authorization": {"headers": {"Authorization": f"Bearer {keys.secret}"}},
        "key": {"query_string": {"slot": "home", "key": keys.publishable}},
    }[by]
    client = ready_shop.client
    address = "/v1/recommendations"
    assert client.get(address, **{"query_string": {"slot": "home"}, **good}).status_code == 200

    for stranger in ({}, {"X-Pannier-Key": "pk_other"}, {"Authorization": "Bearer sk_other"}):
        response = client.get(address, query_string={"slot": "home"}, headers=stranger)
        assert (response.status_code, problem(response)["title"]) == (401, "Unauthorized")


def test_ready_bytes_are_not_shared_between_origins(ready_shop: Shop) -> None:
    ready_shop.sells()
    plain = ready_shop.get(slot="home")
    page = ready_shop.get({"Origin": ready_shop.origin}, slot="home")
    foreign = ready_shop.get({"Origin": "https://evil.example"}, slot="home")

    assert "Access-Control-Allow-Origin" not in plain.headers
    assert page.headers["Access-Control-Allow-Origin"] == ready_shop.origin
    assert foreign.status_code == 403
    assert "Access-Control-Allow-Origin" not in ready_shop.get(slot="home").headers


def test_private_answers_are_not_held_ready(ready_shop: Shop) -> None:
    ready_shop.has("1", "2")
    ready_shop.sells("1")
    assert ids(ready_shop.get(slot="home", visitor_id="v1")) == ["1"]

    ready_shop.sells("2")

    assert ids(ready_shop.get(slot="home", visitor_id="v1")) == ["2"]
    assert len(ready_shop.client.application.extensions["pannier_ready_bytes"].held) == 0


def test_errors_are_not_held_ready(ready_shop: Shop) -> None:
    assert ready_shop.get(product_id="1").status_code == 404

    ready_shop.has("1")

    assert ids(ready_shop.get(product_id="1")) == []


def test_ready_bytes_are_bounded(ready_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    held = ready_shop.client.application.extensions["pannier_ready_bytes"].held
    monkeypatch.setattr(held, "_most", 3)

    for limit in range(1, 9):
        ready_shop.get(slot="home", limit=limit)

    assert 0 < len(held) <= 3


# --- products that may not be shown ---------------------------------------------------------------------

HIDING: dict[str, Callable[[str], Any]] = {
    "sold out": lambda p: state(p, seconds=10, stock=0),
    "said to be sold out": lambda p: state(p, seconds=10, available=False),
    "draft": lambda p: state(p, seconds=10, status=ProductStatus.DRAFT),
    "archived": lambda p: state(p, seconds=10, status=ProductStatus.ARCHIVED),
    "hidden": lambda p: state(p, seconds=10, visible=False),
    "gift card": lambda p: state(p, seconds=10, gift_card=True),
    "untitled": lambda p: state(p, seconds=10, title=""),
    "deleted": product_deletion,
}


def every_path(shop: Shop) -> dict[str, list[str]]:
    """Return what each way to ask recommends, for a page of product 1 and a cart with it."""
    batch = shop.post({"slot": "product", "product_id": "1"}, {"slot": "home"}).get_json()["results"]
    return {
        "product": ids(shop.get(slot="product", product_id="1")),
        "cart": ids(shop.get(slot="cart", cart="1")),
        "home": ids(shop.get(slot="home")),
        "visitor": ids(shop.get(slot="product", product_id="1", visitor_id="v1")),
        "batch": sorted(r["product_id"] for result in batch for r in result["recommendations"]),
        "upsell together": ids(shop.upsell("1")),
        "upsell cart": ids(shop.upsell("1", strategy="complete_the_cart")),
        "upsell best sellers": ids(shop.upsell("1", strategy="best_sellers")),
    }


@pytest.fixture
def three(shop: Shop) -> Shop:
    """A shop in which 2 and 3 are shown wherever 1 is."""
    shop.has("1", "2", "3")
    shop.together("1", "2", "3")
    shop.sells("2", "3")
    return shop


@pytest.mark.parametrize("warmth", ["cold", "warm lists", "warm"])
@pytest.mark.parametrize("hide", HIDING.values(), ids=HIDING.keys())
def test_what_may_not_be_shown_disappears_from_every_path(
    app: Flask, three: Shop, hide: Callable[[str], Any], warmth: str
) -> None:
    both = every_path(three)
    assert {tuple(found) for found in both.values()} == {("2", "3")}

    three.hears(hide("2"))
    if warmth == "cold":
        forget_cached(app)
    elif warmth == "warm lists":
        for key in app.extensions["pannier_redis"].scan_iter("pannier:*:card:*"):
            app.extensions["pannier_redis"].delete(key)

    assert {tuple(found) for found in every_path(three).values()} == {("3",)}


def test_what_comes_back_is_shown_again_at_once(three: Shop) -> None:
    three.hears(state("2", seconds=10, stock=0))
    assert ids(three.get(product_id="1")) == ["3"]

    three.hears(state("2", seconds=20, stock=1))

    assert ids(three.get(product_id="1")) == ["2", "3"]


def test_a_new_price_is_shown_at_once(three: Shop) -> None:
    assert three.get(product_id="1").get_json()["recommendations"][0]["price"]["amount"] == 1000
    change = state("2", seconds=10, price=1250)
    assert change.variants is not None

    three.hears(replace(change, variants=(replace(change.variants[0], price=1250),)))

    assert three.get(product_id="1").get_json()["recommendations"][0]["price"] == {
        "amount": 1250,
        "currency": "USD",
    }


def test_a_card_lives_fifteen_seconds_where_no_change_replaced_it(app: Flask, three: Shop) -> None:
    forget_cached(app)
    three.get(product_id="1")
    redis: Redis = app.extensions["pannier_redis"]

    lives = {key: redis.ttl(key) for key in redis.scan_iter(f"pannier:{three.store_id}:card:*")}

    assert len(lives) == 3
    assert all(0 < seconds <= cache.CARD_TTL_S == 15 for seconds in lives.values())


def test_when_redis_was_away_during_a_change_its_cards_are_not_believed_for_long(
    app: Flask, three: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drain could not replace the card: only its short life ends the mistake."""
    every_path(three)
    with monkeypatch.context() as away:
        away.setattr("app.recommendations.cache.replace_cards", lambda *_: None)
        three.hears(state("2", seconds=10, stock=0))
    assert ids(three.get(product_id="1")) == ["2", "3"]

    app.extensions["pannier_redis"].delete(f"pannier:{three.store_id}:card:2")

    assert ids(three.get(product_id="1")) == ["3"]


def test_behind_many_sold_out_products_the_others_are_found(shop: Shop) -> None:
    sold_out = [str(n) for n in range(100, 140)]
    shop.hears(state("1"), *(state(p, stock=0) for p in sold_out), state("2"), state("3"))
    shop.together("1", *sold_out, "2", "3")

    assert ids(shop.get(product_id="1", limit=1)) == ["2"]
    assert ids(shop.get(product_id="1", limit=4)) == ["2", "3"]


def test_the_page_of_a_sold_out_product_still_gets_recommendations(three: Shop) -> None:
    three.hears(state("1", seconds=10, stock=0))

    assert ids(three.get(product_id="1")) == ["2", "3"]


def test_products_that_only_orders_have_named_are_not_shown(shop: Shop) -> None:
    shop.has("1")
    shop.together("1", "2")

    assert ids(shop.get(product_id="1")) == []


# --- several slots --------------------------------------------------------------------------------------


def test_several_slots_in_order_and_no_product_twice(shop: Shop) -> None:
    shop.has("1", "2", "3", "4", "5", "6")
    shop.together("1", "2", "3")
    shop.together("2", "3", "4")
    shop.sells("2", "3", "4", "5", "6")

    response = shop.post(
        {"slot": "product", "product_id": "1", "limit": 2},
        {"slot": "cart", "cart": ["2"], "limit": 2},
        {"slot": "home", "limit": 2},
        headers={"Origin": shop.origin},
    )

    results = response.get_json()["results"]
    assert [r["slot"] for r in results] == ["product", "cart", "home"]
    shown = [[r["product_id"] for r in result["recommendations"]] for result in results]
    assert shown == [["2", "3"], ["4", "5"], ["6"]]
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["Access-Control-Allow-Origin"] == shop.origin
    assert response.headers["Vary"] == "Origin"


def test_the_same_slot_twice_goes_on_where_the_first_ended(shop: Shop) -> None:
    shop.has("1", "2", "3")
    shop.sells("1", "2", "3")

    results = shop.post({"slot": "home", "limit": 2}, {"slot": "home", "limit": 2}).get_json()["results"]

    assert [[r["product_id"] for r in result["recommendations"]] for result in results] == [["1", "2"], ["3"]]


def test_a_slot_of_many_answers_like_a_slot_alone(three: Shop) -> None:
    alone = three.get(slot="product", product_id="1").get_json()

    (result,) = three.post({"slot": "product", "product_id": 1, "cart": [], "limit": None}).get_json()[
        "results"
    ]

    assert result == alone


@pytest.mark.parametrize(
    ("requests", "invalid"),
    [
        ([], {"requests": "Length must be between 1 and 10."}),
        ([{"slot": "home"}] * 11, {"requests": "Length must be between 1 and 10."}),
        ([{"slot": "home"}, {"slot": "cellar"}], {"requests.1.slot": SLOT_NAMES}),
        ([{}], {"requests.0.slot": "Missing data for required field."}),
        ([{"slot": "home", "strategy": "x"}], {"requests.0.strategy": "Unknown field."}),
        ([["slot", "home"]], {"requests.0": "Invalid input type."}),
        ([None], {"requests.0": "Field may not be null."}),
        ([{"slot": "cart", "cart": "1,2"}], {"requests.0.cart": "Not a valid list."}),
        ([{"slot": "cart", "cart": [["1"]]}], {"requests.0.cart.0": "Not a valid string."}),
        ([{"slot": "cart", "cart": ["1"] * 101}], {"requests.0.cart": "Longer than maximum length 100."}),
        ([{"slot": "product"}], {"product_id": "The slot product needs the product of the page."}),
        ([{"slot": "home", "limit": 1.5}], {"requests.0.limit": "Not a valid integer."}),
        ([{"slot": "home", "limit": True}], {"requests.0.limit": "Not a valid integer."}),
        ([{"slot": "home", "limit": 0}],
         {"requests.0.limit": "Must be greater than or equal to 1 and less than or equal to 24."}),
    ],
    ids=["none", "too many", "unknown slot", "no slot", "unknown field", "list", "null", "cart as text",
         "list in cart", "cart too long", "no product", "float", "bool", "zero"],
)  # fmt: skip
def test_wrong_requests_are_named(shop: Shop, requests: list[Any], invalid: dict[str, str]) -> None:
    response = shop.post(*requests)

    assert response.status_code == 422
    assert problem(response)["invalid_params"] == [{"name": n, "reason": r} for n, r in invalid.items()]


def test_one_unknown_product_refuses_the_batch(shop: Shop) -> None:
    response = shop.post({"slot": "home"}, {"slot": "product", "product_id": "404"})

    assert problem(response)["detail"] == "This store has no product '404'."


# --- upsell ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cart", [["1", "2"], [1, 2], ["1", 2, 2]], ids=["strings", "numbers", "mixed and twice"]
)
def test_upsell_as_in_the_sample(shop: Shop, cart: list[Any]) -> None:
    shop.has("1", "2", "3", "4")
    shop.together("1", "3", "2")
    shop.together("2", "3", "4")

    response = shop.client.post(
        "/v1/upsell",
        json={"user_id": 42, "current_cart": cart, "strategy": "frequently_bought_together"},
        headers=shop.headers,
    )

    body = response.get_json()
    assert list(body) == ["decision_id", "strategy", "recommendations", "intent"]
    assert body["strategy"] == "frequently_bought_together"
    assert ids(response) == ["3", "4"]
    assert body["recommendations"][0]["evidence"]["with"] == "1"
    assert response.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [("frequently_bought_together", []), ("complete_the_cart", []), ("best_sellers", ["2"])],
)
def test_an_empty_cart_goes_with_nothing(shop: Shop, strategy: str, wanted: list[str]) -> None:
    shop.has("1", "2")
    shop.together("1", "2")
    shop.sells("2")

    assert ids(shop.upsell(strategy=strategy)) == wanted


def test_upsell_takes_what_shops_add_to_it(three: Shop) -> None:
    assert ids(three.upsell("1", user_id=None, session="x", limit=1)) == ["2"]


def test_upsell_gives_four_unless_asked(shop: Shop) -> None:
    shop.has(*(str(n) for n in range(1, 8)))
    shop.together("1", *(str(n) for n in range(2, 8)))

    assert ids(shop.upsell("1")) == ["2", "3", "4", "5"]
    assert ids(shop.upsell("1", limit=6)) == ["2", "3", "4", "5", "6", "7"]


def test_upsell_passes_over_unknown_products(three: Shop) -> None:
    assert ids(three.upsell("1", "999", "of-another-shop")) == ["2", "3"]


@pytest.mark.parametrize(
    ("body", "invalid"),
    [
        ({}, {"current_cart": "Missing data for required field."}),
        ({"current_cart": None}, {"current_cart": "Field may not be null."}),
        ({"current_cart": "1"}, {"current_cart": "Not a valid list."}),
        ({"current_cart": {"1": 1}}, {"current_cart": "Not a valid list."}),
        ({"current_cart": [1.5]}, {"current_cart.0": "Not a valid string."}),
        ({"current_cart": [True]}, {"current_cart.0": "Not a valid string."}),
        ({"current_cart": [-1]}, {"current_cart.0": "Not a valid string."}),
        ({"current_cart": [2**63]}, {"current_cart.0": "Not a valid string."}),
        ({"current_cart": ["a b"]}, {"current_cart.0": "Not a product id."}),
        ({"current_cart": ["1\n"]}, {"current_cart.0": "Not a product id."}),
        ({"current_cart": ["1"] * 101}, {"current_cart": "Longer than maximum length 100."}),
        ({"current_cart": [], "strategy": "telepathy"},
         {"strategy": STRATEGY_NAMES}),
        ({"current_cart": [], "limit": 25},
         {"limit": "Must be greater than or equal to 1 and less than or equal to 24."}),
    ],
    ids=["no cart", "null", "text", "object", "float", "bool", "negative", "64 bits", "space", "line feed", "too long",
         "strategy", "limit"],
)  # fmt: skip
def test_wrong_upsells_are_named(shop: Shop, body: Any, invalid: dict[str, str]) -> None:
    response = shop.client.post("/v1/upsell", json=body, headers=shop.headers)

    assert response.status_code == 422
    assert problem(response)["invalid_params"] == [{"name": n, "reason": r} for n, r in invalid.items()]


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "invalid"),
    [
        ({"slot": "cellar"}, {"slot": SLOT_NAMES}),
        ({"limit": "-1"}, {"limit": "Must be greater than or equal to 1 and less than or equal to 24."}),
        ({"limit": "25"}, {"limit": "Must be greater than or equal to 1 and less than or equal to 24."}),
        ({"limit": "abc"}, {"limit": "Not a valid integer."}),
        ({"limit": "1.5"}, {"limit": "Not a valid integer."}),
        ({"limit": "9" * 5000}, {"limit": "Not a valid integer."}),
        ({"product_id": "a b"}, {"product_id": "Not a product id."}),
        ({"product_id": "\x00"}, {"product_id": "Not a product id."}),
        ({"product_id": "é"}, {"product_id": "Not a product id."}),
        ({"product_id": "1" * 101}, {"product_id": "Not a product id."}),
        ({"product_id": ""}, {"product_id": "Not a product id."}),
        ({"cart": "1,a b"}, {"cart": "Not product ids separated by commas, 100 at most."}),
        ({"cart": "1,2\n"}, {"cart": "Not product ids separated by commas, 100 at most."}),
        ({"cart": "1," + "2" * 101}, {"cart": "Not product ids separated by commas, 100 at most."}),
        ({"cart": ",".join(["1"] * 101)}, {"cart": "Not product ids separated by commas, 100 at most."}),
        ({"visitor_id": "v" * 201}, {"visitor_id": "Longer than maximum length 200."}),
        ({}, {"product_id": "The slot product needs the product of the page."}),
    ],
    ids=["slot", "-1", "25", "abc", "1.5", "huge", "space", "NUL", "umlaut", "long id", "empty id", "cart", "line feed",
         "long id in cart", "long cart",
         "visitor", "no product"],
)  # fmt: skip
def test_wrong_parameters_are_named(shop: Shop, query: dict[str, str], invalid: dict[str, str]) -> None:
    response = shop.get(**query)

    assert response.status_code == 422
    assert problem(response) == {
        "type": "/docs/problems#invalid-parameters",
        "title": "Invalid parameters",
        "status": 422,
        "detail": "; ".join(f"{name}: {reason}" for name, reason in invalid.items()),
        "invalid_params": [{"name": n, "reason": r} for n, r in invalid.items()],
    }


def test_parameters_that_are_unknown_are_passed_over(shop: Shop) -> None:
    assert ids(shop.get(slot="home", utm_source="mail")) == []


def test_the_product_of_another_store_is_unknown(shop: Shop) -> None:
    other = Shop(shop.client)
    other.has("1")

    response = shop.get(product_id="1")

    assert problem(response) == {
        "type": "/docs/problems#not-found",
        "title": "Not found",
        "status": 404,
        "detail": "This store has no product '1'.",
    }


@pytest.mark.parametrize("body", ["[]", '"x"', "null", "[[[[[[]]]]]]", '{"current_cart": NaN}', "{", "x=1"])
@pytest.mark.parametrize("address", ["/v1/upsell", "/v1/recommendations"])
def test_other_bodies_than_an_object_are_refused(shop: Shop, address: str, body: str) -> None:
    response = shop.client.post(address, data=body, content_type="application/json", headers=shop.headers)

    is_json = body in ("[]", '"x"', "null", "[[[[[[]]]]]]")
    assert response.status_code == (422 if is_json else 400)
    assert problem(response)["detail"] == (
        "body: Invalid input type." if is_json else "The body is not JSON."
    )


def test_a_body_of_ten_megabytes_is_refused(shop: Shop) -> None:
    response = shop.client.post(
        "/v1/upsell", data=b" " * 10_000_000, content_type="application/json", headers=shop.headers
    )

    assert problem(response)["title"] == "Too large"
    assert problem(response)["detail"] == "The body is larger than 100000 bytes."


# --- keys and origins -----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["X-Pannier-Key", "key", "bearer"])
def test_three_ways_to_say_who_one_is(shop: Shop, place: str) -> None:
    headers = {
        "X-Pannier-Key": {"X-Pannier-Key": shop.keys.publishable},
        "key": {},
        "bearer": {"Authorization": f"bearer {shop.keys.secret}"},
    }[place]
    query = {"slot": "home"} | ({"key": shop.keys.publishable} if place == "key" else {})

    assert shop.client.get("/v1/recommendations", query_string=query, headers=headers).status_code == 200


@pytest.mark.parametrize("place", ["X-Pannier-Key", "key"])
def test_a_secret_key_opens_nothing_from_where_it_would_be_seen(shop: Shop, place: str) -> None:
    secret = {place: shop.keys.secret}
    query = {"slot": "home"} | (secret if place == "key" else {})
    headers = secret if place != "key" else {}

    assert shop.client.get("/v1/recommendations", query_string=query, headers=headers).status_code == 401


def test_a_publishable_key_is_no_bearer(shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {shop.keys.publishable}"}

    response = shop.client.get("/v1/recommendations?slot=home", headers=headers)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="pannier"'


def test_a_rotated_key_opens_until_its_time_is_over(app: Flask, shop: Shop) -> None:
    rotate_keys(shop.store)
    db.session.commit()
    assert shop.get(slot="home").status_code == 200

    digest = key_digest(shop.keys.publishable)
    db.session.execute(
        update(StoreKey).where(StoreKey.digest == digest).values(expires_at=now() - timedelta(seconds=1))
    )
    db.session.commit()
    app.extensions["pannier_access"].forget()

    assert problem(shop.get(slot="home"))["title"] == "Unauthorized"


def test_an_uninstalled_store_gets_nothing(app: Flask, shop: Shop) -> None:
    assert shop.get(slot="home").status_code == 200
    db.session.get_one(Store, shop.store_id).uninstalled_at = now()
    db.session.commit()
    app.extensions["pannier_access"].forget()

    assert problem(shop.get(slot="home"))["title"] == "Unauthorized"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://{host}", "https://{host}:8443", ""]
)
@pytest.mark.parametrize("key", ["publishable", "secret"])
def test_pages_of_other_origins_are_refused(shop: Shop, origin: str, key: str) -> None:
    who = (
        shop.headers if key == "publishable" else {"Authorization": f"Bearer {shop.keys.secret}"}
    )  # fmt: skip
    headers = {**who, "Origin": origin.format(host=shop.origin.removeprefix("https://"))}

    answers = [
        shop.client.get("/v1/recommendations?slot=home", headers=headers),
        shop.client.post("/v1/recommendations", json={"requests": [{"slot": "home"}]}, headers=headers),
        shop.client.post("/v1/upsell", json={"current_cart": []}, headers=headers),
    ]

    for answer in answers:
        assert problem(answer) == {
            "type": "/docs/problems#forbidden",
            "title": "Forbidden",
            "status": 403,
            "detail": "This key may not be used on pages of this origin. Add the origin to the store.",
        }
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_page_of_the_store_may_read_answers_and_refusals(shop: Shop) -> None:
    page = {"Origin": shop.origin}

    for response in (
        shop.get(page, slot="home"),
        shop.get(page, product_id="404"),
        shop.get(page, limit="x"),
    ):
        assert response.headers["Access-Control-Allow-Origin"] == shop.origin
        assert "Origin" in response.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("address", ["/v1/recommendations", "/v1/upsell", "/v1/anything"])
def test_preflight_of_a_known_page(shop: Shop, address: str) -> None:
    response = shop.client.options(address, headers={"Origin": shop.origin})

    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == shop.origin
    assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, PUT"
    assert response.headers["Access-Control-Allow-Headers"] == (
        "AnonymousId, Authorization, Content-Type, X-Pannier-Key, X-Pannier-Visitor, X-Pannier-Customer, X-Retry-Count,"
        " Idempotency-Key"
    )
    assert response.headers["Access-Control-Max-Age"] == "86400"
    assert response.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "\x00", "https://a\x00b", None])
def test_preflight_of_an_unknown_page(shop: Shop, origin: str | None) -> None:
    response = shop.client.options(
        "/v1/recommendations", environ_overrides={} if origin is None else {"HTTP_ORIGIN": origin}
    )

    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Vary"] == "Origin"
    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]


def test_preflight_for_an_uninstalled_store(shop: Shop) -> None:
    db.session.get_one(Store, shop.store_id).uninstalled_at = now()
    db.session.commit()

    response = shop.client.options("/v1/recommendations", headers={"Origin": shop.origin})

    assert "Access-Control-Allow-Origin" not in response.headers


# --- what is down ---------------------------------------------------------------------------------------


def test_without_redis_the_answer_comes_from_postgresql(
    app: Flask, three: Shop, make_app: Callable[..., Flask], dead_redis: str
) -> None:
    with_redis = every_path(three)
    three.client = make_app(redis_url=dead_redis).test_client()

    assert every_path(three) == with_redis

    three.hears(state("2", seconds=10, stock=0))
    assert {tuple(found) for found in every_path(three).values()} == {("3",)}


def test_without_a_database_ready_lists_do_not_let_strangers_in(
    make_app: Callable[..., Flask], shop: Shop, dead_database: str
) -> None:
    shop.client = make_app(database_url=dead_database).test_client()

    response = shop.get(slot="home")

    assert problem(response) == {
        "type": "/docs/problems#unavailable",
        "title": "Unavailable",
        "status": 503,
        "detail": "The database does not answer. Try again in a few seconds.",
    }
    assert response.headers["Retry-After"] == "5"


def test_a_preflight_without_a_database_is_503(make_app: Callable[..., Flask], dead_database: str) -> None:
    client = make_app(database_url=dead_database).test_client()

    assert client.options("/v1/upsell", headers={"Origin": "https://a.example"}).status_code == 503


# --- what readers leave in Redis ------------------------------------------------------------------------


def test_made_up_products_are_remembered_for_seconds(app: Flask, shop: Shop) -> None:
    shop.has("1")
    shop.get(slot="cart", cart="1,made-up")
    redis: Redis = app.extensions["pannier_redis"]

    lists = [
        redis.ttl(f"pannier:{shop.store_id}:list:frequently_bought_together:{id_}")
        for id_ in ("1", "made-up")
    ]

    assert all(0 < seconds <= 15 for seconds in lists)


def test_a_list_read_from_postgresql_lives_as_long_as_its_strategy_says(app: Flask, three: Shop) -> None:
    forget_cached(app)
    three.get(product_id="1")
    three.get(slot="home")
    redis: Redis = app.extensions["pannier_redis"]

    assert 1800 < redis.ttl(f"pannier:{three.store_id}:list:frequently_bought_together:1") <= 3600
    assert 43_200 < redis.ttl(f"pannier:{three.store_id}:list:best_sellers:") <= 86_400


@pytest.mark.parametrize("kind", ["list", "card"])
def test_keys_of_redis_begin_with_the_store(app: Flask, three: Shop, kind: str) -> None:
    forget_cached(app)
    every_path(three)

    keys = {key.decode() for key in app.extensions["pannier_redis"].scan_iter(f"*{kind}*")}

    assert keys
    assert all(key.startswith(f"pannier:{three.store_id}:{kind}:") for key in keys)
