"""What drift is judged by is counted as it stands in the database, of one store, in the two times."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from app.commerce.catalog import Product
from app.commerce.order import Order
from app.commerce.store import Store, add_store
from app.core.db import db, now
from app.decisions.models import DecisionTally
from app.monitoring import jobs
from app.monitoring.counting import count
from app.monitoring.drift import Answers, Counted
from app.monitoring.models import Alert
from app.recommendations.models import LearnedModel, ProductCount, PublishedList
from tests.factories import new_store

NOW = datetime(2026, 3, 4, 15, tzinfo=UTC)
DAY = timedelta(days=1)


def product(store: Store, name: str, **fields: Any) -> int:
    """Write a product that may be shown, and return its id."""
    values = {
        "store_id": store.id, "platform_id": name, "status": "active", "visible": True, "available": True,
        "title": name, "tags": [], "gift_card": False, "category": "cups", "created_at": NOW - 99 * DAY, **fields,
    }  # fmt: skip
    id_ = db.session.execute(insert(Product).values(**values).returning(Product.id)).scalar_one()
    return int(id_)


def order(store: Store, number: int, placed_at: datetime, *basket: int) -> None:
    """Write an order."""
    db.session.execute(
        insert(Order).values(
            store_id=store.id, platform_id=str(number), status=40, channel="online", test=False,
            currency="USD", total=1, placed_at=placed_at, source_updated_at=placed_at, state_digest=b"",
            adjustment_ids=[], basket=list(basket),
        )
    )  # fmt: skip


def counted(store: Store) -> Counted:
    """Return what is counted."""
    return count(db.session.connection(), store.id, NOW)


def test_sales_are_counted_by_product_in_the_two_times(store: Store) -> None:
    cup, gone = product(store, "cup"), product(store, "gone", status="archived", category=None)
    for number, (days, basket) in enumerate(
        [(0, [cup]), (6.9, [cup, gone]), (7.1, [cup]), (34.9, [gone]), (35.1, [cup]), (-1, [cup]), (3, [])]
    ):
        order(store, number, NOW - days * DAY, *basket)
    other = new_store()
    order(other, 1, NOW, product(other, "cup"))
    db.session.add(
        PublishedList(
            store_id=store.id, strategy="similar", subject="cup", items=[{"id": "x"}], published_at=NOW
        )
    )

    db.session.flush()

    found = counted(store)

    by_id = {each.product_id: each for each in found.sold}
    assert (by_id[cup].before, by_id[cup].after, by_id[cup].category) == (1, 2, "cups")
    assert (by_id[gone].before, by_id[gone].after, by_id[gone].category) == (1, 1, None)
    assert [(by_id[id_].eligible, by_id[id_].listed) for id_ in (cup, gone)] == [(True, True), (False, False)]
    assert (found.orders_before, found.orders_after) == (2, 2)


def test_an_empty_list_is_none(store: Store) -> None:
    cup = product(store, "cup")
    order(store, 1, NOW, cup)
    for strategy, items in (("frequently_bought_together", []), ("cart_rows", [{"id": "x"}])):
        db.session.add(
            PublishedList(store_id=store.id, strategy=strategy, subject="cup", items=items, published_at=NOW)
        )
    db.session.flush()

    assert [each.listed for each in counted(store).sold] == [False]


def test_the_catalogue_is_held_against_the_model(store: Store) -> None:
    kept, gone = product(store, "kept"), product(store, "gone", available=False)
    product(store, "new", created_at=NOW - DAY)
    product(store, "new and hidden", created_at=NOW - DAY, visible=False)
    db.session.add(
        LearnedModel(
            store_id=store.id, epoch=NOW.date(), half_life_days=180, basket_cap=100, orders=1, version=1,
            rebuilt_at=NOW - 2 * DAY,
        )
    )  # fmt: skip
    for id_, weight in ((kept, 70), (gone, 30)):
        db.session.add(
            ProductCount(
                store_id=store.id, product_id=id_, orders=1, weight=weight, popularity=1, stale=False
            )
        )
    db.session.flush()

    found = counted(store)

    assert (found.eligible, found.new, found.weight, found.gone_weight) == (2, 1, 100, 30)


def test_answers_are_summed_by_slot_without_those_that_were_told_to_be_empty(store: Store) -> None:
    for days, slot, reason, answers, empty in [
        (0, "home", "DEFAULT", 10, 1),
        (6, "home", "CACHED", 20, 2),
        (6, "home", "SPLIT", 1000, 1000),
        (6, "home", "DISABLED", 1000, 1000),
        (8, "home", "DEFAULT", 40, 4),
        (36, "home", "DEFAULT", 1000, 1000),
        (0, "", "DEFAULT", 1000, 1000),
        (9, "cart", "DEFAULT", 5, 5),
    ]:
        db.session.add(
            DecisionTally(
                store_id=store.id, day=(NOW - days * DAY).date(), slot=slot, reason=reason, cache="made",
                answers=answers, empty=empty, latency_us=1,
            )
        )  # fmt: skip
    db.session.flush()

    assert counted(store).answers == [Answers("cart", 5, 5, 0, 0), Answers("home", 40, 4, 30, 3)]


def test_a_store_without_anything_counts_nothing(store: Store) -> None:
    assert counted(store) == Counted([], 0, 0, 0, 0, 0, 0, [])


def test_drift_is_told_of_until_it_is_over(store: Store) -> None:
    model = LearnedModel(
        store_id=store.id, epoch=now().date(), half_life_days=180, basket_cap=100, orders=1, version=1,
        rebuilt_at=now() - 2 * DAY,
    )  # fmt: skip
    db.session.add(model)
    product(store, "new", created_at=now() - DAY)
    db.session.commit()

    jobs.look_for_drift(store.id)
    model.rebuilt_at = now()
    db.session.commit()
    rows = select(Alert.source, Alert.level, Alert.cleared_at).where(Alert.store_id == store.id)
    assert list(db.session.execute(rows)) == [("drift:new_products", "error", None)]
    jobs.look_for_drift(store.id)

    ((source, _, cleared_at),) = db.session.execute(rows)
    assert (source, cleared_at is not None) == ("drift:new_products", True)


def test_every_store_that_is_here_is_looked_at(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put: list[tuple[Any, ...]] = []
    monkeypatch.setattr(jobs, "enqueue", lambda *what: put.append(what))
    here, gone = new_store(), new_store()
    gone.uninstalled_at = now()
    db.session.commit()

    jobs.look_for_drift_everywhere()

    assert put == [("learning", "app.monitoring.jobs.look_for_drift", here.id)]


def test_drift_is_told_to_the_merchants_programs(app: Any, client: FlaskClient) -> None:
    mine, keys = add_store("shopify", "mine.myshopify.com")
    _, others = add_store("shopify", "other.myshopify.com")
    product(mine, "cup")
    db.session.commit()

    body, other = (
        client.get("/v1/reports/drift", headers={"Authorization": f"Bearer {key.secret}"}).get_json()
        for key in (keys, others)
    )

    assert [m["measure"] for m in body["measures"]][:2] == ["category_mix", "product_mix"]
    assert (body["level"], other["level"]) == ("ok", "waiting")
    assert body["measures"][2] == {
        "measure": "new_products", "level": "ok", "value": 0.0, "warn_from": 0.2, "error_from": 0.5,
        "message": "0% of the products that may be shown came after the model was built.",
    }  # fmt: skip
