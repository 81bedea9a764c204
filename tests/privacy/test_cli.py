"""``pannier privacy``: what people ask, from the command line."""

import json
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.commerce.changes import CustomerRef
from app.commerce.order import Order
from app.commerce.store import Store
from app.core.crypto import vault
from app.core.db import db
from app.recommendations.taking_in import take_in
from tests.command import Pannier
from tests.factories import order_change


@pytest.fixture
def pannier(store: Store, pannier: Pannier) -> Pannier:
    """Run ``pannier privacy``."""
    return pannier.within("privacy")


@pytest.fixture
def shop(store: Store) -> Store:
    """A store in which Ann bought twice."""
    ann = CustomerRef("7", bytes.fromhex(vault().pseudonym(store.id, "ann@example.com")))
    orders = [order_change(number, "p1", "p2", customer=ann) for number in ("o1", "o2")]
    take_in(db.session.connection(), store.id, orders)
    db.session.commit()
    return store


def test_what_is_kept_is_printed_or_written(pannier: Pannier, shop: Store, tmp_path: Path) -> None:
    printed = pannier("export", str(shop.id), "--email", "-", given="Ann@example.com\n")
    written = pannier("export", shop.domain, "--order", "o1", "--output", str(tmp_path / "ann.json"))

    assert printed.exit_code == written.exit_code == 0
    assert [o["id"] for o in json.loads(printed.stdout)["data"]["commerce"]["orders"]] == ["o1", "o2"]
    assert json.loads((tmp_path / "ann.json").read_text())["data"]["commerce"].keys() == {
        "customers",
        "orders",
    }


def test_somebody_is_erased_with_a_receipt(pannier: Pannier, shop: Store, tmp_path: Path) -> None:
    asked = pannier("erase", str(shop.id), "--customer", "7", given="n\n")
    assert asked.exit_code == 1
    assert db.session.scalar(select(func.count()).select_from(Order)) == 2

    erased = pannier("erase", str(shop.id), "--customer", "7", "--yes", "--json")
    again = pannier("erase", str(shop.id), "--customer", "7", "--yes")
    listed = pannier("requests", str(shop.id))

    receipt = json.loads(erased.stdout)
    assert receipt["removed"]["commerce"] == {"order_lines": 4, "orders": 2, "customers": 1}
    assert again.stdout == f"Erased: nothing was kept. Request {int(receipt['request']) + 1}.\n"
    assert listed.stdout.count("erasure  done") == 2
    genuine = pannier("verify-receipt", str(shop.id), "-", given=erased.stdout)
    forged = pannier("verify-receipt", str(shop.id), "-", given=erased.stdout.replace(": 2", ": 1"))
    no_json = pannier("verify-receipt", str(shop.id), "-", given="receipt")
    assert (genuine.exit_code, genuine.stdout) == (0, "The receipt is genuine.\n")
    assert (forged.exit_code, forged.stderr) == (1, "Error: The receipt is not genuine.\n")
    assert (no_json.exit_code, no_json.stderr) == (2, "Error: The file is no JSON.\n")


@pytest.mark.parametrize(
    ("whom", "sentence"),
    [
        ([], "Name somebody: --email, --customer, --visitor or --order."),
        (["--email", "ann"], "That is no e-mail address."),
    ],
    ids=["nobody", "no address"],
)
def test_nobody_is_bad_use(pannier: Pannier, shop: Store, whom: list[str], sentence: str) -> None:
    found = pannier("erase", str(shop.id), "--yes", *whom)

    assert (found.exit_code, found.stderr) == (2, f"Error: {sentence}\n")


def test_the_notice_is_printed(pannier: Pannier, shop: Store) -> None:
    text = pannier("notice", str(shop.id)).stdout
    sources = json.loads(pannier("notice", str(shop.id), "--json").stdout)

    assert text.startswith("## platform\n")
    assert [source["source"] for source in sources] == ["platform", "pages"]
    assert all(source["notice"] in text for source in sources)
