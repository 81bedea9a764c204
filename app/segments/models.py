"""The merchant's own segments, and who is in which."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model


class Segment(Model):
    """A segment that the merchant defined. Named ones stand in the code."""

    __tablename__ = "segment"
    __table_args__ = (UniqueConstraint("store_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    key: Mapped[str]
    name: Mapped[str]
    definition: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SegmentMembership(Model):
    """A customer is in a segment: since when, as of when that was found, and why."""

    __tablename__ = "segment_membership"
    __table_args__ = (
        PrimaryKeyConstraint("store_id", "segment", "customer_id"),
        Index(None, "store_id", "customer_id"),
    )

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    segment: Mapped[str]
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id", ondelete="CASCADE"))
    since: Mapped[datetime]
    as_of: Mapped[datetime]
    reason: Mapped[dict[str, Any]]


class SegmentRun(Model):
    """The last time that a store's segments were computed: the cut points of its quintiles, and the sizes."""

    __tablename__ = "segment_run"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    as_of: Mapped[datetime]
    customers: Mapped[int]
    cuts: Mapped[dict[str, Any]]
    sizes: Mapped[dict[str, Any]]
