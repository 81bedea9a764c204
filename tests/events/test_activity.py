"""What happened to products: the counts of days, what was viewed together, and telling it again."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.commerce import ingest
from app.commerce.catalog import Product
from app.commerce.store import NewKeys, Store
from app.core.db import db, now
from app.events import activity, jobs, links
from app.events.models import IdentityLink, ProductActivity
from app.events.personal import forget_subjects
from app.events.replay import Replayed, replay
from app.privacy.subjects import VISITOR, customer_node, digest, visitor_node
from tests.events.sending import kept, message, send
from tests.factories import product_change, variant_state

NAMES = ("Product Viewed", "Product Added", "Product Removed", "Cart Viewed")
FOREVER = date(2000, 1, 1)


def write(store: Store, who: str, name: str, products: list[str], at: datetime) -> None:
    """Write an event as the door does."""
    db.session.connection().exec_driver_sql(
        "INSERT INTO event (store_id, received_at, occurred_at, subject, type, name, products, properties, purposes,"
        " source, message) VALUES (%(store)s, %(at)s, %(at)s, %(who)s, 'track', %(name)s, %(products)s, '{}', 1,"
        " 'browser', '')",
        {
            "store": store.id,
            "at": at,
            "who": digest(store.id, VISITOR, who),
            "name": name,
            "products": products,
        },
    )


def cells(store: Store) -> dict[tuple[date, str], tuple[int, int, int, int]]:
    db.session.rollback()
    rows = db.session.scalars(select(ProductActivity).where(ProductActivity.store_id == store.id))
    return {(row.day, row.product): (row.people, row.views, row.adds, row.removes) for row in rows}


def plain(
    events: list[tuple[str, str, list[str], datetime]],
) -> dict[tuple[date, str], tuple[int, int, int, int]]:
    """Count events one by one."""
    found: dict[tuple[date, str], Any] = defaultdict(lambda: (set(), [0, 0, 0]))
    for who, name, products, at in events:
        for product in products if name in NAMES[:3] else []:
            people, counts = found[at.date(), product]
            people.add(who)
            counts[NAMES.index(name)] += 1
    return {cell: (len(people), *counts) for cell, (people, counts) in found.items()}


@pytest.fixture
def events(store: Store) -> list[tuple[str, str, list[str], datetime]]:
    """Events of some people over some days."""
    chance = random.Random(5)
    made = []
    for _ in range(200):
        at = now().replace(microsecond=0) - timedelta(hours=chance.uniform(0, 120))
        products = chance.sample(["1", "2", "3"], chance.randint(1, 2))
        made.append((f"visitor-{chance.randint(1, 9)}", chance.choice(NAMES), products, at))
        write(store, *made[-1])
    db.session.commit()
    return made


def count_all(store: Store, since: datetime = datetime(2000, 1, 1, tzinfo=UTC)) -> None:
    days = activity.touched_days(db.session.connection(), store.id, since, FOREVER)
    activity.recompute(db.session.connection(), store.id, days)
    db.session.commit()


def test_days_are_counted_as_one_would_by_hand(store: Store, events: Any) -> None:
    count_all(store)
    first = cells(store)
    count_all(store)

    assert first == plain(events) == cells(store)


def test_the_clock_counts_what_came_since_yesterday(store: Store, events: Any) -> None:
    assert jobs.count_activity() == 1

    recent = {at.date() for _, _, _, at in events if at >= now() - timedelta(hours=26)}
    assert cells(store) == {cell: counts for cell, counts in plain(events).items() if cell[0] in recent}


def test_somebody_who_leaves_is_taken_out_of_the_counts(store: Store, events: Any) -> None:
    count_all(store)

    gone = forget_subjects(db.session.connection(), store.id, [digest(store.id, VISITOR, "visitor-1")])
    db.session.commit()

    rest = [event for event in events if event[0] != "visitor-1"]
    assert gone == len(events) - len(rest) > 0
    assert cells(store) == plain(rest)


def test_a_product_that_nobody_touched_after_all_is_not_counted(store: Store, events: Any) -> None:
    count_all(store)
    db.session.add(
        ProductActivity(
            store_id=store.id, day=now().date(), product="ghost", people=9, views=9, adds=0, removes=0
        )
    )
    write(store, "visitor-1", "Product Viewed", ["1"], now())
    db.session.commit()

    count_all(store)

    assert (now().date(), "ghost") not in cells(store)


def test_counts_that_outlive_their_events_are_of_many_people(store: Store) -> None:
    old, young = (now() - timedelta(days=400)).date(), now().date()
    for day in (old, young):
        for people in (4, 5):
            db.session.add(
                ProductActivity(
                    store_id=store.id, day=day, product=str(people), people=people, views=9, adds=0, removes=0
                )
            )
    db.session.commit()

    jobs.forget_old_events()

    assert set(cells(store)) == {(old, "5"), (young, "4"), (young, "5")}


def test_visits_are_of_one_person_without_a_long_gap(store: Store) -> None:
    ingest.apply(
        db.session.connection(), store.id, [product_change(p, variant_state(f"v{p}")) for p in "12345"]
    )
    ids = {row.platform_id: row.id for row in db.session.execute(select(Product.platform_id, Product.id))}
    begin = now() - timedelta(days=1)

    def view(who: str, product: str, minute: float) -> None:
        write(store, who, "Product Viewed", [product], begin + timedelta(minutes=minute))

    for minute, product in ((0, "3"), (1, "1"), (2, "3"), (32, "unknown"), (31, "2")):  # one visit
        view("ann", product, minute)
    for minute, product in ((62.5, "4"), (63, "5")):  # of the same person, later
        view("ann", product, minute)
    view("bob", "1", 0)  # of one product
    view("cleo's phone", "1", 100)  # one visit on two devices
    view("cleo's laptop", "2", 110)
    write(store, "ann", "Cart Viewed", ["5"], begin)
    write(store, "old", "Product Viewed", ["1", "2"], begin - timedelta(days=9))
    nodes = [
        (visitor_node(store.id, f"cleo's {d}"), customer_node("c"), "server") for d in ("phone", "laptop")
    ]
    links.link(db.session.connection(), store.id, nodes, begin)
    db.session.commit()

    indptr, products = activity.visits(db.session.connection(), store.id, begin - timedelta(days=1))

    found = sorted(products[a:b].tolist() for a, b in pairwise(indptr))
    assert found == sorted([[ids["1"], ids["2"], ids["3"]], [ids["4"], ids["5"]], [ids["1"], ids["2"]]])
    assert (indptr.dtype, products.dtype) == (np.int64, np.int64)


def test_a_store_without_events_has_no_visits(store: Store) -> None:
    indptr, products = activity.visits(db.session.connection(), store.id, now())

    assert (indptr.tolist(), products.tolist()) == ([0], [])


# --- replay ---------------------------------------------------------------------------------------------


def linked(store: Store) -> list[tuple[str, str, str, datetime, datetime | None]]:
    db.session.rollback()
    rows = db.session.scalars(select(IdentityLink).where(IdentityLink.store_id == store.id))
    return sorted((r.left_node, r.right_node, r.reason, r.first_seen_at, r.revoked_at) for r in rows)


def test_a_replay_restores_what_was_lost_and_twice_is_once(
    client: FlaskClient, store: Store, send_keys: NewKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.events.replay._AT_ONCE", 2)
    sent = [message(anonymousId=f"v{n}", userId=f"c{n}") for n in range(4)]
    for each in sent:
        send(client, send_keys, each, server=True)
    count_all(store)
    before, counts = linked(store), cells(store)
    db.session.query(IdentityLink).delete()
    db.session.query(ProductActivity).delete()
    db.session.commit()

    first = replay(store.id, kept_from=FOREVER)
    again = replay(store.id, kept_from=FOREVER)

    assert (first, again) == (Replayed(4, 4, 1), Replayed(4, 0, 1))
    assert linked(store) == before
    assert cells(store) == counts
    assert len(before) == 4


def test_a_replay_takes_what_matches(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    for name in ("Product Viewed", "Cart Viewed", "Cart Viewed"):
        send(client, send_keys, message(event=name))
    second = kept(store)[1].received_at

    assert replay(store.id, name="Cart Viewed", kept_from=FOREVER).events == 2
    assert replay(store.id, since=second, kept_from=FOREVER).events == 2
    assert replay(store.id, until=second, kept_from=FOREVER).events == 1
    assert replay(store.id + 1, kept_from=FOREVER).events == 0


def test_a_replay_keeps_the_counts_of_days_whose_events_are_gone(store: Store) -> None:
    old = now() - timedelta(days=3)
    write(store, "ann", "Product Viewed", ["1"], old)
    db.session.add(
        ProductActivity(store_id=store.id, day=old.date(), product="1", people=9, views=9, adds=0, removes=0)
    )
    db.session.commit()

    assert replay(store.id, kept_from=(now() - timedelta(days=2)).date()) == Replayed(1, 0, 0)
    assert cells(store) == {(old.date(), "1"): (9, 9, 0, 0)}
