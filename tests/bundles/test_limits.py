"""What an offer breaks of limits: never a larger discount, never a smaller margin, whichever variants are bought."""

import itertools
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bundles.limits import Limits, breaches, in_percent, largest_share, leaves_margin, short_of_stock
from app.bundles.wares import Kind, Ware, usual_cost
from app.commerce.offers import Component, DiscountKind, Terms, discount_on
from tests.bundles.makers import NOON, kind, terms, ware, wares

KINDS = st.builds(
    Kind,
    st.sampled_from(["v1", "v2", "v3"]),
    st.integers(1, 5000),
    st.integers(0, 5000),
    st.just(9),
    st.just(True),
)
PRODUCTS = st.lists(st.lists(KINDS, min_size=1, max_size=3).map(tuple), min_size=2, max_size=4)


def offered(draw: Any) -> tuple[Terms, dict[str, Ware], Limits]:
    kinds = draw(PRODUCTS)
    ids = [f"p{n}" for n in range(len(kinds))]
    shown = wares(*(ware(id_, *some) for id_, some in zip(ids, kinds, strict=True)))
    quantities = [draw(st.integers(1, 3)) for _ in ids]
    components = tuple(Component(id_, quantity) for id_, quantity in zip(ids, quantities, strict=True))
    discounted = ids[draw(st.integers(0, len(ids) - 1)) :]
    how = draw(
        st.sampled_from([{"percent": draw(st.integers(1, 10_000))}, {"amount": draw(st.integers(1, 9000))}])
    )
    limits = Limits(
        minimum_margin=draw(st.integers(0, 9000)),
        included_tax=draw(st.sampled_from([0, 1500, 2000])),
        maximum_discount=draw(st.integers(0, 10_000)),
    )
    return terms(*ids, discounted=discounted, components=components, **how), shown, limits


@settings(max_examples=60)
@given(st.data())
def test_what_keeps_the_margin_keeps_it_for_every_choice_of_variants(data: st.DataObject) -> None:
    # Given an offer that is said to leave the least margin
    offer, shown, limits = offered(data.draw)
    if not leaves_margin(offer, shown, limits):
        return

    # When any variants are bought, at exactly what the checkout gives
    paying = [c for c in offer.components if c.product_id in offer.discounted]
    for chosen in itertools.product(*(shown[c.product_id].kinds for c in paying)):
        price = sum(k.price * c.quantity for k, c in zip(chosen, paying, strict=True))
        cost = sum((k.cost or 0) * c.quantity for k, c in zip(chosen, paying, strict=True))
        net = Fraction((price - discount_on(price, offer.discount)) * 10_000, 10_000 + limits.included_tax)

        # Then they leave it
        assert (net - cost) * 10_000 >= net * limits.minimum_margin


@settings(max_examples=60)
@given(st.data())
def test_what_keeps_to_the_maximum_takes_no_more_off_any_choice_of_variants(data: st.DataObject) -> None:
    offer, shown, limits = offered(data.draw)
    if largest_share(offer, shown) > limits.maximum_discount:
        assert "maximum_discount" in [b.code for b in breaches(offer, shown, limits)]
        return

    paying = [c for c in offer.components if c.product_id in offer.discounted]
    for chosen in itertools.product(*(shown[c.product_id].kinds for c in paying)):
        price = sum(k.price * c.quantity for k, c in zip(chosen, paying, strict=True))
        # A percentage is rounded to the minor unit, an amount is exact.
        rounding = Fraction(1, 2) if offer.discount.kind is DiscountKind.PERCENT else 0
        assert (
            discount_on(price, offer.discount) <= Fraction(price * limits.maximum_discount, 10_000) + rounding
        )


def test_the_margin_is_not_refused_far_from_the_edge() -> None:
    # 20.00 less 10 % leaves 18.00, of which 8.00 are cost
    assert leaves_margin(terms(), wares(ware("a"), ware("b")), Limits(minimum_margin=5500)) is True
    assert leaves_margin(terms(), wares(ware("a"), ware("b")), Limits(minimum_margin=5600)) is False


