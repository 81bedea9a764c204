"""Rules over HTTP: written, ordered, checked, tried and taken back by the merchant's own programs."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app.core.db import db
from app.rules import schemas
from app.rules.current import at_version, current
from tests.recommendations.shops import Shop
from tests.rules.lists import NOTHING, boost, fact, fixed, hide, pin, promote, rule, strategy

WHENEVER = {"enabled": True, "starts_at": None, "ends_at": None, "if": None}


class Merchant:
    """A shop whose own programs write its rules."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def ask(self, method: str, path: str = "", **kwargs: Any) -> tuple[int, Any]:
        response = self.shop.client.open(
            f"/v1/rules{path}",
            method=method,
            headers={"Authorization": f"Bearer {self.shop.keys.secret}"},
            **kwargs,
        )
        db.session.rollback()
        return response.status_code, response.get_json()

    def writes(self, *rules: dict[str, Any]) -> Any:
        status, saved = self.ask("PUT", json={"rules": rules, "version": self.version})
        assert status == 200, saved
        return saved

    @property
    def version(self) -> int:
        return int(self.ask("GET")[1]["version"])

    @property
    def ids(self) -> list[str]:
        return [each["id"] for each in self.ask("GET")[1]["rules"]]

    def refused(self, method: str, path: str = "", **kwargs: Any) -> dict[str, str]:
        status, problem = self.ask(method, path, **kwargs)
        assert status == 422, problem
        return {each["name"]: each["reason"] for each in problem["invalid_params"]}


@pytest.fixture
def merchant(shared_app: Flask) -> Iterator[Merchant]:
    with shared_app.app_context():
        yield Merchant(Shop(shared_app.test_client()))
        db.session.rollback()


def just(rule_: dict[str, Any]) -> dict[str, Any]:
    """Return what a rule is without its id."""
    return {name: value for name, value in rule_.items() if name != "id"}


def test_a_store_begins_without_rules(merchant: Merchant) -> None:
    assert merchant.ask("GET") == (
        200, {"version": 0, "note": "", "restored_version": None, "created_at": None, "rules": []},
    )  # fmt: skip
    assert merchant.ask("GET", "/versions") == (200, {"versions": []})
    assert merchant.ask("GET", "/versions/0")[1]["rules"] == []
    assert merchant.ask("GET", "/lint") == (200, {"version": 0, "findings": []})
    assert merchant.ask("POST", "/undo")[0] == 409


def test_a_list_is_written_and_read(merchant: Merchant) -> None:
    first = rule(
        "first", hide(tags=["old"]), given=fact("slot", "home"), starts_at="2026-01-01T00:00:00+00:00"
    )

    saved = merchant.writes(first, just(rule("second", NOTHING, enabled=False)))

    read = merchant.ask("GET")[1]
    assert (saved["version"], saved["note"]) == (1, "The whole list was written anew.")
    assert {**saved, "findings": None} == {**read, "findings": None}
    assert read["rules"][0] == {**WHENEVER, **first}
    made = read["rules"][1].pop("id")
    assert read["rules"][1] == {**WHENEVER, **just(rule("second", NOTHING)), "enabled": False}
    assert made.startswith("r")
    assert [each.id for each in current(merchant.shop.store_id).rules] == ["first"]


def test_single_rules_are_added_changed_moved_and_deleted(merchant: Merchant) -> None:
    merchant.ask("POST", json=rule("a", hide(tags=["x"])))
    merchant.ask("POST", json=rule("b", hide(tags=["x"])))
    assert merchant.ask("POST", json={**rule("c", hide(tags=["x"])), "position": 1})[0] == 200
    assert merchant.ids == ["c", "a", "b"]

    assert merchant.ask("POST", "/move", json={"id": "c", "position": 9})[0] == 200
    assert merchant.ids == ["a", "b", "c"]

    assert merchant.ask("PUT", "/b", json={"name": "B", "then": [NOTHING]})[0] == 200
    assert merchant.ask("GET", "/b")[1] == {
        "version": 5, "position": 2, "rule": {"id": "b", "name": "B", **WHENEVER, "then": [NOTHING]},
    }  # fmt: skip

    assert merchant.ask("DELETE", "/a")[0] == 200
    assert merchant.ids == ["b", "c"]
    notes = [each["note"] for each in merchant.ask("GET", "/versions")[1]["versions"]]
    assert notes == [
        "Rule 'a' was deleted.", "Rule 'B' was changed.", "Rule 'c' was moved.", "Rule 'c' was added.",
        "Rule 'b' was added.", "Rule 'a' was added.",
    ]  # fmt: skip


