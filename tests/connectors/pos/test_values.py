"""What stands in a cell: read exactly, or refused with a reason that repeats nothing of it."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.pos.values import BadValue, amount, identifier, moment, number, pieces, text_of

AUCKLAND = ZoneInfo("Pacific/Auckland")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "decimal", "expected"),
    [
        ("12.50", ".", "12.50"),
        ("12,50", ",", "12.50"),
        ("1,234.50", ".", "1234.50"),
        ("1.234,50", ",", "1234.50"),
        ("1 234 567,5", ",", "1234567.5"),
        ("1'234.50", ".", "1234.50"),
        ("1\u202f234", ",", "1234"),
        ("-3", ".", "-3"),
        ("+3", ".", "3"),
        ("$12.50", ".", "12.50"),
        ("12,50 €", ",", "12.50"),
    ],
)
def test_numbers_are_read_as_they_are_written(text: str, decimal: str, expected: str) -> None:
    assert number(text, decimal) == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "decimal"),
    [("12,50", "."), ("12.50", ","), ("1,23,456", "."), ("1234,567", "."), ("", "."), ("$", "."), ("ten", "."),
     ("1e9", "."), ("NaN", "."), ("Infinity", "."), ("1.", "."), (".5", "."), ("0x10", "."), ("٣", "."),
     ("1" * 16, "."), ("--1", ".")],
)  # fmt: skip
def test_what_may_be_another_number_is_none(text: str, decimal: str) -> None:
    with pytest.raises(BadValue, match=r"^not a number$"):
        number(text, decimal)


@given(st.decimals(-(10**12), 10**12, places=4, allow_nan=False), st.sampled_from([".", ","]))
def test_every_number_comes_back(value: Decimal, decimal: str) -> None:
    grouped = f"{value:,}".translate(str.maketrans({".": decimal, ",": "." if decimal == "," else ","}))

    assert number(grouped, decimal) == value


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [("12.50", "NZD", 1250), ("12", "NZD", 1200), ("12.500", "NZD", 1250), ("1250", "JPY", 1250),
     ("1.250", "KWD", 1250)],
)  # fmt: skip
def test_amounts_are_in_minor_units(value: str, currency: str, minor: int) -> None:
    assert amount(Decimal(value), currency) == minor


def test_an_amount_has_the_decimal_places_of_its_currency() -> None:
    with pytest.raises(BadValue, match="more decimal places than JPY has"):
        amount(Decimal("12.50"), "JPY")
    assert amount(Decimal("12.505"), "NZD", exact=False) == 1251
    with pytest.raises(BadValue, match="out of range"):
        amount(Decimal(10**13), "NZD")


@pytest.mark.parametrize(
    ("value", "count"), [("2", 2), ("0.250", 1), ("1.001", 2), ("-0.5", -1), ("0", 0)], ids=str
)
def test_what_is_weighed_counts_as_pieces(value: str, count: int) -> None:
    assert pieces(Decimal(value)) == count


def test_there_are_not_endlessly_many_pieces() -> None:
    with pytest.raises(BadValue, match="out of range"):
        pieces(Decimal(2**31))


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("2026-03-02T09:00:00Z", None, "2026-03-02T09:00:00+00:00"),
        ("2026-03-02 09:00", None, "2026-03-01T20:00:00+00:00"),
        ("2026-03-02", None, "2026-03-01T11:00:00+00:00"),
        ("2026-03-02T09:00:00+01:00", None, "2026-03-02T08:00:00+00:00"),
        ("02/03/2026 09:00", "%d/%m/%Y %H:%M", "2026-03-01T20:00:00+00:00"),
        ("2026-04-05 02:30", None, "2026-04-04T13:30:00+00:00"),
    ],
    ids=["utc", "local", "a day", "offset", "own form", "clocks go back: the earlier"],
)
def test_times_are_read_in_the_tills_zone(text: str, form: str | None, expected: str) -> None:
    assert moment(text, form, AUCKLAND, NOW).isoformat() == expected


@pytest.mark.parametrize(
    ("text", "form", "reason"),
    [
        ("02/03/2026", None, "not a time of the form ISO 8601"),
        ("2026-13-01", None, "not a time of the form ISO 8601"),
        ("31/02/2026", "%d/%m/%Y", "not a time of the form %d/%m/%Y"),
        ("0001-01-01", None, "not a time of the form ISO 8601"),
        ("1970-01-01", None, "lies before 1980"),
        ("2026-11-25", None, "lies in the future"),
        ("9999-12-31", None, "lies in the future"),
    ],
)
def test_what_is_no_time_of_a_sale(text: str, form: str | None, reason: str) -> None:
    with pytest.raises(BadValue) as caught:
        moment(text, form, AUCKLAND, NOW)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("value", "expected"), [(None, ""), (" a ", "a"), (7, "7"), (4.5, "4.5"), ("", "")], ids=repr
)
def test_texts(value: object, expected: str) -> None:
    assert text_of(value) == expected


@pytest.mark.parametrize("value", [True, [], {}], ids=repr)
def test_what_is_no_text(value: object) -> None:
    with pytest.raises(BadValue, match="not a text"):
        text_of(value)


@pytest.mark.parametrize("text", ["x" * 101, "a\x00b", "a\nb", "a\u202eb"], ids=repr)
def test_identifiers_can_be_shown(text: str) -> None:
    with pytest.raises(BadValue, match="printable"):
        identifier(text)


def test_an_address_names_no_thing() -> None:
    with pytest.raises(BadValue) as caught:
        identifier("no 7 guest@example.com")
    assert str(caught.value) == "looks like an e-mail address"
    assert identifier("pack@2") == "pack@2"
