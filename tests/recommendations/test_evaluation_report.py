"""What an evaluation looks like: a table, JSON, a drawing."""

from xml.etree import ElementTree

import numpy as np
import pytest

from app.recommendations.evaluation import METRICS, TASKS, Answers, Estimate, Report, Result
from app.recommendations.evaluation_report import as_json, as_rows, as_svg, summary

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def report():
    """Two methods in both tasks; the second is twice as good, and has no hits to share out."""
    nothing = Answers(np.zeros(0, np.int64), np.zeros((0, 10), np.int64))

    def metrics(value, tail):
        return {**dict.fromkeys(METRICS, Estimate(value, value - 0.05, value + 0.15)), "long_tail": tail}

    results = [
        Result(task, name, metrics(value, tail), nothing)
        for task in TASKS
        for name, value, tail in (
            ("raw_count", 0.2, Estimate(0.0, 0.0, 0.0)),
            ("a<b", 0.4, Estimate(None, None, None)),
        )
    ]
    return Report(90, 10, 7, 8, 0.1, 3, 50, results)


def test_a_row_holds_figures_with_half_their_intervals(report) -> None:
    first, second, *_ = as_rows(report)

    assert first == {
        "task": "complete_the_cart", "method": "raw_count", "hit@1": "0.200 ±0.100", "hit@4": "0.200 ±0.100",
        "hit@10": "0.200 ±0.100", "mrr": "0.200 ±0.100", "coverage": "0.200 ±0.100", "long_tail": "0.000 ±0.000",
    }  # fmt: skip
    assert second["long_tail"] == "–"


def test_the_summary_says_what_was_done(report) -> None:
    assert summary(report) == (
        "Learned 90 orders with 7 products, held out the 10 orders after them,"
        " asked 8 times for a product that was hidden."
    )


def test_json_holds_both_ends(report) -> None:
    found = as_json(report)

    assert {name: value for name, value in found.items() if name != "results"} == {
        "train_orders": 90, "test_orders": 10, "products": 7, "queries": 8, "holdout": 0.1, "seed": 3,
        "resamples": 50,
    }  # fmt: skip
    assert [(r["task"], r["method"]) for r in found["results"]] == [
        (task, method) for task in TASKS for method in ("raw_count", "a<b")
    ]
    assert found["results"][1]["metrics"]["mrr"] == pytest.approx({"value": 0.4, "low": 0.35, "high": 0.55})
    assert found["results"][1]["metrics"]["long_tail"] == {"value": None, "low": None, "high": None}


def test_the_drawing_is_true_to_scale(report) -> None:
    root = ElementTree.fromstring(as_svg(report, "a<b"))

    dots = [
        (float(dot.get("cx")), float(dot.get("cy")), dot.get("fill")) for dot in root.iter(f"{SVG}circle")
    ]
    words = [text.text for text in root.iter(f"{SVG}text")]
    # Six metrics of the one and five of the other, in two tasks.
    assert len(dots) == 2 * (6 + 5)
    # hit@1 ends at 0.55, which lies 100 right of the axis at 170.
    (one, _, plain), (two, _, accent) = dots[0], dots[6]
    assert (one, two) == (
        pytest.approx(170 + 100 * 0.2 / 0.55, abs=0.1),
        pytest.approx(170 + 100 * 0.4 / 0.55, abs=0.1),
    )
    assert plain != accent
    assert [words.count(word) for word in ("a<b", "raw count", "product page", "0.400", "long tail")] == [
        2,
        2,
        1,
        10,
        2,
    ]
    height = float(root.get("height"))
    assert max(y for _, y, _ in dots) < height


def test_a_drawing_of_nothing_found_has_no_scale_to_divide_by(report) -> None:
    for result in report.results:
        result.metrics = dict.fromkeys(METRICS, Estimate(0.0, 0.0, 0.0))

    root = ElementTree.fromstring(as_svg(report, "a<b"))

    assert {dot.get("cx") for dot in root.iter(f"{SVG}circle")} == {f"{170 + 150 * n:.1f}" for n in range(6)}
