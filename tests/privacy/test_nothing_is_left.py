"""The promise of an erasure: nothing that names the person is found anywhere, and nothing brings it back."""

import hashlib
import io
from typing import Any

import numpy as np
import orjson
import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from sqlalchemy import select

from app.commerce.changes import CustomerRef
from app.commerce.store import NewKeys, Store, add_store
from app.core.crypto import vault
from app.core.db import db, now
from app.events.models import Event
from app.privacy.jobs import carry_out_requests
from app.privacy.models import PrivacyRequestRecord
from app.privacy.receipts import is_genuine
from app.privacy.subjects import CART, CONTACT, CUSTOMER, VISITOR, digest
from app.recommendations import cooccurrence, learning
from app.recommendations.taking_in import announce, take_in
from tests.conftest import SHOPIFY_SECRET
from tests.factories import order_change, shopify_order, shopify_product
from tests.privacy.searching import everything
from tests.webhooks.signing import shopify_headers
from webhooks.jobs import drain, replay
from webhooks.models import PROCESSED

EMAIL = "jane.roe@example.com"
CUSTOMER_ID = 7_100_200_300_401
ORDERS = (8_100_200_300_501, 8_100_200_300_502, 8_100_200_300_503)
VISITOR_ID = "visitor-of-jane-5f1c9a"
CART_TOKEN = "c1-7d5c1f0a9b3e4d6f"
# What the person is called, in any form that may be stored in clear.
CALLED = (EMAIL, str(CUSTOMER_ID), *map(str, ORDERS), VISITOR_ID, CART_TOKEN, "Jane", "Roe")


class Life:
    """A shop, what it was told, and how to tell it again."""

    def __init__(self, client: FlaskClient, domain: str) -> None:
        self.client = client
        self.store: Store
        self.keys: NewKeys
        self.store, self.keys = add_store("shopify", domain, origins=[f"https://{domain}"])
        db.session.commit()
        self.delivered: list[tuple[str, bytes]] = []

    def deliver(self, topic: str, body: dict[str, Any]) -> None:
        """Deliver a webhook as Shopify does."""
        raw = orjson.dumps(body)
        self.delivered.append((topic, raw))
        self.post(topic, raw)

    def post(self, topic: str, raw: bytes) -> None:
        """Post bytes; every time as a delivery of its own."""
        headers = shopify_headers(raw, topic, self.store.domain, SHOPIFY_SECRET)
        assert self.client.post("/webhooks/shopify", data=raw, headers=headers).status_code == 200

    def drain(self) -> None:
        """Do what a worker does."""
        db.session.rollback()
        drain(self.store.id)
        carry_out_requests()
        learning.publish_stale(self.store.id)

    def sell_to_others(self) -> None:
        """Deliver the catalogue, and what others bought."""
        for product in range(11, 16):
            self.deliver("products/create", shopify_product(product))
        for number in range(12):
            products = [11 + (number + step) % 5 for step in range(3)]
            others = {"id": 100 + number, "email": f"other{number}@example.org"}
            self.deliver("orders/create", shopify_order(1000 + number, *products, customer=others))
        self.drain()

    def send(self, name: str, **fields: Any) -> Any:
        """Send an event from the person's browser."""
        body = {
            "type": "track", "event": name, "anonymousId": VISITOR_ID, "messageId": f"message {name}",
            "properties": {"product_id": "11"}, "context": {"consent": {"analytics": True}}, **fields,
        }  # fmt: skip
        key = {"Authorization": f"Bearer {self.keys.secret}"}
        g.pop("event_body", None)  # a test's requests share one context
        return self.client.post("/v1/batch", json={"batch": [body]}, headers=key).get_json()["results"][0]

    def serve_jane(self) -> None:
        """Let the person shop: at the till of a browser, logged in, and once as a guest."""
        jane = {"id": CUSTOMER_ID, "email": EMAIL, "first_name": "Jane", "last_name": "Roe"}
        self.deliver("customers/create", {**_customer(), **jane})
        cart = {"id": CART_TOKEN, "token": CART_TOKEN, "updated_at": now().isoformat(), "line_items": []}
        self.deliver("carts/create", cart)
        first, second, guest = ORDERS
        self.deliver(
            "orders/create",
            shopify_order(first, 11, 12, 13, customer=jane, email=EMAIL, cart_token=CART_TOKEN),
        )
        self.deliver("orders/create", shopify_order(second, 11, 12, customer=jane, email=EMAIL))
        self.deliver("orders/create", shopify_order(guest, 12, 13, email=EMAIL))
        self.deliver("refunds/create", _refund(second))
        self.drain()
        self.deliver("orders/delete", {"id": second})
        self.drain()
        assert self.send("Product Viewed")["status"] == "accepted"
        assert self.send("Product Added", userId=str(CUSTOMER_ID))["status"] == "accepted"
        yes = {"visitor_id": VISITOR_ID, "analytics": True, "preferences": True}
        self.client.put("/v1/consent", json=yes, headers={"X-Pannier-Key": self.keys.publishable})
        self.deliver("customers/data_request", _request(data_request={"id": 9999}, orders_requested=[first]))
        self.drain()

    def recommend(self) -> str:
        """Ask for what the person is recommended, by the shop's server."""
        asked = {"requests": [{"slot": "home"}], "customer_id": str(CUSTOMER_ID), "personal": True}
        headers = {"Authorization": f"Bearer {self.keys.secret}"}
        return self.client.post("/v1/recommendations", json=asked, headers=headers).text


