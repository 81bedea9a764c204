"""What goes together at the till and online, and where the two differ."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from app.commerce.changes import Channel, OrderChange
from app.core.db import db, now
from app.recommendations import channels
from app.recommendations.models import LearnedModel
from tests.factories import BEGIN, order_change
from tests.recommendations.shops import Shop

TILL, ONLINE, STAFF = Channel.POS, Channel.ONLINE, Channel.STAFF
_numbers = iter(range(10**9))


def sold(
    channel: Channel, count: int, *products: str, days_ago: float = 30, **fields: Any
) -> list[OrderChange]:
    """Return so many orders of these products."""
    placed = (now() - timedelta(days=days_ago) - BEGIN).total_seconds()
    return [
        order_change(f"o{next(_numbers)}", *products, channel=channel, placed=placed, **fields)
        for _ in range(count)
    ]


@pytest.fixture
def counter(shop: Shop) -> Shop:
    """A shop that sells cake with coffee (1, 2) at the till, filters with coffee (1, 3) online and there alike."""
    shop.has("1", "2", "3", "4")
    shop.hears(
        *sold(TILL, 30, "1", "2"), *sold(TILL, 10, "1", "3"), *sold(TILL, 20, "4"),
        *sold(ONLINE, 2, "1", "2"), *sold(ONLINE, 10, "1", "3"), *sold(ONLINE, 28, "1"), *sold(ONLINE, 40, "4"),
        *sold(STAFF, 1, "1", "2"),
    )  # fmt: skip
    return shop


def test_pairs_of_a_product_are_counted_by_channel(counter: Shop) -> None:
    response = counter.client.get(
        "/v1/reports/channels",
        query_string={"product_id": "1"},
        headers={"Authorization": f"Bearer {counter.keys.secret}"},
    )

    assert response.status_code == 200, response.text
    found = response.get_json()
    assert found["channels"] == [
        {"channel": "online", "orders": 80},
        {"channel": "pos", "orders": 60},
        {"channel": "staff", "orders": 1},
    ]
    cake, filters = found["pairs"]
    assert (cake["product_id"], cake["other_id"], cake["other_title"]) == ("1", "2", "Product 2")
    assert cake["channels"] == [
        {"channel": "online", "orders": 2, "product_orders": 40, "other_orders": 2, "support": 0.025,
         "confidence": 0.05, "lift": 2.0},
        {"channel": "pos", "orders": 30, "product_orders": 40, "other_orders": 30, "support": 0.5,
         "confidence": 0.75, "lift": 1.5},
        {"channel": "staff", "orders": 1, "product_orders": 1, "other_orders": 1, "support": 1.0,
         "confidence": 1.0, "lift": 1.0},
    ]  # fmt: skip
    assert (cake["difference"]["significant"], cake["difference"]["more_in"]) == (True, "pos")
    assert cake["difference"]["p_value"] < 1e-9
    assert cake["difference"]["adjusted_p_value"] == pytest.approx(2 * cake["difference"]["p_value"])
    assert filters["other_id"] == "3"
    assert filters["difference"] == {
        "p_value": 1.0, "adjusted_p_value": 1.0, "significant": False, "more_in": None
    }  # fmt: skip


def test_what_was_not_sold_long_ago_or_is_too_large_does_not_count(shop: Shop) -> None:
    shop.has("1", "2")
    shop.hears(
        *sold(TILL, 1, "1", "2"), *sold(TILL, 1, "1", "2", days_ago=400), *sold(TILL, 1, "1", "2", test=True),
        *sold(TILL, 1, *(str(n) for n in range(1, 102))),
    )  # fmt: skip

    found = channels.report(shop.store, "1", 10, 365)

    assert found is not None
    assert found["channels"] == [{"channel": "pos", "orders": 1}]
    assert [(p["other_id"], p["difference"]) for p in found["pairs"]] == [("2", None)], "online sold none"


def test_the_strongest_pairs_begin_with_the_rarer_product(counter: Shop) -> None:
    counter.together(
        "1", {"id": "2", "orders": 33, "confidence": 0.4, "lift": 2.0, "llr": 30.0, "score": 1.0}
    )
    learned = {
        "epoch": date(2026, 1, 1),
        "half_life_days": 180.0,
        "basket_cap": 100,
        "orders": 141,
        "version": 1,
    }
    db.session.execute(insert(LearnedModel).values(store_id=counter.store_id, **learned))

    found = channels.report(counter.store, None, 10, 365)

    assert found is not None
    assert [(p["product_id"], p["other_id"]) for p in found["pairs"]] == [("2", "1")]
    assert [c["confidence"] for c in found["pairs"][0]["channels"]] == [1.0, 1.0, 1.0]


def test_a_store_without_orders_has_no_pairs(shop: Shop) -> None:
    assert channels.report(shop.store, None, 10, 365) is not None
    found = channels.report(shop.store, None, 10, 365)
    assert found is not None
    assert (found["channels"], found["pairs"]) == ([], [])
    assert channels.report(shop.store, "999", 10, 365) is None


def test_another_stores_orders_do_not_count(counter: Shop, shop: Shop) -> None:
    other = Shop(shop.client)
    other.has("1", "2")
    other.hears(*sold(TILL, 3, "1", "2"))

    found = channels.report(other.store, "1", 10, 365)

    assert found is not None
    assert found["channels"] == [{"channel": "pos", "orders": 3}]
    db.session.rollback()
