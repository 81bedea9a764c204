"""The rebuild and the ranking, against increments, brute force and each other."""

import math
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.recommendations import association, kernels, line_kernels, ranking
from app.recommendations.cooccurrence import (
    Contribution,
    Increment,
    Neighbours,
    Parameters,
    increment,
    order_weights,
    pack,
    unpack,
)
from app.recommendations.indexing import Baskets
from app.recommendations.ranking import (
    Block,
    Gates,
    ProductTotals,
    Ranked,
    pair_llr,
    rank,
    rebuild,
    strongest_pairs,
)

PARAMETERS = Parameters(epoch_day=20_000, half_life_days=90.0, basket_cap=5)
OPEN = Gates(min_orders=1, min_lift=0.0, min_llr=0.0)
Shape = tuple[list[int], ...]


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Compile once, outside of any single example's time."""
    ranking.warm_up()


@dataclass
class Version:
    """One state of an order."""

    basket: list[int]
    day: int


versions = st.builds(
    Version,
    basket=st.lists(st.integers(1, 9) | st.sampled_from([2**62, 70, 150]), max_size=7),
    day=st.integers(19_700, 20_300),
)
# An order is what it was, change by change; one in a few is deleted in the end.
histories = st.lists(
    st.tuples(st.lists(versions, min_size=1, max_size=3), st.integers(0, 3).map(bool)), max_size=12
)


def as_baskets(orders: Sequence[Version]) -> Baskets:
    sizes = [len(order.basket) for order in orders]
    return Baskets(
        indptr=np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))),
        products=np.array([product for order in orders for product in order.basket], dtype=np.int64),
        days=np.array([order.day for order in orders], dtype=np.int64),
    )


def shop(*baskets: str, day: int = 20_000) -> Baskets:
    """Return one order per word; its letters are the products, "a" being 1."""
    return as_baskets([Version([ord(letter) - 96 for letter in basket], day) for basket in baskets])


def columns(record: object) -> dict[str, list[float]]:
    """Return the arrays of a dataclass as lists, for comparison bit by bit."""
    return {field.name: getattr(record, field.name).tolist() for field in fields(record)}  # type: ignore[arg-type]


def joined(parts: Sequence[Neighbours] | Sequence[Ranked], kind: type) -> dict[str, list[float]]:
    """Return consecutive row matrices as one."""
    whole: dict[str, list[float]] = {field.name: [] for field in fields(kind)}
    whole["indptr"] = [0]
    for part in parts:
        for name, column in columns(part).items():
            start = whole["indptr"][-1]
            whole[name] += [start + bound for bound in column[1:]] if name == "indptr" else column
    return whole


def rows(ranked: Ranked, column: str = "others") -> dict[int, list[float]]:
    values = getattr(ranked, column).tolist()
    bounds = ranked.indptr.tolist()
    return {
        product: values[start:end]
        for product, start, end in zip(ranked.products.tolist(), bounds, bounds[1:], strict=False)
    }


def replayed(history: Sequence[tuple[list[Version], bool]], chance: Random) -> Iterator[list[Contribution]]:
    """Yield every change of every order, shuffled and cut into batches."""
    changes: list[Contribution] = []
    for states, kept in history:
        known: Version | None = None
        for state in [*states, *([] if kept else [None])]:
            changes += [Contribution(known.basket, known.day, -1)] if known else []
            changes += [Contribution(state.basket, state.day, 1)] if state else []
            known = state
    chance.shuffle(changes)
    while changes:
        size = chance.randint(1, 6)
        yield changes[:size]
        changes = changes[size:]


def compacted(segments: list[tuple[int, bytes]], chance: Random) -> list[tuple[int, bytes]]:
    """Replace a random part of the stored segments by its sum."""
    chance.shuffle(segments)
    cut = chance.randint(0, len(segments))
    return segments[:cut] + pack(unpack(segments[cut:]))


def summed(increments: Sequence[Increment]) -> tuple[int, dict[int, tuple[int, int, int]]]:
    totals: dict[int, list[int]] = {}
    for part in increments:
        columns_ = (part.product_orders, part.product_weights, part.product_popularity)
        for product, *amounts in zip(part.products, *columns_, strict=True):
            known = totals.setdefault(int(product), [0, 0, 0])
            totals[int(product)] = [a + int(b) for a, b in zip(known, amounts, strict=True)]
    kept = {product: tuple(amounts) for product, amounts in sorted(totals.items()) if any(amounts)}
    return sum(part.orders for part in increments), kept  # type: ignore[return-value]


# --- the heart: order by order is the same as anew ------------------------------------------------------


