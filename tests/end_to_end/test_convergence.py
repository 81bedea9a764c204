"""Late, twice, out of order: every way to receive a shop's past ends in the same tables."""

import pytest
from flask import Flask
from sqlalchemy import text

from app.commerce.store import add_store
from app.core import held
from app.core.db import Model, db
from app.recommendations import learning
from demo.messages import Mailbag, Platform
from demo.shops import deliveries, load_shop
from tests.commerce.tables import dump
from tests.conftest import SHOPIFY_SECRET, WOO_SECRET
from tests.end_to_end.house import small
from webhooks.jobs import drain_batch

ORDERS = 60


def receive(app: Flask, platform: Platform, domain: str, mailbag: Mailbag, batch: int) -> int:
    """Deliver everything over HTTP, draining now and then; return the store."""
    store, _ = add_store(platform, domain, currency="GBP", webhook_secret=WOO_SECRET)
    db.session.commit()
    store_id, token = store.id, store.webhook_token
    client = app.test_client()
    path = f"/webhooks/woocommerce/{token}" if token else "/webhooks/shopify"
    for number, delivery in enumerate(mailbag):
        answer = client.post(path, data=delivery.body, headers=delivery.headers)
        assert answer.status_code == 200
        if number % 97 == 0:
            drain_batch(store_id, batch)
    while drain_batch(store_id, batch):
        pass
    learning.publish_stale(store_id)
    return store_id


def forget_everything(app: Flask) -> None:
    """Empty the database, so that the next store has the same id, and so the same pseudonyms."""
    db.session.rollback()
    db.session.execute(text(f"TRUNCATE {', '.join(Model.metadata.tables)} RESTART IDENTITY"))
    db.session.commit()
    held.forget_everything()


def learned(store_id: int) -> dict[str, list[object]]:
    """Return counts and lists, with platform ids for internal ones."""
    connection = db.session.connection()
    found: dict[str, list[object]] = {
        "head": connection.exec_driver_sql(
            f"SELECT epoch, orders FROM learned_model WHERE store_id = {store_id}"
        ).all(),
        "products": connection.exec_driver_sql(
            "SELECT p.platform_id, c.orders, c.weight, c.popularity FROM product_count c"
            f" JOIN product p ON p.id = c.product_id WHERE c.store_id = {store_id} ORDER BY 1"
        ).all(),
        "lists": sorted(
            (subject, sorted((i["id"], i["orders"], i["lift"], i["llr"]) for i in items))
            for subject, items in connection.exec_driver_sql(
                "SELECT subject, items FROM published_list"
                f" WHERE store_id = {store_id} AND strategy = 'frequently_bought_together'"
            )
        ),
    }
    return found


@pytest.mark.parametrize("platform", ["shopify", "woocommerce"])
def test_three_times_in_random_order_ends_like_once_in_order(app: Flask, platform: Platform) -> None:
    shop = small(load_shop(platform), ORDERS)
    secret = SHOPIFY_SECRET if platform == "shopify" else WOO_SECRET
    mailbag = deliveries(shop, secret=secret)

    once = receive(app, platform, shop.domain, mailbag, 200)
    learning.rebuild(once)
    expected, expected_counts = dump(db.session.connection(), once), learned(once)
    forget_everything(app)
    thrice = receive(app, platform, shop.domain, mailbag.shuffled(seed=7, repeat=3), 37)

    assert len(expected["orders"]) == ORDERS
    assert dump(db.session.connection(), thrice) == expected
    counts = learned(thrice)
    assert counts["head"] == expected_counts["head"]
    assert counts["products"] == expected_counts["products"]
    learning.rebuild(thrice)
    assert learned(thrice) == expected_counts


def test_products_after_their_orders_end_like_products_before(app: Flask) -> None:
    shop = small(load_shop("shopify"), ORDERS)

    first = receive(app, "shopify", shop.domain, deliveries(shop, secret=SHOPIFY_SECRET), 50)
    expected = dump(db.session.connection(), first)
    forget_everything(app)
    last = receive(
        app, "shopify", shop.domain, deliveries(shop, secret=SHOPIFY_SECRET, orders_first=True), 50
    )

    assert dump(db.session.connection(), last) == expected
