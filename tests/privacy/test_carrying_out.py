"""Carrying out what people ask: by whatever they are named, again where it failed, with a receipt."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from rq import Queue
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.commerce import ingest
from app.commerce.cart import Cart
from app.commerce.changes import CustomerRef, OrderDeletion, PrivacyRequest, PrivacyRequestKind
from app.commerce.customer import Customer
from app.commerce.order import Order, OrderAdjustment, OrderTombstone
from app.commerce.store import Store
from app.core import metrics
from app.core.crypto import vault
from app.core.db import Model, db, now
from app.core.queues import UPKEEP, queue_redis
from app.events.links import link
from app.privacy import export, jobs, persons, requests, retention
from app.privacy.models import ConsentChoice, ConsentState, PrivacyExport, PrivacyRequestRecord, Suppression
from app.privacy.notices import as_text, notice_of
from app.privacy.persons import Named
from app.privacy.receipts import is_genuine, sign
from app.privacy.requests import ERASURE, EXPORT
from app.privacy.subjects import ORDER, cart_node, contact_node, customer_node, digest, visitor_node
from app.privacy.suppression import names, suppress, suppressed, without
from app.recommendations.taking_in import take_in
from tests.factories import (
    adjustment,
    at,
    cart_change,
    customer_change,
    customer_deletion,
    incoming,
    keep,
    new_store,
    order_change,
    order_deletion,
    product_change,
    shopify_order,
)
from tests.factories import digest as token_hash
from webhooks.jobs import drain
from webhooks.models import WebhookDelivery
from webhooks.personal import mentions

EMAIL = "ann@example.com"


def identity(store: Store, email: str = EMAIL) -> bytes:
    return bytes.fromhex(vault().pseudonym(store.id, email))


def ann(store: Store, platform_id: str | None = "7") -> CustomerRef:
    return CustomerRef(platform_id, identity(store))


def take(store: Store, *changes: Any) -> None:
    take_in(db.session.connection(), store.id, changes)
    db.session.commit()


def count(table: type[Model], store: Store) -> int:
    db.session.rollback()
    column: Any = table.__table__.c.store_id
    return int(db.session.scalar(select(func.count()).select_from(table).where(column == store.id)) or 0)


def done(request: int) -> PrivacyRequestRecord:
    """Carry a request out and return it."""
    assert requests.carry_out(request)
    found = db.session.get(PrivacyRequestRecord, request)
    assert found is not None
    return found


def ask(store: Store, kind: str = ERASURE, **whom: Any) -> int:
    found = requests.ask(store.id, kind, **whom)
    db.session.commit()
    return found


# --- who is meant ---------------------------------------------------------------------------------------


@pytest.fixture
def shopper(store: Store) -> Store:
    """Ann has an account, ordered with it by a cart and once as a guest; Bert has nothing to do with her."""
    take(
        store,
        order_change("o1", "p1", "p2", customer=ann(store), cart="basket"),
        order_change("o2", "p1", customer=ann(store, None)),
        order_change("o3", "p2", customer=CustomerRef("8", identity(store, "bert@example.com"))),
        cart_change("basket", "p1"),
    )
    browser = visitor_node(store.id, "anns browser")
    link(db.session.connection(), store.id, [(browser, customer_node("7"), "logged_in")], now())
    db.session.commit()
    return store


def _whom(store: Store) -> dict[str, Named]:
    return {
        "account": Named(customers=frozenset({"7"})),
        "address": Named(contacts=frozenset({identity(store)})),
        "browser": Named(visitors=frozenset({visitor_node(store.id, "anns browser")})),
        "order": Named(orders=frozenset({"o1"})),
        "guest order": Named(orders=frozenset({"o2"})),
    }


@pytest.mark.parametrize("by", ["account", "address", "browser", "order", "guest order"])
def test_by_whatever_a_person_is_named_all_of_them_is_found(shopper: Store, by: str) -> None:
    person = persons.find(db.session.connection(), shopper.id, _whom(shopper)[by])

    cart = token_hash("basket")
    assert person.nodes == {
        customer_node("7"),
        contact_node(shopper.id, identity(shopper)),
        visitor_node(shopper.id, "anns browser"),
        cart_node(shopper.id, cart),
    }
    assert person.order_ids == {"o1", "o2"}
    assert person.cart_hashes == {cart}
    assert person.identity_hashes == {identity(shopper)}
    assert len(person.customer_ids) == 2
    assert len(person.subjects) == 4


def test_who_is_not_known_has_only_the_name_that_was_given(store: Store) -> None:
    person = persons.find(db.session.connection(), store.id, Named(customers=frozenset({"404"})))

    assert person.nodes == {customer_node("404")}
    assert (person.customer_ids, person.order_ids) == (frozenset(), frozenset())


def test_a_guest_is_found_by_the_cart_that_a_visitor_used(store: Store) -> None:
    """The graph names contacts and carts by digests alone."""
    take(store, order_change("o1", "p1", customer=ann(store, None), cart="basket"), cart_change("lost", "p1"))
    browser = visitor_node(store.id, "anns browser")
    guest = contact_node(store.id, identity(store))
    pairs = [
        (browser, cart_node(store.id, token_hash("basket")), "cart"),
        (cart_node(store.id, token_hash("basket")), guest, "checkout"),
        (browser, cart_node(store.id, token_hash("lost")), "cart"),
    ]
    link(db.session.connection(), store.id, pairs, now())

    person = persons.find(db.session.connection(), store.id, Named(visitors=frozenset({browser})))

    assert person.order_ids == {"o1"}
    assert person.identity_hashes == {identity(store)}
    assert person.cart_hashes == {token_hash("basket"), token_hash("lost")}


# --- erasing --------------------------------------------------------------------------------------------


def test_an_erasure_leaves_the_others_alone(shopper: Store) -> None:
    record = done(ask(shopper, customer="7"))

    db.session.rollback()
    assert db.session.scalars(select(Order.platform_id)).all() == ["o3"]
    assert db.session.scalars(select(Customer.platform_id)).all() == ["8"]
    assert count(Cart, shopper) == 0
    assert record.receipt is not None
    assert record.receipt["removed"] == {
        "identity": {"links": 1},
        "commerce": {"order_lines": 3, "orders": 2, "carts": 1, "customers": 2},
    }
    assert (record.customer_platform_id, record.identity_hash, record.visitors, record.orders) == (
        None, None, [], [],
    )  # fmt: skip
    assert count(Suppression, shopper) == 6


def test_who_is_erased_twice_is_gone_once(shopper: Store) -> None:
    done(ask(shopper, customer="7"))

    record = done(ask(shopper, customer="7"))

    assert (record.receipt or {})["removed"] == {}


def test_the_same_person_of_another_store_stays(shopper: Store) -> None:
    other = new_store()
    take(other, order_change("o1", "p1", customer=CustomerRef("7", identity(other))))

    done(ask(shopper, customer="7"))

    assert (count(Order, other), count(Customer, other), count(Suppression, other)) == (1, 1, 0)


@pytest.mark.parametrize(
    "change",
    [
        order_change("o1", "p1", seconds=99),
        order_change("new", "p1", customer=CustomerRef("7")),
        order_change("new", "p1", cart="basket"),
        adjustment("o1", "refund:1", 9, p1=-1),
        order_deletion("o1"),
        customer_change("7", None, seconds=99),
        customer_deletion("7"),
        cart_change("basket", "p1", seconds=99),
    ],
    ids=["order", "new order", "order of the cart", "refund", "order deletion", "customer",
         "customer deletion", "cart"],
)  # fmt: skip
def test_what_names_who_was_erased_is_not_taken(shopper: Store, change: Any) -> None:
    done(ask(shopper, customer="7"))
    before = [count(table, shopper) for table in (Order, Customer, Cart, OrderTombstone)]

    take(shopper, change, product_change("p9"))

    assert [count(table, shopper) for table in (Order, Customer, Cart, OrderTombstone)] == before
    assert without(db.session.connection(), shopper.id, [change]) == []


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
@pytest.mark.parametrize("first", ["order", "refund"])
def test_what_follows_a_new_order_of_who_was_erased_is_not_taken_either(
    shopper: Store, together: bool, first: str
) -> None:
    """A refund names its order, and nobody."""
    done(ask(shopper, customer="7"))
    changes = [order_change("new", "p1", customer=CustomerRef("7")), adjustment("new", "refund:9", 9, p1=-1)]
    changes = changes if first == "order" else changes[::-1]

    for batch in [changes] if together else [[change] for change in changes]:
        take(shopper, *batch)

    assert count(Order, shopper) == 1
    assert count(OrderAdjustment, shopper) == 0
    assert without(db.session.connection(), shopper.id, [order_deletion("new")]) == []


def test_without_a_list_nothing_is_left_out_and_nothing_computed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.privacy.suppression.digest", None)
    changes = [order_change("o1", "p1", customer=ann(store)), product_change("p1")]

    assert without(db.session.connection(), store.id, changes) == changes


def test_the_list_holds_what_it_was_given_once(store: Store) -> None:
    connection = db.session.connection()
    entries = [(ORDER, digest(store.id, ORDER, number)) for number in ("1", "2")]

    assert suppress(connection, store.id, entries) == 2
    assert suppress(connection, store.id, entries[:1]) == 0
    assert suppress(connection, store.id, []) == 0
    assert suppressed(connection, store.id, [entries[0][1], b"other"]) == {entries[0][1]}
    assert suppressed(connection, store.id, []) == set()


def test_a_request_about_a_person_names_them() -> None:
    request = PrivacyRequest(
        PrivacyRequestKind.REDACT_CUSTOMER, "r", at(0), CustomerRef("7", b"h" * 32), ("1",)
    )

    assert set(names(request)) == {("customer", "7"), ("contact", (b"h" * 32).hex()), ("order", "1")}
    assert list(names(OrderDeletion("1", at(0)))) == [("order", "1")]


# --- deliveries -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "body", "named"),
    [
        ("orders/create", {"id": 1, "line_items": [{"id": 2}]}, {("order", "1")}),
        ("order.updated", {"id": 1, "customer_id": 7}, {("order", "1"), ("customer", "7")}),
        ("customers/update", {"id": 7}, {("customer", "7")}),
        ("checkouts/update", {"id": 5, "customer": {"id": 7}, "note": None}, {("customer", "7")}),
        ("fulfillments/create", {"id": 5, "order_id": 1}, {("order", "1")}),
        ("x", [{"a": "gid://shopify/Order/1"}], {("order", "1")}),
        ("carts/update", {"cart_token_hash": "ab", "identity_hash": "cd"}, {("cart", "ab"), ("contact", "cd")}),
        ("products/update", {"id": 1, "variants": [{"id": 7}]}, set()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_body_names_people_by_its_fields(topic: str, body: Any, named: set[Any]) -> None:
    assert set(mentions(topic, body)) == named


def test_deliveries_that_cannot_be_read_go_too(shopper: Store) -> None:
    for number, (topic, body, quarantine) in enumerate(
        [
            ("orders/create", shopify_order(5, 1, customer={"id": 7}), None),
            ("orders/create", {"customer": {"id": 7}, "nonsense": True}, "payload: wrong"),
            ("checkouts/update", {"id": 1, "customer": {"id": 7}}, None),
            ("products/update", {"id": 7}, None),
            ("orders/create", shopify_order(6, 7), None),
        ]
    ):
        keep(incoming(shopper.id, topic=topic, body=body, key=str(number), quarantine=quarantine))

    record = done(ask(shopper, customer="7"))

    assert (record.receipt or {})["removed"]["webhooks"] == {"deliveries": 3}
    db.session.rollback()
    left = select(WebhookDelivery.dedupe_key).order_by(WebhookDelivery.dedupe_key)
    assert db.session.scalars(left).all() == ["3", "4"]


def test_what_is_delivered_later_is_deleted_as_it_is_processed(shopper: Store) -> None:
    done(ask(shopper, customer="7"))
    late = shopify_order(5, 1, customer={"id": 7, "admin_graphql_api_id": "gid://shopify/Customer/7"})
    keep(incoming(shopper.id, body=late, key="late"))
    keep(incoming(shopper.id, topic="checkouts/update", body={"customer": {"id": 7}}, key="aside"))
    keep(incoming(shopper.id, body={"customer": {"id": 7}}, key="broken"))
    keep(incoming(shopper.id, body=shopify_order(6, 1), key="of others"))

    drain(shopper.id)

    db.session.rollback()
    assert db.session.scalars(select(WebhookDelivery.dedupe_key)).all() == ["of others"]
    assert count(Order, shopper) == 2


def test_a_delivery_that_is_being_processed_is_removed_by_whoever_processes_it(
    app: Flask, shopper: Store
) -> None:
    """The drain holds the rows of its batch and waits for the store's lock; the erasure must not wait for the drain."""
    keep(incoming(shopper.id, body=shopify_order(5, 1, customer={"id": 7}), key="racing"))
    store_id = shopper.id
    with Session(db.engine) as draining:
        draining.scalars(select(WebhookDelivery).with_for_update()).all()

        done(ask(shopper, customer="7"))

        assert count(WebhookDelivery, shopper) == 1
        draining.rollback()
    drain(store_id)

    assert count(WebhookDelivery, shopper) == 0
    assert count(Order, shopper) == 1


