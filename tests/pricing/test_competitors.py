"""What competitors ask: taken in over HTTP and from files, checked, limited, the newest stands."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.commerce import ingest
from app.commerce.store import Store
from app.core.db import db
from app.pricing import competitors
from app.pricing.competitors import FileError, Price, read_file, take_in
from app.pricing.ledger_schemas import competitor_price
from app.pricing.models import CompetitorPrice
from tests.factories import DAY, at, new_store, product_change

NOW = at(30 * DAY)


@pytest.fixture
def store(shared_app: Flask) -> Iterator[Store]:
    """A store of this test alone, with two products."""
    with shared_app.app_context():
        found = new_store()
        ingest.apply(db.session.connection(), found.id, [product_change("p1"), product_change("p2")])
        db.session.commit()
        yield found


def price(product: str = "p1", competitor: str = "A", amount: int = 990, seconds: float = 0) -> Price:
    """Return what a competitor asks."""
    return Price(product, competitor, amount, "USD", at(seconds))


def stored(store: Store) -> list[tuple[str, str, int]]:
    """Return (product, competitor, price) of what the store has."""
    rows = db.session.scalars(
        select(CompetitorPrice)
        .where(CompetitorPrice.store_id == store.id)
        .order_by(CompetitorPrice.product_id, CompetitorPrice.competitor)
        .execution_options(populate_existing=True)
    )
    return [(row.product_id, row.competitor, row.price) for row in rows]


def take(store: Store, *prices: Price) -> dict[int, str]:
    """Take prices in, and return what was refused."""
    return take_in(db.session.connection(), store.id, prices, NOW)


def test_the_newest_price_of_a_competitor_stands(store: Store) -> None:
    assert take(store, price(amount=990, seconds=50), price(amount=880, seconds=40)) == {}
    assert take(store, price(amount=770, seconds=49), price(competitor="B"), price("p2")) == {}
    assert stored(store) == [("p1", "A", 990), ("p1", "B", 990), ("p2", "A", 990)]
    take(store, price(amount=660, seconds=51))
    assert stored(store)[0] == ("p1", "A", 660)


def test_what_cannot_be_is_refused_and_the_rest_is_taken(store: Store) -> None:
    refused = take(
        store, price("p9"), price(), price(seconds=30 * DAY + 301), price("p2", seconds=30 * DAY + 299)
    )
    assert refused == {0: competitors.UNKNOWN_PRODUCT, 2: competitors.NOT_SEEN_YET}
    assert stored(store) == [("p1", "A", 990), ("p2", "A", 990)]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("MOST_OF_A_PRODUCT", competitors.TOO_MANY), ("MOST_OF_A_STORE", competitors.FULL)],
    ids=["of a product", "of a store"],
)
def test_there_is_a_limit_and_known_ones_still_move(
    store: Store, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    monkeypatch.setattr(competitors, name, 2)
    assert take(store, price(competitor="A"), price(competitor="B"), price(competitor="C")) == {2: reason}
    assert take(store, price(competitor="C"), price(competitor="B", amount=1, seconds=1)) == {0: reason}
    assert stored(store) == [("p1", "A", 990), ("p1", "B", 1)]


def test_stores_do_not_see_each_others(store: Store) -> None:
    take(store, price())
    other = new_store()
    assert take(other, price()) == {0: competitors.UNKNOWN_PRODUCT}
    assert (len(stored(store)), stored(other)) == (1, [])


# --- files ------------------------------------------------------------------------------------------------


def test_a_csv_file_has_major_units_and_may_leave_things_out(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text(
        "\ufeffcompetitor,product_id,price,seen_at,currency\n"
        "Teapots,p1,19.90,2026-01-06T00:00:00Z,\n"
        '"Cups, and more",p2,1500,,JPY\n'
        "Cups,p2,cheap,,\n"
    )
    assert list(read_file(file, "NZD")) == [
        (
            1,
            {
                "product_id": "p1",
                "competitor": "Teapots",
                "price": 1990,
                "currency": "NZD",
                "seen_at": "2026-01-06T00:00:00Z",
            },
        ),
        (
            2,
            {
                "product_id": "p2",
                "competitor": "Cups, and more",
                "price": 1500,
                "currency": "JPY",
                "seen_at": None,
            },
        ),
        (3, "The price is no amount of money."),
    ]


def test_a_json_file_is_a_list_of_what_the_interface_takes(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps([{"product_id": "p1", "competitor": "A", "price": 990}, 7]))
    assert list(read_file(file, "USD")) == [
        (1, {"currency": "USD", "product_id": "p1", "competitor": "A", "price": 990}),
        (2, "This is no object."),
    ]


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("prices.txt", b"", "The file's name ends neither in .csv nor in .json."),
        ("prices.csv", b"product_id,price\n", "The file has no column competitor."),
        ("prices.csv", b"\xff\xfe", "The file is not written in UTF-8."),
        ("prices.csv", b'product_id,competitor,price\n"x', "The file is no CSV."),
        ("prices.json", b"{", "The file is no JSON."),
        ("prices.json", b"{}", "The file is no list of prices."),
    ],
    ids=["neither", "no column", "no utf-8", "no csv", "no json", "no list"],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str, body: bytes, reason: str) -> None:
    file = tmp_path / name
    file.write_bytes(body)
    with pytest.raises(FileError, match=f"^{reason}$"):
        list(read_file(file, "USD"))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(competitors, "LARGEST_FILE", 3)
    file = tmp_path / "prices.json"
    file.write_bytes(b"[  ]")
    with pytest.raises(FileError, match="larger"):
        list(read_file(file, "USD"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"price": 0}, "price: "),
        ({"price": "9.90"}, "price: Not a valid integer."),
        ({"price": 1.5}, "price: "),
        ({"product_id": ""}, "product_id: Not 1 to 200 visible ASCII characters."),
        ({"competitor": "a\nb"}, "competitor: Not 1 to 100 characters of text."),
        ({"currency": "nzd"}, "currency: Not a currency of ISO 4217."),
        ({"seen_at": "yesterday"}, "seen_at: Not a valid datetime."),
        ({"more": 1}, "more: Unknown field."),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_row_of_a_file_is_checked_as_the_interface_checks_it(change: dict[str, Any], reason: str) -> None:
    row = {"product_id": "p1", "competitor": "A", "price": 990, "currency": "USD", **change}
    found = competitor_price(row, NOW)
    assert isinstance(found, str)
    assert found.startswith(reason)


def test_a_good_row_is_seen_now_unless_it_says_when() -> None:
    row = {"product_id": "p1", "competitor": "A", "price": 990, "currency": "USD"}
    assert competitor_price(row, NOW) == Price("p1", "A", 990, "USD", NOW)
    told = competitor_price({**row, "seen_at": "2026-01-05T12:00:07Z"}, NOW)
    assert told == Price("p1", "A", 990, "USD", at(7))


# --- over HTTP --------------------------------------------------------------------------------------------


def test_prices_are_put_ledger_and_proof_are_read(client: FlaskClient, keys: dict[str, Any]) -> None:
    store, new_keys = keys["mine"]
    from app.recommendations.taking_in import take_in as hear

    hear(db.session.connection(), store.id, [product_change("p1", price=1000, available=True)])
    hear(
        db.session.connection(),
        store.id,
        [product_change("p1", price=900, available=True, seconds=9 * DAY)],
    )
    db.session.commit()
    headers = {"Authorization": f"Bearer {new_keys.secret}"}
    row = {"product_id": "p1", "competitor": "A", "price": 990, "currency": "USD"}
    put = client.put(
        "/v1/prices/competitors", json={"prices": [row, {**row, "product_id": "p9"}]}, headers=headers
    )
    assert put.get_json() == {
        "accepted": 1,
        "refused": [{"index": 1, "reason": competitors.UNKNOWN_PRODUCT}],
    }
    first = client.get("/v1/prices/ledger?product_id=p1&limit=1", headers=headers).get_json()
    assert [(p["variant_id"], p["price"], p["until_at"]) for p in first["periods"]] == [("p1", 900, None)]
    then = client.get(
        f"/v1/prices/ledger?product_id=p1&cursor={first['next_cursor']}", headers=headers
    ).get_json()
    assert [p["price"] for p in then["periods"]] == [1000]
    assert then["next_cursor"] is None
    proof = client.get("/v1/prices/usual?product_id=p1&was=1000", headers=headers).get_json()["variants"]
    assert [(v["was"], v["proven"], v["proof"][-1]) for v in proof] == [
        (
            1000,
            False,
            "10.00 USD was asked on 9 days of the 90 days before the reduction; 28 days are needed.",
        )
    ]
    silent = client.get("/v1/prices/usual?product_id=p1", headers=headers).get_json()["variants"]
    assert [(v["was"], v["proof"]) for v in silent] == [(None, ["The shop states no price before."])]


@pytest.mark.parametrize("cursor", ["x", "MC4x", "MS4w", "MS54", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OS4x"])
def test_a_cursor_of_another_list_is_refused(client: FlaskClient, keys: dict[str, Any], cursor: str) -> None:
    headers = {"Authorization": f"Bearer {keys['mine'][1].secret}"}
    answer = client.get(f"/v1/prices/ledger?product_id=p1&cursor={cursor}", headers=headers)
    assert answer.status_code == 422
    assert answer.get_json()["invalid_params"] == [{"name": "cursor", "reason": "Not a cursor of this list."}]
