"""Which rules fire, what they do to the candidates, who wins a conflict, and that the trace tells all of it."""

from collections.abc import Sequence
from datetime import timedelta
from math import ceil, prod
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.rules.actions import LEAST_WEIGHT, MOST_WEIGHT
from app.rules.context import Context, Item
from app.rules.evaluation import Effects, RuleSet
from tests.rules import lists
from tests.rules.lists import (
    NOTHING,
    NOTHING_KNOWN,
    SUNDAY_NOON,
    boost,
    context,
    fact,
    fixed,
    hide,
    item,
    pin,
    promote,
    restrict,
    rule,
    strategy,
)
from tests.rules.test_conditions import read_plainly

ITEMS = [
    item("a", category="Mugs", price=100),
    item("b", category="Mugs", price=200),
    item("c", category="Cups", price=300),
    item("d", category="Cups", price=400, tags=frozenset({"new"})),
    item("e", category="Bowls", price=500, tags=frozenset({"new"})),
]


def effects(*rules: dict[str, Any], known: Context = NOTHING_KNOWN) -> Effects:
    return RuleSet.from_json(rules, 1).match(known)


def arranged(*rules: dict[str, Any], shown: int = 3, items: Sequence[Item] = ITEMS) -> str:
    """Return the ids of the arranged items, run together."""
    return "".join(items[n].product_id for n in effects(*rules).arrange(items, shown))


def did(found: Effects) -> dict[str, list[Any]]:
    """Return by rule what was done, without what says that it was overruled."""
    return {
        told["rule"]: [(a["do"], a["applied"], a["by"], a["products"]) for a in told["did"]]
        for told in found.trace
    }


# --- which fire -----------------------------------------------------------------------------------------


def test_without_rules_everything_stays() -> None:
    found = RuleSet.EMPTY.match(context(slot="home"))

    assert found is Effects.EMPTY
    assert (found.fired, found.strategy, found.fixed, found.nothing) == ((), None, None, False)
    assert (dict(found.pins), found.percent, found.trace, bool(found)) == ({}, (), [], False)
    assert found.weigh(ITEMS[0]) == 1.0
    assert found.arrange(ITEMS, 3) == [0, 1, 2, 3, 4]
    assert found.pinned(["a", "b"], 1) == ["a"]


def test_rules_fire_in_the_order_of_the_list() -> None:
    given_ = [
        rule("by-tag", hide(products=["x"]), given=fact("tag", "new")),
        rule("off", hide(products=["x"]), enabled=False),
        rule("general", hide(products=["x"])),
        rule("elsewhere", hide(products=["x"]), given=fact("slot", "cart")),
        rule("by-slot", hide(products=["x"]), given=fact("slot", "home", "cart")),
    ]

    found = effects(*given_, known=context(slot="home", tags=frozenset({"new", "hot"})))

    assert found.fired == ("by-tag", "general", "by-slot")


@pytest.mark.parametrize(
    ("hours", "fires"),
    [
        pytest.param(-1, False, id="before"),
        pytest.param(0, True, id="first-moment"),
        pytest.param(1, True, id="within"),
        pytest.param(2, False, id="end-not-included"),
    ],
)
def test_a_rule_fires_while_it_is_valid(hours: int, fires: bool) -> None:
    dates = {"starts_at": SUNDAY_NOON.isoformat(), "ends_at": (SUNDAY_NOON + timedelta(hours=2)).isoformat()}

    found = effects(rule("r", NOTHING, **dates), known=context(now=SUNDAY_NOON + timedelta(hours=hours)))

    assert found.nothing is fires


@settings(max_examples=60)
@given(lists.rule_lists(), lists.contexts())
def test_exactly_the_rules_fire_whose_conditions_hold(rules: list[dict[str, Any]], known: Context) -> None:
    holding = tuple(each["id"] for each in rules if "if" not in each or read_plainly(each["if"], known))

    assert effects(*rules, known=known).fired == holding


