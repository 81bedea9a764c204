"""No personal field of a Shopify body survives redaction, and all that describes products does."""

import copy
from hashlib import sha256
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.shopify.redaction import redact
from tests.connectors.bodies import MARKER, field_values, objects, planted

PAYLOADS = Path(__file__).parents[2] / "payloads" / "shopify"
TOPICS = sorted(
    str(path.relative_to(PAYLOADS / folder).with_suffix(""))
    for folder in ("samples", "compliance")
    for path in (PAYLOADS / folder).rglob("*.json")
)

# Written down from Shopify's field lists, not from the code under test.
PERSONAL_FIELDS = [
    "email", "contact_email", "customer_email", "phone", "sms_marketing_phone", "first_name", "last_name",
    "address1", "address2", "city", "zip", "company", "latitude", "longitude", "note", "staff_note", "browser_ip",
    "landing_site", "landing_site_ref", "referring_site", "source_url", "order_status_url", "token", "checkout_token",
    "cart_token", "reservation_token", "abandoned_checkout_url", "po_number", "reference", "shop_owner",
    "confirmation_number", "multipass_identifier", "verified_email",
]  # fmt: skip
PERSONAL_OBJECTS = [
    "billing_address", "shipping_address", "default_address", "addresses", "client_details", "note_attributes",
    "properties", "transactions", "receipt", "origin_location", "destination_location", "payment_details",
]  # fmt: skip
PRODUCT_FIELDS = {
    "title",
    "sku",
    "vendor",
    "variant_title",
    "handle",
    "product_type",
    "option1",
    "src",
    "tags",
}


@pytest.mark.parametrize("topic", TOPICS)
def test_no_personal_field_of_a_sample_survives(sample, pseudonym, topic):
    body = planted(sample(topic), PERSONAL_FIELDS, PERSONAL_OBJECTS)

    assert MARKER not in orjson.dumps(redact(body, pseudonym)).decode()


@pytest.mark.parametrize("topic", TOPICS)
def test_no_personal_value_of_a_sample_survives(sample, pseudonym, topic):
    # given the values that Shopify's own samples hold
    body = sample(topic)
    values = set(field_values(body, PERSONAL_FIELDS)) - {""}

    text = orjson.dumps(redact(body, pseudonym)).decode()

    # then none of them is left ("@" alone would show an address)
    assert "@" not in text
    assert {value for value in values if f'"{value}"' in text} == set()


@given(data=st.data())
def test_personal_fields_are_dropped_wherever_they_are_put(sample, pseudonym, data):
    # given a sample with a personal field more, in any of its objects and of any shape
    body = sample(data.draw(st.sampled_from(TOPICS)))
    name = data.draw(st.sampled_from(PERSONAL_FIELDS + [n for n in PERSONAL_OBJECTS if "location" not in n]))
    shape = data.draw(
        st.sampled_from([MARKER, f"{MARKER}@example.com", {"value": MARKER}, [{"value": [MARKER]}]])
    )
    data.draw(st.sampled_from(objects(body)))[name] = shape

    assert MARKER not in orjson.dumps(redact(body, pseudonym)).decode()


@pytest.mark.parametrize(
    "topic",
    ["products/update", "products/create", "products/delete", "inventory_levels/update", "orders/delete"],
)
def test_bodies_about_goods_stay_as_they_are(sample, pseudonym, topic):
    assert redact(sample(topic), pseudonym) == sample(topic)


def test_products_with_pictures_stay_as_they_are(sample, pseudonym):
    product = sample("products/update") | {
        "image": {"id": 1, "src": "https://cdn.shopify.com/s/files/1/shirt@2x.png?v=1"},
        "body_html": "<p>Two @ the price of one</p>",
        "category": {
            "admin_graphql_api_id": "gid://shopify/TaxonomyCategory/aa",
            "name": "Shirts",
            "full_name": "Apparel > Shirts",
        },
    }

    assert redact(copy.deepcopy(product), pseudonym) == product


