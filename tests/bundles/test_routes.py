"""Offers over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, current_app
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.bundles import jobs, live, roll_out
from app.bundles.models import Offer
from app.commerce.store import Store, add_store
from app.core import metrics
from app.core.db import db, now
from app.core.queues import PLATFORMS
from connectors.discounts import RefusedOffer
from tests.bundles.conftest import Platform, stock_up
from tests.bundles.makers import evidence

TEN_PERCENT = {"kind": "percent", "value": 1000}
TENT: dict[str, Any] = {"title": "Cheaper together", "discount": TEN_PERCENT}
PAIR = {**TENT, "components": [{"product_id": "a"}, {"product_id": "b", "quantity": 2}]}


class Merchant:
    """A program of a merchant, with the store's secret key."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self.store, keys = add_store(
            "shopify", f"offers-{now().timestamp():.6f}.myshopify.com".replace(".", "-", 1)
        )
        self.store.connected_at = now()
        self._headers = {"Authorization": f"Bearer {keys.secret}"}
        for product in "abcd":
            stock_up(self.store.id, product)
        db.session.commit()

    def call(self, method: str, path: str = "", **how: Any) -> TestResponse:
        headers = {**self._headers, **how.pop("headers", {})}
        return self._client.open(f"/v1/offers{path}", method=method, headers=headers, **how)

    def get(self, path: str = "", **query: Any) -> Any:
        response = self.call("GET", path, query_string=query)
        assert response.status_code == 200, response.text
        return response.get_json()

    def post(self, path: str = "", **body: Any) -> Any:
        response = self.call("POST", path, json=body)
        assert response.status_code == 200, response.text
        return response.get_json()

    def refused(self, status: int, path: str = "", **body: Any) -> Any:
        response = self.call("POST", path, json=body)
        assert response.status_code == status, response.text
        assert response.content_type == "application/problem+json"
        return response.get_json()


@pytest.fixture
def merchant(shared_app: Flask) -> Iterator[Merchant]:
    with shared_app.app_context():
        live.forget()
        yield Merchant(shared_app.test_client())
        db.session.rollback()


