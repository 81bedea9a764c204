"""What a visitor did with what they were shown: seen, followed, put into the cart, dismissed.

Read from the events themselves (``app.events.recent``) and kept nowhere else, like the running session: what somebody
withdraws or has erased is gone from the next answer. What follows from it is worked out in
``app.recommendations.feedback``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Row

from app.core.held import Held
from app.events.session import LIST_VIEWED, PRODUCT_ADDED, PRODUCT_CLICKED, Happening

PRODUCT_DISMISSED: Final = "Product Dismissed"
# What answers an impression.
REACTIONS: Final = [PRODUCT_CLICKED, PRODUCT_ADDED, PRODUCT_DISMISSED]

# How far back impressions and what answers them are read.
REACH: Final = timedelta(days=30)
# A dismissal counts for longer: see ``app.recommendations.feedback``.
DISMISSAL_REACH: Final = timedelta(days=120)
# How many events of a visitor, and how many older dismissals: it bounds the work, whatever a page sends.
MOST_EVENTS: Final = 400
MOST_DISMISSALS: Final = 100

# Four months are many partitions. Hardly anybody ever dismissed something, so who did not is asked of the recent ones
# alone for a while; old dismissals do not come into being, they only grow old, which the overlap allows for.
_OVERLAP: Final = timedelta(hours=1)
_without_old: Held[tuple[int, frozenset[bytes]], bool] = Held(ttl_s=600.0, most=20_000)

# For ``app.events.recent``. Visitor by visitor, so that the newest come off the index of subjects. Lists that somebody
# else made, such as a category's page, are no impressions of ours: they name no decision.
EVENTS_SQL: Final = """
    SELECT f.at, f.name, f.products FROM unnest(%(subjects)s::bytea[]) AS s(subject) CROSS JOIN LATERAL (
        SELECT LEAST(occurred_at, received_at) AS at, name, products FROM event e
        WHERE e.store_id = %(store)s AND e.subject = s.subject AND e.received_at > %(shown_since)s
            AND e.received_at <= %(until)s AND e.type = 'track'
            AND (e.name = ANY(%(names)s) OR (e.name = %(listed)s AND e.properties ? 'decision_id'))
        ORDER BY e.received_at DESC LIMIT %(most_shown)s
    ) f
"""
_OLD_DISMISSALS: Final = """
    SELECT f.at, f.name, f.products FROM unnest(%(subjects)s::bytea[]) AS s(subject) CROSS JOIN LATERAL (
        SELECT LEAST(occurred_at, received_at) AS at, name, products FROM event e
        WHERE e.store_id = %(store)s AND e.subject = s.subject AND e.received_at > %(since)s
            AND e.received_at <= %(until)s AND e.type = 'track' AND e.name = %(dismissed)s
        ORDER BY e.received_at DESC LIMIT %(most)s
    ) f
"""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a visitor did with products, by platform id.

    Attributes:
        impressions: when each product was on the screen in a list of ours, newest first.
        clicked: when each was last followed.
        added: when each was last put into the cart.
        dismissed: when each was last dismissed.
    """

    impressions: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    clicked: Mapping[str, datetime] = field(default_factory=dict)
    added: Mapping[str, datetime] = field(default_factory=dict)
    dismissed: Mapping[str, datetime] = field(default_factory=dict)


NO_FEEDBACK: Final = Feedback()


def old_dismissals(
    connection: Connection, store_id: int, subjects: list[bytes], now: datetime
) -> Sequence[Row[datetime, str, list[str]]]:
    """Return the dismissals that are older than ``REACH``: time, name and products. Asked for once in ten minutes."""
    key = (store_id, frozenset(subjects))
    if _without_old.find(key):
        return ()
    rows = connection.exec_driver_sql(
        _OLD_DISMISSALS,
        {
            "store": store_id,
            "subjects": subjects,
            "since": now - DISMISSAL_REACH,
            "until": now - REACH + _OVERLAP,
            "dismissed": PRODUCT_DISMISSED,
            "most": MOST_DISMISSALS,
        },
    ).all()
    if not rows:
        _without_old.hold(key, True)
    return rows


def from_events(events: Iterable[Happening]) -> Feedback:
    """Return what events tell, in whatever order they stand. Lists are taken for lists of ours. Pure."""
    seen: dict[str, list[datetime]] = {}
    last: dict[str, dict[str, datetime]] = {PRODUCT_CLICKED: {}, PRODUCT_ADDED: {}, PRODUCT_DISMISSED: {}}
    for event in events:
        if event.name == LIST_VIEWED:
            for product in dict.fromkeys(event.products):
                seen.setdefault(product, []).append(event.at)
        elif event.name in last:
            times = last[event.name]
            for product in event.products:
                times[product] = max(event.at, times.get(product, event.at))
    return Feedback(
        impressions={product: tuple(sorted(times, reverse=True)) for product, times in seen.items()},
        clicked=last[PRODUCT_CLICKED],
        added=last[PRODUCT_ADDED],
        dismissed=last[PRODUCT_DISMISSED],
    )
