"""The synthetic store lives against the service, which finds what was planted."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.commerce.store import Store, StoreError
from app.core.db import Model, db
from demo.synth.findings import Finding
from demo.synth.run import Report, run, steps
from demo.synth.world import Fault, Plan
from tests.command import Pannier

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
# As few as the service can judge by.
SMALL = Plan(seed=7, shoppers=15, crowd=0, orders=240, days=14)


def found(report: Report) -> dict[str, Finding]:
    return {finding.name: finding for finding in report.findings}


def missed(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if not finding.ok]


def rows_left() -> dict[str, int]:
    """Return how many rows belong to any store, by table."""
    counts = {
        table.name: db.session.scalar(select(func.count()).select_from(table)) or 0
        for table in Model.metadata.sorted_tables
        if "store_id" in table.columns
    }
    return {name: count for name, count in counts.items() if count}


# --- what the service finds -----------------------------------------------------------------------------


def test_planted_bundles_come_back_though_orders_come_twice_and_in_any_order(app: Flask) -> None:
    told: list[int] = []
    plan = replace(SMALL, faults=frozenset({Fault.DUPLICATES_AND_DISORDER}))
    report = run(plan, on_step=told.append)
    names = found(report)
    assert names["bundles"].ok, names["bundles"]
    assert names["bundles"].planted == "30 bundles, 120 partners"
    assert names["bundles"].found.endswith("0 miscounted")
    assert names["orders"].ok, names["orders"]
    assert names["freshness of orders"].ok, names["freshness of orders"]
    # Fifteen visitors prove nothing, whatever their arms are by this installation's secret.
    assert (names["uplift"].ok, report.ok) == (False, False)
    assert 0 < sum(told) <= steps(plan)
    assert rows_left() == {}


def test_lost_exposures_block_the_verdict_and_a_stopped_feed_turns_red(app: Flask) -> None:
    plan = replace(
        SMALL, shoppers=0, crowd=1500, faults=frozenset({Fault.SAMPLE_RATIO, Fault.STOPPED_ORDERS})
    )
    report = run(plan)
    names = found(report)
    assert missed(report) == []
    assert names["sample ratio"].found.startswith("the verdict is blocked: Visitors are not split as planned")
    assert names["freshness of orders"].found.startswith("error: No order since ")
    assert "uplift" not in names
    assert report.counts["synth_lift/control"] + report.counts["synth_lift/shown"] < 1500
    assert rows_left() == {}


def test_a_store_that_is_there_is_not_touched(app: Flask) -> None:
    db.session.add(
        Store(platform="shopify", domain=SMALL.domain, name="Mine", currency="EUR", timezone="UTC", origins=[],
              credentials={}, settings={}, installed_at=NOW)
    )  # fmt: skip
    db.session.commit()
    with pytest.raises(StoreError, match=r"There is a store synth-7\.myshopify\.com already; --again"):
        run(SMALL)
    assert db.session.scalar(select(func.count()).select_from(Store)) == 1


# --- the command ----------------------------------------------------------------------------------------


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """What the command finds set: no secret of Shopify's."""
    return {**environment, "SHOPIFY_API_SECRET": ""}


@pytest.fixture
def pannier(app: Flask, pannier: Pannier) -> Pannier:
    """Run ``pannier synth`` on an empty database."""
    return pannier.within("synth")


def test_the_command_says_what_was_missed_and_leaves_the_store_if_asked(pannier: Pannier) -> None:
    result = pannier("--shoppers", "0", "--crowd", "0", "--orders", "100", "--seed", "9", "--keep", "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["ok"], report["store"]) == (1, False, "synth-9.myshopify.com")
    assert "uplift" in {finding["name"] for finding in report["findings"] if not finding["ok"]}
    db.session.rollback()
    assert db.session.scalars(select(Store.domain)).all() == ["synth-9.myshopify.com"]
    again = pannier("--seed", "9")
    assert (again.exit_code, "--again deletes it first" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--fault", "gremlins"), id="fault"),
        pytest.param(("--days", "3"), id="days"),
        pytest.param(("--uplift", "-1"), id="uplift"),
        pytest.param(("--seed", "x"), id="seed"),
        pytest.param(("--address", "nowhere"), id="address"),
        pytest.param(("--address", "http://127.0.0.1:9"), id="an address without the secret"),
    ],
)
def test_bad_use_is_told_by_the_exit_code(pannier: Pannier, arguments: tuple[str, ...]) -> None:
    result = pannier(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
