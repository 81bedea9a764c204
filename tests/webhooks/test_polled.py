"""What was fetched goes the way of what is delivered: redacted, once, and to the same rows."""

import hashlib
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask import Flask
from sqlalchemy import select, text

from app.commerce.store import Store
from app.core.crypto import vault
from app.core.db import db
from app.core.packing import unpack
from connectors.registry import connector_for
from connectors.source import Fetched
from tests.commerce.tables import dump
from tests.factories import at, incoming, keep, new_store, shopify_order, shopify_product
from webhooks.jobs import drain
from webhooks.models import WebhookDelivery
from webhooks.polled import keep_polled

MARKER = "PERSONAL-7f3a"
PAYLOADS = Path(__file__).parents[1] / "payloads" / "woocommerce"


def poll(store: Store, *items: Fetched, **options: Any) -> int:
    """Write items in a transaction of their own."""
    count = keep_polled(db.session.connection(), store, items, **options)
    db.session.commit()
    return count


def kept(store: Store) -> list[WebhookDelivery]:
    """Return the store's deliveries by topic, body and arrival."""
    rows = db.session.scalars(select(WebhookDelivery).where(WebhookDelivery.store_id == store.id))
    return sorted(rows, key=lambda row: (row.topic, row.body, row.id))


def order(number: int = 1, **fields: Any) -> Fetched:
    """Return a fetched order of Shopify."""
    return Fetched("orders/updated", shopify_order(number, 1, 2, **fields))


def test_what_was_fetched_waits_in_the_inbox(shopify: Store) -> None:
    assert poll(shopify, order(1), Fetched("products/update", shopify_product(1))) == 2

    first, second = kept(shopify)
    assert (first.topic, first.status, orjson.loads(first.body)["id"]) == ("orders/updated", "pending", 1)
    assert (second.topic, first.event_id, first.triggered_at, first.reason) == (
        "products/update", None, None, None,
    )  # fmt: skip
    assert (
        first.body_sha256 == hashlib.sha256(orjson.dumps(order(1).body, option=orjson.OPT_SORT_KEYS)).digest()
    )


def test_nothing_fetched_is_nothing_written(shopify: Store) -> None:
    assert poll(shopify) == 0
    assert kept(shopify) == []


def test_it_belongs_to_the_callers_transaction(shopify: Store) -> None:
    keep_polled(db.session.connection(), shopify, [order()])
    db.session.rollback()

    assert kept(shopify) == []


@pytest.mark.parametrize("together", [False, True], ids=["apart", "one page"])
def test_the_same_state_fetched_twice_is_one_delivery(shopify: Store, together: bool) -> None:
    # The order of fields says nothing.
    again = Fetched("orders/updated", dict(reversed(order().body.items())))

    counts = [poll(shopify, order(), again)] if together else [poll(shopify, order()), poll(shopify, again)]

    assert counts == ([1] if together else [1, 0])
    assert len(kept(shopify)) == 1


@pytest.mark.parametrize(
    "other",
    [order(2), order(1, seconds=1), Fetched("orders/create", order(1).body)],
    ids=["another order", "a newer state", "another topic"],
)
def test_what_differs_is_another_delivery(shopify: Store, other: Fetched) -> None:
    assert (poll(shopify, order(1)), poll(shopify, other)) == (1, 1)


def test_two_stores_do_not_share_what_was_fetched(shopify: Store) -> None:
    other = new_store()

    assert (poll(shopify, order()), poll(other, order())) == (1, 1)


def test_a_state_that_was_drained_is_recognised_still(shopify: Store) -> None:
    poll(shopify, order())
    drain(shopify.id)

    assert poll(shopify, order()) == 0
    assert [delivery.status for delivery in kept(shopify)] == ["processed"]


def test_a_deletion_is_one_for_each_time_it_was_noticed(shopify: Store) -> None:
    gone = Fetched("products/delete", {"id": 1})

    counts = [poll(shopify, gone, asked_at=at(seconds)) for seconds in (10, 10, 20)]

    assert counts == [1, 0, 1]
    assert [delivery.triggered_at for delivery in kept(shopify)] == [at(10), at(20)]


