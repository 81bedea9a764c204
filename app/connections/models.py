"""What is known of the ties between a store and its platform."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model

# What a walk is for.
HISTORY: Final = "history"  # everything there is: the backfill
CHANGES: Final = "changes"  # what changed since the last time
LISTING: Final = "listing"  # all ids and states, against what is stored

RUNNING: Final = "running"
DONE: Final = "done"
FAILED: Final = "failed"  # ``problem`` says why; it is taken up again where that can help


class Walk(Model):
    """The newest walk of its kind through one resource of a store's platform.

    ``cursor`` is the connector's own note of where the next page begins. ``done`` counts resources, ``total`` is what
    the platform said there would be.
    """

    __tablename__ = "walk"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    cursor: Mapped[dict[str, Any] | None]
    # Changes only: from when on.
    since: Mapped[datetime | None]
    done: Mapped[int] = mapped_column(server_default="0")
    total: Mapped[int | None]
    # How often it had to begin again.
    restarts: Mapped[int] = mapped_column(server_default="0")
    # One sentence for the merchant.
    problem: Mapped[str | None]
    notes: Mapped[list[str]]
    # Listings only: how many the platform has and how many are stored, when it ended.
    platform_count: Mapped[int | None]
    stored_count: Mapped[int | None]
    started_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    finished_at: Mapped[datetime | None]


class Subscriptions(Model):
    """What the last look at a store's webhooks found."""

    __tablename__ = "subscriptions"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    active: Mapped[list[str]]
    # What was created, reactivated or removed the last time that something was.
    mended: Mapped[list[str]]
    problems: Mapped[list[str]]
    checked_at: Mapped[datetime]


class InstallState(Model):
    """A merchant who was sent to the platform to connect a store, until the platform answers.

    The one table without a store: it may not exist yet. Kept under the digest of an unguessable state that is good
    for one answer.
    """

    __tablename__ = "install_state"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    platform: Mapped[str]
    domain: Mapped[str]
    return_url: Mapped[str | None]
    # What came of it, for the merchant's browser: one sentence each.
    outcome: Mapped[list[str]]
    store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
