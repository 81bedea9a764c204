"""Customers whom the platform merged are one person, in any order, and never again once they were erased."""

import itertools

import pytest

from app.commerce.changes import CommerceChange, CustomerMerge
from app.commerce.store import Store
from app.core.db import db
from app.events.identity import people, person_of
from app.events.links import link_merged, unlink
from app.privacy.subjects import CUSTOMER, customer_node, digest
from app.privacy.suppression import suppress
from app.recommendations.taking_in import take_in
from tests.factories import at, customer_change, customer_ref, order_change

MERGES = [CustomerMerge("2", "1", at(100)), CustomerMerge("3", "2", at(200)), CustomerMerge("9", "8", at(50))]
EVERYBODY = {f"customer:{n}": "customer:1" for n in (1, 2, 3)} | {
    "customer:8": "customer:8",
    "customer:9": "customer:8",
}


def _bought_by(store: Store) -> list[tuple[str, str]]:
    rows = db.session.connection().exec_driver_sql(
        "SELECT o.platform_id, c.platform_id FROM orders o JOIN customer c ON c.id = o.customer_id"
        " WHERE o.store_id = %(store)s ORDER BY 1",
        {"store": store.id},
    )
    return [(order, customer) for order, customer in rows]


@pytest.mark.parametrize("merges", itertools.permutations(MERGES), ids=lambda m: m[0].kept_platform_id)
def test_merges_end_in_the_same_persons_in_any_order(
    shopify: Store, merges: tuple[CustomerMerge, ...]
) -> None:
    connection = db.session.connection()
    for merge in merges:
        take_in(connection, shopify.id, [merge])
    take_in(connection, shopify.id, merges)

    assert people(connection, shopify.id) == EVERYBODY


@pytest.mark.parametrize("late", [False, True], ids=["order first", "merge first"])
def test_an_order_counts_for_the_person_whichever_customer_it_names(shopify: Store, late: bool) -> None:
    connection = db.session.connection()
    changes: list[CommerceChange] = [
        order_change("o1", "a", customer=customer_ref("1")),
        order_change("o2", "b", customer=customer_ref("2")),
        CustomerMerge("2", "1", at(100)),
    ]
    for change in reversed(changes) if late else changes:
        take_in(connection, shopify.id, [change])

    assert _bought_by(shopify) == [("o1", "1"), ("o2", "2")]
    assert person_of(connection, shopify.id, "customer:2") == {"customer:1", "customer:2"}


def test_a_merge_can_be_taken_back_and_stays_so(shopify: Store) -> None:
    connection = db.session.connection()
    take_in(connection, shopify.id, [customer_change("1"), *MERGES])

    assert unlink(connection, shopify.id, "customer:2", "customer:3", at(300))
    take_in(connection, shopify.id, MERGES)

    assert person_of(connection, shopify.id, "customer:3") == {"customer:3"}
    assert person_of(connection, shopify.id, "customer:1") == {"customer:1", "customer:2"}


@pytest.mark.parametrize("erased", ["1", "2"])
def test_a_merge_of_somebody_who_was_erased_is_not_kept(shopify: Store, erased: str) -> None:
    connection = db.session.connection()
    suppress(connection, shopify.id, [(CUSTOMER, digest(shopify.id, CUSTOMER, erased))])

    take_in(connection, shopify.id, MERGES)

    assert person_of(connection, shopify.id, customer_node(erased)) == {customer_node(erased)}
    assert person_of(connection, shopify.id, "customer:9") == {"customer:8", "customer:9"}


def test_a_merge_is_new_once(shopify: Store) -> None:
    connection = db.session.connection()

    assert link_merged(connection, shopify.id, [*MERGES, MERGES[0]]) == 3
    assert link_merged(connection, shopify.id, MERGES) == 0
