"""Requests to give out or erase personal data, as work to be done within 30 days."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model


class PrivacyRequestRecord(Model):
    """One request, as the platform passed it on. Names the person by platform id and keyed hash only."""

    __tablename__ = "privacy_request"
    __table_args__ = (UniqueConstraint("store_id", "request_id"), Index(None, "store_id", "requested_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    request_id: Mapped[str]
    kind: Mapped[str]
    customer_platform_id: Mapped[str | None]
    identity_hash: Mapped[bytes | None]
    orders: Mapped[list[str]]
    requested_at: Mapped[datetime]
    # Shopify asks for completion within 30 days of the request.
    due_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