@pytest.fixture
def platform(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> Platform:
    made = Platform()
    monkeypatch.setattr(roll_out, "discounts_for", lambda _: made)
    return made


def test_the_way_of_an_offer(merchant: Merchant, platform: Platform) -> None:
    made = merchant.post(**PAIR)
    key = made["key"]
    assert (made["state"], made["origin"], made["version"]) == ("proposed", "manual", 1)
    assert made["components"][1] == {"product_id": "b", "quantity": 2, "variant_ids": None}
    assert made["discounted"] == ["a", "b"]
    assert (made["evidence"], made["profit"], made["on_platform"]) == (None, None, False)

    approved = merchant.post(f"/{key}/approve", version=1, title="Both for less")
    assert (approved["state"], approved["title"], approved["approved_by"]) == (
        "approved", "Both for less", "merchant",
    )  # fmt: skip

    jobs.roll_out(merchant.store.id)
    shown = merchant.get(f"/{key}")
    assert (shown["state"], shown["on_platform"], shown["mechanism"]) == ("live", True, "function")

    assert merchant.post(f"/{key}/suspend", note="Stocktaking")["reason"].startswith(
        "Stocktaking The shop still"
    )
    assert merchant.post(f"/{key}/resume")["state"] == "approved"
    ended = merchant.post(f"/{key}/end")
    assert ended["reason"] == (
        "The merchant ended it. The shop still grants it; it is taken away as soon as the shop lets us."
    )
    jobs.roll_out(merchant.store.id)
    shown = merchant.get(f"/{key}")
    assert (shown["on_platform"], shown["reason"]) == (False, "The merchant ended it.")
    assert [event["action"] for event in reversed(shown["events"])] == [
        "created", "approved", "live", "suspended", "resumed", "ended", "withdrawn",
    ]  # fmt: skip


def test_a_rule_is_an_add_on(merchant: Merchant) -> None:
    made = merchant.post(**TENT, when="a", offer="b", origin="rule", rule_id="r1", approve=True)

    assert (made["origin"], made["rule_id"], made["discounted"]) == ("rule", "r1", ["b"])
    assert [part["product_id"] for part in made["components"]] == ["a", "b"]
    assert made["state"] == "approved"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (TENT, "components"),
        ({**PAIR, "when": "a"}, "components"),
        ({**PAIR, "when": "a", "offer": "b"}, "components"),
        ({**TENT, "when": "a", "offer": "b", "discounted": ["a"]}, "discounted"),
        ({**TENT, "when": "a", "offer": "a"}, "offer"),
        ({**PAIR, "origin": "rule"}, "origin"),
        ({**PAIR, "discounted": ["c"]}, "discounted"),
        ({**PAIR, "discounted": ["a", "a"]}, "discounted"),
        ({**PAIR, "components": [{"product_id": "a"}, {"product_id": "a"}]}, "components"),
        ({**PAIR, "components": [{"product_id": "a"}, {"quantity": 1}]}, "components.1.product_id"),
        ({**PAIR, "components": [{"product_id": p} for p in "abcde"]}, "components"),
        ({**PAIR, "discount": {"kind": "percent", "value": 10_001}}, "discount.value"),
        ({**PAIR, "discount": {"kind": "amount", "value": 0}}, "discount.value"),
        (
            {**PAIR, "starts_at": "2026-12-01T00:00:00Z", "ends_at": "2026-12-01T00:00:00Z"},
            "ends_at",
        ),
        ({**PAIR, "price": 1}, "price"),
    ],
    ids=[
        "no products", "half a rule", "both forms", "rule with discounted", "same product", "origin",
        "no component", "twice discounted", "twice", "component without product", "five", "above all",
        "nothing", "ends first", "unknown",
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_named(merchant: Merchant, body: dict[str, Any], name: str) -> None:
    problem = merchant.refused(422, **body)

    assert name in [each["name"] for each in problem["invalid_params"]]
    assert merchant.get()["offers"] == []


def test_what_breaks_limits_is_a_conflict_unless_it_may(merchant: Merchant) -> None:
    half = {**PAIR, "discount": {"kind": "percent", "value": 5000}}

    assert merchant.refused(409, **half)["detail"].startswith("It takes 50 % off; at most 15 % may be.")
    key = merchant.post(**half, beyond_limits=True)["key"]
    assert merchant.refused(409, f"/{key}/approve")["status"] == 409
    assert merchant.post(f"/{key}/approve", beyond_limits=True)["state"] == "approved"


def test_an_amount_is_measured_against_the_cheapest(merchant: Merchant) -> None:
    # 30.00 for one a and two b
    body = {**PAIR, "discount": {"kind": "amount", "value": 450}}
    assert merchant.post(**body)["discount"] == {"kind": "amount", "value": 450}

    assert merchant.refused(409, **{**body, "discount": {"kind": "amount", "value": 451}})["detail"] == (
        "It takes 15.04 % off; at most 15 % may be."
    )


def test_offers_are_listed_page_by_page(merchant: Merchant) -> None:
    keys = [merchant.post(**PAIR, approve=place == 1)["key"] for place in range(3)]

    first = merchant.get(limit=2)
    second = merchant.get(limit=2, cursor=first["next_cursor"])

    assert [[offer["key"] for offer in page["offers"]] for page in (first, second)] == [
        [keys[2], keys[1]], [keys[0]],
    ]  # fmt: skip
    assert second["next_cursor"] is None
    assert [offer["key"] for offer in merchant.get(state="approved")["offers"]] == [keys[1]]
    assert merchant.get(origin="learned")["offers"] == []


def test_limits_are_what_was_set_and_else_their_defaults(merchant: Merchant) -> None:
    before = merchant.get("/limits")
    assert (before["automatic"], before["maximum_discount"], before["days"]) == (False, 1500, 90)
    wanted = {
        "automatic": True,
        "excluded_tags": ["sale"],
        "ends_at": "2027-01-01T00:00:00+00:00",
        "days": None,
    }

    response = merchant.call("PUT", "/limits", json=wanted)

    assert response.status_code == 200
    assert merchant.get("/limits") == response.get_json() == {**before, **wanted}


def test_proposals_are_made_on_request(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [evidence("a", "b"), evidence("c", "nowhere")]
    monkeypatch.setitem(current_app.extensions, "pannier_evidence", lambda _connection, _store: found)

    made = merchant.post("/proposals")

    (offer,) = made["offers"]
    assert made["left_out"] == {"not_sold": 1}
    assert (offer["state"], offer["origin"]) == ("proposed", "learned")
    assert offer["evidence"] == {
        "products": ["a", "b"], "orders": 30, "anchor_orders": 100, "lift": 3.0, "llr": 40.0, "days": 30.0,
    }  # fmt: skip
    assert offer["profit"]["expected"] > 0
    assert merchant.post(f"/{offer['key']}/reject", note="Not these")["reason"] == "Not these"


def test_a_word_on_another_version_is_a_conflict(merchant: Merchant) -> None:
    key = merchant.post(**PAIR)["key"]
    merchant.post(f"/{key}/approve")

    assert "it is at version 2" in merchant.refused(409, f"/{key}/end", version=1)["detail"]
    assert merchant.get(f"/{key}")["state"] == "approved"


def test_a_request_that_is_sent_twice_makes_one_offer(merchant: Merchant) -> None:
    def send(key: str, **body: Any) -> TestResponse:
        return merchant.call("POST", json=body, headers={"Idempotency-Key": key})

    first, second = (send("mine", **PAIR).get_json()["key"] for _ in range(2))
    other = send("another", **PAIR).get_json()["key"]

    assert first == second != other
    assert len(merchant.get()["offers"]) == 2
    assert send("x" * 201, **PAIR).status_code == 422


def test_an_offer_that_is_not_there_is_404(merchant: Merchant) -> None:
    for word in ("approve", "reject", "suspend", "resume", "end"):
        assert merchant.refused(404, f"/o_nowhere/{word}")["detail"] == "This store has no offer 'o_nowhere'."
    assert merchant.call("GET", "/o_nowhere").status_code == 404


def test_a_word_has_the_platform_told(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    hinted: list[tuple[str, int]] = []
    monkeypatch.setattr(
        "app.bundles.keeping.hint", lambda queue, _function, store_id: hinted.append((queue, store_id))
    )

    merchant.post(**PAIR, approve=True)

    assert hinted == [(PLATFORMS, merchant.store.id)]


def test_the_gauges_say_how_offers_stand(merchant: Merchant, platform: Platform) -> None:
    key = merchant.post(**PAIR, approve=True)["key"]
    platform.refuses[key] = RefusedOffer(key, "limit_reached", "Full.", True)
    jobs.roll_out(merchant.store.id)

    jobs.measure()

    counted = dict(db.session.execute(select(Offer.state, func.count()).group_by(Offer.state)).all())
    assert {s.labels["state"]: s.value for s in metrics.OFFERS.collect()[0].samples} == {
        state: counted.get(state, 0)
        for state in ("proposed", "approved", "live", "not_live", "suspended", "rejected", "ended")
    }
    failing = {s.labels["reason"]: s.value for s in metrics.OFFERS_FAILING.collect()[0].samples}
    assert failing["limit_reached"] >= 1


def test_a_store_sees_its_own_offers_alone(merchant: Merchant, shared_app: Flask) -> None:
    key = merchant.post(**PAIR)["key"]
    other = Merchant(shared_app.test_client())

    assert other.get()["offers"] == []
    assert other.call("GET", f"/{key}").status_code == 404
    assert other.refused(404, f"/{key}/end")["status"] == 404
    assert isinstance(other.store, Store)
    assert merchant.get(f"/{key}")["state"] == "proposed"