def test_nothing_is_taken_in_while_a_person_is_erased(app: Flask, shopper: Store) -> None:
    store_id, begun, result = shopper.id, threading.Event(), []

    def erase() -> None:
        with app.app_context():
            request = ask(shopper, customer="7")
            begun.set()
            result.append(requests.carry_out(request))

    ingest.lock_commerce(db.session.connection(), store_id)
    thread = threading.Thread(target=erase)
    thread.start()
    begun.wait(10)
    late = order_change("o9", "p1", customer=ann(shopper))
    take_in(db.session.connection(), store_id, [late])
    db.session.commit()
    thread.join(30)

    assert result == [True]
    assert count(Order, shopper) == 1


# --- requests -------------------------------------------------------------------------------------------


class Broken:
    """A room that fails so often."""

    name = "broken"

    def __init__(self, times: int) -> None:
        self.times = times

    def export(self, *_: Any) -> dict[str, Any]:
        return {}

    def erase(self, *_: Any) -> dict[str, int]:
        if self.times:
            self.times -= 1
            raise ValueError("ann@example.com")
        return {}

    def forget(self, *_: Any) -> None:
        pass


def test_what_fails_is_seen_and_tried_again(
    app: Flask, shopper: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = (*app.extensions["pannier_rooms"], Broken(times=1))
    monkeypatch.setitem(app.extensions, "pannier_rooms", rooms)
    request = ask(shopper, customer="7")
    other = ask(shopper, EXPORT, customer="8")

    assert jobs.carry_out_requests() == 1
    record = db.session.get(PrivacyRequestRecord, request, populate_existing=True)
    assert record is not None
    assert (record.attempts, record.failure, record.completed_at) == (1, "ValueError", None)
    assert record.customer_platform_id == "7"
    assert count(Order, shopper) == 3  # nothing was half erased
    jobs.measure()
    assert metrics.PRIVACY_REQUESTS.collect()[0].samples[0].value == 1

    assert jobs.carry_out_requests() == 1
    record = db.session.get(PrivacyRequestRecord, request, populate_existing=True)
    assert record is not None
    assert (record.attempts, record.failure, record.customer_platform_id) == (2, None, None)
    assert count(Order, shopper) == 1
    assert requests.carry_out(other) is False


def test_overdue_requests_are_counted(store: Store) -> None:
    ask(store, customer="7")
    db.session.execute(update(PrivacyRequestRecord).values(due_at=now() - timedelta(days=1)))
    db.session.commit()

    assert requests.open_counts() == (1, 1)


def test_one_key_is_one_request_and_names_nobody(store: Store) -> None:
    first = ask(store, customer="7", key="erase ann@example.com")

    assert ask(store, customer="7", key="erase ann@example.com") == first
    assert ask(store, customer="8", key="erase ann@example.com") != first
    assert ask(store, customer="7") != first
    ids = db.session.scalars(select(PrivacyRequestRecord.request_id)).all()
    assert not any("ann" in id_ for id_ in ids)


def test_an_export_holds_what_is_kept_and_whence_it_came(shopper: Store) -> None:
    record = done(ask(shopper, EXPORT, contact=identity(shopper)))

    (kept,) = db.session.scalars(select(PrivacyExport))
    document = kept.body["document"]
    assert document["format"] == export.FORMAT
    commerce = document["data"]["commerce"]
    assert [order["id"] for order in commerce["orders"]] == ["o1", "o2"]
    assert [line["product_id"] for line in commerce["orders"][0]["lines"]] == ["p1", "p2"]
    assert [customer["id"] for customer in commerce["customers"]] == ["7", None]
    assert len(commerce["carts"]) == 1
    assert [source["source"] for source in document["notice"]] == ["platform", "pages"]
    assert (record.receipt or {})["given"]["commerce"] == {"customers": 2, "orders": 2, "carts": 1}
    assert (
        b"product_id"
        not in db.session.connection().exec_driver_sql("SELECT body FROM privacy_export").scalar_one()
    )


def test_an_export_goes_with_the_person_and_not_with_another(shopper: Store) -> None:
    done(ask(shopper, EXPORT, customer="7"))
    done(ask(shopper, EXPORT, customer="8"))

    done(ask(shopper, customer="7"))

    (kept,) = db.session.scalars(select(PrivacyExport))
    assert [order["id"] for order in kept.body["document"]["data"]["commerce"]["orders"]] == ["o3"]


def test_a_platforms_request_is_hinted_at(store: Store) -> None:
    body = {
        "shop_id": 1, "shop_domain": store.domain, "customer": {"id": 7}, "orders_to_redact": [],
    }  # fmt: skip
    keep(incoming(store.id, topic="customers/redact", body=body))

    drain(store.id)

    (job,) = Queue(UPKEEP, connection=queue_redis()).jobs
    assert job.func_name == jobs.CARRY_OUT
    assert jobs.carry_out_requests() == 1
    assert count(WebhookDelivery, store) == 0


# --- receipts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forge",
    [
        lambda r: {**r, "removed": {}},
        lambda r: {**r, "signature": "0" * 64},
        lambda r: {**r, "signature": None},
        lambda r: {**r, "extra": 1},
        lambda r: {k: v for k, v in r.items() if k != "store"},
        lambda r: {**r, "store": 2**70},
        lambda r: [r],
    ],
    ids=["content", "signature", "no signature", "more", "less", "too large", "a list"],
)
def test_a_receipt_proves_itself(app: Flask, forge: Any) -> None:
    receipt = sign(1, {"request": "1", "store": 1, "removed": {"commerce": {"orders": 2}}})

    assert is_genuine(1, receipt)
    assert is_genuine(1, dict(reversed(receipt.items())))
    assert not is_genuine(2, receipt)
    assert not is_genuine(1, forge(receipt))


