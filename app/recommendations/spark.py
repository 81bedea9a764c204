"""Counting one giant store on Spark, with the same result as the rebuild in one process.

Spark adds up products and pairs of baskets and sorts the pairs; that is all it does, with its own operators on
integers. What an order weighs is computed here by :func:`cooccurrence.order_weights`, once for each day
and basket size that occur, and joined to the baskets; what may be shown is chosen here by :func:`ranking.rank`. There
is one formula of each, and neither Python nor Pannier is needed on a cluster's machines.

Driver and executors exchange Parquet files under one directory, which a cluster must share: Spark's JDBC reader would
need PostgreSQL's Java driver, which no Python package brings (see docs/spark.md).

PySpark, PyArrow and Numba are imported in functions only.
"""

import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import Connection

from app.recommendations.cooccurrence import Integers, Neighbours, Parameters, order_weights
from app.recommendations.rebuilding import basket_batches

if TYPE_CHECKING:  # imported in jobs only
    from pyspark.sql import Column, DataFrame, SparkSession

    from app.recommendations.ranking import Block, Gates, ProductTotals

EVERY_CORE: Final = "local[*]"
_OLDEST_JAVA: Final = 17
_BATCHES_PER_FILE: Final = 10
# A row group is what the driver holds of a file of pairs.
_ROW_GROUP_BYTES: Final = 16 * 2**20
_BATCH_ROWS: Final = 65_536
_SECONDS_TO_END: Final = 30


class SparkError(Exception):
    """Spark cannot count.

    ::

        SparkError
        ├── SparkMissing   PySpark or Java is not installed
        ├── OrdersError    the file of orders is not one
        └── SparkFailed    Spark was running, or starting, and failed
    """


