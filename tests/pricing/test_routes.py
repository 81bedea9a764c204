"""Price rules, proposals and changes over HTTP, and what the clock does with them."""

from typing import Any

import pytest
from flask import Flask
from rq import Queue
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.commerce.store import Store, rotate_keys
from app.core import metrics
from app.core.db import db, now
from app.core.queues import LEARNING, PLATFORMS
from app.core.redis import queue_redis
from app.pricing import changes, jobs
from app.pricing.models import PriceRule
from tests.pricing.scripted_prices import ScriptedPrices
from tests.pricing.selling import add_change, add_rule, all_changes, put_on_sale, states
from tests.pricing.wanting import STOCK

RULE: dict[str, Any] = {
    "name": "Heaps",
    "mode": "approve",
    "products": {"categories": ["Mugs"]},
    "signals": [STOCK],
    "guards": {"floor": 500, "least_margin_percent": 12.5, "endings": [".99", ".49"]},
}
LIFT = {"signals": [{"signal": "demand", "weight_percent": 5}], "guards": {"floor": 1020}}


@pytest.fixture
def ask(shared_app: Flask, store: Store) -> Any:
    """Ask the store's routes of prices."""
    secret = rotate_keys(store).secret
    db.session.commit()
    client = shared_app.test_client()

    def asked(method: str, path: str, body: Any = None, **query: Any) -> TestResponse:
        return client.open(
            f"/v1/prices/{path}",
            method=method,
            json=body,
            query_string=query,
            headers={"Authorization": f"Bearer {secret}"},
        )

    return asked


def queued(name: str) -> list[tuple[str, tuple[Any, ...]]]:
    return [(job.func_name, job.args) for job in Queue(name, connection=queue_redis()).jobs]


def test_a_rule_is_added_read_changed_and_deleted(ask: Any, store: Store) -> None:
    made = ask("POST", "rules", {"key": "heaps", **RULE})
    assert made.status_code == 200
    body = made.get_json()
    assert {name: body[name] for name in RULE} == RULE
    assert (body["key"], body["active"], body["currency"]) == ("heaps", True, "USD")

    changed = ask("PUT", "rules/heaps", {**RULE, "name": "Piles", "active": False}).get_json()
    assert (changed["name"], changed["active"]) == ("Piles", False)
    assert ask("GET", "rules").get_json() == {"rules": [changed]}
    assert ask("GET", "rules/heaps").get_json() == changed

    assert ask("DELETE", "rules/heaps").get_json() == {"deleted": "heaps"}
    assert ask("GET", "rules/heaps").status_code == 404
    assert db.session.scalars(select(PriceRule).where(PriceRule.store_id == store.id)).all() == []


def test_a_key_is_taken_once(ask: Any) -> None:
    ask("POST", "rules", {"key": "heaps", **RULE})

    again = ask("POST", "rules", {"key": "heaps", **RULE})

    assert (again.status_code, again.get_json()["detail"]) == (
        409,
        "There is a price rule of this key already.",
    )


