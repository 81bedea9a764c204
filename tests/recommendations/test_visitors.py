"""Answers to visitors: what the running session changes, and that without a yes nothing does."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from werkzeug.test import TestResponse

from app.core.db import db, now
from app.events import links, tokens
from app.privacy import consent
from app.privacy.consent import CHOICE, Signal
from app.privacy.purposes import Purposes
from app.privacy.rooms import Person
from app.privacy.subjects import CUSTOMER, VISITOR, customer_node, digest, visitor_node
from app.privacy.suppression import suppress
from app.recommendations import ready_lists
from app.recommendations.personal import PersonalRoom
from tests.events.happenings import keep
from tests.factories import BEGIN, customer_ref, order_change
from tests.recommendations.shops import Shop, candidate, counted_statements, ids, state

NAMES = {"1": "Mug", "2": "Saucer", "3": "Tray", "4": "Kettle", "5": "Lamp", "6": "Apron", "7": "Bowl"}
ANNA, BEN = "anna-browser", "ben-browser"
ANALYTICS = Purposes.ANALYTICS
PERSONAL = Purposes.ANALYTICS | Purposes.PREFERENCES
NONE = Purposes.NONE


class Visited(Shop):
    """A shop whose visitors do things."""

    def allows(self, purposes: Purposes, visitor: str = ANNA, kind: str = VISITOR) -> None:
        """Record what a visitor or a customer allows."""
        signal = Signal(purposes, "widget", CHOICE, None, None)
        consent.keep(db.session.connection(), self.store_id, digest(self.store_id, kind, visitor), signal)
        db.session.commit()

    def sees(self, *events: tuple[str, list[str]], visitor: str = ANNA, **properties: Any) -> None:
        """Store what a visitor did during the last minute, oldest first."""
        times = [(float(len(events) - place), *event) for place, event in enumerate(events)]
        keep(self.store_id, digest(self.store_id, VISITOR, visitor), *times, **properties)

    def views(self, *products: str, visitor: str = ANNA) -> None:
        """Store looks at products, oldest first."""
        self.sees(*(("Product Viewed", [product]) for product in products), visitor=visitor)

    def ask(
        self, slot: str = "product_related", visitor: str | None = ANNA, headers: Any = None, **query: Any
    ) -> TestResponse:
        """Ask for one slot, with the visitor in the header."""
        named = {"X-Pannier-Visitor": visitor} if visitor else {}
        return self.get(headers={**named, **(headers or {})}, slot=slot, **query)

    def links(self, one: str, other: str) -> None:
        """Link two nodes."""
        links.link(db.session.connection(), self.store_id, [(one, other, links.LOGGED_IN)], now())
        db.session.commit()


@pytest.fixture
def shop(shared_app: Flask) -> Any:
    """Seven products; 1 is like all others, in the order of their numbers."""
    with shared_app.app_context():
        visited = Visited(shared_app.test_client())
        visited.hears(*(state(p, title=title) for p, title in NAMES.items()))
        visited.publishes(
            ready_lists.SIMILAR, "1", *({"id": p, "similarity": 0.9, "score": 1 / int(p)} for p in "234567")
        )
        visited.sells("7", "6", "5", "4", "3", "2", "1")
        yield visited


PAGE = {"slot": "product_related", "product_id": "1"}


def shown(response: TestResponse) -> list[tuple[str, str]]:
    assert response.status_code == 200, response.text
    return [(r["product_id"], r["reason"]) for r in response.get_json()["recommendations"]]


# --- without a yes --------------------------------------------------------------------------------------


REFUSALS: dict[str, Any] = {
    "nothing recorded": lambda _: {},
    "no": lambda shop: shop.allows(NONE),
    "marketing alone": lambda shop: shop.allows(Purposes.MARKETING),
    "preferences alone": lambda shop: shop.allows(Purposes.PREFERENCES),
    "another visitor's": lambda shop: shop.allows(PERSONAL, BEN),
    "global privacy control": lambda shop: shop.allows(PERSONAL) or {"Sec-GPC": "1"},
    "withdrawn": lambda shop: (shop.allows(PERSONAL), shop.allows(NONE))[1],
    "erased": lambda shop: (shop.allows(PERSONAL), erase(shop))[1],
}


def erase(shop: Visited) -> None:
    suppress(db.session.connection(), shop.store_id, [(VISITOR, digest(shop.store_id, VISITOR, ANNA))])
    db.session.commit()


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
@pytest.mark.parametrize("slot", ["product_related", "recently_viewed", "home_for_you", "cart"])
def test_without_a_yes_the_answer_is_everybodys_to_the_byte(shop: Visited, refusal: Any, slot: str) -> None:
    shop.sees(("Product Viewed", ["7"]), ("Product Added", ["6"]), ("Product Removed", ["2"]))
    shop.scores("7", candidate("3"))
    headers = refusal(shop) or {}

    answer = shop.ask(slot, headers=headers, product_id="1")

    assert answer.data == shop.ask(slot, visitor=None, product_id="1").data
    assert answer.get_json()["intent"] is None
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_a_visitor_without_a_yes_leaves_nothing_behind(shop: Visited, redis: Redis) -> None:
    redis.flushdb()
    shop.ask("home", visitor="somebody-of-whom-nothing-is-known")

    keys = b" ".join(redis.scan_iter("*"))
    assert b"somebody" not in keys
    assert digest(shop.store_id, VISITOR, "somebody-of-whom-nothing-is-known").hex().encode() not in keys


def test_where_the_events_cannot_be_read_the_answer_is_everybodys(
    shop: Visited, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    shop.allows(PERSONAL)
    shop.views("7")

    def down(*_: Any, **__: Any) -> Any:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr("app.events.recent.load", down)

    assert shop.ask(product_id="1").data == shop.ask(visitor=None, product_id="1").data


# --- with one -------------------------------------------------------------------------------------------


def test_what_was_viewed_is_shown_without_being_named(shop: Visited) -> None:
    shop.allows(ANALYTICS)
    shop.views("3", "4", "1", "4")

    answer = shop.ask("recently_viewed", product_id="1")

    assert shown(answer) == [("4", "recently_viewed"), ("3", "recently_viewed")]
    assert ids(shop.ask("recently_viewed", viewed="6,5")) == ["6", "5"], "the request's own list counts"


def test_what_goes_with_the_session_comes_first(shop: Visited) -> None:
    shop.allows(ANALYTICS)
    before = ids(shop.ask(product_id="1", limit=6))
    shop.publishes(ready_lists.SAME_SHOPPERS, "7", {"id": "5", "customers": 9, "score": 1.0})
    shop.views("7")

    answer = shop.ask(product_id="1", limit=6)

    assert before == ["2", "3", "4", "5", "6", "7"]
    assert ids(answer) == ["5", "2", "3", "4", "6", "7"]
    assert {reason for _, reason in shown(answer)} == {"similar"}, "a session claims nothing new"
    assert ids(shop.ask(product_id="1", limit=6, visitor=None)) == before


def test_the_product_slots_fallback_follows_the_session_and_proven_pairs_do_not(shop: Visited) -> None:
    shop.allows(ANALYTICS)
    shop.publishes(ready_lists.PAIRS, "7", candidate("5"))
    shop.views("7")
    assert ids(shop.ask("product", product_id="1")) == ["5", "2", "3"]

    shop.together("1", "2", "5")

    assert ids(shop.ask("product", product_id="1")) == ["2", "5"]


def test_a_session_fills_nothing_up(shop: Visited) -> None:
    shop.allows(ANALYTICS)
    shop.publishes(ready_lists.SIMILAR, "7", {"id": "6", "similarity": 0.9})
    shop.views("7")
    shop.publishes(ready_lists.SIMILAR, "1", {"id": "2", "similarity": 0.9})

    assert shown(shop.ask(product_id="1", limit=2)) == [("2", "similar"), ("7", "best_seller")]


def test_what_was_searched_for_comes_first(shop: Visited) -> None:
    shop.allows(ANALYTICS)
    shop.sees(("Products Searched", []), query="aprons")

    assert ids(shop.ask(product_id="1", limit=3)) == ["6", "2", "3"]


def test_what_was_taken_out_of_the_cart_is_not_offered_again(shop: Visited) -> None:
    shop.allows(ANALYTICS)
    shop.sees(("Product Viewed", ["2"]), ("Product Added", ["2"]), ("Product Removed", ["2"]))

    assert "2" not in ids(shop.ask(product_id="1"))
    assert "2" not in ids(shop.ask("home"))
    assert ids(shop.ask("recently_viewed")) == []


def test_what_was_bought_just_now_is_not_offered(shop: Visited) -> None:
    shop.allows(ANALYTICS)
    shop.sees(("Order Completed", ["7"]))

    assert "7" not in ids(shop.ask("home"))


@pytest.mark.parametrize(
    ("query", "wanted"),
    [({}, ["5"]), ({"cart": ""}, []), ({"cart": "3"}, ["4"])],
    ids=["not named", "named as empty", "named"],
)
def test_the_cart_is_what_events_tell_where_the_request_names_none(
    shop: Visited, query: dict[str, str], wanted: list[str]
) -> None:
    shop.allows(ANALYTICS)
    shop.together("2", "5")
    shop.together("3", "4")
    shop.sells()
    shop.sees(("Product Added", ["2"]))

    assert ids(shop.ask("cart", **query)) == wanted


def test_what_goes_with_views_is_offered_to_nobody_in_particular(shop: Visited) -> None:
    shop.allows(ANALYTICS)
    shop.scores("6", candidate("3", 0.5, orders=4), candidate("2", 0.9, orders=7), candidate("6", 1.0))
    shop.scores("5", candidate("3", 0.9, orders=8))
    shop.views("5", "6")

    body = shop.ask("home_for_you", limit=3).get_json()

    assert body["strategy"] == "recommended_for_you"
    # 6 was seen last and weighs 0.5, 5 weighs 0.4: (0.5 · 0.9)² is more than (0.5 · 0.5)² + (0.4 · 0.9)².
    assert [(r["product_id"], r["reason"], r["evidence"]) for r in body["recommendations"]] == [
        ("2", "goes_with_viewed", {"orders": 7, "with": "6"}),
        ("3", "goes_with_viewed", {"orders": 8, "with": "5"}),
        ("7", "best_seller", {"orders": 100}),
    ]


def test_a_store_without_rows_takes_proven_pairs(shop: Visited) -> None:
    shop.allows(ANALYTICS)
    shop.together("6", "3")
    shop.views("6")

    assert shown(shop.ask("home_for_you", limit=1)) == [("3", "goes_with_viewed")]


# --- who asks -------------------------------------------------------------------------------------------


def test_a_visitor_is_named_by_header_query_or_body(shop: Visited) -> None:
    shop.allows(ANALYTICS)
    shop.views("3")
    seen = {"slot": "recently_viewed"}

    by_header = shop.ask("recently_viewed")
    by_query = shop.get(**seen, visitor_id=ANNA)
    batch = {"requests": [seen, {"slot": "home", "limit": 1}], "visitor_id": ANNA}
    by_body = shop.client.post("/v1/recommendations", json=batch, headers=shop.headers)
    upsold = shop.upsell(strategy="recently_viewed", visitor_id=ANNA)

    assert ids(by_header) == ids(upsold) == ["3"]
    first, second = by_body.get_json()["results"]
    answers = [by_header.get_json(), by_query.get_json(), dict(first)]
    assert len({answer.pop("decision_id") for answer in answers}) == 3, "each is a decision of its own"
    assert answers[0] == answers[1] == answers[2]
    intent = {"state": "browsing", "reason": "1 product was looked at."}
    assert first["intent"] == second["intent"] == upsold.get_json()["intent"] == intent
    assert {r.headers["Cache-Control"] for r in (by_query, by_header, by_body, upsold)} == {
        "private, no-store"
    }
    assert ids(shop.ask("recently_viewed", visitor=BEN, visitor_id=ANNA)) == [], "the header counts"


def test_an_intent_is_told_with_its_reason(shop: Visited) -> None:
    shop.allows(ANALYTICS)
    shop.views("2", "3", "2")

    assert shop.ask("home").get_json()["intent"] == {
        "state": "comparing",
        "reason": "A product was looked at again after another one.",
    }


def test_an_answer_to_a_visitor_is_never_held_ready(ready_shop: Any, shop: Visited) -> None:
    shop.client = ready_shop.client
    held = ready_shop.client.application.extensions["pannier_ready_bytes"].held
    shop.allows(ANALYTICS)
    everybody = ids(shop.ask("recently_viewed", visitor=None))
    assert len(held) == 1

    shop.views("3")

    assert (everybody, ids(shop.ask("recently_viewed"))) == ([], ["3"])
    assert ids(shop.ask("recently_viewed", visitor=None)) == []
    assert len(held) == 1


def test_a_visitor_costs_two_statements(shop: Visited, shared_app: Flask) -> None:
    shop.allows(ANALYTICS)
    shop.views("3", "4")
    shop.ask(product_id="1")
    with counted_statements(shared_app) as common:
        shop.ask(product_id="1", visitor=None)
    with counted_statements(shared_app) as with_session:
        shop.ask(product_id="1")

    extra = [statement for statement in with_session if statement not in common]
    assert len(with_session) - len(common) == len(extra) == 2
    assert "consent_state" in extra[0]
    assert all("FROM event" in statement for statement in extra[1:])


# --- one person -----------------------------------------------------------------------------------------


@pytest.fixture
def regular(shop: Visited) -> Visited:
    """The same shop, in which customer 70 bought 3 a month ago, which goes with 4; Anna's browser is theirs."""
    ago = (now() - timedelta(days=30) - BEGIN).total_seconds()
    shop.hears(order_change("o1", "3", placed=ago, customer=customer_ref("70")))
    shop.scores("3", candidate("4", 1.0), candidate("5", 0.5))
    shop.scores("6", candidate("5", 1.0))
    shop.links(visitor_node(shop.store_id, ANNA), customer_node("70"))
    return shop


