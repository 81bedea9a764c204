"""Orders and refunds in the Shopify-like shop's messages."""

import re
from datetime import timedelta

import orjson

from demo.orders import Line, Refund
from demo.shops import Shop, deliveries
from tests.demo.shopify_messages import MUG, NOW, PLACED, SECRET, VOICE, bodies, faults, order


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
