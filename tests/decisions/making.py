"""Decisions as serving makes them."""

from datetime import UTC, datetime
from typing import Any

from app.core.db import db, now
from app.decisions.log import Record
from app.decisions.models import Decision, DecisionTally

BODY = {"question": {"slot": "cart"}, "context": {}, "candidates": [["best_sellers", [{"id": "11"}]]]}
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def record(store_id: int, decision_id: str = "d_one", **fields: Any) -> Record:
    """Return a decision to nobody in particular, made at this moment."""
    values: dict[str, Any] = {
        "made_at": now(),
        "subject": None,
        "slot": "cart",
        "strategy": "best_sellers",
        "reason": "DEFAULT",
        "arms": {},
        "model_version": "co-purchase-1",
        "cache": "made",
        "latency_us": 1500,
        "shown": ["11", "12"],
        "body": BODY,
        "keep": False,
    }
    return Record(store_id=store_id, id=decision_id, **{**values, **fields})


def rows(store_id: int) -> list[Decision]:
    """Return the decisions of a store, by id and day."""
    db.session.rollback()
    db.session.expire_all()
    query = db.session.query(Decision).filter_by(store_id=store_id)
    return query.order_by(Decision.id, Decision.day).all()


def tallies(store_id: int) -> dict[tuple[str, str, str], tuple[int, int, int]]:
    """Return answers, empty ones and microseconds of a store by slot, reason and cache, over all days."""
    db.session.rollback()
    found: dict[tuple[str, str, str], tuple[int, int, int]] = {}
    for t in db.session.query(DecisionTally).filter_by(store_id=store_id):
        before = found.get((t.slot, t.reason, t.cache), (0, 0, 0))
        found[t.slot, t.reason, t.cache] = (
            before[0] + t.answers,
            before[1] + t.empty,
            before[2] + t.latency_us,
        )
    return found
