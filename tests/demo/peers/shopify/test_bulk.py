"""Bulk operations of the stand-in."""

import itertools
from collections import Counter
from urllib.parse import urlsplit

import pytest

from demo.catalogue import Product
from demo.shopify_format import gid, platform_id
from tests.demo.peers.shopify.platform import (
    OFFICIAL_PRODUCTS,
    POLL,
    RUN,
    Clock,
    Platform,
    order_body,
    product_body,
)

# What the connector's export has to be able to ask for.
OFFICIAL_ORDERS = """{ orders(query:"created_at:>=2024-01-01", sortKey:CREATED_AT){edges{node{
  id legacyResourceId name createdAt processedAt updatedAt cancelledAt test sourceName cartToken checkoutToken
  currencyCode presentmentCurrencyCode customerAcceptsMarketing displayFinancialStatus customer{id} app{id name}
  retailLocation{id} customAttributes{key value} discountCodes
  lineItems{edges{node{ id quantity currentQuantity isGiftCard sku
    variant{id legacyResourceId} product{id legacyResourceId}
    originalUnitPriceSet{shopMoney{amount currencyCode}}
    discountedUnitPriceAfterAllDiscountsSet{shopMoney{amount}}
    customAttributes{key value} lineItemGroup{id title} }}} }}}}"""


def test_the_official_documents_export_everything(stocked: Platform) -> None:
    found, orders = stocked.export(OFFICIAL_ORDERS)
    _, products = stocked.export(OFFICIAL_PRODUCTS)

    assert found["status"] == "COMPLETED"
    assert (found["rootObjectCount"], found["objectCount"]) == ("3", "9")
    roots = [row for row in orders if "__parentId" not in row]
    assert [row["name"] for row in roots] == ["#1003", "#1001", "#1002"]
    assert Counter(row.get("__parentId") for row in orders) == {
        None: 3,
        **{gid("Order", number): 2 for number in (1001, 1002, 1003)},
    }
    assert [row["title"] for row in products if "__parentId" not in row] == ["Red Mug", "Blue Bag", "Tea Tin"]
    [mug] = [row for row in products if row["id"] == gid("ProductVariant", 0)]
    assert mug["__parentId"] == gid("Product", 0)
    assert (mug["price"], mug["inventoryPolicy"]) == ("1.25", "DENY")


def test_what_the_merchant_chose_is_read_and_exported(stocked: Platform) -> None:
    stocked.shop.choose(platform_id("Product", 0), "complementary_products", [platform_id("Product", 1)])
    chosen = """complementary: metafield(namespace: "shopify--discovery--product_recommendation",
        key: "complementary_products") { key jsonValue }
        related: metafield(namespace: "shopify--discovery--product_recommendation", key: "related_products") { key }"""

    said = stocked.ask(f"query($id: ID!) {{ product(id: $id) {{ {chosen} }} }}", id=gid("Product", 0))[
        "product"
    ]
    _, rows = stocked.export(f"{{ products {{ edges {{ node {{ id {chosen} }} }} }} }}")

    metafield = {"key": "complementary_products", "jsonValue": [gid("Product", 1)]}
    assert said == {"complementary": metafield, "related": None}
    assert rows[0] == {"id": gid("Product", 0), **said}
    assert [row["complementary"] for row in rows[1:]] == [None, None]


def test_children_come_after_their_parents_but_not_beside_them(stocked: Platform) -> None:
    for number in range(1004, 1030):
        stocked.shop.add_order(order_body(number))

    _, rows = stocked.export(OFFICIAL_ORDERS)

    seen: set[str] = set()
    beside = 0
    for before, row in itertools.pairwise(rows):
        seen.add(before["id"])
        if "__parentId" in row:
            assert row["__parentId"] in seen
            beside += row["__parentId"] in (before["id"], before.get("__parentId"))
    assert beside < 29


@pytest.mark.parametrize("number", [99, 100, 101, 250])
def test_an_export_is_whole_however_many_there_are(platform: Platform, number: int) -> None:
    for place in range(number):
        platform.shop.add_product(product_body(Product(place, f"{place:05}", "Red Mug", 125, place)))

    found, rows = platform.export(OFFICIAL_PRODUCTS)

    assert found["rootObjectCount"] == str(number)
    expected = {gid(kind, place) for kind in ("Product", "ProductVariant") for place in range(number)}
    assert sorted(row["id"] for row in rows) == sorted(expected)