def for_you(shop: Visited, **asked: Any) -> list[str]:
    found = shop.ask("home_for_you", **asked).get_json()["recommendations"]
    return [f"{r['product_id']} {r['reason']}" for r in found if r["reason"] != "best_seller"]


def test_a_linked_visitor_who_agreed_is_offered_what_goes_with_their_purchases(regular: Visited) -> None:
    regular.allows(PERSONAL)

    assert for_you(regular) == ["4 goes_with_purchases", "5 goes_with_purchases"]
    assert for_you(regular, visitor=BEN) == []


def test_purchases_count_more_than_views_and_both_count(regular: Visited) -> None:
    regular.allows(PERSONAL)
    regular.views("6")

    assert for_you(regular) == ["5 goes_with_purchases", "4 goes_with_purchases"], "5 goes with both"
    regular.scores("6", candidate("2", 1.0))
    assert for_you(regular) == [
        "4 goes_with_purchases", "5 goes_with_purchases", "2 goes_with_viewed",
    ]  # fmt: skip


@pytest.mark.parametrize("of", [VISITOR, CUSTOMER])
def test_without_preferences_of_both_history_does_not_count(regular: Visited, of: str) -> None:
    regular.allows(PERSONAL)
    regular.allows(ANALYTICS, "70" if of == CUSTOMER else ANNA, of)

    assert for_you(regular) == []