def test_what_stays_the_same_makes_no_version(merchant: Merchant) -> None:
    merchant.ask("POST", json=rule("a", NOTHING))

    assert merchant.ask("POST", "/move", json={"id": "a", "position": 1})[1]["version"] == 1
    assert merchant.version == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/none", 404, id="read"),
        pytest.param("DELETE", "/none", 404, id="delete"),
        pytest.param("GET", "/versions/7", 404, id="version"),
        pytest.param("GET", "/versions/first", 404, id="no-version"),
        pytest.param("POST", "/versions/7/restore", 404, id="restore"),
    ],
)
def test_what_is_not_there_is_not_found(merchant: Merchant, method: str, path: str, status: int) -> None:
    assert merchant.ask(method, path)[0] == status
    assert merchant.version == 0


def test_an_id_is_given_once(merchant: Merchant) -> None:
    merchant.writes(rule("a", NOTHING))

    assert merchant.ask("POST", json=rule("a", NOTHING))[0] == 409
    assert merchant.refused("PUT", json={"rules": [rule("b", NOTHING)] * 2, "version": 1}) == {
        "rules.0.id": "Two rules have this id.", "rules.1.id": "Two rules have this id.",
    }  # fmt: skip
    assert merchant.ids == ["a"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("PUT", "", {"rules": []}, id="list"),
        pytest.param("POST", "", rule("b", NOTHING), id="add"),
        pytest.param("PUT", "/a", {"name": "A", "then": [NOTHING]}, id="change"),
        pytest.param("POST", "/move", {"id": "a", "position": 1}, id="move"),
        pytest.param("POST", "/undo", {}, id="undo"),
        pytest.param("POST", "/versions/0/restore", {}, id="restore"),
    ],
)
def test_a_change_of_an_older_version_is_refused(
    merchant: Merchant, method: str, path: str, body: dict[str, Any]
) -> None:
    merchant.writes(rule("a", hide(tags=["x"])))

    status, problem = merchant.ask(method, path, json={**body, "version": 0})

    assert (status, problem["detail"]) == (409, "The rules have been changed: version 1 counts, not 0.")
    assert (merchant.version, merchant.ids) == (1, ["a"])
    assert merchant.ask("DELETE", "/a", query_string={"version": 0})[0] == 409
    assert merchant.ask("DELETE", "/a", query_string={"version": 1})[0] == 200


def test_changes_are_taken_back_one_by_one(merchant: Merchant) -> None:
    for name in "abc":
        merchant.ask("POST", json=rule(name, NOTHING))

    assert merchant.ask("POST", "/undo")[1]["restored_version"] == 2
    assert merchant.ids == ["a", "b"]
    merchant.ask("POST", json=rule("d", NOTHING))
    for left in (["a", "b"], ["a"], []):
        assert merchant.ask("POST", "/undo")[0] == 200
        assert merchant.ids == left
    assert merchant.ask("POST", "/undo")[0] == 409


def test_an_older_version_is_restored(merchant: Merchant) -> None:
    for name in "abc":
        merchant.ask("POST", json=rule(name, NOTHING))

    status, saved = merchant.ask("POST", "/versions/1/restore")

    assert (status, saved["version"], saved["note"]) == (200, 4, "Back to version 1.")
    assert merchant.ids == ["a"]
    versions = merchant.ask("GET", "/versions", query_string={"limit": 2, "before": 4})[1]["versions"]
    assert [(each["version"], each["rules"]) for each in versions] == [(3, 3), (2, 2)]
    assert [each["id"] for each in merchant.ask("GET", "/versions/3")[1]["rules"]] == ["a", "b", "c"]
    connection = db.session.connection()
    assert [r.id for r in at_version(connection, merchant.shop.store_id, 2).rules] == ["a", "b"]


