"""Orders in the WooCommerce-like shop's messages."""

from datetime import timedelta
from decimal import Decimal

import pytest

from demo.catalogue import Product
from demo.orders import Line, Refund
from tests.demo.woocommerce_messages import BAG, MUG, PLACED, VOICE, body_of, order, story


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


def test_a_guest_has_no_customer_id_but_an_address() -> None:
    guest = story(order(1001, customer=None))[0][1]
    known = story(order(1001))[0][1]

    assert (guest["customer_id"], guest["billing"]["email"]) == (0, "guest-1001@example.test")
    assert known["customer_id"] == body_of(VOICE.customer_added(7, PLACED)[0])["id"]
    assert known["billing"]["email"] == "customer-7@example.test"
