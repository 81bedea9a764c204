"""Rows of an order belong together, and are found where they do not stand so."""

import tracemalloc
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from connectors.pos.grouping import ROWS_LIMIT, groups, survey
from connectors.pos.layout import ORDERS, make_layout
from connectors.pos.rows import Row

LINES = make_layout({}, ("order", "date", "sku", "total"))
WHOLE = make_layout({"rows": ORDERS}, ("order", "date", "products", "total"))
NUMBERS = st.lists(st.sampled_from(["1", "2", "3", "", None]), max_size=12)


def table(*numbers: str | None) -> list[Row]:
    """Return rows of orders; None is a row that cannot be read."""
    return [
        Row(at, {}, "broken") if number is None else Row(at, {"order": number})
        for at, number in enumerate(numbers, start=2)
    ]


def test_rows_that_stand_together_are_one_order() -> None:
    found = [(g.number, [r.line for r in g.rows], g.unsure) for g in groups(table("1", "1", "2", "1"), LINES)]

    assert found == [("1", [2, 3], False), ("2", [4], False), ("1", [5], False)]


def test_a_row_that_cannot_be_read_makes_both_neighbours_unsure() -> None:
    found = [
        (g.number, g.problems, g.unsure) for g in groups(table("1", None, "2", "3", "", "3", "4"), LINES)
    ]

    assert found == [
        ("1", {3: "broken"}, False),
        ("2", {}, True),
        ("3", {6: "order: missing"}, False),
        ("4", {}, False),
    ]


def test_where_a_row_is_an_order_it_stands_for_itself() -> None:
    found = [(g.number, g.problems, g.unsure) for g in groups(table("1", None, "1", "2"), WHOLE)]

    assert found == [("1", {}, False), ("", {3: "broken"}, False), ("1", {}, False), ("2", {}, False)]


@given(NUMBERS)
def test_no_row_is_lost_or_moved(numbers: list[str | None]) -> None:
    for layout in (LINES, WHOLE):
        found = list(groups(table(*numbers), layout))
        assert [row.line for group in found for row in group.rows] == [*range(2, len(numbers) + 2)]
        assert survey(found, layout).rows == len(numbers)


@given(NUMBERS)
def test_an_order_is_scattered_if_it_comes_back(numbers: list[str | None]) -> None:
    runs = [group.number for group in groups(table(*numbers), LINES) if group.number]
    found = survey(groups(table(*numbers), LINES), LINES)

    assert {n for n in "123" if found.scattered(n)} == {n for n in "123" if runs.count(n) > 1}
    assert not survey(groups(table(*numbers), WHOLE), WHOLE).scattered("1"), "newer states of the same order"


def test_an_order_without_end_is_not_held() -> None:
    (found,) = groups((Row(at, {"order": "1"}) for at in range(5 * ROWS_LIMIT)), LINES)

    assert (len(found.rows), found.count) == (ROWS_LIMIT, 5 * ROWS_LIMIT)
    assert found.problems == {0: f"order: more than {ROWS_LIMIT} rows"}


def test_the_length_of_a_file_costs_eight_bytes_an_order() -> None:
    def peak(orders: int) -> int:
        tracemalloc.start()
        rows: Iterator[Row] = (Row(at, {"order": str(at // 2), "sku": "x" * 50}) for at in range(2 * orders))
        survey(groups(rows, LINES), LINES)
        peaked = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peaked

    few, many = peak(1_000), peak(9_000)

    # The array grows by half again, and is sorted once beside itself, its counts and a mask.
    assert many - few < 8_000 * 8 * 8, "400 bytes of rows an order would be 3 MB"
