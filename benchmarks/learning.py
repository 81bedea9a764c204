"""Learning: the whole rebuild and the increments, against SciPy and plain Python of the same run.

``python -m benchmarks.learning [--orders FILE]`` measures on FILE, which is either an ``.npz`` with the arrays
``indptr``, ``products`` and ``days`` of :class:`app.recommendations.indexing.Baskets`, or a CSV (``.csv``,
``.csv.gz``) with the columns ``order_id``, ``product_id`` and ``placed_at`` (ISO 8601). Without a file it
measures on a synthetic shop of the shape of Online Retail II: a million lines in 39,516 baskets, a few of them
huge, about 47 million pairs.
"""

import argparse
import csv
import gzip
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from app.recommendations import ranking
from app.recommendations.cooccurrence import Contribution, Parameters, increment, order_weights, pack, unpack
from app.recommendations.indexing import Baskets
from app.recommendations.ranking import Gates, Ranked, rebuild, strongest_pairs
from benchmarks.report import Result, print_table

_ROUNDS: Final = 3
_LONG_S: Final = 5.0
_LIMIT: Final = 20
_LEAST: Final = 2
_BATCH: Final = 200
_BATCHES: Final = 5
_CAP: Final = 100
_UNCAPPED: Final = 10**9
_DAY_SECONDS: Final = 86_400

# SciPy comes without types.
_csr_array: Final[Any] = sparse.csr_array

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def run(baskets: Baskets | None = None) -> list[Result]:
    """Measure on ``baskets``, or on the synthetic shop; see the module for what is compared."""
    baskets = baskets or synthetic_shop(np.random.default_rng(2011))
    ranking.warm_up()
    return [*_strongest(baskets), *_rebuild(baskets), _increments(baskets), _folding(baskets)]


# --- the whole history ----------------------------------------------------------------------------------


def _strongest(baskets: Baskets) -> list[Result]:
    """Compare the fused kernel with two ways to rank SciPy's product; all give the same lists."""
    seconds, outputs = _alternate(
        {
            "ours": lambda: strongest_pairs(baskets, _LEAST, _LIMIT),
            "sorted": lambda: _scipy_strongest(baskets, _best_by_sorting),
            "selected": lambda: _scipy_strongest(baskets, _best_by_selecting),
        }
    )
    for name in ("sorted", "selected"):
        _same_lists(outputs["ours"], outputs[name], "llr")
    lines = len(baskets.products)
    return [
        Result(
            name=f"strongest pairs, {_LIMIT} a product", value=lines / seconds["ours"], unit="lines/s",
            baseline_name=label, baseline=lines / seconds[name], ratio=seconds[name] / seconds["ours"], bar=bar,
        )
        for name, label, bar in (
            ("sorted", "scipy A.T @ A, sorted", 8.0),
            ("selected", "scipy A.T @ A, tuned selection", None),
        )
    ]  # fmt: skip


def _rebuild(baskets: Baskets) -> list[Result]:
    """Compare the rebuild as the product runs it, counts of all pairs included, with the same by SciPy."""
    half = max(float(baskets.days.max() - baskets.days.min()) / 2, 1.0)
    parameters = Parameters(int(baskets.days.max()), half, _UNCAPPED)

    def ours() -> tuple[int, list[Ranked]]:
        entries, ranked = 0, []
        for block in rebuild(parameters, baskets, Gates(), _LIMIT).blocks():
            entries += len(block.neighbours.others)
            ranked.append(block.ranked)
        return entries, ranked

    def packed() -> int:
        blocks = rebuild(parameters, baskets, Gates(), _LIMIT).blocks()
        return sum(len(segment) for block in blocks for _, segment in pack(block.neighbours))

    seconds, outputs = _alternate(
        {
            "ours": ours,
            "packed": packed,
            "sorted": lambda: _scipy_rebuild(parameters, baskets, _best_by_sorting),
            "selected": lambda: _scipy_rebuild(parameters, baskets, _best_by_selecting),
        }
    )
    entries, ranked = outputs["ours"]
    for name in ("sorted", "selected"):
        counted, lists = outputs[name]
        if counted != entries:
            raise RuntimeError(f"{entries} pairs were rebuilt, {counted} by SciPy")
        _same_lists(_joined(ranked), lists, "score")
    lines = len(baskets.products)
    results = [
        Result(
            name="rebuild, all pair counts and lists", value=lines / seconds["ours"], unit="lines/s",
            baseline_name=label, baseline=lines / seconds[name], ratio=seconds[name] / seconds["ours"], bar=bar,
        )
        for name, label, bar in (
            ("sorted", "scipy A.T @ A, sorted", 8.0),
            ("selected", "scipy A.T @ A, tuned selection", 8.0),
        )
    ]  # fmt: skip
    return [*results, Result("rebuild, packed for storage", lines / seconds["packed"], "lines/s")]


