"""``pannier prices ledger``, ``import-competitors`` and ``experiment``: what they print, and their exit codes."""

import json
from pathlib import Path

import pytest

from app.commerce.store import Store
from app.core.db import db
from app.recommendations.taking_in import take_in
from tests.command import Pannier
from tests.factories import DAY, product_change


@pytest.fixture
def store(store: Store) -> Store:
    """The store, whose product had two prices."""
    for change in (
        product_change("p1", price=1000, available=True),
        product_change("p1", price=900, available=True, seconds=DAY),
    ):
        take_in(db.session.connection(), store.id, [change])
    db.session.commit()
    return store


@pytest.fixture
def pannier(store: Store, pannier: Pannier) -> Pannier:
    """Run ``pannier prices`` for the store."""
    return pannier.within("prices", store=store)


def test_the_ledger_is_shown_newest_first(pannier: Pannier) -> None:
    result = pannier("ledger", "p1", "--json")
    assert [(row["price"], row["until"], row["source"]) for row in json.loads(result.stdout)] == [
        ("9.00", None, "shop"),
        ("10.00", "2026-01-06T12:00:00+00:00", "shop"),
    ]
    assert len(pannier("ledger", "p1", "--limit", "1").stdout.splitlines()) == 2
    assert pannier("ledger", "p9").stdout == "The ledger has no price of this product.\n"


def test_competitors_are_taken_in_and_wrong_rows_told(pannier: Pannier, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("product_id,competitor,price\np9,A,9.90\np1,A,9.90\np1,B,free\np1,,1\n")
    result = pannier("import-competitors", str(file), "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [{"accepted": 1, "left_out": 3}])
    assert result.stderr.splitlines() == [
        "Row 1: The store has no such product.",
        "Row 3: The price is no amount of money.",
        "Row 4: competitor: Not 1 to 100 characters of text.",
    ]


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("prices.csv", "product_id,competitor,price\np9,A,1\n", 1),
        ("prices.csv", "product_id\n", 2),
        ("a.txt", "", 2),
    ],
    ids=["no row is right", "a column lacks", "no such kind of file"],
)
def test_the_exit_code_says_whether_anything_was_taken(
    pannier: Pannier, tmp_path: Path, name: str, body: str, code: int
) -> None:
    (tmp_path / name).write_text(body)
    assert pannier("import-competitors", str(tmp_path / name)).exit_code == code


def test_an_experiment_that_is_none_is_bad_use(pannier: Pannier) -> None:
    result = pannier("experiment", "nothing")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: No experiment on prices of the key 'nothing' has started.\n",
    )
