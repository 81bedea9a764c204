"""Customers, carts and the store itself: what stands, and what is forgotten."""

import itertools
from datetime import timedelta

import pytest
from sqlalchemy import delete

from app.commerce import ingest
from app.commerce.cart import Cart
from app.commerce.changes import ConnectionProblem, StoreUninstalled
from app.commerce.store import Store
from app.core.db import db
from tests.commerce.conftest import Apply, Tables
from tests.commerce.tables import dump
from tests.factories import (
    at,
    cart_change,
    customer_change,
    customer_deletion,
    customer_ref,
    digest,
    inventory_change,
    new_store,
    order_change,
    order_deletion,
    product_change,
    product_deletion,
    refund,
    variant_state,
)


def hashed(email: str) -> str:
    """Return the identity hash of the tests as PostgreSQL shows it in JSON."""
    return f"\\x{digest(email).hex()}"


def customers(tables: Tables) -> list[tuple[str | None, str | None]]:
    """Return platform id and identity hash of all customers."""
    return [(row["platform_id"], row["identity_hash"]) for row in tables()["customer"]]


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(4))), ids=str)
def test_the_newest_identity_of_a_customer_stands(
    apply: Apply, tables: Tables, arrival: tuple[int, ...]
) -> None:
    states = [
        customer_change("c1", "ann@example.com", seconds=1),
        customer_change("c1", "ann@example.org", seconds=3),
        customer_change("c1", "ann@example.net", seconds=2),
        customer_change("c1", None, seconds=4),
    ]

    for index in arrival:
        apply(states[index])

    assert tables()["customer"] == [
        {
            "platform_id": "c1",
            "identity_hash": hashed("ann@example.org"),
            "source_updated_at": "2026-01-05T12:00:03+00:00",
            "deleted_at": None,
        }
    ]


def test_identities_of_one_second_are_settled_by_their_value(apply: Apply, tables: Tables) -> None:
    emails = ["ann@example.com", "ann@example.org", "ann@example.net"]
    highest = max(emails, key=digest)

    for number, arrival in enumerate(itertools.permutations(emails)):
        for email in arrival:
            apply(customer_change(f"c{number}", email))

    assert [identity for _, identity in customers(tables)] == [hashed(highest)] * 6


def test_an_order_makes_its_customer_known(apply: Apply, tables: Tables) -> None:
    apply(order_change("order", "p1", customer=customer_ref("c1", "ann@example.com")))

    assert customers(tables) == [("c1", hashed("ann@example.com"))]
    assert tables()["orders"][0]["customer_id"] == "c1"


def test_a_guest_is_known_by_the_identity_alone(apply: Apply, tables: Tables) -> None:
    guest = customer_ref(None, "ann@example.com")

    apply(order_change("o1", "p1", customer=guest))
    apply(order_change("o2", "p1", customer=guest))

    assert customers(tables) == [(None, hashed("ann@example.com"))]
    assert [row["customer_id"] for row in tables()["orders"]] == [digest("ann@example.com").hex()] * 2


def test_nobody_is_nobody(apply: Apply, tables: Tables) -> None:
    apply(order_change("order", "p1", customer=customer_ref(None, None)))

    assert customers(tables) == []
    assert tables()["orders"][0]["customer_id"] is None


@pytest.mark.parametrize("deletion_first", [False, True], ids=["deleted later", "deleted before"])
@pytest.mark.parametrize("together", [False, True], ids=["apart", "one batch"])
def test_a_deleted_customer_is_forgotten_and_the_orders_stay(
    apply: Apply, tables: Tables, deletion_first: bool, together: bool
) -> None:
    order = order_change("order", "p1", customer=customer_ref("c1", "ann@example.com"))
    deletion = customer_deletion("c1", 5)
    arriving = (deletion, order) if deletion_first else (order, deletion)

    for batch in (arriving,) if together else ((arriving[0],), (arriving[1],)):
        apply(*batch)

    assert tables()["customer"] == [
        {
            "platform_id": "c1",
            "identity_hash": None,
            "source_updated_at": None,
            "deleted_at": "2026-01-05T12:00:05+00:00",
        }
    ]
    assert [(row["basket"], row["customer_id"]) for row in tables()["orders"]] == [(["p1"], None)]


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))), ids=str)
@pytest.mark.parametrize("together", [False, True], ids=["apart", "one batch"])
def test_the_newest_state_of_a_cart_stands(
    apply: Apply, tables: Tables, arrival: tuple[int, ...], together: bool
) -> None:
    states = [
        cart_change("cart", "p1", "p2", seconds=1),
        cart_change("cart", "p3", "p1", seconds=3),
        cart_change("cart", seconds=2),
    ]

    arriving = [states[index] for index in arrival]
    for batch in [arriving] if together else [[state] for state in arriving]:
        apply(*batch)

    assert sorted((row["position"], row["product_id"]) for row in tables()["cart_line"]) == [
        (0, "p3"),
        (1, "p1"),
    ]
    assert sorted(row["platform_id"] for row in tables()["product"]) == ["p1", "p2", "p3"]


