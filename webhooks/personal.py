"""Which deliveries name a person: for export and erasure, and for what arrives afterwards.

A body names people by the ids that were left in it. What a connector makes of it tells some of them; a body that it
sets aside, or cannot read, is searched by the names of its fields.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Connection, delete, select

from app.commerce.changes import Change
from app.commerce.store import Store
from app.core.db import db
from app.core.packing import unpack
from app.privacy.rooms import Person
from app.privacy.subjects import CART, CONTACT, CUSTOMER, ORDER
from app.privacy.suppression import Name, names
from connectors.base import DeliveryContext, PayloadError
from connectors.registry import connector_for
from webhooks.models import WebhookDelivery

_KINDS: Final = {"order": ORDER, "orders": ORDER, "customer": CUSTOMER, "customers": CUSTOMER}
_HASHES: Final = {"identity_hash": CONTACT, "cart_token_hash": CART}
_GLOBAL_ID: Final = re.compile(r"gid://shopify/(Order|Customer)/([0-9]{1,19})")
_PAGE: Final = 500


def mentions(topic: str, body: Any) -> Iterator[Name]:
    """Yield the orders, customers, contacts and carts that a redacted body names, by its topic and its fields. Pure.

    ``order_id`` names an order wherever it stands, and so does the ``id`` of an object called ``order``, or of the
    whole body of a topic about orders (``orders/create``, ``order.updated``). Likewise for customers.
    """
    yield from _mentions(body, _KINDS.get(re.split(r"[/.]", topic)[0]))


def _mentions(value: Any, kind: str | None) -> Iterator[Name]:
    if isinstance(value, str):
        for match in _GLOBAL_ID.finditer(value):
            yield _KINDS[match[1].lower()], match[2]
    elif isinstance(value, list):
        for item in value:
            yield from _mentions(item, kind)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str | int):
                yield from _by_field(key, str(inner), kind)
            yield from _mentions(inner, _KINDS.get(key))


def _by_field(key: str, value: str, kind: str | None) -> Iterator[Name]:
    if key in _HASHES:
        yield _HASHES[key], value
    elif key == "id" and kind is not None:
        yield kind, value
    elif key in ("order_id", "customer_id"):
        yield _KINDS[key.removesuffix("_id")], value


def named_in(topic: str, body: Any, changes: Iterable[Change]) -> set[Name]:
    """Return everybody and every order that a delivery names."""
    return {name for change in changes for name in names(change)} | set(mentions(topic, body))


class DeliveriesRoom:
    """The inbox: a delivery that names the person, or one of their orders, is the person's."""

    name = "webhooks"

    def export(self, connection: Connection, person: Person) -> Mapping[str, Any]:
        """Return the deliveries as they are kept, without the fields that were dropped on the way in."""
        found = [
            {"topic": row.topic, "received_at": row.received_at.isoformat(), "body": body}
            for row, body in _of(connection, person)
        ]
        return {"deliveries": found} if found else {}

    def erase(self, connection: Connection, person: Person) -> Mapping[str, int]:
        """Remove them.

        One that is being processed just now is left: whoever processes it waits for the store's lock, finds the
        person on the list, and removes it.
        """
        ids = [row.id for row, _ in _of(connection, person)]
        free = select(WebhookDelivery.id).where(WebhookDelivery.id.in_(ids)).with_for_update(skip_locked=True)
        removed = connection.execute(delete(WebhookDelivery).where(WebhookDelivery.id.in_(free)))
        return {"deliveries": removed.rowcount}

    def forget(self, person: Person) -> None:
        """Do nothing: deliveries are kept in PostgreSQL alone."""


def _of(connection: Connection, person: Person) -> list[tuple[Any, Any]]:
    """Return the deliveries that name the person, each with its body.

    Bodies are searched for the bare identifiers first: reading them as JSON takes ten times as long.
    """
    wanted = {(CUSTOMER, id_) for id_ in person.platform_ids} | {(ORDER, id_) for id_ in person.order_ids}
    wanted |= {(CONTACT, identity_hash.hex()) for identity_hash in person.identity_hashes}
    wanted |= {(CART, token_hash.hex()) for token_hash in person.cart_hashes}
    needles = [identifier.encode() for _, identifier in wanted]
    store = db.session.get(Store, person.store_id)
    if store is None or not needles:
        return []
    columns = (
        WebhookDelivery.id,
        WebhookDelivery.topic,
        WebhookDelivery.triggered_at,
        WebhookDelivery.received_at,
        WebhookDelivery.packed_body.label("packed_body"),
    )
    found = []
    with connection.execute(
        select(*columns).where(WebhookDelivery.store_id == person.store_id).order_by(WebhookDelivery.id),
        execution_options={"yield_per": _PAGE},
    ) as rows:
        for row in rows:
            raw = unpack(row.packed_body)
            if any(needle in raw for needle in needles):
                body = orjson.loads(raw)
                if not wanted.isdisjoint(named_in(row.topic, body, _changes(store, row, body))):
                    found.append((row, body))
    return found


def _changes(store: Store, row: Any, body: Any) -> tuple[Change, ...]:
    context = DeliveryContext(row.topic, store.currency, row.triggered_at, row.received_at)
    try:
        return connector_for(store.platform).translate(body, context).changes
    except PayloadError:
        return ()
