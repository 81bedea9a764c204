"""What is said of an experiment is what its figures allow, word by word."""

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from app.experiments import uplift, verdict
from app.experiments.uplift import Totals
from app.experiments.verdict import Plan

PLAN = Plan("control", {"control": 1.0, "B": 1.0}, "EUR", visitors=20_000)
DAYS = 21.0


def arm(lift: float = 0.0, *, visitors: int = 10_000, value: float = 5_000.0, spread: float = 0.5) -> Totals:
    """Return an arm in which one visitor in ten buys once, for about ``value``; the same in each call."""
    buyers = np.arange(visitors) % 10 == 0
    revenue = np.where(buyers, value * (1 + lift) * (1 + spread * np.cos(np.arange(visitors))), 0.0)
    return Totals.of({"revenue": revenue, "orders": buyers, "buyers": buyers})


def said(
    plan: Plan, arms: Mapping[str, Totals], days: float = DAYS, multiple: int = 0
) -> tuple[str, list[str]]:
    found = verdict.report(plan, arms, days=days, multiple=multiple)
    return found.verdict, list(found.sentences)


@pytest.mark.parametrize(
    ("lift", "visitors", "expected", "sentence"),
    [
        pytest.param(
            0.041, 10_000, verdict.NOT_PROVEN,
            "Arm B earned 4.1 % more per visitor (95 % interval -9.3 to 19.4 %): not proven yet.",
            id="may be chance",
        ),
        pytest.param(
            0.3, 10_000, verdict.BETTER,
            "Arm B earned 30.0 % more per visitor (95 % interval 13.3 to 49.2 %): it is better than control.",
            id="better",
        ),
        pytest.param(
            -0.3, 10_000, verdict.WORSE,
            "Arm B earned 30.0 % less per visitor (95 % interval -39.0 to -19.7 %): it is worse than control.",
            id="worse",
        ),
        pytest.param(
            0.0, 200_000, verdict.NO_DIFFERENCE,
            "Arm B earned 0.0 % more per visitor (95 % interval -3.3 to 3.4 %): a difference of 5 % or more is ruled"
            " out.",
            id="nothing worth having",
        ),
    ],
)  # fmt: skip
def test_the_interval_decides(lift: float, visitors: int, expected: str, sentence: str) -> None:
    arms = {"control": arm(visitors=visitors), "B": arm(lift, visitors=visitors)}

    found, sentences = said(PLAN, arms)

    assert found == expected
    assert sentences == [sentence, "The intervals hold however often one looks."]


@pytest.mark.parametrize(
    ("arms", "days", "sentence"),
    [
        pytest.param(
            {"control": arm(), "B": arm(0.3)}, 6.5,
            "Arm B: not enough data yet (it ran 6.5 days of the 7 it takes).",
            id="less than a week",
        ),
        pytest.param(
            {"control": arm(visitors=190), "B": arm(9.0, visitors=190)}, DAYS,
            "Arm B: not enough data yet (control has 190 visitors of the 200 it takes; arm B has 190 visitors of the"
            " 200 it takes).",
            id="too few visitors",
        ),
        pytest.param(
            {"control": arm(visitors=240), "B": arm(9.0, visitors=250)}, DAYS,
            "Arm B: not enough data yet (control has 24 buyers of the 25 it takes).",
            id="too few buyers",
        ),
        pytest.param(
            {}, 0.0,
            "Arm B: not enough data yet (control has 0 visitors of the 200 it takes; arm B has 0 visitors of the 200"
            " it takes; it ran 0.0 days of the 7 it takes).",
            id="nobody",
        ),
    ],
)  # fmt: skip
def test_not_enough_data_is_a_result_without_figures(
    arms: dict[str, Totals], days: float, sentence: str
) -> None:
    found, sentences = said(PLAN, arms, days)

    assert found == verdict.NOT_ENOUGH_DATA
    assert sentences[0] == sentence


