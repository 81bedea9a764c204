"""Looking through a body, and putting something personal into it."""

from collections.abc import Collection, Iterator
from typing import Any

MARKER = "PERSONAL-7f3a"


def planted(value: Any, fields: Collection[str], containers: Collection[str], *, inside: bool = False) -> Any:
    """Return ``value`` with the marker in the place of everything personal, whatever it was before.

    Personal is what stands in one of ``fields``, and each value anywhere inside one of ``containers``.
    """
    if isinstance(value, dict):
        return {
            key: MARKER
            if key in fields
            else planted(inner, fields, containers, inside=inside or key in containers)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [planted(inner, fields, containers, inside=inside) for inner in value]
    return MARKER if inside else value


def field_values(value: Any, names: Collection[str]) -> Iterator[str]:
    """Yield every text that stands in a field of one of ``names``."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in names and isinstance(inner, str):
                yield inner
            yield from field_values(inner, names)
    elif isinstance(value, list):
        for inner in value:
            yield from field_values(inner, names)


def objects(value: Any) -> list[dict[str, Any]]:
    """Return every object in a body."""
    if isinstance(value, dict):
        return [value, *(found for inner in value.values() for found in objects(inner))]
    return [found for inner in value for found in objects(inner)] if isinstance(value, list) else []