class SparkMissing(SparkError):
    """PySpark, PyArrow or a Java runtime that they work with is not installed."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is missing. Install the extra: pip install 'pannier[spark]'; Java {_OLDEST_JAVA} or newer must"
            " be on the PATH or in JAVA_HOME."
        )


class OrdersError(SparkError):
    """The file of orders cannot be read, lacks a column, or holds nothing to learn from."""


class SparkFailed(SparkError):
    """Spark failed."""


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """A :class:`rebuilding.Engine` that counts by Spark. What it returns can be read as long as ``work`` exists.

    Attributes:
        work: an empty directory for the files that driver and executors exchange.
        master: Spark's master: ``local[n]``, ``spark://host:port``, ``yarn``, ``k8s://…``.
        settings: more of Spark's settings, such as ``spark.driver.memory``.
        orders: Parquet to learn from instead of the store's own orders: a file, a directory, or an address that
            Spark can read (see :func:`baskets_of_file`).
    """

    work: Path
    master: str = EVERY_CORE
    settings: Mapping[str, str] = field(default_factory=dict)
    orders: str | None = None

    def __call__(
        self, connection: Connection, store_id: int, parameters: Parameters, gates: "Gates", limit: int
    ) -> "SparkRebuild":
        """Count a store's orders. Spark has ended when this returns.

        Raises:
            OrdersError: if ``orders`` cannot be used.
            SparkFailed: if Spark fails.
        """
        with session(self.work, self.master, self.settings) as spark, _told(self.work):
            if self.orders is None:
                write_baskets(connection, store_id, self.work / "baskets")
                baskets = spark.read.parquet((self.work / "baskets").as_uri())
            else:
                write_catalogue(connection, store_id, self.work / "catalogue")
                catalogue = spark.read.parquet((self.work / "catalogue").as_uri())
                baskets = baskets_of_file(spark, self.orders, catalogue)
            counted = rebuild(parameters, baskets, gates, limit, self.work / "pairs")
        if self.orders is not None and not counted.orders:
            raise OrdersError(f"{self.orders} holds no order with a product of this store.")
        return counted


@contextmanager
def spark_engine(
    directory: Path,
    master: str = EVERY_CORE,
    settings: Mapping[str, str] | None = None,
    orders: str | None = None,
) -> Iterator[SparkEngine]:
    """Check that Spark can be run, and make its work directory in ``directory`` until the rebuild is done.

    Raises:
        SparkMissing: if PySpark, PyArrow or Java is not installed.
    """
    require_spark()
    with _work_directory(directory) as work:
        yield SparkEngine(work, master, settings or {}, orders)


# --- Spark ----------------------------------------------------------------------------------------------


def require_spark() -> None:
    """Check that everything is installed which a session needs.

    Raises:
        SparkMissing: naming what is missing.
    """
    for module, name in (("pyspark", "PySpark"), ("pyarrow", "PyArrow")):
        try:
            __import__(module)
        except ImportError as error:
            raise SparkMissing(name) from error
    if java_version() < _OLDEST_JAVA:
        raise SparkMissing(f"Java {_OLDEST_JAVA}")


def java_version() -> int:
    """Return the version of the Java that Spark would start, 0 where there is none.

    It is asked of ``JAVA_HOME``, else of the ``PATH``, as Spark's own script does.
    """
    home = os.environ.get("JAVA_HOME")
    program = Path(home, "bin", "java") if home else shutil.which("java")
    if not program:
        return 0
    try:
        told = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    except OSError:
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(found[1]) if found else 0


@contextmanager
def session(
    work: Path, master: str = EVERY_CORE, settings: Mapping[str, str] | None = None
) -> "Iterator[SparkSession]":
    """Run a Spark session, and end its Java process with it.

    What Spark has to say goes to ``spark.log`` in the work directory. A local master listens on the loopback
    interface alone, keeps its own files in the work directory, and has no web page.

    Args:
        work: an existing directory for this session alone.
        master: Spark's master.
        settings: more settings; they go before those made here.

    Raises:
        SparkFailed: if Spark does not start.
    """
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    conf = SparkConf(loadDefaults=False)
    conf.setAll(list({**_settings(work, master), **(settings or {})}.items()))
    interrupted = signal.getsignal(signal.SIGINT)
    gateway: Any = None
    try:
        with _log_of(work).open("wb") as out:
            gateway = launch_gateway(conf, {"stdout": out, "stderr": out})
        spark = SparkSession(SparkContext(gateway=gateway, conf=conf))
    except BaseException as error:
        said = _said(error) if gateway else _last_words(work)
        _end(gateway)
        if isinstance(error, (PySparkException, Py4JError)):
            raise SparkFailed(f"Spark did not start: {said}") from error
        raise
    try:
        yield spark
    finally:
        try:
            with suppress(Py4JError):  # it may have died
                spark.stop()
        finally:
            _end(gateway)
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, interrupted)  # SparkContext has put its own in place


def _settings(work: Path, master: str) -> dict[str, str]:
    settings = {
        "spark.app.name": "pannier",
        "spark.master": master,
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.warehouse.dir": (work / "warehouse").as_uri(),
    }
    if master.startswith("local"):
        settings |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.local.dir": str(work / "local"),
            "spark.sql.shuffle.partitions": "32",
        }
    return settings


def _end(gateway: Any) -> None:
    """End the Java process behind a gateway, unless it was there before us (``spark-submit``)."""
    from pyspark import SparkContext

    if SparkContext._gateway is gateway:  # PySpark keeps it for later sessions of the process
        SparkContext._gateway = None
        SparkContext._jvm = None
    process = getattr(gateway, "proc", None)
    if process is None:
        return
    gateway.shutdown()
    process.stdin.close()  # what it ends with
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _work_directory(parent: Path) -> Iterator[Path]:
    """Make a directory for one rebuild and remove it afterwards; a failed one leaves its log in the parent."""
    parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="rebuild-", dir=parent)).absolute()
    try:
        yield work
    except SparkFailed:
        if _log_of(work).exists():
            shutil.copyfile(_log_of(work), parent / "spark.log")
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _log_of(work: Path) -> Path:
    return work / "spark.log"


def _last_words(work: Path) -> str:
    """Return what Java said instead of starting, without what Spark's script makes of it."""
    lines = _log_of(work).read_text(errors="replace").split("\n")
    told = [line.strip() for line in lines if line.strip() and "spark-class" not in line]
    return " ".join(told[:3]) or "it says nothing."


