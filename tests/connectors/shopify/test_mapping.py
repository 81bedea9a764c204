"""What Shopify's bodies mean, exactly."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest

from app.commerce.changes import (
    CartChange,
    CartLineState,
    Channel,
    CustomerChange,
    CustomerDeletion,
    CustomerMerge,
    CustomerRef,
    InventoryChange,
    OrderAdjustment,
    OrderChange,
    OrderDeletion,
    OrderLineState,
    OrderStatus,
    PrivacyRequest,
    PrivacyRequestKind,
    ProductChange,
    ProductDeletion,
    ProductStatus,
    StoreUninstalled,
    VariantChange,
    VariantState,
)
from connectors.base import PayloadError, Translation
from connectors.shopify.connector import SHOPIFY

RECEIVED = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
TRIGGERED = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
NEW_YEAR = datetime(2022, 1, 1, tzinfo=UTC)


@pytest.fixture
def meaning(pseudonym, delivered):
    """Return what a body means after redaction, as intake and drain do it."""

    def translate(topic, body, **known):
        return SHOPIFY.translate(SHOPIFY.redact(body, pseudonym), delivered(topic, **known))

    return translate


@pytest.fixture
def order(meaning, sample):
    """Return the order change of the sample with other fields."""

    def change(**fields):
        (found,) = meaning("orders/updated", sample("orders/updated") | fields).changes
        return found

    return change


@pytest.fixture
def product(meaning, sample):
    """Return the product change of the sample with other fields."""

    def change(**fields):
        return meaning("products/update", sample("products/update") | fields).changes[0]

    return change


def a_line(sample, **fields):
    return sample("orders/create")["line_items"][0] | fields


def a_variant(sample, **fields):
    return sample("products/update")["variants"][0] | fields


def money(amount, currency="USD"):
    return {
        "shop_money": {"amount": amount, "currency_code": currency},
        "presentment_money": {"amount": "1.00", "currency_code": "XXX"},
    }


# Orders


@pytest.mark.parametrize("topic", ["orders/create", "orders/updated", "orders/cancelled"])
def test_order_of_the_samples(meaning, sample, pseudonym, topic):
    def line(platform_id, product_id, price):
        return OrderLineState(
            platform_id=platform_id,
            product_platform_id=product_id,
            variant_platform_id=None,
            quantity=1,
            current_quantity=1,
            price=price,
        )

    # the exact ids come from the global ones; lounger and table are parts of one bundle
    assert meaning(topic, sample(topic)) == Translation(
        (
            OrderChange(
                platform_id="820982911946154508",
                updated_at=NEW_YEAR,
                placed_at=NEW_YEAR,
                status=OrderStatus.CANCELLED,
                channel=Channel.ONLINE,
                test=True,
                currency="USD",
                total=40495,
                lines=(
                    line("487817672276298554", "788032119674292900", 8999),
                    line("789012345678901234", None, 1999),
                    line("890123456789012345", None, 2499),
                    line("976318377106520349", "788032119674292900", 15999),
                    line("315789986012684393", None, 11999),
                ),
                customer=CustomerRef("115310627314723954", bytes.fromhex(pseudonym("john@example.com"))),
            ),
        )
    )


@pytest.mark.parametrize("topic", ["orders/paid", "orders/fulfilled", "orders/partially_fulfilled"])
def test_other_topics_of_the_whole_order_mean_the_same(meaning, sample, topic):
    assert meaning(topic, sample("orders/create")) == meaning("orders/create", sample("orders/create"))


@pytest.mark.parametrize(
    ("financial", "fulfillment", "cancelled_at", "status"),
    [
        ("pending", None, None, OrderStatus.PLACED),
        ("authorized", None, None, OrderStatus.PLACED),
        ("partially_paid", None, None, OrderStatus.PLACED),
        ("paid", None, None, OrderStatus.PLACED),
        ("paid", "partial", None, OrderStatus.PLACED),
        ("paid", "fulfilled", None, OrderStatus.COMPLETED),
        ("partially_refunded", "fulfilled", None, OrderStatus.COMPLETED),
        ("refunded", "fulfilled", None, OrderStatus.REFUNDED),
        ("voided", None, None, OrderStatus.CANCELLED),
        ("expired", None, None, OrderStatus.FAILED),
        ("refunded", None, "2026-01-01T00:00:00Z", OrderStatus.CANCELLED),
        ("of_next_year", None, None, OrderStatus.PLACED),
        (None, None, None, OrderStatus.PLACED),
    ],
)
def test_order_status(order, financial, fulfillment, cancelled_at, status):
    change = order(financial_status=financial, fulfillment_status=fulfillment, cancelled_at=cancelled_at)

    assert change.status is status


@pytest.mark.parametrize(
    ("source_name", "cart_token", "channel"),
    [
        ("web", None, Channel.ONLINE),
        ("pos", None, Channel.POS),
        ("shopify_draft_order", None, Channel.STAFF),
        ("1830279", None, Channel.OTHER),
        ("1830279", "Z2NwLXVz", Channel.ONLINE),
        ("pos", "Z2NwLXVz", Channel.POS),
        (None, None, Channel.OTHER),
    ],
)
def test_order_channel(order, source_name, cart_token, channel):
    assert order(source_name=source_name, cart_token=cart_token).channel is channel


def test_order_times_are_utc_and_processed_outweighs_created(order):
    change = order(
        created_at="2026-11-20T10:00:00-05:00",
        processed_at="2025-06-01T12:00:00+02:00",
        updated_at="2026-11-21T01:02:03.456Z",
    )

    assert change.placed_at == datetime(2025, 6, 1, 10, 0, tzinfo=UTC)
    assert change.updated_at == datetime(2026, 11, 21, 1, 2, 3, 456000, tzinfo=UTC)
    assert order(created_at="2026-11-20T10:00:00-05:00", processed_at=None).placed_at == datetime(
        2026, 11, 20, 15, 0, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("currency", "total", "price", "expected"),
    [
        ("USD", "404.95", "89.995", (40495, 9000)),
        ("JPY", "405", "89.5", (405, 90)),
        ("KWD", "1.2345", "0", (1235, 0)),
    ],
)
def test_order_money_is_in_minor_units_of_the_shop(order, sample, currency, total, price, expected):
    change = order(
        currency=currency,
        presentment_currency="EUR",
        total_price_set=money(total, currency),
        line_items=[a_line(sample, price_set=money(price, currency))],
    )

    assert (change.currency, change.total, change.lines[0].price) == (currency, *expected)


@pytest.mark.parametrize(
    ("fields", "discount"),
    [
        ({"total_discount_set": money("3.00")}, 300),
        ({"discount_allocations": [{"amount_set": money("1.25")}, {"amount_set": money("0.75")}]}, 200),
        (
            {"discount_allocations": [{"amount_set": money("5.00")}], "total_discount_set": money("3.00")},
            500,
        ),
        ({"discount_allocations": None, "total_discount_set": None}, 0),
    ],
    ids=["line", "allocated", "allocation-holds-both", "none"],
)
def test_order_line_discount(order, sample, fields, discount):
    assert order(line_items=[a_line(sample, **fields)]).lines[0].discount == discount


def test_order_line_after_refunds_and_edits(order, sample):
    change = order(
        line_items=[
            a_line(sample, quantity=3, current_quantity=1, variant_id=11, product_id=22, gift_card=True),
            a_line(sample, quantity=2, current_quantity=None, admin_graphql_api_id=None, id=5),
        ],
        refunds=[
            {"id": 77, "admin_graphql_api_id": "gid://shopify/Refund/77", "note": "x"},
            {"id": 78},
        ],
    )

    first, second = change.lines
    assert (first.quantity, first.current_quantity, first.gift_card) == (3, 1, True)
    assert (first.product_platform_id, first.variant_platform_id) == ("22", "11")
    assert (second.platform_id, second.quantity, second.current_quantity) == ("5", 2, 2)
    assert change.adjustment_ids == ("refund:77", "refund:78")


def test_bundle_counts_as_its_own_product_once(order, sample):
    # given a bundle of two that Shopify describes, one that it does not, and a product alone
    change = order(
        line_items=[
            a_line(sample, product_id=1, variant_id=10, sales_line_item_group_id=500),
            a_line(sample, product_id=2, variant_id=20, sales_line_item_group_id=500),
            a_line(sample, product_id=3, variant_id=30, sales_line_item_group_id=600),
            a_line(sample, product_id=4, variant_id=40, sales_line_item_group_id=600),
            a_line(sample, product_id=5, variant_id=50, sales_line_item_group_id=None),
        ],
        line_item_groups=[{"id": 500, "title": "Set", "product_id": 99, "variant_id": 990}],
    )

    assert [(line.product_platform_id, line.variant_platform_id) for line in change.lines] == [
        ("99", "990"),
        (None, None),
        ("3", "30"),
        (None, None),
        ("5", "50"),
    ]


def test_guest_is_known_by_the_hash_alone(order, pseudonym):
    identity = bytes.fromhex(pseudonym("anna@example.com"))

    assert order(customer=None, email="anna@example.com").customer == CustomerRef(None, identity)
    assert order(customer=None, email=None, contact_email=None).customer is None


def test_order_customer_without_an_address_takes_the_order_s(order, pseudonym):
    change = order(customer={"id": 7}, email="anna@example.com")

    assert change.customer == CustomerRef("7", bytes.fromhex(pseudonym("anna@example.com")))


def test_order_joins_its_cart(order):
    assert order(cart_token="Z2NwLXVz?key=1").cart_token_hash == sha256(b"Z2NwLXVz").digest()
    assert order(cart_token=None).cart_token_hash is None


def test_deleted_order(meaning, sample):
    change = OrderDeletion("820982911946154500", TRIGGERED)

    assert meaning("orders/delete", sample("orders/delete"), triggered_at=TRIGGERED) == Translation((change,))


def test_deletion_without_a_time_happened_when_it_was_received(meaning, sample):
    assert meaning("orders/delete", sample("orders/delete")).changes == (
        OrderDeletion("820982911946154500", RECEIVED),
    )


# Refunds and edits


def test_refund_of_the_sample(meaning, sample):
    assert meaning("refunds/create", sample("refunds/create")) == Translation(
        (
            OrderAdjustment(
                order_platform_id="820982911946154500",
                adjustment_id="refund:890088186047892319",
                happened_at=NEW_YEAR,
                lines=(
                    ("487817672276298554", -1),
                    ("789012345678901234", -1),
                    ("890123456789012345", -1),
                    ("976318377106520349", -1),
                    ("315789986012684393", -1),
                ),
            ),
        )
    )


def test_refund_names_a_line_twice_or_none(meaning, sample):
    refund = sample("refunds/create") | {
        "refund_line_items": [
            {"line_item_id": 5, "quantity": 1},
            {"line_item_id": 6, "quantity": 0},
            {"line_item_id": 5, "quantity": 2},
        ]
    }

    (some,) = meaning("refunds/create", refund).changes
    (none,) = meaning("refunds/create", refund | {"refund_line_items": []}).changes

    assert some.lines == (("5", -3),)
    assert none.lines == ()


def test_order_edit_of_the_sample(meaning, sample):
    assert meaning("orders/edited", sample("orders/edited")) == Translation(
        (
            OrderAdjustment(
                order_platform_id="820982911946154500",
                adjustment_id="edit:78912328793123780",
                happened_at=NEW_YEAR,
                lines=(("78643924236718240", 1), ("487817672276298560", -1)),
            ),
        )
    )


# Products


@pytest.mark.parametrize("topic", ["products/create", "products/update"])
def test_product_of_the_samples(meaning, sample, topic):
    def variant(platform_id, title, stock, position):
        return VariantState(
            platform_id=platform_id,
            title=title,
            price=1999,
            compare_at_price=2499,
            stock=stock,
            position=position,
        )

    assert meaning(topic, sample(topic)) == Translation(
        (
            ProductChange(
                platform_id="788032119674292922",
                updated_at=NEW_YEAR,
                title="Example T-Shirt",
                status=ProductStatus.ACTIVE,
                visible=True,
                currency="USD",
                price=1999,
                url="/products/example-t-shirt",
                category="Shirts",
                vendor="Acme",
                tags=("example", "mens", "t-shirt"),
                compare_at_price=2499,
                variants=(
                    variant("642667041472713922", "Small", 75, 1),
                    variant("757650484644203962", "Medium", 50, 2),
                ),
                variant_ids=("642667041472713922", "757650484644203962"),
            ),
        )
    )


@pytest.mark.parametrize(
    ("status", "published_at", "expected"),
    [
        ("active", "2026-01-01T00:00:00Z", (ProductStatus.ACTIVE, True)),
        ("active", None, (ProductStatus.ACTIVE, False)),
        ("unlisted", "2026-01-01T00:00:00Z", (ProductStatus.ACTIVE, False)),
        ("UNLISTED", "2026-01-01T00:00:00Z", (ProductStatus.ACTIVE, False)),
        ("draft", None, (ProductStatus.DRAFT, False)),
        ("archived", "2026-01-01T00:00:00Z", (ProductStatus.ARCHIVED, True)),
        ("of_next_year", "2026-01-01T00:00:00Z", (ProductStatus.DRAFT, True)),
    ],
)
def test_product_status_and_visibility(product, status, published_at, expected):
    change = product(status=status, published_at=published_at)

    assert (change.status, change.visible) == expected


def test_product_prices_are_those_of_its_cheapest_variant(product, sample):
    change = product(
        variants=[
            a_variant(sample, price="20.00", compare_at_price="30.00"),
            a_variant(sample, price="10.00", compare_at_price="10.00"),
        ]
    )

    assert (change.price, change.compare_at_price) == (1000, None)


def test_product_without_variants_has_no_price(product):
    change = product(variants=[], variant_gids=[])

    assert (change.price, change.compare_at_price, change.variants) == (None, None, ())


@pytest.mark.parametrize(
    ("fields", "stock", "sells_when_out"),
    [
        ({"inventory_quantity": 3, "inventory_management": "shopify"}, 3, False),
        ({"inventory_quantity": 0, "inventory_management": None}, None, False),
        ({"inventory_quantity": 0}, 0, False),
        ({"inventory_quantity": -2, "inventory_policy": "continue"}, -2, True),
        ({"inventory_quantity": None}, None, False),
    ],
    ids=["counted", "not-counted", "not-said", "oversold", "without-scope"],
)
def test_variant_stock(product, sample, fields, stock, sells_when_out):
    (variant,) = product(variants=[a_variant(sample, **fields)], variant_gids=[]).variants

    assert (variant.stock, variant.sells_when_out) == (stock, sells_when_out)


def test_pictures_of_product_and_variant(product, sample):
    change = product(
        image={"id": 1, "src": "https://cdn.shopify.com/1.png"},
        images=[
            {"id": 1, "src": "https://cdn.shopify.com/1.png"},
            {"id": 2, "src": "https://cdn.shopify.com/2.png"},
        ],
        variants=[
            a_variant(sample, image_id=2, inventory_item_id=9, sku="S-1"),
            a_variant(sample, image_id=None),
        ],
    )

    assert change.image_url == "https://cdn.shopify.com/1.png"
    assert [variant.image_url for variant in change.variants] == ["https://cdn.shopify.com/2.png", None]
    assert (change.variants[0].inventory_item_id, change.variants[0].sku) == ("9", "S-1")


@pytest.mark.parametrize(
    "src", ["javascript:alert(1)", "data:image/png;base64,AAAA", "//cdn.shopify.com/1.png", None]
)
def test_picture_elsewhere_than_on_the_web_is_left_out(product, src):
    assert product(image={"id": 1, "src": src}, images=[{"id": 1, "src": src}]).image_url is None


@pytest.mark.parametrize(
    ("handle", "url"),
    [
        ("t-shirt", "/products/t-shirt"),
        ("süß", "/products/s%C3%BC%C3%9F"),
        ("../x?y", "/products/..%2Fx%3Fy"),
        (None, None),
    ],
)
def test_product_url(product, handle, url):
    assert product(handle=handle).url == url


@pytest.mark.parametrize(
    ("fields", "category", "gift_card"),
    [
        ({"category": {"full_name": "Apparel > Shirts"}}, "Apparel > Shirts", False),
        ({"category": {"full_name": "Gift Cards"}}, "Gift Cards", True),
        ({"category": None, "product_type": ""}, None, False),
    ],
)
def test_product_category(product, fields, category, gift_card):
    change = product(**fields)

    assert (change.category, change.gift_card) == (category, gift_card)


def test_product_fulfilled_as_a_gift_card_is_one(product, sample):
    assert product(variants=[a_variant(sample, fulfillment_service="gift_card")]).gift_card is True


def test_variants_beyond_the_first_hundred_do_not_count_as_deleted(meaning, sample):
    # given a product of which Shopify lists two variants of three in full
    body = sample("products/update")
    body["variant_gids"].append({"admin_graphql_api_id": "gid://shopify/ProductVariant/3"})
    body["variants"][1] |= {"inventory_quantity": 0}

    whole, first, second = meaning("products/update", body).changes

    assert (whole.variants, whole.price) == (None, 1999)
    assert whole.variant_ids == ("3", "642667041472713922", "757650484644203962")
    assert isinstance(first, VariantChange)
    assert (first.product_platform_id, first.updated_at, first.currency) == (
        "788032119674292922",
        NEW_YEAR,
        "USD",
    )
    assert (first.variant.platform_id, first.available) == ("642667041472713922", True)
    assert (second.variant.platform_id, second.available) == ("757650484644203962", False)


@pytest.mark.parametrize(
    ("listed", "gids", "ids"),
    [
        ([2, 1], None, ("1", "2")),
        ([2, 1], ["gid://shopify/ProductVariant/1", "gid://shopify/ProductVariant/2"], ("1", "2")),
        ([1], ["gid://shopify/ProductVariant/2"], None),
        ([1], ["gid://shopify/ProductVariant/1", "gid://shopify/ProductVariant/"], None),
        ([], [], ()),
        (range(1, 100), [], tuple(sorted(map(str, range(1, 100))))),
        (range(1, 101), [], None),
        (
            range(1, 101),
            [f"gid://shopify/ProductVariant/{n}" for n in range(1, 102)],
            tuple(sorted(map(str, range(1, 102)))),
        ),
    ],
    ids=[
        "listed", "listed and named", "named otherwise", "named unreadably", "none", "ninety-nine",
        "perhaps cut off", "cut off and named",
    ],
)  # fmt: skip
def test_a_product_names_all_its_variants_or_none(meaning, sample, listed, gids, ids):
    template = {name: value for name, value in a_variant(sample).items() if name != "admin_graphql_api_id"}
    body = sample("products/update") | {
        "variants": [template | {"id": n} for n in listed],
        "variant_gids": gids and [{"admin_graphql_api_id": gid} for gid in gids],
    }

    state, *_ = meaning("products/update", body).changes

    assert state.variant_ids == ids


def test_deleted_product(meaning, sample):
    assert meaning("products/delete", sample("products/delete"), triggered_at=TRIGGERED) == Translation(
        (ProductDeletion("788032119674292900", TRIGGERED),)
    )


def test_inventory_level_of_the_sample(meaning, sample):
    assert meaning("inventory_levels/update", sample("inventory_levels/update")) == Translation(
        (InventoryChange("271878346596884000", "24826418", 10, NEW_YEAR),)
    )


def test_inventory_that_the_shop_does_not_count_is_set_aside(meaning, sample):
    body = sample("inventory_levels/update") | {"available": None}

    assert meaning("inventory_levels/update", body) == Translation(set_aside="stock_not_counted")


# Carts


@pytest.mark.parametrize("topic", ["carts/create", "carts/update"])
def test_cart_of_the_samples(meaning, sample, topic):
    assert meaning(topic, sample(topic)) == Translation(
        (
            CartChange(
                token_hash=sha256(b"exampleCartId").digest(),
                updated_at=NEW_YEAR,
                currency="USD",
                lines=(CartLineState("788032119674292900", "704912205188288500", 3, 1999),),
            ),
        )
    )


def test_emptied_cart_and_lines_of_no_product(meaning, sample):
    cart = sample("carts/update")
    line = cart["line_items"][0]
    lines = [line | {"product_id": None}, line | {"quantity": 0}]

    (change,) = meaning("carts/update", cart | {"line_items": lines}).changes

    assert change.lines == ()


# Customers, the shop, and what the law asks for


@pytest.mark.parametrize("topic", ["customers/create", "customers/update"])
def test_customer_of_the_samples(meaning, sample, pseudonym, topic):
    customer = CustomerRef("706405506930370084", bytes.fromhex(pseudonym("bob@biller.com")))

    assert meaning(topic, sample(topic)) == Translation((CustomerChange(customer, NEW_YEAR),))


def test_customer_of_a_shop_that_does_not_share_addresses(meaning):
    body = {"id": 7, "updated_at": None, "email": None, "state": "disabled"}

    assert meaning("customers/update", body, triggered_at=TRIGGERED).changes == (
        CustomerChange(CustomerRef("7", None), TRIGGERED),
    )


def test_deleted_customer(meaning, sample):
    assert meaning("customers/delete", sample("customers/delete"), triggered_at=TRIGGERED) == Translation(
        (CustomerDeletion("706405506930370084", TRIGGERED),)
    )


@pytest.mark.parametrize("status", ["completed", "COMPLETED"])
def test_merged_customers(meaning, sample, status):
    body = sample("customers/merge") | {"status": status, "errors": []}

    assert meaning("customers/merge", body, triggered_at=TRIGGERED) == Translation(
        (CustomerMerge("1", "2", TRIGGERED),)
    )


@pytest.mark.parametrize("status", ["failed", "in_progress", "requested", ""])
def test_merge_that_did_not_happen_joins_nobody(meaning, sample, status):
    body = sample("customers/merge") | {"status": status}

    assert meaning("customers/merge", body) == Translation(set_aside="merge_not_completed")


@pytest.mark.parametrize(
    "changed",
    [
        {"admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/1"},
        {"admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/"},
        {"admin_graphql_api_customer_kept_id": ""},
    ],
    ids=["one and the same", "nobody merged", "nobody kept"],
)
def test_merge_of_less_than_two_customers_is_refused(meaning, sample, changed):
    with pytest.raises(PayloadError, match="Not two customers"):
        meaning("customers/merge", sample("customers/merge") | {"status": "completed"} | changed)


def test_names_in_the_errors_of_a_merge_are_dropped(sample, pseudonym):
    redacted = SHOPIFY.redact(sample("customers/merge"), pseudonym)

    assert "John Doe" not in str(redacted)
    assert redacted["status"] == "failed"


def test_uninstalled(meaning, sample):
    assert meaning("app/uninstalled", sample("app/uninstalled"), triggered_at=TRIGGERED) == Translation(
        (StoreUninstalled(TRIGGERED),)
    )


def test_data_request(meaning, sample, pseudonym):
    assert meaning(
        "customers/data_request", sample("customers/data_request"), triggered_at=TRIGGERED
    ) == Translation(
        (
            PrivacyRequest(
                kind=PrivacyRequestKind.DATA_REQUEST,
                request_id="data_request:9999",
                requested_at=TRIGGERED,
                customer=CustomerRef("191167", bytes.fromhex(pseudonym("jon@example.com"))),
                orders=("299938", "280263", "220458"),
            ),
        )
    )


def test_customer_redaction(meaning, sample, pseudonym):
    (request,) = meaning("customers/redact", sample("customers/redact"), triggered_at=TRIGGERED).changes

    assert request.kind is PrivacyRequestKind.REDACT_CUSTOMER
    assert request.customer == CustomerRef("191167", bytes.fromhex(pseudonym("jon@example.com")))
    assert request.orders == ("299938", "280263", "220458")
    assert request.requested_at == TRIGGERED
    assert len(request.request_id) == 64


def test_redaction_of_a_customer_without_an_account(meaning, sample, pseudonym):
    body = sample("customers/redact") | {"customer": {"email": "a@b.example"}, "orders_to_redact": []}

    (request,) = meaning("customers/redact", body).changes

    assert request.customer == CustomerRef(None, bytes.fromhex(pseudonym("a@b.example")))


def test_store_redaction(meaning, sample):
    (request,) = meaning("shop/redact", sample("shop/redact"), triggered_at=TRIGGERED).changes

    assert (request.kind, request.requested_at, request.customer, request.orders) == (
        PrivacyRequestKind.REDACT_STORE,
        TRIGGERED,
        None,
        (),
    )


@pytest.mark.parametrize("topic", ["customers/redact", "shop/redact"])
def test_redaction_is_one_request_a_day_however_often_it_is_sent(meaning, sample, topic):
    def request_id(day, **fields):
        triggered_at = datetime(2026, 11, day, 23, 0, tzinfo=UTC)
        (request,) = meaning(topic, sample(topic) | fields, triggered_at=triggered_at).changes
        return request.request_id

    assert request_id(21) == request_id(21)
    assert len({request_id(21), request_id(22), request_id(21, shop_id=2)}) == 3


# Bodies under the wrong topic


@pytest.mark.parametrize(
    ("topic", "body_of"),
    [
        ("orders/delete", "orders/create"),
        ("orders/delete", "refunds/create"),
        ("products/delete", "products/update"),
        ("customers/delete", "orders/create"),
        ("customers/update", "orders/create"),
        ("customers/update", "products/update"),
        ("app/uninstalled", "orders/create"),
        ("app/uninstalled", "customers/update"),
        ("app/uninstalled", "products/delete"),
        ("customers/redact", "customers/data_request"),
        ("customers/data_request", "customers/redact"),
        ("shop/redact", "customers/redact"),
        ("shop/redact", "customers/data_request"),
        ("orders/create", "products/update"),
        ("orders/create", "carts/create"),
        ("products/update", "orders/create"),
        ("carts/update", "orders/create"),
        ("refunds/create", "orders/create"),
        ("orders/edited", "orders/create"),
        ("inventory_levels/update", "carts/update"),
    ],
)
def test_signed_body_of_another_topic_is_refused(meaning, sample, topic, body_of):
    # given a body that Shopify did sign, sent again under a topic that nobody signed
    with pytest.raises(PayloadError):
        meaning(topic, sample(body_of))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"line_items": {"id": 1}}, "line_items: Invalid type."),
        ({"line_items": [[]]}, "line_items.0: Invalid input type."),
        ({"id": 12.0}, "id: Not an id."),
        ({"id": True}, "id: Not an id."),
        ({"id": -1}, "id: Not an id."),
        ({"id": 2**63}, "id: Not an id."),
        ({"currency": "usd"}, "currency: String does not match expected pattern."),
        ({"currency": "EUR\n"}, "currency: String does not match expected pattern."),
        ({"updated_at": "2026-11-22T06:00:00"}, "updated_at: Not a time with an offset."),
        ({"updated_at": "9999-12-31T23:59:59-12:00"}, "updated_at: Not a time with an offset."),
        ({"updated_at": None}, "updated_at: Field may not be null."),
        ({"test": "true"}, "test: Not true or false."),
        ({"test": 1}, "test: Not true or false."),
        ({"total_price_set": {"shop_money": {}}}, "total_price_set: Not an amount of money."),
        ({"total_price_set": money("NaN")}, "total_price_set: Not an amount of money."),
        ({"total_price_set": money("1e99")}, "total_price_set: Not an amount of money."),
        ({"total_price_set": money(True)}, "total_price_set: Not an amount of money."),
        ({"customer": 7, "refunds": 7}, "refunds: Invalid type."),
    ],
)
def test_wrong_types_are_named_without_their_values(meaning, sample, fields, reason):
    with pytest.raises(PayloadError) as refused:
        meaning("orders/create", sample("orders/create") | fields)

    assert str(refused.value) == reason


def test_missing_fields_are_named(meaning, sample):
    with pytest.raises(PayloadError) as refused:
        meaning("products/update", {"id": 1, "variants": [{"id": 2, "price": "1"}, {"id": 3}]})

    assert str(refused.value) == (
        "title: Missing data for required field.; status: Missing data for required field.; "
        "updated_at: Missing data for required field.; variants.1.price: Missing data for required field."
    )


def test_sum_of_discounts_beyond_any_currency_is_refused(meaning, sample):
    allocations = [{"amount_set": money("900000000000000", "KWD")}] * 20
    body = sample("orders/create") | {
        "currency": "KWD",
        "line_items": [a_line(sample, discount_allocations=allocations)],
    }

    with pytest.raises(PayloadError, match="out of range"):
        meaning("orders/create", body)


@pytest.mark.parametrize("body", [None, [], "text", 3, {}])
def test_body_that_is_no_order_is_refused(meaning, body):
    with pytest.raises(PayloadError):
        meaning("orders/create", body)
