"""What people allowed, whom they asked us to forget, and their requests, as work to be done within 30 days."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint, SmallInteger, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.core.crypto import Encrypted
from app.core.db import Model


class ConsentChoice(Model):
    """One choice of one person, kept as evidence: what, where, when, and how it came to be.

    ``basis`` is ``choice`` (the person chose) or ``default`` (the platform's rule for the person's region). Who it was
    is the keyed digest alone (see ``subjects``).
    """

    __tablename__ = "consent_choice"
    __table_args__ = (Index(None, "store_id", "subject", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int]
    subject: Mapped[bytes]
    purposes: Mapped[int] = mapped_column(SmallInteger)
    source: Mapped[str]
    basis: Mapped[str]
    region: Mapped[str | None]
    chosen_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ConsentState(Model):
    """The newest choice of each person; of two of the same moment what both allow."""

    __tablename__ = "consent_state"
    __table_args__ = (PrimaryKeyConstraint("store_id", "subject"),)

    store_id: Mapped[int]
    subject: Mapped[bytes]
    purposes: Mapped[int] = mapped_column(SmallInteger)
    chosen_at: Mapped[datetime]


class Suppression(Model):
    """Somebody, or an order, that was erased and must not come back: the keyed digest alone."""

    __tablename__ = "suppression"
    __table_args__ = (PrimaryKeyConstraint("store_id", "digest"),)

    store_id: Mapped[int]
    digest: Mapped[bytes]
    kind: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PrivacyExport(Model):
    """What a person may know that is kept of them, encrypted, until it expires."""

    __tablename__ = "privacy_export"
    __table_args__ = (UniqueConstraint("store_id", "request_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    request_id: Mapped[str]
    body: Mapped[Any] = mapped_column(Encrypted)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


class PrivacyRequestRecord(Model):
    """One request, as the platform passed it on or the shop made it.

    Names the person by platform id, keyed hash and pseudonym only, and by nothing once it is completed.
    """

    __tablename__ = "privacy_request"
    __table_args__ = (UniqueConstraint("store_id", "request_id"), Index(None, "store_id", "requested_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    request_id: Mapped[str]
    kind: Mapped[str]
    customer_platform_id: Mapped[str | None]
    identity_hash: Mapped[bytes | None]
    # Nodes of visitors, as in ``subjects``.
    visitors: Mapped[list[str]] = mapped_column(server_default="{}")
    orders: Mapped[list[str]]
    requested_at: Mapped[datetime]
    # Shopify asks for completion within 30 days of the request.
    due_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    # How often it was tried, and what went wrong the last time: the name of the error.
    attempts: Mapped[int] = mapped_column(server_default="0")
    failure: Mapped[str | None]
    # What was removed or given out, in numbers. No identifier of the person.
    receipt: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