class _Matrix(NamedTuple):
    """Baskets as a sparse matrix, and what every measure needs."""

    products: Integers
    held: Integers
    orders: int
    baskets: Any
    sizes: Integers


class _Pairs(NamedTuple):
    """Directed pairs in row order, with their places in the products."""

    rows: Integers
    columns: Integers
    orders: Integers
    weights: Integers | None = None

    def where(self, kept: npt.NDArray[Any]) -> "_Pairs":
        """Return some of the pairs."""
        weights = None if self.weights is None else self.weights[kept]
        return _Pairs(self.rows[kept], self.columns[kept], self.orders[kept], weights)


_Choose = Callable[[_Pairs, Floats, int], Integers]


def _matrix(baskets: Baskets) -> _Matrix:
    sizes = np.diff(baskets.indptr)
    products = np.unique(baskets.products)
    places = np.searchsorted(products, baskets.products).astype(np.int32)
    shape = (len(sizes), len(products))
    ones = np.ones(len(places), dtype=np.int32)
    matrix = _csr_array((ones, places, baskets.indptr), shape=shape)
    held = np.bincount(places, minlength=len(products))
    return _Matrix(products, held, int(np.count_nonzero(sizes)), matrix, sizes)


def _pairs_of(product: Any) -> tuple[_Pairs, npt.NDArray[np.bool_]]:
    """Return the entries of a square sparse matrix, and which of them are off the diagonal."""
    rows = np.repeat(np.arange(product.shape[0], dtype=np.int32), np.diff(product.indptr))
    return _Pairs(rows, product.indices, product.data), rows != product.indices


def _scipy_strongest(baskets: Baskets, choose: _Choose) -> Ranked:
    """Return what :func:`strongest_pairs` returns, from the whole product and array passes over it."""
    matrix = _matrix(baskets)
    product = matrix.baskets.T.tocsr() @ matrix.baskets
    pairs, different = _pairs_of(product)
    pairs = pairs.where(different & (pairs.orders >= _LEAST))
    lift = _lift(matrix, pairs)
    positive = lift > 1
    pairs, lift = pairs.where(positive), lift[positive]
    llr = _llr(matrix, pairs)
    return _lists(matrix, pairs, lift, llr, llr, choose)


def _scipy_rebuild(parameters: Parameters, baskets: Baskets, choose: _Choose) -> tuple[int, Ranked]:
    """Return the number of pair counts and the lists of a rebuild, from two whole products."""
    matrix = _matrix(baskets)
    weights, _ = order_weights(parameters, baskets.days, matrix.sizes)
    transposed = matrix.baskets.T.tocsr()
    product = transposed @ matrix.baskets
    weighted = transposed.astype(np.int64) @ matrix.baskets.multiply(weights[:, np.newaxis]).tocsr()
    product.sort_indices()
    weighted.sort_indices()
    diagonal = weighted.diagonal().astype(np.float64)
    pairs, different = _pairs_of(product)
    pairs = pairs._replace(weights=weighted.data).where(different)
    entries = len(pairs.rows)
    gates = Gates()
    pairs = pairs.where(pairs.orders >= gates.min_orders)
    lift = _lift(matrix, pairs)
    kept = lift >= gates.min_lift
    pairs, lift = pairs.where(kept), lift[kept]
    llr = _llr(matrix, pairs)
    kept = llr >= gates.min_llr
    pairs, lift, llr = pairs.where(kept), lift[kept], llr[kept]
    page, other = diagonal**-ranking.PAGE_EXPONENT, diagonal**-ranking.OTHER_EXPONENT
    score = pairs.weights * (page[pairs.rows] * other[pairs.columns])
    return entries, _lists(matrix, pairs, lift, llr, score, choose)


