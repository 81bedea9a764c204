"""Messages of the Segment spec as senders make them, and what is kept of them."""

import itertools
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.commerce.store import NewKeys, Store
from app.core.db import db
from app.events.models import Event

YES = {"analytics": True, "marketing": True, "preferences": True}
_numbers = itertools.count()


def message(kind: str = "track", **fields: Any) -> dict[str, Any]:
    """Return a message of a visitor who agreed to everything; ``None`` leaves a field out."""
    whole = {
        "type": kind,
        "anonymousId": "visitor-1",
        "messageId": f"message-{next(_numbers)}",
        "context": {"consent": YES},
        **({"event": "Product Viewed", "properties": {"product_id": "11"}} if kind == "track" else {}),
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def send(
    client: FlaskClient, keys: NewKeys, *messages: Any, server: bool = False, **headers: str
) -> TestResponse:
    """Send messages as a batch."""
    key = {"Authorization": f"Bearer {keys.secret}"} if server else {"X-Pannier-Key": keys.publishable}
    return client.post("/v1/batch", json={"batch": list(messages)}, headers={**key, **headers})


def statuses(response: TestResponse) -> list[str]:
    """Return what became of each event: the reason where it was rejected."""
    assert response.status_code == 200, response.text
    return [result.get("reason", result["status"]) for result in response.get_json()["results"]]


def kept(store: Store) -> list[Event]:
    """Return the store's events in the order of writing."""
    db.session.rollback()
    return list(db.session.scalars(select(Event).where(Event.store_id == store.id).order_by(Event.id)))