def test_lost_visitors_leave_no_verdict_however_good_it_looks() -> None:
    arms = {"control": arm(), "B": arm(0.5, visitors=9_000)}

    found = verdict.report(PLAN, arms, days=DAYS)

    assert (found.verdict, found.winner) == (verdict.BLOCKED, None)
    assert found.sentences[0].startswith("Visitors are not split as planned: 10,000 in control, 9,000 in B")
    assert found.arms[1].sentences == ("Arm B: no verdict, as visitors are not split as planned.",)
    # The figures are there for who looks for the fault.
    assert found.arms[1].effects["revenue_per_visitor"].direction == 1


def test_who_came_upon_two_arms_is_told() -> None:
    found, sentences = said(PLAN, {"control": arm(), "B": arm(0.3)}, multiple=500)

    assert found == verdict.BETTER
    assert sentences[1] == (
        "500 visitors (2.4 %) came upon more than one arm and are left out: more than the 1 % that is usual."
    )


# --- one look -------------------------------------------------------------------------------------------


def test_one_look_is_narrower_and_only_at_the_planned_number() -> None:
    arms = {"control": arm(), "B": arm(0.13)}
    once = replace(PLAN, daily=False)

    early = verdict.report(replace(once, visitors=20_001), arms, days=DAYS)
    daily = verdict.report(PLAN, arms, days=DAYS)
    due = verdict.report(once, arms, days=DAYS)

    assert (early.verdict, early.always_valid) == (verdict.NOT_ENOUGH_DATA, True)
    assert early.sentences == (
        "Arm B earned 13.0 % more per visitor (95 % interval -1.5 to 29.6 %): not enough data yet.",
        "Nothing is decided before the planned number of visitors (20,001); until then the intervals hold however"
        " often one looks.",
    )
    assert (daily.verdict, daily.always_valid) == (verdict.NOT_PROVEN, True)
    assert (due.verdict, due.always_valid) == (verdict.BETTER, False)
    assert due.sentences == (
        "Arm B earned 13.0 % more per visitor (95 % interval 3.4 to 23.5 %): it is better than control.",
        "The intervals hold for one look, at the planned number of visitors.",
    )


def test_one_look_that_nobody_planned_never_comes() -> None:
    found, sentences = said(replace(PLAN, daily=False, visitors=None), {"control": arm(), "B": arm(0.9)})

    assert found == verdict.NOT_ENOUGH_DATA
    assert "the planned number of visitors (unknown)" in sentences[1]


# --- several arms ---------------------------------------------------------------------------------------


def test_several_arms_get_wider_intervals_and_one_winner() -> None:
    plan = Plan("control", {"control": 1, "B": 1, "C": 1, "D": 1}, "EUR", visitors=40_000)
    arms = {"control": arm(), "B": arm(0.3), "C": arm(0.4), "D": arm(0.15)}

    found = verdict.report(plan, arms, days=DAYS)

    assert (found.verdict, found.winner) == (verdict.BETTER, "C")
    assert [report.status for report in found.arms] == [None, "better", "better", "not_proven"]
    assert found.level == pytest.approx(0.05 / 3)
    assert found.sentences[3:] == (
        "Arm C earned most; the better arms are not compared with each other.",
        "The intervals hold however often one looks.",
        "They are widened for 3 arms being compared with control.",
    )
    alone = verdict.report(PLAN, {"control": arms["control"], "B": arms["B"]}, days=DAYS)
    wide, narrow = found.arms[1].effects["revenue_per_visitor"], alone.arms[1].effects["revenue_per_visitor"]
    assert wide.low < narrow.low < narrow.high < wide.high
    p_values = [report.effects["revenue_per_visitor"].p_value for report in found.arms[1:]]
    assert [report.adjusted_p_value for report in found.arms[1:]] == uplift.holm(p_values)


