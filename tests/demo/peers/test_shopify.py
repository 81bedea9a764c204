"""The Shopify stand-in against what Shopify documents: API, costs, tokens, exports and deliveries."""

import base64
import hashlib
import hmac
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import orjson
import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connectors.shopify.signature import verify
from demo.catalogue import Product, opening_listing
from demo.messages import Delivery
from demo.orders import Line, Order, Refund
from demo.peers.shopify.app import DEFAULT_SCOPES, create_peer, serve
from demo.peers.shopify.hooks import RETRIES, RETRY_PAUSES, Deliverer, Tally
from demo.peers.shopify.oauth import ID_TOKEN, OFFLINE_TOKEN, TOKEN_EXCHANGE, session_token
from demo.peers.shopify.schema import load
from demo.peers.shopify.state import Shop, ShopifyState
from demo.peers.shopify.tokens import InvalidGrant, Tokens
from demo.shopify_format import gid, platform_id
from demo.shopify_shop import ShopifyShop
from tests.demo.sink import Sink

DOMAIN = "hearth.myshopify.com"
OTHER = "bunting.myshopify.com"
CLIENT, SECRET = "client-id", "shpss_0123456789abcdef0123456789abcdef"
CALLBACK = "https://pannier.example/install/shopify/callback"
PAGE = "https://pannier.example/install/shopify"
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MUG = Product(0, "20001", "Red Mug", 125, 0)
BAG = Product(1, "20002", "Blue Bag", 300, 1)
TIN = Product(2, "20003", "Tea Tin", 1050, 2)
VOICE = ShopifyShop(
    domain=DOMAIN, base_url="http://127.0.0.1:8001", currency="GBP", vendor="Hearth", secret=SECRET
)
MUG_GID, ORDER_GID = gid("Product", 0), gid("Order", 1001)

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
OFFICIAL_PRODUCTS = """{ products{edges{node{ id legacyResourceId title handle status vendor productType tags
  updatedAt publishedAt onlineStoreUrl hasVariantsThatRequiresComponents isGiftCard category{id fullName}
  collections{edges{node{id}}}
  variants{edges{node{ id legacyResourceId sku price compareAtPrice inventoryQuantity inventoryPolicy
    availableForSale inventoryItem{id tracked unitCost{amount currencyCode}} updatedAt }}} }}}}"""
RUN = """mutation($query: String!) { bulkOperationRunQuery(query: $query, groupObjects: false) {
  bulkOperation { id status } userErrors { field code message } } }"""
POLL = """query($id: ID!) { bulkOperation(id: $id) {
  status errorCode url partialDataUrl objectCount rootObjectCount } }"""


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def go_on(self, **span: float) -> None:
        self.at += timedelta(**span)


def product_body(product: Product) -> dict[str, Any]:
    [message] = VOICE.product_added(opening_listing(product, START - timedelta(days=300 - product.number)))
    return message.build()


def order_body(number: int = 1001, age_days: float = 5, **values: Any) -> dict[str, Any]:
    placed = START - timedelta(days=age_days)
    order = Order(
        **{
            "number": number,
            "placed_at": placed,
            "customer": 7,
            "lines": (Line(MUG, 4), Line(BAG, 2)),
            **values,
        }
    )
    return list(VOICE.order_history(order, START))[-1].build()