def test_tax_in_the_price_is_no_margin() -> None:
    # 18.00 with 20 % tax are 15.00, of which 8.00 are cost: 46.7 %
    shown = wares(ware("a"), ware("b"))

    assert leaves_margin(terms(), shown, Limits(minimum_margin=4600, included_tax=2000)) is True
    assert leaves_margin(terms(), shown, Limits(minimum_margin=4700, included_tax=2000)) is False


def test_an_add_on_is_measured_by_the_product_that_is_cheaper() -> None:
    thin = wares(ware("a"), ware("b", kind("b-v", cost=950)))

    found = breaches(terms(discounted=["b"]), thin, Limits(minimum_margin=0))

    assert [b.code for b in found] == ["minimum_margin"]
    assert breaches(terms(discounted=["a"]), thin, Limits(minimum_margin=0)) == []


@pytest.mark.parametrize(
    ("changed", "limits", "code"),
    [
        ({"currency": "USD"}, Limits(), "currency"),
        ({}, Limits(excluded_products=("b",)), "excluded"),
        ({"category": "Gifts"}, Limits(excluded_categories=("Gifts",)), "excluded"),
        ({"tags": frozenset({"new", "sale"})}, Limits(excluded_tags=("sale",)), "excluded"),
        ({}, Limits(maximum_discount=900), "maximum_discount"),
    ],
    ids=["currency", "product", "category", "tag", "discount"],
)
def test_what_is_broken_is_named(changed: dict[str, Any], limits: Limits, code: str) -> None:
    found = breaches(terms(), wares(ware("a"), ware("b", **changed)), limits)

    assert [b.code for b in found] == [code]


def test_a_cost_that_nobody_told_is_said() -> None:
    found = breaches(terms(), wares(ware("a"), ware("b", kind("b-v", cost=None))), Limits())

    assert [b.code for b in found] == ["cost_unknown"]


def test_a_component_without_variants_that_count_is_all_that_is_said() -> None:
    components = (Component("a"), Component("b", 1, ("gone",)))

    found = breaches(terms(components=components, percent=9000), wares(ware("a"), ware("b")), Limits())

    assert [b.code for b in found] == ["not_sold"]


@pytest.mark.parametrize(
    ("kinds", "available", "short"),
    [
        ((kind(stock=5),), True, False),
        ((kind(stock=4),), True, True),
        ((kind("v1", stock=2), kind("v2", stock=3)), True, False),
        ((kind("v1", stock=2), kind("v2", stock=3, buyable=False)), True, True),
        ((kind(stock=None),), True, False),
        ((kind(stock=None),), False, True),
    ],
    ids=["enough", "short", "together", "not buyable", "not counted", "shop says no"],
)
def test_stock(kinds: tuple[Kind, ...], available: bool, short: bool) -> None:
    shown = wares(ware("a"), ware("b", *kinds, available=available))

    assert short_of_stock(terms(), shown, Limits(least_stock=5)) is short


def test_an_unknown_cost_follows_from_the_usual_margin_rounded_up() -> None:
    assert usual_cost(1000, 6000, 0) == 400
    # 9.99 with 20 % tax are 8.325, of which 70 % are 5.8275
    assert usual_cost(999, 3000, 2000) == 583
    assert usual_cost(1000, 0, 0) is None


def test_limits_survive_json() -> None:
    limits = Limits(automatic=True, excluded_tags=("x",), starts_at=NOON, days=None, elasticity=1.5)

    assert Limits.from_json(limits.to_json()) == limits
    assert Limits.from_json({}) == Limits()


def test_an_offer_ends_by_the_earlier_of_both_limits() -> None:
    assert Limits(days=10).end_of(NOON) == NOON.replace(day=12)
    assert Limits(days=10, ends_at=NOON.replace(day=5)).end_of(NOON) == NOON.replace(day=5)
    assert Limits(days=None).end_of(NOON) is None


@pytest.mark.parametrize(("share", "text"), [(1000, "10 %"), (750, "7.5 %"), (1234, "12.34 %")])
def test_shares_in_words(share: int, text: str) -> None:
    assert in_percent(share) == text