@pytest.mark.parametrize(
    ("wrong", "name", "reason"),
    [
        pytest.param({"products": {}}, "products", "Say which products are meant.", id="no products"),
        pytest.param({"products": {"all": False}}, "products", "Say which products are meant.", id="not all"),
        pytest.param({"signals": [STOCK, STOCK]}, "signals", "A rule listens to a signal once.", id="twice"),
        pytest.param(
            {"signals": [{**STOCK, "ratio": 2}]},
            "signals.0.ratio",
            "This does not belong here.",
            id="strange",
        ),
        pytest.param(
            {"signals": [{**STOCK, "low_days": 90}]},
            "signals.0.high_days",
            "Nothing lies between the two ends.",
            id="no days between",
        ),
        pytest.param(
            {"guards": {"floor": 9, "ceiling": 8}},
            "guards.ceiling",
            "Nothing lies between the two ends.",
            id="floor above ceiling",
        ),
        pytest.param(
            {"guards": {"endings": [".99", ".999"]}},
            "guards.endings.1",
            "The store's currency has fewer decimals.",
            id="an ending of another currency",
        ),
        pytest.param(
            {"guards": {"largest_step_percent": 0.5}},
            "guards.largest_step_percent",
            "This is more than the largest step.",
            id="the least step is larger",
        ),
        pytest.param(
            {"guards": {"single": [{"product_id": "1", "floor": 1}] * 2}},
            "guards.single",
            "A product stands here once.",
            id="a product twice",
        ),
        pytest.param({"hours": {}}, "hours", "Say weekdays, or from and to.", id="no hours"),
        pytest.param({"currency": "EUR"}, "currency", "Unknown field.", id="its currency is the store's"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(
    ask: Any, wrong: dict[str, Any], name: str, reason: str
) -> None:
    answer = ask("POST", "rules", {"key": "heaps", **RULE, **wrong})

    assert answer.status_code == 422
    assert answer.get_json()["invalid_params"] == [{"name": name, "reason": reason}]
    assert ask("GET", "rules").get_json() == {"rules": []}


@pytest.mark.parametrize(
    ("change", "state"),
    [
        pytest.param({"name": "Another"}, "proposed", id="a name changes nothing"),
        pytest.param({"guards": {"floor": 600}}, "expired", id="other guards"),
        pytest.param({"mode": "suggest"}, "expired", id="another mode"),
        pytest.param({"active": False}, "expired", id="paused"),
    ],
)
def test_a_changed_rule_voids_what_it_proposed(
    ask: Any, store: Store, change: dict[str, Any], state: str
) -> None:
    ask("POST", "rules", {"key": "heaps", **RULE})
    add_change(store, state="proposed", rule="heaps")

    ask("PUT", "rules/heaps", {**RULE, **change})

    assert states(store) == [state]


def test_a_deleted_rule_voids_what_waits_and_leaves_what_is_live(ask: Any, store: Store) -> None:
    ask("POST", "rules", {"key": "heaps", **RULE})
    for state in ("proposed", "approved", "live"):
        add_change(store, state=state, rule="heaps")

    ask("DELETE", "rules/heaps")

    assert states(store) == ["expired", "expired", "live"]


def test_named_products_are_looked_at_at_once(ask: Any, store: Store) -> None:
    put_on_sale(store)
    put_on_sale(store, "p2")
    add_rule(store, *LIFT["signals"], guards=LIFT["guards"])

    found = ask("POST", "proposals", {"products": ["p1"]}).get_json()

    (proposal,) = found["proposals"]
    assert (proposal["variant_id"], proposal["old_price"], proposal["new_price"]) == ("v-p1", 1000, 1020)
    assert proposal["reason"] == "2.0 % higher, to come back within the floor."
    assert (found["queued"], found["standing"], found["void"], found["kept"]) == (False, 0, 0, [])
    assert ask("GET", "proposals").get_json() == {"proposals": [proposal], "next_cursor": None}
    assert queued(PLATFORMS)[-1:] == [(jobs.WRITE, (store.id,))]


def test_all_products_are_looked_at_soon(ask: Any, store: Store) -> None:
    found = ask("POST", "proposals", {"products": None}).get_json()

    assert (found["queued"], found["proposals"]) == (True, [])
    assert queued(LEARNING)[-1:] == [(jobs.PROPOSE, (store.id,))]


def test_a_look_says_why_prices_stay(ask: Any, store: Store) -> None:
    put_on_sale(store, compare_at_price=1500)
    add_rule(store)

    found = ask("POST", "proposals", {"products": ["p1"], "rule": "r"}).get_json()

    assert found["kept"] == [{"reason": "reduced", "variants": 1}]
    assert ask("POST", "proposals", {"products": ["p1"], "rule": "x"}).status_code == 404


def test_a_proposal_is_approved_written_and_taken_back(
    ask: Any, store: Store, prices: ScriptedPrices
) -> None:
    change = add_change(store, state="proposed")
    prices.stands = {"p1": {"v-p1": (1000, None)}}

    approved = ask("POST", f"proposals/{change.id}/approve").get_json()
    assert (approved["state"], approved["actor"]) == ("approved", "merchant")
    assert queued(PLATFORMS)[-1:] == [(jobs.WRITE, (store.id,))]
    jobs.write(store.id)
    assert ask("GET", f"changes/{change.id}").get_json()["state"] == "live"
    assert prices.stands == {"p1": {"v-p1": (900, None)}}

    undone = ask("POST", f"changes/{change.id}/undo").get_json()
    assert [each["undo_of"] for each in undone["changes"]] == [change.id]
    jobs.write(store.id)
    assert prices.stands == {"p1": {"v-p1": (1000, None)}}
    assert [each["state"] for each in ask("GET", "changes").get_json()["changes"]] == ["live", "undone"]


def test_a_proposal_is_rejected(ask: Any, store: Store) -> None:
    change = add_change(store, state="proposed")

    assert ask("POST", f"proposals/{change.id}/reject").get_json()["state"] == "rejected"
    again = ask("POST", f"proposals/{change.id}/approve")
    assert (again.status_code, again.get_json()["detail"]) == (
        409,
        "A price change that is rejected cannot become approved.",
    )


def test_a_rule_is_undone(ask: Any, store: Store, prices: ScriptedPrices) -> None:
    add_rule(store)
    add_change(store, state="live", rule="r")
    add_change(store, state="live", rule="r", product="p2")
    prices.stands = {"p1": {"v-p1": (900, None)}, "p2": {"v-p2": (800, None)}}

    found = ask("POST", "rules/r/undo").get_json()

    assert [(each["variant_id"], each["new_price"]) for each in found["changes"]] == [("v-p1", 1000)]
    assert [each["variant_id"] for each in found["refused"]] == ["v-p2"]
    assert ask("GET", "rules/r").get_json()["active"] is False
    forced = ask("POST", "rules/r/undo", {"force": True}).get_json()
    assert [(each["variant_id"], each["old_price"]) for each in forced["changes"]] == [("v-p2", 800)]


def test_changes_come_in_pages_and_by_what_is_asked(ask: Any, store: Store) -> None:
    for product, state in (("a", "live"), ("b", "failed"), ("c", "live"), ("d", "proposed")):
        add_change(store, product=product, state=state, rule="r")

    def products(**query: Any) -> list[str]:
        return [each["product_id"] for each in ask("GET", "changes", **query).get_json()["changes"]]

    first = ask("GET", "changes", limit=3).get_json()
    assert [each["product_id"] for each in first["changes"]] == ["d", "c", "b"]
    assert products(limit=3, cursor=first["next_cursor"]) == ["a"]
    assert products(state="live") == ["c", "a"]
    assert products(product_id="b") == ["b"]
    assert products(rule="another") == []


@pytest.mark.parametrize("id_", ["0", "x", "9" * 30, "-1"])
def test_a_change_that_is_none_is_not_found(ask: Any, id_: str) -> None:
    for method, path in (("GET", "changes/"), ("POST", "proposals/")):
        end = "/approve" if method == "POST" else ""
        assert ask(method, f"{path}{id_}{end}").status_code == 404


# --- jobs -----------------------------------------------------------------------------------------------


def test_stores_with_rules_are_looked_at_and_those_with_due_prices_written(ask: Any, store: Store) -> None:
    add_rule(store, mode="automatic")
    add_change(store, product="p9")

    jobs.propose_everywhere()
    jobs.propose_automatic_everywhere()
    jobs.write_everywhere()

    assert {(jobs.PROPOSE, (store.id,)), (jobs.PROPOSE_AUTOMATIC, (store.id,))} <= set(queued(LEARNING))
    assert (jobs.WRITE, (store.id,)) in queued(PLATFORMS)


def test_a_store_without_active_rules_is_left_out(ask: Any, store: Store) -> None:
    add_rule(store).active = False
    db.session.commit()

    jobs.propose_everywhere()

    assert (jobs.PROPOSE, (store.id,)) not in queued(LEARNING)


def test_an_automatic_rule_writes_by_itself(store: Store, prices: ScriptedPrices) -> None:
    put_on_sale(store, cost=400)
    add_rule(store, *LIFT["signals"], mode="automatic", guards=LIFT["guards"])
    prices.stands = {"p1": {"v-p1": (1000, None)}}

    jobs.propose_automatic(store.id)
    jobs.write(store.id)

    (change,) = all_changes(store)
    assert (change.state, change.actor, prices.stands) == (
        "live",
        "automatic",
        {"p1": {"v-p1": (1020, None)}},
    )


def test_proposals_that_nobody_decided_on_expire(store: Store) -> None:
    add_change(store, state="proposed", proposed_at=now().replace(year=2020))
    add_change(store, state="proposed", product="p2")

    jobs.expire_everywhere()

    assert states(store) == ["expired", "proposed"]


def test_open_changes_are_measured(store: Store) -> None:
    jobs.measure()
    before = {state: metrics.PRICE_CHANGES.labels(state)._value.get() for state in changes.OPEN}
    add_change(store, state="writing")

    jobs.measure()

    after = {state: metrics.PRICE_CHANGES.labels(state)._value.get() for state in changes.OPEN}
    assert after == {**before, "writing": before["writing"] + 1}


def test_a_store_that_has_left_is_not_looked_at(store: Store) -> None:
    put_on_sale(store)
    add_rule(store, *LIFT["signals"], guards=LIFT["guards"])
    store.uninstalled_at = now()
    db.session.commit()

    jobs.propose(store.id)

    assert states(store) == []
