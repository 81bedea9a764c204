"""Experiments, and who was exposed to which arm."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model


class Experiment(Model):
    """One experiment. ``definition`` cannot change once it has started."""

    __tablename__ = "experiment"
    __table_args__ = (UniqueConstraint("store_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    key: Mapped[str]
    name: Mapped[str]
    status: Mapped[str]
    definition: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    verdict: Mapped[Any | None] = mapped_column(JSONB)


class ExperimentExposure(Model):
    """A visitor came upon an arm of an experiment: when first, and by which decision.

    ``experiment`` is its key; standing controls of slots and the hold-out have keys of their own and no row of
    ``experiment``. ``subject`` is the visitor's digest (see ``app.privacy.subjects``). Two rows of one visitor are two
    arms, which a report leaves out and counts.
    """

    __tablename__ = "experiment_exposure"
    __table_args__ = (Index(None, "store_id", "subject"),)

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    experiment: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[bytes] = mapped_column(primary_key=True)
    arm: Mapped[str] = mapped_column(primary_key=True)
    first_at: Mapped[datetime]
    decision_id: Mapped[str]