# --- what they do ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actions", "order"),
    [
        pytest.param([hide(categories=["Mugs"])], "cde", id="hide"),
        pytest.param([restrict(categories=["Mugs", "Cups"])], "abcd", id="restrict"),
        pytest.param([restrict(categories=["Mugs", "Cups"]), restrict(tags=["new"])], "d", id="restrict-twice"),
        pytest.param([boost(2.0, products=["e"])], "eabcd", id="boost"),
        pytest.param([boost(0.5, categories=["Mugs"])], "cdeab", id="bury"),
        pytest.param([boost(1.15, products=["c"])], "acbde", id="boost-by-little"),
        pytest.param([boost(2.0, products=["e"]), boost(0.5, tags=["new"])], "abced", id="factors-are-multiplied"),
        pytest.param([promote(34, tags=["new"])], "adebc", id="promote-two-of-three"),
        pytest.param([promote(33, tags=["new"])], "abdce", id="promote-one-of-three"),
        pytest.param([promote(100, tags=["new"])], "adebc", id="promote-as-far-as-there-are-any"),
        pytest.param([promote(100, categories=["Mugs"])], "abcde", id="promote-what-is-in-front"),
        pytest.param([promote(33, categories=["Bowls"]), promote(33, categories=["Cups"])], "acebd", id="promote-two"),
        pytest.param([promote(99, categories=["None"]), promote(9, tags=["new"])], "abdce", id="promote-none"),
        pytest.param([promote(99, price_at_most=300), promote(99, tags=["new"])], "abcde", id="no-place-left"),
    ],
)  # fmt: skip
def test_candidates_are_arranged(actions: list[dict[str, Any]], order: str) -> None:
    assert arranged(rule("r", *actions)) == order


@pytest.mark.parametrize(
    ("factors", "weight"),
    [
        pytest.param([2.0, 3.0], 6.0, id="product"),
        pytest.param([50.0, 50.0], MOST_WEIGHT, id="at-most"),
        pytest.param([0.05, 0.05], LEAST_WEIGHT, id="at-least"),
        pytest.param([50.0, 50.0, 0.05], MOST_WEIGHT, id="bounded-at-the-end-only"),
    ],
)
def test_factors_are_multiplied_within_bounds(factors: list[float], weight: float) -> None:
    found = effects(*(rule(f"r{n}", boost(f, products=["a"])) for n, f in enumerate(factors)))

    assert found.weigh(ITEMS[0]) == weight
    assert found.weigh(ITEMS[1]) == 1.0


def test_what_was_shown_too_often_counts_besides() -> None:
    found = effects(rule("r", boost(2.0, products=["e"])))

    assert found.arrange(ITEMS, 3, {"e": 0.5, "a": 0.5}) == [1, 2, 3, 4, 0]
    assert Effects.EMPTY.arrange(ITEMS, 3, {"a": 0.5}) == [1, 2, 3, 4, 0]


@pytest.mark.parametrize(
    ("pins", "ids", "limit", "order"),
    [
        pytest.param([("x", 1)], "abc", 3, "xab", id="first"),
        pytest.param([("x", 3)], "abc", 3, "abx", id="last"),
        pytest.param([("x", 4)], "abc", 3, "abc", id="out-of-reach"),
        pytest.param([("c", 1)], "abc", 3, "cab", id="one-of-the-list"),
        pytest.param([("x", 4), ("y", 3)], "a", 4, "ayx", id="a-short-list"),
        pytest.param([("x", 2), ("y", 2)], "abc", 3, "axb", id="first-rule-has-the-position"),
        pytest.param([("x", 2), ("x", 1)], "abc", 3, "axb", id="first-rule-has-the-product"),
        pytest.param([("x", 1)], "", 2, "x", id="an-empty-list"),
    ],
)
def test_products_are_pinned(pins: list[tuple[str, int]], ids: str, limit: int, order: str) -> None:
    found = effects(*(rule(f"r{n}", pin(*each)) for n, each in enumerate(pins)))

    assert "".join(found.pinned(list(ids), limit)) == order


def test_a_pinned_product_that_is_not_available_is_left_out() -> None:
    found = effects(rule("r", pin("x", 1), pin("y", 2)))

    assert found.named == ("x", "y")
    assert found.pinned(["a"], 3, available={"y"}) == ["a", "y"]


def test_promotions_leave_room_for_pins() -> None:
    found = effects(rule("r", pin("x", 1), promote(50, tags=["new"])))

    # Two of four places; the pinned product takes one of the others.
    order = found.arrange(ITEMS, 4)

    assert [ITEMS[n].product_id for n in order] == ["a", "d", "e", "b", "c"]
    assert found.pinned([ITEMS[n].product_id for n in order], 4) == ["x", "a", "d", "e"]


