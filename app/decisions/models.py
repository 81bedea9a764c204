"""The decision log, and counts of all answers, logged or not."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, PrimaryKeyConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model


class Decision(Model):
    """One decision. Partitioned by week of ``day`` (UTC).

    The answer of nobody in particular is one decision however often it is given: ``answers`` counts. A visitor's is
    given once. ``subject`` is the visitor's digest where they agreed to analytics. ``reason`` is one of OpenFeature's
    codes (https://openfeature.dev/specification/types#resolution-reason). ``arms`` are arm keys by experiment key.
    ``record`` holds what replays the decision, compressed.
    """

    __tablename__ = "decision"
    __table_args__ = (
        # PostgreSQL wants the partition's column in every unique key of a partitioned table.
        PrimaryKeyConstraint("store_id", "id", "day"),
        Index(None, "store_id", "made_at"),
        Index(
            "ix_decision_store_id_subject",
            "store_id",
            "subject",
            postgresql_where=text("subject IS NOT NULL"),
        ),
        {"postgresql_partition_by": "RANGE (day)"},
    )

    store_id: Mapped[int]  # no foreign key, as with events
    id: Mapped[str]
    day: Mapped[date]
    made_at: Mapped[datetime]
    subject: Mapped[bytes | None]
    slot: Mapped[str | None]
    strategy: Mapped[str]
    reason: Mapped[str]
    arms: Mapped[Any] = mapped_column(JSONB)
    model_version: Mapped[str]
    cache: Mapped[str]
    latency_us: Mapped[int]
    shown: Mapped[list[str]]
    answers: Mapped[int]
    record: Mapped[bytes | None]


class DecisionTally(Model):
    """How many answers a slot gave on a day (UTC), why and from where; how many were empty, and their time in all."""

    __tablename__ = "decision_tally"
    __table_args__ = (PrimaryKeyConstraint("store_id", "day", "slot", "reason", "cache"),)

    store_id: Mapped[int]
    day: Mapped[date]
    slot: Mapped[str]
    reason: Mapped[str]
    cache: Mapped[str]
    answers: Mapped[int]
    empty: Mapped[int]
    latency_us: Mapped[int]
