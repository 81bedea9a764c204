"""The cart that a page reports: what is kept of it, what is refused, and how it meets its order."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from app.commerce import ingest
from app.commerce.cart import Cart
from app.commerce.catalog import Product
from app.commerce.store import Store
from app.connections.jobs import settle_carts
from app.core.db import db, now
from tests.factories import order_change, product_change, variant_state

TOKEN = "0f" * 32
MUG, TRAY, SHIRT, SHIRT_M = "12", "13", "21", "22"

Report = Callable[..., TestResponse]


@pytest.fixture
def shop(keys: dict[str, Any]) -> Store:
    """A shop with a mug, a tray and a shirt that has a size."""
    store: Store = keys["mine"][0]
    ingest.apply(
        db.session.connection(),
        store.id,
        [
            product_change(MUG, price=850),
            product_change(TRAY, price=2495),
            product_change(SHIRT, variant_state(SHIRT_M, price=2200), price=1900),
        ],
    )
    db.session.commit()
    return store


@pytest.fixture
def report(shop: Store, keys: dict[str, Any], client: FlaskClient) -> Report:
    """Report a cart as a page of the shop does; ``changes`` replace parts of the body, None takes one out."""

    def send(*lines: tuple[str, int], key: str = keys["mine"][1].publishable, **changes: Any) -> TestResponse:
        body = {
            "token": TOKEN,
            "consent": True,
            "lines": [{"product_id": id_, "variant_id": None, "quantity": count} for id_, count in lines],
        } | changes
        sent = {name: value for name, value in body.items() if value is not None}
        return client.post("/v1/carts", json=sent, headers={"X-Pannier-Key": key})

    return send


def stored() -> dict[str, list[tuple[str, str | None, int, int]]]:
    """Return every cart's lines by its token."""
    db.session.rollback()
    rows = db.session.execute(
        text(
            "SELECT encode(c.token_hash, 'hex'), p.platform_id, l.variant_platform_id, l.quantity, l.price"
            " FROM cart c LEFT JOIN cart_line l ON l.cart_id = c.id LEFT JOIN product p ON p.id = l.product_id"
            " ORDER BY c.id, l.position"
        )
    )
    found: dict[str, list[tuple[str, str | None, int, int]]] = {}
    for token, product, variant, quantity, price in rows:
        lines = found.setdefault(token, [])
        if product is not None:
            lines.append((product, variant, quantity, price))
    return found


def test_a_cart_is_kept_at_our_own_prices(report: Report, shop: Store) -> None:
    before = now()

    response = report((MUG, 2), (TRAY, 1))

    assert (response.status_code, response.get_json()) == (202, {})
    assert response.headers["Cache-Control"] == "private, no-store"
    assert stored() == {TOKEN: [(MUG, None, 2, 850), (TRAY, None, 1, 2495)]}
    cart = db.session.scalars(select(Cart)).one()
    assert (cart.store_id, cart.currency, cart.outcome) == (shop.id, shop.currency, None)
    assert before <= cart.source_updated_at <= now()


@pytest.mark.parametrize(
    "line",
    [
        {"product_id": SHIRT_M, "quantity": 3},
        {"product_id": SHIRT, "variant_id": SHIRT_M, "quantity": 3},
        {"product_id": SHIRT_M, "variant_id": None, "quantity": 3.0},
    ],
    ids=["by its own id", "by both", "by its own id, null"],
)
def test_a_variant_is_found_with_its_product(report: Report, line: dict[str, Any]) -> None:
    report(lines=[line])

    assert stored() == {TOKEN: [(SHIRT, SHIRT_M, 3, 2200)]}


def test_the_newest_report_stands(report: Report) -> None:
    report((MUG, 2))
    report((MUG, 2), (TRAY, 1))
    assert stored() == {TOKEN: [(MUG, None, 2, 850), (TRAY, None, 1, 2495)]}

    report()
    assert stored() == {TOKEN: []}


def test_unknown_products_are_passed_over_and_not_made(report: Report) -> None:
    report(("404", 1), (MUG, 1))

    assert stored() == {TOKEN: [(MUG, None, 1, 850)]}
    assert set(db.session.scalars(select(Product.platform_id))) == {MUG, TRAY, SHIRT}


