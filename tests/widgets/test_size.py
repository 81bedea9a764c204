"""The whole widget is one small file."""

import gzip


def test_script_is_within_eight_kilobytes_gzipped(widget_script: str) -> None:
    assert len(gzip.compress(widget_script.encode(), compresslevel=9)) <= 8000


def test_script_does_not_evaluate_text_or_write_markup(widget_script: str) -> None:
    for dangerous in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert dangerous not in widget_script


def test_script_leaves_no_trace_in_the_browser(widget_script: str) -> None:
    for storage in ("document.cookie", "localStorage", "sessionStorage", "indexedDB"):
        assert storage not in widget_script
