"""What about rules is probably not meant so."""

from typing import Any

import pytest

from app.rules.catalogue import Catalogue
from app.rules.lint import CODES, LEVELS, lint, named_products
from tests.rules.lists import (
    NOTHING,
    SUNDAY_NOON,
    boost,
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

MUG = item("mug", category="Mugs", tags=frozenset({"new"}), price=100)
CUP = item("cup", category="Cups", price=200)
CATALOGUE = Catalogue({"mug": MUG, "cup": CUP}, [MUG, CUP], frozenset({"champions"}))
HOME = fact("slot", "home")
CART = fact("slot", "cart")


def found(
    *rules: dict[str, Any], catalogue: Catalogue | None = None
) -> list[tuple[str, str | None, str, str]]:
    return [(f.rule, f.other, f.level, f.code) for f in lint(rules, SUNDAY_NOON, catalogue)]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param({}, [], id="fine"),
        pytest.param(
            {"starts_at": "2026-02-01T00:00:00+00:00", "ends_at": "2026-02-01T00:00:00+00:00"},
            [("r", None, "error", "never_valid")],
            id="ends-as-it-begins",
        ),
        pytest.param(
            {"ends_at": "2026-03-01T12:00:00+00:00"}, [("r", None, "warning", "expired")], id="over"
        ),
        pytest.param({"given": {"all": [HOME, CART]}}, [("r", None, "error", "impossible")], id="impossible"),
        pytest.param({"given": {"all": [HOME, CART]}, "enabled": False}, [], id="off"),
    ],
)
def test_rules_that_never_fire_are_found(others: dict[str, Any], expected: list[Any]) -> None:
    assert found(rule("r", hide(tags=["x"]), **others)) == expected


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        pytest.param(
            rule("a", NOTHING), rule("b", hide(tags=["x"])), "shadowed", id="nothing-leaves-nothing"
        ),
        pytest.param(
            rule("a", strategy("trending")),
            rule("b", fixed("p"), given=HOME),
            "shadowed",
            id="always-decides",
        ),
        pytest.param(
            rule("a", strategy("trending"), given=HOME), rule("b", fixed("p")), None, id="decides-sometimes"
        ),
        pytest.param(
            rule("a", fixed("p"), given=fact("slot", "home", "cart")),
            rule("b", NOTHING, given=HOME),
            "shadowed",
            id="decides-there",
        ),
        pytest.param(
            rule("a", strategy("trending")), rule("b", fixed("p"), hide(tags=["x"])), "overruled", id="a-part"
        ),
        pytest.param(rule("a", pin("p", 1)), rule("b", pin("p", 1)), "shadowed", id="the-same-pin"),
        pytest.param(
            rule("a", strategy("trending"), starts_at="2026-05-01T00:00:00+00:00"),
            rule("b", fixed("p")),
            None,
            id="later-on",
        ),
        pytest.param(rule("a", strategy("trending"), enabled=False), rule("b", fixed("p")), None, id="off"),
        pytest.param(rule("a", hide(tags=["x"])), rule("b", hide(tags=["x"])), None, id="hiding-twice"),
    ],
)
def test_rules_that_come_to_nothing_are_found(earlier: Any, later: Any, expected: str | None) -> None:
    level = "error" if expected == "shadowed" else "warning"

    assert found(earlier, later) == ([("b", "a", level, expected)] if expected else [])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(
            [pin("p", 1)], [hide(products=["p"])], ("a", "b", "error", "shown_and_hidden"), id="pin-and-hide"
        ),
        pytest.param(
            [hide(products=["p"])], [pin("p", 1)], ("b", "a", "error", "shown_and_hidden"), id="hide-and-pin"
        ),
        pytest.param(
            [fixed("q", "p")], [hide(products=["p"])], ("a", "b", "error", "shown_and_hidden"), id="listed"
        ),
        pytest.param(
            [pin("p", 1)],
            [restrict(products=["q"])],
            ("a", "b", "error", "shown_and_hidden"),
            id="restricted",
        ),
        pytest.param([pin("p", 1)], [hide(products=["q"])], None, id="another-product"),
        pytest.param([pin("p", 1)], [hide(tags=["x"])], None, id="perhaps-another-product"),
        pytest.param([pin("p", 1)], [pin("q", 2), hide(tags=["x"])], None, id="two-positions"),
        pytest.param(
            [pin("p", 1)],
            [pin("p", 2), hide(tags=["x"])],
            ("b", "a", "warning", "pinned_twice"),
            id="one-product",
        ),
        pytest.param(
            [boost(2.0, tags=["x"])],
            [boost(0.5, tags=["x"])],
            ("b", "a", "warning", "boosted_and_buried"),
            id="boost-and-bury",
        ),
        pytest.param(
            [boost(2.0, products=["p", "q"])],
            [boost(0.5, products=["q", "r"])],
            ("b", "a", "warning", "boosted_and_buried"),
            id="one-of-them",
        ),
        pytest.param([boost(2.0, tags=["x"])], [boost(0.5, categories=["x"])], None, id="other-products"),
        pytest.param([boost(2.0, tags=["x"])], [boost(3.0, tags=["x"])], None, id="boost-twice"),
        pytest.param(
            [restrict(categories=["a"])],
            [restrict(categories=["b"])],
            ("b", "a", "error", "hides_everything"),
            id="disjoint",
        ),
        pytest.param(
            [restrict(price_at_most=9)],
            [restrict(price_at_least=10)],
            ("b", "a", "error", "hides_everything"),
            id="disjoint-prices",
        ),
        pytest.param([restrict(tags=["a"])], [restrict(tags=["b"])], None, id="two-tags"),
    ],
)
def test_rules_that_contradict_are_found(one: list[Any], other: list[Any], expected: Any) -> None:
    together = found(rule("a", *one), rule("b", *other))
    apart = found(rule("a", *one, given=HOME), rule("b", *other, given=CART))

    assert together == ([expected] if expected else [])
    assert apart == []


