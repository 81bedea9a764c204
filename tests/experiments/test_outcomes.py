"""What became of the exposed: whose orders count, which count, and what was known before."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from app.commerce.changes import CustomerRef, OrderChange, OrderStatus
from app.core.db import db
from app.experiments import outcomes
from app.experiments.outcomes import Outcomes, Period
from app.privacy.subjects import cart_node, contact_node
from tests.experiments.story import Story, day
from tests.factories import BEGIN, digest, line, order_change, product_change, variant_state

DAY = 86_400
COLUMNS = ("revenue", "orders", "buyers", "before")


@pytest.fixture
def story(shared_app: Flask) -> Iterator[Story]:
    with shared_app.app_context():
        yield Story()


def found(story: Story, cap: float | None = None, until: float = 30) -> Outcomes:
    period = Period(BEGIN, day(until))
    return outcomes.of_experiment(db.session.connection(), story.id, "one", period, cap=cap)


def of(outcome: Outcomes, arm: str, *columns: str) -> tuple[float, ...]:
    totals = outcome.arms[arm]
    return (totals.visitors, *(totals.sum(column) for column in columns or COLUMNS))


def order(
    name: str, days: float = 1, price: int = 1000, *, customer: str | None = None, cart: str | None = None
) -> OrderChange:
    return order_change(
        name,
        line("p1", price=price),
        placed=days * DAY,
        seconds=days * DAY,
        customer=CustomerRef(customer) if customer else None,
        cart=cart,
    )


def test_visitors_who_bought_nothing_count(story: Story) -> None:
    for visitor, arm in (("ann", "b"), ("bob", "b"), ("cid", "control")):
        story.expose(visitor, arm)
    story.log_in("ann", "1")
    story.sell(order("o1", customer="1"), order("o2", 2, 500, customer="1"), order("o3", customer="9"))

    outcome = found(story)

    assert of(outcome, "b") == (2, 1500, 2, 1, 0)
    assert of(outcome, "control") == (1, 0, 0, 0, 0)
    assert (outcome.multiple, outcome.orders, outcome.currency) == (0, 2, "USD")
    revenue = outcome.arms["b"].columns.index("revenue")
    assert outcome.arms["b"].products[revenue, revenue] == 1500**2


@pytest.mark.parametrize("route", ["cart", "customer", "event", "event with a global id", "contact"])
def test_an_order_is_joined_to_whoever_placed_it(story: Story, route: str) -> None:
    story.expose("ann", "b")
    sold = order("77", cart="c" if route == "cart" else None)
    if route == "cart":
        story.join(story.node("ann"), cart_node(story.id, digest("c")), day(1))
    elif route == "customer":
        sold = replace(sold, customer=CustomerRef("1"))
        story.log_in("ann", "1", day(1))
    elif route == "contact":
        sold = replace(sold, customer=CustomerRef(None, digest("ann@example.test")))
        story.join(story.node("ann"), contact_node(story.id, digest("ann@example.test")), day(1))
    else:
        told = "gid://shopify/Order/77" if "global" in route else "77"
        story.tell("Order Completed", "ann", day(1), order_id=told)
    story.sell(sold)

    assert of(found(story), "b") == (1, 1000, 1, 1, 0)


def test_the_platforms_word_counts_more_than_a_visitors(story: Story) -> None:
    for visitor in ("ann", "bob"):
        story.expose(visitor, visitor)
    story.log_in("ann", "1")
    story.tell("Order Completed", "bob", day(1), order_id="o1")
    story.sell(order("o1", customer="1"))

    outcome = found(story)

    assert (of(outcome, "ann", "orders"), of(outcome, "bob", "orders")) == ((1, 1), (1, 0))


def test_devices_of_one_person_are_one_visitor_from_the_first_exposure(story: Story) -> None:
    story.expose("phone", "b", day(2))
    story.expose("desk", "b", day(5))
    for device in ("phone", "desk"):
        story.log_in(device, "1", day(6))
    story.sell(order("o1", 3, customer="1"))

    assert of(found(story), "b") == (1, 1000, 1, 1, 0)


def test_a_person_of_two_arms_is_counted_and_left_out(story: Story) -> None:
    story.expose("phone", "b")
    story.expose("desk", "control")
    story.expose("ann", "control")
    for device in ("phone", "desk"):
        story.log_in(device, "1", day(6))
    story.sell(order("o1", customer="1"))

    outcome = found(story)

    assert (list(outcome.arms), outcome.multiple, outcome.orders) == (["control"], 1, 0)
    assert of(outcome, "control") == (1, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("days", "expected"),
    [(1.99, 0), (2, 1), (36.99, 1), (37, 0)],
    ids=["before the exposure", "at the exposure", "a week after the end", "later"],
)
def test_orders_count_from_the_exposure_until_a_week_after_the_end(
    story: Story, days: float, expected: int
) -> None:
    story.expose("ann", "b", day(2))
    story.log_in("ann", "1")
    story.sell(order("o1", days, customer="1"))

    assert of(found(story), "b", "orders") == (1, expected)


def test_exposures_outside_the_period_and_of_other_experiments_do_not_count(story: Story) -> None:
    story.expose("ann", "b", day(-1))
    story.expose("bob", "b", day(30))
    story.expose("cid", "b", experiment="two")

    assert found(story) == Outcomes({}, 0, 0, "USD")


@pytest.mark.parametrize(
    "sold",
    [
        replace(order("o1", customer="1"), status=OrderStatus.CANCELLED),
        replace(order("o1", customer="1"), test=True),
        replace(order("o1", customer="1"), currency="EUR"),
    ],
    ids=["cancelled", "test", "another currency"],
)
def test_what_is_no_revenue_of_the_store(story: Story, sold: OrderChange) -> None:
    story.expose("ann", "b")
    story.log_in("ann", "1")
    story.sell(sold)

    assert of(found(story), "b") == (1, 0, 0, 0, 0)


def test_a_refund_takes_off_what_it_took(story: Story) -> None:
    story.expose("ann", "b")
    story.log_in("ann", "1")
    whole = order_change(
        "o1", line("p1", 4, left=3, price=250), placed=DAY, seconds=DAY, customer=CustomerRef("1")
    )
    story.sell(whole)

    assert of(found(story), "b") == (1, 750, 1, 1, 0)


@pytest.mark.parametrize(
    ("logged_in", "days", "expected"),
    [(-40, -1, 1000), (-1, -10, 1000), (1, -10, 0), (-40, -29, 0)],
    ids=["known long ago", "known since yesterday", "known only since", "longer ago than that"],
)
def test_before_counts_what_was_known_before(
    story: Story, logged_in: float, days: float, expected: float
) -> None:
    story.expose("ann", "b")
    story.log_in("ann", "1", day(logged_in))
    story.sell(order("o1", days, customer="1"))

    assert of(found(story), "b") == (1, 0, 0, 0, expected)


def test_before_counts_what_this_very_visitor_told(story: Story) -> None:
    story.expose("phone", "b")
    for device in ("phone", "desk"):
        story.log_in(device, "1", day(3))
        story.tell("Order Completed", device, day(-2), order_id=device)
    story.sell(order("phone", -2, 700), order("desk", -2, 300))

    assert of(found(story), "b", "before") == (1, 700)


def test_revenue_counts_up_to_the_cap_of_a_person(story: Story) -> None:
    story.expose("ann", "b")
    story.log_in("ann", "1", day(-5))
    story.sell(*(order(f"o{n}", n, 800, customer="1") for n in (-3, -2, 1, 2)))

    capped = found(story, cap=1000)

    assert of(capped, "b", "revenue", "raw_revenue", "before") == (1, 1000, 1600, 1000)
    assert "raw_revenue" not in found(story).arms["b"].columns


@pytest.mark.parametrize(
    ("percent", "known", "expected"),
    [(0, True, 1300), (0, False, None), (40, False, 1100)],
    ids=["by cost", "unknown", "by the store's usual margin"],
)
def test_the_margin(shared_app: Flask, percent: float, known: bool, expected: float | None) -> None:
    with shared_app.app_context():
        story = Story(margin_percent=percent)
        variant = replace(variant_state("v1"), cost=300)
        story.sell(product_change("p1", variant), replace(product_change("p2"), cost=400 if known else None))
        story.expose("ann", "b")
        story.log_in("ann", "1")
        lines = line("p1", variant="v1"), line("p2")
        story.sell(order_change("o1", *lines, placed=DAY, seconds=DAY, customer=CustomerRef("1")))

        arm = found(story).arms["b"]

        assert (arm.sum("margin") if "margin" in arm.columns else None) == expected


def test_everybody_who_saw_a_box_is_one_arm(story: Story) -> None:
    story.view("ann", "d1", day(1))
    story.view("ann", "d2", day(3))
    story.view("bob", "d3", day(2))
    story.log_in("ann", "1")
    story.sell(order("o1", 2, customer="1"))

    outcome = outcomes.of_everybody(db.session.connection(), story.id, Period(BEGIN, day(28)))

    assert of(outcome, "all") == (2, 1000, 1, 1, 0)


def test_another_stores_people_and_orders_are_not_mine(story: Story) -> None:
    other = Story()
    for each in (story, other):
        each.expose("ann", "b")
        each.log_in("ann", "1")
    other.sell(order("o1", customer="1"))

    assert of(found(story), "b") == (1, 0, 0, 0, 0)
    assert of(found(other), "b") == (1, 1000, 1, 1, 0)
    assert found(story).first_at == BEGIN + timedelta()
