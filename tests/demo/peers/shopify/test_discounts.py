"""Discounts, metafields, prices and the checkout of the Shopify stand-in, against what Shopify documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from demo.peers.shopify.admin_api import answer
from demo.peers.shopify.app import DEFAULT_SCOPES
from demo.peers.shopify.checkout import Allocation, CartLine, Checkout
from demo.peers.shopify.discount_book import BXGY
from demo.peers.shopify.function import FunctionFailed, metafield
from demo.peers.shopify.run import AppFacts
from demo.peers.shopify.state import Event, Shop, ShopifyState

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
BXGY_CREATE = """mutation($discount: DiscountAutomaticBxgyInput!) {
  discountAutomaticBxgyCreate(automaticBxgyDiscount: $discount) {
    automaticDiscountNode { id automaticDiscount { __typename ... on DiscountAutomaticBxgy { title status tags } } }
    userErrors { field code message } } }"""
BXGY_UPDATE = """mutation($id: ID!, $discount: DiscountAutomaticBxgyInput!) {
  discountAutomaticBxgyUpdate(id: $id, automaticBxgyDiscount: $discount) {
    automaticDiscountNode { id } userErrors { field code } } }"""
APP_CREATE = """mutation($discount: DiscountAutomaticAppInput!) {
  discountAutomaticAppCreate(automaticAppDiscount: $discount) {
    automaticAppDiscount { discountId title status } userErrors { field code message } } }"""
APP_UPDATE = """mutation($id: ID!, $discount: DiscountAutomaticAppInput!) {
  discountAutomaticAppUpdate(id: $id, automaticAppDiscount: $discount) {
    automaticAppDiscount { title status } userErrors { field code } } }"""
ON_ID = """mutation($id: ID!) {{ {0}(id: $id) {{ {1} userErrors {{ field code message }} }} }}"""
LIST = """query($query: String) { automaticDiscountNodes(first: 50, query: $query) {
  nodes { automaticDiscount { ... on DiscountAutomaticBxgy { title } ... on DiscountAutomaticBasic { title } } } } }"""
SET = """mutation($metafields: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $metafields) {
  metafields { namespace key jsonValue } userErrors { field code elementIndex message } } }"""
DELETE = """mutation($metafields: [MetafieldIdentifierInput!]!) { metafieldsDelete(metafields: $metafields) {
  deletedMetafields { key } userErrors { field message } } }"""
PRICES = """mutation($id: ID!, $variants: [ProductVariantsBulkInput!]!, $partial: Boolean) {
  productVariantsBulkUpdate(productId: $id, variants: $variants, allowPartialUpdates: $partial) {
    productVariants { price compareAtPrice } userErrors { field code } } }"""


@dataclass
class Admin:
    """One shop and the app's way to it."""

    shop: Shop

    def ask(self, query: str, /, **variables: Any) -> dict[str, Any]:
        facts = AppFacts("client-id", "client-secret", ())
        return answer(self.shop, facts, {"query": query, "variables": variables}, "http://127.0.0.1")

    def do(self, query: str, /, **variables: Any) -> dict[str, Any]:
        """Return what the one field of a mutation says."""
        said = self.ask(query, **variables)
        assert "errors" not in said, said["errors"]
        [payload] = said["data"].values()
        return dict(payload)

    def native(self, **changes: Any) -> str:
        made = self.do(BXGY_CREATE, discount=bxgy(**changes))
        assert made["userErrors"] == []
        return str(made["automaticDiscountNode"]["id"])


@pytest.fixture
def admin() -> Admin:
    """A shop with the products 1 to 4 of one variant each, at 10, 20, 30 and 40, and 5 of two, at 8 and 9."""
    shop = ShopifyState(now=lambda: START).shop("hearth.myshopify.com")
    shop.install(DEFAULT_SCOPES)
    prices = {1: ["10.00"], 2: ["20.00"], 3: ["30.00"], 4: ["40.00"], 5: ["8.00", "9.00"]}
    for number, each in prices.items():
        variants = [
            {"id": 10 * number + place, "price": price, "compare_at_price": None, "title": str(place)}
            for place, price in enumerate(each)
        ]
        shop.add_product({"id": number, "title": str(number), "variants": variants})
    return Admin(shop)


def products(*numbers: int) -> dict[str, Any]:
    return {"products": {"productsToAdd": [f"gid://shopify/Product/{number}" for number in numbers]}}


def gets(items: Mapping[str, Any], percentage: float) -> dict[str, Any]:
    return {
        "items": items,
        "value": {"discountOnQuantity": {"quantity": "1", "effect": {"percentage": percentage}}},
    }


