"""Making a logged decision again, from what the log holds of it; and trying other rules on it.

What the log holds is everything that decided: what was asked, what rules and experiments looked at, the candidates with
their sources and scores, what the visitor's reaction changed. Rules are read in the version of then, arms are assigned
anew, the draw is drawn again.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.commerce.store import StoreAccess
from app.decisions.reading import Found
from app.experiments.assignment import TARGETS, Arm, Namespace, Running, assign
from app.recommendations import supply
from app.recommendations.asking import Question
from app.recommendations.deciding import Decided, Policy, Wanted, decide
from app.recommendations.planning import Plan
from app.recommendations.strategies import STRATEGIES
from app.recommendations.supply import Record
from app.rules.context import Context
from app.rules.current import at_version
from app.rules.evaluation import RuleSet


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a decision came out when it was made again; ``differences`` are sentences, none where it is the same."""

    same: bool
    differences: list[str]
    shown: list[str]


def to_json(question: Question, made: Plan, decided: Decided) -> dict[str, Any]:
    """Return what the log holds of a decision."""
    wanted, policy = made.wanted, made.policy
    return {
        "question": {
            "slot": question.slot,
            "product_id": question.product_id,
            "cart": list(wanted.cart),
            "limit": wanted.limit,
            "chain": [strategy.name for strategy in wanted.chain],
        },
        "hidden": sorted(wanted.hidden),
        "resting": sorted(wanted.resting),
        "context": made.context.to_json(),
        "rules_version": made.rules.version,
        "arm_rules": list(made.arm_rules),
        "fired": list(policy.effects.fired),
        "trace": policy.effects.trace,
        "unit": made.unit,
        "running": [_running_to_json(running) for running in made.running],
        "sticky": dict(made.sticky),
        "arms": {arm.experiment: arm.arm for arm in made.arms},
        "silent": made.silent,
        "weariness": dict(policy.weariness),
        "exploration_percent": policy.exploration_percent if policy.seed else 0.0,
        "explored": decided.explored.to_json() if decided.explored else None,
        "offered": [list(products) for products in policy.offered],
        **supply.to_json(made.shelf),
        "strategy": decided.strategy.name,
        "would_have_shown": decided.products,
    }


def replay(connection: Connection, access: StoreAccess, found: Found) -> Replayed:
    """Make a decision again and say whether it comes out the same.

    Raises:
        LookupError: if the log does not hold what is needed.
    """
    body = _body_of(found)
    rules = _rules_of(connection, access.store_id, body)
    decided = _decide(found.id, body, rules)
    differences = []
    if decided.products != body["would_have_shown"]:
        differences.append("Other products come out than were decided on.")
    if decided.strategy.name != found.strategy:
        differences.append(f"The strategy is {decided.strategy.name}, and was {found.strategy}.")
    if (arms := _arms(body)) != found.arms:
        differences.append(f"The arms are {arms}, and were {found.arms}.")
    shown = [] if body["silent"] is not None else decided.products
    if shown != list(found.shown):
        differences.append("Other products are shown than were shown.")
    return Replayed(not differences, differences, shown)


def redecide(connection: Connection, access: StoreAccess, found: Found, rules: RuleSet) -> bool:  # noqa: ARG001
    """Return whether other rules would have changed what was shown.

    Candidates that were not looked at then, such as a product that only the new rules name, count as missing.

    Raises:
        LookupError: if the log does not hold what is needed.
    """
    body = _body_of(found)
    changed = _decide(found.id, body, rules.behind(body["arm_rules"]) if body["arm_rules"] else rules)
    return bool(changed.products != body["would_have_shown"])


def _body_of(found: Found) -> Mapping[str, Any]:
    if found.body is None:
        raise LookupError(
            "Of this decision nothing was kept that could be replayed: it was left out by sampling."
        )
    body: Mapping[str, Any] = found.body
    return body


def _rules_of(connection: Connection, store_id: int, body: Mapping[str, Any]) -> RuleSet:
    rules = at_version(connection, store_id, body["rules_version"])
    return rules.behind(body["arm_rules"]) if body["arm_rules"] else rules


def _decide(id_: str, body: Mapping[str, Any], rules: RuleSet) -> Decided:
    """Decide on what the log holds, by ``rules``."""
    asked = body["question"]
    context = Context.from_json(body["context"])
    percent = body["exploration_percent"]
    seed = base64.b32decode(id_.removeprefix("d_").upper()) if percent else None
    wanted = Wanted(
        tuple(STRATEGIES[name] for name in asked["chain"]),
        asked["limit"],
        tuple(asked["cart"]),
        frozenset(body["hidden"]),
        frozenset(body["resting"]),
    )
    offered = tuple(tuple(products) for products in body.get("offered", ()))
    policy = Policy(rules.match(context), body["weariness"], seed, percent, offered)
    return decide(wanted, policy, Record(body))


def _arms(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the arms that the visitor is assigned to, anew."""
    if body["unit"] is None:
        return {}
    context = Context.from_json(body["context"])
    found = assign(
        [_running_from_json(running) for running in body["running"]],
        body["unit"],
        slot=body["question"]["slot"],
        context={name: getattr(context, name) for name in TARGETS.values()},
        sticky=body["sticky"],
    )
    return {arm.experiment: arm.arm for arm in found}


def _running_to_json(running: Running) -> dict[str, Any]:
    part = running.namespace
    return {
        "key": running.key,
        "arms": [[arm.key, dict(arm.settings)] for arm in running.arms],
        "ranges": [list(each) for each in running.ranges],
        "slots": None if running.slots is None else sorted(running.slots),
        "namespace": None if part is None else [part.key, part.start, part.end],
        "targeting": {name: sorted(values) for name, values in running.targeting.items()},
    }


def _running_from_json(body: Mapping[str, Any]) -> Running:
    part: Sequence[Any] | None = body["namespace"]
    return Running(
        body["key"],
        tuple(Arm(key, settings) for key, settings in body["arms"]),
        tuple((low, high) for low, high in body["ranges"]),
        None if body["slots"] is None else frozenset(body["slots"]),
        None if part is None else Namespace(*part),
        {name: frozenset(values) for name, values in body["targeting"].items()},
    )
