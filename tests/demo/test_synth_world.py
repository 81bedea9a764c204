"""The planted truth: the same seed is the same store, whoever else comes."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from demo.synth import bodies, shoppers
from demo.synth.world import CONVERSION, SEGMENTS, SILENCE, Fault, Plan, World

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SMALL = Plan(seed=7, shoppers=15, crowd=0, orders=240, days=14)


def said(plan: Plan) -> list[bytes]:
    """Return everything that a store says of its past, signed."""
    world = World(plan, NOW)
    return [
        bodies.signed(plan.domain, "hush", "orders/create", bodies.order(world, order), order.placed_at).body
        for order in world.past
    ] + [bodies.product(item, NOW)["title"].encode() for item in world.products.values()]


def test_the_same_seed_is_the_same_store() -> None:
    assert said(SMALL) == said(SMALL)
    assert said(SMALL) != said(replace(SMALL, seed=8))


def test_a_visitor_does_not_depend_on_who_else_comes() -> None:
    few, many = (World(replace(SMALL, shoppers=size), NOW) for size in (5, 50))
    assert list(shoppers.visits(few)) == list(shoppers.visits(many))[:5]


def test_every_product_is_in_one_bundle_or_goes_with_anything() -> None:
    world = World(SMALL, NOW)
    named = Counter(number for bundle in world.bundles for number in bundle) + Counter(world.staples)
    assert set(named.values()) == {1}
    assert set(named) == set(world.products)
    assert [len(bundle) for bundle in world.bundles] == [3] * 15 + [2] * 15


def test_orders_hold_one_bundle_and_lie_in_the_past() -> None:
    world = World(SMALL, NOW)
    for order in world.past:
        bundled = set(order.basket) - set(world.staples)
        assert any(bundled <= set(bundle) for bundle in world.bundles)
        assert world.begin <= order.placed_at <= NOW


def test_a_stopped_feed_ends_early() -> None:
    stopped = World(replace(SMALL, faults=frozenset({Fault.STOPPED_ORDERS})), NOW)
    assert stopped.past[-1].placed_at <= NOW - SILENCE


def test_visitors_buy_as_often_as_planted() -> None:
    """Within four standard errors, 20 % of 4,000 by 0.0063 each."""
    world = World(SMALL, NOW)
    visits = [world.visit(f"somebody {n}", NOW - timedelta(days=1), NOW) for n in range(4000)]
    expected = CONVERSION * sum(segment.share * segment.factor for segment in SEGMENTS)
    bought = sum(visit.buys(CONVERSION) for visit in visits) / len(visits)
    assert bought == pytest.approx(expected, abs=0.026)
    assert all(NOW - timedelta(days=1) <= visit.at <= NOW for visit in visits)
    helped = [visit for visit in visits if visit.buys(1.5 * CONVERSION)]
    assert {v.visitor for v in visits if v.buys(CONVERSION)} < {v.visitor for v in helped}
