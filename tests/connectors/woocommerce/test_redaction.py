"""No personal field of a WooCommerce body survives redaction, and all that describes products does."""

import copy
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.woocommerce.redaction import redact
from tests.connectors.bodies import MARKER, objects, planted

NAMES = sorted(
    path.stem
    for path in (Path(__file__).parents[2] / "payloads" / "woocommerce").glob("*.raw")
    if "ping" not in path.stem
)

# Written down from WooCommerce's REST documentation, not from the code under test.
PERSONAL_FIELDS = [
    "email", "phone", "first_name", "last_name", "username", "avatar_url", "company", "address_1", "address_2", "city",
    "postcode", "order_key", "payment_url", "transaction_id", "customer_ip_address", "customer_user_agent",
    "customer_note", "used_by", "email_restrictions", "billing_email", "user_login", "ip_address", "reason",
]  # fmt: skip
PERSONAL_OBJECTS = ["billing", "shipping", "meta_data"]


@pytest.mark.parametrize("name", NAMES)
def test_no_personal_field_of_a_recording_survives(recording, pseudonym, name):
    body = planted(recording(name).body, PERSONAL_FIELDS, PERSONAL_OBJECTS)

    assert MARKER not in orjson.dumps(redact(body, pseudonym)).decode()


@pytest.mark.parametrize("name", NAMES)
def test_no_personal_value_of_a_recording_survives(recording, pseudonym, name):
    text = orjson.dumps(redact(recording(name).body, pseudonym)).decode()

    found = [
        value
        for value in (
            "@",
            "Anna",
            "Muster",
            "Berlin",
            "10115",
            "+4930",
            "wc_order_",
            '"127.0.0.1"',
            "requests/2",
            '"Bea"',
        )
        if value in text
    ]
    assert found == []


@given(data=st.data())
def test_personal_fields_are_dropped_wherever_they_are_put(recording, pseudonym, data):
    # given a recorded body with a personal field more, in any of its objects and of any shape
    body = recording(data.draw(st.sampled_from(NAMES))).body
    name = data.draw(st.sampled_from(PERSONAL_FIELDS + PERSONAL_OBJECTS))
    shape = data.draw(
        st.sampled_from([MARKER, f"{MARKER}@example.com", {"value": MARKER}, [{"value": [MARKER]}]])
    )
    data.draw(st.sampled_from(objects(body)))[name] = shape

    assert MARKER not in orjson.dumps(redact(body, pseudonym)).decode()


def test_product_loses_what_shoppers_may_not_see_and_nothing_else(recording, pseudonym):
    body = recording("0019-product_updated").body

    redacted = redact(body, pseudonym)

    dropped = {"downloads", "purchase_note", "post_password", "_links"}
    assert set(body) - set(redacted) == dropped
    assert {key: redacted[key] for key in set(body) - dropped} == {
        key: body[key] for key in set(body) - dropped
    }
    assert redacted["password_protected"] is False


@pytest.mark.parametrize(("password", "protected"), [("", False), (None, False), ("open sesame", True)])
def test_password_of_a_product_page_leaves_only_that_there_is_one(pseudonym, password, protected):
    assert redact({"id": 1, "post_password": password}, pseudonym) == {
        "id": 1,
        "password_protected": protected,
    }


def test_order_loses_exactly_these_fields(recording, pseudonym):
    body = recording("0016-order_created").body

    redacted = redact(body, pseudonym)

    assert set(body) - set(redacted) == {
        "_links", "billing", "customer_ip_address", "customer_note", "customer_user_agent", "order_key",
        "payment_url", "shipping", "transaction_id",
    }  # fmt: skip
    assert set(redacted) - set(body) == {"identity_hash"}
    assert redacted["identity_hash"] == pseudonym("anna@example.test")
    assert [line["name"] for line in redacted["line_items"]] == [
        "Espresso Beans 1kg", "Paper Filters 100", "Barista T-Shirt - M",
    ]  # fmt: skip


