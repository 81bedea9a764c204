"""The values that all platforms write alike are read as what they mean, or refused without being named."""

from decimal import Decimal

import pytest
from marshmallow import ValidationError, fields

from connectors.base import PayloadError
from connectors.fields import Body, Digest, Flag, Identifier, Text, amount_of, currency_code, read


class Piece(Body):
    id = Identifier(required=True)
    gift = Flag(allow_none=True)


class Parcel(Body):
    name = Text(limit=3)
    currency = currency_code()
    pieces = fields.Nested(Piece, many=True)


@pytest.mark.parametrize(
    ("field", "value", "meaning"),
    [
        (Identifier(), 1, "1"),
        (Identifier(), 2**63 - 1, "9223372036854775807"),
        (Text(), "a\x00b", "ab"),
        (Text(limit=2), "\x00abc", "ab"),
        (Text(), "x" * 300, "x" * 255),
        (Digest(), "0A" * 32, b"\n" * 32),
        (Flag(), False, False),
        (Flag(allow_none=True), None, None),
    ],
    ids=["id", "largest id", "NUL", "cut after NUL", "long text", "digest", "false", "null where it may be"],
)
def test_what_a_value_means(field, value, meaning):
    assert field.deserialize(value) == meaning


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (Identifier(), 0, "Not an id."),
        (Identifier(), 2**63, "Not an id."),
        (Identifier(), "1", "Not an id."),
        (Identifier(), True, "Not an id."),
        (Identifier(), 1.0, "Not an id."),
        (Text(), 1, "Not a text."),
        (Digest(), "0a" * 31, "Not a digest."),
        (Digest(), "zz" * 32, "Not a digest."),
        (Digest(), 1, "Not a digest."),
        (Flag(), 1, "Not true or false."),
        (Flag(), "true", "Not true or false."),
        (Flag(), None, "Field may not be null."),
    ],
    ids=[
        "zero", "id too large", "id as text", "id as boolean", "id with a point", "text as number",
        "digest too short", "digest not in hex", "digest as number", "flag as number", "flag as text", "null",
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused(field, value, reason):
    with pytest.raises(ValidationError) as caught:
        field.deserialize(value)

    assert caught.value.messages == [reason]


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("12.30", Decimal("12.30")),
        (-0.1, Decimal("-0.1")),
        (7, Decimal(7)),
        ("999999999999999.99", Decimal("999999999999999.99")),
    ],
    ids=["text", "float", "integer", "largest"],
)
def test_amount(value, amount):
    assert amount_of(value) == amount


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (True, TypeError),
        (None, TypeError),
        ("", ArithmeticError),
        ("NaN", ArithmeticError),
        ("1e15", ValueError),
        ("-Infinity", ValueError),
    ],
    ids=["boolean", "null", "empty", "not a number", "too large", "infinite"],
)
def test_no_amount(value, error):
    with pytest.raises(error):
        amount_of(value)


def test_a_body_is_read_without_its_unknown_fields():
    body = {"name": "Parcel", "currency": "GBP", "pieces": [{"id": 5, "colour": "red"}], "weight": 3}

    assert read(Parcel(), body) == {"name": "Par", "currency": "GBP", "pieces": [{"id": "5"}]}


def test_a_body_is_refused_with_the_paths_of_its_wrong_fields():
    body = {"currency": "gbp", "pieces": [{"id": 1}, {"gift": "SECRET"}]}

    with pytest.raises(PayloadError) as caught:
        read(Parcel(), body)

    assert str(caught.value) == (
        "currency: String does not match expected pattern.; "
        "pieces.1.id: Missing data for required field.; pieces.1.gift: Not true or false."
    )


@pytest.mark.parametrize("body", [[], "x", None], ids=["list", "text", "null"])
def test_what_is_no_object_is_refused(body):
    with pytest.raises(PayloadError, match=r"\Abody: Invalid input type\.\Z"):
        read(Parcel(), body)
