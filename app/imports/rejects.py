"""The file of rows that were kept aside: where each stands, why, and what it says, without anything personal."""

import csv
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

import orjson

from connectors.personal import clean
from connectors.pos.layout import OF_A_LINE, Layout
from connectors.pos.rows import Row

_HEAD: Final = ("line", "reason")
# Of JSON lines: what is kept of an order, as JSON.
_WHOLE: Final = "row"


class Rejects:
    """Rows that are kept aside, in a CSV file that nobody else may read."""

    def __init__(self, file: TextIO, layout: Layout, *, as_json: bool) -> None:
        """Write to ``file``; of CSV only the layout's columns are kept, of JSON lines an object with those names."""
        self._file = file
        self._writer = csv.writer(file)
        self._columns = layout.kept_columns()
        self._of_a_line = frozenset(name for field in OF_A_LINE for name in layout.columns.get(field, ()))
        self._as_json = as_json

    def head(self) -> None:
        """Write the names of the columns."""
        self._writer.writerow([*_HEAD, *([_WHOLE] if self._as_json else self._columns)])

    def write(self, rows: Sequence[Row], reasons: Mapping[int, str], otherwise: str) -> None:
        """Write the rows of one order, each with its reason by its line, or with ``otherwise``."""
        for row in rows:
            reason = reasons.get(row.line, otherwise)
            kept = {name: row.values[name] for name in self._columns if name in row.values}
            if self._as_json:
                shown = [orjson.dumps(self._clean(kept)).decode() if kept else ""]
            else:
                shown = [clean(str(kept.get(name, ""))) for name in self._columns]
            self._writer.writerow([row.line, reason, *shown])

    def keep(self) -> None:
        """Have what was written survive the end of this process."""
        self._file.flush()

    def _clean(self, value: Any) -> Any:
        """Return a JSON value without e-mail addresses; of objects within only what a line may say."""
        if isinstance(value, str):
            return clean(value)
        if isinstance(value, list):
            return [
                self._clean({k: v for k, v in item.items() if k in self._of_a_line})
                if isinstance(item, dict)
                else self._clean(item)
                for item in value
            ]
        return {k: self._clean(v) for k, v in value.items()} if isinstance(value, dict) else value


@contextmanager
def rejects_file(path: Path, layout: Layout, *, as_json: bool, after_line: int) -> Iterator[Rejects]:
    """Open the file at ``path``, made anew with mode 0600; rows up to ``after_line`` of an earlier run stay in it."""
    kept = _earlier(path, after_line) if after_line else []
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        rejects = Rejects(file, layout, as_json=as_json)
        rejects.head()
        csv.writer(file).writerows(kept)
        rejects.keep()
        draft.replace(path)
        yield rejects


def _earlier(path: Path, last_line: int) -> list[list[str]]:
    """Return what an earlier run wrote of rows up to ``last_line``."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))[1:]
    except OSError:
        return []
    return [row for row in rows if row and row[0].isdecimal() and int(row[0]) <= last_line]
