"""Known customers: recognised only if everything speaks for it, by what they bought and when."""

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from app.core.db import now
from app.recommendations import ready_lists
from app.recommendations.personal import LEAST_DUE, summarize
from app.recommendations.purchases import Purchase
from app.recommendations.repeats import Repeat
from tests.factories import BEGIN, customer_deletion, customer_ref, order_change
from tests.recommendations.shops import Shop, candidate, ids, state

TODAY = date(2026, 6, 1)
MONTHLY = Repeat(days=30, spread=5, customers=50, share=0.8)
DURABLE = Repeat(days=200, spread=40, customers=50, share=0.02)


def bought(product: str, days_ago: int, times: int = 1) -> Purchase:
    day = TODAY - timedelta(days=days_ago)
    return Purchase(product, times, day, day)


# --- what purchases say ---------------------------------------------------------------------------------


def test_recent_purchases_weigh_more() -> None:
    found = summarize([bought("a", 0), bought("b", 90), bought("c", 180)], {}, TODAY)

    assert found.weights == {"a": 1.0, "b": 0.5, "c": 0.25}
    assert (found.due, found.resting) == ((), frozenset())


def test_a_purchase_of_tomorrow_is_one_of_today() -> None:
    assert summarize([bought("a", -1)], {}, TODAY).weights == {"a": 1.0}


def test_what_is_due_comes_most_urgent_first() -> None:
    purchases = [bought("fresh", 1), bought("soon", 22), bought("due", 30, times=4), bought("never", 30)]
    rhythms = {"fresh": MONTHLY, "soon": MONTHLY, "due": MONTHLY, "never": DURABLE}

    found = summarize(purchases, rhythms, TODAY)

    assert found.due == ({"id": "due", "times": 4, "days": 30}, {"id": "soon", "times": 1, "days": 30})
    assert found.resting == {"never"}
    assert 0 < LEAST_DUE < 1


# --- who is recognised ----------------------------------------------------------------------------------


@pytest.fixture
def regular(shop: Shop) -> Shop:
    """A shop in which customer 7 bought coffee a month ago, which goes with filters, and a machine."""
    names = {"1": "Coffee", "2": "Filters", "3": "Machine", "4": "Cup"}
    shop.hears(*(state(p, title=title) for p, title in names.items()))
    ago = (now() - timedelta(days=30) - BEGIN).total_seconds()
    shop.hears(order_change("o1", "1", "3", placed=ago, customer=customer_ref("7")))
    shop.publishes(ready_lists.REPEATS, "1", {"days": 30.0, "spread": 5.0, "customers": 50, "share": 0.8})
    shop.publishes(ready_lists.REPEATS, "3", {"days": 200.0, "spread": 40.0, "customers": 50, "share": 0.02})
    shop.scores("1", candidate("2", 1.0), candidate("3", 0.5))
    shop.scores("3")
    shop.sells("3", "4")
    return shop


ASKED: dict[str, Any] = {"user_id": "7", "personal": True, "current_cart": []}


def test_a_customer_is_offered_what_is_due(regular: Shop) -> None:
    response = regular.ask_as_server("/v1/upsell", {**ASKED, "strategy": "buy_again"})

    body = response.get_json()
    assert body["strategy"] == "buy_again"
    assert [(r["product_id"], r["reason"], r["evidence"]) for r in body["recommendations"]] == [
        ("1", "buy_again", {"times": 1, "days": 30.0})
    ]
    assert response.headers["Cache-Control"] == "private, no-store"


def test_a_customer_is_offered_what_goes_with_their_purchases_and_no_second_machine(regular: Shop) -> None:
    response = regular.ask_as_server("/v1/upsell", {**ASKED, "user_id": 7, "strategy": "recommended_for_you"})

    body = response.get_json()
    assert body["strategy"] == "recommended_for_you"
    assert [(r["product_id"], r["reason"]) for r in body["recommendations"]] == [
        ("2", "goes_with_purchases"),
        ("4", "best_seller"),
    ]
    assert body["recommendations"][0]["evidence"]["with"] == "1"


