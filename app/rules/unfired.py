"""Why rules did not fire, in a sentence each. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.rules.conditions import CART_SIZE, MANY, SINGLE, TIME, compiled, local
from app.rules.context import Context


def unfired(rules: Sequence[Mapping[str, Any]], context: Context) -> list[dict[str, str]]:
    """Return the rules that do not fire for a context: ``[{"rule", "name", "because"}]``."""
    found = ((rule, _because(rule, context)) for rule in rules)
    return [
        {"rule": rule["id"], "name": rule["name"], "because": because}
        for rule, because in found
        if because is not None
    ]


def _because(rule: Mapping[str, Any], context: Context) -> str | None:
    """Return why a rule does not fire; None where it does."""
    start, end = rule.get("starts_at"), rule.get("ends_at")
    if not rule.get("enabled", True):
        return "It is off."
    if start is not None and context.now < datetime.fromisoformat(start):
        return f"It begins on {start}."
    if end is not None and context.now >= datetime.fromisoformat(end):
        return f"It ended on {end}."
    condition = rule.get("if")
    if condition is None or compiled(condition)(context):
        return None
    return _failing(condition, context)


def _failing(condition: Mapping[str, Any], context: Context) -> str:
    """Return what a condition that does not hold fails on: the first of several that all should."""
    for inner in condition.get("all", ()):
        if not compiled(inner)(context):
            return _failing(inner, context)
    if "any" in condition:
        return " ".join(dict.fromkeys(_failing(inner, context) for inner in condition["any"]))
    if "not" in condition:
        return "What should not hold does."
    fact = condition["fact"]
    return f"The {_name(fact)} is {_known(fact, context)}."


def _name(fact: str) -> str:
    return fact.replace("_", " ") if fact != TIME else "time"


def _known(fact: str, context: Context) -> str:
    """Return in words what a context knows of a fact."""
    if fact in SINGLE:
        return getattr(context, SINGLE[fact]) or "not known"
    if fact in MANY:
        return ", ".join(sorted(getattr(context, MANY[fact]))) or "none"
    if fact == CART_SIZE:
        return str(len(context.cart))
    if fact == TIME:
        weekday, minute = local(context.now, context.timezone)
        day = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[weekday]
        return f"{day} {minute // 60:02}:{minute % 60:02}"
    return "not known" if context.cart_value is None else str(context.cart_value)
