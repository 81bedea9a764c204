"""Events as they were accepted, the digests that make a repeated one count once, and who is who."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, PrimaryKeyConstraint, Sequence, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model

EVENT_ID = Sequence("event_id_seq", metadata=Model.metadata)


class Event(Model):
    """One accepted event of somebody who agreed to it. Partitioned by week of ``received_at``.

    ``subject`` is the keyed digest of the visitor, or of the customer where a server named nobody else (see
    ``app.privacy.subjects``). ``occurred_at`` is the client's clock, corrected by ``sentAt``. ``products`` are platform
    ids in the order in which the event names them. ``properties`` hold no personal field. ``purposes`` are the
    purposes that were allowed when it was accepted, as in ``app.privacy.purposes``.
    """

    __tablename__ = "event"
    __table_args__ = (
        # PostgreSQL wants the partition's column in every unique key of a partitioned table.
        PrimaryKeyConstraint("store_id", "received_at", "id"),
        Index(None, "store_id", "subject", "received_at"),
        {"postgresql_partition_by": "RANGE (received_at)"},
    )

    # No foreign key, as with deliveries: looking the store up would cost a part of what a page waits for.
    store_id: Mapped[int]
    received_at: Mapped[datetime]
    id: Mapped[int] = mapped_column(BigInteger, EVENT_ID, server_default=EVENT_ID.next_value())
    occurred_at: Mapped[datetime]
    subject: Mapped[bytes]
    type: Mapped[str]
    name: Mapped[str | None]
    products: Mapped[list[str]]
    properties: Mapped[dict[str, Any]]
    purposes: Mapped[int] = mapped_column(SmallInteger)
    source: Mapped[str]
    message: Mapped[bytes]


class EventReceipt(Model):
    """The digest of a message id that was accepted: what makes a repeated event count once, across partitions."""

    __tablename__ = "event_receipt"
    __table_args__ = (
        PrimaryKeyConstraint("store_id", "message"),
        Index("ix_event_receipt_received_at", "received_at", postgresql_using="brin"),
    )

    store_id: Mapped[int]
    message: Mapped[bytes]
    received_at: Mapped[datetime]


class EventTally(Model):
    """How many events of a store came to what end on a day (UTC), for people. ``reason`` is empty for accepted ones."""

    __tablename__ = "event_tally"
    __table_args__ = (PrimaryKeyConstraint("store_id", "day", "outcome", "reason"),)

    store_id: Mapped[int]
    day: Mapped[date]
    outcome: Mapped[str]
    reason: Mapped[str]
    events: Mapped[int]


class IdentityLink(Model):
    """Two identifiers that belong to one person, and why. ``left_node`` sorts before ``right_node``.

    A node is ``visitor:<32 hex>``, ``customer:<platform id>``, ``contact:<32 hex>`` or ``cart:<32 hex>``. Links are
    never merged into anything: who is who is worked out from them, so that a revoked link leaves no trace.
    """

    __tablename__ = "identity_link"
    __table_args__ = (
        PrimaryKeyConstraint("store_id", "left_node", "right_node"),
        Index(None, "store_id", "right_node"),
        CheckConstraint("left_node < right_node", name="sorted"),
    )

    store_id: Mapped[int]
    left_node: Mapped[str]
    right_node: Mapped[str]
    reason: Mapped[str]
    first_seen_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class ProductActivity(Model):
    """What happened to a product on a day (UTC), over all visitors: recomputed from events while they are kept."""

    __tablename__ = "product_activity"
    __table_args__ = (PrimaryKeyConstraint("store_id", "day", "product"),)

    store_id: Mapped[int]
    day: Mapped[date]
    product: Mapped[str]
    people: Mapped[int]
    views: Mapped[int]
    adds: Mapped[int]
    removes: Mapped[int]
