"""The source against a client that is scripted."""

import json
from datetime import UTC, datetime

import pytest

from connectors.errors import CursorLost, Rejected, Unreachable
from connectors.shopify import documents, source
from connectors.shopify.client import Cost, Result, TooCostly
from connectors.shopify.source import ShopifySource
from connectors.source import Fetched, Listed, Source, StoreFacts, SubscriptionReport

SINCE = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ALL_SCOPES = ("read_products", "read_orders", "read_all_orders", "read_customers")
LAST = {"hasNextPage": False, "endCursor": None}
GID = "gid://shopify/BulkOperation/1"


def more(cursor):
    return {"hasNextPage": True, "endCursor": cursor}


class Client:
    """Answers every document with the next of its scripted answers, the last one for ever."""

    shop = "loom.myshopify.com"

    def __init__(self, *scopes):
        self.asked = []
        self.downloads = []
        self.files = {}
        self._answers = {documents.ACCESS_SCOPES: [installation(*scopes)]}

    def on(self, document, *answers):
        self._answers[document] = list(answers)
        return self

    def run(self, document, variables=None):
        self.asked.append((document, dict(variables or {})))
        answers = self._answers[document]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Result) else Result(answer)

    def download(self, url):
        self.downloads.append(url)
        for line in self.files[url]:
            if isinstance(line, Exception):
                raise line
            yield line if isinstance(line, bytes) else json.dumps(line).encode()

    def variables(self, document):
        return [variables for asked, variables in self.asked if asked == document]


def installation(*scopes):
    return {"currentAppInstallation": {"accessScopes": [{"handle": scope} for scope in scopes]}}


def product(number, *, variants=1, created="2026-01-01T00:00:00Z"):
    return {
        "id": f"gid://shopify/Product/{number}",
        "legacyResourceId": str(number),
        "title": f"Product {number}",
        "handle": f"product-{number}",
        "status": "ACTIVE",
        "vendor": "Loom",
        "productType": "",
        "tags": [],
        "publishedAt": None,
        "createdAt": created,
        "updatedAt": "2026-11-20T12:00:05Z",
        "isGiftCard": False,
        "category": None,
        "featuredMedia": None,
        "variantsCount": {"count": variants},
        "complementary": None,
        "related": None,
    }


def variant(number, of, position=1):
    return {
        "id": f"gid://shopify/ProductVariant/{number}",
        "legacyResourceId": str(number),
        "title": "",
        "sku": None,
        "price": "1.00",
        "compareAtPrice": None,
        "position": position,
        "inventoryQuantity": 1,
        "inventoryPolicy": "DENY",
        "image": None,
        "inventoryItem": {"legacyResourceId": str(number), "tracked": True, "unitCost": None},
        "__parentId": f"gid://shopify/Product/{of}",
    }


def page_node(number, *variants, page=LAST):
    return product(number) | {"variants": {"nodes": list(variants), "pageInfo": page}}


def order(number):
    money = {"shopMoney": {"amount": "3.00", "currencyCode": "EUR"}}
    return {
        "id": f"gid://shopify/Order/{number}",
        "legacyResourceId": str(number),
        "createdAt": "2026-11-01T00:00:00Z",
        "processedAt": "2026-11-01T00:00:00Z",
        "updatedAt": "2026-11-20T12:00:05Z",
        "cancelledAt": None,
        "test": False,
        "sourceName": "web",
        "cartToken": None,
        "currencyCode": "EUR",
        "displayFinancialStatus": "PAID",
        "displayFulfillmentStatus": "UNFULFILLED",
        "subtotalLineItemsQuantity": 0,
        "totalPriceSet": money,
        "taxesIncluded": False,
        "refunds": [],
    }


def started(gid=GID):
    return {"bulkOperationRunQuery": {"bulkOperation": {"id": gid, "status": "CREATED"}, "userErrors": []}}


def operation(status, *, url=None, partial=None, count="0", error=None):
    return {
        "bulkOperation": {
            "id": GID,
            "status": status,
            "errorCode": error,
            "rootObjectCount": count,
            "url": url,
            "partialDataUrl": partial,
        }
    }


def ids(page):
    return [item.body["id"] for item in page.items]


