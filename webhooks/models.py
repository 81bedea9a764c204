"""The inbox: every accepted delivery, until its retention ends."""

from datetime import datetime
from typing import Final

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model

PENDING: Final = "pending"
PROCESSED: Final = "processed"
SET_ASIDE: Final = "set_aside"  # knowingly means nothing; ``reason`` says why
QUARANTINED: Final = "quarantined"  # could not be processed; ``reason`` says why
# The reason of a delivery that another site sent with this store's secret.
FOREIGN_SOURCE: Final = "foreign_source"
STATUSES: Final = (PENDING, PROCESSED, SET_ASIDE, QUARANTINED)


class WebhookDelivery(Model):
    """One accepted delivery.

    ``body`` is the JSON without personal fields; ``body_sha256`` is of the bytes as received.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("store_id", "dedupe_key"),
        Index("ix_webhook_delivery_pending", "store_id", "id", postgresql_where=text("status = 'pending'")),
        Index(None, "store_id", "received_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    topic: Mapped[str]
    dedupe_key: Mapped[str]
    event_id: Mapped[str | None]
    api_version: Mapped[str | None]
    triggered_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    body: Mapped[str]
    body_sha256: Mapped[bytes]
    status: Mapped[str] = mapped_column(server_default=PENDING)
    reason: Mapped[str | None]
    processed_at: Mapped[datetime | None]