def _lift(matrix: _Matrix, pairs: _Pairs) -> Floats:
    both = pairs.orders.astype(np.float64) * matrix.orders
    lift: Floats = both / (matrix.held[pairs.rows] * matrix.held[pairs.columns])
    return lift


def _llr(matrix: _Matrix, pairs: _Pairs) -> Floats:
    """Return G² as entropies, with ``k ln k`` from a table: the quickest way in array passes."""
    counts = np.arange(matrix.orders + 1, dtype=np.float64)
    table = counts * np.log(np.maximum(counts, 1))
    margin = table + table[::-1]
    both, first, second = pairs.orders, matrix.held[pairs.rows], matrix.held[pairs.columns]
    cells = (
        table[both]
        + table[first - both]
        + table[second - both]
        + table[matrix.orders - first - second + both]
    )
    llr: Floats = 2 * (cells - margin[first] - margin[second] + table[-1])
    return llr


def _best_by_sorting(pairs: _Pairs, score: Floats, limit: int) -> Integers:
    """Return the best entries of each row: sort everything, number the rows through, cut."""
    order = np.lexsort((-score, pairs.rows))
    rows = pairs.rows[order]
    starts = np.searchsorted(rows, rows, side="left")
    return order[np.arange(len(order)) - starts < limit]


def _best_by_selecting(pairs: _Pairs, score: Floats, limit: int) -> Integers:
    """Return the best entries of each row: partition row by row, and sort only what remains."""
    bounds = np.searchsorted(pairs.rows, np.arange(int(pairs.rows[-1]) + 2)) if len(pairs.rows) else [0]
    chosen = [np.empty(0, dtype=np.int64)]
    for start, end in pairwise(bounds):
        row = score[start:end]
        best = np.argpartition(row, len(row) - limit)[-limit:] if len(row) > limit else np.arange(len(row))
        chosen.append(start + best[np.lexsort((pairs.columns[start + best], -row[best]))])
    return np.concatenate(chosen)


def _lists(
    matrix: _Matrix, pairs: _Pairs, lift: Floats, llr: Floats, score: Floats, choose: _Choose
) -> Ranked:
    best = choose(pairs, score, _LIMIT)
    chosen = pairs.where(best)
    lengths = np.bincount(chosen.rows, minlength=len(matrix.products))
    return Ranked(
        products=matrix.products,
        indptr=np.concatenate(([0], np.cumsum(lengths))),
        others=matrix.products[chosen.columns],
        orders=chosen.orders.astype(np.int64),
        confidence=chosen.orders / matrix.held[chosen.rows],
        lift=lift[best],
        llr=llr[best],
        score=score[best],
    )


def _joined(parts: Sequence[Ranked]) -> Ranked:
    """Return consecutive blocks of lists as one."""
    lengths = np.concatenate([np.diff(part.indptr) for part in parts])
    columns = ("products", "others", "orders", "confidence", "lift", "llr", "score")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    return Ranked(indptr=np.concatenate(([0], np.cumsum(lengths))), **joined)


def _same_lists(ours: Ranked, theirs: Ranked, by: str) -> None:
    """Refuse a comparison of different results; only entries of equal worth may stand in another order.

    Raises:
        RuntimeError: if the lists differ in length, in the figures they are sorted by, or in what they name.
    """
    lengths = dict(zip(theirs.products.tolist(), np.diff(theirs.indptr).tolist(), strict=True))
    rows = dict(zip(ours.products.tolist(), np.diff(ours.indptr).tolist(), strict=True))
    if {p: n for p, n in lengths.items() if n} != {p: n for p, n in rows.items() if n}:
        raise RuntimeError("the lists differ in length")
    figures = getattr(ours, by)
    if not np.allclose(figures, getattr(theirs, by), rtol=1e-7):
        raise RuntimeError(f"the lists differ in {by}")
    agree = (ours.others == theirs.others) & (ours.orders == theirs.orders)
    agree &= np.isclose(ours.lift, theirs.lift) & np.isclose(ours.llr, theirs.llr, rtol=1e-6)
    equal = np.isclose(figures[1:], figures[:-1], rtol=1e-7)
    tied = np.append(equal, False) | np.insert(equal, 0, False)
    # The last place may be shared with an entry that found no room.
    tied[ours.indptr[1:][np.diff(ours.indptr) > 0] - 1] = True
    if not np.all(agree | tied):
        raise RuntimeError(f"{np.count_nonzero(~(agree | tied))} of {len(agree)} entries differ")


