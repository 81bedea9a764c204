"""What a person allowed, and what was handed out to them."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, delete, select

from app.privacy.models import ConsentChoice, ConsentState, PrivacyExport
from app.privacy.purposes import Purposes, as_mapping
from app.privacy.rooms import Person


class ConsentRoom:
    """The evidence of choices, and the state that follows from it."""

    name = "consent"

    def export(self, connection: Connection, person: Person) -> Mapping[str, Any]:
        """Return every choice."""
        choices = [
            {
                "purposes": as_mapping(Purposes(row.purposes)),
                "source": row.source,
                "basis": row.basis,
                "region": row.region,
                "chosen_at": row.chosen_at.isoformat(),
            }
            for row in connection.execute(
                select(ConsentChoice.__table__)
                .where(ConsentChoice.store_id == person.store_id, ConsentChoice.subject.in_(person.subjects))
                .order_by(ConsentChoice.id)
            )
        ]
        return {"choices": choices} if choices else {}

    def erase(self, connection: Connection, person: Person) -> Mapping[str, int]:
        """Remove them: who was erased is on the list that says no."""
        return {
            name: connection.execute(
                delete(table).where(table.store_id == person.store_id, table.subject.in_(person.subjects))
            ).rowcount
            for name, table in (("choices", ConsentChoice), ("states", ConsentState))
        }

    def forget(self, person: Person) -> None:
        """Do nothing: choices are kept in PostgreSQL alone."""


class ExportsRoom:
    """What was handed out of a person. Each export says inside whom it is about, so that it goes with them."""

    name = "exports"

    def export(self, connection: Connection, person: Person) -> Mapping[str, Any]:
        """Return when something was handed out."""
        given = [created_at.isoformat() for _, created_at in _of(connection, person)]
        return {"handed_out_at": given} if given else {}

    def erase(self, connection: Connection, person: Person) -> Mapping[str, int]:
        """Remove every export of the person."""
        ids = [id_ for id_, _ in _of(connection, person)]
        connection.execute(delete(PrivacyExport).where(PrivacyExport.id.in_(ids)))
        return {"exports": len(ids)}

    def forget(self, person: Person) -> None:
        """Do nothing: exports are kept in PostgreSQL alone."""


def _of(connection: Connection, person: Person) -> Iterator[tuple[int, Any]]:
    about = {subject.hex() for subject in person.subjects}
    found = connection.execute(
        select(PrivacyExport.id, PrivacyExport.body, PrivacyExport.created_at)
        .where(PrivacyExport.store_id == person.store_id)
        .order_by(PrivacyExport.id)
    )
    for id_, body, created_at in found.all():
        if not about.isdisjoint(body["about"]):
            yield id_, created_at
