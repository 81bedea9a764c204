"""Price rules, changes of prices, the ledger, competitors' prices, quotes and the keys that sign them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.crypto import Encrypted
from app.core.db import Model


class PriceRule(Model):
    """How prices of some products may move. ``mode`` is suggest, approve or automatic."""

    __tablename__ = "price_rule"
    __table_args__ = (UniqueConstraint("store_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    key: Mapped[str]
    name: Mapped[str]
    mode: Mapped[str]
    active: Mapped[bool]
    definition: Mapped[Any] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PriceChange(Model):
    """One proposed or written change of one variant's price.

    ``state`` is suggested, proposed, approved, writing, live, failed, rejected, expired or undone. ``writing`` is
    committed before the platform is told, so that its echo is recognised whenever it comes. ``undo_of`` names the
    change that this one takes back.
    """

    __tablename__ = "price_change"
    __table_args__ = (
        Index(None, "store_id", "variant_id", "proposed_at"),
        Index(None, "store_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    rule_key: Mapped[str | None]
    product_id: Mapped[str]
    variant_id: Mapped[str]
    currency: Mapped[str]
    old_price: Mapped[int]
    new_price: Mapped[int]
    old_compare_at_price: Mapped[int | None]
    new_compare_at_price: Mapped[int | None]
    state: Mapped[str]
    reason: Mapped[str]  # in a sentence
    signals: Mapped[Any] = mapped_column(JSONB)  # what it follows from, and which guards bound it
    experiment: Mapped[str | None]  # key of the price experiment, and its arm
    arm: Mapped[str | None]
    actor: Mapped[str]  # merchant or automatic
    problem: Mapped[str | None]
    undo_of: Mapped[int | None]
    proposed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    decided_at: Mapped[datetime | None]
    written_at: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]


class PricePeriod(Model):
    """The ledger: a price that was live, from when to when and why. Periods of one variant do not overlap.

    ``source`` is ``shop`` (the merchant or another app) or ``pannier``; then ``change_id`` says by which decision.
    """

    __tablename__ = "price_period"
    __table_args__ = (
        Index(
            "uq_price_period_open",
            "store_id",
            "variant_id",
            unique=True,
            postgresql_where=text("until_at IS NULL"),
        ),
        Index(None, "store_id", "variant_id", "from_at"),
        Index(None, "store_id", "product_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    product_id: Mapped[str]
    variant_id: Mapped[str]
    price: Mapped[int]
    compare_at_price: Mapped[int | None]
    currency: Mapped[str]
    from_at: Mapped[datetime]
    until_at: Mapped[datetime | None]
    source: Mapped[str]
    change_id: Mapped[int | None]
    reason: Mapped[str]


class CompetitorPrice(Model):
    """What a competitor asks for a product, as the merchant imported it."""

    __tablename__ = "competitor_price"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    product_id: Mapped[str] = mapped_column(primary_key=True)
    competitor: Mapped[str] = mapped_column(primary_key=True)
    price: Mapped[int]
    currency: Mapped[str]
    seen_at: Mapped[datetime]


class PriceQuote(Model):
    """A signed price that was handed out. ``customer`` is a keyed hash; None for a guest."""

    __tablename__ = "price_quote"
    __table_args__ = (Index(None, "store_id", "expires_at"), Index(None, "store_id", "customer"))

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    product_id: Mapped[str]
    variant_id: Mapped[str]
    price: Mapped[int]
    list_price: Mapped[int]
    currency: Mapped[str]
    customer: Mapped[bytes | None]
    reason: Mapped[str]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    redeemed_at: Mapped[datetime | None]


class QuoteSecret(Model):
    """The store's root secret, from which the keys of quotes and configurations are derived. The newest signs."""

    __tablename__ = "quote_secret"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    secret: Mapped[Any] = mapped_column(Encrypted)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
