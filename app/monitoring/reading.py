"""What freshness is judged by, read from PostgreSQL: two statements for a store, whatever its size."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from app.connections.models import CHANGES, HISTORY, LISTING
from app.monitoring.freshness import CARTS, EVENTS, ORDERS, Read
from app.monitoring.rhythm import MOST_PER_HOUR, WINDOW_H, Feed
from connectors.source import RESOURCES
from webhooks.models import PENDING

# Tables and their times. Each has an index that begins with the store and that time. A shop whose clock goes ahead
# must not look fresh for ever, so what is yet to come is left out.
_FEEDS: Final = {
    ORDERS: ("orders", "placed_at"),
    CARTS: ("cart", "source_updated_at"),
    EVENTS: ("event", "received_at"),
}


def _ends(feed: str) -> str:
    table, column = _FEEDS[feed]
    return f"""
        SELECT '{feed}' AS feed,
            (SELECT min({column}) FROM {table} WHERE store_id = %(store_id)s AND {column} <= %(now)s) AS first_at,
            (SELECT max({column}) FROM {table} WHERE store_id = %(store_id)s AND {column} <= %(now)s) AS newest_at
    """


def _counted(feed: str) -> str:
    table, column = _FEEDS[feed]
    return f"""
        WHEN '{feed}' THEN (SELECT count(*) FROM (
            SELECT FROM {table} WHERE store_id = %(store_id)s AND {column} >= h.begins
            AND {column} < h.begins + interval '1 hour' LIMIT {MOST_PER_HOUR}) few)
    """


# Each hour is a look into an index that stops after a few rows: busy stores cost no more than quiet ones.
_FEEDS_SQL: Final = f"""
    WITH ends AS ({" UNION ALL ".join(map(_ends, _FEEDS))})
    SELECT e.feed, e.first_at, e.newest_at, (
        SELECT array_agg(CASE e.feed {" ".join(map(_counted, _FEEDS))} END ORDER BY h.begins)
        FROM (
            SELECT date_trunc('hour', e.newest_at) - make_interval(hours => {WINDOW_H} - place) AS begins
            FROM generate_series(0, {WINDOW_H - 1}) place
        ) h
        WHERE e.newest_at IS NOT NULL
    ) AS hours
    FROM ends e
"""

_FACTS_SQL: Final = """
    SELECT s.connected_at IS NOT NULL AS connected, s.connection_problem AS problem,
        s.connection_problem_at AS problem_at,
        (SELECT max(least(p.source_updated_at, %(now)s)) FROM product p WHERE p.store_id = s.id) AS products_at,
        (SELECT max(w.finished_at) FROM walk w WHERE w.store_id = s.id AND w.resource = 'products'
            AND w.kind = ANY(%(whole)s)) AS compared_at,
        (SELECT CASE WHEN count(*) = %(resources)s THEN min(coalesce(w.finished_at, w.started_at)) END
            FROM walk w WHERE w.store_id = s.id AND w.kind = %(changes)s) AS asked_at,
        coalesce(m.rebuilt_at, m.learned_at) AS rebuilt_at, m.held_at, m.held_reason,
        (SELECT min(d.received_at) FROM webhook_delivery d
            WHERE d.store_id = s.id AND d.status = %(pending)s) AS waiting_since,
        coalesce(u.problems, '{}') AS subscription_problems, u.checked_at AS subscriptions_at
    FROM store s
    LEFT JOIN learned_model m ON m.store_id = s.id
    LEFT JOIN subscriptions u ON u.store_id = s.id
    WHERE s.id = %(store_id)s
"""


def read(connection: Connection, store_id: int, now: datetime) -> Read | None:
    """Return what is known of a store at ``now``, or None where there is no such store."""
    facts = connection.exec_driver_sql(
        _FACTS_SQL,
        {
            "store_id": store_id,
            "now": now,
            "whole": [HISTORY, LISTING],
            "changes": CHANGES,
            "resources": len(RESOURCES),
            "pending": PENDING,
        },
    ).mappings()
    found: Mapping[Any, Any] | None = facts.one_or_none()
    if found is None:
        return None
    rows = connection.exec_driver_sql(_FEEDS_SQL, {"store_id": store_id, "now": now})
    feeds = {feed: Feed(first, newest, tuple(hours or ())) for feed, first, newest, hours in rows}
    return Read(
        feeds=feeds,
        subscription_problems=tuple(found["subscription_problems"]),
        **{name: found[name] for name in _PLAIN},
    )


_PLAIN: Final = (
    "products_at", "compared_at", "rebuilt_at", "held_at", "held_reason", "waiting_since", "connected", "problem",
    "problem_at", "asked_at", "subscriptions_at",
)  # fmt: skip
