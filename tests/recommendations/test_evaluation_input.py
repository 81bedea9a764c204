"""Orders and queries of files and of a store, and what is said of those that cannot be used."""

import builtins
import gzip
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from flask import Flask
from pyarrow import parquet

from app.commerce import ingest
from app.core.db import db
from app.recommendations.evaluation import EvaluationError, Question
from app.recommendations.evaluation_input import read_orders, read_queries, store_orders
from tests.factories import CustomerRef, new_store, order_change, product_change


@pytest.fixture
def write(tmp_path):
    """Write a text file and return its path."""

    def written(text, name="lines.csv"):
        path = tmp_path / name
        data = text.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return written


def contents(found):
    """Return each order's time, customer and products."""
    customers = [*found.customer_ids.tolist(), None]
    return [
        (
            int(found.seconds[order]),
            customers[found.customers[order]],
            found.product_ids[found.products[found.indptr[order] : found.indptr[order + 1]]].tolist(),
        )
        for order in range(found.orders)
    ]


CSV = """product_id,order_id,ts,customer_id,note
b,10,1970-01-01T00:01:40,x,"one
more"
a,9,1970-01-01T00:01:40+00:01,,two

a,10,1970-01-01 00:01:40Z,x,three
c,8,100.9,y,four
"""


@pytest.mark.parametrize("name", ["lines.csv", "LINES.CSV", "lines.csv.gz"])
def test_order_lines_of_csv(write, name) -> None:
    found = read_orders(write("\ufeff" + CSV, name))

    assert contents(found) == [(40, None, ["a"]), (100, "x", ["a", "b"]), (100, "y", ["c"])]


def test_order_lines_of_parquet(tmp_path) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    path = tmp_path / "lines.parquet"
    table = {
        "order_id": [10, 9, 10, 8],
        "product_id": ["a", "b", "c", "a"],
        "ts": [at, at, at, at - timedelta(days=1)],
        "customer_id": [5, None, 5, 6],
        "quantity": [1, 2, 0, 1],
        "is_return": [False, False, False, True],
        "name": ["", "", "", ""],
    }
    parquet.write_table(pa.table(table), path)

    # Ids are numbers here: 9 comes before 10.
    seconds = int(at.timestamp())
    assert contents(read_orders(path)) == [(seconds, None, ["b"]), (seconds, "5", ["a"])]


@pytest.mark.parametrize(
    ("value", "second"),
    [
        ("2026-01-01", 1_767_225_600),
        ("2026-01-01T02:00:00+02:00", 1_767_225_600),
        (datetime(2026, 1, 1), 1_767_225_600),  # noqa: DTZ001
        (datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), 1_767_225_600),
        (datetime(2026, 1, 1).date(), 1_767_225_600),  # noqa: DTZ001
        (1_767_225_600.9, 1_767_225_600),
        (-1, -1),
    ],
    ids=["date", "offset", "naive", "aware", "day", "fraction", "before 1970"],
)
def test_times_of_many_kinds(tmp_path, value, second) -> None:
    path = tmp_path / "lines.parquet"
    parquet.write_table(pa.table({"order_id": ["1"], "product_id": ["a"], "ts": [value]}), path)

    assert read_orders(path).seconds.tolist() == [second]


def test_without_times_rows_stand_in_their_order(write) -> None:
    found = read_orders(write("order_id,product_id\n2,b\n1,a\n2,a\n"))

    assert (found.timed, contents(found)) == (False, [(0, None, ["a", "b"]), (1, None, ["a"])])


def test_returns_and_unwanted_products_are_left_out(write) -> None:
    text = "order_id,product_id,quantity,is_return\n" + "".join(
        f"{row},{product},{quantity},{returned}\n"
        for row, (product, quantity, returned) in enumerate(
            [
                ("10a", 1, "False"),
                ("10b", -1, "0"),
                ("10c", 2, "True"),
                ("10d", "", ""),
                ("POST", 1, "no"),
                ("x10", 1, "f"),
            ]
        )
    )

    assert read_orders(write(text), r"\d+").product_ids.tolist() == ["10a", "10d"]
    assert read_orders(write(text)).product_ids.tolist() == ["10a", "10d", "POST", "x10"]


