"""Who asks, as far as that person allowed an answer to depend on it.

Without a yes there is nobody, and the answer is the one that everybody gets. The rules of ``app.privacy.consent`` hold:
the running session needs analytics; what was bought before, and what other devices of the same person do, needs
preferences besides. Of several records of one person each must agree.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.db import db, now
from app.events import identity, recent, tokens
from app.events.feedback import NO_FEEDBACK, Feedback
from app.events.session import NO_SESSION, Session
from app.privacy import consent
from app.privacy.consent import CHOICE, Signal
from app.privacy.purposes import Purposes
from app.privacy.subjects import CUSTOMER, VISITOR, customer_node, subject_of, visitor_node
from app.recommendations import personal
from app.recommendations.personal import Shopper

log = structlog.get_logger()

# What an answer from somebody's history needs.
PERSONAL: Final = Purposes.ANALYTICS | Purposes.PREFERENCES
_STATED: Final = Signal(PERSONAL, "server", CHOICE, None, None)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who a request says is asking.

    Attributes:
        visitor: the anonymous id of a browser or an app.
        customer: the platform's id of a customer whom the shop's server names, stating that they agreed.
        token: what may prove who is logged in (see ``app.events.tokens``); not looked at where a server vouches.
        refused: whether the browser sends Global Privacy Control.
    """

    visitor: str | None = None
    customer: str | None = None
    token: str | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What an answer may depend on.

    Attributes:
        session: the running session.
        shopper: what the customer bought.
        subject: the digest of the visitor who asks, where they agreed to analytics.
        others: digests of other visitors of the same person, where answers may span them.
        customers: the platform's ids of the person as a customer.
        feedback: what the visitor did with what they were shown.
    """

    session: Session = NO_SESSION
    shopper: Shopper | None = None
    subject: bytes | None = None
    others: tuple[bytes, ...] = ()
    customers: tuple[str, ...] = ()
    feedback: Feedback = NO_FEEDBACK


NOBODY: Final = Known()


def known(store_id: int, asking: Asking) -> Known:
    """Return what the answer may depend on.

    Where the database does not answer, nobody is known: a generic answer is better than none.
    """
    if asking.refused or not (asking.visitor or asking.customer or asking.token):
        return NOBODY
    try:
        return _known(db.session.connection(), store_id, asking)
    except (OperationalError, PoolTimeout):
        db.session.rollback()
        log.warning("visitor_unknown", store_id=store_id)
        return NOBODY


def _known(connection: Connection, store_id: int, asking: Asking) -> Known:
    visitor = visitor_node(store_id, asking.visitor) if asking.visitor else None
    stated = asking.customer is not None
    proven = tokens.read(store_id, asking.token, now()) if asking.token and not stated else None
    named = asking.customer or proven
    customer = customer_node(named) if named else None
    records = _records(connection, store_id, [node for node in (visitor, customer) if node])
    by_visitor = records.get(visitor, Purposes.NONE) if visitor else Purposes.NONE
    by_customer = _of_customer(records, visitor, customer, stated=stated) if customer else by_visitor
    start = customer or visitor
    person = frozenset[str]()
    if start and by_customer & PERSONAL == PERSONAL:
        person = _person(connection, store_id, start)
    subject: bytes | None = None
    others: tuple[bytes, ...] = ()
    running, reactions = NO_SESSION, NO_FEEDBACK
    if visitor and by_visitor & Purposes.ANALYTICS:
        subject = subject_of(store_id, visitor)
        others = _others(store_id, visitor, person, by_visitor)
        running, reactions = recent.load(connection, store_id, subject, now(), also=others)
    customers = tuple(sorted(n.partition(":")[2] for n in person if n.startswith(f"{CUSTOMER}:")))
    shopper = personal.shopper(store_id, customers) if customers else None
    return Known(running, shopper, subject, others, customers, reactions)


def _others(store_id: int, visitor: str, person: frozenset[str], allowed: Purposes) -> tuple[bytes, ...]:
    """Return the digests of a person's other nodes, where the visitor lets answers span them."""
    if allowed & PERSONAL != PERSONAL or visitor not in person:
        return ()
    return tuple(sorted(subject_of(store_id, node) for node in person - {visitor}))


def _records(connection: Connection, store_id: int, nodes: Collection[str]) -> dict[str, Purposes]:
    """Return what was recorded of each of ``nodes``, where something was."""
    subjects = {node: subject_of(store_id, node) for node in nodes}
    found = consent.recorded(connection, store_id, subjects.values())
    return {node: found[subject] for node, subject in subjects.items() if subject in found}


def _of_customer(
    records: Mapping[str, Purposes], visitor: str | None, customer: str, *, stated: bool
) -> Purposes:
    """Return what counts for a customer whom somebody vouches for.

    The shop's statement counts as far as no record says otherwise. Without one, the browser's own record must agree
    where the browser is named, and the customer's where there is one.
    """
    if stated:
        return consent.allowed(_STATED, records.get(customer))
    if visitor is None:
        return records.get(customer, Purposes.NONE)
    return records.get(visitor, Purposes.NONE) & records.get(customer, PERSONAL)


def _person(connection: Connection, store_id: int, node: str) -> frozenset[str]:
    """Return the nodes of a person that may count: other devices that agreed, customers that are not against it."""
    others = [
        other
        for other in identity.person_of(connection, store_id, node)
        if other != node and other.startswith((f"{VISITOR}:", f"{CUSTOMER}:"))
    ]
    records = _records(connection, store_id, others)
    return frozenset({node} | {o for o in others if records.get(o, _unsaid(o)) & PERSONAL == PERSONAL})


def _unsaid(node: str) -> Purposes:
    """Return what counts for a node without a record: a customer agrees by the device that is linked to them."""
    return PERSONAL if node.startswith(f"{CUSTOMER}:") else Purposes.NONE
