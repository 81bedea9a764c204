"""Which store a delivery is for."""

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.commerce.store import add_store
from app.core import held
from app.core.db import db
from tests.conftest import SHOPIFY_DOMAIN, SHOPIFY_SECRET
from tests.factories import shopify_order
from tests.webhooks.signing import shopify_headers
from webhooks.intake import ReceiverCache
from webhooks.models import WebhookDelivery


def test_a_shop_that_was_just_connected_is_heard_at_once(app: Flask, client: FlaskClient) -> None:
    raw = orjson.dumps(shopify_order(1, 11))

    def deliver() -> int:
        headers = shopify_headers(raw, "orders/create", SHOPIFY_DOMAIN, SHOPIFY_SECRET)
        return client.post("/webhooks/shopify", data=raw, headers=headers).status_code

    before = deliver()
    add_store("shopify", SHOPIFY_DOMAIN)
    db.session.commit()

    assert (before, deliver()) == (200, 200)
    assert db.session.scalar(select(func.count()).select_from(WebhookDelivery)) == 1


def test_a_store_is_looked_up_once_in_a_few_seconds(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(held.time, "monotonic", lambda: clock[0])
    store, _ = add_store("woocommerce", "https://example.com", webhook_secret="first")
    db.session.commit()
    receivers, token = ReceiverCache(db.engine), store.webhook_token or ""
    first = receivers.get("woocommerce", token)
    store.credentials = {"webhook_secret": "second", "webhook_secret_previous": "first"}
    db.session.commit()

    assert receivers.get("woocommerce", token) is first
    clock[0] += 5.1
    renewed = receivers.get("woocommerce", token)

    assert first is not None
    assert renewed is not None
    assert (first.store_id, first.source, first.secrets) == (store.id, "https://example.com", (b"first",))
    assert renewed.secrets == (b"second", b"first")


def test_a_name_of_one_platform_is_no_name_of_the_other(app: Flask) -> None:
    store, _ = add_store("woocommerce", "https://example.com")
    add_store("shopify", SHOPIFY_DOMAIN)
    db.session.commit()

    assert ReceiverCache(db.engine).get("shopify", store.webhook_token or "") is None
    assert ReceiverCache(db.engine).get("woocommerce", SHOPIFY_DOMAIN) is None
    assert ReceiverCache(db.engine).get("woocommerce", "https://example.com") is None
