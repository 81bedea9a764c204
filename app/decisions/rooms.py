"""What the log of decisions tells of a person: for export, withdrawal and erasure (see ``app.privacy.rooms``)."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from app.core.packing import unpack
from app.privacy.consent import hold_off
from app.privacy.rooms import Person


class DecisionsRoom:
    """The decisions that were made for a person. How many there were of all people stays: it names nobody."""

    name = "decisions"

    def export(self, connection: Connection, person: Person) -> Mapping[str, Any]:
        """Return every decision that is kept of the person, oldest first.

        With what was known of the person when it was made. What else was on the shelf is the shop's.
        """
        rows = connection.exec_driver_sql(
            "SELECT made_at, slot, strategy, reason, arms, shown, answers, record FROM decision"
            f" WHERE {_OF} ORDER BY made_at, id",
            _of(person),
        )
        found = [
            {
                "made_at": made_at.isoformat(),
                "slot": slot,
                "strategy": strategy,
                "reason": reason,
                "arms": arms,
                "shown": list(shown),
                "answers": answers,
                "made_from": _made_from(record),
            }
            for made_at, slot, strategy, reason, arms, shown, answers, record in rows
        ]
        return {"decisions": found} if found else {}

    def erase(self, connection: Connection, person: Person) -> Mapping[str, int]:
        """Remove the person's decisions. Those that are on their way to the log find the no, and are not written."""
        if not person.subjects:
            return {"decisions": 0}
        hold_off(connection, person.store_id)
        removed = connection.exec_driver_sql(f"DELETE FROM decision WHERE {_OF}", _of(person))
        return {"decisions": removed.rowcount}

    def forget(self, person: Person) -> None:
        """Do nothing: decisions are kept in PostgreSQL alone."""


# What a record holds of whoever asked.
_THEIRS: Final = ("question", "context")
_OF: Final = "store_id = %(store)s AND subject = ANY(%(subjects)s::bytea[])"


def _of(person: Person) -> dict[str, Any]:
    return {"store": person.store_id, "subjects": sorted(person.subjects)}


def _made_from(record: bytes | None) -> dict[str, Any]:
    body = orjson.loads(unpack(bytes(record))) if record is not None else {}
    return {name: body[name] for name in _THEIRS if name in body}