def bxgy(bought: int = 1, got: int = 2, percentage: float = 0.1, **changes: Any) -> dict[str, Any]:
    return {
        "title": "With it",
        "startsAt": START.isoformat(),
        "usesPerOrderLimit": "1",
        "combinesWith": {"productDiscounts": True},
        "customerBuys": {"items": products(bought), "value": {"quantity": "1"}},
        "customerGets": gets(products(got), percentage),
        "tags": ["mine"],
        **changes,
    }


def problem(payload: Mapping[str, Any]) -> tuple[str, str]:
    [error] = payload["userErrors"]
    return error["code"], ".".join(error["field"])


# --- buy X, get Y ---------------------------------------------------------------------------------------


def test_a_discount_is_made_changed_switched_off_and_deleted(admin: Admin) -> None:
    # when
    made = admin.do(BXGY_CREATE, discount=bxgy())["automaticDiscountNode"]

    # then
    assert made["automaticDiscount"] == {
        "__typename": "DiscountAutomaticBxgy",
        "title": "With it",
        "status": "ACTIVE",
        "tags": ["mine"],
    }
    [kept] = admin.shop.discounts.all()
    assert (kept.buys["products"], kept.gets["products"], kept.percentage) == ({1}, {2}, 0.1)

    # when
    moved = {
        "items": {
            "products": {
                "productsToAdd": ["gid://shopify/Product/3"],
                "productsToRemove": ["gid://shopify/Product/2"],
            }
        }
    }
    admin.do(BXGY_UPDATE, id=made["id"], discount={"customerGets": moved, "title": "With that"})

    # then
    assert (kept.buys["products"], kept.gets["products"], kept.percentage) == ({1}, {3}, 0.1)
    assert kept.title == "With that"

    # when
    admin.do(ON_ID.format("discountAutomaticDeactivate", "automaticDiscountNode { id }"), id=made["id"])

    # then
    assert kept.status(START) == "expired"
    admin.do(ON_ID.format("discountAutomaticActivate", "automaticDiscountNode { id }"), id=made["id"])
    assert kept.status(START) == "active"
    deleted = ON_ID.format("discountAutomaticDelete", "deletedAutomaticDiscountId")
    assert admin.do(deleted, id=made["id"])["deletedAutomaticDiscountId"] == made["id"]
    assert problem(admin.do(deleted, id=made["id"])) == ("INVALID", "id")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        pytest.param({"title": ""}, "BLANK", "title", id="no title"),
        pytest.param({"title": "x" * 256}, "TOO_LONG", "title", id="a long title"),
        pytest.param({"startsAt": None}, "BLANK", "startsAt", id="no beginning"),
        pytest.param(
            {"endsAt": START.isoformat()}, "END_DATE_BEFORE_START_DATE", "endsAt", id="an end before"
        ),
        pytest.param({"tags": list("abcdef")}, "TOO_MANY_TAGS", "tags", id="six tags"),
        pytest.param({"tags": ["x" * 256]}, "INVALID_TAG_LENGTH", "tags", id="a long tag"),
        pytest.param(
            {"percentage": 1.01},
            "VALUE_OUTSIDE_RANGE",
            "customerGets.value.discountOnQuantity.effect.percentage",
            id="more than all",
        ),
        pytest.param(
            {"percentage": -0.1},
            "VALUE_OUTSIDE_RANGE",
            "customerGets.value.discountOnQuantity.effect.percentage",
            id="less than nothing",
        ),
        pytest.param(
            {"got": 99}, "INVALID", "customerGets.items.products.productsToAdd", id="a product that is gone"
        ),
        pytest.param(
            {"customerBuys": {"items": {"all": True}, "value": {"quantity": "1"}}},
            "INVALID",
            "customerBuys.items.all",
            id="everything",
        ),
        pytest.param(
            {"customerGets": {"items": products(2), "value": {"percentage": 0.1}}},
            "INVALID",
            "customerGets.value",
            id="a percentage of everything",
        ),
        pytest.param(
            {"customerGets": gets({}, 0.1)}, "BLANK", "customerGets.items", id="nothing to discount"
        ),
        pytest.param(
            {"customerBuys": {"items": products(1)}}, "BLANK", "customerGets.value", id="no number of pieces"
        ),
    ],
)
def test_a_wrong_input_is_refused_with_shopifys_code(
    admin: Admin, changes: dict[str, Any], code: str, field: str
) -> None:
    payload = admin.do(BXGY_CREATE, discount=bxgy(**changes))

    assert problem(payload) == (code, f"automaticBxgyDiscount.{field}")
    assert payload["automaticDiscountNode"] is None
    assert admin.shop.discounts.all() == []