def test_a_session_goes_on_at_another_device_of_somebody_who_agreed_on_both(regular: Visited) -> None:
    regular.links(visitor_node(regular.store_id, BEN), customer_node("70"))
    regular.allows(PERSONAL)
    regular.views("2", visitor=BEN)
    assert ids(regular.ask("recently_viewed")) == []

    regular.allows(PERSONAL, BEN)
    assert ids(regular.ask("recently_viewed")) == ["2"]

    regular.allows(ANALYTICS)
    assert ids(regular.ask("recently_viewed")) == [], "other devices are history"


def token_of(shop: Visited, customer: str) -> dict[str, str]:
    return {"X-Pannier-Customer": tokens.make(shop.store_id, customer, now())}


def test_a_token_of_who_is_logged_in_has_their_purchases_count(regular: Visited) -> None:
    regular.allows(PERSONAL, BEN)

    assert for_you(regular, visitor=BEN, headers=token_of(regular, "70")) == [
        "4 goes_with_purchases", "5 goes_with_purchases",
    ]  # fmt: skip


def unlike(shop: Visited) -> dict[str, dict[str, str]]:
    other = Shop(shop.client)
    late = tokens.make(shop.store_id, "70", now() - timedelta(hours=1))
    return {
        "garbage": {"X-Pannier-Customer": "7" * 900},
        "another shop's": {"X-Pannier-Customer": tokens.make(other.store_id, "70", now())},
        "too old": {"X-Pannier-Customer": late},
        "another customer's": token_of(shop, "71"),
        "refused": {**token_of(shop, "70"), "Sec-GPC": "1"},
    }


