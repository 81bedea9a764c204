"""What a visitor did with what they were shown: seen, followed, put into the cart, dismissed.

Read from the events themselves and kept nowhere else, like the running session: what somebody withdraws or has erased
is gone from the next answer. What follows from it is worked out in ``app.recommendations.feedback``.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from app.events.session import LIST_VIEWED, PRODUCT_ADDED, PRODUCT_CLICKED, Happening

PRODUCT_DISMISSED: Final = "Product Dismissed"

# How far back impressions and what answers them are read.
REACH: Final = timedelta(days=30)
# A dismissal counts for longer: see ``app.recommendations.feedback``.
DISMISSAL_REACH: Final = timedelta(days=120)
# How many events, and how many dismissals, of the newest: it bounds the work of an answer, whatever a page sends.
MOST_EVENTS: Final = 400
MOST_DISMISSALS: Final = 100

# Lists that somebody else made, such as a category's page, are no impressions of ours: they name no decision.
_QUERY: Final = """
    (SELECT LEAST(occurred_at, received_at), name, products FROM event
    WHERE store_id = %(store)s AND subject = ANY(%(subjects)s) AND received_at > %(since)s AND received_at <= %(now)s
        AND type = 'track' AND (name = ANY(%(answers)s) OR (name = %(listed)s AND properties ? 'decision_id'))
    ORDER BY received_at DESC, id DESC LIMIT %(most)s)
    UNION ALL
    (SELECT LEAST(occurred_at, received_at), name, products FROM event
    WHERE store_id = %(store)s AND subject = ANY(%(subjects)s) AND received_at > %(dismissed_since)s
        AND received_at <= %(now)s AND type = 'track' AND name = %(dismissed)s
    ORDER BY received_at DESC, id DESC LIMIT %(most_dismissed)s)
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


def load(
    connection: Connection, store_id: int, subject: bytes, now: datetime, *, also: Collection[bytes] = ()
) -> Feedback:
    """Return what a visitor did with what they were shown.

    One query on the index of subjects, of the newest ``MOST_EVENTS`` events and ``MOST_DISMISSALS`` dismissals.

    Args:
        connection: as ever.
        store_id: the store.
        subject: the visitor's digest.
        now: the time of the answer.
        also: other visitors of the same person, where their events may count.
    """
    rows = connection.exec_driver_sql(
        _QUERY,
        {
            "store": store_id,
            "subjects": [subject, *also],
            "since": now - REACH,
            "dismissed_since": now - DISMISSAL_REACH,
            "now": now + timedelta(minutes=1),  # the database's clock may be ahead of ours
            "answers": [PRODUCT_CLICKED, PRODUCT_ADDED],
            "listed": LIST_VIEWED,
            "dismissed": PRODUCT_DISMISSED,
            "most": MOST_EVENTS,
            "most_dismissed": MOST_DISMISSALS,
        },
    ).all()
    if not rows:
        return NO_FEEDBACK
    return from_events(Happening(at, name, tuple(products)) for at, name, products in rows)


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