def _customer() -> dict[str, Any]:
    return {
        "admin_graphql_api_id": f"gid://shopify/Customer/{CUSTOMER_ID}",
        "updated_at": now().isoformat(),
        "created_at": now().isoformat(),
    }


def _refund(order: int) -> dict[str, Any]:
    return {
        "id": order * 10,
        "admin_graphql_api_id": f"gid://shopify/Refund/{order * 10}",
        "order_id": order,
        "created_at": now().isoformat(),
        "refund_line_items": [{"line_item_id": order * 1000, "quantity": 1}],
    }


def _request(**fields: Any) -> dict[str, Any]:
    shop = {"shop_id": 1, "shop_domain": "nothing-left.myshopify.com"}
    return {**shop, "customer": {"id": CUSTOMER_ID, "email": EMAIL, "phone": "555-625-1199"}, **fields}


# --- searching ------------------------------------------------------------------------------------------


def called(store: Store) -> list[str]:
    """Return everything that the person is called, digests in hexadecimal included."""
    identity = vault().pseudonym(store.id, EMAIL)
    cart = _token_hash()
    digests = [
        digest(store.id, VISITOR, VISITOR_ID),
        digest(store.id, CUSTOMER, str(CUSTOMER_ID)),
        digest(store.id, CONTACT, identity),
        digest(store.id, CART, cart),
    ]
    return [*CALLED, identity, cart, *(d.hex() for d in digests)]


def _token_hash() -> str:
    return hashlib.sha256(CART_TOKEN.encode()).hexdigest()


def traces(app: Flask, store: Store, log: str = "") -> dict[str, set[str]]:
    """Return where in PostgreSQL, Redis and the log something of the person is found, and what.

    The list of who must not come back holds digests by its nature, and nothing else does.
    """
    found: dict[str, set[str]] = {}
    for place, text in (*everything(app), ("log", log)):
        hits = {name for name in called(store) if name in text}
        if hits and place != "suppression":
            found.setdefault(place, set()).update(hits)
    return found


# --- the promise ----------------------------------------------------------------------------------------


@pytest.fixture
def life(client: FlaskClient) -> Life:
    return Life(client, "nothing-left.myshopify.com")