def test_one_arm_behind_does_not_hide_that_another_is_better() -> None:
    plan = Plan("control", {"control": 10, "B": 10, "C": 0.1}, "EUR")

    found = verdict.report(plan, {"control": arm(), "B": arm(0.4), "C": arm(visitors=100)}, days=DAYS)

    assert (found.verdict, found.winner) == (verdict.BETTER, "B")
    assert found.arms[2].status == verdict.NOT_ENOUGH_DATA


def test_an_arm_that_the_plan_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError, match="no share of visitors was planned for C"):
        verdict.report(PLAN, {"control": arm(), "B": arm(), "C": arm()}, days=DAYS)


# --- the other metrics ----------------------------------------------------------------------------------


def test_larger_orders_alone_are_no_success() -> None:
    # Half as many buy, for twice as much: revenue is what it was.
    buyers = np.arange(10_000) % 20 == 0
    revenue = np.where(buyers, 10_000.0 * (1 + 0.1 * np.cos(np.arange(10_000))), 0.0)
    fewer = Totals.of({"revenue": revenue, "orders": buyers, "buyers": buyers})

    found = verdict.report(PLAN, {"control": arm(spread=0.1), "B": fewer}, days=DAYS)

    assert found.verdict == verdict.NOT_PROVEN
    assert found.arms[1].sentences[1:] == (
        "Conversion: 50.0 % less (95 % interval -57.4 to -41.3 %).",
        "Average order value: 100.0 % more (95 % interval 97.7 to 102.4 %).",
        "Orders are larger, but that earns nothing if there are fewer: revenue per visitor decides.",
    )


def test_what_is_known_of_visitors_costs_and_caps_is_used_and_said() -> None:
    random = np.random.default_rng(2)
    arms = {}
    for name in ("control", "B"):
        keen = random.exponential(1.0, 10_000)
        revenue = np.round(keen * random.exponential(1.0, 10_000) * 100)
        arms[name] = Totals.of(
            {
                "revenue": np.minimum(revenue, 1_500),
                "raw_revenue": revenue,
                "margin": revenue * 0.4,
                "orders": np.ones(10_000),
                "buyers": np.ones(10_000),
                "before": keen * 100,
            }
        )

    found = verdict.report(replace(PLAN, cap=1_500), arms, days=DAYS)

    assert set(found.arms[1].effects) == set(uplift.METRICS)
    assert found.explained == pytest.approx(0.3, abs=0.05)
    assert found.sentences[-2:] == (
        "What a visitor paid counts up to 15.00 EUR, a cap that was fixed before the start.",
        f"What visitors paid before explains {100 * found.explained:.0f} % of the variation.",
    )
    assert [check.name for check in found.checks] == ["sample_ratio", "multiple_exposure", "pre_exposure"]


@pytest.mark.parametrize(
    ("currency", "sentence"),
    [
        pytest.param("EUR", "Arm B earned 3.00 EUR less per visitor", id="cents"),
        pytest.param("JPY", "Arm B earned 300 JPY less per visitor", id="no minor unit"),
    ],
)
def test_a_loss_is_told_in_money_where_there_is_no_lift(currency: str, sentence: str) -> None:
    # Refunds of older orders may exceed what an arm sold.
    arms = {"control": arm(value=1_000.0), "B": arm(value=-2_000.0)}

    found = verdict.report(replace(PLAN, currency=currency), arms, days=DAYS)

    assert found.verdict == verdict.WORSE
    assert found.arms[1].sentences[0].startswith(sentence)


def test_a_report_is_json() -> None:
    found = verdict.report(PLAN, {"control": arm(), "B": arm(0.3)}, days=DAYS).to_json()

    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert list(found) == [
        "verdict", "winner", "sentences", "arms", "checks", "always_valid", "level", "explained",
    ]  # fmt: skip
    assert found["arms"][0]["sentences"] == ["Control earned 5.00 EUR per visitor."]
