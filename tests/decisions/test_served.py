"""What serving leaves in the log: every answer, and nothing of a person beside the digest."""

from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.commerce import ingest
from app.commerce.store import NewKeys, Store
from app.core.db import db, now
from app.core.packing import unpack
from app.decisions.models import Decision
from app.privacy.subjects import VISITOR, digest
from app.recommendations.models import PublishedList
from tests.decisions.making import rows
from tests.factories import order_change, product_change, variant_state

Shop = tuple[Store, NewKeys]
VISITOR_ID, CUSTOMER_ID, USER_AGENT = "visitor-of-anna", "70123456789", "Browser of Anna"


@pytest.fixture
def selling(shop: Shop) -> Shop:
    """The store with three products, of which two are sold with the first."""
    store_id = shop[0].id
    changes = [product_change(p, variant_state(f"v{p}"), title=f"Mug {p}") for p in ("11", "12", "13")]
    ingest.apply(db.session.connection(), store_id, [*changes, order_change("o1", "11", "12")])
    items = [
        {"id": p, "orders": 5, "confidence": 0.5, "lift": 2.0, "llr": 20.0, "score": 1.0}
        for p in ("12", "13")
    ]
    for strategy, subject in (("frequently_bought_together", "11"), ("best_sellers", "")):
        db.session.add(
            PublishedList(
                store_id=store_id, strategy=strategy, subject=subject, items=items, published_at=now()
            )
        )
    db.session.commit()
    return shop


def ask(app: Flask, client: FlaskClient, shop: Shop, *, secret: bool, **body: Any) -> dict[str, Any]:
    """Return the answer for a cart slot, once it is in the log."""
    keys = shop[1]
    headers = {"Authorization": f"Bearer {keys.secret}"} if secret else {"X-Pannier-Key": keys.publishable}
    response = client.post(
        "/v1/recommendations",
        json={"requests": [{"slot": "product", "product_id": "11"}], **body},
        headers={**headers, "User-Agent": USER_AGENT},
        environ_base={"REMOTE_ADDR": "203.0.113.9"},
    )
    assert response.status_code == 200, response.text
    assert app.extensions["pannier_decisions"].flush()
    answer: dict[str, Any] = response.get_json()["results"][0]
    return answer


def everything(row: Decision) -> str:
    """Return the whole row as text, what is packed in it too."""
    columns = {column.key: getattr(row, column.key) for column in Decision.__table__.columns}
    assert row.record is not None
    columns["record"] = orjson.loads(unpack(row.record))
    return repr(columns)


def test_an_answer_is_in_the_log_under_its_id(app: Flask, client: FlaskClient, selling: Shop) -> None:
    answer = ask(app, client, selling, secret=False)

    (row,) = rows(selling[0].id)
    assert row.id == answer["decision_id"]
    assert row.shown == [shown["product_id"] for shown in answer["recommendations"]] != []
    assert (row.subject, row.slot, row.strategy, row.answers) == (None, "product", answer["strategy"], 1)


def test_nothing_of_a_person_is_in_the_log_but_the_digest(
    app: Flask, client: FlaskClient, selling: Shop
) -> None:
    store, keys = selling
    yes = {"visitor_id": VISITOR_ID, "analytics": True, "preferences": True}
    client.put("/v1/consent", json=yes, headers={"X-Pannier-Key": keys.publishable})

    ask(
        app, client, selling, secret=True, visitor_id=VISITOR_ID, customer_id=CUSTOMER_ID, personal=True
    )  # fmt: skip

    (row,) = rows(store.id)
    told = everything(row)
    assert "11" in told
    assert row.subject == digest(store.id, VISITOR, VISITOR_ID)
    for secret in (VISITOR_ID, CUSTOMER_ID, USER_AGENT, "203.0.113.9", keys.secret, keys.publishable):
        assert secret not in told


def test_without_a_yes_there_is_not_even_a_digest(app: Flask, client: FlaskClient, selling: Shop) -> None:
    ask(app, client, selling, secret=False, visitor_id=VISITOR_ID)

    (row,) = rows(selling[0].id)
    told = everything(row)
    assert row.subject is None
    for secret in (VISITOR_ID, digest(selling[0].id, VISITOR, VISITOR_ID).hex(), USER_AGENT):
        assert secret not in told
    assert (row.arms, "'unit': None" in told) == ({}, True)


def test_a_served_decision_comes_out_the_same_again(app: Flask, client: FlaskClient, selling: Shop) -> None:
    answer = ask(app, client, selling, secret=False)

    response = client.get(
        f"/v1/decisions/{answer['decision_id']}",
        headers={"Authorization": f"Bearer {selling[1].secret}"},
    )

    shown = [product["product_id"] for product in answer["recommendations"]]
    assert response.get_json()["replay"] == {"same": True, "differences": [], "shown": shown}
