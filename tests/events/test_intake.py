"""From messages to rows: consent, once, who it was, and what is counted."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.commerce import ingest
from app.commerce.store import NewKeys, Store, StoreAccess
from app.core.db import db, now
from app.events import tokens
from app.events.intake import EventIntake
from app.events.models import Event, EventReceipt, EventTally, IdentityLink
from app.events.routes import current_events
from app.privacy import consent
from app.privacy.consent import read_signal
from app.privacy.models import Suppression
from app.privacy.rooms import rooms
from app.privacy.subjects import cart_node, customer_node, subject_of, visitor_node
from tests.events.sending import YES, kept, message, send, statuses
from tests.factories import product_change, variant_state


def access(store: Store, kind: str = "publishable") -> StoreAccess:
    return StoreAccess(store.id, store.platform, store.domain, store.currency, frozenset(), kind)


def record(store: Store, node: str, purposes: dict[str, bool]) -> None:
    signal = read_signal(purposes, gpc=False, source="test")
    assert signal is not None
    consent.keep(db.session.connection(), store.id, subject_of(store.id, node), signal)
    db.session.commit()


def links(store: Store) -> set[tuple[str, str, str]]:
    db.session.rollback()
    found = db.session.scalars(select(IdentityLink).where(IdentityLink.store_id == store.id))
    return {(*sorted((link.left_node, link.right_node)), link.reason) for link in found}


def pair(one: str, other: str, reason: str) -> tuple[str, str, str]:
    left, right = sorted((one, other))
    return left, right, reason


def counted(store: Store) -> dict[tuple[str, str], int]:
    current_events().tallies.flush()
    db.session.rollback()
    rows = db.session.scalars(select(EventTally).where(EventTally.store_id == store.id))
    return {(row.outcome, row.reason): row.events for row in rows}


# --- consent --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "recorded", "outcome"),
    [
        (YES, None, "accepted"),
        ({"categoryPreferences": {"Analytics": True}}, None, "accepted"),
        (None, YES, "accepted"),
        (YES, YES, "accepted"),
        (None, None, "no_consent"),
        ({"analytics": False}, YES, "no_consent"),
        (YES, {"marketing": True}, "no_consent"),
        (YES | {"gpc": True}, YES, "no_consent"),
        ("yes", None, "no_consent"),
        ({"analytics": True, "basis": "default", "region": "NZ"}, None, "no_consent"),
    ],
)  # fmt: skip
def test_both_what_is_stated_and_what_is_recorded_must_allow_it(
    client: FlaskClient, store: Store, send_keys: NewKeys, stated: Any, recorded: Any, outcome: str
) -> None:
    if recorded is not None:
        record(store, visitor_node(store.id, "visitor-1"), recorded)

    response = send(client, send_keys, message(context={"consent": stated} if stated is not None else None))

    assert statuses(response) == [outcome]
    assert len(kept(store)) == (outcome == "accepted")
    assert db.session.scalars(select(EventReceipt)).all() == [] or outcome == "accepted"


def test_global_privacy_control_is_a_no(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    record(store, visitor_node(store.id, "visitor-1"), YES)

    by_header = send(client, send_keys, message(), **{"Sec-GPC": "1"})
    by_context = send(client, send_keys, message(context={"consent": YES, "gpc": True}))

    assert statuses(by_header) + statuses(by_context) == ["no_consent", "no_consent"]
    assert kept(store) == []


def test_what_the_customer_behind_a_visitor_refused_counts(
    client: FlaskClient, store: Store, send_keys: NewKeys
) -> None:
    record(store, customer_node("77"), {"analytics": False})

    assert statuses(send(client, send_keys, message(userId="77"), server=True)) == ["no_consent"]
    assert statuses(send(client, send_keys, message(userId="77"))) == ["accepted"]  # a claim is nobody's


def test_somebody_who_was_erased_stays_out(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    subject = subject_of(store.id, visitor_node(store.id, "visitor-1"))
    db.session.add(Suppression(store_id=store.id, digest=subject, kind="visitor"))
    db.session.commit()

    assert statuses(send(client, send_keys, message(), message(anonymousId="other"))) == [
        "no_consent",
        "accepted",
    ]


def test_purposes_are_what_both_allow(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    record(store, visitor_node(store.id, "visitor-1"), {"analytics": True, "preferences": True})

    send(client, send_keys, message(context={"consent": {"analytics": True, "marketing": True}}))

    assert [row.purposes for row in kept(store)] == [1]


def test_a_withdrawal_waits_for_events_that_are_being_written_and_removes_them(
    client: FlaskClient, store: Store, send_keys: NewKeys
) -> None:
    """Whatever the order of the two, nothing is left."""
    store_id = store.id
    headers = {"X-Pannier-Key": send_keys.publishable}
    choice = {"visitor_id": "visitor-1", **YES}
    client.put("/v1/consent", json=choice, headers=headers)
    answers: list[list[str]] = []

    def keep_sending() -> None:
        with client.application.app_context():
            own = client.application.test_client()
            answers.extend(statuses(send(own, send_keys, message())) for _ in range(15))

    threads = [threading.Thread(target=keep_sending) for _ in range(3)]
    for thread in threads:
        thread.start()
    response = client.put("/v1/consent", json=choice | {"analytics": False}, headers=headers)
    for thread in threads:
        thread.join(timeout=60)

    assert response.get_json()["analytics"] is False
    assert len(answers) == 45
    assert db.session.scalars(select(Event).where(Event.store_id == store_id)).all() == []
    assert statuses(send(client, send_keys, message())) == ["no_consent"]


def test_events_do_not_wait_for_long_while_somebody_is_erased(
    client: FlaskClient, store: Store, send_keys: NewKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.events.writer._PATIENCE", "100ms")
    current_events().writer.close()
    store_id = store.id

    with db.engine.begin() as erasing:
        consent.hold_off(erasing, store_id)
        refused = send(client, send_keys, message())

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert kept(store) == []
    assert statuses(send(client, send_keys, message())) == ["accepted"]
    current_events().writer.close()


def test_who_waits_for_others_to_write_holds_no_connection(
    client: FlaskClient, store: Store, send_keys: NewKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every connection could wait for the writer, and the writer for one of them."""
    held: list[bool] = []

    def write(batch: Any) -> list[str]:
        held.append(db.session.in_transaction())
        return ["accepted"] * len(batch.events)

    monkeypatch.setattr(current_events().writer, "write", write)

    assert statuses(send(client, send_keys, message("identify"))) == ["accepted"]
    assert held == [False]


