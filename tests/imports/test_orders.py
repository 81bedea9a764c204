"""Taking a file of orders in: what of it, how often, and what is kept aside."""

import csv
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from app.commerce import ingest
from app.commerce.changes import OrderStatus
from app.core.db import db, try_lock_store
from app.imports import orders as imports
from app.imports.models import OrderImport
from app.imports.orders import ImportFailed
from connectors.pos.rows import Form
from tests.factories import new_store, order_change, product_change, variant_state
from tests.imports.till import GOODS, HEADER, Till

MORNING = "2026-03-02T09:00:00Z"
TWO_ORDERS = (f"1,{MORNING},KETTLE,1,30.00", f"1,{MORNING},TEA,2,4.50", f"2,{MORNING},TEA,1,4.50")


def imported(till: Till) -> list[OrderImport]:
    return list(db.session.query(OrderImport).filter_by(store_id=till.store.id).order_by(OrderImport.id))


def counted(till: Till) -> dict[str, int]:
    """Return in how many learned orders each product stands."""
    found = db.session.connection().exec_driver_sql(
        "SELECT p.platform_id, c.orders FROM product_count c JOIN product p ON p.id = c.product_id"
        " WHERE c.store_id = %(store)s AND c.orders > 0",
        {"store": till.store.id},
    )
    return dict(found.all())