def variant_ids(page):
    return {item.body["id"]: [v["id"] for v in item.body["variants"]] for item in page.items}


@pytest.fixture
def client():
    return Client(*ALL_SCOPES)


def test_it_is_a_source(client):
    shop: Source = ShopifySource(client)

    assert shop.gone("orders", "7") == Fetched("orders/delete", {"id": 7})
    assert shop.gone("products", "8") == Fetched("products/delete", {"id": 8})
    assert client.asked == []


# Facts


def shop_facts(*scopes, url="https://Loom.example/"):
    shop = {
        "name": "Loom",
        "currencyCode": "EUR",
        "ianaTimezone": "Europe/Berlin",
        "myshopifyDomain": "loom.myshopify.com",
        "primaryDomain": {"url": url},
    }
    return {"shop": shop} | installation(*scopes)


def test_facts_tell_the_storefronts_origins(client):
    client.on(documents.SHOP_FACTS, shop_facts(*ALL_SCOPES))

    assert ShopifySource(client).facts() == StoreFacts(
        "Loom", "EUR", "Europe/Berlin", ("https://loom.example", "https://loom.myshopify.com")
    )


def test_facts_tell_that_old_orders_are_out_of_reach(client):
    client.on(documents.SHOP_FACTS, shop_facts("read_orders", url="https://loom.myshopify.com"))

    facts = ShopifySource(client).facts()

    assert facts.origins == ("https://loom.myshopify.com",)
    assert [note[:67] for note in facts.notes] == [
        "Shopify shows this app the orders of the last 60 days only: older o"
    ]


def test_facts_of_another_shape_are_none(client):
    client.on(documents.SHOP_FACTS, installation() | {"shop": None})

    with pytest.raises(Unreachable, match="unknown way"):
        ShopifySource(client).facts()


# History


@pytest.mark.parametrize(
    ("resource", "scopes", "customers", "notes"),
    [
        pytest.param("orders", ALL_SCOPES, True, 0, id="all orders"),
        pytest.param("orders", ("read_orders",), False, 1, id="orders of 60 days without customers"),
        pytest.param("orders", ("write_customers", "read_all_orders"), True, 0, id="writing implies reading"),
        pytest.param("products", ("read_products",), False, 0, id="products"),
    ],
)
def test_a_history_begins_with_an_operation(resource, scopes, customers, notes):
    # given
    client = Client(*scopes).on(documents.RUN_BULK_QUERY, started())

    # when
    page = ShopifySource(client).history(resource, None)

    # then
    assert client.variables(documents.RUN_BULK_QUERY) == [
        {"query": documents.bulk_query(resource, customers=customers)}
    ]
    assert (page.items, page.cursor) == ((), {"from": None, "failures": 0, "operation": GID})
    assert page.wait_s > 0
    assert len(page.notes) == notes


@pytest.mark.parametrize("code", ["OPERATION_IN_PROGRESS", "LIMIT_REACHED"])
def test_a_history_waits_for_its_turn(code, client):
    # given
    busy = {"bulkOperationRunQuery": {"bulkOperation": None, "userErrors": [{"code": code, "message": GID}]}}
    client.on(documents.RUN_BULK_QUERY, busy, started())
    shop = ShopifySource(client)

    # when
    waiting = shop.history("products", None)
    begun = shop.history("products", waiting.cursor)

    # then
    assert (waiting.cursor, waiting.wait_s) == ({"from": None, "failures": 0}, 30.0)
    assert waiting.notes == (
        "Shopify is still working on other exports of this shop; ours waits for its turn.",
    )
    assert begun.cursor["operation"] == GID


def test_an_export_that_shopify_refuses_is_refused(client):
    invalid = {"bulkOperationRunQuery": {"bulkOperation": None, "userErrors": [{"code": "INVALID"}]}}
    client.on(documents.RUN_BULK_QUERY, invalid)

    with pytest.raises(Rejected, match="does not export the products"):
        ShopifySource(client).history("products", None)


