"""The merchant's view of the log: lists, one decision made again, counts."""

import base64
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection
from werkzeug.test import TestResponse

from app.commerce.store import NewKeys, Store, StoreAccess, add_store
from app.core.db import db, now
from app.decisions.log import DecisionLog
from app.decisions.reading import Found
from tests.decisions.making import BODY, NOON, record

Shop = tuple[Store, NewKeys]


@dataclass
class Outcome:
    """What a replayer says."""

    same: bool
    differences: list[str]
    shown: list[str]


def get(client: FlaskClient, shop: Shop, path: str, **query: Any) -> TestResponse:
    headers = {"Authorization": f"Bearer {shop[1].secret}"}
    return client.get(f"/v1{path}", headers=headers, query_string=query)


def ids(response: TestResponse) -> list[str]:
    assert response.status_code == 200, response.text
    return [decision["decision_id"] for decision in response.get_json()["decisions"]]


@pytest.fixture
def logged(shop: Shop, logbook: DecisionLog) -> None:
    """Five decisions of today, a minute apart, and one of eight days ago."""
    store_id, at = shop[0].id, now()
    different: tuple[dict[str, Any], ...] = (
        {},
        {"slot": "home"},
        {"arms": {"checkout": "b"}, "keep": True},
        {"shown": []},
        {"slot": None, "shown": ["13"]},
    )
    for minutes, fields in enumerate(different):
        logbook.note(record(store_id, f"d_{minutes}", made_at=at - timedelta(microseconds=minutes), **fields))
    logbook.note(record(store_id, "d_old", made_at=at - timedelta(days=8)))
    assert logbook.flush()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["d_0", "d_1", "d_2", "d_3", "d_4"]),
        ({"slot": "home"}, ["d_1"]),
        ({"experiment": "checkout"}, ["d_2"]),
        ({"experiment": "other"}, []),
        ({"product_id": "13"}, ["d_4"]),
        ({"slot": "cart", "product_id": "11"}, ["d_0", "d_2"]),
    ],
    ids=["all", "slot", "experiment", "no experiment", "product", "two"],
)
def test_the_newest_come_first_by_what_is_asked(
    client: FlaskClient, shop: Shop, logged: None, query: dict[str, str], found: list[str]
) -> None:
    assert ids(get(client, shop, "/decisions", **query)) == found


def test_a_day_is_looked_at_by_its_name(client: FlaskClient, shop: Shop, logged: None) -> None:
    day = (now() - timedelta(days=8)).date().isoformat()

    assert ids(get(client, shop, "/decisions", day=day)) == ["d_old"]
    assert "d_old" not in ids(get(client, shop, "/decisions"))


def test_pages_follow_each_other_without_gap_or_repetition(
    client: FlaskClient, shop: Shop, logged: None
) -> None:
    found, cursor = [], None
    for _ in range(3):
        response = get(client, shop, "/decisions", limit=2, **({"cursor": cursor} if cursor else {}))
        found += ids(response)
        cursor = response.get_json()["next_cursor"]

    assert (found, cursor) == (["d_0", "d_1", "d_2", "d_3", "d_4"], None)


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "ü",
        *(
            base64.urlsafe_b64encode(text).decode().rstrip("=")
            for text in (
                b"1",
                b"1.",
                b"-1.d_a",
                b"9007199254740993.d_a",
                b"1.d a",
                b"x.d_a",
                b"1.\xff",
                b"1.d\n",
            )
        ),
    ],
)
def test_what_is_no_cursor_is_refused(client: FlaskClient, shop: Shop, cursor: str) -> None:
    response = get(client, shop, "/decisions", cursor=cursor)

    assert response.status_code == 422
    assert response.get_json()["invalid_params"] == [
        {"name": "cursor", "reason": "Not a cursor of this list."}
    ]


def test_a_decision_is_shown_whole_and_made_again(
    app: Flask, client: FlaskClient, shop: Shop, logbook: DecisionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, str, Any]] = []

    def replayer(_: Connection, access: StoreAccess, found: Found) -> Outcome:
        asked.append((access.store_id, found.id, found.body))
        return Outcome(False, ["Other products."], ["99"])

    monkeypatch.setitem(app.extensions, "pannier_replay", replayer)
    logbook.note(record(shop[0].id, "d_whole", subject=b"\x01" * 16, arms={"x": "a"}, made_at=NOON))
    logbook.flush()

    response = get(client, shop, "/decisions/d_whole")

    assert response.get_json() == {
        "decision_id": "d_whole",
        "made_at": "2026-11-20T12:00:00+00:00",
        "slot": "cart",
        "strategy": "best_sellers",
        "reason": "DEFAULT",
        "arms": {"x": "a"},
        "model_version": "co-purchase-1",
        "cache": "made",
        "latency_us": 1500,
        "shown": ["11", "12"],
        "answers": 1,
        "visitor": "01" * 16,
        "whole": True,
        "record": BODY,
        "replay": {"same": False, "differences": ["Other products."], "shown": ["99"]},
    }
    assert asked == [(shop[0].id, "d_whole", BODY)]
    assert response.headers["Cache-Control"] == "private, no-store"