# --- order by order -------------------------------------------------------------------------------------


def _increments(baskets: Baskets) -> Result:
    """Compare increments, packed for storage, with counting pairs in a dictionary."""
    parameters, batches = _batches(baskets)
    seconds, _ = _alternate(
        {
            "ours": lambda: [pack(increment(parameters, batch).neighbours) for batch in batches],
            "python": lambda: [_count_in_python(parameters, batch) for batch in batches],
        }
    )
    orders = sum(len(batch) for batch in batches)
    return Result(
        name=f"increments, {_BATCH} orders a batch", value=orders / seconds["ours"], unit="orders/s",
        baseline_name="Python Counter", baseline=orders / seconds["python"],
        ratio=seconds["python"] / seconds["ours"],
    )  # fmt: skip


def _folding(baskets: Baskets) -> Result:
    """Time the reading back: the sum of all batches' segments, ranked."""
    parameters, batches = _batches(baskets)
    segments = [row for batch in batches for row in pack(increment(parameters, batch).neighbours)]
    whole = increment(parameters, [order for batch in batches for order in batch])
    totals = ranking.ProductTotals(whole.products, whole.product_orders, whole.product_weights)
    seconds, outputs = _alternate(
        {"ours": lambda: ranking.rank(unpack(segments), whole.orders, totals, Gates(), _LIMIT)}
    )
    return Result(
        "stored segments summed and ranked", len(outputs["ours"].products) / seconds["ours"], "products/s"
    )


def _batches(baskets: Baskets) -> tuple[Parameters, list[list[Contribution]]]:
    """Return the latest orders that are small enough to learn, as they would arrive."""
    parameters = Parameters(int(baskets.days.max()), 180.0, _CAP)
    sizes = np.diff(baskets.indptr)
    latest = np.flatnonzero((sizes > 0) & (sizes <= _CAP))[-_BATCH * _BATCHES :].tolist()
    orders = [
        Contribution(
            baskets.products[baskets.indptr[i] : baskets.indptr[i + 1]].tolist(), int(baskets.days[i]), 1
        )
        for i in latest
    ]
    return parameters, [orders[start : start + _BATCH] for start in range(0, len(orders), _BATCH)]


def _count_in_python(parameters: Parameters, batch: Sequence[Contribution]) -> int:
    orders: Counter[tuple[int, int]] = Counter()
    weights: Counter[tuple[int, int]] = Counter()
    days, sizes = [order.day for order in batch], [len(order.basket) for order in batch]
    for order, weight in zip(batch, order_weights(parameters, days, sizes)[0].tolist(), strict=True):
        for pair in permutations(order.basket, 2):
            orders[pair] += order.sign
            weights[pair] += order.sign * weight
    return len(orders) + len(weights)


# --- measuring ------------------------------------------------------------------------------------------