# --- over HTTP ------------------------------------------------------------------------------------------


def headers(keys: Any, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {keys['mine'][1].secret}"} | more


def test_a_server_has_somebody_erased(client: FlaskClient, keys: Any) -> None:
    store: Store = keys["mine"][0]
    take(store, order_change("o1", "p1", customer=ann(store)))

    asked = client.post(
        "/v1/privacy/erasures",
        json={"email": " Ann@Example.com "},
        headers=headers(keys, **{"Idempotency-Key": "k"}),
    )
    again = client.post(
        "/v1/privacy/erasures",
        json={"email": "ann@example.com"},
        headers=headers(keys, **{"Idempotency-Key": "k"}),
    )

    assert (asked.status_code, asked.get_json()["status"]) == (202, "open")
    assert again.get_json()["id"] == asked.get_json()["id"]
    assert len(Queue(UPKEEP, connection=queue_redis()).jobs) == 2
    jobs.carry_out_requests()
    found = client.get(asked.headers["Location"], headers=headers(keys)).get_json()
    assert found["status"] == "done"
    assert is_genuine(store.id, found["receipt"])
    assert count(Order, store) == 0
    (listed,) = client.get("/v1/privacy/requests", headers=headers(keys)).get_json()["requests"]
    assert listed == found


def test_a_server_gets_an_export_at_once_and_later(client: FlaskClient, keys: Any) -> None:
    store: Store = keys["mine"][0]
    take(store, order_change("o1", "p1", customer=ann(store)))

    given = client.post("/v1/privacy/exports", json={"customer_id": "7"}, headers=headers(keys))
    nothing = client.post("/v1/privacy/exports", json={"visitor_id": "nobody"}, headers=headers(keys))

    assert given.get_json()["status"] == "done"
    assert [o["id"] for o in given.get_json()["data"]["commerce"]["orders"]] == ["o1"]
    assert client.get(given.headers["Location"], headers=headers(keys)).get_json() == given.get_json()
    assert nothing.get_json()["data"] == {}
    db.session.execute(update(PrivacyExport).values(expires_at=now() - timedelta(seconds=1)))
    db.session.commit()
    export.forget_expired(db.session.connection())
    db.session.commit()
    assert client.get(given.headers["Location"], headers=headers(keys)).get_json()["data"] is None


@pytest.mark.parametrize("id_", ["0", "99", "x", "-1", "9" * 30, "١"])
def test_a_request_that_is_not_there_is_404(client: FlaskClient, keys: Any, id_: str) -> None:
    assert client.get(f"/v1/privacy/exports/{id_}", headers=headers(keys)).status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"email": "nobody"}, {"customer_id": ""}, {"order_ids": []}, {"name": "Ann"}], ids=str
)
def test_who_is_not_named_is_not_erased(client: FlaskClient, keys: Any, body: Any) -> None:
    assert client.post("/v1/privacy/erasures", json=body, headers=headers(keys)).status_code == 422
    assert count(PrivacyRequestRecord, keys["mine"][0]) == 0


