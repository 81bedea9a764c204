"""Money in minor units.

Amounts are integers in the smallest unit of an ISO 4217 currency (cents, yen, fils), so that
sums are exact and no float ever touches a price.
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Final

# ISO 4217 currencies whose minor unit is not 1/100 (ISO 4217:2015, table A.1, "Mnr Unt").
_EXPONENTS: Final[dict[str, int]] = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0,
    "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}  # fmt: skip
# PostgreSQL's bigint; a larger amount is a mistake of the sender.
_LIMIT: Final = 2**63 - 1
# Wide enough that an amount is rounded once, to the minor unit, however many digits it brings.
_WIDE: Final = Context(prec=200)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{0,100})?([eE][+-]?[0-9]{1,2})?")


def exponent(currency: str) -> int:
    """Return the number of decimal digits of ``currency``'s minor unit (2 for EUR, 0 for JPY)."""
    return _EXPONENTS.get(currency.upper(), 2)


def to_minor(amount: str | int | float | Decimal, currency: str) -> int:
    """Return ``amount`` (major units, as platforms write it) as an integer in minor units.

    Half a minor unit rounds away from zero, as on an invoice.

    Raises:
        ValueError: if ``amount`` is no finite decimal number or does not fit in 63 bits. The text does not repeat
            it: amounts are the merchant's business.
    """
    if isinstance(amount, str) and not _NUMBER.fullmatch(amount):
        raise ValueError("not an amount of money")
    try:
        value = amount if isinstance(amount, Decimal) else Decimal(str(amount))
        minor = int(value.scaleb(exponent(currency), _WIDE).quantize(Decimal(1), ROUND_HALF_UP, _WIDE))
    except (InvalidOperation, OverflowError, ValueError) as error:
        raise ValueError("not an amount of money") from error
    if abs(minor) > _LIMIT:
        raise ValueError("amount of money out of range")
    return minor


def to_major(minor: int, currency: str) -> str:
    """Return ``minor`` units as a decimal string in major units, the way platforms write prices."""
    digits = exponent(currency)
    return f"{Decimal(minor).scaleb(-digits):.{digits}f}"