def test_a_history_waits_longer_and_longer_but_never_long(client):
    # given
    client.on(documents.BULK_OPERATION, operation("CREATED"), operation("RUNNING"))
    shop, cursor, waits = ShopifySource(client), {"operation": GID}, []

    # when
    for _ in range(12):
        page = shop.history("products", cursor)
        cursor = json.loads(json.dumps(page.cursor))
        waits.append(page.wait_s)

    # then
    assert cursor == {"operation": GID, "polls": 12}
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (1.5, 30.0)


def test_a_finished_export_is_handed_out_in_pages_whatever_the_order_of_its_lines(client, monkeypatch):
    # given: children before and after their parents, between others'
    monkeypatch.setattr(source, "_HISTORY_PAGE", 2)
    client.files["https://files/1"] = [
        variant(31, 3),
        product(1),
        variant(21, 2),
        variant(12, 1, position=2),
        product(2),
        product(3),
        variant(11, 1),
    ]
    client.on(documents.BULK_OPERATION, operation("COMPLETED", url="https://files/1", count="3"))
    shop = ShopifySource(client)

    # when
    first = shop.history("products", {"operation": GID})
    second = shop.history("products", json.loads(json.dumps(first.cursor)))

    # then
    assert variant_ids(first) == {1: [11, 12], 2: [21]}
    assert variant_ids(second) == {3: [31]}
    assert {item.topic for item in first.items + second.items} == {"products/update"}
    assert (first.total, second.total, second.cursor) == (3, 3, None)
    assert client.downloads == ["https://files/1"]


def test_a_new_source_goes_on_where_the_old_one_stopped(client, monkeypatch):
    # given
    monkeypatch.setattr(source, "_HISTORY_PAGE", 1)
    client.files["https://files/1"] = [product(1), variant(11, 1), product(2)]
    client.on(documents.BULK_OPERATION, operation("COMPLETED", url="https://files/1", count="2"))

    # when
    first = ShopifySource(client).history("products", {"operation": GID})
    second = ShopifySource(client).history("products", first.cursor)
    third = ShopifySource(client).history("products", second.cursor)

    # then
    assert [ids(first), ids(second), ids(third)] == [[1], [2], []]
    assert third.cursor is None
    assert "files" not in str(first.cursor)


def test_an_export_of_nothing_has_no_file(client):
    client.on(documents.BULK_OPERATION, operation("COMPLETED"))

    page = ShopifySource(client).history("orders", {"operation": GID})

    assert (page.items, page.cursor, page.total) == ((), None, 0)


def test_an_export_that_breaks_off_is_read_again(client):
    # given
    client.files["https://files/1"] = [product(1), Unreachable("cut off")]
    client.on(documents.BULK_OPERATION, operation("COMPLETED", url="https://files/1", count="2"))
    shop = ShopifySource(client)

    # when
    with pytest.raises(Unreachable):
        shop.history("products", {"operation": GID})
    client.files["https://files/1"] = [product(1), product(2)]
    page = shop.history("products", {"operation": GID})

    # then
    assert ids(page) == [1, 2]


@pytest.mark.parametrize("line", [b"<html>", b"[]", b"{}", b"3"])
def test_a_file_of_something_else_is_no_export(line, client):
    client.files["https://files/1"] = [line]
    client.on(documents.BULK_OPERATION, operation("COMPLETED", url="https://files/1"))

    with pytest.raises(Unreachable, match="none of its own"):
        ShopifySource(client).history("products", {"operation": GID})


def test_an_export_that_shopify_forgot_is_lost(client):
    client.on(documents.BULK_OPERATION, {"bulkOperation": None})

    with pytest.raises(CursorLost):
        ShopifySource(client).history("products", {"operation": GID})


def test_an_export_that_expired_is_lost(client):
    client.files["https://files/1"] = [CursorLost("expired")]
    client.on(documents.BULK_OPERATION, operation("COMPLETED", url="https://files/1"))

    with pytest.raises(CursorLost):
        ShopifySource(client).history("products", {"operation": GID})


