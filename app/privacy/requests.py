"""Privacy requests: taking them in, and carrying them out.

A request is a row that is open until it is completed. Whoever takes it in hints at it; the clock finds what a lost hint
left behind, and tries again what failed.
"""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import orjson
import structlog
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.commerce.changes import PrivacyRequest, PrivacyRequestKind
from app.core.crypto import vault
from app.core.db import db, now
from app.privacy import export
from app.privacy.erasure import erase_person
from app.privacy.models import PrivacyRequestRecord
from app.privacy.persons import Named
from app.privacy.receipts import sign
from app.privacy.rooms import rooms

log = structlog.get_logger()

# https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance: complete within 30 days. GDPR, Art. 12(3): one
# month. Privacy Act 2020 (New Zealand), s. 44: a decision within 20 working days; ours come within minutes.
DUE: Final = timedelta(days=30)
EXPORT: Final = PrivacyRequestKind.DATA_REQUEST.value
ERASURE: Final = PrivacyRequestKind.REDACT_CUSTOMER.value
OF_PEOPLE: Final = (EXPORT, ERASURE)
_OPEN: Final = (PrivacyRequestRecord.completed_at.is_(None), PrivacyRequestRecord.kind.in_(OF_PEOPLE))


def record(store_id: int, requests: Sequence[PrivacyRequest]) -> None:
    """Store ``requests`` of a platform as work; one that arrived before stays as it is."""
    for request in requests:
        customer = request.customer
        db.session.execute(
            insert(PrivacyRequestRecord)
            .values(
                store_id=store_id,
                request_id=request.request_id,
                kind=request.kind.value,
                customer_platform_id=customer.platform_id if customer else None,
                identity_hash=customer.identity_hash if customer else None,
                orders=list(request.orders),
                requested_at=request.requested_at,
                due_at=request.requested_at + DUE,
            )
            .on_conflict_do_nothing(index_elements=["store_id", "request_id"])
        )


def ask(
    store_id: int,
    kind: str,
    *,
    customer: str | None = None,
    contact: bytes | None = None,
    visitors: Sequence[str] = (),
    orders: Sequence[str] = (),
    key: str | None = None,
) -> int:
    """Store a request of the shop itself, and return its id.

    Args:
        store_id: the store.
        kind: ``EXPORT`` or ``ERASURE``.
        customer: the platform's customer id.
        contact: hash of an e-mail address (32 bytes).
        visitors: nodes of visitors.
        orders: the platform's order ids.
        key: what makes the same request, sent twice, one. Another request under the same key is another one.
    """
    values: dict[str, Any] = {
        "kind": kind,
        "customer_platform_id": customer,
        "identity_hash": contact,
        "visitors": list(visitors),
        "orders": list(orders),
    }
    at = now()
    made = insert(PrivacyRequestRecord).values(
        store_id=store_id,
        request_id=_request_id(store_id, key, values),
        requested_at=at,
        due_at=at + DUE,
        **values,
    )
    row: int = db.session.execute(
        made.on_conflict_do_update(
            index_elements=["store_id", "request_id"], set_={"kind": made.excluded.kind}
        ).returning(PrivacyRequestRecord.id)
    ).scalar_one()
    return row


def carry_out(request: int) -> bool:
    """Carry out one open request, by its id; return whether that is done now.

    A failure is kept with the request (its name, never its text), logged, and tried again by the clock.
    """
    try:
        return _carry_out(request)
    except Exception as error:
        db.session.rollback()
        failure = type(error).__name__
        db.session.execute(
            update(PrivacyRequestRecord)
            .where(PrivacyRequestRecord.id == request, *_OPEN)
            .values(attempts=PrivacyRequestRecord.attempts + 1, failure=failure)
        )
        db.session.commit()
        log.error("privacy_request_failed", request=request, error=failure)
        return False


def _carry_out(request: int) -> bool:
    found = db.session.scalar(
        select(PrivacyRequestRecord)
        .where(PrivacyRequestRecord.id == request, *_OPEN)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if found is None:
        db.session.rollback()
        return False
    store_id, kind = found.store_id, found.kind
    connection = db.session.connection()
    named = _named(found)
    numbers: dict[str, Any]
    if kind == ERASURE:
        person, removed = erase_person(connection, store_id, named)
        numbers = {"removed": removed}
    else:
        person = None
        document, about = export.export_person(connection, store_id, named)
        expires_at = export.keep(connection, store_id, found.request_id, document, about)
        numbers = {"given": _sizes(document["data"]), "expires_at": expires_at.isoformat()}
    completed_at = now()
    found.receipt = sign(
        store_id,
        {
            "request": str(found.id),
            "kind": kind,
            "store": store_id,
            "requested_at": found.requested_at.isoformat(),
            "completed_at": completed_at.isoformat(),
            **numbers,
        },
    )
    found.completed_at = completed_at
    found.attempts += 1
    found.failure = None
    found.customer_platform_id = found.identity_hash = None
    found.visitors = []
    found.orders = []
    db.session.commit()
    if person is not None:
        for room in rooms():
            room.forget(person)
    log.info("privacy_request_completed", store_id=store_id, request=request, kind=kind)
    return True


def open_requests() -> list[int]:
    """Return the ids of the open requests of people, those that failed least first, and the oldest of those."""
    query = (
        select(PrivacyRequestRecord.id)
        .where(*_OPEN)
        .order_by(PrivacyRequestRecord.attempts, PrivacyRequestRecord.id)
    )
    found = list(db.session.scalars(query))
    db.session.rollback()
    return found


def open_counts() -> tuple[int, int]:
    """Return how many requests of people are open, and how many of them are overdue."""
    overdue = func.count().filter(PrivacyRequestRecord.due_at < func.now())
    count, late = db.session.execute(select(func.count(), overdue).where(*_OPEN)).one()
    return int(count), int(late)


def _named(request: PrivacyRequestRecord) -> Named:
    customer, contact = request.customer_platform_id, request.identity_hash
    return Named(
        customers=frozenset({customer} if customer else ()),
        contacts=frozenset({bytes(contact)} if contact else ()),
        visitors=frozenset(request.visitors),
        orders=frozenset(request.orders),
    )


def _request_id(store_id: int, key: str | None, values: dict[str, Any]) -> str:
    """Return the request's own id. Neither a key nor whom it is about can be read from it."""
    if key is None:
        return f"own:{secrets.token_hex(16)}"
    content = orjson.dumps([key, values], option=orjson.OPT_SORT_KEYS, default=bytes.hex).decode()
    return f"own:{vault().pseudonym(store_id, f'request:{content}')}"


def _sizes(data: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Return how many of what an export holds, by room."""
    return {
        room: {name: len(value) if isinstance(value, list) else 1 for name, value in found.items()}
        for room, found in data.items()
    }
