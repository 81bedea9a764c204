"""Taking in privacy requests."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy.dialects.postgresql import insert

from app.commerce.changes import PrivacyRequest
from app.core.db import db
from app.privacy.models import PrivacyRequestRecord

# https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance: complete within 30 days.
DUE: Final = timedelta(days=30)


def record(store_id: int, requests: Sequence[PrivacyRequest]) -> None:
    """Store ``requests`` as work; one that arrived before stays as it is."""
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
