"""What the WooCommerce-like shop sends, held against recordings of a real one."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.woocommerce.signature import read_headers, verify
from demo.catalogue import Product, opening_listing
from demo.companions import Companions
from demo.orders import CartNews, Line, Order, Refund
from demo.shops import Shop, deliveries
from demo.woocommerce_shop import WooCommerceShop, encode, net

RECORDED = Path(__file__).parents[1] / "payloads" / "woocommerce"
SECRET = "webhook-secret"
VOICE = WooCommerceShop(base_url="http://127.0.0.1:8002", currency="GBP", secret=SECRET)
MUG = Product(0, "20001", "Red Mug", 125, 0)
BAG = Product(1, "20002", "Blue Bag", 300, 1)
PLACED = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
NOW = PLACED + timedelta(days=10)


def recorded(name: str) -> tuple[dict[str, str], Any]:
    head, _, raw = (RECORDED / f"{name}.raw").read_bytes().partition(b"\r\n\r\n")
    return dict(line.split(": ", 1) for line in head.decode().splitlines()[1:]), orjson.loads(raw)


def order(number: int = 1001, **values: Any) -> Order:
    return Order(
        **{
            "number": number,
            "placed_at": PLACED,
            "customer": 7,
            "lines": (Line(MUG, 4), Line(BAG, 2)),
            **values,
        }
    )


def story(placed: Order) -> list[tuple[str, Any]]:
    """Return topics and bodies of all that was sent about an order until ``NOW``."""
    signed = [VOICE.sign(message) for message in VOICE.order_history(placed, NOW)]
    return [(delivery.topic, orjson.loads(delivery.body)) for delivery in signed]


def body_of(message: Any) -> Any:
    return orjson.loads(VOICE.sign(message).body)


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


def test_a_body_is_written_as_php_writes_it() -> None:
    assert encode({"url": "http://a/b", "symbol": "£"}) == b'{"url":"http:\\/\\/a\\/b","symbol":"\\u00a3"}'


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


def test_the_sums_of_an_order_agree() -> None:
    body = story(order(lines=(Line(MUG, 7), Line(BAG, 3), Line(Product(2, "20003", "Tin", 299, 2), 11))))[0][
        1
    ]

    lines = sum(Decimal(line["total"]) + Decimal(line["total_tax"]) for line in body["line_items"])
    shipping = Decimal(body["shipping_total"]) + Decimal(body["shipping_tax"])
    assert lines == Decimal("7") * Decimal("1.25") + 3 * Decimal("3.00") + 11 * Decimal("2.99")
    assert lines + shipping == Decimal(body["total"])
    assert Decimal(body["cart_tax"]) + Decimal(body["shipping_tax"]) == Decimal(body["total_tax"])
    assert body["line_items"][0]["price"] == pytest.approx(1.25 / 1.2, abs=1e-6)


def test_net_and_tax_make_the_price() -> None:
    assert (net(120), net(1995), net(0)) == (100, 1662, 0)


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


@pytest.mark.parametrize(
    ("pieces", "status", "total"),
    [(((0, 1),), "processing", "-1.25"), (((0, 4), (1, 2)), "refunded", "-11.00")],
    ids=["partial", "full"],
)
def test_a_refund_is_a_sum_without_lines(
    pieces: tuple[tuple[int, int], ...], status: str, total: str
) -> None:
    told = story(order(1001, refunds=(Refund(PLACED + timedelta(days=2), pieces),)))

    topic, body = told[-1]
    assert (topic, body["status"]) == ("order.updated", status)
    assert [set(refund) for refund in body["refunds"]] == [{"id", "reason", "total"}]
    assert body["refunds"][0]["total"] == total
    assert [line["quantity"] for line in body["line_items"]] == [4, 2]
    assert told[0][1]["refunds"] == []


def test_a_cancelled_order_is_cancelled_without_a_refund() -> None:
    gone = PLACED + timedelta(hours=5)
    told = story(order(1001, cancelled_at=gone, refunds=(Refund(gone, ((0, 4), (1, 2))),)))

    assert [(topic, body["status"]) for topic, body in told] == [
        ("order.created", "processing"),
        ("order.updated", "cancelled"),
    ]
    assert told[-1][1]["refunds"] == []


@pytest.mark.parametrize(
    ("changes", "status", "visibility", "stock_status"),
    [
        ({}, "publish", "visible", "instock"),
        ({"stock": 0}, "publish", "visible", "outofstock"),
        ({"visible": False}, "publish", "hidden", "instock"),
        ({"status": "draft"}, "draft", "visible", "instock"),
        ({"status": "archived"}, "private", "visible", "instock"),
    ],
    ids=["on show", "sold out", "hidden", "draft", "archived"],
)
def test_a_product_says_where_it_stands(
    changes: dict[str, Any], status: str, visibility: str, stock_status: str
) -> None:
    listing = replace(opening_listing(MUG, PLACED), updated_at=NOW, **changes)

    (message,) = VOICE.listing_changed(listing)

    body = body_of(message)
    assert message.topic == "product.updated"
    assert (body["status"], body["catalog_visibility"], body["stock_status"]) == (
        status,
        visibility,
        stock_status,
    )
    assert body["stock_quantity"] == listing.stock
    assert (body["date_created_gmt"], body["date_modified_gmt"]) == (
        "2026-11-01T10:00:00",
        "2026-11-11T10:00:00",
    )
    assert body["permalink"] == "http://127.0.0.1:8002/product/red-mug-20001/"


def test_a_product_names_what_the_merchant_chose() -> None:
    voice = WooCommerceShop(
        base_url="http://127.0.0.1:8002",
        currency="GBP",
        secret=SECRET,
        companions={MUG.number: Companions(goes_with=(1, 4), better=(2,))},
    )

    bodies = [
        orjson.loads(voice.sign(voice.product_added(opening_listing(product, PLACED))[0]).body)
        for product in (MUG, BAG)
    ]

    assert [(body["cross_sell_ids"], body["upsell_ids"]) for body in bodies] == [
        ([102, 105], [103]),
        ([], []),
    ]


def test_the_shop_sends_what_its_merchant_chose(woocommerce: Shop) -> None:
    voice = woocommerce.speaks(SECRET)
    bodies = [voice.product_added(opening)[0].build() for opening in woocommerce.openings]

    sent = {body["id"] - 101: body["cross_sell_ids"] for body in bodies if body["cross_sell_ids"]}
    assert len(sent) > 10
    assert sent == {
        number: [101 + other for other in chosen.goes_with]
        for number, chosen in woocommerce.companions.items()
        if chosen.goes_with
    }


def test_a_guest_has_no_customer_id_but_an_address() -> None:
    guest = story(order(1001, customer=None))[0][1]
    known = story(order(1001))[0][1]

    assert (guest["customer_id"], guest["billing"]["email"]) == (0, "guest-1001@example.test")
    assert known["customer_id"] == body_of(VOICE.customer_added(7, PLACED)[0])["id"]
    assert known["billing"]["email"] == "customer-7@example.test"


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
