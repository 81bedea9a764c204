"""A person's decisions: given out, taken back, erased; and nothing of a person beside the digest."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.commerce.store import NewKeys, Store
from app.core.db import db
from app.decisions.log import DecisionLog
from app.decisions.rooms import DecisionsRoom
from app.privacy.rooms import Person
from app.privacy.subjects import VISITOR, digest, subject_of, visitor_node
from tests.decisions.making import NOON, record, rows, tallies

Shop = tuple[Store, NewKeys]


def subject(store: Store, visitor: str) -> bytes:
    return digest(store.id, VISITOR, visitor)


@pytest.fixture
def two_visitors(store: Store, logbook: DecisionLog) -> None:
    """Anna has two decisions, Bert one, and everybody one."""
    body = {"question": {"product_id": "11"}, "context": {"cart": []}, "shelf": [["best_sellers", []]]}
    for decision_id, visitor in (("d_1", "anna"), ("d_2", "anna"), ("d_3", "bert"), ("d_4", None)):
        whose = subject(store, visitor) if visitor else None
        logbook.note(record(store.id, decision_id, made_at=NOON, subject=whose, body=body))
    assert logbook.flush()


def person(store: Store, visitor: str) -> Person:
    node = visitor_node(store.id, visitor)
    return Person(store.id, frozenset({node}), frozenset({subject_of(store.id, node)}))


def test_a_person_is_told_what_was_decided_for_them(store: Store, two_visitors: None) -> None:
    found = DecisionsRoom().export(db.session.connection(), person(store, "anna"))

    assert len(found["decisions"]) == 2
    assert found["decisions"][0] == {
        "made_at": "2026-11-20T12:00:00+00:00",
        "slot": "cart",
        "strategy": "best_sellers",
        "reason": "DEFAULT",
        "arms": {},
        "shown": ["11", "12"],
        "answers": 1,
        "made_from": {"question": {"product_id": "11"}, "context": {"cart": []}},
    }
    assert DecisionsRoom().export(db.session.connection(), person(store, "carl")) == {}


def test_an_erasure_takes_a_persons_decisions_and_leaves_the_tallies(
    store: Store, two_visitors: None
) -> None:
    before = tallies(store.id)

    assert DecisionsRoom().erase(db.session.connection(), person(store, "anna")) == {"decisions": 2}
    assert DecisionsRoom().erase(db.session.connection(), Person(store.id)) == {"decisions": 0}
    db.session.commit()

    assert [r.id for r in rows(store.id)] == ["d_3", "d_4"]
    assert tallies(store.id) == before


def test_whoever_takes_the_yes_back_is_out_of_the_log_before_the_answer(
    app: Flask, client: FlaskClient, shop: Shop, logbook: DecisionLog
) -> None:
    store, keys = shop
    headers = {"X-Pannier-Key": keys.publishable}

    def choose(visitor: str, *, analytics: bool) -> None:
        choice = {"visitor_id": visitor, "analytics": analytics}
        assert client.put("/v1/consent", json=choice, headers=headers).status_code == 200

    for visitor in ("anna", "bert"):
        choose(visitor, analytics=True)
        logbook.note(record(store.id, f"d_{visitor}", subject=subject(store, visitor)))
    logbook.flush()
    logbook.note(record(store.id, "d_on_its_way", subject=subject(store, "anna")))
    assert len(rows(store.id)) == 2

    choose("anna", analytics=False)

    assert [r.id for r in rows(store.id)] == ["d_bert"]
    assert logbook.flush()
    assert [r.id for r in rows(store.id)] == ["d_bert"]


def test_a_withdrawal_counts_for_decisions_alone_too(
    client: FlaskClient, shop: Shop, logbook: DecisionLog
) -> None:
    """A visitor of whom only decisions are kept, and no choice, is remembered as one who said no."""
    store, keys = shop
    logbook.note(record(store.id, "d_before", subject=subject(store, "anna")))
    logbook.flush()

    choice = {"visitor_id": "anna", "analytics": False}
    client.put("/v1/consent", json=choice, headers={"X-Pannier-Key": keys.publishable})
    logbook.note(record(store.id, "d_after", subject=subject(store, "anna")))
    logbook.flush()

    assert rows(store.id) == []