def test_an_operation_runs_for_as_many_looks_as_wished(stocked: Platform) -> None:
    stocked.shop.bulk_options.polls = 3
    begun = stocked.ask(RUN, query=OFFICIAL_PRODUCTS)["bulkOperationRunQuery"]["bulkOperation"]

    states = [stocked.ask(POLL, id=begun["id"])["bulkOperation"]["status"] for _ in range(5)]

    assert begun["status"] == "CREATED"
    assert states == ["RUNNING", "RUNNING", "RUNNING", "COMPLETED", "COMPLETED"]


def test_an_export_of_nothing_has_no_file(platform: Platform) -> None:
    found, rows = platform.export(OFFICIAL_ORDERS)

    assert (found["status"], found["url"], found["objectCount"]) == ("COMPLETED", None, "0")
    assert rows == []


def test_an_operation_that_fails_half_way_leaves_what_it_had(stocked: Platform) -> None:
    stocked.shop.bulk_options.failures.append("TIMEOUT")

    failed, rows = stocked.export(OFFICIAL_ORDERS)
    again, all_rows = stocked.export(OFFICIAL_ORDERS)

    assert (failed["status"], failed["errorCode"], failed["url"]) == ("FAILED", "TIMEOUT", None)
    assert (len(rows), len(all_rows)) == (4, 9)
    assert (again["status"], again["errorCode"]) == ("COMPLETED", None)


def test_an_export_without_the_scope_fails(stocked: Platform) -> None:
    stocked.shop.install(["read_products"])

    found, rows = stocked.export(OFFICIAL_ORDERS)

    assert (found["status"], found["errorCode"], rows) == ("FAILED", "ACCESS_DENIED", [])


def test_a_file_is_gone_after_seven_days(stocked: Platform, clock: Clock) -> None:
    found, _ = stocked.export(OFFICIAL_PRODUCTS)
    path = urlsplit(found["url"]).path

    clock.go_on(days=6, hours=23)
    there = stocked.client.get(path).status_code
    clock.go_on(hours=1)

    assert (there, stocked.client.get(path).status_code) == (200, 400)


def test_five_operations_run_at_once_and_a_cancelled_one_makes_room(stocked: Platform) -> None:
    running = [stocked.ask(RUN, query=OFFICIAL_PRODUCTS)["bulkOperationRunQuery"] for _ in range(5)]
    sixth = stocked.ask(RUN, query=OFFICIAL_PRODUCTS)["bulkOperationRunQuery"]
    cancelled = stocked.ask(
        "mutation($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }",
        id=running[0]["bulkOperation"]["id"],
    )["bulkOperationCancel"]
    last = stocked.ask(POLL, id=running[0]["bulkOperation"]["id"])["bulkOperation"]

    assert [one["userErrors"] for one in running] == [[]] * 5
    assert (sixth["bulkOperation"], sixth["userErrors"][0]["code"]) == (None, "LIMIT_REACHED")
    assert cancelled == {"bulkOperation": {"status": "CANCELING"}, "userErrors": []}
    assert last["status"] == "CANCELED"
    assert stocked.ask(RUN, query=OFFICIAL_PRODUCTS)["bulkOperationRunQuery"]["userErrors"] == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ shop { name } }", "at least one connection"),
        ('{ node(id: "gid://shopify/Product/1") { id } }', "top level"),
        (
            "{ orders { edges { node { id refunds { refundLineItems { edges { node { id } } } } } } } }",
            "within a list field",
        ),
        (
            "{ products { edges { node { id collections { edges { node { id products { edges { node { id"
            " variants { edges { node { id } } } } } } } } } } } } }",
            "nesting depth",
        ),
        ("{ products { edges { node { nonsense } } } }", "Cannot query field"),
        ("{ products {", "Syntax Error"),
    ],
    ids=["no connection", "a node", "in a list", "too deep", "unknown field", "broken"],
)
def test_a_document_that_cannot_be_exported_is_refused(platform: Platform, query: str, message: str) -> None:
    said = platform.ask(RUN, query=query)["bulkOperationRunQuery"]

    assert said["bulkOperation"] is None
    [error] = said["userErrors"]
    assert error["code"] == "INVALID"
    assert message in error["message"]
