"""Experiments over HTTP, from draft to verdict."""

from typing import Any

import pytest
from flask import Flask

from app.core.db import db
from app.experiments import lifecycle, running, schemas
from tests.recommendations.shops import Shop

B = {"key": "b", "settings": {"strategy": "trending"}}
SMALL: dict[str, Any] = {"name": "Trending at home", "arms": [B]}


class Merchant:
    """A shop whose own programs keep experiments."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def ask(self, method: str, path: str = "", body: Any = None) -> tuple[int, Any]:
        response = self.shop.client.open(
            f"/v1/experiments{path}",
            method=method,
            json=body,
            headers={"Authorization": f"Bearer {self.shop.keys.secret}"},
        )
        db.session.rollback()
        return response.status_code, response.get_json()

    def define(self, key: str = "one", **fields: Any) -> tuple[int, Any]:
        return self.ask("POST", body={"key": key, **SMALL, **fields})

    def has(self, key: str, status: str, **fields: Any) -> None:
        """Bring an experiment to a status."""
        assert self.define(key, **fields)[0] == 200
        for step, body in (("start", None), ("stop", None), ("decide", {"arm": "b"})):
            if self.status(key) == status:
                return
            assert self.ask("POST", f"/{key}/{step}", body)[0] == 200
        assert self.status(key) == status

    def status(self, key: str) -> str:
        found: str = self.ask("GET", f"/{key}")[1]["status"]
        return found

    def running(self) -> list[str]:
        return [each.key for each in running.running(self.shop.store_id)]


@pytest.fixture
def merchant(app: Flask) -> Merchant:
    return Merchant(Shop(app.test_client()))


def reasons(answer: tuple[int, Any]) -> dict[str, str]:
    status, body = answer
    assert status == 422
    return {each["name"]: each["reason"] for each in body["invalid_params"]}


def refused(answer: tuple[int, Any]) -> str:
    status, body = answer
    assert status == 409
    detail: str = body["detail"]
    return detail


# --- defined --------------------------------------------------------------------------------------------


def test_a_draft_has_every_default_and_a_control(merchant: Merchant) -> None:
    status, made = merchant.define()

    times = {name: made.pop(name) for name in ("created_at", "updated_at")}
    assert (status, all(times.values())) == (200, True)
    assert made == {
        "key": "one", "name": "Trending at home", "status": "draft", "hypothesis": "", "slots": None,
        "arms": [
            {"key": "control", "name": "Control", "weight": 1.0, "share": 0.5, "settings": {}},
            {"key": "b", "name": "b", "weight": 1.0, "share": 0.5, "settings": {"strategy": "trending"}},
        ],
        "unit": "visitor", "slice_hours": None, "coverage": 1.0, "namespace": None, "targeting": {},
        "minimum_effect": 0.05, "winsor_cap": None, "planned_weeks": 4, "stop_rule": "sequential",
        "started_at": None, "stopped_at": None, "decided_at": None, "verdict": None,
    }  # fmt: skip
    assert merchant.ask("GET", "/one")[1] == {**made, **times}
    assert merchant.running() == []


def test_everything_that_can_be_said_is_kept(merchant: Merchant) -> None:
    said = {
        "name": "Offers in the cart", "hypothesis": "More fits in.\nFor those who are building one.",
        "slots": ["cart", "product"],
        "arms": [
            {"key": "b", "name": "An offer", "weight": 2.0,
             "settings": {"show": "nothing", "offer": "o1", "price_rule": "p1", "copy": "c1", "placement": "top"}},
            {"key": "control", "name": "As it is", "weight": 6.0, "settings": {"strategy": "best_sellers"}},
        ],
        "coverage": 0.5, "namespace": {"key": "checkout", "from": 0.25, "to": 0.5},
        "targeting": {"segment": ["loyal"], "intent": ["building_cart"], "channel": ["online"],
                      "country": ["DE", "AT"], "device": ["mobile"]},
        "minimum_effect": 0.02, "winsor_cap": 50_000, "planned_weeks": 6,
        "stop_rule": "fixed",
    }  # fmt: skip
    status, made = merchant.ask("POST", body={"key": "one", **said})

    assert status == 200
    assert [arm.pop("share") for arm in made["arms"]] == [0.25, 0.75]
    assert {name: made[name] for name in said} == said


def test_rules_of_an_arm_are_rules(merchant: Merchant) -> None:
    hide = {"name": "No mugs", "then": [{"do": "hide", "filter": {"categories": ["Mugs"]}}]}
    good, bad = ([{"key": "b", "settings": {"rules": [rule]}}] for rule in (hide, {**hide, "then": []}))

    (rule,) = merchant.define(arms=good)[1]["arms"][1]["settings"]["rules"]

    assert (rule["name"], rule["enabled"], bool(rule["id"])) == ("No mugs", True, True)
    assert set(reasons(merchant.define(arms=bad))) == {"arms.0.settings.rules.0.then"}


def test_what_was_told_of_a_running_experiment_with_rules_can_be_sent_back(merchant: Merchant) -> None:
    hide = {"name": "No mugs", "then": [{"do": "hide", "filter": {"categories": ["Mugs"]}}]}
    merchant.has("one", "running", arms=[{"key": "b", "settings": {"rules": [hide]}}])
    told = merchant.ask("GET", "/one")[1]
    arms = [{name: value for name, value in arm.items() if name != "share"} for arm in told["arms"]]

    answer = merchant.ask("PUT", "/one", {"name": "Other", "arms": arms})

    assert (answer[0], answer[1]["name"], answer[1]["arms"]) == (200, "Other", told["arms"])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"key": "holdout"}, {"key": schemas.TAKEN}, id="the hold-out's key"),
        pytest.param({"key": "power"}, {"key": schemas.TAKEN}, id="an address"),
        pytest.param({"key": "slot:cart"}, {"key": "Not a key."}, id="a key like a control's"),
        pytest.param({"slots": ["roof"]}, {"slots.0": schemas.NO_SUCH_SLOT}, id="an unknown slot"),
        pytest.param({"slots": ["cart", "cart"]}, {"slots": schemas.TWICE}, id="a slot twice"),
        pytest.param(
            {"arms": [{"key": "b", "settings": {"strategy": "guess"}}]},
            {"arms.0.settings.strategy": schemas.NO_SUCH_STRATEGY},
            id="an unknown strategy",
        ),
        pytest.param(
            {"arms": [{"key": "b", "settings": {"show": "more"}}]},
            {"arms.0.settings.show": "Must be one of: nothing."},
            id="showing something",
        ),
        pytest.param({"arms": [B, B]}, {"arms": schemas.TWICE}, id="an arm twice"),
        pytest.param({"arms": [{"key": "b"}]}, {"arms": schemas.ALL_ALIKE}, id="nothing to compare"),
        pytest.param({"arms": [{**B, "key": "control"}]}, {"arms": schemas.ALL_ALIKE}, id="a control alone"),
        pytest.param(
            {"arms": [{**B, "key": f"b{n}"} for n in range(schemas.MOST_ARMS)]},
            {"arms": schemas.TOO_MANY_ARMS},
            id="too many arms",
        ),
        pytest.param(
            {"namespace": {"key": "space", "from": 0.5, "to": 0.5}},
            {"namespace.to": schemas.EMPTY_PART},
            id="an empty part",
        ),
        pytest.param({"coverage": True}, {"coverage": "Not a valid number."}, id="a truth value"),
        pytest.param({"colour": "red"}, {"colour": "Unknown field."}, id="unknown"),
    ],
)
def test_what_makes_no_experiment(
    merchant: Merchant, fields: dict[str, Any], expected: dict[str, str]
) -> None:
    assert reasons(merchant.define(**fields)) == expected


def test_a_key_is_given_once(merchant: Merchant) -> None:
    merchant.define()

    assert refused(merchant.define()) == "There is an experiment of this key already."


def test_experiments_are_listed_newest_first(merchant: Merchant) -> None:
    assert merchant.ask("GET") == (200, {"experiments": []})
    merchant.has("one", "running")
    merchant.define("two")

    def keys(query: str = "") -> list[str]:
        return [each["key"] for each in merchant.ask("GET", query)[1]["experiments"]]

    assert (keys(), keys("?status=running"), keys("?status=decided")) == (["two", "one"], ["one"], [])


def test_there_are_so_many_at_most(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "MOST", 1)
    merchant.define("one")

    assert refused(merchant.define("two")).startswith("A store has 1 experiments at most")


# --- from draft to verdict ------------------------------------------------------------------------------


def test_an_experiment_from_draft_to_verdict(merchant: Merchant) -> None:
    merchant.define()
    started = merchant.ask("POST", "/one/start")[1]
    on = merchant.running()
    stopped = merchant.ask("POST", "/one/stop")[1]
    decided = merchant.ask("POST", "/one/decide", {"arm": "control", "note": "No difference."})[1]

    assert [each["status"] for each in (started, stopped, decided)] == ["running", "stopped", "decided"]
    assert (on, merchant.running()) == (["one"], [])
    assert started["started_at"] < stopped["stopped_at"] < decided["decided_at"]
    assert decided["started_at"] == started["started_at"]
    assert decided["verdict"] == {"arm": "control", "note": "No difference."}


STEPS = {
    "start": ("POST", "/one/start", None),
    "stop": ("POST", "/one/stop", None),
    "decide": ("POST", "/one/decide", {"arm": "b"}),
    "delete": ("DELETE", "/one", None),
}
ALLOWED = {("draft", "start"), ("draft", "delete"), ("running", "stop"), ("stopped", "decide")}


@pytest.mark.parametrize("status", ["draft", "running", "stopped", "decided"])
def test_no_other_step_is_taken(merchant: Merchant, status: str) -> None:
    merchant.has("one", status)
    before = merchant.ask("GET", "/one")[1]

    for step, (method, path, body) in STEPS.items():
        if (status, step) not in ALLOWED:
            assert refused(merchant.ask(method, path, body)).startswith(f"It is {status}, and only what is ")

    assert merchant.ask("GET", "/one")[1] == before


def test_a_draft_can_be_changed_and_deleted(merchant: Merchant) -> None:
    merchant.define()
    changed = merchant.ask("PUT", "/one", {**SMALL, "name": "Other", "coverage": 0.5})[1]

    assert (changed["name"], changed["coverage"]) == ("Other", 0.5)
    assert merchant.ask("DELETE", "/one") == (200, {"deleted": "one"})
    assert merchant.ask("GET", "/one")[0] == 404


@pytest.mark.parametrize("status", ["running", "stopped", "decided"])
def test_of_what_has_started_only_the_name_changes(merchant: Merchant, status: str) -> None:
    merchant.has("one", status)

    named = merchant.ask("PUT", "/one", {**SMALL, "name": "Other"})
    other = merchant.ask("PUT", "/one", {**SMALL, "coverage": 0.5, "planned_weeks": 5})

    assert (named[0], named[1]["name"]) == (200, "Other")
    assert refused(other) == (
        f"It is {status}: only its name can change, not coverage, planned_weeks. Copy it, and start the copy."
    )
    assert merchant.ask("GET", "/one")[1] == named[1]


def test_a_copy_is_a_draft_that_assigns_anew(merchant: Merchant) -> None:
    merchant.has("one", "decided", coverage=0.5)

    copied = merchant.ask("POST", "/one/copy", {"key": "two"})[1]
    named = merchant.ask("POST", "/one/copy", {"key": "three", "name": "Third"})[1]

    assert (copied["key"], copied["status"], copied["name"]) == ("two", "draft", "Trending at home")
    assert (copied["coverage"], copied["verdict"], copied["started_at"]) == (0.5, None, None)
    assert named["name"] == "Third"
    assert refused(merchant.ask("POST", "/one/copy", {"key": "two"})).startswith("There is an experiment")


def test_a_verdict_names_an_arm(merchant: Merchant) -> None:
    merchant.has("one", "stopped")

    assert reasons(merchant.ask("POST", "/one/decide", {"arm": "c"})) == {"arm": schemas.NO_SUCH_ARM}
    assert merchant.status("one") == "stopped"


# --- beside each other ----------------------------------------------------------------------------------


def part(start: float, end: float) -> dict[str, Any]:
    return {"namespace": {"key": "space", "from": start, "to": end}}


def test_overlapping_parts_of_a_namespace_do_not_run_together(merchant: Merchant) -> None:
    merchant.has("one", "running", **part(0, 0.5))
    merchant.define("two", **part(0.4, 1))
    merchant.has("three", "running", **part(0.5, 1))

    assert refused(merchant.ask("POST", "/two/start")) == (
        "It cannot run beside what runs: its part of the namespace space overlaps that of one;"
        " its part of the namespace space overlaps that of three."
    )
    assert merchant.running() == ["one", "three"]


def test_two_experiments_do_not_change_the_same_thing_of_the_same_visitors(merchant: Merchant) -> None:
    merchant.has("one", "running", slots=["cart", "home"])
    merchant.define("two", slots=["home"])
    merchant.has("elsewhere", "running", slots=["product"])
    merchant.has("other", "running", slots=["home"], arms=[{"key": "b", "settings": {"copy": "c1"}}])

    assert "one changes strategy in the same slot" in refused(merchant.ask("POST", "/two/start"))
    merchant.ask("POST", "/one/stop")
    assert merchant.ask("POST", "/two/start")[0] == 200


def test_so_many_run_at_most(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "MOST_RUNNING", 1)
    merchant.has("one", "running", slots=["cart"])
    merchant.define("two", slots=["home"])

    assert refused(merchant.ask("POST", "/two/start")).startswith("1 experiments run, which is the most")


# --- whose they are -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "/one", None), ("PUT", "/one", SMALL), ("POST", "/one/copy", {"key": "two"}), *STEPS.values()],
)
def test_another_store_s_experiment_is_not_there(
    merchant: Merchant, method: str, path: str, body: Any
) -> None:
    merchant.has("one", "draft")
    other = Merchant(Shop(merchant.shop.client))

    status, found = other.ask(method, path, body)

    assert (status, found["detail"]) == (404, "This store has no experiment 'one'.")
    assert other.ask("GET")[1] == {"experiments": []}
    assert merchant.status("one") == "draft"


def test_two_stores_may_use_the_same_key_and_namespace(merchant: Merchant) -> None:
    other = Merchant(Shop(merchant.shop.client))
    for each in (merchant, other):
        each.has("one", "running", **part(0, 1))

    assert (merchant.running(), other.running()) == (["one"], ["one"])


@pytest.mark.parametrize("key", ["none", "Not-a-key", "a%0A", "%00", "holdout"])
def test_what_is_not_there_is_not_found(merchant: Merchant, key: str) -> None:
    assert merchant.ask("GET", f"/{key}")[0] == 404
