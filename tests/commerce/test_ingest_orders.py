"""Orders, refunds, edits, deletions: what stands, and what it adds to the basket."""

import itertools

import pytest
from sqlalchemy import delete, select

from app.commerce.catalog import Product
from app.commerce.changes import SALES, Channel, OrderAdjustment, OrderChange, OrderStatus
from app.commerce.ingest import BasketChange
from app.commerce.order import Order
from app.commerce.store import Store
from app.core.db import db
from tests.commerce.conftest import Apply, Tables
from tests.factories import (
    adjustment,
    at,
    customer_ref,
    digest,
    line,
    order_change,
    order_deletion,
    refund,
)


def basket(tables: Tables) -> list[str]:
    """Return the platform ids of what the only order counts as bought."""
    (order,) = tables()["orders"]
    found: list[str] = order["basket"]
    return found


def left(tables: Tables) -> dict[str, int]:
    """Return how many pieces of each product are left in the only order."""
    return {row["product_id"]: row["current_quantity"] for row in tables()["order_line"]}


def internal(store: Store, *platform_ids: str) -> list[int]:
    """Return the internal ids of products, sorted."""
    query = select(Product.id).where(Product.store_id == store.id, Product.platform_id.in_(platform_ids))
    return sorted(db.session.scalars(query))


def test_an_order_is_written_with_all_that_it_says(apply: Apply, tables: Tables) -> None:
    order = order_change(
        "1001",
        line("p1", 3, left=2, line_id="7", variant="v1", price=550),
        seconds=60,
        placed=5,
        status=OrderStatus.COMPLETED,
        channel=Channel.POS,
        total=1100,
        customer=customer_ref("c1", "ann@example.com"),
        cart="cart",
        adjustments=["refund:1"],
    )

    apply(order)

    (written,) = tables()["orders"]
    assert written == {
        "platform_id": "1001",
        "status": 50,
        "channel": "pos",
        "test": False,
        "currency": "USD",
        "total": 1100,
        "customer_id": "c1",
        "cart_token_hash": f"\\x{digest('cart').hex()}",
        "placed_at": "2026-01-05T12:00:05+00:00",
        "source_updated_at": "2026-01-05T12:01:00+00:00",
        "state_digest": written["state_digest"],
        "adjustment_ids": ["refund:1"],
        "deleted_at": None,
        "basket": ["p1"],
    }
    assert tables()["order_line"] == [
        {
            "order_id": "1001",
            "platform_id": "7",
            "product_id": "p1",
            "variant_platform_id": "v1",
            "quantity": 3,
            "stated_quantity": 2,
            "current_quantity": 2,
            "price": 550,
            "discount": 0,
            "gift_card": False,
            "tax_included": 0,
        }
    ]


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))), ids=str)
def test_the_newest_state_of_an_order_stands(apply: Apply, tables: Tables, arrival: tuple[int, ...]) -> None:
    states = [
        order_change("order", "p1", "p2", seconds=1, total=100),
        order_change("order", "p1", "p2", "p3", seconds=2, total=200),
        order_change("order", "p1", line("p3", left=0), seconds=3, total=300),
    ]

    for index in arrival:
        apply(states[index])

    assert [(o["total"], o["basket"]) for o in tables()["orders"]] == [(300, ["p1"])]
    assert left(tables) == {"p1": 1, "p3": 0}


@pytest.mark.parametrize("swapped", [False, True], ids=["in order", "swapped"])
def test_in_one_second_the_later_stage_stands(apply: Apply, tables: Tables, swapped: bool) -> None:
    paid = order_change(status=OrderStatus.PLACED, seconds=1)
    cancelled = order_change(status=OrderStatus.CANCELLED, seconds=1)

    for change in (cancelled, paid) if swapped else (paid, cancelled):
        apply(change)

    assert [o["status"] for o in tables()["orders"]] == [OrderStatus.CANCELLED]


def test_states_of_one_second_and_stage_are_settled_alike_in_any_order(
    apply: Apply, tables: Tables, store: Store
) -> None:
    states = [order_change("order", f"p{n}", seconds=1, total=n) for n in range(3)]
    stood = set()

    for arrival in itertools.permutations(states):
        db.session.execute(delete(Order).where(Order.store_id == store.id))
        for change in arrival:
            apply(change)
        stood.add((tables()["orders"][0]["total"], basket(tables)[0]))

    assert len(stood) == 1
    total, product = stood.pop()
    assert product == f"p{total}"


def test_the_same_order_twice_changes_nothing(apply: Apply, tables: Tables) -> None:
    order = order_change("order", "p1", "p2", customer=customer_ref())
    apply(order)
    once = tables()

    again = apply(order)

    assert tables() == once
    assert again.baskets == []