# --- once -----------------------------------------------------------------------------------------------


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_same_events_in_any_split_and_order_are_the_same_rows(
    app: Flask, store: Store, data: Any
) -> None:
    """Batches that overlap, repeat, and are written by two processes in turns."""
    sent = [message(anonymousId=f"visitor-{n % 3}") for n in range(6)]
    parts = data.draw(st.lists(st.lists(st.sampled_from(range(6)), max_size=8), min_size=1, max_size=5))
    processes = [EventIntake(db.engine, 180) for _ in range(2)]

    outcomes: dict[str, list[str]] = {}
    for turn, part in enumerate(parts):
        for result in processes[turn % 2].take(access(store), [sent[n] for n in part]):
            outcomes.setdefault(result["message_id"], []).append(result["status"])
    for process in processes:
        process.close()

    wanted = {sent[n]["messageId"] for part in parts for n in part}
    assert set(outcomes) == wanted
    assert all(each == ["accepted"] + ["duplicate"] * (len(each) - 1) for each in outcomes.values())
    rows = [row for row in kept(store) if row.received_at]
    assert len({row.message for row in rows}) == len(rows)


def test_one_batch_from_many_threads_and_processes_is_written_once(app: Flask, store: Store) -> None:
    sent = [message() for _ in range(40)]
    by = access(store)
    processes = [EventIntake(db.engine, 180) for _ in range(2)]
    results: list[list[dict[str, Any]]] = []
    start = threading.Barrier(6)

    def run(number: int) -> None:
        with app.app_context():
            start.wait(10)
            results.append(processes[number % 2].take(by, sent[:: (-1) ** number]))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for process in processes:
        process.close()

    ends = [result["status"] for each in results for result in each]
    assert (ends.count("accepted"), ends.count("duplicate")) == (40, 200)
    assert len(kept(store)) == 40