def _said(error: BaseException) -> str:
    """Return the sentence in an error; what Java threw stands in the second line of Py4J's, after a colon."""
    lines = [line.strip() for line in str(error).split("\n") if line.strip()] or [type(error).__name__]
    return next((line.removeprefix(": ") for line in lines if line.startswith(": ")), lines[0])


@contextmanager
def _told(work: Path) -> Iterator[None]:
    """Turn Spark's failures into sentences; its log, kept beside the work directory, has the rest."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise SparkFailed(f"Spark failed, see {work.parent / 'spark.log'}: {_said(error)}") from error


# --- what Spark reads -----------------------------------------------------------------------------------


def write_baskets(
    connection: Connection, store_id: int, directory: Path, batches_per_file: int = _BATCHES_PER_FILE
) -> None:
    """Write a store's baskets to Parquet files, a batch of orders (some thousands) after the other.

    The columns are ``day`` (int32, days since 1970-01-01 UTC) and ``products`` (a list of int64, internal ids). What is
    in memory is one file's, however many there are. There is a file even if there is no order.
    """
    import pyarrow as pa
    from pyarrow import parquet

    directory.mkdir()
    schema = pa.schema([("day", pa.int32()), ("products", pa.list_(pa.int64()))])
    batches = basket_batches(connection, store_id)
    for number in itertools.count():
        tables = [
            pa.table(
                [
                    pa.array(batch.days.astype(np.int32)),
                    pa.ListArray.from_arrays(batch.indptr.astype(np.int32), batch.products),
                ],
                schema,
            )
            for batch in itertools.islice(batches, batches_per_file)
        ]
        if not tables and number:
            return
        table = pa.concat_tables(tables) if tables else schema.empty_table()
        parquet.write_table(table, directory / f"part-{number:05}.parquet")


def write_catalogue(connection: Connection, store_id: int, directory: Path) -> None:
    """Write which internal id belongs to which platform id: ``product`` (int64) and ``platform_id`` (string)."""
    import pyarrow as pa
    from pyarrow import parquet

    directory.mkdir()
    rows = connection.exec_driver_sql(
        "SELECT id, platform_id FROM product WHERE store_id = %(store)s", {"store": store_id}
    ).all()
    table = pa.table(
        {
            "product": pa.array([row[0] for row in rows], pa.int64()),
            "platform_id": pa.array([row[1] for row in rows], pa.string()),
        }
    )
    parquet.write_table(table, directory / "part-00000.parquet")


def baskets_of_file(spark: "SparkSession", orders: str, catalogue: "DataFrame") -> "DataFrame":
    """Return the baskets of order lines in Parquet, with internal ids, as :func:`write_baskets` has them.

    The Parquet has ``order_id``, ``product_id`` (the platform's), and either ``day`` (a date, or days since 1970-01-01)
    or ``ts`` (a time, ISO 8601 or Unix; UTC unless it says otherwise). Rows whose ``is_return`` is true or whose
    ``quantity`` is not positive are no sales and left out; so are products that the catalogue does not have, as
    they are when a shop's own orders are taken in. An order is of the day of its first line.

    Raises:
        OrdersError: if it cannot be read or lacks a column.
    """
    from pyspark.errors import AnalysisException
    from pyspark.sql import functions as F  # noqa: N812

    try:
        frame = spark.read.parquet(orders if "://" in orders else Path(orders).absolute().as_uri())
    except AnalysisException as error:
        raise OrdersError(f"{orders} cannot be read as Parquet.") from error
    types = dict(frame.dtypes)
    absent = [name for name in ("order_id", "product_id") if name not in types]
    if not types.keys() & {"day", "ts"}:
        absent.append("day or ts")
    if absent:
        raise OrdersError(f"{orders} lacks the column {', '.join(absent)}.")
    if "is_return" in types:
        frame = frame.where(~F.coalesce(F.col("is_return").cast("boolean"), F.lit(False)))
    if "quantity" in types:
        frame = frame.where(F.coalesce(F.col("quantity").cast("double"), F.lit(1.0)) > 0)
    day = _day("day", types["day"], F.col("day")) if "day" in types else _day("ts", types["ts"], F.col("ts"))
    lines = frame.select(
        F.col("order_id").alias("order"),
        day.alias("day"),
        F.col("product_id").cast("string").alias("platform_id"),
    )
    return (
        lines.where(F.col("order").isNotNull())
        .join(catalogue, "platform_id")
        .groupBy("order")
        .agg(F.min("day").alias("day"), F.collect_set("product").alias("products"))
        .drop("order")
    )


def _day(name: str, kind: str, column: "Column") -> "Column":
    """Return a column of days, or of times, as the day number."""
    from pyspark.sql import functions as F  # noqa: N812

    if kind in {"tinyint", "smallint", "int", "bigint"}:
        if name == "day":
            return column.cast("int")
        column = F.timestamp_seconds(column)
    return F.unix_date(
        column.cast("date") if kind in {"date", "timestamp_ntz"} else F.to_date(column.cast("timestamp"))
    )


# --- counting -------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class SparkRebuild:
    """A store's counts as Spark made them; reads like :class:`ranking.Rebuild`, whose attributes these are.

    Attributes:
        orders: how many baskets were learned.
        products: int64[p], every product in them, sorted.
        product_orders: int64[p], baskets with the product.
        product_weights: int64[p], the sum of those baskets' pair weights.
        product_popularity: int64[p], the sum of those baskets' popularity weights.
    """

    orders: int
    products: Integers
    product_orders: Integers
    product_weights: Integers
    product_popularity: Integers
    _pairs: Path
    _gates: "Gates"
    _limit: int
    _block: int

    def totals(self) -> "ProductTotals":
        """Return what :func:`ranking.rank` needs to know of the products."""
        from app.recommendations.ranking import ProductTotals

        return ProductTotals(self.products, self.product_orders, self.product_weights)

    def blocks(self) -> "Iterator[Block]":
        """Yield the pair counts and rankings of all products that have neighbours, in the order of ids.

        May be called again, as long as the files of pairs are there.
        """
        from app.recommendations.ranking import Block, rank

        totals = self.totals()
        for neighbours in _neighbours(self._pairs, self._block):
            yield Block(neighbours, rank(neighbours, self.orders, totals, self._gates, self._limit))


def rebuild(
    parameters: Parameters,
    baskets: "DataFrame",
    gates: "Gates",
    limit: int,
    pairs: Path,
    block: int = 1_000_000,
) -> SparkRebuild:
    """Count a store's orders anew; the same numbers as :func:`ranking.rebuild` returns.

    The driver holds what is known per product, and 24 bytes per entry of a block and of the longest row.

    Args:
        parameters: what an order is worth; baskets above the cap are left out.
        baskets: every order of the store: ``day`` (int) and ``products`` (an array of bigint).
        gates: what may be shown.
        limit: how many others to keep of each product.
        pairs: a directory, not yet there, that the sums of pairs are written to and read from.
        block: how many pair entries a block should hold; a single product's row is never split.
    """
    from pyspark import StorageLevel

    learned = _learned(baskets, parameters.basket_cap).persist(StorageLevel.MEMORY_AND_DISK)
    try:
        orders, weights = _weights(parameters, learned)
        weighted = learned.join(weights, ["day", "size"])
        totals = _totals(weighted)
        ordered = _pairs(weighted).orderBy("product", "other")
        ordered.write.option("parquet.block.size", _ROW_GROUP_BYTES).parquet(pairs.as_uri())
    finally:
        learned.unpersist()
    return SparkRebuild(
        orders=orders,
        products=totals["product"],
        product_orders=totals["orders"],
        product_weights=totals["weight"],
        product_popularity=totals["popularity"],
        _pairs=pairs,
        _gates=gates,
        _limit=limit,
        _block=block,
    )


def _learned(baskets: "DataFrame", cap: int) -> "DataFrame":
    """Return the baskets of one to ``cap`` distinct products: ``day``, sorted ``products``, ``size``."""
    from pyspark.sql import functions as F  # noqa: N812

    distinct = baskets.select("day", F.array_sort(F.array_distinct("products")).alias("products"))
    return distinct.withColumn("size", F.size("products")).where(F.col("size").between(1, cap))


def _weights(parameters: Parameters, baskets: "DataFrame") -> "tuple[int, DataFrame]":
    """Return how many baskets there are, and what one of each day and size weighs, small enough to be sent to all."""
    import pyarrow as pa
    from pyspark.sql import functions as F  # noqa: N812

    kinds = _columns(baskets.groupBy("day", "size").agg(F.count(F.lit(1)).alias("orders")))
    weight, popularity = order_weights(parameters, kinds["day"], kinds["size"])
    table = pa.table(
        {
            "day": kinds["day"].astype(np.int32),
            "size": kinds["size"].astype(np.int32),
            "weight": weight,
            "popularity": popularity,
        }
    )
    return int(kinds["orders"].sum()), F.broadcast(baskets.sparkSession.createDataFrame(table))


def _totals(weighted: "DataFrame") -> dict[str, Integers]:
    """Return each product's ``orders``, ``weight`` and ``popularity``, sorted by ``product``."""
    from pyspark.sql import functions as F  # noqa: N812

    return _columns(
        weighted.select(F.explode("products").alias("product"), "weight", "popularity")
        .groupBy("product")
        .agg(
            F.count(F.lit(1)).alias("orders"),
            F.sum("weight").alias("weight"),
            F.sum("popularity").alias("popularity"),
        )
        .orderBy("product")
    )


def _pairs(weighted: "DataFrame") -> "DataFrame":
    """Return ``orders`` and ``weight`` of every directed pair of ``product`` and ``other``.

    Each basket gives its pairs by itself: no join, and none of the lines of a product that everybody buys meet on one
    machine. Sums are made of undirected pairs, which halves what is shuffled; the pair, not the product, is the key,
    so a best seller's pairs lie on all machines.
    """
    from pyspark.sql import functions as F  # noqa: N812

    placed = weighted.select(F.posexplode("products").alias("place", "product"), "products", "size", "weight")
    later = F.slice("products", F.col("place") + 2, F.col("size"))
    summed = (
        placed.select("product", F.explode(later).alias("other"), "weight")
        .groupBy("product", "other")
        .agg(F.count(F.lit(1)).alias("orders"), F.sum("weight").alias("weight"))
    )
    there = F.struct(F.col("product"), F.col("other"))
    back = F.struct(F.col("other").alias("product"), F.col("product").alias("other"))
    return summed.select("orders", "weight", F.inline(F.array(there, back)))


def _columns(frame: "DataFrame") -> dict[str, Integers]:
    """Return a small result as int64 arrays."""
    table = frame.toArrow()
    return {name: table[name].to_numpy().astype(np.int64) for name in table.column_names}


# --- what Spark wrote -----------------------------------------------------------------------------------


def _neighbours(pairs: Path, block: int) -> Iterator[Neighbours]:
    """Yield sorted pairs as whole rows, about ``block`` entries at a time."""
    held: list[Integers] = []
    entries = 0
    for rows in _batches(pairs):
        held.append(rows)
        entries += rows.shape[1]
        if entries < block:
            continue
        together = np.concatenate(held, axis=1)
        # The last product may go on in the next batch.
        whole = int(np.searchsorted(together[0], together[0, -1]))
        if whole:
            yield _rows(together[:, :whole])
        held, entries = [together[:, whole:]], together.shape[1] - whole
    if entries:
        yield _rows(np.concatenate(held, axis=1))


def _batches(pairs: Path) -> Iterator[Integers]:
    """Yield int64[4, n]: ``product``, ``other``, ``orders`` and ``weight`` of the sorted pairs."""
    from pyarrow import parquet

    names = ["product", "other", "orders", "weight"]
    for path in sorted(pairs.glob("part-*.parquet")):  # part numbers follow the sorting
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=names):
                if batch.num_rows:
                    yield np.stack([batch[name].to_numpy() for name in names])


def _rows(sorted_pairs: Integers) -> Neighbours:
    product, other, orders, weight = (np.ascontiguousarray(column) for column in sorted_pairs)
    starts = np.flatnonzero(np.append(True, product[1:] != product[:-1]))
    return Neighbours(product[starts], np.append(starts, len(product)), other, orders, weight)