def test_what_an_order_contributed_and_contributes_is_reported(apply: Apply, store: Store) -> None:
    first = apply(order_change("order", "p1", "p2", seconds=1))
    p1, p2 = internal(store, "p1", "p2")
    second = apply(order_change("order", "p2", "p3", seconds=2, placed=86_400))
    p3 = internal(store, "p3")[0]
    third = apply(order_change("order", "p2", "p3", seconds=3, placed=86_400, status=OrderStatus.CANCELLED))

    assert first.baskets == [BasketChange(at(0), (), at(0), [p1, p2])]
    assert second.baskets == [BasketChange(at(0), [p1, p2], at(86_400), [p2, p3])]
    assert third.baskets == [BasketChange(at(86_400), [p2, p3], at(86_400), [])]


def test_an_order_that_moves_to_another_day_is_reported(apply: Apply, store: Store) -> None:
    apply(order_change("order", "p1", seconds=1))

    moved = apply(order_change("order", "p1", seconds=2, placed=-86_400))

    p1 = internal(store, "p1")
    assert moved.baskets == [BasketChange(at(0), p1, at(-86_400), p1)]


@pytest.mark.parametrize("status", list(OrderStatus), ids=lambda status: status.name.lower())
def test_only_sales_fill_a_basket(apply: Apply, tables: Tables, status: OrderStatus) -> None:
    apply(order_change("order", "p1", "p2", status=status))

    assert basket(tables) == (["p1", "p2"] if status in SALES else [])


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (order_change("order", "p1", "p2", test=True), []),
        (order_change("order", "p1", line("p2", gift_card=True)), ["p1"]),
        (order_change("order", "p1", line(None, line_id="tip")), ["p1"]),
        (order_change("order", "p1", line("p2", left=0)), ["p1"]),
        (order_change("order", "p1", line("p1", line_id="another")), ["p1"]),
        (order_change("order"), []),
    ],
    ids=["test order", "gift card", "no product", "nothing left", "named twice", "no lines"],
)
def test_what_does_not_count_as_bought(
    apply: Apply, tables: Tables, order: OrderChange, expected: list[str]
) -> None:
    apply(order)

    assert basket(tables) == expected


def test_a_refund_takes_its_pieces_off(apply: Apply, tables: Tables, store: Store) -> None:
    apply(order_change("order", line("p1", 2), "p2", seconds=1))

    half = apply(refund("order", 1, 2, p1=1))
    whole = apply(refund("order", 2, 3, p1=1))

    assert left(tables) == {"p1": 0, "p2": 1}
    p1, p2 = internal(store, "p1", "p2")
    assert half.baskets == []
    assert whole.baskets == [BasketChange(at(0), [p1, p2], at(0), [p2])]


@pytest.mark.parametrize("batches", [[[1, 0]], [[1], [0]]], ids=["one batch", "two batches"])
def test_a_refund_may_arrive_before_its_order(apply: Apply, tables: Tables, batches: list[list[int]]) -> None:
    arriving = [order_change("order", "p1", "p2", seconds=1), refund("order", 1, 2, p1=1)]

    for batch in batches:
        apply(*(arriving[index] for index in batch))

    assert basket(tables) == ["p2"]


def test_a_refund_without_its_order_leaves_no_order(apply: Apply, tables: Tables) -> None:
    apply(refund("order", 1, 2, p1=1))

    assert tables()["orders"] == []
    assert tables()["order_adjustment"] == [
        {
            "order_platform_id": "order",
            "adjustment_id": "refund:1",
            "happened_at": "2026-01-05T12:00:02+00:00",
            "lines": [["line-p1", -1]],
        }
    ]


@pytest.mark.parametrize(
    "state",
    [
        order_change("order", line("p1", 3, left=2), seconds=1, adjustments=["refund:1"]),
        order_change("order", line("p1", 3, left=2), seconds=2),
        order_change("order", line("p1", 3, left=2), seconds=3),
    ],
    ids=["named by the state", "of the state's second", "older than the state"],
)
@pytest.mark.parametrize("refund_first", [False, True], ids=["state first", "refund first"])
def test_a_refund_that_the_state_knows_is_not_taken_off_twice(
    apply: Apply, tables: Tables, state: OrderChange, refund_first: bool
) -> None:
    taken = refund("order", 1, 2, p1=1)

    for change in (taken, state) if refund_first else (state, taken):
        apply(change)

    assert left(tables) == {"p1": 2}


def test_a_newer_state_takes_over_from_the_refunds_that_it_contains(apply: Apply, tables: Tables) -> None:
    apply(order_change("order", line("p1", 3), seconds=1))
    apply(refund("order", 1, 2, p1=1), refund("order", 2, 6, p1=1))
    before = left(tables)

    apply(order_change("order", line("p1", 3, left=2), seconds=4, adjustments=["refund:1"]))

    assert before == {"p1": 1}
    assert left(tables) == {"p1": 1}


def test_the_same_refund_twice_is_once(apply: Apply, tables: Tables) -> None:
    taken = refund("order", 1, 2, p1=1)
    apply(order_change("order", line("p1", 3), seconds=1))

    apply(taken, taken)
    apply(taken)

    assert left(tables) == {"p1": 2}
    assert len(tables()["order_adjustment"]) == 1