def test_nothing_is_left_of_who_was_erased_and_nothing_comes_back(
    app: Flask, client: FlaskClient, life: Life, everything_logged: io.StringIO
) -> None:
    life.sell_to_others()
    life.serve_jane()
    life.recommend()
    before = traces(app, life.store)
    # The search finds what there is: else it would prove nothing.
    assert {
        "customer", "orders", "cart", "event", "identity_link", "consent_choice", "consent_state",
        "webhook_delivery, unpacked", "privacy_export, decrypted", "order_tombstone", "order_adjustment",
    } <= before.keys()  # fmt: skip

    life.deliver("customers/redact", _request(orders_to_redact=list(ORDERS[:2])))
    life.drain()

    assert traces(app, life.store, everything_logged.getvalue()) == {}
    (erased,) = db.session.scalars(
        select(PrivacyRequestRecord).where(PrivacyRequestRecord.kind == "redact_customer")
    )
    assert erased.completed_at is not None
    assert is_genuine(life.store.id, erased.receipt)
    removed = (erased.receipt or {})["removed"]
    assert removed["commerce"]["orders"] == 3
    assert removed["events"]["events"] == 2
    assert removed["exports"] == {"exports": 1}

    for topic, raw in life.delivered:  # late and repeated, each as a delivery of its own
        life.post(topic, raw)
    life.drain()
    replay(life.store.id, status=PROCESSED)  # what lies in the inbox
    life.drain()
    imported = [
        order_change(str(number), "11", "12", customer=CustomerRef(None, _identity(life.store)))
        for number in (ORDERS[0], 555)
    ]
    announce(life.store.id, take_in(db.session.connection(), life.store.id, imported))
    db.session.commit()
    assert life.send("Product Viewed", messageId="late")["status"] == "rejected"
    assert life.send("Product Viewed", messageId="later", anonymousId="b", userId=str(CUSTOMER_ID))[
        "status"
    ] == "rejected"  # fmt: skip
    yes = {"visitor_id": VISITOR_ID, "analytics": True}
    told = client.put("/v1/consent", json=yes, headers={"X-Pannier-Key": life.keys.publishable})
    assert told.get_json()["analytics"] is False
    report = {"token": _token_hash(), "consent": True, "lines": [{"product_id": "11", "quantity": 1}]}
    client.post("/v1/carts", json=report, headers={"X-Pannier-Key": life.keys.publishable})
    life.recommend()

    assert traces(app, life.store, everything_logged.getvalue()) == {}
    never_saw = Life(client, "never-saw.myshopify.com")
    never_saw.sell_to_others()
    assert learned(life.store) == learned(never_saw.store)
    learning.rebuild(life.store.id)
    assert learned(life.store) == learned(never_saw.store)


def test_a_shared_device_forgets_who_was_erased_and_keeps_the_others(app: Flask, life: Life) -> None:
    for number, customer in enumerate((CUSTOMER_ID, 42)):
        life.send("Product Viewed", anonymousId="shared", userId=str(customer), messageId=f"shared {number}")
    assert "event" in traces(app, life.store)

    erased = life.client.post(
        "/v1/privacy/erasures",
        json={"customer_id": str(CUSTOMER_ID)},
        headers={"Authorization": f"Bearer {life.keys.secret}"},
    )
    assert erased.status_code == 202
    life.drain()

    assert traces(app, life.store) == {}
    shared = digest(life.store.id, VISITOR, "shared")
    events = db.session.scalars(select(Event).where(Event.subject == shared).order_by(Event.id))
    assert [[pair[1] for pair in event.properties.get("$links", [])] for event in events] == [
        [],
        ["customer:42"],
    ]


def learned(store: Store) -> tuple[Any, ...]:
    """Return all that a store has learned, by platform ids and without zeros."""
    db.session.rollback()
    connection = db.session.connection()

    def read(sql: str) -> Any:
        return connection.exec_driver_sql(sql, {"store": store.id}).all()

    ids = dict(read("SELECT id, platform_id FROM product WHERE store_id = %(store)s"))
    found = cooccurrence.unpack(
        read("SELECT product_id, packed FROM neighbour_segment WHERE store_id = %(store)s")
    )
    owners = found.products.repeat(np.diff(found.indptr)).tolist()
    pairs = zip(owners, found.others.tolist(), found.orders.tolist(), found.weights.tolist(), strict=True)
    counts = read(
        "SELECT product_id, orders, weight, popularity FROM product_count WHERE store_id = %(store)s"
    )
    return (
        read("SELECT orders FROM learned_model WHERE store_id = %(store)s"),
        sorted((ids[product], *numbers) for product, *numbers in counts if any(numbers)),
        sorted((ids[one], ids[other], n, w) for one, other, n, w in pairs if n),
    )


def _identity(store: Store) -> bytes:
    return bytes.fromhex(vault().pseudonym(store.id, EMAIL))