def cells(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


# --- what goes in ---------------------------------------------------------------------------------------


def test_the_rows_of_an_order_are_one_order_of_the_till(till: Till) -> None:
    outcome = till.imports(*TWO_ORDERS)

    assert (outcome.rows, outcome.orders, outcome.rejected_rows, outcome.unknown_lines) == (3, 2, 0, 0)
    assert till.rows("orders", "platform_id", "channel", "status", "total", "currency", "customer_id") == [
        ("till:1", "pos", OrderStatus.COMPLETED, 3900, "USD", None),
        ("till:2", "pos", OrderStatus.COMPLETED, 450, "USD", None),
    ]
    assert till.rows("order_line", "order_id", "product_id", "variant_platform_id", "quantity", "price") == [
        ("till:1", "1", "11", 1, 3000),
        ("till:1", "3", "31", 2, 450),
        ("till:2", "3", "31", 1, 450),
    ]


def test_what_is_bought_together_is_learned_from_them(till: Till) -> None:
    till.imports(*TWO_ORDERS)

    assert till.baskets() == {"till:1": ["1", "3"], "till:2": ["3"]}
    assert counted(till) == {"1": 1, "3": 2}


def test_an_order_of_the_till_meets_none_of_the_platform(till: Till) -> None:
    till.hears(order_change("1", "4"))

    till.imports(*TWO_ORDERS)

    assert till.baskets() == {"1": ["4"], "till:1": ["1", "3"], "till:2": ["3"]}


def test_a_dry_run_stores_nothing(till: Till) -> None:
    outcome = till.imports(*TWO_ORDERS, "3,yesterday,TEA,1,1", dry_run=True)

    assert (outcome.orders, outcome.rejected_rows) == (2, 1)
    assert till.rows("orders", "platform_id") == []
    assert imported(till) == []
    assert till.imports(path=till.directory / "till.csv").orders == 2


def test_blocks_are_committed_one_by_one_and_tell_their_progress(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "_BLOCK_ORDERS", 2)
    heard: list[tuple[int, int]] = []

    till.imports(*(f"{n},{MORNING},TEA,1,4" for n in range(5)), progress=lambda *done: heard.append(done))

    assert heard == [(2, 5), (4, 5), (5, 5)]
    assert len(till.baskets()) == 5


# --- twice, and again -----------------------------------------------------------------------------------


def test_the_same_file_twice_is_once(till: Till) -> None:
    till.imports(*TWO_ORDERS)
    before = till.rows("orders", "platform_id", "source_updated_at", "state_digest")

    again = till.imports(*TWO_ORDERS)

    assert (again.already, again.orders, again.rows) == (True, 2, 3)
    assert till.rows("orders", "platform_id", "source_updated_at", "state_digest") == before
    assert counted(till) == {"1": 1, "3": 2}
    assert [(i.done_rows, i.orders, i.finished_at is not None) for i in imported(till)] == [(3, 2, True)]


def test_a_finished_file_can_be_taken_anew(till: Till) -> None:
    till.imports(f"1,{MORNING},SCARF,1,9.00", f"1,{MORNING},TEA,1,4.00")
    till.hears(product_change("5", replace(variant_state("51"), sku="SCARF")))

    again = till.imports(path=till.directory / "till.csv", anew=True)

    assert (again.already, again.orders) == (False, 1)
    assert till.baskets() == {"till:1": ["3", "5"]}
    assert counted(till) == {"3": 1, "5": 1}


def test_a_corrected_file_replaces_the_orders_and_counts_them_once(till: Till) -> None:
    till.imports(*TWO_ORDERS)

    till.imports(f"1,{MORNING},TEAPOT,1,25.00", f"1,{MORNING},TEA,2,4.50", *TWO_ORDERS[2:])

    assert till.baskets() == {"till:1": ["2", "3"], "till:2": ["3"]}
    assert counted(till) == {"2": 1, "3": 2}


def test_an_order_that_was_there_with_another_time_is_pointed_out(till: Till) -> None:
    till.imports(*TWO_ORDERS)

    another_till = till.imports("2,2026-03-02T17:00:00Z,HONEY,1,6", f"3,{MORNING},TEA,1,4", dry_run=True)
    own = till.imports("2,2026-03-02T17:00:00Z,HONEY,1,6", f"3,{MORNING},TEA,1,4", name="second")

    assert (another_till.moved, own.moved) == (1, 0)
    assert set(till.baskets()) == {"till:1", "till:2", "second:2", "second:3"}


def test_an_older_state_by_the_orders_own_time_never_wins(till: Till) -> None:
    header = "order,date,updated_at,sku,qty,price"
    till.imports(f"1,{MORNING},2026-03-05T10:00:00Z,TEA,1,4", header=header)

    till.imports(f"1,{MORNING},2026-03-04T10:00:00Z,HONEY,1,4", header=header)

    assert till.baskets() == {"till:1": ["3"]}


def test_two_imports_of_a_store_do_not_run_at_once(till: Till) -> None:
    with try_lock_store(till.store.id, imports._IMPORT_LOCK) as mine:
        assert mine
        with pytest.raises(ImportFailed, match="Another import"):
            till.imports(*TWO_ORDERS)

    assert imported(till) == []


def test_a_file_that_is_written_meanwhile_is_refused(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_BLOCK_ORDERS", 1)
    path = till.writes(*TWO_ORDERS)

    def write(_done: int, _of: int) -> None:
        with path.open("a") as file:
            file.write(f"3,{MORNING},HONEY,1,4\n")

    with pytest.raises(ImportFailed, match="changed while it was read"):
        till.imports(path=path, progress=write)
    db.session.rollback()

    assert till.imports(path=path).orders == 3
    assert till.baskets() == {"till:1": ["1", "3"], "till:2": ["3"], "till:3": ["4"]}


class Interrupted(Exception):
    """What stands for any sudden end."""


@pytest.mark.parametrize("blocks", [1, 2, 5], ids=str)
def test_an_import_that_breaks_off_ends_in_the_same_rows(
    till: Till, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blocks: int
) -> None:
    monkeypatch.setattr(imports, "_BLOCK_ORDERS", 2)
    header = f"{HEADER},original_order"
    rows = [f"{n},{MORNING},{sku},1,4," for n in range(11) for sku in ("TEA", "KETTLE", "BAG")]
    rows[13] = rows[13].replace("4,", "four,")
    rows += [f"20,{MORNING},KETTLE,-1,4,{n}" for n in (2, 2, 2)]
    whole = Till(new_store(), tmp_path)
    whole.imports(*rows, header=header, rejects=tmp_path / "whole.csv")

    def stop(done: int, _of: int) -> None:
        if done >= 6 * blocks:
            raise Interrupted

    with pytest.raises(Interrupted):
        till.imports(*rows, header=header, rejects=tmp_path / "broken.csv", progress=stop)
    db.session.rollback()
    left = till.imports(*rows, header=header, rejects=tmp_path / "broken.csv")

    assert left.resumed
    assert (left.orders, left.rejected_rows) == (11, 3)
    columns = ("platform_id", "basket", "total", "status", "placed_at")
    assert till.rows("orders", *columns) == whole.rows("orders", *columns)
    assert till.rows("order_adjustment", "lines") == whole.rows("order_adjustment", "lines")
    assert counted(till) == counted(whole)
    assert cells(tmp_path / "broken.csv") == cells(tmp_path / "whole.csv")


# --- what is kept aside ---------------------------------------------------------------------------------


def test_an_order_with_a_bad_row_is_kept_aside_whole_and_the_others_go_in(till: Till) -> None:
    rejects = till.directory / "rejects.csv"
    header = f"{HEADER},email,consent,customer name"
    rows = (
        f"1,{MORNING},KETTLE,1,30.00,ann@example.com,yes,Ann Example",
        f"1,{MORNING},TEA,two,4.50,ann@example.com,yes,Ann Example",
        f"2,{MORNING},TEA,1,4.50,,,",
        "3,02/03/2026,TEA,1,ann@example.com,ann@example.com,yes,Ann Example",
    )

    outcome = till.imports(*rows, header=header, rejects=rejects)

    assert till.baskets() == {"till:2": ["3"]}
    assert (outcome.orders, outcome.rejected_rows, outcome.rejected_orders) == (1, 3, 2)
    assert outcome.examples == {
        3: "quantity: not a number",
        5: "placed_at: not a time of the form ISO 8601",
    }
    assert cells(rejects) == [
        ["line", "reason", "order", "date", "consent", "sku", "qty", "price"],
        ["2", "another row of this order is bad", "1", MORNING, "yes", "KETTLE", "1", "30.00"],
        ["3", "quantity: not a number", "1", MORNING, "yes", "TEA", "two", "4.50"],
        ["5", "placed_at: not a time of the form ISO 8601", "3", "02/03/2026", "yes", "TEA", "1", ""],
    ]
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600


def test_rejects_take_the_place_of_a_file_that_others_could_read(till: Till) -> None:
    rejects = till.directory / "rejects.csv"
    rejects.write_text("old\n")
    os.chmod(rejects, 0o644)  # noqa: PTH101

    till.imports("1,never,TEA,1,4", rejects=rejects)

    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    assert "old" not in rejects.read_text()
    assert sorted(p.name for p in till.directory.iterdir()) == ["rejects.csv", "till.csv"]


def test_orders_whose_rows_do_not_stand_together_are_kept_aside(till: Till) -> None:
    outcome = till.imports(
        f"1,{MORNING},KETTLE,1,30", f"2,{MORNING},TEA,1,4", f"1,{MORNING},TEA,1,4", f"3,{MORNING},TEA,1,4"
    )

    assert till.baskets() == {"till:2": ["3"], "till:3": ["3"]}
    assert outcome.reasons == {"the rows of this order do not stand together": 2}


def test_a_file_of_which_nothing_can_be_taken_is_not_done(till: Till) -> None:
    outcome = till.imports("1,never,TEA,1,4")

    assert (outcome.orders, outcome.rejected_rows) == (0, 1)
    assert imported(till) == []


def test_a_row_that_cannot_be_read_may_belong_to_either_neighbour(till: Till) -> None:
    path = till.writes(f"1,{MORNING},TEA,1,4", "BROKEN", f"2,{MORNING},TEA,1,4", f"3,{MORNING},TEA,1,4")
    path.write_bytes(path.read_bytes().replace(b"BROKEN", b"\xff\xfe"))

    outcome = till.imports(path=path)

    assert till.baskets() == {"till:3": ["3"]}
    assert outcome.reasons == {
        "not in the stated encoding": 1,
        "another row of this order is bad": 1,
        "a row before it cannot be read and may belong to this order": 1,
    }


# --- products -------------------------------------------------------------------------------------------


def test_lines_of_products_that_the_shop_does_not_have_count_for_none(till: Till) -> None:
    outcome = till.imports(
        f"1,{MORNING},KETTLE,1,30",
        f"1,{MORNING},BAG,1,0.10",
        f"2,{MORNING},BAG,1,0.10",
        f"2,{MORNING},,1,5.00",
    )

    assert (outcome.orders, outcome.unknown_lines, outcome.unknown_products) == (2, 2, ["BAG"])
    assert till.baskets() == {"till:1": ["1"], "till:2": []}
    assert till.rows("product", "platform_id") == [(id_,) for id_, _ in GOODS.values()], "no placeholders"
    assert till.rows("orders", "total") == [(510,), (3010,)]


def test_products_are_found_by_id_variant_barcode_and_the_tills_own_codes(till: Till) -> None:
    gtin = replace(variant_state("61"), sku="0-12345 678905")
    small, large = replace(variant_state("71"), sku="CUP"), replace(variant_state("72"), sku="cup ")
    till.hears(product_change("6", gtin), product_change("7", small, large))
    till.hears(product_change("8", replace(variant_state("81"), sku="TWICE")))
    till.hears(product_change("9", replace(variant_state("91"), sku="TWICE")))

    outcome = till.imports(
        f"1,{MORNING},,4,,1,1,",
        f"2,{MORNING},,,,1,1,21",
        f"3,{MORNING},,,0012345678905,1,1,",
        f"4,{MORNING},Cup,,,1,1,",
        f"5,{MORNING},77,,,1,1,",
        f"6,{MORNING},TWICE,,,1,1,",
        f"7,{MORNING},NOTHING,1,,1,1,",
        header="order,date,sku,product_id,barcode,qty,price,variant_id",
        mapping=b'{"product_codes": {"77": "2"}}',
    )

    assert till.rows("order_line", "order_id", "product_id", "variant_platform_id") == [
        ("till:1", "4", None),
        ("till:2", "2", "21"),
        ("till:3", "6", "61"),
        ("till:4", "7", None),
        ("till:5", "2", None),
        ("till:6", None, None),
        ("till:7", "1", None),
    ]
    assert outcome.unknown_products == ["TWICE"]


def test_products_of_another_shop_are_not_found(till: Till) -> None:
    other = new_store()
    alien = product_change("99", replace(variant_state("991"), sku="ALIEN"))
    ingest.apply(db.session.connection(), other.id, [alien])

    outcome = till.imports(
        f"1,{MORNING},ALIEN,1,1,,", f"2,{MORNING},,1,1,99,991", header=f"{HEADER},product_id,variant_id"
    )

    assert (outcome.unknown_lines, till.baskets()) == (2, {"till:1": [], "till:2": []})


def test_a_file_of_another_shop_is_refused_before_anything_is_stored(till: Till) -> None:
    with pytest.raises(ImportFailed, match="none of the first 25 products"):
        till.imports(*(f"{n},{MORNING},ALIEN-{n},1,1" for n in range(25)))
    db.session.rollback()

    assert till.rows("orders", "platform_id") == []


# --- given back, and not sold ---------------------------------------------------------------------------


def test_pieces_given_back_on_the_same_receipt_are_taken_off(till: Till) -> None:
    till.imports(
        f"1,{MORNING},KETTLE,1,30",
        f"1,{MORNING},TEA,3,4",
        f"1,{MORNING},KETTLE,-1,30",
        f"1,{MORNING},TEA,-1,4",
    )

    assert till.baskets() == {"till:1": ["3"]}
    assert till.rows("order_line", "product_id", "quantity", "current_quantity") == [("1", 1, 0), ("3", 3, 2)]
    assert till.rows("orders", "total") == [(800,)]


RETURN_HEADER = "order,date,sku,qty,price,original_order"


@pytest.mark.parametrize("sale_first", [True, False], ids=["sale first", "return first"])
@pytest.mark.parametrize("day", ["2026-03-02", "2026-03-09"], ids=["same day", "a week later"])
def test_a_return_on_another_receipt_takes_back_what_it_names(till: Till, sale_first: bool, day: str) -> None:
    sale = ("1,2026-03-02,KETTLE,1,30,", "1,2026-03-02,TEA,2,4,")
    back = (f"9,{day},KETTLE,-1,30,1", f"9,{day},HONEY,1,6,1")

    for rows in (sale, back) if sale_first else (back, sale):
        outcome = till.imports(*rows, header=RETURN_HEADER)

    assert till.baskets() == {"till:1": ["3"], "till:9": ["4"]}
    assert counted(till) == {"3": 1, "4": 1}
    assert outcome.unmatched_returns == 0
    till.imports(*sale, "2,2026-03-03,HONEY,1,6,", header=RETURN_HEADER)
    assert till.baskets()["till:1"] == ["3"], "what was given back stays so when the sale is stated again"


def test_pieces_given_back_without_their_sale_are_counted_and_change_nothing(till: Till) -> None:
    outcome = till.imports(f"5,{MORNING},KETTLE,-2,30", f"6,{MORNING},KETTLE,-1,30", f"6,{MORNING},TEA,1,4")

    assert (outcome.unmatched_returns, outcome.returns, outcome.orders) == (3, 0, 2)
    assert till.baskets() == {"till:6": ["3"]}


def test_what_is_no_sale_counts_for_nothing(till: Till) -> None:
    till.imports(
        *(f"{n},{MORNING},TEA,1,4,{status}" for n, status in enumerate(
            ["sale", "VOID", "refunded", "parked", "training", "return", "V"])),
        header=f"{HEADER},status",
        mapping=b'{"statuses": {"v": "void"}}',
    )  # fmt: skip

    assert till.rows("orders", "platform_id", "status", "test", "basket") == [
        ("till:0", OrderStatus.COMPLETED, False, ["3"]),
        ("till:1", OrderStatus.CANCELLED, False, []),
        ("till:2", OrderStatus.REFUNDED, False, []),
        ("till:3", OrderStatus.PENDING, False, []),
        ("till:4", OrderStatus.COMPLETED, True, []),
        ("till:6", OrderStatus.CANCELLED, False, []),
    ]


# --- JSON lines -----------------------------------------------------------------------------------------


def test_json_lines_hold_an_order_each(till: Till) -> None:
    path = till.directory / "till.jsonl"
    path.write_text(
        f'{{"order": 1, "placed_at": "{MORNING}", "total": 39, "lines": [{{"sku": "KETTLE", "price": 30.0}},'
        ' {"sku": "TEA", "quantity": 2, "price": 4.5, "email": "bob@example.com"}]}\n'
        f'{{"order": "2", "placed_at": "{MORNING}", "email": "ann@example.com", "lines": [{{"sku": "TEA",'
        ' "quantity": true, "email": "bob@example.com"}]}\n'
        "not json\n"
        f'{{"order": "3", "placed_at": "{MORNING}", "total": 4.5, "currency": "EUR", "lines": [{{"sku": "TEA"}}]}}\n'
    )
    rejects = till.directory / "rejects.csv"

    outcome = till.imports(path=path, form=Form("jsonl"), rejects=rejects)

    assert till.baskets() == {"till:1": ["1", "3"]}
    assert till.rows("orders", "total") == [(3900,)]
    assert outcome.examples == {
        2: "lines.quantity: not a text",
        3: "not a JSON object",
        4: "currency: not the store's, USD; amounts are not converted",
    }
    assert "example.com" not in rejects.read_text()
    assert [row[0] for row in cells(rejects)] == ["line", "2", "3", "4"]


def test_of_several_states_of_an_order_in_one_file_the_newest_counts(till: Till) -> None:
    path = till.directory / "till.jsonl"
    states = [("2026-03-03", "KETTLE"), ("2026-03-05", "TEA"), ("2026-03-04", "HONEY")]
    path.write_text(
        "".join(
            f'{{"order": 1, "placed_at": "2026-03-02", "updated_at": "{day}", "total": 1,'
            f' "lines": [{{"sku": "{sku}"}}]}}\n'
            for day, sku in states
        )
    )

    outcome = till.imports(path=path, form=Form("jsonl"))

    assert (outcome.orders, outcome.rejected_rows) == (3, 0)
    assert till.baskets() == {"till:1": ["3"]}
    assert counted(till) == {"3": 1}
