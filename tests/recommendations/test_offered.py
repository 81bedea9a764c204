"""Offers in answers: told where the answer completes them, brought forward, logged, and replayed."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.bundles.models import Offer
from app.commerce.store import StoreAccess
from app.core.db import db, now
from app.core.held import forget_everything
from app.decisions.log import DecisionLog
from app.decisions.reading import find
from app.experiments.models import Experiment
from app.pricing.models import PricePeriod
from app.recommendations.replay import replay
from tests.recommendations.shops import PLAIN, Shop, counted_statements, ids

PAGE = "1"


@pytest.fixture
def shop(client: FlaskClient) -> Shop:
    """A shop with products 1 to 9; 2, 3, 4 and 5 are bought together with 1, in this order."""
    shop = Shop(client)
    shop.has(*"123456789")
    shop.together(PAGE, "2", "3", "4", "5")
    return shop


def offers(shop: Shop, *products: str, key: str = "o_1", profit: int = 100, **changes: Any) -> str:
    """Let an offer on products be live."""
    values: dict[str, Any] = {
        "store_id": shop.store_id,
        "key": key,
        "state": "live",
        "title": "Together",
        "components": [{"product_id": product, "quantity": 1, "variant_ids": None} for product in products],
        "discounted": list(products),
        "discount_kind": "percent",
        "discount_value": 1000,
        "currency": "EUR",
        "starts_at": now() - timedelta(days=1),
        "origin": "manual",
        "evidence": {},
        "profit": {"expected": profit},
        "prices": {},
        "platform": {"code": None},
        "version": 1,
        "attempts": 0,
    }
    db.session.add(Offer(**{**values, **changes}))
    db.session.commit()
    forget_everything()
    return key


def ask(shop: Shop, product: str = PAGE, **query: Any) -> list[dict[str, Any]]:
    """Return the recommendations on a product's page."""
    shop.client.application.extensions["pannier_ready_bytes"].held.forget_all()
    response = shop.client.get(
        "/v1/recommendations",
        query_string={"slot": "product", "product_id": product, "limit": 3, **query},
        headers={"X-Pannier-Key": shop.keys.publishable, "Origin": shop.origin},
    )
    ids(response)
    found: list[dict[str, Any]] = response.get_json()["recommendations"]
    return found


def carrying(answer: list[dict[str, Any]]) -> dict[str, str]:
    """Return the offer that each product carries, where one does."""
    return {each["product_id"]: each["offer"]["id"] for each in answer if each["offer"]}


def test_without_an_offer_products_carry_none(shop: Shop) -> None:
    assert [(each["product_id"], each["offer"]) for each in ask(shop)] == [
        ("2", None),
        ("3", None),
        ("4", None),
    ]


def test_an_offer_is_told_with_what_it_promises(shop: Shop) -> None:
    offers(shop, PAGE, "3")

    answer = ask(shop)

    assert [each["product_id"] for each in answer] == ["3", "2", "4"], "what it lacks comes to the front"
    assert answer[0]["offer"] == {
        "id": "o_1",
        "title": "Together",
        "products": ["1", "3"],
        "discounted": ["1", "3"],
        "discount": {"kind": "percent", "value": 1000},
        "currency": "EUR",
        "code": None,
        "was_proven": False,
    }
    assert carrying(answer) == {"3": "o_1"}
    assert answer[0]["reason"] == "bought_together"


@pytest.mark.parametrize(
    ("days", "proven"),
    [({PAGE: 40, "3": 40}, True), ({PAGE: 40, "3": 10}, False), ({PAGE: 40}, False)],
    ids=["both", "one too short", "one unknown"],
)
def test_the_price_before_is_claimed_only_where_the_ledger_proves_it(
    shop: Shop, days: dict[str, int], proven: bool
) -> None:
    for product, age in days.items():
        db.session.add(
            PricePeriod(
                store_id=shop.store_id, product_id=product, variant_id=f"{product}-v", price=1000, currency="EUR",
                from_at=now() - timedelta(days=age), source="shop", reason="seen",
            )
        )  # fmt: skip
    offers(shop, PAGE, "3")

    assert ask(shop)[0]["offer"]["was_proven"] is proven


def test_all_products_of_a_set_carry_it_and_the_most_valuable_goes_first(shop: Shop) -> None:
    offers(shop, PAGE, "3", key="o_small", profit=10)
    offers(shop, PAGE, "5", "4", key="o_large", profit=900)

    answer = ask(shop)

    assert [each["product_id"] for each in answer] == ["5", "4", "2"]
    assert carrying(answer) == {"5": "o_large", "4": "o_large"}


