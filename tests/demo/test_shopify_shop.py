"""What the Shopify-like shop sends: Shopify's schemas, headers and signature, and the story of an order."""

import base64
import hashlib
import hmac
from datetime import timedelta

import orjson

from connectors.shopify.signature import read_headers, verify
from demo.catalogue import opening_listing
from demo.messages import Delivery
from demo.orders import CartNews, Refund
from demo.shops import Shop, deliveries
from tests.demo.shopify_messages import MUG, NOW, PLACED, SECRET, VOICE, faults, order


def test_every_kind_of_message_fits_shopifys_schema(shopify: Shop) -> None:
    seen = set()
    mailbag = deliveries(shopify, secret=SECRET)
    rare = mailbag.only(["orders/cancelled", "products/update", "inventory_levels/update"])
    for delivery in [*mailbag[::61], *rare]:
        assert list(faults(delivery.topic, orjson.loads(delivery.body))) == []
        seen.add(delivery.topic)

    assert seen == {
        "products/create",
        "products/update",
        "inventory_levels/update",
        "customers/create",
        "orders/create",
        "orders/updated",
        "orders/cancelled",
        "refunds/create",
    }


def test_the_headers_are_shopifys_and_the_signature_holds() -> None:
    delivery = VOICE.sign(VOICE.order_placed(order())[0])

    assert set(delivery.headers) == {
        "User-Agent",
        "Accept",
        "Content-Type",
        "X-Shopify-Topic",
        "X-Shopify-Hmac-Sha256",
        "X-Shopify-Shop-Domain",
        "X-Shopify-API-Version",
        "X-Shopify-Webhook-Id",
        "X-Shopify-Event-Id",
        "X-Shopify-Triggered-At",
    }
    expected = base64.b64encode(hmac.new(SECRET.encode(), delivery.body, hashlib.sha256).digest()).decode()
    assert delivery.headers["X-Shopify-Hmac-Sha256"] == expected
    assert verify(delivery.body, delivery.headers, [SECRET.encode()]) is True
    assert verify(delivery.body, delivery.headers, [b"another"]) is False
    read = read_headers(delivery.headers)
    assert (read.topic, read.source) == ("orders/create", "pannier-demo.myshopify.com")
    assert read.triggered_at == PLACED


def test_webhook_ids_tell_deliveries_apart_and_stay_the_same(shopify: Shop) -> None:
    seen: dict[str, Delivery] = {}
    for delivery in deliveries(shopify, secret=SECRET)[2700:4500]:
        twin = seen.setdefault(delivery.headers["X-Shopify-Webhook-Id"], delivery)
        assert twin.body == delivery.body

    again = deliveries(shopify, secret=SECRET)[2700]
    assert len(seen) > 1700
    assert seen[again.headers["X-Shopify-Webhook-Id"]] == again


def test_what_lies_in_the_future_was_not_said_yet() -> None:
    placed = order(
        refunds=(Refund(NOW + timedelta(days=1), ((0, 1),)),), fulfilled_at=NOW + timedelta(hours=1)
    )

    assert [message.topic for message in VOICE.order_history(placed, NOW)] == ["orders/create"]


def test_an_order_takes_stock_and_reports_what_sold_out() -> None:
    listing = opening_listing(MUG, PLACED)
    left, gone = ({**{f: getattr(listing, f) for f in listing.__slots__}, "stock": n} for n in (3, 0))

    messages = VOICE.order_placed(order(), [type(listing)(**left), type(listing)(**gone)])

    assert [message.topic for message in messages] == [
        "orders/create",
        "inventory_levels/update",
        "inventory_levels/update",
        "products/update",
    ]


def test_a_later_cart_is_an_update() -> None:
    (message,) = VOICE.cart_changed(CartNews("abc", (), PLACED, NOW, is_new=False))

    assert message.topic == "carts/update"
    assert list(faults("carts/update", orjson.loads(VOICE.sign(message).body))) == []
