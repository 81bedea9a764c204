"""What the WooCommerce-like shop sends, held against recordings of a real one."""

import base64
import hashlib
import hmac
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.woocommerce.signature import read_headers, verify
from demo.catalogue import opening_listing
from demo.orders import CartNews, Line
from demo.shops import Shop, deliveries
from tests.demo.woocommerce_messages import MUG, NOW, PLACED, SECRET, VOICE, body_of, order, story

RECORDED = Path(__file__).parents[1] / "payloads" / "woocommerce"


def recorded(name: str) -> tuple[dict[str, str], Any]:
    head, _, raw = (RECORDED / f"{name}.raw").read_bytes().partition(b"\r\n\r\n")
    return dict(line.split(": ", 1) for line in head.decode().splitlines()[1:]), orjson.loads(raw)


def test_the_request_has_the_headers_of_a_real_one() -> None:
    delivery = VOICE.sign(VOICE.order_placed(order())[0])
    headers, _ = recorded("0016-order_created")

    added_by_the_sender = {"Host", "Content-Length", "Connection", "Accept-Encoding"}
    assert set(delivery.headers) == set(headers) - added_by_the_sender
    assert delivery.headers["User-Agent"] == headers["User-Agent"]
    assert delivery.headers["X-WC-Webhook-Source"] == "http://127.0.0.1:8002/"
    assert delivery.headers["X-WC-Webhook-Topic"] == "order.created"
    assert (delivery.headers["X-WC-Webhook-Resource"], delivery.headers["X-WC-Webhook-Event"]) == (
        "order",
        "created",
    )
    assert len(delivery.headers["X-WC-Webhook-Delivery-ID"]) == len(headers["X-WC-Webhook-Delivery-ID"])


def test_the_signature_holds() -> None:
    delivery = VOICE.sign(VOICE.order_placed(order())[0])

    expected = base64.b64encode(hmac.new(SECRET.encode(), delivery.body, hashlib.sha256).digest()).decode()
    assert delivery.headers["X-WC-Webhook-Signature"] == expected
    assert verify(delivery.body, delivery.headers, [SECRET.encode()]) is True
    assert verify(delivery.body, delivery.headers, [b"another"]) is False
    assert read_headers(delivery.headers).topic == "order.created"


def test_a_ping_is_unsigned_and_a_form() -> None:
    ping = VOICE.ping("order.updated")
    raw = (RECORDED / "0001-ping.raw").read_bytes().partition(b"\r\n\r\n")[2]

    assert ping.body == b"webhook_id=2"
    assert raw.startswith(b"webhook_id=")
    assert ping.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert not [name for name in ping.headers if name.startswith("X-WC")]


@pytest.mark.parametrize(
    ("recording", "built"),
    [
        ("0047-order_updated", lambda: body_of(VOICE.order_placed(order())[0])),
        ("0018-product_updated", lambda: body_of(VOICE.product_added(opening_listing(MUG, PLACED))[0])),
        ("0025-customer_created", lambda: body_of(VOICE.customer_added(7, PLACED)[0])),
    ],
    ids=["order", "product", "customer"],
)
def test_bodies_have_the_fields_of_recorded_ones(recording: str, built: Any) -> None:
    _, real = recorded(recording)
    body = built()

    assert set(body) == set(real)
    for name, value in real.items():
        if isinstance(value, dict) and name != "_links":
            assert set(body[name]) == set(value), name
        elif (
            value
            and isinstance(value, list)
            and isinstance(value[0], dict)
            and body[name]
            and name != "meta_data"
        ):
            assert set(body[name][0]) == set(value[0]), name
        elif value is not None and body[name] is not None and not isinstance(value, (dict, list)):
            assert type(body[name]) is type(value), name


def test_the_delivery_id_is_the_same_for_a_whole_second() -> None:
    one, other = (VOICE.sign(VOICE.order_placed(order(number))[0]) for number in (1001, 1003))
    later = VOICE.sign(VOICE.order_placed(order(1001, placed_at=PLACED + timedelta(seconds=1)))[0])

    assert one.body != other.body
    assert one.headers["X-WC-Webhook-Delivery-ID"] == other.headers["X-WC-Webhook-Delivery-ID"]
    assert one.headers["X-WC-Webhook-Delivery-ID"] != later.headers["X-WC-Webhook-Delivery-ID"]


def test_a_quiet_shop_sends_one_late_message_with_the_later_state() -> None:
    told = story(order(1001, fulfilled_at=PLACED + timedelta(days=1)))

    assert [(topic, body["status"]) for topic, body in told] == [("order.created", "completed")]
    assert told[0][1]["date_modified_gmt"] == "2026-11-02T10:00:00"
    assert told[0][1]["date_modified"] == "2026-11-02T11:00:00"
    assert told[0][1]["created_via"] == "checkout"


def test_the_block_checkout_sends_the_update_before_the_creation() -> None:
    told = story(order(1002, fulfilled_at=PLACED + timedelta(days=1)))

    assert [(topic, body["status"]) for topic, body in told] == [
        ("order.updated", "processing"),
        ("order.created", "processing"),
        ("order.updated", "completed"),
    ]
    assert told[0][1] == told[1][1]
    assert told[0][1]["created_via"] == "store-api"


def test_an_opened_block_checkout_is_a_draft_first() -> None:
    told = story(order(1008))

    assert (told[0][0], told[0][1]["status"]) == ("order.updated", "checkout-draft")
    assert told[0][1]["id"] == told[1][1]["id"]
    assert told[0][1]["date_modified_gmt"] < told[1][1]["date_modified_gmt"]
    assert told[0][1]["date_paid"] is None


def test_an_order_reports_the_stock_of_each_line() -> None:
    listing = opening_listing(MUG, PLACED)

    topics = [message.topic for message in VOICE.order_placed(order(1001), [listing, listing])]

    assert topics == ["order.created", "order.updated", "product.updated", "product.updated"]


def test_there_is_no_cart_topic() -> None:
    assert VOICE.cart_changed(CartNews("abc", (Line(MUG, 1),), PLACED, NOW, is_new=True)) == []


def test_ids_are_small_and_do_not_collide(woocommerce: Shop) -> None:
    ids: dict[str, set[int]] = {"order": set(), "product": set(), "customer": set()}
    for delivery in deliveries(woocommerce, secret=SECRET)[::9]:
        ids[delivery.topic.split(".")[0]].add(orjson.loads(delivery.body)["id"])

    assert all(len(found) > 150 for found in ids.values())
    assert max(max(found) for found in ids.values()) < 2**31
    assert ids["order"].isdisjoint(ids["product"])
