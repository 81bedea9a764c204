"""The consent page's address, and the key that comes back."""

from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import PayloadError
from connectors.woocommerce.install import GrantedKeys, authorize_url, read_callback

KEY, SECRET = "ck_" + "0a" * 20, "cs_" + "9f" * 20
# As recorded, but for the key.
CALLBACK = {
    "key_id": 3,
    "user_id": "state-abc123",
    "consumer_key": KEY,
    "consumer_secret": SECRET,
    "key_permissions": "read_write",
}


def test_granted_keys():
    assert read_callback(orjson.dumps(CALLBACK)) == GrantedKeys(
        "3", "state-abc123", KEY, SECRET, "read_write"
    )


def test_neither_key_nor_secret_is_shown():
    shown = repr(read_callback(orjson.dumps(CALLBACK)))

    assert (KEY in shown, SECRET in shown, "state-abc123" in shown) == (False, False, True)


@pytest.mark.parametrize("name", CALLBACK)
def test_every_field_is_needed(name):
    with pytest.raises(PayloadError, match=f"^{name}: "):
        read_callback(orjson.dumps({k: v for k, v in CALLBACK.items() if k != name}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("key_id", "3"),
        ("key_id", 0),
        ("user_id", ""),
        ("user_id", "a b"),
        ("user_id", "state\n"),
        ("user_id", "x" * 201),
        ("user_id", 7),
        ("consumer_key", KEY[:-1]),
        ("consumer_key", KEY + "0"),
        ("consumer_key", KEY + "\n"),
        ("consumer_key", KEY.upper()),
        ("consumer_key", SECRET),
        ("consumer_secret", KEY),
        ("consumer_secret", None),
        ("consumer_secret", [SECRET]),
        ("key_permissions", "read"),
        ("key_permissions", "write"),
        ("key_permissions", "read_write_all"),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not(name, value):
    with pytest.raises(PayloadError) as raised:
        read_callback(orjson.dumps(CALLBACK | {name: value}))

    assert str(raised.value).startswith(f"{name}: ")
    for secret in (KEY, SECRET, KEY[3:-1], SECRET[3:-1]):
        assert secret not in str(raised.value)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[]", b"null", b'"ck_"', b"key_id=3", b" " * 10_001])
def test_what_is_no_callback_is_refused(raw):
    with pytest.raises(PayloadError):
        read_callback(raw)


@given(raw=st.binary(max_size=200))
def test_nothing_but_a_payload_error_comes_of_garbage(raw):
    with pytest.raises(PayloadError):
        read_callback(raw)


@pytest.mark.parametrize(
    ("store", "page"),
    [
        ("https://shop.example", "https://shop.example/wc-auth/v1/authorize"),
        ("https://shop.example/", "https://shop.example/wc-auth/v1/authorize"),
        ("https://shop.example:8443/cafe", "https://shop.example:8443/cafe/wc-auth/v1/authorize"),
    ],
)
def test_the_consent_page_is_the_stores_own(store, page):
    address = authorize_url(
        store, "Pannier & Co", "state-abc123", "https://p.example/back?x=1&y=2", "https://p.example/keys"
    )

    assert address.partition("?")[0] == page
    assert parse_qs(urlsplit(address).query, strict_parsing=True) == {
        "app_name": ["Pannier & Co"],
        "scope": ["read_write"],
        "user_id": ["state-abc123"],
        "return_url": ["https://p.example/back?x=1&y=2"],
        "callback_url": ["https://p.example/keys"],
    }
