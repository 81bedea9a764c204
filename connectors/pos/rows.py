"""Reading a till's file row by row, with the number of the line in which each row begins.

A row that cannot be read is passed on as such: the next one is read all the same. Nothing is held but the row at hand.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import orjson

from connectors.pos.layout import LayoutError

CSV: Final = "csv"
JSONL: Final = "jsonl"
FORMATS: Final = (CSV, JSONL)
DELIMITERS: Final = (",", ";", "\t", "|")
_QUOTED: Final = re.compile(r'"[^"]*"')
# A line longer than this is none of a till.
_LINE_LIMIT: Final = 1_000_000
_COLUMNS_LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: where it begins, and what stands in it by column, or why it cannot be read."""

    line: int
    values: dict[str, Any]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written: ``csv`` or ``jsonl``, its encoding, and what separates its cells."""

    name: str = CSV
    encoding: str = "utf-8"
    delimiter: str | None = None


class _Lines:
    """The lines of a file as text; remembers whether one since the last question could not be decoded."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        name = "utf-8-sig" if encoding == "utf-8" else encoding
        self._text = io.TextIOWrapper(file, name, errors="surrogateescape", newline="")
        self._broken = False

    def __iter__(self) -> Iterator[str]:
        """Yield line by line."""
        while line := self._text.readline(_LINE_LIMIT):
            if len(line) == _LINE_LIMIT and not line.endswith(("\n", "\r")):
                raise LayoutError(f"A line is longer than {_LINE_LIMIT} characters; this is no till's file.")
            if not line.isascii() and any("\ud800" <= sign <= "\udfff" for sign in line):
                self._broken = True
            yield line

    def was_broken(self) -> bool:
        """Return whether a line since the last call could not be decoded."""
        broken, self._broken = self._broken, False
        return broken

    def detach(self) -> None:
        """Leave the file to whoever opened it."""
        if not self._text.closed:
            self._text.detach()


def header(file: BinaryIO, form: Form) -> tuple[str, ...] | None:
    """Return the names of a file's columns, None for JSON lines; leaves the file at its beginning.

    Raises:
        LayoutError: if there are none.
    """
    if form.name == JSONL:
        return None
    file.seek(0)
    lines = _Lines(file, form.encoding)
    try:
        first = next(iter(lines), "")
    finally:
        lines.detach()
        file.seek(0)
    names = _cells(first, delimiter(first, form))
    if lines.was_broken():
        raise LayoutError(f"The first line is not {form.encoding}; try --encoding.")
    if not any(names) or len(names) > _COLUMNS_LIMIT:
        raise LayoutError("The first line names no columns.")
    return tuple(name.strip() for name in names)


def delimiter(first: str, form: Form) -> str:
    """Return what separates cells: what is stated, else what the first line has most of outside quotation marks."""
    plain = _QUOTED.sub("", first)
    return form.delimiter or max(DELIMITERS, key=plain.count)


def _cells(line: str, sign: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=sign), [])
    except csv.Error:
        return []


def read_rows(file: BinaryIO, form: Form, columns: frozenset[str] | None = None) -> Iterator[Row]:
    """Yield the rows of a file from its beginning, empty ones left out.

    Args:
        file: a file that can be sought.
        form: how it is written.
        columns: the columns that are wanted; None for all.

    Raises:
        LayoutError: if a line is too long to be held.
    """
    file.seek(0)
    lines = _Lines(file, form.encoding)
    try:
        read = _json_rows(lines) if form.name == JSONL else _csv_rows(lines, form)
        for row in read:
            if columns is not None and row.values:
                yield Row(row.line, {k: v for k, v in row.values.items() if k in columns}, row.problem)
            else:
                yield row
    finally:
        lines.detach()


def _json_rows(lines: _Lines) -> Iterator[Row]:
    for at, line in enumerate(lines, start=1):
        if lines.was_broken():
            yield Row(at, {}, "not in the stated encoding")
            continue
        if not line.strip():
            continue
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            found = None
        yield Row(at, found) if isinstance(found, dict) else Row(at, {}, "not a JSON object")


def _csv_rows(lines: _Lines, form: Form) -> Iterator[Row]:
    text = iter(lines)
    first = next(text, "")
    sign = delimiter(first, form)
    names = [name.strip() for name in _cells(first, sign)]
    lines.was_broken()
    reader = csv.reader(text, delimiter=sign, strict=True)
    while True:
        begins = reader.line_num + 2
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            lines.was_broken()
            yield Row(begins, {}, "not well-formed: a quotation mark that is not closed, or a cell too long")
            continue
        if lines.was_broken():
            yield Row(begins, {}, "not in the stated encoding")
        elif not any(cell.strip() for cell in cells):
            continue
        elif len(cells) < len(names) or any(cell.strip() for cell in cells[len(names) :]):
            yield Row(begins, {}, f"{len(cells)} cells where there are {len(names)} columns")
        else:
            yield Row(begins, dict(zip(names, cells, strict=False)))
