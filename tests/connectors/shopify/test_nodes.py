"""What is asked means the same as what is sent."""

import copy
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import DeliveryContext
from connectors.errors import Unreachable
from connectors.shopify import nodes
from connectors.shopify.connector import SHOPIFY

BIG = 9_007_199_254_740_993
CONTEXT_AT = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)


def money(amount):
    return {"shopMoney": {"amount": amount, "currencyCode": "EUR"}}


def money_set(amount):
    return {
        "shop_money": {"amount": amount, "currency_code": "EUR"},
        "presentment_money": {"amount": "1.00", "currency_code": "JPY"},
    }


# One order as a small model, from which both shapes are made.
ORDER = {
    "id": BIG,
    "financial": "partially_refunded",
    "fulfilment": "fulfilled",
    "cancelled": None,
    "source": "web",
    "cart": "Z2NwLX-token?key=abc",
    "customer": 77,
    "refunds": [501, 502],
    "lines": [
        # id, product, variant, quantity, current, price, allocations, bundle
        (11, 1, 101, 2, 1, "10.00", ["1.50", "0.50"], None),
        (12, None, None, 1, 1, "3.10", [], None),
        (13, 2, 201, 3, 3, "4.00", [], 900),
        (14, 3, 301, 3, 3, "2.00", [], 900),
    ],
    "taxes_included": True,
    "taxes": {11: ["2.80", "0.07"], 13: ["1.92"]},
    "bundles": {900: (5, 555)},
}


def order_webhook(order):
    return {
        "id": order["id"],
        "admin_graphql_api_id": f"gid://shopify/Order/{order['id']}",
        "created_at": "2026-10-01T10:00:00+02:00",
        "processed_at": "2026-10-01T09:59:00+02:00",
        "updated_at": "2026-10-02T10:00:00+02:00",
        "cancelled_at": order["cancelled"],
        "financial_status": order["financial"],
        "fulfillment_status": order["fulfilment"],
        "source_name": order["source"],
        "cart_token": order["cart"],
        "test": False,
        "currency": "EUR",
        "total_price_set": money_set("41.10"),
        "taxes_included": order["taxes_included"],
        "customer": order["customer"]
        and {
            "id": order["customer"],
            "admin_graphql_api_id": f"gid://shopify/Customer/{order['customer']}",
            "first_name": "Ada",
            "last_name": "Example",
        },
        "refunds": [
            {"id": id_, "admin_graphql_api_id": f"gid://shopify/Refund/{id_}"} for id_ in order["refunds"]
        ],
        "line_items": [
            {
                "id": id_,
                "admin_graphql_api_id": f"gid://shopify/LineItem/{id_}",
                "product_id": product,
                "variant_id": variant,
                "quantity": quantity,
                "current_quantity": current,
                "price_set": money_set(price),
                "total_discount_set": money_set("0.00"),
                "discount_allocations": [{"amount_set": money_set(part)} for part in parts],
                "tax_lines": [
                    {"title": "VAT", "price_set": money_set(tax)} for tax in order["taxes"].get(id_, ())
                ],
                "gift_card": False,
                "sales_line_item_group_id": bundle,
                "properties": [{"name": "engraving", "value": "for Ada"}],
            }
            for id_, product, variant, quantity, current, price, parts, bundle in order["lines"]
        ],
        "line_item_groups": [
            {"id": id_, "product_id": product, "variant_id": variant}
            for id_, (product, variant) in order["bundles"].items()
        ],
    }


