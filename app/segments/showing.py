"""A store's segments as they stand: for the HTTP interface and the command line."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from app.segments import memberships
from app.segments.conditions import explain, read
from app.segments.models import Segment, SegmentRun
from app.segments.named import NAMED
from app.segments.overlap import pairs, sizes
from app.segments.refreshing import currency_of, definitions
from app.segments.rfm import WINDOW_DAYS

# Kinds of segments.
EXCLUSIVE: Final = "exclusive"
ACROSS: Final = "across"
OWN: Final = "own"


def all_segments(connection: Connection, store_id: int) -> dict[str, Any]:
    """Return when and of how many customers segments were computed, and each segment with its size."""
    run = _run(connection, store_id)
    now = memberships.sizes(connection, store_id) if run else {}
    computed_at = run["as_of"] if run else None
    found = [
        {
            "key": each.key,
            "name": each.name,
            "kind": EXCLUSIVE if each.exclusive else ACROSS,
            "sentence": each.meaning,
            "definition": None,
            "size": now.get(each.key, 0) if run else None,
            "updated_at": None,
        }
        for each in NAMED.values()
    ]
    currency = currency_of(connection, store_id)
    own = connection.execute(
        select(Segment.key, Segment.name, Segment.definition, Segment.updated_at)
        .where(Segment.store_id == store_id)
        .order_by(Segment.key)
    )
    found += [
        {
            "key": row.key,
            "name": row.name,
            "kind": OWN,
            "sentence": explain(read(row.definition), currency),
            "definition": row.definition,
            "size": now.get(row.key, 0) if _is_computed(row.updated_at, computed_at, row.key, now) else None,
            "updated_at": row.updated_at,
        }
        for row in own
    ]
    return {
        "as_of": computed_at,
        "window_days": run["cuts"]["window_days"] if run else WINDOW_DAYS,
        "customers": run["customers"] if run else 0,
        "scored": run["cuts"]["people"] if run else 0,
        "segments": found,
    }


def _is_computed(
    updated_at: datetime, computed_at: datetime | None, key: str, now: Mapping[str, int]
) -> bool:
    """Whether a segment of the merchant's was computed since it was defined, or has members of before."""
    return computed_at is not None and (computed_at >= updated_at or key in now)


def overlaps(connection: Connection, store_id: int) -> dict[str, Any]:
    """Return the sizes of a store's segments and how each two of them stand to each other."""
    run = _run(connection, store_id)
    names = connection.execute(
        select(Segment.key, Segment.name).where(Segment.store_id == store_id).order_by(Segment.key)
    )
    keys = {key: each.name for key, each in NAMED.items()} | {key: name for key, name in names}
    groups = memberships.counted(connection, store_id)
    size = sizes(groups)
    return {
        "as_of": run["as_of"] if run else None,
        "segments": [{"key": key, "size": size.get(key, 0)} for key in keys],
        "pairs": pairs(keys, groups, definitions(connection, store_id)),
    }


def _run(connection: Connection, store_id: int) -> Mapping[str, Any] | None:
    row = connection.execute(
        select(SegmentRun.as_of, SegmentRun.customers, SegmentRun.cuts).where(SegmentRun.store_id == store_id)
    ).first()
    return dict(row._mapping) if row else None
