"""``pannier experiments``: good use, bad use, and what it prints."""

import json

import pytest

from app.commerce.store import Store
from app.experiments import lifecycle
from app.experiments.schemas import ExperimentFields
from tests.command import Pannier


@pytest.fixture
def pannier(shopify: Store, pannier: Pannier) -> Pannier:
    """Run ``pannier experiments`` for a store with one draft."""
    definition = ExperimentFields().load(
        {
            "name": "Trending",
            "hypothesis": "What is new sells.",
            "arms": [{"key": "b", "weight": 3, "settings": {"strategy": "trending"}}],
        }
    )
    lifecycle.create(shopify.id, "one", definition.pop("name"), definition)
    return pannier.within("experiments", store=shopify)


def test_an_experiment_is_shown_started_stopped_and_decided(pannier: Pannier) -> None:
    shown = pannier("show", "one")
    started = json.loads(pannier("start", "one", "--json").stdout)
    listed = json.loads(pannier("list", "--status", "running", "--json").stdout)
    stopped = pannier("stop", "one")
    decided = pannier("decide", "one", "b", "--note", "It does.")

    assert shown.stderr == "one (Trending) is a draft.\nWhat is new sells.\n"
    assert shown.stdout.splitlines() == [
        "arm      share  name     settings",
        "control  50.0%  Control",
        'b        50.0%  b        {"strategy": "trending"}',
    ]
    assert started["status"] == "running"
    assert [(each["key"], each["arms"], each["started_at"]) for each in listed] == [
        ("one", 2, started["started_at"])
    ]
    assert stopped.stderr.startswith("one (Trending) is stopped since 20")
    assert decided.stderr.splitlines()[0].endswith("; b is kept.")
    assert pannier("list", "--status", "running").stdout == "There is none.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["show", "two"], 1, "This store has no experiment 'two'."),
        (["stop", "one"], 1, "It is draft, and only what is running can be stopped."),
        (["decide", "one", "b"], 1, "It is draft, and only what is stopped can be decided."),
        (["list", "--status", "odd"], 2, "'odd' is not one of 'draft', 'running', 'stopped', 'decided'."),
    ],
)
def test_bad_use_is_one_sentence(pannier: Pannier, arguments: list[str], code: int, text: str) -> None:
    result = pannier(*arguments)

    assert (result.exit_code, result.stdout) == (code, "")
    assert text in result.stderr


def test_what_a_draft_has_shown_is_that_there_is_not_enough_data(pannier: Pannier) -> None:
    told, data = pannier("report", "one"), json.loads(pannier("report", "one", "--json").stdout)

    assert (told.exit_code, data["verdict"], data["visitors"]) == (0, "not_enough_data", 0)
    assert told.stdout.splitlines()[: len(data["sentences"])] == data["sentences"]
    missing = pannier("report", "two")
    assert (missing.exit_code, missing.stderr) == (1, "Error: This store has no experiment 'two'.\n")


def test_a_forecast_without_visitors_says_so(pannier: Pannier) -> None:
    told, data = pannier("power", "--lift", "0.1"), json.loads(pannier("power", "--json").stdout)

    assert (told.exit_code, told.stdout) == (0, data["sentence"] + "\n")
    assert (data["weeks"], data["lift"]) == (None, 0.05)
    assert pannier("power", "--weeks", "1").exit_code == 2
