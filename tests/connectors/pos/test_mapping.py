"""What a receipt means in the shared model."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commerce.changes import Channel, CustomerRef, OrderAdjustment, OrderChange, OrderStatus
from connectors.pos.grouping import Group
from connectors.pos.layout import FIELDS, Layout, make_layout
from connectors.pos.mapping import BadOrder, Code, Match, Meaning, Terms, TillOrder, changes_of, read_order
from connectors.pos.rows import Row

TERMS = Terms(
    "NZD", ZoneInfo("UTC"), datetime(2026, 11, 22, tzinfo=UTC), lambda address: address.encode().hex()
)
DAY = "2026-03-02"
PRODUCTS = {
    Code("sku", "A"): Match("1", "11"),
    Code("sku", "B"): Match("2"),
    Code("sku", "A2"): Match("1", "11"),
}


def layout(**said: Any) -> Layout:
    return make_layout(said, tuple(FIELDS))


def order(*rows: dict[str, Any], said: dict[str, Any] | None = None, number: str = "7") -> TillOrder:
    """Return what rows say, each with a number and a day unless it brings its own."""
    found = [Row(at, {"order": number, "placed_at": DAY, **row}) for at, row in enumerate(rows, start=2)]
    return read_order(Group(number, found, len(found)), layout(**{"rows": "lines", **(said or {})}), TERMS)


def reasons(*rows: dict[str, Any], said: dict[str, Any] | None = None) -> dict[int, str]:
    with pytest.raises(BadOrder) as caught:
        order(*rows, said=said)
    return dict(caught.value.reasons)


def meaning(told: TillOrder, edition: int = 3, buyer: CustomerRef | None = None) -> Meaning:
    return changes_of(
        told, PRODUCTS, source="till", channel=Channel.POS, currency="NZD", edition=edition, buyer=buyer
    )


def lines(told: TillOrder) -> list[tuple[str, int, int, int, int]]:
    """Return id, quantity, what is left, price and discount of each line of the order."""
    (change,) = (c for c in meaning(told).changes if isinstance(c, OrderChange))
    return [
        (each.platform_id, each.quantity, each.current_quantity, each.price, each.discount)
        for each in change.lines
    ]


# --- money ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "price", "discount"),
    [
        ({"quantity": "2", "price": "12.50"}, 1250, 0),
        ({"quantity": "2", "price": "12.50", "discount": "2.50"}, 1250, 250),
        ({"quantity": "2", "price": "12.50", "discount": "-2.50"}, 1250, 250),
        ({"quantity": "2", "price": "12.50", "line_total": "22.50"}, 1250, 250),
        ({"quantity": "2", "line_total": "22.50"}, 1125, 0),
        ({"quantity": "2", "line_total": "22.50", "discount": "2.50"}, 1250, 250),
        ({"quantity": "0.250", "price": "40.00"}, 1000, 0),
        ({"quantity": "1", "price": "10", "line_total": "11"}, 1000, 0),
    ],
    ids=["price", "discount", "negative discount", "price and paid", "paid", "paid and discount", "weighed",
         "paid more than the price"],
)  # fmt: skip
def test_prices_are_for_a_piece_and_discounts_for_a_line(
    row: dict[str, str], price: int, discount: int
) -> None:
    ((_, _, _, found_price, found_discount),) = lines(order({"sku": "A", **row}))

    assert (found_price, found_discount) == (price, discount)


def test_the_total_is_what_is_stated_else_the_sum_of_the_lines() -> None:
    rows = (
        {"sku": "A", "price": "10", "quantity": "2"},
        {"sku": "B", "price": "4", "quantity": "-1"},
        {"price": "3"},
    )

    assert order(*rows).total == 1900
    assert order({**rows[0], "total": "15.00"}, *rows[1:]).total == 1500


@pytest.mark.parametrize("currency", ["nzd", "NZD", ""])
def test_the_stores_currency_is_taken(currency: str) -> None:
    assert order({"sku": "A", "price": "1", "currency": currency}).total == 100


# --- what is wrong --------------------------------------------------------------------------------------


def test_each_bad_row_is_named_with_its_reason() -> None:
    found = reasons(
        {"sku": "A", "price": "1"},
        {"sku": "A", "price": "one"},
        {"sku": "x" * 101, "price": "1"},
        {"sku": "A", "quantity": "many", "price": "1"},
        {"sku": "A", "price": "1", "discount": "0.001"},
    )

    assert found == {
        3: "price: not a number",
        4: "sku: not a text of at most 100 printable characters",
        5: "quantity: not a number",
        6: "discount: more decimal places than NZD has",
    }


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"placed_at": ""}], {2: "placed_at: missing"}),
        ([{}, {"placed_at": "2026-03-03"}], {3: "placed_at: not the same in all rows of the order"}),
        ([{"total": "5"}, {"total": "6"}], {3: "total: not the same in all rows of the order"}),
        ([{"status": "gone"}], {2: "status: an unknown word; name it under 'statuses' in the mapping file"}),
        ([{"currency": "AUD"}], {2: "currency: not the store's, NZD; amounts are not converted"}),
        ([{"refund_of": "a@example.com"}], {2: "refund_of: looks like an e-mail address"}),
        ([{"quantity": "0"}], {2: "no product with a quantity"}),
    ],
    ids=["no time", "two times", "two totals", "unknown word", "currency", "an address", "nothing"],
)
def test_what_is_wrong_with_an_order(rows: list[dict[str, str]], expected: dict[int, str]) -> None:
    assert reasons(*({"sku": "A", "price": "1", **row} for row in rows)) == expected


def test_rows_that_say_the_same_differently_agree() -> None:
    told = order({"sku": "A", "price": "1", "total": "5"}, {"sku": "B", "price": "1", "total": "5.00"},
                 {"sku": "B", "price": "1", "placed_at": "2026-03-02T00:00:00Z"})  # fmt: skip

    assert (told.total, told.placed_at) == (500, datetime(2026, 3, 2, tzinfo=UTC))


# --- products -------------------------------------------------------------------------------------------


def test_products_in_one_cell() -> None:
    told = order({"products": "A * 2; B ;C*0; ;B", "total": "9"}, said={"rows": "orders"})

    assert lines(told) == [("variant:11", 2, 2, 0, 0), ("product:2", 2, 2, 0, 0)]
    assert reasons({"products": "A*two", "total": "9"}, said={"rows": "orders"}) == {
        2: "products: not a number"
    }
    assert reasons({"total": "9"}, said={"rows": "orders"}) == {2: "products: missing"}


def test_products_in_one_cell_as_other_tills_write_them() -> None:
    told = order(
        {"products": "1|2x3", "total": "9"},
        said={"rows": "orders", "products": {"separator": "|", "times": "x", "codes": "product_id"}},
    )

    assert [(line.codes, line.pieces) for line in told.lines] == [
        ((Code("product_id", "1"),), 1),
        ((Code("product_id", "2"),), 3),
    ]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ({"sku": "A"}, "lines: not a list of objects"),
        ([{"sku": "A"}, 3], "lines: not a list of objects"),
        ([{"sku": ["A"]}], "lines.sku: not a text"),
        ([{"sku": "A", "price": "ten"}], "lines.price: not a number"),
        ([], "no product with a quantity"),
    ],
    ids=["no list", "no object", "no text", "no number", "empty"],
)
def test_lines_of_json_have_their_shape(listed: Any, expected: str) -> None:
    row = Row(2, {"order": "7", "placed_at": DAY, "total": 9, "lines": listed})

    with pytest.raises(BadOrder) as caught:
        read_order(Group("7", [row], 1), make_layout({}, None), TERMS)
    assert caught.value.reasons == {2: expected}


def test_lines_of_one_product_are_one_line() -> None:
    told = order(
        {"sku": "A", "price": "10"}, {"sku": "A2", "price": "8", "quantity": "3"}, {"sku": "B", "price": "1"}
    )

    assert lines(told) == [("variant:11", 4, 4, 850, 0), ("product:2", 1, 1, 100, 0)]


def test_an_unknown_product_is_a_line_without_one() -> None:
    (change,) = meaning(order({"sku": "Z", "price": "1"}, {"price": "2"}, {"sku": "A", "price": "1"})).changes

    assert isinstance(change, OrderChange)
    assert [(line.platform_id, line.product_platform_id) for line in change.lines] == [
        ("sku:Z", None),
        ("other", None),
        ("variant:11", "1"),
    ]


def test_the_first_code_that_is_known_counts() -> None:
    (change,) = meaning(order({"product_id": "99", "sku": "B", "barcode": "1", "price": "1"})).changes

    assert isinstance(change, OrderChange)
    assert [line.product_platform_id for line in change.lines] == ["2"]


# --- the order ------------------------------------------------------------------------------------------


def test_an_order_is_named_after_its_till() -> None:
    buyer = CustomerRef("70")
    (change,) = meaning(order({"sku": "A", "price": "1"}), buyer=buyer).changes

    assert isinstance(change, OrderChange)
    assert (change.platform_id, change.status, change.channel, change.currency) == (
        "till:7", OrderStatus.COMPLETED, Channel.POS, "NZD",
    )  # fmt: skip
    assert (change.customer, change.customer_known, change.test) == (buyer, True, False)


def test_of_the_same_second_the_later_import_is_newer() -> None:
    told = order({"sku": "A", "price": "1"})
    stated = order({"sku": "A", "price": "1", "updated_at": "2026-03-03"})

    (first,), (later,), (own,) = (
        meaning(told, 3).changes, meaning(told, 2_000_000).changes, meaning(stated, 1).changes
    )  # fmt: skip
    assert first.updated_at < later.updated_at < told.placed_at + timedelta(seconds=1)
    assert own.updated_at > later.updated_at


# --- given back -----------------------------------------------------------------------------------------


def test_what_is_given_back_is_taken_off_what_the_receipt_sells() -> None:
    told = order({"sku": "A", "price": "10", "quantity": "3"}, {"sku": "A2", "price": "10", "quantity": "-1"})

    assert lines(told) == [("variant:11", 3, 2, 1000, 0)]
    assert meaning(told).unmatched == 0


def test_the_rest_is_taken_off_the_order_that_is_named() -> None:
    told = order(
        {"sku": "A", "price": "10", "quantity": "1", "refund_of": "5"},
        {"sku": "A", "price": "10", "quantity": "-3"},
        {"sku": "B", "price": "4", "quantity": "-1"},
    )

    change, adjustment = meaning(told).changes
    assert isinstance(change, OrderChange)
    assert adjustment == OrderAdjustment(
        "till:5",
        "refund:till:7",
        told.placed_at + timedelta(seconds=1),
        (("variant:11", -2), ("product:2", -1)),
    )


@pytest.mark.parametrize("quantity", ["2", "-2"], ids=["positive", "negative"])
def test_a_receipt_of_a_return_is_no_order(quantity: str) -> None:
    told = order({"sku": "A", "price": "10", "quantity": quantity, "status": "return", "refund_of": "5"})

    (adjustment,) = meaning(told).changes
    assert isinstance(adjustment, OrderAdjustment)
    assert adjustment.lines == (("variant:11", -2),)


@pytest.mark.parametrize("refund_of", ["", "7"], ids=["nothing", "itself"])
def test_a_return_that_names_no_sale_changes_nothing(refund_of: str) -> None:
    told = order({"sku": "A", "price": "10", "quantity": "-2", "refund_of": refund_of})

    assert meaning(told) == Meaning((), 2)


@pytest.mark.parametrize("status", ["void", "training", "open", "refunded"])
def test_a_return_that_did_not_happen_takes_nothing_back(status: str) -> None:
    told = order({"sku": "A", "price": "10", "quantity": "-2", "refund_of": "5", "status": status})

    assert meaning(told) == Meaning((), 0)


@given(
    st.lists(st.tuples(st.sampled_from(["A", "A2", "B", "Z"]), st.integers(-3, 3)), min_size=1, max_size=8)
)
def test_every_piece_is_sold_kept_or_given_back(pieces: list[tuple[str, int]]) -> None:
    rows = [{"sku": sku, "price": "1", "quantity": str(count)} for sku, count in pieces]
    if not any(count for _, count in pieces):
        return
    found = meaning(order(*rows))

    kept = sum(line.current_quantity for c in found.changes if isinstance(c, OrderChange) for line in c.lines)
    sold = sum(line.quantity for c in found.changes if isinstance(c, OrderChange) for line in c.lines)
    assert kept - found.unmatched == sum(count for _, count in pieces)
    assert sold == sum(count for _, count in pieces if count > 0)
