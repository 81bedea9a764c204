"""What till orders are good for: learning, knowing a person better, and not offering what they have."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from flask import Flask, current_app
from flask.testing import FlaskClient

from app.commerce.changes import CustomerChange, CustomerRef
from app.commerce.store import Store
from app.core.crypto import vault
from app.core.db import db, now
from app.recommendations import channels, learning, purchases, ready_lists
from tests.conftest import SHOPIFY_DOMAIN, SHOPIFY_SECRET
from tests.factories import customer_change, shopify_order
from tests.imports.till import HEADER, Till
from tests.recommendations.shops import Shop, candidate, ids
from tests.webhooks.signing import shopify_headers
from webhooks.jobs import drain

ADDRESS = "guest@example.com"
COLUMNS = f"{HEADER},email,consent"


@pytest.fixture
def counter(shared_app: Flask, tmp_path: Path) -> Iterator[tuple[Shop, Till]]:
    """A shop with a till, asked as the shop's server asks."""
    with shared_app.app_context():
        shop = Shop(shared_app.test_client())
        yield shop, Till(shop.store, tmp_path)


def days_ago(days: int) -> str:
    return (now() - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_pairs_of_the_till_are_recommended_online(counter: tuple[Shop, Till]) -> None:
    shop, till = counter
    together = [f"{n},{days_ago(9)},{sku},1,4" for n in range(8) for sku in ("KETTLE", "TEAPOT")]
    alone = [f"{n},{days_ago(9)},{sku},1,4" for n, sku in enumerate(["TEA", "HONEY"] * 20, start=100)]
    till.imports(*together, *alone)

    learning.publish_stale(till.store.id)

    (best, *_) = shop.get(slot="product", product_id="1").get_json()["recommendations"]
    assert (best["product_id"], best["reason"]) == ("2", "bought_together")
    assert best["evidence"]["orders"] == 8


def test_purchases_at_the_till_are_the_persons(counter: tuple[Shop, Till]) -> None:
    _, till = counter
    till.hears(_customer(till))

    till.imports(f"1,{days_ago(30)},KETTLE,1,30,{ADDRESS},yes", f"2,{days_ago(20)},TEA,1,4,,", header=COLUMNS)

    connection = db.session.connection()
    (bought,) = purchases.of_customers(connection, till.store.id, ["70"])
    assert (bought.product, bought.times) == ("1", 1)
    assert purchases.orders_of_customers(connection, till.store.id, ["70"]) == 1


def test_a_durable_thing_bought_at_the_till_is_not_offered_online(counter: tuple[Shop, Till]) -> None:
    shop, till = counter
    till.hears(_customer(till))
    shop.publishes(ready_lists.REPEATS, "1", {"days": 200.0, "spread": 40.0, "customers": 50, "share": 0.02})
    shop.scores("3", candidate("1", 1.0), candidate("2", 0.5))
    shop.scores("1")
    shop.sells("1", "4")
    asked = {"user_id": "70", "personal": True, "current_cart": [], "strategy": "recommended_for_you"}
    rows = (f"1,{days_ago(30)},KETTLE,1,30,{ADDRESS},", f"2,{days_ago(30)},TEA,1,4,{ADDRESS},yes")

    till.imports(*rows, header=COLUMNS)
    before = ids(shop.ask_as_server("/v1/upsell", asked))
    _forget(shop)
    till.imports(rows[0] + "yes", rows[1], header=COLUMNS)
    after = ids(shop.ask_as_server("/v1/upsell", asked))

    assert before == ["1", "2", "4"], "the kettle, with nobody's consent, is nobody's"
    assert after == ["2", "4"]


def _customer(till: Till) -> CustomerChange:
    identity = bytes.fromhex(vault().pseudonym(till.store.id, ADDRESS))
    return replace(customer_change("70"), customer=CustomerRef("70", identity))


def _forget(shop: Shop) -> None:
    client = current_app.extensions["pannier_redis"]
    for name in client.scan_iter(f"pannier:{shop.store_id}:personal:*"):
        client.delete(name)


def test_a_shopify_till_tells_of_its_orders_by_webhook(client: FlaskClient, shopify: Store) -> None:
    for number, source in ((1, "pos"), (2, "web"), (3, "pos")):
        raw = orjson.dumps(shopify_order(number, 11, 12, source_name=source))
        headers = shopify_headers(raw, "orders/create", SHOPIFY_DOMAIN, SHOPIFY_SECRET)
        assert client.post("/webhooks/shopify", data=raw, headers=headers).status_code == 200

    drain(shopify.id)

    found = channels.report(shopify, "11", 10, 3650)
    assert found is not None
    assert found["channels"] == [{"channel": "pos", "orders": 2}, {"channel": "online", "orders": 1}]
    (pair,) = found["pairs"]
    assert [(c["channel"], c["orders"], c["confidence"]) for c in pair["channels"]] == [
        ("pos", 2, 1.0),
        ("online", 1, 1.0),
    ]
    assert pair["difference"]["significant"] is False
