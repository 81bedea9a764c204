"""What was learned, as the ground of offers."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from app.bundles.evidence import Evidence
from app.commerce import ingest
from app.core.db import db, now
from app.recommendations import evidence
from app.recommendations.models import ProductCount
from app.recommendations.ready_lists import SETS
from tests.factories import order_change
from tests.recommendations.shops import Shop, candidate


@pytest.fixture
def shop(client: FlaskClient) -> Shop:
    """A shop with products 1 to 5 that has sold for ten days; 1 stands in most orders, 5 in fewest."""
    shop = Shop(client)
    shop.has(*"12345")
    rows = db.session.execute(
        text("SELECT platform_id, id FROM product WHERE store_id = :s"), {"s": shop.store_id}
    )
    for product, id_ in rows.all():
        orders = 100 - 10 * int(product)
        db.session.add(
            ProductCount(
                store_id=shop.store_id, product_id=id_, orders=orders, weight=1, popularity=1, stale=False
            )
        )
    order = replace(order_change("o1", "1"), placed_at=now() - timedelta(days=10))
    ingest.apply(db.session.connection(), shop.store_id, [order])
    db.session.commit()
    return shop


def test_a_pair_stands_once_with_the_more_popular_product_first(shop: Shop) -> None:
    shop.together("2", candidate("1", orders=30, lift=1.5, llr=12.0))
    shop.together("1", candidate("2", orders=30, lift=1.5, llr=12.0), candidate("3", orders=20, llr=40.0))

    found = evidence.together(db.session.connection(), shop.store_id)

    assert [(each.products, each.orders, each.anchor_orders, each.lift, each.llr) for each in found] == [
        (("1", "3"), 20, 90, 2.0, 40.0),
        (("1", "2"), 30, 90, 1.5, 12.0),
    ]
    assert found[0].days == pytest.approx(10, abs=0.01)


def test_sets_follow_with_their_most_popular_product_first(shop: Shop) -> None:
    shop.together("1", candidate("2"))
    shop._publish(SETS, "", [{"ids": ["3", "5", "1"], "orders": 9, "lift": 4.0, "llr": 22.0}])

    found = evidence.together(db.session.connection(), shop.store_id)

    assert found[1:] == [Evidence(("1", "3", "5"), 9, 90, 4.0, 22.0, found[0].days)]


def test_a_store_without_orders_has_no_evidence(client: FlaskClient) -> None:
    shop = Shop(client)
    shop.has("1", "2")
    shop.together("1", candidate("2"))

    assert evidence.together(db.session.connection(), shop.store_id) == []


def test_another_stores_pairs_are_no_evidence(shop: Shop, client: FlaskClient) -> None:
    other = Shop(client)
    other.has("1", "2")
    other.together("1", candidate("2"))

    assert evidence.together(db.session.connection(), shop.store_id) == []


def test_no_more_pairs_are_looked_at_than_anybody_needs(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MOST_PAIRS", 1)
    shop.together("1", candidate("2", llr=11.0), candidate("3", llr=19.0))

    assert [each.products for each in evidence.together(db.session.connection(), shop.store_id)] == [
        ("1", "3")
    ]