def test_a_deletion_happened_when_it_was_noticed(shopify: Store) -> None:
    poll(shopify, Fetched("products/update", shopify_product(1, seconds=15)))
    poll(shopify, Fetched("products/delete", {"id": 1}), asked_at=at(10))
    drain(shopify.id)

    (product,) = dump(db.session.connection(), shopify.id)["product"]
    assert (product["deleted_at"], product["source_updated_at"]) == (
        "2026-01-05T12:00:10+00:00", "2026-01-05T12:00:15+00:00",
    )  # fmt: skip


# --- the same rows --------------------------------------------------------------------------------------


def recorded(name: str) -> dict[str, Any]:
    """Return the body of a recorded WooCommerce delivery."""
    return orjson.loads((PAYLOADS / name).read_bytes().partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("first", ["webhook", "poll"])
@pytest.mark.parametrize("drained_between", [False, True])
@pytest.mark.parametrize("platform", ["shopify", "woocommerce"])
def test_a_webhook_and_a_poll_of_the_same_state_end_in_the_same_rows(
    shopify: Store, woocommerce: Store, platform: str, first: str, drained_between: bool
) -> None:
    store = shopify if platform == "shopify" else woocommerce
    created, updated = (
        ("orders/create", "orders/updated") if platform == "shopify" else ("order.created", "order.updated")
    )
    body = shopify_order(1, 1, 2) if platform == "shopify" else recorded("0088-order_restored.raw")
    redacted = connector_for(platform).redact(
        orjson.loads(orjson.dumps(body)), lambda identifier: vault().pseudonym(store.id, identifier)
    )

    def deliver() -> None:
        keep(incoming(store.id, created, redacted))

    def fetch() -> None:
        poll(store, Fetched(updated, {name: value for name, value in body.items() if name != "meta_data"}))

    keep(incoming(store.id, created, redacted))
    drain(store.id)
    expected = dump(db.session.connection(), store.id)
    assert len(expected["orders"]) == 1
    db.session.execute(text("DELETE FROM webhook_delivery"))
    for table in ("order_line", "orders", "product", "customer"):
        db.session.execute(text(f"DELETE FROM {table}"))
    db.session.commit()

    for act in (deliver, fetch) if first == "webhook" else (fetch, deliver):
        act()
        if drained_between:
            drain(store.id)
    drain(store.id)

    assert [delivery.status for delivery in kept(store)] == ["processed", "processed"]
    assert dump(db.session.connection(), store.id) == expected


# --- personal fields ------------------------------------------------------------------------------------

_PERSON = {
    "first_name": MARKER, "last_name": MARKER, "address_1": MARKER, "address1": MARKER, "city": MARKER,
    "phone": MARKER, "email": f"{MARKER}@example.com",
}  # fmt: skip


@pytest.mark.parametrize(
    ("platform", "topic", "fields"),
    [
        (
            "shopify", "orders/updated",
            {
                "email": f"{MARKER}@example.com", "contact_email": MARKER, "phone": MARKER, "note": MARKER,
                "customer": {"id": 7, **_PERSON, "default_address": _PERSON}, "billing_address": _PERSON,
                "shipping_address": _PERSON, "browser_ip": MARKER, "cart_token": MARKER, "token": MARKER,
                "order_status_url": f"https://x.example/{MARKER}",
                "note_attributes": [{"name": "a", "value": MARKER}],
            },
        ),
        (
            "woocommerce", "order.updated",
            {
                "billing": _PERSON, "shipping": _PERSON, "customer_note": MARKER,
                "customer_ip_address": MARKER, "customer_user_agent": MARKER, "order_key": MARKER,
                "meta_data": [{"key": "_billing_vat", "value": MARKER}],
            },
        ),
    ],
    ids=["shopify", "woocommerce"],
)  # fmt: skip
def test_nothing_personal_reaches_the_table(
    app: Flask, shopify: Store, woocommerce: Store, platform: str, topic: str, fields: dict[str, Any]
) -> None:
    store = shopify if platform == "shopify" else woocommerce
    body = {
        **(shopify_order(1, 1) if platform == "shopify" else recorded("0088-order_restored.raw")),
        **fields,
    }

    poll(store, Fetched(topic, body))

    with db.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM webhook_delivery")).mappings().one()
    written = repr({**row, "body": unpack(row["body"])})
    assert '"id":' in written
    assert MARKER.lower() not in written.lower()
    assert body["customer" if platform == "shopify" else "billing"]["email"] == f"{MARKER}@example.com"
    stored = orjson.loads(kept(store)[0].body)
    assert stored["id"] == body["id"]
    assert "identity_hash" in orjson.dumps(stored).decode()
