"""The door of events: from messages of the Segment spec to rows, with an answer for each.

Who is named is turned into digests here; what came with a message beside its properties is gone after that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine

from app.commerce.store import StoreAccess
from app.core.db import db, now
from app.events import spec, tallies, tokens
from app.events.links import ALIAS, CART_SEEN, LOGGED_IN, SERVER
from app.events.spec import Accepted, Rejected
from app.events.tallies import Tallies
from app.events.writer import REFUSED as BY_RECORD
from app.events.writer import Batch, Candidate, EventWriter
from app.privacy.consent import read_signal
from app.privacy.purposes import Purposes
from app.privacy.subjects import VISITOR, cart_node, customer_node, digest, subject_of, visitor_node

BROWSER_SOURCE: Final = "browser"
SERVER_SOURCE: Final = "server"
_MESSAGE: Final = "message"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends the events of a request, and what the request itself says.

    Attributes:
        access: the store, by one of its keys.
        gpc: whether the request carries ``Sec-GPC: 1``.
        received_at: when it came in (UTC).
    """

    access: StoreAccess
    gpc: bool
    received_at: datetime

    @property
    def is_server(self) -> bool:
        """Whether the secret key vouches for what is said of users."""
        return self.access.kind == "secret"

    @property
    def source(self) -> str:
        """What is kept of who sent an event."""
        return SERVER_SOURCE if self.is_server else BROWSER_SOURCE


class EventIntake:
    """The intake of one web process."""

    def __init__(self, engine: Engine, retention_days: int) -> None:
        """Write to ``engine``; refuse what is older than ``retention_days``."""
        self.writer = EventWriter(engine)
        self.tallies = Tallies(engine)
        self._retention = timedelta(days=retention_days)

    def take(
        self,
        access: StoreAccess,
        messages: Sequence[Any],
        *,
        kind: str | None = None,
        sent_at: datetime | None = None,
        gpc: bool = False,
    ) -> list[dict[str, Any]]:
        """Take messages, and return what became of each once the accepted ones are durable.

        Args:
            access: the store.
            messages: JSON values.
            kind: the type that the address names, for all of them.
            sent_at: when the batch was sent, by the sender's clock.
            gpc: whether the request carries ``Sec-GPC: 1``.

        Raises:
            Unavailable, sqlalchemy.exc.SQLAlchemyError: if the database does not take them; none is kept then.
        """
        sender = Sender(access, gpc, now())
        read = [
            spec.parse(
                message,
                received_at=sender.received_at,
                sent_at=sent_at,
                kind=kind,
                retention=self._retention,
            )
            for message in messages
        ]
        ends: list[tuple[str, str]] = []
        results: list[dict[str, Any]] = []
        waiting: list[tuple[int, Candidate]] = []
        for place, event in enumerate(read):
            candidate, notes = (event, ()) if isinstance(event, Rejected) else candidate_of(event, sender)
            results.append(_result(place, event.message_id, candidate))
            if isinstance(candidate, Rejected):
                ends.append((tallies.REJECTED, candidate.reason))
            else:
                waiting.append((place, candidate))
                ends += [(tallies.NOTED, note) for note in notes]
        if waiting:
            # Whoever waits for others to write for it holds no connection that they may need.
            db.session.rollback()
            batch = Batch(access.store_id, sender.received_at, tuple(candidate for _, candidate in waiting))
            for (place, _), outcome in zip(waiting, self.writer.write(batch), strict=True):
                if outcome == BY_RECORD:
                    results[place] = _result(place, read[place].message_id, Rejected(spec.NO_CONSENT))
                    ends.append((tallies.REJECTED, spec.NO_CONSENT))
                else:
                    results[place]["status"] = outcome
                    ends.append((outcome, ""))
        self.tallies.count(access.store_id, sender.received_at, ends)
        return results

    def close(self) -> None:
        """Write what is counted, and end the connection; the next events open another."""
        self.tallies.flush()
        self.writer.close()


def candidate_of(event: Accepted, sender: Sender) -> tuple[Candidate | Rejected, tuple[str, ...]]:
    """Return an event under the digests of whom it names, with notes; or why it is not taken."""
    store_id = sender.access.store_id
    signal = read_signal(
        event.consent,
        gpc=sender.gpc or event.gpc,
        source=sender.source,
        explicit=sender.access.explicit_consent,
    )
    if signal is not None and not signal.purposes & Purposes.ANALYTICS:
        return Rejected(spec.NO_CONSENT, event.message_id), ()
    customer, reason = _customer(event, sender)
    if customer is not None and spec.is_personal(customer):
        return Rejected(spec.PERSONAL_ID, event.message_id), ()
    if event.anonymous_id is None and customer is None:
        return Rejected(spec.UNVERIFIED_USER, event.message_id), ()
    visitor = visitor_node(store_id, event.anonymous_id) if event.anonymous_id else None
    nodes = [node for node in (visitor, customer_node(customer) if customer else None) if node]
    subjects = [subject_of(store_id, node) for node in nodes]
    notes = event.notes
    if event.user_id is not None and customer is None:
        notes = (*notes, spec.UNVERIFIED_USER)
    previous = digest(store_id, VISITOR, event.previous_id) if event.previous_id else None
    candidate = Candidate(
        subject=subjects[0],
        subjects=frozenset([*subjects, previous] if previous else subjects),
        signal=signal,
        message=digest(store_id, _MESSAGE, event.message_id),
        occurred_at=event.occurred_at,
        type=event.type,
        name=event.name,
        products=event.products,
        properties=event.properties,
        source=sender.source,
        links=_links(store_id, nodes, event, reason),
    )
    return candidate, notes


def _customer(event: Accepted, sender: Sender) -> tuple[str | None, str]:
    """Return the platform's id of the customer whom somebody vouches for, and who does."""
    if event.customer_token is not None:
        found = tokens.read(sender.access.store_id, event.customer_token, sender.received_at)
        if found is not None:
            return found, LOGGED_IN
    return (event.user_id if sender.is_server else None), SERVER


def _links(
    store_id: int, nodes: Sequence[str], event: Accepted, reason: str
) -> tuple[tuple[str, str, str], ...]:
    """Return which nodes the event proves to be one person. The event's own stand in ``nodes``, a visitor first."""
    found: list[tuple[str, str, str]] = []
    if len(nodes) == 2:
        found.append((nodes[0], nodes[1], reason))
    if event.cart is not None:
        found.append((nodes[0], cart_node(store_id, event.cart), CART_SEEN))
    if event.previous_id is not None:
        found += [(visitor_node(store_id, event.previous_id), node, ALIAS) for node in nodes]
    return tuple(pair for pair in found if pair[0] != pair[1])


def _result(place: int, message_id: str | None, candidate: Candidate | Rejected) -> dict[str, Any]:
    result: dict[str, Any] = {"index": place, "message_id": message_id, "status": tallies.ACCEPTED}
    if isinstance(candidate, Rejected):
        result |= {
            "status": tallies.REJECTED,
            "reason": candidate.reason,
            "detail": spec.REASONS[candidate.reason],
        }
    return result