def refusal(id_: str, place: str, reason: str, **body: Any) -> Any:
    """Return a case: what the body of a rule has besides, and where it is refused, and why."""
    body = {"if": body.pop("given"), **body} if "given" in body else body
    return pytest.param(body, {place: reason}, id=id_)


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        refusal("no-kind", "if", schemas.ONE_KIND, given={}),
        refusal("two-kinds", "if", schemas.ONE_KIND, given={**fact("tag", "a"), "not": fact("tag", "b")}),
        refusal("no-slot", "if.in", schemas.NO_SUCH_WORD, given=fact("slot", "roof")),
        refusal("no-intent", "if.in", schemas.NO_SUCH_WORD, given=fact("intent", "war")),
        refusal("no-country", "if.in", schemas.NO_SUCH_WORD, given=fact("country", "de")),
        refusal("no-country-of-digits", "if.in", schemas.NO_SUCH_WORD, given=fact("country", "A1")),
        refusal("no-device", "if.in", schemas.NO_SUCH_WORD, given=fact("device", "watch")),
        refusal("no-words", "if.in", schemas.MISSING, given={"fact": "tag"}),
        refusal("no-word", "if.in", "Length must be between 1 and 100.", given=fact("tag")),
        refusal("a-range-of-words", "if.at_least", schemas.NOT_HERE, given={**fact("tag", "a"), "at_least": 1}),
        refusal("words-of-a-number", "if.in", schemas.NOT_HERE, given={**fact("cart_size", "a"), "at_least": 1}),
        refusal("a-range-of-all", "if.at_most", schemas.NOT_HERE, given={"all": [fact("tag", "a")], "at_most": 1}),
        refusal("no-range", "if", schemas.NO_RANGE, given={"fact": "cart_value"}),
        refusal(
            "nothing-between", "if.at_most", schemas.EMPTY_RANGE,
            given={"fact": "cart_size", "at_least": 2, "at_most": 1},
        ),
        refusal("no-time", "if", schemas.NO_TIME, given={"fact": "time"}),
        refusal("no-minute", "if.to", schemas.EMPTY_RANGE, given={"fact": "time", "from": "09:00", "to": "09:00"}),
        refusal("no-clock", "if.from", "Not a time such as 09:30.", given={"fact": "time", "from": "9"}),
        refusal("no-action", "then", "Length must be between 1 and 10.", then=[]),
        refusal("no-position", "then.0.position", schemas.MISSING, then=[{"do": "pin", "product": "p"}]),
        refusal("no-filter", "then.0.filter", schemas.NO_FILTER, then=[hide()]),
        refusal(
            "no-price", "then.0.filter.price_at_most", schemas.EMPTY_RANGE,
            then=[hide(price_at_least=2, price_at_most=1)],
        ),
        refusal("bury-by-2", "then.0.factor", schemas.BURIES, then=[{**boost(2.0, tags=["a"]), "do": "bury"}]),
        refusal("boost-by-half", "then.0.factor", schemas.BOOSTS, then=[{**boost(0.5, tags=["a"]), "do": "boost"}]),
        refusal("no-strategy", "then.0.strategy", schemas.NO_SUCH_STRATEGY, then=[strategy("magic")]),
        refusal("two-answers", "then", schemas.ONE_ANSWER, then=[strategy("trending"), fixed("a")]),
        refusal("more-than-nothing", "then", schemas.NOTHING_ALONE, then=[NOTHING, pin("a", 1)]),
        refusal("one-position", "then", schemas.PINNED_TWICE, then=[pin("a", 1), pin("b", 1)]),
        refusal("one-product", "then", schemas.PINNED_TWICE, then=[pin("a", 1), pin("a", 2)]),
        refusal("unknown", "then.0.why", "Unknown field.", then=[{**NOTHING, "why": "x"}]),
        refusal("no-truth", "enabled", "Not true or false.", enabled=1),
        refusal("no-time-zone", "starts_at", "Not a valid aware datetime.", starts_at="2026-01-01T00:00:00"),
        refusal("an-address", "id", schemas.TAKEN, id="undo"),
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused(merchant: Merchant, body: Any, reasons: dict[str, str]) -> None:
    assert merchant.refused("POST", json={"name": "R", "then": [NOTHING], **body}) == reasons
    assert merchant.version == 0


def nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = fact("tag", "a")
    for _ in range(depth - 1):
        found = {"not": found}
    return found


def test_conditions_have_limits(merchant: Merchant) -> None:
    body = {"name": "R", "then": [NOTHING]}
    many = {"all": [fact("tag", "a")] * 30}

    assert merchant.refused("POST", json={**body, "if": nested(6)}) == {
        "if": "Conditions are nested more than 5 deep."
    }
    assert merchant.refused("POST", json={**body, "if": many}) == {"if": "These are more than 30 conditions."}
    assert merchant.ask("POST", json={**body, "if": nested(5)})[0] == 200


def test_a_store_has_200_rules_at_most(merchant: Merchant) -> None:
    products = [f"product-{n}" for n in range(100)]
    full = [rule(f"r{n}", hide(products=products)) for n in range(200)]

    assert len(merchant.writes(*full)["rules"]) == 200
    assert merchant.ask("POST", json=rule("more", NOTHING))[0] == 409
    assert merchant.refused("PUT", json={"rules": [*full, rule("more", NOTHING)], "version": 1}) == {
        "rules": "Longer than maximum length 200."
    }
    assert merchant.ask("PUT", data=b" " * 1_000_001, content_type="application/json")[0] == 413