@pytest.mark.parametrize("which", ["garbage", "another shop's", "too old", "another customer's", "refused"])
def test_a_token_that_proves_nothing_changes_nothing(regular: Visited, which: str) -> None:
    regular.allows(PERSONAL, BEN)

    assert for_you(regular, visitor=BEN, headers=unlike(regular)[which]) == []


@pytest.mark.parametrize(
    ("visitor", "customer", "counts"),
    [(None, None, False), (None, PERSONAL, True), (None, ANALYTICS, False), (BEN, PERSONAL, False)],
    ids=["nobody said anything", "the customer agreed", "not to this", "this browser said nothing"],
)
def test_a_token_alone_is_no_yes(
    regular: Visited, visitor: str | None, customer: Purposes | None, counts: bool
) -> None:
    if customer is not None:
        regular.allows(customer, "70", CUSTOMER)

    answer = regular.ask("home_for_you", visitor=visitor, headers=token_of(regular, "70"))

    assert ("4", "goes_with_purchases") in shown(answer) or not counts
    assert any(reason == "goes_with_purchases" for _, reason in shown(answer)) == counts
    assert answer.headers["Cache-Control"] == "private, no-store"


# --- the shop's own server ------------------------------------------------------------------------------


def server(shop: Visited, **fields: Any) -> list[str]:
    body = {
        "current_cart": [],
        "strategy": "recommended_for_you",
        "user_id": "70",
        "personal": True,
        **fields,
    }
    found = shop.ask_as_server("/v1/upsell", body).get_json()["recommendations"]
    return [r["product_id"] for r in found if r["reason"] == "goes_with_purchases"]