def test_goods_of_an_order_stay(sample, pseudonym):
    order = sample("orders/create")

    redacted = redact(order, pseudonym)

    goods = ("title", "name", "sku", "vendor", "variant_title")
    assert list(field_values(redacted["line_items"], goods)) == list(field_values(order["line_items"], goods))
    assert [
        set(old) - set(new) for old, new in zip(order["line_items"], redacted["line_items"], strict=True)
    ] == [{"properties", "attributed_staffs"}] * 5
    assert redacted["name"] == "#9999"
    assert redacted["line_items"][0]["price_set"] == order["line_items"][0]["price_set"]


@pytest.mark.parametrize(
    "odd", [{"email": "jo@example.com"}, [{"first_name": "Jo"}], {"address1": "1 High Street"}]
)
def test_what_is_no_amount_is_looked_at_within_one(pseudonym, odd):
    money = {"amount": "1.00", "currency_code": "EUR"}
    body = {"total_set": {"shop_money": money, "presentment_money": {**money, "currency_code": odd}}}

    kept = redact(body, pseudonym)["total_set"]

    assert kept["shop_money"] == money
    assert not any(word in orjson.dumps(kept) for word in (b"example.com", b'"Jo"', b"High Street"))


def test_order_loses_exactly_these_fields(sample, pseudonym):
    order = sample("orders/create")

    redacted = redact(order, pseudonym)

    assert set(order) - set(redacted) == {
        "billing_address", "browser_ip", "cart_token", "checkout_token", "client_details",
        "confirmation_number", "contact_email", "email", "fulfillments", "landing_site", "landing_site_ref", "note",
        "note_attributes", "order_status_url", "payment_terms", "phone", "po_number", "reference", "referring_site",
        "returns", "shipping_address", "source_url", "tags", "token",
    }  # fmt: skip
    assert set(redacted) - set(order) == {"cart_token_hash", "identity_hash"}


def test_order_keeps_the_hash_of_the_address_it_was_placed_with(sample, pseudonym):
    # given an order under another address than its customer's
    redacted = redact(sample("orders/create"), pseudonym)

    assert redacted["identity_hash"] == pseudonym("jon@example.com")
    assert redacted["customer"] == {
        "id": 115310627314723950,
        "admin_graphql_api_id": "gid://shopify/Customer/115310627314723954",
        "created_at": None,
        "updated_at": None,
        "identity_hash": pseudonym("john@example.com"),
    }


@pytest.mark.parametrize(
    ("fields", "identity"),
    [
        ({"email": "  Anna@Example.COM "}, "anna@example.com"),
        ({"email": "", "contact_email": "b@example.com"}, "b@example.com"),
        ({"email": None, "contact_email": None}, None),
        ({"email": "no address"}, None),
        ({"email": ["anna@example.com"]}, None),
        ({"email": f"{'a' * 320}@example.com"}, None),
        ({}, None),
    ],
    ids=["spelling", "contact", "null", "no-address", "list", "too-long", "absent"],
)
def test_address_is_normalised_before_it_is_hashed(pseudonym, fields, identity):
    redacted = redact({"id": 1, "line_items": [], **fields}, pseudonym)

    assert redacted.get("identity_hash") == (pseudonym(identity) if identity else None)


def test_customer_keeps_ids_times_and_a_hash(sample, pseudonym):
    assert redact(sample("customers/update"), pseudonym) == {
        "id": 706405506930370000,
        "admin_graphql_api_id": "gid://shopify/Customer/706405506930370084",
        "created_at": "2021-12-31T19:00:00-05:00",
        "updated_at": "2021-12-31T19:00:00-05:00",
        "identity_hash": pseudonym("bob@biller.com"),
    }


def test_shop_keeps_no_trace_of_its_owner(sample, pseudonym):
    assert redact(sample("app/uninstalled"), pseudonym) == {
        "id": 548380009,
        "created_at": None,
        "updated_at": None,
        "myshopify_domain": None,
    }


