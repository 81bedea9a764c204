"""The report of an experiment, from rows to sentences; over HTTP and by command."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.commerce.changes import CustomerRef
from app.commerce.store import rotate_keys
from app.core.db import db, now
from app.core.errors import NotFound
from app.experiments import jobs, reporting
from app.experiments.models import Experiment
from tests.experiments.story import Story, day
from tests.factories import BEGIN, line, order_change

DEFINITION: dict[str, Any] = {
    "hypothesis": "", "slots": None, "coverage": 1.0, "namespace": None, "targeting": {},
    "minimum_effect": 0.05, "winsor_cap": None, "planned_weeks": 4,
    "stop_rule": "sequential",
    "arms": [
        {"key": "control", "name": "Control", "weight": 1.0, "settings": {}},
        {"key": "b", "name": "b", "weight": 1.0, "settings": {"strategy": "trending"}},
    ],
}  # fmt: skip

END = day(28)


@pytest.fixture
def story(shared_app: Flask) -> Iterator[Story]:
    with shared_app.app_context():
        yield Story(control_percent=20)


def begin(
    story: Story, started: datetime | None = BEGIN, stopped: datetime | None = END, **fields: Any
) -> None:
    status = "draft" if started is None else "running" if stopped is None else "stopped"
    db.session.add(
        Experiment(
            store_id=story.id, key="one", name="One", status=status, definition={**DEFINITION, **fields},
            started_at=started, stopped_at=stopped,
        )
    )  # fmt: skip
    db.session.commit()


def crowd(story: Story, arm: str, people: int, price: int, at: datetime = BEGIN, key: str = "one") -> None:
    """Expose people, every fourth of whom buys for a price that differs a little."""
    days = (at - BEGIN) / timedelta(days=1)
    orders = []
    for number in range(people):
        name = f"{key}-{arm}-{number}"
        story.expose(name, arm, at, key)
        if number % 4 == 0:
            story.tell("Order Completed", name, at + timedelta(days=1), order_id=name)
            paid = line("p1", price=price + number % 7)
            seconds = (days + 1) * 86_400
            orders.append(order_change(name, paid, placed=seconds, seconds=seconds))
    story.sell(*orders)


def report(story: Story, key: str = "one") -> dict[str, Any]:
    return reporting.report(db.session.connection(), story.id, key)


def test_a_large_difference_is_found_and_told(story: Story) -> None:
    begin(story)
    crowd(story, "control", 200, 1000)
    crowd(story, "b", 200, 3000)

    made = report(story)

    assert (made["verdict"], made["winner"], made["visitors"], made["orders"]) == ("better", "b", 400, 100)
    assert (made["from"], made["to"]) == (BEGIN.isoformat(), day(28).isoformat())
    assert (made["orders_until"], made["currency"], made["margin_known"]) == (
        day(35).isoformat(),
        "USD",
        False,
    )
    assert [arm["arm"] for arm in made["arms"]] == ["control", "b"]
    assert all(check["passed"] for check in made["checks"])
    assert json.loads(json.dumps(made)) == made


def test_visitors_who_are_not_split_as_planned_block_the_verdict(story: Story) -> None:
    begin(story)
    crowd(story, "control", 160, 1000)
    crowd(story, "b", 80, 3000)

    made = report(story)

    assert made["verdict"] == "blocked"
    assert [check["name"] for check in made["checks"] if not check["passed"]] == ["sample_ratio"]


@pytest.mark.parametrize("started", [None, BEGIN], ids=["a draft", "nobody came"])
def test_without_visitors_there_is_not_enough_data(story: Story, started: datetime | None) -> None:
    begin(story, started, None)

    assert (report(story)["verdict"], report(story)["visitors"]) == ("not_enough_data", 0)


@pytest.mark.parametrize(
    ("weeks", "verdict", "valid"),
    [(4, "better", False), (5, "not_enough_data", True)],
    ids=["its weeks are over", "stopped before"],
)
def test_what_is_looked_at_once_is_decided_when_its_weeks_are_over(
    story: Story, weeks: int, verdict: str, valid: bool
) -> None:
    begin(story, stop_rule="fixed", planned_weeks=weeks)
    crowd(story, "control", 200, 1000)
    crowd(story, "b", 200, 3000)

    made = report(story)

    assert (made["verdict"], made["always_valid"]) == (verdict, valid)


def test_who_comes_after_the_planned_weeks_is_no_part_of_a_single_look(story: Story) -> None:
    begin(story, stopped=None, stop_rule="fixed", planned_weeks=1)
    story.expose("ann", "b", day(6))
    story.expose("bob", "b", day(8))

    assert (report(story)["visitors"], report(story)["to"]) == (1, day(7).isoformat())


def test_the_control_of_a_slot_always_has_a_report(story: Story) -> None:
    at = now() - timedelta(days=20)
    crowd(story, "control", 50, 1000, at, "slot:product")
    crowd(story, "shown", 200, 1000, at, "slot:product")

    made = report(story, "slot:product")

    assert (made["status"], made["name"]) == ("running", "Control of the slot product")
    assert [(arm["arm"], arm["visitors"]) for arm in made["arms"]] == [("control", 50), ("shown", 200)]
    assert made["checks"][0]["passed"]
    assert made["from"] == at.isoformat()


@pytest.mark.parametrize("key", ["holdout", "two", "no key", "a\x00"])
def test_what_is_not_there_is_not_found(story: Story, key: str) -> None:
    begin(story)
    with pytest.raises(NotFound):
        report(story, key)


def test_another_stores_experiment_is_not_found(story: Story) -> None:
    begin(Story())
    with pytest.raises(NotFound):
        report(story)


# --- over HTTP ------------------------------------------------------------------------------------------


@pytest.fixture
def ask(story: Story, shared_app: Flask) -> Any:
    key = rotate_keys(story.store).secret
    db.session.commit()
    client: FlaskClient = shared_app.test_client()

    def get(path: str) -> Any:
        return client.get(f"/v1/experiments{path}", headers={"Authorization": f"Bearer {key}"})

    return get


def test_a_report_over_http(story: Story, ask: Any) -> None:
    begin(story)
    crowd(story, "control", 4, 1000)

    answer = ask("/one/report")

    assert (answer.status_code, answer.json["visitors"], answer.json["verdict"]) == (
        200,
        4,
        "not_enough_data",
    )
    assert ask("/two/report").status_code == 404


def test_a_large_report_is_made_by_a_worker(story: Story, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(story)
    crowd(story, "control", 4, 1000)
    asked = []
    monkeypatch.setattr(reporting, "AT_ONCE", 3)
    monkeypatch.setattr(jobs, "enqueue", lambda *what, **_: asked.append(what))

    before = ask("/one/report")
    ((_, function, *ids),) = asked
    jobs.make_report(*ids)
    after = ask("/one/report")

    assert (before.status_code, before.json) == (202, {"experiment": "one", "status": "being_made"})
    assert before.headers["Retry-After"] == "10"
    assert function == "app.experiments.jobs.make_report"
    assert (after.status_code, after.json["visitors"]) == (200, 4)


@pytest.mark.parametrize("looks", ["daily", "once"])
def test_a_forecast_needs_visitors(story: Story, ask: Any, looks: str) -> None:
    nothing = ask(f"/power?looks={looks}").json
    at = now() - timedelta(days=14)
    for number in range(400):
        story.view(f"v{number}", "d", at)
    for number in range(0, 400, 8):
        story.log_in(f"v{number}", str(number), at)
    seconds = (at - BEGIN).total_seconds() + 3600
    story.sell(
        *(
            order_change(
                f"o{n}", line("p1", price=5000), placed=seconds, seconds=seconds, customer=CustomerRef(str(n))
            )
            for n in range(0, 400, 8)
        )
    )

    found = ask(f"/power?looks={looks}&lift=0.05&weeks=12").json

    assert (nothing["visitors"], nothing["weeks"]) == (None, None)
    assert (found["visitors_per_week"], found["revenue_per_visitor"]) == (100, 625)
    assert found["visitors"] > 10_000
    assert "cannot be seen" in found["sentence"]
    assert found["currency"] == "USD"
    assert ask("/power?arms=3").json["visitors_per_week"] == 50
    assert ask("/power?lift=0").status_code == 422