def order_node(order):
    return {
        "id": f"gid://shopify/Order/{order['id']}",
        "legacyResourceId": str(order["id"]),
        "createdAt": "2026-10-01T08:00:00Z",
        "processedAt": "2026-10-01T07:59:00Z",
        "updatedAt": "2026-10-02T08:00:00Z",
        "cancelledAt": order["cancelled"],
        "displayFinancialStatus": order["financial"] and order["financial"].upper(),
        "displayFulfillmentStatus": (order["fulfilment"] or "unfulfilled").upper(),
        "subtotalLineItemsQuantity": sum(line[3] for line in order["lines"]),
        "sourceName": order["source"],
        "cartToken": order["cart"],
        "test": False,
        "currencyCode": "EUR",
        "totalPriceSet": money("41.1"),
        "taxesIncluded": order["taxes_included"],
        "customer": order["customer"]
        and {"id": f"gid://shopify/Customer/{order['customer']}", "legacyResourceId": str(order["customer"])},
        "refunds": [
            {"id": f"gid://shopify/Refund/{id_}", "legacyResourceId": str(id_)} for id_ in order["refunds"]
        ],
    }


def line_nodes(order):
    return [
        {
            "id": f"gid://shopify/LineItem/{id_}",
            "quantity": quantity,
            "currentQuantity": current,
            "isGiftCard": False,
            "product": product and {"legacyResourceId": str(product)},
            "variant": variant and {"legacyResourceId": str(variant)},
            "originalUnitPriceSet": money(price),
            "totalDiscountSet": money("0.0"),
            "discountAllocations": [{"allocatedAmountSet": money(part)} for part in parts],
            "taxLines": [{"priceSet": money(tax)} for tax in order["taxes"].get(id_, ())],
            "lineItemGroup": bundle
            and {
                "id": f"gid://shopify/LineItemGroup/{bundle}",
                "productId": f"gid://shopify/Product/{order['bundles'][bundle][0]}",
                "variantId": f"gid://shopify/ProductVariant/{order['bundles'][bundle][1]}",
            },
        }
        for id_, product, variant, quantity, current, price, parts, bundle in order["lines"]
    ]


VARIANTS = [
    # id, title, price, before, sku, position, stock, policy, image
    (101, "Small", "19.99", "24.99", "S-1", 1, 5, "deny", "https://cdn.example/a.jpg"),
    (102, "Large", "21.99", None, None, 2, -2, "continue", "https://cdn.example/b.jpg"),
]


def product_webhook():
    return {
        "id": BIG,
        "admin_graphql_api_id": f"gid://shopify/Product/{BIG}",
        "title": "Linen shirt",
        "handle": "linen-shirt",
        "status": "active",
        "vendor": "Acme",
        "product_type": "Shirts",
        "tags": "linen, summer",
        "category": {"full_name": "Apparel & Accessories > Clothing"},
        "published_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-10-02T08:00:00Z",
        "image": {"id": 8, "src": "https://cdn.example/a.jpg"},
        "images": [
            {"id": 8, "src": "https://cdn.example/a.jpg"},
            {"id": 9, "src": "https://cdn.example/b.jpg"},
        ],
        "variants": [
            {
                "id": id_,
                "admin_graphql_api_id": f"gid://shopify/ProductVariant/{id_}",
                "title": title,
                "price": price,
                "compare_at_price": before,
                "sku": sku,
                "position": position,
                "inventory_item_id": id_ + 1000,
                "inventory_quantity": stock,
                "inventory_policy": policy,
                "image_id": 7 + position,
            }
            for id_, title, price, before, sku, position, stock, policy, _ in VARIANTS
        ],
        "variant_gids": [{"admin_graphql_api_id": f"gid://shopify/ProductVariant/{v[0]}"} for v in VARIANTS],
    }


def product_node(**changed):
    return {
        "id": f"gid://shopify/Product/{BIG}",
        "legacyResourceId": str(BIG),
        "title": "Linen shirt",
        "handle": "linen-shirt",
        "status": "ACTIVE",
        "vendor": "Acme",
        "productType": "Shirts",
        "tags": ["linen", "summer"],
        "publishedAt": "2026-01-01T00:00:00Z",
        "createdAt": "2025-12-01T00:00:00Z",
        "updatedAt": "2026-10-02T08:00:00Z",
        "isGiftCard": False,
        "category": {"fullName": "Apparel & Accessories > Clothing"},
        "featuredMedia": {"preview": {"image": {"url": "https://cdn.example/a.jpg"}}},
        "variantsCount": {"count": len(VARIANTS)},
        "complementary": None,
        "related": None,
    } | changed


