"""Reading one message: what is understood, what is refused, and when it happened."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events import spec
from app.events.spec import Accepted, Rejected, parse
from tests.events.sending import message

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def read(sent: Any, **how: Any) -> Accepted:
    found = parse(sent, received_at=NOW, **how)
    assert isinstance(found, Accepted), found
    return found


def refused(sent: Any, **how: Any) -> str:
    found = parse(sent, received_at=NOW, **how)
    assert isinstance(found, Rejected)
    assert found.reason in spec.REASONS
    return found.reason


def ago(**how_long: float) -> str:
    return (NOW - timedelta(**how_long)).isoformat()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (3, "not_an_object"),
        ([], "not_an_object"),
        (message("teleport"), "unknown_type"),
        (message(type=["track"]), "unknown_type"),
        (message(event=None), "bad_name"),
        (message(event="  "), "bad_name"),
        (message(event=7), "bad_name"),
        (message(event="x" * 201), "bad_name"),
        (message(event="a\nb"), "bad_name"),
        (message(event="a\x00b"), "bad_name"),
        (message(properties=[]), "bad_properties"),
        (message(context="x"), "bad_properties"),
        (message(properties={"p": list(range(2001))}), "too_many_properties"),
        (message(properties={"p": "x" * 33_000}), "too_large"),
        (message(properties={"p": orjson.loads("[" * 300 + "]" * 300)}), "too_deep"),
        (message(messageId="m" * 101), "bad_message_id"),
        (message(messageId=5), "bad_message_id"),
        (message(anonymousId="a" * 201), "bad_id"),
        (message(anonymousId="a\x1b[2J"), "bad_id"),
        (message(anonymousId={"$ne": 1}), "bad_id"),
        (message(anonymousId=1.5), "bad_id"),
        (message(anonymousId=True), "bad_id"),
        (message(anonymousId=None), "missing_user_context"),
        (message(anonymousId=""), "missing_user_context"),
        (message("alias", userId="5"), "missing_user_context"),
        (message("group"), "missing_group"),
        (message(timestamp=0), "bad_timestamp"),
        (message(timestamp="soon"), "bad_timestamp"),
        (message(timestamp=ago(days=181)), "too_old"),
        (message(timestamp=ago(hours=-25)), "in_the_future"),
    ],
)
def test_what_is_not_in_good_form_is_refused(sent: Any, reason: str) -> None:
    assert refused(sent) == reason


@pytest.mark.parametrize(
    "junk",
    ["null", "UNDEFINED", "NaN", "0", "anonymous", "guest", "00000000-0000-0000-0000-000000000000", "[object Object]"],
)  # fmt: skip
def test_ids_that_stand_for_nobody_are_refused(junk: str) -> None:
    for field in ("anonymousId", "userId"):
        assert refused(message(**{field: junk})) == "junk_id"


def test_an_empty_user_id_is_none_as_rudderstack_sends_it() -> None:
    assert read(message(userId="")).user_id is None
    assert read(message(userId=None)).user_id is None


def test_an_id_may_be_a_number() -> None:
    assert read(message(userId=9007199254740993)).user_id == "9007199254740993"


@pytest.mark.parametrize(
    ("times", "happened"),
    [
        ({}, NOW),
        ({"timestamp": ago(minutes=5)}, NOW - timedelta(minutes=5)),
        ({"originalTimestamp": ago(minutes=5)}, NOW - timedelta(minutes=5)),
        # A clock that is three years slow, and one that is two hours fast.
        ({"timestamp": "2023-01-01T00:00:00Z", "sentAt": "2023-01-01T00:00:09Z"}, NOW - timedelta(seconds=9)),
        ({"timestamp": ago(hours=-2), "sentAt": ago(hours=-2, minutes=1)}, NOW),
        ({"timestamp": ago(hours=-2), "sentAt": ago(hours=-2, seconds=-7)}, NOW - timedelta(seconds=7)),
        ({"timestamp": ago(hours=-23)}, NOW),
        ({"timestamp": "2026-11-22T01:00:00+13:00"}, NOW - timedelta(days=1)),
        ({"timestamp": "2026-11-22T11:00:00"}, NOW - timedelta(hours=1)),
        ({"timestamp": ago(minutes=5), "sentAt": "nonsense"}, NOW - timedelta(minutes=5)),
    ],
    ids=["none", "timestamp", "RudderStack's", "slow clock", "sent before", "fast clock", "ahead", "offset", "naive",
         "no sentAt"],
)  # fmt: skip
def test_when_it_happened(times: dict[str, str], happened: datetime) -> None:
    assert read(message(**times)).occurred_at == happened


def test_a_batchs_time_of_sending_holds_for_its_messages() -> None:
    sent_at = NOW + timedelta(hours=3)

    found = read(message(timestamp=(sent_at - timedelta(seconds=4)).isoformat()), sent_at=sent_at)

    assert found.occurred_at == NOW - timedelta(seconds=4)


@given(
    skew=st.timedeltas(timedelta(days=-9000), timedelta(days=9000)),
    age=st.timedeltas(timedelta(0), timedelta(days=179)),
)
def test_no_clocks_fault_matters_where_the_time_of_sending_is_told(skew: timedelta, age: timedelta) -> None:
    sent = NOW + skew

    found = read(message(timestamp=(sent - age).isoformat(), sentAt=sent.isoformat()))

    assert found.occurred_at == NOW - age


def test_a_derived_message_id_is_of_the_content_and_not_of_the_sending() -> None:
    one, other = message(messageId=None), message(messageId=None, event="Cart Viewed")

    first = read(one).message_id

    assert first == read({**one, "sentAt": ago(), "writeKey": "pk"}).message_id
    assert first == read(dict(reversed(one.items()))).message_id
    assert first != read(other).message_id
    assert (first[:8], len(first)) == ("content-", 40)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("product viewed", "Product Viewed"), ("ORDER COMPLETED", "Order Completed"), ("view_item", "Product Viewed"),
        ("add_to_cart", "Product Added"), ("remove_from_cart", "Product Removed"), ("search", "Products Searched"),
        ("purchase", "Order Completed"), ("view_item_list", "Product List Viewed"), ("My own", "My own"),
        (" <b>Bold</b> ", "<b>Bold</b>"), ("mail ann@example.com", "mail"),
    ],
)  # fmt: skip
def test_names_are_the_specs_where_it_has_them(sent: str, name: str) -> None:
    assert read(message(event=sent)).name == name


@pytest.mark.parametrize("inside", [False, True], ids=["items", "ecommerce.items"])
def test_ga4_items_are_products(inside: bool) -> None:
    item = {
        "item_id": "SKU_1",
        "item_name": "Mug",
        "item_brand": "B",
        "price": 9.5,
        "quantity": 2,
        "index": 0,
    }
    said = {"transaction_id": "T1", "items": [item]}

    found = read(message(event="purchase", properties={"ecommerce": said} if inside else said))

    product = {"product_id": "SKU_1", "name": "Mug", "brand": "B", "price": 9.5, "quantity": 2, "position": 0}
    assert found.products == ("SKU_1",)
    assert found.properties == {"order_id": "T1", "products": [product]}


def test_a_ga4_search_is_a_search() -> None:
    assert read(message(event="search", properties={"search_term": "mug"})).properties == {"query": "mug"}


@pytest.mark.parametrize(
    ("properties", "products"),
    [
        ({"product_id": 11}, ("11",)),
        ({"productId": "11"}, ("11",)),
        ({"products": [{"product_id": "1"}, {"id": 2}, {"product_id": "1"}, "x", {}]}, ("1", "2")),
        ({"product_id": "1", "products": [{"product_id": "2"}]}, ("1", "2")),
        ({"product_id": "x" * 101}, ()),
        ({"product_id": "a\x00"}, ()),
        ({"id": "5"}, ()),
        ({"products": {"product_id": "1"}}, ()),
    ],
)  # fmt: skip
def test_products_are_named_in_order_and_once(properties: dict[str, Any], products: tuple[str, ...]) -> None:
    assert read(message(event="Cart Viewed", properties=properties)).products == products


def test_no_personal_property_is_kept() -> None:
    properties = {
        "product_id": "1", "email": "ann@example.com", "customerName": "Ann", "coupon": "TEN", "cart_id": "c1",
        "shipping": {"address1": "Elm", "city": "X"}, "query": "gift for ann@example.com",
        "url": "https://shop.example/?t=1", "$links": [["a", "b", "c"]],
        "products": [{"product_id": "2", "note": "for Ann"}],
    }  # fmt: skip

    kept = read(message(event="Cart Viewed", properties=properties)).properties

    assert kept == {
        "product_id": "1",
        "shipping": {},
        "query": "gift for ",
        "coupon": "TEN",
        "products": [{"product_id": "2"}],
    }


def test_traits_are_not_kept() -> None:
    found = read(message("identify", userId="5", traits={"email": "ann@example.com", "plan": "gold"}))

    assert found.properties == {}


def test_what_is_missing_and_can_be_done_without_is_noted() -> None:
    assert read(message("identify")).notes == ("missing_user_context",)
    assert read(message("identify", userId="5")).notes == ()
    assert read(message(properties={})).notes == ("missing_product",)
    assert read(message(event="Cart Viewed", properties={})).notes == ()


def test_a_cart_is_known_by_its_hash_however_it_is_told() -> None:
    token = "Z2NwLXVzLWVhc3Q"
    told = [
        read(message(properties={"product_id": "1", "cart_id": token})).cart,
        read(message(properties={"product_id": "1", "cart_token": f"{token}?key=abc"})).cart,
        read(message(context={"pannier": {"cartToken": token}})).cart,
    ]

    assert len(set(told)) == 1
    assert told[0] is not None
    assert read(message(context={"pannier": {"cartToken": told[0].hex()}})).cart == told[0]
    assert read(message(context={"pannier": {"cartToken": "null"}})).cart is None


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from([
            "type", "event", "anonymousId", "userId", "properties", "context", "traits", "timestamp", "sentAt",
            "products", "items", "ecommerce", "messageId", "consent", "pannier", "previousId", "product_id",
        ]) | st.text(max_size=5), inner, max_size=6),
    max_leaves=20,
))  # fmt: skip
def test_whatever_comes_is_read_or_refused(value: Any) -> None:
    try:
        sent = orjson.loads(orjson.dumps(value))
    except TypeError:  # a lone surrogate, which no body can hold
        return
    for body in (sent, {**message(), **sent} if isinstance(sent, dict) else sent):
        found = parse(body, received_at=NOW)

        assert isinstance(found, Rejected) or orjson.dumps(found.properties)
        if isinstance(found, Accepted):
            assert found.occurred_at <= NOW


def test_every_reason_is_documented_in_the_same_words() -> None:
    text = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text.partition("\n## Reasons\n")[2], re.MULTILINE))

    assert rows == spec.REASONS