def test_a_failed_export_goes_on_from_the_last_one_found(client, monkeypatch):
    # given: the youngest product lacks a variant, another has come without any
    monkeypatch.setattr(source, "_HISTORY_PAGE", 2)
    client.files["https://files/part"] = [
        product(1, variants=2, created="2026-01-01T00:00:00Z"),
        variant(11, 1),
        product(3, variants=2, created="2026-01-03T00:00:00Z"),
        variant(12, 1, position=2),
        variant(31, 3),
        product(2, created="2026-01-02T00:00:00Z"),
    ]
    failed = operation("FAILED", partial="https://files/part", error="TIMEOUT")
    client.on(documents.BULK_OPERATION, failed)
    client.on(
        documents.PRODUCT,
        {"product": page_node(3, variant(31, 3), variant(32, 3, position=2))},
        {"product": None},
    )
    client.on(documents.RUN_BULK_QUERY, started("gid://shopify/BulkOperation/2"))
    shop = ShopifySource(client)

    # when
    first = shop.history("products", {"from": None, "failures": 0, "operation": GID})
    second = shop.history("products", first.cursor)
    third = shop.history("products", second.cursor)

    # then
    assert variant_ids(first) == {1: [11, 12], 3: [31, 32]}
    assert ids(second) == []
    assert second.cursor == {"from": "2026-01-03T00:00:00Z", "failures": 1}
    assert second.notes == ("Shopify's export failed half-way; it goes on from there.",)
    assert [variables["id"] for variables in client.variables(documents.PRODUCT)] == [
        "gid://shopify/Product/3",
        "gid://shopify/Product/2",
    ]
    assert client.downloads == ["https://files/part"]
    assert third.cursor["operation"] == "gid://shopify/BulkOperation/2"
    assert client.variables(documents.RUN_BULK_QUERY) == [
        {"query": documents.bulk_query("products", customers=True, created_from="2026-01-03T00:00:00Z")}
    ]


@pytest.mark.parametrize("status", ["FAILED", "CANCELED", "EXPIRED"])
def test_an_export_that_fails_again_and_again_is_lost(status, client):
    # given
    client.on(documents.BULK_OPERATION, operation(status, error="INTERNAL_SERVER_ERROR"))
    client.on(documents.RUN_BULK_QUERY, started())
    shop = ShopifySource(client)

    # when
    cursor = shop.history("products", None).cursor
    for _ in range(3):
        cursor = shop.history("products", cursor).cursor
        assert "operation" not in cursor
        cursor = shop.history("products", cursor).cursor

    # then
    with pytest.raises(CursorLost, match="several times"):
        shop.history("products", cursor)


def test_an_export_that_is_not_allowed_is_not_repeated(client):
    client.on(documents.BULK_OPERATION, operation("FAILED", error="ACCESS_DENIED"))

    with pytest.raises(Rejected, match="does not let the app export the orders"):
        ShopifySource(client).history("orders", {"operation": GID})


def test_an_export_can_be_cancelled(client):
    client.on(documents.CANCEL_BULK_OPERATION, {"bulkOperationCancel": {"userErrors": []}})
    shop = ShopifySource(client)

    shop.cancel({"from": None})
    shop.cancel({"operation": GID})

    assert client.asked == [(documents.CANCEL_BULK_OPERATION, {"id": GID})]


# Changes


def products(*found, page=LAST, requested=None, errors=()):
    cost = requested and Cost(requested, 1, 2000, 2000, 100)
    return Result({"products": {"nodes": list(found), "pageInfo": page}}, errors, cost)


def test_changes_are_walked_by_time_in_pages_that_grow_as_their_price_allows(client):
    # given
    client.on(
        documents.PRODUCTS_PAGE,
        products(page_node(1, variant(11, 1)), page=more("a"), requested=350),
        products(page_node(2), page=more("b"), requested=1400),
        products(page_node(3)),
    )
    shop, cursor, found = ShopifySource(client), None, []

    # when
    while cursor is not None or not found:
        page = shop.changes("products", SINCE, cursor)
        cursor = json.loads(json.dumps(page.cursor))
        found += ids(page)

    # then
    asked = client.variables(documents.PRODUCTS_PAGE)
    assert found == [1, 2, 3]
    assert [(variables["first"], variables["after"]) for variables in asked] == [
        (4, None),
        (8, "a"),
        (4, "b"),
    ]
    assert {variables["query"] for variables in asked} == {"updated_at:>'2026-11-20T11:59:59Z'"}


