"""Pence as the platforms write money."""

from decimal import Decimal


def decimal(pence: int) -> str:
    """Return ``pence`` as a decimal string with two places.

    >>> decimal(1295), decimal(-50), decimal(0)
    ('12.95', '-0.50', '0.00')
    """
    sign = "-" if pence < 0 else ""
    return f"{sign}{abs(pence) // 100}.{abs(pence) % 100:02d}"


def pence(amount: str) -> int:
    """Return a decimal string in pence; what is smaller is rounded away.

    >>> pence("12.95"), pence("-0.5"), pence("3")
    (1295, -50, 300)
    """
    return round(Decimal(amount) * 100)
