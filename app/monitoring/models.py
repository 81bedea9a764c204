"""Alerts, and where a merchant wants them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.crypto import Encrypted
from app.core.db import Model


class Alert(Model):
    """Something that the merchant should know of, until it is over. ``source`` says what, ``level`` warn or error.

    At most one of a source is open. ``next_attempt_at`` is set while the merchant's endpoint is still to be told of the
    newest state, ``attempts`` are those that failed.
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index(None, "store_id", "raised_at"),
        Index(
            "uq_alert_open", "store_id", "source", unique=True, postgresql_where=text("cleared_at IS NULL")
        ),
        Index("ix_alert_untold", "next_attempt_at", postgresql_where=text("next_attempt_at IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    source: Mapped[str]
    level: Mapped[str]
    message: Mapped[str]
    raised_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime | None]


class AlertEndpoint(Model):
    """The merchant's address for alerts, and the secret that signs them.

    ``secret`` is ``{"current": "whsec_…"}``, for a day after a change with ``previous`` and ``previous_until``.
    ``disabled_at`` says since when nothing is sent, ``problem`` why the last attempt failed.
    """

    __tablename__ = "alert_endpoint"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    url: Mapped[str]
    secret: Mapped[Any] = mapped_column(Encrypted)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    disabled_at: Mapped[datetime | None]
    problem: Mapped[str | None]
