"""Where events become rows: consent, receipts and events in one transaction for concurrent requests.

What is returned as accepted is durable. A withdrawal or an erasure waits until the transaction has ended and removes
what it wrote; one that came first is seen. So an event of somebody who said no is never left behind.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from app.core.db import execute_rows
from app.core.errors import Unavailable
from app.core.group_commit import GroupCommit
from app.events import links
from app.events.properties import LINKS
from app.privacy import consent
from app.privacy.consent import Signal
from app.privacy.purposes import Purposes

# How long events wait for a withdrawal or an erasure of their store.
_PATIENCE: Final = "2s"

ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
REFUSED: Final = "refused"  # by what is recorded of the person


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event in good form that waits for consent.

    Attributes:
        subject: whose event it is, 16 bytes.
        subjects: everybody whose recorded choice counts: the subject, and the customer who is behind it.
        signal: what the event states; None where it states nothing.
        message: digest of the message id, 16 bytes.
        links: nodes that it proves to be one person, with the reason.
    """

    subject: bytes
    subjects: frozenset[bytes]
    signal: Signal | None
    message: bytes
    occurred_at: datetime
    type: str
    name: str | None
    products: tuple[str, ...]
    properties: dict[str, Any]
    source: str
    links: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """The events of one request."""

    store_id: int
    received_at: datetime
    events: tuple[Candidate, ...]


# Receipts are locked in the order of their key, whatever group they come in.
_INSERT: Final = """
WITH r AS (
    SELECT DISTINCT ON (store_id, message) * FROM json_to_recordset(%(rows)s::json) AS r(
        n int, store_id bigint, message bytea, received_at timestamptz, occurred_at timestamptz, subject bytea,
        type text, name text, products text[], properties jsonb, purposes smallint, source text)
    ORDER BY store_id, message, n
), fresh AS (
    INSERT INTO event_receipt (store_id, message, received_at)
    SELECT store_id, message, received_at FROM r ORDER BY store_id, message
    ON CONFLICT DO NOTHING RETURNING store_id, message
), kept AS (
    INSERT INTO event (store_id, received_at, occurred_at, subject, type, name, products, properties, purposes, source,
        message)
    SELECT store_id, received_at, occurred_at, subject, type, name, products, properties, purposes, source, message
    FROM r JOIN fresh USING (store_id, message) ORDER BY n
)
SELECT n FROM r JOIN fresh USING (store_id, message)
"""


class _Connection:
    """A connection apart from the pool."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect()
        self._connection.detach()
        self._connection.exec_driver_sql(f"SET lock_timeout = '{_PATIENCE}'")
        self._connection.commit()

    def write(self, rows: list[Batch]) -> Sequence[list[str]]:
        """Write batches in one transaction; return what became of each event.

        Raises:
            Unavailable: if somebody's data is being erased for longer than events wait.
            sqlalchemy.exc.SQLAlchemyError: nothing is written then.
        """
        try:
            with self._connection.begin():
                return write(self._connection, rows)
        except OperationalError as error:
            if isinstance(error.orig, LockNotAvailable):
                raise Unavailable("The store's data is being changed. Try again in a few seconds.") from error
            raise

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


class EventWriter(GroupCommit[Batch, list[str]]):
    """Writes the events of concurrent requests together. Receipts make a repetition harmless."""

    def __init__(self, engine: Engine) -> None:
        """Write to ``engine``."""
        super().__init__(lambda: _Connection(engine), order=lambda batch: batch.store_id)


def write(connection: Connection, batches: Sequence[Batch]) -> list[list[str]]:
    """Write the events that are allowed and new, inside the caller's transaction; return what became of each.

    ``batches`` are sorted by store: the locks of stores are taken in that order.
    """
    outcomes = [[REFUSED] * len(batch.events) for batch in batches]
    rows: list[dict[str, Any]] = []
    places: list[tuple[int, int]] = []
    for store_id, numbered in groupby(enumerate(batches), key=lambda pair: pair[1].store_id):
        group = list(numbered)
        recorded = consent.recorded(connection, store_id, _subjects(batch for _, batch in group), hold=True)
        of_variants = _products_of_variants(connection, store_id, (batch for _, batch in group))
        for number, batch in group:
            for place, event in enumerate(batch.events):
                purposes = consent.allowed(event.signal, _both(recorded, event.subjects))
                if purposes & Purposes.ANALYTICS:
                    rows.append(_row(len(rows), batch, event, purposes, of_variants))
                    places.append((number, place))
                    outcomes[number][place] = DUPLICATE
    if not rows:
        return outcomes
    new = [places[n] for (n,) in execute_rows(connection, _INSERT, rows)]
    for number, place in new:
        outcomes[number][place] = ACCEPTED
    _link(connection, batches, new)
    return outcomes


def _subjects(batches: Iterable[Batch]) -> set[bytes]:
    return {subject for batch in batches for event in batch.events for subject in event.subjects}


def _both(recorded: dict[bytes, Purposes], subjects: Collection[bytes]) -> Purposes | None:
    """Return what all of ``subjects`` allowed of whom a choice is recorded."""
    found: Purposes | None = None
    for subject in subjects:
        if subject in recorded:
            found = recorded[subject] if found is None else found & recorded[subject]
    return found


def _products_of_variants(connection: Connection, store_id: int, batches: Iterable[Batch]) -> dict[str, str]:
    """Return the product of each id that is no product's but a variant's: WooCommerce's cart names variations so."""
    named = {product for batch in batches for event in batch.events for product in event.products}
    if not named:
        return {}
    rows = connection.exec_driver_sql(
        """
        SELECT v.platform_id, p.platform_id FROM variant v JOIN product p ON p.id = v.product_id
        WHERE v.store_id = %(store)s AND v.platform_id = ANY(%(ids)s::text[]) AND NOT EXISTS (
            SELECT FROM product x WHERE x.store_id = v.store_id AND x.platform_id = v.platform_id)
        """,
        {"store": store_id, "ids": list(named)},
    )
    return {variant: product for variant, product in rows}


def _row(
    n: int, batch: Batch, event: Candidate, purposes: Purposes, of_variants: Mapping[str, str]
) -> dict[str, Any]:
    proven = {LINKS: [list(pair) for pair in event.links]} if event.links else {}
    return {
        "n": n,
        "store_id": batch.store_id,
        "message": f"\\x{event.message.hex()}",
        "received_at": batch.received_at,
        "occurred_at": event.occurred_at,
        "subject": f"\\x{event.subject.hex()}",
        "type": event.type,
        "name": event.name,
        "products": [of_variants.get(product, product) for product in event.products],
        "properties": event.properties | proven,
        "purposes": int(purposes),
        "source": event.source,
    }


def _link(connection: Connection, batches: Sequence[Batch], new: Iterable[tuple[int, int]]) -> None:
    """Write what the new events prove, store by store. They keep it themselves, too, so that it can be told again."""
    proven: dict[int, list[tuple[str, str, str]]] = {}
    for number, place in new:
        batch = batches[number]
        if pairs := batch.events[place].links:
            proven.setdefault(batch.store_id, []).extend(pairs)
    for store_id, found in sorted(proven.items()):
        seen = min(batch.received_at for batch in batches if batch.store_id == store_id)
        links.link(connection, store_id, found, seen)
