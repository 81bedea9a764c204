"""What events tell of a person: for export, withdrawal and erasure (see ``app.privacy.rooms``)."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection

from app.events.activity import uncount
from app.events.properties import LINKS
from app.privacy.consent import hold_off
from app.privacy.purposes import Purposes, as_mapping
from app.privacy.rooms import Person
from app.privacy.subjects import subject_of


class EventsRoom:
    """The events of a person."""

    name = "events"

    def export(self, connection: Connection, person: Person) -> Mapping[str, Any]:
        """Return every event that is kept of the person, oldest first."""
        rows = connection.exec_driver_sql(
            "SELECT occurred_at, received_at, type, name, products, properties, purposes, source FROM event"
            " WHERE store_id = %(store)s AND subject = ANY(%(subjects)s::bytea[]) ORDER BY occurred_at, id",
            {"store": person.store_id, "subjects": list(person.subjects)},
        )
        found = [
            {
                "occurred_at": occurred_at.isoformat(),
                "received_at": received_at.isoformat(),
                "type": type_,
                "name": name,
                "products": list(products),
                "properties": properties,
                "allowed": as_mapping(Purposes(purposes)),
                "source": source,
            }
            for occurred_at, received_at, type_, name, products, properties, purposes, source in rows
        ]
        return {"events": found} if found else {}

    def erase(self, connection: Connection, person: Person) -> Mapping[str, int]:
        """Remove the events of the person, what they count, and what events of a shared device say of the person."""
        removed = forget_subjects(connection, person.store_id, person.subjects)
        return {"events": removed, "links_of_events": _unname(connection, person)}

    def forget(self, person: Person) -> None:
        """Do nothing: events are kept in PostgreSQL alone."""


def _unname(connection: Connection, person: Person) -> int:
    """Take the links that name the person out of the events of those whom a link joins to the person.

    A device that several accounts share belongs to none of them and keeps its events.
    """
    nodes = list(person.nodes)
    rows = connection.exec_driver_sql(
        """
        SELECT left_node FROM identity_link WHERE store_id = %(store)s AND right_node = ANY(%(nodes)s::text[])
        UNION
        SELECT right_node FROM identity_link WHERE store_id = %(store)s AND left_node = ANY(%(nodes)s::text[])
        """,
        {"store": person.store_id, "nodes": nodes},
    )
    joined = {subject_of(person.store_id, node) for (node,) in rows} - person.subjects
    if not joined:
        return 0
    return connection.exec_driver_sql(
        """
        UPDATE event SET properties = properties - %(links)s
        WHERE store_id = %(store)s AND subject = ANY(%(subjects)s::bytea[]) AND EXISTS (
            SELECT FROM jsonb_array_elements(properties->%(links)s) l
            WHERE l->>0 = ANY(%(nodes)s::text[]) OR l->>1 = ANY(%(nodes)s::text[]))
        """,
        {"store": person.store_id, "subjects": list(joined), "nodes": nodes, "links": LINKS},
    ).rowcount


def forget_subjects(connection: Connection, store_id: int, subjects: Collection[bytes]) -> int:
    """Delete the events of ``subjects`` (16 bytes each) inside the caller's transaction; return how many.

    Waits for events of the store that are being written, and holds up new ones until the transaction ends: those see
    the choice that is recorded in it. Receipts stay: they name an event and nobody.
    """
    if not subjects:
        return 0
    hold_off(connection, store_id)
    uncount(connection, store_id, subjects)
    deleted = connection.exec_driver_sql(
        "DELETE FROM event WHERE store_id = %(store)s AND subject = ANY(%(subjects)s::bytea[])",
        {"store": store_id, "subjects": list(subjects)},
    )
    return deleted.rowcount
