"""Whatever the order of arrival, the batches and the repetitions: the same rows."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.commerce import ingest
from app.commerce.changes import CommerceChange, OrderStatus, ProductStatus
from app.core.db import db
from tests.commerce.tables import dump
from tests.factories import (
    adjustment,
    cart_change,
    customer_change,
    customer_deletion,
    customer_ref,
    inventory_change,
    line,
    new_store,
    order_change,
    order_deletion,
    product_change,
    product_deletion,
    variant_change,
    variant_state,
)

ORDERS = ("o1", "o2")
# p1 always lists its variants, p2 in some states, p3 never, but may name them; p4 is only ever named by others.
PRODUCTS = ("p1", "p2", "p3", "p4")
# What happened to an order never changes afterwards: the same id always says the same.
ADJUSTMENTS = (
    adjustment("o1", "refund:1", 2, p1=-1),
    adjustment("o1", "refund:2", 4, p1=-1, p2=-2),
    adjustment("o2", "edit:1", 3, p1=1, p3=-1),
    adjustment("o2", "refund:3", 5, p2=-1),
)

seconds = st.integers(0, 5)
customers = st.builds(
    customer_ref, st.sampled_from(["c1", "c2", None]), st.sampled_from(["ann@example.com", "bob@example.com"])
) | st.builds(customer_ref, st.sampled_from(["c1", "c2"]), st.none())


@st.composite
def order_states(draw: st.DrawFn) -> CommerceChange:
    order = draw(st.sampled_from(ORDERS))
    lines = [
        line(
            draw(st.just(product) | st.none()) if product == "p4" else product,
            draw(st.integers(1, 3)),
            left=draw(st.none() | st.integers(0, 3)),
            line_id=f"line-{product}",
            gift_card=draw(st.sampled_from([False, False, True])),
        )
        for product in draw(st.lists(st.sampled_from(PRODUCTS), unique=True))
    ]
    known = [a.adjustment_id for a in ADJUSTMENTS if a.order_platform_id == order]
    return order_change(
        order,
        *lines,
        seconds=draw(seconds),
        placed=draw(st.integers(0, 2)) * 86_400,
        status=draw(st.sampled_from([*OrderStatus, OrderStatus.PLACED, OrderStatus.PLACED])),
        test=draw(st.sampled_from([False, False, False, True])),
        customer=draw(st.none() | customers),
        adjustments=draw(st.lists(st.sampled_from(known), unique=True)),
    )


@st.composite
def product_states(draw: st.DrawFn) -> CommerceChange:
    product = draw(st.sampled_from(["p1", "p2", "p3"]))
    variants = [
        variant_state(
            f"{product}-v{number}",
            price=draw(st.integers(1, 2)),
            stock=draw(st.none() | st.integers(-1, 1)),
            sells_when_out=draw(st.booleans()),
            item=draw(st.none() | st.just(f"{product}-i{number}")),
        )
        for number in draw(st.lists(st.integers(1, 3), unique=True))
    ]
    return product_change(
        product,
        *variants,
        seconds=draw(seconds),
        title=draw(st.sampled_from(["Mug", "Tray"])),
        status=draw(st.sampled_from([ProductStatus.ACTIVE, ProductStatus.DRAFT])),
        available=draw(st.none() | st.booleans()),
        tags=draw(st.lists(st.sampled_from(["new", "red"]), unique=True)),
        lists_variants=product == "p1" or (product == "p2" and draw(st.booleans())),
        variant_ids=draw(
            st.none() | st.lists(st.sampled_from([f"{product}-v{n}" for n in (1, 2, 3)]), unique=True)
        ),
    )


@st.composite
def lone_variants(draw: st.DrawFn) -> CommerceChange:
    number = draw(st.integers(1, 2))
    variant = variant_state(
        f"p3-v{number}", price=draw(st.integers(1, 2)), stock=draw(st.integers(0, 1)), item=f"p3-i{number}"
    )
    return variant_change("p3", variant, seconds=draw(seconds), available=draw(st.booleans()))


any_change = st.one_of(
    order_states(),
    order_states(),
    st.sampled_from(ADJUSTMENTS),
    st.builds(order_deletion, st.sampled_from(ORDERS), seconds),
    product_states(),
    lone_variants(),
    st.builds(product_deletion, st.sampled_from(PRODUCTS), seconds),
    st.builds(
        inventory_change,
        st.sampled_from(["p1-i1", "p1-i2", "p3-i1"]),
        st.integers(-1, 2),
        location=st.sampled_from(["here", "there"]),
        seconds=seconds,
    ),
    st.builds(
        customer_change, st.sampled_from(["c1", "c2"]), st.sampled_from(["ann@example.com", None]), seconds
    ),
    st.builds(customer_deletion, st.sampled_from(["c1", "c2"]), seconds),
    st.builds(cart_change, st.sampled_from(["k1", "k2"]), st.sampled_from(PRODUCTS), seconds=seconds),
)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[CommerceChange], list[list[CommerceChange]]]:
    """Return a history, and the same shuffled, with repetitions, cut into batches."""
    history = draw(st.lists(any_change, min_size=2, max_size=14))
    repeated = draw(st.lists(st.sampled_from(history), max_size=5))
    shuffled = draw(st.permutations([*history, *repeated]))
    cuts = sorted(draw(st.sets(st.integers(1, len(shuffled) - 1))))
    bounds = [0, *cuts, len(shuffled)]
    return history, [shuffled[a:b] for a, b in pairwise(bounds)]


def tables_after(batches: Sequence[Sequence[CommerceChange]]) -> dict[str, list[dict[str, Any]]]:
    store_id = new_store().id
    for batch in batches:
        ingest.apply(db.session.connection(), store_id, batch)
        db.session.commit()
    return dump(db.session.connection(), store_id)


@pytest.mark.usefixtures("store")
@pytest.mark.timeout(600)  # looking for the smallest failing case takes a while
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrivals())
def test_any_arrival_ends_in_the_same_rows(
    arrival: tuple[list[CommerceChange], list[list[CommerceChange]]],
) -> None:
    history, batches = arrival

    assert tables_after(batches) == tables_after([[change] for change in history])
