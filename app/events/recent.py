"""What a visitor did of late, in one question: the running session, and what came of what they were shown."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from app.events import feedback, session
from app.events.feedback import NO_FEEDBACK, Feedback
from app.events.session import Happening, Session

_SQL: Final = f"""
    SELECT true, v.at, v.name, v.products, v.properties, v.received_at, v.id FROM ({session.EVENTS_SQL}) v
    UNION ALL
    SELECT false, r.at, r.name, r.products, NULL, NULL, NULL FROM ({feedback.EVENTS_SQL}) r
"""


def load(
    connection: Connection, store_id: int, subject: bytes, now: datetime, *, also: Collection[bytes] = ()
) -> tuple[Session, Feedback]:
    """Return the running session of a visitor, and what they did with what they were shown.

    One query on the index of subjects; in ten minutes one more, for dismissals that are older than
    ``feedback.REACH``. For the session nothing is read that was received earlier than ``session.REACH`` ago.

    Args:
        connection: as ever.
        store_id: the store.
        subject: the visitor's digest.
        now: the time of the answer.
        also: other visitors of the same person, where the answer may span them.
    """
    subjects = [subject, *also]
    rows = connection.exec_driver_sql(
        _SQL,
        {
            "store": store_id,
            "subjects": subjects,
            "until": now + timedelta(minutes=1),  # the database's clock may be ahead of ours
            "visit_since": now - session.REACH,
            "most_of_visit": session.MOST_EVENTS,
            "shown_since": now - feedback.REACH,
            "names": feedback.REACTIONS,
            "listed": session.LIST_VIEWED,
            "most_shown": feedback.MOST_EVENTS,
        },
    ).all()
    visit = sorted((row for row in rows if row[0]), key=lambda row: (row[5], row[6]))[-session.MOST_EVENTS :]
    running = session.from_events([Happening(row[1], row[2], tuple(row[3]), row[4]) for row in visit], now)
    reactions = [Happening(row[1], row[2], tuple(row[3])) for row in rows if not row[0]]
    old = feedback.old_dismissals(connection, store_id, subjects, now)
    reactions += [Happening(at, name, tuple(products)) for at, name, products in old]
    return running, feedback.from_events(reactions) if reactions else NO_FEEDBACK
