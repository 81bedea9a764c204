"""What is bought together, found by Pannier and by its peers: one run, same input, same output.

The task: of all pairs of products that stood together in at least two orders, and more often than by chance, the 20 of
each product with the largest log-likelihood ratio, with count, lift and ratio; ties go to more orders, then to the
smaller id. Contestants that only count keep the 20 largest counts instead.

Each contestant runs in a process of its own with the same number of threads to use, reads the same memory-mapped
arrays, and is timed from having read them and compiled what it compiles to having the lists as arrays; of several short
rounds the quickest counts. Peak memory is the process's largest resident set, input included. Who needs too long or too
much is stopped and said to be ``over`` that; who would by a wide margin, going by the size before, is not even started.

``python -m benchmarks.peers --help`` measures this alone. Inputs: the shape of Online Retail II (or a file of real
orders), and synthetic shops of growing size (:mod:`benchmarks.synthetic`).
"""

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.report import Result, print_table

_LEAST: Final = 2
_LIMIT: Final = 20
_SIZES: Final = (100_000, 1_000_000, 10_000_000, 32_000_000)
_SECONDS: Final = 120.0
_OURS_SECONDS: Final = 600.0
_GIGABYTES: Final = 8.0
_THREADS: Final = 2
_PRODUCTS_PER_BLOCK: Final = 500
# Who is quick may go again, the best time counts: a busy machine disturbs short runs most.
_ROUNDS: Final = 3
_SHORT_S: Final = 3.0
# What is expected to take longer than this many limits is not tried.
_HOPELESS: Final = 1.5
_OURS: Final = "pannier"

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Orders(NamedTuple):
    """The input: order ``i`` holds the products ``lines[indptr[i]:indptr[i + 1]]``, numbered without gaps."""

    indptr: Integers
    lines: Integers


class Lists(NamedTuple):
    """The output as parallel arrays in the order of rows, best first: int64, int64, int64, float64, float64."""

    rows: Integers
    others: Integers
    counts: Integers
    lifts: Floats
    llrs: Floats


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who takes part.

    Attributes:
        name: as the table says it.
        package: what is installed of it, for its version.
        prepare: imports and compiles, and returns what does the work with a number of threads.
        only_counts: whether it finds the largest counts instead of the lists.
        bar: how many times Pannier must be faster, on the first input and on the largest shop.
    """

    name: str
    package: str | None
    prepare: Callable[[], Callable[[Orders, int], Lists | None]]
    bar: float | None
    only_counts: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a contestant on an input: seconds and megabytes, or why there are none.

    ``stopped_s`` is after how many seconds it was stopped, if it was for that.
    """

    contestant: str
    lines: int
    seconds: float | None = None
    megabytes: float | None = None
    failure: str | None = None
    stopped_s: float | None = None


# --- contestants ----------------------------------------------------------------------------------------


def _pannier() -> Callable[[Orders, int], Lists]:
    from app.recommendations import ranking
    from app.recommendations.indexing import Baskets

    ranking.warm_up()

    def work(orders: Orders, threads: int) -> Lists:
        baskets = Baskets(orders.indptr, orders.lines, np.zeros(len(orders.indptr) - 1, np.int64))
        found = ranking.strongest_pairs(baskets, _LEAST, _LIMIT, threads)
        rows = np.repeat(found.products, np.diff(found.indptr))
        return Lists(rows, found.others, found.orders, found.lift, found.llr)

    return work


