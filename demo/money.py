"""Pence as the platforms write money."""


def decimal(pence: int) -> str:
    """Return ``pence`` as a decimal string with two places.

    >>> decimal(1295), decimal(-50), decimal(0)
    ('12.95', '-0.50', '0.00')
    """
    sign = "-" if pence < 0 else ""
    return f"{sign}{abs(pence) // 100}.{abs(pence) % 100:02d}"