@given(histories, st.randoms(use_true_random=False), st.integers(1, 4), st.sampled_from([1, 7, 10**6]))
@settings(max_examples=150, deadline=None)
def test_counts_kept_up_to_date_equal_a_rebuild(
    history: list[tuple[list[Version], bool]], chance: Random, limit: int, block: int
) -> None:
    gates = Gates(chance.randint(1, 2), chance.choice([0.0, 1.0, 1.2]), chance.choice([0.0, 1.0]))
    increments, segments = [], []
    for batch in replayed(history, chance):
        increments.append(increment(PARAMETERS, batch))
        segments += pack(increments[-1].neighbours)
        if chance.random() < 0.3:
            segments = compacted(segments, chance)
    kept_up = unpack(segments)
    orders, totals = summed(increments)

    anew = rebuild(PARAMETERS, as_baskets([s[-1] for s, kept in history if kept]), gates, limit, block)
    blocks = list(anew.blocks())

    assert anew.orders == orders
    anew_columns = (anew.products, anew.product_orders, anew.product_weights, anew.product_popularity)
    assert list(zip(*(c.tolist() for c in anew_columns), strict=True)) == [(p, *t) for p, t in totals.items()]
    assert joined([b.neighbours for b in blocks], Neighbours) == columns(kept_up)
    ranked = rank(kept_up, orders, anew.totals(), gates, limit)
    assert columns(ranked) == joined([b.ranked for b in blocks], Ranked)


