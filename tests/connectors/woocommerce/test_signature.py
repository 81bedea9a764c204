"""WooCommerce's headers and signature, on recorded deliveries."""

from pathlib import Path

import pytest

from connectors.base import DeliveryHeaders
from connectors.woocommerce.signature import read_headers, verify

SECRET = b"whsec-local-test"
NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "payloads" / "woocommerce").glob("*.raw"))
SIGNED = [name for name in NAMES if "ping" not in name]
PINGS = [name for name in NAMES if "ping" in name]


def test_recordings_are_all_there():
    assert (len(SIGNED), len(PINGS)) == (45, 2)


@pytest.mark.parametrize("name", SIGNED)
def test_recorded_delivery_is_verified_with_current_and_previous_secret(recording, name):
    delivery = recording(name)

    assert verify(delivery.raw, delivery.headers, [SECRET]) is True
    assert verify(delivery.raw, delivery.headers, [b"new", SECRET]) is True
    assert verify(delivery.raw, delivery.headers, [b"new"]) is False
    assert verify(delivery.raw + b" ", delivery.headers, [SECRET]) is False


@pytest.mark.parametrize("name", PINGS)
def test_ping_has_neither_headers_nor_signature(recording, name):
    ping = recording(name)

    assert ping.raw.startswith(b"webhook_id=")
    assert read_headers(ping.headers) is None
    assert verify(ping.raw, ping.headers, [SECRET]) is False


def test_headers_are_read(recording):
    assert read_headers(recording("0016-order_created").headers) == DeliveryHeaders(
        topic="order.created",
        source="http://127.0.0.1:8081/",
        delivery_id="eaa09734d899aae64ded405c4b3423fe",
        webhook_id="1",
    )


@pytest.mark.parametrize(
    "name",
    [
        "X-WC-Webhook-Topic",
        "X-WC-Webhook-Source",
        "X-WC-Webhook-ID",
        "X-WC-Webhook-Delivery-ID",
        "X-WC-Webhook-Signature",
    ],
)
def test_delivery_without_a_required_header_is_none(recording, name):
    headers = recording("0016-order_created").headers

    assert read_headers({key: value for key, value in headers.items() if key != name}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-WC-Webhook-Topic", "order"),
        ("X-WC-Webhook-Topic", "order.created\n"),
        ("X-WC-Webhook-Topic", "order." + "x" * 101),
        ("X-WC-Webhook-Source", "ftp://shop.example/"),
        ("X-WC-Webhook-Source", "https://shop.example/\x00"),
        ("X-WC-Webhook-Source", "https://shop.example/" + "x" * 600),
        ("X-WC-Webhook-ID", ""),
        ("X-WC-Webhook-Delivery-ID", "ä"),
    ],
)
def test_required_header_of_another_shape_is_none(recording, name, value):
    assert read_headers(recording("0016-order_created").headers | {name: value}) is None


def test_action_topic_is_read(recording):
    headers = read_headers(recording("0040-action_woocommerce_add_to_cart").headers)

    assert headers is not None
    assert headers.topic == "action.woocommerce_add_to_cart"
