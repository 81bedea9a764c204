"""Which column is what: by usual names, by a mapping file, and what it may not say."""

import orjson
import pytest

from connectors.pos.layout import LINES, ORDERS, LayoutError, Stage, make_layout, read_mapping

HEADER = ("Receipt No.", "Sale date", "Item code", "QTY", "Unit Price", "Customer e-mail", "Consent")


def test_usual_names_are_found_whatever_their_spelling() -> None:
    found = make_layout({}, HEADER).columns

    assert {name: columns[0] for name, columns in found.items() if columns} == {
        "order": "Receipt No.",
        "placed_at": "Sale date",
        "sku": "Item code",
        "quantity": "QTY",
        "price": "Unit Price",
        "consent": "Consent",
    }, "an address under an unusual name is not guessed"


def test_our_own_name_comes_before_others() -> None:
    layout = make_layout({}, ("receipt", "order", "date", "sku", "amount", "price"))

    assert layout.columns["order"] == ("order",)


def test_a_mapping_file_names_columns_and_takes_usual_ones_away() -> None:
    said = read_mapping(
        orjson.dumps({"columns": {"placed_at": ["Day", "Time"], "price": None, "total": "Unit Price"}})
    )
    layout = make_layout(said, (*HEADER, "Day", "Time"))

    assert layout.columns["placed_at"] == ("Day", "Time")
    assert layout.columns["price"] == ()
    assert layout.columns["total"] == ("Unit Price",)


def test_only_columns_that_name_nobody_are_kept() -> None:
    said = read_mapping(b'{"columns": {"email": "Customer e-mail"}}')

    assert make_layout(said, (*HEADER, "Name")).kept_columns() == (
        "Receipt No.", "Sale date", "Consent", "Item code", "QTY", "Unit Price",
    )  # fmt: skip


def test_a_column_that_is_an_address_too_is_not_kept() -> None:
    said = read_mapping(b'{"columns": {"email": "Who", "refund_of": "Who"}}')

    assert "Who" not in make_layout(said, (*HEADER, "Who")).kept_columns()


def test_words_are_added_to_those_that_are_known() -> None:
    layout = make_layout(read_mapping(b'{"statuses": {"STORNO": "void"}, "yes": ["Ja"]}'), HEADER)

    assert (layout.statuses["storno"], layout.statuses["sale"]) == (Stage.VOID, Stage.SALE)
    assert {"ja", "yes"} <= layout.yes
    assert "no" not in layout.yes


@pytest.mark.parametrize(
    ("said", "header", "rows"),
    [
        ({}, HEADER, LINES),
        ({}, ("order", "date", "items", "total"), ORDERS),
        ({}, None, ORDERS),
        ({"rows": "lines"}, None, LINES),
    ],
    ids=["lines", "a list of products", "json lines", "stated"],
)
def test_what_a_row_is(said: dict[str, str], header: tuple[str, ...] | None, rows: str) -> None:
    assert make_layout(said, header).rows == rows


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'{"columns": {"consent_given": "x"}}', "columns.consent_given.key"),
        (b'{"columns": {"order": 3}}', "columns.order.value: Not a column's name"),
        (b'{"columns": {"order": []}}', "columns.order.value: Not a column's name"),
        (b'{"constants": {"email": "a@example.com"}}', "constants.email.key"),
        (b'{"statuses": {"x": "gone"}}', "statuses.x.value"),
        (b'{"decimal": "_"}', "decimal"),
        (b'{"date_format": "day"}', "date_format"),
        (b'{"rows": "columns"}', "rows"),
        (b'{"products": {"by": "sku"}}', "products.by: Unknown field."),
        (b'{"yes": [""]}', "yes.0"),
    ],
)
def test_a_slip_of_the_pen_is_refused(raw: bytes, says: str) -> None:
    with pytest.raises(LayoutError) as caught:
        read_mapping(raw)
    assert says in str(caught.value)
    assert "example.com" not in str(caught.value)
