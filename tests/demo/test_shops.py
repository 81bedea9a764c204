"""The whole past of both shops: complete, in order, the same every time, and understood by the connectors."""

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from connectors.base import DeliveryContext
from connectors.registry import connector_for
from demo.shops import BASE_URLS, Shop, deliveries, load_shop
from tests.demo.conftest import NOW

SECRET = "s3cret"
PERSONAL = (
    "example.test",
    "Sample-",
    "Sampleton",
    "Example Street",
    "ZZ99",
    "+44 1632",
    "192.0.2.",
    "DemoBrowser",
)


def test_equal_moments_give_equal_deliveries(shop: Shop) -> None:
    again = load_shop(shop.platform, now=NOW + timedelta(seconds=30))

    one, other = deliveries(shop, secret=SECRET), deliveries(again, secret=SECRET)

    assert len(one) == len(other) > 10_000
    assert [one[n] for n in range(0, len(one), 211)] == [other[n] for n in range(0, len(one), 211)]


def test_another_moment_moves_everything(shop: Shop) -> None:
    later = load_shop(shop.platform, now=NOW + timedelta(days=3, hours=1))

    assert {b.placed_at - a.placed_at for a, b in zip(shop.orders, later.orders, strict=True)} == {
        timedelta(days=3, hours=1)
    }
    assert later.openings[0].added_at - shop.openings[0].added_at == timedelta(days=3, hours=1)


def test_without_a_moment_it_is_now() -> None:
    shop = load_shop("shopify")

    assert abs(datetime.now(UTC) - shop.now) < timedelta(minutes=2)


@pytest.mark.parametrize(
    ("platform", "domain"),
    [("shopify", "pannier-demo.myshopify.com"), ("woocommerce", "http://127.0.0.1:9/")],
)
def test_the_shop_is_called_as_its_platform_calls_it(platform: str, domain: str) -> None:
    shop = load_shop(platform, base_url="http://127.0.0.1:9/", now=NOW)

    delivery = deliveries(shop, secret=SECRET)[0]

    assert shop.domain == domain
    assert connector_for(platform).read_headers(delivery.headers).source.rstrip("/") == domain.rstrip("/")
    assert b"127.0.0.1:9\\/" in delivery.body or b"127.0.0.1:9/" in delivery.body
    assert BASE_URLS[platform].encode() not in delivery.body


def test_products_come_first_and_the_rest_in_the_order_of_events(shop: Shop) -> None:
    messages = deliveries(shop, secret=SECRET).messages
    created = "products/create" if shop.platform == "shopify" else "product.created"

    count = len(shop.products)
    assert {message.topic for message in messages[:count]} == {created}
    assert created not in {message.topic for message in messages[count:]}
    moments = [message.at for message in messages]
    assert moments == sorted(moments)
    assert moments[-1] <= shop.now


def test_orders_may_come_before_their_products(shop: Shop) -> None:
    first = deliveries(shop, secret=SECRET, orders_first=True).messages
    usual = deliveries(shop, secret=SECRET).messages

    count = len(shop.products)
    assert [m.topic for m in first] == [m.topic for m in (*usual[count:], *usual[:count])]


def test_every_order_and_customer_is_told_and_every_product_off_the_shelves(shop: Shop) -> None:
    topics = Counter(message.topic for message in deliveries(shop, secret=SECRET).messages)
    customers = {order.customer for order in shop.orders if order.customer is not None}
    off = sum(listing != opening for listing, opening in zip(shop.listings, shop.openings, strict=True))

    if shop.platform == "shopify":
        assert topics["orders/create"] == len(shop.orders)
        assert topics["refunds/create"] == sum(len(order.refunds) for order in shop.orders)
        assert topics["orders/cancelled"] == sum(order.cancelled_at is not None for order in shop.orders) > 0
        assert (topics["customers/create"], topics["products/update"]) == (len(customers), off)
    else:
        assert topics["order.created"] == len(shop.orders)
        assert (topics["customer.created"], topics["product.updated"]) == (len(customers), off)


def test_the_connector_verifies_and_understands_it_and_keeps_nothing_personal(shop: Shop) -> None:
    connector = connector_for(shop.platform)
    aside, changes = Counter[str | None](), Counter[str]()
    for delivery in deliveries(shop, secret=SECRET)[::37]:
        headers = connector.read_headers(delivery.headers)
        assert connector.verify(delivery.body, delivery.headers, [SECRET.encode()])
        body = connector.redact(orjson.loads(delivery.body), lambda _: "ab" * 32)
        told = orjson.dumps(body).decode()
        assert [word for word in PERSONAL if word in told] == []
        translation = connector.translate(
            body,
            DeliveryContext(
                topic=headers.topic,
                currency=shop.currency,
                triggered_at=headers.triggered_at,
                received_at=NOW,
            ),
        )
        aside[translation.set_aside] += 1
        changes.update(type(change).__name__ for change in translation.changes)

    assert set(aside) <= {None, "checkout_draft"}
    assert changes["ProductChange"] > 50
    assert changes["OrderChange"] > 100
    assert changes["CustomerChange"] > 30


def test_the_shops_know_nothing_of_the_application() -> None:
    code = (
        "import sys, demo.storefront, demo.delivery, demo.shops, demo.extract\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('app', 'connectors', 'webhooks')])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.strip() == "[]"
