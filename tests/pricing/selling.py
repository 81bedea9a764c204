"""A store that sells: products, orders by day, price rules, and changes of prices."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.commerce import ingest
from app.commerce.changes import CommerceChange
from app.commerce.store import Store
from app.core.db import db, now
from app.pricing import changes, ledger
from app.pricing.models import PriceChange, PriceRule
from tests.factories import BEGIN, DAY, line, order_change, product_change, variant_state
from tests.pricing.wanting import definition

# So many days after the beginning of every story, at noon.
TODAY = BEGIN + timedelta(days=60)


def put_on_sale(
    store: Store, product: str = "p1", *, price: int = 1000, stock: int | None = 1000, **fields: Any
) -> None:
    """Let a product with one variant (``v-…``) stand in the shop since the beginning, and in the ledger."""
    cost, compared = fields.pop("cost", None), fields.pop("compare_at_price", None)
    category, vendor = fields.pop("category", None), fields.pop("vendor", None)
    variant = replace(
        variant_state(f"v-{product}", price=price, stock=stock), cost=cost, compare_at_price=compared
    )
    change = replace(
        product_change(product, variant, price=price, **fields), category=category, vendor=vendor
    )
    apply(store, change)
    ledger.note_shop_prices(db.session.connection(), store.id, [product], TODAY)
    db.session.commit()


def sell_daily(store: Store, product: str = "p1", days: int = 56, quantity: int = 1) -> None:
    """Let so many pieces of a product be sold on each of the days before today."""
    sold = [
        order_change(
            f"{product}-{ago}",
            line(product, quantity, variant=f"v-{product}"),
            placed=(60 - ago) * DAY,
            seconds=(60 - ago) * DAY,
        )
        for ago in range(1, days + 1)
    ]
    apply(store, *sold)
    db.session.commit()


def apply(store: Store, *news: CommerceChange) -> None:
    """Take news of the shop in."""
    ingest.apply(db.session.connection(), store.id, list(news))


def add_rule(
    store: Store, *signals: dict[str, Any], key: str = "r", mode: str = "approve", **fields: Any
) -> PriceRule:
    """Add an active rule."""
    body = definition(*signals, **fields)
    row = PriceRule(store_id=store.id, key=key, name=key.title(), mode=mode, active=True, definition=body)
    db.session.add(row)
    db.session.commit()
    return row


def add_change(
    store: Store,
    old: int = 1000,
    new: int = 900,
    *,
    product: str = "p1",
    state: str = changes.APPROVED,
    rule: str | None = None,
    **fields: Any,
) -> PriceChange:
    """Add a change of a product's one variant; one that is live was written an hour ago."""
    moment = now() - timedelta(hours=1)
    decided = state not in changes.WAITING
    row = PriceChange(
        store_id=store.id,
        rule_key=rule,
        product_id=product,
        variant_id=f"v-{product}",
        currency="USD",
        old_price=old,
        new_price=new,
        state=state,
        reason="Because.",
        signals={},
        **{
            "actor": "automatic",
            "old_compare_at_price": None,
            "new_compare_at_price": None,
            "proposed_at": moment,
            "decided_at": moment if decided else None,
            "written_at": moment if state in (changes.LIVE, changes.WRITING) else None,
            **fields,
        },
    )
    db.session.add(row)
    db.session.commit()
    return row


def all_changes(store: Store) -> Sequence[PriceChange]:
    """Return the store's changes as they stand in the database, oldest first."""
    db.session.expire_all()
    query = select(PriceChange).where(PriceChange.store_id == store.id).order_by(PriceChange.id)
    return db.session.scalars(query).all()


def states(store: Store) -> list[str]:
    """Return the states of the store's changes, oldest first."""
    return [change.state for change in all_changes(store)]


def utc(day: int, hour: int = 12) -> datetime:
    """Return an hour of a day of the story, from 0."""
    return datetime(2026, 1, 5, hour, tzinfo=UTC) + timedelta(days=day)