def test_a_message_is_known_by_its_content_where_it_has_no_id(
    client: FlaskClient, store: Store, send_keys: NewKeys
) -> None:
    nameless = message(messageId=None)

    assert statuses(send(client, send_keys, nameless, nameless)) == ["accepted", "duplicate"]
    assert statuses(send(client, send_keys, nameless)) == ["duplicate"]


# --- who it was -----------------------------------------------------------------------------------------


def test_a_server_links_visitor_and_customer(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    send(client, send_keys, message("identify", userId="77"), server=True)

    visitor = visitor_node(store.id, "visitor-1")
    assert links(store) == {pair(visitor, customer_node("77"), "server")}
    (row,) = kept(store)
    assert row.subject == subject_of(store.id, visitor)
    assert row.properties == {"$links": [[visitor, customer_node("77"), "server"]]}


def test_a_pages_bare_user_id_links_nobody(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    assert statuses(send(client, send_keys, message("identify", userId="77"))) == ["accepted"]
    assert statuses(send(client, send_keys, message(userId="77", anonymousId=None))) == ["unverified_user"]

    assert links(store) == set()
    assert counted(store) == {
        ("accepted", ""): 1,
        ("noted", "unverified_user"): 1,
        ("rejected", "unverified_user"): 1,
    }


@pytest.mark.parametrize("place", ["context", "traits"])
def test_a_customer_token_proves_who_is_logged_in(
    client: FlaskClient, store: Store, send_keys: NewKeys, place: str
) -> None:
    token = tokens.make(store.id, "77", now())
    told = {
        "context": {"context": {"consent": YES, "pannier": {"customerToken": token}}},
        "traits": {"traits": {"customerToken": token}},
    }[place]

    assert statuses(send(client, send_keys, message("identify", userId="88", **told))) == ["accepted"]

    assert links(store) == {pair(visitor_node(store.id, "visitor-1"), customer_node("77"), "logged_in")}


def test_a_token_that_proves_nothing_links_nobody(
    client: FlaskClient, store: Store, send_keys: NewKeys, keys: dict[str, Any]
) -> None:
    others = tokens.make(keys["other"][0].id, "77", now())
    old = tokens.make(store.id, "77", now() - timedelta(hours=1))

    for token in (others, old, "guess"):
        send(client, send_keys, message("identify", traits={"customerToken": token}))

    assert links(store) == set()


def test_carts_and_aliases_are_linked(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    send(
        client,
        send_keys,
        message(properties={"product_id": "1", "cart_id": "ab" * 32}),
        message("alias", userId="77", previousId="older"),
        message("alias", userId="77", previousId="visitor-1"),
    )

    visitor = visitor_node(store.id, "visitor-1")
    assert links(store) == {
        pair(visitor, cart_node(store.id, bytes.fromhex("ab" * 32)), "cart"),
        pair(visitor, visitor_node(store.id, "older"), "alias"),
    }


def test_an_event_of_a_customer_alone_is_the_customers(
    client: FlaskClient, store: Store, send_keys: NewKeys
) -> None:
    event = message(event="Order Completed", userId="77", anonymousId=None)

    assert statuses(send(client, send_keys, event, server=True)) == ["accepted"]
    assert kept(store)[0].subject == subject_of(store.id, customer_node("77"))


def test_an_address_is_no_customers_id(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    by_mail = message("identify", userId="ann@example.com")

    assert statuses(send(client, send_keys, by_mail, server=True)) == ["personal_id"]
    assert statuses(send(client, send_keys, by_mail)) == ["accepted"]
    assert links(store) == set()


def test_a_variant_named_in_a_products_place_is_its_product(
    client: FlaskClient, store: Store, send_keys: NewKeys
) -> None:
    changes = [
        product_change("70", variant_state("71"), variant_state("72")),
        product_change("80", variant_state("70")),  # a product's id stays that product's
    ]
    ingest.apply(db.session.connection(), store.id, changes)
    db.session.commit()
    named = ("72", "70", "80", "of another shop")

    send(client, send_keys, *(message(properties={"product_id": id_}) for id_ in named))

    assert [event.products for event in kept(store)] == [["70"], ["70"], ["80"], ["of another shop"]]


def test_no_raw_id_is_in_the_database(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    send(
        client,
        send_keys,
        message("identify", anonymousId="marker-visitor", userId="5", traits={"name": "marker-name"}),
        message(anonymousId="marker-visitor", messageId="marker-message", context={
            "consent": YES, "ip": "marker-ip", "userAgent": "marker-agent", "pannier": {"cartToken": "marker-cart"}}),
        server=True,
    )  # fmt: skip

    db.session.rollback()
    written = ""
    for table in ("event", "event_receipt", "event_tally", "identity_link", "consent_state"):
        rows = db.session.connection().exec_driver_sql(f"SELECT t::text FROM {table} t").scalars()
        written += "".join(rows)
    assert len(kept(store)) == 2
    assert "marker" not in written
    assert b"marker".hex() not in written


# --- tallies and rooms ----------------------------------------------------------------------------------


def test_every_end_is_counted_by_day_and_told(client: FlaskClient, store: Store, send_keys: NewKeys) -> None:
    twice = message()
    send(
        client,
        send_keys,
        twice,
        twice,
        message(anonymousId=None),
        message("identify"),
        message(properties={}),
    )
    send(client, send_keys, message(context=None), message(anonymousId="null"), message(anonymousId="null"))

    assert counted(store) == {
        ("accepted", ""): 3,
        ("duplicate", ""): 1,
        ("noted", "missing_product"): 1,
        ("noted", "missing_user_context"): 1,
        ("rejected", "junk_id"): 2,
        ("rejected", "missing_user_context"): 1,
        ("rejected", "no_consent"): 1,
    }
    report = client.get(
        "/v1/reports/events", headers={"Authorization": f"Bearer {send_keys.secret}"}
    ).get_json()
    assert (report["accepted"], report["duplicates"], report["missing_user_context"]) == (3, 1, 2)
    assert [(row["reason"], row["events"]) for row in report["rejected"]] == [
        ("junk_id", 2),
        ("missing_user_context", 1),
        ("no_consent", 1),
    ]
    assert all(row["advice"].endswith(".") for row in report["rejected"] + report["noted"])


def test_counts_that_the_database_does_not_take_are_added_later(
    app: Flask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    tallies = current_events().tallies
    tallies.count(store.id, now(), [("accepted", "")])
    with monkeypatch.context() as broken:
        broken.setattr("app.events.tallies._ADD", "SELECT 1 / 0")
        tallies.flush()
    tallies.count(store.id, now(), [("accepted", "")])

    assert counted(store) == {("accepted", ""): 2}


def test_the_room_tells_and_removes_a_persons_events(
    client: FlaskClient, store: Store, send_keys: NewKeys
) -> None:
    from app.privacy.rooms import Person

    (room,) = (room for room in rooms() if room.name == "events")
    send(client, send_keys, message(), message(event="Cart Viewed"), message(anonymousId="other"))
    node = visitor_node(store.id, "visitor-1")
    person = Person(store.id, frozenset({node}), frozenset({subject_of(store.id, node)}))
    connection = db.session.connection()

    told = room.export(connection, person)
    removed = room.erase(connection, person)
    db.session.commit()

    assert [event["name"] for event in told["events"]] == ["Product Viewed", "Cart Viewed"]
    assert told["events"][0]["allowed"] == {
        "analytics": True,
        "marketing": True,
        "preferences": True,
        "sale_of_data": False,
    }
    assert removed["events"] == 2
    assert len(kept(store)) == 1
    assert room.export(db.session.connection(), person) == {}
    assert set(room.erase(db.session.connection(), person).values()) == {0}
