"""What a quote says, and what a checkout makes of a false one."""

import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pricing.quotes import (
    KEYS_AHEAD,
    LARGEST_PRICE,
    LONGEST,
    WINDOW,
    Quote,
    Refusal,
    customer_mark,
    issue,
    key_id,
    read,
    saving,
    window_at,
    window_end,
    window_for,
    window_key,
)
from connectors.discounts import QuoteKey

_RECORDED: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "payloads" / "quotes.json").read_text()
)
_ROOT: Final = bytes.fromhex(_RECORDED["root"])
_KEYS: Final = [
    QuoteKey(k["id"], urlsafe_b64decode(k["secret"] + "=="), datetime.fromtimestamp(k["not_after"], UTC))
    for k in _RECORDED["keys"]
]
_NONCE: Final = "abcdefghijkl"
_AT: Final = datetime(2026, 11, 23, 10, 2, 30, tzinfo=UTC)
_MOMENTS: Final = st.integers(1_600_000_000, 3_800_000_000).map(
    lambda unix: datetime.fromtimestamp(unix, UTC)
)
_VARIANTS: Final = st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True)
_CUSTOMERS: Final = st.none() | st.from_regex(r"[1-9][0-9]{0,18}", fullmatch=True)
_CURRENCIES: Final = st.sampled_from(["JPY", "EUR", "KWD"])


@pytest.mark.parametrize("case", _RECORDED["cases"], ids=lambda case: case["name"])
def test_a_recorded_quote_is_read_as_recorded(case: dict[str, Any]) -> None:
    found = read(
        case["token"],
        _KEYS,
        datetime.fromisoformat(case["at"]),
        variant_id=case["variant_id"],
        currency=case["currency"],
        customer_id=case["customer_id"],
    )

    word, price = (found.value, None) if isinstance(found, Refusal) else ("valid", found.price)
    assert (word, price) == (case["word"], case["price"])


def test_the_recorded_cases_show_every_word() -> None:
    assert {case["word"] for case in _RECORDED["cases"]} == {"valid", *Refusal}


def test_recorded_keys_and_marks_follow_from_the_root() -> None:
    keys = {key.id: key for key in _KEYS}

    assert [window_key(_ROOT, window_at(_AT) + n) for n in range(-1, KEYS_AHEAD + 1)] == _KEYS
    assert [customer_mark(keys[c["key"]], c["customer_id"]) for c in _RECORDED["customers"]] == [
        c["mark"] for c in _RECORDED["customers"]
    ]


def test_a_secret_is_not_in_the_representation_of_a_key() -> None:
    assert "secret" not in repr(_KEYS[0])


@given(at=_MOMENTS, minutes=st.integers(1, 15))
def test_a_quote_lasts_as_long_as_asked_and_at_most_fifteen_minutes(at: datetime, minutes: int) -> None:
    window = window_for(at, timedelta(minutes=minutes))

    left = window_end(window) - at
    assert timedelta(0) < left <= LONGEST
    assert left >= min(timedelta(minutes=minutes), LONGEST - WINDOW)
    # One key more than needed: the checkout had this one a window before.
    assert window_at(at) <= window < window_at(at) + KEYS_AHEAD


@given(
    at=_MOMENTS,
    root=st.binary(min_size=32, max_size=32),
    variant=_VARIANTS,
    price=st.integers(1, LARGEST_PRICE),
    currency=_CURRENCIES,
    customer=_CUSTOMERS,
)
def test_what_is_issued_is_read_again(
    at: datetime, root: bytes, variant: str, price: int, currency: str, customer: str | None
) -> None:
    key = window_key(root, window_for(at, LONGEST))

    token = issue(key, variant, price, currency, customer, _NONCE)
    found = read(token, [key], at, variant_id=variant, currency=currency, customer_id=customer)

    mark = None if customer is None else customer_mark(key, customer)
    assert found == Quote(variant, price, currency, mark, _NONCE, key.not_after)
    assert read(token, [key], key.not_after, variant_id=variant, currency=currency, customer_id=customer) == (
        Refusal.EXPIRED
    )


@given(place=st.integers(0, 200), letter=st.sampled_from("0a1Z-_.9 ."), customer=_CUSTOMERS)
def test_a_quote_with_any_letter_altered_is_refused(place: int, letter: str, customer: str | None) -> None:
    key = window_key(_ROOT, window_at(_AT) + 1)
    token = issue(key, "31", 1990, "EUR", customer, _NONCE)
    place %= len(token)
    altered = token[:place] + letter + token[place + 1 :]

    found = read(altered, [key], _AT, variant_id="31", currency="EUR", customer_id=customer)

    assert isinstance(found, Quote) is (altered == token)


@given(token=st.text(max_size=200) | st.from_regex(r"pq1(\.[A-Za-z0-9_-]*){8}", fullmatch=True))
def test_no_made_up_quote_counts(token: str) -> None:
    found = read(token, _KEYS, _AT, variant_id="31", currency="EUR", customer_id=None)

    assert isinstance(found, Refusal)


@given(root=st.binary(min_size=32, max_size=32), customer=_CUSTOMERS)
def test_another_stores_quote_is_forged(root: bytes, customer: str | None) -> None:
    window = window_at(_AT) + 1
    theirs = window_key(root, window)
    token = issue(theirs, "31", 1990, "EUR", customer, _NONCE)

    found = read(
        token, [window_key(_ROOT, window)], _AT, variant_id="31", currency="EUR", customer_id=customer
    )

    assert (found == Refusal.FORGED) is (root != _ROOT)


def test_two_quotes_of_a_customer_in_two_windows_do_not_tell_that_they_are_one_persons() -> None:
    one, two = (window_key(_ROOT, window_at(_AT) + n) for n in (1, 2))

    assert customer_mark(one, "7") != customer_mark(two, "7")
    assert customer_mark(one, None) == customer_mark(two, None) == "-"


@pytest.mark.parametrize(
    ("variant", "price", "currency", "nonce"),
    [
        pytest.param("3.1", 5, "EUR", _NONCE, id="a dot in the variant"),
        pytest.param("v" * 41, 5, "EUR", _NONCE, id="a long variant"),
        pytest.param("31", 0, "EUR", _NONCE, id="nothing"),
        pytest.param("31", -5, "EUR", _NONCE, id="below nothing"),
        pytest.param("31", LARGEST_PRICE + 1, "EUR", _NONCE, id="too large"),
        pytest.param("31", 5, "euro", _NONCE, id="no currency"),
        pytest.param("31", 5, "EUR", "short", id="a short nonce"),
    ],
)
def test_what_a_quote_cannot_say_is_not_signed(variant: str, price: int, currency: str, nonce: str) -> None:
    with pytest.raises(ValueError, match="cannot name"):
        issue(_KEYS[1], variant, price, currency, None, nonce)


@given(price=st.integers(1, 10**9), list_price=st.integers(0, 10**9), quantity=st.integers(1, 99))
def test_a_quote_brings_a_line_down_to_its_price_and_never_up(
    price: int, list_price: int, quantity: int
) -> None:
    quote = Quote("31", price, "EUR", None, _NONCE, _AT)

    assert list_price * quantity - saving(quote, list_price, quantity) == min(price, list_price) * quantity


@given(window=st.integers(1, 36**8 - 1))
def test_a_key_id_is_its_window_in_base_36(window: int) -> None:
    assert int(key_id(window), 36) == window
    assert key_id(window) == key_id(window).lower().lstrip("0")
