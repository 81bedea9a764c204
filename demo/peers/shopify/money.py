"""Amounts in the currency of a shop, which may have no decimals or three."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

# ISO 4217, table A.1: the usual currencies whose minor unit is not 1/100.
_DIGITS: Final = {
    "CLP": 0,
    "ISK": 0,
    "JPY": 0,
    "KRW": 0,
    "VND": 0,
    "BHD": 3,
    "JOD": 3,
    "KWD": 3,
    "OMR": 3,
    "TND": 3,
}


def written(amount: Decimal, currency: str) -> str:
    """Return an amount of major units with all the decimals of its currency; half a unit rounds up."""
    unit = Decimal(1).scaleb(-_DIGITS.get(currency, 2))
    return f"{amount.quantize(unit, ROUND_HALF_UP):f}"


def minor(amount: str | Decimal, currency: str) -> int:
    """Return an amount of major units in minor ones; half a unit rounds up."""
    scaled = Decimal(amount).scaleb(_DIGITS.get(currency, 2))
    return int(scaled.quantize(Decimal(1), ROUND_HALF_UP))


def major(amount: int, currency: str) -> Decimal:
    """Return an amount of minor units in major ones."""
    return Decimal(amount).scaleb(-_DIGITS.get(currency, 2))