def variant_nodes(*, tracked=True, cost=None):
    return [
        {
            "id": f"gid://shopify/ProductVariant/{id_}",
            "legacyResourceId": str(id_),
            "title": title,
            "sku": sku,
            "price": price,
            "compareAtPrice": before,
            "position": position,
            "inventoryQuantity": stock,
            "inventoryPolicy": policy.upper(),
            "image": {"url": image},
            "inventoryItem": {"legacyResourceId": str(id_ + 1000), "tracked": tracked, "unitCost": cost},
        }
        for id_, title, price, before, sku, position, stock, policy, image in VARIANTS
    ]


def meaning(topic, body, pseudonym):
    redacted = SHOPIFY.redact(copy.deepcopy(body), pseudonym)
    return SHOPIFY.translate(redacted, DeliveryContext(topic, "EUR", None, CONTEXT_AT)).changes


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, id="partly refunded, with a bundle and a deleted product"),
        pytest.param({"cancelled": "2026-10-02T08:00:00Z", "financial": "voided"}, id="cancelled"),
        pytest.param({"financial": "refunded", "fulfilment": None}, id="refunded"),
        pytest.param({"financial": "pending", "fulfilment": "partial"}, id="pending"),
        pytest.param({"financial": "expired"}, id="expired"),
        pytest.param({"financial": None, "customer": None, "refunds": []}, id="guest"),
        pytest.param({"source": "pos", "cart": None}, id="point of sale"),
        pytest.param({"source": "1830279"}, id="another app's channel with a cart"),
        pytest.param({"source": None, "cart": None}, id="unknown channel"),
        pytest.param({"taxes_included": False}, id="tax on top"),
    ],
)
def test_an_order_asked_for_means_what_its_webhook_means(changed, pseudonym):
    # given
    order = ORDER | changed
    node = order_node(order)
    if order["fulfilment"] == "partial":
        node["displayFulfillmentStatus"] = "PARTIALLY_FULFILLED"

    # when
    asked = meaning("orders/updated", nodes.order_body(node, line_nodes(order)), pseudonym)
    sent = meaning("orders/updated", order_webhook(order), pseudonym)

    # then
    assert asked == tuple(replace(change, customer_known=change.customer is not None) for change in sent)
    assert [line.current_quantity for line in asked[0].lines] == [1, 1, 3, 3]
    taxes = [287, 0, 192, 0] if order["taxes_included"] else [0, 0, 0, 0]
    assert [line.tax_included for line in asked[0].lines] == taxes


def test_a_product_asked_for_means_what_its_webhook_means(pseudonym):
    # when
    asked = meaning("products/update", nodes.product_body(product_node(), variant_nodes()), pseudonym)
    sent = meaning("products/update", product_webhook(), pseudonym)

    # then
    assert asked == (replace(sent[0], cross_sell_ids=(), upsell_ids=()),)
    assert (sent[0].cross_sell_ids, sent[0].upsell_ids) == (None, None)
    assert [variant.image_url for variant in asked[0].variants] == [
        "https://cdn.example/a.jpg",
        "https://cdn.example/b.jpg",
    ]


def test_what_a_piece_costs_is_told_where_it_was_asked_for(pseudonym):
    body = nodes.product_body(product_node(), variant_nodes(cost={"amount": "7.25"}))

    (change,) = meaning("products/update", body, pseudonym)

    assert [variant.cost for variant in change.variants] == [725, 725]


def references(*numbers):
    return {"id": "gid://shopify/Metafield/1", "jsonValue": [f"gid://shopify/Product/{n}" for n in numbers]}


