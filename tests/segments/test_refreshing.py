"""Segments in the database: computed for everybody, updated for some, previewed for nobody."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from app.commerce import ingest
from app.commerce.cart import Cart
from app.commerce.changes import OrderStatus
from app.commerce.customer import Customer
from app.commerce.store import Store
from app.core.db import db, try_lock_store
from app.events.links import PLATFORM_MERGE, link
from app.events.models import Event
from app.privacy.purposes import Purposes
from app.privacy.rooms import Person
from app.privacy.subjects import cart_node, customer_node, subject_of, visitor_node
from app.segments import loading, memberships, named, refreshing
from app.segments.conditions import read
from app.segments.models import Segment, SegmentMembership, SegmentRun
from app.segments.placing import Membership
from app.segments.rooms import SegmentsRoom
from tests.factories import (
    BEGIN,
    DAY,
    at,
    cart_change,
    customer_change,
    customer_deletion,
    customer_ref,
    digest,
    line,
    new_store,
    order_change,
    order_deletion,
    product_change,
    refund,
)
from tests.recommendations.shops import counted_statements
from tests.segments.conftest import Apply

# So many days after the beginning of the story.
TODAY = BEGIN + timedelta(days=100)


def bought(number: int, customer: int, day: float, price: int = 1000, **fields: Any) -> Any:
    """Return an order of one product by a customer, so many days before today."""
    lines = fields.pop("lines", (line("p", price=price),))
    return order_change(
        f"o{number}", *lines, placed=(100 - day) * DAY, seconds=(100 - day) * DAY,
        customer=customer_ref(f"c{customer}", f"c{customer}@example.com"), **fields,
    )  # fmt: skip


def refreshed(store: Store, when: datetime = TODAY) -> refreshing.Refreshed:
    with time_machine.travel(when, tick=False):
        found = refreshing.refresh(store.id)
    assert found is not None
    return found


def updated(store: Store, *customers: int, when: datetime = TODAY) -> int:
    ids = db.session.scalars(
        select(Customer.id).where(
            Customer.store_id == store.id, Customer.platform_id.in_([f"c{c}" for c in customers])
        )
    )
    with time_machine.travel(when, tick=False):
        count = refreshing.update(db.session.connection(), store.id, ids)
    db.session.commit()
    return count


def defined(store: Store, key: str, definition: dict[str, Any]) -> None:
    db.session.add(Segment(store_id=store.id, key=key, name=key.title(), definition=definition))
    db.session.commit()


def kept(store: Store) -> dict[tuple[str, str], tuple[datetime, datetime, Any]]:
    """Return (since, as of, reason) by segment and platform id."""
    db.session.rollback()
    rows = db.session.execute(
        select(
            SegmentMembership.segment, Customer.platform_id, SegmentMembership.since, SegmentMembership.as_of,
            SegmentMembership.reason,
        ).join(Customer, Customer.id == SegmentMembership.customer_id)
        .where(SegmentMembership.store_id == store.id)
    )  # fmt: skip
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}


def who(store: Store, segment: str) -> set[str]:
    return {customer for key, customer in kept(store) if key == segment}


def ten_customers() -> list[Any]:
    """Return orders of ten customers: the first bought last, most often, and for most."""
    orders = []
    for customer in range(10):
        for n in range(10 - customer):
            orders.append(
                bought(len(orders), customer, day=9 * customer + 1 + n * 0.1, price=1000 - 50 * customer)
            )
    return orders


def test_everybody_who_bought_is_in_one_of_the_exclusive_segments(store: Store, apply: Apply) -> None:
    apply(*ten_customers(), customer_change("c99", "c99@example.com"))

    found = refreshed(store)

    assert (found.people, found.scored) == (11, 10)
    in_exclusive = Counter(c for s in named.EXCLUSIVE for c in who(store, s.key))
    assert in_exclusive == {f"c{n}": 1 for n in range(10)}
    assert sum(found.sizes.get(s.key, 0) for s in named.EXCLUSIVE) == 10
    assert who(store, named.CHAMPIONS) == {"c0", "c1", "c2", "c3"}
    assert who(store, named.LOST) == {"c6", "c7", "c8", "c9"} - who(store, named.HIBERNATING)
    assert who(store, named.HIGH_SPENDER) == {"c0"}


def test_a_membership_says_since_when_and_why(store: Store, apply: Apply) -> None:
    apply(bought(1, 1, day=3, price=2000), bought(2, 1, day=10, price=500))

    refreshed(store)

    since, as_of, reason = kept(store)[named.NEW, "c1"]
    assert (since, as_of) == (TODAY, TODAY)
    assert reason == {
        "rule": "R 5 F 1 M 1–5",
        "measured": {
            "recency_days": 3, "frequency": 2, "monetary": 2500, "scores": "R5 F1 M1", "window_days": 730,
        },
    }  # fmt: skip


def test_since_survives_and_is_new_after_a_break(store: Store, apply: Apply) -> None:
    apply(*ten_customers())
    refreshed(store)

    refreshed(store, TODAY + timedelta(days=1))
    assert kept(store)[named.CHAMPIONS, "c0"][:2] == (TODAY, TODAY + timedelta(days=1))

    apply(bought(900, 9, day=-2, price=10))
    refreshed(store, TODAY + timedelta(days=2))
    assert (named.LOST, "c9") not in kept(store)
    (moved,) = [value for (key, c), value in kept(store).items() if c == "c9" and named.NAMED[key].exclusive]
    assert moved[:2] == (TODAY + timedelta(days=2), TODAY + timedelta(days=2))


@pytest.mark.parametrize(
    "changes",
    [
        [bought(1, 1, day=5, status=OrderStatus.CANCELLED)],
        [bought(1, 1, day=5, status=OrderStatus.PENDING)],
        [bought(1, 1, day=5, test=True)],
        [bought(1, 1, day=5), order_deletion("o1", seconds=96 * DAY)],
        [bought(1, 1, day=5), refund("o1", 1, seconds=96 * DAY, p=1)],
        [bought(1, 1, day=5, lines=(line("p", gift_card=True),))],
        [bought(1, 1, day=731)],
    ],
    ids=["cancelled", "unpaid", "test", "deleted", "refunded", "gift card", "long ago"],
)
def test_what_is_no_sale_makes_nobody_a_buyer(store: Store, apply: Apply, changes: list[Any]) -> None:
    apply(*changes)

    found = refreshed(store)

    assert (found.people, found.scored, found.sizes) == (1, 0, {})


def test_money_is_net_of_refunds_and_discounts_and_of_the_stores_currency(store: Store, apply: Apply) -> None:
    mugs = replace(line("p", 3, price=1000), discount=300)
    apply(
        bought(1, 1, day=6, lines=(mugs, line(None, price=99, line_id="gift wrap"))),
        refund("o1", 1, seconds=95 * DAY, p=1),
        replace(bought(2, 1, day=5), currency="JPY"),
    )

    refreshed(store)

    measured = kept(store)[named.NEW, "c1"][2]["measured"]
    assert (measured["frequency"], measured["monetary"]) == (2, 2 * 1000 - 200 + 99)


def test_money_that_no_shop_earns_does_not_stop_the_others(store: Store, apply: Apply) -> None:
    apply(*(bought(n, 1, day=1, lines=(line("p", 5, price=2**62),)) for n in range(3)), bought(9, 2, day=1))

    assert refreshed(store).scored == 2
    (richest,) = [reason for (_, customer), (_, _, reason) in kept(store).items() if customer == "c1"]
    assert richest["measured"]["monetary"] == 3 * 10**15


def test_customers_whom_the_platform_merged_count_as_one(store: Store, apply: Apply) -> None:
    apply(bought(1, 1, day=3), bought(2, 2, day=50), bought(3, 3, day=60))
    link(
        db.session.connection(),
        store.id,
        [(customer_node("c1"), customer_node("c2"), PLATFORM_MERGE)],
        TODAY,
    )
    db.session.commit()

    found = refreshed(store)

    assert (found.people, found.scored) == (2, 2)
    (reason,) = [value[2] for (key, c), value in kept(store).items() if c == "c1"]
    assert reason["measured"]["frequency"] == 2
    assert {c for _, c in kept(store)} == {"c1", "c3"}
    by_either = [memberships.segments_of(db.session.connection(), store.id, c) for c in ("c1", "c2")]
    assert by_either[0] == by_either[1] != []
    updated(store, 2)
    assert {c for _, c in kept(store)} == {"c1", "c3"}


def test_a_deleted_customer_is_in_no_segment(store: Store, apply: Apply) -> None:
    apply(*ten_customers())
    refreshed(store)

    apply(customer_deletion("c0", seconds=100 * DAY))

    assert memberships.segments_of(db.session.connection(), store.id, "c0") == []
    sizes = memberships.sizes(db.session.connection(), store.id)
    assert sum(sizes.get(s.key, 0) for s in named.EXCLUSIVE) == 9
    refreshed(store, TODAY + timedelta(days=1))
    assert not {key for key in kept(store) if key[1] == "c0"}


def test_stores_do_not_mix(store: Store, apply: Apply) -> None:
    other = new_store()
    apply(*ten_customers())

    assert refreshed(other).people == 0
    refreshed(store)

    assert kept(other) == {}
    assert memberships.segments_of(db.session.connection(), other.id, "c0") == []


def test_who_is_deleted_while_a_group_is_placed_gets_no_membership(store: Store, apply: Apply) -> None:
    apply(bought(1, 1, day=1), bought(2, 2, day=1))
    (group,) = loading.groups(db.session.connection, store.id)
    apply(customer_deletion("c1", seconds=100 * DAY))

    found = [Membership("mine", person, {}) for person in range(2)]
    written = memberships.write(db.session.connection(), store.id, group, found, TODAY)
    db.session.commit()

    assert (written, who(store, "mine")) == (1, {"c2"})


# --- the merchant's own ---------------------------------------------------------------------------------


def test_ones_own_segment_asks_for_orders_products_and_categories(store: Store, apply: Apply) -> None:
    mug, hat = (product_change(p, title=p) for p in ("mug", "hat"))
    apply(
        replace(mug, category="Mugs"),
        hat,
        bought(1, 1, day=3, lines=("mug", "hat")),
        bought(2, 2, day=3, lines=("hat",)),
        bought(3, 3, day=40, lines=("mug",)),
    )
    defined(store, "mugs", {"fact": "orders", "categories": ["Mugs"], "at_least": 1})
    defined(store, "late_hats", {"fact": "days_since_order", "products": ["hat"], "at_most": 30})
    defined(store, "no_mugs", {"not": {"fact": "orders", "categories": ["Mugs"], "at_least": 1}})

    refreshed(store)

    assert who(store, "mugs") == {"c1", "c3"}
    assert who(store, "late_hats") == {"c1", "c2"}
    assert who(store, "no_mugs") == {"c2"}
    assert kept(store)["mugs", "c3"][2] == {
        "rule": "Customers with at least 1 order with category “Mugs”.",
        "measured": {"orders with category “Mugs”": 1},
    }


def saw(store: Store, node: str, name: str, purposes: Purposes, day: float = 1, product: str = "mug") -> None:
    when = TODAY - timedelta(days=day)
    db.session.add(
        Event(store_id=store.id, received_at=when, occurred_at=when, subject=subject_of(store.id, node),
              type="track", name=name, products=[product], properties={}, purposes=int(purposes),
              source="web", message=b"m")
    )  # fmt: skip
    db.session.commit()


def test_ones_own_segment_asks_for_events_that_were_allowed_for_it(store: Store, apply: Apply) -> None:
    apply(product_change("mug"), *(customer_change(f"c{n}", f"c{n}@example.com") for n in range(1, 6)))
    browser = visitor_node(store.id, "browser")
    link(db.session.connection(), store.id, [(customer_node("c1"), browser, "logged_in")], TODAY)
    both = Purposes.ANALYTICS | Purposes.MARKETING
    saw(store, browser, "Product Viewed", both)
    saw(store, customer_node("c2"), "Product Viewed", both)
    saw(store, customer_node("c3"), "Product Viewed", Purposes.ANALYTICS)
    saw(store, customer_node("c4"), "Product Viewed", both, day=8)
    saw(store, customer_node("c5"), "Product Viewed", both, product="hat")
    looked = {"fact": "events", "event": "Product Viewed", "at_least": 1, "within_days": 7}
    defined(store, "looked", {**looked, "products": ["mug"]})

    refreshed(store)

    assert who(store, "looked") == {"c1", "c2"}


def test_ones_own_segment_asks_for_carts(store: Store, apply: Apply) -> None:
    apply(
        *(customer_change(f"c{n}", f"c{n}@example.com") for n in (1, 2)),
        cart_change("left", "mug", "hat", seconds=99 * DAY),
        cart_change("nobody", "mug", seconds=99 * DAY),
    )
    link(
        db.session.connection(),
        store.id,
        [(customer_node("c1"), cart_node(store.id, digest("left")), "cart")],
        TODAY,
    )
    db.session.execute(update(Cart).where(Cart.store_id == store.id).values(outcome="abandoned"))
    db.session.commit()
    defined(
        store, "left", {"fact": "cart_value", "state": "abandoned", "products": ["hat"], "at_least": 2000}
    )
    defined(store, "open", {"fact": "carts", "state": "open", "at_least": 1})

    refreshed(store)

    assert (who(store, "left"), who(store, "open")) == ({"c1"}, set())


# --- updating -------------------------------------------------------------------------------------------


def test_before_the_first_refresh_an_update_does_nothing(store: Store, apply: Apply) -> None:
    apply(bought(1, 1, day=1))

    assert updated(store, 1) == 0
    assert kept(store) == {}


def test_an_order_moves_its_customer_at_once(store: Store, apply: Apply) -> None:
    apply(*ten_customers())
    defined(store, "often", {"fact": "orders", "at_least": 2})
    refreshed(store)
    assert "c9" not in who(store, "often")

    apply(bought(900, 9, day=-1, price=10))
    updated(store, 9, when=TODAY + timedelta(days=1))

    assert "c9" in who(store, "often")
    assert "c9" not in who(store, named.LOST)
    assert kept(store)[named.CHAMPIONS, "c0"][1] == TODAY


def test_an_update_leaves_what_asks_for_events_to_the_night(store: Store, apply: Apply) -> None:
    apply(product_change("mug"), bought(1, 1, day=1))
    saw(store, customer_node("c1"), "Product Viewed", Purposes.ANALYTICS | Purposes.MARKETING)
    defined(store, "looked", {"fact": "events", "event": "Product Viewed", "at_least": 1})
    refreshed(store)

    updated(store, 1, when=TODAY + timedelta(hours=1))

    assert kept(store)["looked", "c1"][1] == TODAY
    assert kept(store)[named.NEW, "c1"][1] == TODAY + timedelta(hours=1)


def test_an_update_asks_no_more_of_the_database_for_many_than_for_one(
    store: Store, apply: Apply, shared_app: Flask
) -> None:
    apply(*ten_customers())
    defined(store, "mine", {"fact": "orders", "products": ["p"], "at_least": 2})
    refreshed(store)

    counts = []
    for customers in ([1], list(range(10))):
        with counted_statements(shared_app) as statements:
            updated(store, *customers)
        counts.append(len(statements))

    assert counts[0] == counts[1] <= 12


histories = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 60), st.integers(1, 3000)), min_size=1, max_size=12
)


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(before=histories, after=histories)
def test_an_update_gives_what_a_refresh_gives_by_the_same_cuts(
    shared_app: Flask, before: list[tuple[int, int, int]], after: list[tuple[int, int, int]]
) -> None:
    with shared_app.app_context():
        store = new_store()
        defined(
            store,
            "mine",
            {"any": [{"fact": "orders", "at_least": 2}, {"fact": "monetary_score", "at_least": 4}]},
        )
        connection = db.session.connection
        ingest.apply(connection(), store.id, [bought(n, *h) for n, h in enumerate(before)])
        db.session.commit()
        refreshed(store)
        ingest.apply(connection(), store.id, [bought(100 + n, *h) for n, h in enumerate(after)])
        db.session.commit()
        updated(store, *(c for c, _, _ in after))
        by_update = kept(store)

        run = db.session.get_one(SegmentRun, store.id)
        cuts = refreshing.Cuts.from_json(run.cuts)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(refreshing, "cut", lambda _: cuts)
            refreshed(store)

        assert kept(store) == by_update
        db.session.rollback()


# --- groups ---------------------------------------------------------------------------------------------


def test_the_size_of_groups_changes_nothing(
    store: Store, apply: Apply, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(*ten_customers())
    link(
        db.session.connection(), store.id, [(customer_node("c2"), customer_node("c9"), PLATFORM_MERGE)], TODAY
    )
    db.session.commit()
    refreshed(store)
    whole = kept(store)

    monkeypatch.setattr(loading, "GROUP", 3)
    steps: list[tuple[str, int, int]] = []
    with time_machine.travel(TODAY, tick=False):
        refreshing.refresh(store.id, lambda *step: steps.append(step))

    assert kept(store) == whole
    assert [step for step in steps if step[1] == 9] == [("measured", 9, 10), ("placed", 9, 10)]


def test_one_refresh_of_a_store_at_a_time(store: Store, apply: Apply) -> None:
    with try_lock_store(store.id, refreshing.REFRESH_LOCK) as mine:
        assert mine
        assert refreshing.refresh(store.id) is None


# --- previews -------------------------------------------------------------------------------------------


def previewed(store: Store, definition: dict[str, Any]) -> refreshing.Preview:
    with time_machine.travel(TODAY, tick=False):
        found = refreshing.preview(db.session.connection(), store.id, read(definition))
    db.session.rollback()
    return found


@pytest.mark.parametrize("computed", [False, True], ids=["never computed", "computed"])
def test_a_preview_gives_what_saving_would(store: Store, apply: Apply, computed: bool) -> None:
    apply(*ten_customers(), customer_change("c99", "c99@example.com"))
    if computed:
        refreshed(store)
    definition = {"fact": "recency_score", "at_least": 4}

    found = previewed(store, definition)

    assert (found.customers, found.looked_at, found.size) == (11, 11, 4)
    assert found.sentence == "Customers with a recency score of at least 4."
    assert found.reasons == [
        {"rule": found.sentence, "measured": {"recency score": score}} for score in (5, 5, 4, 4)
    ]
    assert ("mine" in {key for key, _ in kept(store)}, who(store, "mine")) == (False, set())
    defined(store, "mine", definition)
    refreshed(store)
    assert len(who(store, "mine")) == found.size


def test_a_preview_of_a_large_store_is_estimated(
    store: Store, apply: Apply, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(*(customer_change(f"c{n}", f"c{n}@example.com") for n in range(40)))
    monkeypatch.setattr(refreshing, "PREVIEWED", 10)

    found = previewed(store, {"fact": "orders", "at_most": 0})

    assert (found.customers, found.size, found.looked_at) == (40, 40, 10)
    assert len(found.reasons) == 5


# --- export and erasure ---------------------------------------------------------------------------------


def test_a_person_is_told_and_taken_out(store: Store, apply: Apply) -> None:
    apply(*ten_customers())
    refreshed(store)
    one, two = db.session.scalars(
        select(Customer.id).where(Customer.store_id == store.id, Customer.platform_id.in_(["c0", "c1"]))
        .order_by(Customer.platform_id)
    ).all()  # fmt: skip
    room, connection = SegmentsRoom(), db.session.connection()
    person = Person(store.id, customer_ids=frozenset({one}))

    told = room.export(connection, person)["segments"]
    removed = room.erase(connection, person)
    db.session.commit()

    assert {each["segment"] for each in told} == {"champions", "high_spender", "high_lifetime_value"}
    assert told[0]["since"] == TODAY.isoformat()
    assert removed == {"segment_membership": 3}
    connection = db.session.connection()
    assert room.export(connection, person) == {}
    assert room.erase(connection, person) == {"segment_membership": 0}
    assert room.export(connection, Person(store.id, customer_ids=frozenset({two}))) != {}
    assert db.session.get_one(SegmentRun, store.id).sizes == memberships.sizes(connection, store.id)
    assert "c0" not in {c for _, c in kept(store)}


def test_at_tells_the_story_from_its_beginning() -> None:
    assert at(100 * DAY) == TODAY
