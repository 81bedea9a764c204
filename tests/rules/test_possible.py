"""What is called impossible, or to follow, is so."""

from typing import Any

import pytest
from hypothesis import given, settings

from app.rules.conditions import compiled
from app.rules.context import Context
from app.rules.possible import facts, implies, possible, words
from tests.rules import lists
from tests.rules.lists import fact

SLOT = fact("slot", "home", "cart")
WEEKEND = {"fact": "time", "weekdays": ["sat", "sun"]}


def between(name: str, low: int | None, high: int | None) -> dict[str, Any]:
    bounds = {"at_least": low, "at_most": high}
    return {"fact": name, **{end: value for end, value in bounds.items() if value is not None}}


def no(condition: dict[str, Any]) -> dict[str, Any]:
    return {"not": condition}


@pytest.mark.parametrize(
    ("conditions", "may_hold"),
    [
        pytest.param([], True, id="none"),
        pytest.param([None, SLOT], True, id="always"),
        pytest.param([fact("slot", "home"), fact("slot", "cart")], False, id="two-slots-at-once"),
        pytest.param([SLOT, fact("slot", "cart", "product")], True, id="a-slot-in-common"),
        pytest.param([fact("slot", "home"), no(SLOT)], False, id="a-slot-that-is-refused"),
        pytest.param([SLOT, no(fact("slot", "home"))], True, id="a-slot-that-is-left"),
        pytest.param([no(SLOT), no(fact("slot", "product"))], True, id="no-slot-at-all"),
        pytest.param([fact("tag", "a"), fact("tag", "b")], True, id="two-tags-at-once"),
        pytest.param([fact("tag", "a"), no(fact("tag", "a", "b"))], False, id="a-tag-that-is-refused"),
        pytest.param(
            [between("cart_value", 5, None), between("cart_value", None, 4)], False, id="no-number-left"
        ),
        pytest.param(
            [between("cart_value", 4, None), between("cart_value", None, 4)], True, id="one-number-left"
        ),
        pytest.param([no(between("cart_value", 0, None))], True, id="an-unknown-value"),
        pytest.param([no(between("cart_size", 0, None))], False, id="a-cart-has-a-size"),
        pytest.param(
            [between("cart_size", 0, 9), no(between("cart_size", 0, 4)), no(between("cart_size", 5, 20))],
            False,
            id="ranges-that-leave-nothing",
        ),
        pytest.param(
            [fact("cart_product", "p"), between("cart_size", None, 0)], False, id="in-an-empty-cart"
        ),
        pytest.param([WEEKEND, {"fact": "time", "weekdays": ["mon"]}], False, id="no-day-left"),
        pytest.param(
            [WEEKEND, {"fact": "time", "weekdays": ["fri"], "from": "22:00", "to": "02:00"}],
            True,
            id="a-night",
        ),
        pytest.param(
            [{"fact": "time", "to": "12:00"}, {"fact": "time", "from": "12:00"}], False, id="no-minute-left"
        ),
        pytest.param(
            [no(WEEKEND), no({"fact": "time", "weekdays": ["mon", "tue", "wed", "thu", "fri"]})],
            False,
            id="no-week",
        ),
        pytest.param(
            [{"any": [fact("slot", "home"), fact("tag", "a")]}, no(SLOT), no(fact("tag", "a"))],
            False,
            id="alternatives",
        ),
        pytest.param([no({"all": [SLOT, fact("tag", "a")]}), SLOT], True, id="not-both"),
    ],
)
def test_conditions_may_hold_together(conditions: list[Any], may_hold: bool) -> None:
    assert possible(*conditions) is may_hold


@pytest.mark.parametrize(
    ("one", "other", "follows"),
    [
        pytest.param(SLOT, None, True, id="always"),
        pytest.param(None, SLOT, False, id="not-always"),
        pytest.param(fact("slot", "home"), SLOT, True, id="fewer-words"),
        pytest.param(SLOT, fact("slot", "home"), False, id="more-words"),
        pytest.param({"all": [SLOT, fact("tag", "a")]}, SLOT, True, id="more-conditions"),
        pytest.param(
            between("cart_value", 10, 20), between("cart_value", 5, None), True, id="a-narrower-range"
        ),
        pytest.param(
            {"fact": "time", "weekdays": ["sat"], "from": "09:00"}, WEEKEND, True, id="a-shorter-time"
        ),
        pytest.param(SLOT, {"any": [SLOT, fact("tag", "a")]}, False, id="other-facts-are-not-looked-at"),
    ],
)
def test_a_condition_follows(one: Any, other: Any, follows: bool) -> None:
    assert implies(one, other) is follows


def test_what_has_too_many_clauses_is_not_called_impossible() -> None:
    pairs = [{"any": [fact("tag", str(n)), fact("segment", str(n))]} for n in range(10)]

    assert possible({"all": [*pairs, fact("slot", "home")]}, fact("slot", "cart")) is True
    assert implies({"all": [*pairs, SLOT]}, SLOT) is False


def test_facts_and_words_are_found() -> None:
    condition = {"all": [SLOT, no({"any": [fact("product", "p"), fact("product", "q", "p")]})]}

    assert facts(condition) == {"slot", "product"}
    assert words(condition, "product") == {"p", "q"}
    assert (facts(None), words(None, "product")) == (frozenset(), frozenset())


@settings(max_examples=150)
@given(lists.conditions, lists.conditions, lists.contexts())
def test_proofs_are_sound(one: Any, other: Any, known: Context) -> None:
    first, second = compiled(one)(known), compiled(other)(known)

    assert possible(one, other) or not (first and second)
    assert not implies(one, other) or not first or second
