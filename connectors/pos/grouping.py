"""Putting the rows of an order together.

Rows of one order stand together in the file: then one order at a time is held, however long the file is. An order
that comes back later is found beforehand (``Survey``), by eight bytes for each order.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from connectors.pos.layout import LINES, Layout
from connectors.pos.rows import Row
from connectors.pos.values import BadValue, identifier, text_of

# More lines than a receipt has; of more, only their number is held.
ROWS_LIMIT: Final = 1_000


@dataclass(slots=True)
class Group:
    """The rows of one order, as they stand together.

    Attributes:
        number: the order's number, "" where no row names one.
        rows: its rows, at most ``ROWS_LIMIT``.
        count: how many rows there are.
        problems: why a row is bad, by its line.
        unsure: a row beside it could not be read and may belong to it.
    """

    number: str
    rows: list[Row] = field(default_factory=list)
    count: int = 0
    problems: dict[int, str] = field(default_factory=dict)
    unsure: bool = False

    def take(self, row: Row, problem: str | None = None) -> None:
        """Add a row."""
        self.count += 1
        if len(self.rows) < ROWS_LIMIT:
            self.rows.append(row)
            if problem:
                self.problems[row.line] = problem
        else:
            self.problems[self.rows[0].line] = f"order: more than {ROWS_LIMIT} rows"


def groups(rows: Iterable[Row], layout: Layout) -> Iterator[Group]:
    """Yield the rows of each order together.

    A row that cannot be read, or names no order, is part of the order before it; where rows are lines, the order
    after it may lack it too and is ``unsure``.
    """
    current: Group | None = None
    loose = False
    for row in rows:
        number, problem = _number(row, layout)
        if number is None:
            if current is None or layout.rows != LINES:
                if current is not None:
                    yield current
                current = Group("")
            current.take(row, problem)
            loose = layout.rows == LINES
            continue
        if current is None or layout.rows != LINES or number != current.number:
            if current is not None:
                yield current
            current = Group(number, unsure=loose)
        current.take(row)
        loose = False
    if current is not None:
        yield current


def _number(row: Row, layout: Layout) -> tuple[str | None, str | None]:
    """Return the number of a row's order, or None and why there is none."""
    if row.problem:
        return None, row.problem
    try:
        number = identifier(
            " ".join(filter(None, (text_of(row.values.get(c)) for c in layout.columns["order"])))
        )
    except BadValue as error:
        return None, f"order: {error}"
    return (number, None) if number else (None, "order: missing")


@dataclass(slots=True, eq=False)
class Survey:
    """What a file holds: the number of its rows, and the orders that stand in more than one place."""

    rows: int
    _scattered: npt.NDArray[np.uint64]

    def scattered(self, number: str) -> bool:
        """Return whether the rows of an order do not stand together."""
        sought = np.uint64(_fingerprint(number))
        place = int(np.searchsorted(self._scattered, sought))
        return place < len(self._scattered) and bool(self._scattered[place] == sought)


def survey(found: Iterable[Group], layout: Layout) -> Survey:
    """Read a file's orders through and return what it holds; 8 bytes for each order are held."""
    rows = 0
    prints = array("Q")
    for group in found:
        rows += group.count
        if layout.rows == LINES and group.number:
            prints.append(_fingerprint(group.number))
    values, counts = np.unique(np.frombuffer(prints, np.uint64), return_counts=True)
    return Survey(rows, values[counts > 1])


def _fingerprint(number: str) -> int:
    """Return 64 bits of an order's number: two of a million orders share them less than once in 10^7 files."""
    return int.from_bytes(hashlib.blake2b(number.encode(), digest_size=8).digest(), "big")