def test_a_page_that_is_too_costly_is_halved_down_to_one(client):
    # given
    client.on(documents.PRODUCTS_PAGE, TooCostly("too large"))
    shop, cursor = ShopifySource(client), {"since": "2026-01-01T00:00:00Z", "after": "a", "first": 4}

    # when
    half = shop.changes("products", SINCE, cursor)
    one = shop.changes("products", SINCE, half.cursor)

    # then
    assert (half.items, half.cursor) == ((), cursor | {"first": 2})
    with pytest.raises(TooCostly):
        shop.changes("products", SINCE, one.cursor)


def test_a_long_walk_begins_anew_at_the_time_it_reached(client):
    # given
    client.on(documents.PRODUCTS_PAGE, products(page_node(1), page=more("a")))
    state = {"since": "2026-11-20T11:59:59Z", "first": 4, "seen": 19_999, "after": "z"}

    # when
    page = ShopifySource(client).changes("products", SINCE, state)

    # then
    assert page.cursor == {"since": "2026-11-20T12:00:04Z", "first": 4, "seen": 0}


def test_the_rest_of_the_children_is_fetched(client):
    # given
    client.on(documents.PRODUCTS_PAGE, products(page_node(1, variant(11, 1), page=more("v1"))))
    client.on(
        documents.MORE_VARIANTS,
        {"product": {"variants": {"nodes": [variant(12, 1, 2)], "pageInfo": more("v2")}}},
        {"product": {"variants": {"nodes": [variant(13, 1, 3)], "pageInfo": LAST}}},
    )

    # when
    page = ShopifySource(client).changes("products", SINCE, None)

    # then
    assert variant_ids(page) == {1: [11, 12, 13]}
    assert [variables["after"] for variables in client.variables(documents.MORE_VARIANTS)] == ["v1", "v2"]


def test_a_product_that_vanishes_between_two_pages_is_asked_for_later(client):
    client.on(documents.PRODUCTS_PAGE, products(page_node(1, page=more("v1"))))
    client.on(documents.MORE_VARIANTS, {"product": None})

    with pytest.raises(Unreachable, match="unknown way"):
        ShopifySource(client).changes("products", SINCE, None)


def test_withheld_fields_are_told(client):
    errors = (
        {"message": "No.", "path": ["orders", "nodes", 3, "cartToken"]},
        {"message": "No.", "path": ["orders", "nodes", 4, "cartToken"]},
        {"message": "No."},
    )
    client.on(documents.PRODUCTS_PAGE, products(page_node(1), errors=errors))

    page = ShopifySource(client).changes("products", SINCE, None)

    assert page.notes == ("Shopify withholds some fields from this app: ?, cartToken.",)
    assert ids(page) == [1]


@pytest.mark.parametrize(("scopes", "customers"), [(ALL_SCOPES, True), (("read_orders",), False)])
def test_customers_are_asked_for_only_with_the_scope(scopes, customers):
    # given
    client = Client(*scopes)
    client.on(documents.ORDERS_PAGE, {"orders": {"nodes": [], "pageInfo": LAST}})
    shop = ShopifySource(client)

    # when
    shop.changes("orders", SINCE, None)
    shop.changes("orders", SINCE, None)

    # then
    assert [variables["customers"] for variables in client.variables(documents.ORDERS_PAGE)] == [
        customers
    ] * 2
    assert len(client.variables(documents.ACCESS_SCOPES)) == 1


# Single resources, listing, count


def test_one_order_is_as_it_is_now(client):
    node = order(7) | {"lineItems": {"nodes": [], "pageInfo": LAST}}
    client.on(documents.ORDER, {"order": node})

    found = ShopifySource(client).one("orders", "7")

    assert (found.topic, found.body["id"], found.body["financial_status"]) == ("orders/updated", 7, "paid")
    assert client.variables(documents.ORDER) == [
        {"id": "gid://shopify/Order/7", "children": 50, "customers": True}
    ]


@pytest.mark.parametrize(("resource", "document"), [("orders", "ORDER"), ("products", "PRODUCT")])
def test_what_is_gone_is_none(resource, document, client):
    client.on(getattr(documents, document), {resource[:-1]: None})

    assert ShopifySource(client).one(resource, "7") is None