@pytest.mark.parametrize(
    ("complementary", "related", "chosen"),
    [
        (references(7, 5), references(9), (("7", "5"), ("9",))),
        (references(BIG, 7, 7), None, (("7",), ())),
        ({"id": "gid://shopify/Metafield/1", "jsonValue": None}, references(), ((), ())),
    ],
    ids=["chosen", "itself and twice", "emptied"],
)
def test_what_the_merchant_chose_beside_a_product_is_read(pseudonym, complementary, related, chosen):
    node = product_node(complementary=complementary, related=related)

    (change,) = meaning("products/update", nodes.product_body(node, variant_nodes()), pseudonym)

    assert (change.cross_sell_ids, change.upsell_ids) == chosen


@pytest.mark.parametrize(
    ("status", "visible"), [("ACTIVE", True), ("UNLISTED", False), ("DRAFT", True), ("ARCHIVED", True)]
)
def test_the_status_is_told_in_lower_case(status, visible, pseudonym):
    # when
    body = nodes.product_body(product_node(status=status), variant_nodes())

    # then
    assert body["status"] == status.lower()
    assert meaning("products/update", body, pseudonym)[0].visible is visible


def test_stock_that_the_shop_does_not_count_is_no_stock(pseudonym):
    body = nodes.product_body(product_node(), variant_nodes(tracked=False))

    assert [v.stock for v in meaning("products/update", body, pseudonym)[0].variants] == [None, None]


def test_a_gift_card_is_told_whatever_its_category(pseudonym):
    body = nodes.product_body(product_node(isGiftCard=True, category=None), variant_nodes())

    assert meaning("products/update", body, pseudonym)[0].gift_card is True


def test_a_product_without_pictures_category_and_variants_is_one(pseudonym):
    # given
    node = product_node(featuredMedia=None, category=None, publishedAt=None, tags=[])

    # when
    change = meaning("products/update", nodes.product_body(node, []), pseudonym)[0]

    # then
    assert (change.image_url, change.price, change.visible, change.tags) == (None, None, False, ())
    assert change.variants == ()


@given(st.permutations(line_nodes(ORDER)), st.permutations(variant_nodes()))
def test_a_body_does_not_depend_on_the_order_of_the_children(lines, variants):
    assert nodes.order_body(order_node(ORDER), lines) == nodes.order_body(
        order_node(ORDER), line_nodes(ORDER)
    )
    assert nodes.product_body(product_node(), variants) == nodes.product_body(product_node(), variant_nodes())


def test_a_customer_that_was_not_asked_for_is_absent():
    node = order_node(ORDER)
    del node["customer"]

    assert nodes.order_body(node, [])["customer"] is None


@pytest.mark.parametrize("missing", ["legacyResourceId", "updatedAt", "refunds", "totalPriceSet"])
def test_an_order_of_another_shape_is_no_answer(missing):
    node = order_node(ORDER)
    del node[missing]

    with pytest.raises(Unreachable, match="unknown way"):
        nodes.order_body(node, [])


@pytest.mark.parametrize("broken", [{"variantsCount": None, "status": None}, {"tags": None}])
def test_a_product_of_another_shape_is_no_answer(broken):
    with pytest.raises(Unreachable, match="unknown way"):
        nodes.product_body(product_node(**broken), [])


@pytest.mark.parametrize(
    ("node", "children", "complete"),
    [
        pytest.param(product_node(), variant_nodes(), True, id="all variants"),
        pytest.param(product_node(), variant_nodes()[:1], False, id="a variant is missing"),
        pytest.param(product_node(variantsCount=None), variant_nodes(), False, id="not counted"),
        pytest.param(order_node(ORDER), line_nodes(ORDER), True, id="all lines"),
        pytest.param(order_node(ORDER), line_nodes(ORDER)[1:], False, id="a line is missing"),
        pytest.param({}, [], False, id="nothing to go by"),
    ],
)
def test_completeness_is_a_matter_of_counting(node, children, complete):
    assert nodes.is_complete(node, children) is complete
