"""Which products a rule takes, and what its guards are for one of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.pricing.guards import Guards
from app.pricing.rules import RuleGuards, Traits, Weighing, rule_for
from app.pricing.signals import Signal
from tests.pricing.wanting import rule

MUG = Traits("p1", "Mugs", "Kiln", frozenset({"blue", "new"}))


@pytest.mark.parametrize(
    ("fields", "taken"),
    [
        pytest.param({"products": {"all": True}}, True, id="all"),
        pytest.param({"products": {"products": ["p2", "p1"]}}, True, id="by id"),
        pytest.param({"products": {"categories": ["Mugs"]}}, True, id="by category"),
        pytest.param({"products": {"vendors": ["Kiln"]}}, True, id="by vendor"),
        pytest.param({"products": {"tags": ["old", "new"]}}, True, id="by tag"),
        pytest.param({"products": {"categories": ["Bowls"], "tags": ["old"]}}, False, id="by none"),
        pytest.param({"products": {}}, False, id="nothing chosen"),
        pytest.param({"products": {"all": True}, "without": {"tags": ["blue"]}}, False, id="excluded"),
        pytest.param({"products": {"all": True}, "without": {"tags": ["red"]}}, True, id="others are"),
    ],
)
def test_a_rule_takes_products_by_any_of_their_traits(fields: dict[str, Any], taken: bool) -> None:
    assert rule(**fields).takes(MUG) is taken


def test_a_product_without_category_is_not_of_a_category() -> None:
    assert not rule(products={"categories": ["Mugs"]}).takes(Traits("p1"))


def test_a_product_follows_the_rule_of_the_smallest_priority() -> None:
    early, late = rule(key="late", priority=1), rule(key="early")
    same = rule(key="a")
    stranger = rule(key="stranger", priority=0, products={"products": ["p9"]})

    assert rule_for(MUG, [late, stranger, early]) is early
    assert rule_for(MUG, [late, same]) is same
    assert rule_for(MUG, [stranger]) is None


@pytest.mark.parametrize(
    ("moves", "pressure", "wanted"),
    [
        pytest.param("both", -0.5, -250, id="both ways, down"),
        pytest.param("both", 1.0, 500, id="both ways, up"),
        pytest.param("up", -0.5, 0, id="up only"),
        pytest.param("down", 0.5, 0, id="down only"),
        pytest.param("down", -0.5, -250, id="down"),
    ],
)
def test_pressure_moves_the_price_by_its_weight(moves: str, pressure: float, wanted: int) -> None:
    weighing = Weighing.from_json({"signal": "demand", "weight_percent": 5, "moves": moves})

    assert weighing.of(Signal("demand", 1.0, pressure, "")) == wanted


@pytest.mark.parametrize(
    ("body", "floor", "ceiling"),
    [
        pytest.param({}, None, None, id="none"),
        pytest.param({"floor": 800, "ceiling": 1200}, 800, 1200, id="for every product"),
        pytest.param(
            {"floor": 800, "single": [{"product_id": "p1", "floor": 700, "ceiling": 1500}]},
            700,
            1500,
            id="for this one",
        ),
        pytest.param(
            {"floor": 800, "single": [{"product_id": "p2", "floor": 700}]}, 800, None, id="for another one"
        ),
        pytest.param({"floor_percent": 85, "ceiling_percent": 110}, 850, 1100, id="of the base price"),
        pytest.param(
            {"floor": 900, "floor_percent": 85, "ceiling": 1000, "ceiling_percent": 110},
            900,
            1000,
            id="the narrower of both",
        ),
    ],
)
def test_floor_and_ceiling_are_those_of_the_product(
    body: dict[str, Any], floor: int | None, ceiling: int | None
) -> None:
    found = RuleGuards.from_json(body).of("p1", 1000, 0)

    assert (found.floor, found.ceiling) == (floor, ceiling)


def test_shares_of_the_base_price_are_rounded_inwards() -> None:
    found = RuleGuards.from_json({"floor_percent": 85.5, "ceiling_percent": 110.5}).of("p1", 999, 0)

    assert (found.floor, found.ceiling) == (855, 1103)  # of 854.145 and 1103.895


def test_guards_have_defaults_and_the_tax_of_the_orders() -> None:
    assert RuleGuards.from_json({}).of("p1", 1000, 1_500) == Guards(
        tax=1_500, step=500, least_step=100, cooling=timedelta(hours=24)
    )
    assert RuleGuards.from_json({"tax_percent": 20}).of("p1", 1000, 1_500).tax == 2_000


def test_a_rule_is_awake_in_its_hours_where_the_store_is() -> None:
    office = rule(hours={"weekdays": ["mon"], "from": "09:00", "to": "17:00"})
    monday_noon_utc = datetime(2026, 3, 2, 12, tzinfo=UTC)

    assert office.awake(monday_noon_utc, "UTC")
    assert not office.awake(monday_noon_utc, "Pacific/Auckland")
    assert rule().awake(monday_noon_utc, "Pacific/Auckland")
