"""When segments are computed: stores with orders of somebody, by night, and new ones within the hour."""

import pytest
from flask import Flask

from app.commerce import ingest
from app.commerce.store import Store, add_store
from app.core.db import db, now
from app.segments import jobs
from app.segments.models import SegmentRun
from tests.factories import customer_ref, order_change


@pytest.fixture
def stores(app: Flask) -> dict[str, Store]:
    """Stores of each kind: with orders of somebody, of nobody, without any, gone."""
    found = {}
    for name in ("bought", "anonymous", "empty", "gone"):
        store, _ = add_store("shopify", f"{name}.myshopify.com")
        customer = None if name == "anonymous" else customer_ref("ann", "ann@example.com")
        if name != "empty":
            ingest.apply(db.session.connection(), store.id, [order_change("o", "p", customer=customer)])
        found[name] = store
    found["gone"].uninstalled_at = now()
    db.session.commit()
    return found


@pytest.mark.parametrize("job", [jobs.refresh_everywhere, jobs.refresh_new], ids=["nightly", "new"])
def test_stores_with_orders_of_somebody_are_refreshed(
    stores: dict[str, Store], monkeypatch: pytest.MonkeyPatch, job: object
) -> None:
    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(jobs, "enqueue", lambda _queue, name, store_id, **_: asked.append((name, store_id)))

    job()  # type: ignore[operator]
    assert asked == [(jobs.REFRESH, stores["bought"].id)]

    jobs.refresh(stores["bought"].id)
    assert db.session.get_one(SegmentRun, stores["bought"].id).customers == 1
    asked.clear()
    job()  # type: ignore[operator]
    again = [(jobs.REFRESH, stores["bought"].id)] if job is jobs.refresh_everywhere else []
    assert asked == again