@pytest.mark.parametrize(
    ("text", "name", "products", "sentence"),
    [
        ("order_id,product\n1,a\n", "a.csv", None, "{} lacks the column product_id."),
        ("", "a.csv", None, "{} lacks the column order_id."),
        ("order_id,product_id\n", "a.csv", None, "{} holds no order line to learn from."),
        ("order_id,product_id\n1,a\n", "a.csv", "b", "{} holds no order line to learn from."),
        ("order_id,product_id\n1,a\n,b\n", "a.csv", None, "Row 2 of {} lacks its order_id or product_id."),
        ("order_id,product_id\n1,a\n2\n", "a.csv", None, "Row 2 of {} has 1 values instead of 2."),
        ("order_id,product_id,ts\n1,a,soon\n", "a.csv", None, "Row 1 of {}: 'soon' is no time."),
        ("order_id,product_id,ts\n1,a,nan\n", "a.csv", None, "Row 1 of {}: 'nan' is no time."),
        ("order_id,product_id,quantity\n1,a,x\n", "a.csv", None, "Row 1 of {}: 'x' is no number."),
        ("order_id,product_id\n1,a\n", "a.csv", "(", "'(' is no regular expression: missing )"),
        ("1", "a.txt", None, "{} is neither .parquet nor .csv nor .csv.gz."),
        ("1", "a.parquet", None, "{} is no Parquet file that can be read."),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused(write, text, name, products, sentence) -> None:
    path = write(text, name)

    with pytest.raises(EvaluationError) as refused:
        read_orders(path, products)

    assert str(refused.value).startswith(sentence.format(path))


def test_a_file_that_cannot_be_read_is_refused(tmp_path) -> None:
    latin, plain = tmp_path / "latin.csv", tmp_path / "plain.csv.gz"
    latin.write_bytes(b"order_id,product_id\n1,\xe9\n")
    plain.write_bytes(b"order_id,product_id\n")

    for path, text in (
        (tmp_path / "none.csv", "There is no file"),
        (tmp_path / "none.parquet", "There is no file"),
        (latin, "cannot be read"),
        (plain, "cannot be read"),
    ):
        with pytest.raises(EvaluationError, match=text):
            read_orders(path)


def test_parquet_without_its_reader_is_refused(tmp_path, monkeypatch) -> None:
    imported = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(EvaluationError, match=r"install pannier\[evaluation\]"):
        read_orders(tmp_path / "lines.parquet")


def test_queries_of_csv(write) -> None:
    path = write("anchor,hidden,cart,customer_id,at_epoch_s\na,b,a|c,7,12.5\n,,,,\n")

    assert read_queries(path) == [
        Question(["a", "c"], "a", "b", "7", 12.5),
        Question([], None, None, None, None),
    ]


def test_queries_of_parquet(tmp_path) -> None:
    path = tmp_path / "queries.parquet"
    parquet.write_table(pa.table({"cart": [[1, 2], []], "hidden": ["3", None], "anchor": [2, None]}), path)

    assert read_queries(path) == [Question(["1", "2"], "2", "3"), Question([], None, None)]


def test_queries_need_their_columns(write) -> None:
    with pytest.raises(EvaluationError, match="lacks the column hidden"):
        read_queries(write("cart,anchor\na,a\n"))


def test_orders_of_a_store(shared_app: Flask) -> None:
    with shared_app.app_context():
        store, other, new = new_store(), new_store(), new_store()
        for shop in (store, other):
            ingest.apply(
                db.session.connection(),
                shop.id,
                [
                    *(product_change(product) for product in "abc"),
                    order_change("late", "a", "b", placed=90, customer=CustomerRef("k")),
                    order_change("early", "c", placed=30.5),
                ],
            )
        db.session.commit()
        store_id, new_id = store.id, new.id

        found = store_orders(db.session.connection(), store_id)
        empty = store_orders(db.session.connection(), new_id)
        db.session.rollback()

    (early, nobody, one), (late, somebody, two) = contents(found)
    assert (late - early, nobody, len(one), len(two)) == (60, None, 1, 2)
    assert somebody is not None
    assert len(found.product_ids) == 3
    assert empty.orders == 0
