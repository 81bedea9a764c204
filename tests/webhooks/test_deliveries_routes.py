"""The merchant's view of the inbox."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from rq import Queue
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.core.db import db
from app.core.queues import DELIVERIES, queue_redis
from tests.factories import at, incoming, keep
from webhooks.jobs import DRAIN
from webhooks.models import PENDING, PROCESSED, QUARANTINED, SET_ASIDE, WebhookDelivery

ADDRESS = "/v1/webhooks/deliveries"


class Merchant:
    """Calls with the secret key of one store."""

    def __init__(self, client: FlaskClient, store_id: int, secret: str) -> None:
        self.client = client
        self.store_id = store_id
        self.headers = {"Authorization": f"Bearer {secret}"}

    def page(self, **query: Any) -> TestResponse:
        return self.client.get(ADDRESS, query_string=query, headers=self.headers)

    def ids(self, **query: Any) -> list[int]:
        return [int(d["id"]) for d in self.page(**query).get_json()["deliveries"]]

    def replay(self, **conditions: Any) -> TestResponse:
        return self.client.post(f"{ADDRESS}/replay", json=conditions, headers=self.headers)

    def gets(
        self,
        topic: str = "orders/create",
        status: str = PENDING,
        reason: str | None = None,
        seconds: float = 0,
    ) -> int:
        """Put a delivery into the inbox; return its id."""
        number = db.session.query(WebhookDelivery).count() + 1
        keep(incoming(self.store_id, topic, {"id": number}, received=at(seconds)))
        db.session.rollback()
        id_ = db.session.scalars(select(WebhookDelivery.id).order_by(WebhookDelivery.id.desc())).first()
        assert id_ is not None
        done = None if status == PENDING else at(seconds + 1)
        db.session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.id == id_)
            .values(status=status, reason=reason, processed_at=done)
        )
        db.session.commit()
        return id_


@pytest.fixture
def mine(client: FlaskClient, keys: dict[str, Any]) -> Merchant:
    store, found = keys["mine"]
    return Merchant(client, store.id, found.secret)


@pytest.fixture
def other(client: FlaskClient, keys: dict[str, Any]) -> Merchant:
    store, found = keys["other"]
    return Merchant(client, store.id, found.secret)


def statuses() -> dict[int, str]:
    db.session.rollback()
    return {d.id: d.status for d in db.session.scalars(select(WebhookDelivery))}


# --- the list -------------------------------------------------------------------------------------------


def test_a_delivery_of_the_list(mine: Merchant) -> None:
    pending = mine.gets("orders/create")
    judged = mine.gets("weather/changed", SET_ASIDE, "unknown_topic", seconds=5)

    response = mine.page()

    assert response.get_json() == {
        "deliveries": [
            {
                "id": str(judged),
                "topic": "weather/changed",
                "status": "set_aside",
                "reason": "unknown_topic",
                "received_at": "2026-01-05T12:00:05+00:00",
                "processed_at": "2026-01-05T12:00:06+00:00",
            },
            {
                "id": str(pending),
                "topic": "orders/create",
                "status": "pending",
                "reason": None,
                "received_at": "2026-01-05T12:00:00+00:00",
                "processed_at": None,
            },
        ],
        "next_cursor": None,
    }
    assert response.headers["Cache-Control"] == "private, no-store"


def test_nothing_yet(mine: Merchant) -> None:
    assert mine.page().get_json() == {"deliveries": [], "next_cursor": None}


def test_the_list_pages_to_its_end_without_gap_or_repetition(mine: Merchant) -> None:
    every = [mine.gets() for _ in range(5)]
    pages: list[list[int]] = []
    query: dict[str, Any] = {"limit": 2}

    while True:
        page = mine.page(**query).get_json()
        pages.append([int(d["id"]) for d in page["deliveries"]])
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]

    assert pages == [every[:2:-1], every[2:0:-1], every[:1]]


def test_what_arrives_meanwhile_does_not_move_the_pages(mine: Merchant) -> None:
    every = [mine.gets() for _ in range(3)]
    cursor = mine.page(limit=2).get_json()["next_cursor"]

    mine.gets()

    assert mine.ids(limit=2, cursor=cursor) == every[:1]


def test_a_last_page_that_is_just_full_has_no_next(mine: Merchant) -> None:
    mine.gets()
    mine.gets()

    assert mine.page(limit=2).get_json()["next_cursor"] is None


def test_the_list_by_status_and_topic(mine: Merchant) -> None:
    order = mine.gets("orders/create", PROCESSED)
    product = mine.gets("products/update", PROCESSED)
    bad = mine.gets("orders/create", QUARANTINED, "payload: id")

    assert mine.ids(status=PROCESSED) == [product, order]
    assert mine.ids(topic="orders/create") == [bad, order]
    assert mine.ids(topic="orders/create", status=QUARANTINED) == [bad]
    assert mine.ids(topic="refunds/create") == []


@pytest.mark.parametrize("method", ["list", "replay"])
def test_another_store_sees_and_changes_nothing(mine: Merchant, other: Merchant, method: str) -> None:
    id_ = mine.gets(status=QUARANTINED, reason="payload: id")

    if method == "list":
        assert other.page().get_json() == {"deliveries": [], "next_cursor": None}
    else:
        for conditions in ({"ids": [str(id_)]}, {"status": QUARANTINED}, {"topic": "orders/create"}):
            assert other.replay(**conditions).get_json() == {"replayed": 0}

    assert statuses() == {id_: QUARANTINED}


def cursor(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode()


@pytest.mark.parametrize(
    ("query", "name", "reason"),
    [
        ({"status": "lost"}, "status", "Must be one of: pending, processed, set_aside, quarantined."),
        ({"limit": 0}, "limit", "Must be greater than or equal to 1 and less than or equal to 200."),
        ({"limit": 201}, "limit", "Must be greater than or equal to 1 and less than or equal to 200."),
        ({"limit": "many"}, "limit", "Not a valid integer."),
        ({"topic": ""}, "topic", "Not a topic."),
        ({"topic": "a\x00b"}, "topic", "Not a topic."),
        ({"cursor": ""}, "cursor", "Not a cursor of this list."),
        ({"cursor": "%"}, "cursor", "Not a cursor of this list."),
        ({"cursor": "ü"}, "cursor", "Not a cursor of this list."),
        ({"cursor": cursor(b"x")}, "cursor", "Not a cursor of this list."),
        ({"cursor": cursor(b"0")}, "cursor", "Not a cursor of this list."),
        ({"cursor": cursor(b"-1")}, "cursor", "Not a cursor of this list."),
        ({"cursor": cursor(b"9" * 30)}, "cursor", "Not a cursor of this list."),
        ({"cursor": cursor(b"9" * 5000)}, "cursor", "Not a cursor of this list."),
    ],
)
def test_wrong_queries_are_named(mine: Merchant, query: dict[str, Any], name: str, reason: str) -> None:
    response = mine.page(**query)

    assert response.status_code == 422
    assert response.get_json()["invalid_params"] == [{"name": name, "reason": reason}]


# --- replay ---------------------------------------------------------------------------------------------


def test_replayed_deliveries_are_pending_again_and_a_worker_is_told(app: Flask, mine: Merchant) -> None:
    done = mine.gets(status=PROCESSED)
    bad = mine.gets(status=QUARANTINED, reason="payload: id")
    waiting = mine.gets()

    response = mine.replay(ids=[str(done), str(bad), str(waiting)])

    assert (response.status_code, response.get_json()) == (200, {"replayed": 2})
    db.session.rollback()
    rows = db.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)).all()
    assert [(d.status, d.reason, d.processed_at) for d in rows] == [(PENDING, None, None)] * 3
    jobs = [
        (job.func_name, job.args)
        for job in Queue(DELIVERIES, connection=queue_redis()).jobs
        if job.args == (mine.store_id,)
    ]
    assert (DRAIN, (mine.store_id,)) in jobs


@pytest.mark.parametrize(
    ("conditions", "chosen"),
    [
        ({"status": QUARANTINED}, ["bad", "late"]),
        ({"topic": "orders/create"}, ["done", "bad"]),
        ({"reason": "payload"}, ["bad", "late"]),
        ({"reason": "payload: id"}, ["bad"]),
        ({"reason": "%"}, []),
        ({"reason": "p_yload"}, []),
        ({"since": "2026-01-05T12:01:00Z"}, ["late"]),
        ({"until": "2026-01-05T12:01:00Z"}, ["done", "bad"]),
        ({"since": "2026-01-05T13:00:30+01:00", "until": "2026-01-05T07:02:00-05:00"}, ["late"]),
        ({"status": QUARANTINED, "topic": "orders/create"}, ["bad"]),
        ({"status": PENDING}, []),
    ],
    ids=["status", "topic", "beginning of reason", "reason", "percent", "underscore", "since", "until", "zones",
         "both", "pending"],
)  # fmt: skip
def test_replay_by_conditions(mine: Merchant, conditions: dict[str, str], chosen: list[str]) -> None:
    every = {
        "done": mine.gets("orders/create", PROCESSED),
        "bad": mine.gets("orders/create", QUARANTINED, "payload: id", seconds=10),
        "late": mine.gets("products/update", QUARANTINED, "payload: title", seconds=60),
    }

    assert mine.replay(**conditions).get_json() == {"replayed": len(chosen)}

    assert [name for name, id_ in every.items() if statuses()[id_] == PENDING] == chosen


def test_what_a_cloned_site_sent_is_never_replayed(mine: Merchant) -> None:
    cloned = mine.gets("order.created", QUARANTINED, "foreign_source")

    assert mine.replay(status=QUARANTINED).get_json() == {"replayed": 0}
    assert mine.replay(ids=[str(cloned)]).get_json() == {"replayed": 0}

    assert statuses() == {cloned: QUARANTINED}


@pytest.mark.parametrize(
    ("body", "name", "reason"),
    [
        ({}, "body", "Name at least one condition, such as a status."),
        ([], "body", "Invalid input type."),
        (None, "body", "Name at least one condition, such as a status."),
        ({"ids": []}, "ids", "Length must be between 1 and 1000."),
        ({"ids": [1]}, "ids.0", "Not a valid string."),
        ({"ids": ["0"]}, "ids.0", "Not the id of a delivery."),
        ({"ids": ["1.5"]}, "ids.0", "Not the id of a delivery."),
        ({"ids": ["9" * 19]}, "ids.0", "Not the id of a delivery."),
        ({"ids": "1"}, "ids", "Not a valid list."),
        ({"status": "all"}, "status", "Must be one of: pending, processed, set_aside, quarantined."),
        ({"reason": "a\x00b"}, "reason", "Not a reason."),
        ({"since": "yesterday"}, "since", "Not a valid datetime."),
        ({"since": "2026-01-05T12:00:00"}, "since", "Not a valid aware datetime."),
        ({"everything": True}, "everything", "Unknown field."),
    ],
)
def test_wrong_replays_are_named_and_change_nothing(
    mine: Merchant, body: Any, name: str, reason: str
) -> None:
    id_ = mine.gets(status=PROCESSED)

    response = mine.client.post(f"{ADDRESS}/replay", json=body, headers=mine.headers)

    assert response.status_code == 422
    assert response.get_json()["invalid_params"] == [{"name": name, "reason": reason}]
    assert statuses() == {id_: PROCESSED}


def test_replay_without_redis_still_sets_back(mine: Merchant, redis_down: None) -> None:
    id_ = mine.gets(status=PROCESSED)

    assert mine.replay(ids=[str(id_)]).get_json() == {"replayed": 1}
    assert statuses() == {id_: PENDING}


def test_times_of_the_list_are_utc(mine: Merchant) -> None:
    mine.gets(seconds=timedelta(days=200).total_seconds())

    (delivery,) = mine.page().get_json()["deliveries"]

    assert delivery["received_at"] == "2026-07-24T12:00:00+00:00"