def test_a_pinned_product_counts_for_its_promotion() -> None:
    found = effects(rule("r", pin("e", 1), promote(50, tags=["new"])))

    order = [ITEMS[n].product_id for n in found.arrange(ITEMS, 2)]

    assert found.pinned(order, 2) == ["e", "a"]


# --- who wins -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actions", "strategy_", "fixed_", "nothing"),
    [
        pytest.param([strategy("s"), fixed("a"), NOTHING], "s", None, False, id="strategy"),
        pytest.param([fixed("a", "b"), NOTHING, strategy("s")], None, ("a", "b"), False, id="fixed"),
        pytest.param([NOTHING, strategy("s"), fixed("a")], None, None, True, id="nothing"),
        pytest.param(
            [hide(products=["a"]), strategy("t"), strategy("s")], "t", None, False, id="first-of-two"
        ),
    ],
)
def test_the_first_rule_that_says_so_decides_what_answers(
    actions: list[dict[str, Any]], strategy_: str | None, fixed_: Any, nothing: bool
) -> None:
    found = effects(*(rule(f"r{n}", each) for n, each in enumerate(actions)))

    assert (found.strategy, found.fixed, found.nothing) == (strategy_, fixed_, nothing)


def test_hiding_wins_over_pins_and_fixed_lists() -> None:
    found = effects(rule("pin", pin("x", 1), fixed("a", "c")), rule("hide", hide(products=["a", "x"])))

    assert [ITEMS[n].product_id for n in found.arrange(ITEMS, 3)] == ["b", "c", "d", "e"]
    assert found.pinned(["c"], 3) == ["c"]
    assert did(found)["pin"] == [("pin", False, None, []), ("fixed", True, None, ["a", "c"])]


def test_a_pin_that_is_hidden_says_by_which_rule() -> None:
    found = effects(rule("pin", pin("d", 1)), rule("hide", hide(tags=["new"])))
    found.arrange(ITEMS, 3)

    assert found.pinned(["a", "b"], 3) == ["a", "b"]
    assert did(found) == {
        "pin": [("pin", False, "hide", [])],
        "hide": [("hide", True, None, ["d", "e"])],
    }


def test_a_fixed_list_stays_in_its_order() -> None:
    found = effects(
        rule("list", fixed("a", "b")), rule("others", boost(50.0, products=["b"]), promote(100, products=["b"]))
    )  # fmt: skip

    assert found.arrange(ITEMS[:2], 2, {"a": 0.1}) == [0, 1]
    assert did(found)["others"] == [("boost", False, "list", []), ("promote", False, "list", [])]


def test_nothing_is_nothing() -> None:
    found = effects(rule("n", NOTHING), rule("others", pin("x", 1), hide(products=["a"]), strategy("s")))

    assert (found.nothing, dict(found.pins), found.named) == (True, {}, ())
    assert did(found)["others"] == [
        ("pin", False, "n", []),
        ("hide", False, "n", []),
        ("strategy", False, "n", []),
    ]


# --- the trace ------------------------------------------------------------------------------------------


def test_the_trace_says_what_each_rule_did() -> None:
    found = effects(
        rule("one", pin("x", 2), boost(2.0, products=["e", "b"]), strategy("s")),
        rule("two", pin("y", 2), hide(categories=["Bowls"]), promote(50, tags=["new"]), strategy("t")),
    )
    order = [ITEMS[n].product_id for n in found.arrange(ITEMS, 3)]

    assert order == ["b", "d", "a", "c"]
    assert found.pinned(order, 3) == ["b", "x", "d"]
    assert found.trace == [
        {
            "rule": "one",
            "name": "one",
            "did": [
                {"do": "pin", "product": "x", "position": 2, "applied": True, "by": None, "products": ["x"]},
                {"do": "boost", "factor": 2.0, "applied": True, "by": None, "products": ["b"]},
                {"do": "strategy", "strategy": "s", "applied": True, "by": None, "products": []},
            ],
        },
        {
            "rule": "two",
            "name": "two",
            "did": [
                {"do": "pin", "product": "y", "position": 2, "applied": False, "by": "one", "products": []},
                {"do": "hide", "applied": True, "by": None, "products": ["e"]},
                {"do": "promote", "percent": 50, "applied": True, "by": None, "products": ["d"]},
                {"do": "strategy", "strategy": "t", "applied": False, "by": "one", "products": []},
            ],
        },
    ]