@given(histories, st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_ranking_equals_brute_force(history: list[tuple[list[Version], bool]], limit: int) -> None:
    orders = [states[-1] for states, _ in history]
    learned = [(set(o.basket), o.day) for o in orders if 1 <= len(set(o.basket)) <= PARAMETERS.basket_cap]
    held: Counter[int] = Counter()
    weight: Counter[int] = Counter()
    pair: Counter[tuple[int, int]] = Counter()
    pair_weight: Counter[tuple[int, int]] = Counter()
    for basket, day in learned:
        each = int(order_weights(PARAMETERS, [day], [len(basket)])[0][0])
        for a in basket:
            held[a] += 1
            weight[a] += each
            for b in basket - {a}:
                pair[a, b] += 1
                pair_weight[a, b] += each
    gates = Gates(min_orders=1, min_lift=1.0, min_llr=0.5)

    whole = rebuild(PARAMETERS, as_baskets(orders), gates, limit)
    blocks = list(whole.blocks())

    expected: dict[int, list[tuple[float, int, int]]] = {a: [] for a, _ in pair}
    for (a, b), both in pair.items():
        measured = float(association.lift(both, held[a], held[b], len(learned)))
        llr = pair_llr(both, held[a], held[b], len(learned))
        if measured >= gates.min_lift and llr >= gates.min_llr:
            expected[a].append((pair_weight[a, b] / (weight[a] ** 0.6 * weight[b] ** 0.4), both, b))
    got = {}
    for block in blocks:
        columns_ = zip(
            rows(block.ranked, "score").items(), rows(block.ranked, "orders").values(), strict=True
        )
        for (product, scores), both_orders in columns_:
            got[product] = [*zip(scores, both_orders, rows(block.ranked)[product], strict=True)]
    assert {a: len(row) for a, row in got.items()} == {a: min(len(r), limit) for a, r in expected.items()}
    for a, row in got.items():
        known = {b: (score, both) for score, both, b in expected[a]}
        for score, both, b in row:
            assert score == pytest.approx(known[b][0], rel=1e-12)
            assert both == known[b][1]
        assert row == sorted(row, key=lambda entry: (-entry[0], -entry[1], entry[2]))
        left_out = [score for score, _, b in expected[a] if b not in {entry[2] for entry in row}]
        assert max(left_out, default=0.0) <= min((e[0] for e in row), default=math.inf) * (1 + 1e-12)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("block", [1, 50, 10**6])
def test_threads_and_blocks_change_nothing(threads: int, block: int) -> None:
    chance = Random(5)
    products = range(1, 400, 3)
    orders = [Version(chance.sample(products, chance.randint(1, 12)), 20_000 - i) for i in range(300)]
    parameters = Parameters(20_000, 50.0, 10)
    reference = list(rebuild(parameters, as_baskets(orders), OPEN, 5, threads=1).blocks())
    chance.shuffle(orders)

    whole = rebuild(parameters, as_baskets(orders), OPEN, 5, block, threads)
    blocks = list(whole.blocks())

    assert len(blocks) == {1: 133, 50: len(blocks), 10**6: 1}[block]
    for kind, name in ((Neighbours, "neighbours"), (Ranked, "ranked")):
        assert joined([getattr(b, name) for b in blocks], kind) == columns(getattr(reference[0], name))
    again = rank(reference[0].neighbours, whole.orders, whole.totals(), OPEN, 5, threads)
    assert columns(again) == columns(reference[0].ranked)
    assert [columns(b.neighbours) for b in whole.blocks()] == [columns(b.neighbours) for b in blocks]


# --- what is learned ------------------------------------------------------------------------------------


def only_block(baskets: Baskets, gates: Gates = OPEN, limit: int = 9, cap: int = 100) -> Block:
    blocks = list(rebuild(Parameters(20_000, 90.0, cap), baskets, gates, limit).blocks())
    assert len(blocks) == 1
    return blocks[0]


def test_rebuild_of_a_small_shop() -> None:
    whole = rebuild(Parameters(20_000, 90.0, 3), shop("abc", "ab", "d", "", "abce", "a"), OPEN, 9)
    [block] = whole.blocks()

    assert whole.orders == 4
    assert whole.products.tolist() == [1, 2, 3, 4]
    assert whole.product_orders.tolist() == [3, 2, 1, 1]
    assert whole.product_weights.tolist() == [46_341 + 2 * 65_536, 46_341 + 65_536, 46_341, 65_536]
    assert whole.product_popularity.tolist() == [3 * 65_536, 2 * 65_536, 65_536, 65_536]
    assert columns(block.neighbours) == {
        "products": [1, 2, 3],
        "indptr": [0, 2, 4, 6],
        "others": [2, 3, 1, 3, 1, 2],
        "orders": [2, 1, 2, 1, 1, 1],
        "weights": [111_877, 46_341, 111_877, 46_341, 46_341, 46_341],
    }


def test_a_product_named_twice_counts_once() -> None:
    assert columns(only_block(shop("aab", "bab")).neighbours) == columns(
        only_block(shop("ab", "ab")).neighbours
    )


@pytest.mark.parametrize(
    "baskets",
    [
        pytest.param(shop(), id="no orders"),
        pytest.param(shop("", ""), id="empty orders"),
        pytest.param(shop("a", "b", "a"), id="nothing together"),
        pytest.param(shop("abcdefg"), id="all above the cap"),
    ],
)
def test_a_shop_without_pairs_has_no_blocks_to_show(baskets: Baskets) -> None:
    whole = rebuild(PARAMETERS, baskets, OPEN, 9)

    assert [
        block.neighbours.products.tolist() for block in whole.blocks() if len(block.neighbours.products)
    ] == []
    assert strongest_pairs(baskets, min_orders=2).others.tolist() == []


# --- how it is ranked -----------------------------------------------------------------------------------


def test_the_score_prefers_what_belongs_to_the_products_own_page() -> None:
    # b stands with a in two of its three baskets; c, bought everywhere, in as many.
    ranked = only_block(shop("ab", "ab", "b", "ac", "ac", "c", "c", "c", "c", "c")).ranked

    assert rows(ranked)[1] == [2, 3]
    assert rows(ranked, "score")[1] == pytest.approx([2 / (4**0.6 * 3**0.4), 2 / (4**0.6 * 7**0.4)])
    assert rows(ranked, "score")[3] == pytest.approx([2 / (7**0.6 * 4**0.4)])
    assert rows(ranked, "confidence")[1] == [0.5, 0.5]
    assert rows(ranked, "confidence")[3] == [2 / 7]
    assert rows(ranked, "lift")[1] == [2 * 10 / (4 * 3), 2 * 10 / (4 * 7)]
    assert rows(ranked, "llr")[1] == [pair_llr(2, 4, 3, 10), pair_llr(2, 4, 7, 10)]


def test_a_fresh_pair_outranks_an_older_one() -> None:
    orders = [
        Version([1, 2], 19_910),
        Version([1, 3], 20_000),
        Version([2, 4], 20_000),
        Version([3, 4], 19_910),
    ]

    assert rows(only_block(as_baskets(orders)).ranked)[1] == [3, 2]
    # One half-life apart, the newer of two otherwise equal orders weighs twice.
    assert only_block(as_baskets(orders)).neighbours.weights[:2].tolist() == [32_768, 65_536]


def test_ties_go_to_more_orders_and_then_to_the_smaller_id() -> None:
    neighbours = Neighbours(
        np.array([1]), np.array([0, 4]), np.array([2, 3, 4, 5]), np.array([2, 3, 2, 3]), np.full(4, 10)
    )
    totals = ProductTotals(np.arange(1, 6), np.full(5, 5), np.full(5, 100))

    ranked = [rank(neighbours, 50, totals, OPEN, limit) for limit in (1, 2, 3, 9)]

    assert [r.others.tolist() for r in ranked] == [[3], [3, 5], [3, 5, 2], [3, 5, 2, 4]]


def test_what_weighs_nothing_scores_nothing() -> None:
    ranked = only_block(shop("ab", "ab", day=20_000 - 90 * 40)).ranked

    assert rows(ranked) == {1: [2], 2: [1]}
    assert ranked.score.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("gates", "shown"),
    [
        pytest.param(Gates(4, 1.25, 0.5), True, id="just within all three"),
        pytest.param(Gates(5, 1.0, 0.0), False, id="too few orders"),
        pytest.param(Gates(4, 1.26, 0.0), False, id="too little lift"),
        pytest.param(Gates(4, 1.0, 1e3), False, id="not sure enough"),
        pytest.param(Gates(), False, id="the defaults ask for certainty"),
    ],
)
def test_gates(gates: Gates, shown: bool) -> None:
    # Four of ten baskets hold both; a and b stand in eight and four: lift 1.25.
    block = only_block(shop(*["ab"] * 4, *["a"] * 4, "c", "c"), gates)

    assert rows(block.ranked) == {1: [2] if shown else [], 2: [1] if shown else []}
    assert block.neighbours.orders.tolist() == [4, 4]


