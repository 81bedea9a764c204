"""What was learned, and what is published of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Date, Double, ForeignKey, Index, Integer, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model


class LearnedModel(Model):
    """The head of a store's co-purchase counts: how they were weighted, and over how many orders.

    A changed store setting takes effect with the next rebuild, so that counts never mix two weightings.
    """

    __tablename__ = "learned_model"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[Any] = mapped_column(Date)  # the day on which an order weighs one
    half_life_days: Mapped[float] = mapped_column(Double)
    basket_cap: Mapped[int] = mapped_column(Integer)
    orders: Mapped[int]
    version: Mapped[int] = mapped_column(Integer)  # grows with every rebuild
    rebuilt_at: Mapped[datetime | None]
    learned_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # How scores are blended for this store (see ``tuning``); None: the defaults.
    ranking: Mapped[Any | None] = mapped_column(JSONB)
    # Since when, and why, a kept model answers and nothing new is published (see ``promotion``).
    held_at: Mapped[datetime | None]
    held_reason: Mapped[str | None]


class ProductCount(Model):
    """In how many orders a product stands, and with what weight (fixed point, see docs/learning.md).

    ``stale`` marks products whose published answer is older than their counts.
    """

    __tablename__ = "product_count"
    __table_args__ = (
        Index("ix_product_count_stale", "store_id", "product_id", postgresql_where=text("stale")),
        Index("ix_product_count_popularity", "store_id", text("popularity DESC")),
    )

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    product_id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[int]
    weight: Mapped[int]
    popularity: Mapped[int]
    stale: Mapped[bool]


class NeighbourSegment(Model):
    """Co-purchase counts of one product, as an addend.

    The sum of a product's segments is its truth; learning appends small ones, compaction replaces several
    by their sum. ``packed`` is laid out by ``cooccurrence.pack``.
    """

    __tablename__ = "neighbour_segment"
    __table_args__ = (Index(None, "store_id", "product_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int]  # no foreign keys: written thousands of rows at a time, read through product_count
    product_id: Mapped[int]
    packed: Mapped[bytes]


class PublishedList(Model):
    """A ready list of candidates, best first: the durable copy of what Redis holds.

    ``subject`` is the platform id of the product that the list belongs to, or empty for a store-wide list.
    ``items`` is the JSON that serving reads (see ``publishing``).
    """

    __tablename__ = "published_list"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    strategy: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    items: Mapped[Any] = mapped_column(JSONB)
    published_at: Mapped[datetime]


class KeptList(Model):
    """A list of the last model that stood its test: what a store returns to."""

    __tablename__ = "kept_list"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    strategy: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    items: Mapped[Any] = mapped_column(JSONB)


class ModelCheck(Model):
    """A model was put to the test on the newest orders: with what outcome, by which measures.

    ``kind`` is ``rebuild`` for a model that wanted to be published and ``watch`` for the one that answers.
    """

    __tablename__ = "model_check"
    __table_args__ = (Index(None, "store_id", "checked_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    version: Mapped[int]
    kind: Mapped[str]
    passed: Mapped[bool]
    reason: Mapped[str]
    measures: Mapped[Any] = mapped_column(JSONB)
    checked_at: Mapped[datetime]


class SlotPause(Model):
    """A slot stopped showing anything because it did harm: since when, why, and how it came back.

    After a rest it is tried on a part of the visitors (``trial_at``); ``ended_by`` is ``trial`` or ``merchant``.
    """

    __tablename__ = "slot_pause"
    __table_args__ = (
        Index(
            "uq_slot_pause_open", "store_id", "slot", unique=True, postgresql_where=text("ended_at IS NULL")
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    slot: Mapped[str]
    paused_at: Mapped[datetime]
    reason: Mapped[str]
    measures: Mapped[Any] = mapped_column(JSONB)
    trial_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]


class SensitiveWords(Model):
    """Words of the merchant's own for categories that must never make an answer personal."""

    __tablename__ = "sensitive_words"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    words: Mapped[list[str]]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
