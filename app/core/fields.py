"""Fields and shapes that the schemas of every room share. Each takes JSON at its word: nothing merely looks like it."""

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, validate

LARGEST_ID: Final = 2**63 - 1
LARGEST_MONEY: Final = 10**12
DEVICES: Final = ("desktop", "mobile", "tablet")
NOT_A_CURSOR: Final = "Not a cursor of this list."
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# In the year 2255.
_LATEST: Final = 2**53


class Strict(Schema):
    """Refuses what it does not know."""

    class Meta:
        unknown = RAISE


class Shape(validate.Regexp):
    """A pattern that the whole text must match, written ``^…$`` as OpenAPI wants it.

    Python's own ``$`` lets a line feed follow.
    """

    regex: re.Pattern[str]

    def fits(self, text: str) -> bool:
        """Return whether ``text`` has this shape."""
        return self.regex.fullmatch(text) is not None

    def __call__(self, value: Any) -> Any:
        """Return ``value``, or raise ValidationError."""
        if not self.fits(value):
            raise ValidationError(self._format_error(value))
        return value


TEXT: Final = Shape(r"^[^\x00-\x1f\x7f]{1,100}$", error="Not 1 to 100 characters of text.")
VISIBLE: Final = Shape(r"^[!-~]{1,200}$", error="Not 1 to 200 visible ASCII characters.")
PRODUCT_ID: Final = Shape(r"^[A-Za-z0-9_:/.\-]{1,100}$", error="Not a product id.")
CLOCK: Final = Shape("^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", error="Not a time such as 09:30.")
COUNTRY: Final = Shape("^[A-Z]{2}$", error="Not a country of ISO 3166-1 alpha-2.")


class WholeNumber(fields.Integer):
    """An integer as JSON Schema has it: 23 and 23.0, no text and no truth value."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise self.make_error("invalid", input=value)
        return int(super()._deserialize(value, attr, data, **kwargs))


class Number(fields.Float):
    """A finite JSON number: no text and no truth value."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if type(value) not in (int, float):
            raise self.make_error("invalid", input=value)
        return float(super()._deserialize(value, attr, data, **kwargs) or 0)


class Truth(fields.Boolean):
    """True or false as JSON has them: no number or word is taken for one of them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:  # noqa: ARG002
        if type(value) is not bool:
            raise ValidationError("Not true or false.")
        return value


class ProductId(fields.String):
    """A platform's id as a string."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=PRODUCT_ID, **kwargs)


class ProductIdOrNumber(ProductId):
    """The same in JSON, where numbers are taken too, since shops' scripts often hold them so."""

    def __init__(self, **kwargs: Any) -> None:
        numbers = {"type": ["string", "integer"], "minimum": 0, "maximum": LARGEST_ID}
        super().__init__(metadata=numbers, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is int and 0 <= value <= LARGEST_ID:
            value = str(value)
        return super()._deserialize(value, attr, data, **kwargs)


class PageLimit(fields.Integer):
    """How many rows a page of a list has at most, in a query."""

    def __init__(self) -> None:
        super().__init__(load_default=50, validate=validate.Range(min=1, max=200))


class _Place(fields.String):
    """An opaque place in a list: the last row of a page."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {"description": "``next_cursor`` of the page before."})
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        padded = text + "=" * (-len(text) % 4)
        try:
            return self._read(base64.b64decode(padded, b"-_", validate=True).decode("ascii"))
        except ValueError:
            raise ValidationError(NOT_A_CURSOR) from None

    def _read(self, text: str) -> Any:
        """Return the place that is written ``text``, or raise ValueError."""
        raise NotImplementedError


class Cursor(_Place):
    """A place in a list by id: the row's id."""

    def _read(self, text: str) -> int:
        return row_id(text)

    @staticmethod
    def of(id_: int) -> str:
        """Return the cursor after the row ``id_``."""
        return _opaque(str(id_))


class TimeCursor(_Place):
    """A place in a list by time: the row's time and its id, as ``read_id`` reads that or raises ValueError."""

    def __init__(self, read_id: Callable[[str], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._read_id = read_id

    def _read(self, text: str) -> tuple[datetime, Any]:
        at, _, id_ = text.partition(".")
        microseconds = int(at)
        if not 0 < microseconds <= _LATEST:
            raise ValueError(NOT_A_CURSOR)
        return _EPOCH + microseconds * _MICROSECOND, self._read_id(id_)

    @staticmethod
    def of(at: datetime, id_: int | str) -> str:
        """Return the cursor after the row ``id_`` of the time ``at``."""
        return _opaque(f"{(at - _EPOCH) // _MICROSECOND}.{id_}")


def row_id(text: str) -> int:
    """Return the id of a row that is written ``text``.

    Raises:
        ValueError: if that is none.
    """
    id_ = int(text)
    if not 0 < id_ <= LARGEST_ID:
        raise ValueError(NOT_A_CURSOR)
    return id_


def _opaque(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def whole(low: int, high: int, description: str, **kwargs: Any) -> WholeNumber:
    """Return a field for a whole number from ``low`` to ``high``, both included."""
    return WholeNumber(
        validate=validate.Range(min=low, max=high), metadata={"description": description}, **kwargs
    )


def number(low: float, high: float, description: str, **kwargs: Any) -> Number:
    """Return a field for a number from ``low`` to ``high``, both included."""
    return Number(validate=validate.Range(min=low, max=high), metadata={"description": description}, **kwargs)


def list_of(
    each: fields.Field[Any], most: int, description: str, *, least: int | None = 1, **kwargs: Any
) -> fields.List[Any]:
    """Return a field for a list of ``least`` to ``most`` values."""
    return fields.List(
        each,
        validate=validate.Length(min=least, max=most),
        metadata={"description": description},
        **kwargs,
    )