def test_compliance_request_keeps_ids_and_a_hash(sample, pseudonym):
    assert redact(sample("customers/data_request"), pseudonym) == {
        "shop_id": 954889,
        "shop_domain": "pannier-test.myshopify.com",
        "orders_requested": [299938, 280263, 220458],
        "customer": {"id": 191167, "identity_hash": pseudonym("jon@example.com")},
        "data_request": {"id": 9999},
    }


@pytest.mark.parametrize("suffix", ["", "?key=8d0b5f2c"], ids=["bare", "with-key"])
def test_cart_and_its_order_share_a_hash_and_no_token(sample, pseudonym, suffix):
    # given a cart under a token, and the order that came of it
    token = "Z2NwLXVzLWVhc3QxOjAxSlo"
    cart = sample("carts/update") | {"id": token, "token": token}
    order = sample("orders/create") | {"cart_token": f"{token}{suffix}"}

    cart, order = redact(cart, pseudonym), redact(order, pseudonym)

    assert cart["cart_token_hash"] == order["cart_token_hash"] == sha256(token.encode()).hexdigest()
    assert set(cart) == {"line_items", "created_at", "updated_at", "cart_token_hash"}
    assert token not in orjson.dumps([cart, order]).decode()


def test_order_without_a_cart_has_no_hash_of_one(sample, pseudonym):
    assert redact(sample("orders/create"), pseudonym)["cart_token_hash"] is None


def test_hashes_that_the_body_brings_along_are_not_believed(sample, pseudonym):
    forged = {"identity_hash": "00" * 32, "cart_token_hash": "11" * 32, "email": None, "contact_email": None}
    order = sample("orders/create") | forged
    del order["cart_token"]

    redacted = redact(order, pseudonym)

    assert "identity_hash" not in redacted
    assert "cart_token_hash" not in redacted


def test_address_inside_another_text_is_cut_out(pseudonym):
    redacted = redact(
        {"title": "Card for anna.muster+x@example.co.uk, signed", "tags": "a@b.example"}, pseudonym
    )

    assert redacted == {"title": "Card for , signed", "tags": ""}


def test_nul_is_cut_out_because_postgresql_cannot_hold_it(pseudonym):
    assert redact({"title": "A\x00B", "k\x00ey": 1, "list": ["\x00"]}, pseudonym) == {
        "title": "AB",
        "list": [""],
    }


def test_search_for_addresses_takes_linear_time(pseudonym):
    # given texts on which an unbounded pattern would search for hours
    texts = ["a" * 500_000 + "@", "a@" * 250_000, "@" * 500_000, "a@" + "b." * 250_000]

    assert [len(text) for text in redact(texts, pseudonym)][:3] == [500_001, 500_000, 500_000]


@pytest.mark.parametrize("topic", TOPICS)
def test_input_is_not_changed(sample, pseudonym, topic):
    body = sample(topic)

    redact(body, pseudonym)

    assert body == sample(topic)


@pytest.mark.parametrize("body", [None, True, 3, 2.5, "text", [], {}, [1, [2, {"title": "x"}]]])
def test_other_json_passes(pseudonym, body):
    assert redact(body, pseudonym) == body


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"title": v}, lambda v: {"customer": v}])
def test_depth_without_end_is_cut_off(pseudonym, wrap):
    # given nesting as deep as the JSON parser lets through
    body = MARKER
    for _ in range(1_000):
        body = wrap(body)

    assert MARKER not in orjson.dumps(redact(body, pseudonym)).decode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(PERSONAL_FIELDS), inner),
)


@given(body=JSON)
def test_any_json_is_redacted_without_an_exception(pseudonym, body):
    before = copy.deepcopy(body)

    first, second = redact(body, pseudonym), redact(body, pseudonym)

    assert first == second
    assert body == before
