"""What stands in a cell of a till's file: times, amounts, quantities, yes and no.

Every function raises :class:`BadValue` for what it cannot read, never guesses, and names no value: reasons are shown
and written down.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import ROUND_UP, Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.core.money import exponent, to_minor
from connectors.fields import QUANTITY_LIMIT
from connectors.personal import clean

TEXT_LIMIT: Final = 100
# Older than any till whose orders could still tell something.
_OLDEST: Final = datetime(1980, 1, 1, tzinfo=UTC)
# A till's clock may be ahead, and a date without a time is in the future somewhere.
_AHEAD: Final = timedelta(days=1)
_AMOUNT_LIMIT: Final = Decimal(10**13)
_SPACES: Final = re.compile(r"[\s\u00a0\u202f']")
# Thousands are grouped by three or not at all: "12,50" is no twelve hundred and fifty.
_NUMBERS: Final = {
    ".": re.compile(r"[+-]?(?:[0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3}){1,4})(?:\.[0-9]{1,10})?"),
    ",": re.compile(r"[+-]?(?:[0-9]{1,15}|[0-9]{1,3}(?:\.[0-9]{3}){1,4})(?:,[0-9]{1,10})?"),
}


class BadValue(ValueError):
    """A cell cannot be read. The text says why and repeats nothing of it."""


def text_of(value: Any) -> str:
    """Return a cell as text without blanks around it, "" for none; JSON's numbers as they are written.

    Raises:
        BadValue: if it is a list, an object or a truth value.
    """
    if value is None:
        return ""
    if type(value) is str:
        return value.strip()
    if type(value) in (int, float):
        return str(value)
    raise BadValue("not a text")


def identifier(text: str) -> str:
    """Return an order's number or a product's code.

    Raises:
        BadValue: if it is too long, holds what cannot be printed, or looks like an e-mail address: that of a person
            must not be stored as the name of a thing.
    """
    if len(text) > TEXT_LIMIT or not text.isprintable():
        raise BadValue(f"not a text of at most {TEXT_LIMIT} printable characters")
    if clean(text) != text:
        raise BadValue("looks like an e-mail address")
    return text


def number(text: str, decimal: str) -> Decimal:
    """Return a number that is written with ``decimal`` before its decimal places.

    Raises:
        BadValue: if it is none, or its thousands are not grouped by three.
    """
    shown = _SPACES.sub("", text)
    if shown and unicodedata.category(shown[0]) == "Sc":
        shown = shown[1:]
    elif shown and unicodedata.category(shown[-1]) == "Sc":
        shown = shown[:-1]
    if not _NUMBERS[decimal].fullmatch(shown):
        raise BadValue("not a number")
    plain = shown.replace("," if decimal == "." else ".", "").replace(decimal, ".")
    try:
        return Decimal(plain)
    except InvalidOperation:
        raise BadValue("not a number") from None


def amount(value: Decimal, currency: str, *, exact: bool = True) -> int:
    """Return an amount in minor units; ``exact`` refuses more decimal places than the currency has.

    Raises:
        BadValue: if it is out of range, or has more decimal places.
    """
    if abs(value) >= _AMOUNT_LIMIT:
        raise BadValue("out of range")
    places = exponent(currency)
    if exact and value != round(value, places):
        raise BadValue(f"more decimal places than {currency} has")
    return to_minor(value, currency)


def pieces(value: Decimal) -> int:
    """Return how many pieces a quantity is: what is weighed or measured counts as whole pieces, rounded up.

    Raises:
        BadValue: if it is out of range.
    """
    whole = int(value.to_integral_value(ROUND_UP))
    if abs(whole) >= QUANTITY_LIMIT:
        raise BadValue("out of range")
    return whole


def moment(text: str, date_format: str | None, zone: ZoneInfo, now: datetime) -> datetime:
    """Return a time in UTC; one without an offset is of ``zone``, the earlier one where clocks go back.

    Args:
        text: the cell.
        date_format: as for ``strptime``, None for ISO 8601.
        zone: where the till stands.
        now: the current time; nothing lies more than a day ahead of it.

    Raises:
        BadValue: if it is none of that form, or lies before 1980 or in the future.
    """
    try:
        found = datetime.strptime(text, date_format) if date_format else datetime.fromisoformat(text)  # noqa: DTZ007
        if found.tzinfo is None:
            found = found.replace(tzinfo=zone)
        found = found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadValue(f"not a time of the form {date_format or 'ISO 8601'}") from None
    if found < _OLDEST:
        raise BadValue("lies before 1980")
    if found > now + _AHEAD:
        raise BadValue("lies in the future")
    return found
