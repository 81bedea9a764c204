"""Who came upon which arm: the first eligible render in every arm, by one and the same occasion.

A box tells when its place first comes on screen, whether it shows something or, as in a control, nothing
(``Product List Viewed`` with the ``decision_id``). The decision log tells in which arms that decision was. Both must
name the same visitor: nobody is exposed by an answer that another got. Only events of people who agreed to analytics
exist, and who takes that back is gone from the exposures with the events.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from app.events.session import LIST_VIEWED
from app.privacy import consent
from app.privacy.purposes import Purposes
from app.privacy.rooms import Person

_SEEN: Final = """FROM event e WHERE e.store_id = %(store)s AND e.received_at >= %(since)s
    AND e.received_at < %(until)s AND e.type = 'track' AND e.name = %(name)s
    AND jsonb_typeof(e.properties->'decision_id') = 'string'"""
# Nobody comes upon an answer before it was given, whatever the browser's clock says, and hardly anybody days after.
_COLLECT: Final = f"""
INSERT INTO experiment_exposure AS x (store_id, experiment, subject, arm, first_at, decision_id)
SELECT DISTINCT ON (a.key, s.subject, a.value)
    %(store)s, a.key, s.subject, a.value, GREATEST(LEAST(s.occurred_at, s.received_at), d.made_at), s.decision
FROM (SELECT e.subject, e.occurred_at, e.received_at, e.properties->>'decision_id' AS decision,
        (e.received_at AT TIME ZONE 'UTC')::date AS day {_SEEN} AND e.subject = ANY(%(subjects)s::bytea[])) s
JOIN decision d ON d.store_id = %(store)s AND d.id = s.decision AND d.subject = s.subject
    AND d.day BETWEEN s.day - 2 AND s.day
CROSS JOIN LATERAL jsonb_each_text(d.arms) a
ORDER BY a.key, s.subject, a.value, 5, s.decision
ON CONFLICT (store_id, experiment, subject, arm) DO UPDATE
SET first_at = excluded.first_at, decision_id = excluded.decision_id
WHERE excluded.first_at < x.first_at
RETURNING xmax = 0
"""


def collect(connection: Connection, store_id: int, since: datetime, until: datetime) -> int:
    """Write the exposures that events received in a period tell of; return how many are new.

    Inside the caller's transaction, for which a withdrawal or an erasure waits: it removes what is written here. The
    same period may be collected again and in any order: of each visitor and arm the earliest occasion stands.
    """
    period = {"store": store_id, "since": since, "until": until, "name": LIST_VIEWED}
    rows = connection.exec_driver_sql(f"SELECT DISTINCT e.subject {_SEEN}", period)
    subjects = {bytes(subject) for (subject,) in rows}
    recorded = consent.recorded(connection, store_id, subjects, hold=True)
    refused = {subject for subject, allowed in recorded.items() if not allowed & Purposes.ANALYTICS}
    if subjects == refused:
        return 0
    written = connection.exec_driver_sql(_COLLECT, {**period, "subjects": list(subjects - refused)})
    return sum(new for (new,) in written)


class ExposuresRoom:
    """The arms of experiments that a person came upon (see ``app.privacy.rooms``)."""

    name = "exposures"

    def export(self, connection: Connection, person: Person) -> Mapping[str, Any]:
        """Return experiment, arm and first time of each."""
        rows = connection.exec_driver_sql(
            "SELECT experiment, arm, first_at FROM experiment_exposure"
            " WHERE store_id = %(store)s AND subject = ANY(%(subjects)s::bytea[])"
            " ORDER BY first_at, experiment, arm",
            _of(person),
        )
        found = [
            {"experiment": experiment, "arm": arm, "first_at": first_at.isoformat()}
            for experiment, arm, first_at in rows
        ]
        return {"exposures": found} if found else {}

    def erase(self, connection: Connection, person: Person) -> Mapping[str, int]:
        """Remove them."""
        removed = connection.exec_driver_sql(
            "DELETE FROM experiment_exposure WHERE store_id = %(store)s AND subject = ANY(%(subjects)s::bytea[])",
            _of(person),
        )
        return {"exposures": removed.rowcount}

    def forget(self, person: Person) -> None:
        """Do nothing: exposures are kept in PostgreSQL alone."""


def _of(person: Person) -> dict[str, Any]:
    return {"store": person.store_id, "subjects": sorted(person.subjects)}
