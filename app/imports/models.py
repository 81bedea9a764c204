"""How far the import of a file has come."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model


class OrderImport(Model):
    """One file, by the digest of its bytes and of its mapping.

    So the same file twice is once, and one that was interrupted goes on where it was. ``collected_by`` says who
    collected what it says of people (Privacy Act 2020, IPP 3A).
    """

    __tablename__ = "order_import"
    __table_args__ = (UniqueConstraint("store_id", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    digest: Mapped[bytes]
    source: Mapped[str]
    channel: Mapped[str]
    collected_by: Mapped[str | None]
    done_rows: Mapped[int]
    orders: Mapped[int]
    rejected_rows: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
