"""Is it alive, is it ready, what does it count."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.commerce.store import Store
from app.core.db import db, now
from app.recommendations.models import ProductCount
from webhooks.models import WebhookDelivery


@pytest.fixture
def another_revision(app: Flask) -> Iterator[None]:
    """A database whose migrations are not those of the code."""
    with db.engine.begin() as connection:
        applied = connection.scalar(text("SELECT version_num FROM alembic_version"))
        connection.execute(text("DELETE FROM alembic_version"))
    yield
    with db.engine.begin() as connection:
        connection.execute(text("INSERT INTO alembic_version VALUES (:applied)"), {"applied": applied})


def test_alive(client: FlaskClient) -> None:
    response = client.get("/healthz")

    assert (response.status_code, response.json) == (200, {"status": "ok"})


def test_alive_whatever_is_down(make_app: Callable[..., Flask], dead_database: str, dead_redis: str) -> None:
    app = make_app(database_url=dead_database, redis_url=dead_redis)

    assert app.test_client().get("/healthz").status_code == 200


def test_ready(client: FlaskClient) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json == {
        "status": "ok",
        "checks": {"database": "ok", "migrations": "ok", "redis": "ok"},
    }


def test_without_redis_ready_but_degraded(make_app: Callable[..., Flask], dead_redis: str) -> None:
    response = make_app(redis_url=dead_redis).test_client().get("/readyz")

    assert response.status_code == 200
    assert response.json == {
        "status": "degraded",
        "checks": {"database": "ok", "migrations": "ok", "redis": "unreachable"},
    }


def test_without_a_database_not_ready(make_app: Callable[..., Flask], dead_database: str) -> None:
    response = make_app(database_url=dead_database).test_client().get("/readyz")

    assert response.status_code == 503
    assert response.json == {
        "status": "unavailable",
        "checks": {"database": "unreachable", "migrations": "unreachable", "redis": "ok"},
    }


def test_behind_with_migrations_not_ready(another_revision: None, client: FlaskClient) -> None:
    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json == {
        "status": "unavailable",
        "checks": {"database": "ok", "migrations": "behind: run `pannier migrate`", "redis": "ok"},
    }


def test_metrics_count_what_happens(client: FlaskClient) -> None:
    def refused() -> float:
        name = 'pannier_webhooks_total{outcome="bad_signature",platform="shopify"} '
        lines = client.get("/metrics").text.splitlines()
        return next((float(line.removeprefix(name)) for line in lines if line.startswith(name)), 0.0)

    before = refused()
    client.post("/webhooks/shopify", data=b"{}")

    assert refused() == before + 1
    assert client.get("/metrics").content_type.startswith("text/plain; version=")


def test_metrics_say_what_waits(client: FlaskClient, shopify: Store) -> None:
    def gauge(name: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    assert gauge("pannier_deliveries_pending") == 0
    db.session.add(
        WebhookDelivery(
            store_id=shopify.id,
            topic="orders/create",
            dedupe_key="one",
            received_at=now() - timedelta(seconds=90),
            body="{}",
            body_sha256=b"0" * 32,
        )
    )
    db.session.add(
        ProductCount(store_id=shopify.id, product_id=1, orders=1, weight=1, popularity=1, stale=True)
    )
    db.session.commit()

    assert gauge("pannier_deliveries_pending") == 1
    assert 90 <= gauge("pannier_oldest_pending_seconds") < 120
    assert gauge("pannier_lists_stale") == 1
