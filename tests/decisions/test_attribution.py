"""What answers led to: the funnel by source and product, and who gets the credit for an order."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from app.commerce.changes import CustomerRef
from app.commerce.store import rotate_keys
from app.core.db import db, now
from app.decisions import attribution
from app.decisions.attribution import Line, Source, Touch
from app.events.buyers import Sale
from tests.experiments.story import Story, day
from tests.factories import BEGIN, line, order_change

HOME, CART = Source("home", "trending", "DEFAULT"), Source("cart", "complete_the_cart", "SPLIT")


@pytest.fixture
def story(shared_app: Flask) -> Iterator[Story]:
    with shared_app.app_context():
        yield Story()


def report(story: Story, since: float = 0, until: float = 28) -> dict[str, Any]:
    return attribution.report(db.session.connection(), story.id, day(since), day(until))


def a_visit(story: Story, visitor: str = "ann", at: datetime = BEGIN) -> None:
    """See two products of an answer, click one and add it."""
    story.decide("d1", visitor, at, slot="product", strategy="trending", reason="SPLIT", shown=["p1", "p2"])
    story.view(visitor, "d1", at, products=["p1", "p2"])
    for name in ("Product Clicked", "Product Added"):
        story.tell(name, visitor, at, products=["p1"], decision_id="d1")


def test_a_funnel_from_seen_to_ordered(story: Story) -> None:
    a_visit(story)
    story.decide("d2", strategy="best_sellers", slot="home")
    story.view("bob", "d2", products=["p1"])
    story.view("cid", "d2", day(1))
    story.tell("Order Completed", "ann", day(1), order_id="o1")
    sold = line("p1", 4, left=3, price=100), line("p2", price=900)
    story.sell(order_change("o1", *sold, placed=86_400, seconds=86_400), order_change("o2", "p1", placed=5))

    made = report(story)

    assert (made["orders"], made["revenue"], made["credited_orders"], made["credited_revenue"]) == (
        2, 2200, 1, 300,
    )  # fmt: skip
    assert made["answers"] == [
        {
            "slot": "product", "strategy": "trending", "reason": "SPLIT", "views": 1, "empty": 0, "people": 1,
            "impressions": 2, "clicks": 1, "adds": 1, "orders": 1, "revenue": 300,
        },
        {
            "slot": "home", "strategy": "best_sellers", "reason": "DEFAULT", "views": 2, "empty": 1, "people": 2,
            "impressions": 1, "clicks": 0, "adds": 0, "orders": 0, "revenue": 0,
        },
    ]  # fmt: skip
    assert made["products"] == [
        {
            "product_id": "p1", "people": 2, "impressions": 2, "clicks": 1, "adds": 1, "orders": 1, "revenue": 300,
        },
        {
            "product_id": "p2", "people": 1, "impressions": 1, "clicks": 0, "adds": 0, "orders": 0, "revenue": 0,
        },
    ]  # fmt: skip


def test_a_decision_of_several_days_counts_once(story: Story) -> None:
    for number in (0, 1):
        story.decide("d1", at=day(number))
    story.view("ann", "d1", day(1), products=["p1"])

    assert [(each["views"], each["impressions"]) for each in report(story)["answers"]] == [(1, 1)]


@pytest.mark.parametrize("whose", ["another's", "unknown"])
def test_events_that_name_no_answer_of_theirs_do_not_count(story: Story, whose: str) -> None:
    if whose == "another's":
        story.decide("d1", "bob")
    story.view("ann", "d1", products=["p1"])

    assert (report(story)["answers"], report(story)["products"]) == ([], [])


def test_an_order_on_another_device_of_the_person_is_credited(story: Story) -> None:
    a_visit(story)
    story.log_in("ann", "1", day(3))
    story.sell(order_change("o1", "p1", placed=86_400, seconds=86_400, customer=CustomerRef("1")))

    assert report(story)["credited_revenue"] == 1000


def test_a_click_before_the_period_is_credited_with_an_order_in_it(story: Story) -> None:
    a_visit(story, at=day(-2))
    story.tell("Order Completed", "ann", day(1), order_id="o1")
    story.sell(order_change("o1", "p1", placed=86_400, seconds=86_400))

    made = report(story)

    assert [(each["views"], each["revenue"]) for each in made["answers"]] == [(0, 1000)]


def touch(at: float, source: Source = HOME, product: str = "p1", person: str = "ann") -> Touch:
    return Touch(person, product, day(at), source)


SALE = Sale(1, day(10), (), None, 1000.0, None)


@pytest.mark.parametrize(
    ("touches", "expected"),
    [
        ([touch(9)], [HOME]),
        ([touch(8), touch(9, CART)], [CART]),
        ([touch(9, CART), touch(8)], [CART]),
        ([touch(10)], [HOME]),
        ([touch(10.01)], []),
        ([touch(3)], [HOME]),
        ([touch(2.99)], []),
        ([touch(9, product="p2")], []),
        ([touch(9, person="bob")], []),
        ([], []),
    ],
    ids=[
        "clicked", "the last", "in any order", "just now", "afterwards", "7 days ago", "longer ago",
        "another product", "another person", "never",
    ],
)  # fmt: skip
def test_the_last_touch_within_a_week_gets_the_credit(touches: list[Touch], expected: list[Source]) -> None:
    credited = attribution.credit(touches, [SALE], {1: "ann"}, [Line(1, "p1", 1000.0)])

    assert [source for _, source in credited] == expected


@given(
    st.lists(
        st.builds(
            touch,
            st.floats(0, 12),
            st.sampled_from([HOME, CART]),
            st.sampled_from(["p1", "p2"]),
            st.sampled_from(["ann", "bob"]),
        ),
        max_size=20,
    ),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["p1", "p2", "p3"])), unique=True, max_size=12),
)
def test_no_line_is_credited_twice(touches: list[Touch], bought: list[tuple[int, str]]) -> None:
    sold = [replace(SALE, id=number, at=day(number * 3)) for number in range(4)]
    lines = [Line(order, product, 100.0) for order, product in bought]

    credited = attribution.credit(touches, sold, {0: "ann", 1: "bob", 2: "ann"}, lines)

    found = [line for line, _ in credited]
    assert len(set(map(id, found))) == len(found)
    assert {(each.order, each.product) for each in found} <= set(bought)
    assert not any(each.order == 3 or each.product == "p3" for each in found)


def test_the_report_over_http_is_of_my_store_alone(story: Story, shared_app: Flask) -> None:
    mine, other = Story(), Story()
    at = now() - timedelta(days=1)
    a_visit(mine, at=at)
    db.session.commit()
    client = shared_app.test_client()

    def ask(story: Story, query: str = "") -> Any:
        key = rotate_keys(story.store).secret
        db.session.commit()
        return client.get(f"/v1/reports/attribution{query}", headers={"Authorization": f"Bearer {key}"})

    assert [each["clicks"] for each in ask(mine).json["answers"]] == [1]
    assert (ask(other).json["answers"], ask(other).json["rule"]) == ([], attribution.RULE)
    assert ask(mine, "?days=91").status_code == 422
