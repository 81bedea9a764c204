"""A WordPress site's time zone under its IANA name."""

from typing import Any

from app.commerce.store import is_timezone


def site_timezone(name: Any, offset: Any) -> str | None:
    """Return the site's own IANA name, or that of its whole-hour offset; None where it has neither.

    WordPress keeps the name of a city or an offset in hours. The names of offsets have POSIX's sign: east of
    Greenwich is negative.
    """
    if isinstance(name, str) and is_timezone(name):
        return name
    try:
        hours = float(offset)
    except (TypeError, ValueError):
        return None
    if not hours.is_integer() or not -12 <= hours <= 14:
        return None
    return f"Etc/GMT{-int(hours):+d}" if hours else "UTC"