def test_saving_says_what_is_odd_about_the_rules(merchant: Merchant) -> None:
    merchant.shop.has("p1")

    saved = merchant.writes(
        rule("pin", pin("p1", 1)), rule("hide", hide(products=["p1"])), rule("x", pin("p9", 2))
    )

    codes = [(each["rule"], each["other"], each["level"], each["code"]) for each in saved["findings"]]
    assert codes == [
        ("pin", "hide", "error", "shown_and_hidden"),
        ("hide", None, "error", "hides_everything"),
        ("x", None, "warning", "unknown_product"),
    ]
    assert merchant.ask("GET", "/lint")[1] == {"version": 1, "findings": saved["findings"]}


def test_unknown_segments_are_found(merchant: Merchant) -> None:
    saved = merchant.writes(
        rule("a", hide(products=["p"]), given=fact("segment", "champions")),
        rule("b", hide(products=["p"]), given=fact("segment", "heroes")),
    )

    assert [(f["rule"], f["code"]) for f in saved["findings"]] == [("b", "unknown_segment")]


# --- trying ---------------------------------------------------------------------------------------------


def test_an_invented_shopper_sees_what_the_rules_say(merchant: Merchant) -> None:
    merchant.shop.has("p1", "p2", "p3", "p4")
    merchant.shop.sells("p1", "p2", "p3")
    merchant.writes(rule("hide", hide(products=["p1"])))

    status, found = merchant.ask("POST", "/preview", json={"question": {"slot": "home"}})

    assert status == 200
    assert (found["shown"], found["fired"], found["unfired"]) == (["p2", "p3"], ["hide"], [])
    assert found["trace"] == [
        {
            "rule": "hide",
            "name": "hide",
            "did": [{"do": "hide", "applied": True, "by": None, "products": ["p1"]}],
        }
    ]


def test_rules_are_tried_before_they_are_saved(merchant: Merchant) -> None:
    merchant.shop.has("p1", "p2", "p3", "p4")
    merchant.shop.sells("p1", "p2", "p3")
    tried = [
        rule("german", pin("p4", 1), given=fact("country", "DE")),
        rule("french", NOTHING, given={"all": [fact("slot", "home"), fact("country", "FR")]}),
        rule("off", NOTHING, enabled=False),
        rule("later", NOTHING, starts_at="2999-01-01T00:00:00+00:00"),
        rule("night", NOTHING, given={"fact": "time", "from": "22:00", "to": "06:00"}),
    ]

    status, found = merchant.ask(
        "POST",
        "/preview",
        json={
            "question": {"slot": "home", "limit": 2},
            "context": {"country": "DE", "now": "2026-03-01T12:00:00Z"},
            "rules": tried,
        },
    )

    assert status == 200
    assert (found["shown"], found["fired"]) == (["p4", "p1"], ["german"])
    assert {each["rule"]: each["because"] for each in found["unfired"]} == {
        "french": "The country is DE.",
        "off": "It is off.",
        "later": "It begins on 2999-01-01T00:00:00+00:00.",
        "night": "The time is Sunday 12:00.",
    }
    assert merchant.version == 0


def test_a_preview_without_serving_says_so(
    merchant: Merchant, shared_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(shared_app.extensions, "pannier_preview")

    assert merchant.ask("POST", "/preview", json={"question": {"slot": "home"}})[0] == 409
    assert merchant.refused("POST", "/preview", json={"question": {"slot": "roof"}}) == {
        "question.slot": "This fact has no such value."
    }


def test_the_impact_of_rules_is_counted_on_past_decisions(merchant: Merchant, shared_app: Flask) -> None:
    shop = merchant.shop
    shop.has("p1", "p2", "p3")
    shop.sells("p1", "p2")
    shop.together("p1", "p3")
    shop.get(slot="home")
    shop.get(slot="home", limit=1)
    shop.get(slot="product", product_id="p1")
    assert shared_app.extensions["pannier_decisions"].flush()

    found = merchant.ask("POST", "/impact", json={"rules": [rule("hide", hide(products=["p2"]))]})[1]
    none = merchant.ask("POST", "/impact", json={"rules": [rule("hide", hide(products=["p9"]))]})[1]

    assert (found["looked_at"], found["changed"], len(found["examples"])) == (3, 1, 1)
    assert (none["looked_at"], none["changed"], none["not_replayable"]) == (3, 0, 0)
    assert (
        merchant.ask("POST", "/impact", json={"rules": [rule("p", promote(50, tags=["x"]))], "most": 2})[1][
            "looked_at"
        ]
        == 2
    )
