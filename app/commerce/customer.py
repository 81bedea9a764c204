"""Customers: a platform id and a keyed hash, and nothing else about a person."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model


class Customer(Model):
    """Somebody who buys. No e-mail address, name, phone number, postal or IP address is ever stored.

    ``identity_hash`` is HMAC-SHA256 of the normalised e-mail address under the store's own key; a guest
    has only that.
    """

    __tablename__ = "customer"
    __table_args__ = (
        UniqueConstraint("store_id", "platform_id"),
        Index("ix_customer_store_id_identity_hash", "store_id", "identity_hash"),
        Index(
            "uq_customer_guest",
            "store_id",
            "identity_hash",
            unique=True,
            postgresql_where=text("platform_id IS NULL"),
        ),
        CheckConstraint("platform_id IS NOT NULL OR identity_hash IS NOT NULL", name="known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    platform_id: Mapped[str | None]
    identity_hash: Mapped[bytes | None]
    source_updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