def test_the_default_gates_show_a_real_bundle_and_no_filler() -> None:
    baskets = shop(*["ab"] * 20, *["ac"] * 2, *["cd"] * 30, *["ad"] * 3)

    assert rows(only_block(baskets, Gates()).ranked) == {1: [2], 2: [1], 3: [4], 4: [3]}


def test_a_gate_does_not_cost_a_place() -> None:
    # The best score fails the gate of three orders; the only place goes to the next one.
    baskets = shop("ab", "ab", *["acxy"] * 3, *["c"] * 40)

    assert rows(only_block(baskets, OPEN, limit=1).ranked)[1] == [2]
    assert rows(only_block(baskets, Gates(3, 0.0, 0.0), limit=1).ranked)[1] == [24]


def test_gates_must_ask_for_an_order() -> None:
    with pytest.raises(ValueError, match="min_orders must be at least 1"):
        Gates(min_orders=0)


# --- counts a step apart --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("products", "orders", "store_orders", "shown"),
    [
        pytest.param([1, 2, 3], [5, 5, 5], 10, {1: [2, 3], 2: [1]}, id="all there"),
        pytest.param([1, 2], [5, 5], 10, {1: [2], 2: [1]}, id="an unknown other"),
        pytest.param([2, 3], [5, 5], 10, {1: [], 2: []}, id="an unknown product"),
        pytest.param([], [], 10, {1: [], 2: []}, id="nothing known"),
        pytest.param([1, 2, 3], [5, 5, 3], 10, {1: [2], 2: [1]}, id="together more often than at all"),
        pytest.param([1, 2, 3], [5, 5, 5], 5, {1: [], 2: [1]}, id="more orders than the store has"),
    ],
)
def test_pairs_that_cannot_stand_are_left_out(
    products: list[int], orders: list[int], store_orders: int, shown: dict[int, list[float]]
) -> None:
    neighbours = Neighbours(
        np.array([1, 2]), np.array([0, 2, 3]), np.array([2, 3, 1]), np.array([4, 4, 5]), np.array([9, 8, 9])
    )
    totals = ProductTotals(
        np.array(products, np.int64), np.array(orders, np.int64), np.full(len(products), 100)
    )

    assert rows(rank(neighbours, store_orders, totals, OPEN, 5)) == shown


# --- the significance report ----------------------------------------------------------------------------


def assert_strongest(ranked: Ranked, baskets: list[list[int]], least: int, limit: int) -> None:
    """Compare with every pair counted, measured and sorted."""
    sets = [set(basket) for basket in baskets if basket]
    held = Counter(product for basket in sets for product in basket)
    pair = Counter(ab for basket in sets for ab in combinations(sorted(basket), 2))
    expected: dict[int, list[tuple[float, int, int]]] = {product: [] for product in sorted(held)}
    for (a, b), both in pair.items():
        if both >= least and both * len(sets) > held[a] * held[b]:
            for one, other in ((a, b), (b, a)):
                llr = pair_llr(both, held[one], held[other], len(sets))
                expected[one].append((-llr, -both, other))

    best = {product: sorted(row)[:limit] for product, row in expected.items()}
    assert rows(ranked) == {product: [b for _, _, b in row] for product, row in best.items()}
    assert rows(ranked, "llr") == {product: [-llr for llr, _, _ in row] for product, row in best.items()}
    assert rows(ranked, "orders") == {product: [-n for _, n, _ in row] for product, row in best.items()}
    assert ranked.score.tolist() == ranked.llr.tolist()


