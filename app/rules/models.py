"""The merchant's list of rules, version by version."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model


class RuleList(Model):
    """All rules of a store, in order, as they stood from one change to the next. The highest version counts.

    Versions are never changed: taking back a change writes an older list again, as a new version, and
    ``restored_version`` says which one that was; 0 is the empty list from before the first.
    """

    __tablename__ = "rule_list"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    rules: Mapped[Any] = mapped_column(JSONB)
    note: Mapped[str]
    restored_version: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
