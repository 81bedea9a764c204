"""An evaluation for people and programs: rows of a table, JSON, a drawing."""

from collections.abc import Iterator
from dataclasses import asdict
from html import escape
from typing import Any, Final

from app.recommendations.evaluation import METRICS, TASKS, Estimate, Report, Result

_LABELS: Final = 170
_CELL: Final = 150
_BAR: Final = 100
_ROW: Final = 24
_HEAD: Final = 70
_GAP: Final = 40
_INK: Final = "#1f2933"
_PALE: Final = "#d5dbe1"
_PLAIN: Final = "#7b8794"
_OURS: Final = "#0b6e4f"


def as_rows(report: Report) -> list[dict[str, Any]]:
    """Return one flat row for each task and method: figures with half the width of their intervals."""
    return [
        {
            "task": result.task,
            "method": result.method,
            **{name: _figure(result.metrics[name]) for name in METRICS},
        }
        for result in report.results
    ]


def _figure(estimate: Estimate) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "–"
    return f"{estimate.value:.3f} ±{(estimate.high - estimate.low) / 2:.3f}"


def summary(report: Report) -> str:
    """Return what was learned and asked, as a sentence."""
    return (
        f"Learned {report.train_orders} orders with {report.products} products, held out the {report.test_orders}"
        f" orders after them, asked {report.queries} times for a product that was hidden."
    )


def as_json(report: Report) -> dict[str, Any]:
    """Return the whole report, figures with both ends of their intervals."""
    return {
        "train_orders": report.train_orders,
        "test_orders": report.test_orders,
        "products": report.products,
        "queries": report.queries,
        "holdout": report.holdout,
        "seed": report.seed,
        "resamples": report.resamples,
        "results": [
            {
                "task": result.task,
                "method": result.method,
                "metrics": {name: asdict(result.metrics[name]) for name in METRICS},
            }
            for result in report.results
        ],
    }


def as_svg(report: Report, accented: str) -> str:
    """Return a drawing: for each task a row a method and a column a metric, each a dot with its interval.

    A column's scale is the same in all tasks and begins at 0. ``accented`` names the method that is drawn in colour.
    """
    methods = len({result.method for result in report.results})
    width = _LABELS + _CELL * len(METRICS)
    height = _HEAD + len(TASKS) * (methods * _ROW + _GAP + _ROW)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' font-family="system-ui, sans-serif" font-size="12" fill="{_INK}">',
        "<title>How well products that were bought later are found</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="16" y="26" font-size="15">{escape(summary(report))}</text>',
        f'<text x="16" y="46" fill="{_PLAIN}">Dots are figures, lines their 95 % bootstrap intervals.</text>',
        *_panels(report, accented, methods),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panels(report: Report, accented: str, methods: int) -> Iterator[str]:
    scales = {name: _scale(report, name) for name in METRICS}
    for number, task in enumerate(TASKS):
        top = _HEAD + number * (methods * _ROW + _GAP + _ROW) + _ROW
        yield f'<text x="16" y="{top}" font-weight="600">{escape(task.replace("_", " "))}</text>'
        for column, name in enumerate(METRICS):
            left = _LABELS + column * _CELL
            yield f'<text x="{left}" y="{top}">{escape(name.replace("_", " "))}</text>'
            yield f'<path d="M{left} {top + 8}v{methods * _ROW}" stroke="{_PALE}"/>'
        for row, result in enumerate(r for r in report.results if r.task == task):
            yield from _method(result, top + 12 + row * _ROW, scales, accented)


def _method(result: Result, top: int, scales: dict[str, float], accented: str) -> Iterator[str]:
    """Yield a method's label and its figures, in a row of the height ``_ROW``."""
    colour = _OURS if result.method == accented else _PLAIN
    weight = ' font-weight="600"' if result.method == accented else ""
    middle = top + _ROW // 2
    yield f'<text x="28" y="{middle + 4}"{weight}>{escape(result.method.replace("_", " "))}</text>'
    for column, name in enumerate(METRICS):
        found = result.metrics[name]
        if found.value is None or found.low is None or found.high is None:
            continue
        left, scale = _LABELS + column * _CELL, _BAR / scales[name]
        yield (
            f'<path d="M{left + found.low * scale:.1f} {middle}H{left + found.high * scale:.1f}"'
            f' stroke="{colour}" stroke-width="3" stroke-opacity="0.45"/>'
        )
        yield f'<circle cx="{left + found.value * scale:.1f}" cy="{middle}" r="3" fill="{colour}"/>'
        yield f'<text x="{left + _BAR + 8}" y="{middle + 4}"{weight}>{found.value:.3f}</text>'


def _scale(report: Report, name: str) -> float:
    """Return the largest end of a metric's intervals; 1 where all are 0."""
    return max((result.metrics[name].high or 0.0 for result in report.results), default=0.0) or 1.0
