"""What each rule that fired did to which product. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.rules.actions import ANSWERS, BOOST, BURY, HIDE, PIN, PROMOTE, RESTRICT, STRATEGY, Action, Rule


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one question. Filters are bits, as in ``app.rules.filters``.

    Attributes:
        rules: those that fired, in order.
        decides: the one that said what answers.
        nothing: whether that is nothing.
        in_order: whether it is a fixed list.
        pins: the pins that count, by position from 0.
        pinned_by: the rules of these.
        placed: where pinned products stand in the end, from 0.
        matched: the filters that each product matched that was looked at.
        lifted: the products that promotions brought forward, by filter.
        hide: the filters that hide.
        restrict: the filters that restrict.
    """

    rules: Sequence[Rule]
    decides: Rule | None
    nothing: bool
    in_order: bool
    pins: Mapping[int, str]
    pinned_by: Mapping[int, Rule]
    placed: Mapping[str, int]
    matched: Mapping[str, int]
    lifted: Mapping[int, list[str]]
    hide: int
    restrict: int


def told(done: Done) -> list[dict[str, Any]]:
    """Return what each rule did, in order: ``[{"rule", "name", "did": […]}]``.

    Each action tells what it is, whether it was ``applied``, otherwise ``by`` which rule it was overruled (None where
    its product cannot be shown), and to which ``products`` it did something. Positions count from 1.
    """
    return [
        {"rule": rule.id, "name": rule.name, "did": [_action(done, rule, action) for action in rule.actions]}
        for rule in done.rules
    ]


def _action(done: Done, rule: Rule, action: Action) -> dict[str, Any]:
    if action.do in ANSWERS:
        return _answer(done, rule, action)
    if action.do == PIN:
        return _pin(done, rule, action)
    return _filtered(done, action)


def _outcome(action: Action, lost_to: Rule | None, products: Sequence[str], **details: Any) -> dict[str, Any]:
    """Return what an action did, or that it lost."""
    lost = lost_to is not None
    return {
        "do": action.do,
        **details,
        "applied": not lost,
        "by": lost_to.id if lost_to else None,
        "products": [] if lost else list(products),
    }


def _answer(done: Done, rule: Rule, action: Action) -> dict[str, Any]:
    details = {"strategy": action.strategy} if action.do == STRATEGY else {}
    return _outcome(action, None if done.decides is rule else done.decides, action.products, **details)


def _pin(done: Done, rule: Rule, action: Action) -> dict[str, Any]:
    place = done.placed.get(action.product)
    lost_to = done.decides if done.nothing else _pins_instead(done, rule, action)
    if lost_to is None and place is None:
        lost_to = _hides(done, action.product)
    position = action.position if lost_to or place is None else place
    found = _outcome(action, lost_to, [action.product], product=action.product, position=position + 1)
    if place is None:
        found.update(applied=False, products=[])
    return found


def _pins_instead(done: Done, rule: Rule, action: Action) -> Rule | None:
    """Return the rule that has the position, or has the product elsewhere; None where this pin counts."""
    if done.pins.get(action.position) == action.product and done.pinned_by[action.position] is rule:
        return None
    if action.position in done.pinned_by:
        return done.pinned_by[action.position]
    return next(done.pinned_by[p] for p, product in done.pins.items() if product == action.product)


def _hides(done: Done, product: str) -> Rule | None:
    """Return the first rule that hides a product."""
    matched = done.matched.get(product, done.restrict)
    hiding = matched & done.hide | done.restrict & ~matched
    return next((rule for rule in done.rules if rule.mask & hiding), None)


def _filtered(done: Done, action: Action) -> dict[str, Any]:
    details: dict[str, Any] = {"factor": action.factor} if action.do in (BOOST, BURY) else {}
    if action.do == PROMOTE:
        details = {"percent": action.percent}
    if done.nothing or (done.in_order and action.do not in (HIDE, RESTRICT)):
        return _outcome(action, done.decides, [], **details)
    return _outcome(action, None, _products(done, action), **details)


def _products(done: Done, action: Action) -> list[str]:
    """Return the products that an action about a filter did something to."""
    bit = action.bit or 0
    if action.do == PROMOTE:
        return done.lifted.get(bit, [])
    if action.do == RESTRICT:
        return [product for product, matched in done.matched.items() if not matched >> bit & 1]
    return [
        product
        for product, matched in done.matched.items()
        if matched >> bit & 1 and (action.do == HIDE or not matched & done.hide | done.restrict & ~matched)
    ]