def test_an_emptied_cart_is_empty(apply: Apply, tables: Tables) -> None:
    apply(cart_change("cart", "p1", seconds=1))

    apply(cart_change("cart", seconds=2))

    assert tables()["cart_line"] == []
    assert [row["token_hash"] for row in tables()["cart"]] == [f"\\x{digest('cart').hex()}"]


def test_carts_of_one_second_are_settled_alike_in_any_order(
    apply: Apply, tables: Tables, store: Store
) -> None:
    states = [cart_change("cart", "p1"), cart_change("cart", "p2"), cart_change("cart", "p1", "p2")]
    stood = []

    for arrival in itertools.permutations(states):
        db.session.execute(delete(Cart).where(Cart.store_id == store.id))
        for change in arrival:
            apply(change)
        stood.append(sorted((row["position"], row["product_id"]) for row in tables()["cart_line"]))

    assert stood[0] in [[(0, "p1")], [(0, "p2")], [(0, "p1"), (1, "p2")]]
    assert stood == [stood[0]] * 6


@pytest.mark.parametrize(
    ("removed_after", "gone"), [(-1, False), (0, False), (1, True)], ids=["before", "same moment", "after"]
)
def test_only_news_of_this_installation_uninstall(
    apply: Apply, store: Store, removed_after: int, gone: bool
) -> None:
    moment = store.installed_at + timedelta(seconds=removed_after)

    apply(StoreUninstalled(moment))

    assert store.uninstalled_at == (moment if gone else None)


@pytest.mark.parametrize("swapped", [False, True], ids=["in order", "swapped"])
def test_the_first_of_repeated_uninstalls_stands(apply: Apply, store: Store, swapped: bool) -> None:
    first, second = (StoreUninstalled(store.installed_at + timedelta(seconds=n)) for n in (1, 2))

    for change in (second, first) if swapped else (first, second):
        apply(change)

    assert store.uninstalled_at == first.uninstalled_at


def test_the_newest_problem_of_the_connection_is_shown(apply: Apply, store: Store) -> None:
    apply(
        ConnectionProblem(store.installed_at + timedelta(seconds=2), "Newer."),
        ConnectionProblem(store.installed_at + timedelta(seconds=1), "Older."),
    )

    assert store.connection_problem == "Newer."


def test_a_problem_of_an_earlier_installation_is_over(apply: Apply, store: Store) -> None:
    apply(ConnectionProblem(store.installed_at - timedelta(seconds=1), "Old."))

    assert store.connection_problem is None


def test_another_stores_rows_are_untouched(apply: Apply, tables: Tables) -> None:
    everything = [
        product_change("p1", variant_state("v1", item="i1"), variant_state("v2")),
        inventory_change("i1", 3),
        order_change("order", "p1", "p2", customer=customer_ref("c1", "ann@example.com")),
        order_change("guest", "p1", customer=customer_ref(None, "bob@example.com")),
        refund("order", 1, 2, p1=1),
        cart_change("cart", "p1"),
    ]
    apply(*everything)
    mine = tables()
    other = new_store()

    for changes in (
        everything,
        [
            product_change("p1", variant_state("v1", price=1), seconds=20, title="Theirs"),
            inventory_change("i1", 0, seconds=20),
            order_change("order", "p2", seconds=20, customer=customer_ref("c1", "eve@example.com")),
            refund("guest", 9, 20, p1=1),
            order_deletion("guest", 20),
            product_deletion("p2", 20),
            customer_deletion("c1", 20),
            cart_change("cart", "p2", seconds=20),
            StoreUninstalled(at(10**9)),
        ],
    ):
        ingest.apply(db.session.connection(), other.id, changes)
        db.session.commit()

    assert tables() == mine
    assert dump(db.session.connection(), other.id) != mine