@dataclass
class Platform:
    """The stand-in, and one app's way to its first shop."""

    state: ShopifyState
    shop: Shop
    client: FlaskClient
    token: str

    def post(
        self, query: str, /, shop: str = DOMAIN, token: str | None = None, **variables: Any
    ) -> TestResponse:
        return self.client.post(
            f"/{shop}/admin/api/2026-10/graphql.json",
            json={"query": query, "variables": variables},
            headers={"X-Shopify-Access-Token": token or self.token},
        )

    def ask(self, query: str, /, **variables: Any) -> Any:
        """Return the data of an answer without errors."""
        said = self.post(query, **variables).get_json()
        assert "errors" not in said, said["errors"]
        return said["data"]

    def grant(self, **request: Any) -> TestResponse:
        return self.client.post(
            f"/{DOMAIN}/admin/oauth/access_token",
            json={"client_id": CLIENT, "client_secret": SECRET, **request},
        )

    def export(self, query: str, polls: int = 2) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the last look at a bulk operation, and the lines of its file."""
        begun = self.ask(RUN, query=query)["bulkOperationRunQuery"]
        assert begun["userErrors"] == []
        for _ in range(polls):
            found = self.ask(POLL, id=begun["bulkOperation"]["id"])["bulkOperation"]
        url = found["url"] or found["partialDataUrl"]
        raw = self.client.get(urlsplit(url).path).data if url else b""
        return found, [orjson.loads(line) for line in raw.splitlines()]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def platform(clock: Clock) -> Platform:
    state = ShopifyState(now=clock)
    state.shop(OTHER)
    shop = state.shop(DOMAIN, name="Hearth & Bunting", url="https://hearth.example")
    shop.install(DEFAULT_SCOPES)
    app = create_peer(state, CLIENT, SECRET, app_url=PAGE, redirect_urls=[CALLBACK])
    return Platform(state, shop, app.test_client(), shop.tokens.issue(clock()).access_token)


@pytest.fixture
def stocked(platform: Platform) -> Platform:
    """The stand-in with three products and three orders: of last week, partly refunded, and of long ago."""
    for product in (MUG, BAG, TIN):
        platform.shop.add_product(product_body(product))
    refund = Refund(START - timedelta(days=1), ((0, 1),))
    platform.shop.add_order(order_body(1001))
    platform.shop.add_order(order_body(1002, 3, refunds=(refund,)))
    platform.shop.add_order(order_body(1003, 100))
    return platform


# -- the API --


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


# -- who may ask --


def test_every_answer_names_the_version_that_gave_it(platform: Platform) -> None:
    said = platform.client.post(
        f"/{DOMAIN}/admin/api/2024-01/graphql.json",
        json={"query": "{ shop { id } }"},
        headers={"X-Shopify-Access-Token": platform.token},
    )

    assert (said.status_code, said.headers["X-Shopify-API-Version"]) == (200, "2026-10")


@pytest.mark.parametrize("case", ["none", "unknown", "another shop's", "expired", "replaced", "uninstalled"])
def test_a_wrong_token_gets_401_and_nothing_else(stocked: Platform, clock: Clock, case: str) -> None:
    shop, token = DOMAIN, stocked.token
    if case == "none":
        token = " "
    elif case == "unknown":
        token = "shpat_0"
    elif case == "another shop's":
        shop = OTHER
    elif case == "expired":
        clock.go_on(seconds=3600)
    elif case == "replaced":
        stocked.shop.tokens.issue(clock())
    else:
        stocked.shop.uninstall()

    said = stocked.post("{ shop { name } }", shop=shop, token=token)

    assert said.status_code == 401
    assert set(said.get_json()) == {"errors"}


def test_the_same_token_serves_until_it_expires(platform: Platform, clock: Clock) -> None:
    clock.go_on(seconds=3599)

    assert platform.post("{ shop { name } }").status_code == 200


def test_a_token_can_be_made_to_die_in_the_middle_of_things(platform: Platform) -> None:
    platform.shop.tokens.expire_after(2)

    assert [platform.post("{ shop { id } }").status_code for _ in range(3)] == [200, 200, 401]


@pytest.mark.parametrize(
    ("lacking", "document", "data"),
    [
        ("read_orders", "{ shop { name } orders(first: 1) { nodes { id } } }", None),
        (
            "read_products",
            f'{{ shop {{ name }} product(id: "{MUG_GID}") {{ id }} }}',
            {"product": None},
        ),
        (
            "read_customers",
            f'{{ shop {{ name }} order(id: "{ORDER_GID}") {{ test customer {{ id }} }} }}',
            {"order": {"test": False, "customer": None}},
        ),
    ],
    ids=["orders", "a product", "the customer of an order"],
)
def test_without_a_scope_there_is_an_error_beside_the_other_data(
    stocked: Platform, lacking: str, document: str, data: dict[str, Any] | None
) -> None:
    stocked.shop.install(set(DEFAULT_SCOPES) - {lacking, lacking.replace("read_", "write_")})

    said = stocked.post(document).get_json()

    assert said["data"] == (None if data is None else {"shop": {"name": "Hearth & Bunting"}, **data})
    [error] = said["errors"]
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert f"`{lacking}` access scope" in error["message"]


def test_a_field_that_the_review_did_not_approve_is_null(stocked: Platform) -> None:
    stocked.shop.denied_fields.add("Customer.email")

    said = stocked.post(
        "query($id: ID!) { order(id: $id) { customer { id email } } }", id=gid("Order", 1001)
    ).get_json()

    assert said["data"]["order"]["customer"] == {"id": gid("Customer", 7), "email": None}
    assert said["errors"][0]["path"] == ["order", "customer", "email"]


def test_without_read_all_orders_only_sixty_days_are_there(stocked: Platform) -> None:
    stocked.shop.install(set(DEFAULT_SCOPES) - {"read_all_orders"})

    said = stocked.ask(
        "query($old: ID!) { ordersCount { count } order(id: $old) { id } orders(first: 9) { nodes { name } } }",
        old=gid("Order", 1003),
    )

    assert said["ordersCount"] == {"count": 2}
    assert said["order"] is None
    assert [node["name"] for node in said["orders"]["nodes"]] == ["#1001", "#1002"]


# -- what it costs --


@pytest.mark.parametrize(
    ("document", "requested", "actual"),
    [
        ("{ shop { name } }", 1, 1),
        ("{ products(first: 10) { nodes { id } } }", 10, 3),
        ("{ products(first: 10) { edges { cursor node { id } } pageInfo { hasNextPage } } }", 10, 3),
        (
            "{ products(first: 4) { nodes { variants(first: 5) { nodes { id inventoryItem { id } } } } } }",
            44,
            9,
        ),
        ("query { shop { name } ...P } fragment P on QueryRoot { productsCount { count } }", 2, 2),
    ],
)
def test_a_query_costs_what_the_rules_say(
    stocked: Platform, document: str, requested: int, actual: int
) -> None:
    cost = stocked.post(document).get_json()["extensions"]["cost"]

    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (requested, actual)
    assert cost["throttleStatus"] == {
        "maximumAvailable": 2000.0,
        "currentlyAvailable": 2000 - actual,
        "restoreRate": 100.0,
    }


def test_a_query_above_a_thousand_points_is_not_run(stocked: Platform) -> None:
    said = stocked.post(
        "{ orders(first: 100) { nodes { lineItems(first: 10) { nodes { id } } } } }"
    ).get_json()

    assert "data" not in said
    assert said["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert said["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 2000


def test_an_empty_bucket_throttles_until_it_has_filled(stocked: Platform, clock: Clock) -> None:
    stocked.shop.bucket.drain(clock())

    refused = stocked.post("{ products(first: 50) { nodes { id } } }")

    assert refused.status_code == 200
    said = refused.get_json()
    assert said["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert said["extensions"]["cost"]["requestedQueryCost"] == 50
    assert said["extensions"]["cost"]["actualQueryCost"] is None
    clock.go_on(seconds=0.5)
    assert stocked.ask("{ products(first: 50) { nodes { id } } }")["products"]["nodes"] != []


@pytest.mark.parametrize(
    ("fault", "status", "part"),
    [
        ("html", 200, b"<!doctype html>"),
        ("unavailable", 503, b"Service Unavailable"),
        ("redirect", 302, b""),
        ("throttled", 200, b"THROTTLED"),
        ("too_many_requests", 429, b"Exceeded"),
        ("unauthorized", 401, b"Invalid API key"),
    ],
)
def test_a_failure_comes_as_often_as_it_was_ordered(
    platform: Platform, fault: Any, status: int, part: bytes
) -> None:
    platform.state.faults.add(fault, shop=DOMAIN, times=2)

    answers = [platform.post("{ shop { name } }") for _ in range(3)]

    assert [said.status_code for said in answers] == [status, status, 200]
    assert part in answers[0].data
    assert answers[2].get_json()["data"] == {"shop": {"name": "Hearth & Bunting"}}


# -- bulk operations --


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


# -- installation and tokens --


def test_the_code_grant_ends_in_a_signed_callback_and_a_pair(platform: Platform, clock: Clock) -> None:
    address = f"/{OTHER}/admin/oauth/authorize"
    asked = {
        "client_id": CLIENT,
        "scope": "read_products,read_orders",
        "redirect_uri": CALLBACK,
        "state": "n-1",
    }

    page = platform.client.get(address, query_string=asked)
    answered = platform.client.post(address, data=asked)

    assert "Install</button>" in page.text
    assert answered.location.startswith(f"{CALLBACK}?")
    said = {name: values[0] for name, values in parse_qs(urlsplit(answered.location).query).items()}
    signature = said.pop("hmac")
    message = "&".join(f"{name}={said[name]}" for name in sorted(said))
    assert signature == hmac.new(SECRET.encode(), message.encode(), hashlib.sha256).hexdigest()
    assert set(said) == {"code", "host", "shop", "state", "timestamp"}
    assert (said["shop"], said["state"]) == (OTHER, "n-1")
    assert base64.b64decode(said["host"] + "==") == b"admin.shopify.com/store/bunting"
    request = {"client_id": CLIENT, "client_secret": SECRET, "code": said["code"], "expiring": 1}
    elsewhere = platform.grant(code=said["code"], expiring=1)
    assert (elsewhere.status_code, elsewhere.get_json()["error"]) == (400, "invalid_request")
    # A code is spent by the first who comes with it, even to the wrong shop.
    assert platform.client.post(f"/{OTHER}/admin/oauth/access_token", json=request).status_code == 400
    again = platform.client.get(address, query_string=asked)
    code = parse_qs(urlsplit(again.location).query)["code"][0]
    pair = platform.client.post(
        f"/{OTHER}/admin/oauth/access_token", json={**request, "code": code}
    ).get_json()
    assert pair["scope"] == "read_orders,read_products"
    assert (pair["expires_in"], pair["refresh_token_expires_in"]) == (3600, 7_776_000)
    assert platform.post("{ shop { id } }", shop=OTHER, token=pair["access_token"]).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [{"client_id": "x"}, {"redirect_uri": "https://evil.example/install"}],
    ids=["client", "redirect"],
)
def test_consent_is_not_asked_for_strangers(platform: Platform, wrong: dict[str, str]) -> None:
    asked = {"client_id": CLIENT, "scope": "", "redirect_uri": CALLBACK, "state": "n", **wrong}

    said = platform.client.post(f"/{OTHER}/admin/oauth/authorize", data=asked)

    assert (said.status_code, said.location) == (400, None)
    shop = platform.state.find(OTHER)
    assert shop is not None
    assert not shop.installed


def test_the_embedded_admin_installs_and_loads_the_app_with_an_id_token(platform: Platform) -> None:
    address = f"/{OTHER}/admin/apps/pannier"

    assert "Install</button>" in platform.client.get(address).text
    assert platform.client.post(f"{address}/install").location == address
    opened = platform.client.get(address)

    assert opened.location.startswith(f"{PAGE}?")
    token = parse_qs(urlsplit(opened.location).query)["id_token"][0]
    claims = jwt.decode(
        token,
        SECRET,
        algorithms=["HS256"],
        audience=CLIENT,
        options={"verify_exp": False, "verify_nbf": False},
    )
    assert (claims["dest"], claims["iss"]) == (f"https://{OTHER}", f"https://{OTHER}/admin")
    assert claims["exp"] - claims["iat"] == 60


EXCHANGE = {
    "grant_type": TOKEN_EXCHANGE,
    "subject_token_type": ID_TOKEN,
    "requested_token_type": OFFLINE_TOKEN,
    "expiring": "1",
}


def test_an_id_token_is_exchanged_for_a_pair(platform: Platform) -> None:
    app = platform.client.application.extensions["shopify_peer"].app

    pair = platform.grant(**EXCHANGE, subject_token=session_token(platform.shop, app)).get_json()

    assert platform.post("{ shop { id } }", token=pair["access_token"]).status_code == 200
    assert platform.post("{ shop { id } }", token=platform.token).status_code == 401


@pytest.mark.parametrize(
    ("claims", "request_", "error"),
    [
        ({"dest": f"https://{OTHER}"}, {}, "invalid_subject_token"),
        ({"aud": "another"}, {}, "invalid_subject_token"),
        ({"exp": int(START.timestamp())}, {}, "invalid_subject_token"),
        ({}, {"subject_token": "x.y.z"}, "invalid_subject_token"),
        ({}, {"expiring": None}, "invalid_request"),
        ({}, {"client_id": "x"}, "application_cannot_be_found"),
        ({}, {"client_secret": "x"}, "invalid_client"),
        ({}, {"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_wrong_exchange_is_refused(
    platform: Platform, claims: dict[str, Any], request_: dict[str, Any], error: str
) -> None:
    app = platform.client.application.extensions["shopify_peer"].app
    token = session_token(platform.shop, app, **claims)

    said = platform.grant(**{**EXCHANGE, "subject_token": token, **request_})

    assert said.status_code in (400, 401)
    assert said.get_json()["error"] == error
    assert platform.post("{ shop { id } }").status_code == 200


def test_a_refresh_replaces_the_pair_over_http(platform: Platform) -> None:
    first = platform.shop.tokens.active
    assert first is not None

    pair = platform.grant(grant_type="refresh_token", refresh_token=first.refresh_token).get_json()
    unknown = platform.grant(grant_type="refresh_token", refresh_token="shprt_0")

    assert platform.post("{ shop { id } }", token=pair["access_token"]).status_code == 200
    assert platform.post("{ shop { id } }", token=first.access_token).status_code == 401
    assert (unknown.status_code, unknown.get_json()["error"]) == (400, "invalid_grant")


def test_a_used_refresh_token_works_until_its_replacement_is_used() -> None:
    tokens = Tokens()
    first = tokens.issue(START)

    lost = tokens.refresh(first.refresh_token, START)
    second = tokens.refresh(first.refresh_token, START)
    third = tokens.refresh(second.refresh_token, START)

    assert [tokens.accepts(pair.access_token, START) for pair in (first, lost, second, third)] == [
        False,
        False,
        False,
        True,
    ]
    for spent in (first, lost):
        with pytest.raises(InvalidGrant):
            tokens.refresh(spent.refresh_token, START)


@pytest.mark.parametrize(("days", "good"), [(29, True), (30, False)])
def test_a_used_refresh_token_is_retried_for_thirty_days(days: int, good: bool) -> None:
    tokens = Tokens()
    first = tokens.issue(START)
    tokens.refresh(first.refresh_token, START)
    later = START + timedelta(days=days)

    if good:
        assert tokens.accepts(tokens.refresh(first.refresh_token, later).access_token, later)
    else:
        with pytest.raises(InvalidGrant):
            tokens.refresh(first.refresh_token, later)


def test_a_shop_that_was_idle_for_ninety_days_loses_the_chain() -> None:
    tokens = Tokens()
    pair = tokens.issue(START)

    with pytest.raises(InvalidGrant):
        tokens.refresh(pair.refresh_token, START + timedelta(days=90))


# -- over the network --


def test_the_answer_of_a_refresh_can_get_lost_and_the_token_be_retried(clock: Clock) -> None:
    state = ShopifyState(now=clock, token_life_s=60)
    shop = state.shop(DOMAIN)
    shop.install(DEFAULT_SCOPES)
    first = shop.tokens.issue(clock())
    state.faults.add("lost", at="token")
    with serve(state, CLIENT, SECRET) as served:
        address = f"{served.template.format(shop=DOMAIN)}/admin/oauth/access_token"
        request = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "grant_type": "refresh_token",
            "refresh_token": first.refresh_token,
        }
        with pytest.raises(requests.ConnectionError):
            requests.post(address, json=request, timeout=5)
        issued = shop.tokens.issued
        said = requests.post(address, json=request, timeout=5)

    assert issued == 2
    assert (said.status_code, said.json()["expires_in"]) == (200, 60)
    assert shop.tokens.accepts(said.json()["access_token"], clock())


def test_a_download_can_break_off_and_a_request_hang(stocked: Platform) -> None:
    found, _ = stocked.export(OFFICIAL_PRODUCTS)
    stocked.state.faults.add("lost", at="download")
    stocked.state.faults.add("hang")
    stocked.state.faults.hang_s = 0.01
    with serve(stocked.state, CLIENT, SECRET) as served:
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            requests.get(f"{served.url}{urlsplit(found['url']).path}", timeout=5)
        with pytest.raises(requests.ConnectionError):
            requests.post(
                f"{served.template.format(shop=DOMAIN)}/admin/api/2026-10/graphql.json", json={}, timeout=5
            )


# -- webhooks --


SUBSCRIBE = """mutation($topic: WebhookSubscriptionTopic!, $webhook: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $webhook) {
    webhookSubscription { id topic uri } userErrors { message } } }"""


def test_subscriptions_are_made_listed_and_removed(platform: Platform) -> None:
    given = {"topic": "ORDERS_CREATE", "webhook": {"uri": "https://pannier.example/hooks"}}

    made = platform.ask(SUBSCRIBE, **given)["webhookSubscriptionCreate"]["webhookSubscription"]
    double = platform.ask(SUBSCRIBE, **given)["webhookSubscriptionCreate"]
    listed = platform.ask("{ webhookSubscriptions(first: 9) { nodes { id topic uri } } }")
    removed = platform.ask(
        "mutation($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId } }",
        id=made["id"],
    )

    assert (made["topic"], made["uri"]) == ("ORDERS_CREATE", "https://pannier.example/hooks")
    assert double["userErrors"] == [{"message": "Address for this topic has already been taken"}]
    assert listed["webhookSubscriptions"]["nodes"] == [made]
    assert removed["webhookSubscriptionDelete"] == {"deletedWebhookSubscriptionId": made["id"]}
    assert platform.shop.subscriptions == {}


def test_what_happens_in_the_shop_arrives_signed(platform: Platform, sink: Sink) -> None:
    deliverer = Deliverer(sink.url, SECRET)
    deliverer.attach(platform.shop)
    body = order_body()

    platform.shop.order_changed(body)
    platform.shop.order_changed(body)
    platform.shop.product_changed(product_body(MUG))
    platform.shop.product_deleted(platform_id("Product", 0))
    platform.shop.order_deleted(body["id"])
    deliverer.pump(START)

    assert sink.topics() == [
        "orders/create",
        "orders/updated",
        "products/create",
        "products/delete",
        "orders/delete",
    ]
    assert sink.received[0].body == body
    assert sink.received[3].body == {"id": platform_id("Product", 0)}
    assert platform.shop.orders() == platform.shop.products() == []
    assert all(verify(one.raw, one.headers, [SECRET.encode()]) for one in sink.received)
    assert len({one.headers["X-Shopify-Webhook-Id"] for one in sink.received}) == 5
    assert {one.headers["X-Shopify-Shop-Domain"] for one in sink.received} == {DOMAIN}


class Recorder:
    """Receives deliveries without a network, and answers with one status or as told."""

    def __init__(self, *statuses: int | None) -> None:
        self.statuses: Iterator[int | None] = iter(statuses)
        self.got: list[tuple[str, Delivery]] = []

    def __call__(self, url: str, delivery: Delivery) -> int | None:
        self.got.append((url, delivery))
        return next(self.statuses, 200)

    def topics(self) -> list[str]:
        return [delivery.topic for _, delivery in self.got]


def test_a_failed_delivery_is_tried_eight_more_times_within_four_hours(platform: Platform) -> None:
    recorder = Recorder(*[503, None, 302, 500, 404, 401, 410, 429, 503])
    deliverer = Deliverer("https://pannier.example/hooks", SECRET, post=recorder)
    deliverer.attach(platform.shop)
    platform.shop.order_changed(order_body())

    assert deliverer.settle(START) == 1 + RETRIES
    assert deliverer.tally() == Tally(accepted=0, failures=9, abandoned=1, dropped=0, doubled=0)
    assert len({delivery.headers["X-Shopify-Webhook-Id"] for _, delivery in recorder.got}) == 1
    assert len({delivery.body for _, delivery in recorder.got}) == 1
    assert sum(RETRY_PAUSES, timedelta()) == pytest.approx(timedelta(hours=4), abs=timedelta(seconds=1))


def test_a_retry_waits_for_its_time(platform: Platform) -> None:
    recorder = Recorder(503)
    deliverer = Deliverer("https://pannier.example/hooks", SECRET, post=recorder)
    deliverer.attach(platform.shop)
    platform.shop.order_changed(order_body())

    attempts = [deliverer.pump(START + timedelta(seconds=after)) for after in (0, 0, 56, 57, 9999)]

    assert attempts == [1, 0, 0, 1, 0]
    assert deliverer.tally() == Tally(accepted=1, failures=1, abandoned=0, dropped=0, doubled=0)


def test_a_subscription_of_the_api_dies_of_a_delivery_that_failed_for_good(platform: Platform) -> None:
    recorder = Recorder(*[500] * 9)
    deliverer = Deliverer("https://pannier.example/hooks", SECRET, topics=[], post=recorder)
    deliverer.attach(platform.shop)
    platform.shop.subscribe("ORDERS_CREATE", "https://pannier.example/other")
    platform.shop.subscribe("ORDERS_UPDATED", "https://pannier.example/other")

    platform.shop.order_changed(order_body())
    deliverer.settle(START)

    assert {url for url, _ in recorder.got} == {"https://pannier.example/other"}
    assert [each.topic for each in platform.shop.subscriptions.values()] == ["ORDERS_UPDATED"]


def test_two_subscriptions_get_two_deliveries_of_one_event(platform: Platform) -> None:
    recorder = Recorder()
    deliverer = Deliverer("https://pannier.example/hooks", SECRET, post=recorder)
    deliverer.attach(platform.shop)
    platform.shop.subscribe("ORDERS_CREATE", "https://pannier.example/other", name="second")

    platform.shop.order_changed(order_body())
    deliverer.pump(START)

    first, second = (delivery.headers for _, delivery in recorder.got)
    assert first["X-Shopify-Webhook-Id"] != second["X-Shopify-Webhook-Id"]
    assert first["X-Shopify-Event-Id"] == second["X-Shopify-Event-Id"]
    assert (first.get("X-Shopify-Name"), second["X-Shopify-Name"]) == (None, "second")


def test_chance_drops_doubles_and_shuffles_the_same_way_every_time(platform: Platform) -> None:
    recorders = []
    for _ in range(2):
        recorder = Recorder()
        deliverer = Deliverer("x", SECRET, drop=0.1, duplicate=0.1, shuffle=True, seed=7, post=recorder)
        deliverer.attach(platform.shop)
        recorders.append((recorder, deliverer))
    for number in range(1001, 1201):
        platform.shop.order_changed(order_body(number))
    for _, deliverer in recorders:
        deliverer.pump(START)

    (first, deliverer), (second, _) = recorders
    ids = [delivery.headers["X-Shopify-Webhook-Id"] for _, delivery in first.got]
    tally = deliverer.tally()
    assert 5 <= tally.dropped <= 40
    assert 5 <= tally.doubled <= 40
    assert len(ids) == 200 - tally.dropped + tally.doubled
    assert len(set(ids)) == 200 - tally.dropped
    numbers = [orjson.loads(delivery.body)["order_number"] for _, delivery in first.got]
    assert numbers != sorted(numbers)
    assert ids == [delivery.headers["X-Shopify-Webhook-Id"] for _, delivery in second.got]


def test_an_uninstalled_app_hears_of_it_and_of_the_erasure_two_days_later(
    platform: Platform, clock: Clock
) -> None:
    recorder = Recorder()
    deliverer = Deliverer("x", SECRET, topics=["app/uninstalled", "orders/create"], post=recorder)
    deliverer.attach(platform.shop)

    platform.shop.uninstall()
    platform.shop.order_changed(order_body())
    clock.go_on(hours=47)
    early = platform.shop.redact()
    clock.go_on(hours=1)
    platform.shop.redact()
    deliverer.pump(clock())

    assert early is None
    assert recorder.topics() == ["app/uninstalled", "shop/redact"]
    assert orjson.loads(recorder.got[1][1].body) == {"shop_id": platform.shop.id, "shop_domain": DOMAIN}
    platform.shop.install(DEFAULT_SCOPES)
    assert platform.shop.redact() is None


def test_changed_scopes_are_told(platform: Platform) -> None:
    recorder = Recorder()
    deliverer = Deliverer("x", SECRET, post=recorder)
    deliverer.attach(platform.shop)

    platform.shop.install(DEFAULT_SCOPES)
    platform.shop.install([*DEFAULT_SCOPES, "read_locations"])
    deliverer.pump(START)

    assert recorder.topics() == ["app/scopes_update"]
    assert orjson.loads(recorder.got[0][1].body)["current"] == sorted([*DEFAULT_SCOPES, "read_locations"])


def test_a_thread_delivers_by_the_clock(sink: Sink) -> None:
    state = ShopifyState()
    shop = state.shop(DOMAIN)
    shop.install(DEFAULT_SCOPES)
    sink.statuses.append(503)
    deliverer = Deliverer(sink.url, SECRET, pace=0.0001)
    deliverer.attach(shop)
    deliverer.start(state.now)
    try:
        shop.product_changed(product_body(MUG))
        received = sink.wait_for(2)
    finally:
        deliverer.close()

    assert [one.topic for one in received] == ["products/create"] * 2


def test_the_end_of_an_export_is_told(stocked: Platform) -> None:
    recorder = Recorder()
    deliverer = Deliverer("x", SECRET, post=recorder)
    deliverer.attach(stocked.shop)

    stocked.export(OFFICIAL_PRODUCTS)
    deliverer.pump(START)

    assert recorder.topics() == ["bulk_operations/finish"]
    assert orjson.loads(recorder.got[0][1].body)["status"] == "completed"
