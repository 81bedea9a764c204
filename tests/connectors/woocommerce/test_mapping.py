"""What WooCommerce's bodies mean, exactly: every recorded delivery, and what the recordings do not show."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.commerce.changes import (
    CartChange,
    CartLineState,
    Channel,
    ConnectionProblem,
    CustomerChange,
    CustomerDeletion,
    CustomerRef,
    OrderChange,
    OrderDeletion,
    OrderLineState,
    OrderStatus,
    PrivacyRequest,
    PrivacyRequestKind,
    ProductChange,
    ProductDeletion,
    ProductStatus,
    VariantChange,
    VariantState,
)
from connectors.base import PayloadError, Translation
from connectors.woocommerce.connector import WOOCOMMERCE

RECEIVED = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
NAMES = {path.stem for path in (Path(__file__).parents[2] / "payloads" / "woocommerce").glob("*.raw")}


def at(time):
    """Return a time of the day that was recorded."""
    return datetime.fromisoformat(f"2026-11-22T{time}+00:00")


def line(platform_id, product_id, quantity, price, variant_id=None):
    # the recorded shop is German: its prices contain 19 %
    tax = round(price * quantity * 19 / 119)
    return OrderLineState(platform_id, product_id, variant_id, quantity, quantity, price, tax_included=tax)


BEANS_FILTERS_SHIRT = (line("1", "12", 2, 1990), line("2", "13", 1, 299), line("3", "21", 1, 2200, "22"))


def first_order(updated_at, status, identity, refunds=()):
    return OrderChange(
        platform_id="24",
        updated_at=at(updated_at),
        placed_at=at("06:38:05"),
        status=status,
        channel=Channel.OTHER,
        test=False,
        currency="EUR",
        total=7062,
        lines=BEANS_FILTERS_SHIRT,
        customer=CustomerRef(None, identity("anna@example.test")),
        adjustment_ids=refunds,
    )


def order_of_one(platform_id, updated_at, placed_at, status, total, line_id, **more):
    return OrderChange(
        platform_id=platform_id,
        updated_at=at(updated_at),
        placed_at=at(placed_at),
        status=status,
        channel=Channel.OTHER,
        test=False,
        currency="EUR",
        total=total,
        lines=(line(line_id, "14", 1, total),),
        **more,
    )


# The draft of the block checkout and the order that comes of it have one id.
CHECKOUT_30 = hashlib.sha256(b"checkout:30").digest()


def block_checkout(identity):
    return OrderChange(
        platform_id="30",
        updated_at=at("06:41:42"),
        placed_at=at("06:41:41"),
        status=OrderStatus.PLACED,
        channel=Channel.ONLINE,
        test=False,
        currency="EUR",
        total=4862,
        lines=(line("13", "12", 2, 1990), line("14", "13", 1, 299)),
        customer=CustomerRef(None, identity("carl@example.test")),
        cart_token_hash=CHECKOUT_30,
    )


def opened_checkout():
    return CartChange(
        CHECKOUT_30,
        at("06:41:41"),
        "EUR",
        (CartLineState("12", None, 2, 1990), CartLineState("13", None, 1, 299)),
    )


def product_state(
    platform_id, updated_at, title, slug, price, category="Coffee", compare_at_price=None, chosen=((), ())
):
    return ProductChange(
        platform_id=platform_id,
        updated_at=at(updated_at),
        title=title,
        status=ProductStatus.ACTIVE,
        visible=True,
        currency="EUR",
        price=price,
        url=f"http://127.0.0.1:8081/product/{slug}/",
        category=category,
        available=True,
        compare_at_price=compare_at_price,
        variants=(),
        variant_ids=(),
        cross_sell_ids=chosen[0],
        upsell_ids=chosen[1],
    )


def beans(updated_at):
    return product_state(
        "12", updated_at, "Espresso Beans 1kg", "espresso-beans-1kg", 1990, chosen=(("13", "14"), ("15",))
    )


def filters(updated_at):
    return product_state(
        "13", updated_at, "Paper Filters 100", "paper-filters-100", 299, compare_at_price=349
    )


def frother(updated_at, price):
    return product_state("14", updated_at, "Milk Frother", "milk-frother", price)


def new_thing(updated_at, price):
    return product_state("27", updated_at, "New thing", "new-thing", price, category=None)


def shirt_in_m(updated_at, price):
    variant = VariantState(platform_id="22", title="M", price=price, sku="TSH-M", stock=49)
    return VariantChange("21", at(updated_at), "EUR", variant, available=True)


def customer_state(updated_at, identity):
    return CustomerChange(CustomerRef("2", identity("bea@example.test")), at(updated_at))


ACCESS_LOST = ConnectionProblem(
    RECEIVED,
    "WooCommerce no longer lets Pannier see this shop's data, because the user who connected it was deleted "
    "or lost the right to see it: connect the shop again.",
)

# What each recorded delivery means: a change (made with the store's hash of an address), or why none.
EXPECTED = {
    "0016-order_created": lambda who: first_order("06:38:06", OrderStatus.PLACED, who),
    "0017-order_updated": lambda who: first_order("06:38:06", OrderStatus.PLACED, who),
    "0018-product_updated": lambda _: beans("06:38:05"),
    "0019-product_updated": lambda _: filters("06:38:05"),
    "0020-product_updated": lambda _: shirt_in_m("06:38:05", 2200),
    "0021-order_updated": lambda who: first_order("06:40:20", OrderStatus.COMPLETED, who),
    "0022-product_updated": lambda _: beans("06:40:21"),
    "0023-order_updated": lambda who: first_order("06:40:21", OrderStatus.COMPLETED, who, ("refund:25",)),
    "0024-order_deleted": lambda _: OrderDeletion("24", RECEIVED),
    "0025-customer_created": lambda who: customer_state("06:40:26", who),
    "0026-customer_updated": lambda who: customer_state("06:40:26", who),
    "0027-customer_updated": lambda who: customer_state("06:40:27", who),
    "0028-customer_deleted": lambda _: CustomerDeletion("2", RECEIVED),
    "0029-coupon_created": "coupon_not_used",
    "0030-coupon_updated": "coupon_not_used",
    "0031-product_created": lambda _: new_thing("06:40:31", 500),
    "0032-product_updated": lambda _: new_thing("06:40:32", 600),
    "0033-coupon_deleted": "coupon_not_used",
    "0034-product_deleted": lambda _: ProductDeletion("27", RECEIVED),
    "0035-product_updated": lambda _: shirt_in_m("06:40:35", 2300),
    "0036-order_created": "resource_gone",
    "0037-order_updated": "resource_gone",
    "0038-order_created": lambda _: order_of_one(
        "29", "06:40:37", "06:40:37", OrderStatus.PENDING, 2400, "10"
    ),
    "0039-order_updated": lambda _: order_of_one(
        "29", "06:40:37", "06:40:37", OrderStatus.PENDING, 2400, "10"
    ),
    "0040-action_woocommerce_add_to_cart": "action_not_used",
    "0041-action_woocommerce_add_to_cart": "action_not_used",
    "0042-action_woocommerce_add_to_cart": "action_not_used",
    "0043-action_woocommerce_add_to_cart": "action_not_used",
    "0044-action_woocommerce_add_to_cart": "action_not_used",
    "0045-action_woocommerce_add_to_cart": "action_not_used",
    "0046-order_updated": lambda _: opened_checkout(),
    "0047-order_updated": block_checkout,
    "0048-order_created": block_checkout,
    "0049-product_updated": lambda _: beans("06:41:42"),
    "0050-product_updated": lambda _: filters("06:41:42"),
    "0052-product_updated": lambda _: frother("06:42:25", 2000),
    "0054-product_updated": lambda _: frother("06:42:26", 2100),
    "0056-product_updated": lambda _: frother("06:42:27", 2200),
    "0058-product_updated": lambda _: frother("06:42:29", 2300),
    "0060-product_updated": lambda _: frother("06:42:30", 2400),
    "0079-coupon_deleted": "coupon_not_used",
    "0080-product_deleted": lambda _: ProductDeletion("31", RECEIVED),
    "0088-order_restored": lambda _: order_of_one(
        "34", "06:43:52", "06:43:50", OrderStatus.PLACED, 4900, "16", revives=True
    ),
    "0089-order_updated": lambda _: order_of_one(
        "34", "06:43:54", "06:43:50", OrderStatus.REFUNDED, 4900, "16", adjustment_ids=("refund:35",)
    ),
    "0091-order_updated": lambda _: ACCESS_LOST,
}


@pytest.fixture
def meaning(pseudonym, delivered):
    """Return what a body means after redaction, as intake and drain do it."""

    def translate(topic, body, **known):
        redacted = WOOCOMMERCE.redact(body, pseudonym)
        return WOOCOMMERCE.translate(redacted, delivered(topic, **{"currency": "EUR", **known}))

    return translate


@pytest.fixture
def identity(pseudonym):
    """Return the identity hash of an address."""
    return lambda address: bytes.fromhex(pseudonym(address))


@pytest.fixture
def order(meaning, recording):
    """Return the changes of a recorded order with other fields."""

    def changes(**fields):
        return meaning("order.updated", recording("0016-order_created").body | fields).changes

    return changes


@pytest.fixture
def product(meaning, recording):
    """Return the change of a recorded product with other fields."""

    def change(**fields):
        (found,) = meaning("product.updated", recording("0019-product_updated").body | fields).changes
        return found

    return change


def test_every_recording_has_an_expected_meaning():
    assert set(EXPECTED) == {name for name in NAMES if "ping" not in name}


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items(), ids=EXPECTED)
def test_recorded_delivery(meaning, recording, identity, name, expected):
    # given a delivery as a shop sent it
    delivery = recording(name)
    headers = WOOCOMMERCE.read_headers(delivery.headers)

    # when
    found = meaning(headers.topic, delivery.body)

    # then
    if isinstance(expected, str):
        assert found == Translation(set_aside=expected)
    else:
        assert found == Translation((expected(identity),))


# Orders


@pytest.mark.parametrize(
    ("status", "paid", "expected"),
    [
        ("pending", None, OrderStatus.PENDING),
        ("on-hold", None, OrderStatus.PLACED),
        ("processing", "2026-11-22T06:38:05", OrderStatus.PLACED),
        ("completed", "2026-11-22T06:38:05", OrderStatus.COMPLETED),
        ("cancelled", None, OrderStatus.CANCELLED),
        ("refunded", "2026-11-22T06:38:05", OrderStatus.REFUNDED),
        ("failed", None, OrderStatus.FAILED),
        ("awaiting-pickup", "2026-11-22T06:38:05", OrderStatus.PLACED),
        ("awaiting-pickup", None, OrderStatus.PENDING),
    ],
)
def test_order_status(order, status, paid, expected):
    (change,) = order(status=status, date_paid_gmt=paid)

    assert change.status is expected


def test_order_that_staff_have_not_written_yet_is_set_aside(meaning, recording):
    body = recording("0016-order_created").body | {"status": "auto-draft"}

    assert meaning("order.updated", body) == Translation(set_aside="checkout_draft")


def test_order_in_the_bin_is_deleted(order):
    assert order(status="trash") == (OrderDeletion("24", at("06:38:06")),)


@pytest.mark.parametrize(
    ("created_via", "channel"),
    [
        ("checkout", Channel.ONLINE),
        ("store-api", Channel.ONLINE),
        ("admin", Channel.STAFF),
        ("rest-api", Channel.OTHER),
        ("subscription", Channel.OTHER),
        ("pos-rest-api", Channel.POS),
        ("woocommerce-POS", Channel.POS),
        ("openpos", Channel.POS),
        ("postfinance-checkout", Channel.OTHER),
        ("", Channel.OTHER),
        (None, Channel.OTHER),
    ],
)
def test_order_channel(order, created_via, channel):
    (change,) = order(created_via=created_via)

    assert change.channel is channel


@pytest.mark.parametrize(
    ("fields", "times"),
    [
        ({}, ("06:38:06", "06:38:05")),
        ({"date_modified_gmt": None}, ("06:38:05", "06:38:05")),
        ({"date_modified_gmt": None, "date_created_gmt": None}, ("07:00:00", "07:00:00")),
    ],
    ids=["both", "created", "none"],
)
def test_order_times(order, fields, times):
    (change,) = order(**fields)

    assert (change.updated_at, change.placed_at) == tuple(map(at, times))


@pytest.mark.parametrize(
    ("with_tax", "fields", "expected"),
    [
        (True, {"quantity": 2}, (2, 1990, 0, 635)),
        (False, {"quantity": 2}, (2, 1673, 0, 0)),
        (True, {"quantity": 3}, (3, 1327, 0, 635)),
        (True, {"quantity": 2, "total": "28.43", "total_tax": "5.40"}, (2, 1990, 597, 540)),
        (False, {"quantity": 2, "total": "28.43", "total_tax": "5.40"}, (2, 1673, 502, 0)),
        (True, {"quantity": 2, "total": "40.00", "total_tax": "7.60"}, (2, 1990, 0, 760)),
        (True, {"quantity": 1.5}, (2, 1990, 0, 635)),
        (True, {"quantity": 0.25}, (1, 3980, 0, 635)),
        (True, {"quantity": 0}, (0, 3980, 0, 635)),
        (True, {"quantity": 2, "subtotal_tax": "", "total_tax": ""}, (2, 1673, 0, 0)),
        (True, {"quantity": 2, "subtotal": "", "total": ""}, (2, 318, 0, 635)),
    ],
    ids=[
        "gross", "net", "rounds-half-up", "discounted", "discounted-net", "surcharge-is-no-discount", "one-and-a-half",
        "a-quarter", "nothing", "no-tax", "no-amounts",
    ],
)  # fmt: skip
def test_order_line_quantity_price_discount_and_tax(order, recording, with_tax, fields, expected):
    lines = [recording("0016-order_created").body["line_items"][0] | fields]

    (change,) = order(prices_include_tax=with_tax, line_items=lines)

    (found,) = change.lines
    assert (found.quantity, found.price, found.discount, found.tax_included) == expected
    assert found.current_quantity == found.quantity


@pytest.mark.parametrize(
    ("taken", "left"),
    [
        ([[("1", -1)]], [1, 1, 1]),
        ([[("1", -1)], [("1", -1), ("2", -1)]], [0, 0, 1]),
        ([[("1", -5)]], [0, 1, 1]),
        ([[("1", -0.5)]], [1, 1, 1]),
        ([[("1", 0)], []], [2, 1, 1]),
        ([[("99", -1)]], [2, 1, 1]),
    ],
    ids=["one", "in-parts", "more-than-there-was", "a-fraction-is-a-piece", "money-only", "of-another-order"],
)
def test_lines_of_refunds_take_pieces_off_the_orders_lines(order, taken, left):
    refunds = [
        {
            "id": 70 + n,
            "line_items": [{"refunded_item_id": int(line_id), "quantity": q} for line_id, q in lines],
        }
        for n, lines in enumerate(taken)
    ]

    (change,) = order(refunds=refunds)

    assert [line.current_quantity for line in change.lines] == left
    assert [line.quantity for line in change.lines] == [2, 1, 1]
    assert change.adjustment_ids == tuple(f"refund:{refund['id']}" for refund in refunds)
    assert change.updated_at == at("06:38:06.000001")


@pytest.mark.parametrize(
    "refunds",
    [None, [], [{"id": 70}], [{"id": 70, "line_items": None}], [{"id": 70, "line_items": []}, {"id": 71}]],
    ids=["none", "empty", "delivered", "null", "one-unknown"],
)
def test_an_order_whose_refunds_are_not_known_whole_is_as_new_as_it_says(order, refunds):
    (change,) = order(refunds=refunds)

    assert change.updated_at == at("06:38:06")
    assert [line.current_quantity for line in change.lines] == [2, 1, 1]


@pytest.mark.parametrize("quantity", [1, "-1", True, None, -(2**31)])
def test_a_refund_that_adds_pieces_is_not_understood(order, quantity):
    with pytest.raises(PayloadError, match=r"^refunds\.0\.line_items\.0\.quantity: "):
        order(refunds=[{"id": 70, "line_items": [{"refunded_item_id": 1, "quantity": quantity}]}])


def test_line_of_a_deleted_product_has_no_product(order, recording):
    lines = [
        recording("0016-order_created").body["line_items"][2]
        | {"product_id": 0, "variation_id": 0, "sku": None}
    ]

    (change,) = order(line_items=lines)

    assert (change.lines[0].product_platform_id, change.lines[0].variant_platform_id) == (None, None)


@pytest.mark.parametrize("mark", ["_bundled_by", "_composite_parent", "_woosb_parent_id"])
def test_part_of_a_bundle_counts_for_no_product(order, recording, mark):
    # given a bundle (21) and its part (12)
    part, _, bundle = recording("0016-order_created").body["line_items"]
    part["meta_data"].append({"id": 9, "key": mark, "value": "c20ad4d7"})

    (change,) = order(line_items=[bundle, part])

    assert [found.product_platform_id for found in change.lines] == ["21", None]
    assert [found.platform_id for found in change.lines] == ["3", "1"]


MARK = {"id": 9, "key": "_pannier_cart", "value": "0f" * 32}


@pytest.mark.parametrize(
    ("created_via", "meta_data", "expected"),
    [
        ("checkout", [MARK], bytes.fromhex("0f" * 32)),
        ("store-api", [MARK], bytes.fromhex("0f" * 32)),
        ("checkout", [], None),
        ("checkout", [MARK | {"value": "0f"}], None),
        ("store-api", [MARK | {"value": "0f"}], hashlib.sha256(b"checkout:24").digest()),
    ],
    ids=["classic", "block", "unmarked", "no hash", "block, no hash"],
)
def test_order_belongs_to_the_cart_that_the_browser_reported(order, created_via, meta_data, expected):
    (change,) = order(created_via=created_via, meta_data=meta_data)

    assert change.cart_token_hash == expected


def test_opened_checkout_is_the_cart_that_the_browser_reported(meaning, recording):
    body = recording("0046-order_updated").body
    assert body["status"] == "checkout-draft"

    (change,) = meaning("order.updated", body | {"meta_data": [MARK]}).changes

    assert change == replace(opened_checkout(), token_hash=bytes.fromhex("0f" * 32))


def test_order_of_an_account(order, identity):
    (change,) = order(customer_id=7)

    assert change.customer == CustomerRef("7", identity("anna@example.test"))


def test_erased_order_is_a_request_to_erase(order, recording):
    # given an order as WooCommerce's own eraser leaves it
    billing = dict.fromkeys(recording("0016-order_created").body["billing"], "[deleted]")
    change, request = order(customer_id=7, billing=billing | {"email": "deleted@site.invalid"})

    assert (change.platform_id, change.customer) == ("24", None)
    assert request == PrivacyRequest(
        kind=PrivacyRequestKind.REDACT_CUSTOMER,
        request_id="erased_order:24",
        requested_at=at("06:38:06"),
        orders=("24",),
    )


@pytest.mark.parametrize(("currency", "total"), [("EUR", 7062), ("JPY", 71), ("KWD", 70620)])
def test_order_is_in_its_own_currency(order, currency, total):
    (change,) = order(currency=currency)

    assert (change.currency, change.total) == (currency, total)


# Products


def test_variable_product_leaves_its_variants_to_their_own_messages(product):
    assert product(type="variable", variations=[22, 23]).variants is None
    assert product(type="variable-subscription", variations=[]).variants is None
    assert product(type="simple").variants == ()


@pytest.mark.parametrize(
    ("fields", "ids"),
    [
        ({"type": "variable", "variations": [23, 22, 22]}, ("22", "23")),
        ({"type": "variable", "variations": []}, ()),
        ({"type": "variable", "variations": None}, None),
        ({"type": "simple", "variations": []}, ()),
    ],
    ids=["variations", "none left", "not said", "no variable product"],
)
def test_a_product_names_all_its_variations(product, fields, ids):
    assert product(**fields).variant_ids == ids


@pytest.mark.parametrize(
    ("fields", "available"),
    [
        ({"stock_status": "instock"}, True),
        ({"stock_status": "onbackorder"}, True),
        ({"stock_status": "outofstock"}, False),
        ({"stock_status": "of_a_plugin"}, False),
        ({"purchasable": False}, False),
        ({"type": "external"}, False),
        ({"type": "grouped"}, False),
        ({"type": "bundle"}, True),
    ],
)
def test_product_availability(product, fields, available):
    assert product(**fields).available is available


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (ProductStatus.ACTIVE, True)),
        ({"catalog_visibility": "hidden"}, (ProductStatus.ACTIVE, False)),
        ({"catalog_visibility": "search"}, (ProductStatus.ACTIVE, True)),
        ({"catalog_visibility": "catalog"}, (ProductStatus.ACTIVE, True)),
        ({"post_password": "open sesame"}, (ProductStatus.ACTIVE, False)),
        ({"status": "private"}, (ProductStatus.DRAFT, True)),
        ({"status": "draft"}, (ProductStatus.DRAFT, True)),
        ({"status": "pending"}, (ProductStatus.DRAFT, True)),
        ({"status": "future"}, (ProductStatus.DRAFT, True)),
        ({"status": "of_a_plugin"}, (ProductStatus.DRAFT, True)),
    ],
)
def test_product_status_and_visibility(product, fields, expected):
    change = product(**fields)

    assert (change.status, change.visible) == expected


@pytest.mark.parametrize(
    ("fields", "prices"),
    [
        ({"price": "2.99", "regular_price": "3.49", "on_sale": True}, (299, 349)),
        ({"price": "2.99", "regular_price": "3.49", "on_sale": False}, (299, None)),
        ({"price": "2.99", "regular_price": "", "on_sale": True}, (299, None)),
        ({"price": "3.49", "regular_price": "3.49", "on_sale": True}, (349, None)),
        ({"price": "", "regular_price": "", "on_sale": False}, (None, None)),
        ({"price": "0", "regular_price": "0", "on_sale": False}, (0, None)),
    ],
    ids=["sale", "no-sale", "variable", "no-difference", "no-price", "free"],
)
def test_product_prices(product, fields, prices):
    change = product(**fields)

    assert (change.price, change.compare_at_price) == prices


@pytest.mark.parametrize(
    ("kept", "cost"),
    [
        ({"values": [{"defined_value": 3.21, "effective_value": 3.21}], "total_value": 3.21}, 321),
        ({"values": [{"defined_value": 0, "effective_value": 0}], "total_value": 0}, None),
        (None, None),
    ],
    ids=["kept", "nothing entered", "not kept"],
)
def test_what_a_piece_costs_the_merchant(product, kept, cost):
    change = product(cost_of_goods_sold=kept)

    assert change.cost == cost


def test_product_price_is_in_the_currency_of_the_store(meaning, recording):
    (change,) = meaning("product.updated", recording("0019-product_updated").body, currency="JPY").changes

    assert (change.currency, change.price) == ("JPY", 3)


@pytest.mark.parametrize("address", ["javascript:alert(1)", "/product/x", "", None])
def test_address_that_is_not_on_the_web_is_left_out(product, address):
    change = product(permalink=address, images=[{"id": 1, "src": address}])

    assert (change.url, change.image_url) == (None, None)


def test_names_are_free_of_html(product):
    change = product(
        name="Tea &amp; Coffee &#8211; Set",
        categories=[
            {"id": 1, "name": "Uncategorized", "slug": "uncategorized"},
            {"id": 2, "name": "Tea &amp; Co"},
        ],
        brands=[{"id": 3, "name": "B&auml;r", "slug": "baer"}],
        tags=[{"id": 4, "name": "hot &gt; cold", "slug": "hot"}],
        images=[
            {"id": 5, "src": "https://shop.example/a.png"},
            {"id": 6, "src": "https://shop.example/b.png"},
        ],
    )

    assert (change.title, change.category, change.vendor, change.tags, change.image_url) == (
        "Tea & Coffee – Set",
        "Tea & Co",
        "Bär",
        ("hot > cold",),
        "https://shop.example/a.png",
    )


@pytest.mark.parametrize(
    ("told", "chosen"),
    [
        ({"cross_sell_ids": [5, 7], "upsell_ids": [9]}, (("5", "7"), ("9",))),
        ({"cross_sell_ids": [7, 13, 5, 7], "upsell_ids": []}, (("7", "5"), ())),
        ({"cross_sell_ids": None, "upsell_ids": None}, (None, None)),
    ],
    ids=["chosen", "itself and twice", "not told"],
)
def test_what_the_merchant_chose_is_told_in_the_merchants_order(product, told, chosen):
    change = product(**told)

    assert change.platform_id == "13"
    assert (change.cross_sell_ids, change.upsell_ids) == chosen


def test_product_in_the_bin_is_deleted_and_one_out_of_it_revived(meaning, recording):
    body = recording("0019-product_updated").body

    deleted = meaning("product.updated", body | {"status": "trash"})
    (revived,) = meaning("product.restored", body).changes

    assert deleted == Translation((ProductDeletion("13", at("06:38:05")),))
    assert revived.revives is True


@pytest.mark.parametrize(
    ("fields", "stock", "available"),
    [
        ({}, 49, True),
        ({"manage_stock": "parent"}, None, True),
        ({"manage_stock": False, "stock_quantity": None}, None, True),
        ({"stock_quantity": 2.7}, 2, True),
        ({"stock_quantity": -1, "stock_status": "onbackorder", "backorders_allowed": True}, -1, True),
        ({"stock_quantity": 0, "stock_status": "outofstock"}, 0, False),
        ({"status": "private"}, 49, False),
        ({"price": "", "purchasable": True}, 49, False),
    ],
    ids=["own", "parent", "uncounted", "fraction", "backorder", "sold-out", "switched-off", "without-price"],
)
def test_variation_stock(meaning, recording, fields, stock, available):
    body = recording("0020-product_updated").body | fields

    (change,) = meaning("product.updated", body).changes

    assert (change.variant.stock, change.available) == (stock, available)


@pytest.mark.parametrize(
    ("attributes", "title"),
    [
        ([{"option": "M"}, {"option": "Red &amp; Blue"}], "M / Red & Blue"),
        ([{"option": ""}, {"option": "Red"}], "Red"),
        ([], "Barista T-Shirt - M"),
    ],
)
def test_variation_title(meaning, recording, attributes, title):
    (change,) = meaning(
        "product.updated", recording("0020-product_updated").body | {"attributes": attributes}
    ).changes

    assert change.variant.title == title


def test_variation_without_a_product_is_refused(meaning, recording):
    with pytest.raises(PayloadError, match=r"^parent_id: Missing from a variation.$"):
        meaning("product.updated", recording("0020-product_updated").body | {"parent_id": 0})


# Customers and errors


@pytest.mark.parametrize("role", ["shop_manager", "administrator", "subscriber"])
def test_user_who_is_no_customer_is_set_aside(meaning, recording, role):
    body = recording("0025-customer_created").body | {"role": role}

    assert meaning("customer.created", body) == Translation(set_aside="not_a_customer")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Translation((ACCESS_LOST,))),
        (403, Translation((ACCESS_LOST,))),
        (404, Translation(set_aside="resource_gone")),
        (410, Translation(set_aside="resource_gone")),
        (500, Translation(set_aside="platform_error")),
    ],
)
@pytest.mark.parametrize("topic", ["order.updated", "product.updated", "customer.created", "coupon.updated"])
def test_error_in_the_place_of_a_resource(meaning, topic, status, expected):
    body = {"code": "woocommerce_rest_cannot_view", "message": "Sorry.", "data": {"status": status}}

    assert meaning(topic, body) == expected


# Bodies under the wrong topic


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("order.deleted", "0016-order_created"),
        ("product.deleted", "0018-product_updated"),
        ("customer.deleted", "0025-customer_created"),
        ("customer.deleted", "0016-order_created"),
        ("order.updated", "0018-product_updated"),
        ("order.updated", "0024-order_deleted"),
        ("order.created", "0029-coupon_created"),
        ("product.updated", "0016-order_created"),
        ("product.updated", "0029-coupon_created"),
        ("product.updated", "0034-product_deleted"),
        ("customer.updated", "0016-order_created"),
        ("customer.updated", "0028-customer_deleted"),
    ],
)
def test_signed_body_of_another_topic_is_refused(meaning, recording, topic, name):
    # given a body that the shop did sign, sent again under a topic that nobody signed
    with pytest.raises(PayloadError):
        meaning(topic, recording(name).body)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"line_items": {}}, "line_items: Invalid type."),
        ({"id": "24"}, "id: Not an id."),
        ({"id": 0}, "id: Not an id."),
        ({"customer_id": -1}, "customer_id: Not an id or 0."),
        ({"prices_include_tax": "yes"}, "prices_include_tax: Not true or false."),
        ({"total": "12,50"}, "total: Not an amount of money."),
        ({"total": True}, "total: Not an amount of money."),
        ({"date_modified_gmt": "yesterday"}, "date_modified_gmt: Not a time."),
        ({"refunds": [{"id": None}]}, "refunds.0.id: Field may not be null."),
        ({"status": ["processing"]}, "status: Not a text."),
    ],
)
def test_wrong_types_are_named_without_their_values(order, fields, reason):
    with pytest.raises(PayloadError) as refused:
        order(**fields)

    assert str(refused.value) == reason


@pytest.mark.parametrize("quantity", [-1, "2", True, None, 1e300])
def test_quantity_that_is_none_is_refused(order, recording, quantity):
    lines = [recording("0016-order_created").body["line_items"][0] | {"quantity": quantity}]

    with pytest.raises(PayloadError, match=r"^line_items.0.quantity: "):
        order(line_items=lines)


@pytest.mark.parametrize("body", [None, [], "text", 3, {}])
def test_body_that_is_no_order_is_refused(meaning, body):
    with pytest.raises(PayloadError):
        meaning("order.updated", body)
