"""What is allowed, and what is kept of who allowed it."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from app.commerce.store import Store
from app.core.db import db, now
from app.privacy import consent
from app.privacy.consent import CHOICE, DEFAULT, Signal, allowed, asked_first, read_region, read_signal
from app.privacy.models import ConsentChoice, ConsentState
from app.privacy.purposes import Purposes
from app.privacy.rooms import Person
from app.privacy.subjects import VISITOR, digest
from app.privacy.suppression import suppress
from tests.factories import at

ALL = Purposes(15)
some = st.sampled_from([Purposes(n) for n in range(16)])


def signal(purposes: Purposes, seconds: float | None = 0) -> Signal:
    return Signal(purposes, "widget", CHOICE, None, None if seconds is None else at(seconds))


def subject(store: Store, visitor: str = "anna") -> bytes:
    return digest(store.id, VISITOR, visitor)


def kept() -> tuple[int, int]:
    """Return how many choices and how many states are stored."""
    db.session.rollback()
    choices = db.session.scalar(select(func.count()).select_from(ConsentChoice))
    states = db.session.scalar(select(func.count()).select_from(ConsentState))
    return int(choices or 0), int(states or 0)


# --- what a statement says ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "purposes"),
    [
        ({"analytics": True}, Purposes.ANALYTICS),
        ({"categoryPreferences": {"Analytics": True, "Advertising": False}}, Purposes.ANALYTICS),
        ({"statistics": True, "analytics": False}, Purposes.NONE),
        ({"analytics": "true"}, Purposes.NONE),
        ({"analytics": True, "gpc": True}, Purposes.NONE),
        ({"analytics": True, "basis": "default", "region": "US"}, Purposes.NONE),
        ({"analytics": True, "basis": "nonsense"}, Purposes.NONE),
        ({}, Purposes.NONE),
        ("yes", Purposes.NONE),
        ([True], Purposes.NONE),
    ],
    ids=["ours", "Segment's", "two names", "a text", "GPC within", "a default", "a strange basis", "empty",
         "no object", "a list"],
)  # fmt: skip
def test_what_is_stated_allows(stated: Any, purposes: Purposes) -> None:
    found = read_signal(stated, gpc=False, source="segment")

    assert found is not None
    assert (found.purposes, found.source) == (purposes, "segment")


def test_silence_is_no_statement() -> None:
    assert read_signal(None, gpc=False, source="segment") is None


def test_global_privacy_control_is_one() -> None:
    assert read_signal(None, gpc=True, source="segment") == Signal(
        Purposes.NONE, "segment", CHOICE, None, None
    )


@pytest.mark.parametrize(
    ("region", "asked"),
    [("US", False), ("USCA", False), ("us-ca", False), ("AU", False), ("CA-ON", False), ("CA", True),
     ("CAQC", True), ("NZ", True), ("DE", True), ("IS", True), ("GB", True), ("UK", True), ("CH", True),
     ("JP", True), ("XX", True), ("", True), ("Germany", True), (None, True), (7, True)],
    ids=str,
)  # fmt: skip
def test_a_default_counts_only_where_the_law_does_not_ask(region: Any, asked: bool) -> None:
    stated = {"analytics": True, "basis": "default", "region": region}

    found = read_signal(stated, gpc=False, source="widget", explicit=False)

    assert asked_first(read_region(region)) is asked
    assert found is not None
    assert found.purposes == (Purposes.NONE if asked else Purposes.ANALYTICS)
    assert found.basis == DEFAULT


@given(some, some)
def test_only_what_both_allow_is_allowed(one: Purposes, other: Purposes) -> None:
    assert allowed(signal(one), other) == one & other
    assert allowed(signal(one), None) == one
    assert allowed(None, other) == other
    assert allowed(None, None) == Purposes.NONE


# --- what is recorded -----------------------------------------------------------------------------------


@given(st.permutations([(ALL, 0), (Purposes(3), 10), (Purposes(6), 10), (Purposes(1), 5)]))
def test_any_order_of_arrival_ends_in_the_same_state(shared_app: Flask, choices: Any) -> None:
    """The newest counts, and of two of the same moment what both allow."""
    with shared_app.app_context(), db.engine.connect() as connection:
        for purposes, seconds in choices:
            last = consent.record(connection, 1, b"s" * 16, signal(purposes, seconds))
        found = consent.recorded(connection, 1, [b"s" * 16, b"t" * 16])
        connection.rollback()

    assert last == Purposes.MARKETING
    assert found == {b"s" * 16: Purposes.MARKETING}


def test_nobody_chooses_in_the_future(store: Store) -> None:
    connection = db.session.connection()

    consent.record(connection, store.id, subject(store), signal(ALL, 10**10))

    (choice,) = db.session.scalars(select(ConsentChoice))
    assert choice.chosen_at <= now()


def test_who_was_erased_allows_nothing_and_is_not_recorded(store: Store) -> None:
    connection = db.session.connection()
    consent.record(connection, store.id, subject(store), signal(ALL))
    suppress(connection, store.id, [(VISITOR, subject(store))])

    assert consent.recorded(connection, store.id, [subject(store)]) == {subject(store): Purposes.NONE}
    assert consent.record(connection, store.id, subject(store), signal(ALL, 9)) == Purposes.NONE
    db.session.commit()
    assert kept() == (1, 1)


def test_nobody_is_asked_for_nobody(store: Store) -> None:
    assert consent.recorded(db.session.connection(), store.id, []) == {}


# --- over HTTP ------------------------------------------------------------------------------------------


def put(client: FlaskClient, keys: Any, *, gpc: bool = False, **body: Any) -> Any:
    headers = {"X-Pannier-Key": keys["mine"][1].publishable} | ({"Sec-GPC": "1"} if gpc else {})
    return client.put("/v1/consent", json={"visitor_id": "anna"} | body, headers=headers)


def get(client: FlaskClient, keys: Any, **headers: str) -> Any:
    headers = {"X-Pannier-Key": keys["mine"][1].publishable} | headers
    return client.get("/v1/consent?visitor_id=anna", headers=headers)


class Diary:
    """A room that keeps so much of everybody."""

    def __init__(self, name: str = "events", entries: int = 0) -> None:
        self.name = name
        self.entries = entries
        self.forgotten: list[Person] = []

    def export(self, connection: Connection, person: Person) -> dict[str, Any]:  # noqa: ARG002
        return {}

    def erase(self, connection: Connection, person: Person) -> dict[str, int]:  # noqa: ARG002
        removed, self.entries = self.entries, 0
        return {"entries": removed}

    def forget(self, person: Person) -> None:
        self.forgotten.append(person)


@pytest.fixture
def diary(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Diary:
    found = Diary()
    monkeypatch.setitem(app.extensions, "pannier_rooms", (found,))
    return found


def test_a_choice_is_kept_and_told(client: FlaskClient, keys: Any) -> None:
    told = put(
        client, keys, analytics=True, preferences=True, source="banner", region="nz", chosen_at=str(at(0))
    )

    expected = {
        "analytics": True, "marketing": False, "preferences": True, "sale_of_data": False,
        "chosen_at": "2026-01-05T12:00:00+00:00",
    }  # fmt: skip
    assert (told.status_code, told.get_json()) == (200, expected)
    assert told.headers["Cache-Control"] == "private, no-store"
    assert get(client, keys).get_json() == expected
    (choice,) = db.session.scalars(select(ConsentChoice))
    store_id = keys["mine"][0].id
    assert (choice.subject, choice.purposes) == (digest(store_id, VISITOR, "anna"), 5)
    assert (choice.source, choice.basis, choice.region) == ("banner", "choice", "NZ")


@pytest.mark.parametrize("gpc", [False, True], ids=["a no", "GPC"])
def test_of_who_always_said_no_nothing_is_kept(
    client: FlaskClient, keys: Any, diary: Diary, gpc: bool
) -> None:
    told = put(client, keys, gpc=gpc, analytics=gpc, marketing=gpc)

    assert told.get_json() == dict.fromkeys(
        ("analytics", "marketing", "preferences", "sale_of_data"), False
    ) | {"chosen_at": None}
    assert kept() == (0, 0)


@pytest.mark.parametrize("gpc", [False, True], ids=["a no", "GPC"])
def test_a_yes_taken_back_leaves_evidence_and_removes_what_was_kept(
    client: FlaskClient, keys: Any, diary: Diary, gpc: bool
) -> None:
    put(client, keys, analytics=True)
    diary.entries = 3

    told = put(client, keys, gpc=gpc, analytics=gpc)

    assert told.get_json()["analytics"] is False
    assert diary.entries == 0
    assert kept() == (2, 1)
    store_id = keys["mine"][0].id
    assert diary.forgotten[-1].subjects == {digest(store_id, VISITOR, "anna")}


def test_a_yes_that_only_events_stated_is_taken_back_too(
    client: FlaskClient, keys: Any, diary: Diary
) -> None:
    diary.entries = 1

    put(client, keys, analytics=False)

    assert diary.entries == 0
    assert kept() == (1, 1)


def test_a_no_that_is_older_than_the_yes_removes_nothing(
    client: FlaskClient, keys: Any, diary: Diary
) -> None:
    put(client, keys, analytics=True)
    diary.entries = 3

    told = put(client, keys, analytics=False, chosen_at=(now() - timedelta(days=1)).isoformat())

    assert told.get_json()["analytics"] is True
    assert diary.entries == 3


def test_what_needs_no_consent_stays_when_it_is_taken_back(
    client: FlaskClient, keys: Any, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = Diary("commerce", 2)
    monkeypatch.setitem(app.extensions, "pannier_rooms", (books,))
    put(client, keys, analytics=True)

    put(client, keys, analytics=False)

    assert books.entries == 2


def test_under_global_privacy_control_nothing_is_allowed(client: FlaskClient, keys: Any) -> None:
    put(client, keys, analytics=True)

    told = get(client, keys, **{"Sec-GPC": "1"}).get_json()

    assert told["analytics"] is False


def test_a_page_says_nothing_of_customers(client: FlaskClient, keys: Any) -> None:
    key = {"X-Pannier-Key": keys["mine"][1].publishable}

    for told in (
        client.put("/v1/consent", json={"customer_id": "7", "analytics": True}, headers=key),
        client.get("/v1/consent?customer_id=7", headers=key),
    ):
        assert told.status_code == 403
    assert kept() == (0, 0)


def test_a_server_does(client: FlaskClient, keys: Any) -> None:
    key = {"Authorization": f"Bearer {keys['mine'][1].secret}"}
    told = client.put("/v1/consent", json={"customer_id": "7", "marketing": True}, headers=key)

    assert told.get_json()["marketing"] is True
    assert client.get("/v1/consent?customer_id=7", headers=key).get_json()["marketing"] is True
    assert client.get("/v1/consent?visitor_id=7", headers=key).get_json()["marketing"] is False


@pytest.mark.parametrize(
    "body",
    [
        {"analytics": "true"},
        {"analytics": 1},
        {"visitor_id": ""},
        {"visitor_id": "x" * 201},
        {"visitor_id": "line\nfeed"},
        {"customer_id": "7"},
        {"basis": "guess"},
        {"region": "New Zealand"},
        {"chosen_at": "2026-01-01T00:00:00"},
        {"everything": True},
    ],
    ids=str,
)
def test_what_cannot_be_understood_is_refused(client: FlaskClient, keys: Any, body: dict[str, Any]) -> None:
    assert put(client, keys, **body).status_code == 422
    assert kept() == (0, 0)


@pytest.mark.parametrize(("setting", "counts"), [(None, False), (1.0, False), (0.0, True)], ids=str)
def test_a_store_decides_whether_defaults_count_where_the_law_lets_it(
    client: FlaskClient, keys: Any, setting: float | None, counts: bool
) -> None:
    store: Store = keys["mine"][0]
    store.settings = {} if setting is None else {"explicit_consent": setting}
    db.session.commit()

    told = put(client, keys, analytics=True, basis="default", region="US-CA")
    refused = put(client, keys, visitor_id="bert", analytics=True, basis="default", region="NZ")

    assert told.get_json()["analytics"] is counts
    assert refused.get_json()["analytics"] is False


def test_a_withdrawal_waits_for_what_is_being_stored(app: Flask, store: Store) -> None:
    """What is stored on the strength of a yes cannot slip in behind its withdrawal."""
    with Session(db.engine) as storing, Session(db.engine) as withdrawing:
        consent.recorded(storing.connection(), store.id, [subject(store)], hold=True)
        withdrawing.connection().exec_driver_sql("SET LOCAL lock_timeout = '50ms'")

        with pytest.raises(Exception, match="lock timeout"):
            consent.hold_off(withdrawing.connection(), store.id)
        withdrawing.rollback()
        storing.rollback()

        consent.hold_off(withdrawing.connection(), store.id)
