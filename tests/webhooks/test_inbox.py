"""The inbox's writing side: nothing lost, nothing twice, nobody refused for a neighbour."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import orjson
import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, select
from sqlalchemy.exc import OperationalError

from app.commerce.store import Store
from app.core.db import db
from tests.conftest import SHOPIFY_DOMAIN, SHOPIFY_SECRET
from tests.factories import at, incoming, keep, new_store, shopify_order
from tests.webhooks.signing import shopify_headers
from webhooks.inbox import Inbox, Incoming
from webhooks.models import WebhookDelivery


@pytest.fixture
def store(app: Flask) -> Store:
    """A store of this test alone."""
    return new_store()


@pytest.fixture
def group(app: Flask) -> Iterator[Inbox]:
    """A writer of its own."""
    made = Inbox(db.engine)
    yield made
    made.close()


def kept(store: Store) -> dict[str, WebhookDelivery]:
    """Return the store's deliveries by dedupe key."""
    db.session.rollback()
    rows = db.session.scalars(select(WebhookDelivery).where(WebhookDelivery.store_id == store.id))
    return {row.dedupe_key: row for row in rows}


def at_once(jobs: list[Callable[[], None]]) -> list[Exception | None]:
    """Run jobs in threads that start together; return what each raised."""
    start, raised = threading.Barrier(len(jobs)), [None] * len(jobs)  # type: list[Any]

    def run(number: int, job: Callable[[], None]) -> None:
        start.wait(timeout=10)
        try:
            job()
        except (OperationalError, psycopg.Error) as error:
            raised[number] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    return raised


def writer(group: Inbox, *deliveries: Incoming) -> Callable[[], None]:
    """Return a job that writes deliveries, one after the other."""

    def write() -> None:
        for delivery in deliveries:
            group.write(delivery.row())

    return write


def write_together(group: Inbox, threads: list[threading.Thread]) -> None:
    """Start threads while it is nobody's turn to write, so that they are certain to queue; then let them write."""
    group._writing = True
    for thread in threads:
        thread.start()
    for _ in range(3000):
        if len(group._queue) == len(threads):
            break
        threads[0].join(timeout=0.01)
    else:
        raise AssertionError("not all threads have queued")
    group._queue[0].woken.release()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)


def test_a_kept_delivery_is_complete(store: Store) -> None:
    body = {"id": 1, "note": "häßlich"}
    delivery = replace(
        incoming(store.id, "orders/paid", body, key="one"),
        raw=b'{"id":1,"note":"h\xc3\xa4\xc3\x9flich","email":"ann@example.com"}',
        event_id="event",
        triggered_at=at(-5),
    )

    keep(delivery)

    row = kept(store)["one"]
    assert (row.topic, row.event_id, row.api_version, row.status, row.reason, row.processed_at) == (
        "orders/paid",
        "event",
        "2026-07",
        "pending",
        None,
        None,
    )
    assert (row.triggered_at, row.received_at) == (at(-5), at(0))
    assert orjson.loads(row.body) == body
    assert row.body_sha256 == hashlib.sha256(delivery.raw).digest()


def test_a_body_takes_little_room_and_none_outside_its_row(store: Store) -> None:
    body = shopify_order(1, *range(11, 41))

    keep(incoming(store.id, body=body, key="one"))

    kept_bytes, compression = db.session.connection().exec_driver_sql(
        "SELECT octet_length(body), pg_column_compression(body) FROM webhook_delivery"
    ).one()  # fmt: skip
    assert kept_bytes < len(orjson.dumps(body)) / 4
    assert compression is None
    assert db.session.connection().exec_driver_sql(
        "SELECT attstorage FROM pg_attribute WHERE attrelid = 'webhook_delivery'::regclass AND attname = 'body'"
    ).scalar_one() == "e"  # fmt: skip
    assert orjson.loads(kept(store)["one"].body) == body


def test_a_body_from_before_bodies_were_compressed_is_read(store: Store) -> None:
    keep(incoming(store.id, body={"note": "häßlich"}, key="one"))
    db.session.connection().exec_driver_sql(
        """UPDATE webhook_delivery SET body = convert_to('{"note": "früher"}', 'UTF8')"""
    )
    db.session.commit()

    assert kept(store)["one"].body == '{"note": "früher"}'


def test_a_delivery_may_be_kept_out_of_the_drain(store: Store) -> None:
    keep(incoming(store.id, key="one", quarantine="foreign_source"))

    assert (kept(store)["one"].status, kept(store)["one"].reason) == ("quarantined", "foreign_source")


def test_every_row_of_many_threads_is_kept(store: Store, group: Inbox) -> None:
    jobs = [
        writer(group, *(incoming(store.id, key=f"{thread}-{number}") for number in range(10)))
        for thread in range(16)
    ]

    assert at_once(jobs) == [None] * 16

    assert set(kept(store)) == {f"{thread}-{number}" for thread in range(16) for number in range(10)}


def test_more_rows_than_a_group_takes_are_kept(store: Store, group: Inbox) -> None:
    jobs = [writer(group, incoming(store.id, key=str(number))) for number in range(70)]
    write_together(group, [threading.Thread(target=job) for job in jobs])

    assert len(kept(store)) == 70