@pytest.mark.parametrize("lines", [[], [("404", 1)]], ids=["empty", "unknown products"])
def test_a_cart_that_says_nothing_is_not_kept(report: Report, lines: list[tuple[str, int]]) -> None:
    assert report(*lines).status_code == 202
    assert stored() == {}


def test_the_products_of_another_store_are_unknown(report: Report, keys: dict[str, Any]) -> None:
    assert report((MUG, 1), key=keys["other"][1].publishable).status_code == 202
    assert stored() == {}


@pytest.mark.parametrize("consent", [False, None, "true", 1], ids=["no", "unsaid", "text", "number"])
def test_without_consent_nothing_is_kept(report: Report, consent: Any) -> None:
    response = report((MUG, 1), consent=consent)

    assert response.status_code == 422
    assert [found["name"] for found in response.get_json()["invalid_params"]] == ["consent"]
    assert stored() == {}


_LINE = {"product_id": MUG, "quantity": 1}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"token": "t_77b1"}, "token"),
        ({"token": TOKEN.upper()}, "token"),
        ({"token": TOKEN + "\n"}, "token"),
        ({"token": None}, "token"),
        ({"lines": [_LINE] * 101}, "lines"),
        ({"lines": [_LINE | {"quantity": 0}]}, "lines.0.quantity"),
        ({"lines": [_LINE | {"quantity": 1_000_001}]}, "lines.0.quantity"),
        ({"lines": [_LINE | {"product_id": "a b"}]}, "lines.0.product_id"),
        ({"lines": [_LINE | {"price": 1}]}, "lines.0.price"),
        ({"email": "ann@example.com"}, "email"),
    ],
    ids=["token", "capitals", "line feed", "no token", "too long", "nothing of it", "too much", "id", "price", "more"],
)  # fmt: skip
def test_what_is_no_cart_is_refused(report: Report, changes: dict[str, Any], name: str) -> None:
    response = report((MUG, 1), **changes)

    assert response.status_code == 422
    assert [found["name"] for found in response.get_json()["invalid_params"]] == [name]
    assert stored() == {}


def test_a_hundred_lines_are_a_cart(report: Report) -> None:
    assert report(*[(MUG, 1)] * 100).status_code == 202
    assert len(stored()[TOKEN]) == 100


@pytest.mark.parametrize(
    ("origin", "status"), [("https://mine.example", 202), ("https://other.example", 403)], ids=["own", "foreign"]
)  # fmt: skip
def test_only_the_shops_own_pages_may_report(
    client: FlaskClient, shop: Store, keys: dict[str, Any], origin: str, status: int
) -> None:
    response = client.post(
        "/v1/carts",
        json={"token": TOKEN, "consent": True, "lines": [_LINE]},
        headers={"X-Pannier-Key": keys["mine"][1].publishable, "Origin": origin},
    )

    assert response.status_code == status
    assert response.headers.get("Access-Control-Allow-Origin") == (origin if status == 202 else None)
    assert bool(stored()) is (status == 202)


def test_a_page_does_not_wait_for_a_worker(report: Report, shop: Store) -> None:
    with db.engine.connect() as worker:
        ingest.lock_commerce(worker, shop.id)

        response = report((MUG, 1))

    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert stored() == {}
    assert report((MUG, 1)).status_code == 202


def test_the_order_that_carries_the_hash_makes_the_cart_bought(report: Report, shop: Store) -> None:
    report((MUG, 2))
    report((TRAY, 1), token="ab" * 32)
    order = order_change("order", MUG)
    ingest.apply(db.session.connection(), shop.id, [replace(order, cart_token_hash=bytes.fromhex(TOKEN))])
    db.session.commit()

    assert settle_carts() == 1

    outcomes = db.session.execute(select(Cart.token_hash, Cart.outcome).order_by(Cart.id))
    assert [(row[0].hex(), row[1]) for row in outcomes] == [(TOKEN, "bought"), ("ab" * 32, None)]