def test_a_batch_recognises_the_customer_for_all_its_slots(regular: Shop) -> None:
    slots = [{"slot": "buy_again"}, {"slot": "home_for_you"}, {"slot": "home"}]

    body = {"requests": slots, "customer_id": 7, "personal": True}
    results = regular.ask_as_server("/v1/recommendations", body).get_json()["results"]

    assert [r["strategy"] for r in results] == ["buy_again", "recommended_for_you", "best_sellers"]
    shown = [[p["product_id"] for p in r["recommendations"]] for r in results]
    assert shown == [["1"], ["2", "4"], []], "the machine rests everywhere"


@pytest.mark.parametrize(
    "changed",
    [{"personal": False}, {"personal": None}, {"user_id": None}, {"user_id": ["7"]}, {"user_id": "8"},
     {"user_id": True}, {"user_id": ""}],
    ids=["not personal", "unsaid", "nobody", "a list", "another", "a truth value", "empty"],
)  # fmt: skip
def test_whoever_is_not_clearly_named_gets_what_everybody_gets(
    regular: Shop, changed: dict[str, Any]
) -> None:
    asked = {
        k: v
        for k, v in {**ASKED, **changed, "strategy": "buy_again"}.items()
        if k != "personal" or v is not None
    }

    body = regular.ask_as_server("/v1/upsell", asked).get_json()

    assert (body["strategy"], [r["product_id"] for r in body["recommendations"]]) == (
        "best_sellers",
        ["3", "4"],
    )


def test_a_page_cannot_have_anybody_recognised(redis: Redis, regular: Shop) -> None:
    upsold = regular.client.post(
        "/v1/upsell", json={**ASKED, "strategy": "buy_again"}, headers=regular.headers
    )
    body = {"requests": [{"slot": "buy_again"}], "customer_id": "7", "personal": True}
    (result,) = regular.client.post("/v1/recommendations", json=body, headers=regular.headers).get_json()[
        "results"
    ]
    in_address = regular.get(slot="buy_again", customer_id="7", personal="true")

    assert upsold.get_json()["strategy"] == result["strategy"] == "best_sellers"
    assert in_address.get_json()["strategy"] == "best_sellers"
    assert list(redis.scan_iter(f"pannier:{regular.store_id}:personal:*")) == [], "nothing was looked up"


@pytest.mark.parametrize("said", ["true", 1, "yes", []])
def test_consent_is_said_in_so_many_words(regular: Shop, said: Any) -> None:
    response = regular.ask_as_server("/v1/upsell", {**ASKED, "personal": said})

    assert response.status_code == 422
    assert response.get_json()["invalid_params"] == [{"name": "personal", "reason": "Not true or false."}]


def test_another_stores_key_opens_nothing_of_a_customer(regular: Shop) -> None:
    other = Shop(regular.client)

    body = other.ask_as_server("/v1/upsell", {**ASKED, "strategy": "buy_again"}).get_json()

    assert body["recommendations"] == []


def test_what_is_kept_of_a_customer_names_nobody_and_goes_within_a_minute(
    redis: Redis, regular: Shop
) -> None:
    regular.ask_as_server("/v1/upsell", {**ASKED, "strategy": "buy_again"})

    (key,) = redis.scan_iter(f"pannier:{regular.store_id}:personal:*")
    assert key.decode().rpartition(":")[2] != "7"
    assert len(key.decode().rpartition(":")[2]) == 64
    assert 0 < redis.ttl(key) <= 60


def test_what_is_kept_answers_again_and_a_sold_out_product_leaves_at_once(app: Flask, regular: Shop) -> None:
    asked = {**ASKED, "strategy": "buy_again"}
    first = regular.ask_as_server("/v1/upsell", asked).get_json()
    assert regular.ask_as_server("/v1/upsell", asked).get_json() == first

    regular.hears(state("1", title="Coffee", stock=0, seconds=5))

    assert "1" not in ids(regular.ask_as_server("/v1/upsell", asked))


def test_a_deleted_customer_is_nobody(regular: Shop) -> None:
    regular.hears(customer_deletion("7", seconds=1e9))

    assert (
        regular.ask_as_server("/v1/upsell", {**ASKED, "strategy": "buy_again"}).get_json()["strategy"]
        == "best_sellers"
    )
