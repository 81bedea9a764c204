"""What a person may know that is kept of them, as one JSON document."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete
from sqlalchemy.dialects.postgresql import insert

from app.core.db import now
from app.privacy.models import PrivacyExport
from app.privacy.notices import notice_of
from app.privacy.persons import Named, find
from app.privacy.rooms import rooms

FORMAT: Final = "pannier.export.1"
KEPT: Final = timedelta(days=30)


def export_person(connection: Connection, store_id: int, named: Named) -> tuple[dict[str, Any], list[str]]:
    """Return what every room keeps of a person, and by which pseudonyms (hexadecimal) the person goes.

    ``data`` has a part for each room that keeps something; it is empty where nothing is kept. ``notice`` says where
    it comes from and what it is used for.
    """
    person = find(connection, store_id, named)
    data: dict[str, Any] = {}
    for room in rooms():
        found = dict(room.export(connection, person))
        if found:
            data[room.name] = found
    document = {
        "format": FORMAT,
        "made_at": now().isoformat(),
        "data": data,
        "notice": notice_of(connection, store_id),
    }
    return document, sorted(subject.hex() for subject in person.subjects)


def keep(
    connection: Connection, store_id: int, request_id: str, document: dict[str, Any], about: list[str]
) -> datetime:
    """Keep an export, encrypted, for ``KEPT``; return when it is deleted. A second one takes the first one's place."""
    expires_at = now() + KEPT
    made = insert(PrivacyExport).values(
        store_id=store_id,
        request_id=request_id,
        body={"about": about, "document": document},
        expires_at=expires_at,
    )
    connection.execute(
        made.on_conflict_do_update(
            index_elements=["store_id", "request_id"],
            set_={"body": made.excluded.body, "expires_at": made.excluded.expires_at},
        )
    )
    return expires_at


def forget_expired(connection: Connection) -> int:
    """Delete the exports whose time is over; return how many."""
    return connection.execute(delete(PrivacyExport).where(PrivacyExport.expires_at < now())).rowcount