def applied(found: Effects, *kinds: str) -> list[dict[str, Any]]:
    return [a for told in found.trace for a in told["did"] if a["do"] in kinds and a["applied"]]


def touched(actions: list[dict[str, Any]]) -> set[str]:
    return {product for action in actions for product in action["products"]}


def from_the_trace(found: Effects, items: Sequence[Item]) -> list[str]:
    """Return the order that the trace accounts for, promotions left aside: from what it says and nothing else."""
    gone = touched(applied(found, "hide", "restrict"))
    weights = {
        each.product_id: prod(a["factor"] for a in applied(found, "boost", "bury") if each.product_id in a["products"])
        for each in items
    }  # fmt: skip
    scores = {
        each.product_id: (
            -min(max(weights[each.product_id], LEAST_WEIGHT), MOST_WEIGHT) / (10 + place),
            place,
        )
        for place, each in enumerate(items)
    }
    return sorted((id_ for id_ in scores if id_ not in gone), key=lambda id_: scores[id_])


@settings(max_examples=60)
@given(lists.rule_lists(conditional=False), lists.items(), st.integers(1, 8))
def test_the_trace_explains_the_arranged_list(
    rules: list[dict[str, Any]], items: list[Item], shown: int
) -> None:
    found = effects(*rules)

    order = [items[n].product_id for n in found.arrange(items, shown)]

    # Whatever is missing is named as hidden, and whatever stands is as boosts and buries say, ...
    expected = from_the_trace(found, items)
    assert sorted(order) == sorted(expected)
    # ... but for what is named as promoted: it stands within the first places, and all else keeps its order. What is
    # pinned stays where it was for now: it is placed afterwards.
    lifted = touched(applied(found, "promote"))
    moved = lifted | {product for position, product in found.pins.items() if position < shown}
    assert [id_ for id_ in order if id_ not in moved] == [id_ for id_ in expected if id_ not in moved]
    reach = shown + sum(id_ in found.pins.values() for id_ in order)
    assert lifted <= set(order[:reach])


@settings(max_examples=60)
@given(lists.rule_lists(conditional=False), lists.items(), st.integers(1, 8))
def test_the_trace_explains_the_pinned_list(
    rules: list[dict[str, Any]], items: list[Item], limit: int
) -> None:
    found = effects(*rules)
    before = [items[n].product_id for n in found.arrange(items, limit)]

    after = found.pinned(before, limit)

    pinned = {a["product"]: a["position"] for a in applied(found, "pin")}
    assert all(after[position - 1] == product for product, position in pinned.items())
    others = [id_ for id_ in before if id_ not in pinned]
    assert [id_ for id_ in after if id_ not in pinned] == others[: len(after) - len(pinned)]
    assert len(after) == min(limit, len(pinned) + len(others))
    assert not set(after) & touched(applied(found, "hide"))
    assert len(set(after)) == len(after)


@settings(max_examples=60)
@given(lists.items(min_size=1), st.integers(1, 8), st.integers(1, 100), lists.filters())
def test_a_promotion_gets_its_share_as_far_as_there_are_products(
    items: list[Item], shown: int, percent: int, filter_: dict[str, Any]
) -> None:
    found = effects(rule("r", promote(percent, **filter_)), rule("probe", hide(products=["none"])))
    alone = effects(rule("r", restrict(**filter_)))

    order = found.arrange(items, shown)

    fitting = set(alone.arrange(items, shown))
    places = min(shown, len(items))
    assert len(fitting & set(order[:places])) >= min(ceil(percent * shown / 100), len(fitting), places)


@settings(max_examples=60)
@given(lists.rule_lists(conditional=False), lists.items(), st.integers(1, 8))
def test_the_same_question_is_answered_the_same(
    rules: list[dict[str, Any]], items: list[Item], shown: int
) -> None:
    once, again = effects(*rules), effects(*rules)

    assert once.arrange(items, shown) == again.arrange(items, shown) == again.arrange(items, shown)
    assert once.trace == again.trace