def test_only_25_automatic_discounts_are_active_at_any_time(admin: Admin) -> None:
    # given
    later = START + timedelta(days=30)
    for place in range(23):
        admin.shop.discounts.by_merchant(f"Sale {place}", START)
    admin.shop.discounts.add(BXGY, "Over", START, START - timedelta(days=2), START)
    admin.do(APP_CREATE, discount=function_discount())
    limited = admin.native(endsAt=later.isoformat())

    # when
    refused = admin.do(BXGY_CREATE, discount=bxgy())
    after = admin.do(BXGY_CREATE, discount=bxgy(startsAt=later.isoformat()))
    longer = admin.do(BXGY_UPDATE, id=limited, discount={"endsAt": None})
    again = admin.do(BXGY_UPDATE, id=limited, discount={"title": "Still"})

    # then
    assert problem(refused) == ("ACTIVE_PERIOD_OVERLAP", "automaticBxgyDiscount")
    assert after["userErrors"] == []
    assert problem(longer) == ("ACTIVE_PERIOD_OVERLAP", "automaticBxgyDiscount")
    assert again["userErrors"] == []
    activate = ON_ID.format("discountAutomaticActivate", "automaticDiscountNode { id }")
    assert problem(admin.do(activate, id=limited)) == ("ACTIVE_PERIOD_OVERLAP", "id")


def test_discounts_are_found_by_status_and_tag(admin: Admin) -> None:
    # given
    admin.native(title="Now")
    admin.native(title="Soon", startsAt=(START + timedelta(days=1)).isoformat(), tags=["other"])
    admin.shop.discounts.by_merchant("Sale", START)

    def titles(query: str | None) -> list[str]:
        nodes = admin.ask(LIST, query=query)["data"]["automaticDiscountNodes"]["nodes"]
        return [node["automaticDiscount"]["title"] for node in nodes]

    # then
    assert titles(None) == ["Now", "Soon", "Sale"]
    assert titles("status:active") == ["Now", "Sale"]
    assert titles("tag:other") == ["Soon"]
    assert titles("status:expired") == []


# --- functions ------------------------------------------------------------------------------------------


def function_discount(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Together",
        "functionHandle": "pannier-discounts",
        "discountClasses": ["PRODUCT"],
        "startsAt": START.isoformat(),
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        pytest.param(
            {"functionHandle": None}, "MISSING_FUNCTION_IDENTIFIER", "functionHandle", id="no function"
        ),
        pytest.param(
            {"functionId": "x"}, "MULTIPLE_FUNCTION_IDENTIFIERS", "functionHandle", id="two functions"
        ),
        pytest.param({"functionHandle": "other"}, "INVALID", "functionHandle", id="one that is not deployed"),
        pytest.param({"discountClasses": []}, "BLANK", "discountClasses", id="no class"),
    ],
)
def test_a_function_that_cannot_run_is_refused(
    admin: Admin, changes: dict[str, Any], code: str, field: str
) -> None:
    payload = admin.do(APP_CREATE, discount=function_discount(**changes))

    assert problem(payload) == (code, f"automaticAppDiscount.{field}")


def test_a_function_discount_brings_its_metafields_and_can_be_changed(admin: Admin) -> None:
    # given
    settings = {"namespace": "$app:x", "key": "settings", "type": "json", "value": '{"v":1}'}

    # when
    made = admin.do(APP_CREATE, discount=function_discount(metafields=[settings]))["automaticAppDiscount"]
    read = admin.ask(
        """query($id: ID!) { automaticDiscountNode(id: $id) {
          metafield(namespace: "$app:x", key: "settings") { namespace jsonValue } } }""",
        id=made["discountId"],
    )
    ended = admin.do(
        APP_UPDATE,
        id=made["discountId"],
        discount={"endsAt": (START + timedelta(1)).isoformat(), "title": "New"},
    )

    # then
    assert read["data"]["automaticDiscountNode"]["metafield"] == {
        "namespace": "app--1--x",
        "jsonValue": {"v": 1},
    }
    assert ended["automaticAppDiscount"] == {"title": "New", "status": "ACTIVE"}
    assert problem(admin.do(APP_UPDATE, id=admin.native(), discount={"title": "No"})) == ("INVALID", "id")


