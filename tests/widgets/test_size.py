"""The whole widget is one small file, and a smaller one where there are offers."""

import gzip


def test_script_is_within_eight_kilobytes_gzipped(widget_script: str) -> None:
    assert len(gzip.compress(widget_script.encode(), compresslevel=9)) <= 8000


def test_the_file_of_offers_is_within_its_budget(offers_script: str) -> None:
    assert len(gzip.compress(offers_script.encode(), compresslevel=9)) <= 2500


def test_script_does_not_evaluate_text_or_write_markup(widget_script: str, offers_script: str) -> None:
    for dangerous in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert dangerous not in widget_script + offers_script


def test_script_knows_one_place_to_keep_things(widget_script: str, offers_script: str) -> None:
    for storage in ("document.cookie", "sessionStorage", "indexedDB", "caches"):
        assert storage not in widget_script + offers_script
