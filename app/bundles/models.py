"""Offers, what happened to them, and the limits within which they may be made."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from app.core.db import Model


class Offer(Model):
    """Products that cost less together.

    ``state`` says where it stands (see ``states``): only ``live`` ones are shown. ``reason`` says in a sentence why it
    stands there, ``reason_code`` in a word. ``platform`` is what grants it (``LiveOffer`` as JSON): not None means that
    the platform has it, whatever the state.
    """

    __tablename__ = "offer"
    __table_args__ = (UniqueConstraint("store_id", "key"), Index(None, "store_id", "state"))

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    key: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str | None]
    reason_code: Mapped[str | None]
    title: Mapped[str]
    components: Mapped[Any] = mapped_column(JSONB)
    discounted: Mapped[list[str]] = mapped_column(ARRAY(Text))
    discount_kind: Mapped[str]
    discount_value: Mapped[int]
    currency: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    origin: Mapped[str]  # learned, rule or manual
    rule_id: Mapped[str | None]  # of the merchant's rule that it comes from
    evidence: Mapped[Any] = mapped_column(JSONB)
    profit: Mapped[Any | None] = mapped_column(
        JSONB
    )  # what it is expected to bring, and from what that follows
    prices: Mapped[Any] = mapped_column(
        JSONB
    )  # of its components when it was made or last approved, minor units
    platform: Mapped[Any | None] = mapped_column(JSONB)
    version: Mapped[int]  # grows with every change
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[str | None]  # merchant or automatic
    live_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    attempts: Mapped[int]  # to make the platform as it is wanted, that failed in a row
    retry_at: Mapped[datetime | None]  # when it is tried again; None: not by itself


class OfferEvent(Model):
    """Something that happened to an offer: who did what when. Never changed."""

    __tablename__ = "offer_event"
    __table_args__ = (Index(None, "store_id", "offer_key", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    offer_key: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]  # merchant, automatic, platform or clock
    action: Mapped[str]
    detail: Mapped[Any] = mapped_column(JSONB)


class OfferLimits(Model):
    """Within which limits a store's offers may be made; without a row the defaults hold."""

    __tablename__ = "offer_limits"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    limits: Mapped[Any] = mapped_column(JSONB)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
