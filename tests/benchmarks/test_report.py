"""The table of a benchmark says what was measured, against what, and whether that is good enough."""

import pytest

from benchmarks.report import Result, print_table


@pytest.mark.parametrize(
    ("ratio", "bar", "verdict"),
    [
        pytest.param(0.7, 0.7, "ok", id="just enough"),
        pytest.param(0.699, 0.7, "MISSED", id="just not enough"),
        pytest.param(9.0, None, "", id="nothing was promised"),
        pytest.param(None, 1.0, "", id="nothing to compare with"),
        pytest.param(0.0, 0.0, "ok", id="zero is a figure"),
    ],
)
def test_verdict(ratio, bar, verdict):
    assert Result("intake", 1.0, "orders/s", ratio=ratio, bar=bar).verdict == verdict


def test_a_table_is_aligned_under_its_headings(capsys):
    print_table(
        [
            Result("drain", 1234.5, "orders/s", "asked", 300.0, ratio=4.115, bar=1.0),
            Result("p99", 61.04, "ms", "asked, at most", 50.0, ratio=0.819, bar=1.0),
            Result("segments", 99.96, "products/s"),
        ]
    )

    assert capsys.readouterr().out.splitlines() == [
        "what      measured  unit        baseline        measured  ratio  bar",
        "--------  --------  ----------  --------------  --------  -----  ---  ------",
        "drain        1,234  orders/s    asked                300   4.12    1  ok",
        "p99             61  ms          asked, at most        50   0.82    1  MISSED",
        "segments       100  products/s",
    ]


@pytest.mark.parametrize(
    ("value", "written"),
    [(1_030_158.4, "1,030,158"), (100.0, "100"), (99.94, "99.9"), (0.01234, "0.0123"), (0.0, "0")],
    ids=["a million", "a hundred", "less than a hundred", "small", "nothing"],
)
def test_figures_have_about_three_digits(capsys, value, written):
    print_table([Result("x", value, "s")])

    assert capsys.readouterr().out.splitlines()[2].split() == ["x", written, "s"]


def test_without_results_only_the_headings_are_printed(capsys):
    print_table([])

    assert capsys.readouterr().out.splitlines() == [
        "what  measured  unit  baseline  measured  ratio  bar",
        "----  --------  ----  --------  --------  -----  ---",
    ]