@given(
    st.lists(st.lists(st.integers(1, 12) | st.sampled_from([-(2**62), 2**62]), max_size=8), max_size=25),
    st.integers(1, 3),
    st.integers(1, 6),
)
@settings(max_examples=60, deadline=None)
def test_strongest_pairs_equal_brute_force(baskets: list[list[int]], least: int, limit: int) -> None:
    ranked = strongest_pairs(as_baskets([Version(b, 0) for b in baskets]), least, limit)

    assert_strongest(ranked, baskets, least, limit)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("largest", [12, 90], ids=["short baskets", "long baskets too"])
def test_strongest_pairs_of_a_crowded_shop_equal_brute_force(threads: int, largest: int) -> None:
    # Many products have more companions than are kept, and popularity is uneven.
    chance = Random(7)
    baskets = [
        [int(400 * chance.random() ** 2) for _ in range(chance.randint(1, largest))] for _ in range(700)
    ]

    ranked = strongest_pairs(as_baskets([Version(b, 0) for b in baskets]), 2, 5, threads)

    assert_strongest(ranked, baskets, 2, 5)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
@example(1001, 999, 1000, 1_000_000).via("every cell is near independence, or none")
@example(1005, 998_995, 998_995, 998_003_005).via("half a percent from independence")
@example(10_000, 990_001, 10_000, 990_000).via("one order from independence")
def test_the_scalar_likelihood_ratio_equals_the_vectorised_one(
    k11: int, k12: int, k21: int, k22: int
) -> None:
    total = k11 + k12 + k21 + k22 or 1
    vectorised = float(association.log_likelihood_ratio(k11, k12, k21, total - k11 - k12 - k21))

    assert pair_llr(k11, k11 + k12, k11 + k21, total) == pytest.approx(vectorised, rel=1e-9, abs=1e-30)


# --- the edges of the interface -------------------------------------------------------------------------


def test_every_kernel_is_compiled_for_one_signature() -> None:
    test_threads_and_blocks_change_nothing(threads=2, block=50)
    strongest_pairs(shop("ab", "abc"), threads=2)

    called = (
        "count_ids", "number_lines", "close_gaps", "count_lines", "sum_amounts", "transpose", "count_rows", "rank_rows",
        "chain_lines", "link", "strongest_rows", "merge_rows",
    )  # fmt: skip
    found = [getattr(kernels, name, None) or getattr(line_kernels, name) for name in called]
    assert [len(kernel.nopython_signatures) for kernel in found] == [1] * len(called)


def test_a_process_that_has_computed_may_fork_and_compute_again() -> None:
    program = """
import os, numpy as np
from app.recommendations import ranking
from app.recommendations.cooccurrence import Parameters
from app.recommendations.indexing import Baskets

def compute():
    baskets = Baskets(np.arange(0, 3001, 3), np.tile(np.arange(30), 100), np.zeros(1000, np.int64))
    whole = ranking.rebuild(Parameters(0, 1.0, 9), baskets, ranking.Gates(), 5, block=10, threads=2)
    return sum(len(block.ranked.others) for block in whole.blocks())

expected = compute()
child = os.fork()
if child == 0:
    os._exit(0 if compute() == expected == 60 else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode == 0


@pytest.mark.parametrize(
    ("indptr", "products", "days"),
    [
        pytest.param([0, 2], [1, 2], [5, 6], id="a day too many"),
        pytest.param([1, 2], [1, 2], [5], id="does not start at zero"),
        pytest.param([0, 1], [1, 2], [5], id="a line without an order"),
        pytest.param([0, 2, 1, 3], [1, 2, 3], [5, 6, 7], id="falls"),
    ],
)
def test_baskets_refuse_shapes_that_do_not_fit(
    indptr: list[int], products: list[int], days: list[int]
) -> None:
    with pytest.raises(ValueError, match="indptr must"):
        Baskets(np.array(indptr), np.array(products), np.array(days))


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    whole = rebuild(PARAMETERS, shop("ab"), OPEN, 1)
    [block] = whole.blocks()

    with pytest.raises(ValueError, match="limit must be at least 1"):
        rebuild(PARAMETERS, shop("ab"), OPEN, limit)
    with pytest.raises(ValueError, match="limit must be at least 1"):
        rank(block.neighbours, whole.orders, whole.totals(), OPEN, limit)
    with pytest.raises(ValueError, match="limit must be at least 1"):
        strongest_pairs(shop("ab"), limit=limit)
