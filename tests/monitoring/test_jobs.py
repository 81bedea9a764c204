"""The watch raises what is late, ends what is over, and tells the gauges; a broken store does not stop it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from prometheus_client import REGISTRY
from sqlalchemy import insert, select

from app.commerce.order import Order
from app.commerce.store import Store
from app.core.db import db
from app.monitoring import alerts, endpoint, jobs, reading, sending
from app.monitoring.models import Alert
from app.recommendations.models import LearnedModel
from tests.connectors.scripted_server import ScriptedServer
from tests.factories import new_store

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def order_every_hour(store: Store, since: datetime, until: datetime) -> None:
    """Write an order at each full hour."""
    times = []
    while since < until:
        times.append(since)
        since += HOUR
    db.session.execute(
        insert(Order),
        [
            {
                "store_id": store.id, "platform_id": f"{at:%Y%m%d%H}", "status": 1, "channel": "online",
                "test": False, "currency": "USD", "total": 1, "placed_at": at, "source_updated_at": at,
                "state_digest": b"", "adjustment_ids": [], "basket": [],
            }
            for at in times
        ],
    )  # fmt: skip
    db.session.commit()


def alerts_of(store: Store) -> list[tuple[str, str, bool]]:
    """Return source, level, and whether it is open, oldest first."""
    rows = db.session.execute(
        select(Alert.source, Alert.level, Alert.cleared_at.is_(None))
        .where(Alert.store_id == store.id)
        .order_by(Alert.id)
    )
    return [(source, level, is_open) for source, level, is_open in rows]


@pytest.fixture
def watch_at(app: Flask) -> Callable[[datetime], None]:
    """Let the clock come round at a time, in an empty database."""

    def run(moment: datetime) -> None:
        with time_machine.travel(moment, tick=False):
            jobs.watch()

    return run


def test_an_order_feed_that_stops_is_told_of_within_its_threshold_and_again_when_it_is_back(
    app: Flask, watch_at: Callable[[datetime], None], loopback_app: Flask, receiver: ScriptedServer
) -> None:
    store = new_store()
    endpoint.put(store.id, f"{receiver.url}/", renew=False)
    order_every_hour(store, BEGIN - 35 * 24 * HOUR, BEGIN + HOUR)

    # 672 gaps in four weeks: late after ln(672 / 0.01) = 11.1 hours, lost after ln(672 / 0.001) = 13.4.
    watch_at(BEGIN + 11 * HOUR)
    assert alerts_of(store) == []
    for hours in (11.2, 13.3):
        watch_at(BEGIN + hours * HOUR)
        assert alerts_of(store) == [("orders", "warn", True)]
    watch_at(BEGIN + 13.5 * HOUR)
    assert alerts_of(store) == [("orders", "error", True)]
    sending.tell(store.id)

    order_every_hour(store, BEGIN + 14 * HOUR, BEGIN + 15 * HOUR)
    watch_at(BEGIN + 14.1 * HOUR)
    assert alerts_of(store) == [("orders", "error", False)]
    sending.tell(store.id)

    assert [b'"alert.raised"' in seen.body for seen in receiver.seen] == [True, False]


def test_what_no_longer_applies_is_over(app: Flask, watch_at: Callable[[datetime], None]) -> None:
    store = new_store()
    model = LearnedModel(
        store_id=store.id, epoch=BEGIN.date(), half_life_days=180, basket_cap=100, orders=1, version=1,
        rebuilt_at=BEGIN, held_at=BEGIN, held_reason="Worse.",
    )  # fmt: skip
    db.session.add(model)
    db.session.commit()
    watch_at(BEGIN)
    assert alerts_of(store) == [("held_model", "warn", True)]

    model.held_at = None
    db.session.commit()
    watch_at(BEGIN)

    assert alerts_of(store) == [("held_model", "warn", False)]


def test_alerts_of_others_are_left_alone(app: Flask, watch_at: Callable[[datetime], None]) -> None:
    store = new_store()
    alerts.raise_alert(db.session.connection(), store.id, "slot:cart", "error", "It harms.")
    db.session.commit()

    watch_at(BEGIN)

    assert alerts_of(store) == [("slot:cart", "error", True)]


def test_a_store_that_cannot_be_judged_does_not_keep_the_others_waiting(
    app: Flask, watch_at: Callable[[datetime], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, other = new_store(), new_store()
    for store in (broken, other):
        order_every_hour(store, BEGIN - 35 * 24 * HOUR, BEGIN + HOUR)
    read = reading.read

    def fail_once(connection: Any, store_id: int, moment: datetime) -> Any:
        if store_id == broken.id:
            raise RuntimeError("damaged")
        return read(connection, store_id, moment)

    monkeypatch.setattr(reading, "read", fail_once)

    watch_at(BEGIN + 20 * HOUR)

    assert alerts_of(broken) == []
    assert alerts_of(other) == [("orders", "error", True)]


def samples(name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of a gauge by its labels' values."""
    (metric,) = (metric for metric in REGISTRY.collect() if metric.name == name)
    return {tuple(sample.labels.values()): sample.value for sample in metric.samples}


def test_the_gauges_count_stores_and_never_name_them(
    app: Flask, watch_at: Callable[[datetime], None]
) -> None:
    late, new = new_store(), new_store()
    gone = new_store()
    gone.uninstalled_at = BEGIN
    order_every_hour(late, BEGIN - 35 * 24 * HOUR, BEGIN + HOUR)
    for slot in ("cart", "home"):
        alerts.raise_alert(db.session.connection(), new.id, f"slot:{slot}", "warn", "It harms.")
    db.session.commit()
    watch_at(BEGIN + 20 * HOUR)

    jobs.measure()

    assert samples("pannier_freshness_seconds") == {("orders",): 20 * 3600}
    stores = samples("pannier_freshness_stores")
    assert stores["orders", "error"] == stores["orders", "waiting"] == 1
    assert stores["orders", "ok"] == 0
    assert stores["inbox", "ok"] == 2
    assert samples("pannier_alerts_open") == {("orders", "error"): 1, ("slot", "warn"): 2}


def test_gauges_of_a_watch_that_has_stopped_are_gone(
    app: Flask, watch_at: Callable[[datetime], None]
) -> None:
    new_store()
    watch_at(BEGIN)
    assert 0 < app.extensions["pannier_redis"].ttl("pannier:freshness") <= 900
    app.extensions["pannier_redis"].delete("pannier:freshness")

    jobs.measure()

    assert samples("pannier_freshness_seconds") == samples("pannier_freshness_stores") == {}


def test_without_redis_alerts_are_raised_all_the_same(
    app: Flask, watch_at: Callable[[datetime], None], redis_down: None
) -> None:
    store = new_store()
    order_every_hour(store, BEGIN - 35 * 24 * HOUR, BEGIN + HOUR)

    watch_at(BEGIN + 20 * HOUR)
    jobs.measure()

    assert alerts_of(store) == [("orders", "error", True)]
    assert samples("pannier_alerts_open") == {("orders", "error"): 1}


def test_who_is_to_be_told_is_told_by_a_job_of_their_own(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    put: list[tuple[Any, ...]] = []
    monkeypatch.setattr(jobs, "enqueue", lambda *what: put.append(what))
    store, other = new_store(), new_store()
    for each in (store, other):
        alerts.raise_alert(db.session.connection(), each.id, "orders", "warn", "Late.")
    endpoint.put(store.id, "https://merchant.example/alerts", renew=False)

    jobs.tell()

    assert put == [("upkeep", "app.monitoring.jobs.tell_store", store.id)]