def test_one_delivery_in_many_threads_and_processes_is_kept_once(app: Flask, store: Store) -> None:
    processes = [Inbox(db.engine) for _ in range(3)]
    jobs = [
        writer(process, *[incoming(store.id, key=f"key-{n}") for n in range(12)][:: (-1) ** index])
        for index, process in enumerate(processes * 3)
    ]

    assert at_once(jobs) == [None] * 9

    assert sorted(kept(store)) == sorted(f"key-{n}" for n in range(12))
    for process in processes:
        process.close()


def test_two_stores_may_have_the_same_key(store: Store, group: Inbox) -> None:
    other = new_store()

    for each in (store, other):
        group.write(incoming(each.id, key="one").row())

    assert (len(kept(store)), len(kept(other))) == (1, 1)


def test_the_first_of_two_with_one_key_stays(store: Store, group: Inbox) -> None:
    for body in ({"id": 1}, {"id": 2}):
        group.write(incoming(store.id, body=body, key="one").row())

    assert orjson.loads(kept(store)["one"].body) == {"id": 1}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"store_id": 10**19}, psycopg.errors.NumericValueOutOfRange),
        ({"topic": "orders/\x00"}, psycopg.errors.CharacterNotInRepertoire),
    ],
    ids=["number that PostgreSQL refuses", "text that PostgreSQL refuses"],
)
def test_a_bad_row_does_not_refuse_its_neighbours(
    store: Store, group: Inbox, fault: dict[str, Any], error: type[Exception]
) -> None:
    good = [incoming(store.id, key=str(number)) for number in range(8)]
    bad = replace(incoming(store.id, key="bad"), **fault)
    jobs = [writer(group, delivery) for delivery in (*good[:4], bad, *good[4:])]
    raised: list[Any] = [None] * 9

    def run(number: int) -> None:
        try:
            jobs[number]()
        except (OperationalError, psycopg.Error) as caught:
            raised[number] = caught

    write_together(group, [threading.Thread(target=run, args=(number,)) for number in range(9)])

    assert [type(each) for each in raised] == [type(None)] * 4 + [error] + [type(None)] * 4
    assert set(kept(store)) == {str(number) for number in range(8)}


def test_a_connection_that_died_is_replaced(store: Store, group: Inbox) -> None:
    for number in range(3):
        group.write(incoming(store.id, key=str(number)).row())
        db.session.rollback()  # sees the connections of today
        killed = db.session.connection().exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND query LIKE '%%INSERT INTO webhook_delivery%%'"
        )
        assert True in [row[0] for row in killed]

    group.write(incoming(store.id, key="last").row())

    assert set(kept(store)) == {"0", "1", "2", "last"}


def test_without_a_database_everybody_is_told(app: Flask, dead_database: str) -> None:
    engine = create_engine(dead_database, connect_args={"connect_timeout": 3})
    group = Inbox(engine)

    raised = at_once([writer(group, incoming(1, key=str(number))) for number in range(6)])

    assert [type(error) for error in raised] == [OperationalError] * 6
    assert group._queue == []
    engine.dispose()


def test_a_writer_that_is_interrupted_tells_nobody_that_all_is_well(
    store: Store, group: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_rows: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(group, "_execute", interrupted)
    outcome: list[str] = []
    rows = [incoming(store.id, key=str(number)).row() for number in range(3)]

    def write(number: int) -> None:
        try:
            group.write(rows[number])
            outcome.append("kept")
        except (KeyboardInterrupt, RuntimeError) as error:
            outcome.append(type(error).__name__)

    write_together(group, [threading.Thread(target=write, args=(number,)) for number in range(3)])

    assert sorted(outcome) == ["KeyboardInterrupt", "RuntimeError", "RuntimeError"]
    assert kept(store) == {}


def test_no_personal_field_is_kept_and_the_digest_is_of_the_original(
    shopify: Store, client: FlaskClient
) -> None:
    person = {
        "email": "marker-1@example.com",
        "phone": "+49 30 marker-2",
        "first_name": "Marker-3",
        "last_name": "Marker-4",
    }
    address = {"name": "Marker-5", "address1": "Marker-6 street", "zip": "Marker-7", "latitude": 52.5001}
    raw = orjson.dumps(
        shopify_order(
            1,
            11,
            12,
            contact_email="marker-8@example.com",
            browser_ip="203.0.113.9",
            client_details={"browser_ip": "203.0.113.10", "user_agent": "Marker-9"},
            customer={"id": 77, **person, "default_address": address},
            billing_address=address,
            shipping_address=address,
            note="marker-10 rings twice",
            note_attributes=[{"name": "gift", "value": "for marker-11"}],
            token="marker-12",
            order_status_url="https://shop.example/marker-13",
        )
    )
    headers = shopify_headers(raw, "orders/create", SHOPIFY_DOMAIN, SHOPIFY_SECRET)

    assert client.post("/webhooks/shopify", data=raw, headers=headers).status_code == 200

    (row,) = kept(shopify).values()
    assert "marker" not in row.body.lower()
    assert "203.0.113" not in row.body
    assert "52.5001" not in row.body
    assert row.body_sha256 == hashlib.sha256(raw).digest()
    assert [line["product_id"] for line in orjson.loads(row.body)["line_items"]] == [11, 12]