def test_an_order_out_of_sight_is_not_gone():
    client = Client("read_orders").on(documents.ORDER, {"order": None})

    with pytest.raises(Rejected, match="deleted, or older than 60 days"):
        ShopifySource(client).one("orders", "7")


def test_the_listing_walks_by_ids(client):
    # given
    def row(number, status="PAID", cancelled=None):
        return {
            "legacyResourceId": str(number),
            "displayFinancialStatus": status,
            "cancelledAt": cancelled,
            "updatedAt": "2026-11-20T13:00:00+01:00",
        }

    client.on(
        documents.ORDER_IDS,
        {"orders": {"nodes": [row(5), row(9, "VOIDED", "2026-11-20T12:00:00Z")], "pageInfo": more("x")}},
        {"orders": {"nodes": [row(12, None)], "pageInfo": LAST}},
    )
    shop = ShopifySource(client)

    # when
    first = shop.listing("orders", None)
    second = shop.listing("orders", first.cursor)

    # then
    assert first.items == (Listed("5", "paid", SINCE), Listed("9", "cancelled", SINCE))
    assert second.items == (Listed("12", "", SINCE),)
    assert second.cursor is None
    assert [variables["query"] for variables in client.variables(documents.ORDER_IDS)] == [None, "id:>9"]


def test_a_listing_that_does_not_move_ends(client):
    row = {"legacyResourceId": "5", "status": "UNLISTED", "updatedAt": "2026-11-20T12:00:00Z"}
    client.on(documents.PRODUCT_IDS, {"products": {"nodes": [row], "pageInfo": more("x")}})
    shop = ShopifySource(client)

    page = shop.listing("products", None)

    assert page.items == (Listed("5", "unlisted", SINCE),)
    with pytest.raises(Unreachable, match="again and again"):
        shop.listing("products", page.cursor)


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ({"count": 12, "precision": "EXACT"}, 12),
        ({"count": 10_000, "precision": "AT_LEAST"}, None),
        (None, None),
    ],
)
def test_the_count_is_exact_or_none(answer, count, client):
    client.on(documents.ORDERS_COUNT, {"ordersCount": answer})

    assert ShopifySource(client).count("orders") == count


# Subscriptions


def test_doubles_of_our_subscriptions_are_removed(client):
    # given
    def subscription(number, topic, uri):
        return {"id": f"gid://shopify/WebhookSubscription/{number}", "topic": topic, "uri": uri}

    ours = "https://pannier.example/webhooks/shopify"
    client.on(
        documents.WEBHOOK_SUBSCRIPTIONS,
        {
            "webhookSubscriptions": {
                "nodes": [
                    subscription(1, "PRODUCTS_UPDATE", ours + "/"),
                    subscription(2, "ORDERS_CREATE", "https://another.example/hook"),
                ],
                "pageInfo": more("w"),
            }
        },
        {"webhookSubscriptions": {"nodes": [subscription(3, "ORDERS_CREATE", ours)], "pageInfo": LAST}},
    )
    client.on(
        documents.DELETE_WEBHOOK_SUBSCRIPTION,
        {"webhookSubscriptionDelete": {"deletedWebhookSubscriptionId": "gid", "userErrors": []}},
        {"webhookSubscriptionDelete": {"deletedWebhookSubscriptionId": None, "userErrors": [{}]}},
    )

    # when
    report = ShopifySource(
        client, deliveries_to=ours, subscribed=("orders/create", "products/update")
    ).ensure_subscriptions()

    # then
    assert report == SubscriptionReport(
        active=("orders/create", "products/update"),
        removed=("products/update",),
        problems=("A second subscription to orders/create could not be removed.",),
    )
    assert [variables["id"][-1] for variables in client.variables(documents.DELETE_WEBHOOK_SUBSCRIPTION)] == [
        "1",
        "3",
    ]


def test_without_an_address_nothing_is_looked_for_and_nothing_taken_back(client):
    shop = ShopifySource(client)

    report = shop.ensure_subscriptions()
    shop.remove_subscriptions()

    assert "orders/updated" in report.active
    assert "shop/redact" not in report.active
    assert client.asked == []
