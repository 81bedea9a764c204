"""What an order brought: net of refunds, discounts, tax and gift cards."""

from dataclasses import replace

import pytest

from app.commerce.changes import SALES, OrderLineState, OrderStatus
from app.commerce.order import NET_SQL, SALE_SQL
from app.commerce.store import Store
from app.core.db import db
from tests.commerce.conftest import Apply
from tests.factories import line, order_change, order_deletion, refund


def revenue(store: Store) -> int | None:
    """Return the net revenue of the store's orders, None where there is no sale."""
    return db.session.connection().exec_driver_sql(
        f"SELECT round(sum({NET_SQL}))::bigint FROM orders o JOIN order_line l ON l.order_id = o.id"
        f" WHERE o.store_id = %(store)s AND {SALE_SQL}",
        {"store": store.id, "sales": [int(status) for status in SALES]},
    ).scalar_one()  # fmt: skip


def a_line(**fields: int) -> OrderLineState:
    return replace(line("p1", 4, price=1190), **fields)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([a_line()], 4760),
        ([a_line(discount=476)], 4284),
        ([a_line(discount=476, tax_included=684)], 3600),
        ([a_line(discount=476, tax_included=684, current_quantity=3)], 2700),
        ([a_line(current_quantity=0)], 0),
        ([a_line(discount=5000)], 0),
        ([a_line(), replace(line("card", price=5000), gift_card=True)], 4760),
        ([a_line(), line(None, price=300)], 5060),
        ([replace(line("p1", 0, left=0), platform_id="none")], 0),
    ],
    ids=[
        "whole", "discount", "tax", "refunded in part", "refunded", "more discount than price", "gift card",
        "of no product", "no pieces",
    ],
)  # fmt: skip
def test_net_revenue_of_lines(apply: Apply, store: Store, lines: list[OrderLineState], expected: int) -> None:
    apply(order_change("order", *lines, total=99_999))

    assert revenue(store) == expected


def test_a_refund_that_arrives_on_its_own_counts(apply: Apply, store: Store) -> None:
    apply(order_change("order", line("p1", 4, price=1000)), refund("order", p1=3))

    assert revenue(store) == 1000


@pytest.mark.parametrize(
    "changes",
    [
        [order_change("order", "p1", status=OrderStatus.CANCELLED)],
        [order_change("order", "p1", status=OrderStatus.PENDING)],
        [order_change("order", "p1", status=OrderStatus.REFUNDED)],
        [order_change("order", "p1", test=True)],
        [order_change("order", "p1"), order_deletion("order")],
    ],
    ids=["cancelled", "not paid", "refunded", "test", "deleted"],
)
def test_what_is_no_sale_brings_nothing(apply: Apply, store: Store, changes: list[object]) -> None:
    apply(*changes)

    assert revenue(store) is None