def test_meta_data_keeps_only_the_marks_of_a_bundle(pseudonym):
    line = {
        "id": 1,
        "meta_data": [
            {"id": 40, "key": "_bundled_by", "value": "c20ad4d76fe97759", "display_value": "Gift for Anna"},
            {"id": 41, "key": "Engraving", "value": "For Anna"},
            {"id": 42, "key": "_woosb_parent_id", "value": "7"},
            {"id": 43, "key": "_composite_parent", "value": ""},
            {"key": ["_bundled_by"], "value": 1},
            "For Anna",
        ],
    }

    redacted = redact({"meta_data": [{"key": "gift_note", "value": "Anna"}], "line_items": [line]}, pseudonym)

    assert redacted == {
        "meta_data": [],
        "line_items": [{"id": 1, "meta_data": [{"key": "_bundled_by"}, {"key": "_woosb_parent_id"}]}],
    }


CART_HASH = "0f" * 32


def test_meta_data_keeps_the_hash_of_the_cart(pseudonym):
    mark = {"id": 9, "key": "_pannier_cart", "value": CART_HASH, "display_value": CART_HASH}

    redacted = redact({"meta_data": [mark, {"key": "note", "value": "Anna"}]}, pseudonym)

    assert redacted == {"meta_data": [{"key": "_pannier_cart", "value": CART_HASH}]}


@pytest.mark.parametrize(
    "value",
    ["Anna", CART_HASH[1:], CART_HASH + "0", CART_HASH + "\n", CART_HASH.upper(), [CART_HASH], 7, None],
    ids=["text", "short", "long", "line feed", "capitals", "list", "number", "null"],
)
def test_nothing_else_under_that_name_is_kept(pseudonym, value):
    assert redact({"meta_data": [{"key": "_pannier_cart", "value": value}]}, pseudonym) == {"meta_data": []}


def test_customer_keeps_id_role_times_and_a_hash(recording, pseudonym):
    assert redact(recording("0025-customer_created").body, pseudonym) == {
        "id": 2,
        "role": "customer",
        "date_created": "2026-11-22T07:40:26",
        "date_created_gmt": "2026-11-22T06:40:26",
        "date_modified": "2026-11-22T07:40:26",
        "date_modified_gmt": "2026-11-22T06:40:26",
        "identity_hash": pseudonym("bea@example.test"),
    }


def test_coupon_loses_whom_it_is_for(recording, pseudonym):
    body = recording("0029-coupon_created").body | {
        "description": "For Anna",
        "used_by": ["anna@example.test", "7"],
    }

    redacted = redact(body, pseudonym)

    assert set(body) - set(redacted) == {"_links", "description", "email_restrictions", "used_by"}
    assert (redacted["code"], redacted["meta_data"]) == ("bundle10", [])


@pytest.mark.parametrize(
    "billing",
    [
        {"first_name": "[deleted]", "email": "deleted@site.invalid"},
        {"first_name": "", "email": " Deleted@Site.INVALID "},
        {"first_name": "[deleted]", "email": ""},
    ],
    ids=["both", "address", "name"],
)
def test_erased_order_is_marked_and_has_no_identity(recording, pseudonym, billing):
    body = recording("0016-order_created").body
    body["billing"] |= billing

    redacted = redact(body, pseudonym)

    assert redacted["erased"] is True
    assert "identity_hash" not in redacted


def test_marks_that_the_body_brings_along_are_not_believed(recording, pseudonym):
    body = recording("0038-order_created").body | {"erased": True, "identity_hash": "00" * 32}

    redacted = redact(body, pseudonym)

    assert "erased" not in redacted
    assert "identity_hash" not in redacted


@pytest.mark.parametrize("name", NAMES)
def test_input_is_not_changed(recording, pseudonym, name):
    body = recording(name).body

    redact(body, pseudonym)

    assert body == recording(name).body


@pytest.mark.parametrize("body", [None, True, 3, 2.5, "text", [], {}, [1, [2, {"name": "x"}]]])
def test_other_json_passes(pseudonym, body):
    assert redact(body, pseudonym) == body


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"name": v}, lambda v: {"data": [v]}])
def test_depth_without_end_is_cut_off(pseudonym, wrap):
    # given nesting as deep as the JSON parser lets through
    body = MARKER
    for _ in range(500):
        body = wrap(body)

    assert MARKER not in orjson.dumps(redact(body, pseudonym)).decode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.sampled_from(PERSONAL_FIELDS + PERSONAL_OBJECTS), inner)
    ),
)


@given(body=JSON)
def test_any_json_is_redacted_without_an_exception(pseudonym, body):
    before = copy.deepcopy(body)

    first, second = redact(body, pseudonym), redact(body, pseudonym)

    assert first == second
    assert body == before
