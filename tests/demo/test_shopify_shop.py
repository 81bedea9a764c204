"""What the Shopify-like shop sends: Shopify's schemas, headers and signature, and the story of an order."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from connectors.shopify.signature import read_headers, verify
from demo.catalogue import Product, opening_listing
from demo.messages import Delivery
from demo.orders import CartNews, Line, Order, Refund
from demo.shopify_shop import ShopifyShop, encode, platform_id, product_number
from demo.shops import Shop, deliveries

SCHEMAS = Path(__file__).parents[1] / "payloads" / "shopify" / "schemas"
SECRET = "app-secret"
VOICE = ShopifyShop(
    domain="pannier-demo.myshopify.com",
    base_url="http://127.0.0.1:8001",
    currency="GBP",
    vendor="Hearth & Bunting",
    secret=SECRET,
)
MUG = Product(0, "20001", "Red Mug", 125, 0)
BAG = Product(1, "20002", "Blue Bag", 300, 1)
PLACED = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
NOW = PLACED + timedelta(days=10)


# Topics of one resource share one schema.
SAME_SCHEMA = {
    "products/create": "products/update",
    "customers/create": "customers/update",
    "carts/create": "carts/update",
    "orders/updated": "orders/create",
    "orders/cancelled": "orders/create",
}


@cache
def schema(topic: str) -> Draft202012Validator:
    path = SCHEMAS / f"{SAME_SCHEMA.get(topic, topic)}.json"
    return Draft202012Validator(orjson.loads(path.read_bytes()), format_checker=FormatChecker())


def faults(topic: str, body: Any) -> Iterator[str]:
    """Yield what Shopify's schema finds wrong with a body.

    The schemas are derived from samples: they know refunds of orders and properties of cart lines only as empty.
    Refunds are held against their own schema instead.
    """
    if topic.startswith("orders/"):
        for refund in body["refunds"]:
            yield from faults("refunds/create", refund)
        body = {**body, "refunds": []}
    for error in schema(topic).iter_errors(body):
        yield f"{topic} {list(error.path)}: {error.message}"


def bodies(messages: Any) -> dict[str, Any]:
    """Return the body of each topic; the last one where a topic occurs twice."""
    return {delivery.topic: orjson.loads(delivery.body) for delivery in map(VOICE.sign, messages)}


def order(**values: Any) -> Order:
    return Order(
        **{
            "number": 1001,
            "placed_at": PLACED,
            "customer": 7,
            "lines": (Line(MUG, 4), Line(BAG, 2)),
            **values,
        }
    )


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


def test_a_body_is_written_as_rails_writes_it() -> None:
    raw = encode({"name": "Lamp & <Shade> £", "id": 2**53 + 1})

    assert raw == '{"name":"Lamp \\u0026 \\u003cShade\\u003e £","id":9007199254740993}'.encode()
    assert orjson.loads(raw)["name"] == "Lamp & <Shade> £"


@pytest.mark.parametrize("kind", ["Product", "ProductVariant", "Order", "LineItem", "Customer", "Refund"])
def test_ids_are_lost_on_readers_of_floating_point_numbers(kind: str) -> None:
    identifier = platform_id(kind, 17)

    assert identifier > 2**53
    assert int(float(identifier)) != identifier


def test_a_variant_leads_to_its_product_and_nothing_else_does() -> None:
    assert product_number(platform_id("ProductVariant", 17)) == 17
    assert product_number(platform_id("ProductVariant", 17) + 1) is None
    assert product_number(platform_id("ProductVariant", 0) - 2) is None


def test_webhook_ids_tell_deliveries_apart_and_stay_the_same(shopify: Shop) -> None:
    seen: dict[str, Delivery] = {}
    for delivery in deliveries(shopify, secret=SECRET)[2700:4500]:
        twin = seen.setdefault(delivery.headers["X-Shopify-Webhook-Id"], delivery)
        assert twin.body == delivery.body

    again = deliveries(shopify, secret=SECRET)[2700]
    assert len(seen) > 1700
    assert seen[again.headers["X-Shopify-Webhook-Id"]] == again


def test_a_refund_comes_with_the_updated_order() -> None:
    placed = order(
        refunds=(Refund(PLACED + timedelta(days=2), ((0, 3),)),), fulfilled_at=PLACED + timedelta(days=1)
    )

    messages = list(VOICE.order_history(placed, NOW))

    assert [message.topic for message in messages] == [
        "orders/create",
        "orders/updated",
        "refunds/create",
        "orders/updated",
    ]
    told = [orjson.loads(VOICE.sign(message).body) for message in messages]
    assert [line["current_quantity"] for line in told[0]["line_items"]] == [4, 2]
    assert [line["current_quantity"] for line in told[3]["line_items"]] == [1, 2]
    assert [line["quantity"] for line in told[3]["line_items"]] == [4, 2]
    assert [body["financial_status"] for body in (told[0], told[1], told[3])] == [
        "paid",
        "paid",
        "partially_refunded",
    ]
    assert [body["fulfillment_status"] for body in (told[0], told[1], told[3])] == [
        None,
        "fulfilled",
        "fulfilled",
    ]
    assert [body["updated_at"] for body in (told[0], told[1], told[3])] == [
        "2026-11-01T11:00:00+01:00",
        "2026-11-02T11:00:00+01:00",
        "2026-11-03T11:00:00+01:00",
    ]
    refund = told[2]
    assert told[3]["refunds"] == [refund]
    assert [(line["line_item_id"], line["quantity"]) for line in refund["refund_line_items"]] == [
        (told[0]["line_items"][0]["id"], 3)
    ]
    assert refund["refund_line_items"][0]["subtotal_set"]["shop_money"]["amount"] == "3.75"
    assert told[3]["current_total_price"] == "11.20"
    assert told[3]["total_price"] == "14.95"


def test_a_cancelled_order_is_refunded_whole() -> None:
    gone = PLACED + timedelta(hours=5)
    placed = order(refunds=(Refund(gone, ((0, 4), (1, 2))),), cancelled_at=gone)

    messages = list(VOICE.order_history(placed, NOW))

    assert [message.topic for message in messages] == [
        "orders/create",
        "refunds/create",
        "orders/cancelled",
        "orders/updated",
    ]
    body = bodies(messages)["orders/cancelled"]
    assert body["cancelled_at"] == "2026-11-01T16:00:00+01:00"
    assert (body["cancel_reason"], body["financial_status"]) == ("customer", "refunded")
    assert [line["current_quantity"] for line in body["line_items"]] == [0, 0]
    assert body["current_total_price"] == "0.00"


def test_what_lies_in_the_future_was_not_said_yet() -> None:
    placed = order(
        refunds=(Refund(NOW + timedelta(days=1), ((0, 1),)),), fulfilled_at=NOW + timedelta(hours=1)
    )

    assert [message.topic for message in VOICE.order_history(placed, NOW)] == ["orders/create"]


def test_the_till_is_another_channel_than_the_web() -> None:
    web = bodies(VOICE.order_placed(order()))["orders/create"]
    till = bodies(VOICE.order_placed(order(number=1020)))["orders/create"]

    assert (web["source_name"], till["source_name"]) == ("web", "pos")
    assert web["cart_token"] is not None
    assert (till["cart_token"], till["browser_ip"]) == (None, None)
    assert till["location_id"] is not None


def test_a_guest_has_a_customer_record_of_the_one_order() -> None:
    guest = bodies(VOICE.order_placed(order(customer=None)))["orders/create"]["customer"]
    known = bodies(VOICE.order_placed(order()))["orders/create"]["customer"]

    assert guest["email"] == "guest-1001@example.test"
    assert known["email"] == "customer-7@example.test"
    assert guest["id"] != known["id"]


def test_personal_fields_are_there_to_be_dropped() -> None:
    body = bodies(VOICE.order_placed(order()))["orders/create"]

    for field in ("email", "contact_email", "phone", "browser_ip"):
        assert body[field]
    assert body["client_details"]["user_agent"]
    assert body["billing_address"]["address1"]
    assert body["customer"]["default_address"]["zip"].startswith("ZZ99")
    assert re.fullmatch(
        r"https://pannier-demo\.myshopify\.com/\d+/orders/\w+/authenticate\?key=\w+", body["order_status_url"]
    )


@pytest.mark.parametrize(
    ("changes", "status", "published", "stock"),
    [
        ({}, "active", True, 3),
        ({"stock": 0}, "active", True, 0),
        ({"visible": False}, "active", False, 3),
        ({"status": "draft"}, "draft", False, 3),
    ],
    ids=["on show", "sold out", "hidden", "draft"],
)
def test_a_product_says_where_it_stands(
    changes: dict[str, Any], status: str, published: bool, stock: int
) -> None:
    listing = opening_listing(MUG, PLACED)
    values = {"product": MUG, "stock": 3, "status": "active", "visible": True, "added_at": PLACED}
    changed = type(listing)(**{**values, **changes, "updated_at": NOW})

    told = bodies(VOICE.listing_changed(changed))

    product = told["products/update"]
    assert product["status"] == status
    assert (product["published_at"] is not None) == published
    assert product["variants"][0]["inventory_quantity"] == stock
    assert told["inventory_levels/update"]["available"] == stock
    assert told["inventory_levels/update"]["inventory_item_id"] == product["variants"][0]["inventory_item_id"]
    assert (product["created_at"], product["updated_at"]) == (
        "2026-11-01T11:00:00+01:00",
        "2026-11-11T11:00:00+01:00",
    )
    assert product["image"]["src"] == "http://127.0.0.1:8001/cdn/shop/files/red-mug-20001.svg"


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


def test_carts_speak_of_their_lines_only() -> None:
    news = CartNews("abc", (Line(MUG, 2), Line(BAG, 1, (("_pannier", "d1"),))), PLACED, NOW, is_new=True)

    (message,) = VOICE.cart_changed(news)

    body = orjson.loads(VOICE.sign(message).body)
    assert message.topic == "carts/create"
    assert set(body) == {"id", "token", "line_items", "note", "created_at", "updated_at"}
    assert (body["id"], body["updated_at"]) == ("abc", "2026-11-11T10:00:00.000Z")
    assert [(line["quantity"], line["line_price"], line["properties"]) for line in body["line_items"]] == [
        (2, "2.50", None),
        (1, "3.00", {"_pannier": "d1"}),
    ]
    del body["line_items"][1]
    assert list(faults("carts/create", body)) == []


def test_a_later_cart_is_an_update() -> None:
    (message,) = VOICE.cart_changed(CartNews("abc", (), PLACED, NOW, is_new=False))

    assert message.topic == "carts/update"
    assert list(faults("carts/update", orjson.loads(VOICE.sign(message).body))) == []


def test_what_a_widget_attached_to_a_line_is_in_the_order() -> None:
    told = bodies(VOICE.order_placed(order(lines=(Line(MUG, 1, (("_pannier", "d1"),)),))))["orders/create"]

    assert told["line_items"][0]["properties"] == [{"name": "_pannier", "value": "d1"}]
    assert list(faults("orders/create", told)) == []


def test_ids_of_lines_and_refunds_are_unique_in_the_shop(shopify: Shop) -> None:
    lines: set[int] = set()
    refunds: set[int] = set()
    refund_lines: set[int] = set()
    count = [0, 0, 0]
    for delivery in deliveries(shopify, secret=SECRET).only(["refunds/create"]):
        body = orjson.loads(delivery.body)
        refunds.add(body["id"])
        refund_lines.update(line["id"] for line in body["refund_line_items"])
        count[0] += 1
        count[1] += len(body["refund_line_items"])
    for delivery in deliveries(shopify, secret=SECRET).only(["orders/create"])[:400]:
        body = orjson.loads(delivery.body)
        lines.update(line["id"] for line in body["line_items"])
        count[2] += len(body["line_items"])

    assert [len(refunds), len(refund_lines), len(lines)] == count