def test_what_cannot_be_made_again_says_why(
    app: Flask, client: FlaskClient, shop: Shop, logbook: DecisionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replayer(*_: Any) -> Outcome:
        raise LookupError("It was written by another version.")

    shop[0].settings = {"decision_sample_percent": 0}
    db.session.commit()
    logbook.note(record(shop[0].id, "d_left_out"))
    logbook.note(record(shop[0].id, "d_kept", keep=True))
    logbook.flush()

    def said(decision_id: str) -> tuple[Any, Any]:
        found = get(client, shop, f"/decisions/{decision_id}").get_json()
        assert (found["replay"]["same"], found["replay"]["shown"]) == (None, None)
        return found["record"], found["replay"]["differences"]

    assert said("d_left_out") == (None, ["What replays it was not kept: the sample left it out."])
    monkeypatch.setitem(app.extensions, "pannier_replay", replayer)
    assert said("d_kept") == (BODY, ["It was written by another version."])
    monkeypatch.delitem(app.extensions, "pannier_replay")
    assert said("d_kept") == (BODY, ["This process cannot make decisions again."])


def test_the_last_day_of_a_decision_is_shown(client: FlaskClient, shop: Shop, logbook: DecisionLog) -> None:
    for days in (1, 0, 2):
        logbook.note(record(shop[0].id, made_at=NOON - timedelta(days=days)))
    logbook.flush()

    assert get(client, shop, "/decisions/d_one").get_json()["made_at"] == "2026-11-20T12:00:00+00:00"


@pytest.mark.parametrize("decision_id", ["d_none", "x" * 500, "%00", "ü", "d%20a"])
def test_an_unknown_decision_is_404(client: FlaskClient, shop: Shop, decision_id: str) -> None:
    assert get(client, shop, f"/decisions/{decision_id}").status_code == 404


def test_another_store_sees_nothing(client: FlaskClient, shop: Shop, logged: None) -> None:
    other = add_store("shopify", "other.myshopify.com")
    db.session.commit()

    assert get(client, shop, "/decisions/d_0").status_code == 200
    assert get(client, other, "/decisions/d_0").status_code == 404
    assert ids(get(client, other, "/decisions")) == []
    assert get(client, other, "/reports/decisions").get_json()["answers"] == 0


@time_machine.travel(NOON, tick=False)
def test_the_report_counts_every_answer(client: FlaskClient, shop: Shop, logbook: DecisionLog) -> None:
    store_id, at = shop[0].id, NOON
    for shown, latency_us in ((["11"], 1000), ([], 2001)):
        logbook.note(record(store_id, f"d_{latency_us}", made_at=at, shown=shown, latency_us=latency_us))
    for _ in range(3):
        logbook.repeat(store_id, "d_1000", "cart", "CACHED", 10)
    logbook.note(record(store_id, "d_before", made_at=at - timedelta(days=1), slot=None))
    logbook.note(record(store_id, "d_long_ago", made_at=at - timedelta(days=7)))
    logbook.flush()

    found = get(client, shop, "/reports/decisions").get_json()

    today, yesterday = at.date(), (at - timedelta(days=1)).date()
    assert found == {
        "since": (today - timedelta(days=6)).isoformat(),
        "answers": 6,
        "empty_share": 0.166667,
        "mean_latency_us": 755,
        "rows": [
            {"day": today.isoformat(), "slot": "cart", "reason": "CACHED", "cache": "ready",
             "answers": 3, "empty_share": 0.0, "mean_latency_us": 10},
            {"day": today.isoformat(), "slot": "cart", "reason": "DEFAULT", "cache": "made",
             "answers": 2, "empty_share": 0.5, "mean_latency_us": 1500},
            {"day": yesterday.isoformat(), "slot": None, "reason": "DEFAULT", "cache": "made",
             "answers": 1, "empty_share": 0.0, "mean_latency_us": 1500},
        ],
    }  # fmt: skip
    assert get(client, shop, "/reports/decisions", days=8, slot="cart").get_json()["answers"] == 6
    nothing = get(client, shop, "/reports/decisions", slot="home").get_json()
    assert (nothing["answers"], nothing["empty_share"], nothing["mean_latency_us"]) == (0, None, None)