# --- notices and retention ------------------------------------------------------------------------------


def test_the_notice_says_what_the_law_wants(store: Store) -> None:
    notices = notice_of(db.session.connection(), store.id)

    assert [(n["source"], n["collected"]) for n in notices] == [
        ("platform", "indirectly"),
        ("pages", "directly"),
    ]
    for notice in notices:
        for wanted in ("collected", "What for", "Who receives it", "Who collects it", "Law", "Your rights"):
            assert wanted in notice["notice"]
    assert as_text(notices).startswith("## platform\n\n- ")


def test_imports_are_named_by_who_collected_them(store: Store) -> None:
    db.session.connection().exec_driver_sql(
        "INSERT INTO order_import (store_id, digest, source, channel, collected_by, done_rows, orders,"
        " rejected_rows) VALUES (%(store)s, 'd', 'till', 'pos', 'Main Street Till', 3, 3, 0)",
        {"store": store.id},
    )

    (imported,) = notice_of(db.session.connection(), store.id)[2:]

    assert (imported["source"], imported["from"], imported["orders"]) == (
        "import (pos)",
        "Main Street Till",
        3,
    )
    assert "From whom: Main Street Till." in imported["notice"]


@pytest.fixture
def aged(store: Store) -> Store:
    """A store with one of everything that is old, and one that is not."""
    past = now() - timedelta(days=3000)
    for age, name in ((past, "old"), (now(), "new")):
        db.session.add_all(
            [
                Cart(
                    store_id=store.id, token_hash=token_hash(name), source_updated_at=age, state_digest=b""
                ),
                ConsentChoice(
                    store_id=store.id, subject=name.encode(), purposes=1, source="s", basis="choice",
                    chosen_at=age, recorded_at=age,
                ),
                ConsentState(store_id=store.id, subject=name.encode(), purposes=1, chosen_at=age),
                PrivacyExport(store_id=store.id, request_id=name, body={}, expires_at=age + export.KEPT),
                PrivacyRequestRecord(
                    store_id=store.id, request_id=name, kind=EXPORT, visitors=[], orders=[], requested_at=age,
                    due_at=age, completed_at=age,
                ),
            ]
        )  # fmt: skip
    db.session.add(
        PrivacyRequestRecord(
            store_id=store.id, request_id="open", kind=ERASURE, visitors=[], orders=[], requested_at=past,
            due_at=past,
        )
    )  # fmt: skip
    db.session.commit()
    return store


def test_what_was_kept_for_its_time_goes(app: Flask, aged: Store) -> None:
    ended = retention.end(app.extensions["pannier_settings"])

    assert set(ended.values()) == {1}
    assert [count(table, aged) for table in (Cart, ConsentChoice, ConsentState, PrivacyExport)] == [
        1,
        1,
        1,
        1,
    ]
    assert count(PrivacyRequestRecord, aged) == 2  # the open one waits, however old it is
    jobs.end_retention()
    assert count(PrivacyRequestRecord, aged) == 2
