"""Orders as they stood at any moment."""

from datetime import UTC, datetime, timedelta

import pytest

from demo.catalogue import Product
from demo.orders import Applied, Line, Order, OrderCoupon, Refund, read_orders
from demo.shops import Shop

MUG = Product(0, "20001", "Red Mug", 125, 0)
BAG = Product(1, "20002", "Blue Bag", 300, 1)
PLACED = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)


def hours(count: float) -> datetime:
    return PLACED + timedelta(hours=count)


ORDER = Order(
    number=1001,
    placed_at=PLACED,
    customer=7,
    lines=(Line(MUG, 4), Line(BAG, 2)),
    refunds=(Refund(hours(48), ((0, 1),)), Refund(hours(72), ((0, 3), (1, 2)))),
    fulfilled_at=hours(24),
)


@pytest.mark.parametrize(
    ("at", "left", "changed"),
    [
        (hours(0), [4, 2], hours(0)),
        (hours(24), [4, 2], hours(24)),
        (hours(48), [3, 2], hours(48)),
        (hours(71.9), [3, 2], hours(48)),
        (hours(72), [0, 0], hours(72)),
    ],
)
def test_time_passes_over_an_order(at: datetime, left: list[int], changed: datetime) -> None:
    assert ORDER.quantities_left(at) == left
    assert ORDER.changed_at(at) == changed


def test_a_discount_of_a_cart_stands_by_the_lines_of_its_order() -> None:
    applied = Applied("tea", "percent", 10.0, "Tea", {"mug": 50, "bag": 60})

    assert applied.total == 110
    assert applied.on_order(["bag", "tin", "mug"]) == OrderCoupon("tea", "percent", 10.0, (60, 0, 50))


def test_sums_are_of_all_pieces() -> None:
    assert ORDER.total == 4 * 125 + 2 * 300
    assert [ORDER.refund_total(refund) for refund in ORDER.refunds] == [125, 3 * 125 + 2 * 300]
    assert ORDER.shipping == 395
    assert Order(1, PLACED, None, (Line(BAG, 17),)).shipping == 0


def test_a_guest_is_named_by_the_order_and_a_customer_by_the_number() -> None:
    assert ORDER.person_key == "customer-7"
    assert Order(1002, PLACED, None, (Line(MUG, 1),)).person_key == "guest-1002"


def test_the_history_ends_now_and_keeps_its_distances() -> None:
    rows = [
        {
            "placed_at": "2011-05-02T10:00",
            "customer": "1",
            "lines": "20001:2 20002:1",
            "refunds": "",
            "cancelled_at": "",
        },
        {
            "placed_at": "2011-05-03T10:00",
            "customer": "",
            "lines": "20002:5",
            "refunds": "2011-05-09T12:30 20002:2",
            "cancelled_at": "",
        },
    ]
    now = datetime(2026, 11, 22, 12, 0, 42, tzinfo=UTC)

    first, second = read_orders(rows, {"20001": MUG, "20002": BAG}, now)

    assert second.refunds == (Refund(datetime(2026, 11, 22, 11, 59, tzinfo=UTC), ((0, 2),)),)
    assert second.placed_at - first.placed_at == timedelta(days=1, seconds=1)
    assert (first.number, first.customer, second.customer) == (1001, 1, None)
    assert first.lines == (Line(MUG, 2), Line(BAG, 1))


def test_a_cancelled_order_gives_everything_back_at_once_and_is_never_fulfilled() -> None:
    rows = [
        {
            "placed_at": "2011-05-02T10:00",
            "customer": "1",
            "lines": "20001:2 20002:1",
            "refunds": "",
            "cancelled_at": "2011-05-02T10:00",
        }
    ]

    (order,) = read_orders(rows, {"20001": MUG, "20002": BAG}, PLACED)

    assert order.cancelled_at == order.placed_at + timedelta(minutes=1)
    assert order.refunds == (Refund(order.cancelled_at, ((0, 2), (1, 1))),)
    assert order.quantities_left(order.cancelled_at) == [0, 0]
    assert order.fulfilled_at is None


def test_each_shop_ends_in_the_minute_before_now(shop: Shop) -> None:
    latest = max(
        moment
        for order in shop.orders
        for moment in (order.placed_at, order.cancelled_at, *(refund.at for refund in order.refunds))
        if moment is not None
    )

    assert timedelta(0) < shop.now - latest <= timedelta(minutes=1)
    assert [order.placed_at for order in shop.orders] == sorted(order.placed_at for order in shop.orders)
