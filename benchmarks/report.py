"""How a measurement is reported."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One measured figure.

    Attributes:
        name: what was measured.
        value: the figure.
        unit: of ``value`` and ``baseline``.
        baseline_name: what it is compared with, if anything.
        baseline: the baseline's figure, of the same run.
        ratio: how many times better than the baseline; more is better whatever the unit.
        bar: the least ratio that is good enough, where one was promised.
    """

    name: str
    value: float
    unit: str
    baseline_name: str | None = None
    baseline: float | None = None
    ratio: float | None = None
    bar: float | None = None

    @property
    def verdict(self) -> str:
        """``ok`` or ``MISSED`` where there is a bar, else nothing."""
        if self.bar is None or self.ratio is None:
            return ""
        return "ok" if self.ratio >= self.bar else "MISSED"


_HEADINGS = ("what", "measured", "unit", "baseline", "measured", "ratio", "bar", "")
_TEXT_COLUMNS = (0, 2, 3, 7)


def print_table(results: Sequence[Result]) -> None:
    """Print one aligned line per result, under headings."""
    table = [_HEADINGS, *(_cells(result) for result in results)]
    widths = [max(len(row[column]) for row in table) for column in range(len(_HEADINGS))]
    for number, row in enumerate(table):
        cells = (
            cell.ljust(width) if column in _TEXT_COLUMNS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths).rstrip())


def _cells(result: Result) -> tuple[str, ...]:
    return (
        result.name,
        _figure(result.value),
        result.unit,
        result.baseline_name or "",
        _figure(result.baseline),
        "" if result.ratio is None else f"{result.ratio:.2f}",
        "" if result.bar is None else f"{result.bar:g}",
        result.verdict,
    )


def _figure(value: float | None) -> str:
    """Write a figure with about three significant digits."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
