"""Requests of people about their data, taken in as work."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.commerce.changes import CustomerRef, PrivacyRequest, PrivacyRequestKind
from app.commerce.store import Store
from app.core.db import db
from app.privacy import requests
from app.privacy.models import PrivacyRequestRecord
from tests.factories import at, customer_ref, digest, new_store


@pytest.fixture
def store(app: Flask) -> Store:
    """A store of this test alone."""
    return new_store()


def asked(
    request_id: str = "one",
    *,
    kind: PrivacyRequestKind = PrivacyRequestKind.REDACT_CUSTOMER,
    customer: CustomerRef | None = None,
    orders: tuple[str, ...] = (),
    seconds: float = 0,
) -> PrivacyRequest:
    """Return a request."""
    return PrivacyRequest(kind, request_id, at(seconds), customer, orders)


def records(store: Store) -> list[PrivacyRequestRecord]:
    """Return the stored requests of a store."""
    query = select(PrivacyRequestRecord).where(PrivacyRequestRecord.store_id == store.id)
    return list(db.session.scalars(query.order_by(PrivacyRequestRecord.request_id)))


def test_a_request_is_stored_with_its_deadline(store: Store) -> None:
    requests.record(store.id, [asked(customer=customer_ref("c1", "ann@example.com"), orders=("1", "2"))])

    (record,) = records(store)
    assert (record.kind, record.customer_platform_id, record.identity_hash, record.orders) == (
        "redact_customer",
        "c1",
        digest("ann@example.com"),
        ["1", "2"],
    )
    assert (record.requested_at, record.due_at) == (at(0), at(0) + timedelta(days=30))
    assert record.completed_at is None


@pytest.mark.parametrize("kind", list(PrivacyRequestKind), ids=lambda kind: kind.value)
def test_every_kind_can_be_about_nobody_in_particular(store: Store, kind: PrivacyRequestKind) -> None:
    requests.record(store.id, [asked(kind=kind)])

    (record,) = records(store)
    assert (record.kind, record.customer_platform_id, record.identity_hash, record.orders) == (
        kind.value,
        None,
        None,
        [],
    )


@pytest.mark.parametrize("together", [False, True], ids=["apart", "one batch"])
def test_a_repeated_request_stays_as_it_was(store: Store, together: bool) -> None:
    arriving = [asked(seconds=0, orders=("1",)), asked(seconds=60, orders=("2",))]

    for batch in [arriving] if together else [[request] for request in arriving]:
        requests.record(store.id, batch)
        db.session.commit()

    (record,) = records(store)
    assert (record.requested_at, record.orders) == (at(0), ["1"])


def test_two_requests_and_two_stores_are_apart(store: Store) -> None:
    other = new_store()

    requests.record(store.id, [asked("one"), asked("two")])
    requests.record(other.id, [asked("one")])

    assert [record.request_id for record in records(store)] == ["one", "two"]
    assert [record.request_id for record in records(other)] == ["one"]


def test_nothing_asked_is_nothing_stored(store: Store) -> None:
    requests.record(store.id, [])

    assert records(store) == []


def test_a_request_belongs_to_the_callers_transaction(store: Store) -> None:
    requests.record(store.id, [asked()])

    db.session.rollback()

    assert records(store) == []
