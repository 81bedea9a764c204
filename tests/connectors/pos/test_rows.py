"""Reading files row by row, whatever stands in them."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.pos.layout import LayoutError
from connectors.pos.rows import Form, Row, header, read_rows

CELL = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=8)


def rows(raw: bytes, form: Form | None = None, columns: frozenset[str] | None = None) -> list[Row]:
    return list(read_rows(io.BytesIO(raw), form or Form(), columns))


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"], ids=repr)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_csv_is_read_as_tills_write_it(sign: str, end: str, mark: bytes) -> None:
    lines = [["order", "name, full"], ["1", "a"], ["2", 'b "c"']]
    text = end.join(sign.join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines)
    raw = mark + text.encode()

    assert header(io.BytesIO(raw), Form()) == ("order", "name, full")
    assert rows(raw) == [
        Row(2, {"order": "1", "name, full": "a"}),
        Row(3, {"order": "2", "name, full": 'b "c"'}),
    ]


def test_a_stated_delimiter_counts_more_than_what_the_line_shows() -> None:
    raw = b"a;b,c,d\n1;2,3,4\n"

    assert header(io.BytesIO(raw), Form(delimiter=";")) == ("a", "b,c,d")
    assert rows(raw, Form(delimiter=";")) == [Row(2, {"a": "1", "b,c,d": "2,3,4"})]


def test_other_encodings_are_read_when_stated() -> None:
    raw = "order,café\n1,crème\n".encode("cp1252")

    assert rows(raw, Form(encoding="cp1252")) == [Row(2, {"order": "1", "café": "crème"})]
    with pytest.raises(LayoutError, match="not utf-8; try --encoding"):
        header(io.BytesIO(raw), Form())


def test_rows_that_cannot_be_read_do_not_keep_others_from_being_read() -> None:
    raw = (
        b"a,b\n"
        b"1,\xff\n"  # 2: no UTF-8
        b"2,ok\n"
        b"3\n"  # 4: a cell is missing
        b"4,ok,\n"
        b"5,more,x\n"  # 6: one too many
        b" , \n"  # empty
        b'6,"two\nlines"\n'  # 8 and 9
        b'7,"x"y\n'  # 10: a sign after the quotation
        b"8,ok\n"
    )

    assert rows(raw) == [
        Row(2, {}, "not in the stated encoding"),
        Row(3, {"a": "2", "b": "ok"}),
        Row(4, {}, "1 cells where there are 2 columns"),
        Row(5, {"a": "4", "b": "ok"}),
        Row(6, {}, "3 cells where there are 2 columns"),
        Row(8, {"a": "6", "b": "two\nlines"}),
        Row(10, {}, "not well-formed: a quotation mark that is not closed, or a cell too long"),
        Row(11, {"a": "8", "b": "ok"}),
    ]


def test_a_quotation_that_never_ends_is_one_bad_row() -> None:
    assert [row.problem is None for row in rows(b'a,b\n1,ok\n2,"x\n3,ok\n')] == [True, False]


def test_only_wanted_columns_are_held() -> None:
    assert rows(b"a,b,c\n1,2,3\n", columns=frozenset({"a", "c"})) == [Row(2, {"a": "1", "c": "3"})]


def test_json_lines_are_objects() -> None:
    raw = b'{"a": 1}\n\n[1]\n{"a": \n\xff\n{"a": {"b": null}}'

    assert rows(raw, Form("jsonl")) == [
        Row(1, {"a": 1}),
        Row(3, {}, "not a JSON object"),
        Row(4, {}, "not a JSON object"),
        Row(5, {}, "not in the stated encoding"),
        Row(6, {"a": {"b": None}}),
    ]


def test_nesting_without_end_is_no_object() -> None:
    assert rows(b'{"a":' * 5_000 + b"\n", Form("jsonl"))[0].problem == "not a JSON object"


def test_a_line_without_end_is_refused_before_it_is_held() -> None:
    with pytest.raises(LayoutError, match="longer than 1000000 characters"):
        rows(b"a,b\n" + b"x" * 1_000_001)


@pytest.mark.parametrize("raw", [b"", b"\n", b",,\n1,2,3\n"], ids=["empty", "a blank line", "no names"])
def test_a_file_without_columns(raw: bytes) -> None:
    with pytest.raises(LayoutError, match="names no columns"):
        header(io.BytesIO(raw), Form())


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=6))
def test_every_table_comes_back(table: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["a", "b", "c"], *table])

    found = rows(text.getvalue().encode(), Form(delimiter=","))

    assert [list(row.values.values()) for row in found] == [
        line for line in table if any(c.strip() for c in line)
    ]
    assert all(row.problem is None for row in found)


@given(st.binary(max_size=200), st.sampled_from(["csv", "jsonl"]))
def test_any_bytes_are_read_to_their_end(raw: bytes, name: str) -> None:
    for row in rows(b"a,b\n" + raw, Form(name)):
        assert (row.problem is None) == bool(row.values) or row.values == {}
