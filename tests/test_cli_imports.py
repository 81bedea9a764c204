"""``pannier import``: what it prints, what it keeps, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app.commerce import ingest
from app.commerce.store import Store, add_store
from app.core.crypto import vault
from app.core.db import db, now
from app.imports.models import OrderImport
from tests.command import Pannier, refusal
from tests.commerce.tables import dump, rows
from tests.factories import product_change, variant_state

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "docs" / "samples" / "till.csv"
MAPPING = ROOT / "docs" / "samples" / "till.json"
GOODS = {"TEAPOT-BLUE": "7001", "TEA-SENCHA": "7002", "HONEY-MANUKA": "7003", "CUP-BLUE": "8001"}


@pytest.fixture
def store(app: Flask) -> Store:
    found, _ = add_store("shopify", "harbour.myshopify.com", currency="NZD")
    db.session.flush()
    goods = [product_change(p, replace(variant_state(f"{p}1"), sku=sku)) for sku, p in GOODS.items()]
    ingest.apply(db.session.connection(), found.id, goods)
    db.session.commit()
    return found


@pytest.fixture
def pannier(store: Store, pannier: Pannier) -> Pannier:
    """Run ``pannier import orders`` for the store."""
    return pannier.within("import", "orders", store=store)


# --- the sample of the documentation --------------------------------------------------------------------


def test_the_sample_is_taken_in_as_documented(store: Store, pannier: Pannier, tmp_path: Path) -> None:
    aside = tmp_path / "aside.csv"

    result = pannier(SAMPLE, "--mapping", MAPPING, "--rejects", aside, "--collected-by", "At the counter")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "rows: 8",
        "orders taken: 4",
        "rows kept aside: 1",
        "orders joined to a person: 1",
        "receipts that take goods back from earlier orders: 1",
    ]
    assert "  line 9: price: not a number\n" in result.stderr
    assert result.stdout in (ROOT / "docs" / "commands.md").read_text()
    assert aside.read_text().splitlines()[1].startswith("9,price: not a number,10045,14/03/2026,16:20,")
    assert rows(db.session.connection(), store.id, "orders", "platform_id", "basket", "total") == [
        ("till:10041", ["7002"], 7050),
        ("till:10042", ["7002", "7003"], 3240),
        ("till:10043", [], 5970),
        ("till:10044", ["8001"], 400),
    ]
    (sold,) = (
        r for r in dump(db.session.connection(), store.id)["orders"] if r["platform_id"] == "till:10041"
    )
    assert sold["placed_at"] == "2026-03-13T21:12:00+00:00", "New Zealand's summer time"
    assert sold["customer_id"] == vault().pseudonym(store.id, "guest@example.com")
    (kept,) = db.session.query(OrderImport).all()
    assert (kept.source, kept.channel, kept.collected_by) == ("till", "pos", "At the counter")


def test_the_same_file_twice_is_nothing_to_do(pannier: Pannier) -> None:
    pannier(SAMPLE, "--mapping", MAPPING)

    again = pannier(SAMPLE, "--mapping", MAPPING)

    assert (again.exit_code, again.stdout) == (0, "Already imported, nothing to do.\n")
    anew = pannier(SAMPLE, "--mapping", MAPPING, "--anew")
    assert "orders taken: 4" in anew.stdout


def test_json_says_all_figures(pannier: Pannier) -> None:
    result = pannier(SAMPLE, "--mapping", MAPPING, "--json", "--dry-run")

    found = json.loads(result.stdout)
    assert (found["orders"], found["rejected_rows"], found["dry_run"], found["already"]) == (
        4,
        1,
        True,
        False,
    )
    assert found["examples"] == {"9": "price: not a number"}
    assert found["reasons"] == {"price: not a number": 1}


# --- bad use, and work that fails -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "arguments", "says"),
    [
        ("", (), "The first line names no columns."),
        ("a,b\n1,2\n", (), "No column is 'order'"),
        ("order,date\n1,2026-01-01\n", (), "No column says which product"),
        ("order,date,sku\n1,2026-01-01,A\n", (), "No column says what was paid"),
        ("order,date,sku,total\n", ("--source", "My till"), "--source must be"),
        ("order,date,sku,total\n", ("--delimiter", ";;"), "--delimiter must be"),
        ("order,date,sku,total\n", ("--mapping", '{"timezone": "Moon/Base"}'), "no IANA time zone"),
        ("order,date,sku,total\n", ("--mapping", '{"columns": {"orders": "x"}}'), "columns.orders.key"),
        ("order,date,sku,total\n", ("--mapping", '{"columns": {"order": "Bon"}}'), "'Bon' for 'order' is not there"),
        ("order,date,sku,total\n", ("--mapping", '{"consent": "yes"}'), "consent: Unknown field."),
        ("order,date,sku,total\n", ("--mapping", '{"constants": {"consent": "yes"}}'), "constants.consent"),
        ("order,date,sku,total\n", ("--mapping", "[]"), "is no JSON object"),
        ("order,date,sku,total\n", ("--mapping", "{"), "is no JSON."),
        ("order,order,date,sku,total\n", (), "'order' stands more than once"),
    ],
    ids=["empty", "no order", "no product", "no money", "source", "delimiter", "time zone", "unknown field",
         "missing column", "unknown key", "consent for all", "no object", "no json", "two columns"],
)  # fmt: skip
def test_bad_use_is_one_sentence(
    pannier: Pannier, tmp_path: Path, content: str, arguments: tuple[str, ...], says: str
) -> None:
    file, mapping = tmp_path / "till.csv", tmp_path / "mapping.json"
    file.write_text(content)
    if "--mapping" in arguments:
        mapping.write_text(arguments[1])
        arguments = ("--mapping", str(mapping))

    assert says in refusal(pannier(file, *arguments), 2)


def test_a_file_is_not_overwritten_by_its_own_rejects(pannier: Pannier, tmp_path: Path) -> None:
    file = tmp_path / "till.csv"
    file.write_bytes(SAMPLE.read_bytes())

    assert "another file" in refusal(pannier(file, "--mapping", MAPPING, "--rejects", file), 2)
    assert file.read_bytes() == SAMPLE.read_bytes()


def test_nothing_is_taken_in_for_a_shop_that_has_left(store: Store, pannier: Pannier) -> None:
    store.uninstalled_at = now()
    db.session.commit()

    assert "is uninstalled" in refusal(pannier(SAMPLE, "--mapping", MAPPING), 2)


def test_a_file_that_is_not_there_is_bad_use(pannier: Pannier, tmp_path: Path) -> None:
    assert "does not exist" in refusal(pannier(tmp_path / "none.csv"), 2)


def test_a_file_of_which_nothing_can_be_taken_has_failed(pannier: Pannier, tmp_path: Path) -> None:
    file = tmp_path / "till.csv"
    file.write_text("order,date,sku,total\n1,soon,TEAPOT-BLUE,5\n")

    result = pannier(file)

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (1, "Error: No order could be taken.")
    assert "  line 2: placed_at: not a time of the form ISO 8601\n" in result.stderr


def test_rejects_that_cannot_be_written_are_said(pannier: Pannier, tmp_path: Path) -> None:
    result = pannier(SAMPLE, "--mapping", MAPPING, "--rejects", tmp_path / "none" / "aside.csv")

    assert "No such file or directory" in refusal(result, 1)
    assert "orders taken: 4" in pannier(SAMPLE, "--mapping", MAPPING).stdout, "nothing was taken as done"


# --- killed ---------------------------------------------------------------------------------------------

_KILLED = """
import os, signal, sys
from app.core.config import load_settings
from app.factory import create_app
from app.imports import orders
from app.cli import main
orders._BLOCK_ORDERS = 10
blocks = int(sys.argv.pop(1))
advance = orders.advance
def counted(*arguments):
    global blocks
    advance(*arguments)
    blocks -= 1
    if not blocks:  # the block is written and not committed
        os.kill(os.getpid(), signal.SIGKILL)