# --- metafields -----------------------------------------------------------------------------------------


def field_of(number: int, value: str = "[]", **changes: Any) -> dict[str, Any]:
    place = {"ownerId": f"gid://shopify/Product/{number}", "namespace": "$app:pannier", "key": "offers"}
    return {**place, "type": "json", "value": value, **changes}


def place_of(number: int) -> dict[str, Any]:
    return {name: field_of(number)[name] for name in ("ownerId", "namespace", "key")}


def test_metafields_are_set_all_or_none(admin: Admin) -> None:
    # when
    refused = admin.do(SET, metafields=[field_of(1), field_of(99), field_of(2, "{")])

    # then
    assert [(error["code"], error["elementIndex"]) for error in refused["userErrors"]] == [
        ("INVALID", 1),
        ("INVALID_VALUE", 2),
    ]
    assert admin.shop.metafields.get("gid://shopify/Product/1", "$app:pannier", "offers") is None

    # when
    done = admin.do(SET, metafields=[field_of(1, '["a"]')])

    # then
    assert done["metafields"] == [{"namespace": "app--1--pannier", "key": "offers", "jsonValue": ["a"]}]
    assert admin.do(DELETE, metafields=[place_of(1), place_of(2)])["deletedMetafields"] == [
        {"key": "offers"},
        None,
    ]
    assert admin.do(DELETE, metafields=[place_of(99)])["userErrors"] != []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param([field_of(1)] * 26, "LESS_THAN_OR_EQUAL_TO", id="more than 25"),
        pytest.param([field_of(1, f'"{"x" * 131_071}"')], "TOO_LONG", id="JSON above 128 KiB"),
        pytest.param(
            [field_of(1, "x" * 65_537, type="multi_line_text_field")], "TOO_LONG", id="text above 64 KiB"
        ),
        pytest.param([field_of(1, type=None)], "BLANK", id="no type"),
        pytest.param([field_of(1, "")], "BLANK", id="no value"),
    ],
)
def test_metafields_have_limits(admin: Admin, fields: list[dict[str, Any]], code: str) -> None:
    [error] = admin.do(SET, metafields=fields)["userErrors"]

    assert error["code"] == code


@pytest.mark.parametrize(
    ("query", "variables", "scope"),
    [
        pytest.param(BXGY_CREATE, {"discount": bxgy()}, "write_discounts", id="a discount"),
        pytest.param(LIST, {}, "read_discounts", id="a look at discounts"),
        pytest.param(SET, {"metafields": [field_of(1)]}, "write_products", id="a metafield"),
        pytest.param(DELETE, {"metafields": [place_of(1)]}, "write_products", id="its deletion"),
        pytest.param(
            PRICES, {"id": "gid://shopify/Product/1", "variants": []}, "write_products", id="a price"
        ),
    ],
)
def test_without_the_permission_there_is_only_an_error(
    admin: Admin, query: str, variables: dict[str, Any], scope: str
) -> None:
    # given
    admin.shop.install(("read_products",))

    # when
    said = admin.ask(query, **variables)

    # then
    [error] = said["errors"]
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert error["extensions"]["requiredAccess"] == f"`{scope}` access scope."


# --- prices ---------------------------------------------------------------------------------------------


def test_prices_go_all_or_none_unless_parts_are_allowed(admin: Admin) -> None:
    # given
    heard: list[Event] = []
    admin.shop.listeners.append(heard.append)
    good = {"id": "gid://shopify/ProductVariant/50", "price": "7.5", "compareAtPrice": "8"}
    gone = {"id": "gid://shopify/ProductVariant/10", "price": "7"}
    below = {"id": "gid://shopify/ProductVariant/51", "price": "-1"}
    whole = {"id": "gid://shopify/Product/5", "variants": [good, gone, below]}

    # when
    refused = admin.do(PRICES, **whole, partial=False)

    # then
    assert refused["productVariants"] is None
    assert [error["code"] for error in refused["userErrors"]] == [
        "PRODUCT_VARIANT_DOES_NOT_EXIST",
        "NEGATIVE_PRICE_VALUE",
    ]
    assert heard == []

    # when
    partly = admin.do(PRICES, **whole, partial=True)

    # then
    assert partly["productVariants"] == [{"price": "7.50", "compareAtPrice": "8.00"}]
    [event] = heard
    assert event.topic == "products/update"
    assert [variant["price"] for variant in event.body["variants"]] == ["7.50", "9.00"]
    [missing] = admin.do(PRICES, id="gid://shopify/Product/99", variants=[])["userErrors"]
    assert missing["code"] == "PRODUCT_DOES_NOT_EXIST"