def test_what_the_shop_states_counts_as_far_as_no_record_says_otherwise(regular: Visited) -> None:
    assert server(regular) == ["4", "5"]

    regular.allows(PERSONAL, "70", CUSTOMER)
    assert server(regular) == ["4", "5"]

    regular.allows(ANALYTICS, "70", CUSTOMER)
    assert server(regular) == []


def test_what_the_shop_states_does_not_bring_an_erased_customer_back(regular: Visited) -> None:
    suppress(
        db.session.connection(), regular.store_id, [(CUSTOMER, digest(regular.store_id, CUSTOMER, "70"))]
    )
    db.session.commit()

    assert server(regular) == []


def test_all_customers_that_one_person_is_count(regular: Visited) -> None:
    ago = (now() - timedelta(days=3) - BEGIN).total_seconds()
    regular.hears(order_change("o2", "6", placed=ago, customer=customer_ref("71")))
    assert server(regular, user_id="71") == ["5"]

    regular.links(customer_node("70"), customer_node("71"))

    assert server(regular, user_id="71") == server(regular) == ["5", "4"]


def test_an_erasure_forgets_the_copy_of_a_minute(regular: Visited, shared_app: Flask) -> None:
    regular.links(customer_node("70"), customer_node("71"))
    assert server(regular) == ["4", "5"]
    redis: Redis = shared_app.extensions["pannier_redis"]
    assert len(list(redis.scan_iter(f"pannier:{regular.store_id}:personal:*"))) == 1
    room, connection = PersonalRoom(), db.session.connection()

    person = Person(regular.store_id, frozenset({customer_node("71"), customer_node("70")}))
    assert (room.export(connection, person), room.erase(connection, person)) == ({}, {})
    room.forget(Person(regular.store_id))
    assert len(list(redis.scan_iter(f"pannier:{regular.store_id}:personal:*"))) == 1
    room.forget(person)

    assert list(redis.scan_iter(f"pannier:{regular.store_id}:personal:*")) == []
