"""Quotes over HTTP: down to the floor and no further, the same again, once, and of this store alone."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from app.commerce import ingest
from app.commerce.catalog import Product, Variant
from app.commerce.store import Store, add_store
from app.core.db import db
from app.pricing import quote_jobs
from app.pricing.models import PriceQuote
from app.pricing.quote_keys import note_problem, note_told, rotate, window_keys
from app.pricing.quote_rooms import QuotesRoom
from app.pricing.quotes import KEYS_AHEAD, Quote, read, window_at
from app.pricing.quoting import KEPT, Bound, price_within
from app.privacy import persons
from app.privacy.subjects import CUSTOMER, digest
from app.privacy.suppression import suppress
from tests.factories import product_change, product_deletion, variant_state

NOON = datetime(2026, 11, 23, 12, 1, tzinfo=UTC)
# Tells its checkout's keys at noon, and costs: 500 of a list price of 1,000.
SETTINGS = {"price_quotes": 1, "margin_percent": 50, "quote_margin_percent": 20}


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOON, tick=False) as travelling:
        yield travelling


@pytest.fixture
def keys(app: Flask, clock: Any) -> dict[str, Any]:
    """Two stores that sell the same mug, by name: id and headers."""
    found = {}
    for name in ("mine", "other"):
        store, new = add_store("shopify", f"{name}.myshopify.com", settings=dict(SETTINGS))
        mugs = [
            product_change("1", variant_state("11"), variant_state("12", price=2000)),
            product_change("2", variant_state("21", price=0)),
            product_change("3", price=700, available=True),
            product_change("4", variant_state("41")),
            product_deletion("4"),
        ]
        ingest.apply(db.session.connection(), store.id, mugs)
        found[name] = {"id": store.id, "headers": {"Authorization": f"Bearer {new.secret}"}}
        note_told(store.id, window_at(NOON) + KEYS_AHEAD)
    db.session.commit()
    return found


def ask(client: FlaskClient, keys: Any, *, of: str = "mine", **body: Any) -> Any:
    wanted = {"product_id": "1", "variant_id": "11", "reason": "A regular", **body}
    if "discount_percent" not in body:
        wanted.setdefault("price", 900)
    return client.post("/v1/prices/quote", json=wanted, headers=keys[of]["headers"])


def verify(client: FlaskClient, keys: Any, token: str, *, of: str = "mine", **body: Any) -> Any:
    wanted = {"quote": token, "variant_id": "11", **body}
    return client.post("/v1/prices/quote/verify", json=wanted, headers=keys[of]["headers"]).get_json()


def change_settings(keys: Any, **changes: float) -> None:
    store = db.session.get_one(Store, keys["mine"]["id"])
    store.settings = {**store.settings, **changes}
    db.session.commit()


def test_a_price_is_signed_for_a_customer(client: FlaskClient, keys: dict[str, Any]) -> None:
    answer = ask(client, keys, customer_id="77")

    body = answer.get_json()
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "private, no-store")
    assert {name: value for name, value in body.items() if name != "quote"} == {
        "product_id": "1",
        "variant_id": "11",
        "price": 900,
        "list_price": 1000,
        "currency": "USD",
        "expires_at": "2026-11-23T12:15:00+00:00",
        "bound": None,
        "again": False,
    }
    accepted = window_keys(keys["mine"]["id"], NOON)
    found = read(body["quote"], accepted, NOON, variant_id="11", currency="USD", customer_id="77")
    assert isinstance(found, Quote)
    assert found.price == 900
    kept = db.session.scalars(select(PriceQuote)).one()
    assert (kept.customer, kept.reason) == (digest(keys["mine"]["id"], CUSTOMER, "77"), "A regular")
    assert "77" not in body["quote"].split(".")


@pytest.mark.parametrize(
    ("asked", "price", "bound"),
    [
        pytest.param({"price": 626}, 626, None, id="above the floor"),
        pytest.param({"price": 625}, 625, None, id="the floor"),
        pytest.param({"price": 624}, 625, "floor", id="below the floor"),
        pytest.param({"price": 1000}, 1000, None, id="the list price"),
        pytest.param({"price": 1001}, 1000, "list_price", id="above the list price"),
        pytest.param({"discount_percent": 12.345}, 877, None, id="a percentage"),
        pytest.param({"discount_percent": 100}, 625, "floor", id="all of it"),
        pytest.param({"discount_percent": 0}, 1000, None, id="nothing off"),
    ],
)
def test_a_quote_lies_between_the_floor_and_the_list_price(
    client: FlaskClient, keys: dict[str, Any], asked: dict[str, Any], price: int, bound: str | None
) -> None:
    # A cost of 500 with 20 % of the price left over it: 625.
    body = ask(client, keys, **asked).get_json()

    assert (body["price"], body["bound"]) == (price, bound)


@given(wanted=st.integers(-5, 3000), list_price=st.integers(1, 2000), floor=st.integers(-5, 3000))
def test_no_wish_leads_out_of_the_bounds(wanted: int, list_price: int, floor: int) -> None:
    price, bound = price_within(wanted, list_price, floor)

    assert 1 <= price <= list_price
    assert price >= min(floor, list_price)
    assert (bound is None) is (price == wanted)
    assert bound is not Bound.LIST_PRICE or wanted > list_price


def test_the_floor_counts_the_tax_and_the_variants_own_cost(
    client: FlaskClient, keys: dict[str, Any]
) -> None:
    db.session.execute(update(Variant).where(Variant.platform_id == "12").values(cost=1000))
    change_settings(keys, included_tax_percent=20)

    # 1,000 with 20 % of the price without tax left over it is 1,250; with the tax 1,500.
    assert ask(client, keys, variant_id="12", price=1).get_json()["price"] == 1500


def test_a_price_that_leaves_too_little_already_is_not_lowered_further(
    client: FlaskClient, keys: dict[str, Any]
) -> None:
    db.session.execute(update(Variant).where(Variant.platform_id == "11").values(cost=990))
    db.session.commit()

    body = ask(client, keys).get_json()

    assert (body["price"], body["bound"]) == (1000, "floor")


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"price_quotes": 0}, "Quotes are switched off: set the store's price_quotes to 1."),
        (
            {"margin_percent": 0},
            "What the product costs you is not known: send costs, or set the store's margin_percent.",
        ),
    ],
    ids=["switched off", "no cost"],
)
def test_nothing_is_signed_without_the_merchants_word(
    client: FlaskClient, keys: dict[str, Any], changed: dict[str, float], detail: str
) -> None:
    change_settings(keys, **changed)

    answer = ask(client, keys)

    assert (answer.status_code, answer.get_json()["detail"]) == (409, detail)
    assert db.session.scalars(select(PriceQuote)).all() == []


def test_nothing_is_signed_in_a_currency_that_the_store_does_not_sell_in(
    client: FlaskClient, keys: dict[str, Any]
) -> None:
    db.session.execute(update(Product).values(currency="EUR"))
    db.session.commit()

    assert ask(client, keys).status_code == 409


@pytest.mark.parametrize(
    "names",
    [("1", "21"), ("1", "1"), ("1", "13"), ("2", "21"), ("4", "41"), ("9", "9")],
    ids=["another's variant", "a product with variants", "no such variant", "free", "deleted", "unknown"],
)
def test_what_cannot_be_bought_is_not_quoted(
    client: FlaskClient, keys: dict[str, Any], names: tuple[str, str]
) -> None:
    assert ask(client, keys, product_id=names[0], variant_id=names[1]).status_code == 404


def test_a_product_without_variants_is_its_own(client: FlaskClient, keys: dict[str, Any]) -> None:
    body = ask(client, keys, product_id="3", variant_id="3", price=600).get_json()

    assert (body["variant_id"], body["price"], body["list_price"]) == ("3", 600, 700)


@pytest.mark.parametrize(
    "body",
    [
        {"price": 5, "discount_percent": 5},
        {"price": None},
        {"price": 0},
        {"price": 10**15},
        {"price": "900"},
        {"discount_percent": 100.1},
        {"minutes": 16},
        {"minutes": 0},
        {"variant_id": "1.1"},
        {"reason": ""},
        {"surprise": 1},
    ],
    ids=str,
)
def test_what_is_no_question_is_422(client: FlaskClient, keys: dict[str, Any], body: dict[str, Any]) -> None:
    assert ask(client, keys, **body).status_code == 422


def test_a_question_without_a_price_is_422(client: FlaskClient, keys: dict[str, Any]) -> None:
    body = {"product_id": "1", "variant_id": "11", "reason": "A regular"}

    assert client.post("/v1/prices/quote", json=body, headers=keys["mine"]["headers"]).status_code == 422


def test_a_customer_gets_the_same_quote_until_it_expires(
    client: FlaskClient, keys: dict[str, Any], clock: Any
) -> None:
    first = ask(client, keys, customer_id="77").get_json()
    clock.shift(timedelta(minutes=13, seconds=59))
    note_told(keys["mine"]["id"], window_at(NOON) + 5)
    again = ask(client, keys, customer_id="77", price=700).get_json()
    clock.shift(timedelta(seconds=1))
    new = ask(client, keys, customer_id="77", price=700).get_json()

    assert again == {**first, "again": True}
    assert (new["price"], new["again"], new["expires_at"]) == (700, False, "2026-11-23T12:25:00+00:00")


def test_other_customers_variants_and_guests_get_quotes_of_their_own(
    client: FlaskClient, keys: dict[str, Any]
) -> None:
    asked: list[dict[str, Any]] = [
        {"customer_id": "77"},
        {"customer_id": "78"},
        {"customer_id": "77", "variant_id": "12"},
        {},
        {},
    ]

    answers = [ask(client, keys, **each).get_json() for each in asked]

    assert [a["again"] for a in answers] == [False] * 5
    assert len({a["quote"] for a in answers}) == 5


def test_a_quote_counts_once(client: FlaskClient, keys: dict[str, Any]) -> None:
    token = ask(client, keys, customer_id="77").get_json()["quote"]

    looked = verify(client, keys, token, customer_id="77", redeem=False)
    used = verify(client, keys, token, customer_id="77")
    replayed = verify(client, keys, token, customer_id="77")

    assert looked == {
        "valid": True, "reason": None, "product_id": "1", "variant_id": "11", "price": 900, "list_price": 1000,
        "currency": "USD", "expires_at": "2026-11-23T12:15:00+00:00", "redeemed_at": None,
    }  # fmt: skip
    assert used == {**looked, "redeemed_at": "2026-11-23T12:01:00+00:00"}
    assert replayed == {**dict.fromkeys(looked), "valid": False, "reason": "redeemed"}
    assert ask(client, keys, customer_id="77").get_json()["again"] is False


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"variant_id": "12"}, "other_variant", id="another variant"),
        pytest.param({"customer_id": "78"}, "other_customer", id="another customer"),
        pytest.param({"customer_id": None}, "other_customer", id="a guest"),
        pytest.param({"of": "other"}, "forged", id="another store"),
    ],
)
def test_a_quote_counts_for_nothing_else(
    client: FlaskClient, keys: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    token = ask(client, keys, customer_id="77").get_json()["quote"]

    found = verify(client, keys, token, **{"customer_id": "77", **changes})

    assert (found["valid"], found["reason"], found["price"]) == (False, reason, None)
    assert verify(client, keys, token, customer_id="77")["valid"] is True


def test_a_quote_with_another_price_is_forged(client: FlaskClient, keys: dict[str, Any]) -> None:
    token = ask(client, keys).get_json()["quote"]

    assert verify(client, keys, token.replace(".900.", ".1."))["reason"] == "forged"


@pytest.mark.parametrize(
    ("later", "reason"),
    [(timedelta(minutes=14), "unknown_key"), (timedelta(minutes=13, seconds=59), None)],
    ids=["when it is over", "in its last second"],
)
def test_a_quote_counts_until_it_expires(
    client: FlaskClient, keys: dict[str, Any], clock: Any, later: timedelta, reason: str | None
) -> None:
    token = ask(client, keys).get_json()["quote"]

    clock.shift(later)

    assert verify(client, keys, token)["reason"] == reason


def test_quotes_are_void_when_the_secret_leaked(client: FlaskClient, keys: dict[str, Any]) -> None:
    token = ask(client, keys).get_json()["quote"]
    rotate(keys["mine"]["id"], at_once=True)
    db.session.commit()

    assert verify(client, keys, token)["reason"] == "forged"


@pytest.mark.parametrize("told", [None, KEYS_AHEAD - 2], ids=["nothing", "too little"])
def test_nothing_is_signed_that_the_checkout_would_not_accept(
    client: FlaskClient, keys: dict[str, Any], told: int | None
) -> None:
    note_told(keys["mine"]["id"], None if told is None else window_at(NOON) + told)

    answer = ask(client, keys)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert ask(client, keys, minutes=1).status_code == (503 if told is None else 200)


def test_what_the_platform_refuses_for_is_told(client: FlaskClient, keys: dict[str, Any]) -> None:
    note_told(keys["mine"]["id"], None)
    note_problem(keys["mine"]["id"], "Install the plugin.")

    answer = ask(client, keys)

    assert (answer.status_code, answer.get_json()["detail"]) == (409, "Install the plugin.")


def test_what_is_kept_of_a_person_is_told_and_erased(client: FlaskClient, keys: dict[str, Any]) -> None:
    token = ask(client, keys, customer_id="77").get_json()["quote"]
    other = ask(client, keys, customer_id="78").get_json()["quote"]
    connection, store_id = db.session.connection(), keys["mine"]["id"]
    person = persons.find(connection, store_id, persons.Named(customers=frozenset({"77"})))
    room = QuotesRoom()

    exported = room.export(connection, person)
    erased = (room.erase(connection, person), room.export(connection, person))
    db.session.commit()

    assert exported == {
        "quotes": [
            {
                "product_id": "1", "variant_id": "11", "price": 900, "list_price": 1000, "currency": "USD",
                "reason": "A regular", "issued_at": "2026-11-23T12:01:00+00:00",
                "expires_at": "2026-11-23T12:15:00+00:00", "redeemed_at": None,
            }
        ]
    }  # fmt: skip
    assert erased == ({"price_quotes": 1}, {})
    assert verify(client, keys, token, customer_id="77")["reason"] == "withdrawn"
    assert verify(client, keys, other, customer_id="78")["valid"] is True


def test_who_was_erased_is_quoted_for_and_not_named(client: FlaskClient, keys: dict[str, Any]) -> None:
    store_id = keys["mine"]["id"]
    suppress(db.session.connection(), store_id, [(CUSTOMER, digest(store_id, CUSTOMER, "77"))])
    db.session.commit()

    token = ask(client, keys, customer_id="77").get_json()["quote"]

    assert db.session.scalars(select(PriceQuote.customer)).all() == [None]
    assert verify(client, keys, token, customer_id="77")["valid"] is True


def test_quotes_are_forgotten_a_month_after_their_end(
    client: FlaskClient, keys: dict[str, Any], clock: Any
) -> None:
    ask(client, keys)
    clock.shift(timedelta(minutes=14) + KEPT)
    quote_jobs.forget_old_quotes()
    assert len(db.session.scalars(select(PriceQuote)).all()) == 1
    db.session.rollback()

    clock.shift(timedelta(seconds=1))
    quote_jobs.forget_old_quotes()

    assert db.session.scalars(select(PriceQuote)).all() == []


def _at_once(app: Flask, work: Callable[[], Any]) -> list[Any]:
    """Return what ``work`` gives two requests that come at the same moment."""
    barrier = threading.Barrier(2)

    def request() -> Any:
        with app.app_context():
            barrier.wait(10)
            return work()

    with ThreadPoolExecutor(2) as pool:
        return [each.result(30) for each in [pool.submit(request) for _ in range(2)]]


def test_two_requests_at_once_make_one_quote(app: Flask, keys: dict[str, Any]) -> None:
    db.session.rollback()

    answers = _at_once(app, lambda: ask(app.test_client(), keys, customer_id="77").get_json())

    assert {a["quote"] for a in answers} == {answers[0]["quote"]}
    assert sorted(a["again"] for a in answers) == [False, True]


def test_of_two_redemptions_at_once_one_counts(app: Flask, client: FlaskClient, keys: dict[str, Any]) -> None:
    token = ask(client, keys).get_json()["quote"]

    found = _at_once(app, lambda: verify(app.test_client(), keys, token))

    assert sorted((each["valid"], each["reason"]) for each in found) == [(False, "redeemed"), (True, None)]
