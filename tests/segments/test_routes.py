"""Segments over HTTP: defined, tried, read and compared by the merchant's own programs."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from app.commerce import ingest
from app.core.db import db
from app.segments import jobs, refreshing, routes, schemas
from app.segments.models import Segment, SegmentMembership
from app.segments.named import NAMED
from tests.factories import customer_change, customer_ref, order_change
from tests.recommendations.shops import Shop

TODAY = datetime(2026, 1, 20, 12, tzinfo=UTC)
OFTEN = {"fact": "orders", "at_least": 2}


class Merchant:
    """A shop whose own programs ask for its segments."""

    def __init__(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shop = shop
        self.asked: list[int] = []
        monkeypatch.setattr(jobs, "refresh_soon", self.asked.append)

    def ask(self, method: str, path: str = "", **kwargs: Any) -> tuple[int, Any]:
        response = self.shop.client.open(
            f"/v1/segments{path}",
            method=method,
            headers={"Authorization": f"Bearer {self.shop.keys.secret}"},
            **kwargs,
        )
        db.session.rollback()
        return response.status_code, response.get_json()

    def define(self, key: str, definition: Any = OFTEN, name: str = "Mine") -> tuple[int, Any]:
        return self.ask("POST", json={"key": key, "name": name, "definition": definition})

    def sizes(self) -> dict[str, int | None]:
        return {each["key"]: each["size"] for each in self.ask("GET")[1]["segments"]}

    def refreshed(self) -> None:
        with time_machine.travel(TODAY, tick=False):
            refreshing.refresh(self.shop.store_id)


@pytest.fixture
def merchant(shared_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Merchant]:
    with shared_app.app_context():
        shop = Shop(shared_app.test_client())
        people = [customer_ref(f"c{n}", f"c{n}@example.com") for n in range(3)]
        orders = [order_change(f"o{n}", "p", customer=people[n % 3], placed=n) for n in range(5)]
        ingest.apply(db.session.connection(), shop.store_id, [*orders, customer_change("idle", None)])
        db.session.commit()
        yield Merchant(shop, monkeypatch)
        db.session.rollback()


def test_before_the_first_refresh_sizes_are_not_known(merchant: Merchant) -> None:
    status, found = merchant.ask("GET")

    assert status == 200
    assert (found["as_of"], found["customers"], found["scored"]) == (None, 0, 0)
    assert [each["key"] for each in found["segments"]] == list(NAMED)
    assert {each["size"] for each in found["segments"]} == {None}


def test_a_segment_is_defined_computed_and_read(merchant: Merchant) -> None:
    status, made = merchant.define("often")
    merchant.refreshed()

    assert (status, merchant.asked) == (200, [merchant.shop.store_id])
    assert {**made, "updated_at": None} == {
        "key": "often", "name": "Mine", "kind": "own", "sentence": "Customers with at least 2 orders.",
        "definition": OFTEN, "size": None, "updated_at": None,
    }  # fmt: skip
    status, found = merchant.ask("GET")
    assert (found["as_of"], found["window_days"]) == (TODAY.isoformat(), 730)
    assert (found["customers"], found["scored"]) == (4, 3)
    assert sum(e["size"] for e in found["segments"] if e["kind"] == "exclusive") == 3
    assert merchant.ask("GET", "/often")[1]["size"] == 2
    assert merchant.ask("GET", "/champions")[1]["kind"] == "exclusive"


def test_members_come_page_by_page_with_reasons(merchant: Merchant) -> None:
    merchant.define("often")
    merchant.refreshed()

    status, first = merchant.ask("GET", "/often/members", query_string={"limit": 1})
    _, second = merchant.ask(
        "GET", "/often/members", query_string={"limit": 1, "cursor": first["next_cursor"]}
    )

    assert status == 200
    assert first["members"] == [
        {
            "customer_id": "c0",
            "since": TODAY.isoformat(),
            "as_of": TODAY.isoformat(),
            "reason": {"rule": "Customers with at least 2 orders.", "measured": {"orders": 2}},
        }
    ]
    assert ([m["customer_id"] for m in second["members"]], second["next_cursor"]) == (["c1"], None)


def test_a_segment_is_defined_otherwise_and_deleted(merchant: Merchant) -> None:
    merchant.define("often")
    merchant.refreshed()

    status, changed = merchant.ask(
        "PUT", "/often", json={"name": "All", "definition": {**OFTEN, "at_least": 1}}
    )
    merchant.refreshed()

    assert (status, changed["name"], changed["size"]) == (200, "All", 2)
    assert merchant.sizes()["often"] == 3
    assert merchant.ask("DELETE", "/often") == (200, {"deleted": "often"})
    assert "often" not in merchant.sizes()
    kept = select(SegmentMembership).where(SegmentMembership.segment == "often")
    assert db.session.scalars(kept.where(SegmentMembership.store_id == merchant.shop.store_id)).all() == []


@pytest.mark.parametrize("path", ["/nothing", "/Often", "/a%00b", "/%F0%9F%A7%A2", "/a%2Fb"])
def test_what_is_not_there_is_404(merchant: Merchant, path: str) -> None:
    body = {"json": {"name": "x", "definition": OFTEN}}

    for method, rest, kwargs in (
        ("GET", "", {}),
        ("PUT", "", body),
        ("DELETE", "", {}),
        ("GET", "/members", {}),
    ):
        assert merchant.ask(method, path + rest, **kwargs)[0] == 404  # type: ignore[arg-type]


def test_named_segments_stay_as_they_are(merchant: Merchant) -> None:
    body = {"name": "x", "definition": OFTEN}

    for method, kwargs in (("PUT", {"json": body}), ("DELETE", {})):
        status, problem = merchant.ask(method, "/champions", **kwargs)
        assert (status, problem["detail"]) == (409, "Every store has this segment; it cannot be changed.")


def test_a_key_is_given_once_and_a_store_has_so_many(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert merchant.define("often")[0] == 200
    assert merchant.define("often")[0] == 409
    monkeypatch.setattr(routes, "MOST_OWN", 2)
    assert merchant.define("second")[0] == 200
    assert merchant.define("third")[0] == 409


def test_what_is_wrong_is_named_by_its_place(merchant: Merchant) -> None:
    status, problem = merchant.define(
        "often", {"all": [OFTEN, {"fact": "orders", "at_least": 2, "at_most": 1}]}
    )

    assert status == 422
    assert problem["invalid_params"] == [{"name": "definition.all.1.at_most", "reason": schemas.EMPTY_RANGE}]
    assert db.session.scalars(select(Segment).where(Segment.store_id == merchant.shop.store_id)).all() == []


def test_a_preview_says_the_size_and_keeps_nothing(merchant: Merchant) -> None:
    status, found = merchant.ask("POST", "/preview", json={"definition": OFTEN})

    assert (status, found) == (
        200,
        {
            "sentence": "Customers with at least 2 orders.",
            "customers": 4,
            "size": 2,
            "looked_at": 4,
            "reasons": [{"rule": "Customers with at least 2 orders.", "measured": {"orders": 2}}] * 2,
        },
    )
    assert merchant.asked == []
    assert list(merchant.sizes()) == list(NAMED)


def test_overlap_says_what_is_distinct(merchant: Merchant) -> None:
    merchant.define("often", name="Often")
    merchant.define("seldom", {"fact": "orders", "at_most": 1}, name="Seldom")
    merchant.refreshed()

    status, found = merchant.ask("GET", "/overlap")

    pairs = {(p["first"], p["second"]): p for p in found["pairs"]}
    assert (status, found["as_of"], len(pairs)) == (200, TODAY.isoformat(), 16 * 15 // 2)
    assert pairs["often", "seldom"] == {
        "first": "often", "second": "seldom", "both": 0, "jaccard": 0.0, "relation": "disjoint", "proved": True,
        "sentence": "Often and Seldom are distinct: their rules exclude each other.",
    }  # fmt: skip
    assert {each["key"]: each["size"] for each in found["segments"]} == merchant.sizes()
