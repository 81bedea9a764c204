"""Conditions combined with all, any and not, as the API takes them: the same wherever a merchant writes one."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate

MAX_DEPTH: Final = 5
MAX_CONDITIONS: Final = 30

TOO_DEEP: Final = f"Conditions are nested more than {MAX_DEPTH} deep."
TOO_MANY: Final = f"These are more than {MAX_CONDITIONS} conditions."
ONE_KIND: Final = "Write exactly one of all, any, not and fact."

KINDS: Final = ("all", "any", "not", "fact")


def combinators(
    condition: Callable[[], Schema],
) -> tuple[fields.List[Any], fields.List[Any], fields.Nested]:
    """Return the fields ``all``, ``any`` and ``not`` of a schema of conditions, which ``condition`` returns."""
    several = validate.Length(min=1, max=MAX_CONDITIONS)
    return (
        fields.List(
            fields.Nested(condition), validate=several, metadata={"description": "All of these hold."}
        ),
        fields.List(
            fields.Nested(condition),
            validate=several,
            metadata={"description": "At least one of these holds."},
        ),
        fields.Nested(
            condition, data_key="not", attribute="not", metadata={"description": "This does not hold."}
        ),
    )


def options_of(data: Mapping[str, Any]) -> frozenset[str]:
    """Return what stands beside the fact of a condition.

    Raises:
        ValidationError: if it is not exactly one of all, any, not and fact.
    """
    if sum(kind in data for kind in KINDS) != 1:
        raise ValidationError(ONE_KIND)
    return frozenset(data) - set(KINDS)


def refuse(names: Collection[str], reason: str) -> None:
    """Raise ValidationError with ``reason`` for each field of ``names``, if there is any."""
    if names:
        raise ValidationError({name: [reason] for name in sorted(names)})


class Whole(fields.Nested):
    """A condition as a whole, refused before it is read where it is too large."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, partial: Any = None, **kwargs: Any
    ) -> Any:
        _check_size(value)
        return super()._deserialize(value, attr, data, partial, **kwargs)


def _check_size(condition: Any) -> None:
    """Refuse what is nested too deep or has too many conditions. Needs no stack."""
    level, found = [condition], 0
    for _ in range(MAX_DEPTH):
        found += len(level)
        if found > MAX_CONDITIONS:
            raise ValidationError(TOO_MANY)
        level = [inner for each in level for inner in _inner(each)]
        if not level:
            return
    raise ValidationError(TOO_DEEP)


def _inner(condition: Any) -> list[Any]:
    if not isinstance(condition, Mapping):
        return []
    lists = [condition.get("all"), condition.get("any")]
    inner = [each for found in lists if isinstance(found, list) for each in found]
    return inner + ([condition["not"]] if "not" in condition else [])
