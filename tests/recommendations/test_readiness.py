"""How many more orders it takes."""

import pytest
from flask import Flask

from app.commerce.store import Store
from app.core.db import db
from app.recommendations import cold_start, readiness, stale
from app.recommendations.readiness import Gates, orders_of_first_pair, orders_until_a_pair
from tests.factories import new_store, order_change, product_change
from tests.recommendations.histories import learn
from tests.recommendations.shops import Shop

DEFAULT = Gates(3, 1.2, 10.83)


@pytest.mark.parametrize(
    ("gates", "orders"),
    [
        # 4 of 8: 2 * 8 ln 2 = 11.09; of 7 orders 3 or 4 reach 9.56 at most
        (DEFAULT, 8),
        (Gates(1, 0.0, 0.0), 1),
        # half of the orders at most: lift 2
        (Gates(3, 2.0, 0.0), 6),
        (Gates(20, 1.0, 0.0), 20),
        (Gates(1001, 1.0, 0.0), None),
    ],
    ids=["default", "open", "lift", "orders", "too many"],
)
def test_the_first_pair_needs_so_many_orders(gates, orders):
    assert orders_of_first_pair(gates) == orders


@pytest.mark.parametrize(
    ("orders", "product", "pairs", "others", "more"),
    [
        (100, 0, [], [], 3),
        (100, 2, [2], [2], 1),
        (100, 3, [3], [3], 0),
        (100, 2, [1, 2], [60, 2], 1),
        (4, 4, [], [], None),
    ],
    ids=["never bought", "one short", "there", "the best companion counts", "in every order"],
)
def test_a_product_needs_so_many_more_orders(orders, product, pairs, others, more):
    assert orders_until_a_pair(DEFAULT, orders, product, pairs, others) == more


def test_the_number_is_enough_and_one_less_is_not():
    more = orders_until_a_pair(DEFAULT, 50, 10, [], [])
    assert more is not None
    assert DEFAULT.passed(more, 10 + more, more, 50 + more)
    assert not DEFAULT.passed(more - 1, 9 + more, more - 1, 49 + more)


@pytest.fixture
def store(app: Flask) -> Store:
    """A store without orders."""
    return new_store()


def report(store: Store) -> dict[str, tuple[bool, int | None, int | None]]:
    found = readiness.of_store(store)["sources"]
    return {s["reason"]: (s["ready"], s["needs_orders"], s["more_orders"]) for s in found}


def publish(store: Store) -> None:
    stale.publish_stale(store.id)
    cold_start.refresh(db.session.connection(), store.id)
    db.session.commit()


def test_a_new_store_needs_orders_for_all_but_what_is_told(store: Store) -> None:
    assert readiness.of_store(store)["products"] == 0
    assert report(store) == {
        "bought_together": (False, 8, 8),
        "merchant_choice": (False, 0, 0),
        "similar": (False, 0, 0),
        "goes_with_category": (False, 8, 8),
        "best_seller": (False, 1, 1),
    }


def test_a_store_gets_ready_with_its_orders(store: Store) -> None:
    shop = [product_change("1", title="Oak lamp"), product_change("2", title="Oak lamp", upsells=["1"])]
    learn(store.id, [shop, [order_change(f"o{number}", "1", "2") for number in range(3)]])
    publish(store)
    found = readiness.of_store(store)
    assert (found["orders"], found["products"]) == (3, 2)
    assert report(store) == {
        "bought_together": (False, 8, 5),
        "merchant_choice": (True, 0, 0),
        "similar": (True, 0, 0),
        "goes_with_category": (False, 8, 5),
        "best_seller": (True, 1, 0),
    }


def test_a_product_says_what_answers_and_what_it_needs(store: Store) -> None:
    shop = [product_change(p, title=f"Oak {p}") for p in ("1", "2", "3")]
    orders = [order_change(f"o{number}", "1", "2") for number in range(2)]
    others = [order_change(f"x{number}", "3") for number in range(20)]
    learn(store.id, [shop, orders, others])
    publish(store)
    assert readiness.of_product(store, "1") == {
        "product_id": "1",
        "title": "Oak 1",
        "orders": 2,
        "more_orders": 1,
        "answers_with": "similar",
        "sources": [
            {"reason": "bought_together", "candidates": 0},
            {"reason": "merchant_choice", "candidates": 0},
            {"reason": "similar", "candidates": 2},
            {"reason": "goes_with_category", "candidates": 0},
            {"reason": "best_seller", "candidates": 3},
        ],
    }
    # when the order comes
    learn(store.id, [[order_change("o9", "1", "2")]])
    publish(store)
    ready = readiness.of_product(store, "1")
    assert ready is not None
    assert (ready["more_orders"], ready["answers_with"]) == (0, "bought_together")


def test_a_product_of_another_store_is_none(store: Store) -> None:
    other = new_store()
    learn(other.id, [[product_change("1")]])
    assert readiness.of_product(store, "1") is None


def test_the_report_is_for_the_stores_own_key(shop: Shop) -> None:
    other = Shop(shop.client)
    shop.has("1")
    secret = {"Authorization": f"Bearer {shop.keys.secret}"}

    whole = shop.client.get("/v1/reports/readiness", headers=secret)
    one = shop.client.get("/v1/reports/readiness?product_id=1", headers=secret)
    stranger = shop.client.get(
        "/v1/reports/readiness?product_id=1", headers={"Authorization": f"Bearer {other.keys.secret}"}
    )
    public = shop.client.get("/v1/reports/readiness", headers=shop.headers)

    assert (whole.status_code, whole.get_json()["product"], whole.get_json()["store"]["products"]) == (
        200,
        None,
        1,
    )
    assert one.get_json()["product"]["title"] == "Product 1"
    assert one.headers["Cache-Control"] == "private, no-store"
    assert (stranger.status_code, stranger.content_type) == (404, "application/problem+json")
    assert public.status_code == 401