# --- the checkout ---------------------------------------------------------------------------------------


def says(*amounts: tuple[int, str]) -> Any:
    """Return a function that discounts the lines at those places."""
    candidates = [
        {
            "targets": [{"cartLine": {"id": f"gid://shopify/CartLine/{place}"}}],
            "value": {"fixedAmount": {"amount": amount}},
        }
        for place, amount in amounts
    ]
    return lambda _: {
        "operations": [{"productDiscountsAdd": {"selectionStrategy": "ALL", "candidates": candidates}}]
    }


def nothing(tree: Any) -> dict[str, Any]:
    return {"operations": []}


def lines(*variants: int | tuple[int, int]) -> list[CartLine]:
    return [CartLine(*each) if isinstance(each, tuple) else CartLine(each) for each in variants]


def test_a_discount_takes_the_cheapest_piece_once_for_each_use(admin: Admin) -> None:
    # given
    admin.native(got=5, percentage=0.5)
    checkout = Checkout(admin.shop, nothing)

    # then
    assert checkout.amounts(lines((10, 2), 50, 51)) == [0, 400, 0]
    assert checkout.amounts(lines(50, 51)) == [0, 0]
    assert checkout.amounts(lines(10)) == [0]

    # when
    [kept] = admin.shop.discounts.all()
    kept.uses = None

    # then
    assert checkout.amounts(lines((10, 3), (50, 1), 51)) == [0, 400, 450]
    assert checkout.amounts(lines((10, 1), (50, 1), 51)) == [0, 400, 0]


def test_a_discount_on_its_own_kind_needs_a_second_piece(admin: Admin) -> None:
    admin.native(bought=1, got=1, percentage=1.0)
    checkout = Checkout(admin.shop, nothing)

    assert checkout.amounts(lines(10)) == [0]
    assert checkout.amounts(lines((10, 2))) == [1000]


def test_what_is_not_active_or_gone_gives_nothing(admin: Admin) -> None:
    admin.native(startsAt=(START + timedelta(hours=1)).isoformat())
    checkout = Checkout(admin.shop, says((0, "1.00")))

    assert checkout.amounts(lines(10, 20)) == [0, 0]
    admin.native()
    assert checkout.amounts(lines(10, 20, 99)) == [0, 200, 0]
    admin.shop.product_deleted(2)
    assert checkout.amounts(lines(10, 20)) == [0, 0]


@pytest.mark.parametrize(
    ("combines", "expected"),
    [
        pytest.param(True, [0, 200, 0, 400], id="together"),
        pytest.param(False, [0, 0, 0, 400], id="the best alone"),
    ],
)
def test_discounts_on_different_lines_combine_only_where_each_says_so(
    admin: Admin, combines: bool, expected: list[int]
) -> None:
    admin.native(combinesWith={"productDiscounts": combines})
    admin.native(bought=3, got=4, combinesWith={"productDiscounts": combines})

    assert Checkout(admin.shop, nothing).amounts(lines(10, 20, 30, 40)) == expected


def test_a_line_has_one_discount_the_better(admin: Admin) -> None:
    # given
    admin.native()
    admin.do(APP_CREATE, discount=function_discount(combinesWith={"productDiscounts": True}))
    [_, function] = admin.shop.discounts.all()

    # then
    low, high = Checkout(admin.shop, says((1, "1.99"), (2, "99.00"))), Checkout(admin.shop, says((1, "2.01")))
    assert low.amounts(lines(10, 20, 30)) == [0, 200, 3000]
    assert high.discounts(lines(10, 20)) == [Allocation(1, 201, "Together", function.id)]


def test_a_function_that_fails_gives_nothing(admin: Admin) -> None:
    # given
    admin.do(APP_CREATE, discount=function_discount())

    def fails(tree: Any) -> dict[str, Any]:
        raise FunctionFailed("The input is too large.")

    # then
    assert Checkout(admin.shop, fails).amounts(lines(10)) == [0]
    assert Checkout(admin.shop, says((0, "1.00"))).amounts(lines(10)) == [100]
    admin.shop.functions.clear()
    assert Checkout(admin.shop, says((0, "1.00"))).amounts(lines(10)) == [0]


def test_a_function_is_not_given_a_metafield_above_10_000_bytes() -> None:
    assert metafield("x" * 9_998) == {"jsonValue": "x" * 9_998}
    assert metafield("x" * 9_999) is None
    assert metafield(None) is None
