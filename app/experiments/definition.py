"""What an experiment's stored definition means: shares of its arms, and what assignment needs. Pure.

A stored definition is complete: everything that the merchant left out has its default in it, so that a later default
changes no running experiment.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.experiments.assignment import CONTROL, TARGETS, Arm, Namespace, Running
from app.experiments.hashing import bucket_ranges

DRAFT: Final = "draft"
RUNNING: Final = "running"
STOPPED: Final = "stopped"
DECIDED: Final = "decided"
STATUSES: Final = (DRAFT, RUNNING, STOPPED, DECIDED)

# What is assigned to arms: visitors; or products, or products week by week, of which every shopper sees the same.
UNIT: Final = "unit"
VISITOR: Final = "visitor"
PRODUCT: Final = "product"
TIME: Final = "time"
UNITS: Final = (VISITOR, PRODUCT, TIME)
# Of a price experiment: the setting of its arms, and its value where prices stay as they are.
PRICE_RULE: Final = "price_rule"
NO_RULE: Final = "none"
SLICE_HOURS: Final = 168


def unit_of(definition: Mapping[str, Any]) -> str:
    """Return what is assigned; definitions from before there was a choice assign visitors."""
    return str(definition.get(UNIT, VISITOR))


def shares(definition: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of each arm by its key; they sum to 1."""
    weights = {arm["key"]: float(arm["weight"]) for arm in definition["arms"]}
    total = sum(weights.values())
    return {key: weight / total for key, weight in weights.items()}


def with_control(arms: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the arms with a control among them.

    Where none of them is called ``control``, one is put first, with the mean weight of the others and no settings: it
    is answered as if the experiment were not there.
    """
    found = [dict(arm) for arm in arms]
    if all(arm["key"] != CONTROL for arm in found):
        weight = sum(arm["weight"] for arm in found) / len(found)
        found.insert(0, {"key": CONTROL, "name": "Control", "weight": weight, "settings": {}})
    return found


def running_of(key: str, definition: Mapping[str, Any]) -> Running:
    """Return the experiment ``key`` as assignment needs it."""
    of_arms = shares(definition)
    arms = tuple(Arm(arm["key"], arm["settings"]) for arm in definition["arms"])
    slots, part, targeting = definition["slots"], definition["namespace"], definition["targeting"]
    return Running(
        key,
        arms,
        tuple(bucket_ranges(len(arms), definition["coverage"], [of_arms[arm.key] for arm in arms])),
        None if slots is None else frozenset(slots),
        None if part is None else Namespace(part["key"], part["from"], part["to"]),
        {attribute: frozenset(targeting[name]) for name, attribute in TARGETS.items() if targeting.get(name)},
    )
