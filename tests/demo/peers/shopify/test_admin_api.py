"""The Admin API of the stand-in against what Shopify documents."""

import pytest

from demo.peers.shopify.app import DEFAULT_SCOPES
from demo.peers.shopify.schema import load
from demo.shopify_format import gid, platform_id
from tests.demo.peers.shopify.platform import BAG, DOMAIN, MUG, Platform, product_body


def test_the_schema_is_read_once() -> None:
    assert load() is load()
    assert "bulkOperation" in load().type_map["QueryRoot"].fields  # type: ignore[attr-defined]


def test_the_shop_and_the_installation_say_what_they_are(platform: Platform) -> None:
    said = platform.ask(
        "{ shop { name currencyCode ianaTimezone myshopifyDomain primaryDomain { url host } }"
        " currentAppInstallation { accessScopes { handle } } }"
    )

    assert said["shop"] == {
        "name": "Hearth & Bunting",
        "currencyCode": "GBP",
        "ianaTimezone": "Europe/London",
        "myshopifyDomain": DOMAIN,
        "primaryDomain": {"url": "https://hearth.example", "host": "hearth.example"},
    }
    handles = [scope["handle"] for scope in said["currentAppInstallation"]["accessScopes"]]
    assert handles == sorted(DEFAULT_SCOPES)


def test_an_order_reads_as_shopify_writes_it(stocked: Platform) -> None:
    said = stocked.ask(
        """query($id: ID!) { order(id: $id) { id legacyResourceId name createdAt sourceName currencyCode
        displayFinancialStatus displayFulfillmentStatus customer { legacyResourceId }
        totalPriceSet { shopMoney { amount currencyCode } } refunds { legacyResourceId
          refundLineItems(first: 5) { nodes { quantity restockType lineItem { id } } } }
        lineItems(first: 5) { nodes { quantity currentQuantity sku product { title } variant { price }
          originalUnitPriceSet { shopMoney { amount } } } } } }""",
        id=gid("Order", 1002),
    )["order"]

    assert said["legacyResourceId"] == str(platform_id("Order", 1002))
    assert said["createdAt"] == "2026-11-19T12:00:00Z"
    assert (said["displayFinancialStatus"], said["displayFulfillmentStatus"]) == (
        "PARTIALLY_REFUNDED",
        "UNFULFILLED",
    )
    assert said["totalPriceSet"] == {"shopMoney": {"amount": "14.95", "currencyCode": "GBP"}}
    assert said["customer"] == {"legacyResourceId": str(platform_id("Customer", 7))}
    [refund] = said["refunds"]
    [refunded] = refund["refundLineItems"]["nodes"]
    assert (refunded["quantity"], refunded["restockType"]) == (1, "RETURN")
    assert said["lineItems"]["nodes"] == [
        {
            "quantity": 4,
            "currentQuantity": 3,
            "sku": "20001",
            "product": {"title": "Red Mug"},
            "variant": {"price": "1.25"},
            "originalUnitPriceSet": {"shopMoney": {"amount": "1.25"}},
        },
        {
            "quantity": 2,
            "currentQuantity": 2,
            "sku": "20002",
            "product": {"title": "Blue Bag"},
            "variant": {"price": "3.00"},
            "originalUnitPriceSet": {"shopMoney": {"amount": "3.0"}},
        },
    ]


def test_a_line_of_a_deleted_product_has_none(stocked: Platform) -> None:
    stocked.shop.product_deleted(platform_id("Product", MUG.number))

    lines = stocked.ask(
        "query($id: ID!) { order(id: $id) { lineItems(first: 9) { nodes { product { id } variant { id } } } } }",
        id=gid("Order", 1001),
    )["order"]["lineItems"]["nodes"]

    assert lines == [
        {"product": None, "variant": None},
        {"product": {"id": gid("Product", 1)}, "variant": {"id": gid("ProductVariant", 1)}},
    ]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [1001, 1002, 1003]),
        ("created_at:>=2026-11-01", [1001, 1002]),
        ("created_at:>='2026-11-19T12:00:00Z'", [1002]),
        ("created_at:>'2026-11-19T12:00:00Z'", []),
        ("updated_at:>'2026-11-17T12:00:00Z' AND updated_at:<='2026-11-21T12:00:00Z'", [1002]),
        (f"id:>{platform_id('Order', 1001)} id:<={platform_id('Order', 1003)}", [1002, 1003]),
        ("financial_status:paid", [1001, 1003]),
        ("-financial_status:paid", [1002]),
        ("status:cancelled", []),
        (f"id:{platform_id('Order', 1001)} OR id:{platform_id('Order', 1003)}", [1001, 1003]),
    ],
)
def test_orders_are_found_as_searched(stocked: Platform, query: str, numbers: list[int]) -> None:
    text = "query($q: String) { orders(first: 9, query: $q, sortKey: ID) { nodes { legacyResourceId } } }"

    found = stocked.ask(text, q=query)["orders"]["nodes"]

    assert [node["legacyResourceId"] for node in found] == [str(platform_id("Order", n)) for n in numbers]
    count = stocked.ask("query($q: String) { ordersCount(query: $q) { count precision } }", q=query)
    assert count["ordersCount"] == {"count": len(numbers), "precision": "EXACT"}


@pytest.mark.parametrize("query", ["udpated_at:>2026-01-01", "mug", "updated_at:>soon"])
def test_a_search_that_would_find_everything_by_mistake_is_an_error(stocked: Platform, query: str) -> None:
    said = stocked.post("query($q: String) { orders(first: 1, query: $q) { nodes { id } } }", q=query)

    assert said.status_code == 200
    assert said.get_json()["data"] is None
    assert len(said.get_json()["errors"]) == 1


@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
def test_pages_join_to_the_whole_though_things_change_meanwhile(stocked: Platform, reverse: bool) -> None:
    text = """query($after: String, $reverse: Boolean) { products(first: 1, after: $after, sortKey: CREATED_AT,
      reverse: $reverse) { nodes { title } pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
    titles, after, more = [], None, True
    while more:
        page = stocked.ask(text, after=after, reverse=reverse)["products"]
        titles += [node["title"] for node in page["nodes"]]
        assert page["pageInfo"]["hasPreviousPage"] is (len(titles) > 1)
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        stocked.shop.add_product({**product_body(BAG), "title": "Blue Bag"})

    expected = ["Red Mug", "Blue Bag", "Tea Tin"]
    assert titles == (expected[::-1] if reverse else expected)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{ products { nodes { id } } }", "you must provide one of first or last"),
        ("{ products(first: 251) { nodes { id } } }", "first must be between 1 and 250"),
        (
            '{ products(first: 1, after: "x") { nodes { id } } }',
            "Invalid cursor for current pagination sort.",
        ),
        ('{ order(id: "gid://shopify/Product/1") { id } }', "Invalid id: gid://shopify/Product/1"),
        ("{ shop { analyticsToken } }", "This stand-in knows no Shop.analyticsToken."),
        ("{ shop { nonsense } }", "Cannot query field 'nonsense' on type 'Shop'."),
        ("{ shop { name }", "Syntax Error: Expected Name, found <EOF>."),
    ],
)
def test_a_wrong_document_is_answered_with_200_and_errors(
    platform: Platform, document: str, message: str
) -> None:
    said = platform.post(document)

    assert said.status_code == 200
    assert [error["message"] for error in said.get_json()["errors"]] == [message]
