"""Whether an offer holds, and why not."""

from typing import Any

import pytest

from app.bundles.holding import obstacle
from app.bundles.limits import Limits
from app.bundles.wares import Ware, prices_of
from app.commerce.offers import Component, Terms
from tests.bundles.makers import NOON, kind, terms, ware, wares

BEFORE = wares(ware("a"), ware("b", kind("b1"), kind("b2", price=1500)))
OFFER = terms(components=(Component("a"), Component("b", 2)))


def problem_of(
    offer: Terms, shown: dict[str, Ware], limits: Limits | None = None, at: Any = NOON
) -> str | None:
    found = obstacle(offer, prices_of(offer.components, BEFORE), shown, limits or Limits(), at)
    return found and found.code


def with_b(*kinds: Any, **changes: Any) -> dict[str, Ware]:
    return wares(ware("a"), ware("b", *(kinds or BEFORE["b"].kinds), **changes))


@pytest.mark.parametrize(
    ("shown", "problem"),
    [
        (BEFORE, None),
        (wares(ware("a")), "product_gone"),
        (with_b(sold=False), "product_gone"),
        (with_b(currency="USD"), "bundle_broken"),
        (with_b(available=False), "out_of_stock"),
        (with_b(kind("b1", stock=1), kind("b2", price=1500, buyable=False)), "out_of_stock"),
        (with_b(kind("b1", stock=1), kind("b2", price=1500, stock=1)), None),
        (with_b(kind("b1"), kind("b2", price=1499)), "price_changed"),
        (with_b(kind("b1")), None),
        (with_b(*BEFORE["b"].kinds, kind("b3", price=9)), None),
        (with_b(kind("b1", cost=None)), None),
    ],
    ids=[
        "as it was", "missing", "not sold", "other currency", "shop says no", "one of two pieces", "two kinds",
        "other price", "variant gone", "variant new", "cost",
    ],
)  # fmt: skip
def test_what_keeps_an_offer_from_holding(shown: dict[str, Ware], problem: str | None) -> None:
    assert problem_of(OFFER, shown) == problem


def test_a_variant_that_it_names_and_that_is_gone_breaks_it() -> None:
    offer = terms(components=(Component("a"), Component("b", 1, ("b1",))))

    assert problem_of(offer, with_b(kind("b2"))) == "bundle_broken"
    assert problem_of(offer, with_b(kind("b1"), kind("b2", price=9))) is None


def test_an_offer_holds_until_its_end_and_before_its_start() -> None:
    offer = terms(starts_at=NOON.replace(hour=13), ends_at=NOON.replace(hour=14))

    assert problem_of(offer, BEFORE, at=NOON) is None
    assert problem_of(offer, BEFORE, at=NOON.replace(hour=13, minute=59)) is None
    assert problem_of(offer, BEFORE, at=NOON.replace(hour=14)) == "expired"


@pytest.mark.parametrize(("price", "problem"), [(1050, None), (950, None), (1051, "price_changed")])
def test_prices_may_differ_by_the_tolerance(price: int, problem: str | None) -> None:
    shown = wares(ware("a", kind("a-v", price=price)), BEFORE["b"])

    assert problem_of(OFFER, shown, Limits(price_tolerance=500)) == problem


def test_the_reason_names_the_product() -> None:
    found = obstacle(OFFER, {}, with_b(available=False), Limits(), NOON)

    assert found is not None
    assert found.sentence == "'Title b' is out of stock."
