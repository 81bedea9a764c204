"""The types of JSON values that every platform writes alike, and how a body is read with them.

A field of marshmallow's that converts one value. A wrong type is an error, never a guess; the error names
the field and never its value. What a platform writes in its own way stands in ``<platform>/schemas.py``.
"""

from decimal import Decimal
from hashlib import sha256
from typing import Any, ClassVar, Final, TypeVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, missing, validate

from connectors.base import PayloadError, explain

ID_LIMIT: Final = 2**63
QUANTITY_LIMIT: Final = 2**31
# Leaves room for three more digits in a 63-bit number of minor units.
_AMOUNT_LIMIT: Final = Decimal(10**15)

T = TypeVar("T")


class Value(fields.Field[T]):
    """One JSON value. ``convert`` returns it or raises whatever comes of a wrong one.

    There are no validators and hooks: not looking for them saves a third of the time that an order of
    twenty lines takes to load.
    """

    reason: ClassVar[str]

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """Return ``value`` converted; missing values and null are left to marshmallow."""
        if value is None or value is missing:
            return super().deserialize(value, attr, data, **kwargs)
        try:
            return self.convert(value)
        except (TypeError, ValueError, LookupError, ArithmeticError):
            raise ValidationError(self.reason) from None

    def convert(self, value: Any) -> T:
        """Return a JSON ``value`` other than null as what it means."""
        raise NotImplementedError


class Identifier(Value[str]):
    """A numeric id, as a string: other languages do not keep all of them exactly."""

    reason = "Not an id."

    def convert(self, value: Any) -> str:
        """Return the id as a string."""
        if type(value) is not int or not 0 < value < ID_LIMIT:
            raise ValueError
        return str(value)


class Text(Value[str]):
    """A text without NUL, which PostgreSQL cannot hold, cut to ``limit`` characters."""

    reason = "Not a text."

    def __init__(self, *, limit: int = 255, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._limit = limit

    def convert(self, value: Any) -> str:
        """Return the text, cut."""
        if type(value) is not str:
            raise TypeError
        return value.replace("\x00", "")[: self._limit]


class Digest(Value[bytes]):
    """32 bytes in hex, as ``redaction`` leaves them in the place of an e-mail address or a token."""

    reason = "Not a digest."

    def convert(self, value: Any) -> bytes:
        """Return the 32 bytes."""
        digest = bytes.fromhex(value)
        if len(digest) != sha256().digest_size:
            raise ValueError
        return digest


class Flag(Value[bool]):
    """A JSON boolean and nothing that merely looks like one."""

    reason = "Not true or false."

    def convert(self, value: Any) -> bool:
        """Return the boolean."""
        if type(value) is not bool:
            raise TypeError
        return value


class Body(Schema):
    """A JSON object of which only some fields matter."""

    class Meta:
        unknown = EXCLUDE


def amount_of(value: Any) -> Decimal:
    """Return an amount of money in major units.

    Raises:
        TypeError: if ``value`` is neither a string nor a number.
        ArithmeticError: if a string is no number.
        ValueError: if it is more than minor units can hold.
    """
    if type(value) not in (str, int, float):
        raise TypeError
    amount = Decimal(str(value))
    if not -_AMOUNT_LIMIT < amount < _AMOUNT_LIMIT:
        raise ValueError
    return amount


def currency_code() -> fields.String:
    """Return a required field of three capital letters (ISO 4217)."""
    return fields.String(required=True, validate=validate.Regexp(r"[A-Z]{3}\Z"))


def read(schema: Schema, body: Any) -> dict[str, Any]:
    """Return the fields of ``body`` that ``schema`` knows, converted.

    Raises:
        PayloadError: naming the fields that are missing or of a wrong type.
    """
    try:
        data: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        raise PayloadError(explain(error.messages)) from None
    return data