def _alternate(contestants: dict[str, Callable[[], Any]]) -> tuple[dict[str, float], dict[str, Any]]:
    """Run all contestants in turn, several rounds; return median seconds and the last outputs by name.

    Who has taken long already is not asked again: a busy machine disturbs short runs most.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    outputs: dict[str, Any] = {}
    for _ in range(_ROUNDS):
        for name, contestant in contestants.items():
            if sum(seconds[name]) >= _LONG_S:
                continue
            outputs.pop(name, None)
            started = time.perf_counter()
            outputs[name] = contestant()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in seconds.items()}, outputs


# --- orders to measure on -------------------------------------------------------------------------------


def synthetic_shop(
    chance: np.random.Generator, orders: int = 39_516, products: int = 5_100, days: int = 738
) -> Baskets:
    """Return a shop of the shape of Online Retail II.

    Basket sizes are log-normal with median 15; one order in 1,000 is a reseller's, of 400 to 1,106 products.
    Half of a basket's lines come from the themes it is about, of 60 products each, and half from the whole
    catalogue; popularity follows a Zipf-Mandelbrot law that is cut off for the slowest sellers.
    """
    sizes = np.clip(np.rint(chance.lognormal(np.log(15), 1.05, orders)), 1, 400).astype(np.int64)
    resellers = chance.choice(orders, orders // 1000, replace=False)
    sizes[resellers] = chance.integers(400, 1107, size=len(resellers))
    rank_ = np.arange(products)
    popularity = (rank_ + 20.0) ** -0.4 * np.exp(-rank_ / 1400)
    themes = -(-products // 60)
    theme_of = chance.permutation(products) % themes
    by_theme = np.argsort(theme_of, kind="stable")
    theme_starts = np.searchsorted(theme_of[by_theme], np.arange(themes + 1))
    everywhere, within = np.cumsum(popularity), np.concatenate(([0.0], np.cumsum(popularity[by_theme])))
    first_theme = chance.integers(themes, size=orders)

    keys = np.empty(0, dtype=np.int64)
    missing = sizes
    for _ in range(40):
        owners = np.repeat(np.arange(orders), missing)
        spread = (1 + sizes[owners] // 15) * chance.random(len(owners))
        theme = (first_theme[owners] + spread.astype(np.int64)) % themes
        low, high = within[theme_starts[theme]], within[theme_starts[theme + 1]]
        themed = by_theme[
            np.searchsorted(within, low + (high - low) * chance.random(len(owners)), "right") - 1
        ]
        anywhere = np.searchsorted(everywhere, everywhere[-1] * chance.random(len(owners)), "right")
        drawn = np.where(chance.random(len(owners)) < 0.5, themed, np.minimum(anywhere, products - 1))
        keys = np.unique(np.concatenate((keys, owners * products + drawn)))
        missing = sizes - np.bincount(keys // products, minlength=orders)
        if not missing.any():
            break
    return Baskets(
        indptr=np.concatenate(([0], np.cumsum(np.bincount(keys // products, minlength=orders)))),
        products=1000 + keys % products,
        days=14_579 + np.sort(chance.integers(days, size=orders)),
    )


def load_orders(path: Path) -> Baskets:
    """Read baskets from an ``.npz`` or a CSV, see the module.

    Raises:
        ValueError: if the file has another ending, or lacks a column.
    """
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return Baskets(arrays["indptr"], arrays["products"], arrays["days"])
    if not path.name.endswith((".csv", ".csv.gz")):
        raise ValueError(f"neither .npz nor .csv nor .csv.gz: {path}")
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    reader = csv.DictReader(text.splitlines())
    missing = {"order_id", "product_id", "placed_at"} - set(reader.fieldnames or ())
    if missing:
        raise ValueError(f"columns missing in {path}: {', '.join(sorted(missing))}")
    rows = [(row["order_id"], row["product_id"], row["placed_at"]) for row in reader]
    return _numbered(rows)


def _numbered(rows: Sequence[tuple[str, str, str]]) -> Baskets:
    """Return order lines as baskets, with orders and products numbered; an order's first line dates it."""
    orders: dict[str, tuple[int, set[int]]] = {}
    products: dict[str, int] = {}
    for order_id, product_id, placed_at in rows:
        if order_id not in orders:
            orders[order_id] = (_day(placed_at), set())
        orders[order_id][1].add(products.setdefault(product_id, len(products) + 1))
    baskets = sorted(orders.values(), key=lambda order: order[0])
    return Baskets(
        indptr=np.cumsum([0, *(len(basket) for _, basket in baskets)]),
        products=np.array([product for _, basket in baskets for product in sorted(basket)], dtype=np.int64),
        days=np.array([day for day, _ in baskets], dtype=np.int64),
    )


def _day(placed_at: str) -> int:
    at = datetime.fromisoformat(placed_at)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() // _DAY_SECONDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure learning alone and print the table; return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description="Measure learning.")
    parser.add_argument("--orders", type=Path, metavar="FILE", help="real orders: .npz, .csv or .csv.gz")
    options = parser.parse_args(arguments)
    baskets = load_orders(options.orders) if options.orders else synthetic_shop(np.random.default_rng(2011))
    sizes = np.diff(baskets.indptr)
    print(
        f"{len(baskets.products):,} lines, {len(sizes):,} baskets (median {np.median(sizes):.0f}, mean"
        f" {sizes.mean():.1f}, largest {sizes.max():,}), {len(np.unique(baskets.products)):,} products,"
        f" {(sizes * (sizes - 1) // 2).sum() / 1e6:.1f} million pairs"
    )
    results = run(baskets)
    print_table(results)
    return int(any(result.verdict == "MISSED" for result in results))


if __name__ == "__main__":
    sys.exit(main())