orders.advance = counted
main()
"""


@pytest.mark.timeout(120)
def test_a_killed_import_goes_on_where_it_was(
    store: Store, pannier: Pannier, environment: dict[str, str], tmp_path: Path
) -> None:
    file, aside = tmp_path / "till.csv", tmp_path / "aside.csv"
    lines = ["order,date,sku,qty,price"]
    for n in range(1, 46):
        good = "1" if n % 9 else "lots"
        lines += [f"{n},2026-03-02,TEAPOT-BLUE,1,48", f"{n},2026-03-02,TEA-SENCHA,{good},12.5"]
    file.write_text("\n".join(lines))
    words = ["import", "orders", str(file), "--store", str(store.id), "--rejects", str(aside)]

    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, "3", *words], cwd=ROOT, env={**os.environ, **environment},
        capture_output=True, check=False,
    )  # fmt: skip

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    db.session.rollback()
    (begun,) = db.session.query(OrderImport).all()
    assert (begun.done_rows, begun.orders, begun.rejected_rows, begun.finished_at) == (40, 18, 4, None)
    assert len(rows(db.session.connection(), store.id, "orders", "platform_id")) == 18
    db.session.rollback()

    result = pannier(*words[2:3], "--rejects", aside, "--json")

    found = json.loads(result.stdout)
    assert (found["resumed"], found["orders"], found["rejected_rows"], found["rows"]) == (True, 40, 10, 90)
    good = {f"till:{n}" for n in range(1, 46) if n % 9}
    taken = rows(db.session.connection(), store.id, "orders", "platform_id", "basket")
    assert {number for number, _ in taken} == good
    assert {tuple(basket) for _, basket in taken} == {("7001", "7002")}
    counts = db.session.connection().exec_driver_sql(
        "SELECT DISTINCT orders FROM product_count WHERE store_id = %(store)s", {"store": store.id}
    )
    assert counts.all() == [(40,)], "every order is counted once"
    kept = [int(line.partition(",")[0]) for line in aside.read_text().splitlines()[1:]]
    assert kept == [line for n in range(9, 46, 9) for line in (2 * n, 2 * n + 1)], "each row once, in order"