def test_two_products_at_one_position_are_found() -> None:
    pins = [rule("a", pin("p", 1), given=HOME), rule("b", pin("q", 1), given=fact("tag", "new"))]

    assert found(*pins) == [("b", "a", "warning", "same_position")]


def test_what_hides_only_sometimes_is_a_warning() -> None:
    rules = [rule("a", pin("p", 1)), rule("b", hide(products=["p"]), given=HOME)]

    assert found(*rules) == [("a", "b", "warning", "shown_and_hidden")]


def test_rules_of_different_times_do_not_contradict() -> None:
    until, since = {"ends_at": "2026-06-01T00:00:00+00:00"}, {"starts_at": "2026-06-01T00:00:00+02:00"}
    rules = [rule("a", pin("p", 1), **until), rule("b", pin("q", 1), starts_at=until["ends_at"])]

    assert found(*rules) == []
    assert found(rules[0], rule("b", pin("q", 1), **since)) == [("b", "a", "warning", "same_position")]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([rule("a", pin("mug", 1), fixed("cup"))], [], id="known"),
        pytest.param(
            [rule("a", pin("jar", 1))], [("a", None, "warning", "unknown_product")], id="unknown-pin"
        ),
        pytest.param(
            [rule("a", hide(tags=["new"]), given=fact("cart_product", "jar", "cup"))],
            [("a", None, "warning", "unknown_product")],
            id="unknown-in-the-cart",
        ),
        pytest.param(
            [rule("a", hide(tags=["new"]), given=fact("segment", "champions", "heroes"))],
            [("a", None, "warning", "unknown_segment")],
            id="unknown-segment",
        ),
        pytest.param(
            [rule("a", promote(9, tags=["old"]))],
            [("a", None, "warning", "matches_nothing")],
            id="no-product",
        ),
        pytest.param(
            [rule("a", pin("mug", 1)), rule("b", hide(tags=["new"]))],
            [("a", "b", "error", "shown_and_hidden")],
            id="hidden-by-tag",
        ),
        pytest.param(
            [rule("a", pin("mug", 1)), rule("b", restrict(categories=["Cups"]))],
            [("a", "b", "error", "shown_and_hidden")],
            id="restricted-by-category",
        ),
        pytest.param(
            [rule("a", hide(price_at_least=0))], [("a", None, "error", "hides_everything")], id="all-prices"
        ),
        pytest.param(
            [rule("a", restrict(categories=["Jars"]))],
            [("a", None, "error", "hides_everything")],
            id="no-category",
        ),
        pytest.param(
            [rule("a", hide(categories=["Mugs"])), rule("b", hide(price_at_least=150), given=HOME)],
            [("b", None, "error", "hides_everything")],
            id="with-what-is-always-hidden",
        ),
        pytest.param(
            [
                rule("a", hide(categories=["Mugs"]), given=CART),
                rule("b", hide(price_at_least=150), given=HOME),
            ],
            [],
            id="never-together",
        ),
    ],
)
def test_rules_are_held_against_what_the_store_has(rules: list[Any], expected: list[Any]) -> None:
    assert found(*rules, catalogue=CATALOGUE) == expected


def test_nothing_is_said_of_a_catalogue_that_is_too_large_or_empty() -> None:
    rules = [rule("a", restrict(categories=["Jars"]))]

    assert found(*rules, catalogue=Catalogue({}, None)) == []
    assert found(*rules, catalogue=Catalogue({}, [])) == []


def test_findings_are_told_in_the_order_of_the_rules() -> None:
    rules = [
        rule("late", hide(tags=["x"]), ends_at="2020-01-01T00:00:00+00:00"),
        rule("first", pin("p", 1), given=HOME),
        rule("second", pin("q", 1), given=fact("tag", "new")),
        rule("gone", NOTHING, given={"all": [HOME, CART]}),
    ]

    told = [finding.to_json() for finding in lint(rules, SUNDAY_NOON)]

    assert [each["rule"] for each in told] == ["late", "second", "gone"]
    assert told[1] == {
        "rule": "second", "other": "first", "level": "warning", "code": "same_position",
        "sentence": "Both pin a product at position 1; the earlier rule has it.",
    }  # fmt: skip
    assert {each["code"] for each in told} <= set(CODES)
    assert {each["level"] for each in told} <= set(LEVELS)


def test_the_products_are_named_that_rules_show_or_ask_for() -> None:
    rules = [rule("a", pin("p", 1), fixed("q"), hide(products=["r"]), given=fact("product", "s"))]

    assert named_products(rules) == {"p", "q", "s"}
