"""Conditions hold when they say so."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from app.rules.conditions import MANY, SINGLE, WEEKDAYS, compiled, key_of, minutes
from app.rules.context import Context
from tests.rules import lists
from tests.rules.lists import context, fact

SLOT = fact("slot", "cart", "home")
# 2 March 2026 is a Monday; 23:30 in UTC is 08:30 of Tuesday in Tokyo.
MONDAY_NIGHT = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("condition", "known", "holds"),
    [
        pytest.param(None, {}, True, id="none"),
        pytest.param(SLOT, {"slot": "home"}, True, id="one-of-the-words"),
        pytest.param(SLOT, {"slot": "product"}, False, id="another-word"),
        pytest.param(SLOT, {}, False, id="unknown-is-in-no-list"),
        pytest.param({"not": SLOT}, {}, True, id="not-of-unknown"),
        pytest.param(fact("product", "p"), {"product_id": "p"}, True, id="product-of-the-page"),
        pytest.param(fact("tag", "new", "hot"), {"tags": frozenset({"hot"})}, True, id="one-of-the-tags"),
        pytest.param(fact("tag", "new"), {"tags": frozenset({"New"})}, False, id="letters-as-written"),
        pytest.param(fact("cart_product", "p"), {"cart": ("q", "p")}, True, id="in-the-cart"),
        pytest.param(fact("cart_category", "Mugs"), {"cart_categories": frozenset({"Mugs"})}, True, id="in-cart"),
        pytest.param(fact("cart_tag", "new"), {"tags": frozenset({"new"})}, False, id="the-page-is-not-the-cart"),
        pytest.param(fact("segment", "champions"), {"segments": frozenset({"champions"})}, True, id="segment"),
        pytest.param({"fact": "cart_value", "at_least": 5}, {"cart_value": 5}, True, id="from-included"),
        pytest.param({"fact": "cart_value", "at_most": 5}, {"cart_value": 5}, True, id="to-included"),
        pytest.param({"fact": "cart_value", "at_most": 5}, {"cart_value": 6}, False, id="beyond"),
        pytest.param({"fact": "cart_value", "at_most": 5}, {}, False, id="unknown-is-in-no-range"),
        pytest.param({"fact": "cart_size", "at_most": 0}, {}, True, id="an-empty-cart-has-a-size"),
        pytest.param({"fact": "cart_size", "at_least": 2}, {"cart": ("p", "p")}, True, id="pieces-count"),
        pytest.param({"all": [SLOT, fact("country", "DE")]}, {"slot": "home"}, False, id="all"),
        pytest.param({"any": [SLOT, fact("country", "DE")]}, {"slot": "home"}, True, id="any"),
        pytest.param({"any": [SLOT]}, {"slot": "x"}, False, id="any-of-one"),
    ],
)  # fmt: skip
def test_a_condition_holds(condition: Any, known: dict[str, Any], holds: bool) -> None:
    assert compiled(condition)(context(**known)) is holds


@pytest.mark.parametrize(
    ("window", "timezone", "holds"),
    [
        pytest.param({"weekdays": ["mon"]}, "UTC", True, id="whole-day"),
        pytest.param({"weekdays": ["mon"]}, "Asia/Tokyo", False, id="the-stores-day-counts"),
        pytest.param({"weekdays": ["tue"], "from": "08:30", "to": "09:00"}, "Asia/Tokyo", True, id="begin-included"),
        pytest.param({"from": "08:00", "to": "08:30"}, "Asia/Tokyo", False, id="end-not-included"),
        pytest.param({"from": "23:00", "to": "24:00"}, "UTC", True, id="until-midnight"),
        pytest.param({"weekdays": ["mon"], "from": "22:00", "to": "09:00"}, "UTC", True, id="evening-of-a-night"),
        pytest.param({"weekdays": ["mon"], "from": "22:00", "to": "09:00"}, "Asia/Tokyo", True, id="its-morning"),
        pytest.param({"weekdays": ["tue"], "from": "22:00", "to": "09:00"}, "Asia/Tokyo", False, id="the-night-before"),
    ],
)  # fmt: skip
def test_a_time_window_is_read_in_the_stores_time_zone(window: Any, timezone: str, holds: bool) -> None:
    condition = {"fact": "time", **window}

    assert compiled(condition)(context(now=MONDAY_NIGHT, timezone=timezone)) is holds


@pytest.mark.parametrize(
    ("condition", "key"),
    [
        pytest.param(None, None, id="none"),
        pytest.param(SLOT, ("slot", {"cart", "home"}), id="a-fact"),
        pytest.param({"not": SLOT}, None, id="not"),
        pytest.param({"all": [SLOT, fact("category", "a", "b")]}, ("category", {"a", "b"}), id="rather-than-a-slot"),
        pytest.param({"all": [fact("tag", "a", "b"), fact("category", "a")]}, ("category", {"a"}), id="fewest-words"),
        pytest.param({"any": [fact("tag", "a"), fact("tag", "b")]}, ("tag", {"a", "b"}), id="alternatives-of-one-fact"),
        pytest.param({"any": [fact("tag", "a"), SLOT]}, None, id="alternatives-of-two-facts"),
        pytest.param({"any": [fact("tag", "a"), {"fact": "cart_size", "at_least": 1}]}, None, id="a-range"),
    ],
)  # fmt: skip
def test_a_rule_is_found_by_words_of_which_one_must_hold(condition: Any, key: Any) -> None:
    assert key_of(condition) == key


def read_plainly(condition: dict[str, Any], known: Context) -> bool:
    """Whether a condition holds, read word by word."""
    if "all" in condition:
        return all(read_plainly(inner, known) for inner in condition["all"])
    if "any" in condition:
        return any(read_plainly(inner, known) for inner in condition["any"])
    if "not" in condition:
        return not read_plainly(condition["not"], known)
    name = condition["fact"]
    if name in SINGLE:
        return getattr(known, SINGLE[name]) in condition["in"]
    if name in MANY:
        return bool(set(getattr(known, MANY[name])) & set(condition["in"]))
    if name == "time":
        return time_holds(condition, known)
    number = len(known.cart) if name == "cart_size" else known.cart_value
    return number is not None and condition.get("at_least", 0) <= number <= condition.get("at_most", 10**9)


def time_holds(window: dict[str, Any], known: Context) -> bool:
    hours_ahead = 9 if known.timezone == "Asia/Tokyo" else 0
    minute = (known.now.weekday() * 24 + known.now.hour + hours_ahead) * 60 + known.now.minute
    start, end = minutes(window["from"]), minutes(window["to"])
    length = (end - start) % 1440
    begins = [WEEKDAYS.index(day) * 1440 + start for day in window["weekdays"]]
    return any((minute - begin) % (7 * 1440) < length for begin in begins)


@settings(max_examples=60)
@given(lists.conditions, lists.contexts())
def test_a_compiled_condition_says_what_a_plain_reading_says(condition: Any, known: Context) -> None:
    assert compiled(condition)(known) is read_plainly(condition, known)


@settings(max_examples=60)
@given(lists.conditions, lists.contexts())
def test_where_a_condition_holds_its_key_is_there(condition: Any, known: Context) -> None:
    key = key_of(condition)
    if key is not None and compiled(condition)(known):
        name, words = key
        there = {getattr(known, SINGLE[name])} if name in SINGLE else set(getattr(known, MANY[name]))
        assert there & words