def test_the_cart_counts_as_there(shop: Shop) -> None:
    offers(shop, "6", "3")

    assert carrying(ask(shop)) == {}
    assert carrying(ask(shop, cart="6")) == {"3": "o_1"}


def test_a_product_that_orders_do_not_prove_is_not_claimed_to_be_bought_together(shop: Shop) -> None:
    offers(shop, PAGE, "9")

    answer = ask(shop)

    assert carrying(answer) == {"9": "o_1"}
    assert answer[0]["reason"] != "bought_together"


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "not_live"},
        {"state": "approved"},
        {"state": "suspended"},
        {"state": "ended"},
        {"starts_at": now() + timedelta(hours=1)},
        {"ends_at": now() - timedelta(seconds=1)},
        {"components": [{"product_id": p, "quantity": 2, "variant_ids": None} for p in (PAGE, "3")]},
        {"components": [{"product_id": p, "quantity": 1, "variant_ids": ["other"]} for p in (PAGE, "3")]},
    ],
    ids=["not live", "approved", "suspended", "ended", "not yet", "over", "two pieces", "another variant"],
)
def test_what_does_not_hold_or_cannot_be_completed_is_not_told(shop: Shop, changes: dict[str, Any]) -> None:
    offers(shop, PAGE, "3", **changes)

    assert carrying(ask(shop)) == {}


def test_the_shown_variant_counts_and_of_the_page_any_must(shop: Shop) -> None:
    def wanting(*variants: list[str] | None) -> list[dict[str, Any]]:
        return [
            {"product_id": product, "quantity": 1, "variant_ids": each}
            for product, each in zip((PAGE, "3"), variants, strict=True)
        ]

    offers(shop, PAGE, "3", key="o_shown", components=wanting(None, ["3-v", "other"]))
    assert carrying(ask(shop)) == {"3": "o_shown"}
    db.session.query(Offer).delete()
    offers(shop, PAGE, "3", key="o_page", components=wanting([f"{PAGE}-v"], None))
    assert carrying(ask(shop)) == {}, "the shopper may choose another one"


def test_an_offer_that_cannot_be_shown_whole_is_not_told(shop: Shop) -> None:
    offers(shop, PAGE, "3", "404")
    offers(shop, PAGE, "5", "4", "6", "7", key="o_long")

    answer = ask(shop)

    assert ([each["product_id"] for each in answer], carrying(answer)) == (["2", "3", "4"], {})


def test_another_stores_offer_is_not_told(shop: Shop, client: FlaskClient) -> None:
    other = Shop(client)
    other.has(*"123")
    offers(other, PAGE, "3")

    assert carrying(ask(shop)) == {}


def test_an_offer_on_trial_is_told_in_its_arm_only(shop: Shop, shared_app: Flask) -> None:
    offers(shop, PAGE, "3")
    arms = [
        {"key": "control", "name": "c", "weight": 1, "settings": {}},
        {"key": "told", "name": "t", "weight": 1, "settings": {"offer": "o_1"}},
    ]
    db.session.add(
        Experiment(
            store_id=shop.store_id, key="trial", name="trial", status="running",
            definition={"arms": arms, "coverage": 1.0, "slots": None, "namespace": None, "targeting": {}},
        )
    )  # fmt: skip
    db.session.commit()
    forget_everything()

    assert carrying(ask(shop)) == {}, "who may not be recognised is in no arm"


def test_a_decision_with_an_offer_comes_out_of_the_log_the_same(shop: Shop, shared_app: Flask) -> None:
    offers(shop, PAGE, "9", "5")
    answer = ask(shop)
    assert carrying(answer) == {"9": "o_1", "5": "o_1"}
    log: DecisionLog = shared_app.extensions["pannier_decisions"]
    log.flush()
    connection = db.session.connection()
    (id_,) = connection.exec_driver_sql(
        "SELECT id FROM decision WHERE store_id = %(s)s", {"s": shop.store_id}
    ).scalars()
    found = find(connection, shop.store_id, id_)
    assert found is not None
    assert found.body["offers"] == {"9": "o_1", "5": "o_1"}
    access = StoreAccess(
        shop.store_id, "shopify", shop.store.domain, "EUR", frozenset(), "secret", "UTC", PLAIN
    )

    assert replay(connection, access, found).same


def test_an_offer_costs_no_statement(shop: Shop, shared_app: Flask) -> None:
    ask(shop)
    offers(shop, PAGE, "3")
    ask(shop)
    with counted_statements(shared_app) as statements:
        assert carrying(ask(shop)) == {"3": "o_1"}

    assert statements == []
