"""From signals to proposals: how far, why, and when not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pricing import proposing
from app.pricing.guards import WHOLE, Ending
from app.pricing.proposing import Look, Shop, compared, propose, within
from app.pricing.signals import PricePoint
from tests.pricing.wanting import NOW, STOCK, goods, kind, rule

DOWN_TEN = {"guards": {"largest_step_percent": 20}}


def test_too_much_stock_lowers_the_price_and_says_why() -> None:
    found = propose(rule(**DOWN_TEN), goods(), Shop(), NOW)

    (made,) = found.proposals
    assert (made.old_price, made.new_price, made.needs_approval) == (1000, 900, None)
    assert made.reason == (
        "10.0 % lower: stock lasts 982 days at the present demand (wanted are 14 to 90 days)."
    )
    assert made.signals["signals"] == [
        {
            "name": "stock_cover",
            "value": 982.4561,
            "pressure": -1.0,
            "sentence": "stock lasts 982 days at the present demand (wanted are 14 to 90 days)",
            "moves_percent": -10.0,
        }
    ]
    assert (made.signals["wanted"], made.signals["binding"]) == (900, [])


def test_the_reason_names_what_bound_it() -> None:
    found = propose(rule(guards={"largest_step_percent": 4}), goods(), Shop(), NOW)

    (made,) = found.proposals
    assert made.new_price == 960
    assert made.reason.endswith("(wanted are 14 to 90 days). Bound by the largest step.")


def test_signals_add_up_and_the_reason_names_those_that_press_this_way() -> None:
    competitor = {"signal": "competitor", "weight_percent": 3}
    found = propose(rule(STOCK, competitor, **DOWN_TEN), goods(competitors=(1500,)), Shop(), NOW)

    (made,) = found.proposals
    assert made.new_price == 930
    assert "competitors" not in made.reason
    assert [each["moves_percent"] for each in made.signals["signals"]] == [-10.0, 3.0]


def test_all_variants_move_by_the_same_share_within_guards_of_their_own() -> None:
    large = kind("v2", 2000, cost=1900)
    found = propose(rule(**DOWN_TEN), goods(kind("v1", 1000, cost=100), large), Shop(), NOW)

    assert [(made.variant_id, made.new_price) for made in found.proposals] == [("v1", 900), ("v2", 1900)]


def test_a_price_below_its_margin_comes_back_even_where_no_signal_asks() -> None:
    quiet = goods(kind(stock=50, cost=980), pieces=(1.0,) * 56)

    (made,) = propose(rule(guards={"least_margin_percent": 5}), quiet, Shop(), NOW).proposals

    assert (made.new_price, made.reason) == (1032, "3.2 % higher, to come back within the least margin.")


@pytest.mark.parametrize(
    ("made", "fields", "why"),
    [
        pytest.param(kind(stock=50), {}, proposing.NOTHING_WANTED, id="nothing presses"),
        pytest.param(kind(stock=None), {}, proposing.NOTHING_WANTED, id="stock is not counted"),
        pytest.param(kind(buyable=False), {}, proposing.NOT_SOLD, id="cannot be bought"),
        pytest.param(kind(price=0), {}, proposing.NO_PRICE, id="free of charge"),
        pytest.param(kind(compare_at_price=1500), {}, proposing.REDUCED, id="reduced by the merchant"),
        pytest.param(kind(changed=(NOW - timedelta(hours=3),)), {}, "cooling", id="changed today"),
        pytest.param(kind(), {"guards": {"floor": 1000}}, "floor", id="at its floor"),
        pytest.param(kind(), {"guards": {"largest_step_percent": 0.5}}, "least_step", id="too little"),
        pytest.param(kind(), {"currency": "EUR"}, proposing.OTHER_CURRENCY, id="another currency"),
    ],
)
def test_a_variant_keeps_its_price(made: proposing.Kind, fields: dict[str, Any], why: str) -> None:
    assert propose(rule(**fields), goods(made), Shop(), NOW) == Look((), {"v1": why})


def test_reduced_products_move_where_the_rule_says_so() -> None:
    reduced = goods(kind(compare_at_price=1500))

    (made,) = propose(rule(reduced=True, **DOWN_TEN), reduced, Shop(), NOW).proposals

    assert (made.new_price, made.new_compare_at_price) == (900, 1500)


def test_a_price_compared_to_itself_is_not_reduced() -> None:
    (made,) = propose(rule(**DOWN_TEN), goods(kind(compare_at_price=1000)), Shop(), NOW).proposals

    assert (made.new_price, made.new_compare_at_price) == (900, 1000)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(None, None, id="nothing is added"),
        pytest.param(1200, 1200, id="it stays"),
        pytest.param(1000, None, id="it is no reduction any more"),
    ],
)
def test_what_a_price_is_compared_to_is_never_invented(before: int | None, after: int | None) -> None:
    assert compared(1000, before) == after


@pytest.mark.parametrize(
    ("made", "guards", "waits"),
    [
        pytest.param(kind(), {}, True, id="neither cost nor floor"),
        pytest.param(kind(), {"floor_percent": 50}, True, id="a share is no floor in money"),
        pytest.param(kind(cost=100), {}, False, id="cost known"),
        pytest.param(kind(), {"floor": 500}, False, id="floor of the rule"),
        pytest.param(
            kind(), {"single": [{"product_id": "p1", "floor": 500}]}, False, id="floor of the product"
        ),
    ],
)
def test_a_price_without_cost_and_floor_is_never_written_by_itself(
    made: proposing.Kind, guards: dict[str, Any], waits: bool
) -> None:
    (found,) = propose(rule(mode="automatic", guards=guards), goods(made), Shop(), NOW).proposals

    assert (found.needs_approval is not None) is waits
    assert ("waits for approval" in found.reason) is waits


@pytest.mark.parametrize(
    ("now", "broken"),
    [
        pytest.param(kind(), (), id="as when it was proposed"),
        pytest.param(kind(cost=950), ("margin",), id="a higher cost"),
        pytest.param(kind(changed=(NOW,)), ("cooling",), id="changed meanwhile"),
        pytest.param(kind(price=1500, base=1000), ("step",), id="another price"),
        pytest.param(kind(price=900), ("least_step",), id="it costs that already"),
    ],
)
def test_a_proposal_is_held_against_the_guards_again(now: proposing.Kind, broken: tuple[str, ...]) -> None:
    assert within(rule(**DOWN_TEN), goods(now), now, 900, NOW) == broken


WEIGHED = [
    {"signal": name, "weight_percent": 30}
    for name in ("stock_cover", "demand", "conversion", "price_response", "competitor")
]
ENDINGS = {"JPY": ["80", "00"], "USD": [".99", ".49"], "BHD": [".990", ".500"]}


@given(
    st.sampled_from(("JPY", "USD", "BHD")),
    st.integers(1, 50_000),
    st.none() | st.integers(1, 40_000),
    st.integers(0, 5_000),
    st.lists(st.integers(0, 60).map(float), min_size=0, max_size=80),
    st.lists(
        st.builds(PricePoint, st.integers(1, 50_000), st.integers(0, 500), st.floats(1, 1e5)), max_size=4
    ),
    st.lists(st.integers(1, 60_000), max_size=3),
    st.lists(st.integers(0, 100), max_size=2),
    st.fixed_dictionaries(
        {
            "largest_step_percent": st.integers(0, 30),
            "least_step_percent": st.just(0),
            "least_margin_percent": st.integers(0, 80),
            "tax_percent": st.integers(0, 25),
            "cooling_hours": st.integers(1, 72),
        },
        optional={
            "floor": st.integers(1, 50_000),
            "ceiling": st.integers(1, 50_000),
            "floor_percent": st.integers(50, 100),
            "ceiling_percent": st.integers(100, 150),
        },
    ),
    st.booleans(),
)
def test_whatever_the_signals_and_the_history_say_no_guard_is_broken(
    currency: str,
    price: int,
    cost: int | None,
    stock: int,
    pieces: list[float],
    points: list[PricePoint],
    competitors: list[int],
    hours: list[int],
    guards: dict[str, Any],
    ends: bool,
) -> None:
    endings = ENDINGS[currency] if ends else []
    changed = tuple(NOW - timedelta(hours=ago) for ago in hours)
    made = kind(price=price, cost=cost, stock=stock, changed=changed)
    known = replace(
        goods(made, pieces=pieces, currency=currency),
        views=500,
        bought=stock % 100,
        points=tuple(points),
        competitors=tuple(competitors),
    )
    wanting = rule(*WEIGHED, currency=currency, mode="automatic", guards={**guards, "endings": endings})

    for found in propose(wanting, known, Shop(9_000, 400), NOW).proposals:
        new = found.new_price
        assert type(new) is int
        assert new > 0
        assert new >= guards.get("floor", 0)
        assert new * 100 >= guards.get("floor_percent", 0) * price
        assert new <= guards.get("ceiling", new)
        assert new * 100 <= guards.get("ceiling_percent", new * 100) * price
        kept, taxed = WHOLE - guards["least_margin_percent"] * 100, WHOLE + guards["tax_percent"] * 100
        assert cost is None or new * kept >= cost * taxed
        assert abs(new - price) * WHOLE <= guards["largest_step_percent"] * 100 * price
        assert all(ago >= guards["cooling_hours"] for ago in hours)
        assert not endings or any(
            new % ending.modulus == ending.remainder
            for ending in (Ending.of(text, currency) for text in endings)
        )
        assert (found.needs_approval is None) == (cost is not None or "floor" in guards)
