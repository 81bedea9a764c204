"""The inbox: every accepted delivery, until its retention ends."""

from datetime import datetime
from typing import Final

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model
from app.core.packing import pack, unpack

PENDING: Final = "pending"
PROCESSED: Final = "processed"
SET_ASIDE: Final = "set_aside"  # knowingly means nothing; ``reason`` says why
QUARANTINED: Final = "quarantined"  # could not be processed; ``reason`` says why
# The reason of a delivery that another site sent with this store's secret.
FOREIGN_SOURCE: Final = "foreign_source"
STATUSES: Final = (PENDING, PROCESSED, SET_ASIDE, QUARANTINED)


class WebhookDelivery(Model):
    """One accepted delivery.

    ``body`` is the JSON without personal fields, compressed (``packing``) in its column; ``body_sha256`` is of the
    bytes as received.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("store_id", "dedupe_key"),
        Index("ix_webhook_delivery_pending", "store_id", "id", postgresql_where=text("status = 'pending'")),
        Index(None, "store_id", "received_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # No foreign key: looking the store up would cost a fifth of the insert that a sender waits for. Erasing a store
    # deletes its deliveries by name, and draining those that came while it went.
    store_id: Mapped[int]
    topic: Mapped[str]
    dedupe_key: Mapped[str]
    event_id: Mapped[str | None]
    api_version: Mapped[str | None]
    triggered_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    packed_body: Mapped[bytes] = mapped_column("body")
    body_sha256: Mapped[bytes]
    status: Mapped[str] = mapped_column(server_default=PENDING)
    reason: Mapped[str | None]
    processed_at: Mapped[datetime | None]

    @property
    def body(self) -> str:
        """The JSON without personal fields.

        Raises:
            ValueError: if what is stored is damaged (see ``packing.unpack``).
        """
        return unpack(self.packed_body).decode()

    @body.setter
    def body(self, value: str) -> None:
        self.packed_body = pack(value.encode())