def _scipy() -> Callable[[Orders, int], Lists]:
    from scipy import sparse

    csr_array: Any = sparse.csr_array  # SciPy comes without types

    def work(orders: Orders, _threads: int) -> Lists:
        number = int(orders.lines.max()) + 1
        matrix: Any = csr_array(
            (np.ones(len(orders.lines), np.int32), orders.lines.astype(np.int32), orders.indptr),
            shape=(len(orders.indptr) - 1, number),
        )
        transposed = matrix.T.tocsr()
        held, total = np.diff(transposed.indptr).astype(np.int64), int((np.diff(orders.indptr) > 0).sum())
        parts = []
        for first in range(0, number, _PRODUCTS_PER_BLOCK):
            product = transposed[first : first + _PRODUCTS_PER_BLOCK] @ matrix
            rows = np.repeat(np.arange(first, first + product.shape[0]), np.diff(product.indptr))
            kept = (product.data >= _LEAST) & (rows != product.indices)
            parts.append(best(rows[kept], product.indices[kept], product.data[kept], held, total))
        return Lists(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    return work


def _polars() -> Callable[[Orders, int], Lists]:
    import polars as pl

    def work(orders: Orders, _threads: int) -> Lists:
        number = len(orders.indptr) - 1
        total = int((np.diff(orders.indptr) > 0).sum())
        lines = pl.DataFrame(
            {
                "order": np.repeat(np.arange(number, dtype=np.int32), np.diff(orders.indptr)),
                "product": orders.lines.astype(np.int32),
            }
        ).lazy()
        held = lines.group_by("product").agg(pl.len().cast(pl.Int64).alias("held"))
        pairs = (
            lines.join(lines, on="order", suffix="_2")
            .filter(pl.col("product") < pl.col("product_2"))
            .group_by("product", "product_2")
            .agg(pl.len().cast(pl.Int64).alias("n"))
            .filter(pl.col("n") >= _LEAST)
            .collect(engine="streaming")
            .lazy()
        )
        both = pl.concat([pairs, pairs.select(product="product_2", product_2="product", n="n")])
        n, a, b = pl.col("n"), pl.col("held"), pl.col("held_2")
        k12, k21, k22 = a - n, b - n, total - a - b + n

        def term(k: Any, expected: Any) -> Any:
            return pl.when(k > 0).then(k * (k * total / expected).log()).otherwise(0.0)

        llr = 2 * (
            term(n, a.cast(pl.Float64) * b)
            + term(k12, a.cast(pl.Float64) * (total - b))
            + term(k21, b.cast(pl.Float64) * (total - a))
            + term(k22, (total - a).cast(pl.Float64) * (total - b))
        )
        found = (
            both.join(held, on="product")
            .join(held.rename({"product": "product_2", "held": "held_2"}), on="product_2")
            .filter(n * total > a * b)
            .with_columns(lift=n * total / (a * b), llr=llr)
            .sort("product", "llr", "n", "product_2", descending=[False, True, True, False])
            .group_by("product", maintain_order=True)
            .head(_LIMIT)
            .select("product", "product_2", "n", "lift", "llr")
            .collect()
        )
        return Lists(*(found[name].to_numpy() for name in found.columns))

    return work


_DUCKDB_SQL: Final = f"""
    WITH held AS (SELECT product, count(*) AS held FROM lines GROUP BY product),
    pairs AS (
        SELECT x.product AS one, y.product AS two, count(*) AS n FROM lines x JOIN lines y
        ON x.ordr = y.ordr AND x.product < y.product GROUP BY ALL HAVING n >= {_LEAST}
    ),
    mirrored AS (SELECT one, two, n FROM pairs UNION ALL SELECT two, one, n FROM pairs),
    cells AS (
        SELECT one, two, n, a.held AS a, b.held AS b, $total - a.held AS na, $total - b.held AS nb
        FROM mirrored JOIN held a ON a.product = one JOIN held b ON b.product = two
        WHERE n * $total > a.held * b.held
    ),
    measured AS (
        SELECT one, two, n, n * $total::DOUBLE / (a * b::DOUBLE) AS lift, 2 * (
            n * ln(n * $total::DOUBLE / (a * b::DOUBLE))
            + CASE WHEN a > n THEN (a - n) * ln((a - n) * $total::DOUBLE / (a * nb::DOUBLE)) ELSE 0 END
            + CASE WHEN b > n THEN (b - n) * ln((b - n) * $total::DOUBLE / (b * na::DOUBLE)) ELSE 0 END
            + CASE WHEN nb > a - n THEN (nb - a + n) * ln((nb - a + n) * $total::DOUBLE / (na * nb::DOUBLE)) ELSE 0 END
        ) AS llr FROM cells
    )
    SELECT one, two, n, lift, llr FROM measured
    QUALIFY row_number() OVER (PARTITION BY one ORDER BY llr DESC, n DESC, two) <= {_LIMIT}
    ORDER BY one, llr DESC, n DESC, two
"""


def _duckdb() -> Callable[[Orders, int], Lists]:
    import duckdb

    def work(orders: Orders, threads: int) -> Lists:
        number = len(orders.indptr) - 1
        columns = {
            "ordr": np.repeat(np.arange(number, dtype=np.int32), np.diff(orders.indptr)),
            "product": orders.lines.astype(np.int32),
        }
        database = duckdb.connect(config={"threads": threads})
        database.register("given", columns)
        database.execute("CREATE TEMP TABLE lines AS SELECT * FROM given")
        found = database.execute(_DUCKDB_SQL, {"total": int((np.diff(orders.indptr) > 0).sum())}).fetchnumpy()
        return Lists(*(np.asarray(found[name]) for name in ("one", "two", "n", "lift", "llr")))

    return work


def _pyfim() -> Callable[[Orders, int], Lists]:
    fim: Any = import_module("fim")

    def work(orders: Orders, _threads: int) -> Lists:
        bounds, lines = orders.indptr.tolist(), orders.lines.tolist()
        baskets = [lines[start:end] for start, end in itertools.pairwise(bounds)]
        found = fim.eclat(baskets, target="s", supp=-_LEAST, zmin=2, zmax=2, report="a")
        pairs = np.array([(one, two, n) for (one, two), n in found], dtype=np.int64).reshape(-1, 3)
        rows, others, counts = np.concatenate((pairs, pairs[:, [1, 0, 2]])).T
        held = np.bincount(orders.lines)
        return best(rows, others, counts, held, int((np.diff(orders.indptr) > 0).sum()))

    return work


def _implicit() -> Callable[[Orders, int], None]:
    from scipy import sparse

    csr_matrix: Any = sparse.csr_matrix
    # Neither implicit nor PyFIM comes with types.
    all_pairs_knn: Any = import_module("implicit._nearest_neighbours").all_pairs_knn

    def work(orders: Orders, threads: int) -> None:
        matrix: Any = csr_matrix(
            (np.ones(len(orders.lines)), orders.lines.astype(np.int32), orders.indptr.astype(np.int32)),
            shape=(len(orders.indptr) - 1, int(orders.lines.max()) + 1),
        )
        # One more: the most frequent companion of a product is itself.
        all_pairs_knn(matrix, _LIMIT + 1, num_threads=threads)

    return work


CONTESTANTS: Final = {
    contestant.name: contestant
    for contestant in (
        Contestant(_OURS, None, _pannier, bar=1.0),
        Contestant("implicit, counts only", "implicit", _implicit, bar=1 / 1.5, only_counts=True),
        Contestant("duckdb self-join", "duckdb", _duckdb, bar=5.0),
        Contestant("scipy A.T @ A, row blocks", "scipy", _scipy, bar=10.0),
        Contestant("polars self-join", "polars", _polars, bar=5.0),
        Contestant("pyfim eclat", "pyfim", _pyfim, bar=5.0),
    )
}


def best(rows: Integers, others: Integers, counts: Integers, held: Integers, total: int) -> Lists:
    """Return the best others of each row among directed pairs; ``held`` are the products' orders."""
    from app.recommendations import association

    n = counts.astype(np.int64)
    first, second = held[rows], held[others]
    kept = n * total > first * second
    rows, others, n, first, second = rows[kept], others[kept], n[kept], first[kept], second[kept]
    llrs = association.log_likelihood_ratio(n, first - n, second - n, total - first - second + n)
    order = np.lexsort((others, -n, -llrs, rows))
    starts = np.searchsorted(rows[order], rows[order], side="left")
    order = order[np.arange(len(order)) - starts < _LIMIT]
    lifts = association.lift(n[order], first[order], second[order], total)
    return Lists(rows[order].astype(np.int64), others[order].astype(np.int64), n[order], lifts, llrs[order])


# --- equal outputs --------------------------------------------------------------------------------------


def difference(ours: Lists, theirs: Lists, total: int) -> str | None:
    """Say in what two outputs differ, or None.

    Counts must be equal, lifts equal to 1e-9 and ratios to 1e-9 or to what rounding does to the plain sum over a table
    of ``total`` orders (1e-14 of it). Entries of the same ratio may change places, and take turns in the last places of
    a full list.
    """
    number = int(max(ours.rows.max(initial=0), theirs.rows.max(initial=0))) + 1
    lengths = np.bincount(ours.rows, minlength=number)
    if not np.array_equal(lengths, np.bincount(theirs.rows, minlength=number)):
        return "the lists differ in length"
    both = max(number, int(max(ours.others.max(initial=0), theirs.others.max(initial=0))) + 1)
    _, left, right = np.intersect1d(
        ours.rows * both + ours.others,
        theirs.rows.astype(np.int64) * both + theirs.others,
        return_indices=True,
    )
    if not np.array_equal(ours.counts[left], theirs.counts[right]):
        return "the counts differ"
    if not np.allclose(ours.lifts[left], theirs.lifts[right], rtol=1e-9, atol=0):
        return "the lifts differ"
    slack = 1e-14 * total
    if not np.allclose(ours.llrs[left], theirs.llrs[right], rtol=1e-9, atol=slack):
        return "the log-likelihood ratios differ"
    ends = np.cumsum(lengths)
    for lists, common in ((ours, left), (theirs, right)):
        alone = np.setdiff1d(np.arange(len(lists.rows)), common)
        last = lists.llrs[ends[lists.rows[alone]] - 1]
        tied = np.isclose(lists.llrs[alone], last, rtol=1e-9, atol=slack) & (
            lengths[lists.rows[alone]] == _LIMIT
        )
        if not tied.all():
            return "the lists name different products"
        falling = lists.llrs[1:] <= lists.llrs[:-1] * (1 + 1e-9) + slack
        if not np.all(falling | (lists.rows[1:] != lists.rows[:-1])):
            return "the lists are not sorted"
    return None


# --- one contestant, one process ------------------------------------------------------------------------


def _measure(contestant: Contestant, data: Path, threads: int, gigabytes: float) -> Outcome:
    """Run in the contestant's own process: read, prepare, work, save."""
    limit = int(gigabytes * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    orders = Orders(*(np.load(data / f"{name}.npy", mmap_mode="r") for name in Orders._fields))
    work = contestant.prepare()
    megabytes = 0.0
    rounds: list[float] = []
    while len(rounds) < _ROUNDS and sum(rounds) < _SHORT_S:
        started = time.perf_counter()
        lists = work(orders, threads)
        rounds.append(time.perf_counter() - started)
        megabytes = megabytes or _peak_megabytes()
    if lists is not None:
        np.savez(data / _file_name(contestant), **lists._asdict())
    return Outcome(contestant.name, len(orders.lines), min(rounds), megabytes)


def _peak_megabytes() -> float:
    """Return this process's largest resident set.

    The kernel's own figure, where there is one: ``ru_maxrss`` starts with that of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def _file_name(contestant: Contestant) -> str:
    return f"{contestant.name.split()[0].strip(',')}.npz"


def _compete(contestant: Contestant, data: Path, limits: "Limits", lines: int) -> Outcome:
    """Start a contestant's process, and wait for as long as it may take."""
    threads = str(limits.threads)
    names = ("OMP", "OPENBLAS", "MKL", "NUMBA", "POLARS_MAX")
    variables = {
        f"{name}_NUM_THREADS" if name != "POLARS_MAX" else "POLARS_MAX_THREADS": threads for name in names
    }
    command = [
        sys.executable, "-m", "benchmarks.peers", "--contestant", contestant.name, "--data", str(data),
        "--threads", threads, "--gigabytes", str(limits.gigabytes),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=limits.seconds,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Outcome(contestant.name, lines, failure=f"over {limits.seconds:g} s", stopped_s=limits.seconds)
    if done.returncode == 0:
        return Outcome(**json.loads(done.stdout.splitlines()[-1]))
    if "emory" in done.stderr or done.returncode < 0:
        return Outcome(contestant.name, lines, failure=f"over {limits.gigabytes:g} GB")
    raise RuntimeError(f"{contestant.name} failed: {done.stderr[-2000:]}")


# --- the run --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limits:
    """What every contestant may use on one input: threads, seconds of its process, gigabytes."""

    threads: int = _THREADS
    seconds: float = _SECONDS
    gigabytes: float = _GIGABYTES


def run(
    orders: Path | None = None,
    products: str | None = None,
    sizes: Sequence[int] = _SIZES,
    limits: Limits | None = None,
    wanted: Sequence[str] = (),
) -> Iterator[Result]:
    """Measure all contestants, or those ``wanted`` beside Pannier, on the shop's shape and on growing shops.

    ``orders`` and ``products`` name a file of real orders and what its product ids begin with, a regular expression.
    """
    limits = limits or Limits()
    chosen = [
        c
        for c in CONTESTANTS.values()
        if not wanted or c.name == _OURS or c.name.split()[0].strip(",") in wanted
    ]
    before: dict[str, Outcome] = {}
    for name, make, decides in _inputs(orders, products, sizes):
        with tempfile.TemporaryDirectory(prefix="pannier-peers-") as directory:
            data = Path(directory)
            given = make()
            for field, array in given._asdict().items():
                np.save(data / f"{field}.npy", array)
            lines, total = len(given.lines), int((np.diff(given.indptr) > 0).sum())
            del given
            grows = name.startswith("synthetic")
            outcomes: dict[str, Outcome] = {}
            for contestant in chosen:
                # All others are measured by Pannier, so it is always waited for.
                is_ours = contestant.name == _OURS
                earlier = before.get(contestant.name) if grows and not is_ours else None
                allowed = replace(limits, seconds=max(limits.seconds, _OURS_SECONDS)) if is_ours else limits
                outcome = _hopeless(earlier, lines, limits) or _compete(contestant, data, allowed, lines)
                outcomes[contestant.name] = outcome
                asked = contestant if decides else replace(contestant, bar=None)
                if outcome.seconds is not None and not contestant.only_counts:
                    _check(contestant, data, total)
                yield from _results(
                    name, asked, outcome, outcomes[_OURS], before.get(_OURS) if grows else None
                )
            if grows:
                before = outcomes


def _inputs(
    orders: Path | None, products: str | None, sizes: Sequence[int]
) -> Iterator[tuple[str, Callable[[], Orders], bool]]:
    """Yield each input's name, what makes it, and whether contestants must be beaten there by what is asked."""
    from benchmarks import synthetic
    from benchmarks.learning import synthetic_shop

    def numbered(indptr: Integers, lines: Integers) -> Orders:
        return Orders(indptr, np.unique(lines, return_inverse=True)[1].astype(np.int64))

    def shape() -> Orders:
        baskets = synthetic_shop(np.random.default_rng(2011))
        return numbered(baskets.indptr, baskets.products)

    def real() -> Orders:
        from app.recommendations.evaluation_input import read_orders

        assert orders is not None
        read = read_orders(orders, products)
        return numbered(read.indptr, read.products)

    def grown(size: int) -> Orders:
        baskets = synthetic.shop(size)
        return numbered(baskets.indptr, baskets.products)

    if orders:
        yield orders.stem, real, True
    else:
        yield "shape of Online Retail II", shape, True
    for size in sizes:
        yield f"synthetic, {size / 1e6:g} M lines", partial(grown, size), size == max(sizes)


def _hopeless(earlier: Outcome | None, lines: int, limits: Limits) -> Outcome | None:
    """Return the outcome of who need not be started, going by its outcome on a smaller input of the same kind."""
    if earlier is None or (
        earlier.seconds is not None and earlier.seconds * lines / earlier.lines <= _HOPELESS * limits.seconds
    ):
        return None
    failure = earlier.failure or f"over {limits.seconds:g} s, not tried"
    return Outcome(earlier.contestant, lines, failure=failure)


def _check(contestant: Contestant, data: Path, total: int) -> None:
    if contestant.name == _OURS:
        return
    with (
        np.load(data / _file_name(CONTESTANTS[_OURS])) as ours,
        np.load(data / _file_name(contestant)) as theirs,
    ):
        found = difference(Lists(**ours), Lists(**theirs), total)
    if found:
        raise RuntimeError(f"{contestant.name}: {found}")


def _results(
    name: str, contestant: Contestant, outcome: Outcome, ours: Outcome, smaller: Outcome | None
) -> Iterator[Result]:
    """Return the rows of the table for an outcome."""
    if contestant.name == _OURS:
        if outcome.seconds is None or outcome.megabytes is None:
            raise RuntimeError(f"{name}: {outcome.failure}")
        yield Result(f"{name}: pairs and lists", outcome.seconds, "s")
        yield Result(f"{name}: peak memory", outcome.megabytes, "MB")
        if smaller is not None and smaller.seconds is not None:
            yield Result(
                f"{name}: per line", outcome.seconds / outcome.lines * 1e6, "µs", "the size before",
                smaller.seconds / smaller.lines * 1e6,
                ratio=smaller.seconds / smaller.lines / (outcome.seconds / outcome.lines),
            )  # fmt: skip
        return
    assert ours.seconds is not None
    label = contestant.name
    if outcome.seconds is None:
        # Who was stopped is at least so much slower; more is not known of it.
        least = None if outcome.stopped_s is None else outcome.stopped_s / ours.seconds
        reached = least is not None and contestant.bar is not None and least >= contestant.bar
        yield Result(
            f"{name}: pairs and lists", ours.seconds, "s", f"{label}: {outcome.failure}", outcome.stopped_s,
            ratio=least, bar=contestant.bar if reached else None,
        )  # fmt: skip
        return
    yield Result(
        f"{name}: pairs and lists", ours.seconds, "s", f"{label}, {outcome.megabytes:,.0f} MB", outcome.seconds,
        ratio=outcome.seconds / ours.seconds, bar=contestant.bar,
    )  # fmt: skip


def versions() -> str:
    """Return the peers with their versions, and what they may use, as one line."""
    found = [f"{c.package} {version(c.package)}" for c in CONTESTANTS.values() if c.package]
    return f"{', '.join(found)}; scipy and pyfim use one thread, whatever they may"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the peers alone and print the table; return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description="Measure Pannier and its peers."
    )
    parser.add_argument("--orders", type=Path, metavar="FILE", help="real orders: .parquet, .csv or .csv.gz")
    parser.add_argument("--products", metavar="REGEX", help="what the ids of real goods begin with (any)")
    parser.add_argument(
        "--sizes",
        type=float,
        nargs="*",
        default=_SIZES,
        metavar="LINES",
        help="of synthetic shops (up to 3.2e7)",
    )
    parser.add_argument("--threads", type=int, default=_THREADS, help="for everybody (%(default)s)")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="limit for each (%(default)g)")
    parser.add_argument("--gigabytes", type=float, default=_GIGABYTES, help="limit for each (%(default)g)")
    parser.add_argument("--only", nargs="*", default=(), metavar="PEER", help="first words of their names")
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.contestant:
        outcome = _measure(CONTESTANTS[options.contestant], options.data, options.threads, options.gigabytes)
        print(json.dumps({field: getattr(outcome, field) for field in Outcome.__slots__}))
        return 0
    limits = Limits(options.threads, options.seconds, options.gigabytes)
    print(
        f"{options.threads} threads, at most {limits.seconds:g} s and {limits.gigabytes:g} GB each; {versions()}"
    )
    results = []
    for result in run(
        options.orders, options.products, [int(size) for size in options.sizes], limits, options.only
    ):
        results.append(result)
        against = f"; {result.baseline_name} {result.baseline or 0:.2f}" if result.baseline_name else ""
        print(f"  {result.name}: {result.value:,.2f} {result.unit}{against}", file=sys.stderr)
    print_table(results)
    return int(any(result.verdict == "MISSED" for result in results))


if __name__ == "__main__":
    sys.exit(main())