@pytest.mark.parametrize(
    ("edit", "pieces"),
    [
        (adjustment("order", "edit:1", 2, p1=2), 3),
        (adjustment("order", "edit:1", 2, p1=-5), 0),
        (adjustment("order", "edit:1", 2, p9=1), 1),
        (adjustment("order", "edit:1", 2), 1),
    ],
    ids=["pieces added", "more taken than there are", "line that nobody knows", "no pieces"],
)
def test_an_edit_changes_the_pieces_of_existing_lines(
    apply: Apply, tables: Tables, edit: OrderAdjustment, pieces: int
) -> None:
    apply(order_change("order", "p1", seconds=1))

    apply(edit)

    assert left(tables) == {"p1": pieces}


def test_an_edit_brings_a_product_back_into_the_basket(apply: Apply, tables: Tables) -> None:
    apply(order_change("order", "p1", line("p2", left=0), seconds=1))

    apply(adjustment("order", "edit:1", 2, p2=1))

    assert basket(tables) == ["p1", "p2"]


@pytest.mark.parametrize("deletion_first", [False, True], ids=["order first", "deletion first"])
@pytest.mark.parametrize("together", [False, True], ids=["apart", "one batch"])
def test_a_deleted_order_counts_for_nothing(
    apply: Apply, tables: Tables, deletion_first: bool, together: bool
) -> None:
    order, deletion = order_change("order", "p1", "p2", seconds=1), order_deletion("order", 2)
    arriving = (deletion, order) if deletion_first else (order, deletion)

    for batch in (arriving,) if together else ((arriving[0],), (arriving[1],)):
        apply(*batch)

    assert [(o["deleted_at"], o["basket"]) for o in tables()["orders"]] == [("2026-01-05T12:00:02+00:00", [])]


def test_late_news_do_not_bring_a_deleted_order_back(apply: Apply, tables: Tables) -> None:
    apply(order_change("order", "p1", seconds=1))
    apply(order_deletion("order", 5))

    applied = apply(order_change("order", "p1", "p2", seconds=4), order_change("order", "p3", seconds=5))

    assert basket(tables) == []
    assert applied.baskets == []


def test_a_state_newer_than_the_deletion_voids_it(apply: Apply, tables: Tables) -> None:
    apply(order_change("order", "p1", seconds=1), order_deletion("order", 5))

    apply(order_change("order", "p1", seconds=6))

    assert basket(tables) == ["p1"]


def test_an_older_deletion_does_not_shorten_a_newer_one(apply: Apply, tables: Tables) -> None:
    apply(order_deletion("order", 5))
    apply(order_deletion("order", 3))

    apply(order_change("order", "p1", seconds=4))

    assert tables()["order_tombstone"] == [
        {"platform_id": "order", "deleted_at": "2026-01-05T12:00:05+00:00"}
    ]
    assert basket(tables) == []


def test_an_order_taken_out_of_the_bin_counts_again(apply: Apply, tables: Tables) -> None:
    order = order_change("order", "p1", "p2", seconds=1)
    apply(order, order_deletion("order", 5))
    assert basket(tables) == []

    apply(order_change("order", "p1", "p2", seconds=1, revives=True))

    assert basket(tables) == ["p1", "p2"]
    assert tables()["order_tombstone"] == []


@pytest.mark.parametrize("together", [False, True], ids=["apart", "one batch"])
@pytest.mark.parametrize(
    ("arrival", "expected"),
    [("deleted restored", ["p1"]), ("restored deleted", []), ("deleted restored deleted", [])],
    ids=["restored last", "deleted last", "deleted again"],
)
def test_the_bin_follows_the_order_of_arrival(
    apply: Apply, tables: Tables, together: bool, arrival: str, expected: list[str]
) -> None:
    known = {
        "deleted": order_deletion("order", 5),
        "restored": order_change("order", "p1", seconds=1, revives=True),
    }
    changes = [order_change("order", "p1", seconds=1), *(known[word] for word in arrival.split())]

    for batch in [changes] if together else [[change] for change in changes]:
        apply(*batch)

    assert basket(tables) == expected


def test_products_that_only_an_order_names_are_placeholders(apply: Apply, tables: Tables) -> None:
    apply(order_change("order", "p1", seconds=1))

    (product,) = tables()["product"]
    assert {name: value for name, value in product.items() if value is not None} == {
        "platform_id": "p1",
        "status": "unknown",
        "visible": False,
        "available": False,
        "title": "",
        "tags": [],
        "gift_card": False,
    }


def test_a_line_that_the_newer_state_lacks_is_gone(apply: Apply, tables: Tables) -> None:
    apply(order_change("order", "p1", "p2", seconds=1), order_change("other", "p2", seconds=1))

    apply(order_change("order", "p1", seconds=2))

    assert [(row["order_id"], row["product_id"]) for row in tables()["order_line"]] == [
        ("order", "p1"),
        ("other", "p2"),
    ]
